"""What the papers print, intervals and verdicts by hand, and the protocol of Hou et al. 2022 on a
small cohort.
"""

import json
import subprocess
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
import yaml

from semiology.cli.main import main
from semiology.data.result import from_options
from semiology.data.store import Store
from semiology.errors import UserError
from semiology.evaluation import published
from semiology.evaluation.published import (
    GESTURES,
    GESTURES_ACCURACY,
    HOU_2022,
    HOU_2022_TABLE_1,
    Published,
    PublishedCohort,
)
from semiology.evaluation.run.settings import Protocol
from semiology.evaluation.statistics.intervals import wilson
from semiology.experiments.reproduce.comparison import (
    best_guess,
    clips_of_f1,
    compare,
    design_effect,
    difference_interval,
    published_interval,
)
from semiology.experiments.reproduce.hou2022 import UNSTATED, reproduce_hou2022
from semiology.experiments.reproduce.settings import (
    departures,
    merged,
    protocol_file,
    read_tags,
    source_of,
)
from semiology.files import read_yaml

PROTOCOLS = ("hou2022", "gestures_table", "myasthenia")
ALONE = PublishedCohort("independent clips", 40, 40, (1,) * 40, "choice", "")


def test_the_published_counts_give_the_published_figures():
    best = GESTURES_ACCURACY["blstm", 16]
    hits, rejections, false_alarms, misses = best.confusion
    truth = [1] * (hits + misses) + [0] * (rejections + false_alarms)
    predicted = [1] * hits + [0] * misses + [0] * rejections + [1] * false_alarms
    assert len(truth) == GESTURES.clips == sum(published.GESTURES_SEIZURES.values())
    assert round(sklearn.metrics.accuracy_score(truth, predicted), 3) == best.accuracy
    assert round(sklearn.metrics.f1_score(truth, predicted), 3) == best.f1


def test_every_published_accuracy_of_gestures_is_a_count_of_183_seizures():
    for figures in GESTURES_ACCURACY.values():
        assert abs(figures.accuracy - round(figures.accuracy * 183) / 183) < 0.0005


def test_which_published_accuracies_are_of_no_count_of_38_clips():
    shares = np.arange(39) / 38
    printed = sorted(
        {figures.accuracy for models in HOU_2022_TABLE_1.values() for figures in models.values()}
    )
    assert printed == [0.71, 0.73, 0.76, 0.78, 0.80, 0.81]
    rounded, cut = np.round(shares, 2), np.floor(shares * 100) / 100
    assert [accuracy for accuracy in printed if not np.isclose(rounded, accuracy).any()] == [
        0.73,
        0.78,
        0.80,
        0.81,
    ]
    assert [accuracy for accuracy in printed if not np.isclose(cut, accuracy).any()] == [0.80]
    assert any(
        "Rounded, 0.73, 0.78, 0.80 and 0.81" in sentence and "0.80 alone" in sentence
        for sentence in UNSTATED
    )


def test_the_example_of_clips_by_patient_fits_what_is_printed():
    assert np.median(HOU_2022.clips_each) == 1 and (
        min(HOU_2022.clips_each),
        max(HOU_2022.clips_each),
    ) == (1, 6)
    assert (len(HOU_2022.clips_each), sum(HOU_2022.clips_each)) == (19, 38)


def test_the_design_effect_by_hand():
    assert design_effect((1, 1, 1), 0.5) == 1
    assert design_effect((4, 4), 0.5) == 2.5  # 1 + 3 / 2
    assert design_effect((4, 4), 1.0) == 4  # every patient counts once
    assert design_effect((1, 3), 1.0) == pytest.approx(2.5)  # (1 + 9) / 4


def test_the_interval_of_an_accuracy_is_wilsons_for_the_clips_that_count():
    figures = Published(0.8, 0.75, "P")
    assert published_interval("accuracy", figures, ALONE) == pytest.approx(wilson(30, 40))
    alike = PublishedCohort("two clips each, alike", 20, 40, (2,) * 20, "choice", "")
    assert published_interval("accuracy", figures, alike, correlation=1) == pytest.approx(
        wilson(15, 20)
    )


def test_f1_and_accuracy_together_say_how_many_clips_f1_rests_on():
    # 40 clips, TP 16, FP 5, FN 3, TN 16: F1 = 32 / 40, accuracy 32 / 40
    figures = Published(0.8, 0.8, "P")
    assert clips_of_f1(figures, ALONE) == pytest.approx(24)
    low, high = wilson(16, 24)  # of TP / (TP + FP + FN)
    assert published_interval("f1", figures, ALONE) == pytest.approx(
        (2 * low / (1 + low), 2 * high / (1 + high))
    )
    with pytest.raises(ValueError, match="accuracy or counts"):
        published_interval("f1", Published(0.8, None, "P"), ALONE)


