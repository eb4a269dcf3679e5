"""Face landmarks, tracked from frame to frame, for any pose backend."""

from functools import cached_property

import numpy as np

from semiology.tracking.blazepose.attention import NAME as ATTENTION
from semiology.tracking.blazepose.attention import AttentionMesh
from semiology.tracking.blazepose.detectors import NEAR_FACES, Detector
from semiology.tracking.blazepose.landmarks import FACE_SCALE, RIGHT, UP, FaceLandmarks, Found
from semiology.tracking.blazepose.networks import network_hash
from semiology.tracking.blazepose.regions import Region, direction
from semiology.tracking.boxes import centre, side
from semiology.tracking.pose.base import Landmarks, MeshVersion

IRISES = 468, 473  # their centres in the mesh
# m between the centres of an adult's irises: the scale of the mesh. [our choice; it varies by some
# 6 % between people]
EYE_DISTANCE = 0.063
# side of the region in which a face is detected, in sides of the expected one [our choice]
AROUND = 3.0
LEAST_SCORE = 0.5  # of a region that shows a face, MediaPipe's own [C]


class FaceMesh:
    """478 face landmarks in px and, scaled by an average eye distance, metres, tracked from frame
    to frame. About 4 ms a frame on one core.

    The face is looked for in the region that the last frame's landmarks give; where it was lost, it
    is detected first, since in a region without a face the mesh may well see one.

    Metres follow from a distance of 63 mm between the irises; the origin lies between them.

    Args:
        version: "attention", or "v2", which blendshapes are computed from, and which takes small or
            blurred faces for none.
    """

    def __init__(self, version: MeshVersion = "attention") -> None:
        self.version = version

    def parameters(self) -> dict[str, str]:
        """SHA-256 of the networks, for the store's key."""
        mesh = ATTENTION if self.version == "attention" else "face_landmarks"
        return {"face_detection": network_hash(NEAR_FACES.network), "face": network_hash(mesh)}

    @cached_property
    def _landmarks(self) -> AttentionMesh | FaceLandmarks:
        return AttentionMesh() if self.version == "attention" else FaceLandmarks()

    @cached_property
    def _faces(self) -> Detector:
        return Detector(NEAR_FACES)

    def start(self) -> None:
        """Begin a new clip: forget the face of the last one."""
        self._next: Region | None = None  # where the last frame's landmarks are

    def find(
        self,
        image: np.ndarray,
        expected: np.ndarray | None,
        confidence: float,
        axis: np.ndarray | None = None,
    ) -> Landmarks | None:
        """Landmarks of the face in one image.

        Args:
            image: RGB, (height, width, 3) uint8.
            expected: box of the face, px; None where there is no face.
            confidence: given to every landmark: the network has none of its own.
            axis: (2, 2) px, middles of the mouth and of the eyes, where they are known, by which a
                turned face is found.

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
            first = self._detected(image, expected, axis)
            found = None if first is None else self._in(image, first, expected)
        if found is None:
            self._next = None
            return None
        self._next = found.next
        mesh = np.column_stack([found.position, found.depth])
        right, left = mesh[list(IRISES)]
        scale = EYE_DISTANCE / max(float(np.linalg.norm(right - left)), 1e-6)
        metres = (mesh - (right + left) / 2) * scale
        return Landmarks(found.position, np.full(len(mesh), confidence), metres)

    def _detected(
        self, image: np.ndarray, expected: np.ndarray, axis: np.ndarray | None
    ) -> Region | None:
        """The region of the face that is detected at the expected box, if there is one."""
        angle = 0.0 if axis is None else direction(axis[0], axis[1], UP)
        found = self._faces(image, Region(centre(expected), AROUND * side(expected), angle))
        for box, keypoints in zip(found.boxes, found.keypoints, strict=True):
            if np.linalg.norm(centre(box) - centre(expected)) <= side(expected):
                turn = direction(keypoints[0], keypoints[1], RIGHT)
                return Region(centre(box), FACE_SCALE * float(max(box[2:] - box[:2])), turn)
        return None

    def _in(self, image: np.ndarray, region: Region, expected: np.ndarray) -> Found | None:
        """The face that a region shows, if there is one and it is at the expected box."""
        found = self._landmarks(image, region)
        away = np.linalg.norm(found.position.mean(axis=0) - centre(expected))
        return found if found.score >= LEAST_SCORE and away <= side(expected) else None
