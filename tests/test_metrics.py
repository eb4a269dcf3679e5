"""Metrics by hand and against scikit-learn; intervals where the answer is known; what a table of
predictions may not be.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from semiology.errors import UserError
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.statistics import metrics
from semiology.evaluation.statistics.intervals import draw_participants, interval
from semiology.evaluation.statistics.out_of_fold import OutOfFold
from semiology.evaluation.statistics.results import (
    evaluate,
    no_skill,
    paired_difference,
    table_text,
)

LEVELS = ["absent", "present"]


def predictions(
    truth, score, participant, *, model="agcn", seed=0, task="dystonia (pose)", threshold=0.5
) -> pd.DataFrame:
    """A table of predictions of a binary label; clips are named by their number."""
    return pd.DataFrame(
        {
            "task": task,
            "label": "dystonia",
            "stream": "pose",
            "model": model,
            "seed": seed,
            "fold": [f"without-{who}" for who in participant],
            "clip_id": [f"clip-{number:03d}" for number in range(len(truth))],
            "participant_id": list(participant),
            "truth": [LEVELS[level] for level in truth],
            "predicted": [LEVELS[int(value > threshold)] for value in score],
            "score": list(score),
            "scores": [{"absent": 1 - value, "present": value} for value in score],
        }
    )


def cohort(seed=1, people=19) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Truth by participant, scores that know something of it and hold ties, one to three clips
    each.
    """
    draw = np.random.default_rng(seed)
    participant = np.repeat(np.arange(people), draw.integers(1, 4, people))
    truth = (participant % 2 == 0).astype(int)
    score = np.round(1 / (1 + np.exp(-(truth - 0.5 + draw.normal(size=len(truth))))), 1)
    return truth, score, [f"P{number:02d}" for number in participant]


def test_metrics_of_a_table_worked_by_hand():
    # 10 clips with the sign, of which 8 seen; 20 without, of which 5 taken for it
    table = np.array([[15.0, 5.0], [2.0, 8.0]])
    assert metrics.accuracy(table) == pytest.approx(23 / 30)
    assert metrics.f1(table) == pytest.approx(16 / 23)
    assert metrics.sensitivity(table) == pytest.approx(0.8)
    assert metrics.specificity(table) == pytest.approx(0.75)
    assert metrics.balanced_accuracy(table) == pytest.approx(0.775)


