"""Scores from the ratings of a review: a folder of raters, each with ratings.tsv."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from semiology.data.cohort.table import Fault, read_table
from semiology.data.ratings import RATINGS, Rating, as_number, read_ratings
from semiology.errors import UserError
from semiology.evaluation.agreement.scores import SEPARATORS, Scores, as_score
from semiology.files import real_files

SECOND = "{rater}, second reading"  # name of the column
MACHINE = "machine"
FACTS = ("participant", "visit")  # columns of a table of scores beside the raters'
CLIPS = "clips.tsv"


def read_review(
    folder: str | Path, item: str, machine: str | None = None, raters: Sequence[str] = ()
) -> Scores:
    """Scores of one item by every rater of a review: a row is a clip, and the clips of a
    participant are repeated measures.

    Numbers of a scale are taken as they are. A label with two levels is 0 for the first and 1 for
    the second. The levels of any other label have no order that is known here: name one of them,
    `item` "side=left", which is then 1 and the others 0.

    Parameters
    ----------
    folder : str or Path
        Of the review: <rater>/ratings.tsv.
    item : str
        What was rated, or "item=level".
    machine : str, optional
        A table (.tsv or .csv) with the columns clip_id and the item's name; or a column of
        clips.tsv in the folder above. Without it raters are compared with each other only.
    raters : sequence of str
        Of the folder; all by default.

    Returns
    -------
    Scores
        The first readings as the raters' columns, the second ones in `second`.

    Raises
    ------
    UserError
        No such folder, rater or item, an item whose levels have no order, a table that cannot be
        read.
    """
    folder = Path(folder)
    name, _, positive = item.partition("=")
    paths = {path.parent.name: path for path in real_files(folder, f"*/{RATINGS}")}
    if not paths:
        raise UserError(
            f"{folder}: holds no ratings; they are in <rater>/{RATINGS}, as semiology review"
            " writes them"
        )
    for rater in raters:
        if rater not in paths:
            raise UserError(f"{folder}: no ratings of {rater!r}; there are {', '.join(paths)}")
    columns: dict[str, dict[str, float]] = {}
    participants: dict[str, str] = {}
    second: dict[str, str] = {}
    items: set[str] = set()
    forms: list[dict] = []
    for rater in raters or paths:
        rated, described = read_ratings(paths[rater])
        items |= {one.item for one in rated}
        forms.append(described)
        for one in (one for one in rated if one.item == name):
            column = rater if one.reading == 1 else SECOND.format(rater=rater)
            levels = described.get(name, {}).get("Levels")
            number = _number(one, levels, positive or None, paths[rater])
            columns.setdefault(column, {})[one.clip_id] = number
            participants.setdefault(one.clip_id, one.participant_id)
            if one.reading == 2:
                second[rater] = column
    scored = [rater for rater in raters or paths if rater in columns]
    if not scored:
        raise UserError(
            f"{folder}: nobody rated {name!r}; rated were {', '.join(sorted(items)) or 'none'}"
        )
    second = {rater: column for rater, column in second.items() if rater in scored}
    taken = {*FACTS, *second.values(), *([MACHINE] if machine is not None else [])}
    if clash := sorted(taken & set(scored)):
        raise UserError(f"{folder}: a rater is called {clash[0]!r}; rename that folder")
    if machine is not None:
        levels = next((one[name].get("Levels") for one in forms if name in one), None)
        columns[MACHINE] = _machine(folder, machine, name, levels, positive or None)
        if not participants.keys() & columns[MACHINE].keys():
            raise UserError(f"{machine}: has a score of none of the clips that were rated")
    table = pd.DataFrame(
        dict(zip(FACTS, (list(participants.values()), ""))), index=list(participants)
    )
    wanted = [*([MACHINE] if machine is not None else []), *scored, *second.values()]
    for column in wanted:
        table[column] = [columns[column].get(clip_id, math.nan) for clip_id in participants]
    notes = [
        f"a row is a clip: {len(table)} clips of {table['participant'].nunique()} participants"
    ]
    if positive:
        notes.append(f"{name}: {positive} is 1, every other level 0")
    return Scores(
        MACHINE if machine is not None else "",
        tuple(scored),
        table.reset_index(drop=True),
        tuple(notes),
        second,
    )


def _number(one: Rating, levels: list[str] | None, positive: str | None, path: Path) -> float:
    where = f"{path}: clip {one.clip_id}, {one.item}"
    if positive is not None and (levels is None or positive not in levels):
        raise UserError(f"{where}: has no level {positive!r}; it has {', '.join(levels or [])}")
    try:
        return as_number(one.value, levels, positive)
    except ValueError as error:
        many = levels is not None and len(levels) > 2
        hint = (
            f"{error}; name the one to compare with the rest: --item {one.item}={levels[0]}"
            if many and levels
            else f"{one.value!r} is none of its values; correct it"
        )
        raise UserError(f"{where}: {hint}") from error


def _machine(
    folder: Path, machine: str, item: str, levels: list[str] | None, positive: str | None
) -> dict[str, float]:
    """clip_id -> score of a machine."""
    path, column = Path(machine), item
    if not path.is_file():
        path, column = folder.parent / CLIPS, machine
    separator = SEPARATORS.get(path.suffix.lower())
    if separator is None or not path.is_file():
        raise UserError(
            f"{machine}: neither a table (.tsv or .csv) nor a column of {folder.parent / CLIPS}"
        )
    faults: list[Fault] = []
    table = read_table(path, ["clip_id", column], faults, [], separator)
    if faults:
        raise UserError(str(faults[0]))
    return {
        cells["clip_id"]: as_number(text, levels, positive)
        if levels is not None and (text := cells[column]) in levels
        else as_score(cells[column], f'{path}: row {row}, column "{column}"')
        for row, cells in table.rows
    }
