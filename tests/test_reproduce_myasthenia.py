"""The myasthenia study's protocol: who is unseen, figures at a threshold by hand, and a small run
to its table.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from semiology import UserError, load_skeleton, make_tracks
from semiology.cli.main import main
from semiology.data.cohort import Cohort
from semiology.data.store import Store
from semiology.data.tracks import save_tracks
from semiology.evaluation.published import MYASTHENIA
from semiology.evaluation.statistics.intervals import hanley_mcneil, wilson
from semiology.experiments.reproduce.myasthenia import (
    _rows,
    by_participant,
    cross_validated_calls,
    evaluate_task,
    reproduce_myasthenia,
    unseen_participants,
)

LEVELS = ["control", "patient"]


def predicted(
    scores: dict[str, list[float]],
    fold: dict[str, str],
    task: str = "diagnosis (face)",
    seed: int = 0,
) -> pd.DataFrame:
    """Rows of predictions.csv: participants whose name begins with p are patients; one score per
    clip.
    """
    rows = []
    for who, values in scores.items():
        for number, value in enumerate(values):
            truth = LEVELS[who.startswith("p")]
            row = {
                "task": task,
                "model": "agcn",
                "seed": seed,
                "fold": fold[who],
                "clip_id": f"{who}_{number}",
                "participant_id": who,
            }
            rows.append(
                row
                | {
                    "truth": truth,
                    "score": value,
                    "scores": {"control": 1 - value, "patient": value},
                }
            )
    return pd.DataFrame(rows)


def test_every_printed_figure_of_the_diagnosis_is_a_count_of_its_participants():
    for name in ("development", "unseen"):
        printed = MYASTHENIA["diagnosis", name]
        right = (
            round(printed.sensitivity * printed.positive),
            round(printed.specificity * printed.negative),
        )
        assert (
            round(right[0] / printed.positive, 2) == printed.sensitivity
            and round(right[1] / printed.negative, 2) == printed.specificity
        )
        assert round(sum(right) / (printed.positive + printed.negative), 2) == printed.accuracy


def test_hanley_and_mcneil_give_the_printed_interval_of_cross_validation_not_that_of_the_unseen():
    found = hanley_mcneil(0.75, 50, 50)
    assert (
        (round(found.low, 2), round(found.high, 2))
        == (0.65, 0.85)
        == (MYASTHENIA["diagnosis", "development"].low, 0.85)
    )
    found = hanley_mcneil(0.82, 20, 19)
    assert (round(found.low, 2), round(found.high, 2)) == (0.69, 0.95)


def test_several_clips_of_a_participant_are_one_mean_score():
    people = by_participant(
        predicted({"p1": [0.2, 0.8], "c1": [0.1, 0.2, 0.6]}, {"p1": "01", "c1": "02"}), LEVELS
    )
    assert people.set_index("participant_id")["score"].to_dict() == pytest.approx(
        {"p1": 0.5, "c1": 0.3}
    )


def test_a_participant_is_called_at_the_threshold_of_the_other_folds():
    scores = {"c1": [0.1], "p1": [0.9], "c2": [0.4], "p2": [0.8], "c3": [0.5], "p3": [0.3]}
    people = by_participant(predicted(scores, {who: who[1] for who in scores}), LEVELS)
    calls = cross_validated_calls(people, LEVELS).set_index("participant_id")["predicted"]
    # fold 1 by c2 0.4, c3 0.5, p2 0.8, p3 0.3: half way between 0.5 and 0.8; c1 0.1 below, p1 0.9
    # above
    # fold 2 by c1 0.1, c3 0.5, p1 0.9, p3 0.3: 0.2 finds both patients and one control, 0.7 one and
    # both; equal, so the lower
    # fold 3 by c1 0.1, c2 0.4, p1 0.9, p2 0.8: 0.6
    assert calls.to_dict() == {
        "c1": "control",
        "p1": "patient",
        "c2": "patient",
        "p2": "patient",
        "c3": "control",
        "p3": "control",
    }


def test_unseen_participants_are_called_at_a_threshold_that_their_own_scores_do_not_move():
    development = {
        "c1": [0.1],
        "c2": [0.2],
        "c3": [0.3],
        "p1": [0.5],
        "p2": [0.6],
        "p3": [0.7],
    }  # threshold 0.4
    unseen = {"c8": [0.45], "c9": [0.1], "p8": [0.42], "p9": [0.9]}
    table = pd.concat(
        [
            predicted(development, dict(zip(development, "121212"))),
            predicted(
                unseen, dict.fromkeys(unseen, "test"), "diagnosis (face) in the unseen test set"
            ),
        ]
    )
    first, second = evaluate_task(table, "diagnosis (face)")
    assert (first["set"], first["auc"]["value"], first["thresholds"]) == (
        "development",
        1.0,
        [pytest.approx(0.4)],
    )
    assert (
        first["auc"]["low"] < 0.7
    )  # of three and three: not certain, as the closed forms would say
    assert [(one["low"], "no width" in one["reason"]) for one in first["intervals"]] == [
        (None, True)
    ] * 2
    assert (second["set"], second["participants"], second["positive"], second["negative"]) == (
        "unseen",
        4,
        2,
        2,
    )
    assert second["thresholds"] == first["thresholds"]
    assert [
        second[name]["value"] for name in ("auc", "sensitivity", "specificity", "accuracy")
    ] == [0.75, 1.0, 0.5, 0.75]
    named = {one["interval"]: (one["low"], one["high"]) for one in second["intervals"]}
    expected = hanley_mcneil(0.75, 2, 2)
    assert (
        named["Hanley and McNeil 1982"] == pytest.approx((expected.low, expected.high))
        and "DeLong" in named
    )


def test_a_row_has_the_printed_figure_with_its_interval_and_a_guess_to_beat():
    own = {
        "task": "diagnosis (face)",
        "set": "unseen",
        "model": "agcn",
        "participants": 40,
        "positive": 20,
        "negative": 20,
    }
    own |= {
        "auc": {"value": 0.8, "low": 0.6, "high": 0.9},
        "sensitivity": {"value": 0.95, "low": 0.65, "high": 0.99},
    }
    own |= {
        "specificity": {"value": 0.3, "low": 0.1, "high": 0.5},
        "accuracy": {"value": 0.55, "low": 0.4, "high": 0.7},
    }
    area, sensitivity, specificity, accuracy = _rows(own)
    assert area.what == "diagnosis (face), unseen, AGCN, AUC"
    assert (area.published, area.published_low, area.published_high) == (0.82, 0.67, 0.97)
    assert area.verdict == "compatible"
    assert (sensitivity.published_low, sensitivity.published_high) == pytest.approx(wilson(20, 20))
    assert (
        sensitivity.verdict == "cannot tell"
    )  # who calls up to 90 % of the controls ill finds as many patients at random
    assert specificity.verdict == "differs" and accuracy.verdict == "differs"
    own |= {"specificity": {"value": 0.8, "low": 0.7, "high": 0.9}}
    assert _rows(own)[1].verdict == "compatible"  # 0.65 lies above 1 - 0.7
    severe = _rows(own | {"task": "severity (face)"})
    assert (
        severe[0].published_low == 0.67
        and severe[1].published_low is None
        and severe[1].verdict == "no interval"
    )


# ----------------------------------------------------------------------------------- a small cohort


def write_cohort(
    folder: Path,
    people: int = 12,
    clips: int = 1,
    sets: dict[str, str] | None = None,
    filmed: bool = True,
    **levels: str,
) -> Path:
    """Half controls, half patients, of whom every other one is severe: tracks of a face that moves
    less in patients.
    """
    rng, joints = np.random.default_rng(0), load_skeleton("face_23").names
    rest, rows = rng.normal(200, 30, (len(joints), 2)), []
    names = [f"{'pc'[number < people // 2]}{number:02d}" for number in range(people)]
    for number, who in enumerate(names):
        patient = who.startswith("p")
        label = {
            "diagnosis": LEVELS[patient],
            "severity": ("mild", "severe")[number % 2] if patient else "n/a",
        } | levels
        for clip in range(clips):
            swing = (0.5 if patient else 4) * np.sin(np.arange(24) / 3)[:, None, None]
            save_tracks(
                make_tracks(rest + swing + rng.normal(0, 0.3, (24, len(joints), 2)), joints, 25.0),
                folder / f"tracks/{who}_{clip}.nc",
            )
            rows.append(
                [
                    f"{who}_{clip}",
                    who,
                    f"tracks/{who}_{clip}.nc",
                    "0",
                    "n/a",
                    label["diagnosis"],
                    label["severity"],
                ]
            )
    columns = ["clip_id", "participant_id", "tracks", "start", "end", "diagnosis", "severity"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "clips.tsv", sep="\t", index=False)
    table = pd.DataFrame({"participant_id": names})
    if sets is not None:
        table["set"] = [sets.get(who, "development") for who in names]
    table.to_csv(folder / "participants.tsv", sep="\t", index=False)
    sidecar = {"diagnosis": {"control": "", "patient": ""}, "severity": {"mild": "", "severe": ""}}
    (folder / "clips.json").write_text(
        json.dumps({name: {"Role": "label", "Levels": own} for name, own in sidecar.items()})
    )
    return folder


SMALL = {
    "tasks": {
        **{
            f"{sign} (face)": {"reading": {"window": 24, "windows": 1, "channels": ["motion"]}}
            for sign in ("diagnosis", "severity")
        },
        **{
            f"{sign} (snippets)": {"reading": {"segments": 2}} for sign in ("diagnosis", "severity")
        },
    },
    "models": {
        "agcn": {"network": {"options": {"widths": [4]}}, "schedule": {"device": "cpu"}},
        "tcn": {"network": {"options": {"width": 4, "blocks": 1}}, "schedule": {"device": "cpu"}},
        "blstm": {"network": {"options": {"width": 4}}, "schedule": {"device": "cpu"}},
    },
}


@pytest.fixture
def small(tmp_path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    return path


def test_unseen_participants_are_drawn_in_the_studys_shares_with_every_level_in_both_sets(tmp_path):
    cohort = Cohort.read(write_cohort(tmp_path, people=40, filmed=False), check_videos=False)
    unseen, how = unseen_participants(cohort, ["diagnosis", "severity"], draw=0)
    # 20 controls: 19 of 69 are 5.5, rounded 6; 10 mild and 10 severe patients: 20 of 70 are 2.9
    # each
    assert [sum(who.startswith(kind) for who in unseen) for kind in "cp"] == [
        6,
        6,
    ] and "seed 0" in how
    assert sum(int(who[1:]) % 2 for who in unseen if who.startswith("p")) == 3
    assert unseen_participants(cohort, ["diagnosis", "severity"], draw=0)[0] == unseen
    assert unseen_participants(cohort, ["diagnosis", "severity"], draw=1)[0] != unseen


def test_a_column_of_the_cohort_states_who_is_unseen(tmp_path):
    cohort = Cohort.read(
        write_cohort(tmp_path, sets={"c00": "unseen", "p11": "unseen"}, filmed=False),
        check_videos=False,
    )
    assert unseen_participants(cohort, ["diagnosis"], draw=0) == (
        ["c00", "p11"],
        "by the column 'set' of participants.tsv",
    )


def test_tracks_alone_run_with_the_agcn_alone(tmp_path, small, capsys):
    folder = write_cohort(tmp_path / "cohort", clips=2)
    where = ["--cohort", str(folder), "--out", str(tmp_path / "run"), "--settings", str(small)]
    short = ["--epochs", "1", "--seeds", "[0, 1]", "--folds", "2", "--jobs", "1"]
    assert main(["reproduce", "myasthenia", *where, *short]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert (
        "24 of 24 clips have no face_vgg features" in message
        and "--models '[agcn, blstm]'" in message
    )
    assert main(["reproduce", "myasthenia", *where, *short, "--models", "[agcn]"]) == 0
    printed = capsys.readouterr().out
    assert (
        "0.82 (0.67 to 0.97)" in printed
        and "DeLong, Hanley and McNeil 1982" in printed
        and "Not run" not in printed
    )
    content = json.loads((tmp_path / "run/reproduction.json").read_text())
    assert [row["what"] for row in content["rows"][:8:4]] == [
        "diagnosis (face), cross-validated, AGCN, AUC",
        "diagnosis (face), unseen, AGCN, AUC",
    ]
    assert len(content["rows"]) == 16  # two labels, two sets, four figures
    sizes = {
        (own["task"], own["set"]): (own["negative"], own["positive"]) for own in content["figures"]
    }
    assert sizes["diagnosis (face)", "development"] == (4, 4) and sizes[
        "diagnosis (face)", "unseen"
    ] == (2, 2)
    assert sizes["severity (face)", "development"] == (2, 2) and sizes[
        "severity (face)", "unseen"
    ] == (1, 1)
    assert all(len(own["thresholds"]) == 2 for own in content["figures"])
    assert "TCN: left out on request" in content["deviations"]
    assert (
        "diagnosis (face), fusion: left out, as not all of its members are run"
        in content["deviations"]
    )
    records = [
        json.loads(path.read_text())
        for path in (tmp_path / "run/folds/diagnosis-face/seed-0").glob("*.json")
    ]
    unseen = {who for record in records if record["split"] == "test" for who in record["held_out"]}
    for record in records:
        if record["split"] != "test":
            assert not unseen & {
                record["clips"][clip] for clip in record["models"]["agcn"]["seen"]["weights"]
            }
    assert json.loads((tmp_path / "run/audit.json").read_text())["verdict"] == "passed"


def test_with_features_in_the_store_all_models_and_the_fusion_run(tmp_path, small):
    folder, store, rng = (
        write_cohort(tmp_path / "cohort", people=8),
        Store(tmp_path / "store"),
        np.random.default_rng(0),
    )
    for clip in Cohort.read(folder).clips:
        store.write(clip.clip_id, "face_vgg", "0" * 16, (rng.normal(size=(5, 8)), np.arange(5) / 5))
        store.write(
            clip.clip_id, "snippets", "0" * 16, (rng.normal(size=(3, 8)), np.arange(3) * 8 / 15)
        )
        made = {
            "face_vgg": {"key": "0" * 16},
            "snippets": {"key": "0" * 16, "depends": {"rate": 15, "frames": 8, "network": "x"}},
        }
        store.note(clip.clip_id, {}, made)
    found = reproduce_myasthenia(
        folder,
        tmp_path / "run",
        store=tmp_path / "store",
        severity="none",
        settings=small,
        epochs=1,
        seeds=[0],
        folds=2,
        jobs=1,
    )
    assert found.not_run == [] and "severity: left out on request" in found.deviations
    models = [row.what.split(", ")[:3] for row in found.rows[::4]]
    assert [(what[0], what[2]) for what in models if what[1] == "unseen"] == [
        ("diagnosis (face)", "AGCN"),
        ("diagnosis (face)", "TCN"),
        ("diagnosis (face)", "fusion"),
        ("diagnosis (snippets)", "BLSTM"),
    ]


@pytest.mark.parametrize(
    ("cohort", "options", "message"),
    [
        (
            {"sets": {}},
            {},
            "diagnosis: no unseen participants are left; name some in participants.tsv",
        ),
        (
            {"sets": {"c00": "held out"}},
            {},
            "column 'set': participant c00 is 'held out'; write development or unseen",
        ),
        (
            {"sets": {f"p{number:02d}": "unseen" for number in range(6, 12)}},
            {},
            "diagnosis: no development participant is patient",
        ),
        (
            {"diagnosis": "patient"},
            {"severity": "none"},
            "diagnosis: no development participant is control",
        ),
        ({}, {"folds": 9}, "diagnosis: 8 development participants cannot be split into 9 folds"),
        ({}, {"diagnosis": "illness"}, "defines no label 'illness'"),
        (
            {},
            {"models": ["fusion"]},
            "models: fusion is not in the protocol; there are agcn, tcn, blstm",
        ),
        ({}, {"diagnosis": "none", "severity": "none"}, "nothing is left to run"),
    ],
)
def test_cohorts_that_do_not_fit_are_refused_with_what_to_do(tmp_path, cohort, options, message):
    folder = write_cohort(tmp_path / "cohort", **cohort)
    with pytest.raises(UserError, match=message):
        reproduce_myasthenia(folder, tmp_path / "run", **{"models": ["agcn"], "jobs": 1} | options)


def test_a_participant_has_one_diagnosis(tmp_path):
    folder = write_cohort(tmp_path / "cohort", clips=2)
    table = pd.read_csv(folder / "clips.tsv", sep="\t", dtype=str, keep_default_na=False)
    table.loc[table["clip_id"] == "c00_1", "diagnosis"] = "patient"
    table.to_csv(folder / "clips.tsv", sep="\t", index=False)
    with pytest.raises(UserError, match="diagnosis: participant c00 is both control and patient"):
        reproduce_myasthenia(folder, tmp_path / "run", models=["agcn"])
