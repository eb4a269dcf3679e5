"""The formula, the fit and the changes of myoclonus' severity, on values that can be computed
manually.
"""

import math

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from semiology.data.cohort import Clip, Score
from semiology.data.tracks import make_tracks
from semiology.severity.myoclonus import (
    ClipMeasures,
    PartMeasure,
    amplitude_class,
    changes,
    fit_score,
    frequency_class,
    score_visits,
)
from semiology.severity.myoclonus.measures import Task, Trace, measure_task
from semiology.severity.myoclonus.regression import (
    ALPHAS,
    FEATURES,
    least_error,
    rated_panel,
    rated_visits,
    visit_features,
)
from semiology.severity.myoclonus.umrs import PARTS, slowness_class, smoothness_class

QUIET = {part: PartMeasure(seconds=60) for part in PARTS}


def jerking(count: int, amplitude: float, seconds: float = 60) -> PartMeasure:
    return PartMeasure(seconds=seconds, amplitudes=(amplitude,) * count, peaks=tuple(range(count)))


def measured(
    task: Task | None = None, spread: dict[str, int] | None = None, **parts: PartMeasure
) -> ClipMeasures:
    """A minute with the given measures of some parts; the others are seen and at rest."""
    return ClipMeasures(
        key="",
        seconds=60,
        torso=100,
        parts=QUIET | parts,
        spread=spread or {},
        task=task or Task(),
        trace=Trace(step=1, speed={}),
    )


def clip(
    clip_id: str,
    participant: str = "p1",
    panel: str = "action",
    visit: str = "",
    item: str = "",
    **scores: float | None,
) -> Clip:
    covariates = {"panel": panel, "visit": visit, "item": item}
    return Clip(
        clip_id=clip_id,
        participant_id=participant,
        tracks="t.nc",
        scores=scores,
        covariates=covariates,
    )


def visits_of(pairs: list[tuple[Clip, ClipMeasures]], controls: tuple[str, ...] = ()) -> list:
    return score_visits(
        [one for one, _ in pairs], {one.clip_id: found for one, found in pairs}, controls, seen=5.0
    )


@pytest.mark.parametrize(
    ("per_minute", "expected"),
    [(0, 0), (1, 1), (6, 1), (12, 2), (18, 2), (24, 3), (54, 3), (60, 4), (200, 4)],
)
def test_frequency_is_counted_in_ten_seconds(per_minute, expected):
    """The UMRS: none; up to 1; 2 to 3; 4 to 9; 10 or more jerks in ten seconds."""
    assert frequency_class(per_minute) == expected


def test_classes_of_amplitude_smoothness_and_slowness():
    assert [amplitude_class(value) for value in (0.005, 0.01, 0.029, 0.05, 0.1, 0.5)] == [
        1,
        2,
        2,
        3,
        4,
        4,
    ]
    assert [smoothness_class(value) for value in (-1.41, -1.6, -1.7, -2.2, -3.5, -9)] == [
        0,
        0,
        1,
        2,
        3,
        4,
    ]
    assert [slowness_class(value) for value in (0.8, 1.0, 1.3, 1.9, 2.0, 5)] == [0, 0, 1, 2, 3, 4]
    assert all(
        math.isnan(grade(math.nan))
        for grade in (frequency_class, amplitude_class, smoothness_class, slowness_class)
    )


def test_a_score_is_frequency_times_amplitude_by_part():
    # left arm: 30 a minute = 5 in ten seconds = class 3, of 2 % = small = class 2: 6. Neck: 3 a
    # minute = class 1, of 12 % = class 4: 4
    found = measured(left_arm=jerking(30, 0.02), neck=jerking(3, 0.12))
    (visit,) = visits_of([(clip("a"), found)])
    (item,) = visit.items
    assert (
        item.parts["left_arm"].frequency_class,
        item.parts["left_arm"].amplitude_class,
        item.parts["left_arm"].score,
    ) == (3, 2, 6)
    assert item.parts["neck"].score == 4 and item.parts["right_leg"].score == 0
    assert item.score == visit.panels()["action"] == visit.total() == 10
    assert visit.parts() == set(PARTS)


