"""Marks of other programs: ELAN and tables. Files are written by hand to ELAN's schema EAFv3.0."""

import json
import sys
from datetime import datetime
from pathlib import Path

import av
import numpy as np
import pytest

from semiology.cli.main import main
from semiology.data.events import Event, EventTable, read_events, write_events
from semiology.data.marks import FORMATS, elan, read, table
from semiology.data.marks.convert import export_events, import_marks
from semiology.data.marks.mark import WallClock, overlaps, seconds_of
from semiology.data.marks.terms import read_terms
from semiology.errors import UserError

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="{author}" DATE="2026-11-30T00:00:00+01:00" FORMAT="3.0" VERSION="3.0">
  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">{media}</HEADER>
  <TIME_ORDER>{slots}</TIME_ORDER>
  {tiers}
  {kinds}
  <CONTROLLED_VOCABULARY CV_ID="signs"><DESCRIPTION LANG_REF="und"/>
    <CV_ENTRY_ML CVE_ID="cve1"><CVE_VALUE LANG_REF="und">versive</CVE_VALUE></CV_ENTRY_ML>
  </CONTROLLED_VOCABULARY>
</ANNOTATION_DOCUMENT>
"""


def film(path, seconds):
    """A black video at 25 frames a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        for _ in range(25 * seconds):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


KINDS = {  # name of a type of tier -> its constraint
    "top": None,
    "phase": "Time_Subdivision",
    "within": "Included_In",
    "parts": "Symbolic_Subdivision",
    "more": "Symbolic_Association",
}


def kind(name, constraint):
    more = f'CONSTRAINTS="{constraint}" ' if constraint else ""
    alignable = str(not (constraint or "").startswith("Symbolic")).lower()
    return f'<LINGUISTIC_TYPE {more}LINGUISTIC_TYPE_ID="{name}" TIME_ALIGNABLE="{alignable}"/>'


def slots(*values):
    return "".join(
        f'<TIME_SLOT TIME_SLOT_ID="ts{n}"' + ("/>" if value is None else f' TIME_VALUE="{value}"/>')
        for n, value in enumerate(values, start=1)
    )


def aligned(key, begin, end, text, more=""):
    return (
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{key}" TIME_SLOT_REF1="ts{begin}"'
        f' TIME_SLOT_REF2="ts{end}" {more}><ANNOTATION_VALUE>{text}</ANNOTATION_VALUE>'
        "</ALIGNABLE_ANNOTATION></ANNOTATION>"
    )


def referring(key, parent, text, previous=""):
    before = f' PREVIOUS_ANNOTATION="{previous}"' if previous else ""
    return (
        f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="{key}" ANNOTATION_REF="{parent}"{before}>'
        f"<ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>"
    )


def tier(name, type_of, *annotations, about=""):
    begin = f'<TIER TIER_ID="{name}" LINGUISTIC_TYPE_REF="{type_of}" {about}>'
    return f"{begin}{''.join(annotations)}</TIER>"


def eaf(path, times, *tiers, media="", author=""):
    text = EAF.format(
        slots=slots(*times),
        tiers="".join(tiers),
        media=media,
        author=author,
        kinds="".join(kind(*one) for one in KINDS.items()),
    )
    path.write_text(text, encoding="utf-8")
    return path


def ms(marks):
    """(text, onset ms, duration ms) by onset."""
    found = [
        (one.name, round(1000 * one.onset, 3), one.duration and round(1000 * one.duration, 3))
        for one in marks
    ]
    return sorted(found, key=lambda one: (one[1], one[0]))


# ELAN


def test_slots_without_a_value_are_spread_within_their_own_tier(tmp_path):
    """A seizure from 1000 to 4000 ms, two tiers that divide it: one in three parts, one in two.
    Each tier's open slots lie between 1000 and 4000 only, wherever they stand in the file.
    """
    file = eaf(
        tmp_path / "a.eaf",
        (1000, None, None, None, 4000),
        tier("seizure", "top", aligned("a1", 1, 5, "seizure")),
        tier(
            "phase",
            "phase",
            *(aligned("a2", 1, 2, "tonic"), aligned("a3", 2, 4, "clonic")),
            aligned("a4", 4, 5, "postictal"),
            about='PARENT_REF="seizure"',
        ),
        tier(
            "face",
            "phase",
            *(aligned("a5", 1, 3, "grimace"), aligned("a6", 3, 5, "slack")),
            about='PARENT_REF="seizure"',
        ),
    )
    (found,) = read(file)
    assert ms(found.marks) == [
        ("grimace", 1000.0, 1500.0),
        ("seizure", 1000.0, 3000.0),
        ("tonic", 1000.0, 1000.0),
        ("clonic", 2000.0, 1000.0),
        ("slack", 2500.0, 1500.0),
        ("postictal", 3000.0, 1000.0),
    ]
    assert found.notes == ("3 times without a value were spread between their neighbours",)


