"""The tables of the report: all metrics by unit of analysis, models compared, calibration and
abstention, permutation tests, and the errors of every participant, clip and model.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from sklearn.metrics import roc_curve

from semiology.evaluation.report import figures
from semiology.evaluation.report.rendering import plain
from semiology.evaluation.report.summary import chance_words, no_information, tested_metric
from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.statistics.metrics import NAMES
from semiology.evaluation.statistics.results import model_name, show
from semiology.models.training.reading import NotAssessable


def measures(found: Mapping[str, Any]) -> list[tuple[str, int, str, list[tuple[str, list[Any]]]]]:
    """All metrics of one task: (unit of analysis, number of units, rule, [(metric, results)]).

    The rule is how clips become one unit; results are one for each model, or None. A unit of which
    there are as many as clips is left out.
    """
    models = list(found["models"].values())
    levels = [("clip", found["clips"], "", [result["metrics"] for result in models])]
    names = dict.fromkeys(level for result in models for level in result.get("by") or {})
    for level in names:
        result_at = [(result.get("by") or {}).get(level) or {} for result in models]
        first = next((result for result in result_at if result), {})
        if first.get("n") not in (None, found["clips"]):
            levels.append(
                (
                    level,
                    first["n"],
                    first.get("rule", ""),
                    [result.get("metrics", {}) for result in result_at],
                )
            )
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
    """Differences of all pairs of models in F1, accuracy and AUC, as (task, difference)."""
    return [
        (task, difference)
        for task, found in metrics["tasks"].items()
        for difference in found.get("differences", [])
        if difference["metric"] in ("f1", "accuracy", "auc")
    ]


def splits(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Pairs of tasks that differ in their split alone: {"a", "b", "n", "unit", "known", "rows"}.

    "known": b has participants in training and held-out set of a fold, and a has not.
    """
    found = []
    for a, b in dict.fromkeys((each["a"], each["b"]) for each in metrics.get("splits", [])):
        rows = [each for each in metrics["splits"] if (each["a"], each["b"]) == (a, b)]
        known = metrics["tasks"][a]["unseen"] and not metrics["tasks"][b]["unseen"]
        found.append(
            {
                "a": a,
                "b": b,
                "n": rows[0]["n"],
                "unit": rows[0]["unit"],
                "known": known,
                "rows": rows,
            }
        )
    return found


