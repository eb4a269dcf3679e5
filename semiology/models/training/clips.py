"""From a cohort and its store to arrays in memory: what a network reads of each clip; and summaries
of a clip without learning, for the linear baseline and for probing.
"""

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from tqdm import tqdm

from semiology.data.cohort import Clip, Cohort, Label
from semiology.data.preprocessing import (
    JOINS,
    filled_gaps,
    gap_frames,
    join_columns,
    joint_columns,
    normalised_positions,
    patches_of_joints,
    position_name,
    smoothed,
)
from semiology.data.skeleton import mirrored_name
from semiology.data.store import Store
from semiology.data.track_arrays import TrackArrays, arrays_of, clip_arrays
from semiology.errors import UserError
from semiology.models.networks.base import StreamShape
from semiology.models.training.reading import NotAssessable, Reading

UNSCORED = -1  # the target of a label that was not scored in a clip; of several labels only


@dataclass(frozen=True)
class ClipData:
    """One clip in memory, on the grid of `Reading.rate`.

    Attributes:
        target: number of the label's class; of several labels a tuple of them, `UNSCORED` where one
            was not scored.
        joints: (time, joint, space) in body units, NaN where missing; without any joint for the
            part "frame".
        appearance: (vector, channel) as the store holds them, NaN where missing; or None.
        recording_id: shared by the clips (or views) of one seizure.
        held: (time,) which vector stands for each frame, -1 where none is near; None where there is
            one a frame, or one a snippet.
        starts: (snippet,) the snippets' first frames, ascending, where snippets are read.
        measures: (measure,) numbers of the clip as a whole, NaN where missing; None unless a table
            of them is read.
    """

    clip_id: str
    participant_id: str
    target: Any
    joints: np.ndarray
    appearance: np.ndarray | None = None
    recording_id: str = ""
    held: np.ndarray | None = None
    starts: np.ndarray | None = None
    measures: np.ndarray | None = None

    @property
    def targets(self) -> tuple[int, ...]:
        """The target of each label, one or several."""
        return self.target if isinstance(self.target, tuple) else (self.target,)

    @cached_property
    def seen(self) -> np.ndarray:
        """(vector,) True where there is appearance."""
        assert self.appearance is not None
        return np.isfinite(self.appearance).all(axis=1)


Content = tuple[
    dict[str, Any], str
]  # what a clip holds, by ClipData's names; and why that is not assessable, or nothing


