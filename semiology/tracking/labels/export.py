"""Frames of a cohort's clips, or of loose videos, on their way to where people label: chosen, cut
out, filled in, written.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr

from semiology.data.cohort import Cohort
from semiology.data.preprocessing import select
from semiology.data.skeleton import Skeleton
from semiology.data.store import Store
from semiology.errors import UserError
from semiology.tracking.labels.io import image_folder, write_labels
from semiology.tracking.labels.labels import Labels, concatenate_labels
from semiology.tracking.labels.selection import Method, choose_rows, label_frames


@dataclass(frozen=True)
class Footage:
    """A clip to choose from.

    Attributes:
        name: its clip_id, or the stem of a loose video: what folders and labels call it.
        video: the file; None where the clip has none.
        start, end: of the clip in it, s.
        store: where its tracks are; None where it is to be labelled from nothing.
    """

    name: str
    participant_id: str
    video: Path | None
    start: float = 0.0
    end: float | None = None
    store: Store | None = None

    def tracks(self, skeleton: Skeleton) -> xr.Dataset | None:
        """The skeleton's joints as they are tracked and corrected so far."""
        return (
            None
            if self.store is None
            else select(self.store.tracks(self.name, skeleton.part), skeleton)
        )


@dataclass
class ExportResult:
    """What was written: the file to open, frames per clip, and (clip, what was wrong) of those that
    were left out.
    """

    path: Path
    frames: dict[str, int] = field(default_factory=dict)
    failed: list[tuple[str, str]] = field(default_factory=list)


def cohort_footage(cohort: str | Path, store: str | Path | None = None) -> Iterator[Footage]:
    """The clips of a cohort, with their tracks where a store is given."""
    read = Cohort.read(cohort, check_videos=False)
    for clip in read.clips:
        video = read.folder / clip.video if clip.video else None
        yield Footage(
            clip.clip_id,
            clip.participant_id,
            video,
            clip.start,
            clip.end,
            Store(store) if store else None,
        )


def video_footage(videos: Iterable[Path], store: str | Path | None = None) -> Iterator[Footage]:
    """Loose videos, with the tracks that `semiology extract VIDEO... --out DIR` put into DIR."""
    for video in videos:
        yield Footage(
            video.stem, video.stem, video, store=Store(store, plain=True) if store else None
        )


def select_frames(
    footage: Iterable[Footage],
    out: str | Path,
    skeleton: Skeleton,
    *,
    program: str = "deeplabcut",
    method: Method = "kmeans",
    frames: int | None = None,
    share: float | None = None,
    fps: float = 25.0,
    seed: int = 0,
) -> ExportResult:
    """Choose frames of each clip and write them for a labelling program, with the joints as they
    are tracked so far.

    A clip that cannot be read is listed and the others go on.

    Args:
        out: a folder without labels.
        program: "deeplabcut", "coco", "label-studio" or "cvat".
        method, frames, share, seed: see `choose_rows`; numbers are per clip.
        fps: where there are no tracks, Hz.

    Raises:
        UserError: labels that are there already, another program, no clip of which a frame could be
            taken.
    """
    pictures = image_folder(Path(out), program)
    parts: list[Labels] = []
    sent = ExportResult(Path(out))
    for one in footage:
        try:
            if one.video is None:
                raise UserError("has tracks only, no video to take pictures from")
            tracks = one.tracks(skeleton)
            rows = choose_rows(
                one.video,
                frames,
                method,
                share=share,
                tracks=tracks,
                fps=fps,
                start=one.start,
                end=one.end,
                seed=seed,
            )
            part = label_frames(
                one.video,
                rows,
                pictures,
                name=one.name,
                participant_id=one.participant_id,
                keypoints=skeleton.names,
                tracks=tracks,
                fps=fps,
                start=one.start,
                end=one.end,
            )
        except UserError as error:
            sent.failed.append((one.name, getattr(error, "fault", str(error))))
            continue
        sent.frames[one.name] = len(part)
        parts.append(part)
    if not sum(sent.frames.values()):
        reasons = (
            "; ".join(f"{name}: {what}" for name, what in sent.failed[:3])
            or f"{method} found none that stands out"
        )
        raise UserError(f"{out}: no frame was chosen: {reasons}")
    sent.path = write_labels(concatenate_labels(parts), out, program, skeleton.edges)
    return sent
