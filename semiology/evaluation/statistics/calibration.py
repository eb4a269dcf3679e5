"""Probabilities that mean what they say, and when not to commit oneself: fitted on inner folds,
never on the held-out participant.

Are the probabilities right, and does the model abstain where it should?

A threshold of the score, chosen on development participants and applied to others.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression

from semiology.evaluation.statistics.metrics import Array, brier

LEAST = 1e-4  # probabilities are kept this far from 0 and 1 before logarithms [our choice]


@dataclass(frozen=True)
class Calibration:
    """What a protocol asks for. All our choice.

    Attributes:
        method: "temperature" divides the logits by one number (Guo et al. 2017); "isotonic" is a
            monotone step function a level (Zadrozny and Elkan 2002), for hundreds of clips rather
            than tens; "none".
        folds: inner folds of training participants, from whose out-of-fold probabilities everything
            here is fitted.
        coverage: share of clips whose true level should be among the plausible ones; None asks for
            no such sets.
        models: which; all of a task, if none are named.
    """

    method: Literal["none", "temperature", "isotonic"] = "none"
    folds: int = 3
    coverage: float | None = None
    models: tuple[str, ...] = ()

    @property
    def wanted(self) -> bool:
        return self.method != "none" or self.coverage is not None


@dataclass(frozen=True)
class Calibrator:
    """A fitted calibration. Plain numbers, so that a record or a model's description can hold it.

    Attributes:
        temperature: the logits are divided by it; 1 leaves them.
        steps: isotonic only: for each level the probabilities before and after, both (point,).
        threshold: a level is plausible if its calibrated probability reaches it; None where no sets
            are asked for.
        clips: that it was fitted on.
    """

    temperature: float = 1.0
    steps: list[tuple[list[float], list[float]]] | None = None
    threshold: float | None = None
    clips: int = 0

    def apply(self, probabilities: Array) -> Array:
        """Calibrated probabilities (clip, level) of probabilities (clip, level); rows sum to one."""
        if self.steps is None:
            return _softened(probabilities, self.temperature)
        columns = [
            np.interp(probabilities[:, level], before, after)
            for level, (before, after) in enumerate(self.steps)
        ]
        raised = np.maximum(np.stack(columns, axis=1), LEAST)
        return raised / raised.sum(axis=1, keepdims=True)

    def plausible(self, probabilities: Array) -> list[list[int]] | None:
        """For each clip the levels that cannot be ruled out at the coverage asked for."""
        if self.threshold is None:
            return None
        return [
            [int(level) for level in np.flatnonzero(row >= self.threshold)]
            for row in self.apply(probabilities)
        ]


def fit_calibrator(
    probabilities: Array, truth: Array, method: str, coverage: float | None
) -> Calibrator:
    """Fit on out-of-fold probabilities (clip, level) and true levels (clip,) of training
    participants.

    Sets are split-conformal (Vovk et al. 2005): with n clips, the threshold is the ceil((n + 1)
    coverage)-th largest of the true levels' probabilities. Where clips were exchangeable the true
    level would be plausible in at least that share; after isotonic steps, which learn from the same
    clips, in somewhat less (0.87 for 0.9 and 20 clips). The clips of one participant are not
    exchangeable with another's, and inner models learned from fewer people: coverage is asked for
    here and measured in the report.
    """
    steps, temperature = None, 1.0
    if method == "temperature":
        temperature = _temperature(probabilities, truth)
    elif method == "isotonic":
        steps = [
            _steps(probabilities[:, level], truth == level)
            for level in range(probabilities.shape[1])
        ]
    fitted = Calibrator(temperature, steps, None, len(truth))
    if coverage is None:
        return fitted
    given = np.sort(fitted.apply(probabilities)[np.arange(len(truth)), truth])[
        ::-1
    ]  # what each true level got, largest first
    rank = int(np.ceil((len(truth) + 1) * coverage))
    return Calibrator(
        temperature, steps, float(given[rank - 1]) if rank <= len(truth) else 0.0, len(truth)
    )


def _softened(probabilities: Array, temperature: float) -> Array:
    logits = np.log(np.clip(probabilities, LEAST, None)) / temperature
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _temperature(probabilities: Array, truth: Array) -> float:
    """The temperature between 0.05 and 20 of lowest log loss."""
    found = minimize_scalar(
        lambda log: _log_loss(_softened(probabilities, float(np.exp(log))), truth),
        bounds=(-3, 3),
        method="bounded",
    )
    return float(np.exp(found.x))


def _log_loss(probabilities: Array, truth: Array) -> float:
    return float(-np.log(np.clip(probabilities[np.arange(len(truth)), truth], LEAST, None)).mean())


def _steps(scores: Array, is_level: Array) -> tuple[list[float], list[float]]:
    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(
        scores, is_level.astype(float)
    )
    return fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist()


# of equal width from 0 to 1 [our choice: a cohort of 40 clips leaves 8 to each; the usual 10 or 15
# would leave 3 or 4]
BINS = 5


def reliability(truth: ArrayLike, probability: Array, bins: int = BINS) -> dict[str, Any]:
    """Brier score, expected calibration error and reliability bins.

    Two levels: the probability of the sign beside the share of clips that have it. More: the
    probability of the level that was named beside the share of clips in which that was right (Guo
    et al. 2017). The expected calibration error is the mean over clips of the distance between the
    two in the clip's bin. With few clips it is far above 0 even where every probability is right,
    because shares of few clips scatter; `ece_if_right` says how far: its mean where truths are
    drawn from the very probabilities.

    Args:
        truth: (clip,) codes.
        probability: (clip, level).

    Returns:
        {"brier", "ece", "ece_if_right", "bins": [{"low", "high", "n", "mean_probability",
        "share"}]}, without the bins that hold no clip.
    """
    truth, probability = np.asarray(truth, dtype=int), np.asarray(probability, dtype=float)
    if probability.shape[1] == 2:
        said, right = probability[:, 1], (truth == 1).astype(float)
    else:
        said, right = probability.max(1), (probability.argmax(1) == truth).astype(float)
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(
        edges[1:-1], said
    )  # a probability on an edge belongs to the bin below, as scikit-learn has it
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
    """`reliability` of one model's rows, seeds pooled, with that of its calibrated probabilities
    under "calibrated" (None without any).
    """
    truth = rows["truth"].map({level: number for number, level in enumerate(levels)}).to_numpy()
    calibrated: list[Any] = rows["calibrated"].tolist() if "calibrated" in rows else [None]
    return reliability(truth, _matrix(rows["scores"].tolist(), levels)) | {
        "calibrated": reliability(truth, _matrix(calibrated, levels)) if all(calibrated) else None
    }


def abstention(rows: pd.DataFrame, coverage: float | None = None) -> dict[str, Any] | None:
    """How often the model commits itself, and how well it does then; seeds pooled. None where the
    rows have no `plausible` levels.

    A model commits itself where one level alone is plausible, and abstains otherwise.

    Returns:
        {"coverage" asked of the sets, "committed" share of clips, "accuracy_committed" (None where
        it never commits itself), "contains_truth": share of clips whose plausible levels hold the
        truth; it should reach the coverage}.
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


