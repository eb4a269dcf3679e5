"""Figures of a patient's report, as SVG with tooltips: the speed of each part of the body with its
jerks, and the body with its scores.
"""

import math
from collections.abc import Mapping

from markupsafe import Markup, escape

from semiology.evaluation.report.figures import BLUE, ORANGE, shade, svg, text
from semiology.evaluation.report.rendering import plain
from semiology.severity.myoclonus.measures import ClipMeasures
from semiology.severity.myoclonus.umrs import HIGHEST, amplitude_class

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
