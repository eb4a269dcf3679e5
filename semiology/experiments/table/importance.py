"""What the models of a table rely on, by group of features: permutation importance and partial
dependence, computed on held-out people by the models that were not trained on them.

In a held-out row the values of a group are replaced by those of a row of another participant, drawn
from all rows that are held out in some fold; importance is the mean rise of the loss (Breiman 2001,
Machine Learning 45:5 [P]; by group, and donors that are other people: our choice). Partial
dependence is the mean prediction with the group set to the same values in every row (Friedman 2001,
Annals of Statistics 29:1189 [P]): to the quantiles of the training rows, all columns of the group
together.
"""

import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata
from sklearn.model_selection import GridSearchCV

from semiology.errors import UserError
from semiology.evaluation.run.tasks import TEST
from semiology.evaluation.statistics.comparison import estimate_json
from semiology.evaluation.statistics.intervals import METHOD, bca_interval, draw_participants
from semiology.experiments.table.folds import Fold, Groups, Work, parts_of
from semiology.experiments.table.models import LEAST, bounds_of, predict
from semiology.experiments.table.reading import Rows, columns_like
from semiology.experiments.table.settings import Table
from semiology.files import read_json, slug, write_json

POINTS = (0.1, 0.3, 0.5, 0.7, 0.9)  # quantiles of the training rows [our choice]
ALONE = 20  # features up to which each is a group of its own by default [our choice]
ALIKE = 0.5  # mean rank correlation, of either sign, from which columns are a group [our choice]
LEVELS = 8  # categories that are drawn at most [our choice]
AT_ONCE = 50_000  # rows that are predicted at a time [our choice]
DRAWS = 2000  # resampled cohorts behind an interval, as elsewhere in the package


def feature_groups(settings: Table, rows: Rows) -> dict[str, list[str]]:
    """Name -> columns of each group of features; none without `importance`.

    Correlations are those of all rows; no target takes part.

    Raises:
        UserError: a pattern without a column, or a column in two groups.
    """
    names = [*rows.numbers, *rows.categories]
    how = settings.groups or (["correlation"] if len(names) > ALONE else ["*each*"])
    if not settings.importance:
        return {}
    if how == ["*each*"]:
        return {name: [name] for name in names}
    if how == ["prefix"]:
        found: dict[str, list[str]] = {}
        for name in names:
            prefix = re.match(r"[^\W\d_]+", name)
            found.setdefault(prefix[0] if prefix else name, []).append(name)
        return found
    if how == ["correlation"]:
        return _correlated(rows) | {name: [name] for name in rows.categories}
    found = {}
    owner: dict[str, str] = {}
    for text in how:
        group, _, patterns = text.rpartition("=")
        columns = columns_like(names, patterns.split(","), Path(settings.table), "groups")
        for column in columns:
            if owner.setdefault(column, text) != text:
                raise UserError(
                    f'groups: column "{column}" is in {owner[column]!r} and in {text!r}; a column'
                    " is in one group"
                )
        found[group or patterns] = columns
    others = [name for name in names if name not in owner]
    return found | ({"the others": others} if others else {})


def _correlated(rows: Rows) -> dict[str, list[str]]:
    numbers = rows.features[list(rows.numbers)]
    numbers = numbers.fillna(numbers.median())
    varies = numbers.nunique() > 1  # a correlation needs two values
    alone = {name: [name] for name in numbers.columns[~varies]}
    names = list(numbers.columns[varies])
    if len(names) < 2:
        return {name: [name] for name in names} | alone
    ranks = rankdata(numbers[names].to_numpy(), axis=0)
    apart = (1 - np.abs(np.corrcoef(ranks.T))).clip(0)
    np.fill_diagonal(apart, 0)
    tree = linkage(squareform(apart, checks=False), "average")
    found: dict[int, list[str]] = {}
    for name, number in zip(names, fcluster(tree, 1 - ALIKE, "distance").tolist()):
        found.setdefault(number, []).append(name)
    return {
        own[0] if len(own) == 1 else f"{own[0]} and {len(own) - 1} like it": own
        for own in found.values()
    } | alone


