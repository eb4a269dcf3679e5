"""The source frames of a video from a given time on, each with its number; and what a video is.

Frames in the middle of a file are reached by seeking only where the file's index can be trusted.
"""

import itertools
import math
import statistics
from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from semiology.video.decode import (
    AS_STATED,
    NOTHING_DECODES,
    Decoded,
    Reading,
    SourceFrame,
    VideoError,
    demuxed,
    header_duration,
    in_order,
    numbered,
    open_video,
    shown_by_dts,
    which_stream,
)
from semiology.video.fields import deinterlaced, scan_fields
from semiology.video.image import likely_aspect, plausible, ratio, rotation, square_size
from semiology.video.losses import Losses
from semiology.video.timestamps import Timed, timestamp

# s; a clip that starts earlier is reached by decoding from the beginning, which needs no trust in
# the file's index
SEEK_FROM = 30.0
# packets whose times give a video's frame rate
RATED = 64


@dataclass(frozen=True)
class VideoInfo:
    """What a video is: size, rotation and start from its frames, the rest from its header, where
    that is plausible.
    """

    width: int  # px, in square pixels, after rotation
    height: int  # px, in square pixels, after rotation
    fps: float | None  # Hz, of the first frames by their times; None where they have none
    start: float  # s, time of the first frame; every other time in this package counts from there
    duration: float | None  # s; None where the header gives none
    # degrees clockwise by which the stored frame is turned to stand upright: 0, 90, 180 or 270
    rotation: int
    pixel_aspect: Fraction  # width of a stored pixel over its height
    stored_width: int  # px, as stored
    stored_height: int  # px, as stored
    # "W:H" that the pixels most likely have, where the file states none of its kind; else None
    likely_aspect: str | None
    codec: str
    container: str
    # "1 of 2, 640x480": which video stream is read, of a file that holds several; else None
    stream: str | None = None


def probe(path: str | Path, reading: Reading = AS_STATED) -> VideoInfo:
    """Open a video and decode its first whole frame.

    Raises:
        VideoError: the file is absent, empty, no video, or no frame of it decodes; it states pixels
            that no camera has.
    """
    with open_video(path) as (container, stream):
        rate = _frame_rate(container, stream)
    with open_video(path) as (container, stream):
        start = None
        for timed in in_order(container, stream, reading.aspect):
            start = timed.time if start is None else start
            if timed.content is not None:
                break
        else:
            raise VideoError(path, NOTHING_DECODES)
        frame, aspect = timed.content.frame, timed.content.pixel_aspect
        check_aspect(path, aspect)
        size = square_size(frame.width, frame.height, aspect)
        turned = rotation(frame)
        # "mov,mp4,m4a,...": one reader, several containers
        names = container.format.name.split(",")
        suffix = Path(path).suffix.lower().lstrip(".")
        return VideoInfo(
            *(size[::-1] if turned % 180 else size),
            fps=rate,
            start=start,
            duration=header_duration(container, stream),
            rotation=turned,
            pixel_aspect=aspect,
            stored_width=frame.width,
            stored_height=frame.height,
            likely_aspect=likely_aspect(frame.width, frame.height, aspect)
            if reading.pixel_aspect is None
            else None,
            codec=stream.codec_context.name,
            container=suffix if suffix in names else names[0],
            stream=which_stream(container, stream),
        )


def lost_places(path: str | Path) -> list[float]:
    """Where frames were lost on the way, by the packets alone, without decoding: s from the first
    packet. The whole file is read.

    Raises:
        VideoError: the file cannot be opened as a video.
    """
    places: list[float] = []
    with open_video(path) as (container, stream):
        losses, first = Losses(stream), None
        try:
            for packet in sized(container, stream):
                time = timestamp(packet, "dts")
                first = time if first is None else first
                if losses.before(packet) is not None and time is not None and first is not None:
                    places.append(time - first)
        except av.error.FFmpegError:
            pass  # cut off or damaged: what was read so far counts
    return places


