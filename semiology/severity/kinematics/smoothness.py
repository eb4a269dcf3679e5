"""Smoothness, path and rhythm of a movement.

- Runs: the frames in which a value can be computed, and the longest run without a gap.
- Smoothness: spectral arc length and log dimensionless jerk [P: Balasubramanian, Melendez-Calderon,
  Roby-Brami, Burdet 2015, "On the analysis of movement smoothness", J NeuroEngineering Rehabil
  12:112]. Both are defined for one movement: for a recording with gaps they are those of its
  longest unbroken run, and recordings are comparable only where these runs are equally long
  (`kinematic_table` cuts pieces of one length).
- Path: path length, its ratio to the straight line, peaks of the speed, excursion.
- Rhythm: amplitude, dominant frequency and power by band from Welch's spectrum of the position.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid
from scipy.signal import find_peaks, welch

from semiology.data.preprocessing import unbroken_runs
from semiology.severity.kinematics.derivatives import CUTOFF, derivative


def usable(values: NDArray) -> NDArray:
    """(time,) of bool: whether every value of a frame of (time, ...) is finite."""
    values = np.asarray(values, float)
    return np.isfinite(values.reshape(len(values), int(np.prod(values.shape[1:])))).all(axis=1)


def longest_run(values: NDArray) -> NDArray:
    """The longest run of (time, ...) values without NaN, the first of several equally long ones; no
    frames where all are missing.
    """
    runs = unbroken_runs(usable(values))
    return np.asarray(values, float)[
        max(runs, key=lambda run: run.stop - run.start, default=slice(0))
    ]


PADDING = 4  # the spectrum has 2 ** (ceil(log2(frames)) + 4) points [P: Balasubramanian 2015]
# Hz, where the spectrum ends at the latest [P: their recommendation for healthy and impaired
# movement]
HIGHEST = 10.0
THRESHOLD = 0.05  # fraction of the spectrum's maximum below which its end is cut off [P]
PROMINENCE = 0.05  # of a speed peak, as a fraction of the highest speed [our choice]
APART = 0.1  # s [our choice]


def sparc(speed: NDArray, fps: float) -> float:
    """Spectral arc length (SPARC): minus the length of the normalised spectrum of the speed; nearer
    to 0 is smoother.

    The spectrum's frequency axis and height are both scaled to 1, from 0 Hz to the last frequency,
    at most 10 Hz, at which it still reaches 0.05. About -1.4 for one bell-shaped reach [P].

    Args:
        speed: (time,) magnitude of the velocity, any unit.

    Returns:
        NaN where fewer than three frames are unbroken, or nothing moves.
    """
    run = longest_run(speed)
    if len(run) < 3 or not run.any():
        return float("nan")
    points = 2 ** (int(np.ceil(np.log2(len(run)))) + PADDING)
    frequency = np.fft.rfftfreq(points, 1 / fps)
    magnitude = np.abs(np.fft.rfft(run, points))
    magnitude = magnitude / magnitude.max()
    last = np.flatnonzero((frequency <= HIGHEST) & (magnitude >= THRESHOLD))[-1]
    if last == 0:
        return float("nan")
    across = np.diff(frequency[: last + 1]) / frequency[last]
    return float(-np.hypot(across, np.diff(magnitude[: last + 1])).sum())


def log_dimensionless_jerk(position: NDArray, fps: float, cutoff: float = CUTOFF) -> float:
    """Log dimensionless jerk (LDLJ): -ln(duration^3 / peak speed^2 * integral of |jerk|^2 dt);
    nearer to 0 is smoother.

    It uses the jerk as a vector; the paper's uses the second derivative of the speed, which is the
    same on a straight path and ignores curvature. A minimum-jerk reach has duration^3 * 720 (D^2 /
    T^5) / (1.875 D / T)^2 = 204.8, that is an LDLJ of -5.32.

    Args:
        position: (time, space), any unit.
        cutoff: Hz, of both derivatives (`derivative`).

    Returns:
        NaN where fewer than three frames of jerk are unbroken, or nothing moves.
    """
    velocity, third = derivative(position, fps, 1, cutoff), derivative(position, fps, 3, cutoff)
    run = longest_run(np.concatenate([velocity, third], axis=1))
    speeds, jerks = np.split(run, 2, axis=1)
    return jerk_to_speed(speeds, jerks, fps)


def jerk_to_speed(velocity: NDArray, jerk: NDArray, fps: float) -> float:
    """Log dimensionless jerk of a movement without gaps from its velocity and jerk (time, space);
    NaN as for `log_dimensionless_jerk`.
    """
    if len(velocity) < 3:
        return float("nan")
    peak = np.linalg.norm(velocity, axis=1).max()
    integral = trapezoid((jerk**2).sum(axis=1), dx=1 / fps)
    duration = (len(velocity) - 1) / fps
    return (
        float(-np.log(duration**3 / peak**2 * integral))
        if peak > 0 and integral > 0
        else float("nan")
    )


def path_length(position: NDArray) -> float:
    """Path length of (time, space): the sum of the steps between neighbouring frames that are both
    known. NaN without any such step.
    """
    steps = np.linalg.norm(np.diff(np.asarray(position, float), axis=0), axis=1)
    return float(np.nansum(steps)) if np.isfinite(steps).any() else float("nan")


def path_length_ratio(position: NDArray) -> float:
    """Path length divided by the distance between its ends, 1 for a straight movement; of the
    longest unbroken run of (time, space).

    The inverse of the straightness of the package `movement`. NaN for fewer than two frames and for
    a path that ends where it began.
    """
    run = longest_run(position)
    if len(run) < 2:
        return float("nan")
    straight = float(np.linalg.norm(run[-1] - run[0]))
    return path_length(run) / straight if straight > 0 else float("nan")


def speed_peaks(speed: NDArray, fps: float) -> NDArray:
    """Frames of the peaks in (time,) speed: prominence at least 0.05 of the highest speed, at least
    0.1 s apart.

    Searched within each unbroken run; a run's first and last frame are never peaks.
    """
    speed = np.asarray(speed, float)
    runs = unbroken_runs(usable(speed))
    if not runs:
        return np.zeros(0, int)
    height = PROMINENCE * np.nanmax(speed)
    distance = max(1, round(APART * fps))
    found = [
        run.start + find_peaks(speed[run], prominence=height, distance=distance)[0] for run in runs
    ]
    return np.concatenate(found).astype(int)


def excursion(position: NDArray) -> float:
    """The largest distance of (time, space) from its median position; NaN if it is never known."""
    known = np.asarray(position, float)[usable(position)]
    return (
        float(np.linalg.norm(known - np.median(known, axis=0), axis=1).max())
        if len(known)
        else float("nan")
    )


EDGES = (0.5, 3.0, 8.0, 12.0)  # Hz. Slow movement, tremor and slow jerks, fast jerks. [our choice]
BANDS = tuple(pairwise(EDGES))
SEGMENT = 4.0  # s of a window: a resolution of 0.25 Hz [our choice]
# s: where no run is as long as SEGMENT, its longest is the window, if it is at least this long [our
# choice]
SHORTEST = 2.0
ABOUT = 0.25  # Hz about the frequency, whose power is its prominence [our choice]


@dataclass(frozen=True)
class Rhythm:
    """Amplitude, frequency and band power of a movement, from its spectrum.

    Attributes:
        amplitude: of the sine with the same power from 0.5 to 12 Hz (or to half the frame rate):
            sqrt(2 * power), in the position's unit.
        frequency: of the spectrum's maximum from 0.5 to 12 Hz, Hz; NaN where the spectrum only
            decreases from below 0.5 Hz: a drift, no rhythm.
        power: by band (Hz, Hz), lower edge included and upper edge excluded, in the position's unit
            squared; NaN for a band that ends beyond half the frame rate.
        seconds: total length of the runs that entered.
        prominence: share of the power from 0.5 to 12 Hz that lies within 0.25 Hz of the frequency,
            0 to 1; NaN where there is none.
    """

    amplitude: float
    frequency: float
    power: dict[tuple[float, float], float]
    seconds: float
    prominence: float = float("nan")


def rhythm(position: NDArray, fps: float) -> Rhythm:
    """Rhythm of (time, space), with the power summed over the axes, so that it does not depend on
    the rotation of the camera.

    Welch's spectrum (Hann windows of 4 s, half overlapping, linearly detrended) within unbroken
    runs of at least one window, averaged by their number of windows. Where no run is as long, the
    longest one is the window if it has 2 s; else everything is NaN. A sine of amplitude a has the
    power a^2 / 2.
    """
    found = spectrum(position, fps)
    if found is None:
        return Rhythm(float("nan"), float("nan"), dict.fromkeys(BANDS, float("nan")), 0.0)
    frequency, density, seconds = found
    whole, width = density.sum(axis=1), float(frequency[1])
    within = (frequency >= EDGES[0]) & (frequency < EDGES[-1])
    power = {
        (low, high): (
            float(whole[(frequency >= low) & (frequency < high)].sum() * width)
            if high <= fps / 2
            else float("nan")
        )
        for low, high in BANDS
    }
    highest = int(np.where(within, whole, -1).argmax())
    peak = float(frequency[highest]) if whole[highest] > whole[highest - 1] else float("nan")
    total = whole[within].sum()
    about = within & (np.abs(frequency - peak) <= ABOUT + 1e-9)
    prominence = float(whole[about].sum() / total) if total > 0 and peak > 0 else float("nan")
    return Rhythm(float(np.sqrt(2 * total * width)), peak, power, seconds, prominence)


def spectrum(position: NDArray, fps: float) -> tuple[NDArray, NDArray, float] | None:
    """Power spectral density of each column of (time, column), in unit^2 / Hz.

    Welch's spectrum (Hann windows of 4 s, half overlapping, linearly detrended) within unbroken
    runs of at least one window, averaged by their number of windows. Where no run is as long, the
    longest one is the window if it has 2 s.

    Returns:
        Frequencies (frequency,) in Hz from 0, density (frequency, column), and the length of the
        runs that entered, s; None where no run is long enough.
    """
    position = np.asarray(position, float)
    runs = unbroken_runs(usable(position))
    longest = max((run.stop - run.start for run in runs), default=0)
    window = min(round(SEGMENT * fps), longest)
    if window < max(SHORTEST * fps, 4):
        return None
    total, weights, frames = np.zeros((window // 2 + 1, position.shape[1])), 0, 0
    for run in runs:
        length = run.stop - run.start
        if length >= window:
            frequency, density = welch(
                position[run], fps, nperseg=window, noverlap=window // 2, detrend="linear", axis=0
            )
            windows = 1 + (length - window) // (window - window // 2)
            total += windows * density
            weights, frames = weights + windows, frames + length
    return frequency, total / weights, frames / fps
