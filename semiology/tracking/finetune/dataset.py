"""Labelled frames as torch datasets for the detectors: crops around the patient with joint
positions, and whole frames with boxes; augmentation and heatmap targets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from semiology.errors import UserError
from semiology.tracking.boxes import around, clipped, grown, whole
from semiology.tracking.labels.labels import Labels, read_image
from semiology.tracking.pose.joint_network import (
    HEATMAP_SD,
    crop_matrix,
    image_batch,
    to_image,
    to_unit,
    warp,
)

# margin around the labelled joints where no box of the patient was marked, in longer sides of their
# box. [our choice]
JOINT_MARGIN = 0.2


HOW_TO_MARK = "mark boxes called patient, or two joints a frame, or give --region frame"


@dataclass(frozen=True)
class Augmentation:
    """Random augmentation of training images. [our choice]

    Attributes:
        scale: the crop's size is multiplied or divided by up to this factor.
        shift: the crop's centre is moved by up to this fraction of its side.
        rotation: largest angle, degrees, to either side.
        light: brightness and contrast are changed by up to this fraction.
        cover: probability that a rectangle with sides of up to a third of the crop's is covered.
        mirror: probability that the crop is mirrored; then left and right joints change names. Only
            where joints have sides.
    """

    scale: float = 1.25
    shift: float = 0.08
    rotation: float = 25.0
    light: float = 0.3
    cover: float = 0.3
    mirror: float = 0.5

    def __post_init__(self) -> None:
        bounds = {
            "scale is 1 or more": self.scale >= 1,
            "shift is 0 to 0.5": 0 <= self.shift <= 0.5,
            "rotation is 0 to 180 degrees": 0 <= self.rotation <= 180,
            "light is 0 to 1": 0 <= self.light <= 1,
            "cover and mirror are probabilities": 0 <= self.cover <= 1 and 0 <= self.mirror <= 1,
        }
        if broken := [bound for bound, holds in bounds.items() if not holds]:
            raise UserError(f"augmentation: {'; '.join(broken)}")


def patient_box(labels: Labels, row: int) -> np.ndarray | None:
    """The patient's box in a frame, x0, y0, x1, y1 px: as marked, or around the labelled joints;
    None where there is neither.
    """
    frame = labels.frames[row]
    if "patient" in frame.regions:
        return np.array(frame.regions["patient"], float)
    points = labels.position[row][labels.visibility[row] > 0]
    if len(points) < 2:
        return None
    box = around(points)
    box = grown(box, JOINT_MARGIN * (box[2:] - box[:2]).max())
    return clipped(box, frame.width, frame.height)


def frame_box(labels: Labels, row: int) -> np.ndarray:
    """The whole frame as a box, px."""
    return whole(labels.frames[row].width, labels.frames[row].height)


def mirrored_indices(joints: Sequence[str]) -> list[int]:
    """For each joint the index of its counterpart on the other side, which it becomes in a mirrored
    image: itself without a side; -1 where the counterpart is not among the joints, so that its
    position is unknown.
    """
    other = {"left_": "right_", "right_": "left_"}
    names = list(joints)
    swapped = [
        next(
            (name.replace(side, to, 1) for side, to in other.items() if name.startswith(side)), name
        )
        for name in names
    ]
    return [names.index(to) if to in names else -1 for to in swapped]


class ImageCache:
    """The images of labelled frames by row, cached as long as they fit into a gigabyte."""

    def __init__(self, labels: Labels):
        self.labels = labels
        self.cache: dict[int, np.ndarray] = {}
        self.bytes_left = 1 << 30  # bytes

    def __getitem__(self, row: int) -> np.ndarray:
        if row in self.cache:
            return self.cache[row]
        image = read_image(self.labels.frames[row])
        if image.nbytes <= self.bytes_left:
            self.cache[row] = image
            self.bytes_left -= image.nbytes
        return image


class JointDataset(Dataset):
    """Augmented crops around the patient. Any number is an item: number n is a crop of frame n
    modulo the number of frames, with an augmentation of its own.

    Item: crop (3, size, size) 0 to 1; position (joint, 2), x and y in 0 to 1 of the crop; known
    (joint,): labelled and inside.

    Args:
        labels: of frames with at least one labelled joint.
        size: side of the crop, px.
        margin: side of the crop in longer sides of the patient's box.
        region: "patient" or "frame".
        augmentation: None crops exactly around the box, as in inference.
        seed: of the augmentation; with an item's number it determines the item.

    Raises:
        UserError: no frame has a box of the patient or two labelled joints.
    """

    def __init__(
        self,
        labels: Labels,
        size: int,
        margin: float,
        region: str,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ):
        box_of = patient_box if region == "patient" else frame_box
        boxes = [box_of(labels, row) for row in range(len(labels))]
        self.rows = [row for row, box in enumerate(boxes) if box is not None]
        self.boxes = [box for box in boxes if box is not None]
        if not self.rows:
            raise UserError(f"labels: no frame shows where the patient is; {HOW_TO_MARK}")
        self.labels, self.size, self.margin = labels, size, margin
        self.augmentation, self.seed = augmentation, seed
        self.mirror = mirrored_indices(labels.keypoints)
        self.images = ImageCache(labels)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor, Tensor]:
        number = item % len(self.rows)
        row = self.rows[number]
        position, known = self.labels.position[row], self.labels.visibility[row] > 0
        matrix = crop_matrix(self.boxes[number], self.margin)
        if self.augmentation is None:
            crop = warp(self.images[row], matrix, self.size)
        else:
            rng = np.random.default_rng([self.seed, item])
            matrix = augmented_matrix(rng, matrix, self.augmentation)
            if (
                self.mirror != list(range(len(self.mirror)))
                and rng.random() < self.augmentation.mirror
            ):
                matrix = matrix @ np.array([[-1, 0, 1], [0, 1, 0], [0, 0, 1]])  # u becomes 1 - u
                position, known = (
                    position[self.mirror],
                    known[self.mirror] & (np.array(self.mirror) >= 0),
                )
            crop = augmented_image(
                rng, warp(self.images[row], matrix, self.size), self.augmentation
            )
        unit = to_unit(matrix, position)
        inside = known & (unit > 0).all(1) & (unit < 1).all(1)
        return (
            image_batch([crop])[0],
            torch.from_numpy(np.where(inside[:, None], unit, 0.5)).float(),
            torch.from_numpy(inside),
        )


class RegionDataset(Dataset):
    """Whole frames with the boxes of the patient and, where marked, the face. Item: image (3,
    height, width), {"boxes", "labels"}.
    """

    def __init__(
        self,
        labels: Labels,
        regions: Sequence[str],
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ):
        self.labels, self.regions, self.images = labels, list(regions), ImageCache(labels)
        self.augmentation, self.seed = augmentation, seed
        self.rows = [row for row in range(len(labels)) if patient_box(labels, row) is not None]
        if not self.rows:
            raise UserError(f"labels: no frame shows where the patient is; {HOW_TO_MARK}")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: int) -> tuple[Tensor, dict[str, Tensor]]:
        row = self.rows[item % len(self.rows)]
        frame, image = self.labels.frames[row], self.images[row]
        marked = {name: np.array(box, float) for name, box in frame.regions.items()}
        if (patient := patient_box(self.labels, row)) is not None:
            marked["patient"] = patient
        boxes = np.stack([marked[name] for name in self.regions if name in marked])
        numbers = [number + 1 for number, name in enumerate(self.regions) if name in marked]
        side = 320  # px; SSDLite's input: the frame is resized to this square
        matrix = np.array([[frame.width, 0.0, 0.0], [0.0, frame.height, 0.0]])
        if self.augmentation is not None:
            rng = np.random.default_rng([self.seed, item])
            matrix = augmented_matrix(rng, matrix, self.augmentation, rotate=False)
            if rng.random() < self.augmentation.mirror:
                matrix = matrix @ np.array([[-1, 0, 1], [0, 1, 0], [0, 0, 1]])
            image = augmented_image(rng, warp(image, matrix, side), self.augmentation)
        else:
            image = warp(image, matrix, side)
        corners = to_unit(matrix, boxes.reshape(-1, 2, 2)) * side
        placed = np.stack([clipped(around(points), side, side) for points in corners])
        kept = (placed[:, 2:] - placed[:, :2]).min(1) > 2
        target = {
            "boxes": torch.from_numpy(placed[kept]).float(),
            "labels": torch.tensor(numbers)[torch.from_numpy(kept)],
        }
        return image_batch([image])[0], target


def augmented_matrix(
    rng: np.random.Generator, matrix: np.ndarray, how: Augmentation, *, rotate: bool = True
) -> np.ndarray:
    """The matrix (unit square to px) of a crop that is randomly shifted, scaled and rotated about
    its centre.
    """
    scale = np.exp(rng.uniform(-1, 1) * np.log(how.scale))
    angle = np.deg2rad(rng.uniform(-1, 1) * how.rotation) if rotate else 0.0
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = to_image(matrix, np.array([0.5, 0.5]) + rng.uniform(-1, 1, 2) * how.shift)
    turned = turn @ matrix[:, :2]
    return np.concatenate([turned, (centre - turned @ [0.5, 0.5])[:, None]], axis=1)


def augmented_image(rng: np.random.Generator, image: np.ndarray, how: Augmentation) -> np.ndarray:
    """The image with random contrast and brightness, and sometimes a rectangle covered by one
    colour.
    """
    contrast, brightness = (
        1 + rng.uniform(-1, 1) * how.light,
        255 * rng.uniform(-1, 1) * how.light / 2,
    )
    lit = (
        (image.astype(np.float32) - 127) * contrast + 127 + brightness + rng.normal(0, 3, (1, 1, 3))
    )
    lit = lit.clip(0, 255).astype(np.uint8)
    if rng.random() < how.cover:
        side = lit.shape[0]
        width, height = rng.integers(side // 12, side // 3, 2)
        x, y = rng.integers(0, side - width), rng.integers(0, side - height)
        lit[y : y + height, x : x + width] = rng.integers(0, 256, 3)
    return lit


def heatmap_targets(position: Tensor, bins: int) -> Tensor:
    """Target heatmaps: positions (batch, joint, 2) in 0 to 1 to (batch, joint, bins, bins), a
    Gaussian around each joint that sums to 1.
    """
    centres = (torch.arange(bins, device=position.device) + 0.5) / bins
    apart = (centres - position[..., None]) / HEATMAP_SD  # (batch, joint, 2, bin)
    along_x, along_y = torch.exp(-0.5 * apart**2).unbind(2)
    heat = along_y[..., :, None] * along_x[..., None, :]
    return heat / heat.sum((-1, -2), keepdim=True).clamp_min(1e-12)
