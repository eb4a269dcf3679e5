"""Figures of the myasthenia study, participant by participant: areas with three intervals, and what a threshold from development gives.

One score a participant: the mean of the clips' probabilities. Several seeds are several repeats of the cross-validation; a figure is the
mean over them, and its bootstrap draws participants for all of them together.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from semiology.evaluation.run.predictions import TEST_SET, levels_of
from semiology.evaluation.statistics.delong import delong
from semiology.evaluation.statistics.hanley_mcneil import METHOD as HANLEY_MCNEIL
from semiology.evaluation.statistics.hanley_mcneil import hanley_mcneil
from semiology.evaluation.statistics.intervals import Interval, draw_participants
from semiology.evaluation.statistics.metrics import Array
from semiology.evaluation.statistics.out_of_fold import OutOfFold
from semiology.evaluation.statistics.proportion import LEVEL
from semiology.evaluation.statistics.stated import state, stated
from semiology.evaluation.statistics.tables import in_order, model_name, show
from semiology.evaluation.statistics.threshold import Threshold, youden

AT_THRESHOLD = ("sensitivity", "specificity", "accuracy")
NO_WIDTH = "no participant is on the wrong side of another, or every one is: this formula then gives no width"
SETS = {"development": "cross-validated", "unseen": "unseen"}
DRAWS, SEED = 2000, 0


def judge(predictions: pd.DataFrame, task: str) -> list[dict[str, Any]]:
    """Every model of a task, cross-validated and on the unseen participants.

    Returns:
        [{"task", "set", "model", "participants", "positive", "negative" (numbers), "thresholds" (one a seed, chosen on all development
        participants), "auc", "sensitivity", "specificity", "accuracy": as `state` gives them, "intervals": of the AUC by other methods}].
    """
    rows = {name: predictions[predictions["task"] == task + suffix] for name, suffix in (("development", ""), ("unseen", TEST_SET))}
    levels = levels_of(rows["development"])
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in SETS}
    for model in in_order(rows["development"]["model"].unique()):
        people = {name: by_participant(own[own["model"] == model], levels) for name, own in rows.items()}
        thresholds = {int(str(seed)): _threshold(own) for seed, own in people["development"].groupby("seed")}
        people["development"] = cross_validated_calls(people["development"], levels)
        people["unseen"] = called(
            people["unseen"], people["unseen"]["seed"].map({seed: one.value for seed, one in thresholds.items()}), levels
        )
        for name, own in people.items():
            chosen = [one.value for one in thresholds.values()]
            found[name].append({"task": task, "set": name, "model": str(model)} | _figures(own, levels) | {"thresholds": chosen})
    return [*found["development"], *found["unseen"]]


def by_participant(rows: pd.DataFrame, levels: list[str]) -> pd.DataFrame:
    """One row a participant and seed: mean probability of the positive level over the clips [choice], truth (0 or 1) and fold."""
    grouped = rows.groupby(["seed", "participant_id"], as_index=False)
    people = grouped.agg(score=("score", "mean"), level=("truth", "first"), fold=("fold", "first"))
    return people.assign(truth=(people["level"] == levels[1]).astype(int))


def cross_validated_calls(people: pd.DataFrame, levels: list[str]) -> pd.DataFrame:
    """`called` at thresholds that nobody's own score has moved: a fold's participants at that of the other folds of their seed.

    Where the other folds hold one level only, nobody can be called there: the whole seed's threshold is taken.
    """
    values = pd.Series(np.nan, index=people.index)
    for _, seed in people.groupby("seed"):
        for fold, own in seed.groupby("fold"):
            others = seed[seed["fold"] != fold]
            values[own.index] = _threshold(others if others["truth"].nunique() == 2 else seed).value
    return called(people, values, levels)


def called(people: pd.DataFrame, threshold: pd.Series, levels: list[str]) -> pd.DataFrame:
    """The participants with `predicted`: the second level at the threshold (one a row) and above."""
    return people.assign(predicted=np.where(people["score"] >= threshold, levels[1], levels[0]))


def _threshold(people: pd.DataFrame) -> Threshold:
    return youden(people["truth"], people["score"])


def _figures(people: pd.DataFrame, levels: list[str]) -> dict[str, Any]:
    rows = people.drop(columns="truth").rename(columns={"level": "truth"}).assign(clip_id=people["participant_id"])
    judged = OutOfFold.of(rows, levels)
    weights = draw_participants(len(judged.participants), DRAWS, SEED)
    positive = int(judged.truth.sum())
    numbers = {"participants": len(judged.truth), "positive": positive, "negative": len(judged.truth) - positive}
    metrics = {name: state(judged, name, weights) for name in ("auc", *AT_THRESHOLD)}
    return numbers | metrics | {"intervals": _closed_forms(judged, metrics["auc"]["value"], positive)}


def _closed_forms(judged: OutOfFold, area: float | None, positive: int) -> list[dict[str, Any]]:
    """DeLong's and Hanley and McNeil's intervals of the mean area over seeds; without those that its participants do not allow.

    Of an area of 1 or 0 both would be a point, as if it were certain: they have a reason in place of limits.
    """
    negative = len(judged.truth) - positive
    if area is None:
        return []
    found = [hanley_mcneil(area, positive, negative)]
    if min(positive, negative) > 1:
        found.insert(0, _delong_of_mean(judged.truth, judged.probability[:, :, 1]))
    wide = [one if one.high - one.low > 1e-9 else replace(one, low=np.nan, high=np.nan, reason=NO_WIDTH) for one in found]
    return [stated(area, interval) for interval in wide]


def _delong_of_mean(truth: Any, scores: Array) -> Interval:
    """DeLong's interval of the mean area of several scores of the same participants: their covariance gives its variance."""
    areas = delong(truth, scores)
    half = float(norm.ppf(0.5 + LEVEL / 200)) * float(np.sqrt(areas.covariance.mean()))
    mean = float(areas.areas.mean())
    return Interval(max(mean - half, 0.0), min(mean + half, 1.0), 0, method="DeLong" if len(scores) == 1 else "DeLong, mean over seeds")


def intervals_text(figures: Sequence[dict[str, Any]]) -> str:
    """AUCs with all their intervals and the thresholds, as a terminal shows them."""
    lines = ["AUC by participant; intervals: bootstrap over participants (BCa), DeLong, Hanley and McNeil 1982; a threshold for each seed:"]
    for own in figures:
        kinds = {interval["interval"].split(",")[0]: interval for interval in own["intervals"]}
        cells = [_span(own["auc"]), *(_span(kinds.get(kind)) for kind in ("DeLong", HANLEY_MCNEIL))]
        head = f"{own['task']}, {model_name(own['model'])}, {SETS[own['set']]} ({own['negative']} + {own['positive']})"
        shown = ", ".join(show(value) for value in own["thresholds"])
        lines.append(f"  {head}: {show(own['auc']['value'])}, {', '.join(cells)}; threshold {shown}")
    return "\n".join(lines)


def _span(interval: dict[str, Any] | None) -> str:
    return "no interval" if interval is None or interval["low"] is None else f"{show(interval['low'])} to {show(interval['high'])}"
