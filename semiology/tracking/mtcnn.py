"""MTCNN (Zhang et al. 2016 [P]): a cascade of three small networks that detect faces, each on fewer
candidates and at a higher resolution than the one before.

Networks and weights are facenet-pytorch's [C]. The code that runs them is ours, because
facenet-pytorch spends most of its time outside the networks: here one integral image gives all
scaled copies and crops, and pooling is a maximum of shifted copies. Both are exact, so boxes and
probabilities are facenet-pytorch's to the last bit.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from numpy.typing import NDArray
from torch import nn
from torchvision.ops import nms

from semiology.tracking.boxes import squares

# all constants are facenet-pytorch's [C]
MIN_PROBABILITY = (0.6, 0.7, 0.7)  # of a face, by each network
FACTOR = 0.709  # from one scale of the image to the next
WINDOW, STRIDE = 12, 2  # px of the scaled image: input of the first network, and its stride
SIDES = (24, 48)  # px of the crops that the second and the third network read
OVERLAP, WITHIN_SCALE = 0.7, 0.5  # of two boxes that overlap more, the less probable one is dropped


class MTCNN:
    """Detects faces in an image; several threads may share one detector."""

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
            smallest: side of the smallest face to detect, px; an image whose shorter side is less
                gives no face.
        """
        with torch.inference_mode():
            sums = RectangleSums(image)
            boxes = self._proposals(sums, smallest)
            boxes, probability, shift = _classified(
                self._second, SIDES[0], MIN_PROBABILITY[1], sums, boxes
            )
            keep = _nms(boxes, probability, OVERLAP)
            boxes = squares(_shifted(boxes[keep], shift[keep]))
            boxes, probability, shift = _classified(
                self._third, SIDES[1], MIN_PROBABILITY[2], sums, boxes
            )
            boxes = _shifted(boxes, shift)
        keep = _nms_by_smaller(boxes, probability, OVERLAP)
        boxes, probability = boxes[keep], probability[keep]
        largest_first = np.argsort((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))[::-1]
        return boxes[largest_first], probability[largest_first]

    def _proposals(self, sums: "RectangleSums", smallest: float) -> np.ndarray:
        """Candidate squares (box, 4) by the first network, which slides over the image at all
        scales.
        """
        whole = (0, 0, sums.width, sums.height)
        found = [np.zeros((0, 9), np.float32)]
        scale = WINDOW / smallest
        shorter = min(sums.height, sums.width) * scale
        while shorter >= WINDOW:
            shift, chance = self._first(
                _network_input(
                    [sums.resized(whole, int(sums.height * scale + 1), int(sums.width * scale + 1))]
                )
            )
            shift, chance = shift[0].numpy(), chance[0, 1].numpy()
            row, column = np.nonzero(chance >= np.float32(MIN_PROBABILITY[0]))
            corner = STRIDE * np.stack([column, row], axis=1).astype(np.float32)
            box = np.floor(
                np.concatenate([corner + 1, corner + WINDOW], axis=1) / np.float32(scale)
            )
            one = np.concatenate(
                [box, chance[row, column][:, None], shift[:, row, column].T], axis=1
            )
            found.append(one[_nms(one[:, :4], one[:, 4], WITHIN_SCALE)])
            scale, shorter = scale * FACTOR, shorter * FACTOR
        every = np.concatenate(found)
        every = every[_nms(every[:, :4], every[:, 4], OVERLAP)]
        boxes, size = every[:, :4], every[:, 2:4] - every[:, :2]
        return squares(boxes + every[:, 5:] * np.tile(size, 2))


class RectangleSums:
    """Exact sums of an image over rectangles of any size, from an integral image.

    The table's int32 entries may overflow; differences of them, the sums over rectangles of up to 8
    million pixels, are correct nevertheless.
    """

    def __init__(self, image: np.ndarray) -> None:
        self.height, self.width = image.shape[:2]
        self._table: NDArray[np.int32] = cv2.integral(image, sdepth=cv2.CV_32S)  # type: ignore[assignment]

    def resized(self, box: Sequence[int], height: int, width: int) -> np.ndarray:
        """A crop of the image (x0, y0, x1, y1 in whole px) resized to (height, width, 3) float32.

        A new pixel is the mean over all pixels that it touches, as in torch's
        `interpolate(mode="area")`.
        """
        left, top, right, bottom = box
        above, below = _edges(top, bottom, height)
        before, behind = _edges(left, right, width)
        strips = self._table.take(below, axis=0)
        strips -= self._table.take(above, axis=0)
        sums = strips.take(behind, axis=1)
        sums -= strips.take(before, axis=1)
        means = sums.astype(np.float32)
        means /= (below - above).astype(np.float32)[:, None, None]
        means /= (behind - before).astype(np.float32)[:, None]
        return means


