"""Reading `timeline.csv`: the probability of each level of each task in windows over one recording."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semiology.errors import UserError
from semiology.formats.cells import read_cells, take

Trace = tuple[str, str]  # task and level

COLUMNS = ("task", "level", "start", "end", "probability")
NAME = "timeline.csv"


@dataclass(frozen=True)
class Timeline:
    """One recording's probabilities over time.

    Attributes:
        windows: (task, level) -> (window, 3) start s, end s, probability; NaN where not assessable. In order of time.
        duration: s, the end of the last window.
    """

    windows: dict[Trace, np.ndarray]
    duration: float


def read_timeline(path: str | Path) -> Timeline:
    """Read one `timeline.csv`.

    Raises:
        UserError: no such file, a column that is missing, a cell that is no number, a window that ends before it starts or does not come
            after the one before, a probability outside of 0 to 1.
    """
    path = Path(path)
    cells = read_cells(path)
    numbers = take(path, cells, COLUMNS[2:])
    names = [cells[0].index(name) if name in cells[0] else -1 for name in COLUMNS[:2]]
    if -1 in names:
        raise UserError(f"{path}: has no column {COLUMNS[names.index(-1)]!r}")
    if not len(numbers):
        raise UserError(f"{path}: holds no windows")
    start, end, probability = numbers.T
    _refuse(path, ~(end > start), "end", "a window ends after it starts")
    _refuse(path, (probability < 0) | (probability > 1), "probability", "it is 0 to 1, or empty where not assessable")
    kinds: dict[Trace, list[int]] = {}
    for place, row in enumerate(cells[1:]):
        kinds.setdefault((row[names[0]], row[names[1]]), []).append(place)
    backward = np.zeros(len(numbers), bool)
    for rows in kinds.values():
        backward[rows[1:]] = ~(np.diff(start[rows] + end[rows]) > 0)
    _refuse(path, backward, "start", "windows of one task and level go forward in time")
    return Timeline({kind: numbers[rows] for kind, rows in kinds.items()}, float(end.max()))


def find_timelines(path: str | Path) -> dict[str, Path]:
    """clip_id -> timeline.csv: the file itself, or FOLDER/<clip_id>/timeline.csv and FOLDER/<clip_id>_timeline.csv of each recording.

    Raises:
        UserError: none there, two of one recording.
    """
    path = Path(path)
    if path.is_file():
        return {_clip_id(path): path}
    found: dict[str, Path] = {}
    for file in sorted([*path.glob(f"*/{NAME}"), *path.glob(f"*_{NAME}"), *path.glob(NAME)]):
        if (clip_id := _clip_id(file)) in found:
            raise UserError(f"{file}: second timeline of {clip_id}, after {found[clip_id]}; keep one")
        found[clip_id] = file
    if not found:
        raise UserError(f"{path}: holds no timelines (looked for <clip_id>/{NAME} and <clip_id>_{NAME})")
    return found


def _clip_id(path: Path) -> str:
    return path.parent.resolve().name if path.name == NAME else path.name.removesuffix(f"_{NAME}").removesuffix(path.suffix)


def _refuse(path: Path, wrong: np.ndarray, column: str, what: str) -> None:
    if wrong.any():
        raise UserError(f'{path}: row {int(wrong.argmax()) + 2}, column "{column}": {what}')
