"""Real people in 352x576 with oblong pixels, as recorders write them: what the default backend
finds by `semiology extract`, beside the same pixels scaled to square ones, and as they are stored.

    python benchmarks/anamorphic.py [--clips walking room dance]

The videos are public ones of the test data (SEMIOLOGY_TESTDATA, by default ../shared/data). Each is
fitted, on black, into a 16:9 or 4:3 image of 576 lines, squeezed to 352 columns and encoded once
for each container, with its ratio in the header; MJPEG in AVI has none and gets --pixel_aspect. The
square copy is what it decodes to, scaled to square pixels by FFmpeg and encoded without loss.

Where a tracker loses and finds a person again can hang on a grey level. So a file that is not as
its copy is compared with two more copies, scaled by FFmpeg's other filters (they differ by about a
grey level): it has to lie within the limits of what the three copies give. Files that needed this
are named.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from PIL import Image
from record import TESTDATA, record

from semiology.data.tracks import read_tracks
from semiology.tracking.extraction import found_fraction
from semiology.video import read_frames
from semiology.video.image import ratio

TESTDATA = TESTDATA
CLIPS = {  # clip -> video, shapes: in 16:9, upright videos leave a person 60 columns
    "walking": ("people/walking_1768x994.mp4", ("16:9", "4:3")),
    "room": ("people/room_cam01_portrait.mp4", ("4:3",)),
    "dance": ("people/dance_720x406.mp4", ("4:3",)),
}
WIDTH, HEIGHT = 352, 576
SECONDS = 6.0  # of a clip, at most
SHAPES = {"16:9": Fraction(32, 11), "4:3": Fraction(24, 11)}
CONTAINERS = {  # name -> suffix, container, codec, pixel format
    "MPG": (".mpg", "mpeg", "mpeg2video", "yuv420p"),
    "AVI": (".avi", "avi", "mpeg4", "yuv420p"),
    "ASF": (".asf", "asf", "wmv2", "yuv420p"),
    "MP4": (".mp4", "mp4", "libx264", "yuv420p"),
    "AVI, no ratio": (".avi", "avi", "mjpeg", "yuvj420p"),
}
FOUND, ANGLE = 2.0, 3.0  # % points and degrees that a file may differ from its square copy


def main() -> int:
    """Print found fraction and elbow angle of every file and record them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--clips", nargs="+", default=list(CLIPS), choices=list(CLIPS))
    arguments = parser.parse_args()
    if not TESTDATA.is_dir():
        print(f"anamorphic: no test data at {TESTDATA}; set SEMIOLOGY_TESTDATA", file=sys.stderr)
        return 2
    head = f"{'clip':<9}{'shape':<7}{'container':<15}{'as stored':>18}{'square copy':>18}"
    print(f"{head}{'extract':>18}   body found, right elbow")
    figures, missed, unsteady = {}, [], []
    for clip in arguments.clips:
        for shape in CLIPS[clip][1]:
            for container in CONTAINERS:
                name = f"{clip} {shape} {container}"
                own = figures[name] = _measure(clip, shape, container)
                copies = [value for key, value in own.items() if "copy" in key]
                cells = "".join(f"{found:>10.1f} % {angle:>5.0f}" for found, angle in own.values())
                print(f"{clip:<9}{shape:<7}{container:<15}{cells}", flush=True)
                if len(copies) > 1:
                    unsteady.append(name)
                if not _within(own["extract"], copies):
                    missed.append(name)
    for name in unsteady:
        print(f"copies differ among themselves, or from it: {name}")
    for name in missed:
        print(f"misses: {name}")
    target = f"within {FOUND:g} % points and {ANGLE:g} degrees of the square copies, in every file"
    return record(
        "anamorphic",
        figures,
        target,
        not missed,
        headline=(
            f"{len(figures) - len(missed)} of {len(figures)} files as their square copies,"
            f" {len(unsteady)} of them compared with three"
        ),
    )


