"""`predictions.csv`: the out-of-fold predictions of every model. The boundary between training and
evaluation.
"""

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semiology.data.cohort.table import by_cell, from_cell
from semiology.errors import UserError
from semiology.evaluation.run.unanswered import NOTHING, filled, without_answer
from semiology.files import parse_json

COLUMNS = (
    "task",
    "label",
    "stream",
    "model",
    "seed",
    "fold",
    "clip_id",
    "participant_id",
    "truth",
    "predicted",
    "score",
    "scores",
)
OPTIONAL = ("recording_id", "calibrated", "plausible")
TOLERANCE = 1e-3  # probabilities written with four digits still sum to one
ROUNDED = 1e-4  # two of them that were almost equal may have changed order by rounding


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read and validate a table of predictions: one row for each (task, model, seed, clip_id).

    Columns: `task` ("dystonia (pose)"), `label`, `stream`, `model`, `seed`, `fold`, `clip_id`,
    `participant_id`, `truth` and `predicted` (names of levels), `score` (probability of the
    positive level if the label has two levels, else of the predicted level) and `scores` (JSON
    object: level -> probability, levels in the label's order; of two levels the second is the
    positive one).

    Columns that may be absent: `recording_id` (what several clips or views of one seizure share;
    the clip_id by default), `calibrated` (as `scores`, after a calibration fitted on training
    participants; empty where there was none), `plausible` (JSON list: the levels that cannot be
    ruled out at the run's coverage; empty where it was not computed. The model commits itself
    where it is one level, and abstains otherwise).

    A row without `predicted`, `score` and `scores` (empty or n/a) is a clip that the model did not
    answer; see `semiology.evaluation.run.unanswered`.

    Returns:
        The table with all these columns: `seed` integer, `score` float, `scores` dictionaries,
            `calibrated` dictionaries or None,
        `plausible` lists or None; everything else text. Where a clip was not answered there is a
        wrong answer, and a column `answered`.

    Raises:
        UserError: the file is absent, empty or not a table; a column is missing; a row repeats
            another; scores do not sum to one, are not what `score` says or lack the truth;
            `predicted` is not the most probable level; a clip has two truths or two participants; a
            model or a seed lacks a clip that another has.
    """
    path = Path(path)
    try:
        table = pd.read_csv(
            path, dtype=str, keep_default_na=False
        )  # a level may well be called "None"
    except FileNotFoundError as error:
        raise UserError(f"{path}: not found; `semiology loso` writes it") from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); name the file predictions.csv of a run"
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: not a table of predictions ({' '.join(str(error).split())}); write it again"
            " with `semiology loso`"
        ) from error
    table = by_cell(table, from_cell)
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise UserError(
            f"{path}: column {', '.join(missing)} missing; a table of predictions has"
            f" {', '.join(COLUMNS)}"
        )
    if table.empty:
        raise UserError(f"{path}: no predictions in it; run `semiology loso` to the end")
    table["seed"] = _whole(table, "seed", path)
    answered = ~without_answer(table, path)
    table["score"] = _numbers(table.where(answered, "0"), "score", path)
    parsed = [
        _scores(text, f"{path}, row {_line(number)}", "scores") if answered[number] else None
        for number, text in table["scores"].items()
    ]
    table["scores"] = pd.Series(parsed, index=table.index, dtype=object)
    if "recording_id" not in table:
        table["recording_id"] = table["clip_id"]
    for column, parse in (("calibrated", _scores), ("plausible", _levels)):
        texts = table[column] if column in table else pd.Series("", index=table.index)
        values = [
            parse(text, f"{path}, row {_line(number)}", column) if text not in NOTHING else None
            for number, text in texts.items()
        ]
        table[column] = pd.Series(values, index=table.index, dtype=object)
    if not answered.all():
        table = filled(table, answered, path)
    _check_rows(table, path)
    _check_agreement(table, path)
    return table


def levels_of(rows: pd.DataFrame) -> list[str]:
    """The label's levels in their order, as the rows of one task hold them."""
    return list(rows["scores"].iloc[0])


def with_predicted(table: pd.DataFrame) -> pd.DataFrame:
    """The table of such rows in the columns of predictions.csv, with what follows from scores."""
    levels = table["scores"].map(list)
    best = table["scores"].map(lambda scores: max(scores, key=scores.get))
    table["predicted"] = best
    table["score"] = [
        scores[names[1] if len(names) == 2 else top]
        for scores, names, top in zip(table["scores"], levels, best)
    ]
    table["scores"] = table["scores"].map(json.dumps)
    return table[[*COLUMNS, *OPTIONAL]]


def _line(index: Hashable) -> int:
    return int(str(index)) + 2  # line 1 is the header


def _numbers(table: pd.DataFrame, column: str, path: Path) -> pd.Series:
    numbers = pd.to_numeric(table[column], errors="coerce")
    wrong = table.index[~np.isfinite(numbers)]
    if len(wrong):
        raise UserError(
            f"{path}, row {_line(wrong[0])}, column {column}: {table[column][wrong[0]]!r} is not a"
            " number"
        )
    return numbers


