"""Raters compared over tables of events, and the order of signs."""

import json
from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from semiology.cli.main import main
from semiology.data.events import Event, write_events
from semiology.errors import UserError
from semiology.evaluation.agreement.coefficients import fleiss_kappa, gwet_ac1, weighted_kappa
from semiology.evaluation.statistics.permutation import sign_flip_test
from semiology.timeline.events.agreement import agree_events, by_number
from semiology.timeline.events.order import order_of_signs
from semiology.timeline.events.raters import read_raters


def tonic(onset, end, **more):
    return Event(onset, None if end is None else end - onset, "tonic", **more)


@pytest.fixture
def written(tmp_path):
    """Writes marks, rater -> clip_id -> events, and reads them back as raters."""

    def write(marks, length=60.0, **how):
        for rater, clips in marks.items():
            for clip_id, events in clips.items():
                path = tmp_path / "marks" / rater / f"{clip_id}_events.tsv"
                write_events(path, events, length)
        return read_raters([tmp_path / "marks"], **how)

    return write


def figures(raters, *, pair=None, sign="tonic", draws=0, **how):
    """Figure -> value of one pair of raters and one sign."""
    rows, _ = agree_events(raters, draws=draws, **how)
    return {
        row["figure"]: row["value"]
        for row in rows
        if row["sign"] == sign and (pair is None or (row["first"], row["second"]) == pair)
    }


def test_two_raters_by_hand(written):
    """Of 60 s both mark 8, AB alone 2, nobody 50: observed agreement 58/60, expected
    (10 x 8 + 50 x 52) / 3600.
    """
    raters = written({"AB": {"one": [tonic(10, 20)]}, "CD": {"one": [tonic(12, 20)]}})
    found = figures(raters)
    expected = (10 * 8 + 50 * 52) / 3600
    assert found["time_kappa"] == pytest.approx((58 / 60 - expected) / (1 - expected))
    chance = 2 * (9 / 60) * (51 / 60)  # q is the mean share, 9 of 60 s
    assert found["time_ac1"] == pytest.approx((58 / 60 - chance) / (1 - chance))
    assert found["time_positive_agreement"] == pytest.approx(16 / 18)
    assert found["event_agreement"] == 1
    assert (found["onset_median"], found["offset_median"]) == (2, 0)


def test_time_is_summed_over_recordings_before_chance_is_computed(written):
    raters = written(
        {
            "AB": {"one": [tonic(0, 30)], "two": []},
            "CD": {"one": [tonic(0, 30)], "two": [tonic(0, 15)]},
        }
    )
    cells = np.array([[30.0, 0, 15, 75]])
    marked, also = np.array([1.0, 1, 0, 0]), np.array([1.0, 0, 1, 0])
    assert figures(raters)["time_kappa"] == pytest.approx(weighted_kappa(marked, also, cells, 1)[0])
    # observed 105/120, expected (30 x 45 + 90 x 75) / 120^2
    assert figures(raters)["time_kappa"] == pytest.approx((0.875 - 0.5625) / (1 - 0.5625))


def test_who_watched_and_marked_nothing_disagrees_and_who_did_not_watch_is_left_out(written):
    both = {"one": [tonic(10, 20)], "two": [tonic(30, 40)]}
    empty = written({"AB": both, "CD": {"one": [tonic(10, 20)], "two": []}})
    found = figures(empty)
    assert found["time_positive_agreement"] == pytest.approx(20 / 30)
    assert found["event_agreement"] == pytest.approx(2 / 3)


def test_a_recording_without_a_table_is_left_out_and_counted(written):
    both = {"one": [tonic(10, 20)], "two": [tonic(30, 40)]}
    raters = written({"AB": both, "CD": {"one": [tonic(10, 20)]}})
    _, document = agree_events(raters, draws=0)
    assert figures(raters)["time_kappa"] == pytest.approx(1)
    assert document["counts"][0]["recordings"] == 1
    assert document["raters"] == {"AB": 2, "CD": 1}
    assert any("1 of 2 recordings are without a table" in note for note in document["notes"])


def random_events(rng, length, count=4):
    ends = np.sort(rng.integers(1, length * 10, 2 * count)) / 10
    return [tonic(begin, end) for begin, end in ends.reshape(-1, 2) if end > begin]


