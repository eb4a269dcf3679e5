"""Check for confounds: does centre, camera, light or size alone predict a label above chance?"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from semiology.evaluation.audit.check import Check, Finding, answer
from semiology.evaluation.audit.copies import unknown_clips
from semiology.evaluation.audit.records import Run
from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.statistics.comparison import holm
from semiology.evaluation.statistics.permutation import LosoRidge, permute_labels

PERMUTATIONS = 1999  # of the participants' labels: the smallest p is 0.0005 [our choice]
LEVEL = 0.05  # after Holm's correction over all labels and confounds [our choice]
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


@dataclass(frozen=True)
class Tested:
    """One label by one confound: leave-one-subject-out AUC, p, and p after Holm's correction."""

    label: str
    confound: str
    auc: float
    p: float
    holm: float = 1.0

    def __str__(self) -> str:
        return (
            f"{self.label} by {self.confound} alone: AUC {self.auc:.2f}, p = {self.p:.4f},"
            f" {self.holm:.3f} after correction"
        )


def check_confounds(run: Run) -> Check:
    """No confound alone, nor all together, predicts a label above chance.

    Ridge regression on the confound (categories as indicators) in leave-one-subject-out
    cross-validation; AUC of the pooled scores (mean over classes, each against the others) against
    1,999 permutations of the participants' labels. Failed where p < 0.05 after Holm's correction.
    Duration is tested too, but only reported: how long a seizure lasts is a sign.
    """
    if run.sources is None:
        return answer("confounds", QUESTION, [], run.unsourced, "", "")
    tests, not_tested, missing = [], [], unknown_clips(run, run.sources["clips"])
    for label, rows in run.table.groupby("label", sort=False):
        truths = dict(zip(rows["clip_id"], rows["truth"]))
        clips = {
            clip_id: run.sources["clips"][clip_id]
            for clip_id in truths
            if clip_id in run.sources["clips"]
        }
        if len({clip["participant_id"] for clip in clips.values()}) < 3:
            text = f"{label}: fewer than three participants in sources.json"
            missing.append(Finding("few-participants", text, (str(label),)))
            continue
        confounds, skipped = confounds_of(clips)
        not_tested += [
            Finding("not-tested", f"{label}: {why}", (str(label), name)) for name, why in skipped
        ]
        participants = np.array([clip["participant_id"] for clip in clips.values()])
        targets = np.array([levels_of(rows).index(truths[clip_id]) for clip_id in clips])
        labellings = permuted(participants, targets) if confounds else targets[None]
        tests += [
            Tested(str(label), name, *_test(features, participants, labellings))
            for name, features in confounds.items()
        ]
    tests = _holm(tests)
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


def confounds_of(
    clips: Mapping[str, dict[str, Any]],
) -> tuple[dict[str, np.ndarray], list[tuple[str, str]]]:
    """Features of every confound that differs between clips, and the confounds left out.

    Returns confound -> (clip, feature), "all of these together" among them; and (confound, reason)
    of those that are not tested.
    """
    found: dict[str, np.ndarray] = {}
    skipped = []
    for name, parts in MEASURED.items():
        columns = [_numbers([_coarse(clip.get(part)) for clip in clips.values()]) for part in parts]
        found[name] = np.hstack(columns)
    participants = len({clip["participant_id"] for clip in clips.values()})
    for name in sorted({name for clip in clips.values() for name in clip["covariates"]}):
        values = [clip["covariates"].get(name) for clip in clips.values()]
        words = sorted({str(value) for value in values})
        few = len(words) <= max(participants / 2, 2)
        indicators = np.array([[str(value) == word for word in words] for value in values], float)
        try:
            numbers = _numbers([None if value is None else float(value) for value in values])
        except (ValueError, TypeError):
            if not few:
                skipped.append(
                    (
                        name,
                        f"{name} has {len(words)} different entries among {participants}"
                        " participants, too many to test",
                    )
                )
                continue
            found[name] = indicators
        else:
            # both, since with centres 1, 2 and 3 it may be the second that predicts the label
            found[name] = np.hstack([numbers, indicators]) if few else numbers
    found = {name: features for name, features in found.items() if (features != features[0]).any()}
    if len(found) > 1:
        found["all of these together"] = np.hstack(
            [features for name, features in found.items() if name != DURATION]
        )
    return found, skipped


def _coarse(value: float | None) -> float | None:
    """A measured number rounded to two decimals: finer differences are the codec's [our choice]."""
    return None if value is None else round(value, 2)


def _numbers(values: list[float | None]) -> np.ndarray:
    """Numbers with the mean where missing, and whether they are missing: (clip, 2)."""
    given = np.array([np.nan if value is None else float(value) for value in values])
    absent = ~np.isfinite(given)
    mean = given[~absent].mean() if (~absent).any() else 0.0
    return np.column_stack([np.where(absent, mean, given), absent])


def permuted(participants: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Labels (1 + PERMUTATIONS, clip): the true ones first, then random permutations."""
    rng = np.random.default_rng(0)
    return np.vstack(
        [targets, *(permute_labels(participants, targets, rng) for _ in range(PERMUTATIONS))]
    )


def _test(
    features: np.ndarray, participants: np.ndarray, labellings: np.ndarray
) -> tuple[float, float]:
    """AUC of the first labelling, and its p among all of them."""
    ridge = LosoRidge(features, participants)
    classes = [1] if labellings.max() == 1 else np.unique(labellings)
    values = np.nanmean([ridge.metric("auc", labellings == code) for code in classes], axis=0)
    return float(values[0]), float(
        (1 + (values[1:] >= values[0] - 1e-12).sum()) / (1 + PERMUTATIONS)
    )


def _holm(tests: list[Tested]) -> list[Tested]:
    """The tests with Holm's correction of their p."""
    return [
        replace(test, holm=corrected) for test, corrected in zip(tests, holm([t.p for t in tests]))
    ]
