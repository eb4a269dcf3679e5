"""The pair of trained detectors, regions (SSD) and joints (Keypoint R-CNN), in memory and on disk:
`regions.safetensors`, `joints.safetensors`, `detectors.json`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchvision.models.detection.ssd import SSD

from semiology.data.keypoint_names import COCO_17
from semiology.errors import UserError
from semiology.files import content_hash, read_json, write_json
from semiology.models.training.saved import save_state
from semiology.tracking.pose.joint_network import (
    JointNetwork,
    crop_matrix,
    image_batch,
    locate,
    to_image,
    warp,
)
from semiology.tracking.pose.ssd import REGIONS, coco_network, find_regions, region_network
from semiology.weights import load, load_state

MARGIN = 1.25  # side of the crop around the patient, in longer sides of the box. [our choice]
COCO = {
    "regions": "ssdlite320_mobilenet_v3_large",
    "joints": "keypointrcnn_resnet50_fpn",
}  # names in the registry of weights


@dataclass(frozen=True)
class DetectorSetup:
    """Architecture and input of the networks; saved beside the weights.

    Attributes:
        joints: names, in the order of the heatmaps.
        backbone: of the joint network.
        size: side of the crop of the patient that it reads, px.
        region: "patient" reads the crop around the patient's box; "frame" the whole frame, as
            DeepLabCut does (no regions).
        margin: side of that crop, in longer sides of the patient's box.
        regions: classes of the region network: patient, and face if faces were labelled.
    """

    joints: list[str]
    backbone: str = "mobilenet_v3_large"
    size: int = 256
    region: str = "patient"
    margin: float = MARGIN
    regions: list[str] = field(default_factory=lambda: list(REGIONS))


@dataclass(frozen=True)
class Detectors:
    """The networks of regions and joints, in eval mode, and how they were trained.

    Attributes:
        setup: architecture and input.
        joints: network of the joints.
        regions: network of patient and face; None where the whole frame is read.
        about: training participants and held-out error: free keys.
    """

    setup: DetectorSetup
    joints: JointNetwork
    regions: SSD | None
    about: dict[str, Any] = field(default_factory=dict)

    def to(self, device: str) -> "Detectors":
        """Move both networks to a device and set them to eval mode."""
        self.joints.to(device).eval()
        if self.regions is not None:
            self.regions.to(device).eval()
        return self

    def find_regions(
        self, images: Sequence[np.ndarray]
    ) -> list[dict[str, tuple[np.ndarray, np.ndarray]]]:
        """Boxes (box, 4) px and scores (box,), best first, by region, for each RGB image."""
        if self.regions is None:
            return [{} for _ in images]
        return [
            dict(zip(self.setup.regions, found)) for found in find_regions(self.regions, images)
        ]

    def find_joints(
        self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray], precision: str = "fp32"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Joints of the patient in each image.

        Args:
            images: RGB, (height, width, 3) uint8.
            boxes: of the patients, x0, y0, x1, y1 px, one per image.
            precision: "fp32" or "bf16".

        Returns:
            Positions (image, joint, 2) px, and confidence (image, joint) 0 to 1.
        """
        matrices = [crop_matrix(box, self.setup.margin) for box in boxes]
        crops = image_batch(
            [warp(image, matrix, self.setup.size) for image, matrix in zip(images, matrices)]
        )
        device = next(self.joints.parameters()).device
        with (
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"),
        ):
            position, confidence = locate(self.joints(crops.to(device)))
        unit = position.cpu().double().numpy()
        return (
            np.stack([to_image(matrix, points) for matrix, points in zip(matrices, unit)]),
            confidence.cpu().numpy(),
        )

    def save(self, folder: str | Path) -> Path:
        """Write the folder: the weights, and last detectors.json with their hashes. Each file is
        written whole or not at all.
        """
        folder = Path(folder)
        hashes = {}
        for name, network in {"joints": self.joints, "regions": self.regions}.items():
            if network is not None:
                save_state(folder / f"{name}.safetensors", network)
                hashes[name] = content_hash(folder / f"{name}.safetensors")
        description = {"setup": asdict(self.setup), "sha256": hashes, "about": self.about}
        write_json(folder / "detectors.json", description, checksummed=True)
        return folder


def load_detectors(weights: str | Path) -> Detectors:
    """Read detectors that `semiology tracking finetune` wrote, or, by the name "coco",
    torchvision's published ones.

    COCO's find any person and 17 keypoints; they know no face.

    Raises:
        UserError: no such folder, the published weights are not there, a file was changed.
    """
    if str(weights) == "coco":
        setup = DetectorSetup(COCO_17, "resnet50", 320, regions=["patient"])
        networks = JointNetwork(setup.joints, setup.backbone), coco_network()
        networks[0].start_from(load(COCO["joints"]), COCO_17)
        networks[1].load_state_dict(load(COCO["regions"]))
        return Detectors(setup, *networks).to("cpu")
    description = read_description(weights)
    setup = DetectorSetup(**description["setup"])
    regions = region_network(len(setup.regions)) if setup.region == "patient" else None
    made = Detectors(
        setup, JointNetwork(setup.joints, setup.backbone), regions, description["about"]
    )
    for name, network in {"joints": made.joints, "regions": regions}.items():
        if network is not None:
            state = load_state(Path(weights) / f"{name}.safetensors", description["sha256"][name])
            try:
                network.load_state_dict(state)
            except RuntimeError as error:
                raise UserError(
                    f"{weights}: {name}.safetensors is not of the network that detectors.json"
                    " describes; train again"
                ) from error
    return made.to("cpu")


def read_description(weights: str | Path) -> dict[str, Any]:
    """The content of `detectors.json`, without loading a network.

    Raises:
        UserError: there is none, or it is not one of ours.
    """
    path = Path(weights) / "detectors.json"
    if not path.is_file():
        raise UserError(
            f"{weights}: no detectors (detectors.json) there; `semiology tracking finetune` makes"
            " them, or give coco"
        )
    what, remedy = "a description of detectors", "run `semiology tracking finetune` again"
    description = read_json(path, what=what, remedy=remedy, checksummed=True)
    try:
        DetectorSetup(**description["setup"]), description["sha256"], description["about"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not {what}; {remedy}") from error
    return description
