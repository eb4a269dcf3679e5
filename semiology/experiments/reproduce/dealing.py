"""Into which fold each seizure goes: as the authors of GESTURES dealt them, or all of a subject together."""

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from semiology.data.gestures import LEVELS, View
from semiology.errors import UserError


def by_seizure(views: Sequence[View], folds: int) -> dict[str, int]:
    """recording_id -> fold: TCS in the order of their names, then FOS, one by one round the folds, as in the authors' code [C].

    Seizures of one subject come into different folds: a model is then tested on people whom it was trained on [T, C].

    Raises:
        UserError: fewer seizures than folds, or a fold without both kinds to train on.
    """
    recordings = {view.recording_id: view for view in views}
    order = sorted(recordings, key=lambda name: (-recordings[name].target, name))
    return _checked(views, {name: number % folds for number, name in enumerate(order)}, folds, "seizures")


def by_subject(views: Sequence[View], folds: int, seed: int = 0) -> dict[str, int]:
    """recording_id -> fold, all seizures of a subject in one fold, both kinds spread as evenly as that allows [choice].

    Raises:
        UserError: fewer subjects than folds, or a fold without both kinds to train on.
    """
    recordings = {view.recording_id: view for view in views}
    names = sorted(recordings)
    subjects = [recordings[name].participant_id for name in names]
    if len(set(subjects)) < folds:
        raise UserError(f"{len(set(subjects))} subjects cannot be dealt into {folds} folds; set folds to at most that")
    targets = [recordings[name].target for name in names]
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    try:
        parts = list(splitter.split(np.zeros(len(names)), targets, subjects))
    except ValueError as error:
        raise UserError(f"seizures cannot be dealt into {folds} folds by subject: {error}") from error
    return _checked(views, {names[place]: fold for fold, (_, held_out) in enumerate(parts) for place in held_out}, folds, "subjects")


def _checked(views: Sequence[View], dealt: dict[str, int], folds: int, what: str) -> dict[str, int]:
    for fold in range(folds):
        if fold not in dealt.values():
            raise UserError(f"fold {fold + 1} of {folds} got no seizure: too few {what}; set folds to less")
        if len({view.target for view in views if dealt[view.recording_id] != fold}) < len(LEVELS):
            raise UserError(f"fold {fold + 1} of {folds}: the seizures to train on are not of both kinds ({', '.join(LEVELS)})")
    return dealt
