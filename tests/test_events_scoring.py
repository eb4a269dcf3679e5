import json
import math
import re

import numpy as np
import pytest
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring, SampleScoring

from semiology.cli.main import main
from semiology.errors import UserError
from semiology.timeline.events import (
    SZCORE,
    Event,
    Recording,
    Tolerances,
    evaluate_events,
    score_events,
    write_events,
)
from semiology.timeline.events.scoring import Counts, figures


def events(*spans, sign="sign", level=None):
    return [Event(float(onset), float(offset - onset), sign, level) for onset, offset in spans]


def score(true, found, duration=1000.0, **tolerances):
    return score_events(events(*true), events(*found), duration, Tolerances(**tolerances))


def counted(true, found, duration=1000.0, **tolerances):
    counts = score(true, found, duration, **tolerances).counts
    return counts.events, counts.hits, counts.false_alarms


# events, hits, false alarms


@pytest.mark.parametrize(
    ("true", "found", "expected"),
    [
        ([(100, 110)], [(105, 120)], (1, 1, 0)),  # any overlap
        ([(100, 110)], [(110, 120)], (1, 0, 1)),  # touching is not overlapping
        ([(100, 110)], [(90, 100)], (1, 0, 1)),
        ([(100, 110), (120, 130)], [(90, 140)], (2, 2, 0)),  # one alarm over two seizures
        ([(100, 130)], [(90, 110), (115, 120)], (1, 1, 0)),  # two alarms in one seizure
        ([(100, 110)], [], (1, 0, 0)),  # a miss
        ([], [(100, 110), (300, 310)], (0, 0, 2)),  # nothing is there
        ([], [], (0, 0, 0)),
        ([(990, 1000)], [(995, 1000)], (1, 1, 0)),  # at the recording's end
        ([(100, 110)], [(104.0, 104.02)], (1, 1, 0)),  # shorter than any grid
        ([(104, 104)], [(100, 110)], (1, 1, 0)),  # a moment inside
        ([(100, 110)], [(110, 110)], (1, 0, 1)),  # a moment at the edge
        ([(200, 210), (100, 110)], [(200, 210), (100, 110)], (2, 2, 0)),  # in any order
    ],
)
def test_events_by_hand(true, found, expected):
    assert counted(true, found) == expected


def test_what_lies_within_the_tolerances_belongs_to_the_event():
    for alarm, hits in (((160, 175), 1), ((170, 175), 0), ((70, 71), 1), ((60, 70), 0)):
        assert counted([(100, 110)], [alarm], before=30, after=60) == (1, hits, 1 - hits)


def test_events_nearer_than_apart_are_one():
    assert counted([(100, 110), (199.9, 210)], [(100, 110)], apart=90) == (1, 1, 0)
    assert counted([(100, 110), (200, 210)], [(100, 110)], apart=90) == (2, 1, 0)


def test_events_longer_than_longest_are_several():
    """900 s are three of 300, of which the alarm hits the first; a found event is cut in the same
    way, so two of its three are false.
    """
    assert counted([(100, 1000)], [(100, 110)], longest=300) == (3, 1, 0)
    assert counted([(100, 110)], [(100, 1000)], longest=300) == (1, 1, 2)
    assert counted([(100, 400)], [(100, 400)], longest=300) == (1, 1, 0)


def test_a_share_of_the_event_has_to_be_found_where_that_is_required():
    assert counted([(100, 110)], [(105, 110)], overlap=0.4) == (1, 1, 0)
    assert counted([(100, 110)], [(106, 110)], overlap=0.4) == (1, 0, 1)
    assert counted([(100, 110)], [(100, 102), (104, 107)], overlap=0.4) == (
        1,
        1,
        0,
    )  # both together


# seconds, onsets


def test_seconds_by_hand():
    """True 100-110 and 200-220; called 105-112 and 300-304: 30 s true, 5 s of them called, 6 s
    called in vain.
    """
    counts = score([(100, 110), (200, 220)], [(105, 112), (300, 304)]).counts
    assert (counts.true_seconds, counts.right_seconds, counts.false_seconds) == (30, 5, 6)
    got = figures(counts.array())
    assert got["second_sensitivity"] == pytest.approx(5 / 30) and got[
        "second_precision"
    ] == pytest.approx(5 / 11)
    assert got["second_f1"] == pytest.approx(10 / 41)


