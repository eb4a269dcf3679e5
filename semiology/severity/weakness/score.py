"""The weakness score of a participant: a sum that a person can redo with pencil and paper, and the
weaker side. [our choice, all of it]

    deficit(measure, side) = (median of the controls - value) / standard deviation of the controls,
    cut to 0 .. 5 score(side)            = mean of the deficits of that side's measures score
    = the greater of score(left) and score(right): the worse half of the face counts, as in clinical
    scales asymmetry              = mean over measures of (left - right) / (left + right) margin
    = 2 x root mean square of the controls' asymmetries, at least 0.05; 0.1 without controls weaker
    side            = right where asymmetry > margin, left where asymmetry < -margin, else none

The controls of a measure are left and right halves apart: a left eye is held against left eyes. A
control is judged against the other controls only. Nobody's two halves are ever averaged, nor a
stronger half taken for what the weaker one should do.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from semiology.severity.face.landmarks import SIDES
from semiology.severity.weakness.measures import FATIGUE, MEASURES, Measure, asymmetries

FEWEST = 3  # controls behind a deficit; and with fewer there is no score
GREATEST = 5.0  # standard deviations; a measure that went wrong must not be the whole score
ENOUGH = 0.5  # share of the measures that somebody has to have for a score
LEAST_MARGIN = 0.05
# of twenty real faces (news readers, Py-Feat's 68 points) the most lopsided one has an asymmetry of
# 0.08
MARGIN_ALONE = 0.1


def weakness_scores(
    values: pd.DataFrame,
    groups: Mapping[str, str],
    control: str = "control",
    margin: float | None = None,
    measures: tuple[Measure, ...] = MEASURES,
) -> pd.DataFrame:
    """Score, weaker side and fatigue of each participant and visit.

    Args:
        values: of `measure_values`: index (participant_id, visit), columns (measure, side).
        groups: participant_id -> group; "" or absent where none is given.
        control: the name of the controls' group. Of controls with several visits the first counts
            for others.
        margin: asymmetry below which no side is the weaker one; by default from the other controls
            (`margin_of`).

    Returns:
        Indexed as `values`: `score`, `score_left`, `score_right` (standard deviations of the
            controls; NaN with a `reason`),
        `weaker_side` ("left", "right", "none"; "" where unknown), `asymmetry` and its `margin` (-1
        to 1), `fatigue_left`, `fatigue_right` (drift of the upper lid, eye widths per minute of
        upgaze; negative where it sinks), `measures` (how many of how many count), `reason`.
    """
    beside = asymmetries(values, measures).mean(axis=1)
    deficits = deficits_of(values, groups, control)
    people = values.index.get_level_values(0)
    seen = people[values.notna().any(axis=1)]
    controls = {person for person in seen if groups.get(person, "") == control}
    first = beside[~people.duplicated()].droplevel(1)
    rows = []
    for place, person in enumerate(people):
        own, others = deficits.iloc[place], controls - {person}
        bound = margin_of(first[first.index.isin(others)]) if margin is None else margin
        by_side = {side: own.xs(side, level=1) for side in SIDES}
        known = int(own.notna().sum())
        reason = why_no_score(len(others), known, len(own))
        scores = {side: np.nan if reason else float(one.mean()) for side, one in by_side.items()}
        rows.append(
            {
                "score": np.nan if reason else float(np.nanmax(list(scores.values()))),
                **{f"score_{side}": score for side, score in scores.items()},
                "weaker_side": weaker_side(beside.iloc[place], bound),
                "asymmetry": beside.iloc[place],
                "margin": bound,
                **{f"fatigue_{side}": values[FATIGUE, side].iloc[place] for side in SIDES},
                "measures": f"{known} of {len(own)}",
                "reason": reason,
            }
        )
    return pd.DataFrame(rows, index=values.index)


def deficits_of(
    values: pd.DataFrame, groups: Mapping[str, str], control: str = "control"
) -> pd.DataFrame:
    """How far below the controls, in their standard deviations, 0 to `GREATEST`: shaped as
    `values`; NaN where it cannot be said.
    """
    first = values[~values.index.get_level_values(0).duplicated()]
    controls = first[
        [groups.get(person, "") == control for person in first.index.get_level_values(0)]
    ]
    rows = []
    for person, own in zip(values.index.get_level_values(0), values.to_numpy()):
        others = controls[controls.index.get_level_values(0) != person]
        spread = others.std(ddof=1).where((others.count() >= FEWEST) & (others.std(ddof=1) > 0))
        rows.append(((others.median() - own) / spread).clip(0, GREATEST))
    return pd.DataFrame(rows).set_axis(values.index)


def margin_of(controls: pd.Series) -> float:
    """The asymmetry that controls (participant,) show without being weak: twice their root mean
    square, about 95 % of them, and never less than 0.05, because a handful of controls may happen
    to be even; 0.1 where there are too few.
    """
    known = controls.dropna()
    return (
        max(LEAST_MARGIN, 2 * float(np.sqrt((known**2).mean())))
        if len(known) >= FEWEST
        else MARGIN_ALONE
    )


def weaker_side(asymmetry: float, margin: float) -> str:
    """ "left" or "right" where the other side does more by more than `margin`, else "none"; ""
    where the asymmetry is not known.
    """
    if np.isnan(asymmetry):
        return ""
    return "none" if abs(asymmetry) <= margin else ("right" if asymmetry > 0 else "left")


def why_no_score(others: int, known: int, of: int) -> str:
    """Why a participant with `others` other controls and `known` of so many measures has no score;
    empty where there is one.
    """
    if others < FEWEST:
        return f"{others or 'no'} other controls, {FEWEST} are needed: asymmetry and fatigue alone"
    if known < ENOUGH * of:
        return f"{known} of {of} measures can be judged, {ENOUGH:.0%} are needed"
    return ""
