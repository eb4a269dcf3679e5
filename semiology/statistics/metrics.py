"""Every metric's definition, in one place, computed from counts.

A confusion table has the shape (..., level, level): rows are the truth, columns what was predicted, entries numbers of clips (or weights,
or means over seeds). Leading axes are free, so that one line of arithmetic serves the cohort itself and thousands of resampled cohorts.
Levels keep the label's order; of two levels the second is the positive one. Clips are pooled over folds before anything is computed: with
one participant left out, most metrics have no value within a fold. What has no value is NaN.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

NAMES = {
    "f1": "F1",
    "accuracy": "accuracy",
    "auc": "AUC",
    "balanced_accuracy": "balanced accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
}


def metric_names(levels: int) -> list[str]:
    """Metrics that are defined for a label with so many levels: AUC, sensitivity and specificity need two."""
    return list(NAMES) if levels == 2 else ["f1", "accuracy", "balanced_accuracy"]


def confusion_table(truth: ArrayLike, predicted: ArrayLike, levels: int) -> Array:
    """(level, level) counts from integer codes of the truth and of the prediction."""
    table = np.zeros((levels, levels))
    np.add.at(table, (np.asarray(truth, dtype=int), np.asarray(predicted, dtype=int)), 1)
    return table


def from_confusion(name: str, confusion: Array) -> Array:
    """The metric called `name` ("f1", "accuracy", ...) of confusion tables (..., level, level) -> (...)."""
    return {
        "f1": f1,
        "accuracy": accuracy,
        "balanced_accuracy": balanced_accuracy,
        "sensitivity": sensitivity,
        "specificity": specificity,
    }[name](confusion)


def accuracy(confusion: Array) -> Array:
    """Share of clips that were named rightly."""
    return _ratio(_hits(confusion).sum(-1), confusion.sum((-2, -1)))


def recall(confusion: Array) -> Array:
    """(..., level): of the clips that have the level, the share that was given it; NaN where no clip has it."""
    return _ratio(_hits(confusion), confusion.sum(-1))


def f1(confusion: Array) -> Array:
    """2 TP / (2 TP + FP + FN): the harmonic mean of precision and sensitivity.

    Two levels: of the positive level, as Hou et al. 2022 report it [our reading: which class they meant is not stated]. More levels: macro
    F1, the plain mean over the levels that some clip has. NaN where the clips hold one level only.
    """
    hits = _hits(confusion)
    by_level = _ratio(2 * hits, confusion.sum(-1) + confusion.sum(-2))
    if confusion.shape[-1] == 2:
        return np.where(_several_levels(confusion), by_level[..., 1], np.nan)
    return _mean_over_present(by_level, confusion)


def balanced_accuracy(confusion: Array) -> Array:
    """Mean of `recall` over the levels that some clip has; with two levels the mean of sensitivity and specificity.

    NaN where the clips hold one level only.
    """
    return _mean_over_present(recall(confusion), confusion)


def sensitivity(confusion: Array) -> Array:
    """Two levels: of the clips with the sign, the share in which it was seen, TP / (TP + FN)."""
    return recall(confusion)[..., 1]


def specificity(confusion: Array) -> Array:
    """Two levels: of the clips without the sign, the share that was left alone, TN / (TN + FP)."""
    return recall(confusion)[..., 0]


def pairs_won(truth: ArrayLike, score: ArrayLike, participant: ArrayLike, participants: int) -> Array:
    """(participant, participant) [p, q]: among clips of p with the sign and clips of q without, the pairs in which the first scores higher.

    A tie counts half. The ROC AUC is the share of such pairs among all (Mann-Whitney), so it can be had for any weighting of participants
    from this one table: see `auc`.
    """
    truth, score, participant = np.asarray(truth), np.asarray(score, dtype=float), np.asarray(participant)
    positive, negative = truth == 1, truth == 0
    difference = score[positive][:, None] - score[negative][None, :]
    won = (difference > 0) + 0.5 * (difference == 0)
    table = np.zeros((participants, participants))
    np.add.at(table, (participant[positive][:, None], participant[negative][None, :]), won)
    return table


def auc(won: Array, positives: Array, negatives: Array, weights: Array) -> Array:
    """Area under the ROC curve, pooled over folds, for weighted participants.

    Args:
        won: (participant, participant) of `pairs_won`.
        positives, negatives: (participant,) numbers of clips with and without the sign.
        weights: (draw, participant) how often each participant is counted.

    Returns:
        (draw,) areas; NaN where one of the two levels has no clip.
    """
    return _ratio(np.einsum("dp,dp->d", weights @ won, weights), (weights @ positives) * (weights @ negatives))


def _hits(confusion: Array) -> Array:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _ratio(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)


def _several_levels(confusion: Array) -> NDArray[np.bool_]:
    return (confusion.sum(-1) > 0).sum(-1) > 1


def _mean_over_present(by_level: Array, confusion: Array) -> Array:
    present = confusion.sum(-1) > 0
    mean = np.where(present, by_level, 0).sum(-1) / np.maximum(present.sum(-1), 1)
    return np.where(_several_levels(confusion), mean, np.nan)
