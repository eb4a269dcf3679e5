"""Damaged files of every kind through the commands that read them; single bits flipped in stores
and models; and commands killed at random moments and started again (`kills`).

    python benchmarks/mutations.py            (all)
    python benchmarks/mutations.py --kills 0  (the files alone)

A command that reads a damaged file may succeed, where the damage means nothing to it, or refuse in
a sentence; it may not end in a traceback or a signal, run for more than ten seconds, or take more
than 2 GB. Each runs in a process of its own, forked from one that has imported everything.
"""

import argparse
import contextlib
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from kills import killed_and_resumed
from many_clips import drawn_tracks
from mutation_inputs import Input, make_inputs
from record import record

from semiology.data.arrays import read_arrays, write_arrays
from semiology.data.tracks import read_tracks, save_tracks
from semiology.files import ends_intact, safetensors_intact

RUN = Path("runs/mutations")
EACH = 5  # mutations of each kind of every input
FLIPS = 100  # single bits of each stored file and model
LONGEST = 10.0  # s
MOST = 2.0  # GB, resident
STOP = 30.0  # s after which a command is stopped
IMPORTED = (
    "semiology.cli.experiments",
    "semiology.experiments.loso",
    "semiology.experiments.explain.run",
    "semiology.models.training.trainer",
    "semiology.tracking.extraction.run",
    "semiology.models.features.snippets",
    "semiology.evaluation.agreement.run",
    "semiology.timeline.events.find",
)  # before forking
EXTREMES = ("nan", "-1", "1e300", "inf", "99999999999", "-0", "=1+1", "é", "")


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit status (negative for a signal), seconds, GB, what it printed."""

    status: int
    seconds: float
    memory: float
    printed: str

    def fault(self) -> str | None:
        """What it should not have done."""
        if self.status < 0:
            return f"ended by {signal.Signals(-self.status).name}"
        if "Traceback (most recent call last)" in self.printed:
            return "traceback: " + self.printed.strip().splitlines()[-1]
        if self.status not in (0, 1, 2):
            return f"exit {self.status}"
        if self.status and not self.printed.strip():
            return "failed without a word"
        if self.seconds > LONGEST:
            return f"{self.seconds:.0f} s"
        return f"{self.memory:.1f} GB" if self.memory > MOST else None


def bit(content: bytes, rng: np.random.Generator) -> bytes:
    """One bit flipped."""
    place = int(rng.integers(len(content)))
    return content[:place] + bytes([content[place] ^ (1 << rng.integers(8))]) + content[place + 1 :]


def zeros(content: bytes, rng: np.random.Generator) -> bytes:
    """A stretch of up to 64 bytes zero."""
    start, length = int(rng.integers(len(content))), int(rng.integers(1, 65))
    return content[:start] + bytes(len(content[start : start + length])) + content[start + length :]


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    """The end missing."""
    return content[: int(rng.integers(len(content)))]


def removed(content: bytes, rng: np.random.Generator) -> bytes:
    """A stretch removed."""
    start, length = int(rng.integers(len(content))), int(rng.integers(1, len(content) // 4 + 2))
    return content[:start] + content[start + length :]


def repeated(content: bytes, rng: np.random.Generator) -> bytes:
    """A stretch there twice."""
    start, length = int(rng.integers(len(content))), int(rng.integers(1, len(content) // 4 + 2))
    return content[: start + length] + content[start:]


def inserted(content: bytes, rng: np.random.Generator) -> bytes:
    """Random bytes put in between."""
    start = int(rng.integers(len(content)))
    return content[:start] + rng.bytes(int(rng.integers(1, 65))) + content[start:]


def exchanged(content: bytes, rng: np.random.Generator) -> bytes:
    """Two stretches exchanged."""
    places = np.sort(rng.integers(0, len(content) + 1, 3))
    first, second, end = (int(place) for place in places)
    return content[:first] + content[second:end] + content[first:second] + content[end:]


def extreme(content: bytes, rng: np.random.Generator) -> bytes:
    """A number in the text another one, or no number; in other files eight bytes of 255."""
    numbers = list(re.finditer(rb"(?<![\w.])-?\d+(\.\d+)?", content))
    if content.isascii() and numbers:
        one = numbers[rng.integers(len(numbers))]
        new = EXTREMES[rng.integers(len(EXTREMES))].encode()
        return content[: one.start()] + new + content[one.end() :]
    start = int(rng.integers(len(content)))
    return content[:start] + b"\xff" * 8 + content[start + 8 :]


KINDS = (bit, zeros, cut, removed, repeated, inserted, exchanged, extreme)


def run(arguments: list[str], printed: Path) -> Ended:
    """The command in a forked process."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _run_here(arguments, printed)
    stopped = False
    while True:
        ended, status, used = os.wait4(child, os.WNOHANG)
        if ended:
            break
        if not stopped and time.monotonic() - began > STOP:
            os.killpg(child, signal.SIGKILL)
            stopped = True
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what it left behind
    return Ended(
        os.waitstatus_to_exitcode(status),
        time.monotonic() - began,
        used.ru_maxrss / 1e6,
        printed.read_text(errors="replace"),
    )


