"""Features from a run: of each fold's kept models, which never saw the fold's participants, or of
the models trained on everybody.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.run.files import run_data
from semiology.evaluation.run.kept import KeptFold, kept_folds
from semiology.experiments.probe.features import Features
from semiology.experiments.probe.layers import Per, layer_features
from semiology.files import slug
from semiology.models.training.clips import ClipSource
from semiology.models.training.saved import load_model


@dataclass(frozen=True)
class Stream:
    """One task's one model in a run: the kept models of its folds, or the final one, which was
    trained on everybody.

    Attributes:
        run: its folder.
        task, model: as their folders are called.
        folds: without that of the unseen test set, of which a probe learns nothing.
        final: folder of the final model.
        scored: clips that the run scored, the unseen test set's left out.
        missing: fold -> scored clips without a saved model that never saw them.
    """

    run: Path
    task: str
    model: str
    folds: tuple[KeptFold, ...]
    final: Path | None = None
    scored: frozenset[str] = frozenset()
    missing: dict[str, frozenset[str]] = field(default_factory=dict)

    def left_out(self, tested: Iterable[str]) -> dict[str, str]:
        """Scored clip -> why it cannot be tested."""
        why = {
            clip: f"no kept model of fold {name}"
            for name, clips in self.missing.items()
            for clip in clips
        }
        return {
            clip: why.get(clip, "no longer in the cohort")
            for clip in sorted(self.scored - set(tested))
        }


def run_features(
    run: str | Path,
    task: str | None = None,
    model: str | None = None,
    layers: Sequence[str] | None = None,
    per: Per = "clip",
    seed: int | None = None,
    final: bool = False,
) -> dict[str, Features]:
    """Features of a run's stream. With kept fold models, each clip of each fold from that fold's
    model, the held-out clips marked.

    Kept models that do not belong to the run's predictions.csv are passed over (`kept_folds`), and
    so are the clips of an unseen test set.

    Args:
        run: folder of the run; its config.yaml names the cohort and store to read.
        task: by name; may be left out where there is one.
        model: by name; may be left out where there is one.
        layers: see `layer_features`.
        per: "clip" or "frame".
        seed: of the folds; by default the first.
        final: look at the model that was trained on everybody instead: it has seen all
            participants.

    Raises:
        UserError: no models kept, several tasks or models and none named, a cohort that cannot be
            read, folds that divide a participant.
    """
    return stream_features(find_stream(run, task, model, seed, final), layers, per)


def stream_features(
    stream: Stream, layers: Sequence[str] | None = None, per: Per = "clip"
) -> dict[str, Features]:
    """Features of a stream that `find_stream` found; see `run_features`."""
    cohort, store = run_data(stream.run)
    if stream.final:
        return layer_features(stream.final, cohort, store, layers, per)
    source: ClipSource | None = None
    pieces: dict[str, list[Features]] = {}
    for fold in stream.folds:
        saved = load_model(fold.folder)
        if source is None or source.reading != saved.reading:
            source = ClipSource(str(cohort), saved.reading, store)
        for layer, found in layer_features(saved, source, None, layers, per).items():
            pieces.setdefault(layer, []).append(found)
    return {layer: _joined(layer, found, stream.folds) for layer, found in pieces.items()}


def find_stream(
    run: str | Path,
    task: str | None = None,
    model: str | None = None,
    seed: int | None = None,
    final: bool = False,
) -> Stream:
    """The models of one task, model and seed; raises as `run_features`."""
    run = Path(run)
    if not run.is_dir():
        raise UserError(f"{run}: there is no such folder; name the folder of a run")
    if final:
        folder = _one(run, "models/*", task, "task")
        trained = _one(run, f"models/{folder.name}/*", model, "model")
        return Stream(run, folder.name, trained.name, (), trained)
    kept = _one(run, "kept/*", task, "task")
    seeds = sorted(
        int(path.name.removeprefix("seed-"))
        for path in kept.glob("seed-*")
        if path.name.removeprefix("seed-").isdigit()
    )
    if not seeds or (seed is not None and seed not in seeds):
        named = "" if seed is None else f" for seed {seed}"
        there = (
            f"there are {', '.join(map(str, seeds))}"
            if seeds
            else "run `semiology loso` with keep: true"
        )
        raise UserError(f"{kept}: no models kept{named}; {there}")
    seed = seeds[0] if seed is None else seed
    chosen = _one(run, f"kept/{kept.name}/seed-{seed}/*/*", model, "model").name
    found = kept_folds(run, kept.name, chosen, seed)
    folds = tuple(fold for fold in found.folds if not fold.test)
    if not folds:
        raise UserError(
            f"{kept}: no kept {chosen} belongs to the folds in predictions.csv; run `semiology"
            " loso` with keep: true to the end"
        )
    for fold in folds:
        _check_whole(fold)
    scored = found.scored - folds[0].unused
    return Stream(
        run,
        kept.name,
        chosen,
        folds,
        None,
        scored,
        {name: clips & scored for name, clips in found.missing.items()},
    )


def _check_whole(fold: KeptFold) -> None:
    """All clips of the fold's participants are held out."""
    rest = set(fold.clips) - fold.held_out_clips - fold.unused
    if shared := fold.held_out & {fold.clips[clip] for clip in rest}:
        raise UserError(
            f"{fold.folder.parent}: holds out some clips of participant {min(shared)} and trains on"
            " others; probing across participants needs a run that holds out whole participants"
        )


def _one(run: Path, pattern: str, named: str | None, what: str) -> Path:
    """The folder of this pattern with this name, or the only one."""
    there = {path.name: path for path in sorted(run.glob(pattern)) if path.is_dir()}
    if not there and pattern.startswith("kept"):
        raise UserError(
            f"{run}: no models of folds are kept; run `semiology loso` with keep: true, or ask for"
            " the models that were trained on everybody (--final true)"
        )
    if not there:
        raise UserError(
            f"{run}: no models that were trained on everybody; run `semiology loso` with final:"
            " true"
        )
    if named is None and len(there) == 1:
        return next(iter(there.values()))
    found = [
        path for name, path in there.items() if named is not None and name in (named, slug(named))
    ]
    if not found:
        wrong = f"{what} not named" if named is None else f"no {what} {named!r}"
        raise UserError(f"{run}: {wrong}; there are {', '.join(there)} (--{what} NAME)")
    return found[0]


def _joined(layer: str, found: list[Features], folds: Sequence[KeptFold]) -> Features:
    """The folds' tables one below the other, each row marked by its fold and by whether that fold's
    model never saw it.

    Clips that took no part in a fold are left out: what an unseen test set shows is not for the
    probe to learn.
    """
    tables = []
    for fold, part in zip(folds, found):
        own = part.table[~part.table["clip_id"].isin(fold.unused)]
        keys = pd.DataFrame(
            {"fold": fold.name, "held_out": own["clip_id"].isin(fold.held_out_clips)},
            index=own.index,
        )
        tables.append(pd.concat([keys, own], axis=1))
    return Features(
        layer, pd.concat(tables, ignore_index=True), "nobody" if layer == "input" else "others"
    )