def _whole(table: pd.DataFrame, column: str, path: Path) -> pd.Series:
    numbers = _numbers(table, column, path)
    wrong = table.index[numbers % 1 != 0]
    if len(wrong):
        raise UserError(
            f"{path}, row {_line(wrong[0])}, column {column}: {table[column][wrong[0]]!r} is not a"
            " whole number"
        )
    return numbers.astype(int)


def _levels(text: str, where: str, column: str) -> list[str]:
    try:
        levels = parse_json(text)
    except ValueError:
        levels = None
    if not isinstance(levels, list) or not all(isinstance(level, str) for level in levels):
        raise UserError(
            f'{where}, column {column}: {text!r} is not a JSON list of levels such as ["absent"]'
        )
    return levels


def _scores(text: str, where: str, column: str) -> dict[str, float]:
    try:
        scores = {str(level): float(probability) for level, probability in parse_json(text).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f'{where}, column {column}: {text!r} is not a JSON object such as {{"absent": 0.4,'
            ' "present": 0.6}'
        ) from error
    if len(scores) < 2:
        raise UserError(
            f"{where}, column {column}: {len(scores)} level named; a label has two or more"
        )
    if not abs(sum(scores.values()) - 1) <= TOLERANCE or min(scores.values()) < 0:
        found = f"sum to {sum(scores.values()):.4g}, the least is {min(scores.values()):.4g}"
        raise UserError(
            f"{where}, column {column}: probabilities {found}; they have to sum to 1 and none be"
            " negative"
        )
    return scores


def _check_rows(table: pd.DataFrame, path: Path) -> None:
    """Each row by itself: levels known, predicted and score those that scores give, not a
    repetition.
    """
    row: Any
    for row in table.itertuples():
        where, scores = f"{path}, row {_line(row.Index)}", row.scores
        for column, level in (("truth", row.truth), ("predicted", row.predicted)):
            if level not in scores:
                count = sum(name not in own for name, own in zip(table[column], table["scores"]))
                more = f" ({count:,} rows like this)" if count > 1 else ""
                raise UserError(
                    f"{where}, column {column}: {level!r} is none of the levels {', '.join(scores)}"
                    + more
                )
        if row.calibrated is not None and list(row.calibrated) != list(scores):
            raise UserError(
                f"{where}, column calibrated: its levels are {', '.join(row.calibrated)}, but"
                f" scores has {', '.join(scores)}"
            )
        if unknown := set(row.plausible or ()) - set(scores):
            raise UserError(
                f"{where}, column plausible: {sorted(unknown)[0]!r} is none of the levels"
                f" {', '.join(scores)}"
            )
        most = max(scores, key=scores.__getitem__)
        if scores[row.predicted] < scores[most] - ROUNDED:
            raise UserError(
                f"{where}, column predicted: {row.predicted!r}, but scores give {most!r}"
                f" {scores[most]:.4g} and {row.predicted!r} only {scores[row.predicted]:.4g}; write"
                " it again with `semiology loso`"
            )
        scored = list(scores)[1] if len(scores) == 2 else row.predicted
        if abs(scores[scored] - row.score) > TOLERANCE:
            raise UserError(
                f"{where}, column score: {row.score:.4g}, but scores give {scored!r}"
                f" {scores[scored]:.4g}"
            )
    for column in ("task", "label", "model", "clip_id", "participant_id"):
        empty = table.index[table[column] == ""]
        if len(empty):
            raise UserError(f"{path}, row {_line(empty[0])}, column {column}: empty")
    again = table.index[table.duplicated(["task", "model", "seed", "clip_id"])]
    if len(again):
        row = table.loc[again[0]]
        which = f"clip {row.clip_id} by {row.model}, seed {row.seed}, in task {row.task}"
        raise UserError(f"{path}, row {_line(again[0])}: second prediction of {which}; keep one")


def _check_agreement(table: pd.DataFrame, path: Path) -> None:
    """Within a task all models and seeds predict the same clips, with the same truth, participants
    and levels.
    """
    table = table.assign(levels=[" / ".join(scores) for scores in table["scores"]])
    for task, rows in table.groupby("task", sort=False):
        for column, key in (
            ("label", "task"),
            ("stream", "task"),
            ("levels", "task"),
            ("truth", "clip_id"),
            ("participant_id", "clip_id"),
            ("recording_id", "clip_id"),
        ):
            first = rows.groupby(key)[column].transform("first")
            wrong = rows.index[rows[column] != first]
            if len(wrong):
                row = rows.loc[wrong[0]]
                raise UserError(
                    f"{path}, row {_line(wrong[0])}, column {column}: {row[column]!r}, but an"
                    f" earlier row of {row[key]} in task {task} has {first[wrong[0]]!r}"
                )
        everyone = set(rows["clip_id"])
        for (model, seed), ran in rows.groupby(["model", "seed"], sort=False):
            absent = sorted(everyone - set(ran["clip_id"]))
            if absent:
                raise UserError(
                    f"{path}: task {task}, model {model}, seed {seed} lacks clip {absent[0]}"
                    f" ({len(absent)} in all), which others have; run `semiology loso` to the end"
                )
