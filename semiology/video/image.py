"""A decoded frame as an image: upright, RGB, in square pixels.

Everything that looks at a frame sees square pixels: the shorter axis of the stored pixels is
enlarged once, here, and nothing is shrunk. [our choice]
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from semiology.errors import UserError
from semiology.video.colour import frame_matrix, to_rgb

# widest pixel that is believed, and its inverse the highest: 352x576 in 16:9 has 32:11, half
# resolutions of it twice that. [our choice]
WIDEST = Fraction(8)
# stored sizes whose pixels are not square, and their ratio in a 4:3 image by ITU-R BT.601 (analogue
# lines of 52 us in 702 of 720 samples: 12:11 for PAL, 10:11 for NTSC)
LIKELY = {
    (704, 576): "12:11",
    (720, 576): "12:11",
    (352, 576): "24:11",
    (352, 288): "12:11",
    (704, 480): "10:11",
    (720, 480): "10:11",
    (352, 480): "20:11",
    (352, 240): "10:11",
    (704, 288): "6:11",
    (704, 240): "5:11",
}


def parse_aspect(text: str) -> Fraction:
    """The width of a pixel over its height, of "W:H" with whole numbers.

    Raises:
        UserError: another form; a ratio that no camera has.
    """
    width, _, height = str(text).partition(":")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UserError(f"pixel_aspect={text}: give W:H in whole numbers, as 12:11")
    aspect = Fraction(int(width), int(height))
    if not plausible(aspect):
        raise UserError(f"pixel_aspect={text}: no camera has such pixels; give {WIDEST}:1 or less")
    return aspect


def ratio(aspect: Fraction) -> str:
    """A pixel aspect ratio as text, "W:H", which `parse_aspect` reads."""
    return f"{aspect.numerator}:{aspect.denominator}"


def plausible(aspect: Fraction) -> bool:
    """Whether a stated ratio can be one of a camera's pixels."""
    return 1 / WIDEST <= aspect <= WIDEST


def likely_aspect(width: int, height: int, aspect: Fraction) -> str | None:
    """The ratio, "W:H", that a file of this stored size most likely has where it states square
    pixels or none; None where square ones are as likely.
    """
    return LIKELY.get((width, height)) if aspect == 1 else None


def square_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Width and height, px, of a stored frame in square pixels: one is enlarged, none shrunk."""
    if aspect >= 1:
        return round(width * aspect), height
    return width, round(height / aspect)


def _fitted(size: tuple[int, int], within: tuple[int, int]) -> tuple[int, int]:
    """The largest size of the same shape that fits in."""
    scale = min(Fraction(side, own) for side, own in zip(within, size))
    return tuple(max(1, round(side * scale)) for side in size)  # type: ignore[return-value]


class Converter:
    """Turns the decoded frames of one video into upright RGB arrays.

    One object serves the whole video, to save memory: a PyAV frame that converts itself starts
    threads of its own, and one whose side data was read refers to itself; both stay in memory until
    Python's garbage collector runs. So the display matrix is read once.
    """

    def __init__(self) -> None:
        self._reformatter, self._scaler = VideoReformatter(), VideoReformatter()
        self._matrix: tuple[float, tuple[int, int, int, int]] | None = (
            None  # the rotation that a frame states, and its display matrix
        )

    def __call__(
        self, decoded: VideoFrame, aspect: Fraction, within: tuple[int, int] | None = None
    ) -> np.ndarray:
        """The frame as (height, width, 3) uint8 RGB in square pixels, turned upright (and mirrored)
        by its display matrix.

        Args:
            decoded: as decoded, or deinterlaced.
            aspect: width of a stored pixel over its height.
            within: (width, height) px, upright; the image is scaled in the same pass, without
                distortion, to the largest that fits in.
        """
        if self._matrix is None or self._matrix[0] != decoded.rotation:
            self._matrix = decoded.rotation, _matrix(decoded)
        a, b, c, d = self._matrix[1]
        turned = abs(b) > abs(a)
        size = square_size(decoded.width, decoded.height, aspect)
        if within is not None:
            size = _fitted(size, within[::-1] if turned else within)
        if size != (decoded.width, decoded.height) and decoded.format.name.startswith("yuv"):
            # scaled first, it has the colours of a file stored in that size; FFmpeg's single pass
            # is up to a level off, and slower
            matrix = frame_matrix(decoded)
            decoded = self._scaler.reformat(decoded, *size)
            image = to_rgb(self._reformatter, decoded, matrix=matrix)
        else:
            image = to_rgb(self._reformatter, decoded, *size)
        if turned:
            image = image.transpose(1, 0, 2)  # what is stored as y is shown as x
        flip_x, flip_y = (c < 0, b < 0) if turned else (a < 0, d < 0)
        if flip_x:
            image = image[:, ::-1]
        if flip_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


def rotation(decoded: VideoFrame) -> int:
    """Degrees clockwise by which the stored frame is turned to stand upright: 0, 90, 180 or 270."""
    a, b, _, _ = _matrix(decoded)
    return round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360


def _matrix(decoded: VideoFrame) -> tuple[int, int, int, int]:
    """The display matrix's a, b, c, d: shown x = a x + c y, shown y = b x + d y."""
    matrix: Any = decoded.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    return a, b, c, d
