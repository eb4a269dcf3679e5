"""An exact permutation null for a cheap model: a ridge classifier, one participant left out, whose scores are linear in the labels.

In the fold without participant g, with training clips T, features standardised by T's mean and spread (columns of X), labels y of -1 and 1:

    score of a clip x of g  =  mean(y_T) + x (X'X + alpha I)^-1 X' (y_T - mean(y_T))
                            =  sum over j in T of [1/|T| + x (X'X + alpha I)^-1 x_j] y_j

as the columns of X have mean zero. The bracket depends on features and folds alone. Written as a matrix M (clip, clip), zero within a
participant, all out-of-fold scores are M y: to train every fold anew under thousands of labellings, or under all, is one product.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semiology.errors import UserError
from semiology.evaluation.statistics.metrics import Array, auc_of_rows, from_confusion
from semiology.evaluation.statistics.permutation import all_assignments, exchange


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

    def __init__(self, features: ArrayLike, participants: ArrayLike, alpha: float = 1.0, only: ArrayLike | None = None):
        """Fit nothing but the matrix.

        Args:
            features: (clip, feature).
            participants: (clip,) who is in it.
            alpha: penalty of the squared weights, for standardised features; fixed beforehand, since a choice by the labels is not linear.
            only: participants whose rows of the matrix are wanted, where one fold is; all by default.

        Raises:
            UserError: a feature is not finite, or there are fewer than three participants.
        """
        features, self.participants = np.asarray(features, dtype=float), np.asarray(participants)
        if not np.isfinite(features).all():
            raise UserError(
                f"features of clip {int(np.argwhere(~np.isfinite(features))[0][0])} (from 0) are not all finite; fill them in before"
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
        """(..., clip) out-of-fold scores of labels (..., clip) of 0 and 1; above 0 the sign is called."""
        return (2 * np.asarray(labels, dtype=float) - 1) @ self.matrix.T

    def metric(self, name: str, labels: ArrayLike) -> Array:
        """(labelling,) values of "auc" or of a metric of `from_confusion`, pooled over folds, for labels (labelling, clip)."""
        truths: NDArray[np.int_] = np.atleast_2d(np.asarray(labels, dtype=int))
        scores = self.scores(truths)
        if name == "auc":
            return auc_of_rows(truths.astype(float), scores)
        called = scores > 0
        tables = np.stack([((truths == truth) & (called == given)).sum(1) for truth in (0, 1) for given in (0, 1)], axis=1)
        return from_confusion(name, tables.reshape(-1, 2, 2).astype(float))

    def test(self, labels: ArrayLike, metric: str = "auc", permutations: int | None = None, seed: int = 0) -> NullTest:
        """The metric and its null: random exchanges of the participants' labels, or all distinct ones where `permutations` is None.

        Raises:
            UserError: all are asked for where they cannot be listed (see `all_assignments`).
        """
        labels = np.asarray(labels)
        value = float(self.metric(metric, labels)[0])
        if permutations is None:
            null = self.metric(metric, all_assignments(self.participants, labels))
            return NullTest(value, null, True, float((null >= value - 1e-12).mean()))
        rng = np.random.default_rng(seed)
        assigned: NDArray[np.int_] = np.stack([exchange(self.participants, labels, rng) for _ in range(permutations)])
        null = self.metric(metric, assigned)
        return NullTest(value, null, False, float((1 + (null >= value - 1e-12).sum()) / (1 + permutations)))
