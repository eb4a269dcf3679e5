"""`scores.tsv`: the out-of-fold numbers of models that predict a rating or a number, a row a row of
the table and a column a model. For such runs it is what predictions.csv is for classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semiology.data.cohort.table import by_cell, from_cell, to_cell
from semiology.errors import UserError
from semiology.evaluation.run.files import File, checked
from semiology.files import atomic_path

NAME = "scores.tsv"
COLUMNS = ("participant", "row", "fold", "task")  # beside target, models and raters
TESTED = ("mean_absolute_error", "kappa_quadratic", "spearman", "icc_2_1")  # against permutations


class About(File):
    """The entry `scores` of config.yaml: what the columns are."""

    target: str
    models: list[str]
    raters: list[str]
    rating: bool
    seed: int

    @property
    def tested(self) -> list[str]:
        """Figures that are compared with permutations; numbers have no kappa."""
        return [name for name in TESTED if self.rating or not name.startswith("kappa_")]


@dataclass(frozen=True)
class Numbers:
    """The rows of scores.tsv, and what its columns are."""

    table: pd.DataFrame
    about: About

    def long(self) -> pd.DataFrame:
        """A row a task, model and row of the table: columns as in predictions.csv, with `truth` and
        `value` as numbers.
        """
        rows = self.table.rename(columns={"participant": "participant_id", "row": "clip_id"})
        parts = [
            rows[["task", "fold", "clip_id", "participant_id"]].assign(
                label=self.about.target,
                model=model,
                seed=self.about.seed,
                recording_id=rows["clip_id"],
                truth=rows[self.about.target],
                value=rows[model],
            )
            for model in self.about.models
        ]
        return pd.concat(parts, ignore_index=True)


def has_numbers(run: Path) -> bool:
    """Whether a run predicts ratings or numbers."""
    return (run / NAME).is_file()


def write_numbers(run: Path, table: pd.DataFrame) -> None:
    """Write scores.tsv; missing ratings of raters are n/a."""
    with atomic_path(run / NAME) as temporary:
        by_cell(table, to_cell).to_csv(temporary, sep="\t", index=False, na_rep="n/a")


def read_numbers(run: Path, config: Mapping[str, Any]) -> Numbers:
    """Read scores.tsv of a run.

    Args:
        run: its folder.
        config: content of config.yaml.

    Raises:
        UserError: it is no such table, lacks a column, or a cell is no number.
    """
    path = run / NAME
    about = checked(run / "config.yaml", "table", About, config.get("scores") or {})
    try:
        table = by_cell(pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False), from_cell)
    except (OSError, pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: not a table of scores ({' '.join(str(error).split())}); write it again with"
            " `semiology table`"
        ) from error
    scored = [about.target, *about.models, *about.raters]
    for name in (*COLUMNS, *scored):
        if name not in table:
            raise UserError(f"{path}: no column {name!r}; write it again with `semiology table`")
    if table.empty:
        raise UserError(f"{path}: has no rows; write it again with `semiology table`")
    for name in scored:
        texts = table[name].where(~table[name].isin(["n/a", ""]), "nan")
        for number, text in enumerate(texts):
            try:
                found = float(text)
            except ValueError:
                found = np.inf
            if np.isinf(found) or (np.isnan(found) and name not in about.raters):
                raise UserError(
                    f"{path}, row {number + 2}, column {name}: {text!r} is not a number; write it"
                    " again with `semiology table`"
                )
        table[name] = texts.astype(float)
    return Numbers(table, about)
