"""The report's figures as inline SVG: they take the page's type, print sharply, and need neither script nor file.

Colours are those of Okabe and Ito, which stay apart in the usual colour-vision deficiencies; shape or dash says the same again, for paper.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from semiology.statistics.metrics import Array

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072b2", "#b34a00", "#007a5a", "#8f4a78", "#767676"
LINES = ((BLUE, ""), (ORANGE, "6 3"), (GREEN, "2 2"), (PURPLE, "8 2 2 2"), (GREY, "4 4"))
SIZE = 220  # side of a square figure in SVG units


def line_style(number: int) -> tuple[str, str]:
    """Colour and dash pattern of the model with this number in a figure."""
    return LINES[number % len(LINES)]


def line_key(number: int) -> Markup:
    """A short piece of the model's line, for the legend."""
    colour, dash = line_style(number)
    line = f'<line x1="0" x2="26" y1="5" y2="5" stroke="{colour}" stroke-width="2.4" stroke-dasharray="{dash}"/>'
    return Markup(f'<svg class="key" viewBox="0 0 26 10" width="26" height="10" aria-hidden="true">{line}</svg>')


def roc_figure(title: str, curves: Sequence[tuple[Array, Array]]) -> Markup:
    """ROC curves of one task.

    Args:
        title: what a screen reader says.
        curves: for each model false-positive rates and true-positive rates, both (point,).
    """
    parts = [
        f'<rect x="0" y="0" width="{SIZE}" height="{SIZE}" fill="none" stroke="#999"/>',
        f'<line x1="0" y1="{SIZE}" x2="{SIZE}" y2="0" stroke="#bbb"/>',
        f'<text x="{0.6 * SIZE}" y="{0.4 * SIZE}" class="faint" text-anchor="middle" transform="rotate(-45 {0.6 * SIZE} {0.4 * SIZE}) '
        f'translate(0 12)">no better than chance</text>',
    ]
    for number, (false_positive, true_positive) in enumerate(curves):
        colour, dash = line_style(number)
        points = " ".join(f"{SIZE * x:.1f},{SIZE * (1 - y):.1f}" for x, y in zip(false_positive, true_positive))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
    for share in (0, 0.5, 1):
        parts.append(f'<text x="{SIZE * share}" y="{SIZE + 15}" text-anchor="middle">{share:g}</text>')
        parts.append(f'<text x="-6" y="{SIZE * (1 - share) + 4}" text-anchor="end">{share:g}</text>')
    parts.append(f'<text x="{SIZE / 2}" y="{SIZE + 32}" text-anchor="middle">false alarms (share of clips without the sign)</text>')
    parts.append(f'<text x="{-SIZE / 2}" y="-28" text-anchor="middle" transform="rotate(-90)">found (share of clips with it)</text>')
    return _svg(title, f"-42 -8 {SIZE + 54} {SIZE + 48}", parts)


def chance_figure(metric: Mapping[str, Any]) -> Markup:
    """One metric on a line from 0 to 1: dot and bar for the value and its interval, a grey band for what permuted labels gave."""
    null, parts = metric["null"], ['<line x1="0" x2="200" y1="9" y2="9" stroke="#ccc"/>']
    parts += [f'<line x1="{200 * tick:g}" x2="{200 * tick:g}" y1="6" y2="12" stroke="#999"/>' for tick in (0, 0.5, 1)]
    if null["median"] is not None:
        left, right = 200 * null["low"], 200 * null["high"]
        parts.append(f'<rect x="{left:.1f}" width="{max(right - left, 1):.1f}" y="3" height="12" fill="#d0d0d0" fill-opacity="0.85"/>')
        parts.append(
            f'<line x1="{200 * null["median"]:.1f}" x2="{200 * null["median"]:.1f}" y1="3" y2="15" stroke="#555" stroke-width="1.5"/>'
        )
    if metric["low"] is not None:
        parts.append(
            f'<line x1="{200 * metric["low"]:.1f}" x2="{200 * metric["high"]:.1f}" y1="9" y2="9" stroke="{BLUE}" stroke-width="2"/>'
        )
    if metric["value"] is not None:
        parts.append(f'<circle cx="{200 * metric["value"]:.1f}" cy="9" r="4.5" fill="{BLUE}"/>')
    return _svg("value and interval against permuted labels, from 0 to 1", "-6 0 212 18", parts)


def link_strength(fixed: Array, learned: Array) -> Array:
    """(joint, joint) how strongly two joints are joined: |A + B| summed over the subsets, both directions together.

    Args:
        fixed, learned: (subset, joint, joint) A and B of the AGCN.
    """
    strength = np.abs(fixed + learned).sum(0)
    strength = strength + strength.T
    np.fill_diagonal(strength, 0)
    return strength


def strongest_links(strength: Array, edges: Array, count: int = 6) -> list[tuple[int, int, float]]:
    """The strongest pairs of joints that no bone joins: (joint, joint, strength as share of the mean bone's), strongest first."""
    bones = {frozenset((int(a), int(b))) for a, b in edges}
    bone = np.mean([strength[a, b] for a, b in edges])
    rows, columns = np.triu_indices(len(strength), 1)
    pairs = [(int(a), int(b), float(strength[a, b] / bone)) for a, b in zip(rows, columns) if frozenset((int(a), int(b))) not in bones]
    return sorted(pairs, key=lambda pair: -pair[2])[:count]


def skeleton_figure(title: str, strength: Array, edges: Array, layout: Array, links: Sequence[tuple[int, int, float]]) -> Markup:
    """The skeleton, bones in grey, the strongest learned links in orange; the wider a line, the stronger.

    Args:
        strength: (joint, joint) of `link_strength`.
        edges: (bone, 2) joint indices.
        layout: (joint, 2) where to draw each joint, x to the right and y down.
        links: of `strongest_links`.
    """
    span = np.ptp(layout, axis=0).max() or 1.0
    place = (layout - layout.min(0)) / span * SIZE
    width, height = np.ptp(place, axis=0)
    bone = np.mean([strength[a, b] for a, b in edges])
    parts = []
    for a, b in edges:
        (x1, y1), (x2, y2) = place[a], place[b]
        line = f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        parts.append(f'{line} stroke="#b9b9b9" stroke-width="{max(1.0, 4 * strength[a, b] / bone):.1f}" stroke-linecap="round"/>')
    for a, b, share in links:
        (x1, y1), (x2, y2) = place[a], place[b]
        bend = 0.14 * np.array([y1 - y2, x2 - x1])  # an arc, so that a link along bones stays visible
        x, y = (place[a] + place[b]) / 2 + bend
        parts.append(
            f'<path d="M{x1:.1f} {y1:.1f}Q{x:.1f} {y:.1f} {x2:.1f} {y2:.1f}" fill="none" stroke="{ORANGE}" stroke-opacity="0.8" '
            f'stroke-width="{max(0.6, 4 * share):.1f}"/>'
        )
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="#222"/>' for x, y in place]
    return _svg(title, f"-24 -14 {width + 48:.0f} {height + 28:.0f}", parts)


def _svg(title: str, box: str, parts: Sequence[str]) -> Markup:
    return Markup(f'<svg viewBox="{box}" role="img"><title>{escape(title)}</title>{"".join(parts)}</svg>')
