"""Folds and inner folds of a task, training its models on some clips, and what is fitted on inner
folds.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from semiology.evaluation.run.records import calibrator_of
from semiology.evaluation.run.settings import Model, Protocol
from semiology.evaluation.statistics.calibration import Calibrator
from semiology.experiments.clips import task_source
from semiology.experiments.estimators import solve, with_measures
from semiology.experiments.splits import Part, split_clips, split_groups
from semiology.models.training.clips import ClipSource
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.encoder import Start, start_network
from semiology.models.training.modules import DistillationModule, StreamModule
from semiology.models.training.saved import one_head
from semiology.models.training.trainer import EPOCHS, fit, keep, score, take_up

Trained = dict[str, tuple[StreamModule, ClipDataModule]]


@dataclass(frozen=True)
class TrainingSet:
    """What the models of one fold, or inner fold, are trained on: all clips of `source` but those
    held out.

    Attributes:
        source: clips.
        seed: of weights, windows and inner splits.
        held_out: clip_ids.
        name: the fold's; makes its random numbers.
        work: folder in which each model is kept as soon as it is trained, and from which it is
            taken if it is there; None keeps none.
    """

    source: ClipSource
    seed: int
    held_out: tuple[str, ...]
    name: str
    work: Path | None = None

    def of_label(self, label: str) -> "TrainingSet":
        """Of its clips those that were scored for one of several labels."""
        if len(self.source.labels) == 1:
            return self
        return replace(self, source=self.source.of_label(label))

    def inner(self, protocol: Protocol) -> dict[str, "TrainingSet"]:
        """Inner fold -> its set: some of this set's own training participants are held out."""
        training = self.source.with_clips(
            clip for clip in self.source.clips if clip.clip_id not in self.held_out
        )
        inner = inner_folds(protocol, training, self.seed)
        return {
            fold: TrainingSet(
                training, self.seed, held_out, f"{self.name}/{fold}", self.work and self.work / fold
            )
            for fold, held_out in inner.items()
        }


def task_parts(
    protocol: Protocol, task: str, seed: int, permutation: int | None = None
) -> list[Part]:
    """The folds of a task. Under permuted labels the folds are split by these labels, as classes
    are spread evenly over folds.
    """
    return split_clips(
        protocol.split_of(task),
        task_source(protocol, task, permutation).clips,
        protocol.cohort,
        seed,
    )


def check_parts(
    protocol: Protocol, task: str, seed: int, parts: list[Part], permutation: int | None = None
) -> None:
    """Build the split of every fold, and of every inner fold, without training anything.

    Raises:
        UserError: the training clips of some fold have one class only.
    """
    source = task_source(protocol, task, permutation)
    for part in parts:
        aside = {*part.held_out, *part.unused}
        ClipDataModule(source, None, protocol.validation, seed=seed, held_out_clips=sorted(aside))
        if protocol.inner_models(task):
            training = source.with_clips(clip for clip in source.clips if clip.clip_id not in aside)
            for held_out in inner_folds(protocol, training, seed).values():
                ClipDataModule(
                    training, None, protocol.validation, seed=seed, held_out_clips=list(held_out)
                )


def inner_folds(protocol: Protocol, training: ClipSource, seed: int) -> dict[str, tuple[str, ...]]:
    """Whole training participants split into inner folds: fold -> held-out clip_ids."""
    people = [clip.participant_id for clip in training.clips]
    return split_groups(
        training.clips, people, min(protocol.calibration.folds, len(set(people))), seed
    )


def train_models(
    protocol: Protocol, task: str, training: TrainingSet, only: Iterable[str] | None = None
) -> Trained:
    """Train the task's models on this set, those first that others learn or start from.

    The same participants train, and the same stop early, for all models. `only` trains some models
    and those that they need.
    """
    trained: Trained = {}
    for name, model in protocol.models_of(task, only).items():
        data = data_of(protocol, model, training)
        module = untrained(model, trained[model.teacher][0] if model.teacher else None)
        if model.warm:
            source, own = trained[model.warm]
            module.initial = source.network.state_dict()
            for fitted, clip_ids in own.seen.items():  # they are in its weights, too
                data.seen[fitted] = sorted({*data.seen.get(fitted, []), *clip_ids})
        seed = zlib.crc32(f"{training.seed}/{name}/{training.name}".encode()) % 2**31
        kept = training.work and training.work / f"{name}.safetensors"
        if kept is None or not take_up(module, data, kept):
            if model.network.length:
                solve(module, data, seed)
            else:
                fit(module, data, model.schedule, seed, kept and kept.with_suffix(EPOCHS))
            if kept is not None and not module.by_label:  # one file holds one network
                keep(module, data, kept)
        trained[name] = module, data
    return trained


