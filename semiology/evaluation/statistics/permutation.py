"""Chance, judged by what the same pipeline gives when labels mean nothing.

An exact permutation null for a cheap model: a ridge classifier, one participant left out, whose
scores are linear in the labels.

In the fold without participant g, with training clips T, features standardised by T's mean and
spread (columns of X), labels y of -1 and 1:

    score of a clip x of g  =  mean(y_T) + x (X'X + alpha I)^-1 X' (y_T - mean(y_T))
                            =  sum over j in T of [1/|T| + x (X'X + alpha I)^-1 x_j] y_j

as the columns of X have mean zero. The bracket depends on features and folds alone. Written as a
matrix M (clip, clip), zero within a participant, all out-of-fold scores are M y: to train every
fold anew under thousands of labellings, or under all, is one product.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semiology.errors import UserError
from semiology.evaluation.statistics.metrics import Array, auc_of_rows, from_confusion

MOST = (
    200_000  # assignments that are still enumerated: 19 participants, 9 with the sign, have 92,378
)


def exchange(
    participants: ArrayLike, targets: ArrayLike, rng: np.random.Generator
) -> NDArray[np.int_]:
    """(clip,) targets after whole participants have exchanged their lists of labels, each list
    dealt anew to its new owner's clips.

    So the clips of one participant keep a composition that somebody had, and where everybody has
    much the same list (a session with every action, a clip with the sign and one without) labels
    change hands all the same. A participant with more clips than the other had goes through the
    other's list again. Our choice.
    """
    targets = np.asarray(targets)
    _, who = np.unique(np.asarray(participants), return_inverse=True)
    clips = np.split(
        np.argsort(who, kind="stable"), np.cumsum(np.bincount(who))[:-1]
    )  # of each participant
    given = np.empty_like(targets)
    for own, other in zip(clips, rng.permutation(len(clips))):
        dealt = rng.permutation(targets[clips[other]])
        given[own] = rng.permutation(dealt.take(range(len(own)), mode="wrap"))
    return given


def all_assignments(participants: ArrayLike, targets: ArrayLike) -> NDArray[np.int_]:
    """(assignment, clip): every distinct way to deal the participants' labels, of two levels and
    with one label a participant.

    Raises:
        UserError: a participant's clips differ, there are more than two levels, or more than
            200,000 assignments.
    """
    targets = np.asarray(targets)
    names, first, who = np.unique(np.asarray(participants), return_index=True, return_inverse=True)
    if (targets != targets[first][who]).any() or not set(targets.tolist()) <= {0, 1}:
        raise UserError(
            "all assignments can be listed for two levels and one label a participant only; use"
            " random exchanges"
        )
    positive = int(targets[first].sum())
    if math.comb(len(names), positive) > MOST:
        raise UserError(
            f"{math.comb(len(names), positive)} assignments are more than {MOST}; use random"
            " exchanges"
        )
    chosen = np.array(list(combinations(range(len(names)), positive)), dtype=int).reshape(
        -1, positive
    )
    by_participant = np.zeros((len(chosen), len(names)), dtype=int)
    np.put_along_axis(by_participant, chosen, 1, axis=1)
    return by_participant[:, who]


def against_null(
    value: float | None, null: Sequence[float | None], lower_is_better: bool = False
) -> dict[str, Any]:
    """{"n", "p", "resolution", "median", "low", "high"}: p = (1 + b) / (1 + n), b of n values under
    exchanged labels at least as good.

    `low` to `high` holds 95 % of the null. `resolution` is the smallest p that n allows, 1 / (1 +
    n).
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
    reached = int(
        (sign * values >= sign * value - 1e-12).sum()
    )  # equal counts can differ in the last bit
    return {
        "n": len(values),
        "p": (1 + reached) / (1 + len(values)),
        "resolution": 1 / (1 + len(values)),
        "median": float(median),
        "low": float(low),
        "high": float(high),
    }


def resolution_in_words(permutations: int) -> str:
    """What so many runs with exchanged labels can show, for the reader of a report."""
    smallest = 1 / (1 + permutations)
    enough = "" if smallest <= 0.05 else ", so that nothing can be called significant at 5 %"
    return f"{permutations} runs with exchanged labels: no p can be below {smallest:.2g}{enough}"


