"""What `msr` and `utkinect` share: a config's streams with MiniRocket beside them, and one table of
accuracy with intervals and training time.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from typing import Any

from semiology.cli.experiments import read_protocol
from semiology.evaluation.run.settings import Model, Protocol
from semiology.experiments.loso import run_loso
from semiology.files import slug
from semiology.models.networks import Network


def run_config(config: str) -> Protocol | None:
    """Run a config; None where something failed. MiniRocket runs too where the extra `rocket` is
    installed.
    """
    protocol = read_protocol(["--config", config])
    if find_spec("aeon"):
        rocket = Model(Network("minirocket"), channels=("joint", "bone", "motion"))
        protocol = replace(protocol, models={**protocol.models, "minirocket": rocket})
    else:
        print("without minirocket: the extra `rocket` is not installed")
    result = run_loso(protocol)
    for task, why in {**result.refused, **result.failed}.items():
        print(f"{task}: {why}")
    print(f"audit: {result.audit}")
    return None if result.refused or result.failed else protocol


def accuracies(run: Path, task: str) -> dict[str, dict[str, Any]]:
    """model -> accuracy with its interval by participant."""
    models = json.loads((run / "metrics.json").read_text())["tasks"][task]["models"]
    return {name: found["metrics"]["accuracy"] for name, found in models.items()}


def seconds(run: Path, task: str, fold: str = "*") -> dict[str, float]:
    """model -> seconds of one training, mean over the folds whose names match."""
    times: dict[str, list[float]] = {}
    for path in (run / "folds" / slug(task)).glob(f"seed-*/{fold}.json"):
        for name, model in json.loads(path.read_text())["models"].items():
            if "seconds" in model:
                times.setdefault(name, []).append(model["seconds"])
    return {name: mean(values) for name, values in times.items()}


def weights(run: Path) -> dict[str, dict[str, float]]:
    """fusion, as task/model -> member -> its weight, mean over the folds; of learned ones."""
    path = run / "fusions.json"
    folds: dict[str, list[Mapping[str, float]]] = {}
    for entry in json.loads(path.read_text()) if path.is_file() else ():
        folds.setdefault(f"{entry['task']}/{entry['model']}", []).append(entry["weights"])
    return {
        name: {member: mean(one[member] for one in found) for member in found[0]}
        for name, found in folds.items()
    }


def show(
    title: str, accuracy: Mapping[str, Mapping[str, float]], took: Mapping[str, float]
) -> None:
    """Print one line a model, best first."""
    print(title)
    for name, found in sorted(accuracy.items(), key=lambda item: -item[1]["value"]):
        time = f"{took[name]:8.1f} s a training" if name in took else ""
        interval = f"({found['low']:.3f} to {found['high']:.3f})"
        print(f"  {name:<14}{found['value']:.3f} {interval}{time}")
