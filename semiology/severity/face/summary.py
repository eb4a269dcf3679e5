"""A clip's face in one row of numbers: how it stands, how far it moves, by side, and what it loses over the clip."""

import numpy as np
import pandas as pd
import xarray as xr

from semiology.severity.face.blinks import LONGEST, blinks, blinks_would_show, open_eye
from semiology.severity.face.fatigue import fatigue_slope
from semiology.severity.face.landmarks import SIDES
from semiology.severity.face.lids import ptosis
from semiology.severity.face.measures import MEASURES, PAIRED, WIDEST, asymmetry, face_measures

EXTREMES = 0.05, 0.95  # quantiles between which a measure's range lies [our choice: a frame or two of bad tracking do not make a movement]
SIGNED = ("upper_lid", "corner_lift")  # heights that may be negative: their sides are compared by the difference


def face_summary(tracks: xr.Dataset, widest: float = WIDEST) -> dict[str, float]:
    """`summarise` of a clip's tracks, for those who do not need the measures themselves."""
    return summarise(face_measures(tracks, widest), tracks.attrs["fps"])


def summarise(table: pd.DataFrame, fps: float) -> dict[str, float]:
    """What the `face_measures` of a whole clip at `fps` Hz come to; NaN where too little was seen, never an error.

    Keys, for each MEASURE of `measures`: `<measure>_median`, `<measure>_range` (0.05 to 0.95 quantile: the amplitude of its movement),
    `<measure>_slope` with `_slope_low`, `_slope_high` (per minute, Theil-Sen with 95 % interval). For each PAIRED one:
    `<measure>_asymmetry` of the medians and `<measure>_range_asymmetry` (positive: the patient's left is larger; differences left - right
    for `upper_lid` and `corner_lift`, whose heights may be negative). Of the eyes: `<side>_closure` (share of the own open aperture that
    was lost at the 0.05 quantile: how far the eye closed in a clip of held closure), `<side>_lid` and `<side>_lid_drift` with `_low` and
    `_high` (see `lids`), `blink_rate` (per minute of assessable time; NaN where the tracker's noise would hide blinks, and below 1.6 s),
    `left_blink_amplitude`, `right_blink_amplitude`, `blink_completeness`, `blink_duration` (medians; s). `orbit_tilt` (degrees),
    `assessable` (share of frames), `seconds` (assessable time).
    """
    summary: dict[str, float] = {}
    for measure in MEASURES:
        low, high = (float(table[measure].quantile(extreme)) for extreme in EXTREMES)
        slope = fatigue_slope(table.index, table[measure])
        summary |= {f"{measure}_median": float(table[measure].median()), f"{measure}_range": high - low}
        summary |= {f"{measure}_slope": slope.per_minute, f"{measure}_slope_low": slope.low, f"{measure}_slope_high": slope.high}
    for measure in PAIRED:
        medians = [summary[f"{side}_{measure}_median"] for side in SIDES]
        ranges = [summary[f"{side}_{measure}_range"] for side in SIDES]
        summary[f"{measure}_asymmetry"] = medians[0] - medians[1] if measure in SIGNED else float(asymmetry(*medians))
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
    eyes["blink_rate"] = 60 * len(found) / seconds if seconds >= 2 * LONGEST and (shown or found) else np.nan
    eyes["blink_completeness"] = _middle([blink.completeness for blink in found])
    eyes["blink_duration"] = _middle([blink.duration for blink in found])
    return eyes


def _middle(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.median(finite)) if finite else np.nan
