r"""Datavyu: its spreadsheets (.opf, and the same saved as .csv), and cells exported as .csv, read.

An .opf is a zip archive whose member `db` is text: a line names a column and its codes,
`sign (MATRIX,true,)-type|NOMINAL,side|NOMINAL`, and each line after it is one of its cells,
`00:00:01:020,00:00:02:500,(tonic,left)`: h:mm:ss:ms, with a backslash before what separates.
Exported cells have their ms in columns onset and offset, of one column with its name beside them
(datavyu2csv) or of several side by side, `sign.onset`. [C: datavyur, its to_csv and datavyu2csv.rb]

A cell whose offset was never set has 0 there: its end is unknown.
"""

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from semiology.data.cohort.table import Fault, read_table
from semiology.data.marks.mark import RATERS, Mark, Marks, WallClock, labelled
from semiology.data.marks.table import column_separator
from semiology.errors import UserError

COLUMN = re.compile(r"(.+?) \((\w+),(?:true|false),.*?\)(?:-(.*))?")
CELL = re.compile(r"(\d+):(\d\d):(\d\d):(\d{3}),(\d+):(\d\d):(\d\d):(\d{3}),(.*)")
LONGEST = 1 << 26  # bytes of a spreadsheet; people type them [our choice]
Cell = tuple[
    str, str, float, float, dict[str, str]
]  # recording, column, onset and offset ms, codes


def recognises(path: Path) -> bool:
    """Whether a .csv is a spreadsheet of Datavyu or cells of one."""
    if path.suffix.lower() == ".opf":
        return True
    with open(path, "rb") as stream:
        head = stream.read(4096).decode("utf-8-sig", "replace")
    names = {name.strip('" ').rpartition(".")[2] for name in head.partition("\n")[0].split(",")}
    return bool(re.match(r"#\d+\s", head)) or {"ordinal", "onset", "offset"} <= names


def read(path: Path, start: WallClock | None = None) -> list[Marks]:
    """The cells of all columns of a spreadsheet.

    Raises:
        UserError: no spreadsheet, a line or cell that cannot be read, an offset before its onset.
    """
    text = _text(path)
    cells = _exported(path) if text is None else _spreadsheet(path, text)
    recordings: dict[str, list[Mark]] = {}
    for clip_id, column, onset, offset, codes in cells:
        _, word, fields = labelled(codes)
        lasts = None if offset == 0 < onset else round((offset - onset) / 1000, 6)
        rater = next((fields.pop(key) for key in RATERS if key in fields), None)
        try:
            mark = Mark(onset / 1000, lasts, word, column, rater, fields)
        except UserError as error:
            raise UserError(f"{path}: column {column!r}: {error}") from None
        recordings.setdefault(clip_id, []).append(mark)
    if not recordings:
        recordings[path.stem] = []
    return [Marks(clip_id, marks) for clip_id, marks in recordings.items()]


def _text(path: Path) -> str | None:
    """The spreadsheet's text; None of a table of exported cells."""
    if path.suffix.lower() != ".opf":
        text = path.read_text(encoding="utf-8-sig", errors="replace")
        return text if text.startswith("#") else None
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("db").file_size > LONGEST:
                raise ValueError("its spreadsheet is longer than people write")
            return archive.read("db").decode("utf-8-sig", "replace")
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, OSError) as error:
        raise UserError(f"{path}: is no whole .opf ({error}); save it again in Datavyu") from None


def _spreadsheet(path: Path, text: str) -> Iterator[Cell]:
    column, kind, names = "", "", [""]
    for number, line in enumerate(text.splitlines(), start=1):
        if number == 1 or not line.strip():  # the first line is the version, #4
            continue
        if cell := CELL.fullmatch(line):
            onset, offset = (_milliseconds(*cell.groups()[at : at + 4]) for at in (0, 4))
            content = cell[9]
            if kind == "MATRIX":
                content = content.removeprefix("(").removesuffix(")")
            values = [_unescaped(part) for part in re.split(r"(?<!\\),", content)]
            values = values if kind == "MATRIX" else [", ".join(values)]
            if not column or len(values) != len(names):
                raise UserError(
                    f"{path}: line {number} has {len(values)} codes, its column {column!r} has"
                    f" {len(names)}; save it again in Datavyu"
                )
            yield path.stem, column, onset, offset, dict(zip(names, values))
        elif found := COLUMN.fullmatch(line):
            column, kind = _unescaped(found[1]), found[2]
            codes = re.split(r"(?<!\\),", found[3] or column)
            names = [_unescaped(code.rpartition("|")[0] or code) for code in codes]
        else:
            raise UserError(f"{path}: line {number} is neither column nor cell; save it again")


def _milliseconds(hours: str, minutes: str, seconds: str, rest: str) -> float:
    return 1000 * (3600 * int(hours) + 60 * int(minutes) + int(seconds)) + int(rest)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text).strip()


def _exported(path: Path) -> Iterator[Cell]:
    faults: list[Fault] = []
    table = read_table(path, (), faults, [], column_separator(path))
    if faults:
        raise UserError(f"{path.parent / str(faults[0])}")
    groups: dict[str, dict[str, str]] = {}  # column of Datavyu -> code -> column of the table
    for name in table.columns:
        column, dot, code = name.rpartition(".")
        groups.setdefault(column if dot else "", {})[code] = name
    for number, row in table.rows:
        for column, codes in groups.items():
            cell = {code: row[name] for code, name in codes.items()}
            if "onset" in cell and (cell["onset"] or cell.get("offset")):
                yield _cell(path, number, column, cell)


def _cell(path: Path, number: int, column: str, cell: Mapping[str, str]) -> Cell:
    codes = {code: text for code, text in cell.items() if code not in ("file", "column", "ordinal")}
    onset, offset = codes.pop("onset"), codes.pop("offset", "")
    clip_id = cell.get("file", "") or path.stem
    try:
        times = float(onset), float(offset)
    except ValueError:
        raise UserError(
            f"{path}: row {number}: onset {onset!r}, offset {offset!r}: are no ms; export it again"
        ) from None
    return clip_id, column or cell.get("column", "") or path.stem, *times, codes
