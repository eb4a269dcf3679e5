"""What a run's folder holds for the audit: its protocol, its table of predictions, the records of its folds, its sources."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from semiology.errors import UserError
from semiology.predictions import read_predictions

TEST, TEST_SET = "test", " in the unseen test set"  # split of a record, and what its rows' tasks end with
KEYS = {"task", "seed", "permutation", "split", "fold", "held_out", "held_out_clips", "clips", "levels", "models", "predictions"}

Record = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A run as the audit reads it.

    Attributes:
        folder: of the run.
        config: the protocol, as config.yaml holds it; empty where that is missing.
        table: predictions.csv, see `semiology.predictions`.
        records: of the folds that the table names, true labels, and of the permuted runs behind null.json.
        sources: sources.json; None where it is missing.
        missing: what could not be read, one sentence each.
    """

    folder: Path
    config: dict[str, Any]
    table: pd.DataFrame
    records: list[Record]
    sources: dict[str, Any] | None
    missing: list[str] = field(default_factory=list)

    @property
    def judged(self) -> list[Record]:
        """Records of true labels: those whose predictions are in the table."""
        return [record for record in self.records if record["permutation"] is None]

    def model(self, name: str) -> dict[str, Any]:
        """A model's part of the protocol; empty where it has none."""
        return (self.config.get("models") or {}).get(name) or {}


def read_run(folder: str | Path) -> Run:
    """Read a run. Records that the table does not name (left over from an earlier protocol) are passed over.

    Raises:
        UserError: no run: there is no such folder, or it holds no readable predictions.csv.
    """
    folder = Path(folder)
    if not (folder / "predictions.csv").is_file():
        raise UserError(f"{folder}: not a run (no predictions.csv in it); name the folder that `semiology loso` wrote")
    table = read_predictions(folder / "predictions.csv")
    missing: list[str] = []
    config = _read(folder / "config.yaml", "config.yaml", missing) or {}
    sources = _read(folder / "sources.json", "sources.json", [])
    named = set(table[["task", "seed", "fold"]].itertuples(index=False, name=None))
    records = []
    for path in sorted((folder / "folds").rglob("*.json")):
        name = path.relative_to(folder).as_posix()
        record = _read(path, name, missing)
        if record is None:
            continue
        if lacking := KEYS - record.keys():
            missing.append(f"{name} does not say {', '.join(sorted(lacking))} (older version?); run `semiology loso` again")
        elif _is_of(record, config, named):
            records.append(record)
    return Run(folder, config, table, records, sources, missing)


def table_task(record: Record) -> str:
    """The task's name in predictions.csv."""
    return record["task"] + (TEST_SET if record["split"] == TEST else "")


def place(record: Record) -> str:
    """The fold, in words."""
    permuted = "" if record["permutation"] is None else f", permutation {record['permutation']}"
    return f"{record['task']}, seed {record['seed']}{permuted}, fold {record['fold']}"


def _is_of(record: Record, config: dict[str, Any], named: set[tuple[str, int, str]]) -> bool:
    if record["permutation"] is not None and record["permutation"] >= (config.get("permutations") or 0):
        return False
    return (table_task(record), record["seed"], str(record["fold"])) in named


def _read(path: Path, name: str, missing: list[str]) -> dict[str, Any] | None:
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)
        if isinstance(content, dict):
            return content
    except FileNotFoundError:
        missing.append(f"{name} is missing; run `semiology loso` again (what is finished is not trained anew)")
        return None
    except (ValueError, yaml.YAMLError):
        pass
    missing.append(f"{name} cannot be read; delete it and run `semiology loso` again")
    return None
