"""The graph attention network explained by torch-geometric: which bones, and which steps of time,
its messages must keep.

GNNExplainer: Ying et al., NeurIPS 2019. It learns one mask over nodes and one over edges, as small
as may be, that keep the level's score.

The graphs of an AGCN: fixed A, learned B, and C, which it makes from the clip at hand.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from semiology.data.skeleton import Skeleton
from semiology.experiments.explain.attribution import ClipInput
from semiology.models.networks import AGCN

if TYPE_CHECKING:
    from semiology.models.networks import GAT


class _Graph(nn.Module):
    """The network as the explainers of torch-geometric call it: nodes and edges in, logits out."""

    def __init__(self, network: "GAT"):
        super().__init__()
        self.network = network.eval()

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, seen: Tensor) -> Tensor:
        return self.network.head(self.network.attend(x, edge_index, edge_attr, seen))


@dataclass(frozen=True)
class NodeMap:
    """Masks in [0, 1] of one clip.

    Attributes:
        joints: (step, joint) of the nodes; a step is `GAT.stride` frames.
        bones: (bone,) mean over steps and both directions, in the order of the skeleton's edges.
        through_time: mean over the edges that lead from a step to the next or back.
        to_itself: mean over the edges from a node to itself.
    """

    joints: np.ndarray
    bones: np.ndarray
    through_time: float
    to_itself: float


def explain_graph(
    network: "GAT",
    clip: ClipInput,
    level: int,
    skeleton: Skeleton,
    epochs: int = 100,
    seed: int = 0,
) -> NodeMap:
    """GNNExplainer's masks for one clip, mean over its windows.

    Args:
        network: trained.
        clip: the input.
        level: whose score the masks keep.
        skeleton: of the joints.
        epochs: of the masks' learning.
        seed: of the masks' start.
    """
    from torch_geometric.explain import Explainer, GNNExplainer

    explainer = Explainer(
        _Graph(network),
        GNNExplainer(epochs=epochs),
        explanation_type="phenomenon",
        node_mask_type="object",
        edge_mask_type="object",
        model_config={
            "mode": "multiclass_classification",
            "task_level": "graph",
            "return_type": "raw",
        },
    )
    joints, bones, through_time, to_itself = [], [], [], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for keypoints, mask in zip(clip.keypoints, clip.mask):
            with torch.no_grad():
                nodes, seen = network.nodes(keypoints[None], mask[None])
            index, kind = network.edges(*seen.shape)
            explained = explainer(
                nodes, index, edge_attr=kind, seen=seen, target=torch.tensor([level])
            )
            of_edge, steps = explained.edge_mask, seen.shape[1]
            joints.append(explained.node_mask.view(steps, len(skeleton.names)).numpy())
            along = of_edge[kind[:, 1:3].any(dim=1)].view(2, steps, len(skeleton.edges))
            bones.append(along.mean(dim=(0, 1)).numpy())
            through_time.append(float(of_edge[kind[:, 3:].any(dim=1)].mean()))
            to_itself.append(float(of_edge[kind[:, 0] > 0].mean()))
    return NodeMap(
        np.mean(joints, axis=0),
        np.mean(bones, axis=0),
        float(np.mean(through_time)),
        float(np.mean(to_itself)),
    )


def clip_graphs(network: AGCN, clip: ClipInput) -> Tensor:
    """(block, subset, joint, joint) of the data-dependent C, mean over the clip's windows; entry
    [k, i, j] weights joint i in the sum at joint j.

    With `form="agcn"` C is a softmax over the joints that are summed: each column sums to one. With
    "aagcn" it is alpha * tanh(...).
    """
    made: list[Tensor] = []

    def listen(layer, inputs) -> None:
        base = layer.learned if layer.alpha is not None else layer.fixed + layer.learned
        made.append((layer.adjacency(inputs[0]) - base).mean(dim=0))

    blocks: Any = network.blocks
    handles = [block.graph.register_forward_pre_hook(listen) for block in blocks]
    try:
        with torch.no_grad():
            network(clip.keypoints, clip.mask)
    finally:
        for handle in handles:
            handle.remove()
    return torch.stack(made)
