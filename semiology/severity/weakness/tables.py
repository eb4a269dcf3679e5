"""The tables of a cohort: clips, expressions, clinical scores, and the values by which groups are
compared.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from semiology.data.cohort import Clip, Cohort
from semiology.severity.face.landmarks import SIDES
from semiology.severity.weakness.measures import MEASURES, MOVEMENTS, VISIT, asymmetries, elicits

EXPRESSION = "expression_"


def clip_table(cohort: Cohort, summaries: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """One row per clip: participant, group, visit and panel ("" where not given), the clinicians'
    scores, and the clip's summary if it was measured.
    """
    groups = cohort.groups
    rows = [
        {
            "clip_id": clip.clip_id,
            "participant_id": clip.participant_id,
            "group": groups[clip.participant_id],
            "visit": clip.covariates.get("visit", ""),
            "panel": clip.covariates.get("panel", ""),
            **clip.scores,
            **summaries.get(clip.clip_id, {}),
        }
        for clip in sorted_clips(cohort)
    ]
    return pd.DataFrame(rows)


def sorted_clips(cohort: Cohort) -> list[Clip]:
    """Clips by participant, then visit in the cohort's order; unknown visits last."""
    participants = [one.participant_id for one in cohort.participants]
    visits = {visit: number for number, visit in enumerate(cohort.visits)}
    return sorted(
        cohort.clips,
        key=lambda clip: (
            participants.index(clip.participant_id),
            visits.get(clip.covariates.get("visit", ""), len(visits)),
        ),
    )


def missing_visits(cohort: Cohort) -> dict[str, list[str]]:
    """participant_id -> visits of the cohort of which this participant has no clip."""
    seen: dict[str, set[str]] = {}
    for clip in cohort.clips:
        seen.setdefault(clip.participant_id, set()).add(clip.covariates.get("visit", ""))
    missing = {
        participant: [visit for visit in cohort.visits if visit not in own]
        for participant, own in seen.items()
    }
    return {participant: visits for participant, visits in missing.items() if visits}


def emotions_of(clips: pd.DataFrame) -> list[str]:
    """The emotions with scores that some clip's panel elicits (all of them, where clips have no
    panel).
    """
    emotions = [
        column.removeprefix(EXPRESSION)
        for column in map(str, clips)
        if column.startswith(EXPRESSION)
    ]
    return [
        emotion
        for emotion in emotions
        if any(elicits(panel, emotion) for panel in clips["panel"].unique())
    ]


def expression_table(clips: pd.DataFrame) -> pd.DataFrame:
    """One row per participant, visit and emotion: mean score over the clips that elicit it, and
    their number.
    """
    rows = []
    for emotion in emotions_of(clips):
        eliciting = clips[[elicits(panel, emotion) for panel in clips["panel"]]]
        for (participant, visit), own in eliciting.groupby(VISIT, sort=False):
            scores = own[EXPRESSION + emotion].dropna()
            rows.append(
                {
                    "participant_id": participant,
                    "visit": visit,
                    "group": own["group"].iloc[0],
                    "emotion": emotion,
                    "score": scores.mean() if len(scores) else float("nan"),
                    "clips": len(scores),
                }
            )
    return pd.DataFrame(
        rows, columns=["participant_id", "visit", "group", "emotion", "score", "clips"]
    )


def clinical_scores(clips: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Mean of each of the clinicians' scores over a participant's clips of a visit; index
    (participant_id, visit).
    """
    return clips.groupby(VISIT, sort=False)[list(names)].mean()


def compared_values(
    values: pd.DataFrame,
    scores: pd.DataFrame,
    expressions: pd.DataFrame,
    groups: Mapping[str, str],
    movements: pd.DataFrame,
) -> pd.DataFrame:
    """The input of `compare_groups`: one value per participant (first visit) for every emotion, for
    every measure and side, and for the score.

    Sides are "left", "right", "asymmetry" (its absolute value, whichever side is weaker) or "".

    Args:
        values: of `measure_values`.
        scores: of `weakness_scores`.
        expressions: of `expression_table`.
        groups: participant_id -> group.
        movements: of `measure_values` with `MOVEMENTS`; without columns where there are no
            blendshapes.
    """
    parts: list[pd.DataFrame] = []

    def add(family: str, measure: str, side: str, panel: str, column: pd.Series) -> None:
        first = column[~column.index.get_level_values(0).duplicated()]
        participants = first.index.get_level_values(0)
        grouped = pd.DataFrame(
            {
                "participant_id": participants,
                "group": [groups.get(participant, "") for participant in participants],
            }
        )
        parts.append(
            grouped.assign(
                family=family, measure=measure, side=side, panel=panel, value=first.to_numpy(float)
            )
        )

    for emotion, own in expressions.groupby("emotion", sort=False):
        add("expression", str(emotion), "", str(emotion), own.set_index(VISIT)["score"])
    for family, table, measures in (
        ("measure", values, MEASURES),
        ("movement", movements, MOVEMENTS),
    ):
        there = tuple(one for one in measures if all((one.name, side) in table for side in SIDES))
        asymmetry = asymmetries(table, there).abs()
        for one in there:
            for side in SIDES:
                add(family, one.name, side, one.panel, table[one.name, side])
            if one.paired:
                add(family, one.name, "asymmetry", one.panel, asymmetry[one.name])
    add("score", "weakness score", "", "", scores["score"])
    add("score", "asymmetry over all measures", "asymmetry", "", scores["asymmetry"].abs())
    return pd.concat(parts, ignore_index=True)
