"""OpenFace 2's table: 68 face landmarks a frame, x_0.. in px and X_0.. in mm from the camera, with
timestamp, confidence and success.

Frames without success are missing, as are frames without a row. Action units (AU..), gaze, head
pose and shape parameters are not keypoints and are left out. Source: [C] OpenFace's wiki, "Output
format".
"""

from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.formats.common import (
    number_texts,
    only_names,
    pixels,
    read_cells,
    take_columns,
    tracks_from_rows,
    write_cells,
)
from semiology.data.formats.people import choose_individual
from semiology.data.keypoint_names import FACE_68
from semiology.data.rows import TOLERANCE, shortest_rate
from semiology.errors import UserError

COLUMNS = r"^(frame|face_id|timestamp|confidence|success|[xyXYZ]_\d+)$"
MILLIMETRE = 1e-3  # m


def read(
    path: Path,
    *,
    fps: float | None = None,
    individual: str | None = None,
    width: int = 0,
    height: int = 0,
) -> xr.Dataset:
    """Tracks of one face. The frame rate comes from the timestamps, unless `fps` is given;
    landmarks share the frame's confidence.

    Raises:
        UserError: not OpenFace's, text among numbers, several faces and none chosen, timestamps
            that are all equal or irregular.
    """
    cells = read_cells(path, COLUMNS)
    frame, success, confidence = take_columns(path, cells, ["frame", "success", "confidence"]).T
    points = (
        take_columns(path, cells, [f"{axis}_{number}" for axis in "xy" for number in range(68)])
        .reshape(-1, 2, 68)
        .transpose(0, 2, 1)
    )
    in_space = None
    if "X_0" in cells[0]:
        in_space = take_columns(
            path, cells, [f"{axis}_{number}" for axis in "XYZ" for number in range(68)]
        )
        in_space = in_space.reshape(-1, 3, 68).transpose(0, 2, 1) * MILLIMETRE
    faces = (
        take_columns(path, cells, ["face_id"])[:, 0]
        if "face_id" in cells[0]
        else np.zeros(len(frame))
    )
    if np.isnan(frame).any() or np.isnan(faces).any():
        raise UserError(
            f"{path}: row {int(np.flatnonzero(np.isnan(frame) | np.isnan(faces))[0]) + 2}: frame or"
            " face_id is empty"
        )
    names = [f"{face:g}" for face in np.unique(faces)]
    mine = (
        faces == np.unique(faces)[choose_individual(path, individual, names)]
        if len(faces)
        else np.zeros(0, bool)
    )
    found = (mine & (success == 1))[:, None, None]
    number = frame - 1  # OpenFace counts frames from 1
    if fps is None:
        fps = _rate(path, number[mine], take_columns(path, cells, ["timestamp"])[mine, 0])
    return tracks_from_rows(
        path,
        number[mine],
        FACE_68,
        np.where(found, points, np.nan)[mine],
        fps=fps,
        confidence=np.repeat(confidence[mine, None], 68, axis=1),
        position_3d=None if in_space is None else np.where(found, in_space, np.nan)[mine],
        width=width,
        height=height,
        backend="openface",
    )


def _rate(path: Path, number: np.ndarray, seconds: np.ndarray) -> float:
    """Frames per second over the whole file: single steps are rounded to ms."""
    if len(seconds) < 2 or not seconds[-1] > seconds[0]:
        raise UserError(
            f"{path}: its timestamps do not give the frame rate; give the video's, frames per"
            " second (fps)"
        )
    fps = shortest_rate(number[-1] - number[0], seconds[-1] - seconds[0], seconds)
    off = np.abs((seconds - seconds[0]) * fps - (number - number[0]))
    if not off.max() <= TOLERANCE:
        row = int(np.argmax(off)) + 2
        raise UserError(
            f"{path}: row {row}: timestamps are irregular ({off.max():.1f} frames off); give the"
            " frame rate (fps) to go by frames"
        )
    return fps


def write(tracks: xr.Dataset, path: Path) -> None:
    """A table with the columns that `read` takes; one row a frame, success 0 where no landmark was
    found. Metres become mm.

    A frame's confidence is the mean of the scores of its landmarks, empty where landmarks were
    found and none has a score.

    Raises:
        UserError: keypoints that are not landmark_00 to landmark_67, tracks without positions in
            px.
    """
    position, confidence = pixels(tracks, path)
    places = only_names(tracks, FACE_68, path)
    frames = np.arange(len(position))
    found = np.isfinite(position).all(axis=2)
    scored = found & np.isfinite(confidence)
    mean = (
        np.where(scored, confidence.astype(float), 0).sum(axis=1)
        / np.maximum(scored.sum(axis=1), 1)
    ).astype(np.float32)
    mean[found.any(axis=1) & ~scored.any(axis=1)] = np.nan
    frame_scores = [row[0] for row in number_texts(mean[:, None])]
    blocks, header = (
        [_spread(position, places)],
        [f"{axis}_{number}" for axis in "xy" for number in range(68)],
    )
    if "position_3d" in tracks:
        in_space = tracks["position_3d"].transpose("time", "keypoint", "space_3d").values
        blocks.append(_spread(in_space.astype(float) / MILLIMETRE, places))
        header += [f"{axis}_{number}" for axis in "XYZ" for number in range(68)]
    texts = [number_texts(block) for block in blocks]
    rows = [["frame", "timestamp", "confidence", "success", *header]]
    for frame in frames:
        start = [
            str(frame + 1),
            f"{frame / tracks.attrs['fps']:.6f}",
            frame_scores[frame],
            str(int(found[frame].any())),
        ]
        rows.append([*start, *(cell for text in texts for cell in text[frame])])
    write_cells(path, rows)


def _spread(points: np.ndarray, places: list[int]) -> np.ndarray:
    """(time, keypoint, axis) -> (time, axis * 68): all x, then all y, ..."""
    full = np.full((len(points), 68, points.shape[2]), np.nan, points.dtype)
    full[:, places] = points
    return full.transpose(0, 2, 1).reshape(len(points), -1)
