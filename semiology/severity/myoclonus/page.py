"""A patient's report: one HTML file that needs no other. It shows the tables' numbers and names
clips by clip_id only. Its figures are SVG with tooltips: the speed of each part of the body with
its jerks, and the body with its scores.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from semiology.evaluation.report.figures import BLUE, ORANGE, shade, svg, text
from semiology.evaluation.report.rendering import plain, render
from semiology.files import write_text
from semiology.severity.myoclonus.changes import Change
from semiology.severity.myoclonus.measures import ClipMeasures
from semiology.severity.myoclonus.regression import Fit, Key
from semiology.severity.myoclonus.umrs import (
    AMPLITUDE,
    FREQUENCY,
    HIGHEST,
    PARTS,
    PERFORMANCE,
    SLOWNESS,
    SMOOTHNESS,
    ItemScore,
    Visit,
    amplitude_class,
    panel_order,
)


@dataclass(frozen=True)
class ReportContext:
    """The cohort's data behind all its reports.

    Attributes:
        order: the cohort's visits.
        measures: clip_id -> measures.
        rated: score -> (participant, visit) -> the clinician's score.
        raters: score -> rater, where clips.json names one.
        fits: regressions on the clinicians' scores.
        changes: of all participants.
        seen: s for which a part has to be usable to be scored.
        synthetic: whether the cohort is synthetic.
    """

    order: Sequence[str]
    measures: Mapping[str, ClipMeasures]
    rated: Mapping[str, Mapping[Key, float]]
    raters: Mapping[str, str]
    fits: Sequence[Fit]
    changes: Sequence[Change]
    seen: float
    synthetic: bool


def write_page(
    path: Path,
    participant: str,
    visits: Sequence[Visit],
    cohort: ReportContext,
    failed: Mapping[str, str],
) -> Path:
    """Write the report of one participant.

    Args:
        path: of the HTML file.
        participant: participant_id.
        visits: of this participant.
        cohort: the cohort's data.
        failed: clip_id -> why it could not be measured, of this participant.

    Raises:
        UserError: the folder cannot be written.
    """
    write_text(
        path, render("myoclonus.html.jinja", **page_contents(participant, visits, cohort, failed))
    )
    return path


def page_contents(
    participant: str, visits: Sequence[Visit], cohort: ReportContext, failed: Mapping[str, str]
) -> dict[str, Any]:
    """The variables of the page's template."""
    own = sorted(
        visits,
        key=lambda visit: (
            cohort.order.index(visit.visit) if visit.visit in cohort.order else len(cohort.order)
        ),
    )
    changed = [change for change in cohort.changes if change.participant_id == participant]
    names = [visit.visit or "the only visit" for visit in own]
    return {
        "participant": participant,
        "synthetic": cohort.synthetic,
        "clips": sum(len(item.clip_ids) for visit in own for item in visit.items),
        "visits": names,
        "answer": _main_result(own, names, changed),
        "missing": [visit for visit in cohort.order if visit not in {one.visit for one in own}],
        "rows": _score_rows(participant, own, cohort),
        "changes": [_change(change) for change in changed],
        "bodies": [_bodies(visit, name) for visit, name in zip(own, names)],
        "columns": [plain(part) for part in PARTS],
        "items": [(name, [_item(item) for item in visit.items]) for visit, name in zip(own, names)],
        "traces": [(name, _traces(visit, cohort.measures)) for visit, name in zip(own, names)],
        "refused": [(_title(fit.name), fit.reason) for fit in cohort.fits if fit.reason],
        "fitted": any(not fit.reason for fit in cohort.fits),
        "failed": failed,
        "seen": cohort.seen,
        "cuts": {
            "frequency": FREQUENCY,
            "amplitude": AMPLITUDE,
            "smoothness": SMOOTHNESS,
            "slowness": SLOWNESS,
        },
    }


def _main_result(visits: Sequence[Visit], names: Sequence[str], changed: Sequence[Change]) -> str:
    """The total at each visit and its change, in a sentence."""
    if not visits:
        return "No clip of this participant could be measured."
    totals = ", ".join(f"{_shown(visit.total())} at {name}" for visit, name in zip(visits, names))
    if all(math.isnan(visit.total()) for visit in visits):
        totals += ": no part of the body was seen for long enough"
    total_changes = [change for change in changed if change.score == "umrs_total"]
    differences = [
        (
            f"Change {_signed(change.change)} from {change.first} to {change.later}, over"
            f" {change.rests_on} scores of body parts seen at both"
            if not math.isnan(change.change)
            else f"No change from {change.first} to {change.later} can be given: {change.reason}"
        )
        for change in total_changes
    ]
    return ". ".join([f"Total score {totals}", *differences]) + "."


