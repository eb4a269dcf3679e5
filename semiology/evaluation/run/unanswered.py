"""Clips that a model did not answer: rows of predictions.csv with a truth, and neither `predicted`,
`score` nor `scores` ("" or n/a).

Scored in one of two ways, which the report states with the share of such clips [our choice]:

- "wrong": the answer was wrong and sure of it. All probability is on the other classes, in equal
  parts, and the first of them is the predicted one.
- "out": the clip is left out, for all models of the task, so that all are compared on the same
  clips. What was not answered is seldom the easiest: of the two this is the optimistic one.
"""

from pathlib import Path
from typing import Any, Literal

import pandas as pd

from semiology.errors import UserError

Unanswered = Literal["wrong", "out"]
NOTHING = ("", "n/a")
CELLS = ("predicted", "score", "scores")
PARTS = ("calibrated", "plausible")  # of an answer, where the model gives them
HOW = {"wrong": "counted as wrong", "out": "left out, for all models of the task"}


def without_answer(table: pd.DataFrame, path: Path) -> pd.Series:
    """Which rows of a table of text hold no answer.

    Raises:
        UserError: some of `predicted`, `score` and `scores` are empty in a row, and others are not.
    """
    empty = table[list(CELLS)].isin(NOTHING)
    some = empty.any(axis=1) & ~empty.all(axis=1)
    if some.any():
        row = int(some.to_numpy().argmax())
        given = ", ".join(column for column in CELLS if not empty[column].iloc[row])
        raise UserError(
            f"{path}, row {row + 2}: {given} given, and the others of {', '.join(CELLS)} empty;"
            f" leave all of them empty where there is no answer{_more(int(some.sum()))}"
        )
    return empty.all(axis=1)


def _more(count: int) -> str:
    return f" ({count:,} rows like this)" if count > 1 else ""


def filled(table: pd.DataFrame, answered: pd.Series, path: Path) -> pd.DataFrame:
    """The table with wrong answers in its rows without one, and a column `answered`.

    Args:
        table: as `read_predictions` returns it, but for rows without an answer.
        answered: (row,) whether there is an answer.
        path: of the file, for errors.

    Raises:
        UserError: no row of a task has an answer, or a truth is none of the task's levels.
    """
    table = table.assign(answered=answered)
    cells: dict[str, list[Any]] = {column: table[column].tolist() for column in (*CELLS, *PARTS)}
    parts = {column: table.loc[table[column].notna(), "model"].unique() for column in PARTS}
    for task in table.loc[~answered, "task"].unique():
        rows = table[table["task"] == task]
        known = rows.loc[rows["answered"], "scores"]
        if known.empty:
            raise UserError(f"{path}: no row of task {task} holds an answer")
        levels = list(known.iloc[0])
        lost = rows[~rows["answered"]]
        strange = lost[~lost["truth"].isin(levels)]
        if len(strange):
            raise UserError(
                f"{path}, row {int(str(strange.index[0])) + 2}, column truth:"
                f" {strange['truth'].iloc[0]!r} is none of the levels {', '.join(levels)}"
                + _more(len(strange))
            )
        for index, truth, model in zip(lost.index, lost["truth"], lost["model"]):
            others = [level for level in levels if level != truth]
            scores = {level: float(level != truth) / len(others) for level in levels}
            number = int(str(index))
            cells["scores"][number], cells["predicted"][number] = scores, others[0]
            cells["score"][number] = scores[levels[1] if len(levels) == 2 else others[0]]
            cells["calibrated"][number] = scores if model in parts["calibrated"] else None
            cells["plausible"][number] = [] if model in parts["plausible"] else None
    return table.assign(
        **{
            column: pd.Series(values, index=table.index, dtype=table[column].dtype)
            for column, values in cells.items()
        }
    )


def answered_by_all(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of clips that every model and seed of their task answered.

    Raises:
        UserError: none are left of a task.
    """
    kept = table[table.groupby(["task", "clip_id"])["answered"].transform("all")]
    if lost := [task for task in table["task"].unique() if task not in set(kept["task"])]:
        raise UserError(
            f"task {lost[0]}: no clip was answered by all models; count them as wrong"
            " (--unanswered wrong)"
        )
    return kept
