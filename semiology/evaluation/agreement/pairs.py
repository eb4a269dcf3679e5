"""An estimate with its interval, and the scores of two raters with all agreement coefficients."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semiology.evaluation.agreement.coefficients import (
    POWERS,
    limits_of_agreement,
    mean_squares,
    pearson,
    spearman,
    weighted_kappa,
)
from semiology.evaluation.statistics.comparison import number
from semiology.evaluation.statistics.intervals import (
    Interval,
    at_bound,
    bca_interval,
    difference_interval,
    leave_one_out,
    too_few,
    without_width,
)
from semiology.evaluation.statistics.metrics import Array


@dataclass(frozen=True)
class Estimate:
    """An estimate with its 95 % interval over participants: a row of agreement.tsv.

    Attributes
    ----------
    kind : str
        "machine-rater", "inter-rater", "intra-rater" (first and second reading), "beside"
        (machine-rater compared with inter-rater agreement), "repeatability" or "change".
    first, second : str
        Columns compared; `second` is "" for an estimate of one column, or of means over pairs. All
        raters at once are "all", "raters".
    figure : str
        What was estimated: one of FIGURES, or a name of change.py.
    value, low, high : float or None
        Estimate and limits of its interval; None where there is none, with a `reason`.
    participants, rows : int
        Number of participants and of rows that the estimate is based on.
    method : str
        How value and interval were computed.
    reason : str
        Why there is no value or no interval; empty where there are both.
    """

    kind: str
    first: str
    second: str
    figure: str
    value: float | None
    low: float | None
    high: float | None
    participants: int
    rows: int
    method: str = ""
    reason: str = ""

    def with_interval(self, interval: Interval, how: str = "") -> "Estimate":
        """The same estimate with this interval; `how` describes how the value was computed."""
        of_interval = interval.method if np.isfinite(interval.low) else ""
        method = "; ".join(part for part in (how, of_interval) if part)
        return replace(
            self,
            low=number(interval.low),
            high=number(interval.high),
            method=method,
            reason=interval.reason,
        )


COLUMNS = tuple(Estimate.__dataclass_fields__)


def undefined(
    about: tuple[str, str, str, str], participants: int, rows: int, reason: str
) -> Estimate:
    """An estimate without value, and the reason."""
    return Estimate(*about, None, None, None, participants, rows, reason=reason)


def estimate(
    about: tuple[str, str, str, str],
    measure: Callable[[Array], Array],
    weights: Array,
    rows: int,
    *,
    coefficient: bool = False,
    lowest: float = -1.0,
    behind: int | None = None,
    difference: bool = False,
    how: str = "",
    why: str = "",
) -> Estimate:
    """An estimate with its 95 % bootstrap interval over participants (`bca_interval`).

    Parameters
    ----------
    about : tuple of str
        kind, first, second, figure.
    measure : callable
        Weights (draw, participant) -> values (draw,).
    weights : (draw, participant) ndarray
        Resampled cohorts.
    rows : int
        Number of rows that the estimate is based on.
    coefficient : bool
        Whether it lies between `lowest` and 1; at either bound resampling gives no width, and the
        interval is `at_bound`.
    lowest : float
        The least value of a coefficient: -1, or 0.
    behind : int, optional
        Number of participants that contribute to a coefficient; all by default.
    difference : bool
        Whether it is the difference of two estimates in the same cohorts, whose interval is
        `difference_interval`.
    how : str
        How the value was computed, for `method`.
    why : str
        The reason, if there is no value.

    Returns
    -------
    Estimate
        Value and interval, or the reason why there is none.
    """
    participants = weights.shape[1]
    value = float(measure(np.ones((1, participants)))[0]) if participants else np.nan
    point = Estimate(*about, number(value), None, None, participants, rows)
    if not np.isfinite(value):
        return replace(point, method=how, reason=why or "too few scores")
    behind = participants if behind is None else behind
    bound = at_bound(value, lowest, behind) if coefficient and participants > 1 else None
    return point.with_interval(bound or _bootstrap(value, measure, weights, difference), how)


def _bootstrap(
    value: float, measure: Callable[[Array], Array], weights: Array, difference: bool
) -> Interval:
    """Bootstrap interval; none with few participants, where the value depends on one of them, or
    without width, which would suggest certainty.
    """
    participants = weights.shape[1]
    if refused := too_few(participants, len(weights)):
        return Interval(np.nan, np.nan, 0, refused)
    resampled, left_out = measure(weights), measure(leave_one_out(participants))
    if np.isnan(left_out).any():
        return Interval(
            np.nan,
            np.nan,
            int(np.isnan(resampled).sum()),
            "without one of the participants there is no value",
        )
    if equal := without_width(value, resampled):
        return equal
    return (
        difference_interval(value, resampled, participants)
        if difference
        else bca_interval(value, resampled, left_out, participants)
    )


def formatted(found: Estimate) -> str:
    """An estimate as text, "0.81 (0.62 to 0.91)", or the reason why there is none."""
    if found.value is None:
        return f"none: {found.reason}"
    if found.low is None or found.high is None:
        return f"{found.value:.3g} (no interval: {found.reason})"
    return f"{found.value:.3g} ({found.low:.3g} to {found.high:.3g})"


COEFFICIENTS = (
    "spearman",
    "pearson",
    "icc_2_1",
    "icc_3_1",
    "kappa_linear",
    "kappa_quadratic",
)  # -1 to 1, 1 is perfect
LIMITS = ("bias", "lower_limit", "upper_limit")
FIGURES = (*COEFFICIENTS, "mean_absolute_error", *LIMITS, "sd_of_difference", "proportional_bias")


@dataclass(frozen=True)
class Paired:
    """Scores of two raters of the same rows.

    Attributes
    ----------
    first, second : (row,) ndarray
        Scores, none missing.
    participant : (row,) ndarray of int
        Codes 0, 1, ... of the participants.

    Examples
    --------
    >>> pair = Paired(np.array([1, 2, 4.0]), np.array([0, 2, 3.0]), np.arange(3))
    >>> round(pair.observed("bias"), 3), round(pair.observed("icc_2_1"), 3)
    (0.667, 0.867)
    """

    first: Array
    second: Array
    participant: NDArray[np.integer]

    @property
    def participants(self) -> int:
        """Number of participants among the pairs."""
        return int(self.participant.max()) + 1 if len(self.participant) else 0

    @property
    def repeated(self) -> bool:
        """Whether a participant has several rows."""
        return self.participants < len(self.participant)

    @property
    def difference(self) -> Array:
        """First rater's minus second rater's score, (row,)."""
        return self.first - self.second

    def figure(self, name: str, weights: Array) -> Array:
        """One of FIGURES in each resampled cohort.

        `proportional_bias` is the slope of the difference on the mean of both scores: the change of
        the bias for each point of the score.

        Parameters
        ----------
        name : str
            One of FIGURES.
        weights : (draw, participant) ndarray
            How often each participant counts.

        Returns
        -------
        (draw,) ndarray
            Values; NaN where undefined.
        """
        rows = weights[:, self.participant]
        if name in ("spearman", "pearson"):
            return (spearman if name == "spearman" else pearson)(self.first, self.second, rows)
        if name in ("icc_2_1", "icc_3_1"):
            squares = mean_squares(np.stack([self.first, self.second], axis=1), rows)
            return squares.icc_2_1() if name == "icc_2_1" else squares.icc_3_1()
        if name.startswith("kappa_"):
            return weighted_kappa(
                self.first, self.second, rows, POWERS[name.removeprefix("kappa_")]
            )
        if name == "mean_absolute_error":
            return rows @ np.abs(self.difference) / rows.sum(1)
        if name == "proportional_bias":
            return self._slope(rows)
        limits = limits_of_agreement(self.difference, self.participant, weights)
        return {
            "bias": limits.bias,
            "lower_limit": limits.low,
            "upper_limit": limits.high,
            "sd_of_difference": limits.sd,
        }[name]

    def observed(self, name: str) -> float:
        """One of FIGURES in the cohort itself."""
        return float(self.figure(name, np.ones((1, self.participants)))[0])

    def _slope(self, rows: Array) -> Array:
        mean = (self.first + self.second) / 2
        x, y = mean - mean.mean(), self.difference - self.difference.mean()
        n, sx, sy, sxx, sxy = (rows @ np.stack([np.ones_like(x), x, y, x * x, x * y], axis=1)).T
        variation = sxx - sx**2 / n
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(
                variation > 1e-12 * n * ((x * x).max() + 1e-12 * (mean * mean).max()),
                (sxy - sx * sy / n) / variation,
                np.nan,
            )
