"""Scores over visits: repeatability where nothing changed, responsiveness where something did.

The minimal detectable change (MDC95) is 1.96 sqrt(2) times the standard error of measurement (SEM)
of one score. Two estimates of the SEM are given:

- From the ICC: SEM = SD sqrt(1 - ICC) (Weir 2005, J Strength Cond Res 19:231 [P]), where SD^2 is
  the sum of the variance components of that ICC (de Vet et al. 2006, J Clin Epidemiol 59:1033 [P]).
  With ICC(3,1) it is the root of the residual mean square, and a shift that all participants share
  is no error ("consistency"); with ICC(2,1) it is one ("agreement").
- From the within-subject SD: the root of the mean square within participants (Bland and Altman
  1996, BMJ 312:1654 [P]).
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from semiology.evaluation.agreement.coefficients import MeanSquares, Z, mean_squares
from semiology.evaluation.agreement.pairs import Estimate, estimate
from semiology.evaluation.agreement.scores import Scores
from semiology.evaluation.statistics.intervals import draw_participants
from semiology.evaluation.statistics.metrics import Array

DETECTABLE = Z * np.sqrt(2)


def sem_consistency(squares: MeanSquares) -> Array:
    """SEM by ICC(3,1), (draw,): SD sqrt(1 - ICC(3,1)), the root of the residual mean square."""
    return _root(squares.error, squares)


def sem_agreement(squares: MeanSquares) -> Array:
    """SEM by ICC(2,1), (draw,): SD sqrt(1 - ICC(2,1)).

    The variance between visits is part of the error; a negative estimate of it counts as 0.
    """
    return _root(squares.error + np.maximum(squares.raters - squares.error, 0) / squares.n, squares)


def within_subject_sd(squares: MeanSquares) -> Array:
    """Within-subject SD, (draw,): root of the mean square within participants."""
    return _root(squares.within, squares)


REPEATABILITY: dict[str, tuple[Callable[[MeanSquares], Array], str]] = {
    "retest_icc_2_1": (MeanSquares.icc_2_1, ""),
    "retest_icc_3_1": (MeanSquares.icc_3_1, ""),
    "sem_agreement": (sem_agreement, "SD sqrt(1 - ICC(2,1))"),
    "sem_consistency": (sem_consistency, "SD sqrt(1 - ICC(3,1))"),
    "within_subject_sd": (within_subject_sd, "Bland & Altman 1996"),
    "mdc95_agreement": (
        lambda squares: DETECTABLE * sem_agreement(squares),
        "1.96 sqrt(2) SEM, by ICC(2,1)",
    ),
    "mdc95_consistency": (
        lambda squares: DETECTABLE * sem_consistency(squares),
        "1.96 sqrt(2) SEM, by ICC(3,1)",
    ),
    "mdc95_within_subject": (
        lambda squares: DETECTABLE * within_subject_sd(squares),
        "1.96 sqrt(2) within-subject sd",
    ),
}


def standardised_response_mean(change: Array, weights: Array) -> Array:
    """Standardised response mean: mean change over the SD of the changes.

    Parameters
    ----------
    change : (participant,) ndarray
        Score after minus score before.
    weights : (draw, participant) ndarray
        How often each participant counts.

    Returns
    -------
    (draw,) ndarray
        Values; NaN where all changed by the same amount.

    References
    ----------
    Liang, Fossel and Larson 1990, Medical Care 28:632 [P].
    """
    n = weights.sum(1)
    centred = change - change.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = weights @ centred / n
        variance = (weights @ centred**2 - n * mean**2) / (n - 1)
        return np.where(
            variance > 1e-12 * ((centred**2).max() + 1e-12 * (change**2).max()),
            (mean + change.mean()) / np.sqrt(variance),
            np.nan,
        )


def compare_retest(
    scores: Scores, visits: Sequence[str], draws: int, seed: int
) -> tuple[list[Estimate], list[str]]:
    """REPEATABILITY of every column over visits between which nothing should have changed.

    Returns the estimates, and a note for each column and visit on participants left out.
    """
    figures, notes = [], []
    for column in scores.columns:
        table, absent = scores.by_visit(column, visits)
        notes += _left_out("repeatability", column, absent)
        values = table.to_numpy(float)
        weights = draw_participants(len(values), draws, seed) if len(values) else np.ones((1, 0))
        for name, (measure, how) in REPEATABILITY.items():
            figures.append(
                estimate(
                    ("repeatability", column, "", name),
                    partial(_repeated, values, measure),
                    weights,
                    values.size,
                    coefficient=name.startswith("retest_icc"),
                    how=how,
                    why=_too_few(len(values)) or "all scores are the same",
                )
            )
    return figures, notes


def compare_change(
    scores: Scores, before: str, after: str, draws: int, seed: int
) -> tuple[list[Estimate], list[str]]:
    """Mean change and standardised response mean of every column from one visit to another.

    Returns the estimates, and a note for each column and visit on participants left out.
    """
    figures, notes = [], []
    for column in scores.columns:
        table, absent = scores.by_visit(column, (before, after))
        notes += _left_out("change", column, absent)
        change = (table[after] - table[before]).to_numpy(float)
        weights = draw_participants(len(change), draws, seed) if len(change) else np.ones((1, 0))
        measures: dict[str, Callable[[Array], Array]] = {
            "mean_change": partial(_mean, change),
            "standardised_response_mean": partial(standardised_response_mean, change),
        }
        for name, measure in measures.items():
            why = _too_few(len(change)) or f"every participant changed by {change[0]:g}"
            figures.append(
                estimate(
                    ("change", column, "", name),
                    measure,
                    weights,
                    2 * len(change),
                    how=f"{after} minus {before}",
                    why=why,
                )
            )
    return figures, notes


def _repeated(values: Array, measure: Callable[[MeanSquares], Array], weights: Array) -> Array:
    return measure(mean_squares(values, weights))


def _root(variance: Array, squares: MeanSquares) -> Array:
    # a variance of the size of rounding is 0
    return np.where(variance <= 1e-12 * squares.scale, 0.0, np.sqrt(variance))


def _mean(change: Array, weights: Array) -> Array:
    return weights @ change / weights.sum(1)


def _too_few(participants: int) -> str:
    reasons = ("no participant has a score at each of these visits", "one participant only")
    return reasons[participants] if participants < 2 else ""


def _left_out(of: str, column: str, absent: dict[str, list[str]]) -> list[str]:
    return [
        f"{of} of {column}: left out, without a score at visit {visit}: {', '.join(names)}"
        for visit, names in absent.items()
    ]
