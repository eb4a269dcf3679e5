"""Any frame of a video or a recording by its number: the same pixels at the same time as a reader
that decodes from the beginning gives.

A jump decodes from the key frame before. Each frame on the way must come at the time that the
packets state, or have the digest that it left when it was decoded in order (numbering.py). So a
damaged file gives a frame late, but never a wrong one.
"""

import math
import threading
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from semiology.errors import UserError
from semiology.video.decode import AS_STATED, Reading, SourceFrame, VideoError, open_video
from semiology.video.numbering import DAMAGED, FrameTable, Opened
from semiology.video.recording import PART_FRAMES, Part, Recording


class FrameIndex:
    """Frames of one file by their numbers. A thread builds the index; a frame can be had as soon as
    that has come to it. All methods may be called by several threads.

    Args:
        path: of the video.
        reading: as it was read when its frames got their numbers.
    """

    def __init__(self, path: str | Path, reading: Reading = AS_STATED):
        self.path, self.reading = path, reading
        self._table = FrameTable(path, reading)
        self._decoding = threading.RLock()
        self._frames: Generator[SourceFrame, None, None] | None = None  # the open decoder
        self._files = ExitStack()
        self._opened: Opened | None = None  # the file in which to jump
        self._next = 0  # place of the frame that it gives next

    @property
    def first(self) -> int:
        """Number of the first frame."""
        return 0

    @property
    def known(self) -> int:
        """How many frames can be had without waiting for the index."""
        return len(self._table.times)

    @property
    def finished(self) -> bool:
        """Whether the index is complete."""
        return self._table.finished

    @property
    def told_by_packets(self) -> int:
        """How many frames, from the first on, were numbered without decoding."""
        return self._table.exact

    @property
    def numbers(self) -> np.ndarray:
        """(frames,) int64: all frames' numbers, ascending; waits for the index.

        Raises:
            VideoError: the file cannot be read.
        """
        return self._table.whole().all_numbers()

    @property
    def times(self) -> np.ndarray:
        """(frames,) float64: all frames' times, s from the first; waits for the index.

        Raises:
            VideoError: the file cannot be read.
        """
        return np.array(self._table.whole().times)

    def period(self, number: int) -> float:
        """Median interval of the frames around one, s."""
        table = self._table
        return table.period(table.place(number))

    def frame(self, number: int) -> SourceFrame:
        """A frame; where it is damaged, without an image. Waits for the index to reach it.

        Raises:
            UserError: the video has no such frame.
            VideoError: the file cannot be read.
        """
        with self._decoding:
            table = self._table
            place = table.place(number)
            if table.digest(place) == DAMAGED:
                return SourceFrame(table.times[place], number, table.period(place), None)
            frame = self._advanced(place) or self._jumped(place)
            if frame is None and not table.trusted:
                raise VideoError(self.path, "changed while it was read; open it again")
            if frame is None:  # its packets lied: decode all, once
                self.close()
                self._table = FrameTable(self.path, self.reading, trusted=False)
                return self.frame(number)
            if frame.decoded is None:
                table.times[place] = frame.time
            return replace(frame, time=table.times[place], index=number)

    def reached(self, number: int) -> int:
        """Number of the first frame that decoding for this one comes upon, as far as that is
        known: those from there on cost little more.
        """
        table = self._table
        return min(table.reached(table.place(number)), number)

    def rest(self) -> None:
        """Close the decoder until the next frame is wanted."""
        with self._decoding:
            if self._frames is not None:
                self._frames.close()
            self._files.close()
            self._frames = self._opened = None

    def close(self) -> None:
        """Stop building the index, and close the file."""
        self._table.closed = True
        self.rest()

    def _advanced(self, place: int) -> SourceFrame | None:
        """The frame by decoding on, where that is no longer than from a key frame."""
        if self._frames is None or not self._table.reached(place) <= self._next <= place:
            return None
        for frame in self._frames:
            self._next += 1
            if not self._table.shows(self._next - 1, frame):
                return None
            if self._next > place:
                return frame
        return None

    def _jumped(self, place: int) -> SourceFrame | None:
        """The frame by decoding from a key frame before it, or from the beginning."""
        table = self._table
        if self._frames is not None:
            self._frames.close()
        for key in table.keys_before(place):
            if key is not None and self._opened is None:
                self._opened = self._files.enter_context(open_video(self.path))
            for early in table.earlier(key):
                # where a seek lands may depend on what was read before: then opened anew
                for opened in (self._opened, None) if key is not None else (None,):
                    if (found := table.found(key, early, place, opened)) is not None:
                        frame, self._frames = found
                        self._next = place + 1
                        return frame
        return None


