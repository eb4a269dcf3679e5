"""Alarm curves: hand-computed counts, the choice of a threshold on others, and the fast pass."""

import json
from itertools import pairwise

import numpy as np
import pytest

from semiology.cli.main import main
from semiology.errors import UserError
from semiology.timeline.events import Event, Hysteresis, find_events, score_events, write_events
from semiology.timeline.events.curve import (
    THRESHOLDS,
    CurveOptions,
    Rate,
    alarm_curves,
    choose_threshold,
    count_alarms,
    text,
)
from semiology.timeline.events.hysteresis import find_spans, own_times
from semiology.timeline.events.pairing import pair_timelines
from semiology.timeline.events.scoring import SZCORE, Counts, Tolerances
from semiology.timeline.events.tuning import AnnotatedTrace, read_thresholds

SIGN = ("seizure", "present")
NAN = float("nan")
HOUR = 3600.0


def night(person, peaks, truth=(), clip="1", seconds=HOUR, types=None):
    """A recording of windows of 1 s at probability 0.05, with peaks (s: probability) of 10 s."""
    start = np.arange(0.0, seconds)
    value = np.full(len(start), 0.05)
    for at, probability in peaks.items():
        value[at : at + 10] = probability
    windows = np.stack([start, start + 1, value], axis=1)
    events = [Event(float(onset), 10.0, "seizure") for onset in truth]
    return AnnotatedTrace(f"{person}_{clip}", person, seconds, windows, events, types)


def options(**given):
    return CurveOptions(**{"on": (0.2, 0.4, 0.6, 0.8), "off": 0.5, "at": "1/h"} | given)


@pytest.mark.parametrize("seed", range(4))
def test_the_fast_pass_gives_the_events_and_counts_of_each_threshold_by_itself(seed):
    """Windows with holes, gaps and overlaps, and times that merge, drop and bridge."""
    rng = np.random.default_rng(seed)
    start = np.cumsum(rng.choice([0.5, 1.0, 1.0, 1.0, 7.0], 400))
    value = rng.random(400).round(2)
    value = np.where(rng.random(400) < 0.15, NAN, np.convolve(value, np.ones(3) / 3, "same"))
    windows = np.stack([start, start + rng.choice([0.5, 1.0, 4.0]), value], axis=1)
    truth = [Event(float(onset), 4.0, "seizure") for onset in (20, 90, 180, 260)]
    recording = AnnotatedTrace("a_1", "a", float(windows[-1, 1]), windows, truth)
    chosen = CurveOptions(on=THRESHOLDS[20:100:4], shortest=1.5, merge=1.0, unseen=1.0)
    counts, _ = count_alarms(recording, chosen.cells(), Tolerances(before=2.0))
    rows = [tuple(row) for row in windows.tolist()]
    found = 0
    for place, cell in enumerate(chosen.cells()):
        plain = find_events(rows, cell, "seizure")
        spans = [(event.onset, event.offset) for event in find_spans(own_times(windows), cell, "x")]
        assert spans == [(event.onset, event.offset) for event in plain]
        score = score_events(truth, plain, recording.duration, Tolerances(before=2.0))
        assert counts[place].tolist() == score.counts.array().tolist()
        found += len(plain)
    assert found > 50
    assert counts[-1, 2:4].tolist() == [0, 0] and counts[-1, 1] == 4


def test_a_window_owns_the_time_up_to_midway_to_its_neighbours_and_holes_have_no_probability():
    windows = np.array([[0, 2, 0.1], [1, 3, 0.2], [9, 11, 0.3]])
    parts = own_times(windows)
    assert parts[:, :2].tolist() == [[0.5, 1.5], [1.5, 3], [3, 9], [9, 11]]
    assert parts[[0, 1, 3], 2].tolist() == [0.1, 0.2, 0.3] and np.isnan(parts[2, 2])
    assert own_times(windows[:1]).tolist() == [[0, 2, 0.1]]


