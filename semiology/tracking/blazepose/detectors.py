"""People, faces and palms in a whole image, by the single-shot detectors of BlazePose's family.

Each detector scores boxes around fixed anchors and places a few keypoints with each; boxes that
overlap are averaged by their scores, as in MediaPipe's graphs [C].
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from semiology.tracking.blazepose.networks import Network
from semiology.tracking.blazepose.regions import Region, around_box
from semiology.tracking.boxes import whole

OVERLAP = 0.3  # IoU above which two boxes are one detection [C]


@dataclass(frozen=True)
class Kind:
    """A detector's network.

    Attributes:
        network: its name.
        anchors: cells in a row and anchors in each cell, of each feature map [C].
        keypoints: placed with each box.
        threshold: lowest score of a detection [C].
    """

    network: str
    anchors: tuple[tuple[int, int], ...]
    keypoints: int
    threshold: float


# keypoints: middle of the hips, end of a circle around the body, middle of the shoulders, end of a
# circle around the upper body
PEOPLE = Kind("pose_detection", ((28, 2), (14, 2), (7, 6)), 4, 0.5)
# keypoints: right eye, left eye, tip of the nose, mouth, right ear, left ear
NEAR_FACES = Kind("face_detection_short_range", ((16, 2), (8, 6)), 6, 0.5)
FACES = Kind("face_detection_full_range", ((48, 1),), 6, 0.6)
# keypoints: wrist, first joints of index, middle, ring and little finger, of the thumb, its base
PALMS = Kind("palm_detection", ((24, 2), (12, 6)), 7, 0.5)


@dataclass(frozen=True)
class Detections:
    """Detections in one image, the best first: boxes (detection, 4) as x0, y0, x1, y1 px, keypoints
    (detection, keypoint, 2) px and scores (detection,) 0 to 1.

    Boxes and keypoints are those of the upright image, also where a turned one was looked at; boxes
    then hold the turned box.
    """

    boxes: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)


class Detector:
    """One of the detectors, on one core.

    Args:
        kind: `PEOPLE`, `FACES`, `NEAR_FACES` or `PALMS`.
        threshold: lowest score of a detection; None is MediaPipe's.
    """

    def __init__(self, kind: Kind, threshold: float | None = None) -> None:
        self.kind = kind
        self.threshold = kind.threshold if threshold is None else threshold
        self._network = Network(kind.network, (0, 1))
        self._anchors = anchors(kind.anchors)

    def __call__(self, image: np.ndarray, region: Region | None = None) -> Detections:
        """Detect in an RGB image (height, width, 3) uint8, or in a region of it; what lies outside
        the image is black.
        """
        region = region or around_box(whole(image.shape[1], image.shape[0]))
        side = self._network.layout.side
        values, logits = self._network(region.crop(image, side, black=True))
        scores = expit(logits)
        likely = np.flatnonzero(scores >= self.threshold)
        values = values.reshape(len(scores), -1, 2)[likely] / side
        values[:, 0] += self._anchors[likely]
        values[:, 2:] += self._anchors[likely, None]
        points, scores = averaged(values, scores[likely])
        centre, half = points[:, 0], points[:, 1] / 2
        corners = np.stack(
            [centre - half, centre + half * (1, -1), centre + half, centre + half * (-1, 1)], axis=1
        )
        corners, keypoints = region.to_image(corners), region.to_image(points[:, 2:])
        boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        return Detections(boxes, keypoints, scores)


def anchors(maps: Sequence[tuple[int, int]]) -> np.ndarray:
    """Centres (anchor, 2) of the anchors, in sides of the input: the middle of each cell, as often
    as it has anchors, row by row.
    """
    found = []
    for cells, repeats in maps:
        middles = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(middles, middles, indexing="ij")
        found.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), repeats, axis=0))
    return np.concatenate(found).astype(np.float32)


def averaged(points: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Detections that overlap, averaged by their scores (weighted non-maximum suppression).

    Args:
        points: (box, 2 + keypoint, 2): centre, size, and keypoints of each box.
        scores: (box,).

    Returns:
        The same of the detections kept, the best first, each with its best score.
    """
    kept, left = [], np.argsort(-scores, kind="stable")
    while len(left):
        low, high = (points[left, 0] + sign * points[left, 1] / 2 for sign in (-1, 1))
        common = np.maximum(np.minimum(high, high[0]) - np.maximum(low, low[0]), 0).prod(axis=1)
        area = points[left, 1].prod(axis=1)
        same = common / np.maximum(area + area[0] - common, 1e-9) > OVERLAP
        same[0] = True
        weights = scores[left[same]]
        mean = np.tensordot(weights / weights.sum(), points[left[same]], axes=1)
        kept.append((mean, scores[left[0]]))
        left = left[~same]
    if not kept:
        return points[:0], scores[:0]
    return np.stack([mean for mean, _ in kept]), np.array([score for _, score in kept])
