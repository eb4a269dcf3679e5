"""What a rater does is on disk when it is acknowledged, exactly there and nowhere else."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

from semiology import load_skeleton, make_tracks
from semiology.cli.main import main
from semiology.data.cohort import Cohort, CohortError
from semiology.data.cohort.table import set_cell
from semiology.data.corrections import read_corrections
from semiology.data.events import Event, read_events, read_folder, write_events
from semiology.data.limbs import REASONS, check_limbs, out_of_view, rejected_counts
from semiology.data.ratings import read_ratings
from semiology.data.store import Store
from semiology.errors import UserError
from semiology.experiments.fold import clips_digest
from semiology.files import _machine
from semiology.models.training.clips import ClipSource
from semiology.models.training.reading import Reading
from semiology.review.actions import Conflict
from semiology.review.session import ReadOnly, ReviewSession
from semiology.tracking.extraction import ExtractOptions, extract_cohort
from semiology.tracking.extraction.keys import Source, dependencies

JOINTS = load_skeleton("upper_body_11").names
FRAMES = np.arange(200, 300)


def tracks_of(seed):
    """A hundred frames at 25 Hz, from frame 200 of the video on."""
    rng = np.random.default_rng(seed)
    position = rng.uniform(10, 300, (100, len(JOINTS), 2))
    return make_tracks(
        position,
        JOINTS,
        25.0,
        confidence=rng.uniform(0.3, 1, (100, len(JOINTS))),
        position_3d=rng.normal(0, 1, (100, len(JOINTS), 3)),
        source_index=FRAMES,
        width=320,
        height=320,
    )


@pytest.fixture
def folder(tmp_path):
    """A cohort of four clips of two participants and its store."""
    cohort, store = tmp_path / "cohort", Store(tmp_path / "store")
    cohort.mkdir()
    lines = ["clip_id\tparticipant_id\tvideo\tstart\tend\tdystonia\tnote"]
    for number in range(4):
        clip_id = f"c{number}"
        lines.append(f'{clip_id}\tp{number // 2}\tvideo.mp4\t0\t4\tleft\t"a ""b"""')
        store.write(clip_id, "body", "0" * 16, tracks_of(number))
        stage = {"key": "0" * 16, "depends": {}, "found": 1.0}
        store.note(clip_id, {"sha256": f"{number}" * 64}, {"body": stage})
    (cohort / "clips.tsv").write_text("\n".join(lines) + "\n")
    (cohort / "participants.tsv").write_text("participant_id\np0\np1\n")
    levels = {"none": "no dystonia", "left": "of the left arm", "right": "of the right arm"}
    label = {"Role": "label", "Levels": levels, "Description": "Dystonic posture"}
    (cohort / "clips.json").write_text(
        json.dumps({"dystonia": label, "note": {"Role": "covariate"}})
    )
    (cohort / "review.yaml").write_text("second_reading: 0.5\nscales: [umrs]\n")
    return cohort


@pytest.fixture
def session(folder):
    return ReviewSession(folder, folder.parent / "store", "A")


def again(session, **changed):
    """The review opened again."""
    return ReviewSession(
        session.cohort.folder, session.store.folder, changed.pop("rater", session.rater), **changed
    )


EVENT = {"do": "event", "event_id": "e1", "revision": 0, "onset": 1.0, "duration": 0.5}


def test_an_event_is_in_its_table_and_survives_a_round_trip(session):
    action = EVENT | {
        "sign": "dystonia",
        "level": "left",
        "side": "left",
        "body_part": "arm",
        "comment": 'slow,\tthen "stiff"\nat the wrist',
    }
    answer = session.act("c0", "1", action)
    assert answer["seq"] == 1 and answer["event"]["revision"] == answer["revision"] == 1
    table = read_events(session.folder / "events/c0_events.tsv")
    (event,) = table.events
    assert (event.onset, event.duration, event.kind) == (1.0, 0.5, ("dystonia", "left"))
    assert (event.side, event.body_part, event.rater, event.source) == (
        *("left", "arm", "A", "person"),
    )
    assert event.comment == "slow, then 'stiff' at the wrist"
    assert table.duration == 4.0
    assert list(read_folder(session.folder / "events")) == ["c0"]
    own = again(session).events("c0")["own"]
    assert own == session.events("c0")["own"] and own[0]["comment"].startswith("slow, then")


def test_pointing_at_the_patient_changes_that_cell_alone(session):
    path = session.cohort.folder / "clips.tsv"
    before = path.read_text().splitlines()
    session.act("c2", "1", {"do": "patient", "time": 1.25, "x": 100, "y": 50.5})
    after = path.read_text().splitlines()
    assert after[0] == before[0] + "\tpatient"
    added = ["n/a", "n/a", "1.250,100.000,50.500", "n/a"]
    assert after[1:] == [f"{line}\t{cell}" for line, cell in zip(before[1:], added)]
    clips = {clip.clip_id: clip for clip in Cohort.read(path.parent, check_videos=False).clips}
    assert clips["c2"].patient == "1.250,100.000,50.500" and clips["c0"].patient is None
    assert session.clip("c2")["click"] == {"time": 1.25, "x": 100.0, "y": 50.5}
    session.act("c2", "2", {"do": "undo", "seq": 1})
    assert session.clip("c2")["click"] is None


