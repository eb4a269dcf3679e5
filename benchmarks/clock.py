"""A day of 720 video files beside an EEG: are events found at the right second of the EEG, and is
memory flat?

    make bench NAME=clock

Files of two minutes (64x48, 10 Hz) with gaps of up to a minute and overlaps of up to two seconds,
named by the EDF rule, so their starts are known to the millisecond. Light goes on at known times,
also across the border of two files. The EEG's clock drifts by 37 ppm (3.2 s in a day). Five flashes
are marked in both, each read wrongly by up to a frame of 25 Hz (+-20 ms); offset and drift are
fitted from them by `semiology clock fit`.

The whole day is read through recordings.tsv in a process of its own, and an hour of it in another;
events come from brightness by the detector of `semiology timeline`, are written as events.tsv and
given in seconds of the EEG by `semiology clock convert`. 20 of them are also read as clips of the
recording, by a seek.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np
from record import record

from semiology.cli.main import main as semiology
from semiology.data.cohort import video_source
from semiology.data.events import read_events, write_events
from semiology.files import write_text
from semiology.timeline.events import Hysteresis
from semiology.timeline.events.hysteresis import find_events
from semiology.video import Recording, read_frames, write_video

RUN = Path("runs/clock")
PARTS, PER_HOUR = 720, 30
SECONDS, RATE = 120.0, 10.0  # of a part; Hz
BEGAN = datetime(2026, 3, 2, 6, 30, 0, 250000)
OFFSET, DRIFT = 41.375, 37.0  # s; ppm: what the fit has to find
DARK, LIGHT = 60, 200
FLASHES = [(11.3 + 9.7 * n, 1.5 + 0.3 * n) for n in range(8)]  # onset, duration in a file, s
ACROSS = 2.0  # s of light at the end of a file and at the beginning of the next
MARKS, READ_WRONGLY = 5, 0.02  # pairs; s
CLIPS = 20
TARGET, SHARE = 0.040, 1.10  # s; a day's peak over an hour's
SEED = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--read", type=Path, help="(a process of its own) a recording to read")
    arguments, _ = parser.parse_known_args()
    if arguments.read:
        return read(arguments.read)
    shutil.rmtree(RUN, ignore_errors=True)
    folder = RUN / "day"
    truth, counts = make_day(folder)
    peaks = {name: in_process(folder / name) for name in ("hour", "day")}
    found = read_events(folder / "day_found.tsv").events
    fitted = fit(folder, truth)
    table = f"{folder}/recordings.tsv#day"
    convert = ["clock", "convert", str(folder / "day_found.tsv"), "--recording", table]
    assert semiology([*convert, "--to", "eeg", "--out", str(folder / "day_eeg.tsv")]) == 0
    in_eeg = [event.onset for event in read_events(folder / "day_eeg.tsv").events]
    wanted = [eeg_second(onset) for onset, _ in truth]
    errors = [abs(a - b) for a, b in zip(in_eeg, wanted)]
    lasted = [abs(event.duration - span) for event, (_, span) in zip(found, truth)]
    clips = clip_errors(folder, truth)
    share = peaks["day"]["mib"] / peaks["hour"]["mib"]
    figures = {
        "parts": PARTS,
        **counts,
        "hours": truth[-1][0] / 3600,
        "events": len(truth),
        "found": len(in_eeg),
        "eeg_error_s": {"median": median(errors), "largest": max(errors)},
        "duration_error_s": max(lasted),
        "clips": {"read": len(clips), "largest_error_s": max(clips)},
        "fitted": fitted,
        "drift_over_the_day_s": DRIFT * 1e-6 * truth[-1][0],
        "peak_mib": {name: peak["mib"] for name, peak in peaks.items()},
        "seconds": {name: peak["seconds"] for name, peak in peaks.items()},
        "day_over_hour": share,
    }
    print(json.dumps(figures, indent=1))
    passed = (
        len(in_eeg) == len(truth)
        and max(errors) <= TARGET
        and max(clips) <= TARGET
        and share <= SHARE
    )
    headline = (
        f"{len(in_eeg)} of {len(truth)} events in {PARTS} files, EEG second off by"
        f" {1000 * max(errors):.0f} ms at most (median {1000 * median(errors):.0f}), in"
        f" {len(clips)} clips by {1000 * max(clips):.0f}; peak {peaks['day']['mib']:.0f} MiB in a"
        f" day, {peaks['hour']['mib']:.0f} in an hour (ratio {share:.3f})"
    )
    target = f"every event within {1000 * TARGET:.0f} ms, ratio at most {SHARE}"
    return record("clock", figures, target, passed, headline=headline, seed=SEED)


def eeg_second(seconds: float) -> float:
    """The EEG's second at a true second of the recording."""
    return OFFSET + seconds * (1 + DRIFT * 1e-6)


