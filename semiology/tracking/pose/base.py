"""The interface of a pose backend: joints and landmarks of the patient in each frame, each with a
confidence.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from semiology.errors import UserError
from semiology.models.device import check_device, check_precision
from semiology.tracking.patient import PatientLocation

PARTS = ("body", "face", "hands")
MODELS = ("lite", "full", "heavy")
MeshVersion = Literal["attention", "v2"]


@dataclass(frozen=True)
class Landmarks:
    """One part of the patient in one frame.

    Attributes:
        position: (keypoint, 2) px of the whole frame, x to the right, y down; NaN where missing.
        confidence: (keypoint,) 0 to 1; tracks have no position where it is 0. A network's
            probability is not, however little it is.
        position_3d: (keypoint, 3) metres, x to the right, y down, z away from the camera; None
            where the backend gives no depth.
    """

    position: np.ndarray
    confidence: np.ndarray
    position_3d: np.ndarray | None = None


@dataclass(frozen=True)
class BlazePoseOptions:
    """Options of the `blazepose` backend; see `pose/blazepose.py`.

    Attributes:
        model: of the body's landmarks: "full"; "lite", half of the time and less exact; "heavy",
            five times the time; or a .tflite or .task file of MediaPipe.
        face_mesh: of the face's landmarks: "attention", which sees small and blurred faces too; or
            "v2", for close-ups, from which blendshapes are computed without a second look.
    """

    model: str = "full"
    face_mesh: MeshVersion = "attention"

    def __post_init__(self) -> None:
        if self.model not in MODELS and not Path(self.model).is_file():
            raise UserError(
                f"blazepose.model={self.model}: no such file; give {', '.join(MODELS)}, or a"
                " .tflite or .task file"
            )

    @property
    def network(self) -> tuple[str, Path | None]:
        """Name of the published network, and the user's file in place of it."""
        if self.model in MODELS:
            return f"pose_landmark_{self.model}", None
        return "pose_landmark_full", Path(self.model)


@dataclass(frozen=True)
class KeypointRCNNOptions:
    """Options of the `keypoint-rcnn` backend; see `pose/keypoint_rcnn.py`.

    Attributes:
        weights: the folder that `semiology tracking finetune` wrote, or coco for torchvision's
            published weights.
        region_every: the patient's box is detected in every n-th frame and carried over to those
            in between. [our choice]
        batch: frames at a time.
        precision: "fp32", "bf16" or "auto", of the joint network.
        device: "auto" takes a GPU where there is one.
        face: whether to track the face's landmarks too (by `FaceMesh`).
    """

    weights: Path | None = None
    region_every: int = 5
    batch: int = 8
    precision: str = "fp32"
    device: str = "auto"
    face: bool = True

    def __post_init__(self) -> None:
        if self.region_every < 1 or self.batch < 1:
            raise UserError(
                f"keypoint-rcnn: region_every={self.region_every}, batch={self.batch}; give 1 or"
                " more of each"
            )
        check_precision(self.precision, "keypoint_rcnn.precision")
        check_device(self.device, "keypoint_rcnn.device")


@dataclass(frozen=True)
class ONNXOptions:
    """Options of the `onnx` backend; see `pose/onnx.py`.

    Attributes:
        weights: the .onnx file.
        layout: of the outputs: "simcc" (RTMPose, DWPose), "heatmap" (ViTPose, by UDP),
            "heatmap-msra" (HRNet, SimpleBaseline), "yolo" (YOLO-pose), "yolo-nms" (the same with
            the suppression of overlapping boxes in the graph), "rtmo"; "auto" by their shapes,
            which cannot tell the two kinds of heatmaps apart: they are taken for UDP.
        keypoints: names, in the order of the outputs; by default COCO's, Halpe's or
            COCO-WholeBody's for 17, 26 or 133.
        size: width and height of the input, px, where the graph leaves them open; else the graph's.
        mean, std: an input value is (pixel - mean) / std of 0 to 255, one number for each of red,
            green and blue; by default those of the layout.
        channels: order of the input's colours, "rgb" or "bgr"; "auto" is that of the layout.
        device: "auto" takes a GPU where onnxruntime has one. Not in the store's key.
        face: whether to track the face's landmarks too, by the default backend's mesh; a network of
            the whole body gives 68 of its own instead.
    """

    weights: Path | None = None
    layout: str = "auto"
    keypoints: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    channels: Literal["auto", "rgb", "bgr"] = "auto"
    device: str = "auto"
    face: bool = True

    def __post_init__(self) -> None:
        if self.std is not None and min(self.std) <= 0:
            raise UserError(
                f"onnx.std={list(self.std)}: give numbers above 0, in units of 0 to 255"
            )
        if self.size is not None and min(self.size) < 1:
            raise UserError(f"onnx.size={list(self.size)}: give width and height in px")
        if len(set(self.keypoints)) < len(self.keypoints):
            raise UserError("onnx.keypoints: names repeat")
        check_device(self.device, "onnx.device")


class PoseBackend(Protocol):
    """Tracks the patient's joints and landmarks. A backend is one class; creating one is cheap, its
    models are loaded with the first clip.

    One whose face is version 2 of MediaPipe's mesh has an attribute `face_mesh`, "v2": blendshapes
    are then computed from its tracks, and the face is not looked at again.
    """

    name: str
    keypoints: dict[str, list[str]]  # part -> names, in the order of the arrays
    in_metres: frozenset[str]  # the parts that get a position_3d

    def parameters(self) -> dict[str, object]:
        """All that the result depends on (options, versions, hashes of weights), for the store's
        key. Cheap: loads no model.
        """
        ...

    def track(
        self, frames: Iterable[tuple[np.ndarray | None, PatientLocation]]
    ) -> Iterator[dict[str, Landmarks]]:
        """Track one clip.

        Args:
            frames: RGB images, (height, width, 3) uint8, or None for a missing frame, each with the
                patient's location by the first pass.

        Yields:
            For each frame, in order: part -> landmarks; a part that was not found is absent.
        """
        ...
