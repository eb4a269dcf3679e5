"""What a participant's clip shows over time: the lids in an upgaze, the emotions that were asked for, each with its slope and interval."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from semiology.evaluation.report.svg import line_key
from semiology.severity.face import Slope, blinks, fatigue_slope, ptosis
from semiology.severity.face.fatigue import FEWEST
from semiology.severity.face.landmarks import SIDES
from semiology.severity.weakness.figures import course_figure, show
from semiology.severity.weakness.measures import is_asked
from semiology.severity.weakness.tables import EXPRESSION


def upgaze(out: Path, clip: Mapping[Hashable, Any]) -> list[tuple[Markup, Markup]]:
    """The lids of a clip in which the patient looks up: words and figure; nothing where neither lid was seen."""
    measures = pd.read_csv(out / "measures" / f"{clip['clip_id']}.csv", index_col="time")
    courses = {side: measures[f"{side}_upper_lid"].to_numpy(float) for side in SIDES}
    lids = ptosis(measures, blinks(measures))
    return course(f"Upper lids, {clip['clip_id']}", measures.index, courses, {side: lids[side].drift for side in SIDES}, "lid, eye widths")


def emotions(out: Path, clip: Mapping[Hashable, Any]) -> list[tuple[Markup, Markup]]:
    """The emotions that a clip asked for, over time: words and figure; nothing where there are no scores of them."""
    names = [str(name).removeprefix(EXPRESSION) for name in clip if str(name).startswith(EXPRESSION) and np.isfinite(clip[name])]
    asked = [name for name in names if is_asked(clip["panel"], name)]
    if not asked:
        return []
    scores = pd.read_csv(out / "expressions" / f"{clip['clip_id']}.csv").pivot(index="time", columns="emotion", values="score")
    courses = {name: scores[name].to_numpy(float) for name in asked}
    slopes = {name: fatigue_slope(scores.index, values) for name, values in courses.items()}
    return course(f"Expression, {clip['clip_id']}", scores.index, courses, slopes, "score")


def course(
    head: str, time: pd.Index, courses: Mapping[str, np.ndarray], slopes: Mapping[str, Slope], beside: str
) -> list[tuple[Markup, Markup]]:
    """Words with each course's slope and its interval, and the figure; nothing where no course was seen."""
    if not any(np.isfinite(values).any() for values in courses.values()):
        return []
    told = Markup("; ").join(Markup("{}{} {}").format(line_key(number), name, drift(slopes[name])) for number, name in enumerate(courses))
    drawn = course_figure(head, time.to_numpy(float), courses, {name: slope.per_minute for name, slope in slopes.items()}, beside)
    return [(Markup("{}: {}").format(head, told), drawn)]


def drift(slope: Slope) -> str:
    """A slope with its interval, or why there is none."""
    if np.isnan(slope.per_minute):
        return f"no slope: {slope.windows} seconds seen, {FEWEST} are needed"
    return f"{show(slope.per_minute)} per minute ({show(slope.low)} to {show(slope.high)})"
