"""Does pretraining help a small cohort? An encoder trained without labels on MSR Action3D (10
people, 20 actions), used on UTKinect-Action3D (10 other people, 10 actions) with 2, 4 or 9 of its
people to learn the actions from.

Nine people: leave one out. Two or four: the ten are drawn into five pairs; each pair, or each two
pairs, trains a model that predicts everybody else, so that each person is predicted by four, or
three, models of people among the nine others. The same people train a network that starts at
random, one that starts from the encoder, and one whose encoder is frozen. All three have the
same network and windows, and make the same 400 steps however many people there are. What was done
is kept: the same command goes on. ARGS="2 4" measures with 2 and with 4 people alone.
"""

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from kinect_skeletons import MSR_RATE, NAMES, msr_positions
from record import TESTDATA, record
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
from semiology.models.pretraining import pretrain_skeleton
from semiology.models.pretraining.masked import Recipe
from semiology.models.training.reading import Reading, Schedule

DATA = TESTDATA / "skeletons"
RUN = Path("runs/pretrain-skeleton")
READING = Reading(
    "action", skeleton="kinect_20", dimensions=3, rate=15, longest_gap=1.0, window=32, whole=True
)
NETWORK = Network("agcn", {"widths": [16, 16, 32], "dropout": 0.2})
RECIPE = Recipe(epochs=80, batch_size=16)
TASK = "action (pose)"
NOTHING, TUNED, FROZEN = "from nothing", "fine-tuned", "frozen"
SAMPLES = {2: 1, 4: 1, 9: 1}  # people to train on -> how often they are drawn into pairs
REPEATS = {2: 2, 4: 1, 9: 1}  # windows a clip and epoch
EPOCHS = {2: 80, 4: 80, 9: 36}  # 400 steps


def msr_cohort(out: Path) -> None:
    """MSR Action3D as a cohort without labels; its people are others than UTKinect's, which have
    the same numbers.
    """
    rows = []
    for name, position in msr_positions(DATA):
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
    plain = Model(NETWORK, learning_rate=0.003, label_smoothing=0.1)
    models = {
        NOTHING: plain,
        TUNED: replace(plain, encoder=str(encoder)),
        # a head alone, on 32 features, learns too slowly at the networks' rate
        FROZEN: replace(plain, encoder=str(encoder), freeze=True, learning_rate=0.03),
    }
    return Protocol(
        cohort=str(RUN / "utkinect"),
        out=str(RUN),
        tasks={TASK: Task(READING)},
        models=models,
        validation=0.0,
        batch_size=16,
    )


def trainings(people: list[str], count: int, sample: int) -> list[list[str]]:
    """Whom to train on: of five pairs, drawn at random, each pair, or each two that follow each
    other; or all but one. Everybody is in as many of them as anybody else.
    """
    if count == 9:
        return [[name for name in people if name != out] for out in people]
    pairs = np.random.default_rng(sample).permutation(people).reshape(5, 2).tolist()
    following = range(count // 2)
    return [[name for k in following for name in pairs[(first + k) % 5]] for first in range(5)]


def rows_of(settings: Protocol, chosen: list[str], seed: int) -> list[dict]:
    """Predictions of everybody else's clips by the models of these people."""
    source = task_source(settings, TASK)
    held = {clip.clip_id: clip for clip in source.clips if clip.participant_id not in chosen}
    schedule = Schedule(epochs=EPOCHS[len(chosen)], patience=None, device="cpu")
    models = {name: replace(model, schedule=schedule) for name, model in settings.models.items()}
    own = replace(settings, models=models, repeats=REPEATS[len(chosen)])
    training = TrainingSet(source, seed, tuple(held), "+".join(chosen))
    return [
        {
            "model": row["model"],
            "clip_id": row["clip_id"],
            "participant_id": held[row["clip_id"]].participant_id,
            "truth": source.levels[row["truth"]],
            "predicted": source.levels[int(np.argmax(row["probabilities"]))],
            "score": max(row["probabilities"]),
            "scores": json.dumps(dict(zip(source.levels, row["probabilities"]))),
        }
        for row in scored(train_models(own, TASK, training))
    ]


def curve(settings: Protocol, digits: str, counts: list[int]) -> pd.DataFrame:
    """All predictions with these counts of people; those of each training are kept in a file. A
    person's first prediction by people who did not include them is seed 0, the second one seed 1,
    and so on.
    """
    rows: list[dict] = []
    people = task_source(settings, TASK).participants
    for count in counts:
        before: Counter[tuple[str, str]] = Counter()  # model, clip -> predictions so far
        for sample in range(SAMPLES[count]):
            for number, chosen in enumerate(trainings(people, count, sample)):
                kept = RUN / "rows" / f"{digits}-{count}-{sample}-{number}.json"
                if not kept.is_file():
                    write_json(kept, rows_of(settings, chosen, sample), indent=None)
                own = read_json(kept, list)
                for row in own:
                    key = (row["model"], row["clip_id"])
                    task = {"task": f"{count} people", "label": "action", "stream": "pose"}
                    rows.append(row | task | {"seed": before[key], "fold": f"{sample}-{number}"})
                    before[key] += 1
                done = pd.DataFrame(own)
                right = (done.truth == done.predicted).groupby(done.model).mean().round(3)
                print(f"{count} people, training {number + 1}:", right.to_dict(), flush=True)
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
    counts = [int(count) for count in sys.argv[1:]] or list(SAMPLES)
    predictions = curve(protocol(encoder), card["sha256"][:8], counts)
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
    few = f"{min(counts)} people"
    first = gains[few][TUNED]
    return record(
        "pretrain-skeleton",
        {
            "accuracy": figures,
            "gain": gains,
            "encoder": {"loss": card["loss"], "recipe": card["recipe"]},
        },
        f"with {few} the fine-tuned network is above the one from nothing by its interval",
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
