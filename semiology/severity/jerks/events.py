"""Jerks as a table, in memory and on disk: one row a jerk, tab-separated, n/a where something is
not known.

Jerks of one moment over the body: one event, and how far it reaches.

A jerk of one joint carries others with it, and generalised myoclonus pulls all at once. Either way
it is one event; in a limb it is counted once. Extent is by the parts of the body
(`kinematics.SEGMENTS`) that moved, whether pulled or carried: video cannot tell the two apart.

Found jerks against true ones: one to one, by joint or part of the body, and by the time of the
peak.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from semiology.data.cohort.table import Fault, read_table
from semiology.errors import UserError
from semiology.files import write_text
from semiology.severity.jerks.detection import Found
from semiology.severity.jerks.jerk import Jerk, in_order

AXES = ("direction_x", "direction_y", "direction_z")
DECIMALS = {
    "onset": 4,
    "peak": 4,
    "duration": 4,
    "amplitude": 6,
    **dict.fromkeys(AXES, 4),
    "snr": 2,
}
COLUMNS = ["joint", "segment", "side", *DECIMALS]
NEEDED = ["joint", "onset", "peak", "duration"]


def jerk_table(found: Found) -> pd.DataFrame:
    """One row a jerk, by onset; what is unknown is NaN. Times in s, amplitude in torso lengths."""
    rows = [
        {
            "joint": jerk.joint,
            "segment": jerk.segment,
            "side": jerk.side,
            "onset": jerk.onset,
            "peak": jerk.peak,
            "duration": jerk.duration,
            "amplitude": jerk.amplitude,
            **dict(zip(AXES, _axes(jerk))),
            "snr": jerk.snr,
        }
        for jerk in found.jerks
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(DECIMALS, float))


def write_jerks(path: str | Path, jerks: Sequence[Jerk]) -> None:
    """Write a .tsv, whole or not at all; times to a tenth of a millisecond; raises as
    `files.atomic_path`.
    """
    lines = ["\t".join(COLUMNS)]
    for jerk in in_order(list(jerks)):
        numbers = (jerk.onset, jerk.peak, jerk.duration, jerk.amplitude, *_axes(jerk), jerk.snr)
        cells = [
            f"{number:.{places}f}" if math.isfinite(number) else "n/a"
            for number, places in zip(numbers, DECIMALS.values())
        ]
        lines.append("\t".join([jerk.joint, jerk.segment or "n/a", jerk.side or "n/a", *cells]))
    write_text(path, "\n".join(lines) + "\n")


def read_jerks(path: str | Path) -> list[Jerk]:
    """Read such a table, in order of onset; columns beyond ours are passed over, and only joint,
    onset, peak and duration are needed.

    Raises:
        UserError: no such file, not a table, a column that is missing, a cell that is no number or
            no joint, a negative duration. Rows count as in a spreadsheet: the header is row 1.
    """
    path = Path(path)
    faults: list[Fault] = []
    table = read_table(path, NEEDED, faults, [])
    if faults:
        raise UserError(str(path.parent / str(faults[0])))
    return in_order([_jerk(path, row, cells) for row, cells in table.rows])


def _jerk(path: Path, row: int, cells: dict[str, str]) -> Jerk:
    numbers = {column: _number(path, row, column, cells.get(column, "")) for column in DECIMALS}
    if not cells["joint"]:
        raise UserError(_fault(path, row, "joint", "is empty; name the joint"))
    if numbers["duration"] < 0:
        raise UserError(_fault(path, row, "duration", "is negative; give 0 s or more"))
    direction = tuple(numbers[axis] for axis in AXES if math.isfinite(numbers[axis]))
    return Jerk(
        joint=cells["joint"],
        segment=cells.get("segment", ""),
        side=cells.get("side", ""),
        onset=numbers["onset"],
        peak=numbers["peak"],
        duration=numbers["duration"],
        amplitude=numbers["amplitude"],
        direction=direction,
        snr=numbers["snr"],
    )


def _number(path: Path, row: int, column: str, cell: str) -> float:
    if not cell and column not in NEEDED:
        return math.nan
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(_fault(path, row, column, f"{cell or 'n/a'!r} is not a number"))
    return number


def _axes(jerk: Jerk) -> tuple[float, ...]:
    """x, y and z of the direction, NaN where unknown."""
    return (*jerk.direction, *[math.nan] * (3 - len(jerk.direction)))


def _fault(path: Path, row: int, column: str, what: str) -> str:
    return str(path.parent / str(Fault(path.name, what, row, column)))


# s; spread down the body takes up to 60 ms, an onset at 25 Hz is right to some 40 ms. [our choice]
WITHIN = 0.1
LEAD = (
    0.04  # s, a frame at 25 Hz: of onsets that are no further apart none is the first. [our choice]
)
LIMBS = {f"{side}_{limb}": (side, limb) for side in ("left", "right") for limb in ("arm", "leg")}
NEXT_TO = {
    frozenset(pair)
    for pair in (("face", "neck"), ("neck", "trunk"), *(("trunk", limb) for limb in LIMBS))
} | {frozenset(("neck", f"{side}_arm")) for side in ("left", "right")}


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
        """The joint that began; of those that began within a frame of each other, the one whose
        acceleration stands out most.
        """
        first = [jerk for jerk in self.jerks if jerk.onset <= self.onset + LEAD]
        return max(
            first, key=lambda jerk: (np.nan_to_num(jerk.snr), np.nan_to_num(jerk.amplitude))
        ).joint

    @property
    def parts(self) -> frozenset[str]:
        """Parts of the body that moved."""
        return frozenset(jerk.part for jerk in self.jerks)

    @property
    def extent(self) -> str:
        """How far it reaches, by the terms of movement disorders; where one ends and the next
        begins is our choice.

        "focal": one part of the body; "generalised": arm and leg, both sides; "segmental": parts
        that are joined to each other (face and neck; neck, trunk and an arm); "multifocal": parts
        that are not.
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
    """Jerks joined to events: an event takes in what begins up to `within` s after its first onset,
    each joint once.
    """
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
    return in_order(
        [jerk for event in synchronous(jerks, within) for jerk in event.by_part().values()]
    )


