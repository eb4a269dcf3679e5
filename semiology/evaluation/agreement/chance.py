"""Agreement of predicted ratings or numbers with permuted labels: what chance gives."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semiology.evaluation.agreement.comparisons import prepared
from semiology.evaluation.agreement.pairs import Paired
from semiology.evaluation.run.scores import About


def figures_of(predicted: np.ndarray, truth: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Figures of agreement of (row,) predictions and truths, None where undefined: those of one
    permutation of the labels.
    """
    pair = Paired(predicted, truth, np.arange(len(truth)))
    found: dict[str, float | None] = {}
    for name in names:
        ordinal, _, why_not = prepared(pair, name, "machine-rater", "", "")
        constant = name == "spearman" and 0 in (np.ptp(predicted), np.ptp(truth))
        value = np.nan
        if not why_not and not constant:
            value = float(ordinal.figure(name, np.ones((1, len(truth))))[0])
        found[name] = value if np.isfinite(value) else None
    return found


# task -> model -> figure -> its value under each permutation of the labels, as in null.json
Null = dict[str, dict[str, dict[str, list[float | None]]]]


def null_of(records: Sequence[Mapping[str, Any]], tasks: Sequence[str], about: About) -> Null:
    """task -> model -> figure -> its value under each permutation, from the records of folds that
    were trained under permuted labels.

    Args:
        records: of permuted labels.
        tasks: (record,) names as in scores.tsv.
        about: the run's columns.
    """
    pairs: dict[tuple[str, str], dict[int, list[tuple[float, float]]]] = {}
    for record, task in zip(records, tasks):
        for row in record["predictions"]:
            runs = pairs.setdefault((task, row["model"]), {})
            runs.setdefault(record["permutation"], []).append((row["value"], row["truth"]))
    null: Null = {}
    for (task, model), runs in pairs.items():
        own = null.setdefault(task, {}).setdefault(model, {})
        for _, given in sorted(runs.items()):
            predicted, truth = np.array(given).T
            for name, value in figures_of(predicted, truth, about.tested).items():
                own.setdefault(name, []).append(value)
    return null
