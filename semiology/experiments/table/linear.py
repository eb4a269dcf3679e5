"""The null distribution of the linear model: every permutation of the labels through the whole
procedure, all at once.

Medians, means, standard deviations and categories do not depend on the labels, and for a given
penalty the predictions are linear in them. With X = U S V' the standardised, centred features of
the training rows, x a centred held-out row and Y the labels of all permutations (one a column):

    prediction = mean(Y) + x V diag(s / (s^2 + alpha)) U' Y

So each inner and outer fold takes one decomposition, and the penalty is chosen again for each
permutation, as `fit` chooses it for the true labels.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import GroupKFold

from semiology.experiments.table.models import ALPHAS, preparation
from semiology.experiments.table.reading import Rows

AT_ONCE = 2_000_000  # labels held at a time: rows times permutations [our choice]


class _Fold:
    """The decomposition of one training set, and the rows that it predicts."""

    def __init__(self, rows: Rows, training: np.ndarray, held: np.ndarray):
        before = preparation(rows).fit(rows.features.iloc[training])
        x, other = (
            np.asarray(before.transform(rows.features.iloc[which]), dtype=float)
            for which in (training, held)
        )
        self.training, self.held, mean = training, held, x.mean(axis=0)
        self.u, self.s, v = np.linalg.svd(x - mean, full_matrices=False)
        self.projected = (other - mean) @ v.T

    def predict(self, labels: np.ndarray, alpha: float) -> np.ndarray:
        """(held-out row, column) predictions from (row, column) labels of all rows."""
        own = labels[self.training]
        mean = own.mean(axis=0)
        return mean + (self.projected * (self.s / (self.s**2 + alpha))) @ (self.u.T @ (own - mean))


def linear_predictions(
    rows: Rows, folds: Sequence[tuple[np.ndarray, np.ndarray]], labels: np.ndarray, inner: int
) -> np.ndarray:
    """Out-of-fold predictions of the linear model under many labellings.

    Args:
        rows: of the table.
        folds: (training, held out) row indices.
        labels: (row, output, labelling) numbers; of classes -1 and 1 for each, one output a class.
        inner: folds in which the penalty is chosen.

    Returns:
        (row, output, labelling) predictions; NaN in rows that no fold holds out.
    """
    count, outputs, labellings = labels.shape
    predicted = np.full(labels.shape, np.nan)
    step = max(1, AT_ONCE // (count * outputs))
    for training, held in folds:
        people = rows.participants[training]
        splits = GroupKFold(min(inner, len(set(people)))).split(training, groups=people)
        within = [_Fold(rows, training[train], training[test]) for train, test in splits]
        outer = _Fold(rows, training, held)
        for start in range(0, labellings, step):
            part = labels[:, :, start : start + step]
            flat = part.reshape(count, -1)
            errors = np.zeros((len(ALPHAS), part.shape[2]))
            for fold in within:
                truth = flat[fold.held]
                for number, alpha in enumerate(ALPHAS):
                    squared = ((fold.predict(flat, alpha) - truth) ** 2).mean(axis=0)
                    errors[number] += squared.reshape(outputs, -1).mean(axis=0) / len(within)
            chosen = errors.argmin(axis=0)
            for number in np.unique(chosen):
                own = np.flatnonzero(chosen == number)
                values = outer.predict(part[:, :, own].reshape(count, -1), ALPHAS[number])
                predicted[np.ix_(held, np.arange(outputs), start + own)] = values.reshape(
                    len(held), outputs, -1
                )
    return predicted
