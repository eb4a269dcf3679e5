"""Several labels of the same clips at once: metrics against scikit-learn and by hand, missing
labels, co-occurrence beside chance.
"""

import json
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from test_metrics import LEVELS, predictions

from semiology.evaluation.report import write_report
from semiology.evaluation.statistics.cooccurrence import cooccurrence
from semiology.evaluation.statistics.intervals import draw_participants
from semiology.evaluation.statistics.multilabel import NAMES, UNSCORED, MultiLabel, evaluate_jointly
from semiology.evaluation.statistics.results import evaluate

SIGNS = ("dystonia", "emotion", "myoclonus")


def together(model: MultiLabel, permutations: int) -> list[dict]:
    signs = model.present(model.truth), model.present(model.predicted)
    return cooccurrence(model.signs, *signs, model.participant, permutations)


def binary(people=12, clips=4, seeds=1, unscored=0.0, seed=3) -> MultiLabel:
    """Three binary signs in clips of several participants, scores that know something of them."""
    draw = np.random.default_rng(seed)
    participant = np.repeat(np.arange(people), clips)
    truth = draw.integers(0, 2, (people * clips, 3))
    score = (truth + draw.normal(0, 1.2, (seeds, *truth.shape))).round(1)
    gone = draw.random(truth.shape) < unscored
    return MultiLabel(
        dict.fromkeys(SIGNS, LEVELS),
        tuple(f"P{number:02d}" for number in range(people)),
        participant,
        np.where(gone, UNSCORED, truth),
        np.where(gone, UNSCORED, score > 0.5),
        score,
    )


def test_every_metric_is_that_of_scikit_learn_where_all_labels_are_scored():
    model = binary()
    truth, predicted, score = model.truth, model.predicted[0], model.probability[0]
    jaccard = sklearn.metrics.jaccard_score
    expected = {
        "exact_match": sklearn.metrics.accuracy_score(truth, predicted),
        "hamming": sklearn.metrics.hamming_loss(truth, predicted),
        "samples_jaccard": jaccard(truth, predicted, average="samples", zero_division=1),
        "micro_jaccard": jaccard(truth, predicted, average="micro"),
        "macro_jaccard": jaccard(truth, predicted, average="macro"),
        "micro_f1": sklearn.metrics.f1_score(truth, predicted, average="micro"),
        "macro_f1": sklearn.metrics.f1_score(truth, predicted, average="macro"),
        "micro_auc": sklearn.metrics.roc_auc_score(truth, score, average="micro"),
        "macro_auc": sklearn.metrics.roc_auc_score(truth, score, average="macro"),
    }
    assert expected.keys() == NAMES.keys()
    for name, value in expected.items():
        assert model.observed(name)[0] == pytest.approx(value, abs=1e-12), name


def test_a_label_that_was_not_scored_in_a_clip_counts_nowhere():
    # clip:       1            2            3            4
    # dystonia    yes/yes      no/yes       yes/no       not scored
    # emotion     no/no        yes/yes      not scored   yes/yes
    truth = np.array([[1, 0], [0, 1], [1, -1], [-1, 1]])
    predicted = np.array([[[1, 0], [1, 1], [0, -1], [-1, 1]]])
    score = np.array([[[0.9, 0.1], [0.7, 0.8], [0.3, 0.99], [0.99, 0.6]]])
    labels = {"dystonia": LEVELS, "emotion": LEVELS}
    model = MultiLabel(labels, ("P1", "P2"), np.array([0, 0, 1, 1]), truth, predicted, score)
    value = {name: float(model.observed(name)[0]) for name in NAMES}
    assert value["hamming"] == pytest.approx(2 / 6)  # clips 2 and 3, of six decisions
    assert value["exact_match"] == pytest.approx(1 / 2)  # clips 1 and 2 alone have both labels
    assert value["samples_jaccard"] == pytest.approx((1 + 1 / 2) / 2)
    # dystonia: TP 1, FP 1, FN 1; emotion: TP 2
    assert value["micro_f1"] == pytest.approx(6 / 8) and value["micro_jaccard"] == pytest.approx(
        3 / 5
    )
    assert value["macro_f1"] == pytest.approx((2 / 4 + 1) / 2)
    assert value["macro_jaccard"] == pytest.approx((1 / 3 + 1) / 2)
    # dystonia: 0.9 above 0.7, 0.3 below; emotion: both above 0.1. Pooled: positive 0.9, 0.3, 0.8,
    # 0.6, negative 0.7 and 0.1: 2 + 1 + 2 + 1 of 8
    assert value["macro_auc"] == pytest.approx((1 / 2 + 1) / 2)
    assert value["micro_auc"] == pytest.approx(6 / 8)
    assert model.complete.tolist() == [True, True, False, False]


