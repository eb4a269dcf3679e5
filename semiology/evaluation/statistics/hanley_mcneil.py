"""Interval of the AUC from the area and the numbers of participants alone: Hanley and McNeil 1982, Radiology 143:29.

Their standard error takes the scores of either level as exponential, for which the two moments that it needs follow from the area; they
found it on the safe side of other distributions. It takes every score as independent: one score a participant.
"""

import math

from scipy.stats import norm

from semiology.evaluation.statistics.intervals import Interval
from semiology.evaluation.statistics.proportion import LEVEL

METHOD = "Hanley and McNeil 1982"


def standard_error(area: float, positive: int, negative: int) -> float:
    """Standard error of an area under the ROC curve of so many positive and negative participants.

    Raises:
        ValueError: an area that is none, or no participants of a level.
    """
    if not 0 <= area <= 1 or positive < 1 or negative < 1:
        raise ValueError(f"an area of {area:g} with {positive} positive and {negative} negative participants has no standard error")
    two_positive = area / (2 - area)  # chance that two positive ones both lie above a negative one
    two_negative = 2 * area**2 / (1 + area)  # chance that a positive one lies above two negative ones
    spread = area * (1 - area) + (positive - 1) * (two_positive - area**2) + (negative - 1) * (two_negative - area**2)
    return math.sqrt(max(spread, 0.0) / (positive * negative))


def hanley_mcneil(area: float, positive: int, negative: int) -> Interval:
    """95 % interval, area +- 1.96 standard errors cut at 0 and 1; of a perfect area it has no width, as DeLong's has none.

    Raises:
        ValueError: as `standard_error`.
    """
    half = float(norm.ppf(0.5 + LEVEL / 200)) * standard_error(area, positive, negative)
    return Interval(max(area - half, 0.0), min(area + half, 1.0), 0, method=METHOD)
