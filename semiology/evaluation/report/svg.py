"""What every figure is made of: inline SVG takes the page's type, prints sharply, and needs neither script nor file.

Colours are those of Okabe and Ito, which stay apart in the usual colour-vision deficiencies; shape or dash says the same again, for paper.
"""

from collections.abc import Sequence

from markupsafe import Markup, escape

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072b2", "#b34a00", "#007a5a", "#8f4a78", "#767676"
LINES = ((BLUE, ""), (ORANGE, "6 3"), (GREEN, "2 2"), (PURPLE, "8 2 2 2"), (GREY, "4 4"))
SIZE = 220  # side of a square figure in SVG units


def svg(title: str, box: str, parts: Sequence[str]) -> Markup:
    """A figure; `title` is what a screen reader says, `box` the view box."""
    return Markup(f'<svg viewBox="{box}" role="img"><title>{escape(title)}</title>{"".join(parts)}</svg>')


def line_style(number: int) -> tuple[str, str]:
    """Colour and dash pattern of the model with this number in a figure."""
    return LINES[number % len(LINES)]


def line_key(number: int) -> Markup:
    """A short piece of the model's line, for the legend."""
    colour, dash = line_style(number)
    line = f'<line x1="0" x2="26" y1="5" y2="5" stroke="{colour}" stroke-width="2.4" stroke-dasharray="{dash}"/>'
    return Markup(f'<svg class="key" viewBox="0 0 26 10" width="26" height="10" aria-hidden="true">{line}</svg>')


def frame(width: float, height: float) -> str:
    """A figure's border."""
    return f'<rect x="0" y="0" width="{width:g}" height="{height:g}" fill="none" stroke="#999"/>'


def text(x: float, y: float, words: str, anchor: str = "middle", extra: str = "") -> str:
    """A line of text; `extra` holds further attributes."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{" " + extra if extra else ""}>{escape(words)}</text>'


def shares_axes(width: float, height: float, below: str, beside: str = "") -> list[str]:
    """Ticks at 0, 0.5 and 1 below (and, with words for it, beside), and what the axes are."""
    parts = [text(width * share, height + 15, f"{share:g}") for share in (0, 0.5, 1)] + [text(width / 2, height + 32, below)]
    if beside:
        parts += [text(-6, height * (1 - share) + 4, f"{share:g}", "end") for share in (0, 0.5, 1)]
        parts += [text(-height / 2, -28, beside, extra='transform="rotate(-90)"')]
    return parts


def polyline(points: Sequence[tuple[float, float]], number: int) -> str:
    """A model's line through points in SVG units."""
    colour, dash = line_style(number)
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
