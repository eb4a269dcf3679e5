"""VIA, Datavyu and Observer: small files written by hand as these programs save them."""

import json
import zipfile

import pytest

from semiology.data.events import read_events
from semiology.data.marks import read
from semiology.data.marks.convert import import_marks
from semiology.errors import UserError


def times(marks):
    return [(one.onset, one.duration, one.text, one.tier, dict(one.fields)) for one in marks]


# VIA 3


def via(path, metadata, **more):
    """Two videos; attributes of segments: sign (options), side (text), signs (several options)."""
    segment = {"anchor_id": "FILE1_Z2_XY0", "desc": "", "default_option_id": ""}
    content = {
        "project": {"pid": "1", "rev": "1", "data_format_version": "3.1.1", "vid_list": ["1", "2"]},
        "config": {},
        "attribute": {
            "1": {"aname": "sign", "type": 4, "options": {"1": "tonic", "j": "jerk"}, **segment},
            "2": {"aname": "side", "type": 1, "options": {}, **segment},
            "3": {"aname": "seen", "type": 2, "options": {"f": "face", "a": "arm"}, **segment},
        },
        "file": {
            "1": {"fid": "1", "fname": "C:\\ward\\c1.mp4", "type": 4, "loc": 1, "src": ""},
            "2": {"fid": 2, "fname": "c2.mp4", "type": 4, "loc": 2, "src": "http://x/c2.mp4"},
        },
        "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": [2]}},
        "metadata": metadata,
    }
    path.write_text(json.dumps(content | more))
    return path


def test_segments_of_via_with_options_texts_and_checkboxes(tmp_path):
    segments = {
        "1_a": {"vid": "1", "flg": 0, "z": [2.5, 3.75], "xy": [], "av": {"1": "1", "2": "left"}},
        "1_b": {"vid": "1", "flg": 0, "z": [1.25], "xy": [], "av": {"1": "j", "3": "f,a"}},
        "1_c": {"vid": "1", "flg": 0, "z": [1.0], "xy": [2, 0, 0, 9, 9], "av": {"1": "1"}},
        "1_d": {"vid": "1", "flg": 0, "z": [], "xy": [], "av": {"2": "x"}},
    }
    first, second = read(via(tmp_path / "p.json", segments))
    assert (first.clip_id, first.media, second.clip_id) == ("c1", "c1.mp4", "c2")
    assert times(first.marks) == [
        (2.5, 1.25, "tonic", "sign", {"side": "left"}),
        (1.25, 0.0, "jerk", "sign", {"seen": "face, arm"}),
    ]
    assert first.notes == ("2 regions and attributes of files have no duration: left out",)
    assert second.marks == []


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ({"vid": "1", "z": [3, 1], "xy": [], "av": {"1": "1"}}, "segment s: 'tonic' at 3 s ends 2"),
        ({"vid": "1", "z": [1, 3], "xy": [], "av": {}}, "segment s: the mark at 1 s has no label"),
        ({"vid": "7", "z": [1, 3], "xy": [], "av": {"1": "1"}}, "is no project of VIA 3"),
        ({"vid": "1", "z": ["x", 3], "xy": [], "av": {"1": "1"}}, "is no project of VIA 3"),
    ],
)
def test_a_damaged_project_of_via_is_one_line(tmp_path, segment, message):
    with pytest.raises(UserError, match=message):
        read(via(tmp_path / "p.json", {"s": segment}))


def test_json_of_others_is_refused(tmp_path):
    path = tmp_path / "x.json"
    for text, message in (('{"a": 1}', "is neither VIA 3"), ("{", "not a file of marks")):
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            read(path)


# Datavyu

SHEET = """#4
sign (MATRIX,true,)-type|NOMINAL,side|NOMINAL
00:00:01:020,00:00:02:500,(tonic,left)
01:00:00:000,00:00:00:000,(jerk\\, small,)
versive (MATRIX,false,)-side|NOMINAL
00:00:04:000,00:00:04:000,(right)
notes (TEXT,true,)
00:00:05:000,00:00:06:000,calm, asleep
empty (MATRIX,true,)-code01|NOMINAL
"""
CELLS = [
    (1.02, 1.48, "tonic", "sign", {"side": "left"}),
    (3600.0, None, "jerk, small", "sign", {}),
    (4.0, 0.0, "", "versive", {"side": "right"}),
    (5.0, 1.0, "calm, asleep", "notes", {}),
]


def test_a_spreadsheet_of_datavyu_as_opf_and_as_csv(tmp_path):
    (tmp_path / "c1.csv").write_text(SHEET)
    with zipfile.ZipFile(tmp_path / "c1.opf", "w") as archive:
        archive.writestr("db", SHEET)
        archive.writestr("project", "!project\nversion: 5\n")
    for name in ("c1.csv", "c1.opf"):
        (found,) = read(tmp_path / name)
        assert (found.clip_id, times(found.marks)) == ("c1", CELLS)


