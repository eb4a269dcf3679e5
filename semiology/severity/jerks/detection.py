"""Myoclonic jerks in tracks: brief accelerations above the noise, whose displacement is short,
limited, and not a leap of the tracker.

Band-limited acceleration of joints, and how much of it is noise: once a clip, and around each
moment.

The acceleration is taken by a Savitzky-Golay filter with a cut-off in Hz (`kinematics.derivative`),
its mean over a moment is taken away. That mean is the change of velocity over the moment: nothing
for a jerk, which lets go of the joint as it found it, and most of the acceleration of a voluntary
turn. What is left of a position lies, at 25 frames a second, between 4.4 and 7.7 Hz (half power),
most at 6 Hz.

The noise level is what remains when nothing happens: a low quantile, so that jerks raise it little,
as the standard deviation per axis of the white noise that has this quantile. Around each moment it
is taken anew, for a limb in motion is tracked less well than one at rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, maximum_filter1d
from scipy.stats import chi

from semiology.errors import UserError
from semiology.severity.jerks.artefacts import dips, greatest_of_limb, seen_positions, true_rate
from semiology.severity.jerks.head import alone_on_head
from semiology.severity.jerks.jerk import Jerk, JerkSettings, in_order
from semiology.severity.jerks.shape import Shapes, measure
from semiology.severity.kinematics import derivative, segment_of, side_of

# s, over which acceleration is averaged: seven frames at 25 Hz, the length of the longest jerks.
# [our choice]
MOMENT = 0.28
HIGHEST = 0.24  # of the frame rate: the highest cut-off, 6 Hz at 25 frames a second. [our choice]
SLOWEST = 15.0  # Hz; below it a jerk of 0.2 s is less than three frames. [our choice]
CLIP, QUIETEST = (
    0.25,
    0.1,
)  # quantiles that are the clip's noise: with the jerks taken out, and before that. [our choice]
BRIEF, MEAN = 0.4, 0.5  # quantiles of brief and of mean acceleration around a moment. [our choice]
SPAN, STEP = 3.0, 0.5  # s that is around a moment, taken every so many s. [our choice]
USUAL = 0.2  # s, duration of the jerk by which noise is told as an amplitude. [our choice]
# torso lengths / s^2: less noise than this, some 0.0002 torso lengths of jitter, is not believed of
# any track. [our choice]
FLOOR = 0.1


def cutoff_at(fps: float, wanted: float) -> float:
    """The cut-off in Hz that tracks of this frame rate can carry: the one wanted or 0.24 of the
    frame rate, the lower of the two.

    Raises:
        UserError: fewer than 15 frames a second.
    """
    if fps < SLOWEST - 0.1:  # NTSC's 14.985 is 15
        raise UserError(
            f"tracks of {fps:.3g} frames a second: a jerk lasts 50 to 250 ms; jerks need"
            f" {SLOWEST:g} frames a second or more"
        )
    return min(wanted, HIGHEST * fps)


def band_limited(positions: NDArray, fps: float, cutoff: float) -> tuple[NDArray, NDArray]:
    """Magnitudes (time, joint) of the brief and of the mean acceleration of (time, joint, space),
    lengths / s^2; NaN near gaps and ends.
    """
    acceleration = derivative(positions, fps, 2, cutoff)
    frames = round(MOMENT * fps) // 2 * 2 + 1
    mean = convolve1d(
        acceleration, np.full(frames, 1 / frames), axis=0, mode="constant", cval=np.nan
    )
    return np.linalg.norm(acceleration - mean, axis=2), np.linalg.norm(mean, axis=2)


def noise_level(brief: NDArray, quantile: float, dimensions: int) -> NDArray:
    """(joint,) noise of a clip from (time, joint) magnitudes of brief acceleration; NaN for a joint
    that was never seen for long enough.
    """
    return np.maximum(_quantile(brief, quantile) / _unit(quantile, dimensions), FLOOR)


def acceleration_of_a_jerk(fps: float, cutoff: float) -> float:
    """Peak brief acceleration of a jerk of amplitude 1 that comes and goes, as a raised cosine,
    within 0.2 s: lengths / s^2.

    The mean over where frames may fall in it.
    """
    phase = np.linspace(-0.5, 0.5, 8, endpoint=False)
    time = (np.arange(-round(2 * fps), round(2 * fps) + 1)[:, None] + phase) / fps
    course = np.where(np.abs(time) < USUAL / 2, (1 + np.cos(2 * np.pi * time / USUAL)) / 2, 0.0)
    return float(np.nanmax(band_limited(course[:, :, None], fps, cutoff)[0], axis=0).mean())


def noise_around(
    brief: NDArray, mean: NDArray, fps: float, cutoff: float, dimensions: int
) -> NDArray:
    """(time, joint) the same around each moment, by brief or by mean acceleration, the higher of
    the two; NaN where nothing was seen.

    White noise has both, in a proportion that follows from the filter. A limb that moves, or a
    tracker that wanders, has more of the mean one, jerks have less: so it tells unsteadiness from
    many jerks.
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
    windows = np.lib.stride_tricks.sliding_window_view(padded, span, axis=0)[
        : len(values) + step : step
    ]  # (moment, joint, frame)
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
    """This quantile of the length of a vector whose components are standard normal: sqrt(-2 ln(1 -
    q)) in the plane.
    """
    return float(chi.ppf(quantile, dimensions))


