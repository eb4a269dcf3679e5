"""Recordings of many files: frames over parts, where starts come from, the EEG's clock, tables on
another clock.
"""

import json
import math
import re
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest

from semiology.cli.main import main
from semiology.data.clock import (
    EEGClock,
    clock_from_starts,
    edf_start,
    fit_clock,
    read_clock,
    write_clock,
)
from semiology.data.cohort import Cohort, CohortError, check_cohort, read_recordings, video_source
from semiology.data.cohort.recordings import start_of_name
from semiology.data.events import Event, read_events, write_events
from semiology.data.store import Store, fingerprint, is_unchanged
from semiology.data.times import convert_file, read_pairs
from semiology.data.tracks import read_tracks
from semiology.errors import UserError
from semiology.severity.jerks.jerk import Jerk
from semiology.severity.jerks.table import read_jerks, write_jerks
from semiology.timeline.stream.sources import open_source
from semiology.tracking.extraction import ExtractOptions, extract_cohort, extract_videos
from semiology.video import Part, Recording, VideoError, probe, read_frames, recording, write_video
from semiology.video.recording import PART_FRAMES

FPS = 25


def film(path: Path, shades) -> Path:
    """A part of one frame a shade, 25 Hz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, (np.full((48, 64, 3), shade, np.uint8) for shade in shades), FPS)
    return path


def recorded(folder: Path, *parts: tuple[float, range], name: str = "night") -> Recording:
    """A recording of made parts (start, shades of its frames)."""
    return Recording(
        name,
        tuple(
            Part(film(folder / f"{place}.mp4", shades), start, place)
            for place, (start, shades) in enumerate(parts)
        ),
    )


@pytest.fixture
def night(tmp_path) -> Recording:
    """Three parts of a second: one after the other, then a gap of a second."""
    return recorded(
        tmp_path, (0.0, range(0, 50, 2)), (1.0, range(50, 100, 2)), (3.0, range(150, 200, 2))
    )


def shades(frames) -> list[int | None]:
    return [None if frame.image is None else round(float(frame.image.mean())) for frame in frames]


def near(found: list[int | None], wanted: list[int | None]) -> bool:
    """Equal up to what encoding changes; missing where missing."""
    return len(found) == len(wanted) and all(
        (a is None) == (b is None) and (a is None or abs(a - b) <= 2) for a, b in zip(found, wanted)
    )


# frames over parts


def test_parts_are_read_as_one_video_and_a_gap_is_a_hole(night):
    frames = list(read_frames(night))
    assert near(shades(frames), [*range(0, 100, 2), *[None] * 25, *range(150, 200, 2)])
    seen = [frame for frame in frames if frame.image is not None]
    assert [frame.source_time for frame in seen] == pytest.approx([frame.time for frame in seen])
    assert [frame.source_index for frame in frames[24:27]] == [24, PART_FRAMES, PART_FRAMES + 1]
    assert night.place(2 * PART_FRAMES + 7) == (night.parts[2], 7)


@pytest.mark.parametrize("start", [0.48, 0.96, 1.0, 1.04, 1.6, 2.4, 2.96, 3.0, 3.52])
def test_a_clip_of_a_recording_has_the_frames_that_the_whole_has_there(night, start):
    whole = list(read_frames(night))[round(start * FPS) :]
    for source in (night, night.over(start, None)):
        cut = list(read_frames(source, start))
        assert [frame.source_index for frame in cut] == [frame.source_index for frame in whole]


def test_only_the_parts_that_a_clip_needs_are_named_with_their_own_numbers(night):
    assert [part.number for part in night.over(2.5, 3.5).parts] == [1, 2]
    assert [part.number for part in night.over(0.0, 0.5).parts] == [0, 1]  # the next begins in 1 s
    assert [part.number for part in night.over(3.9, None).parts] == [1, 2]
    assert [part.number for part in night.over(9.0, 12.0).parts] == [2]


def test_one_part_is_open_at_a_time(night, monkeypatch):
    opened = []
    original = recording.reader.source_frames

    def counted(*arguments, **options):
        opened.append(1)
        try:
            yield from original(*arguments, **options)
        finally:
            opened.pop()

    monkeypatch.setattr(recording.reader, "source_frames", counted)
    most = [len(opened) for _ in night.source_frames()]
    assert set(most) == {1} and opened == []


def test_in_an_overlap_the_later_part_counts_from_its_first_frame(tmp_path, caplog):
    both = recorded(tmp_path, (0.0, range(0, 50, 2)), (0.6, range(30, 80, 2)))
    frames = list(read_frames(both))
    assert near(shades(frames), list(range(0, 80, 2)))
    assert [frame.source_index for frame in frames[14:16]] == [14, PART_FRAMES]
    assert not caplog.records
    faults, notes = recorded(tmp_path, (0.0, range(50)), (0.8, range(20, 70))).check()
    assert faults == [] and notes == ["1 overlap of 1.20 s by the headers"]


def test_overlapping_parts_that_differ_are_reported(tmp_path, caplog):
    both = recorded(tmp_path, (0.0, range(0, 50, 2)), (0.2, range(150, 200, 2)))
    list(read_frames(both))
    (record,) = caplog.records
    wanted = (
        r"recording night: parts 1 and 2 overlap at 0\.20 s and differ, by 14\d of 255 grey levels;"
        " correct their starts"
    )
    assert re.fullmatch(wanted, record.getMessage())
    (fault,) = both.check()[0]
    assert re.fullmatch(wanted, fault)


def test_a_part_within_another_is_a_fault(tmp_path):
    both = recorded(tmp_path, (0.0, range(100)), (1.0, range(25, 50)))
    assert both.check()[0] == [
        "part 2 lies within part 1 by their headers; correct its start, or leave it out"
    ]


def test_a_gap_between_parts_may_be_longer_than_any_hole_in_a_file(tmp_path):
    both = recorded(tmp_path, (0.0, range(0, 50, 2)), (1000.0, range(0, 50, 2)))
    frames = list(read_frames(both, fps=1.0))
    # the frame at 0.96 s is the nearest to 1 s, less than 0.75 of an interval away
    assert [frame.index for frame in frames if frame.image is not None] == [0, 1, 1000]
    assert probe(both).duration == pytest.approx(1001.0, abs=0.05)


def test_a_damaged_part_is_named_by_its_number(night):
    night.parts[1].path.write_bytes(b"nothing that is a video")
    with pytest.raises(VideoError, match=r"^night: part 2: cannot be opened as a video"):
        list(read_frames(night))
    assert [fault.partition(":")[0] for fault in night.check()[0]] == ["part 2"]


def test_a_timestamp_that_leaps_within_a_part_is_an_error_of_that_part(tmp_path):
    path = tmp_path / "leap.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for pts in (0, 1, 2, 25 * 700):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), "rgb24")
            frame.pts = pts
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    leap = Recording("night", (Part(path, 100.0, 0),))
    with pytest.raises(VideoError, match=r"part 1: its times jump from 100\.08 s to 800\.00 s"):
        list(read_frames(leap, end=900.0, fps=1.0))


def test_starts_have_to_ascend():
    with pytest.raises(UserError, match="part 2 starts at 3 s, not after part 1 at 5 s"):
        Recording("night", (Part(Path("a"), 5.0, 0), Part(Path("b"), 3.0, 1)))
    with pytest.raises(UserError, match="has no part"):
        Recording("night", ())


def test_a_timeline_continues_in_the_middle_of_a_recording(night, tmp_path):
    write_table(tmp_path, [(f"{part.path.name}", part.start) for part in night.parts])
    source = open_source(f"{tmp_path}/recordings.tsv#night", 25.0, None, 10.0)
    whole, later = list(source.frames(0)), list(source.frames(60))
    assert [(frame.index, frame.source_index) for frame in later] == [
        (frame.index, frame.source_index) for frame in whole[60:]
    ]
    assert source.duration() == pytest.approx(4.0, abs=0.05)
    assert source.size() == sum(part.path.stat().st_size for part in night.parts)
    with pytest.raises(UserError, match="--growing is for one file"):
        open_source(f"{tmp_path}/recordings.tsv", 25.0, 5.0, 10.0)


# the table and where starts come from


def write_table(folder: Path, rows, name: str = "night") -> None:
    lines = ["recording_id\tvideo\tstart", *(f"{name}\t{video}\t{start}" for video, start in rows)]
    (folder / "recordings.tsv").write_text("\n".join(lines) + "\n")


def starts(folder: Path, rows) -> list[float]:
    write_table(folder, rows)
    return [part.start for part in read_recordings(folder)["night"].parts]


@pytest.fixture
def files(tmp_path) -> Path:
    """A folder of three files a.mp4, b.mp4, c.mp4 of a second."""
    for name in "abc":
        film(tmp_path / f"{name}.mp4", range(25))
    return tmp_path


def test_starts_are_seconds_or_date_times(files):
    assert starts(files, [("a.mp4", "5"), ("b.mp4", "7.25")]) == [5.0, 7.25]
    rows = [("a.mp4", "2026-03-02T23:59:59.5"), ("b.mp4", "2026-03-03 00:10:00")]
    assert starts(files, rows) == [0.0, 600.5]
    night = read_recordings(files)["night"]
    assert night.wall(600.5) == datetime(2026, 3, 3, 0, 10)
    # the clock is put forward at two: ten minutes pass, not seventy
    rows = [("a.mp4", "2026-03-29T01:55:00+01:00"), ("b.mp4", "2026-03-29T03:05:00+02:00")]
    assert starts(files, rows) == [0.0, 600.0]


def test_starts_are_found_in_the_name_by_the_edf_rule_or_by_a_pattern(files):
    names = [
        "P7_02-MAR-2026_22h00m00.250s_Video.mp4",
        "P7_02-MAR-2026_22h10m01s_Video.mp4",
        "cam1_20260302-222000.mp4",
    ]
    for old, new in zip("abc", names):
        (files / f"{old}.mp4").rename(files / new)
    rows = [(names[0], "n/a"), (names[1], ""), (names[2], "_%Y%m%d-%H%M%S.")]
    assert starts(files, rows) == pytest.approx([0.0, 600.75, 1199.75])
    assert start_of_name(Path(names[0])) == datetime(2026, 3, 2, 22, 0, 0, 250000)
    assert start_of_name(Path("holiday_video.mp4")) is None
    # a pattern of files: in the order of their starts, not of their names
    (files / names[1]).rename(files / "A_02-MAR-2026_22h10m01s_Video.mp4")
    assert starts(files, [("*_Video.mp4", "n/a")]) == pytest.approx([0.0, 600.75])


def test_starts_are_read_from_sidecars_metadata_and_eeg_files(files):
    (files / "a.json").write_text('{"StartTime": "2026-03-02T22:00:00.4"}')
    eeg = write_edf(files / "b.edf", first="+0.75")
    assert starts(files, [("a.mp4", "n/a"), ("b.mp4", eeg.name)]) == pytest.approx([0.0, 2.35])
    with av.open(str(files / "m.mp4"), "w") as container:
        container.metadata["creation_time"] = "2026-03-02T22:00:07"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode(None))
    write_table(files, [("m.mp4", "metadata")])
    notes: list[str] = []
    night = read_recordings(files, [], notes)["night"]
    assert night.began == datetime(2026, 3, 2, 22, 0, 7, tzinfo=UTC)  # FFmpeg takes it for UTC
    assert len(notes) == 1 and "whole seconds and often the wrong time zone" in notes[0]


@pytest.mark.parametrize(
    ("rows", "place", "what"),
    [
        (
            [("a.mp4", "5"), ("b.mp4", "3")],
            (3, "start"),
            "starts at 3.0, not after the part before",
        ),
        (
            [("a.mp4", "5"), ("b.mp4", "5")],
            (3, "start"),
            "starts at 5.0, not after the part before",
        ),
        ([("a.mp4", "5"), ("x.mp4", "9")], (3, "video"), "a part is missing"),
        ([("a.mp4", "ten")], (2, "start"), "'ten' is no number; write seconds, or a date-time"),
        ([("a.mp4", "22:00:00")], (2, "start"), "'22:00:00' is a clock time"),
        ([("a.mp4", "2026-13-02T22:00")], (2, "start"), "is no date-time (month must be in 1..12)"),
        ([("a.mp4", "n/a")], (2, "start"), "no start: the file's name has none by the EDF rule"),
        ([("a.mp4", "metadata")], (2, "start"), "the file's metadata has no creation time"),
        ([("a.mp4", "%Y%m%d")], (2, "start"), "the name of a file does not fit '%Y%m%d'"),
        ([("a.mp4", "%Q")], (2, "start"), "'%Q' holds %Q; a pattern may hold %Y"),
        ([("a.mp4", "x.edf")], (2, "start"), "x.edf: cannot be read (No such file or directory)"),
        ([("a.mp4", "0"), ("a.mp4", "9")], (3, "video"), "a file of this row is already in row 2"),
        ([("*.avi", "0")], (2, "video"), "no file in the cohort's folder fits '*.avi'"),
        ([("*.mp4", "0")], (2, "start"), "'0' gives two files of the pattern one start"),
        ([("../a.mp4", "0")], (2, "video"), "leads out of the cohort's folder"),
        (
            [("a.mp4", "5"), ("b.mp4", "2026-03-02T22:00:00")],
            (3, "start"),
            "starts at a date-time without a time zone, but row 2 at a number of seconds",
        ),
        (
            [("a.mp4", "2026-03-02T22:00:00"), ("b.mp4", "2026-03-02T23:00:00Z")],
            (3, "start"),
            "starts at a date-time with a time zone, but row 2 at a date-time without",
        ),
    ],
)
def test_a_row_with_a_fault_is_named(files, rows, place, what):
    write_table(files, rows)
    faults: list = []
    read_recordings(files, faults)
    (fault,) = faults
    assert (fault.file, fault.row, fault.column) == ("recordings.tsv", *place)
    assert what in fault.what
    with pytest.raises(UserError) as caught:
        read_recordings(files)
    assert str(caught.value) == str(files / str(fault))


def test_a_recording_is_named_after_its_table(files):
    write_table(files, [("a.mp4", "0")])
    table = files / "recordings.tsv"
    assert str(video_source(f"{table}#night")) == str(video_source(table)) == "night"
    assert video_source(files / "a.mp4") == files / "a.mp4"
    with pytest.raises(UserError, match="has no recording 'day'; name one of night after"):
        video_source(f"{table}#day")
    table.unlink()
    with pytest.raises(UserError, match="there is no such table"):
        video_source(f"{table}#night")


# a cohort with recordings


def write_cohort(folder: Path, *clips: tuple[str, str, str, str]) -> Path:
    """clip_id, recording, start, end; one participant."""
    (folder / "participants.tsv").write_text("participant_id\nP1\n")
    rows = ["clip_id\tparticipant_id\tvideo\trecording\tstart\tend"]
    rows += [f"{clip}\tP1\tn/a\t{name}\t{start}\t{end}" for clip, name, start, end in clips]
    (folder / "clips.tsv").write_text("\n".join(rows) + "\n")
    (folder / "clips.json").write_text("{}")
    return folder


def test_clips_of_a_recording_are_extracted_across_parts(files):
    write_table(files, [("a.mp4", "0"), ("b.mp4", "1"), ("c.mp4", "2")])
    write_cohort(files, ("c1", "night", "1.6", "2.4"), ("c2", "night", "0.2", "0.6"))
    cohort, store = Cohort.read(files), Store(files / "store")
    options = ExtractOptions(lift=False)
    assert extract_cohort(cohort, store.folder, options=options, progress=False).done == [
        "c1",
        "c2",
    ]
    tracks = store.tracks("c1", "body")
    assert tracks["source_index"].values.tolist() == [
        *range(PART_FRAMES + 15, PART_FRAMES + 25),
        *range(2 * PART_FRAMES, 2 * PART_FRAMES + 10),
    ]
    assert tracks["source_time"].values == pytest.approx(1.6 + np.arange(20) / 25)
    assert store.tracks("c2", "body").sizes["time"] == 10
    again = extract_cohort(cohort, store.folder, options=options, progress=False)
    assert again.skipped == ["c1", "c2"]
    # another start of the last part concerns the first clip only
    write_table(files, [("a.mp4", "0"), ("b.mp4", "1"), ("c.mp4", "2.04")])
    third = extract_cohort(Cohort.read(files), store.folder, options=options, progress=False)
    assert (third.done, third.skipped) == (["c1"], ["c2"])


def test_a_whole_recording_is_extracted_by_its_name(files):
    write_table(files, [("a.mp4", "0"), ("b.mp4", "1.2")])
    out, options = files / "out", ExtractOptions(lift=False)
    name = f"{files}/recordings.tsv#night"
    assert extract_videos([name], out, options=options, progress=False).done == ["night"]
    source = read_tracks(out / "night" / "body.nc")["source_index"].values
    assert (source >= 0).sum() == 50 and source[25:30].tolist() == [-1] * 5


def test_a_fingerprint_of_a_recording_changes_with_its_parts_and_starts(night):
    known = fingerprint(night, {})
    assert is_unchanged(night, json.loads(json.dumps(known)))
    moved = Recording("night", (*night.parts[:2], Part(night.parts[2].path, 3.5, 2)))
    assert not is_unchanged(moved, known)
    assert fingerprint(moved, known)["sha256"] != known["sha256"]
    assert fingerprint(moved, known)["parts"] == known["parts"]
    assert not is_unchanged(night.parts[0].path, known)
    film(night.parts[1].path, range(30))
    assert not is_unchanged(night, known)
    assert str(night.parts[0].path.parent) not in json.dumps(known)


def test_faults_of_clips_of_recordings_are_named(files):
    write_table(files, [("a.mp4", "0")])
    write_cohort(files, ("c1", "nigth", "0", "1"))
    with pytest.raises(CohortError) as caught:
        Cohort.read(files)
    assert str(caught.value.faults[0]) == (
        "clips.tsv: row 2, column \"recording\": recording 'nigth' is not in recordings.tsv; is"
        " 'night' meant?"
    )
    text = (files / "clips.tsv").read_text().replace("n/a\tnigth", "a.mp4\tnight")
    (files / "clips.tsv").write_text(text)
    with pytest.raises(CohortError, match="names a video and a recording"):
        Cohort.read(files)


def test_the_cohort_table_reports_parts_gaps_and_faults(files):
    write_table(files, [("a.mp4", "0"), ("b.mp4", "1"), ("c.mp4", "62.5")])
    write_cohort(files, ("c1", "night", "0", "n/a"))
    report = check_cohort(files)
    assert report.ok and report.resolutions == {"64x48": 1}
    assert report.durations == [pytest.approx(63.5, abs=0.05)]
    assert report.notes[-1] == "recording night: 3 parts; 1 gap of 60.50 s by the headers"
    (files / "b.mp4").write_bytes(b"nothing that is a video")
    report = check_cohort(files)
    assert not report.ok
    assert report.failures["recording night"].startswith("part 2: cannot be opened as a video")
    (files / "b.mp4").unlink()
    with pytest.raises(CohortError, match='row 3, column "video": there is no such file'):
        check_cohort(files)
    assert Cohort.read(files, check_videos=False).clips[0].recording == "night"


# the EEG


def write_edf(
    path: Path, *, kind: str = "EDF+C", first: str = "+0", startdate: str = "02-MAR-2026"
) -> Path:
    """An EDF+ of one record: a signal of 4 samples, and the annotations of the record's start."""
    header = b"".join(
        text.encode().ljust(width)
        for text, width in [
            ("0", 8),
            ("X X X X", 80),
            (f"Startdate {startdate} X X X", 80),
            ("02.03.26", 8),
            ("22.00.02", 8),
            (str(256 * 3), 8),
            (kind, 44),
            ("1", 8),
            ("1", 8),
            ("2", 4),
            *[(label, 16) for label in ("EEG Fp1", "EDF Annotations")],
            *[(" ", 80)] * 2,
            *[("uV", 8)] * 2,
            *[("-1", 8)] * 2,
            *[("1", 8)] * 2,
            *[("-32768", 8)] * 2,
            *[("32767", 8)] * 2,
            *[(" ", 80)] * 2,
            *[("4", 8), ("15", 8)],
            *[(" ", 32)] * 2,
        ]
    )
    assert len(header) == 256 * 3
    path.write_bytes(header + bytes(8) + f"{first}\x14\x14\0".encode().ljust(30, b"\0"))
    return path


