"""The graph attention network: its edges by hand, its nodes by tags, and that it learns classes
that differ only in their trajectory over time.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from semiology import load_skeleton, make_tracks
from semiology.data.preprocessing import to_graph
from semiology.models.networks import GAT, Network, StreamShape
from semiology.models.training.reading import Reading
from semiology.models.training.saved import SavedModel, load_model

SKELETON = load_skeleton("upper_body_11")
SHAPE = StreamShape(classes=2, skeleton=SKELETON, keypoint_channels=3)


def chain(tmp_path):
    path = tmp_path / "chain.yaml"
    path.write_text(
        "{name: chain, part: body, joints: [a, b], edges: [[b, a]], root: a, origin: [a], scale:"
        " [a, b]}"
    )
    return load_skeleton(path)


def test_edges_of_two_clips_of_two_steps_of_two_joints_by_hand(tmp_path):
    network = GAT(StreamShape(2, chain(tmp_path), 1), width=4)
    index, kind = network.edges(batch=2, steps=2)
    kinds = {
        (start, stop): int(number)
        for (start, stop), number in zip(index.T.tolist(), kind.argmax(dim=1))
    }
    one = {
        **{(node, node): 0 for node in range(4)},
        **{(1, 0): 1, (3, 2): 1},  # b speaks to a, nearer to the root
        **{(0, 1): 2, (2, 3): 2},
        **{(0, 2): 3, (1, 3): 3},
        **{(2, 0): 4, (3, 1): 4},
    }
    assert kinds == {
        **one,
        **{(start + 4, stop + 4): number for (start, stop), number in one.items()},
    }
    assert kind.sum(dim=1).eq(1).all()


def test_edges_between_different_nodes_are_those_of_the_graphs_that_tracks_turn_into():
    index, kind = GAT(SHAPE).edges(batch=1, steps=5)
    graph = to_graph(
        make_tracks(np.random.default_rng(0).normal(size=(5, 11, 2)), SKELETON.names, 25.0),
        SKELETON,
    )
    ours = {tuple(edge) for edge, own in zip(index.T.tolist(), kind[:, 0].tolist()) if not own}
    assert ours == {tuple(edge) for edge in graph.edge_index.T.tolist()}


def test_a_node_carries_the_channels_of_its_own_clip_frames_and_joint():
    network = GAT(
        SHAPE, stride=2
    ).eval()  # fresh batch normalisation in eval mode changes nothing but by its epsilon
    batch, channel, time, joint = torch.meshgrid(
        torch.arange(2), torch.arange(3), torch.arange(5), torch.arange(11), indexing="ij"
    )
    tags = (1000 * batch + 100 * time + 10 * channel).float() + joint / 20
    mask = torch.ones(2, 5, 11)
    mask[1, 4] = 0
    nodes, seen = network.nodes(tags, mask)
    nodes = (
        nodes.view(2, 3, 11, 2, 3) * (1 + network.norm.eps) ** 0.5
    )  # (clip, step, joint, frame of the step, channel)
    for clip, step, at, frame, c in [
        (0, 0, 3, 0, 0),
        (1, 1, 10, 1, 2),
        (0, 2, 7, 0, 1),
        (1, 0, 5, 1, 1),
    ]:
        assert nodes[clip, step, at, frame, c].item() == pytest.approx(
            tags[clip, c, 2 * step + frame, at].item(), rel=1e-5
        )
    assert nodes[:, 2, :, 1].eq(0).all(), (
        "the fifth frame has no partner: its step is filled up with zeros"
    )
    assert seen.tolist() == [[1, 1, 1], [1, 1, 0]]


def test_renumbering_the_joints_changes_nothing():
    order = np.random.default_rng(3).permutation(11)
    names = SKELETON.names
    other_skeleton = replace(SKELETON, joints={names[i]: SKELETON.joints[names[i]] for i in order})
    torch.manual_seed(0)
    network, other = (
        GAT(SHAPE).double().eval(),
        GAT(StreamShape(2, other_skeleton, 3)).double().eval(),
    )
    other.load_state_dict(
        network.state_dict()
    )  # the input's normalisation is fresh, the same for all joints
    other.place.data = network.place[torch.from_numpy(order)]
    x, mask = torch.randn(3, 3, 9, 11).double(), (torch.rand(3, 9, 11) > 0.2).double()
    torch.testing.assert_close(network(x, mask), other(x[..., order], mask[..., order]))


def test_clips_of_a_batch_do_not_hear_each_other():
    torch.manual_seed(0)
    network = GAT(SHAPE).eval()
    x, mask = torch.randn(4, 3, 8, 11), torch.ones(4, 8, 11)
    apart = torch.cat([network(x[[clip]], mask[[clip]]) for clip in range(4)])
    torch.testing.assert_close(network(x, mask), apart)


def test_what_stands_under_a_zero_mask_is_not_read():
    torch.manual_seed(0)
    network = GAT(SHAPE).eval()
    x, mask = torch.randn(2, 3, 8, 11), torch.ones(2, 8, 11)
    mask[0, 5:], mask[1, :, 4] = 0, 0
    garbage = torch.where(mask.unsqueeze(1) > 0, x, torch.full_like(x, 1e3))
    torch.testing.assert_close(network(x, mask), network(garbage, mask))


def test_a_wrist_that_swings_is_distinguished_from_one_that_rests_in_the_same_place():
    """The mean pose of both classes is the same. Clips of the same kind that were not trained on
    are scored.
    """
    torch.manual_seed(0)
    wrist, time = SKELETON.names.index("left_wrist"), torch.arange(16)

    def clips(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        x, target = torch.randn(count, 3, 16, 11) * 0.3, torch.arange(count) % 2
        phase = torch.rand(count, 1) * 6.28
        x[:, 0, :, wrist] += target[:, None] * 1.5 * torch.sin(time * 1.5 + phase)
        return x, target

    network = GAT(SHAPE, width=16)
    optimiser = torch.optim.AdamW(network.parameters(), 0.01)
    (x, target), (unseen, truth) = clips(128), clips(64)
    for _ in range(20):
        for batch in torch.randperm(128).split(16):
            optimiser.zero_grad()
            F.cross_entropy(network(x[batch], torch.ones(16, 16, 11)), target[batch]).backward()
            optimiser.step()
    assert (network.eval()(unseen, torch.ones(64, 16, 11)).argmax(1) == truth).float().mean() >= 0.9


def test_a_saved_network_comes_back_the_same(tmp_path):
    torch.manual_seed(0)
    options = Network("gat", {"width": 16})
    network = options(SHAPE).eval()
    SavedModel(network, options, Reading("sign"), ["absent", "present"], SHAPE, {}).save(tmp_path)
    x, mask = torch.randn(2, 3, 8, 11), torch.ones(2, 8, 11)
    torch.testing.assert_close(load_model(tmp_path).network(x, mask), network(x, mask))


def test_wrong_sizes_are_refused_with_what_was_expected():
    with pytest.raises(
        ValueError, match=r"GAT: expected \(batch, 3, time, 11\), got \(2, 3, 16, 20\)"
    ):
        GAT(SHAPE)(torch.zeros(2, 3, 16, 20), torch.ones(2, 16, 20))
    with pytest.raises(ValueError, match="width must be a multiple of heads"):
        GAT(SHAPE, width=33)
