"""The metrics of a table under permuted labels: the linear model's at once (linear.py), those of
others from the records of the folds that were trained again.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from semiology.evaluation.statistics.metrics import (
    auc_of_rows,
    confusion_matrix,
    from_confusion,
    macro_auc,
    metric_names,
)
from semiology.evaluation.statistics.results import values
from semiology.experiments.table.folds import Fold, labellings, parts_of, permuted_labels
from semiology.experiments.table.linear import linear_predictions
from semiology.experiments.table.outputs import predictions_table
from semiology.experiments.table.reading import Rows
from semiology.experiments.table.settings import LINEAR, Table

FROM_SCORES = ("average_precision", "brier")  # metrics without a null of the linear model


def class_null(
    settings: Table,
    rows: Rows,
    records: Sequence[dict[str, Any]],
    folds: Sequence[Fold],
    linear: bool,
    task: str,
) -> dict[str, Any]:
    """task -> model -> metric -> its value under each permutation of the labels."""
    null: dict[str, Any] = {}
    for permutation in range(settings.others):
        table = predictions_table(
            settings, [record for record in records if record["permutation"] == permutation]
        )
        table["scores"] = table["scores"].map(json.loads)
        for name, models in values(table).items():
            for model, metrics in models.items():
                for metric, value in metrics.items():
                    own = null.setdefault(name, {}).setdefault(model, {})
                    own.setdefault(metric, []).append(value)
    if linear:
        labels, count = labellings(settings, rows), len(rows.levels)
        outputs = [1] if count == 2 else range(count)
        signs = np.stack([np.where(code == labels.T, 1.0, -1.0) for code in outputs], axis=1)
        for name, own in parts_of(task, folds).items():
            pairs = [(fold.training, fold.held) for fold in own]
            held = np.concatenate([fold.held for fold in own])
            scores = linear_predictions(rows, pairs, signs, settings.inner)[held]
            null.setdefault(name, {})[LINEAR] = _class_metrics(labels[:, held], scores, count)
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


def score_null(
    settings: Table,
    rows: Rows,
    records: Sequence[dict[str, Any]],
    folds: Sequence[Fold],
    labels: np.ndarray | None,
) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """model -> (predicted, true) numbers of each permutation of the labels, in the rows of
    scores.tsv; with `labels` (labelling, row) the linear model's too.
    """
    null: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    held = np.concatenate([fold.held for fold in folds])
    for permutation in range(settings.others):
        truth = permuted_labels(settings, rows, permutation)[held]
        own = [record for record in records if record["permutation"] == permutation]
        for name in own[0]["models"] if own else ():
            predicted = np.concatenate([record["values"][name] for record in own])
            null.setdefault(name, []).append((predicted, truth))
    if labels is not None:
        pairs = [(fold.training, fold.held) for fold in folds]
        predicted = linear_predictions(rows, pairs, labels.T[:, None], settings.inner)[:, 0]
        for training, out in pairs if rows.task == "rating" else ():
            low, high = settings.scale or (
                labels[:, training].min(axis=1),
                labels[:, training].max(axis=1),
            )
            predicted[out] = predicted[out].clip(low, high)
        null[LINEAR] = list(zip(predicted[held].T, labels[:, held]))
    return null