def check_aspect(path: object, aspect: Fraction) -> None:
    """Check that pixels of this shape can be a camera's.

    Raises:
        VideoError: they cannot.
    """
    if not plausible(aspect):
        raise VideoError(
            path,
            f"states pixels of {ratio(aspect)}, as no camera has; give the true one by"
            " --pixel_aspect",
        )


def _frame_rate(container: InputContainer, stream: VideoStream) -> float | None:
    """Frames a second by the times of the first packets; None where they have none.

    Headers state what they like for field pairs, telecine and variable rates. The header's rate is
    given where the times agree with it: it is exact where they are rounded to milliseconds.
    """
    kind = "dts" if shown_by_dts(container, stream) else "pts"
    packets = itertools.islice(sized(container, stream), RATED)
    try:
        stamps = {timestamp(packet, kind) for packet in packets}
    except av.error.FFmpegError:
        return None
    times = sorted(stamp for stamp in stamps if stamp is not None)
    # the last ones are those of frames whose neighbours come later
    steps = [later - earlier for earlier, later in itertools.pairwise(times[:-4] or times)]
    stated = float(stream.average_rate or 0)
    if not steps:
        return stated if 0.1 <= stated <= 1000 else None
    median = statistics.median(steps)
    step = statistics.mean(steps) if max(steps) < 1.75 * median else median
    for rate in (stated, 2 * stated):  # H.264 field pairs come in a packet each
        if abs(rate * step - 1) < 0.005:
            return stated
    return 1 / step


@dataclass(slots=True)
class Damage:
    """Damage in the part of a video that was read: the number of damaged source frames, and how
    many of these are the last ones.
    """

    frames: int = 0
    at_end: int = 0

    def counted(self, frames: Iterable[SourceFrame]) -> Iterator[SourceFrame]:
        """The same frames; damaged ones are counted."""
        for frame in frames:
            self.at_end = self.at_end + 1 if frame.decoded is None else 0
            self.frames += frame.decoded is None
            yield frame


@dataclass(frozen=True, slots=True)
class SeekPoint:
    """A place in the middle of a file at which decoding may begin."""

    origin: float  # s, timestamp of the video's first frame
    offset: int  # where to seek, in the stream's time base, or byte
    first: float  # s, timestamp of the first frame to use
    index: int  # its number in the video
    by_bytes: bool = False


def all_frames(
    path: str | Path, start: float = 0.0, reading: Reading = AS_STATED
) -> Iterator[SourceFrame]:
    """All frames of the video in order of time, damaged ones too, beginning before `start` (s from
    the first frame). Memory holds a dozen frames.

    Raises:
        VideoError: the file cannot be opened as a video.
    """
    yield from frames_from(
        path, _find_seek_point(path, start) if start >= SEEK_FROM else None, reading
    )


def frames_from(
    path: str | Path,
    seek_point: SeekPoint | None,
    reading: Reading = AS_STATED,
    opened: tuple[InputContainer, VideoStream] | None = None,
) -> Generator[SourceFrame, None, None]:
    """All frames of the video from a seek point on, damaged ones too; None: from its beginning.

    Args:
        path: of the video.
        seek_point: in it.
        reading: how it is read.
        opened: the video, where it is open already; it stays so.

    Raises:
        VideoError: the file cannot be opened as a video.
    """
    scan = scan_fields(path) if reading.fields != "off" else None
    with open_video(path) if opened is None else nullcontext(opened) as (container, stream):
        if seek_point is None:
            origin, index, first = None, 0, -math.inf
        else:
            origin, index, first = seek_point.origin, seek_point.index, seek_point.first
            container.seek(
                seek_point.offset, stream=stream, unsupported_byte_offset=seek_point.by_bytes
            )
        frames = (
            timed for timed in in_order(container, stream, reading.aspect) if timed.time >= first
        )
        yield from deinterlaced(numbered(frames, origin, index), scan, reading.fields)


