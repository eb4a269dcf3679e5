"""A run's folder as the audit reads it: protocol, predictions, records of folds, sources, null.

The form of sources.json is checked here; sources.py explains its content.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pandas as pd
from pydantic import AfterValidator, Field

from semiology.errors import UserError
from semiology.evaluation.audit.check import Finding
from semiology.evaluation.audit.fingerprint import COLUMNS, ROWS, from_text
from semiology.evaluation.run.files import (
    File,
    checked,
    read_config,
    read_null,
    run_json,
    task_settings,
)
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.run.records import KEYS, TEST, Record, is_named, read_record, table_task
from semiology.evaluation.run.scores import About, has_numbers, read_numbers
from semiology.evaluation.run.tasks import TEST_SET


def _time_course(text: str) -> str:
    try:
        from_text(text, 1)
    except (ValueError, zlib.error) as error:
        raise ValueError("not a time course as text") from error
    return text


def _images(text: str) -> str:
    if not text.startswith(f"{COLUMNS * ROWS}:"):
        raise ValueError(f"not images of {COLUMNS * ROWS} cells")
    return text


TimeCourse = Annotated[str, AfterValidator(_time_course)]


class Source(File):
    """A clip in sources.json: what the audit has to know of it."""

    participant_id: str
    recording_id: str | None = None
    kind: str
    content: str | None = None
    start: float
    end: float
    covariates: dict[str, Any]
    width: float | None = None
    height: float | None = None
    fps: float | None = None
    duration: float | None = None
    brightness: float | None = None
    colour: float | None = None
    infrared: float | None = None
    movement: TimeCourse | None = None
    pictures: Annotated[TimeCourse, AfterValidator(_images)] | None = None


class Weights(File):
    """A network that produced tracks or features, in sources.json."""

    what: str
    origin: str | None = None
    participants: list[str] | None


class Encoder(File):
    """A pretrained encoder that models start from, in sources.json."""

    what: str
    participants: list[str] | None
    contents: list[str]


class Sources(File):
    """Content of sources.json: the videos of the clips, the weights that made their tracks and
    features, and the encoders that models start from.
    """

    clips: dict[str, Source]
    weights: dict[str, Weights]
    encoders: dict[str, Encoder] = Field(default={})


__all__ = ["TEST", "TEST_SET", "Record", "Run", "describe_fold", "read_run", "table_task"]

Content = TypeVar("Content")


@dataclass(frozen=True)
class Run:
    """A run as the audit reads it.

    Attributes:
        folder: of the run.
        config: the protocol, as config.yaml holds it; empty where that is missing or damaged.
        table: predictions.csv, see `semiology.evaluation.run.predictions`.
        records: of the folds in the table (true labels), and of the permuted runs behind null.json.
        sources: sources.json; None where it is missing or damaged.
        unsourced: why it is None.
        null: null.json; None where it is damaged, empty where it is missing.
        missing: what of protocol and records could not be read.
        scores: what the columns of scores.tsv are, of a run of ratings or numbers; its table then
            has `truth` and `value` as numbers.
    """

    folder: Path
    config: dict[str, Any]
    table: pd.DataFrame
    records: list[Record]
    sources: dict[str, Any] | None
    unsourced: list[Finding] = field(default_factory=list)
    null: dict[str, Any] | None = field(default_factory=dict)
    missing: list[Finding] = field(default_factory=list)
    scores: About | None = None

    @property
    def evaluated(self) -> list[Record]:
        """Records with true labels: those whose predictions are in the table."""
        return [record for record in self.records if record["permutation"] is None]

    def model(self, name: str) -> dict[str, Any]:
        """The settings of a model in the protocol; empty where it has none."""
        return (self.config.get("models") or {}).get(name) or {}

    def models_of(self, record: Record) -> dict[str, dict[str, Any]]:
        """Every model that had to be trained in this fold -> its part of the record (may be empty).

        These are the models of the record, those that predicted and are no selection, and those
        that the protocol names for the task.
        """
        every = self.config.get("models") or {}
        named = task_settings(self.config, record["task"]).get("models") or list(every)
        before = [
            other
            for name in named
            for needed in ("teacher", "warm")
            if (other := self.model(name).get(needed))
        ]
        predicted = [
            row["model"]
            for row in record["predictions"]
            if row["model"] not in record.get("selected", {})
        ]
        return {
            name: record["models"].get(name, {})
            for name in dict.fromkeys([*record["models"], *predicted, *named, *before])
        }


def read_run(folder: str | Path) -> Run:
    """Read a run. Records that do not belong to the table (from an earlier protocol) are ignored.

    Raises:
        UserError: no run: there is no such folder, or it holds no readable predictions.csv.
    """
    folder = Path(folder)
    if not has_numbers(folder) and not (folder / "predictions.csv").is_file():
        raise UserError(
            f"{folder}: not a run (no predictions.csv in it); name the folder that `semiology loso`"
            " wrote"
        )
    missing: list[Finding] = []
    config, _ = _read(folder, "config.yaml", read_config, missing) or ({}, "")
    if not config and not missing:
        missing.append(
            Finding(
                "config-missing",
                "config.yaml is missing; run `semiology loso` again (finished folds are not trained"
                " again)",
                ("config.yaml",),
            )
        )
    if numbers := read_numbers(folder, config) if has_numbers(folder) else None:
        table = numbers.long()
    else:
        table = read_predictions(folder / "predictions.csv")
    unsourced: list[Finding] = []
    sources = _read(folder, "sources.json", _sources, unsourced)
    if not (folder / "sources.json").is_file():
        unsourced = [
            Finding(
                "sources-missing",
                "sources.json is missing; run `semiology loso` again with the cohort at hand"
                " (nothing is trained again)",
                ("sources.json",),
            )
        ]
        sources = None
    null = _read(folder, "null.json", read_null, [])
    records = []
    for path in sorted((folder / "folds").rglob("*.json")):
        name = path.relative_to(folder).as_posix()
        record = _read(folder, name, read_record, missing)
        if record is None:
            continue
        if lacking := KEYS - record.keys():
            missing.append(
                Finding(
                    "record-incomplete",
                    f"{name} lacks {', '.join(sorted(lacking))} (older version?); run `semiology"
                    " loso` again",
                    (name, *sorted(lacking)),
                )
            )
        elif _is_requested(record, config) and is_named(record, table):
            records.append(record)
    about = numbers.about if numbers else None
    return Run(folder, config, table, records, sources, unsourced, null, missing, about)


def describe_fold(record: Record) -> str:
    """A fold by task, seed and name, for a reader."""
    permuted = "" if record["permutation"] is None else f", permutation {record['permutation']}"
    return f"{record['task']}, seed {record['seed']}{permuted}, fold {record['fold']}"


def _is_requested(record: Record, config: dict[str, Any]) -> bool:
    return record["permutation"] is None or record["permutation"] < (
        config.get("permutations") or 0
    )


def _sources(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = run_json(path, "loso")
    if path.is_file():
        checked(path, "loso", Sources, content)
    return content


def _read(
    folder: Path, name: str, reader: Callable[[Path], Content], missing: list[Finding]
) -> Content | None:
    """What the reader makes of a file, or None and a finding where it is damaged."""
    try:
        return reader(folder / name)
    except UserError as error:
        missing.append(Finding("damaged", str(error).removeprefix(f"{folder}/"), (name,)))
        return None