def test_an_eeg_starts_by_its_header_and_the_first_records_fraction(tmp_path):
    assert edf_start(write_edf(tmp_path / "a.edf")) == datetime(2026, 3, 2, 22, 0, 2)
    late = edf_start(write_edf(tmp_path / "b.edf", first="+0.125"))
    assert late == datetime(2026, 3, 2, 22, 0, 2, 125000)
    plain = edf_start(write_edf(tmp_path / "c.edf", kind="", first="+0.125"))
    assert plain == datetime(2026, 3, 2, 22, 0, 2)  # plain EDF has no annotations
    # two digits of a year are 1985 to 2084; Startdate, where it is there, has all four
    assert edf_start(write_edf(tmp_path / "d.edf", startdate="X")).year == 2026
    with pytest.raises(UserError, match=r"e\.edf: is an EDF\+D with gaps"):
        edf_start(write_edf(tmp_path / "e.edf", kind="EDF+D"))
    (tmp_path / "f.edf").write_bytes(b"no header")
    with pytest.raises(UserError, match=r"f\.edf: is no EDF or BDF file"):
        edf_start(tmp_path / "f.edf")


def test_offset_and_drift_are_fitted_from_pairs(tmp_path):
    """EEG = 100.5 + 1.00005 * video: 50 ppm, 0.05 s in 1000 s."""
    pairs = [(video, 100.5 + 1.00005 * video) for video in (0.0, 1000.0, 40000.0)]
    clock = fit_clock(pairs)
    assert clock.offset == pytest.approx(100.5) and clock.drift == pytest.approx(50.0)
    assert clock.eeg(2000.0) == pytest.approx(2100.6)
    assert clock.video(clock.eeg(12345.6)) == pytest.approx(12345.6)
    assert clock.residual == pytest.approx(0.0, abs=1e-6)
    assert fit_clock([(10.0, 25.0)]).eeg(100.0) == 115.0
    # two marks each good to 20 ms: at either its own error, at twice the distance sqrt(5)
    two = fit_clock([(0.0, 0.0), (1000.0, 1000.0)])
    assert two.error(0.0) == pytest.approx(0.02)
    assert two.error(2000.0) == pytest.approx(0.02 * math.sqrt(5))
    write_clock(tmp_path, "night", clock)
    write_clock(tmp_path, "day", two)
    assert read_clock(tmp_path, "night").eeg(2000.0) == pytest.approx(2100.6, abs=1e-4)
    assert read_clock(tmp_path, "day").pairs == two.pairs


