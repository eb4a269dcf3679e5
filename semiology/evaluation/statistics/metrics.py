"""The definition of every classification metric, in one place.

A confusion matrix has the shape (..., class, class): rows are the true class, columns the predicted
one, entries counts of clips (or weighted counts, or means over seeds). Leading axes are free, so
that one call serves the cohort itself and thousands of resampled cohorts. Classes keep the label's
order; of two classes the second is the positive one. The counts of all folds are pooled before a
metric is computed: with one participant left out, most metrics are undefined within a fold. An
undefined metric is NaN.
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
    "ppv": "positive predictive value",
    "npv": "negative predictive value",
    "mcc": "Matthews correlation",
    "average_precision": "average precision",
    "brier": "Brier score",
}
TWO_CLASSES = (  # defined where there is a positive class
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "average_precision",
)
LOWER_IS_BETTER = ("brier",)


def metric_names(classes: int) -> list[str]:
    """Names of the metrics that are defined for a label with this many classes.

    Parameters
    ----------
    classes : int
        Number of classes of the label.

    Returns
    -------
    list of str
        Keys of `NAMES`, in its order.

    Examples
    --------
    >>> metric_names(3)
    ['f1', 'accuracy', 'auc', 'balanced_accuracy', 'mcc', 'brier']
    """
    return [name for name in NAMES if classes == 2 or name not in TWO_CLASSES]


def greatest_difference(name: str, classes: int) -> float:
    """The largest possible difference between two values of a metric.

    Parameters
    ----------
    name : str
        Metric, a key of `NAMES`.
    classes : int
        Number of classes of the label.

    Returns
    -------
    float
        1; 2 for the Matthews correlation (-1 to 1) and for the Brier score of several classes.

    Examples
    --------
    >>> greatest_difference("mcc", 2), greatest_difference("auc", 2)
    (2.0, 1.0)
    """
    return 2.0 if name == "mcc" or (name == "brier" and classes > 2) else 1.0


def confusion_matrix(truth: ArrayLike, predicted: ArrayLike, classes: int) -> Array:
    """Count clips by true and predicted class.

    Parameters
    ----------
    truth, predicted : (clip,) array_like of int
        Class codes, 0 to `classes` - 1.
    classes : int
        Number of classes.

    Returns
    -------
    (class, class) ndarray
        Truth in rows, prediction in columns.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1], 2).tolist()
    [[1.0, 1.0], [0.0, 2.0]]
    """
    table = np.zeros((classes, classes))
    np.add.at(table, (np.asarray(truth, dtype=int), np.asarray(predicted, dtype=int)), 1)
    return table


def from_confusion(name: str, confusion: Array) -> Array:
    """A metric of a confusion matrix, by the metric's name.

    Parameters
    ----------
    name : str
        "f1", "accuracy", "balanced_accuracy", "sensitivity", "specificity", "ppv", "npv" or "mcc".
    confusion : (..., class, class) ndarray
        Counts, truth in rows.

    Returns
    -------
    (...) ndarray
        Values; NaN where undefined.

    Raises
    ------
    KeyError
        The metric needs scores ("auc", "average_precision", "brier"), or is unknown.

    Examples
    --------
    >>> float(from_confusion("accuracy", np.array([[3.0, 1.0], [1.0, 3.0]])))
    0.75
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
    """Fraction of clips classified correctly, (TP + TN) / (TP + TN + FP + FN) with two classes.

    Parameters
    ----------
    confusion : (..., class, class) ndarray
        Counts, truth in rows.

    Returns
    -------
    (...) ndarray
        0 to 1; NaN without clips.

    Examples
    --------
    >>> float(accuracy(np.array([[15.0, 5.0], [2.0, 8.0]])))
    0.7666666666666667
    """
    return _ratio(_hits(confusion).sum(-1), confusion.sum((-2, -1)))


def recall(confusion: Array) -> Array:
    """Recall of each class, TP / (TP + FN) of that class against the rest.

    Parameters
    ----------
    confusion : (..., class, class) ndarray
        Counts, truth in rows.

    Returns
    -------
    (..., class) ndarray
        0 to 1; NaN for a class without clips.

    Examples
    --------
    >>> recall(np.array([[15.0, 5.0], [2.0, 8.0]])).tolist()
    [0.75, 0.8]
    """
    return _ratio(_hits(confusion), confusion.sum(-1))


