"""The phantom with myoclonus: stated amplitudes, rigid bones, rates, severity, a tracker's errors,
the cohort and its faults.
"""

import json

import numpy as np
import pandas as pd
import pytest

from semiology.cli.main import main
from semiology.data.cohort import Cohort
from semiology.data.skeleton import load_skeleton
from semiology.data.tracks import make_tracks, read_tracks
from semiology.errors import UserError
from semiology.phantom import make_myoclonus
from semiology.phantom.myoclonus.exam import JOINTS, act, displacements
from semiology.phantom.myoclonus.jerks import (
    FALL,
    PULLED,
    RISE,
    Burden,
    Jerk,
    burden,
    displacement,
    draw_jerks,
)
from semiology.phantom.myoclonus.recipe import MyoclonusRecipe, draw_trajectory, plan_exam
from semiology.phantom.myoclonus.tables import MOVED, jerk_truth
from semiology.phantom.shared.tracker_noise import LOST, WANDER, WANDERS_FOR, as_tracked
from semiology.phantom.shared.truth import joint_tracks
from semiology.video import read_frames

STATED = MyoclonusRecipe(
    seconds=30, amplitude=0.04, rate=30, controls=0, fps=60
)  # frames so near each other that one is at the peak
TRACKS = {"render": False, "progress": False}


def pixels(exam, jerks):
    """The eleven joints (time, joint, 2) px of the whole clip, as in the truth of a cohort."""
    return (
        joint_tracks(exam.subject, act(exam, range(exam.frames), jerks), exam.fps)
        .position.values.transpose(0, 2, 1)
        .astype(float)
    )


@pytest.mark.parametrize("panel", ["rest", "action", "functional"])
def test_a_jerk_carries_its_joint_as_far_as_is_stated_between_the_performance_with_and_without(
    panel,
):
    exam = plan_exam(STATED, 0, 0, panel)
    apart = np.linalg.norm(pixels(exam, True) - pixels(exam, False), axis=-1) / exam.torso
    assert len(exam.jerks) >= 8
    for jerk in exam.jerks:
        frames = slice(
            round(jerk.onset * exam.fps), round((jerk.onset + jerk.duration) * exam.fps) + 1
        )
        seen = apart[frames, JOINTS.index(jerk.joint)].max()
        assert 0.93 * 0.04 < seen < 1.03 * 0.04, (
            jerk.joint,
            seen,
        )  # the frame nearest to the peak is up to 8 ms off it
    during = np.zeros(exam.frames, bool)
    for jerk in exam.jerks:
        during |= (
            np.abs(np.arange(exam.frames) / exam.fps - jerk.onset - jerk.duration / 2)
            < jerk.duration / 2
        )
    assert apart[~during].max() < 1e-3


def test_at_its_peak_the_stated_amplitude_is_exact_and_the_truth_states_it():
    for subject in range(4):
        exam = plan_exam(STATED, subject, 0, "action")
        first, moved = displacements(exam)
        for i, jerk in enumerate(first):
            assert np.linalg.norm(moved[i, JOINTS.index(jerk.joint)]) == pytest.approx(
                0.04, rel=1e-4
            )
        table = jerk_truth(exam)
        named = {(jerk.joint, round(jerk.peak, 4)) for jerk in first}
        stated = table[[(joint, peak) in named for joint, peak in zip(table.joint, table.peak)]]
        assert len(stated) == len(first) and stated.amplitude.to_numpy() == pytest.approx(
            np.full(len(first), 0.04), rel=1e-4
        )
        assert (table.amplitude >= MOVED).all() and np.hypot(
            table.direction_x, table.direction_y
        ).to_numpy() == pytest.approx(1, abs=1e-3)


def test_an_elbows_jerk_carries_the_wrist_too_and_a_wrists_jerk_leaves_the_elbow():
    first, moved = displacements(plan_exam(STATED, 1, 0, "rest"))
    carried = np.linalg.norm(moved, axis=-1)
    for i, jerk in enumerate(first):
        side, _, part = jerk.joint.partition("_")
        if part == "elbow":
            assert carried[i, JOINTS.index(f"{side}_wrist")] > MOVED
        if part == "wrist":
            assert np.delete(carried[i], JOINTS.index(jerk.joint)).max() == 0
        if part == "shoulder":
            assert carried[i, JOINTS.index("head")] > 0.03


def test_bones_keep_their_length():
    exam = plan_exam(MyoclonusRecipe(seconds=20), 2, 0, "action")
    joints = act(exam, range(exam.frames)).figure.joints
    assert exam.jerks
    for joint, parent in load_skeleton("upper_body_11").edges:
        length = np.linalg.norm(joints[joint] - joints[parent], axis=-1)
        if (joint, parent) != ("head", "neck"):
            assert np.ptp(length) < 1e-9
    assert (
        np.degrees(min(act_angle(joints, side).min() for side in ("left", "right"))) > 1.9
    )  # no elbow bends backwards


