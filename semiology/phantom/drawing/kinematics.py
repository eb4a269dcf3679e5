"""Joint angles over time -> joints in the room, with rigid bones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semiology.phantom.drawing.person import Body

Angles = dict[str, NDArray]  # name -> (time,) radians

TRUNK_ANGLES = ("trunk_pitch", "trunk_roll", "trunk_yaw")
HEAD_ANGLES = ("head_pitch", "head_roll", "head_yaw")
ARM_ANGLES = (
    "elevation",
    "plane",
    "twist",
    "elbow",
    "pronation",
    "wrist",
)  # each with left_ or right_ before it
SIDES = {"left": 1.0, "right": -1.0}


@dataclass(frozen=True)
class Figure:
    """One body over time.

    Attributes:
        joints: name -> (time, 3) m in the room; the eleven joints of `upper_body_11` and
            `left_hand`, `right_hand` (finger tips), `left_palm`, `right_palm` (unit vectors out of
            the palm).
        trunk, head: (time, 3, 3), columns are the part's axes to the patient's left, up and to the
            front.
    """

    joints: dict[str, NDArray]
    trunk: NDArray
    head: NDArray


def turn(axis: str, angle: NDArray) -> NDArray:
    """Rotation matrices (time, 3, 3) by `angle` (time,) radians about "x", "y" or "z",
    right-handed.
    """
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    rows = {
        "x": [[one, zero, zero], [zero, c, -s], [zero, s, c]],
        "y": [[c, zero, s], [zero, one, zero], [-s, zero, c]],
        "z": [[c, -s, zero], [s, c, zero], [zero, zero, one]],
    }[axis]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def rotate(vectors: NDArray, axis: NDArray, angle: NDArray) -> NDArray:
    """Rodrigues: `vectors` (time, 3) turned by `angle` (time,) about unit `axis` (time, 3)."""
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    along = np.sum(axis * vectors, -1, keepdims=True)
    return vectors * c + np.cross(axis, vectors) * s + axis * along * (1 - c)


def arm_directions(angles: Angles, side: str) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Unit vectors (time, 3) of upper arm, forearm, hand and palm normal, in the trunk's axes.

    elevation: 0 hangs along the trunk, pi/2 level, pi overhead; plane: 0 out to the side, pi/2 to
    the front; twist: inward rotation of the upper arm, which carries the forearm towards the
    midline; elbow: 0 straight; pronation, wrist (flexion): of the hand. The arm is computed as a
    left one, and mirrored for the right.
    """
    elevation, plane, twist, elbow, pronation, wrist = (
        angles[f"{side}_{name}"] for name in ARM_ANGLES
    )
    zero = np.zeros_like(elevation)
    swing = np.stack(
        [-np.sin(plane), zero, np.cos(plane)], -1
    )  # axis that lifts the hanging arm in its plane
    hanging = np.stack([zero, zero - 1, zero], -1)
    bend = np.stack(
        [-np.sin(twist), zero, np.cos(twist)], -1
    )  # where the forearm goes when the elbow of a hanging arm is bent
    upper = rotate(hanging, swing, elevation)
    fore = rotate(
        np.cos(elbow)[:, None] * hanging + np.sin(elbow)[:, None] * bend, swing, elevation
    )
    hinge = rotate(np.cross(hanging, bend), swing, elevation)
    hinge = rotate(hinge, fore, pronation)
    hand = rotate(fore, hinge, wrist)
    palm = np.cross(hinge, hand)
    mirror = np.array([SIDES[side], 1.0, 1.0])
    return upper * mirror, fore * mirror, hand * mirror, palm * mirror


def pose(
    body: Body,
    angles: Angles,
    *,
    seat: NDArray,
    recline: NDArray | float,
    heading: NDArray | float = 0.0,
) -> Figure:
    """Forward kinematics.

    Args:
        angles: the names of TRUNK_ANGLES, HEAD_ANGLES and, for both sides, ARM_ANGLES.
        seat: (3,) or (time, 3) m, where the spine base is.
        recline: radians between the trunk at rest and the level mattress: pi/2 sits upright.
        heading: radians about the vertical; 0 looks to the foot of the bed.
    """
    zero = np.zeros_like(angles["trunk_pitch"])
    pelvis = turn("y", zero + heading) @ turn("x", zero + recline - np.pi / 2)
    trunk = (
        pelvis
        @ turn("x", angles["trunk_pitch"])
        @ turn("z", angles["trunk_roll"])
        @ turn("y", angles["trunk_yaw"])
    )
    head = (
        trunk
        @ turn("y", angles["head_yaw"])
        @ turn("x", angles["head_pitch"])
        @ turn("z", angles["head_roll"])
    )

    base = np.broadcast_to(np.asarray(seat, float), (len(zero), 3))
    neck = base + body.trunk * trunk[:, :, 1]
    neck_direction = 0.5 * (
        trunk[:, :, 1] + head[:, :, 1]
    )  # the neck bends half as far as the head
    neck_direction /= np.linalg.norm(neck_direction, axis=-1, keepdims=True)
    joints = {"spine_base": base, "neck": neck, "head": neck + body.neck * neck_direction}
    for side, sign in SIDES.items():
        upper, fore, hand, palm = (
            np.einsum("tij,tj->ti", trunk, v) for v in arm_directions(angles, side)
        )
        joints[f"{side}_hip"] = base + sign * body.hip * pelvis[:, :, 0]
        joints[f"{side}_shoulder"] = neck + sign * body.shoulder * trunk[:, :, 0]
        joints[f"{side}_elbow"] = joints[f"{side}_shoulder"] + body.upper_arm * upper
        joints[f"{side}_wrist"] = joints[f"{side}_elbow"] + body.forearm * fore
        joints[f"{side}_hand"] = joints[f"{side}_wrist"] + body.hand * hand
        joints[f"{side}_palm"] = palm
    return Figure(joints, trunk, head)
