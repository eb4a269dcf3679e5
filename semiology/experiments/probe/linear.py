"""Linear probes: how well a column of the cohort can be read off a layer, in people that neither
probe nor layer has seen.

A probe that reads a sign well shows that the layer holds it in a linear form; it does not show that
the network uses it.

Linear models in scikit-learn pipelines, fitted to many targets at once: the observed one and those
of the null.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from semiology.errors import UserError
from semiology.evaluation.statistics.permutation import permute_labels
from semiology.experiments.probe.features import Features
from semiology.experiments.probe.result import Drawn, ProbeResult, evaluated

ALPHAS = tuple(
    10.0**power for power in range(5)
)  # penalties of ridge, on standardised features [our choice]
STRENGTHS = tuple(
    10.0**power for power in range(-3, 2)
)  # C of the logistic regression [our choice]

Inner = Sequence[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Split:
    """One fold of a probe: features (clip, feature) in one space, the clips that are fitted on, and
    those that are tested.

    `inner` divides `train` once more (positions in it), to choose the penalty; empty where it
    cannot be divided, and then the middle of the grid is taken.
    """

    values: np.ndarray
    train: np.ndarray
    test: np.ndarray
    inner: Inner


def prepared() -> Pipeline:
    """Missing values take the training mean; then every feature gets mean 0 and spread 1 on
    training clips.
    """
    return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())


def ridge(split: Split, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ridge regression of targets (draw, clip, output), each draw with a penalty of its own, chosen
    on the inner folds.

    All draws share the features, so that one fit serves them all: the null repeats the whole
    pipeline at little cost.

    Returns:
        Predictions (draw, test clip, output), and the chosen penalty (draw,): the one with the
        least squared error on the inner folds.
    """
    draws, _, outputs = targets.shape
    train = targets[:, split.train].transpose(1, 0, 2)  # (clip, draw, output)
    errors = np.zeros((len(ALPHAS), draws))
    for fitted, held_out in split.inner:
        for number, found in enumerate(_path(split.values[split.train], train, fitted, held_out)):
            errors[number] += ((found - train[held_out]) ** 2).sum(axis=(0, 2))
    chosen = errors.argmin(axis=0) if len(split.inner) else np.full(draws, len(ALPHAS) // 2)
    both = np.concatenate([split.train, split.test])
    fitted, held_out = np.arange(len(split.train)), len(split.train) + np.arange(len(split.test))
    predicted = np.zeros((len(split.test), draws, outputs))
    for number, found in enumerate(_path(split.values[both], train, fitted, held_out)):
        predicted[:, chosen == number] = found[:, chosen == number]
    return predicted.transpose(1, 0, 2), np.array(ALPHAS)[chosen]


def _path(values: np.ndarray, targets: np.ndarray, fitted: np.ndarray, held_out: np.ndarray):
    """Predictions (clip, draw, output) for `held_out`, for each penalty in turn."""
    preparation = prepared().fit(values[fitted])
    x, x_held_out = preparation.transform(values[fitted]), preparation.transform(values[held_out])
    y = targets[fitted].reshape(len(fitted), -1)
    for alpha in ALPHAS:
        yield Ridge(alpha).fit(x, y).predict(x_held_out).reshape(len(held_out), *targets.shape[1:])


def logistic(split: Split, codes: np.ndarray, levels: int) -> tuple[np.ndarray, float]:
    """Logistic regression of one target's codes (clip,), levels weighed equally; C by balanced
    accuracy on the inner folds.

    Returns:
        Logarithms of the probabilities (test clip, level), and the chosen C.
    """
    y = codes[split.train]
    pipeline = make_pipeline(prepared(), LogisticRegression(class_weight="balanced", max_iter=500))
    inner = [(fitted, tested) for fitted, tested in split.inner if len(set(y[fitted])) > 1]
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # with a weak penalty on separable clips; such a C is seldom chosen
        warnings.filterwarnings("ignore", message="y_pred contains classes")
        warnings.filterwarnings(
            "ignore", message="A single label was found"
        )  # inner folds of people who show one level only
        if inner:
            search = GridSearchCV(
                pipeline,
                {"logisticregression__C": STRENGTHS},
                cv=inner,
                scoring="balanced_accuracy",
            )
            fitted_model, chosen = (
                search.fit(split.values[split.train], y).best_estimator_,
                search.best_params_["logisticregression__C"],
            )
        else:
            chosen = STRENGTHS[len(STRENGTHS) // 2]
            fitted_model = pipeline.set_params(logisticregression__C=chosen).fit(
                split.values[split.train], y
            )
    scores = np.full((len(split.test), levels), -np.inf)
    scores[:, fitted_model.classes_] = fitted_model.predict_log_proba(split.values[split.test])
    return scores, float(chosen)


By = Literal["participant", "clip"]
ModelName = Literal["ridge", "logistic"]


def linear_probe(
    features: Features,
    target: pd.Series,
    model: ModelName = "ridge",
    by: By = "participant",
    folds: int | None = None,
    permutations: int = 200,
    draws: int = 2000,
    seed: int = 0,
) -> ProbeResult:
    """Fit a linear model on some participants, test it on the others, with an interval over
    participants and a permutation null.

    Missing values take the training mean, features are standardised on training clips, and the
    penalty is chosen on inner folds of the training participants: all inside a scikit-learn
    pipeline for each fold. Levels are weighed equally: of a ridge, the fitted share of a level is
    divided by its share of the training clips. Numeric targets are predicted by ridge.

    Features with folds (`run_features`) keep to them: a fold's probe is fitted on what that fold's
    model gives its training participants and tested on the participants that this model never
    saw. Other features are tested leaving out one participant at a time.

    The null exchanges the lists of labels between participants and shuffles each list, and repeats
    all of the above; p = (1 + b) / (1 + n). A label that is the same in all clips of a participant
    so stays with whole participants; one that each participant shows in the same way is shuffled
    within them.

    Args:
        features: of one layer, per clip.
        target: clip_id -> text or number (`cohort_target`); clips that only one of the two holds
            are left out.
        model: "ridge", or "logistic" (slower: each permutation is a fit of its own) for text.
        by: "participant" tests on participants left out; "clip" on other clips of the same
            participants, which shows how much of a result is the recognition of a person.
        folds: instead of leaving out one participant, so many groups of them (with by="clip":
            groups of clips, 5 if not given).
        permutations: n of the null; 0 for none.
        draws: resampled cohorts for the interval.
        seed: of permutations, resampling and folds.

    Raises:
        UserError: permutations below 0, a row a frame, no clip in common, one value only, a level
            that fewer than two participants show, fewer than three participants, no clip that may
            be tested; with by="clip", participants with a single clip.
    """
    check_permutations(permutations)
    clips, owners, truth = shared_clips(features, target)
    codes, levels = coded(truth)
    if len(set(owners)) < 3 and by == "participant":
        raise UserError(
            f"layer {features.layer}: {len(set(owners))} participants have this column; a probe"
            " across participants needs three"
        )
    check_levels(codes, levels, owners, by)
    if model == "logistic" and not levels:
        raise UserError(
            f"{target.name}: is numeric; probe it with ridge, or read it as categorical"
        )
    splits = make_splits(features, clips, owners, by, folds, seed, codes)
    rng = np.random.default_rng(seed)
    targets = np.stack([codes, *(permute_labels(owners, codes, rng) for _ in range(permutations))])
    drawn = predict_targets(splits, targets, levels, model)
    return evaluated(
        drawn,
        features,
        str(target.name),
        clips,
        owners,
        levels,
        by=by,
        model=model,
        draws=draws,
        seed=seed,
    )


def predict_targets(
    splits: list[Split], targets: np.ndarray, levels: list[str], model: ModelName
) -> Drawn:
    """Out-of-fold scores of every draw of the target (draw, clip): (draw, clip, level), or (draw,
    clip, 1) for numbers; NaN if unjudged.
    """
    draws, clips = targets.shape
    scores = np.full((draws, clips, max(len(levels), 1)), np.nan)
    penalties = []
    for split in splits:
        if model == "logistic":
            found = [logistic(split, row.astype(int), len(levels)) for row in targets]
            scores[:, split.test] = np.stack([values for values, _ in found])
            penalties.append(found[0][1])
            continue
        outputs = np.eye(len(levels))[targets.astype(int)] if levels else targets[:, :, None]
        predicted, chosen = ridge(split, outputs)
        if levels:
            shares = outputs[:, split.train].mean(axis=1, keepdims=True)  # (draw, 1, level)
            predicted = np.divide(
                predicted, shares, out=np.full(predicted.shape, -np.inf), where=shares > 0
            )
        scores[:, split.test] = predicted
        penalties.append(float(chosen[0]))
    return Drawn(targets, scores, penalties)


def make_splits(
    features: Features,
    clips: list[str],
    owners: np.ndarray,
    by: By,
    folds: int | None,
    seed: int,
    levels: np.ndarray | None = None,
) -> list[Split]:
    """The folds of a probe; features are never taken from two feature spaces at once.

    Groups of clips are assigned class by class (clip,), so that everybody lacks much the same
    levels in training: else a layer that knows the level, in a cohort where each shows each level
    equally often, names everybody but the right person.
    """
    rng = np.random.default_rng(seed)
    spaces = features.spaces(clips)
    everything = np.arange(len(clips))
    splits = []
    if by == "clip":
        levels = np.zeros(len(clips)) if levels is None else levels
        part = clip_parts(owners, levels, folds, seed)
        for values, testable in spaces:
            for number in range(part.max() + 1):
                train, test = everything[part != number], everything[(part == number) & testable]
                if len(test) and len(train):
                    inner = _inner(_ranks(owners[train], levels[train], rng))
                    splits.append(Split(values, train, test, inner))
        return _some(splits, features)
    if features.by_fold:
        tests = [(values, everything[testable]) for values, testable in spaces]
    else:
        people = rng.permutation(sorted(set(owners))) if folds else np.array(sorted(set(owners)))
        groups = (
            np.array_split(people, min(folds, len(people)))
            if folds
            else [people[[number]] for number in range(len(people))]
        )
        tests = [(spaces[0][0], everything[np.isin(owners, group)]) for group in groups]
    for values, test in tests:
        train = everything[~np.isin(owners, owners[test])]
        if len(test) and len(train):
            splits.append(Split(values, train, test, _inner(_number(owners[train]))))
    return _some(splits, features)


def _some(splits: list[Split], features: Features) -> list[Split]:
    if not splits:
        raise UserError(
            f"layer {features.layer}: no clip with a value may be tested: those held out from a"
            " kept model have none"
        )
    return splits


def clip_parts(owners: np.ndarray, levels: np.ndarray, folds: int | None, seed: int) -> np.ndarray:
    """(clip,) the part in which each clip is tested where participants are divided: five parts by
    default.
    """
    return _ranks(owners, levels, np.random.default_rng(seed)) % (folds or 5)


def _inner(groups: np.ndarray, most: int = 5) -> list[tuple[np.ndarray, np.ndarray]]:
    """Inner folds: groups (clip,) numbered from 0 stay together, assigned in turn to at most five
    folds; none where there is one group.
    """
    count = min(int(groups.max()) + 1, most)
    part = groups % count
    return (
        [
            (np.flatnonzero(part != number), np.flatnonzero(part == number))
            for number in range(count)
        ]
        if count > 1
        else []
    )


def _number(names: np.ndarray) -> np.ndarray:
    return np.unique(names, return_inverse=True)[1]


def _ranks(owners: np.ndarray, levels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(clip,) an order of each participant's clips: 0, 1, 2, ..., level by level, else at
    random.
    """
    ranks = np.zeros(len(owners), int)
    for owner in np.unique(owners):
        own = rng.permutation(np.flatnonzero(owners == owner))
        ranks[own[np.argsort(levels[own], kind="stable")]] = np.arange(len(own))
    return ranks


def shared_clips(features: Features, target: pd.Series) -> tuple[list[str], np.ndarray, pd.Series]:
    """The clips that have both features and a value of the target.

    Returns:
        clip_ids; (clip,) their participants; the target's values, indexed by clip_id.

    Raises:
        UserError: there is no such clip.
    """
    owned = features.table.drop_duplicates("clip_id").set_index("clip_id")["participant_id"]
    clips = [clip for clip in owned.index if clip in target.index]
    if not clips:
        raise UserError(
            f"layer {features.layer}: not one of its clips has a value of {target.name!r}; is the"
            " target indexed by clip_id?"
        )
    return clips, owned.loc[clips].to_numpy(str), target.loc[clips]


def coded(truth: pd.Series) -> tuple[np.ndarray, list[str]]:
    """(clip,) numbers of the levels, and the levels (a label's in its order, else by name); of a
    numeric target its values, and none.
    """
    if truth.nunique() < 2:
        raise UserError(
            f"{truth.name}: all clips that can be probed have the value {truth.iloc[0]!r}; there is"
            " nothing to tell apart"
        )
    if pd.api.types.is_numeric_dtype(truth) and not pd.api.types.is_bool_dtype(truth):
        return truth.to_numpy(float), []
    known = (
        truth.cat.categories
        if isinstance(truth.dtype, pd.CategoricalDtype)
        else sorted(truth.astype(str).unique())
    )
    levels = [str(level) for level in known if (truth.astype(str) == str(level)).any()]
    return truth.astype(str).map(levels.index).to_numpy(float), levels


def check_permutations(permutations: int) -> None:
    """Refuse a number of permutations below 0.

    Raises:
        UserError: it is negative.
    """
    if permutations < 0:
        raise UserError(f"permutations: {permutations}; give 0 (no null) or more")


def check_levels(codes: np.ndarray, levels: list[str], owners: np.ndarray, by: By) -> None:
    """Across participants, every level needs two who show it; within, every participant needs two
    clips.
    """
    if by == "clip":
        names, counts = np.unique(owners, return_counts=True)
        if (counts < 2).any():
            few = names[counts < 2]
            raise UserError(
                f"participants with a single clip: {', '.join(few[:5])}; a split within"
                " participants needs two clips of each"
            )
        return
    for code, level in enumerate(levels):
        people = set(owners[codes == code])
        if len(people) < 2:
            raise UserError(
                f"level {level!r}: only participant {people.pop()} shows it; a probe across"
                " participants needs two or more"
            )
