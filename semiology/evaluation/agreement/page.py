"""The page with all estimates and plots in one file, without scripts and external files, and the
Bland-Altman plot: the difference of two raters over their mean, with bias and limits of agreement
(Bland and Altman 1986). Plots are by matplotlib.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from semiology.evaluation.agreement.comparisons import DIFFERENCE, SIDES
from semiology.evaluation.agreement.pairs import Estimate, Paired, formatted
from semiology.evaluation.report.rendering import render
from semiology.evaluation.statistics.intervals import METHOD
from semiology.files import atomic_path

NAMES = {
    "spearman": "Spearman correlation",
    "pearson": "Pearson correlation",
    "icc_2_1": "ICC(2,1): two-way random, absolute agreement, single measurement",
    "icc_3_1": "ICC(3,1): two-way mixed, consistency, single measurement",
    "kappa_linear": "kappa, linear weights",
    "kappa_quadratic": "kappa, quadratic weights",
    "mean_absolute_error": "mean absolute error",
    "bias": "bias",
    "lower_limit": "lower limit of agreement",
    "upper_limit": "upper limit of agreement",
    "sd_of_difference": "SD of a difference",
    "proportional_bias": "proportional bias (slope)",
    "retest_icc_2_1": "test-retest ICC(2,1)",
    "retest_icc_3_1": "test-retest ICC(3,1)",
    "sem_agreement": "SEM, agreement",
    "sem_consistency": "SEM, consistency",
    "within_subject_sd": "within-subject SD",
    "mdc95_agreement": "MDC95, agreement",
    "mdc95_consistency": "MDC95, consistency",
    "mdc95_within_subject": "MDC95, within-subject SD",
    "mean_change": "mean change",
    "standardised_response_mean": "standardised response mean",
}


def page(
    figures: Sequence[Estimate], document: Mapping[str, Any], plots: Mapping[str, Path]
) -> str:
    """The HTML page of all estimates, and of agreement.json's notes and method.

    Every value is escaped; `plots` (title -> PNG file) are embedded.
    """
    groups: dict[tuple[str, str, str], list[tuple[Estimate, str]]] = {}
    beside: dict[str, dict[str, Estimate]] = {}
    for figure in figures:
        if figure.kind == "beside":
            beside.setdefault(figure.figure, {})[figure.first] = figure
        else:
            unusual = "; ".join(part for part in figure.method.split("; ") if part != METHOD)
            groups.setdefault((figure.kind, figure.first, figure.second), []).append(
                (figure, figure.reason or unusual)
            )
    embedded = {
        title: base64.b64encode(path.read_bytes()).decode("ascii") for title, path in plots.items()
    }
    sides = [*SIDES.values(), DIFFERENCE]
    return render(
        "agreement.html.jinja",
        document=document,
        groups=groups,
        beside=beside,
        sides=sides,
        plots=embedded,
        names=NAMES,
        formatted=formatted,
    )


BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#595959"  # distinct for colour-blind readers


def draw_bland_altman(
    path: str | Path, pair: Paired, figures: Mapping[str, Estimate], first: str, second: str
) -> None:
    """Write a Bland-Altman plot: a point for every row, bias and limits with their intervals.

    Rows of one participant are joined by a line.

    Args:
        path: image file; .png, .svg and .pdf are written as such.
        pair: scores of the two raters.
        figures: estimates by name, of `compare_pair`.
        first: name of the first rater.
        second: name of the second rater; the difference is first minus second.
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
            f"{label} {found.value:.3g}",
            (1, found.value),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=colour,
            annotation_clip=False,
        )
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set(xlabel=f"mean of {first} and {second}", ylabel=f"{first} minus {second}")
    axes.spines[["top", "right"]].set_visible(False)
    repeated = ", rows of one joined" if pair.repeated else ""
    axes.set_title(
        f"{len(mean)} rows of {pair.participants} participants{repeated}", fontsize=10, loc="left"
    )
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130)
    pyplot.close(figure)
