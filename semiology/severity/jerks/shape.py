"""The course of a displacement around the moment of its greatest brief acceleration: onset, peak,
end, amplitude, direction.

It is measured against where the joint would have been without it (`_line`). A jerk
comes and goes, or comes and stays; the peak of the latter is where it comes to rest. [our choice]
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONG_BEFORE, BEFORE = (
    (-0.60, -0.40),
    (-0.36, -0.16),
)  # s from the acceleration's peak: the joint's velocity before is between these
AFTER, LONG_AFTER = (0.24, 0.44), (0.48, 0.68)  # s: and after, between these
EXTREME = (-0.08, 0.12)  # s: where the displacement's extreme may lie
BEGUN = 0.2  # of the amplitude: below it, a jerk has not begun, or has returned
REACHED = 0.9  # of the amplitude: the first frame at or above it is the peak


@dataclass(frozen=True)
class Shapes:
    """Of n displacements. Times in s from the clip's start, lengths in those of the positions; NaN
    where it could not be measured.

    Attributes:
        onset, peak, end: (n,) s.
        amplitude: (n,).
        direction: (n, space) unit vectors.
        jump: (n,) largest share of the amplitude that one frame brought, there and, where it
            returned, back: the smaller of the two.
    """

    onset: NDArray
    peak: NDArray
    end: NDArray
    amplitude: NDArray
    direction: NDArray
    jump: NDArray


def measure(
    positions: NDArray, fps: float, frames: NDArray, joints: NDArray, longest: float
) -> Shapes:
    """Shapes of the displacements of some joints around some frames.

    Args:
        positions: (time, joint, space).
        fps: Hz.
        frames: (n,) at which the brief acceleration is greatest.
        joints: (n,) of which joint.
        longest: s; what has not returned within so long from its onset stays.
    """
    course, offsets = courses(positions, fps, frames, joints, EXTREME[1] + longest)
    size = np.linalg.norm(course, axis=2)
    extreme = np.where(_within(offsets / fps, EXTREME), np.nan_to_num(size, nan=-1.0), -1.0).argmax(
        axis=1
    )
    each = np.arange(len(frames))
    amplitude = size[each, extreme]
    with np.errstate(invalid="ignore", divide="ignore"):
        direction = course[each, extreme] / amplitude[:, None]
        along = (
            np.einsum("nfs,ns->nf", course, direction) / amplitude[:, None]
        )  # share of the amplitude, 1 at the extreme
    number = np.arange(len(offsets))
    below = along < BEGUN  # False where missing: what is not seen ends nothing
    rest = np.where(below & (number < extreme[:, None]), number, -1).max(
        axis=1
    )  # last frame before it began
    peak = np.where((along >= REACHED) & (number > rest[:, None]), number, len(offsets)).min(axis=1)
    peak = np.minimum(peak, extreme)
    back_again = np.where(below & (number > extreme[:, None]), number, len(offsets)).min(axis=1)

    onset = np.where(rest < 0, np.nan, rest + _crossing(along, rest, rest + 1))
    end = np.where(
        back_again == len(offsets),
        np.nan,
        back_again - 1 + _crossing(along, back_again - 1, back_again),
    )
    returns = end - onset <= longest * fps
    there, off = _greatest_step(along, rest, extreme), _greatest_step(-along, extreme, back_again)
    start = (frames + offsets[0]) / fps
    return Shapes(
        onset=start + onset / fps,
        peak=start + peak / fps,
        end=start + np.where(returns, end, peak) / fps,
        amplitude=amplitude,
        direction=direction,
        jump=np.where(returns, np.minimum(there, off), there),
    )


def courses(
    positions: NDArray, fps: float, frames: NDArray, joints: NDArray, after: float = 0.0
) -> tuple[NDArray, NDArray]:
    """(n, frame, space) displacements around some frames, from where each joint would have been
    (`_line`), NaN where it was not seen; and (frame,) how many frames each is from that one: as far
    as the line needs, and for `after` s at least.
    """
    offsets = np.arange(-round(-LONG_BEFORE[0] * fps), round(max(after, LONG_AFTER[1]) * fps) + 2)
    place = frames[:, None] + offsets
    course = positions[np.clip(place, 0, len(positions) - 1), joints[:, None]]
    course[(place < 0) | (place >= len(positions))] = np.nan
    return course - _line(course, offsets / fps), offsets


def _line(course: NDArray, time: NDArray) -> NDArray:
    """(n, frame, space) where each would have been: on from the place shortly before, with the
    velocity that it kept throughout.

    That is the smaller of those before and after, along each axis, where they have one sign, else
    none: so a jerk that was just before or follows at once (there are series of several a second)
    does not pass for a movement.
    """
    long_before, before, after, long_after = (
        _middle(course[:, _within(time, span)]) for span in (LONG_BEFORE, BEFORE, AFTER, LONG_AFTER)
    )
    first = (before - long_before) / (np.mean(BEFORE) - np.mean(LONG_BEFORE))
    second = (long_after - after) / (np.mean(LONG_AFTER) - np.mean(AFTER))
    kept = np.where(
        first * second > 0, np.sign(first) * np.minimum(np.abs(first), np.abs(second)), 0.0
    )
    return before[:, None] + kept[:, None] * (time - np.mean(BEFORE))[None, :, None]


def _within(time: NDArray, span: tuple[float, float]) -> NDArray:
    return (time >= span[0] - 1e-9) & (time <= span[1] + 1e-9)


def _middle(course: NDArray) -> NDArray:
    """(n, space) median over the frames that were seen; NaN where none was."""
    ordered = np.sort(course, axis=1)
    count = np.isfinite(ordered).sum(axis=1, keepdims=True)
    low, high = np.maximum((count - 1) // 2, 0), count // 2
    high = np.minimum(high, np.maximum(count - 1, 0))
    return (np.take_along_axis(ordered, low, axis=1) + np.take_along_axis(ordered, high, axis=1))[
        :, 0
    ] / 2


def _crossing(along: NDArray, first: NDArray, second: NDArray) -> NDArray:
    """(n,) share of the way from one frame to the next at which the displacement passes `BEGUN`."""
    each, last = np.arange(len(along)), along.shape[1] - 1
    from_, to = along[each, np.clip(first, 0, last)], along[each, np.clip(second, 0, last)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(np.nan_to_num((BEGUN - from_) / (to - from_)), 0, 1)


def _greatest_step(along: NDArray, first: NDArray, last: NDArray) -> NDArray:
    """(n,) largest rise between neighbouring frames from `first` to `last`; 0 where there is none."""
    steps = np.diff(along, axis=1)
    number = np.arange(steps.shape[1])
    inside = (number >= first[:, None]) & (number < last[:, None]) & np.isfinite(steps)
    return np.where(inside, steps, 0).max(axis=1, initial=0)
