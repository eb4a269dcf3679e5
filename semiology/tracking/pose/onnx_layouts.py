"""Layouts of ONNX body networks: what their inputs have to be, and how people are read from their
outputs, in px of the input.

| layout | networks | outputs, K keypoints | reads |
|---|---|---|---|
| simcc | RTMPose, RTMW, DWPose | (1, K, x bins) and (1, K, y bins) | a crop of one person |
| heatmap, heatmap-msra | ViTPose; HRNet, SimpleBaseline | (1, K, height, width) | a crop |
| yolo | YOLO-pose of Ultralytics | (1, 5 + 3K, N), or turned | the patient's region |
| yolo-nms | the same, exported with NMS | (1, N, 6 + 3K) | the patient's region |
| rtmo | RTMO | (1, N, 5) and (1, N, K, 3) | the patient's region |

Sources [C]: MMPose's codecs and configs (simcc_label, udp_heatmap, msra_heatmap; rtmpose, rtmo),
Ultralytics' predictor. An index of a pixel is its centre there, so that half a pixel is added:
positions count from the image's corner, as everywhere here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.ops import nms

from semiology.errors import UserError

Size = tuple[int, int]  # width and height of the input, px
IMAGENET = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # mean and std [C]
LEAST_SCORE, OVERLAP = 0.25, 0.7  # of a person, and of boxes that are one person's [C: Ultralytics]
BINS = 3  # on each side of SimCC's peak that its parabola goes through [our choice]
AFTER_NMS = 1000  # more rows than a network with NMS in its graph gives [our choice]


@dataclass(frozen=True)
class People:
    """The people in a network's input, px of the input, the likeliest first.

    Attributes:
        boxes: (person, 4).
        scores: (person,).
        position: (person, keypoint, 2).
        confidence: (person, keypoint), 0 to 1.
    """

    boxes: np.ndarray
    scores: np.ndarray
    position: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True)
class Layout:
    """How a kind of networks is fed and read.

    Attributes:
        read: its outputs and the size of its input -> people.
        of_one: whether the input is a crop of one person.
        mean, std: an input value is (pixel - mean) / std, red, green and blue of 0 to 255.
        channels: "rgb" or "bgr".
        beyond: grey level beyond the image.
    """

    read: Callable[[Sequence[np.ndarray], Size], People]
    of_one: bool
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channels: str = "rgb"
    beyond: int = 0


def read_simcc(outputs: Sequence[np.ndarray], size: Size) -> People:
    """Positions along each axis apart: bin / split ratio is a pixel's index [C]. The peak is the
    top of the parabola through the highest bin and those around it, finer than MMPose's, which is
    the bin. [our choice]
    """
    positions, highest = [], []
    for values, length in zip(outputs, size):
        bins = values[0].astype(float)
        peak = bins.argmax(axis=-1)
        positions.append((peak + _offset(bins, peak, BINS)) * length / bins.shape[-1] + 0.5)
        highest.append(bins.max(axis=-1))
    return _one(np.stack(positions, axis=-1), np.minimum(*highest), size)


def read_udp_heatmaps(outputs: Sequence[np.ndarray], size: Size) -> People:
    """Heatmaps whose first and last pixels are the input's (unbiased data processing)."""
    return _heatmaps(outputs[0][0], size, [(a - 1) / (b - 1) for a, b in zip(size, _wh(outputs))])


def read_msra_heatmaps(outputs: Sequence[np.ndarray], size: Size) -> People:
    """Heatmaps whose pixel i is the input's pixel i * stride."""
    return _heatmaps(outputs[0][0], size, [a / b for a, b in zip(size, _wh(outputs))])


def _wh(outputs: Sequence[np.ndarray]) -> tuple[int, ...]:
    return outputs[0].shape[:1:-1]  # (1, keypoint, height, width) -> width, height


def _heatmaps(maps: np.ndarray, size: Size, stride: Sequence[float]) -> People:
    """The peak of each map (keypoint, height, width): the top of the parabola through the
    logarithms, by which a Gaussian is found exactly. [as DARK, without its smoothing]
    """
    maps = maps.astype(float)
    keypoint = np.arange(len(maps))
    y, x = np.divmod(maps.reshape(len(maps), -1).argmax(axis=1), maps.shape[2])
    logs = np.log(np.maximum(maps, 1e-6))
    index = np.stack(
        [x + _offset(logs[keypoint, y], x), y + _offset(logs[keypoint, :, x], y)], axis=-1
    )
    return _one(index * stride + 0.5, maps[keypoint, y, x], size)


