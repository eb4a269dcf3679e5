"""What a rater does is on disk when it is acknowledged, exactly there and nowhere else."""

import json

import numpy as np
import pytest

from semiology import load_skeleton, make_tracks
from semiology.data.cohort import Cohort
from semiology.data.cohort.table import set_cell
from semiology.data.events import read_events, read_folder
from semiology.data.store import Store
from semiology.errors import UserError
from semiology.review.actions import Conflict
from semiology.review.session import ReviewSession

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
    score = {"Role": "score", "Minimum": 0, "Maximum": 4}
    (cohort / "clips.json").write_text(
        json.dumps({"dystonia": label, "note": {"Role": "covariate"}})
    )
    del score
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