@dataclass(frozen=True)
class ClipSource:
    """The scored clips of a cohort, read once; or clips that are in memory already, see
    `from_clips`.

    Attributes:
        cohort: folder of the cohort; empty for clips in memory that belong to none.
        reading: what is read.
        store: folder of the store that `semiology extract` filled; not needed when the cohort's
            clips are tracks.
        in_memory: the labels and the clips, where nothing is to be read from the cohort.
        left_out: after reading, "clip_id: why" of each clip that was not scored.
        not_assessable: after reading, the scored clips with too little of the patient in them.
        trackers: after reading, names of the backends that made the tracks.
        snippet_networks: after reading, SHA-256 of the networks that made the snippets' vectors.
    """

    cohort: str
    reading: Reading
    store: str | None = None
    in_memory: tuple[tuple[Label, ...], list[ClipData]] | None = field(
        default=None, compare=False, repr=False
    )
    left_out: list[str] = field(default_factory=list, init=False, compare=False)
    not_assessable: list[NotAssessable] = field(default_factory=list, init=False, compare=False)
    trackers: set[str] = field(default_factory=set, init=False, compare=False)
    snippet_networks: set[str] = field(default_factory=set, init=False, compare=False)

    @classmethod
    def from_clips(
        cls,
        clips: Iterable[ClipData],
        reading: Reading,
        label: Label | Iterable[str] | Iterable[Label],
    ) -> "ClipSource":
        """A source of clips in memory: nothing is read from disk.

        Args:
            clips: any number, also none.
            reading: how they were read.
            label: that their targets number, or the names of its classes in their order; or all
                labels of the reading.
        """
        given = (label,) if isinstance(label, Label) else tuple(label)
        labels = tuple(one for one in given if isinstance(one, Label))
        if not labels:
            content = {"Role": "label", "Levels": dict.fromkeys(map(str, given), "")}
            labels = (Label.model_validate({"name": reading.label, **content}),)
        return cls("", reading, in_memory=(labels, list(clips)))

    def with_clips(self, clips: Iterable[ClipData], reading: Reading | None = None) -> "ClipSource":
        """This cohort, store and labels with other clips in memory, or with these clips read into
        other channels.
        """
        in_memory = (self.labels, list(clips))
        return ClipSource(self.cohort, reading or self.reading, self.store, in_memory)

    def of_label(self, label: str) -> "ClipSource":
        """One of several labels, with the clips that were scored for it, as if it were read
        alone.
        """
        number, own = self.reading.labels.index(label), replace(self.reading, label=label)
        clips, others = [], []
        for clip in self.clips:
            target = clip.targets[number]
            if target == UNSCORED:
                others.append(f"{clip.clip_id}: {label} not scored")
            else:
                clips.append(replace(clip, target=target))
        source = ClipSource(self.cohort, own, self.store, ((self.labels[number],), clips))
        source.left_out.extend([*self.left_out, *others])
        levels = (
            {clip.clip_id: clip.labels.get(label) for clip in self._cohort.clips}
            if self.not_assessable
            else {}
        )
        source.not_assessable.extend(
            replace(lost, truth=level)
            for lost in self.not_assessable
            if (level := levels[lost.clip_id]) is not None
        )
        return source

    @cached_property
    def _cohort(self) -> Cohort:
        return Cohort.read(self.cohort)

    @cached_property
    def labels(self) -> tuple[Label, ...]:
        """The labels that are read: their classes, and which of them mirror each other.

        Raises:
            UserError: the cohort does not define one of them.
        """
        if self.in_memory:
            return self.in_memory[0]
        labels = self._cohort.labels
        if unknown := next((name for name in self.reading.labels if name not in labels), None):
            raise UserError(
                f"{self.cohort}: clips.json defines no label {unknown!r}; it defines"
                f" {sorted(labels)}"
            )
        return tuple(labels[name] for name in self.reading.labels)

    @property
    def levels(self) -> list[str]:
        """Names of the label's classes, in their order; a target is a number in it.

        Raises:
            UserError: several labels are read (`of_label` gives one of them).
        """
        if len(self.labels) > 1:
            raise UserError(
                f"reading.label: {', '.join(self.reading.labels)}; here one label at a time can be"
                " read: name one of them (several at once are for `semiology loso`)"
            )
        return list(self.labels[0].levels)

    @property
    def classes(self) -> tuple[int, ...]:
        """(label,) how many classes each label has."""
        return tuple(len(label.levels) for label in self.labels)

    @cached_property
    def mirrored_levels(self) -> list[np.ndarray]:
        """For each label (level,) the index of the level seen in a mirror: from the sidecar, else
        by "left" and "right" in the level's name.
        """
        return [_mirrored(label) for label in self.labels]

    @cached_property
    def clips(self) -> list[ClipData]:
        """Every clip that carries a score and in which the patient was followed; the others are in
        `left_out` and `not_assessable`.
        """
        if self.in_memory:
            return self.in_memory[1]
        cohort, labels = self._cohort, self.labels
        clips = []
        for clip in tqdm(cohort.clips, desc="reading", unit="clip", delay=1.0):
            scored = [clip.labels.get(label.name) for label in labels]
            if not any(scored):
                names = ", ".join(self.reading.labels)
                self.left_out.append(f"{clip.clip_id}: {names} not scored")
                continue
            content, reason = (
                self._snippets(clip)
                if self.reading.part == "frame"
                else self._tracks(clip, cohort.folder)
            )
            if reason:
                self.not_assessable.append(
                    NotAssessable(
                        clip.clip_id, clip.participant_id, ", ".join(filter(None, scored)), reason
                    )
                )
                continue
            targets = [
                UNSCORED if level is None else list(label.levels).index(level)
                for label, level in zip(labels, scored)
            ]
            recording = clip.covariates.get("recording_id") or clip.clip_id
            clips.append(
                ClipData(
                    clip.clip_id,
                    clip.participant_id,
                    tuple(targets) if len(targets) > 1 else targets[0],
                    recording_id=recording,
                    **content,
                )
            )
        if not clips:
            why = [
                *self.left_out,
                *(f"{clip.clip_id}: {clip.reason}" for clip in self.not_assessable),
            ]
            raise UserError(
                f"{self.cohort}: no clip can be used for"
                f" {' or '.join(map(repr, self.reading.labels))}: " + "; ".join(why[:5])
            )
        return clips

    def check(self) -> None:
        """Read the labels, the skeleton and the first scored clip: most mistakes of a config show
        in a second, before all clips are read.

        Raises:
            UserError: as `labels`, `Reading.graph` and `clips`.
        """
        labels, _ = self.labels, self.reading.graph
        for clip in self._cohort.clips:
            if any(clip.labels.get(label.name) is not None for label in labels):
                if self.reading.part == "frame":
                    self._snippets(clip)
                else:
                    self._tracks(clip, self._cohort.folder)
                return

    @property
    def participants(self) -> list[str]:
        """participant_ids of the clips, each once, sorted."""
        return sorted({clip.participant_id for clip in self.clips})

    @property
    def window_seconds(self) -> float:
        """What one example spans: the reading's window, or the median clip where whole clips are
        resampled or divided into segments.
        """
        over_clip = self.reading.whole or self.reading.segments
        frames = (
            np.median([len(clip.joints) for clip in self.clips])
            if over_clip
            else self.reading.window
        )
        return float(frames / self.reading.rate)

    @cached_property
    def shape(self) -> StreamShape:
        """What the data decide of a network: classes, skeleton, channels; of the first clip."""
        first = self.clips[0]
        return StreamShape(
            classes=sum(self.classes),
            skeleton=self.reading.graph,
            keypoint_channels=len(self.reading.channels)
            * self.reading.dimensions,  # 0 for the part "frame"
            appearance_channels=0 if first.appearance is None else first.appearance.shape[1],
        )

    @cached_property
    def appearance_names(self) -> list[str]:
        """Names of the appearance channels: those that the store has, as of blendshapes, else their
        numbers.
        """
        named: list[str] = []
        if self.reading.appearance == "body_patches":
            joints = self.reading.graph.names
            each = self.shape.appearance_channels // len(joints)
            named = [f"{joint}_{number}" for joint in joints for number in range(each)]
        elif self.store is not None:
            stage = str(self.reading.appearance)
            named = Store(self.store).channels(self.clips[0].clip_id, stage)
        return named or [str(number) for number in range(self.shape.appearance_channels)]

    @property
    def _store(self) -> Store:
        if self.store is None:
            raise UserError(
                f"{self.cohort}: is read from its videos; give the store that `semiology extract`"
                " filled"
            )
        return Store(Path(self.store))

    def _tracks(self, clip: Clip, folder: Path) -> Content:
        graph = self.reading.graph
        keypoints = {name for joint, own in graph.joints.items() for name in (joint, *own)}
        store = None if clip.tracks else self._store
        tracks = clip_arrays(
            folder, clip, store, self.reading.part, keypoints, self.reading.dimensions
        )
        self.trackers.update({tracks.backend} - {""})
        joints = prepare(tracks, self.reading)
        reason = too_little(joints, self.reading)
        appearance = (
            self._appearance(clip.clip_id, len(joints))
            if self.reading.appearance and not reason
            else {}
        )
        return {"joints": joints, **appearance}, reason

    def _snippets(self, clip: Clip) -> Content:
        features, time = self._features(clip.clip_id)
        if self.reading.appearance == "flow":
            return self._in_snippets(*flow_windows(features, time, self.reading))
        made = self._store.record(clip.clip_id)["stages"]["snippets"].get("depends", {})
        rate, window = made.get("rate", self.reading.rate), made.get("frames", self.reading.window)
        if not math.isclose(rate, self.reading.rate) or window != self.reading.window:
            raise UserError(
                f"clip {clip.clip_id}: the store holds snippets of {window} frames at {rate:g} Hz,"
                f" the reading asks for {self.reading.window} at {self.reading.rate:g} Hz; set"
                f" window: {window} and rate: {rate:g}, or extract again"
            )
        self.snippet_networks.update({made.get("network", "")} - {""})
        return self._in_snippets(features, np.round(time * self.reading.rate).astype(int))

    def _in_snippets(self, features: np.ndarray, starts: np.ndarray) -> Content:
        if reason := too_few(features, self.reading):
            return {}, reason
        length = int(starts[-1]) + self.reading.window
        return {
            "joints": np.empty((length, 0, 2), np.float32),
            "appearance": features,
            "starts": starts,
        }, ""

    def _features(self, clip_id: str) -> tuple[np.ndarray, np.ndarray]:
        features, time = self._store.features(clip_id, str(self.reading.appearance), as_stored=True)
        if self.reading.appearance == "body_patches" and len(features):
            keypoints = self._store.channels(clip_id, "body_patches")
            features = patches_of_joints(features, keypoints, self.reading.graph)
        if self.reading.centred and np.isfinite(features).any():
            middle = np.nanmedian(features.astype(np.float32), axis=0)
            features = (features - middle).astype(features.dtype, copy=False)
        return features, time

    def _appearance(self, clip_id: str, length: int) -> dict[str, np.ndarray]:
        """The stored vectors, and which of them each of so many frames reads: the nearest, at most
        one of their intervals away.
        """
        features, time = self._features(clip_id)
        wanted = np.arange(length) / self.reading.rate
        own = nearest(time, wanted)
        step = float(np.median(np.diff(time))) if len(time) > 1 else np.inf
        near = np.abs(time[own] - wanted) <= max(step, 1 / self.reading.rate)
        return {"appearance": features, "held": np.where(near, own, -1).astype(np.int32)}


