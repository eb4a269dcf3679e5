"""Export frames of a cohort's clips, or of single videos, to a labelling program: choose frames,
save their images, fill in the tracked joints, write the program's files.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from semiology.data.cohort import Cohort, clip_source, video_source
from semiology.data.corrections import CARRIED, effective, holding, read_corrections
from semiology.data.preprocessing import select
from semiology.data.skeleton import Skeleton
from semiology.data.store import Store
from semiology.errors import UserError
from semiology.tracking.labels.io import image_folder, write_labels
from semiology.tracking.labels.labels import Labels, concatenate_labels
from semiology.tracking.labels.selection import Method, choose_rows, label_frames
from semiology.video import Reading, Recording
from semiology.video.decode import AS_STATED


@dataclass(frozen=True)
class Footage:
    """A clip from which frames are chosen.

    Attributes:
        name: its clip_id, or the stem of a single video; the name in folders and labels.
        participant_id: of the patient.
        video: the file, or a recording's parts; None where the clip has none.
        start, end: of the clip in it, s.
        store: with its tracks; None where there are no tracks to start the labels from.
        reading: how the video is read where there are no tracks, which record theirs.
    """

    name: str
    participant_id: str
    video: Path | Recording | None
    start: float = 0.0
    end: float | None = None
    store: Store | None = None
    reading: Reading = AS_STATED

    def tracks(self, skeleton: Skeleton) -> xr.Dataset | None:
        """The skeleton's joints as tracked and corrected so far; None without a store."""
        return (
            None
            if self.store is None
            else select(self.store.tracks(self.name, skeleton.part), skeleton)
        )

    def corrected_rows(self, skeleton: Skeleton) -> np.ndarray:
        """Rows of the tracks that show a frame in which a person placed a keypoint, rising.

        Raises:
            UserError: there is no store, or no tracks in it.
        """
        if self.store is None:
            raise UserError("has no tracks that could have been corrected; give --store DIR")
        rows = read_corrections(self.store.corrections_file(self.name, skeleton.part))
        placed = {
            frame
            for (frame, _), row in holding(effective(rows)).items()
            if not row.origin.startswith(CARRIED)
        }
        if not placed:
            return np.zeros(0, int)
        index = self.store.predicted(self.name, skeleton.part)["source_index"].values
        return np.flatnonzero(np.isin(index, list(placed)))


@dataclass
class ExportResult:
    """An export: the file to open, frames per clip, and (clip, reason) of those that failed."""

    path: Path
    frames: dict[str, int] = field(default_factory=dict)
    failed: list[tuple[str, str]] = field(default_factory=list)


def cohort_footage(cohort: str | Path, store: str | Path | None = None) -> Iterator[Footage]:
    """The clips of a cohort, with their tracks where a store is given."""
    read = Cohort.read(cohort, check_videos=False)
    for clip in read.clips:
        yield Footage(
            clip.clip_id,
            clip.participant_id,
            clip_source(read.folder, clip),
            clip.start,
            clip.end,
            Store(store) if store else None,
            Reading(clip.pixel_aspect),
        )


def video_footage(videos: Iterable[Path], store: str | Path | None = None) -> Iterator[Footage]:
    """Single videos, with the tracks that `semiology extract VIDEO... --out DIR` put into DIR."""
    for video in map(video_source, videos):
        yield Footage(
            video.stem, video.stem, video, store=Store(store, plain=True) if store else None
        )


def select_frames(
    footage: Iterable[Footage],
    out: str | Path,
    skeleton: Skeleton,
    *,
    program: str = "deeplabcut",
    method: Method | Literal["corrected"] = "kmeans",
    frames: int | None = None,
    share: float | None = None,
    fps: float = 25.0,
    seed: int = 0,
) -> ExportResult:
    """Choose frames of each clip and write them for a labelling program, with the joints as tracked
    so far.

    A clip that cannot be read is listed and the others go on.

    Args:
        footage: the clips.
        out: a folder without labels.
        skeleton: its joints are labelled.
        program: "deeplabcut", "coco", "label-studio" or "cvat".
        method, frames, share, seed: see `choose_rows`; numbers are per clip. "corrected": all
            frames in which a person placed a keypoint.
        fps: of the rows where there are no tracks, Hz.

    Raises:
        UserError: labels that are there already, another program, no clip of which a frame could be
            taken.
    """
    images = image_folder(Path(out), program)
    parts: list[Labels] = []
    result = ExportResult(Path(out))
    for clip in footage:
        try:
            if method == "corrected":
                rows = clip.corrected_rows(skeleton)
                if not len(rows):
                    result.frames[clip.name] = 0
                    continue
            if clip.video is None:
                raise UserError("has tracks only, no video to take images from")
            tracks = clip.tracks(skeleton)
            if method != "corrected":
                rows = choose_rows(
                    clip.video,
                    frames,
                    method,
                    share=share,
                    tracks=tracks,
                    fps=fps,
                    start=clip.start,
                    end=clip.end,
                    seed=seed,
                )
            part = label_frames(
                clip.video,
                rows,
                images,
                name=clip.name,
                participant_id=clip.participant_id,
                keypoints=skeleton.names,
                tracks=tracks,
                fps=fps,
                start=clip.start,
                end=clip.end,
                reading=clip.reading,
            )
        except UserError as error:
            result.failed.append((clip.name, getattr(error, "fault", str(error))))
            continue
        result.frames[clip.name] = len(part)
        parts.append(part)
    if not sum(result.frames.values()):
        reasons = (
            "; ".join(f"{name}: {what}" for name, what in result.failed[:3])
            or f"{method} found none that stands out"
        )
        raise UserError(f"{out}: no frame was chosen: {reasons}")
    result.path = write_labels(concatenate_labels(parts), out, program, skeleton.edges)
    return result