def test_a_label_of_three_classes_has_two_signs():
    labels = {"dystonia": ["none", "left", "right"], "emotion": LEVELS}
    truth = np.array([[0, 0], [1, 1], [2, 1], [2, 0]])
    predicted = np.array([[[0, 0], [1, 1], [1, 1], [2, 1]]])
    model = MultiLabel(
        labels, ("P1", "P2"), np.array([0, 0, 1, 1]), truth, predicted, np.zeros((1, 4, 3))
    )
    assert model.signs == [("dystonia", "left"), ("dystonia", "right"), ("emotion", "present")]
    assert model.present(truth).tolist() == [[0, 0, 0], [1, 0, 1], [0, 1, 1], [0, 1, 0]]
    assert model.observed("hamming")[0] == pytest.approx(2 / 8)  # decisions, not signs
    assert model.observed("exact_match")[0] == pytest.approx(2 / 4)
    # nothing (1), all (1), emotion of {left, right, emotion}, right of {right, emotion}
    assert model.observed("samples_jaccard")[0] == pytest.approx((1 + 1 + 1 / 3 + 1 / 2) / 4)
    assert model.observed("micro_f1")[0] == pytest.approx(2 * 4 / (5 + 6))
    pairs = [(row["a"][1], row["b"][0]) for row in together(model, 9)]
    assert pairs == [("left", "emotion"), ("right", "emotion")]  # left and right exclude each other


@pytest.mark.parametrize("name", NAMES)
def test_a_participant_drawn_twice_counts_as_two_with_the_same_clips(name):
    model = binary(people=5, seeds=2, unscored=0.2)
    weights = np.array([[2, 0, 1, 1, 1]], float)
    rows = np.concatenate(
        [np.flatnonzero(model.participant == person) for person in (0, 0, 2, 3, 4)]
    )
    again = MultiLabel(
        model.labels,
        model.participants,
        np.repeat(np.arange(5), 4),
        model.truth[rows],
        model.predicted[:, rows],
        model.probability[:, rows],
    )
    assert model.metric(name, weights)[:, 0] == pytest.approx(again.observed(name))


def test_intervals_enclose_the_value_and_narrow_with_participants():
    few, many = binary(people=8), binary(people=80)
    for name in NAMES:
        widths = []
        for model in (few, many):
            weights = draw_participants(len(model.participants), 400, seed=0)
            found = model.estimate(name, weights)
            assert found["low"] < found["value"] < found["high"]
            widths.append(found["high"] - found["low"])
        assert widths[1] < 0.6 * widths[0]  # by the square root of ten


def test_a_perfect_model_has_intervals_with_a_width():
    model = binary()
    perfect = MultiLabel(
        model.labels,
        model.participants,
        model.participant,
        model.truth,
        model.truth[None],
        model.truth[None].astype(float),
    )
    weights = draw_participants(12, 100, seed=0)
    loss = perfect.estimate("hamming", weights)
    assert loss["value"] == loss["low"] == 0 and 0.2 < loss["high"] < 0.3  # Wilson, 0 of 12
    for name in set(NAMES) - {"hamming"}:
        found = perfect.estimate(name, weights)
        assert found["value"] == found["high"] == 1 and 0.7 < found["low"] < 0.8


def two(first: list[int], second: list[int], participant: list[int]) -> MultiLabel:
    truth = np.array([first, second]).T
    people = tuple(f"P{number}" for number in range(max(participant) + 1))
    return MultiLabel(
        {"dystonia": LEVELS, "emotion": LEVELS},
        people,
        np.array(participant),
        truth,
        1 - truth[None],
        np.zeros((1, *truth.shape)),
    )


def test_chance_of_two_signs_is_that_of_all_exchanges_between_participants():
    # one clip each: four people with the first sign, three with the second, three with both
    first, second = [1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0]
    [pair] = together(two(first, second, list(range(6))), 4000)
    every = [sum(a * b for a, b in zip(first, order)) for order in permutations(second)]
    assert pair["clips"] == 6 and pair["truth"]["together"] == 3
    assert pair["truth"]["expected"] == pytest.approx(np.mean(every), abs=0.03)  # 4 * 3 / 6 = 2
    tail = np.mean([count >= 3 for count in every])  # 1 / 5
    assert pair["truth"]["p"] == pytest.approx(2 * tail, abs=0.03)
    # predictions are the opposite: two lack the first, three the second, two both
    assert pair["predicted"]["together"] == 2
    assert pair["predicted"]["expected"] == pytest.approx(2 * 3 / 6, abs=0.03)


def test_many_clips_of_one_participant_are_no_evidence_of_their_own():
    # the same two of six people have both signs, in one clip or in fifty
    once, people = [1, 1, 0, 0, 0, 0], list(range(6))
    [one] = together(two(once, once, people), 2000)
    many = [value for value in once for _ in range(50)]
    [fifty] = together(two(many, many, [p for p in people for _ in range(50)]), 2000)
    assert fifty["truth"]["expected"] == pytest.approx(50 * one["truth"]["expected"], rel=0.1)
    assert one["truth"]["p"] == pytest.approx(2 / 15, abs=0.03)  # one choice of two people in six
    assert fifty["truth"]["p"] == pytest.approx(one["truth"]["p"], abs=0.03)


