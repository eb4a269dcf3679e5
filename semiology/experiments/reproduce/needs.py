"""What a paper's protocol needs of the user's cohort: labels of two levels, features for the models that read them."""

from semiology.data.cohort import Cohort
from semiology.data.store import Store
from semiology.errors import UserError

KEYPOINTS_ONLY = ("agcn",)  # the model that reads keypoints and no features
WEIGHTS = {"face_vgg": "face_weights", "body_vgg": "body_weights", "snippets": "snippet_weights"}  # the option that makes each stage
NONE = "none"  # given instead of a label's column: the task is left out


def check_two_levels(cohort: Cohort, option: str, column: str, table: str) -> None:
    """Refuse a label that the cohort does not define, or that has other than two levels.

    Args:
        option: of the command line, by which the column is named.
        column: of clips.tsv.
        table: the paper's, which is of two levels.

    Raises:
        UserError: with what to do.
    """
    if column not in cohort.labels:
        raise UserError(
            f"{cohort.folder}: clips.json defines no label {column!r}; it defines {', '.join(sorted(cohort.labels)) or 'none'}. "
            f"Say which column scores it (--{option} COLUMN), or leave the task out (--{option} {NONE})"
        )
    levels = list(cohort.labels[column].levels)
    if len(levels) != 2:
        raise UserError(
            f"{cohort.folder}: label {column!r} has {len(levels)} levels ({', '.join(levels)}); {table} is of two, absence and presence: "
            f"add such a column to clips.tsv and name it by --{option}"
        )


def without_features(cohort: Cohort, label: str, stage: str | None, store: str | None) -> str:
    """How many of the clips scored for a label lack the features of a stage in the store, and what to run; empty where none does."""
    scored = [clip.clip_id for clip in cohort.scored(label)]
    held = Store(store) if store else None
    lacking = [clip for clip in scored if stage and not (held and held.has(clip, stage))]
    if not lacking:
        return ""
    run = f"semiology extract COHORT --store DIR --{WEIGHTS[str(stage)]} FILE"
    return f"{len(lacking)} of {len(scored)} clips have no {stage} features (the first is {lacking[0]}); run: {run}"
