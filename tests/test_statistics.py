"""Metrics beyond the confusion table, closed-form intervals against published values, units,
calibration, several labels at once.
"""

import json

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from test_metrics import LEVELS, cohort, predictions

from semiology.errors import UserError
from semiology.evaluation.statistics import metrics
from semiology.evaluation.statistics.calibration import reliability
from semiology.evaluation.statistics.intervals import (
    AT_BOUND,
    at_bound,
    bca_interval,
    delong,
    difference_interval,
    draw_participants,
    leave_one_out,
    wilson,
)
from semiology.evaluation.statistics.out_of_fold import OutOfFold
from semiology.evaluation.statistics.results import evaluate, values
from semiology.evaluation.statistics.units import ANY, MEAN, combine

TASK = "dystonia (pose)"


def evaluated(table: pd.DataFrame, **options) -> dict:
    return evaluate(table, **{"draws": 300} | options)["tasks"][TASK]["models"]["agcn"]


def test_predictive_values_and_correlation_by_hand():
    # 10 clips with the sign, of which 8 seen; 20 without, of which 5 taken for it
    table = np.array([[15.0, 5.0], [2.0, 8.0]])
    assert metrics.ppv(table) == pytest.approx(8 / 13)
    assert metrics.npv(table) == pytest.approx(15 / 17)
    assert metrics.mcc(table) == pytest.approx((8 * 15 - 5 * 2) / np.sqrt(13 * 10 * 20 * 17))
    assert np.isnan(metrics.ppv(np.array([[3.0, 0.0], [2.0, 0.0]])))  # nobody was called positive
    assert metrics.mcc(np.array([[3.0, 0.0], [2.0, 0.0]])) == 0


def test_average_precision_and_brier_by_hand():
    truth, score = [1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]
    # recall 1/2 at precision 1, then 1 at precision 2/3
    assert metrics.average_precision(truth, score, np.ones((1, 4)))[0] == pytest.approx(
        0.5 + 0.5 * 2 / 3
    )
    assert metrics.brier([1, 0], [[0.1, 0.9], [0.8, 0.2]]).tolist() == pytest.approx([0.01, 0.04])
    assert metrics.brier([2], [[0.2, 0.3, 0.5]]).tolist() == pytest.approx([0.04 + 0.09 + 0.25])


