"""Are the probabilities right, and does the model abstain where it should?"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from semiology.evaluation.statistics.metrics import Array, brier

BINS = 5  # of equal width from 0 to 1 [our choice: a cohort of 40 clips leaves 8 to each; the usual 10 or 15 would leave 3 or 4]


def reliability(truth: ArrayLike, probability: Array, bins: int = BINS) -> dict[str, Any]:
    """Brier score, expected calibration error and reliability bins.

    Two levels: the probability of the sign beside the share of clips that have it. More: the probability of the level that was named beside
    the share of clips in which that was right (Guo et al. 2017). The expected calibration error is the mean over clips of the distance
    between the two in the clip's bin. With few clips it is far above 0 even where every probability is right, because shares of few clips
    scatter; `ece_if_right` says how far: its mean where truths are drawn from the very probabilities.

    Args:
        truth: (clip,) codes.
        probability: (clip, level).

    Returns:
        {"brier", "ece", "ece_if_right", "bins": [{"low", "high", "n", "mean_probability", "share"}]}, without the bins that hold no clip.
    """
    truth, probability = np.asarray(truth, dtype=int), np.asarray(probability, dtype=float)
    if probability.shape[1] == 2:
        said, right = probability[:, 1], (truth == 1).astype(float)
    else:
        said, right = probability.max(1), (probability.argmax(1) == truth).astype(float)
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges[1:-1], said)  # a probability on an edge belongs to the bin below, as scikit-learn has it
    clips = np.bincount(place, minlength=bins)
    sums = np.bincount(place, said, bins)
    shares = np.bincount(place, right, bins)
    drawn = np.random.default_rng(0).random((1000, len(said))) < said
    by_bin = drawn @ np.eye(bins)[place]
    return {
        "brier": float(brier(truth, probability).mean()),
        "ece": float(np.abs(shares - sums).sum() / len(said)),
        "ece_if_right": float(np.abs(by_bin - sums).sum(1).mean() / len(said)),
        "bins": [
            {
                "low": float(edges[number]),
                "high": float(edges[number + 1]),
                "n": int(clips[number]),
                "mean_probability": float(sums[number] / clips[number]),
                "share": float(shares[number] / clips[number]),
            }
            for number in range(bins)
            if clips[number]
        ],
    }


def calibration(rows: pd.DataFrame, levels: list[str]) -> dict[str, Any]:
    """`reliability` of one model's rows, seeds pooled, with that of its calibrated probabilities under "calibrated" (None without any)."""
    truth = rows["truth"].map({level: number for number, level in enumerate(levels)}).to_numpy()
    calibrated: list[Any] = rows["calibrated"].tolist() if "calibrated" in rows else [None]
    return reliability(truth, _matrix(rows["scores"].tolist(), levels)) | {
        "calibrated": reliability(truth, _matrix(calibrated, levels)) if all(calibrated) else None
    }


def abstention(rows: pd.DataFrame, coverage: float | None = None) -> dict[str, Any] | None:
    """How often the model commits itself, and how well it does then; seeds pooled. None where the rows have no `plausible` levels.

    A model commits itself where one level alone is plausible, and abstains otherwise.

    Returns:
        {"coverage" asked of the sets, "committed" share of clips, "accuracy_committed" (None where it never commits itself),
        "contains_truth": share of clips whose plausible levels hold the truth; it should reach the coverage}.
    """
    plausible: list[Any] = rows["plausible"].tolist() if "plausible" in rows else [None]
    if any(levels is None for levels in plausible):
        return None
    committed = np.array([len(levels) == 1 for levels in plausible])
    holds = np.array([truth in levels for truth, levels in zip(rows["truth"], plausible)])
    return {
        "coverage": coverage,
        "committed": float(committed.mean()),
        "accuracy_committed": float(holds[committed].mean()) if committed.any() else None,
        "contains_truth": float(holds.mean()),
    }


def _matrix(scores: list[dict[str, float]], levels: list[str]) -> Array:
    return np.array([[row[level] for level in levels] for row in scores], dtype=float)
