"""Folds of the rows of a table by participant, and permutations of their labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from semiology.errors import UserError
from semiology.evaluation.run.predictions import TEST, TEST_SET
from semiology.evaluation.statistics.permutation import permute_labels
from semiology.experiments.table.reading import Rows
from semiology.experiments.table.settings import STREAM, Table
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


def task_name(settings: Table) -> str:
    """The name of the task in predictions.csv."""
    return f"{settings.target} ({STREAM})"


def split_rows(settings: Table, rows: Rows) -> list[Fold]:
    """The folds; that of the unseen set last. They do not look at the target, so that they are the
    same under every permutation of the labels.

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
        if settings.folds > len(set(people)):
            raise UserError(
                f"folds: {settings.folds}, but there are {len(set(people))} participants to split"
            )
        splitter = StratifiedGroupKFold(settings.folds, shuffle=True, random_state=settings.seed)
        nothing = np.zeros(len(known))
        parts = splitter.split(nothing, nothing, people)
        held = {f"{number:02d}": known[own] for number, (_, own) in enumerate(parts, 1)}
    folds = [Fold(name, np.setdiff1d(known, own), own) for name, own in held.items()]
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
