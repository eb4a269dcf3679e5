"""What a network computes in: as the user says, or as the machine does faster; scoring as training."""

import numpy as np
import pytest
import torch

from semiology import UserError
from semiology.models.device import bf16_pays, chosen_precision, computing, fit_precision
from semiology.models.networks import Network
from semiology.models.training.clips import ClipSource
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.modules import StreamModule
from semiology.models.training.reading import Reading, Schedule
from semiology.models.training.trainer import fit, score


def test_a_precision_that_is_named_is_taken_and_another_word_is_refused():
    assert [chosen_precision(name) for name in ("32-true", "bf16-mixed")] == [
        "32-true",
        "bf16-mixed",
    ]
    with pytest.raises(
        UserError, match=r"schedule\.precision: 'half'; give auto, 32-true, bf16-mixed"
    ):
        Schedule(precision="half")


def test_auto_is_bf16_only_where_the_processor_has_it_and_stays_what_it_was():
    chosen = chosen_precision("auto", "cpu")
    assert (
        chosen
        == ("bf16-mixed" if bf16_pays("cpu") else "32-true")
        == chosen_precision("auto", "cpu")
    )
    assert fit_precision("auto", "cpu") == "bf16" or chosen == "32-true"


def test_layers_compute_in_bf16_inside_and_in_fp32_outside():
    layer, x = torch.nn.Linear(3, 2), torch.ones(1, 3)
    with computing("bf16-mixed", torch.device("cpu")):
        assert layer(x).dtype == torch.bfloat16
    with computing("32-true", torch.device("cpu")):
        assert layer(x).dtype == torch.float32


def test_a_network_scores_in_the_precision_that_it_was_trained_in(cohort):
    data = ClipDataModule(
        ClipSource(str(cohort), Reading(label="swing", window=16)), ["p0"], validation=0
    )
    network = Network("agcn", {"widths": [8, 16]})
    module = fit(
        StreamModule(network),
        data,
        Schedule(epochs=2, patience=None, precision="bf16-mixed"),
        seed=3,
    )
    assert module.precision == "bf16-mixed" and next(module.parameters()).dtype == torch.float32
    names, mixed = score(module, data)
    module.precision = "32-true"
    again, full = score(module, data)
    assert names == again == [clip.clip_id for clip in data.held_out]
    np.testing.assert_allclose(mixed.sum(axis=1), 1, atol=1e-6)
    assert not np.array_equal(mixed, full)  # other digits,
    np.testing.assert_allclose(mixed, full, atol=0.02)  # the same answer
