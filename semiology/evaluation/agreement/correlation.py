"""Do two raters put people in the same order, or on a line? Correlations in which each row counts a whole number of times.

Libraries correlate one sample at a time; here all resampled cohorts are done at once. The tests compare with scipy.
"""

import numpy as np

from semiology.evaluation.statistics.metrics import Array

AT_ONCE = 4_000_000  # numbers in one (draw, row) array: 32 MB


def pearson(first: Array, second: Array, weights: Array) -> Array:
    """(draw,) product-moment correlation (Pearson 1896); NaN where one of both has one value only.

    Args:
        first, second: (row,) scores.
        weights: (draw, row) how often each row counts.
    """
    x, y = first - first.mean(), second - second.mean()
    sums = weights @ np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    return _correlation(sums, np.array([(z * z).max() + 1e-12 * (scores * scores).max() for z, scores in ((x, first), (y, second))]))


def spearman(first: Array, second: Array, weights: Array) -> Array:
    """(draw,) rank correlation (Spearman 1904): Pearson's of the ranks, ties sharing their mean rank; arguments as in `pearson`.

    The ranks are those in the resampled cohort, where a row that was drawn thrice is a tie of three.
    """
    pieces = np.array_split(weights, max(1, -(-weights.size // AT_ONCE)))
    return np.concatenate([_rank_correlation(first, second, piece) for piece in pieces])


def _rank_correlation(first: Array, second: Array, weights: Array) -> Array:
    n = weights.sum(1, keepdims=True)
    x, y = (mean_ranks(values, weights) - (n + 1) / 2 for values in (first, second))
    wx, wy = weights * x, weights * y
    sums = np.stack([n[:, 0], wx.sum(1), wy.sum(1), (wx * x).sum(1), (wy * y).sum(1), (wx * y).sum(1)], axis=1)
    return _correlation(sums, n**2)


def mean_ranks(values: Array, weights: Array) -> Array:
    """(draw, row) rank of each row's value, 1 for the lowest, where each row is there `weights` (draw, row) times."""
    order = np.argsort(values, kind="stable")
    level = np.cumsum(np.diff(values[order], prepend=values[order[0]]) > 0)  # 0, 1, ... of the sorted rows
    times = np.add.reduceat(weights[:, order], np.flatnonzero(np.diff(level, prepend=-1)), axis=1)
    ranks = np.cumsum(times, axis=1) - (times - 1) / 2
    found = np.empty_like(weights, dtype=float)
    found[:, order] = ranks[:, level]
    return found


def _correlation(sums: Array, scale: Array) -> Array:
    """From (draw, 6) sums of 1, x, y, xx, yy, xy; spreads below 1e-12 of `scale` are rounding and mean that there is none."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.stack([xx - x * x / n, yy - y * y / n], axis=1) / n[:, None]
        found = (xy - x * y / n) / n / np.sqrt(spread[:, 0] * spread[:, 1])
    return np.where((spread > 1e-12 * scale).all(1), np.clip(found, -1, 1), np.nan)
