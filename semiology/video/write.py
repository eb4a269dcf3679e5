"""Images to a video file."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

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

    The suffix chooses container and codec: .mp4, .mov, .mkv (H.264), .mpg (MPEG-1), .avi (MPEG-4), .asf, .wmv (WMV2). An odd width or
    height is made even by repeating the last column or row, because these codecs halve the colour planes; pixel coordinates stay.

    Args:
        fps: frames a second; MPEG-1 knows 23.976, 24, 25, 29.97, 30, 50, 59.94 and 60 only.
        bit_rate: bits a second; by default H.264 at constant quality (CRF 20), the others at 0.2 bit a pixel. [our choice]

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
    with atomic_path(path) as temporary, av.open(str(temporary), mode="w", format=container_name) as container:
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
                raise ValueError(f"image {index} has shape {image.shape}, the first had {first.shape}")
            image = np.pad(image, ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)), mode="edge")
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = index, 1 / rate
            try:
                container.mux(stream.encode(frame))
            except av.error.ArgumentError as error:
                raise UserError(f"{path}: {codec} cannot be written at {float(rate):g} frames a second") from error
        container.mux(stream.encode(None))
