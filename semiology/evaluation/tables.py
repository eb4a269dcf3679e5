"""From the records of folds to tables: predictions.csv, late fusion, the null distribution."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.protocol import Fusion, Protocol
from semiology.predictions import COLUMNS
from semiology.statistics.metrics import metric_names
from semiology.statistics.results import evaluate


def predictions_table(protocol: Protocol, records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row a clip, model and seed, fusions included; the columns of `semiology.predictions`."""
    rows = []
    for record in records:
        reading, levels = protocol.tasks[record["task"]].reading, record["levels"]
        for row in record["predictions"]:
            rows.append(
                {
                    "task": record["task"],
                    "label": reading.label,
                    "stream": "pose" if reading.part == "body" else "face",
                    "model": row["model"],
                    "seed": record["seed"],
                    "fold": record["held_out"],
                    "clip_id": row["clip_id"],
                    "participant_id": record["held_out"],
                    "truth": levels[row["truth"]],
                    "scores": dict(zip(levels, row["probabilities"])),
                }
            )
    table = pd.DataFrame(rows)
    for fusion in protocol.fusions:
        fused = fuse(table, fusion)
        table = pd.concat([table, fused], ignore_index=True)
    levels = table["scores"].map(list)
    best = table["scores"].map(lambda scores: max(scores, key=scores.get))
    table["predicted"] = best
    table["score"] = [scores[names[1] if len(names) == 2 else top] for scores, names, top in zip(table["scores"], levels, best)]
    table["scores"] = table["scores"].map(json.dumps)
    return table[list(COLUMNS)]


def fuse(table: pd.DataFrame, fusion: Fusion) -> pd.DataFrame:
    """Mean of the members' probabilities on the clips that all of them scored, joined on clip and seed."""
    parts = []
    for member in fusion.members:
        task, _, model = member.rpartition("/")
        parts.append(table[(table["task"] == task) & (table["model"] == model)].set_index(["clip_id", "seed"]))
    if len({label for part in parts for label in part["label"].unique()}) > 1:
        raise UserError(f"fusion {fusion.task!r}: its members speak of different labels")
    common = [index for index in parts[0].index if all(index in part.index for part in parts)]
    fused = parts[0].loc[common].copy()
    means = [
        {level: round(float(np.mean([part.loc[index, "scores"][level] for part in parts])), 6) for level in parts[0].loc[index, "scores"]}
        for index in common
    ]
    fused["scores"] = pd.Series(means, index=fused.index, dtype=object)
    streams = {stream for part in parts for stream in part["stream"]}
    return fused.reset_index().assign(task=fusion.task, model=fusion.model, stream=streams.pop() if len(streams) == 1 else "fusion")


def null_distribution(protocol: Protocol, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """task -> model -> metric -> its value in each permuted run: what this pipeline gives when labels mean nothing."""
    null: dict[str, Any] = {}
    for permutation in range(protocol.permutations):
        these = [record for record in records if record["permutation"] == permutation]
        if not these:
            continue
        table = predictions_table(protocol, these)
        table["scores"] = table["scores"].map(json.loads)
        for task, found in evaluate(table, draws=1)["tasks"].items():
            for model, judged in found["models"].items():
                for metric in metric_names(len(found["levels"])):
                    null.setdefault(task, {}).setdefault(model, {}).setdefault(metric, []).append(judged["metrics"][metric]["value"])
    return null
