"""Dropout whose random numbers cost little on a CPU."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

STEPS = 2**16  # a draw is one of so many numbers


class Dropout(nn.Module):
    """Zero each entry with probability p in training and scale the rest by 1 / (1 - p), as
    `nn.Dropout` does; nothing in evaluation.

    On a CPU torch draws one number after the other, ten times as slowly as NumPy's SFC64 makes 16
    bits, and dropout was a tenth to a fifth of an AGCN's training step. Here torch's own generator
    gives a seed for each call, and SFC64 the draws: the same seed, the same zeros, and as torch
    also on any number of threads. p is met to 1/65536. On a GPU it is torch's. Our choice.

    Args:
        p: of an entry to be zeroed, at least 0 and below 1.

    Raises:
        ValueError: another p.
    """

    def __init__(self, p: float = 0.5):
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout {p}: a probability of at least 0 and below 1")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape -> the same shape."""
        if not self.training or self.p == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.p)
        draws = _draws(int(torch.randint(2**62, ())), x.numel())
        kept = torch.from_numpy(draws >= round(self.p * STEPS)).to(x.dtype)
        return x * kept.mul_(1 / (1 - self.p)).as_strided(x.shape, _dense_strides(x))

    def extra_repr(self) -> str:
        """The probability, for printed networks."""
        return f"p={self.p}"


def _draws(seed: int, count: int) -> np.ndarray:
    """(count,) uint16, uniform."""
    numbers = np.random.SFC64(seed).random_raw(-(-count // 4))
    return numbers.view(np.uint16)[:count]


def _dense_strides(x: Tensor) -> tuple[int, ...]:
    """Strides without gaps, in the order in which x lies in memory: a product of both is then one
    pass over either.
    """
    return torch.empty_like(x, device="meta").stride()
