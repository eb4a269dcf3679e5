"""Does pretraining help a small cohort? An encoder trained without labels on MSR Action3D (10
people, 20 actions), used on UTKinect-Action3D (10 other people, 10 actions) with 2, 4 or 9 of its
people to learn the actions from.

Each person of UTKinect is left out once; the people to train on are sampled from the nine others,
the same ones for a network that starts at random, one that starts from the encoder, and one whose
encoder is frozen. All three have the same network, epochs and windows; with two people each
clip is read twice an epoch. What was done is kept: the same command goes on.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from kinect_skeletons import AXES, MSR_ORDER, MSR_RATE, NAMES
from record import record
from utkinect_cohort import make_cohort

from semiology.data.tracks import make_tracks, save_tracks
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.run.settings import Model, Protocol, Task
from semiology.evaluation.statistics.comparison import paired_difference
from semiology.evaluation.statistics.results import evaluate
from semiology.experiments.clips import task_source
from semiology.experiments.training import TrainingSet, scored, train_models
from semiology.files import read_json, write_json
from semiology.models.networks.base import Network
from semiology.models.pretraining.skeleton import Recipe, pretrain_skeleton
from semiology.models.training.reading import Reading, Schedule

DATA = (
    Path(
        os.environ.get(
            "SEMIOLOGY_TESTDATA", Path(__file__).resolve().parents[2] / "shared" / "data"
        )
    )
    / "skeletons"
)
RUN = Path("runs/pretrain-skeleton")
READING = Reading(
    "action", skeleton="kinect_20", dimensions=3, rate=15, longest_gap=1.0, window=32, whole=True
)
NETWORK = Network("agcn", {"widths": [16, 16, 32], "dropout": 0.2})
RECIPE = Recipe(epochs=80, batch_size=16)
TASK = "action (pose)"
NOTHING, TUNED, FROZEN = "from nothing", "fine-tuned", "frozen"
SUBSETS = {2: 2, 4: 1, 9: 1}  # people to train on -> how many samples of them for each left out
REPEATS = {2: 2, 4: 1, 9: 1}  # windows a clip and epoch


def msr_cohort(out: Path) -> None:
    """MSR Action3D as a cohort without labels; its people are others than UTKinect's, which have
    the same numbers.
    """
    rows = []
    with np.load(DATA / "msr_action3d" / "sequences.npz") as sequences:
        for name in sorted(sequences.files):
            joints = sequences[name][..., :3]
            there = (np.abs(joints).sum((1, 2)) > 0)[:, None, None]
            position = np.where(there, joints[:, MSR_ORDER] * AXES, np.nan)
            tracks = make_tracks(None, NAMES, MSR_RATE, position_3d=position, backend="kinect")
            save_tracks(tracks, out / "tracks" / f"{name}.nc")
            rows.append([name, f"msr-{name[4:7]}", f"tracks/{name}.nc", "0", "n/a"])
    columns = ["clip_id", "participant_id", "tracks", "start", "end"]
    table = pd.DataFrame(rows, columns=columns)
    table.to_csv(out / "clips.tsv", sep="\t", index=False)
    table[["participant_id"]].drop_duplicates().to_csv(
        out / "participants.tsv", sep="\t", index=False
    )
    write_json(out / "clips.json", {})


def protocol(encoder: Path) -> Protocol:
    """The three models, trained as those of configs/utkinect.yaml."""
    plain = Model(
        NETWORK,
        learning_rate=0.003,
        label_smoothing=0.1,
        schedule=Schedule(epochs=30, patience=None, device="cpu"),
    )
    models = {
        NOTHING: plain,
        TUNED: replace(plain, encoder=str(encoder)),
        FROZEN: replace(plain, encoder=str(encoder), freeze=True),
    }
    return Protocol(
        cohort=str(RUN / "utkinect"),
        out=str(RUN),
        tasks={TASK: Task(READING)},
        models=models,
        validation=0.0,
        batch_size=16,
    )


def rows_of(settings: Protocol, count: int, sample: int, person: str) -> list[dict]:
    """Predictions of one person's clips by the models of `count` other people."""
    source = task_source(settings, TASK)
    people = source.participants
    others = [name for name in people if name != person]
    rng = np.random.default_rng([count, sample, people.index(person)])
    chosen = {person, *rng.permutation(others)[:count].tolist()}
    taking_part = source.with_clips(clip for clip in source.clips if clip.participant_id in chosen)
    held = tuple(clip.clip_id for clip in taking_part.clips if clip.participant_id == person)
    training = TrainingSet(taking_part, sample, held, person)
    own = replace(settings, repeats=REPEATS[count])
    rows = scored(train_models(own, TASK, training))
    levels = source.levels
    task, stream = f"{count} people", "pose"
    return [
        {
            **{"task": task, "label": "action", "stream": stream, "model": row["model"]},
            **{"seed": sample, "fold": person, "clip_id": row["clip_id"]},
            **{"participant_id": person, "truth": levels[row["truth"]]},
            "predicted": levels[int(np.argmax(row["probabilities"]))],
            "score": float(max(row["probabilities"])),
            "scores": json.dumps(dict(zip(levels, row["probabilities"]))),
        }
        for row in rows
    ]


