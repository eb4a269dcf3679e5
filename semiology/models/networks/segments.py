"""A recording of any length, read as one window in each of n equal segments: every window encoded, all of them put together.

Source: GESTURES (Pérez-García et al., MICCAI 2021) puts frozen snippet vectors together [T]. Here a window may also be encoded by a stream
over the pose or the face, which is trained with the rest [our choice].
"""

from typing import Any

from torch import Tensor, nn

from semiology.models.networks.aggregator import Aggregator, Kind
from semiology.models.networks.base import Network
from semiology.models.networks.shape import StreamShape, masked_mean
from semiology.models.networks.standardised import Standardised


class Vectors(Standardised):
    """What stands for a window that is encoded already: the mean of its vectors, of which a snippet has one.

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
        encoder: {"stream": ..., "options": {...}} of a stream such as AGCN, GAT or TCN, whose vector before the head stands for a window;
            its own head is not used. None: the window's features themselves, a snippet's vector.
        kind: "mean", "lstm", "blstm" [T] or "attention", see `Aggregator`.
        width: units of each direction of a recurrent aggregator, 64 [T].
        standardised: without an encoder, take the mean and spread of each feature over training participants out. GESTURES does not.

    Shapes: values (batch, segment, ...) and their mask (batch, segment, ...) as the encoder reads them, a segment axis put in
    -> logits (batch, class), any number of segments. A segment in which nothing was seen is neither encoded nor counted.

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
            raise ValueError("standardised is for features that no encoder reads; a TCN standardises what it reads by itself")
        self.encoder = Network(**encoder)(shape) if encoder else Vectors(shape.appearance_channels, standardised)
        self.reads: tuple[str, ...] = tuple(self.encoder.reads)  # type: ignore[arg-type]
        if len(self.reads) != 2 or hasattr(self.encoder, "over_segments"):
            raise ValueError(f"encoder {encoder and encoder['stream']}: has to read one window's values and their mask")
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
        """(batch, segment, feature) the segments' vectors, zeros where nothing was seen, and (batch, segment) 1 where anything was."""
        if mask.ndim < 3 or values.shape[:2] != mask.shape[:2]:
            raise ValueError(f"Segments: expected a segment axis in (batch, segment, ...), got {tuple(values.shape)}")
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
