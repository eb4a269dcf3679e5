"""Drift of a measure over a held task: of the lids during a sustained upgaze, of the mouth's
corners during a held smile.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm, theilslopes

WINDOW = 1.0  # s
FEWEST = 5  # windows
TAIL = 0.025


@dataclass(frozen=True)
class Slope:
    """A drift with its 95 % interval, in the measure's unit per minute; NaN with too few values.

    Attributes:
        per_minute, low, high: the slope and the limits of its interval; negative where the measure
            falls.
        windows: number of windows of one second behind it.
    """

    per_minute: float
    low: float
    high: float
    windows: int


def fatigue_slope(time: ArrayLike, values: ArrayLike) -> Slope:
    """Theil-Sen slope of the medians of one-second windows: the median of the slopes between all
    pairs of windows.

    Windows, because neighbouring frames are correlated (and the number of pairs of frames grows
    with the square of the clip's length). The interval is Sen's from Kendall's statistic; its
    variance is multiplied by (1 + r) / (1 - r) where the residuals of neighbouring windows have a
    correlation r > 0. Windows with less than a quarter of the fullest one's values are left out;
    fewer than five give NaN. [P] Sen 1968; [P] Hamed and Rao 1998 for the correction, here for one
    lag; windows and their number: our choice.

    Args:
        time: (time,) s.
        values: (time,) in any unit, NaN where unknown.
    """
    seconds, level = np.asarray(time, dtype=float), np.asarray(values, dtype=float)
    known = np.isfinite(level)
    frames = pd.DataFrame({"minutes": seconds[known] / 60, "level": level[known]})
    by_window = frames.groupby(np.floor(seconds[known] / WINDOW + 1e-9))
    count = by_window.size()
    # windows at the clip's end, beside a gap or cut by blinks may hold too few values
    whole = count >= count.max() / 4
    if whole.sum() < FEWEST:
        return Slope(np.nan, np.nan, np.nan, int(whole.sum()))
    medians, minutes = (
        column[whole].to_numpy()
        for column in (by_window["level"].median(), by_window["minutes"].mean())
    )
    if np.ptp(medians) == 0:
        return Slope(0.0, 0.0, 0.0, len(medians))
    slope = theilslopes(medians, minutes).slope
    rest = medians - slope * minutes
    rest = rest - rest.mean()
    correlation = np.clip((rest[1:] * rest[:-1]).sum() / max((rest**2).sum(), 1e-300), 0, 0.9)
    reach = norm.isf(TAIL) * np.sqrt((1 + correlation) / (1 - correlation))
    # alpha is the tails' probability: 1 minus it would round to 1
    _, _, low, high = theilslopes(medians, minutes, alpha=2 * norm.sf(reach))
    return Slope(float(slope), float(low), float(high), len(medians))
