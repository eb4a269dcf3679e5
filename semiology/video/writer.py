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
from av.packet import Packet
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from semiology.errors import UserError
from semiology.files import atomic_path
from semiology.video.colour import usual_matrix
from semiology.video.decode import AS_STATED, NOTHING_DECODES, Reading, VideoError
from semiology.video.reader import all_frames
from semiology.video.resample import Frame, FrameConverter

H264 = "libx264" if "libx264" in av.codecs_available else "mpeg4"
WRITERS = {  # suffix -> (container, codec)
    ".mp4": ("mp4", H264),
    ".mov": ("mov", H264),
    ".mkv": ("matroska", H264),
    # MPEG-2, as recorders write it: MPEG-1 holds no ratio of pixels that 352x576 needs
    ".mpg": ("mpeg", "mpeg2video"),
    ".mpeg": ("mpeg", "mpeg2video"),
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
# without its macroblock tree: with it, on processors with AVX-512, the same images give other bytes
# from run to run, with one thread too [R: FFmpeg 8.1, findings/x264-gives-other-bytes.sh]; CRF 22
# then gives size and quality of CRF 20 with it
REPRODUCIBLE: dict[str, object] = {"x264-params": "mbtree=0"}

# of x264 where the bit rate is given: a quarter of the time of its default, at the same rate and
# within 0.2 dB of the same images [measured on the phantom]
AT_A_BIT_RATE: dict[str, object] = {"preset": "superfast"}
BILINEAR = Interpolation.BILINEAR

# bytes of a program stream's pack. Where a key frame's headers lie in two packs, and another frame
# begins in the second one, FFmpeg gives the key frame the other's time: a leap, and later the same
# time twice, in 6 of 150 files of small frames [R: FFmpeg 8.1.2]
PACK = 2048
# the shapes of a frame, width over height, that MPEG-2 can state, besides square pixels [ISO/IEC
# 13818-2, table 6-3]
MPEG2_SHAPES = (Fraction(4, 3), Fraction(16, 9), Fraction(221, 100))


def write_video(
    path: str | Path,
    images: Iterable[np.ndarray],
    fps: float,
    *,
    bit_rate: int | None = None,
    pixel_aspect: Fraction | float = 1,
    size: tuple[int, int] | None = None,
) -> None:
    """Encode images, (height, width, 3) uint8 RGB and all of one size, as they come; the file
    appears when it is whole.

    The suffix chooses container and codec: .mp4, .mov, .mkv (H.264), .mpg (MPEG-2), .avi (MPEG-4),
    .asf, .wmv (WMV2). An odd width or height is made even by repeating the last column or row,
    because these codecs halve the colour planes; pixel coordinates stay. Colours are of limited
    range, BT.709 for HD and BT.601 below, which the header states where the codec can.

    Args:
        images: in the pixels of the file: where those are not square, the caller has squeezed them.
        fps: frames a second; MPEG-2 knows 23.976, 24, 25, 29.97, 30, 50, 59.94, 60 and some
            fractions of them.
        bit_rate: bits a second; by default H.264 at constant quality (CRF 22), the others at 0.2
            bit a pixel. [our choice]
        pixel_aspect: width of a pixel over its height, for the header; reduced to terms of 255 at
            most.
        size: width and height of the file in px, to which the images are scaled bilinearly on the
            way into the encoder's colours, a tenth of the time of scaling them before; by default
            their own.

    Raises:
        UserError: another suffix, a rate or a ratio that the codec refuses, no image, or the disk
            is full.
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
    wanted = first.shape[1::-1] if size is None else size
    width, height = (side + side % 2 for side in wanted)
    if not 0 < pixel_aspect < math.inf:
        raise UserError(f"{path}: a pixel cannot be {pixel_aspect:g} as wide as high")
    aspect = Fraction(pixel_aspect).limit_denominator(255)
    shape = aspect * width / height
    if codec == "mpeg2video" and aspect != 1 and shape not in MPEG2_SHAPES:
        raise UserError(
            f"{path}: MPEG-2 states square pixels or frames of 4:3, 16:9 and 2.21:1, and"
            f" {width}x{height} px of {aspect} would be {float(shape):.3f}:1; write .mp4 or .mkv"
        )
    with (
        atomic_path(path) as temporary,
        av.open(str(temporary), mode="w", format=container_name) as container,
    ):
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        matrix = usual_matrix(width, height)
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = ColorRange.MPEG
        if codec == "libx264":
            effort = {"crf": "22", "preset": "veryfast"} if bit_rate is None else AT_A_BIT_RATE
            stream.options = REPRODUCIBLE | effort
        if codec != "libx264" or bit_rate is not None:
            stream.bit_rate = bit_rate or int(0.2 * stream.width * stream.height * rate)
        scaled = None if size is None else (width, height)
        for frame in chain(_frames(chain([first], images), rate, matrix, scaled), [None]):
            try:
                packets = stream.encode(frame)
            except av.error.ArgumentError as error:
                raise UserError(
                    f"{path}: {codec} cannot be written at {float(rate):g} frames a second"
                ) from error
            container.mux(_stuffed(packets) if codec == "mpeg2video" else packets)


def _frames(
    images: Iterable[np.ndarray],
    rate: Fraction,
    matrix: Colorspace,
    size: tuple[int, int] | None = None,
) -> Iterator[av.VideoFrame]:
    """Images of one size as frames for an encoder: even sides, or scaled to `size`; YUV by that
    matrix, times at `rate` (Hz).
    """
    width, height = size or (None, None)
    reformatter, shape = VideoReformatter(), None
    for index, image in enumerate(images):
        shape = shape or image.shape
        if image.shape != shape:
            raise ValueError(f"image {index} has shape {image.shape}, the first had {shape}")
        if size is None and any(side % 2 for side in image.shape[:2]):
            image = np.pad(
                image, ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)), mode="edge"
            )
        rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = reformatter.reformat(
            rgb, width, height, "yuv420p", dst_colorspace=matrix, interpolation=BILINEAR
        )
        frame.pts, frame.time_base = index, 1 / rate
        yield frame


def _stuffed(packets: Iterable[Packet]) -> list[Packet]:
    """MPEG-2 frames that fill a pack each, and key frames two: zeros behind them, which decoders
    skip. So no two frames begin within one pack.
    """
    filled = []
    for packet in packets:
        least = 2 * PACK if packet.is_keyframe else PACK
        content = Packet(bytes(packet).ljust(least, b"\0"))
        content.stream, content.is_keyframe = packet.stream, packet.is_keyframe
        content.pts, content.dts, content.time_base = packet.pts, packet.dts, packet.time_base
        filled.append(content)
    return filled


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
    context.colorspace, context.color_range = Colorspace.SMPTE170M, ColorRange.MPEG
    if math.isfinite(pixel_aspect) and pixel_aspect != 1:
        context.sample_aspect_ratio = Fraction(pixel_aspect).limit_denominator(255)
    if H264 == "libx264":
        stream.options = {"qp": "20", "preset": "veryfast", "sc_threshold": "0"}
    else:
        stream.bit_rate = int(0.2 * image.shape[0] * image.shape[1] * 25)
    return stream
