"""Several signs at once: how well a model names all binary labels of a clip together (multi-label)."""

from typing import Any

import numpy as np
import pandas as pd

from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.statistics.intervals import at_bound, bca_interval, draw_participants, leave_one_out
from semiology.evaluation.statistics.metrics import Array
from semiology.evaluation.statistics.stated import stated

NAMES = {"exact_match": "all labels right", "hamming": "Hamming loss", "macro_f1": "macro F1 over the labels"}
RULE = "binary labels of one model on the clips where all were scored; of a label with several tasks the first in the run"


def judge_jointly(predictions: pd.DataFrame, draws: int, seed: int) -> dict[str, Any] | None:
    """{"rule", "names", "models": {model: {"tasks", "clips", "participants", "metrics"}}}; None where no model has two labels of one clip.

    `exact_match`: share of clips in which every label is right. `hamming`: share of single decisions that are wrong; lower is better.
    `macro_f1`: plain mean of the labels' F1. With several seeds, means over them.
    """
    binary = {str(task): rows for task, rows in predictions.groupby("task", sort=False) if len(levels_of(rows)) == 2}
    models = dict.fromkeys(model for rows in binary.values() for model in rows["model"].unique())
    found = {str(model): judged for model in models if (judged := _judge(binary, model, draws, seed))}
    return {"rule": RULE, "names": NAMES, "models": found} if found else None


def _judge(binary: dict[str, pd.DataFrame], model: str, draws: int, seed: int) -> dict[str, Any] | None:
    tasks: dict[str, str] = {}
    for task, rows in binary.items():
        if model in set(rows["model"]):
            tasks.setdefault(str(rows["label"].iloc[0]), task)
    tables = []
    for task in tasks.values():
        rows, positive = binary[task][binary[task]["model"] == model], levels_of(binary[task])[1]
        marked = rows.assign(truth=rows["truth"] == positive, predicted=rows["predicted"] == positive)
        tables.append(marked.set_index(["seed", "clip_id"])[["participant_id", "truth", "predicted"]])
    if len(tables) < 2:
        return None
    common = sorted(set.intersection(*(set(table.index) for table in tables)))
    if not common:
        return None
    own = tables[0].loc[common, "participant_id"]
    people = sorted(own.unique())
    truth, predicted = (np.stack([table.loc[common, column] for table in tables], axis=1) for column in ("truth", "predicted"))
    # a clip's outcomes by label: right, then true and false positives and false negatives; summed by participant, seeds pooled
    outcomes = np.concatenate([truth == predicted, truth & predicted, ~truth & predicted, truth & ~predicted], axis=1)
    sums = pd.DataFrame(np.column_stack([outcomes, (truth == predicted).all(1), np.ones(len(truth))]).astype(float))
    table = sums.groupby(own.to_numpy()).sum().loc[people].to_numpy()
    weights = draw_participants(len(people), draws, seed)
    values, drawn, left_out = (
        _metrics(rows @ table, len(tables)) for rows in (np.ones((1, len(people))), weights, leave_one_out(len(people)))
    )
    judged = {}
    for name in NAMES:
        value = float(values[name][0])
        perfect = at_bound(value, 0.0, len(people)) if len(people) > 1 else None
        judged[name] = stated(value, perfect or bca_interval(value, drawn[name], left_out[name], len(people)))
    return {
        "tasks": tasks,
        "clips": len({clip for _, clip in common}),
        "participants": len(people),
        "metrics": judged,
    }


def _metrics(sums: Array, labels: int) -> dict[str, Array]:
    """(draw, outcome) sums -> (draw,) values."""
    right, hits, alarms, missed = (sums[:, part * labels : (part + 1) * labels] for part in range(4))
    all_right, clips = sums[:, -2], sums[:, -1]
    below = 2 * hits + alarms + missed
    f1 = np.divide(2 * hits, below, out=np.full_like(hits, np.nan), where=(hits + missed > 0) & (hits + missed < clips[:, None]))
    return {"exact_match": all_right / clips, "hamming": 1 - right.sum(1) / (labels * clips), "macro_f1": f1.mean(1)}
