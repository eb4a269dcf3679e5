"""The default backend: MediaPipe's body and face-mesh models, which are in its wheel (0.10.21): nothing is downloaded.

MediaPipe tracks one person, the one it found first, and follows it by its own last landmarks. What this file adds is that this person is
the patient: a pose whose head is not at the patient's face is refused, and the model looks again with the other people covered.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from semiology.detect import Sight, centre, side
from semiology.files import content_hash
from semiology.pose import Landmarks

BODY_NAMES = """
nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear mouth_left mouth_right
left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky right_pinky left_index right_index left_thumb
right_thumb left_hip right_hip left_knee right_knee left_ankle right_ankle left_heel right_heel left_foot_index right_foot_index
"""  # left and right are the person's
BODY = BODY_NAMES.split()
MESH = [f"mesh_{number:03d}" for number in range(478)]  # 468 of the face and 5 of each iris
HEAD = slice(0, 11)  # nose to mouth
EYES = slice(0, 7)  # nose and eyes
IRISES = 468, 473  # their centres in the mesh
EYE_DISTANCE = (
    0.063  # m between the centres of an adult's irises: gives the mesh a scale. [our choice; it varies by some 6 % between people]
)

AWAY = 1.5  # a pose whose head is further than this many sides of the face from the patient's face is not the patient's
SPEED = 4.0  # sides of the face a second that a head may have moved while it was lost
CROP = 3.0  # side of the square in which the face mesh looks, in sides of the face
DETECTION, TRACKING = 0.5, 0.8  # MediaPipe's thresholds for the body: its own, and stricter (0.5 there), or it sees people in an empty room
GREY = 127


class MediaPipePose:
    """33 body landmarks in px and metres, 478 face landmarks in px and, up to the person's eye distance, metres.

    - Body: metres as MediaPipe's world landmarks, origin between the hips. Confidence is MediaPipe's visibility. Its own smoothing is off:
      tracks hold what was seen, and smoothing is a later, recorded step.
    - Face: the mesh's relative depth is put into metres by a distance of 63 mm between the irises, origin between them. MediaPipe gives no
      confidence for the mesh; all landmarks of a frame get the mean visibility of nose and eyes in the body's pose, or, where the body was
      not found, MTCNN's probability of the face.

    Runs on one core: about 10 ms a frame for the body and 2 ms for the face.
    """

    name = "mediapipe"
    keypoints = {"body": BODY, "face": MESH}  # noqa: RUF012

    def __init__(self) -> None:
        with _quiet():
            from mediapipe.python.solutions.face_mesh import FaceMesh
            from mediapipe.python.solutions.pose import Pose

            self._pose = Pose(smooth_landmarks=False, min_detection_confidence=DETECTION, min_tracking_confidence=TRACKING)
            self._mesh = FaceMesh(refine_landmarks=True)
            self._greeted = False
            self.start()

    @staticmethod
    def parameters() -> dict[str, object]:
        package, thresholds = version("mediapipe"), [DETECTION, TRACKING]
        return {"name": "mediapipe", "package": package, "weights": _model_hashes(), "thresholds": thresholds, "smooth": False}

    def start(self) -> None:
        self._following = False  # does the body model follow the patient from the last frame
        self._last: tuple[float, np.ndarray] | None = None  # time (s) and box of the patient's head when it was last seen
        self._crop: np.ndarray | None = None  # square in which the face model follows the face from the last frame
        _forget(self._pose)
        _forget(self._mesh)

    def track(self, image: np.ndarray, sight: Sight) -> dict[str, Landmarks]:
        found = {}
        if body := self._body(image, sight):
            found["body"] = body
        if face := self._face(image, sight, body):
            found["face"] = face
        return found

    def _body(self, image: np.ndarray, sight: Sight) -> Landmarks | None:
        if self._following:
            body = self._pose_in(image, sight.region)
            if body is not None and is_patient(head_box(body), sight, None):
                self._last = sight.time, head_box(body)
                return body
            self._following = False
            if body is not None:
                _forget(self._pose)
        body = self._pose_in(covered(image, sight), sight.region)
        if body is not None and is_patient(head_box(body), sight, self._last):
            self._following, self._last = True, (sight.time, head_box(body))
            return body
        if body is not None:
            _forget(self._pose)
        return None

    def _pose_in(self, image: np.ndarray, region: np.ndarray) -> Landmarks | None:
        view, x, y = _cut(image, region)
        with nullcontext() if self._greeted else _quiet():  # the first pose that it finds is worth a warning to it
            result = self._pose.process(view)
        if result.pose_landmarks is None:
            return None
        self._greeted = True
        flat = np.array([(mark.x, mark.y, mark.visibility) for mark in result.pose_landmarks.landmark])
        world = np.array([(mark.x, mark.y, mark.z) for mark in result.pose_world_landmarks.landmark])
        return Landmarks(flat[:, :2] * (view.shape[1], view.shape[0]) + (x, y), flat[:, 2], world)

    def _face(self, image: np.ndarray, sight: Sight, body: Landmarks | None) -> Landmarks | None:
        expected = sight.face if body is None else head_box(body)
        if expected is None:
            self._crop = None
            return None
        size = CROP * side(expected)
        square = np.concatenate([centre(expected) - size / 2, centre(expected) + size / 2])
        if self._crop is None or _moved(square, self._crop):
            self._crop = square
            _forget(self._mesh)  # its memory is in the coordinates of the old crop
        view, x, y = _cut(image, self._crop)
        if min(view.shape[:2]) < 2:
            return None
        result = self._mesh.process(view)
        if result.multi_face_landmarks is None:
            return None
        mesh = np.array([(mark.x, mark.y, mark.z) for mark in result.multi_face_landmarks[0].landmark])
        mesh = mesh * (view.shape[1], view.shape[0], view.shape[1]) + (x, y, 0)  # depth has the scale of x
        if np.linalg.norm(mesh[:, :2].mean(0) - centre(expected)) > side(expected):
            self._crop = None  # it slipped off the face
            return None
        left, right = mesh[list(IRISES)]
        metres = (mesh - (left + right) / 2) * EYE_DISTANCE / max(float(np.linalg.norm(left - right)), 1e-6)
        confidence = body.confidence[EYES].mean() if body else sight.probability
        return Landmarks(mesh[:, :2], np.full(len(mesh), confidence), metres)


def is_patient(head: np.ndarray, sight: Sight, last: tuple[float, np.ndarray] | None) -> bool:
    """Whether a head (box, px) is the patient's.

    Where the first pass saw the patient's face, the head must be there. Elsewhere it must not be at another person's face, nor of more than
    threefold or less than a third of the size of the patient's face, nor further from the `last` head (time in s, box) than a head moves in
    that time; without `last` (the model followed it, or never saw it) that is not asked.
    """
    if sight.face is not None:
        return distance(head, sight.face) <= AWAY
    if any(distance(head, box) <= 1 for box in sight.others):
        return False
    if sight.size and not 1 / 3 < side(head) / sight.size < 3:
        return False
    return last is None or distance(head, last[1]) <= AWAY + SPEED * (sight.time - last[0])


def distance(box: np.ndarray, to: np.ndarray) -> float:
    """Between the centres of two boxes, in sides of the second."""
    return float(np.linalg.norm(centre(box) - centre(to)) / side(to))


def covered(image: np.ndarray, sight: Sight) -> np.ndarray:
    """The image with other people in grey, so that the model cannot find them.

    Where the patient's face was seen, everything that is nearer to another face than to the patient's is covered; otherwise the other faces
    with their surroundings (twice their box). The image itself stays as it is.
    """
    if len(sight.others) == 0:
        return image
    image = image.copy()
    height, width = image.shape[:2]
    x, y = np.arange(width)[None, :], np.arange(height)[:, None]
    for box in sight.others:
        if sight.face is not None:
            (own_x, own_y), (other_x, other_y) = centre(sight.face), centre(box)
            image[(x - other_x) ** 2 + (y - other_y) ** 2 < (x - own_x) ** 2 + (y - own_y) ** 2] = GREY
        else:
            grown = np.concatenate([2 * box[:2] - centre(box), 2 * box[2:] - centre(box)]).round().astype(int).clip(0)
            image[grown[1] : grown[3], grown[0] : grown[2]] = GREY
    return image


def head_box(body: Landmarks) -> np.ndarray:
    """Square around the head's landmarks, about as large as a detector's face box, px."""
    low, high = body.position[HEAD].min(0), body.position[HEAD].max(0)
    half = 0.6 * max(high - low)
    return np.concatenate([(low + high) / 2 - half, (low + high) / 2 + half])


def _moved(square: np.ndarray, crop: np.ndarray) -> bool:
    return bool(np.abs(centre(square) - centre(crop)).max() > 0.3 * side(crop) or not 0.7 < side(square) / side(crop) < 1.4)


def _cut(image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, int, int]:
    """The part of the image inside the box, and its left and upper corner."""
    height, width = image.shape[:2]
    left, top, right, bottom = np.round(box).astype(int)
    left, right = np.clip([left, right], 0, width)
    top, bottom = np.clip([top, bottom], 0, height)
    return np.ascontiguousarray(image[top:bottom, left:right]), int(left), int(top)


def _forget(model) -> None:
    """Make a tracking model lose its person: in the next image it searches afresh. Much cheaper than rebuilding its graph."""
    model.process(np.full((64, 64, 3), GREY, np.uint8))


@cache
def _model_hashes() -> dict[str, str]:
    spec = find_spec("mediapipe")
    folder = Path(spec.origin).parent / "modules" if spec and spec.origin else Path()
    names = ["pose_detection/pose_detection", "pose_landmark/pose_landmark_full", "face_landmark/face_landmark_with_attention"]
    names.append("face_detection/face_detection_short_range")
    return {name: content_hash(folder / f"{name}.tflite") for name in names}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the C++ library's notes on its start, for which it has no switch, off standard error."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
