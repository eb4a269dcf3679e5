"""GESTURES (Pérez-García et al., MICCAI 2021) on its public features: aggregators by segments, folds by seizure and by subject."""

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import yaml
from tqdm import tqdm

from semiology.data.gestures import LEVELS, FeatureSet, View, read_feature_set
from semiology.evaluation.published import GESTURES, GESTURES_SEIZURES
from semiology.evaluation.report import write_report
from semiology.evaluation.run.predictions import COLUMNS, read_predictions
from semiology.evaluation.statistics.results import evaluate
from semiology.experiments.reproduce.comparison import CORRELATION, check_correlation
from semiology.experiments.reproduce.dealing import by_seizure, by_subject
from semiology.experiments.reproduce.gestures_protocol import GesturesProtocol
from semiology.experiments.reproduce.gestures_results import difference_text, differences, rows
from semiology.experiments.reproduce.outcome import Reproduction, wilson_of_clips
from semiology.experiments.reproduce.settings import constants, departures, parsed, protocol_file, read_tags, read_yaml
from semiology.experiments.reproduce.snippet_training import probabilities, train_aggregator
from semiology.files import atomic_path, write_text
from semiology.work import Workers, work

SCHEMA = 1  # raise when the same settings would give other predictions
NOT_LEARNED = {"features", "out", "splits", *Workers.__dataclass_fields__}  # settings that no fold's predictions depend on
TASKS = {"seizure": "TCS (folds by seizure)", "subject": "TCS (folds by subject)"}
FOLDERS = {"seizure": "TCS-by-seizure", "subject": "TCS-by-subject"}
SPLIT = {"seizure": "recording", "subject": "grouped"}  # as the records of folds call it

DEPARTURES = [  # of our code from the paper's or the authors'
    "the last epoch is kept; the authors' code keeps the one with the best F1 on the fold that is tested [C]",
    "accuracy and F1 are pooled over all seizures; the authors' code averages F1 over batches [C]",
    "whether a seizure is TCS is read from OnsetClonic, as the authors deal folds by it; they train on RatioGTCS [C]",
    "a video too short for its segments has overlapping snippets; the authors' code refuses it [C]",
]


def reproduce_gestures(protocol: GesturesProtocol, correlation: float = CORRELATION) -> Reproduction:
    """Run the protocol of GESTURES on its public feature set, and set what comes out beside the published table.

    Every aggregator with every number of segments is trained on each fold's other seizures, and says of both views of the held-out ones how
    likely TCS is; the views are averaged, above one half is TCS [T]. Writes folds/ (a record each: a run goes on where it was),
    predictions.csv (a clip is a view, a recording the seizure), notes.json, cohort.json, metrics.json, report.html and reproduction.json.

    Raises:
        UserError: the features cannot be read, see `read_feature_set`; seizures that cannot be dealt into folds; a correlation outside
            0 to 1.
    """
    check_correlation(correlation)
    out = Path(protocol.out)
    data = read_feature_set(Path(protocol.features), protocol.snippet, protocol.rate, protocol.shortest)
    dealt = {
        split: by_seizure(data.views, protocol.folds) if split == "seizure" else by_subject(data.views, protocol.folds, protocol.seed)
        for split in protocol.splits
    }
    key = _key(protocol, data)
    units = [(split, fold) for split in dealt for fold in range(protocol.folds)]
    paths = {(split, fold): out / f"folds/{FOLDERS[split]}/seed-{protocol.seed}/{fold}.json" for split, fold in units}
    todo = [(split, fold) for (split, fold), path in paths.items() if _read_record(path, key) is None]
    calls = [joblib.delayed(_run_fold)(protocol, data.views, dealt[split], split, fold, key, paths[split, fold]) for split, fold in todo]
    with tqdm(total=len(paths), initial=len(paths) - len(todo), desc="folds", unit="fold") as bar:
        for _ in work(calls, protocol):
            bar.update()
    records = [_read_record(path, key) for path in paths.values()]
    with atomic_path(out / "predictions.csv") as temporary:
        _table([record for record in records if record]).to_csv(temporary, index=False)
    seizures = {view.recording_id: view for view in data.views}
    cohort = {
        "subjects": len({view.participant_id for view in data.views}),
        "seizures": len(seizures),
        "views": len(data.views),
        **{f"seizures {level}": sum(view.target == number for view in seizures.values()) for number, level in enumerate(LEVELS)},
    }
    _write_json(out / "cohort.json", cohort)
    _write_json(out / "notes.json", data.notes)
    dealing = {TASKS[split]: {"split": {"by": SPLIT[split], "folds": protocol.folds}} for split in dealt}
    write_text(out / "config.yaml", yaml.safe_dump(asdict(protocol) | {"tasks": dealing}, sort_keys=False))  # the report compares them
    predictions = read_predictions(out / "predictions.csv")
    found = differences(predictions, TASKS)
    file = protocol_file("gestures_table")
    tags, paper = read_tags(file), parsed(read_yaml(file), GesturesProtocol, str(file))
    reproduction = Reproduction(
        paper=GESTURES.paper,
        assumption=wilson_of_clips(GESTURES, correlation),
        rows=rows(
            evaluate(predictions), TASKS, protocol.aggregators, protocol.segments, cohort["seizures TCS"] / len(seizures), correlation
        ),
        deviations=[*departures(paper, protocol, tags), *_other_people(cohort), *DEPARTURES, *data.notes],
        constants=constants(protocol, tags),
        extra={"folds": found},
        text=difference_text(found),
    )
    reproduction.write(out)
    write_report(out)
    return reproduction