def test_shares_are_whole_ms_as_in_elan(tmp_path):
    """A second in three: slots in steps of 333 ms, the last part 334; parts from 0, 333, 666 ms. A
    tier that depends on no other takes its open slots from the whole file's.
    """
    file = eaf(
        tmp_path / "a.eaf",
        (0, None, None, 1000, None, None, None, 1400),
        tier(
            "phase",
            "phase",
            *(aligned("a2", 1, 2, "a"), aligned("a3", 2, 3, "b"), aligned("a4", 3, 4, "c")),
            about='PARENT_REF="seizure"',
        ),
        tier("seizure", "top", aligned("a1", 1, 4, "seizure"), aligned("a9", 4, 6, "late")),
        tier("other", "top", aligned("a8", 5, 7, "other")),
        tier(
            "order",
            "parts",
            *(referring("a5", "a1", "x"), referring("a6", "a1", "y", "a5")),
            referring("a7", "a1", "z", "a6"),
            about='PARENT_REF="seizure"',
        ),
    )
    (found,) = read(file)
    assert ms(found.marks) == [
        ("a", 0.0, 333.0),
        ("seizure", 0.0, 1000.0),
        ("x", 0.0, 333.0),
        ("b", 333.0, 333.0),
        ("y", 333.0, 333.0),
        ("c", 666.0, 334.0),
        ("z", 666.0, 334.0),
        ("late", 1000.0, 200.0),
        ("other", 1100.0, 200.0),
    ]


def test_parts_of_a_symbolic_subdivision_share_the_time_in_their_own_order(tmp_path):
    """500 to 1700 ms in three parts of 400 ms; the file has them as third, first, second. A part
    is divided once more, in two.
    """
    file = eaf(
        tmp_path / "a.eaf",
        (500, 1700),
        tier("seizure", "top", aligned("a1", 1, 2, "seizure")),
        tier(
            "order",
            "parts",
            referring("a4", "a1", "third", "a3"),
            referring("a2", "a1", "first"),
            referring("a3", "a1", "second", "a2"),
            about='PARENT_REF="seizure"',
        ),
        tier(
            "finer",
            "parts",
            *(referring("a5", "a3", "x"), referring("a6", "a3", "y", "a5")),
            about='PARENT_REF="order"',
        ),
    )
    (found,) = read(file)
    assert ms(found.marks) == [
        ("first", 500.0, 400.0),
        ("seizure", 500.0, 1200.0),
        ("second", 900.0, 400.0),
        ("x", 900.0, 200.0),
        ("y", 1100.0, 200.0),
        ("third", 1300.0, 400.0),
    ]


def test_what_is_associated_with_a_mark_says_more_about_it(tmp_path):
    """side@anna is a side; "Seite" becomes one by the terms; an association of an association
    belongs to the mark. The media's offset of 2500 ms is where the annotations' 0 is.
    """
    media = (
        '<MEDIA_DESCRIPTOR MEDIA_URL="file:///D:/a%20b/sound.wav" MIME_TYPE="audio/x-wav"/>'
        '<MEDIA_DESCRIPTOR MEDIA_URL="file:///D:/a%20b/sub-01_sz-01.mpg" MIME_TYPE="video/mpeg"'
        ' TIME_ORIGIN="2500"/>'
    )
    file = eaf(
        tmp_path / "other.eaf",
        (0, 1234, 3000, 3500),
        tier(
            "sign",
            "top",
            aligned("a1", 1, 2, "tonisch"),
            aligned("a2", 3, 4, "", 'CVE_REF="cve1"'),
            about='ANNOTATOR="anna" PARTICIPANT="p01"',
        ),
        tier("side@anna", "more", referring("a3", "a1", "left"), about='PARENT_REF="sign"'),
        tier("Seite", "more", referring("a4", "a2", "links"), about='PARENT_REF="sign"'),
        tier("comment", "more", referring("a5", "a3", "sure"), about='PARENT_REF="side@anna"'),
        media=media,
        author="somebody",
    )
    (tmp_path / "terms.yaml").write_text(
        "terms: {tonisch: {sign: tonic, body_part: arm}}\n"
        "fields: {Seite: side}\nvalues: {links: left}\n"
    )
    result = import_marks([file], tmp_path / "out", terms=tmp_path / "terms.yaml")
    assert result.failed == {} and result.unknown == {"versive": 1}
    tonic, versive = read_events(tmp_path / "out/anna/sub-01_sz-01_events.tsv").events
    assert tonic == Event(
        *(2.5, 1.234, "tonic"), side="left", body_part="arm", rater="anna", source="person",
        comment="sure", tier="sign",
    )  # fmt: skip
    assert (versive.onset, versive.duration, versive.side) == (5.5, 0.5, "left")


