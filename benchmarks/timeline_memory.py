"""`semiology timeline` on an hour beside ten minutes: peak memory, speed, onsets against the truth;
and ten hours of landmarks.

    python benchmarks/timeline_memory.py

Two rendered recordings of a phantom at rest with seizures at known times, watched by a model that
learned from other phantom people. Peak memory is each run's own process (ru_maxrss). The ten hours
loop two minutes of what the pose tracker and the face detector found, at the same rate: decoding
and tracking are not run again, everything after them is: the patient, the ring of keypoints,
windows, events, blocks on disk.

Every step is kept in runs/timeline-memory/ and goes on where it was; a timeline that was stopped is
restarted, for its memory's sake.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from record import RESULTS, record
from seizure_watch import FILMS, RATE, RUN, film, trained_model, truth

from semiology.files import atomic_path, write_text
from semiology.timeline.events import Event, Hysteresis, read_events, score_events
from semiology.timeline.stream.run import FACES_EVERY
from semiology.tracking.patient import Faces, PatientLocation
from semiology.tracking.pose import pose_backend
from semiology.tracking.pose.base import Landmarks
from semiology.video import Frame, read_frames

HOURS = 10
STEP = 2.0  # s, between windows of the ten hours; the recordings are watched at every second
EVERY = round(60 * RATE)  # frames between two samples of memory: a minute
MOST, SHARE = 2048.0, 1.05  # MiB; an hour's peak over ten minutes'


def main() -> int:
    model = trained_model()
    watched = {minutes: watch(minutes, model) for minutes in FILMS}
    looped = ten_hours(model)
    draw(looped["samples"], RESULTS.parents[1] / "docs/images/timeline_memory.png")
    ratio = watched[60]["peak_mib"] / watched[10]["peak_mib"]
    memory = np.array(looped["samples"])
    after = memory[
        memory[:, 0] > 0.5
    ]  # h; before that things are still being loaded for the first time
    rise = float(after[-len(after) // 10 :, 1].mean() - after[: len(after) // 10, 1].mean())
    figures = {
        "watched": watched,
        "ratio": ratio,
        "ten_hours": {**looped, "samples": len(memory), "rise_mib": rise},
        "rate_hz": RATE,
    }
    errors, counts = watched[60]["onset_errors_s"], watched[60]["counts"]
    passed = ratio <= SHARE and watched[60]["peak_mib"] < MOST and rise < (SHARE - 1) * after[0, 1]
    late = f"{np.median(np.abs(errors)):.1f} s" if errors else "n/a"
    headline = (
        f"peak {watched[60]['peak_mib']:.0f} MiB in 60 min, {watched[10]['peak_mib']:.0f} in 10 min"
        f" (ratio {ratio:.3f}); {watched[60]['frames_a_second']:.1f} frames/s; {counts['hits']:.0f}"
        f" of {len(FILMS[60])} seizures found, {counts['false_alarms']:.0f} false alarms, onset"
        f" error median {late}; {HOURS} h: memory {rise:+.1f} MiB from first to last tenth"
    )
    target = f"60 min within {SHARE - 1:.0%} of 10 min and under 2 GB; {HOURS} h flat"
    return record("timeline-memory", figures, target, passed, headline=headline, seed=0)


def watch(minutes: int, model: Path) -> dict[str, Any]:
    """One recording through the verb, in a process of its own: peak memory, speed, events against
    the truth.
    """
    path, out = (
        film(RUN / f"{minutes}_min.mp4", minutes, FILMS[minutes], seed=200 + minutes),
        RUN / f"{minutes}_min",
    )
    file = RUN / f"{minutes}_min.json"
    if not file.is_file():
        shutil.rmtree(out, ignore_errors=True)
        arguments = [
            "timeline",
            str(path),
            "--model",
            str(model),
            "--out",
            str(out),
            "--fps",
            f"{RATE:g}",
            "--progress",
            "false",
        ]
        running = subprocess.Popen([sys.executable, "-m", "semiology.cli.main", *arguments])
        _, status, usage = os.wait4(running.pid, 0)
        if status:
            raise SystemExit(f"semiology {' '.join(arguments)}: exit status {status}")
        write_text(
            file,
            json.dumps(
                {"peak_mib": usage.ru_maxrss / 1024, "cpu_s": usage.ru_utime + usage.ru_stime}
            ),
        )
    result = json.loads((out / "timeline.json").read_text(encoding="utf-8"))
    found = [
        Event(event.onset, event.duration, "seizure")
        for event in read_events(out / "events.tsv").events
    ]
    score = score_events(truth(path), found, result["duration_s"])
    kept, speed = json.loads(file.read_text(encoding="utf-8")), result["speed"]["frames_a_second"]
    print(
        f"{minutes} min: peak {kept['peak_mib']:.0f} MiB, {speed:.1f} frames/s, {score}", flush=True
    )
    return {
        **kept,
        "frames": result["frames"]["grid"],
        "frames_a_second": speed,
        "cpu_ms_a_frame": 1000 * kept["cpu_s"] / result["frames"]["grid"],
        "found": result["found"],
        "counts": asdict(score.counts),
        "onset_errors_s": [round(error, 3) for error in score.onset_errors],
    }


def ten_hours(model: Path) -> dict[str, Any]:
    """Ten hours of looped landmarks, in a process of its own: samples of memory (h, MiB) and what
    it took.
    """
    file = RUN / "ten_hours.json"
    if not file.is_file():
        path = film(
            RUN.parent / "resume/two_minutes.mp4",
            2.0,
            [("FOS", 30.0, 20.0), ("TCS", 70.0, 30.0)],
            seed=1,
            fps=25.0,
        )
        subprocess.run(
            [sys.executable, __file__, "loop", str(path), str(model), str(file)], check=True
        )
    return json.loads(file.read_text(encoding="utf-8"))


class Loop:
    """A source, a face detector and a pose tracker that repeat what the real ones returned for one
    short video.
    """

    name, live, dropped, latest = "loop", False, 0, -1

    def __init__(self, path: Path, every: int, hours: float):
        from semiology.timeline.stream.patient import OnlinePatient
        from semiology.timeline.stream.tracking import frames_with_patient
        from semiology.tracking.extraction.tracks import face_detector
        from semiology.video.reader import Damage

        self.backend, self.damage = pose_backend("blazepose"), Damage()
        self.keypoints, self.in_metres = self.backend.keypoints, self.backend.in_metres
        self.faces: list[Faces] = []
        self.samples: list[tuple[float, float]] = []
        self._count, self._looks, self._every, self.total = 0, 0, every, round(hours * 3600 * RATE)
        frames = read_frames(path, fps=RATE)
        pairs = frames_with_patient(
            frames,
            lambda image: self.faces.append(face_detector()(image)) or self.faces[-1],
            OnlinePatient(every / RATE),
            every,
            -1,
        )
        self.found = list(self.backend.track((frame.image, sight) for frame, sight in pairs))
        self.found = self.found[: len(self.found) // every * every]
        self._picture = np.zeros((288, 352, 3), np.uint8)
        print(f"loop: {len(self.found)} frames, {len(self.faces)} looks for faces", flush=True)

    def duration(self) -> None:
        return None

    def frames(self, first: int) -> Iterator[Frame]:
        for index in range(first, self.total):
            self.latest = index
            yield Frame(index, index / RATE, index / RATE, index, self._picture)

    def arrival(self, frame: Frame) -> None:
        return None

    def __call__(self, image: np.ndarray) -> Faces:
        self._looks += 1
        return self.faces[(self._looks - 1) % (len(self.found) // self._every)]

    def track(
        self, frames: Iterable[tuple[np.ndarray | None, PatientLocation]]
    ) -> Iterator[dict[str, Landmarks]]:
        for _ in frames:
            if self._count % EVERY == 0:
                self.samples.append((self._count / RATE / 3600, resident()))
            yield self.found[self._count % len(self.found)]
            self._count += 1


def loop(path: Path, model: Path, file: Path) -> None:
    """Run the ten hours, in this process."""
    from semiology.timeline.predict import Windows, find_models
    from semiology.timeline.stream.record import Record
    from semiology.timeline.stream.run import TimelineRun
    from semiology.timeline.stream.signs import Sign

    source = Loop(path, round(FACES_EVERY * RATE), HOURS)
    signs = [
        Sign(
            task,
            saved,
            Windows(float(saved.about["seconds"]), STEP),
            RATE,
            {"seizure": Hysteresis()},
        )
        for task, saved in find_models(model).items()
    ]
    out = RUN / "ten_hours"
    shutil.rmtree(out, ignore_errors=True)
    run = TimelineRun(signs, source, source, RATE, Record(out, "loop"))  # type: ignore[arg-type]
    run.start(60.0)
    began = time.monotonic()
    run.process(source, progress=False)  # type: ignore[arg-type]
    took = time.monotonic() - began
    summary = run.summary(source)  # type: ignore[arg-type]
    run.finish({"duration_s": summary["duration_s"], "source_bytes": None})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    description = {
        "frames": summary["frames"]["grid"],
        "events": len(summary["events"]),
        "took_s": took,
        "peak_mib": peak,
    }
    write_text(
        file,
        json.dumps(
            {
                **description,
                "looped": "faces and landmarks of two minutes",
                "samples": source.samples,
            }
        ),
    )


def resident() -> float:
    """Memory of this process, MiB."""
    line = next(
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024


def draw(samples: list[tuple[float, float]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    hours, memory = np.array(samples).T
    figure, axes = pyplot.subplots(figsize=(8, 2.6), layout="constrained")
    axes.plot(hours, memory, color="#0072b2", linewidth=1)
    axes.set(
        xlabel="hours of video gone through",
        ylabel="memory, MiB",
        ylim=(0, 1.2 * memory.max()),
        xlim=(0, hours.max()),
    )
    axes.set_title(
        "semiology timeline, ten hours (landmarks of two minutes looped)", fontsize=10, loc="left"
    )
    axes.spines[["top", "right"]].set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if sys.argv[1:2] == ["loop"]:
        loop(*map(Path, sys.argv[2:]))
    else:
        sys.exit(main())
