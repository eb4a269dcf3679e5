"""The evaluation of a run: every metric of every model with its interval, beside what guessing would give. The content of metrics.json."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from semiology.errors import UserError
from semiology.predictions import levels_of
from semiology.statistics.bootstrap import LEVEL, Counts, draw_participants, interval
from semiology.statistics.metrics import NAMES, from_confusion, metric_names

TABLE_1 = {"agcn": "AGCN", "tcn": "TCN", "agcn_kd": "AGCN + distillation"}  # the columns of Hou et al. 2022, Table 1
Null = Mapping[str, Mapping[str, Mapping[str, Sequence[float | None]]]]


def evaluate(predictions: pd.DataFrame, *, draws: int = 2000, seed: int = 0, null: Null | None = None) -> dict[str, Any]:
    """Judge out-of-fold predictions: the content of metrics.json, JSON-safe (what has no value is None, with a `reason`).

    Clips are pooled over folds. With several seeds a value is the mean over seeds, `seeds` lists each, and the interval resamples
    participants for all seeds together: it speaks of other participants, not of other seeds. All models of a task are judged in the same
    resampled cohorts.

    Args:
        predictions: table of `read_predictions`.
        draws: resampled cohorts.
        seed: of the resampling.
        null: {task: {model: {metric: values under permuted labels}}}, made by the same pipeline on the same clips. Given, every metric in
            it gets p = (1 + b) / (1 + n), b of n values reaching the observed one, and the null's median and 95 % range. Chance is judged
            by this and not by 0.5, since pooled leave-one-subject-out scores of a useless model lie below it.
    """
    return {
        "method": {
            "unit": "clip, pooled over folds",
            "interval": f"{LEVEL} % percentile bootstrap over participants",
            "draws": draws,
            "seed": seed,
            "chance": "permutation of labels" if null else "no permutation null was run: compare with the guesses",
        },
        "tasks": {
            str(task): _judge_task(rows, draws, seed, (null or {}).get(str(task), {}))
            for task, rows in predictions.groupby("task", sort=False)
        },
    }


def paired_difference(
    predictions: pd.DataFrame, task: str, model_a: str, model_b: str, metric: str = "f1", *, draws: int = 2000, seed: int = 0
) -> dict[str, Any]:
    """How much better `model_a` is than `model_b` on the same participants: the difference a - b with its paired bootstrap interval.

    Every resampled cohort holds the same participants for both models. With several seeds the difference is that of the means over seeds.

    Raises:
        UserError: the task, a model or the metric is not in the predictions.
    """
    rows = predictions[predictions["task"] == task]
    if rows.empty:
        raise UserError(f"no task {task!r} in the predictions; there are {', '.join(map(repr, predictions['task'].unique()))}")
    for model in (model_a, model_b):
        if model not in set(rows["model"]):
            raise UserError(f"no model {model!r} in task {task!r}; there are {', '.join(map(repr, rows['model'].unique()))}")
    levels = levels_of(rows)
    if metric not in metric_names(len(levels)):
        raise UserError(f"no metric {metric!r} for a label of {len(levels)} levels; there are {', '.join(metric_names(len(levels)))}")
    a, b = (Counts.of(rows[rows["model"] == model], levels) for model in (model_a, model_b))
    return _difference(a, b, metric, draw_participants(len(a.participants), draws, seed)) | {"a": model_a, "b": model_b}


def model_name(model: str) -> str:
    """A model's name as a reader sees it."""
    return TABLE_1.get(model, model.replace("_", " "))


def no_skill(confusion: np.ndarray, levels: list[str]) -> dict[str, dict[str, Any]]:
    """F1 and accuracy of guesses that never look at the video, from the (truth, predicted) counts of any model.

    `majority` always names the commonest level (given as `level`), `always_positive` (two levels) always sees the sign, `prevalence` names
    levels at random as often as they occur (expected counts). They know the cohort's prevalence, which no fold does: kind to guessing.
    """
    clips = confusion.sum(-1)
    shares = {"majority": np.eye(len(clips))[clips.argmax()], "prevalence": clips / clips.sum()}
    if len(clips) == 2:
        shares["always_positive"] = np.array([0.0, 1.0])
    guesses: dict[str, dict[str, Any]] = {
        guess: {name: _number(from_confusion(name, clips[:, None] * share)) for name in ("f1", "accuracy", "balanced_accuracy")}
        for guess, share in shares.items()
    }
    guesses["majority"]["level"] = levels[int(clips.argmax())]
    return guesses


def table_text(metrics: dict[str, Any]) -> str:
    """Plain text for a terminal in the form of Hou et al. 2022, Table 1: signs by models, F1 / accuracy, their intervals, AUC."""
    lines = []
    for columns in table_columns(metrics):
        width = max(23, *(len(model_name(model)) + 2 for model in columns))
        lines += [" " * 24 + "".join(model_name(model).ljust(width) for model in columns).rstrip()]
        for task, judged in metrics["tasks"].items():
            cells = [_cell(judged["models"].get(model)) for model in columns]
            if any(any(cell) for cell in cells):
                majority = judged["no_skill"]["majority"]["accuracy"]
                heads = [task, f"{judged['clips']} clips, {judged['participants']} people", f"majority guess {show(majority)}"]
                lines += [
                    head[:23].ljust(24) + "".join(part.ljust(width) for part in row).rstrip() for head, row in zip(heads, zip(*cells))
                ]
        lines += [""]
    method = metrics["method"]
    return "\n".join([*lines, f"F1 / accuracy with {method['interval']} ({method['draws']} draws). Chance: {method['chance']}."])