def test_rates_count_usable_time_only():
    # 5 jerks in 10 usable s are 5 in ten seconds; over the whole minute they would be 0.8
    (visit,) = visits_of([(clip("a"), measured(left_arm=jerking(5, 0.02, seconds=10)))])
    assert visit.items[0].parts["left_arm"].per_minute == 30
    assert visit.items[0].parts["left_arm"].frequency_class == 3


def test_a_part_that_was_not_seen_enough_is_not_scored_and_the_total_states_on_what_it_rests():
    found = measured(left_arm=jerking(2, 0.02, seconds=4.9), left_leg=PartMeasure(seconds=0))
    (visit,) = visits_of([(clip("a"), found)])
    assert (
        math.isnan(visit.items[0].parts["left_arm"].score)
        and visit.items[0].parts["left_arm"].jerks == 2
    )
    assert visit.parts() == set(PARTS) - {"left_arm", "left_leg"} and visit.total() == 0


def test_the_smallest_jerk_that_could_be_found_is_that_of_the_noisier_clip():
    clear, noisy = (
        measured(neck=PartMeasure(seconds=60, smallest=0.01)),
        measured(neck=PartMeasure(seconds=60, smallest=0.04)),
    )
    (visit,) = visits_of([(clip("a"), clear), (clip("b"), noisy)])
    assert visit.items[0].parts["neck"].smallest == 0.04 and math.isnan(
        visit.items[0].parts["trunk"].smallest
    )


def test_clips_of_one_item_are_pooled_items_averaged_panels_added():
    arm = {"left_arm": jerking(12, 0.02)}  # 12 a minute: class 2, of 2 %: class 2: 4
    pairs = [
        (
            clip("a1", item="reach"),
            measured(left_arm=jerking(24, 0.02)),
        ),  # with a2: 24 in two minutes, as in `arm`
        (clip("a2", item="reach"), measured()),
        (clip("b", item="hold"), measured(left_arm=jerking(60, 0.2))),  # class 4 x 4: 16
        (clip("c", panel="rest"), measured(**arm)),
    ]
    (visit,) = visits_of(pairs)
    assert visit.panels() == {"rest": 4, "action": (4 + 16) / 2} and visit.total() == 14
    assert [(item.panel, item.item, item.clip_ids) for item in visit.items] == [
        ("rest", "unnamed", ("c",)),
        ("action", "reach", ("a1", "a2")),
        ("action", "hold", ("b",)),
    ]


def test_functional_items_are_scored_by_smoothness_and_time_besides_jerks():
    slow = Task(side="right", seconds=16, sparc=-3.5)
    patient = (
        clip("a", panel="functional"),
        measured(slow, left_arm=jerking(30, 0.02)),
    )  # jerks: 6
    (alone,) = visits_of([patient])
    assert (
        alone.items[0].performance.score == 12
    )  # smoothness class 3 of 4; nobody says how long it should take
    assert alone.total() == 6 + 12
    (action,) = visits_of([(clip("a"), measured(slow))])
    assert action.items[0].performance is None


def test_a_functional_items_time_is_held_against_other_controls():
    patient = (clip("a", panel="functional"), measured(Task(side="right", seconds=16, sparc=-3.5)))
    times = {"c1": 8.0, "c2": 10.0, "c3": 12.0, "c4": 24.0}
    controls = [
        (
            clip(name, name, panel="functional"),
            measured(Task(side="left", seconds=time, sparc=-1.5)),
        )
        for name, time in times.items()
    ]
    three = [
        visit.items[0].performance
        for visit in visits_of([patient, *controls[:3]], controls=tuple(times))
    ]
    assert three[0].ratio == 1.6 and three[0].score == 10  # class 2: 2 x (3 + 2)
    assert all(math.isnan(control.ratio) for control in three[1:])  # two others: too few to say
    four = [
        visit.items[0].performance
        for visit in visits_of([patient, *controls], controls=tuple(times))
    ]
    assert four[0].ratio == pytest.approx(16 / 11) and four[4].ratio == pytest.approx(
        24 / 10
    )  # the slow control is not its own measure


