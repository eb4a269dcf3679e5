"""Uncertainty over participants: whole participants are drawn with replacement, because the clips
of one are not independent.

Wilson's interval for a single proportion.

Interval of the AUC in closed form: DeLong, DeLong & Clarke-Pearson 1988, and Obuchowski 1997 where
participants have several clips.

Interval of the AUC from the area and the numbers of participants alone: Hanley and McNeil 1982,
Radiology 143:29.

Their standard error takes the scores of either level as exponential, for which the two moments that
it needs follow from the area; they found it on the safe side of other distributions. It takes every
score as independent: one score a participant.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, stdtrit
from scipy.stats import norm

from semiology.evaluation.statistics.metrics import Array

LEVEL = 95  # per cent, of every interval in the project


def wilson(hits: float, n: float) -> tuple[float, float]:
    """95 % score interval (Wilson 1927) of a proportion, `hits` of `n` independent trials; without
    continuity correction.

    For independent trials only: for one clip a participant, not for several clips of one.

    Raises:
        ValueError: no trials, or more hits than trials.
    """
    if not 0 <= hits <= n or n <= 0:
        raise ValueError(f"{hits} hits in {n} trials are no proportion")
    z = float(norm.ppf(0.5 + LEVEL / 200))
    share = hits / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return (0.0 if hits == 0 else centre - half), (1.0 if hits == n else centre + half)


METHOD = "BCa bootstrap over participants, tails widened for their number"
DIFFERENCE = (
    "paired bootstrap over participants, tails widened for their number, the longer arm on both"
    " sides, cut at the greatest difference"
)
AT_BOUND = "Wilson over participants, as every resample has the same perfect value"


@dataclass(frozen=True)
class Interval:
    """A 95 % interval.

    Attributes:
        low, high: NaN with a `reason` where no interval is given.
        degenerate: resampled cohorts in which the metric has no value (only one level was drawn);
            they are left out.
        method: how it was made.
    """

    low: float
    high: float
    degenerate: int
    reason: str = ""
    method: str = "percentile bootstrap over participants"


def draw_participants(participants: int, draws: int, seed: int) -> Array:
    """(draw, participant) how often each participant is in each resampled cohort of the same size;
    each row sums to `participants`.
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(
        participants, np.full(participants, 1 / participants), size=draws
    ).astype(float)


def leave_one_out(participants: int) -> Array:
    """(participant, participant) weights: in row p, participant p is absent. For the jackknife."""
    return 1 - np.eye(participants)


def interval(values: Array, participants: int) -> Interval:
    """95 % percentile interval (Efron) of the values in resampled cohorts of so many participants.

    For means of continuous errors, as of tracking. For metrics of few participants it is too narrow
    (docs/evaluation.md has the coverage): `bca_interval` is what they use. No interval is given for
    a single participant, nor where half of the resampled cohorts or more have no value [our
    choice].
    """
    if refused := _refused(values, participants):
        return refused
    tail = (100 - LEVEL) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return Interval(float(low), float(high), int(np.isnan(values).sum()))


def bca_interval(value: float, values: Array, left_out: Array, participants: int) -> Interval:
    """95 % interval: bias-corrected and accelerated (Efron 1987), with tails widened for few
    participants (Hesterberg 2015).

    A percentile interval of n participants is too narrow, as a z-interval with divisor n is beside
    Student's t. Therefore the tails are not 2.5 % but Phi(-t sqrt(n / (n - 1))), t the 97.5 % point
    of Student's with n - 1 degrees of freedom: 1.5 % for n = 19. BCa then moves them for the
    skewness of metrics near their upper end. Coverage in simulation: docs/evaluation.md.

    Args:
        value: in the cohort itself.
        values: (draw,) in resampled cohorts; ties with `value` count half in the bias correction.
        left_out: (participant,) the value without each participant in turn, for the acceleration.
    """
    if refused := _refused(values, participants):
        return refused
    if math.isnan(value):
        return Interval(np.nan, np.nan, len(values), "no value in the cohort itself")
    drawn, left_out = values[np.isfinite(values)], left_out[np.isfinite(left_out)]
    below = ((drawn < value - 1e-12).mean() + (drawn <= value + 1e-12).mean()) / 2
    bias = ndtri(np.clip(below, 1 / len(drawn), 1 - 1 / len(drawn)))
    away = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    spread = (away**2).sum()
    acceleration = (away**3).sum() / (6 * spread**1.5) if spread > 1e-15 else 0.0
    widened = _widened(participants)
    wanted = bias + np.array([widened, -widened])
    tails = ndtr(bias + wanted / np.maximum(1 - acceleration * wanted, 1e-6))
    low, high = np.percentile(drawn, 100 * tails)
    return Interval(float(low), float(high), len(values) - len(drawn), method=METHOD)


def difference_interval(
    value: float, values: Array, participants: int, greatest: float = math.inf
) -> Interval:
    """95 % interval of a paired difference: the percentile interval with widened tails, its longer
    arm taken on both sides.

    A difference has no upper end to lean on, and estimates of its skewness from few participants
    only add noise: BCa covers 88 to 93 % of the differences of two models of 19 participants, this
    about 95 [our choice]. There is none where every resampled cohort has the same difference:
    drawing the participants again then tells nothing of others, and an interval without width would
    call it certain.

    Args:
        value: in the cohort itself.
        values: (draw,) in resampled cohorts.
        greatest: difference that the metric allows (`greatest_difference`); the interval is cut
            there, on both sides of zero.
    """
    if refused := _refused(values, participants):
        return refused
    degenerate = int(np.isnan(values).sum())
    if math.isnan(value):
        return Interval(np.nan, np.nan, degenerate, "no value in the cohort itself")
    if np.nanmax(values) - np.nanmin(values) < 1e-12:
        return Interval(
            np.nan, np.nan, degenerate, "every resampled cohort has the same difference"
        )
    tail = 100 * float(ndtr(_widened(participants)))
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    arm = float(max(value - low, high - value))
    return Interval(
        max(value - arm, -greatest), min(value + arm, greatest), degenerate, method=DIFFERENCE
    )


