"""Folds of the rows of a table by participant, and permutations of their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from semiology.errors import UserError
from semiology.evaluation.run.tasks import TEST, TEST_SET
from semiology.evaluation.statistics.permutation import permute_labels
from semiology.experiments.table.reading import Rows
from semiology.experiments.table.settings import LINEAR, STREAM, Table
from semiology.files import portable_name, slug


@dataclass(frozen=True)
class Fold:
    """One fold: its name, the rows that are trained on and those that are held out (indices), and
    the permutation of the labels; None for the true ones.
    """

    name: str
    training: np.ndarray
    held: np.ndarray
    permutation: int | None = None

    def path(self, run: Path, task: str, seed: int) -> Path:
        """Where its record is."""
        under = f"seed-{seed}" if self.permutation is None else f"permutation-{self.permutation}"
        return run / "folds" / slug(task) / under / f"{self.name}.json"


Groups = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Work:
    """One target of a run: what its folds have in common.

    Attributes:
        settings: options.
        rows: of the table, with true labels.
        models: names.
        folds: with true labels.
        run: folder.
        task: its name in predictions.csv.
        groups: of features: name -> columns; may be empty.
    """

    settings: Table
    rows: Rows
    models: Sequence[str]
    folds: Sequence[Fold]
    run: Path
    task: str
    groups: Groups

    def models_of(self, fold: Fold) -> list[str]:
        """Models that are fitted; the linear one's permutations come at once (linear.py)."""
        return [name for name in self.models if fold.permutation is None or name != LINEAR]

    def path(self, fold: Fold) -> Path:
        """Where the fold's record is."""
        return fold.path(self.run, self.task, self.settings.seed)

    def permuted(self) -> list[list[Fold]]:
        """The folds under each permutation of the labels that the others may be trained for."""
        count = self.settings.most_others if set(self.models) - {LINEAR} else 0
        return [
            [replace(fold, permutation=number) for fold in self.folds] for number in range(count)
        ]


def task_name(settings: Table) -> str:
    """The name of the task in predictions.csv."""
    return f"{settings.target} ({STREAM})"


def split_all(settings: Sequence[Table], rows: Sequence[Rows]) -> list[list[Fold]]:
    """The folds of every target, of the same people for all.

    Raises:
        UserError: as `split_rows`.
    """
    if len(rows) == 1:
        return [split_rows(settings[0], rows[0])]
    everybody = {
        str(row): str(person)
        for own in rows
        for row, person in zip(own.ids[~own.unseen], own.participants[~own.unseen])
    }
    people = np.array(list(everybody.values()))
    by = settings[0].split_by(len(set(people)))
    parts = _grouped(settings[0], people) if by == "grouped" else None
    return [split_rows(replace(one, by=by), own, parts) for one, own in zip(settings, rows)]


def _grouped(settings: Table, people: np.ndarray) -> dict[str, list[str]]:
    """Name -> people of each of the grouped folds of (row,) people."""
    if settings.folds > len(set(people)):
        raise UserError(
            f"folds: {settings.folds}, but there are {len(set(people))} participants to split"
        )
    splitter = StratifiedGroupKFold(settings.folds, shuffle=True, random_state=settings.seed)
    nothing = np.zeros(len(people))
    parts = splitter.split(nothing, nothing, people)
    return {
        f"{number:02d}": sorted(set(people[own].tolist()))
        for number, (_, own) in enumerate(parts, 1)
    }


def split_rows(
    settings: Table, rows: Rows, parts: Mapping[str, Sequence[str]] | None = None
) -> list[Fold]:
    """The folds; that of the unseen set last. They do not look at the target, so that they are the
    same under every permutation of the labels.

    Args:
        settings: of the run.
        rows: of the table.
        parts: people of each of the grouped folds; by default they are split here.

    Raises:
        UserError: fewer than two groups, or more folds than participants.
    """
    known = np.flatnonzero(~rows.unseen)
    people = rows.participants[known]
    by = settings.split_by(len(set(people)))
    held: dict[str, np.ndarray] = {}
    if by in ("participant", "column"):
        groups = people if by == "participant" else rows.held[known]
        held = {name: known[groups == name] for name in sorted(set(groups))}
        if len(held) < 2:
            raise UserError(
                f'column "{settings.column}" has one value; there is nothing to leave out'
            )
        if not all(_names_file(name) for name in held):
            held = {f"{number:04d}": own for number, own in enumerate(held.values(), 1)}
    elif by == "grouped":
        found = parts or _grouped(settings, people)
        held = {name: known[np.isin(people, list(own))] for name, own in found.items()}
    folds = [Fold(name, np.setdiff1d(known, own), own) for name, own in held.items()]
    folds = [fold for fold in folds if len(fold.held)]  # of several targets, one may have no rows
    if rows.unseen.any():
        folds.append(Fold(TEST, known, np.flatnonzero(rows.unseen)))
    return folds


def _names_file(name: str) -> bool:
    try:
        return name != TEST and bool(portable_name(name))
    except ValueError:
        return False


def split_setting(settings: Table, rows: Rows) -> dict[str, Any]:
    """The split as config.yaml of a run names it."""
    by = settings.split_by(len(set(rows.participants[~rows.unseen])))
    return {
        "by": {"column": "centre", "none": None}.get(by, by),
        "folds": settings.folds,
        "column": settings.column or "",
        "test": sorted(set(rows.participants[rows.unseen].tolist())) or None,
    }


def parts_of(task: str, folds: Sequence[Fold]) -> dict[str, list[Fold]]:
    """Task in predictions.csv -> its folds: the unseen set is a task of its own."""
    parts = {
        task: [fold for fold in folds if fold.name != TEST],
        task + TEST_SET: [fold for fold in folds if fold.name == TEST],
    }
    return {name: own for name, own in parts.items() if own}


def permuted_labels(settings: Table, rows: Rows, permutation: int) -> np.ndarray:
    """The targets permuted between participants."""
    rng = np.random.default_rng([settings.seed, permutation])
    return permute_labels(rows.participants, rows.target, rng)


def labellings(settings: Table, rows: Rows) -> np.ndarray:
    """(labelling, row) targets permuted between participants."""
    rng = np.random.default_rng(settings.seed)
    _, people = np.unique(rows.participants, return_inverse=True)
    return np.stack(
        [permute_labels(people, rows.target, rng) for _ in range(settings.permutations)]
    )
