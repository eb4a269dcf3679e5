"""A run on a table: every fold of every model, to the files of a run as `semiology loso` writes
them. Ratings and numbers have scores.tsv in place of predictions.csv.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from semiology.data.cohort.table import by_cell, to_cell
from semiology.errors import UserError
from semiology.evaluation.audit import audit, verdict
from semiology.evaluation.report import write_report
from semiology.evaluation.report.scored import Scored, write_scored
from semiology.experiments.table.folds import Fold, labellings, parts_of, split_rows, task_name
from semiology.experiments.table.importance import feature_groups, write_importance
from semiology.experiments.table.models import MODELS, search
from semiology.experiments.table.nulls import class_null, score_null
from semiology.experiments.table.outputs import (
    notes_of,
    predictions_table,
    scores_table,
    sources,
    write_settings,
)
from semiology.experiments.table.reading import Rows, read_rows
from semiology.experiments.table.records import fold_records
from semiology.experiments.table.settings import LINEAR, MEDIAN, Table
from semiology.files import atomic_path, begin_folder, write_json


@dataclass
class TableResult:
    """The folder of a run, its report, the verdict of its audit ("" of ratings and numbers), and
    what to know of it.
    """

    run: Path
    report: Path
    audit: str
    notes: list[str]


def run_table(settings: Table) -> TableResult:
    """Run every fold of every model on a table, or what is left of it, and write the run.

    Raises:
        UserError: as `read_rows`; no such model; folds that cannot be made.
    """
    rows = read_rows(settings)
    models = settings.models or list(MODELS[rows.task])
    _check_names(settings, models)
    for name in models:
        search(rows, name, len(rows.ids), settings.inner, settings.seed)
    folds, groups = split_rows(settings, rows), feature_groups(settings, rows)
    run, task = Path(settings.out), task_name(settings)
    begin_folder(run)
    records = fold_records(settings, rows, models, folds, run, task, groups)
    if groups:
        write_importance(settings, rows, folds, groups, run, task)
    else:
        (run / "importance.json").unlink(missing_ok=True)  # of an earlier run
    notes = notes_of(settings, rows, folds)
    write_settings(settings, rows, models, run, task, notes)
    linear = LINEAR in models and settings.permutations > 0
    true = [record for record in records if record["permutation"] is None]
    if rows.task != "classes":
        report = _write_scores(settings, rows, models, records, folds, linear, run, task, notes)
        return TableResult(run, report, "", notes)
    predictions = predictions_table(settings, true)
    with atomic_path(run / "predictions.csv") as temporary:
        by_cell(predictions, to_cell).to_csv(temporary, index=False)
    null = class_null(settings, rows, records, folds, linear, task)
    if null:
        write_json(run / "null.json", null)
    else:
        (run / "null.json").unlink(missing_ok=True)  # of an earlier run
    write_json(run / "sources.json", sources(settings, rows))
    result = verdict(audit(run))
    return TableResult(run, write_report(run), result, notes)


def _check_names(settings: Table, models: Sequence[str]) -> None:
    own = {settings.target, *(settings.raters or ())}
    if taken := sorted(own & {*models, MEDIAN, "participant", "row", "fold", "task"}):
        raise UserError(
            f'column "{taken[0]}": its name is that of a model or of a column of scores.tsv; rename'
            " it"
        )
    if len(set(models)) < len(models):
        raise UserError(f"models: {', '.join(models)}; name each once")


def _write_scores(
    settings: Table,
    rows: Rows,
    models: Sequence[str],
    records: Sequence[dict[str, Any]],
    folds: Sequence[Fold],
    linear: bool,
    run: Path,
    task: str,
    notes: list[str],
) -> Path:
    """scores.tsv, metrics.json and report.html of ratings or numbers; returns the last."""
    parts = []
    labels = labellings(settings, rows) if linear else None
    for name, own in parts_of(task, folds).items():
        named = {fold.name for fold in own}
        these = [record for record in records if record["fold"] in named]
        table = scores_table(settings, rows, these, models)
        null = score_null(settings, rows, these, own, labels)
        parts.append(Scored(name, table, [*models, MEDIAN], null))
    table = pd.concat([part.table.assign(task=part.task) for part in parts], ignore_index=True)
    with atomic_path(run / "scores.tsv") as temporary:
        by_cell(table, to_cell).to_csv(temporary, sep="\t", index=False, na_rep="n/a")
    return write_scored(
        run,
        parts,
        settings.target,
        list(settings.raters or ()),
        rating=rows.task == "rating",
        notes=notes,
        seed=settings.seed,
    )
