"""Random changes to the keypoints of a training window: sampled once, then applied."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Change:
    """The sampled changes of one window; `apply` makes them, the same each time."""

    mirror: bool
    rotation: np.ndarray  # (space, space)
    scale: float
    noise: np.ndarray | None  # (time, joint, space), body units
    dropped: np.ndarray  # (joint,) True where the joint is taken away

    def apply(self, joints: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
        """Change joints (time, joint, space); `mirrored` (joint,) gives each joint's partner on the
        other side.
        """
        if self.mirror:
            joints = joints[:, mirrored] * np.array([-1.0, 1.0, 1.0], np.float32)[: joints.shape[2]]
        turn = (self.rotation.T * self.scale).astype(np.float32)
        joints = (joints.reshape(-1, len(turn)) @ turn).reshape(
            joints.shape
        )  # one product, not one a frame
        if self.noise is not None:
            joints = joints + self.noise
        return np.where(self.dropped[None, :, None], np.nan, joints).astype(np.float32)


@dataclass(frozen=True)
class Augmentation:
    """How much training windows are changed. All our choice.

    Attributes:
        rotation: standard deviation in degrees: in the image plane for 2D, about each of the three
            axes for 3D.
        scale: standard deviation of the logarithm of the scale.
        noise: standard deviation of the positions' noise, in body units.
        mirror: probability that left and right are swapped: joints by name, and labels that name a
            side. Not done where appearance is read and the label names a side, because the
            appearance cannot be mirrored afterwards.
        joint_dropout: probability of each joint to be missing throughout the window.
        crop: smallest proportion of the clip that remains (Reading.whole only).
    """

    rotation: float = 10.0
    scale: float = 0.1
    noise: float = 0.0
    mirror: float = 0.5
    joint_dropout: float = 0.05
    crop: float = 0.8

    def draw(
        self, rng: np.random.Generator, time: int, joint: int, space: int, *, mirror: bool
    ) -> Change:
        """Draw a change for a window of shape (time, joint, space). `mirror` False forbids the
        mirror.
        """
        angles = np.radians(rng.normal(0, self.rotation, 3))
        dropped = rng.random(joint) < self.joint_dropout
        return Change(
            mirror=bool(rng.random() < self.mirror) and mirror,
            rotation=plane_rotation(angles[0]) if space == 2 else space_rotation(angles),
            scale=float(np.exp(rng.normal(0, self.scale))),
            noise=rng.normal(0, self.noise, (time, joint, space)).astype(np.float32)
            if self.noise > 0
            else None,
            dropped=dropped & ~dropped.all(),
        )


def plane_rotation(angle: float) -> np.ndarray:
    """(2, 2) matrix that rotates column vectors by an angle in radians, x towards y."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def space_rotation(angles: np.ndarray) -> np.ndarray:
    """Rotation about x, then y, then z."""
    rotation = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = [(1, 2), (2, 0), (0, 1)][axis]
        turn = np.eye(3)
        turn[np.ix_([first, second], [first, second])] = plane_rotation(angle)
        rotation = turn @ rotation
    return rotation
