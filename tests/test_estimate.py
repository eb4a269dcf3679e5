"""What `semiology loso --estimate` counts and says."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from test_configs import tiny_cohort

from semiology.cli.experiments import read_protocol
from semiology.cli.main import main
from semiology.experiments import training_cost
from semiology.experiments.estimate import Estimate, ModelCost, estimate
from semiology.experiments.loso import plan_run, run_loso
from semiology.experiments.training_cost import Took, Training, epoch_range
from semiology.models.training.reading import Schedule

PEOPLE = 6


@pytest.fixture
def config(tmp_path) -> Path:
    """Two models, of which one is calibrated on two inner folds, and a student; two seeds."""
    agcn = {"network": {"stream": "agcn", "options": {"widths": [4]}}}
    agcn["schedule"] = {"epochs": 5, "patience": 1, "device": "cpu"}
    tcn = {"network": {"stream": "tcn", "options": {"width": 4, "blocks": 1}}}
    tcn["schedule"] = {"epochs": 2, "patience": None, "device": "cpu"}
    reading = {"label": "sign", "appearance": "body_vgg", "window": 16, "windows": 1, "rate": 25}
    settings = {
        "cohort": str(tmp_path),
        "store": str(tmp_path / "store"),
        "out": str(tmp_path / "run"),
        "tasks": {"sign": {"reading": reading}},
        "models": {"agcn": agcn, "tcn": tcn, "kd": {**agcn, "teacher": "tcn"}},
        "calibration": {"method": "temperature", "folds": 2, "models": ["agcn"]},
        "seeds": [0, 1],
        "jobs": 1,
    }
    path = tmp_path / "config.yml"
    path.write_text(yaml.safe_dump(settings))
    readings = [task.reading for task in read_protocol(["--config", str(path)]).tasks.values()]
    tiny_cohort(tmp_path, readings, PEOPLE)
    return path


def test_the_trainings_are_counted(config, monkeypatch):
    """6 people x 2 seeds and a final model: 13 of each; the calibrated one twice more a fold."""
    monkeypatch.setattr(training_cost, "SECONDS", 0.0)
    protocol = read_protocol(["--config", str(config)])
    found = estimate(protocol)
    assert {cost.model: cost.trainings for cost in found.models} == {
        "agcn": 13 + 24,
        "tcn": 13,
        "kd": 13,
    }
    assert {cost.model: cost.whole for cost in found.models}["agcn"] == 13 + 24 / 2
    assert (found.folds, found.inner, found.done) == ({"sign": 12}, {"sign": 2}, 0)
    assert {cost.model: cost.each.epochs for cost in found.models} == {
        "agcn": (2, 5),
        "tcn": (2, 2),
        "kd": (2, 5),
    }
    assert all(0 < low <= high for low, high in (found.core_hours, found.wall_hours))
    assert "63 trainings are left, 0 folds are complete" in found.text()
    assert not (config.parent / "run").exists()  # nothing is kept


def test_what_is_done_is_not_counted_again_and_tells_its_epochs(config, capsys, monkeypatch):
    monkeypatch.setattr(training_cost, "SECONDS", 0.0)
    protocol = replace(read_protocol(["--config", str(config)]), seeds=(0,), final=False)
    run_loso(protocol)
    assert plan_run(protocol).todo == []
    done = ["loso", "--config", str(config), "--seeds", "[0]", "--final", "false", "--estimate"]
    assert main(done) == 0
    assert "0 trainings are left, 6 folds are complete" in capsys.readouterr().out
    more = estimate(replace(protocol, seeds=(0, 1)))
    assert more.folds == {"sign": 6} and more.done == 6
    so_far = {cost.model: cost.so_far for cost in more.models}
    assert so_far["tcn"] == 2 and 2 <= so_far["agcn"] <= 5


def test_early_stopping_leaves_a_training_its_first_epoch_and_the_patience():
    assert epoch_range(Schedule(60, 15), stops=True) == (16, 60)
    assert epoch_range(Schedule(10, 15), stops=True) == (10, 10)
    assert epoch_range(Schedule(60, 15), stops=False) == (60, 60)


def test_hours_are_trainings_times_seconds_over_those_that_run_at_once():
    """100 trainings of 36 and 72 s on four processes of one thread: 1 and 2 core hours."""
    each = Training(Took(0.1, 0.1), (10, 20), Took(36, 36), Took(72, 72))
    cost = ModelCost("sign", "agcn", 100, 100.0, each, None)
    found = Estimate([cost], {"sign": 100}, {"sign": 0}, 0, {}, 36.0, 4, 1, 1.5, 0.0, "cpu")
    assert found.core_hours == (1.0, 2.0)
    assert found.wall_hours == pytest.approx((0.26, 0.51))  # and 36 s of reading
    text = found.text()
    assert "at most 2.0 hours of cores, 31 minutes of the clock with 4 at a time" in text
    assert "1.5 GiB a process, 6.0 GiB for 4" in text
