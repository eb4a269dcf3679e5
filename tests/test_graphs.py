import numpy as np
import pytest
import torch
from torch_geometric.data import Batch
from torch_geometric.nn import GATConv

from semiology import load_skeleton, make_tracks
from semiology.data.preprocessing import to_graph


@pytest.fixture
def chain(tmp_path):
    path = tmp_path / "chain.yaml"
    path.write_text(
        "{name: chain, part: body, joints: [a, b], edges: [[b, a]], root: a, origin: [a], scale:"
        " [a, b]}"
    )
    return load_skeleton(path)


def test_nodes_and_edges_of_two_frames_of_two_joints_by_hand(chain):
    position = np.array(
        [[[1, 2], [3, 4]], [[5, 6], [np.nan, np.nan]]], dtype=float
    )  # (time, joint, space)
    graph = to_graph(make_tracks(position, ["a", "b"], 25.0), chain)
    assert graph.pos.tolist() == [[1, 2], [3, 4], [5, 6], [0, 0]]
    assert graph.mask.tolist() == [True, True, True, False]
    bones = {(1, 0), (3, 2), (0, 1), (2, 3)}
    steps = {(0, 2), (1, 3), (2, 0), (3, 1)}
    edges = [tuple(edge) for edge in graph.edge_index.T.tolist()]
    assert {edge for edge, temporal in zip(edges, graph.temporal) if not temporal} == bones
    assert {edge for edge, temporal in zip(edges, graph.temporal) if temporal} == steps


def test_a_batch_of_clips_goes_through_a_layer_of_torch_geometric(chain):
    graphs = [
        to_graph(
            make_tracks(np.random.default_rng(n).normal(size=(n + 2, 2, 2)), ["a", "b"], 25.0),
            chain,
        )
        for n in range(2)
    ]
    batch = Batch.from_data_list(graphs)
    assert batch.edge_index.max() < batch.num_nodes == 4 + 6
    assert GATConv(2, 8)(batch.pos, batch.edge_index).shape == torch.Size([10, 8])
