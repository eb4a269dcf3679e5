"""BORIS: projects of format 7.0 and exports laid out as BORIS 7, 8 and 9 write them, by hand."""

import json

import pytest

from semiology.data.events import Event, EventTable, read_events
from semiology.data.marks import boris, read
from semiology.data.marks.convert import import_marks
from semiology.errors import UserError

SETS = {"0": {"name": "side", "type": 0, "values": ["left", "right"]}}


def behavior(code, kind, modifiers=None):
    return {"type": f"{kind} event", "key": code[0], "code": code, "modifiers": modifiers or {}}


ETHOGRAM = {
    "0": behavior("jerk", "Point"),
    "1": behavior("tonic", "State", SETS),
    "2": behavior("clonic", "State"),
}


def observation(events, files=None, **more):
    files = {"1": ["/media/a/c1.mp4"], "2": []} if files is None else files
    lengths = {name: 60.0 for own in files.values() for name in own} if files else {}
    info = {"length": lengths, "fps": {}, "offset": {"1": 0.0, "2": 0.0}}
    kind = "MEDIA" if files else "LIVE"
    plain = {"type": kind, "file": files or [], "time offset": 0.0, "independent_variables": {}}
    return {**plain, "events": events, "media_info": info, **more}


def project(path, ethogram=ETHOGRAM, **observations):
    content = {"project_format_version": "7.0", "behaviors_conf": ethogram}
    path.write_text(json.dumps({**content, "observations": observations}))
    return path


def times(marks):
    return [(one.onset, one.duration, one.text, dict(one.fields)) for one in marks]


def test_states_pair_by_subject_behavior_and_modifiers_and_points_are_instants(tmp_path):
    """tonic left 1 to 4 s and tonic right 2 to 3 s overlap; clonic has no end; version 8 adds the
    frame to each event.
    """
    events = [
        [1.0, "", "tonic", "left", "begins", 25],
        [2.0, "", "tonic", "right", "", 50],
        [2.5, "p01", "jerk", "", "", 62],
        [3.0, "", "tonic", "right", "", 75],
        [4.0, "", "tonic", "left", "ends", 100],
        [5.0, "", "tonic", "None", "", 125],
        [5.5, "", "clonic", "", "", 137],
        [6.0, "", "tonic", "None", "", 150],
    ]
    (found,) = read(project(tmp_path / "x.boris", o=observation(events)))
    assert (found.clip_id, found.media, found.length) == ("c1", "c1.mp4", 60.0)
    assert times(found.marks) == [
        (1.0, 3.0, "tonic", {"side": "left", "comment": "begins; ends"}),
        (2.0, 1.0, "tonic", {"side": "right"}),
        (2.5, 0.0, "jerk", {"subject": "p01"}),
        (5.0, 1.0, "tonic", {}),
        (5.5, None, "clonic", {}),
    ]


def test_the_time_offset_is_taken_off_and_players_keep_their_own(tmp_path):
    """Times of 3601.5 with a time offset of an hour are 1.5 s of player 1's video."""
    files = {"1": ["c1.mp4"], "2": ["face.mp4"]}
    info = {"length": {"c1.mp4": 9.0}, "offset": {"1": 0.0, "2": -20.0}}
    about = observation(
        [[3601.5, "", "jerk", "", ""]], files, media_info=info, **{"time offset": 3600.0}
    )
    (found,) = read(project(tmp_path / "x.boris", o=about))
    assert [one.onset for one in found.marks] == [1.5] and found.length == 9.0
    assert found.notes == ("o: player 2 begins -20 s off; times are seconds of player 1",)


def test_queues_live_observations_and_raters(tmp_path):
    """Two videos of 60 s in a row are one recording of 120 s; a variable Observer is the rater."""
    jerk = [[70.0, "", "jerk", "", ""]]
    row = observation(jerk, {"1": ["a.mp4", "b.mp4"]}, independent_variables={"Observer": "anna"})
    file = project(tmp_path / "x.boris", night=row, ward=observation(jerk, {}))
    night, ward = read(file)
    assert (night.clip_id, night.length, night.marks[0].rater) == ("night", 120.0, "anna")
    assert (ward.clip_id, ward.length, ward.marks[0].rater) == ("ward", None, None)


