"""Where the patient is: faces found every half second, linked over the clip, and one of these
tracks taken as the patient.

Caregivers come and go, so the choice needs the whole clip. A first, cheap pass looks for faces at a
few frames a second; the second pass (pose) then knows for every frame where the patient's face
should be and where other people's faces are. [our choice; the paper's own detector is an SSD
fine-tuned on the clinic's frames]
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from semiology.files import content_hash
from semiology.tracking.boxes import centre, side
from semiology.video import Frame
from semiology.video.prefetch import threaded_map

SMALLEST_FACE, FACE_THRESHOLD = (
    0.04,
    0.9,
)  # smallest face as a share of the image's shorter side; least probability
# how far, in sides of the face, a face may move from one sample to the next; grows by GROWTH a
# second to at most FAR
REACH = 1.5
GROWTH, MAX_REACH = 0.5, 3.0
# the patient's region reaches this many sides of the face beyond every place where the face was
# seen
REGION_SIDES = 12.0
# another person's track counts from this many samples on: fewer are mostly hands and patterns taken
# for faces
MIN_SAMPLES = 3


@dataclass(frozen=True)
class Faces:
    """Faces of one image: boxes (face, 4) as x0, y0, x1, y1 in px, and their probability (face,)."""

    boxes: np.ndarray
    probability: np.ndarray


class FaceDetector:
    """MTCNN (Zhang et al. 2016) with the weights of facenet-pytorch, which are in its wheel.

    The smallest face looked for has 4 % of the image's shorter side, but at least 20 px; faces of
    probability below 0.9 are left out. [our choice] With `smallest` and `threshold` 0 it is MTCNN
    at its defaults: faces from 20 px and, by its last network, 0.7 on.
    """

    def __init__(self, smallest: float = SMALLEST_FACE, threshold: float = FACE_THRESHOLD) -> None:
        from semiology.tracking.mtcnn import MTCNN

        self._mtcnn = MTCNN()
        self._smallest, self._threshold = smallest, threshold

    @staticmethod
    def parameters() -> dict[str, object]:
        """What the result depends on, for the store's key."""
        return {
            "detector": "mtcnn",
            "smallest": SMALLEST_FACE,
            "threshold": FACE_THRESHOLD,
            "weights": _mtcnn_weights(),
            "package": version("facenet-pytorch"),
        }

    def __call__(self, image: np.ndarray) -> Faces:
        """Find faces in an RGB image, (height, width, 3) uint8; none gives arrays of length 0."""
        boxes, probability = self._mtcnn(image, max(20.0, self._smallest * min(image.shape[:2])))
        boxes, probability = boxes.astype(float), probability.astype(float)
        keep = probability >= self._threshold
        return Faces(boxes[keep], probability[keep])


@cache
def _mtcnn_weights() -> dict[str, str]:
    spec = find_spec("facenet_pytorch")
    folder = Path(spec.origin).parent / "data" if spec and spec.origin else Path()
    return {path.name: content_hash(path) for path in sorted(folder.glob("*net.pt"))}


@dataclass
class FaceTrack:
    """One person's face over the clip: sample times (s from the clip's start), boxes (px) and
    probabilities.
    """

    times: list[float] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)

    def add(self, time: float, box: np.ndarray, probability: float) -> None:
        self.times.append(time)
        self.boxes.append(box)
        self.probabilities.append(probability)

    @property
    def weight(self) -> float:
        """Presence times size: number of samples times median side (px).

        The side and not the area, because a caregiver who bends over the bed is nearer to the
        camera for a while. [our choice]
        """
        return len(self.times) * self.size

    @property
    def size(self) -> float:
        """Median side, px."""
        boxes = np.stack(self.boxes)
        return float(
            np.median(np.sqrt(np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6), axis=1)))
        )

    def at(self, time: float, interval: float) -> tuple[np.ndarray, float] | None:
        """Box and probability at a time, by straight lines between neighbouring samples; None where
        the face was not seen thereabouts.

        Seen means between two samples that are one `interval` (s) apart, or within half an interval
        of a sample.
        """
        after = int(np.searchsorted(self.times, time))
        before = after - 1
        if (
            before >= 0
            and after < len(self.times)
            and self.times[after] - self.times[before] < 1.5 * interval
        ):
            share = (time - self.times[before]) / (self.times[after] - self.times[before])
            box = (1 - share) * self.boxes[before] + share * self.boxes[after]
            return box, (1 - share) * self.probabilities[before] + share * self.probabilities[after]
        near = [
            number
            for number in (before, after)
            if 0 <= number < len(self.times) and abs(self.times[number] - time) <= interval / 2
        ]
        if not near:
            return None
        number = min(near, key=lambda number: abs(self.times[number] - time))
        return self.boxes[number], self.probabilities[number]


