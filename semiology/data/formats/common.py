"""Between files of other programs and the container: rows by frame number, one individual, joints by name."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.tracks import make_tracks
from semiology.errors import UserError

FURTHEST = 1e7  # px; positions beyond are no positions in a picture [our choice]
LONGEST = 10_000_000  # rows; frame numbers above are no frame numbers (110 h at 25 Hz) [our choice]


def tracks_from_rows(
    path: Path,
    frames: Sequence[int] | np.ndarray,
    keypoints: Sequence[str],
    position: np.ndarray,
    *,
    fps: float | None,
    confidence: np.ndarray | None = None,
    position_3d: np.ndarray | None = None,
    width: int = 0,
    height: int = 0,
    backend: str = "",
) -> xr.Dataset:
    """Tracks from rows that carry frame numbers (from 0). Frames without a row are missing: NaN, `source_index` -1.

    Args:
        path: of the file, for messages.
        frames: (row,) number of each row's frame, in any order.
        keypoints: names.
        position: (row, keypoint, 2) px.
        fps: Hz; None where neither the file nor the user says.
        confidence: (row, keypoint), by default 1 where the position is finite; cut to 0 to 1.
        position_3d: (row, keypoint, 3) m.
        width, height: of the frame, px; 0 where unknown.
        backend: what tracked.

    Raises:
        UserError: no frame rate, no rows, two rows for one frame, a frame number below 0, a position beyond any picture.
    """
    if fps is None:
        raise UserError(f"{path}: this format has no frame rate; give the video's, frames per second (fps)")
    if not len(frames):
        raise UserError(f"{path}: holds no frames")
    if strange := [frame for frame in frames if not 0 <= frame < LONGEST]:
        raise UserError(f"{path}: {strange[0]} is not the number of a frame, counted from 0")
    number = np.asarray(frames, dtype=np.int64)
    if len(np.unique(number)) != len(number):
        values, counts = np.unique(number, return_counts=True)
        raise UserError(f"{path}: frame {values[counts > 1][0]} is there twice; give one row a frame")
    if (beyond := np.argwhere(np.abs(np.nan_to_num(position, posinf=2 * FURTHEST, neginf=2 * FURTHEST)) > FURTHEST)).size:
        row, keypoint, _ = beyond[0]
        raise UserError(f"{path}: frame {number[row]}, {keypoints[keypoint]}: {position[row, keypoint]} is no position in px")

    def on_grid(array: np.ndarray | None, fill: float) -> np.ndarray | None:
        if array is None:
            return None
        grid = np.full((int(number.max()) + 1, *array.shape[1:]), fill, np.float32)
        grid[number] = array
        return grid

    index = np.full(int(number.max()) + 1, -1)
    index[number] = number
    return make_tracks(
        on_grid(position, np.nan),
        list(keypoints),
        fps,
        confidence=on_grid(None if confidence is None else np.clip(np.nan_to_num(confidence), 0, 1), 0),
        position_3d=on_grid(position_3d, np.nan),
        source_time=np.where(index >= 0, index / fps, np.nan),
        source_index=index,
        width=width,
        height=height,
        backend=backend,
    )


def pixels(tracks: xr.Dataset, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Position (time, keypoint, 2) px and confidence (time, keypoint) to write, float32.

    Raises:
        UserError: the tracks know metres only.
    """
    if "position" not in tracks:
        raise UserError(f"{path}: this format holds positions in px, and the tracks have metres only; write .nc or the long .csv")
    return tracks["position"].transpose("time", "keypoint", "space").values, tracks["confidence"].transpose("time", "keypoint").values


def names_of(tracks: xr.Dataset) -> list[str]:
    return [str(name) for name in tracks["keypoint"].values]


def only_names(tracks: xr.Dataset, allowed: Sequence[str], path: Path) -> list[int]:
    """For each keypoint its place among the names that a format can hold.

    Raises:
        UserError: a keypoint that it cannot hold.
    """
    if missing := [name for name in names_of(tracks) if name not in allowed]:
        raise UserError(f"{path}: this format has no place for keypoint {missing[0]!r}; its points are {_some(allowed)}")
    return [list(allowed).index(name) for name in names_of(tracks)]


def choose(path: Path, individual: str | None, names: Sequence[str]) -> int:
    """Which of the individuals in a file: the one that is named, or the only one.

    Raises:
        UserError: several and none was named, or a name that is not there.
    """
    if individual is None and len(names) == 1:
        return 0
    if individual is None:
        raise UserError(f"{path}: holds {len(names)} individuals; say which one is the patient (individual): {_some(names)}")
    if individual not in names:
        named = _some([name for name in names if name]) or "one without a name: leave individual out"
        raise UserError(f"{path}: no individual {individual!r}; there is {named}")
    return list(names).index(individual)


def frame_number(name: str, path: Path) -> int:
    """The number of the frame in the name of an image: its last run of digits ("img0012.png" -> 12).

    Raises:
        UserError: no digits in the name.
    """
    digits = re.findall(r"\d+", Path(name).stem)
    if not digits:
        raise UserError(f"{path}: {Path(name).name!r} names no frame; images of a video end in their frame's number (img0012.png)")
    return int(digits[-1])


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
