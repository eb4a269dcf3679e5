"""Coefficients of agreement between two or more raters, for many resampled cohorts at once.

- Intraclass correlation from the mean squares of a two-way analysis of variance (Shrout and Fleiss
  1979, Psychological Bulletin 86:420; McGraw and Wong 1996, Psychological Methods 1:30) [P].
- Weighted kappa of ordinal scores (Cohen 1968, Psychological Bulletin 70:213) [P].
- Fleiss' kappa and Gwet's AC1 of several raters who find a sign or do not.
- Pearson's and Spearman's correlation.
- Limits of agreement (Bland and Altman 1986, Lancet 1:307; 1999, Statistical Methods in Medical
  Research 8:135; repeated measures: 2007, Journal of Biopharmaceutical Statistics 17:571) [P].

Every function takes `weights`: how often each row or participant counts in each resampled cohort.
Libraries take one sample at a time, and an interval needs thousands; the tests compare with
pingouin, scikit-learn and scipy.

A difference is the first rater's score minus the second's. With one row a participant the limits of
agreement are bias -/+ 1.96 SD of the differences. With several rows, and a true value that may
change between them, the variance of a single difference is that within plus that between
participants, by one-way analysis of variance (Bland and Altman 2007, section 3); the plain SD would
be biased.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from semiology.evaluation.statistics.intervals import AT_ONCE, LEVEL, Interval
from semiology.evaluation.statistics.metrics import Array


@dataclass(frozen=True)
class MeanSquares:
    """Two-way analysis of variance: n targets scored by the same k raters, without replication.

    The attributes but `k` and `scale` are arrays (draw,), a value for each resampled cohort; the
    abbreviations are those of Shrout and Fleiss 1979.

    Attributes
    ----------
    n : (draw,) ndarray
        Number of targets.
    k : int
        Number of raters.
    between : (draw,) ndarray
        Mean square between targets (BMS).
    within : (draw,) ndarray
        Mean square within targets (WMS).
    raters : (draw,) ndarray
        Mean square between raters (JMS).
    error : (draw,) ndarray
        Residual mean square (EMS).
    scale : float
        Mean square of the observed scores about their mean, to distinguish rounding from variance.
    """

    n: Array
    k: int
    between: Array
    within: Array
    raters: Array
    error: Array
    scale: float

    def icc_1_1(self) -> Array:
        """ICC(1,1): one-way random effects, absolute agreement, single measurement.

        For targets that are each scored by other raters. McGraw and Wong's ICC(1).

        Returns
        -------
        (draw,) ndarray
            (BMS - WMS) / (BMS + (k - 1) WMS); NaN without variance.
        """
        return self._ratio(self.between - self.within, self.between + (self.k - 1) * self.within)

    def icc_2_1(self) -> Array:
        """ICC(2,1): two-way random effects, absolute agreement, single measurement.

        For raters who are a sample of all raters; a systematic difference between raters lowers it.
        McGraw and Wong's ICC(A,1).

        Returns
        -------
        (draw,) ndarray
            (BMS - EMS) / (BMS + (k - 1) EMS + k (JMS - EMS) / n); NaN without variance.

        Examples
        --------
        Six targets by four raters, table 2 of Shrout and Fleiss 1979:

        >>> scores = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6],
        ...                    [10, 5, 6, 9], [6, 2, 4, 7.0]])
        >>> squares = mean_squares(scores, np.ones((1, 6)))
        >>> [round(float(icc()[0]), 2) for icc in (squares.icc_1_1, squares.icc_2_1,
        ...                                        squares.icc_3_1)]
        [0.17, 0.29, 0.71]
        """
        between_raters = self.k * (self.raters - self.error) / self.n
        return self._ratio(
            self.between - self.error, self.between + (self.k - 1) * self.error + between_raters
        )

    def icc_3_1(self) -> Array:
        """ICC(3,1): two-way mixed effects, consistency, single measurement.

        For these raters only; a systematic difference between them does not lower it. McGraw and
        Wong's ICC(C,1).

        Returns
        -------
        (draw,) ndarray
            (BMS - EMS) / (BMS + (k - 1) EMS); NaN without variance.
        """
        return self._ratio(self.between - self.error, self.between + (self.k - 1) * self.error)

    def _ratio(self, numerator: Array, denominator: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(denominator > 1e-12 * self.scale, numerator / denominator, np.nan)


def mean_squares(scores: Array, weights: Array) -> MeanSquares:
    """Mean squares of the two-way analysis of variance in each resampled cohort.

    Parameters
    ----------
    scores : (target, rater) ndarray
        Scores, none missing.
    weights : (draw, target) ndarray
        How often each target counts.

    Returns
    -------
    MeanSquares
        Mean squares; NaN with one target only.
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


