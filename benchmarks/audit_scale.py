"""The audit of a run of 500, 2,000 and 8,000 clips: how its time grows.

Run folders are written here, not trained: four clips a participant, ten folds of whole
participants, four models, images and keypoints of every clip (3 to 12 s), centre, camera, room,
`set` and age as columns, 39 participants in an unseen set. Predictions are random and nothing is
wrong with the run, so that the audit has to pass; then ten clips are copied to other participants,
shifted and with noise, and have to be named.

    python benchmarks/audit_scale.py

The power is the slope of the time between 500 and 8,000 clips on logarithmic axes: 1 is a cost by
clip, 2 by pair of clips. The report of the two smaller runs is timed beside it. Seconds are
those of the processor, in one process.
"""

import resource
import sys
import tempfile
import time
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from record import record
from scipy.ndimage import gaussian_filter1d

from semiology.evaluation.audit import audit, verdict
from semiology.evaluation.audit.copies import check_copies
from semiology.evaluation.audit.fingerprint import IMAGE_RATE, TRACK_RATE, UNIT, from_text, to_text
from semiology.evaluation.audit.records import read_run
from semiology.evaluation.report import write_report
from semiology.evaluation.run.predictions import with_predicted
from semiology.evaluation.run.records import record_rows
from semiology.evaluation.run.tasks import TEST
from semiology.files import read_json, write_json, write_text

SIZES = (500, 2000, 8000)
EACH = 4  # clips a participant
FOLDS = 10
UNSEEN = 39  # participants of the unseen set, as in the myasthenia study
MODELS = ("agcn", "tcn", "gat", "agcn_kd")
FITS = ("weights", "class_weights", "batch_norm")
SOURCES = 6
COPIES = 10
CUT = 1.3  # s that a copy begins later
NOISE = 0.5  # of the changes' standard deviation: in a copy, added to positions
POWER = 1.2
TASK, LEVELS = "dystonia (pose)", ["absent", "present"]


def main() -> int:
    seconds: dict[str, list[float]] = {"audit": [], "report": []}
    verdicts, named = [], []
    with tempfile.TemporaryDirectory() as name:
        for clips in SIZES:
            run = Path(name) / str(clips)
            write_run(run, clips)
            steps: tuple[tuple[str, Any], ...] = (("audit", audit), ("report", write_report))
            for step, work in steps[: 1 if clips == SIZES[-1] else 2]:
                began = time.process_time()
                made: Any = work(run)
                seconds[step].append(time.process_time() - began)
                if step == "audit":
                    verdicts.append(verdict(made))
                    others = [check.name for check in made if check.result != "passed"]
            named.append(copies_named(run))
            print(
                f"{clips:>6} clips: "
                + ", ".join(
                    f"{step} {own[-1]:.1f} s"
                    for step, own in seconds.items()
                    if len(own) == len(named)
                )
                + f"; audit {verdicts[-1]} {others}, {named[-1]} of {COPIES} copies named",
                flush=True,
            )
    powers = {
        step: log(own[-1] / own[0]) / log(SIZES[len(own) - 1] / SIZES[0])
        for step, own in seconds.items()
    }
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(", ".join(f"{step} grows as n^{power:.2f}" for step, power in powers.items()))
    passed = powers["audit"] < POWER and set(verdicts) == {"passed"} and min(named) == COPIES
    return record(
        "audit-scale",
        {
            "clips": list(SIZES),
            "seconds": {step: [round(value, 2) for value in own] for step, own in seconds.items()},
            "powers": {step: round(power, 3) for step, power in powers.items()},
            "verdicts": verdicts,
            "copies_named": named,
            "gigabytes": round(memory, 2),
        },
        f"growth below n^{POWER}, clean runs pass, all {COPIES} copies named at every size",
        passed,
        headline=(
            f"{', '.join(f'{value:.1f}' for value in seconds['audit'])} s at"
            f" {', '.join(f'{clips:,}' for clips in SIZES)} clips, n^{powers['audit']:.2f};"
            f" copies named {', '.join(map(str, named))}"
        ),
        seed=0,
    )


def write_run(run: Path, clips: int) -> None:
    """A finished run of random predictions, as `semiology loso` leaves it."""
    rng = np.random.default_rng(clips)
    ids = [f"sub-{number // EACH:04d}_clip-{number % EACH}" for number in range(clips)]
    people = [f"sub-{number // EACH:04d}" for number in range(clips)]
    names = sorted(set(people))
    unseen = {str(name) for name in rng.choice(names, UNSEEN, replace=False)}
    fold = dict(zip(names, rng.permutation(len(names)) % FOLDS))
    sick = dict(zip(names, rng.random(len(names)) < 0.4))
    truth = {clip: int(sick[own]) for clip, own in zip(ids, people)}
    clips_of = dict(zip(ids, people))
    rest = [clip for clip in ids if clips_of[clip] not in unseen]
    records = []
    for number in range(FOLDS):
        held = [clip for clip in rest if fold[clips_of[clip]] == number]
        records.append(
            fold_record(rng, f"{number + 1:02d}", "grouped", held, rest, clips_of, truth)
        )
    held = [clip for clip in ids if clips_of[clip] in unseen]
    records.append(fold_record(rng, TEST, TEST, held, rest, clips_of, truth))
    for own in records:
        path = run / "folds/dystonia-pose/seed-0" / f"{own['fold']}.json"
        write_json(path, own, indent=None, checksummed=True)
    rows = [row for own in records for row in record_rows(own, "dystonia", "pose")]
    with_predicted(pd.DataFrame(rows)).to_csv(run / "predictions.csv", index=False)
    config = {
        "tasks": {TASK: {"reading": {"label": "dystonia"}}},
        "models": {name: {"network": {"stream": "agcn"}} for name in MODELS},
        "split": {"by": "grouped", "folds": FOLDS, "test": sorted(unseen)},
        "seeds": [0],
    }
    config["models"]["agcn_kd"]["teacher"] = "tcn"
    write_text(run / "config.yaml", yaml.safe_dump(config, sort_keys=False))
    write_json(run / "cohort.json", {TASK: {"participants": len(names), "clips": clips}})
    write_json(run / "notes.json", ["Synthetic: random predictions"])
    write_json(run / "sources.json", sources(rng, ids, people, unseen))


