"""Better than chance? The null's distribution beside each result."""

from collections.abc import Mapping
from typing import Any

from semiology.evaluation.report import figures_init as figures
from semiology.evaluation.report.summary import chance_words, tested_metric
from semiology.evaluation.statistics.metrics import NAMES
from semiology.evaluation.statistics.results import model_name


def chance(metrics: Mapping[str, Any], null: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """For each task with a null, its tested models: rows of the table (F1 and the measure of `tested_metric`), a histogram and p in words.

    Args:
        metrics: content of metrics.json.
        null: content of null.json, {task: {model: {metric: [values]}}}.
    """
    tested: dict[str, list[dict[str, Any]]] = {}
    for task, found in metrics["tasks"].items():
        for model, judged in found["models"].items():
            measured = judged["metrics"]
            shown = tested_metric(measured)
            if shown is None:
                continue
            values, name = null.get(task, {}).get(model, {}).get(shown, []), NAMES.get(shown, shown)
            title = f"{task}, {model_name(model)}: {name} under permuted labels and with the real ones"
            rows = [measure for measure in dict.fromkeys(("f1", shown)) if "null" in measured[measure]]
            tested.setdefault(task, []).append(
                {
                    "model": model,
                    "rows": [(NAMES.get(row, row), measured[row], figures.chance_figure(measured[row])) for row in rows],
                    "histogram": figures.null_histogram(title, values, measured[shown]["value"], name) if values else None,
                    "words": chance_words(measured[shown]),
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
