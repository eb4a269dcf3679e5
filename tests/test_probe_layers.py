"""Features of layers: shapes, times, missing frames, and that a fold's features come from the
fold's own model.
"""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from semiology import UserError, load_skeleton, make_tracks
from semiology.cli.main import main
from semiology.data.tracks import save_tracks
from semiology.evaluation.run.settings import Model, Protocol, Task
from semiology.experiments.loso import run_loso
from semiology.experiments.probe import (
    cohort_target,
    input_features,
    layer_features,
    layer_names,
    linear_probe,
    probe_run,
    run_features,
)
from semiology.experiments.probe.layers import by_step
from semiology.experiments.probe.linear import make_splits
from semiology.experiments.probe.models import find_stream
from semiology.files import write_text
from semiology.models.networks import AGCN, Network
from semiology.models.training.clips import ClipSource
from semiology.models.training.reading import Reading, Schedule
from semiology.models.training.saved import SavedModel

NETWORK = Network("agcn", {"widths": [4, 8]})


@pytest.fixture
def saved(cohort) -> SavedModel:
    """An untrained AGCN of two blocks (stride 2 in the second) that reads the cohort."""
    reading = Reading("swing", window=32, channels=("joint",))
    shape = ClipSource(str(cohort), reading).shape
    torch.manual_seed(0)
    return SavedModel(
        AGCN(shape, [4, 8]).eval(), NETWORK, reading, ["absent", "present"], shape, {}
    )


@pytest.fixture
def run(saved, cohort):
    """A run's folder with a model kept for each fold; the head of fold pN's says the number N of
    every clip.
    """
    owners = {
        clip.clip_id: clip.participant_id for clip in ClipSource(str(cohort), saved.reading).clips
    }
    write_run(cohort / "run", saved, owners, owners)
    return cohort / "run"


def write_run(folder, saved, owners, folds):
    """A run of these folds (clip -> fold); that called test is the unseen test set."""
    rows = []
    for number, fold in enumerate(sorted(set(folds.values()))):
        torch.nn.init.zeros_(saved.network.head.weight)
        torch.nn.init.constant_(saved.network.head.bias, float(number))
        replace(saved, about={"key": f"key {fold}"}).save(
            folder / f"kept/swing-pose/seed-0/{fold}/agcn"
        )
        held_out = [clip for clip in owners if folds[clip] == fold]
        split = "test" if fold == "test" else "participant"
        record = {"key": f"key {fold}", "split": split, "clips": owners, "held_out_clips": held_out}
        write_text(folder / f"folds/swing-pose/seed-0/{fold}.json", json.dumps(record))
        task = {
            "task": "swing (pose)" + (" in the unseen test set" if fold == "test" else ""),
            "label": "swing",
            "stream": "pose",
        }
        prediction = {
            "truth": "absent",
            "predicted": "absent",
            "score": 0.4,
            "scores": json.dumps({"absent": 0.6, "present": 0.4}),
        }
        for clip in held_out:
            rows.append(
                {
                    **task,
                    "model": "agcn",
                    "seed": 0,
                    "fold": fold,
                    "clip_id": clip,
                    "participant_id": owners[clip],
                    **prediction,
                }
            )
    pd.DataFrame(rows).to_csv(folder / "predictions.csv", index=False)
    write_text(folder / "config.yaml", f"cohort: {folder.parent}\nstore: null\n")


def test_layers_have_their_names_widths_and_clips(saved, cohort):
    found = layer_features(saved, cohort)
    assert {layer: features.values.shape for layer, features in found.items()} == {
        "input": (11, 11 * 2 * 5),
        "blocks.0": (11, 4),
        "blocks.1": (11, 8),
        "features": (11, 8),
        "logits": (11, 2),
    }
    for features in found.values():
        assert features.table["participant_id"].tolist() == [
            clip[:2] for clip in features.table["clip_id"]
        ]
    assert np.allclose(
        found["features"].values, found["blocks.1"].values, atol=1e-6
    )  # pooled as the network itself pools
    head = saved.network.head
    assert np.allclose(
        found["logits"].values,
        head(torch.tensor(found["features"].values).float()).detach(),
        atol=1e-5,
    )
    assert {"blocks.0.graph.embed", "norm", "head"} <= set(layer_names(saved))


def test_a_saved_folder_gives_what_the_model_gives(saved, cohort, tmp_path):
    there = layer_features(saved.save(tmp_path / "model"), str(cohort), layers=["blocks.0"])
    assert list(there) == ["blocks.0"]
    assert np.array_equal(
        there["blocks.0"].values, layer_features(saved, cohort)["blocks.0"].values
    )


