"""Which frames are whole: where the decoder or the packets show damage, and how far it reaches.

A frame that is lost on its way, or in part, spoils what is predicted from it. FFmpeg conceals: it
gives such frames without a mark. Codecs number their frames, and these numbers show what was lost;
a frame that the recorder left out before it encoded has none.
"""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from semiology.video.timestamps import Stamped, timestamp

# packets: a frame that comes out so much later than its packet went in is waited for no longer.
# H.264 and HEVC hold 16 frames at most, and each of two threads one
DECODED_AHEAD = 18

Content = TypeVar("Content")


class Losses:
    """Where packets show that frames before them are lost: by the codec's frame numbers, and, of
    codecs without them, by a transport stream's own count, by which FFmpeg marks the packet before.
    """

    def __init__(self, stream: VideoStream):
        self._context = stream.codec_context
        self._numbers = frame_numbers(self._context.name, self._context.extradata or b"")
        self._marked = False  # the last packet

    def before(self, packet: Packet) -> int | None:
        """Take the next packet, in decoding order; how many packets ago frames were lost, 0: just
        before this one. None where none were.
        """
        if self._numbers is not None:
            return self._numbers.lost(bytes(packet), self._context.reorder_depth > 0)
        marked, self._marked = self._marked, packet.is_corrupt
        return 0 if marked else None

    @property
    def refreshed(self) -> bool:
        """Whether the packet taken last ends a gradual refresh: what follows is whole."""
        return self._numbers is not None and self._numbers.refreshed


@dataclass(slots=True)
class _Held(Generic[Content]):
    """A frame that came out of the decoder; `number` is that of its packet in decoding order,
    `content` None where the decoder could not make it.
    """

    number: int
    pts: int | None
    stamped: Stamped[Content | None]
    is_key: bool = False


