"""Every pair of raters, and the machine's agreement with raters compared with theirs."""

from collections.abc import Sequence
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd

from semiology.evaluation.agreement.coefficients import REPEATED, closed_form, mean_squares, step_of
from semiology.evaluation.agreement.pairs import (
    COEFFICIENTS,
    FIGURES,
    LIMITS,
    Estimate,
    Paired,
    estimate,
    undefined,
)
from semiology.evaluation.agreement.scores import Scores
from semiology.evaluation.statistics.intervals import draw_participants
from semiology.evaluation.statistics.metrics import Array

# a machine whose standard deviation differs from a rater's by more than this factor is hardly on
# the same scale [our choice]
SCALES_APART = 3.0


def kinds_of_pairs(scores: Scores) -> list[tuple[str, str, str]]:
    """All pairs as (kind, first, second): the machine with each rater, the raters in pairs, and
    each rater's first with the second reading.
    """
    with_machine = scores.raters if scores.machine else ()
    return [
        *(("machine-rater", scores.machine, rater) for rater in with_machine),
        *(("inter-rater", first, second) for first, second in combinations(scores.raters, 2)),
        *(("intra-rater", rater, second) for rater, second in scores.second.items()),
    ]


def paired(table: pd.DataFrame, first: str, second: str) -> Paired:
    """The scores of two columns in the rows that both have scored."""
    both = table.dropna(subset=[first, second])
    codes, _ = pd.factorize(both["participant"], sort=True)
    return Paired(both[first].to_numpy(float), both[second].to_numpy(float), codes)


def compare_pair(
    table: pd.DataFrame, kind: str, first: str, second: str, draws: int, seed: int
) -> list[Estimate]:
    """All FIGURES of two columns, each with its interval or the reason why there is none."""
    pair = paired(table, first, second)
    rows = len(pair.first)
    if rows == 0:
        reason = f"no row has a score of both {first} and {second}"
        return [undefined((kind, first, second, name), 0, 0, reason) for name in FIGURES]
    weights = draw_participants(pair.participants, draws, seed)
    found = {}
    for name in FIGURES:
        about = (kind, first, second, name)
        ordinal, how, why_not = prepared(pair, name, kind, first, second)
        why = _why_undefined(ordinal, name, first, second)
        found[name] = (
            undefined(about, pair.participants, rows, why_not)
            if why_not
            else estimate(
                about,
                partial(ordinal.figure, name),
                weights,
                rows,
                coefficient=name in COEFFICIENTS,
                how=how,
                why=why,
            )
        )
    return list(with_closed_form(found, pair).values())


def with_closed_form(found: dict[str, Estimate], pair: Paired) -> dict[str, Estimate]:
    """The estimates of a pair; with one row a participant LIMITS have their intervals in closed
    form.
    """
    if pair.repeated or np.ptp(pair.difference) == 0:
        return found
    closed = closed_form(
        pair.observed("bias"), pair.observed("sd_of_difference"), len(pair.difference)
    )
    return found | {name: found[name].with_interval(interval) for name, interval in closed.items()}


def prepared(
    pair: Paired, name: str, kind: str, first: str, second: str
) -> tuple[Paired, str, str]:
    """The scores from which a coefficient is computed: (pair, method, reason why not).

    Kappa needs ordinal scores, in whole or half points. A machine's scores between these are
    rounded to the nearest one; raters' scores are never rounded [our choice].
    """
    if not name.startswith("kappa_"):
        of_sd = name in LIMITS or name == "sd_of_difference"
        return pair, REPEATED if of_sd and pair.repeated else "", ""
    own, step = step_of(pair.first), step_of(pair.second)
    if step is None or (own is None and kind != "machine-rater"):
        return (
            pair,
            "",
            (
                f"{second if step is None else first} has scores between half points: kappa is for"
                " ordinal scores"
            ),
        )
    if own is not None:
        return pair, "", ""
    rounded = np.floor(pair.first / step + 0.5) * step
    return (
        Paired(rounded, pair.second, pair.participant),
        f"{first} rounded to {'whole' if step == 1 else 'half'} points",
        "",
    )


def compare_all_raters(scores: Scores, draws: int, seed: int) -> list[Estimate]:
    """ICC(2,1) and ICC(3,1) of all raters at once, where there are more than two.

    On the rows that all have scored.
    """
    if len(scores.raters) < 3:
        return []
    table = scores.table.dropna(subset=list(scores.raters))
    codes, participants = pd.factorize(table["participant"], sort=True)
    count = len(participants)
    weights = draw_participants(count, draws, seed) if count else np.ones((1, 0))
    values = table[list(scores.raters)].to_numpy(float)
    measures = {
        "icc_2_1": lambda resampled: mean_squares(values, resampled[:, codes]).icc_2_1(),
        "icc_3_1": lambda resampled: mean_squares(values, resampled[:, codes]).icc_3_1(),
    }
    return [
        estimate(
            ("inter-rater", "all", "raters", name),
            measure,
            weights,
            len(table),
            coefficient=True,
            why="fewer than two different rows",
        )
        for name, measure in measures.items()
    ]


