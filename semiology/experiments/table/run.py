"""A run on a table: every fold of every model, to the files of a run as `semiology loso` writes
them. Ratings and numbers have scores.tsv in place of predictions.csv.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from semiology.errors import UserError
from semiology.evaluation.audit import audit, verdict
from semiology.evaluation.report import write_report
from semiology.evaluation.run.scores import COLUMNS
from semiology.experiments.table.folds import split_rows, task_name
from semiology.experiments.table.importance import feature_groups, write_importance
from semiology.experiments.table.models import MODELS, search
from semiology.experiments.table.nulls import null_of_run
from semiology.experiments.table.outputs import notes_of, sources, write_predictions, write_settings
from semiology.experiments.table.reading import read_rows
from semiology.experiments.table.records import Work, fold_records
from semiology.experiments.table.settings import MEDIAN, Table
from semiology.files import begin_folder, write_json


@dataclass
class TableResult:
    """The folder of a run, its report, the verdict of its audit, and what to know of it."""

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
    if settings.calibrates and rows.task != "classes":
        raise UserError(f"calibration and coverage: of classes; {settings.target} is a {rows.task}")
    for name in models:
        search(rows, name, len(rows.ids), settings.inner, settings.seed)
    folds, groups = split_rows(settings, rows), feature_groups(settings, rows)
    run, task = Path(settings.out), task_name(settings)
    begin_folder(run)
    records = fold_records(Work(settings, rows, models, run, task, groups), folds)
    permutations = len({record["permutation"] for record in records} - {None})
    if groups:
        write_importance(settings, rows, folds, groups, run, task)
    notes = notes_of(settings, rows, folds, permutations)
    write_settings(settings, rows, models, run, task, notes, permutations)
    true = [record for record in records if record["permutation"] is None]
    write_predictions(settings, rows, true, models, run)
    null = null_of_run(settings, rows, records, folds, models, task)
    if null:
        write_json(run / "null.json", null)
    write_json(run / "sources.json", sources(settings, rows))
    for name, there in (("importance.json", bool(groups)), ("null.json", bool(null))):
        if not there:
            (run / name).unlink(missing_ok=True)  # of an earlier run
    result = verdict(audit(run))
    return TableResult(run, write_report(run), result, notes)


def _check_names(settings: Table, models: Sequence[str]) -> None:
    own = {settings.target, *(settings.raters or ())}
    if taken := sorted(own & {*models, MEDIAN, *COLUMNS}):
        raise UserError(
            f'column "{taken[0]}": its name is that of a model or of a column of scores.tsv; rename'
            " it"
        )
    if len(set(models)) < len(models):
        raise UserError(f"models: {', '.join(models)}; name each once")