@pytest.mark.parametrize(
    "encoding, ends",
    [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\n"), ("cp1252", "\r\n"), ("utf-8", "")],
)
def test_one_cell_changes_and_no_other_byte(tmp_path, encoding, ends):
    rows = ["clip_id\tpatient\tnote", 'a\tn/a\t"x ""y""\tz"', '"b"\t""\té', 'c\tn/a\t5" tall']
    end = ends or "\n"
    text = end.join(rows) + (end if ends else "")
    path = tmp_path / "clips.tsv"
    path.write_bytes(text.encode(encoding))
    set_cell(path, ("clip_id", "b"), "patient", "1,2,3")
    assert path.read_bytes() == text.replace('"b"\t""', '"b"\t1,2,3').encode(encoding)
    with pytest.raises(UserError, match="no row has 'd'"):
        set_cell(path, ("clip_id", "d"), "patient", "1,2,3")


def test_whoever_edits_an_old_revision_is_told_the_current_one(session):
    mark = EVENT | {"sign": "dystonia", "level": "left"}
    session.act("c0", "1", mark)
    other = again(session)
    other.act("c0", "2", mark | {"revision": 1, "onset": 1.5})
    with pytest.raises(Conflict) as raised:
        session.act("c0", "3", mark | {"revision": 1, "onset": 2.0})
    assert raised.value.current["onset"] == 1.5 and raised.value.current["revision"] == 2
    assert session.events("c0")["own"][0]["onset"] == 1.5


def test_an_id_that_comes_twice_is_one_action(session):
    mark = EVENT | {"sign": "dystonia"}
    first = session.act("c0", "1", mark)
    assert session.act("c0", "1", mark) == first
    assert again(session).act("c0", "1", mark) == first
    assert len((session.folder / "journal.jsonl").read_text().splitlines()) == 1
    with pytest.raises(Conflict, match="another action has this id"):
        session.act("c1", "1", mark)


def test_events_of_one_kind_do_not_overlap(session):
    mark = EVENT | {"sign": "dystonia", "level": "left"}
    session.act("c0", "1", mark)
    with pytest.raises(Conflict, match="dystonia left: the event that begins at 1 s lasts until"):
        session.act("c0", "2", mark | {"event_id": "e2", "onset": 1.4})
    session.act("c0", "3", mark | {"event_id": "e2", "onset": 1.5})
    session.act("c0", "4", mark | {"event_id": "e3", "onset": 1.2, "level": "right"})
    assert len(read_events(session.folder / "events/c0_events.tsv").events) == 3


def test_an_open_event_is_in_the_journal_until_it_is_closed(session):
    mark = EVENT | {"sign": "dystonia", "duration": None}
    session.act("c0", "1", mark)
    assert read_events(session.folder / "events/c0_events.tsv").events == []
    assert again(session).events("c0")["own"][0]["duration"] is None
    with pytest.raises(Conflict, match="still open"):
        session.act("c0", "2", mark | {"event_id": "e2", "onset": 3.0})
    session.act("c0", "3", mark | {"revision": 1, "duration": 0.25})
    (event,) = read_events(session.folder / "events/c0_events.tsv").events
    assert event.offset == 1.25


@pytest.mark.parametrize(
    "action, what",
    [
        ({"do": "fly"}, "does not match any of the expected tags"),
        (EVENT | {"sign": "tics"}, "'tics' is none of dystonia"),
        (EVENT | {"sign": "dystonia", "level": "up"}, "'up' is none of those of dystonia"),
        (EVENT | {"sign": "dystonia", "side": "top"}, "'top' is none of"),
        (EVENT | {"sign": "dystonia", "onset": 3.9}, "ends at 4.4 s, the clip at 4 s"),
        (EVENT | {"sign": "dystonia", "onset": float("nan")}, "onset"),
        (EVENT | {"sign": "dystonia", "colour": "red"}, "colour"),
        ({"do": "patient", "time": 1, "x": 400, "y": 1}, "outside of the frame of 320x320 px"),
        ({"do": "patient", "time": 5, "x": 4, "y": 1}, "the clip lasts 4 s"),
        ({"do": "away", "onset": 4, "duration": 1}, "the clip lasts 4 s"),
        ({"do": "away", "onset": 3.9999, "duration": 1}, "the clip lasts 4 s"),
        ({"do": "away", "onset": 1, "duration": 0.0002}, "duration"),
        ({"do": "assess", "assessable": False}, "say why"),
        ({"do": "rate", "reading": 3, "values": {"dystonia": "left"}}, "reading"),
        ({"do": "rate", "reading": 1, "values": {"dystonia": "up"}}, "none of none, left, right"),
        ({"do": "rate", "reading": 1, "values": {"umrs_frequency_face": 5}}, "outside of 0 to 4"),
        ({"do": "rate", "reading": 1, "values": {"umrs_frequency_face": 1.5}}, "step is 1"),
        ({"do": "rate", "reading": 1, "values": {"mood": 1}}, "no item 'mood'"),
        ({"do": "undo", "seq": 7}, "there is no action 7"),
        ("rate", "correct it"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(session, action, what):
    with pytest.raises(UserError, match=what):
        session.act("c0", "1", action)
    assert not (session.folder / "journal.jsonl").exists()
    assert list(session.folder.iterdir()) == []


# Corrections


def values(tracks):
    """Name -> (time, keypoint, ...) array of everything that a swap exchanges."""
    return {
        name: tracks[name].transpose("time", "keypoint", ...).values
        for name in ("position", "position_3d", "confidence")
    }


def changed(before, after):
    """(frame, keypoint) of the points that differ in anything."""
    differ = np.zeros((100, len(JOINTS)), bool)
    for name, array in values(before).items():
        other = values(after)[name]
        same = (array == other) | (np.isnan(array) & np.isnan(other))
        differ |= ~same.reshape(100, len(JOINTS), -1).all(axis=2)
    return {(int(FRAMES[row]), JOINTS[column]) for row, column in np.argwhere(differ)}


def place(frame, keypoint, x, y, visibility=2):
    return {"frame": frame, "keypoint": keypoint, "x": x, "y": y, "visibility": visibility}


def test_a_correction_changes_the_tracks_exactly_there(session):
    before, others = session.files.tracks("c0", "body"), session.files.tracks("c1", "body")
    points = [place(205, "left_wrist", 12.5, 20.25), place(206, "left_elbow", None, None, 0)]
    action = {"do": "correct", "part": "body", "points": points}
    answer = session.act("c0", "1", action)
    assert answer["corrected"] == [[205, "left_wrist"], [206, "left_elbow"]]
    after = Store(session.store.folder).tracks("c0", "body")
    assert changed(before, after) == {(205, "left_wrist"), (206, "left_elbow")}
    moved = after.sel(keypoint="left_wrist").isel(time=5)
    assert moved["position"].values.tolist() == [12.5, 20.25] and moved["confidence"] == 1
    assert np.isnan(moved["position_3d"]).all()
    hidden = after.sel(keypoint="left_elbow").isel(time=6)
    assert np.isnan(hidden["position"]).all() and hidden["confidence"] == 0
    xr.testing.assert_identical(others, Store(session.store.folder).tracks("c1", "body"))
    (first, second) = read_corrections(session.store.folder / "c0/body.corrections.csv")
    assert (first.who, first.source_index, second.visibility) == ("A", 205, 0)


def test_what_a_fold_reads_has_the_correction_and_no_other_change(folder, session):
    (folder / "video.mp4").touch()
    reading = Reading("dystonia", rate=25.0, window=20)

    def read():
        return ClipSource(str(folder), reading, str(session.store.folder))

    before = read()
    digest = clips_digest.__wrapped__(before)
    points = [place(205, "left_wrist", 12.5, 20.25)]
    session.act("c0", "1", {"do": "correct", "part": "body", "points": points})
    after = read()
    moved = [
        np.argwhere((old.joints != new.joints).any(axis=2)).tolist()
        for old, new in zip(before.clips, after.clips)
    ]
    assert moved == [[[5, reading.graph.names.index("left_wrist")]], [], [], []]
    assert clips_digest.__wrapped__(after) != digest


def test_a_swap_exchanges_everything_of_both_sides_in_its_frames(session):
    before = session.files.tracks("c0", "body")
    answer = session.act("c0", "1", {"do": "swap", "part": "body", "first": 210, "last": 219})
    after = Store(session.store.folder).tracks("c0", "body")
    partner = [JOINTS.index(_mirrored(name)) for name in JOINTS]
    for name, array in values(before).items():
        swapped = array.copy()
        swapped[10:20] = array[10:20][:, partner]
        np.testing.assert_array_equal(values(after)[name], swapped)
    assert [210, 219, "left_wrist", "right_wrist"] in answer["swapped"]
    table = session.store.folder / "c0/body.corrections.csv"
    assert len(table.read_text().splitlines()) == 1 + len(answer["swapped"])


def _mirrored(name):
    turned = {"left": "right", "right": "left"}
    return "_".join(turned.get(part, part) for part in name.split("_"))


def test_what_was_corrected_goes_along_with_a_swap_and_what_comes_later_does_not(session):
    wrist = {"do": "correct", "part": "body", "points": [place(212, "left_wrist", 1.0, 2.0)]}
    pair = [["left_wrist", "right_wrist"]]
    swap = {"do": "swap", "part": "body", "first": 210, "last": 219, "pairs": pair}
    session.act("c0", "1", wrist)
    assert session.act("c0", "2", swap)["corrected"] == [[212, "right_wrist"]]
    session.act("c0", "3", wrist | {"points": [place(213, "left_wrist", 5.0, 6.0)]})
    tracks = session.files.tracks("c0", "body")
    right = tracks["position"].sel(keypoint="right_wrist").isel(time=12)
    left = tracks["position"].sel(keypoint="left_wrist").isel(time=13)
    assert right.values.tolist() == [1.0, 2.0] and left.values.tolist() == [5.0, 6.0]


def test_undoing_gives_back_what_was_there_in_any_order(session):
    """As if the action had never been: the tracker's own place, or an older correction."""
    before = session.files.tracks("c0", "body")
    point = {"do": "correct", "part": "body", "points": [place(212, "left_wrist", 1.0, 2.0)]}
    session.act("c0", "1", point)
    session.act("c0", "2", {"do": "swap", "part": "body", "first": 210, "last": 219})
    session.act("c0", "3", point | {"points": [place(212, "left_wrist", 7.0, 8.0)]})
    session.act("c0", "4", {"do": "undo", "seq": 2})
    wrist = session.files.tracks("c0", "body").sel(keypoint="left_wrist").isel(time=12)
    assert wrist["position"].values.tolist() == [7.0, 8.0]
    session.act("c0", "5", {"do": "undo", "seq": 3})
    wrist = session.files.tracks("c0", "body").sel(keypoint="left_wrist").isel(time=12)
    assert wrist["position"].values.tolist() == [1.0, 2.0]
    session.act("c0", "6", {"do": "undo", "seq": 1})
    xr.testing.assert_identical(session.files.tracks("c0", "body"), before)
    with pytest.raises(Conflict, match="taken back already"):
        session.act("c0", "7", {"do": "undo", "seq": 1})
    assert [one["undoable"] for one in session.log("c0")] == [False] * 6


def test_between_corrected_frames_the_place_is_carried_evenly(session):
    carry = {"do": "carry", "part": "body", "keypoint": "nose", "first": 200, "last": 204}
    carry["keypoint"] = "left_wrist"
    with pytest.raises(UserError, match="was not placed by a person in frame 200"):
        session.act("c0", "0", carry)
    points = [place(200, "left_wrist", 0.0, 100.0), place(204, "left_wrist", 8.0, 60.0, 1)]
    session.act("c0", "1", {"do": "correct", "part": "body", "points": points})
    session.act("c0", "2", carry)
    wrist = session.files.tracks("c0", "body")["position"].sel(keypoint="left_wrist")
    assert wrist.isel(time=slice(0, 5)).transpose("time", "space").values.tolist() == [
        *([0, 100], [2, 90], [4, 80], [6, 70], [8, 60])
    ]


def test_what_cannot_be_corrected_is_refused(session):
    def correct(*points, part="body"):
        return {"do": "correct", "part": part, "points": list(points)}

    for action, what in (
        (correct(place(100, "left_wrist", 1, 1)), "do not show frame 100; they show 200 to 299"),
        (correct(place(200, "left_foot", 1, 1)), "'left_foot' is not tracked"),
        (correct(place(200, "left_wrist", 321, 1)), "outside of the frame of 320x320"),
        (correct(place(200, "left_wrist", None, 1)), "x and y"),
        (correct(place(200, "left_wrist", 1, 1), part="face"), "no tracks of 'face'"),
        (correct(place(200, "left_wrist", 1, 1), part="../c1/body"), "no tracks of"),
        (
            {"do": "swap", "part": "body", "first": 210, "last": 219, "pairs": [["head", "neck"]]},
            "not left and right",
        ),
        ({"do": "swap", "part": "body", "first": 219, "last": 210}, "before first"),
    ):
        with pytest.raises(UserError, match=what):
            session.act("c0", "1", action)
    assert not (session.store.folder / "c0/body.corrections.csv").exists()


# Out of view


def test_a_stretch_out_of_view_is_in_the_cohort_and_back_again(session):
    away = {"do": "away", "onset": 1.0, "duration": 2.0}
    session.act("c0", "1", away)
    session.act("c0", "2", {"do": "back", "onset": 1.5, "duration": 0.5})
    answer = session.act("c0", "3", away | {"onset": 2.5, "duration": 1.0})
    assert [(one["onset"], one["duration"]) for one in answer["away"]] == [
        *((1.0, 0.5), (2.0, 1.0), (3.0, 0.5))
    ]
    (clip, *others) = Cohort.read(session.cohort.folder, check_videos=False).clips
    assert clip.away == ((1.0, 0.5), (2.0, 1.0), (3.0, 0.5)) and not any(c.away for c in others)
    session.act("c0", "4", {"do": "undo", "seq": 3})
    session.act("c0", "5", {"do": "undo", "seq": 2})
    assert [(one["onset"], one["duration"]) for one in session.clip("c0")["away"]] == [(1.0, 2.0)]


def test_faults_of_the_table_are_named(folder):
    (folder / "out_of_view.tsv").write_text(
        "clip_id\tonset\tduration\nc9\t1\t1\nc0\t-1\t1\nc0\t1\t0\nc0\t9\t1\n"
    )
    with pytest.raises(CohortError) as raised:
        Cohort.read(folder, check_videos=False)
    for text in (
        "row 2, column \"clip_id\": clip 'c9' is not in clips.tsv",
        "row 3, column \"onset\": '-1' is not possible",
        "row 4, column \"duration\": '0' is not possible",
        'row 5, column "onset": the clip lasts 4 s',
    ):
        assert text in str(raised.value)


def test_what_was_tracked_out_of_view_is_missing_with_its_reason():
    tracks = tracks_of(0)
    made = out_of_view(tracks, [(0.4, 0.2)])
    away = np.zeros(100, bool)
    away[10:15] = True  # 0.40 to 0.56 s
    assert np.isnan(made["position"].transpose("time", ...).values[away]).all()
    assert np.isnan(made["position_3d"].transpose("time", ...).values[away]).all()
    assert (made["confidence"].values[away] == 0).all()
    for name, array in values(tracks).items():
        np.testing.assert_array_equal(values(made)[name][~away], array[~away])
    code = REASONS.index("out_of_view")
    assert made["rejected"].values[away].tolist() == [[code] * len(JOINTS)] * 5
    assert (made["rejected"].values[~away] == 0).all()
    assert rejected_counts(made) == (95 * len(JOINTS), {})
    checked = check_limbs(made)
    assert (checked["rejected"].values[away] == code).all()


def test_extraction_depends_on_stretches_out_of_view_only_where_there_are_any():
    source = Source("c0", Path("a.mp4"))
    origin = {"sha256": "0" * 64}
    without = dependencies(source, origin, ExtractOptions())
    away = dependencies(Source("c0", Path("a.mp4"), away=((1.0, 2.0),)), origin, ExtractOptions())
    assert not any("away" in stage for stage in without.values())
    assert {part: stage.pop("away") for part, stage in away.items()} == {
        "body": ((1.0, 2.0),),
        "face": ((1.0, 2.0),),
    }
    assert away == without


def test_extracted_tracks_lack_the_stretches(cohort, tmp_path):
    (cohort / "out_of_view.tsv").write_text("clip_id\tonset\tduration\np0_0\t0.4\t0.2\n")
    extract_cohort(Cohort.read(cohort), tmp_path / "made", progress=False)
    tracks = Store(tmp_path / "made").tracks("p0_0", "body")
    gone = np.isnan(tracks["position"].transpose("time", ...).values).all(axis=(1, 2))
    assert np.flatnonzero(gone).tolist() == [10, 11, 12, 13, 14]
    other = Store(tmp_path / "made").tracks("p0_1", "body")
    assert "rejected" not in other and np.isfinite(other["position"].values).all()


# Ratings


def test_ratings_are_a_table_of_readings(session):
    rate = {"do": "rate", "reading": 1, "values": {"dystonia": "left", "umrs_amplitude_face": 2}}
    answer = session.act("c1", "1", rate)
    assert answer["values"] == {"dystonia": "left", "umrs_amplitude_face": 2.0}
    session.act("c0", "2", rate | {"values": {"dystonia": "n/a"}})
    session.act("c1", "3", rate | {"reading": 2, "values": {"dystonia": "none"}})
    lines = (session.folder / "ratings.tsv").read_text().splitlines()
    assert [line.split("\t")[:6] for line in lines] == [
        ["clip_id", "participant_id", "visit", "reading", "item", "value"],
        ["c0", "p0", "n/a", "1", "dystonia", "n/a"],
        ["c1", "p0", "n/a", "1", "dystonia", "left"],
        ["c1", "p0", "n/a", "1", "umrs_amplitude_face", "2"],
        ["c1", "p0", "n/a", "2", "dystonia", "none"],
    ]
    assert session.ratings("c1", 1)["values"]["dystonia"] == "left"
    assert session.ratings("c1", 2)["values"]["umrs_amplitude_face"] is None
    session.act("c1", "4", {"do": "undo", "seq": 1})
    assert session.ratings("c1", 1)["values"]["dystonia"] is None
    assert session.decided("c1")["rated"] == 0 and session.decided("c1")["to_rate"] == 15


def test_each_rater_has_an_order_of_his_own_and_reads_a_share_again(folder, session):
    queue = session.queue()
    first = [one["clip_id"] for one in queue if one["reading"] == 1]
    second = [one["clip_id"] for one in queue if one["reading"] == 2]
    assert sorted(first) == ["c0", "c1", "c2", "c3"] and len(second) == 2
    assert [one["reading"] for one in queue] == [1] * 4 + [2] * 2
    assert again(session).queue() == queue
    orders = {
        tuple(one["clip_id"] for one in again(session, rater=rater).queue()) for rater in "BCDEFGH"
    }
    assert len(orders) > 3
    (folder / "review.yaml").write_text("order: table\nsecond_reading: 0\n")
    assert [one["clip_id"] for one in again(session).queue()] == ["c0", "c1", "c2", "c3"]


def test_the_second_reading_is_due_when_all_first_ones_are_done(folder):
    (folder / "review.yaml").write_text("second_reading: 1\n")
    session = ReviewSession(folder, folder.parent / "store", "A")
    rate = {"do": "rate", "reading": 1, "values": {"dystonia": "left"}}
    for number in range(3):
        session.act(f"c{number}", str(number), rate)
    assert session.ratings("c0") == {"reading": 1, "values": {"dystonia": "left"}}
    session.act("c3", "3", {"do": "assess", "assessable": False, "reason": "camera covered"})
    assert session.ratings("c0") == {"reading": 2, "values": {"dystonia": None}}
    assert all(one["done"] for one in session.queue() if one["reading"] == 1)


# What a model found, and what others marked


@pytest.fixture
def found(folder):
    """A model's events of c0."""
    events = [Event(0.5, 1.0, "dystonia", "left", 0.75), Event(2.0, 1.0, "dystonia", "right", 0.5)]
    write_events(folder.parent / "found/c0/events.tsv", events, 4.0)
    return folder.parent / "found"


def test_found_events_become_the_raters_own_or_do_not(session, found):
    session = again(session, events=found)
    first, second = session.events("c0")["found"]
    decide = {"do": "decide_found", "found_id": first["found_id"], "decision": "accepted"}
    session.act("c0", "1", decide)
    session.act("c0", "2", decide | {"found_id": second["found_id"], "decision": "rejected"})
    (event,) = read_events(session.folder / "events/c0_events.tsv").events
    assert (event.onset, event.duration, event.source) == (0.5, 1.0, "model")
    session.act("c0", "3", decide | {"decision": "moved", "onset": 0.75, "duration": 0.5})
    (event,) = read_events(session.folder / "events/c0_events.tsv").events
    assert (event.onset, event.duration, event.source, event.rater) == (0.75, 0.5, "model", "A")
    shown = again(session, events=found).events("c0")
    assert [one["decision"] for one in shown["found"]] == ["moved", "rejected"]
    session.act("c0", "4", {"do": "undo", "seq": 3})
    assert session.events("c0")["own"][0]["onset"] == 0.5
    session.act("c0", "5", decide | {"decision": "rejected"})
    assert session.events("c0")["own"] == []


def test_who_is_blind_to_the_model_sees_none_of_it(folder, found):
    (folder / "review.yaml").write_text("blind_to_model: true\n")
    session = ReviewSession(folder, folder.parent / "store", "A", events=found, run="run")
    assert session.events("c0")["found"] == [] and not session.study_facts()["has_run"]


def test_raters_see_nothing_of_each_other_unless_the_study_shows_it(folder, session):
    session.act("c0", "1", EVENT | {"sign": "dystonia", "comment": "mine"})
    other = again(session, rater="B")
    assert other.events("c0") == {"own": [], "found": [], "others": []} and other.log() == []
    assert other.decided("c0")["events"] == 0
    (folder / "review.yaml").write_text("blind_to_raters: false\n")
    other = again(session, rater="B")
    assert other.events("c0")["others"] == []
    other.act("c0", "1", {"do": "assess", "assessable": True})
    (event,) = other.events("c0")["others"]
    assert (event["rater"], event["onset"], event["comment"]) == ("A", 1.0, "mine")


@pytest.mark.parametrize(
    "text, what",
    [
        ("blind: true", "blind"),
        ("second_reading: 2", "less than or equal to 1"),
        ("signs: [tics]", "no label 'tics'"),
        ("scales: [updrs]", "no scale 'updrs' is built in"),
        ("keys: {tics: t}", "'tics' is no sign"),
        ("signs: {a: {}, b: {}}\nkeys: {a: x, b: x}", "two signs have one key"),
        ("[", "not the plan of a review"),
    ],
)
def test_faults_of_a_study_are_named(folder, text, what):
    (folder / "review.yaml").write_text(text)
    with pytest.raises(UserError, match=what):
        ReviewSession(folder, folder.parent / "store", "A")


def test_signs_beyond_the_cohorts_labels_get_keys(folder):
    (folder / "review.yaml").write_text(
        "signs: {tonic: {levels: {left: '', right: ''}}, clonic: {}}\nkeys: {clonic: '1'}\n"
    )
    signs = ReviewSession(folder, folder.parent / "store", "A").study_facts()["signs"]
    assert [(sign["name"], sign["key"]) for sign in signs] == [("tonic", "2"), ("clonic", "1")]


# Nothing is lost

SCRIPT = """
import sys
from semiology.review.session import ReviewSession
folder, store, rater, first = *sys.argv[1:4], int(sys.argv[4])
session = ReviewSession(folder, store, rater)
for number in range(first, first + int(sys.argv[5])):
    clip_id, place = f"c{number % 4}", {"frame": 200 + number % 100, "keypoint": "left_wrist"}
    actions = [
        {"do": "correct", "part": "body", "points": [place | {"x": number % 300, "y": 7}]},
        {"do": "event", "event_id": f"{number}", "revision": 0, "onset": number % 3000 / 1000,
         "duration": 0.0, "sign": "dystonia", "comment": f"{number}"},
        {"do": "rate", "reading": 1, "values": {"umrs_frequency_face": number % 5}},
        {"do": "patient", "time": number % 3000 / 1000, "x": number % 300, "y": 7},
        {"do": "away", "onset": number % 3000 / 1000, "duration": 0.001},
    ]
    session.act(clip_id, f"{rater}{number}", actions[number % 5])
    print(number, flush=True)
"""


def start(folder, rater, first, count):
    """A process that acts again and again, and says which actions were acknowledged."""
    command = [sys.executable, "-c", SCRIPT, folder, folder.parent / "store", rater]
    return subprocess.Popen(
        [*map(str, command), str(first), str(count)], stdout=subprocess.PIPE, text=True
    )


def acknowledged(process):
    return [int(line) for line in process.stdout.read().split("\n")[:-1]]


def test_processes_that_act_at_once_never_overwrite_each_other(folder):
    """Two of one rater, one of another, on the same clips: every action of all is there."""
    own = [start(folder, *who) for who in (("A", 0, 15), ("A", 1000, 15), ("B", 2000, 15))]
    done = [acknowledged(process) for process in own]
    assert [process.wait() for process in own] == [0, 0, 0]
    session = ReviewSession(folder, folder.parent / "store", "A")
    assert sorted(done[0] + done[1]) == sorted([*range(15), *range(1000, 1015)])
    assert_there(session, done[0] + done[1])
    assert_there(again(session, rater="B"), done[2])


def assert_there(session, numbers):
    """Every one of these actions is in the journal and in its files."""
    raters = session.rater
    ids = [entry.id for entry in session._journal.entries]
    assert sorted(set(ids)) == sorted(ids) and {f"{raters}{n}" for n in numbers} <= set(ids)
    rows = {
        row.origin
        for number in range(4)
        for row in read_corrections(session.store.folder / f"c{number}/body.corrections.csv")
    }
    comments = {
        event.comment
        for table in read_folder(session.folder / "events").values()
        for event in table.events
    }
    for number in numbers:
        if number % 5 == 0:
            assert f"review {raters}{number}" in rows
        if number % 5 == 1:
            assert str(number) in comments
        if number % 5 == 2:
            assert session.ratings(f"c{number % 4}", 1)["values"]["umrs_frequency_face"] is not None
        if number % 5 == 3:
            assert session.clip(f"c{number % 4}")["click"] is not None
        if number % 5 == 4:
            onset = round(number % 3000 / 1000, 3)
            away = session.clip(f"c{number % 4}")["away"]
            assert any(one["onset"] <= onset < one["onset"] + one["duration"] for one in away)


@pytest.mark.parametrize("seconds", [0.03, 0.11])
def test_a_killed_process_loses_nothing_that_was_acknowledged(folder, seconds):
    process = start(folder, "A", 0, 10_000)
    first = process.stdout.readline()  # it is at work
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    done = [int(first), *acknowledged(process)]
    process.wait()
    session = ReviewSession(folder, folder.parent / "store", "A")
    assert len(session._journal.entries) >= len(done) >= 1
    assert_there(session, done)
    assert_there(session, [int(entry.id[1:]) for entry in session._journal.entries])


def test_a_line_that_is_not_whole_is_cut_and_set_aside(session, caplog):
    for number in range(3):
        session.act("c0", str(number), {"do": "assess", "assessable": bool(number % 2)} | REASON)
    path = session.folder / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:40])
    opened = again(session)
    assert path.read_bytes() == b"".join(lines[:2]) and len(opened.log()) == 2
    assert path.with_suffix(".cut").read_bytes() == lines[2][:40] + b"\n"
    assert "was not whole" in caplog.text
    opened.act("c0", "3", {"do": "assess", "assessable": True})
    assert [entry.seq for entry in again(session)._journal.entries] == [1, 2, 3]


REASON = {"reason": "dark"}


def test_a_damaged_line_is_an_error_and_is_not_cut(session):
    for number in range(3):
        session.act("c0", str(number), {"do": "assess", "assessable": False} | REASON)
    path = session.folder / "journal.jsonl"
    content = path.read_bytes().replace(b"dark", b"dusk", 1)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"journal\.jsonl: row 1 is damaged"):
        again(session)
    assert path.read_bytes() == content


def test_what_a_killed_process_had_only_in_the_journal_is_carried_out(session):
    session.act("c0", "1", EVENT | {"sign": "dystonia"})
    session.act("c0", "2", {"do": "patient", "time": 1, "x": 2, "y": 3})
    table, clips = session.folder / "events/c0_events.tsv", session.cohort.folder / "clips.tsv"
    events, cells = table.read_bytes(), clips.read_bytes()
    table.unlink()
    clips.write_bytes(cells.replace(b"1.000,2.000,3.000", b"n/a"))
    (session.folder / "journal.applied").write_text("0")
    again(session)
    assert table.read_bytes() == events and clips.read_bytes() == cells


def test_a_person_may_change_clips_tsv_by_hand_afterwards(session):
    session.act("c0", "1", {"do": "patient", "time": 1, "x": 2, "y": 3})
    path = session.cohort.folder / "clips.tsv"
    path.write_text(path.read_text().replace("1.000,2.000,3.000", "2,9,9"))
    assert again(session).clip("c0")["click"] == {"time": 2.0, "x": 9.0, "y": 9.0}


# Folders that cannot be written, names that could do harm


def test_a_folder_that_cannot_be_written_is_said_before_work_begins(folder, monkeypatch):
    (folder / "review").mkdir()
    (folder / "review/A").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="cannot be written"):
        ReviewSession(folder, folder.parent / "store", "A")


