"""Recordings of many files: recordings.tsv of a cohort's folder, and where each file's start comes
from.

A recording is named on the command line, and to `video_source`, as `FOLDER/recordings.tsv#ID`.
"""

import itertools
import re
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from semiology.data.clock import edf_start
from semiology.data.cohort.row import FARTHEST, Clip, finite, identifier, on_disk, relative_path
from semiology.data.cohort.table import Fault, read_table
from semiology.errors import UserError
from semiology.files import read_json, real_files
from semiology.video import Part, Recording, VideoError
from semiology.video.decode import open_video

TABLE = "recordings.tsv"
COLUMNS = ("recording_id", "video", "start")
SIDECAR_KEY = "StartTime"  # of <video>.json: a date-time, or s of the recording
METADATA = "metadata"  # in the column start: the file's own creation time
# the EDF+ rule for the name of a video that goes with an EEG
EDF_NAME = re.compile(
    r"_(\d{2})-([A-Za-z]{3})-(\d{4})_(\d{2})h(\d{2})m(\d{2})(?:\.(\d{1,6}))?s_video$", re.IGNORECASE
)
# what a date-time pattern in the column start may hold, as in `datetime.strptime`
DIRECTIVES = {
    "%Y": r"\d{4}",
    "%m": r"\d{2}",
    "%d": r"\d{2}",
    "%H": r"\d{2}",
    "%M": r"\d{2}",
    "%S": r"\d{2}",
    "%f": r"\d{1,6}",
    "%b": r"[A-Za-z]{3}",
}

Start: TypeAlias = float | datetime  # s of the recording, or wall clock
Source: TypeAlias = Path | Recording


def read_recordings(
    folder: str | Path, faults: list[Fault] | None = None, notes: list[str] | None = None
) -> dict[str, Recording]:
    """Recordings of FOLDER/recordings.tsv, recording_id -> recording; none without that table.

    A row is a file, or a pattern such as `night/*.mpg` for all files that fit it, in the order of
    their starts. `start` holds s of the recording or a date-time; `n/a`: from the file's name by
    the EDF rule, or from a sidecar; `metadata`: the file's creation time; a path that ends in .edf
    or .bdf: that file's start; a pattern such as `%Y%m%d_%H%M%S`: found in the file's name. With
    date-times, second 0 is the first part's start.

    Args:
        folder: of the cohort.
        faults: takes what is wrong, a row each; where None, the first is raised.
        notes: takes what is worth knowing.

    Raises:
        UserError: a fault, where `faults` is None.
    """
    folder, notes = Path(folder), [] if notes is None else notes
    found: list[Fault] = [] if faults is None else faults
    if not (folder / TABLE).is_file():
        return {}
    known = len(found)
    table = read_table(folder / TABLE, COLUMNS, found, notes)
    rows: dict[str, list[tuple[int, Path, Start]]] = {}
    doubtful = 0
    for number, row in table.rows:
        if set(COLUMNS) - row.keys():
            break  # the missing column was reported for the header
        files: list[tuple[Path, Start]] = []
        column = "recording_id"
        try:
            name = identifier(row["recording_id"])
            column = "video"
            paths = _files(folder, row["video"])
            column = "start"
            files = [(path, _start(folder, row["start"], path)) for path in paths]
            if len({str(start) for _, start in files}) < len(files):
                raise ValueError(
                    f"{row['start'] or 'n/a'!r} gives two files of the pattern one start; name"
                    " them row by row"
                )
            if len(paths) > 1:
                files.sort(key=lambda each: _sortable(each[1]))
        except (ValueError, UserError) as error:
            found.append(Fault(TABLE, str(error), number, column))
            continue
        doubtful += len(files) * (row["start"] == METADATA)
        rows.setdefault(name, []).extend((number, path, start) for path, start in files)
    if doubtful:
        notes.append(
            f"{TABLE}: {doubtful} starts are from the files' metadata, which has whole seconds and"
            " often the wrong time zone; check them against the EEG"
        )
    recordings = {}
    for name, parts in rows.items():
        try:
            recordings[name] = _recording(name, parts)
        except _RowError as error:
            found.append(Fault(TABLE, str(error), error.row, error.column))
    if faults is None and len(found) > known:
        raise UserError(f"{folder / str(found[known])}")
    return recordings


