"""The longer tables: every measure at every level of analysis, models compared, calibration and abstention."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from semiology.evaluation.report import figures_init as figures
from semiology.evaluation.report.rendering import plain
from semiology.evaluation.statistics.results import model_name, show


def measures(found: Mapping[str, Any]) -> list[tuple[str, int, str, list[tuple[str, list[Any]]]]]:
    """Of one task: (level of analysis, its number of units, how clips become one, [(measure, [one result a model or None])]).

    A level at which there are as many units as clips says nothing new and is left out.
    """
    models = list(found["models"].values())
    levels = [("clip", found["clips"], "", [judged["metrics"] for judged in models])]
    names = dict.fromkeys(level for judged in models for level in (judged.get("by") or {}))
    for level in names:
        judged_at = [(judged.get("by") or {}).get(level) or {} for judged in models]
        first = next((judged for judged in judged_at if judged), {})
        if first.get("n") not in (None, found["clips"]):
            levels.append((level, first["n"], first.get("rule", ""), [judged.get("metrics", {}) for judged in judged_at]))
    levels.sort(key=lambda one: one[0] != "recording")  # first, as in the main table
    return [
        (
            level,
            n,
            rule,
            [
                (name, [metrics.get(name) for metrics in by_model])
                for name in dict.fromkeys(name for metrics in by_model for name in metrics)
            ],
        )
        for level, n, rule, by_model in levels
    ]


def compared(metrics: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """(task, difference) of all pairs of models, by F1, accuracy and AUC."""
    return [
        (task, difference)
        for task, found in metrics["tasks"].items()
        for difference in found.get("differences", [])
        if difference["metric"] in ("f1", "accuracy", "auc")
    ]


def splits(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Pairs of tasks that differ in their split alone: {"a", "b", "n", "unit", "known" (b has people on both sides, a has not), "rows"}."""
    found = []
    for a, b in dict.fromkeys((each["a"], each["b"]) for each in metrics.get("splits", [])):
        rows = [each for each in metrics["splits"] if (each["a"], each["b"]) == (a, b)]
        known = metrics["tasks"][a]["unseen"] and not metrics["tasks"][b]["unseen"]
        found.append({"a": a, "b": b, "n": rows[0]["n"], "unit": rows[0]["unit"], "known": known, "rows": rows})
    return found


def calibration(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Models whose calibration was measured: the figure, and the numbers before and after (empty) calibration."""
    found = []
    for task, judged in metrics["tasks"].items():
        for model, result in judged["models"].items():
            raw = result.get("calibration")
            if raw:
                after = raw.get("calibrated") or {}
                title = f"reliability: {task}, {model_name(model)}"
                figure = figures.reliability_figure(title, raw.get("bins", []), after.get("bins", []))
                found.append({"task": task, "model": model, "raw": raw, "calibrated": after, "figure": figure})
    return found


def abstentions(metrics: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """(task, model, how often it committed itself and was right) of models that may abstain."""
    return [
        (task, model, result["abstention"])
        for task, judged in metrics["tasks"].items()
        for model, result in judged["models"].items()
        if result.get("abstention")
    ]


def missing(metrics: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """Values and intervals that cannot be given, and why; resamples that were left out. One sentence a task, model and reason."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for task, judged in metrics["tasks"].items():
        for model, result in judged["models"].items():
            for name, metric in result["metrics"].items():
                if metric.get("reason"):
                    why = f"no {'value' if metric['value'] is None else 'interval'}, {metric['reason']}"
                elif metric.get("degenerate"):
                    why = f"{metric['degenerate']} resamples without a value left out"
                else:
                    continue
                found.setdefault((task, model_name(model), why), []).append(names.get(name, name))
    return [f"{task}, {model}: {why} ({', '.join(measures)})" for (task, model, why), measures in found.items()]


PROBED = {
    "layer": ("layer", "from the input to the answer"),
    "metric": ("measure", ""),
    "score": ("result", ""),
    "null_median": ("by chance", "median under permuted labels"),
    "p": ("p", "share of permutations, the result counted among them, that reach the result"),
    "random_labels": ("random labels", "the same on labels dealt to clips: what the method can fit without meaning"),
    "selectivity": ("selectivity", "result minus random labels"),
    "identity_trained_accuracy": ("who it is, among those it trained on", "accuracy of naming the person of a clip from other clips"),
    "identity_trained_chance": ("by chance", "of naming the person"),
    "identity_unmet_accuracy": (
        "who it is, of those never met",
        "the same for the person held out, among all; includes whether the model had met the person",
    ),
    "identity_unmet_chance": ("by chance", "of naming the person"),
}
RESTS_ON = ("seen", "clips", "participants", "probe", "permutations")  # the same in every row but for `seen`; said above the table
HAD_SEEN = "had seen the participant"  # as `semiology probe` writes it


def probed(title: str, table: pd.DataFrame) -> dict[str, Any]:
    """A probe's table for the page: columns with words and hints, the interval beside the score; columns we do not know keep their name."""
    hidden = ("low", "high", "identity_trained_p", "identity_unmet_p", *RESTS_ON)
    shown = table.drop(columns=[column for column in hidden if column in table])
    rows = []
    for row in table.to_dict("records"):
        cells = ["–" if pd.isna(row[column]) else f"{row[column]:.3f}" if column == "p" else _cell(row[column]) for column in shown.columns]
        if {"score", "low", "high"} <= row.keys() and not pd.isna(row["low"]):
            cells[list(shown.columns).index("score")] += f" ({show(row['low'])}–{show(row['high'])})"
        rows.append(cells)
    columns = [PROBED.get(str(column), (plain(column), "")) for column in shown.columns]
    return {"title": title, "columns": columns, "rows": rows, "rests_on": _rests_on(table), "had_seen": _had_seen(table)}


def _had_seen(table: pd.DataFrame) -> bool:
    return "seen" in table and bool((table["seen"] == HAD_SEEN).any())


def _rests_on(table: pd.DataFrame) -> str:
    """What the figures rest on, in one line; empty of a table that does not say."""
    if table.empty or not set(RESTS_ON) <= set(table.columns):
        return ""
    first = table.iloc[0]
    null = f"{first['permutations']} permutations" if first["permutations"] else "no null asked for"
    return f"{first['clips']} clips of {first['participants']} people; {first['probe']}; {null}"


def _cell(value: Any) -> str:
    return show(value) if isinstance(value, float) else plain(value)
