"""Commands killed at random moments and started again: extract, cross-validation (one and two
processes) and timeline, each until it is complete, with the same bytes as undisturbed.

A chain is one output folder: the command is started, killed (SIGKILL) at a random moment, started
again, until it ends by itself. Its output is then compared. Also counted is what a kill leaves
behind: worker processes that still run ten seconds later, and temporary files in the completed
output.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import yaml
from mutation_inputs import film

from semiology.files import slug

WORKERS_END = 10.0  # s after the kill of their parent
KILLS_A_CHAIN = 8  # then it may end


@dataclass(frozen=True)
class Job:
    """A command, by the folder that it writes, and which of its files have to be the same."""

    name: str
    arguments: Callable[[Path], list[str]] = field(repr=False)
    files: tuple[str, ...]


def killed_and_resumed(folder: Path, kills: int) -> dict[str, object]:
    """Kills, in turn over the jobs, until there were so many; the chains that were completed, how
    many gave the same bytes, and what was left behind.
    """
    found: dict[str, object] = {"kills": 0, "runs": 0, "same": 0, "left": [], "jobs": {}}
    if not kills:
        return found
    rng, left = random.Random(0), []
    jobs = make_jobs((folder / "kills").resolve())
    for number, job in enumerate(jobs):
        share = kills // len(jobs) + (number < kills % len(jobs))
        whole = folder / "kills" / slug(job.name) / "undisturbed"
        began = time.monotonic()
        if _start(job, whole).wait():
            raise RuntimeError(f"{job.name}: the undisturbed run failed")
        seconds = time.monotonic() - began
        expected, done, chains, same = _content(job, whole), 0, 0, 0
        while done < share:
            out = whole.with_name(f"chain-{chains}")
            done += _chain(job, out, seconds, min(KILLS_A_CHAIN, share - done), rng, left)
            chains += 1
            same += _content(job, out) == expected
            left += [f"{job.name}: {path.name}" for path in out.rglob(".part-*")]
        print(f"{job.name:22}{done} kills, {same} of {chains} runs with the same bytes", flush=True)
        found["jobs"] |= {job.name: {"kills": done, "runs": chains, "same": same, "s": seconds}}
        for name, value in {"kills": done, "runs": chains, "same": same}.items():
            found[name] += value
    return found | {"left": left}


def make_jobs(folder: Path) -> list[Job]:
    """The four commands, and what they read, below the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(folder.with_name("inputs") / "tracked", folder / "tracked")
    config = yaml.safe_load((folder.with_name("inputs") / "loso.yaml").read_text())
    config["models"]["agcn"]["schedule"]["epochs"] = 3
    config |= {"cohort": str(folder / "tracked"), "keep": False}
    (folder / "loso.yaml").write_text(yaml.safe_dump(config))
    (folder / "filmed/videos").mkdir(parents=True)
    rows = []
    for number in range(4):
        film(folder / f"filmed/videos/c{number}.mp4", frames=60)
        rows.append({"clip_id": f"c{number}", "participant_id": f"p{number}"})
        rows[-1] |= {"video": f"videos/c{number}.mp4", "start": 0, "end": "n/a"}
    pd.DataFrame(rows).to_csv(folder / "filmed/clips.tsv", sep="\t", index=False)
    people = "participant_id\n" + "".join(f"p{number}\n" for number in range(4))
    (folder / "filmed/participants.tsv").write_text(people)
    (folder / "filmed/clips.json").write_text("{}")
    film(folder / "long.mp4", frames=750)
    snippets = str(folder.with_name("inputs") / "snippets.safetensors")

    def extract(out: Path) -> list[str]:
        made = ["--snippet_weights", snippets, "--snippets.stride", "4"]
        return ["extract", str(folder / "filmed"), "--store", str(out), *made]

    def loso(jobs: int) -> Callable[[Path], list[str]]:
        return lambda out: [
            "loso", "--config", str(folder / "loso.yaml"), "--out", str(out), "--jobs", str(jobs)
        ]  # fmt: skip

    def timeline(out: Path) -> list[str]:
        model = str(folder.with_name("inputs") / "both/run")
        how = ["--fps", "25", "--block", "4", "--progress", "false"]
        return ["timeline", str(folder / "long.mp4"), "--model", model, "--out", str(out), *how]

    records = ("predictions.csv", "models/**/weights.safetensors", "metrics.json")
    return [
        Job("extract", extract, ("*/*.nc", "*/*.safetensors", "*/record.json")),
        Job("loso", loso(1), records),
        Job("loso, 2 processes", loso(2), records),
        Job("timeline", timeline, ("timeline.csv", "events.tsv")),
    ]


def _start(job: Job, out: Path) -> subprocess.Popen:
    """The command, in a session of its own, by which its workers are found."""
    return subprocess.Popen(
        [sys.executable, "-m", "semiology.cli.main", *job.arguments(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def _chain(
    job: Job, out: Path, seconds: float, most: int, rng: random.Random, left: list[str]
) -> int:
    """Start and kill the command up to `most` times, then let it end; returns the kills."""
    kills = 0
    while True:
        running = _start(job, out)
        if kills < most:
            try:
                running.wait(rng.uniform(0.1, 1.0) * seconds)
            except subprocess.TimeoutExpired:
                running.send_signal(signal.SIGKILL)
                running.wait()
                kills += 1
                left += _workers_left(job, running.pid)
                continue
        if running.wait():
            left.append(f"{job.name}: exit {running.returncode} after {kills} kills")
        return kills


def _workers_left(job: Job, session: int) -> list[str]:
    """Processes of the session that run on after `WORKERS_END`; they are killed."""
    end = time.monotonic() + WORKERS_END
    while (pids := _of_session(session)) and time.monotonic() < end:
        time.sleep(0.2)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return [f"{job.name}: {len(pids)} workers ran on"] if pids else []


def _of_session(session: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, *numbers = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(numbers[2]) == session and state != "Z":
            found.append(int(path.parent.name))
    return found


def _content(job: Job, out: Path) -> dict[str, bytes]:
    """Path below the output -> bytes, of the files that have to be the same."""
    found = {path for pattern in job.files for path in out.glob(pattern)}
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(found)}
