"""The report: right numbers, one self-contained file, from the predictions alone or with all other
files of a run.
"""

import html.parser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from report_run import audit, fold, write_adjacency, write_everything, write_predictions

from semiology.errors import UserError
from semiology.evaluation.report import write_report
from semiology.evaluation.report.explanations import read_links
from semiology.evaluation.report.figures import link_strength, null_counts, strongest_links
from semiology.evaluation.report.inputs import without_folders
from semiology.evaluation.report.protocol import fitted
from semiology.evaluation.run.files import digests, places_from
from semiology.evaluation.run.predictions import read_predictions


class Page(html.parser.HTMLParser):
    """The page's text, tags, marks, and every attribute that could fetch something."""

    def __init__(self, text: str):
        super().__init__()
        self.references: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.ids: list[str] = []
        self.marks = re.findall(r"<title>([^<]*): ([a-z ]+)</title><use", text)
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [
            value or ""
            for name, value in attrs
            if name in ("src", "href", "xlink:href", "action", "data", "srcset")
        ]
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def everything(tmp_path_factory) -> Path:
    """A run with all files, reported."""
    run = tmp_path_factory.mktemp("everything")
    write_everything(run)
    write_report(run)
    return run


@pytest.fixture
def copy(everything, tmp_path) -> Path:
    """The same run, to be changed."""
    return shutil.copytree(everything, tmp_path / "run")


@pytest.fixture(scope="module")
def page(everything) -> Page:
    return Page((everything / "report.html").read_text())


def test_report_from_predictions_alone_holds_the_numbers_counted_by_hand(tmp_path):
    write_predictions(tmp_path)
    assert write_report(tmp_path) == tmp_path / "report.html"
    page = Page((tmp_path / "report.html").read_text())
    # AGCN: of 4 with the sign 3 found, one false alarm: F1 = 6 / 8, accuracy 6 / 8; the others: F1
    # = 6 / 7, accuracy 7 / 8
    assert "0.75 / 0.75" in page.text and page.text.count("0.86 / 0.88") == 2
    assert re.search(r"75 to 88 % of 8 clips \D+ \(3 models\) 50 % \D+ “absent”", page.text)
    assert "0.83 / 0.81" in page.text and "38 videos of 19 patients" in page.text
    assert "8 clips of 8 participants" in page.text
    assert "present in 4 clips, 4 participants" in page.text
    assert re.search(r"dystonia [a-z ]+, from pose, [a-z ]+\?", page.text)
    assert "0.67 / 0.50 always “present”" in page.text
    assert "– Data leakage check: not run" in page.text and "Not a medical device" in page.text
    # without the files that they need, these parts are not there
    assert not {"looked", "probe", "reproduction", "tracking", "calibrated"} & set(page.ids)
    assert {"design", "result", "chance", "errors", "limits", "words", "tripod"} <= set(page.ids)
    assert "Synthetic" not in page.text and "Not assessable in" not in page.text
    assert not re.search(r"of \d+ permutations", page.text)
    evaluated = json.loads((tmp_path / "metrics.json").read_text())["tasks"]["dystonia (pose)"][
        "models"
    ]["agcn"]
    assert evaluated["metrics"]["f1"]["value"] == 0.75 and evaluated["confusion"] == [
        [3, 1],
        [1, 3],
    ]


def test_every_participant_and_clip_has_a_mark_for_every_model(page):
    marks = {}
    for clip, mark in page.marks:
        marks.setdefault(clip, []).append(mark)
    assert set(marks) == {*(f"P{number}_a" for number in range(1, 9)), "P3_b", "P9_b"}
    assert all(len(of_models) == 3 for of_models in marks.values())
    assert (
        sorted(marks["P1_a"]) == ["correct", "correct", "wrong"] and marks["P8_a"] == ["wrong"] * 3
    )
    assert (
        marks["P2_a"] == ["abstained"] * 3
        and marks["P3_b"] == marks["P9_b"] == ["not assessable"] * 3
    )
    assert all(
        re.search(rf"\bP{number} (absent|present)", page.text) for number in range(1, 10)
    )  # P9 has no other clip


