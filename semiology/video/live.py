"""Live video: a file that is still being written, or a camera. A thread reads, a bounded queue
holds the frames that wait.

Only `camera_frames` opens a network connection, and only to the address that it is given.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import av
from av.container import InputContainer

from semiology.errors import UserError
from semiology.video.decode import (
    ANY_METADATA,
    AS_STATED,
    Reading,
    SourceFrame,
    VideoError,
    in_order,
    numbered,
    video_stream,
)
from semiology.video.fields import deinterlaced
from semiology.video.prefetch import QUEUE_LENGTH, BoundedQueue
from semiology.video.reader import Damage
from semiology.video.timestamps import LOOK_AHEAD

SCHEMES = ("rtsp", "rtsps", "http", "https", "udp")
# a growing file is read through us; a playlist that calls itself a video may open nothing more
LOCAL_PROTOCOLS = "data"
# us of a stream that FFmpeg looks at before it says what it is; its own five seconds are long for a
# camera
PROBE_DURATION = "1000000"
# what a camera may make FFmpeg open: nothing on this disk
CAMERA_PROTOCOLS = "rtsp,rtsps,rtp,srtp,http,https,httpproxy,udp,tcp,tls"
FRONT_TO_BACK = ("mpegts", "mpeg", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2")
POLL_INTERVAL = 0.1  # s between looks at a file that grows


class LiveFrames:
    """Source frames read by a thread, as an iterator. `dropped` counts those that were dropped,
    `damage` those that were damaged.

    Args:
        read: gives the frames, in the thread; its error is raised where the frames are taken.
        timeout: s; a longer wait for a frame raises `Stalled`; None waits forever.
        drop: drop the oldest frame where the queue is full, else let the reader wait.
        limit: frames that the queue holds.
    """

    def __init__(
        self,
        read: Callable[[Damage], Iterator[SourceFrame]],
        timeout: float | None,
        drop: bool,
        limit: int = QUEUE_LENGTH,
    ):
        self.damage, self.timeout = Damage(), timeout
        self._read, self._queue = read, BoundedQueue(limit, drop)
        self._arrivals: deque[tuple[int, float]] = deque(maxlen=1024)
        self._released: deque[float] = deque(maxlen=LOOK_AHEAD)
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def dropped(self) -> int:
        """How many frames were dropped so far."""
        return self._queue.dropped

    def arrival(self, index: int) -> float | None:
        """When the source frame with that number was decoded, by `time.monotonic()`; None where
        that is more than 1024 frames ago.
        """
        return next((when for number, when in reversed(self._arrivals) if number == index), None)

    def __iter__(self) -> Iterator[SourceFrame]:
        self._thread.start()
        try:
            while (item := self._queue.get(self.timeout)) is not None:
                if isinstance(item, BaseException):
                    raise item
                assert isinstance(item, tuple)
                frame, arrival = item
                self._arrivals.append((frame.index, arrival))
                yield frame
        finally:
            self._queue.close()

    def _run(self) -> None:
        try:
            for frame in self._read(self.damage):
                # frames are held back to put late ones in order: this one was decoded when the one
                # so many before it was released
                arrival = (
                    self._released[0] if len(self._released) == LOOK_AHEAD else time.monotonic()
                )
                self._released.append(time.monotonic())
                if not self._queue.put((frame, arrival)):
                    return
            self._end(None)
        except UserError as error:
            self._end(error)
        except (av.error.FFmpegError, OSError) as error:
            self._end(UserError(f"the stream broke off: {error.strerror or error}"))
        except BaseException as error:  # any other: the consumer would wait forever
            self._end(error)

    def _end(self, why: BaseException | None) -> None:
        """Put the end, or the error, into the queue without dropping a frame for it."""
        self._queue.drop = False
        self._queue.put(why)


def camera_frames(url: str, stall: float, reading: Reading = AS_STATED) -> LiveFrames:
    """Frames of a camera or stream, the oldest dropped where processing is too slow.

    Args:
        url: rtsp, rtsps, http, https or udp.
        stall: s; nothing for so long raises `Stalled`.
        reading: how frames are read; of their fields, flags alone decide.

    Raises:
        UserError: another kind of address. When frames are taken: it cannot be reached, it holds no
            video.
    """
    check_url(url)

    def read(damage: Damage) -> Iterator[SourceFrame]:
        try:
            options = {"protocol_whitelist": CAMERA_PROTOCOLS, "analyzeduration": PROBE_DURATION}
            container = av.open(url, mode="r", timeout=(stall + 5, stall + 5), options=options)
        except av.error.FFmpegError as error:
            raise UserError(
                f"{without_credentials(url)}: cannot be opened ({error.strerror}); check"
                " address, user and password"
            ) from error
        with container:
            yield from _frames(container, without_credentials(url), damage, reading)

    return LiveFrames(read, stall, drop=True)


def check_url(url: str) -> None:
    """Check that an address is that of a camera or stream.

    Raises:
        UserError: another kind of address.
    """
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise UserError(
            f"{without_credentials(url)}: addresses of the kind {scheme}:// are not read; give"
            f" {', '.join(f'{s}://' for s in SCHEMES)}"
        )


def without_credentials(url: str) -> str:
    """The address without user and password, for messages and files."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def growing_frames(path: str | Path, timeout: float, reading: Reading = AS_STATED) -> LiveFrames:
    """Frames of a file that is still being written; it has ended when it has not grown for
    `timeout` s. No frame is dropped.

    Raises:
        VideoError: no such file. When frames are taken: not a format that can be read front to back
            (MPEG-TS, MPEG-PS, Matroska or WebM, fragmented MP4), no video in it.
    """
    path = Path(path)
    if not path.is_file():
        raise VideoError(path, "there is no such file; start the recording first")

    def read(damage: Damage) -> Iterator[SourceFrame]:
        with open(path, "rb", buffering=0) as stream:
            growing = GrowingFile(stream, timeout)
            _check_front_to_back(path, growing)
            stream.seek(0)
            try:
                container = av.open(
                    growing,
                    mode="r",
                    **ANY_METADATA,
                    options={"protocol_whitelist": LOCAL_PROTOCOLS},
                )
            except av.error.FFmpegError as error:
                raise VideoError(
                    path,
                    f"cannot be opened as a video ({error.strerror}); it is damaged or of another"
                    " kind",
                ) from error
            with container:
                if container.format.name not in FRONT_TO_BACK:
                    raise VideoError(
                        path,
                        f"a {container.format.name} file cannot be read while it grows; record"
                        " MPEG-TS or Matroska",
                    )
                yield from _frames(container, path, damage, reading)

    return LiveFrames(read, None, drop=False)


