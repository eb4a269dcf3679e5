"""Columns that give the target away: a copy of it, and its mean by category over all rows (a target
encoding outside the folds). And the digest of a row, by which the audit finds it under another
participant.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.agreement.coefficients import spearman
from semiology.evaluation.statistics.metrics import auc_of_rows

NO_NAME = "(missing)"  # the category of an empty cell
FOLLOWS = 0.95  # rank correlation, or 2 AUC - 1, from which on a feature is named [our choice]
NEAR = 1e-6  # of the target's standard deviation: encodings are often rounded [our choice]


def refuse_leaks(
    features: pd.DataFrame,
    texts: Mapping[str, np.ndarray],
    target: np.ndarray,
    task: str,
    name_of_target: str,
    path: Path,
) -> None:
    """Refuse features that give the target away.

    Args:
        features: (row, feature) numbers and names.
        texts: the other columns of the table, among which are the encoded ones.
        target: (row,) codes or numbers.
        task: "classes", "rating" or "number".
        name_of_target: its column.
        path: of the table.

    Raises:
        UserError: a feature is a copy of the target, or its mean by category.
    """
    groupings = {
        name: pd.factorize(column)[0]
        for name, column in texts.items()
        if name != name_of_target and 1 < len(set(column)) <= len(column) / 2
    }
    levels = np.unique(target) if task == "classes" else ()
    means = [np.equal(target, level).astype(float) for level in levels] or [target]
    for name, values in features.items():
        if _is_copy(values, target, task):
            raise UserError(
                f'{path}: column "{name}" copies the target "{name_of_target}": leave it out with'
                f' --without "{name}"'
            )
        if values.dtype != float or values.isna().any():
            continue
        own = values.to_numpy()
        by_value = np.unique(own, return_inverse=True)[1]
        found = ""
        for of, groups in {"": by_value, **groupings}.items():
            if any(_is_encoding(own, groups, mean, smoothed=bool(of)) for mean in means):
                found = of or found or "another column"
                if of:
                    break
        if found:
            raise UserError(
                f'{path}: column "{name}" is the mean of the target "{name_of_target}" by {found},'
                " over all rows (a target encoding outside the folds): leave it out with"
                f' --without "{name}", and name what it encodes by --categories'
            )


def near_copies(features: pd.DataFrame, target: np.ndarray, task: str) -> list[str]:
    """Notes on features that alone nearly give the target: another rating of it, or what was
    derived from it. Such a feature may be honest, so it is named and kept.

    Args:
        features: (row, feature) numbers and names; names are left out.
        target: (row,) codes or numbers.
        task: "classes", "rating" or "number"; of classes, two.
    """
    if task == "classes" and len(np.unique(target)) != 2:
        return []
    found: list[tuple[float, str]] = []
    for name, values in features.items():
        given = values.notna().to_numpy()
        if values.dtype != float or 2 * given.sum() < len(target):
            continue
        own, other = values[given].to_numpy(), target[given].astype(float)
        if task == "classes":
            follows = 2 * auc_of_rows((other == target.max())[None], own)[0] - 1
        else:
            follows = spearman(own, other, np.ones((1, len(own))))[0]
        if abs(follows) > FOLLOWS:  # not where either is constant: NaN
            found.append((float(abs(follows)), str(name)))
    if not found:
        return []
    shown = ", ".join(f'"{name}" ({follows:.2f})' for follows, name in sorted(found)[:-6:-1])
    measure = "2 AUC - 1" if task == "classes" else "rank correlation"
    return [
        f"{len(found)} of {features.shape[1]} features alone nearly give the target ({measure}"
        f" in all rows): {shown}; another rating of it, or derived from it, belongs to"
        " --without or --raters"
    ]


def _is_copy(values: pd.Series, target: np.ndarray, task: str) -> bool:
    """Whether a feature is the target under another name: one value for each of its values, where
    these come again, or a straight line of it. A missing cell is a value of its own; where at
    least half of the rows hold one, these alone are compared too [our choice].
    """
    kinds = len(np.unique(target))
    given = (values.notna() & (values != NO_NAME)).to_numpy()
    if _one_for_one(values, target) or (
        2 * given.sum() >= len(target)
        and len(np.unique(target[given])) == kinds
        and _one_for_one(values[given], target[given])
    ):
        return True
    if task == "classes" or values.dtype != float or kinds < 3:
        return False
    own, other = values[given].to_numpy(), target[given]
    return (
        len(own) > 2
        and np.ptp(own) > 0 < np.ptp(other)
        and bool(abs(np.corrcoef(own, other)[0, 1]) > 1 - 1e-9)
    )


def _one_for_one(values: pd.Series, target: np.ndarray) -> bool:
    codes, found = pd.factorize(values, use_na_sentinel=False)
    kinds, pairs = len(np.unique(target)), len(set(zip(codes.tolist(), target.tolist())))
    return len(found) == kinds == pairs and 2 * kinds <= len(target)


def _is_encoding(
    values: np.ndarray, groups: np.ndarray, target: np.ndarray, *, smoothed: bool
) -> bool:
    """Whether a feature is the mean of the target in each group, or that mean drawn towards the
    mean of all rows: by a count, (n mean + m overall) / (n + m), or by scikit-learn's
    TargetEncoder, with weights n variance / (n variance + squared deviation in the group).
    Groups need two rows or more in the mean; with one each there is nothing to tell apart.
    """
    count = np.bincount(groups)
    if 2 * len(count) > len(values) or len(count) < 2 or np.ptp(values) == 0:
        return False
    first = np.zeros(len(count))
    first[groups] = values
    least = NEAR * max(float(target.std()), 1e-12)
    if np.abs(values - first[groups]).max() > least:
        return False  # differs within a group
    mean = np.bincount(groups, target) / count
    overall, spread = target.mean(), target.var()
    within = np.bincount(groups, (target - mean[groups]) ** 2) / count
    candidates = [mean]
    if smoothed:
        drawn, excess = first - overall, count * (mean - first)
        amount = float(drawn @ excess) / max(float(drawn @ drawn), 1e-300)
        candidates.append((count * mean + max(amount, 0.0) * overall) / (count + max(amount, 0.0)))
        weight = count * spread / np.maximum(count * spread + within, 1e-300)
        candidates.append(weight * mean + (1 - weight) * overall)
    return any(np.abs(first - expected).max() <= least for expected in candidates)


def row_digest(values: Sequence[float]) -> str | None:
    """SHA-256 of a row's measured numbers, by which a copy under another participant is found; None
    where fewer than three are no whole numbers: counts and signs agree by chance [our choice].
    """
    measured = [value for value in values if np.isfinite(value) and value % 1]
    if len(measured) < 3:
        return None
    return hashlib.sha256(np.array(measured, dtype=float).tobytes()).hexdigest()
