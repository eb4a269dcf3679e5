"""Permutation tests: permuted labels, the exact null of a ridge classifier, models compared."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from test_metrics import LEVELS, cohort, predictions

from semiology.errors import UserError
from semiology.evaluation.statistics.comparison import (
    discordant_clips,
    holm,
    mcnemar,
    paired_permutation_test,
    pairs_to_compare,
)
from semiology.evaluation.statistics.out_of_fold import OutOfFold
from semiology.evaluation.statistics.permutation import (
    LosoRidge,
    all_permutations,
    compare_with_null,
    describe_resolution,
    permutation_test,
    permute_labels,
    westfall_young,
)
from semiology.evaluation.statistics.results import evaluate

PARTICIPANT = np.repeat(np.arange(7), [1, 2, 3, 1, 2, 2, 1])


def test_a_permutation_keeps_the_labels_of_a_participant_together():
    participants, targets = ["b", "a", "b", "c"], np.array([1, 0, 2, 3])
    seen = {
        tuple(permute_labels(participants, targets, np.random.default_rng(seed)))
        for seed in range(400)
    }
    # a has [0], b has [1, 2], c has [3]: six ways to assign the lists, b's in either order; short
    # ones repeat, of long ones some are taken
    ways = {(1, 0, 2, 3), (1, 3, 2, 0), (0, 1, 0, 3), (0, 3, 0, 1), (3, 0, 3, 1), (3, 1, 3, 0)}
    assert seen == ways | {tuple({1: 2, 2: 1}.get(label, label) for label in way) for way in ways}


def test_a_permutation_changes_labels_where_almost_all_participants_have_the_same():
    participants = np.repeat(np.arange(12), 2)[
        :-1
    ]  # a clip with the sign and one without; the last person has one clip
    targets = np.tile([0, 1], 12)[:-1]
    kept = [
        np.mean(permute_labels(participants, targets, np.random.default_rng(seed)) == targets)
        for seed in range(200)
    ]
    assert 0.45 < np.mean(kept) < 0.6


def test_a_permutation_shuffles_where_all_participants_have_the_same_labels():
    participants, targets = ["a", "a", "b", "b"], np.array([0, 1, 0, 1])
    seen = {
        tuple(permute_labels(participants, targets, np.random.default_rng(seed)))
        for seed in range(60)
    }
    assert seen == {(0, 1, 0, 1), (0, 1, 1, 0), (1, 0, 0, 1), (1, 0, 1, 0)}


def test_all_permutations_are_all_of_them_once():
    labels = np.array([1, 0, 0, 1, 0, 0, 0])[PARTICIPANT]
    rows = all_permutations(PARTICIPANT, labels)
    assert rows.shape == (21, 12) and len(set(map(tuple, rows.tolist()))) == 21  # 7 choose 2
    assert all(len(set(row[who == PARTICIPANT])) == 1 for row in rows for who in range(7))
    assert labels.tolist() in rows.tolist()
    with pytest.raises(UserError, match="one label a participant"):
        all_permutations([1, 1, 2], [0, 1, 1])
    with pytest.raises(UserError, match="more than 200000"):
        all_permutations(np.arange(30), np.arange(30) % 2)


@pytest.mark.parametrize("features", [3, 40])
def test_ridge_scores_are_those_of_folds_fitted_one_by_one(features):
    draw = np.random.default_rng(features)
    x, labels = (
        draw.normal(size=(len(PARTICIPANT), features)),
        draw.integers(0, 2, len(PARTICIPANT)),
    )
    expected = np.empty(len(PARTICIPANT))
    for who in range(7):
        training = who != PARTICIPANT
        scaler = StandardScaler().fit(x[training])
        fitted = Ridge(alpha=2.0).fit(scaler.transform(x[training]), 2 * labels[training] - 1)
        expected[~training] = fitted.predict(scaler.transform(x[~training]))
    model = LosoRidge(x, PARTICIPANT, alpha=2.0)
    assert model.scores(labels) == pytest.approx(expected)
    assert model.metric("auc", labels)[0] == pytest.approx(roc_auc_score(labels, expected))
    assert model.metric("accuracy", labels)[0] == pytest.approx(((expected > 0) == labels).mean())


def test_exact_and_random_null_agree_and_a_real_difference_has_the_smallest_p():
    draw = np.random.default_rng(1)
    people = np.repeat(np.arange(12), 2)
    labels = (np.arange(12) % 2)[people]
    noise = draw.normal(size=(24, 3))
    model = LosoRidge(noise, people)
    exact, random = (
        model.permutation_test(labels),
        model.permutation_test(labels, n_permutations=2000, seed=3),
    )
    assert exact.exact and len(exact.null) == 924 and exact.resolution == 1 / 924
    assert random.p == pytest.approx(exact.p, abs=0.03) and random.resolution == 1 / 2001
    separated = LosoRidge(noise + 9 * labels[:, None], people).permutation_test(labels)
    assert separated.value == 1 and separated.p <= 2 / 924  # its mirror image separates as well
    with pytest.raises(UserError, match="clip 3"):
        LosoRidge(np.where(np.arange(24)[:, None] == 3, np.nan, noise), people)


def test_p_counts_the_right_tail_and_states_its_resolution():
    assert compare_with_null(0.8, [0.5, 0.9, None])["p"] == pytest.approx(2 / 3)
    assert compare_with_null(0.2, [0.1, 0.3, 0.4], lower_is_better=True)["p"] == pytest.approx(
        2 / 4
    )
    assert compare_with_null(0.2, [0.1, 0.3, 0.4])["resolution"] == 0.25
    assert (
        describe_resolution(9) == "9 permutations of the labels: the smallest possible p is 0.1,"
        " so that nothing can be significant at 5 %"
    )
    assert describe_resolution(19).endswith(" 0.05")


def test_a_permutation_test_of_any_statistic_permutes_participants_and_trains_again():
    people = np.repeat(np.arange(6), 2)
    labels, seen = (np.arange(6) % 2)[people], []

    def statistic(given):
        seen.append(tuple(given))
        return np.nan if len(seen) % 10 == 0 else float((given == labels).mean())

    found = permutation_test(statistic, people, labels, n_permutations=199, seed=1)
    assert found.value == 1 and not found.exact and len(seen) == 200 and seen[0] == tuple(labels)
    assert all(len(set(clips[2 * who : 2 * who + 2])) == 1 for clips in seen for who in range(6))
    assert len(found.null) == 199 - 20  # every tenth of 200 values is undefined and does not count
    assert found.p == (1 + (found.null == 1).sum()) / 180 and found.resolution == 1 / 180
    # 6 choose 3 = 20 labellings: one in 20 is the true one
    assert found.p == pytest.approx(1 / 20, abs=0.03)
    worst = permutation_test(
        lambda given: float((given == labels).mean()),
        people,
        labels,
        n_permutations=19,
        lower_is_better=True,
    )
    assert worst.p == 1


def test_models_together_need_more_than_the_best_by_itself():
    draw = np.random.default_rng(0)
    null = {name: draw.normal(0.5, 0.1, 999).tolist() for name in "abcdefgh"}
    found = westfall_young({name: 0.7 if name == "a" else 0.5 for name in null}, null)
    alone = compare_with_null(0.7, null["a"])["p"]
    assert found["adjusted"]["a"] == found["p"] and 4 * alone < found["p"] < 12 * alone
    one = westfall_young({"a": 0.7}, {"a": null["a"]})
    assert one["p"] == pytest.approx(alone)
    with pytest.raises(ValueError, match="a null each"):
        westfall_young({"a": 0.7, "b": 0.5}, {"a": [0.1, 0.2], "b": [0.1]})


def test_models_of_a_run_with_the_same_permutations_are_tested_together():
    truth, score, participant = cohort()
    table = pd.concat(
        [predictions(truth, score, participant, model=name) for name in ("agcn", "tcn", "linear")]
    )
    draw = np.random.default_rng(0)
    nulls = {
        name: {"auc": draw.normal(0.45, 0.1, n).tolist()}
        for name, n in (("agcn", 39), ("tcn", 39), ("linear", 199))
    }
    result = evaluate(table, draws=50, null={"dystonia (pose)": nulls})
    found = result["together"]
    assert found["models"] == 2 and set(found["adjusted"]) == {
        "dystonia (pose) / agcn",
        "dystonia (pose) / tcn",
    }
    alone = result["tasks"]["dystonia (pose)"]["models"]["agcn"]["metrics"]["auc"]["null"]
    assert alone["p"] <= found["p"] and found["resolution"] == alone["resolution"] == 1 / 40
    assert (
        result["method"]["permutations"] == f"{describe_resolution(39)}; {describe_resolution(199)}"
    )
    assert evaluate(table, draws=50)["together"] is None


def test_mcnemar_gives_the_published_example():
    assert mcnemar(2, 9) == pytest.approx(0.06543, abs=5e-6)  # Fay, vignette of exact2x2
    assert mcnemar(0, 0) == 1 and mcnemar(5, 5) == 1


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([]) == []


def test_pairs_are_those_with_the_first_and_the_distilled_ones():
    assert pairs_to_compare(["agcn", "tcn", "tcn_kd"]) == [
        ("tcn", "agcn"),
        ("tcn_kd", "agcn"),
        ("tcn_kd", "tcn"),
    ]
    assert (
        pairs_to_compare(["agcn", "agcn_kd"]) == [("agcn_kd", "agcn")]
        and pairs_to_compare(["tcn"]) == []
    )


def test_exchanging_models_is_the_sign_test_where_they_differ_by_participant():
    # one clip each; a is right in all of 6, b in none: |difference| = 1 is reached by 2 of 64
    # exchanges
    truth, people = np.array([0, 1, 0, 1, 0, 1]), [f"P{number}" for number in range(6)]
    a = OutOfFold.of(predictions(truth, truth * 0.8 + 0.1, people), LEVELS)
    b = OutOfFold.of(predictions(truth, 0.9 - truth * 0.8, people), LEVELS)
    assert discordant_clips(a, b) == (6, 0)
    assert paired_permutation_test(a, b, "accuracy", 64) == pytest.approx(2 / 64)
    assert paired_permutation_test(a, a, "accuracy", 64) == 1
    by_hand = [abs(sum(signs)) / 6 >= 1 for signs in product([-1, 1], repeat=6)]
    assert np.mean(by_hand) == pytest.approx(2 / 64)


def test_clips_of_one_participant_do_not_make_a_difference_significant():
    # 5 participants with 20 clips each: by clips the difference is beyond doubt, by participants it
    # is not
    people = np.repeat([f"P{number}" for number in range(5)], 20)
    truth = np.arange(100) % 2
    table = pd.concat(
        [
            predictions(truth, truth * 0.8 + 0.1, people),
            predictions(
                truth,
                np.where(people < "P4", 0.9 - truth * 0.8, truth * 0.8 + 0.1),
                people,
                model="tcn",
            ),
        ]
    )
    found = next(
        entry
        for entry in evaluate(table, draws=500)["tasks"]["dystonia (pose)"]["differences"]
        if entry["metric"] == "accuracy"
    )
    assert found["mcnemar_p"] < 1e-9 and found["p"] == pytest.approx(4 / 32)
    assert found["comparisons"] == 1 and found["p_corrected"] == found["p"]