class RecordingIndex:
    """Frames of a recording by their numbers, as `FrameIndex` gives those of a file; one part is
    open at a time.

    Args:
        recording: of many files.
        reading: as it was read when its frames got their numbers.
    """

    def __init__(self, recording: Recording, reading: Reading = AS_STATED):
        self.recording, self.reading = recording, reading
        self._lock = threading.Lock()
        self._indexes: dict[int, FrameIndex] = {}
        self._open: FrameIndex | None = None
        following = [part.start for part in recording.parts[1:]]
        self._ends = {
            part.number: end for part, end in zip(recording.parts, [*following, math.inf])
        }

    @property
    def first(self) -> int:
        """Number of the first frame."""
        return self.recording.parts[0].number * PART_FRAMES

    @property
    def finished(self) -> bool:
        """Whether the index of every part is complete."""
        return all(self._index(part).finished for part in self.recording.parts)

    @property
    def numbers(self) -> np.ndarray:
        """(frames,) int64: all frames' numbers, ascending; waits for all parts.

        Raises:
            VideoError: a part cannot be read.
        """
        return np.concatenate([numbers for numbers, _ in map(self._kept, self.recording.parts)])

    @property
    def times(self) -> np.ndarray:
        """(frames,) float64: all frames' times, s of the recording; waits for all parts.

        Raises:
            VideoError: a part cannot be read.
        """
        return np.concatenate([times for _, times in map(self._kept, self.recording.parts)])

    def frame(self, number: int) -> SourceFrame:
        """A frame; where it is damaged, without an image.

        Raises:
            UserError: the recording has no such frame.
            VideoError: a part cannot be read.
        """
        part, own = self.recording.place(number)
        index = self._index(part)
        with self._lock:
            if self._open is not None and self._open is not index:
                self._open.rest()
            self._open = index
        frame = index.frame(own)
        time = part.start + frame.time
        if time >= self._ends[part.number] - index.period(own) / 2:
            raise UserError(f"recording {self.recording.name}: has no frame {number}")
        return replace(frame, time=time, index=number)

    def reached(self, number: int) -> int:
        """As that of `FrameIndex`."""
        part, own = self.recording.place(number)
        return part.number * PART_FRAMES + self._index(part).reached(own)

    def close(self) -> None:
        """Stop building, and close all files."""
        with self._lock:
            for index in self._indexes.values():
                index.close()

    def _index(self, part: Part) -> FrameIndex:
        with self._lock:
            if part.number not in self._indexes:
                self._indexes[part.number] = FrameIndex(part.path, self.reading)
            return self._indexes[part.number]

    def _kept(self, part: Part) -> tuple[np.ndarray, np.ndarray]:
        """Numbers and times of a part's frames before the next part begins."""
        index = self._index(part)
        numbers, times = index.numbers, part.start + index.times
        kept = len(times)
        end = self._ends[part.number]
        while kept and times[kept - 1] >= end - index.period(int(numbers[kept - 1])) / 2:
            kept -= 1
        return part.number * PART_FRAMES + numbers[:kept], times[:kept]


def open_index(
    source: str | Path | Recording, reading: Reading = AS_STATED
) -> FrameIndex | RecordingIndex:
    """The index of a file or a recording; a thread begins to build it.

    Args:
        source: what is read.
        reading: as it was read when its frames got their numbers.
    """
    if isinstance(source, Recording):
        return RecordingIndex(source, reading)
    return FrameIndex(source, reading)