class Whole(Generic[Content]):
    """Which frames are whole.

    Frames are predicted from others that came before them in decoding order, so damage reaches from
    the packet at which it is found to every frame decoded after it, up to the next key frame or the
    end of a gradual refresh. It is found where the decoder marks a frame as corrupt or fails, and
    where packets show that some are lost (`Losses`). A frame waits until all that were decoded
    before it have come out, as they may be shown, and marked, after it.

    A file may begin between two key frames, with its references in packets that are not shown: its
    first frames count as whole.

    Args:
        stream: of the frames.
        stamped: whether the container has presentation times; else frames stay in the decoder's
            order, and only times of packets and frames that belong together are compared.
    """

    def __init__(self, stream: VideoStream, stamped: bool = True):
        self._context, self._index = stream.codec_context, -1
        self._stamped = stamped
        self._finder = Losses(stream)
        # FFmpeg leaves out frames whose references lack
        self._leaves_out = self._context.name == "hevc"
        self._losses: list[int] = []  # numbers of packets from which on frames are damaged
        self._doubtful: set[int] = set()  # numbers of what the decoder held when it failed
        self._refreshed: set[int] = set()
        self._waiting: dict[int, _Held[Content]] = {}  # packets without a frame yet
        self._numbers_at: dict[int, list[int]] = {}  # pts -> numbers, of the last packets
        self._held: list[_Held[Content]] = []
        self._shown: int | None = None  # pts of the last frame given

    def feed(self, packet: Packet) -> None:
        """The packet that the decoder gets next."""
        self._index += 1
        if (ago := self._finder.before(packet)) is not None:
            self._losses.append(self._index - ago)
        if self._finder.refreshed:
            self._refreshed.add(self._index)
        if packet.pts is None:  # which frame is of which packet is not known then
            return
        self._numbers_at.setdefault(packet.pts, []).append(self._index)
        if len(self._numbers_at) > 2 * DECODED_AHEAD:
            del self._numbers_at[next(iter(self._numbers_at))]
        if not packet.is_discard:
            stamped = Stamped[Content | None](timestamp(packet), None, None)
            self._waiting[self._index] = _Held(self._index, packet.pts, stamped)

    def take(self, frame: VideoFrame, content: Content) -> Iterator[Stamped[Content | None]]:
        """A frame that came out; those that no longer wait."""
        same = self._numbers_at.get(frame.pts, []) if frame.pts is not None else []
        number = same.pop(0) if same else self._index
        self._waiting.pop(number, None)
        if frame.is_corrupt:
            self._losses.append(number)
        stamped = Stamped[Content | None](timestamp(frame), timestamp(frame, "dts"), content)
        held = _Held(number, frame.pts, stamped, frame.key_frame)
        if frame.pts is not None:
            self._keep_places(frame.pts)
        self._held.insert(self._place(held), held)
        yield from self._released()

    def fail(self) -> Iterator[Stamped[Content | None]]:
        """The decoder could not decode the last packet; what it still held is not believed."""
        self._waiting.pop(self._index, None)
        self._losses.append(self._index)
        self._doubtful.update(self._waiting)
        self._held.append(_Held(self._index, None, Stamped(None, None, None)))
        yield from self._released()

    def end(self) -> Iterator[Stamped[Content | None]]:
        """The frames that still wait, at the end."""
        self._keep_places(math.inf)
        self._waiting.clear()
        yield from self._released()

    def _released(self) -> Iterator[Stamped[Content | None]]:
        for number in list(self._waiting):
            if number < self._index - DECODED_AHEAD and not self._leaves_out:
                del self._waiting[number]
        reorders = self._context.reorder_depth > 0
        first = min(self._waiting, default=self._index + 1) if reorders else self._index + 1
        while self._held and self._held[0].number <= first:
            yield self._checked(self._held.pop(0))

    def _keep_places(self, until: float) -> None:
        """Frames that the decoder left out before this time stamp, as it gives them in order of
        their time stamps, keep their places, but for those before the first that it gave.
        """
        if not self._leaves_out:
            return
        for held in sorted(self._waiting.values(), key=lambda held: held.pts or 0):
            assert held.pts is not None
            if held.pts < until:
                del self._waiting[held.number]
                if self._shown is not None and held.pts > self._shown:
                    self._held.insert(self._place(held), held)

    def _place(self, new: _Held[Content]) -> int:
        """Where among the held a frame belongs: last, but where a loss made the decoder give later
        ones first.
        """
        place = len(self._held)
        if not self._stamped:
            return place
        while place and new.pts is not None and (self._losses or self._leaves_out):
            before = self._held[place - 1]
            if before.pts is None or before.pts < new.pts or before.number < new.number:
                break
            place -= 1
        return place

    def _checked(self, held: _Held[Content]) -> Stamped[Content | None]:
        """A frame, without content where it is damaged."""
        if held.is_key or held.number in self._refreshed:
            corrupt = held.number in self._losses
            self._losses = [loss for loss in self._losses if loss > held.number]
            self._losses += [held.number] if corrupt else []
            self._refreshed = {number for number in self._refreshed if number > held.number}
            self._doubtful = {number for number in self._doubtful if number > held.number}
        if held.number in self._doubtful or any(loss <= held.number for loss in self._losses):
            held.stamped.content = None
        self._shown = held.pts if held.pts is not None else self._shown
        return held.stamped


class FrameNumbers(Protocol):
    """Whether a frame that others are predicted from was lost between two packets, by the numbers
    that the codec gives its frames. Numbers count coded frames: a recorder that leaves frames out
    before it encodes leaves a hole in time but none in the numbers.
    """

    refreshed: bool  # the packet taken last ends a gradual refresh: what follows is whole

    def lost(self, packet: bytes, reorders: bool) -> int | None:
        """Take the next packet, in decoding order; how many packets ago frames were lost, 0: just
        before this one. None where none were.

        Args:
            packet: its bytes.
            reorders: whether frames may come in another order than they are shown.
        """
        ...


def frame_numbers(codec: str, header: bytes) -> FrameNumbers | None:
    """The numbers of a codec's frames; None of one that has none, or that are not read here.

    FFmpeg 8.1 hides a lost frame in H.264, MPEG-1 and MPEG-2: it shows those after it without a
    mark. Of HEVC it leaves out what was predicted from a lost one.

    Args:
        codec: FFmpeg's name of it.
        header: what the container holds for the decoder.
    """
    if codec == "h264":
        return H264Numbers(header)
    return MpegNumbers() if codec in ("mpeg1video", "mpeg2video") else None


