"""The joint network: the keypoint branch of Keypoint R-CNN (He et al. 2017 [P]) on a square crop
around the patient.

Keypoint R-CNN proposes boxes and then finds keypoints in each. Here the patient's box is known
(`ssd.py`, as in Hou et al. 2022 [P]) and replaces the proposals; backbone, feature pyramid and
keypoint branch are run. The parameters have torchvision's names, so that its COCO weights and those
of any Keypoint R-CNN trained with torchvision fit.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models import mobilenet_v3_large
from torchvision.models.detection.backbone_utils import BackboneWithFPN, resnet_fpn_backbone
from torchvision.models.detection.keypoint_rcnn import (
    KeypointRCNN,
    KeypointRCNNHeads,
    KeypointRCNNPredictor,
)
from torchvision.ops import FrozenBatchNorm2d, MultiScaleRoIAlign

from semiology.errors import UserError
from semiology.tracking.boxes import square

BACKBONES = ("mobilenet_v3_large", "resnet50")
MEAN, SD = (
    (0.485, 0.456, 0.406),
    (0.229, 0.224, 0.225),
)  # of ImageNet, as torchvision's detectors use them
PYRAMID, HEAD, POOLED = (
    64,
    96,
    28,
)  # channels of the small model's pyramid and keypoint branch, side of its pooled map. [our choice]
# sd of a joint's target heatmap, in sides of the crop: one bin of Keypoint R-CNN's, whose own
# target is a single bin. [our choice]
HEATMAP_SD = 1 / 56
PEAK_WINDOW = (
    2.5 * HEATMAP_SD
)  # half the side of the window around a heatmap's peak, in sides of the crop. [our choice]


class JointNetwork(nn.Module):
    """Crops of patients to one heatmap per joint.

    Args:
        joints: names, in the order of the heatmaps.
        backbone: "resnet50" is torchvision's Keypoint R-CNN (14x14 pooled, 56x56 heatmaps, 59
            million parameters [P: the COCO model]); "mobilenet_v3_large" is some thirty times
            cheaper, with a stride of 8 px, 28x28 pooled and 112x112 heatmaps [our choice].

    Shapes: forward takes (batch, 3, size, size), 0 to 1, and gives (batch, joint, bin, bin) logits;
    a softmax over the bins of one joint is the probability of its position, as in Mask R-CNN.

    Raises:
        UserError: an unknown backbone.
    """

    def __init__(self, joints: Sequence[str], backbone: str = "mobilenet_v3_large"):
        super().__init__()
        self.joints, self.backbone_name = list(joints), backbone
        if backbone == "resnet50":
            frozen = partial(
                FrozenBatchNorm2d, eps=0.0
            )  # as torchvision builds it for the published COCO weights
            whole = KeypointRCNN(
                resnet_fpn_backbone(backbone_name=backbone, weights=None, norm_layer=frozen),
                2,
                num_keypoints=len(joints),
            )
            self.backbone = whole.backbone
            self.pool = whole.roi_heads.keypoint_roi_pool
            self.keypoint_head = whole.roi_heads.keypoint_head
            self.keypoint_predictor = whole.roi_heads.keypoint_predictor
        elif backbone == "mobilenet_v3_large":
            features = mobilenet_v3_large(
                weights=None, norm_layer=partial(nn.BatchNorm2d, eps=0.001, momentum=0.1)
            ).features
            stages = {"6": "0", "12": "1", "15": "2"}  # the last layers of stride 8, 16 and 32
            self.backbone = BackboneWithFPN(features, stages, [40, 112, 160], PYRAMID)
            self.pool = MultiScaleRoIAlign(["0"], POOLED, sampling_ratio=2)
            self.keypoint_head = KeypointRCNNHeads(PYRAMID, (HEAD,) * 4)
            self.keypoint_predictor = KeypointRCNNPredictor(HEAD, len(joints))
        else:
            raise UserError(f"backbone {backbone!r}: unknown; there are {', '.join(BACKBONES)}")
        self.mean: Tensor
        self.sd: Tensor
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("sd", torch.tensor(SD)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Heatmap logits (batch, joint, bin, bin), from images (batch, 3, size, size) of 0 to 1."""
        size = images.shape[-1]
        pyramid: OrderedDict[str, Tensor] = self.backbone((images - self.mean) / self.sd)
        whole = torch.tensor([[0.0, 0.0, size, size]], device=images.device, dtype=images.dtype)
        pooled = self.pool(
            pyramid, [whole] * len(images), [(size, size)] * len(images)
        )  # (batch, channel, bin, bin)
        return self.keypoint_predictor(self.keypoint_head(pooled))

    def start_from(self, state: dict[str, Tensor], joints: Sequence[str]) -> list[str]:
        """Copy the parameters of another network of the same backbone; joints are matched by name.

        Args:
            state: a whole Keypoint R-CNN of torchvision's, whose proposal and box branches are
                ignored, or another joint network.
            joints: names of its heatmaps.

        Returns:
            The names of the joints that were matched.

        Raises:
            UserError: the parameters belong to another backbone.
        """
        own = self.state_dict()
        old = re.compile(
            r"(fpn\.(?:inner|layer)_blocks\.\d)\.(weight|bias)$"
        )  # how torchvision named the pyramid when it published COCO's
        given = {
            old.sub(r"\1.0.\2", name.removeprefix("roi_heads.")): value
            for name, value in state.items()
        }
        matched = [name for name in self.joints if name in joints]
        for name in own:
            value = given.get(name)
            if value is None:
                raise UserError(
                    f"weights of the joints: no {name}; they are of another network than"
                    f" {self.backbone_name}"
                )
            if name.startswith("keypoint_predictor."):
                axis = (
                    0 if name.endswith("bias") else 1
                )  # (joint,) and, of a transposed convolution, (in, joint, 4, 4)
                if value.shape[axis] != len(joints):
                    raise UserError(
                        f"weights of the joints: {value.shape[axis]} heatmaps, but {len(joints)}"
                        " names"
                    )
                for joint in matched:
                    own[name].select(axis, self.joints.index(joint)).copy_(
                        value.select(axis, list(joints).index(joint))
                    )
            elif value.shape != own[name].shape:
                raise UserError(
                    f"weights of the joints: {name} is {tuple(value.shape)},"
                    f" {tuple(own[name].shape)} in {self.backbone_name}"
                )
            else:
                own[name].copy_(value)
        return matched

    def start_from_imagenet(self, state: dict[str, Tensor]) -> None:
        """Copy the backbone of a classifier that torchvision published; pyramid and keypoint branch
        stay as they are.

        Raises:
            UserError: the parameters belong to another backbone.
        """
        given = {name.removeprefix("features."): value for name, value in state.items()}
        for name, own in self.state_dict().items():
            if name.startswith("backbone.body."):
                value = given.get(name.removeprefix("backbone.body."))
                if value is None or value.shape != own.shape:
                    raise UserError(
                        f"weights of the backbone: no {name} that fits; they are of another network"
                        f" than {self.backbone_name}"
                    )
                own.copy_(value)


