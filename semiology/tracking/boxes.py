"""Geometry of boxes (x0, y0, x1, y1) in px: centre, side, distance, overlap, square, union."""

from collections.abc import Sequence

import numpy as np


def distance(box: np.ndarray, to: np.ndarray) -> float:
    """Between the centres of two boxes, in sides of the second."""
    return float(np.linalg.norm(centre(box) - centre(to)) / side(to))


def centre(box: np.ndarray) -> np.ndarray:
    """Centre (x, y) of a box x0, y0, x1, y1."""
    return (box[:2] + box[2:]) / 2


def side(box: np.ndarray) -> float:
    """Side of the square of the same area, px."""
    return float(np.sqrt(np.prod(np.maximum(box[2:] - box[:2], 1e-6))))


def iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1), 0 to 1."""
    shared = np.prod(
        np.maximum(np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]), 0)
    )
    total = np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]) - shared
    return float(shared / total) if total > 0 else 0.0


def square(box: np.ndarray, length: float) -> np.ndarray:
    """The square of a side of `length` around a box's centre."""
    return np.concatenate([centre(box) - length / 2, centre(box) + length / 2])


def union(boxes: Sequence[np.ndarray]) -> np.ndarray:
    """Box (4,) around boxes (box, 4)."""
    stacked = np.stack(boxes)
    return np.concatenate([stacked[:, :2].min(0), stacked[:, 2:].max(0)])
