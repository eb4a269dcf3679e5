"""Linear models in scikit-learn pipelines, fitted to many targets at once: the observed one and those of the null."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

ALPHAS = tuple(10.0**power for power in range(5))  # penalties of ridge, on standardised features [our choice]
STRENGTHS = tuple(10.0**power for power in range(-3, 2))  # C of the logistic regression [our choice]

Inner = Sequence[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Split:
    """One fold of a probe: features (clip, feature) in one space, the clips that are fitted on, and those that are judged.

    `inner` divides `train` once more (positions in it), to choose the penalty; empty where it cannot be divided, and then the middle of
    the grid is taken.
    """

    values: np.ndarray
    train: np.ndarray
    test: np.ndarray
    inner: Inner


def prepared() -> Pipeline:
    """Missing values take the training mean; then every feature gets mean 0 and spread 1 on training clips."""
    return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())


def ridge(split: Split, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ridge regression of targets (draw, clip, output), each draw with a penalty of its own, chosen on the inner folds.

    All draws share the features, so that one fit serves them all: the null repeats the whole pipeline at little cost.

    Returns:
        Predictions (draw, test clip, output), and the chosen penalty (draw,): the one with the least squared error on the inner folds.
    """
    draws, _, outputs = targets.shape
    train = targets[:, split.train].transpose(1, 0, 2)  # (clip, draw, output)
    errors = np.zeros((len(ALPHAS), draws))
    for fitted, judged in split.inner:
        for number, found in enumerate(_path(split.values[split.train], train, fitted, judged)):
            errors[number] += ((found - train[judged]) ** 2).sum(axis=(0, 2))
    chosen = errors.argmin(axis=0) if len(split.inner) else np.full(draws, len(ALPHAS) // 2)
    both = np.concatenate([split.train, split.test])
    fitted, judged = np.arange(len(split.train)), len(split.train) + np.arange(len(split.test))
    predicted = np.zeros((len(split.test), draws, outputs))
    for number, found in enumerate(_path(split.values[both], train, fitted, judged)):
        predicted[:, chosen == number] = found[:, chosen == number]
    return predicted.transpose(1, 0, 2), np.array(ALPHAS)[chosen]


def _path(values: np.ndarray, targets: np.ndarray, fitted: np.ndarray, judged: np.ndarray):
    """Predictions (clip, draw, output) for `judged`, for each penalty in turn."""
    preparation = prepared().fit(values[fitted])
    x, x_judged = preparation.transform(values[fitted]), preparation.transform(values[judged])
    y = targets[fitted].reshape(len(fitted), -1)
    for alpha in ALPHAS:
        yield Ridge(alpha).fit(x, y).predict(x_judged).reshape(len(judged), *targets.shape[1:])


def logistic(split: Split, codes: np.ndarray, levels: int) -> tuple[np.ndarray, float]:
    """Logistic regression of one target's codes (clip,), levels weighed equally; C by balanced accuracy on the inner folds.

    Returns:
        Logarithms of the probabilities (test clip, level), and the chosen C.
    """
    y = codes[split.train]
    pipeline = make_pipeline(prepared(), LogisticRegression(class_weight="balanced", max_iter=500))
    inner = [(fitted, judged) for fitted, judged in split.inner if len(set(y[fitted])) > 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # with a weak penalty on separable clips; such a C is seldom chosen
        warnings.filterwarnings("ignore", message="y_pred contains classes")
        warnings.filterwarnings("ignore", message="A single label was found")  # inner folds of people who show one level only
        if inner:
            search = GridSearchCV(pipeline, {"logisticregression__C": STRENGTHS}, cv=inner, scoring="balanced_accuracy")
            fitted_model, chosen = search.fit(split.values[split.train], y).best_estimator_, search.best_params_["logisticregression__C"]
        else:
            chosen = STRENGTHS[len(STRENGTHS) // 2]
            fitted_model = pipeline.set_params(logisticregression__C=chosen).fit(split.values[split.train], y)
    scores = np.full((len(split.test), levels), -np.inf)
    scores[:, fitted_model.classes_] = fitted_model.predict_log_proba(split.values[split.test])
    return scores, float(chosen)
