import json
from itertools import pairwise

import numpy as np
import pytest

from semiology.data.events import is_a
from semiology.errors import UserError
from semiology.timeline.events import (
    Event,
    EventDetector,
    Hysteresis,
    find_events,
    read_events,
    read_folder,
    write_events,
)

NAN = float("nan")
PLAIN = Hysteresis(on=0.6, off=0.4, shortest=0.0, merge=0.0, unseen=0.0)


def windows(*probabilities, length=2.0, step=1.0, first=0.0):
    """One window a step; the k-th has its centre at first + k step + length / 2."""
    return [(first + k * step, first + k * step + length, p) for k, p in enumerate(probabilities)]


def spans(events):
    return [(round(event.onset, 6), round(event.offset, 6)) for event in events]


def found(probabilities, hysteresis=PLAIN, **how):
    return spans(find_events(windows(*probabilities, **how), hysteresis, "sign"))


# onset and offset


def test_an_event_begins_at_on_goes_on_above_off_and_ends_below_it():
    """Centres at 1, 2, 3, ... s, so the k-th window speaks for k + 0.5 to k + 1.5 s. 0.5 does not
    begin an event, but keeps one.
    """
    assert found([0.1, 0.5, 0.6, 0.5, 0.4, 0.39, 0.5, 0.1]) == [(2.5, 5.5)]
    assert found([0.59, 0.59, 0.59]) == []


def test_an_event_may_reach_from_the_first_window_to_the_last():
    assert found([0.9, 0.9, 0.9]) == [(0.5, 3.5)]
    assert found([0.1, 0.1, 0.9]) == [(2.5, 3.5)]


def test_the_only_window_speaks_for_all_of_itself():
    assert (
        found([0.9]) == [(0.0, 2.0)]
        and found([0.1]) == []
        and found([]) == []
        and found([None]) == []
    )


def test_neighbours_meet_midway_where_the_last_window_is_nearer():
    """Centres 1, 2, 3, 3.4: the last window ends with the recording. It speaks from 3.2 on, and as
    far after its centre as before.
    """
    assert spans(find_events([*windows(0.1, 0.1, 0.1), (2.4, 4.4, 0.9)], PLAIN, "sign")) == [
        (3.2, 3.6)
    ]


def test_windows_that_do_not_touch_leave_a_hole_of_which_nothing_is_known():
    apart = [(0.0, 1.0, 0.9), (1.0, 2.0, 0.9), (10.0, 11.0, 0.9), (11.0, 12.0, 0.9)]
    assert spans(find_events(apart, PLAIN, "sign")) == [(0.0, 2.0), (10.0, 12.0)]
    assert spans(find_events(apart, Hysteresis(0.6, 0.4, 0, 0, unseen=8.0), "sign")) == [
        (0.0, 12.0)
    ]


def test_two_events_apart_by_no_more_than_merge_are_one():
    probabilities = [0.9, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.9]  # on in 0.5-1.5, 3.5-4.5 and 7.5-8.5 s
    assert found(probabilities) == [(0.5, 1.5), (3.5, 4.5), (7.5, 8.5)]
    assert found(probabilities, Hysteresis(0.6, 0.4, 0, merge=2.0, unseen=0)) == [
        (0.5, 4.5),
        (7.5, 8.5),
    ]
    assert found(probabilities, Hysteresis(0.6, 0.4, 0, merge=1.9, unseen=0)) == [
        (0.5, 1.5),
        (3.5, 4.5),
        (7.5, 8.5),
    ]


def test_short_events_are_dropped_after_merging():
    probabilities = [0.9, 0.1, 0.9, 0.1, 0.1, 0.1, 0.9, 0.1]
    assert found(probabilities, Hysteresis(0.6, 0.4, shortest=2.0, merge=1.0, unseen=0)) == [
        (0.5, 3.5)
    ]
    assert found(probabilities, Hysteresis(0.6, 0.4, shortest=1.0, merge=0.0, unseen=0)) == [
        (0.5, 1.5),
        (2.5, 3.5),
        (6.5, 7.5),
    ]
    assert found(probabilities, Hysteresis(0.6, 0.4, shortest=3.1, merge=1.0, unseen=0)) == []


def test_three_tenths_are_as_long_as_three_times_a_tenth():
    short = windows(0.9, 0.9, 0.9, 0.1, step=0.1, length=0.1, first=0.7)
    assert (
        len(find_events(short, Hysteresis(0.6, 0.4, shortest=0.3, merge=0, unseen=0), "sign")) == 1
    )


