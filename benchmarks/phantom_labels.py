"""Labelled frames of phantom people, for the benchmarks of the detectors: pictures chosen by
k-means, labels from the truth.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.cohort import Cohort
from semiology.data.skeleton import load_skeleton
from semiology.data.tracks import read_tracks
from semiology.phantom import make_phantom
from semiology.tracking.labels.labels import Labels, concatenate_labels
from semiology.tracking.labels.selection import diverse_frames, label_frames, read_thumbnails


def phantom_labels(
    folder: Path,
    *,
    subjects: int,
    frames: int,
    seconds: tuple[float, float],
    difficulty: float,
    seed: int,
) -> Labels:
    """`frames` labelled frames of each of `subjects` clips, one clip a person: the 11 joints from
    the truth, the face's box from its 23.
    """
    cohort = Cohort.read(
        make_phantom(
            folder / "cohort",
            subjects=subjects,
            clips_per_subject=1,
            seconds=seconds,
            seed=seed,
            difficulty=difficulty,
        )
    )
    joints = load_skeleton("upper_body_11").names
    parts = []
    for clip in cohort.clips:
        video = cohort.folder / str(clip.video)
        truth = read_tracks(cohort.folder / "truth" / f"{clip.clip_id}.nc")
        face = read_tracks(cohort.folder / "truth" / f"{clip.clip_id}_face.nc")
        rows, thumbnails = read_thumbnails(video, start=clip.start, end=clip.end)
        labels = label_frames(
            video,
            rows[diverse_frames(thumbnails, frames, seed)],
            folder / "pictures",
            name=clip.clip_id,
            participant_id=clip.participant_id,
            keypoints=joints,
            tracks=truth,
            start=clip.start,
            end=clip.end,
        )
        with_faces = [
            replace(frame, regions=face_region(face, frame.index or 0)) for frame in labels.frames
        ]
        parts.append(Labels(labels.keypoints, with_faces, labels.position, labels.visibility))
    return concatenate_labels(parts)


def face_region(face: xr.Dataset, index: int) -> dict[str, tuple[float, float, float, float]]:
    """The box around a frame's face landmarks, grown by a fifth as a face detector draws it; none
    where the face is turned away.
    """
    row = int(np.flatnonzero(face["source_index"].values == index)[0])
    points = (
        face["position"]
        .isel(time=row)
        .transpose("keypoint", "space")
        .values[face["confidence"].isel(time=row).values > 0]
    )
    if len(points) < 12 or not np.isfinite(points).all():
        return {}
    low, high = points.min(0), points.max(0)
    reach = 0.2 * (high - low).max()
    return {"face": (*(low - reach).tolist(), *(high + reach).tolist())}


def cm_per_px(folder: Path) -> float:
    """Median over people of their torso's length in cm (in space) over that in px (in the picture):
    the clips differ in resolution.
    """
    scales = []
    for path in sorted((folder / "cohort" / "truth").glob("*.nc")):
        if not path.stem.endswith("_face"):
            ends = read_tracks(path).sel(keypoint=["neck", "spine_base"])
            px, metres = (
                np.linalg.norm(ends[name].diff("keypoint").values, axis=1)
                for name in ("position", "position_3d")
            )
            scales.append(100 * float(np.nanmedian(metres)) / float(np.nanmedian(px)))
    return float(np.median(scales))