def test_kappa_of_durations_is_that_of_short_bins(written):
    rng = np.random.default_rng(0)
    marks = {rater: {f"c{n}": random_events(rng, 60) for n in range(3)} for rater in ("AB", "CD")}
    centres = np.arange(0.05, 60, 0.1)  # all ends are at whole tenths of a second

    def grid(rater):
        return [
            any(event.onset <= centre < event.offset for event in events)
            for events in marks[rater].values()
            for centre in centres
        ]

    found = figures(written(marks))["time_kappa"]
    assert found == pytest.approx(cohen_kappa_score(grid("AB"), grid("CD")))


def test_a_rater_agrees_with_himself_and_one_who_is_late_is_late_by_that(written):
    rng = np.random.default_rng(1)
    marks = {f"sub-{n:02d}_sz-1": random_events(rng, 50, 2) for n in range(6)}
    late = {
        clip_id: [tonic(event.onset + 0.3, event.offset + 0.3) for event in events]
        for clip_id, events in marks.items()
    }
    raters = written({"AB": marks, "again": marks, "late": late}, length=90.0)
    same = figures(raters, pair=("AB", "again"))
    assert [same[name] for name in ("time_kappa", "time_ac1", "event_agreement")] == pytest.approx(
        [1, 1, 1]
    )
    assert (same["onset_bias"], same["onset_lower_limit"]) == (0, 0)
    after, before = (figures(raters, pair=pair) for pair in (("AB", "late"), ("again", "late")))
    assert after == before
    for end, name in product(("onset", "offset"), ("median", "bias", "lower_limit", "upper_limit")):
        assert after[f"{end}_{name}"] == pytest.approx(0.3)


def test_exchanging_two_raters_changes_the_sign_of_differences_alone(tmp_path):
    rng = np.random.default_rng(2)
    pairs = []
    marks = {
        rater: {f"c{n}": random_events(rng, 60, 5) for n in range(4)} for rater in ("AB", "CD")
    }
    for names in (("1", "2"), ("2", "1")):
        for name, clips in zip(names, marks.values()):
            for clip_id, events in clips.items():
                folder = tmp_path / "".join(names) / name
                write_events(folder / f"{clip_id}_events.tsv", events, 60.0)
        pairs.append(figures(read_raters([tmp_path / "".join(names)])))
    for name in ("time_kappa", "time_ac1", "time_positive_agreement", "event_agreement"):
        assert pairs[0][name] == pytest.approx(pairs[1][name])
    assert pairs[0]["onset_median"] == pytest.approx(-pairs[1]["onset_median"])
    assert pairs[0]["offset_upper_limit"] == pytest.approx(-pairs[1]["offset_lower_limit"])


def test_instants_match_by_the_tolerance_and_have_no_time(written):
    raters = written(
        {
            "AB": {"one": [tonic(0, 0), tonic(10, 10)]},
            "CD": {"one": [tonic(0, 0), tonic(10.4, 10.4)]},
        }
    )
    found = figures(raters)
    assert found["time_kappa"] is None and found["time_ac1"] is None
    assert found["event_agreement"] == 1
    assert found["onset_median"] == pytest.approx(0.2)  # of 0 and 0.4
    assert found["offset_median"] is None
    assert figures(raters, tolerance=0.3)["event_agreement"] == 0.5
    assert figures(raters, tolerance=0)["event_agreement"] == 0
    _, document = agree_events(raters, draws=0)
    assert document["counts"][0]["instants"] == 4


def test_an_event_without_an_end_has_an_onset_and_its_recording_no_time(written):
    raters = written(
        {
            "AB": {"one": [tonic(10, None)], "two": [tonic(10, 20)]},
            "CD": {"one": [tonic(9, 15)], "two": [tonic(10, 20)]},
        }
    )
    found = figures(raters)
    assert found["event_agreement"] == 1 and found["onset_median"] == -0.5  # of -1 and 0
    assert found["offset_median"] == 0 and found["time_kappa"] == pytest.approx(1)
    counts = agree_events(raters, draws=0)[1]["counts"][0]
    assert counts["without_end"] == 1 and counts["recordings_with_time"] == 1


