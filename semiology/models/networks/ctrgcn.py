"""Channel-wise topology refinement graph convolution over keypoints (CTR-GCN).

Source: Chen et al., Channel-wise Topology Refinement Graph Convolution for Skeleton-Based Action
Recognition, ICCV 2021 [P], and its code, Uason-Chen/CTR-GCN model/ctrgcn.py [C].
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from semiology.models.networks.agcn import WIDTHS
from semiology.models.networks.base import StreamShape
from semiology.models.networks.dropout import Dropout
from semiology.models.networks.keypoints import GraphBlocks

RELATIONS, REDUCTION = 8, 8  # [C] channels that joints are compared in: an eighth, 8 from the input
DILATIONS = (1, 2)  # [C] of the two convolutions over time
BRANCHES = len(DILATIONS) + 2  # and a maximum over three frames, and the frames themselves


class Pointwise(nn.Conv2d):
    """A convolution of single joints and frames as one matrix product a clip: with tensors that
    are contiguous, up to six times as fast as torch's convolution where channels are few, and as
    fast where they are many.

    Shapes: (batch, channel, joint, time) -> (batch, width, joint, time).
    """

    def __init__(self, channels: int, width: int):
        super().__init__(channels, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channel, joint, time) -> (batch, width, joint, time)."""
        assert self.bias is not None
        weight = self.weight.flatten(1).expand(len(x), -1, -1)
        return torch.baddbmm(self.bias[:, None], weight, x.flatten(2)).unflatten(2, x.shape[2:])


