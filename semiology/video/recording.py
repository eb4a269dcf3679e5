"""A recording of many files on one clock: its parts in order, each with its start.

Recorders cut a night into files of some minutes. Whatever reads a video reads a `Recording` too:
`source_frames` and `probe` here take either, and times then are seconds of the recording. One part
is open at a time.
"""

import logging
import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter

from semiology.errors import UserError
from semiology.video import fields, reader
from semiology.video.decode import (
    AS_STATED,
    Reading,
    SourceFrame,
    VideoError,
    header_duration,
    open_video,
)
from semiology.video.fields import Scan
from semiology.video.image import ratio
from semiology.video.reader import Damage, VideoInfo

# numbers of source frames that each part has for itself: more than a file of a day at 100 Hz has
PART_FRAMES = 10_000_000
# s; a longer hole within one file is a damaged timestamp. Between two parts it is a gap.
MAX_HOLE = 600.0
# s that are read before the requested start, so that the frame nearest to it may be in the part
# before
LEAD_IN = 1.0
COMPARED = 2.0  # s of an overlap whose frames are compared. [our choice]
# grey levels of 255, median over frames of the mean difference of 16 x 16 small images. Two real
# videos: the same frames encoded twice, H.264 and MPEG-1, differ by 0.3 to 0.7; a second later
# someone who walks by 1.7, who dances by 3.2; another room by 49. [our choice]
DIFFERENT = 3.0
SMALL = 16  # px, sides of these images
# s; less between a part's end by its header and the next one's start is rounding, neither gap nor
# overlap. [our choice]
ROUNDED = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """One file of a recording.

    Attributes:
        path: of the file.
        start: time of its first frame, s of the recording.
        number: its place in the recording, from 0.
    """

    path: Path
    start: float
    number: int


