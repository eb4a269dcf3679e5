"""Colours of a decoded frame: RGB as the file declares it, and how far an image is from grey, by
which night infrared is distinguished from day.
"""

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

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
    from scipy.ndimage import median_filter  # half a second, for those who read tracks

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
