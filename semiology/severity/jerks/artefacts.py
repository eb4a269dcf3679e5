"""What of the tracks is believed: positions in torso lengths, NaN wherever the tracker did not see
the joint or lost hold of it.

Trackers fail in ways that look like jerks. Left and right are swapped for a frame or two; a joint
leaps to another limb and back. Between two frames such a leap is faster than any limb, or ends
where the other side's joint was. What follows a leap is not filled: time in which nothing is known
is not time without jerks.

What a limb says of its joints: none of them goes alone, and none is seen without the bones that end
in it.

A tracker of whole bodies gives every joint a place, also where it sees none. Two of its errors look
like jerks, and bones tell them:

- Elbow and knee lie between two bones. Where the far end of the outer one is not seen (a foot under
  the blanket, a hand out of view), the tracker completes the limb, and what it completed leaps.
- The joints of a limb hang on each other. While one of them turns or stops at will, the tracker
  follows its neighbours late, and they leap to where they belong: a reaching hand makes its elbow
  jerk.

Both rules are our choice. Joints that the tracks do not hold are not asked for.
"""

import warnings

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from semiology.data.preprocessing import drop_low_confidence
from semiology.data.skeleton import mirrored_name
from semiology.severity.jerks.jerk import JerkSettings
from semiology.severity.kinematics.segments import positions_of

SIDES = ("left", "right")
LIMBS = [
    [f"{side}_{joint}" for joint in limb]
    for side in SIDES
    for limb in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
]


def completed(seen: NDArray, names: list[str]) -> NDArray:
    """(time, joint) of bool: elbows and knees where the wrist or ankle is not among what is `seen`
    (time, joint).
    """
    guessed = np.zeros_like(seen)
    for _, middle, far in LIMBS:
        if middle in names and far in names:
            guessed[:, names.index(middle)] = ~seen[:, names.index(far)]
    return guessed


def greatest_of_limb(values: NDArray, names: list[str]) -> NDArray:
    """(time, joint): for a limb's joints the greatest value among them, of those that are finite;
    for all others their own.
    """
    greatest = values.copy()
    for limb in LIMBS:
        if held := [names.index(name) for name in limb if name in names]:
            greatest[:, held] = np.fmax.reduce(values[:, held], axis=1)[:, None]
    return greatest


# of the confidence shortly before: what is followed with less is an estimate, such as of one leg
# behind the other. [our choice]
DIP = 0.8
BEFORE, DURING = (-0.60, -0.16), (-0.16, 0.20)  # s from a moment
# torso lengths; the way of both sides' joints together, from which on a change of places can be
# told from jitter. [our choice]
SWAP = 0.1


def seen_positions(tracks: xr.Dataset, settings: JerkSettings) -> tuple[NDArray, float]:
    """(time, keypoint, space) in torso lengths, at the times of the grid, NaN where not seen; and
    the torso's length in px or m.

    In px where the tracks have them (`position`), else in m. All NaN where the torso was never
    seen.
    """
    positions, torso = positions_of(drop_low_confidence(tracks, settings.confidence), "torso")
    if "position" in tracks and tracks.attrs.get("width", 0) and tracks.attrs.get("height", 0):
        positions[_outside(positions, tracks.attrs["width"], tracks.attrs["height"])] = np.nan
    positions = on_time(positions / torso, tracks["time"].values, tracks["source_time"].values)
    leapt = leaps(positions, tracks.attrs["fps"], settings.fastest) | swaps(
        positions, tracks.keypoint.values.tolist()
    )
    positions[leapt] = np.nan
    positions[completed(np.isfinite(positions).all(axis=2), tracks.keypoint.values.tolist())] = (
        np.nan
    )
    return positions, torso


