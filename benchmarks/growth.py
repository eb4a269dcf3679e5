"""What grows with the number of clips, and how fast: every step of a run but its training, for 100
and for 500 clips.

    python benchmarks/growth.py

Cohorts of tracks (ten seconds of body each, five clips a participant) through the steps of
`semiology loso`: tables, clips into memory, digest for the folds' keys, folds assigned and checked
(one participant out at a time, and ten groups), sources, audit, report. The run that is audited and
reported has two folds and one small model, trained for one epoch: it takes what a run takes, and
its figures mean nothing.

The power of a step is the slope between the two sizes on logarithmic axes: 1 is a cost by clip, 2
by pair of clips. Above 1 it is what will not let a cohort grow. Runs are kept in runs/growth/;
every step is run again.
"""

import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

from many_clips import tracks_cohort
from record import record

from semiology.data.cohort import Cohort
from semiology.evaluation.audit import audit, write_sources
from semiology.evaluation.audit.copies import check_copies
from semiology.evaluation.audit.records import read_run
from semiology.evaluation.report import write_report
from semiology.evaluation.run.settings import Model, Protocol, Split, Task
from semiology.experiments.loso import run_loso
from semiology.experiments.splits import clips_digest, forget_sources, task_source
from semiology.experiments.training import check_parts, task_parts
from semiology.models.networks import Network
from semiology.models.training.reading import Reading, Schedule

RUN = Path("runs/growth")
SMALL, LARGE = 100, 500
SECONDS = 10.0  # of a clip
TASK = "dystonia"


def main() -> int:
    made = {
        clips: json.loads(
            subprocess.check_output([sys.executable, __file__, str(clips)]).splitlines()[-1]
        )
        for clips in (SMALL, LARGE)
    }
    powers = {
        kind: {
            name: log(large / made[SMALL][kind][name]) / log(LARGE / SMALL)
            for name, large in made[LARGE][kind].items()
        }
        for kind in ("seconds", "bytes")
    }
    for kind, steps in powers.items():
        for name, power in steps.items():
            small, large = (made[clips][kind][name] for clips in (SMALL, LARGE))
            print(
                f"{name} ({kind}): {small:.3g} for {SMALL} clips, {large:.3g} for {LARGE}: power"
                f" {power:.2f}"
            )
    steepest = sorted(powers["seconds"], key=lambda name: -made[LARGE]["seconds"][name])[:3]
    headline = "; ".join(
        f"{name} {made[LARGE]['seconds'][name]:.1f} s for {LARGE} clips, power"
        f" {powers['seconds'][name]:.1f}"
        for name in steepest
    )
    figures = {
        "sizes": {str(clips): taken for clips, taken in made.items()},
        "powers": powers,
        "seconds_a_clip": SECONDS,
    }
    return record("growth", figures, "reported, no target", True, headline=headline, seed=0)


def steps(clips: int) -> dict[str, Any]:
    """Every step for so many clips, in this process: seconds, bytes, and the peak of its memory in
    MiB.
    """
    cohort, run = tracks_cohort(RUN / f"cohort_{clips}", clips, SECONDS), RUN / f"run_{clips}"
    reading = Reading("dystonia", channels=("joint",), rate=12.5, window=64)
    network = Network("agcn", {"widths": [8]})
    model = Model(network, schedule=Schedule(epochs=1, patience=None))
    places = {
        "cohort": str(cohort),
        "out": str(run),
        "tasks": {TASK: Task(reading)},
        "models": {"agcn": model},
    }
    protocol = Protocol(split=Split("grouped", 2), validation=0.0, final=False, **places)
    each, tenths = (
        replace(protocol, split=Split(), validation=0.2),
        replace(protocol, split=Split("grouped", 10), validation=0.2),
    )
    run_loso(protocol)
    forget_sources()
    seconds: dict[str, float] = {}
    calls = {
        "tables": lambda: Cohort.read(cohort),
        "clips read": lambda: task_source(protocol, TASK).clips,
        "digest": lambda: clips_digest.__wrapped__(
            task_source(protocol, TASK)
        ),  # without its cache
        "one participant a fold, assigned": lambda: check_parts(
            each, TASK, 0, task_parts(each, TASK, 0)
        ),
        "ten folds, assigned": lambda: check_parts(tenths, TASK, 0, task_parts(tenths, TASK, 0)),
        "sources": lambda: write_sources(
            cohort,
            None,
            [clip.clip_id for clip in task_source(protocol, TASK).clips],
            run / "sources.json",
        ),
        "audit": lambda: audit(run),
        "of it, copies": lambda: check_copies(read_run(run)),
        "report": lambda: write_report(run),
    }
    for name, call in calls.items():
        begin = time.perf_counter()
        call()
        seconds[name] = time.perf_counter() - begin
    source = task_source(protocol, TASK)
    records = [path.stat().st_size for path in (run / "folds").rglob("*.json")]
    sizes = {
        "clips in memory": sum(clip.joints.nbytes for clip in source.clips),
        "record of a fold": sum(records) / len(records),
        **{
            name: (run / name).stat().st_size
            for name in ("predictions.csv", "sources.json", "report.html", "metrics.json")
        },
    }
    return {
        "seconds": seconds,
        "bytes": sizes,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(steps(int(sys.argv[1]))))
    else:
        sys.exit(main())
