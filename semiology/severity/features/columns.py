"""The families of measures: of what part of a clip, its columns with their units, and how they are
computed. A value that a clip does not have is NaN, never 0.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from semiology.data.preprocessing import drop_low_confidence
from semiology.errors import UserError
from semiology.severity.face import MEASURES, PAIRED, asymmetry, face_summary
from semiology.severity.flow import clonic_rate, episodes, flow_table, side_differences
from semiology.severity.hands import AVERAGE_HAND, hand_table
from semiology.severity.hands.table import ITEMS
from semiology.severity.jerks import by_part, find_jerks, synchronous
from semiology.severity.jerks.jerk import JerkSettings
from semiology.severity.kinematics import BANDS, SEGMENTS, kinematic_table, torso_length
from semiology.severity.myoclonus.measures import Settings
from semiology.tracking.flow import BODY, seen

LIMBS = ("arm", "leg")
SIDES = ("left", "right")
SEEN = Settings.seen  # s, below which a rate of jerks is not stated


@dataclass(frozen=True)
class Column:
    """What a column is: a sentence, its unit ("" of a number without one), and where it is
    defined.
    """

    description: str
    units: str
    source: str


@dataclass(frozen=True)
class MeasureOptions:
    """What the measures depend on beside the clip; see FeatureOptions."""

    confidence: float = JerkSettings.confidence
    hand_cm: float = AVERAGE_HAND


@dataclass(frozen=True)
class Family:
    """Measures of one kind.

    Attributes:
        part: of the store that they are of: body, face, hands or flow.
        extra: option of `semiology extract` that makes it; "" where every extraction does.
        columns: name -> what it is.
        measure: gives the values of a clip, some or all of the columns.
    """

    part: str
    extra: str
    columns: dict[str, Column]
    measure: Callable[[xr.Dataset, MeasureOptions], dict[str, float]]


MOVEMENT = {  # of `kinematic_table`
    "share": ("fraction of the frames in which it is known", ""),
    "speed": ("median speed", "torso lengths/s"),
    "speed_peak": ("95th percentile of the speed", "torso lengths/s"),
    "acceleration": ("root mean square acceleration", "torso lengths/s^2"),
    "jerk": ("root mean square third derivative", "torso lengths/s^3"),
    "sparc": ("spectral arc length of the speed, over pieces of 4 s", ""),
    "log_dimensionless_jerk": ("log dimensionless jerk, over pieces of 4 s", ""),
    "path_length_ratio": ("path length over the distance of its ends, over pieces of 4 s", ""),
    "path_per_second": ("path length over the time seen", "torso lengths/s"),
    "peaks_per_second": ("peaks of the speed", "Hz"),
    "excursion": ("largest distance from the median position", "torso lengths"),
    "amplitude": ("amplitude of the oscillation", "torso lengths"),
    "frequency": ("frequency of the strongest oscillation", "Hz"),
    **{
        f"power_{low:g}_{high:g}": (f"power from {low:g} to {high:g} Hz", "torso lengths^2")
        for low, high in BANDS
    },
}
COMPARED = ("speed", "excursion", "amplitude")  # between left and right limbs


def _kinematics(tracks: xr.Dataset, chosen: MeasureOptions) -> dict[str, float]:
    table = kinematic_table(drop_low_confidence(_with_torso(tracks), chosen.confidence))
    segments = table[table["level"] == "segment"].set_index("name")
    rows: dict[Any, Any] = segments.to_dict("index")
    values = {
        f"kinematics_{segment}_{measure}": float(rows[segment][measure])
        for segment in SEGMENTS
        for measure in MOVEMENT
    }
    for limb in LIMBS:
        for measure in COMPARED:
            left, right = (rows[f"{side}_{limb}"][measure] for side in SIDES)
            values[f"kinematics_{limb}_{measure}_asymmetry"] = float(asymmetry(left, right))
    return values


def _with_torso(tracks: xr.Dataset) -> xr.Dataset:
    """The tracks, in which the torso was seen.

    Raises:
        UserError: lengths have no unit, as it was not.
    """
    dimensions = 2 if "position" in tracks else 3
    if not np.isfinite(torso_length(tracks, dimensions)):
        raise UserError("the shoulders were not seen, and lengths are in torso lengths")
    return tracks


def _segment(name: str) -> str:
    return name.replace("_", " ")


KINEMATICS = {
    f"kinematics_{segment}_{measure}": Column(
        f"{_segment(segment)}: {what}", units, "kinematics.md"
    )
    for segment in SEGMENTS
    for measure, (what, units) in MOVEMENT.items()
} | {
    f"kinematics_{limb}_{measure}_asymmetry": Column(
        f"{limb}s: (left - right) / (left + right) of the {MOVEMENT[measure][0]}",
        "",
        "kinematics.md",
    )
    for limb in LIMBS
    for measure in COMPARED
}

JERKS = {
    "seconds": ("time in which a jerk would have been found", "s"),
    "rate": (f"events; of {SEEN:g} s or more", "1/min"),
    "amplitude": ("median amplitude of the events; of one or more", "torso lengths"),
    "largest": ("amplitude of the largest event", "torso lengths"),
    "smallest": ("amplitude of the smallest jerk that would have been found", "torso lengths"),
}
WHOLE = {
    "jerks_rate": Column(
        f"events of any part of the body; of {SEEN:g} s or more", "1/min", "jerks.md"
    ),
    "jerks_generalised": Column(
        "fraction of the events that are generalised; of one or more", "", "jerks.md"
    ),
}


def _jerks(tracks: xr.Dataset, chosen: MeasureOptions) -> dict[str, float]:
    found = find_jerks(_with_torso(tracks), JerkSettings(confidence=chosen.confidence))
    counted, values = by_part(found.jerks), dict[str, float]()
    longest = 0.0
    for part, segment in SEGMENTS.items():
        joints = [joint for joint in segment.keypoints if joint in found.usable]
        seconds = max((found.usable[joint] for joint in joints), default=0.0)
        longest = max(longest, seconds)
        sizes = [jerk.amplitude for jerk in counted if jerk.segment == part]
        own = {
            "seconds": seconds,
            "rate": _rate(len(sizes), seconds),
            "amplitude": float(np.median(sizes)) if sizes else np.nan,
            "largest": max(sizes, default=np.nan),
            "smallest": float(
                np.fmin.reduce([np.nan, *(found.smallest[joint] for joint in joints)])
            ),
        }
        values |= {f"jerks_{part}_{measure}": value for measure, value in own.items()}
    events = synchronous(found.jerks)
    extents = [event.extent == "generalised" for event in events]
    return values | {
        "jerks_rate": _rate(len(events), longest),
        "jerks_generalised": float(np.mean(extents)) if events else np.nan,
    }


def _rate(count: int, seconds: float) -> float:
    return 60 * count / seconds if seconds >= SEEN else np.nan


EYES = "distances between the outer eye corners"
SUMMARISED = {  # of each of face.MEASURES
    "median": ("median", ""),
    "range": ("range, 0.05 to 0.95 quantile", ""),
    "slope": ("drift over the clip", "/min"),
}
EYE = {
    "closure": ("fraction of the open aperture that is lost at the 0.05 quantile", ""),
    "lid": ("upper lid while the eye is open", "widths of the eye"),
    "lid_drift": ("drift of the upper lid", "widths of the eye/min"),
    "blink_amplitude": ("median over blinks of the fraction of the aperture that was lost", ""),
}
FACE = {
    "blink_rate": ("blinks", "1/min"),
    "blink_completeness": ("median completeness of blinks", ""),
    "blink_duration": ("median duration of blinks", "s"),
    "orbit_tilt": ("tilt of the eyes' line against the nose", "degrees"),
    "assessable": ("fraction of the frames in which the face is assessable", ""),
    "seconds": ("time in which the face is assessable", "s"),
}


def _face_columns() -> Iterable[tuple[str, Column]]:
    for measure in MEASURES:
        unit = "widths of the eye" if measure.endswith("upper_lid") else EYES
        for suffix, (what, per) in SUMMARISED.items():
            yield (
                f"{measure}_{suffix}",
                Column(f"{_segment(measure)}: {what}", unit + per, "face.md"),
            )
    for measure in PAIRED:
        for suffix in ("asymmetry", "range_asymmetry"):
            of = "ranges" if suffix.startswith("range") else "medians"
            words = f"{_segment(measure)}: left against right, of the {of}"
            yield f"{measure}_{suffix}", Column(words, "", "face.md")
    for side in SIDES:
        for suffix, (what, units) in EYE.items():
            yield f"{side}_{suffix}", Column(f"{side} eye: {what}", units, "face.md")
    for name, (what, units) in FACE.items():
        yield name, Column(what, units, "face.md")


FACES = {f"face_{name}": column for name, column in _face_columns()}


def _face(tracks: xr.Dataset, chosen: MeasureOptions) -> dict[str, float]:
    found = face_summary(tracks)
    if not found["assessable"]:
        raise UserError("the face is assessable in no frame (out of view or turned away)")
    return {name: found[name.removeprefix("face_")] for name in FACES}


CYCLES = {
    "cycles": ("movements", ""),
    "rate": ("movements a second without the halts", "Hz"),
    "amplitude": ("median amplitude", "{unit}"),
    "speed": ("median over movements of the fastest change", "{unit}/s"),
    "decrement": ("1 - mean amplitude of the last three / of the first three", ""),
    "decrement_per_cycle": ("slope of the amplitude over the movements", ""),
    "halts": ("interruptions, freezes among them", ""),
    "freezes": ("long interruptions", ""),
    "variability": ("standard deviation over mean of the intervals", ""),
}
OSCILLATION = {
    "rate": ("frequency", "Hz"),
    "amplitude": ("amplitude, peak to peak", "cm"),
    "prominence": ("power over that of the rest of the spectrum", ""),
}
HANDS = {
    f"hands_{side}_{item}_{measure}": Column(
        f"{side} hand, {_segment(item)}: {what}", units.format(unit=unit), "hands.md"
    )
    for side in SIDES
    for item, measures, unit in (
        *((item, CYCLES, unit) for item, (_, unit, _) in ITEMS.items()),
        ("tremor", OSCILLATION, "cm"),
        ("rhythm", OSCILLATION, "cm"),
    )
    for measure, (what, units) in measures.items()
} | {
    f"hands_{side}_share": Column(f"{side} hand: fraction of the frames with it", "", "hands.md")
    for side in SIDES
}


def _hands(tracks: xr.Dataset, chosen: MeasureOptions) -> dict[str, float]:
    tracks = drop_low_confidence(tracks, chosen.confidence)
    table = hand_table(tracks, hand_cm=chosen.hand_cm)
    values: dict[str, float] = {}
    for row in table.to_dict("records"):
        place = f"hands_{row['side']}"
        values[f"{place}_share"] = float(row["share"])
        for measure in {**CYCLES, **OSCILLATION}:
            name = f"{place}_{row['item']}_{measure}"
            if name in HANDS:
                values[name] = float(row[measure])
    if not any(values[name] for name in values if name.endswith("share")):
        raise UserError("no hand was found in any frame")
    return values


REGION = {
    "share": ("fraction of the frames in which it is measured", ""),
    "speed": ("median speed", "box sides/s"),
    "speed_peak": ("95th percentile of the speed", "box sides/s"),
    "frequency": ("frequency of the strongest oscillation", "Hz"),
    "prominence": ("its power over that of the rest of the spectrum", ""),
    "amplitude": ("amplitude of the oscillation", "box sides"),
}
MOVED = {
    "difference_arms": ("(left - right) / (left + right) of the arms' energy", ""),
    "difference_legs": ("(left - right) / (left + right) of the legs' energy", ""),
    "difference_image": ("(left - right) / (left + right) of the halves of the image", ""),
    "episodes": ("episodes of movement", "1/min"),
    "moving": ("fraction of the clip in episodes of movement", ""),
    "rhythmic": ("fraction of the windows of 3 s in which movement is rhythmic", ""),
    "clonic_rate": ("median rate in these windows", "Hz"),
    "regularity": ("median autocorrelation at the period, over all windows", ""),
    "seen_by_pose": ("fraction of body and time placed by the pose", ""),
    "seen_by_flow": ("fraction of body and time seen by flow alone", ""),
}
FLOWS = {
    f"flow_{region}_{measure}": Column(f"{_segment(region)}: {what}", units, "flow.md")
    for region in BODY
    for measure, (what, units) in REGION.items()
} | {f"flow_{name}": Column(what, units, "flow.md") for name, (what, units) in MOVED.items()}


def _flow(flow: xr.Dataset, chosen: MeasureOptions) -> dict[str, float]:
    rows: dict[Any, Any] = flow_table(flow).set_index("region").to_dict("index")
    seconds = flow.sizes["time"] / float(flow.attrs["fps"])
    moved, windows = episodes(flow), clonic_rate(flow)
    rates = windows["rate"].dropna()
    values = {
        f"flow_{region}_{measure}": float(rows[region][measure])
        for region in BODY
        for measure in REGION
    }
    values |= {f"flow_difference_{pair}": value for pair, value in side_differences(flow).items()}
    values |= {f"flow_seen_by_{way}": value for way, value in seen(flow).items()}
    return values | {
        "flow_episodes": 60 * len(moved) / seconds,
        "flow_moving": sum(one.duration or 0.0 for one in moved) / seconds,
        "flow_rhythmic": len(rates) / len(windows) if len(windows) else np.nan,
        "flow_clonic_rate": float(rates.median()) if len(rates) else np.nan,
        "flow_regularity": float(windows["regularity"].median()) if len(windows) else np.nan,
    }


JERK_COLUMNS = {
    f"jerks_{part}_{measure}": Column(f"{_segment(part)}: {what}", units, "jerks.md")
    for part in SEGMENTS
    for measure, (what, units) in JERKS.items()
} | WHOLE

FAMILIES = {
    "kinematics": Family("body", "", KINEMATICS, _kinematics),
    "face": Family("face", "", FACES, _face),
    "jerks": Family("body", "", JERK_COLUMNS, _jerks),
    "hands": Family("hands", "--hands true", HANDS, _hands),
    "flow": Family("flow", "--flow true", FLOWS, _flow),
}
