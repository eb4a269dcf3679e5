"""The patient's hands: 21 landmarks of each, cut out at the wrists of the tracked body.

A hand is looked for where its own last landmarks lie; where it was lost, palms are detected beyond
the wrist. It is the patient's, and of that side, because it is at the end of that arm: the
network's own handedness is no reason to change sides.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

import numpy as np

from semiology.data.keypoint_names import HAND, HANDS, SIDES
from semiology.tracking.blazepose.detectors import PALMS, Detector
from semiology.tracking.blazepose.landmarks import UP, Found, HandLandmarks, palm_region
from semiology.tracking.blazepose.networks import network_hash
from semiology.tracking.blazepose.regions import Region, direction
from semiology.tracking.patient import PatientLocation
from semiology.tracking.pose.base import Landmarks, PoseBackend

# lowest score of a region that shows a hand [C: MediaPipe's hands, presence and tracking]
LEAST_SCORE = 0.5
# where palms are detected: the middle of the region lies this far beyond the wrist, its side is
# that long, in forearms. The hand is three quarters of the forearm (Drillis and Contini 1966: 0.108
# and 0.146 of the height); the rest is room for a forearm that points to the camera. [our choice]
BEYOND, SIDE = 0.35, 2.0
# a hand's wrist is at most that far from the body's, in forearms: in real clips half are within 0.1
# [our choice]
APART = 0.5
# length of the palm in the image, wrist to the middle finger, at most: a third of the forearm by
# the same proportions, more where the forearm is foreshortened [our choice]
LONGEST = 0.8
# two hands nearer to each other than this, in palms, by the median over landmarks, are one
# [our choice]
SAME = 0.35

WRIST, MIDDLE = HAND.index("wrist"), HAND.index("middle_finger_mcp")
ARM = ("shoulder", "elbow", "wrist")


class HandTracker:
    """21 landmarks of the left and of the right hand of one person over a clip.

    Positions are px of the image; `position_3d` are the network's metres around the middle of the
    hand, of an average hand (`severity.hands` scales them by a measured one). All landmarks of a
    hand have its score as their confidence. A hand that is not seen, or is not at the end of its
    arm, is not given; where both arms lead to one hand, the arm with the nearer wrist has it.
    """

    def __init__(self) -> None:
        self.start()

    @staticmethod
    def parameters() -> dict[str, object]:
        """All that the result depends on, for the store's key; reads no network."""
        return {
            "weights": {name: network_hash(name) for name in ("palm_detection", "hand_landmark")},
            "limits": [LEAST_SCORE, BEYOND, SIDE, APART, LONGEST, SAME],
        }

    @cached_property
    def _palms(self) -> Detector:
        return Detector(PALMS)

    @cached_property
    def _landmarks(self) -> HandLandmarks:
        return HandLandmarks()

    def load(self) -> None:
        """Load the networks, which otherwise happens with the first hand that is looked for.

        Raises:
            UserError: they are not there, or cannot be read.
        """
        _ = self._palms, self._landmarks

    def start(self) -> None:
        """Begin a clip: nothing is known of the frames before."""
        self._next: dict[str, Region] = {}

    def find(self, image: np.ndarray, arms: Mapping[str, np.ndarray]) -> dict[str, Found]:
        """The hands in an RGB image (height, width, 3) uint8.

        Args:
            arms: side -> shoulder, elbow and wrist (3, 2) px of the tracked body; a shoulder that
                is not known is NaN. A side that is absent has no hand.

        Returns:
            Side -> its hand.
        """
        found = {}
        for side, arm in arms.items():
            hand = self._find(image, arm, self._next.get(side))
            if hand is not None:
                found[side] = hand
        if len(found) == 2 and _same(*found.values()):
            apart = {side: _apart(found[side], arms[side]) for side in found}
            del found[max(apart, key=lambda side: apart[side])]
        self._next = {side: hand.next for side, hand in found.items()}
        return found

    def _find(self, image: np.ndarray, arm: np.ndarray, last: Region | None) -> Found | None:
        height, width = image.shape[:2]
        wrist = arm[2]
        if not np.isfinite(arm[1:]).all() or (forearm := _forearm(arm)) < 1:
            return None
        if not ((wrist > -forearm) & (wrist < np.array([width, height]) + forearm)).all():
            return None
        if last is not None:
            found = self._landmarks(image, last)
            if _is_own(found, arm):
                return found
        region = Region(
            wrist + BEYOND * (wrist - arm[1]), SIDE * forearm, direction(arm[1], wrist, UP)
        )
        palms = self._palms(image, region)
        if not len(palms):
            return None
        nearest = int(np.linalg.norm(palms.keypoints[:, 0] - wrist, axis=1).argmin())
        first = self._landmarks(image, palm_region(palms.boxes[nearest], palms.keypoints[nearest]))
        if first.score < LEAST_SCORE:
            return None
        # once more, where the landmarks are: as in every later frame
        found = self._landmarks(image, first.next)
        return found if _is_own(found, arm) else None


