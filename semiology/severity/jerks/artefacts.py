"""Positions without the tracking errors that look like jerks: in torso lengths, NaN wherever the
tracker did not see the joint or lost it.

1. Left and right are swapped for a frame or two, or a joint jumps to another limb and back. Between
   two frames such a jump is faster than any limb, or ends where the joint of the other side was.
   What follows a jump is not interpolated: time without data is not time without jerks.
2. Elbow and knee lie between two bones. Where the far end of the outer bone is not seen (a foot
   under the blanket, a hand out of view), a tracker of whole bodies guesses the limb, and the guess
   jumps. These joints are dropped (`guessed_joints`).
3. The joints of a limb depend on each other. While one of them turns or stops at will, the tracker
   follows its neighbours late, and then they jump to their true place: a reaching hand makes its
   elbow jerk. So a joint is compared with the movement of its whole limb (`limb_maximum`).
4. The skull is rigid: what moves the nose moves eyes and ears, so an isolated movement of one point
   of the head is an error (`isolated_head_points`). A head that nods or tilts turns about the
   neck's base, so its near points move some two thirds as far as its far ones. A twitch of the
   mouth that does not move the head cannot be distinguished from such an error by these few points.

Rules 2 to 4 are our choice. Joints that the tracks do not hold are ignored.
"""

import warnings

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from semiology.data.preprocessing import drop_low_confidence
from semiology.data.skeleton import mirrored_name
from semiology.severity.jerks.jerk import JerkSettings
from semiology.severity.jerks.shape import Shapes, displacements
from semiology.severity.kinematics import SEGMENTS
from semiology.severity.kinematics.segments import positions_of

SIDES = ("left", "right")
LIMB_JOINTS = [
    [f"{side}_{joint}" for joint in limb]
    for side in SIDES
    for limb in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
]
# fraction of the confidence shortly before, below which a position is an estimate of the tracker,
# such as of one leg behind the other. [our choice]
DIP = 0.8
BEFORE, DURING = (-0.60, -0.16), (-0.16, 0.20)  # s from a moment
# torso lengths; path of both sides' joints together, from which on a swap is distinguishable from
# jitter. [our choice]
SWAP = 0.1


def reliable_positions(tracks: xr.Dataset, settings: JerkSettings) -> tuple[NDArray, float]:
    """Positions (time, keypoint, space) in torso lengths at the times of the grid, NaN where they
    are missing or a tracking error; and the torso's length.

    The torso's length is in px where the tracks have pixels (`position`), else in m. Everything is
    NaN where the torso was never seen.
    """
    positions, torso = positions_of(drop_low_confidence(tracks, settings.confidence), "torso")
    if "position" in tracks and tracks.attrs.get("width", 0) and tracks.attrs.get("height", 0):
        positions[_outside(positions, tracks.attrs["width"], tracks.attrs["height"])] = np.nan
    names = tracks.keypoint.values.tolist()
    time, source_time = tracks["time"].values, tracks["source_time"].values
    positions = at_grid_times(positions / torso, time, source_time)
    jumps = tracking_jumps(positions, tracks.attrs["fps"], settings.fastest)
    positions[jumps | left_right_swaps(positions, names)] = np.nan
    positions[guessed_joints(np.isfinite(positions).all(axis=2), names)] = np.nan
    return positions, torso


def source_frame_rate(tracks: xr.Dataset) -> float:
    """Distinct source frames per second (Hz): lower than the tracks' own rate where these repeat
    frames of a slower video.
    """
    source, fps = tracks["source_index"].values, float(tracks.attrs["fps"])
    seen = (source[1:] >= 0) & (source[:-1] >= 0)
    return fps * float((1 + (source[1:] != source[:-1])[seen].sum()) / (1 + seen.sum()))


