"""Frames a second of extraction at 720x576, 25 Hz: by stage, from end to end, beside a plain loop;
how far their tracks lie apart.

    python benchmarks/extract.py

Two clips: 45 s of the phantom in bed, rendered at this size, and a real face and hands
(WolfgangLanger of the test data, cut to this size). The plain loop does on every frame what
extraction was first made of: decode, MTCNN, MediaPipe's body and face mesh (0.10.21, in a process
of its own), one after the other, with as many threads as torch takes. It is run in thirds, in turn
with the whole extraction, and the medians count. Stages are timed alone, each on one thread. The
VGG-19 for the face has random weights, which cost as much as others.

Clips are kept in runs/extract/; everything else is measured again.
"""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import TypeVar

import av
import numpy as np
import torch
import xarray as xr
from environments import answer, beside_ours
from PIL import Image
from record import TESTDATA, record
from safetensors.torch import save_file

from semiology.models.features.vgg import VGG19
from semiology.parallel import Workers
from semiology.phantom.seizures.recording import render_long
from semiology.tracking.extraction import ExtractOptions, extract_videos
from semiology.tracking.extraction.tracks import people_detector
from semiology.tracking.patient import follow_patient
from semiology.tracking.pose.blazepose import BlazePose, head_box
from semiology.tracking.pose.face_mesh import FaceMesh
from semiology.video import read_frames, write_video

Made = TypeVar("Made")
RUN = Path("runs/extract")
REAL = TESTDATA / "faces/WolfgangLanger_Pexels.mp4"
WIDTH, HEIGHT, SECONDS = 720, 576, 45
ROUNDS = 3
ALONE = 240  # frames by which stages are timed
FAST, TIMES, WITH_VGG, NEAR = (
    60.0,
    3.0,
    40.0,
    0.01,
)  # frames/s, times the plain loop, frames/s with face VGG, torso lengths


def main() -> int:
    clips = {"phantom": phantom(), "real": real()}
    weights = random_vgg()
    with tempfile.TemporaryDirectory() as folder:
        warm_up(Path(folder), weights)
    figures: dict = {"stages_ms": {name: stages(path, weights) for name, path in clips.items()}}
    for name, path in clips.items():
        figures[name] = beside(path, ROUNDS if name == "phantom" else 1)
        print(f"{name}: {described(figures[name])}", flush=True)
    figures["with_face_vgg"] = fast(clips["phantom"], face_weights=weights)
    figures["with_face_vgg_every_frame"] = fast(
        clips["real"], face_weights=weights, appearance_every=1
    )
    figures["two_at_once"] = two_at_once(clips["phantom"])
    figures["peak_mib"] = peak(clips["real"], weights)
    vgg, every, two = (
        figures[name] for name in ("with_face_vgg", "with_face_vgg_every_frame", "two_at_once")
    )
    print(
        f"face VGG {vgg:.1f} frames/s, in every frame {every:.1f}; two clips at once {two:.1f};"
        f" peak {figures['peak_mib']:.0f} MiB"
    )
    one = figures["phantom"]
    near, mesh = (
        min(figures[name]["apart"][part]["within"] for name in clips) for part in ("body", "face")
    )
    headline = (
        f"{one['frames_a_second']:.1f} frames/s, {one['times']:.1f} times the plain loop"
        f" ({figures['real']['times']:.1f} on the real one); with face VGG {vgg:.1f}; {near:.2%} of"
        f" the body's and {mesh:.2%} of the face's keypoints within {NEAR:.0%} of the torso"
    )
    target = (
        f"{FAST:g} frames/s and {TIMES:g} times the plain loop; {WITH_VGG:g} frames/s with face"
        f" VGG; 99% of the body's within {NEAR:.0%}"
    )
    passed = (
        one["frames_a_second"] >= FAST
        and one["times"] >= TIMES
        and vgg >= WITH_VGG
        and near >= 0.99
    )
    return record("extract", figures, target, passed, headline=headline, seed=0)


