"""Every metric's definition, in one place.

A confusion table has the shape (..., level, level): rows are the truth, columns what was predicted,
entries numbers of clips (or weights, or means over seeds). Leading axes are free, so that one line
of arithmetic serves the cohort itself and thousands of resampled cohorts. Levels keep the label's
order; of two levels the second is the positive one. Clips are pooled over folds before anything is
computed: with one participant left out, most metrics have no value within a fold. What has no value
is NaN.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]

NAMES = {
    "f1": "F1",
    "accuracy": "accuracy",
    "auc": "AUC",
    "balanced_accuracy": "balanced accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "positive predictive value",
    "npv": "negative predictive value",
    "mcc": "Matthews correlation",
    "average_precision": "average precision",
    "brier": "Brier score",
}
TWO_LEVELS = (
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "average_precision",
)  # defined where there is a positive level
LOWER_IS_BETTER = ("brier",)


def metric_names(levels: int) -> list[str]:
    """Metrics that are defined for a label with so many levels."""
    return [name for name in NAMES if levels == 2 or name not in TWO_LEVELS]


def greatest_difference(name: str, levels: int) -> float:
    """How far two values of the metric can be apart: 1, 2 for Matthews correlation (-1 to 1) and
    for the Brier score of several levels.
    """
    return 2.0 if name == "mcc" or (name == "brier" and levels > 2) else 1.0


def confusion_table(truth: ArrayLike, predicted: ArrayLike, levels: int) -> Array:
    """(level, level) counts from integer codes of the truth and of the prediction."""
    table = np.zeros((levels, levels))
    np.add.at(table, (np.asarray(truth, dtype=int), np.asarray(predicted, dtype=int)), 1)
    return table


def from_confusion(name: str, confusion: Array) -> Array:
    """The metric called `name` ("f1", "accuracy", ...) of confusion tables (..., level, level) ->
    (...).
    """
    return {
        "f1": f1,
        "accuracy": accuracy,
        "balanced_accuracy": balanced_accuracy,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": ppv,
        "npv": npv,
        "mcc": mcc,
    }[name](confusion)


def accuracy(confusion: Array) -> Array:
    """Share of clips that were named rightly."""
    return _ratio(_hits(confusion).sum(-1), confusion.sum((-2, -1)))


def recall(confusion: Array) -> Array:
    """(..., level): of the clips that have the level, the share that was given it; NaN where no
    clip has it.
    """
    return _ratio(_hits(confusion), confusion.sum(-1))


def precision(confusion: Array) -> Array:
    """(..., level): of the clips that were given the level, the share that has it; NaN where no
    clip was given it.
    """
    return _ratio(_hits(confusion), confusion.sum(-2))


def f1(confusion: Array) -> Array:
    """2 TP / (2 TP + FP + FN): the harmonic mean of precision and sensitivity.

    Two levels: of the positive level, as Hou et al. 2022 report it [our reading: which class they
    meant is not stated]. More levels: macro F1, the plain mean over the levels that some clip has.
    NaN where the clips hold one level only.
    """
    hits = _hits(confusion)
    by_level = _ratio(2 * hits, confusion.sum(-1) + confusion.sum(-2))
    if confusion.shape[-1] == 2:
        return np.where(_several_levels(confusion), by_level[..., 1], np.nan)
    return _mean_over_present(by_level, confusion)


def balanced_accuracy(confusion: Array) -> Array:
    """Mean of `recall` over the levels that some clip has; with two levels the mean of sensitivity
    and specificity.

    NaN where the clips hold one level only.
    """
    return _mean_over_present(recall(confusion), confusion)


def sensitivity(confusion: Array) -> Array:
    """Two levels: of the clips with the sign, the share in which it was seen, TP / (TP + FN)."""
    return recall(confusion)[..., 1]


def specificity(confusion: Array) -> Array:
    """Two levels: of the clips without the sign, the share that was left alone, TN / (TN + FP)."""
    return recall(confusion)[..., 0]


def ppv(confusion: Array) -> Array:
    """Two levels: of the clips in which the sign was seen, the share that has it, TP / (TP + FP)."""
    return precision(confusion)[..., 1]


def npv(confusion: Array) -> Array:
    """Two levels: of the clips that were left alone, the share without the sign, TN / (TN + FN)."""
    return precision(confusion)[..., 0]


def mcc(confusion: Array) -> Array:
    """Matthews correlation coefficient, from -1 to 1: the correlation of truth and prediction, 0
    for any guess.

    More than two levels: Gorodkin's R_K (2004). 0 where every clip was given the same level, as
    scikit-learn has it; NaN where the clips hold one level only.
    """
    clips, true, given = confusion.sum((-2, -1)), confusion.sum(-1), confusion.sum(-2)
    covariance = _hits(confusion).sum(-1) * clips - (true * given).sum(-1)
    spread = (clips**2 - (true**2).sum(-1)) * (clips**2 - (given**2).sum(-1))
    value = np.divide(
        covariance,
        np.sqrt(np.maximum(spread, 0)),
        out=np.zeros_like(covariance),
        where=spread > 1e-9,
    )
    return np.where(_several_levels(confusion), value, np.nan)


def pairs_won(
    truth: ArrayLike, score: ArrayLike, participant: ArrayLike, participants: int
) -> Array:
    """(participant, participant) [p, q]: among clips of p with the sign and clips of q without, the
    pairs in which the first scores higher.

    A tie counts half. The ROC AUC is the share of such pairs among all (Mann-Whitney), so it can be
    had for any weighting of participants from this one table: see `auc`.
    """
    truth, score, participant = (
        np.asarray(truth),
        np.asarray(score, dtype=float),
        np.asarray(participant),
    )
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
    return _ratio(
        np.einsum("dp,dp->d", weights @ won, weights), (weights @ positives) * (weights @ negatives)
    )


def macro_auc(by_level: Array) -> Array:
    """(level, ...) one-against-the-rest areas -> (...): their plain mean over the levels that some
    clips have and some have not.
    """
    known = np.isfinite(by_level)
    return _ratio(np.where(known, by_level, 0).sum(0), known.sum(0).astype(float))


def auc_of_rows(truth: Array, score: Array) -> Array:
    """(row,) areas under the ROC curve of many labellings at once; `truth` (row, clip) holds 0 and
    1, `score` (row, clip) or (clip,).
    """
    truth = np.asarray(truth, dtype=float)
    ranks = np.broadcast_to(rankdata(score, axis=-1), truth.shape)
    positives, negatives = truth.sum(-1), (1 - truth).sum(-1)
    return _ratio((ranks * truth).sum(-1) - positives * (positives + 1) / 2, positives * negatives)


def average_precision(truth: ArrayLike, score: ArrayLike, weights: Array) -> Array:
    """Sum over thresholds of (recall gained) x precision, without interpolation; two levels.

    Args:
        truth, score: (clip,) 0 or 1, and the probability of 1.
        weights: (draw, clip) how often each clip is counted.

    Returns:
        (draw,) values; NaN where one of the two levels has no clip. A useless score gives the share
        of positive clips, not 0.5.
    """
    truth, score = np.asarray(truth), np.asarray(score, dtype=float)
    order = np.argsort(-score, kind="stable")
    last = np.r_[
        np.flatnonzero(np.diff(score[order])), len(order) - 1
    ]  # a threshold takes all clips of one score
    counted = weights[:, order]
    found, called = (
        np.cumsum(clips, axis=1)[:, last] for clips in (counted * (truth[order] == 1), counted)
    )
    gained = np.diff(found, axis=1, prepend=0)
    value = _ratio((gained * np.nan_to_num(_ratio(found, called))).sum(1), found[:, -1])
    return np.where(found[:, -1] < called[:, -1], value, np.nan)


def brier(truth: ArrayLike, probability: ArrayLike) -> Array:
    """(clip,) squared distance of the probabilities (clip, level) from the truth; the Brier score
    is its mean, and lower is better.

    Two levels: (probability of the sign - truth)^2, from 0 to 1. More: the sum over levels, from 0
    to 2 (Brier 1950).
    """
    probability = np.asarray(probability, dtype=float)
    distance = (
        (probability - np.eye(probability.shape[1])[np.asarray(truth, dtype=int)]) ** 2
    ).sum(1)
    return distance / 2 if probability.shape[1] == 2 else distance


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