def test_what_is_written_is_read_again(tmp_path):
    """Times on the ms, an instant, an unknown end, raters, an overlap, text that XML escapes."""
    events = [
        Event(0.04, 1.2, "tonic", side="left", rater="anna", comment="a < b & c", tier="signs"),
        Event(0.5, 0.0, "versive", "right", confidence=0.75, rater="anna", source="model"),
        Event(0.6, None, "clonic", rater="bo", source="person"),
        Event(1.0, 2.0, "tonic", rater="anna", tier="signs"),
    ]
    count, notes = elan.write(EventTable(events, 10.0), tmp_path / "x.eaf", "clip.mpg")
    assert count == 4
    assert notes == [
        "1 instants are 1 ms long, with end@... instant",
        "1 events without an end are 1 ms long, with end@... unknown",
        "the recording's length has no place in an .eaf",
    ]
    (found,) = read(tmp_path / "x.eaf")
    assert (found.clip_id, found.media) == ("clip", "clip.mpg")
    import_marks([tmp_path / "x.eaf"], tmp_path / "out")
    anna = read_events(tmp_path / "out/anna/clip_events.tsv", scored=False).events
    bo = read_events(tmp_path / "out/bo/clip_events.tsv", scored=False).events
    assert [(e.onset, e.duration, e.sign, e.level, e.side, e.comment) for e in anna] == [
        (0.04, 1.2, "tonic", None, "left", "a < b & c"),
        (0.5, 0.0, "versive", "right", None, None),
        (1.0, 2.0, "tonic", None, None, None),
    ]
    assert [e.tier for e in anna] == ["signs", "versive anna", "signs (2)"]
    assert (anna[1].confidence, anna[1].source) == (0.75, "model")
    assert [(e.onset, e.duration, e.sign) for e in bo] == [(0.6, None, "clonic")]


def test_what_elan_cannot_hold_is_named(tmp_path):
    count, notes = elan.write(
        EventTable([Event(-1.0, 2.0, "a"), Event(0.0123, 0.5, "b")]), tmp_path / "x.eaf"
    )
    assert count == 1
    assert notes == [
        "1 events begin before the recording, where ELAN has no time: left out",
        "2 times rounded to ms",
    ]
    (found,) = read(tmp_path / "x.eaf")
    assert ms(found.marks) == [("b", 12.0, 500.0)]


@pytest.mark.parametrize(
    ("times", "tiers", "message"),
    [
        ((None, None), [("sign", "top", aligned("a1", 1, 2, "x"))], "tier 'sign' has no times"),
        (
            (5, 3),
            [("sign", "top", aligned("a1", 1, 2, "x"))],
            "ends at 3 ms, before it begins at 5",
        ),
        ((5,), [("sign", "top", aligned("a1", 1, 2, "x"))], "there is no time slot 'ts2'"),
        ((5, "x"), [("sign", "top", aligned("a1", 1, 2, "x"))], "time slot ts2: 'x' is no ms"),
        ((1, 2), [("sign", "more", referring("a1", "a9", "x"))], "refers to 'a9', which is none"),
        ((1, 2), [("", "top", aligned("a1", 1, 2, ""))], "has no label"),
    ],
)
def test_a_damaged_eaf_is_one_line(tmp_path, times, tiers, message):
    file = eaf(tmp_path / "a.eaf", times, *(tier(*one) for one in tiers))
    with pytest.raises(UserError, match=message):
        read(file)


