"""The number that is explained, and the places of a clip that may be taken away."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from semiology.data.skeleton import Skeleton
from semiology.experiments.explain.inputs import valid


class LogOdds(nn.Module):
    """log p / (1 - p) of one level: with two levels the difference of their logits.

    It is explained instead of p, whose gradient vanishes where the network is sure. Shapes: as the network's -> (batch,).
    """

    def __init__(self, network: nn.Module, level: int):
        super().__init__()
        self.network, self.level = network.eval(), level

    def forward(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        logits = self.network(keypoints, mask)
        others = torch.cat([logits[:, : self.level], logits[:, self.level + 1 :]], dim=1)
        return logits[:, self.level] - others.logsumexp(dim=1)


class Gated(nn.Module):
    """The score as a function of what is shown: gate (batch, time, joint), 1 as seen, 0 missing.

    What is missing is gone as if it had never been tracked: from the mask, from its neighbours' bones, and from the motion towards it.
    Deviations of the frames that are left keep the median of all.
    """

    def __init__(self, score: nn.Module, keypoints: Tensor, mask: Tensor, skeleton: Skeleton, kinds: Sequence[str]):
        super().__init__()
        self.skeleton, self.kinds = skeleton, kinds
        self.score, self.keypoints, self.mask = score, keypoints, mask  # (channel, time, joint), (time, joint)

    def forward(self, gate: Tensor) -> Tensor:
        mask = self.mask * gate
        return self.score(self.keypoints * valid(mask, self.skeleton, self.kinds, len(self.keypoints) // len(self.kinds)), mask)
