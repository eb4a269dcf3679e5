"""The skeleton transformer against a literal transcription of its equations, token by token, and
what its attention leaves out.
"""

import math

import pytest
import torch
import torch.nn.functional as F

from semiology import UserError, load_skeleton
from semiology.models.networks import Network, SkeletonTransformer, StreamShape
from semiology.models.networks.transformer import Attention, Block, time_code

SHAPE = StreamShape(classes=2, skeleton=load_skeleton("upper_body_11"), keypoint_channels=3)


def literal_attention(x: list[torch.Tensor], seen: list[bool], layer: Attention) -> list:
    """One group's tokens, each (width): a softmax over the seen ones, head by head."""
    width, heads = len(x[0]), layer.heads
    rows = [layer.query_key_value.weight @ token + layer.query_key_value.bias for token in x]
    outputs = []
    for i in range(len(x)):
        parts = []
        for head in range(heads):
            own = slice(head * width // heads, (head + 1) * width // heads)
            query = rows[i][:width][own]
            weights, values = [], []
            for j in range(len(x)):
                if seen[j]:
                    key = rows[j][width : 2 * width][own]
                    weights.append(torch.exp(query @ key / math.sqrt(width / heads)))
                    values.append(rows[j][2 * width :][own])
            parts.append(sum(w * v for w, v in zip(weights, values)) / sum(weights))
        outputs.append(layer.out.weight @ torch.cat(parts) + layer.out.bias)
    return outputs


def test_a_block_equals_the_literal_equations_where_something_is_missing():
    torch.manual_seed(0)
    block = Block(8, heads=2, dropout=0.0).double()
    steps, joints = 4, 3
    x = torch.randn(1, 8, steps, joints).double()
    seen = torch.tensor([[[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]]]).bool()
    tokens = {(s, j): x[0, :, s, j] for s in range(steps) for j in range(joints)}
    normed = {at: block.norms[0](token) for at, token in tokens.items()}
    for s in range(steps):
        y = literal_attention(
            [normed[s, j] for j in range(joints)],
            [bool(seen[0, s, j]) for j in range(joints)],
            block.joints,
        )
        for j in range(joints):
            tokens[s, j] = tokens[s, j] + y[j]
    normed = {at: block.norms[1](token) for at, token in tokens.items()}
    for j in range(joints):
        y = literal_attention(
            [normed[s, j] for s in range(steps)],
            [bool(seen[0, s, j]) for s in range(steps)],
            block.time,
        )
        for s in range(steps):
            tokens[s, j] = tokens[s, j] + y[s]
    found = block(x, seen)
    for (s, j), token in tokens.items():
        hidden = block.layers[0].weight @ block.norms[2](token) + block.layers[0].bias
        hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
        expected = token + block.layers[2].weight @ hidden + block.layers[2].bias
        torch.testing.assert_close(found[0, :, s, j], expected)


def test_the_code_of_time_by_hand():
    code = time_code(3, 4)
    assert code[0].tolist() == [0, 1, 0, 1]
    expected = [math.sin(2), math.cos(2), math.sin(0.02), math.cos(0.02)]
    torch.testing.assert_close(code[2], torch.tensor(expected))


def test_a_token_holds_its_own_joint_and_frames():
    torch.manual_seed(0)
    network = SkeletonTransformer(SHAPE, width=8, blocks=0).double().eval()
    tokens = []
    network.dropout.register_forward_hook(lambda _module, _inputs, output: tokens.append(output))
    x, mask = torch.randn(2, 3, 6, 11).double(), torch.ones(2, 6, 11).double()
    network(x, mask)
    scale = 1 / math.sqrt(1 + network.norm.eps)  # a fresh batch norm in evaluation mode
    for clip, step, joint in [(0, 0, 3), (1, 2, 10)]:
        frames = torch.cat([x[clip, :, 2 * step, joint], x[clip, :, 2 * step + 1, joint]]) * scale
        expected = network.embed(frames) + network.place[joint] + time_code(3, 8)[step]
        torch.testing.assert_close(tokens[0][clip, step, joint], expected, rtol=1e-6, atol=1e-6)


def settled(shape: StreamShape = SHAPE, **options) -> SkeletonTransformer:
    torch.manual_seed(1)
    network = SkeletonTransformer(shape, **{"width": 16, "blocks": 2, **options})
    for _ in range(3):
        network(
            torch.randn(4, shape.keypoint_channels, 16, network.joints) + 1,
            torch.ones(4, 16, network.joints),
        )
    return network.eval()


def test_what_stands_under_a_zero_mask_is_not_read():
    network = settled()
    x, mask = torch.randn(2, 3, 16, 11), torch.ones(2, 16, 11)
    mask[0, 9:], mask[1, :, 4] = 0, 0
    garbage = torch.where(mask.unsqueeze(1) > 0, x, torch.full_like(x, 1e3))
    torch.testing.assert_close(network(x, mask), network(garbage, mask))


def test_frames_without_any_joint_behind_the_end_change_nothing():
    network = settled().double()
    x, mask = torch.randn(3, 3, 12, 11).double(), (torch.rand(3, 12, 11) > 0.3).double()
    longer, padded = F.pad(x, (0, 0, 0, 9), value=7.0), F.pad(mask, (0, 0, 0, 9))
    torch.testing.assert_close(network(longer, padded), network(x, mask))


def test_a_joint_that_is_never_seen_has_no_influence():
    """Not even its learned code: its tokens are read by no other, and not counted."""
    network = settled()
    x, mask = torch.randn(2, 3, 16, 11), torch.ones(2, 16, 11)
    mask[:, :, 4] = 0
    before = network(x, mask)
    with torch.no_grad():
        network.place[4] += 5
    torch.testing.assert_close(network(x, mask), before)


def test_a_clip_without_any_joint_gives_finite_logits_and_gradients():
    network = settled().train()
    logits = network(torch.zeros(2, 3, 8, 11), torch.zeros(2, 8, 11))
    (logits**2).sum().backward()
    assert torch.isfinite(logits).all()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in network.parameters())