def test_a_visit_without_a_measured_clip_keeps_its_place():
    clips = [clip("a", visit="v1"), clip("b", visit="v2")]
    visits = score_visits(clips, {"a": measured()}, (), seen=5.0)
    assert [(visit.visit, len(visit.items)) for visit in visits] == [
        ("v1", 1),
        ("v2", 0),
    ] and math.isnan(visits[1].total())
    total, rater = changes(
        visits, ["v1", "v2"], {("p1", "v1"): {"rater": 5.0}, ("p1", "v2"): {"rater": 3.0}}
    )
    assert total.reason.endswith(" v2") and (rater.change, rater.reason) == (-2, "")


def test_change_is_taken_over_what_was_seen_both_times():
    before = measured(left_arm=jerking(30, 0.02), left_leg=jerking(60, 0.2))  # 6 + 16
    after = measured(
        left_arm=jerking(3, 0.02), left_leg=PartMeasure(seconds=0)
    )  # 2, leg out of view
    visits = visits_of([(clip("a", visit="baseline"), before), (clip("b", visit="week-12"), after)])
    panel, total = changes(visits, ["baseline", "week-12"], {})
    assert (visits[0].total(), visits[1].total()) == (22, 2)
    assert (total.before, total.after, total.change, total.rests_on) == (6, 2, -4, 6)
    assert (panel.score, panel.change, panel.reason) == ("umrs_action", -4, "")


def test_a_missing_visit_is_reported_and_not_imputed():
    pairs = [
        (clip("a", visit="baseline"), measured()),
        (clip("b", "p2", visit="week-12"), measured()),
    ]
    first, second = changes(visits_of(pairs), ["baseline", "week-12"], {})
    assert first.participant_id == "p1" and first.reason == "no measured clip of the visit week-12"
    assert second.participant_id == "p2" and second.reason.endswith(" baseline")
    assert math.isnan(first.change) and math.isnan(second.change)
    assert changes(visits_of(pairs), ["baseline"], {}) == []


def test_changes_of_other_scores_are_differences():
    visits = visits_of([(clip("a", visit="v1"), measured()), (clip("b", visit="v2"), measured())])
    scores = {
        ("p1", "v1"): {"rater": 12.0, "other": 3.0},
        ("p1", "v2"): {"rater": 7.0, "other": math.nan},
    }
    rater, other = changes(visits, ["v1", "v2"], scores)[-2:]
    assert (rater.score, rater.change, rater.rests_on) == ("rater", -5, None)
    assert math.isnan(other.change) and other.reason.endswith(" v2")


def test_no_common_item_is_no_change():
    visits = visits_of(
        [
            (clip("a", visit="v1", item="reach"), measured()),
            (clip("b", visit="v2", item="drink"), measured()),
        ]
    )
    total = changes(visits, ["v1", "v2"], {})[-1]
    assert math.isnan(total.change) and total.rests_on == 0 and total.reason


def test_clinicians_scores_are_means_over_the_clips_that_they_rate():
    score = Score(name="rater", role="score", of="umrs_action")
    clips = [
        clip("a", rater=3),
        clip("b", rater=5),
        clip("c", panel="rest", rater=0),
        clip("d", "p2", rater=None),
    ]
    assert rated_visits(clips, score) == {("p1", ""): 4}
    assert rated_visits(clips, score.model_copy(update={"of": "umrs_total"})) == {
        ("p1", ""): pytest.approx(8 / 3)
    }
    rates = [
        rated_panel(clips, score.model_copy(update={"of": of}))
        for of in ("umrs_total", "total", "umrs_rest", "rest", "weakness")
    ]
    assert rates == ["", "", "rest", "rest", None]


