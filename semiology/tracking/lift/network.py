"""The temporal lifter: dilated convolutions over time, joints in channels.

Source: the idea is VideoPose3D's (Pavllo et al., 3D human pose estimation in video with temporal
convolutions and semi-supervised training, CVPR 2019 [P]): blocks of kernel 3 with dilation 3, 9,
... in place of a recurrent network. Sizes, the mask, what the bones lack, and that a correction to
the flat pose is learned are our choice.

Joints in the picture, made free of the picture: what the lifter reads.
"""

import torch
from torch import Tensor, nn

from semiology.tracking.lift.body import INNER, OUTER, ROOT, SKELETON


class Block(nn.Module):
    """A dilated convolution, one over channels alone, and the middle of the input added.

    Shapes: (batch, width, time) -> (batch, width, time - 2 dilation).
    """

    def __init__(self, width: int, dilation: int, dropout: float):
        super().__init__()
        self.dilation = dilation
        self.time = nn.Sequential(
            nn.Conv1d(width, width, 3, dilation=dilation, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        )
        self.mix = nn.Sequential(
            nn.Conv1d(width, width, 1, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, self.dilation : -self.dilation] + self.mix(self.time(x))


class LifterNetwork(nn.Module):
    """Normalised joints in the picture -> joints in space, in metres.

    Each joint enters as x, y and whether it was seen (1 or 0, the coordinates then 0); each bone as
    the depth between its ends that would make up for what it lacks in the picture, sqrt(length^2 -
    seen length^2), 0 where an end is missing: which end is nearer is left to learn. Before its
    start and after its end a clip goes on as frames in which nothing was seen, so there are as many
    frames out as in.

    Args:
        lengths: (bone,) m, of the mean body; kept with the weights.
        width: channels of every layer.
        blocks: number of blocks; the dilation is 3, 9, 27, ...
        dropout: after each block.

    Shapes: position (batch, time, joint, 2), seen (batch, time, joint) -> (batch, time, joint, 3),
    joints those of upper_body_11.

    Raises:
        ValueError: another number of joints.
    """

    lengths: Tensor

    def __init__(self, lengths: Tensor, width: int = 128, blocks: int = 2, dropout: float = 0.1):
        super().__init__()
        self.joints = len(SKELETON.names)
        self.register_buffer("lengths", lengths)
        self.expand = nn.Sequential(
            nn.Conv1d(3 * self.joints + len(lengths), width, 3, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        )
        self.blocks = nn.ModuleList(
            Block(width, 3 ** (number + 1), dropout) for number in range(blocks)
        )
        self.head = nn.Conv1d(width, 3 * self.joints, 1)

    @property
    def receptive_field(self) -> int:
        """Frames that one frame of the output depends on, itself in the middle: 3^(blocks + 1)."""
        return 3 ** (len(self.blocks) + 1)

    def forward(self, position: Tensor, seen: Tensor) -> Tensor:
        if position.shape[2:] != (self.joints, 2) or seen.shape != position.shape[:3]:
            found = f"position {tuple(position.shape)} and seen {tuple(seen.shape)}"
            raise ValueError(
                f"lifter: expected position (batch, time, {self.joints}, 2), seen (batch, time,"
                f" {self.joints}); got {found}"
            )
        flat = torch.where(seen[..., None] > 0, position, 0.0)
        shown = (
            (flat[:, :, OUTER] - flat[:, :, INNER]).square().sum(-1)
        )  # (batch, time, bone), squared
        lacking = (
            (self.lengths.square() - shown).clamp_min(0).add(1e-6).sqrt()
            * seen[:, :, OUTER]
            * seen[:, :, INNER]
        )
        x = torch.cat([flat.flatten(2), seen, lacking], dim=2).transpose(
            1, 2
        )  # (batch, channel, time)
        half = self.receptive_field // 2
        x = self.expand(nn.functional.pad(x, (half, half)))
        for block in self.blocks:
            x = block(x)
        correction = (
            self.head(x).transpose(1, 2).unflatten(2, (self.joints, 3))
        )  # (batch, time, joint, 3)
        return correction + nn.functional.pad(flat, (0, 1))


MIN_SEEN = 6  # of the 11 joints; with fewer there is hardly a body to lift [our choice]


def normalise(position: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Joints in the picture, free of its size, of where the body is in it, and of how large.

    The origin is the neck in every frame. The unit is one number a clip: each bone's median length
    in the picture, summed over the bones that were seen, beside the sum of what the same bones
    measure in the mean body of training. So a body that lies flat in the picture comes out in
    metres of that body, and a foreshortened one too large, by a factor that the network can learn
    from the proportions. A frame without the neck (both shoulders), or with fewer than MIN_SEEN
    joints, counts as one in which nothing was seen.

    Args:
        position: (clip, time, joint, 2) px; NaN where missing.
        lengths: (bone,) m, of the mean body.

    Returns:
        (clip, time, joint, 2), about metres, 0 where missing; (clip, time, joint) 1 where seen,
        else 0.
    """
    seen = torch.isfinite(position).all(-1)
    seen &= (seen[:, :, ROOT] & (seen.sum(2) >= MIN_SEEN))[:, :, None]
    position = torch.where(seen[..., None], position, torch.nan)
    medians = (
        (position[:, :, OUTER] - position[:, :, INNER]).norm(dim=-1).nanmedian(dim=1).values
    )  # (clip, bone)
    known = torch.isfinite(medians)
    unit = torch.where(known, medians, 0).sum(1) / torch.where(known, lengths, 0).sum(
        1
    )  # px a metre
    scaled = (position - position[:, :, ROOT : ROOT + 1]) / unit[:, None, None, None]
    finite = torch.isfinite(scaled).all(-1)
    return torch.where(finite[..., None], scaled, 0.0), finite.float()