def _edges(start: int, end: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """First pixel, and one past the last, of equal parts of a range; a pixel on a border belongs
    to both parts.
    """
    part = np.arange(parts)
    return start + part * (end - start) // parts, start - (-(part + 1) * (end - start)) // parts


class MaxPool(nn.Module):
    """torch's MaxPool2d(size, 2, ceil_mode=True), computed in place as the maximum of shifted
    copies, which takes a CPU less than a seventh of the time; without gradients.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, channel, height, width) -> the same, half as high and wide, rounded up."""
        for axis in (2, 3):
            count = max(0, -(-(x.shape[axis] - self.size) // 2)) + 1
            most = _every_other(x, axis, 0, count).clone()
            for first in range(1, self.size):
                other = _every_other(x, axis, first, count)  # one less where the edge cuts it
                part = most.narrow(axis, 0, other.shape[axis])
                torch.maximum(part, other, out=part)
            x = most
        return x


def _every_other(x: torch.Tensor, axis: int, first: int, count: int) -> torch.Tensor:
    """Every other slice along an axis from the one numbered `first`; at most `count`."""
    return x[(slice(None),) * axis + (slice(first, first + 2 * count - 1, 2),)]


def _classified(
    network: nn.Module, side: int, threshold: float, sums: RectangleSums, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classify candidate boxes by one of the later networks.

    Returns:
        The boxes (box, 4) with a probability above `threshold`, their probability (box,) and the
        network's shift of their edges (box, 4), in sides.
    """
    pixels = boxes.astype(int)
    pixels[:, :2] = np.maximum(pixels[:, :2] - 1, 0)
    pixels[:, 2:] = np.minimum(pixels[:, 2:], (sums.width, sums.height))
    inside = (pixels[:, 2:] > pixels[:, :2]).all(axis=1)
    boxes, pixels = boxes[inside], pixels[inside]
    if not len(boxes):
        return boxes, np.zeros(0, np.float32), boxes
    squares = _network_input([sums.resized(box, side, side) for box in pixels])
    shift, *_, chance = network(
        squares.contiguous()
    )  # plane by plane, as facenet-pytorch: the same last digits
    probability = chance[:, 1].numpy()
    keep = probability > np.float32(threshold)
    return boxes[keep], probability[keep], shift.numpy()[keep]


def _network_input(images: list[np.ndarray]) -> torch.Tensor:
    """Images of one size as the networks read them, (image, 3, height, width), channels last in
    memory.
    """
    return (torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) - 127.5) * 0.0078125


def _nms(boxes: np.ndarray, probability: np.ndarray, most: float) -> np.ndarray:
    """Non-maximum suppression: indices of the boxes kept, the most probable first; those that
    overlap a better one by an IoU of more than `most` are dropped.
    """
    return nms(torch.from_numpy(boxes), torch.from_numpy(probability), most).numpy()


def _nms_by_smaller(boxes: np.ndarray, probability: np.ndarray, most: float) -> np.ndarray:
    """Non-maximum suppression by the intersection over the area of the smaller box, so that boxes
    within others are dropped; both edges count as pixels of a box.
    """
    size = boxes[:, 2:] - boxes[:, :2] + 1
    area = size[:, 0] * size[:, 1]
    left, keep = np.argsort(probability)[::-1], []
    while len(left):
        best, left = left[0], left[1:]
        keep.append(best)
        common = (
            np.minimum(boxes[best, 2:], boxes[left, 2:])
            - np.maximum(boxes[best, :2], boxes[left, :2])
            + 1
        )
        overlap = np.maximum(common, 0).prod(axis=1) / np.minimum(area[best], area[left])
        left = left[overlap <= most]
    return np.array(keep, int)


def _shifted(boxes: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Boxes with edges moved by the networks' regression, in sides of the box."""
    return boxes + shift * np.tile(boxes[:, 2:] - boxes[:, :2] + 1, 2)
