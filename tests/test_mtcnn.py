import itertools

import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN as Packaged
from torch.nn import functional

from semiology.tracking.mtcnn import MTCNN, MaxPool, RectangleSums
from semiology.video import read_frames


def test_three_pixels_become_two_that_share_the_middle_one():
    image = np.repeat(np.arange(9, dtype=np.uint8).reshape(3, 3, 1), 3, axis=2)
    small = RectangleSums(image).resized((0, 0, 3, 3), 2, 2)
    np.testing.assert_array_equal(
        small[:, :, 1], [[2, 3], [5, 6]]
    )  # the mean of 0, 1, 3 and 4, and so on


def test_resized_boxes_are_those_of_torch_to_the_last_bit():
    image = np.random.default_rng(0).integers(0, 256, (97, 131, 3), np.uint8)
    sums = RectangleSums(image)
    for left, top, right, bottom, height, width in [
        (0, 0, 131, 97, 51, 69),
        (0, 0, 131, 97, 7, 9),
        (5, 8, 29, 33, 48, 24),
        (130, 96, 131, 97, 24, 24),
    ]:
        cut = torch.from_numpy(image[top:bottom, left:right]).permute(2, 0, 1)[None].float()
        expected = functional.interpolate(cut, (height, width), mode="area")[0].permute(1, 2, 0)
        np.testing.assert_array_equal(
            sums.resized((left, top, right, bottom), height, width), expected
        )


def test_sums_that_no_longer_fit_into_32_bits_give_the_same_means():
    white = np.full((3000, 4000, 3), 255, np.uint8)  # 3,060 million in all
    np.testing.assert_array_equal(RectangleSums(white).resized((0, 0, 4000, 3000), 30, 40), 255)


@pytest.mark.parametrize(("height", "width"), [(6, 8), (7, 8), (6, 9), (7, 9), (3, 3)])
@pytest.mark.parametrize("size", [2, 3])
def test_maxima_are_those_of_torch(height, width, size):
    x = torch.randn(2, 3, height, width)
    assert torch.equal(MaxPool(size)(x), functional.max_pool2d(x, size, 2, ceil_mode=True))


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name",
    ["faces/WolfgangLanger_Pexels.mp4", "people/walking_1768x994.mp4", "people/dance_720x406.mp4"],
)
def test_faces_are_those_of_facenet_pytorch_to_the_last_bit(testdata, name):
    packaged, ours = Packaged(keep_all=True), MTCNN()
    found = 0
    for frame in itertools.islice(read_frames(testdata / name, fps=2), 4):
        for smallest in (20.0, 43.2):
            packaged.min_face_size = smallest
            expected, probability = packaged.detect(frame.image)
            boxes, chances = ours(frame.image, smallest)
            if expected is None:
                assert len(boxes) == 0
                continue
            np.testing.assert_array_equal(boxes, np.asarray(expected, np.float32))
            np.testing.assert_array_equal(chances, np.asarray(probability, np.float32))
            found += len(boxes)
    assert found >= 4
