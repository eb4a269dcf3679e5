"""How videos are cut into clips, and the labels of the clips by the marks in them."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from semiology.data.cohort.label import FIXED_COLUMNS, KNOWN_COVARIATES
from semiology.data.events import Event, EventTable
from semiology.errors import UserError

MARGIN = 5.0  # s before and after marks [our choice]
LEVELS = {"absent": "Not marked in the clip", "present": "Marked in the clip"}
PHASE = "phase"  # the column that says which phase a clip is
Rated = dict[Path, dict[str, EventTable]]  # video -> rater -> marks


class Span(NamedTuple):
    """A clip: start and end, s of the video, inf for its end; and which phase it is."""

    start: float
    end: float
    phase: str = ""

    def holds(self, event: Event) -> bool:
        """Whether an event, or its onset where its end is unknown, lies in the clip in part."""
        if not event.duration:
            return self.start <= event.onset < self.end
        return event.onset < self.end and event.offset > self.start

    def shows(self, table: EventTable, sign: str) -> bool:
        """Whether a rater marked a sign in the clip."""
        return any(event.sign == sign and self.holds(event) for event in table.events)


@dataclass(frozen=True)
class Cut:
    """How videos are cut into clips; attributes as arguments of `import_cohort`.

    Raises:
        UserError: phases of whole videos, margins that are none.
    """

    phases: tuple[str, ...] = ()
    whole: bool = False
    before: float = MARGIN
    after: float = MARGIN
    unmarked: float | None = None

    def __post_init__(self) -> None:
        if self.whole and self.phases:
            raise UserError("whole videos or phases: a clip is one of them; leave one out")
        if self.unmarked is not None and (self.whole or self.phases):
            raise UserError("unmarked: goes with clips around marks only; leave it out")
        if not (0 <= self.before < math.inf and 0 <= self.after < math.inf):
            raise UserError("before, after: give seconds of 0 or more")
        if self.unmarked is not None and not 0 < self.unmarked < math.inf:
            raise UserError("unmarked: give seconds above 0")

    def is_phase(self, event: Event) -> bool:
        """Whether an event is a clip of its own, by its sign or tier."""
        return event.sign in self.phases or event.tier in self.phases

    def spans(self, tables: Iterable[EventTable]) -> list[Span]:
        """The clips of a video by the marks of its raters, in order."""
        tables = list(tables)
        length = next((table.duration for table in tables if table.duration), math.inf)
        events = [event for table in tables for event in table.events]
        if self.whole:
            return [Span(0.0, math.inf)]
        if self.phases:
            named: dict[str, list[Event]] = {}
            for event in events:
                if self.is_phase(event) and event.duration:
                    named.setdefault(event.sign, []).append(event)
            found = [
                Span(begin, end, phase)
                for phase, own in named.items()
                for begin, end in _joined(((one.onset, one.offset) for one in own), length)
            ]
        else:
            widened = (
                (one.onset - self.before, one.onset + (one.duration or 0.0) + self.after)
                for one in events
            )
            marked = _joined(widened, length, meeting=True)
            found = [Span(*span) for span in marked + self._between(marked, length)]
        whole_ms = (
            Span(round(begin, 3), math.inf if end > length - 0.001 else round(end, 3), phase)
            for begin, end, phase in found
        )
        return sorted(span for span in whole_ms if span.end > span.start)

    def _between(
        self, marked: Sequence[tuple[float, float]], length: float
    ) -> list[tuple[float, float]]:
        """The middle of each stretch without marks that is long enough."""
        if self.unmarked is None or length == math.inf:
            return []
        edges = [0.0, *(edge for span in marked for edge in span), length]
        middles = [
            (begin + end) / 2
            for begin, end in zip(edges[::2], edges[1::2])
            if end - begin >= self.unmarked
        ]
        return [(at - self.unmarked / 2, at + self.unmarked / 2) for at in middles]


def _joined(
    stretches: Iterable[tuple[float, float]], length: float, meeting: bool = False
) -> list[tuple[float, float]]:
    """Stretches within 0 and `length`, those that overlap (or meet) as one, in order."""
    found: list[tuple[float, float]] = []
    for begin, end in sorted((max(begin, 0.0), min(end, length)) for begin, end in stretches):
        if end <= begin:
            continue
        last = found[-1][1] if found else -math.inf
        if begin < last or (meeting and begin == last):
            found[-1] = (found[-1][0], max(last, end))
        else:
            found.append((begin, end))
    return found


@dataclass(frozen=True)
class Labels:
    """The labels of clips.

    Attributes:
        levels: of each clip, column of clips.tsv -> level, or n/a.
        sidecar: what clips.json says of the columns.
        names: of the labels, without those of single raters where there are several.
        guesses: what was decided of them, a line each.
        differ: label -> in how many clips the raters differ.
    """

    levels: Mapping[tuple[Path, Span], dict[str, str]]
    sidecar: Mapping[str, Mapping[str, object]]
    names: Sequence[str]
    guesses: Sequence[str]
    differ: Counter[str]


def label_clips(rated: Rated, clips: Mapping[Path, Sequence[Span]], cut: Cut) -> Labels:
    """The labels of clips: each sign is present where a mark of it overlaps the clip, absent where
    none does, n/a where the video was not marked.

    Of several raters each has columns `sign@rater`, of the signs that this rater marked anywhere,
    and `sign` is what those agree on who marked the video, n/a where they differ. [our choice]

    Args:
        rated: the marks of each video by rater.
        clips: of each video.
        cut: what they were cut by; phases are no label.
    """
    known: dict[str, set[str]] = {}  # rater -> signs
    for own in rated.values():
        for who, table in own.items():
            signs = {event.sign for event in table.events if not cut.is_phase(event)}
            known.setdefault(who, set()).update(signs)
    several = len(known) > 1
    guesses: list[str] = []
    sidecar: dict[str, dict[str, object]] = {}
    if cut.phases:
        phases = sorted({span.phase for spans in clips.values() for span in spans})
        sidecar[PHASE] = {
            "Role": "covariate",
            "Description": "Which phase the clip is",
            "Levels": dict.fromkeys(phases, ""),
        }
    columns = {sign: sign for sign in sorted(set().union(*known.values()))}
    for sign in columns:
        if sign in (*FIXED_COLUMNS, *KNOWN_COVARIATES, PHASE):
            columns[sign] = f"sign_{sign}"
            guesses.append(f"the label of {sign!r} is sign_{sign}: {sign} is another column")
    for sign, column in columns.items():
        about = {"Role": "label", "LongName": sign, "Levels": LEVELS}
        whose = "all raters who marked the video, n/a where they differ"
        sidecar[column] = {
            **about,
            "Description": f"Marked by {whose if several else next(iter(known))}",
        }
        for who in sorted(known) if several else ():
            if sign in known[who]:
                sidecar[f"{column}@{who}"] = {**about, "Description": f"Marked by {who}"}
            else:
                guesses.append(f"{who} marked no {sign} anywhere: no column {column}@{who}")
    levels: dict[tuple[Path, Span], dict[str, str]] = {}
    differ: Counter[str] = Counter()
    for video, span in ((video, span) for video, spans in clips.items() for span in spans):
        row = levels[video, span] = {name: "n/a" for name in sidecar if name != PHASE}
        for sign, column in columns.items():
            own_levels = {
                who: "present" if span.shows(table, sign) else "absent"
                for who, table in rated[video].items()
                if sign in known[who]
            }
            if several:
                row |= {f"{column}@{who}": level for who, level in own_levels.items()}
            if len(set(own_levels.values())) == 1:
                row[column] = next(iter(own_levels.values()))
            differ[column] += len(set(own_levels.values())) > 1
    return Labels(levels, sidecar, list(columns.values()), guesses, differ)