def test_a_sign_of_eight_tenths_of_a_second_has_eight_tenths_of_a_second():
    counts = score([(100.6, 101.4)], [(100.6, 101.4)]).counts
    assert (
        counts.true_seconds == pytest.approx(0.8)
        and counts.right_seconds == pytest.approx(0.8)
        and counts.false_seconds == 0
    )


def test_levels_of_a_sign_that_overlap_are_not_counted_twice():
    both = events((100, 110), level="left") + events((105, 120), level="right")
    counts = score_events(both, both, 1000).counts
    assert (counts.true_seconds, counts.right_seconds, counts.false_seconds) == (20, 20, 0)


def test_the_onset_is_dated_by_the_first_alarm_and_an_alarm_dates_one_onset():
    assert score([(100, 130)], [(90, 110), (115, 120)]).onset_errors == (-10,)
    assert score([(100, 130)], [(103, 110)]).onset_errors == (3,)
    assert score([(100, 110), (120, 130)], [(98, 140)]).onset_errors == (-2,)
    assert score([(100, 110), (120, 130)], [(98, 121), (125, 128)]).onset_errors == (-2, 5)
    assert score([(100, 110)], [(115, 120)]).onset_errors == ()
    assert score([(100, 900)], [(101, 900)], longest=300).onset_errors == (
        1,
    )  # pieces of a long one have no onset


def test_events_are_cut_at_the_recordings_edges():
    counts = score_events(
        [Event(-5.0, 10.0, "sign"), Event(995.0, 10.0, "sign")], events((0, 5), (999, 1003)), 1000
    ).counts
    assert (counts.events, counts.hits, counts.true_seconds, counts.right_seconds) == (2, 2, 10, 6)
    assert score_events([Event(-5.0, 3.0, "sign")], [], 1000).counts.events == 0


@pytest.mark.parametrize(
    ("duration", "what"),
    [
        (0.0, "cannot be scored"),
        (math.nan, "cannot be scored"),
        (90.0, "after the recording's end"),
    ],
)
def test_recordings_that_cannot_be_are_refused(duration, what):
    with pytest.raises(UserError, match=what):
        score([(100, 110)], [], duration)


@pytest.mark.parametrize(
    "values", [{"before": -1}, {"overlap": 1}, {"longest": 0}, {"apart": math.inf}]
)
def test_tolerances_that_cannot_be_are_refused(values):
    with pytest.raises(UserError, match="tolerances"):
        Tolerances(**values)


def test_figures_by_hand():
    """Four events in half an hour, three found, two false alarms."""
    got = figures(Counts(1800, 4, 3, 2, 40, 30, 10).array())
    assert (
        got["event_sensitivity"] == 0.75
        and got["event_precision"] == 0.6
        and got["event_f1"] == pytest.approx(2 / 3)
    )
    assert got["false_alarms_per_hour"] == 4 and got["false_alarms_per_24h"] == 96
    nothing = figures(Counts(3600).array())
    assert np.isnan(nothing["event_f1"]) and nothing["false_alarms_per_24h"] == 0
    assert figures(Counts(3600, false_alarms=1).array())["event_f1"] == 0


def random_spans(rng, duration):
    return (
        np.sort(rng.choice(duration, 2 * rng.integers(0, 12), replace=False))
        .reshape(-1, 2)
        .astype(float)
    )


@pytest.mark.parametrize(
    "tolerances",
    [Tolerances(), SZCORE, Tolerances(before=5, after=7, overlap=0.3, longest=20, apart=4)],
)
def test_counts_and_figures_are_those_of_timescoring_where_its_grid_holds_the_times(tolerances):
    rng = np.random.default_rng(1)
    parameters = EventScoring.Parameters(
        tolerances.before,
        tolerances.after,
        tolerances.overlap,
        tolerances.longest or 1e9,
        tolerances.apart,
    )
    for _ in range(100):
        duration = int(rng.integers(200, 3000))
        true, found = random_spans(rng, duration), random_spans(rng, duration)
        theirs = [
            Annotation([tuple(span) for span in spans], 10, duration * 10)
            for spans in (true, found)
        ]
        by_event, by_second = EventScoring(*theirs, parameters), SampleScoring(*theirs)
        ours = score_events(events(*true), events(*found), duration, tolerances).counts
        assert (ours.events, ours.hits, ours.false_alarms) == (
            by_event.refTrue,
            by_event.tp,
            by_event.fp,
        )
        assert (ours.true_seconds, ours.right_seconds, ours.false_seconds) == (
            by_second.refTrue,
            by_second.tp,
            by_second.fp,
        )
        got = figures(ours.array())
        for kind, scored in (("event", by_event), ("second", by_second)):
            for name in ("sensitivity", "precision", "f1"):
                np.testing.assert_allclose(got[f"{kind}_{name}"], getattr(scored, name))
        np.testing.assert_allclose(got["false_alarms_per_24h"], by_event.fpRate)


