"""Exports of events of BORIS, tabular and aggregated, of versions 7 to 9, as .csv or .tsv.

Times hold the observation's time offset, which is taken off. Modifiers have no names there.
"""

import csv
import io
from pathlib import Path

from semiology.data.cohort.table import from_cell
from semiology.data.marks.mark import RATERS, Marks, WallClock, file_name, seconds_of
from semiology.data.marks.states import Row, paired, raters_apart
from semiology.errors import UserError

FIRST = "Observation id"  # an export begins with it


def recognises(path: Path) -> bool:
    """Whether a table is an export of BORIS."""
    with open(path, "rb") as stream:
        return stream.read(64).lstrip(b'\xef\xbb\xbf"').startswith(FIRST.encode())


def read(path: Path, start: WallClock | None = None) -> list[Marks]:
    """The marks of each observation of an export.

    Raises:
        UserError: an export without the columns it should have, cells that are no times.
    """
    return raters_apart(_export(path))


def _export(path: Path) -> list[tuple[Marks, str]]:
    """Tabular and aggregated events; version 7's tabular ones have the observation above them."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    first = text.splitlines()[0]
    separator = max("\t;,", key=first.count)
    lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    heads = [
        number for number, line in enumerate(lines) if "Behavior" in line and "Subject" in line
    ]
    if not heads:
        raise UserError(f"{path}: no row names the columns Subject and Behavior; export it again")
    above = {line[0].strip(): line[1].strip() for line in lines[: heads[0]] if len(line) > 1}
    columns = [cell.strip() for cell in lines[heads[0]]]
    observations: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for number, line in enumerate(lines[heads[0] + 1 :], start=heads[0] + 2):
        if len(line) < len(columns) and any(line):
            raise UserError(
                f"{path}: row {number} has {len(line)} cells, the header has {len(columns)}; export"
                " it again"
            )
        if any(line):
            cells = {**above, **dict(zip(columns, (from_cell(cell.strip()) for cell in line)))}
            observations.setdefault(cells.get(FIRST, path.stem), []).append((number, cells))
    found = []
    for name, rows in observations.items():
        files = {
            file_name(cells.get(column, ""))
            for _, cells in rows
            for column in ("Media file name", "Media file", "Media file path")
        } - {"", "NA", "Not found"}
        media = next(iter(files)) if len(files) == 1 else ""
        raters = [cells[key] for key in columns for _, cells in rows if key.lower() in RATERS]
        rater = next(filter(None, raters), None)
        events = [row for number, cells in rows for row in _export_row(path, number, cells)]
        marks = paired(f"{path}: observation {name!r}", events, rater, "BORIS")
        found.append((Marks(Path(media).stem or name, marks, media), name))
    return found


def _export_row(path: Path, number: int, cells: dict[str, str]) -> list[Row]:
    """START, STOP or POINT of a tabular row; START and STOP, or POINT, of an aggregated one."""
    joined = cells.get("Modifiers", "").split("|")
    modifiers = tuple(
        (f"modifier {place}", value.strip())
        for place, value in enumerate(
            [cells[key] for key in cells if key.startswith("Modifier #")] or joined, start=1
        )
    )
    own = cells.get("Subject", ""), cells["Behavior"], modifiers
    kind = (cells.get("Behavior type") or cells.get("Status") or "").upper()
    try:
        late = float(cells.get("Time offset (s)") or 0)
        if "Start (s)" not in cells:
            time = round(seconds_of(cells["Time"]) - late, 6)
            if kind not in ("START", "STOP", "POINT", ""):
                raise ValueError(f"{kind!r} is none of START, STOP, POINT")
            return [Row(time, *own, kind or "POINT", cells.get("Comment", ""))]
        begin = round(seconds_of(cells["Start (s)"]) - late, 6)
        comment = cells.get("Comment start", cells.get("Comment", ""))
        if kind.startswith("POINT"):
            return [Row(begin, *own, "POINT", comment)]
        start = Row(begin, *own, "START", comment)
        if cells.get("Stop (s)") in ("", "NA", None):
            return [start]
        end = round(seconds_of(cells["Stop (s)"]) - late, 6)
        return [start, Row(end, *own, "STOP", cells.get("Comment stop", ""))]
    except (KeyError, ValueError) as error:
        raise UserError(f"{path}: row {number}: {error}") from None
