"""The report's figures: how a measure is spread over each group, and a measure's course over a clip with its slope. Inline SVG."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from semiology.evaluation.report.svg import BLUE, GREY, frame, line_style, svg, text

WIDTH, ROW = 250.0, 26.0  # SVG units
MOST_POINTS = 400  # of a curve; a picture shows no more
HOLE = 0.25  # s without the face, over which no line is drawn; trackers that look at every n-th frame leave shorter ones


def distribution_figure(title: str, rows: Sequence[tuple[str, np.ndarray]], control: str) -> Markup:
    """One row of dots a group (or group and side), one dot a participant, the bar at the median; controls grey, the others blue.

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
            x, y = WIDTH * (value - low) / (high - low), middle + 6 * ((place * 0.618) % 1 - 0.5)  # spread evenly, not at random
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}" fill-opacity="0.55"/>')
        if len(values):
            x = WIDTH * (np.median(values) - low) / (high - low)
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{middle - 10:.1f}" y2="{middle + 10:.1f}" stroke="#1b1b1b" stroke-width="2"/>'
            )
    parts += [text(WIDTH * (tick - low) / (high - low), height + 15, f"{tick:g}") for tick in ticks]
    return svg(title, f"-96 -4 {WIDTH + 112:g} {height + 24:g}", parts)


def course_figure(title: str, time: np.ndarray, courses: Mapping[str, np.ndarray], slopes: Mapping[str, float], beside: str) -> Markup:
    """A measure's course by side over a clip: thin lines, holes where the face was not seen, and each side's slope as a straight line.

    Args:
        time: (time,) s.
        courses: side -> (time,) values.
        slopes: side -> change per minute; NaN draws none. The line goes through the medians of time and course.
        beside: what the vertical axis is.
    """
    height, every = 120.0, max(1, len(time) // MOST_POINTS)
    low, high, ticks = axis(np.concatenate([values[np.isfinite(values)] for values in courses.values()]))
    end = float(time[-1]) if len(time) > 1 and time[-1] > 0 else 1.0

    def at(seconds: float, value: float) -> str:
        return f"{WIDTH * seconds / end:.1f},{height * (1 - (value - low) / (high - low)):.1f}"

    parts = [frame(WIDTH, height)]
    for number, (side, values) in enumerate(courses.items()):
        colour, dash = line_style(number)
        for run in _runs(time[::every], values[::every]):
            points = " ".join(at(time[::every][row], values[::every][row]) for row in run)
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.1" stroke-opacity="0.65"/>')
        if np.isfinite(slopes[side]):
            known = np.isfinite(values)
            middle, level = np.median(time[known]), np.median(values[known])
            ends = [at(seconds, level + slopes[side] * (seconds - middle) / 60) for seconds in (0.0, end)]
            parts.append(f'<polyline points="{" ".join(ends)}" stroke="{colour}" stroke-width="2.4" stroke-dasharray="{dash}"/>')
    parts += [text(-6, height * (1 - (tick - low) / (high - low)) + 4, f"{tick:g}", "end") for tick in ticks]
    parts += [text(WIDTH * tick / end, height + 15, f"{tick:g}") for tick in axis(np.array([0.0, end]))[2] if tick <= end]
    parts.append(text(WIDTH / 2, height + 30, "seconds"))
    parts.append(text(-height / 2, -40, beside, extra='transform="rotate(-90)"'))
    return svg(title, f"-54 -6 {WIDTH + 66:g} {height + 42:g}", parts)


def axis(values: np.ndarray) -> tuple[float, float, list[float]]:
    """Where an axis begins and ends, and its ticks: three to six round numbers that hold all values."""
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
