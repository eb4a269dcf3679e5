"""Open a video file and decode its packets: frames in the order in which they are shown, damaged
ones marked.

A file that is no video gives one clear `VideoError`. Frame times come from the frames themselves
(timestamps.py); what the header states of counts, rate and duration is not used. `Reading` holds
what a user can set against the header.
"""

import itertools
import math
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, get_args

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from semiology.errors import UserError
from semiology.video.image import parse_aspect
from semiology.video.losses import Whole
from semiology.video.timestamps import DEFAULT_PERIOD, Stamped, Timed, presentation_times

# metadata that are not UTF-8 are no fault; from PyAV 19 on they never are
ANY_METADATA: dict[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
)
THREADS = 2  # nearly all that more threads gain for one file; clips run in parallel anyway
# FFmpeg 8.1 decodes their frames side by side, and may give one, to be shown after others, before
# its thread has found and marked the damage at its end (4 of 100 readings of one file)
MARKED_TOO_LATE = ("h264", "mpeg4")
NOTHING_DECODES = (
    "no frame of it can be decoded: the file is damaged or cut off; copy it again from its source"
)


Fields = Literal["auto", "both", "off"]


@dataclass(frozen=True)
class Reading:
    """How a file is read, where its header is wrong or more than its frames is wanted.

    Attributes:
        pixel_aspect: "W:H", width of a stored pixel over its height, in place of what the file
            states.
        fields: of interlaced video. "auto" makes one frame of the two fields of each, "both" makes
            a frame of every field (50 Hz out of 25), "off" leaves them woven.
    """

    pixel_aspect: str | None = None
    fields: Fields = "auto"

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            UserError: no such setting.
        """
        if self.fields not in get_args(Fields):
            raise UserError(f"fields={self.fields!r}: give one of {', '.join(get_args(Fields))}")
        if self.pixel_aspect is not None:
            parse_aspect(self.pixel_aspect)

    @property
    def aspect(self) -> Fraction | None:
        """The given width of a pixel over its height; None: as the file states."""
        return None if self.pixel_aspect is None else parse_aspect(self.pixel_aspect)


AS_STATED = Reading()


class VideoError(UserError):
    """A video that cannot be read. `fault` is the message without the path, for places where a
    file's name must not appear.
    """

    def __init__(self, path: object, fault: str):
        super().__init__(path, fault)
        self.fault = fault

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.fault}"


@contextmanager
def open_video(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video file: its container and the video stream to read, closed at the block's end.

    Raises:
        VideoError: no such file, a folder, an empty file, no permission, no video.
    """
    path = Path(path)
    if not path.exists():
        raise VideoError(path, "there is no such file; check the path")
    if not path.is_file():
        raise VideoError(path, "is a folder, not a video; name the file in it")
    if path.stat().st_size == 0:
        raise VideoError(path, "is empty (0 bytes); copy it again from its source")
    if not os.access(path, os.R_OK):
        raise VideoError(path, "may not be read; change its permissions")
    try:
        container = av.open(
            f"file:{path}", mode="r", **ANY_METADATA
        )  # "file:": a name with a colon is no network address
    except av.error.FFmpegError as error:
        raise VideoError(
            path,
            f"cannot be opened as a video ({error.strerror}); it is cut off, damaged or of another"
            " kind",
        ) from error
    with container:
        yield container, video_stream(container, path)


def video_stream(container: InputContainer, name: str | Path) -> VideoStream:
    """The best video stream of an opened container; cover art does not count as video.

    Args:
        container: as PyAV opened it.
        name: what errors call the file.

    Raises:
        VideoError: no video in it, or a codec that FFmpeg does not know.
    """
    if container.format.name in ("tty", "image2") or container.format.name.endswith(
        "_pipe"
    ):  # FFmpeg also plays text and images
        raise VideoError(name, "is a text or a single image, not a video")
    streams = _video_streams(container)
    if not streams:
        raise VideoError(name, "holds no video stream (sound only?); name a video")
    streams = [stream for stream in streams if stream.codec_context is not None]
    if not streams:
        raise VideoError(name, "is encoded in a way that FFmpeg does not know; convert it")
    best = container.streams.best("video")
    stream = next(
        (stream for stream in streams if best is not None and stream.index == best.index),
        streams[0],
    )
    late = stream.codec_context.name in MARKED_TOO_LATE
    stream.thread_type = "SLICE" if late else "AUTO"
    stream.codec_context.thread_count = THREADS
    return stream


def _video_streams(container: InputContainer) -> list[VideoStream]:
    """The video streams of a container but cover art."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    return [stream for stream in container.streams.video if not stream.disposition & still]


def which_stream(container: InputContainer, stream: VideoStream) -> str | None:
    """Which video stream is read, "1 of 2, 640x480"; None where there is one alone."""
    streams = _video_streams(container)
    number = [each.index for each in streams].index(stream.index) + 1
    size = f"{stream.codec_context.width}x{stream.codec_context.height}"
    return f"{number} of {len(streams)}, {size}" if len(streams) > 1 else None


def header_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Length in seconds by the header, None where it gives none.

    Matroska's header holds the time at which the file ends, not how long it lasts.
    """
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if not container.duration:
        return None
    start = container.start_time if container.format.name.startswith("matroska") else 0
    return (container.duration - (start or 0)) / av.time_base


