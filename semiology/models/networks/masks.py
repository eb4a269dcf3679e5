"""Pooling over time, and over joints, that leaves out what is missing."""

import torch.nn.functional as F
from torch import Tensor


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over time of what is there.

    Args:
        x: (batch, channel, time).
        mask: (batch, time), 1 where the frame was seen. A clip without any seen frame gives zeros.
    """
    weight = mask.to(x.dtype).unsqueeze(1)  # (batch, 1, time)
    return (x * weight).sum(dim=2) / weight.sum(dim=2).clamp(min=1)


def mean_over_seen(x: Tensor, mask: Tensor) -> Tensor:
    """(batch, channel), the mean over all joints, and over the steps in which any joint was seen.

    Args:
        x: (batch, channel, step, joint).
        mask: (batch, time, joint), 1 where the joint was seen; a step covers one frame or several.
    """
    return masked_mean(x.mean(dim=3), strided_mask(mask.amax(dim=2), x.shape[2]))


def strided_mask(mask: Tensor, length: int) -> Tensor:
    """Follow a mask (batch, time) through strides to a shorter length: a step counts if any frame
    that it covers was seen.
    """
    return F.adaptive_max_pool1d(mask.float().unsqueeze(1), length).squeeze(1)
