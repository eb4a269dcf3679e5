"""What the networks over keypoints share: the input normalised joint by joint, missing joints at
zero, and logits as a linear head over `forward_features`; and what those share whose blocks are
graph convolutions.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from semiology.models.networks.base import StreamShape
from semiology.models.networks.masks import mean_over_seen


class OverKeypoints(nn.Module):
    """A network over keypoints (batch, channel, time, joint) and a mask (batch, time, joint) that
    is 1 where a joint was seen.

    Every channel of every joint is normalised over clips and time, as in 2s-AGCN [C]; then what
    the mask leaves out is zero, so that no value below a zero of the mask is read. A network adds
    `forward_features` and the linear layer `head`.

    Args:
        shape: what the data decide.

    Raises:
        ValueError: the data hold no keypoints; the input's channels or joints differ.
    """

    reads = ("keypoints", "keypoint_mask")
    head: nn.Linear
    forward_features: Callable[[Tensor, Tensor], Tensor]

    def __init__(self, shape: StreamShape):
        super().__init__()
        if shape.keypoint_channels < 1:
            raise ValueError(
                f"{type(self).__name__}: the data hold no keypoints; leave it out, or read a body"
                " or a face"
            )
        self.channels, self.joints = shape.keypoint_channels, len(shape.skeleton.names)
        self.norm = nn.BatchNorm1d(self.channels * self.joints)

    def normed(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """(batch, joint, channel, time): normalised, zero where nothing was seen."""
        batch, channels, time, joints = keypoints.shape
        if (channels, joints) != (self.channels, self.joints):
            raise ValueError(
                f"{type(self).__name__}: expected (batch, {self.channels}, time, {self.joints}),"
                f" got {tuple(keypoints.shape)}"
            )
        x = self.norm(keypoints.permute(0, 3, 1, 2).reshape(batch, joints * channels, time))
        return x.view(batch, joints, channels, time) * mask.transpose(1, 2).unsqueeze(2)

    @property
    def features(self) -> int:
        """Length of the vector that `forward_features` gives."""
        return self.head.in_features

    def joint_axes(self) -> dict[str, tuple[int, ...]]:
        """Which entries of the state_dict depend on the joints: name -> axes with one entry a joint
        (of the input's norm one a joint and channel, joint by joint); no axis for what holds for
        these joints in this order alone, such as fixed graphs. All others fit any skeleton.
        """
        names = ("weight", "bias", "running_mean", "running_var")
        return {f"norm.{name}": (0,) for name in names}

    def forward(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """Logits (batch, class); see the class for the shapes of keypoints and mask."""
        return self.head(self.forward_features(keypoints, mask))


class GraphBlocks(OverKeypoints):
    """A network over keypoints of blocks of graph convolution, one after the other; mean over seen
    frames and joints; linear head. Time is halved where the width grows, and every block but the
    first has a residual [C: lshiwjx/2s-AGCN].

    A network adds `forward_joints`. The start of the classifier is our choice: that of [C],
    sqrt(2 / classes), starts two classes at certainty.

    Args:
        shape: what the data decide.
        widths: channels of each block.
        block: makes one of channels, width and the skeleton's partitions, by `stride` and
            `residual`.
    """

    forward_joints: Callable[[Tensor, Tensor], Tensor]

    def __init__(self, shape: StreamShape, widths: Sequence[int], block: Callable[..., nn.Module]):
        super().__init__(shape)
        partitions = torch.from_numpy(shape.skeleton.partitions())
        blocks, channels = [], self.channels
        for number, width in enumerate(widths):
            stride = 2 if number and width > channels else 1
            blocks.append(block(channels, width, partitions, stride=stride, residual=number > 0))
            channels = width
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(channels, shape.classes)
        nn.init.normal_(self.head.weight, 0, channels**-0.5)

    def joint_axes(self) -> dict[str, tuple[int, ...]]:
        """As `OverKeypoints.joint_axes`."""
        graphs = range(len(self.blocks))
        return super().joint_axes() | {f"blocks.{n}.graph.learned": (1, 2) for n in graphs}

    def forward_features(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """(batch, features), the vector before the head."""
        return mean_over_seen(self.forward_joints(keypoints, mask), mask)
