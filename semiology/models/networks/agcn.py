"""Adaptive graph convolutional network over keypoints (AGCN).

Source: Shi et al., Two-Stream Adaptive Graph Convolutional Networks, CVPR 2019, and its code,
lshiwjx/2s-AGCN [C]. Hou et al. 2022 read their keypoint graphs with it [P].
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semiology.models.networks.attention import JointTimeChannelAttention
from semiology.models.networks.base import StreamShape
from semiology.models.networks.dropout import Dropout
from semiology.models.networks.keypoints import GraphBlocks

WIDTHS = (
    64,
    64,
    64,
    64,
    128,
    128,
    128,
    256,
    256,
    256,
)  # [C]; stride 2 where the width doubles: the 5th and the 8th block
# channels from which a strided convolution of one frame is left to torch, see FrameConv; a wide
# margin
MANY = 16


class AdaptiveGraphConv(nn.Module):
    """Graph convolution whose graph is partly given, partly learned, partly made from the data.

        y = ReLU( BN( sum_k  W_k x (A_k + B_k + C_k) ) + residual(x) ),   C_k = softmax( (theta_k
        x)^T (phi_k x) / (E T) )

    k runs over the subsets of the spatial partition (self, inward, outward); A is fixed, B is
    learned (starts at 1e-6), C is made from the clip. With `form="aagcn"` (Shi et al. 2020,
    MS-AAGCN) the graph is B_k + alpha * tanh(...), B starting at A and alpha at 0. The three W_k
    are one convolution over stacked channels, and all theta_k, phi_k another: the same sums in
    fewer passes.

    Shapes: x (batch, channel, time, joint) -> (batch, width, time, joint).
    """

    fixed: Tensor

    def __init__(self, channels: int, width: int, partitions: Tensor, form: str = "agcn"):
        super().__init__()
        if form not in ("agcn", "aagcn"):
            raise ValueError(f'form must be "agcn" or "aagcn", got {form!r}')
        subsets = len(partitions)
        self.form = form
        self.embedding = max(width // 4, 1)  # [C] coff_embedding = 4
        self.register_buffer("fixed", partitions.clone())
        self.learned = nn.Parameter(
            torch.full_like(partitions, 1e-6) if form == "agcn" else partitions.clone()
        )
        self.alpha = nn.Parameter(torch.zeros(1)) if form == "aagcn" else None
        self.embed = nn.Conv2d(channels, 2 * subsets * self.embedding, 1)
        self.project = nn.Conv2d(subsets * channels, width, 1)
        self.norm = nn.BatchNorm2d(width)
        self.residual = (
            nn.Identity()
            if channels == width
            else nn.Sequential(nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width))
        )
        nn.init.normal_(
            self.project.weight, 0, (2 / (width * channels * subsets)) ** 0.5
        )  # [C] conv_branch_init
        nn.init.zeros_(self.project.bias)  # type: ignore[arg-type]
        nn.init.kaiming_normal_(self.embed.weight, mode="fan_out")
        nn.init.zeros_(self.embed.bias)  # type: ignore[arg-type]
        nn.init.constant_(self.norm.weight, 1e-6)  # [C]: a block starts as its residual

    def adjacency(self, x: Tensor) -> Tensor:
        """(batch, subset, joint, joint): entry [k, i, j] weights joint i in the sum at joint j."""
        batch, _, time, joints = x.shape
        rows = (
            self.embed(x)
            .permute(0, 2, 3, 1)
            .reshape(batch, time, joints, 2, len(self.fixed), self.embedding)
        )
        theta, phi = (
            rows.permute(3, 0, 4, 2, 1, 5).reshape(2, batch, len(self.fixed), joints, -1).unbind(0)
        )  # (batch, subset, joint, T*E)
        similarity = theta @ phi.transpose(2, 3) / theta.shape[3]
        if self.alpha is None:
            return self.fixed + self.learned + similarity.softmax(dim=-2)
        return self.learned + self.alpha * similarity.tanh()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channel, time, joint) -> (batch, width, time, joint)."""
        batch, _, time, joints = x.shape
        # (batch, 1, joint*subset, joint summed over): the same graph at every time
        adjacency = self.adjacency(x).permute(0, 3, 1, 2).reshape(batch, 1, -1, joints)
        # (batch, time, joint*subset, channel)
        aggregated = adjacency.to(x.dtype) @ x.permute(0, 2, 3, 1)
        y = self.project(aggregated.reshape(batch, time, joints, -1).permute(0, 3, 1, 2))
        return (self.norm(y) + self.residual(x)).relu_()


