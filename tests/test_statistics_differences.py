"""Differences of two models where they are extreme: no impossible interval, none that calls a
difference certain, no p made too small.
"""

import numpy as np
import pandas as pd
import pytest
from test_metrics import LEVELS, predictions

from semiology.evaluation.statistics.comparison import paired_permutation_test
from semiology.evaluation.statistics.intervals import difference_interval
from semiology.evaluation.statistics.metrics import NAMES, greatest_difference
from semiology.evaluation.statistics.out_of_fold import OutOfFold
from semiology.evaluation.statistics.results import evaluate

PEOPLE = [f"P{number}" for number in range(8)]
TRUTH = np.array([0, 1] * 4)


def differences(first, second) -> dict[str, dict]:
    """metric -> difference of two models of eight people with one clip each, by their scores."""
    table = pd.concat(
        [predictions(TRUTH, first, PEOPLE), predictions(TRUTH, second, PEOPLE, model="tcn")]
    )
    return {
        found["metric"]: found
        for found in evaluate(table, draws=2000)["tasks"]["dystonia (pose)"]["differences"]
    }


def test_a_model_that_is_always_right_and_one_that_never_is_have_no_certain_difference():
    found = differences(0.9 - 0.8 * TRUTH, 0.1 + 0.8 * TRUTH)  # tcn (right) is a, agcn (wrong) is b
    assert found["accuracy"]["value"] == found["sensitivity"]["value"] == found["ppv"]["value"] == 1
    assert found["mcc"]["value"] == 2 and found["brier"]["value"] == pytest.approx(0.01 - 0.81)
    for metric in NAMES:
        if metric != "average_precision":  # the wrong model's hangs on how many are drawn
            assert (
                found[metric]["low"] is None
                and found[metric]["reason"] == "every resampled cohort has the same difference"
            ), metric
    assert found["accuracy"]["p"] == 2 / 2**8  # permuting the models still separates them


def test_intervals_of_differences_stay_within_what_the_metric_allows():
    # tcn is right in all but P0, agcn wrong in all but P1: accuracy 7/8 - 1/8 = 0.75, and the arm
    # reaches beyond 1
    first, second = (
        np.where(np.arange(8) == 1, 0.9, 0.9 - 0.8 * TRUTH),
        np.where(np.arange(8) == 0, 0.9, 0.1 + 0.8 * TRUTH),
    )
    found = differences(first, second)
    assert (
        found["accuracy"]["value"] == 0.75
        and found["accuracy"]["high"] == 1
        and 0 < found["accuracy"]["low"] < 0.75
    )
    assert found["mcc"]["value"] > 1 and found["mcc"]["high"] == 2
    for metric, difference in found.items():
        if difference["low"] is not None:
            greatest = greatest_difference(metric, 2)
            assert -greatest <= difference["low"] < difference["high"] <= greatest, metric


def test_the_cut_is_on_both_sides_and_as_far_as_the_metric_goes():
    spread = np.linspace(-0.5, 0.5, 101)
    assert difference_interval(-0.9, spread - 0.9, 8, 1.0).low == -1
    assert (
        difference_interval(0.9, spread + 0.9, 8, 1.0).high == 1
        and difference_interval(0.9, spread + 0.9, 8).high > 1
    )
    assert [greatest_difference(name, 3) for name in ("accuracy", "mcc", "brier")] == [1, 2, 2]
    assert greatest_difference("brier", 2) == 1


def test_exchanges_without_a_value_are_left_out_of_p():
    # P0 has no sign, P1 and P2 have it. a calls P1 and P2 (PPV 1), b calls P0 alone (PPV 0). Of the
    # 8 exchanges, by hand: both unmixed ones
    # differ by 1; four mixed ones by 1/2 (one calls one person rightly, the other two, half
    # rightly); in two, one model calls nobody
    truth, people = [0, 1, 1], PEOPLE[:3]
    a = OutOfFold.of(predictions(truth, [0.1, 0.9, 0.9], people), LEVELS)
    b = OutOfFold.of(predictions(truth, [0.9, 0.1, 0.1], people), LEVELS)
    assert paired_permutation_test(a, b, "ppv", 8) == pytest.approx(2 / 6)
    assert paired_permutation_test(a, b, "accuracy", 8) == pytest.approx(2 / 8)
    # too few for all: of the seven random exchanges of this seed two are unmixed, and three leave a
    # model without a value
    drawn = np.random.default_rng(3).integers(0, 2, (7, 3)).tolist()
    assert (
        sum(row in ([0, 0, 0], [1, 1, 1]) for row in drawn) == 2
        and sum(row in ([0, 1, 1], [1, 0, 0]) for row in drawn) == 3
    )
    assert paired_permutation_test(a, b, "ppv", 7, seed=3) == pytest.approx((1 + 2) / (1 + 4))
