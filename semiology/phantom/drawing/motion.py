"""How the patient moves: hyperkinetic movement, which every clip has, with the postures of the
signs added to it; and a patient who lies in bed and breathes, makes small movements, turns over a
little, reaches for something with an arm. The movements at rest are all our choice.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semiology.phantom.drawing.episodes import POSTURES, Episode, plateau
from semiology.phantom.drawing.face import ACTIONS, expression
from semiology.phantom.drawing.kinematics import (
    ARM_ANGLES,
    HEAD_ANGLES,
    SIDES,
    TRUNK_ANGLES,
    Angles,
)

# degrees: lowest, highest, rest from, rest to, swing (standard deviation of the movement at vigour
# 1)
RANGES: dict[str, tuple[float, float, float, float, float]] = {
    "trunk_pitch": (-4, 24, 0, 8, 4),
    "trunk_roll": (-16, 16, -5, 5, 4),
    "trunk_yaw": (-22, 22, -8, 8, 6),
    "head_pitch": (-22, 28, -4, 6, 5),
    "head_roll": (-25, 25, -8, 8, 5),
    "head_yaw": (-60, 60, -18, 18, 13),
    "elevation": (4, 140, 18, 62, 14),
    "plane": (0, 100, 15, 75, 14),
    "twist": (-30, 85, 0, 70, 15),
    "elbow": (6, 140, 25, 105, 18),
    "pronation": (-10, 150, 20, 110, 25),
    "wrist": (-40, 75, -15, 25, 14),
}
BAND = (0.3, 2.4)  # Hz, of the hyperkinetic movement
WAVES = 6  # sine waves a joint angle


@dataclass(frozen=True)
class Movement:
    """The random choices for one clip; `angles` and `actions` apply them."""

    rest: dict[str, float]  # rad
    swing: dict[str, NDArray]  # (WAVES, 3): amplitude (rad), frequency (Hz), phase (rad)
    pauses: tuple[tuple[float, float], ...]  # s
    clench: dict[str, NDArray]  # side -> (WAVES, 3)
    talk: tuple[tuple[float, float, float], ...]  # start, stop (s), rate (Hz)
    blinks: tuple[float, ...]  # s
    gaze: NDArray  # (2, WAVES, 3)
    twist: NDArray  # (WAVES, 3) slow twisting of the held posture
    posture_shift: dict[str, float]  # rad, this clip's variant of every posture


def full_name(angle: str) -> str:
    """elevation of left_elevation; trunk_roll of trunk_roll."""
    return angle.removeprefix("left_").removeprefix("right_")


def draw_waves(
    rng: np.random.Generator, deviation: float, band: tuple[float, float] = BAND
) -> NDArray:
    """WAVES sine waves within `band` (Hz) whose sum has the standard deviation `deviation`."""
    weights = rng.uniform(0.4, 1.0, WAVES)
    amplitude = deviation * weights * np.sqrt(2 / np.sum(weights**2))
    return np.stack([amplitude, rng.uniform(*band, WAVES), rng.uniform(0, 2 * np.pi, WAVES)], -1)


def wave_sum(waves: NDArray, time: NDArray) -> NDArray:
    """Sum (time,) of sine waves (wave, 3): amplitude, frequency (Hz), phase (rad)."""
    return np.sum(waves[:, 0] * np.sin(2 * np.pi * waves[:, 1] * time[:, None] + waves[:, 2]), -1)


def draw_rest_angle(rng: np.random.Generator, name: str, variety: float) -> float:
    """Angle (rad) about which a joint moves: somewhere in its rest range, the nearer to the middle
    the less variety.
    """
    low, high = np.radians(RANGES[full_name(name)][2:4])
    return float((low + high) / 2 + variety * (rng.uniform(low, high) - (low + high) / 2))


def draw_movement(
    rng: np.random.Generator, duration: float, lead: float, tail: float, variety: float = 1.0
) -> Movement:
    """Draw how a person moves for `duration` s, and `lead` and `tail` s around it.

    `variety` in [0, 1]: 0 gives every clip the same rest position and little movement, 1 the whole
    range.
    """
    vigour = rng.uniform(0.8, 1.2) * (0.4 + 0.6 * variety)
    names = (
        *TRUNK_ANGLES,
        *HEAD_ANGLES,
        *(f"{side}_{angle}" for side in SIDES for angle in ARM_ANGLES),
    )
    first, last = -lead, duration + tail
    pauses = []
    at = first + rng.exponential(4.0)
    while at < last:
        length = rng.uniform(0.4, 1.2)
        pauses.append((float(at), float(at + length)))
        at += length + rng.uniform(2.0, 7.0)
    talk = [
        (
            float(s := rng.uniform(first, last)),
            float(s + rng.uniform(0.6, 2.5)),
            float(rng.uniform(2.0, 4.5)),
        )
        for _ in range(rng.poisson(duration / 8 + 0.5))
    ]
    return Movement(
        rest={name: draw_rest_angle(rng, name, variety) for name in names},
        swing={
            name: draw_waves(rng, vigour * np.radians(RANGES[full_name(name)][4])) for name in names
        },
        pauses=tuple(pauses),
        clench={side: draw_waves(rng, 0.3, (0.1, 0.8)) for side in SIDES},
        talk=tuple(talk),
        blinks=tuple(float(b) for b in rng.uniform(first, last, rng.poisson((last - first) * 0.3))),
        gaze=np.stack([draw_waves(rng, 0.35, (0.05, 0.6)), draw_waves(rng, 0.25, (0.05, 0.6))]),
        twist=draw_waves(rng, np.radians(7), (0.08, 0.35)),
        posture_shift={name: float(np.radians(rng.normal(0, 7))) for name in ARM_ANGLES},
    )


def angles(
    movement: Movement, arms: list[Episode], time: NDArray, appearance: float
) -> tuple[Angles, dict[str, NDArray]]:
    """Joint angles over `time` (s of the main phase, negative before it) and how far each hand is
    closed, 0 to 1.

    `appearance` in [0, 1] takes the postures out of shoulder and elbow and leaves them in the hand,
    which has no joint in the skeleton.
    """
    vigour = 0.3 + 0.7 * np.clip((time + 0.5) / 1.0, 0, 1)  # calm before the main phase
    for start, stop in movement.pauses:
        vigour = vigour * (1 - 0.85 * plateau(time, start, stop, 0.3))
    result: Angles = {}
    for name, rest in movement.rest.items():
        low, high = np.radians(RANGES[full_name(name)][:2])
        half = (high - low) / 2
        result[name] = (
            low
            + half
            + half
            * np.tanh((rest + vigour * wave_sum(movement.swing[name], time) - low - half) / half)
        )
    clench = {
        side: np.clip(0.25 + vigour * wave_sum(movement.clench[side], time), 0, 1) for side in SIDES
    }

    slow = wave_sum(movement.twist, time)
    for episode in arms:
        strength = episode.strength_at(time)
        in_arm = strength * (1 - appearance)
        in_hand = episode.hand * np.maximum(
            in_arm, appearance * strength / max(episode.strength, 1e-6)
        )
        for angle in ARM_ANGLES:
            name = f"{episode.side}_{angle}"
            target = np.radians(POSTURES[episode.kind][angle]) + movement.posture_shift[angle]
            target = (
                target
                + slow * (1.0 if angle in ("twist", "pronation") else 0.4)
                + 0.12 * (result[name] - movement.rest[name])
            )
            weight = in_hand if angle in ("pronation", "wrist") else in_arm
            result[name] = result[name] + weight * (target - result[name])
        clench[episode.side] = clench[episode.side] + in_hand * (0.95 - clench[episode.side])
    for side in SIDES:  # a bent or straight elbow stays within what an elbow can
        result[f"{side}_elbow"] = np.clip(result[f"{side}_elbow"], np.radians(2), np.radians(150))
    return result, clench


def actions(
    movement: Movement, faces: list[Episode], time: NDArray, appearance: float, looks: float = 0.0
) -> NDArray:
    """Facial actions (time, action): expressions, talking, blinks and gaze. `looks` come with what
    is held: a grimace is over before the skin reddens.
    """
    result = np.zeros((len(time), len(ACTIONS)))
    column = {name: i for i, name in enumerate(ACTIONS)}
    for episode in faces:
        result += episode.strength_at(time)[:, None] * expression(
            episode.kind, appearance, looks if episode.sign else 0.0
        )
    for start, stop, rate in movement.talk:
        syllables = 0.5 - 0.5 * np.cos(2 * np.pi * rate * (time - start))
        result[:, column["jaw"]] += 0.45 * plateau(time, start, stop, 0.2) * syllables
        result[:, column["stretch"]] += (
            0.2 * plateau(time, start, stop, 0.2) * np.sin(np.pi * rate * (time - start))
        )
    for blink in movement.blinks:
        result[:, column["blink"]] += plateau(time, blink, blink + 0.28, 0.1)
    for name, waves in zip(("gaze_u", "gaze_v"), movement.gaze):
        result[:, column[name]] = np.clip(wave_sum(waves, time), -1, 1)
    return result


def draw_pose(rng: np.random.Generator, name: str) -> dict[str, float]:
    """One of POSES, each angle drawn from its range (rad)."""
    return {
        angle: float(np.radians(rng.uniform(*POSES[name][full_name(angle)]))) for angle in NAMES
    }


POSES: dict[str, dict[str, tuple[float, float]]] = {  # degrees, lowest and highest of what is drawn
    "tonic": {  # arms stretched and lifted to the side, head and trunk bent backwards
        "trunk_pitch": (-4, 0),
        "trunk_roll": (-4, 4),
        "trunk_yaw": (-6, 6),
        "head_pitch": (-14, -6),
        "head_roll": (-6, 6),
        "head_yaw": (-8, 8),
        "elevation": (45, 80),
        "plane": (15, 45),
        "twist": (0, 25),
        "elbow": (3, 10),
        "pronation": (110, 150),
        "wrist": (20, 45),
    },
    "clonic": {  # about which the jerks bend: half bent arms
        "trunk_pitch": (2, 8),
        "trunk_roll": (-4, 4),
        "trunk_yaw": (-6, 6),
        "head_pitch": (0, 8),
        "head_roll": (-8, 8),
        "head_yaw": (-8, 8),
        "elevation": (25, 45),
        "plane": (35, 65),
        "twist": (20, 50),
        "elbow": (40, 65),
        "pronation": (80, 120),
        "wrist": (10, 30),
    },
    "limp": {  # at rest, and after a seizure
        "trunk_pitch": (0, 4),
        "trunk_roll": (-5, 5),
        "trunk_yaw": (-6, 6),
        "head_pitch": (0, 12),
        "head_roll": (-16, 16),
        "head_yaw": (-30, 30),
        "elevation": (6, 16),
        "plane": (25, 50),
        "twist": (10, 50),
        "elbow": (15, 50),
        "pronation": (60, 110),
        "wrist": (0, 25),
    },
}


NAMES = (
    *TRUNK_ANGLES,
    *HEAD_ANGLES,
    *(f"{side}_{angle}" for side in SIDES for angle in ARM_ANGLES),
)


TURNING = {
    "trunk_yaw": 10.0,
    "trunk_roll": 6.0,
    "head_yaw": 20.0,
    "head_roll": 8.0,
}  # degrees, at most to either side
TURN_EVERY, REACH_EVERY = 90.0, 30.0  # s, on average
TURN_LASTS = 2.5  # s


@dataclass(frozen=True)
class Rest:
    """All random choices of one recording's rest; times in seconds of the video."""

    movement: Movement
    reaches: tuple[Episode, ...]
    turns: tuple[
        tuple[float, dict[str, float]], ...
    ]  # when, and by how much (rad) each angle then differs from before
    breaths: float  # Hz


