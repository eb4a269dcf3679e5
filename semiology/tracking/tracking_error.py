"""Tracking error: the distance of predicted keypoints from labelled ones, and from a phantom's
truth.

The definition is the cerebral palsy study's MAE [P]: the mean Euclidean distance over points and
frames, with and without a p-cutoff of 0.8. We add the median, and the fractions of points that were
predicted and that lie above the cutoff: without them an error "with p-cutoff" cannot be
interpreted.

`error_table` summarises distances; `tracking_error` compares any tracker's output with any labels,
joined by video, frame number and keypoint name; `tracking_truth` compares extracted tracks with the
truth of a phantom cohort.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from semiology.data.cohort import Cohort
from semiology.data.preprocessing import select
from semiology.data.skeleton import Skeleton, load_skeleton
from semiology.data.store import Store
from semiology.data.tracks import read_tracks
from semiology.errors import UserError
from semiology.evaluation.statistics.intervals import (
    LEVEL,
    draw_participants,
    interval,
    resampled_median,
)
from semiology.tracking.labels.labels import (
    UNLABELLED,
    VISIBLE,
    LabelledFrame,
    Labels,
    frame_indices,
)

CUTOFF = 0.8  # [P]
RESAMPLES = 2000  # bootstrap samples of participants [our choice]
PARTS = {
    "body": ("upper_body_11", "torso lengths"),
    "face": ("face_23", "distances between the eyes"),
}


def distance(predicted: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Euclidean distance, px: (..., 2) and (..., 2) to (...). NaN where either is missing."""
    return np.linalg.norm(np.asarray(predicted, float) - np.asarray(labelled, float), axis=-1)


