"""Shared by the formats: tracks from rows with frame numbers, and cells of tables and numbers of
JSON with errors by row and column. Who is who is in `people`, which frame an image shows in
`image_names`.

Float32 numbers are written as the shortest text that reads back the same.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.formats.people import listed
from semiology.data.rows import LONGEST, NO_NUMBER, beyond_0_to_1, check_size, separator
from semiology.data.tracks import make_tracks, with_step
from semiology.errors import UserError
from semiology.files import write_text

FURTHEST = 1e7  # px; larger positions are invalid [our choice]
DECIMAL_COMMA = re.compile(r"^([-+]?\d*),(\d+(?:[eE][-+]?\d+)?)$")
PADDING = -1  # as x and y of what DeepLabCut 3 did not find
# of a peak in a heatmap; larger confidences are no such, but percent for example [our choice]
HIGHEST_PEAK = 10.0


def tracks_from_rows(
    path: Path,
    frames: Sequence[int] | np.ndarray,
    keypoints: Sequence[str],
    position: np.ndarray,
    *,
    fps: float | None,
    confidence: np.ndarray | None = None,
    peaks: bool = False,
    scored: bool = False,
    position_3d: np.ndarray | None = None,
    source_index: np.ndarray | None = None,
    source_time: np.ndarray | None = None,
    width: int = 0,
    height: int = 0,
    backend: str = "",
) -> xr.Dataset:
    """Tracks from rows that carry frame numbers (from 0). Frames without a row are missing: NaN,
    `source_index` -1.

    A point with confidence 0 or below was not found, whatever its position; the step `not_found`
    records how many of them had one. So was one that DeepLabCut 3 pads with -1, -1, through
    whatever program it came, and one at 0, 0 without a score where the file has a place for scores.
    But where every point of a file has a confidence of exactly 0, at other places, the file has no
    scores (0 is sleap-io's default, and movement passes it on): they are there, without a score,
    and the step `no_scores` says so. [our choice]

    Args:
        path: of the file, for messages.
        frames: (row,) number of each row's frame, in any order.
        keypoints: names.
        position: (row, keypoint, 2) px.
        fps: Hz; None where neither the file nor the user gives it.
        confidence: (row, keypoint) 0 to 1, by default 1 where the position is finite; NaN where a
            point has no score.
        peaks: confidences may be the height of a peak in a network's heatmap, which can lie a
            little outside of 0 to 1: such values are clipped, and the step `cut_confidence` records
            their number and the largest excess.
        scored: whether the file has scores above 0, of others than this individual too.
        position_3d: (row, keypoint, 3) m.
        source_index: (row,) number of each row's frame in its video, where that is not `frames`.
        source_time: (row,) s, where that is not the grid's.
        width, height: of the frame, px; 0 where unknown.
        backend: name of the tracker.

    Raises:
        UserError: no frame rate, no rows, two rows for one frame, a frame number that is none or
            too large, a position beyond any image, a confidence outside of 0 to 1 that is no peak,
            or above `HIGHEST_PEAK`.
    """
    if fps is None:
        raise UserError(
            f"{path}: this format has no frame rate; give the video's, frames per second (fps)"
        )
    if not len(frames):
        raise UserError(f"{path}: holds no frames")
    strange = [frame for frame in frames if not 0 <= frame < LONGEST or frame != int(frame)]
    if strange:
        raise UserError(f"{path}: {strange[0]} is not the number of a frame, counted from 0")
    number = np.asarray(frames, dtype=np.int64)
    last = int(number.max())
    check_size(f"{path}: the frame {last}", last, len(keypoints), len(number))
    if len(np.unique(number)) != len(number):
        values, counts = np.unique(number, return_counts=True)
        raise UserError(
            f"{path}: frame {values[counts > 1][0]} is there twice; give one row a frame"
        )
    if (
        beyond := np.argwhere(
            np.abs(np.nan_to_num(position, posinf=2 * FURTHEST, neginf=2 * FURTHEST)) > FURTHEST
        )
    ).size:
        row, keypoint, _ = beyond[0]
        raise UserError(
            f"{path}: frame {number[row]}, {keypoints[keypoint]}: {position[row, keypoint]} is no"
            " position in px"
        )

    cut: dict = {}
    scoreless = 0
    lost = padding = (position == PADDING).all(axis=2)
    if confidence is not None:
        corner = (position == 0).all(axis=2)
        there = np.isfinite(position).all(axis=2) & ~corner & ~padding
        if not scored and (confidence[there] == 0).all():
            scoreless = int(there.sum())
            confidence = np.where(there, np.nan, confidence)
        lost = (padding | corner) & ~(confidence > 0)
    position = np.where(lost[..., None], np.nan, position)
    if confidence is not None:
        lost = lost | (np.isfinite(position).all(axis=2) & (confidence <= 0))
        outside = beyond_0_to_1(confidence) & np.isfinite(position).all(axis=2)
        if (refused := outside & (confidence > HIGHEST_PEAK) if peaks else outside).any():
            row, keypoint = np.argwhere(refused)[0]
            where = f"frame {number[row]}, {keypoints[keypoint]}"
            raise UserError(
                f"{path}: {where}: confidence {confidence[row, keypoint]:g} is outside of 0 to 1;"
                " correct the file"
            )
        if outside.any():
            cut = {
                "points": int(outside.sum()),
                "lowest": float(confidence[outside].min()),
                "highest": float(confidence[outside].max()),
            }
        confidence = np.clip(confidence, 0, 1)

    def on_grid(array: np.ndarray | None, fill: float) -> np.ndarray | None:
        if array is None:
            return None
        grid = np.full((last + 1, *array.shape[1:]), fill, np.float32)
        grid[number] = array
        return grid

    index, time = np.full(last + 1, -1), np.full(last + 1, np.nan)
    index[number] = number if source_index is None else source_index
    time[number] = number / fps if source_time is None else source_time
    tracks = make_tracks(
        on_grid(position, np.nan),
        list(keypoints),
        fps,
        confidence=on_grid(confidence, 0),
        position_3d=on_grid(position_3d, np.nan),
        source_time=time,
        source_index=index,
        width=width,
        height=height,
        backend=backend,
    )
    tracks = with_step(tracks, "cut_confidence", **cut) if cut else tracks
    tracks = with_step(tracks, "no_scores", points=scoreless) if scoreless else tracks
    unseen = int(lost.sum())
    return with_step(tracks, "not_found", points=unseen) if unseen else tracks


def pixels(tracks: xr.Dataset, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Position (time, keypoint, 2) px and confidence (time, keypoint) to write, float32; NaN is a
    point without a score.

    Raises:
        UserError: the tracks have metres only.
    """
    if "position" not in tracks:
        raise UserError(
            f"{path}: this format holds positions in px, and the tracks have metres only; write .nc"
            " or the long .csv"
        )
    return (
        tracks["position"].transpose("time", "keypoint", "space").values,
        tracks["confidence"].transpose("time", "keypoint").values,
    )


def names_of(tracks: xr.Dataset) -> list[str]:
    """Names of the keypoints, in order."""
    return [str(name) for name in tracks["keypoint"].values]


def only_names(tracks: xr.Dataset, allowed: Sequence[str], path: Path) -> list[int]:
    """For each keypoint its index among the names that a format can store.

    Raises:
        UserError: a keypoint that it cannot store.
    """
    if missing := [name for name in names_of(tracks) if name not in allowed]:
        raise UserError(
            f"{path}: this format has no place for keypoint {missing[0]!r}; its points are"
            f" {listed(allowed)}"
        )
    return [list(allowed).index(name) for name in names_of(tracks)]


def read_cells(path: Path, keep: str = "") -> list[list[str]]:
    """All rows of a csv as text, spaces around cells removed; empty lines at the end are dropped.

    Between semicolons, a comma in a number is the decimal sign.

    Args:
        path: of the file.
        keep: pattern of the first cell of the columns to read; by default all are read.

    Raises:
        UserError: no such file, not text, or a row that is shorter or longer than the first one.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            rows: list[list[str]] = []
            columns, width = [], 0
            between = separator(stream.readline())
            stream.seek(0)
            for row in csv.reader(stream, delimiter=between):
                if not rows:
                    columns, width = (
                        [
                            number
                            for number, cell in enumerate(row)
                            if re.search(keep, cell.strip())
                        ],
                        len(row),
                    )
                if not columns:
                    raise UserError(
                        f"{path}: none of its columns is one that this format has; its first are"
                        f" {', '.join(row[:5])}"
                    )
                if row and len(row) != width:
                    raise UserError(
                        f"{path}: row {len(rows) + 1} has {len(row)} cells, the first row has"
                        f" {width}; is the file whole?"
                    )
                cells = [row[number].strip() for number in columns] if row else []
                if between == ";":
                    cells = [DECIMAL_COMMA.sub(r"\1.\2", cell) for cell in cells]
                rows.append(cells)
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable csv ({error}); export it again") from error
    while rows and not any(rows[-1]):
        rows.pop()
    if not rows:
        raise UserError(f"{path}: is empty; export it again")
    if [] in rows:
        raise UserError(f"{path}: row {rows.index([]) + 1} is empty; is the file whole?")
    return rows


def numbers(
    path: Path, rows: Sequence[Sequence[str]], columns: Sequence[str], first_row: int
) -> np.ndarray:
    """(row, column) float64 of text cells; empty cells, and those for "not a number", are NaN.

    Args:
        path: for messages.
        rows: one sequence of cells a row.
        columns: names, for messages.
        first_row: number of `rows[0]` in the file, counted from 1.

    Raises:
        UserError: a cell that is not a number, or not a finite one.
    """
    text = np.array([[cell or "nan" for cell in row] for row in rows], dtype=str).reshape(
        len(rows), len(columns)
    )
    try:
        values = text.astype(float)
    except ValueError:
        values = np.array([[_number(cell) for cell in row] for row in text]).reshape(text.shape)
    if (bad := np.isinf(values)).any():
        row, column = np.argwhere(bad)[0]
        raise UserError(
            f'{path}: row {row + first_row}, column "{columns[column]}": {str(text[row, column])!r}'
            " is not a number"
        )
    return values


def _number(cell: str) -> float:
    """The number in a cell; infinity where it is other text."""
    try:
        return float(cell)
    except ValueError:
        return np.nan if cell in NO_NUMBER else np.inf


def take_columns(path: Path, cells: Sequence[Sequence[str]], columns: Sequence[str]) -> np.ndarray:
    """(row, column) of some columns of a table whose first row names them.

    Raises:
        UserError: a column that is not there, or as `numbers`.
    """
    if missing := [name for name in columns if name not in cells[0]]:
        raise UserError(f"{path}: has no column {missing[0]!r}")
    places = [cells[0].index(name) for name in columns]
    return numbers(path, [[row[place] for place in places] for row in cells[1:]], columns, 2)


def number_texts(values: np.ndarray) -> list[list[str]]:
    """Numbers (row, column) as the shortest texts that read back the same; NaN is an empty cell."""
    return [["" if cell == "nan" else cell for cell in row] for row in values.astype(str).tolist()]


def write_cells(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write a csv, whole or not at all.

    Raises:
        UserError: as `files.atomic_path`.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())


def triples(path: Path, where: str, flat: object) -> np.ndarray:
    """(keypoint, 3) x, y and a third number from the flat list [x, y, c, x, y, c, ...]; empty where
    there is none.

    Raises:
        UserError: not a list of numbers, or not in threes.
    """
    try:
        values = np.array(flat if flat is not None else [], dtype=float)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{path}: {where}: keypoints hold something that is not a number ({error})"
        ) from error
    if values.ndim != 1 or len(values) % 3 or not np.isfinite(values).all():
        raise UserError(
            f"{path}: {where}: keypoints are {values.shape} numbers, expected x, y, confidence for"
            " each point"
        )
    return values.reshape(-1, 3)


def flat_triples(position: np.ndarray, third: np.ndarray) -> list[float]:
    """[x, y, c, ...] of one frame; a missing point is 0, 0, 0. Position (keypoint, 2) and third
    (keypoint,) are float32.

    The third number of a point without a score (NaN) is 1: these formats have 0 for points that
    were not found, and nothing for this.
    """
    found = np.isfinite(position).all(axis=1)
    certain = np.where(np.isnan(third), np.float32(1), third)
    joined = np.where(
        found[:, None], np.concatenate([position, certain[:, None]], axis=1), np.float32(0)
    )
    return joined.ravel().astype(str).astype(float).tolist()
