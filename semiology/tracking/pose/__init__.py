"""Pose backends, which track joints and landmarks of the patient in every frame."""

from semiology.tracking.pose.base import (
    BlazePoseOptions,
    KeypointRCNNOptions,
    ONNXOptions,
    PoseBackend,
)
from semiology.tracking.pose.own import OwnPose

BACKENDS = ("blazepose", "keypoint-rcnn", "onnx")


def pose_backend(
    name: str,
    keypoint_rcnn: KeypointRCNNOptions | None = None,
    blazepose: BlazePoseOptions | None = None,
    onnx: ONNXOptions | None = None,
) -> PoseBackend:
    """A backend by name: `blazepose`, the default; `keypoint-rcnn`, the paper's detectors; `onnx`,
    a network of another program's; or one of the user's own, by `package.module:Class` or the name
    of an entry point (`own.py`).

    Raises:
        UserError: no such backend, a package that is not installed, no weights given; a class that
            is no backend, or is in a module that is not allowed.
    """
    if name == "blazepose":
        from semiology.tracking.pose.blazepose import BlazePose

        return BlazePose(blazepose)
    if name == "keypoint-rcnn":
        from semiology.tracking.pose.keypoint_rcnn import KeypointRCNNPose

        return KeypointRCNNPose(keypoint_rcnn or KeypointRCNNOptions())
    if name == "onnx":
        from semiology.tracking.pose.onnx import ONNXPose

        return ONNXPose(onnx or ONNXOptions())
    return OwnPose(name, BACKENDS)