def precision(confusion: Array) -> Array:
    """Precision of each class, TP / (TP + FP) of that class against the rest.

    Parameters
    ----------
    confusion : (..., class, class) ndarray
        Counts, truth in rows.

    Returns
    -------
    (..., class) ndarray
        0 to 1; NaN for a class that was never predicted.

    Examples
    --------
    >>> precision(np.array([[6.0, 2.0], [2.0, 8.0]])).tolist()
    [0.75, 0.8]
    """
    return _ratio(_hits(confusion), confusion.sum(-2))


def f1(confusion: Array) -> Array:
    """F1 score, 2 TP / (2 TP + FP + FN): the harmonic mean of precision and recall.

    With two classes it is the F1 of the positive class, as Hou et al. 2022 report it [our reading:
    the paper does not state which class]. With more it is macro F1, the unweighted mean over the
    classes that occur among the clips.

    Parameters
    ----------
    confusion : (..., class, class) ndarray
        Counts, truth in rows.

    Returns
    -------
    (...) ndarray
        0 to 1; NaN where all clips have the same class.

    Examples
    --------
    >>> float(f1(np.array([[15.0, 5.0], [2.0, 8.0]])))  # 16 / 23
    0.6956521739130435
    """
    hits = _hits(confusion)
    by_class = _ratio(2 * hits, confusion.sum(-1) + confusion.sum(-2))
    if confusion.shape[-1] == 2:
        return np.where(_several_classes(confusion), by_class[..., 1], np.nan)
    return _mean_over_present(by_class, confusion)


def balanced_accuracy(confusion: Array) -> Array:
    """Unweighted mean of `recall` over the classes that occur among the clips.

    With two classes: the mean of sensitivity and specificity.

    Parameters
    ----------
    confusion : (..., class, class) ndarray
        Counts, truth in rows.

    Returns
    -------
    (...) ndarray
        0 to 1; NaN where all clips have the same class.

    Examples
    --------
    >>> float(balanced_accuracy(np.array([[15.0, 5.0], [2.0, 8.0]])))
    0.775
    """
    return _mean_over_present(recall(confusion), confusion)


def sensitivity(confusion: Array) -> Array:
    """Sensitivity (true positive rate, recall of the positive class): TP / (TP + FN).

    Parameters
    ----------
    confusion : (..., 2, 2) ndarray
        Counts of two classes, truth in rows.

    Returns
    -------
    (...) ndarray
        0 to 1; NaN without a clip of the positive class.

    Examples
    --------
    >>> float(sensitivity(np.array([[15.0, 5.0], [2.0, 8.0]])))
    0.8
    """
    return recall(confusion)[..., 1]


def specificity(confusion: Array) -> Array:
    """Specificity (true negative rate): TN / (TN + FP).

    Parameters
    ----------
    confusion : (..., 2, 2) ndarray
        Counts of two classes, truth in rows.

    Returns
    -------
    (...) ndarray
        0 to 1; NaN without a clip of the negative class.

    Examples
    --------
    >>> float(specificity(np.array([[15.0, 5.0], [2.0, 8.0]])))
    0.75
    """
    return recall(confusion)[..., 0]


def ppv(confusion: Array) -> Array:
    """Positive predictive value (precision of the positive class): TP / (TP + FP).

    Parameters
    ----------
    confusion : (..., 2, 2) ndarray
        Counts of two classes, truth in rows.

    Returns
    -------
    (...) ndarray
        0 to 1; NaN where no clip was predicted positive.

    Examples
    --------
    >>> float(ppv(np.array([[6.0, 2.0], [2.0, 8.0]])))
    0.8
    """
    return precision(confusion)[..., 1]


def npv(confusion: Array) -> Array:
    """Negative predictive value: TN / (TN + FN).

    Parameters
    ----------
    confusion : (..., 2, 2) ndarray
        Counts of two classes, truth in rows.

    Returns
    -------
    (...) ndarray
        0 to 1; NaN where no clip was predicted negative.

    Examples
    --------
    >>> float(npv(np.array([[6.0, 2.0], [2.0, 8.0]])))
    0.75
    """
    return precision(confusion)[..., 0]


