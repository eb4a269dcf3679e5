"""The records of the folds: every model fitted on the training rows of a fold, its predictions of
the held-out rows, and on whom it was fitted. What is there is not trained again.
"""

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from tqdm import tqdm

from semiology.errors import UserError
from semiology.evaluation.run.predictions import TEST
from semiology.experiments.table.folds import Fold, permuted_labels, split_setting
from semiology.experiments.table.importance import Groups, importance_key, measure_fold, place
from semiology.experiments.table.models import bounds_of, fit, predict
from semiology.experiments.table.reading import Rows
from semiology.experiments.table.settings import LINEAR, MEDIAN, Table
from semiology.files import read_json, write_json
from semiology.parallel import run_parallel

SCHEMA = 2  # raise when the same options would give other predictions


def run_fold(
    settings: Table,
    rows: Rows,
    models: Sequence[str],
    fold: Fold,
    run: Path,
    task: str,
    key: str,
    groups: Groups,
) -> None:
    """Fit every model on a fold's training rows, predict its held-out rows, write its record, and
    what the models rely on.
    """
    if fold.permutation is not None:
        rows = rows.with_target(permuted_labels(settings, rows, fold.permutation))
    ids = rows.ids[fold.training].tolist()
    bounds = bounds_of(rows, fold.training, settings.scale)
    predicted, fitted, kept = {}, {}, {}
    for name in models:
        found = kept[name] = fit(rows, name, fold.training, settings.inner, settings.seed)
        predicted[name] = predict(found, rows, fold.held, bounds)
        fitted[name] = _fitted(ids, found.best_params_)
    people = rows.participants
    held = rows.ids[fold.held].tolist()
    record: dict[str, Any] = {
        "key": key,
        "task": task,
        "seed": settings.seed,
        "permutation": fold.permutation,
        "split": TEST if fold.name == TEST else split_setting(settings, rows)["by"],
        "fold": fold.name,
        "held_out": sorted(set(people[fold.held].tolist())),
        "held_out_clips": held,
        "clips": dict(zip(rows.ids.tolist(), people.tolist())),
        "models": fitted,
    }
    if rows.task == "classes":
        record |= {
            "levels": list(rows.levels),
            "predictions": [
                {
                    "model": name,
                    "clip_id": held[number],
                    "recording_id": held[number],
                    "truth": int(rows.target[fold.held[number]]),
                    "probabilities": probabilities.round(6).tolist(),
                }
                for name in models
                for number, probabilities in enumerate(predicted[name])
            ],
        }
    else:
        if fold.permutation is None:
            predicted[MEDIAN] = np.full(len(held), np.median(rows.target[fold.training]))
            fitted[MEDIAN] = _fitted(ids, {})
        record |= {
            "levels": [],
            "predictions": [
                {
                    "model": name,
                    "clip_id": held[number],
                    "recording_id": held[number],
                    "truth": float(rows.target[fold.held[number]]),
                    "value": value,
                }
                for name, values in predicted.items()
                for number, value in enumerate(values.tolist())
            ],
        }
    if groups and fold.permutation is None:
        part = importance_key(settings, groups, key)
        measure_fold(kept, settings, rows, fold, groups, place(run, fold), part)
    path = fold.path(run, task, settings.seed)
    write_json(path, record, indent=None, checksummed=True)


def _fitted(ids: list[str], parameters: dict[str, Any]) -> dict[str, Any]:
    """A model's entry in the record: the rows that everything of it was fitted on."""
    return {
        "teacher": None,
        "seen": {"weights": ids, "standardisation": ids, "selection": ids},
        "parameters": {name.removeprefix("model__"): value for name, value in parameters.items()},
        "epochs": 0,
        "calibration": None,
    }


def fold_records(
    settings: Table,
    rows: Rows,
    models: list[str],
    folds: list[Fold],
    run: Path,
    task: str,
    groups: Groups,
) -> list[dict[str, Any]]:
    """Records of all folds, those of permutations too; what is there is not trained again."""
    others = [name for name in models if name != LINEAR]
    work = [(fold, models) for fold in folds]
    work += [
        (Fold(fold.name, fold.training, fold.held, permutation), others)
        for permutation in range(settings.others if others else 0)
        for fold in folds
    ]
    places = [
        (fold.path(run, task, settings.seed), _key(settings, rows, names, fold), fold, names)
        for fold, names in work
    ]
    wanted = {path for path, _, _, _ in places}
    wanted |= {place(run, fold) for fold in folds if groups}
    for path in {*(run / "folds").rglob("*.json"), *(run / "importance").glob("*.json")} - wanted:
        path.unlink()  # of an earlier run
    todo = [
        (key, fold, names)
        for path, key, fold, names in places
        if _finished(path, key) is None
        or (
            groups
            and fold.permutation is None
            and _finished(place(run, fold), importance_key(settings, groups, key)) is None
        )
    ]
    calls = [
        joblib.delayed(run_fold)(settings, rows, names, fold, run, task, key, groups)
        for key, fold, names in todo
    ]
    with tqdm(total=len(places), initial=len(places) - len(todo), desc="folds", unit="fold") as bar:
        for _ in run_parallel(calls, settings):
            bar.update()
    records = [_finished(path, key) for path, key, _, _ in places]
    if lost := [path for (path, *_), record in zip(places, records) if record is None]:
        raise UserError(f"{lost[0]}: the fold's record is not there; run the same command again")
    return [record for record in records if record is not None]


def _finished(path: Path, key: str) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        record: dict[str, Any] = read_json(path, checksummed=True)
    except UserError:
        return None
    return record if record.get("key") == key else None


def _key(settings: Table, rows: Rows, models: Sequence[str], fold: Fold) -> str:
    """Hash of everything that the fold's predictions depend on."""
    content = {
        "schema": SCHEMA,
        "table": rows.digest,
        "columns": [settings.participant, settings.target, rows.numbers, rows.categories],
        "task": [rows.task, rows.levels, settings.scale],
        "rows": rows.ids.tolist(),
        "models": list(models),
        "inner": settings.inner,
        "seed": settings.seed,
        "fold": [fold.name, fold.training.tolist(), fold.held.tolist(), fold.permutation],
        "scikit-learn": version("scikit-learn"),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
