"""`semiology timeline` stopped at ten random moments, by SIGKILL and by Ctrl-C in turn, and
resumed: the same bytes as undisturbed.

    python benchmarks/resume.py

Two minutes of a phantom at rest with two seizures, and a model that knows both from other phantom
people, so that there are events to be lost. Each stopped run is its own: begun in an empty folder,
stopped once, resumed once.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from record import record
from seizure_watch import film, trained_model

from semiology.files import write_text
from semiology.timeline.events import read_events

RUN = Path("runs/resume")
STOPS = 10
OPTIONS = ["--fps", "10", "--block", "10", "--progress", "false"]
FILES = "timeline.csv", "events.tsv"
SEED = 0


def main() -> int:
    model = trained_model()
    video = film(
        RUN / "two_minutes.mp4", 2.0, [("FOS", 30.0, 20.0), ("TCS", 70.0, 30.0)], seed=1, fps=25.0
    )
    undisturbed = once("undisturbed", lambda: watch(video, model, RUN / "undisturbed"))
    expected = read("undisturbed")
    events = len(read_events(RUN / "undisturbed/events.tsv").events)
    print(f"undisturbed: {undisturbed['took_s']:.0f} s, {events} events", flush=True)
    rng, stops = random.Random(SEED), []
    for number in range(STOPS):
        after, how = (
            rng.uniform(0.05, 0.95) * undisturbed["took_s"],
            (signal.SIGKILL, signal.SIGINT)[number % 2],
        )
        stops.append(
            once(
                f"stopped_{number}",
                lambda number=number, after=after, how=how: stop_and_resume(
                    video, model, RUN / f"stopped_{number}", after, how
                ),
            )
        )
        stops[-1]["same"] = read(f"stopped_{number}") == expected
        print(stops[-1], flush=True)
    same = sum(stop["same"] for stop in stops)
    target = (
        f"{STOPS} of {STOPS} resumed runs with the bytes of the undisturbed one, which has events"
    )
    figures = {"undisturbed_s": undisturbed["took_s"], "events": events, "stops": stops}
    return record(
        "resume",
        figures,
        target,
        same == STOPS and events > 0,
        headline=f"{same} of {STOPS}, {events} events",
        seed=SEED,
    )


def once(name: str, do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The JSON of a step, which is run once."""
    result_file = RUN / f"{name}.json"
    if not result_file.is_file():
        write_text(result_file, json.dumps(do()))
    return json.loads(result_file.read_text(encoding="utf-8"))


def read(name: str) -> list[bytes]:
    return [(RUN / name / file).read_bytes() for file in FILES]


def watch(video: Path, model: Path, out: Path) -> dict[str, Any]:
    """An undisturbed run."""
    shutil.rmtree(out, ignore_errors=True)
    began = time.monotonic()
    command(video, model, out).wait()
    return {"took_s": time.monotonic() - began}


def stop_and_resume(
    video: Path, model: Path, out: Path, after: float, how: signal.Signals
) -> dict[str, Any]:
    """A run stopped after so many seconds (half as many, where it was done before that), and
    resumed.
    """
    while True:
        shutil.rmtree(out, ignore_errors=True)
        running = command(video, model, out)
        time.sleep(after)
        running.send_signal(how)
        status = running.wait()
        if not (out / "timeline.json").is_file():
            break
        after /= 2
    rows = (
        len((out / "timeline.csv").read_bytes().splitlines())
        if (out / "timeline.csv").is_file()
        else 0
    )
    command(video, model, out).wait()
    return {"after_s": after, "signal": how.name, "status": status, "rows_kept": rows}


def command(video: Path, model: Path, out: Path) -> subprocess.Popen:
    arguments = ["timeline", str(video), "--model", str(model), "--out", str(out), *OPTIONS]
    return subprocess.Popen(
        [sys.executable, "-m", "semiology.cli.main", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell's background job ignores Ctrl-C, and hands that on
    sys.exit(main())
