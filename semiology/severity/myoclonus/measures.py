"""What is measured in one clip, whoever it is of and whatever panel it belongs to; kept as JSON
beside the clip's jerks.

How a functional test was performed: how smooth its movements were and how long they took.
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
# of the 95th percentile of the hand's speed, below which it pauses; 0.1 would cut off so much that
# SPARC tells [our choice]
SHARE = 0.05
# share of the clip in which the hand has to be seen, or nothing is said of its movements [our
# choice]
FOLLOWED = 0.5
SHORTEST = 0.4  # s of a movement; what is shorter is a jerk of a hand at rest [our choice]

Number = Annotated[
    float, BeforeValidator(lambda value: np.nan if value is None else value)
]  # JSON has no NaN: it is null there


class Task(BaseModel):
    """What the hand that moved more did; without figures where it was not followed. A movement that
    a gap cuts off is not counted.

    Attributes:
        side: that hand's, "left" or "right"; "" where neither was in view.
        seconds: from the first movement's beginning to the last one's end.
        movements: how many.
        movement_seconds: their median length, s.
        sparc: their median spectral arc length; nearer to 0 is smoother.
    """

    model_config = ConfigDict(frozen=True)

    side: str = ""
    seconds: Number = np.nan
    movements: int = 0
    movement_seconds: Number = np.nan
    sparc: Number = np.nan


def measure_task(tracks: xr.Dataset) -> Task:
    """The movements of the hand that went the longer way. Tracks without wrists give a task without
    figures.
    """
    fps, names = float(tracks.attrs["fps"]), tracks.keypoint.values.tolist()
    positions, torso = positions_of(tracks, "torso")
    wrists = {
        side: positions[:, names.index(f"{side}_wrist")] / torso
        for side in ("left", "right")
        if f"{side}_wrist" in names
    }
    ways = {side: way for side, wrist in wrists.items() if np.isfinite(way := path_length(wrist))}
    if not ways:
        return Task()
    side = max(ways, key=lambda name: ways[name])
    fast = speed(wrists[side], fps, min(CUTOFF, highest_cutoff(1, fps)))
    known = np.isfinite(fast)
    if known.mean() < FOLLOWED:
        return Task(side=side)
    moving = fast > max(STILL, SHARE * float(np.nanpercentile(fast, 95)))
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
    """How myoclonus is scored.

    Attributes:
        jerks: how jerks are found, see `JerkSettings`; its `confidence` holds for all that is
            measured.
        seen: s, for which a part of the body has to be usable in an item to be scored there; one
            jerk in a shorter time would already be a high rate. [our choice]
        within: s, after the first onset, in which other joints may join an event, see
            `synchronous`.
    """

    jerks: JerkSettings = field(default_factory=JerkSettings)
    seen: float = 5.0
    within: float = 0.1

    def __post_init__(self) -> None:
        if not (self.seen > 0 and self.within > 0):
            raise UserError(
                f"seen and within: {self.seen:g} and {self.within:g} s; both have to be positive"
            )


class PartMeasure(BaseModel):
    """A part of the body over a clip.

    Attributes:
        seconds: for which the joint of it that was seen longest was usable.
        amplitudes: torso lengths, one an event: the largest of its joints.
        peaks: s, when each event was at its peak.
        smallest: torso lengths, of a jerk of 0.2 s that stands out of the noise of its quietest
            joint: smaller ones are not found.
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
    """Speed over a clip for a figure: the highest of each bin of `step` s, torso lengths / s by
    part; NaN where it was not seen.
    """

    model_config = ConfigDict(frozen=True)

    step: float
    speed: dict[str, tuple[Number, ...]]


class ClipMeasures(BaseModel):
    """A clip's jerks and movement by part of the body.

    Attributes:
        key: stands for the tracks and settings that it was made of.
        seconds: length of the clip.
        torso: length of the trunk in px (m where the tracks are in m); NaN where it was never seen.
        spread: "focal", "segmental", "multifocal", "generalised" -> events over the whole body.
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
    """Find a clip's jerks and measure its movement.

    Args:
        tracks: of the body, in px or m.
        key: put into the measures.

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
    kinds = [event.extent for event in synchronous(jerks, within)]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def _trace(tracks: xr.Dataset, parts: list[str]) -> Trace:
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
    """Median of the values that are known; NaN where none is."""
    known = [value for value in values if not math.isnan(value)]
    return median(known) if known else math.nan
