"""How a seizure moves, phase by phase: focal hyperkinetic (FOS), or evolving to bilateral
tonic-clonic (TCS).

What the phases are follows the ILAE's words (Blume et al. 2001, doi
10.1046/j.1528-1157.2001.22001.x; Fisher et al. 2017, doi 10.1111/epi.13671): hyperkinetic is
irregular, sequential, large movement of proximal limbs and trunk; tonic a sustained stiffening;
clonic a regular repetition of jerks of the same muscles; versive a forced turn of the head;
tonic-clonic the tonic phase, then the clonic. That jerks become rarer towards the end,
exponentially, is from Kalitzin et al. 2016 (Automated video detection of epileptic convulsion
slowing, International Journal of Neural Systems).

All angles, rates, proportions and durations of phases are our choice, and so is that an FOS holds
episodes which look like the tonic or the clonic phase: one epoch alone does not separate the two
types, the order of the phases does.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from semiology.phantom.drawing.episodes import Episode, draw_visits, plateau
from semiology.phantom.drawing.face import ACTIONS
from semiology.phantom.drawing.kinematics import ARM_ANGLES, SIDES, Angles
from semiology.phantom.drawing.motion import (
    NAMES,
    POSES,
    Movement,
    actions,
    angles,
    draw_movement,
    draw_pose,
    full_name,
)

Kind = Literal["FOS", "TCS"]
RAMP = 0.8  # s, from one phase to the next

JERK = {
    "elbow": 38,
    "elevation": 10,
    "wrist": 12,
    "head_pitch": 9,
    "trunk_pitch": 3,
}  # degrees, at full strength
JERK_LASTS = 0.22  # s at most, and nine tenths of the time to the next
RATES = (5.0, 6.0), (0.9, 1.1)  # Hz, of jerks: at first, at last
TREMOR = 0.3, (8.0, 10.0)  # degrees, Hz: what shakes in the tonic phase
FACES = {
    "tonic": {"lid_raise": 0.8, "stretch": 0.9, "jaw": 0.4, "brow_inner": 0.4, "flush": 0.4},
    "clonic": {"lid_tight": 0.5, "stretch": 0.4, "jaw": 0.3, "flush": 0.5},
    "postictal": {"blink": 1.0, "jaw": 0.3},
}


@dataclass(frozen=True)
class Phase:
    """What goes on from `start` to `stop` seconds of the seizure: "hyperkinetic", "tonic", "clonic"
    or "postictal".
    """

    kind: str
    start: float
    stop: float


@dataclass(frozen=True)
class Moment:
    """A few seconds within the hyperkinetic phase that look like the tonic phase (stiff) or the
    clonic one (jerking), on one side or both.
    """

    kind: Literal["stiff", "jerking"]
    start: float
    stop: float
    sides: tuple[str, ...]
    rate: float  # Hz, of the jerks


@dataclass(frozen=True)
class Seizure:
    """All random choices of one seizure's movement; times in seconds from its onset."""

    kind: Kind
    phases: tuple[Phase, ...]
    movement: Movement  # hyperkinetic
    visits: tuple[Episode, ...]
    moments: tuple[Moment, ...]
    poses: dict[str, dict[str, float]]  # of POSES: name of an angle -> rad
    tremor: dict[str, tuple[float, float]]  # name of an angle -> Hz, phase (rad)
    rates: tuple[float, float]  # Hz, first and last of the clonic phase
    strength: dict[str, float]  # side -> of the jerks

    @property
    def duration(self) -> float:
        """Length of the seizure, s."""
        return self.phases[-1].stop


