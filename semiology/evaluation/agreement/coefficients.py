"""Intraclass correlations from the mean squares of targets by raters (Shrout & Fleiss 1979,
Psychological Bulletin 86:420) [P].

Written out rather than taken from pingouin, which gives the same values (the tests and `make bench
NAME=agreement` compare): it takes one table at a time, and an interval needs thousands of resampled
ones.

Weighted kappa of ordinal scores (Cohen 1968, Psychological Bulletin 70:213) [P].

Do two raters put people in the same order, or on a line? Correlations in which each row counts a
whole number of times.

Libraries correlate one sample at a time; here all resampled cohorts are done at once. The tests
compare with scipy.

Limits of agreement: how far two raters of the same thing lie apart (Bland & Altman 1986, 1999;
repeated measures: 2007) [P].

A difference is the first rater's score minus the second's. With one row a participant the limits
are bias -/+ 1.96 sd of the differences. With several, and a true value that may change between
them, the variance of a single difference is that within participants plus that between them, by
one-way analysis of variance (Bland & Altman 2007, Journal of Biopharmaceutical Statistics 17:571,
section 3); the plain sd would be too small or too large, as participants have more or fewer rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from semiology.evaluation.statistics.intervals import LEVEL, Interval
from semiology.evaluation.statistics.metrics import Array


@dataclass(frozen=True)
class MeanSquares:
    """Two-way analysis of variance of `n` (draw,) targets by `k` raters, one score in each cell.

    Attributes:
        between: (draw,) mean square of targets (BMS).
        within: of scores within targets (WMS).
        raters: of raters (JMS).
        error: what is left (EMS).
        scale: mean square of the scores about their mean, as observed, to tell rounding from
            spread.
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
        """Absolute agreement of single raters, who stand for all raters: a rater who is stricter
        than others lowers it.
        """
        stricter = self.k * (self.raters - self.error) / self.n
        return self._ratio(
            self.between - self.error, self.between + (self.k - 1) * self.error + stricter
        )

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


POWERS = {"linear": 1, "quadratic": 2}  # a disagreement by d points weighs d, or d squared


def weighted_kappa(first: Array, second: Array, weights: Array, power: int) -> Array:
    """(draw,) one minus the mean disagreement over the one expected of raters who use the scale as
    these do, but independently.

    Disagreement is the distance of the scores to the `power`, so levels that nobody used count as
    steps of the scale. As scikit-learn's `cohen_kappa_score` with all levels named. NaN where both
    raters give everybody the same score.

    Args:
        first, second: (row,) scores.
        weights: (draw, row) how often each row counts.
    """
    levels = np.unique(np.concatenate([first, second]))
    distance = np.abs(levels[:, None] - levels) ** power
    share = weights / weights.sum(1, keepdims=True)
    used = [share @ (scores[:, None] == levels) for scores in (first, second)]  # (draw, level)
    expected = ((used[0] @ distance) * used[1]).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(
            expected > 1e-12 * distance.max(),
            1 - share @ np.abs(first - second) ** power / expected,
            np.nan,
        )


def step_of(scores: Array) -> float | None:
    """1 for whole scores, 0.5 for scores in half points; None for others, which are no ordinal
    scale [our choice].
    """
    return next(
        (
            step
            for step in (1.0, 0.5)
            if np.allclose(scores / step, np.round(scores / step), atol=1e-9)
        ),
        None,
    )


AT_ONCE = 4_000_000  # numbers in one (draw, row) array: 32 MB


def pearson(first: Array, second: Array, weights: Array) -> Array:
    """(draw,) product-moment correlation (Pearson 1896); NaN where one of both has one value only.

    Args:
        first, second: (row,) scores.
        weights: (draw, row) how often each row counts.
    """
    x, y = first - first.mean(), second - second.mean()
    sums = weights @ np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    return _correlation(
        sums,
        np.array(
            [
                (z * z).max() + 1e-12 * (scores * scores).max()
                for z, scores in ((x, first), (y, second))
            ]
        ),
    )


