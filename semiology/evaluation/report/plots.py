"""Static figures by matplotlib: as an image within a page, or as a file beside it.

A figure whose marks a reader points at (tooltips) is drawn as SVG instead, see `figures`. Files are
the same bytes for the same data. matplotlib is imported when the first figure is made.
"""

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from semiology.evaluation.report.figures import line_style
from semiology.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# fixed identifiers, and text as text: small files, and the reader's own sans-serif type
SVG: Any = {"svg.hashsalt": "semiology", "svg.fonttype": "none"}


def new_figure(width: float, height: float, rows: int = 1) -> "tuple[Figure, list[Axes]]":
    """An empty figure of `width` by `height` inches and its axes, one below the other with one
    horizontal axis; without the top and right border.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def line_options(number: int) -> dict[str, Any]:
    """Colour and dashes of line `number`, as `Axes.plot` takes them; the same as in `figures`."""
    colour, dash = line_style(number)
    dashes = tuple(float(length) for length in dash.split())
    return {"color": colour, "linestyle": (0, dashes) if dashes else "-"}


def image(figure: "Figure", title: str) -> Markup:
    """The figure as an HTML image that needs no file (SVG in a data URI); `title` describes it for
    a screen reader.
    """
    from matplotlib import rc_context

    stream = io.BytesIO()
    with rc_context(SVG):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    data = base64.b64encode(stream.getvalue()).decode()
    return Markup('<img alt="{}" src="data:image/svg+xml;base64,{}">').format(title, data)


def save_figure(figure: "Figure", path: str | Path, dpi: int = 130) -> None:
    """Write the figure in the format of the path's ending (.png, .svg, .pdf), atomically.

    Raises:
        UserError: as `files.atomic_path`.
    """
    from matplotlib import rc_context

    with atomic_path(path) as temporary, rc_context(SVG):
        figure.savefig(temporary, dpi=dpi)
