"""Better than chance? The null's distribution beside each result."""

from collections.abc import Mapping
from typing import Any

from semiology.report import figures
from semiology.report.summary import chance_words, main_metric
from semiology.statistics.metrics import NAMES
from semiology.statistics.results import model_name


def chance(metrics: Mapping[str, Any], null: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """For each task with a null, its tested models: rows of the table (F1 and the main measure), a histogram and p in words.

    Args:
        metrics: content of metrics.json.
        null: content of null.json, {task: {model: {metric: [values]}}}.
    """
    tested: dict[str, list[dict[str, Any]]] = {}
    for task, found in metrics["tasks"].items():
        for model, judged in found["models"].items():
            measured = {name: metric for name, metric in judged["metrics"].items() if "null" in metric}
            if not measured:
                continue
            main = main_metric(judged["metrics"])
            shown = main if main in measured else next(iter(measured))
            values = null.get(task, {}).get(model, {}).get(shown, [])
            title = f"{task}, {model_name(model)}: {NAMES.get(shown, shown)} under permuted labels and with the real ones"
            tested.setdefault(task, []).append(
                {
                    "model": model,
                    "rows": [
                        (NAMES[name], metric, figures.chance_figure(metric)) for name in ("f1", main) if (metric := measured.get(name))
                    ],
                    "histogram": figures.null_histogram(title, values, measured[shown]["value"], NAMES.get(shown, shown))
                    if values
                    else None,
                    "words": chance_words(measured[shown]),
                    "median": measured[shown]["null"]["median"],
                }
            )
    return tested


def untested(metrics: Mapping[str, Any], tested: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """Tasks with the models that have no null: "dystonia (pose) (TCN)"."""
    missing = {
        task: [model_name(model) for model in found["models"] if model not in {entry["model"] for entry in tested.get(task, [])}]
        for task, found in metrics["tasks"].items()
    }
    return [f"{task} ({', '.join(models)})" for task, models in missing.items() if models]
