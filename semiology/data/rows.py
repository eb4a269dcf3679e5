"""Rows of tables as frames: times on a grid, numbers of frames, cells without a number, and our own
readable csv.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semiology.errors import UserError

# frames; larger numbers of a frame are invalid (110 h at 25 Hz) [our choice]
LONGEST = 10_000_000
# points (frames x keypoints) up to which a grid may be made of a few rows; beyond, a file has at
# least one row in SPARSEST frames (40 million points take about 1 GB) [our choice]
MOST_POINTS = 40_000_000
SPARSEST = 20
# of a frame, by which a time may lie off the grid [our choice]
TOLERANCE = 0.25
# by which a confidence may lie outside of 0 to 1, as sums of float32 probabilities do; it is cut
# [our choice]
ROUNDING = 1e-5
# cells for "not a number", as C's printf writes them, on Windows too (-nan(ind), -1.#IND00)
NO_NUMBER = frozenset(
    sign + text
    for sign in ("", "-")
    for text in [
        *("nan", "NaN", "nan(ind)", "nan(snan)"),
        *(f"1.#{kind}{'0' * zeros}" for kind in ("IND", "QNAN", "SNAN") for zeros in range(8)),
    ]
)
# Hz; times further apart than that of a slower video are taken for another unit [our choice]
SLOWEST = 0.5

COLUMNS = {"position": ["x", "y"], "position_3d": ["x_m", "y_m", "z_m"]}
NUMBERS = ["time", "frame", "confidence", *COLUMNS["position"], *COLUMNS["position_3d"]]


def beyond_0_to_1(confidence: np.ndarray) -> np.ndarray:
    """Which confidences are neither between 0 and 1, to `ROUNDING`, nor NaN: an array of bool of
    the same shape.
    """
    return (confidence < -ROUNDING) | (confidence > 1 + ROUNDING)


def check_times(time: np.ndarray, what: str) -> None:
    """Refuse the times of stored tracks or features that cannot be any.

    Raises:
        ValueError: none, one that is not finite, one that is not after the one before.
    """
    if time.ndim != 1 or not len(time):
        raise ValueError(f"its {what} have no times")
    if not np.isfinite(time).all():
        raise ValueError(f"its {what} have no time in row {int(np.argmin(np.isfinite(time)))}")
    if (later := np.diff(time) <= 0).any():
        row = int(np.argmax(later)) + 1
        raise ValueError(
            f"its {what} go back in time in row {row}, from {time[row - 1]:g} s to {time[row]:g} s"
        )


def frame_numbers(
    seconds: np.ndarray, fps: float | None = None
) -> tuple[np.ndarray, float, np.ndarray]:
    """Which frames some times are of, the frames per second, and how many frames each time lies off
    that grid (`TOLERANCE`).

    The first time is of the frame nearest to it, the others count from there. Times may be left out
    and may be rounded (33 and 34 ms at 30 Hz): a rate that is not given is that from first to last;
    of those that the rounding, to ms or microseconds, leaves open, it is the one with the fewest
    decimals. [our choice]

    Args:
        seconds: (time,) s, rising; two or more where the rate is not given.
        fps: Hz.

    Returns:
        (time,) whole numbers from the clip's start, as float64; Hz; (time,) frames.
    """
    since = seconds - seconds[0]
    if fps is None:
        count = _count(np.diff(seconds))
        fps = shortest_rate(count[-1], since[-1], seconds)
    else:
        count = np.round(since * fps)
    return np.round(seconds[0] * fps) + count, fps, np.abs(since * fps - count)


def _count(apart: np.ndarray) -> np.ndarray:
    """(time,) how many frames after the first one each time lies, from (time - 1,) s between
    them.
    """
    step = float(np.quantile(apart, 0.5, method="lower"))  # one of them
    for _ in range(3):
        step = float(apart[(apart > 0.5 * step) & (apart < 1.5 * step)].mean())
    return np.concatenate([[0.0], np.cumsum(np.round(apart / step))])


def shortest_rate(count: float, span: float, seconds: np.ndarray) -> float:
    """The rate (Hz) with the fewest decimals by which `count` intervals last `span` s, to the
    rounding of the times `seconds`: microseconds, or ms. [our choice]
    """
    rounding = 1e-9
    for unit in (1e-6, 1e-3):
        if (np.abs(seconds / unit - np.round(seconds / unit)) < 1e-2).all():
            rounding = unit
    for decimals in range(9):
        rate = round(float(count / span), decimals)
        if rate > 0 and abs(count / rate - span) <= rounding:
            return rate
    return float(count / span)


def check_size(what: str, number: int, keypoints: int, rows: int) -> None:
    """Refuse a frame number that would make tracks of far more points than the file has.

    Args:
        what: the place in the file, for the message.
        number: the largest number of a frame, from 0.
        keypoints: of the tracks.
        rows: (frames) that the file has.

    Raises:
        UserError: a number that cannot be one of a frame, or makes too many points.
    """
    if number >= LONGEST or (number + 1) * keypoints > max(
        MOST_POINTS, SPARSEST * rows * keypoints
    ):
        raise UserError(
            f"{what} would be number {number} of the clip's frames, and the file has {rows}; time"
            " and frame count from the clip's start, and time is in seconds: correct it"
        )


def separator(line: str) -> str:
    """What stands between the cells of a csv, by its first line: a comma, or the semicolon of a
    table that was saved where the decimal sign is a comma.
    """
    return ";" if ";" in line and "," not in line else ","


def read_long_csv(path: Path, fps: float | None = None) -> dict[str, Any]:
    """What `make_tracks` takes, from our own readable csv: one row per frame and keypoint, `time`
    (s) or `frame` (then give `fps`), `keypoint`, `x`, `y` (px) and/or `x_m`, `y_m`, `z_m` (m), and,
    if known, `confidence`. Frames without a row are missing: NaN, `source_index` -1.

    Times lie on a regular grid (to 1/4 frame) of the rate `fps`, or of their own rate
    (`frame_numbers`), which may be rounded to ms and begins at any time: the first row stands at
    the frame nearest to its time, and `source_time` has the times themselves.

    Raises:
        UserError: no such file, not a table, columns missing, text among numbers, two rows for one
            frame and keypoint, irregular times or those of another clock, frame numbers without a
            frame rate, a confidence outside of 0 to 1.
    """
    table = _cells(path)
    present = {
        name: columns for name, columns in COLUMNS.items() if set(columns) <= set(table.columns)
    }
    if "keypoint" not in table or not present or not {"time", "frame"} & set(table.columns):
        needed = "keypoint, time or frame, and x,y (px) or x_m,y_m,z_m (m)"
        found = (
            f"has {list(table.columns)[:8]}; if it is another program's: semiology tracks import"
        )
        raise UserError(f"{path}: needs the columns {needed}; {found}")
    if not len(table):
        raise UserError(f"{path}: holds no frames")
    _refuse(path, table["keypoint"], (table["keypoint"] == "").to_numpy(), "is empty")
    for column in [column for column in NUMBERS if column in table]:
        table[column] = _numbers(path, table[column])
    if "confidence" in table:
        outside = beyond_0_to_1(table["confidence"].to_numpy(float))
        what = "{:g} is outside of 0 to 1; leave it empty where there is no score"
        _refuse(path, table["confidence"], outside, what)
    column = "frame" if "frame" in table and (fps is not None or "time" not in table) else "time"
    given = table[column]
    _refuse(path, given, given.isna().to_numpy(), "is empty")
    what = "{:g}: is negative or infinite; time and frames count from the clip's start"
    _refuse(path, given, ~((given >= 0) & (given < np.inf)).to_numpy(), what)
    if column == "time":
        frame, fps, seconds = _by_time(path, given, fps)
    elif fps is not None:
        frame, fps, seconds = _by_number(path, given, fps)
    else:
        raise UserError(
            f"{path}: has frame numbers; give the frame rate too (fps), or a column time in seconds"
        )
    if (twice := table.assign(frame=frame).duplicated(["frame", "keypoint"])).any():
        raise UserError(
            f"{path}: row {int(np.flatnonzero(twice)[0]) + 2}: a second row for the same frame and"
            " keypoint"
        )
    keypoints = list(dict.fromkeys(table["keypoint"]))
    last = int(np.argmax(frame))
    where = f'{path}: row {last + 2}, column "{column}": {table[column].iloc[last]:g}'
    check_size(where, int(frame[last]), len(keypoints), len(np.unique(frame)))
    place = table["keypoint"].map({name: number for number, name in enumerate(keypoints)})
    arrays = {}
    for name, columns in present.items():
        arrays[name] = np.full((frame[last] + 1, len(keypoints), len(columns)), np.nan, np.float32)
        arrays[name][frame, place] = table[columns].to_numpy()
    confidence = None
    if "confidence" in table:
        confidence = np.zeros((frame[last] + 1, len(keypoints)), np.float32)
        confidence[frame, place] = table["confidence"]  # an empty cell is NaN: no score
    index, source_time = np.full(frame[last] + 1, -1), np.full(frame[last] + 1, np.nan)
    index[frame], source_time[frame] = frame, seconds
    return {
        "position": arrays.get("position"),
        "position_3d": arrays.get("position_3d"),
        "keypoints": keypoints,
        "fps": fps,
        "confidence": confidence,
        "source_time": source_time,
        "source_index": index,
    }


def _cells(path: Path) -> pd.DataFrame:
    """The table, with the names of keypoints as they are (01, NA)."""
    try:
        with open(path, encoding="utf-8-sig") as stream:
            between = separator(stream.readline())
        return pd.read_csv(
            path,
            sep=between,
            decimal="," if between == ";" else ".",
            dtype={"keypoint": str},
            keep_default_na=False,
            na_values={name: [*NO_NUMBER, "", "NA", "n/a", "null"] for name in NUMBERS},
            skipinitialspace=True,
            encoding="utf-8-sig",
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable CSV: {error}") from error


def _numbers(path: Path, cells: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(cells, errors="coerce")
    _refuse(path, cells, (numbers.isna() & cells.notna()).to_numpy(), "{!r} is not a number")
    return numbers


def _refuse(path: Path, cells: pd.Series, wrong: np.ndarray, what: str) -> None:
    """Raise an error at the first of the rows that are wrong."""
    if (rows := np.flatnonzero(wrong)).size:
        cell = what.format(cells.iloc[rows[0]])
        raise UserError(f'{path}: row {rows[0] + 2}, column "{cells.name}": {cell}')


def _by_number(path: Path, numbers: pd.Series, fps: float) -> tuple[np.ndarray, float, np.ndarray]:
    """(row,) frame, Hz and (row,) s of rows that have frame numbers."""
    _refuse(path, numbers, (numbers >= LONGEST).to_numpy(), "{:g} is not the number of a frame")
    off = np.asarray((numbers - numbers.round()).abs()) > TOLERANCE
    _refuse(path, numbers, off, "{:g} is not a whole number")
    frame = numbers.round().to_numpy(np.int64)
    return frame, fps, frame / fps


def _by_time(
    path: Path, times: pd.Series, fps: float | None
) -> tuple[np.ndarray, float, np.ndarray]:
    """(row,) frame, Hz and (row,) s of rows that have times."""
    seconds = times.to_numpy(float)
    stamps, place = np.unique(seconds, return_inverse=True)
    if fps is None and len(stamps) < 2:
        raise UserError(f"{path}: one time stamp only; give the frame rate (fps)")
    number, rate, off = frame_numbers(stamps, fps)
    if fps is None and rate < SLOWEST:
        raise UserError(
            f"{path}: its times lie {1 / rate:g} s apart; a time is in seconds (divide"
            " milliseconds by 1000), or give the frame rate (fps)"
        )
    far = "{:g} s is too far from the clip's start, which is time 0; subtract the start"
    _refuse(path, times, (times * rate >= LONGEST).to_numpy(), far)
    what = f"time or frame is empty or off the grid of {rate:g} frames per second; resample first"
    if (off > TOLERANCE).any():
        steps = np.diff(stamps) / np.median(np.diff(stamps))
        uneven = np.flatnonzero(np.abs(steps - np.round(steps)) > TOLERANCE) + 1
        first = uneven[0] if len(uneven) else np.flatnonzero(off > TOLERANCE)[0]
        raise UserError(f"{path}: row {np.flatnonzero(place == first)[0] + 2}: {what}")
    return number.astype(np.int64)[place], rate, seconds