def curve(settings: Protocol, digits: str) -> pd.DataFrame:
    """All predictions; each person, count and sample is kept in a file."""
    rows: list[dict] = []
    people = task_source(settings, TASK).participants
    order = [(sample, count) for count, samples in SUBSETS.items() for sample in range(samples)]
    for sample, count in sorted(order):
        own: list[dict] = []
        for person in people:
            kept = RUN / "rows" / f"{digits}-{count}-{sample}-{person}.json"
            if not kept.is_file():
                write_json(kept, rows_of(settings, count, sample, person), indent=None)
            own += read_json(kept, list)
        done = pd.DataFrame(own)
        right = (done.truth == done.predicted).groupby(done.model).mean().round(3)
        print(f"{count} people, sample {sample}:", right.to_dict(), flush=True)
        rows += own
    pd.DataFrame(rows).to_csv(RUN / "predictions.csv", index=False)
    return read_predictions(RUN / "predictions.csv")


def main() -> int:
    if not (DATA / "msr_action3d").is_dir():
        print(f"pretrain-skeleton: no data at {DATA}; set SEMIOLOGY_TESTDATA", file=sys.stderr)
        return 2
    if not (RUN / "utkinect" / "clips.json").is_file():
        make_cohort(DATA / "utkinect", RUN / "utkinect")
    if not (RUN / "msr" / "clips.json").is_file():
        msr_cohort(RUN / "msr")
    encoder = RUN / "encoder.safetensors"
    if not encoder.with_suffix(".json").is_file():
        made = pretrain_skeleton(
            [RUN / "msr"],
            encoder,
            reading=READING,
            network=NETWORK,
            recipe=RECIPE,
            about="MSR Action3D, all 10 people, without its labels",
            licence="research use",
            device="cpu",
        )
        print(made.text())
    card = read_json(encoder.with_suffix(".json"))
    predictions = curve(protocol(encoder), card["sha256"][:8])
    figures, gains = {}, {}
    for task, found in evaluate(predictions)["tasks"].items():
        figures[task] = {
            name: {
                key: model["metrics"]["accuracy"][key] for key in ("value", "low", "high", "seeds")
            }
            for name, model in found["models"].items()
        }
        gains[task] = {
            name: paired_difference(predictions, task, name, NOTHING, "accuracy")
            for name in (TUNED, FROZEN)
        }
        for name, value in figures[task].items():
            print(
                f"{task:<10}{name:<14}{value['value']:.3f} ({value['low']:.3f} to"
                f" {value['high']:.3f})"
            )
        for name, value in gains[task].items():
            print(
                f"{task:<10}{name} minus {NOTHING}: {value['value']:+.3f} ({value['low']:+.3f} to"
                f" {value['high']:+.3f})"
            )
    first = gains["2 people"][TUNED]
    return record(
        "pretrain-skeleton",
        {
            "accuracy": figures,
            "gain": gains,
            "encoder": {"loss": card["loss"], "recipe": card["recipe"]},
        },
        "with 2 people the fine-tuned network is above the one from nothing by its interval",
        first["low"] > 0,
        headline="; ".join(
            f"{task}: "
            + ", ".join(
                f"{name} {value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
                for name, value in figures[task].items()
            )
            + f", gain {gains[task][TUNED]['value']:+.3f} ({gains[task][TUNED]['low']:+.3f} to"
            f" {gains[task][TUNED]['high']:+.3f})"
            for task in figures
        ),
        seed=0,
    )


if __name__ == "__main__":
    sys.exit(main())