def test_clocks_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(
        UserError, match="drifts by 1001 ppm against the video, which no clock does"
    ):
        fit_clock([(0.0, 0.0), (10000.0, 10010.01)])
    with pytest.raises(UserError, match=r"contradict each other: that at 1000 s of the video is"):
        fit_clock([(0.0, 0.0), (1000.0, 1000.5), (2000.0, 2000.0)])
    with pytest.raises(UserError, match=r"the marked pairs are 60\.0 s apart, too near"):
        fit_clock([(0.0, 0.0), (60.0, 60.0)])
    with pytest.raises(UserError, match="no marked pair"):
        fit_clock([])
    (tmp_path / "recordings.json").write_text('{"night": {"EEG": {"Offset": 1, "Drift": -900}}}')
    with pytest.raises(UserError, match=r"recording night: the EEG drifts by -900 ppm"):
        read_clock(tmp_path, "night")
    with pytest.raises(UserError, match="holds no clock of the EEG for recording day"):
        read_clock(tmp_path, "day")


def test_without_pairs_the_offset_is_that_of_the_starts(night):
    began = datetime(2026, 3, 2, 22, 0, 12)
    dated = Recording("night", night.parts, began)
    clock = clock_from_starts(dated, datetime(2026, 3, 2, 22, 0, 2))
    assert clock.eeg(3.0) == 13.0 and math.isnan(clock.error(0.0))
    with pytest.raises(UserError, match="starts 15036 days from the video"):
        clock_from_starts(dated, datetime(1985, 1, 1))
    with pytest.raises(UserError, match="the wall clock is not known"):
        clock_from_starts(night, datetime(2026, 3, 2, 22, 0, 2))


