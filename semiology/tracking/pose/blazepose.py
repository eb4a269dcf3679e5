"""The default backend: body and face by BlazePose's networks, run by our own code.

The body is looked for in the region that the last frame's landmarks give; where it was lost, people
are detected first. That the body is the patient's is checked in every frame, by where the first
pass saw the faces.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property

import cv2
import numpy as np

from semiology.data.keypoint_names import BODY, MESH
from semiology.tracking.blazepose.detectors import PEOPLE, Detections, Detector
from semiology.tracking.blazepose.landmarks import BodyLandmarks, Found, SteadyCircle, body_region
from semiology.tracking.blazepose.networks import network_hash
from semiology.tracking.blazepose.regions import Region, around_box
from semiology.tracking.boxes import around, centre, clipped, distance, side, square
from semiology.tracking.patient import REGION_SIDES, PatientLocation, unlike
from semiology.tracking.pose.base import BlazePoseOptions, Landmarks
from semiology.tracking.pose.face_mesh import FaceMesh
from semiology.video.colour import GREY, chroma
from semiology.video.prefetch import prefetch

HEAD = slice(0, 11)  # nose to mouth
EYES = slice(0, 7)  # nose and eyes
SHOULDERS, HIPS = [11, 12], [23, 24]
LEVELS = 6  # of each colour in the histogram of clothes [our choice]
MOUTH, BOTH_EYES = (9, 10), (2, 5)  # its corners; the eyes' middles

# a pose whose head is further than this many sides of the face from the patient's face is not the
# patient's
MAX_DISTANCE = 1.5
HEAD_SPEED = 4.0  # sides of the face a second that a head may have moved while it was lost
# lowest score of a region that shows a body; at MediaPipe's own, 0.5, bodies are found in an empty
# room [our choice]
LEAST_SCORE = 0.8
HEAD_OF_BODY = 0.18  # a head's side, in radii of the circle around the body [measured here]
# people who were lost are looked for around their last region first, this many times as large: cut
# out so, a small person is seen larger [our choice]
AROUND_LAST = 2.0
# frames from one search for people who lie or are turned to the next, while nobody is found; more
# often costs as much as tracking does [our choice]
TURNED_EVERY = 5
QUARTERS = np.pi / 2 * np.array([0, 1, 3, 2])  # upright, lying on either side, upside down
# brightness of night infrared that is stretched to the whole range: percentiles of a frame, and the
# range from which nothing is gained [our choice]
DARKEST, BRIGHTEST, WIDE = 1, 99, 200
AHEAD = 4  # frames that the body's networks may be ahead of the face's


class BlazePose:
    """33 body landmarks in px and metres, 478 face landmarks in px and, scaled by an average eye
    distance, metres.

    - Body: metres as BlazePose's world landmarks, origin between the hips. Confidence is its
      visibility. Nothing is smoothed: tracks hold raw detections, and smoothing is a later,
      recorded step.
    - Face: `FaceMesh`. Its landmarks get the mean visibility of nose and eyes in the body's pose,
      or, where the body was not found, the first pass' probability of the face.

    Each network computes on one core: about 7 ms a frame for the body and 4 ms for the face, in
    parallel.

    Raises:
        UserError: a network is not there, or a file holds another one.
    """

    name = "blazepose"
    keypoints = {"body": BODY, "face": MESH}  # noqa: RUF012
    in_metres = frozenset({"body", "face"})

    def __init__(self, options: BlazePoseOptions | None = None) -> None:
        self.options = options or BlazePoseOptions()
        self._mesh = FaceMesh(self.options.face_mesh)
        self.face_mesh = self._mesh.version  # which mesh, for the tracks

    def parameters(self) -> dict[str, object]:
        """All that the result depends on, for the store's key; see `PoseBackend`."""
        body = self.options.network
        return {
            "name": self.name,
            "weights": {
                "people": network_hash("pose_detection"),
                "body": network_hash(*body),
                **self._mesh.parameters(),
            },
            "least_score": LEAST_SCORE,
            "head_of_body": HEAD_OF_BODY,
        }

    @cached_property
    def _people(self) -> Detector:
        return Detector(PEOPLE)

    @cached_property
    def _landmarks(self) -> BodyLandmarks:
        return BodyLandmarks(*self.options.network)

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
        self._next: Region | None = None  # where the last frame's landmarks are
        self._last: tuple[float, np.ndarray] | None = None  # time (s) and head when last found
        self._last_region: Region | None = None  # that the body was last found in
        self._misses = 0  # frames since then
        self._steady = SteadyCircle()
        for image, location in frames:
            image = None if image is None else in_infrared(image)
            yield image, location, None if image is None else self._body(image, location)

    def _body(self, image: np.ndarray, location: PatientLocation) -> Landmarks | None:
        found = None
        if self._next is not None:
            found = self._patients(image, self._next, location, None)
        is_new = found is None
        if found is None:
            found = self._detected(image, location)
        if found is None:
            self._next, self._misses = None, self._misses + 1
            return None
        if is_new:
            self._steady = SteadyCircle()
        self._next = self._last_region = self._steady(location.time, found.circle)
        self._last, self._misses = (location.time, head_box(found.position)), 0
        return Landmarks(found.position, found.visibility, found.metres)

    def _patients(
        self,
        image: np.ndarray,
        region: Region,
        location: PatientLocation,
        last: tuple[float, np.ndarray] | None,
    ) -> Found | None:
        """The body that a region shows, if there is one and it is the patient's."""
        found = self._landmarks(image, region)
        if found.score < LEAST_SCORE or not is_patient(head_box(found.position), location, last):
            return None
        return None if wears_others(image, found.position, location) else found

    def _detected(self, image: np.ndarray, location: PatientLocation) -> Found | None:
        """The patient's body after people were detected: near where the last frame had it, then in
        the whole of the patient's region, as it was turned then, around the face where the first
        pass saw it (a long frame shows people small), and from time to time turned by quarters.
        """
        whole, last = around_box(location.region), self._last_region
        turn = 0.0 if last is None else np.round(last.angle / (np.pi / 2)) * np.pi / 2
        looks = [Region(whole.centre, whole.side, turn)]
        if last is not None:
            looks.insert(0, Region(last.centre, AROUND_LAST * last.side, turn))
        if location.face is not None:
            around_face = REGION_SIDES * side(location.face)
            looks.append(Region(centre(location.face), around_face, turn))
        if self._misses % TURNED_EVERY == 0:
            looks += [Region(whole.centre, whole.side, turn + more) for more in QUARTERS[1:]]
        for look in looks:
            people = self._people(image, look)
            for number in likeliest(people, location):
                region = body_region(*people.keypoints[number, :2])
                if (found := self._patients(image, region, location, self._last)) is not None:
                    return found
        return None

    def _face(
        self, image: np.ndarray, location: PatientLocation, body: Landmarks | None
    ) -> Landmarks | None:
        if body is None:
            return self._mesh.find(image, location.face, location.probability)
        confidence = float(body.confidence[EYES].mean())
        # not by the eyes' line: of a head seen from behind it runs the other way
        axis = body.position[[MOUTH, BOTH_EYES]].mean(axis=1)
        return self._mesh.find(image, head_box(body.position), confidence, axis)


