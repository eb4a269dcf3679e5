"""Copies among many clips are searched by their neighbours: the verdict is that of comparing every
two clips.
"""

from itertools import combinations

import numpy as np
import pytest

from semiology.evaluation.audit import copies
from semiology.evaluation.audit.copies import _overlapping, _same_file
from semiology.evaluation.audit.fingerprint import (
    TRACK_RATE,
    UNIT,
    Changes,
    changes,
    from_text,
    similarity,
    to_text,
)
from semiology.evaluation.audit.neighbours import candidates


def course(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Twelve keypoints on a walk of three movements that all people share, and of some
    of their own.
    """
    steps = rng.normal(size=(round(seconds * TRACK_RATE), 3)) @ np.sin(np.arange(72)).reshape(3, 24)
    return (steps + rng.normal(size=steps.shape)).cumsum(axis=0)


def cohort(count: int, seconds: float = 8) -> dict[str, dict]:
    """Clips of as many participants; every tenth is a copy of the one before, from a second later,
    with noise.
    """
    rng, clips = np.random.default_rng(count), {}
    for number in range(count):
        own = course(rng, seconds)
        if number % 10 == 9:
            before = from_text(clips[f"c{number - 1:04d}"]["movement"], UNIT)[5:]
            own = 1.2 * before + rng.normal(0, 0.3, before.shape)
        clips[f"c{number:04d}"] = {
            "participant_id": f"p{number}",
            "kind": "tracks",
            "movement": to_text(own, UNIT),
        }
    return clips


@pytest.mark.parametrize("seconds", [3, 8])
def test_the_pairs_found_by_neighbours_are_those_found_among_all_pairs(monkeypatch, seconds):
    clips = cohort(120, seconds)
    every, compared = copies._matches(clips, "movement")
    assert compared == 0 and len(every) >= 10
    monkeypatch.setattr(copies, "ALL_PAIRS", 0)
    monkeypatch.setattr(copies, "OTHERS", 7000)
    near, compared = copies._matches(clips, "movement")
    assert 0 < compared < 120 * 119 / 20  # of 7,140 pairs
    assert [(match.first, match.second) for match in near] == [
        (match.first, match.second) for match in every
    ]


def test_clips_of_one_owner_and_clips_that_are_too_short_are_no_candidates():
    rng = np.random.default_rng(0)
    one = course(rng, 6)
    steps = {
        name: Changes(changes(given, 0.5), TRACK_RATE)
        for name, given in {"a": one, "b": one[3:], "c": one[6:], "short": one[:5]}.items()
    }
    owners = {"a": "p1", "b": "p1", "c": "p2", "short": "p3"}
    assert candidates(steps, owners) == [("a", "c"), ("b", "c")]
    assert candidates({"short": steps["short"]}, owners) == []
    assert similarity(steps["a"], steps["c"])[1] == pytest.approx(6 / TRACK_RATE)


def test_spectra_are_forgotten_and_come_back_the_same():
    own = Changes(changes(course(np.random.default_rng(1), 6), 0.5), TRACK_RATE)
    before = own.spectrum(64).copy()
    own.forget()
    assert np.array_equal(own.spectrum(64), before)


def test_parts_of_files_that_overlap_are_those_of_comparing_every_two():
    rng, clips = np.random.default_rng(0), {}
    for number in range(150):
        start = float(rng.integers(60))
        content = ["", "x", "y", "z"][rng.integers(4)]
        clips[f"c{number}"] = {"content": content, "start": start, "end": start + rng.integers(5)}
    expected = set()
    for one, two in combinations(sorted(clips), 2):
        a, b = clips[one], clips[two]
        shared = min(a["end"], b["end"]) - max(a["start"], b["start"])
        if a["content"] and a["content"] == b["content"] and shared > 0:
            expected.add((one, two))
    found = list(_overlapping(clips))
    assert len(expected) > 50 and set(found) == expected and len(found) == len(expected)


def test_a_file_of_a_few_clips_is_named_pair_by_pair_and_one_of_many_clip_by_clip():
    def file_of(count: int) -> dict[str, dict]:
        return {
            f"c{number:02d}": {"participant_id": f"p{number % 3}", "kind": "video", "content": "x"}
            for number in range(count)
        }

    few = [(match.first, match.second) for match in _same_file(file_of(4))]
    assert few == [("c00", "c01"), ("c00", "c02"), ("c01", "c02"), ("c01", "c03"), ("c02", "c03")]
    many = [(match.first, match.second) for match in _same_file(file_of(60))]
    assert len(many) == 59 and {name for pair in many for name in pair} == set(file_of(60))
