"""A pinhole camera, and a small software renderer: tapered capsules and ellipsoids over a still
background, hidden surfaces removed by depth.

Every pixel of a part holds one number, part * LEVELS + brightness; colours come from one look-up
table at the end. So daylight and infrared differ by a table, and a frame costs a few numpy
operations a part inside its own bounding box.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

LEVELS = 128


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
        self.paintings: list[tuple[tuple[slice, slice], int, NDArray]] = []
        self.touched = [self.camera.height, 0, self.camera.width, 0]

    def box(self, centres: NDArray, radii: NDArray) -> tuple[slice, slice] | None:
        """Rows and columns that spheres at `centres` (n, 3) with `radii` (n,) can touch; None if
        out of sight.
        """
        nearest = centres[:, 2] - radii
        if nearest.min() < 0.1:
            return None
        middle = self.camera.to_pixels(centres)
        reach = self.camera.focal * radii / nearest
        left, top = np.floor((middle - reach[:, None]).min(0)).astype(int)
        right, bottom = np.ceil((middle + reach[:, None]).max(0)).astype(int)
        left, top, right, bottom = (
            max(left, 0),
            max(top, 0),
            min(right, self.camera.width),
            min(bottom, self.camera.height),
        )
        if left >= right or top >= bottom:
            return None
        t = self.touched
        self.touched = [min(t[0], top), max(t[1], bottom), min(t[2], left), max(t[3], right)]
        return slice(top, bottom), slice(left, right)

    def write(
        self,
        box: tuple[slice, slice],
        inside: NDArray,
        depth: NDArray,
        lit: NDArray,
        part: NDArray | int,
    ) -> None:
        """Keep what is nearer than all before. Arrays (rows, columns) of the box; `lit` is the
        cosine to the light.
        """
        visible = inside & (depth < self.depth[box])
        np.copyto(self.depth[box], depth, where=visible)
        level = (np.clip(lit, -1, 1) * ((LEVELS - 1) / 2) + (LEVELS - 1) / 2).astype(np.uint16)
        np.copyto(
            self.index[box], level + np.uint16(LEVELS) * np.asarray(part, np.uint16), where=visible
        )

    def capsule(self, a: NDArray, b: NDArray, radius_a: float, radius_b: float, part: int) -> None:
        """A limb that tapers from `a` to `b` (camera axes, m)."""
        centres, radii = np.stack([a, b]), np.array([radius_a, radius_b])
        box = self.box(centres, radii)
        if box is None:
            return
        # In units of the image plane at distance 1 both ends are discs; between them axis and
        # radius run straight.
        near, far = (centres[:, :2] / centres[:, 2:]).astype(np.float32)
        size = (radii / centres[:, 2]).astype(np.float32)
        along = far - near
        square = float(along @ along) + 1e-9
        x, y = self.ray_x[:, box[1]] - near[0], self.ray_y[box[0]] - near[1]
        fraction = np.clip((x * along[0] + y * along[1]) / square, 0, 1)
        width = size[0] + fraction * (size[1] - size[0])
        nx, ny = (x - fraction * along[0]) / width, (y - fraction * along[1]) / width
        round_ = 1 - nx * nx - ny * ny
        nz = np.sqrt(np.maximum(round_, 0))
        axis_depth = a[2] + fraction * (b[2] - a[2])
        depth = axis_depth * (1 - width * nz)
        lit = nx * self.light[0] + ny * self.light[1] - nz * self.light[2]
        self.write(box, round_ > 0, depth, lit, part)

    def ellipsoid(self, centre: NDArray, axes: NDArray, half: NDArray):
        """Where the rays meet an ellipsoid: (box, inside, depth, unit, normal) or None if out of
        sight.

        `axes` (3, 3) holds its axes as columns, in camera axes; `half` (3,) m. `unit` is a list of
        the three coordinates of the hit on the unit sphere, in the ellipsoid's own axes; `normal`
        the list of the outward normal's, in the ellipsoid's own axes too.
        """
        box = self.box(centre[None], np.array([half.max()]))
        if box is None:
            return None
        to_unit = (axes / half).T.astype(np.float32)  # camera axes -> unit sphere
        origin = -(to_unit @ centre.astype(np.float32))
        x, y = self.ray_x[:, box[1]], self.ray_y[box[0]]
        ray = [row[0] * x + row[1] * y + row[2] for row in to_unit]
        a = ray[0] * ray[0] + ray[1] * ray[1] + ray[2] * ray[2]
        b = ray[0] * origin[0] + ray[1] * origin[1] + ray[2] * origin[2]
        c = float(origin @ origin) - 1
        root = b * b - a * np.float32(c)
        depth = (-b - np.sqrt(np.maximum(root, 0))) / a
        unit = [o + depth * r for o, r in zip(origin, ray)]
        scaled = [u / np.float32(h) for u, h in zip(unit, half)]
        length = 1 / np.sqrt(scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2)
        return box, root > 0, depth, unit, [s * length for s in scaled]

    def solid(self, centre: NDArray, axes: NDArray, half: NDArray, part: int) -> None:
        """An ellipsoid of one colour."""
        hit = self.ellipsoid(centre, axes, half)
        if hit is None:
            return
        box, inside, depth, _, normal = hit
        light = self.light @ axes.astype(np.float32)
        self.write(
            box,
            inside,
            depth,
            normal[0] * light[0] + normal[1] * light[1] + normal[2] * light[2],
            part,
        )

    def paint(self, box: tuple[slice, slice], part: int, colours: NDArray) -> None:
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
            drawn = index > 0
            image[top:bottom, left:right][drawn] = table[index[drawn]]
        for box, part, colours in self.paintings:
            mine = self.index[box] // LEVELS == part
            image[box][mine] = colours[mine]
        return image