class FrameConv(nn.Conv2d):
    """Convolution over time, (kernel, 1), with padding and stride over time only.

    With few channels, a kernel of one frame with a stride takes its frames first and then has
    stride 1: the same sums. oneDNN's gradient of the weights of a strided 1x1 convolution, channels
    last in memory, writes beyond its memory where channels are few: the process dies, never ends,
    or goes on with wrong numbers. Seen most with AVX2 alone, and with AVX-512 where several threads
    share the work (torch 2.15; `make bench NAME=safe-shapes`). With more channels torch's own is
    kept, to the last digit.

    Shapes: (batch, channel, time, joint) -> (batch, width, ceil(time / stride), joint).
    """

    def __init__(self, channels: int, width: int, kernel: int, stride: int):
        super().__init__(channels, width, (kernel, 1), (stride, 1), (kernel // 2, 0))
        self.frames_first = kernel == 1 and channels < MANY

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channel, time, joint) -> (batch, width, ceil(time / stride), joint)."""
        if self.frames_first:
            return F.conv2d(x[:, :, :: self.stride[0]], self.weight, self.bias)
        return super().forward(x)


class Block(nn.Module):
    """Adaptive graph convolution, with attention if wanted, then a convolution over time of 9
    frames [C], around a residual. `stride` shortens time.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        partitions: Tensor,
        *,
        stride: int,
        residual: bool,
        form: str,
        attention: bool,
        kernel: int,
        dropout: float,
    ):
        super().__init__()
        self.graph = AdaptiveGraphConv(channels, width, partitions, form)
        self.attention = (
            JointTimeChannelAttention(width, partitions.shape[1]) if attention else None
        )
        self.time = FrameConv(width, width, kernel, stride)
        self.norm = nn.BatchNorm2d(width)
        self.dropout = Dropout(dropout)
        self.residual: nn.Module | None = None
        if residual and channels == width and stride == 1:
            self.residual = nn.Identity()
        elif residual:
            self.residual = nn.Sequential(
                FrameConv(channels, width, 1, stride), nn.BatchNorm2d(width)
            )
        nn.init.kaiming_normal_(self.time.weight, mode="fan_out")
        nn.init.zeros_(self.time.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channel, time, joint) -> (batch, width, ceil(time / stride), joint)."""
        y = self.graph(x)
        y = y if self.attention is None else self.attention(y)
        y = self.dropout(self.norm(self.time(y)))
        return torch.relu(y) if self.residual is None else (y + self.residual(x)).relu_()


class AGCN(GraphBlocks):
    """Adaptive graph convolutional network over keypoints.

    Blocks of adaptive graph convolution and temporal convolution; mean over seen frames and
    joints; linear head.

    Parameters
    ----------
    shape : StreamShape
        What the data decide: channels, skeleton, classes.
    widths : sequence of int
        Channels of each block; time is halved where the width grows. The default is the published
        network (3.5 million weights), too large for some tens of clips: the configs use fewer and
        say so.
    form : {"agcn", "aagcn"}
        Adjacency A + B + C [C], or learned A + alpha tanh(C) (MS-AAGCN).
    attention : bool
        Weights joints, frames and channels between graph and time, as MS-AAGCN does; that network
        is `form="aagcn", attention=True`.
    kernel : int
        Frames of the temporal convolution, odd.
    dropout : float
        After each temporal convolution; 0 as published.

    Returns
    -------
    Tensor
        Logits (batch, class), from keypoints (batch, channel, time, joint) and a mask (batch,
        time, joint) that is 1 where a joint was seen.

    Raises
    ------
    ValueError
        The kernel is even, the data hold no keypoints, or the input's channels or joints differ
        from the shape's.

    References
    ----------
    Shi et al., Two-Stream Adaptive Graph Convolutional Networks for Skeleton-Based Action
    Recognition, CVPR 2019; code: lshiwjx/2s-AGCN [C]. Shi et al., Skeleton-Based Action
    Recognition with Multi-Stream Adaptive Graph Convolutional Networks, IEEE TIP 2020. Hou et al.
    2022 read upper body and face with it [P].

    Examples
    --------
    >>> import torch
    >>> from semiology import load_skeleton
    >>> from semiology.models.networks import AGCN, StreamShape
    >>> network = AGCN(StreamShape(2, load_skeleton("upper_body_11"), 4), widths=[16, 32])
    >>> network(torch.randn(3, 4, 64, 11), torch.ones(3, 64, 11)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        shape: StreamShape,
        widths: Sequence[int] = WIDTHS,
        form: str = "agcn",
        kernel: int = 9,
        dropout: float = 0.0,
        attention: bool = False,
    ):
        if kernel % 2 == 0:
            raise ValueError(
                f"AGCN: kernel {kernel}; an odd number of frames, so that time keeps its length"
            )
        block = partial(Block, form=form, attention=attention, kernel=kernel, dropout=dropout)
        super().__init__(shape, widths, block)
        self.kernel = kernel

    @property
    def receptive_field(self) -> int:
        """Input frames that one step of the last block's temporal convolutions sees (the
        data-dependent graph sees the whole window).
        """
        field, jump = 1, 1
        for block in self.blocks:
            field += (self.kernel - 1) * jump
            jump *= block.time.stride[0]  # type: ignore
        return field

    def forward_joints(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """(batch, features, step, joint), before the mean over steps and joints; a step is one
        frame, or several where strides shorten time.
        """
        x = self.normed(keypoints, mask).permute(0, 3, 1, 2)
        x = x.contiguous().permute(0, 3, 1, 2)  # channels last in memory, to the network's end
        for block in self.blocks:
            x = block(x)
        return x

    def joint_axes(self) -> dict[str, tuple[int, ...]]:
        """As `OverKeypoints.joint_axes`. Attention to joints depends on their order."""
        axes = super().joint_axes()
        for number, block in enumerate(self.blocks):
            axes[f"blocks.{number}.graph.fixed"] = ()
            if block.attention is not None:
                axes[f"blocks.{number}.attention.joint.weight"] = ()
        return axes

    def graphs(self) -> tuple[Tensor, Tensor]:
        """Fixed A and learned B, each (block, subset, joint, joint): what the report draws."""
        layers: list[Any] = [block.graph for block in self.blocks]
        fixed = torch.stack([layer.fixed for layer in layers])
        return fixed, torch.stack([layer.learned.detach() for layer in layers])
