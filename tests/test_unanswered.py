"""Clips that a model did not answer, scored as wrong or left out; values by hand."""

import json
from pathlib import Path

import pandas as pd
import pytest
from report_run import write_predictions

from semiology.cli.main import main
from semiology.errors import UserError
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.statistics.results import evaluate

TASK = "dystonia (pose)"
SILENT = {"predicted": "", "score": "", "scores": ""}


def silent(run: Path, clips: tuple[str, ...], model: str = "tcn", **cells: str) -> Path:
    """The run of report_run with some clips unanswered by a model; TCN is right but in P8."""
    table = pd.read_csv(run / "predictions.csv", dtype=str, keep_default_na=False)
    rows = table["clip_id"].isin(clips) & (table["model"] == model)
    table.loc[rows, [*SILENT]] = [*(SILENT | cells).values()]
    table.to_csv(run / "predictions.csv", index=False)
    return run


def metrics(run: Path, *arguments: str) -> dict:
    assert main(["report", str(run), *arguments]) == 0
    return json.loads((run / "metrics.json").read_text())


def value(found: dict, model: str, metric: str) -> float:
    return found["tasks"][TASK]["models"][model]["metrics"][metric]["value"]


def test_no_answer_counts_as_wrong_unless_stated_otherwise(tmp_path, capsys):
    write_predictions(tmp_path)
    found = metrics(silent(tmp_path, ("P1_a", "P5_a")))
    assert value(found, "tcn", "accuracy") == 5 / 8 and value(found, "agcn", "accuracy") == 6 / 8
    # P1 without the sign has score 1 now, P5 with it 0: of 16 pairs only those of P6, P7 with P2,
    # P3, P4 are in order; P8 (0.1) ties with these three
    assert value(found, "tcn", "auc") == pytest.approx((2 * 3 + 3 * 0.5) / 16)
    [lost] = [own for own in found["unanswered"] if own["model"] == "tcn"]
    assert (lost["n"], lost["of"], lost["value"]) == (2, 8, 0.25)
    assert 0 <= lost["low"] < 0.25 < lost["high"] < 1
    line = "dystonia (pose), TCN: no answer in 2 of 8 predictions, 25.0 % ("
    assert line in capsys.readouterr().out
    page = (tmp_path / "report.html").read_text()
    assert line in page and "counted as wrong" in page


def test_left_out_is_left_out_for_all_models(tmp_path):
    write_predictions(tmp_path)
    found = metrics(silent(tmp_path, ("P1_a", "P5_a")), "--unanswered", "out")
    assert found["tasks"][TASK]["clips"] == 6
    assert value(found, "tcn", "accuracy") == 5 / 6
    assert value(found, "agcn", "accuracy") == 5 / 6  # without its mistake in P1
    assert found["method"]["unanswered"].startswith("left out")
    shares = {own["model"]: own["n"] for own in found["unanswered"]}
    assert shares == {"agcn": 0, "tcn": 2, "agcn_kd": 0}
    assert "2 of 8 predictions, 25.0 %" in (tmp_path / "report.html").read_text()


def test_n_a_is_no_answer_and_a_run_that_answers_everything_says_nothing(tmp_path):
    write_predictions(tmp_path)
    assert "unanswered" not in metrics(tmp_path)
    silent(tmp_path, ("P2_a",), predicted="n/a", score="n/a", scores="n/a")
    assert value(metrics(tmp_path), "tcn", "accuracy") == 6 / 8


def test_of_three_classes_all_probability_is_on_the_two_others(tmp_path):
    write_predictions(tmp_path, models=("tcn",))
    table = pd.read_csv(tmp_path / "predictions.csv", dtype=str, keep_default_na=False)
    table["scores"] = [
        json.dumps({"absent": 0.6, "present": 0.3, "other": 0.1}) for _ in range(len(table))
    ]
    table["predicted"], table["score"] = "absent", "0.6"
    table.to_csv(tmp_path / "predictions.csv", index=False)
    read = read_predictions(silent(tmp_path, ("P1_a",)) / "predictions.csv")
    row = read[read["clip_id"] == "P1_a"].iloc[0]
    assert row["scores"] == {"absent": 0, "present": 0.5, "other": 0.5}
    assert (row["predicted"], row["score"], row["answered"]) == ("present", 0.5, False)


def test_a_calibrated_model_that_abstains_elsewhere_may_not_answer_too(tmp_path):
    write_predictions(tmp_path, plausible=True)
    table = read_predictions(silent(tmp_path, ("P3_a",)) / "predictions.csv")
    row = table[(table["clip_id"] == "P3_a") & (table["model"] == "tcn")].iloc[0]
    assert row["calibrated"] == {"absent": 0, "present": 1} and row["plausible"] == []
    assert evaluate(table, draws=50)["unanswered"]
    assert metrics(tmp_path)["tasks"][TASK]["models"]["tcn"]["abstention"]


@pytest.mark.parametrize(
    ("clips", "cells", "message"),
    [
        (("P2_a",), {"score": "0.4"}, r"row 3: score given, and the others .* empty"),
        (("P2_a", "P3_a"), {"score": "0.4"}, r"\(2 rows like this\)"),
        (tuple(f"P{n}_a" for n in range(1, 9)), {}, "no row of task .* holds an answer"),
    ],
)
def test_half_an_answer_and_none_at_all_are_refused(tmp_path, clips, cells, message):
    write_predictions(tmp_path, models=("tcn",))
    with pytest.raises(UserError, match=message):
        read_predictions(silent(tmp_path, clips, **cells) / "predictions.csv")


def test_models_that_answer_no_clip_in_common_cannot_be_left_out(tmp_path, capsys):
    write_predictions(tmp_path, models=("tcn", "agcn"))
    for model, numbers in (("tcn", range(1, 5)), ("agcn", range(5, 9))):
        silent(tmp_path, tuple(f"P{number}_a" for number in numbers), model)
    assert main(["report", str(tmp_path), "--unanswered", "out"]) == 2
    assert "no clip was answered by all models" in capsys.readouterr().err


def test_unknown_levels_are_told_once_with_their_number(tmp_path):
    write_predictions(tmp_path, models=("tcn",))
    table = pd.read_csv(tmp_path / "predictions.csv", dtype=str, keep_default_na=False)
    table["truth"] = table["truth"].str.upper()
    table.to_csv(tmp_path / "predictions.csv", index=False)
    with pytest.raises(UserError, match=r"^[^\n]*'ABSENT' is none of [^\n]*\(8 rows like this\)$"):
        read_predictions(tmp_path / "predictions.csv")
