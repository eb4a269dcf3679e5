"""`semiology timeline` stopped at ten random moments, by SIGKILL and by Ctrl-C in turn, and resumed: the same bytes as undisturbed.

    python benchmarks/resume.py

Two minutes of a phantom at rest with two seizures, and a model that knows both from other phantom people, so that there are events to be
lost. Each stopped run is its own: begun in an empty folder, stopped once, resumed once.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from record import record
from seizure_watch import film, trained_model

from semiology.events import read_events

RUN = Path("runs/resume")
STOPS = 10
OPTIONS = ["--fps", "10", "--block", "10", "--progress", "false"]
FILES = "timeline.csv", "events.tsv"
SEED = 0


def main() -> int:
    model = trained_model()
    video = film(RUN / "two_minutes.mp4", 2.0, [("FOS", 30.0, 20.0), ("TCS", 70.0, 30.0)], seed=1, fps=25.0)
    undisturbed = RUN / "undisturbed"
    shutil.rmtree(undisturbed, ignore_errors=True)
    began = time.monotonic()
    command(video, model, undisturbed).wait()
    took = time.monotonic() - began
    expected = [(undisturbed / name).read_bytes() for name in FILES]
    events = len(read_events(undisturbed / "events.tsv").events)
    print(f"undisturbed: {took:.0f} s, {events} events")
    lots, same, stops = random.Random(SEED), 0, []
    for number in range(STOPS):
        out, after, how = RUN / f"stopped_{number}", lots.uniform(0.05, 0.95) * took, (signal.SIGKILL, signal.SIGINT)[number % 2]
        shutil.rmtree(out, ignore_errors=True)
        running = command(video, model, out)
        time.sleep(after)
        running.send_signal(how)
        status = running.wait()
        kept = len((out / "timeline.csv").read_bytes().splitlines()) if (out / "timeline.csv").is_file() else 0
        finished = (out / "timeline.json").is_file()
        command(video, model, out).wait()
        equal = [(out / name).read_bytes() for name in FILES] == expected
        same += equal
        stops.append({"after_s": after, "signal": how.name, "status": status, "rows_kept": kept, "was_finished": finished, "same": equal})
        print(f"{how.name} after {after:5.1f} s (exit {status}, {kept} rows there): {'same bytes' if equal else 'DIFFERENT'}", flush=True)
    target = f"{STOPS} of {STOPS} resumed runs with the bytes of the undisturbed one, which has events"
    stopped = sum(not stop["was_finished"] for stop in stops)
    figures = {"undisturbed_s": took, "events": events, "stopped_before_the_end": stopped, "stops": stops}
    passed = same == STOPS and events > 0 and stopped == STOPS
    return record("resume", figures, target, passed, headline=f"{same} of {STOPS}, {events} events", seed=SEED)


def command(video: Path, model: Path, out: Path) -> subprocess.Popen:
    arguments = ["timeline", str(video), "--model", str(model), "--out", str(out), *OPTIONS]
    return subprocess.Popen([sys.executable, "-m", "semiology.cli", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
