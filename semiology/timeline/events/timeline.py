"""Read `timeline.csv`: the probability of each level of each task in windows over one recording."""

import csv
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semiology.data.cohort.row import LONGEST
from semiology.data.cohort.table import from_cell
from semiology.errors import UserError
from semiology.files import real_files

Trace = tuple[str, str]  # task and level

COLUMNS = ("task", "level", "start", "end", "probability")
NAME = "timeline.csv"


@dataclass(frozen=True)
class Timeline:
    """One recording's probabilities over time.

    Attributes:
        windows: (task, level) -> (window, 3) start s, end s, probability, NaN where not assessable;
            in order of time.
        duration: s, the end of the last window.
    """

    windows: dict[Trace, np.ndarray]
    duration: float


def read_timeline(path: str | Path) -> Timeline:
    """Read one `timeline.csv` row by row, in little memory: a night has hundreds of thousands of
    rows.

    Raises:
        UserError: no such file, not a csv in UTF-8, a missing column, a cell that is not a number,
            a window that ends before it starts or does not come after the previous one, a
            probability outside of 0 to 1.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such timeline")
    kinds: dict[Trace, array[float]] = {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            rows = csv.reader(stream)
            header = next(rows, [])
            if missing := [column for column in COLUMNS if column not in header]:
                raise UserError(
                    f"{path}: has no column {missing[0]!r}; a timeline has {', '.join(COLUMNS)}"
                )
            places = [header.index(column) for column in COLUMNS]
            for number, row in enumerate(rows, start=2):
                if len(row) != len(header):
                    raise UserError(
                        f"{path}: row {number} has {len(row)} cells, the header has {len(header)};"
                        " the file may be incomplete"
                    )
                task, level, *cells = (row[place].strip() for place in places)
                numbers = kinds.setdefault((from_cell(task), from_cell(level)), array("d"))
                numbers.extend(_window(f"{path}: row {number}", cells, numbers[-3:]))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable csv ({error}); write it again") from error
    if not kinds:
        raise UserError(f"{path}: holds no windows")
    windows = {kind: np.array(numbers).reshape(-1, 3) for kind, numbers in kinds.items()}
    return Timeline(windows, max(float(values[:, 1].max()) for values in windows.values()))


def _window(where: str, cells: Sequence[str], before: Sequence[float]) -> list[float]:
    """Start, end and probability of a row, checked against the previous window."""
    numbers = []
    for column, cell in zip(COLUMNS[2:], cells):
        try:
            numbers.append(float("nan" if cell == "" and column == "probability" else cell))
        except ValueError:
            raise UserError(f'{where}, column "{column}": {cell!r} is not a number') from None
    start, end, probability = numbers
    if not -LONGEST <= start < end <= LONGEST:
        raise UserError(
            f'{where}, column "end": {end:g} s; a window ends after it starts, at {start:g} s, and'
            " within a year"
        )
    if probability < 0 or probability > 1:
        raise UserError(
            f'{where}, column "probability": {probability:g}; it is 0 to 1, or empty where not'
            " assessable"
        )
    if len(before) and not start + end > before[0] + before[1]:
        raise UserError(
            f'{where}, column "start": {start:g} s; windows of one task and level go forward in'
            " time"
        )
    return numbers


def find_timelines(path: str | Path) -> dict[str, Path]:
    """clip_id -> timeline.csv: the file itself, or FOLDER/<clip_id>/timeline.csv and
    FOLDER/<clip_id>_timeline.csv of each recording.

    Raises:
        UserError: no timeline, or two of one recording.
    """
    path = Path(path)
    if path.is_file():
        return {_clip_id(path): path}
    found: dict[str, Path] = {}
    for file in sorted(
        file for pattern in (f"*/{NAME}", f"*_{NAME}", NAME) for file in real_files(path, pattern)
    ):
        if (clip_id := _clip_id(file)) in found:
            raise UserError(
                f"{file}: second timeline of {clip_id}, after {found[clip_id]}; keep one"
            )
        found[clip_id] = file
    if not found:
        raise UserError(
            f"{path}: holds no timelines (looked for <clip_id>/{NAME} and <clip_id>_{NAME})"
        )
    return found


def _clip_id(path: Path) -> str:
    return (
        path.parent.resolve().name
        if path.name == NAME
        else path.name.removesuffix(f"_{NAME}").removesuffix(path.suffix)
    )
