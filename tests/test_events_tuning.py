import json
import re

import numpy as np
import pytest
from PIL import Image

from semiology.cli.main import main
from semiology.errors import UserError
from semiology.timeline.events import Event, Hysteresis, find_events, read_events, write_events
from semiology.timeline.events.pairing import true_events
from semiology.timeline.events.plot import clock, draw_timeline, not_assessable, thinned
from semiology.timeline.events.scoring import Counts
from semiology.timeline.events.timeline import find_timelines, read_timeline
from semiology.timeline.events.tuning import (
    AnnotatedTrace,
    Grid,
    choose,
    read_thresholds,
    tune,
    write_thresholds,
)

NAN = float("nan")


def traced(person, inside, outside, clip="1"):
    """100 s, a true event from 40 to 60 s; the probability is `inside` there, 0.1 elsewhere and
    `outside` in a spell of 5 s at 80 s.
    """
    start = np.arange(0.0, 99.0)
    centre = start + 1.0
    value = np.where(
        (centre > 40) & (centre < 60), inside, np.where((centre > 80) & (centre < 85), outside, 0.1)
    )
    windows = np.stack([start, start + 2, value], axis=1)
    return AnnotatedTrace(
        f"{person}_{clip}", person, 100.0, windows, [Event(40.0, 20.0, "dystonia")]
    )


SIGN = ("dystonia", "present")
GRID = Grid(on=(0.2, 0.5, 0.8), off=(0.2,), shortest=(0.0,))


def test_the_threshold_lies_between_what_is_true_and_what_is_not():
    """Inside 0.7, a false spell of 0.4: of 0.2, 0.5 and 0.8 only 0.5 finds the one and not the
    other.
    """
    tuned = tune(
        {SIGN: [traced(f"p{n}", 0.7, 0.4) for n in range(4)]},
        GRID,
        Hysteresis(merge=3.0, unseen=1.0),
    )
    assert tuned["signs"] == {
        "dystonia": {
            "present": {"on": 0.5, "off": 0.2, "shortest": 0.0, "merge": 3.0, "unseen": 1.0}
        }
    }
    assert tuned["tuned_on"] == {"participants": 4, "recordings": 4, "hours": round(400 / 3600, 4)}
    expected = tuned["expected"]["dystonia present"]
    assert expected["apparent_f1"] == 1 and expected["figures"]["event_f1"]["value"] == 1


def test_shortest_takes_out_what_lasts_too_short():
    """The false spell is as high as the true event, but lasts 4 s instead of 20."""
    tuned = tune(
        {SIGN: [traced("p1", 0.9, 0.9), traced("p2", 0.9, 0.9)]},
        Grid(on=(0.5,), off=(0.5,), shortest=(0.0, 2.0, 10.0)),
    )
    assert tuned["signs"]["dystonia"]["present"]["shortest"] == 10


def test_the_expected_performance_is_out_of_fold_and_not_that_of_the_tuning_participants():
    """p1 and p2 need 0.5, p3 less. All three: 0.5 (two hits, a miss) has F1 0.8 and beats 0.2
    (three hits, two false alarms) with 0.75.

    Without p1 (or p2) it is 0.2 (two hits, one false alarm: 0.8) or 0.5 (one hit of two: 0.67), so
    p1 and p2 are evaluated with 0.2, each with a false alarm. Without p3 it is 0.5, which misses
    p3's. Two hits, two false alarms, a miss: 4/7.
    """
    people = [traced("p1", 0.7, 0.4), traced("p2", 0.7, 0.4), traced("p3", 0.3, 0.1)]
    tuned = tune({SIGN: people}, Grid(on=(0.2, 0.5), off=(0.2,), shortest=(0.0,)))
    expected = tuned["expected"]["dystonia present"]
    assert tuned["signs"]["dystonia"]["present"]["on"] == 0.5 and expected[
        "apparent_f1"
    ] == pytest.approx(0.8)
    assert expected["figures"]["event_f1"]["value"] == pytest.approx(4 / 7)
    assert [expected["participants"][person]["on"] for person in ("p1", "p2", "p3")] == [
        0.2,
        0.2,
        0.5,
    ]