def test_half_an_eaf_and_one_with_entities_are_refused(tmp_path):
    whole = eaf(tmp_path / "a.eaf", (1, 2), tier("s", "top", aligned("a1", 1, 2, "x")))
    text = whole.read_text()
    whole.write_text(text[: len(text) // 2])
    with pytest.raises(UserError, match=r"is no whole \.eaf"):
        read(whole)
    whole.write_text('<!DOCTYPE x [<!ENTITY a "b">]><ANNOTATION_DOCUMENT/>')
    with pytest.raises(UserError, match="defines entities"):
        read(whole)
    whole.write_text("<html/>")
    with pytest.raises(UserError, match="begins with html"):
        read(whole)


# tables


@pytest.mark.parametrize(
    "text",
    [
        "onset,duration,sign,rater\n1.5,2.25,tonic,anna\n",
        "Start (s);Stop (s);Behavior;Observer\n1,5;3,75;tonic;anna\n",
        "onset_ms\tend_ms\tlabel\trater\n1500\t3750\ttonic\tanna\n",
        'Begin,End,Event,Annotator\n"1,5","3,75",tonic,anna\n',
        "start;end;label;rater\n0:00:01,5;00:03.75;tonic;anna\n",
        "﻿onset\tduration\ttrial_type\trater\r\n1.5\t2.25\ttonic\tanna\r\n",
    ],
)
def test_one_mark_in_the_ways_that_people_write_it(tmp_path, text):
    path = tmp_path / "c1.csv"
    path.write_text(text, encoding="utf-8", newline="")
    (found,) = read(path)
    (mark,) = found.marks
    assert (found.clip_id, mark.onset, mark.duration) == ("c1", 1.5, 2.25)
    assert (mark.text, mark.rater, dict(mark.fields)) == ("tonic", "anna", {})


def test_instants_open_ends_negative_onsets_and_several_videos(tmp_path):
    path = tmp_path / "all.csv"
    path.write_text(
        "video,onset,duration,sign,side,EEG\n"
        "x/a.mpg,-3.5,1,tonic,left,T3\na.mpg,2,0,jerk,,\nb.mp4,1,n/a,clonic,right,\n"
    )
    result = import_marks([path], tmp_path / "out", rater="anna")
    assert result.failed == {} and result.unused == {"EEG": 1}
    assert result.notes[path] == [
        "a: 1 marks begin before the recording",
        "b: 1 marks have no end: their duration is n/a",
    ]
    a = read_events(tmp_path / "out/anna/a_events.tsv").events
    assert [(e.onset, e.duration, e.sign, e.side) for e in a] == [
        (-3.5, 1.0, "tonic", "left"),
        (2.0, 0.0, "jerk", None),
    ]
    b = tmp_path / "out/anna/b_events.tsv"
    assert b.read_text().splitlines()[1].split("\t")[:3] == ["1.000", "n/a", "clonic"]
    with pytest.raises(UserError, match=r'row 2, column "duration": is n/a'):
        read_events(b)


def test_times_of_day_count_from_the_start_also_past_midnight():
    clock = WallClock(datetime(2026, 3, 1, 22, 0, 0, 500000))
    assert seconds_of("22:00:01", clock) == 0.5
    assert seconds_of("01:00:00,5", clock) == 3 * 3600
    assert seconds_of("2026-03-02 22:00:00.5", clock) == 86400
    assert seconds_of("1:02:03.5") == 3723.5 and seconds_of("-0:01") == -1.0
    assert seconds_of("-2,5", clock) == -2.5


def test_a_time_of_day_is_the_nearest_to_the_start():
    """22:00 less 10 s is 21:59:50; 10:00:00 is 12 h after it, 10:00:01 12 h less 1 s before it."""
    clock = WallClock.parse("2026-10-24T22:00:00", None)
    assert seconds_of("21:59:50", clock) == -10.0
    assert seconds_of("10:00:00", clock) == 12 * 3600
    assert seconds_of("10:00:01", clock) == 1 - 12 * 3600
    assert seconds_of("23:59:50", WallClock.parse("2026-10-24T00:00:10", None)) == -20.0
    assert seconds_of("11:00:00", clock, near=11 * 3600) == 13 * 3600  # an end, of an onset at 9:00
    assert seconds_of("-0:01:00", clock) == -60.0  # from the start, as it has a sign
    with pytest.raises(ValueError, match=r"'22:05' may be h:mm or mm:ss; .* 22:05:00, or .* 1325$"):
        seconds_of("22:05", clock)
    assert seconds_of("22:05") == 1325.0
    with pytest.raises(ValueError, match="'24:10:00' is no time of day"):
        seconds_of("24:10:00", clock)


def test_every_passing_of_midnight_is_noted(tmp_path):
    path = tmp_path / "n.csv"
    path.write_text(
        "start;end;sign\n21:59:50;22:00:05;a\n23:59:50;00:00:10;a\n00:01:00;00:02:00;b\n"
    )
    (found,) = read(path, WallClock.parse("2026-10-24T22:00:00", None))
    times = [(mark.onset, mark.duration) for mark in found.marks]
    assert times == [(-10.0, 15.0), (7190.0, 20.0), (7260.0, 60.0)]
    assert found.notes == (
        "past midnight: 3 times of day are taken for 2026-10-25, the recording starts on 2026-10-24"
        " (the first is 00:00:10 in row 3)",
    )
    (found,) = read(path, WallClock.parse("2026-10-25T00:00:00", None))
    assert [mark.onset for mark in found.marks] == [-7210.0, -10.0, 60.0]
    assert found.notes[0].startswith("past midnight: 3 times of day are taken for 2026-10-24")
    with pytest.raises(UserError, match=r"ends 86380 s before .* times of day, .* --start 2026"):
        read(path)


def test_the_night_in_which_the_clock_changes():
    """On 2026-10-25 clocks of Berlin go from 3:00 back to 2:00: 4:00 is 7 h after 22:00."""
    clock = WallClock.parse("2026-10-24T22:00:00", "Europe/Berlin")
    assert seconds_of("04:00:00", clock) == 7 * 3600
    with pytest.raises(ValueError, match="2026-10-25 02:30:00 is shown twice"):
        seconds_of("02:30:00", clock)
    spring = WallClock.parse("2026-03-28T22:00:00", "Europe/Berlin")
    assert seconds_of("04:00:00", spring) == 5 * 3600
    with pytest.raises(ValueError, match="2026-03-29 02:30:00 is shown never"):
        seconds_of("02:30:00", spring)


@pytest.mark.parametrize("cell", ["1.234,5", "1:75", "soon", "2026-01-01T00:00:00", "1e5"])
def test_no_time(cell):
    with pytest.raises(ValueError):
        seconds_of(cell)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sign,duration\na,1\n", "no column is an onset"),
        ("onset,duration\n1,1\n", "no column is a label"),
        ("onset,end,sign\n1,x,a\n", r"row 2: column \"end\": 'x' is no time"),
        ("onset,end,sign\n3,1,a\n", "row 2: 'a' at 3 s ends 2 s before it begins"),
        ("onset,sign\n,a\n", "row 2: has no onset"),
        ("", "is empty"),
    ],
)
def test_a_wrong_table_is_one_line(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read(path)


def test_a_table_goes_out_and_in(tmp_path):
    events = [
        Event(-1.0, 0.0, "=tonic", "left", 0.5, "left", "arm", "anna", "model", "a, b; c", "t"),
        Event(2.0, None, "clonic"),
    ]
    for name in ("a.csv", "a.tsv"):
        assert table.write(EventTable(events), tmp_path / name) == (2, [])
        (found,) = read(tmp_path / name)
        terms = read_terms_of(tmp_path, "terms: {}")
        back = [terms.event(mark, None) for mark in found.marks]
        assert back[0] == events[0]
        assert (back[1].onset, back[1].duration, back[1].sign) == (2.0, None, "clonic")


def read_terms_of(folder, text):
    (folder / "terms.yaml").write_text(text)
    return read_terms(folder / "terms.yaml")


# terms, and batches


def test_terms_by_tier_and_text_by_text_and_by_tier(tmp_path):
    path = tmp_path / "c1.csv"
    path.write_text(
        "onset,duration,label,tier\n0,1,klonisch,Arm links\n2,1,klonisch,Bein\n4,1,stark,Kopf\n"
        "6,1,Pflege,x\n8,1,neu,y\n10,1,neu,y\n12,1,clonic,y\n"
    )
    (tmp_path / "terms.yaml").write_text(
        "terms:\n  'Arm links: klonisch': {sign: clonic, side: left, body_part: arm}\n"
        "  klonisch: clonic\n  Kopf: {sign: versive}\n  Pflege: null\n"
    )
    result = import_marks([path], tmp_path / "out", terms=tmp_path / "terms.yaml", rater="r")
    events = read_events(tmp_path / "out/r/c1_events.tsv").events
    assert [(e.sign, e.side, e.comment) for e in events] == [
        ("clonic", "left", None),
        ("clonic", None, None),
        ("versive", None, "stark"),
        ("neu", None, None),
        ("neu", None, None),
        ("clonic", None, None),
    ]
    assert result.unknown == {"neu": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("signs: {}", "no key 'signs'"),
        ("terms: [a]", "terms: one line a word"),
        ("terms: {a: {side: left}}", "terms: 'a': give a sign"),
        ("fields: {a: limb}", "'limb' is none of side"),
        ("hed: {tags: {tonic: Event}}", "hed: give schemas"),
        ("hed: {schemas: 8.4.0, tags: {tonic: Event}}", "hed: give schemas"),
    ],
)
def test_wrong_terms_are_one_line(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_terms_of(tmp_path, text)


def hed(folder, tags, schemas='["8.4.0", "sc:score_2.1.0"]'):
    (folder / "c1.csv").write_text("onset,duration,sign\n1,2,tonisch\n5,1,clonic\n")
    text = f"terms: {{tonisch: tonic}}\nhed: {{schemas: {schemas}, tags: {tags}}}\n"
    (folder / "terms.yaml").write_text(text)
    return import_marks([folder / "c1.csv"], folder / "out", terms=folder / "terms.yaml")


def test_hed_tags_stand_in_the_sidecar_of_the_signs_that_are_there(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "hed", None)
    result = hed(tmp_path, "{tonic: 'sc:Semiology-tonic', versive: 'sc:Semiology-versive'}")
    assert result.remarks == [
        "HED tags were written and not checked: hedtools is not installed (extra hed)"
    ]
    sidecar = json.loads((tmp_path / "out/unknown/c1_events.json").read_text())
    assert sidecar["trial_type"]["HED"] == {"tonic": "sc:Semiology-tonic"}
    assert read_events(tmp_path / "out/unknown/c1_events.tsv").events[0].sign == "tonic"


def test_hed_tags_are_checked_by_hedtools_where_it_is_installed(tmp_path):
    """SCORE 2 has no Semiology-motor-tonic; a schema that hedtools lacks is not fetched."""
    pytest.importorskip("hed")
    assert hed(tmp_path, "{tonic: 'sc:Semiology-tonic'}").remarks == []
    with pytest.raises(UserError, match=r"hed: 'tonic': .* is not a valid base HED tag"):
        hed(tmp_path, "{tonic: 'sc:Semiology-motor-tonic'}")
    with pytest.raises(UserError, match=r"does not bring the schema score_9\.9\.9"):
        hed(tmp_path, "{tonic: Event}", "[score_9.9.9]")
    with pytest.raises(UserError, match=r"there is no schema .*mine\.xml"):
        hed(tmp_path, "{tonic: Event}", "[mine.xml]")


def test_a_batch_goes_on_past_bad_files_and_lists_them(tmp_path, capsys):
    good, bad, other = (tmp_path / name for name in ("good.csv", "bad.eaf", "x.pdf"))
    good.write_text("onset,duration,sign\n1,2,tonic\n1.5,2,tonic\n")
    bad.write_text("<ANNOTATION_DOC")
    other.write_text("x")
    arguments = ["events", "import", *map(str, (bad, good, other)), "--out", str(tmp_path / "o")]
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert "good_events.tsv: 2 events" in said.out
    assert "good: 1 marks overlap another of the same sign by one rater" in said.out
    lines = said.err.splitlines()
    assert len(lines) == 2 and "bad.eaf: is no whole .eaf" in lines[0]
    assert "x.pdf: marks in .pdf are not read" in lines[1]
    assert [path.name for path in (tmp_path / "o").rglob("*.tsv")] == ["good_events.tsv"]


def test_two_raters_under_one_name_and_tables_that_are_there_are_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "c1.csv").write_text("onset,duration,sign\n1,2,tonic\n")
    files = [tmp_path / "a/c1.csv", tmp_path / "b/c1.csv"]
    result = import_marks(files, tmp_path / "out")
    assert list(result.written.values()) == [1]
    assert "has marks of c1 by unknown already" in result.failed[files[1]]
    again = import_marks(files[:1], tmp_path / "out")
    assert "is there already" in again.failed[files[0]]
    both = tmp_path / "both.csv"
    both.write_text("onset,duration,sign,rater\n1,2,tonic,anna\n1,2,tonic,bo\n")
    assert "raters anna, bo" in import_marks([both], tmp_path / "o", rater="x").failed[both]
    assert not (tmp_path / "o").exists()


