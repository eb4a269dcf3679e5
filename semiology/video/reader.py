"""The source frames of a video from some time on, each with its place; found by seeking only where
that can be trusted.

Source frames to a regular grid of output frames, by nearest source timestamp; a hole in the video
stays a hole in time.

What a video is, at a glance.
"""

import logging
import math
from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from semiology.video.decode import (
    NOTHING_DECODES,
    Converter,
    VideoError,
    header_duration,
    in_order,
    open_video,
    rotation,
    timestamp,
)

# s; a clip that starts earlier is reached by decoding from the beginning, which needs no trust in
# the file's index
SEEK_FROM = 30.0


@dataclass(frozen=True, slots=True)
class SourceFrame:
    time: float  # s from the video's first frame
    index: (
        int  # place in presentation order, 0 for the first frame; damaged frames keep their place
    )
    period: float  # s; median interval of the frames around this one
    picture: VideoFrame


@dataclass(slots=True)
class Damage:
    """What was damaged in a video, as far as it was read: how many source frames, and whether the
    last one is among them.
    """

    frames: int = 0
    at_end: bool = False


def source_frames(
    path: str | Path, start: float = 0.0, damage: Damage | None = None
) -> Iterator[SourceFrame]:
    """All whole frames of the video by time, beginning before `start` (s from the first frame).
    Memory holds a dozen frames.

    Damaged frames keep their place in the count and are noted in `damage`.
    """
    landing = _landing(path, start) if start >= SEEK_FROM else None
    with open_video(path) as (container, stream):
        if landing is None:
            origin, index, first = None, 0, -math.inf
        else:
            origin, index, first = landing.origin, landing.index, landing.first
            container.seek(landing.offset, stream=stream)
        frames = (
            (seconds, period, picture)
            for seconds, period, picture in in_order(container, stream)
            if seconds >= first
        )
        yield from numbered(frames, origin, index, damage)


def numbered(
    frames: Iterable[tuple[float, float, VideoFrame | None]],
    origin: float | None = None,
    index: int = 0,
    damage: Damage | None = None,
) -> Iterator[SourceFrame]:
    """Frames as `in_order` gives them, each with its place: `origin` (s) is the timestamp of the
    video's first frame, by default of these.

    `index` is the place of the first of these.
    """
    damage = Damage() if damage is None else damage
    for number, (seconds, period, picture) in enumerate(frames, index):
        origin = seconds if origin is None else origin
        damage.at_end = picture is None
        if picture is None:
            damage.frames += 1
        else:
            yield SourceFrame(seconds - origin, number, period, picture)


@dataclass(frozen=True, slots=True)
class _Landing:
    """Where decoding may begin in the middle of a file."""

    origin: float  # s, timestamp of the video's first frame
    offset: int  # where to seek, in the stream's time base
    first: float  # s, timestamp of the first frame to use
    index: int  # its place in the video


def _landing(path: str | Path, start: float) -> _Landing | None:
    """Where to seek for the frames from `start` on; None where the file must be decoded from its
    beginning.

    A seek lands where the file's index says, which may be too late, and the first frames after it
    may be built on frames that were not read. So: seek two seconds early, drop the first second,
    and demand of the second one that each frame decodes whole and has exactly the time that the
    packets announce. Those are counted from the beginning without being decoded, and that count is
    the frame's place.
    """
    with open_video(path) as (container, stream):
        origin = next((seconds for seconds, _, _ in in_order(container, stream)), None)
    if origin is None:
        return None
    target = origin + start
    with open_video(path) as (container, stream):
        announced = _announced(container, stream, origin, target + 1)
    times = [seconds for seconds, _ in announced]
    if len(set(times)) < len(times):
        return None
    try:
        with open_video(path) as (container, stream):
            offset = round((target - 2) / float(stream.time_base or 1))
            container.seek(offset, stream=stream)
            packet = next(
                (
                    packet
                    for packet in container.demux(stream)
                    if packet.pts is not None and packet.pos is not None
                ),
                None,
            )
            if packet is None or (timestamp(packet), packet.pos) not in announced:
                return (
                    None  # the same times come twice in joined recordings: this is another segment
                )
        with open_video(path) as (
            container,
            stream,
        ):  # opened anew: where a seek lands may depend on what was read before
            container.seek(offset, stream=stream)
            return _checked(in_order(container, stream), times, origin, target, offset)
    except av.error.FFmpegError:
        return None


