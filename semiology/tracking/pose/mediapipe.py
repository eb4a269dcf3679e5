"""The default backend: MediaPipe's body and face-mesh models, which are in its wheel (0.10.21):
nothing is downloaded.

MediaPipe tracks one person, the first one it detects, from its own last landmarks. This backend
makes sure that this person is the patient: a pose whose head is not at the patient's face is
rejected, and the model detects again with the other people covered.
"""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np

from semiology.data.keypoint_names import BODY, MESH
from semiology.tracking.boxes import around, centre, distance, scaled, side, square
from semiology.tracking.patient import PatientLocation
from semiology.tracking.pose import face_mesh
from semiology.tracking.pose.base import Landmarks
from semiology.tracking.pose.face_mesh import (
    GREY,
    FaceMesh,
    crop,
    model_hash,
    reset_tracking,
    silence_stderr,
)
from semiology.video.prefetch import prefetch

HEAD = slice(0, 11)  # nose to mouth
EYES = slice(0, 7)  # nose and eyes

# a pose whose head is further than this many sides of the face from the patient's face is not the
# patient's
MAX_DISTANCE = 1.5
HEAD_SPEED = 4.0  # sides of the face a second that a head may have moved while it was lost
DETECTION, TRACKING = (
    0.5,
    0.8,
    # MediaPipe's thresholds for the body: its own, and a stricter one (0.5 there), without which it
    # detects people in an empty room
)
AHEAD = 4  # frames that the body model may be ahead of the face mesh
MODELS = ("pose_detection/pose_detection", "pose_landmark/pose_landmark_full")


class MediaPipePose:
    """33 body landmarks in px and metres, 478 face landmarks in px and, scaled by an average eye
    distance, metres.

    - Body: metres as MediaPipe's world landmarks, origin between the hips. Confidence is
      MediaPipe's visibility. Its own smoothing is off: tracks hold raw detections, and smoothing is
      a later, recorded step.
    - Face: `FaceMesh`. Its landmarks get the mean visibility of nose and eyes in the body's pose,
      or, where the body was not found, MTCNN's probability of the face.

    Each model computes on one core: about 10 ms a frame for the body and 2 ms for the face, in
    parallel.
    """

    name = "mediapipe"
    keypoints = {"body": BODY, "face": MESH}  # noqa: RUF012
    in_metres = frozenset({"body", "face"})

    def __init__(self) -> None:
        version("mediapipe")  # raises at once where it is not installed
        self._mesh = FaceMesh()
        self._warned = False

    def parameters(self) -> dict[str, object]:
        """All that the result depends on, for the store's key; see `PoseBackend`."""
        package, thresholds = version("mediapipe"), [DETECTION, TRACKING]
        weights = {name: model_hash(name) for name in (*MODELS, *face_mesh.MODELS)}
        return {
            "name": "mediapipe",
            "package": package,
            "weights": weights,
            "thresholds": thresholds,
            "smooth": False,
        }

    @cached_property
    def _pose(self) -> Any:
        with silence_stderr():
            from mediapipe.python.solutions.pose import Pose

            pose = Pose(
                smooth_landmarks=False,
                min_detection_confidence=DETECTION,
                min_tracking_confidence=TRACKING,
            )
            reset_tracking(pose)  # its first image makes it write to standard error
            return pose

    def track(
        self, frames: Iterable[tuple[np.ndarray | None, PatientLocation]]
    ) -> Iterator[dict[str, Landmarks]]:
        """Track one clip; see `PoseBackend`."""
        self._mesh.start()
        for image, location, body in prefetch(self._bodies(frames), AHEAD):
            found = {} if body is None else {"body": body}
            if image is not None and (face := self._face(image, location, body)):
                found["face"] = face
            yield found

    def _bodies(
        self, frames: Iterable[tuple[np.ndarray | None, PatientLocation]]
    ) -> Iterator[tuple[np.ndarray | None, PatientLocation, Landmarks | None]]:
        """The body in each frame; runs in a thread of its own, ahead of the face mesh."""
        self._following = False  # whether the body model tracks the patient from the last frame
        self._last: tuple[float, np.ndarray] | None = (
            None  # time (s) and box of the patient's head when it was last detected
        )
        reset_tracking(self._pose)
        for image, location in frames:
            yield image, location, None if image is None else self._body(image, location)

    def _body(self, image: np.ndarray, location: PatientLocation) -> Landmarks | None:
        if self._following:
            body = self._pose_in(image, location.region)
            if body is not None and is_patient(head_box(body), location, None):
                self._last = location.time, head_box(body)
                return body
            self._following = False
            if body is not None:
                reset_tracking(self._pose)
        body = self._pose_in(cover_others(image, location), location.region)
        if body is not None and is_patient(head_box(body), location, self._last):
            self._following, self._last = True, (location.time, head_box(body))
            return body
        if body is not None:
            reset_tracking(self._pose)
        return None

    def _pose_in(self, image: np.ndarray, region: np.ndarray) -> Landmarks | None:
        view, x, y = crop(image, region)
        with (
            nullcontext() if self._warned else silence_stderr()
        ):  # it writes a warning with the first pose that it finds
            result = self._pose.process(view)
        if result.pose_landmarks is None:
            return None
        self._warned = True
        flat = np.array(
            [(mark.x, mark.y, mark.visibility) for mark in result.pose_landmarks.landmark]
        )
        world = np.array(
            [(mark.x, mark.y, mark.z) for mark in result.pose_world_landmarks.landmark]
        )
        return Landmarks(flat[:, :2] * (view.shape[1], view.shape[0]) + (x, y), flat[:, 2], world)

    def _face(
        self, image: np.ndarray, location: PatientLocation, body: Landmarks | None
    ) -> Landmarks | None:
        confidence = float(body.confidence[EYES].mean()) if body else location.probability
        return self._mesh.find(image, location.face if body is None else head_box(body), confidence)


