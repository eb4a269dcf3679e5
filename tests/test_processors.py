"""Gradients against double precision, on whatever processor the tests meet and as on one with AVX2
and nothing newer.
"""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import yaml

from semiology import load_skeleton
from semiology.cli.doctor import diagnose
from semiology.models.networks import Network, StreamShape
from semiology.models.networks.agcn import MANY, FrameConv
from semiology.models.networks.dropout import Dropout

ROOT = Path(__file__).resolve().parents[1]
SHAPE = StreamShape(2, load_skeleton("upper_body_11"), keypoint_channels=4, appearance_channels=6)
AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}
# of the gradient's norm: one ReLU that rounding carries over zero; a wrong sum is off by far more
CLOSE = 1e-3
SMALL = [  # of the tests, and smaller than anyone's
    {"stream": "agcn", "options": options}
    for options in (
        {"widths": [4, 8]},
        {"widths": [1, 2, 3]},
        {"widths": [4, 8], "kernel": 1},
        {"widths": [2, 16], "form": "aagcn"},
        {"widths": [8, 8, 16]},
        {"widths": [4, 8], "form": "aagcn", "attention": True},
    )
] + [
    {"stream": "ctrgcn", "options": {"widths": [4, 8]}},
    {"stream": "ctrgcn", "options": {"widths": [8, 8, 16], "kernel": 3}},
    {"stream": "transformer", "options": {"width": 8, "blocks": 1, "dropout": 0.0}},
    {"stream": "tcn", "options": {"width": 4, "blocks": 1}},
    {"stream": "gat", "options": {"width": 8, "blocks": 1}},
    {"stream": "segments", "options": {"kind": "lstm", "width": 3}},
]


def named(value: object) -> list[dict]:
    """Every network in a config."""
    if isinstance(value, list):
        return [found for entry in value for found in named(entry)]
    if not isinstance(value, dict):
        return []
    own = (
        [{"stream": value["stream"], "options": value.get("options", {})}]
        if "stream" in value
        else []
    )
    return own + [
        found for name, entry in value.items() if name != "options" for found in named(entry)
    ]


def shipped() -> list[dict]:
    """Every network of every config, each once; a Segments with its encoder."""
    found = [
        network
        for path in sorted((ROOT / "configs").glob("*.yaml"))
        for network in named(yaml.safe_load(path.read_text()))
    ]
    return [network for number, network in enumerate(found) if network not in found[:number]]


def gradient(network: torch.nn.Module, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Of the cross-entropy of two classes by turns, in one vector."""
    logits = network(values, mask)
    F.cross_entropy(logits, torch.arange(len(logits)) % 2).backward()
    return torch.cat(
        [weight.grad.flatten() for weight in network.parameters() if weight.grad is not None]
    ).double()


def off(how: dict) -> float:
    """Distance of a network's gradient to the same in double precision, as a share of its norm."""
    torch.manual_seed(0)
    network = Network(**how)(SHAPE)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Dropout | Dropout):
            layer.p = 0.0
    segments = (3,) if hasattr(network, "over_segments") else ()
    if network.reads[0] == "keypoints":
        values, mask = torch.randn(4, *segments, 4, 16, 11), torch.ones(4, *segments, 16, 11)
    else:
        values, mask = torch.randn(4, *segments, 6, 16), torch.ones(4, *segments, 16)
    exact = copy.deepcopy(network).double()
    expected = gradient(exact, values.double(), mask.double())
    return ((gradient(network, values, mask) - expected).norm() / expected.norm()).item()


def title(how: dict) -> str:
    options = "-".join(str(value) for value in how["options"].values())
    return f"{how['stream'].rpartition('.')[2]}-{options}".replace(" ", "")


@pytest.mark.parametrize("how", shipped() + SMALL, ids=title)
def test_a_gradient_is_that_of_double_precision(how):
    deep = (
        len(how["options"].get("widths", ())) == 10
    )  # rounding carries some of its many ReLUs over zero
    assert off(how) < (3e-2 if deep else CLOSE)


def test_the_configs_name_every_stream():
    assert {how["stream"].rpartition(".")[2] for how in shipped()} == {
        "agcn",
        "tcn",
        "gat",
        "ctrgcn",
        "transformer",
        "segments",
    }


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("channels", [3, MANY])
@pytest.mark.parametrize("kernel", [1, 5])
def test_a_convolution_over_frames_is_torchs_own(kernel, channels, stride):
    torch.manual_seed(0)
    layer = FrameConv(channels, 4, kernel, stride).double()
    values, other = (
        torch.arange(2 * channels * 15 * 3).view(2, channels, 15, 3).sin().double().requires_grad_()
        for _ in range(2)
    )
    found, expected = (
        layer(values),
        F.conv2d(other, layer.weight, layer.bias, (stride, 1), (kernel // 2, 0)),
    )
    assert found.shape == (2, 4, -(-15 // stride), 3)
    torch.testing.assert_close(found, expected)
    upstream = torch.randn_like(found)
    ours = torch.autograd.grad(found, [values, layer.weight, layer.bias], upstream)
    theirs = torch.autograd.grad(expected, [other, layer.weight, layer.bias], upstream)
    for one, another in zip(ours, theirs):
        torch.testing.assert_close(one, another)


def test_small_networks_train_on_a_processor_with_avx2_only():
    # a gradient that never ends is ended after a minute of processor time
    code = """
import resource
import torch
from test_processors import SMALL, off
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
assert torch.backends.cpu.get_cpu_capability() != "AVX512"
print(max(off(how) for how in SMALL for _ in range(5)))
"""
    environment = (
        os.environ | AVX2 | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < CLOSE


def test_doctor_names_what_the_processor_computes_with(monkeypatch):
    there = {"avx2": True, "avx512_f": False, "avx512_bf16": False, "amx_tile": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: there)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    (line,) = [line for line in diagnose()[0] if line.startswith("processor: ")]
    assert line.endswith(", AVX2; torch uses DEFAULT")
    there |= {"avx512_f": True, "amx_tile": True, "amx_bf16": True}
    (line,) = [line for line in diagnose()[0] if line.startswith("processor: ")]
    assert line.endswith(", AVX2, AVX-512, AMX, AMX bf16; torch uses DEFAULT")
