"""Several signs at once: how well a model names all binary labels of a clip together (multi-label).

From clips to recordings and participants: how the clips of one combine, stated, and refused where
their truths cannot be combined.

What the way of dealing clips to folds does to the figures: two tasks that differ in nothing else,
on the same recordings.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.statistics.comparison import difference, stated
from semiology.evaluation.statistics.intervals import (
    at_bound,
    bca_interval,
    draw_participants,
    leave_one_out,
)
from semiology.evaluation.statistics.metrics import Array, metric_names
from semiology.evaluation.statistics.out_of_fold import OutOfFold

NAMES = {
    "exact_match": "all labels right",
    "hamming": "Hamming loss",
    "macro_f1": "macro F1 over the labels",
}
RULE = (
    "binary labels of one model on the clips where all were scored; of a label with several tasks"
    " the first in the run"
)


def judge_jointly(predictions: pd.DataFrame, draws: int, seed: int) -> dict[str, Any] | None:
    """{"rule", "names", "models": {model: {"tasks", "clips", "participants", "metrics"}}}; None
    where no model has two labels of one clip.

    `exact_match`: share of clips in which every label is right. `hamming`: share of single
    decisions that are wrong; lower is better. `macro_f1`: plain mean of the labels' F1. With
    several seeds, means over them.
    """
    binary = {
        str(task): rows
        for task, rows in predictions.groupby("task", sort=False)
        if len(levels_of(rows)) == 2
    }
    models = dict.fromkeys(model for rows in binary.values() for model in rows["model"].unique())
    found = {
        str(model): judged for model in models if (judged := _judge(binary, model, draws, seed))
    }
    return {"rule": RULE, "names": NAMES, "models": found} if found else None


def _judge(
    binary: dict[str, pd.DataFrame], model: str, draws: int, seed: int
) -> dict[str, Any] | None:
    tasks: dict[str, str] = {}
    for task, rows in binary.items():
        if model in set(rows["model"]):
            tasks.setdefault(str(rows["label"].iloc[0]), task)
    tables = []
    for task in tasks.values():
        rows, positive = binary[task][binary[task]["model"] == model], levels_of(binary[task])[1]
        marked = rows.assign(
            truth=rows["truth"] == positive, predicted=rows["predicted"] == positive
        )
        tables.append(
            marked.set_index(["seed", "clip_id"])[["participant_id", "truth", "predicted"]]
        )
    if len(tables) < 2:
        return None
    common = sorted(set.intersection(*(set(table.index) for table in tables)))
    if not common:
        return None
    own = tables[0].loc[common, "participant_id"]
    people = sorted(own.unique())
    truth, predicted = (
        np.stack([table.loc[common, column] for table in tables], axis=1)
        for column in ("truth", "predicted")
    )
    # a clip's outcomes by label: right, then true and false positives and false negatives; summed
    # by participant, seeds pooled
    outcomes = np.concatenate(
        [truth == predicted, truth & predicted, ~truth & predicted, truth & ~predicted], axis=1
    )
    sums = pd.DataFrame(
        np.column_stack([outcomes, (truth == predicted).all(1), np.ones(len(truth))]).astype(float)
    )
    table = sums.groupby(own.to_numpy()).sum().loc[people].to_numpy()
    weights = draw_participants(len(people), draws, seed)
    values, drawn, left_out = (
        _metrics(rows @ table, len(tables))
        for rows in (np.ones((1, len(people))), weights, leave_one_out(len(people)))
    )
    judged = {}
    for name in NAMES:
        value = float(values[name][0])
        perfect = at_bound(value, 0.0, len(people)) if len(people) > 1 else None
        judged[name] = stated(
            value, perfect or bca_interval(value, drawn[name], left_out[name], len(people))
        )
    return {
        "tasks": tasks,
        "clips": len({clip for _, clip in common}),
        "participants": len(people),
        "metrics": judged,
    }


def _metrics(sums: Array, labels: int) -> dict[str, Array]:
    """(draw, outcome) sums -> (draw,) values."""
    right, hits, alarms, missed = (
        sums[:, part * labels : (part + 1) * labels] for part in range(4)
    )
    all_right, clips = sums[:, -2], sums[:, -1]
    below = 2 * hits + alarms + missed
    f1 = np.divide(
        2 * hits,
        below,
        out=np.full_like(hits, np.nan),
        where=(hits + missed > 0) & (hits + missed < clips[:, None]),
    )
    return {
        "exact_match": all_right / clips,
        "hamming": 1 - right.sum(1) / (labels * clips),
        "macro_f1": f1.mean(1),
    }


UNITS = {"recording": "recording_id", "participant": "participant_id"}
MEAN = "mean of the clips' probabilities; the level with the highest mean is called"
ANY = (
    "truth: the sign in any clip; probability: the highest of the clips', which rises with their"
    " number; called above one half"
)


def combine(rows: pd.DataFrame, levels: list[str], unit: str) -> tuple[pd.DataFrame, str]:
    """The rows of one task by recording or by participant: one row a unit, model and seed (its
    `clip_id` is the unit's), and the rule.

    A recording's clips or views have one truth, and their probabilities are averaged, as
    Perez-Garcia et al. 2021 average two views [P]. So are a participant's, where every participant
    has one truth. Where a participant has clips with and without the sign, the participant has it,
    and the highest probability counts [our choice].

    Raises:
        UserError: the clips of a recording disagree in truth or participant; a participant has
            clips of several of more than two levels; every unit has one clip only, so that there is
            nothing to combine.
    """
    column = UNITS[unit]
    if column not in rows or rows.groupby(["model", "seed"])[column].nunique().sum() == len(rows):
        raise UserError(f"every {unit} has one clip: see the clips")
    one_truth = rows.groupby(column)["truth"].nunique().max() == 1
    if unit == "recording" and not (
        one_truth and rows.groupby(column)["participant_id"].nunique().max() == 1
    ):
        raise UserError(
            "clips of one recording differ in truth or participant: give them recording_ids of"
            " their own"
        )
    if not one_truth and len(levels) > 2:
        raise UserError("participants have clips of several levels: they have no one truth")
    probability = pd.DataFrame(
        [[scores[level] for level in levels] for scores in rows["scores"]],
        index=rows.index,
        columns=levels,
    )
    if len(levels) == 2:
        probability[levels[1]] = rows["score"]
    keys = [rows["model"], rows["seed"], rows[column].rename("clip_id")]
    if one_truth:
        combined = probability.groupby(keys, sort=False).mean()
    else:
        combined = probability.groupby(keys, sort=False)[[levels[1]]].max()
        combined.insert(0, levels[0], 1 - combined[levels[1]])
    first = rows.groupby(keys, sort=False).agg(
        participant_id=("participant_id", "first"), truth=("truth", "first")
    )
    if not one_truth:
        first["truth"] = np.where(
            (rows["truth"] == levels[1]).groupby(keys, sort=False).any(), levels[1], levels[0]
        )
    values = combined.to_numpy()
    called = values.argmax(1)
    first["predicted"] = np.array(levels)[called]
    first["score"] = values[:, 1] if len(levels) == 2 else values.max(1)
    first["scores"] = pd.Series(
        [dict(zip(levels, row)) for row in values.tolist()], index=first.index, dtype=object
    )
    return first.reset_index(), MEAN if one_truth else ANY


METRICS = ("accuracy", "f1", "auc")


def split_differences(
    predictions: pd.DataFrame, pairs: Sequence[tuple[str, str]], *, draws: int = 2000, seed: int = 0
) -> list[dict[str, Any]]:
    """Each model's accuracy, F1 and AUC in the first task of a pair minus those in the second, by
    recording, views averaged.

    Both tasks are judged on the recordings that both have, in the same resampled cohorts
    (`difference`).

    Args:
        predictions: table of `read_predictions`.
        pairs: tasks that differ in their split alone; one that is not in the table is passed over.
        draws: resampled cohorts, and exchanges for p.
        seed: of both.

    Returns:
        [{"a", "b" (tasks), "model", "metric", "unit", "n", "participants"} | what `difference`
        gives, without McNemar's p].
    """
    found = []
    for a, b in pairs:
        rows = {task: predictions[predictions["task"] == task] for task in (a, b)}
        if any(own.empty for own in rows.values()):
            continue
        levels, judged = levels_of(rows[a]), {task: _recordings(own) for task, own in rows.items()}
        common = set(judged[a]["clip_id"]) & set(judged[b]["clip_id"])
        first, second = (
            {
                str(model): part
                for model, part in _of(judged[task], common).groupby("model", sort=False)
            }
            for task in (a, b)
        )
        for model in [name for name in first if name in second]:
            one, other = OutOfFold.of(first[model], levels), OutOfFold.of(second[model], levels)
            what = {
                "a": a,
                "b": b,
                "model": model,
                "unit": "recording",
                "n": len(common),
                "participants": len(one.participants),
            }
            weights = draw_participants(len(one.participants), draws, seed)
            for metric in (name for name in METRICS if name in metric_names(len(levels))):
                told = difference(one, other, metric, weights, seed)
                found.append(
                    what
                    | {"metric": metric}
                    | {key: value for key, value in told.items() if key != "mcnemar_p"}
                )
    return found


def _of(rows: pd.DataFrame, units: set[str]) -> pd.DataFrame:
    return rows[rows["clip_id"].isin(units)]


def _recordings(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a recording, model and seed; the clips as they are where every recording has one, or
    they cannot be combined.
    """
    try:
        return combine(rows, levels_of(rows), "recording")[0]
    except UserError:
        return rows[
            ["model", "seed", "clip_id", "participant_id", "truth", "predicted", "score", "scores"]
        ]