def test_observations_of_one_video_without_raters_are_raters(tmp_path):
    one = observation([[1.0, "", "jerk", "", ""]])
    two = observation([[1.2, "", "jerk", "", ""]])
    file = project(tmp_path / "x.boris", first=one, second=two)
    result = import_marks([file], tmp_path / "out")
    assert {path.parent.name for path in result.written} == {"first", "second"}
    assert result.notes[file] == [
        "several observations of c1 name no rater: each is taken for a rater"
    ]
    assert "has c1 twice by x" in import_marks([file], tmp_path / "o", rater="x").failed[file]


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([[1.0, "", "nod", "", ""]], "of behavior 'nod', which the ethogram lacks"),
        ([["soon", "", "jerk", "", ""]], "observation 'o': is not BORIS'"),
        ([[99.0, "", "jerk", "", ""]], r"1 marks reach beyond the end of c1 at 60\.000 s"),
    ],
)
def test_a_wrong_project_is_one_line(tmp_path, events, message):
    file = project(tmp_path / "x.boris", o=observation(events))
    with pytest.raises(AssertionError, match=message):
        why = import_marks([file], tmp_path / "out").failed[file]
        raise AssertionError(why)
    assert not (tmp_path / "out").exists()


def test_what_is_no_project_is_refused(tmp_path):
    path = tmp_path / "x.boris"
    for text in ("{", "[]", "{}", '{"observations": [1]}'):
        path.write_text(text)
        with pytest.raises(UserError, match="BORIS project"):
            read(path)


TABULAR_7 = """Observation id\to1\t\t\t\t\t\t\t
\t\t\t\t\t\t\t\t
Player #1\tvideos/c1.mp4\t\t\t\t\t\t\t
Time offset (s)\t10.0\t\t\t\t\t\t\t
variable\tvalue\t\t\t\t\t\t\t
Time\tMedia file path\tTotal length\tFPS\tSubject\tBehavior\tModifiers\tComment\tStatus
13.300\tvideos/c1.mp4\t59.960\t25.0\tp01\ttonic\tleft|arm\tx\tSTART
15.000\tvideos/c1.mp4\t59.960\t25.0\tp01\tjerk\t\t\tPOINT
17.750\tvideos/c1.mp4\t59.960\t25.0\tp01\ttonic\tleft|arm\t\tSTOP
"""
TABULAR_8 = (
    "Observation id,Observation date,Description,Observation duration,Observation type,Source,"
    "Time offset (s),Media duration (s),FPS,Subject,Behavior,Behavioral category,Modifier #1,"
    "Modifier #2,Behavior type,Time,Media file name,Image index,Image file path,Comment\n"
    "o1,2026-01-01 00:00:00,,9,Media file(s),player #1:v/c1.mp4,10.0,59.96,25,p01,tonic,,left,arm,"
    "START,13.300,v/c1.mp4,82,NA,x\n"
    "o1,2026-01-01 00:00:00,,9,Media file(s),player #1:v/c1.mp4,10.0,59.96,25,p01,jerk,,,,"
    "POINT,15.000,v/c1.mp4,125,NA,\n"
    "o1,2026-01-01 00:00:00,,9,Media file(s),player #1:v/c1.mp4,10.0,59.96,25,p01,tonic,,left,arm,"
    "STOP,17.750,v/c1.mp4,193,NA,\n"
)
AGGREGATED = (
    "Observation id\tTime offset (s)\tSubject\tBehavior\tModifier #1\tModifier #2\tBehavior type\t"
    "Start (s)\tStop (s)\tDuration (s)\tMedia file name\tComment start\tComment stop\n"
    "o1\t10.0\tp01\ttonic\tleft\tarm\tSTATE\t13.300\t17.750\t4.450\tv/c1.mp4\tx\t\n"
    "o1\t10.0\tp01\tjerk\t\t\tPOINT\t15.000\t15.000\tNA\tv/c1.mp4\t\t\n"
)