def act_angle(joints, side):
    upper, fore = (
        joints[f"{side}_elbow"] - joints[f"{side}_shoulder"],
        joints[f"{side}_wrist"] - joints[f"{side}_elbow"],
    )
    cosine = (
        np.sum(upper * fore, -1) / np.linalg.norm(upper, axis=-1) / np.linalg.norm(fore, axis=-1)
    )
    return np.arccos(np.clip(cosine, -1, 1))


def test_a_jerk_rises_quickly_and_returns_slowly():
    jerk = Jerk("head", 1.0, 0.06, 0.15, 0.05, 0.0)
    times = np.array([0.9, 1.0, 1.06, 1.21, 1.5])
    assert displacement(jerk, times) == pytest.approx([0, 0, 1, 0, 0])
    assert displacement(jerk, np.array([1.03, 1.135])) == pytest.approx([0.5, 0.5])
    drawn = draw_jerks(np.random.default_rng(0), Burden(40, 0.03, 0.3, {"head": 1.0}, 0), 300)
    assert all(
        RISE[0] <= jerk.rise <= RISE[1] and FALL[0] <= jerk.fall <= FALL[1] for jerk in drawn
    )


@pytest.mark.parametrize("rate", [2, 20, 60])
def test_as_many_jerks_a_minute_as_are_requested(rate):
    how = Burden(rate, 0.03, 0.0, {joint: 1 / len(PULLED) for joint in PULLED}, 0.0)
    jerks = draw_jerks(np.random.default_rng(1), how, 60 * 100)
    assert len(jerks) == pytest.approx(100 * rate, abs=4 * np.sqrt(100 * rate))
    ends = np.array([jerk.onset + jerk.duration for jerk in jerks])
    assert (np.array([jerk.onset for jerk in jerks[1:]]) - ends[:-1]).min() >= 0.3499
    counts = pd.Series([jerk.joint for jerk in jerks]).value_counts()
    assert set(counts.index) == set(PULLED) and counts.min() > 0.5 * len(jerks) / len(PULLED)


def test_more_severe_is_more_often_larger_and_wider():
    mild, severe = burden(0.1, "action", "left", 0.7), burden(0.9, "action", "left", 0.7)
    assert (
        severe.rate == pytest.approx(9 * mild.rate)
        and severe.amplitude > 3 * mild.amplitude
        and severe.together > mild.together
    )
    assert mild.joints["left_wrist"] > mild.joints["right_wrist"] > mild.joints["head"]
    assert severe.joints["head"] > mild.joints["head"] and sum(
        severe.joints.values()
    ) == pytest.approx(1)
    assert burden(0.5, "rest", "left", 0.7).rate < burden(0.5, "action", "left", 0.7).rate
    assert burden(0.0, "action", "left", 0.7).rate == 0


def test_severities_are_spread_raters_scatter_about_them_and_most_patients_get_better():
    trajectories = [draw_trajectory(MyoclonusRecipe(), subject) for subject in range(120)]
    patients = [trajectory for trajectory in trajectories if not trajectory.control]
    assert len(patients) == 96 and all(
        trajectory.severities == (0.0, 0.0) for trajectory in trajectories if trajectory.control
    )
    first, later = np.array([trajectory.severities for trajectory in patients]).T
    assert 0.05 <= first.min() < 0.15 and 0.9 < first.max() <= 1
    assert 0.7 < np.mean(later < first) < 0.95
    faults = np.array([trajectory.ratings[0] for trajectory in patients]) - 100 * first[:, None]
    assert faults.mean(0) == pytest.approx([0, 3], abs=2) and 4.5 < faults.std() < 8
    assert {
        rating % 4 for trajectory in trajectories for both in trajectory.ratings for rating in both
    } == {0}


def test_jerks_follow_claps():
    exam = plan_exam(MyoclonusRecipe(seconds=60), 0, 0, "stimulus")
    claps = np.array(exam.task.stimuli)
    assert len(claps) > 10 and 0 < len({jerk.onset for jerk in exam.jerks}) <= len(claps)
    for jerk in exam.jerks:
        assert 0.05 <= np.min(jerk.onset - claps[claps < jerk.onset]) <= 0.10


def test_a_participant_is_the_same_whatever_else_is_requested(tmp_path):
    few, more = tmp_path / "few", tmp_path / "more"
    make_myoclonus(few, subjects=1, visits=1, seconds=6, panels=["action"], **TRACKS)
    make_myoclonus(more, subjects=2, visits=2, seconds=6, noise=1.0, **TRACKS)
    name = "sub-01_baseline_action"
    for file in (f"{name}_jerks.tsv", f"{name}.nc"):
        one, other = (folder / "truth" / file for folder in (few, more))
        if file.endswith("tsv"):
            assert one.read_bytes() == other.read_bytes()
        else:
            assert (read_tracks(one).position.values == read_tracks(other).position.values).all()
    noisy, true = read_tracks(more / f"tracks/{name}.nc"), read_tracks(few / f"tracks/{name}.nc")
    assert (true.position.values == read_tracks(few / f"truth/{name}.nc").position.values).all()
    assert 0.5 < np.nanstd(noisy.position.values - true.position.values) < 6