def video_source(name: str | Path) -> Source:
    """What a name on the command line means: `FOLDER/recordings.tsv#ID` a recording, all else a
    file. `#ID` may be left out where the table has one recording.

    Raises:
        UserError: the table has faults or no such recording.
    """
    table, _, recording_id = str(name).partition(f"{TABLE}#")
    if not recording_id:
        if Path(name).name != TABLE:
            return Path(name)
        table = str(Path(name).parent)
    recordings = read_recordings(table or ".")
    if not recordings:
        raise UserError(f"{Path(table) / TABLE}: there is no such table, or it has no row")
    if not recording_id and len(recordings) == 1:
        return next(iter(recordings.values()))
    if recording_id not in recordings:
        raise UserError(
            f"{Path(table) / TABLE}: has no recording {recording_id!r}; name one of"
            f" {', '.join(recordings)} after the table's path, as {TABLE}#{next(iter(recordings))}"
        )
    return recordings[recording_id]


def clip_source(folder: Path, clip: Clip) -> Source | None:
    """The video of a clip: its file, or those parts of its recording that it needs; None where it
    has neither.

    Raises:
        UserError: as `read_recordings`; there is no such recording.
    """
    if clip.video:
        return folder / clip.video
    if not clip.recording:
        return None
    status = (folder / TABLE).stat() if (folder / TABLE).is_file() else None
    changed = status.st_mtime_ns if status else 0
    recording = _remembered(folder, changed).get(clip.recording)
    if recording is None:
        raise UserError(f"{TABLE} has no recording {clip.recording!r}")
    return recording.over(clip.start, clip.end)


@lru_cache(maxsize=4)
def _remembered(folder: Path, changed_ns: int) -> dict[str, Recording]:
    """The recordings of a folder, read once for all clips while the table is unchanged."""
    return read_recordings(folder)


class _RowError(ValueError):
    """A row of recordings.tsv that does not fit the others."""

    def __init__(self, row: int, what: str, column: str = "start"):
        super().__init__(what)
        self.row, self.column = row, column


def _recording(name: str, parts: list[tuple[int, Path, Start]]) -> Recording:
    """The recording of these rows (row number, file, start).

    Raises:
        _RowError: one file twice, starts of two kinds or that do not ascend.
    """
    rows: dict[Path, int] = {}
    for number, path, _ in parts:
        if path in rows:
            what = f"a file of this row is already in row {rows[path]}; name each part once"
            raise _RowError(number, what, "video")
        rows[path] = number
    row, _, first = parts[0]
    for number, _, start in parts[1:]:
        if _kind(start) != _kind(first):
            raise _RowError(
                number,
                f"starts at {_kind(start)}, but row {row} at {_kind(first)}; write all starts of a"
                " recording in one way",
            )
    for (row, _, before), (number, _, start) in itertools.pairwise(parts):
        if _sortable(start) <= _sortable(before):
            raise _RowError(
                number,
                f"starts at {start}, not after the part before it (row {row}, {before}); put the"
                " rows in the order of their starts (two cameras are two recordings)",
            )
    began = first if isinstance(first, datetime) else None
    made = [
        Part(path, _sortable(start) - (0.0 if began is None else _sortable(began)), place)
        for place, (_, path, start) in enumerate(parts)
    ]
    return Recording(name, tuple(made), began)


def _kind(start: Start) -> str:
    if isinstance(start, datetime):
        return "a date-time" + (" with a time zone" if start.tzinfo else " without a time zone")
    return "a number of seconds"


def _sortable(start: Start) -> float:
    """Seconds in the order of the starts; naive date-times by the calendar."""
    if not isinstance(start, datetime):
        return start
    return (start - datetime(2000, 1, 1, tzinfo=start.tzinfo and UTC)).total_seconds()


def _files(folder: Path, cell: str) -> list[Path]:
    """The file, or all files of a pattern."""
    if not cell:
        raise ValueError("is empty; name the part's file, or a pattern such as night/*.mpg")
    cell = on_disk(folder, relative_path(cell))
    if (folder / cell).is_file():  # also one whose name has brackets
        return [folder / cell]
    if any(mark in cell for mark in "*?["):
        paths = [path for path in real_files(folder, cell) if path.is_file() and _is_video(path)]
        if not paths:
            raise ValueError(f"no file in the cohort's folder fits {cell!r}; correct the pattern")
        return paths
    raise ValueError(
        "there is no such file in the cohort's folder: a part is missing; put it there, or delete"
        " the row to leave a gap"
    )