# tables on another clock


def test_events_timelines_and_jerks_are_given_in_seconds_of_the_eeg(tmp_path):
    clock = EEGClock(10.0, 100.0)
    write_events(tmp_path / "events.tsv", [Event(1000.0, 2.5, "clonic", "left", 0.9)], 3600.0)
    assert convert_file(tmp_path / "events.tsv", tmp_path / "e.tsv", clock.eeg, "the EEG") == 2
    (event,) = read_events(tmp_path / "e.tsv").events
    assert event == Event(1010.1, 2.5, "clonic", "left", 0.9)
    described = json.loads((tmp_path / "e.json").read_text())
    assert described["onset"]["Description"] == "Start of the event, from the EEG"
    assert "RecordingDuration" not in described
    (tmp_path / "timeline.csv").write_text(
        "task,level,start,end,probability\ntonic,present,1000.000,1002.000,\n"
    )
    convert_file(tmp_path / "timeline.csv", tmp_path / "t.csv", clock.eeg, "")
    assert (tmp_path / "t.csv").read_text().splitlines()[1] == "tonic,present,1010.100,1012.100,"
    write_jerks(tmp_path / "j.tsv", [Jerk("left_wrist", "", "", 1000.0, 1000.04, 0.08, 0.2)])
    convert_file(tmp_path / "j.tsv", tmp_path / "k.tsv", clock.eeg, "")
    (jerk,) = read_jerks(tmp_path / "k.tsv")
    assert (jerk.onset, jerk.peak, jerk.duration) == pytest.approx((1010.1, 1010.14, 0.08))
    assert jerk.amplitude == 0.2
    (tmp_path / "timeline.json").write_text(
        '{"fps": 25, "events": [{"onset": 1000.0, "duration": 2.0, "sign": "tonic"}]}'
    )
    convert_file(tmp_path / "timeline.json", tmp_path / "u.json", clock.eeg, "")
    assert json.loads((tmp_path / "u.json").read_text()) == {
        "fps": 25,
        "events": [{"onset": 1010.1, "duration": 2.0002, "sign": "tonic"}],
    }


