"""What a long clip takes in memory, and how long many clips take until work begins.

    python benchmarks/memory.py

- `semiology extract` of ten minutes and of an hour (two phantoms at rest with seizures, 352x288, 10
  Hz: the films of timeline-memory), each in a process of its own: its peak, and that of all its
  processes together. 25 Hz has 2.5 times the rows, and is reported by their growth.
- `semiology myoclonus` of the body's tracks that these left, a verb that reads a clip whole: rows
  repeated to the 25 Hz that jerks need.
- A cohort of 500 small videos, all of them extracted: in a fresh process, after its imports, from
  the call until the tables are read, the files are seen to be there and it is decided what is left
  to do (nothing). Beside it what the rest of the wait is: the imports, `semiology cohort check`,
  which decodes a frame of every video, `semiology extract` again from end to end, and reading the
  500 clips' tracks and assigning them to folds, as `semiology loso` begins.

Every clip's extraction is kept in runs/memory/ and not run again; the times are measured again.
Delete the folder to measure memory again.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from many_clips import video_cohort
from record import record
from seizure_watch import FILMS, RATE, film
from seizure_watch import RUN as FILMED

from semiology.data.cohort import Cohort
from semiology.data.tracks import read_tracks, save_tracks
from semiology.evaluation.run.settings import Model, Protocol, Split, Task
from semiology.experiments.splits import task_source
from semiology.experiments.training import check_parts, task_parts
from semiology.files import write_text
from semiology.models.networks import Network
from semiology.models.training.reading import Reading
from semiology.tracking.extraction import ExtractOptions, extract_cohort
from semiology.video import read_frames, write_video

RUN = Path("runs/memory")
CLIPS, FRAMES = 500, 5  # of the large cohort, and frames of each of its videos
FASTER = 25.0  # Hz of a camera
ROUNDS = 3  # of everything that is timed, in turn; the medians count
SHARE, SECONDS = 1.05, 2.0  # an hour's peak over ten minutes', and s until the work is known


def main() -> int:
    peaks = {minutes: extracted(minutes) for minutes in FILMS}
    reading = {minutes: read_whole(minutes) for minutes in FILMS}
    long, short = (peaks[minutes]["together_mib"] for minutes in (60, 10))
    ratio, grown = long / short, (long - short) / 50  # MiB a minute at this rate
    more = grown * (FASTER / RATE - 1)  # that 25 Hz would take on top
    at_25_hz = (long + 60 * more) / (short + 10 * more)
    start = begun()
    figures = {
        **{
            "extract": peaks,
            "ratio": ratio,
            "mib_a_minute": grown,
            "ratio_at_25_hz_by_growth": at_25_hz,
            "rate_hz": RATE,
        },
        **{"myoclonus": reading, "clips": CLIPS, "start_s": start},
    }
    known = start["tables"] + start["what is left to do"]
    headline = (
        f"extract peaks at {long:.0f} MiB in 60 min, {short:.0f} in 10 min (ratio {ratio:.3f});"
        f" {CLIPS} clips: work known in {known:.2f} s, imports before that {start['imports']:.1f} s"
        f" (of torch alone {start['import torch']:.1f}), cohort check {start['cohort check']:.1f}"
        f" s, extract with nothing to do {start['extract again']:.1f} s, tracks read for LOSO in"
        f" {start['tracks read']:.1f} s"
    )
    target = f"60 min within {SHARE - 1:.0%} of 10 min; {CLIPS} clips under {SECONDS:g} s"
    return record(
        "memory", figures, target, ratio <= SHARE and known < SECONDS, headline=headline, seed=0
    )


def extracted(minutes: int) -> dict[str, float]:
    """One film through the verb."""
    path, file = (
        film(FILMED / f"{minutes}_min.mp4", minutes, FILMS[minutes], seed=200 + minutes),
        RUN / f"extract_{minutes}.json",
    )
    if not file.is_file():
        shutil.rmtree(RUN / f"tracks/{minutes}_min", ignore_errors=True)
        measured = watched("extract", str(path), "--out", str(RUN / "tracks"), "--fps", f"{RATE:g}")
        write_text(file, json.dumps(measured))
    return shown(f"extract, {minutes} min", file)


def read_whole(minutes: int) -> dict[str, float]:
    """A verb that reads the same minutes' tracks."""
    file, cohort = RUN / f"myoclonus_{minutes}.json", RUN / f"cohort_{minutes}"
    if not file.is_file():
        cohort.mkdir(parents=True, exist_ok=True)
        tracks = read_tracks(RUN / f"tracks/{minutes}_min/body.nc")
        rows = (np.arange(round(len(tracks.time) * FASTER / RATE)) * RATE / FASTER).astype(int)
        times = np.arange(len(rows)) / FASTER
        faster = tracks.isel(time=rows).assign_attrs(fps=FASTER)
        faster = faster.assign_coords(
            time=times, source_time=("time", times), source_index=("time", np.arange(len(rows)))
        )
        save_tracks(faster, cohort / "body.nc")
        write_text(cohort / "participants.tsv", "participant_id\nan\n")
        write_text(cohort / "clips.json", "{}")
        write_text(
            cohort / "clips.tsv",
            "clip_id\tparticipant_id\ttracks\tstart\tend\na\tan\tbody.nc\t0\tn/a\n",
        )
        write_text(
            file,
            json.dumps(
                watched("myoclonus", str(cohort), "--out", str(RUN / f"myoclonus_{minutes}"))
            ),
        )
    return shown(f"myoclonus, {minutes} min", file)