class StatedAspect:
    """The pixel aspect ratio that a file states, which may change from frame to frame.

    As in players, the container's ratio counts where it differs from the codec's; else the codec's
    at each frame. FFmpeg gives it to the decoder's context only, not to PyAV's frames.
    """

    def __init__(self, stream: VideoStream):
        self._context = stream.codec_context
        self._container = stream.sample_aspect_ratio
        own = self._context.sample_aspect_ratio
        self._fixed = bool(self._container) and bool(own) and self._container != own

    def now(self) -> Fraction:
        """Of the frame that was decoded last; 1 where nothing is stated."""
        own = None if self._fixed else self._context.sample_aspect_ratio
        return own or self._container or Fraction(1)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A whole frame as decoded, and the width of its pixels over their height as it is stored."""

    frame: VideoFrame
    pixel_aspect: Fraction


def in_order(
    container: InputContainer, stream: VideoStream, aspect: Fraction | None = None
) -> Iterator[Timed[Decoded | None]]:
    """All frames in the order in which they are shown, with their times on the file's own clock (s)
    as `presentation_times` finds them; None where a frame is damaged.

    Args:
        container, stream: as `open_video` gives them.
        aspect: width of a stored pixel over its height; None: as the file states it.
    """
    frames = _decoded(container, stream, aspect)
    first = next((frame for frame in frames if frame.content or frame.pts is not None), None)
    if first is None:  # the first frame is the first that the decoder gives
        return
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    yield from presentation_times(
        itertools.chain([first], frames),
        by_dts=shown_by_dts(container, stream),
        inferred=container.format.name == "mpeg",
        interval=1 / rate if 1 <= rate <= 240 else DEFAULT_PERIOD,
    )


def shown_by_dts(container: InputContainer, stream: VideoStream) -> bool:
    """Whether the container has no presentation times: those of AVI and of bare MPEG-1/2 are made
    up, and those of ASF are wrong where the codec reorders frames.
    """
    name = container.format.name
    reorders = stream.codec_context.reorder_depth > 0
    return name in ("avi", "mpegvideo") or (name == "asf" and reorders)


def _until_flush(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """The packets as the container gives them. Where a damaged file shows a stream that it did not
    have when it was opened, PyAV 18.1 fails after the last one: its list of streams lacks that one.
    """
    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, IndexError):
            return


def demuxed(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """The stream's packets, the last one empty.

    AVI counts time in chunks. Where some are overwritten, FFmpeg counts those that it finds; the
    file's index has them all, by the byte at which each one's header of 8 begins.

    Raises:
        VideoError: an MP4 or MOV whose edit list goes on among reordered frames: FFmpeg 8.1 gives
            what follows too late by as many frames as it hides there.
    """
    index = stream.index_entries if container.format.name == "avi" else ()
    known = len(index)
    following = 0
    edited = container.format.name.startswith("mov") and stream.codec_context.reorder_depth > 0
    first, last = math.inf, -math.inf
    for packet in _until_flush(container, stream):
        if edited and packet.pts is not None:
            if packet.is_discard and first < packet.pts < last:
                raise VideoError(
                    container.name.removeprefix("file:"),
                    "was cut by an edit list within a group of frames, whose times are then not"
                    " known; encode it again",
                )
            if not packet.is_discard:
                first, last = min(first, packet.pts), max(last, packet.pts)
        if known and packet.pos is not None and packet.dts is not None:
            header = packet.pos - 8
            if not (following < known and index[following].pos == header):
                following = bisect_left(index, header, key=lambda entry: entry.pos)
            if following < known and index[following].pos == header:
                packet.dts = index[following].timestamp
                following += 1
        yield packet


def _decoded(
    container: InputContainer, stream: VideoStream, aspect: Fraction | None
) -> Iterator[Stamped[Decoded | None]]:
    """Frames as the decoder gives them; a damaged frame keeps its place as None."""
    packets = demuxed(container, stream)
    stated = StatedAspect(stream)
    whole = Whole[Decoded](stream, stamped=not shown_by_dts(container, stream))
    ended = False
    while not ended:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            packet = None  # the container is damaged here: what was read so far is still good
        ended = packet is None
        if packet is not None and packet.size:
            whole.feed(packet)
        try:
            frames = stream.decode(packet)
        except av.error.EOFError:  # the decoder had been emptied before
            break
        except av.error.FFmpegError:
            yield from whole.fail()
            continue
        for frame in frames:
            if frame.time_base is None:  # what the decoder still held when the container broke off
                frame.time_base = stream.time_base
            yield from whole.take(frame, Decoded(frame, aspect or stated.now()))
    yield from whole.end()


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """One frame of a video, not converted yet.

    Attributes:
        time: s from the video's first frame.
        index: place in the order of presentation, 0 for the first frame; damaged frames keep their
            place.
        period: s; median interval of the frames around this one.
        decoded: the frame as decoded, or deinterlaced; None where damaged.
        pixel_aspect: width of a stored pixel over its height.
    """

    time: float
    index: int
    period: float
    decoded: VideoFrame | None
    pixel_aspect: Fraction = Fraction(1)


def numbered(
    frames: Iterable[Timed[Decoded | None]], origin: float | None = None, index: int = 0
) -> Iterator[SourceFrame]:
    """Frames of `in_order`, numbered, with times counted from the video's first frame.

    Args:
        frames: in order.
        origin: time of the video's first frame, s; by default that of the first of these.
        index: number in the video of the first of these.
    """
    for number, timed in enumerate(frames, index):
        origin = timed.time if origin is None else origin
        if timed.content is None:
            yield SourceFrame(timed.time - origin, number, timed.period, None)
        else:
            content = timed.content
            yield SourceFrame(
                timed.time - origin, number, timed.period, content.frame, content.pixel_aspect
            )
