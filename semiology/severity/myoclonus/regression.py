"""Regression of a clinician's score on named features of a visit, with out-of-fold predictions:
each participant's by a model that was fitted without that participant.

Features of a visit, the regression, and the clinicians' scores of a cohort, one number per visit.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from semiology.data.cohort import Clip, Score
from semiology.severity.myoclonus.measures import ClipMeasures, known_median
from semiology.severity.myoclonus.umrs import panel_of

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

GROUPS = {  # few features for few participants: sides and neighbours together [our choice]
    "head": ("face", "neck"),
    "trunk": ("trunk",),
    "arms": ("left_arm", "right_arm"),
    "legs": ("left_leg", "right_leg"),
}
FEATURES = (
    *(
        f"{group}_{name}"
        for group in GROUPS
        for name in ("rate", "amplitude", "speed", "sparc", "ldlj")
    ),
    *("parts_jerking", "share_spread"),
)


def visit_features(clips: Sequence[ClipMeasures]) -> dict[str, float]:
    """`FEATURES` over the clips of one visit; NaN where nothing was seen.

    - <group>_rate: ln(1 + events per minute) over the group's usable time;
    - <group>_amplitude: median over the group's events, torso lengths; 0 without events;
    - <group>_speed, _sparc, _ldlj: median over clips and the group's parts;
    - parts_jerking: fraction of the visible parts that jerked;
    - share_spread: fraction of the events in more than one part of the body; 0 without events.
    """
    values: dict[str, float] = {}
    for group, parts in GROUPS.items():
        own = [
            clip.parts[part]
            for clip in clips
            for part in parts
            if part in clip.parts and clip.parts[part].seconds > 0
        ]
        amplitudes = [amplitude for one in own for amplitude in one.amplitudes]
        seconds = sum(one.seconds for one in own)
        values |= {
            f"{group}_rate": math.log1p(60 * len(amplitudes) / seconds) if own else math.nan,
            f"{group}_amplitude": (
                float(np.median(amplitudes)) if amplitudes else 0.0 if own else math.nan
            ),
            f"{group}_speed": known_median(one.speed for one in own),
            f"{group}_sparc": known_median(one.sparc for one in own),
            f"{group}_ldlj": known_median(one.ldlj for one in own),
        }
    seen = {part for clip in clips for part, one in clip.parts.items() if one.seconds > 0}
    jerked = {part for clip in clips for part, one in clip.parts.items() if one.amplitudes}
    events = Counter[str]()
    for clip in clips:
        events.update(clip.spread)
    values["parts_jerking"] = len(jerked) / len(seen) if seen else math.nan
    values["share_spread"] = (
        1 - events["focal"] / events.total() if events else 0.0 if seen else math.nan
    )
    return values


FEWEST = 8  # participants with a score, below which nothing is fitted [our choice]
ALPHAS = tuple(
    float(alpha) for alpha in np.logspace(-1, 4, 16)
)  # of the ridge; chosen within each fold's own participants [our choice]

Key = tuple[str, str]  # participant, visit


@dataclass(frozen=True)
class Fit:
    """Out-of-fold predictions of one clinician's score, or why there are none.

    Attributes:
        name: column of the score in clips.tsv; of: the machine score that it rates.
        predicted: (participant, visit) -> the score as predicted without that participant, clipped
            to the scale.
        participants, visits: that carry a score and features.
        features: those that were seen in anybody.
        reason: why nothing was fitted; "" where it was.
    """

    name: str
    of: str
    predicted: dict[Key, float] = field(default_factory=dict)
    participants: int = 0
    visits: int = 0
    features: tuple[str, ...] = ()
    reason: str = ""


def fit_score(
    score: Score, rated: Mapping[Key, float], features: Mapping[Key, Mapping[str, float]]
) -> Fit:
    """Ridge regression of a clinician's score on `FEATURES`, leaving one participant (all visits)
    out at a time.

    Missing features take the median, all are scaled, and the strength of the ridge is chosen (by
    leaving one participant out once more, see `least_error`), each within the fold's own
    participants. Visits without the clinician's score are predicted too, by the model of that
    participant's fold.

    Args:
        score: what clips.json says of it: its name, what it rates, the ends of its scale.
        rated: the clinician's scores.
        features: `visit_features` of every visit, also of those that were not rated.
    """
    from sklearn.linear_model import Ridge  # verbs that fit nothing need not wait for it
    from sklearn.pipeline import make_pipeline

    measured = [
        key for key, own in features.items() if not all(math.isnan(value) for value in own.values())
    ]  # others were never in view
    keys = [key for key in rated if key in measured and not math.isnan(rated[key])]
    people = sorted({participant for participant, _ in keys})
    seen = tuple(
        name for name in FEATURES if any(not math.isnan(features[key][name]) for key in keys)
    )
    fit = Fit(score.name, score.of, {}, len(people), len(keys), seen)
    target = np.array([rated[key] for key in keys])
    if reason := _refused(keys, people, target):
        return replace(fit, reason=reason)
    low = -math.inf if score.minimum is None else score.minimum
    high = math.inf if score.maximum is None else score.maximum
    predicted: dict[Key, float] = {}
    unrated = {participant for participant, _ in measured} - set(people)
    for participant in (*people, *sorted(unrated)):
        rows = [number for number, key in enumerate(keys) if key[0] != participant]
        train = _matrix([keys[row] for row in rows], features, seen)
        alpha = least_error(train, target[rows], [keys[row][0] for row in rows])
        model = make_pipeline(_preprocessing(), Ridge(alpha)).fit(train, target[rows])
        own = [key for key in measured if key[0] == participant]
        if own:
            predicted |= {
                key: float(np.clip(value, low, high))
                for key, value in zip(own, model.predict(_matrix(own, features, seen)))
            }
    return replace(fit, predicted=predicted)


def _refused(keys: Sequence[Key], people: Sequence[str], target: np.ndarray) -> str:
    """Why a regression would say nothing; "" where it may."""
    if len(people) < FEWEST:
        return f"{len(people)} participants have a score and features; {FEWEST} are needed"
    owners = np.array([participant for participant, _ in keys])
    levels = [len(np.unique(target[owners != participant])) for participant in people]
    if len(np.unique(target)) == 1:
        return f"every score is {target[0]:g}: there is nothing to tell apart"
    if min(levels) == 1:
        return (
            "all but one participant have the same score: without that one there is nothing to tell"
            " apart"
        )
    return ""


def least_error(features: np.ndarray, target: np.ndarray, participants: Sequence[str]) -> float:
    """The strength of the ridge, of `ALPHAS`, with the least squared error on participants left out
    of the fit, one at a time.

    All visits of a participant are left out together: visits of one person resemble each other, so
    that a ridge which recognises people would seem to predict. Imputation and scaling are fitted
    within each inner fold. Of equal strengths the weakest is taken.

    Args:
        features: (visit, feature), NaN where missing.
        target: (visit,) clinician's score.
        participants: (visit,) whose visit it is; two people at least.
    """
    owners, alphas = np.asarray(participants), np.array(ALPHAS)[:, None]
    errors = np.zeros(len(ALPHAS))
    for owner in np.unique(owners):
        inner, held_out = owners != owner, owners == owner
        preprocessing = _preprocessing().fit(features[inner])
        u, scale, axes = np.linalg.svd(
            preprocessing.transform(features[inner]), full_matrices=False
        )  # one fit for every strength
        mean = target[inner].mean()
        shrunk = scale / (scale**2 + alphas) * (u.T @ (target[inner] - mean))  # (alpha, axis)
        predicted = (
            mean + shrunk @ axes @ preprocessing.transform(features[held_out]).T
        )  # (alpha, visit)
        errors += ((predicted - target[held_out]) ** 2).sum(axis=1)
    return ALPHAS[int(errors.argmin())]


def _preprocessing() -> "Pipeline":
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
    )


def _matrix(
    keys: Sequence[Key], features: Mapping[Key, Mapping[str, float]], names: Sequence[str]
) -> np.ndarray:
    return np.array([[features[key][name] for name in names] for key in keys])


def rated_panel(clips: Sequence[Clip], score: Score) -> str | None:
    """The panel whose machine score a clinician's score rates: "action" for "umrs_action" or
    "action", "" for the total; None for neither.
    """
    panel = score.of.lower().removeprefix("umrs_")
    if panel == "total":
        return ""
    return panel if panel in {panel_of(clip) for clip in clips} else None


def rated_visits(clips: Sequence[Clip], score: Score) -> dict[Key, float]:
    """(participant, visit) -> mean of the clinician's score over the rated clips, of the score's
    panel if it has one.
    """
    panel = rated_panel(clips, score)
    values: dict[Key, list[float]] = {}
    for clip in clips:
        value = clip.scores.get(score.name)
        if value is not None and panel in (None, "", panel_of(clip)):
            values.setdefault((clip.participant_id, clip.covariates.get("visit", "")), []).append(
                value
            )
    return {key: float(np.mean(own)) for key, own in values.items()}
