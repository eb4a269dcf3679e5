"""Ptosis: how high the upper lid stands over the line through its own eye's corners, and how it sinks while a gaze upwards is held.

After the clinic's margin reflex distance (pupil's reflex to the lid) [P: Putterman 2012 reviews it], with the eye's corners for the reflex,
which landmarks have not, and which gaze does not move: our choice. Each side is measured by itself.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from semiology.severity.face.blinks import Blink
from semiology.severity.face.fatigue import Slope, fatigue_slope
from semiology.severity.face.landmarks import SIDES

MARGIN = 0.1  # s before and after a blink that are left out with it


@dataclass(frozen=True)
class Ptosis:
    """The lid of one side between blinks.

    Attributes:
        upper_lid: median height over the line of the eye's corners, in widths of that eye.
        aperture: median distance of the lids, in distances between the outer eye corners.
        drift: of the upper lid over the clip, in widths of that eye a minute: negative where it sinks.
    """

    upper_lid: float
    aperture: float
    drift: Slope


def ptosis(measures: pd.DataFrame, blinks: list[Blink]) -> dict[str, Ptosis]:
    """`left` and `right`: the lid's stand and drift between the blinks given (of `blinks`); NaN where a side is never seen."""
    time = measures.index.to_numpy(dtype=float)
    between = np.ones(len(time), dtype=bool)
    for blink in blinks:
        between &= (time < blink.onset - MARGIN) | (time > blink.onset + blink.duration + MARGIN)
    awake = measures[between]
    return {
        side: Ptosis(
            upper_lid=float(awake[f"{side}_upper_lid"].median()),
            aperture=float(awake[f"{side}_eye_aperture"].median()),
            drift=fatigue_slope(awake.index, awake[f"{side}_upper_lid"]),
        )
        for side in SIDES
    }
