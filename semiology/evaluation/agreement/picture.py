"""The picture of Bland & Altman 1986: the difference of two raters over their mean, with bias and limits of agreement."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from semiology.evaluation.agreement.paired import Paired
from semiology.evaluation.agreement.pairs import Figure
from semiology.files import atomic_path

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#595959"  # told apart by the colour-blind


def draw_bland_altman(path: str | Path, pair: Paired, figures: Mapping[str, Figure], first: str, second: str) -> None:
    """Draw every row as a point, rows of one participant joined by a line; bias and limits with their intervals as bands.

    Args:
        path: of the picture; .png, .svg and .pdf are written as such.
        figures: by name, of `judge_pair`.
        first, second: names of the raters; the difference is the first minus the second.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.6), layout="constrained")
    mean = (pair.first + pair.second) / 2
    for who in range(pair.participants if pair.repeated else 0):
        own = np.flatnonzero(pair.participant == who)
        own = own[np.argsort(mean[own], kind="stable")]
        axes.plot(mean[own], pair.difference[own], color=BLUE, linewidth=0.6, alpha=0.35)
    axes.scatter(mean, pair.difference, s=22, color=BLUE, alpha=0.75, linewidth=0)
    for name, label, colour, dashes in (
        ("bias", "bias", ORANGE, "-"),
        ("upper_limit", "limit", GREY, "--"),
        ("lower_limit", "limit", GREY, "--"),
    ):
        found = figures[name]
        if found.value is None:
            continue
        axes.axhline(found.value, color=colour, linewidth=1.3, linestyle=dashes)
        if found.low is not None and found.high is not None:
            axes.axhspan(found.low, found.high, color=colour, alpha=0.12, linewidth=0)
        axes.annotate(
            f"{label} {found.value:.3g}", (1, found.value), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=9, color=colour, annotation_clip=False,
        )  # fmt: skip
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set(xlabel=f"mean of {first} and {second}", ylabel=f"{first} minus {second}")
    axes.spines[["top", "right"]].set_visible(False)
    repeated = ", rows of one joined" if pair.repeated else ""
    axes.set_title(f"{len(mean)} rows of {pair.participants} participants{repeated}", fontsize=10, loc="left")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130)
    pyplot.close(figure)
