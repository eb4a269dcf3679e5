"""On what device and in which precision a network computes: the words of configs, and scoring as in
training.

bfloat16 has 8 significant bits: of the whole numbers above 256 it holds every second one, and 257
becomes 256. fp32 holds 257.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from semiology import UserError
from semiology.models import device
from semiology.models.device import choose_device, choose_precision, computing
from semiology.models.networks import Network
from semiology.models.training.clips import ClipSource
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.modules import StreamModule
from semiology.models.training.reading import Reading, Schedule
from semiology.models.training.trainer import fit, score


def test_a_precision_that_is_named_is_taken_and_another_word_is_refused():
    assert [choose_precision(name, "cpu") for name in ("fp32", "bf16")] == ["fp32", "bf16"]
    with pytest.raises(UserError, match=r"schedule\.precision: 'half'; give auto, fp32, bf16"):
        Schedule(precision="half")


@pytest.mark.parametrize(("former", "word"), [("32-true", "fp32"), ("bf16-mixed", "bf16")])
def test_the_words_of_lightning_are_refused_with_the_word_to_write(former, word):
    with pytest.raises(UserError, match=rf"schedule\.precision: '{former}' is called {word} here"):
        Schedule(precision=former)


# what torch.cpu.get_capabilities() answers, in part, on processors whose makers state their
# instruction sets
HASWELL = {"cpu_name": "Intel Core i7-4770", "avx2": True, "avx512_f": False, "avx512_bf16": False}
SKYLAKE = {"cpu_name": "Intel Xeon 8180", "avx2": True, "avx512_f": True, "avx512_bf16": False}
COOPER_LAKE = {"cpu_name": "Intel Xeon 8380H", "avx512_bf16": True, "amx_bf16": False}
SAPPHIRE_RAPIDS = {"cpu_name": "Intel Xeon 8480+", "avx512_bf16": True, "amx_bf16": True}
ZEN3 = {"cpu_name": "AMD EPYC 7763", "avx2": True, "avx512_bf16": False}
ZEN4 = {"cpu_name": "AMD EPYC 9654", "avx2": True, "avx512_bf16": True, "amx_bf16": False}
GRAVITON2 = {"cpu_name": "AWS Graviton2", "neon": True, "bf16": False}
GRAVITON3 = {"cpu_name": "AWS Graviton3", "neon": True, "bf16": True}


@pytest.mark.parametrize("processor", [HASWELL, SKYLAKE, ZEN3, GRAVITON2])
def test_auto_is_fp32_on_processors_without_bf16(monkeypatch, processor):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor)
    assert choose_precision("auto", "cpu") == "fp32"


@pytest.mark.parametrize("processor", [COOPER_LAKE, SAPPHIRE_RAPIDS, ZEN4, GRAVITON3])
def test_auto_is_bf16_on_processors_that_have_it(monkeypatch, processor):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor)
    assert choose_precision("auto", "cpu") == "bf16"


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="only Linux lists the instructions")
def test_auto_is_what_the_kernel_says_of_this_processor():
    words = set(Path("/proc/cpuinfo").read_text().split())
    has = {"avx512_bf16", "amx_bf16", "bf16"} & words
    assert choose_precision("auto", "cpu") == ("bf16" if has else "fp32")


@pytest.mark.parametrize(
    ("gpu", "compute_capability", "precision"),
    [
        ("T4", 7, "fp32"),  # torch would emulate bf16 there
        ("V100", 7, "fp32"),
        ("A100", 8, "bf16"),
        ("H200", 9, "bf16"),
    ],
)
def test_auto_on_a_gpu_is_bf16_from_compute_capability_8(
    monkeypatch, gpu, compute_capability, precision
):
    properties = SimpleNamespace(name=gpu, major=compute_capability)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda _: True)
    assert choose_precision("auto", "cuda") == precision == choose_precision("auto")


@pytest.mark.parametrize(("there", "device"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_a_gpu_where_there_is_one(monkeypatch, there, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert choose_device("auto") == device and choose_device("cpu") == "cpu"


def test_a_network_fits_on_the_device_that_auto_chooses():
    assert torch.ones(2, device=choose_device("auto")).sum() == 2


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no GPU that torch can use"):
        choose_device("cuda")
    with pytest.raises(UserError, match=r"schedule\.device: no device is called 'gpu'"):
        Schedule(device="gpu")


@pytest.mark.parametrize(("precision", "result"), [("fp32", 257), ("bf16", 256)])
def test_layers_round_as_the_precision_does(precision, result):
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(layer.weight)
    with computing(precision, torch.device("cpu")):
        assert layer(torch.tensor([[257.0]])).item() == result
    assert layer(torch.tensor([[257.0]])).item() == 257  # outside
    assert layer.weight.dtype == torch.float32


def trained(cohort, network: Network, precision: str):
    data = ClipDataModule(
        ClipSource(str(cohort), Reading(label="swing", window=16)), ["p0"], validation=0
    )
    schedule = Schedule(epochs=2, patience=None, device="cpu", precision=precision)
    return fit(StreamModule(network), data, schedule, seed=3), data


@pytest.mark.parametrize(
    "network",
    [
        Network("agcn", {"widths": [8, 16]}),
        Network("agcn", {"widths": [8, 16], "form": "aagcn", "attention": True}),
        Network("ctrgcn", {"widths": [8, 16]}),
        Network("transformer", {"width": 16, "blocks": 1}),
        Network("gat", {"width": 8, "blocks": 1, "heads": 2}),
    ],
    ids=lambda network: network.stream,
)
def test_a_network_scores_in_the_precision_that_it_was_trained_in(cohort, network):
    module, data = trained(cohort, network, "bf16")
    assert module.precision == "bf16"
    assert {weight.dtype for weight in module.parameters()} == {torch.float32}
    names, mixed = score(module, data)
    module.precision = "fp32"
    again, full = score(module, data)
    assert names == again == [clip.clip_id for clip in data.held_out]
    np.testing.assert_allclose(mixed.sum(axis=1), 1, atol=1e-6)
    assert not np.array_equal(mixed, full)  # other digits,
    np.testing.assert_allclose(mixed, full, atol=0.02)  # the same answer


def test_training_computes_in_the_precision_that_is_named(cohort):
    network = Network("agcn", {"widths": [8, 16]})
    (full, _), (again, _), (mixed, _) = (
        trained(cohort, network, precision) for precision in ("fp32", "fp32", "bf16")
    )
    for one, two, three in zip(full.parameters(), again.parameters(), mixed.parameters()):
        assert torch.equal(one, two)
        torch.testing.assert_close(one, three, atol=0.05, rtol=0.05)
    assert not all(map(torch.equal, full.parameters(), mixed.parameters()))


@pytest.mark.parametrize(("bf16", "pays"), [(1.6e12, True), (1.4e12, False)])
def test_training_takes_bf16_only_where_it_is_measured_to_pay(monkeypatch, bf16, pays):
    """At 1 TFLOP/s in fp32, half as much again is the least."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: SAPPHIRE_RAPIDS)
    rates = {torch.bfloat16: bf16, torch.float32: 1e12}
    monkeypatch.setattr(device, "product_rate", lambda dtype, where: rates[dtype])
    device.bf16_pays.cache_clear()
    assert device.bf16_pays("cpu") is pays
    device.bf16_pays.cache_clear()
