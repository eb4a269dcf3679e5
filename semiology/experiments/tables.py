"""From the records of folds to tables: predictions.csv, late fusion, the null distribution."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.run.predictions import COLUMNS, OPTIONAL
from semiology.evaluation.statistics.results import values
from semiology.experiments.protocol import Fusion, Protocol
from semiology.experiments.splits import TEST

TEST_SET = " in the unseen test set"
STREAMS = {"body": "pose", "face": "face", "frame": "snippets"}  # what is read -> as tables call it


def predictions_table(protocol: Protocol, records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row a clip, model and seed, fusions included; the columns of `semiology.evaluation.run.predictions`."""
    rows = []
    for record in records:
        reading, levels = protocol.tasks[record["task"]].reading, record["levels"]
        for row in record["predictions"]:
            rows.append(
                {
                    "task": record["task"] + (TEST_SET if record["split"] == TEST else ""),
                    "label": reading.label,
                    "stream": STREAMS[reading.part],
                    "model": row["model"],
                    "seed": record["seed"],
                    "fold": record["fold"],
                    "clip_id": row["clip_id"],
                    "participant_id": record["clips"][row["clip_id"]],
                    "truth": levels[row["truth"]],
                    "scores": dict(zip(levels, row["probabilities"])),
                    "recording_id": row["recording_id"],
                    "calibrated": json.dumps(dict(zip(levels, row["calibrated"]))) if "calibrated" in row else "",
                    "plausible": json.dumps([levels[level] for level in row["plausible"]]) if row.get("plausible") is not None else "",
                }
            )
    table = pd.DataFrame(rows)
    for fusion in protocol.fusions:
        member = fusion.members[0].rpartition("/")[0]  # all of one split
        for suffix in ("", TEST_SET) if protocol.split_of(member).test else ("",):
            table = pd.concat([table, fuse(table, fusion, suffix)], ignore_index=True)
    levels = table["scores"].map(list)
    best = table["scores"].map(lambda scores: max(scores, key=scores.get))
    table["predicted"] = best
    table["score"] = [scores[names[1] if len(names) == 2 else top] for scores, names, top in zip(table["scores"], levels, best)]
    table["scores"] = table["scores"].map(json.dumps)
    return table[[*COLUMNS, *OPTIONAL]]


def fuse(table: pd.DataFrame, fusion: Fusion, suffix: str = "") -> pd.DataFrame:
    """Mean of the members' probabilities on the clips that all of them scored, joined on clip and seed; not calibrated.

    `suffix` is added to every task's name, for the unseen test set.
    """
    parts = []
    for member in fusion.members:
        task, _, model = member.rpartition("/")
        parts.append(table[(table["task"] == task + suffix) & (table["model"] == model)].set_index(["clip_id", "seed"]))
    if len({label for part in parts for label in part["label"].unique()}) > 1:
        raise UserError(f"fusion {fusion.task!r}: its members speak of different labels")
    common = [index for index in parts[0].index if all(index in part.index for part in parts)]
    fused = parts[0].loc[common].copy()
    means = [
        {level: round(float(np.mean([part.loc[index, "scores"][level] for part in parts])), 6) for level in parts[0].loc[index, "scores"]}
        for index in common
    ]
    fused["scores"] = pd.Series(means, index=fused.index, dtype=object)
    fused["calibrated"], fused["plausible"] = "", ""
    streams = {stream for part in parts for stream in part["stream"]}
    stream = streams.pop() if len(streams) == 1 else "fusion"
    return fused.reset_index().assign(task=fusion.task + suffix, model=fusion.model, stream=stream)


def null_distribution(protocol: Protocol, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """task -> model -> metric -> its value in each permuted run: what this pipeline gives when labels mean nothing."""
    null: dict[str, Any] = {}
    for permutation in range(protocol.permutations):
        these = [record for record in records if record["permutation"] == permutation]
        if not these:
            continue
        table = predictions_table(protocol, these)
        table["scores"] = table["scores"].map(json.loads)
        table[["calibrated", "plausible"]] = None  # chance is that of the scores
        for task, models in values(table).items():
            for model, metrics in models.items():
                for metric, value in metrics.items():
                    null.setdefault(task, {}).setdefault(model, {}).setdefault(metric, []).append(value)
    return null
