"""MS-AAGCN's attention to joints, frames and channels, against its literal equations."""

import pytest
import torch
import torch.nn.functional as F

from semiology import load_skeleton
from semiology.models.networks import AGCN, StreamShape
from semiology.models.networks.attention import JointTimeChannelAttention
from semiology.models.networks.folded_agcn import FoldedAGCN

SHAPE = StreamShape(classes=2, skeleton=load_skeleton("upper_body_11"), keypoint_channels=3)


def randomised(layer: JointTimeChannelAttention) -> JointTimeChannelAttention:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
    return layer


def literal_attention(x: torch.Tensor, layer: JointTimeChannelAttention) -> torch.Tensor:
    """One after the other, each from the last one's result, weight by weight."""
    batch, _, time, joints = x.shape

    def along(mean: torch.Tensor, conv: torch.nn.Conv1d) -> torch.Tensor:
        weights = []
        reach = conv.kernel_size[0]
        for place in range(mean.shape[2]):
            total = conv.bias[0].expand(batch)
            for tap in range(reach):
                source = place + tap - reach // 2
                if 0 <= source < mean.shape[2]:
                    total = total + mean[:, :, source] @ conv.weight[0, :, tap]
            weights.append(1 / (1 + torch.exp(-total)))
        return torch.stack(weights, dim=1)

    over_time = sum(x[:, :, t] for t in range(time)) / time
    x = x + x * along(over_time, layer.joint)[:, None, None, :]
    over_joints = sum(x[..., joint] for joint in range(joints)) / joints
    x = x + x * along(over_joints, layer.frame)[:, None, :, None]
    mean = sum(x[:, :, t, j] for t in range(time) for j in range(joints)) / (time * joints)
    hidden = torch.relu(mean @ layer.squeeze.weight.T + layer.squeeze.bias)
    weight = 1 / (1 + torch.exp(-(hidden @ layer.excite.weight.T + layer.excite.bias)))
    return x + x * weight[:, :, None, None]


@pytest.mark.parametrize("joints, reach", [(11, 11), (20, 19), (4, 3), (1, 1)])
def test_attention_equals_the_literal_equations_forward_and_gradient(joints, reach):
    layer = randomised(JointTimeChannelAttention(6, joints)).double()
    assert layer.joint.kernel_size == (reach,)  # all joints, an odd number
    x = torch.arange(2 * 6 * 7 * joints).view(2, 6, 7, joints).double().sin().requires_grad_()
    fast, slow = layer(x), literal_attention(x, layer)
    torch.testing.assert_close(fast, slow, rtol=1e-10, atol=1e-12)
    every = [x, *layer.parameters()]
    upstream = torch.randn_like(fast)
    for ours, literal in zip(
        torch.autograd.grad(fast, every, upstream), torch.autograd.grad(slow, every, upstream)
    ):
        torch.testing.assert_close(ours, literal, rtol=1e-8, atol=1e-10)


def test_fresh_attention_weights_frames_and_channels_by_one_and_a_half():
    torch.manual_seed(0)
    layer, x = JointTimeChannelAttention(4, 11), torch.rand(2, 4, 9, 11) + 1
    joints = 1 + layer.joint(x.mean(2)).sigmoid()
    torch.testing.assert_close(layer(x), x * 1.5 * 1.5 * joints.unsqueeze(2))


def settled(**options) -> AGCN:
    torch.manual_seed(1)
    network = AGCN(SHAPE, widths=[8, 16], attention=True, **options)
    with torch.no_grad():
        for block in network.blocks:
            block.graph.norm.weight.fill_(1)
            randomised(block.attention)
        for _ in range(5):
            network(torch.randn(4, 3, 16, 11), torch.ones(4, 16, 11))
    return network.eval()


def test_attention_lies_between_graph_and_time_and_is_absent_by_default():
    network = settled()
    block, x = network.blocks[1], torch.randn(2, 8, 16, 11)
    graph = block.graph(x)
    y = block.norm(
        F.conv2d(block.attention(graph), block.time.weight, block.time.bias, (2, 1), (4, 0))
    )
    torch.testing.assert_close(block(x), torch.relu(y + block.residual(x)))
    plain = {name for name, _ in AGCN(SHAPE, widths=[8, 16]).named_parameters()}
    extra = {name for name, _ in network.named_parameters()} - plain
    assert extra and all(".attention." in name for name in extra)


@pytest.mark.parametrize("form", ["agcn", "aagcn"])
def test_the_network_folded_for_scoring_keeps_its_attention(form):
    network = settled(form=form)
    x, mask = torch.randn(3, 3, 20, 11), (torch.rand(3, 20, 11) > 0.2).float()
    with torch.no_grad():
        reference = network(x, mask)
        torch.testing.assert_close(FoldedAGCN(network)(x, mask), reference, rtol=1e-5, atol=1e-5)
        halved = FoldedAGCN(network, torch.bfloat16)(x, mask)
    assert 0 < (halved - reference).abs().max() / reference.std() < 0.1
