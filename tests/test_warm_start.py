"""A model that starts from another one's weights of the same fold (`warm`)."""

import json
from dataclasses import replace

import numpy as np
import pytest

import semiology
from semiology import UserError
from semiology.data.arrays import read_arrays
from semiology.evaluation.run.settings import Model, Protocol, Task
from semiology.experiments.fold import SINCE, key_settings
from semiology.experiments.loso import run_loso
from semiology.models.networks import Network
from semiology.models.training.reading import Reading, Schedule

AGCN, TCN = Network("agcn", {"widths": [8, 8]}), Network("agcn", {"widths": [4]})
QUICK = Schedule(epochs=2, patience=None, device="cpu")
STILL = Model(AGCN, schedule=QUICK, learning_rate=0.0)  # keeps the weights that it starts from
MODELS = {  # those that others start from come last, and are trained first
    "warm": replace(STILL, warm="agcn", teacher="other"),
    "cold": replace(STILL, teacher="other"),
    "other": Model(TCN, schedule=QUICK),
    "agcn": Model(AGCN, schedule=QUICK, learning_rate=0.01),
}


def protocol(cohort, models, named=()) -> Protocol:
    tasks = {"swing": Task(Reading("swing", window=32), named)}
    places = {"cohort": str(cohort), "out": str(cohort / "run")}
    return Protocol(**places, tasks=tasks, models=models, validation=0.0, final=False, keep=True)


def test_a_warm_model_starts_from_the_weights_of_its_own_fold(cohort):
    run_loso(protocol(cohort, MODELS, ("warm", "cold")))
    folds = sorted((cohort / "run/kept/swing/seed-0").iterdir())
    assert len(folds) == 6
    learned = []
    for fold in folds:
        weights = {
            name: read_arrays(fold / name / "weights.safetensors", "")
            for name in ("agcn", "warm", "cold")
        }
        names = [
            name for name in weights["agcn"] if "running" not in name and "batches" not in name
        ]
        for name in names:
            np.testing.assert_array_equal(weights["warm"][name], weights["agcn"][name])
        assert any((weights["cold"][name] != weights["agcn"][name]).any() for name in names)
        learned.append(weights["agcn"]["head.weight"])
    assert any((learned[0] != other).any() for other in learned[1:])  # and not of another fold


def test_what_its_first_weights_saw_stands_in_the_record(cohort):
    run_loso(protocol(cohort, MODELS))
    for path in (cohort / "run/folds").rglob("*.json"):
        models = json.loads(path.read_text())["models"]
        for fitted, clips in models["agcn"]["seen"].items():
            assert set(clips) <= set(models["warm"]["seen"][fitted])
    assert semiology.audit(cohort / "run").verdict == "passed"


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"warm": replace(STILL, warm="gone")}, "warm: 'gone' must be another model"),
        ({"warm": replace(STILL, warm="other"), "other": Model(TCN)}, "of the same network"),
        (
            {"warm": replace(STILL, warm="bones"), "bones": replace(STILL, channels=("bone",))},
            "of the same network, channels",
        ),
        (
            {
                "warm": replace(STILL, warm="first"),
                "first": replace(STILL, warm="agcn"),
                "agcn": STILL,
            },
            "without a teacher or a warm start",
        ),
        (
            {"a": replace(STILL, teacher="warm"), "warm": replace(STILL, warm="b"), "b": STILL},
            "without a teacher itself or a warm start",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(cohort, models, message):
    with pytest.raises(UserError, match=message):
        protocol(cohort, models)


def test_one_start_alone_is_named():
    with pytest.raises(UserError, match="warm: agcn and encoder: pretrained"):
        replace(STILL, warm="agcn", encoder="pretrained")


def test_runs_of_before_keep_their_folds():
    assert SINCE["warm"] == (None,)
    assert "warm" not in key_settings(STILL)
    assert key_settings(replace(STILL, warm="agcn"))["warm"] == "agcn"
