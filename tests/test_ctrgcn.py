"""CTR-GCN against a literal transcription of its equations, and what the mask leaves out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from semiology import UserError, load_skeleton
from semiology.models.networks import CTRGCN, Network, StreamShape
from semiology.models.networks.ctrgcn import Pointwise, RefinedGraphConv, ScaledTimeConv

SKELETON = load_skeleton("upper_body_11")
SHAPE = StreamShape(classes=2, skeleton=SKELETON, keypoint_channels=3)


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    """Weights with which every term of the equations matters."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3 + 0.05)
    return module.double()


def normed(y: torch.Tensor, norm: torch.nn.BatchNorm2d, channels: slice = slice(None)):
    """Batch norm in training mode, of some of its channels."""
    mean = y.mean(dim=(0, 2, 3), keepdim=True)
    variance = ((y - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
    scale, shift = norm.weight[channels, None, None], norm.bias[channels, None, None]
    return (y - mean) / torch.sqrt(variance + norm.eps) * scale + shift


def literal_graph_conv(x: torch.Tensor, layer: RefinedGraphConv) -> torch.Tensor:
    """The paper's equations for x (batch, channel, joint, time), joint by joint and channel by
    channel.
    """
    batch, channels, joints, time = x.shape
    width, relations, subsets = layer.norm.num_features, layer.relations, layer.subsets
    compare = layer.compare.weight.view(2, subsets, relations, channels)
    shift = layer.compare.bias.view(2, subsets, relations)
    project = layer.project.weight.view(width, subsets, channels)
    outputs = []
    for b in range(batch):
        mean = sum(x[b, :, :, t] for t in range(time)) / time  # (channel, joint)
        y = layer.project.bias.new_zeros(width, joints, time)
        for k in range(subsets):
            values = torch.einsum("oc,cvt->ovt", project[:, k], x[b])
            values = values + layer.project.bias.view(width, subsets)[:, k, None, None]
            for u in range(joints):
                for v in range(joints):
                    m = compare[0, k] @ mean[:, u] + shift[0, k]
                    n = compare[1, k] @ mean[:, v] + shift[1, k]
                    refined = layer.refine[k, :, :-1] @ torch.tanh(m - n) + layer.refine[k, :, -1]
                    graph = layer.learned[k, u, v] + layer.alpha * refined  # (channel)
                    y[:, u] = y[:, u] + graph[:, None] * values[:, v]
        outputs.append(y)
    return torch.relu(normed(torch.stack(outputs), layer.norm) + layer.residual(x))


@pytest.mark.parametrize("width", [3, 8])
def test_graph_convolution_equals_the_literal_equations_forward_and_gradient(width):
    layer = randomised(RefinedGraphConv(3, width, torch.from_numpy(SKELETON.partitions())))
    # tagged input: the value identifies batch, channel, joint and time
    x = torch.arange(2 * 3 * 11 * 4, dtype=torch.float64).view(2, 3, 11, 4) / 100
    x = x + torch.randn(x.shape, dtype=torch.float64)
    parameters = list(layer.parameters())
    fast, slow = layer(x), literal_graph_conv(x, layer)
    torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9)
    upstream = torch.randn_like(fast)
    for ours, literal in zip(
        torch.autograd.grad(fast, parameters, upstream),
        torch.autograd.grad(slow, parameters, upstream),
    ):
        torch.testing.assert_close(ours, literal, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_over_time_equals_the_literal_four_views(stride):
    layer = randomised(ScaledTimeConv(8, 5, stride))
    x = torch.randn(2, 8, 3, 9, dtype=torch.float64)
    steps = range(0, 9, stride)
    views = []
    for branch in range(4):
        own = slice(2 * branch, 2 * branch + 2)
        weight, bias = layer.project.weight[own, :, 0, 0], layer.project.bias[own]
        z = torch.einsum("oc,bcvt->bovt", weight, x) + bias[:, None, None]
        if branch == 3:
            views.append(torch.stack([z[..., t] for t in steps], dim=3))
            continue
        z = torch.relu(normed(z, layer.projected, own))
        if branch == 2:
            largest = [z[..., max(t - 1, 0) : t + 2].amax(3) for t in steps]
            views.append(torch.stack(largest, dim=3))
            continue
        convolve, frames = layer.convolutions[branch], []
        for t in steps:
            total = convolve.bias[:, None].expand(2, 2, 3)
            for tap in range(5):
                source = t + (tap - 2) * (branch + 1)  # dilation 1 and 2
                if 0 <= source < 9:
                    kernel = convolve.weight[:, :, 0, tap]
                    total = total + torch.einsum("oc,bcv->bov", kernel, z[..., source])
            frames.append(total)
        views.append(torch.stack(frames, dim=3))
    torch.testing.assert_close(layer(x), normed(torch.cat(views, dim=1), layer.norm))


def test_one_product_a_clip_is_the_convolution_of_single_joints_and_frames():
    torch.manual_seed(0)
    layer, x = Pointwise(3, 5).double(), torch.randn(2, 3, 11, 7).double().requires_grad_()
    ours, torchs = layer(x), F.conv2d(x, layer.weight, layer.bias)
    torch.testing.assert_close(ours, torchs)
    for parameter in (x, layer.weight, layer.bias):
        (own,) = torch.autograd.grad((ours**2).sum(), parameter, retain_graph=True)
        (reference,) = torch.autograd.grad((torchs**2).sum(), parameter, retain_graph=True)
        torch.testing.assert_close(own, reference)


def test_a_fresh_graph_convolution_is_its_residual_with_the_skeletons_graph():
    layer = RefinedGraphConv(4, 4, torch.from_numpy(SKELETON.partitions()))
    x = torch.randn(2, 4, 11, 8)
    torch.testing.assert_close(layer(x), torch.relu(x), atol=1e-4, rtol=0)
    graphs = layer.graphs(x)  # alpha is 0: the same for every clip and channel
    given = torch.from_numpy(SKELETON.partitions()).transpose(0, 1)
    torch.testing.assert_close(graphs, given.expand(2, 4, 11, 3, 11))


def settled(shape: StreamShape = SHAPE, **options) -> CTRGCN:
    """A network whose every term matters and whose batch norms have seen something."""
    torch.manual_seed(1)
    network = CTRGCN(shape, **{"widths": [8, 8, 16], **options})
    with torch.no_grad():
        for block in network.blocks:
            block.graph.norm.weight.fill_(1)
            block.graph.alpha.fill_(0.5)
            block.graph.learned.add_(torch.randn_like(block.graph.learned) * 0.2)
        for _ in range(5):
            network(
                torch.randn(4, shape.keypoint_channels, 16, network.joints),
                torch.ones(4, 16, network.joints),
            )
    return network.eval()


def test_permuting_joints_together_with_the_graph_permutes_nothing_in_the_output():
    order = np.random.default_rng(3).permutation(11)
    names = SKELETON.names
    skeleton = replace(SKELETON, joints={names[i]: SKELETON.joints[names[i]] for i in order})
    network = settled().double()
    other = CTRGCN(StreamShape(2, skeleton, 3), widths=[8, 8, 16]).double().eval()
    state = network.state_dict()
    for name, value in state.items():
        if name.endswith("learned"):
            state[name] = value[:, order][:, :, order]
        elif name.startswith("norm") and value.ndim:
            state[name] = value.view(11, 3)[order].flatten()
    other.load_state_dict(state)
    x, mask = torch.randn(4, 3, 17, 11).double(), (torch.rand(4, 17, 11) > 0.2).double()
    torch.testing.assert_close(network(x, mask), other(x[..., order], mask[..., order]))


def test_what_stands_under_a_zero_mask_is_not_read():
    network = settled()
    x, mask = torch.randn(2, 3, 16, 11), torch.ones(2, 16, 11)
    mask[0, 9:], mask[1, :, 4] = 0, 0
    garbage = torch.where(mask.unsqueeze(1) > 0, x, torch.full_like(x, 1e3))
    torch.testing.assert_close(network(x, mask), network(garbage, mask))


def test_frames_without_any_joint_do_not_count_in_the_mean():
    network = settled(widths=[8])
    steps = []
    network.blocks[0].register_forward_hook(lambda _module, _inputs, output: steps.append(output))
    x, mask = torch.randn(1, 3, 16, 11), torch.ones(1, 16, 11)
    mask[:, 10:] = 0
    vector = network.forward_features(x, mask)
    torch.testing.assert_close(vector, steps[0][:, :, :10].mean(dim=(2, 3)))


def test_clips_of_a_batch_are_independent():
    network = settled()
    x, mask = torch.randn(4, 3, 16, 11), torch.ones(4, 16, 11)
    apart = torch.cat([network(x[[clip]], mask[[clip]]) for clip in range(4)])
    torch.testing.assert_close(network(x, mask), apart)


@pytest.mark.parametrize("name, joints", [("kinect_20", 20), ("face_23", 23), ("left_arm_4", 4)])
def test_every_skeleton_trains_and_every_parameter_has_a_gradient(name, joints):
    network = settled(StreamShape(5, load_skeleton(name), 4)).train()
    logits = network(torch.randn(3, 4, 15, joints), torch.ones(3, 15, joints))
    assert logits.shape == (3, 5)
    (logits**2).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


def test_a_change_outside_the_receptive_field_changes_nothing_there():
    network = settled(widths=[8, 8]).double()
    with torch.no_grad():
        for block in network.blocks:  # the refined graph sees all frames
            block.graph.alpha.zero_()
    assert network.receptive_field == 1 + 2 * 8
    steps = []
    network.blocks[-1].register_forward_hook(lambda _module, _inputs, output: steps.append(output))
    x, mask = torch.randn(1, 3, 40, 11).double(), torch.ones(1, 40, 11).double()
    changed = x.clone()
    changed[:, :, 20] += 1
    network(x, mask), network(changed, mask)
    moved = (steps[0] - steps[1]).abs().sum(dim=(0, 1, 3)) > 1e-12
    assert moved.nonzero().min() == 20 - 8 and moved.nonzero().max() == 20 + 8


def test_the_published_network_has_the_papers_parameters(tmp_path):
    """1.46 million, Chen et al. 2021: 25 joints in 3D, the 120 classes of NTU RGB+D 120."""
    joints = [f"joint_{number}" for number in range(25)]
    edges = [[joint, "joint_0"] for joint in joints[1:]]
    path = tmp_path / "star.yaml"
    path.write_text(
        f"{{name: star, part: body, joints: {joints}, edges: {edges}, root: joint_0,"
        " origin: [joint_0], scale: [joint_0, joint_1]}"
    )
    network = CTRGCN(StreamShape(120, load_skeleton(path), 3))
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 2) == 1.46
    assert [block.stride for block in network.blocks] == [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]


def test_options_and_shapes_that_do_not_fit_are_refused():
    for options in ({"widths": [8, 10]}, {"kernel": 4}):
        with pytest.raises(UserError, match="kernel must be odd and every width a multiple of 4"):
            Network("ctrgcn", options)(SHAPE)
    with pytest.raises(UserError, match="CTRGCN: the data hold no keypoints"):
        Network("ctrgcn")(replace(SHAPE, keypoint_channels=0))
    with pytest.raises(ValueError, match=r"CTRGCN: expected \(batch, 3, time, 11\)"):
        settled()(torch.zeros(1, 2, 8, 11), torch.ones(1, 8, 11))