def test_the_curve_by_hand():
    """Two hours: a seizure with a peak of 0.9 and one of 0.5; false peaks of 0.7 and 0.3. At 0.2
    both are found with two false alarms in 2 h, at 0.4 with one, at 0.6 one of two with one, at 0.8
    one with none.
    """
    people = [
        night("a", {100: 0.9, 2000: 0.7}, truth=[100]),
        night("b", {100: 0.5, 2000: 0.3}, truth=[100]),
    ]
    (own,) = alarm_curves({SIGN: people}, options())["signs"].values()
    rows = [(row["on"], row["sensitivity"], row["per_hour"]) for row in own["curve"]]
    assert rows == [(0.2, 1.0, 1.0), (0.4, 1.0, 0.5), (0.6, 0.5, 0.5), (0.8, 0.5, 0.0)]
    assert own["curve"][0]["off"] == 0.1
    assert own["curve"][1]["per_day"] == 12.0 and own["curve"][1]["per_night"] == 4.0
    assert own["curve"][3]["per_hour_high"] == pytest.approx(3.689 / 2, abs=1e-3)  # Poisson, 2 h
    assert own["curve"][0]["in_false_alarm"] == 20 / 7200


def test_the_threshold_is_chosen_on_the_others_and_scored_on_the_one_left_out():
    """At most 1 an hour. Without a (b, c: no false peaks above 0.3) it is 0.4; without b or c, a's
    three false peaks of 0.7 in 2 h demand 0.8. So a is scored at 0.4: three false alarms, found;
    b and c at 0.8, where b's peak of 0.9 is found and c's of 0.5 is not.
    """
    people = [
        night("a", {100: 0.9, 1000: 0.7, 2000: 0.7, 3000: 0.7}, truth=[100]),
        night("b", {100: 0.9, 1000: 0.3, 2000: 0.3, 3000: 0.3}, truth=[100]),
        night("c", {100: 0.5}, truth=[100]),
    ]
    (own,) = alarm_curves({SIGN: people}, options())["signs"].values()
    assert {row["participant_id"]: row["on"] for row in own["people"]} == {
        "a": 0.4,
        "b": 0.8,
        "c": 0.8,
    }
    assert [row["hits"] for row in own["people"]] == [1, 1, 0]
    assert [row["false_alarms"] for row in own["people"]] == [3, 0, 0]
    assert own["chosen"]["sensitivity"] == pytest.approx(2 / 3)
    assert own["chosen"]["per_hour"] == 1.0
    # all three together have 3 false alarms in 3 h at 0.4
    assert own["chosen"]["thresholds"]["on"] == 0.4


def test_the_worst_night_is_the_recording_with_most_false_alarms():
    people = [
        night("a", {100: 0.9}, truth=[100]),
        night("a", {1000: 0.9, 2000: 0.9}, clip="2", seconds=2 * HOUR),
        night("b", {100: 0.9}, truth=[100]),
    ]
    (own,) = alarm_curves({SIGN: people}, options(at="2/h"))["signs"].values()
    row = own["people"][0]
    assert (row["false_alarms"], row["worst_false_alarms"], row["worst_hours"]) == (2, 2, 2.0)
    assert row["per_hour"] == pytest.approx(2 / 3)
    assert own["chosen"]["per_hour_with_events"] == 0
    assert own["chosen"]["per_hour_without_events"] == 1.0


def test_an_alarm_that_is_always_on_is_not_chosen_for_its_one_false_alarm():
    """All is above 0.2: one alarm an hour, which hits, and is no false one. At 0.4 there are three
    false alarms, at 0.6 none.
    """
    always = [
        night(person, {100: 0.9, 1000: 0.5, 2000: 0.5, 3000: 0.5}, truth=[100]) for person in "abc"
    ]
    for recording in always:
        recording.windows[:, 2] = np.maximum(recording.windows[:, 2], 0.3)
    (own,) = alarm_curves({SIGN: always}, options(off=1.0))["signs"].values()
    assert own["curve"][0]["per_hour"] == 0 and own["curve"][0]["sensitivity"] == 1
    assert own["curve"][1]["per_hour"] == 3
    assert {row["on"] for row in own["people"]} == {0.6}


def test_an_alarm_that_is_always_on_is_no_false_alarm_unless_long_ones_are_split():
    """8 h in pieces of 300 s are 96, one of which holds the seizure with its tolerances."""
    seizure, always = [Event(1000.0, 60.0, "seizure")], [Event(0.0, 8 * HOUR, "seizure")]
    assert score_events(seizure, always, 8 * HOUR).counts.false_alarms == 0
    assert score_events(seizure, always, 8 * HOUR, SZCORE).counts.false_alarms == 95