def test_frames_have_times_in_seconds_and_what_was_not_seen_is_missing(saved, cohort):
    names = load_skeleton("upper_body_11").names
    position = np.random.default_rng(0).normal(200, 40, (40, 11, 2))
    position[10:30] = np.nan  # 0.8 s, longer than gaps that are filled
    save_tracks(make_tracks(position, names, 25.0), cohort / "tracks/p0_0.nc")
    found = layer_features(saved, cohort, layers=["input", "blocks.0", "blocks.1"], per="frame")
    rows = {
        layer: features.table[features.table["clip_id"] == "p0_0"]
        for layer, features in found.items()
    }
    assert rows["input"]["time"].tolist() == pytest.approx(np.arange(40) / 25)
    first = rows["blocks.0"][rows["blocks.0"]["window"] == 0]
    assert first["time"].tolist() == pytest.approx(np.arange(32) / 25)
    second = rows["blocks.0"][
        rows["blocks.0"]["window"] == 1
    ]  # two windows of 32 frames cover 40: the other starts at frame 8
    assert second["time"].iloc[0] == pytest.approx(8 / 25) and set(rows["blocks.0"]["window"]) == {
        0,
        1,
    }
    assert np.flatnonzero(first["f0"].isna()).tolist() == list(range(10, 30))
    halved = rows["blocks.1"][rows["blocks.1"]["window"] == 0]
    assert halved["time"].tolist() == pytest.approx(np.arange(0, 32, 2) / 25)
    assert np.flatnonzero(halved["f0"].isna()).tolist() == list(range(5, 15))


def test_outputs_of_every_known_layout_come_out_by_window_and_step():
    windows, steps, joints = 2, 3, 2
    tags = torch.tensor(
        [
            [[100.0 * w + 10 * s + j for j in range(joints)] for s in range(steps)]
            for w in range(windows)
        ]
    )
    wanted = torch.tensor(
        [[[0.5, 10.5, 20.5]], [[100.5, 110.5, 120.5]]]
    )  # (window, channel, step), joints averaged
    assert torch.equal(by_step(tags[:, None], windows, joints), wanted)
    assert torch.equal(
        by_step(tags.reshape(-1, 1), windows, joints), wanted
    )  # nodes in order of window, step, joint
    assert torch.equal(by_step(wanted, windows, joints), wanted)
    with pytest.raises(UserError, match=r"its output \(3,\)"):
        by_step(torch.zeros(3), windows, joints, "odd")


def test_features_of_a_fold_come_from_its_own_model_and_are_tested_on_whom_it_never_saw(run):
    logits = run_features(run, layers=["logits"])["logits"]
    assert logits.seen == "others" and len(logits.table) == 6 * 11
    assert (logits.table["f0"] == logits.table["fold"].str[1:].astype(float)).all()
    unseen = logits.table[logits.table["held_out"]]
    assert (
        sorted(unseen["clip_id"]) == sorted(set(logits.table["clip_id"]))
        and (unseen["fold"] == unseen["participant_id"]).all()
    )
    clips = sorted(set(logits.table["clip_id"]))
    owners = np.array([clip[:2] for clip in clips])
    for by in ("participant", "clip"):
        splits = make_splits(logits, clips, owners, by, None, 0)
        assert sorted(np.concatenate([split.test for split in splits])) == list(
            range(11)
        )  # every clip once
        for split in splits:
            (who,) = set(owners[split.test])
            assert set(split.values.ravel()) == {
                float(who[1:])
            }  # one space, of the model that never saw this participant
            assert by == "clip" or who not in owners[split.train]


def test_what_an_earlier_protocol_left_is_passed_over(run):
    stale = run / "kept/swing-pose/seed-0/01"
    shutil.copytree(run / "kept/swing-pose/seed-0/p0", stale)
    shutil.copy(run / "folds/swing-pose/seed-0/p0.json", run / "folds/swing-pose/seed-0/01.json")
    logits = run_features(run, layers=["logits"])["logits"]
    assert sorted(set(logits.table["fold"])) == [f"p{number}" for number in range(6)]


