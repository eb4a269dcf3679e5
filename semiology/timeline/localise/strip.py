"""One recording as coloured bands: what is marked above what each model said, so that a person sees where they part."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from semiology.files import atomic_path
from semiology.timeline.localise.recordings import LEFT_OUT


def draw_strips(path: str | Path, bands: Mapping[str, np.ndarray], levels: list[str], rate: float, title: str = "") -> None:
    """Draw bands over time: white is the first level ("none"), grey is `LEFT_OUT`, each other level has its colour.

    Args:
        path: of the picture (.png, .svg).
        bands: name -> (time,) index of a level.
        levels: names.
        rate: frames per second, Hz.
        title: above it.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    colours = [(1.0, 1.0, 1.0), *pyplot.get_cmap("tab20" if len(levels) > 11 else "tab10").colors[: len(levels) - 1]]  # type: ignore[attr-defined]
    palette = np.array([*colours, (0.75, 0.75, 0.75)])  # LEFT_OUT is -1: the last
    assert LEFT_OUT == -1
    figure, axes = pyplot.subplots(figsize=(11, 1.3 + 0.35 * len(bands)), layout="constrained")
    for row, band in enumerate(bands.values()):
        extent = (0, len(band) / rate, row + 0.45, row - 0.45)
        axes.imshow(palette[band][None], aspect="auto", extent=extent, interpolation="nearest")
    axes.set(xlim=(0, max(map(len, bands.values())) / rate), ylim=(len(bands) - 0.5, -0.5), xlabel="time, s", title=title)
    axes.set_yticks(range(len(bands)), list(bands))
    handles = [pyplot.Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor="grey", linewidth=0.5) for colour in colours]
    figure.legend(handles, levels, loc="outside lower center", ncols=min(len(levels), 11), frameon=False, fontsize=8)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
    pyplot.close(figure)
