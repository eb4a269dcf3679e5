"""The metrics of a table under permuted labels: the linear model's at once (linear.py), those of
others from the records of the folds that were trained again.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from semiology.evaluation.agreement.chance import Null, figures_of, null_of
from semiology.evaluation.run.records import table_task
from semiology.evaluation.run.scores import About
from semiology.evaluation.statistics.metrics import (
    auc_of_rows,
    confusion_matrix,
    from_confusion,
    macro_auc,
    metric_names,
)
from semiology.evaluation.statistics.results import values
from semiology.experiments.table.folds import Work, labellings, parts_of
from semiology.experiments.table.linear import linear_predictions
from semiology.experiments.table.outputs import about_numbers, predictions_table
from semiology.experiments.table.reading import Rows
from semiology.experiments.table.settings import LINEAR, Table

FROM_SCORES = ("average_precision", "brier")  # metrics without a null of the linear model


def null_of_run(work: Work, records: Sequence[dict[str, Any]]) -> Null:
    """task -> model -> metric -> its value under each permutation of the labels."""
    settings, rows, models = work.settings, work.rows, work.models
    permuted = [record for record in records if record["permutation"] is not None]
    about = About.model_validate(about_numbers(settings, rows, models))
    if rows.task != "classes":
        null = null_of(permuted, [table_task(record) for record in permuted], about)
    else:
        null = _class_null(settings, permuted)
    if LINEAR not in models or not settings.permutations:
        return null
    labels = labellings(settings, rows)
    for name, own in parts_of(work.task, work.folds).items():
        pairs = [(fold.training, fold.held) for fold in own]
        held = np.concatenate([fold.held for fold in own])
        if rows.task == "classes":
            count = len(rows.levels)
            outputs = [1] if count == 2 else range(count)
            signs = np.stack([np.where(code == labels.T, 1.0, -1.0) for code in outputs], axis=1)
            scores = linear_predictions(rows, pairs, signs, settings.inner)[held]
            metrics = _class_metrics(labels[:, held], scores, count)
        else:
            metrics = _number_metrics(settings, rows, pairs, held, labels, about)
        null.setdefault(name, {})[LINEAR] = metrics
    return null


def _class_null(settings: Table, records: Sequence[dict[str, Any]]) -> Null:
    """The same of the models that were trained again under permuted labels."""
    null: Null = {}
    for permutation in sorted({record["permutation"] for record in records}):
        table = predictions_table(
            settings, [record for record in records if record["permutation"] == permutation]
        )
        table["scores"] = table["scores"].map(json.loads)
        for name, models in values(table).items():
            for model, metrics in models.items():
                for metric, value in metrics.items():
                    own = null.setdefault(name, {}).setdefault(model, {})
                    own.setdefault(metric, []).append(value)
    return null


def _class_metrics(
    truth: np.ndarray, scores: np.ndarray, classes: int
) -> dict[str, list[float | None]]:
    """Metrics of (labelling, row) truths from (row, output, labelling) scores."""
    if scores.shape[1] == 1:
        predicted = (scores[:, 0] > 0).T.astype(int)
        areas = auc_of_rows((truth == 1).astype(float), scores[:, 0].T)
    else:
        predicted = scores.argmax(axis=1).T
        areas = macro_auc(
            np.stack(
                [
                    auc_of_rows((truth == code).astype(float), scores[:, code].T)
                    for code in range(classes)
                ]
            )
        )
    tables = np.stack(
        [confusion_matrix(own, given, classes) for own, given in zip(truth, predicted)]
    )
    found = {
        name: areas if name == "auc" else from_confusion(name, tables)
        for name in metric_names(classes)
        if name not in FROM_SCORES
    }
    return {
        name: [float(value) if np.isfinite(value) else None for value in own]
        for name, own in found.items()
    }


def _number_metrics(
    settings: Table,
    rows: Rows,
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    held: np.ndarray,
    labels: np.ndarray,
    about: About,
) -> dict[str, list[float | None]]:
    """Figures of the linear model under (labelling, row) permuted ratings or numbers."""
    predicted = linear_predictions(rows, pairs, labels.T[:, None], settings.inner)[:, 0]
    for training, out in pairs if rows.task == "rating" else ():
        low, high = settings.scale or (
            labels[:, training].min(axis=1),
            labels[:, training].max(axis=1),
        )
        predicted[out] = predicted[out].clip(low, high)
    found: dict[str, list[float | None]] = {name: [] for name in about.tested}
    for own, truth in zip(predicted[held].T, labels[:, held]):
        for name, value in figures_of(own, truth, about.tested).items():
            found[name].append(value)
    return found