@pytest.mark.parametrize(
    ("text", "clip_id"),
    [
        (
            "file,column,ordinal,onset,offset,type,side\nc7,sign,1,1020,2500,tonic,left\n"
            "c7,sign,2,3600000,0,,\n",
            "c7",
        ),
        (
            "sign.ordinal,sign.onset,sign.offset,sign.type,sign.side,look.ordinal,look.onset,"
            "look.offset,look.code01\n1,1020,2500,tonic,left,1,40,80,away\n2,3600000,0,,,,,,\n",
            "c1",
        ),
    ],
)
def test_exported_cells_of_datavyu(tmp_path, text, clip_id):
    (tmp_path / "c1.csv").write_text(text)
    (found,) = read(tmp_path / "c1.csv")
    assert found.clip_id == clip_id
    signs = [mark for mark in times(found.marks) if mark[3] == "sign"]
    assert signs == [CELLS[0], (3600.0, None, "", "sign", {})]
    assert len(found.marks) in (2, 3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(tonic,left)", "(tonic)", "line 3 has 1 codes, its column 'sign' has 2"),
        ("00:00:02:500", "00:00:01:000", "column 'sign': 'tonic' at 1.02 s ends 0.02 s before"),
        ("00:00:01:020", "1.02", "line 3 is neither column nor cell"),
    ],
)
def test_a_damaged_spreadsheet_is_one_line(tmp_path, old, new, message):
    (tmp_path / "c1.csv").write_text(SHEET.replace(old, new))
    with pytest.raises(UserError, match=message):
        read(tmp_path / "c1.csv")
    (tmp_path / "c1.opf").write_text("x")
    with pytest.raises(UserError, match=r"is no whole \.opf"):
        read(tmp_path / "c1.opf")


# Noldus Observer

OBSERVER = """Date_Time_Absolute_dmy_hmsf;Time_Relative_hmsf;Time_Relative_sf;Duration_sf;\
Observation;Event_Log;Subject;Behavior;Modifier_1;Event_Type;Comment;
01-01-2026 10:00:01.250;00:00:01.250;1,250;2,500;c1;log1;p01;tonic;left;State start;sure;
01-01-2026 10:00:02.000;00:00:02.000;2,000;0,000;c1;log1;p01;jerk;;Point;;
01-01-2026 10:00:03.750;00:00:03.750;3,750;0,000;c1;log1;p01;tonic;;State stop;;
01-01-2026 10:00:03.750;00:00:03.750;3,750;;c1;log1;p01;tonic;right;State start;;
"""
LOGGED = [
    (1.25, 2.5, "tonic", None, {"modifier 1": "left", "comment": "sure", "subject": "p01"}),
    (2.0, 0.0, "jerk", None, {"subject": "p01"}),
    (3.75, None, "tonic", None, {"modifier 1": "right", "subject": "p01"}),
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_event_logs_of_observer(tmp_path, encoding):
    path = tmp_path / "export.txt"
    path.write_text(OBSERVER, encoding=encoding)
    (found,) = read(path)
    assert (found.clip_id, times(found.marks)) == ("c1", LOGGED)


def test_event_logs_of_observer_before_version_12_and_two_of_one_observation(tmp_path):
    path = tmp_path / "export.csv"
    head = "Relative Time (seconds),Observation Name,Event Log File Name,Subject,Behavior,"
    rows = [
        "1.25,c1,anna,p01,tonic,State start,",
        "3.75,c1,anna,p01,tonic,State stop,",
        "2,c1,bo,p01,tonic,Point,",
    ]
    path.write_text(head + "Event Type,Comment\n" + "\n".join(rows) + "\n")
    result = import_marks([path], tmp_path / "out")
    assert result.failed == {}
    (anna,) = read_events(tmp_path / "out/anna/c1_events.tsv").events
    (bo,) = read_events(tmp_path / "out/bo/c1_events.tsv").events
    assert (anna.onset, anna.duration, bo.onset, bo.duration) == (1.25, 2.5, 2.0, 0.0)
    assert (
        "times are seconds of the observation; is its start that of the video?"
        in (result.notes[path])
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("State start;sure", "State stop;", "'tonic' stops at 1.25 s and has not begun"),
        ("Point", "Spot", "row 3: 'spot' is none of State start, State stop, Point"),
        ("1,250;2,500", "soon;2,500", "row 2: 'soon' is no time"),
    ],
)
def test_a_damaged_event_log_is_one_line(tmp_path, old, new, message):
    path = tmp_path / "export.txt"
    path.write_text(OBSERVER.replace(old, new))
    with pytest.raises(UserError, match=message):
        read(path)


# Anvil

