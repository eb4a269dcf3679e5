"""From the vectors of some snippets to one statement about the whole recording.

Source: GESTURES (Pérez-García et al., MICCAI 2021): the mean, or the last hidden state of an LSTM or BLSTM of 64 units, then a linear layer
[T]. A snippet's vector may come from any network: a frozen video network there, a stream's features elsewhere.
"""

from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["mean", "lstm", "blstm"]


class Aggregator(nn.Module):
    """Mean or recurrent network over snippets, linear head.

    Args:
        channels: length of a snippet's vector.
        classes: number of levels.
        kind: "mean" knows no order; "lstm" reads forwards; "blstm" both ways, each with its own `width` units.
        width: hidden units of a direction; not used by "mean".

    Shapes: (batch, snippet, channel) -> logits (batch, class), any number of snippets.

    Raises:
        ValueError: an unknown kind; the input's channels differ.
    """

    reads = ("snippets",)

    def __init__(self, channels: int, classes: int = 2, kind: Kind = "blstm", width: int = 64):
        super().__init__()
        if kind not in ("mean", "lstm", "blstm"):
            raise ValueError(f'kind must be "mean", "lstm" or "blstm", got {kind!r}')
        self.channels = channels
        self.recurrent = None if kind == "mean" else nn.LSTM(channels, width, batch_first=True, bidirectional=kind == "blstm")
        self.head = nn.Linear({"mean": channels, "lstm": width, "blstm": 2 * width}[kind], classes)

    @property
    def features(self) -> int:
        """Length of the vector that `forward_features` gives."""
        return self.head.in_features

    def forward_features(self, snippets: Tensor) -> Tensor:
        """(batch, features), the vector before the head: the mean, or the state after the last snippet (of both readings)."""
        if snippets.ndim != 3 or snippets.shape[2] != self.channels:
            raise ValueError(f"Aggregator: expected (batch, snippet, {self.channels}), got {tuple(snippets.shape)}")
        if self.recurrent is None:
            return snippets.mean(dim=1)
        _, (hidden, _) = self.recurrent(snippets)  # (direction, batch, width)
        return torch.cat(tuple(hidden), dim=1)

    def forward(self, snippets: Tensor) -> Tensor:
        return self.head(self.forward_features(snippets))
