"""OUT/report.html, one file: groups in the study's table form, every measure's spread, each
participant's measures, sides, upgaze and emotions over time.

What a participant's clip shows over time: the lids in an upgaze, the emotions that were asked for,
each with its slope and interval.

The report's figures: how a measure is spread over each group, and a measure's course over a clip
with its slope. Inline SVG.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from semiology.evaluation.report.figures import BLUE, GREY, frame, line_key, line_style, svg, text
from semiology.evaluation.report.rendering import plain, render
from semiology.files import write_text
from semiology.severity.face import Slope, asymmetry, blinks, fatigue_slope, ptosis
from semiology.severity.face.landmarks import SIDES
from semiology.severity.face.fatigue import FEWEST
from semiology.severity.weakness.measures import FATIGUE, MEASURES, Measure, elicits
from semiology.severity.weakness.score import (
    ENOUGH,
    GREATEST,
    LEAST_MARGIN,
    MARGIN_ALONE,
    weaker_side,
)
from semiology.severity.weakness.tables import EXPRESSION

WIDTH, ROW = 250.0, 26.0  # SVG units
MOST_POINTS = 400  # of a curve; a picture shows no more
# s without the face, over which no line is drawn; trackers that look at every n-th frame leave
# shorter ones
HOLE = 0.25


def distribution_figure(title: str, rows: Sequence[tuple[str, np.ndarray]], control: str) -> Markup:
    """One row of dots a group (or group and side), one dot a participant, the bar at the median;
    controls grey, the others blue.

    Args:
        title: what a screen reader says.
        rows: what stands beside a row and its values (participant,); NaN is left out.
        control: rows whose words begin with it are controls'.
    """
    known = [values[np.isfinite(values)] for _, values in rows]
    low, high, ticks = axis(np.concatenate([*known, np.zeros(0)]))
    parts, height = [frame(WIDTH, ROW * len(rows))], ROW * len(rows)
    for number, ((words, _), values) in enumerate(zip(rows, known)):
        middle = ROW * (number + 0.5)
        colour = GREY if words.startswith(control) else BLUE
        parts.append(text(-6, middle + 4, words, "end"))
        for place, value in enumerate(np.sort(values)):
            x, y = (
                WIDTH * (value - low) / (high - low),
                middle + 6 * ((place * 0.618) % 1 - 0.5),
            )  # spread evenly, not at random
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}" fill-opacity="0.55"/>'
            )
        if len(values):
            x = WIDTH * (np.median(values) - low) / (high - low)
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{middle - 10:.1f}" y2="{middle + 10:.1f}"'
                ' stroke="#1b1b1b" stroke-width="2"/>'
            )
    parts += [text(WIDTH * (tick - low) / (high - low), height + 15, f"{tick:g}") for tick in ticks]
    return svg(title, f"-96 -4 {WIDTH + 112:g} {height + 24:g}", parts)


def course_figure(
    title: str,
    time: np.ndarray,
    courses: Mapping[str, np.ndarray],
    slopes: Mapping[str, float],
    beside: str,
) -> Markup:
    """A measure's course by side over a clip: thin lines, holes where the face was not seen, and
    each side's slope as a straight line.

    Args:
        time: (time,) s.
        courses: side -> (time,) values.
        slopes: side -> change per minute; NaN draws none. The line goes through the medians of time
            and course.
        beside: what the vertical axis is.
    """
    height, every = 120.0, max(1, len(time) // MOST_POINTS)
    low, high, ticks = axis(
        np.concatenate([values[np.isfinite(values)] for values in courses.values()])
    )
    end = float(time[-1]) if len(time) > 1 and time[-1] > 0 else 1.0

    def at(seconds: float, value: float) -> str:
        return f"{WIDTH * seconds / end:.1f},{height * (1 - (value - low) / (high - low)):.1f}"

    parts = [frame(WIDTH, height)]
    for number, (side, values) in enumerate(courses.items()):
        colour, dash = line_style(number)
        for run in _runs(time[::every], values[::every]):
            points = " ".join(at(time[::every][row], values[::every][row]) for row in run)
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.1"'
                ' stroke-opacity="0.65"/>'
            )
        if np.isfinite(slopes[side]):
            known = np.isfinite(values)
            middle, level = np.median(time[known]), np.median(values[known])
            ends = [
                at(seconds, level + slopes[side] * (seconds - middle) / 60)
                for seconds in (0.0, end)
            ]
            parts.append(
                f'<polyline points="{" ".join(ends)}" stroke="{colour}" stroke-width="2.4"'
                f' stroke-dasharray="{dash}"/>'
            )
    parts += [
        text(-6, height * (1 - (tick - low) / (high - low)) + 4, f"{tick:g}", "end")
        for tick in ticks
    ]
    parts += [
        text(WIDTH * tick / end, height + 15, f"{tick:g}")
        for tick in axis(np.array([0.0, end]))[2]
        if tick <= end
    ]
    parts.append(text(WIDTH / 2, height + 30, "seconds"))
    parts.append(text(-height / 2, -40, beside, extra='transform="rotate(-90)"'))
    return svg(title, f"-54 -6 {WIDTH + 66:g} {height + 42:g}", parts)


def axis(values: np.ndarray) -> tuple[float, float, list[float]]:
    """Where an axis begins and ends, and its ticks: three to six round numbers that hold all
    values.
    """
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    power = 10 ** np.floor(np.log10(high - low))
    step = next(power * part for part in (0.2, 0.5, 1, 2) if (high - low) / (power * part) <= 5)
    first, last = np.floor(low / step), np.ceil(high / step)
    ticks = [round(float(step * number), 10) for number in np.arange(first, last + 1)]
    return ticks[0], ticks[-1], ticks


def show(value: float) -> str:
    """Three digits, a dash where there is no number."""
    return f"{value:#.3g}".rstrip(".").replace("-", "\N{MINUS SIGN}") if np.isfinite(value) else "–"


def _runs(time: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    """The stretches of finite values without a hole, as rows."""
    rows = np.flatnonzero(np.isfinite(values))
    return np.split(rows, np.flatnonzero(np.diff(time[rows]) > HOLE) + 1) if len(rows) else []


def upgaze(out: Path, clip: Mapping[Hashable, Any]) -> list[tuple[Markup, Markup]]:
    """The lids of a clip in which the patient looks up: words and figure; nothing where neither lid
    was seen.
    """
    measures = pd.read_csv(out / "measures" / f"{clip['clip_id']}.csv", index_col="time")
    courses = {side: measures[f"{side}_upper_lid"].to_numpy(float) for side in SIDES}
    lids = ptosis(measures, blinks(measures))
    return course(
        f"Upper lids, {clip['clip_id']}",
        measures.index,
        courses,
        {side: lids[side].drift for side in SIDES},
        "lid, eye widths",
    )


def emotions(out: Path, clip: Mapping[Hashable, Any]) -> list[tuple[Markup, Markup]]:
    """The emotions that a clip asked for, over time: words and figure; nothing where there are no
    scores of them.
    """
    names = [
        str(name).removeprefix(EXPRESSION)
        for name in clip
        if str(name).startswith(EXPRESSION) and np.isfinite(clip[name])
    ]
    asked = [name for name in names if elicits(clip["panel"], name)]
    if not asked:
        return []
    scores = pd.read_csv(out / "expressions" / f"{clip['clip_id']}.csv").pivot(
        index="time", columns="emotion", values="score"
    )
    courses = {name: scores[name].to_numpy(float) for name in asked}
    slopes = {name: fatigue_slope(scores.index, values) for name, values in courses.items()}
    return course(f"Expression, {clip['clip_id']}", scores.index, courses, slopes, "score")


def course(
    head: str,
    time: pd.Index,
    courses: Mapping[str, np.ndarray],
    slopes: Mapping[str, Slope],
    beside: str,
) -> list[tuple[Markup, Markup]]:
    """Words with each course's slope and its interval, and the figure; nothing where no course was
    seen.
    """
    if not any(np.isfinite(values).any() for values in courses.values()):
        return []
    told = Markup("; ").join(
        Markup("{}{} {}").format(line_key(number), name, drift(slopes[name]))
        for number, name in enumerate(courses)
    )
    drawn = course_figure(
        head,
        time.to_numpy(float),
        courses,
        {name: slope.per_minute for name, slope in slopes.items()},
        beside,
    )
    return [(Markup("{}: {}").format(head, told), drawn)]


def drift(slope: Slope) -> str:
    """A slope with its interval, or why there is none."""
    if np.isnan(slope.per_minute):
        return f"no slope: {slope.windows} seconds seen, {FEWEST} are needed"
    return f"{show(slope.per_minute)} per minute ({show(slope.low)} to {show(slope.high)})"


FAMILIES = {
    "expression": (
        "Expressions",
        "Mean score of each emotion over the clips that asked for it, 0 to 1.",
    ),
    "measure": (
        "Measures of the face",
        (
            "The patient's left and right halves apart; the asymmetry by its size, whichever half"
            " is the weaker one."
        ),
    ),
    "score": (
        "Weakness",
        "In standard deviations of the controls; every control judged against the others.",
    ),
}


def write_report(
    out: Path,
    tables: dict[str, pd.DataFrame],
    notes: Sequence[str],
    failed: Sequence[tuple[str, str]],
    control: str,
) -> Path:
    """Write OUT/report.html from the tables of `weakness_tables` and the measures in OUT/measures;
    returns its path.

    Raises:
        UserError: the folder cannot be written.
    """
    people, banner = (
        tables["participants"],
        [note for note in notes if note.startswith("Synthetic")],
    )
    counts = Counter(people.drop_duplicates("participant_id")["group"])
    page = render(
        "weakness.html.jinja",
        banner=banner,
        notes=[note for note in notes if note not in banner],
        failed=failed,
        clips=int(tables["clips"]["assessable"].notna().sum()),  # that were measured
        counts=", ".join(
            f"{count} {group}s" if group else f"{count} without a group"
            for group, count in counts.items()
        ),
        control=control,
        families=families(tables["groups"]),
        several=tables["groups"]["group"].nunique() > 1,
        distributions=distributions(tables, control),
        visits=bool((people["visit"] != "").any()),
        clinical=clinical_names(people),
        people=[
            person(out, number, row, tables, control)
            for number, row in enumerate(people.to_dict("records"))
        ],
        method=method(control),
    )
    write_text(out / "report.html", page)
    return out / "report.html"


def families(groups: pd.DataFrame) -> list[tuple[str, str, list[dict[str, str]]]]:
    """Heading, explanation and rows of each table of comparisons, every cell as it is printed."""
    shown = []
    for family, (heading, words) in FAMILIES.items():
        own = groups[groups["family"] == family].sort_values("group", kind="stable")
        rows = [compared_row(row) for row in own.to_dict("records")]
        shown += [(heading, words, rows)] if rows else []
    return shown


def compared_row(row: Mapping[Hashable, Any]) -> dict[str, str]:
    """One comparison as the table prints it."""
    cells = {
        name: str(row[name])
        for name in ("n", "n_control", "measure", "side", "panel", "group", "note")
    }
    for which in ("", "_control"):
        middle, low, high = (show(row[name + which]) for name in ("median", "q25", "q75"))
        cells |= {
            f"median{which}": middle,
            f"quartiles{which}": f"{low} to {high}" if row[f"n{which}"] else "",
        }
    tested = np.isfinite(row["p"])
    return cells | {
        "u": f"{row['u']:g}" if tested else "",
        "p": probability(row["p"]) if tested else "",
        "q": probability(row["q"]) if tested else "",
        "effect": show(row["effect"]),
        "limits": (
            f"{show(row['effect_low'])} to {show(row['effect_high'])}"
            if np.isfinite(row["effect_low"])
            else ""
        ),
    }


def distributions(tables: dict[str, pd.DataFrame], control: str) -> list[tuple[str, Markup]]:
    """What is drawn and its figure: the score, each emotion, each measure by side; one row a group,
    controls first.
    """
    first = tables["participants"].drop_duplicates("participant_id")
    groups = sorted(set(first["group"]), key=lambda group: (group != control, group))
    drawn = []

    def add(words: str, table: pd.DataFrame, columns: dict[str, str]) -> None:
        rows = [
            (
                f"{group or 'no group'}{beside}",
                table.loc[table["group"] == group, column].to_numpy(float),
            )
            for beside, column in columns.items()
            for group in groups
        ]
        if any(np.isfinite(values).any() for _, values in rows):
            drawn.append((words, distribution_figure(words, rows, control)))

    add("weakness score", first, {"": "score"})
    for emotion, own in tables["expressions"].groupby("emotion", sort=False):
        add(f"expression: {emotion}", own.drop_duplicates("participant_id"), {"": "score"})
    for measure in MEASURES:
        add(
            f"{measure.name} ({measure.unit})",
            first,
            {f", {side}": f"{measure.name}, {side}" for side in SIDES},
        )
    return drawn


def person(
    out: Path,
    number: int,
    row: Mapping[Hashable, Any],
    tables: dict[str, pd.DataFrame],
    control: str,
) -> dict[str, Any]:
    """All that the page shows of one participant and visit."""
    people, clips = tables["participants"], tables["clips"]
    controls = people[(people["group"] == control) & ~people["participant_id"].duplicated()]
    own = clips[
        (clips["participant_id"] == row["participant_id"])
        & (clips["visit"] == row["visit"])
        & clips["assessable"].notna()
    ]
    numbers = ("score", "score_left", "score_right", "asymmetry", "fatigue_left", "fatigue_right")
    return {
        **{
            name: row[name]
            for name in ("participant_id", "visit", "group", "weaker_side", "measures", "reason")
        },
        **{name: show(row[name]) for name in numbers},
        "number": number,
        "clinical": [show(row[name]) for name in clinical_names(people)],
        "rows": [measure_row(measure, row, controls) for measure in MEASURES],
        "courses": [
            *(
                drawn
                for clip in own.to_dict("records")
                if elicits(clip["panel"], "upgaze")
                for drawn in upgaze(out, clip)
            ),
            *(drawn for clip in own.to_dict("records") for drawn in emotions(out, clip)),
        ],
    }


def measure_row(
    measure: Measure, row: Mapping[Hashable, Any], controls: pd.DataFrame
) -> dict[str, str]:
    """A measure of one participant by side, which is the weaker one by this measure alone, and the
    controls' medians.
    """
    left, right = (row[f"{measure.name}, {side}"] for side in SIDES)
    others = [controls[f"{measure.name}, {side}"].median() for side in SIDES]
    weaker = weaker_side(float(asymmetry(left, right)), row["margin"]) if measure.paired else ""
    shown = {
        "measure": measure.name,
        "panel": measure.panel,
        "left": show(left),
        "right": show(right),
        "weaker": weaker,
    }
    return shown | {"controls": " / ".join(map(show, others)) if np.isfinite(others).all() else "–"}


def clinical_names(people: pd.DataFrame) -> list[str]:
    """The clinicians' scores among the columns: between `reason` and the first measure."""
    columns = [str(column) for column in people]
    return columns[columns.index("reason") + 1 : columns.index(f"{MEASURES[0].name}, {SIDES[0]}")]


