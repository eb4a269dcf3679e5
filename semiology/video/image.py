"""A decoded frame as an image: upright, RGB as the file declares it, in square pixels; and how far
an image is from grey, by which night infrared is distinguished from day.

Everything that looks at a frame sees square pixels: the shorter axis of the stored pixels is
enlarged once, here, and nothing is shrunk. [our choice]
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from scipy.ndimage import median_filter

from semiology.errors import UserError

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
# matrices of Y, U and V that FFmpeg converts, by their number in a frame [ITU-T H.273, table 4]:
# RGB (none), BT.709, FCC, BT.601 (625 and 525 lines), SMPTE 240M, BT.2020. It refuses 3, 8 and 10
# to 17 [R: FFmpeg 8.1.2]
CONVERTED = (0, 1, 4, 5, 6, 7, 9)
BT2020_CONSTANT = 10  # of constant luminance; its weights are those of BT.2020
# from this stored width on, or above this number of lines, a file that declares nothing is BT.709,
# else BT.601 [as players do: mpv's mp_csp_guess_colorspace; our choice]
HD_WIDTH, SD_LINES = 1280, 576

GREY_FORMATS = ("gray", "ya")  # as their names begin, without chroma
# limited range (16 to 235) stretched to the full one
STRETCHED = np.clip(np.round((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)

# RGB (rows) to Cb and Cr (columns), of 8-bit levels [ITU-R BT.601]
TO_CHROMA = np.array([[-0.299, 0.701], [-0.587, -0.587], [0.886, -0.114]], np.float32) / np.array(
    [1.772, 1.402], np.float32
)
SAMPLED_ROWS = 32  # of an image, for its chroma: 30 us at any size [our choice]
# chroma below which a stretch is infrared, and above which it is day. Measured: grey video of three
# clips, four codecs and three bit rates at most 0.21 (median of a clip), the same clips at a fifth
# of their brightness at least 1.3, eight real clips by day at least 7 [our choice]
GREY, COLOURED = 0.5, 1.5
SMOOTHED = 1.0  # s, of the running median of chroma [our choice]


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


def to_rgb(
    reformatter: VideoReformatter,
    decoded: VideoFrame,
    width: int | None = None,
    height: int | None = None,
    *,
    matrix: Colorspace | None = None,
) -> np.ndarray:
    """The frame as (height, width, 3) uint8 RGB, scaled in the same pass where `width` and `height`
    (px, stored) are given.

    Matrix (BT.601, BT.709, BT.2020, SMPTE 240M, FCC) and range (limited or full) are those that the
    frame declares. Where it declares no matrix, or one that FFmpeg does not convert, HD is BT.709
    and the rest BT.601. Where it declares no range, colour is limited and grey full, as in FFmpeg;
    grey that is declared limited is stretched, which FFmpeg leaves out. Alpha is dropped: a
    transparent pixel has the colour that is stored. High dynamic range is not tone mapped.

    Args:
        reformatter: of this size and format alone, as it keeps its tables.
        decoded: the frame.
        width, height: px.
        matrix: in place of the frame's own (`frame_matrix`), for one that was scaled before.
    """
    matrix = matrix or frame_matrix(decoded)
    rgb = reformatter.reformat(
        decoded, width, height, "rgb24", src_colorspace=matrix, dst_colorspace=matrix
    ).to_ndarray()
    limited = decoded.color_range == ColorRange.MPEG
    if limited and decoded.format.name.startswith(GREY_FORMATS):
        rgb = STRETCHED[rgb]
    return rgb


def frame_matrix(decoded: VideoFrame) -> Colorspace | None:
    """The matrix by which a frame is converted; None where it declares one that FFmpeg takes."""
    if decoded.colorspace == BT2020_CONSTANT:
        return Colorspace.BT2020
    if decoded.colorspace not in CONVERTED:
        return usual_matrix(decoded.width, decoded.height)
    return None


def usual_matrix(width: int, height: int) -> Colorspace:
    """The matrix of a file of that stored size (px) that declares none: BT.709 or BT.601."""
    is_hd = width >= HD_WIDTH or height > SD_LINES
    return Colorspace.ITU709 if is_hd else Colorspace.ITU601


def chroma(image: np.ndarray) -> float:
    """Mean distance of an image's colours from grey, in 8-bit levels of Cb and Cr (0: grey; 128 at
    most).

    Args:
        image: (height, width, 3) uint8 RGB; some 32 of its rows, and as sparse columns, are read.
    """
    step = max(1, min(image.shape[:2]) // SAMPLED_ROWS)
    distance = image[::step, ::step].reshape(-1, 3).astype(np.float32) @ TO_CHROMA
    return float(np.sqrt(np.einsum("ij,ij->i", distance, distance)).mean())


def is_infrared(chroma: np.ndarray, fps: float) -> np.ndarray:
    """Whether each frame was filmed in night infrared: (time,) bool.

    Infrared cameras record grey. Chroma is smoothed by a median over a second; infrared begins
    where it falls below `GREY` and ends where it rises above `COLOURED`. What comes before the
    first frame that is either belongs to it. A missing frame belongs to what came before. Where
    nothing is either, or nothing is known, it is day.

    Args:
        chroma: (time,), of successive frames; NaN where one is missing.
        fps: frames a second.
    """
    known = np.flatnonzero(np.isfinite(chroma))
    infrared = np.zeros(len(chroma), bool)
    if not known.size:
        return infrared
    window = max(1, round(SMOOTHED * fps))
    smoothed = median_filter(np.asarray(chroma, float)[known], window, mode="nearest")
    decided = np.flatnonzero((smoothed < GREY) | (smoothed > COLOURED))
    if not decided.size:
        return infrared
    last = np.searchsorted(known[decided], np.arange(len(chroma)), side="right") - 1
    return (smoothed[decided] < GREY)[np.maximum(last, 0)]


def infrared_fraction(chroma: np.ndarray, fps: float) -> float:
    """Fraction of the frames that are there (chroma not NaN) that are infrared, 0 to 1; NaN where
    no chroma is known. Arguments as for `is_infrared`.
    """
    known = np.isfinite(chroma)
    return float(is_infrared(chroma, fps)[known].mean()) if known.any() else float("nan")
