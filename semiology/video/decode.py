"""A video file to its source frames: in presentation order, each with its time, its index and the frame interval around it.

What the header says (frame count, duration, rate) is shown by `probe` and believed nowhere else: times come from the frames themselves.
"""

import heapq
import math
import statistics
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from semiology.errors import UserError

LOOK_AHEAD = 8  # decoded frames held back: late timestamps are put in order, and the frame interval is known on both sides
JUMP_BACK = 1.0  # s; a timestamp that falls back by more starts a new segment (joined recordings), it is not a late frame
DEFAULT_PERIOD = 0.04  # s; interval of a video that has one frame only


class VideoError(UserError):
    """A video that cannot be read. `fault` is the message without the path, for places where a file's name must not appear."""

    def __init__(self, path: str | Path, fault: str):
        super().__init__(path, fault)
        self.fault = fault

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.fault}"


@dataclass(frozen=True)
class VideoInfo:
    """What a video is. Size, rotation and start come from its first frame, the rest from the header, as far as it can be believed."""

    width: int  # px, after rotation
    height: int  # px, after rotation
    fps: float | None  # Hz; None where the header gives none or an absurd one
    start: float  # s, timestamp of the first frame; every other time in this package counts from there
    duration: float | None  # s
    rotation: int  # degrees clockwise that were needed to show the picture upright: 0, 90, 180 or 270
    pixel_aspect: float  # width of a pixel over its height; not applied, the paper leaves resolutions unchanged [P]
    codec: str
    container: str


@dataclass(frozen=True, slots=True)
class SourceFrame:
    time: float  # s from the video's first frame
    index: int  # place in presentation order, 0 for the first frame; frames that are damaged keep their place
    period: float  # s; median interval of the frames around this one
    picture: VideoFrame


def probe(path: str | Path) -> VideoInfo:
    """Open a video and decode its first whole frame.

    Raises:
        VideoError: the file is absent, empty, no video, or no frame of it decodes.
    """
    with open_video(path) as (container, stream):
        first = next(_in_order(_decoded(container, stream)), None)
        if first is None:
            raise VideoError(path, NOTHING_DECODES)
        height, width = rgb(first.picture).shape[:2]
        rate = float(stream.average_rate or 0)
        names = container.format.name.split(",")  # "mov,mp4,m4a,...": one reader, several containers
        suffix = Path(path).suffix.lower().lstrip(".")
        return VideoInfo(
            width=width,
            height=height,
            fps=rate if 0.1 <= rate <= 1000 else None,
            start=float((first.picture.pts or 0) * first.picture.time_base),
            duration=header_duration(container, stream),
            rotation=_rotation(first.picture),
            pixel_aspect=float(stream.sample_aspect_ratio or 1),
            codec=stream.codec_context.name,
            container=suffix if suffix in names else names[0],
        )


NOTHING_DECODES = "holds a video stream, but no frame of it can be decoded; the file is damaged or cut off, copy it again from its source"


def header_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Length in seconds by the header, None where it gives none."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def source_frames(path: str | Path) -> Iterator[SourceFrame]:
    """All frames of the video that decode whole, by time. Memory holds `LOOK_AHEAD` frames and the decoder's own."""
    with open_video(path) as (container, stream):
        yield from _in_order(_decoded(container, stream))


