"""The contact sheet: a row a clip, from the cohort's table, the store's records and a run's
out-of-fold predictions, without decoding a frame; what is drawn over a clip's time; and the frames
that a person should look at.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from semiology.data.cohort import Clip, Cohort, clip_source
from semiology.data.limbs import rejected_counts
from semiology.data.pixels import reading_of
from semiology.data.preprocessing import drop_low_confidence
from semiology.data.store import TRACKS, Store
from semiology.data.tracks import track_attributes
from semiology.errors import UserError
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.run.settings import PREFERRED
from semiology.severity.kinematics import highest_cutoff, speed
from semiology.severity.kinematics.derivatives import CUTOFF
from semiology.severity.kinematics.segments import positions_of
from semiology.timeline.events.timeline import Timeline
from semiology.tracking.extraction.features import PEOPLE
from semiology.tracking.extraction.progress import clip_length
from semiology.tracking.extraction.review import CONFIDENT, look_first
from semiology.tracking.labels.selection import jump_rows, low_confidence_rows, rejected_rows
from semiology.video import Reading

MOST_SAMPLES = 2000  # of a curve: as many as a wide screen has columns [our choice]
MOVING = ("left_wrist", "right_wrist", "left_ankle", "right_ankle", "nose")  # speeds are drawn
FOLLOWED = ("by", "certainty", "people", "lying")  # of `tracking.patient.Choice`
READ = (*(f"patient_{name}" for name in FOLLOWED), "pixel_aspect_given", "fields")
PLACES = 12  # frames named for each reason [our choice]

Probabilities = dict[str, dict[str, dict[str, float]]]  # clip_id -> label -> level -> 0 to 1


@dataclass
class Sheet:
    """The contact sheet of a cohort.

    Attributes:
        store: of the tracks.
        probabilities: of a run, see `run_probabilities`; empty without one.
    """

    store: Store
    probabilities: Probabilities = field(default_factory=dict)
    _attributes: dict[tuple[Path, int], dict[str, Any]] = field(default_factory=dict, repr=False)
    _lengths: dict[str, float | None] = field(default_factory=dict, repr=False)

    def rows(self, cohort: Cohort) -> list[dict[str, Any]]:
        """A row a clip in the cohort's order: clip_id, participant_id, visit; duration (s, None
        where unknown); tracked; found (part -> share of frames), infrared and missing (shares of
        frames); followed (who was taken for the patient: by, certainty, people, lying); look
        (reasons to look at it first); probabilities (label -> level -> 0 to 1); fault.
        """
        rows, found, signs = [], {}, {}
        for clip in cohort.clips:
            row = self._row(cohort, clip)
            stages = row.pop("stages")
            parts = {part: stages[part] for part in TRACKS if part in stages}
            if parts:
                row["found"] = {part: entry.get("found", 0.0) for part, entry in parts.items()}
                found[clip.clip_id] = row["found"]
                signs[clip.clip_id] = parts.get("body", {}).get("signs", {})
                for share in ("infrared", "missing"):
                    row[share] = max(entry.get(share) or 0.0 for entry in parts.values())
            rows.append(row)
        look = look_first(found, signs)
        return [{**row, "look": look.get(row["clip_id"], [])} for row in rows]

    def reading(self, cohort: Cohort, clip: Clip) -> Reading | None:
        """How the frames of the clip's tracks were read; None where there are no tracks."""
        stages = self.store.known_record(clip.clip_id)["stages"]
        attributes = self._attributes_of(cohort, clip, stages)
        return reading_of(xr.Dataset(attrs=attributes)) if attributes else None

    def _row(self, cohort: Cohort, clip: Clip) -> dict[str, Any]:
        """A row without what is derived from the record's stages, and these."""
        fault, stages = None, {}
        try:
            stages = self.store.record(clip.clip_id)["stages"]
        except UserError as error:
            fault = str(error)
        attributes = self._attributes_of(cohort, clip, stages)
        return {
            "clip_id": clip.clip_id,
            "participant_id": clip.participant_id,
            "visit": clip.covariates.get("visit", ""),
            "duration": self._duration(cohort, clip, attributes),
            "tracked": bool(clip.tracks) or any(part in stages for part in TRACKS),
            "found": {},
            "infrared": 0.0,
            "missing": 0.0,
            "followed": {
                name: attributes[f"patient_{name}"]
                for name in FOLLOWED
                if f"patient_{name}" in attributes
            }
            or None,
            "probabilities": self.probabilities.get(clip.clip_id),
            "fault": fault,
            "stages": stages,
        }

    def _attributes_of(
        self, cohort: Cohort, clip: Clip, stages: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Attributes of the clip's tracks, read once a file; empty where there are none."""
        own = [cohort.folder / clip.tracks] if clip.tracks else []
        stored = [
            self.store.folder / clip.clip_id / stages[part]["file"]
            for part in TRACKS
            if part in stages
        ]
        for path in (*own, *stored):
            try:
                known = path, path.stat().st_mtime_ns
                if known not in self._attributes:
                    self._attributes[known] = track_attributes(path, READ)
                return self._attributes[known]
            except (OSError, UserError):  # named where the clip itself is opened
                continue
        return {}

    def _duration(self, cohort: Cohort, clip: Clip, attributes: Mapping[str, Any]) -> float | None:
        if clip.end is not None:
            return clip.end - clip.start
        if "duration" in attributes:
            own = clip.start if clip.tracks else 0.0  # those of a store begin with the clip
            return float(attributes["duration"]) - own
        if clip.clip_id not in self._lengths:
            try:
                source = clip_source(cohort.folder, clip)
            except UserError:
                source = None
            length = clip_length(source, clip.start, None) if source else 0.0
            self._lengths[clip.clip_id] = length or None
        return self._lengths[clip.clip_id]


def run_probabilities(run: str | Path) -> Probabilities:
    """Out-of-fold probabilities of a run's clips, calibrated where they are: of each label's first
    task its preferred model (`PREFERRED`, else the first), the mean over the seeds.

    Raises:
        UserError: see `read_predictions`.
    """
    table = read_predictions(Path(run) / "predictions.csv")
    found: Probabilities = {}
    for label, rows in table.groupby("label", sort=False):
        rows = rows[rows["task"] == rows["task"].iloc[0]]
        models = rows["model"].unique().tolist()
        model = next((name for name in PREFERRED if name in models), models[0])
        for clip_id, own in rows[rows["model"] == model].groupby("clip_id", sort=False):
            scores = own["calibrated"].where(own["calibrated"].notna(), own["scores"])
            means = pd.DataFrame(scores.tolist()).mean()
            found.setdefault(str(clip_id), {})[str(label)] = {
                str(level): round(float(mean), 4) for level, mean in means.items()
            }
    return found


def curves(
    body: xr.Dataset | None, face: xr.Dataset | None = None, timeline: Timeline | None = None
) -> dict[str, Any]:
    """What is drawn under a clip: {"time": s, "curves": [{"name", "unit", "values"}]}, at most
    `MOST_SAMPLES` samples, None where unknown.

    Speeds of wrists, ankles and nose in torso lengths a second (px a second where no torso is
    seen), from points with a confidence of 0.5 or more; mean confidence of the parts; the
    probability of each level of a timeline. Of longer clips each pair of samples stands for a
    stretch of time and holds its least and its largest value, in their order.
    """
    drawn: list[tuple[str, str, np.ndarray]] = []
    time = np.zeros(0)
    if body is not None:
        time = body["time"].values.astype(float)
        drawn += _speeds(drop_low_confidence(body, CONFIDENT))
    for part, tracks in (("body", body), ("face", face)):
        if tracks is not None and (body is None or tracks.sizes["time"] == len(time)):
            time = tracks["time"].values.astype(float)
            confidence = tracks["confidence"].transpose("time", "keypoint").values
            scored = np.isfinite(confidence)
            total = np.where(scored, confidence, 0).sum(axis=1)
            mean = np.where(scored.any(axis=1), total / np.maximum(scored.sum(axis=1), 1), np.nan)
            drawn.append((f"confidence, {part}", "", mean))
    if timeline is not None:
        if not len(time):
            time = next(iter(timeline.windows.values()))[:, :2].mean(axis=1)
        drawn += [
            (f"probability, {task}: {level}", "", _at(windows, time))
            for (task, level), windows in timeline.windows.items()
        ]
    places, values = decimated(time, [values for _, _, values in drawn])
    return {
        "time": places.round(4).tolist(),
        "curves": [
            {"name": name, "unit": unit, "values": _plain(kept)}
            for (name, unit, _), kept in zip(drawn, values)
        ],
    }


def _speeds(body: xr.Dataset) -> Iterable[tuple[str, str, np.ndarray]]:
    """Name, unit and (time,) speeds of the points of `MOVING` that are tracked."""
    positions, length = positions_of(body, "torso")
    unit = "torso lengths/s" if math.isfinite(length) else "px/s"
    length = length if math.isfinite(length) else 1.0
    fps = float(body.attrs["fps"])
    cutoff = min(CUTOFF, highest_cutoff(1, fps))
    for column, name in enumerate(body.keypoint.values.tolist()):
        if name in MOVING:
            yield f"speed, {name}", unit, speed(positions[:, column] / length, fps, cutoff)


def _at(windows: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Probability at each time (s) by windows (start, end, probability): of the window whose middle
    is nearest; NaN outside of all.
    """
    middles = windows[:, :2].mean(axis=1)
    nearest = np.searchsorted((middles[1:] + middles[:-1]) / 2, time)
    inside = (windows[:, 0].min() <= time) & (time <= windows[:, 1].max())
    return np.where(inside, windows[nearest, 2], np.nan)


def decimated(
    time: np.ndarray, values: list[np.ndarray], most: int = MOST_SAMPLES
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Curves (time,) of at most `most` samples on one axis of time, which keep every extreme: two
    samples a stretch, its least and its largest value in the order in which they come. NaN only
    where a whole stretch is.
    """
    if len(time) <= most:
        return time, values
    width = math.ceil(len(time) / (most // 2))
    count = math.ceil(len(time) / width)
    starts = np.arange(count) * width
    halves = np.minimum(starts + width // 2, len(time) - 1)
    kept = []
    for curve in values:
        padded = np.full(count * width, np.nan)
        padded[: len(curve)] = curve
        table = padded.reshape(count, width)
        least = np.where(np.isnan(table), np.inf, table).argmin(axis=1)
        largest = np.where(np.isnan(table), -np.inf, table).argmax(axis=1)
        order = np.sort(np.stack([least, largest], axis=1), axis=1)
        kept.append(np.take_along_axis(table, order, axis=1).ravel())
    return time[np.stack([starts, halves], axis=1).ravel()], kept


def worst_frames(body: xr.Dataset, count: int = PLACES) -> list[dict[str, Any]]:
    """Frames in which the tracks are worst, in order of time: {"frame" (its number in the video),
    "time" (s), "reason"}: mean confidence below 0.5, jumps, and points that no body has
    (`semiology.data.limbs`); at most `count` of each.
    """
    confidence = body["confidence"].transpose("time", "keypoint").fillna(0).values.mean(axis=1)
    rows = {row: ["a point jumps"] for row in jump_rows(body, count).tolist()}
    for row in _unsure(body, count):
        if confidence[row] < CONFIDENT:
            rows.setdefault(row, []).append(f"mean confidence {confidence[row]:.2f}")
    for row in rejected_rows(body, count).tolist():
        given, rejected = rejected_counts(body.isel(time=[row]))
        rows.setdefault(row, []).append(f"{rejected.total()} of {given} points rejected")
    return _places(body, {row: "; ".join(reasons) for row, reasons in rows.items()})


def next_frames(
    body: xr.Dataset, corrected: Iterable[int] = (), count: int = PLACES
) -> list[dict[str, Any]]:
    """Frames whose correction is worth most, by the rules of `semiology tracking select`, as
    `worst_frames` gives them; those of the least confidence and those with jumps, without frames
    that were corrected (by number).
    """
    rows = {row: "least confidence" for row in _unsure(body, count)}
    rows |= {row: "a point jumps" for row in jump_rows(body, count).tolist()}
    done = set(corrected)
    return [place for place in _places(body, rows) if place["frame"] not in done]


def other_people(
    store: Store, clip_id: str, numbers: np.ndarray, times: np.ndarray
) -> list[list[float]]:
    """Boxes of other people than the patient by the first pass (`extract --people true`) in some
    frames: [frame, x0, y0, x1, y1 (px), person]; none where they are not stored. A frame has those
    of the nearest sample.

    Args:
        store: of the tracks.
        clip_id: of the clip.
        numbers, times: (frame,) the frames' numbers, and s from the clip's start.
    """
    if not store.has(clip_id, "people"):
        return []
    rows, seconds = store.features(clip_id, "people")
    samples = np.unique(seconds)
    if not len(samples):
        return []
    column = {name: place for place, name in enumerate(PEOPLE)}
    box = [column[f"body_{end}"] for end in ("x0", "y0", "x1", "y1")]
    nearest = samples[np.searchsorted((samples[1:] + samples[:-1]) / 2, times)]
    return [
        [number, *row[box].round(1).tolist(), int(row[column["person"]])]
        for number, sample in zip(numbers.tolist(), nearest)
        for row in rows[(seconds == sample) & (rows[:, column["is_patient"]] == 0)]
    ]


def _unsure(body: xr.Dataset, count: int) -> list[int]:
    """Rows of the least confidence; none where the tracks have no confidence."""
    try:
        return low_confidence_rows(body, count).tolist()
    except UserError:
        return []


def _places(body: xr.Dataset, rows: Mapping[int, str]) -> list[dict[str, Any]]:
    return [
        {
            "frame": int(body["source_index"].values[row]),
            "time": round(float(body["time"].values[row]), 4),
            "reason": rows[row],
        }
        for row in sorted(rows)
    ]


def _plain(values: np.ndarray) -> list[float | None]:
    """For JSON, which has no NaN."""
    return [
        None if math.isnan(value) else value for value in values.astype(float).round(4).tolist()
    ]
