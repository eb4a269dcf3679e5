"""A result beside what the same procedure gave with permuted labels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from semiology.evaluation.report.svg import BLUE, SIZE, frame, shares_axes, svg, text

BINS = 20  # of 0.05 each: F1, accuracy and AUC all run from 0 to 1
HEIGHT = 110


def chance_figure(metric: Mapping[str, Any]) -> Markup:
    """One metric on a line from 0 to 1: dot and bar for the value and its interval, a grey band for what permuted labels gave."""
    null, parts = metric["null"], ['<line x1="0" x2="200" y1="9" y2="9" stroke="#ccc"/>']
    parts += [f'<line x1="{200 * tick:g}" x2="{200 * tick:g}" y1="6" y2="12" stroke="#999"/>' for tick in (0, 0.5, 1)]
    if null["median"] is not None:
        left, right, middle = 200 * null["low"], 200 * null["high"], 200 * null["median"]
        parts.append(f'<rect x="{left:.1f}" width="{max(right - left, 1):.1f}" y="3" height="12" fill="#d0d0d0" fill-opacity="0.85"/>')
        parts.append(f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="3" y2="15" stroke="#555" stroke-width="1.5"/>')
    if metric["low"] is not None:
        ends = f'x1="{200 * metric["low"]:.1f}" x2="{200 * metric["high"]:.1f}"'
        parts.append(f'<line {ends} y1="9" y2="9" stroke="{BLUE}" stroke-width="2"/>')
    if metric["value"] is not None:
        parts.append(f'<circle cx="{200 * metric["value"]:.1f}" cy="9" r="4.5" fill="{BLUE}"/>')
    return svg("value and interval against permuted labels, from 0 to 1", "-6 0 212 18", parts)


def null_counts(values: Sequence[float | None]) -> np.ndarray:
    """(BINS,) how many values under permuted labels lie in each twentieth of the line from 0 to 1; what has no value is left out."""
    known = [value for value in values if value is not None]
    return np.histogram(known, bins=BINS, range=(0, 1))[0]


def null_histogram(title: str, values: Sequence[float | None], result: float | None, measure: str) -> Markup:
    """How often permuted labels gave each value (grey bars), and the result (the line).

    Args:
        title: what a screen reader says.
        values: under permuted labels, between 0 and 1.
        result: of the real labels.
        measure: the metric's name, below the axis.
    """
    counts = null_counts(values)
    most = max(int(counts.max()), 1)
    width = SIZE / BINS
    parts = [frame(SIZE, HEIGHT)]
    for number, count in enumerate(counts):
        if count:
            tall = (HEIGHT - 14) * count / most
            bar = f'<rect x="{number * width:.1f}" y="{HEIGHT - tall:.1f}" width="{width:.1f}" height="{tall:.1f}"'
            parts.append(f'{bar} fill="#cfcfcf" stroke="#6b6b6b" stroke-width="0.7"/>')
    if result is not None:
        place = SIZE * result
        parts.append(f'<line x1="{place:.1f}" x2="{place:.1f}" y1="0" y2="{HEIGHT}" stroke="{BLUE}" stroke-width="3"/>')
        anchor, shift = ("end", -5) if result > 0.5 else ("start", 5)
        parts.append(text(place + shift, 12, f"result {result:.2f}", anchor, f'class="strong" fill="{BLUE}"'))
    parts += [text(-5, 18, str(most), "end"), text(-5, HEIGHT + 4, "0", "end"), *shares_axes(SIZE, HEIGHT, f"{measure}; bars: repeats")]
    return svg(title, f"-22 -6 {SIZE + 34} {HEIGHT + 44}", parts)
