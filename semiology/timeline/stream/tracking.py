"""Frames to keypoints in one pass: faces every few frames, the patient followed meanwhile, the pose
backend in every frame.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from semiology.timeline.stream.patient import OnlinePatient
from semiology.tracking.patient import Faces, PatientLocation
from semiology.tracking.pose.base import Landmarks, PoseBackend
from semiology.video import Frame


@dataclass(frozen=True)
class Tracked:
    """One frame and what was found of the patient in it.

    Attributes:
        frame: its place in the video; with its picture only where that was asked for.
        seen: False where the video has a hole.
        found: "body" and "face", as far as they were found.
    """

    frame: Frame
    seen: bool
    found: dict[str, Landmarks] = field(default_factory=dict)


def sighted(
    frames: Iterable[Frame],
    detector: Callable[[np.ndarray], Faces],
    patient: OnlinePatient,
    every: int,
    known: int,
) -> Iterator[tuple[Frame, PatientLocation]]:
    """Each frame with what is known of it once the next sample of faces is there: `every` frames at
    most are held.

    Frames whose index is a multiple of `every` are samples; those up to index `known` were looked
    at before (a resumed run).
    """
    held: list[Frame] = []
    for frame in frames:
        if frame.image is not None and not patient.region.any():
            patient.region = np.array(
                [0.0, 0.0, *frame.image.shape[1::-1]]
            )  # nobody was looked for yet: the whole picture
        if frame.index % every == 0:
            if frame.image is not None and frame.index > known:
                height, width = frame.image.shape[:2]
                patient.look(frame.time, detector(frame.image), width, height)
            yield from ((each, patient.at(each.time)) for each in held)
            held = []
        held.append(frame)
    yield from ((each, patient.at(each.time)) for each in held)


class Stretches:
    """Sighted frames cut where the pose tracker starts afresh: at every block's end, and where the
    patient's region changes.
    """

    def __init__(self, sights: Iterator[tuple[Frame, PatientLocation]]):
        self._sights = sights
        self._next: tuple[Frame, PatientLocation] | None = None
        self.over = False

    def until(self, end: int) -> Iterator[tuple[Frame, PatientLocation]]:
        """Frames up to, and not with, index `end`, as long as the region stays; takes no frame more
        from the video than it gives.
        """
        region: np.ndarray | None = None
        while True:
            pair, self._next = self._next or next(self._sights, None), None
            if pair is None:
                self.over = True
                return
            if region is not None and not np.array_equal(region, pair[1].region):
                self._next = pair
                return
            region = pair[1].region
            yield pair
            if pair[0].index >= end - 1:
                return


def tracked(
    stretches: Stretches, tracker: PoseBackend, end: int, keep_images: bool = False
) -> Iterator[Tracked]:
    """Frames up to index `end` through the pose backend, which starts afresh with every stretch."""
    last = -1
    while not stretches.over and last < end - 1:
        waiting: deque[Frame] = deque()
        for found in tracker.track(_watched(stretches.until(end), waiting)):
            frame = waiting.popleft()
            last = frame.index
            yield Tracked(
                frame if keep_images else replace(frame, image=None), frame.image is not None, found
            )


def _watched(
    pairs: Iterator[tuple[Frame, PatientLocation]], waiting: deque[Frame]
) -> Iterator[tuple[np.ndarray | None, PatientLocation]]:
    for frame, sight in pairs:
        waiting.append(frame)
        yield frame.image, sight


class NoTracking:
    """A pose backend that finds nothing, where no model reads keypoints."""

    name = "none"
    keypoints: dict[str, list[str]] = {}  # noqa: RUF012
    in_metres: frozenset[str] = frozenset()

    def parameters(self) -> dict[str, object]:
        return {"name": self.name}

    def track(
        self, frames: Iterable[tuple[np.ndarray | None, PatientLocation]]
    ) -> Iterator[dict[str, Landmarks]]:
        return ({} for _ in frames)


def nobody(image: np.ndarray) -> Faces:
    """A face detector that finds nothing, likewise."""
    return Faces(np.zeros((0, 4)), np.zeros(0))
