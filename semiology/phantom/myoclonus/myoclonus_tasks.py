"""What somebody does while they are examined for myoclonus, after the UMRS' panels: sit at rest, hear claps, hold and stretch out the arms,
drink. The panels are the scale's (Frucht et al. 2002, the Unified Myoclonus Rating Scale); postures, speeds and pauses are our choice.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semiology.phantom.drawing.kinematics import ARM_ANGLES, SIDES, Angles
from semiology.phantom.drawing.rest import Rest, draw_rest, rest_angles
from semiology.phantom.myoclonus.jerks import minimum_jerk

PANELS = {  # panel -> item: what is done in it
    "rest": "sitting",
    "stimulus": "claps",
    "action": "hold_and_reach",
    "functional": "drinking",
}
POSES: dict[str, dict[str, tuple[float, float]]] = {  # degrees, of an arm: lowest and highest of what is drawn
    "held": {"elevation": (58, 78), "plane": (45, 70), "twist": (0, 20), "elbow": (10, 22), "pronation": (60, 100), "wrist": (-5, 10)},
    "target": {"elevation": (60, 95), "plane": (30, 80), "twist": (0, 35), "elbow": (15, 45), "pronation": (40, 90), "wrist": (-10, 15)},
    "mouth": {"elevation": (42, 58), "plane": (62, 78), "twist": (40, 60), "elbow": (112, 128), "pronation": (60, 90), "wrist": (0, 20)},
}
RAISE = 1.2, 1.8  # s to lift the arms
REACH = 0.9, 1.5  # s of a reach
PAUSE = 0.5, 1.2  # s between reaches
CLAPS = 2.5, 5.0  # s between them


@dataclass(frozen=True)
class Move:
    """One arm goes from where it is to a pose, along minimum-jerk courses of its angles."""

    start: float  # s
    lasts: float  # s
    change: dict[str, float]  # name of an angle -> rad by which it then differs


@dataclass(frozen=True)
class Task:
    """All random choices of what is done in one clip; times in seconds of the video."""

    rest: Rest
    moves: tuple[Move, ...]
    stimuli: tuple[float, ...]


def draw_task(rng: np.random.Generator, panel: str, duration: float) -> Task:
    """Draw what is done in a panel for `duration` s. At rest nothing moves but what breathes and sways a little."""
    rest = replace(draw_rest(rng, duration), reaches=(), turns=())
    moves: list[Move] = []
    if panel == "action":
        down = 0.5 * duration
        for side in SIDES:
            there = arm_pose(rng, "held", side)
            moves += there_and_back(rest, side, there, float(rng.uniform(0.8, 1.0)), down - 2, *rng.uniform(*RAISE, 2))
        moves += draw_reaches(rng, rest, "target", down + 0.5, duration, tuple(SIDES))
    if panel == "functional":
        moves += draw_reaches(rng, rest, "mouth", 1.0, duration, (("left", "right")[rng.integers(2)],))
    stimuli = []
    if panel == "stimulus":
        at = rng.uniform(1, CLAPS[1])
        while at < duration - 1:
            stimuli.append(float(at))
            at += rng.uniform(*CLAPS)
    return Task(rest, tuple(moves), tuple(stimuli))


def arm_pose(rng: np.random.Generator, pose: str, side: str) -> dict[str, float]:
    """One of POSES (rad)."""
    return {f"{side}_{angle}": float(np.radians(rng.uniform(*POSES[pose][angle]))) for angle in ARM_ANGLES}


def draw_reaches(rng: np.random.Generator, rest: Rest, pose: str, start: float, stop: float, sides: tuple[str, ...]) -> list[Move]:
    """Reaches to a pose and back, one after the other, from `start` until `stop` s; the arms take turns."""
    moves: list[Move] = []
    at, turn = start, int(rng.integers(len(sides)))
    while True:
        there, back, stay, wait = *rng.uniform(*REACH, 2), *rng.uniform(*PAUSE, 2)
        until = at + there + stay
        if until + back > stop:
            return moves
        side = sides[turn % len(sides)]
        moves += there_and_back(rest, side, arm_pose(rng, pose, side), at, until, there, back)
        at, turn = until + back + wait, turn + 1


def there_and_back(rest: Rest, side: str, pose: dict[str, float], start: float, until: float, there: float, back: float) -> list[Move]:
    """An arm goes to a pose within `there` s from `start` on, stays until `until` s and returns within `back` s."""
    change = {name: value - rest.movement.rest[name] for name, value in pose.items()}
    return [
        Move(float(start), float(there), change),
        Move(float(until), float(back), {name: -by for name, by in change.items()}),
    ]


def task_angles(task: Task, time: NDArray) -> tuple[Angles, dict[str, NDArray]]:
    """Joint angles (rad) and how far each hand is closed over `time` (s of the video), without jerks."""
    result, clench = rest_angles(task.rest, time)
    for move in task.moves:
        share = minimum_jerk((time - move.start) / move.lasts)
        for name, by in move.change.items():
            result[name] = result[name] + share * by
    return result, clench