def make_day(folder: Path) -> tuple[list[tuple[float, float]], dict[str, int]]:
    """Write the parts, the tables of the day and of its first hour; the light's (onset, duration)
    in true s of the recording, and how many gaps and overlaps there are.
    """
    draw = random.Random(SEED)
    films = make_films(RUN / "films")
    start, truth, counts = 0.0, list[tuple[float, float]](), {"gaps": 0, "overlaps": 0}
    begun = False  # light across the border goes on in this part
    names = []
    for number in range(PARTS):
        apart = 0.0
        if (kind := draw.random()) < 0.10:
            apart = draw.uniform(0.3, 60.0)
        elif kind < 0.20:
            apart = -round(draw.uniform(0.5, 2.0), 1)  # whole frames: both files show one room
        # across a gap of more than the detector bridges there would be two events
        ends = number + 1 < PARTS and apart <= 0.0 and draw.random() < 0.2
        flash = number % len(FLASHES)
        truth_start = start
        onset, duration = FLASHES[flash]
        truth.append((truth_start + onset, duration))
        if ends:
            truth.append((truth_start + SECONDS - ACROSS, 2 * ACROSS + apart))
        named = BEGAN + timedelta(seconds=start)
        stamp = f"{named:%d-%b-%Y_%Hh%Mm%S}.{round(named.microsecond / 1000) % 1000:03d}"
        name = folder / "videos" / f"P1_{stamp}s_Video.mp4"
        name.parent.mkdir(parents=True, exist_ok=True)
        os.link(films[flash, begun, ends], name)
        names.append(name)
        start += SECONDS + apart
        begun = ends
        counts["gaps"] += apart > 0
        counts["overlaps"] += apart < 0
    rows = ["recording_id\tvideo\tstart", "day\tvideos/*_Video.mp4\tn/a"]
    rows += [f"hour\tvideos/{name.name}\tn/a" for name in names[:PER_HOUR]]
    write_text(folder / "recordings.tsv", "\n".join(rows) + "\n")
    return truth, counts


def make_films(folder: Path) -> dict[tuple[int, bool, bool], Path]:
    """(flash, light at the beginning, light at the end) -> a file of two minutes."""
    films = {}
    times = np.arange(round(SECONDS * RATE)) / RATE
    for number, (onset, duration) in enumerate(FLASHES):
        for begins in (False, True):
            for ends in (False, True):
                path = folder / f"{number}{begins:d}{ends:d}.mp4"
                path.parent.mkdir(parents=True, exist_ok=True)
                light = (times >= onset - 1e-6) & (times < onset + duration - 1e-6)
                light |= begins & (times < ACROSS - 1e-6)
                light |= ends & (times >= SECONDS - ACROSS - 1e-6)
                shades = np.where(light, LIGHT, DARK).astype(np.uint8)
                write_video(path, (np.full((48, 64, 3), shade) for shade in shades), RATE)
                films[number, begins, ends] = path
    return films


def in_process(recording: Path) -> dict[str, float]:
    """Read a recording in a process of its own: its peak, MiB, and how long it took."""
    run = subprocess.run(
        [sys.executable, __file__, "--read", str(recording)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


def read(name: Path) -> int:
    """Read FOLDER/ID, write the light's events to FOLDER/ID_found.tsv, print the peak."""
    begun = time.monotonic()
    recording = video_source(f"{name.parent}/recordings.tsv#{name.name}")
    hysteresis = Hysteresis(merge=0.0, shortest=0.0, unseen=0.3)
    events = find_events(brightness(recording), hysteresis, sign="light")
    write_events(name.parent / f"{name.name}_found.tsv", events)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"mib": peak, "seconds": time.monotonic() - begun, "events": len(events)}))
    return 0


def brightness(recording: Path | Recording) -> Iterator[tuple[float, float, float]]:
    """Start and end (s) of each source frame and its light, 0 to 1; a frame that the grid repeats
    counts once.
    """
    last = -1
    for frame in read_frames(recording, fps=RATE):
        if frame.image is not None and frame.source_index != last:
            last = frame.source_index
            light = (float(frame.image[24, 32, 0]) - DARK) / (LIGHT - DARK)
            yield frame.source_time, frame.source_time + 1 / RATE, min(max(light, 0.0), 1.0)


def fit(folder: Path, truth: list[tuple[float, float]]) -> dict[str, float]:
    """Fit the EEG's clock from marks that are read wrongly by up to 20 ms."""
    draw = random.Random(SEED + 1)
    marked = [truth[round(n * (len(truth) - 1) / (MARKS - 1))][0] for n in range(MARKS)]
    wrong = [draw.uniform(-READ_WRONGLY, READ_WRONGLY) for _ in marked]
    rows = [
        f"{seconds + off:.4f}\t{eeg_second(seconds):.4f}" for seconds, off in zip(marked, wrong)
    ]
    write_text(folder / "pairs.tsv", "\n".join(["video\teeg", *rows]) + "\n")
    pairs = ["--pairs", f"{folder}/pairs.tsv"]
    assert semiology(["clock", "fit", "--recording", f"{folder}/recordings.tsv#day", *pairs]) == 0
    clock = json.loads((folder / "recordings.json").read_text())["day"]["EEG"]
    return {"offset_s": clock["Offset"], "drift_ppm": clock["Drift"]}


def clip_errors(folder: Path, truth: list[tuple[float, float]]) -> list[float]:
    """Events read as clips of two seconds around their onset: error of the onset, s."""
    recording = video_source(f"{folder}/recordings.tsv#day")
    errors = []
    for onset, _ in random.Random(SEED + 2).sample(truth, CLIPS):
        first = next(
            (
                frame.source_time
                for frame in read_frames(recording, onset - 1.0, onset + 1.0, RATE)
                if frame.image is not None and frame.image[24, 32, 0] > (DARK + LIGHT) / 2
            ),
            float("inf"),
        )
        errors.append(abs(first - onset))
    return errors


if __name__ == "__main__":
    sys.exit(main())
