"""How soon a verb shows that it works on a cohort of 2,000 clips: from the command to the first
thing on the terminal, a bar or a line.

    make bench NAME=startup

The cohort is of tracks that are brought along, one person with five clips each. Verbs of a run are
called on one that `semiology loso` makes of the cohort first: two folds, one epoch. Each verb is
called in turn, `--rounds` times, and stopped as soon as it has shown something: medians count.
Beside them stands an empty Python that imports torch, of which a verb that computes by networks
must first wait for as long.
"""

import argparse
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

from earlier_build import SEMIOLOGY
from many_clips import tracks_cohort
from record import record

from semiology.files import write_text

CLIPS, SECONDS = 2000, 4.0  # of each clip
TARGET = 2.0  # s
AT_MOST = 60.0  # s that a verb may show nothing
TERMINAL = struct.pack("HHHH", 40, 120, 0, 0)  # rows and columns
RUN = Path("runs/startup").resolve()
COHORT = str(RUN / "cohort")
CONFIG = f"""
cohort: {COHORT}
out: {RUN / "run"}
tasks: {{sign: {{reading: {{label: dystonia, channels: [joint], rate: 12.5, window: 32}}}}}}
models:
  agcn:
    network: {{stream: agcn, options: {{widths: [8]}}}}
    schedule: {{epochs: 1, patience: null}}
split: {{by: grouped, folds: 2}}
validation: 0.0
final: false
keep: true
"""
VERBS = {
    "cohort check": ["cohort", "check", COHORT],
    "extract": ["extract", COHORT, "--store", "NEW/store"],
    "review": ["review", COHORT, "--store", "NEW/review", "--rater", "me"],
    "features": ["features", COHORT, "--out", "NEW/features.tsv"],
    "myoclonus": ["myoclonus", COHORT, "--out", "NEW/myoclonus.tsv"],
    "loso": ["loso", "--config", str(RUN / "loso.yaml"), "--out", "NEW/run"],
    "loso --estimate": ["loso", "--config", str(RUN / "loso.yaml"), "--estimate"],
    "audit": ["audit", str(RUN / "run")],
    "report": ["report", str(RUN / "run")],
    "explain": ["explain", str(RUN / "run")],
    "probe": ["probe", str(RUN / "run"), "--target", "participant_id"],
}
TORCH = "(import torch)"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"making {CLIPS} clips and a run of them", flush=True)
    tracks_cohort(Path(COHORT), CLIPS, SECONDS)
    write_text(RUN / "loso.yaml", CONFIG)
    done = subprocess.run(command(["loso", "--config", str(RUN / "loso.yaml")]), check=False)
    if done.returncode:
        raise SystemExit("the run of the cohort failed")
    shown: dict[str, list[float]] = {name: [] for name in (*VERBS, TORCH)}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as new:
            for name, arguments in VERBS.items():
                called = [one.replace("NEW", new) for one in arguments]
                shown[name].append(first_sign(command(called)))
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "import torch"], check=True)
        shown[TORCH].append(time.monotonic() - began)
    medians = {name: statistics.median(each) for name, each in shown.items()}
    for name, seconds in medians.items():
        print(f"{name:<18}{seconds:6.2f} s")
    late = [name for name in VERBS if medians[name] >= TARGET]
    slowest = max(VERBS, key=lambda name: medians[name])
    return record(
        "startup",
        {"clips": CLIPS, "seconds": medians, "rounds": shown, "late": late},
        f"every verb shows something within {TARGET:g} s",
        not late,
        headline=f"{len(VERBS) - len(late)} of {len(VERBS)} verbs in time; slowest {slowest},"
        f" {medians[slowest]:.1f} s",
        seed=0,
    )


def command(arguments: list[str]) -> list[str]:
    return [sys.executable, *SEMIOLOGY, *arguments]


def first_sign(called: list[str]) -> float:
    """Seconds from a command to the first thing that it shows on a terminal; it is stopped then."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, TERMINAL)
    began = time.monotonic()
    process = subprocess.Popen(
        called, stdin=subprocess.DEVNULL, stdout=its, stderr=its, start_new_session=True
    )
    os.close(its)
    there, _, _ = select.select([ours], [], [], AT_MOST)
    seconds = time.monotonic() - began
    shown = os.read(ours, 4096) if there else b"nothing"
    if not there or b"error" in shown or b"usage" in shown:
        raise SystemExit(f"{' '.join(called)}: showed {shown!r}")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    os.close(ours)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
