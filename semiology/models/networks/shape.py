"""What a stream must know of its data, and how it pools what is missing."""

from dataclasses import dataclass

import torch
from torch import Tensor

from semiology.data.skeleton import Skeleton


@dataclass(frozen=True)
class StreamShape:
    """Sizes that the data decides, so that a network's own options are all that a config holds.

    Attributes:
        classes: number of levels of the label.
        skeleton: the graph over the joints.
        keypoint_channels: channels a joint and frame (2 or 3 each for joint, bone, motion).
        appearance_channels: appearance features a frame; 0 where none are read.
    """

    classes: int
    skeleton: Skeleton
    keypoint_channels: int
    appearance_channels: int = 0


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over time of what is there.

    Args:
        x: (batch, channel, time).
        mask: (batch, time), 1 where the frame was seen. A clip without any seen frame gives zeros.
    """
    weight = mask.to(x.dtype).unsqueeze(1)  # (batch, 1, time)
    return (x * weight).sum(dim=2) / weight.sum(dim=2).clamp(min=1)


def strided_mask(mask: Tensor, length: int) -> Tensor:
    """Follow a mask (batch, time) through strides to a shorter length: a step counts if any frame that it covers was seen."""
    return torch.nn.functional.adaptive_max_pool1d(mask.float().unsqueeze(1), length).squeeze(1)
