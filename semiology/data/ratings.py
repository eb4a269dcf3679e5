"""Ratings of clips by one rater: ratings.tsv, and beside it ratings.json with the items' levels or
ranges.

    clip_id  participant_id  visit  reading  item  value  when

`reading` is 1, and 2 where the rater rated the clip again. A value is a number or a level; n/a
where the rater could not tell.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semiology.data.cohort.table import Fault, read_table, to_cell
from semiology.errors import UserError
from semiology.files import read_json, write_json, write_text

RATINGS = "ratings.tsv"
COLUMNS = ("clip_id", "participant_id", "visit", "reading", "item", "value", "when")


@dataclass(frozen=True)
class Rating:
    """One value; "" where the rater could not tell."""

    clip_id: str
    participant_id: str
    visit: str
    reading: int
    item: str
    value: str
    when: str = ""


def write_ratings(
    folder: Path, ratings: Iterable[Rating], items: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write the table of a rater's folder and its description, each whole.

    Args:
        folder: of the rater.
        ratings: in the order of the table.
        items: item -> its description: "Levels" in their order, or "Minimum" and "Maximum".
    """
    lines = ["\t".join(COLUMNS)]
    for one in ratings:
        texts = [str(to_cell(getattr(one, column))) or "n/a" for column in COLUMNS]
        lines.append("\t".join(texts))
    path = folder / RATINGS
    described = {"Items": items}
    if not path.with_suffix(".json").is_file() or _described(path) != items:
        write_json(path.with_suffix(".json"), described)
    write_text(path, "\n".join(lines) + "\n")


def read_ratings(path: Path) -> tuple[list[Rating], dict[str, dict[str, Any]]]:
    """The ratings of a table, and item -> its description, empty where there is none.

    Raises:
        UserError: not such a table, a reading other than 1 or 2, one item of a clip twice in one
            reading.
    """
    faults: list[Fault] = []
    table = read_table(path, COLUMNS[:6], faults, [])
    if faults:
        raise UserError(f"{path.parent / str(faults[0])}")
    ratings: dict[tuple[str, int, str], Rating] = {}
    for row, cells in table.rows:
        if cells["reading"] not in ("1", "2"):
            raise UserError(f'{path}: row {row}, column "reading": is 1 or 2; correct it')
        key = (cells["clip_id"], int(cells["reading"]), cells["item"])
        if key in ratings:
            raise UserError(f"{path}: row {row}: a second value of that item; keep one")
        ratings[key] = Rating(
            *(cells["clip_id"], cells["participant_id"], cells["visit"], int(cells["reading"])),
            *(cells["item"], cells["value"], cells.get("when", "")),
        )
    return list(ratings.values()), _described(path)


def _described(path: Path) -> dict[str, dict[str, Any]]:
    described = path.with_suffix(".json")
    if not described.is_file():
        return {}
    items = read_json(described, what="the description of ratings").get("Items", {})
    if not isinstance(items, dict) or not all(isinstance(one, dict) for one in items.values()):
        raise UserError(f"{described}: not the description of ratings; write it again or delete it")
    return items


def as_number(value: str, levels: list[str] | None, positive: str | None = None) -> float:
    """A value as a number, for measures of agreement; NaN where the rater could not tell.

    A number stays; of two levels the first is 0 and the second 1, as in a cohort's labels; with
    `positive`, that level is 1 and every other 0.

    Raises:
        ValueError: three levels or more, of which none is named: their order is not known.
    """
    if value == "":
        return math.nan
    if positive is not None:
        return float(value == positive)
    if levels is None:
        return float(value)
    if len(levels) != 2:
        raise ValueError(f"has {len(levels)} levels, whose order is not known: {', '.join(levels)}")
    return float(levels.index(value))
