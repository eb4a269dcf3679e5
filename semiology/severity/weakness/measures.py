"""Which measure of the face counts for weakness, in which panel it is read, and each participant's
values of it.

A measure is read where the participant was asked for the movement that it measures: a smile's
corner lift in the panel happiness, the lids' fatigue in a sustained upgaze. Left and right stay
apart.
"""

from dataclasses import dataclass

import pandas as pd

from semiology.severity.face import asymmetry
from semiology.severity.face.landmarks import SIDES
from semiology.severity.weakness.expressions import emotion_name

VISIT = ["participant_id", "visit"]


@dataclass(frozen=True)
class Measure:
    """A measure of one half of the face that is lower, the weaker that half is.

    Attributes:
        name: what tables call it.
        panel: what asks for it; panels are compared as emotions are (`emotion_name`), so "smile"
            and "happy" ask for happiness too.
        key: of `face_summary`, with {side} for left and right.
        unit: of its values.
        paired: whether left and right are positive amounts of the same thing, so that their
            asymmetry counts for the weaker side.
    """

    name: str
    panel: str
    key: str
    unit: str = "distances between the outer eye corners"
    paired: bool = True


# Ptosis, its fatigue in upgaze, closure and mimic movement are what is looked at in myasthenia [P];
# which of them count here is our choice.
FATIGUE = "lid fatigue"
MEASURES = (
    Measure("eye aperture", "rest", "{side}_eye_aperture_median"),
    Measure("eye aperture looking up", "upgaze", "{side}_eye_aperture_median"),
    Measure(FATIGUE, "upgaze", "{side}_lid_drift", "eye widths per minute", paired=False),
    Measure("eye closure", "closure", "{side}_closure", "share of the open eye"),
    Measure("corner lift", "happiness", "{side}_corner_lift_range"),
    Measure("smile reach", "happiness", "{side}_mouth_reach_range"),
    Measure("brow lift", "fear", "{side}_brow_height_range"),
    Measure("brow lowering", "anger", "{side}_brow_height_range"),
)


def elicits(panel: str, measure_panel: str) -> bool:
    """Whether a clip of this panel asks for what is measured in `measure_panel`; a clip without a
    panel asks for everything.
    """
    return panel == "" or emotion_name(panel) == emotion_name(measure_panel)


def measure_values(clips: pd.DataFrame, measures: tuple[Measure, ...] = MEASURES) -> pd.DataFrame:
    """Each participant's values: mean over the clips of the panel that asks for the measure.

    Args:
        clips: a row a clip: `participant_id`, `visit`, `panel` and what `face_summary` gives.

    Returns:
        Index (participant_id, visit) in the order of the clips, columns (measure, side); NaN where
        no clip gives a value.
    """
    people = pd.MultiIndex.from_frame(clips[VISIT].drop_duplicates())
    columns: dict[tuple[str, str], pd.Series] = {}
    for measure in measures:
        asked = clips[[elicits(panel, measure.panel) for panel in clips["panel"]]]
        for side in SIDES:
            key = measure.key.format(side=side)
            mean = asked.groupby(VISIT)[key].mean() if key in asked else pd.Series(dtype=float)
            columns[measure.name, side] = mean.reindex(people)
    return pd.DataFrame(columns, index=people)


def asymmetries(values: pd.DataFrame, measures: tuple[Measure, ...] = MEASURES) -> pd.DataFrame:
    """(left - right) / (left + right) of every paired measure: positive where the left half does
    more. Columns are the measures' names.
    """
    return pd.DataFrame(
        {
            one.name: asymmetry(values[one.name, "left"], values[one.name, "right"])
            for one in measures
            if one.paired
        },
        index=values.index,
    )
