"""What the way of dealing clips to folds does to the figures: two tasks that differ in nothing else, on the same recordings."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.statistics.comparison import difference
from semiology.evaluation.statistics.intervals import draw_participants
from semiology.evaluation.statistics.metrics import metric_names
from semiology.evaluation.statistics.out_of_fold import OutOfFold
from semiology.evaluation.statistics.statistics_units import combine

METRICS = ("accuracy", "f1", "auc")


def split_differences(
    predictions: pd.DataFrame, pairs: Sequence[tuple[str, str]], *, draws: int = 2000, seed: int = 0
) -> list[dict[str, Any]]:
    """Each model's accuracy, F1 and AUC in the first task of a pair minus those in the second, by recording, views averaged.

    Both tasks are judged on the recordings that both have, in the same resampled cohorts (`difference`).

    Args:
        predictions: table of `read_predictions`.
        pairs: tasks that differ in their split alone; one that is not in the table is passed over.
        draws: resampled cohorts, and exchanges for p.
        seed: of both.

    Returns:
        [{"a", "b" (tasks), "model", "metric", "unit", "n", "participants"} | what `difference` gives, without McNemar's p].
    """
    found = []
    for a, b in pairs:
        rows = {task: predictions[predictions["task"] == task] for task in (a, b)}
        if any(own.empty for own in rows.values()):
            continue
        levels, judged = levels_of(rows[a]), {task: _recordings(own) for task, own in rows.items()}
        common = set(judged[a]["clip_id"]) & set(judged[b]["clip_id"])
        first, second = ({str(model): part for model, part in _of(judged[task], common).groupby("model", sort=False)} for task in (a, b))
        for model in [name for name in first if name in second]:
            one, other = OutOfFold.of(first[model], levels), OutOfFold.of(second[model], levels)
            what = {"a": a, "b": b, "model": model, "unit": "recording", "n": len(common), "participants": len(one.participants)}
            weights = draw_participants(len(one.participants), draws, seed)
            for metric in (name for name in METRICS if name in metric_names(len(levels))):
                told = difference(one, other, metric, weights, seed)
                found.append(what | {"metric": metric} | {key: value for key, value in told.items() if key != "mcnemar_p"})
    return found


def _of(rows: pd.DataFrame, units: set[str]) -> pd.DataFrame:
    return rows[rows["clip_id"].isin(units)]


def _recordings(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a recording, model and seed; the clips as they are where every recording has one, or they cannot be combined."""
    try:
        return combine(rows, levels_of(rows), "recording")[0]
    except UserError:
        return rows[["model", "seed", "clip_id", "participant_id", "truth", "predicted", "score", "scores"]]
