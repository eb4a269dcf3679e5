"""Joints and landmarks of one person in one frame: what a pose backend is, and which there are."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from semiology.detect import Sight
from semiology.errors import UserError

PARTS = ("body", "face")


@dataclass(frozen=True)
class Landmarks:
    """One part of the patient in one frame.

    Attributes:
        position: (keypoint, 2) px of the whole frame, x to the right, y down; NaN where missing.
        confidence: (keypoint,) 0 to 1.
        position_3d: (keypoint, 3) metres, x to the right, y down, z away from the camera; None where the backend gives no depth.
    """

    position: np.ndarray
    confidence: np.ndarray
    position_3d: np.ndarray | None = None


class PoseBackend(Protocol):
    """Tracks the patient's joints and landmarks. A backend is one class; it may remember the frames since `start`."""

    name: str
    keypoints: dict[str, list[str]]  # part -> names, in the order of the arrays

    @staticmethod
    def parameters() -> dict[str, object]:
        """Everything that the result depends on (options, versions, hashes of weights), for the store's key. Cheap: loads no model."""
        ...

    def start(self) -> None:
        """A new clip begins: forget the last one."""
        ...

    def track(self, image: np.ndarray, sight: Sight) -> dict[str, Landmarks]:
        """The patient's parts that were found in an RGB image, (height, width, 3) uint8; a part not found is absent."""
        ...


def pose_backend(name: str) -> type[PoseBackend]:
    """The class of a backend by name: `mediapipe`.

    Raises:
        UserError: no such backend, or what it needs is not installed.
    """
    if name != "mediapipe":
        raise UserError(f"pose backend {name!r}: unknown; there is mediapipe")
    try:
        from semiology.pose.mediapipe import MediaPipePose
    except ModuleNotFoundError as error:
        raise UserError(f"pose backend mediapipe: {error.name} is not installed; pip install 'semiology[mediapipe]'") from error
    return MediaPipePose
