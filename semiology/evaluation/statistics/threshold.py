"""A threshold of the score, chosen on development participants and applied to others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

RULE = (
    "Youden's: sensitivity + specificity - 1 is largest; of equal ones that with sensitivity and specificity nearest to each other, "
    "then the lowest; half way between two neighbouring scores; a score at or above it is called positive"
)


@dataclass(frozen=True)
class Threshold:
    """A threshold, with the sensitivity and specificity that it has where it was chosen: too good for anybody else."""

    value: float
    sensitivity: float
    specificity: float


def youden(truth: ArrayLike, score: ArrayLike) -> Threshold:
    """The threshold with the largest sensitivity + specificity - 1 (Youden 1950); ties as in `RULE` [our choice].

    Args:
        truth: (participant,) 1 for the positive level, 0 for the other.
        score: (participant,) higher for the positive level. Of participants whom the model had not seen, or the threshold is worthless.

    Raises:
        ValueError: participants of one level only.
    """
    truth, score = np.asarray(truth), np.asarray(score, dtype=float)
    if len(np.unique(truth)) < 2:
        raise ValueError("a threshold needs participants of both levels")
    known = np.unique(score)
    candidates = np.concatenate([known[:1], (known[1:] + known[:-1]) / 2])  # the lowest calls everybody positive
    called = score >= candidates[:, None]  # (candidate, participant)
    sensitivity, specificity = called[:, truth == 1].mean(1), 1 - called[:, truth == 0].mean(1)
    order = np.lexsort([candidates, np.round(np.abs(sensitivity - specificity), 12), -np.round(sensitivity + specificity, 12)])
    best = order[0]
    return Threshold(float(candidates[best]), float(sensitivity[best]), float(specificity[best]))