def test_a_later_start_changes_nothing():
    rng = np.random.default_rng(2)
    for _ in range(30):
        true, found = random_spans(rng, 900) / 10, random_spans(rng, 900) / 10
        here = score_events(events(*true), events(*found), 1000, Tolerances(1, 2, 0.1, 5, 1))
        later = score_events(
            events(*true + 333.3), events(*found + 333.3), 1000, Tolerances(1, 2, 0.1, 5, 1)
        )
        np.testing.assert_allclose(here.counts.array(), later.counts.array(), atol=1e-6)
        np.testing.assert_allclose(here.onset_errors, later.onset_errors, atol=1e-6)


# a cohort


def cohort():
    """p1: two recordings, one without events. p2: a miss. p3: a hit. Each lasts half an hour."""
    return [
        Recording("p1_1", "p1", 1800, events((100, 110)), events((98, 110), (500, 510))),
        Recording("p1_2", "p1", 1800, [], events((300, 310))),
        Recording("p2_1", "p2", 1800, events((100, 110)), []),
        Recording("p3_1", "p3", 1800, events((100, 110)), events((103, 110))),
    ]


def test_counts_add_up_before_anything_is_divided_and_empty_recordings_count():
    evaluation = evaluate_events(cohort())
    sign = evaluation["signs"]["sign"]
    assert (sign["counts"]["events"], sign["counts"]["hits"], sign["counts"]["false_alarms"]) == (
        3,
        2,
        2,
    )
    values = {name: found["value"] for name, found in sign["figures"].items()}
    assert (
        values["event_sensitivity"] == pytest.approx(2 / 3)
        and values["event_precision"] == 0.5
        and values["event_f1"] == pytest.approx(4 / 7)
    )
    assert values["false_alarms_per_hour"] == 1 and values["false_alarms_per_24h"] == 24
    assert sign["onset_error_s"] == {
        "n": 2,
        "median": 0.5,
        "absolute_median": 2.5,
        "absolute_95": 2.95,
    }  # -2 and 3 s
    assert (
        sign["participants"]["p1"]["false_alarms"] == 2
        and sign["participants"]["p1"]["false_alarms_per_hour"] == 2
    )
    assert (
        sign["participants"]["p2"]["event_f1"] == 0
        and sign["participants"]["p2"]["event_precision"] is None
    )
    assert (
        sign["recordings"]["p1_2"]["false_alarms"] == 1
        and evaluation["hours"] == 2
        and evaluation["participants"] == 3
    )
    assert json.loads(json.dumps(evaluation, allow_nan=False)) == evaluation


def test_intervals_are_over_participants():
    """p1, p2, p3 drawn with replacement: sensitivity 0 (p2 thrice) to 1 (p2 never). One participant
    gives none.
    """
    found = evaluate_events(cohort())["signs"]["sign"]["figures"]["event_sensitivity"]
    assert found["low"] == 0 and found["high"] == 1
    alone = evaluate_events(
        [recording for recording in cohort() if recording.participant_id == "p1"]
    )["signs"]["sign"]["figures"]["event_sensitivity"]
    assert alone["low"] is None and alone["reason"] == "one participant only"


def test_no_false_alarm_in_two_hours_is_not_a_rate_of_zero_for_certain():
    """Poisson: with 1.84 an hour, two hours without one are as rare as 2.5 %."""
    silent = [
        Recording(f"c{n}", f"p{n}", 1800, events((100, 110)), events((100, 110))) for n in range(4)
    ]
    rate = evaluate_events(silent)["signs"]["sign"]["figures"]["false_alarms_per_hour"]
    assert (rate["value"], rate["low"]) == (0, 0) and math.exp(-2 * rate["high"]) == pytest.approx(
        0.025
    )
    assert (
        evaluate_events(silent)["signs"]["sign"]["figures"]["event_f1"]["low"] < 0.6
    )  # four of four people, by Wilson