@pytest.mark.parametrize("missing", [None, NAN])
def test_an_event_continues_across_a_short_gap_and_ends_where_a_long_one_begins(missing):
    """0.5 after the stretch keeps an event but does not begin one."""
    probabilities = [0.9, 0.9, missing, missing, 0.5, 0.1]  # on until 2.5, nothing known until 4.5
    assert found(probabilities, Hysteresis(0.6, 0.4, 0, 0, unseen=2.0)) == [(0.5, 5.5)]
    assert found(probabilities, Hysteresis(0.6, 0.4, 0, 0, unseen=1.9)) == [(0.5, 2.5)]
    assert found([0.9, 0.9, missing, missing, 0.3], Hysteresis(0.6, 0.4, 0, 0, unseen=2.0)) == [
        (0.5, 2.5)
    ]
    assert found([0.9, 0.9, missing], Hysteresis(0.6, 0.4, 0, 0, unseen=2.0)) == [(0.5, 2.5)]
    assert found([missing, missing, 0.9]) == [(2.5, 3.5)]


def test_confidence_is_the_mean_probability_of_the_time_in_which_it_was_on():
    """Two parts of 1 s at 0.9 and one at 0.6; the gap that was merged and what was not seen do not
    count.
    """
    (event,) = find_events(
        windows(0.9, 0.1, 0.9, None, 0.6, 0.0),
        Hysteresis(0.6, 0.4, 0, 1.0, 1.0),
        "dystonia",
        "left",
    )
    assert event.confidence == pytest.approx(0.8) and event.kind == ("dystonia", "left")


def test_an_event_is_reported_as_soon_as_nothing_can_change_it():
    detector = EventDetector(Hysteresis(0.6, 0.4, 0, merge=1.0, unseen=0), "sign")
    detected = [spans(detector.push(*window)) for window in windows(0.9, 0.1, 0.1, 0.1, 0.9)]
    assert detected == [
        [],
        [],
        [],
        [(0.5, 1.5)],
        [],
    ]  # the part up to 3.5 s, 2 s after its end, is known with the window after it
    assert spans(detector.finish()) == [(4.5, 5.5)]


def random_windows(rng, count):
    probabilities = [None if rng.random() < 0.1 else float(p) for p in rng.random(count)]
    return windows(*probabilities, length=2.5, step=0.4)


def test_a_stream_that_is_stopped_anywhere_and_goes_on_from_its_state_gives_the_very_same_events():
    rng = np.random.default_rng(3)
    for trial in range(30):
        hysteresis = Hysteresis(0.7, 0.3, *rng.choice([0.0, 0.4, 1.0, 2.0], 3))
        whole = random_windows(rng, 120)
        pieces, cuts = [], sorted(rng.integers(0, 120, 6))
        state = EventDetector(hysteresis, "sign").state()
        for first, end in zip([0, *cuts], [*cuts, 120]):
            detector = EventDetector(hysteresis, "sign")
            detector.restore(json.loads(json.dumps(state, allow_nan=False)))
            pieces += [event for window in whole[first:end] for event in detector.push(*window)]
            state = detector.state()
        assert pieces + detector.finish() == find_events(whole, hysteresis, "sign"), trial


def test_a_later_start_changes_nothing_but_the_times():
    rng = np.random.default_rng(4)
    for _ in range(20):
        whole = random_windows(rng, 100)
        late = [(start + 35_999.9, end + 35_999.9, p) for start, end, p in whole]
        here, there = (
            find_events(part, Hysteresis(0.6, 0.4, 0.8, 0.4, 0.4), "sign") for part in (whole, late)
        )
        assert len(here) == len(there) > 0
        np.testing.assert_allclose(
            [e.onset + 35_999.9 for e in here], [e.onset for e in there], atol=1e-6
        )
        np.testing.assert_allclose(
            [e.duration for e in here], [e.duration for e in there], atol=1e-6
        )


@pytest.mark.parametrize(
    ("window", "what"),
    [
        ((0.0, 2.0, 1.2), "probability of 1.2"),
        ((3.0, 2.0, 0.5), "end comes after its start"),
        ((0.0, NAN, 0.5), "end comes after its start"),
        ((-1.0, 1.0, 0.5), "forward in time"),
        ((0.0, 2.0, 0.5), "forward in time"),
    ],
)
def test_windows_that_cannot_be_are_refused(window, what):
    detector = EventDetector(PLAIN, "sign")
    detector.push(0.0, 2.0, 0.5)
    with pytest.raises(UserError, match=what):
        detector.push(*window)


