"""Figures of the weakness report: a measure's distribution in each group, and its time course over
a clip by side or emotion, with the drift as a straight line.
"""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from semiology.data.cohort.table import by_cell, from_cell
from semiology.evaluation.report.figures import BLUE, GREY
from semiology.evaluation.report.plots import image, line_options, new_figure
from semiology.severity.face import Slope, blinks, fatigue_slope, ptosis
from semiology.severity.face.landmarks import SIDES
from semiology.severity.face.lids import FEWEST
from semiology.severity.weakness.measures import elicits
from semiology.severity.weakness.tables import EXPRESSION

WIDTH, ROW = 4.2, 0.32  # inches
MOST_POINTS = 400  # of a curve; a figure shows no more
# s without the face, over which no line is drawn; trackers that detect in every n-th frame have
# shorter gaps
GAP = 0.25


def distribution_figure(title: str, rows: Sequence[tuple[str, np.ndarray]], control: str) -> Markup:
    """One row of dots per group (or group and side), one dot per participant, a bar at the median;
    controls grey, the others blue.

    Args:
        title: description for a screen reader.
        rows: label and values (participant,) of each row; NaN is left out.
        control: rows whose label begins with it are controls'.
    """
    figure, [axes] = new_figure(WIDTH, 0.4 + ROW * len(rows))
    for number, (label, values) in enumerate(rows):
        known = np.sort(values[np.isfinite(values)])
        heights = number + 0.25 * ((np.arange(len(known)) * 0.618) % 1 - 0.5)  # evenly, not random
        colour = GREY if label.startswith(control) else BLUE
        axes.scatter(known, heights, s=18, color=colour, alpha=0.55, linewidth=0)
        if len(known):
            axes.vlines(np.median(known), number - 0.38, number + 0.38, color="#1b1b1b")
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    return image(figure, title)


def time_course_figure(
    title: str,
    time: np.ndarray,
    curves: Mapping[str, np.ndarray],
    slopes: Mapping[str, float],
    label: str,
) -> Markup:
    """Time curves over a clip: thin lines, interrupted where the face was not seen, and the slope
    of each as a straight line.

    Args:
        title: description for a screen reader.
        time: (time,) s.
        curves: side or emotion -> (time,) values.
        slopes: side or emotion -> change per minute; NaN draws none. The line goes through the
            medians of time and values.
        label: of the vertical axis.
    """
    figure, [axes] = new_figure(WIDTH, 2.3)
    every, end = max(1, len(time) // MOST_POINTS), float(time[-1]) if len(time) else 0.0
    for number, (name, values) in enumerate(curves.items()):
        style, known = line_options(number), np.isfinite(values)
        for run in runs(time[::every], values[::every]):
            is_first = run[0] == np.flatnonzero(known[::every])[0]
            axes.plot(
                time[::every][run],
                values[::every][run],
                color=style["color"],
                linewidth=0.9,
                alpha=0.65,
                label=name if is_first else None,
            )
        if np.isfinite(slopes[name]):
            middle, level = np.median(time[known]), np.median(values[known])
            line = [level + slopes[name] * (second - middle) / 60 for second in (0.0, end)]
            axes.plot([0.0, end], line, linewidth=1.8, **style)
    axes.set(xlabel="time, s", ylabel=label, xlim=(0, end or 1))
    axes.legend(frameon=False, fontsize=8)
    return image(figure, title)


def runs(time: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    """The runs of finite values without a gap of more than `GAP` s, as row numbers."""
    rows = np.flatnonzero(np.isfinite(values))
    return np.split(rows, np.flatnonzero(np.diff(time[rows]) > GAP) + 1) if len(rows) else []


def upgaze_curves(out: Path, clip: Mapping[Hashable, Any]) -> list[tuple[str, Markup]]:
    """Caption and figure of the upper lids in a clip of upgaze; empty where neither was seen."""
    measures = pd.read_csv(out / "measures" / f"{clip['clip_id']}.csv", index_col="time")
    curves = {side: measures[f"{side}_upper_lid"].to_numpy(float) for side in SIDES}
    lids = ptosis(measures, blinks(measures))
    slopes = {side: lids[side].drift for side in SIDES}
    title = f"Upper lids, {clip['clip_id']}"
    return captioned(title, measures.index, curves, slopes, "lid, eye widths")


def emotion_curves(out: Path, clip: Mapping[Hashable, Any]) -> list[tuple[str, Markup]]:
    """Caption and figure of the scores of the emotions that a clip's panel elicits; empty without
    scores of them.
    """
    names = [
        str(name).removeprefix(EXPRESSION)
        for name in clip
        if str(name).startswith(EXPRESSION) and np.isfinite(clip[name])
    ]
    elicited = [name for name in names if elicits(clip["panel"], name)]
    if not elicited:
        return []
    table = pd.read_csv(out / "expressions" / f"{clip['clip_id']}.csv")
    scores = by_cell(table, from_cell).pivot(index="time", columns="emotion", values="score")
    curves = {name: scores[name].to_numpy(float) for name in elicited}
    slopes = {name: fatigue_slope(scores.index, values) for name, values in curves.items()}
    return captioned(f"Expression, {clip['clip_id']}", scores.index, curves, slopes, "score")


def captioned(
    title: str,
    time: pd.Index,
    curves: Mapping[str, np.ndarray],
    slopes: Mapping[str, Slope],
    label: str,
) -> list[tuple[str, Markup]]:
    """A caption with the slope of each time course and its interval, and the figure; empty where
    nothing was seen.
    """
    if not any(np.isfinite(values).any() for values in curves.values()):
        return []
    drifts = "; ".join(f"{name} {drift_text(slope)}" for name, slope in slopes.items())
    per_minute = {name: slope.per_minute for name, slope in slopes.items()}
    figure = time_course_figure(title, time.to_numpy(float), curves, per_minute, label)
    return [(f"{title}: {drifts}", figure)]


def drift_text(slope: Slope) -> str:
    """A slope with its interval, or the reason why there is none."""
    if np.isnan(slope.per_minute):
        return f"no slope: {slope.windows} seconds seen, {FEWEST} are needed"
    low, high = format_value(slope.low), format_value(slope.high)
    return f"{format_value(slope.per_minute)} per minute ({low} to {high})"


def format_value(value: float) -> str:
    """A number with three significant digits, a dash where there is none."""
    return f"{value:#.3g}".rstrip(".").replace("-", "\N{MINUS SIGN}") if np.isfinite(value) else "–"