def test_macro_f1_leaves_out_a_level_that_no_clip_has():
    # levels a, b, c; no clip is c, one a is taken for c: F1 of a = 2*1/(2+1), F1 of b = 1
    table = np.array([[1.0, 0.0, 1.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
    assert metrics.f1(table) == pytest.approx((2 / 3 + 1) / 2)
    assert metrics.balanced_accuracy(table) == pytest.approx((1 / 2 + 1) / 2)


def test_one_level_only_has_no_f1_and_no_auc():
    result = evaluate(predictions([0, 0, 0], [0.1, 0.6, 0.2], ["P1", "P2", "P3"]), draws=50)
    found = result["tasks"]["dystonia (pose)"]["models"]["agcn"]["metrics"]
    assert found["accuracy"]["value"] == pytest.approx(2 / 3)
    for name in ("f1", "auc", "balanced_accuracy", "sensitivity"):
        assert found[name]["value"] is None and found[name]["low"] is None
        assert found[name]["reason"] == "all clips have the same class"
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize("levels", [2, 4])
def test_confusion_metrics_are_those_of_scikit_learn(levels):
    draw = np.random.default_rng(levels)
    truth, predicted = draw.integers(0, levels, 60), draw.integers(0, levels, 60)
    table = metrics.confusion_matrix(truth, predicted, levels)
    average = "binary" if levels == 2 else "macro"
    assert table.tolist() == sklearn.metrics.confusion_matrix(truth, predicted).tolist()
    assert metrics.f1(table) == pytest.approx(
        sklearn.metrics.f1_score(truth, predicted, average=average)
    )
    assert metrics.accuracy(table) == pytest.approx(
        sklearn.metrics.accuracy_score(truth, predicted)
    )
    assert metrics.balanced_accuracy(table) == pytest.approx(
        sklearn.metrics.balanced_accuracy_score(truth, predicted)
    )


def test_auc_of_every_resampled_cohort_is_that_of_scikit_learn_on_its_clips():
    truth, score, participant = cohort()
    model = OutOfFold.of(predictions(truth, score, participant), LEVELS)
    weights = draw_participants(len(model.participants), 40, seed=3)
    ours = model.metric("auc", weights)[0]
    place = [model.participants.index(who) for who in participant]
    for row, value in zip(weights, ours):
        assert value == pytest.approx(
            sklearn.metrics.roc_auc_score(truth, score, sample_weight=row[place])
        )


def test_a_participant_drawn_twice_counts_as_two_with_the_same_clips():
    truth, score, participant = cohort()
    once = OutOfFold.of(predictions(truth, score, participant), LEVELS)
    again = [number for number, who in enumerate(participant) if who == "P00"]
    truth, score = [*truth, *truth[again]], [*score, *score[again]]
    participant = [*participant, *("P99" for _ in again)]
    doubled = OutOfFold.of(predictions(truth, score, participant), LEVELS)
    weights = np.ones((1, len(once.participants)))
    weights[0, once.participants.index("P00")] = 2
    for name in metrics.NAMES:
        assert once.metric(name, weights)[0, 0] == pytest.approx(doubled.observed(name)[0]), name


def test_resampled_cohorts_hold_whole_participants():
    weights = draw_participants(7, 500, seed=0)
    assert (
        weights.shape == (500, 7)
        and (weights.sum(1) == 7).all()
        and (weights == weights.round()).all()
    )
    assert weights.mean() == pytest.approx(1)


def test_interval_of_independent_clips_is_the_binomial_one():
    # one clip each: accuracy is a proportion, standard error sqrt(p (1 - p) / n)
    right = np.arange(400) % 10 < 7
    truth = np.arange(400) % 2
    score = np.where(right, truth, 1 - truth) * 0.8 + 0.1
    result = evaluate(
        predictions(truth, score, [f"P{number:03d}" for number in range(400)]), draws=4000
    )
    found = result["tasks"]["dystonia (pose)"]["models"]["agcn"]["metrics"]["accuracy"]
    half = 1.96 * math.sqrt(0.7 * 0.3 / 400)
    assert found["value"] == pytest.approx(0.7)
    assert found["low"] == pytest.approx(0.7 - half, abs=0.005)
    assert found["high"] == pytest.approx(0.7 + half, abs=0.005)


def test_interval_is_wider_where_clips_of_a_participant_agree():
    # 40 participants with 10 clips that are all right or all wrong: worth 40 clips, not 400
    people = np.repeat(np.arange(40), 10)
    truth = np.arange(400) % 2
    score = np.where(people % 10 < 7, truth, 1 - truth) * 0.8 + 0.1
    result = evaluate(
        predictions(truth, score, [f"P{number:02d}" for number in people]), draws=4000
    )
    found = result["tasks"]["dystonia (pose)"]["models"]["agcn"]["metrics"]["accuracy"]
    half = 1.96 * math.sqrt(0.7 * 0.3 / 40)
    assert found["low"] == pytest.approx(0.7 - half, abs=0.02)
    assert found["high"] == pytest.approx(0.7 + half, abs=0.02)


def test_identical_participants_give_an_interval_without_width():
    truth, score = [0, 0, 1, 1] * 12, [0.2, 0.7, 0.4, 0.9] * 12
    result = evaluate(
        predictions(truth, score, [f"P{number // 4:02d}" for number in range(48)]), draws=200
    )
    for found in result["tasks"]["dystonia (pose)"]["models"]["agcn"]["metrics"].values():
        assert found["low"] == pytest.approx(found["value"]) and found["high"] == pytest.approx(
            found["value"]
        )
        assert found["degenerate"] == 0


def test_resampled_cohorts_of_one_level_are_counted():
    # two participants, one with the sign: half of the resampled cohorts hold one of them twice
    result = evaluate(predictions([0, 1], [0.3, 0.3], ["P1", "P2"]), draws=2000)
    found = result["tasks"]["dystonia (pose)"]["models"]["agcn"]["metrics"]
    assert found["auc"]["degenerate"] == pytest.approx(1000, abs=100)
    assert found["accuracy"]["degenerate"] == 0
    assert (
        interval(np.array([0.5, np.nan, np.nan]), participants=2).reason
        == "2 of 3 resampled cohorts have no value"
    )
    assert interval(np.array([0.5, 0.5]), participants=1).reason == "one participant only"


def test_several_seeds_give_their_mean_and_a_joint_interval():
    truth, score, participant = cohort()
    flipped = np.round(1 - score, 1)
    table = pd.concat(
        [
            predictions(truth, score, participant, seed=1),
            predictions(truth, flipped, participant, seed=2),
        ]
    )
    found = evaluate(table, draws=200)["tasks"]["dystonia (pose)"]["models"]["agcn"]["metrics"][
        "auc"
    ]
    assert found["seeds"][0] == pytest.approx(sklearn.metrics.roc_auc_score(truth, score))
    # a ranking and its mirror: the mean is one half in the cohort, and in every resampled cohort
    assert [found["value"], found["low"], found["high"]] == pytest.approx([0.5, 0.5, 0.5])


def test_guesses_without_skill_by_hand():
    guesses = no_skill(np.array([[15.0, 5.0], [2.0, 8.0]]), LEVELS)  # 20 without the sign, 10 with
    assert guesses["majority"]["level"] == "absent"
    assert (
        guesses["majority"]["accuracy"] == pytest.approx(2 / 3) and guesses["majority"]["f1"] == 0
    )
    assert guesses["always_positive"]["accuracy"] == pytest.approx(1 / 3)
    assert guesses["always_positive"]["f1"] == pytest.approx(0.5)  # 2 * 10 / (2 * 10 + 20)
    assert guesses["prevalence"]["accuracy"] == pytest.approx(5 / 9) and guesses["prevalence"][
        "f1"
    ] == pytest.approx(1 / 3)
    assert all(guess["balanced_accuracy"] == pytest.approx(0.5) for guess in guesses.values())


def test_permutation_p_counts_the_observed_value():
    table = predictions(
        [0, 0, 1, 1], [0.1, 0.9, 0.8, 0.9], ["P1", "P2", "P3", "P4"]
    )  # accuracy 0.75
    null = {"dystonia (pose)": {"agcn": {"accuracy": [0.25, 0.5, 0.75, 1.0, None], "auc": []}}}
    found = evaluate(table, draws=20, null=null)["tasks"]["dystonia (pose)"]["models"]["agcn"][
        "metrics"
    ]
    assert found["accuracy"]["null"]["n"] == 4 and found["accuracy"]["null"]["p"] == pytest.approx(
        3 / 5
    )
    assert found["accuracy"]["null"]["median"] == pytest.approx(0.625)
    assert found["auc"]["null"]["p"] is None and "null" not in found["f1"]


def test_paired_difference_is_zero_for_a_model_and_itself_and_signed_for_others():
    truth, score, participant = cohort()
    worse = np.round(1 - score, 1)
    table = pd.concat(
        [predictions(truth, score, participant, model=name) for name in ("agcn_kd", "twin")]
    )
    table = pd.concat([table, predictions(truth, worse, participant, model="agcn")])
    same = paired_difference(table, "dystonia (pose)", "agcn_kd", "twin", "accuracy", draws=200)
    assert (same["value"], same["low"], same["high"]) == (0, None, None)
    assert same["reason"] == "every resampled cohort has the same difference"
    lift = paired_difference(table, "dystonia (pose)", "agcn_kd", "agcn", "auc", draws=500)
    assert lift["value"] == pytest.approx(2 * sklearn.metrics.roc_auc_score(truth, score) - 1)
    assert lift["low"] < lift["value"] < lift["high"]
    stated = [
        entry
        for entry in evaluate(table, draws=500)["tasks"]["dystonia (pose)"]["differences"]
        if entry["metric"] == "auc"
    ]
    assert [(entry["a"], entry["b"]) for entry in stated] == [("agcn_kd", "agcn"), ("twin", "agcn")]
    assert stated[0]["low"] == lift["low"] and stated[0]["comparisons"] == 2
    with pytest.raises(UserError, match="no model 'vgg'"):
        paired_difference(table, "dystonia (pose)", "vgg", "agcn", "auc")


def test_terminal_table_has_the_form_of_table_1():
    truth, score, participant = cohort()
    table = pd.concat(
        [
            predictions(truth, score, participant, model=name)
            for name in ("forest", "agcn_kd", "tcn", "agcn")
        ]
    )
    result = evaluate(table, draws=200)
    text = table_text(result)
    first = text.splitlines()[0]
    assert first.split("  ")[-1].strip() == "AGCN + distillation" and first.index(
        "AGCN"
    ) < first.index("TCN") < first.index("distillation")
    found = result["tasks"]["dystonia (pose)"]["models"]["agcn"]["metrics"]
    assert text.splitlines()[1].split()[2:5] == [
        f"{found['f1']['value']:.2f}",
        "/",
        f"{found['accuracy']['value']:.2f}",
    ]
    assert "forest" in text


def written(table: pd.DataFrame, folder: Path) -> Path:
    path = folder / "predictions.csv"
    table.assign(scores=[json.dumps(scores) for scores in table["scores"]]).to_csv(
        path, index=False
    )
    return path


def test_predictions_come_back_as_written(tmp_path):
    truth, score, participant = cohort()
    table = predictions(truth, score, participant)
    read = read_predictions(written(table, tmp_path))
    assert read["score"].tolist() == table["score"].tolist() and list(read["scores"][0]) == LEVELS
    assert evaluate(read, draws=50) == evaluate(table, draws=50)


def with_cell(column: str, row: int, value) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A change of one cell of a table of predictions; rows from 0."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        values = table[column].tolist()
        return table.assign(**{column: [*values[:row], value, *values[row + 1 :]]})

    return change


def with_model(**columns) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The same predictions once more, by a model or seed of other columns."""
    return lambda table: pd.concat([table, table.assign(**columns)])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda table: table.drop(columns="seed"), "column seed missing"),
        (lambda table: table.iloc[:0], "no predictions in it"),
        (with_cell("score", 0, "high"), "row 2, column score: 'high' is not a number"),
        (with_cell("scores", 2, {"absent": 0.5, "present": 0.6}), "row 4.*sum to 1.1"),
        (
            with_cell("truth", 0, "unclear"),
            "row 2, column truth: 'unclear' is none of the levels absent, present",
        ),
        (with_cell("score", 0, 0.9), "row 2, column score: 0.9, but scores give 'present' 0.1"),
        (
            lambda table: pd.concat([table, table.iloc[[1]]]),
            "row 6: second prediction of clip clip-001 by agcn, seed 0",
        ),
        (
            lambda table: pd.concat([table, table.assign(model="tcn").iloc[1:]]),
            "model tcn, seed 0 lacks clip clip-000",
        ),
        (
            with_model(model="tcn", truth=["present", "present", "absent", "absent"]),
            "row 6, column truth: 'present', but an",
        ),
        (
            with_model(seed=1, participant_id="P1"),
            "row 7, column participant_id: 'P1', but an earlier .* clip-001",
        ),
    ],
)
def test_faults_of_a_table_are_named_with_their_row(
    tmp_path: Path, spoil: Callable[[pd.DataFrame], pd.DataFrame], message: str
):
    table = predictions([0, 0, 1, 1], [0.1, 0.9, 0.8, 0.9], ["P1", "P2", "P3", "P4"])
    with pytest.raises(UserError, match=message) as caught:
        read_predictions(written(spoil(table), tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "just a sentence\n", "task,label\n1,2,3\n"])
def test_what_is_no_table_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "predictions.csv"
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        read_predictions(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(UserError, match="not found"):
        read_predictions(tmp_path / "none.csv")
