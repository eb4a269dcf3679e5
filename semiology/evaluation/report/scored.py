"""Models that predict a rating or a number: agreement with the target, with intervals by
participant, beside the agreement of raters; metrics.json and the page of such a run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semiology.evaluation.agreement.comparisons import (
    compare_pair,
    compare_with_raters,
    kinds_of_pairs,
    prepared,
)
from semiology.evaluation.agreement.pairs import Paired, formatted
from semiology.evaluation.agreement.scores import Scores
from semiology.evaluation.report import figures
from semiology.evaluation.report.importance import relied_on
from semiology.evaluation.report.rendering import render
from semiology.evaluation.statistics.intervals import METHOD
from semiology.evaluation.statistics.permutation import compare_with_null
from semiology.files import write_json, write_text

SHOWN = {  # figures of agreement.pairs -> words
    "mean_absolute_error": "mean absolute error",
    "kappa_quadratic": "kappa, quadratic weights",
    "spearman": "Spearman",
    "icc_2_1": "ICC(2,1)",
    "bias": "bias",
}
LOWER_IS_BETTER = ("mean_absolute_error",)
TESTED = ("mean_absolute_error", "kappa_quadratic", "spearman", "icc_2_1")

Pairs = Sequence[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Scored:
    """One task: its rows with a column a model, and the null.

    Attributes:
        task: its name.
        table: columns participant, fold, the target, the models and the raters.
        models: columns of the models.
        null: model -> (predicted, true) numbers under each permutation of the labels, in the order
            of the rows.
    """

    task: str
    table: pd.DataFrame
    models: list[str]
    null: Mapping[str, Pairs]


def write_scored(
    run: Path,
    parts: Sequence[Scored],
    target: str,
    raters: Sequence[str],
    *,
    rating: bool,
    notes: Sequence[str] = (),
    draws: int = 2000,
    seed: int = 0,
) -> Path:
    """Write metrics.json and report.html of models that predict a rating or a number.

    Args:
        run: the folder.
        parts: its tasks.
        target: column that was predicted.
        raters: columns of further ratings.
        rating: whether kappa is meant; numbers have none.
        notes: sentences for a reader.
        draws: resampled cohorts behind each interval.
        seed: of these.

    Returns:
        The report.
    """
    shown = {
        name: words for name, words in SHOWN.items() if rating or not name.startswith("kappa_")
    }
    tasks = {part.task: _evaluate(part, target, raters, shown, draws, seed) for part in parts}
    metrics = {
        "method": {
            "unit": "row, pooled over folds",
            "interval": f"95 % {METHOD}",
            "draws": draws,
            "seed": seed,
            "chance": "permutation of the target between participants",
        },
        "tasks": tasks,
    }
    write_json(run / "metrics.json", metrics, allow_nan=False)
    write_text(
        run / "report.html",
        render(
            "scored.html.jinja",
            metrics=metrics,
            target=target,
            names=shown,
            notes=notes,
            relied=relied_on(run),
            figures=figures,
        ),
    )
    return run / "report.html"


def scored_text(metrics: Mapping[str, Any]) -> str:
    """The tasks' main figures, for a terminal."""
    lines = []
    for task, found in metrics["tasks"].items():
        lines.append(
            f"{task}: {found['rows']} rows of {found['participants']} participants,"
            f" {found['folds']} folds"
        )
        for model, own in found["models"].items():
            parts = [
                f"{SHOWN[name]} {one['text']}"
                + (f", p {one['null']['p']:.3f}" if one.get("null", {}).get("p") else "")
                for name, one in own["metrics"].items()
                if one["value"] is not None
            ]
            lines.append(f"  {model:<12}{'; '.join(parts)}")
        lines += [
            f"  {one['first']} and {one['second']}: {SHOWN[one['figure']]} {one['text']}"
            for one in found["between_raters"]
            if one["value"] is not None
        ]
    return "\n".join(lines)


def _evaluate(
    part: Scored,
    target: str,
    raters: Sequence[str],
    shown: Mapping[str, str],
    draws: int,
    seed: int,
) -> dict[str, Any]:
    models: dict[str, Any] = {}
    for model in part.models:
        found = {
            one.figure: asdict(one) | {"text": formatted(one)}
            for one in compare_pair(part.table, "machine-rater", model, target, draws, seed)
            if one.figure in shown
        }
        metrics = {name: found[name] for name in shown}
        for name in TESTED:
            if name in metrics and (pairs := part.null.get(model)):
                metrics[name]["null"] = compare_with_null(
                    metrics[name]["value"],
                    [_observed(name, *pair) for pair in pairs],
                    name in LOWER_IS_BETTER,
                )
        scores = Scores(model, (target, *raters), part.table.assign(visit=""))
        beside = compare_with_raters(scores, draws, seed) if raters else []
        models[model] = {
            "metrics": metrics,
            "beside": [asdict(one) | {"text": formatted(one)} for one in beside],
        }
    pairs_of_raters = kinds_of_pairs(Scores("", (target, *raters), part.table))
    return {
        "label": target,
        "rows": len(part.table),
        "participants": int(part.table["participant"].nunique()),
        "folds": int(part.table["fold"].nunique()),
        "models": models,
        "between_raters": [
            asdict(one) | {"text": formatted(one)}
            for pair in pairs_of_raters
            for one in compare_pair(part.table, *pair, draws, seed)
            if one.figure in shown
        ],
    }


def _observed(name: str, predicted: np.ndarray, truth: np.ndarray) -> float | None:
    """A figure of one permutation; whole participants do not matter without resampling."""
    pair = Paired(predicted, truth, np.arange(len(truth)))
    ordinal, _, why_not = prepared(pair, name, "machine-rater", "", "")
    if why_not or (name == "spearman" and 0 in (np.ptp(predicted), np.ptp(truth))):
        return None
    value = float(ordinal.figure(name, np.ones((1, len(truth))))[0])
    return value if np.isfinite(value) else None