def test_the_wall_clock_stands_beside_the_seconds(tmp_path):
    dated = Recording("night", (Part(Path("a"), 0.0, 0),), datetime(2026, 3, 2, 22))
    write_events(tmp_path / "events.tsv", [Event(90.25, 2.0, "clonic")])
    convert_file(tmp_path / "events.tsv", tmp_path / "wall.tsv", dated.wall, "")
    assert (tmp_path / "wall.tsv").read_text() == (
        "onset\tduration\ttrial_type\tlevel\tconfidence\tonset_wall\n"
        "90.250\t2.000\tclonic\tn/a\tn/a\t2026-03-02T22:01:30.250\n"
    )


def test_what_cannot_be_converted_is_said_and_nothing_is_written(tmp_path):
    table, out = tmp_path / "a.tsv", tmp_path / "b.tsv"
    table.write_text("onset\tsign\nsoon\tclonic\n")
    with pytest.raises(UserError, match=r'row 2, column "onset": \'soon\' is no number'):
        convert_file(table, out, float, "")
    table.write_text("sign\nclonic\n")
    with pytest.raises(UserError, match="holds no time"):
        convert_file(table, out, float, "")
    with pytest.raises(UserError, match="is the table itself"):
        convert_file(table, table, float, "")
    with pytest.raises(UserError, match=r"becomes one of the same kind"):
        convert_file(table, tmp_path / "b.csv", float, "")
    with pytest.raises(UserError, match="no such table"):
        convert_file(tmp_path / "c.tsv", out, float, "")
    assert not out.exists()