def test_who_only_reads_sees_everything_and_changes_nothing(session):
    session.act("c0", "1", EVENT | {"sign": "dystonia"})
    before = {
        path: path.read_bytes() for path in session.cohort.folder.rglob("*") if path.is_file()
    }
    reader = again(session, read_only=True)
    assert len(reader.events("c0")["own"]) == 1 and reader.study_facts()["read_only"]
    assert [one["undoable"] for one in reader.log("c0")] == [False]
    with pytest.raises(ReadOnly, match="opened for reading only"):
        reader.act("c0", "2", {"do": "assess", "assessable": True})
    session.act("c0", "3", {"do": "assess", "assessable": True})
    assert reader.clip("c0")["assessable"] is True
    after = {path for path in session.cohort.folder.rglob("*") if path.is_file()}
    assert after == set(before)


@pytest.mark.parametrize(
    "rater", ["", "..", "a/b", "a\\b", "nul", "a\n", "a\u202eb", 'a"b', "x" * 300]
)
def test_a_rater_whose_name_cannot_name_a_folder_is_refused(folder, rater):
    with pytest.raises(UserError, match="rater"):
        ReviewSession(folder, folder.parent / "store", rater)
    assert not (folder / "review").exists()


@pytest.mark.parametrize("clip_id", ["../c0", "c0/../c1", "", "C0", "c0\x00", "<b>"])
def test_a_clip_that_is_not_in_the_cohort_is_refused(session, clip_id):
    with pytest.raises(UserError, match="the cohort has no such clip"):
        session.act(clip_id, "1", {"do": "assess", "assessable": True})
    with pytest.raises(UserError, match="the cohort has no such clip"):
        session.clip(clip_id)


