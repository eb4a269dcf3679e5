"""Tables of comma-separated cells: read whole, checked, turned into numbers and back; a fault is told by row and column."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from semiology.errors import UserError
from semiology.files import write_text


def read_cells(path: Path, keep: str = "") -> list[list[str]]:
    """All rows of a csv as text, spaces around cells removed; empty lines at the end are dropped.

    Args:
        path: of the file.
        keep: pattern that the first cell of a column must match for the column to be taken.

    Raises:
        UserError: no such file, not text, or a row that is shorter or longer than the first one.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            rows: list[list[str]] = []
            kept, width = [], 0
            for row in csv.reader(stream):
                if not rows:
                    kept, width = [number for number, cell in enumerate(row) if re.search(keep, cell.strip())], len(row)
                if not kept:
                    raise UserError(f"{path}: none of its columns is one that this format has; its first are {', '.join(row[:5])}")
                if row and len(row) != width:
                    raise UserError(f"{path}: row {len(rows) + 1} has {len(row)} cells, the first row has {width}; is the file whole?")
                rows.append([row[number].strip() for number in kept] if row else [])
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable csv ({error}); export it again") from error
    while rows and not any(rows[-1]):
        rows.pop()
    if not rows:
        raise UserError(f"{path}: is empty; export it again")
    if [] in rows:
        raise UserError(f"{path}: row {rows.index([]) + 1} is empty; is the file whole?")
    return rows


def numbers(path: Path, rows: Sequence[Sequence[str]], columns: Sequence[str], first_row: int) -> np.ndarray:
    """(row, column) float64 of text cells; empty cells are NaN.

    Args:
        path: for messages.
        rows: one sequence of cells a row.
        columns: names, for messages.
        first_row: number of `rows[0]` in the file, counted from 1.

    Raises:
        UserError: a cell that is not a number, or not a finite one.
    """
    text = np.array([[cell or "nan" for cell in row] for row in rows], dtype=str).reshape(len(rows), len(columns))
    try:
        values = text.astype(float)
    except ValueError:
        values = np.array([[_number(cell) for cell in row] for row in text]).reshape(text.shape)
    if (bad := np.isinf(values)).any():
        row, column = np.argwhere(bad)[0]
        raise UserError(f'{path}: row {row + first_row}, column "{columns[column]}": {str(text[row, column])!r} is not a number')
    return values


def take(path: Path, cells: Sequence[Sequence[str]], columns: Sequence[str]) -> np.ndarray:
    """(row, column) of some columns of a table whose first row names them.

    Raises:
        UserError: a column that is not there, or as `numbers`.
    """
    if missing := [name for name in columns if name not in cells[0]]:
        raise UserError(f"{path}: has no column {missing[0]!r}")
    places = [cells[0].index(name) for name in columns]
    return numbers(path, [[row[place] for place in places] for row in cells[1:]], columns, 2)


def _number(cell: str) -> float:
    """The number, infinity where it is none."""
    try:
        return float(cell)
    except ValueError:
        return np.inf


def number_texts(values: np.ndarray) -> list[list[str]]:
    """(row, column) as the shortest text that reads back as the same number; NaN is an empty cell."""
    return [["" if cell == "nan" else cell for cell in row] for row in values.astype(str).tolist()]


def write_cells(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write a csv, whole or not at all; raises as `files.atomic_path`."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())
