"""Figures of the report as inline SVG.

They are written as SVG rather than drawn by matplotlib because the page needs what only inline SVG
gives: the page's own fonts, a title for screen readers in every figure, values shown on hover
(joints, calibration bins, deletion curves), about 1 kB a figure, and an import of the report
without matplotlib. Plots without hover are by matplotlib: Bland-Altman plots (agreement/run.py).

Colours are those of Okabe and Ito, distinct in the usual colour-vision deficiencies; shape or dash
repeats the distinction, for paper.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from semiology.evaluation.statistics.metrics import Array

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072b2", "#b34a00", "#007a5a", "#8f4a78", "#767676"
LINES = ((BLUE, ""), (ORANGE, "6 3"), (GREEN, "2 2"), (PURPLE, "8 2 2 2"), (GREY, "4 4"))
SIZE = 220  # side of a square figure in SVG units


def svg(title: str, box: str, parts: Sequence[str]) -> Markup:
    """An SVG figure; `title` is for screen readers, `box` the view box."""
    return Markup(
        f'<svg viewBox="{box}" role="img"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


def line_style(number: int) -> tuple[str, str]:
    """Colour and dash pattern of the model with this number in a figure."""
    return LINES[number % len(LINES)]


def line_key(number: int) -> Markup:
    """A short piece of a model's line, for the legend."""
    colour, dash = line_style(number)
    line = (
        f'<line x1="0" x2="26" y1="5" y2="5" stroke="{colour}" stroke-width="2.4"'
        f' stroke-dasharray="{dash}"/>'
    )
    return Markup(
        '<svg class="key" viewBox="0 0 26 10" width="26" height="10"'
        f' aria-hidden="true">{line}</svg>'
    )


def frame(width: float, height: float) -> str:
    """The border of a figure, as SVG."""
    return f'<rect x="0" y="0" width="{width:g}" height="{height:g}" fill="none" stroke="#999"/>'


def text(x: float, y: float, words: str, anchor: str = "middle", extra: str = "") -> str:
    """A line of text, as SVG; `extra` holds further attributes."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}"'
        f' text-anchor="{anchor}"{" " + extra if extra else ""}>{escape(words)}</text>'
    )


def shares_axes(width: float, height: float, below: str, beside: str = "") -> list[str]:
    """Axes from 0 to 1: ticks at 0, 0.5 and 1, and labels below and (if given) beside."""
    parts = [text(width * share, height + 15, f"{share:g}") for share in (0, 0.5, 1)] + [
        text(width / 2, height + 32, below)
    ]
    if beside:
        parts += [text(-6, height * (1 - share) + 4, f"{share:g}", "end") for share in (0, 0.5, 1)]
        parts += [text(-height / 2, -28, beside, extra='transform="rotate(-90)"')]
    return parts


def polyline(points: Sequence[tuple[float, float]], number: int) -> str:
    """A model's line through points in SVG units, as SVG."""
    colour, dash = line_style(number)
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"'
        f' stroke-dasharray="{dash}"/>'
    )


def time_strip(title: str, shares: Sequence[float]) -> Markup:
    """Attribution over the clip, from start to end: the taller and darker, the more."""
    most, count = max(shares, default=0) or 1.0, max(len(shares), 1)
    height, width = 44, SIZE / count
    parts = [frame(SIZE, height)]
    for number, share in enumerate(shares):
        part = max(share, 0) / most
        bar = (
            f'<rect x="{number * width:.2f}" y="{height * (1 - part):.1f}" width="{width:.2f}"'
            f' height="{height * part:.1f}"'
        )
        parts.append(f'{bar} fill="{shade(part)}"/>')
    parts += [
        text(0, height + 14, "start", "start"),
        text(SIZE, height + 14, "end of the clip", "end"),
    ]
    return svg(title, f"-6 -4 {SIZE + 12} {height + 22}", parts)


def deletion_figure(
    title: str, fractions: Sequence[float], attributed: Sequence[float], random: Sequence[float]
) -> Markup:
    """Deletion curve: probability after deleting the most important parts first, or random ones.

    Args:
        title: for screen readers.
        fractions: (step,) deleted fraction of the input, 0 to 1.
        attributed: (step,) probability after deleting the most important parts (line).
        random: (step,) probability after deleting random parts (dashes).
    """
    height = 130
    parts = [frame(SIZE, height)]
    for values, colour, dash, words in (
        (random, GREY, "5 4", "random parts first"),
        (attributed, BLUE, "", "most important parts first"),
    ):
        points = " ".join(
            f"{SIZE * x:.1f},{height * (1 - min(max(y, 0), 1)):.1f}"
            for x, y in zip(fractions, values)
        )
        line = (
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.2"'
            f' stroke-dasharray="{dash}">'
        )
        parts.append(f"{line}<title>{words}</title></polyline>")
    parts += shares_axes(SIZE, height, "deleted fraction of the input", "probability")
    return svg(title, f"-42 -8 {SIZE + 54} {height + 48}", parts)


def shade(part: float) -> str:
    """Colour from grey to dark blue for a fraction of the maximum, legible in black and white."""
    light, dark = (216, 216, 216), (0, 62, 110)
    part = min(max(part, 0), 1)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(light, dark))