def test_overlapping_marks_of_one_rater_are_one_and_what_is_outside_has_no_time(written):
    raters = written(
        {
            "AB": {"one": [tonic(-5, 10), tonic(8, 20), tonic(50, 70)]},
            "CD": {"one": [tonic(-4, 20), tonic(52, 66)]},
        }
    )
    counts = agree_events(raters, draws=0)[1]["counts"][0]
    assert counts["joined"] == 1 and counts["events"]["first"] == 2
    assert counts["seconds"] == {"both": 28, "first_alone": 2, "second_alone": 0, "neither": 30}
    assert figures(raters)["onset_median"] == 1.5  # of 1 and 2: ends are compared as they are


def test_without_lengths_there_is_no_time_and_with_duration_there_is(written):
    marks = {"AB": {"one": [tonic(10, 20)]}, "CD": {"one": [tonic(12, 20)]}}
    found = figures(written(marks, length=None))
    assert found["time_kappa"] is None and found["onset_median"] == 2
    assert figures(written(marks, length=None, duration=60.0))["time_kappa"] == pytest.approx(
        0.8696, abs=1e-4
    )


def test_time_by_number_of_raters():
    spans = [np.array([[0.0, 10], [20, 30]]), np.array([[5.0, 25]]), np.array([[-5.0, 1], [9, 99]])]
    # 0-1: 1, 3; 1-5: 1; 5-9: 1, 2; 9-10: all; 10-20: 2, 3; 20-25: all; 25-30: 1, 3; 30-40: 3
    assert by_number(spans, 40.0).tolist() == [0, 4 + 10, 1 + 4 + 10 + 5, 1 + 5]


def test_three_raters_together(written):
    """Of 60 s three raters mark 10 to 20, 10 to 20 and 15 to 25: 5 s all, 5 s two, 5 s one."""
    marks = {
        rater: {"one": [tonic(onset, onset + 10)]}
        for rater, onset in {"AB": 10, "CD": 10, "EF": 15}.items()
    }
    found = figures(written(marks), pair=("all", "raters"))
    counts = np.array([[45.0, 5, 5, 5]])
    # of the 3 pairs: all agree in 50 s, one pair of three in 10 s; each marks 1/6 of the time
    observed, chance = (50 + 10 / 3) / 60, (1 / 6) ** 2 + (5 / 6) ** 2
    assert found["time_kappa"] == pytest.approx((observed - chance) / (1 - chance))
    assert found["time_kappa"] == pytest.approx(float(fleiss_kappa(counts)[0]))
    assert found["time_ac1"] == pytest.approx(float(gwet_ac1(counts)[0]))
    # pairs share 10, 5 and 5 s, and each has 20 s in two raters
    assert found["time_positive_agreement"] == pytest.approx(2 * 20 / 60)
    assert found["event_agreement"] == 1


def test_intervals_are_by_participant(written):
    """Six participants with three recordings each, all alike within a participant."""
    marks = {"AB": {}, "CD": {}}
    for n, r in product(range(6), range(3)):
        marks["AB"][f"sub-{n}_run-{r}"] = [tonic(10, 20)]
        marks["CD"][f"sub-{n}_run-{r}"] = [tonic(10 + n, 20)]
    rows, document = agree_events(written(marks), draws=400)
    assert document["participants"] == "by sub- in the recordings' names"
    kappa = next(row for row in rows if row["figure"] == "time_kappa")
    assert (kappa["participants"], kappa["rows"]) == (6, 18)
    single = {rater: {c: e for c, e in own.items() if "run-0" in c} for rater, own in marks.items()}
    alone = read_raters_of(single)
    same = next(row for row in agree_events(alone, draws=400)[0] if row["figure"] == "time_kappa")
    assert (same["low"], same["high"]) == pytest.approx((kappa["low"], kappa["high"]))


def read_raters_of(marks, length=60.0):
    """Raters without files."""
    from semiology.timeline.events.raters import Raters

    clips = sorted({clip_id for own in marks.values() for clip_id in own})
    return Raters(
        marks,
        dict.fromkeys(clips, length),
        {clip_id: clip_id.split("_")[0] for clip_id in clips},
        "",
        [],
    )


def test_a_perfect_value_rests_on_participants_with_the_sign():
    marks = {f"p{n}_1": [tonic(10, 20)] if n < 3 else [] for n in range(12)}
    rows, _ = agree_events(read_raters_of({"AB": marks, "CD": marks}), draws=200)
    kappa = next(row for row in rows if row["figure"] == "time_kappa")
    assert kappa["value"] == 1 and kappa["low"] == pytest.approx(-1 + 2 * 0.4385, abs=1e-3)
    matched = next(row for row in rows if row["figure"] == "event_agreement")
    assert matched["low"] == pytest.approx(0.4385, abs=1e-3)  # Wilson's limit of 3 of 3


