"""The phantom's seizures: phases, cohort, two cameras, labelled clips, one long recording."""

import json

import numpy as np
import pytest
from scipy.signal import find_peaks

from semiology.cli.main import main
from semiology.data.cohort import Cohort
from semiology.data.tracks import read_tracks
from semiology.errors import UserError
from semiology.phantom import make_actions, make_seizures, render_long
from semiology.phantom.seizures.phases import draw_seizure, jerk_rate, weights
from semiology.phantom.seizures.recipe import DURATIONS, SeizureRecipe, plan_seizure
from semiology.phantom.seizures.recording import act, draw_recording, events, film
from semiology.timeline.events import read_events
from semiology.tracking.blazepose.detectors import PEOPLE, Detector
from semiology.tracking.blazepose.landmarks import BodyLandmarks, body_region
from semiology.video import read_frames

FPS = 50.0  # Hz, of truth that is not rendered
SMALL = SeizureRecipe(seconds=(60, 60), fps=FPS, width=176, height=144)


def tonic_clonic(subjects=range(12)):
    """Each TCS among first seizures: (recording, phases by name)."""
    for subject in subjects:
        kind, views = plan_seizure(SMALL, subject, 0)
        if kind == "TCS":
            seizure = views["L"].seizures[0][1]
            yield views["L"], {phase.kind: phase for phase in seizure.phases}


def heights(recording, start, stop, side):
    """Height (m) of a wrist over the patient's hips from `start` to `stop` s."""
    joints = act(recording, range(round(start * FPS), round(stop * FPS))).figure.joints
    return joints[f"{side}_wrist"][:, 1]


def test_five_of_twelve_are_tonic_clonic_and_durations_keep_to_the_published_range():
    durations = {"FOS": [], "TCS": []}
    recipe = SeizureRecipe(fps=15)
    for subject in range(48):
        for seizure in range(2):
            kind, views = plan_seizure(recipe, subject, seizure)
            durations[kind].append(views["L"].duration)
    assert len(durations["TCS"]) == 40 and len(durations["FOS"]) == 56
    for kind, (shortest, median, longest) in DURATIONS.items():
        found = np.array(durations[kind])
        assert (
            shortest - 0.1 <= found.min() < 0.8 * median
            and 3 * median < found.max() <= longest + 0.1
        )
        assert np.median(found) == pytest.approx(median, rel=0.25)
    fixed = plan_seizure(SeizureRecipe(seconds=(20, 20), fps=15), 0, 0)[1]["S"]
    assert fixed.frames == 300


def test_phases_follow_each_other_and_share_every_moment():
    rng = np.random.default_rng(0)
    for kind, names in (
        ("FOS", ["hyperkinetic", "postictal"]),
        ("TCS", ["hyperkinetic", "tonic", "clonic", "postictal"]),
    ):
        seizure = draw_seizure(rng, kind, 40.0)
        assert [phase.kind for phase in seizure.phases] == names
        assert [phase.start for phase in seizure.phases[1:]] == [
            phase.stop for phase in seizure.phases[:-1]
        ]
        assert seizure.phases[0].start == 0 and seizure.duration == pytest.approx(40)
        inside = np.linspace(0.5, 39.5, 500)
        assert sum(weights(seizure, inside).values()) == pytest.approx(np.ones(500))


def test_a_seizure_of_focal_onset_has_moments_that_look_like_the_other_phases():
    seizures = [draw_seizure(np.random.default_rng(seed), "FOS", 90.0) for seed in range(20)]
    kinds = [{moment.kind for moment in seizure.moments} for seizure in seizures]
    assert sum(kind == {"stiff", "jerking"} for kind in kinds) > 10
    assert all(
        moment.stop < seizure.phases[0].stop for seizure in seizures for moment in seizure.moments
    )