def notes_on_scale(scores: Scores) -> list[str]:
    """Notes on columns that do not vary, and on a machine that is hardly on the raters' scale.

    In both cases little but the correlations can be interpreted.
    """
    sd = {column: float(scores.table[column].std()) for column in scores.columns}
    notes = [
        f"{column} has the same score in all rows: ICC and kappa with it are 0 by definition"
        for column in sd
        if sd[column] == 0
    ]
    for rater in scores.raters if scores.machine else ():
        ratio = sd[scores.machine] / sd[rater] if sd[rater] else np.nan
        if np.isfinite(ratio) and not 1 / SCALES_APART <= ratio <= SCALES_APART:
            notes.append(
                f"{scores.machine} has {ratio:.2g} times the standard deviation of {rater}: if it"
                " is not on the rater's scale, interpret the correlations only, and not ICC,"
                " kappa, bias, limits of agreement and absolute error"
            )
    return notes


def notes_on_bias(figures: Sequence[Estimate]) -> list[str]:
    """Notes on pairs with a proportional bias whose interval excludes zero.

    Bias and limits of agreement then hold in the middle of the scale only.
    """
    return [
        f"{found.first} minus {found.second} changes by {found.value:.2g} with each point of their"
        " mean (proportional bias): bias and limits of agreement do not hold over the whole scale"
        for found in figures
        if found.figure == "proportional_bias"
        and found.low is not None
        and found.high is not None
        and found.low * found.high > 0
    ]


def _why_undefined(pair: Paired, name: str, first: str, second: str) -> str:
    """The reason, if this coefficient is undefined."""
    if len(pair.first) < 2:
        return "one row only"
    for column, values in ((first, pair.first), (second, pair.second)):
        if np.ptp(values) == 0 and name in ("spearman", "pearson"):
            return (
                f"{column} has the same score, {values[0]:g}, in all {len(values)} rows: no"
                " correlation"
            )
    if name in COEFFICIENTS:
        return "all scores are the same"
    return (
        "one participant only"
        if pair.participants < 2
        else "the mean score is the same in all rows"
    )


BESIDE = ("spearman", "icc_2_1", "icc_3_1", "kappa_quadratic", "mean_absolute_error")
SIDES = {"machine-rater": "machine and raters", "inter-rater": "raters among themselves"}
DIFFERENCE = "difference"
NO_VALUE = "one of the pairs has no value"


def compare_with_raters(scores: Scores, draws: int, seed: int) -> list[Estimate]:
    """Is the machine's agreement with raters as good as the raters' with each other?

    For each coefficient in BESIDE, on the rows that all have scored, three estimates of kind
    "beside", distinguished by `first`: the mean over the machine's pairs with the raters, the mean
    over the raters' pairs, and the first minus the second in the same resampled cohorts. None
    without a machine, with one rater, or without a row that all have scored.
    """
    table = scores.table.dropna(subset=list(scores.columns))
    if not scores.machine or len(scores.raters) < 2 or table.empty:
        return []
    participants, rows = int(table["participant"].nunique()), len(table)
    weights = draw_participants(participants, draws, seed)
    found = []
    for name in BESIDE:
        pairs: dict[str, list[Paired]] = {kind: [] for kind in SIDES}
        how = why_not = ""
        for kind, first, second in kinds_of_pairs(scores):
            if kind not in pairs:
                continue
            pair, own, why = prepared(paired(table, first, second), name, kind, first, second)
            pairs[kind].append(pair)
            how, why_not = how or own, why_not or why
        if why_not:
            found += [
                undefined(("beside", of, "", name), participants, rows, why_not)
                for of in (*SIDES.values(), DIFFERENCE)
            ]
            continue
        for kind, of in SIDES.items():
            found.append(
                estimate(
                    ("beside", of, "", name),
                    partial(_mean, pairs[kind], name),
                    weights,
                    rows,
                    coefficient=name in COEFFICIENTS,
                    how=how if kind == "machine-rater" else "",
                    why=NO_VALUE,
                )
            )
        difference = partial(_difference, pairs["machine-rater"], pairs["inter-rater"], name)
        found.append(
            estimate(
                ("beside", DIFFERENCE, "", name),
                difference,
                weights,
                rows,
                difference=True,
                how=how,
                why=NO_VALUE,
            )
        )
    return found


def _mean(pairs: Sequence[Paired], name: str, weights: Array) -> Array:
    return np.mean([pair.figure(name, weights) for pair in pairs], axis=0)


def _difference(
    machine: Sequence[Paired], raters: Sequence[Paired], name: str, weights: Array
) -> Array:
    return _mean(machine, name, weights) - _mean(raters, name, weights)
