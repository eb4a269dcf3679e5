"""A run: every fold of every task, resumable, to `predictions.csv`, `metrics.json` and `report.html`."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import yaml
from tqdm import tqdm

from semiology.audit.sources import write_sources
from semiology.errors import UserError
from semiology.evaluation.baseline import LINEAR, linear_null
from semiology.evaluation.fold import fold_key, is_saved, read_record, run_fold, train_final
from semiology.evaluation.protocol import Protocol
from semiology.evaluation.source import open_source, with_clips
from semiology.evaluation.splits import TEST, Part, deal
from semiology.evaluation.tables import null_distribution, predictions_table
from semiology.evaluation.training import calibrators
from semiology.files import atomic_path, write_text
from semiology.learning.data import ClipDataModule
from semiology.learning.saved import load_model, note
from semiology.report import write_report
from semiology.report.model_card import write_cards
from semiology.streams import AGCN


@dataclass(frozen=True)
class Fold:
    """One unit of work: a task without one part of its clips, for one seed, or under one permutation of the labels."""

    task: str
    seed: int
    part: Part
    permutation: int | None = None

    def path(self, run: Path) -> Path:
        under = f"seed-{self.seed}" if self.permutation is None else f"permutation-{self.permutation}"
        return run / "folds" / slug(self.task) / under / f"{self.part.name}.json"

    def kept(self, run: Path) -> Path | None:
        """Where its models are kept; those of permuted labels are not."""
        return run / "kept" / slug(self.task) / f"seed-{self.seed}" / self.part.name if self.permutation is None else None


@dataclass
class LosoResult:
    """Where the run is, and what could not be done: task -> why."""

    run: Path
    report: Path | None = None
    refused: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def run_loso(protocol: Protocol) -> LosoResult:
    """Run a protocol, or what is left of it: folds whose record is there, made from the same data and settings, are not trained again.

    Writes into `protocol.out`: folds/ (a record each), kept/ (their models, if asked for), models/ (trained on everybody, for prediction),
    predictions.csv, null.json (with permutations), cohort.json, not_assessable.json, notes.json, config.yaml, adjacency/, metrics.json,
    report.html.

    A task that cannot be evaluated (fewer than two levels among training participants, say) is refused and the others go on.

    Raises:
        UserError: the cohort or the store cannot be read, or no task at all can be evaluated.
    """
    run = Path(protocol.out)
    result = LosoResult(run)
    tasks = []
    for task in protocol.tasks:
        try:
            _check_task(protocol, task)
            tasks.append(task)
        except UserError as error:
            result.refused[task] = str(error)
    if not tasks:
        raise UserError("no task can be evaluated: " + "; ".join(f"{task}: {why}" for task, why in result.refused.items()))

    folds = list(_folds(protocol, tasks))
    keys = {fold: fold_key(protocol, fold.task, fold.seed, fold.part, fold.permutation) for fold in folds}
    todo = [fold for fold in folds if not _is_done(protocol, fold, run, keys[fold])]
    _work(protocol, run, todo, result, done=len(folds) - len(todo))
    finished = [task for task in tasks if task not in result.failed]
    records = [record for fold in folds if (record := read_record(fold.path(run), keys[fold])) and fold.task in finished]
    if not finished:
        return result

    predictions = predictions_table(protocol, [record for record in records if record["permutation"] is None])
    with atomic_path(run / "predictions.csv") as temporary:
        predictions.to_csv(temporary, index=False)
    _write_json(run / "notes.json", _notes(protocol, finished, result))
    _write_json(run / "cohort.json", _cohort(protocol, finished))
    _write_json(run / "not_assessable.json", _not_assessable(protocol, finished))
    write_text(run / "config.yaml", yaml.safe_dump(_plain(asdict(protocol)), sort_keys=False, allow_unicode=True))
    if null := _null(protocol, finished, records):
        _write_json(run / "null.json", null)
    if protocol.final:
        for task in finished:
            write_adjacency(protocol, task, run)
            _calibrate_final(protocol, task, [record for record in records if record["task"] == task], run)
    clip_ids = sorted(set(predictions["clip_id"]))
    write_sources(protocol.cohort, protocol.store, clip_ids, run / "sources.json")
    result.report = write_report(run)
    write_cards(run)
    return result


def slug(name: str) -> str:
    """A name fit for a folder: "dystonia (pose)" -> "dystonia-pose"."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")


def _folds(protocol: Protocol, tasks: list[str]) -> Iterator[Fold]:
    for task in tasks:
        for seed in protocol.seeds:
            yield from (Fold(task, seed, part) for part in _parts(protocol, task, seed))
        for permutation in range(protocol.permutations):
            yield from (Fold(task, protocol.seeds[0], part, permutation) for part in _parts(protocol, task, protocol.seeds[0]))


def _parts(protocol: Protocol, task: str, seed: int) -> list[Part]:
    source = open_source(protocol.cohort, protocol.store, protocol.tasks[task].reading)
    return deal(protocol.split, source.clips, protocol.cohort, seed)


def _is_done(protocol: Protocol, fold: Fold, run: Path, key: str) -> bool:
    if read_record(fold.path(run), key) is None:
        return False
    kept = fold.kept(run)
    return kept is None or not protocol.keep or is_saved(kept, protocol.models_of(fold.task), key)


