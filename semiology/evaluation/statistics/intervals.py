"""Confidence intervals over participants.

- Bootstrap: whole participants are resampled with replacement, because the clips of one are not
  independent (`draw_participants`, `bca_interval`, `difference_interval`, `interval`).
- Wilson's score interval of a single proportion (`wilson`), and of a perfect or worst value
  (`at_bound`).
- ROC AUC in closed form: DeLong, and Obuchowski where participants have several clips (`delong`).
- ROC AUC from the area and the numbers of participants alone (`hanley_mcneil`).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtrit
from scipy.stats import norm

from semiology.evaluation.statistics.metrics import Array

LEVEL = 95  # confidence level in per cent, of every interval in the project
# least number of participants of an interval of agreement, and of outside predictions [our choice:
# with fewer the coverage is too low, see docs/agreement.md]
FEWEST = 5


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion, without continuity correction.

    For independent trials only: for one clip a participant, not for several clips of one.

    Parameters
    ----------
    hits : float
        Number of successes, 0 to `n`.
    n : float
        Number of independent trials.

    Returns
    -------
    tuple of float
        Lower and upper limit of hits / n.

    Raises
    ------
    ValueError
        No trials, or more hits than trials.

    References
    ----------
    Wilson 1927, JASA 22:209; Newcombe 1998, Statistics in Medicine 17:857, method 3 [P].

    Examples
    --------
    >>> [round(limit, 4) for limit in wilson(81, 263)]  # Newcombe's table
    [0.2553, 0.3662]
    """
    if not 0 <= hits <= n or n <= 0:
        raise ValueError(f"{hits} hits in {n} trials are no proportion")
    z = float(norm.ppf(0.5 + LEVEL / 200))
    proportion = hits / n
    centre = (proportion + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(proportion * (1 - proportion) / n + z**2 / (4 * n**2))
    return (0.0 if hits == 0 else centre - half), (1.0 if hits == n else centre + half)


METHOD = "BCa bootstrap over participants, tails widened for their number"
DIFFERENCE = (
    "paired bootstrap over participants, tails widened for their number, the longer arm on both"
    " sides, cut at the greatest difference"
)
AT_BOUND = "Wilson over participants, as every resample has the same perfect value"


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval.

    Attributes
    ----------
    low : float
        Lower limit; NaN, with a `reason`, where no interval is given.
    high : float
        Upper limit; NaN where no interval is given.
    degenerate : int
        Number of resampled cohorts in which the metric is undefined (only one class was sampled);
        they are left out.
    reason : str
        Why there is no interval; empty where there is one.
    method : str
        How the interval was computed.
    """

    low: float
    high: float
    degenerate: int
    reason: str = ""
    method: str = "percentile bootstrap over participants"


def draw_participants(participants: int, draws: int, seed: int) -> Array:
    """Bootstrap weights: how often each participant is in each resampled cohort.

    Parameters
    ----------
    participants : int
        Size of the cohort, and of every resampled one.
    draws : int
        Number of resampled cohorts.
    seed : int
        Of the random numbers.

    Returns
    -------
    (draw, participant) ndarray
        Counts; each row sums to `participants`.

    Examples
    --------
    >>> weights = draw_participants(5, 1000, seed=0)
    >>> weights.shape, set(weights.sum(axis=1).tolist())
    ((1000, 5), {5.0})
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(
        participants, np.full(participants, 1 / participants), size=draws
    ).astype(float)


def leave_one_out(participants: int) -> Array:
    """Jackknife weights: in row p, participant p is absent.

    Parameters
    ----------
    participants : int
        Size of the cohort.

    Returns
    -------
    (participant, participant) ndarray
        0 on the diagonal, else 1.
    """
    return 1 - np.eye(participants)


AT_ONCE = 4_000_000  # elements of one (draw, row) array: 32 MB


def resampled_median(values: Array, participant: NDArray[np.integer], weights: Array) -> Array:
    """Median of some rows in each resampled cohort, each row as often as its participant is in it.

    Parameters
    ----------
    values : (row,) ndarray
        Values, none missing.
    participant : (row,) ndarray of int
        Codes 0, 1, ... of the participants.
    weights : (draw, participant) ndarray
        How often each participant counts.

    Returns
    -------
    (draw,) ndarray
        Medians; NaN where no row was sampled.

    Examples
    --------
    >>> resampled_median(np.array([5.0, 1, 2]), np.arange(3), np.array([[1.0, 1, 1], [3, 1, 0]]))
    array([2., 5.])
    """
    order = np.argsort(values)
    values, participant = values[order], participant[order]
    medians = np.full(len(weights), np.nan)
    step = max(1, AT_ONCE // max(len(values), 1))
    for first in range(0, len(weights) if len(values) else 0, step):
        below = weights[first : first + step][:, participant].cumsum(axis=1)  # (draw, row)
        half = below[:, -1:] / 2
        middle = (
            values[(below >= half).argmax(axis=1)] + values[(below > half).argmax(axis=1)]
        ) / 2
        medians[first : first + step] = np.where(half[:, 0] > 0, middle, np.nan)
    return medians


def interval(values: Array, participants: int) -> Interval:
    """Percentile bootstrap interval (Efron), 95 %.

    For means of continuous errors, such as tracking errors. For classification metrics of few
    participants it is too narrow (docs/evaluation.md has the coverage); they use `bca_interval`.
    There is no interval for a single participant, nor where the value is undefined in half of the
    resampled cohorts or more [our choice].

    Parameters
    ----------
    values : (draw,) ndarray
        The value in each resampled cohort; NaN where undefined.
    participants : int
        Size of the cohort.

    Returns
    -------
    Interval
        With a reason where there is none.

    Examples
    --------
    >>> found = interval(np.arange(101.0), participants=12)
    >>> found.low, found.high
    (2.5, 97.5)
    """
    if refused := _refused(values, participants):
        return refused
    tail = (100 - LEVEL) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return Interval(float(low), float(high), int(np.isnan(values).sum()))


def bca_interval(value: float, values: Array, left_out: Array, participants: int) -> Interval:
    """Bias-corrected and accelerated (BCa) bootstrap interval, 95 %, widened for few participants.

    A percentile interval of n participants is too narrow, as a z-interval with divisor n is
    compared with Student's t. Therefore the tails are not 2.5 % but Phi(-t sqrt(n / (n - 1))), with
    t the 97.5 % quantile of Student's t with n - 1 degrees of freedom: 1.5 % for n = 19. BCa then
    shifts them for the bias and skewness of metrics near their upper bound. Coverage in simulation:
    docs/evaluation.md.

    Parameters
    ----------
    value : float
        The value in the cohort itself.
    values : (draw,) ndarray
        The value in each resampled cohort; NaN where undefined. Ties with `value` count one half in
        the bias correction.
    left_out : (participant,) ndarray
        The value without each participant (jackknife), for the acceleration.
    participants : int
        Size of the cohort.

    Returns
    -------
    Interval
        With a reason where there is none.

    References
    ----------
    Efron 1987, JASA 82:171 (BCa); Hesterberg 2015, The American Statistician 69:371 (widened
    tails) [P].

    Examples
    --------
    The mean of 30 numbers, where Student's interval is 0 +- 0.39:

    >>> sample = np.linspace(-1.7, 1.7, 30)
    >>> weights = draw_participants(30, 4000, seed=0)
    >>> found = bca_interval(0.0, weights @ sample / 30, leave_one_out(30) @ sample / 29, 30)
    >>> round(found.low, 2), round(found.high, 2)
    (-0.39, 0.39)
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
    """Bootstrap interval of a paired difference, 95 %: symmetric, with tails as in `bca_interval`.

    The larger distance of value to percentile is taken on both sides. A difference has no upper
    bound to be skewed by, and estimates of its skewness from few participants only add noise: BCa
    covers 88 to 93 % of the differences of two models of 19 participants, this interval about 95 %
    [our choice]. There is no interval where every resampled cohort has the same difference: it
    would have no width, and suggest certainty about other participants.

    Parameters
    ----------
    value : float
        The difference in the cohort itself.
    values : (draw,) ndarray
        The difference in each resampled cohort; NaN where undefined.
    participants : int
        Size of the cohort.
    greatest : float
        Largest possible difference (`greatest_difference`); the interval is truncated there, on
        both sides of zero.

    Returns
    -------
    Interval
        With a reason where there is none.

    Examples
    --------
    >>> found = difference_interval(0.1, np.linspace(-0.2, 0.4, 601), 19)
    >>> round(found.low, 2), round(found.high, 2)
    (-0.19, 0.39)
    """
    if refused := _refused(values, participants):
        return refused
    degenerate = int(np.isnan(values).sum())
    if math.isnan(value):
        return Interval(np.nan, np.nan, degenerate, "no value in the cohort itself")
    if equal := without_width(value, values, "difference"):
        return equal
    tail = 100 * float(ndtr(_widened(participants)))
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    arm = float(max(value - low, high - value))
    return Interval(
        max(value - arm, -greatest), min(value + arm, greatest), degenerate, method=DIFFERENCE
    )


def at_bound(value: float, lowest: float, participants: int) -> Interval | None:
    """Wilson's interval of a perfect or of the worst value, to which resampling gives no width.

    The metric is treated as a proportion of the participants that contribute to it: n of n, or 0 of
    n [our choice; a perfect AUC of 9 and 10 participants reaches down to 0.70].

    Parameters
    ----------
    value : float
        The value in the cohort.
    lowest : float
        The worst possible value; the best is 1.
    participants : int
        Number of participants that contribute to the metric.

    Returns
    -------
    Interval or None
        None of a value between the bounds.

    Examples
    --------
    >>> found = at_bound(1.0, 0.0, 9)
    >>> round(found.low, 2), found.high
    (0.7, 1.0)
    """
    if participants < 1 or not (value > 1 - 1e-9 or value < lowest + 1e-9):
        return None
    hits = participants if value > 1 - 1e-9 else 0
    low, high = (lowest + (1 - lowest) * limit for limit in wilson(hits, participants))
    return Interval(low, high, 0, method=AT_BOUND)


def _widened(participants: int) -> float:
    """Normal quantile of Hesterberg's (2015) widened tail, which replaces 2.5 %."""
    return float(stdtrit(participants - 1, (100 - LEVEL) / 200)) * math.sqrt(
        participants / (participants - 1)
    )


def without_width(value: float, values: Array, what: str = "value") -> Interval | None:
    """No interval, with the reason, where every resampled cohort has the same value: one without
    width would suggest certainty.

    Parameters
    ----------
    value : float
        The value in the cohort itself.
    values : (draw,) ndarray
        The value in each resampled cohort; NaN where undefined.
    what : str
        What the reason calls it.
    """
    known = values[np.isfinite(values)]
    if len(known) < 2 or np.ptp(known) >= 1e-12 * max(1.0, abs(value)):
        return None
    reason = f"every resampled cohort has the same {what}"
    return Interval(np.nan, np.nan, len(values) - len(known), reason)


def too_few(participants: int, draws: int, least: int = FEWEST) -> str:
    """Why a cohort of this many participants has no bootstrap interval from this many resampled
    ones, where `least` participants are required; "" where it has.

    >>> too_few(2, 2000)
    '2 participants are too few to resample'
    """
    if participants < 2:
        return "one participant only"
    if participants < least:
        return f"{participants} participants are too few to resample"
    return "no resampled cohorts were requested" if draws < 2 else ""


def _refused(values: Array, participants: int) -> Interval | None:
    degenerate = int(np.isnan(values).sum())
    if why := too_few(participants, len(values), least=2):
        return Interval(np.nan, np.nan, degenerate, why)
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
    """Areas under the ROC curves of one or several scores of the same clips.

    Attributes
    ----------
    areas : (score,) ndarray
        Areas, 0 to 1.
    covariance : (score, score) ndarray
        Their estimated covariance.
    """

    areas: Array
    covariance: Array

    @property
    def errors(self) -> Array:
        """Standard error of each area, (score,)."""
        return np.sqrt(np.diag(self.covariance))

    def limits(self) -> Array:
        """95 % intervals (score, 2): area +- 1.96 standard errors, truncated at 0 and 1.

        Near 1, and with few participants, such symmetric limits are too high at both ends; without
        a discordant pair they have no width. The bootstrap is the default for that reason.
        """
        half = norm.ppf(0.5 + LEVEL / 200) * self.errors
        return np.clip(np.stack([self.areas - half, self.areas + half], axis=1), 0, 1)


def delong(truth: ArrayLike, scores: ArrayLike, participant: ArrayLike | None = None) -> Areas:
    """Areas under the ROC curves and their covariance, in closed form.

    Without `participant` this is DeLong's estimate, which takes clips as independent. With
    `participant` it is Obuchowski's for clustered data: the contributions of one participant's
    clips are summed first, so that they may be correlated. With one clip each both agree.

    Parameters
    ----------
    truth : (clip,) array_like
        1 for the positive class, 0 for the negative one.
    scores : (score, clip) or (clip,) array_like
        One or several scores, higher for the positive class.
    participant : (clip,) array_like, optional
        The participant of each clip.

    Returns
    -------
    Areas
        Areas and covariance; `limits` gives the intervals.

    Raises
    ------
    ValueError
        Fewer than two clips (or participants with clips) of either class.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837; Obuchowski 1997, Biometrics 53:567
    [P].

    Examples
    --------
    >>> found = delong([1, 1, 0, 0], [3, 1, 2, 0])
    >>> found.areas.tolist(), found.covariance.tolist()
    ([0.75], [[0.125]])
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
    # (score, positive clip, negative clip)
    concordant: Array = (difference > 0) + 0.5 * (difference == 0)
    areas = concordant.mean((1, 2))
    # contribution of each cluster's positive, and of its negative clips to the area
    above = _summed(concordant.mean(2) - areas[:, None], cluster[positive], clusters)
    below = _summed(concordant.mean(1) - areas[:, None], cluster[negative], clusters)
    both = above @ below.T
    covariance = with_positive / (with_positive - 1) * (above @ above.T) / m**2
    covariance += with_negative / (with_negative - 1) * (below @ below.T) / n**2
    covariance += clusters / (clusters - 1) * (both + both.T) / (m * n)
    return Areas(areas, covariance)


def _summed(values: Array, cluster: Array, clusters: int) -> Array:
    return np.stack([np.bincount(cluster, row, clusters) for row in values])


HANLEY_MCNEIL = "Hanley and McNeil 1982"


def standard_error(area: float, positive: int, negative: int) -> float:
    """Standard error of an AUC from the area and the numbers of participants alone.

    Scores of either class are taken as exponentially distributed, which gives the two moments that
    the variance needs, and as independent: one score a participant. For other distributions it is
    slightly conservative.

    Parameters
    ----------
    area : float
        Area under the ROC curve, 0 to 1.
    positive, negative : int
        Number of participants of each class.

    Returns
    -------
    float
        Standard error of the area.

    Raises
    ------
    ValueError
        The area is not within 0 to 1, or a class has no participant.

    References
    ----------
    Hanley and McNeil 1982, Radiology 143:29 [P].

    Examples
    --------
    >>> round(standard_error(0.75, 20, 20), 4)
    0.0779
    """
    if not 0 <= area <= 1 or positive < 1 or negative < 1:
        raise ValueError(
            f"an area of {area:g} with {positive} positive and {negative} negative participants has"
            " no standard error"
        )
    # probability that two positive scores both exceed a negative one
    two_positive = area / (2 - area)
    # probability that a positive score exceeds two negative ones
    two_negative = 2 * area**2 / (1 + area)
    variance = (
        area * (1 - area)
        + (positive - 1) * (two_positive - area**2)
        + (negative - 1) * (two_negative - area**2)
    )
    return math.sqrt(max(variance, 0.0) / (positive * negative))


def hanley_mcneil(area: float, positive: int, negative: int) -> Interval:
    """Hanley and McNeil's 95 % interval of an AUC: area +- 1.96 standard errors.

    Parameters
    ----------
    area : float
        Area under the ROC curve, 0 to 1.
    positive, negative : int
        Number of participants of each class.

    Returns
    -------
    Interval
        Truncated at 0 and 1; without width for a perfect area, as DeLong's.

    Raises
    ------
    ValueError
        As `standard_error`.

    Examples
    --------
    >>> found = hanley_mcneil(0.82, 20, 19)
    >>> round(found.low, 2), round(found.high, 2)
    (0.69, 0.95)
    """
    half = float(norm.ppf(0.5 + LEVEL / 200)) * standard_error(area, positive, negative)
    return Interval(max(area - half, 0.0), min(area + half, 1.0), 0, method=HANLEY_MCNEIL)
