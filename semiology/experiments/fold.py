"""One fold: fresh networks, data and trainer; everything that is fitted sees training participants
only. Its record is a small JSON file.
"""

import hashlib
import json
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from semiology.errors import UserError
from semiology.evaluation.run.records import Record, read_record, with_calibration
from semiology.evaluation.run.settings import Model, Protocol
from semiology.evaluation.run.tasks import TEST
from semiology.evaluation.statistics.calibration import Calibrator
from semiology.experiments.baseline import LINEAR, linear_fold
from semiology.experiments.clips import clips_digest, task_source
from semiology.experiments.estimators import tables_digest
from semiology.experiments.splits import Part
from semiology.experiments.training import (
    Trained,
    TrainingSet,
    calibrators,
    inner_rows,
    of_label,
    scored,
    selected,
    train_models,
)
from semiology.files import slug, write_json
from semiology.models.training.clips import ClipSource
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.encoder import read_card
from semiology.models.training.reading import Reading
from semiology.models.training.saved import SavedModel

WORK = "work"  # folder of a run, for models whose fold is not complete
SCHEMA = 4  # raise when the same config would give other predictions
SINCE = {
    "segments": (0, None),
    "gamma": (4.0, None),
    "window": (None,),
    "augmentation": (None,),
    "encoder": (None,),
    "freeze": (False,),
    "warm": (None,),
}  # settings younger than SCHEMA, with the values that change nothing


def fold_key(
    protocol: Protocol, task: str, seed: int, part: Part | None, permutation: int | None
) -> str:
    """Hash of everything that the fold's predictions depend on: data, reading, models, training,
    seed, who is held out.
    """
    task = protocol.config_task(task)
    source = task_source(protocol, task)
    content = {
        "schema": SCHEMA,
        "clips": clips_digest(source),
        "reading": key_settings(source.reading),
        "skeleton": asdict(source.reading.graph),
        "models": {name: key_settings(model) for name, model in protocol.models_of(task).items()},
        "training": [
            protocol.validation,
            protocol.batch_size,
            protocol.repeats,
            asdict(protocol.augmentation),
        ],
        "inner": [
            asdict(protocol.calibration),
            protocol.calibrated_models(task),
            protocol.selections_of(task),
            *([weighted] if (weighted := protocol.weighted_models(task)) else []),
        ],
        # a younger column in the unseen set's fold
        "baseline": "unseen"
        if protocol.baseline and part and part.name == TEST
        else protocol.baseline,
        "fold": [seed, asdict(part) if part else None, permutation],
    }
    if tables := tables_digest(protocol.models_of(task)):
        content["tables"] = tables
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def key_settings(chosen: Reading | Model) -> dict[str, Any]:
    """All settings, less younger ones that are left as they were: a run from before they were there
    keeps its folds.
    """
    settings = asdict(chosen)
    if settings.get("encoder"):  # by its content: it may be moved
        settings["encoder"] = read_card(settings["encoder"])["sha256"]
    return {name: value for name, value in settings.items() if value not in SINCE.get(name, ())}


@dataclass(frozen=True)
class Fold:
    """One unit of work: a task without one part of its clips, for one seed, or under one
    permutation of the labels.
    """

    task: str
    seed: int
    part: Part
    permutation: int | None = None

    def by_label(self, protocol: Protocol) -> list["Fold"]:
        """The same fold of each of the task's labels, which has a record of its own."""
        return [replace(self, task=name) for name in protocol.label_tasks(self.task)]

    def path(self, run: Path) -> Path:
        """Where the fold's record is, in the folder of a run."""
        under = (
            f"seed-{self.seed}" if self.permutation is None else f"permutation-{self.permutation}"
        )
        return run / "folds" / slug(self.task) / under / f"{self.part.name}.json"

    def kept(self, run: Path) -> Path | None:
        """Where its models are kept; those of permuted labels are not."""
        return (
            run / "kept" / slug(self.task) / f"seed-{self.seed}" / self.part.name
            if self.permutation is None
            else None
        )

    def work(self, protocol: Protocol, run: Path) -> Path:
        """Where its trained models, and those of its inner folds, are until its record is
        written.
        """
        key = fold_key(protocol, self.task, self.seed, self.part, self.permutation)
        return work_folder(run, key)

    def training(self, protocol: Protocol) -> TrainingSet:
        """What its models are trained on: the task's clips without the unused ones, under the
        permutation's labels if it has one.
        """
        source = task_source(protocol, self.task, self.permutation)
        taking_part = source.with_clips(
            clip for clip in source.clips if clip.clip_id not in self.part.unused
        )
        return TrainingSet(taking_part, self.seed, self.part.held_out, self.part.name)