def test_the_noise_is_what_is_stated():
    still = make_tracks(
        np.full((100000, 2, 2), [[100.0, 50.0], [200.0, 50.0]]), ["left_wrist", "right_wrist"], 25.0
    )
    noisy = as_tracked(still, 0.8, np.random.default_rng(0))
    gone = np.isnan(noisy.position.values).any(1)
    assert (
        gone.mean() == pytest.approx(LOST, rel=0.2) and (noisy.confidence.values[gone] == 0).all()
    )
    away = noisy.position.values[:, 0] - [100.0, 200.0]
    swapped = np.abs(away) > 50
    assert (
        0 < swapped.mean() < 0.001
        and (
            swapped[:, 0] | gone[:, 0] | gone[:, 1] == swapped[:, 1] | gone[:, 0] | gone[:, 1]
        ).all()
    )
    fault = np.where(swapped | gone, np.nan, away)
    assert np.nanstd(fault) == pytest.approx(0.8 * np.hypot(1, WANDER), rel=0.1)
    assert np.nanstd(np.diff(fault, axis=0)) == pytest.approx(
        0.8 * np.sqrt(2 + 2 * WANDER**2 * (1 - np.exp(-1 / 25 / WANDERS_FOR))), rel=0.1
    )
    assert (still.position.values[:, 0, 0] == 100).all()


def test_a_cohort_of_tracks_passes_the_check_and_the_second_call_does_nothing(tmp_path, capsys):
    out = tmp_path / "phantom"
    call = [
        "phantom",
        "myoclonus",
        str(out),
        "--subjects",
        "5",
        "--seconds",
        "6",
        "--render",
        "false",
        "--progress",
        "false",
    ]
    assert main(call) == 0 and main(["cohort", "check", str(out)]) == 0
    assert "5 synthetic participants" in capsys.readouterr().out
    cohort = Cohort.read(out)
    assert len(cohort.clips) == 20 and cohort.visits == ["baseline", "week-12"]
    assert {clip.covariates["panel"] for clip in cohort.clips} == {"rest", "action"}
    people = pd.read_csv(out / "participants.tsv", sep="\t")
    for clip in cohort.clips:
        assert set(clip.scores) == {"severity_true", "umrs_rater_1", "umrs_rater_2"}
        control = people.set_index("participant_id").group[clip.participant_id] == "control"
        assert control == (clip.scores["severity_true"] == 0)
        table = pd.read_csv(out / f"truth/{clip.clip_id}_jerks.tsv", sep="\t")
        content = json.loads((out / f"truth/{clip.clip_id}.json").read_text())
        assert not (control and len(table)) and set(table.onset) == {
            round(jerk["onset"], 4) for jerk in content["jerks"]
        }
        assert "position_3d" not in read_tracks(out / clip.tracks)
    before = {path: path.stat().st_mtime_ns for path in (out / "tracks").iterdir()}
    assert main(call) == 0
    assert before == {path: path.stat().st_mtime_ns for path in (out / "tracks").iterdir()}


def test_a_rendered_clip_has_its_frames_and_stated_amplitudes_have_no_severity(tmp_path):
    make_myoclonus(
        tmp_path,
        subjects=1,
        visits=1,
        seconds=5,
        panels=["rest"],
        controls=0,
        amplitude=0.1,
        width=96,
        height=80,
        progress=False,
    )
    clip = Cohort.read(tmp_path).clips[0]
    assert sum(1 for _ in read_frames(tmp_path / clip.video)) == 125
    assert set(clip.scores.values()) == {None}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"subjects": 0}, "subjects=0"),
        ({"visits": 0}, "visits=0"),
        ({"seconds": 2}, "seconds=2"),
        (
            {"panels": ["walking"]},
            "panels=walking; give some of rest, stimulus, action, functional",
        ),
        ({"panels": ["rest", "rest"]}, "each once"),
        ({"controls": 1.5}, "controls=1.5"),
        ({"amplitude": 0.2}, "amplitude=0.2; give 0.005 to 0.1"),
        ({"rate": 0}, "rate=0"),
        ({"noise": 1.0, "render": True}, "noise=1; give 0 px or more, and render=false"),
        ({"noise": -1.0}, "noise=-1"),
        ({"fps": 2}, "fps=2"),
        ({"width": 97}, "width=97"),
    ],
)
def test_what_makes_no_sense_is_reported_in_one_line(tmp_path, fault, message):
    with pytest.raises(UserError, match="phantom: ") as caught:
        make_myoclonus(tmp_path / "out", **{**TRACKS, **fault})
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