def _run_here(arguments: list[str], printed: Path) -> None:
    from semiology.cli.main import main as semiology

    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with open(printed, "wb", buffering=0) as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    status = 70
    try:
        status = semiology(arguments)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def try_one(one: Input, content: bytes, folder: Path) -> Ended:
    """The command on a copy with this content."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "out").mkdir(parents=True)
    if one.inside is None:
        copy = folder / one.file.name
        copy.write_bytes(content)
    else:
        copy = folder / one.inside.name
        shutil.copytree(one.inside, copy)
        (copy / one.file.relative_to(one.inside)).chmod(0o644)
        (copy / one.file.relative_to(one.inside)).write_bytes(content)
    return run(one.arguments(copy, folder / "out"), folder / "printed")


def mutated(inputs: list[Input], each: int, only: str) -> dict[str, object]:
    """`each` mutations of each kind of every input."""
    rng, faults, ends, slowest, largest = np.random.default_rng(0), [], Counter(), 0.0, 0.0
    for one in (one for one in inputs if only in one.name):
        content, here = one.file.read_bytes(), Counter()
        if (ended := try_one(one, content, RUN / "case")).status != one.valid:
            faults.append(f"{one.name}, undamaged: exit {ended.status}")
        for kind in KINDS:
            for number in range(each):
                changed = kind(content, rng)
                if changed == content:
                    continue
                ended = try_one(one, changed, RUN / "case")
                here[ended.status] += 1
                slowest, largest = max(slowest, ended.seconds), max(largest, ended.memory)
                if fault := ended.fault():
                    name = f"{one.name}, {kind.__name__} {number}"
                    faults.append(f"{name}: {fault}")
                    print(f"  {faults[-1]}", flush=True)
                    kept = RUN / "faults" / name.replace(" ", "_").replace("/", "_")
                    kept.mkdir(parents=True, exist_ok=True)
                    (kept / one.file.name).write_bytes(changed)
                    (kept / "printed").write_text(ended.printed)
        ends += here
        print(f"{one.name:22}{dict(sorted(here.items()))}", flush=True)
    return {
        "mutations": sum(ends.values()),
        "exit status": {str(status): count for status, count in sorted(ends.items())},
        "faults": faults,
        "slowest_s": slowest,
        "largest_gb": largest,
    }


def flipped(inputs: list[Input], each: int, only: str) -> dict[str, object]:
    """Single bits of what is stored: name -> how many of `each` were detected."""
    rng, detected = np.random.default_rng(1), {}
    for one in (one for one in inputs if one.detected and only in one.name):
        content = one.file.read_bytes()
        ended = [try_one(one, bit(content, rng), RUN / "case") for _ in range(each)]
        detected[one.name] = sum(
            end.status in (1, 2) and end.fault() is None and one.file.name in end.printed
            for end in ended
        )
        print(f"{one.name:22}{detected[one.name]} of {each} detected", flush=True)
    return {"each": each, "detected": detected}


def cost(folder: Path) -> dict[str, float]:
    """What verifying takes, as a share of reading: ten minutes of VGG-19 features and of tracks of
    the body, the fastest of five turns each.
    """
    features, tracks = folder / "cost.safetensors", folder / "cost.nc"
    write_arrays(features, {"features": np.random.default_rng(0).random((15000, 4096), np.float32)})
    save_tracks(drawn_tracks(600.0, seed=0), tracks)
    found = {}
    for name, check, read in (
        ("features", lambda: safetensors_intact(features), lambda: read_arrays(features, "")),
        ("tracks", lambda: ends_intact(tracks), lambda: read_tracks(tracks)),
    ):
        spent = {"verify_s": check, "read_s": read}
        for what, do in spent.items():
            turns = []
            for _ in range(5):
                began = time.perf_counter()
                do()
                turns.append(time.perf_counter() - began)
            found[f"{name} {what}"] = min(turns)
    features.unlink()
    tracks.unlink()
    print({name: round(value, 4) for name, value in found.items()}, flush=True)
    return found


def main() -> int:
    """The three parts; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=EACH)
    parser.add_argument("--flips", type=int, default=FLIPS)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--only", default="", help="inputs whose name holds this")
    parsed = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    RUN.mkdir(parents=True, exist_ok=True)
    made = multiprocessing.Process(target=make_inputs, args=(RUN / "inputs",))
    made.start()  # not here: a process in which torch has computed cannot be forked
    made.join()
    for module in IMPORTED:
        import_module(module)
    inputs = make_inputs(RUN / "inputs")
    shutil.rmtree(RUN / "faults", ignore_errors=True)
    figures = {
        "mutations": mutated(inputs, parsed.each, parsed.only),
        "flips": flipped(inputs, parsed.flips, parsed.only),
        "kills": killed_and_resumed(RUN, parsed.kills),
        "cost": cost(RUN),
    }
    count, faults = figures["mutations"]["mutations"], figures["mutations"]["faults"]
    detected = figures["flips"]["detected"]
    kills = figures["kills"]
    right = sum(detected.values()), parsed.flips * len(detected)
    headline = (
        f"{count} mutations, {len(faults)} faults; {right[0]} of {right[1]} flipped bits detected;"
        f" {kills['kills']} kills, {kills['same']} of {kills['runs']} runs with the same bytes"
    )
    target = (
        f"1000 mutations: no traceback, no signal, at most {LONGEST:g} s and {MOST:g} GB; every"
        " flipped bit detected; 100 kills, the same bytes after resuming"
    )
    passed = (
        count >= 1000
        and not faults
        and right[0] == right[1] > 0
        and kills["kills"] >= 100
        and kills["same"] == kills["runs"] > 0
        and not kills["left"]
    )
    return record("mutations", figures, target, passed, headline=headline, seed=0)


if __name__ == "__main__":
    sys.exit(main())
