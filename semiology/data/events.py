"""Events (a sign from its onset to its offset), and their tables on disk: BIDS `events.tsv`, one
per recording, with a JSON sidecar that describes the columns.

Tables of the seizure-detection community (SzCORE: Dan et al. 2025, doi 10.1111/epi.18113) are read
too: their `eventType` is our `trial_type`, rows `bckg` (background) and `impd` (impedance check)
are no event, and seizure types form a hierarchy by their names. BIDS allows n/a as a duration, of
an event whose end is unknown: such a table is read where marks go to another program
(`read_events(path, scored=False)`), and refused where events are scored.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from semiology.data.cohort.row import LONGEST
from semiology.data.cohort.table import Fault, read_table, to_cell
from semiology.errors import UserError
from semiology.files import read_json, real_files, write_json, write_text

COLUMNS: dict[str, dict[str, object]] = {
    "onset": {"Description": "Start of the event, from the recording's start", "Units": "s"},
    "duration": {"Description": "Duration of the event, measured from its onset", "Units": "s"},
    "trial_type": {"Description": "The sign"},
    "level": {
        "Description": (
            "Which level of the sign, n/a where there is no more to say than that it is there"
        )
    },
    "confidence": {
        "Description": "Mean probability of the sign over the event, 0 to 1, n/a where unknown"
    },
}
# what a person says of an event: columns of tables in which an event has one of them
PERSONAL: dict[str, dict[str, object]] = {
    "side": {"Description": "Side of the body"},
    "body_part": {"Description": "Part of the body"},
    "rater": {"Description": "Who marked the event"},
    "source": {
        "Description": "Whether a person found the event, or a model and a person accepted it",
        "Levels": {"person": "found by the rater", "model": "found by a model"},
    },
    "comment": {"Description": "Comment of the rater"},
    "tier": {"Description": "Tier or track of the file that the event was imported from"},
}
SIDES = ("left", "right", "both")  # of the body, as a person marks them
ENDING = "_events.tsv"  # BIDS: <clip_id>_events.tsv
LENGTH = "RecordingDuration"  # BIDS has this name for the length of a recording, s
ABOUT_LENGTH = {"Description": "Length of the recording", "Units": "s"}
# s, overlap of neighbours that rounding may cause: SzCORE's tables have onsets and durations to
# 0.01 s, three of which are off by half of that [C: epilepsy2bids 0.0.7]
ROUNDING = 0.0151
BEYOND = 0.1  # s; a recording's last frame lasts beyond its time [our choice]
NO_EVENT = ("bckg", "impd")  # SzCORE: background, impedance check
SEIZURE = "sz"  # SzCORE: any seizure; its types are sz_foc, sz_foc_a, ...


@dataclass(frozen=True)
class Event:
    """A sign from its onset to its offset.

    Attributes:
        onset: s from the recording's start; negative where it began before the recording, as in
            BIDS.
        duration: s, 0 for an instant; None where the end is unknown, n/a in a table.
        sign: e.g. "dystonia" or "clonic"; `trial_type` in BIDS.
        level: class of the sign, e.g. "left"; None where presence is all that is annotated.
        confidence: 0 to 1; None where unknown.
        side, body_part, rater, source, comment, tier: what a person says of it, see `PERSONAL`.

    Raises:
        UserError: a number that is not finite or more than a year, a negative duration, a
            confidence outside of 0 to 1, a text that cannot be written in a table.
    """

    onset: float
    duration: float | None
    sign: str
    level: str | None = None
    confidence: float | None = None
    side: str | None = None
    body_part: str | None = None
    rater: str | None = None
    source: str | None = None
    comment: str | None = None
    tier: str | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.onset) and abs(self.onset) <= LONGEST):
            raise UserError(
                f"an event's onset is {self.onset:g} s; give seconds from the recording's start"
            )
        if self.duration is not None and not 0 <= self.duration <= LONGEST:
            raise UserError(
                f"the event at {self.onset:g} s lasts {self.duration:g} s; give 0 or more"
            )
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise UserError(
                f"the event at {self.onset:g} s has a confidence of {self.confidence:g}; give 0"
                " to 1"
            )
        for name in (self.sign, self.level, *(getattr(self, column) for column in PERSONAL)):
            if name is not None and (
                not name.strip() or name == "n/a" or any(mark in name for mark in '\t\r\n"')
            ):
                raise UserError(
                    f"the event at {self.onset:g} s is called {name!r}; give its sign and level"
                    " names without tabs and quotes"
                )

    @property
    def length(self) -> float:
        """Duration, s.

        Raises:
            UserError: the end is unknown.
        """
        if self.duration is None:
            raise UserError(
                f"the event {self.sign!r} at {self.onset:g} s has no end; mark it, or leave it out"
            )
        return self.duration

    @property
    def offset(self) -> float:
        """End of the event, s from the recording's start; raises as `length`."""
        return self.onset + self.length

    @property
    def kind(self) -> tuple[str, str | None]:
        """Sign and level: events of one kind do not overlap."""
        return self.sign, self.level