def test_jerks_become_rarer_from_five_or_six_a_second_to_one():
    checked = 0
    for recording, phases in tonic_clonic():
        clonic = phases["clonic"]
        counts = []
        for start in (clonic.start + 1, clonic.stop - 5):
            height = heights(recording, start, start + 4, "left")
            counts.append(len(find_peaks(height, prominence=0.4 * np.ptp(height))[0]))
        early, late = counts
        assert 15 <= early <= 24 and 3 <= late <= 6, counts
        rate = jerk_rate(recording.seizures[0][1], np.array([clonic.start, clonic.stop]))[0]
        assert 5 <= rate[0] <= 6 and 0.9 <= rate[1] <= 1.1
        checked += 1
    assert checked == 5


def test_both_wrists_jerk_together():
    for recording, phases in tonic_clonic():
        start = phases["clonic"].start + 1
        left, right = (
            np.diff(heights(recording, start, start + 5, side)) for side in ("left", "right")
        )
        lags = np.arange(-8, 9)
        shifted = [np.corrcoef(left[10:-10], np.roll(right, lag)[10:-10])[0, 1] for lag in lags]
        assert np.max(shifted) > 0.8 and lags[np.argmax(shifted)] == 0


def test_tonic_limbs_are_straight_and_tremble():
    for recording, phases in tonic_clonic():
        speeds = {}
        for name in ("hyperkinetic", "tonic"):
            phase = phases[name]
            joints = act(
                recording, range(round((phase.start + 0.8) * FPS), round((phase.stop - 0.8) * FPS))
            ).figure.joints
            for side in ("left", "right"):
                upper = joints[f"{side}_elbow"] - joints[f"{side}_shoulder"]
                fore = joints[f"{side}_wrist"] - joints[f"{side}_elbow"]
                cosine = (
                    np.sum(upper * fore, -1)
                    / np.linalg.norm(upper, axis=-1)
                    / np.linalg.norm(fore, axis=-1)
                )
                if name == "tonic":
                    assert np.degrees(np.arccos(cosine)).max() < 12
                speeds[name, side] = FPS * np.linalg.norm(
                    np.diff(joints[f"{side}_wrist"], axis=0), axis=-1
                )
        for side in ("left", "right"):
            assert (
                0.02 < speeds["tonic", side].mean() < 0.5 * speeds["hyperkinetic", side].mean()
            )  # m/s


def test_after_the_seizure_only_breathing_moves():
    recording, phases = next(tonic_clonic())
    joints = act(
        recording,
        range(
            round((phases["postictal"].start + 1) * FPS),
            round((phases["postictal"].stop - 1) * FPS),
        ),
    ).figure.joints
    speed = FPS * np.linalg.norm(np.diff(joints["neck"], axis=0), axis=-1)
    assert 0 < speed.mean() < 0.03
    hyperkinetic = act(recording, range(50, 500)).figure.joints["left_wrist"]
    assert (
        np.linalg.norm(np.diff(joints["left_wrist"], axis=0), axis=-1).mean()
        < 0.1 * np.linalg.norm(np.diff(hyperkinetic, axis=0), axis=-1).mean()
    )


def test_two_cameras_see_one_performance():
    _, views = plan_seizure(SMALL, 3, 1)
    first, second = (act(views[view], range(100, 160)) for view in ("L", "S"))
    assert all(
        np.array_equal(first.figure.joints[name], second.figure.joints[name])
        for name in first.figure.joints
    )
    apart = np.degrees(np.arccos(first.camera.rotation[2] @ second.camera.rotation[2]))
    assert 15 < apart < 70
    pixels = [
        performance.camera.project(performance.figure.joints["left_wrist"])
        for performance in (first, second)
    ]
    assert np.abs(pixels[0] - pixels[1]).max() > 5


