"""Images to a video file."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from semiology.errors import UserError
from semiology.files import atomic_path

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


def write_video(path: str | Path, images: Iterable[np.ndarray], fps: float, *, bit_rate: int | None = None) -> None:
    """Encode images, (height, width, 3) uint8 RGB and all of one size, as they come; the file appears when it is whole.

    The suffix chooses container and codec: .mp4, .mov, .mkv (H.264), .mpg (MPEG-1), .avi (MPEG-4), .asf, .wmv (WMV2). Odd sizes get their last
    row or column repeated, because these codecs halve the colour planes: pixel coordinates stay as they are.

    Args:
        fps: frames a second; MPEG-1 allows 23.976, 24, 25, 29.97, 30, 50, 59.94 and 60 only.
        bit_rate: bits a second; by default H.264 at constant quality (CRF 20), the others at 0.2 bit a pixel. [our choice]

    Raises:
        UserError: another suffix, a rate that the codec refuses, no image, or the disk is full.
    """
    path = Path(path)
    if path.suffix.lower() not in WRITERS:
        raise UserError(f"{path}: cannot write this kind of video; use one of {', '.join(WRITERS)}")
    container_name, codec = WRITERS[path.suffix.lower()]
    rate = Fraction(fps).limit_denominator(1001)
    with atomic_path(path) as temporary:
        with av.open(str(temporary), "w", format=container_name) as container:
            stream = None
            for index, image in enumerate(images):
                height, width = image.shape[:2]
                if height % 2 or width % 2:
                    image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
                if stream is None:
                    stream = container.add_stream(codec, rate=rate)
                    stream.height, stream.width = image.shape[:2]
                    stream.pix_fmt = "yuv420p"
                    stream.time_base = 1 / rate
                    if bit_rate is not None or codec != "libx264":
                        stream.bit_rate = bit_rate or int(0.2 * stream.width * stream.height * rate)
                    else:
                        stream.options = {"crf": "20", "preset": "veryfast"}
                elif image.shape[:2] != (stream.height, stream.width):
                    raise ValueError(f"image {index} is {width}x{height} px, the first was {stream.width}x{stream.height}")
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
                frame.pts = index
                frame.time_base = 1 / rate
                try:
                    container.mux(stream.encode(frame))
                except av.error.ArgumentError as error:
                    raise UserError(f"{path}: {codec} cannot be written at {float(rate):g} frames a second") from error
            if stream is None:
                raise UserError(f"{path}: there is no image to write")
            container.mux(stream.encode())