def _score_rows(
    participant: str, visits: Sequence[Visit], cohort: ReportContext
) -> list[tuple[str, list[str], str]]:
    """Rows of the first table: score, its value at each visit, its source."""
    panels = sorted({item.panel for visit in visits for item in visit.items}, key=panel_order)
    rows = []
    for panel in panels:
        cells = [
            f"{_shown(visit.panels().get(panel, math.nan))} ({len(visit.parts(panel))} parts)"
            for visit in visits
        ]
        rows.append((f"{plain(panel)}", cells, "formula"))
    rows.append(
        (
            "total",
            [f"{_shown(visit.total())} ({len(visit.parts())} parts)" for visit in visits],
            "formula",
        )
    )
    keys = [(participant, visit.visit) for visit in visits]
    fits = {fit.name: fit for fit in cohort.fits if fit.predicted}
    for name, values in cohort.rated.items():
        rows.append(
            (
                _title(name),
                [_shown(values.get(key, math.nan)) for key in keys],
                cohort.raters.get(name) or "clips.tsv",
            )
        )
        if name in fits:
            rows.append(
                (
                    f"{_title(name)}, fitted",
                    [_shown(fits[name].predicted.get(key, math.nan)) for key in keys],
                    "without this patient",
                )
            )
    return rows


def _change(change: Change) -> dict[str, str]:
    """The cells of one change as printed."""
    ours = change.score == "umrs_total" or change.rests_on is not None
    return {
        "score": _title(change.score.removeprefix("umrs_") if ours else change.score),
        "visits": f"{change.first} to {change.later}",
        "before": _shown(change.before),
        "after": _shown(change.after),
        "change": "n/a" if math.isnan(change.change) else _signed(change.change),
        "rests": (
            change.reason
            or (
                f"{change.rests_on} scores of body parts, seen both times"
                if change.rests_on is not None
                else ""
            )
        ),
    }


def _bodies(visit: Visit, name: str) -> tuple[str, list[tuple[str, Markup]]]:
    """The visit's name, and (item, figure of the body) for each item."""
    figures = []
    for item in visit.items:
        scores = {part: item.values.get(part, math.nan) for part in PARTS}
        figures.append(
            (
                _item_name(item),
                body_figure(f"{name}, {_item_name(item)}: score by part of the body", scores),
            )
        )
    return name, figures


def _item(item: ItemScore) -> tuple[str, list[tuple[str, str]], str]:
    """An item's row: name, (score, its factors) of each part and of the performance, sum."""
    cells = []
    for part in PARTS:
        found = item.parts[part]
        if math.isnan(found.score):
            cells.append(("n/a", f"{found.seconds:.0f} s seen"))
        else:
            classes = f"{found.frequency_class:g} × {found.amplitude_class:g}"
            size = (
                ""
                if math.isnan(found.amplitude)
                else f", {100 * found.amplitude:.1f}\N{NO-BREAK SPACE}%"
            )
            floor = (
                ""
                if math.isnan(found.smallest)
                else f"; limit {100 * found.smallest:.1f}\N{NO-BREAK SPACE}%"
            )
            rate = f"{found.per_minute:.1f}/min"
            cells.append((f"{found.score:g}", f"{classes}: {rate}{size}{floor}"))
    done = item.performance
    if done is None:
        cells.append(("", ""))
    else:
        slow = "" if math.isnan(done.ratio) else f", {done.ratio:.2g} × controls"
        cells.append(
            (
                _shown(item.values.get(PERFORMANCE, math.nan)),
                f"SPARC {_shown(done.sparc)}, {_shown(done.seconds)} s{slow}",
            )
        )
    return _item_name(item), cells, _shown(item.score)


def _traces(visit: Visit, measures: Mapping[str, ClipMeasures]) -> list[tuple[str, Markup | None]]:
    """Caption and figure of each clip; None for the figure where nobody was in view."""
    figures: list[tuple[str, Markup | None]] = []
    for item in visit.items:
        for clip_id in item.clip_ids:
            one = measures[clip_id]
            seen = any(part.seconds > 0 for part in one.parts.values())
            spread = ", ".join(f"{count} {kind}" for kind, count in one.spread.items())
            caption = f"{clip_id} · {_item_name(item)} · {one.seconds:.0f} s" + (
                f" · events: {spread}" if spread else ""
            )
            figures.append(
                (
                    caption,
                    trace_figure(f"Speed by part of the body, {clip_id}", one) if seen else None,
                )
            )
    return figures


def _item_name(item: ItemScore) -> str:
    return plain(
        item.panel if item.item in ("unnamed", item.panel) else f"{item.panel}, {item.item}"
    )


def _title(score: str) -> str:
    """The name of a score's column in words."""
    return plain(score).replace("umrs", "UMRS")


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "\N{MINUS SIGN}")


def _shown(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.3g}"


# SVG units: width of the traces, height of a lane, space on the left and right of it
WIDTH, LANE, LEFT, RIGHT = 600, 34, 66, 92
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)  # s