def draw_rest(rng: np.random.Generator, duration: float) -> Rest:
    """Draw the rest of a video of `duration` s."""
    movement = draw_movement(rng, duration, 0, 0, variety=0.0)
    still = {
        name: 0.06 * waves * [1, 0, 0] + waves * [0, 0.4, 1]
        for name, waves in movement.swing.items()
    }  # smaller and slower
    reaches, at = [], rng.exponential(REACH_EVERY)
    while (stop := at + rng.uniform(1.5, 5.0)) < duration:
        kind, side = list(POSTURES)[rng.integers(len(POSTURES))], ("left", "right")[rng.integers(2)]
        reaches.append(
            Episode(
                float(at),
                float(stop),
                float(rng.uniform(0.5, 0.7)),
                kind,
                side,
                float(rng.uniform(0.3, 0.9)),
                False,
            )
        )
        at = stop + rng.exponential(REACH_EVERY)
    turns, at = [], rng.exponential(TURN_EVERY)
    before = dict.fromkeys(TURNING, 0.0)
    while at < duration:
        after = {
            name: float(np.radians(rng.uniform(-most, most))) for name, most in TURNING.items()
        }
        turns.append((float(at), {name: after[name] - before[name] for name in TURNING}))
        before, at = after, at + TURN_LASTS + rng.exponential(TURN_EVERY)
    return Rest(
        replace(movement, rest=draw_pose(rng, "limp"), swing=still),
        tuple(reaches),
        tuple(turns),
        float(rng.uniform(0.22, 0.30)),
    )


def rest_angles(rest: Rest, time: NDArray) -> tuple[Angles, dict[str, NDArray]]:
    """Joint angles (rad) and how far each hand is closed over `time` (s of the video)."""
    result, clench = angles(
        rest.movement,
        [r for r in rest.reaches if r.stop >= time[0] and r.start <= time[-1]],
        time,
        0.0,
    )
    for at, change in rest.turns:
        fraction = np.clip((time - at) / TURN_LASTS, 0, 1)
        for name, by in change.items():
            result[name] = result[name] + fraction * fraction * (3 - 2 * fraction) * by
    result["trunk_pitch"] = result["trunk_pitch"] + np.radians(0.8) * np.sin(
        2 * np.pi * rest.breaths * time
    )
    return result, clench


def rest_actions(rest: Rest, time: NDArray) -> NDArray:
    """Facial actions (time, action): blinks, gaze, a word now and then."""
    return actions(rest.movement, [], time, 0.0)
