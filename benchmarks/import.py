"""What it costs to start: `import semiology` and `semiology --help`, beside an empty Python and
`import torch` in the same run; and how soon `semiology loso` answers a config with a mistake.

Heavy packages are imported where they are used and nowhere else, so that a mistyped option is
answered at once.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from record import record

from semiology.data.skeleton import load_skeleton
from semiology.data.tracks import make_tracks, save_tracks

ROUNDS = 9  # of each, in turn, so that a busy moment meets all of them; the medians count
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import semiology": [sys.executable, "-c", "import semiology"],
    "semiology --help": [str(Path(sys.executable).with_name("semiology")), "--help"],
    "import torch": [sys.executable, "-c", "import torch"],
}
LIMITS = {"import semiology": 0.3, "semiology --help": 0.6}  # s
MISTAKES = {  # -> what is written instead of what in a config
    "no such cohort": ("cohort: COHORT", "cohort: nowhere"),
    "no such key": ("validation: 0", "validatoin: 0"),
    "no such label": ("label: sign", "label: singn"),
    "no such skeleton": ("skeleton: kinect_20", "skeleton: kinect_25"),
    "no such joint in the tracks": ("skeleton: kinect_20", "skeleton: left_hand_21"),
    "no such network": ("stream: agcn", "stream: agnc"),
    "no such option": ("widths:", "width:"),
}
ANSWERED = 2.0  # s
CONFIG = """
cohort: COHORT
out: COHORT/run
validation: 0
tasks: {sign: {reading: {label: sign, skeleton: kinect_20, dimensions: 3, window: 16}}}
models: {agcn: {network: {stream: agcn, options: {widths: [8]}}}}
"""


def mistaken(folder: Path) -> dict[str, list[str]]:
    """The commands of configs with a mistake each, and the small cohort that they are of."""
    names = load_skeleton("kinect_20").names
    rows = ["clip_id\tparticipant_id\ttracks\tstart\tend\tsign"]
    for number in range(8):
        joints = np.random.default_rng(number).normal(size=(40, len(names), 3))
        tracks = make_tracks(None, names, 25.0, position_3d=joints)
        save_tracks(tracks, folder / f"tracks/c{number}.nc")
        rows.append(f"c{number}\tp{number}\ttracks/c{number}.nc\t0\tn/a\t{'ab'[number % 2]}")
    (folder / "clips.tsv").write_text("\n".join(rows) + "\n")
    people = "".join(f"p{number}\n" for number in range(8))
    (folder / "participants.tsv").write_text(f"participant_id\n{people}")
    label = {"Role": "label", "Levels": {"a": "", "b": ""}}
    (folder / "clips.json").write_text(json.dumps({"sign": label}))
    commands = {}
    for name, (right, wrong) in MISTAKES.items():
        path = folder / f"{name}.yaml"
        path.write_text(CONFIG.replace(right, wrong).replace("COHORT", str(folder)))
        commands[name] = [sys.executable, "-m", "semiology.cli.main", "loso", "--config", str(path)]
    return commands


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        mistakes = mistaken(Path(folder))
        return measured(COMMANDS | mistakes)


def children_seconds() -> float:
    """Processor time of all commands so far, which a busy machine changes little."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(commands: dict[str, list[str]]) -> int:
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    processor: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            start, before = time.perf_counter(), children_seconds()
            ended = subprocess.run(command, capture_output=True, check=False).returncode
            seconds[name].append(time.perf_counter() - start)
            processor[name].append(children_seconds() - before)
            if ended != (2 if name in MISTAKES else 0):
                raise RuntimeError(f"{name}: exit {ended}")
    middle = {name: median(taken) for name, taken in seconds.items()}
    for name, taken in middle.items():
        to_empty, to_torch = (taken / middle[other] for other in ("python -c pass", "import torch"))
        print(
            f"{name:<28} {taken:.3f} s ({median(processor[name]):.3f} of processor),"
            f" {to_empty:.1f} times python -c pass, {to_torch:.3f} of import torch"
        )
    slowest = max(middle[name] for name in MISTAKES)
    figures = {
        name: {
            "median_s": taken,
            "all_s": seconds[name],
            "median_processor_s": median(processor[name]),
        }
        for name, taken in middle.items()
    }
    return record(
        "import",
        figures,
        ", ".join(f"{name} under {limit} s" for name, limit in LIMITS.items())
        + f", every mistake in under {ANSWERED:g} s",
        all(middle[name] < limit for name, limit in LIMITS.items()) and slowest < ANSWERED,
        headline=", ".join(
            f"{name} {middle[name]:.3f} s ({middle[name] / middle['python -c pass']:.1f} times"
            f" python -c pass, {middle[name] / middle['import torch']:.3f} of import torch)"
            for name in LIMITS
        )
        + f", mistakes of a config answered in {slowest:.2f} s or less"
        f" ({max(median(processor[name]) for name in MISTAKES):.2f} s of processor)",
    )


if __name__ == "__main__":
    sys.exit(main())
