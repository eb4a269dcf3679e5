"""Myoclonic jerks in tracks: brief accelerations above the noise, whose displacement is short, limited, and not a leap of the tracker."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from semiology.errors import UserError
from semiology.severity.jerks.artefacts import dips, seen_positions, true_rate
from semiology.severity.jerks.head import alone_on_head
from semiology.severity.jerks.jerk import Jerk, JerkSettings, in_order
from semiology.severity.jerks.limbs import greatest_of_limb
from semiology.severity.jerks.noise import CLIP, QUIETEST, acceleration_of_a_jerk, band_limited, cutoff_at, noise_around, noise_level
from semiology.severity.jerks.shape import Shapes, measure
from semiology.severity.kinematics import segment_of, side_of

APART = 0.16  # s; of brief accelerations nearer than this the greatest counts: a jerk has two or three. [our choice]
JUMP = 0.85  # share of the amplitude that one frame may bring both there and back; more is a tracker's jump. [our choice]


@dataclass(frozen=True)
class Found:
    """What was found in a clip.

    Attributes:
        jerks: by onset.
        noise: joint -> noise level of its brief acceleration, torso lengths / s^2; NaN where it was not seen for long enough.
        smallest: joint -> amplitude at which a jerk of 0.2 s stands out of this noise, torso lengths; nine in ten are found from half as
            much again. Where the joint moves, or is followed less well than in the clip's best quarter, it takes more.
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


def find_jerks(tracks: xr.Dataset, settings: JerkSettings | None = None, joints: Sequence[str] | None = None) -> Found:
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
        raise UserError(f"jerks: the tracks hold no {', '.join(lacking[:3])}; they hold {', '.join(held[:12])} ...")
    fps = float(tracks.attrs["fps"])
    cutoff = cutoff_at(true_rate(tracks), settings.cutoff)
    positions, torso = seen_positions(tracks, settings)
    brief, mean = band_limited(positions, fps, cutoff)
    of_limb = greatest_of_limb(mean, held)
    asked = [held.index(name) for name in names]
    everyone, positions, brief, mean, of_limb = positions, *(values[:, asked] for values in (positions, brief, mean, of_limb))
    noise, level = noise_without_jerks(positions, brief, mean, fps, cutoff, settings)
    frames, rows = candidates(brief, of_limb, level, fps, settings)
    trusted = ~dips(tracks["confidence"].values[:, asked], fps, frames, rows)
    frames, rows = frames[trusted], rows[trusted]
    shapes = measure(positions, fps, frames, rows, settings.longest)
    genuine = are_jerks(shapes, settings) & ~alone_on_head(everyone, held, fps, frames, np.array(asked, int)[rows], shapes)
    return Found(
        jerks=_jerks(shapes, names, rows, (brief / level)[frames, rows], genuine),
        noise=dict(zip(names, noise.tolist())),
        smallest=dict(zip(names, (settings.threshold * noise / acceleration_of_a_jerk(fps, cutoff)).tolist())),
        usable=dict(zip(names, (np.isfinite(brief).sum(axis=0) / fps).tolist())),
        torso=torso,
        fps=fps,
        cutoff=cutoff,
    )


def noise_without_jerks(
    positions: NDArray, brief: NDArray, mean: NDArray, fps: float, cutoff: float, settings: JerkSettings
) -> tuple[NDArray, NDArray]:
    """Noise of the clip (joint,) and around each moment (time, joint), of the tracks with their jerks taken out.

    Several jerks a second leave no quiet moment in between. So what stands out of the quietest tenth of the clip and looks like a jerk is
    first replaced by a straight line; what remains is movement and noise.
    """
    dimensions = positions.shape[2]
    frames, rows = candidates(brief, mean, noise_level(brief, QUIETEST, dimensions), fps, settings)
    shapes = measure(positions, fps, frames, rows, settings.longest)
    rest = positions.copy()
    for number in np.flatnonzero(are_jerks(shapes, settings)):
        first, last = int(shapes.onset[number] * fps), min(int(np.ceil(shapes.end[number] * fps)), len(rest) - 1)
        rest[first : last + 1, rows[number]] = np.linspace(rest[first, rows[number]], rest[last, rows[number]], last - first + 1)
    brief, mean = band_limited(rest, fps, cutoff)
    noise = noise_level(brief, CLIP, dimensions)
    return noise, np.fmax(noise, noise_around(brief, mean, fps, cutoff, dimensions))


def candidates(brief: NDArray, mean: NDArray, level: NDArray, fps: float, settings: JerkSettings) -> tuple[NDArray, NDArray]:
    """Frames and joints, (n,) each, at which brief acceleration is greatest around, above the noise and above the mean acceleration."""
    width = 2 * round(APART * fps) + 1
    known = np.nan_to_num(brief)
    greatest = known >= maximum_filter1d(known, width, axis=0, mode="constant")
    transient = known > settings.transience * maximum_filter1d(np.nan_to_num(mean), width, axis=0, mode="constant")
    loud = known >= settings.threshold * np.nan_to_num(level, nan=np.inf)
    frames, joints = np.nonzero(greatest & transient & loud)
    return frames, joints


def are_jerks(shapes: Shapes, settings: JerkSettings) -> NDArray:
    """(n,) of bool: brief, limited, and not come and gone within a frame."""
    duration = shapes.end - shapes.onset
    brief = (duration >= settings.shortest) & (duration <= settings.longest)
    return brief & (shapes.amplitude <= settings.largest) & (shapes.jump <= JUMP)


def _jerks(shapes: Shapes, names: list[str], rows: NDArray, snr: NDArray, genuine: NDArray) -> list[Jerk]:
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
