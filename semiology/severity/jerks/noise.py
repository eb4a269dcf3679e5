"""Band-limited acceleration of joints, and how much of it is noise: once a clip, and around each moment.

The acceleration is taken by a Savitzky-Golay filter with a cut-off in Hz (`kinematics.derivative`), its mean over a moment is taken away.
That mean is the change of velocity over the moment: nothing for a jerk, which lets go of the joint as it found it, and most of the
acceleration of a voluntary turn. What is left of a position lies, at 25 frames a second, between 4.4 and 7.7 Hz (half power), most at 6 Hz.

The noise level is what remains when nothing happens: a low quantile, so that jerks raise it little, as the standard deviation per axis of
the white noise that has this quantile. Around each moment it is taken anew, for a limb in motion is tracked less well than one at rest.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d
from scipy.stats import chi

from semiology.errors import UserError
from semiology.severity.kinematics import derivative

MOMENT = 0.28  # s, over which acceleration is averaged: seven frames at 25 Hz, the length of the longest jerks. [our choice]
HIGHEST = 0.24  # of the frame rate: the highest cut-off, 6 Hz at 25 frames a second. [our choice]
SLOWEST = 15.0  # Hz; below it a jerk of 0.2 s is less than three frames. [our choice]
CLIP, QUIETEST = 0.25, 0.1  # quantiles that are the clip's noise: with the jerks taken out, and before that. [our choice]
BRIEF, MEAN = 0.4, 0.5  # quantiles of brief and of mean acceleration around a moment. [our choice]
SPAN, STEP = 3.0, 0.5  # s that is around a moment, taken every so many s. [our choice]
USUAL = 0.2  # s, duration of the jerk by which noise is told as an amplitude. [our choice]
FLOOR = 0.1  # torso lengths / s^2: less noise than this, some 0.0002 torso lengths of jitter, is not believed of any track. [our choice]


def cutoff_at(fps: float, wanted: float) -> float:
    """The cut-off in Hz that tracks of this frame rate can carry: the one wanted or 0.24 of the frame rate, the lower of the two.

    Raises:
        UserError: fewer than 15 frames a second.
    """
    if fps < SLOWEST - 0.1:  # NTSC's 14.985 is 15
        raise UserError(f"tracks of {fps:.3g} frames a second: a jerk lasts 50 to 250 ms; jerks need {SLOWEST:g} frames a second or more")
    return min(wanted, HIGHEST * fps)


def band_limited(positions: NDArray, fps: float, cutoff: float) -> tuple[NDArray, NDArray]:
    """Magnitudes (time, joint) of the brief and of the mean acceleration of (time, joint, space), lengths / s^2; NaN near gaps and ends."""
    acceleration = derivative(positions, fps, 2, cutoff)
    frames = round(MOMENT * fps) // 2 * 2 + 1
    mean = convolve1d(acceleration, np.full(frames, 1 / frames), axis=0, mode="constant", cval=np.nan)
    return np.linalg.norm(acceleration - mean, axis=2), np.linalg.norm(mean, axis=2)


def noise_level(brief: NDArray, quantile: float, dimensions: int) -> NDArray:
    """(joint,) noise of a clip from (time, joint) magnitudes of brief acceleration; NaN for a joint that was never seen for long enough."""
    return np.maximum(_quantile(brief, quantile) / _unit(quantile, dimensions), FLOOR)


def acceleration_of_a_jerk(fps: float, cutoff: float) -> float:
    """Peak brief acceleration of a jerk of amplitude 1 that comes and goes, as a raised cosine, within 0.2 s: lengths / s^2.

    The mean over where frames may fall in it.
    """
    phase = np.linspace(-0.5, 0.5, 8, endpoint=False)
    time = (np.arange(-round(2 * fps), round(2 * fps) + 1)[:, None] + phase) / fps
    course = np.where(np.abs(time) < USUAL / 2, (1 + np.cos(2 * np.pi * time / USUAL)) / 2, 0.0)
    return float(np.nanmax(band_limited(course[:, :, None], fps, cutoff)[0], axis=0).mean())


def noise_around(brief: NDArray, mean: NDArray, fps: float, cutoff: float, dimensions: int) -> NDArray:
    """(time, joint) the same around each moment, by brief or by mean acceleration, the higher of the two; NaN where nothing was seen.

    White noise has both, in a proportion that follows from the filter. A limb that moves, or a tracker that wanders, has more of the mean
    one, jerks have less: so it tells unsteadiness from many jerks.
    """
    proportion = np.sqrt(np.divide(*_gains(fps, cutoff)))
    by_brief = _around(brief, fps, BRIEF) / _unit(BRIEF, dimensions)
    by_mean = _around(mean, fps, MEAN) / _unit(MEAN, dimensions) * proportion
    return np.fmax(by_brief, by_mean)


def _gains(fps: float, cutoff: float) -> tuple[float, float]:
    """Variance of brief and of mean acceleration in white noise of variance 1."""
    impulse = np.zeros((2 * round(2 * fps) + 1, 1, 1))
    impulse[len(impulse) // 2] = 1
    brief, mean = (np.nansum(magnitude**2) for magnitude in band_limited(impulse, fps, cutoff))
    return float(brief), float(mean)


def _around(values: NDArray, fps: float, quantile: float) -> NDArray:
    """(time, joint) quantile over `SPAN` s around."""
    span, step = max(round(SPAN * fps), 1), max(round(STEP * fps), 1)
    padded = np.pad(values.astype(np.float32), ((span // 2, span), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, span, axis=0)[: len(values) + step : step]  # (moment, joint, frame)
    nearest = np.round(np.arange(len(values)) / step).astype(int)
    return _quantile(np.moveaxis(windows, 2, 0), quantile)[nearest]


def _quantile(values: NDArray, quantile: float) -> NDArray:
    """Along the first axis, of what is finite; NaN where nothing is. Sorting puts NaN last."""
    ordered = np.sort(values, axis=0)
    finite = np.isfinite(ordered).sum(axis=0)
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    place = np.maximum((finite - 1) * quantile, 0).astype(int)
    return np.take_along_axis(ordered, place[None], axis=0)[0]


def _unit(quantile: float, dimensions: int) -> float:
    """This quantile of the length of a vector whose components are standard normal: sqrt(-2 ln(1 - q)) in the plane."""
    return float(chi.ppf(quantile, dimensions))
