"""What a run's folder holds for the audit: its protocol, its table of predictions, the records of
its folds, its sources, its null.

The form that sources.json has to have; what it means is told in sources.py.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pandas as pd
from pydantic import AfterValidator

from semiology.errors import UserError
from semiology.evaluation.audit.fingerprint import COLUMNS, ROWS, from_text
from semiology.evaluation.run.files import File, checked, read_config, read_null, run_json
from semiology.evaluation.run.predictions import TEST_SET, read_predictions
from semiology.evaluation.run.records import KEYS, TEST, Record, is_named, read_record, table_task


def _course(text: str) -> str:
    try:
        from_text(text, 1)
    except (ValueError, zlib.error) as error:
        raise ValueError("not a course as text") from error
    return text


def _pictures(text: str) -> str:
    if not text.startswith(f"{COLUMNS * ROWS}:"):
        raise ValueError(f"not pictures of {COLUMNS * ROWS} cells")
    return text


Course = Annotated[str, AfterValidator(_course)]


class Source(File):
    """What the audit has to know of a clip."""

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
    movement: Course | None = None
    pictures: Annotated[Course, AfterValidator(_pictures)] | None = None


class Weights(File):
    """A network that made tracks or features."""

    what: str
    origin: str | None = None
    participants: list[str] | None


class Sources(File):
    """sources.json."""

    clips: dict[str, Source]
    weights: dict[str, Weights]


__all__ = ["TEST", "TEST_SET", "Record", "Run", "place", "read_run", "table_task"]

Content = TypeVar("Content")


@dataclass(frozen=True)
class Run:
    """A run as the audit reads it.

    Attributes:
        folder: of the run.
        config: the protocol, as config.yaml holds it; empty where that is missing or damaged.
        table: predictions.csv, see `semiology.evaluation.run.predictions`.
        records: of the folds that the table names, true labels, and of the permuted runs behind
            null.json.
        sources: sources.json; None where it is missing or damaged.
        unsourced: why it is None.
        null: null.json; None where it is damaged, empty where it is missing.
        missing: what of protocol and records could not be read, one sentence each.
    """

    folder: Path
    config: dict[str, Any]
    table: pd.DataFrame
    records: list[Record]
    sources: dict[str, Any] | None
    unsourced: str = ""
    null: dict[str, Any] | None = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    @property
    def judged(self) -> list[Record]:
        """Records of true labels: those whose predictions are in the table."""
        return [record for record in self.records if record["permutation"] is None]

    def model(self, name: str) -> dict[str, Any]:
        """A model's part of the protocol; empty where it has none."""
        return (self.config.get("models") or {}).get(name) or {}

    def models_of(self, record: Record) -> dict[str, dict[str, Any]]:
        """Model -> what the record notes of it, of all that had to be trained in this fold; empty
        where the record is silent.

        These are the ones that the record notes, those that predicted and are no selection, and
        those that the protocol names for the task.
        """
        every = self.config.get("models") or {}
        asked = ((self.config.get("tasks") or {}).get(record["task"]) or {}).get("models") or list(
            every
        )
        teachers = [teacher for name in asked if (teacher := self.model(name).get("teacher"))]
        predicted = [
            row["model"]
            for row in record["predictions"]
            if row["model"] not in record.get("selected", {})
        ]
        return {
            name: record["models"].get(name, {})
            for name in dict.fromkeys([*record["models"], *predicted, *asked, *teachers])
        }


def read_run(folder: str | Path) -> Run:
    """Read a run. Records that the table does not name (left over from an earlier protocol) are
    passed over.

    Raises:
        UserError: no run: there is no such folder, or it holds no readable predictions.csv.
    """
    folder = Path(folder)
    if not (folder / "predictions.csv").is_file():
        raise UserError(
            f"{folder}: not a run (no predictions.csv in it); name the folder that `semiology loso`"
            " wrote"
        )
    table = read_predictions(folder / "predictions.csv")
    missing: list[str] = []
    config, _ = _read(folder, "config.yaml", read_config, missing) or ({}, "")
    if not config and not missing:
        missing.append(
            "config.yaml is missing; run `semiology loso` again (what is finished is not trained"
            " anew)"
        )
    why: list[str] = []
    sources = _read(folder, "sources.json", _sources, why)
    if not (folder / "sources.json").is_file():
        why = [
            "sources.json is missing; run `semiology loso` again with the cohort at hand (nothing"
            " is trained anew)"
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
                f"{name} does not say {', '.join(sorted(lacking))} (older version?); run `semiology"
                " loso` again"
            )
        elif _was_asked(record, config) and is_named(record, table):
            records.append(record)
    return Run(folder, config, table, records, sources, "".join(why), null, missing)


def place(record: Record) -> str:
    """The fold, in words."""
    permuted = "" if record["permutation"] is None else f", permutation {record['permutation']}"
    return f"{record['task']}, seed {record['seed']}{permuted}, fold {record['fold']}"


def _was_asked(record: Record, config: dict[str, Any]) -> bool:
    return record["permutation"] is None or record["permutation"] < (
        config.get("permutations") or 0
    )


def _sources(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = run_json(path, "loso")
    if path.is_file():
        checked(path, "loso", Sources, content)
    return content


def _read(
    folder: Path, name: str, reader: Callable[[Path], Content], missing: list[str]
) -> Content | None:
    """What the reader makes of a file, or None and a sentence where it is damaged."""
    try:
        return reader(folder / name)
    except UserError as error:
        missing.append(str(error).removeprefix(f"{folder}/"))
        return None
