"""Body segments and sides by the names of keypoints, and the torso as the unit of length.

The segments are the body parts of the Unified Myoclonus Rating Scale (Frucht et al. 2002: face,
neck, trunk, arms, legs). The assignment of keypoints is our choice: a jerk of the neck moves the
whole head, so ears and head stand for the neck, nose, eyes and mouth for the face; shoulders and
hips belong to the trunk, everything distal of them to arm and leg. The names are those of
MediaPipe, COCO, OpenPose, Kinect and the skeletons here. Sides are the patient's.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import xarray as xr

from semiology.data.preprocessing import coordinates
from semiology.errors import UserError

SHOULDERS, HIPS = ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")
# Torso by shoulder width, where the hips are out of view: (0.818 - 0.530) / 0.259 of the body's
# height (Drillis and Contini 1966, as in Winter 2009, fig. 4.1). Its use in place of the hips is
# our choice.
TORSO_BY_SHOULDERS = (0.818 - 0.530) / 0.259


@dataclass(frozen=True)
class Segment:
    """A body segment: its side ("left", "right", or "" on the midline) and its keypoints."""

    side: str
    keypoints: tuple[str, ...]


def _limb(side: str, names: str) -> Segment:
    return Segment(side, tuple(f"{side}_{name}" for name in names.split()))


_FACE = (
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer"
    " mouth_left mouth_right"
)
_ARM = "elbow wrist hand palm thumb index pinky"
_LEG = "knee ankle foot heel foot_index big_toe small_toe"
SEGMENTS: dict[str, Segment] = {
    "face": Segment("", tuple(_FACE.split())),
    "neck": Segment("", ("head", "left_ear", "right_ear", "neck", "shoulder_centre")),
    "trunk": Segment("", (*SHOULDERS, *HIPS, "spine", "spine_base", "mid_hip", "hip_centre")),
    "left_arm": _limb("left", _ARM),
    "right_arm": _limb("right", _ARM),
    "left_leg": _limb("left", _LEG),
    "right_leg": _limb("right", _LEG),
}
_SEGMENT_OF = {
    keypoint: name for name, segment in SEGMENTS.items() for keypoint in segment.keypoints
}


def segment_of(keypoint: str) -> str:
    """The body segment of a keypoint, by its name; "" for a keypoint of none (such as a landmark
    of the face mesh).
    """
    return _SEGMENT_OF.get(keypoint, "")


def side_of(keypoint: str) -> str:
    """The side in a keypoint's name, at any place of it: "left", "right" or "".

    >>> side_of("mouth_left"), side_of("left_hip"), side_of("nose")
    ('left', 'left', '')
    """
    return next((side for side in ("left", "right") if side in keypoint.split("_")), "")


def torso_length(tracks: xr.Dataset, dimensions: int = 2) -> float:
    """Length of the torso: median over frames of the distance between the midpoints of the
    shoulders and of the hips.

    In px (dimensions 2) or m (3). Where shoulders and hips are never seen together, the median
    shoulder width times 1.112 (`TORSO_BY_SHOULDERS`); NaN where that is not seen either. In the
    image it is foreshortened when the torso leans towards the camera.

    Raises:
        UserError: the tracks hold no positions of these dimensions.
    """
    positions = coordinates(tracks, dimensions).astype(float)
    place = {name: number for number, name in enumerate(tracks.keypoint.values.tolist())}

    def at(names: tuple[str, str]) -> list[np.ndarray]:
        return [
            positions[:, place[name]] if name in place else np.full_like(positions[:, 0], np.nan)
            for name in names
        ]

    (left, right), hips = at(SHOULDERS), at(HIPS)
    torso = _median_distance((left + right) / 2, (hips[0] + hips[1]) / 2)
    length = torso if np.isfinite(torso) else TORSO_BY_SHOULDERS * _median_distance(left, right)
    return length if length > 0 else float("nan")


def positions_of(tracks: xr.Dataset, unit: str) -> tuple[np.ndarray, float]:
    """Positions (time, keypoint, space) as the tracks hold them, and the length by which to divide
    them to express them in `unit`.

    Args:
        unit: "torso" (torso lengths, from px where the tracks have pixels, else from m), "m" or
            "px".

    Raises:
        UserError: another unit, or one that the tracks do not hold.
    """
    if unit not in ("torso", "m", "px"):
        raise UserError(f'unit {unit!r}: must be "torso", "m" or "px"')
    dimensions = 3 if unit == "m" or (unit == "torso" and "position" not in tracks) else 2
    return coordinates(tracks, dimensions).astype(float), (
        torso_length(tracks, dimensions) if unit == "torso" else 1.0
    )


def _median_distance(one: np.ndarray, other: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="All-NaN slice|Mean of empty slice")
        return (
            float(np.nanmedian(np.linalg.norm(one - other, axis=1))) if len(one) else float("nan")
        )