def method(control: str) -> list[tuple[str, str]]:
    """What each number is, for the page's last section."""
    return [
        (
            "measures",
            (
                "landmarks with the head's pose taken out, in distances between the outer eye"
                " corners unless another unit is named"
            ),
        ),
        ("range", "how far a measure moved in the clip: from its 0.05 to its 0.95 quantile"),
        (
            FATIGUE,
            (
                "Theil-Sen slope of the upper lid's height over the upgaze, blinks left out; its 95"
                " % interval stands over the curve"
            ),
        ),
        (
            "score",
            (
                "for each measure and half of the face: how many standard deviations below the"
                f" median of the {plain(control)}s, cut to 0 to {GREATEST:g}; mean over the"
                " measures of a half; the greater half counts. A control is judged against the"
                f" other controls. Needs {ENOUGH:.0%} of the measures"
            ),
        ),
        (
            "weaker side",
            (
                "mean over measures of (left - right) / (left + right): above the margin the right"
                " half is the weaker one, below minus the margin the left. The margin is twice the"
                f" root mean square of the other {plain(control)}s' asymmetries, at least"
                f" {LEAST_MARGIN:g}, and {MARGIN_ALONE:g} without them, unless one was given. Sides"
                " are the patient's"
            ),
        ),
        (
            "groups",
            (
                "one value a participant (first visit); Mann-Whitney, two-sided; q by Benjamini and"
                " Hochberg over one table"
            ),
        ),
        (
            "effect",
            (
                "rank-biserial correlation 2 U / (n n) - 1: negative where the group lies below the"
                " controls; interval over participants"
            ),
        ),
        (
            "a choice",
            (
                "the formula of the score, its bounds and which measures count are this program's"
                " choice, not the study's"
            ),
        ),
    ]


def probability(p: float) -> str:
    return "<\N{NO-BREAK SPACE}0.001" if p < 0.001 else f"{p:.3f}"