def test_published_intervals_cover_the_truth_as_often_as_they_say_if_their_assumption_holds():
    """4,000 cohorts like the paper's: 19 patients, 38 clips, beta-binomial answers that correlate
    at 0.5 within a patient, 80 % right.
    """
    rng, each = np.random.default_rng(0), np.array(HOU_2022.clips_each)
    sign = rng.random((4000, 19)) < 0.5
    right = rng.binomial(each, rng.beta(0.8, 0.2, (4000, 19)))  # a + b = (1 - 0.5) / 0.5
    hits, rejections = (right * sign).sum(1), (right * ~sign).sum(1)
    covered = {"accuracy": 0, "f1": 0}
    for hit, rejected in zip(hits.tolist(), rejections.tolist()):
        errors = 38 - hit - rejected
        figures = Published(
            2 * hit / (2 * hit + errors),
            (hit + rejected) / 38,
            "P",
            confusion=(hit, rejected, errors, 0),
        )
        for metric in covered:
            low, high = published_interval(metric, figures, HOU_2022)
            covered[metric] += (
                low <= 0.8 <= high
            )  # with as many misses as false alarms F1 is 0.8 too
    assert 0.93 <= covered["accuracy"] / 4000 <= 0.97 and 0.93 <= covered["f1"] / 4000 <= 0.97


def test_the_difference_of_two_proportions_is_newcombes_worked_example():
    # Newcombe 1998, example (a), method 10: 56/70 - 48/80 = 0.2, 95 % interval 0.0524 to 0.3339
    found = difference_interval((56 / 70, *wilson(56, 70)), (48 / 80, *wilson(48, 80)))
    assert found == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_verdicts():
    figures = HOU_2022_TABLE_1["dystonia", "pose"]["agcn"]  # accuracy 0.76

    def verdict(value, low, high):
        return compare(
            "", "accuracy", figures, HOU_2022, {"value": value, "low": low, "high": high}, share=0.4
        )

    far, near, vague = (
        verdict(0.30, 0.25, 0.35),
        verdict(0.80, 0.65, 0.90),
        verdict(0.70, 0.50, 0.85),
    )
    assert (far.verdict, far.agrees) == ("differs", False) and far.difference == pytest.approx(
        -0.46
    )
    assert (near.verdict, near.agrees) == (
        "compatible",
        True,
    ) and near.difference_low < 0 < near.difference_high
    assert (vague.verdict, vague.agrees) == (
        "cannot tell",
        None,
    )  # the majority guess, 0.6, is as good
    absent = compare("", "accuracy", figures, HOU_2022, None, None)
    unheard = compare("", "f1", None, HOU_2022, {"value": 0.5, "low": 0.4, "high": 0.6}, 0.4)
    alone = compare(
        "", "f1", figures, HOU_2022, {"value": 0.5, "low": None, "high": None}, 0.4
    )  # one participant has no interval
    assert [(row.verdict, row.agrees) for row in (absent, unheard, alone)] == [
        ("not run", None),
        ("not printed", None),
        ("no interval", None),
    ]


def test_the_best_guess_is_that_of_scikit_learns_dummies():
    truth = np.array([1] * 3 + [0] * 7)
    assert best_guess("accuracy", 0.3) == pytest.approx(
        sklearn.metrics.accuracy_score(truth, np.zeros(10))
    )
    assert best_guess("f1", 0.3) == pytest.approx(sklearn.metrics.f1_score(truth, np.ones(10)))


def test_constants_carry_the_tag_that_stands_beside_them():
    tags = read_tags(protocol_file("hou2022"))
    assert source_of("tasks/dystonia (pose)/reading/rate", tags) == "P"
    assert source_of("models/agcn/network/options/widths", tags) == "C"
    assert source_of("models/agcn_kd/distillation/temperature", tags) == "R"  # under a tagged key
    assert (
        source_of("models/agcn/network/options/dropout", tags)
        == source_of("seeds", tags)
        == "choice"
    )
    gestures = read_tags(protocol_file("gestures_table"))
    assert (
        gestures["shortest"] == gestures["splits"] == "T, C"
        and gestures["gamma"] == "P"
        and "seed" not in gestures
    )


