"""The clinicians' scores of a cohort, a number a visit."""

from collections.abc import Sequence

import numpy as np

from semiology.data.cohort import Clip, Score
from semiology.severity.myoclonus.regression import Key
from semiology.severity.myoclonus.umrs import panel_of


def rated_panel(clips: Sequence[Clip], score: Score) -> str | None:
    """The panel whose machine score this one rates: "action" for "umrs_action" or "action", "" for the total; None where it is neither."""
    panel = score.of.lower().removeprefix("umrs_")
    if panel == "total":
        return ""
    return panel if panel in {panel_of(clip) for clip in clips} else None


def rated_visits(clips: Sequence[Clip], score: Score) -> dict[Key, float]:
    """(participant, visit) -> mean over the clips that were scored: of the panel that the score rates, else of all."""
    panel = rated_panel(clips, score)
    values: dict[Key, list[float]] = {}
    for clip in clips:
        value = clip.scores.get(score.name)
        if value is not None and panel in (None, "", panel_of(clip)):
            values.setdefault((clip.participant_id, clip.covariates.get("visit", "")), []).append(value)
    return {key: float(np.mean(own)) for key, own in values.items()}
