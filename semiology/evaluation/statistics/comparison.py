"""Estimates with their interval, and two models compared on the same participants.

`estimate` gives a metric with its interval as metrics.json holds it. Two models are compared by a
paired bootstrap interval, a permutation test that exchanges the models within participants, and
McNemar's test; Holm's correction is for many comparisons.
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
from semiology.evaluation.statistics.permutation import exchanges

PROPORTIONS = ("accuracy", "sensitivity", "specificity", "ppv", "npv")


def estimate(
    model: OutOfFold, name: str, weights: Array, closed_form: bool = False
) -> dict[str, Any]:
    """A metric of one model with its 95 % interval, as metrics.json holds it.

    Parameters
    ----------
    model : OutOfFold
        Out-of-fold predictions.
    name : str
        Metric, a key of `metrics.NAMES`.
    weights : (draw, participant) ndarray
        Resampled cohorts (`draw_participants`); with fewer than two there is no interval.
    closed_form : bool
        Use Wilson's interval for proportions where every participant has one clip, and DeLong's
        (Obuchowski's, over participants) for the AUC of two classes. Both hold for one run, so that
        with several seeds the bootstrap stays.

    Returns
    -------
    dict
        "value" (mean over seeds), "low", "high", "degenerate", "interval" (its method), "seeds"
        (value of each), and a "reason" where value or interval is missing (None).
    """
    seeds = model.observed(name)
    value = float(seeds.mean())
    if math.isnan(value):
        limits = Interval(np.nan, np.nan, len(weights), _why_undefined(model), "none")
    else:
        limits = (closed_form and _closed_form(model, name)) or _resampled(
            model, name, value, weights
        )
    return estimate_json(value, limits) | {"seeds": [number(seed) for seed in seeds]}


def estimate_json(value: float, interval: Interval) -> dict[str, Any]:
    """A value and its interval as a JSON-safe dictionary.

    Parameters
    ----------
    value : float
        Estimate; NaN where undefined.
    interval : Interval
        Its interval.

    Returns
    -------
    dict
        "value", "low", "high" (None where undefined), "degenerate", "interval" (method), "reason"
        where there is one.

    Examples
    --------
    >>> estimate_json(0.8, Interval(0.6, float("nan"), 0, method="Wilson"))["high"] is None
    True
    """
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
    """A finite number as float; None of NaN and infinity, which JSON cannot hold."""
    as_float = float(value)
    return as_float if math.isfinite(as_float) else None


def _resampled(model: OutOfFold, name: str, value: float, weights: Array) -> Interval:
    participants = len(model.participants)
    if participants > 1 and name != "brier":
        lowest = -1.0 if name == "mcc" else 0.0
        if wilson_interval := at_bound(value, lowest, model.contributing(name)):
            return wilson_interval
    return bca_interval(
        value,
        model.metric(name, weights).mean(0),
        model.metric(name, leave_one_out(participants)).mean(0),
        participants,
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
    if name == "auc" and model.classes == 2 and model.contributing("auc") > 1:
        low, high = delong(model.truth, model.probability[0, :, 1], model.participant).limits()[0]
        return Interval(
            float(low), float(high), 0, method="DeLong, clips clustered by participant (Obuchowski)"
        )
    return None


def _why_undefined(model: OutOfFold) -> str:
    if len(np.unique(model.truth)) > 1:
        return "no clip was predicted as this class"
    return "all clips have the same class"


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
    """The difference in a metric between two models on the same participants.

    Parameters
    ----------
    predictions : DataFrame
        Table of `read_predictions`.
    task : str
        Task, as in the column `task`.
    model_a, model_b : str
        Models, as in the column `model`; the difference is a - b.
    metric : str
        Metric, a key of `metrics.NAMES`.
    draws : int
        Number of resampled cohorts, and of permutations.
    seed : int
        Of both.

    Returns
    -------
    dict
        "a", "b", "metric", and what `difference` returns.

    Raises
    ------
    UserError
        The task, a model or the metric is not in the predictions.
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
    classes = levels_of(rows)
    if metric not in metric_names(len(classes)):
        raise UserError(
            f"no metric {metric!r} for a label of {len(classes)} classes; there are"
            f" {', '.join(metric_names(len(classes)))}"
        )
    a, b = (OutOfFold.of(rows[rows["model"] == model], classes) for model in (model_a, model_b))
    weights = draw_participants(len(a.participants), draws, seed)
    return {"a": model_a, "b": model_b, "metric": metric} | difference(a, b, metric, weights, seed)


def difference(
    a: OutOfFold, b: OutOfFold, metric: str, weights: Array, seed: int = 0
) -> dict[str, Any]:
    """The difference a - b of a metric, with interval and p-values.

    With several seeds it is the difference of the means over seeds. In every resampled cohort both
    models are evaluated on the same participants.

    Parameters
    ----------
    a, b : OutOfFold
        Out-of-fold predictions of two models in the same task.
    metric : str
        Metric, a key of `metrics.NAMES`.
    weights : (draw, participant) ndarray
        Resampled cohorts; as many permutations are made for p.
    seed : int
        Of the permutations.

    Returns
    -------
    dict
        "value", "low", "high" (`difference_interval`), "degenerate", "interval", "seeds" (a - b of
        each seed), "p" (`paired_permutation_test`), "mcnemar_p" (`mcnemar`).
    """
    value = float(a.observed(metric).mean() - b.observed(metric).mean())
    resampled = a.metric(metric, weights).mean(0) - b.metric(metric, weights).mean(0)
    greatest = greatest_difference(metric, a.classes)
    result = estimate_json(
        value, difference_interval(value, resampled, len(a.participants), greatest)
    )
    if a.seeds == b.seeds:
        result["seeds"] = [number(each) for each in a.observed(metric) - b.observed(metric)]
    return result | {
        "p": paired_permutation_test(a, b, metric, len(weights), seed),
        "mcnemar_p": mcnemar(*discordant_clips(a, b)),
    }


def paired_permutation_test(
    a: OutOfFold, b: OutOfFold, metric: str, n_permutations: int, seed: int = 0
) -> float | None:
    """Two-sided p-value of the difference of two models in a metric, by exchanging them.

    Under the null hypothesis each participant's two sets of predictions are exchangeable. All clips
    of a participant are exchanged together, so that they may depend on each other. Permutations in
    which the metric is undefined for one of the two (PPV where it predicts nothing positive) are
    left out of both counts; counting them as not reaching the difference would make p too small.

    Parameters
    ----------
    a, b : OutOfFold
        Out-of-fold predictions of two models in the same task.
    metric : str
        Metric, a key of `metrics.NAMES`.
    n_permutations : int
        Number of permutations. Where it is at least 2^n for n participants, all of them are
        computed and p is exact: the fraction that reaches the observed difference. Else they are
        random and p = (1 + b) / (1 + n_permutations).
    seed : int
        Of random permutations.

    Returns
    -------
    float or None
        None where the metric is undefined in the cohort itself, or the models have different
        numbers of seeds.

    Examples
    --------
    One clip each; a is right for all six participants, b for none. Of 2^6 permutations two have a
    difference of 1:

    >>> def model(score):
    ...     return OutOfFold(tuple("abcdef"), (0,), np.arange(6), np.array([0, 1] * 3),
    ...                      (score > 0.5).astype(int)[None], np.stack([1 - score, score], 1)[None])
    >>> right = np.array([0.1, 0.9] * 3)
    >>> paired_permutation_test(model(right), model(1 - right), "accuracy", 64)  # 2 / 64
    0.03125
    """
    participants = len(a.participants)
    if len(a.seeds) != len(b.seeds):
        return None
    both = _stacked(a, b)
    kept, exact = exchanges(participants, n_permutations, seed)
    observed = abs(a.observed(metric).mean() - b.observed(metric).mean())
    first = both.metric(metric, np.hstack([kept, 1 - kept]).astype(float)).mean(0)
    second = both.metric(metric, np.hstack([1 - kept, kept]).astype(float)).mean(0)
    if not np.isfinite(observed):
        return None
    defined = np.abs(first - second)[np.isfinite(first - second)]
    reached = int((defined >= observed - 1e-12).sum())
    return reached / len(defined) if exact else (1 + reached) / (1 + len(defined))


def discordant_clips(a: OutOfFold, b: OutOfFold) -> tuple[int, int]:
    """Number of clips that only one of two models classifies correctly.

    Parameters
    ----------
    a, b : OutOfFold
        Out-of-fold predictions of the same clips.

    Returns
    -------
    tuple of int
        Clips that only `a`, and that only `b` classifies correctly; with several seeds, in more
        than half of them.
    """
    right_a, right_b = ((model.predicted == model.truth).mean(0) > 0.5 for model in (a, b))
    return int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided McNemar test of the discordant clips of two models.

    It takes clips as independent. With several clips a participant p is too small:
    `paired_permutation_test` is valid then.

    Parameters
    ----------
    only_a, only_b : int
        Clips that only one of the two models classifies correctly (`discordant_clips`).

    Returns
    -------
    float
        p-value; 1 without discordant clips.

    References
    ----------
    McNemar 1947, Psychometrika 12:153 [P].

    Examples
    --------
    >>> round(mcnemar(2, 9), 5)
    0.06543
    """
    clips = only_a + only_b
    return min(1.0, 2 * float(binom.cdf(min(only_a, only_b), clips, 0.5))) if clips else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction of p-values for multiple comparisons.

    Parameters
    ----------
    p_values : sequence of float
        p-values of one family of comparisons.

    Returns
    -------
    list of float
        Adjusted p-values in the same order; rejecting those below 5 % keeps the family-wise error
        rate at 5 %.

    References
    ----------
    Holm 1979, Scandinavian Journal of Statistics 6:65 [P].

    Examples
    --------
    >>> [round(p, 2) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = (
        np.minimum(np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors), 1)
        if len(p_values)
        else np.empty(0)
    )
    return [float(adjusted[rank]) for rank in np.argsort(order)]


def pairs_to_compare(models: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of models that the report compares.

    Every model with the first one, and a distilled model (`<model>_kd`) with the same network
    without distillation. Not all pairs, because every further comparison costs power [our choice].

    Parameters
    ----------
    models : sequence of str
        Models of one task.

    Returns
    -------
    list of tuple of str
        (a, b); the difference is a - b.

    Examples
    --------
    >>> pairs_to_compare(["agcn", "tcn", "tcn_kd"])
    [('tcn', 'agcn'), ('tcn_kd', 'agcn'), ('tcn_kd', 'tcn')]
    """
    first = [(model, models[0]) for model in models[1:]]
    distilled = [
        (model, model.removesuffix("_kd"))
        for model in models
        if model.endswith("_kd") and model.removesuffix("_kd") in models
    ]
    return list(dict.fromkeys(first + distilled))


def _stacked(a: OutOfFold, b: OutOfFold) -> OutOfFold:
    """Predictions of both models as those of twice as many participants: first by a, then by b."""
    return replace(
        a,
        participants=tuple(f"{model}: {name}" for model in "ab" for name in a.participants),
        participant=np.concatenate([a.participant, b.participant + len(a.participants)]),
        truth=np.concatenate([a.truth, b.truth]),
        predicted=np.concatenate([a.predicted, b.predicted], axis=1),
        probability=np.concatenate([a.probability, b.probability], axis=1),
    )
