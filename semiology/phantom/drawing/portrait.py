"""The painted head: a face, hair or bandage over the surface of an ellipsoid, so that it turns with
the head.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from semiology.phantom.drawing.face import (
    ACTIONS,
    Features,
    both_sides,
    brow_half_thickness,
    brow_middle,
    common,
    head_scale,
)
from semiology.phantom.drawing.person import Person
from semiology.phantom.drawing.raster import Canvas, lighting

RELIEF_STEP = 0.0005  # m a cell of the relief maps
RELIEF_U, RELIEF_V = 0.085, 0.125  # m, half width and half height that the maps cover


@dataclass(frozen=True)
class Paints:
    """Colours (3,) float32 in 0..1 as the sensor sees them."""

    skin: NDArray
    hair: NDArray
    bandage: NDArray
    lips: NDArray
    iris: NDArray
    sclera: NDArray
    mouth: NDArray
    teeth: NDArray
    flush: NDArray
    pale: NDArray


@lru_cache(maxsize=1)
def relief() -> tuple[NDArray, NDArray, NDArray]:
    """Slopes of the face's relief along u and v, and how much of the skin's light it keeps, on the
    grid of RELIEF_STEP.
    """
    u = np.arange(-RELIEF_U, RELIEF_U, RELIEF_STEP)[None, :]
    v = np.arange(-RELIEF_V, RELIEF_V, RELIEF_STEP)[:, None]

    def bump(at_u: float, at_v: float, size_u: float, size_v: float) -> NDArray:
        return np.exp(
            -0.5 * (((np.abs(u) if at_u else u) - at_u) / size_u) ** 2
            - 0.5 * ((v - at_v) / size_v) ** 2
        )

    height = (
        -0.0075 * bump(0.033, 0.008, 0.015, 0.010)  # eye sockets
        + 0.0030 * bump(0.030, 0.028, 0.022, 0.007)  # brow ridge
        + 0.0060 * bump(0.0, -0.018, 0.0065, 0.020)  # nose
        + 0.0045 * bump(0.040, -0.022, 0.016, 0.014)  # cheek bones
        + 0.0030 * bump(0.0, -0.064, 0.022, 0.010)  # lips
        - 0.0025 * bump(0.0, -0.081, 0.018, 0.005)  # under the lip
        + 0.0050 * bump(0.0, -0.096, 0.018, 0.011)  # chin
    )
    slope_v, slope_u = map(np.asarray, np.gradient(height, RELIEF_STEP))
    kept = (
        1
        - 0.22 * bump(0.024, 0.010, 0.011, 0.009)
        - 0.16 * bump(0.033, 0.018, 0.016, 0.004)
        - 0.10 * bump(0.017, -0.040, 0.005, 0.010)
    )
    kept -= 0.22 * bump(0.0, -0.0500, 0.013, 0.0035) + 0.10 * bump(0.0, -0.083, 0.016, 0.004)
    return slope_u.astype(np.float32), slope_v.astype(np.float32), kept.astype(np.float32)


def paint_head(
    canvas: Canvas,
    centre: NDArray,
    axes: NDArray,
    person: Person,
    paints: Paints,
    actions: NDArray,
    part: int,
    ambient: float,
) -> None:
    """Draw the head at `centre` (camera axes, m) with `axes` (3, 3) columns left, up, front, and
    the face under `actions`.

    `actions` (action,) or (action, side), see `face`.
    """
    half = person.body.head
    hit = canvas.ellipsoid(centre, axes, half)
    if hit is None:
        return
    box, inside, depth, unit, normal = hit
    scale = np.float32(head_scale(half))
    u, v = unit[0] * np.float32(half[0]) / scale, unit[1] * np.float32(half[1]) / scale
    front = unit[2] > 0

    slope_u, slope_v, kept = relief()
    column = np.clip((u + RELIEF_U) / RELIEF_STEP, 0, slope_u.shape[1] - 1).astype(np.intp)
    row = np.clip((v + RELIEF_V) / RELIEF_STEP, 0, slope_u.shape[0] - 1).astype(np.intp)
    light = canvas.light @ axes.astype(np.float32)
    lit = lighting(normal, light)
    canvas.write(box, inside, depth, lit, part)
    lit -= front * (slope_u[row, column] * light[0] + slope_v[row, column] * light[1])

    bright = np.clip(0.5 + 0.5 * lit, 0, 1)
    brightness = ambient + (1.05 - ambient) * bright * np.sqrt(bright)
    brightness *= np.where(front, kept[row, column], 1)
    image = np.empty((3, *u.shape), np.float32)
    image[:] = paints.skin[:, None, None]
    pixel = np.float32(centre[2] / canvas.camera.focal) / scale  # m a pixel on the face
    if axes[2, 2] < 0.35:  # the face is not turned away for good
        paint_face(image, u, v, front, pixel, person, paints, actions)
    hair = hair_cover(person, u, v, unit[2])
    paint_over(
        image,
        soft(hair, pixel) * np.float32(0.97),
        paints.bandage if person.bandage else paints.hair,
    )
    if person.bandage:
        image *= np.where((np.sin((v + 0.35 * u) * 420) > 0.75) & (hair > 0), np.float32(0.9), 1)
    image *= brightness
    colours = (255 * np.clip(image, 0, 1)).astype(np.uint8)
    canvas.paint(box, part, np.moveaxis(colours, 0, -1))


def soft(distance: NDArray, pixel: np.float32) -> NDArray:
    """Coverage in [0, 1] from the signed distance (m, positive inside) to an edge: one pixel of
    blur.
    """
    return np.clip(distance / pixel + np.float32(0.5), 0, 1)


def paint_over(image: NDArray, cover: NDArray, colour: NDArray) -> None:
    """Blend `colour` (3,) over the image (3, ...) by `cover` (...) in [0, 1], in place."""
    for plane, value in zip(image, colour.tolist()):
        plane += cover * (np.float32(value) - plane)


def hair_cover(person: Person, u: NDArray, v: NDArray, z: NDArray) -> NDArray:
    """Signed distance (m, positive inside) to the hair or bandage."""
    if person.bandage:
        return v - 0.052 - 0.05 * u
    line = 0.088 if person.hair_style == "receding" else 0.072
    behind = np.minimum((0.25 - z) * 0.08, v + 0.03)
    return np.maximum(v - (line - 9 * u * u), behind)


def paint_face(
    image: NDArray,
    u: NDArray,
    v: NDArray,
    front: NDArray,
    pixel: np.float32,
    person: Person,
    paints: Paints,
    actions: NDArray,
) -> None:
    """Paint skin, eyes, brows, mouth and nostrils; a face whose sides differ is painted side by
    side.
    """
    a = dict(zip(ACTIONS, common(actions).astype(np.float32)))
    front = front.astype(np.float32)
    paint_skin_looks(image, u, v, front, pixel, paints, a)
    left, right = both_sides(person, actions).values()
    if actions.ndim == 1:
        paint_side(image, u, v, front, pixel, person, paints, left, a)
    else:
        for f, here in ((left, u >= 0), (right, u < 0)):
            mine = here & (front > 0)
            painted = image[:, mine]
            paint_side(painted, u[mine], v[mine], front[mine], pixel, person, paints, f, a)
            image[:, mine] = painted


def paint_side(
    image: NDArray,
    u: NDArray,
    v: NDArray,
    front: NDArray,
    pixel: np.float32,
    person: Person,
    paints: Paints,
    f: Features,
    a: dict[str, np.float32],
) -> None:
    """Paint eye, brow, nostril and mouth by the curves `f` wherever `front` is 1, on both sides of
    the midline alike.

    Arrays are those of `paint_head`, (rows, columns), or of some of their pixels; the image has
    its three colours first.
    """
    side = np.abs(u)
    mirrored_gaze = np.where(u >= 0, 1, -1).astype(np.float32) * a["gaze_u"]

    # eyes
    du, dv = side - np.float32(f.eye_u), v - np.float32(f.eye_v)
    arch = 1 - (du / np.float32(f.eye_half)) ** 2
    within = front * (arch > 0)
    upper, lower = np.float32(f.lid_upper) * arch, np.float32(-f.lid_lower) * arch
    lid = within * soft(np.minimum(0.0105 * arch - dv, dv - upper), pixel)
    paint_over(image, 0.28 * lid, paints.skin * np.float32(0.55))
    opened = within * soft(np.minimum(upper - dv, dv - lower), pixel)
    paint_over(image, opened, paints.sclera)
    iris_u, iris_v = du - 0.0045 * mirrored_gaze, dv - 0.0010 - 0.003 * a["gaze_v"]
    radius = np.sqrt(iris_u * iris_u + iris_v * iris_v)
    paint_over(image, opened * soft(0.0062 - radius, pixel), paints.iris)
    paint_over(
        image,
        opened * soft(0.0026 + 0.0022 * a["pupil"] - radius, pixel),
        paints.mouth * np.float32(0.3),
    )
    glint = (iris_u - 0.0018) ** 2 + (iris_v - 0.0018) ** 2
    paint_over(
        image, opened * soft(0.0011 + 0.0007 * a["pupil"] - np.sqrt(glint), pixel), paints.teeth
    )
    lash = front * soft(np.minimum(0.0013 - np.abs(dv - upper), arch * 0.01), pixel)
    paint_over(image, 0.85 * lash, paints.mouth * np.float32(0.5))
    under = front * soft(np.minimum(0.0007 - np.abs(dv - lower), arch * 0.01), pixel)
    paint_over(image, 0.45 * under, paints.skin * np.float32(0.4))

    inner, outer = np.float32(f.brow_u[0]), np.float32(f.brow_u[2])
    fraction = (side - inner) / (outer - inner)
    beside = np.abs(v - brow_middle(f, fraction).astype(np.float32))
    thick = brow_half_thickness(person, fraction).astype(np.float32)
    brow = front * soft(
        np.minimum(thick - beside, np.minimum(fraction, 1 - fraction) * 0.04 + 0.0008), pixel
    )
    paint_over(image, 0.85 * brow, paints.hair * np.float32(0.75))

    paint_mouth(image, u, v, front, pixel, f, paints)
    nostril = front * soft(
        0.0030 - np.hypot(side - 0.0065, 1.3 * (v - np.float32(f.nose_v[2]) - 0.003)), pixel
    )
    paint_over(image, 0.7 * nostril, paints.skin * np.float32(0.25))


def paint_mouth(
    image: NDArray,
    u: NDArray,
    v: NDArray,
    front: NDArray,
    pixel: np.float32,
    f: Features,
    paints: Paints,
) -> None:
    """Paint lips, the open mouth, teeth and the corners."""
    across = (u / np.float32(f.mouth_half)) ** 2
    arch = np.maximum(1 - across, 0)
    middle = np.float32(f.mouth_v) + np.float32(f.corner_v) * across
    full, bow = np.sqrt(arch), 1 - 0.18 * np.exp(-((u / 0.0035) ** 2))
    lip = [np.float32(x) for x in f.lip_v]
    top, bottom = middle + lip[0] * arch * bow, middle + lip[3] * full * (0.4 + 0.6 * arch)
    within = front * (across < 1)
    paint_over(image, 0.85 * within * soft(np.minimum(top - v, v - bottom), pixel), paints.lips)
    inner_top, inner_bottom = middle + lip[1] * full, middle + lip[2] * full
    hole = within * soft(np.minimum(inner_top - v, v - inner_bottom), pixel)
    paint_over(image, 0.9 * hole, paints.mouth)
    if lip[1] - lip[2] > 0.003:
        row = 0.0065 * full
        paint_over(
            image,
            0.9 * hole * soft(np.minimum(v - inner_top + row, 0.85 - across), pixel),
            paints.teeth,
        )
    corner = front * soft(
        0.0022 - np.hypot(np.abs(u) - np.float32(f.mouth_half), v - middle), pixel
    )
    paint_over(image, 0.5 * corner, paints.mouth)


def paint_skin_looks(
    image: NDArray,
    u: NDArray,
    v: NDArray,
    front: NDArray,
    pixel: np.float32,
    paints: Paints,
    a: dict[str, np.float32],
) -> None:
    """Signs that no landmark carries: flush, pallor with dark rings, furrows, wrinkles, tears."""
    side = np.abs(u)
    if a["flush"] > 0.02:
        cheeks = np.exp(
            -(((side - 0.038) / 0.020) ** 2) - ((v + 0.030) / 0.022) ** 2
        ) + 0.7 * np.exp(-((u / 0.05) ** 2) - ((v - 0.05) / 0.02) ** 2)
        paint_over(image, np.clip(0.75 * a["flush"] * front * cheeks, 0, 1), paints.flush)
    if a["pallor"] > 0.02:
        paint_over(image, np.clip(0.45 * a["pallor"] * front, 0, 1), paints.pale)
        rings = np.exp(-(((side - 0.032) / 0.014) ** 2) - ((v + 0.008) / 0.007) ** 2)
        paint_over(
            image, np.clip(0.6 * a["pallor"] * front * rings, 0, 1), paints.skin * np.float32(0.45)
        )
    if a["furrow"] > 0.02:
        frown = np.minimum(0.0010 - np.abs(side - 0.005), 0.009 - np.abs(v - 0.028))
        fold = np.minimum(
            0.0011 - np.abs(side - 0.018 + 0.55 * (v + 0.036)), 0.015 - np.abs(v + 0.051)
        )
        lines = np.maximum(soft(frown, pixel), soft(fold, pixel))
        paint_over(
            image, np.clip(0.6 * a["furrow"] * front * lines, 0, 1), paints.skin * np.float32(0.35)
        )
    if a["wrinkle"] > 0.02:
        lines = np.minimum(
            0.0012 - np.abs((v - 0.045 + 6 * u * u + 0.0045) % 0.009 - 0.0045),
            np.minimum(0.038 - side, 0.0135 - np.abs(v - 0.045 + 6 * u * u)),
        )
        paint_over(
            image,
            np.clip(0.6 * a["wrinkle"] * front * soft(lines, pixel), 0, 1),
            paints.skin * np.float32(0.35),
        )
    if a["tears"] > 0.02:
        streak = np.minimum(0.0028 - np.abs(side - 0.034), 0.024 - np.abs(v + 0.024))
        paint_over(
            image, np.clip(0.7 * a["tears"] * front * soft(streak, pixel), 0, 1), paints.teeth
        )
