"""Named features of a visit, from which a clinician's score may be predicted."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from semiology.severity.myoclonus.measures import ClipMeasures

GROUPS = {  # few features for few participants: sides and neighbours together [our choice]
    "head": ("face", "neck"),
    "trunk": ("trunk",),
    "arms": ("left_arm", "right_arm"),
    "legs": ("left_leg", "right_leg"),
}
FEATURES = (
    *(f"{group}_{name}" for group in GROUPS for name in ("rate", "amplitude", "speed", "sparc", "ldlj")),
    *("parts_jerking", "share_spread"),
)


def visit_features(clips: Sequence[ClipMeasures]) -> dict[str, float]:
    """`FEATURES` over some clips of one visit; NaN where nothing was seen.

    rate        ln(1 + events a minute) over the group's usable time
    amplitude   median over the group's events, torso lengths; 0 where it was seen and there was none
    speed, sparc, ldlj    median over clips and the group's parts
    parts_jerking         of the parts that were seen, the share that jerked
    share_spread          of all events, the share that took in more than one part of the body; 0 without events
    """
    values: dict[str, float] = {}
    for group, parts in GROUPS.items():
        own = [clip.parts[part] for clip in clips for part in parts if part in clip.parts and clip.parts[part].seconds > 0]
        amplitudes = [amplitude for one in own for amplitude in one.amplitudes]
        seconds = sum(one.seconds for one in own)
        values |= {
            f"{group}_rate": math.log1p(60 * len(amplitudes) / seconds) if own else math.nan,
            f"{group}_amplitude": float(np.median(amplitudes)) if amplitudes else 0.0 if own else math.nan,
            f"{group}_speed": _median(one.speed for one in own),
            f"{group}_sparc": _median(one.sparc for one in own),
            f"{group}_ldlj": _median(one.ldlj for one in own),
        }
    seen = {part for clip in clips for part, one in clip.parts.items() if one.seconds > 0}
    jerked = {part for clip in clips for part, one in clip.parts.items() if one.amplitudes}
    events = _sum(clip.spread for clip in clips)
    values["parts_jerking"] = len(jerked) / len(seen) if seen else math.nan
    values["share_spread"] = 1 - events.get("focal", 0) / sum(events.values()) if events else 0.0 if seen else math.nan
    return values


def _median(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.median(known)) if known else math.nan


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for count in counts:
        for name, number in count.items():
            total[name] = total.get(name, 0) + number
    return total
