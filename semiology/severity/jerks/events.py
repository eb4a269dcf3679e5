"""Jerks grouped into myoclonic events, and detected jerks matched to reference jerks.

Grouping: a jerk of one joint carries other joints with it, and generalised myoclonus moves all at
once. Jerks whose onsets lie within 0.1 s form one event, and each part of the body is counted once
in it. The extent of an event (focal, segmental, multifocal, generalised) goes by the parts of the
body (`kinematics.SEGMENTS`) that moved, actively or passively: video cannot tell the two apart.

Matching: one to one, by joint or part of the body, and by the time of the peak.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from semiology.severity.jerks.jerk import Jerk, sorted_jerks

# s; spread down the body takes up to 60 ms, an onset at 25 Hz is accurate to 40 ms. [our choice]
WITHIN = 0.1
LEAD = 0.04  # s, a frame at 25 Hz: onsets no further apart than this are simultaneous. [our choice]
LIMBS = {f"{side}_{limb}": (side, limb) for side in ("left", "right") for limb in ("arm", "leg")}
NEXT_TO = {
    frozenset(pair)
    for pair in (("face", "neck"), ("neck", "trunk"), *(("trunk", limb) for limb in LIMBS))
} | {frozenset(("neck", f"{side}_arm")) for side in ("left", "right")}
TOLERANCE = 0.1  # s between the peaks. [our choice]


@dataclass(frozen=True)
class MyoclonicEvent:
    """Synchronous jerks, by onset; at least one."""

    jerks: tuple[Jerk, ...]

    @property
    def onset(self) -> float:
        """Onset of the first jerk, s."""
        return self.jerks[0].onset

    @property
    def amplitude(self) -> float:
        """Largest amplitude of its jerks, torso lengths."""
        return max(jerk.amplitude for jerk in self.jerks)

    @property
    def leading(self) -> str:
        """The joint with the first onset; of joints within a frame of it, the one with the highest
        signal-to-noise ratio.
        """
        first = [jerk for jerk in self.jerks if jerk.onset <= self.onset + LEAD]
        return max(
            first, key=lambda jerk: (np.nan_to_num(jerk.snr), np.nan_to_num(jerk.amplitude))
        ).joint

    @property
    def parts(self) -> frozenset[str]:
        """The parts of the body that moved."""
        return frozenset(jerk.part for jerk in self.jerks)

    @property
    def extent(self) -> str:
        """Distribution over the body in the terms of movement disorders; the limits between them
        are our choice.

        "focal": one part of the body; "generalised": arm and leg, on both sides; "segmental":
        adjacent parts (face and neck; neck, trunk and an arm); "multifocal": parts that are not
        adjacent.
        """
        if len(self.parts) == 1:
            return "focal"
        limbs = [LIMBS[part] for part in self.parts if part in LIMBS]
        if len({side for side, _ in limbs}) == 2 and len({limb for _, limb in limbs}) == 2:
            return "generalised"
        return "segmental" if _connected(self.parts) else "multifocal"

    def by_part(self) -> dict[str, Jerk]:
        """Part of the body -> its jerk of the largest amplitude: each part counts once."""
        greatest: dict[str, Jerk] = {}
        for jerk in self.jerks:
            if jerk.part not in greatest or jerk.amplitude > greatest[jerk.part].amplitude:
                greatest[jerk.part] = jerk
        return greatest


def synchronous(jerks: Sequence[Jerk], within: float = WITHIN) -> list[MyoclonicEvent]:
    """Group jerks into events: an event holds the jerks that begin up to `within` s after its first
    onset, each joint once.
    """
    events: list[list[Jerk]] = []
    for jerk in sorted_jerks(list(jerks)):
        open_ = events[-1] if events and jerk.onset - events[-1][0].onset <= within else None
        if open_ is None or jerk.joint in {other.joint for other in open_}:
            events.append([jerk])
        else:
            open_.append(jerk)
    return [MyoclonicEvent(tuple(event)) for event in events]


def by_part(jerks: Sequence[Jerk], within: float = WITHIN) -> list[Jerk]:
    """One jerk per event and part of the body, the largest one: the jerks that are counted."""
    return sorted_jerks(
        [jerk for event in synchronous(jerks, within) for jerk in event.by_part().values()]
    )


def _connected(parts: frozenset[str]) -> bool:
    """Whether the parts form one connected region of the body (by `NEXT_TO`)."""
    reached, before = {min(parts)}, 0
    while len(reached) > before:
        before = len(reached)
        reached |= {
            part for part in parts for other in reached if frozenset((part, other)) in NEXT_TO
        }
    return len(reached) == len(parts)


@dataclass(frozen=True)
class MatchedJerks:
    """Reference and detected jerks after matching.

    Attributes:
        pairs: (reference, detected): true positives.
        misses: reference jerks without a match: false negatives.
        false_alarms: detected jerks without a match: false positives.
    """

    pairs: list[tuple[Jerk, Jerk]]
    misses: list[Jerk]
    false_alarms: list[Jerk]

    @property
    def sensitivity(self) -> float:
        """True positive rate, TP / (TP + FN); NaN without a reference jerk."""
        true = len(self.pairs) + len(self.misses)
        return len(self.pairs) / true if true else float("nan")

    @property
    def precision(self) -> float:
        """Positive predictive value, TP / (TP + FP); NaN without a detected jerk."""
        found = len(self.pairs) + len(self.false_alarms)
        return len(self.pairs) / found if found else float("nan")

    @property
    def f1(self) -> float:
        """F1 = 2 TP / (2 TP + FN + FP); NaN without any jerk."""
        total = 2 * len(self.pairs) + len(self.misses) + len(self.false_alarms)
        return 2 * len(self.pairs) / total if total else float("nan")


def match_jerks(
    truth: Sequence[Jerk],
    found: Sequence[Jerk],
    tolerance: float = TOLERANCE,
    by: Literal["joint", "part"] = "joint",
) -> MatchedJerks:
    """Match one to one with the largest number of pairs and, among those, the smallest distances
    between peaks (linear assignment).

    Args:
        truth: reference jerks.
        found: detected jerks.
        tolerance: s, largest distance between the peaks of a pair.
        by: "joint": both jerks of a pair are of one joint; "part": synchronous jerks of a part of
            the body are merged first (`by_part`), and both are of one part.
    """
    if by == "part":
        truth, found = by_part(truth), by_part(found)
    true_of, found_of = _grouped(truth, by), _grouped(found, by)
    matched = MatchedJerks([], [], [])
    for name in sorted(true_of.keys() | found_of.keys()):
        _pair(true_of.get(name, []), found_of.get(name, []), tolerance, matched)
    return matched


def _grouped(jerks: Sequence[Jerk], by: Literal["joint", "part"]) -> dict[str, list[Jerk]]:
    groups: dict[str, list[Jerk]] = {}
    for jerk in jerks:
        groups.setdefault(getattr(jerk, by), []).append(jerk)
    return groups


def _pair(truth: list[Jerk], found: list[Jerk], tolerance: float, matched: MatchedJerks) -> None:
    """Match the jerks of one joint or part and add the result to `matched`."""
    apart = np.abs(
        np.subtract.outer([jerk.peak for jerk in truth], [jerk.peak for jerk in found])
    ).reshape(len(truth), len(found))
    near = apart <= tolerance + 1e-9
    gain = np.where(
        near, 1 + len(truth) + len(found) - apart / (tolerance + 1e-9), 0.0
    )  # one pair more outweighs all distances
    rows, columns = linear_sum_assignment(gain, maximize=True)
    pairs = [
        (row, column) for row, column in zip(rows.tolist(), columns.tolist()) if near[row, column]
    ]
    matched.pairs.extend((truth[row], found[column]) for row, column in pairs)
    matched.misses.extend(
        jerk for number, jerk in enumerate(truth) if number not in {row for row, _ in pairs}
    )
    matched.false_alarms.extend(
        jerk for number, jerk in enumerate(found) if number not in {column for _, column in pairs}
    )
