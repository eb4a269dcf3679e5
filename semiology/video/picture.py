"""One decoded picture to an upright RGB array."""

import math
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter


class Converter:
    """Turns the decoded pictures of one video into upright RGB arrays.

    One object serves the whole video, for the sake of memory: a picture that converts itself starts threads of its own, and one whose
    side data was read refers to itself; both then pile up until Python's collector comes by. So the display matrix is read once.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._matrix: tuple[float, tuple[int, int, int, int]] | None = None  # the rotation that a picture tells, and its display matrix

    def __call__(self, picture: VideoFrame, width: int | None = None, height: int | None = None) -> np.ndarray:
        """The picture as (height, width, 3) uint8 RGB, turned upright as its display matrix says (and mirrored, where that mirrors).

        With `width` and `height` (px, upright) it is scaled to that size in the same pass.
        """
        if self._matrix is None or self._matrix[0] != picture.rotation:
            self._matrix = picture.rotation, _matrix(picture)
        a, b, c, d = self._matrix[1]
        turned = abs(b) > abs(a)
        if turned:
            width, height = height, width
        image = self._reformatter.reformat(picture, width, height, "rgb24").to_ndarray()
        if turned:
            image = image.transpose(1, 0, 2)  # what is stored as y is shown as x
        flip_x, flip_y = (c < 0, b < 0) if turned else (a < 0, d < 0)
        if flip_x:
            image = image[:, ::-1]
        if flip_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


def rotation(picture: VideoFrame) -> int:
    """Degrees clockwise by which the stored picture is turned to stand upright: 0, 90, 180 or 270."""
    a, b, _, _ = _matrix(picture)
    return round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360


def _matrix(picture: VideoFrame) -> tuple[int, int, int, int]:
    """The display matrix's a, b, c, d: shown x = a x + c y, shown y = b x + d y."""
    matrix: Any = picture.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    return a, b, c, d
