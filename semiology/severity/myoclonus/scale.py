"""The classes of the formula: how often, how large, how smooth, how slow, each 0 to 4.

The Unified Myoclonus Rating Scale rates the frequency and the amplitude of jerks from 0 to 4 for each part of the body, at rest and with
action, and multiplies the two. Its frequency is counted in ten seconds: none, up to 1, 2 to 3, 4 to 9, 10 or more; its amplitude is judged
by eye: none, trace, small, moderate, large. This is recalled from Frucht, Leurgans, Hallett and Fahn 2002 (Adv Neurol 89:361); nobody here
had the printed form: to be checked against it. Cut-offs of amplitude, of smoothness and of time are our choice.
"""

import math

import numpy as np

from semiology.severity.kinematics import SEGMENTS

PARTS = tuple(SEGMENTS)  # face, neck, trunk, left_arm, right_arm, left_leg, right_leg
PANELS = ("rest", "stimulus", "action", "functional")  # of the UMRS, in its order; a cohort may name others
FREQUENCY = (1.5, 3.5, 9.5)  # jerks in ten seconds between the classes 1 to 4, recalled (above); a measured rate falls between whole jerks
AMPLITUDE = (0.01, 0.03, 0.10)  # torso lengths between trace, small, moderate and large: 5 mm, 15 mm and 5 cm in an adult [our choice]
SMOOTHNESS = (
    -1.6,
    -2.0,
    -2.5,
    -3.5,
)  # SPARC of a movement; the first is the end of healthy reaches (Balasubramanian et al. 2015) [our choice]
SLOWNESS = (1.25, 1.5, 2.0, 3.0)  # times as long as controls take for the same item [our choice]
HIGHEST = 16.0  # of a part's product, and of a performance, which weighs as much as one part of the body [our choice]


def frequency_class(per_minute: float) -> float:
    """0 (no jerk) to 4 for a rate of jerks a minute; NaN stays NaN."""
    return (
        math.nan if math.isnan(per_minute) else 0.0 if per_minute == 0 else 1.0 + float(np.searchsorted(FREQUENCY, per_minute / 6, "right"))
    )


def amplitude_class(amplitude: float) -> float:
    """1 (trace) to 4 (large) for an amplitude in torso lengths; NaN stays NaN."""
    return math.nan if math.isnan(amplitude) else 1.0 + float(np.searchsorted(AMPLITUDE, amplitude, "right"))


def smoothness_class(sparc: float) -> float:
    """0 (as healthy reaches) to 4 for a spectral arc length; NaN stays NaN."""
    return math.nan if math.isnan(sparc) else float(sum(sparc < edge for edge in SMOOTHNESS))


def slowness_class(ratio: float) -> float:
    """0 to 4 for a time as a multiple of the controls'; NaN stays NaN."""
    return math.nan if math.isnan(ratio) else float(np.searchsorted(SLOWNESS, ratio, "right"))
