"""An AGCN for scoring only: the same sums in fewer passes, in fp32 or bf16."""

from functools import cache
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semiology.models.networks.agcn import AGCN, AdaptiveGraphConv, Block
from semiology.models.networks.masks import masked_mean, strided_mask


@cache
def is_fused(dtype: torch.dtype) -> bool:
    """Whether torch's convolution with a sum and ReLU in one pass is there and computes the same as
    its parts; tried once in a process.

    It is oneDNN's, and private to torch: another release may lack it or call it otherwise, and a
    processor may not know bfloat16.
    """
    if not torch.backends.mkldnn.is_available() or dtype not in (torch.float32, torch.bfloat16):
        return False
    x, weight, bias = (
        torch.linspace(-1, 1, prod(shape)).view(shape).to(dtype)
        for shape in ((2, 4, 4, 1), (4, 4, 3, 1), (4,))
    )
    how = ([1, 0], [1, 1], [1, 1], 1)
    try:
        packed = torch.ops.mkldnn._reorder_convolution_weight(weight, *how, list(x.shape))
        fused = torch.ops.mkldnn._convolution_pointwise.binary(
            x, x, packed, bias, *how, "add", None, "relu", [], None
        )
    except (AttributeError, RuntimeError, TypeError):
        return False
    return torch.allclose(
        fused.float(), torch.relu(F.conv2d(x, weight, bias, padding=(1, 0)) + x).float(), atol=0.05
    )


