"""Tables of comma-separated cells: read whole, checked, and turned into numbers; a fault is told by row and column."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from semiology.errors import UserError


def read_cells(path: Path) -> list[list[str]]:
    """All rows of a csv as text, spaces around cells removed; empty lines at the end are dropped.

    Raises:
        UserError: no such file, not text, or a row that is shorter or longer than the first one.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            rows = [[cell.strip() for cell in row] for row in csv.reader(stream)]
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable csv ({error}); export it again") from error
    while rows and not any(rows[-1]):
        rows.pop()
    if not rows:
        raise UserError(f"{path}: is empty; export it again")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise UserError(f"{path}: row {number} has {len(row)} cells, the first row has {len(rows[0])}; is the file whole?")
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


def _number(cell: str) -> float:
    """The number, infinity where it is none."""
    try:
        return float(cell)
    except ValueError:
        return np.inf
