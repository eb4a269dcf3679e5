"""Rhythm of a movement: amplitude, dominant frequency, power by band, from Welch's spectrum of the position."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

from semiology.data.preprocessing import unbroken_runs
from semiology.severity.kinematics.runs import usable

EDGES = (0.5, 3.0, 8.0, 12.0)  # Hz. Slow movement, tremor and slow jerks, fast jerks. [our choice]
BANDS = tuple(pairwise(EDGES))
SEGMENT = 4.0  # s of a window: a resolution of 0.25 Hz [our choice]
SHORTEST = 2.0  # s: where no run is as long as SEGMENT, its longest is the window, if it is at least this long [our choice]


@dataclass(frozen=True)
class Rhythm:
    """What a spectrum says of a movement.

    Attributes:
        amplitude: of the sine that has the power from 0.5 to 12 Hz (or to half the frame rate): sqrt(2 * power), in the position's unit.
        frequency: at which the spectrum is highest from 0.5 to 12 Hz, Hz; NaN where it only falls from below 0.5 Hz: a drift, no rhythm.
        power: by band (Hz, Hz), the lower edge in and the upper one out, in the position's unit squared; NaN for a band that ends beyond
            half the frame rate.
        seconds: how much was unbroken for long enough to count.
    """

    amplitude: float
    frequency: float
    power: dict[tuple[float, float], float]
    seconds: float


def rhythm(position: NDArray, fps: float) -> Rhythm:
    """Rhythm of (time, space): power summed over the axes, so that the direction in which the camera stands level does not matter.

    Welch's spectrum (Hann windows of 4 s, half overlapping, each less its straight line) within unbroken runs of at least one window,
    averaged by their number of windows. Where none is as long, the longest run is the window if it has 2 s; else everything is NaN.
    A sine of amplitude a has the power a^2 / 2.
    """
    position = np.asarray(position, float)
    runs = unbroken_runs(usable(position))
    longest = max((run.stop - run.start for run in runs), default=0)
    window = min(round(SEGMENT * fps), longest)
    if window < max(SHORTEST * fps, 4):
        return Rhythm(float("nan"), float("nan"), dict.fromkeys(BANDS, float("nan")), 0.0)
    spectrum, weights, frames = np.zeros(window // 2 + 1), 0, 0
    for run in runs:
        length = run.stop - run.start
        if length >= window:
            frequency, density = welch(position[run], fps, nperseg=window, noverlap=window // 2, detrend="linear", axis=0)
            windows = 1 + (length - window) // (window - window // 2)
            spectrum += windows * density.sum(axis=1)
            weights, frames = weights + windows, frames + length
    spectrum, width = spectrum / weights, fps / window
    within = (frequency >= EDGES[0]) & (frequency < EDGES[-1])
    power = {
        (low, high): float(spectrum[(frequency >= low) & (frequency < high)].sum() * width) if high <= fps / 2 else float("nan")
        for low, high in BANDS
    }
    highest = int(np.where(within, spectrum, -1).argmax())
    peak = float(frequency[highest]) if spectrum[highest] > spectrum[highest - 1] else float("nan")
    return Rhythm(float(np.sqrt(2 * spectrum[within].sum() * width)), peak, power, frames / fps)
