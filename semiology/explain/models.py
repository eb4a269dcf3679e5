"""Which clips of a run are explained, each by a model that never saw the person."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from semiology.errors import UserError
from semiology.learning.saved import SavedModel, load_model

PREFERRED = ("agcn_kd", "agcn")  # what `semiology predict` prefers, too


@dataclass(frozen=True)
class Explained:
    """One saved model and the clips that it is asked about (None: all).

    `kept`: the model is a fold's, which never saw them; else it was trained on everybody.
    """

    saved: SavedModel
    clip_ids: frozenset[str] | None
    kept: bool


def run_data(run: Path) -> tuple[str, str | None]:
    """The cohort and the store of a run.

    Raises:
        UserError: the folder is no run, or its cohort is not there any more.
    """
    path = run / "config.yaml"
    if not path.is_file():
        raise UserError(f"{run}: is no finished run (it has no config.yaml); `semiology loso` makes one")
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not Path(config["cohort"]).is_dir():
        raise UserError(f"{run}: its cohort {config['cohort']} is not there; call from the folder that the run was made from")
    return config["cohort"], config.get("store")


def tasks_of(run: Path) -> list[str]:
    """Folder names of the tasks that have models, kept or final."""
    found = sorted({path.name for where in ("kept", "models") for path in (run / where).glob("*/")})
    if not found:
        raise UserError(f"{run}: holds no trained models; run `semiology loso` with keep: true, which keeps those of every fold")
    return found


def models_of(run: Path, task: str) -> list[str]:
    """Names of a task's models, of the kept ones where there are any."""
    kept = sorted({path.parent.name for path in (run / "kept" / task).glob("seed-*/*/*/model.json")})
    return kept or sorted(path.parent.name for path in (run / "models" / task).glob("*/model.json"))


def explained(run: Path, task: str, model: str) -> Iterator[Explained]:
    """The first seed's kept models with their held-out clips; where nothing was kept, the model that was trained on everybody."""
    seeds = sorted((run / "kept" / task).glob("seed-*"), key=lambda path: int(path.name.removeprefix("seed-")))
    folders = [folder / model for folder in sorted(seeds[0].iterdir()) if (folder / model / "model.json").is_file()] if seeds else []
    for folder in folders:
        fold = folder.parent
        yield Explained(load_model(folder), held_out(run / "folds" / task / fold.parent.name / f"{fold.name}.json"), kept=True)
    if not folders:
        yield Explained(load_model(run / "models" / task / model), None, kept=False)


def held_out(record: Path) -> frozenset[str]:
    try:
        return frozenset(json.loads(record.read_text(encoding="utf-8"))["held_out_clips"])
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{record}: the fold's record is missing or damaged; run `semiology loso` again") from error


def readable(run: Path, task: str, model: str) -> bool:
    """Whether the model reads keypoints and nothing else: what is explained here."""
    first = next(explained(run, task, model))
    return tuple(first.saved.network.reads) == ("keypoints", "keypoint_mask")  # type: ignore[arg-type]


def chosen_model(run: Path, task: str, asked: str | None) -> str:
    """The model that is asked for, else the distilled AGCN, the AGCN, or the first that reads keypoints.

    Raises:
        UserError: no such model, or none that reads keypoints.
    """
    names = models_of(run, task)
    if asked is not None and asked not in names:
        raise UserError(f"{run}: {task} has no model {asked!r}; it has {', '.join(names)}")
    if asked is not None and not readable(run, task, asked):
        raise UserError(f"{run}: model {asked!r} reads appearance features; joints are explained for models that read keypoints only")
    if asked is not None:
        return asked
    for name in [*(name for name in PREFERRED if name in names), *names]:
        if readable(run, task, name):
            return name
    raise UserError(f"{run}: no model of {task} reads keypoints only; there are {', '.join(names)}")
