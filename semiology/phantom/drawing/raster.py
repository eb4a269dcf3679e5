"""A pinhole camera, and a small software renderer: tapered capsules and ellipsoids over a still
background, hidden surfaces removed by depth.

Every pixel of a part holds one number, part * LEVELS + brightness; colours come from one look-up
table at the end. So daylight and infrared differ by a table, and a frame costs a few numpy
operations a part inside its own bounding box.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

LEVELS = 128
Box = tuple[slice, slice]  # rows and columns


@dataclass(frozen=True)
class Camera:
    """Pinhole with square pixels and no lens distortion.

    The room has x to the right of a person who looks at the patient from the foot of the bed (the
    patient's left), y up and z from the headboard to the foot of the bed, in metres. The camera's
    own axes are x right, y down, z away from it. Pixel (0, 0) covers [0, 1) x [0, 1): its centre is
    at (0.5, 0.5), and the optical axis meets the image in its middle.

        x_px = width / 2 + focal * x / z        y_px = height / 2 + focal * y / z
    """

    width: int  # px
    height: int  # px
    focal: float  # px
    position: NDArray  # (3,) m, in the room
    rotation: NDArray  # (3, 3): rows are the camera's x, y, z axes in the room

    @classmethod
    def looking_at(
        cls,
        target: NDArray,
        position: NDArray,
        *,
        focal: float,
        width: int,
        height: int,
        roll: float = 0.0,
    ) -> "Camera":
        """Camera at `position` whose optical axis meets `target` (both (3,) m); `roll` in radians
        turns it about that axis.
        """
        away = target - position
        away = away / np.linalg.norm(away)
        right = np.cross(away, [0.0, 1.0, 0.0])
        right /= np.linalg.norm(right)
        down = np.cross(away, right)
        rolled = np.cos(roll) * right + np.sin(roll) * down
        return cls(
            width,
            height,
            focal,
            np.asarray(position, float),
            np.stack([rolled, np.cross(away, rolled), away]),
        )

    def parameters(self) -> dict[str, object]:
        """Size, focal length, position and rotation, for JSON."""
        return {
            "width": self.width,
            "height": self.height,
            "focal": self.focal,
            "position": self.position.tolist(),
            "rotation": self.rotation.tolist(),
        }

    def scaled(self, scale: float) -> "Camera":
        """The same view with `scale` times as many pixels a side."""
        return replace(
            self,
            width=round(self.width * scale),
            height=round(self.height * scale),
            focal=self.focal * scale,
        )

    def to_camera(self, points: NDArray) -> NDArray:
        """Points of the room (..., 3) m -> camera axes (..., 3) m."""
        return (points - self.position) @ self.rotation.T

    def to_pixels(self, points: NDArray) -> NDArray:
        """Points in camera axes (..., 3) m -> (..., 2) px."""
        middle = np.array([self.width / 2, self.height / 2])
        return middle + self.focal * points[..., :2] / points[..., 2:]

    def project(self, points: NDArray) -> NDArray:
        """Points of the room (..., 3) m -> (..., 2) px."""
        return self.to_pixels(self.to_camera(points))


def shading_table(colours: NDArray, ambient: float) -> NDArray:
    """Colours (part, 3) in 0..1 -> table (part * LEVELS, 3) uint8, dark to bright. `ambient` in [0,
    1] is the light in the shadow.
    """
    light = np.linspace(-1, 1, LEVELS)  # cosine between surface and light
    brightness = ambient + (1.05 - ambient) * (0.5 + 0.5 * light) ** 1.5
    linear = colours[:, None, :] * brightness[None, :, None]
    return (255 * np.clip(linear, 0, 1)).astype(np.uint8).reshape(-1, 3)


class Canvas:
    """One frame at a time over a still background.

    Args:
        camera: the view.
        background: (height, width, 3) uint8.
        depth: (height, width) float32, metres along the optical axis to the background.
        light: (3,) unit vector towards the light, in camera axes.
    """

    def __init__(self, camera: Camera, background: NDArray, depth: NDArray, light: NDArray) -> None:
        self.camera, self.background, self.still_depth = camera, background, depth
        self.light = light.astype(np.float32)
        x = (np.arange(camera.width, dtype=np.float32) + 0.5 - camera.width / 2) / camera.focal
        y = (np.arange(camera.height, dtype=np.float32) + 0.5 - camera.height / 2) / camera.focal
        self.ray_x, self.ray_y = x[None, :], y[:, None]  # the ray of a pixel is (ray_x, ray_y, 1)
        self.clear()

    def clear(self) -> None:
        """Start the next frame: the background alone."""
        self.depth = self.still_depth.copy()
        self.index = np.zeros(self.depth.shape, np.uint16)  # 0 = background
        self.paintings: list[tuple[Box, int, NDArray]] = []
        self.touched = [self.camera.height, 0, self.camera.width, 0]

    def box(self, centres: Sequence[NDArray], radii: Sequence[float]) -> Box | None:
        """Rows and columns that spheres at `centres` (3,) with `radii` can touch; None if out of
        sight.
        """
        left = top = math.inf
        right = bottom = -math.inf
        # in numbers, not arrays: a frame has some forty boxes of one or two spheres
        for centre, radius in zip(centres, radii):
            x, y, z = centre.tolist()
            if z - radius < 0.1:
                return None
            column, row = x * self.camera.focal / z, y * self.camera.focal / z
            reach = self.camera.focal * radius / (z - radius)
            left, right = min(left, column - reach), max(right, column + reach)
            top, bottom = min(top, row - reach), max(bottom, row + reach)
        across, down = self.camera.width / 2, self.camera.height / 2
        first, last = max(math.floor(left + across), 0), math.ceil(right + across)
        upper, lower = max(math.floor(top + down), 0), math.ceil(bottom + down)
        last, lower = min(last, self.camera.width), min(lower, self.camera.height)
        if first >= last or upper >= lower:
            return None
        t = self.touched
        self.touched = [min(t[0], upper), max(t[1], lower), min(t[2], first), max(t[3], last)]
        return slice(upper, lower), slice(first, last)

    def write(
        self, box: Box, inside: NDArray, depth: NDArray, lit: NDArray, part: NDArray | int
    ) -> None:
        """Keep what is nearer than all before. Arrays (rows, columns) of the box; `lit` is the
        cosine to the light.
        """
        seen = self.depth[box]
        visible = depth < seen
        visible &= inside
        np.copyto(seen, depth, where=visible)
        level = np.maximum(lit, -1)
        np.minimum(level, 1, out=level)
        level *= (LEVELS - 1) / 2
        level += (LEVELS - 1) / 2
        number = level.astype(np.uint16)
        number += np.asarray(part).astype(np.uint16) * np.uint16(LEVELS)
        np.copyto(self.index[box], number, where=visible)

    def capsule(self, a: NDArray, b: NDArray, radius_a: float, radius_b: float, part: int) -> None:
        """A limb that tapers from `a` to `b` (camera axes, m)."""
        box = self.box((a, b), (radius_a, radius_b))
        if box is None:
            return
        # In units of the image plane at distance 1 both ends are discs; between them axis and
        # radius run straight.
        (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
        near_x, near_y, near, far = ax / az, ay / az, radius_a / az, radius_b / bz
        along_x, along_y = bx / bz - near_x, by / bz - near_y
        square = along_x * along_x + along_y * along_y + 1e-9
        x, y = self.ray_x[:, box[1]] - near_x, self.ray_y[box[0]] - near_y
        fraction = x * (along_x / square) + y * (along_y / square)
        np.maximum(fraction, 0, out=fraction)
        np.minimum(fraction, 1, out=fraction)
        width = fraction * (far - near)
        width += near
        nx, ny = fraction * -along_x, fraction * -along_y
        nx += x
        ny += y
        nx /= width
        ny /= width
        nz = nx * nx
        nz += ny * ny
        np.subtract(1, nz, out=nz)
        inside = nz > 0
        np.maximum(nz, 0, out=nz)
        np.sqrt(nz, out=nz)
        fraction *= bz - az
        fraction += az  # depth of the axis
        width *= nz
        np.subtract(1, width, out=width)
        width *= fraction  # depth of the surface
        nx *= self.light[0]
        ny *= self.light[1]
        nz *= self.light[2]
        nx += ny
        nx -= nz
        self.write(box, inside, width, nx, part)

    def ellipsoid(
        self, centre: NDArray, axes: NDArray, half: NDArray
    ) -> tuple[Box, NDArray, NDArray, list[NDArray], list[NDArray]] | None:
        """Where the rays meet an ellipsoid: (box, inside, depth, unit, normal) or None if out of
        sight.

        `axes` (3, 3) holds its axes as columns, in camera axes; `half` (3,) m. `unit` is a list of
        the three coordinates of the hit on the unit sphere, in the ellipsoid's own axes; `normal`
        the list of the outward normal's, in the ellipsoid's own axes too.
        """
        box = self.box((centre,), (max(half.tolist()),))
        if box is None:
            return None
        to_unit = (axes / half).T.astype(np.float32)  # camera axes -> unit sphere
        origin = -(to_unit @ centre.astype(np.float32))
        x, y = self.ray_x[:, box[1]], self.ray_y[box[0]]
        # a row and a column of each, so that only their sum is as large as the box
        ray = [row[0] * x + (row[1] * y + row[2]) for row in to_unit]
        a = ray[0] * ray[0]
        a += ray[1] * ray[1]
        a += ray[2] * ray[2]
        towards = to_unit.T @ origin
        b = towards[0] * x + (towards[1] * y + towards[2])
        root = b * b
        root -= a * np.float32(origin @ origin - 1)
        inside = root > 0
        np.maximum(root, 0, out=root)
        np.sqrt(root, out=root)
        root += b
        depth = np.divide(root, a, out=root)
        np.negative(depth, out=depth)
        unit = []
        for o, r in zip(origin, ray):
            r *= depth
            r += o
            unit.append(r)
        normal = [u * np.float32(1 / h) for u, h in zip(unit, half.tolist())]
        length = normal[0] * normal[0]
        length += normal[1] * normal[1]
        length += normal[2] * normal[2]
        np.sqrt(length, out=length)
        for each in normal:
            each /= length
        return box, inside, depth, unit, normal

    def solid(self, centre: NDArray, axes: NDArray, half: NDArray, part: int) -> None:
        """An ellipsoid of one colour."""
        hit = self.ellipsoid(centre, axes, half)
        if hit is None:
            return
        box, inside, depth, _, normal = hit
        self.write(box, inside, depth, lighting(normal, self.light @ axes.astype(np.float32)), part)

    def paint(self, box: Box, part: int, colours: NDArray) -> None:
        """Replace the flat colour of `part` by `colours` (rows, columns, 3) uint8 where it is still
        seen when the frame is done.
        """
        self.paintings.append((box, part, colours))

    def frame(self, table: NDArray) -> NDArray:
        """The finished frame (height, width, 3) uint8, by a table of colours."""
        image = self.background.copy()
        top, bottom, left, right = self.touched
        if top < bottom and left < right:
            index = self.index[top:bottom, left:right]
            here = image[top:bottom, left:right]
            drawn = np.ones(table.shape, bool)  # of each colour: numpy chooses whole rows so
            drawn[0] = False
            np.copyto(here, table.take(index, axis=0), where=drawn.take(index, axis=0))
        for box, part, colours in self.paintings:
            mine = self.index[box] // LEVELS == part
            image[box][mine] = colours[mine]
        return image


def lighting(normal: Sequence[NDArray], light: NDArray) -> NDArray:
    """Cosine between a surface and the light, from the coordinates of the surface's normal, three
    arrays, and of the light (3,) in the same axes.
    """
    lit = normal[0] * light[0]
    lit += normal[1] * light[1]
    lit += normal[2] * light[2]
    return lit
