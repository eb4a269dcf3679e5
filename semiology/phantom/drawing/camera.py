"""A pinhole camera: points of the room in metres -> pixels."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


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
