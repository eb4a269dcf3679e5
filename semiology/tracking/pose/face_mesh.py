"""Face landmarks by MediaPipe's face mesh, whose model is in its wheel (0.10.21): nothing is
downloaded. Any pose backend may use it.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from semiology.files import content_hash
from semiology.tracking.boxes import centre, side, square
from semiology.tracking.pose.base import Landmarks

IRISES = 468, 473  # their centres in the mesh
# m between the centres of an adult's irises: the scale of the mesh. [our choice; it varies by some
# 6 % between people]
EYE_DISTANCE = 0.063
CROP_SIDES = 3.0  # side of the crop that the face mesh reads, in sides of the face
GREY = 127
STDERR_LOCK = threading.Lock()
MODELS = ("face_landmark/face_landmark_with_attention", "face_detection/face_detection_short_range")


class FaceMesh:
    """478 face landmarks in px and, scaled by an average eye distance, metres, tracked from frame
    to frame. About 2 ms a frame on one core.

    Metres follow from a distance of 63 mm between the irises; the origin lies between them.
    """

    def __init__(self) -> None:
        self._warned = False

    @cached_property
    def _mesh(self) -> Any:
        with silence_stderr():
            from mediapipe.python.solutions.face_mesh import FaceMesh as Mesh

            mesh = Mesh(refine_landmarks=True)
            reset_tracking(mesh)  # its first image makes it write to standard error
            return mesh

    def start(self) -> None:
        """Begin a new clip: forget the face of the last one."""
        self._crop: np.ndarray | None = (
            None  # the square in which the model tracks the face since the last frame
        )
        reset_tracking(self._mesh)

    def find(
        self, image: np.ndarray, expected: np.ndarray | None, confidence: float
    ) -> Landmarks | None:
        """Landmarks of the face in one image.

        Args:
            image: RGB, (height, width, 3) uint8.
            expected: box of the face, px; None where there is no face.
            confidence: given to every landmark: MediaPipe has none of its own.

        Returns:
            The landmarks, or None where no face was found at the expected box.
        """
        if expected is None:
            self._crop = None
            return None
        wanted = square(expected, CROP_SIDES * side(expected))
        if self._crop is None or _has_moved(wanted, self._crop):
            self._crop = wanted
            reset_tracking(self._mesh)  # its memory is in the coordinates of the old crop
        view, x, y = crop(image, self._crop)
        if min(view.shape[:2]) < 2:
            return None
        with (
            nullcontext() if self._warned else silence_stderr()
        ):  # it writes a warning with the first face that it finds
            result = self._mesh.process(view)
        if result.multi_face_landmarks is None:
            return None
        self._warned = True
        mesh = np.array(
            [(mark.x, mark.y, mark.z) for mark in result.multi_face_landmarks[0].landmark]
        )
        mesh = mesh * (view.shape[1], view.shape[0], view.shape[1]) + (
            x,
            y,
            0,
        )  # depth has the scale of x
        if np.linalg.norm(mesh[:, :2].mean(0) - centre(expected)) > side(expected):
            self._crop = None  # the tracking has lost the face
            return None
        left, right = mesh[list(IRISES)]
        metres = (
            (mesh - (left + right) / 2)
            * EYE_DISTANCE
            / max(float(np.linalg.norm(left - right)), 1e-6)
        )
        return Landmarks(mesh[:, :2], np.full(len(mesh), confidence), metres)


def _has_moved(wanted: np.ndarray, current: np.ndarray) -> bool:
    """Whether the square to crop differs so much from the current one that it has to be changed."""
    return bool(
        np.abs(centre(wanted) - centre(current)).max() > 0.3 * side(current)
        or not 0.7 < side(wanted) / side(current) < 1.4
    )


def crop(image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, int, int]:
    """The part of the image inside a box (px), and the x and y of its upper left corner."""
    height, width = image.shape[:2]
    left, top, right, bottom = np.round(box).astype(int)
    left, right = np.clip([left, right], 0, width)
    top, bottom = np.clip([top, bottom], 0, height)
    return np.ascontiguousarray(image[top:bottom, left:right]), int(left), int(top)


def reset_tracking(model) -> None:
    """Make a tracking model lose its person, so that it detects again in the next image. Much
    cheaper than rebuilding its graph.
    """
    model.process(np.full((64, 64, 3), GREY, np.uint8))


@cache
def model_hash(name: str) -> str:
    """SHA-256 of a model in MediaPipe's wheel, for the store's key."""
    spec = find_spec("mediapipe")
    folder = Path(spec.origin).parent / "modules" if spec and spec.origin else Path()
    return content_hash(folder / f"{name}.tflite")


@contextmanager
def silence_stderr() -> Iterator[None]:
    """Discard what the C++ library writes to standard error, for which it has no switch; one thread
    at a time.
    """
    with STDERR_LOCK:
        saved = os.dup(2)
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
