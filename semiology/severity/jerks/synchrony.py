"""Jerks of one moment over the body: one event, and how far it reaches.

A jerk of one joint carries others with it, and generalised myoclonus pulls all at once. Either way it is one event; in a limb it is counted
once. Extent is by the parts of the body (`kinematics.SEGMENTS`) that moved, whether pulled or carried: video cannot tell the two apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semiology.severity.jerks.jerk import Jerk, in_order

WITHIN = 0.1  # s; spread down the body takes up to 60 ms, an onset at 25 Hz is right to some 40 ms. [our choice]
LEAD = 0.04  # s, a frame at 25 Hz: of onsets that are no further apart none is the first. [our choice]
LIMBS = {f"{side}_{limb}": (side, limb) for side in ("left", "right") for limb in ("arm", "leg")}
NEXT_TO = {frozenset(pair) for pair in (("face", "neck"), ("neck", "trunk"), *(("trunk", limb) for limb in LIMBS))} | {
    frozenset(("neck", f"{side}_arm")) for side in ("left", "right")
}


@dataclass(frozen=True)
class MyoclonicEvent:
    """Jerks of one moment, by onset; one at least."""

    jerks: tuple[Jerk, ...]

    @property
    def onset(self) -> float:
        """s, of the first."""
        return self.jerks[0].onset

    @property
    def amplitude(self) -> float:
        """Torso lengths, of the joint that went farthest."""
        return max(jerk.amplitude for jerk in self.jerks)

    @property
    def leading(self) -> str:
        """The joint that began; of those that began within a frame of each other, the one whose acceleration stands out most."""
        first = [jerk for jerk in self.jerks if jerk.onset <= self.onset + LEAD]
        return max(first, key=lambda jerk: (np.nan_to_num(jerk.snr), np.nan_to_num(jerk.amplitude))).joint

    @property
    def parts(self) -> frozenset[str]:
        """Parts of the body that moved."""
        return frozenset(jerk.part for jerk in self.jerks)

    @property
    def extent(self) -> str:
        """How far it reaches, by the terms of movement disorders; where one ends and the next begins is our choice.

        "focal": one part of the body; "generalised": arm and leg, both sides; "segmental": parts that are joined to each other (face and
        neck; neck, trunk and an arm); "multifocal": parts that are not.
        """
        if len(self.parts) == 1:
            return "focal"
        limbs = [LIMBS[part] for part in self.parts if part in LIMBS]
        if len({side for side, _ in limbs}) == 2 and len({limb for _, limb in limbs}) == 2:
            return "generalised"
        return "segmental" if _joined(self.parts) else "multifocal"

    def by_part(self) -> dict[str, Jerk]:
        """Part of the body -> its jerk of the greatest amplitude: each part counts once."""
        greatest: dict[str, Jerk] = {}
        for jerk in self.jerks:
            if jerk.part not in greatest or jerk.amplitude > greatest[jerk.part].amplitude:
                greatest[jerk.part] = jerk
        return greatest


def synchronous(jerks: Sequence[Jerk], within: float = WITHIN) -> list[MyoclonicEvent]:
    """Jerks joined to events: an event takes in what begins up to `within` s after its first onset, each joint once."""
    events: list[list[Jerk]] = []
    for jerk in in_order(list(jerks)):
        open_ = events[-1] if events and jerk.onset - events[-1][0].onset <= within else None
        if open_ is None or jerk.joint in {other.joint for other in open_}:
            events.append([jerk])
        else:
            open_.append(jerk)
    return [MyoclonicEvent(tuple(event)) for event in events]


def by_part(jerks: Sequence[Jerk], within: float = WITHIN) -> list[Jerk]:
    """One jerk a part of the body and moment, the greatest of each: what is counted."""
    return in_order([jerk for event in synchronous(jerks, within) for jerk in event.by_part().values()])


def _joined(parts: frozenset[str]) -> bool:
    """Whether one can go from each part to every other through parts of this set."""
    reached, before = {min(parts)}, 0
    while len(reached) > before:
        before = len(reached)
        reached |= {part for part in parts for other in reached if frozenset((part, other)) in NEXT_TO}
    return len(reached) == len(parts)
