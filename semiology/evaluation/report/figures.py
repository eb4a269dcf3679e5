"""The skeleton drawn: what a graph network joined, and which joints an explanation points at."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup, escape

from semiology.evaluation.report.attribution import shade
from semiology.evaluation.report.svg import ORANGE, SIZE, svg
from semiology.evaluation.statistics.metrics import Array


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
    return svg(title, f"-24 -14 {width + 48:.0f} {height + 28:.0f}", parts)


def attribution_figure(title: str, shares: Mapping[str, float], edges: Sequence[tuple[str, str]], layout: Mapping[str, Array]) -> Markup:
    """The skeleton with a mark for each joint, larger and darker the more of the attribution falls on it.

    Args:
        title: what a screen reader says.
        shares: joint -> share of attribution.
        edges: pairs of joints that a bone joins.
        layout: joint -> (2,) where to draw it, x to the right and y down.
    """
    points = np.array([layout[joint] for joint in shares], dtype=float)
    lowest, span = points.min(0), np.ptp(points, axis=0).max() or 1.0
    place = {joint: (np.asarray(layout[joint]) - lowest) / span * SIZE for joint in shares}
    width, height = np.ptp(points, axis=0) / span * SIZE
    most = max(shares.values(), default=0) or 1.0
    parts = []
    for a, b in edges:
        (x1, y1), (x2, y2) = place[a], place[b]
        parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#b9b9b9" stroke-width="3"/>')
    for joint, share in sorted(shares.items(), key=lambda item: -item[1]):  # small marks over large ones
        (x, y), part = place[joint], max(share, 0) / most
        mark = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 + 11 * part**0.5:.1f}" fill="{shade(part)}" stroke="#fff" stroke-width="1">'
        parts.append(f"{mark}<title>{escape(joint.replace('_', ' '))}: {100 * share:.0f} %</title></circle>")
    return svg(title, f"-18 -18 {width + 36:.0f} {height + 36:.0f}", parts)
