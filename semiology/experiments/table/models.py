"""The models of a table as scikit-learn pipelines: what is fitted before a model (medians, scaling,
categories) is part of its pipeline, so that it is fitted on training rows alone. Parameters are
chosen on inner folds of the training participants.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from semiology.data.result import is_allowed
from semiology.errors import UserError
from semiology.experiments.table.reading import Rows

# penalties, numbers of neighbours and sizes of trees that are tried [our choice]
ALPHAS = tuple(10.0**power for power in range(-1, 6))
STRENGTHS = tuple(10.0**power for power in range(-4, 3))
NEIGHBOURS = (3, 7, 15, 31)
LEAST_IN_LEAF = (1, 5)
LEAVES = (3, 8, 20)
TREES = 300
LEAST = 1e-4  # probability below which log loss does not rise, as in a selection between networks

MODELS = {
    "classes": ("linear", "logistic", "forest", "boosting", "neighbours"),
    "rating": ("linear", "ordinal", "forest", "boosting", "neighbours"),
    "number": ("linear", "forest", "boosting", "neighbours"),
}


class LinearClassifier(ClassifierMixin, BaseEstimator):
    """Ridge regression of 1 for a class and -1 for the others; the highest class is predicted.

    Its scores are linear in the labels, so that a permutation test of it is exact and takes seconds
    (linear.py). Probabilities are the softmax of the scores, of two classes 1 / (1 + exp(-2 s)).
    [our choice; scores as scikit-learn's RidgeClassifier]
    """

    def __init__(self, alpha: float = 1.0):
        """Take the penalty of the squared weights."""
        self.alpha = alpha

    def fit(self, x: np.ndarray, y: np.ndarray) -> "LinearClassifier":
        """Fit the weights of every class on (row, feature) numbers and (row,) codes."""
        self.classes_ = np.unique(y)
        self.ridge_ = Ridge(alpha=self.alpha).fit(x, self._signs(y))
        return self

    def decision_function(self, x: np.ndarray) -> np.ndarray:
        """(row, class) scores; of two classes they are opposite."""
        return self.ridge_.predict(x).reshape(len(x), len(self.classes_))

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """(row, class) probabilities."""
        return softmax(self.decision_function(x), axis=1)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """(row,) codes."""
        return self.classes_[self.decision_function(x).argmax(axis=1)]

    def score(self, x: np.ndarray, y: np.ndarray, sample_weight: Any = None) -> float:
        """Minus the mean squared distance of scores and labels: what chooses the penalty."""
        return -float(((self.decision_function(x) - self._signs(y)) ** 2).mean())

    def _signs(self, y: np.ndarray) -> np.ndarray:
        return np.where(np.asarray(y)[:, None] == self.classes_, 1.0, -1.0)


class OrdinalLogit(ClassifierMixin, BaseEstimator):
    """Cumulative logit (proportional odds) of an ordered rating, with a penalty of the squared
    weights: P(y <= k) = expit(threshold_k - x w) (McCullagh 1980, Journal of the Royal Statistical
    Society B 42:109 [P]). Grades that no training row has get no probability.
    """

    def __init__(self, alpha: float = 1.0):
        """Take the penalty, alpha / 2 times the sum of the squared weights."""
        self.alpha = alpha

    def fit(self, x: np.ndarray, y: np.ndarray) -> "OrdinalLogit":
        """Fit weights and thresholds on (row, feature) numbers and (row,) ratings."""
        x = np.asarray(x, dtype=float)
        self.classes_, codes = np.unique(y, return_inverse=True)
        grades = len(self.classes_)
        if grades == 1:
            self.coef_, self.thresholds_ = np.zeros(x.shape[1]), np.array([])
            return self
        below = np.cumsum(np.bincount(codes))[:-1] / len(codes)
        first = np.log(below / (1 - below))
        start = np.concatenate(
            [np.zeros(x.shape[1]), first[:1], np.log(np.maximum(np.diff(first), 1e-6))]
        )
        found = minimize(
            self._loss,
            start,
            (x, codes, grades),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 1000},
        )
        self.coef_, self.thresholds_ = self._unpack(found.x, x.shape[1])
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """(row, grade) probabilities."""
        latent = np.asarray(x, dtype=float) @ self.coef_
        upper = expit(self.thresholds_ - latent[:, None])
        edges = np.hstack([np.zeros((len(latent), 1)), upper, np.ones((len(latent), 1))])
        return np.diff(edges, axis=1)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """(row,) expected ratings: the mean of the grades by their probabilities [our choice]."""
        return self.predict_proba(x) @ self.classes_

    def _unpack(self, values: np.ndarray, features: int) -> tuple[np.ndarray, np.ndarray]:
        steps = np.concatenate([values[features : features + 1], np.exp(values[features + 1 :])])
        return values[:features], np.cumsum(steps)

    def _loss(
        self, values: np.ndarray, x: np.ndarray, codes: np.ndarray, grades: int
    ) -> tuple[float, np.ndarray]:
        """Penalised negative log-likelihood and its gradient by weights, first threshold and the
        logarithms of the steps between thresholds.
        """
        weights, thresholds = self._unpack(values, x.shape[1])
        edges = np.concatenate([[-np.inf], thresholds, [np.inf]])
        latent = x @ weights
        upper, lower = expit(edges[codes + 1] - latent), expit(edges[codes] - latent)
        probability = np.maximum(upper - lower, 1e-300)
        of_upper, of_lower = (part * (1 - part) / probability for part in (upper, lower))
        by_weights = x.T @ (of_upper - of_lower) + self.alpha * weights
        by_threshold = (
            np.bincount(codes, -of_upper, grades)[: grades - 1]
            + np.bincount(codes, of_lower, grades)[1:]
        )
        later = np.cumsum(by_threshold[::-1])[::-1]  # a step moves all thresholds above it
        steps = np.exp(values[x.shape[1] + 1 :])
        gradient = np.concatenate([by_weights, later[:1], later[1:] * steps])
        loss = -np.log(probability).sum() + self.alpha / 2 * (weights**2).sum()
        return float(loss), gradient


def log_likelihood(model: Any, x: Any, y: np.ndarray) -> float:
    """Mean logarithm of the true class's probability; a class that training rows lack counts as the
    least probability.
    """
    probabilities, classes = model.predict_proba(x), np.asarray(model.classes_)
    place = np.searchsorted(classes, y).clip(0, len(classes) - 1)
    own = np.where(classes[place] == y, probabilities[np.arange(len(y)), place], 0.0)
    return float(np.log(np.maximum(own, LEAST)).mean())


def preparation(rows: Rows, *, impute: bool = True) -> ColumnTransformer:
    """What is fitted before a model: the median of each number in place of missing ones, mean and
    standard deviation, and a column for each category of the training rows.
    """
    numbers: Any = (
        Pipeline(
            [
                ("median", SimpleImputer(strategy="median", keep_empty_features=True)),
                ("scale", StandardScaler()),
            ]
        )
        if impute
        else "passthrough"
    )
    names = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [("numbers", numbers, list(rows.numbers)), ("names", names, list(rows.categories))]
    )


def own_model(path: str) -> Any:
    """An estimator of the user's own, made without arguments.

    Raises:
        UserError: its module is not allowed, lacks it, or it is no estimator.
    """
    module, _, name = path.partition(":")
    dotted = f"{module}.{name}"
    if not is_allowed(dotted):
        raise UserError(f"models: {path}: its code would run; state it with --allow {module}")
    try:
        estimator = getattr(import_module(module), name)()
    except (ImportError, AttributeError, TypeError) as error:
        raise UserError(f"models: {path}: cannot be made without arguments ({error})") from error
    if not hasattr(estimator, "fit") or not hasattr(estimator, "predict"):
        raise UserError(f"models: {path}: is no scikit-learn estimator; it needs fit and predict")
    return estimator


def search(rows: Rows, name: str, count: int, inner: int, seed: int) -> GridSearchCV:
    """A model with its preparation, and the choice of its parameters on inner folds of participants
    (scikit-learn's GroupKFold); classes and grades by log loss, numbers by squared error.

    Args:
        rows: of the table; their columns are used, not their values.
        name: of MODELS, or an import path.
        count: of training rows, which bounds the number of neighbours.
        inner: folds.
        seed: of what is random in a model.

    Raises:
        UserError: no such model for this task.
    """
    classes = rows.task == "classes"
    scoring: str | Callable[..., float] | None = (
        log_likelihood if classes or name == "ordinal" else "neg_mean_squared_error"
    )
    grid: dict[str, Any] = {}
    model: Any
    if ":" in name:
        model = own_model(name)
        if classes and not hasattr(model, "predict_proba"):
            raise UserError(f"models: {name}: needs predict_proba, as the others have")
    elif name not in MODELS[rows.task]:
        raise UserError(
            f"models: no {name!r} for {rows.task}; there are {', '.join(MODELS[rows.task])}, and"
            " import paths of your own (package.module:Class)"
        )
    elif name == "linear":
        model, grid = (LinearClassifier() if classes else Ridge()), {"alpha": list(ALPHAS)}
        scoring = None if classes else scoring
    elif name == "logistic":
        model, grid = LogisticRegression(max_iter=2000), {"C": list(STRENGTHS)}
    elif name == "ordinal":
        model, grid = OrdinalLogit(), {"alpha": list(ALPHAS)}
    elif name == "forest":
        kind = RandomForestClassifier if classes else RandomForestRegressor
        model, grid = kind(TREES, random_state=seed), {"min_samples_leaf": list(LEAST_IN_LEAF)}
    elif name == "boosting":
        kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
        model = kind(min_samples_leaf=5, early_stopping=False, random_state=seed)
        grid = {"max_leaf_nodes": list(LEAVES)}
    else:
        kind = KNeighborsClassifier if classes else KNeighborsRegressor
        few = [neighbours for neighbours in NEIGHBOURS if neighbours <= count // 3]
        model, grid = kind(), {"n_neighbors": few or [1]}
    before = preparation(rows, impute=name != "boosting")
    return GridSearchCV(
        Pipeline([("before", before), ("model", model)]),
        {f"model__{key}": values for key, values in grid.items()},
        scoring=scoring,
        cv=GroupKFold(inner),
        error_score="raise",
    )


def fit(rows: Rows, name: str, training: np.ndarray, inner: int, seed: int) -> GridSearchCV:
    """A model fitted on these rows (indices), its parameters chosen within them. Where all are of
    one class it predicts that; an inner fold whose training rows are is left out of the choice.
    """
    people, target = rows.participants[training], rows.target[training]
    found = search(rows, name, len(training), min(inner, len(set(people))), seed)
    if rows.task == "classes" and name != "linear":
        splits = list(found.cv.split(training, groups=people))
        found.cv = [split for split in splits if len(np.unique(target[split[0]])) > 1]
        if len(np.unique(target)) == 1:
            found.set_params(estimator__model=DummyClassifier(), param_grid={}, cv=splits)
        elif not found.cv:
            found.set_params(param_grid={}, cv=[(np.arange(len(training)),) * 2])
    return found.fit(rows.features.iloc[training], rows.target[training], groups=people)


def predict(
    fitted: GridSearchCV, rows: Rows, which: np.ndarray, bounds: tuple[float, float] | None
) -> np.ndarray:
    """(row, class) probabilities of these rows, or their (row,) numbers, within bounds."""
    features = rows.features.iloc[which]
    if rows.task != "classes":
        values = np.asarray(fitted.predict(features), dtype=float)
        return values if bounds is None else values.clip(*bounds)
    probabilities = np.zeros((len(which), len(rows.levels)))
    probabilities[:, np.asarray(fitted.classes_, dtype=int)] = fitted.predict_proba(features)
    return probabilities


def bounds_of(
    rows: Rows, training: np.ndarray, scale: tuple[float, float] | None
) -> tuple[float, float] | None:
    """The lowest and highest rating that may be predicted; None for numbers, which have none."""
    if rows.task != "rating":
        return None
    own = rows.target[training]
    return scale or (float(own.min()), float(own.max()))