def _offset(lines: np.ndarray, peak: np.ndarray, reach: int = 1) -> np.ndarray:
    """By how much the top of the parabola through a line's highest value and its `reach` neighbours
    on each side (least squares) lies beside it; 0 where a line ends before. Lines (keypoint, n),
    peak (keypoint,).
    """
    steps = np.arange(-reach, reach + 1)
    inside = np.clip(peak, reach, lines.shape[-1] - 1 - reach)
    values = np.take_along_axis(lines, inside[:, None] + steps, axis=-1)
    squares = steps**2 - (steps**2).mean()
    slope, curve = values @ steps / (steps**2).sum(), values @ squares / (squares**2).sum()
    top = -slope / (2 * np.where(curve < 0, curve, -1))
    return np.where((curve < 0) & (inside == peak), top.clip(-reach / 2, reach / 2), 0)


def _one(position: np.ndarray, confidence: np.ndarray, size: Size) -> People:
    whole = np.array([[0.0, 0.0, *size]])
    return People(whole, np.ones(1), position[None], np.clip(confidence, 0, 1)[None])


def read_yolo(outputs: Sequence[np.ndarray], size: Size) -> People:
    """Rows of box (centre, width, height), score, and x, y, visibility of each keypoint."""
    rows = outputs[0][0].astype(float)
    rows = rows if rows.shape[1] < rows.shape[0] else rows.T
    rows = rows[rows[:, 4] >= LEAST_SCORE]
    half = rows[:, 2:4] / 2
    boxes = np.concatenate([rows[:, :2] - half, rows[:, :2] + half], axis=1)
    kept = nms(torch.from_numpy(boxes), torch.from_numpy(rows[:, 4]), OVERLAP).numpy()
    return _people(boxes[kept], rows[kept, 4], rows[kept, 5:])


def read_yolo_after_nms(outputs: Sequence[np.ndarray], size: Size) -> People:
    """Rows of box (corners), score, class, and x, y, visibility of each keypoint."""
    rows = outputs[0][0].astype(float)
    rows = rows[rows[:, 4] >= LEAST_SCORE]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")]
    return _people(rows[:, :4], rows[:, 4], rows[:, 6:])


def read_rtmo(outputs: Sequence[np.ndarray], size: Size) -> People:
    """Boxes (corners) with scores, and keypoints with theirs; NMS is in the graph."""
    found, keypoints = outputs[0][0].astype(float), outputs[1][0].astype(float)
    rows = np.flatnonzero(found[:, 4] >= LEAST_SCORE)
    rows = rows[np.argsort(-found[rows, 4], kind="stable")]
    return _people(found[rows, :4], found[rows, 4], keypoints[rows].reshape(len(rows), -1))


def _people(boxes: np.ndarray, scores: np.ndarray, keypoints: np.ndarray) -> People:
    marks = keypoints.reshape(len(boxes), -1, 3)
    return People(boxes, scores, marks[..., :2], np.clip(marks[..., 2], 0, 1))


_ZERO, _ONE, _FULL = (0.0,) * 3, (1.0,) * 3, (255.0,) * 3
LAYOUTS = {
    "simcc": Layout(read_simcc, True, *IMAGENET),
    "heatmap": Layout(read_udp_heatmaps, True, *IMAGENET),
    "heatmap-msra": Layout(read_msra_heatmaps, True, *IMAGENET),
    "yolo": Layout(read_yolo, False, _ZERO, _FULL, beyond=114),
    "yolo-nms": Layout(read_yolo_after_nms, False, _ZERO, _FULL, beyond=114),
    "rtmo": Layout(read_rtmo, False, _ZERO, _ONE, "bgr", beyond=114),
}


def layout_of(shapes: Sequence[tuple[int, ...]], size: Size) -> tuple[str, int] | None:
    """The layout of outputs with these shapes, and the number of keypoints; None where it is none
    of ours. Heatmaps are taken for UDP's.
    """
    width, height = size
    if any(tuple(shape[:1]) != (1,) for shape in shapes):
        return None
    match [shape[1:] for shape in shapes]:
        case [(count, x), (also, y)] if (
            count == also and min(x, y) > 2 * BINS and (x >= width and x * height == y * width)
        ):
            return "simcc", count
        case [(rows, 5), (also, count, 3)] if rows == also:
            return "rtmo", count
        case [(count, rows, columns)] if 2 < rows <= height and 2 < columns <= width:
            return "heatmap", count
        case [(first, second)]:
            channels = min(first, second)
            if channels >= 8 and channels % 3 == 2:
                return "yolo", (channels - 5) // 3
            if second >= 9 and second % 3 == 0 and first <= AFTER_NMS:
                return "yolo-nms", (second - 6) // 3
    return None


def check_layout(name: str) -> None:
    """Refuse a word that names no layout.

    Raises:
        UserError: it is neither "auto" nor one of `LAYOUTS`.
    """
    if name != "auto" and name not in LAYOUTS:
        raise UserError(f"onnx.layout={name}: unknown; give auto, {', '.join(LAYOUTS)}")