@dataclass(frozen=True)
class EventTable:
    """Events of one recording, in order, and the recording's length in s, None where unknown."""

    events: list[Event]
    duration: float | None = None


def is_a(sign: str, other: str) -> bool:
    """Whether a sign is another, or a type of it by SzCORE's names of seizures: `sz_foc_ia_nm` is a
    `sz_foc_ia`, a `sz_foc` and a `sz`.
    """
    typed = other == SEIZURE or other.startswith(f"{SEIZURE}_")
    return sign == other or (typed and sign.startswith(f"{other}_"))


def in_order(events: list[Event]) -> list[Event]:
    """The events sorted by onset, then sign and level, as in tables."""
    return sorted(
        events,
        key=lambda event: (event.onset, event.sign, event.level or "", event.duration or 0.0),
    )


def write_events(
    path: str | Path,
    events: list[Event],
    duration: float | None = None,
    described: Mapping[str, Mapping[str, object]] | None = None,
) -> None:
    """Write `events.tsv`, to the millisecond, and beside it `events.json`, which also holds the
    recording's length. The columns of `PERSONAL` are written where an event has them.

    Args:
        path: the table, .tsv.
        events: in any order.
        duration: of the recording, s; false alarms per hour need it, and a table without events
            has no place for it.
        described: column -> more of its description, such as "Levels" and "HED".

    Raises:
        UserError: as `files.atomic_path`.
    """
    personal = [
        column for column in PERSONAL if any(getattr(event, column) is not None for event in events)
    ]
    columns = COLUMNS | {column: PERSONAL[column] for column in personal}
    path, lines = Path(path), ["\t".join(columns)]
    for event in in_order(events):
        onset, lasts = round(event.onset, 3), "n/a"
        if event.duration is not None:  # both ends rounded, so that neighbours do not overlap
            lasts = f"{round(event.offset, 3) - onset:.3f}"
        confidence = "n/a" if event.confidence is None else f"{event.confidence:.4f}"
        texts = [to_cell(getattr(event, column)) or "n/a" for column in personal]
        lines.append(
            f"{onset:.3f}\t{lasts}\t{to_cell(event.sign)}\t"
            + "\t".join([to_cell(event.level) or "n/a", confidence, *texts])
        )
    # BIDS lets nothing but objects stand in the description of a table [C: bids-validator 1.15.0]
    length = {} if duration is None else {LENGTH: {**ABOUT_LENGTH, "Value": round(duration, 3)}}
    write_text(path, "\n".join(lines) + "\n")
    more = described or {}
    sidecar = {name: about | dict(more.get(name, {})) for name, about in columns.items()}
    write_json(path.with_suffix(".json"), sidecar | length)


def read_events(path: str | Path, *, scored: bool = True) -> EventTable:
    """Read one `events.tsv`; columns other than `COLUMNS` and `PERSONAL` are ignored.

    Args:
        path: of the table.
        scored: refuse what cannot be scored: events without an end, and those of one sign that
            overlap.

    Raises:
        UserError: no such file, not a table in UTF-8, a missing column, an invalid cell, what
            cannot be scored. Rows count as in a spreadsheet: the header is row 1.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such table of events")
    faults: list[Fault] = []
    notes: list[str] = []
    table = read_table(path, ("onset", "duration"), faults, notes)
    if notes:
        raise UserError(f"{path}: is not in UTF-8; save it as tab-separated text in UTF-8")
    name = (
        "eventType"
        if "eventType" in table.columns and "trial_type" not in table.columns
        else "trial_type"
    )
    if table.columns and name not in table.columns:
        faults.append(Fault(path.name, "this column is missing; it names the sign", 1, name))
    if faults:
        more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
        raise UserError(f"{path.parent / str(faults[0])}{more}")
    rows: list[tuple[int, Event]] = []
    lengths = {}
    for row, cells in table.rows:
        onset = _number(path, row, cells, "onset")
        duration = (
            _number(path, row, cells, "duration", 0.0)
            if scored or _given(cells, "duration")
            else None
        )
        confidence = (
            _number(path, row, cells, "confidence", 0.0, 1.0)
            if _given(cells, "confidence")
            else None
        )
        if _given(cells, "recordingDuration"):
            lengths[_number(path, row, cells, "recordingDuration", 0.0)] = row
        if not cells[name]:
            raise UserError(_fault(path, row, name, "is empty; name the sign"))
        if cells[name] not in NO_EVENT:
            try:
                rows.append(
                    (
                        row,
                        Event(
                            *(onset, duration, cells[name], cells.get("level") or None, confidence),
                            *(plain_text(cells.get(column)) for column in PERSONAL),
                        ),
                    )
                )
            except UserError as error:
                raise UserError(_fault(path, row, name, str(error))) from error
    if len(lengths) > 1:
        raise UserError(
            _fault(
                path,
                max(lengths.values()),
                "recordingDuration",
                "differs from an earlier row; a recording has one length",
            )
        )
    return EventTable(
        in_order(_apart(path, rows) if scored else [event for _, event in rows]),
        next(iter(lengths), None) or _described_length(path),
    )


def find_tables(folder: str | Path) -> dict[str, Path]:
    """The tables of a folder, by clip_id: `<clip_id>_events.tsv` anywhere in it, and
    `<clip_id>/events.tsv`, as `semiology timeline` writes it.

    Raises:
        UserError: no such folder, two of one recording.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of tables of events")
    paths: dict[str, Path] = {}
    for path in sorted([*real_files(folder, f"**/*{ENDING}"), *real_files(folder, "*/events.tsv")]):
        if (clip_id := recording_of(path)) in paths:
            raise UserError(f"{path}: second table of {clip_id}, after {paths[clip_id]}; keep one")
        paths[clip_id] = path
    return paths