def draw_seizure(rng: np.random.Generator, kind: Kind, duration: float) -> Seizure:
    """Draw a seizure of `duration` s. Each phase takes a proportion of it, however long it is. [our
    choice]
    """
    after = rng.uniform(0.06, 0.12)
    if kind == "TCS":
        tonic, clonic = rng.uniform(0.12, 0.20), rng.uniform(0.30, 0.40)
        shares = {
            "hyperkinetic": 1 - tonic - clonic - after,
            "tonic": tonic,
            "clonic": clonic,
            "postictal": after,
        }
    else:
        shares = {"hyperkinetic": 1 - after, "postictal": after}
    edges = duration * np.concatenate([[0], np.cumsum(list(shares.values()))])
    phases = tuple(Phase(name, float(a), float(b)) for name, a, b in zip(shares, edges, edges[1:]))
    poses = {name: draw_pose(rng, name) for name in POSES}
    if rng.random() < 0.6:  # version
        poses["tonic"]["head_yaw"] = float(rng.choice([-1, 1]) * np.radians(rng.uniform(30, 50)))
    moving = phases[0].stop
    return Seizure(
        kind=kind,
        phases=phases,
        movement=draw_movement(rng, duration, 0, 0),
        visits=tuple(draw_visits(rng, 0, moving, 0.15 * moving, faces=False, difficulty=0.5)),
        moments=tuple(draw_moments(rng, moving)),
        poses=poses,
        tremor={
            name: (float(rng.uniform(*TREMOR[1])), float(rng.uniform(0, 2 * np.pi)))
            for name in NAMES
        },
        rates=(float(rng.uniform(*RATES[0])), float(rng.uniform(*RATES[1]))),
        strength={side: float(rng.uniform(0.85, 1.15)) for side in SIDES},
    )


def draw_moments(rng: np.random.Generator, duration: float) -> list[Moment]:
    """Draw moments one after the other, until `duration` s; the proportion of time that they take
    differs from seizure to seizure.
    """
    moments, at, gap = [], rng.uniform(0.5, 4), rng.uniform(4, 16)
    often = rng.uniform(0.3, 0.7)  # stiff rather than jerking
    while (stop := at + rng.uniform(2, 5)) < duration - 0.5:
        sides = tuple(SIDES) if rng.random() < 0.6 else (tuple(SIDES)[rng.integers(2)],)
        moments.append(
            Moment(
                "stiff" if rng.random() < often else "jerking",
                float(at),
                float(stop),
                sides,
                float(rng.uniform(2, 4)),
            )
        )
        at = stop + rng.exponential(gap)
    return moments


def rise(time: NDArray, at: float) -> NDArray:
    """0 to 1 over RAMP s about `at`, smoothly."""
    fraction = np.clip((time - at) / RAMP + 0.5, 0, 1)
    return fraction * fraction * (3 - 2 * fraction)


def weights(seizure: Seizure, time: NDArray) -> dict[str, NDArray]:
    """Amount (time,) of each phase at each time: 1 within the phase, 0 outside, with a smooth
    transition from one to the next. Within the seizure the amounts add up to 1.
    """
    return {
        phase.kind: rise(time, phase.start) - rise(time, phase.stop) for phase in seizure.phases
    }


def jerk_rate(seizure: Seizure, time: NDArray) -> tuple[NDArray, NDArray]:
    """Rate (Hz) of the clonic phase's jerks, which falls exponentially, and its integral: the
    number of jerks since the phase began. Both (time,).
    """
    phase = next(phase for phase in seizure.phases if phase.kind == "clonic")
    first, last = seizure.rates
    decay = (phase.stop - phase.start) / np.log(first / last)  # s
    fallen = np.exp(-np.clip(time - phase.start, 0, phase.stop - phase.start) / decay)
    return first * fallen, first * decay * (1 - fallen)


def jerks(rate: NDArray, count: NDArray) -> NDArray:
    """Bending (time,) in [0, 1]: a pulse whenever `count` reaches a whole number, and 0 until the
    next.
    """
    since = (count % 1) / rate
    lasts = np.minimum(JERK_LASTS, 0.9 / rate)
    return np.where(since < lasts, np.sin(np.pi * np.minimum(since / lasts, 1)) ** 2, 0)


def jerked(
    seizure: Seizure, posture: Angles, pull: NDArray, sides: tuple[str, ...] = tuple(SIDES)
) -> Angles:
    """A posture with JERK times `pull` (time,) added: in the arms of `sides`, and with both in head
    and trunk too.
    """
    result = dict(posture)
    for name, degrees in JERK.items():
        for side in sides if name in ARM_ANGLES else ("",):
            full, strength = (
                (f"{side}_{name}", seizure.strength[side]) if side else (name, len(sides) - 1)
            )
            result[full] = posture[full] + np.radians(degrees) * strength * pull
    return result


def stiff(seizure: Seizure, time: NDArray) -> Angles:
    """Joint angles (rad) of the tonic posture with its tremor, over `time` (s)."""
    held = seizure.poses["tonic"]
    return {
        name: held[name] + np.radians(TREMOR[0]) * np.sin(2 * np.pi * rate * time + phase)
        for name, (rate, phase) in seizure.tremor.items()
    }


