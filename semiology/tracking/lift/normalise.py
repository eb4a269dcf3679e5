"""Joints in the picture, made free of the picture: what the lifter reads."""

import torch
from torch import Tensor

from semiology.tracking.lift.body import INNER, OUTER, ROOT

MIN_SEEN = 6  # of the 11 joints; with fewer there is hardly a body to lift [our choice]


def normalise(position: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Joints in the picture, free of its size, of where the body is in it, and of how large.

    The origin is the neck in every frame. The unit is one number a clip: each bone's median length in the picture, summed over the bones
    that were seen, beside the sum of what the same bones measure in the mean body of training. So a body that lies flat in the picture
    comes out in metres of that body, and a foreshortened one too large, by a factor that the network can learn from the proportions. A
    frame without the neck (both shoulders), or with fewer than MIN_SEEN joints, counts as one in which nothing was seen.

    Args:
        position: (clip, time, joint, 2) px; NaN where missing.
        lengths: (bone,) m, of the mean body.

    Returns:
        (clip, time, joint, 2), about metres, 0 where missing; (clip, time, joint) 1 where seen, else 0.
    """
    seen = torch.isfinite(position).all(-1)
    seen &= (seen[:, :, ROOT] & (seen.sum(2) >= MIN_SEEN))[:, :, None]
    position = torch.where(seen[..., None], position, torch.nan)
    medians = (position[:, :, OUTER] - position[:, :, INNER]).norm(dim=-1).nanmedian(dim=1).values  # (clip, bone)
    known = torch.isfinite(medians)
    unit = torch.where(known, medians, 0).sum(1) / torch.where(known, lengths, 0).sum(1)  # px a metre
    scaled = (position - position[:, :, ROOT : ROOT + 1]) / unit[:, None, None, None]
    finite = torch.isfinite(scaled).all(-1)
    return torch.where(finite[..., None], scaled, 0.0), finite.float()
