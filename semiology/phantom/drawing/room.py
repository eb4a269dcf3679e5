"""The still part of a clip: bed, pillow, blanket, rails and wall, drawn once."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semiology.phantom.drawing.figure import Sensor
from semiology.phantom.drawing.kinematics import SIDES
from semiology.phantom.drawing.person import Body, Colour
from semiology.phantom.drawing.raster import LEVELS, Box, Camera, Canvas, shading_table

HIP_HEIGHT = 0.10  # m, spine base above the mattress
BED_HALF_WIDTH = 0.46  # m
WALL = -1.7  # m, where the wall behind the headboard stands
# m that sheets lie deeper than drawn, so that a hand which presses into them stays in sight
BEHIND_BED = 0.10

WALLS: tuple[Colour, ...] = (
    (0.78, 0.80, 0.76),
    (0.74, 0.78, 0.82),
    (0.82, 0.78, 0.70),
    (0.62, 0.68, 0.66),
)
BLANKETS: tuple[Colour, ...] = (
    (0.46, 0.56, 0.66),
    (0.72, 0.62, 0.46),
    (0.86, 0.86, 0.84),
    (0.52, 0.62, 0.50),
    (0.62, 0.44, 0.46),
)
PARTS = (
    "wall",
    "floor",
    "sheet",
    "backrest",
    "pillow",
    "blanket",
    "hem",
    "rail",
    "thing",
    "skin",
    "gown",
    "frame",
)


@dataclass(frozen=True)
class Room:
    """What stands around the patient. The mattress under the hips is the plane y = 0."""

    recline: float  # rad, backrest against the level mattress
    blanket_top: float  # m from the hips towards the feet; negative covers the belly
    knees: float  # m, how high the knees are drawn up
    legs: tuple[float, float]  # m, sideways position of the left and the right foot
    wall: Colour
    blanket: Colour
    rails: tuple[bool, bool]  # left, right
    things: tuple[
        tuple[float, float, float, float, float], ...
    ]  # boxes on the wall: x, y, half width, half height (m), lightness
    wrinkles: int  # seed of the sheets' texture


def draw_room(rng: np.random.Generator) -> Room:
    """Draw a bed and a wall; in a fifth of the rooms the patient sits."""
    sitting = rng.random() < 0.2
    things = tuple(
        (
            rng.uniform(-1.8, 1.8),
            rng.uniform(0.3, 1.5),
            rng.uniform(0.08, 0.35),
            rng.uniform(0.08, 0.30),
            rng.uniform(0.25, 0.95),
        )
        for _ in range(4)
    )
    return Room(
        recline=float(np.radians(rng.uniform(68, 80) if sitting else rng.uniform(32, 62))),
        blanket_top=float(rng.uniform(-0.12, 0.30)),
        knees=float(rng.uniform(0.02, 0.16)),
        legs=(float(rng.uniform(0.08, 0.2)), float(-rng.uniform(0.08, 0.2))),
        wall=WALLS[rng.integers(len(WALLS))],
        blanket=BLANKETS[rng.integers(len(BLANKETS))],
        rails=(bool(rng.random() < 0.5), bool(rng.random() < 0.5)),
        things=things,
        wrinkles=int(rng.integers(2**31)),
    )


def leg_points(room: Room, body: Body, side: str) -> NDArray:
    """Hip, knee and ankle (3, 3) m of a leg that does not move."""
    sign = SIDES[side]
    foot = room.legs[0 if side == "left" else 1]
    reach = body.thigh + body.shin
    fall = np.sqrt(max(1 - (room.knees / body.thigh) ** 2, 0.2))
    hip = np.array([sign * body.hip, HIP_HEIGHT, 0.0])
    knee = np.array([0.5 * (hip[0] + foot), HIP_HEIGHT + 0.5 * room.knees, body.thigh * fall])
    return np.stack([hip, knee, np.array([foot, 0.07, reach * fall])])


def photograph(
    room: Room,
    body: Body,
    skin: Colour,
    gown: Colour,
    camera: Camera,
    light: NDArray,
    ambient: float,
    sensor: Sensor,
):
    """Picture (height, width, 3) uint8 and depth (height, width) float32 of the room with the
    patient's still legs.
    """
    canvas = Canvas(
        camera,
        np.zeros((camera.height, camera.width, 3), np.uint8),
        np.full((camera.height, camera.width), 50, np.float32),
        light,
    )
    lightness = [sensor((t[4],) * 3) for t in room.things]
    blanket = np.array(room.blanket)
    world: list[Colour] = [
        room.wall,
        (0.5, 0.48, 0.45),
        (0.80, 0.81, 0.82),
        (0.76, 0.78, 0.80),
        (0.86, 0.86, 0.86),
        room.blanket,
    ]
    world += [
        tuple((blanket * 0.8 + 0.2).tolist()),
        (0.70, 0.72, 0.74),
        (0.5, 0.5, 0.5),
        skin,
        gown,
        (0.45, 0.36, 0.28),
    ]
    table = shading_table(np.stack([np.zeros(3), *(sensor(c) for c in world), *lightness]), ambient)
    part = {name: i + 1 for i, name in enumerate(PARTS)}

    room_axes = camera.rotation
    up = np.array([0.0, 1.0, 0.0])

    def slab(
        centre: NDArray, half: tuple[float, float, float], which: int, tilt: float = 0.0
    ) -> None:
        turned = np.array(
            [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]]
        )
        draw_box(canvas, camera.to_camera(centre), room_axes @ turned, np.array(half), which)

    slab(np.array([0, 0, WALL - 0.5]), (6, 4, 0.5), part["wall"])
    slab(np.array([0, -1.15, 2.0]), (6, 0.5, 6), part["floor"])
    for i, (x, y, half_x, half_y, _) in enumerate(room.things):
        slab(np.array([x, y, WALL]), (half_x, half_y, 0.04), len(PARTS) + 1 + i)
    slab(np.array([0, 0.15, -1.15]), (BED_HALF_WIDTH + 0.05, 0.45, 0.03), part["frame"])
    slab(np.array([0, -0.10, 0.65]), (BED_HALF_WIDTH, 0.10, 0.85), part["sheet"])
    lean = np.array([0, np.sin(room.recline), -np.cos(room.recline)])
    out = np.array([0, np.cos(room.recline), np.sin(room.recline)])
    seat = np.array([0, HIP_HEIGHT, 0])
    back = seat - (0.12 + 0.06) * out
    slab(
        back + 0.40 * lean, (BED_HALF_WIDTH, 0.45, 0.06), part["backrest"], room.recline - np.pi / 2
    )
    tilt = room.recline - np.pi / 2
    pillow_axes = room_axes @ np.array(
        [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]]
    )
    pillow = back + (body.trunk + 0.16) * lean + 0.06 * out
    canvas.solid(
        camera.to_camera(pillow), pillow_axes, np.array([0.33, 0.20, 0.09]), part["pillow"]
    )
    canvas.depth += BEHIND_BED

    draw_legs_and_blanket(canvas, camera, room, body, part)
    for side, sign in SIDES.items():
        if room.rails[0 if side == "left" else 1]:
            x = sign * (BED_HALF_WIDTH + 0.04)
            for height in (0.05, 0.16, 0.27):
                ends = camera.to_camera(np.array([[x, height, -0.25], [x, height, 0.75]]))
                canvas.capsule(ends[0], ends[1], 0.014, 0.014, part["rail"])
            for z in (-0.25, 0.25, 0.75):
                ends = camera.to_camera(np.array([x, -0.15, z]) + np.outer([0, 0.42], up))
                canvas.capsule(ends[0], ends[1], 0.014, 0.014, part["rail"])
    image = canvas.frame(table).astype(np.float32)
    cloth = np.isin(
        canvas.index // LEVELS, [part[n] for n in ("sheet", "backrest", "pillow", "blanket", "hem")]
    )
    image *= np.where(
        cloth,
        texture(room.wrinkles, cloth.shape, 0.07),
        texture(room.wrinkles + 1, cloth.shape, 0.015),
    )[..., None]
    image *= np.where(
        cloth,
        contact_shadow(camera, seat, seat + (body.trunk + 0.8 * body.neck) * lean, body.shoulder),
        1,
    )[..., None]
    return np.clip(image, 0, 255).astype(np.uint8), canvas.depth


def draw_legs_and_blanket(
    canvas: Canvas, camera: Camera, room: Room, body: Body, part: dict[str, int]
) -> None:
    """Draw the legs that do not move, and the blanket over them."""
    hem = room.blanket_top
    length = body.thigh + body.shin + 0.2
    for side in SIDES:
        hip, knee, ankle = leg_points(room, body, side)
        covered = float(
            np.clip(hem / body.thigh, -0.3, 0.9)
        )  # fraction of the thigh above the blanket
        start = camera.to_camera(hip + covered * (knee - hip))
        hip, knee, ankle = camera.to_camera(np.stack([hip, knee, ankle]))
        if covered > 0:
            canvas.capsule(
                hip,
                hip + min(covered, 0.5) * (knee - hip),
                0.092 * body.girth,
                0.086 * body.girth,
                part["gown"],
            )
            canvas.capsule(
                hip + min(covered, 0.5) * (knee - hip), start, 0.076, 0.070, part["skin"]
            )
        canvas.capsule(start, knee, 0.125 * body.girth, 0.095, part["blanket"])
        canvas.capsule(knee, ankle, 0.095, 0.095, part["blanket"])
        canvas.capsule(
            start,
            start + 0.12 * (knee - start),
            0.130 * body.girth,
            0.128 * body.girth,
            part["hem"],
        )
    between = camera.to_camera(np.array([0, 0.03, 0.5 * (hem + length) + 0.08]))
    canvas.solid(
        between, camera.rotation, np.array([0.34, 0.13, 0.5 * (length - hem)]), part["blanket"]
    )
    middle = np.array([0, 0.01, 0.5 * (hem + length)])
    draw_box(
        canvas,
        camera.to_camera(middle),
        camera.rotation,
        np.array([BED_HALF_WIDTH + 0.02, 0.075, 0.5 * (length - hem)]),
        part["blanket"],
    )
    edge = camera.to_camera(np.array([0, 0.01, hem]))
    draw_box(
        canvas, edge, camera.rotation, np.array([BED_HALF_WIDTH + 0.03, 0.080, 0.045]), part["hem"]
    )


def contact_shadow(camera: Camera, base: NDArray, top: NDArray, reach: float) -> NDArray:
    """Darkening (height, width) of the sheets around the trunk, from `base` to `top` (m), over
    about 1.6 `reach` (m).
    """
    (a, b), size = (
        camera.project(np.stack([base, top])),
        1.6 * reach * camera.focal / camera.to_camera(base)[2],
    )
    x, y = np.arange(camera.width)[None, :] - a[0], np.arange(camera.height)[:, None] - a[1]
    fraction = np.clip((x * (b - a)[0] + y * (b - a)[1]) / ((b - a) @ (b - a)), 0, 1)
    distance = np.hypot(x - fraction * (b - a)[0], y - fraction * (b - a)[1]) / size
    return 1 - 0.38 * np.exp(-(distance**2))


def draw_box(canvas: Canvas, centre: NDArray, axes: NDArray, half: NDArray, part: int) -> None:
    """A box at `centre` with columns of `axes` as its directions (camera axes) and half sizes
    `half` (m).
    """
    seen = _outline(canvas, centre, axes, half)
    if seen is None:
        return
    x, y = canvas.ray_x[:, seen[1]], canvas.ray_y[seen[0]]
    eye = -(axes.T @ centre)
    shape = len(y), x.shape[1]
    enter, leave = np.full(shape, -np.inf, np.float32), np.full(shape, np.inf, np.float32)
    lit = np.zeros(shape, np.float32)
    for k in range(3):
        across, down, away = axes[:, k].tolist()
        ray = across * x + (down * y + away)
        ray[np.abs(ray) < 1e-6] = 1e-6
        first, second = float(-half[k] - eye[k]) / ray, float(half[k] - eye[k]) / ray
        near, far = np.minimum(first, second), np.maximum(first, second)
        towards = -np.sign(ray) * np.float32(canvas.light @ axes[:, k])
        np.copyto(lit, towards, where=near > enter)
        np.maximum(enter, near, out=enter)
        np.minimum(leave, far, out=leave)
    canvas.write(seen, (enter < leave) & (enter > 0.1), enter, lit, part)


def _outline(canvas: Canvas, centre: NDArray, axes: NDArray, half: NDArray) -> Box | None:
    """Rows and columns that a box can touch; None if out of sight."""
    signs = np.stack(np.meshgrid(*[[-1, 1]] * 3), -1).reshape(-1, 3)
    corners = centre + (signs * half) @ axes.T
    if corners[:, 2].min() >= 0.1:
        return canvas.box(corners, [0.0] * len(corners))
    height, width = canvas.depth.shape  # it begins behind the camera: it may be anywhere
    canvas.touched = [0, height, 0, width]
    return slice(0, height), slice(0, width)


def texture(seed: int, shape: tuple[int, ...], strength: float) -> NDArray:
    """Smooth random factors around 1 (height, width): folds of cloth, stains of a wall."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32) / shape[1]
    total = np.zeros(shape, np.float32)
    for frequency in (6, 11, 19, 31):
        direction, phase = rng.uniform(0, 2 * np.pi, 2).tolist()
        sine, cosine = math.sin(direction), math.cos(direction)
        bend = np.sin(frequency * 0.7 * (x * sine - y * cosine) + phase)
        total += np.sin(2 * np.pi * frequency * 0.5 * (x * cosine + y * sine) + 2 * bend)
    return 1 + strength * total / 2
