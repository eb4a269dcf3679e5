"""Groups, scores and sides of facial weakness, against worked examples and numbers that can be
redone by hand.
"""

import numpy as np
import pandas as pd
import pytest

from semiology.severity.weakness.measures import MEASURES, asymmetries, measure_values
from semiology.severity.weakness.run import benjamini_hochberg, compare, compare_groups
from semiology.severity.weakness.score import deficits_of, margin_of, weaker_side, weakness_scores

# Hollander and Wolfe 1973, page 69: permeability of the human chorioamnion at term and before; W =
# 35, one-sided p = 0.1272
TERM = np.array([0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46])
EARLY = np.array([1.15, 0.88, 0.90, 0.74, 1.21])
# Benjamini and Hochberg 1995, section 4: fifteen p-values, of which four are found at a false
# discovery rate of 0.05
THROMBOLYSIS = [
    0.0001,
    0.0004,
    0.0019,
    0.0095,
    0.0201,
    0.0278,
    0.0298,
    0.0344,
    0.0459,
    0.3240,
    0.4262,
    0.5719,
    0.6528,
    0.7590,
    1.0,
]


def test_mann_whitney_of_a_published_example():
    found = compare(TERM, EARLY)
    assert found["u"] == 35
    assert found["p"] == pytest.approx(2 * 0.1272, abs=1e-4)
    assert found["effect"] == pytest.approx(2 * 35 / (10 * 5) - 1)  # 0.4
    assert found["effect_low"] < 0.4 < found["effect_high"]
    assert (found["n"], found["n_control"], found["median"], found["median_control"]) == (
        10,
        5,
        pytest.approx(1.415),
        0.90,
    )


def test_rank_biserial_by_hand():
    """1 lies below 2, 3 and 3; 3 lies above 2 and ties with both others, which counts half; 4 lies
    above all: 0 + 2 + 3 of 9 pairs.
    """
    found = compare(np.array([1.0, 3.0, 4.0, np.nan]), np.array([2.0, 3.0, 3.0]))
    assert found["u"] == 5 and found["n"] == 3
    assert found["effect"] == pytest.approx(2 * 5 / 9 - 1)
    swapped = compare(np.array([2.0, 3.0, 3.0]), np.array([1.0, 3.0, 4.0]))
    assert swapped["effect"] == pytest.approx(-found["effect"])


def test_groups_that_do_not_overlap_have_an_effect_of_one_and_an_interval_with_a_width():
    found = compare(np.arange(5.0), np.arange(10.0, 16.0))
    assert found["effect"] == -1 and found["u"] == 0
    assert (
        found["effect_low"] == -1 and -0.6 < found["effect_high"] < 0
    )  # Wilson of 5 of 5: 0.566 becomes 1 - 2 * 0.566


@pytest.mark.parametrize(
    ("group", "controls", "numbers", "note"),
    [
        ([], [1, 2, 3], (0, 3), "0 values in the group; 3 are needed"),
        ([1, 2, 3], [np.nan], (3, 0), "0 values in the controls; 3 are needed"),
        ([1, 2], [1, 2, 3], (2, 3), "2 values in the group; 3 are needed"),
        ([4, 4, 4], [4, 4, 4], (3, 3), "all values are equal"),
    ],
)
def test_what_cannot_be_compared_has_a_note_and_no_test(group, controls, numbers, note):
    found = compare(np.array(group, float), np.array(controls, float))
    assert (found["n"], found["n_control"]) == numbers and found["note"] == note
    assert np.isnan([found["p"], found["effect"], found["effect_low"]]).all()


def test_false_discovery_rate_of_the_published_example_and_by_hand():
    assert (benjamini_hochberg(pd.Series(THROMBOLYSIS)) <= 0.05).sum() == 4
    q = benjamini_hochberg(
        pd.Series([0.03, np.nan, 0.001, 0.04])
    )  # 0.001 x 3; 0.03 x 3 / 2 = 0.045, but the next has 0.04 x 3 / 3
    assert q.tolist() == pytest.approx([0.04, np.nan, 0.003, 0.04], nan_ok=True)


