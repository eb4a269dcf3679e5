"""The page that holds everything: tables and pictures in one file, which loads nothing and runs no script."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semiology.evaluation.agreement.beside import DIFFERENCE, SIDES
from semiology.evaluation.agreement.pairs import Figure, told
from semiology.evaluation.report.rendering import render
from semiology.evaluation.statistics.intervals import METHOD

NAMES = {
    "spearman": "Spearman",
    "pearson": "Pearson",
    "icc_2_1": "ICC(2,1), absolute agreement",
    "icc_3_1": "ICC(3,1), consistency",
    "kappa_linear": "kappa, linear weights",
    "kappa_quadratic": "kappa, quadratic weights",
    "mean_absolute_error": "mean absolute error",
    "bias": "bias",
    "lower_limit": "lower limit of agreement",
    "upper_limit": "upper limit of agreement",
    "sd_of_difference": "sd of a difference",
    "proportional_bias": "proportional bias (slope)",
    "retest_icc_2_1": "test-retest ICC(2,1)",
    "retest_icc_3_1": "test-retest ICC(3,1)",
    "sem_agreement": "SEM, agreement",
    "sem_consistency": "SEM, consistency",
    "within_subject_sd": "within-subject sd",
    "mdc95_agreement": "MDC95, agreement",
    "mdc95_consistency": "MDC95, consistency",
    "mdc95_within_subject": "MDC95, within-subject sd",
    "mean_change": "mean change",
    "standardised_response_mean": "standardised response mean",
}


def page(figures: Sequence[Figure], document: Mapping[str, Any], pictures: Mapping[str, Path]) -> str:
    """The HTML of the figures and of agreement.json's notes and method; every value is escaped.

    Args:
        pictures: title -> PNG, which is put into the page.
    """
    groups: dict[tuple[str, str, str], list[tuple[Figure, str]]] = {}
    beside: dict[str, dict[str, Figure]] = {}
    for figure in figures:
        if figure.kind == "beside":
            beside.setdefault(figure.figure, {})[figure.first] = figure
        else:
            unusual = "; ".join(part for part in figure.method.split("; ") if part != METHOD)
            groups.setdefault((figure.kind, figure.first, figure.second), []).append((figure, figure.reason or unusual))
    inside = {title: base64.b64encode(path.read_bytes()).decode("ascii") for title, path in pictures.items()}
    sides = [*SIDES.values(), DIFFERENCE]
    return render(
        "agreement.html.jinja", document=document, groups=groups, beside=beside, sides=sides, pictures=inside, names=NAMES, told=told
    )
