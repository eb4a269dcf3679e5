"""Read text tables as spreadsheets save them, every fault with file, row and column; and write the
same format.
"""

import csv
import difflib
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from semiology.errors import UserError
from semiology.files import atomic_path, refuse_folder, write_text

MARKS = {"\t": "tabs", ",": "commas", ";": "semicolons"}


@dataclass(frozen=True)
class Fault:
    """One fault in a cohort's files. Rows count as in a spreadsheet: the header is row 1."""

    file: str
    what: str  # what is wrong; what to do
    row: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        row = [] if self.row is None else [f"row {self.row}"]
        column = [] if self.column is None else [f'column "{self.column}"']
        return ": ".join(
            [self.file, *([", ".join(row + column)] if row or column else []), self.what]
        )


@dataclass(frozen=True)
class Table:
    """A table as text: columns by name, rows with their numbers."""

    file: str
    columns: list[str]
    rows: list[
        tuple[int, dict[str, str]]
    ]  # (row as in a spreadsheet, column -> cell); an empty cell or n/a is ""


def read_table(
    path: Path, needed: Iterable[str], faults: list[Fault], notes: list[str], separator: str = "\t"
) -> Table:
    """Read a table whose columns are separated by tabs (or by `separator`); faults are appended to
    `faults`, repairs to `notes`.

    UTF-8 with or without a byte order mark, UTF-16 with one and, failing these, Windows-1252 are
    read, with any line ends, as spreadsheets write them. Rows without a value are skipped. An
    apostrophe before what a spreadsheet would compute is not part of the text (see `to_cell`).
    """
    empty = Table(path.name, [], [])
    text = _text(path, faults, notes)
    if text is None:
        return empty
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        faults.append(
            Fault(
                path.name, f"cannot be read as a table ({error}); look for a stray quotation mark"
            )
        )
        return empty
    if not lines:
        faults.append(
            Fault(path.name, f"is empty; its first row names the columns: {', '.join(needed)}")
        )
        return empty
    columns = [from_cell(cell.strip()) for cell in lines[0]]
    while columns and not columns[-1]:
        columns.pop()
    if len(columns) == 1 and (other := next((mark for mark in MARKS if mark in columns[0]), None)):
        wanted = MARKS[separator]
        faults.append(
            Fault(
                path.name,
                f"its columns are separated by {MARKS[other]}, not {wanted}; save it as text"
                f" separated by {wanted}",
                1,
            )
        )
        return empty
    _check_header(path.name, columns, needed, faults)
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if len(cells) < len(columns) or any(cells[len(columns) :]):
            what = (
                f"has {len(cells)} cells, the header has {len(columns)}; write n/a where there is"
                " no value"
            )
            faults.append(Fault(path.name, what, number))
            continue
        rows.append(
            (
                number,
                {
                    column: "" if cell.lower() == "n/a" else from_cell(cell)
                    for column, cell in zip(columns, cells)
                },
            )
        )
    return Table(path.name, columns, rows)


def _text(path: Path, faults: list[Fault], notes: list[str]) -> str | None:
    """The file as text; None, with a fault, where it is no text."""
    if not path.is_file():
        others = sorted(
            path.with_suffix(suffix).name
            for suffix in (".csv", ".txt", ".xlsx", ".xls")
            if path.with_suffix(suffix).is_file()
        )
        hint = (
            f"there is {others[0]}: save it as tab-separated text"
            if others
            else "write it, or correct the path"
        )
        faults.append(Fault(path.name, f"is missing; {hint}"))
        return None
    data = path.read_bytes()
    if data[:2] == b"PK" or data[:4] == b"\xd0\xcf\x11\xe0":
        faults.append(Fault(path.name, "is a spreadsheet workbook; save it as tab-separated text"))
        return None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        notes.append(
            f"{path.name} is not in UTF-8; it was read as Windows-1252, look at letters with"
            " accents"
        )
        return data.decode("cp1252", errors="replace")


