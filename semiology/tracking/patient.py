"""Which person in a clip is the patient: people are detected every half second and linked over the
clip, and one of these tracks is chosen.

Caregivers come and go, so the choice needs the whole clip. A first, cheap pass detects people in a
few frames a second; from it the second pass (pose) takes, for every frame, where the patient's head
should be and where other people's heads are. [our choice; the paper's own detector is an SSD
fine-tuned on the clinic's frames]
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from semiology.data.cohort.row import Click
from semiology.errors import UserError
from semiology.files import content_hash
from semiology.tracking.boxes import centre, clipped, grown, holds, side, sides, union, whole
from semiology.video import Frame
from semiology.video.prefetch import threaded_map

if TYPE_CHECKING:
    from semiology.tracking.mtcnn import MTCNN

SMALLEST_FACE = 0.04  # side of the smallest face, in shorter sides of the image
FACE_THRESHOLD = 0.9  # lowest probability of a face
# how far, in sides of the face, a face may move from one sample to the next; after a gap GROWTH
# more for each second, up to MAX_REACH
REACH = 1.5
GROWTH, MAX_REACH = 0.5, 3.0
# the patient's region extends this many sides of the face beyond every detected face
REGION_SIDES = 12.0
# another person's track needs this many samples: shorter ones are mostly false detections
MIN_SAMPLES = 3
LYING = 1.5  # weight of a person who lies, beside one who stands or sits [our choice]
TURNED = np.pi / 4  # rad from upright, from which a person lies
# share of the distance that clothes of other colours add, in sides of the face [our choice]
COLOURS = 1.0
RECENT = 20  # samples, of the clothes by which people are linked [our choice]
# below this distance of their colours clothes are alike, and their wearer may have walked so far,
# in sides of the face: 2 m/s for half a second [our choice]
ALIKE, WALKING = 0.5, 5.0
# a click belongs to the person whose head is not further, in sides of the face [our choice]
CLICK_REACH = 1.0


@dataclass(frozen=True)
class Look:
    """What more is seen of a person in one image.

    Attributes:
        is_face: whether the face is seen.
        angle: by which the torso is turned from upright, rad, -pi to pi.
        body: box around the whole person, (4,) px.
        colours: histogram of the clothes' colours, its sum 1; None where they are not seen.
    """

    is_face: bool
    angle: float
    body: np.ndarray
    colours: np.ndarray | None


@dataclass(frozen=True)
class Faces:
    """Faces or heads of one image: boxes (face, 4), x0, y0, x1, y1 px, probability (face,), and,
    where people were detected and not faces alone, a look of each person.
    """

    boxes: np.ndarray
    probability: np.ndarray
    looks: Sequence[Look | None] = ()

    def __iter__(self) -> Iterator[tuple[np.ndarray, float, Look | None]]:
        looks = self.looks or [None] * len(self.boxes)
        return zip(self.boxes, self.probability.tolist(), looks)


class FaceDetector:
    """MTCNN (Zhang et al. 2016) with the weights of facenet-pytorch, which are in its wheel.

    Faces smaller than 4 % of the image's shorter side (and than 20 px) are not detected; faces with
    a probability below 0.9 are left out. [our choice] With `smallest` and `threshold` 0 it is MTCNN
    at its defaults: faces of at least 20 px with a probability of at least 0.7 by its last network.
    """

    def __init__(
        self,
        smallest: float = SMALLEST_FACE,
        threshold: float = FACE_THRESHOLD,
        mtcnn: "MTCNN | None" = None,
    ) -> None:
        from semiology.tracking.mtcnn import MTCNN

        self._mtcnn = mtcnn or MTCNN()
        self._smallest, self.threshold = smallest, threshold

    @staticmethod
    def parameters() -> dict[str, object]:
        """All that the result depends on, for the store's key."""
        return {
            "detector": "mtcnn",
            "smallest": SMALLEST_FACE,
            "threshold": FACE_THRESHOLD,
            "weights": _mtcnn_weights(),
            "package": version("facenet-pytorch"),
        }

    def __call__(self, image: np.ndarray) -> Faces:
        """Detect faces in an RGB image, (height, width, 3) uint8; none gives arrays of length 0."""
        boxes, probability = self._mtcnn(image, max(20.0, self._smallest * min(image.shape[:2])))
        boxes, probability = boxes.astype(float), probability.astype(float)
        keep = probability >= self.threshold
        return Faces(boxes[keep], probability[keep])