def true_rate(tracks: xr.Dataset) -> float:
    """Different frames a second: fewer than the tracks' own where these repeat the frames of a
    slower video.
    """
    source, fps = tracks["source_index"].values, float(tracks.attrs["fps"])
    seen = (source[1:] >= 0) & (source[:-1] >= 0)
    return fps * float((1 + (source[1:] != source[:-1])[seen].sum()) / (1 + seen.sum()))


def on_time(positions: NDArray, time: NDArray, source_time: NDArray) -> NDArray:
    """Positions moved from the time of their source frame to that of the grid, by the velocity
    there.

    At 25 Hz from a video of 30, every fifth step of the grid spans two source frames: a limb in
    motion seems to leap. Each frame is up to half a source frame early or late.

    Args:
        positions: (time, ...).
        time: (time,) s, of the grid.
        source_time: (time,) s, of the frames; NaN where missing. A constant difference between the
            two does not matter.
    """
    late = source_time - time
    if len(time) < 3 or not np.isfinite(late).any():
        return positions
    late = late - np.nanmedian(late)
    if not np.nan_to_num(late).any():
        return positions
    span = source_time[2:] - source_time[:-2]
    velocity = np.full_like(positions, np.nan)
    velocity[1:-1] = (positions[2:] - positions[:-2]) / _along(
        np.where(span > 0, span, np.nan), positions
    )
    return positions - np.nan_to_num(velocity * _along(late, positions))


def leaps(positions: NDArray, fps: float, fastest: float) -> NDArray:
    """(time, keypoint) of bool: frames at which a joint arrives faster than `fastest` (lengths /
    s).
    """
    leapt = np.zeros(positions.shape[:2], bool)
    leapt[1:] = np.linalg.norm(np.diff(positions, axis=0), axis=2) * fps > fastest
    return leapt


def swaps(positions: NDArray, names: list[str]) -> NDArray:
    """(time, keypoint) of bool: frames at which the joints of a pair arrive where the other one
    was.

    Together they went at least `SWAP` and, had they been named the other way round, would have gone
    less than half as far.
    """
    swapped = np.zeros(positions.shape[:2], bool)
    place = {name: number for number, name in enumerate(names)}
    pairs = np.array(
        [
            (own, place[mirrored_name(name)])
            for name, own in place.items()
            if place.get(mirrored_name(name), own) > own
        ]
    )
    if len(pairs) and len(positions):
        one, other = positions[:, pairs[:, 0]], positions[:, pairs[:, 1]]
        went = _way(one, one) + _way(other, other)
        crossed = _way(one, other) + _way(other, one)
        swapped[1:, pairs.T.ravel()] = np.tile((went > SWAP) & (crossed < went / 2), 2)
    return swapped


def dips(confidence: NDArray, fps: float, frames: NDArray, joints: NDArray) -> NDArray:
    """(n,) of bool: whether confidence (time, keypoint) falls at some frames, of some joints, below
    `DIP` of what it was before.

    Points without a score (NaN) are left out of both; where one of the two has no score at all,
    nothing falls.
    """

    def at(span: tuple[float, float]) -> NDArray:
        place = frames[:, None] + np.arange(round(span[0] * fps), round(span[1] * fps) + 1)
        return confidence[np.clip(place, 0, len(confidence) - 1), joints[:, None]]

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="All-NaN slice")
        usual = np.nanmedian(at(BEFORE), axis=1)
    return np.fmin.reduce(at(DURING), axis=1, initial=1) < DIP * usual


def _way(before: NDArray, after: NDArray) -> NDArray:
    return np.linalg.norm(after[1:] - before[:-1], axis=2)


def _outside(positions: NDArray, width: int, height: int) -> NDArray:
    """(time, keypoint): beyond the picture's edge, where a tracker guesses."""
    x, y = positions[..., 0], positions[..., 1]
    return (x < 0) | (y < 0) | (x > width) | (y > height)


def _along(values: NDArray, like: NDArray) -> NDArray:
    return values.reshape(-1, *[1] * (like.ndim - 1))
