"""Temporal convolutional network over appearance features (TCN).

Source: Hou et al. 2022 use a TCN on VGG-19 features [P]; its layers are not stated. The residual
block of dilated convolutions follows Bai et al., An Empirical Evaluation of Generic Convolutional
and Recurrent Networks, 2018, without its causality: the whole clip is there. The features are
standardised with the mean and spread over training participants.
"""

import torch
from torch import Tensor, nn

from semiology.models.networks.base import StreamShape
from semiology.models.networks.dropout import Dropout
from semiology.models.networks.masks import masked_mean


class Standardised(nn.Module):
    """A network over appearance features that carries their mean and spread, `feature_mean` and
    `feature_std`, as buffers.

    They are fitted on training participants before training (`standardise`) and saved with the
    weights; until then they change nothing.

    Args:
        channels: of the features.
        wanted: False leaves them as they are.

    Raises:
        ValueError: there are no features; the input's channels differ.
    """

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(self, channels: int, wanted: bool = True):
        super().__init__()
        name = type(self).__name__
        if channels < 1:
            raise ValueError(
                f"{name}: the data hold no appearance features; extract them (see"
                f" docs/appearance.md) or leave the {name} out"
            )
        self.wants_statistics = wanted
        self.register_buffer("feature_mean", torch.zeros(channels))
        self.register_buffer("feature_std", torch.ones(channels))

    def standardise(self, mean: Tensor, std: Tensor) -> None:
        """Set the mean and spread, each (channel,), measured on training participants; a constant
        channel keeps the spread 1.
        """
        self.feature_mean.copy_(mean)
        self.feature_std.copy_(torch.where(std > 1e-6, std, torch.ones_like(std)))

    def standard(self, appearance: Tensor) -> Tensor:
        """Standardised features, (batch, channel, time) in and out."""
        if appearance.shape[1] != len(self.feature_mean):
            raise ValueError(
                f"{type(self).__name__}: expected (batch, {len(self.feature_mean)}, time), got"
                f" {tuple(appearance.shape)}"
            )
        return (appearance - self.feature_mean[:, None]) / self.feature_std[:, None]


class Block(nn.Module):
    """x + Dropout(ReLU(BN(Conv(x)))), the convolution dilated. Shapes: (batch, channel, time) both
    ways.
    """

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float):
        super().__init__()
        self.time = nn.Conv1d(
            width, width, kernel, padding=dilation * (kernel - 1) // 2, dilation=dilation
        )
        self.norm = nn.BatchNorm1d(width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, time) -> the same shape."""
        return x + self.dropout(torch.relu(self.norm(self.time(x))))


class TCN(Standardised):
    """Temporal convolutional network over appearance features.

    Features standardised over training participants, projected; dilated residual blocks (dilation
    1, 2, 4, ...); mean over seen frames; linear head. The paper does not state the layers: all
    sizes are our choice.

    Parameters
    ----------
    shape : StreamShape
        What the data decide: appearance channels, classes.
    width : int
        Channels of every block.
    blocks : int
        Number of blocks; the dilation doubles in each.
    kernel : int
        Frames of each convolution, odd.
    dropout : float
        After each block and after the projection.

    Returns
    -------
    Tensor
        Logits (batch, class), from appearance features (batch, channel, time) and a mask (batch,
        time) that is 1 where a frame has features.

    Raises
    ------
    ValueError
        The data hold no appearance features, or the input's channels differ from the shape's.

    References
    ----------
    Hou et al. 2022 [P]. Bai et al., An Empirical Evaluation of Generic Convolutional and Recurrent
    Networks for Sequence Modeling, 2018, here without causality: the whole clip is there.

    Examples
    --------
    >>> import torch
    >>> from semiology import load_skeleton
    >>> from semiology.models.networks import TCN, StreamShape
    >>> network = TCN(StreamShape(2, load_skeleton("upper_body_11"), 4, appearance_channels=512))
    >>> network(torch.randn(3, 512, 64), torch.ones(3, 64)).shape
    torch.Size([3, 2])
    """

    reads = ("appearance", "appearance_mask")

    def __init__(
        self,
        shape: StreamShape,
        width: int = 64,
        blocks: int = 4,
        kernel: int = 3,
        dropout: float = 0.2,
    ):
        super().__init__(shape.appearance_channels)
        self.kernel = kernel
        self.project = nn.Conv1d(shape.appearance_channels, width, 1)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(width, kernel, 2**number, dropout) for number in range(blocks)
        )
        self.head = nn.Linear(width, shape.classes)

    @property
    def features(self) -> int:
        """Length of the vector that `forward_features` gives."""
        return self.head.in_features

    @property
    def receptive_field(self) -> int:
        """Input frames that one output step sees: 1 + (kernel - 1) (2^blocks - 1)."""
        return 1 + (self.kernel - 1) * (2 ** len(self.blocks) - 1)

    def forward_features(self, appearance: Tensor, mask: Tensor) -> Tensor:
        """(batch, features), the vector before the head."""
        x = self.dropout(self.project(self.standard(appearance) * mask.unsqueeze(1)))
        for block in self.blocks:
            x = block(x)
        return masked_mean(x, mask)

    def forward(self, appearance: Tensor, mask: Tensor) -> Tensor:
        """Logits (batch, class); see the class for the shapes of appearance and mask."""
        return self.head(self.forward_features(appearance, mask))