def test_q_values_are_over_one_family_and_group_only():
    rng = np.random.default_rng(0)
    people = [
        (f"p{number}", group)
        for number, group in enumerate(["control"] * 6 + ["mild"] * 6 + ["severe"] * 6)
    ]
    rows = [
        {
            "participant_id": person,
            "group": group,
            "family": family,
            "measure": measure,
            "side": "",
            "panel": "",
            "value": rng.normal(),
        }
        for family, measure in (("expression", "fear"), ("expression", "anger"), ("score", "score"))
        for person, group in people
    ]
    table = compare_groups(pd.DataFrame(rows), draws=50)
    assert len(table) == 6 and set(table["group"]) == {"mild", "severe"}
    alone = table[table["family"] == "score"]
    assert (alone["q"] == alone["p"]).all()  # one test in its family
    for _, own in table[table["family"] == "expression"].groupby("group"):
        assert own["q"].max() == pytest.approx(own["p"].max())
        assert own["q"].min() == pytest.approx(min(2 * own["p"].min(), own["p"].max()))


def values_of(people):
    """`measure_values` of participants whose halves have one strength in every measure: participant
    -> (left, right).
    """
    columns = pd.MultiIndex.from_product(
        [[measure.name for measure in MEASURES], ["left", "right"]]
    )
    index = pd.MultiIndex.from_tuples(
        [(person, "baseline") for person in people], names=["participant_id", "visit"]
    )
    return pd.DataFrame(
        [list(halves) * len(MEASURES) for halves in people.values()],
        index=index,
        columns=columns,
        dtype=float,
    )


CONTROLS = {"c1": (1.0, 1.0), "c2": (2.0, 2.0), "c3": (3.0, 3.0)}
GROUPS = {
    "c1": "control",
    "c2": "control",
    "c3": "control",
    "c4": "control",
    "p1": "patient",
    "p2": "patient",
}


def test_deficits_by_hand():
    """Controls 1, 2, 3: median 2, standard deviation 1."""
    found = deficits_of(values_of({**CONTROLS, "p1": (0.5, -9.0), "p2": (2.5, 2.0)}), GROUPS)
    assert found.loc[("p1", "baseline"), "corner lift"].tolist() == [1.5, 5.0]  # cut at five
    assert found.loc[("p2", "baseline"), "corner lift"].tolist() == [
        0.0,
        0.0,
    ]  # more than controls is no credit
    scores = weakness_scores(values_of({**CONTROLS, "p1": (0.5, 1.0), "p2": (2.5, 2.0)}), GROUPS)
    assert scores.loc["p1"].iloc[0][["score", "score_left", "score_right"]].tolist() == [
        1.5,
        1.5,
        1.0,
    ]  # the worse half counts


def test_a_control_is_evaluated_without_itself():
    """The same face gets the same score, whether its owner is called a control or a patient;
    whereas it does shift others' reference.
    """
    faces = {**CONTROLS, "c4": (0.5, 0.2)}
    as_control = weakness_scores(values_of(faces), GROUPS)
    as_patient = weakness_scores(values_of(faces), GROUPS | {"c4": "patient"})
    assert as_control.loc["c4", "score"].iloc[0] == as_patient.loc["c4", "score"].iloc[0] == 1.8
    weak = {**CONTROLS, "c4": (0.5, 0.2), "p1": (0.0, 0.0)}
    others = weakness_scores(values_of(weak), GROUPS).loc["p1", "score"].iloc[0]
    assert (
        others
        != weakness_scores(values_of(weak), GROUPS | {"c4": "patient"}).loc["p1", "score"].iloc[0]
    )


