"""Py-Feat's table of one video: 68 face landmarks (x_0.. y_0.. in px) a detected face, with
FaceScore. Read only.

Action units, emotions, head pose and the other scores are not keypoints and are left out. Rows
have the number of their frame (from 0); often only every n-th frame was analysed: the frames in
between are missing. Source: [C] Py-Feat's documentation of Fex.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.formats.common import (
    choose_individual,
    read_cells,
    take_columns,
    tracks_from_rows,
)
from semiology.data.keypoint_names import FACE_68
from semiology.errors import UserError

COLUMNS = r"^(frame|FaceScore|Identity|FrameHeight|FrameWidth|[xy]_\d+)$"


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
    points = (
        take_columns(path, cells, [f"{axis}_{number}" for axis in "xy" for number in range(68)])
        .reshape(-1, 2, 68)
        .transpose(0, 2, 1)
    )
    frame, score = take_columns(path, cells, ["frame", "FaceScore"]).T
    if np.isnan(frame).any():
        raise UserError(
            f"{path}: row {int(np.flatnonzero(np.isnan(frame))[0]) + 2}: frame is empty"
        )
    identity = (
        [row[cells[0].index("Identity")] for row in cells[1:]]
        if "Identity" in cells[0]
        else [""] * len(frame)
    )
    names = list(dict.fromkeys(identity))
    mine = np.array(
        [name == names[choose_individual(path, individual, names)] for name in identity], dtype=bool
    )
    size = (
        take_columns(path, cells, ["FrameWidth", "FrameHeight"])
        if {"FrameWidth", "FrameHeight"} <= set(cells[0])
        else np.empty((0, 2))
    )
    if len(size) and np.isfinite(size[0]).all():
        width, height = (int(side) for side in size[0])
    return tracks_from_rows(
        path,
        frame[mine].astype(int),
        FACE_68,
        points[mine],
        fps=fps,
        confidence=np.repeat(score[mine, None], 68, axis=1),
        width=width,
        height=height,
        backend="py-feat",
    )
