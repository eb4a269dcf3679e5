"""The linear baseline beside the networks: a ridge classifier on each clip's joints, summarised.

A network that is no better has learned nothing that needs it. Its permutation null costs nothing.
All choices here are ours.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from semiology.evaluation.run.settings import SPREAD, Split, linear_permutations
from semiology.evaluation.run.tasks import TEST, TEST_SET
from semiology.evaluation.statistics.metrics import (
    auc_of_rows,
    confusion_matrix,
    from_confusion,
    metric_names,
)
from semiology.evaluation.statistics.permutation import fold_weights, permute_labels
from semiology.experiments.splits import split_clips
from semiology.models.training.clips import ClipSource, summaries

LINEAR = "linear"  # its column in the table
FROM_SCORES = ("auc", "average_precision", "brier")  # metrics that need scores, not classes alone


def clip_features(source: ClipSource) -> np.ndarray:
    """(clip, feature): mean, spread and speed of each joint's coordinates (body units); 0 where a
    joint was never seen.
    """
    rows = []
    for clip in source.clips:
        found = summaries(
            clip.joints.reshape(len(clip.joints), -1).astype(float), source.reading.rate
        )
        rows.append(np.concatenate([found["mean"], found["spread"], found["speed"]]))
    return np.nan_to_num(np.stack(rows), nan=0.0)


def linear_fold(
    source: ClipSource, held_out: Collection[str]
) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """Rows of a fold's predictions as `training.scored` gives them, and the clips that it learned
    from: those with any weight in its scores.
    """
    clips = source.clips
    held = np.array([clip.clip_id in held_out for clip in clips])
    own, training = np.flatnonzero(held), np.flatnonzero(~held)
    weights = _weights(clip_features(source), [own])[own]
    scores = 2 * _scores(weights, np.array([clip.target for clip in clips]), len(source.levels))
    raised = np.exp(
        scores - scores.max(axis=1, keepdims=True)
    )  # softmax; of two levels the scores are opposite
    probabilities = (raised / raised.sum(axis=1, keepdims=True)).round(6)
    rows = [
        {
            "model": LINEAR,
            "clip_id": clips[number].clip_id,
            "recording_id": clips[number].recording_id,
            "truth": clips[number].target,
            "probabilities": levels.tolist(),
        }
        for number, levels in zip(own, probabilities)
    ]
    learned_from = sorted(
        clips[number].clip_id for number in training if np.abs(weights[:, number]).any()
    )
    return rows, {"weights": learned_from, "standardisation": learned_from}


def linear_null(
    source: ClipSource, split: Split, cohort: str, seed: int = 0
) -> dict[str, dict[str, list[float | None]]]:
    """Null distribution: what follows a task's name in the table ("", and TEST_SET where there is
    an unseen set) -> metric -> its values under permuted labels, every fold trained again.

    Labels are permuted within development and within the unseen set. Where folds spread the classes
    evenly they are split again for each permutation, which takes time, so that there are fewer.

    Args:
        source: clips.
        split: of the task.
        cohort: folder.
        seed: of the folds.
    """
    clips, features = source.clips, clip_features(source)
    place = {clip.clip_id: number for number, clip in enumerate(clips)}

    def folds(targets: np.ndarray) -> dict[str, list[np.ndarray]]:
        relabelled = [replace(clip, target=int(own)) for clip, own in zip(clips, targets)]
        found: dict[str, list[np.ndarray]] = {}
        for part in split_clips(split, relabelled, cohort, seed):
            held = np.array([place[clip_id] for clip_id in part.held_out])
            found.setdefault(TEST_SET if part.name == TEST else "", []).append(held)
        return found

    targets = np.array([clip.target for clip in clips])
    participants = np.array([clip.participant_id for clip in clips])
    first = folds(targets)
    null: dict[str, dict[str, list[float | None]]] = {}
    unseen = np.zeros(len(clips), bool)
    for held in first.get(TEST_SET, []):
        unseen[held] = True
    sides = [np.flatnonzero(unseen == side) for side in (False, True)]
    for name, parts in first.items():
        again = name != TEST_SET and split.by in SPREAD
        rng, labels = np.random.default_rng(0), []
        for _ in range(linear_permutations(split.by, name)):
            labels.append(targets.copy())
            for own in sides if name else sides[:1]:
                labels[-1][own] = permute_labels(participants[own], targets[own], rng)
        aside = np.flatnonzero(unseen) if not name else np.empty(0, int)
        scored = np.concatenate(parts)
        weights = _weights(features, parts, aside)
        values = []
        for given in labels:
            if again:
                weights = _weights(features, folds(given)[name], aside)
            values.append(_scores(weights[scored], given, len(source.levels)))
        null[name] = _metrics(np.stack(labels)[:, scored], np.stack(values))
    return null


def _metrics(truth: np.ndarray, scores: np.ndarray) -> dict[str, list[float | None]]:
    """Metric -> values, from labels (labelling, clip) and scores (labelling, clip, level)."""
    levels = scores.shape[2]
    tables = np.stack(
        [
            confusion_matrix(given, predicted, levels)
            for given, predicted in zip(truth, scores.argmax(axis=2))
        ]
    )
    null = {
        name: from_confusion(name, tables)
        for name in metric_names(levels)
        if name not in FROM_SCORES
    }
    if levels == 2:
        null["auc"] = auc_of_rows(truth.astype(float), scores[:, :, 1])
    return {
        name: [float(value) if np.isfinite(value) else None for value in values]
        for name, values in null.items()
    }


def _weights(
    features: np.ndarray, folds: Sequence[np.ndarray], aside: Sequence[int] | np.ndarray = ()
) -> np.ndarray:
    """(clip, clip) weights of the labels in the out-of-fold scores of the clips that these folds
    hold out; those `aside` take no part. The penalty is the number of features, fixed beforehand.
    """
    matrix = np.zeros((len(features), len(features)))
    for held in folds:
        training = np.setdiff1d(np.arange(len(features)), np.concatenate([held, aside]))
        matrix[np.ix_(held, training)] = fold_weights(
            features, training, held, float(features.shape[1])
        )
    return matrix


def _scores(weights: np.ndarray, targets: np.ndarray, levels: int) -> np.ndarray:
    """(clip, level) scores from their weights (clip, labelled clip), each level against the
    others.
    """
    return weights @ np.where(targets[:, None] == np.arange(levels), 1.0, -1.0)
