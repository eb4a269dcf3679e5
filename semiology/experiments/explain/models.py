"""Which clips of a run are explained, each by a model that never saw it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from semiology.errors import UserError
from semiology.evaluation.run.kept import KeptFolds, kept_folds
from semiology.evaluation.run.settings import PREFERRED
from semiology.models.training.saved import SavedModel, load_model


@dataclass(frozen=True)
class Explained:
    """One saved model and the clips that it explains (None: all).

    `kept`: the model is a fold's, which never saw them; else it was trained on everybody. `known`:
    those of them whose participant it knows from other clips, as where folds are split by
    recording.
    """

    saved: SavedModel
    clip_ids: frozenset[str] | None
    kept: bool
    known: frozenset[str] = frozenset()


def tasks_of(run: Path) -> list[str]:
    """Folder names of the tasks that have models, kept or final."""
    found = sorted({path.name for where in ("kept", "models") for path in (run / where).glob("*/")})
    if not found:
        raise UserError(
            f"{run}: holds no trained models; run `semiology loso` with keep: true, which keeps"
            " those of every fold"
        )
    return found


def models_of(run: Path, task: str) -> list[str]:
    """Names of a task's models, of the kept ones where there are any that belong to the run's
    predictions.
    """
    kept = sorted(
        {path.parent.name for path in (run / "kept" / task).glob("seed-*/*/*/model.json")}
    )
    return [name for name in kept if kept_of(run, task, name)] or sorted(
        path.parent.name for path in (run / "models" / task).glob("*/model.json")
    )


def kept_of(run: Path, task: str, model: str) -> KeptFolds | None:
    """The kept folds of the first seed that has any; None where nothing was kept.

    Raises:
        UserError: as `kept_folds`.
    """
    seeds = sorted(
        int(path.name.removeprefix("seed-")) for path in (run / "kept" / task).glob("seed-*")
    )
    return next(
        (found for seed in seeds if (found := kept_folds(run, task, model, seed)).folds), None
    )


def explained(run: Path, task: str, model: str) -> Iterator[Explained]:
    """The first seed's kept models with their held-out clips; where nothing was kept, the model
    that was trained on everybody.
    """
    kept = kept_of(run, task, model)
    if kept is None:
        yield Explained(load_model(run / "models" / task / model), None, kept=False)
        return
    for fold in kept.folds:
        saved = load_model(fold.folder)
        people = {*saved.about.get("training", []), *saved.about.get("validation", [])}
        known = frozenset(clip for clip in fold.held_out_clips if fold.clips[clip] in people)
        yield Explained(saved, fold.held_out_clips, kept=True, known=known)


def acquaintance(models: Sequence[Explained]) -> str:
    """What the models know of the people whose clips they explain: "never seen", "known" from other
    clips, "some known", "trained on".
    """
    if not models[0].kept:
        return "trained on"
    known, clips = (
        frozenset().union(*part)
        for part in ((one.known for one in models), (one.clip_ids or () for one in models))
    )
    return "never seen" if not known else "known" if known == clips else "some known"


def unreadable(run: Path, task: str, model: str) -> str:
    """Why a model cannot be explained here, which takes one that reads the keypoints of one window
    and nothing else; empty if it can.
    """
    network = next(explained(run, task, model)).saved.network
    if hasattr(network, "solve"):
        return "has no gradients; joints are explained for networks that are trained"
    if tuple(network.reads) != ("keypoints", "keypoint_mask"):  # type: ignore[arg-type]
        return "reads appearance features; joints are explained for models that read keypoints only"
    return (
        "reads segments of a clip; joints are explained for models that read windows"
        if hasattr(network, "over_segments")
        else ""
    )


def chosen_model(run: Path, task: str, model: str | None) -> str:
    """The model of this name, else the distilled AGCN, the AGCN, or the first that reads
    keypoints.

    Raises:
        UserError: no such model, or none that reads keypoints of windows.
    """
    names = models_of(run, task)
    if model is not None and model not in names:
        raise UserError(f"{run}: {task} has no model {model!r}; it has {', '.join(names)}")
    if model is not None and (reason := unreadable(run, task, model)):
        raise UserError(f"{run}: model {model!r} {reason}")
    if model is not None:
        return model
    for name in [*(name for name in PREFERRED if name in names), *names]:
        if not unreadable(run, task, name):
            return name
    raise UserError(
        f"{run}: no model of {task} reads keypoints only; there are {', '.join(names)}; those of"
        " segments are not explained"
    )
