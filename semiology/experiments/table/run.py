"""A run on a table: every fold of every model, to the files of a run as `semiology loso` writes
them. Ratings and numbers have scores.tsv in place of predictions.csv.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from semiology.errors import UserError
from semiology.evaluation.agreement.chance import Null
from semiology.evaluation.audit import audit, verdict
from semiology.evaluation.report import write_report
from semiology.evaluation.run.scores import COLUMNS
from semiology.experiments.table.folds import Work, split_all, task_name
from semiology.experiments.table.importance import feature_groups, write_importance
from semiology.experiments.table.models import MODELS, search
from semiology.experiments.table.nulls import null_of_run
from semiology.experiments.table.outputs import (
    notes_of,
    write_predictions,
    write_settings,
    write_sources,
)
from semiology.experiments.table.reading import read_rows
from semiology.experiments.table.records import clear, fold_records
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
        UserError: as `read_rows`; no such model; folds that cannot be made; several targets of
            which one is no class.
    """
    run = Path(settings.out)
    works = _works(settings)
    begin_folder(run)
    clear(works, run)
    records = [fold_records(work) for work in works]
    permutations = min(len({one["permutation"] for one in own} - {None}) for own in records)
    if works[0].groups:
        write_importance(works, run)
    notes = list(dict.fromkeys(note for work in works for note in notes_of(work, permutations)))
    write_settings(settings, works, notes, permutations)
    true = [[one for one in own if one["permutation"] is None] for own in records]
    write_predictions(works, true)
    null: Null = {}
    for work, own in zip(works, records):
        null |= null_of_run(work, [one for one in own if (one["permutation"] or 0) < permutations])
    if null:
        write_json(run / "null.json", null)
    write_sources(works)
    for name, there in (("importance.json", bool(works[0].groups)), ("null.json", bool(null))):
        if not there:
            (run / name).unlink(missing_ok=True)  # of an earlier run
    result = verdict(audit(run))
    return TableResult(run, write_report(run), result, notes)


def _works(settings: Table) -> list[Work]:
    """One for each target, all of the same people in the same folds."""
    each = settings.each()
    rows = [read_rows(one) for one in each]
    for one, own in zip(each, rows):
        if len(each) > 1 and own.task != "classes":
            raise UserError(
                f"target: {one.target} is a {own.task}, and several targets at once are classes;"
                " run it alone, or name --task classes"
            )
    models = settings.models or list(MODELS[rows[0].task])
    if settings.calibrates and rows[0].task != "classes":
        raise UserError(
            f"calibration and coverage: of classes; {settings.target} is a {rows[0].task}"
        )
    for one in each:
        _check_names(one, models)
    for name in models:
        search(rows[0], name, len(rows[0].ids), settings.inner, settings.seed)
    return [
        Work(one, own, models, folds, Path(settings.out), task_name(one), feature_groups(one, own))
        for one, own, folds in zip(each, rows, split_all(each, rows))
    ]


def _check_names(settings: Table, models: Sequence[str]) -> None:
    own = {settings.target, *(settings.raters or ())}
    if taken := sorted(own & {*models, MEDIAN, *COLUMNS}):
        raise UserError(
            f'column "{taken[0]}": its name is that of a model or of a column of scores.tsv; rename'
            " it"
        )
    if len(set(models)) < len(models):
        raise UserError(f"models: {', '.join(models)}; name each once")
