"""A metric's value with its interval, as metrics.json states it: what has no value is None, with a reason."""

import math
from typing import Any

import numpy as np

from semiology.evaluation.statistics.delong import delong
from semiology.evaluation.statistics.intervals import Interval, at_bound, bca_interval, leave_one_out
from semiology.evaluation.statistics.metrics import Array, from_confusion
from semiology.evaluation.statistics.out_of_fold import OutOfFold
from semiology.evaluation.statistics.proportion import wilson

PROPORTIONS = ("accuracy", "sensitivity", "specificity", "ppv", "npv")


def state(model: OutOfFold, name: str, weights: Array, closed_form: bool = False) -> dict[str, Any]:
    """{"value", "low", "high", "degenerate", "interval" (its method), "seeds", "reason" where something is missing}.

    Args:
        weights: (draw, participant) resampled cohorts; with fewer than two no interval is made.
        closed_form: Wilson for proportions where every participant has one clip, DeLong (Obuchowski's, over participants) for the AUC of
            two levels; both speak of one run, so with several seeds the bootstrap stays.
    """
    seeds = model.observed(name)
    value = float(seeds.mean())
    if math.isnan(value):
        found = Interval(np.nan, np.nan, len(weights), _why_no_value(model, name), "none")
    else:
        found = (closed_form and _closed_form(model, name)) or _resampled(model, name, value, weights)
    return stated(value, found) | {"seeds": [number(seed) for seed in seeds]}


def stated(value: float, interval: Interval) -> dict[str, Any]:
    """Value and interval as JSON."""
    result = {"value": number(value), "low": number(interval.low), "high": number(interval.high), "degenerate": interval.degenerate}
    return result | {"interval": interval.method} | ({"reason": interval.reason} if interval.reason else {})


def number(value: Any) -> float | None:
    """A finite float, or None."""
    found = float(value)
    return found if math.isfinite(found) else None


def _resampled(model: OutOfFold, name: str, value: float, weights: Array) -> Interval:
    people = len(model.participants)
    if people > 1 and name != "brier" and (found := at_bound(value, -1.0 if name == "mcc" else 0.0, model.behind(name))):
        return found
    return bca_interval(value, model.metric(name, weights).mean(0), model.metric(name, leave_one_out(people)).mean(0), people)


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
        return Interval(*wilson(round(float(from_confusion(name, table)) * clips), clips), 0, method="Wilson")
    if name == "auc" and model.levels == 2 and model.behind("auc") > 1:
        low, high = delong(model.truth, model.probability[0, :, 1], model.participant).limits()[0]
        return Interval(float(low), float(high), 0, method="DeLong, clips of a participant taken together (Obuchowski)")
    return None


def _why_no_value(model: OutOfFold, name: str) -> str:
    if len(np.unique(model.truth)) > 1:
        return "no clip was given this level"
    return "all clips have the same level"
