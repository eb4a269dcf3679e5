"""Measures of one clip, whatever its participant and panel; stored as JSON beside the clip's jerks.

First the performance of a functional test (smoothness and duration of its movements), then the
jerks and the movement of each part of the body.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Annotated

import numpy as np
import xarray as xr
from pydantic import BaseModel, BeforeValidator, ConfigDict

from semiology.data.preprocessing import drop_low_confidence
from semiology.errors import UserError
from semiology.severity.jerks import (
    DetectedJerks,
    Jerk,
    JerkSettings,
    by_part,
    find_jerks,
    synchronous,
)
from semiology.severity.kinematics import (
    SEGMENTS,
    highest_cutoff,
    kinematic_table,
    path_length,
    sparc,
    speed,
    unbroken_runs,
)
from semiology.severity.kinematics.derivatives import CUTOFF
from semiology.severity.kinematics.segments import positions_of

STILL = 0.1  # torso lengths / s, about 5 cm/s: below it a hand is at rest [our choice]
# fraction of the 95th percentile of the hand's speed below which it pauses; 0.1 would cut off so
# much that SPARC changes [our choice]
PAUSE = 0.05
VISIBLE = 0.5  # fraction of the clip in which the hand has to be seen [our choice]
SHORTEST = 0.4  # s of a movement; a shorter one is a jerk of a hand at rest [our choice]

# JSON has no NaN: it is null there
Number = Annotated[float, BeforeValidator(lambda value: np.nan if value is None else value)]


class Task(BaseModel):
    """Movements of the hand with the longer path; NaN where it was not seen for long enough. A
    movement that a gap interrupts is not counted.

    Attributes:
        side: of that hand, "left" or "right"; "" where neither was in view.
        seconds: from the first movement's onset to the last one's end.
        movements: their number.
        movement_seconds: their median duration, s.
        sparc: their median spectral arc length; nearer to 0 is smoother.
    """

    model_config = ConfigDict(frozen=True)

    side: str = ""
    seconds: Number = np.nan
    movements: int = 0
    movement_seconds: Number = np.nan
    sparc: Number = np.nan


def measure_task(tracks: xr.Dataset) -> Task:
    """Measure the movements of the hand with the longer path; an empty `Task` for tracks without
    wrists.
    """
    fps, names = float(tracks.attrs["fps"]), tracks.keypoint.values.tolist()
    positions, torso = positions_of(tracks, "torso")
    wrists = {
        side: positions[:, names.index(f"{side}_wrist")] / torso
        for side in ("left", "right")
        if f"{side}_wrist" in names
    }
    paths = {name: path_length(wrist) for name, wrist in wrists.items()}
    paths = {name: path for name, path in paths.items() if np.isfinite(path)}
    if not paths:
        return Task()
    side = max(paths, key=lambda name: paths[name])
    fast = speed(wrists[side], fps, min(CUTOFF, highest_cutoff(1, fps)))
    known = np.isfinite(fast)
    if known.mean() < VISIBLE:
        return Task(side=side)
    moving = fast > max(STILL, PAUSE * float(np.nanpercentile(fast, 95)))
    whole = [
        run
        for run in unbroken_runs(moving)
        if run.start and known[run.start - 1] and known[run.stop : run.stop + 1].all()
    ]
    runs = [run for run in whole if run.stop - run.start >= SHORTEST * fps]
    if not runs:
        return Task(side=side)
    return Task(
        side=side,
        seconds=(runs[-1].stop - runs[0].start) / fps,
        movements=len(runs),
        movement_seconds=float(np.median([run.stop - run.start for run in runs])) / fps,
        sparc=float(np.nanmedian([sparc(fast[run], fps) for run in runs])),
    )


BINS = 600  # of a speed trace at most; a report's figure is about as many pixels wide
TRACE_CUTOFF = 8.0  # Hz, of the speed that is drawn: jerks still stand out of it [our choice]


@dataclass(frozen=True)
class Settings:
    """Settings of the myoclonus score.

    Attributes:
        jerks: settings of the jerk detection, see `JerkSettings`; its `confidence` applies to all
            measures.
        seen: s for which a part of the body has to be usable in an item to be scored there; in a
            shorter time one jerk would already be a high rate. [our choice]
        within: s after the first onset in which jerks of other joints belong to the same event, see
            `synchronous`.
    """

    jerks: JerkSettings = field(default_factory=JerkSettings)
    seen: float = 5.0
    within: float = 0.1

    def __post_init__(self) -> None:
        if not (self.seen > 0 and self.within > 0):
            raise UserError(
                f"seen={self.seen:g} s, within={self.within:g} s: both have to be positive"
            )


class PartMeasure(BaseModel):
    """A part of the body over a clip.

    Attributes:
        seconds: usable time of its joint that was seen longest.
        amplitudes: torso lengths, one per event: the largest of its joints.
        peaks: s, peak of each event.
        smallest: detection limit, torso lengths: amplitude of a jerk of 0.2 s that exceeds the
            noise of its quietest joint.
        speed: torso lengths / s, median over frames and mean over joints.
        sparc, ldlj: smoothness, see `kinematic_table`.
    """

    model_config = ConfigDict(frozen=True)

    seconds: float
    amplitudes: tuple[float, ...] = ()
    peaks: tuple[float, ...] = ()
    smallest: Number = np.nan
    speed: Number = np.nan
    sparc: Number = np.nan
    ldlj: Number = np.nan


class Trace(BaseModel):
    """Speed over a clip for a figure: part -> maximum of each bin of `step` s, torso lengths / s;
    NaN where it was not seen.
    """

    model_config = ConfigDict(frozen=True)

    step: float
    speed: dict[str, tuple[Number, ...]]


class ClipMeasures(BaseModel):
    """A clip's jerks and movement by part of the body.

    Attributes:
        key: hash of the tracks and settings behind it.
        seconds: length of the clip.
        torso: length of the torso in px (m where the tracks are in m); NaN where it was never seen.
        parts: body part -> its measures.
        spread: extent ("focal", "segmental", "multifocal", "generalised") -> number of events.
        task: performance of a functional test.
        trace: speed for the figure.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    seconds: float
    torso: Number
    parts: dict[str, PartMeasure]
    spread: dict[str, int]
    task: Task
    trace: Trace


