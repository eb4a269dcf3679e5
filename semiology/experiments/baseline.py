"""The linear baseline beside the networks: a ridge classifier on each clip's joints, summarised.

A network that is no better has learned nothing that needs it. Its permutation null costs nothing.
All choices here are ours.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from semiology.evaluation.statistics.metrics import confusion_matrix, from_confusion, metric_names
from semiology.evaluation.statistics.permutation import LosoRidge, permute_labels
from semiology.models.training.clips import ClipSource, summaries

LINEAR = "linear"  # its column in the table
PERMUTATIONS = 1999  # of the participants' labels, for its null: p down to 0.0005
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


def linear_model(source: ClipSource, only: Sequence[str] | None = None) -> LosoRidge:
    """The classifier of all folds at once, or of `only` some participants'; its penalty is the
    number of features, fixed beforehand.
    """
    features = clip_features(source)
    return LosoRidge(
        features,
        [clip.participant_id for clip in source.clips],
        alpha=float(features.shape[1]),
        only=only,
    )


def linear_fold(
    source: ClipSource, held_out: Sequence[str]
) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """Rows of a fold's predictions as `training.scored` gives them, and the clips that it learned
    from: those with any weight in its scores.
    """
    clips = source.clips
    own = [number for number, clip in enumerate(clips) if clip.clip_id in set(held_out)]
    ridge = linear_model(source, sorted({clips[number].participant_id for number in own}))
    scores = 2 * _scores(ridge, np.array([clip.target for clip in clips]), len(source.levels))[own]
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
        clips[number].clip_id for number in np.flatnonzero(np.abs(ridge.matrix[own]).sum(axis=0))
    )
    return rows, {"weights": learned_from, "standardisation": learned_from}


def linear_null(source: ClipSource, seed: int = 0) -> dict[str, list[float | None]]:
    """Null distribution: metric -> its values under permuted labels, every fold trained again."""
    ridge, rng = linear_model(source), np.random.default_rng(seed)
    participants, targets = (
        [clip.participant_id for clip in source.clips],
        np.array([clip.target for clip in source.clips]),
    )
    permuted = np.stack([permute_labels(participants, targets, rng) for _ in range(PERMUTATIONS)])
    levels = len(source.levels)
    predictions = [_scores(ridge, given, levels).argmax(axis=1) for given in permuted]
    tables = np.stack(
        [
            confusion_matrix(given, predicted, levels)
            for given, predicted in zip(permuted, predictions)
        ]
    )
    null = {
        name: from_confusion(name, tables)
        for name in metric_names(levels)
        if name not in FROM_SCORES
    }
    if levels == 2:
        null["auc"] = ridge.metric("auc", permuted)
    return {
        name: [float(value) if np.isfinite(value) else None for value in values]
        for name, values in null.items()
    }


def _scores(ridge: LosoRidge, targets: np.ndarray, levels: int) -> np.ndarray:
    """(clip, level) out-of-fold scores, each level against the others."""
    return ridge.scores((targets == np.arange(levels)[:, None]).astype(float)).T
