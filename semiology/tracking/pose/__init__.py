"""Pose backends, which track joints and landmarks of the patient in every frame."""

from semiology.errors import UserError
from semiology.tracking.pose.base import KeypointRCNNOptions, PoseBackend

BACKENDS = ("mediapipe", "keypoint-rcnn")


def pose_backend(name: str, keypoint_rcnn: KeypointRCNNOptions | None = None) -> PoseBackend:
    """A backend by name: `mediapipe`, the default, or `keypoint-rcnn`, the paper's detectors.

    Raises:
        UserError: no such backend, a package that is not installed, or no weights given.
    """
    try:
        if name == "mediapipe":
            from semiology.tracking.pose.mediapipe import MediaPipePose

            return MediaPipePose()
        if name == "keypoint-rcnn":
            from semiology.tracking.pose.keypoint_rcnn import KeypointRCNNPose

            return KeypointRCNNPose(keypoint_rcnn or KeypointRCNNOptions())
    except ModuleNotFoundError as error:
        raise UserError(
            f"pose backend {name}: {error.name} is not installed; pip install"
            " 'semiology[mediapipe]'"
        ) from error
    raise UserError(f"pose backend {name!r}: unknown; there are {', '.join(BACKENDS)}")
