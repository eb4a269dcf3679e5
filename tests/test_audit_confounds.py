"""The check for confounds: by hand, on cohorts drawn without and with a confound, and on columns
that make the split.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from semiology.evaluation.audit.check import Check
from semiology.evaluation.audit.confounds import (
    Asked,
    check_confounds,
    confounds_of,
    covariances,
    fitted_areas,
    outcomes,
    standardised,
)
from semiology.evaluation.audit.records import Run
from semiology.evaluation.run.tasks import TEST_SET
from semiology.evaluation.statistics.permutation import many_permutations

COHORTS = 300  # drawn in each simulation
ALLOWED = int(binom.ppf(0.999, COHORTS, 0.05))  # of them below 0.05 by chance


def cohort(
    truths: list[str],
    columns: dict[str, list[object]],
    unseen: list[bool] | None = None,
    people: list[str] | None = None,
    config: dict | None = None,
) -> Run:
    """A run of one label with these columns; a clip a participant where `people` are not named."""
    count = len(truths)
    people = people or [f"p{number}" for number in range(count)]
    rows = pd.DataFrame(
        {
            "task": [
                f"sign (pose){TEST_SET if aside else ''}" for aside in unseen or [False] * count
            ],
            "label": "sign",
            "clip_id": [f"c{number}" for number in range(count)],
            "truth": truths,
            "scores": [{"absent": 0.5, "present": 0.5}] * count,
        }
    )
    clips = {
        f"c{number}": {
            "participant_id": people[number],
            "covariates": {name: str(own[number]) for name, own in columns.items()},
        }
        for number in range(count)
    }
    return Run(Path(), config or {}, rows, [], {"clips": clips, "weights": {}})


def codes_of(check: Check) -> list[tuple[str, tuple[str, ...]]]:
    return [(finding.code, finding.about) for finding in check.findings]


def test_covariances_by_hand_count_every_participant_once():
    # three participants, a third each: a with two clips
    weights = np.array([1 / 6, 1 / 6, 1 / 3, 1 / 3])
    names = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    features = standardised(names, weights, np.zeros(4, int))
    np.testing.assert_allclose(features[:, 0], [2 / 3, 2 / 3, -1 / 3, -1 / 3])
    labels = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]])
    found = covariances(features, weights, labels)
    # label of a: 1/3 x 2/3; of one of the others: 1/3 x -1/3; of one clip of a: 1/6 x 2/3
    np.testing.assert_allclose(found[0, :, 0], [2 / 9, -1 / 9, 1 / 9])
    # of a all above all others; of one of the other two: it ties with its like, wins over two
    np.testing.assert_allclose(fitted_areas(features, weights, labels)[:2], [1, 2.5 / 3])


def test_a_number_is_taken_in_standard_deviations_and_less_the_mean_of_its_side():
    weights = np.full(4, 0.25)
    found = standardised(np.array([[1.0], [3.0], [11.0], [13.0]]), weights, np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(found[:, 0], [-1, 1, -1, 1])


def test_of_eight_participants_the_exact_share_of_arrangements_is_p():
    # centre a of all with the sign: 2 of the 70 arrangements are as far apart
    targets = np.repeat([0, 1], 4)
    confounds = {"centre": np.eye(2)[targets]}
    asked = Asked("sign", np.arange(8), np.zeros(8, int), targets, confounds)
    [test] = outcomes(asked, 6999)
    assert test.auc == 1 and test.p == pytest.approx(2 / 70, abs=0.006)


def test_the_set_that_makes_the_split_is_no_confound_though_the_sign_is_rarer_in_it():
    """70 of 140 with the sign in development, 2 of 39 in the unseen set."""
    truths = ["present", "absent"] * 70 + ["present"] * 2 + ["absent"] * 37
    unseen = [False] * 140 + [True] * 39
    sets = ["unseen" if aside else "development" for aside in unseen]
    check = check_confounds(cohort(truths, {"set": sets}, unseen))
    assert check.result == "passed" and codes_of(check) == [("not-tested", ("sign", "set"))]
    # without an unseen set it is a column as any other, and goes with the label
    assert check_confounds(cohort(truths, {"set": sets})).result == "failed"
    # of the same share in both it does not, whatever its direction out of the fold
    even = ["present", "absent"] * 70 + ["present", "absent"] * 20
    check = check_confounds(cohort(even, {"set": ["development"] * 140 + ["unseen"] * 40}))
    assert check.result == "passed" and "AUC 0.50" in check.found


def test_a_column_by_which_the_folds_are_split_is_no_confound():
    truths, centres = ["present"] * 12 + ["absent"] * 12, ["north"] * 12 + ["south"] * 12
    run = cohort(truths, {"centre": centres})
    assert check_confounds(run).result == "failed"
    split = {"split": {"by": "centre", "column": "centre"}}
    check = check_confounds(cohort(truths, {"centre": centres}, config=split))
    assert check.result == "passed" and codes_of(check) == [("not-tested", ("sign", "centre"))]


def test_a_confound_within_the_development_set_is_found_beside_an_unseen_set():
    truths = ["present", "absent"] * 20
    unseen = [False] * 28 + [True] * 12
    rooms = ["ward" if truth == "present" else "lab" for truth in truths]
    check = check_confounds(cohort(truths, {"room": rooms}, unseen))
    assert check.result == "failed" and check.found.startswith("sign by room alone: AUC 1.00")


@pytest.mark.parametrize("clips", ["one each", "more with the sign", "sign in half of the clips"])
def test_clean_cohorts_are_not_failed_more_often_than_the_level_states(clips):
    rng, below = np.random.default_rng(1), 0
    for _ in range(COHORTS):
        sign = rng.permutation(np.repeat([0, 1], [18, 12]))
        each = {"one each": 1 + 0 * sign, "more with the sign": 1 + 3 * sign}.get(
            clips, 2 + 0 * sign
        )
        people = np.repeat(np.arange(30), each)
        targets = np.arange(60) % 2 if clips.startswith("sign in") else sign[people]
        rooms = rng.integers(4, size=30)[people]
        light = rng.normal(size=30)[people] + rng.normal(size=len(people))
        features = np.column_stack([light, np.eye(4)[rooms]])
        confounds = {"room and light": features}
        asked = Asked("sign", people, np.zeros(len(people), int), targets, confounds)
        [test] = outcomes(asked, 99)
        below += test.p <= 0.05
    assert 2 <= below <= ALLOWED


def test_planted_confounds_are_found_in_nearly_every_cohort():
    """A camera that two of three patients and one of three controls were filmed with, 120 people;
    and a number one standard deviation higher in patients.
    """
    rng, found = np.random.default_rng(2), np.zeros(2)
    for _ in range(60):
        sign = np.arange(120) % 2
        camera = rng.random(120) < np.where(sign == 1, 2 / 3, 1 / 3)
        light = rng.normal(size=120) + sign
        confounds = {"camera": np.eye(2)[camera.astype(int)], "light": light[:, None]}
        asked = Asked("sign", np.arange(120), np.zeros(120, int), sign, confounds)
        found += [test.p <= 0.05 for test in outcomes(asked, 99)]
    assert (found >= 54).all()


def test_many_tests_leave_room_below_the_level():
    """Of 150 tests a p of 1/2000 would be no less than 0.075 after correction."""
    truths, rooms = ["present", "absent"] * 12, ["a", "b"] * 12
    run = cohort(truths, {f"room {number}": rooms for number in range(50)})
    tables = [run.table.assign(label=f"sign {number}") for number in range(3)]
    check = check_confounds(Run(Path(), {}, pd.concat(tables), [], run.sources))
    assert check.result == "failed" and check.found.endswith("(153 in total)")  # 3 of all together


def test_many_permutations_are_those_of_the_rule():
    participants, targets = ["b", "a", "b", "c"], np.array([1, 0, 2, 3])
    found = many_permutations(participants, targets, 4000, np.random.default_rng(0))
    rows, times = np.unique(found, axis=0, return_counts=True)
    # six ways to assign the lists; b's two in either order, or one of two taken
    ways = {(1, 0, 2, 3), (1, 3, 2, 0), (0, 1, 0, 3), (0, 3, 0, 1), (3, 0, 3, 1), (3, 1, 3, 0)}
    twins = {tuple({1: 2, 2: 1}.get(label, label) for label in way) for way in ways}
    assert {tuple(row) for row in rows.tolist()} == ways | twins
    assert abs(times - 4000 / 12).max() < 90  # 5 standard deviations


def test_names_of_few_people_each_are_listed_and_not_tested():
    clips = {
        f"c{number}": {"participant_id": f"p{number}", "covariates": {"nurse": f"n{number}"}}
        for number in range(6)
    }
    found, skipped = confounds_of(clips)
    assert not found
    assert skipped == [
        ("nurse", "nurse has 6 different entries among 6 participants, too many to test")
    ]
    assert json.dumps(skipped)
