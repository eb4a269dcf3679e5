"""A recording of any length, read as one window in each of n equal segments: every window encoded,
all of them put together.

Source: GESTURES (Pérez-García et al., MICCAI 2021) puts frozen snippet vectors together [T]. Here a
window may also be encoded by a stream over the pose or the face, which is trained with the rest
[our choice].

From the vectors of some snippets to one statement about the whole recording.

Source: GESTURES (Pérez-García et al., MICCAI 2021): the mean, or the last hidden state of an LSTM
or BLSTM of 64 units, then a linear layer [T]. Attention is our choice, after Ilse et al.,
Attention-based Deep Multiple Instance Learning, ICML 2018: a recording is a bag of snippets, and
what to look at is learned. A snippet's vector may come from any network: a frozen video network
there, a stream's features elsewhere.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from semiology.models.networks.base import Network, StreamShape
from semiology.models.networks.masks import masked_mean
from semiology.models.networks.tcn import Standardised

Kind = Literal["mean", "lstm", "blstm", "attention"]


class Aggregator(nn.Module):
    """Mean, attention or recurrent network over snippets, linear head.

        attention:  y = sum_s a_s h_s,   a = softmax over seen s of (q^T h_s / sqrt(channels)),   q
        starting at zero, which is the mean

    Args:
        channels: length of a snippet's vector.
        classes: number of levels.
        kind: "mean" and "attention" know no order; "lstm" reads forwards; "blstm" both ways, each
            with its own `width` units.
        width: hidden units of a direction; not used by "mean" and "attention".

    Shapes: (batch, snippet, channel), and a mask (batch, snippet) with 1 where the snippet holds
    anything -> logits (batch, class), any number of snippets. What is masked has weight 0 in the
    mean and in attention; a recurrent network carries its state over it unchanged (our choice), as
    over a snippet that was never there. A recording without anything is a recording of zeros.

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
        self.recurrent = (
            nn.LSTM(channels, width, batch_first=True, bidirectional=kind == "blstm")
            if kind in ("lstm", "blstm")
            else None
        )
        self.head = nn.Linear({"lstm": width, "blstm": 2 * width}.get(kind, channels), classes)

    @property
    def features(self) -> int:
        """Length of the vector that `forward_features` gives."""
        return self.head.in_features

    def weights(self, snippets: Tensor, mask: Tensor) -> Tensor:
        """(batch, snippet) share of each snippet in what "attention" says: sums to one over the
        seen ones, zero where nothing was seen.
        """
        assert self.query is not None, "only attention has weights"
        scores = (snippets @ self.query) / self.channels**0.5
        return scores.masked_fill(mask == 0, torch.finfo(scores.dtype).min).softmax(dim=1) * mask

    def forward_features(self, snippets: Tensor, mask: Tensor | None = None) -> Tensor:
        """(batch, features), the vector before the head: the mean, or the state after the last
        snippet (of both readings).
        """
        if snippets.ndim != 3 or snippets.shape[2] != self.channels:
            raise ValueError(
                f"Aggregator: expected (batch, snippet, {self.channels}), got"
                f" {tuple(snippets.shape)}"
            )
        if self.recurrent is not None:
            _, (hidden, _) = self.recurrent(snippets if mask is None else _seen(snippets, mask))
            return torch.cat(
                tuple(hidden), dim=1
            )  # (direction, batch, width) -> (batch, directions * width)
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


class Vectors(Standardised):
    """What stands for a window that is encoded already: the mean of its vectors, of which a snippet
    has one.

    Shapes: appearance (batch, channel, time), mask (batch, time) -> (batch, channel).
    """

    reads = ("appearance", "appearance_mask")

    @property
    def features(self) -> int:
        return len(self.feature_mean)

    def forward_features(self, appearance: Tensor, mask: Tensor) -> Tensor:
        return masked_mean(self.standard(appearance), mask)


class Segments(nn.Module):
    """Encode each segment's window, aggregate over segments, linear head; trained end to end.

    Args:
        shape: what the data decides; the encoder is built with the same.
        encoder: {"stream": ..., "options": {...}} of a stream such as AGCN, GAT or TCN, whose
            vector before the head stands for a window; its own head is not used. None: the window's
            features themselves, a snippet's vector.
        kind: "mean", "lstm", "blstm" [T] or "attention", see `Aggregator`.
        width: units of each direction of a recurrent aggregator, 64 [T].
        standardised: without an encoder, take the mean and spread of each feature over training
            participants out. GESTURES does not.

    Shapes: values (batch, segment, ...) and their mask (batch, segment, ...) as the encoder reads
    them, a segment axis put in -> logits (batch, class), any number of segments. A segment in which
    nothing was seen is neither encoded nor counted.

    Raises:
        ValueError: options or data that do not go together; the input has no segments.
    """

    over_segments = True

    def __init__(
        self,
        shape: StreamShape,
        encoder: dict[str, Any] | None = None,
        kind: Kind = "blstm",
        width: int = 64,
        standardised: bool = False,
    ):
        super().__init__()
        if encoder and standardised:
            raise ValueError(
                "standardised is for features that no encoder reads; a TCN standardises what it"
                " reads by itself"
            )
        self.encoder = (
            Network(**encoder)(shape)
            if encoder
            else Vectors(shape.appearance_channels, standardised)
        )
        self.reads: tuple[str, ...] = tuple(self.encoder.reads)  # type: ignore[arg-type]
        if len(self.reads) != 2 or hasattr(self.encoder, "over_segments"):
            raise ValueError(
                f"encoder {encoder and encoder['stream']}: has to read one window's values and"
                " their mask"
            )
        if hasattr(self.encoder, "head"):
            self.encoder.head.requires_grad_(False)
        self.aggregator = Aggregator(self.encoder.features, shape.classes, kind, width)  # type: ignore[arg-type]

    @property
    def head(self) -> nn.Linear:
        return self.aggregator.head

    @property
    def features(self) -> int:
        """Length of the vector that `forward_features` gives."""
        return self.aggregator.features

    def encoded(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, segment, feature) the segments' vectors, zeros where nothing was seen, and
        (batch, segment) 1 where anything was.
        """
        if mask.ndim < 3 or values.shape[:2] != mask.shape[:2]:
            raise ValueError(
                "Segments: expected a segment axis in (batch, segment, ...), got"
                f" {tuple(values.shape)}"
            )
        there = (mask != 0).flatten(2).any(dim=2)
        if not there.any():
            return values.new_zeros(*there.shape, int(self.encoder.features)), there.to(mask.dtype)  # type: ignore[arg-type]
        seen = self.encoder.forward_features(values[there], mask[there])  # type: ignore[operator]  # (seen segment, feature)
        vectors = seen.new_zeros(*there.shape, seen.shape[1])
        vectors[there] = seen
        return vectors, there.to(mask.dtype)

    def forward_features(self, values: Tensor, mask: Tensor) -> Tensor:
        """(batch, features), the vector before the head."""
        return self.aggregator.forward_features(*self.encoded(values, mask))

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        return self.head(self.forward_features(values, mask))
