"""Label Studio and CVAT, which count in frames: small files written by hand as they export them."""

import json
import shutil

import av
import numpy as np
import pytest

from semiology.cli.main import main
from semiology.data.events import Event, read_events, write_events
from semiology.data.marks import cvat, label_studio, read
from semiology.data.marks.convert import export_events, import_marks
from semiology.errors import UserError


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """A folder with c1.mp4: 10 s at 25 frames a second, 64 x 48."""
    path = tmp_path_factory.mktemp("videos") / "c1.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        for _ in range(250):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.parent


def times(marks):
    return [(one.onset, one.duration, one.text, dict(one.fields)) for one in marks]


# Label Studio


def region(key, start, end, sign):
    value = {"ranges": [{"start": start, "end": end}], "timelinelabels": [sign]}
    return {"id": key, "from_name": "sign", "to_name": "video", "value": value}


def about(key, name, kind, value):
    return {"id": key, "from_name": name, "to_name": "video", "value": {kind: value}}


def exported(path, *results, data=None, who=None):
    data = {"video": "/data/upload/3/3d3ad63e-c1.mp4"} | (data or {})
    task = {"id": 1, "data": data, "annotations": [{"completed_by": who, "result": [*results]}]}
    path.write_text(json.dumps([task]))
    return path


def test_frames_of_label_studio_count_from_1_and_ranges_hold_both_ends(tmp_path):
    """At 25 a second frames 26 to 50 are second 1 to 2, and frame 51 alone lasts 0.04 s."""
    file = exported(
        tmp_path / "x.json",
        region("a", 26, 50, "tonic"),
        about("a", "side", "choices", ["left"]),
        about("a", "comment", "text", ["sure"]),
        region("b", 51, 51, "jerk"),
        about("b", "end", "text", ["instant"]),
        region("c", 51, 51, "blink"),
        data={"fps": 25},
        who={"id": 4, "email": "anna@example.org"},
    )
    (found,) = read(file)
    assert (found.clip_id, found.media, found.frames) == ("c1", "c1.mp4", "")
    assert times(found.marks) == [
        (1.0, 1.0, "tonic", {"side": "left", "comment": "sure"}),
        (2.0, 0.0, "jerk", {}),
        (2.0, 0.04, "blink", {}),
    ]
    assert {mark.rater for mark in found.marks} == {"anna@example.org"}


def test_the_rate_of_label_studio_is_not_the_videos(tmp_path, filmed):
    """Without a rate in its data an export is refused, whatever the video's is; 24 is its default:
    frames 25 to 48 are then second 1 to 2.
    """
    file = exported(tmp_path / "x.json", region("a", 25, 48, "tonic"), who=7)
    why = import_marks([file], tmp_path / "out", videos=filmed).failed[file]
    assert why.startswith("Label Studio counts frames of the rate that its configuration states")
    result = import_marks([file], tmp_path / "out", frame_rate=24)
    assert result.notes[file] == ["c1: frames became seconds at 24 frames a second"]
    (event,) = read_events(tmp_path / "out/annotator 7/c1_events.tsv").events
    assert (event.onset, event.duration, event.tier) == (1.0, 1.0, "sign")


def test_json_min_and_what_is_no_export(tmp_path):
    file = tmp_path / "x.json"
    lines = [{"ranges": [{"start": 1, "end": 25}], "timelinelabels": ["tonic"]}]
    file.write_text(json.dumps([{"id": 1, "video": "a/c1.mp4", "fps": 25, "signs": lines}]))
    (found,) = read(file)
    assert (found.clip_id, times(found.marks)) == ("c1", [(0.0, 1.0, "tonic", {})])
    assert found.notes == (
        "frames became seconds at 25 frames a second, as the task states",
        "JSON-MIN does not say which mark a field is of: fields are left out",
    )
    file.write_text(json.dumps([{"a": 1}]))
    with pytest.raises(UserError, match=r"is neither VIA 3 \.json nor Label Studio \.json"):
        read(file)
    with pytest.raises(UserError, match="'tonic' at 2 s ends 1"):
        read(exported(file, region("a", 51, 25, "tonic"), data={"fps": 25}))
    with pytest.raises(UserError, match=r"is no export of Label Studio \(KeyError\('start'\)\)"):
        broken = region("a", 1, 2, "tonic")
        del broken["value"]["ranges"][0]["start"]
        read(exported(file, broken))


