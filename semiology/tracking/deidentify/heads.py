"""Detect heads in every frame of a video: the patient's, by face landmarks, pose and face detector;
and all faces.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from semiology.tracking.blazepose.detectors import FACES, Detector
from semiology.tracking.blazepose.networks import network_hash
from semiology.tracking.blazepose.regions import around_box
from semiology.tracking.boxes import around, centre, is_same_head, side, square, union, whole
from semiology.tracking.patient import FaceDetector, Faces, PatientLocation, follow_patient
from semiology.tracking.pose import pose_backend
from semiology.tracking.pose.base import Landmarks
from semiology.video import Reading, every_frame, read_frames
from semiology.video.decode import AS_STATED

FACE_INTERVAL = 0.48  # s between the frames in which the first pass detects faces, as in extraction
JOINTS = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
# m, minimal side of the square around the head joints where no face is detected: from behind or
# from
# the side they lie close together, and from above far from the crown [our choice]
MIN_HEAD = 0.32
# mean confidence of these joints from which they count as a detected head [our choice]
MIN_CONFIDENCE = 0.5
NO_FACES = Faces(np.zeros((0, 4)), np.zeros(0))


@dataclass(frozen=True)
class HeadDetection:
    """The patient's head and the other faces in one frame.

    Attributes:
        index: number of the frame in the video.
        time: s from the first frame.
        head: box of the patient's head, (4,) x0, y0, x1, y1 in px, not grown; None where it was not
            detected.
        by: what it is based on: "face", face landmarks or detector; "head", the pose's head joints
            only; "" where it was not detected.
        faces: every other face that `EveryFace` detects, false alarms included.
        damaged: the frame cannot be decoded.
    """

    index: int
    time: float
    head: np.ndarray | None
    by: str
    faces: Faces
    damaged: bool = False


class EveryFace:
    """Faces by two detectors: MTCNN at its default thresholds, and, as a second opinion,
    BlazePose's full-range face detector, in the image as it is and turned by quarters, because
    neither finds faces that are upside down.
    """

    def __init__(self) -> None:
        self._mtcnn = FaceDetector(smallest=0, threshold=0)
        self._second = Detector(FACES)

    @staticmethod
    def parameters() -> dict[str, object]:
        """All that the result depends on, for the copy's key."""
        return {**FaceDetector.parameters(), "second": network_hash(FACES.network)}

    def __call__(self, image: np.ndarray) -> Faces:
        """Detect faces in an RGB image, (height, width, 3) uint8; each face once, MTCNN's box of it
        where there is one.
        """
        found = self._mtcnn(image)
        boxes, probability = list(found.boxes), found.probability.tolist()
        frame = around_box(whole(image.shape[1], image.shape[0]))
        for quarter in range(4):
            seen = self._second(image, replace(frame, angle=quarter * np.pi / 2))
            for box, score in zip(seen.boxes, seen.scores):
                if not any(is_same_head(box, other) for other in boxes):
                    boxes.append(box)
                    probability.append(float(score))
        return Faces(np.array(boxes).reshape(-1, 4), np.array(probability, float))


def detect_heads(
    video: str | Path, *, reading: Reading = AS_STATED, progress: bool = False
) -> list[HeadDetection]:
    """Detect heads in every frame. The patient is chosen as in extraction; BlazePose gives pose and
    landmarks.

    Reads the video twice, a few frames a second and then every frame; memory holds a dozen frames
    and the boxes.

    Raises:
        VideoError: the video cannot be read.
        UserError: LiteRT is not installed, or BlazePose's networks are not there.
    """
    backend = pose_backend("blazepose")
    patient = follow_patient(
        read_frames(video, fps=1 / FACE_INTERVAL, reading=reading), FaceDetector(), FACE_INTERVAL
    )
    detector = EveryFace()
    detections: list[HeadDetection] = []

    def frames() -> Iterator[tuple[np.ndarray | None, PatientLocation]]:
        for frame in tqdm(
            every_frame(video, reading),
            "detecting heads",
            leave=False,
            unit="frame",
            disable=not progress,
        ):
            faces = NO_FACES if frame.image is None else detector(frame.image)
            detections.append(
                HeadDetection(frame.index, frame.time, None, "", faces, damaged=frame.image is None)
            )
            yield frame.image, patient.at(frame.time)

    for number, found in enumerate(backend.track(frames())):
        detection = detections[number]
        names, expected = backend.keypoints["body"], patient.at(detection.time).face
        detections[number] = assign_head(
            detection, found, names, expected, patient.width, patient.height
        )
    return detections


def assign_head(
    detection: HeadDetection,
    found: Mapping[str, Landmarks],
    names: Sequence[str],
    expected: np.ndarray | None,
    width: int,
    height: int,
) -> HeadDetection:
    """Assign the faces of a frame to the patient's head or to other people.

    Args:
        detection: with every face of the frame; those at the landmarks, the head joints or the
            expected place are the patient's.
        found: "body", with joints `names`, and "face", as the pose backend found them.
        names: of the body's joints.
        expected: box of the patient's face by the first pass, or None.
        width, height: of the frame, px; a head whose centre lies outside the frame is extrapolated
            by the pose, and ignored.
    """
    landmarks = [around(found["face"].position)] if "face" in found else []
    joints = pose_head_box(found["body"], names) if "body" in found else None
    if (
        joints is not None
        and not ((centre(joints) >= 0) & (centre(joints) < [width, height])).all()
    ):
        joints = None
    known = [box for box in (*landmarks, joints, expected) if box is not None]
    own = np.array(
        [any(is_same_head(face, box) for box in known) for face in detection.faces.boxes], bool
    )
    boxes = [*landmarks, *detection.faces.boxes[own]]
    by = "face" if boxes else "head"
    if joints is not None:
        boxes.append(joints if boxes else at_least(joints, MIN_HEAD, found["body"]))
    others = Faces(detection.faces.boxes[~own], detection.faces.probability[~own])
    return (
        replace(detection, head=union(boxes), by=by, faces=others)
        if boxes
        else replace(detection, faces=others)
    )


def pose_head_box(body: Landmarks, names: Sequence[str]) -> np.ndarray | None:
    """Square around the pose's head joints, about as large as a head, px; None where their
    confidence is low.

    Its side is 1.2 times their extent, which in a frontal view is the head's width.
    """
    rows = [names.index(joint) for joint in JOINTS]
    if not np.isfinite(body.position[rows]).all() or body.confidence[rows].mean() < MIN_CONFIDENCE:
        return None
    box = around(body.position[rows])
    return square(box, 1.2 * max(box[2:] - box[:2]))


def at_least(box: np.ndarray, metres: float, body: Landmarks) -> np.ndarray:
    """The box, or the square with sides of `metres` around its centre where that is larger; the
    scale comes from the body's joints in px and in metres.
    """
    if body.position_3d is None:
        return box
    flat, deep = (points - points.mean(0) for points in (body.position, body.position_3d[:, :2]))
    return square(box, max(side(box), metres * np.sqrt((flat**2).sum() / (deep**2).sum())))