def test_seeds_that_disagree_are_marked_so(tmp_path):
    write_predictions(tmp_path, seeds=(0, 1), models=("tcn",))
    table = (tmp_path / "predictions.csv").read_text()
    right, wrong = (
        '0.9,"{""absent"": 0.1, ""present"": 0.9}"',
        '0.1,"{""absent"": 0.9, ""present"": 0.1}"',
    )
    assert f"tcn,1,P5,P5_a,P5,present,present,{right}" in table
    (tmp_path / "predictions.csv").write_text(
        table.replace(
            f"tcn,1,P5,P5_a,P5,present,present,{right}", f"tcn,1,P5,P5_a,P5,present,absent,{wrong}"
        )
    )
    assert ("P5_a", "mixed") in Page(write_report(tmp_path).read_text()).marks


def test_report_is_one_file_that_fetches_and_runs_nothing(everything, page):
    text = (everything / "report.html").read_text()
    assert page.references and all(reference.startswith("#") for reference in page.references)
    assert {reference[1:] for reference in page.references} <= set(
        page.ids
    )  # every link leads somewhere
    assert not {"script", "link", "iframe", "img", "object", "embed"} & set(page.tags)
    assert not re.search(r"@import|url\(|https?://", text)
    assert "default-src 'none'" in text


def test_all_files_of_the_run_are_shown(page):
    assert page.text.index("Synthetic: rendered figures.") < page.text.index("Result")
    assert "Clip P9_a was left out: <not scored>." in page.text
    assert "Not tested: dystonia (pose) (TCN, AGCN + distillation)." in page.text
    assert "0.0412" in page.text and "participants 8" in page.text and "dystonia 4 4" in page.text
    assert "2 seeds: F1 0.75–0.75" in page.text
    assert "F1 changes by +0.11" in page.text  # 6/7 - 6/8
    assert "2 clips were not assessable" in page.text
    assert "P3_b (found in 4 % of frames)" in page.text


def test_p_is_shown_with_its_resolution(page):
    # AUC of AGCN: by hand 9 of 16 pairs concordant, 6 tied: 0.75; of the three null values with a
    # number one (0.9) is as good: p = 2 / 4
    assert re.search(r"1 of 3 permutations [a-z ]+: p = 0\.50\. [^.]* 0\.25:", page.text)
    assert re.search(r"AGCN \(the only one tested\): [a-z ]+, 3 permutations", page.text)
    assert (
        "0.40 (0.12–0.78)" in page.text and "0.400" in page.text
    )  # F1 0.75 is reached by one of four: p = 2 / 5


def test_a_model_whose_null_has_no_auc_is_tested_by_another_metric(tmp_path):
    write_predictions(tmp_path, models=("agcn", "linear"))
    null = {
        "dystonia (pose)": {
            "linear": {"accuracy": [0.5] * 30, "balanced_accuracy": [0.5] * 29 + [0.9]}
        }
    }
    (tmp_path / "null.json").write_text(json.dumps(null))
    page = Page(write_report(tmp_path).read_text())
    # balanced accuracy 7/8, reached by one of thirty: p = 2 / 31
    assert "Linear (the only one tested): not shown, p = 0.065" in page.text
    assert re.search(r"1 of 30 permutations [a-z ]+: p = 0\.065\. [^.]*30[^.]* 0\.032\.", page.text)
    assert "Not tested: dystonia (pose) (AGCN)." in page.text


def test_histogram_counts_the_null():
    counts = null_counts([0.0, 0.04, 0.07, None, 0.5, 1.0])
    assert (
        counts[0] == 2
        and counts[1] == 1
        and counts[10] == 1
        and counts[19] == 1
        and counts.sum() == 5
    )


