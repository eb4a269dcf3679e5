"""A model that distinguishes seizures from rest, trained on phantom people, and recordings to watch
with it; each step continues where it stopped.

Used by the benchmarks of `semiology timeline`. The people whom it was trained on are in no
recording that it watches.
"""

import json
from pathlib import Path

import pandas as pd

from semiology.data.cohort import Cohort
from semiology.evaluation.run.settings import Model, Protocol, Split, Task
from semiology.experiments.loso import run_loso
from semiology.models.networks import Network
from semiology.models.training.reading import Reading, Schedule
from semiology.phantom import render_long
from semiology.timeline.events import Event, read_events
from semiology.tracking.extraction import ExtractOptions, extract_cohort

RUN = Path("runs/timeline-memory")
RATE = 10.0  # Hz, of films, tracks and model: what 60 minutes cost is set by it. [our choice]
SECONDS = 4.0  # of a window
PEOPLE = 6  # to learn from; seeds 100, 101, ...
SEIZURES = [
    ("TCS", 15.0, 30.0),
    ("FOS", 60.0, 20.0),
]  # type, onset and duration, s, of each of them
FILMED = 1.5  # minutes of each
FILMS = {  # minutes -> type, onset and duration, s, of its seizures
    10: [("FOS", 95.0, 40.0), ("TCS", 290.0, 70.0), ("FOS", 480.0, 25.0)],
    60: [
        ("FOS", 300.0, 30.0),
        ("TCS", 700.0, 80.0),
        ("FOS", 1150.0, 60.0),
        ("TCS", 1600.0, 60.0),
        ("FOS", 2100.0, 20.0),
        ("TCS", 2500.0, 110.0),
        ("FOS", 3000.0, 45.0),
        ("TCS", 3400.0, 70.0),
    ],
}
MOVING = (
    "hyperkinetic",
    "tonic",
    "clonic",
)  # phases that are a seizure; the limp one after it is neither that nor rest


def film(
    path: Path,
    minutes: float,
    seizures: list[tuple[str, float, float]],
    seed: int,
    fps: float = RATE,
) -> Path:
    """A recording and its table of events, rendered once."""
    if not path.with_name(f"{path.stem}_events.tsv").is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        render_long(path, minutes, seizures, seed, fps=fps)
    return path


def truth(path: Path) -> list[Event]:
    """The true seizures of a film, in order."""
    table = read_events(path.with_name(f"{path.stem}_events.tsv"))
    return [event for event in table.events if event.sign == "seizure"]


def trained_model() -> Path:
    """A run whose final model reads four seconds of body tracks by the default backend and says
    "rest" or "seizure".
    """
    folder = RUN / "watch"
    if not (folder / "run/report.html").is_file():
        rows = [row for number in range(PEOPLE) for row in _clips(folder / "cohort", number)]
        pd.DataFrame(rows).to_csv(folder / "cohort/clips.tsv", sep="\t", index=False)
        people = "".join(f"p{number}\n" for number in range(PEOPLE))
        (folder / "cohort/participants.tsv").write_text(f"participant_id\n{people}")
        label = {"Role": "label", "Levels": {"rest": "", "seizure": ""}}
        (folder / "cohort/clips.json").write_text(json.dumps({"state": label}))
        extract_cohort(
            Cohort.read(folder / "cohort"),
            folder / "store",
            options=ExtractOptions(fps=RATE, face_every=5),
        )
        reading = Reading(
            "state", channels=("joint", "motion"), rate=RATE, window=round(SECONDS * RATE)
        )
        network = Network("agcn", {"widths": [16, 32], "dropout": 0.2})
        model = Model(network, learning_rate=0.003, schedule=Schedule(epochs=25, patience=None))
        places = {
            "cohort": str(folder / "cohort"),
            "store": str(folder / "store"),
            "out": str(folder / "run"),
        }
        run_loso(
            Protocol(
                tasks={"seizure": Task(reading)},
                models={"agcn": model},
                split=Split("grouped", 2),
                validation=0.0,
                **places,
            )
        )
    return folder / "run"


def _clips(cohort: Path, number: int) -> list[dict[str, object]]:
    """One person's film, cut into four-second clips of rest and of seizure."""
    path = film(cohort / f"videos/p{number}.mp4", FILMED, SEIZURES, 100 + number)
    table = read_events(path.with_name(f"{path.stem}_events.tsv")).events
    kinds = {"seizure": [(event.onset, event.offset) for event in table if event.sign in MOVING]}
    edges = [
        0.0,
        *(edge for event in truth(path) for edge in (event.onset - 1, event.offset + 3)),
        60 * FILMED,
    ]
    kinds["rest"] = list(zip(edges[::2], edges[1::2]))
    rows = []
    for state, stretches in kinds.items():
        for start, end in stretches:
            for place in range(int((end - start) // SECONDS)):
                begin = round(start + place * SECONDS, 2)
                clip = {
                    "clip_id": f"p{number}_{state}_{begin:g}",
                    "participant_id": f"p{number}",
                    "video": f"videos/p{number}.mp4",
                }
                rows.append(
                    {**clip, "start": begin, "end": round(begin + SECONDS, 2), "state": state}
                )
    return rows
