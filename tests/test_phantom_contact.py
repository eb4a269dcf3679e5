"""The phantom of people in contact: hands that reach, truth of both people, what hides what."""

import numpy as np
import pytest

from semiology.data.cohort import Cohort
from semiology.data.tracks import read_tracks
from semiology.errors import UserError
from semiology.phantom import make_contact
from semiology.phantom.contact.recipe import (
    ACTS,
    ContactRecipe,
    both_truths,
    perform_contact,
    plan_contact,
    reaching,
)
from semiology.phantom.drawing.filming import FPS
from semiology.phantom.drawing.kinematics import Figure
from semiology.phantom.drawing.raster import Camera
from semiology.phantom.shared.truth import behind, joint_tracks

RECIPE = ContactRecipe(seconds=4)


def bones(figure: Figure, side: str) -> np.ndarray:
    """(time, 2) lengths of upper arm and forearm, m."""
    shoulder, elbow, wrist = (
        figure.joints[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist")
    )
    return np.stack(
        [np.linalg.norm(elbow - shoulder, axis=1), np.linalg.norm(wrist - elbow, axis=1)], 1
    )


def test_a_hand_reaches_what_is_near_and_stretches_towards_what_is_far():
    plan = plan_contact(RECIPE, 0, "hold", False)
    body = plan.caregiver.person.body
    figure = perform_contact(plan, "hold").caregiver
    shoulder = figure.joints["left_shoulder"]
    ones = np.ones(len(shoulder))
    near, far = shoulder + np.array([0.1, -0.2, 0.2]), shoulder + np.array([0, 0, 3.0])
    at = reaching(figure, body, "left", near, ones)
    assert at.joints["left_wrist"] == pytest.approx(near, abs=1e-9)
    stretched = reaching(figure, body, "left", far, ones)
    away = stretched.joints["left_wrist"] - shoulder
    assert away[:, 2] == pytest.approx(0.995 * (body.upper_arm + body.forearm))
    assert away[:, :2] == pytest.approx(0, abs=1e-9)
    for figure in (at, stretched):
        expected = np.tile([body.upper_arm, body.forearm], (len(ones), 1))
        assert bones(figure, "left") == pytest.approx(expected)


@pytest.mark.parametrize("act", ACTS)
def test_the_caregiver_comes_touches_and_leaves(act):
    plan = plan_contact(RECIPE, 1, act, False)
    performance = perform_contact(plan, act)
    seen = performance.caregiver_seen
    joints, second = performance.figure.joints, performance.caregiver.joints
    hands = np.stack([second["left_wrist"], second["right_wrist"]])
    arms = np.stack(
        [
            joints[f"{side}_{name}"]
            for side in ("left", "right")
            for name in ("wrist", "elbow", "shoulder", "hip")
        ]
    )
    nearest = np.linalg.norm(hands[:, None] - arms[None], axis=-1).min((0, 1))  # (time,) m
    middle = slice(int(0.4 * len(seen)), int(0.6 * len(seen)))
    assert seen[middle].all()
    assert nearest[middle].max() < 0.25 and nearest[0] > 0.5 and nearest[-1] > 0.5
    length = bones(performance.caregiver, "left")
    assert length == pytest.approx(np.tile(length[0], (len(length), 1)))
    assert plan.caregiver.person.gown != plan.subject.person.gown


def test_who_stands_before_a_point_hides_it():
    camera = Camera(100, 100, 100.0, np.zeros(3), np.eye(3))
    ball = {"head": np.array([[0.0, 0.0, 1.0]])}
    for point, hidden in (((0, 0, 2), True), ((0.5, 0, 2), False), ((0, 0, 0.5), False)):
        seen = behind(camera, ball, [("head", "head", 0.1)], np.array([point], float))
        assert seen.tolist() == [hidden]


def test_the_truth_of_each_lacks_what_the_other_hides():
    plan = plan_contact(RECIPE, 0, "bend", False)
    performance = perform_contact(plan, "bend")
    patient, caregiver = both_truths(plan, performance)
    assert patient.sizes == caregiver.sizes and patient.sizes["keypoint"] == 11
    alone = joint_tracks(plan.subject, performance, FPS)
    lost = (alone.confidence - patient.confidence).values  # 1 where the caregiver hides
    assert set(np.unique(lost)) == {0, 1}
    assert lost[45:60].any() and not lost[:10].any() and not lost[-10:].any()


def test_six_clips_each_with_the_truth_of_both(tmp_path):
    folder = make_contact(tmp_path, subjects=1, seconds=2, progress=False)
    cohort = Cohort.read(folder)
    assert sorted(clip.clip_id for clip in cohort.clips) == sorted(
        f"sub-01_{act}_{light}" for act in ACTS for light in ("day", "night")
    )
    for clip in cohort.clips:
        people = [
            read_tracks(folder / "truth" / f"{clip.clip_id}{who}.nc") for who in ("", "_caregiver")
        ]
        assert {tracks.sizes["time"] for tracks in people} == {2 * round(FPS)}
        apart = people[0].position.values - people[1].position.values
        assert np.abs(apart).max() > 20


@pytest.mark.parametrize("wrong", [{"seconds": 1}, {"seed": -1}, {"subjects": 0}])
def test_parameters_that_make_no_sense_are_refused(tmp_path, wrong):
    with pytest.raises(UserError, match="phantom"):
        make_contact(tmp_path / "made", progress=False, **wrong)
    assert not (tmp_path / "made").exists()
