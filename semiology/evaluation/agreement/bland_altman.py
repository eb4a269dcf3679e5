"""Limits of agreement: how far two raters of the same thing lie apart (Bland & Altman 1986, 1999; repeated measures: 2007) [P].

A difference is the first rater's score minus the second's. With one row a participant the limits are bias -/+ 1.96 sd of the differences.
With several, and a true value that may change between them, the variance of a single difference is that within participants plus that
between them, by one-way analysis of variance (Bland & Altman 2007, Journal of Biopharmaceutical Statistics 17:571, section 3); the plain sd
would be too small or too large, as participants have more or fewer rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from semiology.evaluation.statistics.intervals import Interval
from semiology.evaluation.statistics.metrics import Array
from semiology.evaluation.statistics.proportion import LEVEL

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


def limits_of_agreement(difference: Array, participant: NDArray[np.integer], weights: Array) -> Limits:
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
        typical = (total - weights @ rows**2 / total) / (n - 1)  # rows a participant, as the analysis of variance counts them
        variance = within + np.maximum(between - within, 0) / typical
    return Limits(bias, np.sqrt(np.maximum(variance, 0)))


def closed_form(bias: float, sd: float, n: int) -> dict[str, Interval]:
    """Intervals of `bias`, `lower_limit` and `upper_limit` with one row for each of `n` participants.

    The variance of a limit is (1/n + 1.96^2 / (2 (n - 1))) sd^2, the bias's sd^2 / n.
    """
    quantile = float(t.ppf(0.5 + LEVEL / 200, n - 1))
    arm = quantile * sd * np.sqrt(1 / n + Z**2 / (2 * (n - 1)))
    ends = {
        "bias": (bias, quantile * sd / np.sqrt(n)),
        "lower_limit": (bias - Z * sd, arm),
        "upper_limit": (bias + Z * sd, arm),
    }
    return {name: Interval(float(centre - half), float(centre + half), 0, method=CLOSED) for name, (centre, half) in ends.items()}
