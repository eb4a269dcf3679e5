"""The formula: from what was measured in clips to scores by body part, item, panel and visit.
Nothing is fitted here.

The classes of the formula: how often, how large, how smooth, how slow, each 0 to 4.

The Unified Myoclonus Rating Scale rates the frequency and the amplitude of jerks from 0 to 4 for
each part of the body, at rest and with action, and multiplies the two. Its frequency is counted in
ten seconds: none, up to 1, 2 to 3, 4 to 9, 10 or more; its amplitude is judged by eye: none, trace,
small, moderate, large. This is recalled from Frucht, Leurgans, Hallett and Fahn 2002 (Adv Neurol
89:361); nobody here had the printed form: to be checked against it. Cut-offs of amplitude, of
smoothness and of time are our choice.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from semiology.data.cohort import Clip
from semiology.files import slug
from semiology.severity.kinematics import SEGMENTS
from semiology.severity.myoclonus.measures import ClipMeasures, PartMeasure, known_median

PARTS = tuple(SEGMENTS)  # face, neck, trunk, left_arm, right_arm, left_leg, right_leg
PANELS = (
    "rest",
    "stimulus",
    "action",
    "functional",
)  # of the UMRS, in its order; a cohort may name others
FREQUENCY = (
    1.5,
    3.5,
    9.5,
    # jerks in ten seconds between the classes 1 to 4, recalled (above); a measured rate falls between
    # whole jerks
)
AMPLITUDE = (
    0.01,
    0.03,
    0.10,
    # torso lengths between trace, small, moderate and large: 5 mm, 15 mm and 5 cm in an adult [our
    # choice]
)
SMOOTHNESS = (
    -1.6,
    -2.0,
    -2.5,
    -3.5,
    # SPARC of a movement; the first is the end of healthy reaches (Balasubramanian et al. 2015) [our
    # choice]
)
SLOWNESS = (1.25, 1.5, 2.0, 3.0)  # times as long as controls take for the same item [our choice]
# of a part's product, and of a performance, which weighs as much as one part of the body [our
# choice]
HIGHEST = 16.0


def frequency_class(per_minute: float) -> float:
    """0 (no jerk) to 4 for a rate of jerks a minute; NaN stays NaN."""
    return (
        math.nan
        if math.isnan(per_minute)
        else (
            0.0
            if per_minute == 0
            else 1.0 + float(np.searchsorted(FREQUENCY, per_minute / 6, "right"))
        )
    )


def amplitude_class(amplitude: float) -> float:
    """1 (trace) to 4 (large) for an amplitude in torso lengths; NaN stays NaN."""
    return (
        math.nan
        if math.isnan(amplitude)
        else 1.0 + float(np.searchsorted(AMPLITUDE, amplitude, "right"))
    )


def smoothness_class(sparc: float) -> float:
    """0 (as healthy reaches) to 4 for a spectral arc length; NaN stays NaN."""
    return math.nan if math.isnan(sparc) else float(sum(sparc < edge for edge in SMOOTHNESS))


def slowness_class(ratio: float) -> float:
    """0 to 4 for a time as a multiple of the controls'; NaN stays NaN."""
    return math.nan if math.isnan(ratio) else float(np.searchsorted(SLOWNESS, ratio, "right"))


PERFORMANCE = "performance"  # stands beside the body's parts in a functional item
UNNAMED = "unnamed"  # panel or item of clips that name none
# who did an item, besides the participant, before it is said how long it should take [our choice]
CONTROLS = 3


@dataclass(frozen=True)
class PartScore:
    """A part of the body in one item. `score` is NaN where the part was not seen for long enough."""

    seconds: float  # usable
    jerks: int  # events: synchronous jerks of the part's joints are one
    per_minute: float
    amplitude: float  # torso lengths, median over the events
    # torso lengths: what a jerk needs to be found in each of the clips, see `PartMeasure`
    smallest: float
    frequency_class: float
    amplitude_class: float
    score: float  # the product of the two classes, 0 to 16


@dataclass(frozen=True)
class Performance:
    """How a functional item was done. `score` is 4 x smoothness, or 2 x (smoothness + slowness)
    where controls say how long it takes.
    """

    sparc: float
    seconds: float
    ratio: (
        float  # of the seconds to the other controls' median; NaN with fewer than CONTROLS of them
    )
    smoothness_class: float
    slowness_class: float
    score: float  # 0 to 16


@dataclass(frozen=True)
class ItemScore:
    """One item of a participant's visit; several clips of it are pooled: their jerks over their
    usable time.
    """

    participant_id: str
    visit: str
    panel: str
    item: str
    clip_ids: tuple[str, ...]
    parts: dict[str, PartScore]
    performance: Performance | None = None

    @property
    def values(self) -> dict[str, float]:
        """What is added up: each part's score and the performance's, without those that were not
        seen.
        """
        values = {part: found.score for part, found in self.parts.items()}
        if self.performance is not None:
            values[PERFORMANCE] = self.performance.score
        return {name: value for name, value in values.items() if not math.isnan(value)}

    @property
    def score(self) -> float:
        return sum(self.values.values()) if self.values else math.nan


Groups = dict[
    tuple[str, str], dict[tuple[str, str], list[Clip]]
]  # (participant, visit) -> (panel, item) -> clips
Cell = tuple[str, str, str]  # panel, item, part of the body or PERFORMANCE