def test_raters_are_found_by_folder_by_column_and_by_a_review(tmp_path):
    named = [tonic(1, 2, rater="Dr. Ä"), tonic(3, 4, rater="Dr. Ä")]
    write_events(tmp_path / "marks/Dr. _/one_events.tsv", named, 9.0)
    write_events(tmp_path / "marks/Dr. _/two_events.tsv", [], 9.0)
    write_events(tmp_path / "marks/CD/events/one_events.tsv", [tonic(1, 2)], 9.0)
    write_events(tmp_path / "found/one/events.tsv", [tonic(1, 2)], 9.0)
    (tmp_path / "marks/cache").mkdir()
    raters = read_raters([tmp_path / "marks"])
    assert {rater: sorted(own) for rater, own in raters.events.items()} == {
        "Dr. Ä": ["one", "two"],
        "CD": ["one"],
    }
    write_events(tmp_path / "bids/sub-01/eeg/sub-01_task-sz_events.tsv", [tonic(1, 2)], 9.0)
    for folder in ("found", "bids"):
        assert list(read_raters([tmp_path / folder]).events) == [folder]
    several = read_raters([tmp_path / "marks/CD", tmp_path / "found"])
    assert list(several.events) == ["CD", "found"]
    write_events(
        tmp_path / "flat/one_events.tsv", [tonic(1, 2, rater="A"), tonic(1, 3, rater="B")], 9.0
    )
    write_events(tmp_path / "flat/two_events.tsv", [], 9.0)
    flat = read_raters([tmp_path / "flat"])
    assert {rater: list(own) for rater, own in flat.events.items()} == {"A": ["one"], "B": ["one"]}
    assert "two" in flat.notes[0] and "nobody" in flat.notes[0]


def test_signs_are_named_apart_and_types_of_a_seizure_are_seizures(written):
    marks = {
        "AB": {"one": [tonic(1, 2, side="left"), Event(5, 9, "sz_foc")]},
        "model": {"one": [Event(1, 1, "tonic (pose)", level="left"), Event(5, 9, "sz")]},
    }
    raters = written(marks, names={"tonic (pose)": "tonic"}, apart=["side"])
    assert raters.signs(raters.events) == ["sz", "sz_foc", "tonic left"]
    assert figures(raters, sign="tonic left")["time_kappa"] == pytest.approx(1)
    assert figures(raters, sign="sz")["time_kappa"] == pytest.approx(1)
    assert figures(raters, sign="sz_foc")["time_kappa"] == pytest.approx(0)


def at(sign, onset, end, **more):
    return Event(onset, end - onset, sign, **more)


def test_order_by_hand_and_its_test_over_participants():
    """Participants 0 to 5: tonic first in all seizures of 0 to 4, in one of two of 5."""
    marks = {}
    for n in range(6):
        marks[f"p{n}_a"] = [at("tonic", 1, 5), at("clonic", 3, 9)]
    for n in range(5):
        marks[f"p{n}_b"] = [at("tonic", 1, 5), at("clonic", 6, 9), at("clonic", 20, 25)]
    marks["p5_b"] = [at("tonic", 4, 6), at("clonic", 2, 4)]
    marks["p5_c"] = [at("tonic", 4, 6)]
    document = order_of_signs(read_raters_of({"AB": marks}), draws=0)
    (row,) = document["pairs"]
    assert (row["first"], row["second"], row["seizures"]) == ("clonic", "tonic", 12)
    assert (row["seizures_first"], row["seizures_second"], row["together"]) == (1, 11, 0)
    assert (row["participants_first"], row["participants_second"]) == (0, 5)
    assert row["participants_neither"] == 1 and row["only_second"] == 1
    assert row["score"] == pytest.approx(-5 / 6)
    assert row["p"] == 2 / 2**5 and row["exact"]  # 12 seizures are no 2 / 2^12
    assert row["lag"] == -2  # five times -5, six times -2, once 2
    assert (row["overlapping"], row["overlap_known"], row["overlap_seconds"]) == (6, 12, 12)
    last = next(one for one in document["by_participant"] if one["participant"] == "p5")
    assert (last["seizures_first"], last["seizures_second"]) == (1, 1)
    assert any("0.0625" in note for note in document["notes"])


