"""Repeated movements, as the motor examination asks for them (MDS-UPDRS 3.4 finger tapping, 3.5
hand movements, 3.6 pronation and supination of the hands): rate, amplitude, speed, their decrement,
and interruptions (Goetz et al. 2008, doi 10.1002/mds.22340).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, find_peaks, sosfiltfilt
from scipy.stats import theilslopes

from semiology.data.preprocessing import unbroken_runs
from semiology.severity.hands.tremor import stands_out
from semiology.severity.kinematics.smoothness import spectrum

# a cycle rises and falls by at least this share of the range between the 10th and 90th percentile
# [our choice]
PROMINENT = 0.3
# an interval longer than this many median intervals is a halt (hesitation, interruption), and from
# this many on a freeze (the item's "longer arrest"). [our choice; the item gives no numbers]
HALT, FREEZE = 1.5, 3.0
SLOWEST, FASTEST = 0.5, 7.0  # Hz, of repeated movements [our choice]
SMOOTH = (
    2.5  # cut-off of the low-pass filter, in main frequencies: it keeps 97 % of a sine [our choice]
)
SHORTEST_RUN = 15  # frames that the filter needs
# of the main frequency, below which what looks like cycles is noise: a hand whose fingers the
# tracker confuses has 2, tapping that is seen 70 and more. Low, for tapping may be irregular. [our
# choice]
LEAST_PROMINENCE = 5.0
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
        prominence: of the main frequency in the spectrum, see `oscillation`; NaN below 2 s.
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
    prominence: float


def find_cycles(series: NDArray, fps: float, smallest: float) -> Cycles:
    """Cycles of a series (time,) with NaN where it is not known; nothing is counted across these.

    The series is smoothed first, by a cut-off of 2.5 times its main frequency.

    Args:
        smallest: amplitude of a cycle, in the series' unit: below it is noise.
    """
    series, prominence = _smoothed(np.asarray(series, float), fps)
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
        lows = [start + int(values[start:stop].argmin()) for start, stop in pairwise(bounds)]
        bottoms = np.array([-_top(-values, low)[1] for low in lows])
        whole = np.array([0 < low < len(values) - 1 for low in lows])  # not cut by the run's ends
        tops = [_top(values, peak) for peak in peaks]
        for number, (_, height) in enumerate(tops):
            beside = slice(number, number + 2)
            chosen = whole[beside] if whole[beside].any() else ~whole[beside]
            amplitudes.append(height - bottoms[beside][chosen].mean())
            moving = values[lows[number] : lows[number + 1] + 1]
            speeds.append(np.abs(np.diff(moving)).max() * fps)
        at = [(run.start + place) / fps for place, _ in tops]
        times += at
        intervals += np.diff(at).tolist()
    found = np.array(times), np.array(amplitudes), speeds, np.array(intervals)
    return _summary(*found, prominence)


def _smoothed(series: NDArray, fps: float) -> tuple[NDArray, float]:
    """The series without what is faster than 2.5 times its main frequency: errors of the tracker
    would be cycles. Within unbroken runs; unchanged where no frequency is found.
    And how far that frequency stands out of the spectrum; NaN where there is none.
    """
    found = spectrum(series[:, None], fps)
    if found is None:
        return series, float("nan")
    frequency, density, _ = found
    inside = (frequency >= SLOWEST) & (frequency <= FASTEST)
    peak = int(np.where(inside, density[:, 0], -1).argmax())
    main, prominence = float(frequency[peak]), stands_out(frequency, density[:, 0], peak)
    if SMOOTH * main >= 0.9 * fps / 2:
        return series, prominence
    low_pass = butter(2, SMOOTH * main, fs=fps, output="sos")
    smoothed = series.copy()
    for run in unbroken_runs(np.isfinite(series)):
        if run.stop - run.start > SHORTEST_RUN:
            smoothed[run] = sosfiltfilt(low_pass, series[run])
    return smoothed, prominence


def _top(values: NDArray, peak: int) -> tuple[float, float]:
    """Place between frames and height of a maximum, by the parabola through it and its neighbours;
    as it is at an end of the series.
    """
    if not 0 < peak < len(values) - 1:
        return float(peak), float(values[peak])
    before, top, after = values[peak - 1 : peak + 2]
    bend = before - 2 * top + after
    offset = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(peak + offset), float(top - 0.25 * (before - after) * offset)


def _summary(
    times: NDArray, amplitudes: NDArray, speeds: list[float], intervals: NDArray, prominence: float
) -> Cycles:
    nan = float("nan")
    if len(times) < FEWEST or len(intervals) < FEWEST - 1 or prominence < LEAST_PROMINENCE:
        return Cycles(times, amplitudes, nan, nan, nan, nan, nan, 0, 0, nan, prominence)
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
        prominence=prominence,
    )