def _checked(
    frames: Iterator[tuple[float, float, VideoFrame | None]],
    times: list[float],
    origin: float,
    target: float,
    offset: int,
) -> _Landing | None:
    """The landing, if each frame in the second before `target` is whole and the next of `times`."""
    begin = next((seconds for seconds, _, _ in frames), math.inf)
    if begin >= target - 1:
        return None
    landing = None
    index = bisect_left(times, target - 1)
    for seconds, _, picture in frames:
        if seconds < target - 1:
            continue
        if picture is None or times[index : index + 1] != [seconds]:
            return None
        landing = landing or _Landing(origin, offset, seconds, index)
        if seconds >= target:
            return landing
        index += 1
    return None


def _announced(
    container: InputContainer, stream: VideoStream, begin: float, end: float
) -> list[tuple[float, int | None]]:
    """(timestamp in seconds, byte position) of the packets from `begin` to `end`, sorted by time;
    empty where a packet has no timestamp.
    """
    packets: list[tuple[float, int | None]] = []
    try:
        for packet in container.demux(stream):
            if packet.size == 0 or packet.is_discard:
                continue
            if packet.pts is None:
                return []
            packets.append((timestamp(packet), packet.pos))
            if packet.dts is not None and packet.dts * packet.time_base > end:
                break
    except av.error.FFmpegError:
        return []
    return sorted(
        (packet for packet in packets if packet[0] >= begin), key=lambda packet: packet[0]
    )


@dataclass(frozen=True)
class VideoInfo:
    """What a video is. Size, rotation and start come from its frames, the rest from the header, as
    far as it can be believed.
    """

    width: int  # px, after rotation
    height: int  # px, after rotation
    fps: float | None  # Hz; None where the header gives none or an absurd one
    start: (
        float  # s, timestamp of the first frame; every other time in this package counts from there
    )
    duration: float | None  # s; None where the header gives none
    # degrees clockwise by which the stored picture is turned to stand upright: 0, 90, 180 or 270
    rotation: int
    # width of a pixel over its height; not applied: the paper leaves resolutions unchanged [P]
    pixel_aspect: float
    codec: str
    container: str


def probe(path: str | Path) -> VideoInfo:
    """Open a video and decode its first whole frame.

    Raises:
        VideoError: the file is absent, empty, no video, or no frame of it decodes.
    """
    with open_video(path) as (container, stream):
        start = None
        for seconds, _, picture in in_order(container, stream):
            start = seconds if start is None else start
            if picture is not None:
                break
        else:
            raise VideoError(path, NOTHING_DECODES)
        height, width = Converter()(picture).shape[:2]
        rate = float(stream.average_rate or 0)
        names = container.format.name.split(
            ","
        )  # "mov,mp4,m4a,...": one reader, several containers
        suffix = Path(path).suffix.lower().lstrip(".")
        return VideoInfo(
            width=width,
            height=height,
            fps=rate if 0.1 <= rate <= 1000 else None,
            start=start,
            duration=header_duration(container, stream),
            rotation=rotation(picture),
            pixel_aspect=float(stream.sample_aspect_ratio or 1),
            codec=stream.codec_context.name,
            container=suffix if suffix in names else names[0],
        )


# share of an interval over which a source frame may stand for a grid time; above 1/2 for jitter,
# below 1 to see one lost frame
MAX_OFFSET = 0.75

# s; without an asked end, a longer one is taken for a damaged timestamp and not filled with missing
# frames
MAX_HOLE = 600.0
TIE = 1e-6  # s; halfway between two frames the earlier is taken, whatever the rounding

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Frame:
    """One frame of the output grid."""

    index: int  # 0, 1, 2, ...
    time: float  # s from the clip's start: index / fps
    source_time: float  # s from the video's first frame; NaN where missing
    source_index: int  # place of the source frame in the video, 0 for its first; -1 where missing
    image: np.ndarray | None  # (height, width, 3) uint8 RGB, upright; None where missing


