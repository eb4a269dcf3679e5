"""Check for confounds: does centre, camera, light or size alone predict a label above chance?"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from semiology.evaluation.audit.check import Check, Finding, answer
from semiology.evaluation.audit.copies import unknown_clips
from semiology.evaluation.audit.records import TEST_SET, Run
from semiology.evaluation.run.files import split_of
from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.statistics.comparison import holm
from semiology.evaluation.statistics.metrics import auc_of_rows, macro_auc
from semiology.evaluation.statistics.permutation import many_permutations

PERMUTATIONS = 1999  # of the participants' labels: the smallest p is 0.0005 [our choice]
EACH = 40  # more of them where there are many tests: p is below LEVEL even after correction
AT_ONCE = 256  # labellings held at a time, and taken for the AUC by chance [our choice]
LEVEL = 0.05  # after Holm's correction over all labels and confounds [our choice]
MOST_NAMES = 100  # different entries of a column; what grows with the cohort is a name [our choice]
ROUNDING = 1e-9
QUESTION = "Does a property of the recording, rather than the patient's signs, predict a label?"
MEASURED = {
    "resolution": ("width", "height"),
    "frame rate": ("fps",),
    "duration": ("duration",),
    "brightness and colour": ("brightness", "colour"),
    "night infrared": ("infrared",),
}
NAMED = ("centre", "camera")  # covariates whose absence is reported
DURATION = "duration"  # warns only: how long a seizure lasts is a sign too
TOGETHER = "all of these together"


@dataclass(frozen=True)
class Asked:
    """What is known of the clips of one label.

    Attributes:
        label: its name.
        participants: (clip,).
        sides: (clip,) 1 in the unseen set, else 0.
        targets: (clip,) codes of classes.
        confounds: name -> (clip, feature).
    """

    label: str
    participants: np.ndarray
    sides: np.ndarray
    targets: np.ndarray
    confounds: dict[str, np.ndarray]


@dataclass(frozen=True)
class Tested:
    """One label by one confound: AUC of the fit, the same by chance, p, p after Holm's
    correction.
    """

    label: str
    confound: str
    auc: float
    chance: float
    p: float
    holm: float = 1.0

    def __str__(self) -> str:
        return (
            f"{self.label} by {self.confound} alone: AUC {self.auc:.2f} ({self.chance:.2f} by"
            f" chance), p = {self.p:.4f}, {self.holm:.3f} after correction"
        )


def check_confounds(run: Run) -> Check:
    """No confound alone, nor all together, predicts a label above chance.

    `closeness` of label and confound against 1,999 permutations of the labels between participants,
    within development and unseen set; of a confound with numbers and names the larger of both, in
    standard deviations over the permutations. Failed where p < 0.05 after Holm's correction.
    Duration is tested too, but only reported: how long a seizure lasts is a sign. A column that
    makes the split is none: all of a fold, or of a set, have one value of it.
    """
    if run.sources is None:
        return answer("confounds", QUESTION, [], run.unsourced, "", "")
    questions, not_tested, missing = [], [], unknown_clips(run, run.sources["clips"])
    for label, rows in run.table.groupby("label", sort=False):
        truths = dict(zip(rows["clip_id"], rows["truth"]))
        unseen = set(rows.loc[rows["task"].str.endswith(TEST_SET), "clip_id"])
        clips = {
            clip_id: run.sources["clips"][clip_id]
            for clip_id in truths
            if clip_id in run.sources["clips"]
        }
        if len({clip["participant_id"] for clip in clips.values()}) < 3:
            text = f"{label}: fewer than three participants in sources.json"
            missing.append(Finding("few-participants", text, (str(label),)))
            continue
        if len(set(truths.values())) < 2:
            text = f"{label}: all clips are {rows['truth'].iloc[0]}"
            not_tested.append(Finding("not-tested", text, (str(label),)))
            continue
        sides = np.array([clip_id in unseen for clip_id in clips], dtype=int)
        confounds, skipped = confounds_of(clips, sides, _splitting(run, rows["task"].unique()))
        not_tested += [
            Finding("not-tested", f"{label}: {why}", (str(label), name)) for name, why in skipped
        ]
        participants = np.array([clip["participant_id"] for clip in clips.values()])
        targets = _codes([truths[clip_id] for clip_id in clips], rows, run)
        asked = f"{label} above its median" if run.scores else str(label)
        questions.append(Asked(asked, participants, sides, targets, confounds))
    permutations = max(PERMUTATIONS, EACH * sum(len(asked.confounds) for asked in questions))
    tests = _holm([test for asked in questions for test in outcomes(asked, permutations)])
    findings = [
        Finding("confound-test", str(test), (test.label, test.confound))
        for test in sorted(tests, key=lambda test: test.p)
    ] + not_tested
    significant = [test for test in tests if test.holm < LEVEL]
    failing = [test for test in significant if test.confound != DURATION]
    by_duration = [test for test in significant if test.confound == DURATION]
    if failing:
        count = f" ({len(failing)} in total)" if len(failing) > 1 else ""
        return Check("confounds", QUESTION, "failed", f"{failing[0]}{count}", findings)
    if missing:
        return answer("confounds", QUESTION, [], missing, "", "")
    known = {name.lower() for clip in run.sources["clips"].values() for name in clip["covariates"]}
    unrecorded = "".join(
        f"; there is no column {name}"
        for name in NAMED
        if not any(name in column for column in known)
    )
    if not tests:
        return Check(
            "confounds",
            QUESTION,
            "passed",
            f"no recorded confound differs between clips{unrecorded}",
            findings,
        )
    least = min(tests, key=lambda test: test.p)
    found = (
        f"none fails; significant, but a sign too: {'; '.join(map(str, by_duration))}"
        if by_duration
        else f"none of {len(tests)} tests is significant after correction; smallest p: {least}"
    )
    return Check("confounds", QUESTION, "passed", found + unrecorded, findings)


def _codes(truths: list[Any], rows: pd.DataFrame, run: Run) -> np.ndarray:
    """(clip,) codes of classes; of ratings and numbers the half above their median [our choice]."""
    if run.scores:
        return (np.array(truths) > np.median(truths)).astype(int)
    codes = {level: number for number, level in enumerate(levels_of(rows))}
    return np.array([codes[truth] for truth in truths])


def _splitting(run: Run, tasks: Iterable[str]) -> set[str]:
    """Columns by which all of these tasks are split: every value is held out whole."""
    columns = []
    for task in tasks:
        split = split_of(run.config, task)
        own = {split.get("column")} if split.get("by") == "centre" else set()
        columns.append(own | {split.get("set")})
    return {str(name) for name in set.intersection(*columns) if name}


def confounds_of(
    clips: Mapping[str, dict[str, Any]],
    sides: np.ndarray | None = None,
    splitting: Collection[str] = (),
) -> tuple[dict[str, np.ndarray], list[tuple[str, str]]]:
    """Features of every confound that differs between clips, and the confounds left out.

    Args:
        clips: of sources.json.
        sides: (clip,) parts of the cohort; what differs between them only is left out.
        splitting: columns that make the split.

    Returns:
        confound -> (clip, feature), "all of these together" among them; and (confound, reason) of
        those that are not tested.
    """
    found: dict[str, np.ndarray] = {}
    skipped = []
    for name, parts in MEASURED.items():
        columns = [_numbers([_coarse(clip.get(part)) for clip in clips.values()]) for part in parts]
        found[name] = np.hstack(columns)
    participants = len({clip["participant_id"] for clip in clips.values()})
    for name in sorted({name for clip in clips.values() for name in clip["covariates"]}):
        if name in splitting:
            skipped.append((name, f"{name} makes the split; each of its values is on one side"))
            continue
        values = [clip["covariates"].get(name) for clip in clips.values()]
        words, which = np.unique([str(value) for value in values], return_inverse=True)
        few = len(words) <= min(max(participants / 2, 2), MOST_NAMES)
        indicators = np.eye(len(words))[which] if few else np.empty((len(values), 0))
        try:
            numbers = _numbers([None if value is None else float(value) for value in values])
        except (ValueError, TypeError):
            if not few:
                why = f"{name} has {len(words)} different entries among {participants} participants"
                skipped.append((name, f"{why}, too many to test"))
                continue
            found[name] = indicators
        else:
            # both, since with centres 1, 2 and 3 it may be the second that predicts the label
            found[name] = np.hstack([numbers, indicators])
    found = {name: features for name, features in found.items() if (features != features[0]).any()}
    if sides is not None:
        for name in [name for name, own in found.items() if not _differs(own, sides)]:
            del found[name]
            skipped.append((name, f"{name} differs between development and unseen set only"))
    if len(found) > 1:
        found[TOGETHER] = np.hstack(
            [features for name, features in found.items() if name != DURATION]
        )
    return found, skipped


def _differs(features: np.ndarray, sides: np.ndarray) -> bool:
    """Whether clips of one side differ."""
    return any((own != own[0]).any() for own in (features[sides == side] for side in set(sides)))


def _coarse(value: float | None) -> float | None:
    """A measured number rounded to two decimals: finer differences are the codec's [our choice]."""
    return None if value is None else round(value, 2)


