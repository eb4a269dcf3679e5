"""Tables for R and SPSS: the numbers of metrics.json, a row each; a row a participant and model."""

import json
from pathlib import Path

import pandas as pd
import pytest
from report_run import write_everything, write_predictions

from semiology.cli.main import main
from semiology.evaluation.report.tables import METRICS, PARTICIPANTS


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("tables")
    write_everything(run)
    assert main(["report", str(run), "--format", "csv"]) == 0
    return run


def close(cell: float, number: float | None) -> bool:
    return pd.isna(cell) if number is None else cell == pytest.approx(number, rel=1e-12)


def test_every_number_of_metrics_json_is_in_the_table(run):
    table = pd.read_csv(run / "metrics.csv")
    assert list(table) == list(METRICS) and not (run / "report.html").exists()
    found = json.loads((run / "metrics.json").read_text())["tasks"]["dystonia (pose)"]
    rows = table[table["versus"].isna()].set_index(["model", "level", "metric"])
    assert rows.index.is_unique
    numbers = 0
    for model, result in found["models"].items():
        for level, at in {"clip": result, **result["by"]}.items():
            for name, metric in at["metrics"].items():
                row = rows.loc[(model, level, name)]
                assert (
                    close(row["value"], metric["value"])
                    and close(row["low"], metric["low"])
                    and close(row["high"], metric["high"])
                )
                assert close(row["p"], metric.get("null", {}).get("p"))
                numbers += 1
        assert close(rows.loc[(model, "clip", "ece"), "value"], result["calibration"]["ece"])
        assert close(
            rows.loc[(model, "clip", "ece_calibrated"), "value"],
            result["calibration"]["calibrated"]["ece"],
        )
        assert close(
            rows.loc[(model, "clip", "committed"), "value"], result["abstention"]["committed"]
        )
    assert numbers >= 3 * 11
    differences = table[table["versus"].notna()].set_index(["model", "versus", "metric"])
    assert len(differences) == len(found["differences"]) > 0
    for difference in found["differences"]:
        row = differences.loc[(difference["a"], difference["b"], difference["metric"])]
        assert close(row["value"], difference["value"]) and close(
            row["mcnemar_p"], difference["mcnemar_p"]
        )


def test_a_row_a_participant_and_model(run):
    table = pd.read_csv(run / "participants.csv")
    assert (
        list(table) == list(PARTICIPANTS) and len(table) == 3 * 9
    )  # P9 has only a clip that could not be assessed
    rows = table.set_index(["model", "participant_id"])
    assert rows.loc[("agcn", "P1"), "right"] == 0 and rows.loc[("tcn", "P1"), "right"] == 1
    assert rows.loc[("agcn", "P2"), "abstained"] == 1 and rows.loc[("agcn", "P3"), "abstained"] == 0
    assert rows.loc[("agcn", "P3"), ["clips", "not_assessable"]].tolist() == [1, 1]
    assert rows.loc[("agcn", "P9"), ["clips", "not_assessable", "truth"]].tolist() == [
        0,
        1,
        "present",
    ]
    assert pd.isna(rows.loc[("agcn", "P9"), "right"]) and rows.loc[("agcn", "P5"), "score"] == 0.9
    # the mean over participants' shares gives the accuracy again: everybody has one clip
    own = rows.loc["agcn"].dropna(subset="right")
    assert own["right"].sum() / own["clips"].sum() == 6 / 8


def test_the_verb_writes_a_page_and_cards_by_default(tmp_path, capsys):
    write_predictions(tmp_path)
    assert main(["report", str(tmp_path)]) == 0
    assert (tmp_path / "report.html").is_file() and not (tmp_path / "metrics.csv").exists()
    assert "report.html" in capsys.readouterr().out
    assert main(["report", str(tmp_path / "none"), "--format", "csv"]) == 2
    assert "predictions.csv: not found" in capsys.readouterr().err
