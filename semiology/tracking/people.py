"""All people in an image: head, body, direction, clothes' colours, and whether the face is seen.

People are detected whichever way they lie, and their landmarks placed; a face is looked for with
the head turned upright. Used by the first pass, which links the people over the clip and chooses
the patient (`tracking/patient.py`).
"""

from functools import cached_property

import numpy as np

from semiology.tracking.blazepose.detectors import PEOPLE, Detector
from semiology.tracking.blazepose.landmarks import UP, BodyLandmarks, Found, body_region
from semiology.tracking.blazepose.networks import network_hash
from semiology.tracking.blazepose.regions import Region, around_box, direction
from semiology.tracking.boxes import (
    around,
    centre,
    clipped,
    distance,
    heads_apart,
    side,
    square,
    whole,
)
from semiology.tracking.patient import TURNED, FaceDetector, Faces, Look
from semiology.tracking.pose.blazepose import (
    HIPS,
    LEAST_SCORE,
    SHOULDERS,
    clothes,
    head_box,
    in_infrared,
)

# a frame longer than this many times its shorter side is also looked at square by square, in which
# people are seen larger [our choice]
LONG = 1.3
# two poses nearer than this, in mean distances of a body's landmarks from their centre, are one
# person [our choice]
SAME = 0.5
# a face is that of a body whose head is not further, in sides of the larger: people who bend over
# a patient have their own [our choice]
FACE_REACH = 0.6
HEAD_OF_TORSO = 0.4  # a face's height (20 cm), in distances from shoulders to hips [our choice]
HEAD_CROP, HEAD_SIDES = 160, 3.0  # px of the turned crop around a head, and its side in heads


class PeopleDetector:
    """Everybody in an image, by BlazePose and MTCNN.

    MTCNN (the design's face detector) says whose face is seen; it looks at the whole image, and at
    the turned heads of those who lie or are upside down. About 50 ms an image of 720x576 on one
    core and 10 ms more for each person.
    """

    def __init__(self) -> None:
        from semiology.tracking.mtcnn import MTCNN

        self._mtcnn = MTCNN()
        self._faces = FaceDetector(mtcnn=self._mtcnn)

    @staticmethod
    def parameters() -> dict[str, object]:
        """All that the result depends on, for the store's key."""
        people = {name: network_hash(name) for name in ("pose_detection", "pose_landmark_full")}
        return {**FaceDetector.parameters(), "people": people}

    @cached_property
    def _people(self) -> Detector:
        return Detector(PEOPLE)

    @cached_property
    def _landmarks(self) -> BodyLandmarks:
        return BodyLandmarks()

    def __call__(self, image: np.ndarray) -> Faces:
        """The heads in an RGB image, (height, width, 3) uint8, with a look of each person.

        A head's box is that of the face where it was detected. A face without a body, as in a
        close-up, is a person too.
        """
        image = in_infrared(image)
        height, width = image.shape[:2]
        faces = self._faces(image)
        boxes, probabilities, looks, taken = [], [], [], set()
        for body in self._bodies(image):
            head, angle = head_of(body.position), torso_angle(body.position)
            free = [number for number in range(len(faces.boxes)) if number not in taken]
            near = [n for n in free if heads_apart(faces.boxes[n], head) < FACE_REACH]
            own = min(near, key=lambda number: distance(faces.boxes[number], head), default=None)
            is_face = own is not None
            if is_face:
                taken.add(own)
                head = faces.boxes[own]
            elif abs(angle) > TURNED:
                is_face = self._is_face(image, head, angle)
            boxes.append(head)
            probabilities.append(faces.probability[own] if own is not None else body.score)
            box = clipped(around(body.position), width, height)
            looks.append(Look(is_face, angle, box, clothes(image, body.position)))
        for number, box in enumerate(faces.boxes):
            if number not in taken:
                boxes.append(box)
                probabilities.append(faces.probability[number])
                looks.append(Look(True, 0.0, box, None))
        return Faces(np.array(boxes).reshape(-1, 4), np.array(probabilities, float), looks)

    def _bodies(self, image: np.ndarray) -> list[Found]:
        """The landmarks of everybody in the image, each person once, the best first."""
        found: list[Found] = []
        for region in squares_of(image.shape[1], image.shape[0]):
            for keypoints in self._people(image, region).keypoints:
                body = self._landmarks(image, body_region(*keypoints[:2]))
                if body.score >= LEAST_SCORE:
                    found.append(body)
        found.sort(key=lambda body: -body.score)
        kept: list[Found] = []
        for body in found:
            if not any(is_same_person(body.position, other.position) for other in kept):
                kept.append(body)
        return kept

    def _is_face(self, image: np.ndarray, head: np.ndarray, angle: float) -> bool:
        """Whether MTCNN detects a face in a head that is turned by an angle (rad), once it is
        upright.
        """
        crop = Region(centre(head), HEAD_SIDES * side(head), angle).crop(image, HEAD_CROP)
        boxes, probability = self._mtcnn(crop, HEAD_CROP / HEAD_SIDES / 2)
        middle = np.full(2, HEAD_CROP / 2)
        return any(
            chance >= self._faces.threshold
            and np.linalg.norm(centre(box) - middle) < HEAD_CROP / HEAD_SIDES
            for box, chance in zip(boxes, probability)
        )


def squares_of(width: int, height: int) -> list[Region]:
    """The squares in which to look for people: the whole image, and where it is long, squares with
    its shorter side along it, each half over the next.
    """
    squares = [around_box(whole(width, height))]
    shorter, longer = min(width, height), max(width, height)
    if longer >= LONG * shorter:
        steps = int(np.ceil(2 * (longer - shorter) / shorter))
        for offset in np.linspace(0, longer - shorter, steps + 1):
            corner = np.array([offset, 0.0]) if width > height else np.array([0.0, offset])
            squares.append(Region(corner + shorter / 2, float(shorter)))
    return squares


def is_same_person(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two poses (33, 2) px are of one person: with one head, or all over each other."""
    spread = np.linalg.norm(first - first.mean(axis=0), axis=1).mean()
    apart = np.linalg.norm(first - second, axis=1).mean()
    heads = heads_apart(head_of(first), head_of(second))
    return heads < FACE_REACH or bool(apart < SAME * spread)


def head_of(position: np.ndarray) -> np.ndarray:
    """Square around the head of a pose (33, 2) px, as large as a face from the front: from the side
    a head's landmarks lie close together, so that the torso gives the size.
    """
    torso = np.linalg.norm(position[SHOULDERS].mean(axis=0) - position[HIPS].mean(axis=0))
    box = head_box(position)
    return square(box, max(side(box), HEAD_OF_TORSO * float(torso)))


def torso_angle(position: np.ndarray) -> float:
    """By how much a body's torso is turned from upright, rad, -pi to pi: clockwise in the image."""
    return direction(position[HIPS].mean(axis=0), position[SHOULDERS].mean(axis=0), UP)
