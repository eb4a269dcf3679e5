"""Shape of a displacement around its greatest brief acceleration: onset, peak, end, amplitude and
direction.

It is measured against where the joint would have been without it (`_line`). A jerk either returns
or stays; the peak of a jerk that stays is where it comes to rest. [our choice]
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# s from the acceleration's peak: the joint's velocity before it is taken between these windows,
LONG_BEFORE, BEFORE = (-0.60, -0.40), (-0.36, -0.16)
AFTER, LONG_AFTER = (0.24, 0.44), (0.48, 0.68)  # and its velocity after it between these
EXTREME = (-0.08, 0.12)  # s: where the displacement's extreme may lie
BEGUN = 0.2  # fraction of the amplitude below which a jerk has not begun, or has returned
REACHED = 0.9  # fraction of the amplitude: the first frame at or above it is the peak


@dataclass(frozen=True)
class Shapes:
    """Shapes of n displacements; NaN where a value could not be measured.

    Attributes:
        onset, peak, end: (n,) s from the clip's start.
        amplitude: (n,) in the unit of the positions.
        direction: (n, space) unit vectors.
        jump: (n,) largest fraction of the amplitude covered within one frame on the way forth and,
            where the joint returned, on the way back: the smaller of the two.
    """

    onset: NDArray
    peak: NDArray
    end: NDArray
    amplitude: NDArray
    direction: NDArray
    jump: NDArray


def measure_shapes(
    positions: NDArray, fps: float, frames: NDArray, joints: NDArray, longest: float
) -> Shapes:
    """Measure the displacement of joint `joints[i]` around frame `frames[i]`, for n pairs.

    Args:
        positions: (time, joint, space).
        fps: Hz.
        frames: (n,) frames at which the brief acceleration is greatest.
        joints: (n,) indices of joints.
        longest: s; a joint that has not returned within this time from its onset stays.
    """
    displacement, offsets = displacements(positions, fps, frames, joints, EXTREME[1] + longest)
    size = np.linalg.norm(displacement, axis=2)
    extreme = np.where(_within(offsets / fps, EXTREME), np.nan_to_num(size, nan=-1.0), -1.0).argmax(
        axis=1
    )
    each = np.arange(len(frames))
    amplitude = size[each, extreme]
    with np.errstate(invalid="ignore", divide="ignore"):
        direction = displacement[each, extreme] / amplitude[:, None]
        along = (
            np.einsum("nfs,ns->nf", displacement, direction) / amplitude[:, None]
        )  # fraction of the amplitude, 1 at the extreme
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


def displacements(
    positions: NDArray, fps: float, frames: NDArray, joints: NDArray, after: float = 0.0
) -> tuple[NDArray, NDArray]:
    """Displacements (n, frame, space) around n frames from where each joint would have been
    (`_line`), NaN where it was not seen; and (frame,) the offsets in frames, which reach as far as
    the line needs and at least `after` s.
    """
    offsets = np.arange(-round(-LONG_BEFORE[0] * fps), round(max(after, LONG_AFTER[1]) * fps) + 2)
    place = frames[:, None] + offsets
    displacement = positions[np.clip(place, 0, len(positions) - 1), joints[:, None]]
    displacement[(place < 0) | (place >= len(positions))] = np.nan
    return displacement - _line(displacement, offsets / fps), offsets


def _line(displacement: NDArray, time: NDArray) -> NDArray:
    """(n, frame, space) where each joint would have been without the displacement: extrapolated
    from its position shortly before with the velocity common to the time before and after.

    Along each axis this is the smaller of the velocities before and after where they have the same
    sign, else zero: a jerk just before or just after (series have several per second) is not taken
    for a movement.
    """
    long_before, before, after, long_after = (
        _middle(displacement[:, _within(time, span)])
        for span in (LONG_BEFORE, BEFORE, AFTER, LONG_AFTER)
    )
    first = (before - long_before) / (np.mean(BEFORE) - np.mean(LONG_BEFORE))
    second = (long_after - after) / (np.mean(LONG_AFTER) - np.mean(AFTER))
    kept = np.where(
        first * second > 0, np.sign(first) * np.minimum(np.abs(first), np.abs(second)), 0.0
    )
    return before[:, None] + kept[:, None] * (time - np.mean(BEFORE))[None, :, None]


def _within(time: NDArray, span: tuple[float, float]) -> NDArray:
    return (time >= span[0] - 1e-9) & (time <= span[1] + 1e-9)


def _middle(displacement: NDArray) -> NDArray:
    """(n, space) median over the frames that were seen; NaN where none was."""
    ordered = np.sort(displacement, axis=1)
    count = np.isfinite(ordered).sum(axis=1, keepdims=True)
    low, high = np.maximum((count - 1) // 2, 0), count // 2
    high = np.minimum(high, np.maximum(count - 1, 0))
    return (np.take_along_axis(ordered, low, axis=1) + np.take_along_axis(ordered, high, axis=1))[
        :, 0
    ] / 2


def _crossing(along: NDArray, first: NDArray, second: NDArray) -> NDArray:
    """(n,) fraction of a frame between `first` and `second` at which the displacement crosses
    `BEGUN`.
    """
    each, last = np.arange(len(along)), along.shape[1] - 1
    from_, to = along[each, np.clip(first, 0, last)], along[each, np.clip(second, 0, last)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(np.nan_to_num((BEGUN - from_) / (to - from_)), 0, 1)


def _greatest_step(along: NDArray, first: NDArray, last: NDArray) -> NDArray:
    """(n,) largest rise between neighbouring frames from `first` to `last`; 0 without any."""
    steps = np.diff(along, axis=1)
    number = np.arange(steps.shape[1])
    inside = (number >= first[:, None]) & (number < last[:, None]) & np.isfinite(steps)
    return np.where(inside, steps, 0).max(axis=1, initial=0)
