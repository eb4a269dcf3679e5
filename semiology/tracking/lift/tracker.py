"""What a 2D tracker makes of a body: jitter, drift, joints that it loses, and joints it never sees under a blanket."""

from dataclasses import dataclass

import torch
from torch import Tensor

from semiology.tracking.lift.body import SKELETON

HIPS = [SKELETON.names.index(name) for name in ("left_hip", "right_hip")]
_place = {name: number for number, name in enumerate(SKELETON.names)}
# joints that trackers do not give but that are the mean of joints which they do: neck and spine base
MEANS = {
    SKELETON.names.index(joint): [SKELETON.names.index(name) for name in sources]
    for joint, sources in SKELETON.joints.items()
    if joint not in sources and set(sources) <= set(SKELETON.names)
}


@dataclass(frozen=True)
class Tracker:
    """How bad it is; each clip draws its own values, evenly from 0 to these. All are our choice.

    Attributes:
        jitter: standard deviation of the error that is new in every frame, m at the body's distance (the error grows with the body).
        drift: standard deviation of the error that wanders, m likewise; a new value every `knot` frames, straight lines between.
        knot: frames.
        lost: chance of each joint to be lost for some time in a clip.
        covered: chance that the hips are never seen.
    """

    jitter: float = 0.012
    drift: float = 0.03
    knot: int = 15
    lost: float = 0.1
    covered: float = 0.15

    def track(self, position: Tensor, px_per_metre: Tensor, generator: torch.Generator) -> Tensor:
        """Positions (clip, time, joint, 2) px with the tracker's errors; `px_per_metre` (clip,) at the body. NaN where a joint is lost."""
        clips, frames, joints, _ = position.shape
        strength = torch.rand(2, clips, 1, 1, 1, generator=generator) * px_per_metre[:, None, None, None]
        jitter = self.jitter * strength[0] * torch.randn(position.shape, generator=generator)
        wander = torch.randn(clips, joints * 2, max(2, frames // self.knot), generator=generator)
        drift = torch.nn.functional.interpolate(wander, frames, mode="linear", align_corners=True)
        tracked = position + jitter + self.drift * strength[1] * drift.transpose(1, 2).unflatten(2, (joints, 2))
        start, length = torch.rand(2, clips, 1, joints, generator=generator) * frames
        time = torch.arange(frames)[None, :, None]
        lost = (torch.rand(clips, 1, joints, generator=generator) < self.lost) & (time >= start) & (time < start + length)
        lost[:, :, HIPS] |= torch.rand(clips, 1, 1, generator=generator) < self.covered
        tracked = torch.where(lost[..., None], torch.nan, tracked)
        for joint, parts in MEANS.items():
            tracked[:, :, joint] = tracked[:, :, parts].mean(2)
        return tracked
