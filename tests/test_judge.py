"""`semiology judge`: outside predictions from a table, against values by hand."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from semiology.cli.main import main
from semiology.errors import UserError
from semiology.evaluation.audit import audit
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.statistics.fixed import null_of_fixed
from semiology.evaluation.statistics.permutation import many_permutations
from semiology.evaluation.statistics.results import values
from semiology.experiments.judge.answers import Mapping, inside, plain, read_words
from semiology.experiments.judge.reading import Judge, read_outside
from semiology.experiments.judge.run import judge

# 8 clips of 4 people; of the sign 4. "vlm" is right in c1, c3, c5, c6; c2 is wrong, c4 a refusal
# that nobody stated, c7 and c8 are stated as none
TRUTH = ["yes", "yes", "yes", "yes", "no", "no", "no", "no"]
VLM = [
    "Yes",
    "no.",
    '{"answer": "yes", "justification": "no doubt"}',
    "I cannot see the patient",
    "**No**",
    '```json\n{"answer": false}\n```',
    "n/a",
    "unable to determine",
]
GUESS = ["yes"] * 8


def long_table(folder: Path, **columns: list) -> Path:
    clips = [f"c{number}" for number in range(1, 9)]
    people = [f"P{(number + 1) // 2}" for number in range(1, 9)]
    parts = [
        pd.DataFrame(dict(clip=clips, participant=people, truth=TRUTH, model=model, answer=answers))
        for model, answers in {"vlm": VLM, "always": GUESS, **columns}.items()
    ]
    path = folder / "answers.csv"
    pd.concat(parts).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("judged")
    table = long_table(folder)
    settings = Judge(str(table), str(folder / "run"), draws=200, permutations=50)
    judge(settings)
    return folder / "run"


def metrics(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())["tasks"]["sign"]


def test_answers_are_scored_as_counted_by_hand(run):
    found = metrics(run)
    vlm = {name: entry["value"] for name, entry in found["models"]["vlm"]["metrics"].items()}
    # c1, c3 true positives; c2, c4 false negatives; c5, c6 true negatives; c7, c8 unanswered, wrong
    assert found["models"]["vlm"]["confusion"] == [[2, 2], [2, 2]]
    assert vlm["accuracy"] == 0.5 and vlm["f1"] == 0.5 and vlm["mcc"] == 0
    always = found["models"]["always"]["metrics"]
    assert always["f1"]["value"] == pytest.approx(2 / 3)
    assert found["no_skill"]["always_positive"]["f1"] == pytest.approx(2 / 3)
    assert found["models"]["vlm"]["calibration"] is None and vlm["brier"] is None


def test_every_answer_is_listed_once_with_the_class_that_it_was_taken_for(run):
    table = pd.read_csv(run / "answers.tsv", sep="\t", keep_default_na=False)
    taken = dict(zip(table["answer"], table["class"]))
    assert taken["I cannot see the patient"] == "unmapped"
    assert taken["n/a"] == taken["unable to determine"] == "no answer"
    assert taken["no."] == taken["**No**"] == "no" and taken["Yes"] == "yes"
    assert table.set_index("answer").loc["yes", "count"] == 8
    [note] = json.loads((run / "notes.json").read_text())
    assert note.startswith("1 answers are no class") and "'I cannot see the patient' (1)" in note
    shares = json.loads((run / "metrics.json").read_text())["unanswered"]
    assert {own["model"]: own["n"] for own in shares} == {"vlm": 3, "always": 0}


def test_the_audit_says_what_no_table_can_show(run):
    checks = {check.name: check for check in audit(run)}
    passed = {name for name, check in checks.items() if check.result == "passed"}
    assert passed == {"table", "participants", "predicted once", "chance", "names"}
    assert "cannot be known from a table" in checks["training people"].found
    assert {
        checks[name].result for name in ("training people", "choices", "copies", "answers")
    } == {"not possible"}
    page = (run / "report.html").read_text()
    assert "whether the model saw these people in training cannot be known from a table" in page
    assert "No model was trained or run here" in page and "trained in each fold" not in page


def test_a_changed_predictions_csv_and_a_changed_null_fail_the_audit(run, tmp_path):
    for name in ("predictions.csv", "null.json", "config.yaml", "sources.json"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    null = json.loads((tmp_path / "null.json").read_text())
    null["sign"]["vlm"]["accuracy"][0] = 0.987
    (tmp_path / "null.json").write_text(json.dumps(null))
    with open(tmp_path / "predictions.csv", "a") as stream:
        stream.write("\n")
    failed = {check.name for check in audit(tmp_path) if check.result == "failed"}
    assert failed == {"table", "chance"}


def test_the_null_is_what_the_metrics_are_of_permuted_truths(run):
    """Computed at once for all permutations, and one by one through the table of predictions."""
    rows = read_predictions(run / "predictions.csv")
    null = null_of_fixed(rows, 6, seed=3)["sign"]["vlm"]
    clips = rows.drop_duplicates("clip_id").sort_values("clip_id")
    drawn = many_permutations(clips["participant_id"], clips["truth"], 6, np.random.default_rng(3))
    for number, truths in enumerate(drawn):
        own = rows[rows["model"] == "vlm"].sort_values("clip_id").assign(truth=truths)
        wrong = [{"yes": "no", "no": "yes"}[truth] for truth in truths]
        score = [float(truth == "no") for truth in truths]
        own["predicted"] = own["predicted"].where(own["answered"], wrong)
        own["score"] = own["score"].where(own["answered"], score)
        again = values(own)["sign"]["vlm"]
        for name, found in null.items():
            assert found[number] == pytest.approx(again[name], abs=1e-6), name


def test_left_out_is_left_out_for_all_models(tmp_path):
    settings = Judge(
        str(long_table(tmp_path)),
        str(tmp_path / "run"),
        unanswered="out",
        draws=200,
        permutations=9,
    )
    judge(settings)
    found = metrics(tmp_path / "run")
    assert found["clips"] == 5
    assert found["models"]["vlm"]["metrics"]["accuracy"]["value"] == 4 / 5
    assert found["models"]["always"]["metrics"]["accuracy"]["value"] == 3 / 5
    assert audit(tmp_path / "run")[4].result == "passed"  # the null is of the same clips


def test_words_of_a_file_map_what_the_classes_names_do_not(tmp_path):
    (tmp_path / "words.yaml").write_text('"yes": ["yes, *", probable]\nno answer: ["i cannot *"]\n')
    mapping = Mapping("tonic", ["no", "yes"], read_words(tmp_path / "words.yaml"))
    assert mapping.find("Yes, clearly.") == ("yes", True)
    assert mapping.find("I cannot see the patient") == (None, True)
    assert mapping.find("no, and yes") == (None, False)
    assert mapping.find("present") == ("yes", True) and mapping.find("FALSE") == ("no", True)
    (tmp_path / "both.yaml").write_text('"yes": ["*left*"]\n"no": ["*right*"]\n')
    with pytest.raises(UserError, match="matches words of yes and no"):
        Mapping("tonic", ["no", "yes"], read_words(tmp_path / "both.yaml")).find("left or right")


def test_nothing_is_searched_for_inside_a_sentence():
    assert plain("  'Left'. ") == "left"
    mapping = Mapping("side", ["left", "right"])
    assert mapping.find("The head turns left") == (None, False)
    assert mapping.find("0") == (None, False)  # a word of no and yes, not of left and right
    assert inside('{"side": "left", "answer": "right"}', "side").startswith("{")  # two answers


def test_several_signs_and_models_in_columns_are_the_same_as_in_rows(tmp_path):
    wide = pd.DataFrame(
        {
            "clip_id": [f"c{number}" for number in range(6)],
            "patient": [f"P{number}" for number in range(6)],
            "tonic:truth": [1, 0, 1, 0, 1, 0],
            "tonic:a": [1, 0, 0, 0, 1, "n/a"],
            "tonic:b": [0.9, 0.2, 0.6, 0.4, 0.7, 0.5],
            "side:truth": ["left", "right", "", "left", "right", "left"],
            "side:a": ["Left", "left", "left", "right", "right", "left"],
        }
    )
    wide.to_csv(tmp_path / "wide.tsv", sep="\t", index=False)
    long = [
        dict(zip(("clip_id", "patient"), own), sign=sign, model=model, truth=truth, **given)
        for sign, models in {"tonic": ("a", "b"), "side": ("a",)}.items()
        for model in models
        for *own, truth, cell in wide[
            ["clip_id", "patient", f"{sign}:truth", f"{sign}:{model}"]
        ].itertuples(index=False)
        for given in [{"score" if model == "b" else "answer": cell}]
    ]
    pd.DataFrame(long).to_csv(tmp_path / "long.csv", index=False)
    tables = []
    for name in ("wide.tsv", "long.csv"):
        out = tmp_path / name[:4]
        judge(Judge(str(tmp_path / name), str(out), draws=100, permutations=5))
        tables.append((out / "predictions.csv").read_text())
    assert tables[0] == tables[1]
    rows = read_predictions(tmp_path / "wide" / "predictions.csv")
    kinds = yaml.safe_load((tmp_path / "wide" / "config.yaml").read_text())["judged"]["kinds"]
    assert kinds == {"tonic": {"a": "answers", "b": "probabilities"}, "side": {"a": "answers"}}
    side = rows[rows["task"] == "side"]
    assert len(side) == 5 and list(side["scores"].iloc[0]) == ["left", "right"]
    # one half is not above one half
    assert rows[(rows["model"] == "b") & (rows["clip_id"] == "c5")]["predicted"].item() == "0"
    found = json.loads((tmp_path / "wide" / "metrics.json").read_text())["tasks"]["tonic"]["models"]
    # squared distances 0.01, 0.04, 0.16, 0.16, 0.09, 0.25
    assert found["b"]["metrics"]["brier"]["value"] == pytest.approx(0.71 / 6)
    assert found["b"]["calibration"]["brier"] == pytest.approx(0.71 / 6)


def table_of(folder: Path, **columns: list) -> Path:
    own = dict(
        clip=["a", "b", "c", "d"], participant=["P1", "P2", "P3", "P4"], truth=["no", "yes"] * 2
    )
    pd.DataFrame(own | columns).to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def test_scores_that_are_no_probabilities_need_a_threshold_and_keep_their_order(tmp_path):
    table = table_of(tmp_path, score=[-2.0, 7.5, 3.0, 3.5])
    with pytest.raises(UserError, match=r"row 2: score -2 is no probability \(4 rows like this\)"):
        judge(Judge(str(table), str(tmp_path / "run")))
    assert not (tmp_path / "run").exists()
    judge(Judge(str(table), str(tmp_path / "run"), threshold=3.2, draws=100, permutations=5))
    rows = read_predictions(tmp_path / "run" / "predictions.csv").set_index("clip_id")
    assert rows["predicted"].to_dict() == {"a": "no", "b": "yes", "c": "no", "d": "yes"}
    assert list(rows["score"].sort_values().index) == ["a", "c", "d", "b"]
    assert metrics(tmp_path / "run")["models"]["model"]["calibration"] is None


def test_answers_and_scores_that_disagree_are_two_models(tmp_path):
    table = table_of(tmp_path, score=[0.1, 0.9, 0.8, 0.6], answer=["no", "yes", "no", "yes"])
    judge(Judge(str(table), str(tmp_path / "run"), draws=100, permutations=5))
    found = metrics(tmp_path / "run")["models"]
    assert found["model"]["metrics"]["accuracy"]["value"] == 1
    assert found["model (score)"]["metrics"]["accuracy"]["value"] == 0.75


def test_a_row_that_a_model_lacks_is_no_answer_and_the_audit_says_so(tmp_path):
    table = pd.read_csv(long_table(tmp_path))
    table = table[~((table["model"] == "always") & (table["clip"] == "c1"))]
    table.to_csv(tmp_path / "answers.csv", index=False)
    judge(Judge(str(tmp_path / "answers.csv"), str(tmp_path / "run"), draws=100, permutations=5))
    assert metrics(tmp_path / "run")["models"]["always"]["confusion"] == [[0, 4], [1, 3]]
    checks = {check.name: check for check in audit(tmp_path / "run")}
    assert "always has no row for 1 clips" in checks["predicted once"].found


def test_a_word_in_the_names_of_clips_that_tells_the_truth_fails_the_audit(tmp_path):
    table = table_of(tmp_path, answer=["no", "yes", "no", "yes"])
    named = pd.read_csv(table).assign(clip=["A@nes_v1", "B@sz_v1", "C@nes_v2", "D@sz_v2"])
    named.to_csv(table, index=False)
    judge(Judge(str(table), str(tmp_path / "run"), draws=100, permutations=5))
    [names] = [check for check in audit(tmp_path / "run") if check.name == "names"]
    assert names.result == "failed"
    assert {finding.about[2] for finding in names.findings} == {"nes", "sz"}


@pytest.mark.parametrize(
    "change, words",
    [
        (
            lambda table: table.drop(columns="participant"),
            "no column participant_id or participant",
        ),
        (lambda table: table.assign(participant=["P1", "", "P3", "P4"]), "row 3.*is empty"),
        (lambda table: table.drop(columns="answer"), 'no column "answer" or "score"'),
        (lambda table: table.assign(truth=""), "no row has a truth"),
        (lambda table: table.assign(truth="left"), "'left' in all rows"),
        (lambda table: table.assign(clip=["a", "b", "c", "a"]), "row 5: a second prediction"),
        (lambda table: table.assign(answer="n/a"), "no model answered any clip"),
    ],
)
def test_bad_tables_are_refused_in_one_line_and_nothing_is_written(tmp_path, capsys, change, words):
    table = table_of(tmp_path, answer=["no", "yes", "no", "yes"])
    change(pd.read_csv(table)).to_csv(table, index=False)
    assert main(["judge", str(table), "--out", str(tmp_path / "run")]) == 2
    printed = capsys.readouterr().err.strip()
    assert re.search(words, printed) and "\n" not in printed and "Traceback" not in printed
    assert not (tmp_path / "run").exists()


def test_a_run_of_our_own_is_not_overwritten(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "predictions.csv").write_text("task\n")
    table = table_of(tmp_path, answer=["no", "yes", "no", "yes"])
    with pytest.raises(UserError, match="holds a run of another kind"):
        judge(Judge(str(table), str(tmp_path / "run")))


def test_truths_that_differ_in_case_are_one_class(tmp_path):
    table = table_of(tmp_path, answer=["no", "yes", "no", "yes"])
    pd.read_csv(table).assign(truth=["no", "Yes", "yes", "Yes"]).to_csv(table, index=False)
    assert read_outside(Judge(str(table), "run")).rows["truth"].tolist() == ["no"] + ["Yes"] * 3