@pytest.mark.parametrize(
    "values",
    [
        {"on": 0.4, "off": 0.5},
        {"on": 1.1},
        {"off": 0.0},
        {"on": NAN},
        {"shortest": -1},
        {"merge": NAN},
        {"unseen": float("inf")},
    ],
)
def test_thresholds_that_cannot_be_are_refused(values):
    with pytest.raises(UserError, match="hysteresis: "):
        Hysteresis(**values)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"window": 3, "start": None, "open": None, "closed": None},
        {"window": None, "start": "x"},
    ],
)
def test_a_state_that_is_none_is_refused(state):
    with pytest.raises(UserError, match="event detector"):
        EventDetector(PLAIN, "sign").restore(state)


@pytest.mark.parametrize(
    "values",
    [
        {"onset": NAN},
        {"duration": -1.0},
        {"duration": float("inf")},
        {"confidence": 1.01},
        {"sign": " "},
        {"sign": "a\tb"},
        {"level": "n/a"},
    ],
)
def test_events_that_cannot_be_are_refused(values):
    with pytest.raises(UserError, match="event"):
        Event(**({"onset": 1.0, "duration": 2.0, "sign": "dystonia"} | values))


# tables


def test_a_table_reads_back_sorted_with_its_recordings_length(tmp_path):
    events = [
        Event(30.0004, 1.0, "dystonia", None, 0.51239),
        Event(2.5, 0.0, "clonic", "left"),
        Event(-1.5, 2.0, "tonic"),
    ]
    write_events(tmp_path / "p1_1_events.tsv", events, 60.0)
    rows = [
        "onset duration trial_type level confidence",
        "-1.500 2.000 tonic n/a n/a",
        "2.500 0.000 clonic left n/a",
        "30.000 1.000 dystonia n/a 0.5124",
    ]
    written = (tmp_path / "p1_1_events.tsv").read_text()
    assert written == "".join(row.replace(" ", "\t") + "\n" for row in rows)
    described = json.loads((tmp_path / "p1_1_events.json").read_text())
    assert (
        described["onset"]["Units"] == described["duration"]["Units"] == "s"
        and described["RecordingDuration"]["Value"] == 60
    )
    (tmp_path / "p1_1_events.json").write_text(json.dumps(described | {"RecordingDuration": 60}))
    assert read_events(tmp_path / "p1_1_events.tsv").duration == 60  # as earlier versions wrote it
    (tmp_path / "p1_1_events.json").write_text(json.dumps(described))
    table = read_events(tmp_path / "p1_1_events.tsv")
    assert table.duration == 60 and [event.sign for event in table.events] == [
        "tonic",
        "clonic",
        "dystonia",
    ]
    assert (
        table.events[1] == Event(2.5, 0.0, "clonic", "left")
        and table.events[2].confidence == 0.5124
    )


def test_rounding_to_the_millisecond_does_not_make_neighbours_overlap(tmp_path):
    cuts = np.cumsum(np.random.default_rng(0).random(200))
    write_events(tmp_path / "x_events.tsv", [Event(a, b - a, "sign") for a, b in pairwise(cuts)])
    events = read_events(tmp_path / "x_events.tsv").events
    assert len(events) == 199 and all(
        abs(here.offset - after.onset) < 1e-9 for here, after in pairwise(events)
    )


def test_a_table_without_events_is_a_recording_without_events(tmp_path):
    write_events(tmp_path / "x_events.tsv", [], 7200)
    table = read_events(tmp_path / "x_events.tsv")
    assert table.events == [] and table.duration == 7200


def test_tables_of_the_seizure_community_are_read_their_background_is_no_event(tmp_path):
    header = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"
    seizures = (
        "36.00\t40.00\tsz_foc_ia\tn/a\tn/a\t2016-11-06"
        " 13:43:04\t3600.00\n1462.00\t20.00\tsz\t0.80\tn/a\t2016-11-06 13:43:04\t3600.00\n"
    )
    (tmp_path / "sub-01_run-00_events.tsv").write_text(header + seizures)
    (tmp_path / "sub-01_run-01_events.tsv").write_text(
        header + "0.00\t1800.00\tbckg\tn/a\tn/a\t2016-11-06 14:43:04\t1800.00\n"
    )
    tables = read_folder(tmp_path)
    assert tables["sub-01_run-00"].events == [
        Event(36.0, 40.0, "sz_foc_ia"),
        Event(1462.0, 20.0, "sz", None, 0.8),
    ]
    assert tables["sub-01_run-00"].duration == 3600
    assert tables["sub-01_run-01"].events == [] and tables["sub-01_run-01"].duration == 1800