def shown(what: str, file: Path) -> dict[str, float]:
    measured = json.loads(file.read_text(encoding="utf-8"))
    print(
        f"{what}: peak {measured['peak_mib']:.0f} MiB, with its processes"
        f" {measured['together_mib']:.0f}",
        flush=True,
    )
    return measured


def watched(*arguments: str) -> dict[str, float]:
    """A verb in a process of its own: its peak (ru_maxrss), and the most that it and its children
    shared among them, twice a second.
    """
    running = subprocess.Popen([sys.executable, "-m", "semiology.cli.main", *arguments])
    together, ended = 0.0, 0
    while not ended:
        time.sleep(0.5)
        together = max(together, proportional(running.pid))
        ended, status, usage = os.wait4(running.pid, os.WNOHANG)
    if status:
        raise SystemExit(f"semiology {' '.join(arguments)}: exit status {status}")
    peak = usage.ru_maxrss / 1024
    return {
        "peak_mib": peak,
        "together_mib": max(peak, together),
        "cpu_s": usage.ru_utime + usage.ru_stime,
    }


def proportional(pid: int) -> float:
    """Memory of a process and of all that it started, MiB; what they share is divided among them
    (PSS).
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:  # it has ended
        return 0.0
    own = next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0) / 1024
    return own + sum(map(proportional, children))


def begun() -> dict[str, float]:
    """Medians of what a user of 500 clips waits for, s."""
    cohort, store = small_cohort(), RUN / "store"
    verbs = {
        "import torch": ["-c", "import torch"],
        "imports": ["-c", "import semiology.tracking.extraction, semiology.experiments.loso"],
        "cohort check": ["-m", "semiology.cli.main", "cohort", "check", str(cohort)],
        "extract again": [
            "-m",
            "semiology.cli.main",
            "extract",
            str(cohort),
            "--store",
            str(store),
            "--fps",
            f"{RATE:g}",
        ],
    }
    rounds: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        taken = {}
        for name, arguments in verbs.items():
            begin = time.perf_counter()
            subprocess.run(
                [sys.executable, *arguments],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            taken[name] = time.perf_counter() - begin
        stages = subprocess.run(
            [sys.executable, __file__, "stages", str(cohort), str(store)],
            check=True,
            capture_output=True,
            text=True,
        )
        rounds.append(taken | json.loads(stages.stdout.splitlines()[-1]))
    middle = {name: median(round_[name] for round_ in rounds) for name in rounds[0]}
    for name, seconds in middle.items():
        print(f"{CLIPS} clips: {name}: {seconds:.2f} s", flush=True)
    return middle


def small_cohort() -> Path:
    """500 copies of half a second of film, extracted once."""
    video = RUN / "moment.mp4"
    if not video.is_file():
        film(FILMED / "10_min.mp4", 10, FILMS[10], seed=210)
        images = (
            frame.image for frame in islice(read_frames(FILMED / "10_min.mp4", fps=RATE), FRAMES)
        )
        write_video(video, (image for image in images if image is not None), RATE)
    cohort = video_cohort(RUN / "cohort", CLIPS, video)
    command = [
        "extract",
        str(cohort),
        "--store",
        str(RUN / "store"),
        "--jobs",
        "-1",
        "--fps",
        f"{RATE:g}",
    ]
    subprocess.run(
        [sys.executable, "-m", "semiology.cli.main", *command],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return cohort


def stages(folder: str, store: str) -> None:
    """The steps of a start, in this fresh process, one after the other."""
    began, taken = time.perf_counter(), {}

    def lap(name: str) -> None:
        taken[name] = time.perf_counter() - began - sum(taken.values())

    cohort = Cohort.read(folder)
    lap("tables")
    summary = extract_cohort(cohort, store, options=ExtractOptions(fps=RATE), progress=False)
    lap("what is left to do")
    assert len(summary.skipped) == CLIPS, summary.text()
    reading = Reading("dystonia", rate=RATE, window=FRAMES)
    agcn = Model(Network("agcn"))
    protocol = Protocol(
        cohort=folder,
        store=store,
        out="",
        tasks={"d": Task(reading)},
        models={"a": agcn},
        split=Split("grouped"),
    )
    task_source(protocol, "d").clips  # noqa: B018
    lap("tracks read")
    check_parts(protocol, "d", 0, task_parts(protocol, "d", 0))
    lap("folds assigned")
    print(json.dumps(taken))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if sys.argv[1:2] == ["stages"]:
        stages(*sys.argv[2:])
    else:
        sys.exit(main())
