"""Parts of the body and their sides by the names of keypoints, and the body's own unit of length.

The parts are those that the Unified Myoclonus Rating Scale scores (Frucht et al. 2002: face, neck,
trunk, arms, legs). Which keypoint shows which part is our choice: a jerk of the neck moves the head
as a whole, so that ears and head stand for the neck, nose, eyes and mouth for the face; shoulders
and hips belong to the trunk, what is beyond them to arm and leg. The names are those of MediaPipe,
COCO, OpenPose, Kinect and the skeletons here. Sides are the patient's.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import xarray as xr

from semiology.data.preprocessing import coordinates
from semiology.errors import UserError

SHOULDERS, HIPS = ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")
# Torso by shoulder width, where the hips are out of view: (0.818 - 0.530) / 0.259 of the body's
# height (Drillis and Contini 1966, as in
# Winter 2009, fig. 4.1). Taking it instead of the hips is our choice.
TORSO_BY_SHOULDERS = (0.818 - 0.530) / 0.259


@dataclass(frozen=True)
class Segment:
    """A part of the body: its side ("left", "right", or "" on the midline) and the keypoints that
    show it.
    """

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
    """The body segment that a keypoint shows, by its name; "" for one that is in none (a landmark
    of the face mesh, say).
    """
    return _SEGMENT_OF.get(keypoint, "")


def side_of(keypoint: str) -> str:
    """The side that a keypoint's own name says: "left", "right" or "". The side may stand anywhere
    in it.

    >>> side_of("mouth_left"), side_of("left_hip"), side_of("nose")
    ('left', 'left', '')
    """
    return next((side for side in ("left", "right") if side in keypoint.split("_")), "")


def torso_length(tracks: xr.Dataset, dimensions: int = 2) -> float:
    """Length of the trunk: median over frames of the distance between the middles of the shoulders
    and of the hips.

    In px (dimensions 2) or m (3). Where shoulders and hips are never seen together, the median
    shoulder width times 1.112 (`TORSO_BY_SHOULDERS`); NaN where that is not seen either. In the
    picture it is foreshortened by a trunk that leans to the camera.

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
    """Positions (time, keypoint, space) as the tracks hold them, and the length by which they are
    divided to come out in `unit`.

    Args:
        unit: "torso" (lengths of the trunk, from px where the tracks have them, else from m), "m"
            or "px".

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
