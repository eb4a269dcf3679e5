"""Weighted kappa of ordinal scores (Cohen 1968, Psychological Bulletin 70:213) [P]."""

import numpy as np

from semiology.evaluation.statistics.metrics import Array

POWERS = {"linear": 1, "quadratic": 2}  # a disagreement by d points weighs d, or d squared


def weighted_kappa(first: Array, second: Array, weights: Array, power: int) -> Array:
    """(draw,) one minus the mean disagreement over the one expected of raters who use the scale as these do, but independently.

    Disagreement is the distance of the scores to the `power`, so levels that nobody used count as steps of the scale. As scikit-learn's
    `cohen_kappa_score` with all levels named. NaN where both raters give everybody the same score.

    Args:
        first, second: (row,) scores.
        weights: (draw, row) how often each row counts.
    """
    levels = np.unique(np.concatenate([first, second]))
    distance = np.abs(levels[:, None] - levels) ** power
    share = weights / weights.sum(1, keepdims=True)
    used = [share @ (scores[:, None] == levels) for scores in (first, second)]  # (draw, level)
    expected = ((used[0] @ distance) * used[1]).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 1e-12 * distance.max(), 1 - share @ np.abs(first - second) ** power / expected, np.nan)


def step_of(scores: Array) -> float | None:
    """1 for whole scores, 0.5 for scores in half points; None for others, which are no ordinal scale [our choice]."""
    return next((step for step in (1.0, 0.5) if np.allclose(scores / step, np.round(scores / step), atol=1e-9)), None)
