"""Face landmarks by MediaPipe's face mesh, which is in its wheel (0.10.21): nothing is downloaded.
Any pose backend may use it.
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
from semiology.tracking.boxes import centre, side
from semiology.tracking.pose.base import Landmarks

IRISES = 468, 473  # their centres in the mesh
# m between the centres of an adult's irises: gives the mesh a scale. [our choice; it varies by some
# 6 % between people]
EYE_DISTANCE = 0.063
CROP_SIDES = 3.0  # side of the square in which the face mesh looks, in sides of the face
GREY = 127
STDERR_LOCK = threading.Lock()
MODELS = ("face_landmark/face_landmark_with_attention", "face_detection/face_detection_short_range")


class FaceMesh:
    """478 face landmarks in px and, up to the person's eye distance, metres, followed from frame to
    frame. About 2 ms a frame on one core.

    The mesh's relative depth is put into metres by a distance of 63 mm between the irises, origin
    between them.
    """

    def __init__(self) -> None:
        self._warned = False

    @cached_property
    def _mesh(self) -> Any:
        with silence_stderr():
            from mediapipe.python.solutions.face_mesh import FaceMesh as Mesh

            mesh = Mesh(refine_landmarks=True)
            reset_tracking(mesh)  # its first picture makes it speak
            return mesh

    def start(self) -> None:
        """A new clip begins: forget the last one."""
        self._crop: np.ndarray | None = (
            None  # square in which the model follows the face from the last frame
        )
        reset_tracking(self._mesh)

    def find(
        self, image: np.ndarray, expected: np.ndarray | None, confidence: float
    ) -> Landmarks | None:
        """Landmarks of the face at the box `expected` (px; None: it is nowhere), all with the
        `confidence` given: MediaPipe has none.
        """
        if expected is None:
            self._crop = None
            return None
        size = CROP_SIDES * side(expected)
        square = np.concatenate([centre(expected) - size / 2, centre(expected) + size / 2])
        if self._crop is None or _moved(square, self._crop):
            self._crop = square
            reset_tracking(self._mesh)  # its memory is in the coordinates of the old crop
        view, x, y = crop(image, self._crop)
        if min(view.shape[:2]) < 2:
            return None
        with (
            nullcontext() if self._warned else silence_stderr()
        ):  # the first face that it finds is worth a warning to it
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
            self._crop = None  # it slipped off the face
            return None
        left, right = mesh[list(IRISES)]
        metres = (
            (mesh - (left + right) / 2)
            * EYE_DISTANCE
            / max(float(np.linalg.norm(left - right)), 1e-6)
        )
        return Landmarks(mesh[:, :2], np.full(len(mesh), confidence), metres)


def _moved(square: np.ndarray, crop: np.ndarray) -> bool:
    return bool(
        np.abs(centre(square) - centre(crop)).max() > 0.3 * side(crop)
        or not 0.7 < side(square) / side(crop) < 1.4
    )


def crop(image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, int, int]:
    """The part of the image inside the box, and its left and upper corner."""
    height, width = image.shape[:2]
    left, top, right, bottom = np.round(box).astype(int)
    left, right = np.clip([left, right], 0, width)
    top, bottom = np.clip([top, bottom], 0, height)
    return np.ascontiguousarray(image[top:bottom, left:right]), int(left), int(top)


def reset_tracking(model) -> None:
    """Make a tracking model lose its person: in the next image it searches afresh. Much cheaper
    than rebuilding its graph.
    """
    model.process(np.full((64, 64, 3), GREY, np.uint8))


@cache
def model_hash(name: str) -> str:
    """Of a model in MediaPipe's wheel, for the store's key."""
    spec = find_spec("mediapipe")
    folder = Path(spec.origin).parent / "modules" if spec and spec.origin else Path()
    return content_hash(folder / f"{name}.tflite")


@contextmanager
def silence_stderr() -> Iterator[None]:
    """Keep the C++ library's notes on its start, for which it has no switch, off standard error;
    one thread at a time.
    """
    with STDERR_LOCK:
        kept = os.dup(2)
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
