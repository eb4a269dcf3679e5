"""Two raters of the same rows, and every figure of how they agree in any resampled cohort."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semiology.evaluation.agreement.bland_altman import limits_of_agreement
from semiology.evaluation.agreement.coefficients import mean_squares
from semiology.evaluation.agreement.correlation import pearson, spearman
from semiology.evaluation.agreement.kappa import POWERS, weighted_kappa
from semiology.evaluation.statistics.metrics import Array

COEFFICIENTS = ("spearman", "pearson", "icc_2_1", "icc_3_1", "kappa_linear", "kappa_quadratic")  # -1 to 1, 1 is perfect
LIMITS = ("bias", "lower_limit", "upper_limit")
FIGURES = (*COEFFICIENTS, "mean_absolute_error", *LIMITS, "sd_of_difference", "proportional_bias")


@dataclass(frozen=True)
class Paired:
    """Scores of two raters.

    Attributes:
        first, second: (row,) scores, without gaps.
        participant: (row,) codes 0, 1, ... of who was scored.
    """

    first: Array
    second: Array
    participant: NDArray[np.integer]

    @property
    def participants(self) -> int:
        return int(self.participant.max()) + 1 if len(self.participant) else 0

    @property
    def repeated(self) -> bool:
        """Whether a participant has several rows."""
        return self.participants < len(self.participant)

    @property
    def difference(self) -> Array:
        """(row,) first minus second."""
        return self.first - self.second

    def figure(self, name: str, weights: Array) -> Array:
        """(draw,) one of FIGURES, where each participant counts `weights` (draw, participant) times; NaN where it has no value.

        `proportional_bias` is the slope of the difference on the mean of both: what the bias grows by when the score grows by one.
        """
        rows = weights[:, self.participant]
        if name in ("spearman", "pearson"):
            return (spearman if name == "spearman" else pearson)(self.first, self.second, rows)
        if name in ("icc_2_1", "icc_3_1"):
            squares = mean_squares(np.stack([self.first, self.second], axis=1), rows)
            return squares.icc_2_1() if name == "icc_2_1" else squares.icc_3_1()
        if name.startswith("kappa_"):
            return weighted_kappa(self.first, self.second, rows, POWERS[name.removeprefix("kappa_")])
        if name == "mean_absolute_error":
            return rows @ np.abs(self.difference) / rows.sum(1)
        if name == "proportional_bias":
            return self._slope(rows)
        found = limits_of_agreement(self.difference, self.participant, weights)
        return {"bias": found.bias, "lower_limit": found.low, "upper_limit": found.high, "sd_of_difference": found.sd}[name]

    def observed(self, name: str) -> float:
        """The figure in the cohort itself."""
        return float(self.figure(name, np.ones((1, self.participants)))[0])

    def _slope(self, rows: Array) -> Array:
        mean = (self.first + self.second) / 2
        x, y = mean - mean.mean(), self.difference - self.difference.mean()
        n, sx, sy, sxx, sxy = (rows @ np.stack([np.ones_like(x), x, y, x * x, x * y], axis=1)).T
        spread = sxx - sx**2 / n
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(spread > 1e-12 * n * ((x * x).max() + 1e-12 * (mean * mean).max()), (sxy - sx * sy / n) / spread, np.nan)