def test_text_that_a_spreadsheet_would_compute_stays_text(session):
    comment = "=HYPERLINK(1)<script>\u2028\ud800"
    session.act("c0", "1", EVENT | {"sign": "dystonia", "comment": comment})
    line = (session.folder / "events/c0_events.tsv").read_text().splitlines()[1]
    assert line.split("\t")[-1] == "'=HYPERLINK(1)<script> ?"
    (event,) = read_events(session.folder / "events/c0_events.tsv").events
    assert event.comment == "=HYPERLINK(1)<script> ?"
    assert asdict(event)["rater"] == "A"


def test_a_raters_events_are_scored_as_by_the_seizure_community(session, found):
    """The model's events of c0 against the rater's: one hit, one false alarm, as timescoring counts
    on the table as its own reader takes it (onset and duration by column).
    """
    session.act("c0", "1", EVENT | {"sign": "dystonia", "level": "left", "side": "left"})
    lines = (session.folder / "events/c0_events.tsv").read_text().splitlines()
    rows = [dict(zip(lines[0].split("\t"), line.split("\t"))) for line in lines[1:]]
    spans = [(float(row["onset"]), float(row["onset"]) + float(row["duration"])) for row in rows]
    model = [(event.onset, event.offset) for event in read_folder(found)["c0"].events]
    theirs = EventScoring(
        Annotation(spans, 10, 40),
        Annotation(model, 10, 40),
        EventScoring.Parameters(0, 0, 0, 1e9, 0),
    )
    assert (theirs.tp, theirs.fp) == (1, 1)
    out = found.parent / "scores"
    command = ["events", "score", str(session.folder / "events"), str(found), "--out", str(out)]
    assert main(command) == 0


