"""The raters' work goes into agreement and fine-tuning without a step between."""

import json

import numpy as np
import pytest

from semiology import load_skeleton, make_tracks
from semiology.cli.main import main
from semiology.data.ratings import Rating, read_ratings, write_ratings
from semiology.data.store import Store
from semiology.errors import UserError
from semiology.evaluation.agreement import agree, read_review
from semiology.review.session import ReviewSession
from semiology.tracking.labels.io import read_labels
from semiology.video import write_video

JOINTS = load_skeleton("upper_body_11").names
SIGN = {"Levels": ["absent", "present"]}
SIDE = {"Levels": ["none", "left", "right"]}
GRADE = {"Minimum": 0.0, "Maximum": 4.0}


def rated(folder, rater, item, first, second=(), described=SIGN):
    """A rater's values of clips c0, c1, ..., two clips a participant."""
    ratings = [
        Rating(f"c{n}", f"p{n // 2}", "", reading, item, value)
        for reading, values in ((1, first), (2, second))
        for n, value in enumerate(values)
    ]
    (folder / rater).mkdir(parents=True, exist_ok=True)
    write_ratings(folder / rater, ratings, {item: described})


def figure(figures, kind, name):
    (found,) = [one for one in figures if (one.kind, one.figure) == (kind, name)]
    return found


YES, NO = "present", "absent"


def test_two_raters_and_the_second_reading_of_one(tmp_path):
    """Of eight clips both say yes in three and no in three, and differ in two, one each way: kappa
    is (6/8 - 1/2) / (1 - 1/2) = 0.5. Of five that A reads again one differs: first yes in four,
    then in three: chance is 4/5 x 3/5 + 1/5 x 2/5 = 14/25, kappa (4/5 - 14/25) / (1 - 14/25).
    """
    rated(tmp_path, "A", "tonic", [YES] * 4 + [NO] * 4, [YES, YES, NO, YES, NO])
    rated(tmp_path, "B", "tonic", [YES] * 3 + [NO, YES] + [NO] * 3)
    scores = read_review(tmp_path, "tonic")
    assert scores.raters == ("A", "B") and scores.machine == ""
    assert scores.second == {"A": "A, second reading"}
    assert scores.table["participant"].tolist() == [f"p{n // 2}" for n in range(8)]
    figures, document = agree(scores, draws=50)
    between = figure(figures, "inter-rater", "kappa_linear")
    assert (between.value, between.rows, between.participants) == (pytest.approx(0.5), 8, 4)
    within = figure(figures, "intra-rater", "kappa_linear")
    assert (within.first, within.second, within.rows) == ("A", "A, second reading", 5)
    assert within.value == pytest.approx((4 / 5 - 14 / 25) / (1 - 14 / 25))
    assert document["machine"] is None and "a row is a clip: 8 clips of 4" in document["notes"][0]


def test_grades_are_numbers_and_what_cannot_be_told_is_missing(tmp_path):
    rated(tmp_path, "A", "grade", ["0", "1", "", "4"], described=GRADE)
    rated(tmp_path, "B", "grade", ["1", "1", "2", "3"], described=GRADE)
    table = read_review(tmp_path, "grade").table
    np.testing.assert_array_equal(table["A"], [0, 1, np.nan, 4])
    bias = figure(agree(read_review(tmp_path, "grade"), draws=0)[0], "inter-rater", "bias")
    assert (bias.value, bias.rows) == (pytest.approx((-1 + 0 + 1) / 3), 3)


def test_levels_without_an_order_are_compared_one_with_the_rest(tmp_path):
    rated(tmp_path, "A", "side", ["none", "left", "right", "left"], described=SIDE)
    with pytest.raises(UserError, match=r"3 levels.*none, left, right.*--item side=none"):
        read_review(tmp_path, "side")
    assert read_review(tmp_path, "side=left").table["A"].tolist() == [0, 1, 0, 1]
    with pytest.raises(UserError, match="no level 'up'"):
        read_review(tmp_path, "side=up")


def test_a_machine_is_a_table_or_a_column_of_the_cohort(tmp_path):
    rated(tmp_path / "review", "A", "tonic", [YES, NO, YES])
    (tmp_path / "found.csv").write_text("clip_id,tonic\nc2,0.75\nc0,0.5\nc9,1\n")
    table = read_review(tmp_path / "review", "tonic", str(tmp_path / "found.csv")).table
    np.testing.assert_array_equal(table["machine"], [0.5, np.nan, 0.75])
    (tmp_path / "clips.tsv").write_text("clip_id\tmodel\nc0\tpresent\nc1\tpresent\nc2\tabsent\n")
    table = read_review(tmp_path / "review", "tonic", "model").table
    assert table["machine"].tolist() == [1, 1, 0]
    (tmp_path / "clips.tsv").unlink()
    with pytest.raises(UserError, match="model: neither a table"):
        read_review(tmp_path / "review", "tonic", "model")


