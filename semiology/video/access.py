"""Any frame of a video or a recording by its number: the same pixels at the same time as a reader
that decodes from the beginning gives.

One pass over the packets, without decoding, gives each frame its number as far as packets alone can
tell it: one packet a frame, rising time stamps, nothing lost. A jump decodes from the key frame
before, and every frame must come at the time that the packets state. What follows the first place
that packets cannot tell (a loss, a repeated stamp, a joined recording), and the file's last frames,
are decoded once in order, which leaves a digest of each: a jump there is right where the pixels
are. So a damaged file gives a frame late, but never a wrong one. [our choice]
"""

import heapq
import math
import statistics
import threading
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from itertools import chain, dropwhile, islice, pairwise
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from semiology.errors import UserError
from semiology.video.decode import (
    AS_STATED,
    NOTHING_DECODES,
    Reading,
    SourceFrame,
    VideoError,
    demuxed,
    open_video,
    shown_by_dts,
)
from semiology.video.fields import scan_fields
from semiology.video.losses import DECODED_AHEAD, Losses
from semiology.video.reader import SeekPoint, first_time, frames_from
from semiology.video.recording import PART_FRAMES, Part, Recording
from semiology.video.timestamps import DEFAULT_PERIOD, JUMP_AHEAD, LOOK_AHEAD, timestamp

# codecs whose every packet is one frame or one field; others hide frames, or have empty packets
ONE_A_PACKET = {
    *("h264", "hevc", "av1", "mpeg4", "mpeg1video", "mpeg2video"),
    *("wmv1", "wmv2", "msmpeg4v2", "msmpeg4v3", "flv1"),
    *("mjpeg", "prores", "dvvideo", "ffv1", "huffyuv", "ffvhuff", "utvideo", "rawvideo"),
}
# a container that has times for some frames only: those that FFmpeg infers depend on where reading
# began
INFERRED = "mpeg"
# packets that come before their turn; twice what a decoder holds
REORDERED = 2 * DECODED_AHEAD
# frames after a key frame that are decoded and not shown: intervals, and fields, look at as many
# neighbours
LEAD = LOOK_AHEAD
# frames among which the second key frame must come, and frames after it that must look the same
# from there as from the beginning, before key frames are believed [our choice]
HEAD, COMPARED = 1000, 8
EARLY = 2.0  # s; how much earlier to seek where a seek came too late
EMPTY = 16  # bytes; smaller packets of MPEG-4 may hold no frame, where DivX packed two in one
DAMAGED = -1  # in the place of a digest
BATCH = 256  # packets whose times are given to waiting threads at once


# containers whose seeks find one place for each time stamp, whatever comes later in the file; of
# transport streams the byte is sought
INDEXED = ("mov", "matroska", "avi", "mpegts")
# where decoding times count, frames after a key frame's packet until it is surely shown: as many
# as H.264 and HEVC may reorder
SHOWN_LATER = 16
TICK = 1e-6  # s; less than any two frames are apart


_Opened = tuple[InputContainer, VideoStream]


@dataclass(frozen=True, slots=True)
class _Key:
    """A packet at which decoding may begin.

    Attributes:
        place: from which on its frames are shown, in the order of presentation; an estimate beyond
            what packets can tell.
        offset: where to seek, in the stream's time base or in bytes.
    """

    place: int
    offset: int


@dataclass(order=True, frozen=True, slots=True)
class _Packet:
    """What is kept of a packet.

    Attributes:
        stamp: its time stamp, s; NaN where it has none.
        count: packets before this one in the file.
        offset: of a key frame, where to seek for it; else None.
        trusted: whether the packets up to this one tell which frames there are.
    """

    stamp: float
    count: int
    offset: int | None
    trusted: bool = True


class FrameIndex:
    """Frames of one file by their numbers. A thread builds the index; a frame can be had as soon as
    that has come to it. All methods may be called by several threads.

    Args:
        path: of the video.
        reading: as it was read when its frames got their numbers.
    """

    def __init__(self, path: str | Path, reading: Reading = AS_STATED):
        self.path, self.reading = path, reading
        self._table = _Table(path, reading)
        self._decoding = threading.RLock()
        self._frames: Generator[SourceFrame, None, None] | None = None  # the open decoder
        self._files = ExitStack()
        self._opened: _Opened | None = None  # the file in which to jump
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
                self._table = _Table(self.path, self.reading, trusted=False)
                return self.frame(number)
            if frame.decoded is None:
                table.times[place] = frame.time
            return replace(frame, time=table.times[place], index=number)

    def reached(self, number: int) -> int:
        """Number of the first frame that decoding for this one comes upon, as far as that is
        known: those from there on cost little more.
        """
        table = self._table
        key = next(table.keys_before(table.place(number)))
        return 0 if key is None else min(key.place + LEAD, number)

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
        key = next(self._table.keys_before(place))
        begin = 0 if key is None else key.place
        if self._frames is None or not max(begin - LEAD, 0) <= self._next <= place:
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