def test_pieces_of_a_recording_are_the_recording():
    _, views = plan_seizure(SMALL, 0, 0)
    whole = act(views["L"], range(0, 400)).figure.joints["left_wrist"]
    assert act(views["L"], range(150, 250)).figure.joints["left_wrist"] == pytest.approx(
        whole[150:250], abs=1e-9
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("seizures")
    make_seizures(out, subjects=1, seconds=(6, 6), fps=10, width=96, height=80, progress=False)
    return out


def test_the_folder_is_a_cohort_of_whole_videos(folder):
    cohort = Cohort.read(folder)
    assert [clip.clip_id for clip in cohort.clips] == [
        "sub-01_sz-01_L",
        "sub-01_sz-01_S",
        "sub-01_sz-02_L",
        "sub-01_sz-02_S",
    ]
    assert [clip.covariates["recording_id"] for clip in cohort.clips] == ["sub-01_sz-01"] * 2 + [
        "sub-01_sz-02"
    ] * 2
    assert cohort.labels["seizure_type"].positive == "TCS"
    for clip in cohort.clips:
        frames = list(read_frames(folder / clip.video, fps=10))
        assert len(frames) == 60 and frames[0].image.shape == (80, 96, 3)
        assert read_tracks(folder / "truth" / f"{clip.clip_id}.nc").sizes["time"] == 60
        assert read_tracks(folder / "truth" / f"{clip.clip_id}_face.nc").sizes["keypoint"] == 23


def test_the_table_of_events_holds_the_phases(folder):
    for clip in Cohort.read(folder).clips:
        content = json.loads((folder / "truth" / f"{clip.clip_id}.json").read_text())
        table = read_events(folder / "events" / f"{clip.clip_id}_events.tsv")
        whole = [event for event in table.events if event.sign == "seizure"]
        phases = [event for event in table.events if event.sign != "seizure"]
        assert [(event.onset, event.duration, event.level) for event in whole] == [
            (0, 6, clip.labels["seizure_type"])
        ]
        assert [event.sign for event in phases] == [phase["kind"] for phase in content["phases"]]
        assert [event.onset for event in phases] == pytest.approx(
            [phase["start"] for phase in content["phases"]], abs=1e-3
        )
        assert [event.offset for event in phases] == pytest.approx(
            [phase["stop"] for phase in content["phases"]], abs=2e-3
        )
        assert table.duration == 6


def test_a_second_call_makes_nothing_again_and_more_subjects_leave_the_first_as_they_are(folder):
    recipe = {"seconds": (6, 6), "fps": 10, "width": 96, "height": 80, "progress": False}
    files = [path for name in ("videos", "truth", "events") for path in (folder / name).iterdir()]
    before = {path: path.stat().st_mtime_ns for path in files}
    make_seizures(folder, subjects=2, **recipe)
    assert {path: path.stat().st_mtime_ns for path in files} == before
    assert len(Cohort.read(folder).clips) == 8
    lost = folder / "videos" / "sub-02_sz-01_S.mp4"
    lost.unlink()
    make_seizures(folder, subjects=2, **recipe)
    assert lost.is_file() and {path: path.stat().st_mtime_ns for path in files} == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"subjects": 0},
        {"views": 3},
        {"seconds": (2, 9)},
        {"seconds": (9, 7)},
        {"fps": 2},
        {"width": 97},
        {"seizures_per_subject": 0},
    ],
)
def test_recipes_that_make_no_sense_are_refused(tmp_path, wrong):
    with pytest.raises(UserError, match="phantom"):
        make_seizures(tmp_path, **{"progress": False, **wrong})
    assert list(tmp_path.iterdir()) == []


def test_the_verb_makes_both(tmp_path, capsys):
    size = ["--width", "64", "--height", "64", "--progress", "false"]
    made = [
        "--subjects",
        "1",
        "--seizures_per_subject",
        "1",
        "--views",
        "1",
        "--seconds",
        "[5,5]",
        "--fps",
        "5",
    ]
    assert main(["phantom", "seizures", str(tmp_path / "cohort"), *made, *size]) == 0
    assert (
        main(
            [
                "phantom",
                "actions",
                str(tmp_path / "clips"),
                "--people",
                "2",
                "--seconds",
                "1",
                *size,
            ]
        )
        == 0
    )
    assert [clip.clip_id for clip in Cohort.read(tmp_path / "cohort").clips] == ["sub-01_sz-01_L"]
    assert len(list((tmp_path / "clips").rglob("*.mp4"))) == 8
    assert main(["phantom", "seizures", str(tmp_path / "other"), "--subjects", "0"]) == 2
    assert "give 1 or more" in capsys.readouterr().err


