"""How a measure drifts over a task that is held: the lids over a sustained upgaze, the corners of the mouth over a held smile."""

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
    """A drift with its 95 % interval, in the measure's unit per minute; NaN where too little was seen.

    Attributes:
        per_minute, low, high: negative where the measure falls.
        windows: how many windows of one second it rests on.
    """

    per_minute: float
    low: float
    high: float
    windows: int


def fatigue_slope(time: ArrayLike, values: ArrayLike) -> Slope:
    """Theil-Sen's slope of the medians of one-second windows: the median of the slopes between all pairs of them.

    Windows, because neighbouring frames repeat each other (and pairs of frames grow with the square of the clip). The interval is Sen's
    from Kendall's statistic, widened by (1 + r) / (1 - r) in variance where the residuals of neighbouring windows correlate by r > 0.
    Windows with less than a quarter of the fullest one's values are left out; fewer than five give NaN. [P] Sen 1968; [P] Hamed and Rao
    1998 for the idea of widening, here for one lag; windows and their number: our choice.

    Args:
        time: (time,) s.
        values: (time,) in any unit, NaN where unknown.
    """
    seconds, level = np.asarray(time, dtype=float), np.asarray(values, dtype=float)
    known = np.isfinite(level)
    frames = pd.DataFrame({"minutes": seconds[known] / 60, "level": level[known]})
    by_window = frames.groupby(np.floor(seconds[known] / WINDOW + 1e-9))
    count = by_window.size()
    whole = count >= count.max() / 4  # the end of a clip, the edge of a gap and what blinks leave over are no whole window
    if whole.sum() < FEWEST:
        return Slope(np.nan, np.nan, np.nan, int(whole.sum()))
    middles, minutes = (column[whole].to_numpy() for column in (by_window["level"].median(), by_window["minutes"].mean()))
    if np.ptp(middles) == 0:
        return Slope(0.0, 0.0, 0.0, len(middles))
    slope = theilslopes(middles, minutes).slope
    rest = middles - slope * minutes
    rest = rest - rest.mean()
    repeated = np.clip((rest[1:] * rest[:-1]).sum() / max((rest**2).sum(), 1e-300), 0, 0.9)
    reach = norm.isf(TAIL) * np.sqrt((1 + repeated) / (1 - repeated))
    _, _, low, high = theilslopes(middles, minutes, alpha=2 * norm.sf(reach))  # the tails; 1 less them would be 1 in floating point
    return Slope(float(slope), float(low), float(high), len(middles))
