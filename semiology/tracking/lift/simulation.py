"""Virtual cameras: where a camera in a clinic may stand, and what it sees of a skeleton."""

from dataclasses import dataclass

import torch
from torch import Tensor

WIDTH, HEIGHT = 720, 576  # px, of the virtual picture


@dataclass(frozen=True)
class Views:
    """From where patients are filmed: ranges from which cameras are drawn evenly. All are our choice.

    The angles are relative to how the skeleton was recorded: people in front of a sensor, most of them upright and facing it. A camera at
    the foot of the bed sees a patient who lies as one from below sees a person who stands: hence the low elevations.

    Attributes:
        azimuth: degrees about the body's vertical, to either side.
        elevation: degrees above the body's horizontal, least and most.
        roll: degrees about the optical axis, to either side.
        distance: from camera to body, m.
        focal: focal length in heights of the picture: 0.9 sees 58 degrees from top to bottom, 2.5 sees 23.
        aside: how far from the picture's middle the body may be, in focal lengths: 0.2 is 11 degrees.
    """

    azimuth: float = 60.0
    elevation: tuple[float, float] = (-30.0, 50.0)
    roll: float = 30.0
    distance: tuple[float, float] = (1.5, 5.0)
    focal: tuple[float, float] = (0.9, 2.5)
    aside: float = 0.2

    def draw(self, count: int, generator: torch.Generator) -> "Cameras":
        """So many cameras at random."""

        def between(low: float, high: float, *shape: int) -> Tensor:
            return low + (high - low) * torch.rand(count, *shape, generator=generator)

        turn = [between(-self.azimuth, self.azimuth), between(*self.elevation), between(-self.roll, self.roll)]
        azimuth, elevation, roll = (torch.deg2rad(angle) for angle in turn)
        distance = between(*self.distance)
        place = torch.cat([between(-self.aside, self.aside, 2), torch.ones(count, 1)], dim=1) * distance[:, None]
        return Cameras(azimuth, elevation, roll, place, between(*self.focal) * HEIGHT)


@dataclass(frozen=True)
class Cameras:
    """Pinhole cameras with square pixels, one a clip; axes x right, y down, z away.

    Attributes:
        azimuth, elevation, roll: (camera,) radians. At azimuth > 0 the body is turned to its own right about its vertical, at
            elevation > 0 the camera looks down on it, at roll > 0 the picture turns clockwise.
        place: (camera, 3) m, where the body's middle is in the camera's axes.
        focal: (camera,) px.
    """

    azimuth: Tensor
    elevation: Tensor
    roll: Tensor
    place: Tensor
    focal: Tensor

    def __len__(self) -> int:
        return len(self.focal)

    @property
    def rotation(self) -> Tensor:
        """(camera, 3, 3): axes of the recording to axes of the camera, about the vertical first, about the optical axis last."""
        return _about(2, self.roll) @ _about(0, self.elevation) @ _about(1, self.azimuth)

    def turned(self, joints: Tensor) -> Tensor:
        """Joints (camera, time, joint, 3) m about the body's middle, in axes of the recording -> the same in the camera's axes."""
        return torch.einsum("cij,ctnj->ctni", self.rotation, joints)

    def pixels(self, turned: Tensor) -> Tensor:
        """Joints (camera, time, joint, 3) m in the camera's axes about the body's middle -> (camera, time, joint, 2) px.

            x_px = WIDTH / 2 + focal x / z        y_px = HEIGHT / 2 + focal y / z

        What is nearer than 0.3 m is behind the lens or as good as there: NaN.
        """
        points = turned + self.place[:, None, None]
        depth = points[..., 2:]
        middle = torch.tensor([WIDTH / 2, HEIGHT / 2])
        return torch.where(depth > 0.3, middle + self.focal[:, None, None, None] * points[..., :2] / depth, torch.nan)

    def text(self) -> list[str]:
        """Each camera in words."""
        angles = [torch.rad2deg(angle).tolist() for angle in (self.azimuth, self.elevation, self.roll)]
        lines = zip(*angles, self.place[:, 2].tolist(), self.focal.tolist())
        return [
            f"azimuth {a:+.0f}, elevation {e:+.0f}, roll {r:+.0f} degrees, {z:.1f} m away, focal length {f:.0f} px"
            for a, e, r, z, f in lines
        ]


def _about(axis: int, angle: Tensor) -> Tensor:
    """(camera, 3, 3) rotations about x (0), y (1) or z (2)."""
    matrix = torch.eye(3).repeat(len(angle), 1, 1)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix[:, first, first], matrix[:, first, second] = angle.cos(), -angle.sin()
    matrix[:, second, first], matrix[:, second, second] = angle.sin(), angle.cos()
    return matrix