def test_sides_are_a_pair_and_holm_is_over_the_pairs_of_a_rater():
    marks = {
        f"p{n}_1": [
            at("clonic", 1 + n % 2, 9, side="left"),
            at("clonic", 5, 9, level="right"),
            at("tonic", 0, 1),
        ]
        for n in range(7)
    }
    document = order_of_signs(read_raters_of({"AB": marks, "CD": marks}), draws=0)
    rows = {(row["rater"], row["first"], row["second"]): row for row in document["pairs"]}
    assert set(rows) == set(product(("AB", "CD"), ("clonic",), ("tonic",))) | {
        (rater, "clonic left", "clonic right") for rater in ("AB", "CD")
    }
    sides = rows["AB", "clonic left", "clonic right"]
    assert sides["seizures_first"] == 7 and sides["p"] == 2 / 2**7
    assert sides["p_corrected"] == 4 / 2**7 and rows["CD", "clonic", "tonic"]["p"] == 2 / 2**7


def test_seizures_of_a_night_and_onsets_that_are_together():
    night = [
        *(at("sz", begin, begin + 50) for begin in (100, 300)),
        *(at("tonic", 100, 110), at("clonic", 100.2, 120), at("clonic", 10, 12)),
        *(at("tonic", 320, 330), at("clonic", 310, 325)),
    ]
    raters = read_raters_of({"AB": {"p1_night": night}}, length=999.0)
    (row,) = order_of_signs(raters, within="sz", together=0.2, draws=0)["pairs"]
    assert (row["seizures"], row["together"], row["seizures_first"]) == (2, 1, 1)
    document = order_of_signs(raters, within="sz", draws=0)
    assert "1 events begin outside of any sz" in document["notes"][0]
    (whole,) = [
        row
        for row in order_of_signs(raters, draws=0)["pairs"]
        if row["second"] == "tonic" and row["first"] == "clonic"
    ]
    assert whole["seizures"] == 1 and whole["lag"] == 90


@pytest.mark.parametrize("values", [[1] * 9 + [-1] * 2, [1, 1, -1], [1] * 8])
def test_flips_of_ones_are_the_sign_test(values):
    p = binomtest(values.count(1), len(values)).pvalue
    assert sign_flip_test(values).p == pytest.approx(p)
    assert sign_flip_test([*values, 0, 0]).p == pytest.approx(p)


def test_random_flips_are_near_the_exact_ones_and_never_zero():
    values = np.random.default_rng(3).normal(0.4, 1, 12)
    exact, drawn = sign_flip_test(values, 4096), sign_flip_test(values, 3000)
    assert exact.exact and not drawn.exact
    assert drawn.p == pytest.approx(exact.p, abs=0.03)
    assert sign_flip_test([1.0] * 30, 99).p == 1 / 100


def test_the_verbs_write_once_and_print_what_they_found(tmp_path, capsys):
    for rater, late in (("AB", 0.0), ("CD", 1.0)):
        for n in range(6):
            events = [tonic(10 + late, 20), at("clonic", 15 + n / 10, 30)]
            write_events(tmp_path / f"marks/{rater}/sub-{n}_sz_events.tsv", events, 60.0)
    for verb, name, words in (
        ("agree", "agreement", "tonic, AB and CD: 6 recordings of 6 participants"),
        ("order", "order", "tonic first in 6"),
    ):
        command = ["events", verb, str(tmp_path / "marks"), "--draws", "50"]
        assert main([*command, "--out", str(tmp_path / "out")]) == 0
        assert words in capsys.readouterr().out
        document = json.loads((tmp_path / f"out/{name}.json").read_text())
        assert document["draws"] == 50
        header, *rows = (tmp_path / f"out/{name}.tsv").read_text().splitlines()
        assert len(rows) == len(document["figures" if verb == "agree" else "pairs"])
        assert all(len(row.split("\t")) == len(header.split("\t")) for row in rows)
        before = (tmp_path / f"out/{name}.tsv").read_bytes()
        assert main([*command, "--out", str(tmp_path / "out")]) == 2
        assert "is there already" in capsys.readouterr().err
        assert (tmp_path / f"out/{name}.tsv").read_bytes() == before