RULE = (
    "Youden's: sensitivity + specificity - 1 is largest; of equal ones that with sensitivity and"
    " specificity nearest to each other, then the lowest; half way between two neighbouring scores;"
    " a score at or above it is called positive"
)


@dataclass(frozen=True)
class Threshold:
    """A threshold, with the sensitivity and specificity that it has where it was chosen: too good
    for anybody else.
    """

    value: float
    sensitivity: float
    specificity: float


def youden(truth: ArrayLike, score: ArrayLike) -> Threshold:
    """The threshold with the largest sensitivity + specificity - 1 (Youden 1950); ties as in `RULE`
    [our choice].

    Args:
        truth: (participant,) 1 for the positive level, 0 for the other.
        score: (participant,) higher for the positive level. Of participants whom the model had not
            seen, or the threshold is worthless.

    Raises:
        ValueError: participants of one level only.
    """
    truth, score = np.asarray(truth), np.asarray(score, dtype=float)
    if len(np.unique(truth)) < 2:
        raise ValueError("a threshold needs participants of both levels")
    known = np.unique(score)
    candidates = np.concatenate(
        [known[:1], (known[1:] + known[:-1]) / 2]
    )  # the lowest calls everybody positive
    called = score >= candidates[:, None]  # (candidate, participant)
    sensitivity, specificity = called[:, truth == 1].mean(1), 1 - called[:, truth == 0].mean(1)
    order = np.lexsort(
        [
            candidates,
            np.round(np.abs(sensitivity - specificity), 12),
            -np.round(sensitivity + specificity, 12),
        ]
    )
    best = order[0]
    return Threshold(float(candidates[best]), float(sensitivity[best]), float(specificity[best]))