class FoldedConv(nn.Module):
    """y = ReLU( conv(x) + plus ), one pass on processors that oneDNN knows. Shapes: (batch,
    channel, time, joint), channels last in memory.

    Args:
        weight: (width, channel, frames, 1), with the batch norm folded in.
        bias: (width,), of the convolution.
        stride: over time.
        relu: whether the result is cut at zero.
    """

    def __init__(self, weight: Tensor, bias: Tensor, stride: int = 1, relu: bool = True):
        super().__init__()
        self.weight, self.bias, self.stride, self.relu = (
            weight.contiguous(memory_format=torch.channels_last),
            bias,
            [stride, 1],
            relu,
        )
        self.padding = [weight.shape[2] // 2, 0]
        self.packed: Tensor | None = (
            # in an order that oneDNN likes for inputs of the first one's size, and reads for any
            # other
            None
        )
        self.packs = weight.device.type == "cpu" and is_fused(weight.dtype)

    def forward(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        """The convolution of x plus `plus` (of the output's shape, or nothing), cut at zero if so
        built.
        """
        if not self.packs:
            y = F.conv2d(x, self.weight, self.bias, self.stride, self.padding)
            y = y if plus is None else y.add_(plus)
            return y.relu_() if self.relu else y
        how = (self.padding, self.stride, [1, 1], 1)
        if self.packed is None:
            self.packed = torch.ops.mkldnn._reorder_convolution_weight(
                self.weight, *how, list(x.shape)
            )
        after = "relu" if self.relu else "none"
        if plus is None:
            return torch.ops.mkldnn._convolution_pointwise(
                x, self.packed, self.bias, *how, after, [], ""
            )
        return torch.ops.mkldnn._convolution_pointwise.binary(
            x, plus, self.packed, self.bias, *how, "add", None, after, [], None
        )


def folded_conv(
    conv: nn.Conv2d, norm: nn.BatchNorm2d, dtype: torch.dtype, *, relu: bool = True
) -> FoldedConv:
    """The convolution and the batch norm behind it."""
    weight, bias = folded(conv, norm)
    return FoldedConv(weight.to(dtype), bias.to(dtype), conv.stride[0], relu)


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of one convolution that is a convolution and, behind it, a batch norm with
    its running statistics.
    """
    assert norm.running_mean is not None and norm.running_var is not None and conv.bias is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return conv.weight * scale[:, None, None, None], (
        conv.bias - norm.running_mean
    ) * scale + norm.bias


class FoldedGraphConv(nn.Module):
    """`AdaptiveGraphConv` with its norms folded. A residual with weights is a subset more, whose
    graph is the identity.
    """

    def __init__(self, layer: AdaptiveGraphConv, dtype: torch.dtype):
        super().__init__()
        self.subsets, self.form = len(layer.fixed), layer.form
        assert layer.embed.bias is not None
        self.embed = FoldedConv(
            layer.embed.weight.to(dtype), layer.embed.bias.to(dtype), relu=False
        )
        self.given = layer.fixed + layer.learned if layer.alpha is None else layer.learned
        self.alpha = layer.alpha
        weight, bias = folded(layer.project, layer.norm)
        self.plain = isinstance(layer.residual, nn.Identity)
        if not self.plain:
            beside = folded(*layer.residual)  # type: ignore
            weight, bias = torch.cat([weight, beside[0]], dim=1), bias + beside[1]
            self.identity = torch.eye(len(self.given[0]), dtype=dtype, device=weight.device)
        self.project = FoldedConv(weight.to(dtype), bias.to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channel, time, joint) -> (batch, width, time, joint)."""
        batch, _, time, joints = x.shape
        rows = self.embed(x).permute(0, 2, 3, 1).reshape(batch, time, joints, 2, self.subsets, -1)
        theta, phi = (
            rows.permute(3, 0, 4, 2, 1, 5).reshape(2, batch * self.subsets, joints, -1).unbind(0)
        )
        similarity = (theta @ phi.transpose(1, 2)).to(self.given.dtype).view(
            batch, self.subsets, joints, joints
        ) / theta.shape[2]
        graph = self.given + (
            similarity.softmax(dim=-2) if self.alpha is None else self.alpha * similarity.tanh()
        )
        # (batch, joint, subset, joint summed over)
        adjacency = graph.to(x.dtype).permute(0, 3, 1, 2)
        if not self.plain:
            itself = self.identity.expand(batch, joints, joints).unsqueeze(2)
            adjacency = torch.cat([adjacency, itself], dim=2)
        aggregated = adjacency.reshape(batch, 1, -1, joints) @ x.permute(0, 2, 3, 1)
        aggregated = aggregated.view(batch, time, joints, -1).permute(0, 3, 1, 2)
        return self.project(aggregated, x if self.plain else None)


class FoldedBlock(nn.Module):
    """`Block` with its norms folded."""

    def __init__(self, block: Block, dtype: torch.dtype):
        super().__init__()
        self.graph = FoldedGraphConv(block.graph, dtype)
        self.attention = block.attention
        self.time = folded_conv(block.time, block.norm, dtype)
        self.residual: nn.Module | None = block.residual
        if isinstance(block.residual, nn.Sequential):
            self.residual = folded_conv(*block.residual, dtype, relu=False)  # type: ignore

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channel, time, joint) -> (batch, width, ceil(time / stride), joint)."""
        y = self.graph(x)
        y = y if self.attention is None else self.attention(y)
        return self.time(y, None if self.residual is None else self.residual(x))


class FoldedAGCN(nn.Module):
    """The outputs of a trained AGCN, faster: for scoring, without gradients, hooks and parameters.

    The batch norms are folded into the convolutions before them (what they do in evaluation mode),
    each convolution takes residual and ReLU along, and weights are cast and packed once. It does
    not follow later changes of the network: make a new one, which takes milliseconds.

    Args:
        network: in evaluation mode or not; its running statistics count.
        dtype: float32, or bfloat16 with sums, softmax, pooling and head in float32.

    Shapes: as AGCN.
    """

    reads = AGCN.reads

    @torch.no_grad()
    def __init__(self, network: AGCN, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.norm, self.head, self.dtype = network.norm, network.head, dtype
        blocks: Any = network.blocks
        self.blocks = nn.ModuleList(FoldedBlock(block, dtype) for block in blocks)

    @torch.no_grad()
    def forward(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """Logits (batch, class) in float32; see `AGCN` for the shapes of keypoints and mask."""
        norm = self.norm
        assert norm.running_mean is not None and norm.running_var is not None
        batch, channels, time, joints = keypoints.shape
        rows = keypoints.permute(0, 2, 3, 1).reshape(batch, time, joints * channels)
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        x = torch.addcmul(norm.bias - norm.running_mean * scale, rows, scale).view(
            batch, time, joints, channels
        ) * mask.unsqueeze(3)
        x = x.to(self.dtype).permute(0, 3, 1, 2)
        for block in self.blocks:
            x = block(x)
        seen = strided_mask(mask.amax(dim=2), x.shape[2])
        return self.head(masked_mean(x.to(mask.dtype).mean(dim=3), seen))
