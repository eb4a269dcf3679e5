"""Landmark measures of a face with its sides, frame by frame, after the head's pose is taken out.

Lengths are in distances between the outer eye corners (the clip's median, so that tracking noise is
no movement); heights are positive upwards. Every measure of a lid or brow refers to the line
through its own eye's corners, and the nasolabial distance to its own side's wing of the nose: those
need no level and see nothing of the other side. Only `corner_lift` and `mouth_reach` lean on the
fitted face's axes, which all stable places share: where the eyes' line is skewed against the nose,
`orbit_tilt` says by how much. Our choice throughout, after the distances that clinicians measure on
photographs [P: Guarin et al. 2018, Emotrics; margin reflex distance, palpebral fissure, brow
height, excursion of the commissure].

A clip's face in one row of numbers: how it stands, how far it moves, by side, and what it loses
over the clip.
"""

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from semiology.severity.face.head_pose import MEAN_FACE, head_pose
from semiology.severity.face.landmarks import SIDES, STABLE, places
from semiology.severity.face.lids import (
    LONGEST,
    blinks,
    blinks_would_show,
    fatigue_slope,
    open_eye,
    ptosis,
)

# degrees of yaw and of pitch up to which a face is measured [our choice: beyond, the far eye hides
# behind the nose]
WIDEST = 30.0
# residual of the fit above which the landmarks are no face's [our choice; real faces lie at 0.02 to
# 0.05]
UNLIKE = 0.15
HEAD = ("yaw", "pitch", "roll", "orbit_tilt")
PAIRED = ("eye_aperture", "upper_lid", "brow_height", "mouth_reach", "corner_lift", "nasolabial")
SINGLE = ("mouth_width", "mouth_opening")
MEASURES = (*(f"{side}_{measure}" for measure in PAIRED for side in SIDES), *SINGLE)


def face_measures(tracks: xr.Dataset, widest: float = WIDEST) -> pd.DataFrame:
    """One row a frame: what a face shows, by side, and where its head points.

    Args:
        tracks: MediaPipe's mesh, the 68 points (OpenFace, Py-Feat, OpenPose, menpo) or face_23;
            depth is used where it is there.
        widest: degrees of yaw and of pitch beyond which a frame is not assessable.

    Returns:
        Index `time` (s). Columns: MEASURES in distances between the outer eye corners, but
        `..._upper_lid`, which is in widths of its own eye; `yaw`, `pitch`, `roll`, `orbit_tilt` in
        degrees (see `head`; orbit_tilt is positive where the left eye is the lower one, measured
        against the nose); `assessable`. Measures and orbit_tilt are NaN where a frame is not
        assessable or a point is missing.

    Raises:
        UserError: the tracks hold no face's landmarks.
    """
    positions = places(tracks)
    pose = head_pose({place: positions[place] for place in STABLE if place in positions})
    with np.errstate(invalid="ignore"):
        assessable = (
            (np.abs(pose.yaw) <= widest)
            & (np.abs(pose.pitch) <= widest)
            & (pose.residual <= UNLIKE)
        )
    face = {
        place: pose.to_face_frame(position, MEAN_FACE[place][2])
        for place, position in positions.items()
    }
    face = {
        place: np.where(assessable[:, None], position, np.nan) for place, position in face.items()
    }
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
    table["mouth_width"] = np.linalg.norm(
        face["left_mouth_corner"] - face["right_mouth_corner"], axis=1
    )
    table["mouth_opening"] = np.linalg.norm(face["lip_lower"] - face["lip_upper"], axis=1)
    eyes, nose = (
        face["left_eye_outer"] - face["right_eye_outer"],
        face["nose_base"] - face["nose_bridge"],
    )
    tilt = np.arctan2(eyes[:, 1], eyes[:, 0]) + np.arctan2(nose[:, 0], nose[:, 1])
    return table[list(MEASURES)].assign(
        yaw=pose.yaw,
        pitch=pose.pitch,
        roll=pose.roll,
        orbit_tilt=np.degrees(tilt),
        assessable=assessable,
    )


def asymmetry(left: ArrayLike, right: ArrayLike) -> np.ndarray:
    """(left - right) / (left + right), of the patient's sides: positive where the left one is
    larger, 0 where both are the same.

    For lengths, which are positive. Of `corner_lift`, which has a sign of its own, the difference
    is taken. NaN where the sum is not positive.
    """
    one, other = np.asarray(left, dtype=float), np.asarray(right, dtype=float)
    return (one - other) / np.where(one + other > 0, one + other, np.nan)


