"""Found jerks against true ones: one to one, by joint or part of the body, and by the time of the peak."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from semiology.severity.jerks.jerk import Jerk
from semiology.severity.jerks.synchrony import by_part

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
    truth: Sequence[Jerk], found: Sequence[Jerk], tolerance: float = TOLERANCE, by: Literal["joint", "part"] = "joint"
) -> Matched:
    """Pair as many as can be paired and, of all ways to do so, in the one that has the peaks nearest.

    Args:
        tolerance: s between the peaks of a pair, at most.
        by: "joint": a pair is of one joint; "part": jerks of one part of the body at one moment are joined first (`by_part`), a pair is of
            one part.
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
    apart = np.abs(np.subtract.outer([jerk.peak for jerk in truth], [jerk.peak for jerk in found])).reshape(len(truth), len(found))
    near = apart <= tolerance + 1e-9
    gain = np.where(near, 1 + len(truth) + len(found) - apart / (tolerance + 1e-9), 0.0)  # one pair more outweighs all distances
    rows, columns = linear_sum_assignment(gain, maximize=True)
    pairs = [(row, column) for row, column in zip(rows.tolist(), columns.tolist()) if near[row, column]]
    matched.pairs.extend((truth[row], found[column]) for row, column in pairs)
    matched.misses.extend(jerk for number, jerk in enumerate(truth) if number not in {row for row, _ in pairs})
    matched.false_alarms.extend(jerk for number, jerk in enumerate(found) if number not in {column for _, column in pairs})
