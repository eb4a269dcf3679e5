"""Small videos whose frames show their own number and whose true times are known, for the tests and
the benchmark of frame order; and the check of a reader against them.

Containers, codecs, B-frames, holes, joins, wraps and damage as cameras, recorders and copying
programs make them. PyAV encodes and muxes; where no muxer would write such a file, its bytes are
changed afterwards.
"""

import math
import os
import re
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np
from av.packet import Packet

from semiology.video import Frame, VideoError, every_frame, read_frames

BITS = 10
WIDTH, HEIGHT = 128, 96
CLOCK = 90_000  # Hz, of MPEG streams; their times have 33 bits
WRAP = 2**33
os.environ.setdefault("SVT_LOG", "0")  # the AV1 encoder would describe itself on every start
SEEK_START = 32.0  # s; beyond the 30 s from which `read_frames` seeks


def number_image(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """(height, width, 3) uint8 that shows `number` (0 to 1023): the lower two thirds are ten
    blocks, dark or bright, and beneath them the same ten inverted; the upper third is noise, so
    that coded frames are as unequal as real ones.
    """
    image = np.empty((height, width, 3), np.uint8)
    noise = np.random.default_rng(number).integers(60, 190, (height // 12, width // 4, 1))
    image[: height // 3] = noise.repeat(4, 0).repeat(4, 1)[: height // 3, :width]
    bits = np.array([number >> bit & 1 for bit in range(BITS)]).reshape(2, 5)
    for row, values in enumerate([*bits, *(1 - bits)]):
        for column, value in enumerate(values):
            image[_block(row, column, width, height)] = 40 + 170 * value
    return image


def number_of(image: np.ndarray) -> int | None:
    """The number that an image of `number_image` shows; None where its blocks contradict each
    other, as in a frame that is damaged or mixed of two.
    """
    height, width = image.shape[:2]
    bright = [
        [
            np.median(image[_block(row, column, width, height, 4)][..., 1]) > 125
            for column in range(5)
        ]
        for row in range(4)
    ]
    if any(a == b for row in range(2) for a, b in zip(bright[row], bright[row + 2], strict=True)):
        return None
    return sum(int(value) << bit for bit, value in enumerate(bright[0] + bright[1]))


def _block(row: int, column: int, width: int, height: int, inset: int = 0) -> tuple[slice, slice]:
    tall = (height - height // 3) // 4
    top, left, right = height // 3 + row * tall, column * width // 5, (column + 1) * width // 5
    return slice(top + inset, top + tall - inset), slice(left + inset, right - inset)


@dataclass(frozen=True)
class Truth:
    """What a file shows.

    Attributes:
        numbers: of the frames, in order of presentation; each occurs once.
        times: s from the first frame.
        damaged: from and to, s, where damage may have taken frames or changed what they show;
            before and after it all is right.
        begun_late: the file begins between two key frames: the first frame that is whole is at 0.
        refused: pattern of the one line with which the file is refused, "" where it must be read.
        grid_refused: the same for `read_frames` without an end alone.
    """

    numbers: Sequence[int]
    times: Sequence[float]
    damaged: tuple[float, float] = (math.inf, math.inf)
    begun_late: bool = False
    refused: str = ""
    grid_refused: str = ""

    def spoils(self, time: float) -> bool:
        """Whether damage reaches this time."""
        return self.damaged[0] <= time < self.damaged[1]

    def begun_at(self, number: int | None) -> "Truth":
        """The truth of the frames from `number` on."""
        at = self.numbers.index(number) if number in self.numbers else 0
        times = [time - self.times[at] for time in self.times[at:]]
        return replace(self, numbers=self.numbers[at:], times=times, begun_late=False)

    @property
    def interval(self) -> float:
        """Median interval in s."""
        return median(b - a for a, b in zip(self.times, self.times[1:], strict=False))


@dataclass(frozen=True)
class MadeVideo:
    """A file that can be made: `make(path)` writes it and returns its truth."""

    name: str  # with the suffix
    make: Callable[[Path], Truth]


def faults(path: Path, truth: Truth) -> list[str]:
    """What `every_frame` and `read_frames` (at the file's own rate; beyond half a minute, where it
    is that long) do wrong with a file: a line each, none where all is right.
    """
    try:
        shown = [(f.time, number_of(f.image)) for f in every_frame(path) if f.image is not None]
    except VideoError as error:
        return _refusal("every_frame", error, truth.refused)
    if truth.refused:
        return ["every_frame: not refused"]
    if truth.begun_late:
        truth = truth.begun_at(shown[0][1])
    found = [f"every_frame: {fault}" for fault in [compare(shown, truth)] if fault]
    for start in (0.0, SEEK_START) if truth.times[-1] > SEEK_START + 4 else (0.0,):
        found += _faults_of_grid(path, truth, start)
    return found


def compare(shown: Sequence[tuple[float, int | None]], truth: Truth) -> str:
    """The first difference of frames (s from the first frame, number shown) from the truth; ""
    where all come in order, within half an interval of their times.
    """
    shown = [(time, number) for time, number in shown if not truth.spoils(time)]
    wanted = [
        (time, number)
        for time, number in zip(truth.times, truth.numbers, strict=True)
        if not truth.spoils(time)
    ]
    for place, (frame, true) in enumerate(zip(shown, wanted, strict=False)):
        if frame[1] != true[1]:
            some = [
                [number for _, number in frames[place : place + 6]] for frames in (shown, wanted)
            ]
            right = sum(a[1] == b[1] for a, b in zip(shown, wanted, strict=False))
            return (
                f"{right} of {len(wanted)} in place; from place {place}: {some[0]}, not {some[1]}"
            )
        if abs(frame[0] - true[0]) > truth.interval / 2:
            right = sum(
                abs(a[0] - b[0]) <= truth.interval / 2 for a, b in zip(shown, wanted, strict=False)
            )
            return (
                f"{right} of {len(wanted)} times right; frame {frame[1]} is at {frame[0]:.3f} s,"
                f" not {true[0]:.3f} s"
            )
    return "" if len(shown) == len(wanted) else f"{len(shown)} frames, not {len(wanted)}"


def _faults_of_grid(path: Path, truth: Truth, start: float) -> list[str]:
    what = f"read_frames from {start:g} s" if start else "read_frames"
    try:
        end = truth.times[-1] + truth.interval / 2 if start else None
        frames = list(read_frames(path, start, end, fps=1 / truth.interval))
    except VideoError as error:
        return _refusal(what, error, truth.grid_refused)
    if truth.grid_refused and not start:
        return [f"{what}: not refused"]
    fault = _grid_difference(frames, truth, start)
    return [f"{what}: {fault}"] if fault else []


def _refusal(what: str, error: VideoError, pattern: str) -> list[str]:
    line = error.fault
    good = pattern and re.search(pattern, line) and "\n" not in line
    return [] if good else [f"{what} refuses: {line}"]


def _grid_difference(frames: list[Frame], truth: Truth, start: float) -> str:
    """Each frame of the grid must be the true one nearest in time, by half an interval; missing
    where the truth has none, and nowhere else.
    """
    half = truth.interval / 2 + 1e-3  # 1 ms: the tick of MKV, ASF and FLV
    times = np.array(truth.times)
    place = {number: at for at, number in enumerate(truth.numbers)}
    whole = math.isinf(truth.damaged[0])
    seen: set[int | None] = set()
    last = -1
    for frame in frames:
        time = start + frame.time
        if truth.spoils(time) or truth.spoils(frame.source_time):
            continue
        nearest = int(np.abs(times - time).argmin())
        off = abs(times[nearest] - time)
        if frame.image is None:
            if off < half / 2:
                return f"missing at {time:.3f} s, where frame {truth.numbers[nearest]} is"
            continue
        number = number_of(frame.image)
        if number not in place:
            return f"{number} at {time:.3f} s, not {truth.numbers[nearest]}"
        at = place[number]
        seen.add(number)
        if at < last:
            return f"frame {number} at {time:.3f} s, after {truth.numbers[last]}"
        if abs(times[at] - time) > off + 2 * half:
            return f"frame {number} at {time:.3f} s, not {truth.numbers[nearest]}"
        if abs(frame.source_time - times[at]) > half:
            return f"frame {number} has {frame.source_time:.3f} s, not {times[at]:.3f} s"
        if whole and frame.source_index != at:
            return f"frame {number} has index {frame.source_index}, not {at}"
        last = at
    stop = start + frames[-1].time if frames else math.nan
    if whole and not stop >= times[-1] - 2 * half:
        return f"ends at {stop:.3f} s, not {times[-1]:.3f} s"
    even = np.ptp(np.diff(times)) < truth.interval / 4
    if even and whole and not start and len(seen) < len(times) - 1:
        return f"{len(times) - len(seen)} of {len(times)} frames of an even rate are left out"
    return ""


# --- making ---


@dataclass(frozen=True)
class Coding:
    """How frames are encoded and muxed.

    Attributes:
        container: FFmpeg's name of the muxer.
        codec: FFmpeg's name of the encoder.
        b: B-frames between two others.
        gop: frames from key frame to key frame.
        tick: s; unit of the times.
        options: of the encoder.
        mux: options of the muxer.
        rate: Hz, stated in the header.
        noise: False for frames so small that several share a packet of a program stream.
    """

    container: str
    codec: str
    b: int = 0
    gop: int = 12
    tick: Fraction = Fraction(1, 25)
    options: dict[str, str] = field(default_factory=dict)
    mux: dict[str, str] = field(default_factory=dict)
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = (WIDTH, HEIGHT)
    rate: Fraction | None = None
    interlaced: bool = False
    noise: bool = True


def x264(b: int, gop: int = 12, **more: object) -> dict[str, str]:
    """Options of libx264 that fix where B-frames and key frames come."""
    given = {"bframes": b, "keyint": gop, "min-keyint": gop, "scenecut": 0, "b-adapt": 0, **more}
    return {
        "preset": "veryfast",
        "x264-params": ":".join(f"{key}={value}" for key, value in given.items()),
    }


def x265(b: int, gop: int = 12) -> dict[str, str]:
    settings = (
        f"bframes={b}:keyint={gop}:min-keyint={gop}:scenecut=0:b-adapt=0:log-level=none:pools=1"
    )
    return {"preset": "ultrafast", "x265-params": settings}


Change = Callable[[list[Packet]], Iterable[Packet]]


def write(
    path: Path,
    coding: Coding,
    ticks: Sequence[int],
    numbers: Sequence[int] | None = None,
    change: Change | None = None,
) -> Truth:
    """Encode a frame for each of `ticks` (times in units of `coding.tick`); `change` gets the coded
    packets before they are muxed.
    """
    numbers = range(len(ticks)) if numbers is None else numbers
    packets: list[Packet] = []
    with av.open(str(path), "w", format=coding.container, options=coding.mux) as output:
        rate = coding.rate or 1 / coding.tick
        stream: Any = output.add_stream(coding.codec, rate=rate)
        stream.width, stream.height = coding.size
        stream.pix_fmt = coding.pix_fmt
        stream.bit_rate = 4_000_000 if coding.noise else 300_000
        context = stream.codec_context
        context.time_base = coding.tick
        if not coding.codec.startswith(("libx26", "libsvt")):
            context.max_b_frames, context.gop_size = coding.b, coding.gop
        options = dict(coding.options)
        if coding.codec in ("mpeg4", "mpeg1video", "mpeg2video"):
            options.setdefault("sc_threshold", "1000000000")
        if coding.interlaced:
            options["flags"] = "+ildct+ilme"
        if coding.mux.get("strict"):
            options["strict"] = coding.mux["strict"]
        stream.options = options
        for tick, number in zip(ticks, numbers, strict=True):
            image = number_image(number, *coding.size)
            if not coding.noise:
                image[: coding.size[1] // 3] = 128
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = tick, coding.tick
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for packet in change(packets) if change else packets:
            output.mux(packet)
    if coding.codec == "libsvtav1" and hasattr(os, "sched_setscheduler"):
        # it makes the calling thread a real-time one, which nothing else on the machine may stop
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    times = [float((tick - ticks[0]) * coding.tick) for tick in ticks]
    return Truth(list(numbers), times)


def remux(source: Path, path: Path, container: str, **mux: str) -> None:
    """Copy the packets with the times that FFmpeg reads, as a copying program does."""
    with (
        av.open(str(source)) as given,
        av.open(str(path), "w", format=container, options=mux) as output,
    ):
        stream = given.streams.video[0]
        copy = output.add_stream_from_template(stream)
        for packet in given.demux(stream):
            if packet.size:
                packet.stream = copy
                output.mux(packet)


def shift(seconds: float) -> Change:
    """All packets later by `seconds`."""

    def change(packets: list[Packet]) -> Iterable[Packet]:
        for packet in packets:
            ticks = round(seconds / packet.time_base)
            packet.pts += ticks
            packet.dts += ticks
            yield packet

    return change


def joined(path: Path, coding: Coding, starts: Sequence[float], count: int = 60) -> Truth:
    """Recordings joined byte by byte, each of `count` frames and with its own start in s; the
    next begins one interval after the last frame.
    """
    data, numbers = b"", []
    for part, start in enumerate(starts):
        own = list(range(part * max(count, 200), part * max(count, 200) + count))
        write(path, coding, range(count), own, shift(start))
        data += path.read_bytes()
        numbers += own
    path.write_bytes(data)
    return Truth(numbers, [float(n * coding.tick) for n in range(len(numbers))])


def change_pes(path: Path, change: Callable[[int, int, int], tuple[int, int] | None]) -> None:
    """Change the times of a transport or program stream's video packets: `change` gets place, pts
    and dts in ticks of 90 kHz and returns others, None for no time at all.
    """
    data = bytearray(path.read_bytes())
    for place, found in enumerate(
        re.finditer(rb"\x00\x00\x01\xe0..[\x80-\xbf][\x80-\xff]", data, re.S)
    ):
        at = found.start()
        both = data[at + 7] & 0x40
        pts = _time_at(data, at + 9)
        new = change(place, pts, _time_at(data, at + 14) if both else pts)
        if new is None:
            data[at + 7] &= 0x3F
            data[at + 9 : at + (19 if both else 14)] = b"\xff" * (10 if both else 5)
            continue
        _put_time(data, at + 9, new[0], 3 if both else 2)
        if both:
            _put_time(data, at + 14, new[1], 1)
    path.write_bytes(data)


def _time_at(data: bytearray, at: int) -> int:
    a, b, c, d, e = data[at : at + 5]
    return (a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1


def _put_time(data: bytearray, at: int, time: int, mark: int) -> None:
    time %= WRAP
    data[at : at + 5] = bytes(
        (
            mark << 4 | time >> 30 << 1 | 1,
            time >> 22 & 255,
            time >> 14 & 254 | 1,
            time >> 7 & 255,
            time << 1 & 254 | 1,
        )
    )


def change_flv(path: Path, change: Callable[[int], int]) -> None:
    """Change the time in ms of each tag of an FLV file."""
    data = bytearray(path.read_bytes())
    at = 13
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        time = int.from_bytes(data[at + 4 : at + 7], "big")
        data[at + 4 : at + 7] = change(time).to_bytes(3, "big")
        at += 11 + size + 4
    path.write_bytes(data)


def replace_box(path: Path, names: Sequence[bytes], content: bytes) -> None:
    """Give a box of an MP4 (whose index stands at its end) other content; `names` leads to it."""
    data = bytearray(path.read_bytes())
    starts, at, end = [], 0, len(data)
    for name in names:
        while data[at + 4 : at + 8] != name:
            at += int.from_bytes(data[at : at + 4], "big")
            assert at < end, name
        starts.append(at)
        end = at + int.from_bytes(data[at : at + 4], "big")
        at += 8
    grown = 8 + len(content) - (end - starts[-1])
    data[starts[-1] + 8 : end] = content
    for start in starts:
        size = int.from_bytes(data[start : start + 4], "big") + grown
        data[start : start + 4] = size.to_bytes(4, "big")
    path.write_bytes(data)


EDIT_LIST = (b"moov", b"trak", b"edts", b"elst")
DURATIONS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts")


def edits(*entries: tuple[int, int]) -> bytes:
    """An edit list of (duration in ms, media time in ticks; -1 for a wait)."""
    rows = b"".join(struct.pack(">Iihh", *entry, 1, 0) for entry in entries)
    return struct.pack(">II", 0, len(entries)) + rows


def durations(*entries: tuple[int, int]) -> bytes:
    """A table of (samples, ticks each)."""
    rows = b"".join(struct.pack(">II", *entry) for entry in entries)
    return struct.pack(">II", 0, len(entries)) + rows


# --- the files ---

VIDEOS: list[MadeVideo] = []
H264 = "libx264"
HEVC = "libx265"
NTSC = Fraction(1001, 30_000)
COUNT = 60


def made(name: str) -> Callable[[Callable[[Path], Truth]], Callable[[Path], Truth]]:
    """Add a maker to `VIDEOS` under `name`."""

    def add(make: Callable[[Path], Truth]) -> Callable[[Path], Truth]:
        VIDEOS.append(MadeVideo(name, make))
        return make

    return add


def _add(name: str, coding: Coding, ticks: Sequence[int], change: Change | None = None) -> None:
    VIDEOS.append(MadeVideo(name, lambda path: write(path, coding, ticks, None, change)))


def _h264(container: str, b: int, gop: int = 12, **more: object) -> Coding:
    return Coding(container, H264, options=x264(b, gop, **more))


# Steady rate, no accident: containers and codecs.
PLAIN = {
    "h264_b0.mp4": _h264("mp4", 0),
    "h264_b1.mp4": _h264("mp4", 1),
    "h264_b3_pyramid.mp4": _h264("mp4", 3, **{"b-pyramid": "normal"}),
    "h264_b3_open_gop.mp4": _h264("mp4", 3, **{"open-gop": 1}),
    "h264_b3_negative_offsets.mp4": Coding(
        "mp4", H264, options=x264(3), mux={"movflags": "negative_cts_offsets"}
    ),
    "h264_b3_fragmented.mp4": Coding(
        "mp4", H264, options=x264(3), mux={"movflags": "frag_keyframe+empty_moov"}
    ),
    "h264_b2.mov": _h264("mov", 2),
    "h264_b3.mkv": _h264("matroska", 3),
    "h264_b0.avi": _h264("avi", 0),
    "h264_b1.avi": _h264("avi", 1),
    "h264_b2.avi": _h264("avi", 2, **{"b-pyramid": "none"}),
    "h264_b3_pyramid.avi": _h264("avi", 3, **{"b-pyramid": "normal"}),
    "h264_b3_open_gop.avi": _h264("avi", 3, **{"open-gop": 1}),
    "h264_b3.ts": _h264("mpegts", 3),
    "h264_b3_open_gop.ts": _h264("mpegts", 3, **{"open-gop": 1}),
    "h264_b3.m2ts": Coding(
        "mpegts",
        H264,
        options=x264(3),
        mux={"mpegts_m2ts_mode": "1", "mpegts_flags": "+resend_headers"},
    ),
    "h264_b3.mpg": _h264("vob", 3),
    "h264_b3.flv": _h264("flv", 3),
    "h264_b2.3gp": _h264("3gp", 2),
    "h264_b0.h264": _h264("h264", 0),
    "h264_b3.h264": _h264("h264", 3),
    "h264_b3_interlaced.mp4": Coding("mp4", H264, options=x264(3), interlaced=True),
    "h264_b3_interlaced.ts": Coding("mpegts", H264, options=x264(3), interlaced=True),
    "h264_b3_interlaced.avi": Coding("avi", H264, options=x264(3), interlaced=True),
    "hevc_b3.mp4": Coding("mp4", HEVC, options=x265(3)),
    "hevc_b3.mkv": Coding("matroska", HEVC, options=x265(3)),
    "hevc_b3.ts": Coding("mpegts", HEVC, options=x265(3)),
    "hevc_b3.hevc": Coding("hevc", HEVC, options=x265(3)),
    "mpeg4_b0.avi": Coding("avi", "mpeg4"),
    "mpeg4_b2.avi": Coding("avi", "mpeg4", 2),
    "mpeg4_b2.mp4": Coding("mp4", "mpeg4", 2),
    "mpeg4_b2.mkv": Coding("matroska", "mpeg4", 2),
    "mpeg4_b2.ts": Coding("mpegts", "mpeg4", 2),
    "mpeg4_b2.nut": Coding("nut", "mpeg4", 2),
    "mpeg4_b0.m4v": Coding("m4v", "mpeg4"),
    "mpeg4_b2.m4v": Coding("m4v", "mpeg4", 2),
    "mpeg4_b0.asf": Coding("asf", "mpeg4"),
    "mpeg2_b2.mpg": Coding("vob", "mpeg2video", 2),
    "mpeg2_b2_interlaced.mpg": Coding("vob", "mpeg2video", 2, interlaced=True),
    "mpeg2_b2_tiny.mpg": Coding("vob", "mpeg2video", 2, noise=False),
    "mpeg2_b2.ts": Coding("mpegts", "mpeg2video", 2),
    "mpeg2_b2.avi": Coding("avi", "mpeg2video", 2),
    "mpeg2_b2.mkv": Coding("matroska", "mpeg2video", 2),
    "mpeg2_b2.mxf": Coding("mxf", "mpeg2video", 2),
    "mpeg2_b2.m2v": Coding("mpeg2video", "mpeg2video", 2),
    "mpeg1_b2.mpg": Coding("mpeg", "mpeg1video", 2),
    "mpeg1_b2_tiny.mpg": Coding("mpeg", "mpeg1video", 2, noise=False),
    "mpeg1_b2.avi": Coding("avi", "mpeg1video", 2),
    "mpeg1_b2.m1v": Coding("mpeg1video", "mpeg1video", 2),
    "wmv1.wmv": Coding("asf", "wmv1"),
    "wmv2.wmv": Coding("asf", "wmv2"),
    "wmv2.avi": Coding("avi", "wmv2"),
    "msmpeg4v2.avi": Coding("avi", "msmpeg4v2"),
    "msmpeg4v3.avi": Coding("avi", "msmpeg4"),
    "msmpeg4v3.asf": Coding("asf", "msmpeg4"),
    "mjpeg.avi": Coding("avi", "mjpeg", pix_fmt="yuvj420p"),
    "mjpeg.mov": Coding("mov", "mjpeg", pix_fmt="yuvj420p"),
    "mjpeg.mkv": Coding("matroska", "mjpeg", pix_fmt="yuvj420p"),
    "mjpeg.mjpeg": Coding("mjpeg", "mjpeg", pix_fmt="yuvj420p"),
    "vp8.webm": Coding("webm", "libvpx", options={"deadline": "realtime", "cpu-used": "16"}),
    "vp9_hidden_frames.webm": Coding(
        "webm",
        "libvpx-vp9",
        gop=30,
        options={"deadline": "good", "cpu-used": "8", "auto-alt-ref": "1", "lag-in-frames": "16"},
    ),
    "av1.mp4": Coding("mp4", "libsvtav1", gop=30, options={"preset": "13"}),
    "av1.webm": Coding("webm", "libsvtav1", gop=30, options={"preset": "13"}),
    "ffv1.mkv": Coding("matroska", "ffv1"),
    "ffv1.avi": Coding("avi", "ffv1"),
    "huffyuv.avi": Coding("avi", "huffyuv", pix_fmt="yuv422p"),
    "utvideo.avi": Coding("avi", "utvideo"),
    "raw_yuv.avi": Coding("avi", "rawvideo"),
    "raw_rgb.avi": Coding("avi", "rawvideo", pix_fmt="bgr24"),
    "dv.dv": Coding("dv", "dvvideo", size=(720, 576)),
    "dv.avi": Coding("avi", "dvvideo", size=(720, 576)),
    "cinepak.avi": Coding("avi", "cinepak", pix_fmt="rgb24"),
    "msvideo1.avi": Coding("avi", "msvideo1", pix_fmt="rgb555le"),
    "zmbv.avi": Coding("avi", "zmbv", pix_fmt="bgr0"),
    "h263.3gp": Coding("3gp", "h263"),
    "h263.avi": Coding("avi", "h263"),
    "h261.avi": Coding("avi", "h261", size=(176, 144)),
    "flv1.flv": Coding("flv", "flv"),
    "svq1.mov": Coding("mov", "svq1", pix_fmt="yuv410p"),
    "rpza.mov": Coding("mov", "rpza", pix_fmt="rgb555le"),
    "qtrle.mov": Coding("mov", "qtrle", pix_fmt="rgb24"),
    "prores.mov": Coding("mov", "prores_ks", pix_fmt="yuv422p10le"),
    "asv2.avi": Coding("avi", "asv2"),
    "rv20.rm": Coding("rm", "rv20"),
}
for _name, _coding in PLAIN.items():
    _add(_name, _coding, range(COUNT))

# Long enough for a seek: 12.5 Hz for 40 s; MPEG-1 and MPEG-2 know 25 Hz at the slowest.
SLOW = Fraction(2, 25)
LONG = {
    "long_h264_b3.avi": Coding("avi", H264, options=x264(3, 25), tick=SLOW),
    "long_h264_b3.mp4": Coding("mp4", H264, options=x264(3, 25), tick=SLOW),
    "long_h264_b3.mkv": Coding("matroska", H264, options=x264(3, 25), tick=SLOW),
    "long_h264_b3.ts": Coding("mpegts", H264, options=x264(3, 25), tick=SLOW),
    "long_h264_b3.flv": Coding("flv", H264, options=x264(3, 25), tick=SLOW),
    "long_mpeg4_b2.avi": Coding("avi", "mpeg4", 2, 25, tick=SLOW),
    "long_wmv2.wmv": Coding("asf", "wmv2", gop=25, tick=SLOW),
    "long_mpeg2_b2.mpg": Coding("vob", "mpeg2video", 2, 25),
    "long_mpeg1_b2.mpg": Coding("mpeg", "mpeg1video", 2, 25),
    "long_mpeg2_b2.ts": Coding("mpegts", "mpeg2video", 2, 25),
    "long_mpeg2_b2.m2v": Coding("mpeg2video", "mpeg2video", 2, 25),
    "long_h264_open_gop.ts": Coding(
        "mpegts", H264, options=x264(3, 25, **{"open-gop": 1}), tick=SLOW
    ),
    "long_h264_no_key_frames.ts": Coding(
        "mpegts", H264, options=x264(3, 25, **{"intra-refresh": 1}), tick=SLOW
    ),
    "long_h264_no_key_frames.mp4": Coding(
        "mp4", H264, options=x264(3, 25, **{"intra-refresh": 1}), tick=SLOW
    ),
    "long_h264_one_key_frame.mp4": Coding("mp4", H264, options=x264(3, 2000), tick=SLOW),
    "long_hevc_b3.mp4": Coding("mp4", HEVC, options=x265(3, 25), tick=SLOW),
    "long_mjpeg.avi": Coding("avi", "mjpeg", pix_fmt="yuvj420p", tick=SLOW),
    "long_mpeg1_b2.avi": Coding("avi", "mpeg1video", 2, 25),
    "long_h264_b3.h264": Coding("h264", H264, options=x264(3, 25)),
}
for _name, _coding in LONG.items():
    _add(_name, _coding, range(round(40 / _coding.tick)))

VIDEOS += [
    MadeVideo(
        "long_joined_h264_b3.ts", lambda path: joined(path, LONG["long_h264_b3.ts"], [1, 1], 250)
    ),
    MadeVideo(
        "long_joined_earlier_h264_b3.ts",
        lambda path: joined(path, LONG["long_h264_b3.ts"], [90, 10], 250),
    ),
    MadeVideo(
        "long_joined_mpeg2_b2.mpg",
        lambda path: joined(path, LONG["long_mpeg2_b2.mpg"], [1, 1], 500),
    ),
    MadeVideo(
        "long_copied.mp4", lambda path: _copied(path, "mp4", LONG["long_h264_b3.avi"], range(500))
    ),
    MadeVideo(
        "long_copied.mkv",
        lambda path: _copied(path, "matroska", LONG["long_h264_b3.avi"], range(500)),
    ),
    MadeVideo("long_telecine.mpg", lambda path: _telecine(path, "vob", 1000)),
]
LONG_HOLE = [n for n in range(515) if not 100 <= n < 115]
for _name in ("h264_b3.avi", "mpeg4_b2.avi", "h264_b3.mp4", "h264_b3.mkv"):
    _add(f"long_hole_{_name}", LONG[f"long_{_name}"], LONG_HOLE)
_add("long_wraps_after_20_s.ts", LONG["long_h264_b3.ts"], range(500), shift(WRAP / CLOCK - 21.4))
_add(
    "long_wraps_after_20_s.mpg", LONG["long_mpeg2_b2.mpg"], range(1000), shift(WRAP / CLOCK - 20.5)
)

# Holes: an AVI has empty chunks there, the others nothing.
HOLE = [n for n in range(COUNT + 15) if not (20 <= n < 25 or 40 <= n < 50)]
for _name, _coding in {
    "hole_mpeg4_b0.avi": Coding("avi", "mpeg4"),
    "hole_mpeg4_b2.avi": Coding("avi", "mpeg4", 2),
    "hole_mjpeg.avi": Coding("avi", "mjpeg", pix_fmt="yuvj420p"),
    "hole_h264_b0.avi": _h264("avi", 0),
    "hole_h264_b1.avi": _h264("avi", 1),
    "hole_h264_b3.avi": _h264("avi", 3),
    "hole_h264_b3.mp4": _h264("mp4", 3),
    "hole_h264_b3.mkv": _h264("matroska", 3),
    "hole_h264_b3.ts": _h264("mpegts", 3),
    "hole_h264_b3.flv": _h264("flv", 3),
    "hole_mpeg2_b2.ts": Coding("mpegts", "mpeg2video", 2),
    "hole_mpeg2_b2.mpg": Coding("vob", "mpeg2video", 2),
    "hole_wmv2.wmv": Coding("asf", "wmv2"),
}.items():
    _add(_name, _coding, HOLE)
_add(
    "slots_half_empty_mpeg4_b2.avi",
    Coding("avi", "mpeg4", 2, tick=Fraction(1, 50)),
    range(0, 120, 2),
)
_add(
    "slots_half_empty_h264_b3.avi",
    Coding("avi", H264, options=x264(3), tick=Fraction(1, 50)),
    range(0, 120, 2),
)
_add(
    "slots_half_empty_mjpeg.avi",
    Coding("avi", "mjpeg", pix_fmt="yuvj420p", tick=Fraction(1, 50)),
    range(0, 120, 2),
)


@made("packed_mpeg4_b1.avi")
def _(path: Path) -> Truth:
    """As DivX packed B-frames: each in one chunk with the frame that it is predicted from, and an
    empty frame in the chunk that was its own.
    """
    empty = b"\x00\x00\x01\xb6\x50\x4f"  # a P-frame that says "not coded"

    def change(packets: list[Packet]) -> Iterable[Packet]:
        data = [bytes(packet) for packet in packets]
        data[0] = data[0].replace(
            b"\x00\x00\x01\xb6", b"\x00\x00\x01\xb2DivX503b1393p\0\x00\x00\x01\xb6", 1
        )
        packed = [data[0]]
        for own, following in zip(data[1:], [*data[2:], b""], strict=True):
            b_frame = own[own.index(b"\x00\x00\x01\xb6") + 4] >> 6 == 2
            packed.append(empty if b_frame else own)
            if not b_frame and following and following[4] >> 6 == 2:
                packed[-1] += following
        for place, (packet, content) in enumerate(zip(packets, packed, strict=True)):
            new = Packet(content)
            new.stream, new.time_base = packet.stream, packet.time_base
            new.pts = new.dts = place
            new.is_keyframe = packet.is_keyframe
            yield new

    return write(path, Coding("avi", "mpeg4", 1), range(COUNT), change=change)


@made("starts_late_h264_b3.avi")
def _(path: Path) -> Truth:
    """The stream's header delays it by 50 frames."""
    truth = write(path, _h264("avi", 3), range(COUNT))
    data = bytearray(path.read_bytes())
    at = data.index(b"strh") + 8
    struct.pack_into("<I", data, at + 28, 50)
    path.write_bytes(data)
    return truth


# Rates that are no whole number of ticks, and rates that vary.
for _name, _coding in {
    "ntsc_h264_b3.mkv": Coding("matroska", H264, options=x264(3), tick=NTSC),
    "ntsc_h264_b3.flv": Coding("flv", H264, options=x264(3), tick=NTSC),
    "ntsc_h264_b3.avi": Coding("avi", H264, options=x264(3), tick=NTSC),
    "ntsc_wmv2.wmv": Coding("asf", "wmv2", tick=NTSC),
    "ntsc_mpeg2_b2.mpg": Coding("vob", "mpeg2video", 2, tick=NTSC),
}.items():
    _add(_name, _coding, range(COUNT))
MILLI = Fraction(1, 1000)
VARIED = list(np.cumsum([0, *([30, 40, 50, 33, 67, 40, 40, 25] * 8)])[:COUNT].tolist())
VARIED_WIDELY = [*range(0, 800, 40), *range(800, 2800, 200), *range(2800, 4000, 40)]
for _name, _coding in {
    "h264_b3.mkv": Coding("matroska", H264, options=x264(3), tick=MILLI, rate=Fraction(25)),
    "h264_b3.mp4": Coding("mp4", H264, options=x264(3), tick=MILLI, rate=Fraction(25)),
    "h264_b3.ts": Coding("mpegts", H264, options=x264(3), tick=MILLI, rate=Fraction(25)),
    "h264_b3.flv": Coding("flv", H264, options=x264(3), tick=MILLI, rate=Fraction(25)),
    "wmv2.wmv": Coding("asf", "wmv2", tick=MILLI, rate=Fraction(25)),
    "mjpeg.mov": Coding("mov", "mjpeg", tick=MILLI, rate=Fraction(25), pix_fmt="yuvj420p"),
    "vp9.webm": Coding(
        "webm",
        "libvpx-vp9",
        tick=MILLI,
        rate=Fraction(25),
        options={"deadline": "realtime", "cpu-used": "8"},
    ),
}.items():
    _add(f"varied_{_name}", _coding, VARIED)
    _add(f"varied_widely_{_name}", _coding, VARIED_WIDELY)

# Starts.
_add("starts_at_5_8_s.mkv", _h264("matroska", 3), range(COUNT), shift(5.8))
_add("starts_at_100_s.ts", _h264("mpegts", 3), range(COUNT), shift(100))
_add("starts_at_100_s.mpg", Coding("vob", "mpeg2video", 2), range(COUNT), shift(100))
_add("starts_at_5_s.flv", _h264("flv", 3), range(COUNT), shift(5))
_add(
    "starts_below_0.mkv",
    Coding("matroska", "mpeg4", 2, mux={"avoid_negative_ts": "disabled"}),
    range(COUNT),
    shift(-1.0),
)
_add("wraps_h264_b3.ts", _h264("mpegts", 3), range(COUNT), shift(WRAP / CLOCK - 1.4 - 1))
_add(
    "wraps_mpeg2_b2.ts",
    Coding("mpegts", "mpeg2video", 2),
    range(COUNT),
    shift(WRAP / CLOCK - 1.4 - 1),
)
_add(
    "wraps_mpeg2_b2.mpg",
    Coding("vob", "mpeg2video", 2),
    range(COUNT),
    shift(WRAP / CLOCK - 0.5 - 1),
)
_add(
    "wraps_mpeg1_b2.mpg",
    Coding("mpeg", "mpeg1video", 2),
    range(COUNT),
    shift(WRAP / CLOCK - 0.5 - 1),
)
_add(
    "wraps_after_70_s.ts",
    Coding("mpegts", H264, options=x264(3), tick=Fraction(1, 4), rate=Fraction(4)),
    range(360),
    shift(WRAP / CLOCK - 1.4 - 70),
)


@made("wraps_twice_joined.ts")
def _(path: Path) -> Truth:
    start = WRAP / CLOCK - 1.4 - 1
    return joined(path, _h264("mpegts", 3), [start, start])


# Joined byte by byte: the same start, a later one (a gap), an earlier one, a clock set back a bit.
for _suffix, _coding in {
    "h264_b3.ts": _h264("mpegts", 3),
    "mpeg2_b2.ts": Coding("mpegts", "mpeg2video", 2),
    "mpeg2_b2.mpg": Coding("vob", "mpeg2video", 2),
    "mpeg1_b2.mpg": Coding("mpeg", "mpeg1video", 2),
}.items():
    VIDEOS += [
        MadeVideo(
            f"joined_same_start_{_suffix}", lambda path, c=_coding: joined(path, c, [1, 1, 1])
        ),
        MadeVideo(f"joined_earlier_{_suffix}", lambda path, c=_coding: joined(path, c, [500, 20])),
        MadeVideo(
            f"joined_running_on_{_suffix}", lambda path, c=_coding: joined(path, c, [1, 3.4])
        ),
    ]


def _leap(path: Path, coding: Coding, second: float) -> Truth:
    truth = joined(path, coding, [1, 1 + second])
    times = [*truth.times[:COUNT], *(second + time for time in truth.times[:COUNT])]
    return Truth(
        truth.numbers, times, grid_refused="which no recording does" if second > 600 else ""
    )


for _suffix, _coding in {
    "h264_b3.ts": _h264("mpegts", 3),
    "mpeg2_b2.mpg": Coding("vob", "mpeg2video", 2),
}.items():
    VIDEOS += [
        MadeVideo(f"leaps_5_s_{_suffix}", lambda path, c=_coding: _leap(path, c, 7.4)),
        MadeVideo(f"leaps_an_hour_{_suffix}", lambda path, c=_coding: _leap(path, c, 3602.4)),
    ]


@made("joined_other_rate.ts")
def _(path: Path) -> Truth:
    """25 Hz, then 50 Hz."""
    first = write(path, Coding("mpegts", "mpeg2video", 2), range(COUNT))
    data = path.read_bytes()
    numbers = range(200, 200 + COUNT)
    fast = Coding("mpegts", "mpeg2video", 2, tick=Fraction(1, 50))
    second = write(path, fast, range(COUNT), numbers)
    path.write_bytes(data + path.read_bytes())
    times = [*first.times, *(first.times[-1] + 0.04 + time for time in second.times)]
    return Truth([*first.numbers, *numbers], times)


# H.264 with B-frames in AVI, copied on with the times that FFmpeg made up.
def _copied(path: Path, container: str, source: Coding, ticks: Sequence[int]) -> Truth:
    avi = path.with_suffix(".source.avi")
    truth = write(avi, source, ticks)
    remux(avi, path, container)
    avi.unlink()
    return truth


for _name, _container in {
    "mp4": "mp4",
    "mov": "mov",
    "mkv": "matroska",
    "ts": "mpegts",
    "flv": "flv",
}.items():
    VIDEOS.append(
        MadeVideo(
            f"copied_from_h264_b3_avi.{_name}",
            lambda path, c=_container: _copied(path, c, _h264("avi", 3), range(COUNT)),
        )
    )
for _name, _container in {"mp4": "mp4", "mkv": "matroska", "ts": "mpegts"}.items():
    VIDEOS.append(
        MadeVideo(
            f"copied_from_mpeg4_b2_avi.{_name}",
            lambda path, c=_container: _copied(path, c, Coding("avi", "mpeg4", 2), range(COUNT)),
        )
    )
VIDEOS.append(
    MadeVideo(
        "copied_from_h264_b3_avi_with_holes.mp4",
        lambda path: _copied(path, "mp4", _h264("avi", 3), HOLE),
    )
)
VIDEOS.append(
    MadeVideo(
        "copied_from_h264_b1_avi.mp4",
        lambda path: _copied(path, "mp4", _h264("avi", 1), range(COUNT)),
    )
)


# Times that repeat, stand still or fall back although the camera went on.
@made("repeats_a_time.ts")
def _(path: Path) -> Truth:
    truth = write(path, Coding("mpegts", "mpeg2video"), range(COUNT))
    change_pes(
        path, lambda place, pts, dts: (pts - 3600, dts - 3600) if place == 30 else (pts, dts)
    )
    return truth


@made("repeats_a_time_h264.ts")
def _(path: Path) -> Truth:
    truth = write(path, _h264("mpegts", 0), range(COUNT))
    change_pes(
        path, lambda place, pts, dts: (pts - 3600, dts - 3600) if place == 30 else (pts, dts)
    )
    return truth


@made("repeats_a_time.mkv")
def _(path: Path) -> Truth:
    coding = Coding("matroska", "mpeg4", tick=MILLI, rate=Fraction(25))
    return write(path, coding, range(0, 2400, 40), change=_stuck({30: 1, 45: 1}))


@made("repeats_a_time_thrice.mkv")
def _(path: Path) -> Truth:
    coding = Coding("matroska", "mjpeg", tick=MILLI, rate=Fraction(25), pix_fmt="yuvj420p")
    return write(path, coding, range(0, 2400, 40), change=_stuck({30: 1, 31: 2, 32: 3}))


@made("repeats_a_time_h264_b3.mkv")
def _(path: Path) -> Truth:
    def change(packets: list[Packet]) -> Iterable[Packet]:
        for packet in packets:
            packet.pts -= 40 * (packet.pts == 30 * 40)
            yield packet

    coding = Coding("matroska", H264, options=x264(3), tick=MILLI, rate=Fraction(25))
    return write(path, coding, range(0, 2400, 40), change=change)


def _stuck(back: dict[int, int]) -> Change:
    """The packets at these places have the time of one some places before."""

    def change(packets: list[Packet]) -> Iterable[Packet]:
        for place, packet in enumerate(packets):
            packet.pts = packet.dts = packet.pts - 40 * back.get(place, 0)
            yield packet

    return change


@made("repeats_times.flv")
def _(path: Path) -> Truth:
    truth = write(path, Coding("flv", "flv"), range(COUNT))
    change_flv(path, lambda time: time - 40 * (time in (800, 1600)))
    return truth


@made("falls_back_a_frame.flv")
def _(path: Path) -> Truth:
    truth = write(path, Coding("flv", "flv"), range(COUNT))
    change_flv(path, lambda time: time - 80 * (time == 1200))
    return truth


@made("clock_set_back_200_ms.flv")
def _(path: Path) -> Truth:
    truth = write(path, Coding("flv", "flv"), range(COUNT))
    change_flv(path, lambda time: time - 200 * (time >= 1200))
    return truth


@made("clock_set_back_200_ms_h264_b3.flv")
def _(path: Path) -> Truth:
    truth = write(path, _h264("flv", 3), range(COUNT))
    change_flv(path, lambda time: time - 200 * (time >= 1200))
    return truth


@made("clock_set_back_200_ms.ts")
def _(path: Path) -> Truth:
    def change(place: int, pts: int, dts: int) -> tuple[int, int]:
        return (pts - 18_000, dts - 18_000) if pts >= 31 * 3600 else (pts, dts)

    truth = write(path, Coding("mpegts", "mpeg2video", 2), range(COUNT))
    change_pes(path, change)
    return truth


@made("clock_set_back_2_s.flv")
def _(path: Path) -> Truth:
    truth = write(path, Coding("flv", "flv"), range(COUNT + 30))
    change_flv(path, lambda time: time - 2000 * (time >= 2400))
    return truth


@made("half_the_times_missing.ts")
def _(path: Path) -> Truth:
    truth = write(path, Coding("mpegts", "mpeg2video", 2), range(COUNT))
    change_pes(path, lambda place, pts, dts: None if place % 12 % 5 else (pts, dts))
    return truth


@made("half_the_times_missing_h264_b3.ts")
def _(path: Path) -> Truth:
    truth = write(path, _h264("mpegts", 3), range(COUNT))
    change_pes(path, lambda place, pts, dts: None if place % 12 else (pts, dts))
    return truth


@made("no_times.ts")
def _(path: Path) -> Truth:
    truth = write(path, Coding("mpegts", "mpeg2video", 2), range(COUNT))
    change_pes(path, lambda place, pts, dts: None)
    return truth


@made("frames_of_no_duration.mp4")
def _(path: Path) -> Truth:
    truth = write(path, Coding("mp4", "mpeg4"), range(COUNT))
    tick = _mp4_tick(path)
    table = durations(
        (29, tick), (1, 0), (1, 2 * tick), (9, tick), (2, 0), (1, 3 * tick), (17, tick)
    )
    replace_box(path, DURATIONS, table)
    return truth


# Edit lists.
@made("edit_trims_the_start.mp4")
def _(path: Path) -> Truth:
    truth = write(path, _h264("mp4", 3), range(COUNT), None, shift(-0.4))
    return Truth(truth.numbers[10:], truth.times[: COUNT - 10])


@made("edit_trims_start_and_end.mp4")
def _(path: Path) -> Truth:
    truth = write(path, _h264("mp4", 3), range(COUNT))
    tick = _mp4_tick(path)
    replace_box(path, EDIT_LIST, edits((30 * 40, 22 * tick)))  # 2 more: B-frames delay the first
    return Truth(truth.numbers[20:50], truth.times[:30])


@made("edit_waits_2_s.mp4")
def _(path: Path) -> Truth:
    return write(path, _h264("mp4", 3), range(COUNT), None, shift(2.0))


@made("edit_waits_and_trims.mov")
def _(path: Path) -> Truth:
    truth = write(path, Coding("mov", "mpeg4", 2), range(COUNT))
    tick = _mp4_tick(path)
    replace_box(path, EDIT_LIST, edits((2000, -1), (50 * 40, 11 * tick)))
    return Truth(truth.numbers[10:], truth.times[:50])


@made("edit_cuts_the_middle.mp4")
def _(path: Path) -> Truth:
    truth = write(path, Coding("mp4", "mjpeg", pix_fmt="yuvj420p"), range(COUNT), None, shift(1.0))
    tick = _mp4_tick(path)
    replace_box(path, EDIT_LIST, edits((20 * 40, 0), (20 * 40, 40 * tick)))
    return Truth([*range(20), *range(40, 60)], truth.times[:40])


@made("edit_cuts_the_middle_h264_b3.mp4")
def _(path: Path) -> Truth:
    """FFmpeg 8.1 shows all after the cut later by the B-frames that the cut hides (3 here)."""
    truth = write(path, _h264("mp4", 3), range(COUNT))
    tick = _mp4_tick(path)
    replace_box(path, EDIT_LIST, edits((20 * 40, 2 * tick), (20 * 40, 42 * tick)))
    cut = "cut by an edit list"
    return Truth([*range(20), *range(40, 60)], truth.times[:40], refused=cut, grid_refused=cut)


@made("edit_swaps_the_halves.mp4")
def _(path: Path) -> Truth:
    """The second half, then the first."""
    truth = write(path, Coding("mp4", "mpeg4", gop=10), range(COUNT), None, shift(1.0))
    tick = _mp4_tick(path)
    replace_box(path, EDIT_LIST, edits((30 * 40, 30 * tick), (30 * 40, 0)))
    return Truth([*range(30, 60), *range(30)], truth.times)


def _mp4_tick(path: Path) -> int:
    """Duration of a frame in the track's ticks, of a file of 25 Hz; the film's are ms."""
    with av.open(str(path)) as container:
        return int(Fraction(1, 25) / container.streams.video[0].time_base)


for _back in (0.5, 0.2):

    @made(f"clock_set_back_{1000 * _back:g}_ms_mpeg2_b2.mpg")
    def _(path: Path, back: float = _back) -> Truth:
        truth = write(path, Coding("vob", "mpeg2video", 2), range(250))
        ticks = round(back * CLOCK)
        change_pes(path, lambda n, pts, dts: (pts - ticks * (n >= 125), dts - ticks * (n >= 125)))
        return truth


# Soft telecine: 23.976 Hz shown as 59.94 fields, three and two in turn.
def _telecine(path: Path, container: str, count: int = COUNT) -> Truth:
    field = NTSC / 2
    ticks = [(5 * n + 1) // 2 for n in range(count)]  # fields: 0, 3, 5, 8, 10

    def change(packets: list[Packet]) -> Iterable[Packet]:
        shown = sorted(packet.pts for packet in packets)
        place_of = {pts: place for place, pts in enumerate(shown)}
        fields = [(5 * n + 1) // 2 for n in range(-4, count + 8)]
        for packet in packets:
            place = place_of[packet.pts]
            data = bytearray(bytes(packet))
            at = data.find(b"\x00\x00\x01\xb5\x14")
            if at >= 0:  # sequence extension: fields may repeat only where it is not progressive
                data[at + 5] &= ~0x08
            at = next(m.start() for m in re.finditer(rb"\x00\x00\x01\xb5[\x80-\x8f]", data))
            top_first, repeat = place % 4 in (0, 3), place % 2 == 0
            data[at + 7] = data[at + 7] & 0x7D | top_first << 7 | repeat << 1
            data[at + 8] |= 0x80  # progressive frame
            packet.update(bytes(data))
            place_coded = round(packet.dts - shown[0])
            packet.pts, packet.dts = ticks[place], fields[place_coded + 4]
            packet.time_base = field
            packet.duration = 3 if repeat else 2
            yield packet

    coding = Coding(container, "mpeg2video", 2, tick=NTSC)
    truth = write(path, coding, range(count), None, change)
    return Truth(truth.numbers, [float(tick * field) for tick in ticks])


for _suffix, _container in {
    "mpg": "vob",
    "ts": "mpegts",
    "m2v": "mpeg2video",
    "mkv": "matroska",
}.items():
    VIDEOS.append(MadeVideo(f"telecine.{_suffix}", lambda path, c=_container: _telecine(path, c)))


# Damage: cut off, begun late, overwritten.
def _cut_off(path: Path, coding: Coding, refused: str = "") -> Truth:
    truth = write(path, coding, range(100))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    return replace(truth, damaged=(48 / 25, math.inf), refused=refused)


def _overwritten(path: Path, coding: Coding) -> Truth:
    truth = write(path, coding, range(100))
    data = bytearray(path.read_bytes())
    size = 3 * len(data) // 100
    data[len(data) // 2 : len(data) // 2 + size] = np.random.default_rng(1).bytes(size)
    path.write_bytes(data)
    return replace(truth, damaged=(40 / 25, 75 / 25))


def _begun_late(path: Path, coding: Coding) -> Truth:
    truth = write(path, coding, range(100))
    data = path.read_bytes()
    path.write_bytes(data[len(data) * 3 // 10 :])
    return replace(truth, begun_late=True)


CLUSTERS = {"cluster_time_limit": "400"}
for _suffix, _coding in {
    "h264_b3.ts": _h264("mpegts", 3),
    "mpeg2_b2.mpg": Coding("vob", "mpeg2video", 2),
    "mpeg4_b2.avi": Coding("avi", "mpeg4", 2),
    "h264_b3.avi": _h264("avi", 3),
    "h264_b3.mkv": Coding("matroska", H264, options=x264(3), mux=CLUSTERS),
    "h264_b3.flv": _h264("flv", 3),
    "wmv2.wmv": Coding("asf", "wmv2"),
}.items():
    VIDEOS += [
        MadeVideo(f"cut_off_{_suffix}", lambda path, c=_coding: _cut_off(path, c)),
        MadeVideo(f"overwritten_{_suffix}", lambda path, c=_coding: _overwritten(path, c)),
    ]
for _suffix, _coding in {
    "h264_b3.ts": _h264("mpegts", 3),
    "mpeg2_b2.mpg": Coding("vob", "mpeg2video", 2),
    "mpeg2_b2.m2v": Coding("mpeg2video", "mpeg2video", 2),
    "h264_b3_open_gop.ts": _h264("mpegts", 3, **{"open-gop": 1}),
    "hevc_b3.ts": Coding("mpegts", HEVC, options=x265(3)),
}.items():
    VIDEOS.append(MadeVideo(f"begun_late_{_suffix}", lambda path, c=_coding: _begun_late(path, c)))


@made("cut_off.mp4")
def _(path: Path) -> Truth:
    return _cut_off(path, _h264("mp4", 3), refused="cannot be opened")
