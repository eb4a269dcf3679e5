"""Found against false alarms."""

from collections.abc import Sequence

from markupsafe import Markup

from semiology.evaluation.report.svg import SIZE, frame, polyline, shares_axes, svg, text
from semiology.evaluation.statistics.metrics import Array


def roc_figure(title: str, curves: Sequence[tuple[Array, Array]]) -> Markup:
    """ROC curves of one task.

    Args:
        title: what a screen reader says.
        curves: for each model false-positive rates and true-positive rates, both (point,).
    """
    turned = f'class="faint" transform="rotate(-45 {0.6 * SIZE} {0.4 * SIZE}) translate(0 15)"'
    parts = [frame(SIZE, SIZE), f'<line x1="0" y1="{SIZE}" x2="{SIZE}" y2="0" stroke="#bbb"/>']
    parts += [text(0.6 * SIZE, 0.4 * SIZE, "no better than chance", extra=turned)]
    for number, (false_positive, true_positive) in enumerate(curves):
        parts.append(polyline([(SIZE * x, SIZE * (1 - y)) for x, y in zip(false_positive, true_positive)], number))
    parts += shares_axes(SIZE, SIZE, "false alarms (share of clips without the sign)", "found (share of clips with it)")
    return svg(title, f"-42 -8 {SIZE + 54} {SIZE + 48}", parts)
