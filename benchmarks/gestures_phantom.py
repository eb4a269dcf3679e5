"""GESTURES on the phantom: FOS against TCS by aggregator, number of segments and gamma, in people
whom no model has met.

The seizures last from 15 s to 18 min and are filmed by two cameras; an FOS holds moments that look
like a phase of a TCS. The snippet network is trained by `pretrain action` on clips of other phantom
people. The published table's question (gamma 4) is answered twice, with folds by subject and by
seizure as in the paper, and the difference is reported.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from phantom_run import metrics, step
from record import record

from semiology.cli.experiments import read_protocol
from semiology.evaluation.run.settings import Model, Protocol, Split, Task
from semiology.experiments.loso import run_loso
from semiology.weights import metadata

RUN = Path("runs/gestures-phantom")
SIZE = (
    "--width",
    "176",
    "--height",
    "144",
)  # px: 8 ms a frame, half of what 352 x 288 costs [our choice, by measured cost]
SEGMENTS = (2, 4, 8, 16)  # [T]
GAMMAS = {"gamma 4": 4.0, "gamma 1": 1.0, "centre": 1e6}  # 4 is the published table's [P]
SUBJECT, SEIZURE = "TCS (by subject)", "TCS (by seizure)"
FOLDS, EPOCHS, BATCH = 4, 30, 16  # [our choice, by measured cost: 768 trainings]
TARGET = (
    0.90  # accuracy of the BLSTM at 16 segments, by subject [our choice, set before the first run]
)
SLACK = 0.02  # by which the mean of as many may be better [our choice, set before the first run]


def main() -> int:
    make_cohort()
    result = run_loso(protocol())
    if result.refused or result.failed:
        print(f"gestures-phantom: {result.refused | result.failed}", file=sys.stderr)
        return 1
    return evaluate(metrics(RUN / "loso"), result.audit)


def make_cohort() -> None:
    """Videos, the network trained on other people's clips, and the snippets' vectors; each step
    goes on where it was.
    """
    weights = RUN / "snippets.safetensors"
    step("phantom", "actions", str(RUN / "actions"), "--people", "60", "--clips", "2", *SIZE)
    if not weights.is_file():
        small = ("--depth", "10", "--per_file", "2", "--epochs", "12", "--participants", "[]")
        step("pretrain", "action", str(RUN / "actions"), "--out", str(weights), *small)
    step("phantom", "seizures", str(RUN / "cohort"), "--subjects", "16", "--fps", "15", *SIZE)
    step(
        "extract",
        str(RUN / "cohort"),
        "--store",
        str(RUN / "store"),
        "--pose",
        "none",
        "--snippet_weights",
        str(weights),
    )


def protocol() -> Protocol:
    """configs/seizure_type.yaml with every number of segments and gamma, fewer folds and epochs."""
    paper = read_protocol(["--config", "configs/seizure_type.yaml"])
    reading = paper.tasks[SUBJECT].reading
    models: dict[str, Model] = {}
    tasks: dict[str, Task] = {}
    for title, gamma in GAMMAS.items():
        names = []
        for kind, model in paper.models.items():
            schedule = replace(model.schedule, epochs=EPOCHS)
            for segments in SEGMENTS:
                names.append(f"{kind}, {segments} segments, {title}")
                models[names[-1]] = replace(
                    model, segments=segments, gamma=gamma, schedule=schedule
                )
        task = SUBJECT if gamma == reading.gamma else f"{SUBJECT}, {title}"
        tasks[task] = Task(reading, tuple(names), Split("grouped", FOLDS))
    tasks[SEIZURE] = replace(tasks[SUBJECT], split=Split("recording", FOLDS))
    run = {"cohort": str(RUN / "cohort"), "store": str(RUN / "store"), "out": str(RUN / "loso")}
    return replace(
        paper,
        tasks=tasks,
        models=models,
        batch_size=BATCH,
        seeds=(0, 1, 2),
        final=False,
        jobs=1,
        **run,
    )


def evaluate(found: dict[str, Any], audit: str) -> int:
    """Print the table and record it; exit status. Accuracies are of seizures, their views averaged,
    with intervals over participants.
    """
    units = {
        task: {name: model["by"]["recording"] for name, model in own["models"].items()}
        for task, own in found["tasks"].items()
    }
    table = {
        task: {
            name: {
                key: unit["metrics"]["accuracy"][key] for key in ("value", "low", "high", "seeds")
            }
            for name, unit in own.items()
        }
        for task, own in units.items()
    }
    best, mean = (f"{kind}, 16 segments, gamma 4" for kind in ("blstm", "mean"))
    seizures, chance = (
        units[SUBJECT][best]["n"],
        units[SUBJECT][best]["no_skill"]["majority"]["accuracy"],
    )
    splits = {each["model"]: each for each in found["splits"] if each["metric"] == "accuracy"}
    for task, models in table.items():
        print(
            f"{task}: accuracy of {seizures} seizures, mean of three seeds (95 % interval over"
            " participants; each seed)"
        )
        for name, own in models.items():
            seeds = ", ".join(f"{value:.2f}" for value in own["seeds"])
            print(
                f"  {name:<34}{own['value']:.3f} ({own['low']:.2f} to {own['high']:.2f}; {seeds})"
            )
    print(f"the bigger class alone: {chance:.3f}; by subject minus by seizure:")
    for name, each in splits.items():
        interval = (
            "no interval" if each["low"] is None else f"{each['low']:+.2f} to {each['high']:+.2f}"
        )
        print(f"  {name:<34}{each['value']:+.3f} ({interval})")
    blstm, plain = table[SUBJECT][best], table[SUBJECT][mean]
    clips = pd.read_csv(RUN / "cohort" / "clips.tsv", sep="\t")
    cohort = {
        "subjects": clips["participant_id"].nunique(),
        "seizures": clips.groupby("seizure_type")["recording_id"].nunique().to_dict(),
        "duration_s": (
            clips.groupby("seizure_type")["duration"].agg(["min", "median", "max"]).to_dict("index")
        ),
    }
    network = {
        key: value
        for key, value in metadata(RUN / "snippets.safetensors").items()
        if key not in ("format", "classes")
    }
    return record(
        "gestures-phantom",
        {
            "accuracy": table,
            "chance": chance,
            "by_subject_minus_by_seizure": splits,
            "cohort": cohort,
            "network": network,
            "audit": audit,
        },
        f"BLSTM of 16 segments at least {TARGET:.2f} by subject, and at least the mean of as many"
        f" less {SLACK}",
        blstm["value"] >= TARGET and blstm["value"] >= plain["value"] - SLACK,
        headline=(
            f"accuracy by subject {blstm['value']:.3f} ({blstm['low']:.2f} to {blstm['high']:.2f})"
            f" of the BLSTM of 16 segments, {plain['value']:.3f} of their mean, {chance:.3f} of the"
            " bigger class"
        ),
        seed=0,
    )


if __name__ == "__main__":
    sys.exit(main())