def work_folder(run: Path, key: str) -> Path:
    """Where models are kept from when they are trained to when what they are trained for is
    complete; the key stands for all that they depend on, so that no others are taken up.
    """
    return run / WORK / key


def run_fold(protocol: Protocol, fold: Fold, run: Path) -> None:
    """Train every model of a task without the fold's clips, score these, and write the fold's
    record. What an earlier call trained before it was stopped is not trained again.

    Args:
        protocol: of the run.
        fold: which.
        run: folder of the run.
    """
    began = time.monotonic()
    work = fold.work(protocol, run)
    training = replace(fold.training(protocol), work=work)
    trained = train_models(protocol, fold.task, training)
    inner, seconds = inner_rows(protocol, fold.task, training), time.monotonic() - began
    for own, label in zip(fold.by_label(protocol), protocol.label_tasks(fold.task).values()):
        models, clips = of_label(trained, label), training.of_label(label)
        write_record(protocol, own, clips, models, inner[own.task], run, seconds)
    shutil.rmtree(work, ignore_errors=True)


def write_record(
    protocol: Protocol,
    fold: Fold,
    training: TrainingSet,
    trained: Trained,
    inner: list[dict[str, Any]],
    run: Path,
    seconds: float,
) -> None:
    """Score a fold's held-out clips by its trained models, and write what the run needs of it, and
    the models if they are kept.

    Args:
        protocol: of the run.
        fold: which.
        training: what its models were trained on.
        trained: these.
        inner: out-of-fold rows of its training clips.
        run: folder of the run.
        seconds: that training took.
    """
    task, part, key = (
        fold.task,
        fold.part,
        fold_key(protocol, fold.task, fold.seed, fold.part, fold.permutation),
    )
    fitted, chosen = calibrators(protocol, task, inner), selected(protocol, task, inner)
    rows = with_calibration(scored(trained), fitted)
    if baseline := protocol.baseline and fold.permutation is None:
        linear_rows, taught = linear_fold(training.source, part.held_out)
        rows += linear_rows
    for name, model in chosen.items():
        rows += [{**row, "model": name} for row in rows if row["model"] == model]
    kept = fold.kept(run) if protocol.keep else None
    for name, (_, data) in trained.items():
        selections, weighted = protocol.selections_of(task), protocol.weighted_models(task)
        note_inner(data, training.source, name, inner, fitted, selections, weighted)
        if kept:
            save(protocol, task, trained, name, fold.seed, key, kept / name)
    source = task_source(protocol, task, fold.permutation)
    whole = task_source(protocol, protocol.config_task(task), fold.permutation)
    own = {clip.clip_id for clip in source.clips}
    seen = {clip for _, data in trained.values() for of in data.seen.values() for clip in of}
    held = {clip.clip_id for clip in source.clips if clip.clip_id in part.held_out}
    record: Record = {
        "key": key,
        "task": task,
        "seed": fold.seed,
        "permutation": fold.permutation,
        "split": TEST if part.name == TEST else protocol.split_of(task).by,
        "fold": part.name,
        "held_out": sorted({clip.participant_id for clip in source.clips if clip.clip_id in held}),
        "held_out_clips": sorted(held),
        "clips": {
            clip.clip_id: clip.participant_id
            for clip in whole.clips
            if clip.clip_id in own or clip.clip_id in seen
        },
        "levels": source.levels,
        "models": {
            name: {
                "teacher": protocol.models[name].teacher,
                "seen": data.seen,
                "epochs": module.epochs,
                "precision": module.precision,
                "seconds": round(module.seconds, 2),
                "calibration": asdict(fitted[name]) if name in fitted else None,
            }
            for name, (module, data) in trained.items()
        }
        | (
            {LINEAR: {"teacher": None, "seen": taught, "epochs": 0, "calibration": None}}
            if baseline
            else {}
        ),
        "inner": inner,
        "selected": chosen,
        "predictions": rows,
        "seconds": round(seconds, 2),
    }
    if others := sorted(record["clips"].keys() - own):
        record["unscored"] = others  # seen, as they were scored for another label of the network
    write_json(fold.path(run), record, indent=None, checksummed=True)


