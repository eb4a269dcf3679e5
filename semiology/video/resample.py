"""Source frames resampled to a regular grid of output frames (25 Hz by default), by nearest time; a
hole in the video stays a hole in time.
"""

import logging
import math
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semiology.video.colour import chroma
from semiology.video.decode import AS_STATED, NOTHING_DECODES, Reading, SourceFrame, VideoError
from semiology.video.image import Converter
from semiology.video.reader import Damage, check_aspect
from semiology.video.recording import MAX_HOLE, Recording, header_length, source_frames

# fraction of an interval over which a source frame may stand for a grid time; above 1/2 for jitter,
# below 1 to see one lost frame
MAX_OFFSET = 0.75

# s; an end that lies further beyond the video's is a mistake, not a video that was cut off: the
# grid of missing frames would not end [our choice]
FARTHEST_END = 6 * 3600.0

TIE = 1e-6  # s; halfway between two frames the earlier is taken, whatever the rounding

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Frame:
    """One frame of the output grid."""

    index: int  # 0, 1, 2, ...
    time: float  # s from the clip's start: index / fps
    source_time: float  # s from the video's first frame; NaN where missing
    source_index: int  # number of the source frame in the video, from 0; -1 where missing
    image: np.ndarray | None  # (height, width, 3) uint8 RGB, upright; None where missing
    # mean distance of the colours from grey, see colour.py; NaN where missing, and off the grid
    chroma: float = math.nan


def read_frames(
    path: str | Path | Recording,
    start: float = 0.0,
    end: float | None = None,
    fps: float = 25.0,
    damage: Damage | None = None,
    reading: Reading = AS_STATED,
) -> Iterator[Frame]:
    """Frames of the video from `start` to `end` (s from its first frame), resampled to `fps` (Hz)
    whatever its own rate is. Of a `Recording` times are seconds of the recording, over all parts.

    Each output frame is the source frame nearest in time. It is missing (`image` None,
    `source_index` -1) where the nearest whole frame is further than 0.75 of an interval: the longer
    of 1 / fps and the source's own interval at that time (median of the 16 around). So one lost
    frame of a 25 Hz video is one missing frame, and a slow video has none. A damaged frame counts
    as lost, and so do those after it up to the next key frame, because they are predicted from it.
    The last frame, whole or damaged, lasts one interval, as players show it. Without `end` the grid
    ends there; where `end` lies further, the rest is missing and a warning is logged. [our choice]

    Frames that the grid does not need are not converted to RGB; memory holds a dozen frames,
    however long the video. Images have square pixels, and interlaced video is deinterlaced, both as
    `reading` sets it. A frame whose size differs from the clip's first is scaled to fit into it,
    without distortion, on black. High dynamic range is not tone mapped. Damaged source frames are
    counted in `damage`, where one is given.

    Raises:
        VideoError: the file is no video, nothing of it decodes, it ends before `start` or hours
            before `end`, it turns from landscape to portrait, or (without `end`) its times jump by
            more than ten minutes.
    """
    if not (
        0 <= start < math.inf and 0 < fps < math.inf and (end is None or start < end < math.inf)
    ):
        raise VideoError(
            path,
            f"cannot be cut from {start} s to {end} s at {fps} Hz; start at 0 s or later, end after"
            " the start",
        )
    # between two parts of a recording a gap may be of any length
    longest = math.inf if isinstance(path, Recording) else MAX_HOLE
    sources = source_frames(path, start, damage, reading)
    stop = yield from resample_frames(sources, path, start, end, fps, longest)
    if end is not None and end > stop + 1 / fps:
        log.warning(
            "the video ends at %.2f s, %.2f s before the requested end; these frames are missing",
            stop,
            end - stop,
        )
    elif end is None and (length := header_length(path) or 0) > stop + 1:
        log.warning(
            "the video ends at %.2f s, but its header states %.2f s: it may be cut off",
            stop,
            length,
        )


