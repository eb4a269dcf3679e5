"""Write video files: images at a constant frame rate, or copies in which every frame keeps its
time.

`every_frame` reads all frames of a video at their own times, for such copies.
"""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from semiology.errors import UserError
from semiology.files import atomic_path
from semiology.video.decode import AS_STATED, NOTHING_DECODES, Reading, VideoError
from semiology.video.reader import all_frames
from semiology.video.resample import Frame, FrameConverter

H264 = "libx264" if "libx264" in av.codecs_available else "mpeg4"
WRITERS = {  # suffix -> (container, codec)
    ".mp4": ("mp4", H264),
    ".mov": ("mov", H264),
    ".mkv": ("matroska", H264),
    ".mpg": ("mpeg", "mpeg1video"),
    ".mpeg": ("mpeg", "mpeg1video"),
    ".avi": ("avi", "mpeg4"),
    ".asf": ("asf", "wmv2"),
    ".wmv": ("asf", "wmv2"),
}
# a second; times are kept to the nearest tick, 17 us. 24, 25, 30, 50, 60 and 30000 / 1001 Hz are
# whole numbers of it
TICKS = 60_000
# from one key frame to the next: a change in one frame changes no image beyond the next key
# frame
KEY_FRAMES = 50


def write_video(
    path: str | Path, images: Iterable[np.ndarray], fps: float, *, bit_rate: int | None = None
) -> None:
    """Encode images, (height, width, 3) uint8 RGB and all of one size, as they come; the file
    appears when it is whole.

    The suffix chooses container and codec: .mp4, .mov, .mkv (H.264), .mpg (MPEG-1), .avi (MPEG-4),
    .asf, .wmv (WMV2). An odd width or height is made even by repeating the last column or row,
    because these codecs halve the colour planes; pixel coordinates stay.

    Args:
        fps: frames a second; MPEG-1 knows 23.976, 24, 25, 29.97, 30, 50, 59.94 and 60 only.
        bit_rate: bits a second; by default H.264 at constant quality (CRF 20), the others at 0.2
            bit a pixel. [our choice]

    Raises:
        UserError: another suffix, a rate that the codec refuses, no image, or the disk is full.
    """
    path = Path(path)
    if path.suffix.lower() not in WRITERS:
        raise UserError(f"{path}: cannot write this kind of video; use one of {', '.join(WRITERS)}")
    container_name, codec = WRITERS[path.suffix.lower()]
    images = iter(images)
    first = next(images, None)
    if first is None:
        raise UserError(f"{path}: there is no image to write")
    rate = Fraction(fps).limit_denominator(1001)
    with (
        atomic_path(path) as temporary,
        av.open(str(temporary), mode="w", format=container_name) as container,
    ):
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = (side + side % 2 for side in first.shape[:2])
        stream.pix_fmt = "yuv420p"
        if codec == "libx264" and bit_rate is None:
            stream.options = {"crf": "20", "preset": "veryfast"}
        else:
            stream.bit_rate = bit_rate or int(0.2 * stream.width * stream.height * rate)
        for index, image in enumerate(chain([first], images)):
            if image.shape != first.shape:
                raise ValueError(
                    f"image {index} has shape {image.shape}, the first had {first.shape}"
                )
            image = np.pad(
                image, ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)), mode="edge"
            )
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = index, 1 / rate
            try:
                container.mux(stream.encode(frame))
            except av.error.ArgumentError as error:
                raise UserError(
                    f"{path}: {codec} cannot be written at {float(rate):g} frames a second"
                ) from error
        container.mux(stream.encode(None))


def every_frame(path: str | Path, reading: Reading = AS_STATED) -> Iterator[Frame]:
    """All frames of a video in order of time, each once, whatever its rate: no grid.

    `index` and `source_index` are the frame's place, `time` and `source_time` its time in s from
    the first frame, rounded to 1 / 60000 s; a frame that claims a time that is taken follows its
    predecessor by one such tick. A damaged frame, and those after it up to the next key frame, come
    with `image` None. Sizes, fields, colours and rotation as in `read_frames`.

    Raises:
        VideoError: the file is no video, nothing of it decodes, it turns from landscape to
            portrait.
    """
    make = FrameConverter(path, TICKS)
    tick, whole = -1, 0
    for source in all_frames(path, reading=reading):
        tick = max(round(source.time * TICKS), tick + 1)
        time = tick / TICKS
        image = None if source.decoded is None else make.image(source)
        whole += image is not None
        yield Frame(source.index, time, time, source.index, image)
    if not whole:
        raise VideoError(path, NOTHING_DECODES)


def write_copy(
    path: str | Path, frames: Iterable[tuple[float, np.ndarray]], *, pixel_aspect: float = 1.0
) -> None:
    """Encode (time in s, (height, width, 3) uint8 RGB) as H.264 in MP4, each frame at its own time;
    of constant quality, without sound.

    The file holds one video stream and no metadata but what the format cannot do without (brands, a
    generic handler name, the encoder's settings in its stream). Frames are coded at a constant
    quantiser (20) in independent groups of fifty, so that the same frames give the same images
    whatever the other groups hold. An odd width or height is made even by
    repeating the last column or row. `path` is written as it is: give a temporary one.

    Args:
        frames: at least one, all of one size, in increasing order of time.
        pixel_aspect: width of a pixel over its height.
    """
    stream: VideoStream | None = None
    last, step = 0, TICKS // 25
    with av.open(
        str(path),
        "w",
        format="mp4",
        options={"fflags": "+bitexact", "video_track_timescale": str(TICKS)},
    ) as container:
        for time, image in frames:
            image = np.pad(
                image, ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)), mode="edge"
            )
            stream = stream or _stream(container, image, pixel_aspect)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
            last, step = frame.pts, frame.pts - last or step
            container.mux(stream.encode(frame))
        assert stream is not None, "no frame to write"
        for packet in stream.encode(None):
            packet.duration = (
                step  # counts for the last one only: it is shown as long as the one before
            )
            container.mux(packet)


def _stream(
    container: av.container.OutputContainer, image: np.ndarray, pixel_aspect: float
) -> VideoStream:
    stream = container.add_stream(H264, rate=25)  # of the header only: every frame carries its time
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = image.shape[:2]
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = Fraction(1, TICKS)
    context.gop_size = KEY_FRAMES
    context.colorspace, context.color_range = (
        av.video.reformatter.Colorspace.SMPTE170M,
        av.video.reformatter.ColorRange.MPEG,
    )
    if math.isfinite(pixel_aspect) and pixel_aspect != 1:
        context.sample_aspect_ratio = Fraction(pixel_aspect).limit_denominator(255)
    if H264 == "libx264":
        stream.options = {"qp": "20", "preset": "veryfast", "sc_threshold": "0"}
    else:
        stream.bit_rate = int(0.2 * image.shape[0] * image.shape[1] * 25)
    return stream