def test_the_verb_fits_and_converts(files, capsys):
    rows = [("a.mp4", "2026-03-02T22:00:10"), ("b.mp4", "2026-03-02T23:00:10")]
    write_table(files, rows)
    write_cohort(files, ("c1", "night", "3600", "3601"))
    (files / "pairs.tsv").write_text("video\teeg\n0\t10.0\n3600\t2026-03-02T23:00:12.18\n")
    eeg = write_edf(files / "night.edf")
    table = f"{files}/recordings.tsv#night"
    fit = ["clock", "fit", "--recording", table, "--pairs", f"{files}/pairs.tsv"]
    assert main([*fit, "--eeg", str(eeg)]) == 0  # 3610.18 s of the EEG, so 50 ppm
    printed = capsys.readouterr().out
    assert "EEG second = 10.000 + 1.000050000 * second of the recording" in printed
    assert "drift 50.0 ppm, 2 pairs, largest residual 0 ms" in printed
    write_events(files / "found.tsv", [Event(0.5, 0.25, "clonic")])
    for to, onset in [("eeg", "3610.680"), ("recording", "3600.500"), ("wall", "0.500")]:
        out = files / f"{to}.tsv"
        convert = ["clock", "convert", f"{files}/found.tsv", "--recording", table, "--to", to]
        assert main([*convert, "--clip", "c1", "--out", str(out)]) == 0
        row = out.read_text().splitlines()[1].split("\t")
        assert row[0] == onset
    assert row[-1] == "2026-03-02T23:00:10.500"
    assert main([*fit]) == 2  # a date-time without the EEG's start
    assert "give the EEG too (--eeg)" in capsys.readouterr().err
    assert read_pairs(files / "pairs.tsv", edf_start(eeg))[1] == (3600.0, pytest.approx(3610.18))


