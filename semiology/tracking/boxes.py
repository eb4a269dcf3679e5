"""Geometry of boxes, x0, y0, x1, y1 in px: centre, side, overlap, squares, unions, scaling,
clipping.

Where a function takes `box`, it takes one box (4,); where it takes `boxes`, any shape (..., 4) or a
sequence of boxes.
"""

from collections.abc import Sequence

import numpy as np


def centre(box: np.ndarray) -> np.ndarray:
    """Centre (x, y) of a box, px."""
    return (box[:2] + box[2:]) / 2


def sides(boxes: np.ndarray) -> np.ndarray:
    """Boxes (..., 4) to the sides (...) of the squares of the same areas, px."""
    return np.sqrt(np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 1e-6), axis=-1))


def side(box: np.ndarray) -> float:
    """Side of the square of the same area as a box, px."""
    return float(sides(box))


def distance(box: np.ndarray, reference: np.ndarray) -> float:
    """Distance between the centres of two boxes, in sides of the reference box."""
    return float(np.linalg.norm(centre(box) - centre(reference)) / side(reference))


def is_same_head(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two boxes are of one head: centres less than one side of the larger apart."""
    return heads_apart(first, second) < 1


def heads_apart(first: np.ndarray, second: np.ndarray) -> float:
    """Distance between the centres of two heads, in sides of the larger one."""
    apart = np.linalg.norm(centre(first) - centre(second))
    return float(apart / max(side(first), side(second)))


def iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boxes, 0 to 1; 0 for two empty ones."""
    common = np.prod(
        np.maximum(np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]), 0)
    )
    total = np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]) - common
    return float(common / total) if total > 0 else 0.0


def holds(box: np.ndarray, point: np.ndarray) -> bool:
    """Whether a point (x, y) px lies in a box, its edges included."""
    return bool((box[:2] <= point).all() and (point <= box[2:]).all())


def is_inside(box: np.ndarray, outer: np.ndarray) -> bool:
    """Whether a box lies completely in another one."""
    return bool((box[:2] >= outer[:2]).all() and (box[2:] <= outer[2:]).all())


def square(box: np.ndarray, length: float) -> np.ndarray:
    """The square with sides of `length` px around a box's centre."""
    return np.concatenate([centre(box) - length / 2, centre(box) + length / 2])


def squares(boxes: np.ndarray) -> np.ndarray:
    """Boxes (box, 4) with the shorter sides made as long as the longer ones, around the same
    centres, in the arrays' own precision.
    """
    size = boxes[:, 2:] - boxes[:, :2]
    longer, half = size.max(axis=1, keepdims=True), boxes.dtype.type(0.5)
    corner = boxes[:, :2] + size * half - longer * half
    return np.concatenate([corner, corner + longer], axis=1)


def around(points: np.ndarray) -> np.ndarray:
    """The smallest box (4,) around points (point, 2) px."""
    return np.concatenate([points.min(0), points.max(0)])


def union(boxes: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """The smallest box (4,) around boxes (box, 4)."""
    stacked = np.stack(list(boxes))
    return np.concatenate([stacked[:, :2].min(0), stacked[:, 2:].max(0)])


def scaled(boxes: np.ndarray, factor: float) -> np.ndarray:
    """Boxes (..., 4) of `factor` times the width and height, around the same centres."""
    low, high = boxes[..., :2], boxes[..., 2:]
    more = (factor - 1) / 2 * (high - low)
    return np.concatenate([low - more, high + more], axis=-1)


def grown(box: np.ndarray, margin: float) -> np.ndarray:
    """A box with each edge moved outwards by `margin` px."""
    return box + np.array([-margin, -margin, margin, margin])


def clipped(box: np.ndarray, width: float, height: float) -> np.ndarray:
    """The part of a box that lies in an image of `width` times `height` px."""
    return np.clip(box, 0, [width, height, width, height])


def whole(width: float, height: float) -> np.ndarray:
    """The box of a whole image of `width` times `height` px, as floats."""
    return np.array([0.0, 0.0, width, height])


def to_whole_pixels(boxes: Sequence[np.ndarray], width: int, height: int) -> np.ndarray:
    """Boxes (box, 4) rounded outwards to whole px and clipped to the image, as int; empty boxes,
    duplicates, and boxes inside another one are left out.
    """
    rows: list[np.ndarray] = []
    for box in boxes:
        outward = np.concatenate([np.floor(box[:2]), np.ceil(box[2:])])
        row = clipped(outward, width, height).astype(int)
        if (row[2:] > row[:2]).all() and not any(is_inside(row, other) for other in rows):
            rows = [*(other for other in rows if not is_inside(other, row)), row]
    return np.array(rows, int).reshape(-1, 4)
