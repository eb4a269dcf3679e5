"""Networks that take the mean and the spread of each feature over training participants out of what they read."""

import torch
from torch import Tensor, nn


class Standardised(nn.Module):
    """A network over appearance features that carries their mean and spread, `feature_mean` and `feature_std`, as buffers.

    They are fitted on training participants before training (`standardise`) and saved with the weights; until then they change nothing.

    Args:
        channels: of the features.
        wanted: False leaves them as they are.

    Raises:
        ValueError: there are no features; the input's channels differ.
    """

    feature_mean: Tensor
    feature_std: Tensor

    def __init__(self, channels: int, wanted: bool = True):
        super().__init__()
        name = type(self).__name__
        if channels < 1:
            raise ValueError(f"{name}: the data hold no appearance features; extract them (see docs/appearance.md) or leave the {name} out")
        self.wants_statistics = wanted
        self.register_buffer("feature_mean", torch.zeros(channels))
        self.register_buffer("feature_std", torch.ones(channels))

    def standardise(self, mean: Tensor, std: Tensor) -> None:
        """Set the mean and spread, each (channel,), measured on training participants; a constant channel keeps the spread 1."""
        self.feature_mean.copy_(mean)
        self.feature_std.copy_(torch.where(std > 1e-6, std, torch.ones_like(std)))

    def standard(self, appearance: Tensor) -> Tensor:
        """(batch, channel, time) both ways."""
        if appearance.shape[1] != len(self.feature_mean):
            raise ValueError(f"{type(self).__name__}: expected (batch, {len(self.feature_mean)}, time), got {tuple(appearance.shape)}")
        return (appearance - self.feature_mean[:, None]) / self.feature_std[:, None]
