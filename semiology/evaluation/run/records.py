"""Records of a run's folds (RUN/folds/), as audit and report read them: checked, and only those
that predictions.csv names.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from semiology.evaluation.run.files import File, checked, run_json
from semiology.evaluation.run.tasks import TEST, TEST_SET
from semiology.evaluation.statistics.calibration import Calibrator, fit_calibrator

KEYS = {
    "task",
    "seed",
    "permutation",
    "split",
    "fold",
    "held_out",
    "held_out_clips",
    "clips",
    "levels",
    "models",
    "predictions",
}

Record = dict[str, Any]


class Trained(File):
    """A model of the fold, its teacher, and the clips that each part of it was fitted on."""

    teacher: str | None = None
    seen: dict[str, list[str]] = Field(default={})
    calibration: Calibrator | None = None


class Prediction(File):
    """A model's prediction of a clip; classes by number. Of a rating or a number, where the record
    has no levels, `truth` and `value` are it, and there are no probabilities.
    """

    model: str
    clip_id: str
    recording_id: str | None = None
    truth: int | float
    probabilities: list[float] = Field(default=[])
    value: float | None = None
    calibrated: list[float] | None = None
    plausible: list[int] | None = None

    def numbers(self) -> set[int | float]:
        """Numbers of the classes that the row names."""
        return {self.truth, *(self.plausible or [])}


class InnerPrediction(Prediction):
    """A prediction of a training clip, by a model of an inner fold."""

    fold: int | str


class Fold(File):
    """One fold's record, RUN/folds/<task>/seed-<seed>/<fold>.json: who was held out, what the
    models were trained on, and their predictions.
    """

    task: str
    seed: int
    permutation: int | None
    split: str
    fold: str | int
    held_out: list[str]
    held_out_clips: list[str]
    clips: dict[str, str]
    levels: list[str]
    models: dict[str, Trained]
    predictions: list[Prediction]
    inner: list[InnerPrediction] = Field(default=[])
    unscored: list[str] = Field(default=[])  # of `clips`, that another label of the network has
    selected: dict[str, str] = Field(default={})

    @model_validator(mode="after")
    def levels_are_known(self) -> Self:
        """Every row has one probability for each class, and names no other class."""
        for row in (*self.predictions, *self.inner):
            if not self.levels:
                if row.value is None:
                    raise ValueError(f"{row.model}, clip {row.clip_id}: neither levels nor a value")
                continue
            given = [row.probabilities] + ([row.calibrated] if row.calibrated is not None else [])
            if any(len(probabilities) != len(self.levels) for probabilities in given):
                raise ValueError(
                    f"{row.model}, clip {row.clip_id}: not one probability for each class"
                )
            known = set(range(len(self.levels)))
            if not isinstance(row.truth, int) or not row.numbers() <= known:
                raise ValueError(
                    f"{row.model}, clip {row.clip_id}: names a class that is not there"
                )
        return self


def read_record(path: Path) -> Record:
    """A fold's record as it stands; one of an older version, which lacks some of KEYS, is not
    checked further.

    Raises:
        UserError: it is damaged; the line names the first place that is wrong.
    """
    record: Record = run_json(path, "loso")
    if record.keys() >= KEYS:
        checked(path, "loso", Fold, record)
    return record


def table_task(record: Record) -> str:
    """The task's name in predictions.csv."""
    return str(record["task"]) + (TEST_SET if record["split"] == TEST else "")


def record_rows(record: Record, label: str, stream: str) -> list[dict[str, Any]]:
    """The rows of a fold's record, `scores` as dictionaries."""
    levels = record["levels"]
    return [
        {
            "task": table_task(record),
            "label": label,
            "stream": stream,
            "model": row["model"],
            "seed": record["seed"],
            "fold": record["fold"],
            "clip_id": row["clip_id"],
            "participant_id": record["clips"][row["clip_id"]],
            "truth": levels[row["truth"]],
            "scores": dict(zip(levels, row["probabilities"])),
            "recording_id": row["recording_id"],
            "calibrated": (
                json.dumps(dict(zip(levels, row["calibrated"]))) if "calibrated" in row else ""
            ),
            "plausible": (
                json.dumps([levels[level] for level in row["plausible"]])
                if row.get("plausible") is not None
                else ""
            ),
        }
        for row in record["predictions"]
    ]


def calibrator_of(
    rows: Iterable[Mapping[str, Any]], model: str, method: str, coverage: float | None
) -> Calibrator:
    """A model's calibration, fitted on its out-of-fold rows: `inner` of a record, for example."""
    own = [row for row in rows if row["model"] == model]
    probabilities, truth = (
        np.array([row[name] for row in own]) for name in ("probabilities", "truth")
    )
    return fit_calibrator(probabilities, truth, method, coverage)


def with_calibration(
    rows: list[dict[str, Any]], fitted: dict[str, Calibrator]
) -> list[dict[str, Any]]:
    """Rows of predictions with `calibrated` probabilities and `plausible` levels, where their model
    has a calibration.
    """
    done = []
    for row in rows:
        if row["model"] in fitted:
            calibrator, probabilities = fitted[row["model"]], np.array([row["probabilities"]])
            sets = calibrator.plausible(probabilities)
            row = {
                **row,
                "calibrated": calibrator.apply(probabilities)[0].round(6).tolist(),
                "plausible": sets[0] if sets else None,
            }
        done.append(row)
    return done


def is_named(record: Record, table: pd.DataFrame) -> bool:
    """Whether the table has rows of this task, seed and fold: others are left over from an earlier
    protocol.
    """
    rows = (
        (table["task"] == table_task(record))
        & (table["seed"] == record["seed"])
        & (table["fold"] == str(record["fold"]))
    )
    return bool(rows.any())