def locate(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Heatmaps to positions and confidences.

    The position is the mean of the distribution near its peak (within 4.5 % of the crop's side), so
    that it is finer than a bin; the confidence is the probability mass of that neighbourhood. [our
    choice: torchvision gives the peak's logit, which has no scale]

    Shapes: (batch, joint, bin, bin) to positions (batch, joint, 2) as x, y in 0 to 1 of the crop,
    and (batch, joint) 0 to 1.
    """
    bins = logits.shape[-1]
    probability = logits.float().flatten(2).softmax(2)
    peak = probability.argmax(2, keepdim=True)  # (batch, joint, 1)
    y, x = torch.meshgrid(
        torch.arange(bins, device=logits.device),
        torch.arange(bins, device=logits.device),
        indexing="ij",
    )
    x, y = x.flatten(), y.flatten()
    near = ((x - peak % bins).abs() <= PEAK_WINDOW * bins) & (
        (y - peak // bins).abs() <= PEAK_WINDOW * bins
    )  # (batch, joint, bins²)
    mass = probability * near
    total = mass.sum(2)
    centre = (
        torch.stack([(mass * (x + 0.5)).sum(2), (mass * (y + 0.5)).sum(2)], dim=2)
        / total[..., None]
    )
    return centre / bins, total


def crop_matrix(box: np.ndarray, margin: float) -> np.ndarray:
    """The 2x3 matrix that maps the unit square to the square around a box (x0, y0, x1, y1 px), with
    sides of `margin` times the box's longer side.
    """
    length = margin * float(np.maximum(box[2:] - box[:2], 1).max())
    left, top = square(box, length)[:2]
    return np.array([[length, 0.0, left], [0.0, length, top]])


def warp(
    image: np.ndarray, matrix: np.ndarray, size: int | tuple[int, int], beyond: int = 0
) -> np.ndarray:
    """The crop, uint8 of `size` px (a side, or width and height), of an RGB image that `matrix`
    (unit square to px) describes; of the grey level `beyond` outside of the image.

    An image that would shrink by a factor of two or more is first reduced by a whole factor, to
    avoid aliasing.
    """
    width, height = (size, size) if isinstance(size, int) else size
    # px of the image per px of the crop
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])) / (width * height))
    source = Image.fromarray(image)
    factor = int(max(scale, 1))
    if factor > 1:
        source = source.reduce(factor)
    return np.asarray(
        source.transform(
            (width, height),
            Image.Transform.AFFINE,
            tuple((matrix / factor / [width, height, 1]).ravel()),
            Image.Resampling.BILINEAR,
            fillcolor=(beyond,) * 3,
        )
    )


def to_image(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., 2) of the unit square to px of the image."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def to_unit(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., 2) px of the image to the unit square."""
    return (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def image_batch(images: Sequence[np.ndarray]) -> Tensor:
    """RGB images of one size as (batch, 3, height, width) float, 0 to 1."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