def test_auc_of_more_levels_is_the_mean_of_one_against_the_rest():
    draw = np.random.default_rng(2)
    truth, probability = draw.integers(0, 3, 40), draw.dirichlet(np.ones(3), 40)
    model = OutOfFold(
        tuple("abcde"),
        (0,),
        np.arange(40) % 5,
        truth,
        probability.argmax(1)[None],
        probability[None],
    )
    expected = sklearn.metrics.roc_auc_score(truth, probability, multi_class="ovr", average="macro")
    assert model.observed("auc")[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_table_of_newcombe_1998(hits, n, low, high):
    assert wilson(hits, n) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    with pytest.raises(ValueError, match="no proportion"):
        wilson(n + 1, n)


def test_delong_of_a_small_table_by_hand():
    # positives 3, 1 against negatives 2, 0: pairs won 1, 1, 0, 1 -> area 3/4; components of
    # positives 1, 1/2, of negatives 1/2, 1
    found = delong([1, 1, 0, 0], [3, 1, 2, 0])
    assert found.areas[0] == pytest.approx(0.75)
    assert found.covariance[0, 0] == pytest.approx(0.125 / 2 + 0.125 / 2)
    with pytest.raises(ValueError, match="two participants"):
        delong([1, 0, 0], [1, 2, 3])


def test_clustered_delong_is_delong_for_one_clip_each_and_counts_participants_for_many():
    truth, score, participant = cohort(seed=4, people=60)
    alone = delong(truth, score, np.arange(len(truth)))
    assert alone.covariance == pytest.approx(delong(truth, score).covariance)
    # ten copies of every participant's clips tell nothing new: the clustered error stays, the plain
    # one shrinks
    ten = delong(np.tile(truth, 10), np.tile(score, 10), np.tile(participant, 10))
    assert ten.errors[0] == pytest.approx(delong(truth, score, participant).errors[0])
    assert delong(np.tile(truth, 10), np.tile(score, 10)).errors[0] < 0.4 * ten.errors[0]


def test_widened_bca_is_students_interval_for_a_mean():
    draw = np.random.default_rng(0)
    sample = draw.normal(size=15)
    sample = np.concatenate([sample, -sample])  # symmetric: neither bias nor skewness
    weights = draw_participants(30, 40_000, seed=1)
    found = bca_interval(0.0, weights @ sample / 30, leave_one_out(30) @ sample / 29, 30)
    half = (
        2.0452 * sample.std(ddof=1) / np.sqrt(30)
    )  # Student's 97.5 % point with 29 degrees of freedom
    assert found.high == pytest.approx(half, rel=0.05) and found.low == pytest.approx(
        -half, rel=0.05
    )


def test_a_difference_has_a_symmetric_interval():
    found = difference_interval(0.1, np.random.default_rng(0).gamma(2, 0.1, 4000), 19)
    assert found.high - 0.1 == pytest.approx(0.1 - found.low) and found.high > 0.5


def test_a_perfect_value_gets_the_interval_of_its_participants():
    truth, _, participant = cohort()
    found = evaluated(predictions(truth, truth * 0.8 + 0.1, participant))["metrics"]
    assert (
        found["accuracy"]["low"] == pytest.approx(wilson(19, 19)[0])
        and found["accuracy"]["high"] == 1
    )
    assert found["auc"]["low"] == pytest.approx(
        wilson(9, 9)[0]
    )  # 10 participants with the sign, 9 without
    assert found["mcc"]["low"] == pytest.approx(2 * wilson(9, 9)[0] - 1)
    assert found["auc"]["interval"] == AT_BOUND
    assert at_bound(0.99, 0.0, 19) is None


def test_closed_forms_are_used_only_where_they_hold_and_are_named():
    truth, score, participant = cohort()
    several = evaluated(predictions(truth, score, participant), closed_form=True)
    assert "Obuchowski" in several["metrics"]["auc"]["interval"]
    assert "BCa" in several["metrics"]["accuracy"]["interval"]  # a participant has several clips
    assert several["by"]["participant"]["metrics"]["accuracy"]["interval"] == "Wilson"
    right = round(several["by"]["participant"]["metrics"]["accuracy"]["value"] * 19)
    assert several["by"]["participant"]["metrics"]["accuracy"]["low"] == pytest.approx(
        wilson(right, 19)[0]
    )


def test_clips_of_a_participant_with_one_truth_are_averaged():
    table = predictions([0, 0, 1, 1], [0.2, 0.6, 0.3, 0.9], ["P1", "P1", "P2", "P2"])
    combined, rule = combine(table, LEVELS, "participant")
    assert rule == MEAN
    assert combined["score"].tolist() == pytest.approx([0.4, 0.6])
    assert combined["predicted"].tolist() == LEVELS and combined["truth"].tolist() == LEVELS


def test_a_participant_with_clips_of_both_kinds_has_the_sign():
    table = predictions([0, 1, 0, 0], [0.2, 0.6, 0.3, 0.9], ["P1", "P1", "P2", "P2"])
    combined, rule = combine(table, LEVELS, "participant")
    assert rule == ANY
    assert combined["truth"].tolist() == ["present", "absent"]
    assert combined["score"].tolist() == pytest.approx([0.6, 0.9])
    assert combined["predicted"].tolist() == ["present", "present"]


def test_recordings_are_combined_and_refused_where_their_clips_disagree():
    table = predictions([0, 0, 1, 1], [0.2, 0.6, 0.3, 0.9], ["P1", "P1", "P2", "P2"])
    views = table.assign(recording_id=["a", "a", "b", "c"])
    found = evaluated(views)["by"]["recording"]
    assert found["n"] == 3 and found["metrics"]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert (
        evaluated(table)["by"]["recording"]["reason"]
        == "every recording has one clip: see the clips"
    )
    with pytest.raises(UserError, match="differ in truth"):
        combine(table.assign(recording_id=["a", "b", "b", "c"]), LEVELS, "recording")


def test_reliability_bins_and_error_by_hand():
    probability = np.array([0.1, 0.1, 0.9, 0.9])
    found = reliability([0, 1, 1, 1], np.stack([1 - probability, probability], 1))
    assert [(entry["n"], entry["mean_probability"], entry["share"]) for entry in found["bins"]] == [
        (2, 0.1, 0.5),
        (2, 0.9, 1.0),
    ]
    assert found["ece"] == pytest.approx(0.5 * 0.4 + 0.5 * 0.1)
    assert found["brier"] == pytest.approx((0.01 + 0.81 + 0.01 + 0.01) / 4)


def test_calibration_error_of_right_probabilities_is_what_is_reported():
    draw = np.random.default_rng(0)
    errors, estimates = [], []
    for _ in range(200):
        probability = draw.random(40)
        found = reliability(
            (draw.random(40) < probability).astype(int), np.stack([1 - probability, probability], 1)
        )
        errors.append(found["ece"])
        estimates.append(found["ece_if_right"])
    assert np.mean(estimates) == pytest.approx(np.mean(errors), abs=0.01) and np.mean(errors) > 0.08


def test_calibrated_probabilities_and_abstentions_are_evaluated_where_they_are():
    table = predictions([0, 0, 1, 1], [0.2, 0.6, 0.3, 0.9], ["P1", "P2", "P3", "P4"])
    assert (
        evaluated(table)["calibration"]["calibrated"] is None
        and evaluated(table)["abstention"] is None
    )
    table["calibrated"] = [{"absent": 1 - p, "present": p} for p in (0.0, 0.0, 1.0, 1.0)]
    table["plausible"] = [["absent"], LEVELS, ["absent"], ["present"]]
    found = evaluated(table, coverage=0.9)
    assert found["calibration"]["calibrated"]["brier"] == 0
    assert found["abstention"] == {
        "coverage": 0.9,
        "committed": 0.75,
        "accuracy_committed": pytest.approx(2 / 3),
        "contains_truth": 0.75,
    }


def test_several_labels_of_a_clip_are_evaluated_together():
    people = ["P1", "P2", "P3", "P4"]
    first = predictions([0, 0, 1, 1], [0.1, 0.9, 0.9, 0.9], people)
    second = predictions([0, 1, 0, 1], [0.1, 0.9, 0.9, 0.9], people, task="emotion (face)").assign(
        label="emotion"
    )
    joint = evaluate(pd.concat([first, second]), draws=200)["joint"]["models"]["agcn"]
    assert joint["tasks"] == {"dystonia": TASK, "emotion": "emotion (face)"} and joint["clips"] == 4
    assert joint["metrics"]["exact_match"]["value"] == pytest.approx(2 / 4)  # P1 and P4
    assert joint["metrics"]["hamming"]["value"] == pytest.approx(2 / 8)
    truth, predicted = (
        np.array([[0, 0], [0, 1], [1, 0], [1, 1]]),
        np.array([[0, 0], [1, 1], [1, 1], [1, 1]]),
    )
    expected = sklearn.metrics.f1_score(truth, predicted, average="macro")
    assert joint["metrics"]["macro_f1"]["value"] == pytest.approx(expected)
    assert evaluate(first, draws=50)["joint"] is None


def test_values_are_those_of_the_whole_evaluation():
    truth, score, participant = cohort()
    table = predictions(truth, score, participant)
    found = evaluated(table)["metrics"]
    assert values(table)[TASK]["agcn"] == {
        name: found[name]["value"] for name in metrics.metric_names(2)
    }
    json.dumps(evaluate(table, draws=1), allow_nan=False)
