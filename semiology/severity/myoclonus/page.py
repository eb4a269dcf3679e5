"""A patient's report: one HTML file that needs no other. It shows the tables' numbers and names
clips by clip_id only.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from semiology.evaluation.report.rendering import plain, render
from semiology.files import write_text
from semiology.severity.myoclonus.changes import Change
from semiology.severity.myoclonus.figures import body_figure, trace_figure
from semiology.severity.myoclonus.measures import ClipMeasures
from semiology.severity.myoclonus.regression import Fit, Key
from semiology.severity.myoclonus.umrs import (
    AMPLITUDE,
    FREQUENCY,
    PARTS,
    PERFORMANCE,
    SLOWNESS,
    SMOOTHNESS,
    ItemScore,
    Visit,
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