# s; of brief accelerations nearer than this the greatest counts: a jerk has two or three. [our
# choice]
APART = 0.16
# share of the amplitude that one frame may bring both there and back; more is a tracker's jump.
# [our choice]
JUMP = 0.85


@dataclass(frozen=True)
class Found:
    """What was found in a clip.

    Attributes:
        jerks: by onset.
        noise: joint -> noise level of its brief acceleration, torso lengths / s^2; NaN where it was
            not seen for long enough.
        smallest: joint -> amplitude at which a jerk of 0.2 s stands out of this noise, torso
            lengths; nine in ten are found from half as much again. Where the joint moves, or is
            followed less well than in the clip's best quarter, it takes more.
        usable: joint -> s in which a jerk would have been found.
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
) -> Found:
    """Jerks of every joint by itself; `synchronous` tells which belong together.

    Args:
        tracks: of the body, in px or, where they have no px, in metres; not smoothed.
        settings: how to look.
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
    cutoff = cutoff_at(true_rate(tracks), settings.cutoff)
    positions, torso = seen_positions(tracks, settings)
    brief, mean = band_limited(positions, fps, cutoff)
    of_limb = greatest_of_limb(mean, held)
    asked = [held.index(name) for name in names]
    everyone, positions, brief, mean, of_limb = (
        positions,
        *(values[:, asked] for values in (positions, brief, mean, of_limb)),
    )
    noise, level = noise_without_jerks(positions, brief, mean, fps, cutoff, settings)
    frames, rows = candidates(brief, of_limb, level, fps, settings)
    trusted = ~dips(tracks["confidence"].values[:, asked], fps, frames, rows)
    frames, rows = frames[trusted], rows[trusted]
    shapes = measure(positions, fps, frames, rows, settings.longest)
    genuine = are_jerks(shapes, settings) & ~alone_on_head(
        everyone, held, fps, frames, np.array(asked, int)[rows], shapes
    )
    return Found(
        jerks=_jerks(shapes, names, rows, (brief / level)[frames, rows], genuine),
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
    """Noise of the clip (joint,) and around each moment (time, joint), of the tracks with their
    jerks taken out.

    Several jerks a second leave no quiet moment in between. So what stands out of the quietest
    tenth of the clip and looks like a jerk is first replaced by a straight line; what remains is
    movement and noise.
    """
    dimensions = positions.shape[2]
    frames, rows = candidates(brief, mean, noise_level(brief, QUIETEST, dimensions), fps, settings)
    shapes = measure(positions, fps, frames, rows, settings.longest)
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
    """Frames and joints, (n,) each, at which brief acceleration is greatest around, above the noise
    and above the mean acceleration.
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
    """(n,) of bool: brief, limited, and not come and gone within a frame."""
    duration = shapes.end - shapes.onset
    brief = (duration >= settings.shortest) & (duration <= settings.longest)
    return brief & (shapes.amplitude <= settings.largest) & (shapes.jump <= JUMP)


def _jerks(
    shapes: Shapes, names: list[str], rows: NDArray, snr: NDArray, genuine: NDArray
) -> list[Jerk]:
    """Those that are genuine, in order; of two of one joint that overlap, the greater."""
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
    for jerk in in_order(jerks):
        own = kept.setdefault(jerk.joint, [])
        if own and jerk.onset < own[-1].end:
            if jerk.amplitude > own[-1].amplitude:
                own[-1] = jerk
        else:
            own.append(jerk)
    return in_order([jerk for own in kept.values() for jerk in own])