def test_a_click_that_was_never_acknowledged_does_not_replace_a_later_one(session):
    """A is killed before its effect, B points; A's review opened again leaves B's."""
    point = {"do": "patient", "time": 1, "x": 2, "y": 3}
    session.act("c0", "1", point)
    other = again(session, rater="B")
    other.act("c0", "1", point | {"x": 9})
    (session.folder / "journal.applied").write_text("0")
    assert again(session).clip("c0")["click"]["x"] == 9


def test_corrections_of_another_video_are_not_added_to(session):
    points = [place(205, "left_wrist", 12.5, 20.25)]
    session.act("c0", "1", {"do": "correct", "part": "body", "points": points})
    session.store.note("c0", {"sha256": "f" * 64}, {})
    with pytest.raises(UserError, match="of another file of clip c0"):
        session.act("c0", "2", {"do": "correct", "part": "body", "points": points})


def test_a_revision_or_id_that_no_file_can_hold_is_refused_before_it_is_journalled(session):
    """What cannot be carried out must not stand in the journal: it would come back at each start"""
    with pytest.raises(UserError, match=r"revision: .*greater than or equal to 1"):
        session.act("c0", "1", {"do": "remove_event", "event_id": "none", "revision": 0})
    point = {"frame": 210, "keypoint": "nose", "x": 5, "y": 5}
    for id in ("\ud800", "a\nb", "", " ", "\0", "x" * 101, 7):
        with pytest.raises(UserError, match=r"^id: "):
            session.act("c0", id, {"do": "correct", "part": "body", "points": [point]})
    assert again(session).log() == [] and not (session.folder / "journal.jsonl").exists()


