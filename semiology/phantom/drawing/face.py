"""Facial actions over time -> the lines of brows, lids and mouth -> the 23 landmarks.

One set of curves serves the painter (`portrait`) and the truth: what is drawn is what is stated.
Positions on the face are (u, v) in metres from the middle of the head at head size 1: u to the
patient's left, v up. Proportions and actions are our choice; the actions' names follow the action
units of the Facial Action Coding System that they stand for. Actions are the same on both sides of
a face, (..., action), or each side's own, (..., action, side) with the left one first.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from semiology.phantom.drawing.kinematics import SIDES
from semiology.phantom.drawing.person import Person

ACTIONS = (
    "brow_inner",  # AU1: inner brow raised
    "brow_outer",  # AU2: outer brow raised
    "brow_lower",  # AU4: brows lowered and drawn together
    "lid_raise",  # AU5: upper lids raised; below 0 they droop
    "lid_tight",  # AU7 with AU6: lids narrowed from below
    "blink",  # AU45
    "corner_up",  # AU12: corners of the mouth drawn up and out
    "corner_down",  # AU15
    "stretch",  # AU20: mouth stretched
    "press",  # AU24: lips pressed
    "upper_lip",  # AU10: upper lip raised
    "jaw",  # AU26: mouth open
    "gaze_u",  # eyes to the patient's left
    "gaze_v",  # eyes up
    "flush",  # reddened skin of cheeks and forehead: appearance only
    "pallor",  # pale skin, dark rings: appearance only
    "furrow",  # frown lines and folds beside the mouth: appearance only
    "pupil",  # widened pupils, wet eyes: appearance only
    "wrinkle",  # lines across the forehead: appearance only
    "tears",  # wet streaks from the eyes down the cheeks: appearance only
)
LANDMARK_ACTIONS = ACTIONS[:12]
EXPRESSIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "fear": {
        "brow_inner": 1.0,
        "brow_outer": 0.8,
        "brow_lower": 0.15,
        "lid_raise": 1.0,
        "stretch": 1.0,
        "corner_down": 0.5,
        "jaw": 0.8,
    },
    "anger": {
        "brow_lower": 1.2,
        "lid_tight": 0.5,
        "lid_raise": 0.3,
        "press": 0.9,
        "corner_down": 0.8,
        "upper_lip": 0.2,
    },
    "smile": {"corner_up": 1.2, "lid_tight": 0.8, "upper_lip": 0.4, "jaw": 0.4},
}
APPEARANCES: dict[str, dict[str, float]] = {
    "neutral": {},
    "fear": {"pallor": 1.0, "pupil": 1.0, "furrow": 0.3},
    "anger": {"flush": 1.0, "furrow": 1.0},
    "smile": {"flush": 0.5, "pupil": 0.6, "furrow": 0.5},
}
LOOKS: dict[
    str, dict[str, float]
] = {  # what comes with a held emotion beside the above, by `looks`
    "neutral": {},
    "fear": {"wrinkle": 1.0, "tears": 0.8},
    "anger": {"wrinkle": 0.4, "tears": 0.4},
    "smile": {"tears": 0.6},
}
LOOKS_ACTIONS = ACTIONS[14:]


def expression(name: str, appearance: float, looks: float = 0.0) -> NDArray:
    """Action values (action,) of an expression at full strength; `appearance` in [0, 1] moves it
    from the landmarks into the looks, `looks` in [0, 1] shows in the looks beside the movement.
    """
    moved, added = EXPRESSIONS[name], APPEARANCES[name] | LOOKS[name]
    weights = [
        (1 - appearance) * moved.get(a, 0.0)
        if a in LANDMARK_ACTIONS
        else max(appearance * APPEARANCES[name].get(a, 0.0), looks * added.get(a, 0.0))
        for a in ACTIONS
    ]
    return np.array(weights)


@dataclass(frozen=True)
class Features:
    """Curves of one side of the face, in metres; every entry has the shape of the actions' time
    axis (or none, for one frame).

    All are given for the left side at +u; the right side is their mirror image.
    """

    brow_u: NDArray  # (..., 3) inner, middle, outer
    brow_v: NDArray
    eye_u: NDArray  # middle of the eye
    eye_v: NDArray
    eye_half: NDArray  # half width
    lid_upper: NDArray  # height of the upper lid above eye_v in the middle
    lid_lower: NDArray  # depth of the lower lid below it
    nose_v: NDArray  # (..., 3) bridge, tip, base
    mouth_v: NDArray  # line between the lips, in the middle
    mouth_half: NDArray
    corner_v: NDArray  # height of the corners above mouth_v
    lip_v: NDArray  # (..., 4) above mouth_v: upper outer, upper inner, lower inner, lower outer


def by_side(actions: NDArray) -> dict[str, NDArray]:
    """Actions (..., action) or (..., action, side) -> left and right, each (..., action)."""
    if actions.shape[-1] == len(ACTIONS):
        return dict.fromkeys(SIDES, actions)
    return {side: actions[..., i] for i, side in enumerate(SIDES)}


def common(actions: NDArray) -> NDArray:
    """Actions (..., action) or (..., action, side) -> their mean over the sides (..., action): gaze
    and looks have no side.
    """
    return actions if actions.shape[-1] == len(ACTIONS) else actions.mean(-1)


def both_sides(person: Person, actions: NDArray) -> dict[str, Features]:
    """Curves of the left and of the right side under `actions` (..., action) or (..., action,
    side); the lips meet in the middle.
    """
    sides = {side: features(person, own) for side, own in by_side(actions).items()}
    left, right = sides.values()
    mouth_v, lip_v = (left.mouth_v + right.mouth_v) / 2, (left.lip_v + right.lip_v) / 2
    return {side: replace(own, mouth_v=mouth_v, lip_v=lip_v) for side, own in sides.items()}


def features(person: Person, actions: NDArray) -> Features:
    """Curves of a side of `person`'s face whose actions are `actions` (..., action)."""
    a = {name: actions[..., i] for i, name in enumerate(ACTIONS)}
    rest = person.face
    eye_u = 0.0325 + 0.0010 * rest["eye_distance"] + 0 * a["jaw"]
    eye_v = 0.008 + 0 * a["jaw"]
    brow_v = eye_v + 0.0200 + 0.0015 * rest["brow_height"]
    lowered = a["brow_lower"]
    brow_height = np.stack(
        [
            brow_v - 0.002 + 0.010 * a["brow_inner"] - 0.009 * lowered,
            brow_v + 0.003 + 0.006 * a["brow_inner"] + 0.006 * a["brow_outer"] - 0.006 * lowered,
            brow_v - 0.002 + 0.008 * a["brow_outer"] - 0.001 * lowered,
        ],
        -1,
    )
    brow_side = eye_u[..., None] + np.stack(
        [-0.0190 - 0.005 * lowered, 0 * lowered, 0.0200 + 0 * lowered], -1
    )

    size = 1 + 0.06 * rest["eye_size"]
    opened = 1 - np.clip(a["blink"], 0, 1)
    lid_upper = size * np.maximum(
        0.0068 + 0.0040 * a["lid_raise"] - 0.0015 * a["lid_tight"] - 0.0015 * lowered, 0.001
    ) * opened - 0.0022 * (1 - opened)
    lid_lower = size * np.maximum(
        0.0046 + 0.0010 * a["lid_raise"] - 0.0028 * a["lid_tight"], 0.0008
    )

    nose_v = -0.036 - 0.0015 * rest["nose_length"] + 0 * a["jaw"]
    jaw = np.clip(a["jaw"], 0, 1.2)
    press = np.clip(a["press"], 0, 1)
    mouth_half = (
        0.0250
        + 0.0012 * rest["mouth_width"]
        + 0.007 * a["corner_up"]
        + 0.006 * a["stretch"]
        - 0.003 * jaw
        - 0.001 * press
    )
    mouth_v = -0.064 + 0.0015 * rest["mouth_height"] - 0.004 * jaw
    corner = 0.010 * a["corner_up"] - 0.007 * a["corner_down"] - 0.001 * a["stretch"]
    inner_up = 0.0008 + 0.0045 * jaw + 0.003 * a["upper_lip"] * (1 - 0.7 * press)
    inner_low = -0.0008 - 0.0150 * jaw
    thick = 1 - 0.6 * press - 0.15 * a["corner_up"]
    lips = np.stack(
        [inner_up + 0.0068 * thick, inner_up, inner_low, inner_low - 0.0085 * thick], -1
    )
    return Features(
        brow_side,
        brow_height,
        eye_u,
        eye_v,
        0.0150 * size + 0 * eye_u,
        lid_upper,
        lid_lower,
        np.stack([eye_v + 0.004, nose_v, nose_v - 0.010], -1),
        mouth_v,
        mouth_half,
        corner,
        lips,
    )


