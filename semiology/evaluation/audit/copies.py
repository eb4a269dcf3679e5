"""Checks for one recording under two names: the same part of a file, the same file, or a copy that
was encoded or tracked again.
"""

from collections import defaultdict
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
    by_content: dict[str, list[str]] = defaultdict(list)
    for clip_id, clip in clips.items():
        if not clip.get("content"):
            text = f"clip {clip_id}: neither its file nor a record of its content exists"
            unknown.append(Finding("content-unknown", text, (clip_id,)))
        by_content[clip.get("content") or clip_id].append(clip_id)
    faults = []
    for same in by_content.values():
        for first, second in combinations(sorted(same), 2):
            a, b = clips[first], clips[second]
            both = min(a["end"], b["end"]) - max(a["start"], b["start"])
            if both > 0 and (folds := _parted(run, first, second)):
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
    pairs = [
        (first, second)
        for first, second in combinations(sorted(clips), 2)
        if clips[first]["participant_id"] != clips[second]["participant_id"]
    ]
    found = (
        _same_file(clips, pairs)
        + _matches(clips, pairs, "pictures")
        + _matches(clips, pairs, "movement")
    )
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
    both = sum(
        any(clips[first].get(kind) and clips[second].get(kind) for kind in COURSES)
        for first, second in pairs
    )
    good = (
        f"none among {len(pairs)} pairs of clips of different participants by content, none among"
        f" {both} by movement" + (f" and images ({seen} clips)" if seen else "")
    )
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


def _parted(run: Run, first: str, second: str) -> int:
    """Number of folds in which one of two clips is held out and the other used in training."""
    count = 0
    for record in run.evaluated:
        held, training = set(record["held_out_clips"]), training_clips(record)
        count += (first in held and second in training) or (second in held and first in training)
    return count


def _same_file(clips: dict[str, Any], pairs: list[tuple[str, str]]) -> list[Match]:
    """One file under two participants, also where their parts do not overlap."""
    return [
        Match(
            first,
            second,
            "file",
            "the same numbers in all columns"
            if clips[first]["kind"] == "row"
            else "the same file (if it joins two recordings, split it)",
        )
        for first, second in pairs
        if clips[first].get("content")
        and clips[first].get("content") == clips[second].get("content")
    ]


def _matches(clips: dict[str, Any], pairs: list[tuple[str, str]], kind: str) -> list[Match]:
    """Pairs whose images (kind "pictures") or keypoints ("movement") change in the same way."""
    rate, unit, level = (IMAGE_RATE, 1, 4.0) if kind == "pictures" else (TRACK_RATE, UNIT, 0.5)
    courses = {
        clip_id: from_text(clip[kind], unit) for clip_id, clip in clips.items() if clip.get(kind)
    }
    steps = {
        clip_id: Changes(changes(course, level), rate)
        for clip_id, course in courses.items()
        if len(course) > 1
    }
    comparable = [(first, second) for first, second in pairs if first in steps and second in steps]
    fits = [similarity(steps[first], steps[second]) for first, second in comparable]
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
        if kind == "pictures":
            bits = hash_distance(courses[first], courses[second], shift)
            why = (
                f"the images change in the same way ({how}; difference hashes differ in"
                f" {bits:.1f} of 64 bits)"
            )
        else:
            why = f"the keypoints move in the same way ({how})"
        found.append(Match(first, second, kind, why))
    return found