def _is_video(path: Path) -> bool:
    """Whether a file that fits a pattern is no sidecar, EEG or table beside the videos."""
    beside = (".json", ".edf", ".bdf", ".tsv", ".csv", ".txt")
    return path.suffix.lower() not in beside


def _start(folder: Path, cell: str, path: Path) -> Start:
    """The start of a part, as the cell of recordings.tsv says.

    Raises:
        ValueError, UserError: it cannot be read.
    """
    if not cell:
        for source in (start_of_name, _start_of_sidecar):
            if (start := source(path)) is not None:
                return start
        raise ValueError(
            "no start: the file's name has none by the EDF rule and there is no sidecar"
            f" {path.with_suffix('.json').name}; write seconds, a date-time, a pattern such as"
            f" %Y%m%d_%H%M%S, or {METADATA}"
        )
    if cell == METADATA:
        return _start_of_metadata(path)
    if "%" in cell:
        return _start_by_pattern(cell, path)
    if Path(cell).suffix.lower() in (".edf", ".bdf"):
        return edf_start(folder / relative_path(cell))
    return _parsed(cell)


def _parsed(text: str) -> Start:
    """Seconds of the recording, or a date-time."""
    if re.match(r"\d{4}-\d{2}-\d{2}[T ]", text):
        try:
            return datetime.fromisoformat(text)
        except ValueError as error:
            raise ValueError(
                f"{text!r} is no date-time ({error}); write 2026-03-02T22:00:00.5"
            ) from None
    try:
        return finite(text, "seconds, or a date-time such as 2026-03-02T22:00:00.5", FARTHEST)
    except ValueError as error:
        raise ValueError(str(error).replace(", or n/a", "")) from None


def start_of_name(path: Path) -> datetime | None:
    """Start of a video by the EDF+ rule for its name, `..._DD-MMM-YYYY_HHhMMmSS.FFFs_Video`; None
    where the name has no such end.

    Raises:
        ValueError: it has, and is no date.
    """
    match = EDF_NAME.search(path.stem)
    if match is None:
        return None
    day, month, year, hour, minute, second, fraction = match.groups()
    text = f"{day} {month} {year} {hour} {minute} {second} {fraction or '0'}"
    try:
        return datetime.strptime(text, "%d %b %Y %H %M %S %f")
    except ValueError as error:
        raise ValueError(f"the file's name holds no date-time by the EDF rule ({error})") from None


def _start_by_pattern(pattern: str, path: Path) -> datetime:
    expression = ""
    for token in re.findall(r"%.|[^%]+", pattern):
        if token.startswith("%") and token not in DIRECTIVES:
            raise ValueError(
                f"{pattern!r} holds {token}; a pattern may hold {', '.join(DIRECTIVES)}"
            )
        expression += DIRECTIVES.get(token, re.escape(token))
    found = re.search(expression, path.name)
    try:
        return datetime.strptime(found[0] if found else "", pattern)
    except ValueError:
        raise ValueError(
            f"the name of a file does not fit {pattern!r}; correct the pattern or write the start"
        ) from None


def _start_of_sidecar(path: Path) -> Start | None:
    sidecar = path.with_suffix(".json")
    if not sidecar.is_file():
        return None
    start = read_json(sidecar, what="the sidecar of a video").get(SIDECAR_KEY)
    if isinstance(start, int | float) and not isinstance(start, bool):
        return finite(str(start), "seconds", FARTHEST)
    if isinstance(start, str):
        return _parsed(start)
    raise ValueError(
        f"the sidecar {sidecar.name} has no {SIDECAR_KEY}; write a date-time or seconds there"
    )


def _start_of_metadata(path: Path) -> datetime:
    try:
        with open_video(path) as (container, _):
            text = container.metadata.get("creation_time", "")
    except VideoError as error:
        raise ValueError(error.fault) from error
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            "the file's metadata has no creation time; write seconds or a date-time"
        ) from None
