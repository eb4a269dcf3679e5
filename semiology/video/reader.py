"""The source frames of a video from some time on, each with its place; found by seeking only where that can be trusted."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from semiology.video.container import open_video
from semiology.video.decode import in_order, timestamp

SEEK_FROM = 30.0  # s; a clip that starts earlier is reached by decoding from the beginning, which needs no trust in the file's index


@dataclass(frozen=True, slots=True)
class SourceFrame:
    time: float  # s from the video's first frame
    index: int  # place in presentation order, 0 for the first frame; damaged frames keep their place
    period: float  # s; median interval of the frames around this one
    picture: VideoFrame


@dataclass(slots=True)
class Damage:
    """What was damaged in a video, as far as it was read: how many source frames, and whether the last one is among them."""

    frames: int = 0
    at_end: bool = False


def source_frames(path: str | Path, start: float = 0.0, damage: Damage | None = None) -> Iterator[SourceFrame]:
    """All whole frames of the video by time, beginning before `start` (s from the first frame). Memory holds a dozen frames.

    Damaged frames keep their place in the count and are noted in `damage`.
    """
    landing = _landing(path, start) if start >= SEEK_FROM else None
    with open_video(path) as (container, stream):
        if landing is None:
            origin, index, first = None, 0, -math.inf
        else:
            origin, index, first = landing.origin, landing.index, landing.first
            container.seek(landing.offset, stream=stream)
        frames = ((seconds, period, picture) for seconds, period, picture in in_order(container, stream) if seconds >= first)
        yield from placed(frames, origin, index, damage)


def placed(
    frames: Iterable[tuple[float, float, VideoFrame | None]], origin: float | None = None, index: int = 0, damage: Damage | None = None
) -> Iterator[SourceFrame]:
    """Frames as `in_order` gives them, each with its place: `origin` (s) is the timestamp of the video's first frame, by default of these.

    `index` is the place of the first of these.
    """
    damage = Damage() if damage is None else damage
    for number, (seconds, period, picture) in enumerate(frames, index):
        origin = seconds if origin is None else origin
        damage.at_end = picture is None
        if picture is None:
            damage.frames += 1
        else:
            yield SourceFrame(seconds - origin, number, period, picture)


@dataclass(frozen=True, slots=True)
class _Landing:
    """Where decoding may begin in the middle of a file."""

    origin: float  # s, timestamp of the video's first frame
    offset: int  # where to seek, in the stream's time base
    first: float  # s, timestamp of the first frame to use
    index: int  # its place in the video


def _landing(path: str | Path, start: float) -> _Landing | None:
    """Where to seek for the frames from `start` on; None where the file must be decoded from its beginning.

    A seek lands where the file's index says, which may be too late, and the first frames after it may be built on frames that were not
    read. So: seek two seconds early, drop the first second, and demand of the second one that each frame decodes whole and has exactly the
    time that the packets announce. Those are counted from the beginning without being decoded, and that count is the frame's place.
    """
    with open_video(path) as (container, stream):
        origin = next((seconds for seconds, _, _ in in_order(container, stream)), None)
    if origin is None:
        return None
    target = origin + start
    with open_video(path) as (container, stream):
        announced = _announced(container, stream, origin, target + 1)
    times = [seconds for seconds, _ in announced]
    if len(set(times)) < len(times):
        return None
    try:
        with open_video(path) as (container, stream):
            offset = round((target - 2) / float(stream.time_base or 1))
            container.seek(offset, stream=stream)
            packet = next((packet for packet in container.demux(stream) if packet.pts is not None and packet.pos is not None), None)
            if packet is None or (timestamp(packet), packet.pos) not in announced:
                return None  # the same times come twice in joined recordings: this is another segment
        with open_video(path) as (container, stream):  # opened anew: where a seek lands may depend on what was read before
            container.seek(offset, stream=stream)
            return _checked(in_order(container, stream), times, origin, target, offset)
    except av.error.FFmpegError:
        return None


def _checked(
    frames: Iterator[tuple[float, float, VideoFrame | None]], times: list[float], origin: float, target: float, offset: int
) -> _Landing | None:
    """The landing, if each frame in the second before `target` is whole and the next of `times`."""
    begin = next((seconds for seconds, _, _ in frames), math.inf)
    if begin >= target - 1:
        return None
    landing = None
    index = bisect_left(times, target - 1)
    for seconds, _, picture in frames:
        if seconds < target - 1:
            continue
        if picture is None or times[index : index + 1] != [seconds]:
            return None
        landing = landing or _Landing(origin, offset, seconds, index)
        if seconds >= target:
            return landing
        index += 1
    return None


def _announced(container: InputContainer, stream: VideoStream, begin: float, end: float) -> list[tuple[float, int | None]]:
    """(timestamp in seconds, byte position) of the packets from `begin` to `end`, sorted by time; empty where a packet has no timestamp."""
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
    return sorted((packet for packet in packets if packet[0] >= begin), key=lambda packet: packet[0])