def _mirrored(label: Label) -> np.ndarray:
    levels = list(label.levels)
    names = [label.mirror.get(level, mirrored_name(level)) for level in levels]
    return np.array(
        [levels.index(name) if name in levels else own for own, name in enumerate(names)]
    )


def flow_windows(
    features: np.ndarray, time: np.ndarray, reading: Reading
) -> tuple[np.ndarray, np.ndarray]:
    """Movement in the place of snippets: mean, then standard deviation, of features (time, channel)
    over windows of `reading.window` frames at `reading.rate`, one after the other: (window,
    2 channel), NaN where less than half of one was measured; and their first frames (window,).
    """
    number = np.floor(time * reading.rate / reading.window + 1e-6).astype(int)
    seen = np.isfinite(features).all(axis=1)
    seconds = reading.window / reading.rate
    whole = (
        int((time[-1] + float(np.median(np.diff(time)))) / seconds + 1e-6) if len(time) > 1 else 0
    )
    windows = np.full((whole, 2 * features.shape[1]), np.nan, np.float32)
    for each in range(whole):
        inside = number == each
        rows = features[inside & seen]
        if len(rows) and len(rows) >= 0.5 * inside.sum():
            windows[each] = np.concatenate([rows.mean(axis=0), rows.std(axis=0)])
    return windows, np.arange(whole) * reading.window