def brow_middle(f: Features, fraction):
    """Height v (m) of the brow's middle line: the parabola through its three points. `fraction`
    is 0 at the inner end and 1 at the outer.
    """
    inner, middle, outer = (f.brow_v[..., i] for i in range(3))
    at = (f.brow_u[..., 1] - f.brow_u[..., 0]) / (f.brow_u[..., 2] - f.brow_u[..., 0])
    return (
        inner * (fraction - at) * (fraction - 1) / at
        + middle * fraction * (fraction - 1) / (at * (at - 1))
        + outer * fraction * (fraction - at) / (1 - at)
    )


def brow_half_thickness(person: Person, fraction):
    """Half the brow's thickness (m): thinner to the outside."""
    return 0.0042 * person.brow_thickness * (1 - 0.55 * np.clip(fraction, 0, 1))


BROW_MARKS = (
    0.0,
    0.7,
    1.0,
)  # where along the brow's upper edge the three landmarks sit, as a face mesh has them
NOSE_FRONT = (
    0.004,
    0.022,
    0.010,
)  # how far bridge, tip and base of the nose stand out of the head's ellipsoid, m


def landmarks(person: Person, actions: NDArray) -> dict[str, NDArray]:
    """The 23 landmarks in the head's own axes: name of `face_23` -> (time, 3) m from the middle of
    the head.

    `actions` (time, action) or (time, action, side).
    """
    sides = both_sides(person, actions)
    flat: dict[str, tuple[NDArray, NDArray, float]] = {}
    for side, sign in SIDES.items():
        f = sides[side]
        for i, part in enumerate(("inner", "middle", "outer")):
            fraction = BROW_MARKS[i]
            edge = brow_middle(f, fraction) + brow_half_thickness(person, fraction)
            flat[f"{side}_brow_{part}"] = (
                sign * (f.brow_u[:, 0] + fraction * (f.brow_u[:, 2] - f.brow_u[:, 0])),
                edge,
                0.002,
            )
        flat[f"{side}_eye_inner"] = (sign * (f.eye_u - f.eye_half), f.eye_v - 0.001, 0.0)
        flat[f"{side}_eye_outer"] = (sign * (f.eye_u + f.eye_half), f.eye_v + 0.001, 0.0)
        flat[f"{side}_eye_upper"] = (sign * f.eye_u, f.eye_v + f.lid_upper, 0.0)
        flat[f"{side}_eye_lower"] = (sign * f.eye_u, f.eye_v - f.lid_lower, 0.0)
        flat[f"mouth_{side}"] = (sign * f.mouth_half, f.mouth_v + f.corner_v, 0.0)
    for i, part in enumerate(("bridge", "tip", "base")):
        flat[f"nose_{part}"] = (0 * f.eye_u, f.nose_v[:, i], NOSE_FRONT[i])
    for i, part in enumerate(("upper_outer", "upper_inner", "lower_inner", "lower_outer")):
        flat[f"mouth_{part}"] = (0 * f.eye_u, f.mouth_v + f.lip_v[:, i], 0.002)
    return {name: on_head(person.body.head, u, v, front) for name, (u, v, front) in flat.items()}


def on_head(half_axes: NDArray, u: NDArray, v: NDArray, front: float = 0.0) -> NDArray:
    """Point (..., 3) of the head's front at face position (u, v), `front` metres out of the
    ellipsoid.
    """
    scale = head_scale(half_axes)
    x, y = u * scale, v * scale
    z = half_axes[2] * np.sqrt(
        np.maximum(1 - (x / half_axes[0]) ** 2 - (y / half_axes[1]) ** 2, 0.02)
    )
    return np.stack([x, y, z + front * scale], -1)


def head_scale(half_axes: NDArray) -> float:
    """Size of the face against the average head."""
    return float(half_axes[0] / 0.076 + half_axes[1] / 0.117) / 2
