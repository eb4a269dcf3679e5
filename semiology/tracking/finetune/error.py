"""Tracking error: how far predicted keypoints lie from labelled ones. Its definition is here and nowhere else.

Source: the cerebral palsy study's MAE [P], the mean Euclidean distance over points and frames, with and without a p-cutoff of 0.8, to which
are added the median, and the shares of points that were predicted and kept: an error "with p-cutoff" says nothing without them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from semiology.errors import UserError
from semiology.evaluation.statistics.intervals import LEVEL, draw_participants, interval

CUTOFF = 0.8  # [P]
DRAWS = 2000  # resampled sets of participants [our choice]
AT_ONCE = 4_000_000  # numbers in memory while medians are resampled


def distance(predicted: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Euclidean distance, px: (..., 2) and (..., 2) to (...). NaN where either is missing."""
    return np.linalg.norm(np.asarray(predicted, float) - np.asarray(labelled, float), axis=-1)


@dataclass(frozen=True)
class Figure:
    """A value with its interval over participants; NaN where there is none."""

    value: float
    low: float = np.nan
    high: float = np.nan

    def text(self, form: str, factor: float = 1) -> str:
        """`4.5 [3.2, 5.9]`, or `4.5` without an interval, or `-` without a value."""
        if np.isnan(self.value):
            return "-"
        value, low, high = (format(factor * number, form) for number in (self.value, self.low, self.high))
        return value if np.isnan(self.low) else f"{value} [{low}, {high}]"

    def to_dict(self, factor: float = 1) -> dict[str, float | None]:
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {name: None if np.isnan(number) else round(float(factor * number), 4) for name, number in numbers.items()}


@dataclass(frozen=True)
class ErrorRow:
    """One keypoint's error, or that of all of them. A point is one keypoint in one frame.

    Attributes:
        labelled: number of labelled points.
        predicted: share of them that were predicted at all, 0 to 1.
        kept: share of them that were predicted with a confidence above the cutoff, 0 to 1.
        mean: distance over the predicted points, px. The mean over points, whichever frame or participant they are of [P].
        median: of the same, px.
        mean_kept: distance over the kept points, px.
        median_kept: of the same, px.
    """

    labelled: int
    predicted: Figure
    kept: Figure
    mean: Figure
    median: Figure
    mean_kept: Figure
    median_kept: Figure

    def to_dict(self, cm_per_px: float | None) -> dict[str, Any]:
        """Numbers by name: the unit is in the name."""
        row: dict[str, Any] = {"labelled": self.labelled, "predicted": self.predicted.to_dict(), "kept": self.kept.to_dict()}
        for unit, factor in {"px": 1.0, "cm": cm_per_px}.items():
            if factor is not None:
                row |= {f"{name}_{unit}": getattr(self, name).to_dict(factor) for name in ("mean", "median", "mean_kept", "median_kept")}
        return row