# CVAT

XML = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><id>9</id><name>ward</name><size>250</size>
<start_frame>0</start_frame><stop_frame>249</stop_frame><frame_filter>{step}</frame_filter>
<source>c1.mp4</source><assignee><username>anna</username></assignee></task></meta>
{tracks}</annotations>
"""


def box(frame, outside=0, keyframe=1, **attributes):
    own = "".join(f'<attribute name="{key}">{text}</attribute>' for key, text in attributes.items())
    return (
        f'<box frame="{frame}" keyframe="{keyframe}" outside="{outside}" occluded="0" xtl="0"'
        f' ytl="0" xbr="9" ybr="9" z_order="0">{own}</box>'
    )


def tracks(path, *found, step=""):
    lines = [
        f'<track id="{n}" label="{label}" source="manual">{"".join(boxes)}</track>'
        for n, (label, *boxes) in enumerate(found)
    ]
    path.write_text(XML.format(tracks="\n".join(lines), step=step))
    return path


def test_tracks_of_cvat_from_the_first_box_to_the_one_outside(tmp_path, filmed):
    """tonic: frames 25 to 49 and, after it was away, 100 to 124, first left, then right from 110;
    clonic to its last box, which is no key frame; versive to the task's last frame.
    """
    file = tracks(
        tmp_path / "annotations.xml",
        ("tonic", box(25, side="left"), box(26, keyframe=0, side="left"), box(50, 1, side="left"),
         box(100, side="left"), box(110, side="right"), box(125, 1, side="right")),
        ("clonic", box(0), box(1, keyframe=0), box(2, keyframe=0)),
        ("versive", box(200)),
    )  # fmt: skip
    (found,) = read(file)
    assert (found.clip_id, found.media, found.frames) == ("c1", "c1.mp4", "video")
    assert times(found.marks) == [
        (25, 25, "tonic", {"side": "left"}),
        (100, 10, "tonic", {"side": "left"}),
        (110, 15, "tonic", {"side": "right"}),
        (0, 3, "clonic", {}),
        (200, 50, "versive", {}),
    ]
    assert import_marks([file], tmp_path / "out", videos=filmed).failed == {}
    events = read_events(tmp_path / "out/anna/c1_events.tsv").events
    assert [(one.sign, one.onset, one.duration) for one in events] == [
        ("clonic", 0.0, 0.12),
        ("tonic", 1.0, 1.0),
        ("tonic", 4.0, 0.4),
        ("tonic", 4.4, 0.6),
        ("versive", 8.0, 2.0),
    ]


def test_frames_of_cvat_need_the_video_or_its_rate(tmp_path, filmed, capsys):
    file = tracks(tmp_path / "a.xml", ("tonic", box(30), box(60, 1)))
    arguments = ["events", "import", str(file), "--out", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert "its times are frames of c1.mp4; name the folder of the video" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main([*arguments, "--videos", str(tmp_path / "empty")]) == 1
    assert "frames of c1.mp4, which is not in" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*arguments, "--frame_rate", "0"]) == 2
    assert main([*arguments, "--frame_rate", "30"]) == 0
    (event,) = read_events(tmp_path / "out/anna/c1_events.tsv").events
    assert (event.onset, event.duration) == (1.0, 1.0)


def test_every_fifth_frame_and_tracks_of_a_project(tmp_path):
    """With step=5 the frame after 10 is 15; a project's tracks name their tasks."""
    file = tracks(tmp_path / "a.xml", ("tonic", box(5), box(10, keyframe=0)), step="step=5")
    assert times(read(file)[0].marks) == [(5, 10, "tonic", {})]
    text = file.read_text().replace("<meta><task>", "<meta><project><tasks><task>")
    text = text.replace("</task></meta>", "</task></tasks></project></meta>")
    file.write_text(text.replace('<track id="0"', '<track id="0" task_id="9"'))
    (found,) = read(file)
    assert (found.clip_id, times(found.marks)) == ("c1", [(5, 10, "tonic", {})])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotations><image/></annotations>", "holds images and no tracks; export the task as"),
        ("<opencv_storage/>", "is no annotations.xml of CVAT"),
        ("<annotations>", "is no whole annotations.xml of CVAT"),
        ('<annotations><track id="3" label="x"><box frame="a"/></track></annotations>', "track 3:"),
        ('<annotations><track id="3" label=""><box frame="1"/></track></annotations>', "no label"),
    ],
)
def test_a_damaged_xml_is_one_line(tmp_path, text, message):
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(UserError, match=message):
        read(tmp_path / "a.xml")


