"""A process that acts for a rater, again and again, is killed at 50 random moments; whatever it had
acknowledged is there when the review is opened again, in the journal and in the files.
"""

import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
from record import record

from semiology import load_skeleton, make_tracks
from semiology.data.corrections import read_corrections
from semiology.data.events import read_folder
from semiology.data.store import Store
from semiology.files import PART
from semiology.review.session import ReviewSession

KILLS = 50
LONGEST = 0.4  # s that a process may act before it is killed
CLIPS = 4
SEED = 1
JOINTS = load_skeleton("upper_body_11").names


def make_cohort(folder: Path) -> tuple[Path, Path]:
    """A cohort of four clips of 40 s with tracks in a store."""
    cohort, store = folder / "cohort", Store(folder / "store")
    cohort.mkdir()
    lines = ["clip_id\tparticipant_id\tvideo\tstart\tend\tdystonia"]
    rng = np.random.default_rng(SEED)
    for number in range(CLIPS):
        clip_id = f"c{number}"
        lines.append(f"{clip_id}\tp{number}\tvideo.mp4\t0\t40\tn/a")
        position = rng.uniform(10, 300, (1000, len(JOINTS), 2))
        index = np.arange(1000)
        tracks = make_tracks(position, JOINTS, 25.0, source_index=index, width=320, height=320)
        store.write(clip_id, "body", "0" * 16, tracks)
        stage = {"key": "0" * 16, "depends": {}, "found": 1.0}
        store.note(clip_id, {"sha256": f"{number}" * 64}, {"body": stage})
    (cohort / "clips.tsv").write_text("\n".join(lines) + "\n")
    people = [f"p{number}" for number in range(CLIPS)]
    (cohort / "participants.tsv").write_text("\n".join(["participant_id", *people]) + "\n")
    label = {"Role": "label", "Levels": {"absent": "", "present": ""}}
    (cohort / "clips.json").write_text(json.dumps({"dystonia": label}))
    (cohort / "review.yaml").write_text("scales: [umrs]\n")
    return cohort, store.folder


def action(number: int) -> dict:
    """The action of this number, of five kinds in turn."""
    seconds = number % 39_000 / 1000
    point = {"frame": number % 1000, "keypoint": "left_wrist", "x": number % 300, "y": 7}
    event = {"do": "event", "event_id": f"{number}", "revision": 0, "onset": seconds}
    return [
        {"do": "correct", "part": "body", "points": [point]},
        event | {"duration": 0.0, "sign": "dystonia", "comment": f"{number}"},
        {"do": "rate", "reading": 1, "values": {"umrs_frequency_face": number % 5}},
        {"do": "patient", "time": seconds, "x": number % 300, "y": 7},
        {"do": "away", "onset": seconds, "duration": 0.001},
    ][number % 5]


def act(cohort: Path, store: Path, first: int, pipe: int) -> None:
    """Act until killed; each acknowledged action's number goes into the pipe."""
    session = ReviewSession(cohort, store, "A")
    os.write(pipe, b"ready\n")
    for number in range(first, first + 10_000):
        session.act(f"c{number % CLIPS}", f"{number}", action(number))
        os.write(pipe, f"{number}\n".encode())


def lost(session: ReviewSession, numbers: list[int]) -> list[int]:
    """Which of these acknowledged actions are not in the journal or not in their files."""
    ids = {entry["id"]: entry for entry in map(json.loads, _journal(session))}
    rows = {
        row.origin
        for number in range(CLIPS)
        for row in read_corrections(session.store.corrections_file(f"c{number}", "body"))
    }
    events = session.folder / "events"
    comments = {
        event.comment
        for table in (read_folder(events).values() if events.is_dir() else ())
        for event in table.events
    }
    away = {
        number: [(one["onset"], one["duration"]) for one in session.clip(f"c{number}")["away"]]
        for number in range(CLIPS)
    }
    there = [
        lambda number: f"review {number}" in rows,
        lambda number: str(number) in comments,
        lambda number: session.decided(f"c{number % CLIPS}")["rated"] == 1,
        lambda number: session.decided(f"c{number % CLIPS}")["patient"],
        lambda number: any(
            onset <= round(number % 39_000 / 1000, 3) < onset + duration
            for onset, duration in away[number % CLIPS]
        ),
    ]
    return [number for number in numbers if str(number) not in ids or not there[number % 5](number)]


def _journal(session: ReviewSession) -> list[str]:
    path = session.folder / "journal.jsonl"
    return path.read_text().splitlines() if path.is_file() else []


def main() -> int:
    """Kill 50 times on one folder, and count what is lost."""
    draw, context = random.Random(SEED), multiprocessing.get_context("fork")
    acknowledged: list[int] = []
    missing: set[int] = set()
    cut = opened = 0.0
    with tempfile.TemporaryDirectory() as folder:
        cohort, store = make_cohort(Path(folder))
        for kill in range(KILLS):
            reading, writing = os.pipe()
            process = context.Process(target=act, args=(cohort, store, kill * 10_000, writing))
            process.start()
            os.close(writing)
            with os.fdopen(reading) as stream:
                stream.readline()  # it is ready
                time.sleep(draw.uniform(0, LONGEST))
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)
                acknowledged += [int(line) for line in stream.read().split("\n")[:-1]]
            process.join()
            started = time.perf_counter()
            session = ReviewSession(cohort, store, "A")
            opened = max(opened, time.perf_counter() - started)
            missing |= set(lost(session, acknowledged))
        path = session.folder / "journal.cut"
        cut = len(path.read_text().splitlines()) if path.is_file() else 0
        parts = [path for path in Path(folder).rglob(".part-*") if PART.fullmatch(path.name)]
        left = [path for path in parts if path.parent in (session.folder, cohort)]
    figures = {
        "kills": KILLS,
        "acknowledged": len(acknowledged),
        "lost": len(missing),
        "unfinished lines cut": cut,
        "longest opening, s": round(opened, 3),
        "parts left": len(left),
    }
    headline = f"{len(missing)} of {len(acknowledged)} acknowledged actions lost in {KILLS} kills"
    print("\n".join(f"{name}: {value}" for name, value in figures.items()))
    return record(
        *("review-kill", figures, "0 lost", not missing and len(acknowledged) > KILLS),
        headline=headline,
        seed=SEED,
    )


if __name__ == "__main__":
    raise SystemExit(main())
