"""Named features of a visit, from which a clinician's score may be predicted."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from semiology.severity.myoclonus.measures import ClipMeasures, middle

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
            f"{group}_speed": middle(one.speed for one in own),
            f"{group}_sparc": middle(one.sparc for one in own),
            f"{group}_ldlj": middle(one.ldlj for one in own),
        }
    seen = {part for clip in clips for part, one in clip.parts.items() if one.seconds > 0}
    jerked = {part for clip in clips for part, one in clip.parts.items() if one.amplitudes}
    events = Counter[str]()
    for clip in clips:
        events.update(clip.spread)
    values["parts_jerking"] = len(jerked) / len(seen) if seen else math.nan
    values["share_spread"] = 1 - events["focal"] / events.total() if events else 0.0 if seen else math.nan
    return values