def _measure(clip: str, shape: str, container: str) -> dict[str, tuple[float, float]]:
    """Reading -> body found (%) and median angle of the right elbow (degrees)."""
    suffix, name, codec, pixel_format = CONTAINERS[container]
    aspect = SHAPES[shape]
    stated = None if container == "AVI, no ratio" else aspect
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / f"oblong{suffix}"
        images = _squeezed(TESTDATA / CLIPS[clip][0], aspect)
        frames = (av.VideoFrame.from_image(image) for image in images)
        _encode(video, frames, name, codec, pixel_format, stated)

        def copied(interpolation: Interpolation) -> tuple[float, float]:
            copy = Path(folder) / f"square{interpolation.value}.mp4"
            _encode(copy, _scaled(video, aspect, interpolation), "mp4", "libx264", "yuv420p", None)
            return _extracted(copy, [])

        # the loss is that of the stored pixels, whatever holds them: one container shows it
        stored = (np.nan, np.nan)
        if container == "MPG":
            stored = _extracted(video, ["--pixel_aspect", "1:1"])
        found = {
            "as stored": stored,
            "square copy": copied(Interpolation.BILINEAR),
            "extract": _extracted(video, [] if stated else ["--pixel_aspect", ratio(aspect)]),
        }
        if not _within(found["extract"], [found["square copy"]]):
            found["bicubic copy"] = copied(Interpolation.BICUBIC)
            found["Lanczos copy"] = copied(Interpolation.LANCZOS)
        return found


def _within(own: tuple[float, float], copies: list[tuple[float, float]]) -> bool:
    """Whether found fraction and angle are those of the copies, or between theirs."""
    return all(
        min(copy[which] for copy in copies) - limit
        <= own[which]
        <= max(copy[which] for copy in copies) + limit
        for which, limit in enumerate((FOUND, ANGLE))
    )


def _squeezed(path: Path, aspect: Fraction) -> Iterator[Image.Image]:
    """The video's frames at 25 Hz, fitted on black into the shape and squeezed to 352x576."""
    width = round(WIDTH * aspect)
    for frame in itertools.takewhile(lambda frame: frame.time < SECONDS, read_frames(path)):
        image = Image.fromarray(frame.image)
        scale = min(width / image.width, HEIGHT / image.height)
        size = round(image.width * scale), round(image.height * scale)
        canvas = Image.new("RGB", (width, HEIGHT))
        place = (width - size[0]) // 2, (HEIGHT - size[1]) // 2
        canvas.paste(image.resize(size, Image.Resampling.BICUBIC), place)
        yield canvas.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


def _scaled(path: Path, aspect: Fraction, interpolation: Interpolation) -> Iterator[av.VideoFrame]:
    """The frames that the file decodes to, scaled to square pixels."""
    reformatter = VideoReformatter()
    with av.open(str(path)) as source:
        for frame in source.decode(source.streams.video[0]):
            yield reformatter.reformat(
                frame, round(WIDTH * aspect), HEIGHT, "yuv420p", interpolation=interpolation
            )


def _encode(
    path: Path,
    frames: Iterator[av.VideoFrame],
    container: str,
    codec: str,
    pixel_format: str,
    aspect: Fraction | None,
) -> None:
    """Write frames at 25 Hz; H.264 without a ratio loses nothing."""
    with av.open(str(path), "w", format=container) as target:
        stream = None
        for number, frame in enumerate(frames):
            if stream is None:
                stream = target.add_stream(codec, rate=25)
                stream.width, stream.height = frame.width, frame.height
                stream.pix_fmt = pixel_format
                if codec == "libx264":
                    stream.options = {"qp": "0"} if aspect is None else {"crf": "20"}
                else:
                    stream.bit_rate = 16_000_000 if codec == "mjpeg" else 3_000_000
                if aspect is not None:
                    stream.codec_context.sample_aspect_ratio = aspect
            frame.pts, frame.time_base = number, Fraction(1, 25)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def _extracted(video: Path, options: list[str]) -> tuple[float, float]:
    """Body found (%) and median angle of the right elbow (degrees) by `semiology extract`."""
    out = video.parent / f"out-{video.suffix[1:]}-{len(options)}"
    command = [sys.executable, "-m", "semiology.cli.main", "extract", str(video)]
    subprocess.run([*command, "--out", str(out), *options], check=True, capture_output=True)
    tracks = read_tracks(out / video.stem / "body.nc")
    position = tracks["position"]
    shoulder, elbow, wrist = (
        position.sel(keypoint=f"right_{joint}").values for joint in ("shoulder", "elbow", "wrist")
    )
    upper, lower = shoulder - elbow, wrist - elbow
    lengths = np.linalg.norm(upper, axis=1) * np.linalg.norm(lower, axis=1)
    angles = np.degrees(np.arccos(np.clip((upper * lower).sum(axis=1) / lengths, -1, 1)))
    return 100 * found_fraction(tracks), float(np.nanmedian(angles))


if __name__ == "__main__":
    sys.exit(main())
