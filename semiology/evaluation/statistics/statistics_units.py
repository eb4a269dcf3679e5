"""From clips to recordings and participants: how the clips of one combine, stated, and refused where their truths cannot be combined."""

import numpy as np
import pandas as pd

from semiology.errors import UserError

UNITS = {"recording": "recording_id", "participant": "participant_id"}
MEAN = "mean of the clips' probabilities; the level with the highest mean is called"
ANY = "truth: the sign in any clip; probability: the highest of the clips', which rises with their number; called above one half"


def combine(rows: pd.DataFrame, levels: list[str], unit: str) -> tuple[pd.DataFrame, str]:
    """The rows of one task by recording or by participant: one row a unit, model and seed (its `clip_id` is the unit's), and the rule.

    A recording's clips or views have one truth, and their probabilities are averaged, as Perez-Garcia et al. 2021 average two views [P]. So
    are a participant's, where every participant has one truth. Where a participant has clips with and without the sign, the participant
    has it, and the highest probability counts [our choice].

    Raises:
        UserError: the clips of a recording disagree in truth or participant; a participant has clips of several of more than two levels;
            every unit has one clip only, so that there is nothing to combine.
    """
    column = UNITS[unit]
    if column not in rows or rows.groupby(["model", "seed"])[column].nunique().sum() == len(rows):
        raise UserError(f"every {unit} has one clip: see the clips")
    one_truth = rows.groupby(column)["truth"].nunique().max() == 1
    if unit == "recording" and not (one_truth and rows.groupby(column)["participant_id"].nunique().max() == 1):
        raise UserError("clips of one recording differ in truth or participant: give them recording_ids of their own")
    if not one_truth and len(levels) > 2:
        raise UserError("participants have clips of several levels: they have no one truth")
    probability = pd.DataFrame([[scores[level] for level in levels] for scores in rows["scores"]], index=rows.index, columns=levels)
    if len(levels) == 2:
        probability[levels[1]] = rows["score"]
    keys = [rows["model"], rows["seed"], rows[column].rename("clip_id")]
    if one_truth:
        combined = probability.groupby(keys, sort=False).mean()
    else:
        combined = probability.groupby(keys, sort=False)[[levels[1]]].max()
        combined.insert(0, levels[0], 1 - combined[levels[1]])
    first = rows.groupby(keys, sort=False).agg(participant_id=("participant_id", "first"), truth=("truth", "first"))
    if not one_truth:
        first["truth"] = np.where((rows["truth"] == levels[1]).groupby(keys, sort=False).any(), levels[1], levels[0])
    values = combined.to_numpy()
    called = values.argmax(1)
    first["predicted"] = np.array(levels)[called]
    first["score"] = values[:, 1] if len(levels) == 2 else values.max(1)
    first["scores"] = pd.Series([dict(zip(levels, row)) for row in values.tolist()], index=first.index, dtype=object)
    return first.reset_index(), MEAN if one_truth else ANY
