"""Interlaced video: whether a file is, in which order its fields come, and frames made of fields.

Two fields of an interlaced frame are taken one after the other, 20 ms apart in 25i: woven together
they show combs wherever something moves. Most codecs flag such frames; MJPEG, MPEG-1, WMV and
others never do, and some flags are false. So a few frames are also tested for combs, by FFmpeg's
`idet`. Frames are made by FFmpeg's `bwdif`, one a frame or one a field. [our choice; FFmpeg 8.1]
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import chain, takewhile
from pathlib import Path
from typing import Any

import av
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from semiology.video.colour import GREY_FORMATS
from semiology.video.decode import Fields, SourceFrame, in_order, open_video

# px; two fields need the full height of a television frame: 480, 486, 576 or 1080 lines
LOWEST = 400
# Hz; faster video is progressive, and in slower one lines that idet takes for combs are no fields
SLOWEST, FASTEST = 10.0, 31.0
# fractions of a file's length at which some frames are tested for combs, which show only where
# something moves, and how many. [our choice: 50 ms of computing]
PLACES = (0.0, 0.15, 0.4, 0.65, 0.9)
SAMPLE = 7
# how many frames with combs make a file interlaced, and how many without make its flags false
COMBED, CLEAN = 3, 12
# intervals; fields of frames that are further apart say nothing of what lies between
GAP = 1.75


@dataclass(frozen=True)
class Scan:
    """What is known of a file's fields, from some of its frames.

    Attributes:
        tested: number of frames.
        flagged: of these, how many the decoder flags as interlaced.
        top, bottom: how many show combs, top or bottom field first.
        clean: how many show movement without combs; the others show too little movement.
        stated_first: "top" or "bottom" by the codec's header, None where it states neither.
        rate: frames a second by the header, Hz.
    """

    tested: int = 0
    flagged: int = 0
    top: int = 0
    bottom: int = 0
    clean: int = 0
    stated_first: str | None = None
    rate: float = 0.0

    @property
    def combed(self) -> int:
        """How many frames show combs."""
        return self.top + self.bottom

    @property
    def unflagged(self) -> bool:
        """Whether the file is interlaced by its images, but not by its flags."""
        return self.flagged == 0 and self.combed >= COMBED and self.combed > self.clean

    @property
    def falsely_flagged(self) -> bool:
        """Whether the file is progressive by its images, but not by its flags."""
        return self.flagged > 0 and self.combed == 0 and self.clean >= CLEAN

    @property
    def interlaced(self) -> bool:
        """Whether frames of the file are deinterlaced."""
        return (self.flagged > 0 and not self.falsely_flagged) or self.unflagged

    @property
    def pulldown(self) -> bool:
        """Whether two of five frames show combs, or nearly so, at 30 frames a second: film that was
        spread over fields (3:2 pulldown).
        """
        moving = self.clean + self.combed
        return 29 < self.rate <= 30 and moving >= CLEAN and 0.25 <= self.combed / moving <= 0.55

    @property
    def seen_first(self) -> str | None:
        """Which field comes first by the images, where nearly all combs agree."""
        if max(self.top, self.bottom) < max(COMBED, 4 * min(self.top, self.bottom)):
            return None
        return "top" if self.top > self.bottom else "bottom"

    @property
    def misordered(self) -> bool:
        """Whether the header's field order is not the one of the images."""
        return None not in (self.seen_first, self.stated_first) and (
            self.seen_first != self.stated_first
        )

    @property
    def first(self) -> str | None:
        """Which field comes first, "top" or "bottom"; by the images where they show it."""
        return (self.seen_first or self.stated_first) if self.interlaced else None

    def __str__(self) -> str:
        """ "progressive" or "interlaced, top field first", and where flags and images differ."""
        if not self.interlaced:
            if self.falsely_flagged:
                return "progressive, though flagged as interlaced"
            return "progressive, some frames interlaced (film?)" if self.pulldown else "progressive"
        text = "interlaced" if self.first is None else f"interlaced, {self.first} field first"
        if self.misordered:
            text += ", against its header"
        if self.pulldown:
            text += ", some frames progressive (film?)"
        return f"{text}, not flagged" if self.unflagged else text


