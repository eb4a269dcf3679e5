"""Several labels at once: the same people in the same folds, evaluated together; and classes that
few people have.
"""

import numpy as np
import pandas as pd
import pytest

import semiology
from semiology.cli.main import main
from semiology.errors import UserError
from semiology.evaluation.run.predictions import read_predictions
from semiology.experiments.table.predict import predict_table
from semiology.experiments.table.run import run_table
from semiology.experiments.table.settings import Table
from semiology.files import read_json


@pytest.fixture
def table(tmp_path):
    """Twelve people, three rows each; tonic follows x, clonic y, and one row lacks it; a grade."""
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"person": [f"P{number // 3:02}" for number in range(36)]})
    data["x"], data["y"] = rng.normal(size=(2, 36)).round(4)
    data["tonic"] = np.where(data["x"] + rng.normal(0, 0.3, 36) > 0, "yes", "no")
    data["clonic"] = np.where(data["y"] + rng.normal(0, 0.3, 36) > 0.5, "yes", "no")
    data.loc[7, "clonic"] = "n/a"
    data["grade"] = rng.integers(0, 4, 36)
    data.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


def test_two_labels_are_predicted_in_the_same_folds_and_evaluated_together(table, tmp_path, capsys):
    out = tmp_path / "run"
    arguments = ["--participant", "person", "--target", "tonic", "clonic", "--without", "grade"]
    options = ["--models", "linear", "neighbours", "--by", "grouped", "--folds", "3"]
    less = ["--permutations", "20", "--out", str(out)]
    assert main(["table", str(table), *arguments, *options, *less]) == 0
    assert "audit: passed" in capsys.readouterr().out
    rows = read_predictions(out / "predictions.csv")
    assert sorted(rows["task"].value_counts()) == [70, 72]
    of = rows.groupby(["participant_id"])["fold"].nunique()
    assert len(of) == 12 and (of == 1).all()
    metrics = read_json(out / "metrics.json")
    assert set(metrics["tasks"]) == {"tonic (table)", "clonic (table)"}
    joint = metrics["joint"]["models"]["linear"]
    assert (joint["clips"], joint["complete"], joint["participants"]) == (36, 35, 12)
    own = rows[rows["model"] == "linear"]
    right = (own["truth"] == own["predicted"]).groupby(own["clip_id"])
    both = right.size() == 2
    assert joint["metrics"]["exact_match"]["value"] == pytest.approx(right.all()[both].mean())
    found = read_json(out / "null.json")
    assert {len(found[f"{name} (table)"]["linear"]["auc"]) for name in ("tonic", "clonic")} == {20}
    assert set(read_json(out / "importance.json")["tasks"]) == set(metrics["tasks"])
    again = predict_table(str(out), str(table), out=str(tmp_path / "new.tsv"), target="clonic")
    assert set(pd.read_csv(again, sep="\t")) >= {"probability yes", "predicted"}
    with pytest.raises(UserError, match="no 'grade' in this run; there are tonic, clonic"):
        predict_table(str(out), str(table), out=str(tmp_path / "new.tsv"), target="grade")


def test_each_label_alone_is_what_it_is_among_several(table, tmp_path):
    given = dict(table=str(table), participant="person", by="grouped", folds=3)
    given |= dict(models=["linear"], permutations=5, importance=0)
    targets = ["tonic", "clonic"]
    found = semiology.table(**given, target=targets, without=["grade"], out=tmp_path / "a")
    assert found.audit == "passed" and len(found.predictions) == 71
    run_table(Table(target="tonic", without=["clonic", "grade"], out=str(tmp_path / "b"), **given))
    several = read_predictions(tmp_path / "a/predictions.csv")
    alone = read_predictions(tmp_path / "b/predictions.csv")
    assert several[several["label"] == "tonic"]["score"].tolist() == alone["score"].tolist()


def test_a_rating_among_several_targets_is_refused(table, tmp_path):
    with pytest.raises(UserError, match="target: grade is a rating, and several targets at once"):
        run_table(
            Table(
                str(table), "person", "tonic", str(tmp_path / "run"), also=["grade"], by="grouped"
            )
        )
    with pytest.raises(UserError, match="target: tonic, tonic; name each once"):
        run_table(Table(str(table), "person", "tonic", str(tmp_path / "run"), also=["tonic"]))
    assert not (tmp_path / "run").exists()


def test_a_class_of_one_person_leaves_training_rows_of_one_class(tmp_path):
    """Leaving P0 out, all others are "no": every model says so; inner folds without "yes" choose
    nothing.
    """
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"person": [f"P{number // 2}" for number in range(12)]})
    data["x"], data["y"] = rng.normal(size=(2, 12)).round(4)
    data["sign"] = ["yes", "yes", *["no"] * 10]
    data.to_csv(tmp_path / "table.csv", index=False)
    found = run_table(
        Table(
            table=str(tmp_path / "table.csv"),
            participant="person",
            target="sign",
            out=str(tmp_path / "run"),
            models=["linear", "logistic", "boosting", "neighbours"],
            permutations=10,
            importance=0,
        )
    )
    assert found.audit == "passed"
    rows = read_predictions(tmp_path / "run/predictions.csv")
    assert set(rows[rows["participant_id"] == "P0"]["predicted"]) == {"no"}
    assert set(rows[rows["participant_id"] == "P0"]["score"]) == {0.0}