def measure_clip(
    tracks: xr.Dataset, settings: Settings | None = None, key: str = ""
) -> tuple[ClipMeasures, DetectedJerks]:
    """Detect a clip's jerks and measure its movement.

    Args:
        tracks: of the body, in px or m.
        settings: by default `Settings()`.
        key: stored in the measures.

    Raises:
        UserError: no keypoint of the tracks is a joint of the body; the frame rate is too low for
            the settings.
    """
    settings = settings or Settings()
    tracks = drop_low_confidence(tracks, settings.jerks.confidence)
    found = find_jerks(tracks, settings.jerks)
    table = kinematic_table(tracks)
    movement = table[table["level"] == "segment"].set_index("name").to_dict("index")
    counted = by_part(found.jerks, settings.within)
    parts = {}
    for part, segment in SEGMENTS.items():
        usable = {
            joint: found.usable[joint] for joint in segment.keypoints if joint in found.usable
        }
        if not usable:
            continue
        events = [jerk for jerk in counted if jerk.segment == part]
        row = movement[part]
        parts[part] = PartMeasure(
            seconds=max(usable.values()),
            amplitudes=tuple(jerk.amplitude for jerk in events),
            peaks=tuple(jerk.peak for jerk in events),
            smallest=float(np.fmin.reduce([found.smallest[joint] for joint in usable])),
            speed=row["speed"],
            sparc=row["sparc"],
            ldlj=row["log_dimensionless_jerk"],
        )
    fps = float(tracks.attrs["fps"])
    measures = ClipMeasures(
        key=key,
        seconds=tracks.sizes["time"] / fps,
        torso=found.torso,
        parts=parts,
        spread=_spread(found.jerks, settings.within),
        task=measure_task(tracks),
        trace=_trace(tracks, list(parts)),
    )
    return measures, found


def _spread(jerks: list[Jerk], within: float) -> dict[str, int]:
    """Extent -> number of events."""
    kinds = [event.extent for event in synchronous(jerks, within)]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def _trace(tracks: xr.Dataset, parts: list[str]) -> Trace:
    """The speed of each part, in at most `BINS` bins."""
    fps, names = float(tracks.attrs["fps"]), tracks.keypoint.values.tolist()
    positions, torso = positions_of(tracks, "torso")
    positions = positions / torso
    width = max(1, -(-len(positions) // BINS))  # frames of a bin
    edges = range(0, len(positions), width)
    traces = {}
    for part in parts:
        joints = [names.index(name) for name in SEGMENTS[part].keypoints if name in names]
        speeds = [
            speed(positions[:, joint], fps, min(TRACE_CUTOFF, highest_cutoff(1, fps)))
            for joint in joints
        ]
        fastest = np.fmax.reduce(speeds)
        traces[part] = tuple(
            float(np.fmax.reduce(fastest[start : start + width])) for start in edges
        )
    return Trace(step=width / fps, speed=traces)


def known_median(values: Iterable[float]) -> float:
    """Median of the values that are not NaN; NaN without any."""
    known = [value for value in values if not math.isnan(value)]
    return median(known) if known else math.nan