def test_recordings_without_events_count_in_the_tuning():
    """By p1 alone 0.5 would do; p2 has no event but a spell of 0.6."""
    spell = traced("p2", 0.1, 0.6)
    silent = AnnotatedTrace(spell.clip_id, "p2", 100.0, spell.windows, [])
    tuned = tune(
        {SIGN: [traced("p1", 0.9, 0.1), silent]}, Grid(on=(0.5, 0.7), off=(0.5,), shortest=(0.0,))
    )
    assert tuned["signs"]["dystonia"]["present"]["on"] == 0.7


def test_ties_go_to_fewer_false_alarms_then_to_seconds_then_to_the_first():
    more_alarms = Counts(100, 4, 4, 4, 10, 9, 0).array()  # F1 2/3
    fewer_alarms = Counts(100, 4, 2, 0, 10, 5, 0).array()  # F1 2/3
    better_seconds = Counts(100, 4, 2, 0, 10, 6, 0).array()
    assert choose(np.stack([more_alarms, fewer_alarms])) == 1
    assert choose(np.stack([more_alarms, fewer_alarms, better_seconds])) == 2
    assert choose(np.stack([better_seconds, better_seconds])) == 0
    cells = Grid(on=(0.1, 0.5, 0.9), off=(0.1, 0.5), shortest=(1.0, 0.0)).cells(Hysteresis())
    assert (cells[0].on, cells[0].off, cells[0].shortest) == (0.5, 0.5, 0.0) and len(cells) == 10


def test_one_participant_gives_no_expected_performance():
    expected = tune({SIGN: [traced("p1", 0.7, 0.4)]}, GRID)["expected"]["dystonia present"]
    assert set(expected) == {"apparent_f1", "reason"} and expected["apparent_f1"] == 1.0
    assert expected["reason"].startswith("one participant only")


def test_thresholds_read_back(tmp_path):
    tuned = tune({SIGN: [traced("p1", 0.7, 0.4), traced("p2", 0.7, 0.4)]}, GRID)
    write_thresholds(tmp_path / "thresholds.json", tuned)
    assert read_thresholds(tmp_path / "thresholds.json") == {
        "dystonia": {"present": Hysteresis(0.5, 0.2, 0.0)}
    }


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[", r"t\.json: not a file of thresholds"),
        ("[]", r"t\.json: .*semiology events tune"),
        ('{"signs": {"a": {"b": {"on": 0.5, "high": 1}}}}', r"t\.json: .*high"),
        ('{"signs": {"a": {"b": {"on": "x"}}}}', r"t\.json: "),
        ('{"signs": {"a": {"b": {"on": 0.1, "off": 0.5}}}}', r"on=0\.1, off=0\.5"),
    ],
)
def test_bad_files_of_thresholds_are_named(tmp_path, text, what):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(UserError, match=what):
        read_thresholds(tmp_path / "t.json")
    with pytest.raises(UserError, match=r"u\.json: .*semiology events tune"):
        read_thresholds(tmp_path / "u.json")


def test_what_cannot_be_tuned_is_refused():
    recording = traced("p1", 0.7, 0.4)
    with pytest.raises(UserError, match="no annotated event"):
        tune({SIGN: [AnnotatedTrace("c", "p1", 100.0, recording.windows, [])]}, GRID)
    with pytest.raises(UserError, match=r"grid: .*on=\(0\.2,\), off=\(0\.5,\)"):
        tune({SIGN: [recording]}, Grid(on=(0.2,), off=(0.5,)))


# timeline.csv


