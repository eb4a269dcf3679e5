"""The source frames of a video from a given time on, each with its number; and what a video is.

Frames in the middle of a file are reached by seeking only where the file's index can be trusted.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from semiology.video.decode import (
    NOTHING_DECODES,
    Converter,
    VideoError,
    header_duration,
    in_order,
    open_video,
    rotation,
    timestamp,
)

# s; a clip that starts earlier is reached by decoding from the beginning, which needs no trust in
# the file's index
SEEK_FROM = 30.0


@dataclass(frozen=True)
class VideoInfo:
    """What a video is: size, rotation and start from its frames, the rest from its header, where
    that is plausible.
    """

    width: int  # px, after rotation
    height: int  # px, after rotation
    fps: float | None  # Hz; None where the header gives none or an absurd one
    start: (
        float  # s, timestamp of the first frame; every other time in this package counts from there
    )
    duration: float | None  # s; None where the header gives none
    # degrees clockwise by which the stored frame is turned to stand upright: 0, 90, 180 or 270
    rotation: int
    # width of a pixel over its height; not applied: the paper leaves resolutions unchanged [P]
    pixel_aspect: float
    codec: str
    container: str


def probe(path: str | Path) -> VideoInfo:
    """Open a video and decode its first whole frame.

    Raises:
        VideoError: the file is absent, empty, no video, or no frame of it decodes.
    """
    with open_video(path) as (container, stream):
        start = None
        for seconds, _, decoded in in_order(container, stream):
            start = seconds if start is None else start
            if decoded is not None:
                break
        else:
            raise VideoError(path, NOTHING_DECODES)
        height, width = Converter()(decoded).shape[:2]
        rate = float(stream.average_rate or 0)
        names = container.format.name.split(
            ","
        )  # "mov,mp4,m4a,...": one reader, several containers
        suffix = Path(path).suffix.lower().lstrip(".")
        return VideoInfo(
            width=width,
            height=height,
            fps=rate if 0.1 <= rate <= 1000 else None,
            start=start,
            duration=header_duration(container, stream),
            rotation=rotation(decoded),
            pixel_aspect=float(stream.sample_aspect_ratio or 1),
            codec=stream.codec_context.name,
            container=suffix if suffix in names else names[0],
        )


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """One whole frame of a video, as decoded.

    Attributes:
        time: s from the video's first frame.
        index: place in presentation order, 0 for the first frame; damaged frames keep their place.
        period: s; median interval of the frames around this one.
        decoded: the frame, not converted yet.
    """

    time: float
    index: int
    period: float
    decoded: VideoFrame


@dataclass(slots=True)
class Damage:
    """Damage in the part of a video that was read: the number of damaged source frames, and whether
    the last one is among them.
    """

    frames: int = 0
    at_end: bool = False


def source_frames(
    path: str | Path, start: float = 0.0, damage: Damage | None = None
) -> Iterator[SourceFrame]:
    """All whole frames of the video in order of time, beginning before `start` (s from the first
    frame). Memory holds a dozen frames.

    Damaged frames are counted in the numbering and recorded in `damage`.

    Raises:
        VideoError: the file cannot be opened as a video.
    """
    seek_point = _find_seek_point(path, start) if start >= SEEK_FROM else None
    with open_video(path) as (container, stream):
        if seek_point is None:
            origin, index, first = None, 0, -math.inf
        else:
            origin, index, first = seek_point.origin, seek_point.index, seek_point.first
            container.seek(seek_point.offset, stream=stream)
        frames = (
            (seconds, period, decoded)
            for seconds, period, decoded in in_order(container, stream)
            if seconds >= first
        )
        yield from numbered(frames, origin, index, damage)


def numbered(
    frames: Iterable[tuple[float, float, VideoFrame | None]],
    origin: float | None = None,
    index: int = 0,
    damage: Damage | None = None,
) -> Iterator[SourceFrame]:
    """Frames of `in_order`, numbered, with times counted from the video's first frame.

    Args:
        frames: timestamp (s), interval (s) and decoded frame, None where damaged.
        origin: timestamp of the video's first frame, s; by default that of the first of these.
        index: number in the video of the first of these.
        damage: takes the count of damaged frames.
    """
    damage = Damage() if damage is None else damage
    for number, (seconds, period, decoded) in enumerate(frames, index):
        origin = seconds if origin is None else origin
        damage.at_end = decoded is None
        if decoded is None:
            damage.frames += 1
        else:
            yield SourceFrame(seconds - origin, number, period, decoded)


@dataclass(frozen=True, slots=True)
class _SeekPoint:
    """A place in the middle of a file at which decoding may begin."""

    origin: float  # s, timestamp of the video's first frame
    offset: int  # where to seek, in the stream's time base
    first: float  # s, timestamp of the first frame to use
    index: int  # its number in the video


def _find_seek_point(path: str | Path, start: float) -> _SeekPoint | None:
    """Where to seek for the frames from `start` on; None where the file must be decoded from its
    beginning.

    A seek goes where the file's index points, which may be too late, and the first frames after it
    may be predicted from frames that were not read. So: seek two seconds early, drop the first
    second, and require of the second one that each frame decodes whole and has exactly the time
    that its packet states. The packets are counted from the beginning without being decoded, and
    that count is the frame's number.
    """
    with open_video(path) as (container, stream):
        origin = next((seconds for seconds, _, _ in in_order(container, stream)), None)
    if origin is None:
        return None
    target = origin + start
    with open_video(path) as (container, stream):
        packet_times = _packet_times(container, stream, origin, target + 1)
    times = [seconds for seconds, _ in packet_times]
    if len(set(times)) < len(times):
        return None
    try:
        with open_video(path) as (container, stream):
            offset = round((target - 2) / float(stream.time_base or 1))
            container.seek(offset, stream=stream)
            packet = next(
                (
                    packet
                    for packet in container.demux(stream)
                    if packet.pts is not None and packet.pos is not None
                ),
                None,
            )
            if packet is None or (timestamp(packet), packet.pos) not in packet_times:
                return (
                    None  # the same times come twice in joined recordings: this is another segment
                )
        with open_video(path) as (
            container,
            stream,
        ):  # opened again: where a seek lands may depend on what was read before
            container.seek(offset, stream=stream)
            return _verified_seek_point(in_order(container, stream), times, origin, target, offset)
    except av.error.FFmpegError:
        return None


def _verified_seek_point(
    frames: Iterator[tuple[float, float, VideoFrame | None]],
    times: list[float],
    origin: float,
    target: float,
    offset: int,
) -> _SeekPoint | None:
    """The seek point, if each frame in the second before `target` is whole and is the next of
    `times`; else None.
    """
    begin = next((seconds for seconds, _, _ in frames), math.inf)
    if begin >= target - 1:
        return None
    seek_point = None
    index = bisect_left(times, target - 1)
    for seconds, _, decoded in frames:
        if seconds < target - 1:
            continue
        if decoded is None or times[index : index + 1] != [seconds]:
            return None
        seek_point = seek_point or _SeekPoint(origin, offset, seconds, index)
        if seconds >= target:
            return seek_point
        index += 1
    return None


def _packet_times(
    container: InputContainer, stream: VideoStream, begin: float, end: float
) -> list[tuple[float, int | None]]:
    """(timestamp in seconds, byte position) of the packets from `begin` to `end`, sorted by time;
    empty where a packet has no timestamp.
    """
    packets: list[tuple[float, int | None]] = []
    try:
        for packet in container.demux(stream):
            if packet.size == 0 or packet.is_discard:
                continue
            if packet.pts is None:
                return []
            packets.append((timestamp(packet), packet.pos))
            if packet.dts is not None and packet.dts * packet.time_base > end:
                break
    except av.error.FFmpegError:
        return []
    return sorted(
        (packet for packet in packets if packet[0] >= begin), key=lambda packet: packet[0]
    )
