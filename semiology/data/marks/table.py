"""Marks in a table: commas, semicolons or tabs, decimal commas, clock times, columns by the names
that people give them. BIDS and SzCORE events are such tables.
"""

import csv
import io
import re
from datetime import date
from pathlib import Path

from semiology.data.cohort.table import Fault, read_table, to_cell
from semiology.data.events import COLUMNS, NO_EVENT, PERSONAL, EventTable, in_order
from semiology.data.marks.mark import (
    FIELDS,
    LABELS,
    RATERS,
    TIME_OF_DAY,
    Mark,
    Marks,
    WallClock,
    file_name,
    seconds_of,
)
from semiology.errors import UserError
from semiology.files import write_text

# what a column is, by its name in small letters without unit; of several the first that is there
NAMES = {
    "onset": ("onset", "start", "begin", "start time", "begin time", "from", "time", "beginn"),
    "offset": ("offset", "end", "stop", "end time", "stop time", "to", "ende"),
    "duration": ("duration", "length", "dauer"),
    "label": LABELS,
    "tier": ("tier", "track"),
    "clip": ("clip id", "clip", "recording", "video", "media file name", "media", "file"),
    "rater": RATERS,
    "side": ("side",),
    "body_part": ("body part",),
    "level": ("level",),
    "confidence": ("confidence",),
    "source": ("source",),
    "comment": ("comment", "comments", "note", "notes"),
}
UNIT = re.compile(r"[\s(\[]*\b(ms|msec|milliseconds?|s|secs?|seconds?|hh:mm:ss\S*|ss\.\S+)[)\]]?$")
TIMES = ("onset", "offset", "duration")
WHEN = "say when the recording began, --start 2026-10-24T22:00:00"
LENGTH = "recordingduration"  # SzCORE
WRITTEN = ("onset", "offset", "duration", "sign", *[name for name in COLUMNS][3:], *PERSONAL)


class NoMarksError(UserError):
    """A table that is about something else: no onset, or no label."""


def read(path: Path, start: WallClock | None = None) -> list[Marks]:
    """The marks of a table, of each recording that its column clip (video, file) names; else of one
    called as the table.

    Raises:
        UserError: no onset, no label (`NoMarksError`), a cell that is no time, an end before its
            onset.
    """
    faults: list[Fault] = []
    notes: list[str] = []
    table = read_table(path, (), faults, notes, column_separator(path))
    columns = {name: _meaning(name) for name in table.columns}
    found = {kind: _first(kind, columns) for kind in NAMES}
    if not faults and found["onset"] is None:
        faults.append(Fault(path.name, "no column is an onset (onset, start, begin); name it", 1))
    if not faults and found["label"] is None and found["tier"] is None:
        faults.append(Fault(path.name, "no column is a label (sign, label, event); name it", 1))
    if faults:
        more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
        raise (NoMarksError if table.columns else UserError)(
            f"{path.parent / str(faults[0])}{more}"
        )
    taken = {column: kind for kind, column in found.items() if column is not None}
    unknown = [name for name in columns if name not in taken and columns[name][0] != LENGTH]
    recordings: dict[str, list[Mark]] = {}
    media: dict[str, str] = {}
    lengths: dict[str, float] = {}
    other_days: dict[date, list[str]] = {}
    for row, cells in table.rows:
        own = {kind: cells[column] for column, kind in taken.items()}
        name = file_name(own.get("clip", ""))
        clip_id = _recording(path, name)
        media[clip_id] = name if name != clip_id else ""
        marks = recordings.setdefault(clip_id, [])
        times: dict[str, float | None] = {kind: None for kind in TIMES}
        for kind in TIMES:
            column = found[kind]
            if column is not None and (cell := cells[column]) not in ("", "nan"):
                clock = None if kind == "duration" else start
                try:
                    seconds = seconds_of(cell, clock, times["onset"] or 0.0)
                    times[kind] = seconds * columns[column][1]
                except ValueError as error:
                    raise UserError(
                        f"{path}: {Fault(f'row {row}', str(error), None, column)}"
                    ) from None
                if clock is not None and TIME_OF_DAY.fullmatch(cell):
                    other_days.setdefault(clock.date_at(seconds), []).append(f"{cell} in row {row}")
        for column in table.columns:
            if columns[column][0] == LENGTH and cells[column]:
                lengths[clip_id] = seconds_of(cells[column])
        if own.get("label") in NO_EVENT:
            continue
        onset, offset, duration = (times[kind] for kind in TIMES)
        if onset is None:
            raise UserError(f"{path}: row {row}: has no onset; write seconds from the start")
        if duration is None and offset is not None:
            duration = round(offset - onset, 6)
        fields = {kind: own[kind] for kind in FIELDS if kind != "rater" and own.get(kind)} | {
            column: text for column, text in cells.items() if text and column in unknown
        }
        try:
            marks.append(
                Mark(
                    *(onset, duration, own.get("label", ""), own.get("tier") or None),
                    own.get("rater") or None,
                    fields,
                )
            )
        except UserError as error:
            of_day = start is None and all(
                TIME_OF_DAY.fullmatch(own.get(kind, "")) for kind in ("onset", "offset")
            )
            hint = f"; are they times of day, past midnight? Then {WHEN}" if of_day else ""
            raise UserError(f"{path}: row {row}: {error}{hint}") from None
    if start is not None:
        notes += [
            f"past midnight: {len(cells)} times of day are taken for {day}, the recording starts on"
            f" {start.start.date()} (the first is {cells[0]})"
            for day, cells in sorted(other_days.items())
            if day != start.start.date()
        ]
    if not table.rows:
        recordings[_recording(path, "")] = []
    if found["offset"] is None and found["duration"] is None:
        notes.append("no column is an end or a duration")
    return [
        Marks(clip_id, marks, media.get(clip_id, ""), lengths.get(clip_id), tuple(notes))
        for clip_id, marks in recordings.items()
    ]