def note_inner(
    data: ClipDataModule,
    training: ClipSource,
    name: str,
    inner: list[dict[str, Any]],
    fitted: dict[str, Calibrator],
    selections: dict[str, tuple[str, ...]],
    weighted: list[str],
) -> None:
    """Note on which clips a model's calibration and its weight in a fusion were fitted, and on
    which it was compared with others.
    """
    used = {row["clip_id"] for row in inner if row["model"] == name}
    clips = [clip for clip in training.clips if clip.clip_id in used]
    if name in fitted:
        data.note("calibration", clips)
    if any(name in among for among in selections.values()):
        data.note("selection", clips)
    if name in weighted:
        data.note("fusion", clips)


def train_final(protocol: Protocol, task: str, run: Path) -> None:
    """Train the task's models on all participants and save each under RUN/models/<task>/<model>;
    nothing is measured on them.
    """
    seed = protocol.seeds[0]
    key = fold_key(protocol, task, seed, None, None)
    work = work_folder(run, key)
    everybody = TrainingSet(task_source(protocol, task), seed, (), "everybody", work)
    trained = train_models(protocol, task, everybody)
    for own, label in protocol.label_tasks(task).items():
        models = of_label(trained, label)
        for name in models:
            save(protocol, own, models, name, seed, key, run / "models" / slug(own) / name)
    shutil.rmtree(work, ignore_errors=True)


def save(
    protocol: Protocol, task: str, trained: Trained, name: str, seed: int, key: str, folder: Path
) -> None:
    """Save one trained model with what a reader of it must know."""
    module, data = trained[name]
    source, read = data.source, task_source(protocol, protocol.config_task(task))
    about = {
        "task": task,
        "label": source.reading.label,
        "key": key,
        "training": sorted({clip.participant_id for clip in data.training}),
        "validation": sorted({clip.participant_id for clip in data.validation}),
        "seed": seed,
        "seconds": source.window_seconds,
        "trackers": sorted(read.trackers),
        "snippet_networks": sorted(read.snippet_networks),
    }
    SavedModel(
        module.network,
        protocol.models[name].network,
        source.reading,
        source.levels,
        data.shape,
        about,
    ).save(folder)


def finished_record(path: Path, key: str, source: ClipSource) -> Record | None:
    """The record of a fold if it is there, made with this key and from these names; else None, and
    the fold is to be trained.

    The names of classes and recordings change nothing in a model, but stand in the record.
    """
    try:
        record = read_record(path)
        rows = {row["clip_id"]: row["recording_id"] for row in record["predictions"]}
        names = (record["levels"], rows)
    except (UserError, KeyError, TypeError):
        return None
    recordings = {clip.clip_id: clip.recording_id for clip in source.clips if clip.clip_id in rows}
    return record if record.get("key") == key and names == (source.levels, recordings) else None
