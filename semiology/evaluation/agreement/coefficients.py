"""Intraclass correlations from the mean squares of targets by raters (Shrout & Fleiss 1979, Psychological Bulletin 86:420) [P].

Written out rather than taken from pingouin, which gives the same values (the tests and `make bench NAME=agreement` compare): it takes one
table at a time, and an interval needs thousands of resampled ones.
"""

from dataclasses import dataclass

import numpy as np

from semiology.evaluation.statistics.metrics import Array


@dataclass(frozen=True)
class MeanSquares:
    """Two-way analysis of variance of `n` (draw,) targets by `k` raters, one score in each cell.

    Attributes:
        between: (draw,) mean square of targets (BMS).
        within: of scores within targets (WMS).
        raters: of raters (JMS).
        error: what is left (EMS).
        scale: mean square of the scores about their mean, as observed, to tell rounding from spread.
    """

    n: Array
    k: int
    between: Array
    within: Array
    raters: Array
    error: Array
    scale: float

    def icc_1_1(self) -> Array:
        """One score by a rater who is anybody: targets have raters of their own."""
        return self._ratio(self.between - self.within, self.between + (self.k - 1) * self.within)

    def icc_2_1(self) -> Array:
        """Absolute agreement of single raters, who stand for all raters: a rater who is stricter than others lowers it."""
        stricter = self.k * (self.raters - self.error) / self.n
        return self._ratio(self.between - self.error, self.between + (self.k - 1) * self.error + stricter)

    def icc_3_1(self) -> Array:
        """Consistency of these very raters: that one of them is stricter does not matter."""
        return self._ratio(self.between - self.error, self.between + (self.k - 1) * self.error)

    def _ratio(self, above: Array, below: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(below > 1e-12 * self.scale, above / below, np.nan)


def mean_squares(scores: Array, weights: Array) -> MeanSquares:
    """The analysis of variance in each resampled cohort; NaN with one target only.

    Args:
        scores: (target, rater), without gaps.
        weights: (draw, target) how often each target counts.
    """
    k = scores.shape[1]
    x = scores - scores.mean()
    target = x.mean(1)
    n = weights.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        grand = weights @ target / n
        raters = n * (((weights @ x) / n[:, None] - grand[:, None]) ** 2).sum(1)
        between = k * (weights @ target**2 - n * grand**2)
        within = weights @ ((x - target[:, None]) ** 2).sum(1)
        return MeanSquares(
            n,
            k,
            between / (n - 1),
            within / (n * (k - 1)),
            raters / (k - 1),
            np.maximum(within - raters, 0) / ((n - 1) * (k - 1)),
            float((x**2).mean() + 1e-12 * (scores**2).mean()),
        )