def _check_header(
    file: str, columns: list[str], needed: Iterable[str], faults: list[Fault]
) -> None:
    for column in needed:
        if column not in columns:
            near = difflib.get_close_matches(
                column, [name.lower() for name in columns], n=1, cutoff=0.75
            )
            hint = (
                f'is "{columns[[name.lower() for name in columns].index(near[0])]}" meant?'
                if near
                else "add it"
            )
            faults.append(Fault(file, f"this column is missing; {hint}", 1, column))
    seen: set[str] = set()
    for position, column in enumerate(columns, start=1):
        if not column:
            faults.append(Fault(file, f"column {position} has no name; name it or delete it", 1))
        elif column in seen:
            faults.append(
                Fault(file, "this column is there twice; delete or rename one", 1, column)
            )
        seen.add(column)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table of results in the format of a cohort's own, without its index: tab-separated,
    n/a where there is no value or no text, six significant digits; text that a spreadsheet would
    compute as `to_cell` does.

    Raises:
        UserError: the path is a folder, its folder cannot be written, or the disk is full.
    """
    refuse_folder(path)
    write_text(
        path,
        by_cell(table.replace("", "n/a"), to_cell).to_csv(
            sep="\t", index=False, na_rep="n/a", float_format="%.6g"
        ),
    )


# a cell, in quotation marks or not, and what ends it
CELL = re.compile(r'("(?:[^"]|"")*"[^\t\r\n]*|[^\t\r\n]*)(\t|\r\n|\r|\n|\Z)')


def set_cell(path: Path, key: tuple[str, str], column: str, value: str) -> None:
    """Change one cell of a table on disk whose columns are separated by tabs. Everything else stays
    byte by byte: order, other columns, quotation marks, line ends, encoding. A column that is not
    there is added as the last, n/a in other rows.

    Args:
        path: of the table.
        key: column and text by which the row is found.
        column: of the cell.
        value: plain text, without tabs, quotation marks and line ends.

    Raises:
        UserError: no such table, column of keys or row; the table cannot be written.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); bring it back") from error
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    # bytes beyond ASCII are not looked at: Latin-1 gives each back as it was
    code = "latin-1" if not wide else "utf-16-le" if data[:1] == b"\xff" else "utf-16-be"
    text = data.decode(code)
    mark = next((mark for mark in ("\ufeff", "ï»¿") if text.startswith(mark)), "")
    text = text.removeprefix(mark)
    rows = _cell_places(text)
    names = [_bare(text[start:end]) for start, end in rows[0]]
    while names and not names[-1]:
        names.pop()
    if key[0] not in names:
        raise UserError(f'{path}: has no column "{key[0]}"; save it as tab-separated text')
    number = names.index(key[0])
    place = names.index(column) if column in names else len(names)
    edits: list[tuple[int, int, str]] = []
    found = False
    for row, cells in enumerate(rows):
        bare = [_bare(text[start:end]) for start, end in cells]
        if not any(bare):
            continue
        own = row > 0 and number < len(bare) and from_cell(bare[number]) == key[1]
        found |= own
        wanted = column if row == 0 else value if own else "n/a"
        if place < len(cells) and (own or place == len(names)):
            edits.append((*cells[place], wanted))
        elif place >= len(cells):
            edits.append((cells[-1][1], cells[-1][1], f"\t{wanted}"))
    if not found:
        raise UserError(f'{path}: no row has {key[1]!r} in column "{key[0]}"; add it')
    for start, end, wanted in reversed(edits):
        text = text[:start] + wanted + text[end:]
    with atomic_path(path) as temporary:
        temporary.write_bytes((mark + text).encode(code))


def _cell_places(text: str) -> list[list[tuple[int, int]]]:
    """Where each cell of each row begins and ends."""
    rows: list[list[tuple[int, int]]] = [[]]
    for cell in CELL.finditer(text):
        rows[-1].append(cell.span(1))
        if not cell[2]:
            break
        if cell[2] != "\t":
            rows.append([])
    return rows


def _bare(cell: str) -> str:
    """A cell's text without blanks around it and quotation marks."""
    cell = cell.strip()
    quoted = len(cell) > 1 and cell[0] == cell[-1] == '"'
    return cell[1:-1].replace('""', '"').strip() if quoted else cell


# what a spreadsheet would compute; one more apostrophe goes before such text after apostrophes, so
# that every cell is read back as it was
FORMULA = re.compile(r"'*[=+\-@\t\r]")


def to_cell(value: Any) -> Any:
    """A cell of a table: text that a spreadsheet would take for a formula gets an apostrophe before
    it; numbers, also as text, and other text stay as they are.
    """
    return f"'{value}" if isinstance(value, str) and _is_formula(value) else value


def from_cell(text: Any) -> Any:
    """What `to_cell` made the cell of."""
    own = isinstance(text, str) and text.startswith("'") and _is_formula(text[1:])
    return text[1:] if own else text


def _is_formula(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return FORMULA.match(text) is not None
    return False


def by_cell(table: Any, convert: Callable[[Any], Any]) -> Any:
    """A pandas table with its columns' names and its text converted by `to_cell` or `from_cell`."""
    table = table.rename(columns=convert)
    for column in table.select_dtypes(exclude="number").columns:
        table[column] = table[column].map(convert)
    return table
