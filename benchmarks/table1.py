"""How long the whole of Table 1 takes: two signs, three models, 19 folds, on a phantom of the
paper's size, from stored features.

Rendering the phantom, training its two VGGs and extraction come before and are not timed; they go
on where they were. Then, with one thread as every worker has, one epoch of the published network
(configs/hou2022.yaml) in one fold: what its table would take, by arithmetic. Last the whole table
through `run_loso`, two workers, with all that belongs to a run: its workers' start, the reading of
the store, audit and report.
"""

import json
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from phantom_run import extracted_cohort, metrics, trained_vgg
from record import record

from semiology.cli.experiments import read_protocol
from semiology.evaluation.run.settings import Protocol
from semiology.experiments.fold import Fold
from semiology.experiments.loso import run_loso
from semiology.experiments.training import task_parts, train_models

RUN = Path("runs/table1")
TARGET = 30  # minutes


def main() -> int:
    weights = {
        part: trained_vgg(RUN / "weights", part, Path(f"configs/demo_{part}_vgg.yaml"), stills=200)
        for part in ("face", "body")
    }
    extracted_cohort(RUN, Path("configs/table1_phantom.yaml"), weights)
    torch.set_num_threads(1)
    protocol = read_protocol(["--config", "configs/table1.yaml"])
    published = of_published_size(protocol)
    whole = whole_table(protocol)
    minutes = whole["seconds"] / 60
    return record(
        "table1",
        {"whole": whole, "published_sizes_estimated": published},
        f"under {TARGET} minutes on two cores, its audit passed",
        minutes < TARGET and whole["audit"] == "passed",
        headline=f"{minutes:.1f} min for 114 trainings and their report",
        seed=0,
    )


def of_published_size(protocol: Protocol) -> dict[str, Any]:
    """What configs/hou2022.yaml would take on one core: seconds of one epoch of one fold by task,
    measured; the rest is multiplied.
    """
    paper = read_protocol(["--config", "configs/hou2022.yaml"])
    epochs = paper.models["agcn"].schedule.epochs
    short = {
        name: replace(model, schedule=replace(model.schedule, epochs=1))
        for name, model in paper.models.items()
    }
    paper = replace(paper, cohort=protocol.cohort, store=protocol.store, models=short)
    found: dict[str, Any] = {
        "what": (
            f"ESTIMATE: one epoch measured, times {epochs} epochs (early stopping may take fewer),"
            " 19 folds, 3 seeds"
        )
    }
    hours = 0.0
    for task in paper.tasks:
        part = task_parts(paper, task, 0)[0]
        training = Fold(task, 0, part).training(paper)
        began = time.perf_counter()
        train_models(paper, task, [training])
        epoch = time.perf_counter() - began
        hours += epoch * epochs * 19 * len(paper.seeds) / 3600
        found[task] = {"epoch_of_three_models_s": epoch, "fold_min": epoch * epochs / 60}
        print(
            f"published size, {task}: {epoch:.0f} s an epoch of the three models,"
            f" {epoch * epochs / 60:.0f} min a fold (estimate)",
            flush=True,
        )
    print(
        f"published size: {hours:.0f} core hours for the table of three seeds (estimate)",
        flush=True,
    )
    return found | {"table_core_hours": hours}


def whole_table(protocol: Protocol) -> dict[str, Any]:
    """The run from nothing but the store: wall-clock, seconds a fold by task, AUCs, verdict of the
    audit.
    """
    shutil.rmtree(protocol.out, ignore_errors=True)
    began = time.perf_counter()
    result = run_loso(protocol)
    seconds = time.perf_counter() - began
    if result.failed or result.refused:
        raise SystemExit(f"table1: {result.failed | result.refused}")
    by_fold: dict[str, dict[str, float]] = {}
    for path in sorted(Path(protocol.out).glob("folds/*/*/*.json")):
        fold = json.loads(path.read_text(encoding="utf-8"))
        by_fold.setdefault(fold["task"], {})[fold["fold"]] = fold["seconds"]
    aucs = {
        f"{task} / {model}": evaluated["metrics"]["auc"]["value"]
        for task, found in metrics(Path(protocol.out))["tasks"].items()
        for model, evaluated in found["models"].items()
    }
    for name, value in aucs.items():
        print(f"{name:<28}AUC {value:.3f}")
    return {"seconds": seconds, "seconds_by_fold": by_fold, "auc": aucs, "audit": result.audit}


if __name__ == "__main__":
    sys.exit(main())