def at_grid_times(positions: NDArray, time: NDArray, source_time: NDArray) -> NDArray:
    """Positions shifted from the time of their source frame to that of the grid, by the local
    velocity.

    At 25 Hz from a video of 30 Hz, every fifth step of the grid spans two source frames, so that a
    moving limb seems to jump. Each frame is up to half a source frame early or late.

    Args:
        positions: (time, ...).
        time: (time,) s, of the grid.
        source_time: (time,) s, of the source frames; NaN where missing. A constant offset from
            `time` is removed.
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


def tracking_jumps(positions: NDArray, fps: float, fastest: float) -> NDArray:
    """(time, keypoint) of bool: frames that a joint reaches faster than `fastest` (torso
    lengths / s).
    """
    jumps = np.zeros(positions.shape[:2], bool)
    jumps[1:] = np.linalg.norm(np.diff(positions, axis=0), axis=2) * fps > fastest
    return jumps


def left_right_swaps(positions: NDArray, names: list[str]) -> NDArray:
    """(time, keypoint) of bool: frames at which the left and right joints of a pair exchange
    positions.

    Together the two moved at least `SWAP`; with left and right renamed they would have moved less
    than half as far.
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


def guessed_joints(seen: NDArray, names: list[str]) -> NDArray:
    """(time, joint) of bool: elbows and knees in frames whose wrist or ankle is not in `seen`, a
    mask of the same shape: their position is the tracker's guess.
    """
    guessed = np.zeros_like(seen)
    for _, middle, far in LIMB_JOINTS:
        if middle in names and far in names:
            guessed[:, names.index(middle)] = ~seen[:, names.index(far)]
    return guessed


def limb_maximum(values: NDArray, names: list[str]) -> NDArray:
    """(time, joint): each joint of a limb gets the maximum over the limb's joints (NaN ignored);
    every other joint keeps its own value.
    """
    greatest = values.copy()
    for limb in LIMB_JOINTS:
        if held := [names.index(name) for name in limb if name in names]:
            greatest[:, held] = np.fmax.reduce(values[:, held], axis=1)[:, None]
    return greatest


def confidence_drops(confidence: NDArray, fps: float, frames: NDArray, joints: NDArray) -> NDArray:
    """(n,) of bool: whether the confidence (time, keypoint) around frame `frames[i]` of joint
    `joints[i]` falls below the fraction `DIP` of its median shortly before.

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
    """(time, keypoint) of bool: beyond the image's edge, where a tracker guesses."""
    x, y = positions[..., 0], positions[..., 1]
    return (x < 0) | (y < 0) | (x > width) | (y > height)


def _along(values: NDArray, like: NDArray) -> NDArray:
    return values.reshape(-1, *[1] * (like.ndim - 1))


HEAD = (*SEGMENTS["face"].keypoints, "left_ear", "right_ear")
FRACTION = 2 / 3  # of a point's displacement that the other points' median reaches at least
OTHERS = 3  # other visible points that the comparison needs; with fewer the movement stays


def isolated_head_points(
    positions: NDArray,
    names: list[str],
    fps: float,
    frames: NDArray,
    joints: NDArray,
    shapes: Shapes,
) -> NDArray:
    """(n,) of bool: displacements of a point of the head that its other points do not share.

    Another point's part is its projection on the displacement of this point from onset to end.

    Args:
        positions: (time, joint, space), all joints of the tracks.
        names: of these joints.
        fps: Hz.
        frames, joints: (n,) frame and joint index of each displacement.
        shapes: their shapes.
    """
    alone = np.zeros(len(joints), bool)
    points = np.array([names.index(name) for name in HEAD if name in names], int)
    for number in np.flatnonzero(np.isin(joints, points) & np.isfinite(shapes.end - shapes.onset)):
        others = points[points != joints[number]]
        displacement, offsets = displacements(
            positions,
            fps,
            np.full(len(others) + 1, frames[number]),
            np.array([joints[number], *others]),
        )
        time = (frames[number] + offsets) / fps
        along = (displacement @ shapes.direction[number])[
            :, (time >= shapes.onset[number]) & (time <= shapes.end[number])
        ]
        own = np.nan_to_num(along[0])
        with np.errstate(invalid="ignore", divide="ignore"):  # a displacement that was not seen
            fractions = along[1:] @ own / (own @ own)
        fractions = fractions[np.isfinite(fractions)]
        alone[number] = len(fractions) >= OTHERS and np.median(fractions) < FRACTION
    return alone