@contextmanager
def open_video(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The opened file and its best video stream; cover art does not count as video."""
    path = Path(path)
    if not path.exists():
        raise VideoError(path, "there is no such file; check the path")
    if not path.is_file():
        raise VideoError(path, "is a folder, not a video; name the file in it")
    if path.stat().st_size == 0:
        raise VideoError(path, "is empty (0 bytes); copy it again from its source")
    try:
        container = av.open(f"file:{path}", metadata_errors="replace")  # "file:" so that a name with a colon is no network address
    except av.error.PermissionError as error:
        raise VideoError(path, "may not be read; change its permissions") from error
    except av.error.FFmpegError as error:
        raise VideoError(path, f"cannot be opened as a video ({error.strerror}); it is cut off, damaged or of another kind") from error
    with container:
        if container.format.name in ("tty", "image2") or container.format.name.endswith("_pipe"):  # FFmpeg also plays text and pictures
            raise VideoError(path, "is a text or a single picture, not a video")
        still = Disposition.attached_pic | Disposition.timed_thumbnails
        streams = [stream for stream in container.streams.video if not stream.disposition & still]
        if not streams:
            raise VideoError(path, "holds no video stream; it may be sound only")
        best = container.streams.best("video")
        stream = next((stream for stream in streams if best is not None and stream.index == best.index), streams[0])
        stream.thread_type = "AUTO"
        yield container, stream


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame | None]:
    """Frames as the decoder gives them; None keeps the place of a packet that could not be decoded."""
    packets = container.demux(stream)
    ended = False
    while not ended:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:  # the container itself is damaged here: what was read so far is still good
            packet = None
        ended = packet is None
        try:
            yield from stream.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            yield None


def _in_order(pictures: Iterator[VideoFrame | None]) -> Iterator[SourceFrame]:
    """Put frames in order of time, count them from 0, leave out the damaged ones.

    A frame without a timestamp follows its predecessor by one interval. A timestamp that falls back by more than `JUMP_BACK` belongs to a
    recording that was joined on: its times go on where the first ended.
    """
    held: list[tuple[float, int, VideoFrame | None]] = []
    past: deque[float] = deque(maxlen=LOOK_AHEAD)
    origin = latest = -math.inf
    shift = 0.0
    index = 0

    def pop() -> SourceFrame | None:
        nonlocal index
        time, _, picture = heapq.heappop(held)
        past.append(time)
        index += 1
        if picture is None or picture.is_corrupt:
            return None
        return SourceFrame(time - origin, index - 1, _period(past, held), picture)

    for order, picture in enumerate(pictures):
        if picture is None and not held and not past:
            continue  # nothing has been seen yet: the first frame is the first that the decoder gives
        if picture is None or picture.pts is None:
            seconds = latest + _period(past, held) if latest > -math.inf else 0.0
        else:
            seconds = float(picture.pts * picture.time_base) + shift
            if seconds < latest - JUMP_BACK:
                shift += latest + _period(past, held) - seconds
                seconds = latest + _period(past, held)
        latest = max(latest, seconds)
        heapq.heappush(held, (seconds, order, picture))
        if len(held) > LOOK_AHEAD:
            if origin == -math.inf:
                origin = held[0][0]
            if (frame := pop()) is not None:
                yield frame
    if origin == -math.inf and held:
        origin = held[0][0]
    while held:
        if (frame := pop()) is not None:
            yield frame


def _period(past: deque[float], held: list[tuple[float, int, VideoFrame | None]]) -> float:
    """Median interval in seconds of the frames just past and those held back."""
    times = sorted([*past, *(time for time, _, _ in held)])
    steps = [later - earlier for earlier, later in zip(times, times[1:]) if later > earlier]
    return statistics.median(steps) if steps else DEFAULT_PERIOD


def _matrix(picture: VideoFrame) -> tuple[int, int, int, int]:
    """Top left of the display matrix: shown x = a x + c y, shown y = b x + d y."""
    matrix = picture.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    return a, b, c, d


def _rotation(picture: VideoFrame) -> int:
    a, b, _, _ = _matrix(picture)
    return round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360


def rgb(picture: VideoFrame, width: int | None = None, height: int | None = None) -> np.ndarray:
    """The frame as (height, width, 3) uint8 RGB, turned upright as the display matrix says (mirrored too, where it mirrors)."""
    a, b, c, d = _matrix(picture)
    turned = abs(b) > abs(a)
    if turned:
        width, height = height, width
    image = picture.to_ndarray(format="rgb24", width=width, height=height)
    if turned:
        image = image.transpose(1, 0, 2)  # shown x is the stored y
    flip_x, flip_y = (c < 0, b < 0) if turned else (a < 0, d < 0)
    if flip_x:
        image = image[:, ::-1]
    if flip_y:
        image = image[::-1]
    return np.ascontiguousarray(image)
