"""What the store costs: rates of writing and reading beside the disk's own and numpy's in the same
run, and disk per hour of video.

    python benchmarks/store.py

- Tracks are real: a minute of a phantom at 25 Hz (the film of `resume`) through the default
  backend; ten minutes are that minute ten times, which compresses no better, as zlib looks back
  over 32 kB. Features are random numbers: nothing in them could be compressed either.
- The floor is the same number of bytes on disk in one write with fsync, or in one read; the peer is
  `numpy.save` (with fsync) and `numpy.load` of the same arrays, a file each. All read from the page
  cache, all in turn, medians.
- Rates are in MB of arrays a second, so that what is compressed and what is not can be compared.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import xarray as xr
from record import record
from seizure_watch import film

from semiology.data.packing import BLOCK
from semiology.data.store import Features, Store
from semiology.data.tracks import read_tracks, save_tracks
from semiology.tracking.extraction import extract_tracks

RUN = Path("runs/store")
ROUNDS = 3
CLIPS = 500  # that are opened one after the other
RATE, EVERY = 25, 5  # Hz of the tracks; features of every fifth frame, as shipped
SNIPPETS = 15 / 8  # a second, as shipped: 8 frames at 15 Hz, one after the other
MEGA = 1e6
TRACKS = ("body", "face")
CHANNELS = {
    "face_vgg": 4096,
    "body_vgg": 4096,
    "face_vgg pooled": 512,
    "snippets": 512,
}  # of R(2+1)D-18: 512


def main() -> int:
    contents = {
        f"{part}, {minutes} min": tiled(minute(part), minutes)
        for minutes in (1, 10)
        for part in TRACKS
    }
    contents |= {
        f"{stage}, {minutes} min": drawn(stage, 60 * minutes)
        for minutes in (1, 10)
        for stage in CHANNELS
    }
    rows = {name: measured(name, content) for name, content in contents.items()}
    opened = opened_all(contents["body, 1 min"])
    hour = {stage: 60 / 10 * rows[f"{stage}, 10 min"]["file_mb"] for stage in (*TRACKS, *CHANNELS)}
    for name, row in rows.items():
        print(
            f"{name}: {row['array_mb']:.1f} MB, {row['file_mb']:.1f} on disk;"
            f" {speed(row, 'write')}; {speed(row, 'read')}"
        )
    print(
        f"an hour of video: {', '.join(f'{stage} {size:.0f} MB' for stage, size in hour.items())}"
    )
    headline = (
        f"a minute of body tracks {brief(rows['body, 1 min'])}, of face tracks"
        f" {brief(rows['face, 1 min'])}, of a VGG's features {brief(rows['face_vgg, 1 min'])};"
        f" {CLIPS} clips opened in {opened:.1f} s; an hour of video takes"
        f" {hour['body'] + hour['face']:.0f} MB of tracks and {hour['face_vgg']:.0f} MB a VGG"
    )
    figures = {"stages": rows, "opened_clips": CLIPS, "opened_s": opened, "mb_an_hour": hour}
    return record("store", figures, "reported, no target", True, headline=headline, seed=0)


def speed(row: dict[str, float], verb: str) -> str:
    """One line of writing or reading: MB of arrays a second, and as shares of the floor."""
    rate, ours, numpy = (
        row["array_mb"] / row[f"{verb}_s"],
        row[f"{verb}_of_floor"],
        row[f"numpy_{verb}_of_floor"],
    )
    return f"{verb} {rate:.0f} MB/s, {ours:.2g} of the floor (numpy {numpy:.2g})"


def brief(row: dict[str, float]) -> str:
    took = [
        f"{1000 * row[f'{verb}_s']:.3g} ms ({row[f'{verb}_of_floor']:.2g} of the floor)"
        for verb in ("write", "read")
    ]
    return f"{took[0]} to write and {took[1]} to read"


def minute(part: str) -> xr.Dataset:
    """A minute's tracks, made once."""
    path = RUN / f"minute_{part}.nc"
    if not path.is_file():
        video = film(
            RUN.parent / "resume/two_minutes.mp4",
            2.0,
            [("FOS", 30.0, 20.0), ("TCS", 70.0, 30.0)],
            seed=1,
            fps=float(RATE),
        )
        for own, tracks in extract_tracks(video, 0.0, 60.0).items():
            save_tracks(tracks, RUN / f"minute_{own}.nc")
    return read_tracks(path)