def link_strength(fixed: Array, learned: Array) -> Array:
    """Strength of the link between any two joints: |A + B| summed over subsets and directions.

    Args:
        fixed: (subset, joint, joint) A of the AGCN.
        learned: (subset, joint, joint) B of the AGCN.

    Returns:
        (joint, joint), symmetric.
    """
    strength = np.abs(fixed + learned).sum(0)
    strength = strength + strength.T
    np.fill_diagonal(strength, 0)
    return strength


def strongest_links(strength: Array, edges: Array, count: int = 6) -> list[tuple[int, int, float]]:
    """The strongest links between joints without a common bone, strongest first.

    Returns (joint, joint, strength relative to the mean bone's).
    """
    bones = {frozenset((int(a), int(b))) for a, b in edges}
    bone = np.mean([strength[a, b] for a, b in edges])
    rows, columns = np.triu_indices(len(strength), 1)
    pairs = [
        (int(a), int(b), float(strength[a, b] / bone))
        for a, b in zip(rows, columns)
        if frozenset((int(a), int(b))) not in bones
    ]
    return sorted(pairs, key=lambda pair: -pair[2])[:count]


def skeleton_figure(
    title: str,
    strength: Array,
    edges: Array,
    layout: Array,
    links: Sequence[tuple[int, int, float]],
) -> Markup:
    """The skeleton, bones in grey, the strongest learned links in orange; the wider a line, the
    stronger.

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
        parts.append(
            f'{line} stroke="#b9b9b9" stroke-width="{max(1.0, 4 * strength[a, b] / bone):.1f}"'
            ' stroke-linecap="round"/>'
        )
    for a, b, share in links:
        (x1, y1), (x2, y2) = place[a], place[b]
        bend = 0.14 * np.array(
            [y1 - y2, x2 - x1]
        )  # an arc, so that a link along bones stays visible
        x, y = (place[a] + place[b]) / 2 + bend
        parts.append(
            f'<path d="M{x1:.1f} {y1:.1f}Q{x:.1f} {y:.1f} {x2:.1f} {y2:.1f}" fill="none"'
            f' stroke="{ORANGE}" stroke-opacity="0.8" stroke-width="{max(0.6, 4 * share):.1f}"/>'
        )
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="#222"/>' for x, y in place]
    return svg(title, f"-24 -14 {width + 48:.0f} {height + 28:.0f}", parts)


def attribution_figure(
    title: str,
    shares: Mapping[str, float],
    edges: Sequence[tuple[str, str]],
    layout: Mapping[str, Array],
) -> Markup:
    """The skeleton with a mark for each joint: the larger and darker, the more attribution.

    Args:
        title: for screen readers.
        shares: joint -> fraction of attribution.
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
        parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#b9b9b9"'
            ' stroke-width="3"/>'
        )
    for joint, share in sorted(
        shares.items(), key=lambda item: -item[1]
    ):  # small marks over large ones
        (x, y), part = place[joint], max(share, 0) / most
        mark = (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 + 11 * part**0.5:.1f}" fill="{shade(part)}"'
            ' stroke="#fff" stroke-width="1">'
        )
        parts.append(
            f"{mark}<title>{escape(joint.replace('_', ' '))}: {100 * share:.0f} %</title></circle>"
        )
    return svg(title, f"-18 -18 {width + 36:.0f} {height + 36:.0f}", parts)


BINS = 20  # of 0.05 each: F1, accuracy and AUC all run from 0 to 1
HEIGHT = 110


def chance_figure(metric: Mapping[str, Any]) -> Markup:
    """One metric on a scale from 0 to 1: dot and bar for value and interval, band for the null."""
    null, parts = metric["null"], ['<line x1="0" x2="200" y1="9" y2="9" stroke="#ccc"/>']
    parts += [
        f'<line x1="{200 * tick:g}" x2="{200 * tick:g}" y1="6" y2="12" stroke="#999"/>'
        for tick in (0, 0.5, 1)
    ]
    if null["median"] is not None:
        left, right, middle = 200 * null["low"], 200 * null["high"], 200 * null["median"]
        parts.append(
            f'<rect x="{left:.1f}" width="{max(right - left, 1):.1f}" y="3" height="12"'
            ' fill="#d0d0d0" fill-opacity="0.85"/>'
        )
        parts.append(
            f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="3" y2="15" stroke="#555"'
            ' stroke-width="1.5"/>'
        )
    if metric["low"] is not None:
        ends = f'x1="{200 * metric["low"]:.1f}" x2="{200 * metric["high"]:.1f}"'
        parts.append(f'<line {ends} y1="9" y2="9" stroke="{BLUE}" stroke-width="2"/>')
    if metric["value"] is not None:
        parts.append(f'<circle cx="{200 * metric["value"]:.1f}" cy="9" r="4.5" fill="{BLUE}"/>')
    return svg(
        "value and interval compared with permuted labels, from 0 to 1", "-6 0 212 18", parts
    )


