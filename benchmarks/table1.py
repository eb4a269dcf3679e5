"""How long the whole of Table 1 takes: two signs, three models, 19 folds, on a phantom of the
paper's size, from stored features.

Rendering the phantom, training its two VGGs and extraction come before and are not timed; they go
on where they were. Then, with one thread as every worker has:

- four folds of both signs, one after the other and trained at once, in turn, model by model: what
  `together` is worth;
- one epoch of the published network (configs/hou2022.yaml) in one fold: what its table would take,
  by arithmetic;

and the whole table through `run_loso`, two workers, by the faster of the two ways, with all that
belongs to a run: its workers' start, the reading of the store, audit and report.
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

from semiology.cli.loso import read_protocol
from semiology.experiments.fold import Fold
from semiology.experiments.loso import run_loso
from semiology.experiments.protocol import Protocol
from semiology.experiments.training import deal_parts, train_models

RUN = Path("runs/table1")
FOLDS, EPOCHS = 4, 8  # of the comparison
TOGETHER = 10  # of the table: 19 folds of a task in two bundles, one a core
TARGET = 30  # minutes


def main() -> int:
    weights = {
        part: trained_vgg(RUN / "weights", part, Path(f"configs/demo_{part}_vgg.yaml"), stills=200)
        for part in ("face", "body")
    }
    extracted_cohort(RUN, Path("configs/table1_phantom.yaml"), weights)
    torch.set_num_threads(1)
    protocol = read_protocol(["--config", "configs/table1.yaml"])
    ways = compared(protocol)
    published = of_published_size(protocol)
    faster = TOGETHER if ways["ratio"] > 1 else 1
    whole = whole_table(replace(protocol, together=faster))
    minutes = whole["seconds"] / 60
    how = f"{TOGETHER} folds at once" if faster > 1 else "fold by fold"
    return record(
        "table1",
        {
            "whole": whole,
            "together": faster,
            "four_folds": ways,
            "published_sizes_estimated": published,
        },
        f"under {TARGET} minutes on two cores, its audit passed",
        minutes < TARGET and whole["audit"] == "passed",
        headline=(
            f"{minutes:.1f} min for 114 trainings and their report, {how}; four folds at once"
            f" {ways['ratio']:.2f} times fold by fold"
        ),
        seed=0,
    )


def compared(protocol: Protocol) -> dict[str, Any]:
    """Seconds by task and model of `FOLDS` folds of `EPOCHS` epochs, fold by fold and at once;
    `ratio` above 1: at once is faster.
    """
    seconds: dict[str, dict[str, float]] = {}
    ways = {"fold_by_fold": 1, "at_once": FOLDS}
    fewer = {
        name: replace(model, schedule=replace(model.schedule, epochs=EPOCHS))
        for name, model in protocol.models.items()
    }
    protocol = replace(protocol, models=fewer)
    for task in protocol.tasks:
        sets = [
            Fold(task, 0, part).training(protocol) for part in deal_parts(protocol, task, 0)[:FOLDS]
        ]
        short = {
            name: replace(model, schedule=replace(model.schedule, epochs=1))
            for name, model in protocol.models.items()
        }
        for together in ways.values():  # first calls of kernels, and what is cached
            train_models(replace(protocol, models=short, together=together), task, sets)
        for name, model in protocol.models.items():
            for way, together in ways.items():
                began = time.perf_counter()
                train_models(replace(protocol, together=together), task, sets, [name])
                spent = time.perf_counter() - began
                teacher = (
                    seconds[f"{task} / {model.teacher}"][way] if model.teacher else 0.0
                )  # is trained, too
                seconds.setdefault(f"{task} / {name}", {})[way] = spent - teacher
    found = {
        name: {way: spent / FOLDS for way, spent in own.items()} for name, own in seconds.items()
    }
    for name, own in found.items():
        print(
            f"{name:<28}{own['fold_by_fold']:6.2f} s a fold, {own['at_once']:6.2f} at once",
            flush=True,
        )
    sums = {way: sum(own[way] for own in found.values()) for way in ways}
    return {
        "folds": FOLDS,
        "epochs": EPOCHS,
        "seconds_a_fold": found,
        "ratio": sums["fold_by_fold"] / sums["at_once"],
    }


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
        part = deal_parts(paper, task, 0)[0]
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
        f"{task} / {model}": judged["metrics"]["auc"]["value"]
        for task, found in metrics(Path(protocol.out))["tasks"].items()
        for model, judged in found["models"].items()
    }
    for name, value in aucs.items():
        print(f"{name:<28}AUC {value:.3f}")
    return {"seconds": seconds, "seconds_by_fold": by_fold, "auc": aucs, "audit": result.audit}


if __name__ == "__main__":
    sys.exit(main())