def at_bound(value: float, lowest: float, participants: int) -> Interval | None:
    """The interval of a perfect value (1) or of the worst one (`lowest`), which no resampling can
    give a width; None of any other value.

    As if the metric were a proportion of the participants that it hangs on: n of n, by Wilson [our
    choice; a perfect AUC of 9 and 10 participants reaches down to 0.70 so].
    """
    if participants < 1 or not (value > 1 - 1e-9 or value < lowest + 1e-9):
        return None
    hits = participants if value > 1 - 1e-9 else 0
    low, high = (lowest + (1 - lowest) * limit for limit in wilson(hits, participants))
    return Interval(low, high, 0, method=AT_BOUND)


def _widened(participants: int) -> float:
    """The normal quantile whose tail Hesterberg 2015 takes instead of 2.5 %."""
    return float(stdtrit(participants - 1, (100 - LEVEL) / 200)) * math.sqrt(
        participants / (participants - 1)
    )


def _refused(values: Array, participants: int) -> Interval | None:
    degenerate = int(np.isnan(values).sum())
    if participants < 2:
        return Interval(np.nan, np.nan, degenerate, "one participant only")
    if len(values) < 2:
        return Interval(np.nan, np.nan, degenerate, "no resampled cohorts were asked for")
    if 2 * degenerate >= len(values):
        return Interval(
            np.nan,
            np.nan,
            degenerate,
            f"{degenerate} of {len(values)} resampled cohorts have no value",
        )
    return None


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

        Near 1, and with few participants, such symmetric limits reach too high and too little down;
        without a wrong pair they have no width. The bootstrap is the default for that reason.
        """
        half = norm.ppf(0.5 + LEVEL / 200) * self.errors
        return np.clip(np.stack([self.areas - half, self.areas + half], axis=1), 0, 1)


def delong(truth: ArrayLike, scores: ArrayLike, participant: ArrayLike | None = None) -> Areas:
    """Areas under the ROC curves of scores (score, clip) and their covariance.

    Without `participant` this is DeLong's estimate, which takes clips as independent. With
    `participant` (clip,) it is Obuchowski's, where what clips of one participant contribute is
    summed first, so that they may depend on each other; where each has one clip both agree.

    Raises:
        ValueError: fewer than two clips (or participants with clips) of either level.
    """
    score: Array = np.atleast_2d(np.asarray(scores, dtype=float))
    truth = np.asarray(truth)
    cluster = (
        np.arange(len(truth))
        if participant is None
        else np.unique(np.asarray(participant), return_inverse=True)[1]
    )
    positive, negative = truth == 1, truth == 0
    m, n, clusters = positive.sum(), negative.sum(), cluster.max() + 1
    with_positive, with_negative = len(set(cluster[positive])), len(set(cluster[negative]))
    if min(with_positive, with_negative) < 2:
        raise ValueError("an area's variance needs two participants with and two without the sign")
    difference = score[:, positive][:, :, None] - score[:, negative][:, None]
    won: Array = (difference > 0) + 0.5 * (difference == 0)  # (score, positive clip, negative clip)
    areas = won.mean((1, 2))
    above = _summed(
        won.mean(2) - areas[:, None], cluster[positive], clusters
    )  # what each cluster's positive clips add to the area
    below = _summed(won.mean(1) - areas[:, None], cluster[negative], clusters)
    both = above @ below.T
    covariance = with_positive / (with_positive - 1) * (above @ above.T) / m**2
    covariance += with_negative / (with_negative - 1) * (below @ below.T) / n**2
    covariance += clusters / (clusters - 1) * (both + both.T) / (m * n)
    return Areas(areas, covariance)


def _summed(values: Array, cluster: Array, clusters: int) -> Array:
    return np.stack([np.bincount(cluster, row, clusters) for row in values])


HANLEY_MCNEIL = "Hanley and McNeil 1982"


def standard_error(area: float, positive: int, negative: int) -> float:
    """Standard error of an area under the ROC curve of so many positive and negative participants.

    Raises:
        ValueError: an area that is none, or no participants of a level.
    """
    if not 0 <= area <= 1 or positive < 1 or negative < 1:
        raise ValueError(
            f"an area of {area:g} with {positive} positive and {negative} negative participants has"
            " no standard error"
        )
    two_positive = area / (2 - area)  # chance that two positive ones both lie above a negative one
    two_negative = (
        2 * area**2 / (1 + area)
    )  # chance that a positive one lies above two negative ones
    spread = (
        area * (1 - area)
        + (positive - 1) * (two_positive - area**2)
        + (negative - 1) * (two_negative - area**2)
    )
    return math.sqrt(max(spread, 0.0) / (positive * negative))


def hanley_mcneil(area: float, positive: int, negative: int) -> Interval:
    """95 % interval, area +- 1.96 standard errors cut at 0 and 1; of a perfect area it has no
    width, as DeLong's has none.

    Raises:
        ValueError: as `standard_error`.
    """
    half = float(norm.ppf(0.5 + LEVEL / 200)) * standard_error(area, positive, negative)
    return Interval(max(area - half, 0.0), min(area + half, 1.0), 0, method=HANLEY_MCNEIL)
