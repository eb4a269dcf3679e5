"""Files of a run that were changed, damaged or lost: no check passes what it cannot verify."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from audit_leaks import TASK, moving_cohort, quick_run, read_clips, write_clips

from semiology.evaluation.audit import Check, audit, verdict, write_sources
from semiology.evaluation.run.settings import Split
from semiology.files import CHECKSUM, write_json


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    return moving_cohort(tmp_path_factory.mktemp("moving"), people=6)


@pytest.fixture(scope="module")
def honest(moving, tmp_path_factory):
    """Leave-one-subject-out, with a linear model and two permutations."""
    folder = tmp_path_factory.mktemp("honest") / "run"
    return quick_run(moving, folder, split=Split("participant"), permutations=2, baseline=True)


@pytest.fixture
def run(honest, tmp_path):
    return Path(shutil.copytree(honest, tmp_path / "run"))


def checks_of(run: Path) -> dict[str, Check]:
    return {check.name: check for check in audit(run)}


def facts(check: Check) -> list[tuple[str, tuple[str, ...]]]:
    """The findings of a check by code, and the names that they are about."""
    return [(finding.code, finding.about) for finding in check.findings]


def changed(run: Path, name: str, change) -> Path:
    """A JSON or YAML file of the run, changed in place by `change`."""
    path = run / name
    content = yaml.safe_load(path.read_text())
    change(content)
    write_json(path, content, checksummed=isinstance(content, dict) and content.pop(CHECKSUM, None))
    return run


def first_fold(run: Path) -> str:
    return sorted((run / "folds").rglob("seed-0/*.json"))[0].relative_to(run).as_posix()


def test_an_honest_run_with_a_null_passes(run):
    checks = checks_of(run)
    assert verdict(list(checks.values())) == "passed"
    assert checks["chance"].found.startswith("computed again from 2 of 2 permutations; the null of")


def test_a_column_that_is_not_what_the_scores_say_is_found(run):
    table = pd.read_csv(run / "predictions.csv", dtype=str, keep_default_na=False)
    table.loc[3, "score"] = str(
        float(table.loc[3, "score"]) + 0.0009
    )  # within what a reader takes for rounding
    table.to_csv(run / "predictions.csv", index=False)
    check = checks_of(run)["table"]
    row = table.loc[3]
    assert check.result == "failed"
    assert facts(check) == [("row-differs", (row["model"], row["clip_id"], "score"))]


def fused(run: Path, change=lambda rows: rows) -> Path:
    """The run with a fusion of one model, its rows changed."""
    table = pd.read_csv(run / "predictions.csv", dtype=str, keep_default_na=False)
    rows = table[table["model"] == "agcn"].assign(task="fused", model="mean").reset_index(drop=True)
    pd.concat([table, change(rows)]).to_csv(run / "predictions.csv", index=False)
    changed(run, "null.json", lambda null: null.update(fused={"mean": null[TASK]["agcn"]}))
    return changed(
        run,
        "config.yaml",
        lambda config: config.update(
            fusions=[{"task": "fused", "model": "mean", "members": [f"{TASK}/agcn"]}]
        ),
    )


def test_a_fusion_has_the_clips_and_facts_of_its_members(run, tmp_path):
    def copy(number: int) -> Path:
        return Path(shutil.copytree(run, tmp_path / f"fused-{number}"))

    checks = checks_of(fused(copy(0)))
    assert checks["table"].result == checks["chance"].result == "passed"
    flipped = {"absent": "present", "present": "absent"}
    changes = {
        "truth": lambda rows: rows.assign(truth=rows["truth"].map(flipped)),
        "participant_id": lambda rows: rows.assign(participant_id="p0"),
        "recording_id": lambda rows: rows.assign(recording_id="one"),
        "fold": lambda rows: rows.assign(fold="p0"),
    }
    for number, (column, change) in enumerate(changes.items(), 1):
        check = checks_of(fused(copy(number), change))["table"]
        assert check.result == "failed", column
        assert {(code, about[2]) for code, about in facts(check)} == {("fusion-differs", column)}
    check = checks_of(fused(copy(9), lambda rows: rows.iloc[1:]))["table"]
    first = pd.read_csv(run / "predictions.csv").query("model == 'agcn'")["clip_id"].iloc[0]
    assert check.result == "failed" and facts(check) == [("fusion-missing", ("mean", first))]


def test_a_model_that_predicts_and_of_which_the_record_is_silent_is_not_passed(run):
    for path in (run / "folds").rglob("*.json"):
        changed(run, path.relative_to(run).as_posix(), lambda record: record["models"].pop("agcn"))
    checks = checks_of(run)
    assert {checks[name].result for name in ("weights", "class weights", "batch norm")} == {
        "not possible"
    }
    assert set(facts(checks["weights"])) == {("fit-unrecorded", ("agcn",))}


def test_a_model_of_the_protocol_without_any_prediction_is_not_passed(run):
    changed(
        run, "config.yaml", lambda config: config["models"].update(other=config["models"]["agcn"])
    )
    checks = checks_of(run)
    assert checks["weights"].result == checks["predicted once"].result == "not possible"


@pytest.mark.parametrize(
    ("change", "result", "fact"),
    [
        (
            lambda null: null[TASK]["agcn"].update(auc=[0.0, 0.0]),
            "failed",
            ("null-differs", (TASK, "agcn", "auc")),
        ),
        (
            lambda null: null[TASK]["agcn"].update(auc=null[TASK]["agcn"]["auc"] * 500),
            "failed",
            ("null-differs", (TASK, "agcn", "auc")),
        ),
        (
            lambda null: null[TASK].update(tcn=null[TASK]["agcn"]),
            "failed",
            ("null-unfounded", (TASK, "tcn")),
        ),
        (
            lambda null: null[TASK]["linear"].update(f1=[0.5] * 30),
            "failed",
            ("null-length", (TASK, "linear", "f1")),
        ),
        (
            lambda null: null[TASK]["linear"].update(auc=[-1.0] * 1999),
            "failed",
            ("null-impossible", (TASK, "linear", "auc")),
        ),
        (
            lambda null: null[TASK]["linear"].update(auc=[0.0] * 1999),
            "not possible",
            ("null-constant", (TASK, "linear", "auc")),
        ),
        (lambda null: null.update({TASK: []}), "not possible", ("null-damaged", ("null.json",))),
    ],
)
def test_an_invented_null_is_not_passed(run, change, result, fact):
    check = checks_of(changed(run, "null.json", change))["chance"]
    assert check.result == result and facts(check) == [fact]


def test_missing_permutations_have_to_be_listed_in_the_notes(run):
    for path in (run / "folds").rglob("permutation-1/*.json"):
        path.unlink()
    assert facts(checks_of(run)["chance"]) == [("permutations-missing", (TASK, "1", "2", "0"))]
    changed(
        run,
        "notes.json",
        lambda notes: notes.append(
            f"{TASK}: 1 of 2 permutations left out: in some fold all training clips had one level"
        ),
    )
    check = checks_of(run)["chance"]
    assert check.result == "failed"  # the null still has two values
    changed(
        run,
        "null.json",
        lambda null: null[TASK].update(
            agcn={name: found[:1] for name, found in null[TASK]["agcn"].items()}
        ),
    )
    assert checks_of(run)["chance"].found.startswith("computed again from 1 of 2 permutations")
    next((run / "folds").rglob("permutation-0/*.json")).unlink()
    [(code, about)] = facts(checks_of(run)["chance"])
    assert code == "fold-unrecorded" and about[:2] == (TASK, "0")


def test_sources_without_anything_to_compare_are_not_passed(run):
    def emptied(sources: dict) -> None:
        for clip in sources["clips"].values():
            clip.pop("movement")
            clip["covariates"] = {}

    checks = checks_of(changed(run, "sources.json", emptied))
    clips = json.loads((run / "sources.json").read_text())["clips"]
    assert checks["copies"].result == "not possible"
    assert facts(checks["copies"]) == [("not-comparable", (clip_id,)) for clip_id in clips]
    assert checks["confounds"].result == "passed"
    assert checks["confounds"].found.endswith("no column centre; there is no column camera")
    checks = checks_of(changed(run, "sources.json", lambda sources: sources.update(clips={})))
    assert {checks[name].result for name in ("same stretch", "copies", "confounds")} == {
        "not possible"
    }


def test_a_centre_that_is_a_number_need_not_rise_with_the_label(moving, tmp_path):
    cohort = moving_cohort(tmp_path / "centres", people=18)
    table = read_clips(cohort)
    number = np.arange(len(table)) % 3 + 1
    table["swing"], table["centre"] = np.where(number == 2, "present", "absent"), number.astype(str)
    write_clips(cohort, table)
    run = quick_run(cohort, tmp_path / "run")
    write_sources(cohort, None, table["clip_id"], run / "sources.json")
    check = checks_of(run)["confounds"]
    assert check.result == "failed"
    assert any(
        finding.about == ("swing", "centre") and "AUC 1.00" in finding.text
        for finding in check.findings
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("sources.json", "{}"),
        ("sources.json", "[1"),
        ("config.yaml", "split: participant"),
        ("config.yaml", "calibration: temperature"),
        ("config.yaml", "a: [1"),
        ("null.json", '{"swing (pose)": {"agcn": {"auc": 0.5}}}'),
    ],
)
def test_a_damaged_file_is_named_and_not_called_missing(run, name, content):
    (run / name).write_text(content)
    checks = list(checks_of(run).values())
    troubled = [check for check in checks if check.result == "not possible"]
    assert verdict(checks) == "incomplete" and troubled
    assert {fact for check in troubled for fact in facts(check)} <= {
        ("damaged", (name,)),
        ("null-damaged", (name,)),
    }
    assert all(name in check.found for check in troubled)


@pytest.mark.parametrize("change", [{"movement": "xx"}, {"covariates": None}, {"start": "early"}])
def test_a_damaged_clip_of_the_sources_is_named(run, change):
    check = checks_of(
        changed(run, "sources.json", lambda sources: sources["clips"]["c2"].update(change))
    )["copies"]
    assert check.result == "not possible" and facts(check) == [("damaged", ("sources.json",))]
    assert f"sources.json: clips.c2.{next(iter(change))}" in check.found


@pytest.mark.parametrize(
    "change",
    [
        {"models": []},
        {"clips": None},
        {"inner": [{}]},
        {"models": {"agcn": {"seen": None}}},
        {"levels": ["a"]},
    ],
)
def test_a_damaged_record_is_named(run, change):
    name = first_fold(run)
    check = checks_of(changed(run, name, lambda record: record.update(change)))["weights"]
    assert check.result == "not possible" and ("damaged", (name,)) in facts(check)


def test_without_its_protocol_a_calibrated_run_is_incomplete_rather_than_failed(run):
    calibration = {"temperature": 2.0, "steps": None, "threshold": 0.3, "clips": 5}
    changed(
        run,
        first_fold(run),
        lambda record: record["models"]["agcn"].update(calibration=calibration),
    )
    (run / "config.yaml").unlink()
    check = checks_of(run)["threshold and choice"]
    assert check.result == "not possible" and facts(check) == [("config-missing", ("config.yaml",))]


def test_without_the_record_of_any_fold_nothing_that_was_fitted_is_passed(run):
    shutil.rmtree(run / "folds")
    checks = checks_of(run)
    for name in ("participants", "weights", "standardisation", "teacher", "threshold and choice"):
        assert checks[name].result == "not possible"
        assert facts(checks[name]) == [("no-record", ())]
