"""The SSD that detects the patient and the patient's face in a frame: SSDLite320 with MobileNetV3
(Liu et al. 2016; Howard et al. 2019 [P]).

Hou et al. 2022 fine-tune an SSD with a MobileNet backbone to these two classes [P]; which MobileNet
is not stated, torchvision's SSDLite is our choice.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection import ssdlite320_mobilenet_v3_large
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD

from semiology.errors import UserError

REGIONS = ("patient", "face")
COCO_PERSON = 1  # its number in torchvision's COCO models
MIN_SCORE = 0.3  # least score of a box that counts. [our choice]


def region_network(regions: int = len(REGIONS)) -> SSD:
    """SSDLite320 for our `regions`, with random weights.

    Its smallest default boxes have a tenth of the frame's side, not a fifth as torchvision's: a
    face in a room is small. [our choice]

    Training: model(images, targets) returns its losses; evaluation: model(images) returns boxes,
    labels (from 1) and scores for each image.
    """
    network = ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=regions + 1
    )
    network.anchor_generator = DefaultBoxGenerator([[2, 3]] * 6, min_ratio=0.1, max_ratio=0.95)
    return network


def coco_network() -> SSD:
    """SSDLite320 as torchvision publishes it for COCO's 90 classes, with random weights."""
    return ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=91)


def start_from_coco(network: SSD, state: dict[str, Tensor]) -> None:
    """Copy the published COCO weights, except those of the classification layer, in which the
    patient starts from COCO's person.

    Raises:
        UserError: the weights are not SSDLite320's.
    """
    own = network.state_dict()
    for name, value in state.items():
        if name not in own:
            raise UserError(
                f"weights of the regions: {name} is not in SSDLite320 with MobileNetV3; give that"
                " network's"
            )
        if value.shape == own[name].shape:
            own[name].copy_(value)
            continue
        classes = network.head.classification_head.num_columns
        old = value.unflatten(0, (-1, 91))  # (anchor, class, ...) of COCO
        new = own[name].unflatten(0, (-1, classes))
        new[:, 0], new[:, 1] = old[:, 0], old[:, COCO_PERSON]
        own[name].copy_(new.flatten(0, 1))


def find_regions(
    network: SSD, images: Sequence[np.ndarray]
) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """Detect the regions in RGB images, (height, width, 3) uint8: for each image and each class,
    boxes (box, 4) px and scores (box,), best first.
    """
    device = next(network.parameters()).device
    tensors = [
        torch.from_numpy(np.array(image)).to(device).permute(2, 0, 1).float() / 255
        for image in images
    ]
    classes = network.head.classification_head.num_columns - 1
    found = []
    with torch.inference_mode():
        for result in network(tensors):
            boxes, scores, labels = (
                result[name].cpu().float().numpy() for name in ("boxes", "scores", "labels")
            )
            masks = [
                (labels == number + 1) & (scores >= MIN_SCORE)
                for number in range(min(classes, len(REGIONS)))
            ]
            found.append([(boxes[mask], scores[mask]) for mask in masks])
    return found