def test_verdict_of_the_audit_stands_near_the_top(page, copy):
    assert page.text.index("✗ Data leakage check: failed 1 of 3 checks failed") < page.text.index(
        "Leave-one-subject-out"
    )
    assert (
        "the camera predicts dystonia (AUC 0.91, p = 0.01)" in page.text
        and "centre 0.5" in page.text
        and "2 checks passed" in page.text
    )
    for verdict, words in (
        ("passed", "✓ Data leakage check: passed"),
        ("incomplete", "? Data leakage check: incomplete"),
    ):
        (copy / "audit.json").write_text(json.dumps(audit(verdict, copy)))
        assert words in Page(write_report(copy).read_text()).text


def test_an_audit_of_other_predictions_is_not_shown_as_this_ones(copy):
    text = (copy / "predictions.csv").read_text()
    (copy / "predictions.csv").write_text(text.replace("P8_a", "P8_b"))
    shown = Page(write_report(copy).read_text()).text
    assert "? Data leakage check: of other predictions" in shown and "semiology audit" in shown
    assert "the camera predicts dystonia" not in shown and "Not checked: whether camera" in shown
    (copy / "predictions.csv").write_text(text)
    (copy / "null.json").unlink()
    assert "leakage check: of other predictions" in Page(write_report(copy).read_text()).text


def test_what_was_fitted_on_whom_is_counted_in_the_records(page):
    assert "weights of the models 2 ✓ none" in page.text
    assert (
        "calibration of the probabilities 1 ✗ in 1 of 1 fits" in page.text
    )  # the record says that it saw the held-out clip
    assert "Leave-one-subject-out cross-validation" in page.text
    assert re.search(r"repeated 4 times [a-z ]+ permuted", page.text)


def test_records_that_the_table_does_not_name_count_for_nothing(copy):
    old = {**fold(["P2_a"]), "task": "dystonia (earlier)"}
    (copy / "folds/dystonia-earlier/seed-0").mkdir(parents=True)
    (copy / "folds/dystonia-earlier/seed-0/P1.json").write_text(json.dumps(old))
    (copy / "folds/dystonia-pose/seed-0/03.json").write_text(
        json.dumps({**fold(["P2_a"]), "fold": "03"})
    )  # another split
    assert [
        entry["fits"] for entry in fitted(copy, read_predictions(copy / "predictions.csv"))
    ] == [1, 1, 1]


def test_calibration_and_abstention(page):
    # AGCN calls 6 of 8 rightly at 0.9 or 0.1: Brier (6 * 0.01 + 2 * 0.81) / 8 = 0.21; calibrated to
    # 0.8 and 0.2:
    # (6 * 0.04 + 2 * 0.64) / 8 = 0.19; its two bins hold 4 clips each, a quarter wrong: error 0.15
    # before, 0.05 after
    row = re.search(r"AGCN 0\.21 0\.15 (0\.\d\d) 0\.19 0\.05", page.text)
    assert row and 0 < float(row[1]) < 0.4
    # 7 of 8 clips have a definite prediction, 5 of these are correct; the set of the abstained clip
    # holds both classes: 6 of 8 sets hold the truth
    assert "AGCN 88 % 71 % 75 %" in page.text


def test_explanation_is_drawn_and_checked(everything, page):
    assert "left wrist 65 %" in page.text and "contributed equally: 25 % each." in page.text
    assert (
        "mean of 4 clips, of held-out participants. The patient’s left is on the right" in page.text
    )
    assert "✓ Sanity check passed" in page.text and "correlation with it 0.08" in page.text
    assert re.search(r"85 % of [a-z ]+ \(95 % interval 70–95 %, chance 50 %\)\.", page.text)
    text = (everything / "report.html").read_text()
    radii = {
        joint: float(size)
        for size, joint in re.findall(r'r="([\d.]+)"[^>]*><title>([a-z ]+): \d+ %', text)
    }
    assert radii["left wrist"] > radii["left elbow"] > radii["neck"] > radii["right elbow"] > 0
    assert "Links for all clips (A + B)" in page.text and "neck – left wrist 67 %" in page.text