def tiled(tracks: xr.Dataset, times: int) -> xr.Dataset:
    longer = xr.concat([tracks] * times, "time")
    return longer.assign_coords(time=np.arange(longer.sizes["time"]) / RATE)


def drawn(stage: str, seconds: float) -> Features:
    """Random features of a stretch and their times, s."""
    rate = SNIPPETS if stage == "snippets" else RATE / EVERY
    time_ = np.arange(round(seconds * rate)) / rate
    kind = np.float32 if stage == "snippets" else np.float16
    return np.random.default_rng(0).normal(size=(len(time_), CHANNELS[stage])).astype(kind), time_


def written(store: Store, stage: str, content: xr.Dataset | Features) -> None:
    """As `semiology extract` writes a stage of clip `a`."""
    if not isinstance(content, xr.Dataset):
        store.write("a", stage, "0", content)
        return
    with store.growing("a", {stage: "0"}, "rounded") as take:
        for first in range(0, content.sizes["time"], BLOCK):
            take({stage: content.isel(time=slice(first, first + BLOCK))})


def measured(name: str, content: xr.Dataset | Features) -> dict[str, float]:
    """Seconds of the store, of the floor and of numpy, each for writing and for reading; sizes in
    MB.
    """
    stage, store = name.split(",")[0].split()[0], Store(RUN / "store")
    is_tracks = isinstance(content, xr.Dataset)
    arrays = (
        [variable.values for variable in content.data_vars.values()] if is_tracks else list(content)
    )
    written(store, stage, content)
    store.note("a", {}, {stage: {"key": "0"}})
    data, plain = store.file("a", stage, "0").read_bytes(), RUN / "plain"
    files = [RUN / f"array_{number}.npy" for number in range(len(arrays))]
    reader = store.predicted if is_tracks else store.features
    calls: dict[str, Callable[[], Any]] = {
        "write": lambda: written(store, stage, content),
        "floor_write": lambda: synced(plain, lambda stream: stream.write(data)),
        "numpy_write": lambda: [
            synced(path, lambda stream, own=own: np.save(stream, own))
            for path, own in zip(files, arrays)
        ],
        "read": lambda: reader("a", stage),
        "floor_read": plain.read_bytes,
        "numpy_read": lambda: [np.load(path) for path in files],
    }
    taken: dict[str, list[float]] = {what: [] for what in calls}
    for _ in range(ROUNDS):
        for what, call in calls.items():
            begin = time.perf_counter()
            call()
            taken[what].append(time.perf_counter() - begin)
    seconds = {f"{what}_s": median(times) for what, times in taken.items()}
    shutil.rmtree(store.folder)
    shares = {
        f"{who}{verb}_of_floor": seconds[f"floor_{verb}_s"] / seconds[f"{who}{verb}_s"]
        for verb in ("write", "read")
        for who in ("", "numpy_")
    }
    return {
        **seconds,
        **shares,
        "array_mb": sum(array.nbytes for array in arrays) / MEGA,
        "file_mb": len(data) / MEGA,
    }


def synced(path: Path, write: Callable[[Any], Any]) -> None:
    """Write a file and wait until it is on the disk, as the store does."""
    with open(path, "wb") as stream:
        write(stream)
        stream.flush()
        os.fsync(stream.fileno())


def opened_all(tracks: xr.Dataset) -> float:
    """Time to open a store of many clips and read the body of each, s."""
    store = Store(RUN / "many")
    for number in range(CLIPS):
        if number == 0:
            store.write("c0", "body", "0", tracks)
        elif not store.has(f"c{number}", "body", "0"):
            store.file(f"c{number}", "body", "0").parent.mkdir(exist_ok=True)
            os.link(store.file("c0", "body", "0"), store.file(f"c{number}", "body", "0"))
        store.note(f"c{number}", {}, {"body": {"key": "0"}})
    begin = time.perf_counter()
    opened = Store(RUN / "many")
    for number in range(CLIPS):
        opened.tracks(f"c{number}", "body")
    return time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main())
