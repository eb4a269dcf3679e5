"""Tables of times: marked pairs of video and EEG, and the one place that gives events, timelines
and jerks on another clock, whoever wrote them.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from semiology.data.clock import Pair
from semiology.data.cohort.row import FARTHEST, finite
from semiology.data.cohort.table import Fault, read_table
from semiology.errors import UserError
from semiology.files import parse_json, read_json, write_json, write_text

# columns and keys that hold a time, in the tables of events, timelines, jerks and measures
TIMES = ("onset", "offset", "start", "end", "peak", "time")
SPANS = ("duration",)


def read_pairs(path: str | Path, start: datetime | None = None) -> list[Pair]:
    """Read marked pairs from a table (.tsv) with the columns video (s of the recording) and eeg (s
    of the EEG file, or a date-time by the EEG's clock).

    Args:
        path: of the table.
        start: of the EEG's first sample, for date-times.

    Raises:
        UserError: no such table, a missing column, a cell that is no time.
    """
    path = Path(path)
    faults: list[Fault] = []
    table = read_table(path, ("video", "eeg"), faults, [])
    if faults:
        raise UserError(str(path.parent / str(faults[0])))
    pairs = []
    for row, cells in table.rows:
        column = "video"
        try:
            video = finite(cells["video"], "seconds", FARTHEST)
            column = "eeg"
            pairs.append((video, _eeg_seconds(cells["eeg"], start)))
        except ValueError as error:
            fault = Fault(path.name, str(error), row, column)
            raise UserError(str(path.parent / str(fault))) from None
    return pairs


def _eeg_seconds(cell: str, start: datetime | None) -> float:
    if not re.match(r"\d{4}-\d{2}-\d{2}[T ]", cell):
        return finite(cell, "seconds or a date-time", FARTHEST)
    if start is None:
        raise ValueError("is a date-time; give the EEG too (--eeg), for its start")
    moment = datetime.fromisoformat(cell)
    if moment.tzinfo is not None:
        raise ValueError(f"{cell!r} has a time zone, which an EEG's clock has not; leave it out")
    return (moment - start).total_seconds()


def convert_file(
    path: str | Path, out: str | Path, convert: Callable[[float], float | datetime], clock: str
) -> int:
    """Write a copy of a table (.tsv, .csv) or of a JSON file with the times of its events on
    another clock; returns how many times were converted.

    Times are columns or keys named onset, offset, start, end, peak or time, and duration, which
    follows onset. Where `convert` gives seconds they replace the old ones, so that the copy is read
    as the original is; where it gives date-times, they stand beside them as <name>_wall. The
    sidecar of a table of events is written too, with what its times count from.

    Args:
        path: what semiology wrote: events.tsv, timeline.csv, timeline.json, a table of jerks.
        out: the copy, of the same suffix.
        convert: the file's seconds -> the other clock's.
        clock: what the new times count from, for the sidecar: "the EEG file's first sample".

    Raises:
        UserError: no such file, another kind, no time in it, a cell that is not a number, `out` is
            `path`.
    """
    path, out = Path(path), Path(out)
    if not path.is_file():
        raise UserError(f"{path}: no such table")
    if out.exists() and out.samefile(path):
        raise UserError(f"{out}: is the table itself; name another file (--out)")
    suffix = path.suffix.lower()
    if out.suffix.lower() != suffix or suffix not in (".tsv", ".csv", ".json"):
        raise UserError(f"{out}: a .tsv, .csv or .json becomes one of the same kind")
    if suffix == ".json":
        content, count = _converted_json(read_json(path, object), convert)
        if count:
            write_json(out, content)
    else:
        text, count = _converted_table(path, convert)
        if count:
            write_text(out, text)
            _convert_sidecar(path, out, clock)
    if not count:
        raise UserError(f"{path}: holds no time; times are called {', '.join((*TIMES, *SPANS))}")
    return count


def _converted(
    values: Mapping[str, float], convert: Callable[[float], float | datetime]
) -> dict[str, float | str]:
    """Times and spans of one row or object on the other clock: what replaces or joins them."""
    new: dict[str, float | str] = {}
    for name in TIMES:
        if name in values:
            moment = convert(values[name])
            if isinstance(moment, datetime):
                new[f"{name}_wall"] = moment.isoformat(timespec="milliseconds")
            else:
                new[name] = moment
    for name in SPANS:
        if name in values and "onset" in new:
            until = convert(values["onset"] + values[name])
            assert isinstance(until, float)
            new[name] = until - float(new["onset"])
    return new


def _converted_table(path: Path, convert: Callable[[float], float | datetime]) -> tuple[str, int]:
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            header, *rows = list(csv.reader(stream, delimiter=separator)) or [[]]
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable table ({error})") from error
    named = [name for name in header if name in (*TIMES, *SPANS)]
    wall = [f"{name}_wall" for name in named if name in TIMES]
    beside, lines, count = False, [], 0
    for number, row in enumerate(rows, start=2):
        cells = dict(zip(header, row))
        values = {
            name: _cell(path, number, name, cells.get(name, ""))
            for name in named
            if cells.get(name, "") not in ("", "n/a")
        }
        new = _converted(values, convert)
        count += len(new)
        beside |= any(name in wall for name in new)
        replaced = {
            name: f"{value:.{max(_places(cells[name]), 3)}f}"
            for name, value in new.items()
            if name in cells and isinstance(value, float)
        }
        line = [replaced.get(name, cell) for name, cell in zip(header, row)]
        lines.append((line, [str(new.get(name, "n/a")) for name in wall]))
    if old := [name for name in wall if beside and name in header]:
        raise UserError(f"{path}: has a column {old[0]} already; convert the table it was made of")
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(header + (wall if beside else []))
    writer.writerows(line + (more if beside else []) for line, more in lines)
    return text.getvalue(), count


def _cell(path: Path, row: int, column: str, cell: str) -> float:
    try:
        return finite(cell, "seconds")
    except ValueError as error:
        raise UserError(f'{path}: row {row}, column "{column}": {error}') from None


def _places(cell: str) -> int:
    """Decimal places of a number."""
    return len(cell.partition(".")[2]) if re.fullmatch(r"-?\d+\.\d+", cell) else 0


def _converted_json(content: Any, convert: Callable[[float], float | datetime]) -> tuple[Any, int]:
    """The content with the times of every object that has an onset converted; how many."""
    if isinstance(content, list):
        made = [_converted_json(each, convert) for each in content]
        return [each for each, _ in made], sum(count for _, count in made)
    if not isinstance(content, dict):
        return content, 0
    onset = content.get("onset")
    if isinstance(onset, int | float) and math.isfinite(onset):
        values = {
            name: float(content[name])
            for name in (*TIMES, *SPANS)
            if isinstance(content.get(name), int | float) and math.isfinite(content[name])
        }
        new = _converted(values, convert)
        rounded = {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in new.items()
        }
        return {**content, **rounded}, len(new)
    inner = {name: _converted_json(each, convert) for name, each in content.items()}
    return (
        {name: each for name, (each, _) in inner.items()},
        sum(count for _, count in inner.values()),
    )


def _convert_sidecar(path: Path, out: Path, clock: str) -> None:
    """Write the sidecar of a table of events, where it has one: what onsets count from, and no
    length, which is not that of the other clock's file.
    """
    try:
        described = parse_json(path.with_suffix(".json").read_text(encoding="utf-8"))
        onset = described["onset"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    onset = {**onset, "Description": f"Start of the event, from {clock}"}
    described.pop("RecordingDuration", None)
    write_json(out.with_suffix(".json"), {**described, "onset": onset})
