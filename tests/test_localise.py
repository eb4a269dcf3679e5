"""Where in time a sign is: bookkeeping of windows and time, what is learned from whom, and the
faults of marked recordings.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from semiology import load_skeleton, read_tracks
from semiology.cli.main import main
from semiology.cli.timeline import read_localisation
from semiology.data.tracks import make_tracks, save_tracks
from semiology.errors import UserError
from semiology.evaluation.run.settings import Model
from semiology.models.networks import Network
from semiology.models.training.augmentation import Augmentation
from semiology.models.training.reading import Reading, Schedule
from semiology.models.training.saved import load_model
from semiology.timeline.events import Event, Hysteresis, read_events, write_events
from semiology.timeline.localise import Localisation, WindowsBLSTM
from semiology.timeline.localise.evaluate import (
    assessable_events,
    count_matches,
    evaluate_predictions,
    excluded_time,
    f1_of_counts,
    temporal_iou,
)
from semiology.timeline.localise.fold import fold_key, read_record, train
from semiology.timeline.localise.network import EmbeddedRecording, cut_chunks
from semiology.timeline.localise.recordings import (
    LEFT_OUT,
    Recording,
    by_frame,
    events_file,
    first_frames,
    frame_levels,
    read_recordings,
    window_joints,
    window_levels,
    windows_source,
)
from semiology.timeline.localise.run import fold_path, localise, out_of_fold
from semiology.timeline.localise.settings import Sequence
from semiology.timeline.predict import score_sign

CONFIG = Path(__file__).resolve().parents[1] / "configs/utkinect_timeline.yaml"
JOINTS = load_skeleton("upper_body_11").names
REST = np.random.default_rng(7).normal(0, 1, (11, 2)) * 40 + 200  # px
RATE = 10.0  # Hz
SMALL = Model(
    Network("agcn", {"widths": [8, 8], "kernel": 5}), learning_rate=0.01, schedule=Schedule(8, None)
)


def write_recordings(
    folder: Path, people: int = 3, each: tuple[int, ...] = (2, 2, 1)
) -> Localisation:
    """Recordings of 16 s: in a "swing" the left wrist goes up and down, in a "sway" the right one
    to and fro; times differ between them.
    """
    rows = []
    for person in range(people):
        for take in range(each[person]):
            rng = np.random.default_rng([person, take])
            position = REST + rng.normal(0, 1, (160, 11, 2))
            events = []
            for sign, joint, axis, first in (
                ("swing", "left_wrist", 1, 2.0),
                ("sway", "right_wrist", 0, 9.0),
            ):
                onset = first + rng.integers(0, 3)
                frames = slice(round(onset * RATE), round((onset + 4) * RATE))
                position[frames, JOINTS.index(joint), axis] += 50 * np.sin(np.arange(40) * 1.5)
                events.append(Event(onset, 4.0, sign))
            clip_id = f"p{person}_{take}"
            save_tracks(
                make_tracks(position, JOINTS, RATE, backend="test"), folder / f"tracks/{clip_id}.nc"
            )
            write_events(events_file(folder, clip_id), events)
            rows.append([clip_id, f"p{person}", f"tracks/{clip_id}.nc", 0, "n/a"])
    columns = ["clip_id", "participant_id", "tracks", "start", "end"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "clips.tsv", sep="\t", index=False)
    (folder / "participants.tsv").write_text(
        "participant_id\n" + "".join(f"p{number}\n" for number in range(people))
    )
    (folder / "clips.json").write_text("{}")
    return Localisation(
        str(folder),
        str(folder / "run"),
        ("swing", "sway"),
        Reading("sign", channels=("joint", "motion"), rate=RATE, window=12),
        SMALL,
        step=0.4,
        batch_size=16,
        augmentation=Augmentation(mirror=0.0),
        sequence=Sequence(width=16, chunk=20, epochs=40, learning_rate=0.01, draws=1),
        hysteresis=Hysteresis(on=0.5, off=0.4, shortest=0.8, merge=0.8),
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Localisation:
    """A whole run, kept and final, made once."""
    settings = replace(write_recordings(tmp_path_factory.mktemp("localise")), keep=True, final=True)
    assert localise(settings).failed == {}
    return settings


# windows and time


def test_every_frame_has_one_window_and_is_read_by_it():
    """23 frames tagged 100, 101, ...: step 4, windows of 8 around the middle of the frames that
    they speak for.
    """
    tagged = np.arange(100.0, 123.0)[:, None, None]
    windows = window_joints(tagged, length=8, step=4)
    assert first_frames(23, 8, 4).tolist() == [-2, 2, 6, 10, 14, 18]
    assert np.nan_to_num(windows[0][:, 0, 0]).tolist() == [0, 0, 100, 101, 102, 103, 104, 105]
    assert windows[2][:, 0, 0].tolist() == [106, 107, 108, 109, 110, 111, 112, 113]
    assert np.nan_to_num(windows[5][:, 0, 0]).tolist() == [118, 119, 120, 121, 122, 0, 0, 0]
    owners = by_frame(np.arange(6), 23, 4)
    assert owners.tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4 + [5] * 3
    assert all(tagged[frame, 0, 0] in windows[owner][:, 0, 0] for frame, owner in enumerate(owners))


def test_a_window_has_the_level_of_most_of_its_evaluated_frames():
    truth = np.array(
        [0, 1, 1, 1, LEFT_OUT, LEFT_OUT, LEFT_OUT, 2, LEFT_OUT, LEFT_OUT, LEFT_OUT, LEFT_OUT, 2]
    )
    assert window_levels(truth, 4).tolist() == [1, 2, LEFT_OUT, 2]


def test_events_take_the_frames_whose_start_lies_in_them(tmp_path):
    settings = Localisation(
        "", "", ("a", "b"), Reading("sign", rate=10.0), SMALL, leave_out=("unsure",)
    )
    events = [
        Event(0.2, 0.3, "a"),
        Event(0.4, 0.4, "b"),
        Event(1.0, 0.0, "a"),
        Event(1.2, 5.0, "unsure"),
    ]
    levels = frame_levels(events, 15, settings, tmp_path)
    assert levels.tolist() == [0, 0, 1, 1, 2, 2, 2, 2, 0, 0, 1, 0, LEFT_OUT, LEFT_OUT, LEFT_OUT]
    assert excluded_time(levels, 10.0) == [(1.2, 1.5)]


def test_chunks_hold_every_window_once_in_order():
    recording = EmbeddedRecording(
        torch.arange(7.0).view(1, 7, 1) + 1, torch.ones(7), torch.arange(7)
    )
    for seed in range(5):
        chunks = cut_chunks(recording, 3, np.random.default_rng(seed))
        targets = [int(target) for chunk in chunks for target in chunk[2] if target != LEFT_OUT]
        assert targets == list(range(7))
        assert all((vectors[:, 0] == (target + 1) * seen).all() for vectors, seen, target in chunks)
        assert {len(chunk[1]) for chunk in chunks} == {3}


def test_a_network_answers_every_window_and_hears_those_around_it():
    source_shape = windows_source_shape()
    torch.manual_seed(0)
    network = WindowsBLSTM(
        source_shape, {"stream": "agcn", "options": {"widths": [8]}}, width=4
    ).eval()
    keypoints, mask = torch.randn(2, 5, 4, 12, 11), torch.ones(2, 5, 12, 11)
    logits = network(keypoints, mask)
    assert logits.shape == (2, 5, 3)
    changed = keypoints.clone()
    changed[0, 4] += 1.0
    reached = (network(changed, mask) - logits).abs().amax(dim=2)
    assert (reached[0] > 0).all() and (reached[1] == 0).all()  # the whole recording, and no other


def windows_source_shape():
    joints = np.random.default_rng(0).normal(size=(40, 11, 2))
    settings = Localisation(
        "",
        "",
        ("a", "b"),
        Reading("sign", channels=("joint", "motion"), rate=10.0, window=12),
        SMALL,
    )
    return windows_source([Recording("r", "p", joints, np.zeros(40, int), ())], settings).shape


# events against events


def test_segments_are_matched_by_overlap_each_marked_one_once():
    marked = [Event(0, 10, "a"), Event(20, 10, "b"), Event(40, 10, "a")]
    found = [
        Event(0, 5, "a"),
        Event(5, 5, "a"),
        Event(22, 10, "b"),
        Event(41, 2, "a"),
        Event(60, 5, "b"),
    ]
    assert temporal_iou(marked[0], found[0]) == 0.5
    assert temporal_iou(marked[1], found[2]) == pytest.approx(8 / 12)
    assert count_matches(marked, found, 0.1).tolist() == [
        3,
        2,
        0,
    ]  # the first two find one event; nothing is at 60 s
    assert count_matches(marked, found, 0.5).tolist() == [2, 3, 1]  # 2 of 10 s are too little
    assert f1_of_counts(np.array([2, 3, 1])) == pytest.approx(0.5)
    assert count_matches([], [], 0.5).tolist() == [0, 0, 0]
    assert assessable_events([Event(0, 4, "a"), Event(3, 4, "a")], [(4.5, 9.0)]) == [
        Event(0, 4, "a")
    ]


def test_the_figures_of_a_recording_that_a_person_can_count():
    """Ten frames of each of two participants, one left out; the model errs in two frames of the
    first.
    """
    truth = np.array([0, 0, 0, 1, 1, 1, 1, 0, 0, LEFT_OUT])
    predicted = np.eye(2)[[0, 0, 1, 1, 1, 1, 1, 1, 0, 0]]
    recordings = [
        Recording(f"r{n}", f"p{n}", np.zeros((10, 1, 2)), truth, (Event(3.0, 4.0, "a"),))
        for n in range(2)
    ]
    right = np.eye(2)[np.maximum(truth, 0)]
    instant = Hysteresis(0.5, 0.5, 0.0, 0.0)
    found = evaluate_predictions(
        recordings, {"m": {"r0": predicted, "r1": right}}, ["none", "a"], 1.0, instant
    )
    assert found["frames"]["judged"] == 18 and found["frames"]["share_by_level"] == {
        "none": 0.5556,
        "a": 0.4444,
    }
    model = found["models"]["m"]
    assert model["frames"]["accuracy"]["value"] == pytest.approx(16 / 18)
    assert model["frames"]["f1"]["value"] == pytest.approx(16 / 18)  # 8 hits, 2 false, 0 missed
    assert model["by_participant"]["p0"] == {"accuracy": pytest.approx(7 / 9), "f1@0.5": 1.0}
    assert model["events"]["f1@0.5"]["right"] == 2 and model["events"]["f1@any"]["wrong"] == 0


# learning


def test_clear_movements_are_found_in_people_never_seen(done):
    metrics = json.loads((Path(done.out) / "metrics.json").read_text())
    assert metrics["models"]["timeline"]["frames"]["accuracy"]["value"] > 0.9
    assert metrics["models"]["timeline"]["events"]["f1@0.5"]["value"] > 0.9
    assert (
        metrics["participants"] == ["p0", "p1", "p2"]
        and metrics["recordings"] == 5
        and metrics["events"] == 10
    )


def test_a_run_leaves_timelines_events_and_a_report(done):
    folder = Path(done.out) / "timelines" / "p2_0"
    table = pd.read_csv(folder / "timeline.csv")
    assert list(table.columns) == ["task", "level", "start", "end", "probability"]
    assert len(table) == 2 * 40 and table["end"].max() == 16.0  # 16 s in steps of 0.4 s, two signs
    assert (
        set(table["task"]) == {"swing", "sway"}
        and (table.groupby("start")["probability"].sum() <= 1.0001).all()
    )
    found = {event.sign: event.onset for event in read_events(folder / "events.tsv").events}
    marked = {
        event.sign: event.onset for event in read_events(events_file(done.cohort, "p2_0")).events
    }
    assert found.keys() == marked.keys() and all(
        abs(found[sign] - marked[sign]) < 1.0 for sign in marked
    )
    assert (folder / "timeline.png").stat().st_size > 0
    assert "| p2 |" in (Path(done.out) / "report.md").read_text()


def test_thresholds_are_tuned_on_the_timelines_of_a_run(done, tmp_path):
    """Timelines and marks pair by sign, as `semiology events tune` asks."""
    marked, where = (
        Path(done.cohort) / "events",
        ["--participants", str(Path(done.cohort) / "clips.tsv"), "--draws", "0"],
    )
    small = ["--grid.on", "[0.5]", "--grid.off", "[0.4]", "--grid.shortest", "[0.0]"]
    tuned = tmp_path / "thresholds.json"
    assert (
        main(
            [
                "events",
                "tune",
                str(Path(done.out) / "timelines"),
                "--truth",
                str(marked),
                "--out",
                str(tuned),
                *where,
                *small,
            ]
        )
        == 0
    )
    assert tuned.is_file()


def test_nothing_is_fitted_on_who_is_left_out(done):
    recordings = read_recordings(done)
    for person in ("p0", "p1", "p2"):
        record = read_record(fold_path(done.out, person), fold_key(done, recordings, person))
        others = sorted(one.clip_id for one in recordings if one.participant_id != person)
        assert record["seen"] == dict.fromkeys(
            ("weights", "class_weights", "batch_norm", "sequence"), others
        )
        assert sorted(record["answers"]) == sorted(
            one.clip_id for one in recordings if one.participant_id == person
        )
        about = load_model(Path(done.out) / "kept" / person / "timeline").about
        assert about["training"] == sorted({"p0", "p1", "p2"} - {person})


def test_whatever_the_one_left_out_did_the_networks_are_the_same(done):
    settings = replace(
        done,
        windows=replace(SMALL, schedule=Schedule(1, None)),
        sequence=replace(done.sequence, epochs=1),
    )  # two trainings must agree to the bit, which one epoch shows
    recordings = read_recordings(settings)
    other = [
        replace(one, joints=one.joints[::-1] * 2, truth=one.truth * 0)
        if one.participant_id == "p0"
        else one
        for one in recordings
    ]
    first, second = (train(settings, given, "p0")[1].state_dict() for given in (recordings, other))
    assert all(torch.equal(first[name], second[name]) for name in first)
    changed = [
        replace(one, joints=one.joints * 2) if one.participant_id == "p1" else one
        for one in recordings
    ]
    third = train(settings, changed, "p0")[1].state_dict()
    assert any(not torch.equal(first[name], third[name]) for name in first)


def test_a_stopped_run_goes_on_and_gives_the_same(done):
    recordings = read_recordings(done)
    before, lost = out_of_fold(done, recordings), fold_path(done.out, "p1")
    kept = {person: fold_path(done.out, person).stat().st_mtime_ns for person in ("p0", "p2")}
    lost.unlink()
    with pytest.raises(UserError, match=r"p1\.json: .*semiology localise"):
        out_of_fold(done, recordings)
    assert localise(done).failed == {}
    after = out_of_fold(done, recordings)
    assert all(
        np.array_equal(before[model][clip_id], after[model][clip_id])
        for model in before
        for clip_id in before[model]
    )
    assert kept == {person: fold_path(done.out, person).stat().st_mtime_ns for person in kept}


def test_other_settings_or_marks_make_a_record_stale_other_thresholds_do_not(done):
    recordings = read_recordings(done)
    key = fold_key(done, recordings, "p0")
    moved = [replace(recordings[0], truth=np.roll(recordings[0].truth, 1)), *recordings[1:]]
    assert (
        fold_key(done, moved, "p0") != key
        and fold_key(replace(done, step=0.8), recordings, "p0") != key
    )
    assert (
        fold_key(
            replace(done, hysteresis=Hysteresis(0.9, 0.8, 1.0, 1.0), jobs=2, out="elsewhere"),
            recordings,
            "p0",
        )
        == key
    )


def test_saved_models_are_read_again_by_their_folders(done):
    windows, timeline = (
        load_model(Path(done.out) / "models" / name) for name in ("windows", "timeline")
    )
    assert isinstance(timeline.network, WindowsBLSTM) and timeline.levels == [
        "none",
        "swing",
        "sway",
    ]
    assert timeline.about["training"] == ["p0", "p1", "p2"] and timeline.about["step_s"] == 0.4
    keypoints, mask = torch.randn(3, 4, 12, 11), torch.ones(3, 12, 11)
    with torch.inference_mode():  # the timeline's encoder is the windows' network
        assert torch.equal(
            timeline.network.encoder(keypoints, mask), windows.network(keypoints, mask)
        )


def test_the_windows_model_scores_tracks_as_any_model_does(done):
    """Where `semiology timeline` and `predict` meet it: the swing of a recording is seen in windows
    of its own model, and no sway.
    """
    saved = load_model(Path(done.out) / "models" / "windows")
    assert saved.about["trackers"] == ["test"]
    scored = score_sign(saved, read_tracks(Path(done.cohort) / "tracks/p0_0.nc"), None, 0.4)
    onset = next(
        event.onset
        for event in read_events(events_file(done.cohort, "p0_0")).events
        if event.sign == "swing"
    )
    within = [
        one["probability"]
        for one in scored["timeline"]
        if onset + 0.5 < one["start_s"] and one["end_s"] < onset + 3.5
    ]
    assert len(within) > 2 and all(one["swing"] > 0.5 > one["sway"] for one in within)


# recordings as they come


def test_short_empty_and_lost_recordings_take_part(tmp_path):
    """One shorter than a window, one without any event, one in which nobody is seen for a while."""
    settings = replace(
        write_recordings(tmp_path),
        windows=replace(SMALL, schedule=Schedule(1, None)),
        sequence=Sequence(width=4, chunk=8, epochs=1),
    )
    save_tracks(make_tracks(REST + np.zeros((7, 11, 2)), JOINTS, RATE), tmp_path / "tracks/p0_0.nc")
    write_events(events_file(tmp_path, "p0_0"), [Event(0.2, 0.3, "swing")])
    write_events(events_file(tmp_path, "p1_0"), [])
    lost = REST + np.random.default_rng(0).normal(0, 1, (160, 11, 2))
    lost[60:100] = np.nan
    save_tracks(make_tracks(lost, JOINTS, RATE), tmp_path / "tracks/p2_0.nc")
    assert localise(settings).failed == {}
    predicted = out_of_fold(settings, read_recordings(settings))["timeline"]
    assert predicted["p0_0"].shape == (7, 3) and np.isfinite(predicted["p0_0"]).all()
    assert predicted["p1_0"].shape == (160, 3)
    gone = np.isnan(predicted["p2_0"]).all(axis=1)
    assert gone[68:92].all() and not gone[:56].any() and not gone[104:].any()
    table = pd.read_csv(Path(settings.out) / "timelines/p2_0/timeline.csv")
    assert table[(table["start"] >= 7) & (table["end"] <= 9)]["probability"].isna().all()


def test_recordings_without_usable_annotations_are_named(tmp_path):
    settings = write_recordings(tmp_path)
    write_events(events_file(tmp_path, "p1_1"), [Event(2.0, 1.0, "swig")])
    with pytest.raises(UserError, match=r"p1_1_events\.tsv: .* 2 s .*'swig'.*swing, sway"):
        read_recordings(settings)
    write_events(events_file(tmp_path, "p1_1"), [Event(30.0, 1.0, "swing")])
    with pytest.raises(UserError, match=r"p1_1_events\.tsv: .* 30 s .* 16 s"):
        read_recordings(settings)
    events_file(tmp_path, "p1_1").unlink()
    with pytest.raises(UserError, match=r"p1_1_events\.tsv: is missing"):
        read_recordings(settings)
    write_events(events_file(tmp_path, "p1_1"), [])
    with pytest.raises(UserError, match="event of tonic;"):
        read_recordings(replace(settings, signs=("swing", "sway", "tonic")))


def test_the_config_of_utkinect_runs_small(tmp_path):
    settings = read_localisation(
        ["--config", str(CONFIG), "--cohort", str(tmp_path), "--out", str(tmp_path / "run")]
    )
    names, rng, rows = load_skeleton("kinect_20").names, np.random.default_rng(0), []
    for person in range(2):
        save_tracks(
            make_tracks(None, names, 15.0, position_3d=rng.normal(0, 1, (240, 20, 3))),
            tmp_path / f"tracks/r{person}.nc",
        )
        marks = [
            Event(number * 1.4, 1.0, sign)
            for number, sign in enumerate([*settings.signs, *settings.leave_out])
        ]
        write_events(events_file(tmp_path, f"r{person}"), marks)
        rows.append([f"r{person}", f"p{person}", f"tracks/r{person}.nc", 0, "n/a"])
    columns = ["clip_id", "participant_id", "tracks", "start", "end"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "clips.tsv", sep="\t", index=False)
    (tmp_path / "participants.tsv").write_text("participant_id\np0\np1\n")
    (tmp_path / "clips.json").write_text("{}")
    short = replace(settings.windows, schedule=Schedule(1, None))
    assert (
        localise(
            replace(settings, windows=short, sequence=replace(settings.sequence, epochs=1))
        ).failed
        == {}
    )
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert (
        metrics["frames"]["not_judgeable"] == 2 * round(1.0 * settings.reading.rate)
        and metrics["levels"] == settings.levels
    )


def test_one_participant_alone_is_refused(tmp_path):
    settings = write_recordings(tmp_path, people=1)
    with pytest.raises(UserError, match="of p0 only"):
        localise(settings)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"signs": ()}, "signs: none given"),
        ({"signs": ("a", "none")}, "signs: a, none;"),
        ({"signs": ("a",), "leave_out": ("a",)}, "signs: a, a;"),
        ({"step": 0.01}, r"step: 0\.01 s;.* 0\.1 s"),
        ({"reading": Reading("sign", whole=True)}, "reading: .*whole"),
        ({"windows": replace(SMALL, teacher="tcn")}, "windows: .*teacher"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fault, words):
    right = {
        "cohort": "",
        "out": "",
        "signs": ("a",),
        "reading": Reading("sign", rate=10.0),
        "windows": SMALL,
    }
    with pytest.raises(UserError, match=words):
        Localisation(**{**right, **fault})


def test_the_verb_reports_what_is_wrong_in_one_line(tmp_path, capsys):
    assert main(["localise", "--config", str(CONFIG), "--cohort", str(tmp_path / "nowhere")]) == 2
    error = capsys.readouterr().err.strip()
    assert (
        error.startswith("semiology localise:")
        and "there is no such folder" in error
        and "\n" not in error
    )