@dataclass(frozen=True)
class PatientLocation:
    """What the first pass knows of one frame, px.

    Attributes:
        time: s from the clip's start.
        region: where to look for the patient, (4,): the same box for the whole clip.
        face: the patient's face, (4,), or None where it was not seen.
        probability: of that face, 0 where it was not seen.
        size: median side of the patient's face over the clip; 0 where the clip shows none.
        others: faces of other people, (person, 4).
    """

    time: float
    region: np.ndarray
    face: np.ndarray | None
    probability: float
    size: float
    others: np.ndarray


@dataclass(frozen=True)
class Patient:
    """The patient through a clip, as the first pass saw it.

    Attributes:
        face: the patient's track of faces, or None where the clip shows no face.
        others: tracks of other people: seen at least three times, and at least once together with
            the patient.
        interval: s between samples.
        width, height: of the frames, px; 0 where the clip has no frame at all.
    """

    face: FaceTrack | None
    others: list[FaceTrack]
    interval: float
    width: int
    height: int

    @cached_property
    def size(self) -> float:
        return self.face.size if self.face else 0.0

    @cached_property
    def region(self) -> np.ndarray:
        """The whole frame, or, where the patient is small in it, the places of the face grown by
        twelve sides (a body has about ten).

        Small means that this box is less than half as long as the frame: pose models look at a
        reduced frame and would miss the patient.
        """
        frame = np.array([0.0, 0.0, self.width, self.height])
        if self.face is None:
            return frame
        boxes = np.stack(self.face.boxes)
        reach = REGION_SIDES * self.size
        low, high = boxes[:, :2].min(0) - reach, boxes[:, 2:].max(0) + reach
        box = np.concatenate([np.maximum(low, 0), np.minimum(high, frame[2:])])
        return box if max(box[2:] - box[:2]) < max(frame) / 2 else frame

    def at(self, time: float) -> PatientLocation:
        own = self.face.at(time, self.interval) if self.face else None
        others = [seen[0] for track in self.others if (seen := track.at(time, self.interval))]
        face, probability = own if own else (None, 0.0)
        return PatientLocation(
            time, self.region, face, probability, self.size, np.array(others).reshape(-1, 4)
        )


def follow_patient(frames: Iterable[Frame], detector: FaceDetector, interval: float) -> Patient:
    """First pass: look for faces in frames that are `interval` seconds apart and choose the
    patient.

    The patient is the person whose track of faces has the largest presence times size over the clip
    (`FaceTrack.weight`). A track that is never seen together with the patient's may be the
    patient's own, broken off, and is not held against a pose. Frames are looked at on all cores,
    while the next are decoded.
    """
    width = height = 0

    def pictures() -> Iterator[tuple[float, np.ndarray]]:
        nonlocal width, height
        for frame in frames:
            if frame.image is not None:
                height, width = frame.image.shape[:2]
                yield frame.time, frame.image

    samples = list(threaded_map(lambda picture: (picture[0], detector(picture[1])), pictures()))
    tracks = link_faces(samples)
    if not tracks:
        return Patient(None, [], interval, width, height)
    patient = max(tracks, key=lambda track: track.weight)
    together = [
        track for track in tracks if track is not patient and set(track.times) & set(patient.times)
    ]
    others = [track for track in together if len(track.times) >= MIN_SAMPLES]
    return Patient(patient, others, interval, width, height)


def link_faces(samples: Iterable[tuple[float, Faces]]) -> list[FaceTrack]:
    """Join the faces of successive samples (time in s, faces) into one track a person.

    Faces and tracks are paired so that the sum of their distances is least (Hungarian method). The
    distance is that of the centres, in sides of the face: in hyperkinetic movement a head leaves
    its own box within half a second, so that overlap (IoU) would break the track. A pair is allowed
    up to 1.5 sides, more after a gap (half a side a second, up to 3 sides), and up to two- to
    fourfold size. A track never ends: a patient who turned away is met again at the same place.
    """
    tracks: list[FaceTrack] = []
    for time, faces in samples:
        add_sample(tracks, time, faces)
    return tracks


def add_sample(tracks: list[FaceTrack], time: float, faces: Faces) -> None:
    """Add the faces of one more sample to the tracks of the people so far, as `link` says; people
    who are new are added at the end.
    """
    cost = np.full((len(tracks), len(faces.boxes)), np.inf)
    for row, track in enumerate(tracks):
        for column, box in enumerate(faces.boxes):
            sides = side(track.boxes[-1]), side(box)
            distance = float(np.linalg.norm(centre(track.boxes[-1]) - centre(box))) / np.mean(sides)
            gap = time - track.times[-1]
            if distance <= min(REACH + GROWTH * gap, MAX_REACH) and max(sides) <= min(
                2 + gap, 4
            ) * min(sides):
                cost[row, column] = distance
    rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e6))
    paired = {column: row for row, column in zip(rows, columns) if np.isfinite(cost[row, column])}
    for column, (box, probability) in enumerate(zip(faces.boxes, faces.probability)):
        if column not in paired:
            tracks.append(FaceTrack())
        tracks[paired.get(column, -1)].add(time, box, float(probability))
