"""Anatomical locations ("places") of a face by name, and the tracked points of each landmark scheme
for them. Sides are the patient's.

A place is the mean of its points. Three schemes are supported: MediaPipe's mesh
(`mesh_000`..), the 68 points of iBUG 300-W as in OpenFace, Py-Feat, menpo and OpenPose
(`landmark_00`..), and the joints of `face_23`. The lids of the mesh are read at three points each,
those of the 68 at two, those of `face_23` at one. Sources: [C] iBUG's numbering; [C] MediaPipe's
topology of the mesh; which points: our choice.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from semiology.errors import UserError

SIDES = ("left", "right")
STABLE = (  # places that expressions hardly move: they give the head's pose
    "left_eye_outer",
    "left_eye_inner",
    "right_eye_outer",
    "right_eye_inner",
    "nose_bridge",
    "nose_ridge",
    "nose_base",
)
MOVING = (
    *(
        f"{side}_{place}"
        for side in SIDES
        for place in ("upper_lid", "lower_lid", "brow", "nose_wing", "mouth_corner")
    ),
    "lip_upper",
    "lip_lower",
)
PLACES = (*STABLE, *MOVING)


def _mesh(*numbers: int) -> tuple[str, ...]:
    return tuple(f"mesh_{number:03d}" for number in numbers)


def _of_68(*numbers: int) -> tuple[str, ...]:
    return tuple(f"landmark_{number:02d}" for number in numbers)


MESH = {
    "left_eye_outer": _mesh(263),
    "left_eye_inner": _mesh(362),
    "left_upper_lid": _mesh(385, 386, 387),
    "left_lower_lid": _mesh(380, 374, 373),
    "left_brow": _mesh(336, 296, 334, 293, 300),
    "left_nose_wing": _mesh(327),
    "left_mouth_corner": _mesh(291),
    "right_eye_outer": _mesh(33),
    "right_eye_inner": _mesh(133),
    "right_upper_lid": _mesh(158, 159, 160),
    "right_lower_lid": _mesh(153, 145, 144),
    "right_brow": _mesh(107, 66, 105, 63, 70),
    "right_nose_wing": _mesh(98),
    "right_mouth_corner": _mesh(61),
    "nose_bridge": _mesh(168),
    "nose_ridge": _mesh(195),
    "nose_base": _mesh(460, 305, 75, 240),
    "lip_upper": _mesh(13),
    "lip_lower": _mesh(14),
}
IBUG_68 = {
    "left_eye_outer": _of_68(45),
    "left_eye_inner": _of_68(42),
    "left_upper_lid": _of_68(43, 44),
    "left_lower_lid": _of_68(47, 46),
    "left_brow": _of_68(22, 23, 24, 25, 26),
    "left_nose_wing": _of_68(35),
    "left_mouth_corner": _of_68(54),
    "right_eye_outer": _of_68(36),
    "right_eye_inner": _of_68(39),
    "right_upper_lid": _of_68(38, 37),
    "right_lower_lid": _of_68(40, 41),
    "right_brow": _of_68(21, 20, 19, 18, 17),
    "right_nose_wing": _of_68(31),
    "right_mouth_corner": _of_68(48),
    "nose_bridge": _of_68(27),
    "nose_ridge": _of_68(29),
    "nose_base": _of_68(
        35, 34, 32, 31
    ),  # Py-Feat's 30 and 33 are not where OpenFace's are, these four and 29 are
    "lip_upper": _of_68(62),
    "lip_lower": _of_68(66),
}
# it has no ridge and no wings of the nose; its nose_tip is another point when read from the mesh
# than from the 68: left out
FACE_23 = {
    **{
        f"{side}_{place}": tuple(f"{side}_{joint}" for joint in joints)
        for side in SIDES
        for place, joints in {
            "eye_outer": ("eye_outer",),
            "eye_inner": ("eye_inner",),
            "upper_lid": ("eye_upper",),
            "lower_lid": ("eye_lower",),
            "brow": ("brow_inner", "brow_middle", "brow_outer"),
        }.items()
    },
    **{f"{side}_nose_wing": ("nose_base",) for side in SIDES},
    **{f"{side}_mouth_corner": (f"mouth_{side}",) for side in SIDES},
    "nose_bridge": ("nose_bridge",),
    "nose_base": ("nose_base",),
    "lip_upper": ("mouth_upper_inner",),
    "lip_lower": ("mouth_lower_inner",),
}
SCHEMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "mesh": MESH,
    "68": IBUG_68,
    "face_23": FACE_23,
}


def scheme_of(tracks: xr.Dataset) -> str:
    """The scheme whose points the tracks hold, with the most points first: mesh, 68 or face_23.

    Raises:
        UserError: the tracks hold the points of no scheme.
    """
    held = set(tracks.keypoint.values.tolist())
    for scheme, points in SCHEMES.items():
        if {name for names in points.values() for name in names} <= held:
            return scheme
    raise UserError(
        f"face measures: the tracks hold {', '.join(sorted(held)[:6])}, ...; needed are a face's"
        " landmarks: mesh_000.. (MediaPipe), landmark_00.. (68 points) or the joints of face_23"
    )


def places(tracks: xr.Dataset) -> dict[str, np.ndarray]:
    """Every place of the scheme: (time, 3) m where the face has depth, else (time, 2) px; NaN where
    one of its points is missing.

    Raises:
        UserError: as `scheme_of`.
    """
    points = SCHEMES[scheme_of(tracks)]
    column = {keypoint: number for number, keypoint in enumerate(tracks.keypoint.values.tolist())}
    needed = [name for names in points.values() for name in names]
    # tracks lifted to 3D have no depth in the face: then the image's positions
    deep = "position_3d" in tracks and (
        "position" not in tracks or np.isfinite(tracks["position_3d"].sel(keypoint=needed)).any()
    )
    name, space = ("position_3d", "space_3d") if deep else ("position", "space")
    position = tracks[name].transpose("time", "keypoint", space).values.astype(float)
    return {
        place: position[:, [column[name] for name in points[place]]].mean(axis=1)
        for place in PLACES
        if place in points
    }
