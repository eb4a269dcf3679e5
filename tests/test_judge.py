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
        (lambda table: table.assign(truth="yes"), "'yes' in all rows"),
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


def first_screen(run: Path) -> str:
    page = (run / "report.html").read_text().replace("\N{NO-BREAK SPACE}", " ")
    return re.search(r'<table class="short">.*?</table>', page, re.DOTALL)[0]


def test_what_is_below_the_trivial_answer_is_never_better_than_chance(tmp_path):
    """20 people, half of the clips with the sign; 22 of 40 refused, the other answers right."""
    people = [f"P{number // 2}" for number in range(40)]
    truth = ["yes"] * 20 + ["no"] * 20
    answer = ["yes"] * 9 + ["refused"] * 11 + ["no"] * 9 + ["refused"] * 11
    rows = dict(clip=range(40), participant=people, truth=truth, answer=answer)
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    run = judge(Judge(str(tmp_path / "t.csv"), str(tmp_path / "run"), draws=100)).run
    found = metrics(run)["models"]["model"]["metrics"]
    assert found["auc"]["value"] == pytest.approx(9 / 20)  # sensitivity and specificity
    assert found["auc"]["null"]["p"] <= 0.05 and found["auc"]["null"]["median"] < 0.45
    assert "AUC of 0.45 is not above 0.50, which needs no information" in first_screen(run)
    assert "Yes" not in first_screen(run)
    assert "not better than chance, whatever p" in (run / "report.html").read_text()


def test_two_participants_have_no_interval_and_are_not_called_precise(tmp_path):
    rows = dict(clip=range(4), participant=["A", "A", "B", "B"], truth=["no", "yes"] * 2)
    pd.DataFrame(rows | {"answer": "yes"}).to_csv(tmp_path / "t.csv", index=False)
    settings = Judge(str(tmp_path / "t.csv"), str(tmp_path / "run"), draws=100, permutations=9)
    run = judge(settings).run
    accuracy = metrics(run)["models"]["model"]["metrics"]["accuracy"]
    assert accuracy["value"] == 0.5 and accuracy["low"] is None
    assert accuracy["reason"] == "2 participants are too few to resample"
    assert "precise" not in first_screen(run) and "2 participants are too few" in first_screen(run)


def wide_of(folder: Path, model: list, *options: str, truth: list | None = None) -> Path:
    table = table_of(folder, vlm=model, **({"truth": truth} if truth else {}))
    command = ["judge", str(table), "--models", "vlm", "--out", str(folder / "run")]
    assert main([*command, "--draws", "100", "--permutations", "5", *options]) == 0
    return folder / "run"


def test_whole_numbers_are_scores_where_a_threshold_is_given(tmp_path):
    rows = read_predictions(
        wide_of(tmp_path, [1, 7, 0, 5], "--threshold", "4") / "predictions.csv"
    ).set_index("clip_id")
    assert rows["predicted"].to_dict() == {"a": "no", "b": "yes", "c": "no", "d": "yes"}
    assert list(rows["score"].sort_values().index) == ["c", "a", "d", "b"]


def test_a_threshold_without_scores_is_an_error(tmp_path):
    table = table_of(tmp_path, answer=[1, 7, 0, 5])
    with pytest.raises(UserError, match="a threshold is of scores"):
        read_outside(Judge(str(table), "run", threshold=4.0))


def test_a_refusal_among_scores_is_no_answer_and_other_text_an_error(tmp_path):
    rows = read_predictions(
        wide_of(tmp_path, ["0.2", "refused", "0.4", "0.9"]) / "predictions.csv"
    ).set_index("clip_id")
    assert rows["answered"].to_dict() == {"a": True, "b": False, "c": True, "d": True}
    assert rows.loc["d", "score"] == 0.9
    table = table_of(tmp_path, vlm=["0.2", "yes", "0.4", "0.9"])
    with pytest.raises(UserError, match=r"row 3.*'yes' is not a number"):
        read_outside(Judge(str(table), "run", models=["vlm"]))


def test_the_classes_are_printed_and_doubtful_ones_named(tmp_path, capsys):
    wide_of(tmp_path, ["no", "yes", "no", "yes"], truth=["no", "yess", "no", "yes"])
    printed = capsys.readouterr().out
    assert "sign: 3 classes: yess beside no, yes; if two are meant" in printed
    wide_of(tmp_path, ["no", "yes", "no", "yes"], truth=["0", "yes", "no", "True"])
    printed = capsys.readouterr().out
    assert "sign: classes 0 (2), yes (2); yes is the sign" in printed
    assert "sign: truths True, no are taken for 0, yes" in printed


def test_a_table_between_semicolons_has_decimal_commas(tmp_path):
    lines = ["clip;participant;truth;score", "a;P1;no;0,25", "b;P2;yes;0,5"]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    found = read_outside(Judge(str(tmp_path / "t.csv"), "run"))
    assert found.rows["score"].tolist() == [0.25, 0.5]
    assert found.notes == ("columns are separated by semicolons: 2 decimal commas in numbers",)


def test_a_report_of_something_else_is_not_overwritten(tmp_path):
    (tmp_path / "report.html").write_text("another")
    table = table_of(tmp_path, answer=["no", "yes", "no", "yes"])
    with pytest.raises(UserError, match=r"another kind \(report.html\)"):
        judge(Judge(str(table), str(tmp_path)))
    assert (tmp_path / "report.html").read_text() == "another"


def test_the_report_speaks_of_no_folds_and_names_no_clips(run):
    page = (run / "report.html").read_text()
    assert "pooled over folds" not in page and "Cross-validation does not" not in page
    assert not re.search(r"c[1-8]: (correct|wrong)", page)
    [answers] = [check for check in audit(run) if check.name == "answers"]
    assert answers.found.startswith("no: ") and answers.result == "not possible"