def test_what_cannot_be_compared_is_one_line(tmp_path, written):
    one = {"one": [tonic(10, 20)]}
    with pytest.raises(UserError, match="AB is the only rater"):
        agree_events(written({"AB": one}))
    with pytest.raises(UserError, match="no recording has tables of two"):
        agree_events(read_raters_of({"AB": one, "CD": {"two": []}}))
    with pytest.raises(UserError, match="no rater marked anything"):
        agree_events(read_raters_of({"AB": {"one": []}, "CD": {"one": []}}))
    with pytest.raises(UserError, match=r"one: CD's 'tonic' at 70 s begins after .* at 60 s"):
        agree_events(read_raters_of({"AB": one, "CD": {"one": [tonic(70, 80)]}}))
    with pytest.raises(UserError, match="none may be negative"):
        agree_events(read_raters_of({"AB": one, "CD": one}), tolerance=-1)
    with pytest.raises(UserError, match="no rater marked two signs"):
        order_of_signs(read_raters_of({"AB": one}))
    with pytest.raises(UserError, match="no rater marked two signs while there is sz"):
        order_of_signs(read_raters_of({"AB": one}), within="sz")
    with pytest.raises(UserError, match="no such table of events"):
        read_raters([tmp_path / "nowhere"])
    with pytest.raises(UserError, match="apart by 'colour'"):
        read_raters([tmp_path], apart=["colour"])
    write_events(tmp_path / "marks/CD/one_events.tsv", [], 90.0)
    with pytest.raises(UserError, match="one: lasts 60 s in one table and 90 s in another"):
        read_raters([tmp_path / "marks"])
    write_events(tmp_path / "more/AB/one_events.tsv", [], 60.0)
    with pytest.raises(UserError, match="second table of one by AB"):
        read_raters([tmp_path / "marks/AB", tmp_path / "more/AB"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no folder of a rater's tables"):
        read_raters([tmp_path / "empty"])


def test_sides_that_are_not_known_and_columns_without_values_are_notes(tmp_path, written):
    marks = {
        f"p{n}": [at("tonic", 1, 3, side="links"), at("tonic", 2, 4, side="rechts"), tonic(5, 6)]
        for n in range(6)
    }
    marks["p5"].append(at("clonic", 1, 2, side="both"))
    sides = "sides that are none of left, right, both: links (6), rechts (6);"
    document = order_of_signs(read_raters_of({"AB": marks}), draws=0)
    assert [(row["first"], row["second"]) for row in document["pairs"]] == [("clonic", "tonic")]
    assert sum(sides in note for note in document["notes"]) == 1
    raters = written({"AB": marks, "CD": marks}, apart=["side", "body_part"])
    assert any("links (12), rechts (12)" in note for note in raters.notes)
    assert "no event has a body part: no sign is apart by it" in raters.notes
    assert sum("links" in note for note in order_of_signs(raters, draws=0)["notes"]) == 1
    write_events(tmp_path / "EF/p0_events.tsv", [tonic(1, 2)], 60.0)
    (note,) = read_raters([tmp_path / "EF"], apart=["side"]).notes
    assert note == "no event has a side: no sign is apart by it"


def test_six_ties_are_no_lack_of_participants():
    both = [at("tonic", 1, 3), at("clonic", 1, 3)]
    (note,) = order_of_signs(read_raters_of({"AB": {f"p{n}": both for n in range(6)}}), draws=0)[
        "notes"
    ]
    assert note.startswith("AB: all participants with two signs are ties")
    two = {f"p{n}": [at("tonic", 1, 3), at("clonic", 2, 3)] for n in range(2)}
    (note,) = order_of_signs(read_raters_of({"AB": two}), draws=0)["notes"]
    assert "too few participants" in note and "any p below 0.5" in note


def test_signs_that_differ_by_capitals_are_a_note(written):
    marks = {"AB": {"p0": [at("Tonic", 1, 3)]}, "CD": {"p0": [tonic(1, 3), at("blink", 5, 6)]}}
    (note,) = (note for note in written(marks).notes if "signs here" in note)
    assert note.startswith("'Tonic' and 'tonic' are 2 signs here;")
    assert "--names '{Tonic: tonic}'" in note
    assert not written(marks, names={"Tonic": "tonic"}).notes