def start_of(model: Model) -> Start | None:
    """The pretrained encoder that a model starts from."""
    return Start(model.encoder, model.freeze) if model.encoder else None


def check_model(model: Model, source: ClipSource) -> None:
    """Build a model's network for clips, as its folds will, without training it.

    Raises:
        UserError: options that it cannot have, an encoder that does not fit network or reading, a
            head that several labels cannot share.
    """
    own = source.with_clips(source.clips, model.read(source.reading))
    network = model.network(own.shape)
    one_head(network, model.network, own.shape, own.classes, 0)
    if start := start_of(model):
        start_network(network, start, own.reading, model.network)


def untrained(model: Model, teacher: StreamModule | None = None) -> StreamModule:
    """A fresh module for a model, with its teacher if it has one."""
    common = (model.learning_rate, model.weight_decay, model.balance, model.label_smoothing)
    start = start_of(model)
    if teacher is None:
        return StreamModule(model.network, *common, start)
    how = model.distillation
    weights = (how.temperature, how.label_weight, how.teacher_weight, how.feature_weight)
    return DistillationModule(model.network, teacher.network, *weights, *common, start)


def data_of(protocol: Protocol, model: Model, training: TrainingSet) -> ClipDataModule:
    """The clips of a set as a model reads them: training, early stopping and held out."""
    source = training.source
    own = source.with_clips(with_measures(source.clips, model), model.read(source.reading))
    validation = 0.0 if model.network.length else protocol.validation  # nothing stops early
    augmentation = model.augmentation or protocol.augmentation
    windows = (validation, protocol.batch_size, protocol.repeats, augmentation)
    return ClipDataModule(own, None, *windows, training.seed, list(training.held_out))


def count_trainings(protocol: Protocol, task: str) -> int:
    """Models that a fold of the task trains, inner folds included."""
    people = len(task_source(protocol, task).participants) - 1
    inner = protocol.inner_models(task)
    folds = min(protocol.calibration.folds, people) if inner else 0
    return len(protocol.models_of(task)) + folds * len(protocol.models_of(task, inner))


def scored(trained: Trained, only: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """One row a model and held-out clip: model, clip_id, recording_id, truth (index of the level),
    probabilities.
    """
    rows = []
    for name, (module, data) in trained.items():
        if only is not None and name not in only:
            continue
        clip_ids, probabilities = score(module, data)
        for clip, clip_id, levels in zip(data.held_out, clip_ids, probabilities):
            row = {
                "model": name,
                "clip_id": clip_id,
                "recording_id": clip.recording_id,
                "truth": clip.target,
            }
            rows.append({**row, "probabilities": levels.round(6).tolist()})
    return rows


def inner_rows(
    protocol: Protocol, task: str, training: TrainingSet
) -> dict[str, list[dict[str, Any]]]:
    """Out-of-fold probabilities of the set's training clips, from its inner folds, for each label:
    name of its task -> rows. Empty where the protocol fits nothing on them.
    """
    only, labels = protocol.inner_models(task), protocol.label_tasks(task)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in labels}
    for fold, inner in training.inner(protocol).items() if only else ():
        trained = train_models(protocol, task, inner, only)
        for name, label in labels.items():
            own = scored(of_label(trained, label), only)
            rows[name] += [{**row, "fold": fold} for row in own]
    return rows


def of_label(trained: Trained, label: str) -> Trained:
    """The trained models with the head of one label, and the clips that were scored for it."""
    return {name: module.of_label(data, label) for name, (module, data) in trained.items()}


def calibrators(protocol: Protocol, task: str, rows: list[dict[str, Any]]) -> dict[str, Calibrator]:
    """Model -> its calibration, fitted on out-of-fold rows: of inner folds for a fold's models, of
    the folds for the final models.
    """
    settings = protocol.calibration
    return {
        name: calibrator_of(rows, name, settings.method, settings.coverage)
        for name in protocol.calibrated_models(task)
    }


def selected(protocol: Protocol, task: str, rows: list[dict[str, Any]]) -> dict[str, str]:
    """Selection -> the model of lowest log loss over inner rows."""
    losses: dict[str, list[float]] = {}
    for row in rows:
        losses.setdefault(row["model"], []).append(
            -float(np.log(max(row["probabilities"][row["truth"]], 1e-4)))
        )
    return {
        name: min(among, key=lambda model: float(np.mean(losses[model])))
        for name, among in protocol.selections_of(task).items()
    }