class H264Numbers:
    """`frame_num` of slices: one more in each frame after one that others refer to. [ITU-T H.264,
    7.4.3; gaps that the header allows are layers left out on purpose]
    """

    SLICE, IDR, SEI, HEADER, PICTURE_HEADER = 1, 5, 6, 7, 8
    RECOVERY = 6  # kind of SEI message: after so many frames all is refreshed

    def __init__(self, header: bytes):
        self.refreshed = False
        self._length = 0  # bytes of a NAL unit's length; 0 where start codes separate them
        self._headers: dict[int, tuple[int, bool, bool]] = {}
        self._header_of: dict[int, int] = {}
        self._before: int | None = None  # number of the last frame that others refer to
        self._refresh: int | None = None  # number of the frame that ends a gradual refresh
        if header[:1] == b"\x01" and len(header) > 6:  # of MP4, MKV, FLV: lengths, not start codes
            length, at = header[4] % 4 + 1, 5
            for _ in range(2):
                count, at = int.from_bytes(header[at : at + 1]) % 32, at + 1
                for _ in range(count):
                    size = int.from_bytes(header[at : at + 2])
                    unit, at = header[at + 2 : at + 2 + size], at + 2 + size
                    with suppress(ValueError):  # a damaged header: its slices are not read
                        self._take(unit)
            self._length = length
        else:
            self.lost(header, False)

    def lost(self, packet: bytes, reorders: bool) -> int | None:
        """Take the next packet, as `FrameNumbers` says."""
        self.refreshed, wait = False, None
        for unit in self._units(packet):
            kind = unit[0] % 32
            try:
                if kind in (self.SLICE, self.IDR):
                    return 0 if self._slice(unit, wait) else None
                if kind == self.SEI:
                    wait = _recovery(unit, self.RECOVERY)
                else:
                    self._take(unit)
            except ValueError:  # a damaged unit: the decoder marks its frame
                continue
        return None

    def _units(self, packet: bytes) -> Iterator[bytes]:
        at = 0
        if self._length:
            while at + self._length < len(packet):
                size = int.from_bytes(packet[at : at + self._length], "big")
                at += self._length
                if unit := packet[at : at + size]:
                    yield unit
                at += size
            return
        at = packet.find(b"\0\0\1")
        while at >= 0:
            following = packet.find(b"\0\0\1", at + 3)
            if unit := packet[at + 3 : following if following >= 0 else None]:
                yield unit
            at = following

    def _take(self, unit: bytes) -> None:
        """Read a sequence's or a picture's header."""
        bits = _Bits(unit)
        kind = bits.take(8) % 32
        if kind == self.PICTURE_HEADER:
            own = bits.number()
            self._header_of[own] = bits.number()
        elif kind == self.HEADER:
            own, header = _sequence(bits)
            self._headers[own] = header

    def _slice(self, unit: bytes, wait: int | None) -> bool:
        bits = _Bits(unit[1:40])
        bits.number(), bits.number()  # first macroblock, kind of slice
        header = self._headers.get(self._header_of.get(bits.number(), -1))
        if header is None:
            return False
        length, planes, gaps = header
        bits.take(2 if planes else 0)
        number, modulus = bits.take(length), 1 << length
        before = self._before
        if unit[0] % 32 == self.IDR:
            lost, self._refresh = False, None
        else:
            lost = (
                not gaps and before is not None and number not in (before, (before + 1) % modulus)
            )
        if lost:
            self._refresh = None
        if wait:
            self._refresh = (number + wait) % modulus
        elif number == self._refresh:
            self.refreshed, self._refresh = True, None
        if unit[0] >> 5 & 3:  # others refer to it
            self._before = number
        return lost


