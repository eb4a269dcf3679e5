"""Who belongs to the development set and who is kept unseen, as in the myasthenia study: by a column of the cohort, or drawn."""

from collections import defaultdict

import numpy as np

from semiology.data.cohort import Cohort
from semiology.errors import UserError

COLUMN = "set"  # of participants.tsv
DEVELOPMENT, UNSEEN = "development", "unseen"
PATIENTS, CONTROLS = 20 / 70, 19 / 69  # share of each that was kept unseen [P]


def levels_by_participant(cohort: Cohort, label: str) -> dict[str, str]:
    """participant_id -> level, of those who are scored.

    Raises:
        UserError: no such label; a participant whose clips have different levels: a diagnosis is a person's, not a clip's.
    """
    levels: dict[str, str] = {}
    for clip in cohort.scored(label):
        level = str(clip.labels[label])
        if levels.setdefault(clip.participant_id, level) != level:
            who = f"participant {clip.participant_id} is both {levels[clip.participant_id]} and {level}"
            raise UserError(f"{cohort.folder}: {label}: {who}; give every clip of one participant the same level")
    return levels


def unseen_participants(cohort: Cohort, labels: list[str], draw: int) -> tuple[list[str], str]:
    """The participants to keep unseen, and how they came about, in words.

    A column `set` of participants.tsv (development, unseen) says who. Without it they are drawn by participant: of those who have the
    second level of the first label 20 of 70, of the others 19 of 69 [P], within every combination of levels alike and at least one of
    three, so that mild and severe patients are in both sets.

    Args:
        labels: diagnosis and severity, or one of them.
        draw: seed of the draw.

    Raises:
        UserError: a scored participant whose `set` is empty or neither; as `levels_by_participant`.
    """
    known = {label: levels_by_participant(cohort, label) for label in labels}
    people = sorted(set().union(*known.values()))
    given = {person.participant_id: person.covariates.get(COLUMN) for person in cohort.participants}
    if any(value is not None for value in given.values()):
        if odd := next((who for who in people if given[who] not in (DEVELOPMENT, UNSEEN)), None):
            what = f"participant {odd} is {given[odd]!r}" if given[odd] else f"participant {odd} has none"
            raise UserError(f"{cohort.folder}: participants.tsv: column {COLUMN!r}: {what}; write {DEVELOPMENT} or {UNSEEN}")
        return [who for who in people if given[who] == UNSEEN], f"by the column {COLUMN!r} of participants.tsv"
    strata: dict[tuple[str | None, ...], list[str]] = defaultdict(list)
    for who in people:
        strata[tuple(known[label].get(who) for label in labels)].append(who)
    second = list(cohort.labels[labels[0]].levels)[1]
    generator, unseen = np.random.default_rng(draw), []
    for stratum, members in sorted(strata.items(), key=str):
        share = PATIENTS if stratum[0] == second else CONTROLS
        kept = max(round(share * len(members)), 1) if len(members) > 2 else 0
        unseen += generator.permutation(members)[:kept].tolist()
    return sorted(unseen), f"drawn by participant with seed {draw}, 20 of 70 and 19 of 69 within every combination of levels"


def check_sets(levels: dict[str, str], unseen: list[str], label: str, both: list[str], folds: int) -> list[str]:
    """The unseen participants of one label, of whom there must be one; the others must be of both levels and as many as the folds.

    Raises:
        UserError: which of these does not hold, and what to do.
    """
    held = [who for who in unseen if who in levels]
    rest = {who: level for who, level in levels.items() if who not in held}
    if not held:
        raise UserError(
            f"{label}: no unseen participants are left; name some in participants.tsv (column {COLUMN!r}: {DEVELOPMENT} or {UNSEEN}), "
            "or score three participants or more of a level"
        )
    if missing := [level for level in both if level not in rest.values()]:
        raise UserError(f"{label}: no development participant is {' or '.join(missing)}; there must be some of both levels")
    if len(rest) < folds:
        raise UserError(f"{label}: {len(rest)} development participants cannot be dealt into {folds} folds; give fewer (--folds)")
    return held
