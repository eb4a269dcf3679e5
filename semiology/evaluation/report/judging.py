"""From predictions.csv to metrics.json: what the page and the plain tables both begin with."""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from semiology.evaluation.report.inputs import read_config
from semiology.evaluation.run.files import read_null, split_pairs
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.statistics.results import evaluate
from semiology.files import write_text

PACKAGES = ("semiology", "torch", "lightning", "numpy", "pandas", "scikit-learn")


def judge(run: Path) -> tuple[pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """Judge the run's predictions, write `metrics.json`, and return predictions, metrics and null.json's content (empty without one).

    The coverage that was asked of plausible levels, and which tasks differ in their split alone, are read from config.yaml.

    Raises:
        UserError: predictions.csv or null.json cannot be read, or the folder cannot be written.
    """
    predictions = read_predictions(run / "predictions.csv")
    null = read_null(run / "null.json")
    config, _ = read_config(run)
    coverage = (config.get("calibration") or {}).get("coverage")
    metrics = evaluate(predictions, null=null or None, coverage=coverage, pairs=split_pairs(config)) | {"versions": _versions()}
    write_text(run / "metrics.json", json.dumps(metrics, indent=1, allow_nan=False) + "\n")
    return predictions, metrics, null


def _versions() -> dict[str, str]:
    """Versions of what judged, read from package records: nothing is imported for it."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