def together(observed: Mapping[str, float], null: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """p-values of several models judged together: Westfall and Young's single-step maximum.

    Each value is measured in spreads of its model's values, observed and permuted; the largest of
    each permuted run is what the observed ones are held against, so that the correlation between
    models counts. Permutation k of every model has to be the same exchange of labels; between tasks
    whose labels were exchanged separately the maximum is that of independent nulls, which asks
    somewhat more.

    Args:
        observed: model -> value, higher is better.
        null: model -> (permutation,) values, in the same order for all models.

    Returns:
        {"p" of the best model, "n" permutations, "resolution", "adjusted": {model: p}}.

    Raises:
        ValueError: a model has no null, the nulls differ in length or lack values, or there are
            fewer than two permutations.
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
            "models judged together need a null each, of the same two or more permutations, without"
            " missing values"
        )
    everything = np.column_stack(
        [[observed[name] for name in names], values]
    )  # the observed run counts as one of them, so that p is exact
    spread = everything.std(axis=1, ddof=1)
    away = (everything - everything.mean(1, keepdims=True)) / np.where(spread > 0, spread, 1)[
        :, None
    ]
    away, largest = away[:, 0], away[:, 1:].max(0)
    p = (1 + (largest[None] >= away[:, None] - 1e-12).sum(1)) / (1 + len(largest))
    return {
        "p": float(p.min()),
        "n": len(largest),
        "resolution": 1 / (1 + len(largest)),
        "adjusted": {name: float(value) for name, value in zip(names, p)},
    }


@dataclass(frozen=True)
class NullTest:
    """A result beside the values of the same pipeline under exchanged labels.

    Attributes:
        value: with the true labels.
        null: (assignment,) values; all distinct ones, the true one among them, where `exact`.
        p: share of assignments that reach the value where exact, else (1 + b) / (1 + n).
    """

    value: float
    null: Array
    exact: bool
    p: float

    @property
    def resolution(self) -> float:
        """The smallest p that could have come out."""
        return 1 / (len(self.null) + (not self.exact))


class LosoRidge:
    """Leave-one-subject-out ridge classifier of two levels.

    Attributes:
        matrix: (clip, clip) M of the module's equation.
    """

    def __init__(
        self,
        features: ArrayLike,
        participants: ArrayLike,
        alpha: float = 1.0,
        only: ArrayLike | None = None,
    ):
        """Fit nothing but the matrix.

        Args:
            features: (clip, feature).
            participants: (clip,) who is in it.
            alpha: penalty of the squared weights, for standardised features; fixed beforehand,
                since a choice by the labels is not linear.
            only: participants whose rows of the matrix are wanted, where one fold is; all by
                default.

        Raises:
            UserError: a feature is not finite, or there are fewer than three participants.
        """
        features, self.participants = np.asarray(features, dtype=float), np.asarray(participants)
        if not np.isfinite(features).all():
            raise UserError(
                f"features of clip {int(np.argwhere(~np.isfinite(features))[0][0])} (from 0) are"
                " not all finite; fill them in before"
            )
        if len(set(self.participants.tolist())) < 3:
            raise UserError("leaving one participant out needs three or more")
        self.matrix = np.zeros((len(features), len(features)))
        for held_out in np.unique(self.participants if only is None else np.asarray(only)):
            test = np.flatnonzero(self.participants == held_out)
            training = np.flatnonzero(self.participants != held_out)
            mean, spread = features[training].mean(0), features[training].std(0)
            standard = (features - mean) / np.where(spread > 0, spread, 1)
            x = standard[training]
            if x.shape[1] <= len(x):
                weights = np.linalg.solve(x.T @ x + alpha * np.eye(x.shape[1]), x.T)
            else:  # the same weights, by a smaller system
                weights = x.T @ np.linalg.inv(x @ x.T + alpha * np.eye(len(x)))
            self.matrix[np.ix_(test, training)] = 1 / len(x) + standard[test] @ weights

    def scores(self, labels: ArrayLike) -> Array:
        """(..., clip) out-of-fold scores of labels (..., clip) of 0 and 1; above 0 the sign is
        called.
        """
        return (2 * np.asarray(labels, dtype=float) - 1) @ self.matrix.T

    def metric(self, name: str, labels: ArrayLike) -> Array:
        """(labelling,) values of "auc" or of a metric of `from_confusion`, pooled over folds, for
        labels (labelling, clip).
        """
        truths: NDArray[np.int_] = np.atleast_2d(np.asarray(labels, dtype=int))
        scores = self.scores(truths)
        if name == "auc":
            return auc_of_rows(truths.astype(float), scores)
        called = scores > 0
        tables = np.stack(
            [
                ((truths == truth) & (called == given)).sum(1)
                for truth in (0, 1)
                for given in (0, 1)
            ],
            axis=1,
        )
        return from_confusion(name, tables.reshape(-1, 2, 2).astype(float))

    def test(
        self, labels: ArrayLike, metric: str = "auc", permutations: int | None = None, seed: int = 0
    ) -> NullTest:
        """The metric and its null: random exchanges of the participants' labels, or all distinct
        ones where `permutations` is None.

        Raises:
            UserError: all are asked for where they cannot be listed (see `all_assignments`).
        """
        labels = np.asarray(labels)
        value = float(self.metric(metric, labels)[0])
        if permutations is None:
            null = self.metric(metric, all_assignments(self.participants, labels))
            return NullTest(value, null, True, float((null >= value - 1e-12).mean()))
        rng = np.random.default_rng(seed)
        assigned: NDArray[np.int_] = np.stack(
            [exchange(self.participants, labels, rng) for _ in range(permutations)]
        )
        null = self.metric(metric, assigned)
        return NullTest(
            value, null, False, float((1 + (null >= value - 1e-12).sum()) / (1 + permutations))
        )