def test_independent_signs_meet_by_chance_alone():
    draw, small = np.random.default_rng(5), 0
    for _ in range(40):
        first, second = draw.integers(0, 2, (2, 24)).tolist()
        [pair] = together(two(first, second, [number // 2 for number in range(24)]), 99)
        small += pair["truth"]["p"] <= 0.1
    assert small <= 8  # four expected


def rows_of(task: str, label: str, truth, score, people) -> pd.DataFrame:
    return predictions(truth, score, people, task=task).assign(label=label)


def test_heads_of_one_network_are_taken_together_and_apart_from_other_tasks():
    people = ["P1", "P2", "P3", "P4"]
    right, wrong = [0.1, 0.9, 0.1, 0.9], [0.9, 0.1, 0.9, 0.1]
    truth = [0, 1, 0, 1]
    table = pd.concat(
        [
            rows_of("dystonia (pose)", "dystonia", truth, wrong, people),
            rows_of("emotion (pose)", "emotion", truth, wrong, people),
            rows_of("signs: dystonia", "dystonia", truth, right, people),
            rows_of("signs: emotion", "emotion", truth, right, people),
        ],
        ignore_index=True,
    )
    found = evaluate_jointly(table, 50, 0)["models"]
    assert set(found) == {"agcn", "signs / agcn"}
    assert found["agcn"]["metrics"]["hamming"]["value"] == 1
    assert found["signs / agcn"]["metrics"]["hamming"]["value"] == 0
    assert found["signs / agcn"]["tasks"] == {
        "dystonia": "signs: dystonia",
        "emotion": "signs: emotion",
    }
    assert found["signs / agcn"]["model"] == "agcn"


def test_a_table_of_three_classes_and_missing_labels_is_read_by_name():
    people = ["P1", "P2", "P3", "P4"]
    emotion = rows_of("b", "emotion", [0, 1, 0], [0.2, 0.7, 0.6], people[:3])
    side = rows_of("a", "side", [0, 1, 1, 0], [0.2, 0.7, 0.6, 0.1], people).assign(
        truth=["none", "left", "right", "none"],
        predicted=["none", "right", "right", "none"],
        scores=[
            {"none": 0.8, "left": 0.1, "right": 0.1},
            {"none": 0.1, "left": 0.3, "right": 0.6},
            {"none": 0.1, "left": 0.2, "right": 0.7},
            {"none": 0.9, "left": 0.1, "right": 0.0},
        ],
    )
    side = side[::-1]  # order of rows is nothing
    [found] = evaluate_jointly(pd.concat([side, emotion]), 100, 0)["models"].values()
    assert (found["clips"], found["complete"], found["participants"]) == (4, 3, 4)
    assert found["metrics"]["hamming"]["value"] == pytest.approx(2 / 7)
    assert found["signs"] == [
        {"label": "side", "level": "left", "clips": 4, "present": 0.25, "predicted": 0.0},
        {"label": "side", "level": "right", "clips": 4, "present": 0.25, "predicted": 0.5},
        {
            "label": "emotion",
            "level": "present",
            "clips": 3,
            "present": pytest.approx(1 / 3),
            "predicted": pytest.approx(2 / 3),
        },
    ]
    assert [row["clips"] for row in found["cooccurrence"]] == [3, 3]


def test_labels_of_different_clips_are_nothing_to_count_together():
    first = rows_of("a", "dystonia", [0, 1], [0.2, 0.7], ["P1", "P2"])
    second = rows_of("b", "emotion", [0, 1], [0.2, 0.7], ["P3", "P4"]).assign(
        clip_id=["other-1", "other-2"]
    )
    assert evaluate(pd.concat([first, second]), draws=20)["joint"] is None


def test_the_report_shows_the_labels_together(tmp_path):
    people = [f"P{number}" for number in range(6)]
    truth, score = [0, 1, 0, 1, 0, 1], [0.2, 0.8, 0.6, 0.9, 0.1, 0.4]
    table = pd.concat(
        [
            rows_of("signs: dystonia", "dystonia", truth, score, people),
            rows_of("signs: emotion", "emotion", truth[::-1], score, people),
        ]
    )
    table["scores"] = table["scores"].map(json.dumps)
    table.to_csv(tmp_path / "predictions.csv", index=False)
    page = write_report(tmp_path).read_text()
    part = page[page.index('<section id="joint">') :]
    part = part[: part.index("</section>")]
    # dystonia: clips 3 and 6 wrong of six; emotion is the opposite of dystonia
    assert "Hamming loss</th><td" in part and "0.50 (" in part
    assert "dystonia present and emotion present" in part
    alone = table[table["label"] == "dystonia"]
    alone.to_csv(tmp_path / "predictions.csv", index=False)
    assert '<section id="joint">' not in write_report(tmp_path).read_text()
