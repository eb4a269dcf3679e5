"""Probabilities that mean what they say, and when not to commit oneself: fitted on inner folds, never on the held-out participant."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression

Array = np.ndarray
LEAST = 1e-4  # probabilities are kept this far from 0 and 1 before logarithms [our choice]


@dataclass(frozen=True)
class Calibration:
    """What a protocol asks for. All our choice.

    Attributes:
        method: "temperature" divides the logits by one number (Guo et al. 2017); "isotonic" is a monotone step function a level
            (Zadrozny and Elkan 2002), for hundreds of clips rather than tens; "none".
        folds: inner folds of training participants, from whose out-of-fold probabilities everything here is fitted.
        coverage: share of clips whose true level should be among the plausible ones; None asks for no such sets.
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
        threshold: a level is plausible if its calibrated probability reaches it; None where no sets are asked for.
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
        columns = [np.interp(probabilities[:, level], before, after) for level, (before, after) in enumerate(self.steps)]
        raised = np.maximum(np.stack(columns, axis=1), LEAST)
        return raised / raised.sum(axis=1, keepdims=True)

    def plausible(self, probabilities: Array) -> list[list[int]] | None:
        """For each clip the levels that cannot be ruled out at the coverage asked for."""
        if self.threshold is None:
            return None
        return [[int(level) for level in np.flatnonzero(row >= self.threshold)] for row in self.apply(probabilities)]


def fit_calibrator(probabilities: Array, truth: Array, method: str, coverage: float | None) -> Calibrator:
    """Fit on out-of-fold probabilities (clip, level) and true levels (clip,) of training participants.

    Sets are split-conformal (Vovk et al. 2005): with n clips, the threshold is the ceil((n + 1) coverage)-th largest of the true levels'
    probabilities. Where clips were exchangeable the true level would be plausible in at least that share; after isotonic steps, which
    learn from the same clips, in somewhat less (0.87 for 0.9 and 20 clips). The clips of one participant are not exchangeable with
    another's, and inner models learned from fewer people: coverage is asked for here and measured in the report.
    """
    steps, temperature = None, 1.0
    if method == "temperature":
        temperature = _temperature(probabilities, truth)
    elif method == "isotonic":
        steps = [_steps(probabilities[:, level], truth == level) for level in range(probabilities.shape[1])]
    fitted = Calibrator(temperature, steps, None, len(truth))
    if coverage is None:
        return fitted
    given = np.sort(fitted.apply(probabilities)[np.arange(len(truth)), truth])[::-1]  # what each true level got, largest first
    rank = int(np.ceil((len(truth) + 1) * coverage))
    return Calibrator(temperature, steps, float(given[rank - 1]) if rank <= len(truth) else 0.0, len(truth))


def _softened(probabilities: Array, temperature: float) -> Array:
    logits = np.log(np.clip(probabilities, LEAST, None)) / temperature
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _temperature(probabilities: Array, truth: Array) -> float:
    """The temperature between 0.05 and 20 of lowest log loss."""
    found = minimize_scalar(lambda log: _log_loss(_softened(probabilities, float(np.exp(log))), truth), bounds=(-3, 3), method="bounded")
    return float(np.exp(found.x))


def _log_loss(probabilities: Array, truth: Array) -> float:
    return float(-np.log(np.clip(probabilities[np.arange(len(truth)), truth], LEAST, None)).mean())


def _steps(scores: Array, is_level: Array) -> tuple[list[float], list[float]]:
    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, is_level.astype(float))
    return fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist()