# weights of kappa: a disagreement by d points counts d, or d squared
POWERS = {"linear": 1, "quadratic": 2}


def weighted_kappa(first: Array, second: Array, weights: Array, power: int) -> Array:
    """Weighted kappa: one minus the observed over the expected disagreement.

    The expected disagreement is that of independent raters with the same marginal distributions.
    Disagreement is |first - second| ** power, so that grades which nobody used count as steps of
    the scale; scikit-learn's `cohen_kappa_score` gives the same if all grades are listed.

    Parameters
    ----------
    first : (row,) ndarray
        Ordinal scores of the first rater.
    second : (row,) ndarray
        Scores of the second rater.
    weights : (draw, row) ndarray
        How often each row counts.
    power : int
        1 for linear, 2 for quadratic weights.

    Returns
    -------
    (draw,) ndarray
        -1 to 1; NaN where both raters give the same single score.

    References
    ----------
    Cohen 1968, Psychological Bulletin 70:213 [P].

    Examples
    --------
    >>> first, second = np.array([0, 1, 2, 2.0]), np.array([0, 1, 1, 2.0])
    >>> round(float(weighted_kappa(first, second, np.ones((1, 4)), 2)[0]), 3)
    0.8
    """
    grades = np.unique(np.concatenate([first, second]))
    distance = np.abs(grades[:, None] - grades) ** power
    fraction = weights / weights.sum(1, keepdims=True)
    # marginal distributions (draw, grade)
    marginal = [fraction @ (scores[:, None] == grades) for scores in (first, second)]
    expected = ((marginal[0] @ distance) * marginal[1]).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(
            expected > 1e-12 * distance.max(),
            1 - fraction @ np.abs(first - second) ** power / expected,
            np.nan,
        )


def fleiss_kappa(counts: Array) -> Array:
    """Fleiss' kappa of a sign that each of n raters finds or does not find, in each resampled
    cohort.

    Expected agreement is that of raters who all find it with the same probability, the mean over
    the raters; with two raters this is Scott's pi, a little below Cohen's kappa.

    Parameters
    ----------
    counts : (draw, n + 1) ndarray
        How often (or how long) 0, 1, ... n of the raters find it.

    Returns
    -------
    (draw,) ndarray
        -1 to 1; NaN where all find it always, or never.

    References
    ----------
    Fleiss 1971, Psychological Bulletin 76:378 [P].

    Examples
    --------
    Three raters of 10 targets: all find the sign in 4, two in 1, nobody in 5.

    >>> round(float(fleiss_kappa(np.array([[5, 0, 1, 4]]))[0]), 3)
    0.866
    """
    observed, share = _found_by_several(counts)
    return _beyond_chance(observed, share**2 + (1 - share) ** 2)


