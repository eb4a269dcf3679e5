"""What a run's models rely on, by group of features, for the report: RUN/importance.json, which
`semiology table` writes.
"""

from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from semiology.evaluation.report import figures
from semiology.evaluation.run.files import File, checked, run_json

DRAWN = 6  # groups whose curves are drawn, the most important ones [our choice]


class Mean(File):
    """A mean over rows with its interval."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Point(Mean):
    """A point of a curve: at a quantile or a category."""

    at: float | str


class Group(Mean):
    """Rise of the loss without a group, and its curves by class ("" of numbers)."""

    curves: dict[str, list[Point]]


class Part(File):
    """One task's groups and models."""

    participants: int
    rows: int
    groups: dict[str, list[str]]
    models: dict[str, dict[str, Group]]


class Importance(File):
    """Content of importance.json."""

    figure: str
    curve: str
    repeats: int
    interval: str
    tasks: dict[str, Part]


def relied_on(run: Path) -> dict[str, Any] | None:
    """The values of importance.html.jinja; None where the run has no importance.json.

    Raises:
        UserError: it is damaged.
    """
    path = run / "importance.json"
    if not path.is_file():
        return None
    content = checked(path, "table", Importance, run_json(path, "table"))
    return {
        "figure": content.figure,
        "curve": content.curve,
        "repeats": content.repeats,
        "interval": content.interval,
        "tasks": {task: _part(task, part, content.curve) for task, part in content.tasks.items()},
    }


def _part(task: str, part: Part, curve: str) -> dict[str, Any]:
    models = list(part.models)
    order = sorted(
        part.groups,
        key=lambda group: -sum(part.models[model][group].value or 0.0 for model in models),
    )
    rows = [
        {
            "group": group,
            "columns": [name for name in part.groups[group] if name != group],
            "cells": [_text(part.models[model][group]) for model in models],
        }
        for group in order
    ]
    drawn = [
        {
            "title": f"{group}{f': {level}' if level else ''}",
            "figure": curves_figure(
                f"{task}: {curve} by {group}",
                [part.models[model][group].curves[level] for model in models],
                curve + (f" of {level}" if level else ""),
            ),
        }
        for group in order[:DRAWN]
        for level in part.models[models[0]][group].curves
    ]
    return {"models": models, "rows": rows, "drawn": drawn}


def _text(mean: Mean) -> str:
    if mean.value is None:
        return "–"
    if mean.low is None or mean.high is None:
        return f"{mean.value:.3f}"
    return f"{mean.value:.3f} ({mean.low:.3f} to {mean.high:.3f})"


def curves_figure(title: str, curves: list[list[Point]], beside: str) -> Markup:
    """Partial dependence: a line a model over the points of a group, with its intervals on hover
    and as thin vertical lines.

    Args:
        title: for screen readers.
        curves: (model, point).
        beside: what is predicted.
    """
    width, height = figures.SIZE, 130
    known = [
        value
        for curve in curves
        for point in curve
        for value in (point.value, point.low, point.high)
        if value is not None
    ]
    low, high = min(known), max(known)
    span = high - low or 1.0
    parts = [figures.frame(width, height)]
    for number, curve in enumerate(curves):
        line = []
        for place, point in enumerate(curve):
            x = width * (place + 0.5) / len(curve) + 2 * (number - (len(curves) - 1) / 2)
            middle = low if point.value is None else point.value
            y, bottom, top = (
                height * (1 - ((middle if value is None else value) - low) / span)
                for value in (middle, point.low, point.high)
            )
            line.append((x, y))
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{bottom:.1f}" y2="{top:.1f}"'
                f' stroke="{figures.line_style(number)[0]}" stroke-width="1">'
                f"<title>{escape(_text(point))}</title></line>"
            )
        parts.append(figures.polyline(line, number))
    for place, point in enumerate(curves[0]):
        words = f"{100 * point.at:.0f} %" if isinstance(point.at, float) else point.at
        parts.append(figures.text(width * (place + 0.5) / len(curves[0]), height + 15, words))
    parts += [
        figures.text(-6, height, f"{low:.2g}", "end"),
        figures.text(-6, 10, f"{high:.2g}", "end"),
        figures.text(width / 2, height + 32, beside),
    ]
    return figures.svg(title, f"-42 -8 {width + 54} {height + 48}", parts)
