"""Faces that MTCNN at its default thresholds still finds in de-identified copies of eight real
videos: none is wanted.

    python benchmarks/deidentify.py [--out DIR]

The copies are made by `semiology deidentify` at its defaults. They are measured apart from it:
decoded by PyAV alone, every frame at full size, by a fresh `MTCNN(keep_all=True)`; so is every
tenth frame of the source, to show that there was something to find. Frames are counted in source
and copy, and the copy's streams and metadata are listed.
"""

import argparse
import math
import sys
import tempfile
import time
import warnings
from pathlib import Path

import av
import numpy as np
from facenet_pytorch import MTCNN
from real_video import TESTDATA, VIDEOS
from record import record

from semiology.tracking.deidentify import DeidentifyOptions, deidentify_videos

NEEDED = (
    "major_brand",
    "minor_version",
    "compatible_brands",
    "language",
)  # what MP4 cannot do without, beside a generic handler name
BEFORE = 10  # every so manieth frame of the source is searched


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="keep the copies here, to look at")
    arguments = parser.parse_args()
    if not TESTDATA.is_dir():
        print(f"deidentify: no test data at {TESTDATA}; set SEMIOLOGY_TESTDATA", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        figures = {
            name: measure(TESTDATA / name, arguments.out or Path(temporary)) for name in VIDEOS
        }
    frames = sum(figure["frames"] for figure in figures.values())
    faces = sum(figure["frames_with_face"] for figure in figures.values())
    before = np.mean([figure["share_with_face_before"] for figure in figures.values()])
    faults = [f"{name}: {fault}" for name, figure in figures.items() for fault in figure["faults"]]
    print(*faults, sep="\n")
    share = {
        "share_with_face": faces / max(frames, 1),
        "share_with_face_before": before,
        "frames": frames,
        "faults": faults,
    }
    return record(
        "deidentify",
        {"options": str(DeidentifyOptions()), **share, **figures},
        "a face in 0 frames; as many frames as the source; no sound, no metadata",
        faces == 0 and not faults,
        headline=(
            f"a face in {faces} of {frames} frames (before: {before:.0%}), {len(faults)} faults in"
            " count, streams, metadata"
        ),
    )


def measure(source: Path, out: Path) -> dict:
    began = time.perf_counter()
    summary = deidentify_videos([source], out, progress=False)
    if summary.failed:
        return {
            "frames": 0,
            "frames_with_face": 0,
            "share_with_face_before": 0,
            "faults": [summary.failed[0][1]],
        }
    took, record_of = time.perf_counter() - began, summary.records[source.stem]
    before, source_frames, _ = search(source, BEFORE)
    after, frames, kept = search(out / f"{source.stem}.mp4")
    before /= math.ceil(source_frames / BEFORE)
    figure = {
        "frames": frames,
        "frames_with_face": after,
        "share_with_face_before": before,
        "covered": record_of["covered"],
        "reasons": record_of["reasons"],
        "rounds": record_of["rounds"],
        "added_by_check": record_of["added_by_check"],
        "ms_a_frame": took / max(frames, 1) * 1000,
        "faults": (
            kept
            + (
                []
                if frames == source_frames
                else [f"{frames} frames, the source has {source_frames}"]
            )
        ),
    }
    whole = record_of["reasons"]["whole frame"] / frames
    print(
        f"{source.name:<32}{frames:>6} frames; a face in {before:.0%} before, in {after} after;"
        f" {figure['covered']:.3f} of the image covered, {whole:.3f} of the frames whole;"
        f" {figure['rounds']} rounds, {figure['ms_a_frame']:.0f} ms a frame",
        flush=True,
    )
    return figure


def search(path: Path, every: int = 1) -> tuple[int, int, list[str]]:
    """Frames with a face among every so manieth, frames in all, and what the file holds beside one
    video stream: streams, metadata.
    """
    mtcnn = MTCNN(keep_all=True)
    faces = frames = 0
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        beside = [
            f"a stream of {stream.type}" for stream in container.streams if stream is not video
        ]
        tags = {**container.metadata, **video.metadata}
        generic = tags.get("handler_name") == "VideoHandler"
        beside += [
            f"metadata {key}: {value}"
            for key, value in tags.items()
            if key not in NEEDED and not (key == "handler_name" and generic)
        ]
        for number, image in enumerate(container.decode(video)):
            frames += 1
            if number % every == 0:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    boxes, _ = mtcnn.detect(image.to_ndarray(format="rgb24"))
                faces += boxes is not None
    return faces, frames, beside


if __name__ == "__main__":
    sys.exit(main())
