"""Leaks planted in the training code, one of each kind: the audit finds each, and passes the same
run without it.
"""

import json
import shutil

import pytest
from audit_leaks import LEAKS, TASK, Leak, add_features, protocol

from semiology.evaluation.audit import audit
from semiology.experiments.clips import task_source
from semiology.experiments.fold import Fold, run_fold
from semiology.experiments.loso import run_loso
from semiology.experiments.splits import split_clips
from semiology.files import read_json, write_json


@pytest.fixture(scope="module")
def clean(shared_cohort, tmp_path_factory):
    """An honest run in which everything that can be fitted is fitted."""
    folder = tmp_path_factory.mktemp("audited")
    add_features(shared_cohort, folder / "store")
    settings = protocol(shared_cohort, folder)
    run_loso(settings)
    return settings, folder / "run"


def results(run) -> dict[str, str]:
    return {check.name: check.result for check in audit(run)}


def test_an_honest_run_passes_every_check(clean):
    assert set(results(clean[1]).values()) == {"passed"}
    assert json.loads((clean[1] / "audit.json").read_text())["verdict"] == "passed"


@pytest.mark.parametrize("leak", LEAKS, ids=[leak.what for leak in LEAKS])
def test_a_leak_in_one_fold_is_found_and_named(clean, tmp_path, leak: Leak):
    settings, honest = clean
    run = tmp_path / "run"
    shutil.copytree(honest, run)
    parts = split_clips(settings.split, task_source(settings, TASK).clips, settings.cohort, 0)
    with leak.plant():
        for part in parts[:3] if leak.several_folds else parts[2:3]:
            run_fold(settings, Fold(TASK, 0, part), run)
    found = results(run)
    assert {name: found[name] for name in leak.caught_by} == dict.fromkeys(leak.caught_by, "failed")


def test_a_leaked_model_without_a_record_is_not_passed(clean, tmp_path):
    settings, honest = clean
    run = tmp_path / "run"
    shutil.copytree(honest, run)
    part = split_clips(settings.split, task_source(settings, TASK).clips, settings.cohort, 0)[2]
    path = Fold(TASK, 0, part).path(run)
    with LEAKS[0].plant():
        run_fold(settings, Fold(TASK, 0, part), run)
    record = read_json(path)
    del record["models"]["agcn"], record["models"]["tcn"]
    write_json(path, record, checksummed=True)
    found = {check.name: check for check in audit(run)}
    assert {
        found[name].result for name in ("weights", "class weights", "batch norm", "teacher")
    } == {"not possible"}
    assert {(one.code, one.about) for one in found["weights"].findings} == {
        ("fit-unrecorded", ("agcn",)),
        ("fit-unrecorded", ("tcn",)),
    }