@cache
def _mtcnn_weights() -> dict[str, str]:
    """File name -> SHA-256 of the weights in facenet-pytorch's wheel."""
    spec = find_spec("facenet_pytorch")
    folder = Path(spec.origin).parent / "data" if spec and spec.origin else Path()
    return {path.name: content_hash(path) for path in sorted(folder.glob("*net.pt"))}


@dataclass
class FaceTrack:
    """One person's face or head over the clip: sample times (s from the clip's start), boxes (px),
    probabilities, and looks, where there are any.
    """

    times: list[float] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    looks: list[Look | None] = field(default_factory=list)

    def add(
        self, time: float, box: np.ndarray, probability: float, look: Look | None = None
    ) -> None:
        """Append a sample: time in s, box in px, probability of a face, what else was seen."""
        self.times.append(time)
        self.boxes.append(box)
        self.probabilities.append(probability)
        self.looks.append(look)

    @property
    def weight(self) -> float:
        """Presence times size: number of samples times median side (px); one and a half times of
        that for a person who lies, half of it for one whose face is never seen.

        The side and not the area, because a caregiver who bends over the bed is nearer to the
        camera for a while. [our choice]
        """
        lying = LYING if self.fraction_lying > 0.5 else 1.0
        return len(self.times) * self.size * lying * (1 + self.fraction_face) / 2

    @property
    def fraction_face(self) -> float:
        """Fraction of the samples in which the face was seen, 0 to 1."""
        return float(np.mean([look is None or look.is_face for look in self.looks] or [True]))

    @property
    def fraction_lying(self) -> float:
        """Fraction of the samples in which the torso is turned from upright by more than 45
        degrees, 0 to 1.
        """
        lies = [look is not None and abs(look.angle) > TURNED for look in self.looks]
        return float(np.mean(lies or [False]))

    @property
    def colours(self) -> np.ndarray | None:
        """Mean histogram of the clothes' colours over the last ten seconds or so in which they were
        seen; None where they never were.
        """
        return mean_colours(self.looks[-RECENT:])

    @property
    def size(self) -> float:
        """Median side of the boxes, px."""
        return float(np.median(sides(np.stack(self.boxes))))

    def at(self, time: float, interval: float) -> tuple[np.ndarray, float] | None:
        """Box and probability at a time, linearly interpolated between neighbouring samples; None
        where the face was not detected around that time.

        It was where the time lies between two samples that are one `interval` (s) apart, or within
        half an interval of a sample.
        """
        after = int(np.searchsorted(self.times, time))
        before = after - 1
        if (
            before >= 0
            and after < len(self.times)
            and self.times[after] - self.times[before] < 1.5 * interval
        ):
            weight = (time - self.times[before]) / (self.times[after] - self.times[before])
            box = (1 - weight) * self.boxes[before] + weight * self.boxes[after]
            probability = (1 - weight) * self.probabilities[before]
            return box, probability + weight * self.probabilities[after]
        near = [
            number
            for number in (before, after)
            if 0 <= number < len(self.times) and abs(self.times[number] - time) <= interval / 2
        ]
        if not near:
            return None
        number = min(near, key=lambda number: abs(self.times[number] - time))
        return self.boxes[number], self.probabilities[number]

    def moved_around(self, time: float) -> float:
        """px between the centres of the samples before and after a time; 0 at either end."""
        after = int(np.searchsorted(self.times, time))
        if not 0 < after < len(self.times):
            return 0.0
        return float(np.linalg.norm(centre(self.boxes[after]) - centre(self.boxes[after - 1])))


@dataclass(frozen=True)
class PatientLocation:
    """Where the patient and other people are in one frame, by the first pass; boxes in px.

    Attributes:
        time: s from the clip's start.
        region: where to search for the patient, (4,): the same box for the whole clip.
        face: the patient's face, (4,), or None where it was not detected.
        probability: of that face, 0 where it was not detected.
        size: median side of the patient's face over the clip; 0 where the clip shows none.
        others: faces of other people, (person, 4).
        moved: px that the face moves from the sample before to the one after: how far it may lie
            from where it is expected.
        colours: histogram of the patient's clothes; None where they were not seen.
        other_colours: of those of the other people who are in this frame.
    """

    time: float
    region: np.ndarray
    face: np.ndarray | None
    probability: float
    size: float
    others: np.ndarray
    moved: float = 0.0
    colours: np.ndarray | None = None
    other_colours: Sequence[np.ndarray] = ()


