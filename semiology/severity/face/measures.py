"""Landmark measures of a face with its sides, frame by frame, after the head's pose is taken out.

Lengths are in distances between the outer eye corners (the clip's median, so that tracking noise is no movement); heights are positive
upwards. Every measure of a lid or brow refers to the line through its own eye's corners, and the nasolabial distance to its own side's
wing of the nose: those need no level and see nothing of the other side. Only `corner_lift` and `mouth_reach` lean on the fitted face's
axes, which all stable places share: where the eyes' line is skewed against the nose, `orbit_tilt` says by how much. Our choice
throughout, after the distances that clinicians measure on photographs [P: Guarin et al. 2018, Emotrics; margin reflex distance, palpebral
fissure, brow height, excursion of the commissure].
"""

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from semiology.severity.face.head_pose import MEAN_FACE, head_pose
from semiology.severity.face.landmarks import SIDES, STABLE, places

WIDEST = 30.0  # degrees of yaw and of pitch up to which a face is measured [our choice: beyond, the far eye hides behind the nose]
UNLIKE = 0.15  # residual of the fit above which the landmarks are no face's [our choice; real faces lie at 0.02 to 0.05]
HEAD = ("yaw", "pitch", "roll", "orbit_tilt")
PAIRED = ("eye_aperture", "upper_lid", "brow_height", "mouth_reach", "corner_lift", "nasolabial")
SINGLE = ("mouth_width", "mouth_opening")
MEASURES = (*(f"{side}_{measure}" for measure in PAIRED for side in SIDES), *SINGLE)


def face_measures(tracks: xr.Dataset, widest: float = WIDEST) -> pd.DataFrame:
    """One row a frame: what a face shows, by side, and where its head points.

    Args:
        tracks: MediaPipe's mesh, the 68 points (OpenFace, Py-Feat, OpenPose, menpo) or face_23; depth is used where it is there.
        widest: degrees of yaw and of pitch beyond which a frame is not assessable.

    Returns:
        Index `time` (s). Columns: MEASURES in distances between the outer eye corners, but `..._upper_lid`, which is in widths of its own
        eye; `yaw`, `pitch`, `roll`, `orbit_tilt` in degrees (see `head`; orbit_tilt is positive where the left eye is the lower one,
        measured against the nose); `assessable`. Measures and orbit_tilt are NaN where a frame is not assessable or a point is missing.

    Raises:
        UserError: the tracks hold no face's landmarks.
    """
    positions = places(tracks)
    pose = head_pose({place: positions[place] for place in STABLE if place in positions})
    with np.errstate(invalid="ignore"):
        assessable = (np.abs(pose.yaw) <= widest) & (np.abs(pose.pitch) <= widest) & (pose.residual <= UNLIKE)
    face = {place: pose.taken_out(position, MEAN_FACE[place][2]) for place, position in positions.items()}
    face = {place: np.where(assessable[:, None], position, np.nan) for place, position in face.items()}
    unit = _median(np.linalg.norm(face["left_eye_outer"] - face["right_eye_outer"], axis=1))
    face = {place: position / unit for place, position in face.items()}

    table = pd.DataFrame(index=pd.Index(tracks.time.values.astype(float), name="time"))
    for side in SIDES:
        inner, outer = face[f"{side}_eye_inner"], face[f"{side}_eye_outer"]
        upper = _height(face[f"{side}_upper_lid"], inner, outer)
        corner = face[f"{side}_mouth_corner"]
        table[f"{side}_eye_aperture"] = upper - _height(face[f"{side}_lower_lid"], inner, outer)
        table[f"{side}_upper_lid"] = upper / _median(np.linalg.norm(outer - inner, axis=1))
        table[f"{side}_brow_height"] = _height(face[f"{side}_brow"], inner, outer)
        table[f"{side}_mouth_reach"] = corner[:, 0] * (1 if side == "left" else -1)
        table[f"{side}_corner_lift"] = face["nose_base"][:, 1] - corner[:, 1]
        table[f"{side}_nasolabial"] = np.linalg.norm(corner - face[f"{side}_nose_wing"], axis=1)
    table["mouth_width"] = np.linalg.norm(face["left_mouth_corner"] - face["right_mouth_corner"], axis=1)
    table["mouth_opening"] = np.linalg.norm(face["lip_lower"] - face["lip_upper"], axis=1)
    eyes, nose = face["left_eye_outer"] - face["right_eye_outer"], face["nose_base"] - face["nose_bridge"]
    tilt = np.arctan2(eyes[:, 1], eyes[:, 0]) + np.arctan2(nose[:, 0], nose[:, 1])
    return table[list(MEASURES)].assign(yaw=pose.yaw, pitch=pose.pitch, roll=pose.roll, orbit_tilt=np.degrees(tilt), assessable=assessable)


def asymmetry(left: ArrayLike, right: ArrayLike) -> np.ndarray:
    """(left - right) / (left + right), of the patient's sides: positive where the left one is larger, 0 where both are the same.

    For lengths, which are positive. Of `corner_lift`, which has a sign of its own, the difference is taken. NaN where the sum is not
    positive.
    """
    one, other = np.asarray(left, dtype=float), np.asarray(right, dtype=float)
    return (one - other) / np.where(one + other > 0, one + other, np.nan)


def _height(place: np.ndarray, inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """(time,) distance of a place above the line through an eye's corners, negative below; y points down."""
    along = outer - inner
    along = along * np.sign(along[:, :1]) / np.linalg.norm(along, axis=1, keepdims=True)  # to the patient's left, on both sides
    above = inner - place
    return above[:, 1] * along[:, 0] - above[:, 0] * along[:, 1]


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else np.nan
