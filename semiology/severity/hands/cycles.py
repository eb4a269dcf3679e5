"""Repeated movements, as the motor examination asks for them (MDS-UPDRS 3.4 finger tapping, 3.5 hand
movements, 3.6 pronation and supination of the hands): rate, amplitude, speed, their decrement, and
interruptions (Goetz et al. 2008, doi 10.1002/mds.22340).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks
from scipy.stats import theilslopes

from semiology.data.preprocessing import unbroken_runs

# a cycle rises and falls by at least this share of the range between the 10th and 90th percentile
# [our choice]
PROMINENT = 0.3
# an interval longer than this many median intervals is a halt (hesitation, interruption), and from
# this many on a freeze (the item's "longer arrest"). [our choice; the item gives no numbers]
HALT, FREEZE = 1.5, 3.0
FEWEST = 3  # cycles, of which a rate is stated [our choice]
ENDS = 3  # cycles at the begin and at the end, whose amplitudes are compared [our choice]


@dataclass(frozen=True)
class Cycles:
    """Repeated movements in a series; NaN where there are too few of them.

    Attributes:
        times: (cycle,) s, of the largest opening, between frames by a parabola.
        amplitudes: (cycle,) of each, from the mean of the smallest values before and after it.
        rate: Hz, cycles a second without the halts.
        amplitude: median, in the series' unit.
        speed: median over cycles of the fastest change, unit / s.
        decrement: 1 - mean amplitude of the last three cycles / of the first three; of six or more.
        decrement_per_cycle: slope of the amplitude over the number of the cycle (Theil and Sen's) /
            amplitude at the first by that line; positive where it gets smaller.
        halts: intervals longer than 1.5 median intervals, freezes among them.
        freezes: intervals of 3 median intervals or more.
        variability: standard deviation over mean of the intervals without the halts.
    """

    times: NDArray
    amplitudes: NDArray
    rate: float
    amplitude: float
    speed: float
    decrement: float
    decrement_per_cycle: float
    halts: int
    freezes: int
    variability: float


def find_cycles(series: NDArray, fps: float, smallest: float) -> Cycles:
    """Cycles of a series (time,) with NaN where it is not known; nothing is counted across these.

    Args:
        smallest: amplitude of a cycle, in the series' unit: below it is noise.
    """
    series = np.asarray(series, float)
    known = np.isfinite(series)
    least = smallest
    if known.any():
        low, high = np.percentile(series[known], [10, 90])
        least = max(smallest, PROMINENT * (high - low))
    times, amplitudes, speeds, intervals = [], [], [], []
    for run in unbroken_runs(known):
        values = series[run]
        peaks = find_peaks(values, prominence=least)[0]
        bounds = [0, *peaks, len(values)]
        lows = [start + int(values[start:stop].argmin()) for start, stop in zip(bounds, bounds[1:])]
        tops = [run.start + _between(values, peak) for peak in peaks]
        for peak, before, after in zip(peaks, lows, lows[1:]):
            amplitudes.append(values[peak] - (values[before] + values[after]) / 2)
            speeds.append(np.abs(np.diff(values[before : after + 1])).max() * fps)
        times += [top / fps for top in tops]
        intervals += np.diff(tops).tolist()
    return _summary(np.array(times), np.array(amplitudes), speeds, np.array(intervals) / fps)


def _between(values: NDArray, peak: int) -> float:
    """Place of a maximum between frames, by the parabola through it and its neighbours."""
    before, top, after = values[peak - 1 : peak + 2]
    bend = before - 2 * top + after
    return peak + (0.5 * (before - after) / bend if bend < 0 else 0.0)


def _summary(
    times: NDArray, amplitudes: NDArray, speeds: list[float], intervals: NDArray
) -> Cycles:
    nan = float("nan")
    if len(times) < FEWEST or len(intervals) < FEWEST - 1:
        return Cycles(times, amplitudes, nan, nan, nan, nan, nan, 0, 0, nan)
    usual = float(np.median(intervals))
    going = intervals[intervals <= HALT * usual]
    slope, first, *_ = theilslopes(amplitudes, np.arange(len(amplitudes)))
    enough = len(amplitudes) >= 2 * ENDS
    return Cycles(
        times,
        amplitudes,
        rate=float(1 / going.mean()),
        amplitude=float(np.median(amplitudes)),
        speed=float(np.median(speeds)),
        decrement=(
            float(1 - amplitudes[-ENDS:].mean() / amplitudes[:ENDS].mean()) if enough else nan
        ),
        decrement_per_cycle=float(-slope / first) if enough and first > 0 else nan,
        halts=int((intervals > HALT * usual).sum()),
        freezes=int((intervals >= FREEZE * usual).sum()),
        variability=float(going.std() / going.mean()),
    )
