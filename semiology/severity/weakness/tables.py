"""From clips to what is compared: one row a clip, then a participant's scores, expressions, and the
values that groups are compared by.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from semiology.data.cohort import Clip, Cohort
from semiology.severity.face.landmarks import SIDES
from semiology.severity.weakness.measures import VISIT, asymmetries, elicits

EXPRESSION = "expression_"


def clip_table(cohort: Cohort, summaries: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """A row a clip: who, group, visit and panel ("" where not given), the clinicians' scores, and
    the clip's summary if it was measured.
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
    """Clips by participant, then visit, first to last."""
    people = [one.participant_id for one in cohort.participants]
    return sorted(
        cohort.clips,
        key=lambda clip: (
            people.index(clip.participant_id),
            _place(cohort.visits, clip.covariates.get("visit", "")),
        ),
    )


def _place(visits: Sequence[str], visit: str) -> int:
    return visits.index(visit) if visit in visits else len(visits)


def missing_visits(cohort: Cohort) -> dict[str, list[str]]:
    """participant_id -> visits that others have and this participant has no clip of."""
    seen: dict[str, set[str]] = {}
    for clip in cohort.clips:
        seen.setdefault(clip.participant_id, set()).add(clip.covariates.get("visit", ""))
    lacking = {
        person: [visit for visit in cohort.visits if visit not in own]
        for person, own in seen.items()
    }
    return {person: visits for person, visits in lacking.items() if visits}


def emotions_of(clips: pd.DataFrame) -> list[str]:
    """The emotions that the clips have scores of and some panel asks for (all of them, where clips
    have no panel).
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
    """A row a participant, visit and emotion: mean score over the clips that asked for it, and how
    many these were.
    """
    rows = []
    for emotion in emotions_of(clips):
        asked = clips[[elicits(panel, emotion) for panel in clips["panel"]]]
        for (person, visit), own in asked.groupby(VISIT, sort=False):
            scores = own[EXPRESSION + emotion].dropna()
            who = {"participant_id": person, "visit": visit, "group": own["group"].iloc[0]}
            rows.append(
                {
                    **who,
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
    panels: Mapping[str, str],
) -> pd.DataFrame:
    """What `compare_groups` reads: one value a participant, of the first visit, of every emotion,
    measure and side, and of the score.

    Sides are "left", "right", "asymmetry" (its size, whichever side is the weaker one) or "" for
    what has none.

    Args:
        values: of `measure_values`. scores: of `weakness_scores`. expressions: of
            `expression_table`.
        panels: measure -> panel that asks for it.
    """
    parts: list[pd.DataFrame] = []

    def add(family: str, measure: str, side: str, panel: str, column: pd.Series) -> None:
        first = column[~column.index.get_level_values(0).duplicated()]
        people = first.index.get_level_values(0)
        who = pd.DataFrame(
            {"participant_id": people, "group": [groups.get(person, "") for person in people]}
        )
        parts.append(
            who.assign(
                family=family, measure=measure, side=side, panel=panel, value=first.to_numpy(float)
            )
        )

    for emotion, own in expressions.groupby("emotion", sort=False):
        add("expression", str(emotion), "", str(emotion), own.set_index(VISIT)["score"])
    beside = asymmetries(values).abs()
    for name in dict.fromkeys(values.columns.get_level_values(0)):
        for side in SIDES:
            add("measure", name, side, panels[name], values[name, side])
        if name in beside:
            add("measure", name, "asymmetry", panels[name], beside[name])
    add("score", "weakness score", "", "", scores["score"])
    add("score", "asymmetry over all measures", "asymmetry", "", scores["asymmetry"].abs())
    return pd.concat(parts, ignore_index=True)
