"""A run that is stopped keeps every trained model, says so, and goes on to the same predictions."""

import json
from types import SimpleNamespace

import pytest
from audit_leaks import AGCN, TCN, add_features, moving_cohort

from semiology.cli.main import main
from semiology.evaluation.run.settings import Model, Protocol, Split, Task
from semiology.evaluation.statistics.calibration import Calibration
from semiology.experiments import training
from semiology.experiments.fold import Fold
from semiology.experiments.loso import run_loso
from semiology.experiments.training import task_parts
from semiology.models.networks import Network
from semiology.models.training import trainer
from semiology.models.training.reading import Reading, Schedule

TASK = "swing (pose)"
MODELS_A_FOLD = 2 + 2 * 2  # teacher and student, and both in each of two inner folds
QUICK = Schedule(epochs=2, patience=1, device="cpu")


def protocol(cohort, out, **changes) -> Protocol:
    """Two folds and final models, with all that is fitted: a teacher, standardisation, early
    stopping, a calibration on inner folds.
    """
    usual = {
        "cohort": str(cohort),
        "store": str(cohort / "store"),
        "out": str(out),
        "tasks": {TASK: Task(Reading("swing", window=16, appearance="body_vgg"))},
        "models": {
            "tcn": Model(TCN, schedule=QUICK),
            "agcn": Model(AGCN, teacher="tcn", schedule=QUICK),
        },
        "split": Split("grouped", folds=2),
        "validation": 0.34,
        "calibration": Calibration("temperature", folds=2, coverage=0.7),
    }
    return Protocol(**{**usual, **changes})


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A cohort with its store, and a run on it that nobody stopped."""
    folder = tmp_path_factory.mktemp("undisturbed")
    cohort = moving_cohort(folder / "cohort", seconds=2.0)
    add_features(cohort, cohort / "store")
    run_loso(protocol(cohort, folder / "run"))
    return cohort, folder / "run"


def stop_after(monkeypatch, models: int, how=KeyboardInterrupt) -> None:
    """Make training stop at the model after so many."""
    fit, trained = training.fit, []

    def stopping(*arguments):
        if len(trained) == models:
            raise how
        trained.append(fit(*arguments))
        return trained[-1]

    monkeypatch.setattr(training, "fit", stopping)


def count_trainings(monkeypatch) -> list[str]:
    """A list that grows by one for each network that is really trained."""
    honest, trained = trainer.settle_norms, []
    monkeypatch.setattr(
        trainer, "settle_norms", lambda *a: (trained.append(a[0].make_network.stream), honest(*a))
    )
    return trained


def written(run) -> dict[str, bytes]:
    """What a run predicts and the weights that it leaves, and its folds less their seconds."""
    files = [run / "predictions.csv", *sorted(run.glob("models/**/*.safetensors"))]
    content = {path.relative_to(run).as_posix(): path.read_bytes() for path in files}
    for path in sorted(run.glob("folds/**/*.json")):
        record = json.loads(path.read_text())
        for changing in ("seconds", "xxh3_128"):
            record.pop(changing)
        for model in record["models"].values():
            model.pop("seconds", None)
        content[path.relative_to(run).as_posix()] = json.dumps(record).encode()
    return content


@pytest.mark.parametrize("models", [1, 3, MODELS_A_FOLD + 1, 2 * MODELS_A_FOLD + 1])
def test_a_run_stopped_after_some_models_trains_only_the_others(
    undisturbed, tmp_path, monkeypatch, models
):
    cohort, whole = undisturbed
    settings = protocol(cohort, tmp_path / "run")
    with monkeypatch.context() as patched:
        stop_after(patched, models)
        with pytest.raises(KeyboardInterrupt) as stopped:
            run_loso(settings)
    folds = min(models // MODELS_A_FOLD, 2)
    assert str(stopped.value).startswith(
        f"{folds} of 2 folds are complete, {models - folds * MODELS_A_FOLD} more trained models"
    )
    trained = count_trainings(monkeypatch)
    run_loso(settings)
    assert len(trained) == 2 * MODELS_A_FOLD + 2 - models
    assert written(tmp_path / "run") == written(whole)
    assert not (tmp_path / "run/work").exists()


def test_a_kept_model_that_is_damaged_is_trained_again(undisturbed, tmp_path, monkeypatch):
    cohort, whole = undisturbed
    settings = protocol(cohort, tmp_path / "run")
    with monkeypatch.context() as patched:
        stop_after(patched, 2)
        with pytest.raises(KeyboardInterrupt):
            run_loso(settings)
    kept = next((tmp_path / "run/work").rglob("agcn.safetensors"))
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)
    trained = count_trainings(monkeypatch)
    run_loso(settings)
    assert len(trained) == 2 * MODELS_A_FOLD + 2 - 1
    assert written(tmp_path / "run") == written(whole)


def test_a_model_of_other_settings_is_not_taken_up(undisturbed, tmp_path, monkeypatch):
    cohort, _ = undisturbed
    settings = protocol(cohort, tmp_path / "run", final=False)
    with monkeypatch.context() as patched:
        stop_after(patched, 3)
        with pytest.raises(KeyboardInterrupt):
            run_loso(settings)
    fold = Fold(TASK, 0, task_parts(settings, TASK, 0)[0])
    others = protocol(cohort, tmp_path / "run", batch_size=4)
    assert fold.work(settings, tmp_path / "run").is_dir()
    assert not fold.work(others, tmp_path / "run").is_dir()


def test_ctrl_c_says_what_was_kept(undisturbed, tmp_path, monkeypatch, capsys):
    cohort, _ = undisturbed
    verbs = "semiology.cli.experiments"
    monkeypatch.setattr(f"{verbs}._loso_options", lambda _: SimpleNamespace(estimate=False))
    monkeypatch.setattr(f"{verbs}._protocol_of", lambda _: protocol(cohort, tmp_path / "run"))
    stop_after(monkeypatch, 2)
    assert main(["loso"]) == 130
    kept = (
        "stopped; 0 of 2 folds are complete, 2 more trained models are kept, and the same command"
    )
    assert kept in capsys.readouterr().err
    assert len(list((tmp_path / "run/work").rglob("*.safetensors"))) == 2


def test_models_that_are_fitted_at_once_are_kept_too(undisturbed, tmp_path, monkeypatch):
    cohort, _ = undisturbed
    linear = Network("estimator", {"inner": 2})
    models = {
        "of joints": Model(linear, channels=("joint",)),
        "of motion": Model(linear, channels=("motion",)),
        "agcn": Model(AGCN, schedule=QUICK),
    }
    usual = {
        "tasks": {TASK: Task(Reading("swing", window=16))},
        "models": models,
        "calibration": Calibration(),
        "final": False,
    }
    whole, settings = (protocol(cohort, tmp_path / name, **usual) for name in ("whole", "run"))
    run_loso(whole)
    with monkeypatch.context() as patched:
        stop_after(patched, 0)
        with pytest.raises(KeyboardInterrupt, match="2 more trained models are kept"):
            run_loso(settings)
    solve, solved = training.solve, []
    monkeypatch.setattr(
        training, "solve", lambda module, *rest: (solved.append(module), solve(module, *rest))
    )
    run_loso(settings)
    assert len(solved) == 2  # those of the second fold
    assert written(tmp_path / "run") == written(tmp_path / "whole")
