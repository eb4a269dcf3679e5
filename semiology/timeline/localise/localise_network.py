"""From the windows of a recording to a level a window: an encoder reads each window, a BLSTM reads their vectors in both directions.

Source: GESTURES (Pérez-García et al., MICCAI 2021) reads snippets so and says one thing of the whole recording; here every window is
answered [our choice], as frame-wise labelling by recurrent networks has it (Singh et al., CVPR 2016).
"""

from typing import Any

from torch import Tensor, nn

from semiology.models.networks import Network, StreamShape


class WindowsBLSTM(nn.Module):
    """Encoder a window, layer normalisation, dropout, BLSTM over windows, dropout, linear head a window.

    Args:
        shape: what the data decides.
        encoder: {"stream": import path, "options": {...}} of a stream that reads keypoints, as `semiology.models.networks.AGCN`.
        width: hidden units of a direction.
        dropout: of the windows' vectors and of the hidden states.

    Shapes: keypoints (batch, window, channel, time, joint), mask (batch, window, time, joint) with 1 where seen -> logits (batch, window,
    class). A window without anything seen is a zero vector, and is answered from what is around it.
    """

    reads = ("windows", "window_mask")  # not a clip's "keypoints": who scores single windows is told so

    def __init__(self, shape: StreamShape, encoder: dict[str, Any], width: int = 64, dropout: float = 0.3):
        super().__init__()
        self.encoder = Network(**encoder)(shape)
        features: int = self.encoder.features  # type: ignore[assignment]
        self.norm = nn.LayerNorm(features)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = nn.LSTM(features, width, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * width, shape.classes)

    @property
    def features(self) -> int:
        """Length of the vector that `forward_features` gives."""
        return self.head.in_features

    def embed(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """(batch, window, features of the encoder)."""
        batch, windows = keypoints.shape[:2]
        each = keypoints.flatten(0, 1), mask.flatten(0, 1)  # (batch * window, ...)
        vectors: Tensor = self.encoder.forward_features(*each)  # type: ignore[operator]
        return vectors.view(batch, windows, -1)

    def read(self, vectors: Tensor, seen: Tensor) -> Tensor:
        """Vectors (batch, window, features of the encoder) and seen (batch, window), 1 where assessable -> (batch, window, features)."""
        hidden, _ = self.recurrent(self.dropout(self.norm(vectors)) * seen.unsqueeze(2))
        return hidden

    def label(self, vectors: Tensor, seen: Tensor) -> Tensor:
        """The same -> logits (batch, window, class)."""
        return self.head(self.dropout(self.read(vectors, seen)))

    def forward_features(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """(batch, window, features), what the head reads."""
        return self.read(self.embed(keypoints, mask), mask.flatten(2).amax(dim=2))

    def forward(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        return self.head(self.dropout(self.forward_features(keypoints, mask)))
