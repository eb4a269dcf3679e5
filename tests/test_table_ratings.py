"""Runs of ratings and numbers: audited by their records as classes are, reported again from their
files, and beside every rater.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes

from semiology import report as report_again
from semiology.cli.main import main
from semiology.errors import UserError
from semiology.evaluation.audit import audit, verdict
from semiology.evaluation.report import write_report
from semiology.experiments.table.run import run_table
from semiology.experiments.table.settings import Table
from semiology.files import read_json, write_json


@pytest.fixture
def run(tmp_path):
    """20 participants, three rows each; a rating from 0 to 4, two raters and the sex."""
    data = load_diabetes(as_frame=True, scaled=False).frame.iloc[:60, [1, 2, 3, 8, 10]]
    data["grade"] = pd.qcut(data["target"], 5, labels=False)
    data["second"], data["third"] = np.roll(data["grade"], 1), data["grade"].clip(1, 3)
    data.loc[4, "third"] = np.nan
    data.insert(0, "person", [f"P{number // 3:02}" for number in range(len(data))])
    data.to_csv(tmp_path / "diabetes.csv", index=False)
    run_table(
        Table(
            table=str(tmp_path / "diabetes.csv"),
            participant="person",
            target="grade",
            raters=["second", "third"],
            without=["target"],
            covariates=["sex"],
            out=str(tmp_path / "run"),
            by="grouped",
            folds=4,
            models=["linear", "neighbours"],
            permutations=20,
            others=2,
            scale=(0.0, 4.0),
        )
    )
    return tmp_path / "run"


def checks(run):
    return {check.name: check for check in audit(run)}


def test_the_audit_of_the_folds_is_that_of_classes(run, capsys):
    found = checks(run)
    assert verdict(found.values()) == "passed"
    assert found["participants"].found == "no participant is on both sides, in 12 folds"
    assert found["standardisation"].found == "on training participants alone, in 20 fits"
    assert found["table"].found == "all 180 rows agree with the records"
    assert found["chance"].found.startswith("computed again from 2 of 2 permutations")
    assert "grade above its median by sex alone" in found["confounds"].found
    assert main(["audit", str(run)]) == 0
    assert "leakage audit: passed" in capsys.readouterr().out


@pytest.mark.parametrize("check", ["standardisation", "table", "chance", "predicted once"])
def test_what_was_changed_fails_by_name(check, run):
    if check == "table":
        text = (run / "scores.tsv").read_text().splitlines()
        cells = text[7].split("\t")
        cells[4] = str(float(cells[4]) + 1e-9)
        text[7] = "\t".join(cells)
        (run / "scores.tsv").write_text("\n".join(text) + "\n")
    elif check == "chance":
        null = read_json(run / "null.json")
        null["grade (table)"]["neighbours"]["spearman"][0] += 0.01
        write_json(run / "null.json", null)
    else:
        path = sorted((run / "folds").rglob("seed-0/*.json"))[0]
        record = read_json(path, checksummed=True)
        if check == "standardisation":
            record["models"]["linear"]["seen"][check] += record["held_out_clips"][:1]
        else:
            other = next(row for row in record["clips"] if row not in record["held_out_clips"])
            record["predictions"][0]["clip_id"] = other
        write_json(path, record, indent=None, checksummed=True)
    failed = {name for name, found in checks(run).items() if found.result == "failed"}
    assert check in failed
    if check in ("table", "chance"):
        assert failed == {check}


def test_the_report_is_written_again_from_the_run(run, capsys):
    page, metrics = (run / "report.html").read_bytes(), (run / "metrics.json").read_bytes()
    for name in ("report.html", "metrics.json"):
        (run / name).unlink()
    assert main(["report", str(run)]) == 0
    assert "linear and third: ICC(2,1)" in capsys.readouterr().out
    assert (run / "report.html").read_bytes() == page
    assert (run / "metrics.json").read_bytes() == metrics
    text = page.decode()
    for words in ("Against each rater", "18 checks", "TRIPOD", "Which features the models rely on"):
        assert words in text
    assert "an ordered rating" in text and "from a table of measurements" in text
    found = report_again(run)
    assert len(found.predictions) == 60 and found.predictions["linear"].between(0, 4).all()
    assert {"grade (table)"} == set(found.metrics["task"])
    null = read_json(run / "null.json")
    null["grade (table)"]["linear"]["spearman"][0] = 0.0
    write_json(run / "null.json", null)
    assert "of other predictions" in write_report(run).read_text(encoding="utf-8")


def test_every_rater_stands_beside_every_model_and_the_raters_beside_each_other(run):
    """Two-way random effects, single measure (Shrout and Fleiss 1979), on the rows of both."""
    table = pd.read_csv(run / "scores.tsv", sep="\t")
    found = read_json(run / "metrics.json")["tasks"]["grade (table)"]
    for rater in ("second", "third"):
        both = table[["linear", rater]].dropna().to_numpy()
        n, rows, columns = len(both), both.mean(axis=1), both.mean(axis=0)
        between = 2 * ((rows - both.mean()) ** 2).sum() / (n - 1)
        raters = n * ((columns - both.mean()) ** 2).sum()
        rest = ((both - both.mean()) ** 2).sum() - between * (n - 1) - raters
        rest /= n - 1
        icc = (between - rest) / (between + rest + 2 * (raters - rest) / n)
        own = found["models"]["linear"]["raters"][rater]["icc_2_1"]
        assert own["value"] == pytest.approx(icc) and own["rows"] == n
    assert own["rows"] == 59 and own["low"] < own["value"] < own["high"]
    pairs = {(one["first"], one["second"]) for one in found["between_raters"]}
    assert pairs == {("grade", "second"), ("grade", "third"), ("second", "third")}
    assert {one["first"] for one in found["models"]["linear"]["beside"]} == {
        "machine and raters",
        "raters among themselves",
        "difference",
    }


def test_a_damaged_table_of_scores_is_named(run):
    text = (run / "scores.tsv").read_text().splitlines()
    cells = text[2].split("\t")
    cells[4] = "much"
    (run / "scores.tsv").write_text("\n".join([text[0], text[1], "\t".join(cells)]) + "\n")
    with pytest.raises(UserError, match=r"row 3, column linear: 'much' is not a number"):
        audit(run)
