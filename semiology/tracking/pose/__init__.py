"""Pose backends, which track joints and landmarks of the patient in every frame."""

from semiology.errors import UserError
from semiology.tracking.pose.base import BlazePoseOptions, KeypointRCNNOptions, PoseBackend

BACKENDS = ("blazepose", "keypoint-rcnn")


def pose_backend(
    name: str,
    keypoint_rcnn: KeypointRCNNOptions | None = None,
    blazepose: BlazePoseOptions | None = None,
) -> PoseBackend:
    """A backend by name: `blazepose`, the default, or `keypoint-rcnn`, the paper's detectors.

    Raises:
        UserError: no such backend, a package that is not installed, or no weights given.
    """
    if name == "blazepose":
        from semiology.tracking.pose.blazepose import BlazePose

        return BlazePose(blazepose)
    if name == "keypoint-rcnn":
        from semiology.tracking.pose.keypoint_rcnn import KeypointRCNNPose

        return KeypointRCNNPose(keypoint_rcnn or KeypointRCNNOptions())
    raise UserError(f"pose backend {name!r}: unknown; there are {', '.join(BACKENDS)}")
