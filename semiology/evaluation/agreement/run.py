"""From a table of scores to agreement.tsv, agreement.json, a Bland-Altman plot of each pair, and
report.html.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.agreement.change import compare_change, compare_retest
from semiology.evaluation.agreement.comparisons import (
    compare_all_raters,
    compare_pair,
    compare_with_raters,
    kinds_of_pairs,
    notes_on_bias,
    notes_on_scale,
    paired,
)
from semiology.evaluation.agreement.page import draw_bland_altman, page
from semiology.evaluation.agreement.pairs import COLUMNS, Estimate, formatted
from semiology.evaluation.agreement.scores import Scores
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
        "machine": scores.machine,
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
    with atomic_path(out / "agreement.tsv") as temporary:
        pd.DataFrame(document["figures"], columns=list(COLUMNS)).map(_cell).to_csv(
            temporary, sep="\t", index=False
        )
    write_json(out / "agreement.json", document)
    write_text(out / "report.html", page(figures, document, plots))
    return figures, document


def text(figures: Sequence[Estimate], notes: Sequence[str]) -> str:
    """The main estimates and the notes, for a terminal."""
    lines = []
    for figure in figures:
        pair = figure.kind in ("machine-rater", "inter-rater")
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