def calibration(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Calibration of each model: figure, and numbers before and after calibration (or empty)."""
    found = []
    for task, of_task in metrics["tasks"].items():
        for model, result in of_task["models"].items():
            raw = result.get("calibration")
            if raw:
                after = raw.get("calibrated") or {}
                title = f"reliability: {task}, {model_name(model)}"
                figure = figures.reliability_figure(
                    title, raw.get("bins", []), after.get("bins", [])
                )
                found.append(
                    {
                        "task": task,
                        "model": model,
                        "raw": raw,
                        "calibrated": after,
                        "figure": figure,
                    }
                )
    return found


def abstentions(metrics: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Abstention of models with prediction sets, as (task, model, numbers)."""
    return [
        (task, model, result["abstention"])
        for task, of_task in metrics["tasks"].items()
        for model, result in of_task["models"].items()
        if result.get("abstention")
    ]


def missing(metrics: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """Undefined values and intervals, a sentence for each task, model and reason."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for task, of_task in metrics["tasks"].items():
        for model, result in of_task["models"].items():
            for name, metric in result["metrics"].items():
                if metric.get("reason"):
                    why = (
                        f"no {'value' if metric['value'] is None else 'interval'},"
                        f" {metric['reason']}"
                    )
                elif metric.get("degenerate"):
                    why = f"{metric['degenerate']} resampled cohorts without a value left out"
                else:
                    continue
                found.setdefault((task, model_name(model), why), []).append(names.get(name, name))
    return [
        f"{task}, {model}: {why} ({', '.join(measures)})"
        for (task, model, why), measures in found.items()
    ]


PROBED = {
    "layer": ("layer", "from the input to the output"),
    "metric": ("metric", ""),
    "score": ("result", ""),
    "null_median": ("by chance", "median under permuted labels"),
    "p": ("p", "fraction of permutations that reach the result, the result counted among them"),
    "random_labels": (
        "random labels",
        "the same on labels assigned to clips at random: what the probe can fit without meaning",
    ),
    "selectivity": ("selectivity", "result minus random labels"),
    "identity_trained_accuracy": (
        "identity, training participants",
        "accuracy of identifying the participant of a clip from other clips",
    ),
    "identity_trained_chance": ("by chance", "of identifying the participant"),
    "identity_unmet_accuracy": (
        "identity, held-out participant",
        "the same for the held-out participant, among all; includes whether the participant was in"
        " the training data",
    ),
    "identity_unmet_chance": ("by chance", "of identifying the participant"),
}
# what the numbers are based on: the same in every row but for `seen`, and stated above the table
RESTS_ON = ("seen", "clips", "participants", "probe", "permutations")
HAD_SEEN = "had seen the participant"  # as `semiology probe` writes it


def probed(title: str, table: pd.DataFrame) -> dict[str, Any]:
    """A probe's table for the page: columns with words and hints, the interval beside the score.

    Unknown columns keep their name.
    """
    hidden = ("low", "high", "identity_trained_p", "identity_unmet_p", *RESTS_ON)
    shown = table.drop(columns=[column for column in hidden if column in table])
    rows = []
    for row in table.to_dict("records"):
        cells = [
            (
                "–"
                if pd.isna(row[column])
                else f"{row[column]:.3f}"
                if column == "p"
                else _cell(row[column])
            )
            for column in shown.columns
        ]
        if {"score", "low", "high"} <= row.keys() and not pd.isna(row["low"]):
            cells[list(shown.columns).index("score")] += (
                f" ({show(row['low'])}–{show(row['high'])})"
            )
        rows.append(cells)
    columns = [PROBED.get(str(column), (plain(column), "")) for column in shown.columns]
    return {
        "title": title,
        "columns": columns,
        "rows": rows,
        "rests_on": _rests_on(table),
        "had_seen": _had_seen(table),
    }


def _had_seen(table: pd.DataFrame) -> bool:
    return "seen" in table and bool((table["seen"] == HAD_SEEN).any())


def _rests_on(table: pd.DataFrame) -> str:
    """What the numbers are based on, in one line; empty where the table does not contain it."""
    if table.empty or not set(RESTS_ON) <= set(table.columns):
        return ""
    first = table.iloc[0]
    null = (
        f"{first['permutations']} permutations" if first["permutations"] else "no permutation test"
    )
    return (
        f"{first['clips']} clips of {first['participants']} participants; {first['probe']}; {null}"
    )


def _cell(value: Any) -> str:
    return show(value) if isinstance(value, float) else plain(value)


def chance(metrics: Mapping[str, Any], null: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Permutation tests by task and model: rows of the table, histogram, and p in words.

    The rows are F1 and the metric of `tested_metric`.

    Args:
        metrics: content of metrics.json.
        null: content of null.json, {task: {model: {metric: [values]}}}.
    """
    tested: dict[str, list[dict[str, Any]]] = {}
    for task, found in metrics["tasks"].items():
        for model, result in found["models"].items():
            measured = result["metrics"]
            shown = tested_metric(measured)
            if shown is None:
                continue
            values, name = null.get(task, {}).get(model, {}).get(shown, []), NAMES.get(shown, shown)
            title = f"{task}, {model_name(model)}: {name} with permuted and with true labels"
            rows = [
                measure for measure in dict.fromkeys(("f1", shown)) if "null" in measured[measure]
            ]
            tested.setdefault(task, []).append(
                {
                    "model": model,
                    "rows": [
                        (NAMES.get(row, row), measured[row], figures.chance_figure(measured[row]))
                        for row in rows
                    ],
                    "histogram": (
                        figures.null_histogram(title, values, measured[shown]["value"], name)
                        if values
                        else None
                    ),
                    "words": chance_words(measured[shown], no_information(found, shown)),
                }
            )
    return tested


def untested(metrics: Mapping[str, Any], tested: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """Tasks with their models that have no permutation test: "dystonia (pose) (TCN)"."""
    missing = {
        task: [
            model_name(model)
            for model in found["models"]
            if model not in {entry["model"] for entry in tested.get(task, [])}
        ]
        for task, found in metrics["tasks"].items()
    }
    return [f"{task} ({', '.join(models)})" for task, models in missing.items() if models]


MARKS = {
    "right": "correct",
    "wrong": "wrong",
    "mixed": "differs between seeds",
    "abstained": "abstained: the prediction set does not hold exactly one class",
    "lost": "not assessable: tracked too poorly, no prediction",
}


def strip(
    rows: pd.DataFrame, models: Sequence[str], lost: Sequence[NotAssessable] = ()
) -> list[dict[str, Any]]:
    """Errors by participant, those with the sign last: for each model the mark of each clip.

    Args:
        rows: predictions of one task.
        models: in the order of the columns.
        lost: clips without prediction because tracking was too poor; every model has them.
    """
    classes = levels_of(rows)
    marked: dict[tuple[str, str], dict[str, set[str]]] = {}
    truths: dict[str, set[str]] = {}
    columns = ["participant_id", "model", "clip_id", "truth", "predicted", "plausible"]
    for person, model, clip, truth, *found in zip(*(rows[name].tolist() for name in columns)):
        marks_of = marked.setdefault((person, model), {}).setdefault(clip, set())
        marks_of.add(_mark(truth, *found))
        truths.setdefault(person, set()).add(truth)
    missing: dict[str, list[NotAssessable]] = {}
    for clip in lost:
        missing.setdefault(clip.participant_id, []).append(clip)
        truths.setdefault(clip.participant_id, set()).add(clip.truth)
    strips: dict[str, dict[str, Any]] = {}
    for participant, own in truths.items():
        seen = [name for name in classes if name in own]
        missed = [(clip.clip_id, "lost") for clip in missing.get(participant, ())]
        marks = {}
        for model in models:
            known = [
                (str(clip), next(iter(found)) if len(found) == 1 else "mixed")
                for clip, found in marked.get((participant, model), {}).items()
            ]
            marks[model] = sorted(known + missed)
        truth = ", ".join(seen) if len(seen) <= 3 else f"{len(seen)} classes"
        strips[participant] = {
            "participant": participant,
            "truth": truth,
            "marks": marks,
            "sign": len(classes) == 2 and classes[1] in seen,
        }
    return sorted(strips.values(), key=lambda entry: (entry["sign"], entry["participant"]))


def marks_used(strips: Sequence[Sequence[dict[str, Any]]]) -> dict[str, str]:
    """The marks used in these strips with their meaning, for the legend."""
    used = {
        mark
        for people in strips
        for entry in people
        for marks in entry["marks"].values()
        for _, mark in marks
    }
    return {mark: words for mark, words in MARKS.items() if mark in used}


def roc(task: str, rows: pd.DataFrame, models: Sequence[str]) -> Markup | None:
    """ROC curves of a binary task, means over seeds; None where the clips have one class only."""
    positive = levels_of(rows)[1]
    if rows["truth"].nunique() < 2:
        return None
    grid = np.linspace(0, 1, 401)
    curves = []
    for model in models:
        seeds = [
            roc_curve(run["truth"] == positive, run["score"])[:2]
            for _, run in rows[rows["model"] == model].groupby("seed")
        ]
        tpr = np.mean([np.interp(grid, false, true) for false, true in seeds], axis=0)
        curves.append((np.r_[0, grid], np.r_[0, tpr]))
    return figures.roc_figure(f"ROC curves: {task}", curves)


def _mark(truth: str, predicted: str, plausible: list[str] | None) -> str:
    if plausible is not None and len(plausible) != 1:
        return "abstained"
    return "right" if truth == predicted else "wrong"