def scan_fields(path: str | Path) -> Scan:
    """Look at a few frames of a file for flags and combs.

    The result of a file that did not change is remembered.

    Raises:
        VideoError: the file cannot be opened as a video.
    """
    path = Path(path)
    status = path.stat() if path.is_file() else None
    if status is None:
        return _scanned(path, 0, 0)  # its error says what is wrong
    return _scanned(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1024)
def _scanned(path: Path, changed: int, size: int) -> Scan:
    counts: Counter[str] = Counter()
    first, rate = None, 0.0
    for place in PLACES:
        with open_video(path) as (container, stream):
            first = {2: "top", 3: "bottom"}.get(stream.codec_context.field_order)
            rate = float(stream.average_rate or 0)
            possible = stream.codec_context.height >= LOWEST and rate <= FASTEST
            possible &= rate >= SLOWEST or not rate
            length = container.duration or 0
            if place and not length:
                break
            try:
                if place:
                    container.seek(int((container.start_time or 0) + place * length))
                counts += _combs(_first_frames(container, stream))
            except av.error.FFmpegError:
                continue  # a seek that finds nothing: other places are left
        # flags are false only where no place contradicts that
        clean = counts["progressive"] if not counts["flagged"] else 0
        if max(counts["tff"], counts["bff"], clean) >= CLEAN:
            break
        if not possible and not counts["flagged"]:
            return Scan(counts["tested"])
    return Scan(
        counts["tested"],
        counts["flagged"],
        counts["tff"],
        counts["bff"],
        counts["progressive"],
        first,
        rate,
    )


def _first_frames(container: Any, stream: Any) -> list[VideoFrame]:
    frames = []
    for timed in in_order(container, stream):
        if timed.content is not None:
            frames.append(timed.content.frame)
        if len(frames) == SAMPLE:
            break
    return frames


def _combs(frames: list[VideoFrame]) -> Counter[str]:
    """How many of successive frames are flagged, and what `idet` finds in them."""
    counts = Counter(tested=len(frames), flagged=sum(frame.interlaced_frame for frame in frames))
    if frames:
        graph = _Graph(frames[0], "idet")
        alike = takewhile(graph.fits, frames)
        passed = [out for number, frame in enumerate(alike) for out in graph.push(frame, number)]
        for out in (*passed, *graph.end()):
            counts[out.metadata.get("lavfi.idet.multiple.current_frame", "")] += 1
    return counts


def deinterlaced(
    frames: Iterable[SourceFrame], scan: Scan | None, fields: Fields
) -> Iterator[SourceFrame]:
    """The same frames, made of the fields of interlaced ones; progressive frames pass unchanged.

    Fields that lie beyond a hole or a damaged frame are not used. Where a file that looked
    progressive has flagged frames further on (a joined one), these become a frame each, also with
    "both".

    Args:
        frames: of one video, in order.
        scan: of the file; None (a stream): its flags count.
        fields: as in `Reading`. With "both", the frames of an interlaced file are fields: those of
            source frame n have the numbers 2 n and 2 n + 1, half a frame interval apart.
    """
    if fields == "off" or (scan is not None and scan.falsely_flagged):
        yield from frames
        return
    interlaced, frames = scan is None or scan.interlaced, iter(frames)
    if not interlaced:
        for frame in frames:
            if frame.decoded is not None and frame.decoded.interlaced_frame:
                frames = chain([frame], frames)
                break
            yield frame
    made = _Chain(scan, fields == "both" and interlaced)
    for frame in frames:
        yield from made.take(frame)
    yield from made.end()


