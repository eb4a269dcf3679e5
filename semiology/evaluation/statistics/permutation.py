"""Permutation tests: what the same procedure gives when the labels mean nothing.

Labels are permuted between participants, never between single clips, because the clips of one
participant are not independent. Any procedure can be tested with `permutation_test`, which repeats
it for every permutation. For a ridge classifier in leave-one-subject-out cross-validation the test
is exact and takes seconds (`LosoRidge`), because its scores are linear in the labels.

In the fold without participant g, with training clips T, features standardised by T's mean and
standard deviation (columns of X), labels y of -1 and 1:

    score of a clip x of g  =  mean(y_T) + x (X'X + alpha I)^-1 X' (y_T - mean(y_T))
                            =  sum over j in T of [1/|T| + x (X'X + alpha I)^-1 x_j] y_j

as the columns of X have mean zero. The bracket depends on features and folds alone. With these
brackets in a matrix M (clip, clip), zero within a participant, all out-of-fold scores are M y:
training every fold under thousands of labellings, or under all of them, is one matrix product.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semiology.errors import UserError
from semiology.evaluation.statistics.metrics import Array, auc_of_rows, from_confusion

# permutations that are still enumerated: 19 participants, 9 with the sign, have 92,378
MOST = 200_000
ROUNDING = 1e-12  # equal values can differ in the last bit


@dataclass(frozen=True)
class PermutationTest:
    """Result of a permutation test.

    Attributes
    ----------
    value : float
        The statistic with the true labels.
    null : (permutation,) ndarray
        The statistic with permuted labels; where `exact`, with every distinct permutation, the true
        labels among them.
    exact : bool
        Whether all distinct permutations were computed.
    p : float
        One-sided p-value. Exact: the fraction of permutations that reach the value. Else
        (1 + b) / (1 + n), b of n random permutations reaching it. NaN where the value is undefined.
    """

    value: float
    null: Array
    exact: bool
    p: float

    @property
    def resolution(self) -> float:
        """The smallest p-value that this number of permutations can give."""
        return 1 / (len(self.null) + (not self.exact))


def permutation_test(
    statistic: Callable[[NDArray[np.int_]], float],
    participants: ArrayLike,
    labels: ArrayLike,
    *,
    n_permutations: int = 999,
    seed: int = 0,
    lower_is_better: bool = False,
) -> PermutationTest:
    """Test a statistic against random permutations of the participants' labels.

    The statistic has to repeat the whole procedure, all training included; folds that are
    stratified by label have to be made from the labels that it is given.

    Parameters
    ----------
    statistic : callable
        Labels (clip,) -> value.
    participants : (clip,) array_like
        The participant of each clip.
    labels : (clip,) array_like
        True labels.
    n_permutations : int
        Number of random permutations (`permute_labels`).
    seed : int
        Of the permutations.
    lower_is_better : bool
        Whether a lower value is a better one.

    Returns
    -------
    PermutationTest
        Permutations in which the statistic is undefined (NaN) are not counted.

    References
    ----------
    Phipson and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9:39: why the
    observed value is counted among the permuted ones [P].

    Examples
    --------
    The difference of two group means, one clip for each of eight participants:

    >>> score = np.array([1, 2, 3, 4, 5, 6, 7, 8])
    >>> found = permutation_test(
    ...     lambda labels: score[labels == 1].mean() - score[labels == 0].mean(),
    ...     np.arange(8), [0, 0, 0, 0, 1, 1, 1, 1], n_permutations=99)
    >>> float(found.value), found.p, found.resolution
    (4.0, 0.01, 0.01)
    """
    labels, rng = np.asarray(labels), np.random.default_rng(seed)
    value = float(statistic(labels))
    null = np.array(
        [statistic(permute_labels(participants, labels, rng)) for _ in range(n_permutations)],
        dtype=float,
    )
    null = null[np.isfinite(null)]
    p = compare_with_null(None if math.isnan(value) else value, null.tolist(), lower_is_better)["p"]
    return PermutationTest(value, null, False, math.nan if p is None else p)


def permute_labels(
    participants: ArrayLike, labels: ArrayLike, rng: np.random.Generator
) -> NDArray[np.int_]:
    """One random permutation of the labels between participants.

    Each participant receives the whole list of labels of a randomly assigned participant, in random
    order. So the clips of one participant keep a composition that somebody had; and where all have
    much the same list (a session with every action, one clip with the sign and one without) labels
    change all the same. A participant with more clips than that list repeats it [our choice].

    Parameters
    ----------
    participants : (clip,) array_like
        The participant of each clip.
    labels : (clip,) array_like
        Labels.
    rng : numpy.random.Generator
        Source of randomness; it is advanced.

    Returns
    -------
    (clip,) ndarray
        Permuted labels.

    Examples
    --------
    >>> permute_labels(["a", "a", "b", "c"], [1, 1, 0, 0], np.random.default_rng(3)).tolist()
    [0, 0, 0, 1]
    """
    labels = np.asarray(labels)
    _, codes = np.unique(np.asarray(participants), return_inverse=True)
    order, counts = np.argsort(codes, kind="stable"), np.bincount(codes)
    ends = np.cumsum(counts)
    others = rng.permutation(len(counts))
    permuted = np.empty_like(labels)
    # one clip for one clip: nothing to draw, so that all of them are exchanged at once
    single = (counts == 1) & (counts[others] == 1)
    permuted[order[ends[single] - 1]] = labels[order[ends[others[single]] - 1]]
    for number in np.flatnonzero(~single):
        own, given = (
            order[ends[who] - counts[who] : ends[who]] for who in (number, others[number])
        )
        received = rng.permutation(labels[given])
        permuted[own] = rng.permutation(received.take(range(len(own)), mode="wrap"))
    return permuted


def many_permutations(
    participants: ArrayLike, labels: ArrayLike, count: int, rng: np.random.Generator
) -> NDArray[np.int_]:
    """Many random permutations by the rule of `permute_labels`, without a loop over participants.

    Parameters
    ----------
    participants : (clip,) array_like
        The participant of each clip.
    labels : (clip,) array_like
        Labels.
    count : int
        Number of permutations.
    rng : numpy.random.Generator
        Source of randomness; it draws other permutations than `permute_labels` does.

    Returns
    -------
    (count, clip) ndarray
        Permuted labels.

    Examples
    --------
    >>> drawn = many_permutations(["a", "a", "b"], [1, 1, 0], 50, np.random.default_rng(0))
    >>> np.unique(drawn, axis=0).tolist()
    [[0, 0, 1], [1, 1, 0]]
    """
    labels = np.asarray(labels)
    _, codes, counts = np.unique(np.asarray(participants), return_inverse=True, return_counts=True)
    starts = np.cumsum(counts) - counts
    owner = np.repeat(np.arange(len(counts)), counts)  # of each place, participant by participant
    rank = np.arange(len(codes)) - starts[owner]
    permuted = np.empty((count, len(labels)), dtype=labels.dtype)
    for row in permuted:
        donor = rng.permutation(len(counts))[owner]
        # codes and a fraction: the clips of each participant, one after the other, in random order
        given, taken = (np.argsort(codes + rng.random(len(codes))) for _ in range(2))
        row[taken] = labels[given[starts[donor] + rank % counts[donor]]]
    return permuted


def all_permutations(participants: ArrayLike, labels: ArrayLike) -> NDArray[np.int_]:
    """Every distinct permutation of the labels between participants.

    For two classes, where all clips of a participant have the same label.

    Parameters
    ----------
    participants : (clip,) array_like
        The participant of each clip.
    labels : (clip,) array_like
        Labels 0 and 1.

    Returns
    -------
    (permutation, clip) ndarray
        The labels of every permutation, the true one among them.

    Raises
    ------
    UserError
        A participant's clips have different labels, there are more than two classes, or more than
        200,000 permutations.

    Examples
    --------
    >>> all_permutations(["a", "b", "b", "c"], [1, 0, 0, 0]).tolist()
    [[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]]
    """
    labels = np.asarray(labels)
    names, first, codes = np.unique(
        np.asarray(participants), return_index=True, return_inverse=True
    )
    if (labels != labels[first][codes]).any() or not set(labels.tolist()) <= {0, 1}:
        raise UserError(
            "all permutations can be enumerated for two classes and one label a participant only;"
            " use random permutations"
        )
    positive = int(labels[first].sum())
    if math.comb(len(names), positive) > MOST:
        raise UserError(
            f"{math.comb(len(names), positive)} permutations are more than {MOST}; use random"
            " permutations"
        )
    chosen = np.array(list(combinations(range(len(names)), positive)), dtype=int).reshape(
        -1, positive
    )
    by_participant = np.zeros((len(chosen), len(names)), dtype=int)
    np.put_along_axis(by_participant, chosen, 1, axis=1)
    return by_participant[:, codes]


def exchanges(participants: int, n_permutations: int, seed: int) -> tuple[NDArray[np.int_], bool]:
    """Which participants have two conditions exchanged: all 2^n ways, if there are no more of them
    than permutations asked for, else random ones.

    Parameters
    ----------
    participants : int
        Number of participants, n.
    n_permutations : int
        Number of permutations.
    seed : int
        Of random permutations.

    Returns
    -------
    exchanged : (permutation, participant) ndarray of int
        0 or 1.
    exact : bool
        Whether these are all.
    """
    if 2**participants <= n_permutations:
        return (np.arange(2**participants)[:, None] >> np.arange(participants)) & 1, True
    return np.random.default_rng(seed).integers(0, 2, (n_permutations, participants)), False


def sign_flip_test(values: ArrayLike, n_permutations: int = 9999, seed: int = 0) -> PermutationTest:
    """Test whether values of participants, one each, are on one side of zero.

    Under the null hypothesis the sign of each participant's value could as well be the other one,
    independently of the others' (Fisher's randomisation test of paired differences). The statistic
    is the absolute value of the sum, so that p is two-sided. Values of zero change nothing under
    any flip, and do not count as participants.

    Parameters
    ----------
    values : (participant,) array_like
        Values, such as differences of two conditions.
    n_permutations : int
        Where it is at least 2^n for n participants, all flips are computed and p is exact.
    seed : int
        Of random flips.

    Returns
    -------
    PermutationTest
        p is 1 without a value that is not zero.

    References
    ----------
    Fisher 1935, The Design of Experiments, section 21; Phipson and Smyth 2010 [P].

    Examples
    --------
    Five participants on one side: 2 of the 2^5 flips reach the sum.

    >>> sign_flip_test([1, 1, 1, 1, 1, 0]).p
    0.0625
    """
    nonzero = np.asarray(values, dtype=float)
    nonzero = nonzero[nonzero != 0]
    flips, exact = exchanges(len(nonzero), n_permutations, seed)
    null = np.abs((1 - 2 * flips) @ nonzero)
    value = abs(float(nonzero.sum()))
    reached = int((null >= value - ROUNDING * max(1.0, value)).sum())
    p = reached / len(null) if exact else (1 + reached) / (1 + len(null))
    return PermutationTest(value, null, exact, p)


def compare_with_null(
    value: float | None, null: Sequence[float | None], lower_is_better: bool = False
) -> dict[str, Any]:
    """p-value of a result and a summary of its null distribution, as metrics.json holds them.

    Parameters
    ----------
    value : float or None
        Result with the true labels; None where undefined.
    null : sequence of (float or None)
        Results with permuted labels; undefined ones are left out.
    lower_is_better : bool
        Whether a lower value is a better one.

    Returns
    -------
    dict
        "n": number of permutations with a value. "p": (1 + b) / (1 + n), b of n permutations at
        least as good as the value. "resolution": the smallest p-value that n allows, 1 / (1 + n).
        "median", "low", "high": median and central 95 % of the null distribution. All but n are
        None where the value, or the null, is undefined.

    Examples
    --------
    >>> found = compare_with_null(0.8, [0.5, 0.6, 0.9])
    >>> found["n"], found["p"], found["resolution"], found["median"]
    (3, 0.5, 0.25, 0.6)
    """
    values = np.array([np.nan if entry is None else entry for entry in null], dtype=float)
    values = values[np.isfinite(values)]
    if value is None or not len(values):
        return {
            "n": len(values),
            "p": None,
            "resolution": None,
            "median": None,
            "low": None,
            "high": None,
        }
    low, median, high = np.percentile(values, [2.5, 50, 97.5])
    sign = -1 if lower_is_better else 1
    reached = int((sign * values >= sign * value - ROUNDING).sum())
    return {
        "n": len(values),
        "p": (1 + reached) / (1 + len(values)),
        "resolution": 1 / (1 + len(values)),
        "median": float(median),
        "low": float(low),
        "high": float(high),
    }


def describe_resolution(n_permutations: int) -> str:
    """One sentence on the smallest p-value that a number of permutations can give.

    Parameters
    ----------
    n_permutations : int
        Number of random permutations.

    Returns
    -------
    str
        For the reader of a report.

    Examples
    --------
    >>> describe_resolution(39)
    '39 permutations of the labels: the smallest possible p is 0.025'
    """
    smallest = 1 / (1 + n_permutations)
    enough = "" if smallest <= 0.05 else ", so that nothing can be significant at 5 %"
    return (
        f"{n_permutations} permutations of the labels: the smallest possible p is"
        f" {smallest:.2g}{enough}"
    )


def westfall_young(
    observed: Mapping[str, float], null: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """p-values of several models, corrected for their number by the maximum statistic.

    Westfall and Young's single-step correction. Each value is standardised by mean and standard
    deviation of its model's values, observed and permuted; each observed one is compared with the
    largest of all models in each permutation, so that the correlation between models counts.
    Permutation k has to be the same permutation of labels for every model. Between tasks whose
    labels were permuted separately, the maximum is that of independent nulls, which is slightly
    conservative.

    Parameters
    ----------
    observed : mapping of str to float
        Model -> value; higher is better.
    null : mapping of str to sequence of float
        Model -> (permutation,) values, in the same order for all models.

    Returns
    -------
    dict
        "p" of the best model, "n" permutations, "resolution", "adjusted": {model: p}.

    Raises
    ------
    ValueError
        A model has no null, the nulls differ in length or lack values, or there are fewer than two
        permutations.

    References
    ----------
    Westfall and Young 1993, Resampling-Based Multiple Testing, Wiley [P].

    Examples
    --------
    >>> found = westfall_young({"a": 0.9, "b": 0.5}, {"a": [0.4, 0.6, 0.5], "b": [0.6, 0.4, 0.5]})
    >>> found["p"], found["adjusted"]
    (0.25, {'a': 0.25, 'b': 1.0})
    """
    names = list(observed)
    permutations = {len(null[name]) for name in names}
    values = (
        np.array([null[name] for name in names], dtype=float)
        if len(permutations) == 1
        else np.empty((0, 0))
    )
    if values.shape[1] < 2 or not np.isfinite(values).all():
        raise ValueError(
            "models that are tested together need a null each, of the same two or more"
            " permutations, without missing values"
        )
    # the observed values count as one more permutation, so that p is exact
    everything = np.column_stack([[observed[name] for name in names], values])
    deviation = everything.std(axis=1, ddof=1)
    standardised = (everything - everything.mean(1, keepdims=True)) / np.where(
        deviation > 0, deviation, 1
    )[:, None]
    result, largest = standardised[:, 0], standardised[:, 1:].max(0)
    p = (1 + (largest[None] >= result[:, None] - ROUNDING).sum(1)) / (1 + len(largest))
    return {
        "p": float(p.min()),
        "n": len(largest),
        "resolution": 1 / (1 + len(largest)),
        "adjusted": {name: float(value) for name, value in zip(names, p)},
    }


def fold_weights(
    features: Array, training: NDArray[np.int_], test: NDArray[np.int_], alpha: float
) -> Array:
    """What each label of a fold's training clips (-1 and 1) adds to the scores of its test clips:
    the bracket of the module's equation.

    Parameters
    ----------
    features : (clip, feature) ndarray
        Finite numbers; standardised here by the training clips.
    training, test : (clip,) ndarray of int
        Their rows.
    alpha : float
        Penalty of the squared weights.

    Returns
    -------
    (test clip, training clip) ndarray
        Weights.

    Examples
    --------
    >>> x = np.array([[-1.0], [1.0], [3.0]])
    >>> fold_weights(x, np.array([0, 1]), np.array([2]), alpha=2.0).tolist()
    [[-0.25, 1.25]]
    """
    mean, deviation = features[training].mean(0), features[training].std(0)
    standardised = (features - mean) / np.where(deviation > 0, deviation, 1)
    x = standardised[training]
    if x.shape[1] <= len(x):
        weights = np.linalg.solve(x.T @ x + alpha * np.eye(x.shape[1]), x.T)
    else:  # the same weights, by a smaller system
        weights = x.T @ np.linalg.inv(x @ x.T + alpha * np.eye(len(x)))
    found: Array = 1 / len(x) + standardised[test] @ weights
    return found


class LosoRidge:
    """Ridge classifier of two classes in leave-one-subject-out cross-validation.

    Attributes
    ----------
    matrix : (clip, clip) ndarray
        M of the module's equation: out-of-fold scores are M y.

    Examples
    --------
    >>> participants = np.repeat(np.arange(10), 2)
    >>> labels = (np.arange(10) % 2)[participants]
    >>> features = np.random.default_rng(0).normal(size=(20, 4)) + 0.8 * labels[:, None]
    >>> found = LosoRidge(features, participants).permutation_test(labels, "auc")
    >>> round(found.value, 2), round(found.p, 3), len(found.null)  # all 252 permutations
    (0.51, 0.278, 252)
    """

    def __init__(self, features: ArrayLike, participants: ArrayLike, alpha: float = 1.0):
        """Compute the matrix; labels are not needed for it.

        Parameters
        ----------
        features : (clip, feature) array_like
            Finite numbers; standardised in each fold by its training clips.
        participants : (clip,) array_like
            The participant of each clip.
        alpha : float
            Penalty of the squared weights, for standardised features. Fixed beforehand: choosing it
            by the labels would not be linear.

        Raises
        ------
        UserError
            A feature is not finite, or there are fewer than three participants.
        """
        features, self.participants = np.asarray(features, dtype=float), np.asarray(participants)
        if not np.isfinite(features).all():
            raise UserError(
                f"features of clip {int(np.argwhere(~np.isfinite(features))[0][0])} (from 0) are"
                " not all finite; impute them first"
            )
        if len(set(self.participants.tolist())) < 3:
            raise UserError("leave-one-subject-out needs three or more participants")
        self.matrix = np.zeros((len(features), len(features)))
        for held_out in np.unique(self.participants):
            test = np.flatnonzero(self.participants == held_out)
            training = np.flatnonzero(self.participants != held_out)
            self.matrix[np.ix_(test, training)] = fold_weights(features, training, test, alpha)

    def scores(self, labels: ArrayLike) -> Array:
        """Out-of-fold scores of all clips.

        Parameters
        ----------
        labels : (..., clip) array_like
            Labels 0 and 1 of one or many labellings.

        Returns
        -------
        (..., clip) ndarray
            Scores; above 0 the positive class is predicted.
        """
        return (2 * np.asarray(labels, dtype=float) - 1) @ self.matrix.T

    def metric(self, name: str, labels: ArrayLike) -> Array:
        """A metric of the out-of-fold predictions, pooled over folds.

        Parameters
        ----------
        name : str
            "auc", or a metric of `from_confusion`.
        labels : (labelling, clip) or (clip,) array_like
            Labels 0 and 1; each labelling is trained and evaluated with its own labels.

        Returns
        -------
        (labelling,) ndarray
            Values; NaN where undefined.
        """
        truths: NDArray[np.int_] = np.atleast_2d(np.asarray(labels, dtype=int))
        scores = self.scores(truths)
        if name == "auc":
            return auc_of_rows(truths.astype(float), scores)
        positive = scores > 0
        tables = np.stack(
            [
                ((truths == truth) & (positive == predicted)).sum(1)
                for truth in (0, 1)
                for predicted in (0, 1)
            ],
            axis=1,
        )
        return from_confusion(name, tables.reshape(-1, 2, 2).astype(float))

    def permutation_test(
        self,
        labels: ArrayLike,
        metric: str = "auc",
        n_permutations: int | None = None,
        seed: int = 0,
    ) -> PermutationTest:
        """Test a metric against permutations of the participants' labels.

        Parameters
        ----------
        labels : (clip,) array_like
            True labels, 0 and 1.
        metric : str
            See `metric`.
        n_permutations : int, optional
            Number of random permutations; by default all distinct ones are computed, which makes
            the test exact.
        seed : int
            Of the random permutations.

        Returns
        -------
        PermutationTest
            The pooled metric, its null distribution and p.

        Raises
        ------
        UserError
            All permutations are requested and cannot be enumerated (see `all_permutations`).
        """
        labels = np.asarray(labels)
        value = float(self.metric(metric, labels)[0])
        if n_permutations is None:
            null = self.metric(metric, all_permutations(self.participants, labels))
            return PermutationTest(value, null, True, float((null >= value - ROUNDING).mean()))
        rng = np.random.default_rng(seed)
        permuted: NDArray[np.int_] = np.stack(
            [permute_labels(self.participants, labels, rng) for _ in range(n_permutations)]
        )
        null = self.metric(metric, permuted)
        reached = (null >= value - ROUNDING).sum()
        return PermutationTest(value, null, False, float((1 + reached) / (1 + n_permutations)))
