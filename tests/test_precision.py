"""What a network computes in and on: the words of configs, and scoring as in training."""

import numpy as np
import pytest
import torch

from semiology import UserError
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


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, "fp32"),
        ({"avx2": True, "avx512_bf16": True, "amx_bf16": False}, "bf16"),
    ],
)
def test_auto_is_bf16_only_where_the_processor_has_it(monkeypatch, capabilities, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert choose_precision("auto", "cpu") == precision


@pytest.mark.parametrize(("there", "device"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_a_gpu_where_there_is_one(monkeypatch, there, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert choose_device("auto") == device and choose_device("cpu") == "cpu"


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="no GPU that torch can use"):
        choose_device("cuda")
    with pytest.raises(UserError, match=r"schedule\.device: no device is called 'gpu'"):
        Schedule(device="gpu")


def test_layers_compute_in_bf16_inside_and_in_fp32_outside():
    layer, x = torch.nn.Linear(3, 2), torch.ones(1, 3)
    with computing("bf16", torch.device("cpu")):
        assert layer(x).dtype == torch.bfloat16
    with computing("fp32", torch.device("cpu")):
        assert layer(x).dtype == torch.float32


def test_a_network_scores_in_the_precision_that_it_was_trained_in(cohort):
    data = ClipDataModule(
        ClipSource(str(cohort), Reading(label="swing", window=16)), ["p0"], validation=0
    )
    network = Network("agcn", {"widths": [8, 16]})
    module = fit(
        StreamModule(network),
        data,
        Schedule(epochs=2, patience=None, precision="bf16"),
        seed=3,
    )
    assert module.precision == "bf16" and next(module.parameters()).dtype == torch.float32
    names, mixed = score(module, data)
    module.precision = "fp32"
    again, full = score(module, data)
    assert names == again == [clip.clip_id for clip in data.held_out]
    np.testing.assert_allclose(mixed.sum(axis=1), 1, atol=1e-6)
    assert not np.array_equal(mixed, full)  # other digits,
    np.testing.assert_allclose(mixed, full, atol=0.02)  # the same answer
