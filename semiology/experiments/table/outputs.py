"""What a run on a table writes beside the records of its folds: settings, notes, predictions.csv or
scores.tsv, and what the audit has to know of each row.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from semiology.data.cohort.table import by_cell, to_cell
from semiology.evaluation.run.predictions import with_predicted
from semiology.evaluation.run.records import Record, record_rows, table_task
from semiology.evaluation.run.scores import NAME, write_numbers
from semiology.experiments.table.folds import Work, split_setting
from semiology.experiments.table.leaks import row_digest
from semiology.experiments.table.reading import Rows
from semiology.experiments.table.settings import LINEAR, MEDIAN, STREAM, Table
from semiology.files import atomic_path, write_json, write_text

SCHEMA = 1  # of sources.json


def write_settings(
    settings: Table, works: Sequence[Work], notes: list[str], permutations: int
) -> None:
    """config.yaml, cohort.json, notes.json and table.json; `permutations` is the number of those
    that were trained.
    """
    first, run = works[0], works[0].run
    rows = first.rows
    own = asdict(settings) | {"table": Path(settings.table).name, "out": "."}
    config = {
        "split": split_setting(settings, rows),
        "seeds": [settings.seed],
        "permutations": permutations,
        "calibration": {
            "method": settings.calibration,
            "folds": settings.inner,
            "coverage": settings.coverage,
        },
        "nulls": {LINEAR: settings.permutations} if LINEAR in first.models else {},
        "table": own,
    }
    if len(works) > 1:
        config["tasks"] = {
            work.task: {"split": split_setting(work.settings, work.rows)} for work in works
        }
    if rows.task != "classes":
        config["scores"] = about_numbers(settings, rows, first.models)
    plain = json.loads(json.dumps(config))
    write_text(run / "config.yaml", yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))
    write_json(run / "cohort.json", {work.task: _counts(work.rows) for work in works})
    write_json(run / "notes.json", notes)
    write_json(
        run / "table.json",
        {
            "sha256": rows.digest,
            "task": rows.task,
            "levels": list(rows.levels),
            "numbers": list(rows.numbers),
            "categories": list(rows.categories),
            "models": list(first.models),
            "settings": asdict(settings) | {"table": str(Path(settings.table).resolve())},
            "scikit-learn": version("scikit-learn"),
        },
    )


def _counts(rows: Rows) -> dict[str, int]:
    counts = {
        "participants": len(set(rows.participants)),
        "rows": len(rows.ids),
        "features": len(rows.numbers) + len(rows.categories),
        "missing numbers": int(rows.features[list(rows.numbers)].isna().sum().sum()),
    }
    for code, level in enumerate(rows.levels):
        counts[f"rows {level}"] = int((rows.target == code).sum())
    return counts


def about_numbers(settings: Table, rows: Rows, models: Sequence[str]) -> dict[str, Any]:
    """What the columns of scores.tsv are."""
    return {
        "target": settings.target,
        "models": [*models, MEDIAN],
        "raters": list(settings.raters or ()),
        "rating": rows.task == "rating",
        "seed": settings.seed,
    }


def notes_of(work: Work, permutations: int) -> list[str]:
    """What a reader has to know: what was left out, what was taken as what."""
    settings, rows, folds = work.settings, work.rows, work.folds
    people = len(set(rows.participants))
    notes = [
        f"{settings.target} was taken as {rows.task}"
        + (f": {', '.join(rows.levels)}" if rows.levels else ""),
        f"{len(rows.numbers)} columns of numbers and {len(rows.categories)} of names are features"
        f" of {len(rows.ids)} rows of {people} participants",
        f"medians, scaling and categories were fitted on the training rows of a fold (of"
        f" {len(folds)}); parameters were chosen on {settings.inner} inner folds of its training"
        " participants",
        *rows.notes,
    ]
    if rows.task == "classes":
        notes.append("a clip, in this report, is a row of the table")
    if settings.budget is not None:
        rest = (
            "all that were wanted"
            if permutations >= settings.most_others
            else f"of {settings.most_others}; the same command goes on from there"
        )
        notes.append(
            f"{permutations} permutations of the models other than {LINEAR} are there within a"
            f" budget of {settings.budget:g} s: {rest}"
        )
    if people == len(rows.ids):
        notes.append("every row is another participant")
    return notes


def write_predictions(works: Sequence[Work], records: Sequence[Sequence[Record]]) -> None:
    """Write predictions.csv from the records of every target, or scores.tsv of a rating or a
    number; the other one is removed.
    """
    run, classes = works[0].run, works[0].rows.task == "classes"
    if classes:
        parts = [predictions_table(work.settings, own) for work, own in zip(works, records)]
        with atomic_path(run / "predictions.csv") as temporary:
            by_cell(pd.concat(parts), to_cell).to_csv(temporary, index=False)
    else:
        (work,) = works
        write_numbers(run, scores_table(work.settings, work.rows, records[0], work.models))
    (run / (NAME if classes else "predictions.csv")).unlink(missing_ok=True)


def predictions_table(settings: Table, records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    parts = [row for record in records for row in record_rows(record, settings.target, STREAM)]
    return with_predicted(pd.DataFrame(parts))


def write_sources(works: Sequence[Work]) -> None:
    """sources.json: what the audit has to know of each row, its person, covariates, and its
    measured numbers.
    """
    clips = {row: clip for work in works for row, clip in _clips(work.rows).items()}
    content = {"schema": SCHEMA, "clips": clips, "weights": {}}
    write_json(works[0].run / "sources.json", content)


def _clips(rows: Rows) -> dict[str, Any]:
    measured = rows.features[list(rows.numbers)].to_numpy(dtype=float)
    covariates = rows.covariates.to_dict("records") or [{}] * len(rows.ids)
    return {
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
    }


def scores_table(
    settings: Table, rows: Rows, records: Sequence[dict[str, Any]], models: Sequence[str]
) -> pd.DataFrame:
    """The rows of scores.tsv: participant, row, fold, target, models, raters, task."""
    place = {row: number for number, row in enumerate(rows.ids.tolist())}
    names = [str(name) for name in rows.raters]
    ratings = [dict(zip(names, own)) for own in rows.raters.to_numpy().tolist()]
    ratings = ratings or [{} for _ in rows.ids]
    lines: dict[str, dict[str, Any]] = {}
    for record in records:
        for given in record["predictions"]:
            row = given["clip_id"]
            line = lines.setdefault(
                row,
                {
                    "participant": record["clips"][row],
                    "row": row,
                    "fold": record["fold"],
                    settings.target: float(given["truth"]),
                    **dict.fromkeys((*models, MEDIAN)),
                    **ratings[place[row]],
                    "task": table_task(record),
                },
            )
            line[given["model"]] = given["value"]
    return pd.DataFrame(list(lines.values()))
