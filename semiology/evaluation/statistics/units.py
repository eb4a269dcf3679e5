"""Evaluation beyond single clips of one task.

- Recordings and participants: the predictions of their clips combined (`combine`).
- Two tasks that differ only in how clips are assigned to folds (`split_differences`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.statistics.comparison import difference
from semiology.evaluation.statistics.intervals import draw_participants
from semiology.evaluation.statistics.metrics import metric_names
from semiology.evaluation.statistics.out_of_fold import OutOfFold

UNITS = {"recording": "recording_id", "participant": "participant_id"}
MEAN = "mean of the clips' probabilities; the class with the highest mean is predicted"
ANY = (
    "truth: the sign in any clip; probability: the highest of the clips', which rises with their"
    " number; positive above one half"
)


def combine(rows: pd.DataFrame, classes: list[str], unit: str) -> tuple[pd.DataFrame, str]:
    """Combine the predictions of the clips of each recording, or of each participant.

    A recording's clips or views have one truth, and their probabilities are averaged, as
    Perez-Garcia et al. 2021 average two views [P]. So are a participant's, where every participant
    has one truth. Where participants have clips with and without the sign, a participant with any
    such clip is positive, and the highest probability counts [our choice].

    Parameters
    ----------
    rows : DataFrame
        Rows of one task (`read_predictions`).
    classes : list of str
        Names of the classes in the label's order.
    unit : str
        "recording" or "participant".

    Returns
    -------
    rows : DataFrame
        One row a unit, model and seed; `clip_id` is the unit's.
    rule : str
        How clips were combined, for a reader.

    Raises
    ------
    UserError
        The clips of a recording differ in truth or participant; a participant has clips of several
        of more than two classes; every unit has one clip, so that there is nothing to combine.
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
    if not one_truth and len(classes) > 2:
        raise UserError(
            "participants have clips of several classes: a participant has no single true class"
        )
    probability = pd.DataFrame(
        [[scores[name] for name in classes] for scores in rows["scores"]],
        index=rows.index,
        columns=classes,
    )
    if len(classes) == 2:
        probability[classes[1]] = rows["score"]
    keys = [rows["model"], rows["seed"], rows[column].rename("clip_id")]
    if one_truth:
        combined = probability.groupby(keys, sort=False).mean()
    else:
        combined = probability.groupby(keys, sort=False)[[classes[1]]].max()
        combined.insert(0, classes[0], 1 - combined[classes[1]])
    first = rows.groupby(keys, sort=False).agg(
        participant_id=("participant_id", "first"), truth=("truth", "first")
    )
    if not one_truth:
        first["truth"] = np.where(
            (rows["truth"] == classes[1]).groupby(keys, sort=False).any(), classes[1], classes[0]
        )
    values = combined.to_numpy()
    first["predicted"] = np.array(classes)[values.argmax(1)]
    first["score"] = values[:, 1] if len(classes) == 2 else values.max(1)
    first["scores"] = pd.Series(
        [dict(zip(classes, row)) for row in values.tolist()], index=first.index, dtype=object
    )
    return first.reset_index(), MEAN if one_truth else ANY


METRICS = ("accuracy", "f1", "auc")


def split_differences(
    predictions: pd.DataFrame, pairs: Sequence[tuple[str, str]], *, draws: int = 2000, seed: int = 0
) -> list[dict[str, Any]]:
    """How much the assignment of clips to folds changes a model's accuracy, F1 and AUC.

    The difference of each metric between two tasks that differ in their split alone, on the
    recordings that both have (views averaged), in the same resampled cohorts (`difference`).

    Parameters
    ----------
    predictions : DataFrame
        Table of `read_predictions`.
    pairs : sequence of (str, str)
        Pairs of tasks (a, b); the difference is a - b. Pairs with a task that is not in the table
        are ignored.
    draws : int
        Number of resampled cohorts, and of permutations for p.
    seed : int
        Of both.

    Returns
    -------
    list of dict
        "a", "b", "model", "metric", "unit", "n", "participants", and what `difference` returns
        except McNemar's p.
    """
    found = []
    for a, b in pairs:
        rows = {task: predictions[predictions["task"] == task] for task in (a, b)}
        if any(own.empty for own in rows.values()):
            continue
        classes = levels_of(rows[a])
        by_recording = {task: _recordings(own) for task, own in rows.items()}
        common = set(by_recording[a]["clip_id"]) & set(by_recording[b]["clip_id"])
        first, second = (
            {
                str(model): part
                for model, part in _of(by_recording[task], common).groupby("model", sort=False)
            }
            for task in (a, b)
        )
        for model in [name for name in first if name in second]:
            one, other = OutOfFold.of(first[model], classes), OutOfFold.of(second[model], classes)
            about = {
                "a": a,
                "b": b,
                "model": model,
                "unit": "recording",
                "n": len(common),
                "participants": len(one.participants),
            }
            weights = draw_participants(len(one.participants), draws, seed)
            for metric in (name for name in METRICS if name in metric_names(len(classes))):
                result = difference(one, other, metric, weights, seed)
                del result["mcnemar_p"]
                found.append(about | {"metric": metric} | result)
    return found


def _of(rows: pd.DataFrame, units: set[str]) -> pd.DataFrame:
    return rows[rows["clip_id"].isin(units)]


def _recordings(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a recording, model and seed; the clips themselves where they cannot be combined."""
    try:
        return combine(rows, levels_of(rows), "recording")[0]
    except UserError:
        return rows[
            ["model", "seed", "clip_id", "participant_id", "truth", "predicted", "score", "scores"]
        ]
