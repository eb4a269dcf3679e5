"""Spatio-temporal graph attention over keypoints (GAT): a comparison model of ours, in the layers
of torch-geometric.

It is no part of any of the papers that are reproduced. It stands beside the AGCN to show what a
general graph network does with the same joints, and it is what `torch_geometric.explain` works on.
Its attention is GATv2: Brody et al., How Attentive are Graph Attention Networks?, ICLR 2022.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch_geometric.nn import GATv2Conv

from semiology.models.networks.base import StreamShape
from semiology.models.networks.dropout import Dropout
from semiology.models.networks.keypoints import OverKeypoints
from semiology.models.networks.masks import masked_mean

KINDS = 5  # of edges: to itself, inward and outward along a bone, forward and backward in time


class Block(nn.Module):
    """Graph attention over bones and neighbouring steps, then a convolution over time, around a
    residual.

        y = ReLU( BN( GATv2(x, edges) ) );   out = ReLU( Dropout(BN(Conv_t(y))) + x )

    The attention is given each edge's kind. Shapes: x (node, width), nodes ordered by graph, step
    and joint -> (node, width).
    """

    def __init__(self, width: int, heads: int, kernel: int, dropout: float):
        super().__init__()
        self.attention = GATv2Conv(
            width, width // heads, heads, add_self_loops=False, edge_dim=KINDS
        )
        self.heard = nn.BatchNorm1d(width)
        self.time = nn.Conv1d(width, width, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm1d(width)
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, steps: int, joints: int
    ) -> Tensor:
        """One block's output (node, width).

        Args:
            x: (node, width), nodes ordered by graph, step and joint.
            edge_index: (2, edge) numbers of the nodes from and to.
            edge_attr: (edge, kind) one-hot kind of each edge.
            steps: of each graph.
            joints: of each step.
        """
        y = torch.relu(self.heard(self.attention(x, edge_index, edge_attr)))
        series = (
            y.view(-1, steps, joints, y.shape[1]).permute(0, 2, 3, 1).flatten(0, 1)
        )  # (graph * joint, width, step)
        series = self.dropout(self.norm(self.time(series))).view(-1, joints, y.shape[1], steps)
        return torch.relu(series.permute(0, 3, 1, 2).reshape(x.shape) + x)


class GAT(OverKeypoints):
    """Spatio-temporal graph attention over keypoints: a comparison model of ours.

    Frames are folded into steps; blocks of graph attention and temporal convolution; mean over
    seen steps and joints; linear head. A node is a joint in a step of `stride` frames and carries
    their channels side by side; node number = (clip * steps + step) * joints + joint, as in
    `semiology.data.preprocessing`. All sizes are our choice.

    Parameters
    ----------
    shape : StreamShape
        What the data decide: channels, skeleton, classes.
    width : int
        Channels of every block, a multiple of `heads`.
    blocks : int
        Number of blocks.
    heads : int
        Of the attention.
    stride : int
        Frames of a step.
    kernel : int
        Steps of the temporal convolution, odd.
    dropout : float
        After each temporal convolution.

    Returns
    -------
    Tensor
        Logits (batch, class), from keypoints (batch, channel, time, joint) and a mask (batch,
        time, joint) that is 1 where a joint was seen.

    Raises
    ------
    ValueError
        The width is no multiple of the heads, the kernel is even, the data hold no keypoints, or
        the input's channels or joints differ from the shape's.

    References
    ----------
    Brody et al., How Attentive are Graph Attention Networks?, ICLR 2022 (GATv2).

    Examples
    --------
    >>> import torch
    >>> from semiology import load_skeleton
    >>> from semiology.models.networks import GAT, StreamShape
    >>> network = GAT(StreamShape(2, load_skeleton("upper_body_11"), 4))
    >>> network(torch.randn(3, 4, 64, 11), torch.ones(3, 64, 11)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        shape: StreamShape,
        width: int = 32,
        blocks: int = 2,
        heads: int = 2,
        stride: int = 2,
        kernel: int = 5,
        dropout: float = 0.2,
    ):
        super().__init__(shape)
        if width % heads or kernel % 2 == 0:
            raise ValueError(
                f"GAT: width must be a multiple of heads and kernel odd, got width {width}, heads"
                f" {heads}, kernel {kernel}"
            )
        self.stride = stride
        self.bones = torch.from_numpy(
            shape.skeleton.edge_index
        )  # (bone, 2): joint, its inner neighbour
        self.embed = nn.Linear(stride * self.channels, width)
        self.place = nn.Parameter(
            torch.randn(self.joints, width) * 0.1
        )  # distinguishes the joints, as AGCN's learned graph does
        self.blocks = nn.ModuleList(Block(width, heads, kernel, dropout) for _ in range(blocks))
        self.head = nn.Linear(width, shape.classes)
        self._edges: dict[tuple[int, int, torch.device], tuple[Tensor, Tensor]] = {}

    def nodes(self, keypoints: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(node, stride * channel), each node's frames side by side, normalised joint by joint; and
        (batch, step), 1 where seen.
        """
        time = keypoints.shape[2]
        x = pad(
            self.normed(keypoints, mask), (0, -time % self.stride)
        )  # (batch, joint, channel, step * stride)
        x = x.unflatten(3, (-1, self.stride)).permute(
            0, 3, 1, 4, 2
        )  # (batch, step, joint, stride, channel)
        seen = (
            pad(mask.amax(dim=2), (0, -time % self.stride))
            .unflatten(1, (-1, self.stride))
            .amax(dim=2)
        )
        return x.reshape(-1, self.stride * self.channels), seen

    def edges(self, batch: int, steps: int) -> tuple[Tensor, Tensor]:
        """(2, edge) from source node to target node, and (edge, kind) the kind, one-hot; one
        disconnected graph for each clip.

        The kinds stand in the order of `KINDS`; a batch's edges are made once for each size.
        """
        key = (batch, steps, self.head.weight.device)
        if key not in self._edges:
            if (
                len(self._edges) == 8
            ):  # segments in which nothing was seen are not encoded, so that sizes vary
                self._edges.clear()
            nodes = torch.arange(batch * steps * self.joints).view(batch, steps, self.joints)
            outer, inner = (
                nodes[:, :, self.bones[:, 0]].flatten(),
                nodes[:, :, self.bones[:, 1]].flatten(),
            )
            now, then = nodes[:, :-1].flatten(), nodes[:, 1:].flatten()
            groups = [
                (nodes.flatten(), nodes.flatten()),
                (outer, inner),
                (inner, outer),
                (now, then),
                (then, now),
            ]
            index = torch.cat([torch.stack(group) for group in groups], dim=1)
            kind = torch.cat(
                [
                    torch.eye(KINDS)[[number]].expand(len(start), -1)
                    for number, (start, _) in enumerate(groups)
                ]
            )
            self._edges[key] = index.to(key[2]), kind.to(key[2])
        return self._edges[key]

    def attend(self, nodes: Tensor, edge_index: Tensor, edge_attr: Tensor, seen: Tensor) -> Tensor:
        """Nodes, edges and seen steps (batch, step) -> (batch, features): the network as
        torch-geometric's explainers see it.
        """
        batch, steps = seen.shape
        x = torch.relu(self.embed(nodes) + self.place.repeat(batch * steps, 1))
        for block in self.blocks:
            x = block(x, edge_index, edge_attr.to(x.dtype), steps, self.joints)
        return masked_mean(x.view(batch, steps, self.joints, -1).mean(dim=2).transpose(1, 2), seen)

    def forward_features(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """(batch, features), the vector before the head."""
        nodes, seen = self.nodes(keypoints, mask)
        return self.attend(nodes, *self.edges(*seen.shape), seen)
