"""Square regions of interest, turned so that their content is upright: cut out of an image, and
landmarks in them carried back to the image.

The conventions are MediaPipe's [C]: a crop's edges lie on the region's, pixels count from their
upper left corner.
"""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Region:
    """A square in an image.

    Attributes:
        centre: (x, y) px.
        side: px.
        angle: by which the square is turned, rad, clockwise in the image: 0 is upright.
    """

    centre: np.ndarray
    side: float
    angle: float = 0.0

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) in sides of the region, from its upper left corner as px of the
        image.
        """
        return self.centre + turned((points - 0.5) * self.side, self.angle)

    def crop(self, image: np.ndarray, size: int, *, black: bool = False) -> np.ndarray:
        """The region of an image (height, width, 3) uint8, scaled to (size, size, 3).

        What lies beyond the image repeats its edge, or is black.
        """
        scale = self.side / size
        cosine, sine = np.cos(self.angle) * scale, np.sin(self.angle) * scale
        corner = self.to_image(np.zeros(2))
        matrix = np.array([[cosine, -sine, corner[0]], [sine, cosine, corner[1]]])
        return cv2.warpAffine(
            image,
            matrix,
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT if black else cv2.BORDER_REPLICATE,
        )


def around_box(box: np.ndarray) -> Region:
    """The upright square with the longer side of a box (4,) px around its centre."""
    return Region((box[:2] + box[2:]) / 2, float(max(box[2:] - box[:2])))


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    """Points (..., 2) turned clockwise in the image about the origin, by rad."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return points @ np.array([[cosine, sine], [-sine, cosine]])


def direction(start: np.ndarray, end: np.ndarray, upright: float) -> float:
    """By how much a line from `start` to `end` (x, y) px is turned, rad, -pi to pi, where it would
    be 0 if it ran at the angle `upright`: 0 is to the right, pi / 2 is up.
    """
    across, down = end - start
    angle = upright - np.arctan2(-down, across)
    return float(angle - 2 * np.pi * np.floor((angle + np.pi) / (2 * np.pi)))
