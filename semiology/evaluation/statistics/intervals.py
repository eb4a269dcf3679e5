"""Uncertainty over participants: whole participants are drawn with replacement, because the clips of one are not independent."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from semiology.evaluation.statistics.metrics import Array
from semiology.evaluation.statistics.proportion import LEVEL, wilson

METHOD = "BCa bootstrap over participants, tails widened for their number"
DIFFERENCE = (
    "paired bootstrap over participants, tails widened for their number, the longer arm on both sides, cut at the greatest difference"
)
AT_BOUND = "Wilson over participants, as every resample has the same perfect value"


@dataclass(frozen=True)
class Interval:
    """A 95 % interval.

    Attributes:
        low, high: NaN with a `reason` where no interval is given.
        degenerate: resampled cohorts in which the metric has no value (only one level was drawn); they are left out.
        method: how it was made.
    """

    low: float
    high: float
    degenerate: int
    reason: str = ""
    method: str = "percentile bootstrap over participants"


def draw_participants(participants: int, draws: int, seed: int) -> Array:
    """(draw, participant) how often each participant is in each resampled cohort of the same size; each row sums to `participants`."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(participants, np.full(participants, 1 / participants), size=draws).astype(float)


def leave_one_out(participants: int) -> Array:
    """(participant, participant) weights: in row p, participant p is absent. For the jackknife."""
    return 1 - np.eye(participants)


def interval(values: Array, participants: int) -> Interval:
    """95 % percentile interval (Efron) of the values in resampled cohorts of so many participants.

    For means of continuous errors, as of tracking. For metrics of few participants it is too narrow (docs/evaluation.md has the coverage):
    `bca_interval` is what they use. No interval is given for a single participant, nor where half of the resampled cohorts or more have
    no value [our choice].
    """
    if refused := _refused(values, participants):
        return refused
    tail = (100 - LEVEL) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return Interval(float(low), float(high), int(np.isnan(values).sum()))


def bca_interval(value: float, values: Array, left_out: Array, participants: int) -> Interval:
    """95 % interval: bias-corrected and accelerated (Efron 1987), with tails widened for few participants (Hesterberg 2015).

    A percentile interval of n participants is too narrow, as a z-interval with divisor n is beside Student's t. Therefore the tails are
    not 2.5 % but Phi(-t sqrt(n / (n - 1))), t the 97.5 % point of Student's with n - 1 degrees of freedom: 1.5 % for n = 19. BCa then
    moves them for the skewness of metrics near their upper end. Coverage in simulation: docs/evaluation.md.

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


def difference_interval(value: float, values: Array, participants: int, greatest: float = math.inf) -> Interval:
    """95 % interval of a paired difference: the percentile interval with widened tails, its longer arm taken on both sides.

    A difference has no upper end to lean on, and estimates of its skewness from few participants only add noise: BCa covers 88 to 93 % of
    the differences of two models of 19 participants, this about 95 [our choice]. There is none where every resampled cohort has the same
    difference: drawing the participants again then tells nothing of others, and an interval without width would call it certain.

    Args:
        value: in the cohort itself.
        values: (draw,) in resampled cohorts.
        greatest: difference that the metric allows (`greatest_difference`); the interval is cut there, on both sides of zero.
    """
    if refused := _refused(values, participants):
        return refused
    degenerate = int(np.isnan(values).sum())
    if math.isnan(value):
        return Interval(np.nan, np.nan, degenerate, "no value in the cohort itself")
    if np.nanmax(values) - np.nanmin(values) < 1e-12:
        return Interval(np.nan, np.nan, degenerate, "every resampled cohort has the same difference")
    tail = 100 * float(ndtr(_widened(participants)))
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    arm = float(max(value - low, high - value))
    return Interval(max(value - arm, -greatest), min(value + arm, greatest), degenerate, method=DIFFERENCE)


def at_bound(value: float, lowest: float, participants: int) -> Interval | None:
    """The interval of a perfect value (1) or of the worst one (`lowest`), which no resampling can give a width; None of any other value.

    As if the metric were a proportion of the participants that it hangs on: n of n, by Wilson [our choice; a perfect AUC of 9 and 10
    participants reaches down to 0.70 so].
    """
    if participants < 1 or not (value > 1 - 1e-9 or value < lowest + 1e-9):
        return None
    hits = participants if value > 1 - 1e-9 else 0
    low, high = (lowest + (1 - lowest) * limit for limit in wilson(hits, participants))
    return Interval(low, high, 0, method=AT_BOUND)


def _widened(participants: int) -> float:
    """The normal quantile whose tail Hesterberg 2015 takes instead of 2.5 %."""
    return float(stdtrit(participants - 1, (100 - LEVEL) / 200)) * math.sqrt(participants / (participants - 1))


def _refused(values: Array, participants: int) -> Interval | None:
    degenerate = int(np.isnan(values).sum())
    if participants < 2:
        return Interval(np.nan, np.nan, degenerate, "one participant only")
    if len(values) < 2:
        return Interval(np.nan, np.nan, degenerate, "no resampled cohorts were asked for")
    if 2 * degenerate >= len(values):
        return Interval(np.nan, np.nan, degenerate, f"{degenerate} of {len(values)} resampled cohorts have no value")
    return None
