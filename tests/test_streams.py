"""The networks against a literal transcription of their equations, on tagged input."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from semiology import UserError, load_skeleton
from semiology.data.result import allowing
from semiology.models.networks import AGCN, TCN, Network, StreamShape
from semiology.models.networks.agcn import AdaptiveGraphConv
from semiology.models.networks.folded_agcn import FoldedAGCN, FoldedConv, is_fused
from semiology.models.networks.masks import masked_mean, strided_mask

SKELETON = load_skeleton("upper_body_11")
SHAPE = StreamShape(classes=2, skeleton=SKELETON, keypoint_channels=3, appearance_channels=5)


def randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """Weights large enough that every term of the equations matters (the published start makes most
    of them vanish).
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3 + 0.05)
    return module.double()


def literal_graph_conv(x: torch.Tensor, layer: AdaptiveGraphConv) -> torch.Tensor:
    """y[b,o,t,j] = sum_k sum_i sum_c W_k[o,c] x[b,c,t,i] (A_k + B_k + C_k)[i,j] + bias, written as
    the paper writes it, joint by joint.
    """
    batch, channels, time, joints = x.shape
    subsets, width, embedding = len(layer.fixed), layer.project.out_channels, layer.embedding
    weight = layer.project.weight.view(width, subsets, channels)
    theta_phi = layer.embed.weight.view(2, subsets, embedding, channels)
    bias = layer.embed.bias.view(2, subsets, embedding)
    outputs = []
    for b in range(batch):
        y = torch.zeros(width, time, joints, dtype=x.dtype)
        for k in range(subsets):
            theta = torch.einsum("ec,cti->eti", theta_phi[0, k], x[b]) + bias[0, k][:, None, None]
            phi = torch.einsum("ec,cti->eti", theta_phi[1, k], x[b]) + bias[1, k][:, None, None]
            similarity = torch.zeros(joints, joints, dtype=x.dtype)
            for i in range(joints):
                for j in range(joints):
                    similarity[i, j] = (theta[:, :, i] * phi[:, :, j]).sum() / (embedding * time)
            if layer.alpha is None:
                columns = [
                    torch.exp(similarity[:, j]) / torch.exp(similarity[:, j]).sum()
                    for j in range(joints)
                ]
                graph = layer.fixed[k] + layer.learned[k] + torch.stack(columns, dim=1)
            else:
                graph = layer.learned[k] + layer.alpha * torch.tanh(similarity)
            for j in range(joints):
                aggregated = sum(
                    graph[i, j] * x[b][:, :, i] for i in range(joints)
                )  # (channel, time)
                y[:, :, j] = y[:, :, j] + weight[:, k] @ aggregated
        outputs.append(y + layer.project.bias[:, None, None])
    stacked = torch.stack(outputs)
    mean = stacked.mean(dim=(0, 2, 3), keepdim=True)
    variance = ((stacked - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
    normed = (stacked - mean) / torch.sqrt(variance + layer.norm.eps) * layer.norm.weight[
        :, None, None
    ] + layer.norm.bias[:, None, None]
    return torch.relu(normed + layer.residual(x))


@pytest.mark.parametrize("form", ["agcn", "aagcn"])
@pytest.mark.parametrize("width", [3, 8])
def test_graph_convolution_equals_the_literal_equations_forward_and_gradient(form, width):
    layer = randomised(AdaptiveGraphConv(3, width, torch.from_numpy(SKELETON.partitions()), form))
    # tagged input: the value identifies batch, channel, time and joint, so that a scrambled layout
    # cannot pass
    x = torch.arange(2 * 3 * 4 * 11, dtype=torch.float64).view(2, 3, 4, 11) / 100 + torch.randn(
        2, 3, 4, 11, dtype=torch.float64
    )
    parameters = [p for p in layer.parameters()]
    fast, slow = layer(x), literal_graph_conv(x, layer)
    torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9)
    upstream = torch.randn_like(fast)
    for ours, literal in zip(
        torch.autograd.grad(fast, parameters, upstream),
        torch.autograd.grad(slow, parameters, upstream),
    ):
        torch.testing.assert_close(ours, literal, rtol=1e-7, atol=1e-8)


def test_a_fresh_graph_convolution_is_its_residual_and_its_learned_graph_starts_at_1e_6():
    layer = AdaptiveGraphConv(3, 3, torch.from_numpy(SKELETON.partitions()))
    x = torch.randn(2, 3, 8, 11)
    torch.testing.assert_close(
        layer(x), torch.relu(x), atol=1e-4, rtol=0
    )  # the last batch norm starts at 1e-6
    assert torch.all(layer.learned == 1e-6)


def permuted_skeleton(order: np.ndarray):
    from dataclasses import replace

    names = SKELETON.names
    return replace(SKELETON, joints={names[i]: SKELETON.joints[names[i]] for i in order})


@pytest.mark.parametrize("form", ["agcn", "aagcn"])
def test_permuting_joints_together_with_the_graph_permutes_nothing_in_the_output(form):
    order = np.random.default_rng(3).permutation(11)
    torch.manual_seed(0)
    network = AGCN(SHAPE, widths=[8, 8, 16], form=form).double()
    with torch.no_grad():
        for block in network.blocks:  # let the graph matter
            block.graph.norm.weight.fill_(1)
            block.graph.learned.add_(torch.randn(3, 11, 11) * 0.2)
    other = AGCN(StreamShape(2, permuted_skeleton(order), 3), widths=[8, 8, 16], form=form).double()
    state = network.state_dict()
    for name, value in state.items():
        if name.endswith("learned"):
            state[name] = value[:, order][:, :, order]
    for name in [name for name in state if name.endswith("graph.fixed")]:
        state[name] = other.state_dict()[name]  # the other skeleton's own
        torch.testing.assert_close(state[name], network.state_dict()[name][:, order][:, :, order])
    other.load_state_dict(state)
    x, mask = torch.randn(4, 3, 32, 11).double(), (torch.rand(4, 32, 11) > 0.2).double()
    torch.testing.assert_close(network(x, mask), other(x[..., order], mask[..., order]))


def settled(form: str = "agcn", widths=(8, 8, 16, 16)) -> AGCN:
    """A network whose batch norms have seen something and whose every term matters, in evaluation
    mode.
    """
    torch.manual_seed(1)
    network = AGCN(SHAPE, widths=widths, form=form)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "norm.weight" in name or "residual.1.weight" in name:
                parameter.uniform_(0.5, 1.5)
            elif "learned" in name or "bias" in name or "alpha" in name:
                parameter.add_(torch.randn_like(parameter) * 0.2)
        for _ in range(5):
            network(torch.randn(4, 3, 32, 11) * 2 + 1, torch.ones(4, 32, 11))
    return network.eval()


@pytest.mark.parametrize("form", ["agcn", "aagcn"])
def test_the_network_folded_for_scoring_has_the_same_output(form):
    network = settled(form)
    x, mask = torch.randn(3, 3, 32, 11), (torch.rand(3, 32, 11) > 0.2).float()
    with torch.no_grad():
        reference, folded = network(x, mask), FoldedAGCN(network)
        torch.testing.assert_close(folded(x, mask), reference, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(
            folded(x[:1, :, :20], mask[:1, :20]),
            network(x[:1, :, :20], mask[:1, :20]),
            rtol=1e-5,
            atol=1e-5,
        )
        # without oneDNN, as on a GPU: the same network in float64, and to the last digits
        network.double()
        torch.testing.assert_close(
            FoldedAGCN(network, torch.float64)(x.double(), mask.double()),
            network(x.double(), mask.double()),
        )


@pytest.mark.parametrize("fused", [True, False])
def test_the_network_folded_in_bf16_is_off_by_bf16s_digits(fused):
    network = settled()
    x, mask = torch.randn(16, 3, 32, 11), torch.ones(16, 32, 11)
    with torch.no_grad():
        reference, folded = network(x, mask), FoldedAGCN(network, torch.bfloat16)
        if not fused:
            for layer in folded.modules():
                if isinstance(layer, FoldedConv):
                    layer.packs = False
        found = folded(x, mask)
    assert found.dtype == torch.float32
    error = (found - reference).abs().max() / reference.std()
    assert 0 < error < 0.05  # eight bits of mantissa: 0.4 % a rounding, some tens of them in a row


def test_the_fused_convolution_is_used_where_it_is_available_and_in_types_that_it_has():
    assert is_fused(torch.float32) == torch.backends.mkldnn.is_available()
    assert not is_fused(torch.float64)


def test_a_kernel_that_would_shift_time_is_refused():
    with pytest.raises(UserError, match="AGCN: kernel 8; an odd number of frames"):
        Network("agcn", {"kernel": 8})(SHAPE)


def test_a_stack_of_networks_trains_as_each_by_itself():
    """Forward and gradients under torch.func.vmap over stacked parameters, batch norms in training
    mode.
    """
    networks = [settled(widths=(8, 16)).double().train() for _ in range(2)]
    with torch.no_grad():
        for parameter in networks[1].parameters():
            parameter.mul_(1.3)
    parameters, buffers = torch.func.stack_module_state(networks)
    x, mask = torch.randn(2, 3, 3, 16, 11).double(), torch.ones(2, 3, 16, 11).double()

    def loss(parameters, buffers, x, mask):
        return (
            torch.func.functional_call(networks[0], (parameters, buffers), (x, mask)) ** 2
        ).sum()

    together = torch.func.vmap(torch.func.grad(loss))(parameters, buffers, x, mask)
    for number, network in enumerate(networks):
        alone = torch.func.grad(loss)(
            dict(network.named_parameters()), dict(network.named_buffers()), x[number], mask[number]
        )
        for name, gradient in alone.items():
            torch.testing.assert_close(together[name][number], gradient, rtol=1e-7, atol=1e-9)


def test_the_published_network_has_ten_blocks_that_halve_time_at_the_fifth_and_eighth():
    network = AGCN(SHAPE)
    assert [block.time.out_channels for block in network.blocks] == [64] * 4 + [128] * 3 + [256] * 3
    assert [block.time.stride[0] for block in network.blocks] == [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]
    assert [block.time.kernel_size for block in network.blocks] == [(9, 1)] * 10
    # four blocks of 8 frames at full rate, then the fifth (still reading the full rate), two and
    # the eighth at half rate, two at a quarter
    assert network.receptive_field == 1 + 5 * 8 + 3 * 8 * 2 + 2 * 8 * 4


def test_a_change_outside_the_receptive_field_of_the_tcn_changes_nothing_there():
    network = TCN(SHAPE, width=6, blocks=3, dropout=0).double().eval()
    assert network.receptive_field == 15
    steps = []
    network.blocks[-1].register_forward_hook(lambda _module, _inputs, output: steps.append(output))
    x = torch.randn(1, 5, 40).double()
    changed = x.clone()
    changed[:, :, 20] += 1
    network(x, torch.ones(1, 40)), network(changed, torch.ones(1, 40))
    moved = (steps[0] - steps[1]).abs().sum(dim=(0, 1)) > 1e-12
    assert moved.nonzero().min() == 20 - 7 and moved.nonzero().max() == 20 + 7


def test_missing_frames_leave_the_features_alone():
    """A window padded with masked frames scores like the window alone, at the steps that no padding
    reaches.
    """
    x = torch.tensor([[[1.0, 2.0, 3.0, 100.0]]])
    assert masked_mean(x, torch.tensor([[1.0, 1.0, 1.0, 0.0]])).item() == 2.0
    assert masked_mean(x, torch.zeros(1, 4)).item() == 0.0
    assert strided_mask(torch.tensor([[1.0, 1, 0, 0, 0, 1, 0, 0]]), 4).tolist() == [
        [1.0, 0.0, 1.0, 0.0]
    ]
    network = AGCN(SHAPE, widths=[8]).eval()
    seen, mask = torch.randn(1, 3, 16, 11), torch.ones(1, 16, 11)
    mask[:, 8:] = 0
    garbage = seen.clone()
    garbage[:, :, 8:] = 1e3
    torch.testing.assert_close(network(seen * mask.unsqueeze(1), mask), network(garbage, mask))


def test_the_tcn_standardises_with_the_training_participants_statistics():
    network = TCN(SHAPE)
    network.standardise(torch.full((5,), 3.0), torch.tensor([2.0, 2.0, 2.0, 2.0, 0.0]))
    assert network.feature_std.tolist() == [
        2.0,
        2.0,
        2.0,
        2.0,
        1.0,
    ]  # a constant channel is not divided by zero
    assert {"feature_mean", "feature_std"} <= set(network.state_dict())


def test_wrong_shapes_and_options_are_refused_with_what_was_expected():
    with pytest.raises(ValueError, match=r"expected \(batch, 3, time, 11\), got \(2, 4, 16, 11\)"):
        AGCN(SHAPE, widths=[8])(torch.zeros(2, 4, 16, 11), torch.ones(2, 16, 11))
    with pytest.raises(ValueError, match=r"expected \(batch, 5, time\), got \(2, 6, 16\)"):
        TCN(SHAPE)(torch.zeros(2, 6, 16), torch.ones(2, 16))
    with pytest.raises(UserError, match="has no option depth; its options are widths, form"):
        Network("agcn", {"depth": 3})
    for path in ("semiology.streams.AGCN", "semiology.models.networks.agcn.AGCN"):
        with pytest.raises(UserError, match=rf"stream '{path}': write agcn$"):
            Network(path)
    with allowing(["torch.nn"]):  # a class of the user's own, by its path
        own = Network("torch.nn.Linear", {"out_features": 2})
    assert own(4).weight.shape == (2, 4)
    with pytest.raises(UserError, match=r"cannot be imported"):
        Network("semiology.models.networks.Nothing")
    with pytest.raises(UserError, match="hold no appearance features"):
        Network("tcn")(StreamShape(2, SKELETON, 3))


def test_softmax_runs_over_the_source_joint():
    layer = randomised(AdaptiveGraphConv(3, 8, torch.from_numpy(SKELETON.partitions())))
    x = torch.randn(2, 3, 4, 11).double()
    data_dependent = layer.adjacency(x) - layer.fixed - layer.learned
    torch.testing.assert_close(data_dependent.sum(dim=-2), torch.ones(2, 3, 11).double())
    assert F.relu(-data_dependent).sum() < 1e-12
