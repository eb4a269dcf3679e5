"""One fold: fresh models, data and trainer; everything that is fitted sees training participants only. Its record is a small JSON file."""

import hashlib
import json
import time
import zlib
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from semiology.evaluation.protocol import Protocol
from semiology.files import write_text
from semiology.learning.clips import ClipData, ClipSource, Reading
from semiology.learning.data import ClipDataModule
from semiology.learning.fitting import fit, score
from semiology.learning.modules import StreamModule
from semiology.learning.saved import SavedModel

SCHEMA = 1  # raise when the same config would give other predictions


@lru_cache(maxsize=8)
def open_source(cohort: str, store: str | None, reading: Reading) -> ClipSource:
    """The clips of a task, read once in each process."""
    return ClipSource(cohort, reading, store)


def task_source(protocol: Protocol, task: str, permutation: int | None = None) -> ClipSource:
    """The task's clips; with a permutation, the participants have exchanged their labels."""
    source = open_source(protocol.cohort, protocol.store, protocol.tasks[task].reading)
    if permutation is None:
        return source
    rng = np.random.default_rng([permutation, zlib.crc32(task.encode())])
    return with_clips(source, permuted(source.clips, rng))


def with_clips(source: ClipSource, clips: list[ClipData], reading: Reading | None = None) -> ClipSource:
    """The same source with other clips in memory, or with the same clips read into other channels."""
    other = ClipSource(source.cohort, reading or source.reading, source.store)
    other.__dict__.update(clips=clips, label=source.label)  # fills the cached properties, so that nothing is read again
    return other


def permuted(clips: list[ClipData], rng: np.random.Generator) -> list[ClipData]:
    """Whole participants exchange their lists of labels, so that clips of one participant stay together (our choice).

    A participant with more clips than the other had goes through the other's list again.
    """
    owned: dict[str, list[int]] = {}
    for clip in clips:
        owned.setdefault(clip.participant_id, []).append(clip.target)
    names = sorted(owned)
    given = {name: owned[names[other]] for name, other in zip(names, rng.permutation(len(names)))}
    seen = dict.fromkeys(names, 0)
    exchanged = []
    for clip in clips:
        targets = given[clip.participant_id]
        exchanged.append(replace(clip, target=targets[seen[clip.participant_id] % len(targets)]))
        seen[clip.participant_id] += 1
    return exchanged


def fold_key(protocol: Protocol, task: str, seed: int, held_out: str | None, permutation: int | None) -> str:
    """Hash of everything that the fold's predictions depend on: data, reading, models, training, seed."""
    source = open_source(protocol.cohort, protocol.store, protocol.tasks[task].reading)
    content = {
        "schema": SCHEMA,
        "clips": clips_digest(source),
        "reading": asdict(source.reading),
        "skeleton": asdict(source.reading.graph),
        "models": {name: asdict(model) for name, model in protocol.models_of(task).items()},
        "training": [protocol.validation, protocol.batch_size, protocol.repeats, asdict(protocol.augmentation)],
        "fold": [seed, held_out, permutation],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def run_fold(protocol: Protocol, task: str, seed: int, held_out: str, permutation: int | None, path: Path) -> None:
    """Train the task's models without one participant, score that participant's clips, and write the record to `path`.

    The record is what the leakage audit reads: who was trained on, who stopped the training early, who was held out.
    """
    source = task_source(protocol, task, permutation)
    began = time.monotonic()
    modules, data = train_models(protocol, task, source, seed, [held_out])
    rows = []
    for name, module in modules.items():
        clip_ids, probabilities = score(module, data[name])
        for clip, clip_id, levels in zip(data[name].held_out, clip_ids, probabilities):
            rows.append({"model": name, "clip_id": clip_id, "truth": clip.target, "probabilities": levels.round(6).tolist()})
    first = next(iter(data.values()))
    record = {
        "key": fold_key(protocol, task, seed, held_out, permutation),
        "task": task,
        "seed": seed,
        "permutation": permutation,
        "held_out": held_out,
        "training": sorted({clip.participant_id for clip in first.training}),
        "validation": sorted({clip.participant_id for clip in first.validation}),
        "class_weights": first.class_weights().tolist(),
        "epochs": {name: int(module.trainer.current_epoch) for name, module in modules.items()},
        "seconds": round(time.monotonic() - began, 2),
        "levels": source.levels,
        "predictions": rows,
    }
    write_text(path, json.dumps(record))


def train_models(
    protocol: Protocol, task: str, source: ClipSource, seed: int, held_out: list[str]
) -> tuple[dict[str, StreamModule], dict[str, ClipDataModule]]:
    """Train the task's models, teachers first; the same participants train, and the same stop early, for all of them."""
    modules: dict[str, StreamModule] = {}
    data: dict[str, ClipDataModule] = {}
    for name, model in protocol.models_of(task).items():
        own = with_clips(source, source.clips, model.read(source.reading))
        data[name] = ClipDataModule(
            own, held_out, protocol.validation, protocol.batch_size, protocol.repeats, protocol.augmentation, seed=seed
        )
        module = model.module(modules[model.teacher] if model.teacher else None)
        number = zlib.crc32(f"{seed}/{name}/{held_out}".encode()) % 2**31
        modules[name] = fit(module, data[name], model.schedule, number)
    return modules, data


def train_final(protocol: Protocol, task: str, folder: Path) -> None:
    """Train the task's models on all participants and save each under `folder`/<model>; nothing is measured on them."""
    source = task_source(protocol, task)
    modules, data = train_models(protocol, task, source, protocol.seeds[0], [])
    for name, module in modules.items():
        about = {
            "task": task,
            "label": source.reading.label,
            "key": fold_key(protocol, task, protocol.seeds[0], None, None),
            "training": sorted({clip.participant_id for clip in data[name].training}),
            "validation": sorted({clip.participant_id for clip in data[name].validation}),
            "seed": protocol.seeds[0],
            "seconds": source.window_seconds,
            "trackers": sorted(source.trackers),
        }
        reading = protocol.models[name].read(source.reading)
        SavedModel(module.network, protocol.models[name].network, reading, source.levels, data[name].shape, about).save(folder / name)


def read_record(path: Path, key: str) -> dict[str, Any] | None:
    """The record of a fold if it is there and was made with this key; else None, and the fold is to be trained."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if record.get("key") == key else None


@lru_cache(maxsize=8)
def clips_digest(source: ClipSource) -> str:
    """SHA-256 of what the models will read of every clip."""
    digest = hashlib.sha256()
    for clip in source.clips:
        digest.update(f"{clip.clip_id}/{clip.participant_id}/{clip.target}".encode())
        digest.update(np.ascontiguousarray(clip.joints).tobytes())
        if clip.appearance is not None:
            digest.update(np.ascontiguousarray(clip.appearance).tobytes())
    return digest.hexdigest()
