"""Checks for one recording under two names: the same part of a file, the same file, or a copy that
was encoded or tracked again.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from semiology.evaluation.audit.check import Check, Finding, answer
from semiology.evaluation.audit.fingerprint import (
    IMAGE_RATE,
    TRACK_RATE,
    UNIT,
    Changes,
    changes,
    from_text,
    hash_distance,
    in_common,
    similarity,
)
from semiology.evaluation.audit.folds import training_clips
from semiology.evaluation.audit.neighbours import candidates
from semiology.evaluation.audit.records import Run

# Thresholds of the similarity of two recordings, all our choice; docs/audit.md gives the
# measurements behind them.
IMAGES_ALIKE = 0.5
MOVEMENT_ALIKE = 0.5
# where less than LONG s are in common: two people stand up in much the same way
MOVEMENT_ALIKE_SHORT = 0.85
LONG = 6.0  # s
# robust standard deviations above the cohort's other pairs, so that a lamp that flickers in all
# clips does not make them copies
APART = 6.0
ENOUGH_PAIRS = 20  # for that comparison
# up to as many pairs every two clips are compared; of more, those that `candidates` finds, beside
# OTHERS drawn at random
ALL_PAIRS, OTHERS = 20_000, 2000
AT_ONCE = 500  # pairs after which spectra are forgotten
COURSES = ("pictures", "movement")


@dataclass(frozen=True)
class Match:
    """Two clips of different participants that seem to be one recording, and why."""

    first: str
    second: str
    kind: str
    why: str


def check_stretches(run: Run) -> Check:
    """No part of a file is in training and held-out set, under whatever name."""
    question = "Is any part of one file on both sides of a fold?"
    if run.sources is None:
        return answer("same stretch", question, [], run.unsourced, "", "")
    clips = run.sources["clips"]
    unknown = unknown_clips(run, clips)
    for clip_id, clip in clips.items():
        if not clip.get("content"):
            text = f"clip {clip_id}: neither its file nor a record of its content exists"
            unknown.append(Finding("content-unknown", text, (clip_id,)))
    faults = []
    held, training = _sides(run)
    for first, second in sorted(_overlapping(clips)):
        a, b = clips[first], clips[second]
        both = min(a["end"], b["end"]) - max(a["start"], b["start"])
        parted = (held[first] & training[second]) | (held[second] & training[first])
        if folds := parted.bit_count():
            names = f"{first} ({a['participant_id']}) and {second} ({b['participant_id']})"
            text = f"{names} share {both:.1f} s of one file, on both sides of {folds} folds"
            faults.append(Finding("shared-part", text, (first, second, f"{both:.1f}")))
    good = f"no two of {len(clips)} clips on different sides share a part of a file"
    return answer(
        "same stretch", question, faults, unknown, good, "one part of a file is on both sides"
    )


def check_copies(run: Run) -> Check:
    """No recording under two participants: by content, changes of small images, and movement."""
    question = "Does any recording appear under two participants?"
    if run.sources is None:
        return answer("copies", question, [], run.unsourced, "", "")
    clips = run.sources["clips"]
    found, compared = _same_file(clips), Counter[str]()
    for kind in COURSES:
        matches_of_kind, compared[kind] = _matches(clips, kind)
        found += matches_of_kind
    matches: dict[tuple[str, str], list[Match]] = defaultdict(list)
    for match in found:
        matches[match.first, match.second].append(match)
    faults = [
        Finding(
            "copy",
            f"{first} ({clips[first]['participant_id']}) and {second}"
            f" ({clips[second]['participant_id']}): {'; '.join(match.why for match in own)}",
            (first, second, *(match.kind for match in own)),
        )
        for (first, second), own in sorted(matches.items())
    ]
    seen = sum(bool(clip.get("pictures")) for clip in clips.values())
    missing = unknown_clips(run, clips)
    missing += [
        Finding(
            "not-comparable",
            f"clip {clip_id} has neither images nor movement to compare",
            (clip_id,),
        )
        for clip_id, clip in clips.items()
        if not _compared(clip)
    ]
    pairs = _pairs(clip["participant_id"] for clip in clips.values())
    kinds = [{clip_id for clip_id, clip in clips.items() if clip.get(kind)} for kind in COURSES]
    both = sum(
        sign * _pairs(clips[clip_id]["participant_id"] for clip_id in some)
        for sign, some in ((1, kinds[0]), (1, kinds[1]), (-1, kinds[0] & kinds[1]))
    )
    good = (
        f"none among {pairs} pairs of clips of different participants by content, none among"
        f" {both} by movement" + (f" and images ({seen} clips)" if seen else "")
    )
    if near := max(compared.values(), default=0):
        good += f"; the {near} pairs with the most similar seconds were compared as a whole"
    return answer(
        "copies", question, faults, missing, good, "two participants seem to share a recording"
    )


def unknown_clips(run: Run, clips: dict[str, Any]) -> list[Finding]:
    """A finding for each clip of the run that is not in sources.json."""
    missing = {clip_id for record in run.evaluated for clip_id in record["clips"]} | set(
        run.table["clip_id"]
    )
    return [
        Finding("clip-unknown", f"sources.json does not contain clip {clip_id}", (clip_id,))
        for clip_id in sorted(missing - clips.keys())
    ]


def _compared(clip: dict[str, Any]) -> bool:
    """Whether a clip is compared by more than its content; a row of a table has nothing else."""
    return clip["kind"] == "row" or any(clip.get(kind) for kind in COURSES)


def _pairs(owners: Iterable[str]) -> int:
    """Number of pairs of clips whose owners differ."""
    count = Counter(owners).values()
    return (sum(count) ** 2 - sum(own**2 for own in count)) // 2


def _sides(run: Run) -> tuple[dict[str, int], dict[str, int]]:
    """Clip -> the folds in which it is held out, and those in which it is in training: a bit a
    fold.
    """
    held: dict[str, int] = defaultdict(int)
    training: dict[str, int] = defaultdict(int)
    for number, record in enumerate(run.evaluated):
        for clip_id in record["held_out_clips"]:
            held[clip_id] |= 1 << number
        for clip_id in training_clips(record):
            training[clip_id] |= 1 << number
    return held, training


def _overlapping(clips: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Pairs of clips that share a part of one file, by name."""
    by_content: dict[str, list[str]] = defaultdict(list)
    for clip_id, clip in clips.items():
        if clip.get("content"):
            by_content[clip["content"]].append(clip_id)
    for same in by_content.values():
        running: list[str] = []
        for clip_id in sorted(same, key=lambda name: (clips[name]["start"], name)):
            start = clips[clip_id]["start"]
            running = [other for other in running if clips[other]["end"] > start]
            for other in running if clips[clip_id]["end"] > start else ():
                yield _in_order(clip_id, other)
            running.append(clip_id)


