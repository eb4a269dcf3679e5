"""Every frame of a video at its own time, in and out: for a copy that leaves no frame out and moves none."""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from semiology.video.container import NOTHING_DECODES, VideoError, open_video
from semiology.video.decode import in_order
from semiology.video.grid import Frame, FrameMaker
from semiology.video.reader import SourceFrame
from semiology.video.write import H264

TICKS = 60_000  # a second; times are kept to the nearest tick, 17 us. 24, 25, 30, 50, 60 and 30000 / 1001 Hz are whole numbers of it
KEY_FRAMES = 50  # from one key frame to the next: what changes in one frame changes no picture beyond the next key frame


def every_frame(path: str | Path) -> Iterator[Frame]:
    """All frames of a video in order of time, each once, whatever its rate: no grid.

    `index` and `source_index` are the frame's place, `time` and `source_time` its time in s from the first frame, rounded to 1 / 60000 s; a
    frame that claims a time that is taken follows its predecessor by one such tick. A damaged frame, and those after it up to the next key
    frame, come with `image` None. Sizes, colours and rotation as in `read_frames`.

    Raises:
        VideoError: the file is no video, nothing of it decodes, it turns from landscape to portrait.
    """
    make = FrameMaker(path, TICKS)
    origin, tick, whole = None, -1, 0
    with open_video(path) as (container, stream):
        for index, (seconds, period, picture) in enumerate(in_order(container, stream)):
            origin = seconds if origin is None else origin
            tick = max(round((seconds - origin) * TICKS), tick + 1)
            time = tick / TICKS
            image = None if picture is None else make.image(SourceFrame(time, index, period, picture))
            whole += image is not None
            yield Frame(index, time, time, index, image)
    if not whole:
        raise VideoError(path, NOTHING_DECODES)


def write_copy(path: str | Path, frames: Iterable[tuple[float, np.ndarray]], *, pixel_aspect: float = 1.0) -> None:
    """Encode (time in s, (height, width, 3) uint8 RGB) as H.264 in MP4, each frame at its own time; of constant quality, without sound.

    The file holds one video stream and no metadata but what the format cannot do without (brands, a generic handler name, the encoder's
    settings in its stream). Frames are coded at a constant quantiser (20) in groups of fifty that know nothing of each other, so that the
    same frames give the same pictures whatever stands in other groups. An odd width or height is made even by repeating the last column or
    row. `path` is written as it is: give a temporary one.

    Args:
        frames: at least one, all of one size, in increasing order of time.
        pixel_aspect: width of a pixel over its height.
    """
    stream: VideoStream | None = None
    last, step = 0, TICKS // 25
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact", "video_track_timescale": str(TICKS)}) as container:
        for time, image in frames:
            image = np.pad(image, ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)), mode="edge")
            stream = stream or _stream(container, image, pixel_aspect)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
            last, step = frame.pts, frame.pts - last or step
            container.mux(stream.encode(frame))
        assert stream is not None, "no frame to write"
        for packet in stream.encode(None):
            packet.duration = step  # counts for the last one only: it is shown as long as the one before
            container.mux(packet)


def _stream(container: av.container.OutputContainer, image: np.ndarray, pixel_aspect: float) -> VideoStream:
    stream = container.add_stream(H264, rate=25)  # of the header only: every frame carries its time
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = image.shape[:2]
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = Fraction(1, TICKS)
    context.gop_size = KEY_FRAMES
    context.colorspace, context.color_range = av.video.reformatter.Colorspace.SMPTE170M, av.video.reformatter.ColorRange.MPEG
    if math.isfinite(pixel_aspect) and pixel_aspect != 1:
        context.sample_aspect_ratio = Fraction(pixel_aspect).limit_denominator(255)
    if H264 == "libx264":
        stream.options = {"qp": "20", "preset": "veryfast", "sc_threshold": "0"}
    else:
        stream.bit_rate = int(0.2 * image.shape[0] * image.shape[1] * 25)
    return stream