def test_the_unseen_test_set_neither_teaches_the_probe_nor_is_pooled(saved, cohort):
    owners = {
        clip.clip_id: clip.participant_id for clip in ClipSource(str(cohort), saved.reading).clips
    }
    folds = {clip: "test" if owner in ("p0", "p1") else owner for clip, owner in owners.items()}
    write_run(cohort / "run", saved, owners, folds)
    logits = run_features(cohort / "run", layers=["logits"])["logits"]
    assert sorted(set(logits.table["fold"])) == ["p2", "p3", "p4", "p5"]
    assert (
        sorted(set(logits.table["participant_id"])) == ["p2", "p3", "p4", "p5"]
        and len(logits.table) == 4 * 7
    )
    assert logits.table["held_out"].sum() == 7
    probing = probe_run(cohort / "run", "swing", layers="logits", permutations=0)
    assert (probing.scored, probing.left_out, probing.apart) == (7, {}, 4)
    assert "4 clips of the unseen test set take no part" in probing.text()


def test_with_one_kept_fold_only_its_held_out_clips_are_tested(run):
    for number in range(1, 6):
        shutil.rmtree(run / f"kept/swing-pose/seed-0/p{number}")
    stream = find_stream(run)
    logits = run_features(run, layers=["logits"])["logits"]
    assert set(logits.table["fold"]) == {"p0"}
    clips = sorted(logits.table["clip_id"])
    splits = make_splits(
        logits, clips, np.array([clip[:2] for clip in clips]), "participant", None, 0
    )
    assert [[clips[number] for number in split.test] for split in splits] == [["p0_0", "p0_1"]]
    left_out = stream.left_out(["p0_0"])
    assert (
        len(left_out) == 10
        and left_out["p4_1"] == "no kept model of fold p4"
        and left_out["p0_1"] == "no longer in the cohort"
    )


def test_the_verb_probes_what_loso_kept(cohort, capsys):
    schedule = Schedule(epochs=1, patience=None, device="cpu")
    task = Task(Reading("swing", window=32, windows=1, channels=("joint",)))
    models = {"agcn": Model(NETWORK, schedule=schedule)}
    run = cohort / "run"
    run_loso(
        Protocol(str(cohort), str(run), {"swing (pose)": task}, models, validation=0.0, keep=True)
    )
    command = [
        "probe",
        str(run),
        "--target",
        "swing",
        "--permutations",
        "9",
        "--task",
        "swing (pose)",
    ]
    assert main([*command, "--layers", "[input, blocks.1, features]"]) == 0
    printed = capsys.readouterr().out
    assert (
        "5 with two clips or more" in printed
        and "includes whether the model had met the person" in printed
        and "whose model never saw its participant" in printed
    )
    table = pd.read_csv(run / "probe/swing-pose-agcn-swing-input-blocks-1-features.csv")
    assert table["layer"].tolist() == ["input", "blocks.1", "features"]
    # five people have two clips; each fold leaves out one of them or p5: five times 4 to choose
    # from (8 clips), once 5 (10 clips)
    assert (
        np.allclose(table["identity_trained_chance"], (5 * 8 / 4 + 10 / 5) / 50)
        and (table["identity_unmet_chance"] == 0.2).all()
    )
    assert table.loc[0, "score"] > 0.9  # the wrist swings or it does not
    document = json.loads(
        (run / "probe/swing-pose-agcn-swing-input-blocks-1-features.json").read_text()
    )
    assert (
        document["layers"]["features"]["levels"] == ["absent", "present"]
        and document["layers"]["input"]["permutations"] == 9
    )
    assert document["cka"]["values"][1][2] == pytest.approx(1, abs=1e-4)
    assert (
        main([*command, "--layers", "[logits]", "--final", "true"]) == 0
    )  # the model that was trained on everybody
    assert "has seen those that it is tested on" in capsys.readouterr().out
    assert pd.read_csv(run / "probe/swing-pose-agcn-swing-final-logits.csv")["seen"].tolist() == [
        "had seen the participant"
    ]


def test_each_way_of_probing_has_a_table_of_its_own(run, capsys):
    command = ["probe", str(run), "--target", "swing", "--permutations", "0"]
    for more in (
        ("--layers", "[]"),
        ("--layers", "logits"),
        ("--layers", "logits", "--probe", "logistic"),
    ):
        assert main([*command, *more]) == 0
    assert sorted(path.stem for path in (run / "probe").glob("*.csv")) == sorted(
        f"swing-pose-agcn-swing{name}" for name in ("", "-logits", "-logistic-logits")
    )
    table = pd.read_csv(run / "probe/swing-pose-agcn-swing.csv")
    assert table["layer"].tolist() == ["input", "blocks.0", "blocks.1", "features", "logits"]
    assert table["seen"].tolist() == ["nothing was trained", *["never saw the participant"] * 4]
    assert table[
        ["clips", "participants", "probe", "permutations"]
    ].drop_duplicates().to_numpy().tolist() == [[11, 6, "ridge", 0]]
    printed = capsys.readouterr().out
    assert (
        "no permutations requested" in printed
        and "nan" not in printed
        and "left out" not in printed
    )


