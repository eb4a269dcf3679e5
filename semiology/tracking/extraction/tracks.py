"""One clip's tracks: a first pass through its video chooses the patient, a second tracks the
patient in every frame.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from semiology.data.limbs import check_limbs, checked_parts, rejected_counts
from semiology.data.pixels import video_attributes
from semiology.data.result import allowed_modules
from semiology.data.skeleton import Skeleton
from semiology.data.tracks import make_tracks
from semiology.errors import UserError
from semiology.tracking.blazepose.hands import WithHands
from semiology.tracking.extraction.options import ExtractOptions
from semiology.tracking.extraction.progress import ClipProgress
from semiology.tracking.patient import Patient, PatientLocation, follow_patient
from semiology.tracking.people import PeopleDetector
from semiology.tracking.pose import pose_backend
from semiology.tracking.pose.base import (
    BlazePoseOptions,
    KeypointRCNNOptions,
    Landmarks,
    ONNXOptions,
    PoseBackend,
)
from semiology.video import Frame, Recording, probe, read_frames, scan_fields
from semiology.video.colour import infrared_fraction
from semiology.video.prefetch import prefetch
from semiology.video.recording import first_file

AHEAD = 8  # frames decoded ahead of the pose backend
BLOCK = 500  # frames of tracks in memory at a time: 20 s, 6 MB. [our choice]
CONCAT: Any = {
    "data_vars": "minimal",
    "coords": "minimal",
    "compat": "override",
    "combine_attrs": "override",
    "join": "exact",
}


def extract_tracks(
    path: str | Path | Recording,
    start: float = 0.0,
    end: float | None = None,
    options: ExtractOptions | None = None,
    keep: Mapping[str, Sequence[str]] | None = None,
    clip_progress: ClipProgress | None = None,
) -> dict[str, xr.Dataset]:
    """Tracks of the patient in a video: "body", "face", and "hands" where requested. Rows where the
    part was not found are NaN.

    Args:
        path: of the video; or a recording of many files.
        start, end: of the clip, s from the video's first frame; end None is the video's end.
        options: of the extraction.
        keep: part -> names of the keypoints to keep; by default all 511, which take a gigabyte an
            hour.
        clip_progress: see `track_blocks`.

    Raises:
        VideoError: the video cannot be read.
        UserError: joints are to be lifted, and the backend does not track those that the lifter
            reads.
    """
    options = options or ExtractOptions()
    body = backend(options).keypoints.get("body")
    whole = keep  # the check reads the whole body, whatever is kept of it
    if keep is not None and "body" in keep and options.limbs and body:
        whole = {**keep, "body": body}
    blocks = checked_blocks(track_blocks(path, start, end, options, whole, clip_progress), options)
    parts: dict[str, list[xr.Dataset]] = {}
    for block in blocks:
        for part, tracks in block.items():
            kept = list(keep[part]) if keep is not None else None
            parts.setdefault(part, []).append(tracks if kept is None else tracks.sel(keypoint=kept))
    return {part: xr.concat(each, "time", **CONCAT) for part, each in parts.items()}


def checked_blocks(
    blocks: Iterable[dict[str, xr.Dataset]], options: ExtractOptions
) -> Iterator[dict[str, xr.Dataset]]:
    """Blocks of `track_blocks`, with the body checked limb by limb and lifted where the options
    request it. Both need the whole clip: the body's blocks come last, and memory holds the body of
    a clip (at 25 Hz 72 MB an hour).
    """
    whole = options.limbs or needs_lift(options)
    bodies: list[xr.Dataset] = []
    for block in blocks:
        if whole and "body" in block:
            bodies.append(block["body"])
            block = {part: tracks for part, tracks in block.items() if part != "body"}
        if block:
            yield block
    if not bodies:
        return
    body = _joined(bodies)
    if needs_lift(options):
        made = {"body": check_limbs(body) if options.limbs else body}
        body = lift_body(made, options)["body"]
    elif options.limbs:
        yield from ({"body": part} for part in checked_parts(body, BLOCK))
        return
    for first in range(0, body.sizes["time"], BLOCK):
        yield {"body": body.isel(time=slice(first, first + BLOCK))}


def _joined(blocks: list[xr.Dataset]) -> xr.Dataset:
    """Blocks of successive frames as one; each variable leaves the blocks when it is joined, so
    that memory holds the clip once.
    """
    first, joined = blocks[0], {}
    for name, variable in first.variables.items():
        if "time" in variable.dims:
            joined[name] = xr.Variable.concat([block.variables[name] for block in blocks], "time")
            blocks[:] = [block.drop_vars([name]) for block in blocks]
        else:
            joined[name] = variable
    return xr.Dataset(joined, attrs=first.attrs).set_coords(first.coords)


def track_blocks(
    path: str | Path | Recording,
    start: float,
    end: float | None,
    options: ExtractOptions,
    keep: Mapping[str, Sequence[str]] | None = None,
    clip_progress: ClipProgress | None = None,
) -> Iterator[dict[str, xr.Dataset]]:
    """The raw tracks of `extract_tracks`, neither checked nor lifted, in blocks of 500 frames:
    memory holds one block, however long the clip.

    Args:
        path, start, end, options, keep: see `extract_tracks`.
        clip_progress: counts the frames read for "faces" and for "tracks".
    """
    clip_progress = clip_progress or ClipProgress()
    tracker = backend(options)
    interval, reading = options.face_every / options.fps, options.reading
    shown = first_file(path, start)
    rate, recorded = track_rate(shown, options), video_attributes(shown, reading)
    patient = follow_patient(
        clip_progress.watch(read_frames(path, start, end, 1 / interval, reading=reading), "faces"),
        people_detector(),
        interval,
        options.click,
    )
    if patient.choice is not None:
        recorded = {
            **recorded,
            **{f"patient_{name}": value for name, value in asdict(patient.choice).items()},
        }
    frames: deque[Frame] = deque()  # passed to the tracker, result pending

    def seen() -> Iterator[tuple[np.ndarray | None, PatientLocation]]:
        for frame in prefetch(
            clip_progress.watch(read_frames(path, start, end, rate, reading=reading), "tracks"),
            AHEAD,
        ):
            frames.append(replace(frame, image=None))
            yield frame.image, patient.at(frame.time)

    keypoints = (
        tracker.keypoints if keep is None else {part: list(names) for part, names in keep.items()}
    )
    rows = {
        part: [tracker.keypoints[part].index(name) for name in names]
        for part, names in keypoints.items()
    }
    block: list[tuple[Frame, dict[str, Landmarks]]] = []
    for parts in tracker.track(seen()):
        block.append(
            (
                frames.popleft(),
                {
                    part: _only(parts[part], chosen)
                    for part, chosen in rows.items()
                    if part in parts
                },
            )
        )
        if len(block) == BLOCK:
            yield _datasets(block, keypoints, tracker, patient, rate, recorded)
            block = []
    if block:
        yield _datasets(block, keypoints, tracker, patient, rate, recorded)


def track_rate(path: str | Path, options: ExtractOptions) -> float:
    """Frames per second of a video's tracks, Hz: as the options state; where every field of it is a
    frame, those of its fields.
    """
    if options.fields == "both" and scan_fields(path).interlaced:
        return 2 * (probe(path, options.reading).fps or options.fps)
    return options.fps


def _datasets(
    block: Sequence[tuple[Frame, Mapping[str, Landmarks]]],
    keypoints: Mapping[str, list[str]],
    tracker: PoseBackend,
    patient: Patient,
    fps: float,
    recorded: Mapping[str, str | int | float],
) -> dict[str, xr.Dataset]:
    """Part -> tracks of successive frames, with their times in the clip (s)."""
    made = {}
    for part, names in keypoints.items():
        landmarks = [found.get(part) for _, found in block]
        tracks = make_tracks(
            _stack(landmarks, "position", (len(names), 2)),
            names,
            fps,
            confidence=_stack(landmarks, "confidence", (len(names),)),
            position_3d=(
                _stack(landmarks, "position_3d", (len(names), 3))
                if part in tracker.in_metres
                else None
            ),
            source_time=np.array([frame.source_time for frame, _ in block]),
            source_index=np.array([frame.source_index for frame, _ in block]),
            chroma=np.array([frame.chroma for frame, _ in block]),
            width=patient.width,
            height=patient.height,
            backend=tracker.name,
        )
        time = np.array([frame.index for frame, _ in block]) / fps
        mesh = getattr(tracker, "face_mesh", None) if part == "face" else None
        made[part] = tracks.assign_coords(time=time).assign_attrs(
            recorded if mesh is None else {**recorded, "face_mesh": mesh}
        )
    return made


def lift_body(made: dict[str, xr.Dataset], options: ExtractOptions) -> dict[str, xr.Dataset]:
    """The same tracks, with the body lifted to 3D where the options request it."""
    if needs_lift(options):
        from semiology.tracking.lift import lift

        made["body"] = lift(made["body"])
    return made


def needs_lift(options: ExtractOptions) -> bool:
    """Whether the body has to be lifted: requested, and the backend gives no depth."""
    return options.lift and "body" not in backend(options).in_metres


def required_keypoints(skeletons: Iterable[Skeleton], tracker: PoseBackend) -> dict[str, list[str]]:
    """Part -> the backend's keypoints that the joints of these skeletons are computed from, in the
    backend's order: 10 of 33 for the body's eleven joints.

    Raises:
        UserError: the backend tracks neither a joint nor the keypoints whose mean it is.
    """
    wanted: dict[str, set[str]] = {}
    for skeleton in skeletons:
        tracked = set(tracker.keypoints.get(skeleton.part, []))
        for joint, sources in skeleton.joints.items():
            names = {joint} if joint in tracked else set(sources)
            if not names <= tracked:
                raise UserError(
                    f"skeleton {skeleton.name}: {tracker.name} tracks no {joint}; track with the"
                    " backend the model learned from"
                )
            wanted.setdefault(skeleton.part, set()).update(names)
    return {
        part: [name for name in tracker.keypoints[part] if name in names]
        for part, names in sorted(wanted.items())
    }


def _only(landmarks: Landmarks, rows: list[int]) -> Landmarks:
    """The landmarks of the keypoints in these rows, as float32."""
    metres = (
        None if landmarks.position_3d is None else landmarks.position_3d[rows].astype(np.float32)
    )
    return Landmarks(
        landmarks.position[rows].astype(np.float32),
        landmarks.confidence[rows].astype(np.float32),
        metres,
    )


def _stack(found: Iterable[Landmarks | None], what: str, shape: tuple[int, ...]) -> np.ndarray:
    """(time, *shape) float32, NaN where a frame, or a backend, has no such array."""
    empty = np.full(shape, np.nan, np.float32)
    arrays = [None if landmarks is None else getattr(landmarks, what) for landmarks in found]
    return np.stack([empty if array is None else array.astype(np.float32) for array in arrays])


def found_fraction(tracks: xr.Dataset) -> float:
    """Fraction of the video's frames (missing ones left out) in which any keypoint was found, 0 to
    1.
    """
    fraction = FoundFraction()
    fraction.add(tracks)
    return fraction.found


@dataclass
class FoundFraction:
    """`found_fraction` of tracks that come in blocks: counts of the frames that the video has, and
    of those in which any keypoint was found; how many were filmed in night infrared; and how many
    the video lacks: holes, damaged frames, and what was predicted from these.
    """

    frames: int = 0
    missing: int = 0
    with_any: int = 0
    fps: float = 1.0
    points: int = 0  # that the tracker gave
    rejected: Counter[str] = field(default_factory=Counter)  # of them, by reason
    chroma: list[np.ndarray] = field(default_factory=list)  # of each block

    def add(self, tracks: xr.Dataset) -> None:
        """Count the frames of one more block."""
        seen = tracks["source_index"].values >= 0
        self.frames += int(seen.sum())
        self.missing += int((~seen).sum())
        self.with_any += int((tracks["confidence"].values != 0).any(axis=1)[seen].sum())
        given, rejected = rejected_counts(tracks)
        self.points += given
        self.rejected += rejected
        if "chroma" in tracks.coords:
            self.fps = float(tracks.attrs["fps"])
            self.chroma.append(tracks["chroma"].values)

    @property
    def found(self) -> float:
        """The fraction so far, 0 to 1; 0 without frames."""
        return self.with_any / self.frames if self.frames else 0.0

    @property
    def infrared(self) -> float | None:
        """The fraction of the frames so far that are infrared, 0 to 1; None where the tracks do not
        tell.
        """
        chroma = np.concatenate(self.chroma) if self.chroma else np.zeros(0)
        fraction = infrared_fraction(chroma, self.fps)
        return None if np.isnan(fraction) else fraction

    def shares(self) -> dict[str, Any]:
        """The fractions, as the record of a clip states them; of missing frames and of rejected
        points where there are any.
        """
        shares: dict[str, Any] = {"found": self.found, "infrared": self.infrared}
        if self.rejected:
            shares["rejected"] = {
                reason: round(count / self.points, 5) for reason, count in self.rejected.items()
            }
        if self.missing:
            shares["missing"] = self.missing / (self.missing + self.frames)
        return shares


@cache
def people_detector() -> PeopleDetector:
    """The detector of people of this process, built once and used for all of its clips."""
    return PeopleDetector()


def backend(options: ExtractOptions) -> PoseBackend:
    """The pose backend of the options, built once per process."""
    allowed = allowed_modules() if ":" in options.pose else ()
    return _backend_of(
        options.pose, options.keypoint_rcnn, options.blazepose, options.onnx, options.hands, allowed
    )


@cache
def _backend_of(
    pose: str,
    keypoint_rcnn: KeypointRCNNOptions,
    blazepose: BlazePoseOptions,
    onnx: ONNXOptions,
    hands: bool,
    allowed: tuple[str, ...],
) -> PoseBackend:
    """The pose backend of this process, built once and used for all of its clips; `allowed` are the
    modules whose classes may be built, so that none is taken over into a call without them.
    """
    tracker = pose_backend(pose, keypoint_rcnn, blazepose, onnx)
    return WithHands(tracker) if hands and "hands" not in tracker.keypoints else tracker