def source_frames(
    path: str | Path,
    start: float = 0.0,
    damage: Damage | None = None,
    reading: Reading = AS_STATED,
    *,
    damaged: bool = False,
) -> Iterator[SourceFrame]:
    """The whole frames of `all_frames`, and where `damaged` is set the damaged ones in their
    places; these are counted in `damage`.

    Raises:
        VideoError: the file cannot be opened as a video.
    """
    for frame in (damage or Damage()).counted(all_frames(path, start, reading)):
        if damaged or frame.decoded is not None:
            yield frame


def first_time(path: str | Path) -> float | None:
    """Timestamp of the video's first frame on the file's own clock, s; None where it has none.

    Raises:
        VideoError: the file cannot be opened as a video.
    """
    with open_video(path) as (container, stream):
        return next((timed.time for timed in in_order(container, stream)), None)


def _find_seek_point(path: str | Path, start: float) -> SeekPoint | None:
    """Where to seek for the frames from `start` on; None where the file must be decoded from its
    beginning.

    A seek goes where the file's index points, which may be too late, and the first frames after it
    may be predicted from frames that were not read. So: seek two seconds early, drop the first
    second, and require of the second one that each frame decodes whole and has exactly the time
    that its packet states. The packets are counted from the beginning without being decoded, and
    that count is the frame's number.
    """
    origin = first_time(path)
    if origin is None:
        return None
    target = origin + start
    with open_video(path) as (container, stream):
        kind = "dts" if shown_by_dts(container, stream) else "pts"
        packet_times = _packet_times(container, stream, kind, origin, target + 1)
    times = [seconds for seconds, _ in packet_times]
    if len(set(times)) < len(times):
        return None
    try:
        with open_video(path) as (container, stream):
            offset = round((target - 2) / float(stream.time_base or 1))
            container.seek(offset, stream=stream)
            packet = next(
                (packet for packet in sized(container, stream) if packet.pos is not None), None
            )
            if packet is None or (timestamp(packet, kind), packet.pos) not in packet_times:
                # the same times come twice in joined recordings: this is another segment
                return None
        # H.264 field pairs come in a packet each: every other one begins a frame
        for each in (1, 2):
            with open_video(path) as (container, stream):
                # opened again: where a seek lands may depend on what was read before
                container.seek(offset, stream=stream)
                frames = in_order(container, stream)
                found = _verified_seek_point(frames, times[::each], origin, target, offset)
            if found is not None:
                return found
    except av.error.FFmpegError:
        pass
    return None


def _verified_seek_point(
    frames: Iterator[Timed[Decoded | None]],
    times: list[float],
    origin: float,
    target: float,
    offset: int,
) -> SeekPoint | None:
    """The seek point, if each frame in the second before `target` is whole and is the next of
    `times`; else None.
    """
    begin = next((timed.time for timed in frames), math.inf)
    if begin >= target - 1:
        return None
    seek_point = None
    index = bisect_left(times, target - 1)
    for timed in frames:
        if timed.time < target - 1:
            continue
        if timed.content is None or times[index : index + 1] != [timed.time]:
            return None
        seek_point = seek_point or SeekPoint(origin, offset, timed.time, index)
        if timed.time >= target:
            return seek_point
        index += 1
    return None


def sized(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """The packets that hold something to show."""
    packets = demuxed(container, stream)
    return (packet for packet in packets if packet.size and not packet.is_discard)


def _packet_times(
    container: InputContainer, stream: VideoStream, kind: str, begin: float, end: float
) -> list[tuple[float, int | None]]:
    """(time stamp in s, byte position) of the packets from `begin` to `end`, sorted by time; empty
    where a packet has no time stamp.

    Args:
        container, stream: to read.
        kind: "pts" or "dts".
        begin, end: s.
    """
    packets: list[tuple[float, int | None]] = []
    try:
        for packet in sized(container, stream):
            stamp, decoding = timestamp(packet, kind), timestamp(packet, "dts")
            if stamp is None:
                return []
            packets.append((stamp, packet.pos))
            if decoding is not None and decoding > end:
                break
    except av.error.FFmpegError:
        return []
    return sorted(
        (packet for packet in packets if packet[0] >= begin), key=lambda packet: packet[0]
    )
