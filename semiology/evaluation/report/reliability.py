"""Are the probabilities honest? Of the clips given 70 %, do 70 % have the sign?"""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from semiology.evaluation.report.svg import BLUE, ORANGE, SIZE, frame, shares_axes, svg, text


def reliability_figure(title: str, raw: Sequence[Mapping[str, Any]], calibrated: Sequence[Mapping[str, Any]] = ()) -> Markup:
    """What the model said against how often it was so, one mark a bin; the larger the mark, the more clips.

    Args:
        title: what a screen reader says.
        raw: bins with `n`, `mean_probability` and `share` (None where the bin is empty), of the probabilities as the model gives them.
        calibrated: the same after calibration.
    """
    turned = f'class="faint" transform="rotate(-45 {0.4 * SIZE} {0.6 * SIZE}) translate(0 -5)"'
    parts = [frame(SIZE, SIZE), f'<line x1="0" y1="{SIZE}" x2="{SIZE}" y2="0" stroke="#bbb"/>']
    parts += [text(0.4 * SIZE, 0.6 * SIZE, "honest", extra=turned)]
    total = max(sum(found.get("n", 0) for found in raw), 1)
    for found in raw:
        if found.get("n") and found.get("share") is not None:
            x, y, radius = SIZE * found["mean_probability"], SIZE * (1 - found["share"]), 3 + 14 * (found["n"] / total) ** 0.5
            clips = f"<title>{found['n']} clips</title>"
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{BLUE}" fill-opacity="0.35" stroke="{BLUE}">{clips}</circle>'
            )
    for found in calibrated:
        if found.get("n") and found.get("share") is not None:
            x, y, side = SIZE * found["mean_probability"], SIZE * (1 - found["share"]), 5 + 22 * (found["n"] / total) ** 0.5
            box = f'<rect x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side:.1f}" height="{side:.1f}"'
            parts.append(f'{box} fill="none" stroke="{ORANGE}" stroke-width="1.8"><title>{found["n"]} clips, calibrated</title></rect>')
    parts += shares_axes(SIZE, SIZE, "what the model said (probability)", "how often it was so")
    return svg(title, f"-42 -16 {SIZE + 62} {SIZE + 56}", parts)