def write_timeline(path, windows, task="dystonia", level="present"):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        f"{task},{level},{a:.3f},{b:.3f},{'' if np.isnan(p) else f'{p:.4f}'}" for a, b, p in windows
    ]
    path.write_text("\n".join(["task,level,start,end,probability", *rows]) + "\n")


def test_a_timeline_reads_back_by_task_and_level(tmp_path):
    (tmp_path / "timeline.csv").write_text(
        "task,level,start,end,probability\na,x,0,2,0.5\na,y,0,2,0.1\na,x,1,3,\n"
    )
    timeline = read_timeline(tmp_path / "timeline.csv")
    np.testing.assert_array_equal(timeline.windows["a", "x"], [[0, 2, 0.5], [1, 3, NAN]])
    assert timeline.windows["a", "y"].tolist() == [[0, 2, 0.1]] and timeline.duration == 3


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ("a,x,0,2,high\n", r'row 2, column "probability": \'high\''),
        ("a,x,0,2,1.5\n", r'row 2, column "probability": 1\.5;'),
        ("a,x,2,2,0.5\n", r'row 2, column "end": 2 s'),
        ("a,x,,2,0.5\n", r'row 2, column "start": \'\''),
        ("a,x,nan,2,0.5\n", r'row 2, column "end"'),
        ("a,x,0,1e300,0.5\n", r'row 2, column "end": 1e\+300 s.*within a year'),
        ("a,x,0,2,0.5\na,y,0,2,0.5\na,x,0,2,0.5\n", r'row 4, column "start": 0 s;'),
        ("a,x,0,2\n", "row 2 has 4 cells, the header has 5"),
        ("", "no windows"),
    ],
)
def test_an_error_in_a_timeline_names_file_row_and_column(tmp_path, rows, what):
    (tmp_path / "timeline.csv").write_text("task,level,start,end,probability\n" + rows)
    with pytest.raises(UserError, match=rf"timeline\.csv.*{what}"):
        read_timeline(tmp_path / "timeline.csv")


def test_a_timeline_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "timeline.csv").write_text("task,start,end,probability\na,0,2,0.5\n")
    with pytest.raises(UserError, match=r"timeline\.csv: .*'level'"):
        read_timeline(tmp_path / "timeline.csv")
    (tmp_path / "timeline.csv").write_bytes(
        b"task,level,start,end,probability\nMyokloni\xe9,x,0,2,0.5\n"
    )
    with pytest.raises(UserError, match=r"timeline\.csv: .*'utf-8'"):
        read_timeline(tmp_path / "timeline.csv")
    with pytest.raises(UserError, match=r"none/timeline\.csv"):
        read_timeline(tmp_path / "none/timeline.csv")


def test_timelines_are_found_by_recording(tmp_path):
    write_timeline(tmp_path / "p1/timeline.csv", [(0, 1, 0.5)])
    write_timeline(tmp_path / "p2_timeline.csv", [(0, 1, 0.5)])
    assert find_timelines(tmp_path) == {
        "p1": tmp_path / "p1/timeline.csv",
        "p2": tmp_path / "p2_timeline.csv",
    }
    assert find_timelines(tmp_path / "p1/timeline.csv") == {"p1": tmp_path / "p1/timeline.csv"}
    write_timeline(tmp_path / "p1_timeline.csv", [(0, 1, 0.5)])
    with pytest.raises(UserError, match=r"p1_timeline\.csv: .* p1, .*p1/timeline\.csv"):
        find_timelines(tmp_path)
    with pytest.raises(UserError, match="p1/none"):
        find_timelines(tmp_path / "p1/none")


# the verb


@pytest.fixture
def folder(tmp_path):
    for recording in [traced(f"p{n}", 0.7, 0.4) for n in range(3)]:
        write_timeline(tmp_path / f"timelines/{recording.clip_id}/timeline.csv", recording.windows)
        write_events(tmp_path / f"true/{recording.clip_id}_events.tsv", recording.truth)
    return tmp_path


