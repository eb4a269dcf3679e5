"""Interval of the AUC in closed form: DeLong, DeLong & Clarke-Pearson 1988, and Obuchowski 1997 where participants have several clips."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from semiology.evaluation.statistics.metrics import Array
from semiology.evaluation.statistics.proportion import LEVEL


@dataclass(frozen=True)
class Areas:
    """Areas of one or several scores of the same clips.

    Attributes:
        areas: (score,).
        covariance: (score, score).
    """

    areas: Array
    covariance: Array

    @property
    def errors(self) -> Array:
        """(score,) standard errors."""
        return np.sqrt(np.diag(self.covariance))

    def limits(self) -> Array:
        """(score, 2) the 95 % intervals, area +- 1.96 standard errors cut at 0 and 1.

        Near 1, and with few participants, such symmetric limits reach too high and too little down; without a wrong pair they have no
        width. The bootstrap is the default for that reason.
        """
        half = norm.ppf(0.5 + LEVEL / 200) * self.errors
        return np.clip(np.stack([self.areas - half, self.areas + half], axis=1), 0, 1)


def delong(truth: ArrayLike, scores: ArrayLike, participant: ArrayLike | None = None) -> Areas:
    """Areas under the ROC curves of scores (score, clip) and their covariance.

    Without `participant` this is DeLong's estimate, which takes clips as independent. With `participant` (clip,) it is Obuchowski's, where
    what clips of one participant contribute is summed first, so that they may depend on each other; where each has one clip both agree.

    Raises:
        ValueError: fewer than two clips (or participants with clips) of either level.
    """
    score: Array = np.atleast_2d(np.asarray(scores, dtype=float))
    truth = np.asarray(truth)
    cluster = np.arange(len(truth)) if participant is None else np.unique(np.asarray(participant), return_inverse=True)[1]
    positive, negative = truth == 1, truth == 0
    m, n, clusters = positive.sum(), negative.sum(), cluster.max() + 1
    with_positive, with_negative = len(set(cluster[positive])), len(set(cluster[negative]))
    if min(with_positive, with_negative) < 2:
        raise ValueError("an area's variance needs two participants with and two without the sign")
    difference = score[:, positive][:, :, None] - score[:, negative][:, None]
    won: Array = (difference > 0) + 0.5 * (difference == 0)  # (score, positive clip, negative clip)
    areas = won.mean((1, 2))
    above = _summed(won.mean(2) - areas[:, None], cluster[positive], clusters)  # what each cluster's positive clips add to the area
    below = _summed(won.mean(1) - areas[:, None], cluster[negative], clusters)
    both = above @ below.T
    covariance = with_positive / (with_positive - 1) * (above @ above.T) / m**2
    covariance += with_negative / (with_negative - 1) * (below @ below.T) / n**2
    covariance += clusters / (clusters - 1) * (both + both.T) / (m * n)
    return Areas(areas, covariance)


def _summed(values: Array, cluster: Array, clusters: int) -> Array:
    return np.stack([np.bincount(cluster, row, clusters) for row in values])