def test_features_are_named_figures_of_a_visit():
    found = measured(
        spread={"focal": 3, "segmental": 1}, left_arm=jerking(30, 0.02), right_arm=jerking(30, 0.04)
    )
    features = visit_features([found, measured()])
    assert features["arms_rate"] == pytest.approx(
        math.log(1 + 60 / 4)
    )  # 60 events in four arm-minutes
    assert features["arms_amplitude"] == pytest.approx(0.03) and features["legs_amplitude"] == 0
    assert features["parts_jerking"] == 2 / 7 and features["share_spread"] == 0.25
    unseen = visit_features(
        [
            ClipMeasures(
                key="",
                seconds=1,
                torso=math.nan,
                parts={},
                spread={},
                task=Task(),
                trace=Trace(step=1, speed={}),
            )
        ]
    )
    assert all(math.isnan(value) for value in unseen.values())


def reaching(gap: range = range(0)) -> Task:
    """Four reaches of a wrist by 100 px (a torso's length) and back, each of 1 s, 1 s apart, at 50
    Hz; other joints still.
    """
    names = ["left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_wrist"]
    time = np.arange(500) / 50
    share = np.clip((time - 1) % 2, 0, 1) * ((time >= 1) & (time < 9))
    way = share**3 * (10 - 15 * share + 6 * share**2)
    way = np.where((time - 1) // 2 % 2 == 0, way, 1 - way) * ((time >= 1) & (time < 9))
    position = np.tile(
        np.array([[130, 80], [70, 80], [120, 180], [80, 180], [130, 170]], float), (len(time), 1, 1)
    )
    position[:, 4, 0] += 100 * way
    position[gap.start : gap.stop, 4] = np.nan
    return measure_task(make_tracks(position, names, 50.0))


def test_movements_of_a_task_are_timed_and_their_smoothness_is_that_of_minimum_jerk():
    task = reaching()
    assert (task.side, task.movements) == ("left", 4)
    assert task.seconds == pytest.approx(6.9, abs=0.1) and task.movement_seconds == pytest.approx(
        0.9, abs=0.05
    )
    assert task.sparc == pytest.approx(-1.41, abs=0.02)


def test_a_movement_that_a_gap_cuts_is_not_counted_and_a_hand_that_is_hardly_seen_is_not_scored():
    assert reaching(gap=range(170, 180)).movements == 3
    lost = reaching(gap=range(100, 400))
    assert lost.side == "left" and lost.movements == 0 and math.isnan(lost.sparc)


def cohort_of(people: int, seed: int = 0) -> tuple[dict, dict]:
    """Clinicians' scores and features at two visits each: the score follows the arms' rate."""
    rng = np.random.default_rng(seed)
    features, rated = {}, {}
    for number in range(people):
        for visit in ("v1", "v2"):
            count = int(rng.integers(0, 60))
            features[f"p{number}", visit] = visit_features(
                [measured(left_arm=jerking(count, 0.02), right_arm=jerking(count, 0.02))]
            )
            rated[f"p{number}", visit] = float(round(count / 6))
    return rated, features


SCALE = Score(name="rater", role="score", of="umrs_action", minimum=0, maximum=10)


def test_the_fit_follows_the_clinician():
    rated, features = cohort_of(12)
    fit = fit_score(SCALE, rated, features)
    assert (
        fit.reason == ""
        and fit.predicted.keys() == rated.keys()
        and (fit.participants, fit.visits) == (12, 24)
    )
    assert np.corrcoef([fit.predicted[key] for key in rated], [*rated.values()])[0, 1] > 0.8


def test_a_participants_fitted_score_never_saw_that_participant():
    rated, features = cohort_of(12)
    fit = fit_score(SCALE, rated, features)
    lied = {key: 10.0 - value if key[0] == "p3" else value for key, value in rated.items()}
    other = fit_score(SCALE, lied, features)
    assert all(other.predicted["p3", visit] == fit.predicted["p3", visit] for visit in ("v1", "v2"))
    assert any(other.predicted[key] != fit.predicted[key] for key in rated if key[0] != "p3")
    unrated = fit_score(
        SCALE, {key: value for key, value in rated.items() if key[0] != "p3"}, features
    )
    assert (
        unrated.predicted["p3", "v1"] == fit.predicted["p3", "v1"]
    )  # the model of the others, again


def pairs_with_opposite_scores() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Six pairs of people, two equal visits each, scores 0 and 10 in a pair; features say which
    pair it is, and which person.

    Who is left out is taken for the partner, whose score is the opposite: nothing is better than
    the mean of the others. Where the other visit of the same person stays in, the features that say
    who it is predict without error.
    """
    person = np.repeat(np.arange(12), 2)
    features = np.hstack([np.eye(6)[person // 2], np.eye(12)[person]])
    return features, 10.0 * (person % 2), [f"p{number}" for number in person]


def test_the_ridge_is_chosen_on_participants_who_were_left_out_with_all_their_visits():
    features, target, owners = pairs_with_opposite_scores()
    visits = [f"v{number}" for number in range(len(owners))]
    assert least_error(features, target, visits) == ALPHAS[0]
    assert least_error(features, target, owners) == ALPHAS[-1]


def test_where_features_only_say_who_it_is_the_fit_is_the_mean_of_the_others():
    features, target, owners = pairs_with_opposite_scores()
    keys = [(owner, f"v{number % 2}") for number, owner in enumerate(owners)]
    named = {
        key: dict.fromkeys(FEATURES, 0.0) | dict(zip(FEATURES, row))
        for key, row in zip(keys, features)
    }
    assert len(FEATURES) >= features.shape[1]
    fit = fit_score(SCALE, dict(zip(keys, target)), named)
    for (participant, _), predicted in fit.predicted.items():
        others = [score for owner, score in zip(owners, target) if owner != participant]
        assert predicted == pytest.approx(np.mean(others), abs=0.1)


def test_the_chosen_ridge_is_the_one_of_a_grid_search_with_participants_as_groups():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(30, 8))
    target = features[:, 0] + 2 * rng.normal(size=30)
    features[rng.random(features.shape) < 0.1] = np.nan
    owners = [f"p{number}" for number in range(10) for _ in range(3)]
    steps = SimpleImputer(strategy="median"), StandardScaler(), Ridge()
    search = GridSearchCV(
        make_pipeline(*steps),
        {"ridge__alpha": ALPHAS},
        cv=LeaveOneGroupOut(),
        scoring="neg_mean_squared_error",
    )
    assert (
        least_error(features, target, owners)
        == search.fit(features, target, groups=owners).best_params_["ridge__alpha"]
    )
    assert ALPHAS[0] < least_error(features, target, owners) < ALPHAS[-1]


def test_fitted_scores_stay_on_the_scale():
    rated, features = cohort_of(12)
    narrow = SCALE.model_copy(update={"minimum": 3.0, "maximum": 5.0})
    predicted = [*fit_score(narrow, rated, features).predicted.values()]
    assert min(predicted) == 3 and max(predicted) == 5


@pytest.mark.parametrize(
    ("people", "change", "reason"),
    [
        (7, lambda key, value: value, "7 participants have a score and features; 8 are needed"),
        (12, lambda key, value: 4.0, "every score is 4: there is nothing to tell apart"),
        (
            12,
            lambda key, value: float(key[0] == "p3"),
            "all but one participant have the same score",
        ),
        (12, lambda key, value: math.nan, "0 participants have a score and features; 8 are needed"),
    ],
)
def test_what_cannot_be_fitted_is_refused_with_a_reason(people, change, reason):
    rated, features = cohort_of(people)
    fit = fit_score(SCALE, {key: change(key, value) for key, value in rated.items()}, features)
    assert fit.predicted == {} and fit.reason.startswith(reason)


def test_ties_are_no_reason_to_refuse():
    rated, features = cohort_of(12)
    fit = fit_score(SCALE, {key: float(value > 4) for key, value in rated.items()}, features)
    assert fit.reason == "" and len(fit.predicted) == 24
