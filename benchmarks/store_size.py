"""Tracks and features on disk and in memory: this build beside the one before tracks were stored to
a stated precision.

    make bench NAME=store-size

- Tracks are real: the phantom's minute of `store`, and, where the test data are at hand, videos of
  people, all as they are computed. Each is repeated to five minutes, which compresses no better, as
  zlib looks back over 32 kB; both builds write the same numbers as `semiology extract` does.
- Reading is a clip of five minutes from a store, body and face, each in a process of its own, in
  turns: processor time, medians. Training reads the joints of a skeleton alone.
- Memory is the most that Python and numpy hold at a time (tracemalloc), a minute of a clip of five
  minutes, when it is read for training and explanation (11 joints of the body, 23 of a face, and a
  VGG's 4,096 channels), and what is kept of it then; and the most in the parts of extraction that
  grow with the clip: the body's check and a VGG's features.
- What rounding changes: positions, speed, jerks and the face's measures, of the same tracks before
  and after.
"""

import inspect
import json
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import xarray as xr

RUN = Path("runs/store-size")
MINUTES, ROUNDS = 5, 5
RATE, EVERY = 25, 5  # Hz of the tracks; features of every fifth frame, as shipped
CHANNELS = 4096  # of a VGG's layer before the classifier
QUARTER, HALF = 0.25, 0.5
REAL = (
    "faces/WolfgangLanger_Pexels.mp4",
    "people/dance_720x406.mp4",
    "people/walking_1768x994.mp4",
)
PARTS = ("body", "face")


# In a process of either build: only what both have.


