"""Open a video file and decode its packets: whole frames in order of time, damaged ones marked.

A file that is no video gives one clear `VideoError`. Frame times come from the frames themselves;
what the header says of counts, rate and duration is not used. `Converter` turns a decoded frame
into an upright RGB array.
"""

import heapq
import itertools
import math
import os
import statistics
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from semiology.errors import UserError

# decoded frames held back: late timestamps are put in order, and the frame interval is known on
# both sides
LOOK_AHEAD = 8
# s; a timestamp that falls back by more starts a new segment (joined recordings), it is not a late
# frame
JUMP_BACK = 1.0
DEFAULT_PERIOD = 0.04  # s; interval of a video that has one frame only
THREADS = 2  # nearly all that more threads gain for one file; clips run in parallel anyway
NOTHING_DECODES = (
    "no frame of it can be decoded: the file is damaged or cut off; copy it again from its source"
)


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
            f"file:{path}", mode="r", metadata_errors="replace"
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
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [stream for stream in container.streams.video if not stream.disposition & still]
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
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = THREADS
    return stream


def header_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Length in seconds by the header, None where it gives none."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


def in_order(
    container: InputContainer, stream: VideoStream
) -> Iterator[tuple[float, float, VideoFrame | None]]:
    """Frames in order of time: timestamp in seconds, median interval of the 16 frames around it in
    seconds, decoded frame (None where damaged).

    A frame without a timestamp follows its predecessor by one interval. A timestamp that falls back
    by more than `JUMP_BACK` belongs to a recording that was joined on: its times go on where the
    first ended. MPEG-1/2 packs time only some frames, and what FFmpeg infers for the others may
    fall back by a frame or two, while the decoder's order is certain: there such a frame follows
    its predecessor too.
    """
    order_is_certain = stream.codec_context.name in ("mpeg1video", "mpeg2video")
    held: list[tuple[float, int, VideoFrame | None]] = []
    past: deque[float] = deque(maxlen=LOOK_AHEAD)
    latest, shift = -math.inf, 0.0
    for count, (seconds, decoded) in enumerate(_decoded(container, stream)):
        if latest == -math.inf and decoded is None and seconds is None:
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
        heapq.heappush(held, (seconds, count, decoded))
        if len(held) > LOOK_AHEAD:
            yield _release(past, held)
    while held:
        yield _release(past, held)


def timestamp(unit: VideoFrame | Packet) -> float:
    """Presentation time in seconds of a frame or packet that has one."""
    assert unit.pts is not None and unit.time_base is not None
    return float(unit.pts * unit.time_base)


def _decoded(
    container: InputContainer, stream: VideoStream
) -> Iterator[tuple[float | None, VideoFrame | None]]:
    """Frames as the decoder gives them, with their timestamp in seconds; a damaged frame keeps its
    place as None.

    Frames after a damaged one are predicted from it and carry its artefacts without being marked
    corrupt, so everything up to the next key frame counts as damaged.
    """
    packets = container.demux(stream)
    whole, ended = (
        True,
        False,
    )  # a file may begin between two key frames, with its references in packets that are not shown
    while not ended:
        try:
            packet = next(packets, None)
        except (
            av.error.FFmpegError
        ):  # the container is damaged here: what was read so far is still good
            packet = None
        ended = packet is None
        try:
            frames = stream.decode(packet)
        except av.error.EOFError:  # the decoder had been emptied before
            return
        except av.error.FFmpegError:
            whole = False
            yield None, None
            continue
        for decoded in frames:
            whole = (whole or decoded.key_frame) and not decoded.is_corrupt
            if (
                decoded.time_base is None
            ):  # what the decoder still held when the container broke off
                decoded.time_base = stream.time_base
            yield None if decoded.pts is None else timestamp(decoded), decoded if whole else None


def _release(
    past: deque[float], held: list[tuple[float, int, VideoFrame | None]]
) -> tuple[float, float, VideoFrame | None]:
    seconds, _, decoded = heapq.heappop(held)
    past.append(seconds)
    return seconds, _period(past, held), decoded


def _period(past: deque[float], held: list[tuple[float, int, VideoFrame | None]]) -> float:
    """Median interval in seconds of the frames just past and those held back."""
    times = sorted([*past, *(seconds for seconds, _, _ in held)])
    steps = [later - earlier for earlier, later in itertools.pairwise(times) if later > earlier]
    return statistics.median(steps) if steps else DEFAULT_PERIOD


class Converter:
    """Turns the decoded frames of one video into upright RGB arrays.

    One object serves the whole video, to save memory: a PyAV frame that converts itself starts
    threads of its own, and one whose side data was read refers to itself; both stay in memory until
    Python's garbage collector runs. So the display matrix is read once.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._matrix: tuple[float, tuple[int, int, int, int]] | None = (
            None  # the rotation that a frame states, and its display matrix
        )

    def __call__(
        self, decoded: VideoFrame, width: int | None = None, height: int | None = None
    ) -> np.ndarray:
        """The frame as (height, width, 3) uint8 RGB, turned upright (and mirrored) by its display
        matrix.

        With `width` and `height` (px, upright) it is scaled to that size in the same pass.
        """
        if self._matrix is None or self._matrix[0] != decoded.rotation:
            self._matrix = decoded.rotation, _matrix(decoded)
        a, b, c, d = self._matrix[1]
        turned = abs(b) > abs(a)
        if turned:
            width, height = height, width
        image = self._reformatter.reformat(decoded, width, height, "rgb24").to_ndarray()
        if turned:
            image = image.transpose(1, 0, 2)  # what is stored as y is shown as x
        flip_x, flip_y = (c < 0, b < 0) if turned else (a < 0, d < 0)
        if flip_x:
            image = image[:, ::-1]
        if flip_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


def rotation(decoded: VideoFrame) -> int:
    """Degrees clockwise by which the stored frame is turned to stand upright: 0, 90, 180 or 270."""
    a, b, _, _ = _matrix(decoded)
    return round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360


def _matrix(decoded: VideoFrame) -> tuple[int, int, int, int]:
    """The display matrix's a, b, c, d: shown x = a x + c y, shown y = b x + d y."""
    matrix: Any = decoded.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    return a, b, c, d