def test_nan_where_a_table_was_loaded_and_saved_by_epilepsy2bids_is_not_known(tmp_path):
    header = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"
    (tmp_path / "a.tsv").write_text(header + "36.00\t40.00\tsz\tnan\tn/a\tn/a\tnan\n")
    table = read_events(tmp_path / "a.tsv")
    assert table.events == [Event(36.0, 40.0, "sz")] and table.duration is None


GOOD = "onset\tduration\ttrial_type\n1.0\t2.0\tdystonia\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (GOOD + "soon\t1\ttonic\n", r'row 3, column "onset": .*\'soon\''),
        (GOOD + "n/a\t1\ttonic\n", r'row 3, column "onset": .*n/a'),
        (GOOD + "9\tn/a\ttonic\n", r'row 3, column "duration": .*n/a'),
        (GOOD + "9\t-1\ttonic\n", r'row 3, column "duration": .*\'-1\''),
        (GOOD + "inf\t1\ttonic\n", r'row 3, column "onset": .*\'inf\''),
        (GOOD + "9\t1\tn/a\n", r'row 3, column "trial_type": '),
        (GOOD + '9\t1\ta"b\n', r'row 3, column "trial_type": .* 9 s'),
        (GOOD + "9\t1\n", r"row 3: .*\b2\b.*\b3\b"),
        (
            GOOD + "2.5\t1\tdystonia\n",
            r'row 3, column "onset": .*\'dystonia\'.* 2\.5 s.* row 2 .* 3 s',
        ),
        (
            "onset\tduration\ttrial_type\tconfidence\n1\t2\ttonic\t7\n",
            r'row 2, column "confidence": .*\'7\'.*\b0\b.*\b1\b',
        ),
        ("onset\ttrial_type\n1.0\tdystonia\n", r'row 1, column "duration": '),
        ("onset\tduration\n1.0\t2.0\n", r'column "trial_type": '),
        ("onset,duration,trial_type\n1,2,tonic\n", "comma"),
        ("", "empty"),
        (GOOD.replace("dystonia", "Myoklonié").encode("cp1252"), "UTF-8"),
        (
            "onset\tduration\teventType\trecordingDuration\n1\t2\tsz\t60\n9\t2\tsz\t61\n",
            r'row 3, column "recordingDuration": ',
        ),
    ],
)
def test_an_error_in_a_table_names_file_row_and_column(tmp_path, text, what):
    (tmp_path / "x_events.tsv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=rf"x_events\.tsv.*{what}") as raised:
        read_events(tmp_path / "x_events.tsv")
    assert "\n" not in str(raised.value)


def test_names_that_a_spreadsheet_would_compute_are_written_as_text_and_read_back(tmp_path):
    event = Event(1.0, 2.0, "=1+1", "-high", 0.5)
    write_events(tmp_path / "x_events.tsv", [event], 10.0)
    assert "\t'=1+1\t'-high\t" in (tmp_path / "x_events.tsv").read_text()
    assert list(read_events(tmp_path / "x_events.tsv").events) == [event]


def test_events_of_different_signs_or_levels_may_overlap(tmp_path):
    write_events(
        tmp_path / "x_events.tsv",
        [Event(0, 9, "tonic"), Event(1, 9, "clonic", "left"), Event(2, 9, "clonic", "right")],
    )
    assert len(read_events(tmp_path / "x_events.tsv").events) == 3


def test_folders_hold_tables_by_recording(tmp_path):
    write_events(tmp_path / "deep/p1_events.tsv", [Event(1, 2, "tonic")])
    write_events(tmp_path / "p2/events.tsv", [])
    assert sorted(read_folder(tmp_path)) == ["p1", "p2"]
    write_events(tmp_path / "p2_events.tsv", [])
    with pytest.raises(UserError, match="p2"):
        read_folder(tmp_path)
    (tmp_path / "none").mkdir()
    for folder in ("none", "nowhere"):
        with pytest.raises(UserError, match=str(tmp_path / folder)):
            read_folder(tmp_path / folder)
    with pytest.raises(UserError, match=r"nothing_events\.tsv"):
        read_events(tmp_path / "nothing_events.tsv")


def test_a_broken_description_is_named(tmp_path):
    write_events(tmp_path / "x_events.tsv", [])
    (tmp_path / "x_events.json").write_text("[")
    with pytest.raises(UserError, match=r"x_events\.json: "):
        read_events(tmp_path / "x_events.tsv")


SZCORE_HEADER = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"


def szcore(path, *rows):
    """A table as epilepsy2bids 0.0.7 writes it: onset and duration to 0.01 s, each by itself."""
    lines = [
        f"{onset:.2f}\t{duration:.2f}\t{kind}\tn/a\tn/a\tn/a\t3600.00\n"
        for onset, duration, kind in rows
    ]
    path.write_text(SZCORE_HEADER + "".join(lines))
    return path


def test_seizures_that_touch_are_two_after_rounding_to_hundredths(tmp_path):
    # 10.004 + 5.014 = 15.018: written 10.00 + 5.01 = 15.01, and 15.02; 20.006 + 4.9946 = 25.0006:
    # written 20.01 + 4.99; 30.005 + 5.005 = 35.01, written 30.01 + 5.01 = 35.02, then 35.01
    rows = [(30.0051, 5.0051, "sz"), (35.0102, 5.0, "sz"), (40.0102, 2.0, "sz")]
    found = read_events(szcore(tmp_path / "a_events.tsv", *rows)).events
    assert [event.onset for event in found] == [30.01, 35.01, 40.01]
    assert [event.offset for event in found] == pytest.approx([35.01, 40.01, 42.01])
    assert all(b.onset >= a.offset - 1e-9 for a, b in pairwise(found))


def test_neighbours_that_overlap_by_more_than_rounding_are_refused(tmp_path):
    path = szcore(tmp_path / "a_events.tsv", (30, 5, "sz"), (34.98, 5, "sz"))
    with pytest.raises(UserError, match=r'row 3, column "onset".*until 35 s'):
        read_events(path)


def test_background_and_impedance_checks_are_no_signs(tmp_path):
    rows = [(0, 60, "bckg"), (60, 5, "impd"), (70, 9, "sz_foc_a")]
    found = read_events(szcore(tmp_path / "a_events.tsv", *rows)).events
    assert [event.sign for event in found] == ["sz_foc_a"]


@pytest.mark.parametrize("cell", ["1e300", "1e9", "-1e9"])
@pytest.mark.parametrize("column", ["onset", "duration", "recordingDuration"])
def test_times_above_a_year_are_named_by_row(tmp_path, cell, column):
    cells = {"onset": "1", "duration": "2", "trial_type": "a", "recordingDuration": "9"}
    cells[column] = cell
    path = tmp_path / "a_events.tsv"
    path.write_text("\t".join(cells) + "\n" + "\t".join(cells.values()) + "\n")
    with pytest.raises(UserError, match=f"row 2, column \"{column}\": '{cell}'"):
        read_events(path)


def test_a_described_length_above_a_year_is_refused(tmp_path):
    write_events(tmp_path / "a_events.tsv", [], 60)
    (tmp_path / "a_events.json").write_text('{"RecordingDuration": 1e300}')
    with pytest.raises(UserError, match=r"RecordingDuration is 1e.300"):
        read_events(tmp_path / "a_events.tsv")


@pytest.mark.parametrize(
    ("sign", "other", "true"),
    [
        ("sz", "sz", True),
        ("sz_foc_ia_nm", "sz", True),
        ("sz_foc_ia_nm", "sz_foc", True),
        ("sz_foc_ia_nm", "sz_foc_ia", True),
        ("sz_foc_ia_nm", "sz_foc_i", False),  # not a part of the name
        ("sz_foc", "sz_foc_ia", False),  # the other way round
        ("szx", "sz", False),
        ("tonic_left", "tonic", False),  # not a seizure type of SzCORE
    ],
)
def test_types_of_seizures_are_seizures(sign, other, true):
    assert is_a(sign, other) is true


def test_shadows_of_macos_are_no_tables(tmp_path):
    write_events(tmp_path / "a_events.tsv", [Event(1, 2, "tonic")], 60)
    (tmp_path / "._a_events.tsv").write_bytes(b"\x00\x05\x16\x07" + bytes(60))
    assert list(read_folder(tmp_path)) == ["a"]
