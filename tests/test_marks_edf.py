"""Annotations of EDF+ and BDF+: files byte by byte as the EDF+ specification has them."""

from pathlib import Path

import pytest

from semiology.data.clock import edf_start
from semiology.data.events import Event, EventTable, read_events, write_events
from semiology.data.marks import edf, read
from semiology.data.marks.convert import export_events, import_marks
from semiology.errors import UserError


def write_edf(path, *records, kind="EDF+C", duration="1", version=b"0       ", width=2, count=None):
    """An EEG of one signal of 4 samples between two annotation signals of 40 bytes each (BDF+ 60);
    a record is the bytes of both.
    """
    name = "BDF" if width == 3 else "EDF"
    labels = [f"{name} Annotations", "EEG Fp1", f"{name} Annotations"]
    texts = [
        ("X X X X", 80),
        ("Startdate 02-MAR-2026 X X X", 80),
        ("02.03.26", 8),
        ("22.00.00", 8),
        (str(256 * 4), 8),
        (kind, 44),
        (str(len(records) if count is None else count), 8),
        (duration, 8),
        ("3", 4),
        *[(label, 16) for label in labels],
        *[(" ", 80)] * 3,
        *[("uV", 8)] * 3,
        *[("-1", 8)] * 3,
        *[("1", 8)] * 3,
        *[("-32768", 8)] * 3,
        *[("32767", 8)] * 3,
        *[(" ", 80)] * 3,
        *[("20", 8), ("4", 8), ("20", 8)],
        *[(" ", 32)] * 3,
    ]
    header = version + b"".join(text.encode().ljust(size) for text, size in texts)
    assert len(header) == 256 * 4
    blocks = [
        first.ljust(20 * width, b"\0") + bytes(4 * width) + second.ljust(20 * width, b"\0")
        for first, second in records
    ]
    path.write_bytes(header + b"".join(blocks))
    return path


def annotations(path):
    (found,) = read(path)
    return [(one.onset, one.duration, one.text) for one in found.marks]


def test_annotations_of_two_signals_count_from_the_first_sample(tmp_path):
    """The EEG begins at 22:00:00.5; an annotation at 2.25 s of the header's second is at 1.75 s."""
    path = write_edf(
        tmp_path / "a.edf",
        (b"+0.5\x14\x14\0+2.25\x153.5\x14tonic\x14\0", b"+0.5\x14start\x14\0"),
        (b"+1.5\x14\x14\0", "+1.75\x14Kopf nach links \u00fc\x14zweite\x14\0".encode()),
        (b"+2.5\x14\x14\0", b"-4\x150\x14before\x14\0+3\x14x@@EEG Fp1\x14\0"),
    )
    assert annotations(path) == [
        (1.75, 3.5, "tonic"),
        (0.0, 0.0, "start"),
        (1.25, 0.0, "Kopf nach links ü"),
        (1.25, 0.0, "zweite"),
        (-4.5, 0.0, "before"),
        (2.5, 0.0, "x"),
    ]
    (found,) = read(path)
    assert dict(found.marks[-1].fields) == {"channel": "EEG Fp1"}
    assert found.notes == (
        "times are seconds of the EEG, from its first sample",
        "1 annotations reach beyond the end of the EEG: kept",
    )
    assert found.length is None


def test_gaps_move_no_annotation_and_count_in_the_length(tmp_path):
    """Records at 0 and 100 s, of 1 s each."""
    path = write_edf(
        tmp_path / "a.edf",
        (b"+0\x14\x14\0", b"+0.5\x14a\x14\0"),
        (b"+100\x14\x14\0", b"+100.25\x15.5\x14b\x14\0".replace(b"\x15.5", b"\x150.5")),
        kind="EDF+D",
    )
    assert annotations(path) == [(0.5, 0.0, "a"), (100.25, 0.5, "b")]
    (found,) = read(path)
    assert found.length == 101.0