class RefinedGraphConv(nn.Module):
    """Graph convolution with a graph of its own for every channel.

        y_c = ReLU( BN( sum_k  G_kc (W_k x)_c ) + residual(x) )
        G_kc = A_k + alpha (b_kc + sum_r Q_kcr tanh( m_kr(u) - n_kr(v) ))

    Subset k (self, inward, outward) has a graph A_k, learned from the skeleton's on and common to
    all channels, which the difference of two joints u and v refines: m and n are linear in their
    mean over time. Joint v enters the sum at joint u with weight `G[u, v]` [C]. alpha starts at 0.

    Tensors lie with joints before time. The sum over subsets and joints is then one product a clip
    and channel, (joint, 3 x joint) by (3 x joint, time), which reads what the projection wrote; m
    and n are computed from the mean instead of averaged; and b and A are two more terms of the sum
    over r.

    Shapes: x (batch, channel, joint, time) -> (batch, width, joint, time).
    """

    def __init__(self, channels: int, width: int, partitions: Tensor):
        super().__init__()
        self.subsets = len(partitions)
        self.relations = max(channels // REDUCTION, RELATIONS)
        self.learned = nn.Parameter(partitions.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        self.compare = nn.Linear(channels, 2 * self.subsets * self.relations)
        self.refine = nn.Parameter(torch.zeros(self.subsets, width, self.relations + 1))  # Q, b
        self.project = Pointwise(channels, width * self.subsets)  # channel by channel, its subsets
        self.norm = nn.BatchNorm2d(width)
        self.residual = (
            nn.Identity()
            if channels == width
            else nn.Sequential(Pointwise(channels, width), nn.BatchNorm2d(width))
        )
        # [C] Kaiming's, by the outputs of each subset
        nn.init.normal_(self.compare.weight, 0, (2 / self.relations) ** 0.5)
        nn.init.normal_(self.refine[:, :, :-1], 0, (2 / width) ** 0.5)
        nn.init.normal_(self.project.weight, 0, (2 / width) ** 0.5)
        for layer in (self.compare, self.project):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        if isinstance(self.residual, nn.Sequential):
            _start(self.residual[0])
        nn.init.constant_(self.norm.weight, 1e-6)  # [C]: a block starts as its residual

    def graphs(self, x: Tensor) -> Tensor:
        """(batch, width, joint u, subset, joint v): the weight of joint v in the sum at joint u."""
        batch, _, joints, _ = x.shape
        m, n = self.compare(x.mean(3).transpose(1, 2)).transpose(1, 2).chunk(2, dim=1)
        difference = (m.unsqueeze(3) - n.unsqueeze(2)).tanh()  # (batch, subset*relation, u, v)
        refined = self.alpha * difference.unflatten(1, (self.subsets, -1))
        learned = self.learned.unsqueeze(1).expand(batch, -1, -1, -1, -1)
        terms = torch.cat([refined, self.alpha.expand_as(learned), learned], dim=2).flatten(3)
        weight = torch.cat([self.refine, torch.ones_like(self.refine[:, :, :1])], dim=2)
        graphs = weight.to(terms.dtype) @ terms  # (batch, subset, width, u*v)
        return graphs.unflatten(3, (joints, joints)).permute(0, 2, 3, 1, 4)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channel, joint, time) -> (batch, width, joint, time)."""
        batch, _, joints, time = x.shape
        graphs = self.graphs(x).reshape(-1, joints, self.subsets * joints)
        projected = self.project(x).reshape(-1, self.subsets * joints, time)
        y = torch.bmm(graphs, projected).view(batch, -1, joints, time)
        return (self.norm(y) + self.residual(x)).relu_()


class ScaledTimeConv(nn.Module):
    """Four views of time, a quarter of the channels each: convolutions of `kernel` frames with
    dilation 1 and 2, the maximum over three frames, and the frames themselves [C].

        z = W x;   y = BN( [conv_1(a), conv_2(b), max(c), d] ),   a, b, c = ReLU(BN(z)), d = z

    The four W are one product. Shapes: (batch, width, joint, time) -> (batch, width, joint,
    ceil(time / stride)).
    """

    def __init__(self, width: int, kernel: int, stride: int):
        super().__init__()
        quarter = width // BRANCHES
        self.quarter, self.stride = quarter, stride
        self.project = Pointwise(width, width)
        self.projected = nn.BatchNorm2d(width - quarter)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(
                quarter,
                quarter,
                (1, kernel),
                (1, stride),
                (0, dilation * (kernel // 2)),
                (1, dilation),
            )
            for dilation in DILATIONS
        )
        self.largest = nn.MaxPool2d((1, 3), (1, stride), (0, 1))
        self.norm = nn.BatchNorm2d(width)
        nn.init.normal_(self.project.weight, 0, (2 / quarter) ** 0.5)  # [C] four layers, fan out
        nn.init.zeros_(self.project.bias)  # type: ignore[arg-type]
        for layer in self.convolutions:
            _start(layer)
        for norm in (self.projected, self.norm):
            nn.init.normal_(norm.weight, 1, 0.02)  # [C]

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, joint, time) -> (batch, width, joint, ceil(time / stride))."""
        z, itself = self.project(x).split([3 * self.quarter, self.quarter], dim=1)
        *parts, last = torch.relu(self.projected(z)).chunk(BRANCHES - 1, dim=1)
        views = [convolve(part) for convolve, part in zip(self.convolutions, parts)]
        return self.norm(torch.cat([*views, self.largest(last), itself[..., :: self.stride]], 1))


class Block(nn.Module):
    """Refined graph convolution, then the four views of time, around a residual. `stride` shortens
    time.

    Shapes: (batch, channel, time, joint) -> (batch, width, ceil(time / stride), joint), with
    joints before time in memory.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        partitions: Tensor,
        *,
        stride: int,
        residual: bool,
        kernel: int,
        dropout: float,
    ):
        super().__init__()
        self.stride = stride
        self.graph = RefinedGraphConv(channels, width, partitions)
        self.time = ScaledTimeConv(width, kernel, stride)
        self.dropout = Dropout(dropout)
        self.residual: nn.Module | None = None
        if residual and channels == width and stride == 1:
            self.residual = nn.Identity()
        elif residual:
            self.residual = nn.Sequential(Pointwise(channels, width), nn.BatchNorm2d(width))
            _start(self.residual[0])

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channel, time, joint) -> (batch, width, ceil(time / stride), joint)."""
        x = x.transpose(2, 3)
        y = self.dropout(self.time(self.graph(x)))
        if self.residual is not None:
            y = y + self.residual(x[..., :: self.stride])
        return torch.relu(y).transpose(2, 3)


class CTRGCN(GraphBlocks):
    """Graph convolutional network over keypoints with a refined graph for every channel.

    Blocks of refined graph convolution and convolutions over time at several scales; mean over
    seen frames and joints; linear head.

    Parameters
    ----------
    shape : StreamShape
        What the data decide: channels, skeleton, classes.
    widths : sequence of int
        Channels of each block, multiples of 4; time is halved where the width grows. The default is
        the published network.
    kernel : int
        Frames of the two convolutions over time, odd; the second takes every other frame.
    dropout : float
        After the convolutions over time; 0 as published.

    Returns
    -------
    Tensor
        Logits (batch, class), from keypoints (batch, channel, time, joint) and a mask (batch,
        time, joint) that is 1 where a joint was seen.

    Raises
    ------
    ValueError
        A width is no multiple of 4, the kernel is even, the data hold no keypoints, or the input's
        channels or joints differ from the shape's.

    References
    ----------
    Chen et al., Channel-wise Topology Refinement Graph Convolution for Skeleton-Based Action
    Recognition, ICCV 2021 [P]; code: Uason-Chen/CTR-GCN [C]. Of the published network's classifier
    the start is ours, as in `AGCN`.

    Examples
    --------
    >>> import torch
    >>> from semiology import load_skeleton
    >>> from semiology.models.networks import CTRGCN, StreamShape
    >>> network = CTRGCN(StreamShape(2, load_skeleton("upper_body_11"), 4), widths=[16, 32])
    >>> network(torch.randn(3, 4, 64, 11), torch.ones(3, 64, 11)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        shape: StreamShape,
        widths: Sequence[int] = WIDTHS,
        kernel: int = 5,
        dropout: float = 0.0,
    ):
        if kernel % 2 == 0 or any(width % BRANCHES for width in widths):
            raise ValueError(
                f"CTRGCN: kernel must be odd and every width a multiple of {BRANCHES}, got kernel"
                f" {kernel}, widths {list(widths)}"
            )
        super().__init__(shape, widths, partial(Block, kernel=kernel, dropout=dropout))
        self.kernel = kernel

    @property
    def receptive_field(self) -> int:
        """Input frames that one step of the last block's convolutions sees (the refined graph sees
        the whole window).
        """
        field, jump = 1, 1
        for block in self.blocks:
            field += (self.kernel - 1) * max(DILATIONS) * jump
            jump *= block.stride  # type: ignore
        return field

    def forward_joints(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """(batch, features, step, joint), as `AGCN.forward_joints`."""
        x = self.normed(keypoints, mask).transpose(1, 2).contiguous()  # (batch, channel, joint, t)
        x = x.transpose(2, 3)
        for block in self.blocks:
            x = block(x)
        return x


def _start(layer: nn.Module) -> None:
    """Weights as in [C]: Kaiming's, by the outputs."""
    nn.init.kaiming_normal_(layer.weight, mode="fan_out")  # type: ignore[arg-type]
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