def _run_fold(
    protocol: GesturesProtocol, views: Sequence[View], dealt: dict[str, int], split: str, fold: int, key: str, path: Path
) -> None:
    """Train every aggregator without one fold's seizures, score both views of these, and write the record."""
    held_out = [view for view in views if dealt[view.recording_id] == fold]
    training = [view for view in views if dealt[view.recording_id] != fold]
    seen = sorted(view.clip_id for view in training)
    predictions, models = [], {}
    for kind in protocol.aggregators:
        for segments in protocol.segments:
            name = f"{kind}_{segments}"
            network = train_aggregator(training, kind, segments, protocol, zlib.crc32(f"{protocol.seed}/{name}/{fold}".encode()))
            fitted = {"weights": seen, "class_weights": seen, "batch_norm": []}  # there is no batch normalisation
            models[name] = {"teacher": None, "seen": fitted, "epochs": protocol.epochs}
            for view, levels in zip(held_out, probabilities(network, held_out, protocol.snippet, segments).tolist()):
                row = {"model": name, "clip_id": view.clip_id, "recording_id": view.recording_id, "truth": view.target}
                predictions.append(row | {"probabilities": [round(level, 6) for level in levels]})
    record = {
        "key": key,
        "task": TASKS[split],
        "seed": protocol.seed,
        "permutation": None,
        "split": SPLIT[split],
        "fold": str(fold),
        "held_out": sorted({view.participant_id for view in held_out}),
        "held_out_clips": sorted(view.clip_id for view in held_out),
        "clips": {view.clip_id: view.participant_id for view in views},
        "levels": LEVELS,
        "models": models,
        "inner": [],
        "selected": {},
        "predictions": predictions,
    }
    write_text(path, json.dumps(record))


def _table(records: list[dict[str, Any]]) -> pd.DataFrame:
    """One row a view and model; the columns of `semiology.evaluation.run.predictions`."""
    table = []
    for record in records:
        for row in record["predictions"]:
            scores = dict(zip(record["levels"], row["probabilities"]))
            table.append(
                {
                    "task": record["task"],
                    "label": "seizure type",
                    "stream": "snippets",
                    "model": row["model"],
                    "seed": record["seed"],
                    "fold": record["fold"],
                    "clip_id": row["clip_id"],
                    "participant_id": record["clips"][row["clip_id"]],
                    "truth": record["levels"][row["truth"]],
                    "predicted": max(scores, key=scores.__getitem__),
                    "score": row["probabilities"][1],
                    "scores": json.dumps(scores),
                    "recording_id": row["recording_id"],
                }
            )
    return pd.DataFrame(table)[[*COLUMNS, "recording_id"]]


def _other_people(cohort: dict[str, int]) -> list[str]:
    own = (cohort["subjects"], cohort["seizures FOS"], cohort["seizures TCS"])
    paper = (GESTURES.participants, GESTURES_SEIZURES["FOS"], GESTURES_SEIZURES["TCS"])
    if own == paper:
        return []
    return [f"{own[0]} subjects, {own[1]} FOS and {own[2]} TCS instead of {paper[0]}, {paper[1]} and {paper[2]} [T]"]


def _key(protocol: GesturesProtocol, data: FeatureSet) -> str:
    """Hash of everything that a fold's predictions depend on: settings, who shows what, every vector."""
    digest = hashlib.sha256()
    settings = {name: value for name, value in asdict(protocol).items() if name not in NOT_LEARNED}
    digest.update(json.dumps({"schema": SCHEMA, **settings}, sort_keys=True).encode())
    for view in data.views:
        digest.update(f"{view.clip_id}/{view.participant_id}/{view.target}".encode())
        digest.update(view.features.tobytes())
    return digest.hexdigest()[:16]


def _read_record(path: Path, key: str) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if record.get("key") == key else None


def _write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=1) + "\n")
