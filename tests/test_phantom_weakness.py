"""The phantom with facial weakness: sides, what a degree takes, fatigue over a task, and the
cohort's files.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from semiology.cli.main import main
from semiology.data.cohort import Cohort, check_cohort
from semiology.data.tracks import read_tracks
from semiology.errors import UserError
from semiology.phantom import make_face_stills, make_weakness
from semiology.phantom.drawing.face import ACTIONS, expression, landmarks
from semiology.phantom.drawing.person import draw_person
from semiology.phantom.weakness.exam import (
    PANELS,
    Weakness,
    act,
    effort,
    film,
    intended,
    tiredness,
    weakened,
)
from semiology.phantom.weakness.recipe import WeaknessRecipe, draw_participant, examine
from semiology.video import read_frames

PERSON = draw_person(np.random.default_rng(0))
ALL = {"brow": 1.0, "lids": 1.0, "mouth": 1.0}
SMALL = {"patients": 3, "controls": 1, "seconds": 2, "fps": 12.5, "progress": False}


def on_both_sides(actions: np.ndarray) -> np.ndarray:
    """(action,) of one moment -> (time, action, side)."""
    return np.repeat(actions[None, :, None], 2, axis=2)


def weak(side: str, degree: float, fatigable: float = 0.0) -> Weakness:
    return Weakness(degree, side, fatigable, ALL)


def lid_gap(points: dict[str, np.ndarray], side: str) -> np.ndarray:
    return np.linalg.norm(points[f"{side}_eye_upper"] - points[f"{side}_eye_lower"], axis=-1)


@pytest.mark.parametrize("kind", ["fear", "anger", "smile"])
def test_the_same_actions_on_both_sides_are_the_face_without_sides(kind):
    actions = expression(kind, 0.0)
    plain, sided = landmarks(PERSON, actions[None]), landmarks(PERSON, on_both_sides(actions))
    assert all((plain[name] == sided[name]).all() for name in plain)


def test_a_face_with_its_sides_exchanged_is_its_mirror_image():
    actions = np.random.default_rng(1).uniform(0, 0.6, (3, len(ACTIONS), 2))
    one, other = landmarks(PERSON, actions), landmarks(PERSON, actions[..., ::-1])
    for name, points in one.items():
        mirrored = name.replace("left", "*").replace("right", "left").replace("*", "right")
        assert points * [-1, 1, 1] == pytest.approx(other[mirrored], abs=1e-12), name


def test_a_weak_left_side_smiles_less_and_the_right_side_is_the_healthy_one():
    actions = on_both_sides(expression("smile", 0.0))
    healthy = landmarks(PERSON, actions)
    face = landmarks(PERSON, weakened(actions, weak("left", 0.8), np.ones(1)))
    for name in ("mouth_left", "left_eye_upper"):
        assert face[name][0, 1] < healthy[name][0, 1] - 0.001, name  # m
    assert all((face[name] == healthy[name]).all() for name in face if "right" in name)


def test_a_weak_side_raises_its_brow_less_and_leaves_the_eye_open_in_closure():
    frightened = on_both_sides(expression("fear", 0.0))
    healthy, face = (
        landmarks(PERSON, frightened),
        landmarks(PERSON, weakened(frightened, weak("right", 0.8), np.ones(1))),
    )
    assert face["right_brow_inner"][0, 1] < healthy["right_brow_inner"][0, 1] - 0.003
    assert (face["left_brow_inner"] == healthy["left_brow_inner"]).all()

    closed = on_both_sides(np.array([PANELS["closure"].get(name, 0.0) for name in ACTIONS]))
    healthy, face = (
        landmarks(PERSON, closed),
        landmarks(PERSON, weakened(closed, weak("both", 0.9), np.ones(1))),
    )
    assert lid_gap(healthy, "left") < 0.001 < 0.002 < lid_gap(face, "left")  # m


def test_the_more_degree_the_more_droops():
    rest = on_both_sides(np.zeros(len(ACTIONS)))
    lids = [
        landmarks(PERSON, weakened(rest, weak("both", degree), np.ones(1)))["left_eye_upper"][0, 1]
        for degree in (0, 0.25, 0.5, 1)
    ]
    assert (np.diff(lids) < -0.0005).all()


@pytest.mark.parametrize("tired", [0.0, 1.0])
def test_degree_0_is_the_healthy_face(tired):
    actions = on_both_sides(expression("anger", 0.0))
    assert (weakened(actions, weak("both", 0.0), np.full(1, tired)) == actions).all()


def test_weakness_that_shows_grows_with_effort_and_stays_without():
    weakness = weak("left", 0.8, fatigable=0.5)
    held = tiredness(effort("upgaze", np.arange(0, 10, 0.04), 10), 25, 10)
    shown = weakness.over(held)
    # half of the degree from the start on, all of it in the end: 0.8 * (1 - 0.5 * exp(-9.2 / 4))
    # after 9.2 s of effort
    assert shown[0] == pytest.approx([0.4, 0])
    assert shown[-1, 0] == pytest.approx(0.8 * (1 - 0.5 * np.exp(-9.2 / 4)), abs=0.003)
    assert (np.diff(shown[:, 0]) >= 0).all()
    assert (tiredness(effort("rest", np.arange(0, 10, 0.04), 10), 25, 10) == 0).all()


def test_the_weak_lid_falls_over_a_sustained_upgaze():
    recipe = WeaknessRecipe(seconds=8, render=False)
    people = [draw_participant(recipe, "patient", number) for number in range(12)]
    fallen = 0
    for who in people:
        exam = examine(recipe, who, "upgaze")
        opened = intended(exam)[:, ACTIONS.index("blink"), 0] < 0.02
        gap = {side: lid_gap(act(exam).landmarks, side) for side in ("left", "right")}
        for side in ("left", "right") if who.weakness.side == "both" else (who.weakness.side,):
            early, late = (
                np.median(gap[side][part & opened])
                for part in ((exam.time > 1) & (exam.time < 2), exam.time > 7)
            )
            fallen += late < early
    # of 16 weak sides of 4 left, 4 right, 4 both; the lightest fall less than brow and gaze move
    assert fallen >= 14


def test_patients_are_of_every_side_and_degree_and_controls_nearly_strong():
    recipe = WeaknessRecipe(render=False)
    patients = [draw_participant(recipe, "patient", number).weakness for number in range(12)]
    controls = [draw_participant(recipe, "control", number).weakness for number in range(12)]
    sides = [w.side for w in patients]
    assert {side: sides.count(side) for side in sides} == {"left": 4, "right": 4, "both": 4}
    # one in each twelfth of 0.15 to 1
    assert sorted(int((w.degree - 0.15) / 0.85 * 12) for w in patients) == list(range(12))
    assert max(w.degree for w in controls) <= 0.08


def test_a_face_with_sides_is_painted_side_by_side():
    recipe = WeaknessRecipe(seconds=2, fps=12.5, size=128)
    exam = examine(recipe, draw_participant(recipe, "control", 0), "happiness")
    performance = act(exam)
    frame = list(film(exam, performance))[-1]
    assert frame.shape == (128, 128, 3)
    # head and light as they are, one action more on the left: nothing changes on the right half of
    # the face
    actions = performance.actions.copy()
    actions[:, ACTIONS.index("brow_inner"), 0] += 1
    other = list(film(exam, replace(performance, actions=actions)))[-1]
    changed = np.argwhere((frame != other).any(-1))
    camera = performance.camera
    eyes = {
        side: camera.project(performance.landmarks[f"{side}_eye_inner"][-1])[0]
        for side in ("left", "right")
    }
    assert len(changed) > 10
    assert changed[:, 1].min() > eyes["right"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_weakness(tmp_path_factory.mktemp("weakness"), render=False, **SMALL)


def test_the_folder_is_a_cohort_of_tracks(folder):
    report = check_cohort(folder)
    assert report.ok
    cohort = Cohort.read(folder)
    assert len(cohort.clips) == 4 * len(PANELS)
    assert list(cohort.labels) == ["diagnosis", "severity", "weaker_side"]
    assert cohort.labels["diagnosis"].positive == "patient"
    assert cohort.labels["weaker_side"].mirror == {"left": "right", "right": "left"}
    control = [clip for clip in cohort.clips if clip.participant_id == "control-001"]
    assert {clip.labels["severity"] for clip in control} == {None}
    assert {clip.labels["weaker_side"] for clip in control} == {"none"}
    assert all(0 <= clip.scores["weakness_true"] <= 0.08 for clip in control)
    people = pd.read_csv(folder / "participants.tsv", sep="\t").set_index("participant_id")
    assert people["group"].to_dict() == {
        **{f"patient-00{n}": "patient" for n in (1, 2, 3)},
        "control-001": "control",
    }
    assert "SYNTHETIC" in (folder / "README.md").read_text()


def test_tracks_are_the_truth_with_a_trackers_noise(folder):
    truth = read_tracks(folder / "truth" / "patient-001_fear_face.nc")
    tracks = read_tracks(folder / "tracks" / "patient-001_fear.nc")
    assert truth.sizes == tracks.sizes
    assert truth.sizes["time"] == 25 and truth.sizes["keypoint"] == 23
    error = (tracks.position - truth.position).to_numpy()
    # half of a normal law lies within 0.6745 of its standard deviation: 0.15 px of jitter and a
    # wander of three times as much
    assert np.nanmedian(np.abs(error)) == pytest.approx(0.6745 * 0.15 * np.sqrt(1 + 3**2), rel=0.2)
    shown = pd.read_csv(folder / "truth" / "patient-001_fear_sides.tsv", sep="\t")
    assert list(shown) == ["time", "effort", "tired", "left", "right"] and len(shown) == 25


def test_without_noise_the_tracks_are_the_truth(tmp_path):
    make_weakness(tmp_path, render=False, noise=0, **SMALL | {"patients": 1, "controls": 0})
    truth, tracks = (
        read_tracks(tmp_path / path)
        for path in ("truth/patient-001_rest_face.nc", "tracks/patient-001_rest.nc")
    )
    assert truth.position.to_numpy() == pytest.approx(tracks.position.to_numpy(), abs=0)


def test_somebody_is_the_same_among_more_and_a_second_call_makes_nothing_again(folder, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in (folder / "tracks").iterdir()}
    lost = folder / "tracks" / "patient-002_anger.nc"
    held = lost.read_bytes()
    lost.unlink()
    make_weakness(folder, render=False, **SMALL)
    assert [path for path in before if path.stat().st_mtime_ns != before[path]] == [lost]
    assert lost.read_bytes() == held
    make_weakness(tmp_path, render=False, **SMALL | {"patients": 2, "controls": 0})
    assert (tmp_path / "tracks" / lost.name).read_bytes() == held


def test_videos_have_the_frames_of_their_truth(tmp_path):
    made = make_weakness(
        tmp_path, patients=1, controls=0, seconds=2, fps=12.5, size=64, progress=False
    )
    clip = Cohort.read(made).clips[0]
    frames = list(read_frames(made / clip.video, clip.start, clip.end, 12.5))
    assert len(frames) == 25 and frames[0].image.shape == (64, 64, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"patients": -1},
        {"patients": 0, "controls": 0},
        {"seconds": 1},
        {"noise": -1},
        {"size": 63},
        {"fps": 0},
        {"seed": -1},
    ],
)
def test_parameters_that_make_no_sense_are_refused(tmp_path, wrong):
    with pytest.raises(UserError, match="phantom"):
        make_weakness(tmp_path, **{"progress": False, **wrong})
    assert list(tmp_path.iterdir()) == []


def test_the_verb_makes_a_cohort_and_reports_a_users_mistake_in_one_line(tmp_path, capsys):
    arguments = [
        "phantom",
        "weakness",
        str(tmp_path / "made"),
        "--render",
        "false",
        "--progress",
        "false",
        "--controls",
        "0",
        "--seconds",
        "2",
    ]
    assert main([*arguments, "--patients", "1"]) == 0
    assert len(Cohort.read(tmp_path / "made").clips) == len(PANELS)
    assert main([*arguments, "--patients", "0"]) != 0
    assert "give 0 or more of each" in capsys.readouterr().err


def test_stills_of_other_people_fill_every_class_and_are_kept(tmp_path):
    make_face_stills(tmp_path, subjects=2, per_class=2, size=128, progress=False)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")}
    assert sorted(path.parent.name for path in made) == sorted(
        2 * ["anger", "fear", "neutral", "smile"]
    )
    make_face_stills(tmp_path, subjects=2, per_class=2, size=128, progress=False)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.png")} == made
    with pytest.raises(UserError, match="stills"):
        make_face_stills(tmp_path, subjects=0)