def is_patient(
    head: np.ndarray, location: PatientLocation, last: tuple[float, np.ndarray] | None
) -> bool:
    """Whether a head (box, px) is the patient's.

    Where the first pass detected the patient's face, the head must be there. Elsewhere it must not
    be at another person's face, nor of more than threefold or less than a third of the size of the
    patient's face, nor further from the `last` head (time in s, box) than a head moves in that
    time. Without `last` (the model tracked it, or never found it) the last condition is dropped.
    """
    if location.face is not None:
        return distance(head, location.face) <= MAX_DISTANCE
    if any(distance(head, box) <= 1 for box in location.others):
        return False
    if location.size and not 1 / 3 < side(head) / location.size < 3:
        return False
    return last is None or distance(head, last[1]) <= MAX_DISTANCE + HEAD_SPEED * (
        location.time - last[0]
    )


def cover_others(image: np.ndarray, location: PatientLocation) -> np.ndarray:
    """The image with other people covered in grey, so that the model cannot detect them.

    Where the patient's face was detected, everything that is nearer to another face than to the
    patient's is covered; otherwise boxes of twice the size of the other faces. The image passed in
    is not changed.
    """
    if len(location.others) == 0:
        return image
    image = image.copy()
    height, width = image.shape[:2]
    x, y = np.arange(width)[None, :], np.arange(height)[:, None]
    for box in location.others:
        if location.face is not None:
            (own_x, own_y), (other_x, other_y) = centre(location.face), centre(box)
            image[(x - other_x) ** 2 + (y - other_y) ** 2 < (x - own_x) ** 2 + (y - own_y) ** 2] = (
                GREY
            )
        else:
            left, top, right, bottom = scaled(box, 2).round().astype(int).clip(0)
            image[top:bottom, left:right] = GREY
    return image


def head_box(body: Landmarks) -> np.ndarray:
    """Square around the head's landmarks, about as large as a detector's face box, px."""
    box = around(body.position[HEAD])
    return square(box, 1.2 * max(box[2:] - box[:2]))
