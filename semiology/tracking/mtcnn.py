"""MTCNN (Zhang et al. 2016): three small networks look for faces, each at fewer places and closer
than the one before.

Networks and weights are facenet-pytorch's. The way through them is ours, since its own takes most
of its time outside them: here one table of sums makes the image's scaled copies and cut-outs, and
pooling takes maxima of shifted copies. Both are exact, so that boxes and probabilities are
facenet-pytorch's to the last bit.
"""

from collections.abc import Sequence
from functools import reduce

import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from torch import nn
from torch.nn import functional
from torchvision.ops import nms

LEAST = (
    0.6,
    0.7,
    0.7,
)  # least probability of a face by each network; facenet-pytorch's, as are all constants here
FACTOR = 0.709  # from one scale of the image to the next
WINDOW, STRIDE = (
    12,
    2,
)  # px of the scaled image that the first network sees at a time, and how far apart
SIDES = (24, 48)  # px of the squares that the second and the third network see
OVERLAP, WITHIN_SCALE = 0.7, 0.5  # of two boxes that overlap more, the less probable one is dropped


class MTCNN:
    """Looks for faces; several threads may call the same one."""

    def __init__(self) -> None:
        self._first, self._second, self._third = PNet(), RNet(), ONet()
        for network in (self._first, self._second, self._third):
            for name, pool in network.named_children():
                if isinstance(pool, nn.MaxPool2d) and isinstance(pool.kernel_size, int):
                    setattr(network, name, MaxPool(pool.kernel_size))

    def __call__(self, image: np.ndarray, smallest: float) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (face, 4) as x0, y0, x1, y1 in px and probabilities (face,), the largest face
        first; float32.

        Args:
            image: RGB, (height, width, 3) uint8.
            smallest: side of the smallest face to look for, px; an image with a shorter side has
                none.
        """
        with torch.inference_mode():
            sums = RectangleSums(image)
            boxes = self._proposed(sums, smallest)
            boxes, probability, shift = _seen(self._second, SIDES[0], LEAST[1], sums, boxes)
            kept = _apart(boxes, probability, OVERLAP)
            boxes = _square(_shifted(boxes[kept], shift[kept]))
            boxes, probability, shift = _seen(self._third, SIDES[1], LEAST[2], sums, boxes)
            boxes = _shifted(boxes, shift)
        kept = _not_inside(boxes, probability, OVERLAP)
        boxes, probability = boxes[kept], probability[kept]
        largest_first = np.argsort((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))[::-1]
        return boxes[largest_first], probability[largest_first]

    def _proposed(self, sums: "RectangleSums", smallest: float) -> np.ndarray:
        """Squares (box, 4) where the first network, which slides over the image at all scales, may
        see a face.
        """
        whole = (0, 0, sums.width, sums.height)
        found = [np.zeros((0, 9), np.float32)]
        scale = WINDOW / smallest
        shorter = min(sums.height, sums.width) * scale
        while shorter >= WINDOW:
            shift, chance = self._first(
                _prepared(
                    [sums.resized(whole, int(sums.height * scale + 1), int(sums.width * scale + 1))]
                )
            )
            shift, chance = shift[0].numpy(), chance[0, 1].numpy()
            row, column = np.nonzero(chance >= np.float32(LEAST[0]))
            corner = STRIDE * np.stack([column, row], axis=1).astype(np.float32)
            box = np.floor(
                np.concatenate([corner + 1, corner + WINDOW], axis=1) / np.float32(scale)
            )
            one = np.concatenate(
                [box, chance[row, column][:, None], shift[:, row, column].T], axis=1
            )
            found.append(one[_apart(one[:, :4], one[:, 4], WITHIN_SCALE)])
            scale, shorter = scale * FACTOR, shorter * FACTOR
        every = np.concatenate(found)
        every = every[_apart(every[:, :4], every[:, 4], OVERLAP)]
        boxes, size = every[:, :4], every[:, 2:4] - every[:, :2]
        return _square(boxes + every[:, 5:] * np.tile(size, 2))


class RectangleSums:
    """Sums of an image over rectangles, from a table of the sums above and left of each pixel: any
    size at the same price, and exact.

    The table may run over; differences of its entries, the sums of rectangles of up to 8 million
    pixels, are right all the same.
    """

    def __init__(self, image: np.ndarray) -> None:
        self.height, self.width = image.shape[:2]
        self._table = np.zeros((self.height + 1, self.width + 1, 3), np.int32)
        np.cumsum(image, axis=1, dtype=np.int32, out=self._table[1:, 1:])
        for above, row in zip(self._table, self._table[1:]):
            row += above

    def resized(self, box: Sequence[int], height: int, width: int) -> np.ndarray:
        """A box of the image (x0, y0, x1, y1 in whole px) in another size, (height, width, 3)
        float32.

        A new pixel is the mean over the rectangle of all the pixels that it touches, as in torch's
        `interpolate(mode="area")`.
        """
        left, top, right, bottom = box
        above, below = _edges(top, bottom, height)
        before, behind = _edges(left, right, width)
        strips = self._table.take(below, axis=0) - self._table.take(above, axis=0)
        means = (strips.take(behind, axis=1) - strips.take(before, axis=1)).astype(np.float32)
        means /= (below - above).astype(np.float32)[:, None, None]
        means /= (behind - before).astype(np.float32)[:, None]
        return means


def _edges(start: int, end: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """First pixel, and the one behind the last, of equal parts; a pixel on a border belongs to
    both.
    """
    part = np.arange(parts)
    return start + part * (end - start) // parts, start - (-(part + 1) * (end - start)) // parts


class MaxPool(nn.Module):
    """The maximum of every window of `size` by `size` pixels, two apart; at the end of a row or
    column windows may stick out.

    As torch's MaxPool2d(size, 2, ceil_mode=True), but by shifted copies, which takes a processor a
    seventh of the time.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = (max(0, -(-(side - self.size) // 2)) + 1 for side in x.shape[2:])
        x = functional.pad(
            x,
            (0, 2 * width + self.size - 2 - x.shape[3], 0, 2 * height + self.size - 2 - x.shape[2]),
            value=-torch.inf,
        )
        rows = reduce(
            torch.maximum,
            [x[:, :, first : first + 2 * height - 1 : 2] for first in range(self.size)],
        )
        return reduce(
            torch.maximum,
            [rows[..., first : first + 2 * width - 1 : 2] for first in range(self.size)],
        )


def _seen(
    network: nn.Module, side: int, least: float, sums: RectangleSums, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Those of the boxes in which a network sees a face with more than the `least` probability, the
    probability, and its shift of edges.
    """
    pixels = boxes.astype(int)
    pixels[:, :2] = np.maximum(pixels[:, :2] - 1, 0)
    pixels[:, 2:] = np.minimum(pixels[:, 2:], (sums.width, sums.height))
    inside = (pixels[:, 2:] > pixels[:, :2]).all(axis=1)
    boxes, pixels = boxes[inside], pixels[inside]
    if not len(boxes):
        return boxes, np.zeros(0, np.float32), boxes
    squares = _prepared([sums.resized(box, side, side) for box in pixels])
    shift, *_, chance = network(
        squares.contiguous()
    )  # plane by plane, as facenet-pytorch: the same last digits
    probability = chance[:, 1].numpy()
    kept = probability > np.float32(least)
    return boxes[kept], probability[kept], shift.numpy()[kept]


def _prepared(pictures: list[np.ndarray]) -> torch.Tensor:
    """Pictures of one size as the networks take them, (picture, 3, height, width), channels last in
    memory.
    """
    return (torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) - 127.5) * 0.0078125


def _apart(boxes: np.ndarray, probability: np.ndarray, most: float) -> np.ndarray:
    """Which boxes stay, the most probable first, where those are dropped that overlap a better one
    by more than `most` (IoU).
    """
    return nms(torch.from_numpy(boxes), torch.from_numpy(probability), most).numpy()


def _not_inside(boxes: np.ndarray, probability: np.ndarray, most: float) -> np.ndarray:
    """Likewise, but the overlap is a share of the smaller box, and edges are pixels that belong to
    it: boxes within others go.
    """
    size = boxes[:, 2:] - boxes[:, :2] + 1
    area = size[:, 0] * size[:, 1]
    left, kept = np.argsort(probability)[::-1], []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        common = (
            np.minimum(boxes[best, 2:], boxes[left, 2:])
            - np.maximum(boxes[best, :2], boxes[left, :2])
            + 1
        )
        overlap = np.maximum(common, 0).prod(axis=1) / np.minimum(area[best], area[left])
        left = left[overlap <= most]
    return np.array(kept, int)


def _shifted(boxes: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Edges moved by shares of the box's sides."""
    return boxes + shift * np.tile(boxes[:, 2:] - boxes[:, :2] + 1, 2)


def _square(boxes: np.ndarray) -> np.ndarray:
    """The shorter sides made as long as the longer ones, about the same centre."""
    size = boxes[:, 2:] - boxes[:, :2]
    longer = size.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + size * np.float32(0.5) - longer * np.float32(0.5)
    return np.concatenate([corner, corner + longer], axis=1)
