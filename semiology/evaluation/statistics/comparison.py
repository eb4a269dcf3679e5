"""Two models on the same participants: paired interval, exchange of the models within participants,
McNemar, correction for many pairs.

A metric's value with its interval, as metrics.json states it: what has no value is None, with a
reason.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from semiology.errors import UserError
from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.statistics.intervals import (
    Interval,
    at_bound,
    bca_interval,
    delong,
    difference_interval,
    draw_participants,
    leave_one_out,
    wilson,
)
from semiology.evaluation.statistics.metrics import (
    Array,
    from_confusion,
    greatest_difference,
    metric_names,
)
from semiology.evaluation.statistics.out_of_fold import OutOfFold

PROPORTIONS = ("accuracy", "sensitivity", "specificity", "ppv", "npv")


def state(model: OutOfFold, name: str, weights: Array, closed_form: bool = False) -> dict[str, Any]:
    """{"value", "low", "high", "degenerate", "interval" (its method), "seeds", "reason" where
    something is missing}.

    Args:
        weights: (draw, participant) resampled cohorts; with fewer than two no interval is made.
        closed_form: Wilson for proportions where every participant has one clip, DeLong
            (Obuchowski's, over participants) for the AUC of two levels; both speak of one run, so
            with several seeds the bootstrap stays.
    """
    seeds = model.observed(name)
    value = float(seeds.mean())
    if math.isnan(value):
        found = Interval(np.nan, np.nan, len(weights), _why_no_value(model, name), "none")
    else:
        found = (closed_form and _closed_form(model, name)) or _resampled(
            model, name, value, weights
        )
    return stated(value, found) | {"seeds": [number(seed) for seed in seeds]}


def stated(value: float, interval: Interval) -> dict[str, Any]:
    """Value and interval as JSON."""
    result = {
        "value": number(value),
        "low": number(interval.low),
        "high": number(interval.high),
        "degenerate": interval.degenerate,
    }
    return (
        result
        | {"interval": interval.method}
        | ({"reason": interval.reason} if interval.reason else {})
    )


def number(value: Any) -> float | None:
    """A finite float, or None."""
    found = float(value)
    return found if math.isfinite(found) else None


def _resampled(model: OutOfFold, name: str, value: float, weights: Array) -> Interval:
    people = len(model.participants)
    if (
        people > 1
        and name != "brier"
        and (found := at_bound(value, -1.0 if name == "mcc" else 0.0, model.behind(name)))
    ):
        return found
    return bca_interval(
        value,
        model.metric(name, weights).mean(0),
        model.metric(name, leave_one_out(people)).mean(0),
        people,
    )


def _closed_form(model: OutOfFold, name: str) -> Interval | None:
    if len(model.seeds) > 1:
        return None
    if name in PROPORTIONS and len(model.participants) == len(model.truth):
        table = model.confusion[0].sum(0)
        clips = {
            "accuracy": table.sum(),
            "sensitivity": table[1].sum(),
            "specificity": table[0].sum(),
            "ppv": table[:, 1].sum(),
            "npv": table[:, 0].sum(),
        }[name]
        return Interval(
            *wilson(round(float(from_confusion(name, table)) * clips), clips), 0, method="Wilson"
        )
    if name == "auc" and model.levels == 2 and model.behind("auc") > 1:
        low, high = delong(model.truth, model.probability[0, :, 1], model.participant).limits()[0]
        return Interval(
            float(low),
            float(high),
            0,
            method="DeLong, clips of a participant taken together (Obuchowski)",
        )
    return None


def _why_no_value(model: OutOfFold, name: str) -> str:
    if len(np.unique(model.truth)) > 1:
        return "no clip was given this level"
    return "all clips have the same level"


def paired_difference(
    predictions: pd.DataFrame,
    task: str,
    model_a: str,
    model_b: str,
    metric: str = "f1",
    *,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """How much better `model_a` is than `model_b` on the same participants: `difference` of two
    models of a table of predictions.

    Raises:
        UserError: the task, a model or the metric is not in the predictions.
    """
    rows = predictions[predictions["task"] == task]
    if rows.empty:
        raise UserError(
            f"no task {task!r} in the predictions; there are"
            f" {', '.join(map(repr, predictions['task'].unique()))}"
        )
    for model in (model_a, model_b):
        if model not in set(rows["model"]):
            raise UserError(
                f"no model {model!r} in task {task!r}; there are"
                f" {', '.join(map(repr, rows['model'].unique()))}"
            )
    levels = levels_of(rows)
    if metric not in metric_names(len(levels)):
        raise UserError(
            f"no metric {metric!r} for a label of {len(levels)} levels; there are"
            f" {', '.join(metric_names(len(levels)))}"
        )
    a, b = (OutOfFold.of(rows[rows["model"] == model], levels) for model in (model_a, model_b))
    found = difference(a, b, metric, draw_participants(len(a.participants), draws, seed), seed)
    return {"a": model_a, "b": model_b, "metric": metric} | found


def difference(
    a: OutOfFold, b: OutOfFold, metric: str, weights: Array, seed: int = 0
) -> dict[str, Any]:
    """The difference a - b of a metric, of the means over seeds where there are several.

    Its interval is that of `difference_interval`, where every resampled cohort holds the same
    participants for both models.

    Args:
        weights: (draw, participant) resampled cohorts; as many exchanges are made for p.
        seed: of the exchanges.

    Returns:
        {"value", "low", "high", "degenerate", "interval", "seeds" (a - b by seed), "p" of
        `exchange_models`, "mcnemar_p" of `mcnemar`}.
    """
    value = float(a.observed(metric).mean() - b.observed(metric).mean())
    drawn = a.metric(metric, weights).mean(0) - b.metric(metric, weights).mean(0)
    result = stated(
        value,
        difference_interval(
            value, drawn, len(a.participants), greatest_difference(metric, a.levels)
        ),
    )
    if a.seeds == b.seeds:
        result["seeds"] = [number(each) for each in a.observed(metric) - b.observed(metric)]
    return result | {
        "p": exchange_models(a, b, metric, len(weights), seed),
        "mcnemar_p": mcnemar(*right_by_one_only(a, b)),
    }


def exchange_models(
    a: OutOfFold, b: OutOfFold, metric: str, exchanges: int, seed: int = 0
) -> float | None:
    """Two-sided p that two models differ in a metric: under "no difference" each participant's two
    sets of predictions may change places.

    A participant's clips change places together, so that clips of one may depend on each other.
    Where `exchanges` allows for all 2^n of n participants they are all made, and p is the share
    that reaches the difference found; else random ones, p = (1 + b) / (1 + exchanges). Exchanges in
    which the metric has no value for one of the two (PPV where it calls nothing positive) cannot
    say whether they reach it and are left out of both counts; to count them as not reaching it
    would make p too small.

    None where the metric has no value in the cohort itself, or the models have different numbers of
    seeds.
    """
    people = len(a.participants)
    if len(a.seeds) != len(b.seeds):
        return None
    both = _side_by_side(a, b)
    exact = 2**people <= exchanges
    if exact:
        kept = (np.arange(2**people)[:, None] >> np.arange(people)) & 1
    else:
        kept = np.random.default_rng(seed).integers(0, 2, (exchanges, people))
    found = abs(a.observed(metric).mean() - b.observed(metric).mean())
    first = both.metric(metric, np.hstack([kept, 1 - kept]).astype(float)).mean(0)
    second = both.metric(metric, np.hstack([1 - kept, kept]).astype(float)).mean(0)
    if not np.isfinite(found):
        return None
    known = np.abs(first - second)[np.isfinite(first - second)]
    reached = int((known >= found - 1e-12).sum())
    return reached / len(known) if exact else (1 + reached) / (1 + len(known))


def right_by_one_only(a: OutOfFold, b: OutOfFold) -> tuple[int, int]:
    """Clips that only `a` names rightly, and that only `b` does; with several seeds, rightly in
    more than half of them.
    """
    right_a, right_b = ((model.predicted == model.truth).mean(0) > 0.5 for model in (a, b))
    return int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided McNemar p of clips that one model alone names rightly: a fair coin decides
    each of them.

    It takes clips as independent. Those of one participant are not, so with several clips a
    participant it is too small: `exchange_models` is the test that holds.
    """
    clips = only_a + only_b
    return min(1.0, 2 * float(binom.cdf(min(only_a, only_b), clips, 0.5))) if clips else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: each p so adjusted that any below 5 % is a find at 5 % over all
    of them together.
    """
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = (
        np.minimum(np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors), 1)
        if len(p_values)
        else np.empty(0)
    )
    return [float(adjusted[place]) for place in np.argsort(order)]


def pairs_to_compare(models: Sequence[str]) -> list[tuple[str, str]]:
    """(a, b) of the report's comparisons: every model with the first, and a distilled one
    (`<model>_kd`) with what it was distilled into.

    Not all pairs, as every further one costs the others power [our choice].
    """
    first = [(model, models[0]) for model in models[1:]]
    distilled = [
        (model, model.removesuffix("_kd"))
        for model in models
        if model.endswith("_kd") and model.removesuffix("_kd") in models
    ]
    return list(dict.fromkeys(first + distilled))


def _side_by_side(a: OutOfFold, b: OutOfFold) -> OutOfFold:
    """Both models' clips as one table of twice as many participants: first those judged by a, then
    the same judged by b.
    """
    return replace(
        a,
        participants=tuple(f"{model}: {name}" for model in "ab" for name in a.participants),
        participant=np.concatenate([a.participant, b.participant + len(a.participants)]),
        truth=np.concatenate([a.truth, b.truth]),
        predicted=np.concatenate([a.predicted, b.predicted], axis=1),
        probability=np.concatenate([a.probability, b.probability], axis=1),
    )
