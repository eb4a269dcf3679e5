"""`semiology reproduce s3` on made-up tables in the repository's layout; values by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from semiology.cli.main import main
from semiology.errors import UserError
from semiology.experiments.reproduce.s3 import onset_errors, quantile
from semiology.experiments.reproduce.s3_tables import read_s3, video_of

PATIENTS = [*"AAEEBBFFCCGG"]  # two videos each: A, B, C have epileptic seizures
VIDEOS = [
    f"{who}0001@1-2-2020@{'sz' if who in 'ABC' else 'nes'}_v{number % 2 + 1}_1.mp4"
    for number, who in enumerate(PATIENTS)
]
ES = [who in "ABC" for who in PATIENTS]
YES = {  # sign -> videos that have it; the first three are of all epileptic seizures but one
    "tonic": [own and number != 9 for number, own in enumerate(ES)],
    "blank_stare": [own and number != 0 for number, own in enumerate(ES)],
    "close_eyes": [own and number != 4 for number, own in enumerate(ES)],
    "clonic": [number < 3 for number in range(12)],
    "arm_flexion": [number < 4 for number in range(12)],
    "figure4": [number < 1 for number in range(12)],
    "head_turning": [number % 2 == 0 for number in range(12)],
    "pelvic_thrusting": [False] * 12,
}


def yes_no(values) -> list[str]:
    return ["yes" if value else "no" for value in values]


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("suite")
    truth, model = folder / "result/ground_truth", folder / "result/vlm_inference/Model-7B"
    truth.mkdir(parents=True)
    model.mkdir(parents=True)
    signs = pd.DataFrame({"file_name": VIDEOS} | {sign: yes_no(own) for sign, own in YES.items()})
    signs["justification_for_tonic"] = "stiff, then\nrelaxed"
    signs.to_csv(truth / "task12_annotation.csv", index=False)
    answers = signs.assign(tonic=["yes"] * 6 + ["no"] * 5 + [""])
    answers["file_name"] = answers["file_name"].str.replace(".mp4", ".wav")
    answers.to_csv(model / "Task1_Model-7B_all_merged.csv", index=False)
    answers.head(3).to_csv(model / "Task1_Model-7B_1-3.csv", index=False)
    sides = ["right", "left", "right ", "left", "right"] + ["N/A"] * 7
    pd.DataFrame(
        {"file_name": VIDEOS, "left_right_head_turning": sides, "left_right_arm_movement": "N/A"}
    ).to_csv(truth / "task3_spatial_annotation.csv", index=False)
    pd.DataFrame(
        {"video_name": VIDEOS[:5], "head_turning_direction": [*["left"] * 3, "left", "right"]}
    ).to_csv(model / "Task3_HT_Model-7B.csv", index=False)
    onsets = [f"{video[:-4]}_tonic.mp4" for video in VIDEOS[:4]]
    pd.DataFrame({"file_name": onsets, "target_time": [30, 30, 30, 10], "feature": "tonic"}).to_csv(
        truth / "Task4_time_annotation.csv", index=False
    )
    pd.DataFrame(
        {"file_name": onsets, "feature": "tonic", "timestamp": ["00:30", "00:33", "", "01:10"]}
    ).to_csv(model / "Task4_Model-7B_all.csv", index=False)
    labels = ["ES" if own else "NES" for own in ES]
    pd.DataFrame({"file_name": VIDEOS, "label": labels, "report": "x"}).to_csv(
        truth / "task7_annotation.csv", index=False
    )
    pd.DataFrame(
        {
            "file_name": VIDEOS,
            "prediction_with_report": labels,
            "prediction_without_report": ["ES"] * 10 + ["NES", "it may be an ES"],
        }
    ).to_csv(model / "Task7_Model-7B_all.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def found(copy, tmp_path_factory) -> dict:
    out = tmp_path_factory.mktemp("s3") / "out"
    line = ["reproduce", "s3", str(copy), "--out", str(out), "--draws", "100"]
    assert main([*line, "--permutations", "9"]) == 0
    document = json.loads((out / "reproduction.json").read_text())
    return {row["what"]: row for row in document["rows"]} | {"out": out, "document": document}


def test_always_yes_and_the_model_have_the_mean_f1_of_a_count_by_hand(found):
    # 5, 5, 5, 3, 4, 1 and 6 of 12 videos have the sign: 2 x n / (n + 12)
    by_sign = [2 * n / (n + 12) for n in (5, 5, 5, 3, 4, 1, 6)]
    assert found["signs, always yes, mean F1 of 7 signs"]["obtained"] == pytest.approx(
        np.mean(by_sign)
    )
    # the model is right in all signs but tonic, which it names in A, E and B: TP 4, FP 2, FN 1, and
    # the last video, of G, has no answer and counts as wrong: FP 3
    tonic = 2 * 4 / (2 * 4 + 3 + 1)
    assert found["signs, Model-7B, mean F1 of 7 signs"]["obtained"] == pytest.approx(
        (6 + tonic) / 7
    )


def test_a_sign_that_no_video_has_is_named_as_left_out_of_the_mean(found):
    reading = found["document"]["reading"]
    assert "Mean F1 is over the signs that have one, of 8 signs in the truths (task 1 has 20)." in (
        reading
    )
    assert [line for line in reading if "Left out" in line] == [
        "Left out of every mean: pelvic_thrusting (no video has it)."
    ]


def test_published_values_stand_beside_no_model(found):
    rows = [row for row in found["document"]["rows"] if row["published"] is not None]
    assert {row["published"]: row["obtained"] for row in rows} == {8.19: None, 0.96: None}
    assert all("authors'" in row["what"] for row in rows)


def test_sides_have_balanced_measures_beside_the_commonest_side(found):
    assert found["head turning, always left, F1 of right"]["obtained"] == 0
    assert any(
        "left in 2, right in 3 of 5 videos by the truth: right is commonest" in line
        for line in found["document"]["reading"]
    )
    # right three of five times
    assert found["head turning, always right, F1 of right"]["obtained"] == pytest.approx(2 * 3 / 8)
    assert found["head turning, always right, balanced accuracy"]["obtained"] == 0.5
    assert found["head turning, always right, Matthews correlation"]["obtained"] == 0
    # right found once of three, left twice of two
    assert found["head turning, Model-7B, balanced accuracy"]["obtained"] == pytest.approx(2 / 3)
    assert not any("arm movement" in what for what in found)


def test_onset_errors_are_a_distribution_beside_always_second_thirty(found):
    table = pd.read_csv(found["out"] / "onsets.tsv", sep="\t").set_index(["model", "figure"])
    middle, model = table.loc["always second 30"]["value"], table.loc["Model-7B"]["value"]
    assert middle[["mean", "median", "within 1 s", "within 5 s"]].tolist() == [5, 0, 0.75, 0.75]
    assert model[["mean", "median"]].tolist() == [21, 3]  # 0, 3 and 60 s
    assert model["within 1 s"] == pytest.approx(1 / 3, abs=1e-5)
    assert model["within 5 s"] == pytest.approx(2 / 3, abs=1e-5)
    assert table.loc["Model-7B"]["answered"].iloc[0] == 3
    assert found["document"]["share_at_middle"] == 0.75
    assert found["onset, Model-7B (3 of 4 answered), mean error, s"]["obtained"] == 21


def test_diagnoses_are_of_the_models_and_of_signs_that_leave_a_patient_out(found):
    # ES in 6 of 12 videos: always ES has F1 2 x 6 / 18
    assert found["diagnosis, video alone, always ES, F1 by video"]["obtained"] == pytest.approx(
        2 * 6 / 18
    )
    # TP 6, FP 4 of E and F; the sentence stands for a video of G and is wrong: FP 5
    alone = found["diagnosis, video alone, Model-7B, F1 by video"]["obtained"]
    assert alone == pytest.approx(2 * 6 / (2 * 6 + 5))
    assert found["diagnosis, with report, Model-7B, F1 by video"]["obtained"] == 1
    # every video agrees with its diagnosis in at least two of three signs
    for unit in ("video", "patient"):
        row = found[f"diagnosis from clinicians' signs, logistic, F1 by {unit}"]
        assert row["obtained"] == 1, unit
    assert (found["out"] / "signs" / "report.html").is_file()


def test_of_two_tables_the_larger_is_read_and_names_are_joined_without_their_ending(copy):
    tables = read_s3(copy)
    assert len(tables.answers["signs"]["Model-7B"]) == 12
    assert any("passed over" in note for note in tables.notes)
    assert set(tables.patients.values()) == {f"{who}0001" for who in "AEBFCG"}
    assert video_of("a/b@c_1.WAV") == video_of("b@c_1.mp4") == "b@c_1"


def test_a_weighted_quantile_is_that_of_repeated_values():
    values, rng = np.array([3.0, 1.0, 7.0, 2.0]), np.random.default_rng(0)
    weights = rng.integers(1, 4, (20, 4))
    for row, found in zip(weights, quantile(values, weights.astype(float), 0.5)):
        assert found == np.median(np.repeat(values, row))


def test_without_an_answer_there_is_no_error(copy):
    truth = pd.Series({"a": 30.0, "b": 30.0})
    found = onset_errors("m", truth, pd.Series(dtype=float), pd.Series({"a": "P", "b": "Q"}))
    assert (found.n, found.answered, found.figures["mean"]["value"]) == (2, 0, None)


@pytest.mark.parametrize(
    "name, text, words",
    [
        ("x.csv", "a,b\n1,2\n", "holds no table of clinicians' truths"),
        ("task7_annotation.csv", "file_name,label\nA@1.mp4,ES\n", "no table of a model's answers"),
    ],
)
def test_a_folder_that_is_no_copy_is_refused(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=words):
        read_s3(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        read_s3(tmp_path / "none")


def test_names_without_a_patient_are_refused(tmp_path):
    (tmp_path / "task7_annotation.csv").write_text("file_name,label\nv1.mp4,ES\n")
    (tmp_path / "M").mkdir()
    (tmp_path / "M" / "Task7.csv").write_text("file_name,prediction_with_report\nv1.mp4,ES\n")
    with pytest.raises(UserError, match="'v1' names no patient"):
        read_s3(tmp_path)


def test_what_the_rows_of_one_video_contradict_is_left_out_and_counted(tmp_path):
    truth = tmp_path / "task7_annotation.csv"
    truth.write_text("file_name,label\nA@1.mp4,ES\nB@1.mp4,NES\nA@1.mp4,NES\nB@1.mp4,nes\n")
    (tmp_path / "M").mkdir()
    answers = "file_name;prediction_with_report\nA@1.mp4;ES\nB@1.mp4;\nB@1.mp4;NES\n"
    (tmp_path / "M" / "Task7.csv").write_text(answers)  # separated by semicolons
    (tmp_path / "M" / "Task9.csv").write_text("a,b\n1,2\n")
    tables = read_s3(tmp_path)
    assert tables.truths["diagnosis"]["label"].to_dict() == {"A@1": "", "B@1": "NES"}
    given = tables.answers["diagnosis"]["M"]["prediction_with_report"]
    assert given.to_dict() == {"A@1": "ES", "B@1": "NES"}
    notes = "\n".join(tables.notes)
    assert "task7_annotation.csv: videos with several rows: 2; where these contradict" in notes
    assert "nothing is taken: label (1)" in notes
    assert "M/Task7.csv: videos with several rows: 1\n" in notes
    assert "tables without columns of these tasks: 1 (M/Task9.csv)" in notes
    people = "file_name,label,patient\nA@1.mp4,ES,A\nA@1.mp4,ES,B\n"
    truth.write_text(people)
    with pytest.raises(UserError, match="several rows of different patients"):
        read_s3(tmp_path)


def test_a_strange_truth_and_a_table_without_rows_are_listed(tmp_path):
    labels = ["epileptic", "ES", "NES", "ES", "NES"]
    videos = [f"{who}@1.mp4" for who in "ABCDE"]
    truth = pd.DataFrame({"file_name": videos, "label": labels})
    truth.to_csv(tmp_path / "task7_annotation.csv", index=False)
    for name, rows in {"M": 5, "N": 0}.items():
        (tmp_path / name).mkdir()
        pd.DataFrame({"file_name": videos, "prediction_with_report": "ES"}).head(rows).to_csv(
            tmp_path / name / "Task7.csv", index=False
        )
    out = tmp_path / "out"
    line = ["reproduce", "s3", str(tmp_path), "--out", str(out), "--draws", "100"]
    assert main([*line, "--permutations", "0"]) == 1
    document = json.loads((out / "reproduction.json").read_text())
    assert "diagnosis: N/Task7.csv: has no rows" in document["not_run"]
    known = "diagnosis: truths of label that are not NES or ES are left out: 'epileptic' (1)"
    assert known in document["deviations"]
    rows = {row["what"]: row["obtained"] for row in document["rows"]}
    # four videos are left, two of them ES
    assert rows["diagnosis, with report, M, F1 by video"] == pytest.approx(2 * 2 / 6, abs=1e-6)
