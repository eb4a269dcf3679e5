"""Myoclonic jerks: how a jerk moves a joint, and which rate, amplitudes and joints follow from a
severity.

A jerk is a pulse of one joint's angles, so that bones keep their length. It is named after the
joint that it displaces, and its amplitude is the displacement at its peak in the image, in torso
lengths. Muscles are active for 10 to 50 ms, rarely above 100 (Hallett, Chadwick and Marsden 1979,
Neurology 29: cortical reflex myoclonus, 10 to 30 ms; Eberhardt and Topka 2017, doi
10.3390/brainsci7080103); the limb continues by its inertia. So the displacement rises for RISE and
returns for FALL. [our choice]

Rate, amplitude and distribution all follow the severity, since that is what the UMRS multiplies and
adds up: frequency and amplitude, by body part. By how much is our choice.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from semiology.phantom.drawing.kinematics import SIDES, Angles

RISE, FALL = (0.05, 0.08), (0.10, 0.20)  # s
REST = 0.35  # s at least from the end of one jerk to the onset of the next
SMALLEST, LARGEST = 0.005, 0.10  # torso lengths
# at most, from the direction that the image shows best: at least half of the movement is across the
# line of sight
LEAN = np.radians(60)
PULLED = {  # joint that a jerk is named after -> the two angles that it bends
    "head": ("head_pitch", "head_roll"),
    **{
        f"{side}_shoulder": ("trunk_pitch", "trunk_roll") for side in SIDES
    },  # both go with the trunk
    **{f"{side}_elbow": (f"{side}_elevation", f"{side}_plane") for side in SIDES},
    **{f"{side}_wrist": (f"{side}_elbow", f"{side}_twist") for side in SIDES},
}
RATES = {
    "rest": 0.35,
    "stimulus": 0.25,
    "action": 1.0,
    "functional": 1.0,
}  # of the panels, against action's: action myoclonus
MOST = 60.0  # jerks a minute with action, at severity 1
MEDIANS = 0.01, 0.06  # torso lengths, median amplitude at severity 0 and 1


@dataclass(frozen=True)
class Jerk:
    """One joint's jerk. Jerks of one onset are one event and have the same time course."""

    joint: str
    onset: float  # s
    rise: float
    fall: float
    amplitude: float  # torso lengths in the image at the peak, by this jerk alone
    # rad, from the direction of the two angles that carries the joint farthest in the image
    lean: float
    bends: dict[str, float] = field(default_factory=dict)  # name of an angle -> rad at the peak

    @property
    def peak(self) -> float:
        """Time of the largest displacement, s."""
        return self.onset + self.rise

    @property
    def duration(self) -> float:
        """Rise and fall together, s."""
        return self.rise + self.fall


@dataclass(frozen=True)
class Burden:
    """Rate, amplitude and distribution of the jerks in one panel."""

    # events a minute; where stimuli are given, 60 times the proportion of them that a jerk follows
    rate: float
    amplitude: float  # torso lengths, median
    spread: float  # standard deviation of the amplitude's logarithm
    joints: dict[str, float]  # probability that a jerk pulls each; they add up to 1
    together: float  # proportion of events that pull more than one joint


def minimum_jerk(fraction: NDArray) -> NDArray:
    """0 to 1 while `fraction` goes from 0 to 1, with speed and acceleration 0 at both ends (Flash
    and Hogan 1985).
    """
    fraction = np.clip(fraction, 0, 1)
    return fraction**3 * (10 - 15 * fraction + 6 * fraction**2)


def displacement(jerk: Jerk, time: NDArray) -> NDArray:
    """Displacement over time (s), in [0, 1]: a quick rise and a slower return."""
    return minimum_jerk((time - jerk.onset) / jerk.rise) - minimum_jerk(
        (time - jerk.peak) / jerk.fall
    )


def jerked(angles: Angles, jerks: tuple[Jerk, ...], time: NDArray) -> Angles:
    """Joint angles (rad) over `time` (s) with the jerks added."""
    result = dict(angles)
    for jerk in jerks:
        if jerk.onset < time[-1] and jerk.onset + jerk.duration > time[0]:
            pull = displacement(jerk, time)
            for name, by in jerk.bends.items():
                result[name] = result[name] + pull * by
    return result


def burden(severity: float, panel: str, side: str, one_sided: float) -> Burden:
    """Rate, amplitude and distribution that follow from a severity in [0, 1].

    Args:
        panel: a name of RATES.
        side: the arm that jerks more; one_sided: proportion of arm jerks that are on its side, 0.5
            to 1.
    """
    arms = {"wrist": 1.0, "elbow": 0.2 + 0.8 * severity}
    weights = {
        f"{s}_{joint}": w * (one_sided if s == side else 1 - one_sided)
        for joint, w in arms.items()
        for s in SIDES
    }
    weights |= {"head": 0.7 * severity} | {f"{s}_shoulder": 0.25 * severity for s in SIDES}
    total = sum(weights.values())
    return Burden(
        rate=MOST * severity * RATES[panel],
        amplitude=MEDIANS[0] * (MEDIANS[1] / MEDIANS[0]) ** severity,
        spread=0.35,
        joints={name: weight / total for name, weight in weights.items()},
        together=0.4 * severity**2,
    )


def draw_jerks(
    rng: np.random.Generator, how: Burden, duration: float, stimuli: tuple[float, ...] = ()
) -> tuple[Jerk, ...]:
    """Jerks of `duration` s: a Poisson process with a pause after each, at `how.rate` in the mean;
    after stimuli (s), where given.

    None begins so late that the clip would cut it off, and none in the first half second.
    """
    if stimuli:  # 50 to 100 ms after the stimulus, as reflexes are [our choice]
        onsets = [at + rng.uniform(0.05, 0.10) for at in stimuli if rng.random() < how.rate / 60]
    else:
        onsets = draw_onsets(rng, how.rate, duration)
    jerks: list[Jerk] = []
    for onset in onsets:
        count = int(rng.integers(2, 5)) if rng.random() < how.together else 1
        names = [name for name, weight in how.joints.items() if weight > 0]
        weights = [how.joints[name] for name in names]
        rise, fall = float(rng.uniform(*RISE)), float(rng.uniform(*FALL))
        for joint in rng.choice(names, min(count, len(names)), replace=False, p=weights):
            amplitude = float(
                np.clip(how.amplitude * np.exp(how.spread * rng.normal()), SMALLEST, LARGEST)
            )
            lean = float(rng.uniform(-LEAN, LEAN) + np.pi * rng.integers(2))
            jerks.append(Jerk(str(joint), float(onset), rise, fall, amplitude, lean))
    return tuple(jerks)


def draw_onsets(rng: np.random.Generator, rate: float, duration: float) -> list[float]:
    """Onsets (s) at `rate` a minute in the mean, RISE + FALL + REST s apart at least."""
    if rate <= 0:
        return []
    apart = RISE[1] + FALL[1] + REST
    onsets, at = [], 0.5 + rng.exponential(60 / rate) * (1 - apart * rate / 60)
    while at < duration - RISE[1] - FALL[1]:
        onsets.append(float(at))
        at += apart + rng.exponential(60 / rate - apart)
    return onsets