class MpegNumbers:
    """`temporal_reference` of MPEG-1 and MPEG-2: a frame's place within its group, in order of
    presentation. [ISO/IEC 13818-2, 6.3.9]

    Between two frames that others refer to lie those that none refers to, which come after both.
    Where one lacks among these, nothing else is spoilt; where the first ones lack, it may as well
    have been a frame that others refer to, and the second of the two was predicted from it.
    """

    INTRA, PREDICTED, BETWEEN = 1, 2, 3

    def __init__(self) -> None:
        self.refreshed = False
        self._latest: int | None = None  # place of the last frame that others refer to
        self._expected = 0  # place of the next frame between the last two of these
        self._seen = True  # whether one between them came
        self._since = 0  # packets since the last frame that others refer to

    def lost(self, packet: bytes, reorders: bool) -> int | None:
        """Take the next packet, as `FrameNumbers` says."""
        self._since += 1
        at = packet.find(b"\0\0\1\0")
        if at < 0 or len(packet) < at + 6:
            return None
        place, kind = packet[at + 4] << 2 | packet[at + 5] >> 6, packet[at + 5] >> 3 & 7
        latest, expected, seen, since = self._latest, self._expected, self._seen, self._since
        begins = packet.find(b"\0\0\1\xb8", 0, at) >= 0
        if kind == self.BETWEEN:
            if latest is None:
                return None
            if _apart(place, expected) < -1:  # 1 is a second field
                return self._begun()
            self._expected, self._seen = (place + 1) % PLACES, True
            if _apart(place, latest) > 0:
                return 0
            return since if _apart(place, expected) > 0 and not seen else None
        if kind not in (self.INTRA, self.PREDICTED) or place == latest:  # its second field
            return None
        self._latest, self._since = place, 0
        lacked = latest is not None and _apart(expected, latest) < 0 and not seen
        if begins or latest is None or (kind == self.INTRA and place < latest):
            self._expected, self._seen = 0, True
        elif _apart(place, latest) < 0:
            return self._begun()
        else:
            self._expected, self._seen = (latest + 1) % PLACES, False
            if not reorders and _apart(place, latest) > 1:
                return 0
        return since if lacked else None

    def _begun(self) -> int:
        """Places fell back: a group began, and the frame that it begins with is lost."""
        self._latest = None
        return 0


PLACES = 1024  # temporal_reference is a number of 10 bits


def _apart(place: int, other: int) -> int:
    """How many frames a place lies after another one; places count round."""
    return (place - other + PLACES // 2) % PLACES - PLACES // 2


class _Bits:
    """The bits of a unit, front to back."""

    def __init__(self, data: bytes):
        data = data.replace(b"\0\0\3", b"\0\0")  # bytes put in lest a start code arises
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        """The next bits as a number; ValueError beyond the end."""
        self._left -= count
        if self._left < 0:
            raise ValueError("the unit is cut off")
        return self._value >> self._left & ((1 << count) - 1)

    def number(self) -> int:
        """The next number in Exp-Golomb code."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def _sequence(bits: _Bits) -> tuple[int, tuple[int, bool, bool]]:
    """Of a sequence's header its number, and: bits of `frame_num`, whether planes are coded apart,
    whether gaps are allowed. [ITU-T H.264, 7.3.2.1.1]
    """
    profile, _, planes = bits.take(8), bits.take(16), False
    own = bits.number()
    if profile in (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135):
        chroma = bits.number()
        planes = bool(chroma == 3 and bits.take(1))
        bits.number(), bits.number(), bits.take(1)
        if bits.take(1):
            for place in range(12 if chroma == 3 else 8):
                if bits.take(1):
                    _skip_scaling(bits, 16 if place < 6 else 64)
    length = bits.number() + 4
    order = bits.number()
    if order == 0:
        bits.number()
    elif order == 1:
        bits.take(1), bits.number(), bits.number()
        for _ in range(bits.number()):
            bits.number()
    bits.number()
    return own, (length, planes, bool(bits.take(1)))


def _skip_scaling(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.number()
            following = (last + (code + 1) // 2 * (1 if code % 2 else -1)) % 256
        last = following or last


def _recovery(unit: bytes, wanted: int) -> int | None:
    """After how many frames all is refreshed, where a unit of messages says so; else None."""
    at = 1
    while at + 2 < len(unit):
        values = []
        for _ in range(2):  # kind and size: each byte of 255 goes on
            value = 0
            while at < len(unit) - 1 and unit[at] == 255:
                value, at = value + 255, at + 1
            values.append(value + unit[at])
            at += 1
        if values[0] == wanted:
            return _Bits(unit[at : at + values[1]]).number()
        at += values[1]
    return None