class _Table:
    """What a thread learns of a file's frames: their times, their numbers, where decoding may
    begin, and from the place `exact` on a digest of each.

    Args:
        path, reading: as of `FrameIndex`.
        trusted: False: all is decoded, whatever the packets state.
    """

    def __init__(self, path: str | Path, reading: Reading, trusted: bool = True):
        self.path, self.reading, self.trusted = path, reading, trusted
        self.exact = 0  # places before this one are known by packets
        self.times, self._numbers, self._digests = array("d"), array("q"), array("q")
        self._keys: list[_Key] = []
        self._origin, self._ticks = 0.0, 1.0  # s; a second in the stream's time base
        self._by_bytes, self._later = False, 0
        self.finished = self.closed = False
        self._error: Exception | None = None
        self._change = threading.Condition()
        threading.Thread(target=self._build, daemon=True).start()

    # --- what is known ---

    def whole(self) -> "_Table":
        """Itself, when it is finished."""
        self._wait(math.inf)
        return self

    def all_numbers(self) -> np.ndarray:
        """Numbers of all frames so far."""
        return np.concatenate([np.arange(self.exact), np.array(self._numbers, np.int64)])

    def place(self, number: int) -> int:
        """Where a frame stands in the order of presentation; waits until that is known."""
        place = number
        while True:
            reached = self._wait(place)
            if 0 <= number < self.exact:
                return number
            found = bisect_left(self._numbers, number)
            if found < len(self._numbers) and self._numbers[found] == number:
                return self.exact + found
            later = bool(self._numbers) and self._numbers[-1] > number
            if number < 0 or later or not reached:
                raise UserError(f"{self.path}: has no frame {number}")
            place = len(self.times)

    def _wait(self, place: float) -> bool:
        """Wait until a place is known; whether the video has so many frames."""
        with self._change:
            self._change.wait_for(lambda: len(self.times) > place or self.finished)
            if self._error is not None:
                raise self._error
            return len(self.times) > place

    def digest(self, place: int) -> int | None:
        """Of the frame at a place; None where packets tell it."""
        return None if place < self.exact else self._digests[place - self.exact]

    def period(self, place: int) -> float:
        """Median interval of the 16 frames around, s."""
        around = self.times[max(place - LOOK_AHEAD + 1, 0) : place + LOOK_AHEAD + 1]
        return statistics.median([b - a for a, b in pairwise(around)] or [DEFAULT_PERIOD])

    def keys_before(self, place: int) -> Iterator[_Key | None]:
        """Where decoding of a frame may begin, the best first; None: at the file's beginning."""
        at = bisect_right(self._keys, place - LEAD, key=lambda key: key.place) - 1
        for back in (0, 1, 4, 16):
            if at - back > 0:
                yield self._keys[at - back]
        if place >= self.exact or at <= 0:
            yield None

    def earlier(self, key: _Key | None) -> tuple[float, ...]:
        """How much earlier than a key frame to seek, s, in turn."""
        return (0.0,) if key is None or self._by_bytes else (0.0, EARLY)

    def frames(
        self,
        key: _Key | None,
        early: float = 0.0,
        times: Sequence[float] | None = None,
        opened: _Opened | None = None,
    ) -> Generator[SourceFrame, None, None]:
        """Frames from a key frame on, numbered where its place is known; the seek goes `early` (s)
        before it.

        Args:
            key: None: from the beginning.
            early: s.
            times: known ones; by default those up to `exact`.
            opened: the file, where it is open already.
        """
        if key is None:
            return frames_from(self.path, None, self.reading)
        known, times = (self.exact, self.times) if times is None else (len(times), times)
        begin = self._origin + times[key.place] - TICK if key.place < known else -math.inf
        offset = key.offset - round(early * self._ticks)
        point = SeekPoint(self._origin, offset, begin, key.place, self._by_bytes)
        return frames_from(self.path, point, self.reading, opened)

    def found(
        self, key: _Key | None, early: float, place: int, opened: _Opened | None = None
    ) -> tuple[SourceFrame, Generator[SourceFrame, None, None]] | None:
        """The frame at a place and those after it, where decoding from this key frame leads to
        them; else None.
        """
        frames = self.frames(key, early, opened=opened)
        with suppress(av.error.FFmpegError):  # a seek that finds nothing
            for frame in self._sought(frames, key, place):
                return frame, frames
        frames.close()
        return None

    def _sought(
        self, frames: Iterator[SourceFrame], key: _Key | None, place: int
    ) -> Iterator[SourceFrame]:
        if key is not None and key.place >= self.exact:
            farthest, wanted = 2 * (place - key.place) + HEAD, self.digest(place)
            yield from (each for each in islice(frames, farthest) if digest(each) == wanted)
            return
        begin = 0 if key is None else key.place
        for at, frame in enumerate(frames, begin):
            if not self.shows(at, frame, sure=at <= begin + LEAD):
                return
            if key is not None and at == begin and not self._later and not _is_key(frame):
                return
            if at == place:
                yield frame

    def shows(self, place: int, frame: SourceFrame, sure: bool = False) -> bool:
        """Whether a decoded frame is the one of a place; with `sure` it may not be damaged."""
        if place >= len(self.times):
            return False
        if place >= self.exact:
            return digest(frame) == self.digest(place)
        if frame.decoded is None:
            return not sure
        return frame.index == place and frame.time == self.times[place]

    # --- learning ---

    def _build(self) -> None:
        try:
            if self.trusted:
                self._scan()
            self._decode_rest()
        except Exception as error:  # any: it is raised again where a frame is wanted
            self._error = error
        with self._change:
            self.finished = True
            self._change.notify_all()

    def _add(self, times: Sequence[float], exact: bool = False) -> None:
        with self._change:
            self.times.extend(times)
            if exact:
                self.exact = len(self.times)
            self._change.notify_all()

    def _forget(self) -> None:
        """Nothing is known by packets."""
        with self._change:
            self.exact = 0
            del self.times[:]

    def _scan(self) -> None:
        """Times by the packets as far as these can tell, and key frames."""
        if self.reading.fields == "both" and scan_fields(self.path).interlaced:
            return  # a number a field
        origin = first_time(self.path)
        if origin is None:
            return
        self._origin = origin
        with open_video(self.path) as (container, stream):
            self._ticks = 1 / float(stream.time_base or 1)
            self._by_bytes = container.format.name == "mpegts"
            indexed = container.format.name.startswith(INDEXED)
            by_dts = shown_by_dts(container, stream)
            self._later = SHOWN_LATER if by_dts and stream.codec_context.reorder_depth > 0 else 0
            shown = dropwhile(
                lambda packet: packet.trusted and packet.stamp < origin,
                in_presentation(container, stream),
            )
            head = list(_head(shown))
            each = self._packets_a_frame(head)
            batch = list[float]()
            for count, packet in enumerate(chain(head, shown)):
                if self.closed:
                    return
                place, second = divmod(count, each or 1)
                if packet.offset is not None and not second:
                    self._keys.append(_Key(place + self._later, packet.offset))
                if packet.trusted and each and not second:
                    batch.append(packet.stamp - origin)
                elif not packet.trusted and each and not self._by_bytes:
                    latest = batch[-1] if batch else self.times[-1]
                    if not packet.stamp - origin > latest:  # a seek may find the other
                        self._forget()
                        each, batch = 0, []
                if indexed and len(batch) == BATCH:
                    self._add(batch, exact=True)
                    batch.clear()
            self._add(batch, exact=True)

    def _packets_a_frame(self, head: Sequence[_Packet]) -> int:
        """How many packets a frame has, 1 or 2 fields, where the file's first frames come at the
        times of the first packets and look the same from the second key frame on; else 0.
        """
        stamps = [packet.stamp for packet in head if packet.trusted]
        for each in (1, 2):
            keys = [
                _Key(count // each + self._later, packet.offset)
                for count, packet in enumerate(head[: len(stamps)])
                if packet.offset is not None and count % each == 0
            ]
            times = [stamp - self._origin for stamp in stamps[::each]]
            if len(keys) < 2 or keys[1].place + LEAD + COMPARED > len(times):
                continue
            times = times[: keys[1].place + LEAD + COMPARED]
            with closing(self.frames(None)) as frames:
                shown = [(f.time, digest(f), _is_key(f)) for f in islice(frames, len(times))]
            whole = [(time, pixels) for time, pixels, _ in shown]
            if [time for time, _ in whole] != times:
                continue
            # some files call every packet a key frame
            stated = sum(key.place - self._later < len(times) for key in keys)
            if sum(is_key for *_, is_key in shown) < stated:
                return 0
            for early in self.earlier(keys[1]):
                wanted = whole[keys[1].place :]
                frames, seen = self.frames(keys[1], early, times), []
                with closing(frames), suppress(av.error.FFmpegError):
                    seen = [(frame.time, digest(frame)) for frame in islice(frames, len(wanted))]
                if [time for time, _ in seen] == [time for time, _ in wanted]:
                    return each if seen[LEAD:] == wanted[LEAD:] else 0
        return 0

    def _decode_rest(self) -> None:
        """All from the place `exact` on, by decoding in order."""
        with closing(self._rest()) as frames:
            for frame in frames:
                if self.closed:
                    return
                self._numbers.append(frame.index)
                self._digests.append(digest(frame))
                self._add([frame.time])
        if not self.exact and all(each == DAMAGED for each in self._digests):
            raise VideoError(self.path, NOTHING_DECODES)

    def _rest(self) -> Generator[SourceFrame, None, None]:
        """The frames from the place `exact` on."""
        last = self.exact - 1
        for key in self.keys_before(last) if self.exact else ():
            for early in self.earlier(key):
                if (found := self.found(key, early, last)) is not None:
                    yield from found[1]
                    return
        self._forget()
        yield from self.frames(None)


def digest(frame: SourceFrame) -> int:
    """A number made of a frame's stored pixels; `DAMAGED` where it has none."""
    if frame.decoded is None:
        return DAMAGED
    form, value = frame.decoded.format, 0
    bits = max(component.bits for component in form.components)
    packed = len(frame.decoded.planes) == 1
    size = max(form.padded_bits_per_pixel // 8 if packed else (bits + 7) // 8, 1)  # bytes
    for plane in frame.decoded.planes:
        lines = np.frombuffer(memoryview(plane), np.uint8)
        lines = lines[: plane.height * plane.line_size].reshape(plane.height, -1)
        # a line ends in bytes that are no pixels
        value = zlib.crc32(lines[:, : plane.width * size].tobytes(), value)
    return value


def _is_key(frame: SourceFrame) -> bool:
    """Whether the decoder says that nothing before this frame is needed for it."""
    return frame.decoded is not None and bool(frame.decoded.key_frame)


def _head(packets: Iterator[_Packet]) -> Iterator[_Packet]:
    """The first packets: to the second key frame, and enough after it to compare."""
    keys, left = 0, HEAD
    for packet in packets:
        yield packet
        keys += packet.offset is not None
        if keys == 2 and packet.offset is not None:
            left = 4 * (LEAD + COMPARED) + SHOWN_LATER
        left -= 1
        if not left:
            return


def in_presentation(container: InputContainer, stream: VideoStream) -> Iterator[_Packet]:
    """The packets in order of their time stamps, as far as they tell which frames there are: each
    one frame, all stamped differently, none lost. From the first place on at which they do not, and
    at the end, they come in the file's order and are not trusted.
    """
    kind = "dts" if shown_by_dts(container, stream) else "pts"
    name, codec = container.format.name, stream.codec_context.name
    losses = Losses(stream)
    trusted = codec in ONE_A_PACKET and name != INFERRED
    latest, count = -math.inf, 0
    waiting: list[_Packet] = []
    with suppress(av.error.FFmpegError):  # cut off or damaged: what was read so far counts
        for packet in demuxed(container, stream):
            if not packet.size or packet.is_discard:
                trusted = trusted and not (packet.is_discard and count)
                continue
            stamp = timestamp(packet, kind)
            trusted = (
                losses.before(packet) is None
                and trusted
                and stamp is not None
                and not packet.is_corrupt
                and (codec != "mpeg4" or packet.size > EMPTY)
            )
            offset = _offset(packet, name) if packet.is_keyframe else None
            heapq.heappush(waiting, _Packet(math.nan if stamp is None else stamp, count, offset))
            count += 1
            if trusted and len(waiting) > REORDERED:
                first = heapq.heappop(waiting)
                trusted = latest < first.stamp and (
                    latest == -math.inf or first.stamp < latest + JUMP_AHEAD
                )
                latest = first.stamp
                yield replace(first, trusted=trusted)
            if not trusted:
                yield from _untrusted(waiting)
                waiting.clear()
    yield from _untrusted(waiting)


def _untrusted(packets: Iterable[_Packet]) -> Iterator[_Packet]:
    for packet in sorted(packets, key=lambda packet: packet.count):
        yield replace(packet, trusted=False)


def _offset(packet: Packet, container: str) -> int | None:
    """Where to seek for a packet."""
    if container == "mpegts":
        return packet.pos
    by_pts = container.startswith("matroska") or packet.dts is None
    return packet.pts if by_pts else packet.dts


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
