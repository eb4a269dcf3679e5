"""Features from a run: of each fold's kept models, which never saw the fold's participants, or of the models trained on everybody."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from semiology.errors import UserError
from semiology.files import slug
from semiology.learning.clips import ClipSource
from semiology.learning.saved import load_model
from semiology.probe.features import Features
from semiology.probe.layers import Per, layer_features


@dataclass(frozen=True)
class KeptFold:
    """One fold's kept model and the clips that it was not trained on."""

    name: str
    folder: Path
    held_out: frozenset[str]


@dataclass(frozen=True)
class Stream:
    """One task's one model in a run: the kept models of its folds, or the final one, which was trained on everybody."""

    run: Path
    task: str  # as its folder is called
    model: str
    folds: tuple[KeptFold, ...]
    final: Path | None = None


def run_features(
    run: str | Path,
    task: str | None = None,
    model: str | None = None,
    layers: Sequence[str] | None = None,
    per: Per = "clip",
    seed: int | None = None,
    final: bool = False,
) -> dict[str, Features]:
    """Features of a run's stream. With kept fold models, each clip of each fold from that fold's model, the held-out clips marked.

    Args:
        run: folder of the run; its config.yaml says which cohort and store to read.
        task: by name; may be left out where there is one.
        model: by name; may be left out where there is one.
        layers: see `layer_features`.
        per: "clip" or "frame".
        seed: of the folds; by default the first.
        final: look at the model that was trained on everybody instead: it has seen all participants.

    Raises:
        UserError: no models kept, several tasks or models and none named, a cohort that cannot be read, folds that divide a participant.
    """
    return stream_features(find_stream(run, task, model, seed, final), layers, per)


def stream_features(stream: Stream, layers: Sequence[str] | None = None, per: Per = "clip") -> dict[str, Features]:
    """Features of a stream that `find_stream` found; see `run_features`."""
    cohort, store = run_cohort(stream.run)
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


def run_cohort(run: Path) -> tuple[Path, str | None]:
    """The cohort and the store that a run read.

    Raises:
        UserError: the folder is no run.
    """
    try:
        config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        return Path(config["cohort"]), config.get("store")
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise UserError(f"{run}: is no finished run (no config.yaml that names a cohort); `semiology loso` makes one") from error


def find_stream(run: str | Path, task: str | None = None, model: str | None = None, seed: int | None = None, final: bool = False) -> Stream:
    """The models of one task, model and seed; raises as `run_features`."""
    run = Path(run)
    if not run.is_dir():
        raise UserError(f"{run}: there is no such folder; name the folder of a run")
    if final:
        folder = _one(_one(run / "models", task, "task"), model, "model")
        return Stream(run, folder.parent.name, folder.name, (), folder)
    kept = _one(run / "kept", task, "task")
    seeds = {int(folder.name.removeprefix("seed-")): folder for folder in kept.glob("seed-*")}
    if seed is not None and seed not in seeds:
        raise UserError(f"{kept}: no models kept for seed {seed}; there are {', '.join(map(str, sorted(seeds)))}")
    of_seed = seeds[min(seeds) if seed is None else seed]
    names = sorted(folder.name for folder in of_seed.iterdir() if folder.is_dir())
    chosen = _one(of_seed / names[0], model, "model").name
    folds = [
        KeptFold(name, of_seed / name / chosen, _held_out(run / "folds" / kept.name / of_seed.name / f"{name}.json")) for name in names
    ]
    return Stream(run, kept.name, chosen, tuple(folds))


def _held_out(record: Path) -> frozenset[str]:
    """The clips that a fold held out, from its record, where these are all clips of their participants."""
    try:
        told = json.loads(record.read_text(encoding="utf-8"))
        owners, held_out = told["clips"], frozenset(told["held_out_clips"])
        people = {owners[clip] for clip in held_out}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{record}: the fold's record is missing or damaged; run `semiology loso` again") from error
    if shared := people & {owner for clip, owner in owners.items() if clip not in held_out}:
        raise UserError(
            f"{record}: holds out some clips of participant {min(shared)} and trains on others; probing across participants needs a "
            "run that holds out whole participants"
        )
    return held_out


def _one(folder: Path, asked: str | None, what: str) -> Path:
    """The folder's part that is asked for, or its only one."""
    there = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not there:
        missing = "kept" if "kept" in folder.parts else "final"
        raise UserError(
            f"{folder}: no models {missing}; run `semiology loso` with keep: true"
            + (", or ask for the models that were trained on everybody (--final true)" if missing == "kept" else " (or final: true)")
        )
    if asked is None and len(there) == 1:
        return folder / there[0]
    found = [name for name in there if asked is not None and name in (asked, slug(asked))]
    if not found:
        wrong = f"{what} not named" if asked is None else f"no {what} {asked!r}"
        raise UserError(f"{folder}: {wrong}; there are {', '.join(there)} (--{what} NAME)")
    return folder / found[0]


def _joined(layer: str, found: list[Features], folds: Sequence[KeptFold]) -> Features:
    """The folds' tables one below the other, each row marked by its fold and by whether that fold's model never saw it."""
    tables = []
    for fold, part in zip(folds, found):
        keys = pd.DataFrame({"fold": fold.name, "held_out": part.table["clip_id"].isin(fold.held_out)}, index=part.table.index)
        tables.append(pd.concat([keys, part.table], axis=1))
    return Features(layer, pd.concat(tables, ignore_index=True), "nobody" if layer == "input" else "others")