@dataclass(frozen=True)
class ErrorTable:
    """Tracking error in all keypoints together and in each.

    Attributes:
        overall: all keypoints.
        keypoints: name -> the keypoint's own row.
        cutoff: points count as kept if their confidence is above it, 0 to 1.
        cm_per_px: the scale by which px become cm; None where none was given.
        participants: how many people the labelled frames are of.
        frames: labelled frames that were compared.
        left_out: labelled frames that were not, because the tracks do not cover them.
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
        """What the intervals are, or why there are none."""
        if self.participants < 2:
            return "no intervals: one participant only"
        return f"{LEVEL} % intervals by resampling {self.participants} participants"

    def to_dict(self) -> dict[str, Any]:
        """For JSON; None stands where there is no value."""
        return {
            "cutoff": self.cutoff,
            "cm_per_px": self.cm_per_px,
            "frames": self.frames,
            "frames_left_out": self.left_out,
            "participants": self.participants,
            "intervals": self.intervals,
            "overall": self.overall.to_dict(self.cm_per_px),
            "keypoints": {name: row.to_dict(self.cm_per_px) for name, row in self.keypoints.items()},
        }

    def text(self) -> str:
        """The table for the terminal; the scale is always said."""
        scale = "no scale given, so px only" if self.cm_per_px is None else f"scale {self.cm_per_px:g} cm a px"
        people = f"{self.participants} participant{'s' if self.participants > 1 else ''}"
        lines = [f"{self.overall.labelled} labelled points in {self.frames} frames of {people}; {scale}"]
        if self.left_out:
            lines.append(f"{self.left_out} more labelled frames are not among the tracked ones and are left out")
        rows = {"all": self.overall, **self.keypoints}
        for unit, factor in {"px": 1.0, "cm": self.cm_per_px}.items():
            if factor is not None:
                header = ["keypoint", "labelled", "predicted", f"mean, {unit}", f"median, {unit}", f"kept (> {self.cutoff:g})"]
                cells = [[*header, f"mean of kept, {unit}", f"median of kept, {unit}"]]
                for name, row in rows.items():
                    shares = [str(row.labelled), row.predicted.text(".0%")]
                    errors = [row.mean.text(".2f", factor), row.median.text(".2f", factor)]
                    kept = [row.kept.text(".0%"), row.mean_kept.text(".2f", factor), row.median_kept.text(".2f", factor)]
                    cells.append([name, *shares, *errors, *kept])
                widths = [max(map(len, column)) for column in zip(*cells)]
                lines += ["", *("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells)]
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

    Intervals resample whole participants, because the frames of one are not independent; a single participant gives none.

    Args:
        distances: (frame, keypoint) px, as `distance` gives it: NaN where not labelled or not predicted.
        confidence: (frame, keypoint) of the prediction, 0 to 1.
        labelled: (frame, keypoint) which points a person labelled.
        keypoints: names, in the order of the arrays.
        participants: (frame,) who is in each frame.
        cutoff: points with a confidence above it are kept.
        cm_per_px: scale, if known.
        seed: of the resampling.
        left_out: labelled frames that could not be compared; only passed on.

    Raises:
        UserError: shapes that do not fit, nothing labelled, a scale that is not positive.
    """
    shape = (len(participants), len(keypoints))
    for name, array in {"distances": distances, "confidence": confidence, "labelled": labelled}.items():
        if array.shape != shape:
            raise UserError(
                f"tracking error: {name} has shape {array.shape}, expected {shape}: frames of `participants` and keypoint names"
            )
    if not labelled.any():
        raise UserError("tracking error: no point is labelled; label some frames, or choose labelled keypoints")
    if cm_per_px is not None and not cm_per_px > 0:
        raise UserError(f"tracking error: the scale must be a positive number of cm a px, got {cm_per_px:g}")
    people, person = np.unique(np.asarray(participants), return_inverse=True)
    weights = draw_participants(len(people), DRAWS, seed) if len(people) > 1 else np.empty((0, len(people)))
    person = np.broadcast_to(person[:, None], shape)
    predicted = labelled & np.isfinite(distances)
    kept = predicted & (np.asarray(confidence, np.float32) > np.float32(cutoff))  # as tracks store it, so that 0.8 is not above 0.8

    def row(chosen: slice) -> ErrorRow:
        who, points, found, sure = (array[:, chosen].ravel() for array in (person, labelled, predicted, kept))
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
    return ErrorTable(row(slice(None)), rows, cutoff, cm_per_px, len(people), len(participants), left_out)


def _mean(values: np.ndarray, person: np.ndarray, weights: np.ndarray) -> Figure:
    """Mean of (point,) values, its interval from (draw, participant) weights; `person` is the participant of each point."""
    if not len(values):
        return Figure(np.nan)
    total, count = (np.bincount(person, some, weights.shape[1]) for some in (values, None))
    with np.errstate(invalid="ignore"):  # a draw of participants without a point has no mean
        return _figure(values.mean(), (weights @ total) / (weights @ count), person)


def _median(values: np.ndarray, person: np.ndarray, weights: np.ndarray) -> Figure:
    """As `_mean`: each draw's median is that of the values repeated as often as their participants were drawn."""
    if not len(values):
        return Figure(np.nan)
    order = np.argsort(values)
    values, person = values[order], person[order]
    drawn = np.full(len(weights), np.nan)
    step = max(1, AT_ONCE // len(values))
    for first in range(0, len(weights), step):
        below = weights[first : first + step][:, person].cumsum(axis=1)  # (draw, point)
        half = below[:, -1:] / 2
        middle = (values[(below >= half).argmax(axis=1)] + values[(below > half).argmax(axis=1)]) / 2
        drawn[first : first + step] = np.where(half[:, 0] > 0, middle, np.nan)
    return _figure(np.median(values), drawn, person)


def _figure(value: float, drawn: np.ndarray, person: np.ndarray) -> Figure:
    found = interval(drawn, len(np.unique(person)))  # a keypoint that one participant alone has gets no interval
    return Figure(float(value), found.low, found.high)