@dataclass(frozen=True)
class Visit:
    """A participant's visit and its items, none where no clip of it could be measured."""

    participant_id: str
    visit: str
    items: tuple[ItemScore, ...]

    @property
    def cells(self) -> set[Cell]:
        """What the scores rest on."""
        return {(item.panel, item.item, name) for item in self.items for name in item.values}

    def panels(self, cells: set[Cell] | None = None) -> dict[str, float]:
        """Panel -> mean over its items of what each adds up to, NaN where nothing was seen; over
        some `cells` only, where given.
        """
        sums: dict[str, list[float]] = {item.panel: [] for item in self.items}
        for item in self.items:
            values = [
                value
                for name, value in item.values.items()
                if cells is None or (item.panel, item.item, name) in cells
            ]
            if values:
                sums[item.panel].append(sum(values))
        return {panel: float(np.mean(own)) if own else math.nan for panel, own in sums.items()}

    def total(self, cells: set[Cell] | None = None) -> float:
        """The sum over the panels that were seen; NaN without any."""
        seen = [score for score in self.panels(cells).values() if not math.isnan(score)]
        return sum(seen) if seen else math.nan

    def parts(self, panel: str = "") -> set[str]:
        """Parts of the body that a panel's score, or the total, rests on."""
        return {name for own, _, name in self.cells if name != PERFORMANCE and panel in ("", own)}


def score_visits(
    clips: Sequence[Clip],
    measures: Mapping[str, ClipMeasures],
    controls: Iterable[str],
    seen: float,
) -> list[Visit]:
    """Every participant's visits, in the order of the clips; items rest on the clips that have
    measures.

    Args:
        clips: of the cohort; `panel`, `item` and `visit` are read from their covariates.
        measures: clip_id -> what was measured.
        controls: participants whose times say how long an item takes; their own are held against
            the others'.
        seen: s for which a part of the body has to be usable in an item; else it is not scored.
    """
    groups: Groups = {}
    for clip in clips:
        visit = groups.setdefault((clip.participant_id, clip.covariates.get("visit", "")), {})
        if clip.clip_id in measures:
            visit.setdefault((panel_of(clip), clip.covariates.get("item") or UNNAMED), []).append(
                clip
            )
    times = _control_times(groups, measures, set(controls))
    visits = []
    for (participant, visit_name), items in groups.items():
        scored = []
        for panel, item in sorted(items, key=lambda name: panel_order(name[0])):
            own = items[panel, item]
            usual = _usual_time(times.get(item, {}), participant) if panel == "functional" else None
            found = score_item([measures[clip.clip_id] for clip in own], seen, usual)
            scored.append(
                ItemScore(
                    participant,
                    visit_name,
                    panel,
                    item,
                    tuple(clip.clip_id for clip in own),
                    *found,
                )
            )
        visits.append(Visit(participant, visit_name, tuple(scored)))
    return visits


def score_item(
    measures: Sequence[ClipMeasures], seen: float, control_seconds: float | None
) -> tuple[dict[str, PartScore], Performance | None]:
    """The parts of one item, from all its clips, and its performance if it is a functional test.

    Args:
        seen: as for `score_visits`.
        control_seconds: the time that controls take, NaN where it is not known; None for what is no
            functional test.
    """
    parts = {
        part: _score_part([one.parts[part] for one in measures if part in one.parts], seen)
        for part in PARTS
    }
    if control_seconds is None:
        return parts, None
    smooth = known_median(one.task.sparc for one in measures)
    seconds = known_median(one.task.seconds for one in measures)
    smoothness, slowness = smoothness_class(smooth), slowness_class(seconds / control_seconds)
    score = HIGHEST / 4 * (smoothness if math.isnan(slowness) else (smoothness + slowness) / 2)
    return parts, Performance(
        smooth, seconds, seconds / control_seconds, smoothness, slowness, score
    )


def _score_part(measures: Sequence[PartMeasure], seen: float) -> PartScore:
    seconds = sum(one.seconds for one in measures)
    amplitudes = [amplitude for one in measures for amplitude in one.amplitudes]
    smallest = max(
        (one.smallest for one in measures if not math.isnan(one.smallest)), default=math.nan
    )
    if seconds < seen:
        return PartScore(
            seconds, len(amplitudes), math.nan, math.nan, smallest, math.nan, math.nan, math.nan
        )
    rate = 60 * len(amplitudes) / seconds
    typical = median(amplitudes) if amplitudes else math.nan
    often, large = frequency_class(rate), amplitude_class(typical) if amplitudes else 0.0
    return PartScore(seconds, len(amplitudes), rate, typical, smallest, often, large, often * large)


def _control_times(
    groups: Groups, measures: Mapping[str, ClipMeasures], controls: set[str]
) -> dict[str, dict[str, float]]:
    """Functional item -> control -> the time that it took at the control's first visit with it,
    median over clips.
    """
    times: dict[str, dict[str, float]] = {}
    for (participant, _), items in groups.items():
        for (panel, item), clips in items.items():
            if participant in controls and panel == "functional":
                times.setdefault(item, {}).setdefault(
                    participant, known_median(measures[clip.clip_id].task.seconds for clip in clips)
                )
    return times


def _usual_time(times: Mapping[str, float], participant: str) -> float:
    """Median of the controls' times but for the participant's own; NaN with fewer than `CONTROLS`
    of them.
    """
    others = [
        seconds
        for control, seconds in times.items()
        if control != participant and not math.isnan(seconds)
    ]
    return median(others) if len(others) >= CONTROLS else math.nan


def panel_of(clip: Clip) -> str:
    """The panel that a clip belongs to, fit for a column's name."""
    return slug(clip.covariates.get("panel", "").lower()) or UNNAMED


def panel_order(panel: str) -> tuple[int, str]:
    """The UMRS' panels in its order, then the others by name."""
    return (PANELS.index(panel) if panel in PANELS else len(PANELS), panel)