def counts(rates, seconds_on=None):
    rows = [Counts(HOUR, 1, 1, rate) for rate in rates]
    table = np.stack([row.array() for row in rows])
    table[:, 6] = seconds_on or 0
    return table


def test_the_lowest_threshold_counts_above_which_the_rate_is_kept():
    assert choose_threshold(counts([9, 3, 1, 0, 0]), 1.0, 1.0) == 2
    assert choose_threshold(counts([0, 1, 3, 1, 0]), 1.0, 1.0) == 3  # 0 and 1 are below a higher 3
    assert choose_threshold(counts([5, 5, 5, 5, 0]), 1.0, 1.0) == 4  # none: without alarms
    assert choose_threshold(counts([1, 0, 0]), 1.0, 1.0) == 0
    assert choose_threshold(counts([1, 0, 0], [3000, 200, 0]), 1.0, 0.05) == 2


@pytest.mark.parametrize(
    ("written", "per_hour"),
    [
        ("1/night", 1 / 8),
        ("1/day", 1 / 24),
        ("2/24h", 1 / 12),
        ("0.1/h", 0.1),
        ("3 per week", 3 / 168),
        (".5 / hour", 0.5),
    ],
)
def test_rates_as_people_write_them(written, per_hour):
    assert Rate.read(written).per_hour == pytest.approx(per_hour)


@pytest.mark.parametrize("written", ["1", "one/night", "0/night", "-1/h", "1/month", "1/", "1e3/h"])
def test_what_is_no_rate_is_refused(written):
    with pytest.raises(UserError, match="is not a rate of false alarms"):
        Rate.read(written)


def test_a_night_has_as_many_hours_as_said():
    assert Rate.read("1/night", 10.0).per_hour == 0.1
    with pytest.raises(UserError, match="hours of a night"):
        Rate.read("1/night", 0.0)


def test_types_of_events_have_a_sensitivity_and_types_of_people_false_alarms_too():
    people = [
        night("a", {100: 0.9, 500: 0.5}, truth=[100, 500], types=["TCS", "FOS"]),
        night("b", {100: 0.9, 2000: 0.9}, truth=[100, 500], types=["TCS", "FOS"]),
    ]
    (own,) = alarm_curves({SIGN: people}, options(at="2/h"))["signs"].values()
    found = own["types"]
    assert [row["sensitivity"] for row in found["TCS"]["curve"]] == [1, 1, 1, 1]
    assert [row["sensitivity"] for row in found["FOS"]["curve"]] == [0.5, 0.5, 0, 0]
    assert found["FOS"]["curve"][0]["per_hour"] is None
    groups = [
        night("a", {100: 0.9}, truth=[100], types="frontal"),
        night("b", {100: 0.9, 2000: 0.9}, truth=[100], types="temporal"),
    ]
    (own,) = alarm_curves({SIGN: groups}, options(at="2/h"))["signs"].values()
    assert own["types"]["frontal"]["curve"][0]["per_hour"] == 0
    assert own["types"]["temporal"]["curve"][0]["per_hour"] == 1
    assert own["types"]["temporal"]["chosen"]["false_alarms"] == 1


def test_sensitivity_never_rises_with_the_threshold():
    rng = np.random.default_rng(5)
    people = []
    for person in "abc":
        recording = night(person, {}, truth=[300, 1000, 2000])
        smooth = np.convolve(rng.random(3600 + 8), np.ones(9) / 9, "valid")
        recording.windows[:, 2] = np.clip(3 * smooth - 1, 0, 1)
        people.append(recording)
    (own,) = alarm_curves({SIGN: people}, CurveOptions(), draws=0)["signs"].values()
    values = [row["sensitivity"] for row in own["curve"]]
    assert all(before >= after for before, after in pairwise(values)) and len(set(values)) > 3
    times = [row["in_false_alarm"] for row in own["curve"]]
    assert all(before >= after for before, after in pairwise(times))