def _frames(
    container: InputContainer, name: str | Path, damage: Damage, reading: Reading
) -> Iterator[SourceFrame]:
    frames = numbered(in_order(container, video_stream(container, name), reading.aspect))
    return damage.counted(deinterlaced(frames, None, reading.fields))


class GrowingFile:
    """A file that is still being written, for FFmpeg to read front to back: at its end a read waits
    for more, up to `timeout` s; then the file has ended for good.
    """

    def __init__(self, stream, timeout: float):
        self._stream, self._timeout = stream, timeout
        self._ended = False

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none only at the end. Waits where there are none yet."""
        until = time.monotonic() + self._timeout
        while not self._ended:
            if content := self._stream.read(size):
                return content
            self._ended = time.monotonic() >= until
            time.sleep(min(POLL_INTERVAL, self._timeout))
        return b""


def _check_front_to_back(path: Path, stream: GrowingFile) -> None:
    """Refuse an MP4 whose index comes after its frames, at once: it has none while it is written.

    Raises:
        VideoError: such a file.
    """
    while len(head := _exactly(stream, 8)) == 8:
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind == b"mdat":
            raise VideoError(
                path,
                "an MP4 whose index comes last cannot be read while it grows; record fragmented"
                " MP4, MPEG-TS or Matroska",
            )
        if kind not in (b"ftyp", b"styp", b"free", b"skip", b"wide", b"uuid", b"sidx") or size < 8:
            return  # no MP4, or its index comes first
        _exactly(stream, size - 8)


def _exactly(stream: GrowingFile, size: int) -> bytes:
    content = b""
    while len(content) < size and (more := stream.read(size - len(content))):
        content += more
    return content
