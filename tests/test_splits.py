"""Who is held out together, by each way of assigning clips to folds."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from semiology import UserError
from semiology.evaluation.run.files import split_of, split_pairs
from semiology.evaluation.run.settings import Model, Protocol, Split, Task
from semiology.evaluation.statistics.units import combine, split_differences
from semiology.experiments.fold import key_settings
from semiology.experiments.loso import run_loso
from semiology.experiments.splits import split_clips
from semiology.models.networks import Network
from semiology.models.training.augmentation import Augmentation
from semiology.models.training.clips import ClipData
from semiology.models.training.dataset import NO_CHANGE
from semiology.models.training.reading import Reading, Schedule

NOTHING = np.zeros((1, 1, 2))


def clip(participant: str, number: int, recording: str = "") -> ClipData:
    clip_id = f"{participant}_{number}"
    return ClipData(clip_id, participant, number % 2, NOTHING, recording_id=recording or clip_id)


CLIPS = [clip(f"p{person}", number) for person in range(6) for number in range(2)]


def test_leaving_one_participant_out_makes_a_fold_of_each():
    parts = split_clips(Split(), CLIPS, "", seed=0)
    assert [(part.name, part.held_out) for part in parts] == [
        (f"p{n}", (f"p{n}_0", f"p{n}_1")) for n in range(6)
    ]
    assert all(part.unused == () for part in parts)


@pytest.mark.parametrize("seed", range(5))
def test_grouped_folds_hold_every_clip_once_and_whole_participants(seed):
    parts = split_clips(Split(by="grouped", folds=3), CLIPS, "", seed)
    held = [clip_id for part in parts for clip_id in part.held_out]
    assert sorted(held) == sorted(clip.clip_id for clip in CLIPS)
    people = [{clip_id.split("_")[0] for clip_id in part.held_out} for part in parts]
    assert len(people) == 3 and sum(map(len, people)) == 6


def test_more_folds_than_clips_of_any_level_are_assigned_all_the_same():
    one_each = [clip(f"p{person}", person) for person in range(6)]  # three clips of each level
    held = [
        clip_id
        for part in split_clips(Split(by="grouped", folds=6), one_each, "", 0)
        for clip_id in part.held_out
    ]
    assert sorted(held) == sorted(clip.clip_id for clip in one_each)


@pytest.mark.parametrize("split", [Split("grouped", 3), Split("recording", 3)])
def test_each_seed_has_a_split_of_its_own_and_the_same_one_each_time(split):
    first, again = (
        [tuple(split_clips(split, CLIPS, "", seed)) for seed in range(5)] for _ in range(2)
    )
    assert first == again
    assert len(set(first)) == 5


def test_recording_folds_part_a_participant_but_not_the_views_of_a_seizure():
    views = [
        clip(f"p{person}", number, f"p{person}_s{number // 2}")
        for person in range(5)
        for number in range(4)
    ]
    parts = split_clips(Split(by="recording", folds=5), views, "", seed=0)
    recording = {clip.clip_id: clip.recording_id for clip in views}
    held = [{recording[clip_id] for clip_id in part.held_out} for part in parts]
    assert sum(map(len, held)) == 10 == len(set.union(*held))  # no recording in two folds
    people = [{clip_id.split("_")[0] for clip_id in part.held_out} for part in parts]
    assert sum(map(len, people)) > 5  # some participant is in two


@pytest.mark.parametrize(
    "split",
    [Split(), Split("grouped", 3), Split("recording", 3), Split("participant", test=["p0"])],
)
def test_two_views_of_a_seizure_are_never_on_two_sides(split):
    views = [
        clip(f"p{person}", number, f"p{person}_s{number // 2}")
        for person in range(5)
        for number in range(4)
    ]
    views = views[:7] + views[8:]  # one view is missing
    recording = {view.clip_id: view.recording_id for view in views}
    for part in split_clips(split, views, "", seed=0):
        held = {recording[clip_id] for clip_id in part.held_out}
        assert sorted(part.held_out) == sorted(
            view.clip_id for view in views if view.recording_id in held
        )


def test_a_seizure_whose_one_view_is_missing_counts_with_the_other():
    rows = [
        ("s1", "s1_L", 0.9, "TCS"),
        ("s1", "s1_S", 0.2, "TCS"),
        ("s2", "s2_L", 0.7, "TCS"),
        ("s3", "s3_L", 0.3, "FOS"),
        ("s3", "s3_S", 0.8, "FOS"),
    ]
    table = pd.DataFrame(rows, columns=["recording_id", "clip_id", "score", "truth"]).assign(
        model="blstm", seed=0
    )
    table["participant_id"] = table["recording_id"]
    table["scores"] = [{"FOS": 1 - score, "TCS": score} for score in table["score"]]
    combined, _ = combine(table, ["FOS", "TCS"], "recording")
    assert combined.set_index("clip_id")["score"].round(6).to_dict() == {
        "s1": 0.55,
        "s2": 0.7,
        "s3": 0.55,
    }  # by hand
    assert combined["predicted"].tolist() == ["TCS", "TCS", "TCS"]


def test_tasks_that_differ_in_their_split_alone_are_paired_the_one_by_recording_second():
    seizure, subject = {"by": "recording", "folds": 10}, {"by": "grouped", "folds": 10}
    config = {
        "split": subject,
        "tasks": {
            "by seizure": {"reading": {"label": "x"}, "split": seizure},
            "by subject": {"reading": {"label": "x"}, "split": None},
            "another": {"reading": {"label": "y"}, "split": seizure},
        },
        "fusions": [
            {"task": "both", "model": "agcn", "members": ["by seizure/agcn", "another/agcn"]}
        ],
    }
    assert split_pairs(config) == [("by subject", "by seizure")]
    assert [split_of(config, task) for task in ("by seizure", "by subject", "both")] == [
        seizure,
        subject,
        seizure,
    ]
    assert split_of(config, "by seizure in the unseen test set") == seizure


def test_the_difference_that_a_split_makes_by_hand():
    def table_of(task: str, right: dict[str, bool]) -> pd.DataFrame:
        truth = {name: "TCS" if int(name[1]) % 2 else "FOS" for name in right}
        rows = pd.DataFrame(
            {
                "clip_id": list(right),
                "truth": list(truth.values()),
                "task": task,
                "model": "mean",
                "seed": 0,
            }
        )
        rows["predicted"] = [
            truth[name] if good else {"TCS": "FOS", "FOS": "TCS"}[truth[name]]
            for name, good in right.items()
        ]
        rows["score"] = [0.9 if level == "TCS" else 0.1 for level in rows["predicted"]]
        rows["scores"] = [{"FOS": 1 - score, "TCS": score} for score in rows["score"]]
        return rows.assign(participant_id=rows["clip_id"], recording_id=rows["clip_id"])

    names = [f"p{number}" for number in range(8)]
    known, new = (
        table_of("known", dict.fromkeys(names, True)),
        table_of("new", {name: name in names[:6] for name in names}),
    )
    found = {
        each["metric"]: each
        for each in split_differences(
            pd.concat([known, new]), [("new", "known"), ("new", "not run")]
        )
    }
    assert found["accuracy"]["value"] == pytest.approx(6 / 8 - 1) and found["auc"][
        "value"
    ] == pytest.approx(3 * 3 / 16 + 2 * 3 / 16 / 2 - 1)
    assert (
        found["accuracy"]["low"] < -0.25 < found["accuracy"]["high"] and found["accuracy"]["n"] == 8
    )
    less = split_differences(pd.concat([known, new[new["clip_id"] != "p7"]]), [("new", "known")])
    assert (
        less[0]["value"] == pytest.approx(6 / 7 - 1) and less[0]["participants"] == 7
    )  # only what both have


def test_folds_of_runs_without_younger_settings_stay_valid():
    assert not {"segments", "gamma", "augmentation"} & (
        key_settings(Reading("x")).keys() | key_settings(Model(Network("agcn"))).keys()
    )
    assert key_settings(Reading("x", segments=4, gamma=1.0)) == asdict(
        Reading("x", segments=4, gamma=1.0)
    )
    assert "window" in key_settings(Reading("x")) and "window" not in key_settings(
        Model(Network("agcn"))
    )
    own = Model(Network("agcn"), window=64, augmentation=Augmentation(mirror=0.0))
    assert key_settings(own)["window"] == 64 and key_settings(own)["augmentation"]["mirror"] == 0
    assert own.read(Reading("x", window=32)).window == 64


def test_the_test_set_takes_no_part_in_any_fold_and_comes_last():
    *parts, test = split_clips(Split(test=["p1", "p4"]), CLIPS, "", seed=0)
    assert (
        test.name == "test"
        and test.held_out == ("p1_0", "p1_1", "p4_0", "p4_1")
        and test.unused == ()
    )
    assert [part.name for part in parts] == ["p0", "p2", "p3", "p5"]
    assert all(part.unused == test.held_out for part in parts)


def test_participants_of_the_test_set_who_are_not_scored_are_passed_over_if_others_are_left(cohort):
    scored = [own for own in CLIPS if own.participant_id != "p4"]
    *_, test = split_clips(Split(test=["p1", "p4"]), scored, str(cohort), seed=0)
    assert test.held_out == ("p1_0", "p1_1")
    with pytest.raises(UserError, match=r"split.test: no scored clips of p4$"):
        split_clips(Split(test=["p4"]), scored, str(cohort), seed=0)


def with_centres(cohort, centres):
    people = pd.DataFrame({"participant_id": [f"p{n}" for n in range(6)], "centre": centres})
    people.to_csv(cohort / "participants.tsv", sep="\t", index=False)


def test_leaving_one_centre_out_reads_the_column_of_the_participants(cohort):
    with_centres(cohort, ["north", "north", "south", "south", "east", "east"])
    parts = split_clips(Split(by="centre"), CLIPS, str(cohort), seed=0)
    assert {part.name: {clip_id[:2] for clip_id in part.held_out} for part in parts} == {
        "north": {"p0", "p1"},
        "south": {"p2", "p3"},
        "east": {"p4", "p5"},
    }


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (Split(test=["p9"]), "split.test: no scored clips of p9"),
        (Split(test=["p0", "p1", "p2", "p3"]), "scored in 2 participants beside the test set"),
        (Split(by="grouped", folds=7), "folds: 7, but there are 6"),
        (
            Split(by="centre", column="hospital"),
            "has no 'hospital' in clips.tsv or participants.tsv",
        ),
    ],
)
def test_what_cannot_be_assigned_is_refused_in_one_line(cohort, split, message):
    with pytest.raises(UserError, match=message):
        split_clips(split, CLIPS, str(cohort), seed=0)


def test_a_participant_in_two_centres_is_refused(cohort):
    clips = pd.read_csv(cohort / "clips.tsv", sep="\t", dtype=str, keep_default_na=False)
    clips["centre"] = ["north" if name.endswith("_0") else "south" for name in clips["clip_id"]]
    clips.to_csv(cohort / "clips.tsv", sep="\t", index=False)
    with pytest.raises(UserError, match="participant p0 has two values of 'centre'"):
        split_clips(Split(by="centre"), CLIPS, str(cohort), seed=0)


def test_a_task_holds_out_whom_its_own_split_states(cohort):
    quick = Schedule(epochs=1, patience=None, device="cpu")
    protocol = Protocol(
        cohort=str(cohort),
        out=str(cohort / "run"),
        tasks={
            "new": Task(Reading("swing", window=32)),
            "known": Task(Reading("swing", window=32), split=Split("recording", 3, test=["p0"])),
        },
        models={"agcn": Model(Network("agcn", {"widths": [4]}), schedule=quick)},
        split=Split(by="grouped", folds=2),
        validation=0.0,
        final=False,
    )
    run_loso(protocol)
    splits = {
        path.parts[-3]: json.loads(path.read_text())["split"]
        for path in (cohort / "run/folds").glob("*/seed-0/01.json")
    }
    assert splits == {"new": "grouped", "known": "recording"}
    table = pd.read_csv(cohort / "run/predictions.csv")
    clips = table.groupby("task")["clip_id"].apply(lambda ids: {name[:2] for name in ids}).to_dict()
    assert (
        clips["known in the unseen test set"] == {"p0"}
        and "p0" not in clips["known"]
        and "p0" in clips["new"]
    )
    (sides,) = [
        check
        for check in json.loads((cohort / "run/audit.json").read_text())["checks"]
        if check["name"] == "participants"
    ]
    assert (
        sides["found"].startswith("known: other seizures of known patients")
        and "both sides in new)" in sides["found"]
    )


def test_a_run_with_a_test_set_scores_it_by_models_that_saw_all_others(cohort):
    quick = Schedule(epochs=1, patience=None, device="cpu")
    protocol = Protocol(
        cohort=str(cohort),
        out=str(cohort / "run"),
        tasks={"swing (pose)": Task(Reading("swing", window=32))},
        models={"agcn": Model(Network("agcn", {"widths": [4]}), schedule=quick)},
        split=Split(by="grouped", folds=2, test=["p0", "p1"]),
        validation=0.0,
        final=False,
    )
    run_loso(protocol)
    table = pd.read_csv(cohort / "run/predictions.csv")
    clips = table.groupby("task")["clip_id"].apply(lambda ids: {name[:2] for name in ids}).to_dict()
    assert clips == {
        "swing (pose)": {"p2", "p3", "p4", "p5"},
        "swing (pose) in the unseen test set": {"p0", "p1"},
    }
    record = json.loads((cohort / "run/folds/swing-pose/seed-0/test.json").read_text())
    assert {name[:2] for name in record["models"]["agcn"]["seen"]["weights"]} == {
        "p2",
        "p3",
        "p4",
        "p5",
    }
    for name in ("01", "02"):
        record = json.loads((cohort / f"run/folds/swing-pose/seed-0/{name}.json").read_text())
        assert not {"p0", "p1"} & {
            clip_id[:2] for clip_id in record["models"]["agcn"]["seen"]["weights"]
        }


def test_every_seed_of_a_run_is_trained_on_folds_and_weights_of_its_own(cohort):
    quick = Schedule(epochs=1, patience=None, device="cpu", precision="fp32")
    # one window a clip and one batch: nothing but the weights' seed makes a difference here
    one_out = Task(Reading("swing", window=40), split=Split())
    protocol = Protocol(
        cohort=str(cohort),
        out=str(cohort / "run"),
        tasks={"grouped": Task(Reading("swing", window=16)), "one out": one_out},
        models={"agcn": Model(Network("agcn", {"widths": [4]}), schedule=quick)},
        split=Split("grouped", 2),
        seeds=(0, 1, 2, 5),
        validation=0.0,
        batch_size=16,
        augmentation=NO_CHANGE,
        final=False,
    )
    run_loso(protocol)
    records = [
        json.loads(path.read_text()) for path in sorted((cohort / "run/folds").rglob("*.json"))
    ]
    folds = {
        task: {
            seed: tuple(
                tuple(record["held_out_clips"])
                for record in records
                if (record["task"], record["seed"]) == (task, seed)
            )
            for seed in protocol.seeds
        }
        for task in protocol.tasks
    }
    assert len(records) == 4 * 2 + 4 * 6  # seeds times folds of each task
    assert len(set(folds["grouped"].values())) == 4  # each seed splits again,
    assert len(set(folds["one out"].values())) == 1  # but who is left out alone is no choice
    table = pd.read_csv(cohort / "run/predictions.csv")
    metrics = json.loads((cohort / "run/metrics.json").read_text())["tasks"]
    for task in protocol.tasks:
        rows = table[table["task"] == task].pivot(index="clip_id", columns="seed", values="score")
        assert list(rows.columns) == [0, 1, 2, 5] and len(rows) == 11
        assert rows.notna().all(axis=None)  # every clip is scored under every seed,
        assert len({tuple(column) for column in rows.T.round(3).to_numpy()}) == 4  # other weights
        agcn = metrics[task]["models"]["agcn"]
        hits = table[table["task"] == task].groupby("seed")[["predicted", "truth"]]
        accuracies = hits.apply(lambda own: float((own["predicted"] == own["truth"]).mean()))
        assert agcn["seeds"] == [0, 1, 2, 5]
        assert agcn["metrics"]["accuracy"]["seeds"] == pytest.approx(accuracies.tolist())
        assert agcn["metrics"]["accuracy"]["value"] == pytest.approx(accuracies.mean())
