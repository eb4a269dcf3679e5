"""Does the machine disagree with raters more than they with each other? Both means, and their difference, in one table."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from semiology.evaluation.agreement.comparisons import as_judged, kinds_of_pairs, paired
from semiology.evaluation.agreement.paired import COEFFICIENTS, Paired
from semiology.evaluation.agreement.pairs import Figure, state, without
from semiology.evaluation.agreement.scores import Scores
from semiology.evaluation.statistics.intervals import draw_participants
from semiology.evaluation.statistics.metrics import Array

BESIDE = ("spearman", "icc_2_1", "icc_3_1", "kappa_quadratic", "mean_absolute_error")
SIDES = {"machine-rater": "machine and raters", "inter-rater": "raters among themselves"}
DIFFERENCE = "difference"
NO_VALUE = "one of the pairs has no value"


def judge_beside(scores: Scores, draws: int, seed: int) -> list[Figure]:
    """BESIDE on the rows that all have scored; three rows of kind "beside" each, told apart by `first`.

    The mean over the machine's pairs with the raters, the mean over the raters' pairs, and the first minus the second, with the same
    participants drawn for both. None with one rater, or without a row that all have scored.
    """
    table = scores.table.dropna(subset=list(scores.columns))
    if len(scores.raters) < 2 or table.empty:
        return []
    people, rows = int(table["participant"].nunique()), len(table)
    weights = draw_participants(people, draws, seed)
    found = []
    for name in BESIDE:
        pairs: dict[str, list[Paired]] = {kind: [] for kind in SIDES}
        how = why_not = ""
        for kind, first, second in kinds_of_pairs(scores):
            pair, own, why = as_judged(paired(table, first, second), name, kind, first, second)
            pairs[kind].append(pair)
            how, why_not = how or own, why_not or why
        if why_not:
            found += [without(("beside", of, "", name), people, rows, why_not) for of in (*SIDES.values(), DIFFERENCE)]
            continue
        for kind, of in SIDES.items():
            mean, said = partial(_mean, pairs[kind], name), how if kind == "machine-rater" else ""
            found.append(state(("beside", of, "", name), mean, weights, rows, coefficient=name in COEFFICIENTS, how=said, why=NO_VALUE))
        apart = partial(_difference, pairs["machine-rater"], pairs["inter-rater"], name)
        found.append(state(("beside", DIFFERENCE, "", name), apart, weights, rows, difference=True, how=how, why=NO_VALUE))
    return found


def _mean(pairs: Sequence[Paired], name: str, weights: Array) -> Array:
    return np.mean([pair.figure(name, weights) for pair in pairs], axis=0)


def _difference(machine: Sequence[Paired], raters: Sequence[Paired], name: str, weights: Array) -> Array:
    return _mean(machine, name, weights) - _mean(raters, name, weights)