def table_columns(metrics: dict[str, Any]) -> list[list[str]]:
    """Models by column, three to a table: those of Table 1 first, in its order."""
    models = list(dict.fromkeys(model for judged in metrics["tasks"].values() for model in judged["models"]))
    return [_in_order(models)[start : start + 3] for start in range(0, len(models), 3)]


def show(value: float | None) -> str:
    """A number as the tables print it: two digits, a dash where there is none."""
    return "–" if value is None else f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _in_order(models: Iterable[str]) -> list[str]:
    """The models of Table 1 in its order, then the others in theirs."""
    return sorted(models, key=lambda model: [*TABLE_1, model].index(model))


def _judge_task(rows: pd.DataFrame, draws: int, seed: int, null: Mapping[str, Mapping[str, Sequence[float | None]]]) -> dict[str, Any]:
    levels = levels_of(rows)
    counts = {str(model): Counts.of(rows[rows["model"] == model], levels) for model in _in_order(rows["model"].unique())}
    clips = rows.drop_duplicates("clip_id")
    participants = clips["participant_id"].nunique()
    weights = draw_participants(participants, draws, seed)
    distilled = [(model, model.removesuffix("_kd")) for model in counts if model.endswith("_kd") and model.removesuffix("_kd") in counts]
    return {
        "label": str(rows["label"].iloc[0]),
        "stream": str(rows["stream"].iloc[0]),
        "levels": levels,
        "clips": len(clips),
        "participants": participants,
        "folds": int(rows["fold"].nunique()),
        "one_participant_a_fold": bool((rows.groupby("fold")["participant_id"].nunique() == 1).all()),
        "prevalence": {
            level: {
                "clips": int((clips["truth"] == level).sum()),
                "share": float((clips["truth"] == level).mean()),
                "participants": int(clips.loc[clips["truth"] == level, "participant_id"].nunique()),
            }
            for level in levels
        },
        "no_skill": no_skill(next(iter(counts.values())).confusion[0].sum(0), levels),
        "models": {model: _judge_model(count, weights, null.get(model, {})) for model, count in counts.items()},
        "differences": [
            {"a": a, "b": b, "metric": name} | _difference(counts[a], counts[b], name, weights)
            for a, b in distilled
            for name in metric_names(len(levels))
        ],
    }


def _judge_model(counts: Counts, weights: np.ndarray, null: Mapping[str, Sequence[float | None]]) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for name in metric_names(counts.confusion.shape[-1]):
        seeds = counts.observed(name)
        metrics[name] = _with_interval(seeds.mean(), counts.metric(name, weights).mean(0), len(counts.participants))
        metrics[name]["seeds"] = [_number(value) for value in seeds]
        if name in null:
            metrics[name]["null"] = _against_null(metrics[name]["value"], null[name])
    return {"seeds": list(counts.seeds), "metrics": metrics, "confusion": counts.confusion.sum(1).mean(0).tolist()}


def _difference(a: Counts, b: Counts, metric: str, weights: np.ndarray) -> dict[str, Any]:
    observed = a.observed(metric).mean() - b.observed(metric).mean()
    resampled = a.metric(metric, weights).mean(0) - b.metric(metric, weights).mean(0)
    result = _with_interval(observed, resampled, len(a.participants))
    if a.seeds == b.seeds:
        result["seeds"] = [_number(value) for value in a.observed(metric) - b.observed(metric)]
    return result


def _with_interval(value: float, resampled: np.ndarray, participants: int) -> dict[str, Any]:
    found = interval(resampled, participants)
    result = {"value": _number(value), "low": _number(found.low), "high": _number(found.high), "degenerate": found.degenerate}
    reason = "all clips have the same level" if math.isnan(value) else found.reason
    return result | ({"reason": reason} if reason else {})


def _against_null(value: float | None, null: Sequence[float | None]) -> dict[str, Any]:
    values = np.array([np.nan if entry is None else entry for entry in null], dtype=float)
    values = values[np.isfinite(values)]
    if value is None or not len(values):
        return {"n": len(values), "p": None, "median": None, "low": None, "high": None}
    low, median, high = np.percentile(values, [2.5, 50, 97.5])
    reached = int((values >= value - 1e-12).sum())  # equal counts can differ in the last bit
    return {"n": len(values), "p": (1 + reached) / (1 + len(values)), "median": float(median), "low": float(low), "high": float(high)}


def _number(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _cell(model: dict[str, Any] | None) -> tuple[str, str, str]:
    if model is None:
        return "", "", ""
    f1, accuracy = model["metrics"]["f1"], model["metrics"]["accuracy"]
    ranges = [f"{show(metric['low'])}–{show(metric['high'])}" for metric in (f1, accuracy)]
    third = "auc" if "auc" in model["metrics"] else "balanced_accuracy"
    metric = model["metrics"][third]
    return (
        f"{show(f1['value'])} / {show(accuracy['value'])}",
        " / ".join(ranges),
        f"{NAMES[third]} {show(metric['value'])}" + (f" ({show(metric['low'])}–{show(metric['high'])})" if third == "auc" else ""),
    )