def _height(place: np.ndarray, inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """(time,) distance of a place above the line through an eye's corners, negative below; y points
    down.
    """
    along = outer - inner
    along = (
        along * np.sign(along[:, :1]) / np.linalg.norm(along, axis=1, keepdims=True)
    )  # to the patient's left, on both sides
    above = inner - place
    return above[:, 1] * along[:, 0] - above[:, 0] * along[:, 1]


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else np.nan


EXTREMES = (
    0.05,
    0.95,
    # quantiles between which a measure's range lies [our choice: a frame or two of bad tracking do not
    # make a movement]
)
SIGNED = (
    "upper_lid",
    "corner_lift",
)  # heights that may be negative: their sides are compared by the difference


def face_summary(tracks: xr.Dataset, widest: float = WIDEST) -> dict[str, float]:
    """`summarise` of a clip's tracks, for those who do not need the measures themselves."""
    return summarise(face_measures(tracks, widest), tracks.attrs["fps"])


def summarise(table: pd.DataFrame, fps: float) -> dict[str, float]:
    """What the `face_measures` of a whole clip at `fps` Hz come to; NaN where too little was seen,
    never an error.

    Keys, for each MEASURE of `measures`: `<measure>_median`, `<measure>_range` (0.05 to 0.95
    quantile: the amplitude of its movement), `<measure>_slope` with `_slope_low`, `_slope_high`
    (per minute, Theil-Sen with 95 % interval). For each PAIRED one: `<measure>_asymmetry` of the
    medians and `<measure>_range_asymmetry` (positive: the patient's left is larger; differences
    left - right for `upper_lid` and `corner_lift`, whose heights may be negative). Of the eyes:
    `<side>_closure` (share of the own open aperture that was lost at the 0.05 quantile: how far the
    eye closed in a clip of held closure), `<side>_lid` and `<side>_lid_drift` with `_low` and
    `_high` (see `lids`), `blink_rate` (per minute of assessable time; NaN where the tracker's noise
    would hide blinks, and below 1.6 s), `left_blink_amplitude`, `right_blink_amplitude`,
    `blink_completeness`, `blink_duration` (medians; s). `orbit_tilt` (degrees), `assessable` (share
    of frames), `seconds` (assessable time).
    """
    summary: dict[str, float] = {}
    for measure in MEASURES:
        low, high = (float(table[measure].quantile(extreme)) for extreme in EXTREMES)
        slope = fatigue_slope(table.index, table[measure])
        summary |= {
            f"{measure}_median": float(table[measure].median()),
            f"{measure}_range": high - low,
        }
        summary |= {
            f"{measure}_slope": slope.per_minute,
            f"{measure}_slope_low": slope.low,
            f"{measure}_slope_high": slope.high,
        }
    for measure in PAIRED:
        medians = [summary[f"{side}_{measure}_median"] for side in SIDES]
        ranges = [summary[f"{side}_{measure}_range"] for side in SIDES]
        summary[f"{measure}_asymmetry"] = (
            medians[0] - medians[1] if measure in SIGNED else float(asymmetry(*medians))
        )
        summary[f"{measure}_range_asymmetry"] = float(asymmetry(*ranges))
    seconds = float(table["assessable"].sum()) / fps
    summary |= _eyes(table, seconds)
    shown = float(table["assessable"].mean()) if len(table) else 0.0
    summary |= {"orbit_tilt": table["orbit_tilt"].median(), "assessable": shown, "seconds": seconds}
    return {name: float(value) for name, value in summary.items()}


def _eyes(table: pd.DataFrame, seconds: float) -> dict[str, float]:
    found = blinks(table)
    lids = ptosis(table, found)
    eyes: dict[str, float] = {}
    for side in SIDES:
        aperture = table[f"{side}_eye_aperture"]
        eyes[f"{side}_closure"] = 1 - float(aperture.quantile(EXTREMES[0])) / open_eye(aperture)
        drift = lids[side].drift
        eyes |= {f"{side}_lid": lids[side].upper_lid, f"{side}_lid_drift": drift.per_minute}
        eyes |= {f"{side}_lid_drift_low": drift.low, f"{side}_lid_drift_high": drift.high}
        eyes[f"{side}_blink_amplitude"] = _middle([getattr(blink, side) for blink in found])
    shown = any(blinks_would_show(table[f"{side}_eye_aperture"]) for side in SIDES)
    eyes["blink_rate"] = (
        60 * len(found) / seconds if seconds >= 2 * LONGEST and (shown or found) else np.nan
    )
    eyes["blink_completeness"] = _middle([blink.completeness for blink in found])
    eyes["blink_duration"] = _middle([blink.duration for blink in found])
    return eyes


def _middle(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else np.nan