def _in_order(one: str, other: str) -> tuple[str, str]:
    return min(one, other), max(one, other)


def _same_file(clips: dict[str, Any]) -> list[Match]:
    """One file under two participants, also where their parts do not overlap. Of a file with more
    than ENOUGH_PAIRS clips each is named with the first of another participant.
    """
    by_content: dict[str, list[str]] = defaultdict(list)
    for clip_id in sorted(clips):
        if clips[clip_id].get("content"):
            by_content[clips[clip_id]["content"]].append(clip_id)
    found = []
    for same in by_content.values():
        pairs: Iterable[tuple[str, str]] = combinations(same, 2)
        if len(same) > ENOUGH_PAIRS:
            first = same[0]
            owner = clips[first]["participant_id"]
            other = next((name for name in same if clips[name]["participant_id"] != owner), first)
            pairs = (
                _in_order(name, other if clips[name]["participant_id"] == owner else first)
                for name in same
            )
        found += [
            Match(
                one,
                two,
                "file",
                "the same numbers in all columns"
                if clips[one]["kind"] == "row"
                else "the same file (if it joins two recordings, split it)",
            )
            for one, two in dict.fromkeys(pairs)
            if clips[one]["participant_id"] != clips[two]["participant_id"]
        ]
    return found


def _matches(clips: dict[str, Any], kind: str) -> tuple[list[Match], int]:
    """Pairs whose images (kind "pictures") or keypoints ("movement") change in the same way; and
    the number of pairs that were compared, 0 where these are all.
    """
    rate, unit, level = (IMAGE_RATE, 1, 4.0) if kind == "pictures" else (TRACK_RATE, UNIT, 0.5)
    steps, owners = {}, {}
    for clip_id in sorted(clips):
        if not clips[clip_id].get(kind):
            continue
        course = from_text(clips[clip_id][kind], unit)
        if len(course) > 1:
            steps[clip_id] = Changes(changes(course, level), rate)
            owners[clip_id] = clips[clip_id]["participant_id"]
    near = _pairs(owners.values()) > ALL_PAIRS
    if near:
        comparable = candidates(steps, owners)
        fits = _similarities(steps, comparable)
        values = np.array([value for value, _ in _similarities(steps, _some_pairs(owners))])
    else:
        comparable = [pair for pair in combinations(steps, 2) if owners[pair[0]] != owners[pair[1]]]
        fits = _similarities(steps, comparable)
        values = np.array([value for value, _ in fits])
    median, deviation = (
        (np.median(values), 1.4826 * np.median(np.abs(values - np.median(values))))
        if len(values)
        else (0.0, 0.0)
    )
    found = []
    for (first, second), (value, shift) in zip(comparable, fits):
        common = in_common(steps[first], steps[second], shift)
        least = (
            IMAGES_ALIKE
            if kind == "pictures"
            else MOVEMENT_ALIKE
            if common >= LONG
            else MOVEMENT_ALIKE_SHORT
        )
        if value < least or (len(values) >= ENOUGH_PAIRS and value < median + APART * deviation):
            continue
        how = f"correlation {value:.2f} over {common:.1f} s, median of all pairs {median:.2f}"
        how = how.replace("all pairs", f"{OTHERS} pairs") if near else how
        if kind == "pictures":
            one, other = (from_text(clips[name][kind], unit) for name in (first, second))
            bits = hash_distance(one, other, shift)
            why = (
                f"the images change in the same way ({how}; difference hashes differ in"
                f" {bits:.1f} of 64 bits)"
            )
        else:
            why = f"the keypoints move in the same way ({how})"
        found.append(Match(first, second, kind, why))
    return found, len(comparable) if near else 0


def _similarities(
    steps: Mapping[str, Changes], pairs: list[tuple[str, str]]
) -> list[tuple[float, float]]:
    found = []
    for number, (first, second) in enumerate(pairs):
        if number % AT_ONCE == 0:
            for own in steps.values():
                own.forget()
        found.append(similarity(steps[first], steps[second]))
    return found


def _some_pairs(owners: Mapping[str, str]) -> list[tuple[str, str]]:
    """OTHERS pairs of clips of different participants, drawn at random."""
    names, rng = list(owners), np.random.default_rng(0)
    found: list[tuple[str, str]] = []
    while len(found) < OTHERS:
        first, second = (names[number] for number in rng.integers(len(names), size=2))
        if owners[first] != owners[second]:
            found.append((first, second))
    return found
