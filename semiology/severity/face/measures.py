"""Measures of a face by side, frame by frame after removal of the head's pose, and their summary
over a clip: position at rest, range of movement, asymmetry and drift.

Lengths are in distances between the outer eye corners (the clip's median, so that tracking noise is
no movement); heights are positive upwards. Every measure of a lid or brow refers to the line
through its own eye's corners, and the nasolabial distance to the wing of the nose of its own side:
they do not depend on the other side. Only `corner_lift` and `mouth_reach` depend on the axes of the
fitted face, which all stable landmarks determine together; `orbit_tilt` is the angle of the eyes'
line against the nose. Our choice throughout, after the distances that clinicians measure on
photographs [P: Guarin et al. 2018, Emotrics; margin reflex distance, palpebral fissure, brow
height, excursion of the commissure].
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

# degrees of yaw and of pitch up to which a face is measured [our choice: beyond, the nose hides the
# far eye]
WIDEST = 30.0
# residual of the fit above which the landmarks are not a face [our choice; real faces have 0.02 to
# 0.05]
WORST_FIT = 0.15
HEAD = ("yaw", "pitch", "roll", "orbit_tilt")
PAIRED = ("eye_aperture", "upper_lid", "brow_height", "mouth_reach", "corner_lift", "nasolabial")
SINGLE = ("mouth_width", "mouth_opening")
MEASURES = (*(f"{side}_{measure}" for measure in PAIRED for side in SIDES), *SINGLE)
SIGNED = ("upper_lid", "corner_lift")  # heights that may be negative: compared by their difference
# quantiles between which a measure's range lies [our choice: a frame or two of bad tracking are no
# movement]
EXTREMES = (0.05, 0.95)


def face_measures(tracks: xr.Dataset, widest: float = WIDEST) -> pd.DataFrame:
    """Measure a face by side, and its head pose: one row per frame.

    Args:
        tracks: MediaPipe's mesh, the 68 points (OpenFace, Py-Feat, OpenPose, menpo) or face_23;
            depth is used where the tracks have it.
        widest: degrees of yaw and of pitch beyond which a frame is not assessable.

    Returns:
        Index `time` (s). Columns: MEASURES in distances between the outer eye corners, except
        `..._upper_lid`, which is in widths of its own eye; `yaw`, `pitch`, `roll`, `orbit_tilt` in
        degrees (see `head_pose`; orbit_tilt is positive where the left eye is the lower one,
        relative to the nose); `assessable`. Measures and orbit_tilt are NaN where a frame is not
        assessable or a point is missing.

    Raises:
        UserError: the tracks hold no facial landmarks.
    """
    positions = places(tracks)
    pose = head_pose({place: positions[place] for place in STABLE if place in positions})
    with np.errstate(invalid="ignore"):
        assessable = (
            (np.abs(pose.yaw) <= widest)
            & (np.abs(pose.pitch) <= widest)
            & (pose.residual <= WORST_FIT)
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
    """(left - right) / (left + right) of the patient's sides: positive where the left is larger, 0
    where both are equal.

    For lengths, which are positive; measures with a sign (`SIGNED`) are compared by their
    difference instead. NaN where the sum is not positive.
    """
    one, other = np.asarray(left, dtype=float), np.asarray(right, dtype=float)
    return (one - other) / np.where(one + other > 0, one + other, np.nan)


def _height(place: np.ndarray, inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """(time,) distance of a place above the line through an eye's corners, negative below; y points
    down.
    """
    along = outer - inner
    # towards the patient's left, on both sides
    along = along * np.sign(along[:, :1]) / np.linalg.norm(along, axis=1, keepdims=True)
    above = inner - place
    return above[:, 1] * along[:, 0] - above[:, 0] * along[:, 1]


def _median(values: ArrayLike) -> float:
    """Median of the finite values; NaN without any."""
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    return float(np.median(known)) if len(known) else np.nan


def face_summary(tracks: xr.Dataset, widest: float = WIDEST) -> dict[str, float]:
    """Measure a clip's tracks and summarise them: `face_measures`, then `summarise`."""
    return summarise(face_measures(tracks, widest), tracks.attrs["fps"])


def summarise(table: pd.DataFrame, fps: float) -> dict[str, float]:
    """Summarise the `face_measures` of a whole clip at `fps` Hz in one row; NaN where too little
    was seen, never an error.

    Keys:

    - for each of MEASURES: `<measure>_median`; `<measure>_range` (0.05 to 0.95 quantile: the
      amplitude of its movement); `<measure>_slope`, `_slope_low`, `_slope_high` (per minute,
      Theil-Sen with 95 % interval);
    - for each of PAIRED: `<measure>_asymmetry` of the medians and `<measure>_range_asymmetry`
      (positive: the patient's left is larger; `upper_lid` and `corner_lift` may be negative, so
      their medians give the difference left - right);
    - eyes: `<side>_closure` (fraction of the own open aperture that is lost at the 0.05 quantile:
      how far the eye closed in a clip of held closure); `<side>_lid` and `<side>_lid_drift` with
      `_low` and `_high` (see `ptosis`); `blink_rate` (per minute of assessable time; NaN where the
      tracker's noise would hide blinks, and below 1.6 s); `left_blink_amplitude`,
      `right_blink_amplitude`, `blink_completeness`, `blink_duration` (medians; s);
    - `orbit_tilt` (degrees), `assessable` (fraction of frames), `seconds` (assessable time).
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
    """The eyes' part of the summary: closure, lids and blinks."""
    found = blinks(table)
    lids = ptosis(table, found)
    eyes: dict[str, float] = {}
    for side in SIDES:
        aperture = table[f"{side}_eye_aperture"]
        eyes[f"{side}_closure"] = 1 - float(aperture.quantile(EXTREMES[0])) / open_eye(aperture)
        drift = lids[side].drift
        eyes |= {f"{side}_lid": lids[side].upper_lid, f"{side}_lid_drift": drift.per_minute}
        eyes |= {f"{side}_lid_drift_low": drift.low, f"{side}_lid_drift_high": drift.high}
        eyes[f"{side}_blink_amplitude"] = _median([getattr(blink, side) for blink in found])
    shown = any(blinks_would_show(table[f"{side}_eye_aperture"]) for side in SIDES)
    eyes["blink_rate"] = (
        60 * len(found) / seconds if seconds >= 2 * LONGEST and (shown or found) else np.nan
    )
    eyes["blink_completeness"] = _median([blink.completeness for blink in found])
    eyes["blink_duration"] = _median([blink.duration for blink in found])
    return eyes