def read_frames(
    path: str | Path,
    start: float = 0.0,
    end: float | None = None,
    fps: float = 25.0,
    damage: Damage | None = None,
) -> Iterator[Frame]:
    """Frames of the video from `start` to `end` (s from its first frame), at `fps` (Hz) whatever
    its own rate is.

    Each output frame is the source frame nearest in time. It is missing (`image` None,
    `source_index` -1) where the nearest whole frame is further than 0.75 of an interval: the longer
    of 1 / fps and the source's own interval thereabouts (median of the 16 around). So one lost
    frame of a 25 Hz video is one missing frame, and a slow video has none. A damaged frame counts
    as lost, and so do those after it up to the next key frame, because they are built on it. The
    last frame stands for one interval, as players show it. Without `end` the grid ends there; where
    `end` lies further, the rest is missing and a warning is logged. [our choice]

    Frames that the grid does not need are not converted to RGB; memory holds a dozen frames,
    however long the video. A frame whose size differs from the clip's first is scaled to it.
    Interlaced video is not deinterlaced, high dynamic range is not tone mapped, and pixels that are
    not square are left so (`VideoInfo.pixel_aspect`). What of the source was damaged is noted in
    `damage`, where one is given.

    Raises:
        VideoError: the file is no video, nothing of it decodes, it ends before `start`, it turns
            from landscape to portrait, or (without `end`) its times leap by more than ten minutes.
    """
    if not (
        0 <= start < math.inf and 0 < fps < math.inf and (end is None or start < end < math.inf)
    ):
        raise VideoError(
            path,
            f"cannot be cut from {start} s to {end} s at {fps} Hz; start at 0 s or later, end after"
            " the start",
        )
    stop = yield from resample(source_frames(path, start, damage), path, start, end, fps)
    if end is not None and end > stop + 1 / fps:
        log.warning(
            "the video ends at %.2f s, %.2f s before the end that was asked; these frames are"
            " missing",
            stop,
            end - stop,
        )
    elif end is None and (probe(path).duration or 0) > stop + 1:
        log.warning(
            "the video ends at %.2f s, but its header promises %.2f s: it may be cut off",
            stop,
            probe(path).duration,
        )


def resample(
    sources: Iterable[SourceFrame], path: str | Path, start: float, end: float | None, fps: float
) -> Generator[Frame, None, float]:
    """Lay source frames, wherever they come from, on the grid of `read_frames`; `path` is named in
    errors.

    Returns (as a generator does) where the last source frame ends, s; infinity where the asked
    `end` came before that.

    Raises:
        VideoError: as `read_frames`.
    """
    total = math.inf if end is None else math.ceil((end - start) * fps - 1e-6)
    make = FrameConverter(path, fps)
    index = 0
    last: SourceFrame | None = None
    for source in sources:
        if end is None and last is not None and source.time - last.time > MAX_HOLE:
            leap = f"times leap from {last.time:.2f} s to {source.time:.2f} s"
            raise VideoError(
                path,
                f"its {leap}, which no recording does; give an end before that, or convert the"
                " file",
            )
        while index < total and start + index / fps <= source.time:
            yield make(index, _nearest(start + index / fps, last, source, fps))
            index += 1
        if index >= total:
            return math.inf
        last = source
    if last is None:
        raise VideoError(path, NOTHING_DECODES)
    stop = last.time + last.period
    if start >= stop:
        raise VideoError(
            path,
            f"ends at {stop:.2f} s, before the start that was asked, {start:g} s; correct the"
            " start",
        )
    while index < total:
        shown = start + index / fps < stop - 1e-6
        if end is None and not shown:
            break
        yield make(index, last if shown else None)
        index += 1
    return stop


def _nearest(
    time: float, before: SourceFrame | None, after: SourceFrame, fps: float
) -> SourceFrame | None:
    nearest = (
        before if before is not None and time - before.time <= after.time - time + TIE else after
    )
    period = after.period if before is None else max(before.period, after.period)
    return nearest if abs(nearest.time - time) <= MAX_OFFSET * max(1 / fps, period) else None


class FrameConverter:
    """Converts source frames to output frames: all of one size, none converted twice."""

    def __init__(self, path: str | Path, fps: float):
        self.path, self.fps = path, fps
        self.shape: tuple[int, ...] | None = None
        self.converted: tuple[int, np.ndarray] | None = None
        self.convert = Converter()

    def __call__(self, index: int, source: SourceFrame | None) -> Frame:
        if source is None:
            return Frame(index, index / self.fps, math.nan, -1, None)
        return Frame(index, index / self.fps, source.time, source.index, self.image(source))

    def image(self, source: SourceFrame) -> np.ndarray:
        if self.converted is not None and self.converted[0] == source.index:
            return self.converted[
                1
            ].copy()  # a copy, so that drawing in one frame leaves the next alone
        image = self.convert(source.picture)
        if self.shape is None:
            self.shape = image.shape
        elif image.shape != self.shape:
            height, width = self.shape[:2]
            if (image.shape[1] > image.shape[0]) != (width > height):
                change = (
                    f"turns from {width}x{height} to {image.shape[1]}x{image.shape[0]} px at"
                    f" {source.time:.2f} s"
                )
                raise VideoError(self.path, f"{change}; end the clip before that")
            image = self.convert(source.picture, width, height)
        self.converted = (source.index, image)
        return image