def test_what_cannot_be_given_is_named():
    silent = [night("a", {100: 0.9}), night("b", {})]
    found = alarm_curves({SIGN: silent}, options(at="1/night"))
    (own,) = found["signs"].values()
    assert own["chosen"] is None and own["curve"][0]["sensitivity"] is None
    assert own["curve"][0]["per_hour"] == 0.5
    assert "No annotated event: sensitivity cannot be given" in text(found)
    alone = alarm_curves({SIGN: [night("a", {100: 0.9}, truth=[100])]}, options())
    (own,) = alone["signs"].values()
    assert own["chosen"] is None and own["curve"][0]["sensitivity"] == 1.0
    assert "One participant: there are no others to choose a threshold on" in text(alone)
    assert "Every recording has an event: false alarms in nights without" in text(alone)
    two = [night("a", {100: 0.9}, truth=[100]), night("b", {})]
    shown = text(alarm_curves({SIGN: two}, options(at="1/night")))
    assert "2.00 h are too few for 1/night" in shown and "30 h are needed" in shown
    assert "could still be 14.76 a night" in shown  # 8 h x 3.689 / 2 h
    assert "All events are of one participant" in shown


def test_a_rate_that_no_threshold_keeps_gives_no_alarms_and_no_thresholds():
    people = [
        night(person, {100: 1.0, 1000: 1.0, 2000: 1.0}, truth=[100]) for person in ("a", "b", "c")
    ]
    found = alarm_curves({SIGN: people}, options())
    (own,) = found["signs"].values()
    assert own["chosen"]["never"] == 3 and own["chosen"]["thresholds"] is None
    assert own["chosen"]["hits"] == 0 and own["chosen"]["false_alarms"] == 0
    assert "For 3 of 3 participants no threshold keeps the others" in text(found)
    assert "none is written" in text(found)


def write_night(folder, recording, truth):
    path = folder / "timelines" / recording.clip_id / "timeline.csv"
    path.parent.mkdir(parents=True)
    rows = [
        f"seizure,present,{start:.0f},{end:.0f},{'' if np.isnan(value) else value}"
        for start, end, value in recording.windows.tolist()
    ]
    path.write_text("task,level,start,end,probability\n" + "\n".join(rows) + "\n")
    write_events(folder / "truth" / f"{recording.clip_id}_events.tsv", truth, recording.duration)


@pytest.fixture
def nights(tmp_path):
    """Three people, five minutes each, c without an event, and what is known of them."""
    for person, peaks, kinds in (
        ("a", {50: 0.9, 150: 0.3}, {50: "FOS"}),
        ("b", {50: 0.9, 100: 0.5}, {50: "TCS", 100: "FOS"}),
        ("c", {150: 0.7}, {}),
    ):
        truth = [Event(float(at), 10.0, "seizure", kind) for at, kind in kinds.items()]
        write_night(tmp_path, night(person, peaks, seconds=300.0), truth)
    (tmp_path / "clips.tsv").write_text(
        "clip_id\tparticipant_id\tward\n" + "".join(f"{p}_1\t{p}\tw{p}\n" for p in "abc")
    )
    (tmp_path / "participants.tsv").write_text(
        "participant_id\tlobe\na\tfrontal\nb\ttemporal\nc\tfrontal\n"
    )
    return tmp_path


def run(folder, *more):
    return main(
        [
            *("events", "curve", str(folder / "timelines"), "--truth", str(folder / "truth")),
            *("--participants", str(folder / "clips.tsv"), "--out", str(folder / "out")),
            *("--draws", "100", *more),
        ]
    )


def test_the_verb_writes_tables_figures_and_thresholds_that_find_reads(nights, capsys):
    assert run(nights, "--types", "level", "--at", "12/h") == 0
    out = capsys.readouterr().out
    assert "seizure present: 3 events of 2 people" in out and "TCS: 1 of 1 events" in out
    assert "_1" not in out  # names of recordings
    names = {path.name for path in (nights / "out").iterdir()}
    assert names == {
        *("curve.tsv", "chosen.tsv", "people.tsv", "curve.json"),
        *("curve.png", "curve.svg", "thresholds.json"),
    }
    header, *rows = (nights / "out/curve.tsv").read_text().splitlines()
    assert header.split("\t")[:5] == ["sign", "level", "type", "on", "off"]
    assert len(rows) == 3 * len(THRESHOLDS)
    stored = json.loads((nights / "out/curve.json").read_text())
    chosen = read_thresholds(nights / "out/thresholds.json")["seizure"]["present"]
    assert stored["signs"]["seizure present"]["chosen"]["thresholds"]["on"] == chosen.on
    command = ["events", "find", str(nights / "timelines/a_1/timeline.csv")]
    thresholds = ["--thresholds", str(nights / "out/thresholds.json")]
    assert main([*command, *thresholds, "--out", str(nights / "again")]) == 0


