"""One clip's tracks: a first pass through its video says who the patient is, a second tracks the patient in every frame."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import xarray as xr

from semiology.detect import FaceDetector, Sight, follow_patient
from semiology.errors import UserError
from semiology.extraction.options import ExtractOptions
from semiology.pose import KeypointRCNNOptions, Landmarks, PoseBackend, pose_backend
from semiology.skeleton import Skeleton
from semiology.tracks import make_tracks
from semiology.video import Frame, read_frames


def extract_tracks(
    path: str | Path,
    start: float = 0.0,
    end: float | None = None,
    options: ExtractOptions | None = None,
    keep: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, xr.Dataset]:
    """Tracks of the patient in a video from `start` to `end` (s): "body" and "face". Rows where the part was not found are NaN.

    `keep`, part -> names of keypoints, makes tracks of these parts and keypoints only: all 511 take a gigabyte an hour while they are made.

    Raises:
        VideoError: the video cannot be read.
        UserError: joints are to be lifted, and the backend does not track those that the lifter reads.
    """
    options = options or ExtractOptions()
    tracker = backend(options)
    interval = options.face_every / options.fps
    patient = follow_patient(read_frames(path, start, end, 1 / interval), detector(), interval)
    frames: list[Frame] = []

    def seen() -> Iterator[tuple[np.ndarray | None, Sight]]:
        for frame in read_frames(path, start, end, options.fps):
            frames.append(replace(frame, image=None))
            yield frame.image, patient.at(frame.time)

    kept = tracker.keypoints if keep is None else {part: list(names) for part, names in keep.items()}
    rows = {part: [tracker.keypoints[part].index(name) for name in names] for part, names in kept.items()}
    found = [{part: _only(parts[part], chosen) for part, chosen in rows.items() if part in parts} for parts in tracker.track(seen())]
    made = {}
    for part, names in kept.items():
        landmarks = [parts.get(part) for parts in found]
        made[part] = make_tracks(
            _stack(landmarks, "position", (len(names), 2)),
            names,
            options.fps,
            confidence=np.nan_to_num(_stack(landmarks, "confidence", (len(names),))),
            position_3d=_stack(landmarks, "position_3d", (len(names), 3)) if part in tracker.in_metres else None,
            source_time=np.array([frame.source_time for frame in frames]),
            source_index=np.array([frame.source_index for frame in frames]),
            width=patient.width,
            height=patient.height,
            backend=tracker.name,
        )
    if is_lifted(options):
        from semiology.lift import lift

        made["body"] = lift(made["body"])
    return made


def is_lifted(options: ExtractOptions) -> bool:
    """Whether the body is put into space by the lifter: asked for, and the backend gives no depth."""
    return options.lift and "body" not in backend(options).in_metres


def keypoints_read(skeletons: Iterable[Skeleton], tracker: PoseBackend) -> dict[str, list[str]]:
    """Part -> the backend's keypoints that the joints of these skeletons are made of, in its order: 10 of 33 for the body's eleven joints.

    Raises:
        UserError: the backend tracks neither a joint nor what it is the mean of.
    """
    wanted: dict[str, set[str]] = {}
    for skeleton in skeletons:
        tracked = set(tracker.keypoints.get(skeleton.part, []))
        for joint, sources in skeleton.joints.items():
            names = {joint} if joint in tracked else set(sources)
            if not names <= tracked:
                raise UserError(
                    f"skeleton {skeleton.name}: {tracker.name} tracks no {joint}; track with the backend the model learned from"
                )
            wanted.setdefault(skeleton.part, set()).update(names)
    return {part: [name for name in tracker.keypoints[part] if name in names] for part, names in sorted(wanted.items())}


def _only(landmarks: Landmarks, rows: list[int]) -> Landmarks:
    """Some of the keypoints, as float32."""
    metres = None if landmarks.position_3d is None else landmarks.position_3d[rows].astype(np.float32)
    return Landmarks(landmarks.position[rows].astype(np.float32), landmarks.confidence[rows].astype(np.float32), metres)


def _stack(found: Iterable[Landmarks | None], what: str, shape: tuple[int, ...]) -> np.ndarray:
    """(time, *shape) float32, NaN where a frame, or a backend, has no such array."""
    empty = np.full(shape, np.nan, np.float32)
    arrays = [None if landmarks is None else getattr(landmarks, what) for landmarks in found]
    return np.stack([empty if array is None else array.astype(np.float32) for array in arrays])


def share_found(tracks: xr.Dataset) -> float:
    """Share of the video's frames (holes in the video left out) in which any keypoint was found, 0 to 1."""
    seen = tracks["source_index"].values >= 0
    return float((tracks["confidence"].values.max(axis=1) > 0)[seen].mean()) if seen.any() else 0.0


@cache
def detector() -> FaceDetector:
    """The face detector of this process, built once and used for every clip that it works on."""
    return FaceDetector()


def backend(options: ExtractOptions) -> PoseBackend:
    return _backend_of(options.pose, options.keypoint_rcnn)


@cache
def _backend_of(pose: str, keypoint_rcnn: KeypointRCNNOptions) -> PoseBackend:
    """The pose backend of this process, likewise."""
    return pose_backend(pose, keypoint_rcnn)
