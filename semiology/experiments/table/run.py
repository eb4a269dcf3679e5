"""A run on a table: every fold of every model, to the files of a run as `semiology loso` writes
them. Ratings and numbers have scores.tsv in place of predictions.csv.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import yaml
from sklearn.model_selection import StratifiedGroupKFold
from tqdm import tqdm

from semiology.data.cohort.table import by_cell, to_cell
from semiology.errors import UserError
from semiology.evaluation.audit import audit, verdict
from semiology.evaluation.report import write_report
from semiology.evaluation.report.scored import Scored, write_scored
from semiology.evaluation.run.predictions import TEST, TEST_SET, with_predicted
from semiology.evaluation.run.records import record_rows
from semiology.evaluation.statistics.metrics import (
    auc_of_rows,
    confusion_matrix,
    from_confusion,
    macro_auc,
    metric_names,
)
from semiology.evaluation.statistics.permutation import permute_labels
from semiology.evaluation.statistics.results import values
from semiology.experiments.table.linear import linear_predictions
from semiology.experiments.table.models import MODELS, bounds_of, fit, predict, search
from semiology.experiments.table.reading import Rows, read_rows, row_digest
from semiology.experiments.table.settings import Table
from semiology.files import (
    atomic_path,
    begin_folder,
    portable_name,
    read_json,
    slug,
    write_json,
    write_text,
)
from semiology.parallel import run_parallel

SCHEMA = 1  # raise when the same options would give other predictions
STREAM = "table"
LINEAR = "linear"
MEDIAN = "median"  # the guess that uses no feature: the median of the training rows
FROM_SCORES = ("average_precision", "brier")  # metrics without a null of the linear model


@dataclass(frozen=True)
class Fold:
    """One fold: its name, the rows that are trained on and those that are held out (indices), and
    the permutation of the labels; None for the true ones.
    """

    name: str
    training: np.ndarray
    held: np.ndarray
    permutation: int | None = None

    def path(self, run: Path, task: str, seed: int) -> Path:
        """Where its record is."""
        under = f"seed-{seed}" if self.permutation is None else f"permutation-{self.permutation}"
        return run / "folds" / slug(task) / under / f"{self.name}.json"


@dataclass
class TableResult:
    """The folder of a run, its report, the verdict of its audit ("" of ratings and numbers), and
    what to know of it.
    """

    run: Path
    report: Path
    audit: str
    notes: list[str]


def run_table(settings: Table) -> TableResult:
    """Run every fold of every model on a table, or what is left of it, and write the run.

    Raises:
        UserError: as `read_rows`; no such model; folds that cannot be made.
    """
    rows = read_rows(settings)
    models = settings.models or list(MODELS[rows.task])
    _check_names(settings, models)
    for name in models:
        search(rows, name, len(rows.ids), settings.inner, settings.seed)
    folds = split_rows(settings, rows)
    run, task = Path(settings.out), task_name(settings)
    begin_folder(run)
    records = _records(settings, rows, models, folds, run, task)
    notes = _notes(settings, rows, folds)
    _write_settings(settings, rows, models, run, task, notes)
    linear = LINEAR in models and settings.permutations > 0
    true = [record for record in records if record["permutation"] is None]
    if rows.task != "classes":
        report = _write_scores(settings, rows, models, records, folds, linear, run, task, notes)
        return TableResult(run, report, "", notes)
    predictions = _predictions(settings, true)
    with atomic_path(run / "predictions.csv") as temporary:
        by_cell(predictions, to_cell).to_csv(temporary, index=False)
    null = _class_null(settings, rows, records, folds, linear, task)
    if null:
        write_json(run / "null.json", null)
    else:
        (run / "null.json").unlink(missing_ok=True)  # of an earlier run
    write_json(run / "sources.json", _sources(settings, rows))
    result = verdict(audit(run))
    return TableResult(run, write_report(run), result, notes)


def _check_names(settings: Table, models: Sequence[str]) -> None:
    own = {settings.target, *(settings.raters or ())}
    if taken := sorted(own & {*models, MEDIAN, "participant", "row", "fold", "task"}):
        raise UserError(
            f'column "{taken[0]}": its name is that of a model or of a column of scores.tsv; rename'
            " it"
        )
    if len(set(models)) < len(models):
        raise UserError(f"models: {', '.join(models)}; name each once")


def task_name(settings: Table) -> str:
    """The name of the task in predictions.csv."""
    return f"{settings.target} ({STREAM})"


def split_rows(settings: Table, rows: Rows) -> list[Fold]:
    """The folds; that of the unseen set last. They do not look at the target, so that they are the
    same under every permutation of the labels.

    Raises:
        UserError: fewer than two groups, or more folds than participants.
    """
    known = np.flatnonzero(~rows.unseen)
    people = rows.participants[known]
    by = settings.split_by(len(set(people)))
    held: dict[str, np.ndarray] = {}
    if by in ("participant", "column"):
        groups = people if by == "participant" else rows.held[known]
        held = {name: known[groups == name] for name in sorted(set(groups))}
        if len(held) < 2:
            raise UserError(
                f'column "{settings.column}" has one value; there is nothing to leave out'
            )
        if not all(_names_file(name) for name in held):
            held = {f"{number:04d}": own for number, own in enumerate(held.values(), 1)}
    elif by == "grouped":
        if settings.folds > len(set(people)):
            raise UserError(
                f"folds: {settings.folds}, but there are {len(set(people))} participants to split"
            )
        splitter = StratifiedGroupKFold(settings.folds, shuffle=True, random_state=settings.seed)
        nothing = np.zeros(len(known))
        parts = splitter.split(nothing, nothing, people)
        held = {f"{number:02d}": known[own] for number, (_, own) in enumerate(parts, 1)}
    folds = [Fold(name, np.setdiff1d(known, own), own) for name, own in held.items()]
    if rows.unseen.any():
        folds.append(Fold(TEST, known, np.flatnonzero(rows.unseen)))
    return folds


def _names_file(name: str) -> bool:
    try:
        return name != TEST and bool(portable_name(name))
    except ValueError:
        return False


def permuted_labels(settings: Table, rows: Rows, permutation: int) -> np.ndarray:
    """The targets permuted between participants."""
    rng = np.random.default_rng([settings.seed, permutation])
    return permute_labels(rows.participants, rows.target, rng)


def run_fold(
    settings: Table, rows: Rows, models: Sequence[str], fold: Fold, path: Path, task: str, key: str
) -> None:
    """Fit every model on a fold's training rows, predict its held-out rows, write its record."""
    if fold.permutation is not None:
        rows = rows.with_target(permuted_labels(settings, rows, fold.permutation))
    ids = rows.ids[fold.training].tolist()
    bounds = bounds_of(rows, fold.training, settings.scale)
    predicted, fitted = {}, {}
    for name in models:
        found = fit(rows, name, fold.training, settings.inner, settings.seed)
        predicted[name] = predict(found, rows, fold.held, bounds)
        fitted[name] = {
            "teacher": None,
            "seen": {"weights": ids, "standardisation": ids, "selection": ids},
            "parameters": {
                key.removeprefix("model__"): value for key, value in found.best_params_.items()
            },
            "epochs": 0,
            "calibration": None,
        }
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
        median = float(np.median(rows.target[fold.training]))
        record["values"] = {name: own.tolist() for name, own in predicted.items()} | {
            MEDIAN: [median] * len(held)
        }
    write_json(path, record, indent=None, checksummed=True)