def tiled(path: str, minutes: float) -> xr.Dataset:
    """The tracks of a file, one after the other, until they last so long."""
    from semiology.data.tracks import read_tracks

    tracks = read_tracks(path)
    frames = round(60 * minutes * RATE)
    times = -(-frames // tracks.sizes["time"])
    longer = xr.concat([tracks] * times, "time").isel(time=slice(0, frames))
    seconds = np.arange(frames) / RATE
    return longer.assign_coords(
        time=seconds, source_time=("time", seconds), source_index=("time", np.arange(frames))
    )


def write(source: str, out: str, minutes: str) -> dict[str, float]:
    """A store of one clip, written in blocks as `semiology extract` does; bytes of each file."""
    from semiology.data.store import Store

    store, sizes, began = Store(out), {}, time.process_time()
    precision = "precision" in inspect.signature(Store.growing).parameters
    for part in PARTS:
        tracks = tiled(f"{source}_{part}.nc", float(minutes))
        with store.growing(
            "a", {part: "0" * 16}, **({"precision": "rounded"} if precision else {})
        ) as take:
            for first in range(0, tracks.sizes["time"], 500):
                take({part: tracks.isel(time=slice(first, first + 500))})
        store.note("a", {}, {part: {"key": "0" * 16}})
        sizes[part] = store.path("a", part).stat().st_size
    return {**sizes, "cpu_s": time.process_time() - began}


def read(folder: str) -> dict[str, float]:
    """Processor seconds of reading each part of the clip whole, and for training."""
    from semiology.data.cohort import Clip
    from semiology.data.store import Store
    from semiology.data.track_arrays import clip_arrays
    from semiology.models.training.clips import prepare

    store, taken = Store(folder), {}
    clip = Clip(clip_id="a", participant_id="p", video="a.mp4")
    for part in PARTS:
        reading = of_part(part)
        names = {name for joint, own in reading.graph.joints.items() for name in (joint, *own)}
        wanted = (names, 2) if "keypoints" in inspect.signature(clip_arrays).parameters else ()
        calls = {
            part: lambda part=part: store.tracks("a", part),
            f"{part}, for training": lambda part=part, wanted=wanted, reading=reading: prepare(
                clip_arrays(Path(), clip, store, part, *wanted), reading
            ),
        }
        for name, call in calls.items():
            call()  # imports, and the file into the page cache
            each = []
            for _ in range(3):
                began = time.process_time()
                call()
                each.append(time.process_time() - began)
            taken[name] = median(each)
    return taken


def of_part(part: str, appearance: str | None = None) -> Any:
    from semiology.models.training.reading import Reading

    skeleton = {"body": "upper_body_11", "face": "face_23"}[part]
    return Reading("sign", part=part, skeleton=skeleton, appearance=appearance, rate=RATE)


def memory(what: str, folder: str) -> dict[str, float]:
    """MB a minute of clip: the most that was allocated at a time, and what is kept."""
    from semiology.models.training.clips import ClipSource

    part, _, appearance = what.partition(" ")
    reading = of_part(part, appearance or None)
    _ = ClipSource(folder, reading, f"{folder}/store").clips  # imports
    source = ClipSource(folder, reading, f"{folder}/store")
    return allocated(lambda: source.clips, MINUTES)


def checking(source: str) -> dict[str, float]:
    """The same of the body's check over a clip, in extraction."""
    from semiology.tracking.extraction.options import ExtractOptions
    from semiology.tracking.extraction.tracks import checked_blocks

    body = tiled(f"{source}_body.nc", 1).drop_vars("rejected", errors="ignore")

    def blocks(minutes: int) -> Iterator[dict[str, xr.Dataset]]:
        for number in range(minutes * 3):
            part = body.isel(time=slice(500 * (number % 3), 500 * (number % 3 + 1)))
            yield {"body": part.copy(deep=True)}

    def through(minutes: int) -> None:
        for _ in checked_blocks(blocks(minutes), ExtractOptions()):
            pass

    through(1)
    return allocated(lambda: through(MINUTES), MINUTES)


def featuring(source: str) -> dict[str, float]:
    """The same of a VGG's features of a clip, by a network that draws its features."""
    import torch

    from semiology.models.features.vgg import appearance_features
    from semiology.video import Frame

    class Drawn:
        def channels(self, layer: str) -> int:
            return CHANNELS

        def shrink(self, crop: Any) -> np.ndarray:
            return np.zeros((2, 2, 3), np.uint8)

        def normalise(self, images: torch.Tensor) -> torch.Tensor:
            return images

        def embed(self, images: torch.Tensor, layer: str) -> torch.Tensor:
            return torch.rand(len(images), CHANNELS)

    def frames(minutes: int) -> Iterator[Frame]:
        image = np.zeros((8, 8, 3), np.uint8)
        for number in range(60 * minutes * RATE // EVERY):
            seconds = number * EVERY / RATE
            yield Frame(number, seconds, seconds, number, image)

    known = inspect.signature(appearance_features).parameters
    own = {name: value for name, value in {"half": True, "every": EVERY}.items() if name in known}
    body = tiled(f"{source}_body.nc", MINUTES)
    call = lambda minutes: appearance_features(frames(minutes), body, "body", Drawn(), **own)  # noqa: E731
    call(1)
    return allocated(lambda: call(MINUTES), MINUTES)


def allocated(call: Any, minutes: float) -> dict[str, float]:
    """MB a minute that a call allocates at most, and that it returns."""
    tracemalloc.start()
    kept = call()
    now, peak = tracemalloc.get_traced_memory()
    del kept
    return {"peak": peak / minutes / 1e6, "kept": now / minutes / 1e6}


# In this build alone.


def main() -> int:
    from earlier_build import THIS_BUILD, earlier_build
    from record import record

    with earlier_build() as earlier, tempfile.TemporaryDirectory() as scratch:
        builds = {"before": earlier, "now": THIS_BUILD}
        sources = exact_tracks()
        disk = {
            name: {
                who: asked(
                    build, "write", str(source), f"{scratch}/{name}/{who}/store", str(MINUTES)
                )
                for who, build in builds.items()
            }
            for name, source in sources.items()
        }
        hour = {
            name: {
                who: {part: 60 / MINUTES * sizes[part] / 1e6 for part in PARTS}
                for who, sizes in both.items()
            }
            for name, both in disk.items()
        }
        shares = {name: total(both["now"]) / total(both["before"]) for name, both in hour.items()}
        for name, both in hour.items():
            for who, sizes in both.items():
                listed = ", ".join(f"{part} {size:.0f}" for part, size in sizes.items())
                print(f"{name}, {who}: MB an hour: {listed}, both {total(sizes):.0f}", flush=True)
            print(f"{name}: {shares[name]:.3f} of before", flush=True)

        reads: dict[str, list[dict[str, float]]] = {who: [] for who in builds}
        for _ in range(ROUNDS):
            for who, build in builds.items():
                reads[who].append(asked(build, "read", f"{scratch}/phantom/{who}/store"))
        took = {
            name: {who: median(one[name] for one in rounds) for who, rounds in reads.items()}
            for name in reads["now"][0]
        }
        for name, both in took.items():
            print(
                f"{MINUTES} min of {name}: {1e3 * both['before']:.0f} ms of processor before,"
                f" {1e3 * both['now']:.0f} now, {both['now'] / both['before']:.2f}",
                flush=True,
            )

        for who in builds:
            make_cohort(Path(scratch, "phantom", who), half=who == "now")
        used: dict[str, dict[str, dict[str, float]]] = {}
        for what in ("body body_vgg", "face face_vgg", "body", "face"):
            used[f"clips read: {what}"] = {
                who: asked(build, "memory", what, f"{scratch}/phantom/{who}")
                for who, build in builds.items()
            }
        for verb, name in (("checking", "the body's check"), ("featuring", "a VGG's features")):
            used[f"extraction: {name}"] = {
                who: asked(build, verb, str(sources["phantom"])) for who, build in builds.items()
            }
        held = {name: both["now"]["peak"] / both["before"]["peak"] for name, both in used.items()}
        for name, both in used.items():
            listed = "; ".join(
                f"{who} at most {one['peak']:.2f}, kept {one['kept']:.2f}"
                for who, one in both.items()
            )
            print(f"{name}: MB a minute: {listed}; {held[name]:.3f} of before", flush=True)
    changed = {name: rounding(source) for name, source in sources.items()}
    for name, one in changed.items():
        print(f"{name}: what rounding changes, at most: " + json.dumps(one))

    slower = max(both["now"] / both["before"] for both in took.values())
    figures = {
        **{"mb_an_hour": hour, "share": shares, "disk": disk, "read_s": took, "memory": used},
        **{"memory_share": held, "rounding": changed},
    }
    headline = (
        f"an hour of body and face {total(hour['phantom']['now']):.0f} MB,"
        f" {total(hour['phantom']['before']):.0f} before ({shares['phantom']:.3f}; all"
        f" {min(shares.values()):.3f} to {max(shares.values()):.3f}); reading"
        f" {slower:.2f} of before at most; memory a minute {min(held.values()):.2f} to"
        f" {max(held.values()):.2f} of before; VGG features half"
    )
    target = f"{QUARTER} on disk, no slower, {HALF} in memory"
    passed = max(shares.values()) <= QUARTER and slower <= 1 and max(held.values()) <= HALF
    return record("store-size", figures, target, passed, headline=headline, seed=0)


def total(sizes: dict[str, float]) -> float:
    return sum(sizes[part] for part in PARTS)


def asked(build: Path, *arguments: str) -> Any:
    """What this file's function of that name returns, in a process of a build."""
    from earlier_build import run_in

    ran = run_in(build, str(Path(__file__).resolve()), *arguments, threads=1, cwd=Path.cwd())
    return json.loads(ran.output.splitlines()[-1])


def exact_tracks() -> dict[str, Path]:
    """Tracks as they are computed, name -> path without _body.nc and _face.nc; made once."""
    from record import TESTDATA
    from seizure_watch import film

    from semiology.data.tracks import save_tracks
    from semiology.tracking.extraction import extract_tracks

    def phantom() -> Path:
        seizures = [("FOS", 30.0, 20.0), ("TCS", 70.0, 30.0)]
        return film(RUN.parent / "resume/two_minutes.mp4", 2.0, seizures, seed=1, fps=float(RATE))

    videos = {"phantom": phantom}
    if TESTDATA.is_dir():
        videos |= {Path(one).stem: lambda one=one: TESTDATA / one for one in REAL}
    for name, video in videos.items():
        if not (RUN / f"{name}_body.nc").is_file():
            made = extract_tracks(video(), 0.0, 60.0)
            for part in reversed(PARTS):
                save_tracks(made[part], RUN / f"{name}_{part}.nc")
    return {name: RUN.resolve() / name for name in videos}


def make_cohort(folder: Path, half: bool) -> None:
    """A cohort of the clip of a store of tracks, which gets features too."""
    from semiology.data.store import Store
    from semiology.files import write_text

    store, key = Store(folder / "store"), "0" * 16
    times = np.arange(60 * MINUTES * RATE // EVERY) * EVERY / RATE
    drawn = np.random.default_rng(0).random((len(times), CHANNELS), np.float32)
    for stage in ("body_vgg", "face_vgg"):
        store.write("a", stage, key, (drawn.astype(np.float16 if half else np.float32), times))
        store.note("a", {}, {stage: {"key": key}})
    (folder / "video.mp4").touch()
    clip = "clip_id\tparticipant_id\tvideo\tstart\tend\tsign\na\tp\tvideo.mp4\t0\tn/a\tyes\n"
    write_text(folder / "clips.tsv", clip)
    write_text(folder / "participants.tsv", "participant_id\np\n")
    levels = {"sign": {"Role": "label", "Levels": {"no": "", "yes": ""}}}
    write_text(folder / "clips.json", json.dumps(levels))


def rounding(source: Path) -> dict[str, Any]:
    """How far tracks, and what is measured of them, change by being stored to their precision."""
    from semiology import find_jerks, kinematics
    from semiology.data.tracks import read_tracks, save_tracks
    from semiology.severity.face import face_measures

    changed: dict[str, Any] = {}
    both = {}
    for part in PARTS:
        exact = read_tracks(f"{source}_{part}.nc")
        stored = read_tracks(save_tracks(exact, RUN / "rounded.nc", "rounded"))
        both[part] = exact, stored
        for name in ("position", "position_3d", "confidence"):
            apart = np.abs(stored[name].values - exact[name].values)
            changed[f"{part}.{name}"] = float(np.nanmax(apart, initial=0))
    before, now = (kinematics(tracks).table for tracks in both["body"])
    for column in ("speed", "acceleration", "jerk", "sparc", "log_dimensionless_jerk"):
        shares = np.abs(now[column] / before[column] - 1)
        changed[column] = {"median": float(shares.median()), "most": float(shares.max())}
    before, now = (find_jerks(tracks).jerks for tracks in both["body"])
    changed["jerks"] = {"before": len(before), "now": len(now)}
    if len(before) == len(now):
        changed["jerks"]["amplitude"] = float((now.amplitude / before.amplitude - 1).abs().max())
    before, now = (face_measures(tracks).select_dtypes("number") for tracks in both["face"])
    apart, spread = (now - before).abs().median(), before.quantile(0.95) - before.quantile(0.05)
    changed["face measures, share of their spread"] = float((apart / spread).max())
    return changed


if __name__ == "__main__":
    if len(sys.argv) > 1:
        verbs = {one.__name__: one for one in (write, read, memory, checking, featuring)}
        print(json.dumps(verbs[sys.argv[1]](*sys.argv[2:])))
    else:
        sys.exit(main())
