"""A run: every fold of every task, resumable, to `predictions.csv`, `metrics.json` and
`report.html`.
"""

import shutil
import sys
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import joblib

from semiology.data.cohort.table import by_cell, to_cell
from semiology.data.gestures import import_gestures
from semiology.errors import UserError
from semiology.evaluation.audit import audit, verdict, write_sources
from semiology.evaluation.report import write_report
from semiology.evaluation.report.tripod import write_cards
from semiology.evaluation.run.settings import Protocol
from semiology.experiments.clips import begin_run, brought_along, no_task, task_source
from semiology.experiments.estimators import with_measures
from semiology.experiments.fold import (
    WORK,
    Fold,
    finished_record,
    fold_key,
    run_fold,
    train_final,
    work_folder,
)
from semiology.experiments.outputs import predictions_table, write_beside
from semiology.experiments.progress import RunProgress, work_done
from semiology.experiments.splits import with_people
from semiology.experiments.training import check_model, check_parts, count_trainings, task_parts
from semiology.files import atomic_path, begin_folder, slug
from semiology.models.training.encoder import encoder_facts
from semiology.models.training.saved import is_saved
from semiology.parallel import run_parallel


@dataclass
class LosoResult:
    """A run's folder and report, the verdict of its audit, and the tasks that were refused or that
    failed: task -> why.
    """

    run: Path
    report: Path | None = None
    audit: str = ""
    refused: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What a run will train: checked, and nothing trained yet.

    Attributes:
        protocol: with participants of test sets by name, and on a cohort that can be read.
        tasks: that can be evaluated.
        refused: task -> why not.
        keys: every fold -> its `fold_key`.
        todo: folds without a finished record.
        untrainable: task -> how many of its permutations are left out, and why.
    """

    protocol: Protocol
    tasks: list[str]
    refused: dict[str, str]
    keys: dict[Fold, str]
    todo: list[Fold]
    untrainable: dict[str, str]

    @property
    def final(self) -> list[str]:
        """Tasks whose final models are still to be trained."""
        run = Path(self.protocol.out)
        return [
            task
            for task in self.tasks
            if self.protocol.final and not _final_is_there(self.protocol, task, run)
        ]


def plan_run(protocol: Protocol) -> Plan:
    """Read the clips, check every task and list the folds, and which of them are done.

    Raises:
        UserError: as `run_loso`.
    """
    protocol = with_test_people(imported(protocol))
    run, tasks = Path(protocol.out), []
    refused: dict[str, str] = {}
    for task in protocol.tasks:
        try:
            _check_task(protocol, task)
            tasks.append(task)
        except UserError as error:
            refused[task] = str(error)
    if not tasks:
        raise no_task(refused)
    folds, untrainable = _folds(protocol, tasks)
    keys = {
        fold: fold_key(protocol, fold.task, fold.seed, fold.part, fold.permutation)
        for fold in folds
    }
    todo = [fold for fold in folds if not _is_done(protocol, fold, run, keys[fold])]
    return Plan(protocol, tasks, refused, keys, todo, untrainable)


def run_loso(protocol: Protocol) -> LosoResult:
    """Run a protocol, or what is left of it: folds whose record is there, made from the same data
    and settings, are not trained again.

    Writes into `protocol.out`: folds/ (a record each), kept/ (their models, with `keep`), models/
    (trained on all participants, for prediction), predictions.csv, what lies beside it (see
    `write_beside`),
    sources.json and audit.json, metrics.json, report.html.

    Where `cohort` is the public feature set of GESTURES as it was unpacked, a cohort and its store
    are made of it in RUN/cohort first.

    A task that cannot be evaluated (with fewer than two classes among training participants, for
    example) is refused and the others go on.

    Raises:
        UserError: the cohort or the store cannot be read, or no task at all can be evaluated.
    """
    word = uuid.uuid4().hex
    begin_run(word)
    plan = plan_run(protocol)
    protocol, tasks, keys = plan.protocol, plan.tasks, plan.keys
    run = Path(protocol.out)
    result = LosoResult(run, refused=plan.refused)
    begin_folder(run)
    try:
        _work(plan, run, result, word)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_kept(protocol, keys, run)) from None
    finished = [task for task in tasks if task not in result.failed]
    if not finished:
        return result
    print("writing predictions, audit and report", file=sys.stderr, flush=True)
    of_label = {own: keys[fold] for fold in keys for own in fold.by_label(protocol)}
    records = [
        _record(protocol, fold, run, key)
        for fold, key in of_label.items()
        if protocol.config_task(fold.task) in finished
    ]
    rows = [name for task in finished for name in protocol.label_tasks(task)]

    predictions = predictions_table(
        protocol, [record for record in records if record["permutation"] is None]
    )
    with atomic_path(run / "predictions.csv") as temporary:
        by_cell(predictions, to_cell).to_csv(temporary, index=False)
    _forget_others(protocol, rows, list(of_label), run)
    if not result.failed:
        shutil.rmtree(run / WORK, ignore_errors=True)
    missing = {
        task: f"not evaluated: {why}" for task, why in {**result.refused, **result.failed}.items()
    }
    write_beside(protocol, rows, records, {**missing, **plan.untrainable}, run)
    write_sources(
        protocol.cohort,
        protocol.store,
        sorted({clip_id for record in records for clip_id in record["clips"]}),
        run / "sources.json",
        encoder_facts(
            {name: model.encoder for name, model in protocol.models.items() if model.encoder}
        ),
    )
    result.audit = verdict(audit(run))
    result.report = write_report(run)
    write_cards(run)
    return result


def imported(protocol: Protocol) -> Protocol:
    """The protocol on the cohort made of the public feature set, where its cohort is that:
    seizures.csv is there and no clips.tsv.

    Raises:
        UserError: as `import_gestures`; tasks that read snippets of different lengths or rates, of
            which the set has one.
    """
    folder = Path(protocol.cohort)
    if not brought_along(protocol.cohort):
        return protocol
    grids = {(task.reading.window, task.reading.rate) for task in protocol.tasks.values()}
    if len(grids) > 1:
        raise UserError(
            f"{folder}: the public features have one length of snippets and one rate; set window"
            " and rate alike in all tasks"
        )
    window, rate = grids.pop()
    made = Path(protocol.out) / "cohort"
    return replace(
        protocol, cohort=str(made), store=str(import_gestures(folder, made, window, round(rate)))
    )


def with_test_people(protocol: Protocol) -> Protocol:
    """The protocol with the participants of its test sets by name."""
    tasks = {
        name: replace(task, split=task.split and with_people(task.split, protocol.cohort))
        for name, task in protocol.tasks.items()
    }
    return replace(protocol, tasks=tasks, split=with_people(protocol.split, protocol.cohort))


def _forget_others(protocol: Protocol, tasks: list[str], folds: list[Fold], run: Path) -> None:
    """Delete the models that this protocol does not make, left by an earlier one."""
    wanted = {fold.kept(run) for fold in folds}
    for task in tasks:
        names, key = (
            protocol.models_of(task),
            fold_key(protocol, task, protocol.seeds[0], None, None),
        )
        wanted |= {
            folder
            for folder in (run / "models" / slug(task)).glob("*")
            if folder.name in names and is_saved(folder.parent, [folder.name], key)
        }
    for folder in {*run.glob("models/*/*"), *run.glob("kept/*/*/*")} - wanted:
        shutil.rmtree(folder)


def _folds(protocol: Protocol, tasks: list[str]) -> tuple[list[Fold], dict[str, str]]:
    """All folds; and task -> how many of its permutations cannot be trained, as in some fold all
    training clips have one class.
    """
    folds: list[Fold] = []
    untrainable: dict[str, str] = {}
    for task in tasks:
        for seed in protocol.seeds:
            folds += [Fold(task, seed, part) for part in task_parts(protocol, task, seed)]
        skipped = 0
        for permutation in range(protocol.permutations):
            parts = task_parts(protocol, task, protocol.seeds[0], permutation)
            try:
                check_parts(protocol, task, protocol.seeds[0], parts, permutation)
            except UserError:
                skipped += 1
                continue
            folds += [Fold(task, protocol.seeds[0], part, permutation) for part in parts]
        if skipped:
            why = (
                f"{skipped} of {protocol.permutations} permutations left out: in some fold all"
                " training clips had one class"
            )
            untrainable |= dict.fromkeys(protocol.label_tasks(task), why)
    return folds, untrainable


def _record(protocol: Protocol, fold: Fold, run: Path, key: str) -> dict[str, Any]:
    record = finished_record(fold.path(run), key, task_source(protocol, fold.task))
    if record is None:
        raise UserError(
            f"{fold.path(run)}: the fold's record is not there any more; run the same command again"
        )
    return record


def _is_done(protocol: Protocol, fold: Fold, run: Path, key: str) -> bool:
    return all(_is_written(protocol, own, run, key) for own in fold.by_label(protocol))


def _is_written(protocol: Protocol, fold: Fold, run: Path, key: str) -> bool:
    if finished_record(fold.path(run), key, task_source(protocol, fold.task)) is None:
        return False
    kept = fold.kept(run)
    return kept is None or not protocol.keep or is_saved(kept, protocol.models_of(fold.task), key)


def _kept(protocol: Protocol, keys: dict[Fold, str], run: Path) -> str:
    """What a stopped run left for the next call, in words: complete folds, and models of others."""
    done = sum(_is_done(protocol, fold, run, key) for fold, key in keys.items())
    final = {fold_key(protocol, fold.task, protocol.seeds[0], None, None) for fold in keys}
    models = sum(work_done(work_folder(run, key))[0] for key in {*keys.values(), *final})
    return f"{done} of {len(keys)} folds are complete, {models} more trained models are kept"


def _check_task(protocol: Protocol, task: str) -> None:
    """Build every fold's split of every seed, inner folds too, before anything is trained."""
    for seed in protocol.seeds:
        check_parts(protocol, task, seed, task_parts(protocol, task, seed))
    source = task_source(protocol, task)
    for model in protocol.models_of(task).values():
        check_model(model, source)
        with_measures(source.clips, model)