@pytest.mark.parametrize("cell", ["nan", "inf", "1e999"])
def test_a_time_that_is_none_is_refused_on_every_clock(tmp_path, cell):
    table, out = tmp_path / "a.tsv", tmp_path / "b.tsv"
    dated = Recording("night", (Part(Path("a"), 0.0, 0),), datetime(2026, 3, 2, 22))
    table.write_text(f"onset\tsign\n{cell}\tclonic\n")
    for convert in (EEGClock(10.0).eeg, dated.wall):
        with pytest.raises(UserError, match='row 2, column "onset"'):
            convert_file(table, out, convert, "")
    table.write_text("onset\tsign\n1e20\tclonic\n")
    with pytest.raises(UserError, match="is on no calendar"):
        convert_file(table, out, dated.wall, "")
    assert not out.exists()


def test_a_time_that_is_none_stays_in_json(tmp_path):
    (tmp_path / "a.json").write_text('{"events": [{"onset": NaN, "duration": 1}, {"onset": 1.0}]}')
    dated = Recording("night", (Part(Path("a"), 0.0, 0),), datetime(2026, 3, 2, 22))
    assert convert_file(tmp_path / "a.json", tmp_path / "b.json", dated.wall, "") == 1
    first, second = json.loads((tmp_path / "b.json").read_text())["events"]
    assert set(first) == {"onset", "duration"}
    assert second == {"onset": 1.0, "onset_wall": "2026-03-02T22:00:01.000"}