def resample_frames(
    sources: Iterable[SourceFrame],
    path: str | Path | Recording,
    start: float,
    end: float | None,
    fps: float,
    longest: float = MAX_HOLE,
) -> Generator[Frame, None, float]:
    """Put source frames, of a file or a stream, on the grid of `read_frames`.

    Args:
        sources: in order of time, damaged ones too.
        path: what errors call the video.
        start, end, fps: as in `read_frames`.
        longest: s; without `end`, a longer hole is taken for a damaged timestamp.

    Returns:
        The generator's return value: where the last source frame ends, s; infinity where the
        requested `end` came before that.

    Raises:
        VideoError: as `read_frames`.
    """
    total = math.inf if end is None else math.ceil((end - start) * fps - 1e-6)
    make = FrameConverter(path, fps)
    index = 0
    last: SourceFrame | None = None
    latest: SourceFrame | None = None  # whole or damaged
    damaged = 0  # frames in turn
    for source in sources:
        if end is None and latest is not None and source.time - latest.time > longest:
            jump = f"times jump from {latest.time:.2f} s to {source.time:.2f} s"
            raise VideoError(
                path,
                f"its {jump}, which no recording does; give an end before that, or convert the"
                " file",
            )
        latest, damaged = source, damaged + 1
        if source.decoded is None:
            continue
        damaged = 0
        while index < total and start + index / fps <= source.time:
            yield make(index, _nearest(start + index / fps, last, source, fps))
            index += 1
        if index >= total:
            return math.inf
        last = source
    if last is None or latest is None:
        raise VideoError(path, NOTHING_DECODES)
    shown = last.time + last.period
    # a single damaged frame at the end is where the file was cut off
    stop = latest.time + latest.period if damaged > 1 else shown
    if end is not None and end - stop > FARTHEST_END:
        raise VideoError(
            path, f"ends at {stop:.2f} s, hours before the requested end, {end:g} s; correct it"
        )
    if start >= stop:
        raise VideoError(
            path,
            f"ends at {stop:.2f} s, before the requested start, {start:g} s; correct the start",
        )
    while index < total:
        time = start + index / fps
        if end is None and time >= stop - 1e-6:
            break
        yield make(index, last if time < shown - 1e-6 else None)
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
    """Converts source frames to output frames of one size; a frame that is used twice is converted
    once.
    """

    def __init__(self, path: str | Path | Recording, fps: float):
        self.path, self.fps = path, fps
        self.shape: tuple[int, ...] | None = None
        self.converted: tuple[int, np.ndarray] | None = None
        self.convert = Converter()

    def __call__(self, index: int, source: SourceFrame | None) -> Frame:
        if source is None:
            return Frame(index, index / self.fps, math.nan, -1, None)
        image = self.image(source)
        return Frame(index, index / self.fps, source.time, source.index, image, chroma(image))

    def image(self, source: SourceFrame) -> np.ndarray:
        """(height, width, 3) uint8 RGB of a source frame, upright, of the first one's size.

        Raises:
            VideoError: the video turns from landscape to portrait, or the reverse.
        """
        if self.converted is not None and self.converted[0] == source.index:
            return self.converted[
                1
            ].copy()  # a copy, so that drawing in one frame leaves the next alone
        assert source.decoded is not None, "a damaged frame has no image"
        check_aspect(self.path, source.pixel_aspect)
        image = self.convert(source.decoded, source.pixel_aspect)
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
            image = _centred(
                self.convert(source.decoded, source.pixel_aspect, (width, height)), self.shape
            )
        self.converted = (source.index, image)
        return image


def _centred(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The image in the middle of a black one of that shape, which is nowhere smaller."""
    if image.shape == shape:
        return image
    top, left = (shape[0] - image.shape[0]) // 2, (shape[1] - image.shape[1]) // 2
    canvas = np.zeros(shape, np.uint8)
    canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
    return canvas
