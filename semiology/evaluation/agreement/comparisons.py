"""Every figure of two raters, or the reason why there is none.

Does the machine disagree with raters more than they with each other? Both means, and their
difference, in one table.
"""

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
    Figure,
    Paired,
    state,
    without,
)
from semiology.evaluation.agreement.scores import Scores
from semiology.evaluation.statistics.intervals import draw_participants
from semiology.evaluation.statistics.metrics import Array

# machine and raters whose spreads differ by more than this are hardly on one scale [our choice]
SCALES_APART = 3.0


def kinds_of_pairs(scores: Scores) -> list[tuple[str, str, str]]:
    """(kind, first, second): the machine with each rater, then each two raters."""
    return [("machine-rater", scores.machine, rater) for rater in scores.raters] + [
        ("inter-rater", first, second) for first, second in combinations(scores.raters, 2)
    ]


def paired(table: pd.DataFrame, first: str, second: str) -> Paired:
    """The rows that both have scored."""
    both = table.dropna(subset=[first, second])
    codes, _ = pd.factorize(both["participant"], sort=True)
    return Paired(both[first].to_numpy(float), both[second].to_numpy(float), codes)


def judge_pair(
    table: pd.DataFrame, kind: str, first: str, second: str, draws: int, seed: int
) -> list[Figure]:
    """All FIGURES of two columns, each with its interval by participant or the reason why there is
    none.
    """
    pair = paired(table, first, second)
    rows = len(pair.first)
    if rows == 0:
        none = f"no row has a score of both {first} and {second}"
        return [without((kind, first, second, name), 0, 0, none) for name in FIGURES]
    weights = draw_participants(pair.participants, draws, seed)
    found = {}
    for name in FIGURES:
        about = (kind, first, second, name)
        judged, how, why_not = as_judged(pair, name, kind, first, second)
        why = _why_none(judged, name, first, second)
        found[name] = (
            without(about, pair.participants, rows, why_not)
            if why_not
            else state(
                about,
                partial(judged.figure, name),
                weights,
                rows,
                coefficient=name in COEFFICIENTS,
                how=how,
                why=why,
            )
        )
    if np.ptp(pair.difference) > 0 and not pair.repeated:
        closed = closed_form(pair.observed("bias"), pair.observed("sd_of_difference"), rows)
        found |= {name: found[name].with_interval(interval) for name, interval in closed.items()}
    return list(found.values())


def as_judged(
    pair: Paired, name: str, kind: str, first: str, second: str
) -> tuple[Paired, str, str]:
    """The pair that a figure is computed of, how it came about, and why the figure cannot be had at
    all.

    Kappa is for ordinal scores: of raters who use whole or half points. A machine's score between
    them goes to the nearest one, raters' scores are never rounded [our choice].
    """
    if not name.startswith("kappa_"):
        spread = name in LIMITS or name == "sd_of_difference"
        return pair, REPEATED if spread and pair.repeated else "", ""
    own, step = step_of(pair.first), step_of(pair.second)
    if step is None or (own is None and kind == "inter-rater"):
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


def judge_all_raters(scores: Scores, draws: int, seed: int) -> list[Figure]:
    """ICC(2,1) and ICC(3,1) of all raters at once, where there are more than two: on the rows that
    all have scored.
    """
    if len(scores.raters) < 3:
        return []
    table = scores.table.dropna(subset=list(scores.raters))
    codes, people = pd.factorize(table["participant"], sort=True)
    weights = draw_participants(len(people), draws, seed) if len(people) else np.ones((1, 0))
    values = table[list(scores.raters)].to_numpy(float)
    measures = {
        "icc_2_1": lambda drawn: mean_squares(values, drawn[:, codes]).icc_2_1(),
        "icc_3_1": lambda drawn: mean_squares(values, drawn[:, codes]).icc_3_1(),
    }
    return [
        state(
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
    """Said where a column does not vary, or the machine can hardly be on the raters' scale: all but
    the correlations then mean little.
    """
    spread = {column: float(scores.table[column].std()) for column in scores.columns}
    notes = [
        f"{column} has one score only: ICC and kappa with it are 0, whoever is right"
        for column in spread
        if spread[column] == 0
    ]
    for rater in scores.raters:
        ratio = spread[scores.machine] / spread[rater] if spread[rater] else np.nan
        if np.isfinite(ratio) and not 1 / SCALES_APART <= ratio <= SCALES_APART:
            notes.append(
                f"{scores.machine} spreads {ratio:.2g} times as far as {rater}: if it is not on the"
                " rater's scale, believe the correlations only, and not ICC, kappa, bias, limits"
                " and absolute error"
            )
    return notes


def notes_on_bias(figures: Sequence[Figure]) -> list[str]:
    """Said where the interval of the proportional bias leaves out zero: bias and limits then are
    those of the middle of the scale only.
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


def _why_none(pair: Paired, name: str, first: str, second: str) -> str:
    """The reason, should this figure have no value."""
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


def judge_beside(scores: Scores, draws: int, seed: int) -> list[Figure]:
    """BESIDE on the rows that all have scored; three rows of kind "beside" each, told apart by
    `first`.

    The mean over the machine's pairs with the raters, the mean over the raters' pairs, and the
    first minus the second, with the same participants drawn for both. None with one rater, or
    without a row that all have scored.
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
            found += [
                without(("beside", of, "", name), people, rows, why_not)
                for of in (*SIDES.values(), DIFFERENCE)
            ]
            continue
        for kind, of in SIDES.items():
            mean, said = partial(_mean, pairs[kind], name), how if kind == "machine-rater" else ""
            found.append(
                state(
                    ("beside", of, "", name),
                    mean,
                    weights,
                    rows,
                    coefficient=name in COEFFICIENTS,
                    how=said,
                    why=NO_VALUE,
                )
            )
        apart = partial(_difference, pairs["machine-rater"], pairs["inter-rater"], name)
        found.append(
            state(
                ("beside", DIFFERENCE, "", name),
                apart,
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