def test_marks_beyond_the_end_of_the_video_are_refused(tmp_path):
    """The table states a length of 4 s: a mark to 4.1 s is rounding, one to 4.2 s is not."""
    path = tmp_path / "c1.csv"
    path.write_text("onset,duration,sign,recordingDuration\n1,3.1,tonic,4\n")
    assert import_marks([path], tmp_path / "out").failed == {}
    path.write_text("onset,duration,sign,recordingDuration\n1,3.2,tonic,4\n2,9,b,4\n")
    why = import_marks([path], tmp_path / "other").failed[path]
    assert why.startswith(
        "2 marks reach beyond the end of c1 at 4.000 s, the last ('b') to 11.000 s"
    )
    assert not (tmp_path / "other").exists()


def test_a_folder_of_raters_becomes_one_file_a_recording(tmp_path, capsys):
    for rater, onset in (("anna", 1.0), ("bo", 1.2)):
        write_events(
            tmp_path / f"in/{rater}/c1_events.tsv", [Event(onset, 1.0, "tonic", rater=rater)], 9.0
        )
    arguments = ["events", "export", str(tmp_path / "in"), "--to", "eaf", "--out"]
    assert main([*arguments, str(tmp_path / "out")]) == 0
    (found,) = read(tmp_path / "out/c1.eaf")
    assert sorted((one.onset, one.rater) for one in found.marks) == [(1.0, "anna"), (1.2, "bo")]
    assert main([*arguments, str(tmp_path / "out")]) == 1
    assert "is there already" in capsys.readouterr().err


