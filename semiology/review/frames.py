"""Frames of clips as JPEG, for a page: any frame by its number, soon, out of a bounded memory.

A frame is decoded, turned upright into square pixels as it was for tracking, and encoded. Decoded
frames and JPEGs stay in memory up to a limit, the least used go first; nothing is written to disk.
A thread decodes ahead in the direction of play. Frames before one are decoded together, from the
key frame on, and kept.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from PIL import Image

from semiology.errors import UserError
from semiology.video.access import open_index
from semiology.video.decode import (
    AS_STATED,
    NOTHING_DECODES,
    Reading,
    SourceFrame,
    VideoError,
    in_order,
    open_video,
)
from semiology.video.image import Converter
from semiology.video.recording import Recording, first_file, header_length
from semiology.video.resample import TIE, FrameConverter
from semiology.video.timestamps import DEFAULT_PERIOD

# bytes of decoded frames and JPEGs in memory. [our choice]
MEMORY = 256 * 2**20
OPEN = 4  # clips open at a time
QUALITY = 85  # of JPEG, at which 8 x 8 blocks are not seen
# frames decoded ahead in the direction of play: over a second of a 25 Hz camera
AHEAD = 32
THUMBNAILS, THUMBNAIL_HEIGHT = 8, 96
# frames before a damaged one among which a whole one is looked for: ten seconds
LAST_WHOLE = 250
DARKER = 3  # what is shown for a damaged frame is divided by


@dataclass(frozen=True)
class ClipVideo:
    """What a clip shows.

    Attributes:
        clip_id: of the clip.
        source: the video or recording that it is cut from.
        start, end: s of the source; None: to its end.
        reading: as its tracks' frames were read.
    """

    clip_id: str
    source: str | Path | Recording
    start: float = 0.0
    end: float | None = None
    reading: Reading = AS_STATED


class Shown(NamedTuple):
    """A frame to show; a damaged one is the last whole frame before it, darkened."""

    jpeg: bytes
    damaged: bool


class Frames:
    """Frames of clips, by the numbers that tracks call `source_index`. All methods may be called by
    several threads.

    Args:
        memory: bytes that decoded frames and JPEGs may take together.
    """

    def __init__(self, memory: int = MEMORY):
        self._kept = _Kept(memory)
        self._lock = threading.Lock()
        self._open: OrderedDict[ClipVideo, _OpenClip] = OrderedDict()

    def numbers(self, clip: ClipVideo) -> np.ndarray:
        """(frames,) int64: numbers of the clip's frames, ascending; waits until all are known.

        Raises:
            VideoError: the video cannot be read, or ends before the clip starts.
        """
        with self._using(clip) as opened:
            return opened.table[0]

    def times(self, clip: ClipVideo) -> np.ndarray:
        """(frames,) float64: times of the clip's frames, s from its start, one for each number.

        Raises:
            VideoError: the video cannot be read, or ends before the clip starts.
        """
        with self._using(clip) as opened:
            return opened.table[1]

    def size(self, clip: ClipVideo) -> tuple[int, int]:
        """Width and height of the clip's frames, px, upright and in square pixels.

        Raises:
            VideoError: the video cannot be read, or no frame of it decodes.
        """
        with self._using(clip) as opened:
            return opened.size

    def jpeg(
        self, clip: ClipVideo, number: int, toward: int = 0, height: int | None = None
    ) -> Shown:
        """A frame.

        Args:
            clip: whose frame.
            number: of the frame.
            toward: direction of play, 1 or -1; 0: it was jumped to.
            height: px, to which it is scaled down.

        Raises:
            UserError: the clip has no such frame.
            VideoError: the video cannot be read.
        """
        key = (clip, number, height)
        with self._using(clip) as opened:
            shown = self._kept.get(key)
            if shown is None:
                shown = opened.shown(number, toward, height)
                self._kept.put(key, shown, len(shown.jpeg))
            opened.prepare(number, toward)
            return shown

    def thumbnail(self, clip: ClipVideo, which: int) -> bytes:
        """A small JPEG of about the middle of one of eight even parts of the clip. The clip is not
        opened for it, no index is built.

        Raises:
            UserError: not a number from 0 to 7.
            VideoError: the video cannot be read.
        """
        if not 0 <= which < THUMBNAILS:
            raise UserError(f"there is no thumbnail {which}; they are 0 to {THUMBNAILS - 1}")
        key = (clip, "thumbnail", which)
        jpeg = self._kept.get(key)
        if jpeg is None:
            jpeg = encoded(_glimpse(clip, (which + 0.5) / THUMBNAILS), THUMBNAIL_HEIGHT)
            self._kept.put(key, jpeg, len(jpeg))
        return jpeg

    def close(self) -> None:
        """Close all clips, and forget their frames."""
        with self._lock:
            clips = list(self._open.values())
            self._open.clear()
        for each in clips:
            each.close()
        self._kept.clear()

    @contextmanager
    def _using(self, clip: ClipVideo) -> Iterator["_OpenClip"]:
        """An open clip; of those that nobody uses, the one used longest ago is closed."""
        with self._lock:
            if clip not in self._open:
                self._open[clip] = _OpenClip(clip, self._kept)
            self._open.move_to_end(clip)
            opened = self._open[clip]
            opened.users += 1
            idle = [each for each in self._open.values() if not each.users]
            closing = idle[: max(len(self._open) - OPEN, 0)]
            for each in closing:
                del self._open[each.clip]
        for each in closing:
            each.close()
        try:
            yield opened
        finally:
            with self._lock:
                opened.users -= 1


class _Kept:
    """Things in memory that take no more than a limit together; the least used go first."""

    def __init__(self, limit: int):
        self.limit, self.size = limit, 0
        self._things: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """What is kept, or None."""
        with self._lock:
            if key not in self._things:
                return None
            self._things.move_to_end(key)
            return self._things[key][0]

    def put(self, key: Hashable, thing: Any, size: int) -> None:
        """Keep something that takes `size` bytes."""
        with self._lock:
            _, before = self._things.pop(key, (None, 0))
            self.size -= before
            while self.size + size > self.limit and self._things:
                self.size -= self._things.popitem(last=False)[1][1]
            self._things[key] = (thing, size)
            self.size += size

    def clear(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._things.clear()
            self.size = 0


class _OpenClip:
    """A clip whose video is open.

    Args:
        clip: what to open.
        kept: where decoded frames are kept.
    """

    def __init__(self, clip: ClipVideo, kept: _Kept):
        self.clip, self.kept = clip, kept
        self.users = 0  # counted by `Frames`
        self.index = open_index(clip.source, clip.reading)
        self._table: tuple[np.ndarray, np.ndarray] | None = None
        self._converting, self._decoding = threading.Lock(), threading.Lock()
        self._make: FrameConverter | None = None
        self._change = threading.Condition()
        self._wanted: tuple[int, int] | None = None  # the frame shown last, and the direction
        self._waiting = 0  # requests for a decoder
        self._closed = False
        threading.Thread(target=self._work, daemon=True).start()

    @property
    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the frames, and their times from the clip's start; waits for the index."""
        if self._table is None:
            numbers, times = self.index.numbers, self.index.times
            start, end = self.clip.start, self.clip.end
            first = max(int(np.searchsorted(times, start + TIE, "right")) - 1, 0)
            last = len(times) if end is None else int(np.searchsorted(times, end - TIE))
            if start > times[-1] + DEFAULT_PERIOD or first >= last:
                ends = f"ends at {times[-1]:.2f} s, before the clip's start, {start:g} s"
                raise VideoError(self.clip.source, f"{ends}; correct the start")
            self._table = numbers[first:last], times[first:last] - start
        return self._table

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        with self._converting:
            height, width = (self._converter().shape or ())[:2]
            return width, height

    def shown(self, number: int, toward: int, height: int | None) -> Shown:
        """A frame, decoded and encoded."""
        if self.clip.start or self.clip.end is not None:
            numbers = self.table[0]
            place = int(np.searchsorted(numbers, number))
            if place == len(numbers) or numbers[place] != number:
                raise UserError(f"clip {self.clip.clip_id}: has no frame {number}")
        with self._change:
            self._waiting += 1
        try:
            frame = self._decoded(number, toward)
            damaged = frame.decoded is None
            if damaged:
                frame = self._last_whole(number)
        finally:
            with self._change:
                self._waiting -= 1
                self._change.notify_all()
        with self._converting:
            make = self._converter()
            image = (
                np.zeros(make.shape or (), np.uint8) if frame.decoded is None else make.image(frame)
            )
        return Shown(encoded(image // DARKER if damaged else image, height), damaged)

    def prepare(self, number: int, toward: int) -> None:
        """Decode what is likely to be wanted after this frame."""
        with self._change:
            self._wanted = (number, toward)
            self._change.notify_all()

    def close(self) -> None:
        """Close the video; its frames may still be kept."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        self.index.close()

    def _converter(self) -> "FrameConverter":
        """What makes all frames as large as the clip's first whole one."""
        if self._make is None:
            first = int(self.table[0][0]) if self.clip.start else self.index.first
            make = FrameConverter(self.clip.source, 1.0)
            for number in count(first):
                with self._decoding:
                    frame = self.index.frame(number)
                if frame.decoded is not None:
                    make.image(frame)
                    break
            self._make = make
        return self._make

    def _decoded(self, number: int, toward: int) -> SourceFrame:
        """A frame; unless in play forward, with those before it that are decoded on the way."""
        frame = self.kept.get((self.clip, number))
        if frame is not None:
            return frame
        with self._decoding:
            begin = number
            if toward <= 0:
                begin = max(number - AHEAD + 1, self.index.reached(number))
            for each in range(begin, number + 1):
                frame = self._kept_or_decoded(each)
            return frame

    def _kept_or_decoded(self, number: int) -> SourceFrame:
        frame = self.kept.get((self.clip, number))
        if frame is None:
            frame = self.index.frame(number)
            planes = frame.decoded.planes if frame.decoded is not None else ()
            size = sum(plane.buffer_size for plane in planes)
            self.kept.put((self.clip, number), frame, size)
        return frame

    def _last_whole(self, number: int) -> SourceFrame:
        """The last whole frame before a damaged one; else a damaged one."""
        for each in range(number - 1, max(number - LAST_WHOLE, self.index.first) - 1, -1):
            frame = self._decoded(each, 0)
            if frame.decoded is not None:
                return frame
        return self._decoded(number, 0)

    def _work(self) -> None:
        """The thread that decodes ahead."""
        while True:
            with self._change:
                self._change.wait_for(lambda: self._wanted is not None or self._closed)
                if self._closed or self._wanted is None:
                    return
                number, toward = self._wanted
                self._wanted = None
            with suppress(UserError):  # the video ends here; faults are told where one asks
                if toward >= 0:
                    self._ahead(number)
                else:
                    self._behind(number)

    def _ahead(self, number: int) -> None:
        for each in range(number + 1, number + AHEAD + 1):
            with self._change:
                self._change.wait_for(lambda: not self._waiting)
                if self._wanted is not None or self._closed:
                    return
            with self._decoding:
                self._kept_or_decoded(each)

    def _behind(self, number: int) -> None:
        """Half of those behind are there before these are wanted."""
        wanted = range(number - 1, max(number - AHEAD // 2, self.index.first) - 1, -1)
        last = next((each for each in wanted if self.kept.get((self.clip, each)) is None), None)
        if last is not None:
            self._decoded(last, -1)


def encoded(image: np.ndarray, height: int | None = None) -> bytes:
    """An image as JPEG.

    Args:
        image: (height, width, 3) uint8 RGB.
        height: px; a higher image is scaled down to it.
    """
    picture = Image.fromarray(image)
    if height is not None and height < picture.height:
        width = max(round(picture.width * height / picture.height), 1)
        picture = picture.resize((width, max(height, 1)), Image.Resampling.BILINEAR)
    target = BytesIO()
    picture.save(target, "JPEG", quality=QUALITY)
    return target.getvalue()


def _glimpse(clip: ClipVideo, share: float) -> np.ndarray:
    """About the frame at a share of the clip's length, by one seek: (height, width, 3) uint8."""
    end = header_length(clip.source) if clip.end is None else clip.end
    time = clip.start + share * max((end or 0.0) - clip.start, 0.0)
    path = first_file(clip.source, time)
    if isinstance(clip.source, Recording):
        time -= max(part.start for part in clip.source.parts if part.path == path)
    for second in (max(time, 0.0), None):  # where a seek finds nothing, from the beginning
        with open_video(path) as (container, stream), suppress(av.error.FFmpegError):
            if second is not None:
                container.seek(int(second * av.time_base) + (container.start_time or 0))
            for timed in in_order(container, stream, clip.reading.aspect):
                if timed.content is not None:
                    return Converter()(timed.content.frame, timed.content.pixel_aspect)
    raise VideoError(path, NOTHING_DECODES)
