"""Reads a table of features: participants, target, columns of numbers and of names. What cannot be
used is refused with its place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semiology.data.cohort.table import Fault, read_table
from semiology.data.marks.table import column_separator
from semiology.errors import UserError
from semiology.evaluation.agreement.scores import DECIMAL_COMMA, MISSING, SEPARATORS, as_score
from semiology.experiments.table.leaks import NO_NAME, near_copies, refuse_leaks
from semiology.experiments.table.settings import Table
from semiology.files import content_hash, read_json

MOST_FEATURES = 2000  # more are named by a pattern, if they are meant [our choice]
MOST_GRADES = 10  # different whole or half points that are still taken as a rating [our choice]
_KINDS = {"classes": "of classes", "number": "a number"}
MEASURE = "measure"  # "Role" of a column in the table's sidecar that may be a feature by default


@dataclass(frozen=True)
class Rows:
    """The rows of a table that have a target.

    Attributes:
        digest: SHA-256 of the file.
        task: "classes", "rating" or "number".
        ids: (row,) names.
        participants: (row,) names.
        target: (row,) code of the class, or the number.
        levels: names of the classes, in their order; empty for ratings and numbers.
        features: (row, feature) floats of `numbers`, NaN where missing, then text of `categories`.
        numbers, categories: names of the columns.
        raters: (row, rater) ratings of others, NaN where missing.
        covariates: (row, covariate) text.
        held: (row,) value of the column that the folds are made of; empty without one.
        unseen: (row,) whether it is of the unseen set.
        notes: what a reader has to know.
    """

    digest: str
    task: str
    ids: np.ndarray
    participants: np.ndarray
    target: np.ndarray
    levels: tuple[str, ...]
    features: pd.DataFrame
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    raters: pd.DataFrame
    covariates: pd.DataFrame
    held: np.ndarray
    unseen: np.ndarray
    notes: tuple[str, ...] = ()

    def with_target(self, target: np.ndarray) -> "Rows":
        """The same rows with other labels."""
        return replace(self, target=target)


def read_rows(settings: Table) -> Rows:
    """Read the rows of a table that have a target, and the columns that are features.

    Raises:
        UserError: the file cannot be read; a column is missing; a row has no participant or its
            name is there twice; fewer than three participants; a target with one value; text where
            a number is due; no feature, too many, or one that gives the target away; a participant
            in two sets or two values of the column of folds.
    """
    path = Path(settings.table)
    notes: list[str] = []
    cells = read_cells(path, notes)
    _check_columns(settings, cells, path)
    if lost := cells.index[[not text for text in cells[settings.participant]]].tolist():
        raise UserError(
            f'{path}: row {lost[0]}, column "{settings.participant}": is empty; every row needs its'
            " participant, as nobody may be in training and held-out rows"
        )
    given = ~cells[settings.target].str.lower().isin(MISSING)
    if (~given).any():
        notes.append(f"{int((~given).sum())} rows without {settings.target} are left out")
    cells = cells[given]
    if cells[settings.participant].nunique() < 3:
        raise UserError(
            f"{path}: {cells[settings.participant].nunique()} participants with a"
            f" {settings.target}; three or more are needed to hold some out"
        )
    task, target, levels = _target(settings, cells, path)
    numbers, categories = _feature_columns(settings, cells, path, notes)
    features = read_features(cells, numbers, categories, path)
    texts = {str(name): cells[name].to_numpy() for name in cells if name not in numbers}
    # what the sidecar describes as a measure of the clip is none of the target's copies; in a few
    # clips a count may tell the classes apart
    entries = described(path)
    unknown = [name for name in features if entries.get(str(name), {}).get("Role") != MEASURE]
    refuse_leaks(features[unknown], texts, target, task, settings.target, path)
    notes += near_copies(features[unknown], target, task)
    ids = cells[settings.id] if settings.id else [f"row-{number}" for number in cells.index]
    if (again := pd.Series(ids)).duplicated().any():
        raise UserError(
            f'{path}: column "{settings.id}": {again[again.duplicated()].iloc[0]} names two rows;'
            " name another column, or leave --id out"
        )
    raters = list(settings.raters or ())
    unseen = _unseen(settings, cells, path)
    return Rows(
        content_hash(path),
        task,
        np.array(list(ids), dtype=str),
        cells[settings.participant].to_numpy(dtype=str),
        target,
        levels,
        features,
        numbers,
        categories,
        pd.DataFrame({name: _numbers(cells[name], path) for name in raters}),
        cells[list(settings.covariates or ())].reset_index(drop=True),
        _one_each(settings, cells, settings.column, path) if settings.column else np.array([]),
        unseen,
        tuple(notes),
    )


def read_cells(path: Path, notes: list[str]) -> pd.DataFrame:
    """The table as text, indexed by row as in a spreadsheet, where the header is row 1; empty cells
    and n/a are "".

    Raises:
        UserError: there is no such file, or it is no such table.
    """
    kind = path.suffix.lower()
    if kind in (".xlsx", ".parquet"):
        return _through_pandas(path, kind)
    if kind not in SEPARATORS:
        raise UserError(
            f"{path}: tables are read from .csv, .tsv, .xlsx and .parquet; save it as one of these"
        )
    faults: list[Fault] = []
    separator = column_separator(path) if kind == ".csv" and path.is_file() else SEPARATORS[kind]
    table = read_table(path, (), faults, notes, separator)
    if faults:
        raise UserError(f"{path.parent / str(faults[0])}")
    if not table.rows:
        raise UserError(f"{path}: has no rows; write one a clip, visit or person")
    places, rows = zip(*table.rows)
    cells = pd.DataFrame(list(rows), index=list(places), columns=table.columns, dtype=str)
    if separator != ";":
        return cells
    commas = cells.map(lambda text: DECIMAL_COMMA.fullmatch(text) is not None)
    if count := int(commas.to_numpy().sum()):
        notes.append(f"columns are separated by semicolons: {count} decimal commas in numbers")
    return cells.mask(commas, cells.map(lambda text: text.replace(",", ".")))


def _through_pandas(path: Path, kind: str) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(f"{path}: is missing; write it, or correct the path")
    package = "openpyxl" if kind == ".xlsx" else "pyarrow"
    try:
        table = pd.read_excel(path) if kind == ".xlsx" else pd.read_parquet(path)
    except ImportError as error:
        raise UserError(
            f"{path}: reading {kind} needs the package {package}: pip install {package}, or save"
            " the table as .csv"
        ) from error
    except Exception as error:  # each engine has errors of its own
        raise UserError(
            f"{path}: cannot be read as {kind} ({' '.join(str(error).split())}); save it again, or"
            " as .csv"
        ) from error
    cells = table.rename(columns=str).map(_as_text)
    cells.index = pd.RangeIndex(2, len(cells) + 2)
    if cells.empty:
        raise UserError(f"{path}: has no rows; write one a clip, visit or person")
    return cells


def _as_text(value: Any) -> str:
    if pd.isna(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if str(value).strip().lower() == "n/a" else str(value).strip()


def _check_columns(settings: Table, cells: pd.DataFrame, path: Path) -> None:
    others = [
        settings.participant,
        *(settings.also or ()),
        *(settings.raters or ()),
        *(settings.covariates or ()),
        *(
            name
            for name in (settings.id, settings.visit, settings.column, settings.set)
            if name is not None
        ),
    ]
    if settings.target in others:
        raise UserError(
            f"target: {settings.target!r} is named for another purpose too; what is predicted may"
            " be neither participant, set, fold, rater nor covariate"
        )
    named = [settings.participant, settings.target, *others[1:]]
    why = {
        settings.participant: "; without participants, rows of one person would be in training and"
        " held-out rows, and the result would not hold for new people. If every row is another"
        " person, name the column that names the rows"
    }
    for name in named:
        if name not in cells:
            shown = ", ".join(cells.columns[:20]) + (" ..." if len(cells.columns) > 20 else "")
            raise UserError(f'{path}: no column "{name}"; there are {shown}{why.get(name, "")}')


def _numbers(texts: pd.Series, path: Path) -> np.ndarray:
    return np.array(
        [
            as_score(text, f'{path}: row {number}, column "{texts.name}"')
            for number, text in texts.items()
        ]
    )


def count_numbers(texts: Iterable[str]) -> tuple[int, int]:
    """Number of cells that are numbers, with decimal commas too, which `_numbers` refuses; and of
    cells that hold anything.
    """
    numbers = filled = 0
    for text in texts:
        if text.lower() in MISSING:
            continue
        filled += 1
        if DECIMAL_COMMA.fullmatch(text):
            numbers += 1
            continue
        try:
            numbers += bool(np.isfinite(float(text)))
        except ValueError:
            continue
    return numbers, filled


def _target(
    settings: Table, cells: pd.DataFrame, path: Path
) -> tuple[str, np.ndarray, tuple[str, ...]]:
    """The kind of task, the target's codes or numbers, and the classes."""
    texts = cells[settings.target]
    values = sorted(texts.unique())
    if len(values) < 2:
        raise UserError(
            f'{path}: column "{settings.target}" has one value, {values[0]!r}, in all {len(texts)}'
            " rows; there is nothing to predict"
        )
    numbers, filled = count_numbers(texts)
    if numbers == filled:
        _numbers(texts, path)  # refuses decimal commas
    task: str | None = settings.task
    if task is None and (numbers < filled or len(values) == 2):
        task = "classes"
    if task is None:
        of_scale = all((2 * float(value)).is_integer() for value in values)
        task = "rating" if of_scale and len(values) <= MOST_GRADES else "number"
    if settings.scale is not None and task != "rating":
        raise UserError(f"scale: of ratings, and {settings.target} is {_KINDS[task]}; leave it out")
    if task != "classes":
        found = _numbers(texts, path)
        low, high = settings.scale or (-np.inf, np.inf)
        if len(out := np.flatnonzero((found < low) | (found > high))):
            first = f'row {texts.index[out[0]]}, column "{settings.target}": {texts.iloc[out[0]]}'
            raise UserError(
                f"{path}: {first} is outside the scale, {low:g} to {high:g} ({len(out)} rows like"
                " this); correct the cell, or --scale"
            )
        return task, found, ()
    if numbers == filled:
        values = sorted(values, key=float)
    named = described(path).get(settings.target, {}).get("Levels", ())
    own = [level for level in named if level in values]
    levels = tuple(settings.levels or (own if len(own) == len(values) else values))
    if unknown := sorted(set(values) ^ set(levels)):
        raise UserError(f'levels: "{unknown[0]}" is not in both, the table and the levels named')
    if len(levels) > max(20, len(texts) // 10):
        raise UserError(
            f'{path}: column "{settings.target}" has {len(levels)} classes in {len(texts)} rows;'
            " a number is predicted with --task number"
        )
    return task, np.array([levels.index(text) for text in texts]), levels


def columns_like(names: Sequence[str], wanted: Sequence[str], path: Path, option: str) -> list[str]:
    """Columns of these names or patterns, in the table's order.

    Raises:
        UserError: a name or pattern without a column.
    """
    for pattern in wanted:
        if not any(name == pattern or fnmatchcase(name, pattern) for name in names):
            raise UserError(f"{path}: {option}: no column is called {pattern!r}, or matches it")
    return [
        name
        for name in names
        if any(name == pattern or fnmatchcase(name, pattern) for pattern in wanted)
    ]


def described(path: Path) -> dict[str, dict[str, Any]]:
    """column -> what the table's sidecar says of it: a file of the table's name that ends in .json
    and describes columns as BIDS does; empty without one.

    Raises:
        UserError: the sidecar cannot be read.
    """
    sidecar = path.with_suffix(".json")
    if not sidecar.is_file():
        return {}
    columns = read_json(sidecar, remedy="write the table again, or take the sidecar away")
    entries = columns.items() if isinstance(columns, dict) else ()
    return {name: entry for name, entry in entries if isinstance(entry, dict)}


def _feature_columns(
    settings: Table, cells: pd.DataFrame, path: Path, notes: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns of numbers, and of names, that are features."""
    names = list(cells.columns)
    taken = {
        settings.participant,
        settings.target,
        settings.id,
        settings.visit,
        settings.column,
        settings.set,
        *(settings.also or ()),
        *(settings.raters or ()),
        *(settings.covariates or ()),
    }
    without = set(columns_like(names, settings.without or (), path, "without"))
    categories = columns_like(names, settings.categories or (), path, "categories")
    if settings.features is not None:
        wanted = columns_like(names, settings.features, path, "features")
        if own := [
            name for name in settings.features if name in taken and name not in (settings.visit,)
        ]:
            raise UserError(
                f"features: {own[0]!r} is named for another purpose; a feature may be neither"
                " participant, target, set, fold, rater nor covariate"
            )
    else:
        entries = described(path)
        others = [name for name in names if entries.get(name, {}).get("Role", MEASURE) != MEASURE]
        wanted = [name for name in names if name not in {*taken, *others}]
        if others := [name for name in others if name not in taken]:
            notes.append(
                f"columns that {path.with_suffix('.json').name} describes as no measures, not used"
                f" ({len(others)}): {', '.join(others[:10])}"
            )
    free = [name for name in wanted if name not in taken | without and name not in categories]
    categories = [name for name in categories if name not in taken | without]
    numbers, left_out, constant = [], [], []
    for name in free:
        found, filled = count_numbers(cells[name])
        if found < filled and (settings.features is not None or 2 * found > filled):
            _numbers(cells[name], path)  # names the first cell that is no number
        if found < filled:
            left_out.append(name)
        elif not filled or (cells[name] == cells[name].iloc[0]).all():
            constant.append(name)
        else:
            numbers.append(name)
    if left_out:
        notes.append(
            f"columns of text, not used ({len(left_out)}): {', '.join(left_out[:10])}; name those"
            " that are features by --categories"
        )
    if constant:
        notes.append(
            f"columns that are empty or the same in all rows, not used ({len(constant)}):"
            f" {', '.join(constant[:10])}"
        )
    count = len(numbers) + len(categories)
    if not count:
        raise UserError(f"{path}: no column of numbers is left as a feature; see --features")
    if count > MOST_FEATURES:
        raise UserError(
            f"{path}: {count} features are more than {MOST_FEATURES}, of {len(cells)} rows; name"
            " those that are meant by --features, a pattern such as 'au*' for example"
        )
    return tuple(numbers), tuple(categories)


def read_features(
    cells: pd.DataFrame, numbers: Sequence[str], categories: Sequence[str], path: Path
) -> pd.DataFrame:
    """The features of each row.

    Raises:
        UserError: text where a number is due, or no such column.
    """
    for name in (*numbers, *categories):
        if name not in cells:
            raise UserError(f'{path}: no column "{name}", which is a feature')
    return pd.DataFrame(
        {name: _numbers(cells[name], path) for name in numbers}
        | {
            name: [NO_NAME if text.lower() in MISSING else text for text in cells[name]]
            for name in categories
        }
    )


def _one_each(settings: Table, cells: pd.DataFrame, column: str, path: Path) -> np.ndarray:
    """The column's values, of which every participant has one.

    Raises:
        UserError: an empty cell, or a participant with two values.
    """
    owners: dict[str, str] = {}
    for number, person, value in zip(cells.index, cells[settings.participant], cells[column]):
        if not value:
            raise UserError(
                f'{path}: row {number}, column "{column}": is empty; every row needs one'
            )
        if owners.setdefault(person, value) != value:
            raise UserError(
                f"{path}: row {number}: participant {person} is in {owners[person]!r} and in"
                f' {value!r} of column "{column}"; nobody may be in training and held-out rows'
            )
    return cells[column].to_numpy(dtype=str)


def _unseen(settings: Table, cells: pd.DataFrame, path: Path) -> np.ndarray:
    if settings.set is None:
        return np.zeros(len(cells), dtype=bool)
    sets = _one_each(settings, cells, settings.set, path)
    wanted = settings.test or ["test"]
    if absent := set(wanted) - set(sets):
        raise UserError(
            f'{path}: no row has {sorted(absent)[0]!r} in column "{settings.set}"; its values are'
            f" {', '.join(sorted(set(sets)))}; name those of the unseen set by --test"
        )
    unseen = np.isin(sets, wanted)
    if len(set(cells[settings.participant][~unseen])) < 3:
        raise UserError(f"{path}: fewer than three participants are left to train on")
    return unseen