def likeliest(people: Detections, location: PatientLocation) -> list[int]:
    """Positions of the detections whose head may be the patient's, the likeliest first: the nearest
    to the patient's face where the first pass saw it, else the best.

    A detection's box has its middle at the head; its size is the same for everybody, so that the
    head's size is that of the circle around the body.
    """
    radii = np.linalg.norm(people.keypoints[:, 1] - people.keypoints[:, 0], axis=1)
    heads = [square(box, HEAD_OF_BODY * radius) for box, radius in zip(people.boxes, radii)]
    possible = [number for number, head in enumerate(heads) if is_patient(head, location, None)]
    if location.face is not None:
        face = location.face
        possible.sort(key=lambda number: distance(heads[number], face))
    return possible


def in_infrared(image: np.ndarray) -> np.ndarray:
    """A frame of night infrared with its brightness stretched to the whole range; other frames as
    they are.

    Args:
        image: (height, width, 3) uint8.
    """
    if chroma(image) >= GREY:
        return image
    low, high = np.percentile(image[::8, ::8, 0], [DARKEST, BRIGHTEST])
    if high - low >= WIDE or high <= low:
        return image
    table = np.clip((np.arange(256) - low) * 255 / (high - low), 0, 255).astype(np.uint8)
    return cv2.LUT(image, table)


def is_patient(
    head: np.ndarray, location: PatientLocation, last: tuple[float, np.ndarray] | None
) -> bool:
    """Whether a head (box, px) is the patient's.

    Where the first pass detected the patient's face, the head must be there, nearer than to other
    people's. Elsewhere it must not be at another person's face, nor of more than threefold or less
    than a third of the size of the patient's face, nor further from the `last` head (time in s,
    box) than a head moves in that time. Without `last` (the landmarks were tracked, or never found)
    the last condition is dropped.
    """
    if location.face is not None:
        reach = MAX_DISTANCE * max(side(location.face), location.size) + location.moved
        away = np.linalg.norm(centre(head) - centre(location.face))
        others = [np.linalg.norm(centre(head) - centre(box)) for box in location.others]
        return bool(away <= reach and all(away < other for other in others))
    if any(distance(head, box) <= 1 for box in location.others):
        return False
    if location.size and not 1 / 3 < side(head) / location.size < 3:
        return False
    return last is None or distance(head, last[1]) <= MAX_DISTANCE + HEAD_SPEED * (
        location.time - last[0]
    )


def wears_others(image: np.ndarray, position: np.ndarray, location: PatientLocation) -> bool:
    """Whether the clothes over the torso of a pose (33, 2) px are more like those of another person
    in this frame than the patient's: then the body is not the patient's, whatever its head.
    """
    if location.colours is None or not location.other_colours:
        return False
    seen = clothes(image, position)
    own = unlike(seen, location.colours)
    return any(unlike(seen, other) < own for other in location.other_colours)


def clothes(image: np.ndarray, position: np.ndarray) -> np.ndarray | None:
    """Histogram of the colours over the torso, its sum 1; None where it lies outside the image.

    Args:
        image: RGB, (height, width, 3) uint8.
        position: of a body's landmarks, (33, 2) px.
    """
    height, width = image.shape[:2]
    torso = clipped(around(position[SHOULDERS + HIPS]), width, height)
    left, top, right, bottom = torso.astype(int)
    part = image[top : bottom + 1 : 2, left : right + 1 : 2].reshape(-1, 3)
    if not len(part):
        return None
    level = part.astype(int) * LEVELS // 256
    bins = (level[:, 0] * LEVELS + level[:, 1]) * LEVELS + level[:, 2]
    return np.bincount(bins, minlength=LEVELS**3) / len(part)


def head_box(position: np.ndarray) -> np.ndarray:
    """Square around the head's landmarks of a body (33, 2) px, about as large as a detector's face
    box, px.
    """
    box = around(position[HEAD])
    return square(box, 1.2 * max(box[2:] - box[:2]))