def phantom() -> Path:
    path = RUN / "phantom.mp4"
    if not path.is_file():
        RUN.mkdir(parents=True, exist_ok=True)
        render_long(path, SECONDS / 60, [("FOS", 10.0, 25.0)], seed=7, width=WIDTH, height=HEIGHT)
    return path


def real() -> Path:
    """The test video, its middle cut out and scaled."""
    path = RUN / "real.mp4"
    if not path.is_file():
        if not REAL.is_file():
            raise SystemExit(f"extract: no test data at {REAL.parent}; set SEMIOLOGY_TESTDATA")

        def images() -> Iterator[np.ndarray]:
            for frame in read_frames(REAL):
                image = Image.fromarray(frame.image)
                side = image.height * WIDTH / HEIGHT
                left = (image.width - side) / 2
                yield np.asarray(
                    image.resize(
                        (WIDTH, HEIGHT),
                        Image.Resampling.BILINEAR,
                        (left, 0, left + side, image.height),
                    )
                )

        write_video(path, images(), 25)
    return path


def random_vgg() -> Path:
    path = RUN / "face_vgg.safetensors"
    if not path.is_file():
        torch.manual_seed(0)
        save_file(VGG19([str(number) for number in range(7)]).state_dict(), path)
    return path


def warm_up(folder: Path, weights: Path) -> None:
    """Load the models, here and in two workers, before anything is timed."""
    for name in ("one", "two"):
        write_video(
            folder / f"{name}.mp4", (np.full((96, 96, 3), 99, np.uint8) for _ in range(3)), 25
        )
    videos = [folder / "one.mp4", folder / "two.mp4"]
    extract_videos(
        videos, folder / "here", options=ExtractOptions(face_weights=weights), progress=False
    )
    extract_videos(videos, folder / "there", workers=Workers(jobs=2), progress=False)


def stages(path: Path, weights: Path) -> dict[str, float]:
    """Stage -> ms of a frame of the video, each alone on one thread."""
    from semiology.models.features.vgg import load_vgg

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    took: dict[str, float] = {}
    frames = timed(took, "decode", lambda: list(itertools.islice(read_frames(path), ALONE)))
    every = ExtractOptions().face_every
    patient = timed(
        took,
        "people_every_12th",
        lambda: follow_patient(iter(frames[::every]), people_detector(), every / 25),
    )
    backend = BlazePose()
    images = [(frame.image, patient.at(frame.time)) for frame in frames]
    list(backend.track(images[:5]))
    bodies = [body for _, _, body in timed(took, "body", lambda: list(backend._bodies(images)))]
    mesh = FaceMesh()
    mesh.start()
    heads = [
        (frame.image, head_box(body.position))
        for frame, body in zip(frames, bodies)
        if body is not None
    ]
    timed(took, "face_mesh", lambda: [mesh.find(image, head, 1.0) for image, head in heads])
    vgg = load_vgg(weights)
    crops = [frame.image[:48, :48] for frame in frames[::5]]

    def embed() -> None:
        with torch.inference_mode():
            for first in range(0, len(crops), 32):
                vgg.embed(vgg.prepare(crops[first : first + 32]))

    timed(took, "face_vgg_every_5th", embed)
    torch.set_num_threads(threads)
    print(
        f"{path.stem}: ms a frame, each stage alone on one thread: "
        + ", ".join(f"{stage} {ms:.2f}" for stage, ms in took.items()),
        flush=True,
    )
    return took


def timed(took: dict[str, float], stage: str, call: Callable[[], Made]) -> Made:
    began = time.perf_counter()
    made = call()
    took[stage] = (time.perf_counter() - began) / ALONE * 1000
    return made


def extracted(path: Path, folder: Path, **options) -> float:
    """Frames a second of the whole verb's work on one clip."""
    frames = frames_of(path)
    began = time.perf_counter()
    summary = extract_videos([path], folder, options=ExtractOptions(**options), progress=False)
    assert summary.done == [path.stem], summary.text()
    return frames / (time.perf_counter() - began)


def fast(path: Path, **options) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return extracted(path, Path(folder), **options)


def frames_of(path: Path) -> int:
    with av.open(str(path)) as container:
        return container.streams.video[0].frames


