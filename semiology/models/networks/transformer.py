"""Transformer over keypoints: a token for every joint and step of time, attention among the joints
of a step, then among the steps of a joint.

Source of the factorisation: Plizzari et al., Skeleton-Based Action Recognition via Spatial and
Temporal Transformer Networks, CVIU 2021 (ST-TR), and divided attention of Bertasius et al., Is
Space-Time Attention All You Need for Video Understanding?, ICML 2021. The layers are those of the
plain encoder, normalised first: Vaswani et al., 2017; Xiong et al., 2020. Sizes are our choice.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semiology.models.networks.base import StreamShape
from semiology.models.networks.dropout import Dropout
from semiology.models.networks.keypoints import OverKeypoints
from semiology.models.networks.masks import masked_mean

WAVES = 10_000.0  # longest wave of the time code over the shortest [Vaswani et al.]


class Attention(nn.Module):
    """Self-attention with several heads over the last but one dimension, reading what was seen.

        y_i = W_o sum_j a_ij v_j,   a_ij = softmax over seen j of (q_i . k_j / sqrt(width / heads))

    Where nothing of a group was seen all of it is read: such tokens are read by no other.

    Shapes: x (group, token, width), seen (group, token) -> (group, token, width).
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """(group, token, width), of which tokens where `seen` (group, token) is true are read."""
        groups, tokens, _ = x.shape
        query, key, value = (
            self.query_key_value(x)
            .view(groups, tokens, 3, self.heads, -1)
            .permute(2, 0, 3, 1, 4)
            .unbind(0)
        )  # (group, head, token, width of a head)
        read = (seen | ~seen.any(dim=1, keepdim=True))[:, None, None]  # (group, 1, 1, token)
        y = F.scaled_dot_product_attention(query, key, value, read)
        return self.out(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention among joints, attention over time and two layers of each token, each around a
    residual, of the normalised input.

        x <- x + A_joints(LN x);   x <- x + A_time(LN x);   x <- x + W_2 GELU(W_1 LN x)

    Shapes: x (batch, width, step, joint), seen (batch, step, joint) -> (batch, width, step, joint),
    with the channels last in memory.
    """

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.joints, self.time = Attention(width, heads), Attention(width, heads)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.layers = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """(batch, width, step, joint) both ways; `seen` (batch, step, joint) is true or false."""
        x = x.permute(0, 2, 3, 1)  # (batch, step, joint, width)
        batch, steps = x.shape[:2]
        y = self.joints(self.norms[0](x).flatten(0, 1), seen.flatten(0, 1))
        x = x + self.dropout(y.unflatten(0, (batch, steps)))
        y = self.norms[1](x).transpose(1, 2).flatten(0, 1)  # (batch * joint, step, width)
        y = self.time(y, seen.transpose(1, 2).flatten(0, 1))
        x = x + self.dropout(y.unflatten(0, (batch, -1)).transpose(1, 2))
        x = x + self.dropout(self.layers(self.norms[2](x)))
        return x.permute(0, 3, 1, 2)


class SkeletonTransformer(OverKeypoints):
    """Transformer over joints and time: each joint in each step of `stride` frames is a token.

    A token's frames side by side are projected; which joint it is is learned, when it is a code of
    sines. Blocks of attention among joints and over time; mean over the tokens that were seen;
    linear head. No unseen joint or frame is read, so that frames without any joint behind the
    clip's end (a multiple of `stride`) change nothing.

    Parameters
    ----------
    shape : StreamShape
        What the data decide: channels, skeleton, classes.
    width : int
        Channels of a token, a multiple of `heads`, even.
    blocks : int
        Number of blocks.
    heads : int
        Of both attentions.
    stride : int
        Frames of a step.
    dropout : float
        Of the tokens and before each residual is added.

    Returns
    -------
    Tensor
        Logits (batch, class), from keypoints (batch, channel, time, joint) and a mask (batch,
        time, joint) that is 1 where a joint was seen.

    Raises
    ------
    ValueError
        The width is odd or no multiple of the heads, the data hold no keypoints, or the input's
        channels or joints differ from the shape's.

    References
    ----------
    Plizzari et al., Skeleton-Based Action Recognition via Spatial and Temporal Transformer
    Networks, CVIU 2021; Bertasius et al., Is Space-Time Attention All You Need for Video
    Understanding?, ICML 2021: attention among joints and over time apart. Vaswani et al., Attention
    Is All You Need, NeurIPS 2017: the layers. All sizes are our choice.

    Examples
    --------
    >>> import torch
    >>> from semiology import load_skeleton
    >>> from semiology.models.networks import SkeletonTransformer, StreamShape
    >>> network = SkeletonTransformer(StreamShape(2, load_skeleton("upper_body_11"), 4))
    >>> network(torch.randn(3, 4, 64, 11), torch.ones(3, 64, 11)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        shape: StreamShape,
        width: int = 64,
        blocks: int = 3,
        heads: int = 4,
        stride: int = 2,
        dropout: float = 0.2,
    ):
        super().__init__(shape)
        if width % heads or width % 2:
            raise ValueError(
                "SkeletonTransformer: width must be even and a multiple of heads, got width"
                f" {width}, heads {heads}"
            )
        self.stride = stride
        self.embed = nn.Linear(stride * self.channels, width)
        self.place = nn.Parameter(torch.randn(self.joints, width) * 0.02)  # deviation as in ViT
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(blocks))
        self.last = nn.LayerNorm(width)
        self.head = nn.Linear(width, shape.classes)

    def joint_axes(self) -> dict[str, tuple[int, ...]]:
        """As `OverKeypoints.joint_axes`."""
        return super().joint_axes() | {"place": (0,)}

    def forward_joints(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """(batch, features, step, joint), as `AGCN.forward_joints`."""
        rest = -keypoints.shape[2] % self.stride
        x = F.pad(self.normed(keypoints, mask), (0, rest)).unflatten(3, (-1, self.stride))
        x = self.embed(x.permute(0, 3, 1, 4, 2).flatten(3))  # (batch, step, joint, width)
        seen = self._seen(mask)
        x = self.dropout(x + self.place + time_code(x.shape[1], x.shape[3]).to(x).unsqueeze(1))
        x = x.permute(0, 3, 1, 2)
        for block in self.blocks:
            x = block(x, seen)
        return self.last(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def forward_features(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """(batch, features), the vector before the head."""
        x = self.forward_joints(keypoints, mask)
        return masked_mean(x.flatten(2), self._seen(mask).flatten(1))

    def _seen(self, mask: Tensor) -> Tensor:
        """(batch, step, joint) True where a joint was seen in any frame of the step."""
        padded = F.pad(mask, (0, 0, 0, -mask.shape[1] % self.stride))
        return padded.unflatten(1, (-1, self.stride)).amax(dim=2) > 0


def time_code(steps: int, width: int) -> Tensor:
    """(step, width): sines and cosines of the step's number, from one radian a step to 10,000 times
    as slow.
    """
    rate = WAVES ** -(torch.arange(0, width, 2) / width)
    angle = torch.arange(steps).unsqueeze(1) * rate
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)
