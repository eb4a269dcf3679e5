"""Py-Feat's table of one video: face landmarks (x_0.. y_0.. in px), 68 or the 478 of a face mesh,
of each detected face, with FaceScore. Read only.

Detectorv2 writes a mesh (mesh_x_0..) beside 68 landmarks: then the 68 are read. Points of a mesh
are named as MediaPipe's are. Action units, emotions, head pose and relative depth are left out.
Rows have the number of their frame (from 0); often only every n-th frame was analysed: the frames
in between are missing. A frame without a face has a row too, whose FaceScore is 0 (2.1.5) or empty;
landmarks in it are no positions. Source: [C] Py-Feat's documentation of Fex, and the detectors of
2.1.5.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.formats.common import read_cells, take_columns, tracks_from_rows
from semiology.data.formats.people import rows_of_individual
from semiology.data.keypoint_names import FACE_68, MESH
from semiology.errors import UserError

NAMES = {68: FACE_68, 478: MESH}
COLUMNS = r"^(frame|FaceScore|Identity|FrameHeight|FrameWidth|(mesh_)?[xy]_\d+)$"


def read(
    path: Path,
    *,
    fps: float | None = None,
    individual: str | None = None,
    width: int = 0,
    height: int = 0,
) -> xr.Dataset:
    """Tracks of one face, by its Identity where several were found; landmarks share the face's
    score.

    Raises:
        UserError: not Py-Feat's, text among numbers, several identities and none chosen, no frame
            rate.
    """
    cells = read_cells(path, COLUMNS)
    prefix = "" if "x_0" in cells[0] else "mesh_"
    count = len([name for name in cells[0] if name.startswith(f"{prefix}x_")])
    if count not in NAMES:
        raise UserError(
            f"{path}: faces of {count} landmarks; known are {' and '.join(map(str, NAMES))}"
        )
    columns = [f"{prefix}{axis}_{number}" for axis in "xy" for number in range(count)]
    points = take_columns(path, cells, columns).reshape(-1, 2, count).transpose(0, 2, 1)
    frame, score = take_columns(path, cells, ["frame", "FaceScore"]).T
    if np.isnan(frame).any():
        raise UserError(
            f"{path}: row {int(np.flatnonzero(np.isnan(frame))[0]) + 2}: frame is empty"
        )
    frames, rows = rows_of_individual(path, frame, score > 0, identities(cells), individual)
    there = rows >= 0
    size = (
        take_columns(path, cells, ["FrameWidth", "FrameHeight"])
        if {"FrameWidth", "FrameHeight"} <= set(cells[0])
        else np.empty((0, 2))
    )
    if len(size) and np.isfinite(size[0]).all():
        width, height = (int(side) for side in size[0])
    return tracks_from_rows(
        path,
        frames,
        NAMES[count],
        np.where(there[:, None, None], points[rows], np.nan),
        fps=fps,
        confidence=np.repeat(np.where(there, score[rows], 0)[:, None], count, axis=1),
        width=width,
        height=height,
        backend="py-feat",
    )


def identities(cells: list[list[str]]) -> list[str]:
    """Whose face each row shows, empty where the table does not tell."""
    if "Identity" not in cells[0]:
        return [""] * (len(cells) - 1)
    return [row[cells[0].index("Identity")] for row in cells[1:]]