def test_clips_of_a_batch_are_independent():
    network = settled()
    x, mask = torch.randn(4, 3, 15, 11), torch.ones(4, 15, 11)
    apart = torch.cat([network(x[[clip]], mask[[clip]]) for clip in range(4)])
    torch.testing.assert_close(network(x, mask), apart)


@pytest.mark.parametrize("name, joints", [("kinect_20", 20), ("face_23", 23), ("left_arm_4", 4)])
def test_every_skeleton_trains_and_every_parameter_has_a_gradient(name, joints):
    network = settled(StreamShape(5, load_skeleton(name), 4)).train()
    logits = network(torch.randn(3, 4, 15, joints), torch.ones(3, 15, joints))
    assert logits.shape == (3, 5)
    (logits**2).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


def test_a_wrist_that_swings_is_distinguished_from_one_that_rests_in_the_same_place():
    """The mean pose of both classes is the same. Clips of the same kind that were not trained on
    are scored.
    """
    torch.manual_seed(0)
    wrist, time = SHAPE.skeleton.names.index("left_wrist"), torch.arange(16)

    def clips(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        x, target = torch.randn(count, 3, 16, 11) * 0.3, torch.arange(count) % 2
        phase = torch.rand(count, 1) * 6.28
        x[:, 0, :, wrist] += target[:, None] * 1.5 * torch.sin(time * 1.5 + phase)
        return x, target

    network = SkeletonTransformer(SHAPE, width=16, blocks=1)
    optimiser = torch.optim.AdamW(network.parameters(), 0.01)
    (x, target), (unseen, truth) = clips(128), clips(64)
    for _ in range(20):
        for batch in torch.randperm(128).split(16):
            optimiser.zero_grad()
            F.cross_entropy(network(x[batch], torch.ones(16, 16, 11)), target[batch]).backward()
            optimiser.step()
    assert (network.eval()(unseen, torch.ones(64, 16, 11)).argmax(1) == truth).float().mean() >= 0.9


def test_options_and_shapes_that_do_not_fit_are_refused():
    for options in ({"width": 10}, {"width": 9, "heads": 3}):
        with pytest.raises(UserError, match="width must be even and a multiple of heads"):
            Network("transformer", options)(SHAPE)
    with pytest.raises(ValueError, match=r"SkeletonTransformer: expected \(batch, 3, time, 11\)"):
        settled()(torch.zeros(1, 2, 8, 11), torch.ones(1, 8, 11))