def test_levels_count_where_the_truth_has_them():
    true, found = events((100, 110), level="left"), events((100, 110), level="right")
    assert set(evaluate_events([Recording("c", "p", 900, true, found)])["signs"]) == {
        "sign left",
        "sign right",
    }
    (sign,) = evaluate_events([Recording("c", "p", 900, events((100, 110)), found)])[
        "signs"
    ].values()
    assert sign["counts"]["hits"] == 1


@pytest.mark.parametrize(
    ("recordings", "what"),
    [
        ([], "no recording"),
        ([Recording("c", "p", 900, [], [])], "neither reference nor hypothesis"),
        (
            [Recording("c", "p", 900, events((1, 2)), events((1, 2), sign="other"))],
            r"\(other\).*\(sign\).*--names",
        ),
        ([Recording("c7", "p", 90, events((100, 110)), [])], "c7: .*'sign' at 100 s .* 90 s"),
    ],
)
def test_cohorts_that_cannot_be_evaluated_are_refused(recordings, what):
    with pytest.raises(UserError, match=what):
        evaluate_events(recordings)


def scored(reference, hypothesis):
    """Sign -> (annotated, hits, false alarms), of (onset, offset, sign) of both sides."""
    sides = [
        [Event(start, end - start, sign) for start, end, sign in side]
        for side in (reference, hypothesis)
    ]
    found = evaluate_events([Recording("c", "p", 3600, *sides)])["signs"]
    counts = {sign: each["counts"] for sign, each in found.items()}
    return {
        sign: (each["events"], each["hits"], each["false_alarms"]) for sign, each in counts.items()
    }


def test_a_detected_seizure_hits_every_type_of_seizure():
    true = [(100, 130, "sz_foc_ia_nm"), (400, 430, "sz_foc_f2b"), (900, 960, "sz_gen_m_tonic")]
    found = [(105, 125, "sz"), (410, 440, "sz"), (890, 950, "sz"), (2000, 2020, "sz")]
    assert scored(true, found) == {"sz": (3, 3, 1)}
    # the other way round: what is detected is more special than what is annotated
    assert scored(found, true) == {"sz": (4, 3, 0)}


def test_a_type_is_scored_where_both_sides_have_it():
    true = [(100, 130, "sz_foc_ia"), (400, 430, "sz_gen_m")]
    found = [(100, 130, "sz_foc"), (400, 430, "sz_foc"), (800, 830, "sz_gen_m")]
    assert scored(true, found) == {"sz_foc": (1, 1, 1), "sz_gen_m": (1, 0, 1)}


def test_a_sign_whose_name_begins_as_anothers_is_another():
    true, found = [(100, 130, "tonic"), (400, 430, "tonic_left")], [(100, 130, "tonic")]
    assert scored(true, found) == {"tonic": (1, 1, 0), "tonic_left": (1, 0, 0)}


# the verb


@pytest.fixture
def folders(tmp_path):
    for recording in cohort():
        write_events(tmp_path / f"true/{recording.clip_id}_events.tsv", recording.reference)
        write_events(
            tmp_path / f"found/{recording.clip_id}/events.tsv",
            recording.hypothesis,
            recording.duration,
        )
    (tmp_path / "clips.tsv").write_text(
        "clip_id\tparticipant_id\tvideo\n"
        + "".join(f"{r.clip_id}\t{r.participant_id}\tx\n" for r in cohort())
    )
    return tmp_path


def test_score_of_two_folders(folders, capsys):
    status = main(
        [
            "events",
            "score",
            f"{folders}/true",
            f"{folders}/found",
            f"--participants={folders}/clips.tsv",
            f"--out={folders}/s.json",
        ]
    )
    printed = capsys.readouterr().out
    assert status == 0
    assert printed.startswith("4 recordings of 3 participants, 2.00 h; ")
    assert "sign: 2 of 3 events detected, 2 false alarms" in printed and "clips.tsv" in printed
    written = json.loads((folders / "s.json").read_text())
    assert written["signs"] == evaluate_events(cohort())["signs"] and written["missing"] == []


