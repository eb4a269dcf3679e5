"""Noldus Observer XT: its event logs exported as text (.txt, .csv), read.

Each row is a State start, a State stop or a Point of a subject and a behavior, at a time of the
observation: columns Time_Relative_sf (s) or Time_Relative_hmsf, Observation, Event_Log, Subject,
Behavior, Modifier_1, ..., Event_Type, Comment; before version 12 "Relative Time (seconds)",
"Observation Name", "Event Log File Name", "Event Type". [C: SimBA 4.9 read_observer_files, and
public exports in UTF-16 and UTF-8 with commas, semicolons and tabs]
"""

import re
from collections.abc import Sequence
from pathlib import Path

from semiology.data.cohort.table import Fault, read_table
from semiology.data.marks.mark import RATERS, Marks, WallClock, seconds_of
from semiology.data.marks.states import Row, paired, raters_apart
from semiology.data.marks.table import column_separator
from semiology.errors import UserError

STATUS = {"state start": "START", "state stop": "STOP", "point": "POINT"}
TIMES = ("time relative sf", "time relative hmsf", "relative time seconds", "time relative hms")
OBSERVATIONS = ("observation", "observation name")
LOGS = ("event log", "event log file name")


def recognises(path: Path) -> bool:
    """Whether a table is an export of Observer."""
    with open(path, "rb") as stream:
        head = stream.read(4096).replace(b"\0", b"").decode("latin-1").partition("\n")[0]
    columns = {_plain(cell.strip('" \r')) for cell in re.split("[\t;,]", head)}
    return {"behavior", "event type"} <= columns and not columns.isdisjoint(TIMES)


def read(path: Path, start: WallClock | None = None) -> list[Marks]:
    """The marks of each observation; its event logs, where it has several, are raters.

    Raises:
        UserError: cells that are no times, a row that is none of start, stop and point, a state
            that stops before it has begun.
    """
    faults: list[Fault] = []
    notes: list[str] = []
    table = read_table(path, (), faults, notes, column_separator(path))
    if faults:
        raise UserError(f"{path.parent / str(faults[0])}")
    columns = {_plain(name): name for name in table.columns}
    time = next(columns[name] for name in TIMES if name in columns)
    named = next((columns[name] for name in OBSERVATIONS if name in columns), None)
    log = next((columns[name] for name in LOGS if name in columns), None)
    rater = next((columns[name] for name in RATERS if name in columns), None)
    if _plain(time) == TIMES[-1]:
        notes.append(f"{time} has whole seconds; export Time_Relative_sf too")
    modifiers = [name for key, name in columns.items() if re.fullmatch(r"modifier \d+", key)]
    logs: dict[tuple[str, str], list[Row]] = {}
    raters: dict[tuple[str, str], str] = {}
    for number, cells in table.rows:
        key = (cells[named] if named else path.stem), (cells[log] if log else "")
        logs.setdefault(key, []).append(_row(path, number, cells, columns, time, modifiers))
        if rater and cells[rater]:
            raters[key] = cells[rater]
    notes.append("times are seconds of the observation; is its start that of the video?")
    found = []
    for (name, own), rows in logs.items():
        marks = paired(
            f"{path}: observation {name!r}",
            *(rows, raters.get((name, own)), "Observer"),
            by_modifiers=False,
        )
        found.append((Marks(name, marks, notes=tuple(notes)), own or name))
    return raters_apart(found)


def _row(
    path: Path,
    number: int,
    cells: dict[str, str],
    columns: dict[str, str],
    time: str,
    modifiers: Sequence[str],
) -> Row:
    kind = cells[columns["event type"]].lower()
    try:
        if kind not in STATUS:
            raise ValueError(f"{kind!r} is none of State start, State stop, Point")
        return Row(
            seconds_of(cells[time]),
            cells.get(columns.get("subject", ""), ""),
            cells[columns["behavior"]],
            tuple((name.replace("_", " ").lower(), cells[name]) for name in modifiers),
            STATUS[kind],
            cells.get(columns.get("comment", ""), ""),
        )
    except ValueError as error:
        raise UserError(f"{path}: row {number}: {error}") from None


def _plain(column: str) -> str:
    """A column's name in small letters, without brackets and underscores."""
    return " ".join(re.sub(r"[_()\ufeff\xff\xfe\xef\xbb\xbf]", " ", column.lower()).split())