def null_counts(values: Sequence[float | None]) -> np.ndarray:
    """Histogram (BINS,) of values with permuted labels over 0 to 1, without undefined ones."""
    known = [value for value in values if value is not None]
    return np.histogram(known, bins=BINS, range=(0, 1))[0]


def null_histogram(
    title: str, values: Sequence[float | None], result: float | None, measure: str
) -> Markup:
    """Histogram of a metric with permuted labels (grey bars), and the result (line).

    Args:
        title: for screen readers.
        values: under permuted labels, between 0 and 1.
        result: with the true labels.
        measure: the metric's name, below the axis.
    """
    counts = null_counts(values)
    most = max(int(counts.max()), 1)
    width = SIZE / BINS
    parts = [frame(SIZE, HEIGHT)]
    for number, count in enumerate(counts):
        if count:
            tall = (HEIGHT - 14) * count / most
            bar = (
                f'<rect x="{number * width:.1f}" y="{HEIGHT - tall:.1f}" width="{width:.1f}"'
                f' height="{tall:.1f}"'
            )
            parts.append(f'{bar} fill="#cfcfcf" stroke="#6b6b6b" stroke-width="0.7"/>')
    if result is not None:
        place = SIZE * result
        parts.append(
            f'<line x1="{place:.1f}" x2="{place:.1f}" y1="0" y2="{HEIGHT}" stroke="{BLUE}"'
            ' stroke-width="3"/>'
        )
        anchor, shift = ("end", -5) if result > 0.5 else ("start", 5)
        parts.append(
            text(place + shift, 12, f"result {result:.2f}", anchor, f'class="strong" fill="{BLUE}"')
        )
    parts += [
        text(-5, 18, str(most), "end"),
        text(-5, HEIGHT + 4, "0", "end"),
        *shares_axes(SIZE, HEIGHT, f"{measure}; bars: permutations"),
    ]
    return svg(title, f"-22 -6 {SIZE + 34} {HEIGHT + 44}", parts)


def reliability_figure(
    title: str,
    raw: Sequence[Mapping[str, Any]],
    calibrated: Sequence[Mapping[str, Any]] = (),
    of: str = "clips",
) -> Markup:
    """Reliability diagram: observed over predicted probability, a mark for each bin.

    The larger the mark, the more clips, or what else it counts (`of`).

    Args:
        title: for screen readers.
        raw: bins with `n`, `mean_probability` and `share` (None where the bin is empty), of the
            probabilities as the model gives them.
        calibrated: the same after calibration.
    """
    turned = f'class="faint" transform="rotate(-45 {0.4 * SIZE} {0.6 * SIZE}) translate(0 -5)"'
    parts = [frame(SIZE, SIZE), f'<line x1="0" y1="{SIZE}" x2="{SIZE}" y2="0" stroke="#bbb"/>']
    parts += [text(0.4 * SIZE, 0.6 * SIZE, "perfect", extra=turned)]
    total = max(sum(found.get("n", 0) for found in raw), 1)
    for found in raw:
        if found.get("n") and found.get("share") is not None:
            x, y, radius = (
                SIZE * found["mean_probability"],
                SIZE * (1 - found["share"]),
                3 + 14 * (found["n"] / total) ** 0.5,
            )
            clips = f"<title>{found['n']} {of}</title>"
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{BLUE}"'
                f' fill-opacity="0.35" stroke="{BLUE}">{clips}</circle>'
            )
    for found in calibrated:
        if found.get("n") and found.get("share") is not None:
            x, y, side = (
                SIZE * found["mean_probability"],
                SIZE * (1 - found["share"]),
                5 + 22 * (found["n"] / total) ** 0.5,
            )
            box = (
                f'<rect x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side:.1f}"'
                f' height="{side:.1f}"'
            )
            parts.append(
                f'{box} fill="none" stroke="{ORANGE}" stroke-width="1.8"><title>{found["n"]} {of},'
                " calibrated</title></rect>"
            )
    parts += shares_axes(SIZE, SIZE, "predicted probability", "observed fraction")
    return svg(title, f"-42 -16 {SIZE + 62} {SIZE + 56}", parts)


def roc_figure(title: str, curves: Sequence[tuple[Array, Array]]) -> Markup:
    """ROC curves of one task, one for each model.

    Args:
        title: for screen readers.
        curves: for each model false-positive rates and true-positive rates, both (point,).
    """
    turned = f'class="faint" transform="rotate(-45 {0.6 * SIZE} {0.4 * SIZE}) translate(0 15)"'
    parts = [frame(SIZE, SIZE), f'<line x1="0" y1="{SIZE}" x2="{SIZE}" y2="0" stroke="#bbb"/>']
    parts += [text(0.6 * SIZE, 0.4 * SIZE, "no better than chance", extra=turned)]
    for number, (false_positive, true_positive) in enumerate(curves):
        parts.append(
            polyline(
                [(SIZE * x, SIZE * (1 - y)) for x, y in zip(false_positive, true_positive)], number
            )
        )
    parts += shares_axes(
        SIZE, SIZE, "false positive rate, FP / (FP + TN)", "true positive rate, TP / (TP + FN)"
    )
    return svg(title, f"-42 -8 {SIZE + 54} {SIZE + 48}", parts)
