"""Where in time a model looked, and whether what it looked at mattered."""

from collections.abc import Sequence

from markupsafe import Markup

from semiology.evaluation.report.svg import BLUE, GREY, SIZE, frame, shares_axes, svg, text


def time_strip(title: str, shares: Sequence[float]) -> Markup:
    """Shares of attribution over the clip from its start to its end: the taller and darker, the more."""
    most, count = max(shares, default=0) or 1.0, max(len(shares), 1)
    height, width = 44, SIZE / count
    parts = [frame(SIZE, height)]
    for number, share in enumerate(shares):
        part = max(share, 0) / most
        bar = f'<rect x="{number * width:.2f}" y="{height * (1 - part):.1f}" width="{width:.2f}" height="{height * part:.1f}"'
        parts.append(f'{bar} fill="{shade(part)}"/>')
    parts += [text(0, height + 14, "start", "start"), text(SIZE, height + 14, "end of the clip", "end")]
    return svg(title, f"-6 -4 {SIZE + 12} {height + 22}", parts)


def deletion_figure(title: str, fractions: Sequence[float], attributed: Sequence[float], random: Sequence[float]) -> Markup:
    """The probability that is left when the most important parts are taken out first (line), and when any are (dashes).

    Args:
        title: what a screen reader says.
        fractions: (step,) shares of the input taken out, 0 to 1.
        attributed, random: (step,) probability that is left.
    """
    height = 130
    parts = [frame(SIZE, height)]
    for values, colour, dash, words in ((random, GREY, "5 4", "any first"), (attributed, BLUE, "", "most important first")):
        points = " ".join(f"{SIZE * x:.1f},{height * (1 - min(max(y, 0), 1)):.1f}" for x, y in zip(fractions, values))
        line = f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.2" stroke-dasharray="{dash}">'
        parts.append(f"{line}<title>{words}</title></polyline>")
    parts += shares_axes(SIZE, height, "share of the input taken out", "probability left")
    return svg(title, f"-42 -8 {SIZE + 54} {height + 48}", parts)


def shade(part: float) -> str:
    """Grey to dark blue for a share of the greatest, legible in black and white: the more, the darker."""
    light, dark = (216, 216, 216), (0, 62, 110)
    part = min(max(part, 0), 1)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(light, dark))