@pytest.mark.parametrize("way", ["removed", "moved"])
def test_an_event_does_not_come_back_over_another_of_its_kind(session, way):
    sign = EVENT | {"sign": "dystonia", "level": "left"}
    session.act("c0", "1", sign)
    if way == "removed":
        done = session.act("c0", "2", {"do": "remove_event", "event_id": "e1", "revision": 1})
    else:
        done = session.act("c0", "2", sign | {"revision": 1, "onset": 3.0})
    other = session.act("c0", "3", sign | {"event_id": "e2", "onset": 1.25})
    undo = {"do": "undo", "seq": done["seq"]}
    with pytest.raises(Conflict, match=r"event that begins at 1.25 s lasts until 1.75 s"):
        session.act("c0", "4", undo)
    assert [one["undoable"] for one in session.log("c0")][1] is False
    session.act("c0", "5", {"do": "undo", "seq": other["seq"]})
    session.act("c0", "6", undo)
    (event,) = read_events(session.folder / "events/c0_events.tsv").events
    assert (event.onset, event.offset) == (1.0, 1.5)


@pytest.mark.parametrize("content", [b"clip_id;participant_id;video\nc0;p0;v.mp4\n", b"", None])
def test_a_click_waits_for_a_clips_table_that_can_be_written(session, content):
    """A spreadsheet saved it with semicolons, or somebody took it away."""
    path = session.cohort.folder / "clips.tsv"
    whole = path.read_bytes()
    path.unlink() if content is None else path.write_bytes(content)
    click = {"do": "patient", "time": 1, "x": 2, "y": 3}
    with pytest.raises(UserError, match=r"clips\.tsv: has no row of clip c0 any more"):
        session.act("c0", "1", click)
    session.act("c0", "2", EVENT | {"sign": "dystonia"})  # other work goes on
    path.write_bytes(whole)
    session.act("c0", "1", click)
    assert again(session).clip("c0")["click"] == {"time": 1.0, "x": 2.0, "y": 3.0}


