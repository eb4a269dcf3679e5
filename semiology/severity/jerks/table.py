"""Jerks as a table, in memory and on disk: one row per jerk, tab-separated, n/a where a value is
unknown.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from semiology.data.cohort.table import Fault, read_table, to_cell
from semiology.errors import UserError
from semiology.files import write_text
from semiology.severity.jerks.detection import DetectedJerks
from semiology.severity.jerks.jerk import Jerk, sorted_jerks

AXES = ("direction_x", "direction_y", "direction_z")
DECIMALS = {
    "onset": 4,
    "peak": 4,
    "duration": 4,
    "amplitude": 6,
    **dict.fromkeys(AXES, 4),
    "snr": 2,
}
COLUMNS = ["joint", "segment", "side", *DECIMALS]
NEEDED = ["joint", "onset", "peak", "duration"]


def jerk_table(found: DetectedJerks) -> pd.DataFrame:
    """One row per jerk, by onset; NaN where a value is unknown. Times in s, amplitude in torso
    lengths.
    """
    rows = [
        {
            "joint": jerk.joint,
            "segment": jerk.segment,
            "side": jerk.side,
            "onset": jerk.onset,
            "peak": jerk.peak,
            "duration": jerk.duration,
            "amplitude": jerk.amplitude,
            **dict(zip(AXES, _axes(jerk))),
            "snr": jerk.snr,
        }
        for jerk in found.jerks
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(DECIMALS, float))


def write_jerks(path: str | Path, jerks: Sequence[Jerk]) -> None:
    """Write a .tsv atomically, times to a tenth of a millisecond.

    Raises:
        UserError: as `files.atomic_path`.
    """
    lines = ["\t".join(COLUMNS)]
    for jerk in sorted_jerks(list(jerks)):
        numbers = (jerk.onset, jerk.peak, jerk.duration, jerk.amplitude, *_axes(jerk), jerk.snr)
        cells = [
            f"{number:.{places}f}" if math.isfinite(number) else "n/a"
            for number, places in zip(numbers, DECIMALS.values())
        ]
        lines.append(
            "\t".join([to_cell(jerk.joint), jerk.segment or "n/a", jerk.side or "n/a", *cells])
        )
    write_text(path, "\n".join(lines) + "\n")


def read_jerks(path: str | Path) -> list[Jerk]:
    """Read a table of jerks, in order of onset. Only joint, onset, peak and duration are required;
    unknown columns are ignored.

    Raises:
        UserError: no such file, not a table, a missing column, a cell that is not a number, an
            empty joint, a negative duration. Rows count as in a spreadsheet: the header is row 1.
    """
    path = Path(path)
    faults: list[Fault] = []
    table = read_table(path, NEEDED, faults, [])
    if faults:
        raise UserError(str(path.parent / str(faults[0])))
    return sorted_jerks([_jerk(path, row, cells) for row, cells in table.rows])


def _jerk(path: Path, row: int, cells: dict[str, str]) -> Jerk:
    numbers = {column: _number(path, row, column, cells.get(column, "")) for column in DECIMALS}
    if not cells["joint"]:
        raise UserError(_fault(path, row, "joint", "is empty; name the joint"))
    if numbers["duration"] < 0:
        raise UserError(_fault(path, row, "duration", "is negative; give 0 s or more"))
    direction = tuple(numbers[axis] for axis in AXES if math.isfinite(numbers[axis]))
    return Jerk(
        joint=cells["joint"],
        segment=cells.get("segment", ""),
        side=cells.get("side", ""),
        onset=numbers["onset"],
        peak=numbers["peak"],
        duration=numbers["duration"],
        amplitude=numbers["amplitude"],
        direction=direction,
        snr=numbers["snr"],
    )


def _number(path: Path, row: int, column: str, cell: str) -> float:
    if not cell and column not in NEEDED:
        return math.nan
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(_fault(path, row, column, f"{cell or 'n/a'!r} is not a number"))
    return number


def _axes(jerk: Jerk) -> tuple[float, ...]:
    """Components x, y and z of the direction, NaN where unknown."""
    return (*jerk.direction, *[math.nan] * (3 - len(jerk.direction)))


def _fault(path: Path, row: int, column: str, what: str) -> str:
    return str(path.parent / str(Fault(path.name, what, row, column)))