def test_a_video_that_moved_is_named_and_one_that_is_there_gives_the_length(tmp_path):
    (tmp_path / "videos").mkdir()
    path = tmp_path / "c1.csv"
    path.write_text("onset,duration,sign\n0,99,tonic\n")
    result = import_marks([path], tmp_path / "out", videos=tmp_path / "videos")
    assert result.notes[path] == [f"c1 is not in {tmp_path / 'videos'}: the length is not checked"]
    film(tmp_path / "videos/c1.mp4", 1)
    result = import_marks([path], tmp_path / "out2", videos=tmp_path / "videos")
    assert "reach beyond the end of c1 at 1.000 s" in result.failed[path]


def test_a_folder_of_videos_that_is_none_and_no_tables_are_one_line(tmp_path):
    (tmp_path / "c1.csv").write_text("onset,duration,sign\n0,9,tonic\n")
    with pytest.raises(UserError, match="no such folder of videos"):
        import_marks([tmp_path / "c1.csv"], tmp_path / "out", videos=tmp_path / "none")
    with pytest.raises(UserError, match="holds no table of events"):
        export_events(tmp_path, "eaf", tmp_path / "out")


@pytest.mark.parametrize("events", [[(("a",), 0, 2), (("a",), 2, 3)], [(("a",), 0, None)] * 2])
def test_marks_that_touch_and_open_ones_at_one_time_do_not_overlap(events):
    assert overlaps(events) == 0


def test_overlaps_are_counted_by_key():
    assert overlaps([(("a",), 0, 5), (("a",), 1, 2), (("a",), 4, 6), (("b",), 1, 2)]) == 2


def test_every_format_has_a_reader_and_a_writer(tmp_path):
    events = [Event(1.0, 2.0, "tonic")]
    (tmp_path / "videos").mkdir()
    film(tmp_path / "videos/c1.mp4", 4)
    for name, format in FORMATS.items():
        write_events(tmp_path / "c1_events.tsv", events)
        out = tmp_path / f"c1{format.suffixes[0]}"
        result = export_events(tmp_path / "c1_events.tsv", name, out, videos=tmp_path / "videos")
        assert result.failed == {}
        (found,) = read(out)
        found = found.in_seconds(25) if found.frames else found
        assert ms(found.marks) == [("tonic", 1000.0, 2000.0)], name
        assert isinstance(out, Path)
