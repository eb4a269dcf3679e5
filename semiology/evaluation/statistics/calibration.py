"""Calibration of probabilities, abstention, and thresholds.

All are fitted on inner folds of the training participants, never on the held-out participant.
`fit_calibrator` fits a calibration, `reliability` and `abstention` evaluate it, `youden` chooses a
threshold of a score.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from semiology.evaluation.statistics.metrics import Array, brier

if TYPE_CHECKING:
    import pandas as pd

LEAST = 1e-4  # probabilities are kept this far from 0 and 1 before logarithms [our choice]


@dataclass(frozen=True)
class Calibration:
    """Settings of a protocol's calibration. All are our choice.

    Attributes
    ----------
    method : str
        "temperature" divides the logits by one number (Guo et al. 2017); "isotonic" is a monotone
        step function for each class (Zadrozny and Elkan 2002), for hundreds of clips rather than
        tens; "none".
    folds : int
        Inner folds of the training participants, from whose out-of-fold probabilities everything
        here is fitted.
    coverage : float or None
        Fraction of clips whose true class should be in the prediction set; None for no prediction
        sets.
    models : tuple of str
        The models to calibrate; all models of a task, if empty.
    """

    method: Literal["none", "temperature", "isotonic"] = "none"
    folds: int = 3
    coverage: float | None = None
    models: tuple[str, ...] = ()

    @property
    def wanted(self) -> bool:
        """Whether anything has to be fitted."""
        return self.method != "none" or self.coverage is not None


@dataclass(frozen=True)
class Calibrator:
    """A fitted calibration, as plain numbers that JSON can hold.

    Attributes
    ----------
    temperature : float
        The logits are divided by it; 1 leaves them.
    steps : list of (list, list), or None
        Isotonic only: for each class the probabilities before and after, both (point,).
    threshold : float or None
        A class is in the prediction set (plausible) if its calibrated probability reaches the
        threshold; None without prediction sets.
    clips : int
        Number of clips that it was fitted on.

    Examples
    --------
    >>> Calibrator(temperature=2.0).apply(np.array([[0.1, 0.9]])).round(2).tolist()
    [[0.25, 0.75]]
    """

    temperature: float = 1.0
    steps: list[tuple[list[float], list[float]]] | None = None
    threshold: float | None = None
    clips: int = 0

    def apply(self, probabilities: Array) -> Array:
        """Calibrate probabilities.

        Parameters
        ----------
        probabilities : (clip, class) ndarray
            As the model gives them.

        Returns
        -------
        (clip, class) ndarray
            Calibrated probabilities; rows sum to one.
        """
        if self.steps is None:
            return _softened(probabilities, self.temperature)
        columns = [
            np.interp(probabilities[:, code], before, after)
            for code, (before, after) in enumerate(self.steps)
        ]
        raised = np.maximum(np.stack(columns, axis=1), LEAST)
        return raised / raised.sum(axis=1, keepdims=True)

    def plausible(self, probabilities: Array) -> list[list[int]] | None:
        """Prediction sets: for each clip the classes that are plausible at the requested coverage.

        Parameters
        ----------
        probabilities : (clip, class) ndarray
            As the model gives them, not calibrated.

        Returns
        -------
        list of list of int, or None
            Class codes; None without a threshold.
        """
        if self.threshold is None:
            return None
        return [
            [int(code) for code in np.flatnonzero(row >= self.threshold)]
            for row in self.apply(probabilities)
        ]


def fit_calibrator(
    probabilities: Array, truth: Array, method: str, coverage: float | None
) -> Calibrator:
    """Fit a calibration on out-of-fold probabilities of training participants.

    Prediction sets are split-conformal: with n clips, the threshold is the ceil((n + 1)
    coverage)-th largest probability of a true class. If clips were exchangeable, the true class
    would be in the set in at least that fraction; after isotonic steps, which are fitted on the
    same clips, in slightly fewer (0.87 for 0.9 and 20 clips). Clips of one participant are not
    exchangeable with another's, and inner models are trained on fewer participants: the coverage is
    a target, and the report states what was reached.

    Parameters
    ----------
    probabilities : (clip, class) ndarray
        Out-of-fold probabilities of the inner folds.
    truth : (clip,) ndarray of int
        True class codes.
    method : str
        "temperature", "isotonic" or "none".
    coverage : float or None
        Of the prediction sets; None for none.

    Returns
    -------
    Calibrator
        The fitted calibration.

    References
    ----------
    Guo et al. 2017, ICML (temperature); Zadrozny and Elkan 2002, KDD (isotonic); Vovk, Gammerman
    and Shafer 2005, Algorithmic Learning in a Random World (split-conformal) [P].

    Examples
    --------
    >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6]])
    >>> fitted = fit_calibrator(probabilities, np.array([0, 1, 1, 0]), "none", coverage=0.6)
    >>> fitted.threshold, fitted.plausible(probabilities)
    (0.7, [[0], [1], [1], []])
    """
    steps, temperature = None, 1.0
    if method == "temperature":
        temperature = _temperature(probabilities, truth)
    elif method == "isotonic":
        steps = [
            isotonic_steps(probabilities[:, code], truth == code)
            for code in range(probabilities.shape[1])
        ]
    fitted = Calibrator(temperature, steps, None, len(truth))
    if coverage is None:
        return fitted
    # probability of each clip's true class, largest first
    of_truth = np.sort(fitted.apply(probabilities)[np.arange(len(truth)), truth])[::-1]
    rank = int(np.ceil((len(truth) + 1) * coverage))
    return Calibrator(
        temperature, steps, float(of_truth[rank - 1]) if rank <= len(truth) else 0.0, len(truth)
    )


def _softened(probabilities: Array, temperature: float) -> Array:
    logits = np.log(np.clip(probabilities, LEAST, None)) / temperature
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _temperature(probabilities: Array, truth: Array) -> float:
    """The temperature between 0.05 and 20 of lowest log loss."""
    from scipy.optimize import minimize_scalar  # a second, which settings need not wait for

    found = minimize_scalar(
        lambda log: _log_loss(_softened(probabilities, float(np.exp(log))), truth),
        bounds=(-3, 3),
        method="bounded",
    )
    return float(np.exp(found.x))


def _log_loss(probabilities: Array, truth: Array) -> float:
    return float(-np.log(np.clip(probabilities[np.arange(len(truth)), truth], LEAST, None)).mean())


def isotonic_steps(scores: Array, is_class: Array) -> tuple[list[float], list[float]]:
    """Isotonic regression of a class (score,) 0 or 1 on scores (score,): the corners of the map,
    scores before and probabilities after; linear between, constant beyond.
    """
    from sklearn.isotonic import IsotonicRegression  # two seconds, as above

    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(
        scores, is_class.astype(float)
    )
    return fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist()


# of equal width from 0 to 1 [our choice: a cohort of 40 clips leaves 8 to each; the usual 10 or 15
# would leave 3 or 4]
BINS = 5


def reliability(truth: ArrayLike, probability: Array, bins: int = BINS) -> dict[str, Any]:
    """Brier score, expected calibration error (ECE) and the bins of a reliability diagram.

    Two classes: the mean probability of the positive class is compared with the fraction of clips
    that have it. More: the probability of the predicted class with the fraction of correct
    predictions. The ECE is the mean over clips of the absolute difference of the two in the clip's
    bin. With few clips it is far above 0 even if every probability is right, because fractions of
    few clips scatter; `ece_if_right` is its expectation if the truths were sampled from the
    predicted probabilities.

    Parameters
    ----------
    truth : (clip,) array_like of int
        Class codes.
    probability : (clip, class) ndarray
        Predicted probabilities.
    bins : int
        Number of bins of equal width.

    Returns
    -------
    dict
        "brier", "ece", "ece_if_right", and "bins": a list of {"low", "high", "n",
        "mean_probability", "share" (observed fraction)}, without bins that hold no clip.

    References
    ----------
    Guo et al. 2017, ICML [P].

    Examples
    --------
    >>> positive = np.array([0.1, 0.1, 0.9, 0.9])
    >>> found = reliability([0, 1, 1, 1], np.stack([1 - positive, positive], 1))
    >>> round(found["ece"], 2), [(one["n"], one["share"]) for one in found["bins"]]
    (0.25, [(2, 0.5), (2, 1.0)])
    """
    truth, probability = np.asarray(truth, dtype=int), np.asarray(probability, dtype=float)
    if probability.shape[1] == 2:
        predicted, observed = probability[:, 1], (truth == 1).astype(float)
    else:
        predicted, observed = (probability.max(1), (probability.argmax(1) == truth).astype(float))
    edges = np.linspace(0, 1, bins + 1)
    # a probability on an edge belongs to the bin below, as in scikit-learn
    index = np.searchsorted(edges[1:-1], predicted)
    clips = np.bincount(index, minlength=bins)
    sums = np.bincount(index, predicted, bins)
    counts = np.bincount(index, observed, bins)
    sampled = np.random.default_rng(0).random((1000, len(predicted))) < predicted
    by_bin = sampled @ np.eye(bins)[index]
    return {
        "brier": float(brier(truth, probability).mean()),
        "ece": float(np.abs(counts - sums).sum() / len(predicted)),
        "ece_if_right": float(np.abs(by_bin - sums).sum(1).mean() / len(predicted)),
        "bins": [
            {
                "low": float(edges[number]),
                "high": float(edges[number + 1]),
                "n": int(clips[number]),
                "mean_probability": float(sums[number] / clips[number]),
                "share": float(counts[number] / clips[number]),
            }
            for number in range(bins)
            if clips[number]
        ],
    }


def calibration(rows: "pd.DataFrame", classes: list[str]) -> dict[str, Any]:
    """`reliability` of one model's rows of a table of predictions, seeds pooled.

    Parameters
    ----------
    rows : DataFrame
        Rows of one task and model (`read_predictions`).
    classes : list of str
        Names of the classes in the label's order.

    Returns
    -------
    dict
        As `reliability`, and under "calibrated" the same of the calibrated probabilities (None
        without any).
    """
    truth = rows["truth"].map({name: code for code, name in enumerate(classes)}).to_numpy()
    calibrated: list[Any] = rows["calibrated"].tolist() if "calibrated" in rows else [None]
    return reliability(truth, _matrix(rows["scores"].tolist(), classes)) | {
        "calibrated": reliability(truth, _matrix(calibrated, classes)) if all(calibrated) else None
    }


def abstention(rows: "pd.DataFrame", coverage: float | None = None) -> dict[str, Any] | None:
    """How often a model gives a definite prediction, and how often that is correct; seeds pooled.

    A prediction is definite where the prediction set holds exactly one class; otherwise the model
    abstains.

    Parameters
    ----------
    rows : DataFrame
        Rows of one task and model, with prediction sets in the column `plausible`.
    coverage : float, optional
        The coverage that the sets were fitted for.

    Returns
    -------
    dict or None
        "coverage" (as given), "committed" (fraction of clips with a definite prediction),
        "accuracy_committed" (accuracy among these; None without any), "contains_truth" (fraction of
        clips whose set holds the true class; it should reach the coverage). None where rows have no
        prediction sets.
    """
    plausible: list[Any] = rows["plausible"].tolist() if "plausible" in rows else [None]
    if any(classes is None for classes in plausible):
        return None
    committed = np.array([len(classes) == 1 for classes in plausible])
    holds = np.array([truth in classes for truth, classes in zip(rows["truth"], plausible)])
    return {
        "coverage": coverage,
        "committed": float(committed.mean()),
        "accuracy_committed": float(holds[committed].mean()) if committed.any() else None,
        "contains_truth": float(holds.mean()),
    }


def _matrix(scores: list[dict[str, float]], classes: list[str]) -> Array:
    return np.array([[row[name] for name in classes] for row in scores], dtype=float)


RULE = (
    "Youden's: the largest sensitivity + specificity - 1; of equal ones that with sensitivity and"
    " specificity closest to each other, then the lowest; half way between two neighbouring scores;"
    " a score at or above the threshold is positive"
)


@dataclass(frozen=True)
class Threshold:
    """A threshold of a score, and its performance on the participants that it was chosen on.

    That performance is optimistic: it does not hold for other participants.

    Attributes
    ----------
    value : float
        A score at or above it is positive.
    sensitivity : float
        TP / (TP + FN) on these participants.
    specificity : float
        TN / (TN + FP) on these participants.
    """

    value: float
    sensitivity: float
    specificity: float


def youden(truth: ArrayLike, score: ArrayLike) -> Threshold:
    """The threshold with the largest sensitivity + specificity - 1 (Youden's index).

    Of equal ones the threshold with sensitivity and specificity closest to each other, then the
    lowest [our choice].

    Parameters
    ----------
    truth : (participant,) array_like
        1 for the positive class, 0 for the negative one.
    score : (participant,) array_like
        Higher for the positive class; out-of-fold, or the threshold is worthless.

    Returns
    -------
    Threshold
        The threshold, half way between two neighbouring scores.

    Raises
    ------
    ValueError
        Participants of one class only.

    References
    ----------
    Youden 1950, Cancer 3:32 [P].

    Examples
    --------
    >>> youden([0, 0, 0, 1, 1], [0.1, 0.2, 0.4, 0.3, 0.9])
    Threshold(value=0.25, sensitivity=1.0, specificity=0.6666666666666667)
    """
    truth, score = np.asarray(truth), np.asarray(score, dtype=float)
    if len(np.unique(truth)) < 2:
        raise ValueError("a threshold needs participants of both classes")
    known = np.unique(score)
    # the lowest candidate predicts everybody positive
    candidates = np.concatenate([known[:1], (known[1:] + known[:-1]) / 2])
    positive = score >= candidates[:, None]  # (candidate, participant)
    sensitivity, specificity = positive[:, truth == 1].mean(1), 1 - positive[:, truth == 0].mean(1)
    order = np.lexsort(
        [
            candidates,
            np.round(np.abs(sensitivity - specificity), 12),
            -np.round(sensitivity + specificity, 12),
        ]
    )
    best = order[0]
    return Threshold(float(candidates[best]), float(sensitivity[best]), float(specificity[best]))