def test_probe_and_reproduction_tables(page):
    assert "Sex, from dystonia (pose), agcn" in page.text
    assert "block 1 balanced accuracy 0.75 (0.60–0.90) 0.010 0.25 1" in page.text
    assert "Compared with the paper: Hou et al. 2022" in page.text
    assert (
        "dystonia, AGCN: F1 0.78 (0.60–0.90) 0.75 (0.40–0.90) −0.03 (−0.40 to 0.20) ? cannot tell"
        in page.text
    )
    assert "tracked by another backend" in page.text and "which 3D estimator" in page.text


def test_configuration_loses_its_folders(everything):
    text = (everything / "report.html").read_text()
    assert "cohort: …/cohort" in text and "windows: …/cohort" in text and "ratio: 1/2" in text
    assert "Jane" not in text
    assert without_folders("a: ~/films/x.mp4") == "a: …/x.mp4"


def test_the_clips_are_opened_by_a_command_in_the_reports_folder(tmp_path, everything):
    run = tmp_path / "it's" / "run"
    write_predictions(run)
    places = places_from(
        {"cohort": tmp_path / "it's/cohort", "store": run / "store", "out": run}, run
    )
    (run / "config.yaml").write_text(yaml.safe_dump(places))
    text = Page(write_report(run).read_text()).text
    command = "semiology review ../cohort --store store --run . --rater NAME"
    assert f"in the folder of this report {command}" in text
    for cohort in (
        "/data/Jane Doe/a",
        "C:\\Jane Doe\\a",
        "~/Jane Doe/a",
    ):  # folders with a patient's name
        (run / "config.yaml").write_text(yaml.safe_dump(places | {"cohort": cohort}))
        text = write_report(run).read_text()
        assert "semiology review" not in text and "Jane Doe" not in text
    assert "semiology review" not in Page((everything / "report.html").read_text()).text
    (run / "config.yaml").write_text(yaml.safe_dump(places | {"store": None}))
    assert "semiology review" not in write_report(run).read_text()


def test_hostile_names_stay_text(tmp_path):
    write_predictions(tmp_path)
    evil = "<script>alert(1)</script>"
    text = (
        (tmp_path / "predictions.csv")
        .read_text()
        .replace("P1_a", evil)
        .replace("agcn_kd", "<b>kd</b>")
        .replace("dystonia (pose)", "a & <i>b</i>")
    )
    (tmp_path / "predictions.csv").write_text(text)
    (tmp_path / "notes.json").write_text(json.dumps(["Synthetic " + evil, evil]))
    checks = [{"name": evil, "result": "failed", "found": evil}]
    (tmp_path / "audit.json").write_text(
        json.dumps({"verdict": "failed", "of": digests(tmp_path), "checks": checks})
    )
    found = write_report(tmp_path).read_text()
    assert "<script" not in found and "<b>kd" not in found and "<i>b</i>" not in found
    assert found.count("&lt;script&gt;") >= 6


def test_links_off_the_skeleton_are_measured_in_bones():
    fixed = np.zeros((1, 3, 3))
    fixed[0, 0, 1], fixed[0, 1, 2] = 1, 3  # two bones, on the mean 2
    learned = np.zeros((1, 3, 3))
    learned[0, 0, 2], learned[0, 2, 0] = 0.25, -0.75  # both directions count, by size
    strength = link_strength(fixed, learned)
    assert strongest_links(strength, np.array([[0, 1], [1, 2]])) == [(0, 2, 0.5)]


def test_untrained_links_are_not_drawn(tmp_path):
    write_adjacency(tmp_path / "a.npz", 1e-6)
    drawn = read_links(tmp_path / "a.npz")
    assert (
        drawn["pairs"] == []
        and drawn["figure"].count("<line") == 3
        and "<path" not in drawn["figure"]
    )
    assert read_links(tmp_path / "none.npz") == {}


