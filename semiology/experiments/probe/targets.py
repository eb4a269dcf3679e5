"""Any column of a cohort as something to probe for: labels, scores, covariates of clips and of
participants, sex and age.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from semiology.data.cohort import Cohort
from semiology.errors import UserError

Kind = Literal["auto", "categorical", "numeric"]


def cohort_columns(cohort: str | Path) -> pd.DataFrame:
    """Every clip's labels, scores, covariates and its participant's, as text; "" where not given.

    Indexed by clip_id, with `participant_id`.
    """
    read = Cohort.read(cohort, check_videos=False)
    people = {person.participant_id: person for person in read.participants}
    rows = []
    for clip in read.clips:
        person = people[clip.participant_id]
        own = {
            "sex": person.sex or "",
            "age": "" if person.age is None else f"{person.age:g}",
            **person.covariates,
        }
        labels = {name: level or "" for name, level in clip.labels.items()}
        scores = {
            name: "" if score is None else f"{score:g}" for name, score in clip.scores.items()
        }
        rows.append(
            {
                "clip_id": clip.clip_id,
                "participant_id": clip.participant_id,
                **own,
                **clip.covariates,
                **labels,
                **scores,
            }
        )
    return pd.DataFrame(rows).set_index("clip_id").fillna("")


def cohort_target(cohort: str | Path, column: str, kind: Kind = "auto") -> pd.Series:
    """A column of the cohort by clip_id, without the clips where it is not given: categories (a
    label's in its order), else numbers.

    Args:
        cohort: its folder.
        column: of clips.tsv or participants.tsv.
        kind: "auto" takes a column as numeric if it is no label and holds more than two different
            values, all of them numbers [our choice].

    Raises:
        UserError: no such column, no value in it, or "numeric" where a value is no number.
    """
    table = cohort_columns(cohort)
    if column not in table:
        there = [
            str(name) for name in table if name != "participant_id" and (table[name] != "").any()
        ]
        raise UserError(
            f"{cohort}: no column {column!r} in clips.tsv or participants.tsv; there are"
            f" {', '.join(there) or 'none'}"
        )
    given = table.loc[table[column] != "", column]
    if given.empty:
        raise UserError(
            f"{cohort}: column {column!r} is empty for every clip; fill it in, or probe for another"
        )
    numbers = pd.to_numeric(given, errors="coerce")
    are_numbers = bool(np.isfinite(numbers).all())
    if kind == "numeric" and not are_numbers:
        wrong = given[~np.isfinite(numbers)]
        raise UserError(
            f"{cohort}: column {column!r}, clip {wrong.index[0]}: {wrong.iloc[0]!r} is no number;"
            " correct it, or probe for levels"
        )
    label = Cohort.read(cohort, check_videos=False).labels.get(column)
    if kind == "numeric" or (
        kind == "auto" and are_numbers and label is None and given.nunique() > 2
    ):
        return numbers.astype(float)
    levels = list(label.levels) if label else sorted(given.unique())
    return given.astype(pd.CategoricalDtype(levels))
