"""Detect myoclonic jerks in tracks: brief accelerations above the noise, whose displacement is
short, limited, and not a jump of the tracker.

Acceleration is computed by a Savitzky-Golay filter with a cut-off in Hz (`kinematics.derivative`).
Its mean over 0.28 s is subtracted; the rest is the "brief" acceleration. The mean is the change of
velocity over that time: zero for a jerk, which leaves the joint with the velocity that it had, and
most of the acceleration of a voluntary turn. At 25 frames per second the brief acceleration passes
4.4 to 7.7 Hz (half power), with a maximum at 6 Hz.

The noise level is a low quantile of the brief acceleration, so that jerks raise it little,
expressed as the standard deviation per axis of the white noise that has this quantile. It is
estimated once per clip and again around each moment, because a moving limb is tracked less well
than one at rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, maximum_filter1d
from scipy.stats import chi

from semiology.errors import UserError
from semiology.severity.jerks.artefacts import (
    confidence_drops,
    isolated_head_points,
    limb_maximum,
    reliable_positions,
    source_frame_rate,
)
from semiology.severity.jerks.jerk import Jerk, JerkSettings, sorted_jerks
from semiology.severity.jerks.shape import Shapes, measure_shapes
from semiology.severity.kinematics import derivative, segment_of, side_of

# s, over which acceleration is averaged: seven frames at 25 Hz, the length of the longest jerks.
# [our choice]
MOMENT = 0.28
HIGHEST = 0.24  # of the frame rate: the highest cut-off, 6 Hz at 25 frames a second. [our choice]
SLOWEST = 15.0  # Hz; below it a jerk of 0.2 s is less than three frames. [our choice]
# quantiles that give the clip's noise: after jerks are removed, and before. [our choice]
CLIP, QUIETEST = 0.25, 0.1
BRIEF, MEAN = 0.4, 0.5  # quantiles of brief and of mean acceleration around a moment. [our choice]
SPAN, STEP = 3.0, 0.5  # s, window of the local noise and its stride. [our choice]
USUAL = 0.2  # s, duration of the jerk in which noise is expressed as an amplitude. [our choice]
# torso lengths / s^2, lowest noise level of any track: some 0.0002 torso lengths of jitter. [our
# choice]
FLOOR = 0.1
# s; of peaks of brief acceleration nearer than this the greatest counts: a jerk has two or three.
# [our choice]
APART = 0.16
# fraction of the amplitude that may be covered within one frame, both forth and back; more is a
# jump of the tracker. [our choice]
JUMP = 0.85


def cutoff_at(fps: float, wanted: float) -> float:
    """The cut-off in Hz that tracks of this frame rate allow: the lower of `wanted` and 0.24 of the
    frame rate.

    Raises:
        UserError: fewer than 15 frames per second.
    """
    if fps < SLOWEST - 0.1:  # NTSC's 14.985 is 15
        raise UserError(
            f"tracks of {fps:.3g} frames per second: a jerk lasts 50 to 250 ms; its detection needs"
            f" {SLOWEST:g} frames per second or more"
        )
    return min(wanted, HIGHEST * fps)


def band_limited(positions: NDArray, fps: float, cutoff: float) -> tuple[NDArray, NDArray]:
    """Magnitudes (time, joint) of the brief and of the mean acceleration of `positions` (time,
    joint, space), in lengths / s^2; NaN near gaps and ends.
    """
    acceleration = derivative(positions, fps, 2, cutoff)
    frames = round(MOMENT * fps) // 2 * 2 + 1
    mean = convolve1d(
        acceleration, np.full(frames, 1 / frames), axis=0, mode="constant", cval=np.nan
    )
    return np.linalg.norm(acceleration - mean, axis=2), np.linalg.norm(mean, axis=2)


def noise_level(brief: NDArray, quantile: float, dimensions: int) -> NDArray:
    """(joint,) noise level of a clip from the brief acceleration (time, joint), lengths / s^2; NaN
    for a joint that was never seen for long enough.
    """
    return np.maximum(_quantile(brief, quantile) / _unit(quantile, dimensions), FLOOR)


def acceleration_of_a_jerk(fps: float, cutoff: float) -> float:
    """Peak brief acceleration (lengths / s^2) of a jerk of amplitude 1 and duration 0.2 s with the
    time course of a raised cosine, averaged over the phases at which frames may sample it.
    """
    phase = np.linspace(-0.5, 0.5, 8, endpoint=False)
    time = (np.arange(-round(2 * fps), round(2 * fps) + 1)[:, None] + phase) / fps
    displacement = np.where(
        np.abs(time) < USUAL / 2, (1 + np.cos(2 * np.pi * time / USUAL)) / 2, 0.0
    )
    return float(np.nanmax(band_limited(displacement[:, :, None], fps, cutoff)[0], axis=0).mean())


def noise_around(
    brief: NDArray, mean: NDArray, fps: float, cutoff: float, dimensions: int
) -> NDArray:
    """(time, joint) noise level around each moment, lengths / s^2: the higher of two estimates,
    from the brief and from the mean acceleration; NaN where nothing was seen.

    White noise has both, in a ratio that follows from the filter. A moving limb or a drifting
    tracker has more of the mean acceleration, jerks have less: the second estimate separates
    unsteadiness from frequent jerks.
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
    """(time, joint) quantile over the `SPAN` s around each frame."""
    span, step = max(round(SPAN * fps), 1), max(round(STEP * fps), 1)
    padded = np.pad(values.astype(np.float32), ((span // 2, span), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, span, axis=0)[
        : len(values) + step : step
    ]  # (moment, joint, frame)
    nearest = np.round(np.arange(len(values)) / step).astype(int)
    return _quantile(np.moveaxis(windows, 2, 0), quantile)[nearest]


def _quantile(values: NDArray, quantile: float) -> NDArray:
    """Quantile along the first axis over the finite values; NaN without any (sorting puts NaN
    last).
    """
    ordered = np.sort(values, axis=0)
    finite = np.isfinite(ordered).sum(axis=0)
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    place = np.maximum((finite - 1) * quantile, 0).astype(int)
    return np.take_along_axis(ordered, place[None], axis=0)[0]


def _unit(quantile: float, dimensions: int) -> float:
    """This quantile of the length of a vector whose components are standard normal: sqrt(-2 ln(1 -
    q)) in the plane.
    """
    return float(chi.ppf(quantile, dimensions))


@dataclass(frozen=True)
class DetectedJerks:
    """The jerks detected in a clip, and how sensitive the detection was.

    Attributes:
        jerks: ordered by onset.
        noise: joint -> noise level of its brief acceleration, torso lengths / s^2; NaN where it was
            not seen for long enough.
        smallest: joint -> detection limit, torso lengths: amplitude at which a jerk of 0.2 s
            reaches the threshold. At 1.5 times this amplitude nine in ten are detected. The limit
            is higher while the joint moves or is tracked less well than in the clip's best quarter.
        usable: joint -> s in which a jerk would have been detected.
        torso: length of the torso, px or, for tracks without px, m; NaN where it was never seen.
        fps: Hz.
        cutoff: Hz, -3 dB point of the acceleration's filter.
    """

    jerks: list[Jerk]
    noise: dict[str, float]
    smallest: dict[str, float]
    usable: dict[str, float]
    torso: float
    fps: float
    cutoff: float


def find_jerks(
    tracks: xr.Dataset, settings: JerkSettings | None = None, joints: Sequence[str] | None = None
) -> DetectedJerks:
    """Detect the jerks of every joint separately; `synchronous` groups them into events.

    Args:
        tracks: of the body, in px or, where they have no px, in metres; not smoothed.
        settings: thresholds and filters; by default `JerkSettings()`.
        joints: names of keypoints; by default all that the tracks hold.

    Raises:
        UserError: a joint that the tracks do not hold, fewer than 15 frames a second.
    """
    settings = settings or JerkSettings()
    held = tracks.keypoint.values.tolist()
    names = held if joints is None else list(joints)
    if lacking := [name for name in names if name not in held]:
        raise UserError(
            f"jerks: the tracks hold no {', '.join(lacking[:3])}; they hold"
            f" {', '.join(held[:12])} ..."
        )
    fps = float(tracks.attrs["fps"])
    cutoff = cutoff_at(source_frame_rate(tracks), settings.cutoff)
    positions, torso = reliable_positions(tracks, settings)
    brief, mean = band_limited(positions, fps, cutoff)
    of_limb = limb_maximum(mean, held)
    columns = [held.index(name) for name in names]
    all_positions, positions, brief, mean, of_limb = (
        positions,
        *(values[:, columns] for values in (positions, brief, mean, of_limb)),
    )
    noise, level = noise_without_jerks(positions, brief, mean, fps, cutoff, settings)
    frames, rows = candidates(brief, of_limb, level, fps, settings)
    trusted = ~confidence_drops(tracks["confidence"].values[:, columns], fps, frames, rows)
    frames, rows = frames[trusted], rows[trusted]
    shapes = measure_shapes(positions, fps, frames, rows, settings.longest)
    genuine = are_jerks(shapes, settings) & ~isolated_head_points(
        all_positions, held, fps, frames, np.array(columns, int)[rows], shapes
    )
    return DetectedJerks(
        jerks=separate_jerks(shapes, names, rows, (brief / level)[frames, rows], genuine),
        noise=dict(zip(names, noise.tolist())),
        smallest=dict(
            zip(names, (settings.threshold * noise / acceleration_of_a_jerk(fps, cutoff)).tolist())
        ),
        usable=dict(zip(names, (np.isfinite(brief).sum(axis=0) / fps).tolist())),
        torso=torso,
        fps=fps,
        cutoff=cutoff,
    )


def noise_without_jerks(
    positions: NDArray,
    brief: NDArray,
    mean: NDArray,
    fps: float,
    cutoff: float,
    settings: JerkSettings,
) -> tuple[NDArray, NDArray]:
    """Noise level of the clip (joint,) and around each moment (time, joint), after jerks are
    removed from the tracks.

    With several jerks per second no quiet moment remains. So everything that exceeds the noise of
    the clip's quietest tenth and has the shape of a jerk is first replaced by a straight line; what
    remains is movement and noise.
    """
    dimensions = positions.shape[2]
    frames, rows = candidates(brief, mean, noise_level(brief, QUIETEST, dimensions), fps, settings)
    shapes = measure_shapes(positions, fps, frames, rows, settings.longest)
    rest = positions.copy()
    for number in np.flatnonzero(are_jerks(shapes, settings)):
        first, last = (
            int(shapes.onset[number] * fps),
            min(int(np.ceil(shapes.end[number] * fps)), len(rest) - 1),
        )
        rest[first : last + 1, rows[number]] = np.linspace(
            rest[first, rows[number]], rest[last, rows[number]], last - first + 1
        )
    brief, mean = band_limited(rest, fps, cutoff)
    noise = noise_level(brief, CLIP, dimensions)
    return noise, np.fmax(noise, noise_around(brief, mean, fps, cutoff, dimensions))


def candidates(
    brief: NDArray, mean: NDArray, level: NDArray, fps: float, settings: JerkSettings
) -> tuple[NDArray, NDArray]:
    """Frames and joints, (n,) each, of local maxima of the brief acceleration that exceed both the
    noise level and the mean acceleration by the factors of the settings.
    """
    width = 2 * round(APART * fps) + 1
    known = np.nan_to_num(brief)
    greatest = known >= maximum_filter1d(known, width, axis=0, mode="constant")
    transient = known > settings.transience * maximum_filter1d(
        np.nan_to_num(mean), width, axis=0, mode="constant"
    )
    loud = known >= settings.threshold * np.nan_to_num(level, nan=np.inf)
    frames, joints = np.nonzero(greatest & transient & loud)
    return frames, joints


def are_jerks(shapes: Shapes, settings: JerkSettings) -> NDArray:
    """(n,) of bool: duration and amplitude within the limits of a jerk, and no jump within a
    frame.
    """
    duration = shapes.end - shapes.onset
    brief = (duration >= settings.shortest) & (duration <= settings.longest)
    return brief & (shapes.amplitude <= settings.largest) & (shapes.jump <= JUMP)


def separate_jerks(
    shapes: Shapes, names: list[str], rows: NDArray, snr: NDArray, genuine: NDArray
) -> list[Jerk]:
    """The displacements marked as `genuine`, by onset; of two overlapping ones of a joint the
    larger.
    """
    jerks = [
        Jerk(
            joint=names[rows[number]],
            segment=segment_of(names[rows[number]]),
            side=side_of(names[rows[number]]),
            onset=float(shapes.onset[number]),
            peak=float(shapes.peak[number]),
            duration=float(shapes.end[number] - shapes.onset[number]),
            amplitude=float(shapes.amplitude[number]),
            direction=tuple(shapes.direction[number].tolist()),
            snr=float(snr[number]),
        )
        for number in np.flatnonzero(genuine)
    ]
    kept: dict[str, list[Jerk]] = {}
    for jerk in sorted_jerks(jerks):
        own = kept.setdefault(jerk.joint, [])
        if own and jerk.onset < own[-1].end:
            if jerk.amplitude > own[-1].amplitude:
                own[-1] = jerk
        else:
            own.append(jerk)
    return sorted_jerks([jerk for own in kept.values() for jerk in own])
