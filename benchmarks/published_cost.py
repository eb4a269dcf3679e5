"""What the published Table 1 costs (configs/hou2022.yaml: 38 clips of 30 to 90 s, 19 folds, three
models, two signs, three seeds), by this build and by the one before: core hours, from a slice.

    make bench NAME=published-cost ARGS="--folds 2"

A fold is `semiology loso` that leaves one participant out, through each build's own command line
and its own configs/hou2022.yaml: one sign, all of its models, one seed, one thread, the two builds
in turns. What counts is processor time, less that of the same command called again, which finds
everything trained (start, reading, audit, report).

Each fold is run with trainings of one and of two epochs. Their difference is what an epoch takes,
the rest what a training takes beside its epochs; with the epochs that each build's config has, at
most, 19 folds, seeds and signs this is the whole table. `--whole` trains each fold to its end
instead, as early stopping ends it: the true cost of these folds, and what their models call right.

The cohort is the phantom's, without rendering (paper_phantom.py), made once by the earlier build.
Every measurement is kept in runs/published-cost/ under the hash of the code that made it: a run
that was stopped goes on, and `--folds 4` after `--folds 2` measures two more. `--small` also runs
the whole of configs/hou2022_small.yaml with one seed, beside what `--estimate` says of it.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from earlier_build import SEMIOLOGY, THIS_BUILD, earlier_build, run_in
from record import record
from sklearn.metrics import roc_auc_score

from semiology.cli.experiments import read_protocol
from semiology.experiments.estimate import estimate
from semiology.files import read_json, write_json
from semiology.models.training.reading import Schedule

RUN = Path("runs/published-cost").resolve()
CONFIG, SMALL = "configs/hou2022.yaml", "configs/hou2022_small.yaml"
FOLDS = 19  # of the whole table
FEW = (1, 2)  # epochs of the trainings that are measured
TARGET = 1 / 3  # of the core hours of the build before
SCHEDULED = Schedule().epochs  # where a config names none
BEFORE, NOW = "before", "now"


@dataclass(frozen=True)
class Slice:
    """One fold of one sign: who is left out, and at most how many epochs; None trains to the
    end.
    """

    task: str
    participant: str
    epochs: int | None

    def settings(self, config: dict[str, Any], out: Path) -> dict[str, Any]:
        """A build's config, cut down to this."""
        models = config["models"]
        for model in models.values():
            if self.epochs is not None:
                model["schedule"] = {**model["schedule"], "epochs": self.epochs}
        return {
            **config,
            "cohort": str(RUN / "cohort"),
            "store": str(RUN / "cohort/store"),
            "out": str(out),
            "tasks": {self.task: config["tasks"][self.task]},
            "models": models,
            "split": {"by": "none", "test": [self.participant]},
            "seeds": config["seeds"][:1],
            "final": False,
            "jobs": 1,
        }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folds", type=int, default=1, help="of 19")
    parser.add_argument("--tasks", nargs="+", help="of the config; both by default")
    parser.add_argument("--whole", action="store_true", help="train to the end")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 2), help="at a time")
    parser.add_argument("--small", action="store_true", help="and the whole small table")
    arguments = parser.parse_args()
    with earlier_build() as earlier:
        script = str(Path(__file__).with_name("paper_phantom.py"))
        run_in(earlier, script, str(RUN / "cohort"), threads=1)
        people = pd.read_csv(RUN / "cohort/participants.tsv", sep="\t")["participant_id"]
        slices = [
            Slice(task, who, epochs)
            for who in people[: arguments.folds]
            for epochs in ((None,) if arguments.whole else FEW)
            for task in arguments.tasks or settings_of(THIS_BUILD)["tasks"]
        ]
        builds = {BEFORE: earlier, NOW: THIS_BUILD}
        with ThreadPoolExecutor(arguments.jobs) as pool:
            pairs = list(pool.map(lambda one: in_turns(one, builds), slices))
        found = {
            name: whole_table([pair[name] for pair in pairs], settings_of(build), arguments.whole)
            for name, build in builds.items()
        }
    ratio = found[NOW]["core_hours"] / found[BEFORE]["core_hours"]
    show(found, arguments.folds)
    figures: dict[str, Any] = {
        **found,
        "ratio": ratio,
        "folds": arguments.folds,
        "trained_to_the_end": arguments.whole,
    }
    if arguments.small:
        figures["small"] = small_table()
    signs = len(found[NOW]["core_hours_by_task"])
    how = "trained to the end" if arguments.whole else "all epochs of the configs, at most"
    return record(
        "published-cost",
        figures,
        "at most a third of the core hours of the build before",
        ratio <= TARGET,
        headline=(
            f"{found[BEFORE]['core_hours']:.1f} core hours before, {found[NOW]['core_hours']:.1f}"
            f" now, ratio {ratio:.2f} ({how}), from {arguments.folds} of {FOLDS} folds of {signs}"
            f" sign{'s' * (signs > 1)}"
        ),
        seed=0,
    )


