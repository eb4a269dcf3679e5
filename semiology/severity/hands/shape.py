"""One hand over time as series: how far thumb and index finger are apart, how far the fingers are
stretched, how the palm is turned, and where the landmarks are, in hand lengths.

Shapes are measured in space where the tracks have metres: they do not depend then on how the hand
is held towards the camera. Positions are measured in the image, because a hand's metres have their
origin in the hand itself.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from semiology.data.keypoint_names import HAND, of_hand
from semiology.data.preprocessing import coordinates, fill_gaps
from semiology.errors import UserError

# cm, wrist to tip of the middle finger: 0.108 of a height of 170 cm (Drillis and Contini 1966)
AVERAGE_HAND = 18.4
# s: gaps that are interpolated. Two frames at 25 Hz; longer ones would change a tremor. [our
# choice]
LONGEST_GAP = 0.08
# without metres, the hand's length in the image is this percentile over the frames: it is
# foreshortened in most [our choice]
LONGEST_SEEN = 90

FINGERS = ("index_finger", "middle_finger", "ring_finger", "pinky")
PLACE = {name: number for number, name in enumerate(HAND)}


@dataclass(frozen=True)
class HandShape:
    """One hand over time; NaN where it was not found.

    Attributes:
        aperture: (time,) distance between the tips of thumb and index finger, hand lengths.
        extension: (time,) mean over the four fingers of the distance from the wrist to the tip,
            over the length of the way along the bones: 1 is stretched, a fist near 0.5.
        rotation: (time,) angle of the palm about the hand's long axis, degrees, increasing without
            bound; NaN without metres.
        position: (time, 21, 2) in the image, hand lengths.
        share: fraction of frames in which the hand was found, gaps of at most 0.08 s filled.
        fps: Hz.
    """

    aperture: NDArray
    extension: NDArray
    rotation: NDArray
    position: NDArray
    share: float
    fps: float


def hand_shape(tracks: xr.Dataset, side: str) -> HandShape:
    """The shape of the left or right hand.

    Args:
        tracks: with the 21 keypoints of that hand (`data.keypoint_names.HANDS`), in px.

    Raises:
        UserError: the tracks lack the hand's keypoints, or positions in px.
    """
    names = [of_hand(side, name) for name in HAND]
    if lacking := [name for name in names if name not in tracks.keypoint.values]:
        raise UserError(
            f"hands: the tracks lack {len(lacking)} of the {side} hand's 21 keypoints, such as"
            f" {lacking[0]}; give the hands that `semiology extract --hands true` tracks"
        )
    filled = fill_gaps(tracks.sel(keypoint=names), LONGEST_GAP)
    image = coordinates(filled, 2).astype(float)
    space = coordinates(filled, 3).astype(float) if "position_3d" in tracks else None
    length = _length(image if space is None else space, space is not None)
    pixels = length if space is None else length * _pixels_per_metre(image, space)
    points = image if space is None else space
    rotation = np.full(len(image), np.nan) if space is None else _rotation(space)
    return HandShape(
        _distance(points, "thumb_tip", "index_finger_tip") / length,
        np.mean([_extension(points, finger) for finger in FINGERS], axis=0),
        rotation,
        image / pixels,
        float(np.isfinite(image).all(axis=(1, 2)).mean()) if len(image) else 0.0,
        float(tracks.attrs["fps"]),
    )


def _distance(points: NDArray, one: str, other: str) -> NDArray:
    return np.linalg.norm(points[:, PLACE[one]] - points[:, PLACE[other]], axis=1)


def _chain(points: NDArray, finger: str) -> NDArray:
    """(time,) length of the way along the bones from the wrist to a finger's tip."""
    way = ["wrist", *(f"{finger}_{joint}" for joint in ("mcp", "pip", "dip", "tip"))]
    return np.sum([_distance(points, *pair) for pair in pairwise(way)], axis=0)


def _extension(points: NDArray, finger: str) -> NDArray:
    whole = _chain(points, finger)
    return _distance(points, "wrist", f"{finger}_tip") / np.where(whole > 0, whole, np.nan)


def _length(points: NDArray, in_space: bool) -> float:
    """Length of the hand, one number a clip: along the bones of the middle finger."""
    lengths = _chain(points, "middle_finger")
    lengths = lengths[np.isfinite(lengths) & (lengths > 0)]
    if not len(lengths):
        return float("nan")
    return float(np.percentile(lengths, 50 if in_space else LONGEST_SEEN))


def _pixels_per_metre(image: NDArray, space: NDArray) -> float:
    """Scale of the image, px / m: median over frames of the landmarks' spread in the image over
    that of their x and y in space, which a turned hand shortens both.
    """
    spreads = [
        np.sqrt(((points - points.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2)))
        for points in (image, space[..., :2])
    ]
    ratio = spreads[0] / np.where(spreads[1] > 0, spreads[1], np.nan)
    ratio = ratio[np.isfinite(ratio)]
    return float(np.median(ratio)) if len(ratio) else float("nan")


def _rotation(space: NDArray) -> NDArray:
    """(time,) angle, degrees, of the line from the little to the index finger about the line from
    the wrist to the middle finger: 0 where the palm, or the back of the hand, faces the camera.
    """
    along = space[:, PLACE["middle_finger_mcp"]] - space[:, PLACE["wrist"]]
    across = space[:, PLACE["index_finger_mcp"]] - space[:, PLACE["pinky_mcp"]]
    level = np.cross(along, [0.0, 0.0, 1.0])  # in the image, across the hand
    depth = np.cross(level, along)
    level, depth = (
        vector / np.maximum(np.linalg.norm(vector, axis=1, keepdims=True), 1e-9)
        for vector in (level, depth)
    )
    angle = np.arctan2((across * depth).sum(axis=1), (across * level).sum(axis=1))
    known = np.isfinite(angle)
    angle[known] = np.unwrap(angle[known])
    return np.degrees(angle)
