"""When a sign is present: one sustained episode, among short visits to the same postures and
expressions that are no sign.

The rule of the phantom: a dystonic clip differs from others in that the posture is *held*. Others
visit the same postures, for about the same time in sum, in short reaches. Emotion follows the same
rule with expressions and passing grimaces. So a clip's mean pose carries little information, its
time course carries much.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POSTURES: dict[
    str, dict[str, float]
] = {  # degrees, see `semiology.phantom.drawing.kinematics.arm_directions`
    "across": {
        "elevation": 42,
        "plane": 80,
        "twist": 78,
        "elbow": 118,
        "pronation": 95,
        "wrist": 70,
    },
    "overhead": {
        "elevation": 128,
        "plane": 42,
        "twist": 15,
        "elbow": 75,
        "pronation": 60,
        "wrist": 55,
    },
    "sideways": {
        "elevation": 80,
        "plane": 12,
        "twist": 5,
        "elbow": 12,
        "pronation": 140,
        "wrist": 65,
    },
    "forward": {
        "elevation": 72,
        "plane": 62,
        "twist": 30,
        "elbow": 10,
        "pronation": 150,
        "wrist": 75,
    },
    "shoulder": {
        "elevation": 62,
        "plane": 45,
        "twist": -25,
        "elbow": 135,
        "pronation": 30,
        "wrist": 60,
    },
}
GRIMACES = ("fear", "anger", "smile")


@dataclass(frozen=True)
class Episode:
    """A posture of one arm or an expression of the face, from `start` to `stop` seconds of the main
    phase.
    """

    start: float
    stop: float
    ramp: float  # s to come and to go
    kind: str  # a name of POSTURES or GRIMACES
    side: str  # "left", "right", or "" for the face
    strength: float
    sign: bool  # the sustained, labelled one
    hand: float = 1.0  # how far wrist and fingers take part; 0 leaves the hand open

    def strength_at(self, time: NDArray) -> NDArray:
        """Strength over time (time,), between 0 and `strength`."""
        return self.strength * plateau(time, self.start, self.stop, self.ramp)


def plateau(time: NDArray, start: float, stop: float, ramp: float) -> NDArray:
    """0 before `start` and after `stop`, 1 from `start + ramp` to `stop - ramp`, smooth between."""
    rise = np.clip((time - start) / ramp, 0, 1)
    fall = np.clip((stop - time) / ramp, 0, 1)
    height = np.minimum(rise, fall)
    return height * height * (3 - 2 * height)


def draw_episodes(
    rng: np.random.Generator,
    duration: float,
    *,
    kind: str,
    side: str,
    present: bool,
    difficulty: float,
) -> list[Episode]:
    """Draw the episodes of one sign in one clip.

    Args:
        duration: s, of the main phase.
        kind: posture or expression of the sustained episode.
        side: of the arm; "" draws expressions of the face.
        present: whether there is a sustained episode. If not, its time is given to visits.
        difficulty: in [0, 1]. At 0 visits are short and rare and the sign is strong and long; from
            0.5 on visits take as much time in sum as the sign would; at 1 the sign is shorter and
            weaker, and a visit lasts longer.
    """
    held = duration * rng.uniform(0.45, 0.60) * (1.1 - 0.4 * difficulty)
    passing = 0.08 * (duration - held)
    episodes = []
    free = [(0.0, duration)]
    if present:
        start = rng.uniform(0.05, 0.95) * (duration - held)
        episodes.append(
            Episode(
                start,
                start + held,
                min(rng.uniform(0.4, 0.8), held / 3),
                kind,
                side,
                draw_strength(rng, difficulty),
                True,
            )
        )
        free = [(0.0, start), (start + held, duration)]
    else:
        passing += held * min(1.0, difficulty / 0.5)
    for begin, end in free:
        fraction = passing * (end - begin) / sum(stop - start for start, stop in free)
        episodes += draw_visits(rng, begin, end, fraction, faces=side == "", difficulty=difficulty)
    return sorted(episodes, key=lambda episode: episode.start)


def draw_strength(rng: np.random.Generator, difficulty: float) -> float:
    """Draw an episode's strength, in [0, 1]: the weaker the more difficult."""
    return float(np.clip(rng.uniform(0.85, 1.15) * (1.15 - 0.4 * difficulty), 0, 1))


def draw_visits(
    rng: np.random.Generator,
    begin: float,
    end: float,
    budget: float,
    *,
    faces: bool,
    difficulty: float,
) -> list[Episode]:
    """Short episodes between `begin` and `end` that last `budget` seconds in sum, about."""
    usual = 0.3 + 0.6 * difficulty  # s
    count = int(budget / usual + rng.random())
    lengths = usual * rng.uniform(0.7, 1.3, count)
    idle = (end - begin) - lengths.sum()
    if count == 0 or idle <= 0:
        return []
    gaps = idle * rng.dirichlet(np.full(count + 1, 2.0))
    starts = begin + np.cumsum(gaps)[:-1] + np.concatenate([[0], np.cumsum(lengths)[:-1]])
    names = GRIMACES if faces else tuple(POSTURES)
    return [
        Episode(
            float(start),
            float(start + length),
            float(min(rng.uniform(0.2, 0.35), length / 3)),
            names[rng.integers(len(names))],
            "" if faces else ("left", "right")[rng.integers(2)],
            draw_strength(rng, difficulty),
            False,
        )
        for start, length in zip(starts, lengths)
    ]
