"""Train an aggregator on the snippets of many recordings, and score recordings with it."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from semiology.data.gestures import CHANNELS, LEVELS, View
from semiology.experiments.reproduce.gestures_protocol import GesturesProtocol
from semiology.models.networks.aggregator import Aggregator, Kind
from semiology.models.training.segments import segment_starts


def sampled(views: Sequence[View], snippet: int, segments: int, gamma: float, rng: np.random.Generator | None) -> Tensor:
    """(view, segment, channel): one vector a segment, drawn with `rng`, at the centres without. See `segment_starts`."""
    rows = [
        view.features[segment_starts(len(view.features) + snippet - 1, snippet, segments, gamma, rng)] for view in views
    ]  # vectors stand for starts: the last one's snippet ends with the video
    return torch.from_numpy(np.stack(rows))


def train_aggregator(views: Sequence[View], kind: Kind, segments: int, protocol: GesturesProtocol, seed: int) -> Aggregator:
    """Weighted binary cross-entropy on the two outputs, AdamW, every view once an epoch with new snippets; the last state is kept.

    The weight of positive outputs is 1 / share of TCS among the views [C]. The authors' code keeps the epoch with the best F1 on the fold
    that is then tested [C]: that is not done here, nothing is chosen. The same seed gives the same weights on the same machine.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    device = device_of(protocol)
    network = Aggregator(CHANNELS, len(LEVELS), kind, protocol.width).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=protocol.learning_rate)
    target = F.one_hot(torch.tensor([view.target for view in views]), len(LEVELS)).float().to(device)
    weight = 1 / target[:, 1].mean()
    for _ in range(protocol.epochs):
        for batch in np.array_split(rng.permutation(len(views)), -(-len(views) // protocol.batch_size)):
            snippets = sampled([views[number] for number in batch], protocol.snippet, segments, protocol.gamma, rng).to(device)
            loss = F.binary_cross_entropy_with_logits(network(snippets), target[torch.from_numpy(batch)], pos_weight=weight)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()


def probabilities(network: Aggregator, views: Sequence[View], snippet: int, segments: int) -> np.ndarray:
    """(view, level): softmax of the two outputs, snippets at their segments' centres; above one half is what the larger output says [C]."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        logits = network(sampled(views, snippet, segments, 1.0, None).to(device))
    return logits.softmax(1).cpu().numpy()


def device_of(protocol: GesturesProtocol) -> str:
    """The device's name; "auto" takes a GPU where there is one."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if protocol.device == "auto" else protocol.device
