"""The clips of a task, read once in each process, also with permuted labels, and how they are split
into folds: which are held out together.
"""

import hashlib
import re
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from semiology.data.cohort import Cohort
from semiology.errors import UserError
from semiology.evaluation.run.predictions import TEST
from semiology.evaluation.run.settings import Protocol, Split
from semiology.evaluation.statistics.permutation import permute_labels
from semiology.models.training.clips import ClipData, ClipSource
from semiology.models.training.reading import Reading


@dataclass(frozen=True)
class Part:
    """One fold's clips.

    Attributes:
        name: the participant or centre left out, a number, or "test".
        held_out: clip_ids that are scored.
        unused: clip_ids that take no part: the test set's, while others are held out.
    """

    name: str
    held_out: tuple[str, ...]
    unused: tuple[str, ...] = ()


def split_clips(split: Split, clips: Sequence[ClipData], cohort: str, seed: int) -> list[Part]:
    """The folds of these clips, test set last.

    Raises:
        UserError: fewer than three participants (or two groups) to split, more folds than groups, a
            participant in the test set whom the cohort does not know, no one left in it, no such
            column, or a participant with two values in it.
    """
    test = set(split.test or ())
    absent = test - {clip.participant_id for clip in clips}
    if absent and (
        absent == test
        or absent - {person.participant_id for person in Cohort.read(cohort).participants}
    ):
        raise UserError(f"split.test: no scored clips of {', '.join(sorted(absent))}")
    unused = tuple(clip.clip_id for clip in clips if clip.participant_id in test)
    rest = [clip for clip in clips if clip.participant_id not in test]
    people = len({clip.participant_id for clip in rest})
    if people < 3:
        raise UserError(
            f"scored in {people} participants{' beside the test set' if test else ''}; leaving one"
            " out needs three or more"
        )
    parts = [
        Part(name, held_out, unused)
        for name, held_out in _held_out(split, rest, cohort, seed).items()
    ]
    if TEST in {part.name for part in parts}:
        raise UserError(
            f"a participant or centre is called {TEST!r}, which is the name of the unseen test"
            " set's fold; call it otherwise"
        )
    return [*parts, Part(TEST, unused)] if test else parts


def _held_out(
    split: Split, clips: list[ClipData], cohort: str, seed: int
) -> dict[str, tuple[str, ...]]:
    if split.by == "participant":
        return _by_name(clips, [clip.participant_id for clip in clips])
    if split.by == "centre":
        return _by_name(clips, _column(clips, cohort, split.column))
    groups = [clip.participant_id if split.by == "grouped" else clip.recording_id for clip in clips]
    return split_groups(clips, groups, split.folds, seed)


def split_groups(
    clips: Sequence[ClipData], groups: Sequence[str], folds: int, seed: int
) -> dict[str, tuple[str, ...]]:
    """Whole groups split into numbered folds, classes spread evenly (scikit-learn's
    StratifiedGroupKFold) where there are enough.
    """
    if not 2 <= folds <= len(set(groups)):
        raise UserError(
            f"folds: {folds}, but there are {len(set(groups))} participants or recordings to split;"
            " give 2 or more"
        )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    targets = [clip.target for clip in clips]
    if (
        max(map(targets.count, set(targets))) < folds
    ):  # too few of every level to have one in each fold
        targets = [0] * len(clips)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="The least populated class"
        )  # a rare level is in some folds only
        parts = list(splitter.split(np.zeros(len(clips)), targets, groups))
    folds_ids = [tuple(clips[number].clip_id for number in held) for _, held in parts]
    return {f"{number:02d}": held for number, held in enumerate(folds_ids, 1) if held}


def _by_name(clips: list[ClipData], names: list[str]) -> dict[str, tuple[str, ...]]:
    if len(set(names)) < 2:
        raise UserError(f"leaving one out needs two or more; all clips are of {names[0]!r}")
    return {
        name: tuple(clip.clip_id for clip, own in zip(clips, names) if own == name)
        for name in sorted(set(names))
    }


def _column(clips: list[ClipData], folder: str, column: str) -> list[str]:
    """Each clip's value, every participant's the same in all clips."""
    cohort = Cohort.read(folder)
    people = {
        person.participant_id: person.covariates | {"sex": person.sex or ""}
        for person in cohort.participants
    }
    rows = {
        clip.clip_id: {**people[clip.participant_id], **clip.covariates} for clip in cohort.clips
    }
    values: dict[str, str] = {}
    for clip in clips:
        value = rows[clip.clip_id].get(column, "")
        if not value:
            raise UserError(
                f"split.column: clip {clip.clip_id} has no {column!r} in clips.tsv or"
                " participants.tsv; add it, or leave it unscored"
            )
        if values.setdefault(clip.participant_id, value) != value:
            raise UserError(
                f"split.column: participant {clip.participant_id} has two values of {column!r}"
                f" ({values[clip.participant_id]}, {value}); leaving one out would not leave the"
                " participant unseen"
            )
    if odd := next(
        (
            value
            for value in values.values()
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", value)
        ),
        None,
    ):
        raise UserError(
            f"split.column: {odd!r} names a fold and its file; use letters, digits, _ . - only"
        )
    return [values[clip.participant_id] for clip in clips]


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
