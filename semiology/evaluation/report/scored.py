"""Models that predict a rating or a number: agreement with the target, with intervals by
participant, beside the agreement of raters; metrics.json and the page of such a run.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from semiology.evaluation.agreement.comparisons import (
    compare_pair,
    compare_with_raters,
    kinds_of_pairs,
)
from semiology.evaluation.agreement.pairs import formatted
from semiology.evaluation.agreement.scores import Scores
from semiology.evaluation.report import figures
from semiology.evaluation.report.importance import relied_on
from semiology.evaluation.report.inputs import read_audit, read_config, run_json, versions
from semiology.evaluation.report.rendering import render, tables_of
from semiology.evaluation.report.summary import verdict
from semiology.evaluation.report.tripod import checklist_of_numbers
from semiology.evaluation.run.files import read_null
from semiology.evaluation.run.scores import About, read_numbers
from semiology.evaluation.statistics.intervals import METHOD
from semiology.evaluation.statistics.permutation import compare_with_null
from semiology.evaluation.statistics.results import table_text
from semiology.files import write_json, write_text

SHOWN = {  # figures of agreement.pairs -> words
    "mean_absolute_error": "mean absolute error",
    "kappa_quadratic": "kappa, quadratic weights",
    "spearman": "Spearman",
    "icc_2_1": "ICC(2,1)",
    "bias": "bias",
}
LOWER_IS_BETTER = ("mean_absolute_error",)


def write_scored(run: Path, *, draws: int = 2000) -> Path:
    """Write metrics.json and report.html of models that predict a rating or a number, from
    scores.tsv, config.yaml and, where present, null.json, notes.json, audit.json, cohort.json and
    importance.json of the run.

    Args:
        run: the folder.
        draws: resampled cohorts behind each interval.

    Returns:
        The report.

    Raises:
        UserError: one of these files cannot be read, or the folder cannot be written.
    """
    config, text = read_config(run)
    numbers, null = read_numbers(run, config), read_null(run / "null.json")
    about = numbers.about
    shown = {
        name: words
        for name, words in SHOWN.items()
        if about.rating or not name.startswith("kappa_")
    }
    tasks = {
        str(task): _evaluate(rows, about, shown, null.get(str(task), {}), draws)
        for task, rows in numbers.table.groupby("task", sort=False)
    }
    metrics = {
        "method": {
            "unit": "row, pooled over folds",
            "interval": f"95 % {METHOD}",
            "draws": draws,
            "seed": about.seed,
            "chance": "permutation of the target between participants",
        },
        "rating": about.rating,
        "tasks": tasks,
        "versions": versions(),
    }
    write_json(run / "metrics.json", metrics, allow_nan=False)
    notes = [str(note) for note in run_json(run / "notes.json", "table", list)]
    audit = read_audit(run)
    page = render(
        "scored.html.jinja",
        metrics=metrics,
        target=about.target,
        names=shown,
        notes=notes,
        audit=audit,
        verdict=verdict(audit),
        relied=relied_on(run),
        cohort=tables_of("cohort.json", run_json(run / "cohort.json", "table")),
        tripod=checklist_of_numbers(metrics, config, notes),
        config=text,
        figures=figures,
    )
    write_text(run / "report.html", page)
    return run / "report.html"


def run_text(metrics: Mapping[str, Any]) -> str:
    """The main figures of a run of classes, or of ratings or numbers, for a terminal."""
    return scored_text(metrics) if "rating" in metrics else table_text(dict(metrics))


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
            f"  {model} and {rater}: {SHOWN['icc_2_1']} {own['icc_2_1']['text']}"
            for model, one in found["models"].items()
            for rater, own in one["raters"].items()
            if own["icc_2_1"]["value"] is not None
        ]
        lines += [
            f"  {one['first']} and {one['second']}: {SHOWN[one['figure']]} {one['text']}"
            for one in found["between_raters"]
            if one["value"] is not None
        ]
    return "\n".join(lines)


def _evaluate(
    table: pd.DataFrame,
    about: About,
    shown: Mapping[str, str],
    null: Mapping[str, Mapping[str, Any]],
    draws: int,
) -> dict[str, Any]:
    models: dict[str, Any] = {}
    target, raters, seed = about.target, about.raters, about.seed
    for model in about.models:
        metrics = _pair(table, "machine-rater", model, target, shown, draws, seed)
        for name in about.tested:
            if values := null.get(model, {}).get(name):
                found = compare_with_null(metrics[name]["value"], values, name in LOWER_IS_BETTER)
                metrics[name] |= {"null": found, "p": found["p"]}
        scores = Scores(model, (target, *raters), table.assign(visit=""))
        beside = compare_with_raters(scores, draws, seed) if raters else []
        models[model] = {
            "metrics": metrics,
            "raters": {
                rater: _pair(table, "machine-rater", model, rater, shown, draws, seed)
                for rater in raters
            },
            "beside": [asdict(one) | {"text": formatted(one)} for one in beside],
        }
    pairs_of_raters = kinds_of_pairs(Scores("", (target, *raters), table))
    return {
        "label": target,
        "rows": len(table),
        "participants": int(table["participant"].nunique()),
        "folds": int(table["fold"].nunique()),
        "models": models,
        "between_raters": [
            one
            for pair in pairs_of_raters
            for one in _pair(table, *pair, shown, draws, seed).values()
        ],
    }


def _pair(
    table: pd.DataFrame,
    kind: str,
    first: str,
    second: str,
    shown: Mapping[str, str],
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Figure -> estimate of two columns, in the order in which they are shown."""
    found = {
        one.figure: asdict(one) | {"text": formatted(one)}
        for one in compare_pair(table, kind, first, second, draws, seed)
        if one.figure in shown
    }
    return {name: found[name] for name in shown}