def test_clips_of_single_phases_part_people(tmp_path):
    make_actions(tmp_path, people=2, seconds=1, width=96, height=80, progress=False)
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.mp4"))
    classes = ("clonic", "hyperkinetic", "still", "tonic")
    assert found == [f"test/{name}/person-0000_00.mp4" for name in classes] + [
        f"train/{name}/person-0001_00.mp4" for name in classes
    ]
    assert all(len(list(read_frames(tmp_path / name, fps=15))) == 15 for name in found)
    still, clonic = (
        np.abs(np.diff(video(tmp_path / f"train/{name}/person-0001_00.mp4"), axis=0)).mean()
        for name in ("still", "clonic")
    )
    assert still < clonic


def video(path):
    return np.stack([frame.image.astype(float) for frame in read_frames(path, fps=15)])


def test_a_long_recording_has_its_seizures_where_they_were_requested(tmp_path):
    events = render_long(
        tmp_path / "long.mp4",
        0.5,
        [("TCS", 15.0, 10.0), ("FOS", 3.0, 6.0)],
        seed=2,
        fps=10,
        width=96,
        height=80,
    )
    assert [
        (event.onset, event.duration, event.level) for event in events if event.sign == "seizure"
    ] == [(3, 6, "FOS"), (15, 10, "TCS")]
    table = read_events(tmp_path / "long_events.tsv")
    assert len(table.events) == len(events) and table.duration == 30
    assert len(list(read_frames(tmp_path / "long.mp4", fps=10))) == 300


def test_rest_is_calmer_than_a_seizure():
    _, views = plan_seizure(SMALL, 0, 0)
    recording = draw_recording(
        np.random.default_rng(1), views["L"].subject, 120, [("FOS", 60.0, 40.0)], FPS
    )
    wrist = act(recording, range(recording.frames)).figure.joints["left_wrist"]
    speed = FPS * np.linalg.norm(np.diff(wrist, axis=0), axis=-1)
    assert 0 < speed[:2900].mean() < 0.3 * speed[3100:4600].mean()
    assert [event.onset for event in events(recording) if event.sign == "seizure"] == [60]


@pytest.mark.parametrize(
    "wrong",
    [
        [("TCS", 5.0, 60.0)],
        [("GTC", 1.0, 10.0)],
        [("FOS", 1.0, 10.0), ("TCS", 8.0, 10.0)],
        [("FOS", 1.0, 2.0)],
        [("FOS", -1.0, 9.0)],
    ],
)
def test_seizures_that_cannot_be_are_refused(tmp_path, wrong):
    with pytest.raises(UserError, match="phantom"):
        render_long(tmp_path / "long.mp4", 0.5, wrong)
    assert list(tmp_path.iterdir()) == []


def test_the_default_tracker_finds_the_patient_through_a_tonic_clonic_seizure():
    people, landmarks = Detector(PEOPLE), BodyLandmarks()
    recipe = SeizureRecipe(seconds=(8, 8), fps=5)
    kind, views = next(
        plan
        for plan in (plan_seizure(recipe, subject, 0) for subject in range(12))
        if plan[0] == "TCS"
    )
    assert kind == "TCS" and views["L"].frames == 40
    scores = []
    for image in film(views["L"]):
        keypoints = people(image).keypoints
        regions = [body_region(*points[:2]) for points in keypoints[:1]]
        scores.append(max((landmarks(image, region).score for region in regions), default=0.0))
    assert np.mean(np.array(scores) > 0.8) > 0.8