def nearest(times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Which of ascending times lies nearest to each that is wanted, of any shape; the earlier of
    two.
    """
    after = np.searchsorted(times, wanted).clip(1, max(len(times) - 1, 1))
    before = after - 1
    after = after.clip(max=len(times) - 1)
    return np.where(wanted - times[before] <= times[after] - wanted, before, after)


def too_little(joints: np.ndarray, reading: Reading) -> str:
    """Why a clip's joints (time, joint, space) are not assessable; empty where they are."""
    there = np.isfinite(joints).all(axis=2)
    found = float((there.mean(axis=1) >= 0.5).mean())
    if found >= reading.min_found and there.any():
        return ""
    return (
        f"{reading.part} followed in {found:.0%} of the frames; {reading.min_found:.0%} are"
        " required"
    )


def too_few(snippets: np.ndarray, reading: Reading) -> str:
    """Why a clip's snippets (snippet, channel) are not assessable; empty where they are."""
    if len(snippets) == 0:
        return f"shorter than one snippet of {reading.window} frames"
    found = float(np.isfinite(snippets).all(axis=1).mean())
    if found >= reading.min_found and found > 0:
        return ""
    return f"{found:.0%} of the snippets have features; {reading.min_found:.0%} are required"


def prepare(tracks: xr.Dataset | TrackArrays, reading: Reading) -> np.ndarray:
    """(time, joint, space) in body units on the grid of `reading.rate`; NaN where missing.

    The steps are those of `semiology.data.preprocessing`, on arrays.
    """
    own = arrays_of(tracks) if isinstance(tracks, xr.Dataset) else tracks
    columns = joint_columns(own.keypoints, reading.graph)
    positions = join_columns(own.values[position_name(reading.dimensions, own.values)], columns)
    if reading.min_confidence > 0:
        confidence = join_columns(own.values["confidence"], columns, JOINS["confidence"])
        keep = ~(confidence < reading.min_confidence)
        positions = np.where(keep[:, None], positions, np.float32(np.nan))
    positions = filled_gaps(positions, gap_frames(reading.longest_gap, own.fps))
    if reading.smoothing > 0:
        positions = smoothed(positions, reading.smoothing, own.fps)
    graph = reading.graph
    joints = normalised_positions(
        positions.swapaxes(1, 2), graph.names, graph, reading.origin, reading.upright
    )
    if reading.rate > own.fps + 1e-6:
        raise UserError(
            f"rate: {reading.rate:g} Hz requested, but the tracks hold {own.fps:g} frames per"
            " second; set rate to at most that"
        )
    length = int(np.floor((len(joints) - 1) / own.fps * reading.rate + 1e-6)) + 1
    return joints[
        np.minimum(
            np.round(np.arange(length) * own.fps / reading.rate).astype(int), len(joints) - 1
        )
    ]


def summaries(series: np.ndarray, rate: float) -> dict[str, np.ndarray]:
    """mean, spread, least, greatest and speed (per second) over time of series (time, channel) ->
    (channel,) each; NaN is missing.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a channel that was never seen gives NaN
        return {
            "mean": np.nanmean(series, axis=0),
            "spread": np.nanstd(series, axis=0),
            "least": np.nanmin(series, axis=0),
            "greatest": np.nanmax(series, axis=0),
            "speed": np.nanmean(np.abs(np.diff(series, axis=0)), axis=0) * rate,
        }