def test_a_table_gets_dates_once(tmp_path):
    dated = Recording("night", (Part(Path("a"), 0.0, 0),), datetime(2026, 3, 2, 22))
    (tmp_path / "a.tsv").write_text("onset\n1\n")
    convert_file(tmp_path / "a.tsv", tmp_path / "b.tsv", dated.wall, "")
    with pytest.raises(UserError, match="onset_wall already"):
        convert_file(tmp_path / "b.tsv", tmp_path / "c.tsv", dated.wall, "")


def test_the_verb_names_marks_outside_the_recording_and_needs_a_clip(files, capsys):
    write_table(files, [("a.mp4", "0"), ("b.mp4", "1")])
    table = f"{files}/recordings.tsv#night"
    (files / "pairs.tsv").write_text("video\teeg\n3610.2\t1.5\n")  # the wrong way round
    pairs = ["--pairs", f"{files}/pairs.tsv"]
    assert main(["clock", "fit", "--recording", table, *pairs]) == 0
    assert "1 of 1 marks are not in the recording" in capsys.readouterr().out
    (files / "pairs.tsv").write_text("video\teeg\n1.5\t3610.2\n")
    assert main(["clock", "fit", "--recording", table, *pairs]) == 0
    assert "not in the recording" not in capsys.readouterr().out
    write_events(files / "found.tsv", [Event(0.5, 0.25, "clonic")])
    convert = ["clock", "convert", f"{files}/found.tsv", "--recording", table]
    assert main([*convert, "--to", "recording", "--out", f"{files}/out.tsv"]) == 2
    assert "give --clip" in capsys.readouterr().err
    assert not (files / "out.tsv").exists()


def test_a_clip_is_recorded_as_the_part_that_it_begins_in(files):
    write_video(files / "b.mp4", [np.full((72, 96, 3), 90, np.uint8)] * 25, fps=25)
    write_table(files, [("a.mp4", "0"), ("b.mp4", "1.5")])
    write_cohort(
        files,
        ("c1", "night", "1.7", "2.3"),
        ("c2", "night", "0.2", "0.8"),
        ("c3", "night", "1.4", "2.0"),  # begins in the gap
    )
    store = Store(files / "store")
    extract_cohort(Cohort.read(files), store.folder, progress=False)
    for clip, size in (("c1", (96, 72)), ("c2", (64, 48)), ("c3", (96, 72))):
        attributes = store.tracks(clip, "body").attrs
        assert (attributes["stored_width"], attributes["stored_height"]) == size
        assert (attributes["width"], attributes["height"]) == size
    _, notes = read_recordings(files)["night"].check()
    assert any("96x72 pixels of 1:1 (1)" in note for note in notes)


@pytest.mark.parametrize("start", ["1e300", "-1e11"])
def test_a_start_on_no_clock_is_named_by_row(files, start):
    write_table(files, [("a.mp4", "0"), ("b.mp4", start)])
    with pytest.raises(UserError, match=rf'row 3, column "start": \'{start}\' is not possible'):
        read_recordings(files)


def test_shadows_of_macos_are_no_parts(files):
    for old, minute in zip("ab", (0, 10)):
        name = f"P7_02-MAR-2026_22h{minute:02d}m00s_Video.mp4"
        (files / f"{old}.mp4").rename(files / name)
        (files / f"._{name}").write_bytes(b"\x00\x05\x16\x07" + bytes(60))
    assert starts(files, [("*_Video.mp4", "n/a")]) == [0.0, 600.0]


def test_a_file_with_brackets_in_its_name_is_no_pattern(files):
    (files / "a.mp4").rename(files / "[a].mp4")
    assert starts(files, [("[a].mp4", "0"), ("b.mp4", "1")]) == [0.0, 1.0]


def test_the_verbs_extract_and_label_frames_of_a_recording_by_its_name(files, capsys):
    write_table(files, [("a.mp4", "0"), ("b.mp4", "1")])
    named = f"{files}/recordings.tsv#night"
    assert main(["extract", named, "--out", f"{files}/out"]) == 0
    assert read_tracks(files / "out" / "night" / "body.nc").sizes["time"] == 50
    select = ["tracking", "select", named, "--out", f"{files}/labels", "--format", "coco"]
    assert main([*select, "--method", "uniform", "--frames", "2"]) == 0
    assert len(list((files / "labels" / "images" / "night").iterdir())) == 2
    assert main(["extract", f"{files}/recordings.tsv#day", "--out", f"{files}/out"]) == 2
    assert "has no recording 'day'" in capsys.readouterr().err