def test_departures_name_what_was_changed_and_whose_value_it_was():
    file = protocol_file("hou2022")
    raw, smaller = read_yaml(file), {"network": {"options": {"widths": [8]}}}
    paper = from_options(raw, Protocol, "")
    changed = {"batch_size": 4, "out": "elsewhere", "models": {"agcn": smaller, "agcn_kd": smaller}}
    used = from_options(merged(raw, changed), Protocol, "")
    widths = "[8] instead of [64, 64, 64, 64, 128, 128, 128, 256, 256, 256] [C]"
    assert departures(paper, used, read_tags(file)) == [
        f"models/agcn/network/options/widths: {widths}",
        f"models/agcn_kd/network/options/widths: {widths}",
        "batch_size: 4 instead of 8 [choice]",
    ]
    assert departures(paper, paper, {}) == [] and asdict(paper)["seeds"] == (0, 1, 2)


SMALL = {
    "tasks": {
        "dystonia (pose)": {
            "reading": {
                "window": 24,
                "windows": 1,
                "channels": ["motion"],
                "skeleton": "left_arm_4",
                "dimensions": 2,
            }
        },
        "emotion (face)": {"reading": {"window": 24, "windows": 1, "channels": ["deviation"]}},
    },
    "models": (
        {
            name: {"network": {"options": {"widths": [4]}}, "schedule": {"device": "cpu"}}
            for name in ("agcn", "agcn_kd")
        }
        | {
            "tcn": {
                "network": {"options": {"width": 4, "blocks": 1}},
                "schedule": {"device": "cpu"},
            }
        }
    ),
    "repeats": 1,
    "final": False,
}


@pytest.fixture
def small(tmp_path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    return path


@pytest.fixture
def two_signs(cohort) -> Path:
    """The cohort of conftest with one more label of two levels, and the joints of a face in its
    tracks.
    """
    table = pd.read_csv(cohort / "clips.tsv", sep="\t", dtype=str, keep_default_na=False)
    table["mood"] = table["swing"]
    table.to_csv(cohort / "clips.tsv", sep="\t", index=False)
    sidecar = json.loads((cohort / "clips.json").read_text())
    (cohort / "clips.json").write_text(json.dumps(sidecar | {"mood": sidecar["swing"]}))
    return cohort


def run(two_signs, small, out, **options):
    return reproduce_hou2022(
        two_signs,
        out,
        settings=small,
        epochs=2,
        seeds=[0],
        jobs=1,
        dystonia="swing",
        emotion="none",
        **options,
    )


def test_what_can_run_without_features_runs_and_the_rest_is_named(two_signs, small, tmp_path):
    found = run(two_signs, small, tmp_path / "run")
    content = json.loads((tmp_path / "run/reproduction.json").read_text())
    by_name = {row["what"]: row for row in content["rows"]}
    assert len(by_name) == 12  # two signs, three models, two metrics
    row = by_name["dystonia (pose), AGCN, F1"]
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())["tasks"]["dystonia (pose)"][
        "models"
    ]["agcn"]["metrics"]["f1"]
    assert row["published"] == 0.78 and row["obtained"] == pytest.approx(metrics["value"], abs=1e-6)
    assert row["difference"] == pytest.approx(row["obtained"] - 0.78, abs=1e-5)
    assert (
        by_name["dystonia (pose), TCN, F1"]["obtained"] is None
        and by_name["emotion (face), AGCN, F1"]["agrees"] is None
    )
    assert any(
        "TCN, AGCN + distillation: 11 of 11 clips have no body_vgg features" in why
        for why in content["not_run"]
    )
    assert (
        "emotion (face): left out on request" in content["deviations"]
        and len(content["not_run"]) == 1
    )
    assert "repeats: 1 instead of 4 [choice]" in content["deviations"]
    assert (
        "dystonia (pose): 6 participants, 11 clips, 3 participants with the sign instead of 19, 38"
        " and 9 [P]" in content["deviations"]
    )
    assert any(
        "the paper's are by fine-tuned Keypoint R-CNN [P]" in each for each in content["deviations"]
    )
    assert {
        "name": "tasks/dystonia (pose)/reading/rate",
        "value": 25.0,
        "source": "[P]",
    } in content["constants"]
    assert "dystonia (pose), AGCN, F1" in str(found) and "Deviations" in str(found)


