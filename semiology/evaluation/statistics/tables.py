"""The main table as plain text for a terminal, in the form of Hou et al. 2022, Table 1."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from semiology.evaluation.statistics.metrics import NAMES

TABLE_1 = {
    "agcn": "AGCN",
    "tcn": "TCN",
    "agcn_kd": "AGCN + distillation",
}  # the columns of Hou et al. 2022, Table 1


def table_text(metrics: dict[str, Any]) -> str:
    """Signs by models: F1 / accuracy, their intervals, AUC."""
    lines = []
    for columns in table_columns(metrics):
        width = max(23, *(len(model_name(model)) + 2 for model in columns))
        lines += [" " * 24 + "".join(model_name(model).ljust(width) for model in columns).rstrip()]
        for task, judged in metrics["tasks"].items():
            level = main_level(judged)
            cells = [_cell(level["metrics"].get(model)) for model in columns]
            if any(any(cell) for cell in cells):
                majority = level["no_skill"]["majority"]["accuracy"]
                heads = [
                    task,
                    f"{level['n']} {level['unit']}s, {judged['participants']} people",
                    f"majority guess {show(majority)}",
                ]
                lines += [
                    head[:23].ljust(24) + "".join(part.ljust(width) for part in row).rstrip()
                    for head, row in zip(heads, zip(*cells))
                ]
        lines += [""]
    method = metrics["method"]
    lines += _splits(metrics.get("splits", []))
    return "\n".join(
        [
            *lines,
            (
                f"F1 / accuracy with {method['interval']} ({method['draws']} draws). Chance:"
                f" {method['chance']}."
            ),
        ]
    )


def main_level(judged: Mapping[str, Any]) -> dict[str, Any]:
    """A task's results as the main tables show them: by recording where one has several clips or
    views, else by clip.

    Returns:
        {"unit": "recording" or "clip", "n", "no_skill", "metrics": {model: metrics}}.
    """
    combined = {
        model: (found.get("by") or {}).get("recording") or {}
        for model, found in judged["models"].items()
    }
    if all(found.get("metrics") for found in combined.values()):
        first = next(iter(combined.values()))
        metrics = {model: found["metrics"] for model, found in combined.items()}
        return {
            "unit": "recording",
            "n": first["n"],
            "no_skill": first["no_skill"],
            "metrics": metrics,
        }
    metrics = {model: found["metrics"] for model, found in judged["models"].items()}
    return {
        "unit": "clip",
        "n": judged["clips"],
        "no_skill": judged["no_skill"],
        "metrics": metrics,
    }


def table_columns(metrics: dict[str, Any]) -> list[list[str]]:
    """Models by column, three to a table: those of Table 1 first, in its order."""
    models = list(
        dict.fromkeys(model for judged in metrics["tasks"].values() for model in judged["models"])
    )
    return [in_order(models)[start : start + 3] for start in range(0, len(models), 3)]


def model_name(model: str) -> str:
    """A model's name as a reader sees it."""
    return TABLE_1.get(
        model, model.upper() if model in ("gat", "lstm", "blstm") else model.replace("_", " ")
    )


def in_order(models: Iterable[str]) -> list[str]:
    """The models of Table 1 in its order, then the others in theirs."""
    return sorted(models, key=lambda model: [*TABLE_1, model].index(model))


def show(value: float | None) -> str:
    """A number as the tables print it: two digits, a dash where there is none."""
    return "–" if value is None else f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _splits(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the way of dealing clips to folds does to the accuracy of each model."""
    lines = []
    for pair in dict.fromkeys((each["a"], each["b"]) for each in found):
        own = [
            each
            for each in found
            if (each["a"], each["b"]) == pair and each["metric"] == "accuracy"
        ]
        parts = [
            f"{model_name(each['model'])} {show(each['value'])} ({show(each['low'])} to"
            f" {show(each['high'])})"
            for each in own
        ]
        lines += [
            (
                f"accuracy, {pair[0]} minus {pair[1]}, {own[0]['n']} {own[0]['unit']}s:"
                f" {', '.join(parts)}"
            ),
            "",
        ]
    return lines


def _cell(metrics: Mapping[str, Any] | None) -> tuple[str, str, str]:
    if metrics is None:
        return "", "", ""
    f1, accuracy, area = (metrics[name] for name in ("f1", "accuracy", "auc"))
    ranges = [f"{show(metric['low'])}–{show(metric['high'])}" for metric in (f1, accuracy)]
    return (
        f"{show(f1['value'])} / {show(accuracy['value'])}",
        " / ".join(ranges),
        f"{NAMES['auc']} {show(area['value'])} ({show(area['low'])}–{show(area['high'])})",
    )