def _work(plan: Plan, run: Path, result: LosoResult, word: str) -> None:
    """Train folds, then the final models; a fold that fails marks its task and the others go on."""
    protocol, keys, todo = plan.protocol, plan.keys, plan.todo
    inside = {task: count_trainings(protocol, task) for task in {fold.task for fold in keys}}
    models: dict[str, int] = {}
    calls: list[tuple[Any, ...]] = []  # key, task, and what runs in a worker
    for fold in todo:
        models[keys[fold]] = inside[fold.task]
        calls.append((keys[fold], fold.task, run_fold, protocol, fold, run))
    for task in plan.final:
        key = fold_key(protocol, task, protocol.seeds[0], None, None)
        models[key] = len(protocol.models_of(task))
        calls.append((key, task, train_final, protocol, task, run))
    before = [fold for fold in keys if keys[fold] not in models]
    complete = len(before), sum(inside[fold.task] for fold in before)
    with RunProgress(run / WORK, models, [keys[fold] for fold in todo], complete) as progress:
        for key, task, why in run_parallel(
            [joblib.delayed(_try)(word, *call) for call in calls],
            protocol,
            lost=lambda number, why: (*calls[number][:2], why),
        ):
            if why:
                result.failed[task] = why
            progress.done(key)


def _try(
    word: str, key: str, task: str, function: Any, *arguments: Any
) -> tuple[str, str, str | None]:
    begin_run(word)
    try:
        function(*arguments)
    except UserError as error:
        return key, task, str(error)
    return key, task, None


def _final_is_there(protocol: Protocol, task: str, run: Path) -> bool:
    key = fold_key(protocol, task, protocol.seeds[0], None, None)
    return all(
        is_saved(run / "models" / slug(name), protocol.models_of(task), key)
        for name in protocol.label_tasks(task)
    )