def _check_task(protocol: Protocol, task: str) -> None:
    """Build every fold's split once, before anything is trained."""
    source = open_source(protocol.cohort, protocol.store, protocol.tasks[task].reading)
    for part in _parts(protocol, task, protocol.seeds[0]):
        ClipDataModule(source, None, protocol.validation, seed=protocol.seeds[0], held_out_clips=[*part.held_out, *part.unused])
    for model in protocol.models_of(task).values():
        model.network(source.shape)


def _work(protocol: Protocol, run: Path, todo: list[Fold], result: LosoResult, done: int) -> None:
    """Train folds, then the final models; a fold that fails marks its task and the others go on."""
    final = [task for task in protocol.tasks if protocol.final and task not in result.refused and not _final_is_there(protocol, task, run)]
    calls = []
    for fold in todo:
        kept = fold.kept(run) if protocol.keep else None
        arguments = (protocol, fold.task, fold.seed, fold.part, fold.permutation, fold.path(run), kept)
        calls.append(joblib.delayed(_try)(run_fold, fold.task, *arguments))
    calls += [joblib.delayed(_try)(train_final, task, protocol, task, run / "models" / slug(task)) for task in final]
    parallel = joblib.Parallel(n_jobs=protocol.jobs, return_as="generator_unordered")
    with tqdm(total=len(calls) + done, initial=done, desc="folds", unit="fold") as bar:
        for task, why in parallel(calls):
            if why:
                result.failed[task] = why
            bar.update()


def _try(work: Any, task: str, *arguments: Any) -> tuple[str, str | None]:
    try:
        work(*arguments)
    except UserError as error:
        return task, str(error)
    return task, None


def _final_is_there(protocol: Protocol, task: str, run: Path) -> bool:
    key = fold_key(protocol, task, protocol.seeds[0], None, None)
    return is_saved(run / "models" / slug(task), protocol.models_of(task), key)


def _null(protocol: Protocol, tasks: list[str], records: list[dict[str, Any]]) -> dict[str, Any]:
    """task -> model -> metric -> its values under exchanged labels: of the linear model always often."""
    null = null_distribution(protocol, [record for record in records if record["permutation"] is not None])
    if protocol.baseline:
        for task in tasks:
            source = open_source(protocol.cohort, protocol.store, protocol.tasks[task].reading)
            test = set(protocol.split.test or ())
            development = with_clips(source, [clip for clip in source.clips if clip.participant_id not in test])
            null.setdefault(task, {})[LINEAR] = linear_null(development)
    return null


def _calibrate_final(protocol: Protocol, task: str, records: list[dict[str, Any]], run: Path) -> None:
    """Calibrate the models trained on everybody by what the folds' models said of participants they had not seen."""
    own = [record for record in records if record["permutation"] is None and record["seed"] == protocol.seeds[0]]
    rows = [row for record in own if record["split"] != TEST for row in record["predictions"]]
    for name, calibrator in calibrators(protocol, task, rows).items():
        note(run / "models" / slug(task) / name, calibration=asdict(calibrator))


def write_adjacency(protocol: Protocol, task: str, run: Path) -> None:
    """The graphs that the final models learned, with the mean pose to draw them on, for the report."""
    source = open_source(protocol.cohort, protocol.store, protocol.tasks[task].reading)
    layout = np.nanmean(np.concatenate([clip.joints for clip in source.clips]), axis=0)[:, :2]
    for name in protocol.models_of(task):
        network = load_model(run / "models" / slug(task) / name).network
        if not isinstance(network, AGCN):
            continue
        fixed, learned = (graph.mean(dim=0).numpy() for graph in network.graphs())  # mean over blocks
        with atomic_path(run / "adjacency" / f"{task}-{name}.npz") as temporary:
            np.savez(temporary, A=fixed, B=learned, joints=source.reading.graph.names, edges=source.reading.graph.edge_index, layout=layout)


def _notes(protocol: Protocol, tasks: list[str], result: LosoResult) -> list[str]:
    notes = []
    description = Path(protocol.cohort) / "dataset_description.json"  # BIDS
    if description.exists():
        said = json.loads(description.read_text(encoding="utf-8")).get("Acknowledgements", "")
        notes += [said] if str(said).lower().startswith("synthetic") else []
    for task in tasks:
        source = open_source(protocol.cohort, protocol.store, protocol.tasks[task].reading)
        notes += [f"{task}: left out {reason}" for reason in source.left_out]
        notes += [f"{task}: {clip.clip_id} is not assessable: {clip.reason}" for clip in source.not_assessable]
    notes += [f"{task}: not evaluated: {why}" for task, why in {**result.refused, **result.failed}.items()]
    return notes


def _not_assessable(protocol: Protocol, tasks: list[str]) -> dict[str, list[dict[str, str]]]:
    table = {}
    for task in tasks:
        source = open_source(protocol.cohort, protocol.store, protocol.tasks[task].reading)
        table[task] = [asdict(clip) for clip in source.not_assessable]
    return table


def _cohort(protocol: Protocol, tasks: list[str]) -> dict[str, Any]:
    table = {}
    for task in tasks:
        source = open_source(protocol.cohort, protocol.store, protocol.tasks[task].reading)
        counts = np.bincount([clip.target for clip in source.clips], minlength=len(source.levels))
        table[task] = {
            "participants": len(source.participants),
            "clips": len(source.clips),
            **{f"clips {level}": int(count) for level, count in zip(source.levels, counts)},
        }
    return table


def _write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=1) + "\n")


def _plain(value: Any) -> Any:
    """Tuples as lists, so that YAML needs no tags."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