class _Chain:
    """The frames that are being deinterlaced: one graph of filters from hole to hole."""

    def __init__(self, scan: Scan | None, both: bool):
        self.both = both
        mode = "send_field" if both else "send_frame"
        first = scan.seen_first if scan is not None and (scan.unflagged or scan.misordered) else ""
        order = {"top": "tff", "bottom": "bff"}.get(first or "")
        self.all_woven = bool(order)  # whatever the flags of its frames
        self.filters = (
            [f"setfield={order}", f"bwdif={mode}:deint=all"]
            if self.all_woven
            else [f"bwdif={mode}:deint=interlaced"]
        )
        self.graph: _Graph | None = None
        self.inside: dict[int, SourceFrame] = {}
        self.last: SourceFrame | None = None
        self.given = -1

    def take(self, frame: SourceFrame) -> Iterator[SourceFrame]:
        """Give one more frame; what is ready comes out."""
        if self.graph is not None and not self._continues(frame):
            yield from self.end()
        if frame.decoded is None:
            yield replace(frame, index=2 * frame.index) if self.both else frame
            return
        self.graph = self.graph or _Graph(frame.decoded, *self.filters)
        self.inside[frame.index] = self.last = frame
        yield from self._made(self.graph.push(frame.decoded, frame.index))

    def end(self) -> Iterator[SourceFrame]:
        """What is still in the graph comes out."""
        if self.graph is not None:
            yield from self._made(self.graph.end())
        self.graph, self.last = None, None
        self.inside.clear()

    def _continues(self, frame: SourceFrame) -> bool:
        """Whether a frame follows upon the last one without a hole."""
        assert self.graph is not None and self.last is not None
        return (
            frame.decoded is not None
            and self.graph.fits(frame.decoded)
            and frame.index == self.last.index + 1
            and frame.time - self.last.time <= GAP * self.last.period
        )

    def _woven(self, frame: SourceFrame) -> bool:
        assert frame.decoded is not None
        return self.all_woven or bool(frame.decoded.interlaced_frame)

    def _made(self, images: Iterable[VideoFrame]) -> Iterator[SourceFrame]:
        for image in images:
            assert image.pts is not None and image.time_base is not None
            number = int(image.pts * image.time_base)
            frame = self.inside[number]
            if not self.both:
                yield replace(frame, decoded=image)
            else:
                second = number == self.given
                self.given = number
                half = frame.period / 2
                yield replace(
                    frame,
                    decoded=image,
                    index=2 * number + second,
                    time=frame.time + second * half,
                    period=half if self._woven(frame) else frame.period,
                )
            for earlier in [key for key in self.inside if key < number]:
                del self.inside[earlier]


class _Graph:
    """A chain of FFmpeg's filters for frames of one size and format, which are numbered."""

    def __init__(self, frame: VideoFrame, *filters: str):
        self._kind = frame.width, frame.height, frame.format.name
        self._graph, self._reformatter = av.filter.Graph(), VideoReformatter()
        # FFmpeg's filters make RGB of other greys, and call a limited range full
        grey = frame.format.name.startswith(GREY_FORMATS) and frame.format.name != "gray"
        self._format = "gray16le" if grey else frame.format.name
        last = self._graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=VideoFormat(self._format),
            time_base=Fraction(1, 4),
        )
        for name in filters:
            own, _, arguments = name.partition("=")
            following = self._graph.add(own, arguments or None)
            last.link_to(following)
            last = following
        last.link_to(self._graph.add("buffersink"))
        self._graph.configure()

    def fits(self, frame: VideoFrame) -> bool:
        """Whether the graph takes such frames."""
        return (frame.width, frame.height, frame.format.name) == self._kind

    def push(self, frame: VideoFrame, number: int) -> Iterator[VideoFrame]:
        """Give a frame; what comes out has `number` as its time, a second field half more."""
        if frame.format.name != self._format:
            frame = self._reformatter.reformat(frame, format=self._format)
        frame.pts, frame.time_base = 4 * number, Fraction(1, 4)
        self._graph.push(frame)
        yield from self._ready()

    def end(self) -> Iterator[VideoFrame]:
        """What is still in the graph."""
        self._graph.push(None)
        yield from self._ready()

    def _ready(self) -> Iterator[VideoFrame]:
        while True:
            try:
                out = self._graph.pull()
            except (BlockingIOError, EOFError):
                return
            assert isinstance(out, VideoFrame)
            yield out