def mcc(confusion: Array) -> Array:
    """Matthews correlation coefficient: the correlation of true and predicted class.

    With two classes (TP TN - FP FN) / sqrt((TP + FP)(TP + FN)(TN + FP)(TN + FN)); with more its
    generalisation R_K.

    Parameters
    ----------
    confusion : (..., class, class) ndarray
        Counts, truth in rows.

    Returns
    -------
    (...) ndarray
        -1 to 1; 0 where every clip was given the same class, as in scikit-learn; NaN where all
        clips have the same class.

    References
    ----------
    Gorodkin 2004, Computational Biology and Chemistry 28:367 (R_K) [P].

    Examples
    --------
    >>> round(float(mcc(np.array([[15.0, 5.0], [2.0, 8.0]]))), 4)
    0.5232
    """
    clips, true, predicted = confusion.sum((-2, -1)), confusion.sum(-1), confusion.sum(-2)
    covariance = _hits(confusion).sum(-1) * clips - (true * predicted).sum(-1)
    variances = (clips**2 - (true**2).sum(-1)) * (clips**2 - (predicted**2).sum(-1))
    value = np.divide(
        covariance,
        np.sqrt(np.maximum(variances, 0)),
        out=np.zeros_like(covariance),
        where=variances > 1e-9,
    )
    return np.where(_several_classes(confusion), value, np.nan)


def concordant_pairs(
    truth: ArrayLike, score: ArrayLike, participant: ArrayLike, participants: int
) -> Array:
    """Count, for every two participants, the pairs of clips that the score ranks correctly.

    A pair is one positive clip of participant p and one negative clip of participant q; it is
    concordant if the positive clip has the higher score, and a tie counts one half. The ROC AUC is
    the fraction of concordant pairs (Mann and Whitney), so that `auc` gives it for any weighting of
    participants from this one table.

    Parameters
    ----------
    truth : (clip,) array_like
        1 for the positive class, 0 for the negative one.
    score : (clip,) array_like
        Higher for the positive class.
    participant : (clip,) array_like of int
        Codes 0 to `participants` - 1.
    participants : int
        Number of participants.

    Returns
    -------
    (participant, participant) ndarray
        Entry [p, q]: concordant pairs of a positive clip of p and a negative clip of q.

    Examples
    --------
    >>> concordant_pairs([1, 0, 0], [0.8, 0.3, 0.8], [0, 0, 1], 2).tolist()
    [[1.0, 0.5], [0.0, 0.0]]
    """
    truth, score, participant = (
        np.asarray(truth),
        np.asarray(score, dtype=float),
        np.asarray(participant),
    )
    positive, negative = truth == 1, truth == 0
    difference = score[positive][:, None] - score[negative][None, :]
    concordant = (difference > 0) + 0.5 * (difference == 0)
    table = np.zeros((participants, participants))
    np.add.at(table, (participant[positive][:, None], participant[negative][None, :]), concordant)
    return table


def auc(concordant: Array, positives: Array, negatives: Array, weights: Array) -> Array:
    """Area under the ROC curve of weighted participants, clips pooled over folds.

    Parameters
    ----------
    concordant : (participant, participant) ndarray
        Table of `concordant_pairs`.
    positives : (participant,) ndarray
        Number of positive clips of each participant.
    negatives : (participant,) ndarray
        Number of negative clips of each participant.
    weights : (draw, participant) ndarray
        How often each participant counts in each resampled cohort.

    Returns
    -------
    (draw,) ndarray
        Areas, 0 to 1; NaN where one of the two classes has no clip.

    Examples
    --------
    >>> table = concordant_pairs([1, 1, 0, 0], [3, 1, 2, 0], [0, 1, 2, 3], 4)
    >>> auc(table, np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1]), np.ones((1, 4))).tolist()
    [0.75]
    """
    return _ratio(
        np.einsum("dp,dp->d", weights @ concordant, weights),
        (weights @ positives) * (weights @ negatives),
    )


def macro_auc(by_class: Array) -> Array:
    """Unweighted mean of the one-against-the-rest areas of several classes.

    Parameters
    ----------
    by_class : (class, ...) ndarray
        Area of each class against the rest; NaN for a class that no clip or every clip has.

    Returns
    -------
    (...) ndarray
        Mean over the classes with a value; NaN where none has one.

    Examples
    --------
    >>> float(macro_auc(np.array([0.5, 1.0, np.nan])))
    0.75
    """
    known = np.isfinite(by_class)
    return _ratio(np.where(known, by_class, 0).sum(0), known.sum(0).astype(float))