def spearman(first: Array, second: Array, weights: Array) -> Array:
    """(draw,) rank correlation (Spearman 1904): Pearson's of the ranks, ties sharing their mean
    rank; arguments as in `pearson`.

    The ranks are those in the resampled cohort, where a row that was drawn thrice is a tie of
    three.
    """
    pieces = np.array_split(weights, max(1, -(-weights.size // AT_ONCE)))
    return np.concatenate([_rank_correlation(first, second, piece) for piece in pieces])


def _rank_correlation(first: Array, second: Array, weights: Array) -> Array:
    n = weights.sum(1, keepdims=True)
    x, y = (mean_ranks(values, weights) - (n + 1) / 2 for values in (first, second))
    wx, wy = weights * x, weights * y
    sums = np.stack(
        [n[:, 0], wx.sum(1), wy.sum(1), (wx * x).sum(1), (wy * y).sum(1), (wx * y).sum(1)], axis=1
    )
    return _correlation(sums, n**2)


def mean_ranks(values: Array, weights: Array) -> Array:
    """(draw, row) rank of each row's value, 1 for the lowest, where each row is there `weights`
    (draw, row) times.
    """
    order = np.argsort(values, kind="stable")
    level = np.cumsum(
        np.diff(values[order], prepend=values[order[0]]) > 0
    )  # 0, 1, ... of the sorted rows
    times = np.add.reduceat(weights[:, order], np.flatnonzero(np.diff(level, prepend=-1)), axis=1)
    ranks = np.cumsum(times, axis=1) - (times - 1) / 2
    found = np.empty_like(weights, dtype=float)
    found[:, order] = ranks[:, level]
    return found


def _correlation(sums: Array, scale: Array) -> Array:
    """From (draw, 6) sums of 1, x, y, xx, yy, xy; spreads below 1e-12 of `scale` are rounding and
    mean that there is none.
    """
    n, x, y, xx, yy, xy = np.moveaxis(sums, 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.stack([xx - x * x / n, yy - y * y / n], axis=1) / n[:, None]
        found = (xy - x * y / n) / n / np.sqrt(spread[:, 0] * spread[:, 1])
    return np.where((spread > 1e-12 * scale).all(1), np.clip(found, -1, 1), np.nan)


Z = 1.96  # as Bland & Altman 1999 have it; in 1986 they took 2
CLOSED = "Bland & Altman 1999, Student's t, one row a participant"
REPEATED = "repeated measures, variance within and between participants (Bland & Altman 2007)"


@dataclass(frozen=True)
class Limits:
    """(draw,) bias and sd of a single difference; `low` and `high` are the limits of agreement."""

    bias: Array
    sd: Array

    @property
    def low(self) -> Array:
        return self.bias - Z * self.sd

    @property
    def high(self) -> Array:
        return self.bias + Z * self.sd


def limits_of_agreement(
    difference: Array, participant: NDArray[np.integer], weights: Array
) -> Limits:
    """Bias and sd in each resampled cohort; the sd is NaN with one participant only.

    Args:
        difference: (row,).
        participant: (row,) codes.
        weights: (draw, participant) how often each participant counts.
    """
    people = weights.shape[1]
    rows = np.bincount(participant, minlength=people).astype(float)
    mean = np.bincount(participant, difference, people) / np.maximum(rows, 1)
    inside = np.bincount(participant, (difference - mean[participant]) ** 2, people)
    n, total = weights.sum(1), weights @ rows
    with np.errstate(invalid="ignore", divide="ignore"):
        bias = weights @ (rows * mean) / total
        between = (weights @ (rows * mean**2) - total * bias**2) / (n - 1)
        within = np.where(total > n, weights @ inside / np.maximum(total - n, 1), 0.0)
        typical = (total - weights @ rows**2 / total) / (
            n - 1
        )  # rows a participant, as the analysis of variance counts them
        variance = within + np.maximum(between - within, 0) / typical
    return Limits(bias, np.sqrt(np.maximum(variance, 0)))


def closed_form(bias: float, sd: float, n: int) -> dict[str, Interval]:
    """Intervals of `bias`, `lower_limit` and `upper_limit` with one row for each of `n`
    participants.

    The variance of a limit is (1/n + 1.96^2 / (2 (n - 1))) sd^2, the bias's sd^2 / n.
    """
    quantile = float(t.ppf(0.5 + LEVEL / 200, n - 1))
    arm = quantile * sd * np.sqrt(1 / n + Z**2 / (2 * (n - 1)))
    ends = {
        "bias": (bias, quantile * sd / np.sqrt(n)),
        "lower_limit": (bias - Z * sd, arm),
        "upper_limit": (bias + Z * sd, arm),
    }
    return {
        name: Interval(float(centre - half), float(centre + half), 0, method=CLOSED)
        for name, (centre, half) in ends.items()
    }