def no_tables(folder: str | Path) -> UserError:
    """The error of a folder in which `find_tables` finds none."""
    return UserError(
        f"{folder}: holds no table of events; they are named <clip_id>{ENDING} or"
        " <clip_id>/events.tsv"
    )


def read_folder(folder: str | Path) -> dict[str, EventTable]:
    """Read all tables of a folder (`find_tables`), clip_id -> table.

    Raises:
        UserError: none in it, as `find_tables` and `read_events`.
    """
    paths = find_tables(folder)
    if not paths:
        raise no_tables(folder)
    return {clip_id: read_events(path) for clip_id, path in paths.items()}


def read_column(path: str | Path, column: str) -> dict[tuple[float, str, str | None], str] | None:
    """A column of a table of events that `read_events` has read: (onset, sign, level) -> its cell,
    "" where empty; None where the table has no such column.
    """
    table = read_table(Path(path), (), [], [])
    if column not in table.columns:
        return None
    name = "trial_type" if "trial_type" in table.columns else "eventType"
    return {
        (float(cells["onset"]), cells[name], cells.get("level") or None): cells[column]
        for _, cells in table.rows
    }


def recording_of(path: Path) -> str:
    """The clip_id of a table by its file name, or by its folder's."""
    return (
        path.name.removesuffix(ENDING) if path.name.endswith(ENDING) else path.resolve().parent.name
    )


def plain_text(text: str | None) -> str | None:
    """What a cell says of an event, as `Event` takes it, whatever another program wrote there."""
    return " ".join((text or "").replace('"', "'").split()) or None


def _given(cells: dict[str, str], column: str) -> bool:
    """Whether a cell has a number; epilepsy2bids 0.0.7 writes an n/a that it has read as nan."""
    return cells.get(column, "") not in ("", "nan")


def _number(
    path: Path,
    row: int,
    cells: dict[str, str],
    column: str,
    least: float = -math.inf,
    most: float = math.inf,
) -> float:
    try:
        number = float(cells[column])
    except ValueError:
        found = (
            "is n/a, but an event is scored by its onset and offset"
            if not cells[column]
            else f"{cells[column]!r} is no number"
        )
        raise UserError(
            _fault(path, row, column, f"{found}; write {'0 to 1' if most == 1 else 'seconds'}")
        ) from None
    if not (math.isfinite(number) and least <= number <= most and abs(number) <= LONGEST):
        wanted = "0 to 1" if most == 1 else "seconds of 0 or more" if least == 0 else "seconds"
        raise UserError(
            _fault(path, row, column, f"{cells[column]!r} is not possible; write {wanted}")
        )
    return number


def _apart(path: Path, rows: list[tuple[int, Event]]) -> list[Event]:
    """The events; one that overlaps the next of its kind by rounding ends where that begins.

    Raises:
        UserError: two of one kind that overlap by more.
    """
    events: list[Event] = []
    latest: dict[tuple[str, str | None], tuple[int, int]] = {}  # row, place among the events
    for row, event in sorted(rows, key=lambda pair: pair[1].onset):
        if event.kind in latest:
            earlier, place = latest[event.kind]
            before = events[place]
            if event.onset < before.offset - ROUNDING:
                what = (
                    f"{event.sign!r} begins at {event.onset:g} s, but that of row {earlier} lasts"
                    f" until {before.offset:g} s; make them one"
                )
                raise UserError(_fault(path, row, "onset", what))
            if event.onset < before.offset:
                events[place] = replace(before, duration=event.onset - before.onset)
        latest[event.kind] = (row, len(events))
        events.append(event)
    return events


def _described_length(path: Path) -> float | None:
    """The recording's length in the JSON sidecar of a table, s: a number, or an object with a
    "Value"; None where there is none.
    """
    sidecar = path.with_suffix(".json")
    if not sidecar.is_file():
        return None
    what = "the description of a table of events"
    length = read_json(sidecar, what=what, remedy="write it again or delete it").get(LENGTH)
    length = length.get("Value") if isinstance(length, dict) else length
    try:
        seconds = None if length is None else float(length)
        if seconds is not None and not 0 <= seconds <= LONGEST:
            raise ValueError(f"{LENGTH} is {length}; it is seconds")
        return seconds
    except (ValueError, TypeError) as error:
        raise UserError(f"{sidecar}: not {what} ({error}); write it again or delete it") from error


def _fault(path: Path, row: int, column: str, what: str) -> str:
    return str(Fault(str(path), what, row, column))