ANVIL = """<?xml version="1.0" encoding="{encoding}"?>
<annotation><head><specification src="spec.xml"/><video src="..\\video\\c1.mov"/>
<info key="coder" type="String">anna</info></head><body>
<track name="gesture.phase"{primary}>
<el index="0" start="0.4" end="1.2"><attribute name="type">tonic</attribute>
<attribute name="side">left</attribute><comment>sure</comment></el>
<el index="1" start="1.2" end="2.04"><attribute name="type">clonic</attribute></el></track>
<track name="gesture.phrase"{span}>
<el index="0" start="0" end="1"><attribute name="type">seizure</attribute></el></track>
<track name="gesture.note"{single}>
<el index="0" ref="1"><attribute name="type">loud</attribute></el></track>
<track name="blink"{points}><el index="0" time="3.5"/></track>
<set name="people"><el index="0"><attribute name="who">x</attribute></el></set>
</body></annotation>
"""
SPECIFICATION = """<annotation-spec><body><group name="gesture">
<track-spec name="phase" type="primary"><attribute name="type" valuetype="String"/></track-spec>
<track-spec name="phrase" type="span" ref="gesture.phase"/>
<track-spec name="note" type="singleton" ref="gesture.phase"/></group>
<track-spec name="blink" type="primary"/></body></annotation-spec>
"""
TYPED = {
    "primary": ' type="primary"',
    "span": ' type="span" ref="gesture.phase"',
    "single": ' type="singleton" ref="gesture.phase"',
    "points": ' type="primary points"',
}


def anvil(folder, encoding="utf-8", **kinds):
    path = folder / "c1.anvil"
    path.write_text(ANVIL.format(encoding=encoding.upper(), **TYPED | kinds), encoding=encoding)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_tracks_of_anvil_by_their_type(tmp_path, encoding):
    """A span from element 0 to 1 lasts from 0.4 to 2.04 s, a singleton as long as its element."""
    (found,) = read(anvil(tmp_path, encoding))
    assert (found.clip_id, found.media) == ("c1", "c1.mov")
    assert times(found.marks) == [
        (0.4, 0.8, "tonic", "gesture.phase", {"side": "left", "comment": "sure"}),
        (1.2, 0.84, "clonic", "gesture.phase", {}),
        (0.4, 1.64, "seizure", "gesture.phrase", {}),
        (1.2, 0.84, "loud", "gesture.note", {}),
        (3.5, 0.0, "", "blink", {}),
    ]
    assert {mark.rater for mark in found.marks} == {"anna"}
    assert found.notes == ("1 elements of sets have no time: left out",)


def test_the_specification_says_what_the_tracks_do_not(tmp_path):
    path = anvil(tmp_path, **dict.fromkeys(TYPED, ""))
    with pytest.raises(UserError, match=r"'gesture.phase' has no type; put .* spec.xml beside"):
        read(path)
    (tmp_path / "spec.xml").write_text(SPECIFICATION)
    (found,) = read(path)
    assert [(one.onset, one.duration) for one in found.marks][2:] == [
        (0.4, 1.64),
        (1.2, 0.84),
        (3.5, 0.0),
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('start="0.4"', "", "track 'gesture.phase', element 0: 'start' is no time"),
        ('ref="1"', 'ref="7"', "track 'gesture.note', element 0: '7' is no time"),
        ('end="1.2"', 'end="0.2"', "'tonic' at 0.4 s ends 0.2 s before it begins"),
        ('singleton" ref="gesture.phase', 'singleton" ref="x', "refers to 'x', which is none"),
        ('singleton" ref="gesture.phase', 'span" ref="gesture.note', "'gesture.note', which is no"),
    ],
)
def test_a_damaged_anvil_is_one_line(tmp_path, old, new, message):
    path = anvil(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=message):
        read(path)


# EEG vendors

LAY = """[FileInfo]
File=night.dat
FileType=Interleaved
SamplingRate=256
[Patient]
Last=Doe
[SampleTimes]
0=79200.000
5120=79300.000
[Comments]
12.500,3.250,0,100,sz onset, left arm
40.0,0,0,101,Pflege
"""


def test_comments_of_persyst(tmp_path):
    path = tmp_path / "night.lay"
    path.write_text(LAY + "55,0,0,1,ü\n", encoding="cp1252")
    (found,) = read(path)
    assert (found.clip_id, found.media) == ("night", "night.dat")
    assert [(one.onset, one.duration, one.text) for one in found.marks] == [
        (12.5, 3.25, "sz onset, left arm"),
        (40.0, 0.0, "Pflege"),
        (55.0, 0.0, "ü"),
    ]
    assert found.notes[1] == "the EEG has 1 gaps, which comments' times are taken to hold"
    path.write_text(LAY + "55,0,0\n")
    with pytest.raises(UserError, match="line 13: is no comment"):
        read(path)
    path.write_text("hello\n")
    with pytest.raises(UserError, match=r"is no \.lay"):
        read(path)


@pytest.mark.parametrize("suffix", [".ent", ".vtc", ".trc"])
def test_what_is_not_read_says_what_to_export(tmp_path, suffix):
    path = tmp_path / f"night{suffix}"
    path.write_bytes(b"x")
    with pytest.raises(UserError, match=r"export the (study|recording) as EDF\+"):
        read(path)
