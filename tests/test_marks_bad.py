"""What goes wrong with marks in a clinic, from the command line: one clear line each, and nothing
half-written.
"""

import json

import pytest

from semiology.cli.main import main
from semiology.data.events import Event, EventTable, read_events
from semiology.data.marks import boris, edf, elan

JERK = [Event(1.0, 0.0, "jerk", rater="anna")]


def no_times(folder):
    elan.write(EventTable(JERK), folder / "c1.eaf")
    text = (folder / "c1.eaf").read_text()
    (folder / "c1.eaf").write_text(text.replace(' TIME_VALUE="1000"', "").replace(
        ' TIME_VALUE="1001"', ""
    ))  # fmt: skip
    return [folder / "c1.eaf"], "c1.eaf: tier 'jerk' has no times; align its annotations in ELAN"


def beyond_the_end(folder):
    boris.write(EventTable([Event(50.0, 30.0, "tonic")], 60.0), folder / "c1.boris", "c1.mp4")
    return [folder / "c1.boris"], (
        "c1.boris: 1 marks reach beyond the end of c1 at 60.000 s, the last ('tonic') to 80.000 s;"
        " is it the right video, and its offset right?"
    )


def cut_off(folder):
    """An annotations-only file that lacks its last bytes."""
    edf.write(EventTable([*JERK, Event(5.0, 2.0, "tonic")]), folder / "c1.edf")
    data = (folder / "c1.edf").read_bytes()
    (folder / "c1.edf").write_bytes(data[:-8])
    return [folder / "c1.edf"], "c1.edf: is cut off: 1 of 2 records are there; copy it again"


def cut_within_an_annotation(folder):
    edf.write(EventTable(JERK), folder / "c1.edf")
    data = (folder / "c1.edf").read_bytes()
    (folder / "c1.edf").write_bytes(data.replace(b"]\x14\0", b"]\0\0"))
    return [folder / "c1.edf"], (
        "c1.edf: an annotation of record 1 is cut off or damaged; export it again"
    )


def two_raters_under_one_name(folder):
    text = "onset,duration,sign,rater\n1,2,tonic,{}\n"
    for name in ("first", "second"):
        (folder / name).mkdir()
        (folder / name / "c1.csv").write_text(text.format("anna"))
    return [folder / "first/c1.csv", folder / "second/c1.csv"], (
        "second/c1.csv: c1.csv has marks of c1 by anna already; name raters apart (--rater), or"
        " join them"
    )


@pytest.mark.parametrize(
    "made", [no_times, beyond_the_end, cut_off, cut_within_an_annotation, two_raters_under_one_name]
)
def test_one_clear_line_and_nothing_of_the_file_is_written(tmp_path, capsys, made):
    files, message = made(tmp_path)
    out = tmp_path / "out"
    assert main(["events", "import", *map(str, files), "--out", str(out)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("semiology events import: ") and line.endswith(message)
    written = sorted(path.name for path in out.rglob("*.*")) if out.exists() else []
    assert written == (["c1_events.json", "c1_events.tsv"] if len(files) == 2 else [])


def test_a_project_whose_media_moved_is_read_and_says_so(tmp_path, capsys):
    """The length is then what the project holds; a project of a longer path names the file only."""
    boris.write(EventTable(JERK, 60.0), tmp_path / "c1.boris", "c1.mp4")
    content = json.loads((tmp_path / "c1.boris").read_text())
    text = json.dumps(content).replace("c1.mp4", "/media/old disk/c1.mp4")
    (tmp_path / "c1.boris").write_text(text)
    (tmp_path / "videos").mkdir()
    arguments = [str(tmp_path / "c1.boris"), "--videos", str(tmp_path / "videos")]
    assert main(["events", "import", *arguments, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert f"c1.mp4 is not in {tmp_path / 'videos'}: the length is not checked" in said.out
    table = read_events(tmp_path / "out/anna/c1_events.tsv")
    assert (table.duration, table.events[0].sign) == (60.0, "jerk")


def test_a_night_in_which_the_clock_changes(tmp_path, capsys):
    """Berlin, 2026-10-25, 3:00 becomes 2:00: 1:30 is 3.5 h after 22:00, 4:00 is 7 h after it; an
    hour that comes twice cannot be told from its clock time.
    """
    night = tmp_path / "night.csv"
    night.write_text("start,end,sign\n01:30:00,01:30:10,tonic\n04:00:00,04:00:05,jerk\n")
    clock = ["--start", "2026-10-24T22:00:00", "--zone", "Europe/Berlin"]
    arguments = ["events", "import", str(night), *clock, "--out"]
    assert main([*arguments, str(tmp_path / "out")]) == 0
    events = read_events(tmp_path / "out/unknown/night_events.tsv").events
    assert [(one.onset, one.duration) for one in events] == [(12600.0, 10.0), (25200.0, 5.0)]
    night.write_text("start,end,sign\n01:59:59,02:30:00,tonic\n")
    capsys.readouterr()
    assert main([*arguments, str(tmp_path / "twice")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(
        'night.csv: row 2: column "end": 2026-10-25 02:30:00 is shown twice by a clock of'
        " Europe/Berlin, which changes the hour then; write seconds from the recording's start"
    )
    assert not (tmp_path / "twice").exists()


def test_sides_that_are_not_mapped_are_listed_once_with_counts(tmp_path, capsys):
    rows = "onset,duration,label,side\n1,2,tonic,links\n4,2,tonic,links\n7,2,tonic,right\n"
    (tmp_path / "c1.csv").write_text(rows)
    (tmp_path / "c2.csv").write_text(rows)
    files = [str(tmp_path / f"{name}.csv") for name in ("c1", "c2")]
    assert main(["events", "import", *files, "--out", str(tmp_path / "a")]) == 0
    out = capsys.readouterr().out
    assert out.count("sides that are none of left, right, both, kept") == 1
    assert "values): links (4)\n" in out
    (tmp_path / "terms.yaml").write_text("values: {links: left}\n")
    terms = ["--terms", str(tmp_path / "terms.yaml")]
    assert main(["events", "import", *files, *terms, "--out", str(tmp_path / "b")]) == 0
    assert "sides that" not in capsys.readouterr().out


def test_an_export_counts_what_it_wrote_and_names_a_table_that_is_not_there(tmp_path, capsys):
    """Of two events the one before the recording has no place in an .eaf."""
    table = tmp_path / "c1_events.tsv"
    table.write_text("onset\tduration\ttrial_type\n-1\t2\ttonic\n1\t2\ttonic\n")
    arguments = ["events", "export", str(table), "--to", "eaf", "--out", str(tmp_path / "c1.eaf")]
    assert main(arguments) == 0
    assert f"{tmp_path / 'c1.eaf'}: 1 events\n" in capsys.readouterr().out
    assert main(["events", "export", str(tmp_path / "no"), "--to", "eaf", "--out", "x8"]) == 2
    assert f"{tmp_path / 'no'}: no such table of events" in capsys.readouterr().err