def _joined(parts: frozenset[str]) -> bool:
    """Whether one can go from each part to every other through parts of this set."""
    reached, before = {min(parts)}, 0
    while len(reached) > before:
        before = len(reached)
        reached |= {
            part for part in parts for other in reached if frozenset((part, other)) in NEXT_TO
        }
    return len(reached) == len(parts)


TOLERANCE = 0.1  # s between the peaks. [our choice]


@dataclass(frozen=True)
class Matched:
    """What became of true and of found jerks.

    Attributes:
        pairs: (true, found).
        misses: true ones that were not found.
        false_alarms: found ones that are not true.
    """

    pairs: list[tuple[Jerk, Jerk]]
    misses: list[Jerk]
    false_alarms: list[Jerk]

    @property
    def sensitivity(self) -> float:
        """Share of the true ones that were found; NaN where there are none."""
        true = len(self.pairs) + len(self.misses)
        return len(self.pairs) / true if true else float("nan")

    @property
    def precision(self) -> float:
        """Share of the found ones that are true; NaN where there are none."""
        found = len(self.pairs) + len(self.false_alarms)
        return len(self.pairs) / found if found else float("nan")

    @property
    def f1(self) -> float:
        """2 pairs / (2 pairs + misses + false alarms); NaN where there is nothing at all."""
        total = 2 * len(self.pairs) + len(self.misses) + len(self.false_alarms)
        return 2 * len(self.pairs) / total if total else float("nan")


def match_jerks(
    truth: Sequence[Jerk],
    found: Sequence[Jerk],
    tolerance: float = TOLERANCE,
    by: Literal["joint", "part"] = "joint",
) -> Matched:
    """Pair as many as can be paired and, of all ways to do so, in the one that has the peaks
    nearest.

    Args:
        tolerance: s between the peaks of a pair, at most.
        by: "joint": a pair is of one joint; "part": jerks of one part of the body at one moment are
            joined first (`by_part`), a pair is of one part.
    """
    if by == "part":
        truth, found = by_part(truth), by_part(found)
    true_of, found_of = _grouped(truth, by), _grouped(found, by)
    matched = Matched([], [], [])
    for name in sorted(true_of.keys() | found_of.keys()):
        _pair(true_of.get(name, []), found_of.get(name, []), tolerance, matched)
    return matched


def _grouped(jerks: Sequence[Jerk], by: Literal["joint", "part"]) -> dict[str, list[Jerk]]:
    groups: dict[str, list[Jerk]] = {}
    for jerk in jerks:
        groups.setdefault(getattr(jerk, by), []).append(jerk)
    return groups


def _pair(truth: list[Jerk], found: list[Jerk], tolerance: float, matched: Matched) -> None:
    """Add what became of the jerks of one joint."""
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
