"""The table of GESTURES: published beside obtained, seizure by seizure; and what folds by seizure promise too much."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from semiology.evaluation.published import GESTURES, GESTURES_ACCURACY
from semiology.evaluation.statistics.metrics import NAMES
from semiology.evaluation.statistics.splits import split_differences
from semiology.experiments.reproduce.comparison import Row, compare

PEOPLE = {"mean": "mean", "lstm": "LSTM", "blstm": "BLSTM", "attention": "attention"}


def rows(
    metrics: Mapping[str, Any],
    tasks: Mapping[str, str],
    aggregators: Sequence[str],
    segments: Sequence[int],
    share: float,
    correlation: float,
) -> list[Row]:
    """Accuracy and F1 of every model: the paper's folds with the published value, folds by subject without, for the paper has none.

    `share` is that of TCS among the seizures.
    """
    found = []
    for split, task in tasks.items():
        judged = metrics["tasks"].get(task)
        if judged is None:
            continue
        for kind in aggregators:
            for number in segments:
                own = judged["models"][f"{kind}_{number}"]
                obtained = own["by"]["recording"]["metrics"] or own["metrics"]  # one view each: the views are the seizures
                published = GESTURES_ACCURACY.get((kind, number)) if split == "seizure" else None
                for metric in ("accuracy", "f1"):
                    what = f"{task}, {PEOPLE[kind]}, {number} segments, {NAMES[metric]}"
                    found.append(compare(what, metric, published, GESTURES, obtained[metric], share, correlation))
    return found


def differences(predictions: pd.DataFrame, tasks: Mapping[str, str]) -> list[dict[str, Any]]:
    """What each model loses when nobody is on both sides of a fold: accuracy by subject minus by seizure, on the same seizures.

    Paired bootstrap over subjects. Empty unless both kinds of folds were run.

    Returns:
        [{"model", "value", "low", "high", "p"}], as `split_differences` gives them.
    """
    found = split_differences(predictions, [(tasks["subject"], tasks["seizure"])])
    return [{key: each[key] for key in ("model", "value", "low", "high", "p")} for each in found if each["metric"] == "accuracy"]


def difference_text(found: Sequence[Mapping[str, Any]]) -> str:
    """The differences as a terminal shows them; empty where there are none."""
    if not found:
        return ""
    lines = ["Accuracy, folds by subject minus folds by seizure (the paper's), same seizures, 95 % interval over subjects:"]
    for each in found:
        kind, _, number = each["model"].rpartition("_")
        numbers = [each[key] for key in ("value", "low", "high")]
        shown = [("–" if value is None else f"{value:+.2f}").replace("-", "\N{MINUS SIGN}") for value in numbers]
        lines.append(f"  {PEOPLE[kind]}, {number} segments: {shown[0]} ({shown[1]} to {shown[2]})")
    return "\n".join(lines)