def test_scored_clips_that_are_left_out_are_reported(run, cohort, capsys):
    shutil.rmtree(run / "kept/swing-pose/seed-0/p3")
    clips = (cohort / "clips.tsv").read_text().splitlines(keepends=True)
    (cohort / "clips.tsv").write_text(
        "".join(line for line in clips if not line.startswith("p0_1"))
    )
    assert (
        main(["probe", str(run), "--target", "swing", "--permutations", "0", "--layers", "logits"])
        == 0
    )
    wanted = (
        "3 of 11 scored clips are left out: p0_1 (no longer in the cohort); p3_0, p3_1 (no kept"
        " model of fold p3)"
    )
    assert wanted in capsys.readouterr().out
    document = json.loads((run / "probe/swing-pose-agcn-swing-logits.json").read_text())
    assert document["scored"] == 11 and list(document["left_out"]) == ["p0_1", "p3_0", "p3_1"]
    assert document["layers"]["logits"]["clips"] == 8


def test_columns_of_participants_and_clips_can_be_probed(cohort):
    people = pd.DataFrame(
        {
            "participant_id": [f"p{n}" for n in range(6)],
            "sex": list("FMFMFM"),
            "age": [20, 31, 25, 60, "n/a", 44],
        }
    )
    people.to_csv(cohort / "participants.tsv", sep="\t", index=False)
    sex, age = cohort_target(cohort, "sex"), cohort_target(cohort, "age")
    assert list(sex.cat.categories) == ["F", "M"] and sex["p1_0"] == "M"
    assert age["p3_1"] == 60 and "p4_0" not in age.index and len(age) == 10
    assert cohort_target(cohort, "age", "categorical").dtype == "category"
    layer = input_features(ClipSource(str(cohort), Reading("swing", window=32)))
    assert linear_probe(layer, sex, permutations=0).score > 0.9  # here men swing and women do not
    assert set(linear_probe(layer, age, permutations=0).scores) == {"r2", "spearman"}


def test_faults_are_reported_in_one_line(run, cohort, saved, capsys):
    def refusal(*arguments):
        assert main(["probe", *map(str, arguments)]) == 2
        *size, line = capsys.readouterr().err.splitlines()
        assert size == [f"{run}: 11 clips of 6 participants, 1 model"] * (arguments[0] == run)
        return line

    assert (
        "no column 'mood'" in (line := refusal(run, "--target", "mood")) and "swing, side" in line
    )
    assert (
        "no layer 'blocks.7'"
        in (line := refusal(run, "--target", "swing", "--layers", "[blocks.7]"))
        and "blocks.1, " in line
    )
    assert "gives nothing itself" in refusal(run, "--target", "swing", "--layers", "[blocks]")
    assert (
        "no model 'tcn'" in (line := refusal(run, "--target", "swing", "--model", "tcn"))
        and "agcn" in line
    )
    assert "no task 'face'" in refusal(run, "--target", "swing", "--task", "face")
    assert "no such folder" in refusal(cohort / "nowhere", "--target", "swing")
    record = run / "folds/swing-pose/seed-0/p0.json"
    document = json.loads(record.read_text())
    record.write_text(json.dumps({**document, "held_out_clips": ["p0_0"]}))
    assert "trains on others" in refusal(run, "--target", "swing")
    record.unlink()
    assert "p0.json" in refusal(run, "--target", "swing")
    assert "final: true" in refusal(run, "--target", "swing", "--final", "true")
    for empty in ("kept/swing-pose/seed-0", "kept/swing-pose", "kept"):
        shutil.rmtree(run / empty)
        (run / empty).mkdir()
        assert "keep: true" in refusal(run, "--target", "swing")
    other = ClipSource(str(cohort), replace(saved.reading, window=16))
    with pytest.raises(UserError, match="read in another way"):
        layer_features(saved, other)
    with pytest.raises(UserError, match="no time any more"):
        layer_features(saved, cohort, layers=["logits"], per="frame")
    with pytest.raises(UserError, match="names no appearance features"):
        input_features(other, "appearance")
