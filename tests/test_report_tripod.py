"""TRIPOD+AI: all 27 items in 52 parts, filled in from the run where it knows, and only there."""

import re

import pytest
from report_run import write_everything, write_predictions
from test_report import Page

from semiology.evaluation.report import write_report
from semiology.evaluation.report.tripod import ITEMS, YOURS

# what no run can know: dates, places, treatments, assessors, approval, funding, conflicts,
# registration, sharing, the public, meaning
NEVER = {
    "2",
    "3a",
    "3b",
    "3c",
    "5b",
    "6a",
    "6b",
    "6c",
    "8b",
    "8c",
    "9a",
    "9c",
    "12d",
    "14",
    "17",
    "18a",
    "18b",
    "18c",
}
NEVER |= {"18d", "18e", "19", "20b", "20c", "23b", "24", "25", "27b", "27c"}


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> dict[str, str]:
    """Part -> what the page of a run with everything says."""
    run = tmp_path_factory.mktemp("tripod")
    write_everything(run)
    return parts(write_report(run).read_text())


def parts(text: str) -> dict[str, str]:
    rows = re.findall(
        r'<tr><th scope="row">(\d+[a-g]?) [^<]*</th><td>[^<]*</td><td[^>]*>(.*?)</td></tr>',
        text[text.index('id="tripod"') :],
        re.S,
    )
    return {item: Page(words).text for item, words in rows}


def test_27_items_in_52_parts(content):
    assert list(content) == list(ITEMS) and len(content) == 52
    assert [
        int(number) for number in dict.fromkeys(re.match(r"\d+", item)[0] for item in content)
    ] == list(range(1, 28))
    # the published numbers of parts: 18 has six, 12 has seven, 27 three
    assert {item for item in ITEMS if item.startswith("18")} == {
        f"18{letter}" for letter in "abcdef"
    }
    assert {item for item in ITEMS if item.startswith("12")} == {
        f"12{letter}" for letter in "abcdefg"
    }


def test_what_the_run_knows_is_filled_in(content):
    assert content["8a"].startswith("dystonia: absent and present.")
    assert (
        "8 participants, absent in 4 (4 clips), present in 4 (4 clips)" in content["20a"]
        and "2 clips not assessable" in content["20a"]
    )
    assert (
        "joint and motion of upper body 11" in content["9b"]
        and "12.5 frames a second" in content["9b"]
    )
    assert (
        content["12a"].startswith("Leave-one-subject-out")
        and "AUC" in content["12e"]
        and "bootstrap" in content["12e"]
    )
    assert "(AGCN)" in content["13"] and content["16"].startswith("None by design")
    assert "semiology" in content["18f"] and "means over 2 seeds" in content["12g"]
    assert content["5a"].startswith("Synthetic videos")


def test_what_no_run_knows_is_left_to_the_authors(content):
    assert {item for item, words in content.items() if words == YOURS} >= NEVER


def test_without_a_configuration_nothing_is_claimed_of_it(tmp_path):
    write_predictions(tmp_path)
    text = write_report(tmp_path).read_text()
    content = parts(text)
    assert {content[item] for item in ("5a", "7", "9b", "12b", "12f", "13", "22")} == {YOURS}
    filled = sum(words != YOURS for words in content.values())
    assert f"{filled} of 52 parts of its 27 items" in Page(text).text


def test_a_threshold_that_was_fitted_for_abstaining_is_reported(tmp_path):
    write_predictions(tmp_path)
    assert "no threshold was fitted" in parts(write_report(tmp_path).read_text())["15"]
    (tmp_path / "config.yaml").write_text("calibration: {method: none, coverage: 0.8}\n")
    content = parts(write_report(tmp_path).read_text())["15"]
    assert (
        "no threshold was fitted" not in content
        and "the true class in 80 % of clips" in content
        and "fitted on training participants" in content
    )


# TRIPOD+AI, Table 2: number of parts of each item
PARTS = [1, 1, 3, 1, 2, 3, 1, 3, 3, 1, 1, 7, 1, 1, 1, 1, 1, 6, 1, 3, 1, 1, 2, 1, 1, 1, 3]


def test_items_and_parts_are_those_of_the_publication():
    assert [
        sum(int(re.match(r"\d+", part)[0]) == item for part in ITEMS) for item in range(1, 28)
    ] == PARTS
    topics = {part: topic for part, (topic, _) in ITEMS.items()}
    assert {part: topics[part] for part in ("8a", "9a", "10", "11")} == {
        "8a": "Outcome",
        "9a": "Predictors",
        "10": "Sample size",
        "11": "Missing data",
    }
    assert {part: topics[part] for part in ("13", "14", "26")} == {
        "13": "Class imbalance",
        "14": "Fairness",
        "26": "Limitations",
    }
    assert topics["1"] == "Title" and topics["2"] == "Abstract" and topics["27c"] == "Usability"
    assert len({requirement for _, requirement in ITEMS.values()}) == 52  # none stands twice


def test_the_page_names_the_source_of_the_checklist(tmp_path):
    write_predictions(tmp_path)
    assert "BMJ 2024;385:e078378" in Page(write_report(tmp_path).read_text()).text