def arguments(folder, *more):
    return [
        "events",
        "tune",
        f"{folder}/timelines",
        f"--truth={folder}/true",
        f"--out={folder}/thresholds.json",
        *more,
    ]


def test_tune_writes_thresholds_and_prints_the_expected_performance(folder, capsys):
    assert (
        main(
            arguments(
                folder,
                "--grid.on=[0.2,0.5,0.8]",
                "--grid.off=[0.2]",
                "--grid.shortest=[0]",
                "--merge=1.5",
            )
        )
        == 0
    )
    printed = capsys.readouterr().out
    assert "dystonia present: on 0.5, off 0.2, shortest 0 s" in printed
    assert "F1 by event on new participants 1.00" in printed
    assert read_thresholds(folder / "thresholds.json")["dystonia"]["present"] == Hysteresis(
        0.5, 0.2, 0.0, merge=1.5
    )


def test_recordings_without_a_counterpart_are_listed_and_give_status_1(folder, capsys):
    (folder / "true/p2_1_events.tsv").unlink()
    write_events(folder / "true/p9_1_events.tsv", [])
    assert main(arguments(folder)) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["p2_1", "p9_1"]
    written = json.loads((folder / "thresholds.json").read_text())
    assert written["missing"] == lines
    assert (written["tuned_on"]["recordings"], written["tuned_on"]["participants"]) == (2, 2)


def test_annotated_events_are_matched_with_task_and_level():
    left, right, any_side, clonic = (
        Event(1, 1, "side", "left"),
        Event(3, 1, "side", "right"),
        Event(5, 1, "side"),
        Event(7, 1, "clonic"),
    )
    everything, signs = [left, right, any_side, clonic], {"side", "clonic"}
    assert true_events(everything, ("side", "left"), None, signs) == [left, any_side]
    assert true_events(everything, ("head", "left"), {"head": "side"}, signs) == [left, any_side]
    assert true_events(everything, ("phase", "clonic"), None, signs) == [clonic]
    assert true_events(everything, ("phase", "tonic"), None, signs) == []


def test_a_level_may_name_the_annotated_sign_and_a_level_without_events_is_untuned(folder):
    """Phases: the task is not in the annotations, its levels are."""
    for clip in ("p0_1", "p1_1", "p2_1"):
        path = folder / f"timelines/{clip}/timeline.csv"
        windows = read_timeline(path).windows[SIGN]
        write_timeline(path, windows, "phase", "dystonia")
        path.write_text(path.read_text() + "phase,clonic,0.000,2.000,0.5\n")
    assert main(arguments(folder)) == 0
    assert json.loads((folder / "thresholds.json").read_text())["untuned"] == ["phase clonic"]
    assert list(read_thresholds(folder / "thresholds.json")["phase"]) == ["dystonia"]


def test_a_task_of_another_name_is_an_error_and_can_be_mapped(folder, capsys):
    for clip in ("p0_1", "p1_1", "p2_1"):
        write_events(folder / f"true/{clip}_events.tsv", [Event(40.0, 20.0, "posturing")])
    assert main(arguments(folder)) == 2
    assert re.search(r"\(dystonia\).*\(posturing\).*--names", capsys.readouterr().err)
    assert main(arguments(folder, "--names={dystonia: posturing}")) == 0