class WithHands:
    """A pose backend that tracks the hands too, at the wrists that it gives.

    Args:
        backend: whose body has wrists and elbows.
    """

    def __init__(self, backend: PoseBackend) -> None:
        self._backend, self._hands = backend, HandTracker()
        self.name = backend.name
        self.keypoints = {**backend.keypoints, "hands": HANDS}
        self.in_metres = backend.in_metres | {"hands"}

    def parameters(self) -> dict[str, object]:
        """Those of the backend: body and face are the same without hands."""
        return self._backend.parameters()

    def track(
        self, frames: Iterable[tuple[np.ndarray | None, PatientLocation]]
    ) -> Iterator[dict[str, Landmarks]]:
        """Track one clip; see `PoseBackend`."""
        self._hands.start()
        images: deque[np.ndarray | None] = deque()  # passed to the backend, result pending

        def seen() -> Iterator[tuple[np.ndarray | None, PatientLocation]]:
            for image, location in frames:
                images.append(image)
                yield image, location

        names = self.keypoints["body"]
        for parts in self._backend.track(seen()):
            image = images.popleft()
            if image is not None and "body" in parts:
                found = self._hands.find(image, arms(parts["body"], names))
                if found:
                    parts = {**parts, "hands": together(found)}
            yield parts


def arms(body: Landmarks, names: list[str]) -> dict[str, np.ndarray]:
    """Side -> shoulder, elbow and wrist (3, 2) px of a tracked body; NaN for what it lacks."""
    place = {name: number for number, name in enumerate(names)}
    missing = np.full(2, np.nan)
    return {
        side: np.stack(
            [
                body.position[place[name]] if (name := f"{side}_{joint}") in place else missing
                for joint in ARM
            ]
        )
        for side in SIDES
    }


def together(found: Mapping[str, Found]) -> Landmarks:
    """Both hands as the part `hands` (`data.keypoint_names.HANDS`); NaN where one is absent."""
    position, metres = np.full((2, 21, 2), np.nan), np.full((2, 21, 3), np.nan)
    confidence = np.zeros((2, 21))
    for number, side in enumerate(SIDES):
        if side in found:
            hand = found[side]
            position[number], metres[number] = hand.position, hand.metres
            confidence[number] = hand.score
    return Landmarks(position.reshape(42, 2), confidence.ravel(), metres.reshape(42, 3))


def _forearm(arm: np.ndarray) -> float:
    """Length of the forearm, px; of the upper arm where that is longer, for one of both may point
    to the camera.
    """
    return float(np.nanmax(np.linalg.norm(np.diff(arm, axis=0), axis=1)))


def _apart(found: Found, arm: np.ndarray) -> float:
    """Distance between the hand's wrist and the body's, in forearms."""
    return float(np.linalg.norm(found.position[WRIST] - arm[2])) / _forearm(arm)


def _is_own(found: Found, arm: np.ndarray) -> bool:
    """Whether there is a hand, at the end of this arm, of a size that fits to it."""
    return (
        found.score >= LEAST_SCORE
        and _apart(found, arm) <= APART
        and _palm(found) <= LONGEST * _forearm(arm)
    )


def _palm(found: Found) -> float:
    """Length of the palm, px."""
    return float(np.linalg.norm(found.position[MIDDLE] - found.position[WRIST]))


def _same(one: Found, other: Found) -> bool:
    """Whether two hands are one and the same."""
    between = np.median(np.linalg.norm(one.position - other.position, axis=1))
    return bool(between < SAME * max(_palm(one), _palm(other)))