# The body from the front: the patient's left is on the right. Each part as SVG path, with the
# position of its number.
BODY = {
    "face": ("M60 4a15 17 0 0 1 15 17a15 19 0 0 1 -30 0a15 17 0 0 1 15 -17z", (60, 25)),
    "neck": ("M50 42h20v12h-20z", (60, 52)),
    "trunk": ("M38 56h44l-5 76h-34z", (60, 96)),
    "left_arm": ("M85 57l13 6l12 44l9 38l-13 4l-11 -38l-10 -32z", (100, 104)),
    "right_arm": ("M35 57l-13 6l-12 44l-9 38l13 4l11 -38l10 -32z", (20, 104)),
    "left_leg": ("M62 135h15l2 50l1 48h-12l-4 -48z", (71, 186)),
    "right_leg": ("M58 135h-15l-2 50l-1 48h12l4 -48z", (49, 186)),
}


def trace_figure(title: str, measures: ClipMeasures) -> Markup:
    """Speed of each part of the body over a clip, each lane scaled to its own maximum, with a mark
    at each jerk: the longer, the larger the amplitude class. Parts that were never usable have no
    lane.
    """
    lanes = [part for part, one in measures.parts.items() if one.seconds > 0]
    scale = WIDTH / max(measures.seconds, 1e-9)
    parts: list[str] = []
    for number, part in enumerate(lanes):
        top, values = number * LANE, measures.trace.speed[part]
        highest = max((value for value in values if not math.isnan(value)), default=0.0) or 1.0
        floor = top + LANE - 4
        parts.append(f'<line x1="0" x2="{WIDTH}" y1="{floor}" y2="{floor}" stroke="#d9d6d0"/>')
        for points in _runs(
            [(index * measures.trace.step * scale, value) for index, value in enumerate(values)]
        ):
            joined = " ".join(f"{x:.1f},{floor - 20 * value / highest:.1f}" for x, value in points)
            parts.append(
                f'<polyline points="{joined}" fill="none" stroke="{BLUE}" stroke-width="1"/>'
            )
        own = measures.parts[part]
        for peak, amplitude in zip(own.peaks, own.amplitudes):
            long = 2 + 2 * amplitude_class(amplitude)
            line = (
                f'<line x1="{peak * scale:.1f}" x2="{peak * scale:.1f}" y1="{top + 1}"'
                f' y2="{top + 1 + long:.0f}"'
            )
            words = f"{plain(part)}, {peak:.2f} s: {100 * amplitude:.1f} % of torso length"
            parts.append(
                f'{line} stroke="{ORANGE}" stroke-width="1.6"><title>{escape(words)}</title></line>'
            )
        parts.append(text(-8, floor - 5, plain(part), "end"))
        parts.append(
            text(
                WIDTH + 8,
                floor - 11,
                f"{len(own.peaks)} jerk{'' if len(own.peaks) == 1 else 's'}",
                "start",
            )
        )
        parts.append(text(WIDTH + 8, floor, f"to {highest:.2g} torso/s", "start", 'class="faint"'))
    bottom = len(lanes) * LANE
    step = next((tick for tick in TICKS if measures.seconds / tick <= 10), measures.seconds)
    for count in range(int(measures.seconds / step + 1e-9) + 1):
        x = count * step * scale
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{bottom - 4}" y2="{bottom}" stroke="#999"/>'
        )
        parts.append(text(x, bottom + 12, f"{count * step:g}" + (" s" if count == 0 else "")))
    return svg(title, f"{-LEFT} 0 {LEFT + WIDTH + RIGHT} {bottom + 16}", parts)


def body_figure(title: str, scores: Mapping[str, float]) -> Markup:
    """The body from the front: the higher a part's score (0 to 16), the darker; dashed where it was
    not seen for long enough.
    """
    drawn: list[str] = []
    for part, (path, (x, y)) in BODY.items():
        score = scores.get(part, math.nan)
        seen = not math.isnan(score)
        look = (
            f'fill="{shade(score / HIGHEST)}" stroke="#fff"'
            if seen
            else 'fill="#fff" stroke="#999" stroke-dasharray="2 2"'
        )
        words = (
            f"{plain(part)}: {f'{score:g} of {HIGHEST:g}' if seen else 'not seen for long enough'}"
        )
        drawn.append(f'<path d="{path}" {look}><title>{escape(words)}</title></path>')
        colour = "#fff" if seen and score / HIGHEST > 0.3 else "#333"
        drawn.append(
            text(x, y, f"{score:g}" if seen else "–", extra=f'style="fill:{colour};font-size:10px"')
        )
    drawn += [text(6, 12, "R", extra='class="faint"'), text(114, 12, "L", extra='class="faint"')]
    return svg(title, "-3 0 126 238", drawn)


def _runs(points: list[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Points split where the value is NaN; an isolated one becomes a short stroke."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, value in points:
        if math.isnan(value):
            runs.append([])
        else:
            runs[-1].append((x, value))
    return [run if len(run) > 1 else [run[0], (run[0][0] + 0.8, run[0][1])] for run in runs if run]
