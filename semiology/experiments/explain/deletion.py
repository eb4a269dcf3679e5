"""The figure of merit of a map: take away what it names first, and the score must fall faster than if anything is taken away.

After Petsiuk et al., RISE, BMVC 2018 (deletion); cells are whole pieces of a joint's time, because single missing frames are filled in
tracking and no network meets them. Our choice, as are the sizes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.integrate import trapezoid

from semiology.data.skeleton import Skeleton
from semiology.experiments.explain.inputs import ClipInput
from semiology.experiments.explain.score import Gated, LogOdds

FRACTIONS = np.linspace(0, 1, 11)
PIECES = 16  # of a window in time, as in occlusion
ORDERS = 10  # random ones, whose mean is the comparison


@dataclass(frozen=True)
class Deletion:
    """Probability of the level after each of `FRACTIONS` was taken away: (fraction,) each, mean over windows."""

    attributed: np.ndarray
    random: np.ndarray

    @property
    def area(self) -> float:
        """Mean of random minus attributed over the fractions, 0 where the map is no better than chance."""
        return float(trapezoid(self.random - self.attributed, FRACTIONS))


def deletion(
    score: LogOdds, clip: ClipInput, joints: np.ndarray, skeleton: Skeleton, kinds: list[str], rng: np.random.Generator
) -> Deletion:
    """Delete cells, joint by piece of time, in order of their attribution (window, time, joint), and in random orders.

    Cells in which the joint was never seen are no part of it: there is nothing to take away. What is deleted is missing as a lost joint is,
    see `Gated`.
    """
    attributed, random = [], []
    for keypoints, mask, values in zip(clip.keypoints, clip.mask, joints):
        time = len(mask)
        piece = (np.arange(time) * PIECES) // time
        summed = np.zeros((PIECES, mask.shape[1]))
        np.add.at(summed, piece, values)
        seen = np.zeros(summed.shape, bool)
        np.logical_or.at(seen, piece, mask.numpy() > 0)
        cells = np.argwhere(seen)
        order = np.argsort(-summed[seen], kind="stable")
        orders = [order, *(rng.permutation(len(cells)) for _ in range(ORDERS))]
        gates = np.ones((len(orders), len(FRACTIONS), PIECES, mask.shape[1]), np.float32)
        for number, ranks in enumerate(orders):
            for step, fraction in enumerate(FRACTIONS):
                gone = cells[ranks[: round(fraction * len(cells))]]
                gates[number, step, gone[:, 0], gone[:, 1]] = 0
        with torch.no_grad():
            shown = Gated(score, keypoints, mask, skeleton, kinds)
            found = [shown(torch.from_numpy(gate[:, piece])).sigmoid().numpy() for gate in gates]
        attributed.append(found[0])
        random.append(np.mean(found[1:], axis=0))
    return Deletion(np.mean(attributed, axis=0), np.mean(random, axis=0))
