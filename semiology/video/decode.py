"""Packets to frames: damage noticed, order of time restored.

Times come from the frames themselves; what the header says of counts, rate and duration is not used.
"""

import heapq
import itertools
import math
import statistics
from collections import deque
from collections.abc import Iterator

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

LOOK_AHEAD = 8  # decoded frames held back: late timestamps are put in order, and the frame interval is known on both sides
JUMP_BACK = 1.0  # s; a timestamp that falls back by more starts a new segment (joined recordings), it is not a late frame
DEFAULT_PERIOD = 0.04  # s; interval of a video that has one frame only


def in_order(container: InputContainer, stream: VideoStream) -> Iterator[tuple[float, float, VideoFrame | None]]:
    """Frames in order of time: timestamp in seconds, median interval of the 16 frames around it in seconds, picture (None where damaged).

    A frame without a timestamp follows its predecessor by one interval. A timestamp that falls back by more than `JUMP_BACK` belongs to a
    recording that was joined on: its times go on where the first ended. MPEG-1/2 packs time only some frames, and what FFmpeg infers for
    the others may fall back by a frame or two, while the decoder's order is certain: there such a frame follows its predecessor too.
    """
    order_is_certain = stream.codec_context.name in ("mpeg1video", "mpeg2video")
    held: list[tuple[float, int, VideoFrame | None]] = []
    past: deque[float] = deque(maxlen=LOOK_AHEAD)
    latest, shift = -math.inf, 0.0
    for count, (seconds, picture) in enumerate(_decoded(container, stream)):
        if latest == -math.inf and picture is None and seconds is None:
            continue  # the first frame is the first that the decoder gives
        follow = latest + _period(past, held) if latest > -math.inf else 0.0
        if seconds is None:
            seconds = follow
        else:
            if seconds + shift < latest - JUMP_BACK:
                shift = follow - seconds
            seconds += shift
            if order_is_certain and seconds <= latest:
                seconds = follow
        latest = max(latest, seconds)
        heapq.heappush(held, (seconds, count, picture))
        if len(held) > LOOK_AHEAD:
            yield _release(past, held)
    while held:
        yield _release(past, held)


def timestamp(unit: VideoFrame | Packet) -> float:
    """Presentation time in seconds of a frame or packet that has one."""
    assert unit.pts is not None and unit.time_base is not None
    return float(unit.pts * unit.time_base)


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[tuple[float | None, VideoFrame | None]]:
    """Frames as the decoder gives them, with their timestamp in seconds; a damaged frame keeps its place as None.

    Frames after a damaged one are built on it and carry its smears without being marked, so the damage lasts until the next key frame.
    """
    packets = container.demux(stream)
    whole, ended = True, False  # a file may begin between two key frames, with its references in packets that are not shown
    while not ended:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:  # the container is damaged here: what was read so far is still good
            packet = None
        ended = packet is None
        try:
            pictures = stream.decode(packet)
        except av.error.EOFError:  # the decoder had been emptied before
            return
        except av.error.FFmpegError:
            whole = False
            yield None, None
            continue
        for picture in pictures:
            whole = (whole or picture.key_frame) and not picture.is_corrupt
            if picture.time_base is None:  # what the decoder still held when the container broke off
                picture.time_base = stream.time_base
            yield None if picture.pts is None else timestamp(picture), picture if whole else None


def _release(past: deque[float], held: list[tuple[float, int, VideoFrame | None]]) -> tuple[float, float, VideoFrame | None]:
    seconds, _, picture = heapq.heappop(held)
    past.append(seconds)
    return seconds, _period(past, held), picture


def _period(past: deque[float], held: list[tuple[float, int, VideoFrame | None]]) -> float:
    """Median interval in seconds of the frames just past and those held back."""
    times = sorted([*past, *(seconds for seconds, _, _ in held)])
    steps = [later - earlier for earlier, later in itertools.pairwise(times) if later > earlier]
    return statistics.median(steps) if steps else DEFAULT_PERIOD