@dataclass(frozen=True)
class Choice:
    """Why a person was taken for the patient.

    Attributes:
        by: "click", a person pointed at the patient; or "presence", who is seen longest, largest,
            lying and with the face.
        certainty: the patient's share of the weights of all people who are seen at the same time, 0
            to 1; 1 by a click, or where nobody else is seen.
        people: in the clip, the patient included.
        face: fraction of the samples of the patient in which the face was seen, 0 to 1.
        lying: fraction in which the torso is turned from upright by more than 45 degrees, 0 to 1.
    """

    by: str
    certainty: float
    people: int
    face: float
    lying: float


@dataclass(frozen=True)
class Patient:
    """The patient throughout a clip, by the first pass.

    Attributes:
        face: the patient's track of faces, or None where the clip shows no face.
        others: tracks of other people: detected at least three times, and at least once in the same
            frame as the patient.
        interval: s between samples.
        width, height: of the frames, px; 0 where the clip has no frame at all.
        choice: why this person, or None where nobody was seen.
    """

    face: FaceTrack | None
    others: list[FaceTrack]
    interval: float
    width: int
    height: int
    choice: Choice | None = None

    @cached_property
    def size(self) -> float:
        """Median side of the patient's face, px; 0 where the clip shows none."""
        return self.face.size if self.face else 0.0

    @cached_property
    def colours(self) -> np.ndarray | None:
        """Mean histogram of the patient's clothes over the clip; None where they were not seen."""
        return mean_colours(self.face.looks) if self.face else None

    @cached_property
    def other_colours(self) -> list[np.ndarray | None]:
        """The same of the other people, in their order."""
        return [mean_colours(track.looks) for track in self.others]

    @cached_property
    def region(self) -> np.ndarray:
        """The whole frame, or, where the patient is small in it, the union of the face's boxes
        grown by twelve sides of the face (a body has about ten), (4,) px.

        Small means that this box is less than half as long as the frame: pose models read a
        downscaled frame and would miss the patient.
        """
        frame = whole(self.width, self.height)
        if self.face is None:
            return frame
        box = grown(union(self.face.boxes), REGION_SIDES * self.size)
        box = clipped(box, self.width, self.height)
        return box if max(box[2:] - box[:2]) < max(frame) / 2 else frame

    def at(self, time: float) -> PatientLocation:
        """Where the patient and others are at a time, s from the clip's start."""
        own = self.face.at(time, self.interval) if self.face else None
        near = [track.at(time, self.interval) for track in self.others]
        others = [seen[0] for seen in near if seen]
        clothes = [each for each, seen in zip(self.other_colours, near) if seen]
        face, probability = own if own else (None, 0.0)
        moved = self.face.moved_around(time) if self.face else 0.0
        return PatientLocation(
            *(time, self.region, face, probability, self.size),
            np.array(others).reshape(-1, 4),
            moved,
            self.colours if others else None,
            [each for each in clothes if each is not None],
        )


def follow_patient(
    frames: Iterable[Frame],
    detector: Callable[[np.ndarray], Faces],
    interval: float,
    click: Click | None = None,
) -> Patient:
    """First pass: detect people in frames that are `interval` seconds apart and choose the patient.

    The patient is the person on whom somebody clicked, or the one with the largest weight over the
    clip (`FaceTrack.weight`). A track that never occurs together with the patient's may be the
    patient's own, interrupted, and does not count as another person. People are detected on all
    cores, while the next frames are decoded.

    Raises:
        UserError: nobody was found where somebody clicked.
    """
    width = height = 0

    def images() -> Iterator[tuple[float, np.ndarray]]:
        nonlocal width, height
        for frame in frames:
            if frame.image is not None:
                height, width = frame.image.shape[:2]
                yield frame.time, frame.image

    samples = list(threaded_map(lambda image: (image[0], detector(image[1])), images()))
    tracks = link_faces(samples)
    if click is not None:
        patient = clicked(tracks, click, interval)
    elif tracks:
        patient = max(tracks, key=lambda track: track.weight)
    else:
        return Patient(None, [], interval, width, height)
    together = [
        track for track in tracks if track is not patient and set(track.times) & set(patient.times)
    ]
    others = [track for track in together if len(track.times) >= MIN_SAMPLES]
    share = patient.weight / max(sum(track.weight for track in [patient, *others]), 1e-9)
    choice = Choice(
        "presence" if click is None else "click",
        share if click is None else 1.0,
        1 + len(others),
        patient.fraction_face,
        patient.fraction_lying,
    )
    return Patient(patient, others, interval, width, height, choice)


