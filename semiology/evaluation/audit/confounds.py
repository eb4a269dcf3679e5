"""Labels that a confound predicts: a tiny model on centre, camera, light or size alone, beside what
it gives with exchanged labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from semiology.evaluation.audit.check import Check, answer
from semiology.evaluation.audit.copies import unknown_clips
from semiology.evaluation.audit.records import Run
from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.statistics.permutation import LosoRidge, permute_labels

PERMUTATIONS = 1999  # exchanges of the participants' labels: no p below 0.0005. [our choice]
LEVEL = 0.05  # after Holm's correction over all labels and confounds. [our choice]
QUESTION = "Does something about the recording, rather than the patient's signs, predict a label?"
MEASURED = {
    "resolution": ("width", "height"),
    "frame rate": ("fps",),
    "duration": ("duration",),
    "brightness and colour": ("brightness", "colour"),
}
NAMED = ("centre", "camera")  # covariates whose absence is told
DURATION = "duration"  # warns only: how long a seizure lasts is a sign too


@dataclass(frozen=True)
class Tested:
    """One label by one confound: AUC over participants left out in turn, its p, and p after Holm."""

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
    """No confound by itself, and not all together, predict a label above chance; each participant
    is left out in turn.

    Ridge regression on the confound (names as indicators), AUC of the pooled scores (mean over
    levels, each against the others), against 1,999 exchanges of the participants' labels. Failed
    where p < 0.05 after Holm. Duration is judged alike but only told.
    """
    if run.sources is None:
        return answer("confounds", QUESTION, [], [run.unsourced], "", "")
    tests, untold, missing = [], [], unknown_clips(run, run.sources["clips"])
    for label, rows in run.table.groupby("label", sort=False):
        truths = dict(zip(rows["clip_id"], rows["truth"]))
        clips = {
            clip_id: run.sources["clips"][clip_id]
            for clip_id in truths
            if clip_id in run.sources["clips"]
        }
        if len({clip["participant_id"] for clip in clips.values()}) < 3:
            missing.append(f"{label}: fewer than three participants in sources.json")
            continue
        confounds, skipped = confounds_of(clips)
        untold += [f"{label}: {why}" for why in skipped]
        people = np.array([clip["participant_id"] for clip in clips.values()])
        targets = np.array([levels_of(rows).index(truths[clip_id]) for clip_id in clips])
        labellings = exchanged(people, targets) if confounds else targets[None]
        tests += [
            Tested(str(label), name, *_test(features, people, labellings))
            for name, features in confounds.items()
        ]
    tests = _holm(tests)
    details = [str(test) for test in sorted(tests, key=lambda test: test.p)] + untold
    bad = [test for test in tests if test.holm < LEVEL and test.confound != DURATION]
    long = [test for test in tests if test.holm < LEVEL and test.confound == DURATION]
    worth = "; ".join(f"worth a look: {test}" for test in long)
    if bad:
        return Check(
            "confounds",
            QUESTION,
            "failed",
            f"{bad[0]}" + (f" ({len(bad)} such)" if len(bad) > 1 else ""),
            details,
        )
    if missing:
        return answer("confounds", QUESTION, [], missing, "", "")
    known = {name.lower() for clip in run.sources["clips"].values() for name in clip["covariates"]}
    unrecorded = "".join(
        f"; no column {name} was recorded"
        for name in NAMED
        if not any(name in column for column in known)
    )
    if not tests:
        return Check(
            "confounds",
            QUESTION,
            "passed",
            f"no confound that was recorded differs between clips{unrecorded}",
            details,
        )
    least = min(tests, key=lambda test: test.p)
    found = (
        f"none of {len(tests)} tests after correction; least p: {least}"
        if not worth
        else f"none that fails; {worth}"
    )
    return Check("confounds", QUESTION, "passed", found + unrecorded, details)


def confounds_of(clips: Mapping[str, dict[str, Any]]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Confound -> (clip, feature) of those that differ between clips, "all together" among them;
    and why others are not judged.
    """
    found: dict[str, np.ndarray] = {}
    skipped = []
    for name, parts in MEASURED.items():
        columns = [_numbers([_coarse(clip.get(part)) for clip in clips.values()]) for part in parts]
        found[name] = np.hstack(columns)
    people = len({clip["participant_id"] for clip in clips.values()})
    for name in sorted({name for clip in clips.values() for name in clip["covariates"]}):
        values = [clip["covariates"].get(name) for clip in clips.values()]
        words = sorted({str(value) for value in values})
        few = len(words) <= max(people / 2, 2)
        indicators = np.array([[str(value) == word for word in words] for value in values], float)
        try:
            numbers = _numbers([None if value is None else float(value) for value in values])
        except (ValueError, TypeError):
            if not few:
                skipped.append(
                    f"{name} has {len(words)} different entries among {people} participants, too"
                    " many to carry over to others"
                )
                continue
            found[name] = indicators
        else:
            found[name] = (
                np.hstack([numbers, indicators]) if few else numbers
            )  # of centre 1, 2 and 3 the second may be the one
    found = {name: features for name, features in found.items() if (features != features[0]).any()}
    if len(found) > 1:
        found["all of these together"] = np.hstack(
            [features for name, features in found.items() if name != DURATION]
        )
    return found, skipped


def _coarse(value: float | None) -> float | None:
    """A measured number to two decimals: a hundredth of brightness is not seen, and what is finer
    is the codec's noise. [our choice]
    """
    return None if value is None else round(value, 2)


def _numbers(values: list[float | None]) -> np.ndarray:
    """(clip, 2): the numbers, their mean where one is missing, and whether it is."""
    given = np.array([np.nan if value is None else float(value) for value in values])
    absent = ~np.isfinite(given)
    mean = given[~absent].mean() if (~absent).any() else 0.0
    return np.column_stack([np.where(absent, mean, given), absent])


def exchanged(people: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(1 + PERMUTATIONS, clip) labels, the true ones first."""
    rng = np.random.default_rng(0)
    return np.vstack(
        [targets, *(permute_labels(people, targets, rng) for _ in range(PERMUTATIONS))]
    )


def _test(features: np.ndarray, people: np.ndarray, labellings: np.ndarray) -> tuple[float, float]:
    """AUC of the first labelling, and its p among all of them."""
    ridge = LosoRidge(features, people)
    levels = [1] if labellings.max() == 1 else np.unique(labellings)
    values = np.nanmean([ridge.metric("auc", labellings == level) for level in levels], axis=0)
    return float(values[0]), float(
        (1 + (values[1:] >= values[0] - 1e-12).sum()) / (1 + PERMUTATIONS)
    )


def _holm(tests: list[Tested]) -> list[Tested]:
    """The same tests with p after Holm: the k-th smallest times the number of those not smaller,
    never below a smaller one's.
    """
    highest = 0.0
    corrected = {}
    for rank, number in enumerate(sorted(range(len(tests)), key=lambda number: tests[number].p)):
        highest = max(highest, min(1.0, tests[number].p * (len(tests) - rank)))
        corrected[number] = highest
    return [
        Tested(test.label, test.confound, test.auc, test.p, corrected[number])
        for number, test in enumerate(tests)
    ]
