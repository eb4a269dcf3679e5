"""Reads a table of scores: participants, visits, and one column for each rater."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from semiology.data.cohort.table import Fault, read_table
from semiology.errors import UserError

DOUBTFUL = {"na", "nan", "none", "null"}  # names that programs write for no name
MISSING = {"", "na", "nan"}  # cells without a score, whatever their case; n/a is "" already
DECIMAL_COMMA = re.compile(r"-?[0-9]+,[0-9]+")
SEPARATORS = {".tsv": "\t", ".csv": ","}


@dataclass(frozen=True)
class Scores:
    """Scores of one machine and of raters; a row is one participant, or one participant at a visit.

    Attributes
    ----------
    machine : str
        Name of the machine's column; "" where raters are compared with each other only.
    raters : tuple of str
        Names of the raters' columns.
    table : DataFrame
        Columns `participant`, `visit` ("" where the table has none) and the scores as numbers, NaN
        where missing.
    notes : tuple of str
        What a reader has to know about the table.
    second : dict
        Rater -> column of what the rater scored again without knowing the first score.
    """

    machine: str
    raters: tuple[str, ...]
    table: pd.DataFrame
    notes: tuple[str, ...] = ()
    second: dict[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The machine's column, if there is one, then the raters'."""
        return (*((self.machine,) if self.machine else ()), *self.raters)

    @property
    def visits(self) -> list[str]:
        """Names of the visits in the order of the table; empty where it has none."""
        return [visit for visit in self.table["visit"].unique() if visit]

    def by_visit(
        self, column: str, visits: Sequence[str]
    ) -> tuple[pd.DataFrame, dict[str, list[str]]]:
        """Scores of one column by participant and visit.

        Parameters
        ----------
        column : str
            Machine or rater.
        visits : sequence of str
            Visits.

        Returns
        -------
        table : (participant, visit) DataFrame
            Participants with a score at each of these visits.
        absent : dict
            Visit -> participants without a score there.

        Raises
        ------
        UserError
            A visit is not in the table, or is given twice.
        """
        for visit in visits:
            if visit not in self.visits:
                there = (
                    f"there are {', '.join(self.visits)}"
                    if self.visits
                    else "name the column of visits with --visit"
                )
                raise UserError(f'no visit "{visit}" in the table; {there}')
        if len(set(visits)) < len(visits):
            raise UserError(f"the visits {', '.join(visits)} are not different; name each once")
        wide = self.table.pivot(index="participant", columns="visit", values=column).reindex(
            columns=list(visits)
        )
        absent = {visit: [str(name) for name in wide.index[wide[visit].isna()]] for visit in visits}
        return wide.dropna(), {visit: names for visit, names in absent.items() if names}


def read_scores(
    path: str | Path,
    machine: str,
    raters: Sequence[str],
    participant: str = "participant_id",
    visit: str | None = None,
) -> Scores:
    """Read a table of scores: .tsv or .csv with a header, one row a participant (and visit).

    Missing scores are n/a or empty. Without `visit`, several rows of a participant are repeated
    measures, and a note says so.

    Parameters
    ----------
    path : str or Path
        The table.
    machine : str
        Column of the machine's scores.
    raters : sequence of str
        Columns of the raters' scores.
    participant : str
        Column of the participants.
    visit : str, optional
        Column of the visits.

    Returns
    -------
    Scores
        The scores as numbers.

    Raises
    ------
    UserError
        There is no such file or no row, a column is missing, given twice or without any score, a
        score is not a number, a row has no participant or no visit, or a participant has two
        rows of one visit.
    """
    path = Path(path)
    scored = [machine, *raters]
    columns = [participant, *([visit] if visit else []), *scored]
    if len(set(columns)) < len(columns):
        raise UserError(
            f"{path}: the columns {', '.join(columns)} are not different; name each once"
        )
    notes: list[str] = []
    cells = _cells(path, columns, notes)
    doubtful = sorted({text for text in cells[participant] if text.lower() in DOUBTFUL})
    if doubtful:
        notes.append(
            f"participants called {', '.join(doubtful)} are people of that name; where it means"
            " that none is known, delete the rows"
        )
    names = {
        "participant": _names(cells, participant, path),
        "visit": _names(cells, visit, path) if visit else "",
    }
    table = pd.DataFrame(names, index=cells.index).assign(
        **{column: _numbers(cells[column], path) for column in scored}
    )
    if empty := [column for column in scored if len(table) and table[column].isna().all()]:
        raise UserError(f"{path}: column {empty[0]} has no score in any row; name another")
    twice = table.duplicated(["participant", "visit"], keep=False)
    if visit and twice.any():
        first = table[twice].iloc[0]
        rows = [
            int(number)
            for number in table.index[
                (table["participant"] == first["participant"]) & (table["visit"] == first["visit"])
            ]
        ]
        raise UserError(
            f"{path}: rows {', '.join(map(str, rows))}: participant {first['participant']} has"
            f" {len(rows)} rows at visit {first['visit']}; keep one row a participant and visit"
        )
    repeated = table.loc[twice, "participant"].nunique()
    if repeated and not visit:
        notes.append(
            f"participants with several rows: {repeated}; their rows are taken as repeated measures"
        )
    return Scores(machine, tuple(raters), table.reset_index(drop=True), tuple(notes))


def _cells(path: Path, columns: Sequence[str], notes: list[str]) -> pd.DataFrame:
    """The table as text, indexed by row as in a spreadsheet, where the header is row 1."""
    separator = SEPARATORS.get(path.suffix.lower())
    if separator is None:
        raise UserError(
            f"{path}: scores are read from .tsv or .csv; save the table as one of these"
        )
    faults: list[Fault] = []
    table = read_table(path, columns, faults, notes, separator)
    if table.columns:
        for column in columns:
            if column not in table.columns:
                raise UserError(
                    f'{path}: no column "{column}"; there are {", ".join(table.columns)}'
                )
    if faults:
        raise UserError(str(faults[0]))
    if not table.rows:
        raise UserError(
            f"{path}: no scores in it; write one row a participant under the names of the columns"
        )
    numbers, rows = zip(*table.rows)
    return pd.DataFrame(list(rows), index=list(numbers), columns=table.columns, dtype=str)


def _names(cells: pd.DataFrame, column: str, path: Path) -> pd.Series:
    for number, text in cells[column].items():
        if not text:
            raise UserError(
                f'{path}: row {number}, column "{column}": is empty; every row needs one'
            )
    return cells[column]


def _numbers(texts: pd.Series, path: Path) -> np.ndarray:
    return np.array(
        [
            as_score(text, f'{path}: row {number}, column "{texts.name}"')
            for number, text in texts.items()
        ]
    )


def as_score(text: str, where: str) -> float:
    """The number in a cell; NaN where it has none.

    Raises:
        UserError: it is text, or not finite; `where` is its place.
    """
    if text.lower() in MISSING:
        return math.nan
    try:
        score = float(text)
    except ValueError:
        hint = (
            f"write {text.replace(',', '.')}"
            if DECIMAL_COMMA.fullmatch(text)
            else "write a number, or n/a"
        )
        raise UserError(f"{where}: {text!r} is not a number; {hint}") from None
    if not math.isfinite(score):
        raise UserError(f"{where}: {text!r} is not a finite number; write a number, or n/a")
    return score