def fold_record(
    rng: np.random.Generator,
    name: str,
    split: str,
    held: list[str],
    rest: list[str],
    clips_of: dict[str, str],
    truth: dict[str, int],
) -> dict[str, Any]:
    out = set(held)
    training = [clip for clip in rest if clip not in out]
    predictions = []
    for model in MODELS:
        for clip, score in zip(held, rng.beta(2, 2, len(held)).round(6)):
            predictions.append(
                {
                    "model": model,
                    "clip_id": clip,
                    "recording_id": clip,
                    "truth": truth[clip],
                    "probabilities": [round(1 - float(score), 6), float(score)],
                }
            )
    return {
        "key": "0" * 16,
        "task": TASK,
        "seed": 0,
        "permutation": None,
        "split": split,
        "fold": name,
        "held_out": sorted({clips_of[clip] for clip in held}),
        "held_out_clips": sorted(held),
        "clips": clips_of,
        "levels": LEVELS,
        "models": {
            model: {
                "teacher": "tcn" if model == "agcn_kd" else None,
                "seen": {fit: training for fit in FITS},
                "epochs": 1,
                "calibration": None,
            }
            for model in MODELS
        },
        "inner": [],
        "selected": {},
        "predictions": predictions,
        "seconds": 1.0,
    }


def sources(
    rng: np.random.Generator, ids: list[str], people: list[str], unseen: set[str]
) -> dict[str, Any]:
    clips = {}
    rooms = max(2, len(set(people)) // 20)
    own = {
        name: {
            "centre": str(rng.choice(["north", "south", "east"])),
            "camera": str(rng.choice(["sony", "axis"])),
            "room": f"room {rng.integers(rooms)}",
            "set": "unseen" if name in unseen else "development",
            "age": str(int(rng.integers(20, 80))),
        }
        for name in sorted(set(people))
    }
    for clip, person in zip(ids, people):
        seconds = float(rng.uniform(3, 12))
        images = 100 + course(rng, round(seconds * IMAGE_RATE), 72, 8.0, 6.0)
        movement = course(rng, round(seconds * TRACK_RATE), 24, 0.4, 2.0)
        clips[clip] = {
            "participant_id": person,
            "recording_id": clip,
            "kind": "video",
            "content": f"{len(clips):064x}",
            "start": 0.0,
            "end": round(seconds, 3),
            "covariates": own[person],
            "width": 640,
            "height": 480,
            "fps": 25.0,
            "duration": round(seconds, 3),
            "brightness": round(float(rng.normal(0.5, 0.05)), 4),
            "colour": round(float(rng.beta(2, 8)), 4),
            "infrared": 0.0,
            "pictures": to_text(images, 1),
            "movement": to_text(movement, UNIT),
        }
    weights = {"ab" * 32: {"what": "body", "origin": "published, blazepose", "participants": []}}
    return {"schema": 2, "clips": clips, "weights": weights}


def course(
    rng: np.random.Generator, length: int, channels: int, size: float, smooth: float
) -> np.ndarray:
    """(time, channel) courses: six smooth sources, mixed half as in all clips (one body, one kind
    of room), half as in this one, and noise of a tenth.
    """
    latent = gaussian_filter1d(rng.normal(size=(length + 20, SOURCES)), smooth, axis=0)[10:-10]
    everywhere = np.random.default_rng(channels).normal(size=(SOURCES, channels))
    mixed = latent / latent.std() @ (everywhere + rng.normal(size=(SOURCES, channels)))
    return size * (mixed / mixed.std() + 0.03 * rng.normal(size=mixed.shape))


def copies_named(run: Path) -> int:
    """How many of the copies that are planted in a run's sources the audit names, pair by pair."""
    rng = np.random.default_rng(COPIES)
    content = read_json(run / "sources.json")
    clips = content["clips"]
    long = [name for name, clip in clips.items() if clip["duration"] > 9]
    wanted = set()
    for first, second in rng.choice(long, (COPIES, 2), replace=False):
        for kind, rate, unit in (("pictures", IMAGE_RATE, 1), ("movement", TRACK_RATE, UNIT)):
            course = from_text(clips[first][kind], unit)[round(CUT * rate) :]
            noise = rng.normal(0, NOISE * np.diff(course, axis=0).std(), course.shape)
            clips[second][kind] = to_text(course + noise, unit)
        clips[second]["duration"] -= CUT
        wanted.add(tuple(sorted((str(first), str(second)))))
    write_json(run / "sources.json", content)
    found = {finding.about[:2] for finding in check_copies(read_run(run)).findings}
    return len(wanted & found)


if __name__ == "__main__":
    sys.exit(main())
