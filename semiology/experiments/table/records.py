"""The records of the folds: every model fitted on the training rows of a fold, its predictions of
the held-out rows, and on whom it was fitted. What is there is not trained again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from time import monotonic as now
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from tqdm import tqdm

from semiology.errors import UserError
from semiology.evaluation.run.records import Record, calibrator_of, with_calibration
from semiology.evaluation.run.tasks import TEST
from semiology.experiments.table.folds import Fold, Work, permuted_labels, split_setting
from semiology.experiments.table.importance import importance_key, measure_fold, place
from semiology.experiments.table.models import bounds_of, fit, predict
from semiology.experiments.table.reading import Rows
from semiology.experiments.table.settings import MEDIAN
from semiology.files import read_json, write_json
from semiology.parallel import run_parallel

SCHEMA = 2  # raise when the same options would give other predictions


def fold_key(work: Work, fold: Fold) -> str:
    """Hash of everything that the fold's predictions depend on."""
    settings, rows = work.settings, work.rows
    content = {
        "schema": SCHEMA,
        "table": rows.digest,
        "columns": [settings.participant, settings.target, rows.numbers, rows.categories],
        "task": [rows.task, rows.levels, settings.scale],
        "rows": rows.ids.tolist(),
        "models": work.models_of(fold),
        "inner": settings.inner,
        "calibration": [settings.calibration, settings.coverage],
        "seed": settings.seed,
        "fold": [fold.name, fold.training.tolist(), fold.held.tolist(), fold.permutation],
        "scikit-learn": version("scikit-learn"),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def finished(work: Work, fold: Fold) -> Record | None:
    """The record of a fold that is finished; None where it has to be trained."""
    key = fold_key(work, fold)
    record = _read(work.path(fold), key)
    if record is None or not work.groups or fold.permutation is not None:
        return record
    part = importance_key(work.settings, work.groups, key)
    return record if _read(place(work.run, work.task, fold), part) is not None else None


def run_fold(work: Work, fold: Fold) -> None:
    """Fit every model on a fold's training rows, predict its held-out rows, write its record, and
    what the models rely on.
    """
    settings, rows, key = work.settings, work.rows, fold_key(work, fold)
    if fold.permutation is not None:
        rows = rows.with_target(permuted_labels(settings, rows, fold.permutation))
    ids = rows.ids[fold.training].tolist()
    bounds = bounds_of(rows, fold.training, settings.scale)
    fitted = {
        name: fit(rows, name, fold.training, settings.inner, settings.seed)
        for name in work.models_of(fold)
    }
    predicted = {name: predict(found, rows, fold.held, bounds) for name, found in fitted.items()}
    described = {name: _described(ids, found.best_params_) for name, found in fitted.items()}
    people, inner = rows.participants, []
    if rows.task != "classes" and fold.permutation is None:
        predicted[MEDIAN] = np.full(len(fold.held), np.median(rows.target[fold.training]))
        described[MEDIAN] = _described(ids, {})
    predictions = [
        row for name, own in predicted.items() for row in _rows(rows, fold.held, name, own)
    ]
    if settings.calibrates and fold.permutation is None:
        inner = [row for name in fitted for row in inner_rows(work, fold, name, fitted[name])]
        known = {row["model"] for row in inner}  # none where one person has all of a class
        calibrators = {
            name: calibrator_of(inner, name, settings.calibration, settings.coverage)
            for name in fitted
            if name in known
        }
        predictions = with_calibration(predictions, calibrators)
        for name, own in calibrators.items():
            described[name]["calibration"] = asdict(own)
            described[name]["seen"]["calibration"] = ids
    record: Record = {
        "key": key,
        "task": work.task,
        "seed": settings.seed,
        "permutation": fold.permutation,
        "split": TEST if fold.name == TEST else split_setting(settings, rows)["by"],
        "fold": fold.name,
        "held_out": sorted(set(people[fold.held].tolist())),
        "held_out_clips": rows.ids[fold.held].tolist(),
        "clips": dict(zip(rows.ids.tolist(), people.tolist())),
        "levels": list(rows.levels),
        "models": described,
        "inner": inner,
        "predictions": predictions,
    }
    if work.groups and fold.permutation is None:
        part = importance_key(settings, work.groups, key)
        measure_fold(fitted, work, fold, part)
    write_json(work.path(fold), record, indent=None, checksummed=True)


def _rows(rows: Rows, which: np.ndarray, name: str, predicted: np.ndarray) -> list[dict[str, Any]]:
    """A model's predictions of these rows, as a record holds them."""
    found = []
    for number, given in zip(which.tolist(), predicted):
        row: dict[str, Any] = {
            "model": name,
            "clip_id": str(rows.ids[number]),
            "recording_id": str(rows.ids[number]),
        }
        if rows.task == "classes":
            row |= {"truth": int(rows.target[number]), "probabilities": given.round(6).tolist()}
        else:
            row |= {"truth": float(rows.target[number]), "value": float(given)}
        found.append(row)
    return found


def inner_rows(work: Work, fold: Fold, name: str, fitted: GridSearchCV) -> list[dict[str, Any]]:
    """Out-of-fold probabilities of a fold's training rows, on inner folds by participant, with the
    parameters that were chosen on these [our choice].
    """
    rows, training = work.rows, fold.training
    people = rows.participants[training]
    splitter = GroupKFold(min(work.settings.inner, len(set(people))))
    found = []
    for number, (train, test) in enumerate(splitter.split(training, groups=people)):
        model = clone(fitted.best_estimator_)
        own, out = training[train], training[test]
        if len(np.unique(rows.target[own])) < 2:
            continue
        model.fit(rows.features.iloc[own], rows.target[own])
        given = _rows(rows, out, name, predict(model, rows, out, None))
        found += [{**row, "fold": number} for row in given]
    return found


def _described(ids: list[str], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A model's entry in the record: the rows that everything of it was fitted on."""
    return {
        "teacher": None,
        "seen": {"weights": ids, "standardisation": ids, "selection": ids},
        "parameters": {name.removeprefix("model__"): value for name, value in parameters.items()},
        "epochs": 0,
        "calibration": None,
    }


def clear(works: Sequence[Work], run: Path) -> None:
    """Remove the records of an earlier run with other folds or tasks."""
    wanted = set()
    for work in works:
        permuted = [fold for own in work.permuted() for fold in own]
        wanted |= {work.path(fold) for fold in [*work.folds, *permuted]}
        wanted |= {place(run, work.task, fold) for fold in work.folds if work.groups}
    for path in {*(run / "folds").rglob("*.json"), *(run / "importance").rglob("*.json")} - wanted:
        path.unlink()


def fold_records(work: Work) -> list[Record]:
    """Records of all folds, those of permutations too; what is there is not trained again.

    With a budget, permutations are begun as long as the last one's time fits into what is left of
    it; at least one is, and those of earlier calls are there already.
    """
    permuted, budget = work.permuted(), work.settings.budget
    if budget is None:
        return _train(work, [*work.folds, *(fold for own in permuted for fold in own)])
    records = _train(work, work.folds)
    began, last = now(), 0.0
    for own in permuted:
        started = now()
        waiting = any(finished(work, fold) is None for fold in own)
        if waiting and last and started + last > began + budget:
            break
        records += _train(work, own)
        last = now() - started if waiting else last
    return records


def _train(work: Work, folds: Sequence[Fold]) -> list[Record]:
    """Records of these folds, after those that are not there have been trained."""
    todo = [fold for fold in folds if finished(work, fold) is None]
    calls = [joblib.delayed(run_fold)(work, fold) for fold in todo]
    done = len(folds) - len(todo)
    with tqdm(total=len(folds), initial=done, desc="folds", unit="fold") as bar:
        for _ in run_parallel(calls, work.settings):
            bar.update()
    records = [finished(work, fold) for fold in folds]
    if lost := [work.path(fold) for fold, own in zip(folds, records) if own is None]:
        raise UserError(f"{lost[0]}: the fold's record is not there; run the same command again")
    return [record for record in records if record is not None]


def _read(path: Path, key: str) -> Record | None:
    if not path.is_file():
        return None
    try:
        record: Record = read_json(path, checksummed=True)
    except UserError:
        return None
    return record if record.get("key") == key else None
