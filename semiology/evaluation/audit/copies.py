"""One recording under two names: the same stretch of the same file, the same file, or a copy that
was encoded again or tracked again.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from semiology.evaluation.audit.check import Check, answer
from semiology.evaluation.audit.fingerprint import (
    PICTURE_RATE,
    TRACK_RATE,
    UNIT,
    Changes,
    changes,
    from_text,
    hash_distance,
    in_common,
    likeness,
)
from semiology.evaluation.audit.folds import taught
from semiology.evaluation.audit.records import Run

# Thresholds of the likeness of two recordings, all our choice; docs/audit.md holds the figures they
# were chosen on.
PICTURES_ALIKE = 0.5
MOVEMENT_ALIKE, MOVEMENT_ALIKE_SHORT = (
    0.5,
    0.85,
)  # the second where less than LONG s are in common: two people stand up much alike
LONG = 6.0  # s
# robust deviations above the cohort's other pairs, so that a lamp that flickers in all clips does
# not make them copies
APART = 6.0
ENOUGH_PAIRS = 20  # for that comparison
COURSES = ("pictures", "movement")


@dataclass(frozen=True)
class Alike:
    """Two clips of different participants that are one recording, and why this is thought."""

    first: str
    second: str
    why: str


def check_stretches(run: Run) -> Check:
    """No stretch of a file overlaps one on the other side of a fold, whatever the clips and
    participants are called.
    """
    question = "Is any stretch of the same file on both sides of a fold?"
    if run.sources is None:
        return answer("same stretch", question, [], [run.unsourced], "", "")
    clips = run.sources["clips"]
    unknown = unknown_clips(run, clips)
    by_content: dict[str, list[str]] = defaultdict(list)
    for clip_id, clip in clips.items():
        if not clip.get("content"):
            unknown.append(
                f"clip {clip_id}: neither its file nor a record of its content was there"
            )
        by_content[clip.get("content") or clip_id].append(clip_id)
    faults = []
    for same in by_content.values():
        for first, second in combinations(sorted(same), 2):
            a, b = clips[first], clips[second]
            both = min(a["end"], b["end"]) - max(a["start"], b["start"])
            if both > 0 and (folds := _parted(run, first, second)):
                whose = f"{first} ({a['participant_id']}) and {second} ({b['participant_id']})"
                faults.append(
                    f"{whose} share {both:.1f} s of one file, and {folds} folds part them"
                )
    good = f"no two of {len(clips)} clips on different sides share a stretch of a file"
    return answer(
        "same stretch", question, faults, unknown, good, "one stretch of a file is on both sides"
    )


def check_copies(run: Run) -> Check:
    """No recording under two participants: by content, by how small pictures change, by how
    keypoints move.
    """
    question = "Is any recording there twice, under two participants?"
    if run.sources is None:
        return answer("copies", question, [], [run.unsourced], "", "")
    clips = run.sources["clips"]
    pairs = [
        (first, second)
        for first, second in combinations(sorted(clips), 2)
        if clips[first]["participant_id"] != clips[second]["participant_id"]
    ]
    found = (
        _same_file(clips, pairs)
        + _alike(clips, pairs, "pictures")
        + _alike(clips, pairs, "movement")
    )
    why: dict[tuple[str, str], list[str]] = defaultdict(list)
    for pair in found:
        why[pair.first, pair.second].append(pair.why)
    faults = [
        f"{first} ({clips[first]['participant_id']}) and {second}"
        f" ({clips[second]['participant_id']}): {'; '.join(reasons)}"
        for (first, second), reasons in sorted(why.items())
    ]
    seen = sum(bool(clip.get("pictures")) for clip in clips.values())
    missing = unknown_clips(run, clips)
    missing += [
        f"clip {clip_id} has neither pictures nor movement to compare"
        for clip_id, clip in clips.items()
        if not _compared(clip)
    ]
    both = sum(
        any(clips[first].get(kind) and clips[second].get(kind) for kind in COURSES)
        for first, second in pairs
    )
    good = (
        f"none among {len(pairs)} pairs of clips of different participants by content, none among"
        f" {both} by movement" + (f" and pictures ({seen} clips)" if seen else "")
    )
    return answer(
        "copies", question, faults, missing, good, "two participants seem to share a recording"
    )


def unknown_clips(run: Run, clips: dict[str, Any]) -> list[str]:
    """A sentence for each clip of the run of which sources.json holds nothing."""
    missing = {clip_id for record in run.judged for clip_id in record["clips"]} | set(
        run.table["clip_id"]
    )
    return [
        f"sources.json says nothing of clip {clip_id}" for clip_id in sorted(missing - clips.keys())
    ]


def _compared(clip: dict[str, Any]) -> bool:
    return any(clip.get(kind) for kind in COURSES)


def _parted(run: Run, first: str, second: str) -> int:
    """Number of folds in which one of two clips is held out and the other taught."""
    count = 0
    for record in run.judged:
        held, teaching = set(record["held_out_clips"]), taught(record)
        count += (first in held and second in teaching) or (second in held and first in teaching)
    return count


def _same_file(clips: dict[str, Any], pairs: list[tuple[str, str]]) -> list[Alike]:
    """One file under two participants, also where their stretches do not overlap: who is in it?"""
    return [
        Alike(first, second, "the same file (if it joins two recordings, cut it into two)")
        for first, second in pairs
        if clips[first].get("content")
        and clips[first].get("content") == clips[second].get("content")
    ]


def _alike(clips: dict[str, Any], pairs: list[tuple[str, str]], kind: str) -> list[Alike]:
    """Pairs whose pictures ("pictures") or keypoints ("movement") change alike."""
    rate, unit, level = (PICTURE_RATE, 1, 4.0) if kind == "pictures" else (TRACK_RATE, UNIT, 0.5)
    courses = {
        clip_id: from_text(clip[kind], unit) for clip_id, clip in clips.items() if clip.get(kind)
    }
    steps = {
        clip_id: Changes(changes(course, level), rate)
        for clip_id, course in courses.items()
        if len(course) > 1
    }
    judged = [(first, second) for first, second in pairs if first in steps and second in steps]
    fits = [likeness(steps[first], steps[second]) for first, second in judged]
    values = np.array([value for value, _ in fits])
    usual, spread = (
        (np.median(values), 1.4826 * np.median(np.abs(values - np.median(values))))
        if len(values)
        else (0.0, 0.0)
    )
    found = []
    for (first, second), (value, shift) in zip(judged, fits):
        common = in_common(steps[first], steps[second], shift)
        least = (
            PICTURES_ALIKE
            if kind == "pictures"
            else MOVEMENT_ALIKE
            if common >= LONG
            else MOVEMENT_ALIKE_SHORT
        )
        if value < least or (len(values) >= ENOUGH_PAIRS and value < usual + APART * spread):
            continue
        how = (
            f"correlation {value:.2f} over {common:.1f} s, the cohort's usual pair has {usual:.2f}"
        )
        if kind == "pictures":
            bits = hash_distance(courses[first], courses[second], shift)
            found.append(
                Alike(
                    first,
                    second,
                    f"the pictures change alike ({how}; difference hashes {bits:.1f} of 64 bits"
                    " apart)",
                )
            )
        else:
            found.append(Alike(first, second, f"the keypoints move alike ({how})"))
    return found
