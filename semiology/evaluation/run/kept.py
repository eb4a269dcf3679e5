"""The saved models of a run's folds: those that belong to its predictions, and the clips that each
of them never saw. Reads files only, no torch.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.run.records import read_record
from semiology.evaluation.run.tasks import TEST
from semiology.files import read_json, slug


@dataclass(frozen=True)
class KeptFold:
    """One fold's saved model.

    Attributes:
        name: of the fold.
        folder: of the saved model.
        held_out: participants whose clips it was scored on.
        held_out_clips: their clip_ids; the model saw none of them.
        unused: clip_ids that took no part in this fold, neither trained on nor scored: those of the
            unseen test set.
        clips: clip_id -> participant_id, all clips of the task.
        test: whether this is the fold of the unseen test set.
    """

    name: str
    folder: Path
    held_out: frozenset[str]
    held_out_clips: frozenset[str]
    unused: frozenset[str]
    clips: dict[str, str]
    test: bool


@dataclass(frozen=True)
class KeptFolds:
    """The folds of one task, model and seed that have their model, by name, and those that lack it.

    Attributes:
        folds: with their model.
        missing: name -> scored clip_ids of each fold in predictions.csv whose model was not saved,
            or belongs to another protocol.
        scored: clip_ids in predictions.csv, those of the missing folds too.
    """

    folds: tuple[KeptFold, ...]
    missing: dict[str, frozenset[str]]
    scored: frozenset[str]

    @property
    def left_out(self) -> list[str]:
        """Scored clips without a saved model that never saw them."""
        return sorted(set().union(*self.missing.values()))


def kept_folds(run: str | Path, task: str, model: str, seed: int) -> KeptFolds:
    """The saved models that belong to a run's predictions.csv; those that an earlier protocol left
    in the folder are passed over.

    A model belongs if predictions.csv names its fold for this task, model and seed (its unseen test
    set included), and was saved with the key of the fold's record, which holds all that its
    predictions depend on.

    Args:
        run: folder of the run.
        task: its name, or that of its folder.
        model: its name.
        seed: of the folds.

    Raises:
        UserError: no predictions.csv, or a damaged one; a fold's record or a model's description is
            missing or damaged.
    """
    run, where = Path(run), Path(slug(task)) / f"seed-{seed}"
    rows = _rows(read_predictions(run / "predictions.csv"), slug(task))
    rows = rows[(rows["model"] == model) & (rows["seed"] == seed)]
    unseen = frozenset(rows.loc[rows["unseen"], "clip_id"])
    folds, missing = [], {}
    for name, scored in rows.groupby("fold")["clip_id"]:
        record, folder = (
            run / "folds" / where / f"{name}.json",
            run / "kept" / where / str(name) / model,
        )
        fold, key = _fold(record, folder, unseen)
        if folder.is_dir() and _key(folder) == key:
            folds.append(fold)
        else:
            missing[fold.name] = frozenset(scored)
    return KeptFolds(tuple(folds), missing, frozenset(rows["clip_id"]))


def _rows(table: pd.DataFrame, task: str) -> pd.DataFrame:
    """The rows of the task in this folder and of its unseen test set (`unseen`), which
    predictions.csv names as a task of its own.
    """
    names = {name: slug(name) for name in table["task"].unique()}
    own = {name for name, folder in names.items() if folder == task}
    tests = {name for name, folder in names.items() if folder == f"{task}-in-the-unseen-test-set"}
    rows = table[table["task"].isin(own | tests)]
    return rows.assign(unseen=rows["task"].isin(tests))


def _fold(path: Path, folder: Path, unseen: frozenset[str]) -> tuple[KeptFold, str]:
    """A fold as its record has it, and the record's key."""
    try:
        record = read_record(path)
        clips, held = record["clips"], frozenset(record["held_out_clips"])
        people = frozenset(clips[clip] for clip in held)
        test = record["split"] == TEST
        fold = KeptFold(path.stem, folder, people, held, unseen - held, clips, test)
        return fold, record["key"]
    except (UserError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: the fold's record is missing or damaged; run `semiology loso` again"
        ) from error


def _key(folder: Path) -> str | None:
    """The key that a saved model was made with."""
    path = folder / "model.json"
    try:
        return read_json(path)["about"].get("key")
    except (UserError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: the model's description is missing or damaged; run `semiology loso` again"
        ) from error
