"""Derivatives of a position over time by Savitzky-Golay filters, whose smoothing is stated as a
cut-off in Hz.

A Savitzky-Golay filter fits a polynomial to the frames of a window and takes its derivative at the
window's centre. Its gain for a movement of frequency f is the ratio of its response to that of the
ideal differentiator, (2 pi f) ** order; the cut-off is the frequency at which this ratio falls to
1 / sqrt(2), that is by 3 dB. It depends on the window, the degree and the order of the derivative,
and is computed, not estimated (Schafer 2011, "What is a Savitzky-Golay filter?", IEEE Signal
Processing Magazine 28:111, gives the relation for order 0). `savitzky_golay` inverts it: it returns
the filter whose cut-off is nearest to the requested one. At 25 frames per second there are few
filters: the exact cut-off of the one chosen is in `Filter.cutoff`.
"""

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import freqz, savgol_coeffs, savgol_filter

from semiology.errors import UserError

# Hz, for voluntary movement of the limbs (Winter 2009, ch. 3: 99.7 % of gait's power lies below 6
# Hz); faster signs need more
CUTOFF = 6.0
# degree of the polynomial minus the derivative's order; 0 passes twice the noise at the same
# cut-off. [our choice]
ABOVE = (2, 4)
# largest relative difference between the cut-off of a filter and the requested one. [our choice]
NEAR = 0.25
POINTS = 2048  # of the frequency response


@dataclass(frozen=True)
class Filter:
    """A Savitzky-Golay filter: frames of its window, degree of its polynomial, and its -3 dB point
    in Hz.
    """

    window: int
    degree: int
    cutoff: float


def savitzky_golay(order: int, cutoff: float, fps: float) -> Filter:
    """The Savitzky-Golay filter for a derivative of this order whose -3 dB point is nearest to
    `cutoff` (Hz); the shorter of equals.

    Raises:
        UserError: a cut-off that is not between 0 and half the frame rate, or from which every
            filter differs by more than a quarter.
    """
    if not (np.isfinite(fps) and fps > 0 and 0 < cutoff < fps / 2):
        raise UserError(
            f"cut-off of {cutoff:g} Hz: must lie between 0 and half the frame rate ({fps:g} frames"
            " per second)"
        )
    found = _nearest(order, cutoff / fps)
    if abs(found.cutoff * fps - cutoff) > NEAR * cutoff:
        reach = highest_cutoff(order, fps)
        raise UserError(
            f"cut-off of {cutoff:g} Hz: no filter for the derivative of order {order} at {fps:g}"
            f" frames per second comes near; give at most {reach:.3g} Hz"
        )
    return Filter(found.window, found.degree, found.cutoff * fps)


def highest_cutoff(order: int, fps: float) -> float:
    """The highest -3 dB point (Hz) of any filter for a derivative of this order at this frame
    rate.
    """
    shortest = [
        _cutoff(order, window, degree)
        for degree in _degrees(order)
        for window in _windows(degree)[:2]
    ]
    return max(cutoff for cutoff in shortest if cutoff) * fps


def derivative(position: NDArray, fps: float, order: int, cutoff: float) -> NDArray:
    """The derivative of (time, ...) along time, in units / s ** order; NaN wherever the filter's
    window contains a NaN or reaches beyond the clip's ends.

    Args:
        order: 0 (smoothed position), 1 (velocity), 2 (acceleration), 3 (jerk).
        cutoff: -3 dB point in Hz (see `savitzky_golay`).
    """
    chosen = savitzky_golay(order, cutoff, fps)
    position = np.asarray(position, float)
    if not len(position):
        return position.copy()
    return savgol_filter(
        position,
        chosen.window,
        chosen.degree,
        deriv=order,
        delta=1 / fps,
        axis=0,
        mode="constant",
        cval=np.nan,
    )  # a filter of finite length: a NaN reaches half a window, no further


def speed(position: NDArray, fps: float, cutoff: float = CUTOFF) -> NDArray:
    """Magnitude of the velocity of (time, space, ...): (time, ...) in units / s."""
    return np.linalg.norm(derivative(position, fps, 1, cutoff), axis=1)


def acceleration(position: NDArray, fps: float, cutoff: float = CUTOFF) -> NDArray:
    """Magnitude of the acceleration of (time, space, ...): (time, ...) in units / s^2."""
    return np.linalg.norm(derivative(position, fps, 2, cutoff), axis=1)


def jerk(position: NDArray, fps: float, cutoff: float = CUTOFF) -> NDArray:
    """Magnitude of the jerk of (time, space, ...): (time, ...) in units / s^3."""
    return np.linalg.norm(derivative(position, fps, 3, cutoff), axis=1)


@lru_cache(maxsize=256)
def _nearest(order: int, relative: float) -> Filter:
    """The filter whose cut-off is nearest to `relative` (cycles per frame) as a ratio; bisection,
    because a longer window has a lower cut-off.
    """
    candidates = []
    for degree in _degrees(order):
        windows = _windows(degree, round(4 / relative) + degree)
        place = bisect_left(
            windows, -relative, key=lambda window: -(_cutoff(order, window, degree) or 0.5)
        )
        for window in windows[max(place - 1, 0) : place + 1]:
            if cutoff := _cutoff(order, window, degree):
                candidates.append(Filter(window, degree, cutoff))
    return min(
        candidates, key=lambda one: (round(abs(np.log(one.cutoff / relative)), 2), one.window)
    )


def _degrees(order: int) -> list[int]:
    return [order + above for above in ABOVE]


def _windows(degree: int, longest: int = 99) -> range:
    """Odd windows that hold more frames than the polynomial's degree."""
    return range((degree + 1) | 1, longest + 4, 2)


@lru_cache(maxsize=4096)
def _cutoff(order: int, window: int, degree: int) -> float | None:
    """-3 dB point in cycles per frame, which lies below 4 / window; None for a filter that passes
    all frequencies.
    """
    frequency = np.linspace(0, min(0.5, 4 / window), POINTS + 1)[1:]
    _, response = freqz(savgol_coeffs(window, degree, deriv=order), worN=frequency, fs=1.0)
    kept = np.abs(response) / (2 * np.pi * frequency) ** order
    below = np.flatnonzero(kept < np.sqrt(0.5))
    return float(frequency[below[0]]) if len(below) else None