@dataclass(frozen=True)
class Recording:
    """Files in order of their starts, on one clock.

    A gap between two parts is a hole: no frame is moved. Where two overlap, the later is taken from
    its first frame on, so that any second is found without reading what is before it; a frame of
    the earlier less than half an interval before that is the same moment, and left out.
    Overlapping frames that differ are logged as a warning. [our choice]

    Frames are numbered by part: part p's frame n is p * 10,000,000 + n (`place`), so numbers rise
    through the recording and no file has to be counted to number another.

    Attributes:
        name: for messages; `str()` gives it.
        parts: one or more, their starts ascending.
        began: wall clock at second 0; None where only seconds are known.

    Raises:
        UserError: no part, starts that do not ascend.
    """

    name: str
    parts: tuple[Part, ...]
    began: datetime | None = None
    _starts: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.parts:
            raise UserError(f"recording {self.name}: has no part; name its files")
        for before, after in zip(self.parts, self.parts[1:]):
            if after.start <= before.start:
                raise UserError(
                    f"recording {self.name}: part {after.number + 1} starts at {after.start:g} s,"
                    f" not after part {before.number + 1} at {before.start:g} s; put them in the"
                    " order of their starts (two cameras are two recordings)"
                )
        object.__setattr__(self, "_starts", tuple(part.start for part in self.parts))

    def __str__(self) -> str:
        return self.name

    @property
    def stem(self) -> str:
        """Its name, as of a path without suffix."""
        return self.name

    def is_file(self) -> bool:
        """Whether every part is there, as of a path."""
        return all(part.path.is_file() for part in self.parts)

    def size(self) -> int:
        """Size of all parts together, in bytes."""
        return sum(part.path.stat().st_size for part in self.parts)

    def duration(self) -> float | None:
        """End of the last part by its header, s; None where it gives none.

        Raises:
            VideoError: it cannot be opened.
        """
        length = self._length(self.parts[-1])
        return None if length is None else self.parts[-1].start + length

    def place(self, source_index: int) -> tuple[Part, int]:
        """The part of a source frame by its number, and its number in that file.

        Raises:
            UserError: no part of this recording has such a frame.
        """
        number, index = divmod(source_index, PART_FRAMES)
        for part in self.parts:
            if part.number == number:
                return part, index
        raise UserError(f"recording {self.name}: has no frame {source_index}")

    def wall(self, seconds: float) -> datetime:
        """The wall clock at a second of the recording.

        Raises:
            UserError: it is not known, or beyond the calendar.
        """
        if self.began is None:
            raise UserError(
                f"recording {self.name}: its parts start at seconds, so the wall clock is not"
                " known; write date-times into recordings.tsv"
            )
        try:
            return self.began + timedelta(seconds=seconds)
        except (OverflowError, ValueError) as error:  # ValueError: NaN
            raise UserError(
                f"recording {self.name}: second {seconds:g} is on no calendar; correct the time"
            ) from error

    def over(self, start: float, end: float | None) -> "Recording":
        """The recording with those parts only that frames from `start` to `end` (s) may come from;
        their numbers and starts stay.
        """
        first = self._first(start)
        last = len(self.parts) if end is None else bisect_left(self._starts, end + LEAD_IN)
        return replace(self, parts=self.parts[first : max(last, first + 1)])

    def source_frames(
        self,
        start: float = 0.0,
        damage: Damage | None = None,
        reading: Reading = AS_STATED,
        *,
        report: Callable[[str], Any] = log.warning,
    ) -> Generator[SourceFrame, None, None]:
        """All frames in order of time, damaged ones in their places, beginning before `start` (s of
        the recording).

        Args:
            start, damage, reading: as in `reader.source_frames`.
            report: takes a line about two parts that overlap and differ.

        Raises:
            VideoError: a part cannot be opened as a video, or its times jump by more than ten
                minutes.
        """
        parts = self.parts[self._first(start) :]
        before: _Overlap | None = None  # with the part before
        for part, following in zip(parts, [*parts[1:], None]):
            until = math.inf if following is None else following.start
            overlap, latest = _Overlap(until), math.inf
            begin = max(start - LEAD_IN - part.start, 0.0)
            with closing(self._frames(part, begin, damage, reading)) as frames:
                for frame in frames:
                    time = part.start + frame.time
                    if time > latest + MAX_HOLE:
                        raise self._fault(
                            part,
                            f"its times jump from {latest:.2f} s to {time:.2f} s, which no"
                            " recording does; convert the file",
                        )
                    latest = time
                    whole = frame.decoded is not None
                    if before is not None and whole and not before.compare(time, frame):
                        self._tell(before, part, report)
                        before = None
                    if time < until - frame.period / 2:
                        number = part.number * PART_FRAMES + frame.index
                        yield replace(frame, time=time, index=number)
                    elif whole and not overlap.add(time, frame):
                        break
            if before is not None:
                self._tell(before, part, report)
            before = overlap if overlap.images else None

    def _tell(self, overlap: "_Overlap", part: Part, report: Callable[[str], Any]) -> None:
        """Report that a part differs from the one that it overlaps, if it does."""
        if overlap.difference > DIFFERENT:
            report(
                f"recording {self.name}: parts {part.number} and {part.number + 1} overlap at"
                f" {part.start:.2f} s and differ, by {overlap.difference:.0f} of 255 grey levels;"
                " correct their starts"
            )

    def check(self) -> tuple[list[str], list[str]]:
        """Open every part and compare overlapping ones.

        Returns:
            Faults (parts that cannot be opened, lie within another, overlap and differ), and notes
            (how many gaps and overlaps there are, whether parts are of several shapes), a line
            each.
        """
        faults: list[str] = []
        ends: list[float | None] = []
        shapes: Counter[str] = Counter()
        for part in self.parts:
            try:
                length = self._length(part)
                shapes[_shape(part.path)] += 1
                ends.append(None if length is None else part.start + length)
            except VideoError as error:
                faults.append(error.fault)
                ends.append(None)
        gaps, overlaps = [], []
        for index, (part, after) in enumerate(zip(self.parts, self.parts[1:])):
            end, after_end = ends[index], ends[index + 1]
            if end is None:
                continue
            if after_end is not None and end > after_end + ROUNDED:
                faults.append(
                    f"part {after.number + 1} lies within part {part.number + 1} by their headers;"
                    " correct its start, or leave it out"
                )
            elif end > after.start + ROUNDED:
                overlaps.append(end - after.start)
                if after_end is not None:
                    faults += replace(self, parts=(part, after))._differences()
            elif end < after.start - ROUNDED:
                gaps.append(after.start - end)
        notes = [_range(what, found) for what, found in (("gap", gaps), ("overlap", overlaps))]
        if len(shapes) > 1:
            counted = ", ".join(f"{shape} ({number})" for shape, number in shapes.most_common())
            notes.append(
                f"parts are stored as {counted}; a clip's frames are fitted into its first"
            )
        return faults, [note for note in notes if note]

    def _differences(self) -> list[str]:
        """A line where the second of two parts differs from the first; none where they agree."""
        lines: list[str] = []
        begin = self.parts[1].start
        try:
            with closing(self.source_frames(begin, report=lines.append)) as frames:
                for frame in frames:
                    if frame.time > begin + COMPARED + LEAD_IN:
                        break
        except VideoError as error:
            lines.append(error.fault)
        return lines

    def _first(self, start: float) -> int:
        """Index of the first part to read for frames from `start` on."""
        return max(bisect_right(self._starts, start - LEAD_IN) - 1, 0)

    def _frames(
        self, part: Part, begin: float, damage: Damage | None, reading: Reading
    ) -> Generator[SourceFrame, None, None]:
        try:
            yield from reader.source_frames(part.path, begin, damage, reading, damaged=True)
        except VideoError as error:
            raise self._fault(part, error.fault) from error

    def _length(self, part: Part) -> float | None:
        """Length of a part by its header, s."""
        try:
            return header_length(part.path)
        except VideoError as error:
            raise self._fault(part, error.fault) from error

    def _fault(self, part: Part, what: str) -> VideoError:
        return VideoError(self.name, f"part {part.number + 1}: {what}")


