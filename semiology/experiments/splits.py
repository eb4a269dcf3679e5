"""The clips of a task, read once in each process, also with permuted labels, and how they are split
into folds: which are held out together.
"""

import re
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from semiology.data.cohort import Cohort
from semiology.errors import UserError
from semiology.evaluation.run.settings import Split
from semiology.evaluation.run.tasks import TEST
from semiology.models.training.clips import UNSCORED, ClipData

PERSON = "participant_id"  # column of clips.tsv


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
        needs = "training on them" if split.by == "none" else "leaving one out"
        raise UserError(
            f"scored in {people} participants{' beside the test set' if test else ''}; {needs}"
            " needs three or more"
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
    if split.by == "none":
        return {}
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
    StratifiedGroupKFold) where there are enough; of several labels the classes of each
    (`spread_labels`).
    """
    if not 2 <= folds <= len(set(groups)):
        raise UserError(
            f"folds: {folds}, but there are {len(set(groups))} participants or recordings to split;"
            " give 2 or more"
        )
    if len(clips[0].targets) > 1:
        fold_of, held = spread_labels(clips, groups, folds, seed), defaultdict(list)
        for clip, group in zip(clips, groups):
            held[fold_of[group] + 1].append(clip.clip_id)
        return {f"{number:02d}": tuple(held[number]) for number in sorted(held)}
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


def spread_labels(
    clips: Sequence[ClipData], groups: Sequence[str], folds: int, seed: int
) -> dict[str, int]:
    """Group -> fold, the classes of several labels spread evenly: iterative stratification
    (Sechidis et al. 2011, ECML PKDD [P]) over whole groups.

    Again and again the class that is rarest among the groups left is taken, and each of its groups
    goes where that class is missing most; of equals where its other classes are, then to the fold
    with fewest groups (ours), then by chance.
    """
    levels = sorted({row for clip in clips for row in enumerate(clip.targets)})
    levels = [(label, target) for label, target in levels if target != UNSCORED]
    counts = {group: np.zeros(len(levels)) for group in groups}
    for clip, group in zip(clips, groups):
        counts[group] += [clip.targets[label] == target for label, target in levels]
    rng = np.random.default_rng(seed)
    left = rng.permutation(sorted(counts)).tolist()
    chance = rng.permutation(folds)
    wanted = np.tile(np.sum(list(counts.values()), axis=0) / folds, (folds, 1))  # (fold, level)
    found: dict[str, int] = {}
    while left:
        there = np.sum([counts[group] for group in left], axis=0)
        rarest = int(np.where(there > 0, there, np.inf).argmin())
        own = [group for group in left if counts[group][rarest]]
        for group in sorted(own, key=lambda group: -counts[group][rarest]):
            sizes = np.bincount(list(found.values()), minlength=folds)
            needs = wanted[:, rarest].round(9), (wanted @ counts[group]).round(9)
            found[group] = int(np.lexsort((chance, sizes, -needs[1], -needs[0]))[0])
            wanted[found[group]] -= counts[group]
        left = [group for group in left if group not in found]
    return found


def _by_name(clips: list[ClipData], names: list[str]) -> dict[str, tuple[str, ...]]:
    if len(set(names)) < 2:
        raise UserError(f"leaving one out needs two or more; all clips are of {names[0]!r}")
    return {
        name: tuple(clip.clip_id for clip, own in zip(clips, names) if own == name)
        for name in sorted(set(names))
    }


def with_people(split: Split, folder: str) -> Split:
    """The split with the participants of its test set by name, where a column names the sets.

    Raises:
        UserError: nobody has such a value in the column, or somebody has two values.
    """
    if split.set is None:
        return split
    cohort = Cohort.read(folder, check_videos=False)
    sets: dict[str, set[str]] = {}
    for clip_id, row in _covariates(cohort).items():
        sets.setdefault(row[PERSON], set()).add(row.get(split.set, ""))
        if len(sets[row[PERSON]]) > 1:
            both = ", ".join(sorted(sets[row[PERSON]]))
            raise UserError(
                f"split.set: participant {row[PERSON]} has two values of {split.set!r} ({both}), by"
                f" clip {clip_id}; nobody can be in two sets"
            )
    known = {value for values in sets.values() for value in values}
    for value in split.test or ():
        if value not in known:
            raise UserError(
                f"split.test: nobody has {value!r} in column {split.set!r} of clips.tsv or"
                f" participants.tsv; it has {', '.join(sorted(known - {''})) or 'no entries'}"
            )
    test = sorted(person for person, values in sets.items() if values <= set(split.test or ()))
    return replace(split, test=test, set=None)


def _covariates(cohort: Cohort) -> dict[str, dict[str, str]]:
    """clip_id -> its columns of clips.tsv, else of participants.tsv."""
    people = {
        person.participant_id: person.covariates | {"sex": person.sex or ""}
        for person in cohort.participants
    }
    return {
        clip.clip_id: {
            **people[clip.participant_id],
            **clip.covariates,
            PERSON: clip.participant_id,
        }
        for clip in cohort.clips
    }


def _column(clips: list[ClipData], folder: str, column: str) -> list[str]:
    """Each clip's value, every participant's the same in all clips."""
    rows = _covariates(Cohort.read(folder))
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