def gwet_ac1(counts: Array) -> Array:
    """Gwet's AC1 of a sign that each of n raters finds or does not find, in each resampled cohort.

    Chance agreement is 2 q (1 - q), q being the mean share that is found: it vanishes with rare
    signs, of which kappa can be near zero though raters nearly always agree.

    Parameters
    ----------
    counts : (draw, n + 1) ndarray
        How often (or how long) 0, 1, ... n of the raters find it.

    Returns
    -------
    (draw,) ndarray
        -1 to 1; NaN without any count.

    References
    ----------
    Gwet 2008, British Journal of Mathematical and Statistical Psychology 61:29 [P].

    Examples
    --------
    Two raters of 125 targets, 118 found by both, 7 by one of them (Gwet 2008, table 2): kappa
    is below zero.

    >>> counts = np.array([[0, 7, 118]])
    >>> round(float(gwet_ac1(counts)[0]), 3), round(float(fleiss_kappa(counts)[0]), 3)
    (0.941, -0.029)
    """
    observed, share = _found_by_several(counts)
    return _beyond_chance(observed, 2 * share * (1 - share))


def _found_by_several(counts: Array) -> tuple[Array, Array]:
    """Mean agreement of two of the raters, and the mean share that a rater finds, (draw,) each."""
    n = counts.shape[1] - 1
    found = np.arange(n + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        fraction = counts / counts.sum(1, keepdims=True)
    alike = (found * (found - 1) + (n - found) * (n - found - 1)) / (n * (n - 1))
    return fraction @ alike, fraction @ found / n


def _beyond_chance(observed: Array, expected: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(1 - expected > 1e-12, (observed - expected) / (1 - expected), np.nan)


def step_of(scores: Array) -> float | None:
    """The step of an ordinal scale: 1 of whole, 0.5 of half points; None of other scores.

    Others are not taken as ordinal [our choice].
    """
    return next(
        (
            step
            for step in (1.0, 0.5)
            if np.allclose(scores / step, np.round(scores / step), atol=1e-9)
        ),
        None,
    )


def pearson(first: Array, second: Array, weights: Array) -> Array:
    """Pearson's product-moment correlation in each resampled cohort.

    Parameters
    ----------
    first : (row,) ndarray
        Scores of the first rater.
    second : (row,) ndarray
        Scores of the second rater.
    weights : (draw, row) ndarray
        How often each row counts.

    Returns
    -------
    (draw,) ndarray
        -1 to 1; NaN where one of both is constant.

    Examples
    --------
    >>> found = pearson(np.array([1, 2, 3.0]), np.array([1, 3, 2.0]), np.ones((1, 3)))
    >>> round(float(found[0]), 3)
    0.5
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
    """Spearman's rank correlation in each resampled cohort; tied values have their mean rank.

    The ranks are those within the resampled cohort, where a row that was sampled three times is a
    tie of three.

    Parameters
    ----------
    first : (row,) ndarray
        Scores of the first rater.
    second : (row,) ndarray
        Scores of the second rater.
    weights : (draw, row) ndarray
        How often each row counts.

    Returns
    -------
    (draw,) ndarray
        -1 to 1; NaN where one of both is constant.

    Examples
    --------
    >>> found = spearman(np.array([1, 2, 3.0]), np.array([1, 9, 8.0]), np.ones((1, 3)))
    >>> round(float(found[0]), 3)
    0.5
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
    """Mean ranks of values where each row is repeated.

    Parameters
    ----------
    values : (row,) ndarray
        Values.
    weights : (draw, row) ndarray
        How often each row counts.

    Returns
    -------
    (draw, row) ndarray
        Rank of each row's value, 1 for the lowest; tied values have their mean rank.

    Examples
    --------
    >>> mean_ranks(np.array([5.0, 3.0, 9.0]), np.array([[1, 2, 1]])).tolist()
    [[3.0, 1.5, 4.0]]
    """
    order = np.argsort(values, kind="stable")
    # number of the distinct value, 0, 1, ... of the sorted rows
    distinct = np.cumsum(np.diff(values[order], prepend=values[order[0]]) > 0)
    first = np.flatnonzero(np.diff(distinct, prepend=-1))
    times = np.add.reduceat(weights[:, order], first, axis=1)
    ranks = np.cumsum(times, axis=1) - (times - 1) / 2
    by_row = np.empty_like(weights, dtype=float)
    by_row[:, order] = ranks[:, distinct]
    return by_row


def _correlation(sums: Array, scale: Array) -> Array:
    """Correlation from sums (draw, 6) of 1, x, y, xx, yy, xy; variances below 1e-12 of `scale` are
    rounding and count as zero.
    """
    n, x, y, xx, yy, xy = np.moveaxis(sums, 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        variances = np.stack([xx - x * x / n, yy - y * y / n], axis=1) / n[:, None]
        correlation = (xy - x * y / n) / n / np.sqrt(variances[:, 0] * variances[:, 1])
    return np.where((variances > 1e-12 * scale).all(1), np.clip(correlation, -1, 1), np.nan)


Z = 1.96  # as in Bland & Altman 1999; in 1986 they used 2
CLOSED = "Bland & Altman 1999, Student's t, one row a participant"
REPEATED = "repeated measures, variance within and between participants (Bland & Altman 2007)"


@dataclass(frozen=True)
class Limits:
    """Bland and Altman's bias and limits of agreement, a value for each resampled cohort.

    Attributes
    ----------
    bias : (draw,) ndarray
        Mean difference.
    sd : (draw,) ndarray
        Standard deviation of a single difference.
    """

    bias: Array
    sd: Array

    @property
    def low(self) -> Array:
        """Lower limit of agreement (draw,): bias - 1.96 SD."""
        return self.bias - Z * self.sd

    @property
    def high(self) -> Array:
        """Upper limit of agreement (draw,): bias + 1.96 SD."""
        return self.bias + Z * self.sd


def limits_of_agreement(
    difference: Array, participant: NDArray[np.integer], weights: Array
) -> Limits:
    """Bias and SD of single differences in each resampled cohort.

    Parameters
    ----------
    difference : (row,) ndarray
        First rater's minus second rater's score.
    participant : (row,) ndarray of int
        Codes 0, 1, ... of the participants.
    weights : (draw, participant) ndarray
        How often each participant counts.

    Returns
    -------
    Limits
        With several rows a participant the variance is that within plus that between participants;
        the SD is NaN with one participant only.

    Examples
    --------
    >>> found = limits_of_agreement(np.array([1.0, 3.0]), np.array([0, 1]), np.ones((1, 2)))
    >>> float(found.bias[0]), round(float(found.sd[0]), 3), round(float(found.high[0]), 2)
    (2.0, 1.414, 4.77)
    """
    participants = weights.shape[1]
    rows = np.bincount(participant, minlength=participants).astype(float)
    mean = np.bincount(participant, difference, participants) / np.maximum(rows, 1)
    squares = np.bincount(participant, (difference - mean[participant]) ** 2, participants)
    n, total = weights.sum(1), weights @ rows
    with np.errstate(invalid="ignore", divide="ignore"):
        bias = weights @ (rows * mean) / total
        between = (weights @ (rows * mean**2) - total * bias**2) / (n - 1)
        within = np.where(total > n, weights @ squares / np.maximum(total - n, 1), 0.0)
        # effective number of rows a participant in the analysis of variance
        effective = (total - weights @ rows**2 / total) / (n - 1)
        variance = within + np.maximum(between - within, 0) / effective
    return Limits(bias, np.sqrt(np.maximum(variance, 0)))


def closed_form(bias: float, sd: float, n: int) -> dict[str, Interval]:
    """95 % intervals of bias and limits of agreement with one row a participant (Student's t).

    The variance of the bias is SD^2 / n, that of a limit (1 / n + 1.96^2 / (2 (n - 1))) SD^2.

    Parameters
    ----------
    bias : float
        Mean difference.
    sd : float
        Standard deviation of the differences.
    n : int
        Number of participants.

    Returns
    -------
    dict of str to Interval
        "bias", "lower_limit", "upper_limit".

    References
    ----------
    Bland and Altman 1999, Statistical Methods in Medical Research 8:135, section 2.2 [P].

    Examples
    --------
    >>> found = closed_form(bias=-2.1, sd=38.8, n=17)
    >>> round(found["bias"].low, 1), round(found["bias"].high, 1)
    (-22.0, 17.8)
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
