"""The graphs of an AGCN: fixed A, learned B, and C, which it makes from the clip at hand."""

import torch
from torch import Tensor

from semiology.experiments.explain.inputs import ClipInput
from semiology.models.networks import AGCN


def clip_graphs(network: AGCN, clip: ClipInput) -> Tensor:
    """(block, subset, joint, joint) of the data-dependent C, mean over the clip's windows; entry [k, i, j] is how much j hears i.

    With `form="agcn"` C is a softmax over the joints that are heard: each column sums to one. With "aagcn" it is alpha * tanh(...).
    """
    made: list[Tensor] = []

    def listen(layer, inputs) -> None:
        base = layer.learned if layer.alpha is not None else layer.fixed + layer.learned
        made.append((layer.adjacency(inputs[0]) - base).mean(dim=0))

    handles = [block.graph.register_forward_pre_hook(listen) for block in network.blocks]  # type: ignore[union-attr]
    try:
        with torch.no_grad():
            network(clip.keypoints, clip.mask)
    finally:
        for handle in handles:
            handle.remove()
    return torch.stack(made)
