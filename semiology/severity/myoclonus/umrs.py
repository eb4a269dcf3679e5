"""The formula: classes of frequency, amplitude, smoothness and slowness (0 to 4 each), and from
them scores by body part, item, panel and visit. Nothing is fitted here.

The Unified Myoclonus Rating Scale rates the frequency and the amplitude of jerks from 0 to 4 for
each part of the body, at rest and with action, and multiplies the two. Its frequency is counted in
ten seconds: none, up to 1, 2 to 3, 4 to 9, 10 or more; its amplitude is rated visually: none,
trace, small, moderate, large. This is recalled from Frucht, Leurgans, Hallett and Fahn 2002 (Adv
Neurol 89:361) without the printed form: check it against that. Cut-offs of amplitude, smoothness
and slowness are our choice.
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
PANELS = ("rest", "stimulus", "action", "functional")  # of the UMRS; a cohort may name others
# jerks in ten seconds between the classes 1 to 4, recalled (above); measured rates are not integers
FREQUENCY = (1.5, 3.5, 9.5)
# torso lengths between trace, small, moderate and large: 5 mm, 15 mm and 5 cm in an adult [our
# choice]
AMPLITUDE = (0.01, 0.03, 0.10)
# SPARC of a movement; the first is the limit of healthy reaches (Balasubramanian et al. 2015) [our
# choice]
SMOOTHNESS = (-1.6, -2.0, -2.5, -3.5)
SLOWNESS = (1.25, 1.5, 2.0, 3.0)  # multiple of the controls' time for the same item [our choice]
# maximum of a part's product, and of a performance, which has the weight of one body part [our
# choice]
HIGHEST = 16.0
PERFORMANCE = "performance"  # listed like a body part in a functional item
UNNAMED = "unnamed"  # panel or item of clips that name none
CONTROLS = 3  # other participants that the usual time of an item needs [our choice]


def frequency_class(per_minute: float) -> float:
    """Class 0 (no jerk) to 4 of a rate of jerks per minute; NaN stays NaN."""
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
    """Class 1 (trace) to 4 (large) of an amplitude in torso lengths; NaN stays NaN."""
    return (
        math.nan
        if math.isnan(amplitude)
        else 1.0 + float(np.searchsorted(AMPLITUDE, amplitude, "right"))
    )


def smoothness_class(sparc: float) -> float:
    """Class 0 (as in healthy reaches) to 4 of a spectral arc length; NaN stays NaN."""
    return math.nan if math.isnan(sparc) else float(sum(sparc < edge for edge in SMOOTHNESS))


def slowness_class(ratio: float) -> float:
    """Class 0 to 4 of a time as a multiple of the controls'; NaN stays NaN."""
    return math.nan if math.isnan(ratio) else float(np.searchsorted(SLOWNESS, ratio, "right"))


@dataclass(frozen=True)
class PartScore:
    """A part of the body in one item.

    Attributes:
        seconds: usable time.
        jerks: number of events: synchronous jerks of the part's joints are one.
        per_minute: events per minute of usable time.
        amplitude: torso lengths, median over the events.
        smallest: torso lengths, the highest detection limit of the clips, see `PartMeasure`.
        frequency_class, amplitude_class: 0 to 4.
        score: product of the two classes, 0 to 16; NaN where the part was not seen for long enough.
    """

    seconds: float
    jerks: int
    per_minute: float
    amplitude: float
    smallest: float
    frequency_class: float
    amplitude_class: float
    score: float


@dataclass(frozen=True)
class Performance:
    """Performance of a functional item.

    Attributes:
        sparc: median spectral arc length of its movements.
        seconds: duration.
        ratio: of the duration to the other controls' median; NaN with fewer than `CONTROLS`.
        smoothness_class, slowness_class: 0 to 4.
        score: 0 to 16: 4 x smoothness, or 2 x (smoothness + slowness) where `ratio` is known.
    """

    sparc: float
    seconds: float
    ratio: float
    smoothness_class: float
    slowness_class: float
    score: float


@dataclass(frozen=True)
class ItemScore:
    """One item of a participant's visit; several clips of it are pooled: their jerks divided by
    their usable time.
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
        """The addends of the score: of each part and of the performance, without NaN."""
        values = {part: found.score for part, found in self.parts.items()}
        if self.performance is not None:
            values[PERFORMANCE] = self.performance.score
        return {name: value for name, value in values.items() if not math.isnan(value)}

    @property
    def score(self) -> float:
        """Sum of `values`; NaN without any."""
        return sum(self.values.values()) if self.values else math.nan


# (participant, visit) -> (panel, item) -> clips
Groups = dict[tuple[str, str], dict[tuple[str, str], list[Clip]]]
Cell = tuple[str, str, str]  # panel, item, part of the body or PERFORMANCE


@dataclass(frozen=True)
class Visit:
    """A participant's visit and its items; no items where no clip of it could be measured."""

    participant_id: str
    visit: str
    items: tuple[ItemScore, ...]

    @property
    def cells(self) -> set[Cell]:
        """The (panel, item, part) with a score."""
        return {(item.panel, item.item, name) for item in self.items for name in item.values}

    def panels(self, cells: set[Cell] | None = None) -> dict[str, float]:
        """Panel -> mean of its items' scores, NaN where nothing was seen; restricted to `cells`,
        where given.
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
        """Sum over the panels with a score; NaN without any."""
        seen = [score for score in self.panels(cells).values() if not math.isnan(score)]
        return sum(seen) if seen else math.nan

    def parts(self, panel: str = "") -> set[str]:
        """Body parts with a score in a panel, or in any panel."""
        return {name for own, _, name in self.cells if name != PERFORMANCE and panel in ("", own)}


def score_visits(
    clips: Sequence[Clip],
    measures: Mapping[str, ClipMeasures],
    controls: Iterable[str],
    seen: float,
) -> list[Visit]:
    """Score every participant's visits, in the order of the clips; clips without measures are left
    out.

    Args:
        clips: of the cohort; `panel`, `item` and `visit` are read from their covariates.
        measures: clip_id -> measures.
        controls: participants whose durations give the usual time of an item; a control is compared
            with the other controls.
        seen: s for which a part of the body has to be usable in an item to be scored.
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
    """Score the parts of one item, from all its clips, and its performance if it is a functional
    test.

    Args:
        measures: of the item's clips.
        seen: as for `score_visits`.
        control_seconds: the controls' time, NaN where unknown; None for an item that is no
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
    """Functional item -> control -> duration at the control's first visit with it, median over
    clips.
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
    """Median of the times of the other controls; NaN with fewer than `CONTROLS` of them."""
    others = [
        seconds
        for control, seconds in times.items()
        if control != participant and not math.isnan(seconds)
    ]
    return median(others) if len(others) >= CONTROLS else math.nan


def panel_of(clip: Clip) -> str:
    """The panel of a clip, in a form suitable for a column's name."""
    return slug(clip.covariates.get("panel", "").lower()) or UNNAMED


def panel_order(panel: str) -> tuple[int, str]:
    """Sort key: the UMRS' panels in its order, then the others by name."""
    return (PANELS.index(panel) if panel in PANELS else len(PANELS), panel)
