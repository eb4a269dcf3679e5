"""Oscillation of a hand: the frequency and amplitude of a peak that stands out of the spectrum of
its landmarks, tremor from 3.5 to 12 Hz or the slower rhythm of automatisms.

A hand that moves without a rhythm has a spectrum that falls with the frequency, and noise of the
tracker one that is level. Neither has a peak: a frequency is stated only where the spectrum rises
well above a line through the rest of it, in logarithms of both.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import theilslopes

from semiology.severity.kinematics.smoothness import spectrum

# Hz. Slower movement may be voluntary; pathological tremor is rarely faster, and 12.5 Hz is half of
# 25 frames per second [our choice, within Bhatia et al. 2018]
TREMOR = (3.5, 12.0)
RHYTHM = (0.5, 3.5)  # Hz, of repeated movements slower than tremor [our choice]
# bands of tremor (Bhatia et al. 2018, doi 10.1002/mds.27121, axis 1: below 4, 4 to 8, 8 to 12,
# above 12 Hz)
BANDS = ((4.0, "below 4 Hz"), (8.0, "4 to 8 Hz"), (np.inf, "8 to 12 Hz"))
# lowest ratio of a peak to the line; see docs/hands.md for how often noise and voluntary movement
# reach it [our choice]
LEAST_PROMINENCE = 10.0
# periods of a band's lowest frequency that must have been seen: in fewer, slow movement has peaks
# by chance [our choice]
LEAST_PERIODS = 4
LOBE = 2  # half width of a peak, in steps of frequency: that of a Hann window
DIGITS = tuple(np.arange(first, first + 4) for first in range(1, 21, 4))  # landmarks of each
LOWEST = 0.5  # Hz, from which on the line is fitted [our choice]


@dataclass(frozen=True)
class Oscillation:
    """A rhythm of a hand; NaN where there is none.

    Attributes:
        frequency: Hz.
        amplitude: peak to peak, of the landmark that moves most, in the positions' unit: of a
            straight movement with the power that the peak has above what is beside it,
            2 sqrt(2 power).
        prominence: power at the peak over that of the line; also where it was too low.
        seconds: length of the runs that entered.
    """

    frequency: float
    amplitude: float
    prominence: float
    seconds: float


def oscillation(position: NDArray, fps: float, band: tuple[float, float] = TREMOR) -> Oscillation:
    """The rhythm of a hand, within a band (Hz), from the mean of its digits' spectra: the mean
    position of a digit's four landmarks has less noise than each of them.

    Frequencies between the steps of the spectrum come from a parabola through three of them.

    Args:
        position: (time, landmark, 2) in one unit; NaN where not known, and nothing is computed
            across it: 2 s without a gap are needed.
    """
    nan = float("nan")
    frames = len(position)
    digits = np.stack([position[:, names].mean(axis=1) for names in DIGITS], axis=1)
    both = np.concatenate([digits, position], axis=1)  # (time, digit and landmark, 2)
    found = spectrum(both.reshape(frames, -1), fps)
    if found is None:
        return Oscillation(nan, nan, nan, 0.0)
    frequency, density, seconds = found
    if seconds * band[0] < LEAST_PERIODS:
        return Oscillation(nan, nan, nan, seconds)
    density = density.reshape(len(frequency), -1, 2).sum(axis=2)
    mean, by_landmark = density[:, : len(DIGITS)].mean(axis=1), density[:, len(DIGITS) :]
    step = float(frequency[1])
    inside = (frequency >= band[0]) & (frequency <= min(band[1], fps / 2 - step))
    peaks = np.flatnonzero(inside[1:-1] & (mean[1:-1] > mean[:-2]) & (mean[1:-1] >= mean[2:])) + 1
    if not len(peaks) or not (mean > 0).any():
        return Oscillation(nan, nan, nan, seconds)
    ratios = np.array([stands_out(frequency, mean, peak) for peak in peaks.tolist()])
    best = int(ratios.argmax())
    for number in np.flatnonzero(ratios >= LEAST_PROMINENCE):
        if np.abs(2 * peaks[number] - peaks[best]) <= 1:
            best = int(number)  # the fundamental of a movement that is no sine
            break
    peak, prominence = int(peaks[best]), float(ratios[best])
    if prominence < LEAST_PROMINENCE:
        return Oscillation(nan, nan, prominence, seconds)
    away = np.abs(np.arange(len(frequency)) - peak)
    beside = by_landmark[(away > LOBE) & (away <= 3 * LOBE)].mean(axis=0)
    power = (by_landmark[away <= LOBE] - beside).sum(axis=0) * step
    return Oscillation(
        float(step * (peak + _offset(np.log(mean[peak - 1 : peak + 2])))),
        float(2 * np.sqrt(2 * max(float(power.max()), 0.0))),
        prominence,
        seconds,
    )


def stands_out(frequency: NDArray, density: NDArray, peak: int) -> float:
    """Ratio of a spectrum's peak (its number) to Theil and Sen's line through the logarithms of the
    rest; NaN where the spectrum is 0.
    """
    rest = (frequency >= LOWEST) & (np.abs(np.arange(len(frequency)) - peak) > LOBE) & (density > 0)
    if rest.sum() < 3:
        return float("nan")
    slope, level, *_ = theilslopes(np.log(density[rest]), np.log(frequency[rest]))
    return float(density[peak] / np.exp(level + slope * np.log(frequency[peak])))


def _offset(three: NDArray) -> float:
    """Place of a maximum between three values, from the middle one, by a parabola."""
    before, top, after = three
    bend = before - 2 * top + after
    return float(0.5 * (before - after) / bend) if bend < 0 else 0.0


def band_of(frequency: float) -> str:
    """Name of the band of a tremor's frequency, Hz; "" where there is none."""
    return next((name for end, name in BANDS if frequency < end), "")