def test_tolerances_are_options_and_part_of_the_result(folders, capsys):
    command = ["events", "score", f"{folders}/true", f"{folders}/found", f"--out={folders}/s.json"]

    def tolerances(option):
        assert main([*command, option]) == 0
        return json.loads((folders / "s.json").read_text())["tolerances"]

    szcore = {"before": 30, "after": 60, "overlap": 0, "longest": 300, "apart": 90}
    assert tolerances("--szcore=true") == szcore
    assert "before 30, after 60, overlap 0, longest 300, apart 90" in capsys.readouterr().out
    own = {"before": 2.5, "after": 0, "overlap": 0, "longest": None, "apart": 0}
    assert tolerances("--tolerances.before=2.5") == own


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--szcore=true", "--tolerances.after=5"], ("--szcore", "--tolerances")),
        (["--tolerances.before=-1"], ("before=-1",)),
        (["--tolerances.overlap=1"], ("overlap=1",)),
        (["--draws=-5"], ("draws=-5",)),
    ],
)
def test_impossible_options_are_named(folders, capsys, options, what):
    assert main(["events", "score", f"{folders}/true", f"{folders}/found", *options]) == 2
    printed = capsys.readouterr().err
    assert all(part in printed for part in what)


def test_recordings_of_one_side_only_are_listed_and_give_status_1(folders, capsys):
    (folders / "found/p3_1/events.tsv").unlink()
    write_events(folders / "found/p9_1/events.tsv", [], 900)
    command = ["events", "score", f"{folders}/true", f"{folders}/found", f"--out={folders}/s.json"]
    assert main(command) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["p3_1", "p9_1"]
    written = json.loads((folders / "s.json").read_text())
    assert written["missing"] == lines and written["recordings"] == 3


def test_a_sign_of_another_name_is_an_error_and_can_be_mapped(folders, capsys):
    write_events(folders / "one_events.tsv", events((100, 110), sign="dystonia"))
    write_events(
        folders / "two_events.tsv", events((100, 110), sign="dystonia (pose)", level="present")
    )
    pair = [f"{folders}/one_events.tsv", f"{folders}/two_events.tsv"]
    assert (
        main(["events", "score", *pair, "--duration=600"]) == 2
        and "--names" in capsys.readouterr().err
    )
    assert (
        main(["events", "score", *pair, "--duration=600", "--names={dystonia (pose): dystonia}"])
        == 0
    )
    assert "dystonia: 1 of 1 events detected" in capsys.readouterr().out
    assert main(["events", "score", *pair, "--names={dystonia (pose): dystonia}"]) == 2
    printed = capsys.readouterr().err
    assert "one: " in printed and "--duration" in printed


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            lambda f: write_events(f / "true/p1_1_events.tsv", [], 900),
            "p1_1: .* 900 s in the reference .* 1800 s in the hypothesis",
        ),
        (
            lambda f: (f / "clips.tsv").write_text("clip_id\tparticipant_id\np1_1\tp1\n"),
            r"clips\.tsv: .*participant_id.* p1_2 \(3 ",
        ),
        (lambda f: (f / "clips.tsv").write_text("clip_id\nx\n"), r'column "participant_id": '),
        (
            lambda f: (f / "true/p2_1_events.tsv").write_text(
                "onset\tduration\ttrial_type\nx\t1\tsign\n"
            ),
            r'p2_1_events\.tsv: row 2, column "onset"',
        ),
    ],
)
def test_an_error_in_the_input_is_one_line(folders, capsys, change, what):
    change(folders)
    assert (
        main(
            [
                "events",
                "score",
                f"{folders}/true",
                f"{folders}/found",
                f"--participants={folders}/clips.tsv",
            ]
        )
        == 2
    )
    printed = capsys.readouterr().err
    assert re.search(what, printed) and printed.count("\n") == 1


def test_a_file_is_not_scored_against_a_folder(folders, capsys):
    assert main(["events", "score", f"{folders}/true/p1_1_events.tsv", f"{folders}/found"]) == 2
    printed = capsys.readouterr().err
    assert f"{folders}/true/p1_1_events.tsv" in printed and f"{folders}/found" in printed
    assert main(["events", "score", f"{folders}/true", f"{folders}/nowhere"]) == 2
    assert f"{folders}/nowhere" in capsys.readouterr().err
