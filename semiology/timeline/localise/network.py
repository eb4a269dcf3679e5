"""The network over the windows of a recording, its training, and its predictions: an encoder reads
each window, a BLSTM reads the encoder's vectors in both directions and classifies each window.

Source: GESTURES (Pérez-García et al., MICCAI 2021) reads snippets in this way and classifies the
whole recording; here every window is classified [our choice], as in frame-wise labelling by
recurrent networks (Singh et al., CVPR 2016).
"""

from collections.abc import Sequence as Many
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semiology.models.networks import Network, StreamShape
from semiology.models.networks.dropout import Dropout
from semiology.models.training.clips import ClipData
from semiology.models.training.dataset import NO_CHANGE, ClipDataset
from semiology.timeline.localise.recordings import (
    LEFT_OUT,
    Recording,
    assessable,
    windows_of,
    windows_source,
)
from semiology.timeline.localise.settings import Localisation


class WindowsBLSTM(nn.Module):
    """Encoder of single windows, layer normalisation, dropout, BLSTM over windows, dropout, linear
    head for each window.

    Args:
        shape: sizes that the data determine.
        encoder: {"stream": ..., "options": {...}} of a network that reads keypoints, as agcn.
        width: hidden units of a direction.
        dropout: of the windows' vectors and of the hidden states.

    Shapes: keypoints (batch, window, channel, time, joint), mask (batch, window, time, joint) with
    1 where seen -> logits (batch, window, class). A window without visible keypoints is a zero
    vector, and is classified from its neighbours.
    """

    reads = ("windows", "window_mask")  # not a clip's "keypoints", so that `predict` refuses it

    def __init__(
        self, shape: StreamShape, encoder: dict[str, Any], width: int = 64, dropout: float = 0.3
    ):
        super().__init__()
        self.encoder = Network(**encoder)(shape)
        features: int = self.encoder.features  # type: ignore[assignment]
        self.norm = nn.LayerNorm(features)
        self.dropout = Dropout(dropout)
        self.recurrent = nn.LSTM(features, width, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * width, shape.classes)

    @property
    def features(self) -> int:
        """Length of the vector that `forward_features` gives."""
        return self.head.in_features

    def embed(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """The encoder's vectors (batch, window, features of the encoder)."""
        batch, windows = keypoints.shape[:2]
        each = keypoints.flatten(0, 1), mask.flatten(0, 1)  # (batch * window, ...)
        vectors: Tensor = self.encoder.forward_features(*each)  # type: ignore[operator]
        return vectors.view(batch, windows, -1)

    def hidden_states(self, vectors: Tensor, seen: Tensor) -> Tensor:
        """Hidden states of the BLSTM (batch, window, features) from vectors (batch, window,
        features of the encoder) and seen (batch, window), 1 where assessable.
        """
        hidden, _ = self.recurrent(self.dropout(self.norm(vectors)) * seen.unsqueeze(2))
        return hidden

    def classify(self, vectors: Tensor, seen: Tensor) -> Tensor:
        """Logits (batch, window, class) from the same vectors and mask."""
        return self.head(self.dropout(self.hidden_states(vectors, seen)))

    def forward_features(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """The head's input (batch, window, features) from keypoints and mask."""
        return self.hidden_states(self.embed(keypoints, mask), mask.flatten(2).amax(dim=2))

    def forward(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """Logits (batch, window, class) from keypoints and mask."""
        return self.head(self.dropout(self.forward_features(keypoints, mask)))


BATCH = 128  # windows per batch of the encoder outside of training


@dataclass(frozen=True)
class EmbeddedRecording:
    """A recording as the input of the BLSTM.

    Attributes:
        vectors: (draw, window, feature), 0 where not assessable.
        seen: (window,) 1 where assessable, else 0.
        target: (window,) class, `LEFT_OUT` where excluded or not assessable.
    """

    vectors: Tensor
    seen: Tensor
    target: Tensor


def embed_recording(
    encoder: nn.Module,
    recording: Recording,
    settings: Localisation,
    rng: np.random.Generator | None = None,
) -> EmbeddedRecording:
    """The encoder's vectors of all windows of a recording: unchanged and, with `rng`, also `draws`
    times augmented as in the encoder's training.
    """
    windows = windows_of(recording, settings)
    seen = assessable(windows, settings)
    # the target is not read here
    visible = [replace(window, target=0) for window, found in zip(windows, seen) if found]
    features: int = encoder.features  # type: ignore[assignment]
    vectors = torch.zeros(1 + (settings.sequence.draws if rng else 0), len(windows), features)
    for draw in range(len(vectors)):
        vectors[draw, torch.from_numpy(seen)] = _vectors(
            encoder, visible, settings, rng if draw else None
        )
    target = [window.target if found else LEFT_OUT for window, found in zip(windows, seen)]
    return EmbeddedRecording(vectors, torch.from_numpy(seen).float(), torch.tensor(target))


def _vectors(
    encoder: Any, windows: list[ClipData], settings: Localisation, rng: np.random.Generator | None
) -> Tensor:
    """Vectors (window, feature) of the encoder, computed in batches."""
    source = windows_source([], settings)
    dataset = ClipDataset(source, windows, settings.augmentation if rng else NO_CHANGE, rng)
    vectors = [torch.zeros(0, encoder.features)]
    with torch.inference_mode():
        for batch in dataset.loader(BATCH):
            vectors.append(encoder.forward_features(*(batch[name] for name in encoder.reads)))
    return torch.cat(vectors)


def timeline_network(
    encoder: nn.Module, shape: StreamShape, settings: Localisation
) -> tuple[WindowsBLSTM, Network]:
    """An untrained BLSTM around a frozen copy of the trained encoder, and the options that build
    it.
    """
    chosen = {
        "encoder": asdict(settings.windows.network),
        "width": settings.sequence.width,
        "dropout": settings.sequence.dropout,
    }
    options = Network("windows_blstm", chosen)
    network = options(shape)
    assert isinstance(network, WindowsBLSTM)
    network.encoder.load_state_dict(encoder.state_dict())
    network.encoder.requires_grad_(False)
    return network, options


def train_sequence(
    network: WindowsBLSTM,
    recordings: Many[EmbeddedRecording],
    class_weights: Tensor,
    settings: Localisation,
    seed: int,
) -> None:
    """Train the BLSTM by weighted cross-entropy over the labelled windows of chunks; the encoder is
    frozen.

    Every epoch cuts each recording into chunks at a random offset and uses one draw of each chunk's
    vectors.
    """
    chosen, rng = settings.sequence, np.random.default_rng(seed)
    torch.manual_seed(seed)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(
        parameters, chosen.learning_rate, weight_decay=chosen.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, chosen.epochs)
    network.train()
    network.encoder.eval()
    for _ in range(chosen.epochs):
        chunks = [
            chunk for recording in recordings for chunk in cut_chunks(recording, chosen.chunk, rng)
        ]
        order = rng.permutation(len(chunks))
        for first in range(0, len(order), chosen.batch_size):
            vectors, seen, target = (
                torch.stack(part)
                for part in zip(
                    *(chunks[place] for place in order[first : first + chosen.batch_size])
                )
            )
            if (target == LEFT_OUT).all():
                continue
            logits = network.classify(vectors, seen)
            loss = F.cross_entropy(
                logits.flatten(0, 1), target.flatten(), class_weights, ignore_index=LEFT_OUT
            )
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
        schedule.step()
    network.eval()


def cut_chunks(
    recording: EmbeddedRecording, chunk: int, rng: np.random.Generator
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Vectors (chunk, feature), seen (chunk,) and target (chunk,) of each chunk, cut at a random
    offset, one draw each; beyond the recording `seen` is 0 and the target `LEFT_OUT`.
    """
    windows = len(recording.seen)
    offset = int(rng.integers(chunk))
    chunks = []
    for start in range(offset - chunk if offset else 0, windows, chunk):
        draw = recording.vectors[int(rng.integers(len(recording.vectors)))]
        first, last = max(start, 0), min(start + chunk, windows)
        before, after = first - start, start + chunk - last
        chunks.append(
            (
                F.pad(draw[first:last], (0, 0, before, after)),
                F.pad(recording.seen[first:last], (before, after)),
                F.pad(recording.target[first:last], (before, after), value=LEFT_OUT),
            )
        )
    return chunks


def predict_windows(network: WindowsBLSTM, recording: EmbeddedRecording) -> np.ndarray:
    """Probabilities (window, level) over the whole recording; NaN where not assessable."""
    with torch.inference_mode():
        logits = network.classify(recording.vectors[:1], recording.seen[None])
        probabilities = logits.softmax(2)[0].numpy()
    return np.where(recording.seen.numpy()[:, None] > 0, probabilities, np.nan)


def predict_single_windows(encoder: Any, recording: EmbeddedRecording) -> np.ndarray:
    """The same from the encoder's own head, for each window by itself."""
    with torch.inference_mode():
        probabilities = encoder.head(recording.vectors[0]).softmax(1).numpy()
    return np.where(recording.seen.numpy()[:, None] > 0, probabilities, np.nan)
