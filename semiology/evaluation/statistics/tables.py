"""The main table as plain text for a terminal, laid out as Table 1 of Hou et al. 2022."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from semiology.evaluation.statistics.metrics import NAMES

TABLE_1 = {
    "agcn": "AGCN",
    "tcn": "TCN",
    "agcn_kd": "AGCN + distillation",
}  # the columns of Hou et al. 2022, Table 1
OTHERS = {"ctrgcn": "CTR-GCN", "gat": "GAT", "lstm": "LSTM", "blstm": "BLSTM"}


def unanswered_sentences(metrics: dict[str, Any]) -> list[str]:
    """For each model the share of clips that it did not answer, and how these were scored."""
    how = metrics["method"].get("unanswered")
    sentences = []
    for own in metrics.get("unanswered", []):
        limits = (
            f" ({100 * own['low']:.1f} to {100 * own['high']:.1f})"
            if own["low"] is not None and own["high"] is not None
            else ""
        )
        sentences.append(
            f"{own['task']}, {model_name(own['model'])}: no answer in {own['n']} of {own['of']}"
            f" predictions, {100 * own['value']:.1f} %{limits}; {how}."
        )
    return sentences


def table_text(metrics: dict[str, Any]) -> str:
    """The main table: tasks in rows, models in columns; F1 / accuracy, their intervals, AUC.

    Parameters
    ----------
    metrics : dict
        Content of metrics.json (`evaluate`).

    Returns
    -------
    str
        Lines for a terminal, with the method below.
    """
    main = {task: main_unit(result) for task, result in metrics["tasks"].items()}
    heads = {
        task: (
            task,
            f"{main[task]['n']} {main[task]['unit']}s, {result['participants']} participants",
            f"majority class: {show(main[task]['no_skill']['majority']['accuracy'])}",
        )
        for task, result in metrics["tasks"].items()
    }
    indent = 2 + max((len(head) for of_task in heads.values() for head in of_task), default=0)
    lines = []
    for columns in table_columns(metrics):
        width = max(23, *(len(model_name(model)) + 2 for model in columns))
        names = "".join(model_name(model).ljust(width) for model in columns)
        lines += [" " * indent + names.rstrip()]
        for task, of_task in heads.items():
            cells = [_cell(main[task]["metrics"].get(model)) for model in columns]
            if any(any(cell) for cell in cells):
                lines += [
                    head.ljust(indent) + "".join(part.ljust(width) for part in row).rstrip()
                    for head, row in zip(of_task, zip(*cells))
                ]
        lines += [""]
    method = metrics["method"]
    if sentences := unanswered_sentences(metrics):
        lines += [*sentences, ""]
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


def main_unit(result: Mapping[str, Any]) -> dict[str, Any]:
    """The results of a task in the unit of the main tables.

    The unit is the recording where recordings have several clips or views, else the clip.

    Parameters
    ----------
    result : mapping
        A task of metrics.json.

    Returns
    -------
    dict
        "unit" ("recording" or "clip"), "n", "no_skill", "metrics" ({model: metrics}).
    """
    combined = {
        model: (found.get("by") or {}).get("recording") or {}
        for model, found in result["models"].items()
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
    metrics = {model: found["metrics"] for model, found in result["models"].items()}
    return {
        "unit": "clip",
        "n": result["clips"],
        "no_skill": result["no_skill"],
        "metrics": metrics,
    }


def table_columns(metrics: dict[str, Any]) -> list[list[str]]:
    """Models by column, three to a table: those of Hou et al. 2022 first, in their order."""
    models = list(
        dict.fromkeys(model for result in metrics["tasks"].values() for model in result["models"])
    )
    return [in_order(models)[start : start + 3] for start in range(0, len(models), 3)]


def model_name(model: str) -> str:
    """A model's name as tables and reports print it: "agcn_kd" -> "AGCN + distillation"."""
    return {**TABLE_1, **OTHERS}.get(model, model.replace("_", " "))


def in_order(models: Iterable[str]) -> list[str]:
    """Models of Hou et al. 2022, Table 1, in its order, then the others in the order given."""
    return sorted(models, key=lambda model: [*TABLE_1, model].index(model))


def show(value: float | None) -> str:
    """A number as the tables print it: two decimals, a dash for None."""
    return "–" if value is None else f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _splits(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines on how the assignment of clips to folds changes each model's accuracy."""
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
