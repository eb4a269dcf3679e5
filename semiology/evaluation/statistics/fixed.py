"""Chance for predictions that are there already, and of which nobody trains the models again: the
truths are permuted between participants, and the predictions stay as they are.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.statistics.comparison import number
from semiology.evaluation.statistics.metrics import Array, auc_of_rows, from_confusion
from semiology.evaluation.statistics.out_of_fold import Codes
from semiology.evaluation.statistics.permutation import many_permutations

# tested: the metrics of the main table and the one that the report draws [our choice]
TESTED = ("f1", "accuracy", "balanced_accuracy", "auc")
DIGITS = 6  # of a value in null.json, which holds one a permutation, metric, model and task
Null = dict[str, dict[str, dict[str, list[float | None]]]]


def null_of_fixed(predictions: pd.DataFrame, permutations: int, seed: int) -> Null:
    """Metrics of fixed predictions under permuted truths: what null.json holds.

    Exact in the sense of permutation tests where participants are exchangeable: a participant's
    truths go to another one as a whole (`many_permutations`), the same permutations for all models
    of a task. It answers whether predictions and truths are related; not what another training
    would have given. A clip without an answer is wrong and sure under every permutation too.

    Parameters
    ----------
    predictions : DataFrame
        Table of `read_predictions`, one seed a model.
    permutations : int
        How many.
    seed : int
        Of the permutations.

    Returns
    -------
    dict
        task -> model -> metric -> its value under each permutation, None where undefined; of more
        than two classes without the AUC.
    """
    null: Null = {}
    for task, rows in predictions.groupby("task", sort=False):
        classes = levels_of(rows)
        code = {name: number for number, name in enumerate(classes)}
        clips = rows.drop_duplicates("clip_id").sort_values("clip_id")
        truth = many_permutations(
            clips["participant_id"],
            clips["truth"].map(code).to_numpy(dtype=int),
            permutations,
            np.random.default_rng(seed),
        )
        null[str(task)] = {
            str(model): {
                name: [number(value) for value in np.round(values, DIGITS)]
                for name, values in _metrics(own.sort_values("clip_id"), classes, truth).items()
            }
            for model, own in rows.groupby("model", sort=False)
        }
    return null


def _metrics(rows: pd.DataFrame, classes: Sequence[str], truth: Codes) -> dict[str, Array]:
    """Metric -> (permutation,) values of one model's rows, in the order of the clips."""
    given = (
        rows["answered"].to_numpy(dtype=bool)
        if "answered" in rows
        else np.ones(len(rows), dtype=bool)
    )
    predicted = rows["predicted"].map({name: n for n, name in enumerate(classes)}).to_numpy()
    answers = np.eye(len(classes))[predicted] * given[:, None]  # (clip, class), 0 without one
    confusion = np.zeros((len(truth), len(classes), len(classes)))
    for code in range(len(classes)):
        own = (truth == code).astype(float)  # (permutation, clip)
        confusion[:, code] = own @ answers
        confusion[:, code, int(code == 0)] += own @ ~given  # the first other class
    found = {name: from_confusion(name, confusion) for name in TESTED if name != "auc"}
    if len(classes) == 2:
        found["auc"] = _auc(truth.astype(float), rows["score"].to_numpy(dtype=float), given)
    return found


def _auc(truth: Array, score: Array, given: np.ndarray) -> Array:
    """(permutation,) areas of fixed scores, where a clip without one has 0 if it has the sign and 1
    if it has not: it loses against all but those that are as sure and as wrong.
    """
    if given.all():
        return auc_of_rows(truth, score)
    own, left = truth[:, given], truth[:, ~given]
    ranked = auc_of_rows(own, score[given]) * own.sum(1) * (1 - own).sum(1)
    ties = left.sum(1) * ((1 - own) @ (score[given] == 0))
    ties += (1 - left).sum(1) * (own @ (score[given] == 1))
    pairs = truth.sum(1) * (1 - truth).sum(1)
    return np.divide(
        np.nan_to_num(ranked) + 0.5 * ties, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0
    )