def settings_of(build: Path) -> dict[str, Any]:
    """A build's own config of the paper."""
    return yaml.safe_load((build / CONFIG).read_text(encoding="utf-8"))


def in_turns(one: Slice, builds: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """Build -> what the slice took and gave; as it is kept, where it is."""
    found = {}
    for name, build in builds.items():
        out = RUN / name / code_of(build) / str(one.epochs) / one.task / one.participant
        kept = out.with_suffix(".json")
        if not kept.is_file():
            shutil.rmtree(out, ignore_errors=True)
            write_json(kept, measured(one, build, out))
        found[name] = read_json(kept)
        print(
            f"{name:<8}{one.task:<18}{one.participant:<8}{found[name]['cpu'] / 60:6.1f} min of a"
            f" core; epochs {found[name]['epochs']}",
            flush=True,
        )
    return found


def measured(one: Slice, build: Path, out: Path) -> dict[str, Any]:
    """Run a slice twice: what its trainings took (s of processor), and what a run with nothing to
    train; epochs and seconds of each model, rows of the held-out clips.
    """
    config = out.with_suffix(".yaml")
    config.parent.mkdir(parents=True, exist_ok=True)
    settings = one.settings(settings_of(build), out)
    config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    command = (*SEMIOLOGY, "loso", "--config", str(config))
    first, again = (run_in(build, *command, threads=1) for _ in range(2))
    [fold] = [read_json(path) for path in out.glob("folds/*/*/*.json")]
    table = pd.read_csv(out / "predictions.csv")
    return {
        "task": one.task,
        "epochs_at_most": one.epochs,
        "cpu": first.cpu - again.cpu,
        "nothing_to_train": again.cpu,
        "epochs": {name: model["epochs"] for name, model in fold["models"].items()},
        "seconds": {name: model["seconds"] for name, model in fold["models"].items()},
        "rows": table[["model", "clip_id", "truth", "predicted", "score"]].to_dict("records"),
    }


def whole_table(
    slices: list[dict[str, Any]], config: dict[str, Any], to_the_end: bool
) -> dict[str, Any]:
    """Core hours of the whole table, by multiplication, and what the slices gave."""
    tasks: dict[str, list[dict[str, Any]]] = {}
    for one in slices:
        tasks.setdefault(one["task"], []).append(one)
    hours = {
        task: fold_seconds(own, config, to_the_end) * FOLDS * len(config["seeds"]) / 3600
        for task, own in tasks.items()
    }
    last = None if to_the_end else max(FEW)
    results = {
        f"{task} / {model}": result(model, [one for one in own if one["epochs_at_most"] == last])
        for task, own in tasks.items()
        for model in own[0]["epochs"]
    }
    return {
        "core_hours": sum(hours.values()),
        "core_hours_by_task": hours,
        "nothing_to_train_s": float(np.mean([one["nothing_to_train"] for one in slices])),
        "results": results,
        "slices": slices,
    }


def fold_seconds(slices: list[dict[str, Any]], config: dict[str, Any], to_the_end: bool) -> float:
    """Seconds of a core that a fold of one sign takes: measured, or of all epochs of the config,
    each model's by its share of the time.
    """
    took = {
        epochs: float(np.mean([one["cpu"] for one in slices if one["epochs_at_most"] == epochs]))
        for epochs in {one["epochs_at_most"] for one in slices}
    }
    if to_the_end:
        return took[None]
    few, more = FEW
    epoch = (took[more] - took[few]) / (more - few)
    seconds = [one["seconds"] for one in slices if one["epochs_at_most"] == more]
    shares = {name: sum(of[name] for of in seconds) for name in seconds[0]}
    planned = {
        name: config["models"][name].get("schedule", {}).get("epochs", SCHEDULED) for name in shares
    }
    epochs = sum(shares[name] * planned[name] for name in shares) / sum(shares.values())
    return took[few] + (epochs - few) * epoch


def result(model: str, slices: list[dict[str, Any]]) -> dict[str, Any]:
    """What a model called right in its slices, and how long it was trained."""
    rows = pd.DataFrame([row for one in slices for row in one["rows"] if row["model"] == model])
    levels = sorted(rows["truth"].unique())
    return {
        "clips": len(rows),
        "right": int((rows["truth"] == rows["predicted"]).sum()),
        "auc": float(roc_auc_score(rows["truth"] == levels[1], rows["score"]))
        if len(levels) == 2
        else None,
        "epochs": float(np.mean([one["epochs"][model] for one in slices])),
        "seconds_a_training": float(np.mean([one["seconds"][model] for one in slices])),
    }


def show(found: dict[str, dict[str, Any]], folds: int) -> None:
    print(f"\n{'':<30}" + "".join(f"{name:>34}" for name in found))
    for row in found[BEFORE]["results"]:
        cells = []
        for of in found.values():
            one = of["results"].get(row)
            cells.append(
                f"{one['seconds_a_training']:.0f} s, {one['epochs']:.0f} epochs,"
                f" {one['right']}/{one['clips']} right"
                if one
                else "-"
            )
        print(f"{row:<30}" + "".join(f"{cell:>34}" for cell in cells))
    for task in found[BEFORE]["core_hours_by_task"]:
        hours = [f"{of['core_hours_by_task'][task]:.1f} core hours" for of in found.values()]
        print(f"{task:<30}" + "".join(f"{cell:>34}" for cell in hours))
    print(
        f"core hours of {FOLDS} folds and all seeds, multiplied from {folds}; clips right in so few"
        " folds tell accuracies apart only where they are far apart"
    )


def small_table() -> dict[str, Any]:
    """The whole of the small config with one seed, by this build: core hours, AUCs."""
    out = RUN / "small" / code_of(THIS_BUILD)
    kept = out.with_suffix(".json")
    if not kept.is_file():
        config = yaml.safe_load((THIS_BUILD / SMALL).read_text())
        settings = {
            **config,
            "cohort": str(RUN / "cohort"),
            "store": str(RUN / "cohort/store"),
            "out": str(out),
            "seeds": config["seeds"][:1],
            "final": False,
            "jobs": 1,  # one process, all of whose time is counted
        }
        path = out.with_suffix(".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        torch.set_num_threads(1)  # as the run below
        estimated = estimate(read_protocol(["--config", str(path)])).core_hours
        ran = run_in(THIS_BUILD, *SEMIOLOGY, "loso", "--config", str(path), threads=1)
        metrics = read_json(out / "metrics.json")["tasks"]
        write_json(
            kept,
            {
                "core_hours_a_seed": ran.cpu / 3600,
                "estimated_core_hours_a_seed": estimated,  # at least and at most
                "core_hours": ran.cpu / 3600 * len(config["seeds"]),
                "auc": {
                    f"{task} / {name}": model["metrics"]["auc"]
                    for task, found in metrics.items()
                    for name, model in found["models"].items()
                },
            },
        )
    small = read_json(kept)
    low, high = small["estimated_core_hours_a_seed"]
    print(
        f"\n{SMALL}: {small['core_hours']:.2f} core hours; one seed was measured,"
        f" {small['core_hours_a_seed']:.2f}, which --estimate had put between {low:.2f} and"
        f" {high:.2f}"
    )
    for name, auc in small["auc"].items():
        print(f"{name:<30}AUC {json.dumps(auc)}")
    return small


def code_of(build: Path) -> str:
    """Hash of a build's package and of the config that is run."""
    digest = hashlib.sha256()
    for path in [*sorted((build / "semiology").rglob("*.py")), build / CONFIG, build / SMALL]:
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


if __name__ == "__main__":
    sys.exit(main())