@dataclass(frozen=True)
class Estimate:
    """A value with its interval over participants; NaN where there is none."""

    value: float
    low: float = np.nan
    high: float = np.nan

    def text(self, form: str, factor: float = 1) -> str:
        """The value as `4.5 [3.2, 5.9]`, as `4.5` without an interval, or as `-` where it is NaN.

        Args:
            form: format of the numbers, such as ".2f".
            factor: by which they are multiplied, for another unit.
        """
        if np.isnan(self.value):
            return "-"
        value, low, high = (
            format(factor * number, form) for number in (self.value, self.low, self.high)
        )
        return value if np.isnan(self.low) else f"{value} [{low}, {high}]"

    def to_dict(self, factor: float = 1) -> dict[str, float | None]:
        """Value and interval for JSON, times a factor; None where there is none."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {
            name: None if np.isnan(number) else round(float(factor * number), 4)
            for name, number in numbers.items()
        }


@dataclass(frozen=True)
class ErrorRow:
    """The error of one keypoint, or of all of them. A point is one keypoint in one frame.

    Attributes:
        labelled: number of labelled points.
        predicted: fraction of them that were predicted at all, 0 to 1.
        kept: fraction of them that were predicted with a confidence above the cutoff or without a
            score, 0 to 1.
        mean: mean distance over the predicted points of all frames and participants, px [P].
        median: median distance over the predicted points, px.
        mean_kept: mean distance over the kept points, px.
        median_kept: median distance over the kept points, px.
    """

    labelled: int
    predicted: Estimate
    kept: Estimate
    mean: Estimate
    median: Estimate
    mean_kept: Estimate
    median_kept: Estimate

    def to_dict(self, cm_per_px: float | None) -> dict[str, Any]:
        """Numbers by name for JSON; the unit is part of the name."""
        row: dict[str, Any] = {
            "labelled": self.labelled,
            "predicted": self.predicted.to_dict(),
            "kept": self.kept.to_dict(),
        }
        for unit, factor in {"px": 1.0, "cm": cm_per_px}.items():
            if factor is not None:
                row |= {
                    f"{name}_{unit}": getattr(self, name).to_dict(factor)
                    for name in ("mean", "median", "mean_kept", "median_kept")
                }
        return row


@dataclass(frozen=True)
class ErrorTable:
    """Tracking error in all keypoints together and in each.

    Attributes:
        overall: all keypoints.
        keypoints: name -> the keypoint's own row.
        cutoff: p-cutoff: points with a confidence above it are kept, 0 to 1.
        cm_per_px: the scale by which px become cm; None where none was given.
        participants: number of participants in the labelled frames.
        frames: number of labelled frames that were compared.
        left_out: number of those that were not, because the tracks do not cover them.
    """

    overall: ErrorRow
    keypoints: dict[str, ErrorRow]
    cutoff: float
    cm_per_px: float | None
    participants: int
    frames: int
    left_out: int = 0

    @property
    def intervals(self) -> str:
        """A line that states what the intervals are, or why there are none."""
        if self.participants < 2:
            return "no intervals: one participant only"
        return f"{LEVEL} % intervals by resampling {self.participants} participants"

    def to_dict(self) -> dict[str, Any]:
        """The table for JSON; None where there is no value."""
        return {
            "cutoff": self.cutoff,
            "cm_per_px": self.cm_per_px,
            "frames": self.frames,
            "frames_left_out": self.left_out,
            "participants": self.participants,
            "intervals": self.intervals,
            "overall": self.overall.to_dict(self.cm_per_px),
            "keypoints": {
                name: row.to_dict(self.cm_per_px) for name, row in self.keypoints.items()
            },
        }

    def text(self) -> str:
        """The table for the terminal; the scale is always stated."""
        scale = (
            "no scale given, so px only"
            if self.cm_per_px is None
            else f"scale {self.cm_per_px:g} cm a px"
        )
        people = f"{self.participants} participant{'s' if self.participants > 1 else ''}"
        lines = [
            f"{self.overall.labelled} labelled points in {self.frames} frames of {people}; {scale}"
        ]
        if self.left_out:
            lines.append(
                f"{self.left_out} more labelled frames are not among the tracked ones and are"
                " left out"
            )
        rows = {"all": self.overall, **self.keypoints}
        for unit, factor in {"px": 1.0, "cm": self.cm_per_px}.items():
            if factor is not None:
                header = [
                    "keypoint",
                    "labelled",
                    "predicted",
                    f"mean, {unit}",
                    f"median, {unit}",
                    f"kept (> {self.cutoff:g})",
                ]
                cells = [[*header, f"mean of kept, {unit}", f"median of kept, {unit}"]]
                for name, row in rows.items():
                    shares = [str(row.labelled), row.predicted.text(".0%")]
                    errors = [row.mean.text(".2f", factor), row.median.text(".2f", factor)]
                    kept = [
                        row.kept.text(".0%"),
                        row.mean_kept.text(".2f", factor),
                        row.median_kept.text(".2f", factor),
                    ]
                    cells.append([name, *shares, *errors, *kept])
                widths = [max(map(len, column)) for column in zip(*cells)]
                lines += [
                    "",
                    *(
                        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
                        for line in cells
                    ),
                ]
        return "\n".join([*lines, "", self.intervals])


def error_table(
    distances: np.ndarray,
    confidence: np.ndarray,
    *,
    labelled: np.ndarray,
    keypoints: Sequence[str],
    participants: Sequence[str] | np.ndarray,
    cutoff: float = CUTOFF,
    cm_per_px: float | None = None,
    seed: int = 0,
    left_out: int = 0,
) -> ErrorTable:
    """Summarise distances between predicted and labelled points.

    Intervals come from a bootstrap over whole participants, because the frames of one are not
    independent; a single participant gives none.

    Args:
        distances: (frame, keypoint) px, as `distance` gives it: NaN where not labelled or not
            predicted.
        confidence: (frame, keypoint) of the prediction, 0 to 1; NaN where it has no score.
        labelled: (frame, keypoint) which points an annotator labelled.
        keypoints: names, in the order of the arrays.
        participants: (frame,) participant of each frame.
        cutoff: points with a confidence above it, or without a score, are kept.
        cm_per_px: scale, if known.
        seed: of the bootstrap.
        left_out: number of labelled frames that could not be compared, for the table.

    Raises:
        UserError: shapes that do not fit, nothing labelled, a scale that is not positive.
    """
    shape = (len(participants), len(keypoints))
    for name, array in {
        "distances": distances,
        "confidence": confidence,
        "labelled": labelled,
    }.items():
        if array.shape != shape:
            raise UserError(
                f"tracking error: {name} has shape {array.shape}, expected {shape}: frames of"
                " `participants` and keypoint names"
            )
    if not labelled.any():
        raise UserError(
            "tracking error: no point is labelled; label some frames, or choose labelled keypoints"
        )
    if cm_per_px is not None and not cm_per_px > 0:
        raise UserError(
            f"tracking error: the scale must be a positive number of cm a px, got {cm_per_px:g}"
        )
    people, person = np.unique(np.asarray(participants), return_inverse=True)
    weights = (
        draw_participants(len(people), RESAMPLES, seed)
        if len(people) > 1
        else np.empty((0, len(people)))
    )
    person = np.broadcast_to(person[:, None], shape)
    predicted = labelled & np.isfinite(distances)
    kept = predicted & ~(
        np.asarray(confidence, np.float32) <= np.float32(cutoff)
    )  # float32 as in stored tracks, so that 0.8 is not above 0.8

    def row(chosen: slice) -> ErrorRow:
        who, points, found, sure = (
            array[:, chosen].ravel() for array in (person, labelled, predicted, kept)
        )
        apart = distances[:, chosen].ravel()
        return ErrorRow(
            labelled=int(points.sum()),
            predicted=_mean(found[points].astype(float), who[points], weights),
            kept=_mean(sure[points].astype(float), who[points], weights),
            mean=_mean(apart[found], who[found], weights),
            median=_median(apart[found], who[found], weights),
            mean_kept=_mean(apart[sure], who[sure], weights),
            median_kept=_median(apart[sure], who[sure], weights),
        )

    rows = {name: row(slice(number, number + 1)) for number, name in enumerate(keypoints)}
    return ErrorTable(
        row(slice(None)), rows, cutoff, cm_per_px, len(people), len(participants), left_out
    )


def _mean(values: np.ndarray, person: np.ndarray, weights: np.ndarray) -> Estimate:
    """Mean of (point,) values, with its interval from (resample, participant) weights; `person` is
    the participant of each point.
    """
    if not len(values):
        return Estimate(np.nan)
    total, count = (np.bincount(person, some, weights.shape[1]) for some in (values, None))
    with np.errstate(invalid="ignore"):  # a resample without a point has no mean
        return _estimate(values.mean(), (weights @ total) / (weights @ count), person)


def _median(values: np.ndarray, person: np.ndarray, weights: np.ndarray) -> Estimate:
    """Median of (point,) values, with its interval: a resample's median is that of the values
    repeated as often as their participants were sampled.
    """
    if not len(values):
        return Estimate(np.nan)
    return _estimate(np.median(values), resampled_median(values, person, weights), person)


def _estimate(value: float, resampled: np.ndarray, person: np.ndarray) -> Estimate:
    """A value with the interval of its bootstrap samples (resample,)."""
    found = interval(
        resampled, len(np.unique(person))
    )  # a keypoint of a single participant gets no interval
    return Estimate(float(value), found.low, found.high)


@dataclass(frozen=True)
class ComparedPoints:
    """Tracks beside labels, joined by video, frame and name: (frame, keypoint) each.

    Attributes:
        distances: px, NaN where not labelled or not predicted.
        confidence: of the prediction; NaN without a score.
        labelled: whether a person marked the point.
        keypoints: names.
        participants: (frame,).
        left_out: number of labelled frames that the tracks do not cover.
    """

    distances: np.ndarray
    confidence: np.ndarray
    labelled: np.ndarray
    keypoints: list[str]
    participants: np.ndarray
    left_out: int


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
    """Error of tracks against labels, for all keypoints together and for each.

    A labelled frame in which the tracker found nothing counts as not predicted. One that the tracks
    do not cover (they begin later, end earlier, or have a lower frame rate) is left out, and the
    table has the number of those.

    Args:
        tracks: video, as the labels name it -> its tracks in px. Labels of other videos are
            ignored.
        labels: positions in px of the same images.
        keypoints: those that are compared; by default all that are labelled.
        skeleton: whose joints are computed from the tracks first (a neck from two shoulders); by
            default tracked points go by their own names.
        cutoff: points with a confidence above it, or without a score, are kept, 0 to 1 [P: 0.8].
        cm_per_px: scale, if known.
        seed: of the bootstrap behind the intervals.

    Raises:
        UserError: a video without labels, labels without frame numbers, no labelled frame among the
            tracked, images of another size, a labelled keypoint that the tracks lack, tracks
            without positions in px.
    """
    compared = compared_points(tracks, labels, keypoints=keypoints, skeleton=skeleton)
    return error_table(
        compared.distances,
        compared.confidence,
        labelled=compared.labelled,
        keypoints=compared.keypoints,
        participants=compared.participants,
        cutoff=cutoff,
        cm_per_px=cm_per_px,
        seed=seed,
        left_out=compared.left_out,
    )


def compared_points(
    tracks: Mapping[str, xr.Dataset],
    labels: Labels,
    *,
    keypoints: Sequence[str] | None = None,
    skeleton: Skeleton | None = None,
) -> ComparedPoints:
    """The points of `tracking_error`, which has the arguments and errors."""
    if missing := [video for video in tracks if video not in labels.videos]:
        raise UserError(
            f"no frame of video {missing[0]!r} is labelled; labelled are"
            f" {', '.join(dict.fromkeys(labels.videos.tolist()))}"
        )
    labels = labels.take(np.isin(labels.videos, list(tracks)))
    marked = np.any(labels.visibility > UNLABELLED, axis=0)
    labels = labels.select(
        [name for name, some in zip(labels.keypoints, marked) if some]
        if keypoints is None
        else keypoints
    )
    compared, positions, confidences = [], [], []
    for video, made in tracks.items():
        own = labels.take(labels.videos == video)
        found = made if skeleton is None else select(made, skeleton)
        _check(found, own)
        rows = rows_of_labelled_frames(found, own)
        covered = np.flatnonzero(rows >= 0)
        points = found.sel(keypoint=own.keypoints).isel(time=rows[covered])
        positions.append(points["position"].transpose("time", "keypoint", "space").values)
        confidences.append(points["confidence"].transpose("time", "keypoint").values)
        compared.append(own.take(covered))
    participants = np.concatenate([part.participants for part in compared])
    left_out = len(labels) - len(participants)
    if not len(participants):
        raise UserError(
            f"none of the {left_out} labelled frames is among the tracked ones; are these the"
            " tracks of the labelled video?"
        )
    labelled = np.concatenate([part.visibility for part in compared]) > UNLABELLED
    true = np.where(
        labelled[..., None], np.concatenate([part.position for part in compared]), np.nan
    )
    return ComparedPoints(
        distance(np.concatenate(positions), true),
        np.concatenate(confidences),
        labelled,
        labels.keypoints,
        participants,
        left_out,
    )


def rows_of_labelled_frames(tracks: xr.Dataset, labels: Labels) -> np.ndarray:
    """(frame,) row of the tracks for each labelled frame; -1 where the tracks do not cover it.

    `source_index` has the frame in the video of each row. Where it equals the row's own number, the
    tracks have the video's frame rate, and a row without a frame (-1) is one in which the tracker
    found nothing.

    Raises:
        UserError: see `frame_indices`.
    """
    indices = frame_indices(labels)
    rows, source = np.arange(tracks.sizes["time"]), tracks["source_index"].values
    native = bool((source == rows)[source >= 0].all())
    row_of = {
        int(index): int(row) for row, index in zip(rows[::-1], (rows if native else source)[::-1])
    }  # of two rows the first
    return np.array([row_of.get(index, -1) for index in indices], dtype=int)


def _check(tracks: xr.Dataset, labels: Labels) -> None:
    if "position" not in tracks:
        raise UserError("the tracks have no positions in px (position_3d only); labels are in px")
    tracked = tracks.keypoint.values.tolist()
    if lacking := [name for name in labels.keypoints if name not in tracked]:
        raise UserError(
            f"keypoint {lacking[0]!r} is labelled, but the tracks have {', '.join(tracked)}; choose"
            " keypoints that both have, or rename"
        )
    size = tracks.attrs["width"], tracks.attrs["height"]
    for frame in labels.frames:
        if all(size) and all((frame.width, frame.height)) and size != (frame.width, frame.height):
            raise UserError(
                f"frame {frame.frame_id!r} was labelled at {frame.width}x{frame.height} px, but the"
                f" tracks are of {size[0]}x{size[1]} px; both must be of one size"
            )


def as_labels(tracks: xr.Dataset, video: str, participant_id: str | None = None) -> Labels:
    """Tracks as labels: an annotator's own (SLEAP's .slp), a phantom's truth, or another tracker to
    compare with.

    Points with confidence 0 are not labelled; those without a score are. Frames without a point,
    and rows without a frame, are left out.
    """
    position = tracks["position"].transpose("time", "keypoint", "space").values.astype(float)
    marked = np.isfinite(position).all(axis=2) & (
        tracks["confidence"].transpose("time", "keypoint").values != 0
    )
    source = tracks["source_index"].values
    rows = np.flatnonzero(marked.any(axis=1) & (source >= 0))
    rows = rows[
        np.unique(source[rows], return_index=True)[1]
    ]  # of two rows with one frame the first
    width, height = tracks.attrs["width"], tracks.attrs["height"]
    frames = [
        LabelledFrame(
            f"{video}/{number}",
            Path(video) / str(number),
            video,
            participant_id or video,
            int(number),
            width,
            height,
        )
        for number in source[rows]
    ]
    seen = marked[rows]
    return Labels(
        tracks.keypoint.values.tolist(),
        frames,
        np.where(seen[..., None], position[rows], np.nan),
        np.where(seen, VISIBLE, UNLABELLED),
    )


def tracking_truth(cohort: Path, store: Path) -> dict[str, Any]:
    """Error of a phantom cohort's extracted tracks against its truth, for the report: joint by
    joint, body and face.

    Distances are in torso lengths (body) and in distances between the outer eye corners (face),
    medians over frames of all clips; "found" is the fraction of the (frame, joint) pairs in view in
    the truth that were tracked.

    Raises:
        UserError: the cohort has no truth folder (it is no phantom), or a clip was not extracted.
    """
    folder = Path(cohort) / "truth"
    if not folder.is_dir():
        raise UserError(
            f"{cohort}: has no truth folder; only phantom cohorts (`semiology phantom`) know the"
            " truth"
        )
    result: dict[str, Any] = {}
    for part, (name, unit_name) in PARTS.items():
        skeleton = load_skeleton(name)
        errors, in_view, tracked = [], 0, 0
        for clip in Cohort.read(cohort).clips:
            truth = read_tracks(
                folder / (f"{clip.clip_id}.nc" if part == "body" else f"{clip.clip_id}_face.nc")
            )
            tracks = Store(store).predicted(clip.clip_id, part)
            truth = thinned(truth, tracks.attrs["fps"])
            apart = distances(tracks, truth, skeleton)
            errors.append(apart / clip_scale(truth, skeleton))
            seen = select(truth, skeleton)["confidence"].values[: len(apart)] != 0
            in_view += int(seen.sum())
            tracked += int((seen & np.isfinite(apart)).sum())
        pooled = np.concatenate(errors)
        result[part] = {
            "unit": unit_name,
            "found": round(tracked / max(in_view, 1), 4),
            "median error": round(float(np.nanmedian(pooled)), 4),
            "95th percentile": round(float(np.nanpercentile(pooled, 95)), 4),
            **{
                f"median {joint}": round(float(np.nanmedian(pooled[:, number])), 4)
                for number, joint in enumerate(skeleton.names)
            },
        }
    return result


def distances(tracks: xr.Dataset, truth: xr.Dataset, skeleton: Skeleton) -> np.ndarray:
    """(time, joint) Euclidean distance in px between tracks and truth, joined by time and name; NaN
    where either is missing.

    Joints that the truth marks as hidden (confidence 0) are left out.

    Raises:
        UserError: the two differ in frame rate.
    """
    if abs(tracks.attrs["fps"] - truth.attrs["fps"]) > 1e-6:
        raise UserError(
            f"tracks at {tracks.attrs['fps']:g} and truth at {truth.attrs['fps']:g} frames per"
            " second cannot be joined"
        )
    found, true = select(tracks, skeleton), select(truth, skeleton)
    frames = min(found.sizes["time"], true.sizes["time"])
    position, labelled = (
        part["position"].transpose("time", "keypoint", "space").values[:frames]
        for part in (found, true)
    )
    return np.where(true["confidence"].values[:frames] != 0, distance(position, labelled), np.nan)


def thinned(truth: xr.Dataset, fps: float) -> xr.Dataset:
    """The truth's frames at a rate (Hz) that is its own or a whole part of it; at another rate the
    truth as it is, which `distances` refuses.
    """
    step = truth.attrs["fps"] / fps
    if round(step) < 1 or abs(step - round(step)) > 1e-6:
        return truth
    return truth.isel(time=slice(None, None, round(step))).assign_attrs(fps=fps)


def clip_scale(truth: xr.Dataset, skeleton: Skeleton) -> float:
    """The clip's median distance in px between the skeleton's two scale joints: torso length, or
    distance between the eyes.
    """
    joints = select(truth, skeleton)["position"]
    first, second = (joints.sel(keypoint=name) for name in skeleton.scale)
    return float(np.nanmedian(np.sqrt(((first - second) ** 2).sum("space"))))