def test_find_writes_events_and_a_figure_by_tuned_thresholds(folder, capsys):
    """Untuned, 0.7 from 40 to 60 s is detected; by thresholds of 0.8 and 0.75 nothing is. A task
    without thresholds is only drawn.
    """
    path = folder / "timelines/p0_1/timeline.csv"
    path.write_text(path.read_text() + "side,left,0.000,2.000,0.9\n")
    command = [
        "events",
        "find",
        str(path),
        f"--truth={folder}/true/p0_1_events.tsv",
        f"--out={folder}/again",
    ]
    assert (
        main(command) == 0
        and "dystonia present: 40.5 to 59.5 s, confidence 0.70" in capsys.readouterr().out
    )
    assert [event.kind for event in read_events(folder / "again/events.tsv").events] == [
        ("side", "left"),
        SIGN,
    ]
    (folder / "high.json").write_text(
        '{"signs": {"dystonia": {"present": {"on": 0.8, "off": 0.75}}}}'
    )
    assert main([*command, f"--thresholds={folder}/high.json"]) == 0
    table = read_events(folder / "again/events.tsv")
    assert (
        table.events == []
        and table.duration == 100
        and Image.open(folder / "again/timeline.png").size[0] > 1000
    )
    (folder / "other.json").write_text('{"signs": {"tonic": {"present": {}}}}')
    assert main([*command, f"--thresholds={folder}/other.json"]) == 2
    assert "dystonia present, side left" in capsys.readouterr().err


# the figure


def test_a_long_recording_is_thinned_and_no_peak_is_lost():
    """36,000 windows a second apart, one of them at 0.9, ten minutes without a probability."""
    start = np.arange(36_000.0)
    value = np.full(36_000, 0.2)
    value[12_345] = 0.9
    value[20_000:20_600] = NAN
    windows = np.stack([start, start + 2, value], axis=1)
    time, lowest, highest = thinned(windows, 36_001, 1500)
    assert len(time) == 1500 and np.nanmax(highest) == 0.9 and np.nanmin(lowest) == 0.2
    assert abs(time[np.nanargmax(highest)] - 12_346) <= 12 and np.isnan(
        lowest
    ).sum() == pytest.approx(25, abs=1)
    assert not_assessable(windows) == [(20_000.5, 20_600.5)]
    np.testing.assert_array_equal(thinned(windows[:5], 10)[0], [1, 2, 3, 4, 5])


def test_time_that_is_not_assessable():
    windows = np.array([[0, 2, NAN], [1, 3, 0.5], [2, 4, NAN], [3, 5, NAN]])
    assert not_assessable(windows) == [(0, 1.5), (2.5, 5)]
    assert not_assessable(windows[1:2]) == [] and not_assessable(np.empty((0, 3))) == []


def test_times_are_written_as_long_as_they_need():
    assert [clock(75, 100), clock(75, 600), clock(4521, 36_000)] == ["75", "1:15", "1:15:21"]


def test_the_figure_shows_detected_and_annotated_events(tmp_path):
    recording = traced("p1", 0.9, 0.1)
    found = find_events(
        [tuple(row) for row in recording.windows.tolist()], Hysteresis(), "dystonia"
    )
    draw_timeline(
        tmp_path / "t.png",
        {"dystonia": recording.windows},
        {"dystonia": found},
        100.0,
        {"dystonia": recording.truth},
    )
    draw_timeline(tmp_path / "u.png", {"dystonia": recording.windows}, {}, 100.0)

    def fraction(name, colour):
        image = np.asarray(Image.open(tmp_path / name).convert("RGB")).astype(int)
        return (np.abs(image - colour).max(axis=2) < 8).mean()

    orange, green = (213, 94, 0), (0, 158, 115)
    assert fraction("t.png", orange) > 2 * fraction("u.png", orange) > 0  # the legend has it too
    assert fraction("t.png", green) > 0.005 and fraction("u.png", green) == 0


@pytest.mark.parametrize(
    ("windows", "duration", "what"),
    [
        ({}, 10.0, "0 signs .* 40"),
        ({str(n): np.empty((0, 3)) for n in range(41)}, 10.0, "41 signs .* 40"),
        ({"a": np.empty((0, 3))}, 0.0, " 0 s "),
    ],
)
def test_timelines_that_cannot_be_drawn_are_refused(tmp_path, windows, duration, what):
    with pytest.raises(UserError, match=what):
        draw_timeline(tmp_path / "t.png", windows, {}, duration)