def auc_of_rows(truth: Array, score: Array) -> Array:
    """Areas under the ROC curve of many labellings of the same clips at once.

    Parameters
    ----------
    truth : (row, clip) ndarray
        Labels 0 and 1, one labelling in each row.
    score : (row, clip) or (clip,) ndarray
        Scores of each labelling, or the same scores for all.

    Returns
    -------
    (row,) ndarray
        Areas; NaN where a row has one class only.

    Examples
    --------
    >>> auc_of_rows(np.array([[0, 0, 1, 1], [1, 0, 1, 0]]), np.array([0.0, 2.0, 1.0, 3.0])).tolist()
    [0.75, 0.0]
    """
    truth = np.asarray(truth, dtype=float)
    from scipy.stats import rankdata  # a second, which settings need not wait for

    ranks = np.broadcast_to(rankdata(score, axis=-1), truth.shape)
    positives, negatives = truth.sum(-1), (1 - truth).sum(-1)
    return _ratio((ranks * truth).sum(-1) - positives * (positives + 1) / 2, positives * negatives)


def average_precision(truth: ArrayLike, score: ArrayLike, weights: Array) -> Array:
    """Average precision of two classes: sum over thresholds of (increase of recall) x precision.

    Without interpolation, as scikit-learn defines it. A score without information gives the
    prevalence, not 0.5.

    Parameters
    ----------
    truth : (clip,) array_like
        1 for the positive class, 0 for the negative one.
    score : (clip,) array_like
        Probability of the positive class, or any score that rises with it.
    weights : (draw, clip) ndarray
        How often each clip counts in each resampled cohort.

    Returns
    -------
    (draw,) ndarray
        Values, 0 to 1; NaN where one of the two classes has no clip.

    Examples
    --------
    >>> value = average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1], np.ones((1, 4)))
    >>> round(float(value[0]), 4)  # 1/2 x 1 + 1/2 x 2/3
    0.8333
    """
    truth, score = np.asarray(truth), np.asarray(score, dtype=float)
    order = np.argsort(-score, kind="stable")
    # a threshold takes all clips of one score
    last = np.r_[np.flatnonzero(np.diff(score[order])), len(order) - 1]
    counted = weights[:, order]
    true_positives, predicted_positives = (
        np.cumsum(clips, axis=1)[:, last] for clips in (counted * (truth[order] == 1), counted)
    )
    increase = np.diff(true_positives, axis=1, prepend=0)
    precisions = np.nan_to_num(_ratio(true_positives, predicted_positives))
    value = _ratio((increase * precisions).sum(1), true_positives[:, -1])
    return np.where(true_positives[:, -1] < predicted_positives[:, -1], value, np.nan)


def brier(truth: ArrayLike, probability: ArrayLike) -> Array:
    """Squared distance of each clip's probabilities from the truth; its mean is the Brier score.

    Parameters
    ----------
    truth : (clip,) array_like of int
        Class codes.
    probability : (clip, class) array_like
        Predicted probabilities.

    Returns
    -------
    (clip,) ndarray
        Two classes: (probability of the positive class - truth)^2, 0 to 1. More classes: the sum
        over classes, 0 to 2. Lower is better.

    References
    ----------
    Brier 1950, Monthly Weather Review 78:1 [P].

    Examples
    --------
    >>> brier([1, 0], [[0.5, 0.5], [0.75, 0.25]]).tolist()
    [0.25, 0.0625]
    """
    probability = np.asarray(probability, dtype=float)
    distance = (
        (probability - np.eye(probability.shape[1])[np.asarray(truth, dtype=int)]) ** 2
    ).sum(1)
    return distance / 2 if probability.shape[1] == 2 else distance


def _hits(confusion: Array) -> Array:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _ratio(numerator: Array, denominator: Array) -> Array:
    return np.divide(
        numerator, denominator, out=np.full(np.shape(denominator), np.nan), where=denominator > 0
    )


def _several_classes(confusion: Array) -> NDArray[np.bool_]:
    return (confusion.sum(-1) > 0).sum(-1) > 1


def _mean_over_present(by_class: Array, confusion: Array) -> Array:
    present = confusion.sum(-1) > 0
    mean = np.where(present, by_class, 0).sum(-1) / np.maximum(present.sum(-1), 1)
    return np.where(_several_classes(confusion), mean, np.nan)
