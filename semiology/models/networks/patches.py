"""A network over keypoints that also sees what is where each joint is: features of the image at the
joint, beside its coordinates.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from semiology.models.networks.base import Network, StreamShape
from semiology.models.networks.dropout import Dropout
from semiology.models.networks.tcn import Standardised


class Patches(Standardised):
    """A network over keypoints whose joints carry features of the image beside coordinates.

    The features of a joint are standardised over training participants and projected to `width`
    channels, the same projection for all joints; the encoder reads them as channels of the joint.
    Zeros stand where the frame has none. All sizes are our choice; the idea, a local feature at
    every joint, is that of trajectory-pooled features.

    Parameters
    ----------
    shape : StreamShape
        What the data decide; the appearance is "body_patches", the same number for every joint.
    encoder : dict
        {"stream": "agcn", "options": {...}}: the network over keypoints (agcn, ctrgcn, gat or
        transformer).
    width : int
        Channels that the features of a joint are projected to.
    dropout : float
        Of the projected features.

    Returns
    -------
    Tensor
        Logits (batch, class), from keypoints (batch, channel, time, joint), their mask (batch,
        time, joint), features (batch, joint * channel, time) and their mask (batch, time).

    Raises
    ------
    ValueError
        The data hold no features, or not the same number for every joint; the encoder reads
        something else than keypoints.

    References
    ----------
    Wang et al., Action Recognition with Trajectory-Pooled Deep-Convolutional Descriptors, CVPR
    2015: features of convolutional maps at tracked points. The rest is our choice.

    Examples
    --------
    >>> import torch
    >>> from semiology import load_skeleton
    >>> from semiology.models.networks import Patches, StreamShape
    >>> shape = StreamShape(2, load_skeleton("upper_body_11"), 4, appearance_channels=11 * 64)
    >>> network = Patches(shape, {"stream": "agcn", "options": {"widths": [8]}})
    >>> keypoints, mask = torch.randn(3, 4, 32, 11), torch.ones(3, 32, 11)
    >>> network(keypoints, mask, torch.randn(3, 704, 32), torch.ones(3, 32)).shape
    torch.Size([3, 2])
    """

    reads = ("keypoints", "keypoint_mask", "appearance", "appearance_mask")

    def __init__(
        self, shape: StreamShape, encoder: dict[str, Any], width: int = 8, dropout: float = 0.2
    ):
        super().__init__(shape.appearance_channels)
        self.joints = len(shape.skeleton.names)
        if shape.appearance_channels % self.joints:
            raise ValueError(
                f"Patches: {shape.appearance_channels} features are not the same number for each of"
                f" {self.joints} joints; set appearance: body_patches"
            )
        self.project = nn.Linear(shape.appearance_channels // self.joints, width)
        self.dropout = Dropout(dropout)
        own = replace(
            shape, keypoint_channels=shape.keypoint_channels + width, appearance_channels=0
        )
        self.encoder: Any = Network(**encoder)(own)
        if self.encoder.reads != ("keypoints", "keypoint_mask") or hasattr(
            self.encoder, "over_segments"
        ):
            raise ValueError(
                f"Patches: encoder {encoder['stream']}: has to read the keypoints of one window"
            )

    @property
    def head(self) -> nn.Linear:
        """The encoder's linear layer, which gives the logits."""
        return self.encoder.head

    @property
    def features(self) -> int:
        """Length of the vector that `forward_features` gives."""
        return self.encoder.features

    def forward_features(
        self, keypoints: Tensor, mask: Tensor, appearance: Tensor, appearance_mask: Tensor
    ) -> Tensor:
        """(batch, features), the vector before the head."""
        x = self.standard(appearance).unflatten(1, (self.joints, -1))
        x = self.dropout(self.project(x.permute(0, 3, 1, 2)))  # (batch, time, joint, width)
        x = (x * appearance_mask[:, :, None, None]).permute(0, 3, 1, 2)
        return self.encoder.forward_features(torch.cat([keypoints, x.to(keypoints)], 1), mask)

    def forward(
        self, keypoints: Tensor, mask: Tensor, appearance: Tensor, appearance_mask: Tensor
    ) -> Tensor:
        """Logits (batch, class); see the class for the shapes."""
        return self.head(self.forward_features(keypoints, mask, appearance, appearance_mask))
