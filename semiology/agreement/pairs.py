"""Every figure of two raters, and the machine's agreement with the raters beside theirs with each other."""

from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd

from semiology.agreement.bland_altman import REPEATED, closed_form
from semiology.agreement.icc import mean_squares
from semiology.agreement.kappa import step_of
from semiology.agreement.paired import COEFFICIENTS, FIGURES, LIMITS, Paired
from semiology.agreement.scores import Scores
from semiology.agreement.stated import Figure, state
from semiology.statistics.bootstrap import difference_interval, draw_participants
from semiology.statistics.metrics import Array
from semiology.statistics.stated import number

BESIDE = ("spearman", "icc_2_1", "icc_3_1", "kappa_quadratic", "mean_absolute_error")
NUMBERS = ("machine", "raters", "difference", "low", "high")
SCALES_APART = 3.0  # machine and raters whose spreads differ by more than this are hardly on one scale [our choice]


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


def judge_pair(table: pd.DataFrame, kind: str, first: str, second: str, draws: int, seed: int) -> list[Figure]:
    """All FIGURES of two columns, each with its interval by participant or the reason why there is none."""
    pair = paired(table, first, second)
    rows = len(pair.first)
    if rows == 0:
        none = f"no row has a score of both {first} and {second}"
        return [Figure(kind, first, second, name, None, None, None, 0, 0, reason=none) for name in FIGURES]
    weights = draw_participants(pair.participants, draws, seed)
    ordinal, rounding, not_ordinal = _ordinal(pair, kind, first, second)
    found = {}
    for name in FIGURES:
        kappa = name.startswith("kappa_")
        if kappa and ordinal is None:
            found[name] = Figure(kind, first, second, name, None, None, None, pair.participants, rows, reason=not_ordinal)
            continue
        judged = ordinal if kappa and ordinal else pair
        found[name] = state(
            (kind, first, second, name),
            partial(judged.figure, name),
            weights,
            rows,
            coefficient=name in COEFFICIENTS,
            how=rounding if kappa else REPEATED if pair.repeated and (name in LIMITS or name == "sd_of_difference") else "",
            why=_why_none(judged, name, first, second),
        )
    if pair.participants > 1 and not pair.repeated:
        closed = closed_form(pair.observed("bias"), pair.observed("sd_of_difference"), rows)
        found |= {name: found[name].with_interval(interval) for name, interval in zip(LIMITS, closed.values())}
    return list(found.values())


def judge_all_raters(scores: Scores, draws: int, seed: int) -> list[Figure]:
    """ICC(2,1) and ICC(3,1) of all raters at once, where there are more than two: on the rows that all have scored."""
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
        state(("inter-rater", "all", "raters", name), measure, weights, len(table), coefficient=True, why="fewer than two different rows")
        for name, measure in measures.items()
    ]


def beside(scores: Scores, draws: int, seed: int) -> list[dict[str, object]]:
    """Does the machine disagree with raters more than they with each other? One dictionary a figure, all on the rows that all have scored.

    `machine`: mean over its pairs with the raters; `raters`: mean over theirs; `difference`: the first minus the second, with its interval
    (the same participants drawn for both). Empty with one rater, or without a row that all have scored.
    """
    table = scores.table.dropna(subset=list(scores.columns))
    if len(scores.raters) < 2 or table.empty:
        return []
    pairs = []
    for kind, first, second in kinds_of_pairs(scores):
        pair = paired(table, first, second)
        pairs.append((kind, pair, *_ordinal(pair, kind, first, second)))
    people = table["participant"].nunique()
    weights = np.concatenate([np.ones((1, people)), draw_participants(people, draws, seed)])
    found = []
    for name in BESIDE:
        kappa = name.startswith("kappa_")
        why_not = next((why for *_, why in pairs if why), "") if kappa else ""
        if why_not:
            found.append(
                {"figure": name, "participants": people, "rows": len(table), "method": "", "reason": why_not} | dict.fromkeys(NUMBERS)
            )
            continue
        means: dict[str, Array] = {}
        for wanted in ("machine-rater", "inter-rater"):
            values = [(ordinal if kappa and ordinal else pair).figure(name, weights) for kind, pair, ordinal, *_ in pairs if kind == wanted]
            means[wanted] = np.mean(values, axis=0)
        machine, raters = means["machine-rater"], means["inter-rater"]
        apart = machine - raters
        interval = difference_interval(float(apart[0]), apart[1:], people)
        found.append(
            {
                "figure": name,
                "machine": number(machine[0]),
                "raters": number(raters[0]),
                "difference": number(apart[0]),
                "low": number(interval.low),
                "high": number(interval.high),
                "participants": people,
                "rows": len(table),
                "method": interval.method if np.isfinite(interval.low) else "",
                "reason": interval.reason,
            }
        )
    return found


def notes_on_scale(scores: Scores) -> list[str]:
    """Said where the machine can hardly be on the raters' scale: all but the correlations then mean little."""
    spread = {column: float(scores.table[column].std()) for column in scores.columns}
    notes = []
    for rater in scores.raters:
        ratio = spread[scores.machine] / spread[rater] if spread[rater] else np.nan
        if np.isfinite(ratio) and not 1 / SCALES_APART <= ratio <= SCALES_APART:
            notes.append(
                f"{scores.machine} spreads {ratio:.2g} times as far as {rater}: if it is not on the rater's scale, believe the "
                "correlations only, and not ICC, kappa, bias, limits and absolute error"
            )
    return notes


def _ordinal(pair: Paired, kind: str, first: str, second: str) -> tuple[Paired | None, str, str]:
    """The pair as whole or half points, how the first was rounded to them, and why there is none.

    A machine's score between a rater's points goes to the nearest of them; raters' scores are never rounded.
    """
    step = step_of(pair.second)
    own = step_of(pair.first)
    if step is None or (own is None and kind == "inter-rater"):
        return None, "", f"{second if step is None else first} has scores between half points: kappa is for ordinal scores"
    if own is not None:
        return pair, "", ""
    rounded = np.floor(pair.first / step + 0.5) * step
    return Paired(rounded, pair.second, pair.participant), f"{first} rounded to {'whole' if step == 1 else 'half'} points", ""


def _why_none(pair: Paired, name: str, first: str, second: str) -> str:
    """The reason, should this figure have no value."""
    if len(pair.first) < 2:
        return "one row only"
    for column, values in ((first, pair.first), (second, pair.second)):
        if np.ptp(values) == 0 and name in ("spearman", "pearson"):
            return f"{column} has the same score, {values[0]:g}, in all {len(values)} rows: no correlation"
    if name in COEFFICIENTS:
        return "all scores are the same"
    return "one participant only" if pair.participants < 2 else "the mean score is the same in all rows"