def test_damaged_links_are_one_sentence(tmp_path):
    path = tmp_path / "a.npz"
    arrays = dict(A=np.zeros((1, 2, 2)), B=np.zeros((1, 2, 2)), layout=np.eye(2))
    np.savez(path, joints=["a", "b"], edges=np.array([[0, 1]]), **arrays)
    whole = path.read_bytes()
    end = whole.index(b"PK\1\2") - 1  # the last byte of the arrays
    for damaged in (whole[:end] + bytes([whole[end] ^ 1]) + whole[end + 1 :], whole[:-40]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"a\.npz: not an adjacency archive"):
            read_links(path)


def test_links_of_the_final_model_are_drawn_where_no_explanation_has_them(copy):
    shutil.rmtree(copy / "explanation")
    text = Page(write_report(copy).read_text()).text
    assert "neck – left wrist · 50 %" in text and "left is on the right" in text


DAMAGED = {
    "notes.json": "{",
    "null.json": "[1, 2]",
    "cohort.json": "[]",
    "not_assessable.json": '{"dystonia (pose)": [{"participant_id": "P1"}]}',
    "audit.json": '{"checks": []}',
    "reproduction.json": '{"rows": [{"published": 1}]}',
    "config.yaml": "a: [1, 2",
    "explanation/dystonia-pose-agcn.json": (
        '{"task": "t", "model": "m", "joints": {"neck": "much"}}'
    ),
    "probe/dystonia-pose-agcn-sex.json": "{",
    "adjacency/dystonia-pose-agcn.npz": "{",
    "folds/dystonia-pose/seed-0/P1.json": "[",
}


FORMS = [  # what is JSON or YAML, and not what it has to be
    ("config.yaml", "split: participant"),
    ("config.yaml", "calibration: temperature"),
    ("config.yaml", "tasks: {dystonia: {models: agcn}}"),
    ("null.json", '{"dystonia (pose)": []}'),
    ("null.json", '{"dystonia (pose)": {"agcn": {"auc": 0.5}}}'),
    ("null.json", '{"dystonia (pose)": {"agcn": {"auc": ["x"]}}}'),
    *(
        ("folds/dystonia-pose/seed-0/P1.json", json.dumps(fold(["P2_a"]) | change))
        for change in ({"models": []}, {"clips": None})
    ),
    (
        "folds/dystonia-pose/seed-0/P1.json",
        json.dumps(fold(["P2_a"]) | {"models": {"agcn": {"seen": None}}}),
    ),
    ("folds/dystonia-pose/seed-0/P1.json", json.dumps(fold(["P2_a"]) | {"inner": [{}]})),
    ("folds/dystonia-pose/seed-0/P1.json", json.dumps(fold(["P2_a"]) | {"levels": ["absent"]})),
]


@pytest.mark.parametrize(("name", "content"), [*DAMAGED.items(), *FORMS])
def test_a_damaged_file_is_named_in_one_line(copy, name, content):
    (
        (copy / "explanation" / "dystonia-pose-agcn.json").unlink()
        if name.startswith("adjacency")
        else None
    )
    (copy / name).write_text(content)
    with pytest.raises(UserError, match=re.escape(name)) as caught:
        write_report(copy)
    assert "\n" not in str(caught.value) and "`semiology " in str(caught.value)


def test_making_it_again_changes_nothing(copy):
    first = (copy / "report.html").read_text(), (copy / "metrics.json").read_text()
    assert (write_report(copy).read_text(), (copy / "metrics.json").read_text()) == first
    assert not list(copy.glob(".part-*"))


def test_the_report_needs_neither_torch_nor_matplotlib():
    code = (
        "import sys, semiology.evaluation.report; print('torch' in sys.modules, 'matplotlib' in"
        " sys.modules)"
    )
    assert subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split() == ["False", "False"]