def test_bdf_and_a_file_that_is_still_recorded(tmp_path):
    records = [(b"+0\x14\x14\0", b"+0.125\x14a\x14\0"), (b"+1\x14\x14\0", b"")]
    path = write_edf(
        tmp_path / "a.bdf", *records, kind="BDF+C", version=b"\xffBIOSEMI", width=3, count=-1
    )
    assert annotations(path) == [(0.125, 0.0, "a")]
    assert read(path)[0].length == 2.0


def test_files_that_are_cut_off_or_no_edf_plus_are_one_line(tmp_path):
    records = [(b"+0\x14\x14\0", b"+0.5\x14a\x14\0"), (b"+1\x14\x14\0", b"")]
    whole = write_edf(tmp_path / "a.edf", *records)
    data = whole.read_bytes()
    whole.write_bytes(data[:-10])
    result = import_marks([whole], tmp_path / "out")
    assert result.failed == {whole: "is cut off: 1 of 2 records are there; copy it again"}
    assert not (tmp_path / "out").exists()
    whole.write_bytes(data[:700])
    with pytest.raises(UserError, match="its header is cut off"):
        read(whole)
    whole.write_bytes(b"RIFF" + data[4:])
    with pytest.raises(UserError, match="it begins as another file"):
        read(whole)
    with pytest.raises(UserError, match=r"is plain EDF, without annotations"):
        read(write_edf(tmp_path / "b.edf", *records, kind=""))
    for block in (b"+0\x14\x14\0+1\x14no end", b"soon\x14x\x14\0", b"+0\x14\x14\0+1"):
        with pytest.raises(UserError, match="annotation of record 1 is cut off or damaged"):
            read(write_edf(tmp_path / "c.edf", (block, b"")))
    with pytest.raises(UserError, match="record 1 has no onset"):
        read(write_edf(tmp_path / "d.edf", (b"", b"+1\x14x\x14\0")))


def test_what_is_written_is_read_again_beside_its_eeg(tmp_path):
    """The EEG begins at 22:00:00.5, and so does the file of annotations."""
    (tmp_path / "eeg").mkdir()
    eeg = write_edf(tmp_path / "eeg/c1.edf", (b"+0.5\x14\x14\0", b""))
    events = [
        Event(-1.25, 0.0, "aura", rater="anna", source="person"),
        Event(2.001, 30.5, "tonic", "left", 0.75, "left", "arm", "anna", "model", "x; y", "t"),
        Event(5.0, None, "clonic", rater="bo", source="person", comment="é"),
    ]
    for rater in ("anna", "bo"):
        own = [event for event in events if event.rater == rater]
        write_events(tmp_path / f"in/{rater}/c1_events.tsv", own, 60.0)
    result = export_events(tmp_path / "in", "edf", tmp_path / "out", videos=tmp_path / "eeg")
    made = tmp_path / "out/c1.edf"
    assert result.notes == {made: ["the recording's length has no place among annotations"]}
    assert edf_start(made) == edf_start(eeg)
    assert import_marks([made], tmp_path / "back").failed == {}
    back = [
        event
        for rater in ("anna", "bo")
        for event in read_events(tmp_path / f"back/{rater}/c1_events.tsv", scored=False).events
    ]
    assert back == events


def test_commas_and_brackets_in_fields_are_named(tmp_path):
    event = Event(1.0, 2.0, "tonic", comment="a, [b]", rater="anna", source="person")
    count, notes = edf.write(EventTable([event]), tmp_path / "x.edf")
    assert count == 1
    assert notes[1:] == ["commas and brackets in fields became ;"]
    (mark,) = read(tmp_path / "x.edf")[0].marks
    assert dict(mark.fields) == {"source": "person", "comment": "a; ;b;"}


def test_without_an_eeg_it_has_no_date_and_without_events_it_is_whole(tmp_path):
    count, notes = edf.write(EventTable([Event(1.0, 0.0, "a [b], @@ c")]), tmp_path / "x.edf")
    assert count == 1
    assert notes == ["no EEG is named: the file begins at EDF+'s 1985, without a date"]
    assert annotations(tmp_path / "x.edf") == [(1.0, 0.0, "a [b], c")]
    edf.write(EventTable([]), Path(tmp_path / "y.edf"))
    assert annotations(tmp_path / "y.edf") == []
