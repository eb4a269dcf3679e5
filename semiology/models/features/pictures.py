"""Frames to what a snippet network sees: cut at the sides, padded to a square, made small; and a snippet's holes closed."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

RATE = 15.0  # Hz, of the frames that snippets are made of [T]
CROP = 0.05  # share of the columns that is cut off at each side [T]
SIZE = 112  # px, side of the square that networks read [T]
FRAMES = 8  # of a snippet: 0.53 s [T]


def prepare_picture(image: np.ndarray) -> np.ndarray:
    """A frame (height, width, 3) uint8 RGB to the (112, 112, 3) uint8 that a network reads.

    5 % of the columns are cut off at each side, rows or columns of black make the rest square, and the square is resized [T]. The authors
    first resize to 320 x 180 px [T]; that step is left out: the resizing here is antialiased, from whatever size [our choice].
    """
    height, width = image.shape[:2]
    side = round(CROP * width)
    cut = image[:, side : width - side]
    width = cut.shape[1]
    longer = max(height, width)
    square = np.zeros((longer, longer, 3), np.uint8)
    top, left = (longer - height) // 2, (longer - width) // 2
    square[top : top + height, left : left + width] = cut
    return np.asarray(Image.fromarray(square).resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def whole_snippet(pictures: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Prepared pictures, None where the video has a hole, to a snippet (time, 112, 112, 3) uint8; None where more than half are missing.

    A missing picture repeats the last one seen before it in the snippet, or, at the snippet's beginning, the first that is seen. So a
    snippet depends on nothing outside of it. [our choice]
    """
    seen = [number for number, picture in enumerate(pictures) if picture is not None]
    if 2 * len(seen) < len(pictures) or not seen:
        return None
    nearest = [max((place for place in seen if place <= number), default=seen[0]) for number in range(len(pictures))]
    return np.stack([pictures[place] for place in nearest])  # type: ignore[misc]