def clicked(tracks: Sequence[FaceTrack], click: Click, interval: float) -> FaceTrack:
    """The person at a point: whose head is there, else whose body is.

    Raises:
        UserError: nobody was found there within a sample's `interval` (s).
    """
    point = np.array([click.x, click.y])
    near: list[tuple[bool, float, int, FaceTrack]] = []
    for track in tracks:
        number = int(np.argmin(np.abs(np.array(track.times) - click.time)))
        if abs(track.times[number] - click.time) > interval:
            continue
        box, look = track.boxes[number], track.looks[number]
        away = float(np.linalg.norm(centre(box) - point)) / side(box)
        on_body = look is not None and holds(look.body, point)
        if away <= CLICK_REACH or on_body:
            near.append((away > CLICK_REACH, away, len(near), track))
    if not near:
        raise UserError(
            f"patient {click.time:g},{click.x:g},{click.y:g}: nobody was found there; click on the"
            " patient's head in a frame that shows it well"
        )
    return min(near)[-1]


def link_faces(samples: Iterable[tuple[float, Faces]]) -> list[FaceTrack]:
    """Link the faces of successive samples (time in s, faces) into one track per person.

    Faces and tracks are paired so that the sum of their distances is least (Hungarian method). The
    distance is that of the centres, in sides of the face: in hyperkinetic movement a head leaves
    its own box within half a second, so that overlap (IoU) would break the track. A pair may be up
    to 1.5 sides apart (5 in clothes that look alike), more after a gap (half a side a second, up to
    3 sides), and differ in size by a factor of up to 2 (up to 4 after a gap). A track never ends: a
    patient who turned away is found again at the same position.
    """
    tracks: list[FaceTrack] = []
    for time, faces in samples:
        add_sample(tracks, time, faces)
    return tracks


def add_sample(tracks: list[FaceTrack], time: float, faces: Faces) -> None:
    """Add the faces of one more sample to the existing tracks by the rule of `link_faces`; new
    people are appended.
    """
    cost = np.full((len(tracks), len(faces.boxes)), np.inf)
    for row, track in enumerate(tracks):
        for column, (box, _, look) in enumerate(faces):
            colours = look.colours if look else None
            sides = side(track.boxes[-1]), side(box)
            distance = float(np.linalg.norm(centre(track.boxes[-1]) - centre(box))) / np.mean(sides)
            gap = time - track.times[-1]
            other_clothes = unlike(track.colours, colours)
            reach = min(REACH + GROWTH * gap, MAX_REACH)
            if colours is not None and track.colours is not None and other_clothes < ALIKE:
                reach = WALKING
            if distance <= reach and max(sides) <= min(2 + gap, 4) * min(sides):
                cost[row, column] = distance + COLOURS * other_clothes
    rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, 1e6))
    paired = {column: row for row, column in zip(rows, columns) if np.isfinite(cost[row, column])}
    for column, (box, probability, look) in enumerate(faces):
        if column not in paired:
            tracks.append(FaceTrack())
        tracks[paired.get(column, -1)].add(time, box, probability, look)


def mean_colours(looks: Iterable[Look | None]) -> np.ndarray | None:
    """Mean of the histograms of some looks; None where there is none."""
    known = [look.colours for look in looks if look is not None and look.colours is not None]
    return np.mean(known, axis=0) if known else None


def unlike(first: np.ndarray | None, second: np.ndarray | None) -> float:
    """Distance of two histograms of colours, 0 (equal) to 1 (no colour in common) [Hellinger]; 0
    where one of them is not known.
    """
    if first is None or second is None:
        return 0.0
    return float(np.sqrt(max(0.0, 1 - np.sqrt(first * second).sum())))
