"""From a table of scores to agreement.tsv, agreement.json, a picture of each pair and a page that
holds them all.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.agreement.change import judge_change, judge_repeatability
from semiology.evaluation.agreement.comparisons import (
    judge_all_raters,
    judge_beside,
    judge_pair,
    kinds_of_pairs,
    notes_on_bias,
    notes_on_scale,
    paired,
)
from semiology.evaluation.agreement.page import draw_bland_altman, page
from semiology.evaluation.agreement.pairs import COLUMNS, Figure, told
from semiology.evaluation.agreement.scores import Scores
from semiology.evaluation.statistics.intervals import METHOD
from semiology.files import atomic_path, slug, write_json, write_text

SHOWN = (
    "spearman",
    "icc_2_1",
    "kappa_quadratic",
    "bias",
    "mean_absolute_error",
)  # of each pair, in the terminal


def agree(
    scores: Scores,
    retest: Sequence[str] = (),
    change: Sequence[str] = (),
    *,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[list[Figure], dict[str, Any]]:
    """How well a machine's scores and the raters' agree, how repeatable they are, and how clearly
    they follow a change.

    Whole participants are resampled for every interval, as the rows of one participant are not
    independent.

    Args:
        scores: of `read_scores`.
        retest: visits between which nothing should have changed: repeatability and minimal
            detectable change.
        change: two visits, before and after: mean change and standardised response mean.
        draws: resampled cohorts; below 2: no intervals.
        seed: of the resampling, 0 or more.

    Returns:
        The figures, and what agreement.json holds: these as dictionaries, the `notes` (who was left
            out and why), and the method.

    Raises:
        UserError: a visit is not there, `retest` is one visit only, `change` is not two, draws or
            seed are negative.
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
        raise UserError(f"change is from one visit to another: name two, not {len(change)}")
    figures = [
        figure
        for pair in kinds_of_pairs(scores)
        for figure in judge_pair(scores.table, *pair, draws, seed)
    ]
    figures += [*judge_all_raters(scores, draws, seed), *judge_beside(scores, draws, seed)]
    notes = [*scores.notes, *_unscored(scores), *notes_on_scale(scores), *notes_on_bias(figures)]
    if change and set(change) <= set(retest):
        notes.append(
            f"{change[0]} and {change[1]} are named both as unchanged and as a change: one of the"
            " two is wrong, and its figures too"
        )
    if len(scores.raters) == 1:
        notes.append("one rater only: how far raters disagree with each other is not known")
    for found, left_out in (
        judge_repeatability(scores, retest, draws, seed) if retest else ([], []),
        judge_change(scores, change[0], change[1], draws, seed) if change else ([], []),
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
) -> tuple[list[Figure], dict[str, Any]]:
    """`agree`, and OUT/agreement.tsv, agreement.json, bland_altman_<number>_<first>_<second>.png
    and report.html.
    """
    figures, document = agree(scores, retest, change, draws=draws, seed=seed)
    pictures = {}
    for number, (_, first, second) in enumerate(kinds_of_pairs(scores), 1):
        pair = paired(scores.table, first, second)
        if len(pair.first) > 1:
            # numbered: "rater 1" and "rater-1" are one slug
            name = f"bland_altman_{number}_{slug(first)}_{slug(second)}.png"
            of_pair = {
                figure.figure: figure
                for figure in figures
                if (figure.first, figure.second) == (first, second)
            }
            draw_bland_altman(out / name, pair, of_pair, first, second)
            pictures[f"{first} and {second}"] = out / name
    with atomic_path(out / "agreement.tsv") as temporary:
        pd.DataFrame(document["figures"], columns=list(COLUMNS)).map(_cell).to_csv(
            temporary, sep="\t", index=False
        )
    write_json(out / "agreement.json", document)
    write_text(out / "report.html", page(figures, document, pictures))
    return figures, document


def text(figures: Sequence[Figure], notes: Sequence[str]) -> str:
    """The main figures and the notes, for a terminal."""
    shown = [
        figure
        for figure in figures
        if figure.kind not in ("machine-rater", "inter-rater") or figure.figure in SHOWN
    ]
    lines = [
        f"{figure.kind:<14}{' and '.join(name for name in (figure.first, figure.second) if name):<34}"
        f" {figure.figure:<27} {told(figure)}"
        for figure in shown
    ]
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
