"""From the vectors of some snippets to one statement about the whole recording.

Source: GESTURES (Pérez-García et al., MICCAI 2021): the mean, or the last hidden state of an LSTM or BLSTM of 64 units, then a linear layer
[T]. Attention is our choice, after Ilse et al., Attention-based Deep Multiple Instance Learning, ICML 2018: a recording is a bag of
snippets, and what to look at is learned. A snippet's vector may come from any network: a frozen video network there, a stream's features
elsewhere.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from semiology.models.networks.shape import masked_mean

Kind = Literal["mean", "lstm", "blstm", "attention"]


class Aggregator(nn.Module):
    """Mean, attention or recurrent network over snippets, linear head.

        attention:  y = sum_s a_s h_s,   a = softmax over seen s of (q^T h_s / sqrt(channels)),   q starting at zero, which is the mean

    Args:
        channels: length of a snippet's vector.
        classes: number of levels.
        kind: "mean" and "attention" know no order; "lstm" reads forwards; "blstm" both ways, each with its own `width` units.
        width: hidden units of a direction; not used by "mean" and "attention".

    Shapes: (batch, snippet, channel), and a mask (batch, snippet) with 1 where the snippet holds anything -> logits (batch, class), any
    number of snippets. What is masked has weight 0 in the mean and in attention; a recurrent network carries its state over it unchanged
    (our choice), as over a snippet that was never there. A recording without anything is a recording of zeros.

    Raises:
        ValueError: an unknown kind; the input's channels differ.
    """

    reads = ("snippets",)

    def __init__(self, channels: int, classes: int = 2, kind: Kind = "blstm", width: int = 64):
        super().__init__()
        if kind not in ("mean", "lstm", "blstm", "attention"):
            raise ValueError(f'kind must be "mean", "lstm", "blstm" or "attention", got {kind!r}')
        self.channels = channels
        self.query = nn.Parameter(torch.zeros(channels)) if kind == "attention" else None
        self.recurrent = nn.LSTM(channels, width, batch_first=True, bidirectional=kind == "blstm") if kind in ("lstm", "blstm") else None
        self.head = nn.Linear({"lstm": width, "blstm": 2 * width}.get(kind, channels), classes)

    @property
    def features(self) -> int:
        """Length of the vector that `forward_features` gives."""
        return self.head.in_features

    def weights(self, snippets: Tensor, mask: Tensor) -> Tensor:
        """(batch, snippet) share of each snippet in what "attention" says: sums to one over the seen ones, zero where nothing was seen."""
        assert self.query is not None, "only attention has weights"
        scores = (snippets @ self.query) / self.channels**0.5
        return scores.masked_fill(mask == 0, torch.finfo(scores.dtype).min).softmax(dim=1) * mask

    def forward_features(self, snippets: Tensor, mask: Tensor | None = None) -> Tensor:
        """(batch, features), the vector before the head: the mean, or the state after the last snippet (of both readings)."""
        if snippets.ndim != 3 or snippets.shape[2] != self.channels:
            raise ValueError(f"Aggregator: expected (batch, snippet, {self.channels}), got {tuple(snippets.shape)}")
        if self.recurrent is not None:
            _, (hidden, _) = self.recurrent(snippets if mask is None else _seen(snippets, mask))
            return torch.cat(tuple(hidden), dim=1)  # (direction, batch, width) -> (batch, directions * width)
        mask = snippets.new_ones(snippets.shape[:2]) if mask is None else mask
        if self.query is None:
            return masked_mean(snippets.transpose(1, 2), mask)
        return (self.weights(snippets, mask).unsqueeze(2) * snippets).sum(dim=1)

    def forward(self, snippets: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.head(self.forward_features(snippets, mask))


def _seen(snippets: Tensor, mask: Tensor) -> PackedSequence:
    """Each recording's seen snippets in their order; where there is none, one of zeros."""
    first = (mask == 0).int().argsort(dim=1, stable=True)
    ordered = (snippets * mask.unsqueeze(2)).gather(1, first.unsqueeze(2).expand_as(snippets))
    lengths = (mask != 0).sum(dim=1).clamp(min=1)
    return pack_padded_sequence(ordered, lengths.cpu(), batch_first=True, enforce_sorted=False)