def _records(
    settings: Table, rows: Rows, models: list[str], folds: list[Fold], run: Path, task: str
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
    for path in set((run / "folds").rglob("*.json")) - wanted:
        path.unlink()  # of an earlier run
    todo = [place for place in places if _finished(*place[:2]) is None]
    calls = [
        joblib.delayed(run_fold)(settings, rows, names, fold, path, task, key)
        for path, key, fold, names in todo
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


def split_setting(settings: Table, rows: Rows) -> dict[str, Any]:
    """The split as config.yaml of a run names it."""
    by = settings.split_by(len(set(rows.participants[~rows.unseen])))
    return {
        "by": {"column": "centre", "none": None}.get(by, by),
        "folds": settings.folds,
        "column": settings.column or "",
        "test": sorted(set(rows.participants[rows.unseen].tolist())) or None,
    }


def _write_settings(
    settings: Table, rows: Rows, models: list[str], run: Path, task: str, notes: list[str]
) -> None:
    """config.yaml, cohort.json, notes.json and table.json."""
    own = asdict(settings) | {"table": Path(settings.table).name, "out": "."}
    config = {
        "split": split_setting(settings, rows),
        "seeds": [settings.seed],
        "permutations": settings.others,
        "nulls": {LINEAR: settings.permutations} if LINEAR in models else {},
        "table": own,
    }
    plain = json.loads(json.dumps(config))
    write_text(run / "config.yaml", yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))
    counts: dict[str, Any] = {
        "participants": len(set(rows.participants)),
        "rows": len(rows.ids),
        "features": len(rows.numbers) + len(rows.categories),
        "missing numbers": int(rows.features[list(rows.numbers)].isna().sum().sum()),
    }
    for code, level in enumerate(rows.levels):
        counts[f"rows {level}"] = int((rows.target == code).sum())
    write_json(run / "cohort.json", {task: counts})
    write_json(run / "notes.json", notes)
    write_json(
        run / "table.json",
        {
            "sha256": rows.digest,
            "task": rows.task,
            "levels": list(rows.levels),
            "numbers": list(rows.numbers),
            "categories": list(rows.categories),
            "models": models,
            "settings": asdict(settings) | {"table": str(Path(settings.table).resolve())},
            "scikit-learn": version("scikit-learn"),
        },
    )


def _notes(settings: Table, rows: Rows, folds: Sequence[Fold]) -> list[str]:
    """What a reader has to know: what was left out, what was taken as what."""
    people = len(set(rows.participants))
    notes = [
        f"{settings.target} was taken as {rows.task}"
        + (f": {', '.join(rows.levels)}" if rows.levels else ""),
        f"{len(rows.numbers)} columns of numbers and {len(rows.categories)} of names are features"
        f" of {len(rows.ids)} rows of {people} participants",
        f"medians, scaling and categories were fitted in each of {len(folds)} folds, on its"
        f" training rows; parameters were chosen on {settings.inner} inner folds of its training"
        " participants",
        *rows.notes,
    ]
    if people == len(rows.ids):
        notes.append("every row is another participant")
    return notes


def _predictions(settings: Table, records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    parts = [row for record in records for row in record_rows(record, settings.target, STREAM)]
    return with_predicted(pd.DataFrame(parts))


def _sources(settings: Table, rows: Rows) -> dict[str, Any]:
    """What the audit has to know of each row: its person, covariates, and its measured numbers."""
    measured = rows.features[list(rows.numbers)].to_numpy(dtype=float)
    covariates = rows.covariates.to_dict("records") or [{}] * len(rows.ids)
    return {
        "schema": SCHEMA,
        "clips": {
            str(row): {
                "participant_id": str(person),
                "recording_id": str(row),
                "kind": "row",
                "content": row_digest(numbers.tolist()) or f"row {row}",
                "start": 0.0,
                "end": 0.0,
                "covariates": {name: value for name, value in own.items() if value},
            }
            for row, person, numbers, own in zip(rows.ids, rows.participants, measured, covariates)
        },
        "weights": {},
    }


def _labellings(settings: Table, rows: Rows) -> np.ndarray:
    """(labelling, row) targets permuted between participants."""
    rng = np.random.default_rng(settings.seed)
    _, people = np.unique(rows.participants, return_inverse=True)
    return np.stack(
        [permute_labels(people, rows.target, rng) for _ in range(settings.permutations)]
    )


def _parts(task: str, folds: Sequence[Fold]) -> dict[str, list[Fold]]:
    """Task in predictions.csv -> its folds: the unseen set is a task of its own."""
    parts = {
        task: [fold for fold in folds if fold.name != TEST],
        task + TEST_SET: [fold for fold in folds if fold.name == TEST],
    }
    return {name: own for name, own in parts.items() if own}


def _class_null(
    settings: Table,
    rows: Rows,
    records: Sequence[dict[str, Any]],
    folds: Sequence[Fold],
    linear: bool,
    task: str,
) -> dict[str, Any]:
    """task -> model -> metric -> its value under each permutation of the labels."""
    null: dict[str, Any] = {}
    for permutation in range(settings.others):
        table = _predictions(
            settings, [record for record in records if record["permutation"] == permutation]
        )
        table["scores"] = table["scores"].map(json.loads)
        for name, models in values(table).items():
            for model, metrics in models.items():
                for metric, value in metrics.items():
                    own = null.setdefault(name, {}).setdefault(model, {})
                    own.setdefault(metric, []).append(value)
    if linear:
        labels, count = _labellings(settings, rows), len(rows.levels)
        outputs = [1] if count == 2 else range(count)
        signs = np.stack([np.where(code == labels.T, 1.0, -1.0) for code in outputs], axis=1)
        for name, own in _parts(task, folds).items():
            pairs = [(fold.training, fold.held) for fold in own]
            held = np.concatenate([fold.held for fold in own])
            scores = linear_predictions(rows, pairs, signs, settings.inner)[held]
            null.setdefault(name, {})[LINEAR] = _class_metrics(labels[:, held], scores, count)
    return null


def _class_metrics(
    truth: np.ndarray, scores: np.ndarray, classes: int
) -> dict[str, list[float | None]]:
    """Metrics of (labelling, row) truths from (row, output, labelling) scores."""
    if scores.shape[1] == 1:
        predicted = (scores[:, 0] > 0).T.astype(int)
        areas = auc_of_rows((truth == 1).astype(float), scores[:, 0].T)
    else:
        predicted = scores.argmax(axis=1).T
        areas = macro_auc(
            np.stack(
                [
                    auc_of_rows((truth == code).astype(float), scores[:, code].T)
                    for code in range(classes)
                ]
            )
        )
    tables = np.stack(
        [confusion_matrix(own, given, classes) for own, given in zip(truth, predicted)]
    )
    found = {
        name: areas if name == "auc" else from_confusion(name, tables)
        for name in metric_names(classes)
        if name not in FROM_SCORES
    }
    return {
        name: [float(value) if np.isfinite(value) else None for value in own]
        for name, own in found.items()
    }


def _write_scores(
    settings: Table,
    rows: Rows,
    models: Sequence[str],
    records: Sequence[dict[str, Any]],
    folds: Sequence[Fold],
    linear: bool,
    run: Path,
    task: str,
    notes: list[str],
) -> Path:
    """scores.tsv, metrics.json and report.html of ratings or numbers; returns the last."""
    parts = []
    labels = _labellings(settings, rows) if linear else None
    for name, own in _parts(task, folds).items():
        named = {fold.name for fold in own}
        these = [record for record in records if record["fold"] in named]
        table = _scores_table(settings, rows, these, models)
        null = _score_null(settings, rows, these, own, labels)
        parts.append(Scored(name, table, [*models, MEDIAN], null))
    table = pd.concat([part.table.assign(task=part.task) for part in parts], ignore_index=True)
    with atomic_path(run / "scores.tsv") as temporary:
        by_cell(table, to_cell).to_csv(temporary, sep="\t", index=False, na_rep="n/a")
    return write_scored(
        run,
        parts,
        settings.target,
        list(settings.raters or ()),
        rating=rows.task == "rating",
        notes=notes,
        seed=settings.seed,
    )


def _scores_table(
    settings: Table, rows: Rows, records: Sequence[dict[str, Any]], models: Sequence[str]
) -> pd.DataFrame:
    """The rows of scores.tsv: participant, row, fold, target, a column a model, the raters'."""
    place = {row: number for number, row in enumerate(rows.ids.tolist())}
    ratings = rows.raters.to_dict("records") or [{}] * len(rows.ids)
    lines = []
    for record in records:
        for number, row in enumerate(record["held_out_clips"]):
            if record["permutation"] is not None:
                break
            line: dict[str, Any] = {
                "participant": record["clips"][row],
                "row": row,
                "fold": record["fold"],
                settings.target: float(rows.target[place[row]]),
            }
            line |= {name: record["values"][name][number] for name in (*models, MEDIAN)}
            lines.append(line | ratings[place[row]])
    return pd.DataFrame(lines)


def _score_null(
    settings: Table,
    rows: Rows,
    records: Sequence[dict[str, Any]],
    folds: Sequence[Fold],
    labels: np.ndarray | None,
) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """model -> (predicted, true) numbers of each permutation of the labels, in the rows of
    scores.tsv; with `labels` (labelling, row) the linear model's too.
    """
    null: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    held = np.concatenate([fold.held for fold in folds])
    for permutation in range(settings.others):
        truth = permuted_labels(settings, rows, permutation)[held]
        own = [record for record in records if record["permutation"] == permutation]
        for name in own[0]["models"] if own else ():
            predicted = np.concatenate([record["values"][name] for record in own])
            null.setdefault(name, []).append((predicted, truth))
    if labels is not None:
        pairs = [(fold.training, fold.held) for fold in folds]
        predicted = linear_predictions(rows, pairs, labels.T[:, None], settings.inner)[:, 0]
        for training, out in pairs if rows.task == "rating" else ():
            low, high = settings.scale or (
                labels[:, training].min(axis=1),
                labels[:, training].max(axis=1),
            )
            predicted[out] = predicted[out].clip(low, high)
        null[LINEAR] = list(zip(predicted[held].T, labels[:, held]))
    return null
