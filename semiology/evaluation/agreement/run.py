"""From a table of scores to agreement.tsv, agreement.json, a Bland-Altman plot of each pair, and
report.html, which holds all estimates and plots without scripts and external files.

Bland-Altman plot: the difference of two raters over their mean, with bias and limits of agreement
(Bland and Altman 1986).
"""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semiology.data.cohort.table import by_cell, to_cell
from semiology.errors import UserError
from semiology.evaluation.agreement.change import compare_change, compare_retest
from semiology.evaluation.agreement.comparisons import (
    DIFFERENCE,
    SIDES,
    compare_all_raters,
    compare_pair,
    compare_with_raters,
    kinds_of_pairs,
    notes_on_bias,
    notes_on_scale,
    paired,
)
from semiology.evaluation.agreement.pairs import COLUMNS, Estimate, Paired, formatted
from semiology.evaluation.agreement.scores import Scores
from semiology.evaluation.report.plots import new_figure, save_figure
from semiology.evaluation.report.rendering import render
from semiology.evaluation.statistics.intervals import METHOD
from semiology.files import atomic_path, slug, write_json, write_text

# of each pair, in the terminal
MAIN = ("spearman", "icc_2_1", "kappa_quadratic", "bias", "mean_absolute_error")


def agree(
    scores: Scores,
    retest: Sequence[str] = (),
    change: Sequence[str] = (),
    *,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[list[Estimate], dict[str, Any]]:
    """Agreement of a machine's scores with raters, their repeatability and responsiveness.

    Whole participants are resampled for every interval, because the rows of one participant are not
    independent.

    Parameters
    ----------
    scores : Scores
        Table of `read_scores`.
    retest : sequence of str
        Visits between which nothing should have changed: repeatability and minimal detectable
        change. None by default.
    change : sequence of str
        Two visits, before and after: mean change and standardised response mean. None by default.
    draws : int
        Number of resampled cohorts; below 2 there are no intervals.
    seed : int
        Of the resampling, 0 or more.

    Returns
    -------
    estimates : list of Estimate
        One for each pair (or column) and figure.
    document : dict
        Content of agreement.json: the estimates as dictionaries under "figures", "notes" (who was
        left out and why, and what limits the interpretation), and the method.

    Raises
    ------
    UserError
        A visit is not in the table, `retest` is a single visit, `change` is not two visits, or
        draws or seed are negative.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"participant": list("abcdef"), "visit": "",
    ...                       "machine": [2.3, 5.1, 1.2, 7.9, 4.4, 6.0],
    ...                       "rater": [2.0, 5.0, 1.0, 8.0, 4.0, 6.0]})
    >>> estimates, _ = agree(Scores("machine", ("rater",), table), draws=500)
    >>> icc = next(one for one in estimates if one.figure == "icc_2_1")
    >>> round(icc.value, 3), icc.participants
    (0.996, 6)
    """
    if draws < 0 or seed < 0:
        raise UserError(
            f"draws={draws}, seed={seed}: neither may be negative; draws=0 gives no intervals"
        )
    if len(retest) == 1:
        raise UserError(
            f"retest needs two visits or more between which nothing changed; only {retest[0]} was"
            " named"
        )
    if len(change) not in (0, 2):
        raise UserError(f"change needs two visits, before and after, not {len(change)}")
    figures = [
        figure
        for pair in kinds_of_pairs(scores)
        for figure in compare_pair(scores.table, *pair, draws, seed)
    ]
    figures += [*compare_all_raters(scores, draws, seed), *compare_with_raters(scores, draws, seed)]
    notes = [*scores.notes, *_unscored(scores), *notes_on_scale(scores), *notes_on_bias(figures)]
    if change and set(change) <= set(retest):
        notes.append(
            f"{change[0]} and {change[1]} are given both for --retest and for --change: one of the"
            " two is wrong, and so are its estimates"
        )
    if len(scores.raters) == 1:
        notes.append("one rater only: inter-rater agreement is unknown")
    for found, left_out in (
        compare_retest(scores, retest, draws, seed) if retest else ([], []),
        compare_change(scores, change[0], change[1], draws, seed) if change else ([], []),
    ):
        figures += found
        notes += left_out
    return figures, {
        "machine": scores.machine or None,
        "raters": list(scores.raters),
        "participants": int(scores.table["participant"].nunique()),
        "rows": len(scores.table),
        "visits": scores.visits,
        "retest": list(retest),
        "change": list(change),
        "figures": [asdict(figure) for figure in figures],
        "notes": notes,
        "method": {
            "interval": f"95 % {METHOD}, unless the figure's own method says otherwise",
            "draws": draws,
            "seed": seed,
        },
    }


def write_agreement(
    scores: Scores,
    out: Path,
    retest: Sequence[str] = (),
    change: Sequence[str] = (),
    *,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[list[Estimate], dict[str, Any]]:
    """`agree`, and write its results as tables, plots and a page.

    Parameters
    ----------
    scores, retest, change, draws, seed
        See `agree`.
    out : Path
        Folder for agreement.tsv, agreement.json, bland_altman_<number>_<first>_<second>.png and
        report.html.

    Returns
    -------
    estimates : list of Estimate
        As `agree`.
    document : dict
        As `agree`.

    Raises
    ------
    UserError
        As `agree`.
    """
    figures, document = agree(scores, retest, change, draws=draws, seed=seed)
    plots = {}
    for number, (_, first, second) in enumerate(kinds_of_pairs(scores), 1):
        pair = paired(scores.table, first, second)
        if len(pair.first) > 1:
            # numbered, because "rater 1" and "rater-1" have the same slug
            name = f"bland_altman_{number}_{slug(first)}_{slug(second)}.png"
            of_pair = {
                figure.figure: figure
                for figure in figures
                if (figure.first, figure.second) == (first, second)
            }
            draw_bland_altman(out / name, pair, of_pair, first, second)
            plots[f"{first} and {second}"] = out / name
    write_rows(out / "agreement.tsv", document["figures"], COLUMNS)
    write_json(out / "agreement.json", document)
    write_text(out / "report.html", page(figures, document, plots))
    return figures, document


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write rows as a .tsv: numbers to six digits, n/a where there is none; raises as
    `atomic_path`.
    """
    with atomic_path(path) as temporary:
        table = pd.DataFrame(rows, columns=list(columns), dtype=object).map(_cell)
        by_cell(table, to_cell).to_csv(temporary, sep="\t", index=False)


def text(figures: Sequence[Estimate], notes: Sequence[str]) -> str:
    """The main estimates and the notes, for a terminal."""
    lines = []
    for figure in figures:
        pair = figure.kind in ("machine-rater", "inter-rater", "intra-rater")
        if not pair or figure.figure in MAIN:
            names = " and ".join(name for name in (figure.first, figure.second) if name)
            lines.append(f"{figure.kind:<14}{names:<34} {figure.figure:<27} {formatted(figure)}")
    return "\n".join([*lines, *(f"note: {note}" for note in notes)])


def _unscored(scores: Scores) -> list[str]:
    missing = scores.table[list(scores.columns)].isna().sum()
    return [
        f"{column}: {count} of {len(scores.table)} rows have no score"
        for column, count in missing.items()
        if count
    ]


def _cell(value: object) -> object:
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return "n/a"
    return f"{value:.6g}" if isinstance(value, float) else value


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
    figure, (axes,) = new_figure(7, 4.6)
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
    repeated = ", rows of one joined" if pair.repeated else ""
    axes.set_title(
        f"{len(mean)} rows of {pair.participants} participants{repeated}", fontsize=10, loc="left"
    )
    save_figure(figure, path)