def hyperkinetic(seizure: Seizure, time: NDArray) -> tuple[Angles, dict[str, NDArray]]:
    """Joint angles (rad) and clench of the hyperkinetic phase with its moments."""
    moved, clench = angles(
        seizure.movement,
        [v for v in seizure.visits if v.stop >= time[0] and v.start <= time[-1]],
        time,
        0.0,
    )
    for moment in seizure.moments:
        if moment.stop < time[0] or moment.start > time[-1]:
            continue
        fraction = plateau(time, moment.start, moment.stop, 0.5)
        rate = np.full_like(time, moment.rate)
        posture = {name: 0 * time + value for name, value in seizure.poses["clonic"].items()}
        target = (
            stiff(seizure, time)
            if moment.kind == "stiff"
            else jerked(
                seizure, posture, jerks(rate, moment.rate * (time - moment.start)), moment.sides
            )
        )
        both = len(moment.sides) == len(SIDES)
        for name in NAMES:
            if name.split("_")[0] in moment.sides or (both and full_name(name) not in ARM_ANGLES):
                moved[name] = moved[name] + fraction * (target[name] - moved[name])
    return moved, clench


def seizure_angles(
    seizure: Seizure, time: NDArray, rest: Angles, hands: dict[str, NDArray]
) -> tuple[Angles, dict[str, NDArray]]:
    """Joint angles (rad) and how far each hand is closed over `time` (s from the onset), out of
    rest and back into it.

    Args:
        rest, hands: what the patient would do without the seizure, over the same time.
    """
    amounts = weights(seizure, time)
    moved, clench = hyperkinetic(seizure, time)
    parts = {
        "hyperkinetic": moved,
        "postictal": {name: 0 * time + value for name, value in seizure.poses["limp"].items()},
    }
    closed = {"hyperkinetic": clench, "postictal": {side: 0 * time + 0.3 for side in SIDES}}
    if seizure.kind == "TCS":
        rate, count = jerk_rate(seizure, time)
        posture = {name: 0 * time + value for name, value in seizure.poses["clonic"].items()}
        growing = 0.65 + 0.35 * (1 - rate / seizure.rates[0])  # small and quick at first
        parts |= {
            "tonic": stiff(seizure, time),
            "clonic": jerked(seizure, posture, growing * jerks(rate, count)),
        }
        closed |= {kind: {side: 0 * time + 0.9 for side in SIDES} for kind in ("tonic", "clonic")}
    calm = 1 - np.sum(list(amounts.values()), 0)
    breath = (
        np.radians(1.2) * amounts["postictal"] * np.sin(2 * np.pi * 0.4 * time)
    )  # deep and quick, 24 a minute
    result = {
        name: calm * rest[name]
        + weighted_sum(amounts, {kind: part[name] for kind, part in parts.items()})
        for name in NAMES
    }
    result["trunk_pitch"] = result["trunk_pitch"] + breath
    return result, {
        side: calm * hands[side]
        + weighted_sum(amounts, {kind: hand[side] for kind, hand in closed.items()})
        for side in SIDES
    }


def weighted_sum(amounts: dict[str, NDArray], parts: dict[str, NDArray]) -> NDArray:
    """Sum (time,) of the phases' values, each times its amount."""
    return np.sum([amount * parts[kind] for kind, amount in amounts.items()], 0)


def seizure_actions(seizure: Seizure, time: NDArray, rest: NDArray) -> NDArray:
    """Facial actions (time, action): talk and blinks while hyperkinetic, then the phases' faces;
    `rest` as without the seizure.
    """
    amounts = weights(seizure, time)
    calm = 1 - np.sum(list(amounts.values()), 0)
    result = calm[:, None] * rest + amounts["hyperkinetic"][:, None] * actions(
        seizure.movement, [], time, 0.0
    )
    for kind in amounts.keys() & FACES.keys():
        result += amounts[kind][:, None] * np.array(
            [FACES[kind].get(name, 0.0) for name in ACTIONS]
        )
    if seizure.kind == "TCS":  # eyes go where the head is turned
        result[:, ACTIONS.index("gaze_u")] += (
            amounts["tonic"] * np.sign(seizure.poses["tonic"]["head_yaw"]) * 0.7
        )
    return result