def place(run: Path, task: str, fold: Fold) -> Path:
    """Where a fold's part is."""
    return run / "importance" / slug(task) / f"{fold.name}.json"


def importance_key(settings: Table, groups: Groups, key: str) -> str:
    """The key of a fold's part: of its record, the groups and the repeats."""
    content = [key, groups, settings.importance]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def measure_fold(fitted: Mapping[str, GridSearchCV], work: Work, fold: Fold, key: str) -> None:
    """Write the sums of a fold's held-out people: rise of the loss, and predictions at POINTS.

    Args:
        fitted: models of the fold, which has true labels.
        work: of the run.
        fold: which.
        key: of the part.
    """
    settings, rows, groups = work.settings, work.rows, work.groups
    people, owner = np.unique(rows.participants[fold.held], return_inverse=True)
    bounds = bounds_of(rows, fold.training, settings.scale)
    given = _donors(rows, fold, settings)
    held, truth = rows.features.iloc[fold.held], rows.target[fold.held]
    sums = np.zeros((len(people), len(fold.held)))
    sums[owner, np.arange(len(owner))] = 1
    models: dict[str, Any] = {}
    for name, model in fitted.items():
        before = _loss(rows, _predicted(model, rows, held, bounds), truth)
        own = models.setdefault(name, {})
        for group, columns in groups.items():
            points = _points(rows, fold, columns)
            changed = [
                held.assign(**{column: rows.features[column].to_numpy()[row] for column in columns})
                for row in given
            ]
            changed += [held.assign(**point) for point in points]
            found = _predicted(model, rows, pd.concat(changed, ignore_index=True), bounds)
            found = found.reshape(len(changed), len(held), *found.shape[1:])
            rise = np.mean([_loss(rows, one, truth) - before for one in found[: len(given)]], 0)
            curve = [sums @ one for one in found[len(given) :]]
            own[group] = {
                "rise": (sums @ rise).round(6).tolist(),
                "curve": [np.asarray(one).round(6).tolist() for one in curve],
            }
    content = {
        "key": key,
        "people": people.tolist(),
        "rows": np.bincount(owner).tolist(),
        "models": models,
    }
    write_json(place(work.run, work.task, fold), content, indent=None, checksummed=True)


def _predicted(
    model: GridSearchCV, rows: Rows, features: pd.DataFrame, bounds: tuple[float, float] | None
) -> np.ndarray:
    """Predictions of rows with these features, some at a time."""
    parts = [features.iloc[start : start + AT_ONCE] for start in range(0, len(features), AT_ONCE)]
    return np.concatenate(
        [
            predict(model, replace(rows, features=part), np.arange(len(part)), bounds)
            for part in parts
        ]
    )


def _donors(rows: Rows, fold: Fold, settings: Table) -> np.ndarray:
    """(repeat, held-out row) indices of rows of other people."""
    pool = np.flatnonzero(rows.unseen == (fold.name == TEST))
    if len(set(rows.participants[pool])) < 2:
        pool = np.arange(len(rows.ids))
    rng = np.random.default_rng([settings.seed, zlib.crc32(fold.name.encode())])
    drawn = rng.choice(pool, (settings.importance, len(fold.held)))
    own = rows.participants[fold.held]
    while (same := rows.participants[drawn] == own).any():
        drawn[same] = rng.choice(pool, int(same.sum()))
    return drawn