def test_types_are_looked_for_in_the_events_then_among_clips_then_among_people(nights):
    def types(column, **more):
        traces, _ = pair_timelines(
            nights / "timelines", nights / "truth", nights / "clips.tsv", types=column, **more
        )
        return [one.types for one in traces[SIGN]]

    assert types("level") == [["FOS"], ["TCS", "FOS"], []]
    with pytest.raises(UserError, match=r"have other levels than the timelines \(present\)"):
        types(None)
    assert types("ward", any_level=True) == ["wa", "wb", "wc"]
    for person, rows in (("a", "50\t10\tseizure\tx\n"), ("b", "50\t10\tseizure\tn/a\n"), ("c", "")):
        header = "onset\tduration\ttrial_type\tkind\n"
        (nights / f"truth/{person}_1_events.tsv").write_text(header + rows)
    assert types(None) == [None, None, None]
    assert types("kind") == [["x"], [""], []]
    assert types("ward") == ["wa", "wb", "wc"]
    assert types("lobe") == ["frontal", "temporal", "frontal"]
    with pytest.raises(UserError, match="--types shape: no table of reference events"):
        types("shape")


def test_an_older_file_of_thresholds_does_not_stay_where_none_is_chosen(nights, capsys):
    """The folder of an earlier result is refused, so that nothing of two results is mixed."""
    assert run(nights, "--types", "level", "--at", "12/h") == 0
    before = {path.name: path.read_bytes() for path in (nights / "out").iterdir()}
    for table in (nights / "truth").glob("*_events.tsv"):
        table.write_text("onset\tduration\ttrial_type\n")
    assert run(nights) == 2
    assert "curve.tsv is there already; move it, or name another --out" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in (nights / "out").iterdir()} == before
    (nights / "out").rename(nights / "before")
    assert run(nights) == 0
    names = {path.name for path in (nights / "out").iterdir()}
    assert names == {"curve.tsv", "curve.json", "curve.png", "curve.svg"}
    assert "No annotated event" in capsys.readouterr().out


def test_mistakes_are_refused_in_one_line_and_nothing_is_written(nights, capsys):
    for more, words in (
        (("--at", "often"), "is not a rate of false alarms"),
        (("--night", "30"), "hours of a night"),
        (("--off", "1.5"), "shares above 0 and at most 1"),
        (("--on", "[2]"), "hysteresis: on=2"),
        (("--draws", "-1"), "draws=-1"),
    ):
        assert run(nights, "--types", "level", *more) == 2
        error = capsys.readouterr().err
        assert words in error and "Traceback" not in error
    assert not (nights / "out").exists()


def test_the_default_path_starts_from_the_untuned_thresholds():
    cell = CurveOptions(on=(0.6,)).cells()[0]
    default = Hysteresis()
    assert cell.off == pytest.approx(default.off, abs=1e-4)
    assert (cell.shortest, cell.merge, cell.unseen) == (
        *(default.shortest, default.merge, default.unseen),
    )
    assert THRESHOLDS[0] == 0.0001 and THRESHOLDS[-1] == 1.0 and 0.999 < THRESHOLDS[-8] < 1


def test_five_equal_participants_have_no_interval_of_the_rate():
    """Each has one false alarm in its hour at 0.2; at 0.6 nobody has: Poisson."""
    people = [night(name, {100: 0.9, 1000: 0.5}, truth=[100]) for name in "abcde"]
    found = alarm_curves({SIGN: people}, options(at="2/h"), draws=100)
    (own,) = found["signs"].values()
    low = own["curve"][0]
    assert (low["per_hour"], low["per_hour_low"], low["per_hour_high"]) == (1.0, None, None)
    assert own["curve"][-1]["per_hour_high"] == pytest.approx(3.689 / 5, abs=1e-3)
    assert "no interval: every resampled cohort has the same value" in text(found)
