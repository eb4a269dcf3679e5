"""Face scores of OpenFace and Py-Feat: action units or emotions over time, from the tables that
they write.

OpenFace 2: `AUxx_r`, intensities from 0 to 5 (`AUxx_c`, presence, is left out). Py-Feat: a column
an emotion, probabilities from 0 to 1 (its action units are left out). Sources: [C] OpenFace's wiki,
"Output format"; Py-Feat's documentation of Fex.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from semiology.data.formats.common import choose_individual, read_cells, take_columns
from semiology.errors import UserError

# Py-Feat 0.6 and before, and since
EMOTIONS = (
    "anger",
    "disgust",
    "fear",
    "happiness",
    "sadness",
    "surprise",
    "neutral",
    "angry",
    "happy",
    "sad",
)
COLUMNS = (
    rf"(?i)^(frame|face_id|timestamp|success|FaceScore|Identity|AU\d\d_r|{'|'.join(EMOTIONS)})$"
)


@dataclass(frozen=True)
class FaceScores:
    """Scores of one face, rows in the order of time.

    Attributes:
        kind: "openface", with action units by their names ("AU12"); or "pyfeat", with emotions as
            their columns are named.
        time: (row,) s from the first frame of the video.
        found: (row,) whether the program found the face.
        scores: name -> (row,) values, NaN where the face was not found.
    """

    kind: Literal["openface", "pyfeat"]
    time: np.ndarray
    found: np.ndarray
    scores: dict[str, np.ndarray]


def read_face_scores(path: str | Path, fps: float | None = None) -> FaceScores:
    """Read the action units of an OpenFace 2 table or the emotions of a Py-Feat table.

    Args:
        path: the .csv of one video with one face.
        fps: of the video, Hz, for Py-Feat's tables, which count frames and do not have it;
            OpenFace's have timestamps.

    Raises:
        UserError: neither program's table, text among numbers, several faces, one frame twice, no
            frame rate.
    """
    path = Path(path)
    cells = read_cells(path, COLUMNS)
    names = cells[0]
    if "success" in names and any(name.startswith("AU") for name in names):
        units = [name for name in names if name.startswith("AU")]
        time, success = take_columns(path, cells, ["timestamp", "success"]).T
        faces = (
            [row[names.index("face_id")] for row in cells[1:]]
            if "face_id" in names
            else [""] * len(time)
        )
        return _in_order(
            path,
            "openface",
            time,
            success == 1,
            [unit[:4] for unit in units],
            take_columns(path, cells, units),
            faces,
        )
    emotions = [name for name in names if name.lower() in EMOTIONS]
    if "FaceScore" not in names or not emotions:
        raise UserError(
            f"{path}: neither OpenFace's table with action units (AU12_r ...) nor Py-Feat's with"
            " emotions (FaceScore, happiness ...); export it with them"
        )
    if fps is None:
        raise UserError(
            f"{path}: Py-Feat counts frames; give the video's frame rate, frames per second"
        )
    frame, score = take_columns(path, cells, ["frame", "FaceScore"]).T
    faces = (
        [row[names.index("Identity")] for row in cells[1:]]
        if "Identity" in names
        else [""] * len(frame)
    )
    return _in_order(
        path,
        "pyfeat",
        frame / fps,
        np.isfinite(score),
        emotions,
        take_columns(path, cells, emotions),
        faces,
    )


def _in_order(
    path: Path,
    kind: Literal["openface", "pyfeat"],
    time: np.ndarray,
    found: np.ndarray,
    names: list[str],
    table: np.ndarray,
    faces: list[str],
) -> FaceScores:
    if not len(time):
        raise UserError(f"{path}: holds no frames")
    choose_individual(
        path, None, list(dict.fromkeys(faces))
    )  # several faces are refused: it is unknown which is the patient's
    if np.isnan(time).any():
        raise UserError(
            f"{path}: row {int(np.flatnonzero(np.isnan(time))[0]) + 2}: the frame's number or time"
            " is empty"
        )
    order = np.argsort(time, kind="stable")
    if (twice := np.diff(time[order]) <= 0).any():
        raise UserError(
            f"{path}: row {int(order[1:][twice][0]) + 2}: a second row for the same frame; give one"
            " row a frame"
        )
    found = found & np.isfinite(table).all(axis=1)
    table = np.where(found[:, None], table, np.nan)[order]
    return FaceScores(
        kind,
        time[order],
        found[order],
        {name: table[:, column] for column, name in enumerate(names)},
    )
