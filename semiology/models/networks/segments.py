"""A recording of any length as one window in each of n equal segments: every window is encoded, and
the vectors are aggregated to one prediction of the recording.

GESTURES (Pérez-García et al., MICCAI 2021) aggregates the vectors of a frozen video network by the
mean, an LSTM or a BLSTM [T]. Here a window may also be encoded by a network over the pose or the
face that is trained with the rest, and attention may aggregate [our choice].
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
    """Mean, attention or a recurrent network over the vectors of snippets, then a linear head.

        attention:  y = sum_s a_s h_s,   a = softmax over seen s of (q^T h_s / sqrt(channels))

    with q starting at zero, where attention equals the mean.

    Parameters
    ----------
    channels : int
        Length of a snippet's vector.
    classes : int
        Number of classes.
    kind : {"mean", "lstm", "blstm", "attention"}
        "mean" and "attention" know no order; "lstm" reads forwards; "blstm" both ways.
    width : int
        Hidden units of a direction; not used by "mean" and "attention".

    Returns
    -------
    Tensor
        Logits (batch, class), from vectors (batch, snippet, channel) and a mask (batch, snippet)
        that is 1 where a snippet holds anything; any number of snippets. A masked snippet has
        weight 0 in the mean and in attention; a recurrent network skips it (our choice). A
        recording without any snippet counts as one of zeros.

    Raises
    ------
    ValueError
        An unknown kind; the input's channels differ.

    References
    ----------
    Pérez-García et al., GESTURES, MICCAI 2021 [T]: mean, LSTM and BLSTM of 64 units. Ilse et al.,
    Attention-based Deep Multiple Instance Learning, ICML 2018: attention (our choice).

    Examples
    --------
    >>> import torch
    >>> from semiology.models.networks import Aggregator
    >>> Aggregator(512, kind="attention")(torch.randn(3, 16, 512), torch.ones(3, 16)).shape
    torch.Size([3, 2])
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
        """(batch, snippet) weight of each snippet by attention: sums to one over the seen snippets,
        zero where nothing was seen.
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
        """Logits (batch, class); see the class for the shapes of snippets and mask."""
        return self.head(self.forward_features(snippets, mask))


def _seen(snippets: Tensor, mask: Tensor) -> PackedSequence:
    """Each recording's seen snippets in their order; where there is none, one of zeros."""
    first = (mask == 0).int().argsort(dim=1, stable=True)
    ordered = (snippets * mask.unsqueeze(2)).gather(1, first.unsqueeze(2).expand_as(snippets))
    lengths = (mask != 0).sum(dim=1).clamp(min=1)
    return pack_padded_sequence(ordered, lengths.cpu(), batch_first=True, enforce_sorted=False)


class Vectors(Standardised):
    """The encoder of windows that are vectors already: the mean over the window; a snippet has one.

    Shapes: appearance (batch, channel, time), mask (batch, time) -> (batch, channel).
    """

    reads = ("appearance", "appearance_mask")

    @property
    def features(self) -> int:
        """Length of the vector that `forward_features` gives."""
        return len(self.feature_mean)

    def forward_features(self, appearance: Tensor, mask: Tensor) -> Tensor:
        """(batch, channel) mean over the seen vectors of a window, standardised."""
        return masked_mean(self.standard(appearance), mask)


class Segments(nn.Module):
    """Clips of any length: each segment's window encoded, vectors aggregated, linear head.

    The encoder is trained with the rest. Its own head is not used.

    Parameters
    ----------
    shape : StreamShape
        What the data decide; the encoder is built with the same.
    encoder : dict, optional
        {"stream": "agcn", "options": {...}}: the network (agcn, gat or tcn) whose vector before the
        head stands for a window. None: the mean of the window's features, a snippet's vector.
    kind : {"mean", "lstm", "blstm", "attention"}
        Of the aggregator, see `Aggregator`; all but attention are from GESTURES [T].
    width : int
        Units of each direction of a recurrent aggregator, 64 [T].
    standardised : bool
        Without an encoder: remove the mean and spread of each feature over training participants.
        GESTURES does not.

    Returns
    -------
    Tensor
        Logits (batch, class), from values (batch, segment, ...) and their mask (batch, segment,
        ...) as the encoder reads them with a segment axis after the batch; any number of segments.
        A segment in which nothing was seen is neither encoded nor counted.

    Raises
    ------
    ValueError
        Options or data that do not go together; the input has no segments.

    References
    ----------
    Pérez-García et al., Transfer Learning of Deep Spatiotemporal Networks to Model Arbitrarily
    Long Videos of Seizures (GESTURES), MICCAI 2021 [T]: frozen snippet vectors and a BLSTM. A
    trained encoder is our choice.

    Examples
    --------
    >>> import torch
    >>> from semiology import load_skeleton
    >>> from semiology.models.networks import Segments, StreamShape
    >>> shape = StreamShape(2, load_skeleton("upper_body_11"), 4)
    >>> network = Segments(shape, {"stream": "agcn", "options": {"widths": [8]}}, kind="blstm")
    >>> network(torch.randn(3, 5, 4, 16, 11), torch.ones(3, 5, 16, 11)).shape
    torch.Size([3, 2])
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
                "standardised is for features that no encoder reads; a TCN standardises its input"
                " by itself"
            )
        self.encoder: Any = (
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
        self.aggregator = Aggregator(
            self.encoder.features,  # type: ignore[arg-type]
            shape.classes,
            kind,
            width,
        )

    @property
    def head(self) -> nn.Linear:
        """The linear layer behind the aggregator, which gives the logits."""
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
            return values.new_zeros(*there.shape, int(self.encoder.features)), there.to(mask.dtype)
        seen = self.encoder.forward_features(values[there], mask[there])  # (seen segment, feature)
        vectors = seen.new_zeros(*there.shape, seen.shape[1])
        vectors[there] = seen
        return vectors, there.to(mask.dtype)

    def forward_features(self, values: Tensor, mask: Tensor) -> Tensor:
        """(batch, features), the vector before the head."""
        return self.aggregator.forward_features(*self.encoded(values, mask))

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Logits (batch, class); see the class for the shapes of values and mask."""
        return self.head(self.forward_features(values, mask))
