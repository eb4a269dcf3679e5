"""The display of a cross-validation: what it counts, and how much it writes."""

import os

import joblib
import pytest
from tqdm import tqdm

from semiology.experiments import progress
from semiology.experiments.progress import RunProgress
from semiology.parallel import Workers, run_parallel


@pytest.fixture
def work(tmp_path):
    """One fold of six models with three trained, one of them in an inner fold, and one in training
    at epoch 6 of 12; and a folder of another protocol.
    """
    for name in (
        "a/tcn.safetensors",
        "a/agcn.safetensors",
        "a/01/tcn.safetensors",
        "old/x.safetensors",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a/.part-0-1-x.safetensors").touch()  # being written
    (tmp_path / "a/01/agcn.epochs").write_text("6 12")
    return tmp_path


def test_models_epochs_and_folds_are_counted(work):
    run = RunProgress(work, {"a": 6, "b": 6, "final": 2}, ["a", "b"], before=(1, 6))
    words = "9 of 20 models, 1 of 3 folds, agcn, epoch 6 of 12"
    assert run.look() == (9.5, words)
    (work / "b").mkdir()
    (work / "b/tcn.epochs").write_text("3 12")
    assert run.look() == (9.75, "9 of 20 models, 1 of 3 folds, 2 in training")
    run.done("a")
    assert run.look() == (12.25, "12 of 20 models, 2 of 3 folds, tcn, epoch 3 of 12")
    for name in ("b", "final"):
        run.done(name)
    assert run.look() == (20, "20 of 20 models, 3 of 3 folds")


def test_it_never_goes_back_when_a_fold_is_complete(work):
    run = RunProgress(work, {"a": 6}, ["a"])
    assert run.look()[0] == 3.5
    for path in work.rglob("*.*"):  # the worker has deleted its folder, and not yet returned
        path.unlink()
    assert run.look()[0] == 3.5


def test_a_log_file_gets_a_line_at_begin_and_end_and_a_minute(work, capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_INTERVAL", 3600)
    with RunProgress(work, {"a": 6}, ["a"]) as run:
        run.done("a")
    first, last = capsys.readouterr().err.splitlines()
    assert first == "training: 3 of 6 models, 0 of 1 folds"  # the epochs are of a run before
    assert last.startswith("100%, 6 of 6 models, 1 of 1 folds, ") and last.endswith(" left")


def _shows() -> tuple[bool, int]:
    return tqdm([]).disable, os.getpid()


def test_workers_show_no_bars():
    results = list(run_parallel([joblib.delayed(_shows)()] * 2, Workers(jobs=2)))
    assert all(hidden and process != os.getpid() for hidden, process in results)
    assert not tqdm([]).disable
