"""From frames to keypoints in one pass: face detection every few frames, online identification of
the patient, the pose backend in every frame.

Frames are decoded, and faces detected in them, by a thread that is ahead of the pose backend: who
the patient is depends on the order of frames, what a detector sees in one of them does not.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from semiology.timeline.stream.patient import OnlinePatient
from semiology.tracking.patient import Faces, PatientLocation
from semiology.tracking.pose.base import Landmarks, PoseBackend
from semiology.video import Frame
from semiology.video.prefetch import one_core, prefetch


@dataclass(frozen=True)
class TrackedFrame:
    """One frame and the patient's landmarks in it.

    Attributes:
        frame: index and time; its image only with `keep_images`.
        seen: False where the video has a gap.
        found: "body" and "face", as far as they were detected.
    """

    frame: Frame
    seen: bool
    found: dict[str, Landmarks] = field(default_factory=dict)


def frames_with_patient(
    frames: Iterable[Frame],
    detector: Callable[[np.ndarray], Faces],
    patient: OnlinePatient,
    every: int,
    known: int,
) -> Iterator[tuple[Frame, PatientLocation]]:
    """Each frame with the patient's position, once the next sample of faces is known: at most
    `every` frames are buffered, and as many are decoded ahead of them.

    Frames whose index is a multiple of `every` are samples; those up to index `known` were
    processed before (a resumed run).
    """
    held: list[Frame] = []
    for frame, faces in prefetch(_with_faces(frames, detector, every, known), every):
        if frame.image is not None and not patient.region.any():
            # no detection yet: the whole frame
            patient.region = np.array([0.0, 0.0, *frame.image.shape[1::-1]])
        if frame.index % every == 0:
            if frame.image is not None and faces is not None:
                height, width = frame.image.shape[:2]
                patient.update(frame.time, faces, width, height)
            yield from ((each, patient.at(each.time)) for each in held)
            held = []
        held.append(frame)
    yield from ((each, patient.at(each.time)) for each in held)


def _with_faces(
    frames: Iterable[Frame], detector: Callable[[np.ndarray], Faces], every: int, known: int
) -> Iterator[tuple[Frame, Faces | None]]:
    """Each frame, and the faces in it where it is a new sample; see `frames_with_patient`."""
    with one_core():
        for frame in frames:
            is_sample = frame.index % every == 0 and frame.index > known
            yield frame, detector(frame.image) if is_sample and frame.image is not None else None


class TrackingSegments:
    """Frames split into segments, each tracked by a restarted pose tracker: at the end of every
    block, and where the patient's region changes.
    """

    def __init__(self, sights: Iterator[tuple[Frame, PatientLocation]]):
        self._sights = sights
        self._next: tuple[Frame, PatientLocation] | None = None
        self.over = False

    def until(self, end: int) -> Iterator[tuple[Frame, PatientLocation]]:
        """Frames up to, not including, index `end`, while the region stays the same; reads no frame
        beyond those that it yields.
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


def track_frames(
    segments: TrackingSegments, tracker: PoseBackend, end: int, keep_images: bool = False
) -> Iterator[TrackedFrame]:
    """Track frames up to index `end` by the pose backend, which is restarted for each segment."""
    last = -1
    while not segments.over and last < end - 1:
        waiting: deque[Frame] = deque()
        for found in tracker.track(_queued(segments.until(end), waiting)):
            frame = waiting.popleft()
            last = frame.index
            yield TrackedFrame(
                frame if keep_images else replace(frame, image=None), frame.image is not None, found
            )


def _queued(
    pairs: Iterator[tuple[Frame, PatientLocation]], waiting: deque[Frame]
) -> Iterator[tuple[np.ndarray | None, PatientLocation]]:
    for frame, sight in pairs:
        waiting.append(frame)
        yield frame.image, sight


class NoTracking:
    """A pose backend without detections, for runs whose models read no keypoints."""

    name = "none"
    keypoints: dict[str, list[str]] = {}  # noqa: RUF012
    in_metres: frozenset[str] = frozenset()

    def parameters(self) -> dict[str, object]:
        """The parameters that enter the run's key."""
        return {"name": self.name}

    def track(
        self, frames: Iterable[tuple[np.ndarray | None, PatientLocation]]
    ) -> Iterator[dict[str, Landmarks]]:
        """No landmarks for each frame."""
        return ({} for _ in frames)


def no_faces(image: np.ndarray) -> Faces:
    """A face detector without detections, for runs whose models read no keypoints."""
    return Faces(np.zeros((0, 4)), np.zeros(0))
