"""A task's clips: read once a process from a cohort and its store, permuted for a test, and their
digest.
"""

import hashlib
import zlib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from semiology.errors import UserError
from semiology.evaluation.run.settings import Protocol
from semiology.evaluation.statistics.permutation import permute_labels
from semiology.models.training.clips import ClipData, ClipSource
from semiology.models.training.reading import Reading


@lru_cache(maxsize=8)
def open_source(cohort: str, store: str | None, reading: Reading) -> ClipSource:
    """The clips of a reading, read once in each process."""
    return ClipSource(cohort, reading, store)


def forget_sources() -> None:
    """Read the clips again when they are next needed: the cohort may have been edited since, in
    for example in a notebook.
    """
    open_source.cache_clear()
    clips_digest.cache_clear()


@lru_cache(maxsize=1)
def begin_run(run: str) -> None:
    """Forget what was read for other runs, once in each process: those of joblib and of a cluster
    outlive the run that they began with.

    Args:
        run: a word that no other run has.
    """
    forget_sources()


def task_source(protocol: Protocol, task: str, permutation: int | None = None) -> ClipSource:
    """The task's clips; with a permutation, labels are permuted between participants."""
    source = open_source(protocol.cohort, protocol.store, protocol.tasks[task].reading)
    if permutation is None:
        return source
    rng = np.random.default_rng([permutation, zlib.crc32(task.encode())])
    return source.with_clips(permuted(source.clips, rng))


def permuted(clips: list[ClipData], rng: np.random.Generator) -> list[ClipData]:
    """The clips with labels permuted between whole participants."""
    targets = permute_labels(
        [clip.participant_id for clip in clips], [clip.target for clip in clips], rng
    )
    return [replace(clip, target=int(target)) for clip, target in zip(clips, targets)]


def check_tasks(protocol: Protocol) -> None:
    """Check of every task what can be checked in a second and without torch, see
    `ClipSource.check`. A task with a fault is refused later, if others have none.

    Raises:
        UserError: all of them have one.
    """
    if brought_along(protocol.cohort):
        return
    faults: dict[str, str] = {}
    for task, settings in protocol.tasks.items():
        try:
            ClipSource(protocol.cohort, settings.reading, protocol.store).check()
        except UserError as error:
            faults[task] = str(error)
    if len(faults) == len(protocol.tasks):
        raise no_task(faults)


def brought_along(cohort: str) -> bool:
    """Whether a folder is the public feature set of GESTURES, of which a cohort has to be made."""
    folder = Path(cohort)
    return not (folder / "clips.tsv").exists() and (folder / "seizures.csv").is_file()


def no_task(refused: dict[str, str]) -> UserError:
    """The error of a run none of whose tasks can be evaluated, from task -> why."""
    why = "; ".join(f"{task}: {why}" for task, why in refused.items())
    return UserError(f"no task can be evaluated: {why}")


@lru_cache(maxsize=8)
def clips_digest(source: ClipSource) -> str:
    """SHA-256 of what the models will read of every clip."""
    digest = hashlib.sha256()
    for clip in source.clips:
        digest.update(f"{clip.clip_id}/{clip.participant_id}/{clip.target}".encode())
        digest.update(np.ascontiguousarray(clip.joints).tobytes())
        for read in (clip.appearance, clip.held, clip.starts):
            if read is not None:
                digest.update(np.ascontiguousarray(read).tobytes())
    return digest.hexdigest()
