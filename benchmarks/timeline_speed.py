"""Frames a second of `semiology timeline` at 720x576 and 25 Hz, this build beside the one before
speed was worked on; whether both write the same tables.

    python benchmarks/timeline_speed.py

A rendered recording of a person in bed with a seizure, watched by two AGCNs of the demo's size (one
of the body, one of the face) with random weights, which cost as much as others. The builds take
turns in processes of their own; frames a second are the verb's own, from the first frame to the
last window; the medians count. Processor time is of the whole process. A processor that others use
too hides what threads side by side gain: the load is kept with the figures.

The recording is kept in runs/timeline-speed/; everything else is measured again.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

import torch
from earlier_build import BEFORE, SEMIOLOGY, THIS_BUILD, earlier_build, run_in
from record import record

from semiology import load_skeleton
from semiology.models.networks import Network, StreamShape
from semiology.models.training.reading import Reading
from semiology.models.training.saved import SavedModel
from semiology.phantom import render_long

RUN = THIS_BUILD / "runs/timeline-speed"
ROUNDS = 5
SECONDS, WIDTH, HEIGHT = 20, 720, 576
TABLES = "timeline.csv", "events.tsv"
TIMES = 1.4  # this build's frames a second over the earlier one's


def main() -> int:
    video = recording()
    found: dict[str, list[dict[str, float]]] = {"earlier": [], "now": []}
    same = True
    with tempfile.TemporaryDirectory() as scratch, earlier_build() as earlier:
        model = models(Path(scratch) / "run")
        for _ in range(ROUNDS):
            tables = []
            for name, build in (("earlier", earlier), ("now", THIS_BUILD)):
                out = Path(scratch) / name
                found[name].append(watch(build, video, model, out))
                tables.append([(out / table).read_bytes() for table in TABLES])
                print(f"{name}: {described(found[name][-1])}", flush=True)
            same &= tables[0] == tables[1]
    middle = {
        name: {figure: median(run[figure] for run in runs) for figure in runs[0]}
        for name, runs in found.items()
    }
    times = middle["now"]["frames_a_second"] / middle["earlier"]["frames_a_second"]
    headline = (
        f"{middle['earlier']['frames_a_second']:.1f} frames/s before ({BEFORE}),"
        f" {middle['now']['frames_a_second']:.1f} now ({times:.2f} times), processor"
        f" {middle['earlier']['cpu_ms_a_frame']:.1f} and {middle['now']['cpu_ms_a_frame']:.1f} ms a"
        f" frame; tables {'are the same bytes' if same else 'DIFFER'}"
    )
    figures = {
        "runs": found,
        "median": middle,
        "times": times,
        "same_tables": same,
        "load_at_the_end": os.getloadavg()[0],
    }
    target = f"{TIMES:g} times the frames a second, the same tables"
    return record(
        "timeline-speed", figures, target, times >= TIMES and same, headline=headline, seed=7
    )


def recording() -> Path:
    """A person in bed with a seizure, rendered once."""
    path = RUN / "bed.mp4"
    if not path.with_name(f"{path.stem}_events.tsv").is_file():
        RUN.mkdir(parents=True, exist_ok=True)
        seizure = [("FOS", 5.0, 10.0)]
        render_long(path, SECONDS / 60, seizure, seed=7, width=WIDTH, height=HEIGHT)
    return path


def models(folder: Path) -> Path:
    """A run with one network on the body and one on the face."""
    body = Reading(
        "posture", skeleton="upper_body_11", channels=("joint", "motion"), rate=12.5, window=64
    )
    face = Reading(
        "expression", part="face", skeleton="face_23", channels=("joint",), rate=12.5, window=64
    )
    torch.manual_seed(0)
    for reading in (body, face):
        network = Network("agcn", {"widths": [16, 32, 32]})
        shape = StreamShape(2, load_skeleton(reading.skeleton), 2 * len(reading.channels))
        about = {"task": reading.label, "seconds": 5.12, "trackers": ["blazepose"]}
        saved = SavedModel(
            network(shape).eval(), network, reading, ["absent", "present"], shape, about
        )
        saved.save(folder / f"models/{reading.label}/agcn")
    return folder


def watch(build: Path, video: Path, model: Path, out: Path) -> dict[str, float]:
    """The verb once: frames a second, and processor time of a frame, start-up included."""
    shutil.rmtree(out, ignore_errors=True)
    arguments = ["--model", str(model), "--out", str(out), "--progress", "false"]
    ran = run_in(build, *SEMIOLOGY, "timeline", str(video), *arguments)
    result = json.loads((out / "timeline.json").read_text(encoding="utf-8"))
    return {
        "frames_a_second": result["speed"]["frames_a_second"],
        "cpu_ms_a_frame": 1000 * ran.cpu / result["frames"]["grid"],
        "wall_s": ran.wall,
    }


def described(run: dict[str, float]) -> str:
    return (
        f"{run['frames_a_second']:.1f} frames/s, {run['cpu_ms_a_frame']:.1f} ms of processor a"
        f" frame, {run['wall_s']:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
