"""Cases of `field_files`: frames lost on the network, two streams, levels, and clocks of videos."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from field_case import Values, case, command

from semiology.video import every_frame, read_frames

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from made_videos import Coding, change_pes, number_image, number_of, write, x264

LOST = "lost on the network"
STREAMS = "streams and levels"
COUNT, GOP = 200, 50  # frames of 25 Hz, and from key frame to key frame
# Frames in decoding order whose packets are gone. With two B-frames between two others the order is
# 0 3 1 2 6 4 5 ...: 61 is the P-frame shown at 63, 63 the B-frame shown at 62.
HIT, HIT_P, HIT_B = 60, 61, 63
OFF = 3.0  # levels; a frame that differs more from the same one of the whole file is smeared


@contextmanager
def warnings() -> Iterator[list[str]]:
    """What is logged as a warning."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    keep, root = Keep(logging.WARNING), logging.getLogger("semiology")
    was = logging.root.manager.disable
    logging.disable(logging.NOTSET)
    root.addHandler(keep)
    try:
        yield lines
    finally:
        root.removeHandler(keep)
        logging.disable(was)


def moving_image(number: int) -> np.ndarray:
    """A pattern that drifts by 2 px a frame: predicted frames copy it, so errors stay."""
    rows, columns = np.mgrid[0:96, 0:160]
    drift = columns + 2 * number
    values = 128 + 50 * np.sin(drift / 9) * np.cos(rows / 7) + 30 * ((drift // 16 + rows // 16) % 2)
    return np.repeat(np.clip(values, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def stream_file(path: Path, codec: str, gop: int, b: int = 0) -> Path:
    """A transport stream of COUNT frames at 25 Hz, with `b` B-frames between two others."""
    with av.open(str(path), "w", format="mpegts") as output:
        stream: Any = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.bit_rate = 1_500_000
        stream.codec_context.max_b_frames, stream.codec_context.gop_size = b, gop
        options = (
            x264(b, gop, **{"b-pyramid": "none"})
            if codec == "libx264"
            else {"sc_threshold": "1000000000"}
        )
        stream.options = options
        for number in range(COUNT):
            frame = av.VideoFrame.from_ndarray(moving_image(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def without_frame(whole: Path, path: Path, hit: int, every: int = 1) -> Path:
    """The same without the 188-byte packets of video frame number `hit`, all or every second."""
    data = whole.read_bytes()
    kept, frame, place = bytearray(), -1, 0
    for at in range(0, len(data), 188):
        packet = data[at : at + 188]
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        if pid == 256 and packet[1] & 0x40:  # FFmpeg's first stream; a frame begins
            frame += 1
        own = pid == 256 and frame == hit
        place += own
        if not own or place % every:
            kept += packet
    path.write_bytes(kept)
    return path


def shown(path: Path) -> dict[int, np.ndarray]:
    """Frames that count as whole, by their number at 25 Hz."""
    return {
        round(frame.time * 25): frame.image
        for frame in every_frame(path)
        if frame.image is not None
    }


for codec in ("libx264", "mpeg2video"):
    for every, part in ((1, "a P frame"), (2, "every second packet of a P frame")):
        right = {"smeared": 0, "before": HIT, "ends": (COUNT - 1) / 25}

        # whole again from the next key frame on, at 100; where there is none, never
        @case(LOST, f"{codec}, a key frame every 2 s: {part}", after=COUNT - 100, **right)
        def _(folder: Path, codec: str = codec, every: int = every) -> Values:
            return lost_frame(folder, codec, GOP, every)

        @case(LOST, f"{codec}, one key frame: {part}", **right)
        def _(folder: Path, codec: str = codec, every: int = every) -> Values:
            return lost_frame(folder, codec, 10 * COUNT, every)

    @case(LOST, f"{codec}, B-frames: a P frame", smeared=0, before=HIT_P, ends=(COUNT - 1) / 25)
    def _(folder: Path, codec: str = codec) -> Values:
        return lost_frame(folder, codec, 10 * COUNT, 1, 2, HIT_P)

    # nothing is predicted from it
    @case(LOST, f"{codec}, B-frames: a B frame", smeared=0, whole=COUNT - 1)
    def _(folder: Path, codec: str = codec) -> Values:
        return lost_frame(folder, codec, 10 * COUNT, 1, 2, HIT_B)


def lost_frame(
    folder: Path, codec: str, gop: int, every: int, b: int = 0, hit: int = HIT
) -> Values:
    """Of a file that lost packets of one frame: of the frames that count as whole, how many differ
    from the same frame of the undamaged file, how many come before the loss, and right ones from
    the next key frame on; where the grid ends, s.
    """
    first = stream_file(folder / "whole.ts", codec, gop, b)
    cut = without_frame(first, folder / "cut.ts", hit, every)
    right, found = shown(first), shown(cut)
    assert len(right) == COUNT
    off = {
        number: float(np.abs(image.astype(float) - right[number]).mean())
        for number, image in found.items()
        if number in right
    }
    return {
        "smeared": sum(value > OFF for value in off.values()),
        "before": sum(number < hit for number in off),
        "after": sum(number >= 100 and value <= OFF for number, value in off.items()),
        "whole": len(off),
        "ends": list(read_frames(cut))[-1].time,
    }


@case(STREAMS, "two video streams: cohort check names the one that is read", named=True, first=3)
def _(folder: Path) -> Values:
    path = folder / "two.mkv"
    with av.open(str(path), "w") as output:
        streams: list[Any] = []
        for size in ((320, 240), (160, 120)):
            stream: Any = output.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            streams.append(stream)
        for number in range(50):
            for place, stream in enumerate(streams):
                size = (stream.width, stream.height)
                image = number_image(number + 500 * place, *size)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts = number
                output.mux(stream.encode(frame))
        for stream in streams:
            output.mux(stream.encode(None))
    (folder / "participants.tsv").write_text("participant_id\np1\n")
    (folder / "clips.tsv").write_text(
        "clip_id\tparticipant_id\tvideo\tstart\tend\nc1\tp1\ttwo.mkv\t0\tn/a\n"
    )
    (folder / "clips.json").write_text("{}")
    printed = command("cohort", "check", folder)
    images = [frame.image for frame in every_frame(path)]
    assert images[3] is not None
    return {"named": "1 of 2, 320x240" in printed, "first": number_of(images[3])}


for suffix, grey in ((".mp4", "gray"), (".mkv", "gray12le")):

    @case(
        STREAMS,
        f"HEVC {grey} of limited range in {suffix}: 16 is 0, 235 is 255",
        within=2,
        levels=[0, 128, 255],
    )
    def _(folder: Path, suffix: str = suffix, grey: str = grey) -> Values:
        return {"levels": grey_levels(folder / f"grey{suffix}", grey)}


def grey_levels(path: Path, grey: str) -> list[float]:
    """Levels as read of stripes of 16, 126 and 235 of 255, coded without loss."""
    stripes = np.repeat(np.array([16, 126, 235], np.uint16), 64)[None].repeat(96, 0)
    plane = (16 * stripes).astype("<u2") if grey == "gray12le" else stripes.astype(np.uint8)
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx265", rate=25)
        stream.width, stream.height, stream.pix_fmt = 192, 96, grey
        stream.options = {"x265-params": "log-level=none:pools=1:range=limited:lossless=1"}
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(plane), format=grey)
            frame.pts, frame.color_range = number, 1  # MPEG's range: limited
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    image = next(frame.image for frame in every_frame(path) if frame.image is not None)
    return [float(np.median(image[:, 64 * n + 8 : 64 * n + 56])) for n in range(3)]


for container in ("mpegts", "vob"):

    @case(
        STREAMS,
        f"{container}: a clock falls back by 0.5 s, frames are shown, or a warning",
        kept=250,
    )
    def _(folder: Path, container: str = container) -> Values:
        path = folder / "back.mpg"
        write(path, Coding(container, "mpeg2video"), range(250))
        half = 45000  # ticks of 90 kHz
        change_pes(path, lambda n, pts, dts: (pts - half, dts - half) if n >= 125 else (pts, dts))
        with warnings() as lines:
            frames = [frame.image for frame in read_frames(path)]
        numbers = {number_of(image) for image in frames if image is not None}
        warned = any("back" in line for line in lines)
        return {"kept": 250 if warned else len(numbers & set(range(250)))}
