"""The facial measures that enter the weakness score, the panel in which each is read, and the
values of each participant.

A measure is read from clips of the panel that elicits its movement: the corner lift of a smile in
the panel happiness, the fatigue of the lids in a sustained upgaze. Left and right are separate.
"""

from dataclasses import dataclass

import pandas as pd

from semiology.severity.face import asymmetry
from semiology.severity.face.landmarks import SIDES
from semiology.severity.weakness.expressions import emotion_name

VISIT = ["participant_id", "visit"]


@dataclass(frozen=True)
class Measure:
    """A measure of one half of the face that is lower in a weaker half.

    Attributes:
        name: in tables.
        panel: that elicits it; synonyms count (`emotion_name`): "smile" and "happy" are happiness.
        key: of `face_summary`, with {side} for left and right.
        unit: of its values.
        paired: whether left and right are positive lengths, so that their asymmetry enters the
            weaker side.
    """

    name: str
    panel: str
    key: str
    unit: str = "distances between the outer eye corners"
    paired: bool = True

    def blendshape(self, side: str) -> str:
        """Name of the blendshape that a measure of `MOVEMENTS` reads on a side."""
        return self.key.removeprefix("{side}_").removesuffix("_range") + side.capitalize()


# Ptosis, its fatigue in upgaze, closure and mimic movement are examined in myasthenia [P]; the
# selection is our choice.
FATIGUE = "lid fatigue"
MEASURES = (
    Measure("eye aperture", "rest", "{side}_eye_aperture_median"),
    Measure("eye aperture looking up", "upgaze", "{side}_eye_aperture_median"),
    Measure(FATIGUE, "upgaze", "{side}_lid_drift", "eye widths per minute", paired=False),
    Measure("eye closure", "closure", "{side}_closure", "fraction of the open eye"),
    Measure("corner lift", "happiness", "{side}_corner_lift_range"),
    Measure("smile reach", "happiness", "{side}_mouth_reach_range"),
    Measure("brow lift", "fear", "{side}_brow_height_range"),
    Measure("brow lowering", "anger", "{side}_brow_height_range"),
)


# The same movements as blendshapes, where the store holds them: beside the score and not in it,
# because the network learned from faces that move alike on both sides [our choice].
MOVEMENTS = tuple(
    Measure(name, panel, f"{{side}}_{blendshape}_range", "0 to 1")
    for name, panel, blendshape in (
        ("smile", "happiness", "mouthSmile"),
        ("eye closure", "closure", "eyeBlink"),
        ("brow lift", "fear", "browOuterUp"),
        ("brow lowering", "anger", "browDown"),
        ("mouth drawn to that side", "pucker", "mouth"),
    )
)


def elicits(panel: str, measure_panel: str) -> bool:
    """Whether a clip of `panel` elicits what is measured in `measure_panel`; a clip without a panel
    counts for every measure.
    """
    return panel == "" or emotion_name(panel) == emotion_name(measure_panel)


def measure_values(clips: pd.DataFrame, measures: tuple[Measure, ...] = MEASURES) -> pd.DataFrame:
    """Each participant's values: mean over the clips of the panel that elicits the measure.

    Args:
        clips: one row per clip: `participant_id`, `visit`, `panel` and the keys of `face_summary`.

    Returns:
        Index (participant_id, visit) in the order of the clips, columns (measure, side); NaN where
        no clip gives a value.
    """
    index = pd.MultiIndex.from_frame(clips[VISIT].drop_duplicates())
    columns: dict[tuple[str, str], pd.Series] = {}
    for measure in measures:
        own = clips[[elicits(panel, measure.panel) for panel in clips["panel"]]]
        for side in SIDES:
            key = measure.key.format(side=side)
            mean = own.groupby(VISIT)[key].mean() if key in own else pd.Series(dtype=float)
            columns[measure.name, side] = mean.reindex(index)
    return pd.DataFrame(columns, index=index)


def asymmetries(values: pd.DataFrame, measures: tuple[Measure, ...] = MEASURES) -> pd.DataFrame:
    """(left - right) / (left + right) of every paired measure, positive where the left half moves
    more; columns are the measures' names.
    """
    return pd.DataFrame(
        {
            one.name: asymmetry(values[one.name, "left"], values[one.name, "right"])
            for one in measures
            if one.paired
        },
        index=values.index,
    )
