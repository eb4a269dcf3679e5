"""Folds and inner folds of a task, training its models on some clips, and what is fitted on inner folds."""

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from semiology.evaluation.calibration import Calibrator, fit_calibrator
from semiology.evaluation.protocol import Protocol
from semiology.evaluation.source import task_source, with_clips
from semiology.evaluation.splits import Part, deal, deal_groups
from semiology.learning.clips import ClipSource
from semiology.learning.data import ClipDataModule
from semiology.learning.fitting import fit, score
from semiology.learning.modules import StreamModule

Trained = dict[str, tuple[StreamModule, ClipDataModule]]


def deal_parts(protocol: Protocol, task: str, seed: int, permutation: int | None = None) -> list[Part]:
    """The folds of a task; of permuted labels they are dealt by these, as levels are spread evenly over folds."""
    return deal(protocol.split_of(task), task_source(protocol, task, permutation).clips, protocol.cohort, seed)


def check_parts(protocol: Protocol, task: str, seed: int, parts: list[Part], permutation: int | None = None) -> None:
    """Build the split of every fold, and of every inner fold, without training anything.

    Raises:
        UserError: somewhere the training clips have one level only.
    """
    source = task_source(protocol, task, permutation)
    for part in parts:
        aside = {*part.held_out, *part.unused}
        ClipDataModule(source, None, protocol.validation, seed=seed, held_out_clips=sorted(aside))
        if protocol.inner_models(task):
            training = with_clips(source, [clip for clip in source.clips if clip.clip_id not in aside])
            for held_out in inner_folds(protocol, training, seed).values():
                ClipDataModule(training, None, protocol.validation, seed=seed, held_out_clips=list(held_out))


def inner_folds(protocol: Protocol, training: ClipSource, seed: int) -> dict[str, tuple[str, ...]]:
    """Whole training participants dealt to inner folds."""
    people = [clip.participant_id for clip in training.clips]
    return deal_groups(training.clips, people, min(protocol.calibration.folds, len(set(people))), seed)


def train_models(
    protocol: Protocol, task: str, source: ClipSource, seed: int, held_out: Sequence[str], name: str, only: Iterable[str] | None = None
) -> Trained:
    """Train the task's models, teachers first, on all clips of `source` that are not held out.

    The same participants train, and the same stop early, for all models. `name` is the fold's and makes its random numbers; `only` trains
    some models and their teachers.
    """
    trained: Trained = {}
    for model_name, model in protocol.models_of(task, only).items():
        own = with_clips(source, source.clips, model.read(source.reading))
        data = ClipDataModule(
            own, None, protocol.validation, protocol.batch_size, protocol.repeats, protocol.augmentation, seed, list(held_out)
        )
        module = model.module(trained[model.teacher][0] if model.teacher else None)
        number = zlib.crc32(f"{seed}/{model_name}/{name}".encode()) % 2**31
        trained[model_name] = fit(module, data, model.schedule, number), data
    return trained


def scored(trained: Trained, only: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """One row a model and held-out clip: model, clip_id, recording_id, truth (index of the level), probabilities."""
    rows = []
    for name, (module, data) in trained.items():
        if only is not None and name not in only:
            continue
        clip_ids, probabilities = score(module, data)
        for clip, clip_id, levels in zip(data.held_out, clip_ids, probabilities):
            row = {"model": name, "clip_id": clip_id, "recording_id": clip.recording_id, "truth": clip.target}
            rows.append({**row, "probabilities": levels.round(6).tolist()})
    return rows


def inner_rows(protocol: Protocol, task: str, source: ClipSource, seed: int, name: str) -> list[dict[str, Any]]:
    """Out-of-fold probabilities of training clips: `source` holds no others. Empty where the protocol fits nothing on them."""
    only = protocol.inner_models(task)
    if not only:
        return []
    rows = []
    for number, held_out in inner_folds(protocol, source, seed).items():
        trained = train_models(protocol, task, source, seed, held_out, f"{name}/{number}", only)
        rows += [{**row, "fold": number} for row in scored(trained, only)]
    return rows


def calibrators(protocol: Protocol, task: str, rows: list[dict[str, Any]]) -> dict[str, Calibrator]:
    """Model -> its calibration, fitted on out-of-fold rows: of inner folds for a fold's models, of the folds for the final models."""
    asked, found = protocol.calibration, {}
    for name in protocol.calibrated_models(task):
        own = [row for row in rows if row["model"] == name]
        probabilities, truth = np.array([row["probabilities"] for row in own]), np.array([row["truth"] for row in own])
        found[name] = fit_calibrator(probabilities, truth, asked.method, asked.coverage)
    return found


def selected(protocol: Protocol, task: str, rows: list[dict[str, Any]]) -> dict[str, str]:
    """Selection -> the model of lowest log loss over inner rows."""
    losses: dict[str, list[float]] = {}
    for row in rows:
        losses.setdefault(row["model"], []).append(-float(np.log(max(row["probabilities"][row["truth"]], 1e-4))))
    return {name: min(among, key=lambda model: float(np.mean(losses[model]))) for name, among in protocol.selections_of(task).items()}
