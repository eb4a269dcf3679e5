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

from semiology.data.formats.common import read_cells, take_columns
from semiology.data.formats.people import rows_of_individual
from semiology.data.formats.pyfeat import identities
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


def read_face_scores(
    path: str | Path, fps: float | None = None, individual: str | None = None
) -> FaceScores:
    """Read the action units of an OpenFace 2 table or the emotions of a Py-Feat table.

    Args:
        path: the .csv of one video.
        fps: of the video, Hz, for Py-Feat's tables, which count frames and do not have it;
            OpenFace's have timestamps.
        individual: the face to read, where there are several: OpenFace's face_id, Py-Feat's
            Identity. In frames that show other faces alone it is not found.

    Raises:
        UserError: neither program's table, text among numbers, several faces and none chosen,
            one frame twice, no frame rate.
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
            individual,
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
    return _in_order(
        path,
        "pyfeat",
        frame / fps,
        score > 0,  # 0 or empty: no face
        emotions,
        take_columns(path, cells, emotions),
        identities(cells),
        individual,
    )


def _in_order(
    path: Path,
    kind: Literal["openface", "pyfeat"],
    time: np.ndarray,
    found: np.ndarray,
    names: list[str],
    table: np.ndarray,
    faces: list[str],
    individual: str | None,
) -> FaceScores:
    if not len(time):
        raise UserError(f"{path}: holds no frames")
    if np.isnan(time).any():
        raise UserError(
            f"{path}: row {int(np.flatnonzero(np.isnan(time))[0]) + 2}: the frame's number or time"
            " is empty"
        )
    frames, rows = rows_of_individual(path, time, found, faces, individual)
    values = np.where((rows >= 0)[:, None], table[rows], np.nan)
    seen = np.all(np.isfinite(values), axis=1)
    values[~seen] = np.nan
    return FaceScores(
        kind, frames, seen, {name: values[:, column] for column, name in enumerate(names)}
    )
