"""Landmarks of a body, a face and a hand in a region of interest, and the regions in which to look
for them: around a detection, or around the landmarks of the last frame.

All of it repeats MediaPipe's graphs [C].
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.special import expit

from semiology.tracking.blazepose.networks import Network
from semiology.tracking.blazepose.regions import Region, direction, turned

BODY_SCALE = 1.25  # side of the body's region, in diameters of the circle around it [C]
FACE_SCALE = 1.5  # side of the face's region, in longer sides of its box [C]
# side of the hand's region, in longer sides of the palm's box or of its landmarks', and how far it
# is moved towards the fingers, in sides of that box [C]
PALM_SCALE, PALM_SHIFT = 2.6, 0.5
HAND_SCALE, HAND_SHIFT = 2.0, 0.1
# of the circle's filter: its least cutoff, Hz, what a diameter a second adds to it, and that of
# the speed [C]
LEAST_CUTOFF, CUTOFF_BY_SPEED, SPEED_CUTOFF = 0.01, 10.0, 1.0
UP, RIGHT = np.pi / 2, 0.0  # the direction of a line in an upright region, rad
# cells of a heatmap, to either side of a landmark, lowest peak. MediaPipe's graph says 3, but its
# Python interface runs 4 [C; measured on 0.10.21, see findings/]
HEATMAP, KERNEL, LEAST_PEAK = 64, 4, 0.5
# of `FaceLandmarks`, as face tracks state it in their attribute `face_mesh`; version 1 had the same
# points in slightly other places
MESH_VERSION = "v2"
EYES = 33, 263  # outer corners of the right and the left eye in the mesh [C]
# wrist and the fingers' joints but the outer two [C]
PALM = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)


@dataclass(frozen=True)
class Found:
    """Landmarks in one image.

    Attributes:
        position: (landmark, 2) px of the image.
        visibility: (landmark,) 0 to 1; of bodies alone, else empty.
        metres: (landmark, 3) x to the right, y down, z away from the camera; None for faces.
        depth: (landmark,) px, z in the image's scale; of faces alone, else empty.
        score: that the region shows such a part, 0 to 1.
        next: the region in which to look in the next frame.
        circle: (2, 2) px, the middle of the hips and a point of the circle around the body, from
            which `next` follows; of bodies alone, else empty.
        handedness: that a hand is a right one, 0 to 1; of hands alone, else None.
    """

    position: np.ndarray
    score: float
    next: Region
    circle: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    visibility: np.ndarray = field(default_factory=lambda: np.zeros(0))
    metres: np.ndarray | None = None
    depth: np.ndarray = field(default_factory=lambda: np.zeros(0))
    handedness: float | None = None


class BodyLandmarks:
    """33 landmarks of the body (`data.keypoint_names.BODY`) in a region.

    Args:
        name: of the published network, pose_landmark_lite, _full or _heavy.
        file: in place of it, a .tflite or .task file.
    """

    def __init__(self, name: str = "pose_landmark_full", file: Path | None = None) -> None:
        self._network = Network(name, (0, 1, 3, 4), file)

    def __call__(self, image: np.ndarray, region: Region) -> Found:
        """Landmarks of the body that the region shows, whatever it shows: see its `score`."""
        flat, score, heatmap, metres = self._network(region.crop(image, self._network.layout.side))
        marks = flat.reshape(39, 5)
        points = refined(marks[:, :2] / self._network.layout.side, heatmap)
        position = region.to_image(points)
        metres = metres.reshape(39, 3)[:33].copy()
        metres[:, :2] = turned(metres[:, :2], region.angle)
        return Found(
            position[:33],
            float(score[0]),
            body_region(position[33], position[34]),
            circle=position[33:35],
            visibility=expit(marks[:33, 3]),
            metres=metres,
        )


def refined(points: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Landmarks (landmark, 2) in sides of the region, moved to the middle of their heatmap's mass
    in the 9 by 9 cells around them, where its peak there is a probability of at least one half.

    Args:
        points: as the network places them.
        heatmap: its logits, row by row, (64 * 64 * landmark,).
    """
    cells = heatmap.reshape(HEATMAP, HEATMAP, -1)
    points = points.copy()
    places = np.trunc(points * HEATMAP).astype(int)
    first, last = np.maximum(places - KERNEL, 0), np.minimum(places + KERNEL + 1, HEATMAP)
    inside = ((places >= 0) & (places < HEATMAP)).all(axis=1, keepdims=True)
    size = np.where(inside, last - first, 0)
    # windows of one size at once, which adds their cells in the order of a single one
    for width, height in {(wide, high) for wide, high in size.tolist() if wide}:
        own = np.flatnonzero((size == (width, height)).all(axis=1))
        x, y = first[own, :1] + np.arange(width), first[own, 1:] + np.arange(height)
        mass = expit(cells[y[:, :, None], x[:, None, :], own[:, None, None]])
        total = mass.reshape(len(own), -1).sum(axis=1) * HEATMAP
        across, down = mass.sum(axis=1), mass.sum(axis=2)
        for one in np.flatnonzero(mass.max(axis=(1, 2)) >= LEAST_PEAK):
            points[own[one]] = across[one] @ x[one] / total[one], down[one] @ y[one] / total[one]
    return points