def beside(path: Path, rounds: int) -> dict:
    """Extraction and the plain loop in turn, and how far their tracks lie apart."""
    third = -(-frames_of(path) // rounds)
    ours, theirs, parts = [], [], []
    out = RUN / "out"
    for number in range(rounds):
        shutil.rmtree(out, ignore_errors=True)
        ours.append(extracted(path, out))
        seen = RUN / "plain.npz"
        loop = ["plain", path, number * third, third, seen]
        ran = answer(
            Path(sys.executable),
            Path(__file__).with_name("in_mediapipe.py"),
            *loop,
            path=[beside_ours("mediapipe", "0.10.21", "numpy<2")],
        )
        theirs.append(ran["frames_a_second"])
        with np.load(seen) as stored:
            parts.append({part: stored[part] for part in stored.files})
    found = {part: np.concatenate([each[part] for each in parts]) for part in parts[0]}
    tracks = {
        part: xr.open_dataset(out / path.stem / f"{part}.nc", engine="h5netcdf").load()
        for part in ("body", "face")
    }
    return {
        "frames": len(found["body"]),
        "frames_a_second": median(ours),
        "plain_frames_a_second": median(theirs),
        "times": median(one / other for one, other in zip(ours, theirs)),
        "apart": apart(tracks, found),
    }


def apart(
    tracks: dict[str, xr.Dataset], found: dict[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Distances of the keypoints that both found, in torso lengths of the frame (middle of the
    shoulders to middle of the hips).
    """
    body = tracks["body"]["position"].transpose("time", "keypoint", "space").values
    names = list(tracks["body"].keypoint.values)
    middle = {
        pair: body[:, [names.index(f"left_{pair}"), names.index(f"right_{pair}")]].mean(1)
        for pair in ("shoulder", "hip")
    }
    torso = np.linalg.norm(middle["shoulder"] - middle["hip"], axis=1)
    result = {}
    for part, dataset in tracks.items():
        own = dataset["position"].transpose("time", "keypoint", "space").values
        both = [
            row
            for row in range(min(len(own), len(found[part])))
            if np.isfinite(found[part][row]).all()
            and np.isfinite(own[row]).all()
            and np.isfinite(torso[row])
        ]
        distance = np.array(
            [np.linalg.norm(own[row] - found[part][row], axis=1) / torso[row] for row in both]
        )
        result[part] = {
            **{
                "frames": len(both),
                "within": float((distance <= NEAR).mean()),
                "median": float(np.median(distance)),
            },
            **{"q95": float(np.quantile(distance, 0.95)), "largest": float(distance.max())},
        }
    return result


def described(one: dict) -> str:
    text = (
        f"{one['frames_a_second']:.1f} frames/s, plain loop {one['plain_frames_a_second']:.1f},"
        f" {one['times']:.2f} times"
    )
    for part, figures in one["apart"].items():
        text += (
            f"; {part} in {figures['frames']} of {one['frames']} frames: {figures['within']:.2%} of"
            f" keypoints within {NEAR:.0%} of the "
        )
        text += (
            f"torso, median {figures['median']:.5f}, 95 % {figures['q95']:.5f}, largest"
            f" {figures['largest']:.4f}"
        )
    return text


def two_at_once(path: Path) -> float:
    """Frames a second of two copies of a clip in two processes."""
    with tempfile.TemporaryDirectory() as folder:
        twins = [Path(shutil.copyfile(path, Path(folder) / name)) for name in ("a.mp4", "b.mp4")]
        began = time.perf_counter()
        extract_videos(twins, Path(folder) / "out", workers=Workers(jobs=2), progress=False)
        return 2 * frames_of(path) / (time.perf_counter() - began)


def peak(path: Path, weights: Path) -> float:
    """Peak memory (MiB) of the verb in a process of its own, with features of the face."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["extract", str(path), "--out", folder, "--face_weights", str(weights)]
        running = subprocess.Popen(
            [sys.executable, "-m", "semiology.cli.main", *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(running.pid, 0)
    assert status == 0, f"semiology extract: exit status {status}"
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
