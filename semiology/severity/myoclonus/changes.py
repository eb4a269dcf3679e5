"""Change of scores between visits, over what was measured at both; missing values are reported,
never imputed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from semiology.severity.myoclonus.umrs import Cell, Visit, panel_order


@dataclass(frozen=True)
class Change:
    """A score at a later visit and at the first visit of the cohort's order.

    The formula's scores are computed over the body parts that were seen in the same item at both
    visits, so that a leg out of view does not look like an improvement.

    Attributes:
        participant_id, score, first, later: participant, name of the score, and the two visits.
        before, after: the score at the two visits; NaN where missing.
        rests_on: number of parts and items behind it; None for other scores.
        reason: why there is no change; "" where there is one.
    """

    participant_id: str
    score: str
    first: str
    later: str
    before: float = math.nan
    after: float = math.nan
    rests_on: int | None = None
    reason: str = ""

    @property
    def change(self) -> float:
        """`after` minus `before`; NaN where one is missing."""
        return self.after - self.before


def changes(
    visits: Sequence[Visit],
    order: Sequence[str],
    others: Mapping[tuple[str, str], Mapping[str, float]],
) -> list[Change]:
    """Every participant's changes from the first visit of `order` to each later one, by score;
    empty for fewer than two visits.

    Args:
        visits: every participant's; those without a measured clip are missing.
        order: the cohort's visits, first to last.
        others: (participant, visit) -> other scores, such as the clinicians' and the fitted ones,
            NaN where there is none.
    """
    if len(order) < 2:
        return []
    known = {(visit.participant_id, visit.visit): visit for visit in visits if visit.items}
    found = []
    for participant in dict.fromkeys(visit.participant_id for visit in visits):
        for later in order[1:]:
            pair = Change(participant, "umrs_total", order[0], later)
            one, other = known.get((participant, order[0])), known.get((participant, later))
            if one is None or other is None:
                missing = " and ".join(
                    name for name, visit in ((order[0], one), (later, other)) if visit is None
                )
                found.append(replace(pair, reason=f"no measured clip of the visit {missing}"))
            else:
                found += _of_formula(pair, one, other)
            found += _of_others(
                pair, others.get((participant, order[0]), {}), others.get((participant, later), {})
            )
    return found


def _of_formula(pair: Change, one: Visit, other: Visit) -> list[Change]:
    """Changes of the panels' scores and of the total, over the cells of both visits."""
    both = one.cells & other.cells
    rows = [_compared(pair, "umrs_total", one.total(both), other.total(both), both)]
    for panel in sorted(
        {item.panel for item in (*one.items, *other.items)}, key=panel_order, reverse=True
    ):
        cells = {cell for cell in both if cell[0] == panel}
        before, after = (visit.panels(cells).get(panel, math.nan) for visit in (one, other))
        rows.insert(0, _compared(pair, f"umrs_{panel}", before, after, cells))
    return rows


def _compared(pair: Change, score: str, before: float, after: float, cells: set[Cell]) -> Change:
    reason = "" if cells else "no part of the body was seen in the same item at both visits"
    return replace(
        pair, score=score, before=before, after=after, rests_on=len(cells), reason=reason
    )


def _of_others(
    pair: Change, before: Mapping[str, float], after: Mapping[str, float]
) -> list[Change]:
    """Changes of the clinicians' and the fitted scores."""
    rows = []
    for score in dict.fromkeys((*before, *after)):
        one, other = before.get(score, math.nan), after.get(score, math.nan)
        absent = " and ".join(
            visit for visit, value in ((pair.first, one), (pair.later, other)) if math.isnan(value)
        )
        rows.append(
            replace(
                pair,
                score=score,
                before=one,
                after=other,
                reason=f"no score at {absent}" if absent else "",
            )
        )
    return rows
