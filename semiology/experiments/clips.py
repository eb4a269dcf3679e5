"""A task's clips: read once a process from a cohort and its store, permuted for a test, and their
digest.
"""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from semiology.data.cohort import Cohort
from semiology.errors import UserError
from semiology.evaluation.run.settings import Protocol
from semiology.evaluation.statistics.permutation import permute_labels
from semiology.models.training.clips import UNSCORED, ClipData, ClipSource
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
    _of_label.cache_clear()
    clips_digest.cache_clear()


@lru_cache(maxsize=1)
def begin_run(run: str) -> None:
    """Forget what was read for other runs, once in each process: those of joblib and of a cluster
    outlive the run that they began with.

    Args:
        run: a word that no other run has.
    """
    forget_sources()


@lru_cache(maxsize=32)
def _of_label(cohort: str, store: str | None, reading: Reading, label: str) -> ClipSource:
    return open_source(cohort, store, reading).of_label(label)


def task_source(protocol: Protocol, task: str, permutation: int | None = None) -> ClipSource:
    """The task's clips, or, of the name of one of its labels, those that were scored for it; with a
    permutation, labels are permuted between participants, each of several on its own.
    """
    if task in protocol.tasks:
        source = open_source(protocol.cohort, protocol.store, protocol.tasks[task].reading)
        if permutation is None:
            return source
        names = protocol.label_tasks(task)
        rngs = [np.random.default_rng([permutation, zlib.crc32(name.encode())]) for name in names]
        return source.with_clips(permuted(source.clips, rngs))
    whole = next(name for name in protocol.tasks if task in protocol.label_tasks(name))
    label, reading = protocol.label_tasks(whole)[task], protocol.tasks[whole].reading
    if permutation is None:
        return _of_label(protocol.cohort, protocol.store, reading, label)
    return task_source(protocol, whole, permutation).of_label(label)


def permuted(clips: list[ClipData], rngs: Sequence[np.random.Generator]) -> list[ClipData]:
    """The clips with labels permuted between whole participants: each label on its own, with its
    generator, among the clips that were scored for it.
    """
    targets = np.array([clip.targets for clip in clips])
    people = np.array([clip.participant_id for clip in clips])
    for own, rng in zip(targets.T, rngs, strict=True):
        scored = own != UNSCORED
        own[scored] = permute_labels(people[scored], own[scored], rng)
    return [
        replace(clip, target=int(own[0]) if len(own) == 1 else tuple(own.tolist()))
        for clip, own in zip(clips, targets)
    ]


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


def cohort_size(cohort: str) -> str:
    """How many clips of how many participants there are, in words; takes no torch.

    Raises:
        UserError: as `Cohort.read`.
    """
    if brought_along(cohort):
        return f"{cohort}: the public features of GESTURES"
    clips = Cohort.read(cohort).clips
    people = {clip.participant_id for clip in clips}
    return f"{cohort}: {len(clips)} clips of {len(people)} participants"


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
