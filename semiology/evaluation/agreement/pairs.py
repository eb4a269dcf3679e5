"""One figure as the tables hold it: its value, its interval over participants, how it was made, and
why where there is none.

Two raters of the same rows, and every figure of how they agree in any resampled cohort.
"""

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
)
from semiology.evaluation.statistics.metrics import Array


@dataclass(frozen=True)
class Figure:
    """A row of agreement.tsv.

    Attributes:
        kind: "machine-rater", "inter-rater", "beside", "repeatability" or "change".
        first, second: columns compared; `second` is "" for what is said of one column, or of means
            over pairs; all raters at once are "all", "raters".
        figure: what was measured.
        value, low, high: None where there is none, with a `reason`.
        method: how value and interval were made.
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

    def with_interval(self, interval: Interval, how: str = "") -> "Figure":
        """The same with another interval."""
        method = "; ".join(
            text for text in (how, interval.method if np.isfinite(interval.low) else "") if text
        )
        return replace(
            self,
            low=number(interval.low),
            high=number(interval.high),
            method=method,
            reason=interval.reason,
        )


COLUMNS = tuple(Figure.__dataclass_fields__)
# participants from which on they are resampled [our choice: of 2 to 4 too many intervals miss the
# truth, see docs/agreement.md]
FEWEST = 5


def without(about: tuple[str, str, str, str], participants: int, rows: int, reason: str) -> Figure:
    """A figure that has no value, and why."""
    return Figure(*about, None, None, None, participants, rows, reason=reason)


def state(
    about: tuple[str, str, str, str],
    measure: Callable[[Array], Array],
    weights: Array,
    rows: int,
    *,
    coefficient: bool = False,
    difference: bool = False,
    how: str = "",
    why: str = "",
) -> Figure:
    """A figure with its 95 % interval: whole participants are drawn with replacement
    (`bca_interval`).

    Args:
        about: kind, first, second, figure.
        measure: (draw, participant) weights -> (draw,) values.
        weights: (draw, participant) of the resampled cohorts.
        rows: that the figure is of.
        coefficient: lies between -1 and 1; at either end no resampling gives a width, and
            `at_bound` does.
        difference: of two figures in the same cohorts, whose interval is `difference_interval`.
        how: what is to be said of the value's method.
        why: the reason, should there be no value.
    """
    people = weights.shape[1]
    value = float(measure(np.ones((1, people)))[0]) if people else np.nan
    found = Figure(*about, number(value), None, None, people, rows)
    if not np.isfinite(value):
        return replace(found, method=how, reason=why or "too few scores")
    end = at_bound(value, -1.0, people) if coefficient and people > 1 else None
    return found.with_interval(end or _resampled(value, measure, weights, difference), how)


def _resampled(
    value: float, measure: Callable[[Array], Array], weights: Array, difference: bool
) -> Interval:
    """The bootstrap's interval, but none of few participants, where one makes the figure, or
    without width: it would look certain.
    """
    people = weights.shape[1]
    if people < FEWEST:
        return Interval(
            np.nan,
            np.nan,
            0,
            "one participant only"
            if people == 1
            else f"{people} participants are too few to resample",
        )
    drawn, left_out = measure(weights), measure(leave_one_out(people))
    if np.isnan(left_out).any():
        return Interval(
            np.nan,
            np.nan,
            int(np.isnan(drawn).sum()),
            "without one of the participants there is no value",
        )
    known = drawn[np.isfinite(drawn)]
    if len(known) > 1 and np.ptp(known) < 1e-12 * max(1.0, abs(value)):
        return Interval(
            np.nan, np.nan, len(drawn) - len(known), "every resampled cohort has the same value"
        )
    return (
        difference_interval(value, drawn, people)
        if difference
        else bca_interval(value, drawn, left_out, people)
    )


def told(figure: Figure) -> str:
    """ "0.81 (0.62 to 0.91)", or why there is no value or no interval."""
    if figure.value is None:
        return f"none: {figure.reason}"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3g} (no interval: {figure.reason})"
    return f"{figure.value:.3g} ({figure.low:.3g} to {figure.high:.3g})"


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
        """(draw,) one of FIGURES, where each participant counts `weights` (draw, participant)
        times; NaN where it has no value.

        `proportional_bias` is the slope of the difference on the mean of both: what the bias grows
        by when the score grows by one.
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
        found = limits_of_agreement(self.difference, self.participant, weights)
        return {
            "bias": found.bias,
            "lower_limit": found.low,
            "upper_limit": found.high,
            "sd_of_difference": found.sd,
        }[name]

    def observed(self, name: str) -> float:
        """The figure in the cohort itself."""
        return float(self.figure(name, np.ones((1, self.participants)))[0])

    def _slope(self, rows: Array) -> Array:
        mean = (self.first + self.second) / 2
        x, y = mean - mean.mean(), self.difference - self.difference.mean()
        n, sx, sy, sxx, sxy = (rows @ np.stack([np.ones_like(x), x, y, x * x, x * y], axis=1)).T
        spread = sxx - sx**2 / n
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(
                spread > 1e-12 * n * ((x * x).max() + 1e-12 * (mean * mean).max()),
                (sxy - sx * sy / n) / spread,
                np.nan,
            )
