"""Facial weakness: how much of a healthy face's actions remains, on each side and over a task.

A weak muscle loses a fraction (LOSS) of its movement. The tone of lid and mouth falls too, so that
lids droop and corners sag at rest. In myasthenia strength runs out while a muscle is held: the
visible weakness rises over a task towards the degree. Signs after the quantitative myasthenia
gravis score (Barohn et al. 1998: ptosis in sustained upgaze, lid closure, facial muscles); the
amounts are our choice. At degree 0 the face is healthy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semiology.phantom.drawing.face import ACTIONS, LANDMARK_ACTIONS
from semiology.phantom.drawing.kinematics import SIDES
from semiology.phantom.shared.design import block_randomised

LOSS: dict[str, dict[str, float]] = {  # region -> action -> fraction lost at weakness 1
    "brow": {"brow_inner": 0.8, "brow_outer": 0.8, "brow_lower": 0.7},
    "lids": {"blink": 0.65, "lid_tight": 0.7},
    "mouth": {
        "corner_up": 0.85,
        "corner_down": 0.6,
        "stretch": 0.7,
        "press": 0.6,
        "upper_lip": 0.7,
    },
}
DROOP = 1.3  # of `lid_raise` that the upper lid loses at weakness 1: 5 mm of 7
SAG = 0.3  # of `corner_down` that the corners of the mouth then gain
# fraction of the degree that a region has at least: in some persons the eyes are weaker, in others
# the mouth
SPARED = 0.6
SEVERE = 0.5  # degree from which weakness counts as severe
WEAKEST = {"control": (0.0, 0.08), "patient": (0.15, 1.0)}  # range of the degree
FATIGABLE = 0.3, 0.7  # fraction of the degree that appears only after effort
# of a task, after which 63 % of that fraction has appeared; over a minute in patients, over any
# length here
TIRING = 0.4
# standard deviation of a healthy face's difference between its sides: relative, of each action, and
# of `lid_raise` at rest
UNEVEN = (0.04, 0.08)


@dataclass(frozen=True)
class Weakness:
    """How weak somebody's face is.

    Attributes:
        degree: in [0, 1], weakness of the weaker side when strength has run out.
        side: "left", "right" (the other is healthy), or "both" alike.
        fatigable: fraction of the degree that appears only after effort, in [0, 1].
        regions: name of LOSS -> fraction of the degree that this region has.
    """

    degree: float
    side: str
    fatigable: float
    regions: dict[str, float]

    def over(self, tired: NDArray) -> NDArray:
        """Weakness in [0, 1] of each side (time, side) where strength has run out by the fraction
        `tired` (time,).
        """
        weakness = self.degree * (1 - self.fatigable * (1 - tired))
        return np.stack([weakness * (self.side in (side, "both")) for side in SIDES], -1)


def draw_weakness(rng: np.random.Generator, seed: int, group: str, number: int) -> Weakness:
    """Draw for participant `number` (from 0) of "patient" or "control". In twelve that follow each
    other degrees cover their range evenly, and in three patients there is one of each side; a
    control's little weakness is that of both.
    """
    low, high = WEAKEST[group]
    degree = low + (high - low) * (block_randomised(seed, 20, number, 12) + rng.random()) / 12
    side = (
        ("left", "right", "both")[block_randomised(seed, 21, number, 3)]
        if group == "patient"
        else "both"
    )
    regions = {name: float(rng.uniform(SPARED, 1)) for name in LOSS}
    regions[list(LOSS)[rng.integers(len(LOSS))]] = 1.0
    return Weakness(float(degree), side, float(rng.uniform(*FATIGABLE)), regions)


def draw_unevenness(rng: np.random.Generator) -> NDArray:
    """How a healthy face's sides differ: (2, action, side), a factor for each intended action, and
    a shift, which is 0 but for the lid.
    """
    gain, shift = np.ones((len(ACTIONS), 2)), np.zeros((len(ACTIONS), 2))
    for i, name in enumerate(LANDMARK_ACTIONS):
        if name != "jaw":  # there is one jaw
            gain[i] += 0.5 * rng.normal(0, UNEVEN[0]) * np.array([1, -1])
    shift[ACTIONS.index("lid_raise")] = 0.5 * rng.normal(0, UNEVEN[1]) * np.array([1, -1])
    return np.stack([gain, shift])


def tiredness(effort: NDArray, fps: float, task: float) -> NDArray:
    """How far strength has run out (time,), 0 to 1, by the effort (time,) made so far in a task of
    `task` s; without effort not at all.
    """
    return 1 - np.exp(-np.cumsum(effort) / fps / (TIRING * task))


def weakened(actions: NDArray, weakness: Weakness, tired: NDArray) -> NDArray:
    """What remains of a healthy face's actions (time, action, side) when strength has run out by
    `tired` (time,).
    """
    result, by_side = actions.copy(), weakness.over(tired)
    for region, losses in LOSS.items():
        here = weakness.regions[region] * by_side
        for name, loss in losses.items():
            result[:, ACTIONS.index(name)] *= 1 - loss * here
    result[:, ACTIONS.index("lid_raise")] -= DROOP * weakness.regions["lids"] * by_side
    result[:, ACTIONS.index("corner_down")] += SAG * weakness.regions["mouth"] * by_side
    return result
