"""What every frame of a video shows of heads: the patient's, by face landmarks, pose and face
detector; and every face of anybody.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from semiology.tracking.boxes import around, centre, side, square, union
from semiology.tracking.patient import FaceDetector, Faces, PatientLocation, follow_patient
from semiology.tracking.pose import pose_backend
from semiology.tracking.pose.base import Landmarks
from semiology.video import every_frame, read_frames

FACE_INTERVAL = (
    0.48  # s between the frames in which the first pass looks for faces, as in extraction
)
JOINTS = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
# m, least side of the square around the head joints where no face is seen: from behind or aside
# they lie close together, and
MIN_HEAD = 0.32
# from above far from the crown [our choice]
# mean confidence of these joints from which they count as a head that was found [our choice]
MIN_CONFIDENCE = 0.5
NO_FACES = Faces(np.zeros((0, 4)), np.zeros(0))


@dataclass(frozen=True)
class HeadDetection:
    """What one frame shows.

    Attributes:
        index: place of the frame in the video.
        time: s from the first frame.
        head: box of the patient's head, (4,) x0, y0, x1, y1 in px, not grown; None where it was not
            found.
        by: what it rests on: "face", face landmarks or detector; "head", the pose's head joints
            only; "" where it was not found.
        faces: every other face that MTCNN finds at its default thresholds, false alarms too.
        damaged: the frame cannot be decoded.
    """

    index: int
    time: float
    head: np.ndarray | None
    by: str
    faces: Faces
    damaged: bool = False


def detect_heads(video: str | Path, *, progress: bool = False) -> list[HeadDetection]:
    """Look for heads in every frame. Who the patient is, is decided as in extraction; MediaPipe
    gives pose and landmarks.

    Goes through the video twice, a few frames a second and then each; memory holds a dozen frames
    and the boxes.

    Raises:
        VideoError: the video cannot be read.
        UserError: mediapipe is not installed.
    """
    backend = pose_backend("mediapipe")
    patient = follow_patient(
        read_frames(video, fps=1 / FACE_INTERVAL), FaceDetector(), FACE_INTERVAL
    )
    detector = FaceDetector(smallest=0, threshold=0)
    looked: list[HeadDetection] = []

    def frames() -> Iterator[tuple[np.ndarray | None, PatientLocation]]:
        for frame in tqdm(
            every_frame(video), "looking for heads", leave=False, unit="frame", disable=not progress
        ):
            faces = NO_FACES if frame.image is None else detector(frame.image)
            looked.append(
                HeadDetection(frame.index, frame.time, None, "", faces, damaged=frame.image is None)
            )
            yield frame.image, patient.at(frame.time)

    for number, found in enumerate(backend.track(frames())):
        seen = looked[number]
        names, expected = backend.keypoints["body"], patient.at(seen.time).face
        looked[number] = assign_head(seen, found, names, expected, patient.width, patient.height)
    return looked


def assign_head(
    seen: HeadDetection,
    found: Mapping[str, Landmarks],
    names: Sequence[str],
    expected: np.ndarray | None,
    width: int,
    height: int,
) -> HeadDetection:
    """The sighting with the patient's head told from the other faces.

    Args:
        seen: with every face of the frame; those at the landmarks, the head joints or the expected
            place are the patient's.
        found: "body", with joints `names`, and "face", as the pose backend found them.
        expected: box of the patient's face by the first pass, or None.
        width, height: px; a head whose middle is outside of the picture is a guess of the pose, and
            nothing that could be covered.
    """
    landmarks = [around(found["face"].position)] if "face" in found else []
    joints = pose_head_box(found["body"], names) if "body" in found else None
    if (
        joints is not None
        and not ((centre(joints) >= 0) & (centre(joints) < [width, height])).all()
    ):
        joints = None
    known = [box for box in (*landmarks, joints, expected) if box is not None]
    own = np.array([any(_meet(face, box) for box in known) for face in seen.faces.boxes], bool)
    boxes = [*landmarks, *seen.faces.boxes[own]]
    by = "face" if boxes else "head"
    if joints is not None:
        boxes.append(joints if boxes else at_least(joints, MIN_HEAD, found["body"]))
    others = Faces(seen.faces.boxes[~own], seen.faces.probability[~own])
    return (
        replace(seen, head=union(boxes), by=by, faces=others)
        if boxes
        else replace(seen, faces=others)
    )


def pose_head_box(body: Landmarks, names: Sequence[str]) -> np.ndarray | None:
    """Square around the pose's head joints, about as large as a head, px; None where the pose is
    not sure of them.

    Its side is 1.2 times their extent, which from the front is the head's width.
    """
    rows = [names.index(joint) for joint in JOINTS]
    if not np.isfinite(body.position[rows]).all() or body.confidence[rows].mean() < MIN_CONFIDENCE:
        return None
    box = around(body.position[rows])
    return square(box, 1.2 * max(box[2:] - box[:2]))


def at_least(box: np.ndarray, metres: float, body: Landmarks) -> np.ndarray:
    """The box, or the square of a side of `metres` around its centre where that is larger, by the
    body's joints in px and in metres.
    """
    if body.position_3d is None:
        return box
    flat, deep = (points - points.mean(0) for points in (body.position, body.position_3d[:, :2]))
    return square(box, max(side(box), metres * np.sqrt((flat**2).sum() / (deep**2).sum())))


def _meet(face: np.ndarray, head: np.ndarray) -> bool:
    """Whether a face is that of a head: their centres are less than one side of the larger apart."""
    return bool(np.linalg.norm(centre(face) - centre(head)) < max(side(face), side(head)))