def test_without_enough_controls_there_is_no_score_but_asymmetry_and_fatigue():
    for faces in ({"c1": (1, 1), "c2": (2, 2), "p1": (1.0, 3.0)}, {"p1": (1.0, 3.0)}):
        found = weakness_scores(values_of(faces), GROUPS).loc["p1"].iloc[0]
        assert np.isnan(found["score"]) and "other controls, 3 are needed" in found["reason"]
        assert found["weaker_side"] == "left" and found["asymmetry"] == -0.5
        assert (found["fatigue_left"], found["fatigue_right"]) == (1.0, 3.0)
    # of three controls none has three others
    assert weakness_scores(values_of(CONTROLS), GROUPS)["score"].isna().all()


def test_a_participant_with_few_measures_has_no_score_but_a_reason():
    values = values_of({**CONTROLS, "p1": (0.5, 0.5)})
    values.loc[("p1", "baseline"), [measure.name for measure in MEASURES[:5]]] = np.nan
    found = weakness_scores(values, GROUPS).loc["p1"].iloc[0]
    assert (
        np.isnan(found["score"]) and found["reason"] == "6 of 16 measures available, 50% are needed"
    )


@pytest.mark.parametrize(
    ("left", "right", "side"),
    [
        (0.6, 1.0, "left"),
        (1.0, 0.6, "right"),
        (1.0, 1.0, "none"),
        (0.4, 0.4, "none"),
        (1.0, 0.82, "none"),
    ],
)
def test_the_weaker_side_is_found_and_equal_weakness_has_none(left, right, side):
    """Without controls the margin is 0.1: (1 - 0.82) / (1 + 0.82) = 0.099."""
    assert weakness_scores(values_of({"p1": (left, right)}), {})["weaker_side"].tolist() == [side]
    mirrored = asymmetries(values_of({"p1": (right, left)}))
    assert (mirrored.to_numpy() == -asymmetries(values_of({"p1": (left, right)})).to_numpy()).all()


def test_margin_is_what_the_other_controls_show():
    """Asymmetries of 0.06, 0.06 and -0.06 have a root mean square of 0.06; the fourth control's
    own, 0.5, makes no margin for itself.
    """
    assert margin_of(pd.Series([0.06, 0.06, -0.06, np.nan])) == pytest.approx(0.12)
    assert (
        margin_of(pd.Series([0.01, 0.0, 0.0])) == 0.05 and margin_of(pd.Series([0.3, 0.3])) == 0.1
    )
    sided = {"c1": (1.06, 0.94), "c2": (1.06, 0.94), "c3": (0.94, 1.06), "c4": (1.5, 0.5)}
    found = weakness_scores(values_of(sided), GROUPS)
    assert (
        found.loc["c4", "margin"].iloc[0] == pytest.approx(0.12)
        and found.loc["c4", "weaker_side"].iloc[0] == "right"
    )
    assert found.loc["c1", "margin"].iloc[0] == pytest.approx(
        2 * np.sqrt((0.06**2 * 2 + 0.5**2) / 3)
    )


def test_unknown_asymmetry_has_no_side():
    assert [weaker_side(value, 0.1) for value in (0.11, -0.11, 0.1, np.nan)] == [
        "right",
        "left",
        "none",
        "",
    ]


def test_a_measure_is_read_in_the_panel_that_requires_it():
    clips = pd.DataFrame(
        [
            {
                "participant_id": "p1",
                "visit": "",
                "panel": "Smile",
                "left_corner_lift_range": 0.2,
                "right_corner_lift_range": 0.4,
            },
            {
                "participant_id": "p1",
                "visit": "",
                "panel": "happiness",
                "left_corner_lift_range": 0.4,
                "right_corner_lift_range": np.nan,
            },
            {
                "participant_id": "p1",
                "visit": "",
                "panel": "rest",
                "left_corner_lift_range": 9.0,
                "right_corner_lift_range": 9.0,
            },
        ]
    )
    found = measure_values(clips).loc[("p1", "")]
    assert found["corner lift"].tolist() == pytest.approx([0.3, 0.4])
    assert found.notna().sum() == 2
    assert measure_values(clips.assign(panel="")).loc[("p1", "")][
        "corner lift", "left"
    ] == pytest.approx(3.2)  # no panels: every clip