def _numbers(values: list[float | None]) -> np.ndarray:
    """Numbers with the mean where missing, and whether they are missing: (clip, 2)."""
    given = np.array([np.nan if value is None else float(value) for value in values])
    absent = ~np.isfinite(given)
    mean = given[~absent].mean() if (~absent).any() else 0.0
    return np.column_stack([np.where(absent, mean, given), absent])


def outcomes(asked: Asked, permutations: int) -> Iterator[Tested]:
    """Every confound of a label, with the same permutations of its labels."""
    if not asked.confounds:
        return
    labels = np.tile(asked.targets, (1 + permutations, 1))
    rng = np.random.default_rng(0)
    for side in np.unique(asked.sides):
        own = asked.sides == side
        labels[1:, own] = many_permutations(
            asked.participants[own], asked.targets[own], permutations, rng
        )
    _, owner, count = np.unique(asked.participants, return_inverse=True, return_counts=True)
    weights = 1 / (len(count) * count[owner])
    for confound, given in asked.confounds.items():
        features, names = standardised(given, weights, asked.sides), names_of(given)
        parts = [own for own in (features[:, ~names], features[:, names]) if own.any()]
        sums = np.concatenate(
            [
                [closeness(own, weights, labels[start : start + AT_ONCE]) for own in parts]
                for start in range(0, len(labels), AT_ONCE)
            ],
            axis=1,
        )
        spread = sums.std(axis=1, keepdims=True)
        found = (sums - sums.mean(axis=1, keepdims=True)) / np.where(
            spread > ROUNDING**2, spread, 1
        )
        areas = fitted_areas(parts[found[:, 0].argmax()], weights, labels[:AT_ONCE])
        best = found.max(axis=0)
        p = (1 + (best[1:] >= best[0] - ROUNDING).sum()) / (1 + permutations)
        chance = float(np.nanmedian(areas[1:]))
        yield Tested(asked.label, confound, float(areas[0]), chance, float(p))


