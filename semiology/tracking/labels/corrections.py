"""Corrections of tracks from labelled frames: the points that an annotator moved, and no others."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.corrections import (
    Correction,
    corrections_file,
    effective,
    mean_keypoint,
    read_corrections,
    with_corrections,
    write_corrections,
)
from semiology.data.skeleton import Skeleton
from semiology.data.store import Store
from semiology.data.tracks import read_tracks, save_tracks
from semiology.errors import UserError
from semiology.tracking.labels.labels import UNLABELLED, Labels, frame_indices

# px; labelling programs write two decimals or more, and nobody moves a point by less [our choice]
ROUNDING = 0.05


def import_corrections(
    labels: Labels,
    tracks: xr.Dataset,
    known: Sequence[Correction] = (),
    *,
    who: str,
    origin: str,
    when: datetime | None = None,
    skeleton: Skeleton | None = None,
    removed: bool = False,
    video: str = "",
) -> list[Correction]:
    """The new corrections in the labels of one video, to be added to those that are `known`.

    A point is a correction where it differs, by more than 0.05 px, from this annotator's latest
    correction of it, or, without one, from the prediction. So importing the same labels twice adds
    nothing, moving a point back adds a correction to the old position, and the corrections of two
    annotators are both stored.

    Args:
        labels: of this video, with frame numbers; their joints are tracked keypoints, or joints of
            `skeleton` that are means of them.
        tracks: as predicted, without corrections.
        known: corrections so far.
        who: name or initials of the annotator.
        origin: file or folder that the labels come from.
        when: by default now.
        skeleton: defines joints that are means of tracked keypoints.
        removed: a point that was predicted inside the image and is not labelled was deleted by the
            annotator: it is not there. By default such a point counts as not examined.
        video: see `Correction`.

    Raises:
        UserError: labels of several videos, without frame numbers or of frames that the tracks do
            not show, of images of another size, for a joint that no keypoint gives; no annotator.
    """
    if not who.strip():
        raise UserError("corrections: who made them? give a name or initials")
    if len(set(labels.videos)) != 1:
        raise UserError(
            f"corrections: labels of {len(set(labels.videos))} videos; give those of one"
        )
    stamp = (when or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    latest = {
        (row.source_index, row.keypoint): row
        for row in effective(known)
        if row.who == who and not row.kind
    }
    rows = _rows(labels, tracks)
    new = []
    for column, keypoint in enumerate(labels.keypoints):
        mean_of, predicted = _predicted(tracks, keypoint, skeleton)
        for row, frame, position, seen in zip(
            rows, labels.frames, labels.position[:, column], labels.visibility[:, column]
        ):
            assert frame.index is not None
            before = predicted[row]
            inside = bool(
                ((before >= 0) & (before <= [frame.width or np.inf, frame.height or np.inf])).all()
            )
            if (last := latest.get((frame.index, keypoint))) is not None:
                before, inside = np.array([last.x, last.y]), True
            if seen == UNLABELLED and not (removed and inside and np.isfinite(before).all()):
                continue
            if (
                seen != UNLABELLED
                and np.isfinite(before).all()
                and np.linalg.norm(position - before) <= ROUNDING
            ):
                continue
            x, y = (
                (float("nan"),) * 2
                if seen == UNLABELLED
                else (float(number) for number in position)
            )
            new.append(
                Correction(
                    frame.index, keypoint, mean_of, x, y, int(seen), who, stamp, origin, video
                )
            )
    return new


def _rows(labels: Labels, tracks: xr.Dataset) -> list[int]:
    """The first row of the tracks that shows each labelled frame (`frame_indices`)."""
    size = (tracks.attrs["width"], tracks.attrs["height"])
    first = {
        index: row
        for row, index in reversed(list(enumerate(tracks["source_index"].values.tolist())))
        if index >= 0
    }
    numbers = frame_indices(labels)
    for frame, number in zip(labels.frames, numbers, strict=True):
        if number not in first:
            raise UserError(
                f"{frame.frame_id}: its frame number is {number}, which the tracks of"
                f" {frame.video} do not show; is it theirs?"
            )
        if frame.width and all(size) and (frame.width, frame.height) != size:
            raise UserError(
                f"{frame.frame_id}: labelled at {frame.width}x{frame.height} px, but the tracks are"
                f" of {size[0]}x{size[1]} px"
            )
    return [first[number] for number in numbers]


def _predicted(
    tracks: xr.Dataset, keypoint: str, skeleton: Skeleton | None
) -> tuple[tuple[str, ...], np.ndarray]:
    """The keypoints whose mean a keypoint is (none if it is tracked itself), and its position
    (time, 2) px.
    """
    if keypoint in tracks.keypoint.values:
        return (), tracks["position"].sel(keypoint=keypoint).transpose("time", "space").values
    sources = tuple(skeleton.joints.get(keypoint, ())) if skeleton is not None else ()
    mean = mean_keypoint(tracks, keypoint, sources)
    return sources, mean["position"].sel(keypoint=keypoint).transpose("time", "space").values


def correct_store(
    labels: Labels,
    store: Store,
    skeleton: Skeleton,
    *,
    who: str,
    origin: str,
    removed: bool = False,
) -> dict[str, int]:
    """Add corrections to the clips of a store, whose clip_ids are the labels' videos.

    From then on `Store.tracks`, and so everything that reads the store, has the corrected tracks.

    Returns:
        clip_id -> number of new corrections.

    Raises:
        UserError: see `import_corrections`; a clip that is not in the store, or that has tracks of
            its own.
    """
    plan = {}
    for clip_id in dict.fromkeys(labels.videos.tolist()):
        tracks = store.predicted(clip_id, skeleton.part)
        if store.record(clip_id)["stages"][skeleton.part]["depends"].get("imported"):
            raise UserError(
                f"clip {clip_id}: has tracks of its own; correct them where they are, by"
                " --tracks FILE"
            )
        path = store.corrections_file(clip_id, skeleton.part)
        known = read_corrections(path)
        part, video = labels.take(labels.videos == clip_id), store.video_digits(clip_id)
        new = import_corrections(
            part,
            tracks,
            known,
            who=who,
            origin=origin,
            skeleton=skeleton,
            removed=removed,
            video=video,
        )
        plan[clip_id] = (path, known, new)
    for path, known, new in plan.values():  # nothing is written before all labels have been checked
        if new:
            write_corrections([*known, *new], path)
    return {clip_id: len(new) for clip_id, (_, _, new) in plan.items()}


def correct_file(
    labels: Labels,
    path: str | Path,
    skeleton: Skeleton,
    *,
    who: str,
    origin: str,
    removed: bool = False,
    out: Path | None = None,
) -> int:
    """Add corrections to the table beside a file of tracks, and write corrected tracks to `out`, if
    given. Returns the number of new corrections.

    Raises:
        UserError: see `import_corrections`; `out` is the file of tracks itself, which stays as it
            is.
    """
    if out is not None and Path(out).resolve() == Path(path).resolve():
        raise UserError(
            f"{out}: these are the predicted tracks, which stay as they are; name another file"
        )
    tracks, table = read_tracks(path), corrections_file(path)
    known = read_corrections(table)
    new = import_corrections(
        labels, tracks, known, who=who, origin=origin, skeleton=skeleton, removed=removed
    )
    if new:
        write_corrections([*known, *new], table)
    if out is not None:
        save_tracks(with_corrections(tracks, [*known, *new]), out)
    return len(new)
