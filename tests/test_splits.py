"""Who is held out together, by each way of dealing clips to folds."""

import json

import numpy as np
import pandas as pd
import pytest

from semiology import UserError
from semiology.evaluation.loso import run_loso
from semiology.evaluation.protocol import Model, Protocol, Task
from semiology.evaluation.splits import Split, deal
from semiology.learning.clips import ClipData, Reading
from semiology.learning.fitting import Schedule
from semiology.streams import Network

NOTHING = np.zeros((1, 1, 2))


def clip(participant: str, number: int, recording: str = "") -> ClipData:
    clip_id = f"{participant}_{number}"
    return ClipData(clip_id, participant, number % 2, NOTHING, recording_id=recording or clip_id)


CLIPS = [clip(f"p{person}", number) for person in range(6) for number in range(2)]


def test_leaving_one_participant_out_makes_a_fold_of_each():
    parts = deal(Split(), CLIPS, "", seed=0)
    assert [(part.name, part.held_out) for part in parts] == [(f"p{n}", (f"p{n}_0", f"p{n}_1")) for n in range(6)]
    assert all(part.unused == () for part in parts)


@pytest.mark.parametrize("seed", range(5))
def test_grouped_folds_hold_every_clip_once_and_whole_participants(seed):
    parts = deal(Split(by="grouped", folds=3), CLIPS, "", seed)
    held = [clip_id for part in parts for clip_id in part.held_out]
    assert sorted(held) == sorted(clip.clip_id for clip in CLIPS)
    people = [{clip_id.split("_")[0] for clip_id in part.held_out} for part in parts]
    assert len(people) == 3 and sum(map(len, people)) == 6


def test_more_folds_than_clips_of_any_level_are_dealt_all_the_same():
    one_each = [clip(f"p{person}", person) for person in range(6)]  # three clips of each level
    held = [clip_id for part in deal(Split(by="grouped", folds=6), one_each, "", 0) for clip_id in part.held_out]
    assert sorted(held) == sorted(clip.clip_id for clip in one_each)


def test_each_seed_deals_anew():
    dealt = {tuple(deal(Split(by="grouped", folds=3), CLIPS, "", seed)) for seed in range(5)}
    assert len(dealt) > 1


def test_recording_folds_part_a_participant_but_not_the_views_of_a_seizure():
    views = [clip(f"p{person}", number, f"p{person}_s{number // 2}") for person in range(5) for number in range(4)]
    parts = deal(Split(by="recording", folds=5), views, "", seed=0)
    recording = {clip.clip_id: clip.recording_id for clip in views}
    held = [{recording[clip_id] for clip_id in part.held_out} for part in parts]
    assert sum(map(len, held)) == 10 == len(set.union(*held))  # no recording in two folds
    people = [{clip_id.split("_")[0] for clip_id in part.held_out} for part in parts]
    assert sum(map(len, people)) > 5  # some participant is in two


def test_the_test_set_takes_no_part_in_any_fold_and_comes_last():
    *parts, test = deal(Split(test=["p1", "p4"]), CLIPS, "", seed=0)
    assert test.name == "test" and test.held_out == ("p1_0", "p1_1", "p4_0", "p4_1") and test.unused == ()
    assert [part.name for part in parts] == ["p0", "p2", "p3", "p5"]
    assert all(part.unused == test.held_out for part in parts)


def with_centres(cohort, centres):
    people = pd.DataFrame({"participant_id": [f"p{n}" for n in range(6)], "centre": centres})
    people.to_csv(cohort / "participants.tsv", sep="\t", index=False)


def test_leaving_one_centre_out_reads_the_column_of_the_participants(cohort):
    with_centres(cohort, ["north", "north", "south", "south", "east", "east"])
    parts = deal(Split(by="centre"), CLIPS, str(cohort), seed=0)
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
        (Split(by="grouped", folds=7), "folds: 7 asked for, but there are 6"),
        (Split(by="centre", column="hospital"), "has no 'hospital' in clips.tsv or participants.tsv"),
    ],
)
def test_what_cannot_be_dealt_is_refused_in_one_line(cohort, split, message):
    with pytest.raises(UserError, match=message):
        deal(split, CLIPS, str(cohort), seed=0)


def test_a_participant_in_two_centres_is_refused(cohort):
    clips = pd.read_csv(cohort / "clips.tsv", sep="\t", dtype=str, keep_default_na=False)
    clips["centre"] = ["north" if name.endswith("_0") else "south" for name in clips["clip_id"]]
    clips.to_csv(cohort / "clips.tsv", sep="\t", index=False)
    with pytest.raises(UserError, match="participant p0 has two values of 'centre'"):
        deal(Split(by="centre"), CLIPS, str(cohort), seed=0)


def test_a_run_with_a_test_set_scores_it_by_models_that_saw_all_others(cohort):
    quick = Schedule(epochs=1, patience=None, accelerator="cpu")
    protocol = Protocol(
        cohort=str(cohort),
        out=str(cohort / "run"),
        tasks={"swing (pose)": Task(Reading("swing", window=32))},
        models={"agcn": Model(Network("semiology.streams.AGCN", {"widths": [4]}), schedule=quick)},
        split=Split(by="grouped", folds=2, test=["p0", "p1"]),
        validation=0.0,
        final=False,
    )
    run_loso(protocol)
    table = pd.read_csv(cohort / "run/predictions.csv")
    clips = table.groupby("task")["clip_id"].apply(lambda ids: {name[:2] for name in ids}).to_dict()
    assert clips == {"swing (pose)": {"p2", "p3", "p4", "p5"}, "swing (pose) in the unseen test set": {"p0", "p1"}}
    record = json.loads((cohort / "run/folds/swing-pose/seed-0/test.json").read_text())
    assert {name[:2] for name in record["models"]["agcn"]["seen"]["weights"]} == {"p2", "p3", "p4", "p5"}
    for name in ("01", "02"):
        record = json.loads((cohort / f"run/folds/swing-pose/seed-0/{name}.json").read_text())
        assert not {"p0", "p1"} & {clip_id[:2] for clip_id in record["models"]["agcn"]["seen"]["weights"]}