def _range(what: str, found: list[float]) -> str:
    """How many gaps or overlaps (s) there are and how long; empty where there is none."""
    if not found:
        return ""
    longest = f" to {max(found):.2f}" if len(found) > 1 else ""
    plural = "s" if len(found) > 1 else ""
    return f"{len(found)} {what}{plural} of {min(found):.2f}{longest} s by the headers"


class _Overlap:
    """Small images of a part's frames after the next one's start, to compare with the next one's.

    Args:
        start: where the next part starts, s.
    """

    def __init__(self, start: float):
        self.start, self.images = start, list[tuple[float, np.ndarray]]()
        self._differences: list[float] = []
        self._reformatter = VideoReformatter()

    def add(self, time: float, frame: SourceFrame) -> bool:
        """Keep a frame of the earlier part; False where it is too late to be compared."""
        inside = time < self.start + COMPARED
        if inside:
            self.images.append((time, self._small(frame)))
        return inside

    def compare(self, time: float, frame: SourceFrame) -> bool:
        """Compare a frame of the later part with the nearest; False where it is too late."""
        nearest, image = min(self.images, key=lambda each: abs(each[0] - time))
        if abs(nearest - time) <= frame.period / 2:
            self._differences.append(float(np.abs(image - self._small(frame)).mean()))
        return time < self.start + COMPARED

    @property
    def difference(self) -> float:
        """Grey levels, median over the frames; 0 where no two were at one time."""
        return median(self._differences) if self._differences else 0.0

    def _small(self, frame: SourceFrame) -> np.ndarray:
        assert frame.decoded is not None, "a damaged frame has no image"
        small = self._reformatter.reformat(frame.decoded, SMALL, SMALL, "gray")
        return small.to_ndarray().astype(np.float32)


def source_frames(
    source: str | Path | Recording,
    start: float = 0.0,
    damage: Damage | None = None,
    reading: Reading = AS_STATED,
) -> Iterator[SourceFrame]:
    """All frames of a file or a recording, damaged ones in their places, see
    `reader.source_frames` and `Recording.source_frames`.
    """
    if isinstance(source, Recording):
        return source.source_frames(start, damage, reading)
    return reader.source_frames(source, start, damage, reading, damaged=True)


def probe(source: str | Path | Recording, reading: Reading = AS_STATED) -> VideoInfo:
    """`reader.probe` of a file; of a recording that of its first part, with the whole's duration.

    Raises:
        VideoError: the file, or the first or last part, cannot be opened as a video.
    """
    if isinstance(source, Recording):
        first = reader.probe(source.parts[0].path, reading)
        return replace(first, duration=source.duration())
    return reader.probe(source, reading)


def scan_fields(source: str | Path | Recording) -> Scan:
    """`fields.scan_fields` of a file, or of a recording's first part.

    Raises:
        VideoError: it cannot be opened as a video.
    """
    path = source.parts[0].path if isinstance(source, Recording) else source
    return fields.scan_fields(path)


def first_file(source: str | Path | Recording, start: float) -> str | Path:
    """The file that shows a clip's first frame: the video itself, or the part of a recording at
    `start` (s), which is not always the first that is read; in a gap the part after it.

    Raises:
        VideoError: the part cannot be opened as a video.
    """
    if not isinstance(source, Recording):
        return source
    index = max(bisect_right([part.start for part in source.parts], start) - 1, 0)
    part, after = source.parts[index], source.parts[index + 1 : index + 2]
    length = header_length(part.path)
    return after[0].path if after and length and start >= part.start + length else part.path


def _shape(path: Path) -> str:
    """Size and pixels of a file by its header, "352x576 pixels of 24:11"."""
    with open_video(path) as (_, stream):
        size = f"{stream.codec_context.width}x{stream.codec_context.height}"
        return f"{size} pixels of {ratio(stream.sample_aspect_ratio or Fraction(1))}"


def header_length(source: str | Path | Recording) -> float | None:
    """Length by the header, s, without decoding a frame; None where it gives none.

    Raises:
        VideoError: the file, or the last part, cannot be opened as a video.
    """
    if isinstance(source, Recording):
        return source.duration()
    with open_video(source) as (container, stream):
        return header_duration(container, stream)
