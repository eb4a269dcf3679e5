"""Hands with fingers: 21 landmarks that bend, and their capsules on the canvas; for clips in which
hands are examined. Other clips draw simpler hands (`figure.Actor.draw_arm`).

Proportions are near those of adult hands in anthropometric tables; how far a finger bends in a
movement is our choice.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from semiology.data.keypoint_names import HAND
from semiology.phantom.drawing.kinematics import SIDES, Figure
from semiology.phantom.drawing.raster import Canvas

# in hand lengths, wrist to tip of the middle finger: the first joint (towards the thumb, along the
# hand), three bones, and the spread, rad towards the thumb
FINGERS: dict[str, tuple[float, float, tuple[float, float, float], float]] = {
    "index_finger": (0.115, 0.480, (0.220, 0.135, 0.115), 0.12),
    "middle_finger": (0.015, 0.495, (0.240, 0.150, 0.115), 0.02),
    "ring_finger": (-0.080, 0.465, (0.220, 0.140, 0.115), -0.08),
    "pinky": (-0.165, 0.415, (0.175, 0.105, 0.100), -0.20),
}
THUMB = (0.130, 0.115), (0.235, 0.180, 0.145)  # base and bones
BENT = np.radians([80, 95, 55])  # of a finger's joints in a fist
PINCH = np.radians([58, 48, 26])  # of the index finger at the thumb's tip
OPEN = np.radians([8, 10, 6])  # of a stretched finger
RADII = {"mcp": 0.056, "pip": 0.050, "dip": 0.044, "tip": 0.036}
THUMB_RADII = 0.075, 0.062, 0.054, 0.042
PLACE = {name: number for number, name in enumerate(HAND)}


def hand_landmarks(
    length: float, closed: Mapping[str, NDArray], apart: NDArray | None = None
) -> NDArray:
    """The 21 landmarks of a hand (time, 21, 3), m, from the wrist: towards the thumb, along the
    hand, out of the palm.

    Args:
        length: of the hand, m.
        closed: finger -> (time,) 0 stretched, 1 in a fist.
        apart: (time,) how far thumb and index finger are apart, 0 touching, 1 wide; None leaves the
            index finger to `closed` and the thumb beside the palm.
    """
    frames = len(next(iter(closed.values())))
    points = np.zeros((frames, 21, 3))
    for finger in FINGERS:
        bend = OPEN + closed[finger][:, None] * (BENT - OPEN)
        if finger == "index_finger" and apart is not None:
            bend = PINCH + apart[:, None] * (OPEN - PINCH)
        points[:, PLACE[f"{finger}_mcp"] : PLACE[f"{finger}_tip"] + 1] = _finger(finger, bend)
    base, bones = np.array([*THUMB[0], 0.02]), THUMB[1]
    beside = base + np.array([0.30, 0.33, 0.06])  # the tip of a thumb at rest
    if apart is None:
        tips = np.broadcast_to(beside, (frames, 3))
    else:
        touching = _finger("index_finger", PINCH[None])[0, -1] + [0, -0.03, 0.02]
        wide = base + np.array([0.42, 0.22, 0.14])
        tips = touching + apart[:, None] * (wide - touching)
    points[:, PLACE["thumb_cmc"] : PLACE["thumb_tip"] + 1] = _thumb(base, tips, bones)
    return length * points


def _finger(finger: str, bend: NDArray) -> NDArray:
    """Four points (time, 4, 3) of a finger whose joints are bent by (time, 3) rad."""
    thumbward, along, bones, spread = FINGERS[finger]
    joints = [np.broadcast_to([thumbward, along, 0.0], (len(bend), 3))]
    for bone, angle in zip(bones, np.cumsum(bend, axis=1).T):
        step = np.stack(
            [np.sin(spread) * np.cos(angle), np.cos(spread) * np.cos(angle), np.sin(angle)], axis=-1
        )
        joints.append(joints[-1] + bone * step)
    return np.stack(joints, axis=1)


def _thumb(base: NDArray, tips: NDArray, bones: tuple[float, float, float]) -> NDArray:
    """Four points (time, 4, 3): the thumb from its base to a tip, bowed outwards where the tip is
    nearer than the bones reach.
    """
    way = tips - base
    distance = np.linalg.norm(way, axis=1, keepdims=True)
    along = way / distance
    reach = np.minimum(distance, sum(bones))
    bow = np.sqrt(np.maximum(sum(bones) ** 2 - reach**2, 0)) * 0.35
    outwards = np.array([1.0, 0.0, 0.0]) - along[:, :1] * along
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    first, second = np.cumsum(bones)[:2] / sum(bones)
    return np.stack(
        [
            np.broadcast_to(base, tips.shape),
            base + first * reach * along + bow * outwards,
            base + second * reach * along + 0.8 * bow * outwards,
            base + reach * along,
        ],
        axis=1,
    )


def in_room(figure: Figure, side: str, local: NDArray) -> NDArray:
    """Landmarks (time, 21, 3) of `hand_landmarks` at a figure's wrist, m in the room."""
    wrist, palm = figure.joints[f"{side}_wrist"], figure.joints[f"{side}_palm"]
    along = figure.joints[f"{side}_hand"] - wrist
    along = along / np.linalg.norm(along, axis=1, keepdims=True)
    thumb = -SIDES[side] * np.cross(along, palm)
    axes = np.stack([thumb, along, palm], axis=-1)
    return wrist[:, None] + np.einsum("tij,tkj->tki", axes, local)


def draw_hand(canvas: Canvas, points: NDArray, part: int) -> None:
    """Draw a hand of 21 landmarks (21, 3) m in camera axes."""
    length = float(np.linalg.norm(points[PLACE["middle_finger_mcp"]] - points[0])) / 0.495
    wrist = points[0]
    knuckles = [points[PLACE[f"{finger}_mcp"]] for finger in FINGERS]
    for knuckle in [*knuckles, *(np.add(a, b) / 2 for a, b in pairwise(knuckles))]:
        heel = wrist + 0.16 * (knuckle - wrist)
        canvas.capsule(heel, knuckle, 0.085 * length, RADII["mcp"] * length, part)
    for finger in FINGERS:
        names = ("mcp", "pip", "dip", "tip")
        for inner, outer in pairwise(names):
            canvas.capsule(
                points[PLACE[f"{finger}_{inner}"]],
                points[PLACE[f"{finger}_{outer}"]],
                RADII[inner] * length,
                RADII[outer] * length,
                part,
            )
    thumb = points[PLACE["thumb_cmc"] : PLACE["thumb_tip"] + 1]
    for number in range(3):
        canvas.capsule(
            thumb[number],
            thumb[number + 1],
            THUMB_RADII[number] * length,
            THUMB_RADII[number + 1] * length,
            part,
        )
