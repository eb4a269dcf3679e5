"""Calibration of classes on inner folds, and permutations of other models within a time."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from semiology.errors import UserError
from semiology.evaluation.audit import audit
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.statistics.calibration import fit_calibrator
from semiology.experiments.table import records
from semiology.experiments.table.predict import predict_table
from semiology.experiments.table.run import run_table
from semiology.experiments.table.settings import Table
from semiology.files import read_json, write_json


@pytest.fixture
def settings(tmp_path):
    """Breast cancer, 66 rows of 22 participants."""
    data = load_breast_cancer(as_frame=True).frame.iloc[20:86, [0, 1, 4, 30]]
    data.columns = ["radius", "texture", "smooth", "diagnosis"]
    data.insert(0, "person", [f"P{number // 3:02}" for number in range(len(data))])
    data.to_csv(tmp_path / "tumours.csv", index=False)
    return Table(
        table=str(tmp_path / "tumours.csv"),
        participant="person",
        target="diagnosis",
        out=str(tmp_path / "run"),
        by="grouped",
        folds=3,
        models=["neighbours"],
        permutations=0,
        importance=0,
    )


def changed(settings, **given):
    return Table(**{**vars(settings), **given})


def test_the_temperature_of_a_fold_is_that_of_its_inner_folds_by_hand(settings, tmp_path):
    settings = changed(settings, calibration="temperature", coverage=0.9)
    assert run_table(settings).audit == "passed"
    data = pd.read_csv(settings.table)
    x, y = data[["radius", "texture", "smooth"]].to_numpy(), data["diagnosis"].to_numpy()
    table = read_predictions(tmp_path / "run/predictions.csv")
    for fold, rows in table.groupby("fold"):
        path = tmp_path / f"run/folds/diagnosis-table/seed-0/{fold}.json"
        record = read_json(path, checksummed=True)
        number = record["models"]["neighbours"]["parameters"]["n_neighbors"]
        held = np.array([int(clip.removeprefix("row-")) - 2 for clip in rows["clip_id"]])
        train = np.setdiff1d(np.arange(66), held)
        given = np.zeros((len(train), 2))
        for inner, out in GroupKFold(3).split(train, groups=data["person"].to_numpy()[train]):
            model = make_pipeline(StandardScaler(), KNeighborsClassifier(number))
            model.fit(x[train[inner]], y[train[inner]])
            given[out] = model.predict_proba(x[train[out]])
        expected = fit_calibrator(given.round(6), y[train], "temperature", 0.9)
        found = record["models"]["neighbours"]["calibration"]
        assert found["temperature"] == pytest.approx(expected.temperature, rel=1e-4)
        assert found["threshold"] == pytest.approx(expected.threshold, rel=1e-4)
        before = np.array([list(scores.values()) for scores in rows["scores"]])
        after = np.array([list(scores.values()) for scores in rows["calibrated"]])
        np.testing.assert_allclose(after, expected.apply(before), atol=1e-4)
    assert "abstained" in (tmp_path / "run/report.html").read_text(encoding="utf-8")
    out = predict_table(str(tmp_path / "run"), settings.table, out=str(tmp_path / "new.tsv"))
    new = pd.read_csv(out, sep="\t")
    np.testing.assert_allclose(new["calibrated 0"] + new["calibrated 1"], 1, atol=1e-5)
    record["models"]["neighbours"]["calibration"]["temperature"] *= 1.1
    write_json(path, record, indent=None, checksummed=True)
    failed = {check.name for check in audit(tmp_path / "run") if check.result == "failed"}
    assert failed == {"threshold and choice"}


def test_permutations_within_a_budget_are_stated_and_go_on(settings, tmp_path, monkeypatch):
    """A clock by hand: every fold takes 10 s, a permutation of three 30 s; in 70 s there are two,
    as a third would end after 90 s.
    """
    clock, run_fold = [0.0], records.run_fold

    def one(*arguments):
        clock[0] += 10.0
        run_fold(*arguments)

    monkeypatch.setattr(records, "now", lambda: clock[0])
    monkeypatch.setattr(records, "run_fold", one)
    settings = changed(settings, permutations=5, budget=70.0)
    run = run_table(settings)
    assert run.audit == "passed"
    assert any("2 permutations of the models other than linear" in note for note in run.notes)
    metrics = read_json(tmp_path / "run/metrics.json")["tasks"]["diagnosis (table)"]["models"]
    assert metrics["neighbours"]["metrics"]["auc"]["null"]["n"] == 2
    first = read_json(tmp_path / "run/null.json")["diagnosis (table)"]["neighbours"]["auc"]
    run = run_table(changed(settings, budget=31.0))
    assert any("3 permutations" in note and "of 5; the same command" in note for note in run.notes)
    again = read_json(tmp_path / "run/null.json")["diagnosis (table)"]["neighbours"]["auc"]
    assert len(again) == 3 and again[:2] == first
    run = run_table(changed(settings, budget=1000.0))
    assert run.audit == "passed" and any("all that were wanted" in note for note in run.notes)


def test_calibration_and_budget_that_cannot_be_are_refused(settings, tmp_path):
    with pytest.raises(UserError, match="calibration and coverage: of classes; diagnosis is a num"):
        run_table(changed(settings, calibration="isotonic", task="number", models=["linear"]))
    assert not (tmp_path / "run").exists()
    for given, message in (
        ({"budget": 0.0}, "budget: 0; seconds, above 0"),
        ({"coverage": 1.0}, "coverage: 1; between 0 and 1"),
    ):
        with pytest.raises(UserError, match=message):
            changed(settings, **given)