def test_a_clip_that_left_the_cohort_does_not_close_the_review(session):
    session.act("c0", "1", {"do": "patient", "time": 1, "x": 2, "y": 3})
    session.act("c1", "2", EVENT | {"sign": "dystonia"})
    (session.folder / "journal.applied").write_text("0")  # killed before the files were written
    path = session.cohort.folder / "clips.tsv"
    path.write_text("".join(line for line in path.open() if not line.startswith("c0")))
    opened = again(session)
    assert [one["onset"] for one in opened.events("c1")["own"]] == [1.0]
    assert (session.folder / "journal.applied").read_text() == "2"


def test_a_clip_that_came_to_the_cohort_does_not_close_the_review(session):
    """A colleague adds a clip and a stretch of it while this rater works."""
    session.act("c0", "1", {"do": "away", "onset": 1, "duration": 0.5})
    clips, table = (session.cohort.folder / name for name in ("clips.tsv", "out_of_view.tsv"))
    clips.write_text(clips.read_text() + "c9\tp0\tvideo.mp4\t0\t4\tleft\tn/a\n")
    table.write_text(table.read_text() + "c9\t2\t1\tB\tn/a\n")
    session.act("c1", "2", {"do": "away", "onset": 0, "duration": 1})
    assert session.decided("c0")["away"] == 1
    away = {clip.clip_id: clip.away for clip in Cohort.read(clips.parent, check_videos=False).clips}
    assert (away["c0"], away["c1"], away["c9"]) == (((1, 0.5),), ((0, 1),), ((2, 1),))


def test_a_last_line_that_is_whole_and_damaged_is_not_cut(session):
    """It was acknowledged: only what lacks its end may be thrown away."""
    for number in range(2):
        session.act("c0", str(number), {"do": "assess", "assessable": False} | REASON)
    path = session.folder / "journal.jsonl"
    first, last = path.read_bytes().splitlines(keepends=True)
    for content in (first + last.replace(b"dark", b"dusk"), first + first):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"journal\.jsonl: row 2 is damaged"):
            again(session)
        assert path.read_bytes() == content


