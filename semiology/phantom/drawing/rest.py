"""A patient who lies in bed: breathing, small movements, turning over a little, an arm that reaches
for something. All our choice.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semiology.phantom.drawing.episodes import POSTURES, Episode
from semiology.phantom.drawing.kinematics import Angles
from semiology.phantom.drawing.motion import Movement, actions, angles, draw_movement, draw_pose

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
