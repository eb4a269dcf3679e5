"""Opening a video file: one clear error for whatever is no video, and the stream that matters."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from semiology.errors import UserError

THREADS = 2  # nearly all that more threads gain for one file; clips run in parallel anyway

NOTHING_DECODES = "no frame of it can be decoded: the file is damaged or cut off; copy it again from its source"


class VideoError(UserError):
    """A video that cannot be read. `fault` is the message without the path, for places where a file's name must not appear."""

    def __init__(self, path: str | Path, fault: str):
        super().__init__(path, fault)
        self.fault = fault

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.fault}"


@contextmanager
def open_video(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The opened file and its video stream."""
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
        container = av.open(f"file:{path}", mode="r", metadata_errors="replace")  # "file:": a name with a colon is no network address
    except av.error.FFmpegError as error:
        raise VideoError(path, f"cannot be opened as a video ({error.strerror}); it is cut off, damaged or of another kind") from error
    with container:
        yield container, video_stream(container, path)


def video_stream(container: InputContainer, name: str | Path) -> VideoStream:
    """The best video stream of an opened container, which is called `name` in errors; cover art does not count as video."""
    if container.format.name in ("tty", "image2") or container.format.name.endswith("_pipe"):  # FFmpeg also plays text and pictures
        raise VideoError(name, "is a text or a single picture, not a video")
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [stream for stream in container.streams.video if not stream.disposition & still]
    if not streams:
        raise VideoError(name, "holds no video stream (sound only?); name a video")
    streams = [stream for stream in streams if stream.codec_context is not None]
    if not streams:
        raise VideoError(name, "is encoded in a way that FFmpeg does not know; convert it")
    best = container.streams.best("video")
    stream = next((stream for stream in streams if best is not None and stream.index == best.index), streams[0])
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = THREADS
    return stream


def header_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Length in seconds by the header, None where it gives none."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None