def recognises(path: Path) -> bool:
    """Any table may hold marks."""
    return True


def column_separator(path: Path) -> str:
    """What stands most often in the first line, of tabs, semicolons and commas."""
    line = path.read_bytes()[:65536].replace(b"\0", b"").splitlines()[:1]
    text = line[0].decode("latin-1") if line else ""
    return max("\t;,", key=text.count)


def _recording(path: Path, name: str) -> str:
    """clip_id by a cell, else by the table's name."""
    stem = Path(name).stem if "." in name else name
    return stem or path.stem.removesuffix("_events")


def _meaning(column: str) -> tuple[str, float]:
    """A column's name in small letters without its unit, and what its numbers are multiplied by."""
    name = " ".join(re.sub(r"[_\-]", " ", column.lower()).split())
    unit = UNIT.search(name)
    if unit is None or unit.start() == 0:
        return name, 1.0
    return name[: unit.start()].strip(), 0.001 if unit[1].startswith("m") else 1.0


def _first(kind: str, columns: dict[str, tuple[str, float]]) -> str | None:
    for wanted in NAMES[kind]:
        for column, (name, _) in columns.items():
            if name == wanted:
                return column
    return None


def write(table: EventTable, path: Path, media: str | Path = "") -> tuple[int, list[str]]:
    """Write events as .csv, or with tabs as .tsv or .txt: times in s to the millisecond; how many,
    and what it cannot hold.

    Args:
        table: the events.
        path: of the table.
        media: not written; the table has its name.
    """
    rows: list[list[str]] = [list(WRITTEN)]
    for event in in_order(table.events):
        texts = [getattr(event, name) for name in WRITTEN[3:]]
        rows.append(
            [
                f"{event.onset:.3f}",
                "n/a" if event.duration is None else f"{event.offset:.3f}",
                "n/a" if event.duration is None else f"{event.duration:.3f}",
                *("n/a" if text is None else str(to_cell(text)) for text in texts),
            ]
        )
    text = io.StringIO()
    separator = "," if path.suffix.lower() == ".csv" else "\t"
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())
    length = "the recording's length has no place in the table"
    return len(table.events), [] if table.duration is None else [length]