def standardised(features: np.ndarray, weights: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Features (clip, feature) less the mean of their side, numbers in standard deviations; names,
    a column of 0 and 1 each, as they are.
    """
    centred = features - features.mean(axis=0)
    for side in np.unique(sides):
        own = sides == side
        centred[own] -= np.average(centred[own], axis=0, weights=weights[own])
    spread = np.sqrt(weights @ centred**2)
    return centred / np.where(names_of(features) | (spread < ROUNDING), 1, spread)


def names_of(features: np.ndarray) -> np.ndarray:
    """(feature,) whether it is a name, or whether a number is missing: 0 or 1."""
    return np.asarray(np.isin(features, (0, 1)).all(axis=0))


def closeness(features: np.ndarray, weights: np.ndarray, labellings: np.ndarray) -> np.ndarray:
    """(labelling,) sum of the squared `covariances`."""
    return (covariances(features, weights, labellings) ** 2).sum(axis=(0, 2))


def covariances(features: np.ndarray, weights: np.ndarray, labellings: np.ndarray) -> np.ndarray:
    """Covariance of each class and each feature.

    Every participant counts once, whatever the number of clips. Nothing is held out, and a square
    has no sign, so that nothing can turn round: where a column says little, the pooled
    leave-one-subject-out AUC lies far below 0.5, as the prevalence among the others is the lower
    the more often the one left out has the sign. What a fit gains by chance it gains under permuted
    labels too.

    Args:
        features: (clip, feature), `standardised`.
        weights: (clip,) that sum to 1.
        labellings: (labelling, clip) codes of classes.

    Returns:
        (class, labelling, feature); of two classes the second alone.
    """
    codes = np.unique(labellings)
    return np.stack(
        [
            ((labellings == code) * weights) @ features
            for code in (codes[-1:] if len(codes) == 2 else codes)
        ]
    )


def fitted_areas(features: np.ndarray, weights: np.ndarray, labellings: np.ndarray) -> np.ndarray:
    """(labelling,) AUC of the clips' values in the direction of these covariances, on the clips
    that gave it: mean over classes, each against the others.
    """
    codes = np.unique(labellings)
    return macro_auc(
        np.stack(
            [
                auc_of_rows(labellings == code, (direction @ features.T).round(9))
                for code, direction in zip(
                    codes[-1:] if len(codes) == 2 else codes,
                    covariances(features, weights, labellings),
                )
            ]
        )
    )


def _holm(tests: list[Tested]) -> list[Tested]:
    """The tests with Holm's correction of their p."""
    return [
        replace(test, holm=corrected) for test, corrected in zip(tests, holm([t.p for t in tests]))
    ]