def body_region(centre: np.ndarray, rim: np.ndarray) -> Region:
    """The region of a body, whose hips' middle lies at `centre` and which a circle through `rim`,
    above its head, goes around; both (x, y) px.
    """
    side = 2 * BODY_SCALE * float(np.linalg.norm(rim - centre))
    return Region(centre, side, direction(centre, rim, UP))


class SteadyCircle:
    """The circle around a body, smoothed from frame to frame, so that the region of the next frame
    does not tremble with it: a One Euro filter [P: Casiez et al. 2012], as MediaPipe runs it also
    where the smoothing of its landmarks is off [C; measured on its 0.10.21].
    """

    def __init__(self) -> None:
        self._last: tuple[float, np.ndarray, np.ndarray, np.ndarray] | None = None

    def __call__(self, time: float, circle: np.ndarray) -> Region:
        """The next region, by the circle (2, 2) px at a time in s, later than the last one."""
        if self._last is None or time <= self._last[0]:
            self._last = time, circle, circle, np.zeros_like(circle)
            return body_region(*circle)
        before, raw, smooth, speed = self._last
        rate = 1 / (time - before)
        size = 2 * float(np.linalg.norm(circle[1] - circle[0]))
        speed = _mixed(SPEED_CUTOFF, rate, (circle - raw) / size * rate, speed)
        smooth = _mixed(LEAST_CUTOFF + CUTOFF_BY_SPEED * np.abs(speed), rate, circle, smooth)
        self._last = time, circle, smooth, speed
        return body_region(*smooth)


def _mixed(cutoff: np.ndarray | float, rate: float, new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """A step of a low-pass of first order, with its cutoff and the frame rate in Hz."""
    weight = 1 / (1 + rate / (2 * np.pi * cutoff))
    return weight * new + (1 - weight) * old


class FaceLandmarks:
    """478 landmarks of a face (`data.keypoint_names.MESH`) in a region, by version 2 of the mesh.

    Args:
        file: a face_landmarker.task of the user's own; None is the published network.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._network = Network("face_landmarks", (0, 1), file)

    def __call__(self, image: np.ndarray, region: Region) -> Found:
        """Landmarks of the face that the region shows, whatever it shows: see its `score`."""
        side = self._network.layout.side
        flat, logit = self._network(region.crop(image, side))
        return face_found(flat.reshape(478, 3) / side, float(logit[0]), region)


def face_found(mesh: np.ndarray, logit: float, region: Region) -> Found:
    """A face by its landmarks (478, 3) in sides of the region, x, y and z, and by the logit of
    its presence.
    """
    position = region.to_image(mesh[:, :2])
    return Found(
        position,
        float(expit(logit)),
        around_line(position, position[EYES[0]], position[EYES[1]], RIGHT, FACE_SCALE),
        depth=mesh[:, 2] * region.side,
    )


class HandLandmarks:
    """21 landmarks of a hand (`data.keypoint_names.HAND`) in a region."""

    def __init__(self) -> None:
        self._network = Network("hand_landmark", (0, 1, 2, 3))

    def __call__(self, image: np.ndarray, region: Region) -> Found:
        """Landmarks of the hand that the region shows, whatever it shows: see its `score`."""
        side = self._network.layout.side
        flat, score, handedness, metres = self._network(region.crop(image, side))
        position = region.to_image(flat.reshape(21, 3)[:, :2] / side)
        metres = metres.reshape(21, 3).copy()
        metres[:, :2] = turned(metres[:, :2], region.angle)
        return Found(
            position,
            float(score[0]),
            hand_region(position),
            metres=metres,
            handedness=float(handedness[0]),
        )


def palm_region(box: np.ndarray, keypoints: np.ndarray) -> Region:
    """The region of a hand by the detection of its palm: box (4,) and keypoints (7, 2) px."""
    angle = direction(keypoints[0], keypoints[2], UP)
    return shifted((box[:2] + box[2:]) / 2, box[2:] - box[:2], angle, PALM_SCALE, PALM_SHIFT)


def hand_region(position: np.ndarray) -> Region:
    """The region of a hand by its landmarks (21, 2) px in the last frame."""
    fingers = (position[6] + position[14]) / 2  # of index and ring finger
    angle = direction(position[0], (fingers + position[10]) / 2, UP)
    centre, size = turned_box(position[list(PALM)], angle)
    return shifted(centre, size, angle, HAND_SCALE, HAND_SHIFT)


def around_line(
    points: np.ndarray, start: np.ndarray, end: np.ndarray, upright: float, scale: float
) -> Region:
    """The region around points (point, 2) px, upright where a line from `start` to `end` runs at
    the angle `upright`; its side is `scale` times the longer side of their box.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    return Region((low + high) / 2, scale * float(max(high - low)), direction(start, end, upright))


def turned_box(points: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Centre and size of the box around points (point, 2) px that is turned by an angle, rad."""
    upright = turned(points, -angle)
    low, high = upright.min(axis=0), upright.max(axis=0)
    return turned((low + high) / 2, angle), high - low


def shifted(
    centre: np.ndarray, size: np.ndarray, angle: float, scale: float, shift: float
) -> Region:
    """A turned box moved upwards by `shift` of its height, and made a square of `scale` times its
    longer side.
    """
    moved = centre + turned(np.array([0.0, -shift * size[1]]), angle)
    return Region(moved, scale * float(max(size)), angle)
