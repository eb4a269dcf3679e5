"""Weights of a late fusion, learned in each fold from out-of-fold predictions of its training
participants; outputs, audit and report share them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, RootModel

from semiology.evaluation.run.files import File, checked, run_json
from semiology.evaluation.run.records import Record
from semiology.evaluation.run.tasks import TEST, TEST_SET
from semiology.evaluation.statistics.calibration import LEAST

WEIGHTS_FILE = "fusions.json"  # in the run's folder
STEPS, CLOSE = 2000, 1e-9  # of the iteration: at most, and when it ends [our choice]


@dataclass(frozen=True)
class FusionWeights:
    """The weights of a fusion's members in one fold.

    Attributes:
        weights: (member,) not negative, sum one.
        learned: False where learned weights did not help, and all are equal.
        clips: clip_ids of the inner predictions that they were fitted on, sorted.
    """

    weights: tuple[float, ...]
    learned: bool
    clips: tuple[str, ...]


Place = tuple[int, str, str]  # seed, fold, and TEST_SET in the unseen test set, else ""


def weights_of(fusion: Mapping[str, Any], records: Sequence[Record]) -> dict[Place, FusionWeights]:
    """The learned weights of a fusion as a config holds it; empty where all weigh alike."""
    learned = fusion.get("weights") == "inner"
    return fusion_weights(fusion["members"], records) if learned else {}


def fusion_weights(members: Sequence[str], records: Sequence[Record]) -> dict[Place, FusionWeights]:
    """The weights of every fold in which all members have inner predictions.

    A member ("task/model") may be a selection: the model that the fold selected stands for it.

    Args:
        members: of the fusion.
        records: of folds, all with true labels or all of one permutation.
    """
    parts: dict[Place, dict[str, Record]] = defaultdict(dict)
    for record in records:
        place = (record["seed"], str(record["fold"]), TEST_SET if record["split"] == TEST else "")
        parts[place][record["task"]] = record
    found = {}
    for place, by_task in parts.items():
        rows = [_inner(member, by_task) for member in members]
        clips = sorted(set.intersection(*map(set, rows)))
        if clips:
            of_truth = np.array([[own[clip][0] for clip in clips] for own in rows])
            folds = np.array([rows[0][clip][1] for clip in clips])
            weights, learned = fit_weights(of_truth, folds)
            found[place] = FusionWeights(
                tuple(round(float(weight), 6) for weight in weights), learned, tuple(clips)
            )
    return found


def weighted_mean(
    parts: Sequence[Mapping[str, float]], weights: Sequence[float] | None
) -> dict[str, float]:
    """level -> mean over the members' probabilities, with six digits as all scores are written;
    None weighs all alike.
    """
    return {
        level: round(float(np.average([part[level] for part in parts], weights=weights)), 6)
        for level in parts[0]
    }


def weights_entry(
    task: str, model: str, members: Sequence[str], place: Place, found: FusionWeights
) -> dict[str, Any]:
    """An entry of fusions.json: one fusion in one fold."""
    seed, fold, suffix = place
    return {
        "task": task + suffix,
        "model": model,
        "seed": seed,
        "fold": fold,
        "weights": dict(zip(members, found.weights)),
        "learned": found.learned,
        "clips": len(found.clips),
    }


class WeightsEntry(File):
    """One fusion in one fold, as fusions.json holds it."""

    task: str
    model: str
    seed: int
    fold: str
    weights: dict[str, float]
    learned: bool


class _Weights(RootModel[list[WeightsEntry]]):
    model_config = ConfigDict(allow_inf_nan=False)


def read_weights(run: Path) -> list[WeightsEntry]:
    """The learned weights in a run's folder; none where there is no such file.

    Raises:
        UserError: the file is damaged.
    """
    path = run / WEIGHTS_FILE
    return checked(path, "loso", _Weights, run_json(path, "loso", list)).root


def _inner(member: str, by_task: dict[str, Record]) -> dict[str, tuple[float, str]]:
    """clip_id -> probability of its true class, and inner fold, of one member."""
    task, _, model = member.rpartition("/")
    record = by_task.get(task, {})
    model = record.get("selected", {}).get(model, model)
    return {
        row["clip_id"]: (row["probabilities"][row["truth"]], str(row["fold"]))
        for row in record.get("inner", [])
        if row["model"] == model
    }


def fit_weights(
    of_truth: NDArray[np.float64], folds: NDArray[np.str_]
) -> tuple[NDArray[np.float64], bool]:
    """Weights (member,) of lowest log loss of the weighted mean; and whether they are kept.

    Equal weights stay where learned ones do not help: each inner fold is predicted by weights
    fitted on the others, and their log loss has to be below that of equal weights [our choice].

    Args:
        of_truth: (member, clip), each member's probability of a clip's true class.
        folds: (clip,) the inner folds.
    """
    of_truth = np.maximum(of_truth, LEAST)
    equal = np.full(len(of_truth), 1 / len(of_truth))
    names = np.unique(folds)
    if len(names) < 2:
        return equal, False
    apart = np.empty(of_truth.shape[1])
    for name in names:
        apart[folds == name] = (
            lowest_log_loss(of_truth[:, folds != name]) @ of_truth[:, folds == name]
        )
    if np.log(apart).mean() <= np.log(equal @ of_truth).mean():
        return equal, False
    return lowest_log_loss(of_truth), True


def lowest_log_loss(of_truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """The proportions (member,) of a mixture of fixed predictions (member, clip) under which the
    true classes are most likely, by expectation maximisation from equal ones: the problem is
    convex, and each step raises the likelihood (Dempster, Laird and Rubin 1977).
    """
    weights = np.full(len(of_truth), 1 / len(of_truth))
    for _ in range(STEPS):
        shares = weights[:, None] * of_truth
        after = (shares / shares.sum(axis=0)).mean(axis=1)
        done = np.abs(after - weights).max() < CLOSE
        weights = after
        if done:
            break
    return weights
