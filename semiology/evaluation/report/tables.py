"""metrics.json and the predictions as plain tables in long format, for R, SPSS or a spreadsheet."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from semiology.data.cohort.table import by_cell, to_cell
from semiology.evaluation.report import inputs
from semiology.evaluation.report.page import evaluate_run
from semiology.evaluation.run.predictions import levels_of
from semiology.evaluation.run.unanswered import Unanswered
from semiology.files import write_text
from semiology.models.training.reading import NotAssessable

METRICS = (
    *(
        "task",
        "label",
        "stream",
        "model",
        "versus",
        "level",
        "metric",
        "value",
        "low",
        "high",
        "interval",
    ),
    *("p", "p_of", "repeats", "p_corrected", "mcnemar_p", "n", "participants", "reason"),
)
PARTICIPANTS = (
    "task",
    "label",
    "stream",
    "model",
    "participant_id",
    "truth",
    "clips",
    "right",
    "abstained",
    "not_assessable",
    "score",
)


def write_tables(run: Path, unanswered: Unanswered = "wrong") -> list[Path]:
    """Write metrics.json, metrics.csv and participants.csv of a run; returns the tables' paths.

    metrics.csv: one row a result, columns `METRICS`; `level` is the unit of analysis (clip,
    recording, participant), `versus` the second model of a difference (model − versus), `p_of` what
    p is of, `n` the number of units. Undefined values are empty, with a `reason`.

    participants.csv: one row a participant and model, columns `PARTICIPANTS`; `right` and
    `abstained` are means over seeds, `score` the mean probability of the positive class (empty
    where there are more than two classes).

    Raises:
        UserError: the predictions, null.json or not_assessable.json cannot be read, or the folder
            cannot be written.
    """
    run = Path(run)
    predictions, metrics, _ = evaluate_run(run, unanswered)
    tables = {
        "metrics.csv": pd.DataFrame(list(metric_rows(metrics)), columns=list(METRICS)),
        "participants.csv": participant_table(predictions, inputs.read_not_assessable(run)),
    }
    for name, table in tables.items():
        write_text(run / name, by_cell(table, to_cell).to_csv(index=False))
    return [run / name for name in tables]


def metric_rows(metrics: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of metrics.csv: every named number of metrics.json."""
    for task, found in metrics["tasks"].items():
        known = {
            "task": task,
            "label": found["label"],
            "stream": found["stream"],
            "participants": found["participants"],
        }
        for model, evaluated in found["models"].items():
            about = known | {"model": model}
            yield from _results(
                evaluated["metrics"], about | {"level": "clip", "n": found["clips"]}
            )
            for level, at in (evaluated.get("by") or {}).items():
                yield from _results(at["metrics"], about | {"level": level, "n": at["n"]})
            calibration = evaluated.get("calibration") or {}
            for suffix, numbers in (
                ("", calibration),
                ("_calibrated", calibration.get("calibrated") or {}),
            ):
                yield from _numbers(
                    numbers,
                    ("ece", "ece_if_right"),
                    suffix,
                    about | {"level": "clip", "n": found["clips"]},
                )
                if suffix:
                    yield from _numbers(
                        numbers, ("brier",), suffix, about | {"level": "clip", "n": found["clips"]}
                    )
            names = ("committed", "accuracy_committed", "contains_truth")
            yield from _numbers(
                evaluated.get("abstention") or {},
                names,
                "",
                about | {"level": "clip", "n": found["clips"]},
            )
        for guess, values in found["no_skill"].items():
            numbers = {name: value for name, value in values.items() if not isinstance(value, str)}
            yield from _numbers(
                numbers,
                tuple(numbers),
                "",
                known | {"model": f"guess: {guess}", "level": "clip", "n": found["clips"]},
            )
        for difference in found.get("differences", []):
            about = known | {
                "model": difference["a"],
                "versus": difference["b"],
                "level": "clip",
                "n": found["clips"],
            }
            p = difference.get("p")
            yield (
                about
                | _columns_of(difference)
                | ({"p": p, "p_of": "exchange of the two models"} if p is not None else {})
            )


def participant_table(
    predictions: pd.DataFrame, lost: Mapping[str, list[NotAssessable]]
) -> pd.DataFrame:
    """One row a task, model and participant; also participants without an assessable clip."""
    rows = []
    for task, own in predictions.groupby("task", sort=False):
        levels = levels_of(own)
        lost_here = lost.get(str(task), [])
        known = {"task": task, "label": own["label"].iloc[0], "stream": own["stream"].iloc[0]}
        for model, evaluated in own.groupby("model", sort=False):
            for participant in sorted(
                {*own["participant_id"], *(clip.participant_id for clip in lost_here)}
            ):
                his = evaluated[evaluated["participant_id"] == participant]
                missed = [clip for clip in lost_here if clip.participant_id == participant]
                truth = {*his["truth"], *(clip.truth for clip in missed)}
                row = known | {
                    "model": model,
                    "participant_id": participant,
                    "truth": ";".join(level for level in levels if level in truth),
                }
                row |= {"clips": his["clip_id"].nunique(), "not_assessable": len(missed)}
                if len(his):
                    seeds = his["seed"].nunique()
                    abstained = his["plausible"].map(
                        lambda sets: sets is not None and len(sets) != 1
                    )
                    row |= {
                        "right": (his["truth"] == his["predicted"]).sum() / seeds,
                        "abstained": abstained.sum() / seeds,
                    }
                    row |= {"score": his["score"].mean()} if len(levels) == 2 else {}
                rows.append(row)
    return pd.DataFrame(rows, columns=list(PARTICIPANTS))


def _results(results: Mapping[str, Any], about: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, result in results.items():
        null = result.get("null") or {}
        chance = (
            {"p": null["p"], "p_of": "permuted labels", "repeats": null["n"]}
            if null.get("p") is not None
            else {}
        )
        yield about | {"metric": name} | _columns_of(result) | chance


def _columns_of(result: Mapping[str, Any]) -> dict[str, Any]:
    columns = ("metric", "value", "low", "high", "interval", "p_corrected", "mcnemar_p", "reason")
    return {column: result[column] for column in columns if column in result}


def _numbers(
    numbers: Mapping[str, Any], names: tuple[str, ...], suffix: str, about: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    yield from (
        about | {"metric": name + suffix, "value": numbers[name]}
        for name in names
        if numbers.get(name) is not None
    )