# out, and in again

EVENTS = [
    Event(-1.0, 0.5, "aura", rater="anna"),
    Event(0.48, 1.52, "tonic", "left", 0.25, "left", "arm", "anna", "model", "a, b < c", "signs"),
    Event(2.0, 0.0, "jerk", rater="bo", source="person"),
    Event(3.01, 2.0, "tonic", rater="bo", source="person"),
    Event(6.0, None, "clonic", rater="bo", source="person"),
]


@pytest.mark.parametrize(("to", "suffix"), [("cvat", ".xml"), ("label-studio", ".json")])
def test_events_go_out_and_in_at_the_videos_frames(tmp_path, filmed, to, suffix):
    """Onset 3.01 and offset 5.01 s are nearest to frames 75 and 125, 3.0 and 5.0 s."""
    write_events(tmp_path / "c1_events.tsv", EVENTS, 10.0)
    out = tmp_path / f"c1{suffix}"
    result = export_events(tmp_path / "c1_events.tsv", to, out, videos=filmed)
    assert result.failed == {}
    assert result.notes[out][:5] == [
        "1 events begin before the recording, where there are no frames: left out",
        "2 times moved to the nearest frame of 25 a second",
        "1 instants are a frame long, with end: instant",
        "1 events without an end are a frame long, with end: unknown",
        "the recording's length has no place in it",
    ]
    assert "needs the labels" in result.notes[out][5]
    assert import_marks([out], tmp_path / "in", videos=filmed).failed == {}
    back = [
        event
        for who in ("anna", "bo")
        for event in read_events(tmp_path / f"in/{who}/c1_events.tsv", scored=False).events
    ]
    facts = [(e.onset, e.duration, e.sign, e.level, e.confidence, e.side, e.rater) for e in back]
    assert facts == [
        (0.48, 1.52, "tonic", "left", 0.25, "left", "anna"),
        (2.0, 0.0, "jerk", None, None, None, "bo"),
        (3.0, 2.0, "tonic", None, None, None, "bo"),
        (6.0, None, "clonic", None, None, None, "bo"),
    ]
    assert (back[0].body_part, back[0].source, back[0].comment) == ("arm", "model", "a, b < c")
    assert back[0].tier == "signs"


def test_an_export_without_its_video(tmp_path, filmed):
    """CVAT refuses; Label Studio gets 25 frames a second, which its task states."""
    write_events(tmp_path / "c2_events.tsv", EVENTS[1:2], 10.0)
    for videos in (None, filmed):
        result = export_events(
            tmp_path / "c2_events.tsv", "cvat", tmp_path / "c2.xml", videos=videos
        )
        (why,) = result.failed.values()
        assert why.startswith("CVAT counts the frames of a video and the video is not there")
    assert not (tmp_path / "c2.xml").exists()
    result = export_events(tmp_path / "c2_events.tsv", "label-studio", tmp_path / "c2.json")
    assert (
        "no video is named: 25 frames a second, as the task's fps states"
        in (result.notes[tmp_path / "c2.json"])
    )
    (found,) = read(tmp_path / "c2.json")
    assert [(one.onset, one.duration) for one in found.marks] == [(0.48, 1.52)]


def test_marks_beyond_the_videos_last_frame_are_left_out_or_cut(tmp_path, filmed):
    """The video has 250 frames: 9 to 11 s ends with it, 10.2 s is beyond."""
    events = [Event(9.0, 2.0, "tonic"), Event(10.2, 1.0, "clonic")]
    video = shutil.copy(filmed / "c1.mp4", tmp_path / "c1.mp4")
    count, notes = cvat.write(read_table(tmp_path, events), tmp_path / "a.xml", video)
    assert count == 1
    assert "1 events begin after the video's last frame: left out" in notes
    (found,) = read(tmp_path / "a.xml")
    assert times(found.marks) == [(225, 25, "tonic", {})]
    assert label_studio.write(read_table(tmp_path, events), tmp_path / "a.json", video)[1]


def read_table(folder, events):
    write_events(folder / "c1_events.tsv", events)
    return read_events(folder / "c1_events.tsv", scored=False)