@pytest.mark.parametrize(
    "arguments, what",
    [
        (["--item", "mood"], "nobody rated 'mood'; rated were tonic"),
        ([], "needs --item"),
        (["--item", "tonic", "--raters", "C"], "no ratings of 'C'; there are A, B"),
        (["--item", "tonic", "--machine", "x"], "neither a table"),
    ],
)
def test_what_is_not_there_is_named(tmp_path, capsys, arguments, what):
    rated(tmp_path / "review", "A", "tonic", [YES, NO])
    rated(tmp_path / "review", "B", "tonic", [YES, NO])
    command = ["agreement", str(tmp_path / "review"), "--out", str(tmp_path / "out")]
    assert main([*command, *arguments]) == 2
    assert what in capsys.readouterr().err


@pytest.mark.parametrize("rater", ["participant", "visit", "A, second reading"])
def test_a_rater_does_not_take_the_place_of_another_column(tmp_path, rater):
    rated(tmp_path, "A", "tonic", [YES, NO], [YES, NO])
    rated(tmp_path, rater, "tonic", [NO, NO])
    with pytest.raises(UserError, match=f"a rater is called '{rater}'; rename that folder"):
        read_review(tmp_path, "tonic")


def test_a_session_and_the_command(cohort, capsys):
    """Ratings of the page go into the command; a damaged table is named."""
    (cohort / "review.yaml").write_text("second_reading: 1\n")
    for rater in "AB":
        session = ReviewSession(cohort, cohort / "store", rater)
        for number, clip_id in enumerate(session.clips):
            level = YES if number % 3 == (rater == "B" and number == 1) else NO
            rate = {"do": "rate", "reading": 1, "values": {"swing": level}}
            session.act(clip_id, f"{rater}{number}", rate)
    out = cohort / "out"
    command = ["agreement", str(cohort / "review"), "--item", "swing", "--out", str(out)]
    assert main([*command, "--draws", "0"]) == 0
    assert "inter-rater" in capsys.readouterr().out
    document = json.loads((out / "agreement.json").read_text())
    assert document["raters"] == ["A", "B"] and document["rows"] == 12
    assert "Agreement of A, B" in (out / "report.html").read_text()
    path = cohort / "review/A/ratings.tsv"
    path.write_text(path.read_text().replace("\t1\tswing", "\t3\tswing", 1))
    with pytest.raises(UserError, match='row 2, column "reading"'):
        read_ratings(path)


def test_frames_that_a_person_corrected_become_labels(tmp_path):
    """A video of 30 frames, two corrected ones, one carried between: two images with labels."""
    cohort, store = tmp_path / "cohort", Store(tmp_path / "store")
    cohort.mkdir()
    write_video(cohort / "a.mp4", np.full((30, 64, 96, 3), 90, np.uint8), 25)
    (cohort / "participants.tsv").write_text("participant_id\np0\n")
    (cohort / "clips.json").write_text("{}")
    (cohort / "clips.tsv").write_text(
        "clip_id\tparticipant_id\tvideo\tstart\tend\nc0\tp0\ta.mp4\t0\tn/a\nc1\tp0\ta.mp4\t0\tn/a\n"
    )
    position = np.full((30, len(JOINTS), 2), 20.0)
    tracks = make_tracks(position, JOINTS, 25.0, source_index=np.arange(30), width=96, height=64)
    store.write("c0", "body", "0" * 16, tracks)
    store.note("c0", {"sha256": "0" * 64}, {"body": {"key": "0" * 16, "depends": {}, "found": 1}})
    session = ReviewSession(cohort, store.folder, "A")
    points = [
        {"frame": frame, "keypoint": "left_wrist", "x": 40 + frame, "y": 30} for frame in (4, 6)
    ]
    session.act("c0", "1", {"do": "correct", "part": "body", "points": points})
    carry = {"do": "carry", "part": "body", "keypoint": "left_wrist", "first": 4, "last": 6}
    session.act("c0", "2", carry)
    command = ["tracking", "select", str(cohort), "--store", str(store.folder)]
    out = ["--method", "corrected", "--format", "coco", "--out", str(tmp_path / "labels")]
    assert main([*command, *out]) == 0
    labels = read_labels(tmp_path / "labels/labels.json")
    assert [frame.index for frame in labels.frames] == [4, 6]
    wrist = labels.keypoints.index("left_wrist")
    assert labels.position[:, wrist].tolist() == [[44, 30], [46, 30]]
    assert "tracking select" in session.commands()["finetune"]
    assert main([*command, *out[:-1], str(tmp_path / "more"), "--frames", "2"]) == 2