def test_with_features_in_the_store_all_three_models_run(two_signs, small, tmp_path):
    rng, store = np.random.default_rng(0), Store(tmp_path / "store")
    for person in range(6):
        for clip in range(2):
            store.write(
                f"p{person}_{clip}",
                "body_vgg",
                "0" * 16,
                (rng.normal(size=(9, 8)), np.arange(9) / 5),
            )
            store.note(f"p{person}_{clip}", {}, {"body_vgg": {"key": "0" * 16}})
    found = run(two_signs, small, tmp_path / "run", store=tmp_path / "store")
    assert found.not_run == [] and "emotion (face): left out on request" in found.deviations
    content = (tmp_path / "run/reproduction.json").read_bytes()
    where = [
        "--cohort",
        str(two_signs),
        "--out",
        str(tmp_path / "run"),
        "--store",
        str(tmp_path / "store"),
        "--settings",
        str(small),
    ]
    arguments = [
        "--dystonia",
        "swing",
        "--emotion",
        "none",
        "--epochs",
        "2",
        "--seeds",
        "[0]",
        "--jobs",
        "1",
    ]
    assert main(["reproduce", "hou2022", *where, *arguments]) == 0, (
        "what the user left out is no failure"
    )
    assert (tmp_path / "run/reproduction.json").read_bytes() == content
    obtained = [row.what for row in found.rows if row.obtained is not None]
    assert obtained == [
        f"dystonia (pose), {model}, {metric}"
        for model in ("AGCN", "TCN", "AGCN + distillation")
        for metric in ("F1", "accuracy")
    ]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {},
            (
                r"no label 'dystonia'; it defines mood, side, swing. Say which column scores it"
                r" \(--dystonia COLUMN\)"
            ),
        ),
        ({"dystonia": "swing"}, r"no label 'emotion'.*\(--emotion none\)"),
        (
            {"dystonia": "side", "emotion": "mood"},
            r"'side' has 3 levels \(none, left, right\); Table 1 is of two",
        ),
        ({"dystonia": "none", "emotion": "none"}, "nothing is left to run"),
    ],
)
def test_labels_that_do_not_fit_are_refused_with_what_to_do(two_signs, tmp_path, columns, message):
    with pytest.raises(UserError, match=message):
        reproduce_hou2022(two_signs, tmp_path / "run", **columns)


def test_settings_that_do_not_fit_are_refused_in_one_line(two_signs, tmp_path, capsys):
    bad = tmp_path / "bad.yaml"
    call = [
        "reproduce",
        "hou2022",
        "--cohort",
        str(two_signs),
        "--out",
        str(tmp_path / "run"),
        "--settings",
        str(bad),
    ]
    for text, message in [
        ("- a list", "not a YAML mapping"),
        ("a: [", "not YAML"),
        ("no_such_key: 1", "no_such_key"),
        ("batch_size: many", "batch_size"),
    ]:
        bad.write_text(text)
        assert main(call) == 2
        line = capsys.readouterr().err.strip().splitlines()[-1]
        assert line.startswith(f"semiology reproduce: {bad}: ") and message in line
    bad.unlink()
    assert main(call) == 2 and "bad.yaml: no such file" in capsys.readouterr().err
    assert (
        main([*call[:-2], "--correlation", "2"]) == 2
        and "correlation: 2 is not possible" in capsys.readouterr().err
    )
    assert (
        main(["reproduce", "nobody2020"]) == 2
        and "not one of hou2022, gestures" in capsys.readouterr().err
    )


def test_the_command_prints_the_table_and_reports_that_something_was_left_out(
    two_signs, small, tmp_path, capsys
):
    out = tmp_path / "run"
    where = ["--cohort", str(two_signs), "--out", str(out), "--settings", str(small)]
    columns = ["--dystonia", "swing", "--emotion", "none"]
    assert (
        main(
            [
                "reproduce",
                "hou2022",
                *where,
                *columns,
                "--epochs",
                "1",
                "--seeds",
                "[0]",
                "--jobs",
                "1",
            ]
        )
        == 1
    )
    printed = capsys.readouterr().out
    assert (
        "0.78 (0.55 to 0.91)" in printed
        and "Not run:" in printed
        and str(out / "reproduction.json") in printed
    )


def test_an_installed_package_brings_the_protocols():
    project = tomllib.loads(
        (Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    )
    shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert shipped == {
        f"configs/{name}.yaml": f"semiology/experiments/reproduce/{name}.yaml" for name in PROTOCOLS
    }
    assert all(protocol_file(name).is_file() for name in PROTOCOLS)


def test_published_values_come_without_torch():
    code = "import sys, semiology.evaluation.published; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