def test_on_a_full_disk_no_part_of_an_action_stays(folder):
    """The limit of a file's size stands for the disk: part of a line is written, the rest not."""
    code = """if True:
        import resource, sys
        from semiology.errors import UserError
        from semiology.review.session import ReviewSession
        session = ReviewSession(*sys.argv[1:], "A")
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
        for number in range(20):
            action = {"do": "assess", "assessable": False, "reason": "dark " * 40}
            try:
                session.act("c0", str(number), action)
            except UserError as error:
                print(number, error)
                break
    """
    command = [sys.executable, "-c", code, str(folder), str(folder.parent / "store")]
    done = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    number, _, fault = done.partition(" ")
    assert int(number) > 1 and "journal.jsonl: cannot be written" in fault
    session = ReviewSession(folder, folder.parent / "store", "A")
    assert len(session.log()) == int(number) and (session.folder / "journal.jsonl").exists()
    assert not (session.folder / "journal.cut").exists()
    session.act("c0", number, {"do": "assess", "assessable": True})


def test_an_earlier_copy_of_the_journal_is_carried_out(session):
    for number in range(2):
        session.act("c0", str(number), EVENT | {"sign": "dystonia", "revision": number})
    path, table = session.folder / "journal.jsonl", session.folder / "events/c0_events.tsv"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    table.unlink()
    again(session)
    assert len(read_events(table).events) == 1


def test_what_a_killed_process_had_half_written_is_deleted(session):
    """Temporary files hold what a rater marked."""
    session.act("c0", "1", EVENT | {"sign": "dystonia"})
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    part = session.folder / "events" / f".part-{_machine()}-{dead.pid}-abcdefgh.tsv"
    part.write_text("half")
    again(session)
    assert not part.exists()


def test_where_nothing_is_rated_others_events_wait_until_the_clip_is_assessed(folder):
    """A form without items is not a clip that is done."""
    (folder / "clips.json").write_text(
        json.dumps({name: {"Role": "covariate"} for name in ("dystonia", "note")})
    )
    (folder / "review.yaml").write_text(
        "blind_to_raters: false\nsigns: {tonic: {description: stiff}}\n"
    )
    for rater in "AB":
        session = ReviewSession(folder, folder.parent / "store", rater)
        session.act("c0", rater, EVENT | {"sign": "tonic"})
    assert session.items == {} and session.events("c0")["others"] == []
    session.act("c0", "2", {"do": "assess", "assessable": True})
    assert [one["rater"] for one in session.events("c0")["others"]] == ["A"]


def test_a_rating_keeps_all_its_digits(folder):
    about = json.loads((folder / "clips.json").read_text())
    about["note"] = {"Role": "score", "Description": "steps", "Minimum": 0}
    (folder / "clips.json").write_text(json.dumps(about))
    path = folder / "clips.tsv"
    path.write_text(path.read_text().replace('"a ""b"""', "1"))
    session = ReviewSession(folder, folder.parent / "store", "A")
    session.act("c0", "1", {"do": "rate", "reading": 1, "values": {"note": 12345678.25}})
    assert read_ratings(session.folder / "ratings.tsv")[0][0].value == "12345678.25"


@pytest.mark.parametrize("seed", range(2))
def test_corrections_in_any_order_are_those_of_a_plain_model(session, seed):
    """A model that keeps a list of what was done, and paints all that was not taken back, one
    after the other, on a copy of the prediction: swaps, places, carries, and their undoing.
    """
    rng = np.random.default_rng(seed)
    names, pair = ["left_wrist", "right_wrist"], ("left_wrist", "right_wrist")
    first = session.files.tracks("c0", "body").sel(keypoint=names)["position"]
    first = first.transpose("time", "keypoint", "space").values[:10].copy()
    done: list[tuple[int, str, tuple]] = []  # seq, what, values

    def painted():
        tracks, placed = first.copy(), {}
        for _, what, value in done:
            if what == "place":
                frame, point, place = value
                tracks[frame, point] = placed[frame, point] = place
            elif what == "swap":
                for frame in range(value[0], value[1] + 1):
                    tracks[frame] = tracks[frame, ::-1]
                    both = placed.pop((frame, 0), None), placed.pop((frame, 1), None)
                    for point, place in enumerate(both[::-1]):
                        if place is not None:
                            placed[frame, point] = place
            else:
                start, end, point, one, two = value
                for frame in range(start + 1, end):
                    share = (frame - start) / (end - start)
                    place = np.array(one) + share * (np.array(two) - np.array(one))
                    tracks[frame, point] = placed[frame, point] = place
        return tracks, placed

    for step in range(60):
        _, placed = painted()
        kind = rng.choice(["place", "swap", "carry", "undo"], p=[0.4, 0.2, 0.2, 0.2])
        start, end = sorted(rng.choice(10, 2, replace=False).tolist())
        point = int(rng.integers(2))
        place = tuple(rng.uniform(0, 300, 2).round(3).tolist())
        action = {"do": "correct", "part": "body"}
        match kind:
            case "place":
                at = {"frame": 200 + start, "keypoint": names[point], "x": place[0], "y": place[1]}
                action["points"], new = [at], (start, point, place)
            case "swap":
                action |= {"do": "swap", "first": 200 + start, "last": 200 + end, "pairs": [pair]}
                new = (start, end)
            case "carry":
                action |= {"do": "carry", "keypoint": names[point]}
                action |= {"first": 200 + start, "last": 200 + end}
                ends = placed.get((start, point)), placed.get((end, point))
                if None in ends or end - start < 2:
                    with pytest.raises(UserError):
                        session.act("c0", f"x{step}", action)
                    continue
                new = (start, end, point, *ends)
            case "undo":
                if not done:
                    continue
                seq, *_ = done.pop(int(rng.integers(len(done))))
                session.act("c0", f"{step}", {"do": "undo", "seq": seq})
                with pytest.raises(Conflict, match="taken back already"):
                    session.act("c0", f"y{step}", {"do": "undo", "seq": seq})
        if kind != "undo":
            done.append((session.act("c0", f"{step}", action)["seq"], kind, new))
        wanted, held = painted()
        for opened in (session, again(session)) if step % 20 == 19 else (session,):
            now = opened.files.tracks("c0", "body").sel(keypoint=names)["position"]
            now = now.transpose("time", "keypoint", "space").values[:10]
            np.testing.assert_allclose(now, wanted, atol=2e-4)
            corrected = opened.clip("c0")["parts"]["body"]["corrected"]
            known = {(frame - 200, names.index(name)) for frame, name in corrected}
            assert known == set(held)
    assert len(done) > 15
