"""Any tracker's output against any labels: joined by video, number of the frame in it, and name of the keypoint."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.preprocessing import select
from semiology.data.skeleton import Skeleton
from semiology.errors import UserError
from semiology.tracking.finetune.error import CUTOFF, ErrorTable, distance, error_table
from semiology.tracking.labels.labels import UNLABELLED, VISIBLE, LabelledFrame, Labels


def tracking_error(
    tracks: Mapping[str, xr.Dataset],
    labels: Labels,
    *,
    keypoints: Sequence[str] | None = None,
    skeleton: Skeleton | None = None,
    cutoff: float = CUTOFF,
    cm_per_px: float | None = None,
    seed: int = 0,
) -> ErrorTable:
    """Error of tracks against labels, in all keypoints and in each; see `tracking/error.py` for what is counted.

    A labelled frame that the tracker saw and in which it found nothing counts as not predicted. One that the tracks do not cover (they
    begin later, end earlier, or are at a lower frame rate) is left out, and the table says how many are.

    Args:
        tracks: video, as the labels name it -> its tracks in px. Labels of other videos are not looked at.
        labels: positions in px of the same picture.
        keypoints: those that are compared; by default all that are labelled.
        skeleton: whose joints are made from the tracks first (a neck from two shoulders); by default tracked points go by their own names.
        cutoff: points with a confidence above it are kept, 0 to 1 [P: 0.8].
        cm_per_px: scale, if known.
        seed: of the resampling behind the intervals.

    Raises:
        UserError: a video without labels, labels without frame numbers, no labelled frame among the tracked, pictures of another size,
            a labelled keypoint that the tracks lack, tracks without positions in px.
    """
    if missing := [video for video in tracks if video not in labels.videos]:
        raise UserError(f"no frame of video {missing[0]!r} is labelled; labelled are {', '.join(dict.fromkeys(labels.videos.tolist()))}")
    labels = labels.take(np.isin(labels.videos, list(tracks)))
    marked = (labels.visibility > UNLABELLED).any(axis=0)
    labels = labels.select([name for name, some in zip(labels.keypoints, marked) if some] if keypoints is None else keypoints)
    compared, positions, confidences = [], [], []
    for video, made in tracks.items():
        own = labels.take(labels.videos == video)
        found = made if skeleton is None else select(made, skeleton)
        _check(found, own)
        rows = rows_of_frames(found, own)
        covered = np.flatnonzero(rows >= 0)
        points = found.sel(keypoint=own.keypoints).isel(time=rows[covered])
        positions.append(points["position"].transpose("time", "keypoint", "space").values)
        confidences.append(points["confidence"].transpose("time", "keypoint").values)
        compared.append(own.take(covered))
    participants = np.concatenate([part.participants for part in compared])
    left_out = len(labels) - len(participants)
    if not len(participants):
        raise UserError(f"none of the {left_out} labelled frames is among the tracked ones; are these the tracks of the labelled video?")
    labelled = np.concatenate([part.visibility for part in compared]) > UNLABELLED
    true = np.where(labelled[..., None], np.concatenate([part.position for part in compared]), np.nan)
    return error_table(
        distance(np.concatenate(positions), true),
        np.concatenate(confidences),
        labelled=labelled,
        keypoints=labels.keypoints,
        participants=participants,
        cutoff=cutoff,
        cm_per_px=cm_per_px,
        seed=seed,
        left_out=left_out,
    )


def rows_of_frames(tracks: xr.Dataset, labels: Labels) -> np.ndarray:
    """(frame,) row of the tracks in which each labelled frame is; -1 where the tracks do not cover it.

    Rows know their frame in the video by `source_index`. Where it is the row's own number, the tracks have the video's frame rate, and a
    row without a frame (-1) is one for which the tracker had nothing to say.

    Raises:
        UserError: a frame whose number in the video is not known.
    """
    if unknown := [frame.frame_id for frame in labels.frames if frame.index is None]:
        raise UserError(
            f"labels: the number in the video of frame {unknown[0]!r} is not known, nor that of {len(unknown) - 1} others; "
            "name pictures by frame (img0042.png) or give frame_index"
        )
    rows, source = np.arange(tracks.sizes["time"]), tracks["source_index"].values
    native = bool((source == rows)[source >= 0].all())
    row_of = {int(index): int(row) for row, index in zip(rows[::-1], (rows if native else source)[::-1])}  # of two rows the first
    return np.array([row_of.get(int(frame.index), -1) for frame in labels.frames], dtype=int)  # type: ignore[arg-type]


def _check(tracks: xr.Dataset, labels: Labels) -> None:
    if "position" not in tracks:
        raise UserError("the tracks have no positions in px (position_3d only); labels are in px")
    tracked = tracks.keypoint.values.tolist()
    if lacking := [name for name in labels.keypoints if name not in tracked]:
        raise UserError(
            f"keypoint {lacking[0]!r} is labelled, but the tracks have {', '.join(tracked)}; choose keypoints that both have, or rename"
        )
    size = tracks.attrs["width"], tracks.attrs["height"]
    for frame in labels.frames:
        if all(size) and all((frame.width, frame.height)) and size != (frame.width, frame.height):
            raise UserError(
                f"frame {frame.frame_id!r} was labelled at {frame.width}x{frame.height} px, but the tracks are of {size[0]}x{size[1]} px; "
                "both must be of one size"
            )


def as_labels(tracks: xr.Dataset, video: str, participant_id: str | None = None) -> Labels:
    """Tracks whose points count as labelled: a person's own (SLEAP's .slp), a phantom's truth, or another tracker to compare with.

    Points with confidence 0 are not labelled. Frames without a point, and rows without a frame, are no labelled frames.
    """
    position = tracks["position"].transpose("time", "keypoint", "space").values.astype(float)
    marked = np.isfinite(position).all(axis=2) & (tracks["confidence"].transpose("time", "keypoint").values > 0)
    source = tracks["source_index"].values
    rows = np.flatnonzero(marked.any(axis=1) & (source >= 0))
    rows = rows[np.unique(source[rows], return_index=True)[1]]  # of two rows with one frame the first
    width, height = tracks.attrs["width"], tracks.attrs["height"]
    frames = [
        LabelledFrame(f"{video}/{number}", Path(video) / str(number), video, participant_id or video, int(number), width, height)
        for number in source[rows]
    ]
    seen = marked[rows]
    return Labels(
        tracks.keypoint.values.tolist(),
        frames,
        np.where(seen[..., None], position[rows], np.nan),
        np.where(seen, VISIBLE, UNLABELLED),
    )
