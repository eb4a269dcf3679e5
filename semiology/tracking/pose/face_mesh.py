"""Face landmarks, tracked from frame to frame, for any pose backend."""

from functools import cached_property

import numpy as np

from semiology.tracking.blazepose.attention import AttentionMesh
from semiology.tracking.blazepose.landmarks import RIGHT
from semiology.tracking.blazepose.regions import Region, direction
from semiology.tracking.boxes import centre, side
from semiology.tracking.pose.base import Landmarks

IRISES = 468, 473  # their centres in the mesh
# m between the centres of an adult's irises: the scale of the mesh. [our choice; it varies by some
# 6 % between people]
EYE_DISTANCE = 0.063
FACE_SIDES = 1.5  # side of the first region, in sides of the face, as MediaPipe's [C]
LEAST_SCORE = 0.5  # of a region that shows a face, MediaPipe's own [C]


class FaceMesh:
    """478 face landmarks in px and, scaled by an average eye distance, metres, tracked from frame
    to frame. About 4 ms a frame on one core.

    Metres follow from a distance of 63 mm between the irises; the origin lies between them.
    """

    @cached_property
    def _landmarks(self) -> AttentionMesh:
        return AttentionMesh()

    def start(self) -> None:
        """Begin a new clip: forget the face of the last one."""
        self._next: Region | None = None  # where the last frame's landmarks are

    def find(
        self,
        image: np.ndarray,
        expected: np.ndarray | None,
        confidence: float,
        eyes: np.ndarray | None = None,
    ) -> Landmarks | None:
        """Landmarks of the face in one image.

        Args:
            image: RGB, (height, width, 3) uint8.
            expected: box of the face, px; None where there is no face.
            confidence: given to every landmark: the network has none of its own.
            eyes: (2, 2) px, the right and the left, where they are known, by which a turned face is
                found.

        Returns:
            The landmarks, or None where no face was found at the expected box.
        """
        if expected is None:
            self._next = None
            return None
        found = None
        if self._next is not None:
            found = self._in(image, self._next, expected)
        if found is None:
            angle = 0.0 if eyes is None else direction(eyes[0], eyes[1], RIGHT)
            first = Region(centre(expected), FACE_SIDES * side(expected), angle)
            # the first region is a guess; the landmarks in it give a better one
            if (guess := self._in(image, first, expected)) is not None:
                found = self._in(image, guess.next, expected)
        if found is None:
            self._next = None
            return None
        self._next = found.next
        mesh = np.column_stack([found.position, found.depth])
        right, left = mesh[list(IRISES)]
        scale = EYE_DISTANCE / max(float(np.linalg.norm(right - left)), 1e-6)
        metres = (mesh - (right + left) / 2) * scale
        return Landmarks(found.position, np.full(len(mesh), confidence), metres)

    def _in(self, image: np.ndarray, region: Region, expected: np.ndarray):
        """The face that a region shows, if there is one and it is at the expected box."""
        found = self._landmarks(image, region)
        away = np.linalg.norm(found.position.mean(axis=0) - centre(expected))
        return found if found.score >= LEAST_SCORE and away <= side(expected) else None