def _loss(rows: Rows, predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(row,) log loss of classes, absolute error of numbers."""
    if rows.task != "classes":
        return np.abs(predicted - truth)
    own = predicted[np.arange(len(truth)), truth.astype(int)]
    return -np.log(np.maximum(own, LEAST))


def _points(rows: Rows, fold: Fold, columns: Sequence[str]) -> list[dict[str, Any]]:
    """The values of a group at which predictions are taken: column -> value, for each point. Of
    numbers quantiles of the training rows; columns that fall as the first rises take the opposite
    quantile. Of one category its values.
    """
    numbers = [name for name in columns if name in rows.numbers]
    if not numbers:
        return [{columns[0]: level} for level in _levels(rows, columns)]
    training = rows.features[numbers].iloc[fold.training]
    ranks = rankdata(training.fillna(training.median()).fillna(0.0).to_numpy(), axis=0)
    ranks -= ranks.mean(axis=0)
    falls = ranks.T @ ranks[:, 0] < 0
    return [
        {
            name: float(training[name].quantile(1 - point if fall else point))
            for name, fall in zip(numbers, falls)
        }
        for point in POINTS
    ]


def _levels(rows: Rows, columns: Sequence[str]) -> list[str]:
    if len(columns) > 1:
        return []
    counts = rows.features[columns[0]].value_counts()
    return sorted(counts.index[:LEVELS].tolist())


def write_importance(works: Sequence[Work], run: Path) -> None:
    """Write RUN/importance.json from the parts of the folds: value and 95 % interval by participant
    of every model and group, and its curve.
    """
    settings, classes = works[0].settings, works[0].rows.task == "classes"
    tasks = {name: part for work in works for name, part in _of_task(work)}
    write_json(
        run / "importance.json",
        {
            "figure": "rise of the log loss" if classes else "rise of the mean absolute error",
            "curve": "mean probability" if classes else f"mean prediction of {settings.target}",
            "repeats": settings.importance,
            "interval": f"95 % {METHOD}",
            "tasks": tasks,
        },
        allow_nan=False,
    )


def _of_task(work: Work) -> Iterator[tuple[str, dict[str, Any]]]:
    rows, groups = work.rows, work.groups
    drawn = list(rows.levels) if len(rows.levels) > 2 else [*rows.levels[1:]] or [""]
    for name, own in parts_of(work.task, work.folds).items():
        parts = [read_json(place(work.run, work.task, fold), checksummed=True) for fold in own]
        counts = np.concatenate([part["rows"] for part in parts]).astype(float)
        weights = draw_participants(len(counts), DRAWS, work.settings.seed)
        models: dict[str, Any] = {}
        for model in parts[0]["models"]:
            found = models.setdefault(model, {})
            for group, columns in groups.items():
                of = [part["models"][model][group] for part in parts]
                (rise,) = _means(
                    np.concatenate([one["rise"] for one in of])[:, None], counts, weights
                )
                at: list[Any] = list(POINTS)
                if not any(column in rows.numbers for column in columns):
                    at = _levels(rows, columns)
                curves: dict[str, list[dict[str, Any]]] = {}
                for number, point in enumerate(at):
                    sums = np.concatenate([np.array(one["curve"][number]) for one in of])
                    sums = sums.reshape(len(sums), -1)
                    if len(rows.levels) == 2:
                        sums = sums[:, 1:]
                    for level, mean in zip(drawn, _means(sums, counts, weights)):
                        curves.setdefault(level, []).append({"at": point, **mean})
                found[group] = rise | {"curves": curves}
        yield (
            name,
            {
                "participants": len(counts),
                "rows": int(counts.sum()),
                "groups": {group: list(columns) for group, columns in groups.items()},
                "models": models,
            },
        )


def _means(sums: np.ndarray, counts: np.ndarray, weights: np.ndarray) -> list[dict[str, Any]]:
    """Means over rows, with intervals, of (participant, column) sums over each one's rows."""
    people = len(counts)
    values = (weights @ sums) / (weights @ counts)[:, None]
    with np.errstate(invalid="ignore"):  # of one participant alone
        left_out = (sums.sum(axis=0) - sums) / (counts.sum() - counts)[:, None]
    found = []
    for number, value in enumerate(sums.sum(axis=0) / counts.sum()):
        interval = bca_interval(float(value), values[:, number], left_out[:, number], people)
        found.append(estimate_json(float(value), interval))
    return found