@pytest.mark.parametrize("text", [TABULAR_7, TABULAR_8, AGGREGATED])
def test_exports_tabular_and_aggregated(tmp_path, text):
    """tonic from 3.3 to 7.75 s, after the offset of 10 s; modifiers have no names there."""
    path = tmp_path / "export.tsv"
    path.write_text(text)
    (found,) = read(path)
    assert found.clip_id == "c1"
    where = {"modifier 1": "left", "modifier 2": "arm", "comment": "x", "subject": "p01"}
    assert times(found.marks) == [
        (3.3, 4.45, "tonic", where),
        (5.0, 0.0, "jerk", {"subject": "p01"}),
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("START", "STOP", "'tonic' stops at 3.3 s and has not begun"),
        ("STOP", "START", "'tonic' starts at 7.75 s and has not stopped"),
        ("POINT", "MIDDLE", "row 8: 'MIDDLE' is none of START"),
        ("15.000", "later", "row 8: 'later' is no time"),
        ("\t\t\tPOINT", "", "row 8 has 6 cells, the header has 9"),
        ("Behavior", "Act", "no row names the columns"),
    ],
)
def test_a_damaged_export_is_one_line(tmp_path, old, new, message):
    path = tmp_path / "export.tsv"
    path.write_text(TABULAR_7.replace(old, new))
    with pytest.raises(UserError, match=message):
        read(path)


def test_what_is_written_is_read_again(tmp_path):
    """An instant of a sign that also lasts, one that touches the next, an unknown end, two raters,
    and one of a sign that is instants only.
    """
    events = [
        Event(0.5, 1.5, "tonic", "left", 0.25, "left", "arm", "anna", "model", "a, b"),
        Event(2.0, 1.0, "tonic", "left", 0.25, "left", "arm", "anna", "model"),
        Event(4.0, 0.0, "tonic", rater="anna", source="person"),
        Event(5.0, 0.0, "jerk", rater="anna", source="person"),
        Event(6.0, None, "clonic", rater="anna", source="person"),
        Event(1.0, 1.0, "clonic", rater="bo", source="person"),
        Event(-1.0, 0.5, "aura", rater="bo", source="person"),
    ]
    assert boris.write(EventTable(events, 9.0), tmp_path / "c1.boris", "c1.mp4") == (7, [])
    result = import_marks([tmp_path / "c1.boris"], tmp_path / "out")
    assert result.failed == {}
    back = [
        event
        for rater in ("anna", "bo")
        for event in read_events(tmp_path / f"out/{rater}/c1_events.tsv", scored=False).events
    ]
    assert sorted(back, key=lambda one: (one.rater, one.onset)) == [*events[:5], *events[6:4:-1]]


def test_commas_in_modifiers_are_named_and_a_clip_keeps_its_name_without_a_video(tmp_path):
    events = [Event(1.0, 2.0, "tonic", side="left, right", rater=who) for who in ("anna", "bo")]
    count, notes = boris.write(EventTable(events), tmp_path / "c1.boris")
    assert count == 2
    assert "commas and | in modifiers became blanks and /, as BORIS joins lists by them" in notes
    found = read(tmp_path / "c1.boris")
    assert [(one.clip_id, one.marks[0].rater) for one in found] == [("c1", "anna"), ("c1", "bo")]
    assert dict(found[0].marks[0].fields) == {"side": "left  right"}


def test_what_start_and_stop_cannot_show_is_named(tmp_path):
    """The second overlaps the first; the fourth follows one without an end; left and right may."""
    events = [
        *(Event(1.0, 2.0, "tonic", side="left"), Event(2.0, 2.0, "tonic", side="left")),
        *(Event(5.0, None, "clonic"), Event(7.0, 1.0, "clonic")),
        Event(1.5, 1.0, "tonic", side="right", tier="t"),
    ]
    count, notes = boris.write(EventTable(events), tmp_path / "c1.boris")
    assert count == 3
    assert notes == [
        "2 events overlap another of the same sign and modifiers, or follow one without an end,"
        " which START and STOP cannot show: left out",
        "tiers have no place in a BORIS project",
        "the project names no video, so that its observations are live ones",
    ]
    (found,) = read(tmp_path / "c1.boris")
    assert [(one.onset, one.duration) for one in found.marks] == [(1, 2), (1.5, 1), (5, None)]
