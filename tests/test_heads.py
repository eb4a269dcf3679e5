"""Several labels at once: one network with a head a label, from the loss to the run."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from semiology import UserError, load_skeleton
from semiology.data.cohort import Label
from semiology.data.tracks import make_tracks, save_tracks
from semiology.evaluation.audit import audit, verdict
from semiology.evaluation.run.files import split_of, split_pairs, task_settings
from semiology.evaluation.run.settings import Calibration, Fusion, Model, Protocol, Split, Task
from semiology.experiments.clips import forget_sources, permuted, task_source
from semiology.experiments.estimators import solve
from semiology.experiments.loso import run_loso
from semiology.experiments.splits import split_groups
from semiology.models.networks import Network, StreamShape
from semiology.models.training.augmentation import Augmentation
from semiology.models.training.clips import UNSCORED, ClipData, ClipSource
from semiology.models.training.datamodule import ClipDataModule, validation_participants
from semiology.models.training.dataset import ClipDataset
from semiology.models.training.modules import (
    DistillationModule,
    StreamModule,
    distillation_loss,
    mean_loss,
)
from semiology.models.training.reading import Reading, Schedule
from semiology.models.training.saved import load_model, one_head
from semiology.models.training.trainer import fit, score

QUICK = Schedule(epochs=2, patience=2, device="cpu")
AGCN = Network("agcn", {"widths": [8, 8]})
GRAPH = load_skeleton("upper_body_11")


def clips_of(targets: list, clips: int = 1) -> list[ClipData]:
    """One participant a target, each with so many clips of noise."""
    rng = np.random.default_rng(0)
    return [
        ClipData(
            f"p{person:02d}_{clip}",
            f"p{person:02d}",
            target,
            rng.normal(size=(20, 11, 2)).astype(np.float32),
            recording_id=f"p{person:02d}_{clip}",
        )
        for person, target in enumerate(targets)
        for clip in range(clips)
    ]


def label(name: str, *levels: str) -> Label:
    return Label.model_validate(
        {"name": name, "Role": "label", "Levels": dict.fromkeys(levels, "")}
    )


def several(targets: list, clips: int = 1, **reading) -> ClipSource:
    """Two classes of swing, three of side."""
    labels = label("swing", "absent", "present"), label("side", "none", "left", "right")
    return ClipSource.from_clips(
        clips_of(targets, clips), Reading(["swing", "side"], window=16, **reading), labels
    )


MIXED = [(0, 0), (1, 1), (0, 2), (1, -1), (0, 1), (1, 0), (-1, 2), (1, 2), (0, 0)]


def test_a_list_of_one_label_is_that_label():
    assert Reading(["swing"]) == Reading("swing") and Reading(["swing"]).labels == ("swing",)
    assert Reading(["swing", "side"]).label == ("swing", "side")
    for wrong in ([], ["swing", "swing"]):
        with pytest.raises(UserError, match=r"reading\.label: .*name one label or several"):
            Reading(wrong)


def literal_loss(logits, targets, classes, weights, smoothing) -> float:
    """Clip by clip and label by label, from the formula of the cross-entropy."""
    above = below = 0.0
    for row, own in zip(logits.double(), targets.tolist()):
        scored = [number for number, target in enumerate(own) if target != UNSCORED]
        for number in scored:
            first = sum(classes[:number])
            part = row[first : first + classes[number]]
            weight = weights.double()[first : first + classes[number]]
            log = part - torch.log(torch.exp(part).sum())
            hit = (1 - smoothing) * weight[own[number]] * -log[own[number]]
            spread = smoothing / classes[number] * (weight * -log).sum()
            above += float(hit + spread) / len(scored)
            below += float(weight[own[number]]) / len(scored)
    return above / below


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_a_mean_over_the_labels_that_are_scored_in_each_clip(smoothing):
    torch.manual_seed(0)
    logits, weights = torch.randn(9, 5), torch.rand(5) + 0.5
    found = mean_loss(logits, torch.tensor(MIXED), (2, 3), weights, smoothing)
    assert found.item() == pytest.approx(
        literal_loss(logits, torch.tensor(MIXED), (2, 3), weights, smoothing), rel=1e-6
    )
    ones = mean_loss(logits, torch.tensor(MIXED), (2, 3))
    assert ones.item() == pytest.approx(
        literal_loss(logits, torch.tensor(MIXED), (2, 3), torch.ones(5), 0.0), rel=1e-6
    )


def test_a_label_that_was_not_scored_takes_no_part_in_the_gradient():
    logits = torch.randn(9, 5, requires_grad=True)
    mean_loss(logits, torch.tensor(MIXED), (2, 3)).backward()
    touched = (logits.grad != 0).tolist()
    for row, (swing, side) in zip(touched, MIXED):
        assert row == [swing != UNSCORED] * 2 + [side != UNSCORED] * 3


def test_one_label_has_the_loss_that_it_always_had():
    logits, targets, weights = torch.randn(7, 3), torch.tensor([0, 1, 2, 0, 1, 1, 0]), torch.rand(3)
    expected = F.cross_entropy(logits, targets, weights, label_smoothing=0.1)
    assert mean_loss(logits, targets, (3,), weights, 0.1).equal(expected)


def test_class_weights_are_those_of_each_label_alone():
    made = several(MIXED)
    together = ClipDataModule(made, ["p00"], validation=0.0).class_weights()
    alone = [
        ClipDataModule(made.of_label(name), ["p00"], validation=0.0).class_weights()
        for name in ("swing", "side")
    ]
    assert together.equal(torch.cat(alone))


def test_a_label_with_one_class_in_training_is_named():
    with pytest.raises(UserError, match=r"side: without .*one level only"):
        ClipDataModule(several([(0, 1), (1, 1), (0, 1), (1, 2)]), ["p03"])


def test_a_mirrored_example_has_the_mirrored_class_of_each_label():
    made = several([(1, 1), (0, 2), (1, UNSCORED), (UNSCORED, 0)], channels=("joint",))
    mirrored = Augmentation(rotation=0, scale=0, noise=0, mirror=1, joint_dropout=0, crop=1)
    rng = np.random.default_rng(0)
    found = ClipDataset(made, made.clips, mirrored, rng).__getitems__([0, 1, 2, 3])["target"]
    assert found.tolist() == [[1, 2], [0, 1], [1, UNSCORED], [UNSCORED, 0]]


def test_participants_for_early_stopping_show_the_classes_of_all_labels():
    targets = [(swing, side) for swing in (0, 1) for side in (0, 1, 2) for _ in range(5)]
    clips = clips_of(targets, clips=2)
    chosen = validation_participants(clips, 0.2, seed=0)
    shown = [clip.targets for clip in clips if clip.participant_id in chosen]
    # of 15 people with each class of swing three, of 10 with each class of side two
    assert [len({*zip(*shown)}) and sum(own[0] == level for own in shown) // 2 for level in (0, 1)]
    for number, classes, least in ((0, 2, 3), (1, 3, 2)):
        counts = np.bincount([own[number] for own in shown], minlength=classes) / 2
        assert (counts >= least).all() and counts.sum() <= 8


def test_nobody_stops_early_who_is_the_last_with_a_class():
    targets = [(0, 0), (0, 0), (0, 0), (0, 0), (1, 0), (0, 1), (0, 2)]
    for seed in range(20):
        chosen = validation_participants(clips_of(targets), 0.5, seed)
        assert chosen and not chosen & {"p04", "p05", "p06"}


def test_folds_spread_the_classes_of_every_label():
    targets = [(swing, side) for swing in (0, 1) for side in (0, 1, 2) for _ in range(4)]
    clips = clips_of(targets, clips=2)
    people = [clip.participant_id for clip in clips]
    folds = split_groups(clips, people, 4, seed=1)
    by_id = {clip.clip_id: clip for clip in clips}
    assert sorted(clip for held in folds.values() for clip in held) == sorted(by_id)
    for held in folds.values():
        swing, side = zip(*(by_id[clip].targets for clip in held))
        assert np.bincount(swing, minlength=2).tolist() == [6, 6]
        assert np.bincount(side, minlength=3).tolist() == [4, 4, 4]


def test_permuted_labels_keep_who_was_scored_and_how_often_each_class_occurs():
    clips = clips_of(MIXED)
    found = permuted(clips, [np.random.default_rng(1), np.random.default_rng(2)])
    before, after = (np.array([clip.targets for clip in of]) for of in (clips, found))
    assert ((before == UNSCORED) == (after == UNSCORED)).all()
    assert (np.sort(before, axis=0) == np.sort(after, axis=0)).all()
    assert (before != after).any(axis=0).all()
    alone = permuted(
        [replace(clip, target=clip.targets[1]) for clip in clips if clip.targets[1] != UNSCORED],
        [np.random.default_rng(2)],
    )
    assert [clip.target for clip in alone] == after[after[:, 1] != UNSCORED, 1].tolist()


def trained_network() -> tuple[StreamModule, ClipDataModule]:
    data = ClipDataModule(several(MIXED, channels=("joint",)), ["p00", "p03"], validation=0.3)
    return fit(StreamModule(AGCN), data, QUICK, seed=0), data


def test_the_network_of_one_head_gives_that_heads_outputs():
    module, data = trained_network()
    clip_ids, both = score(module, data)
    assert clip_ids == ["p00_0", "p03_0"]
    np.testing.assert_allclose(both[:, :2].sum(axis=1), 1)
    np.testing.assert_allclose(both[:, 2:].sum(axis=1), 1)
    swing, own = module.of_label(data, "swing")
    ids, found = score(swing, own)
    assert ids == clip_ids
    np.testing.assert_allclose(found, both[:, :2], atol=1e-6)
    ids, found = score(*module.of_label(data, "side"))
    assert ids == ["p00_0"]  # p03 was not scored for it
    np.testing.assert_allclose(found, both[:1, 2:], atol=1e-6)
    assert own.shape.classes == 2 and own.seen == data.seen


class TwoLayers(torch.nn.Module):
    """A head of two layers that depend on the number of classes."""

    reads = ("keypoints", "keypoint_mask")
    features = 4

    def __init__(self, shape: StreamShape):
        super().__init__()
        self.head = torch.nn.Sequential(
            torch.nn.Linear(4, shape.classes), torch.nn.Linear(shape.classes, shape.classes)
        )


def test_a_network_whose_head_cannot_be_taken_apart_is_refused():
    class Own(Network):
        def __call__(self, shape):
            return TwoLayers(shape)

    shape = StreamShape(5, GRAPH, 2)
    with pytest.raises(UserError, match=r"cannot have a head for each .*head\.0\.weight depends"):
        one_head(TwoLayers(shape), Own("agcn"), shape, (2, 3), 0)


@pytest.mark.parametrize("stream", ["agcn", "gat", "tcn", "segments"])
def test_every_network_has_heads_that_can_be_taken_apart(stream):
    options = {"segments": {"encoder": {"stream": "agcn", "options": {"widths": [8]}}}}
    network = Network(stream, options.get(stream, {}))
    shape = StreamShape(5, GRAPH, 0 if stream == "tcn" else 2, 8 if stream == "tcn" else 0)
    whole = network(shape).eval()
    size = {"keypoints": (2, 2, 16, 11), "keypoint_mask": (2, 16, 11)}
    size |= {"appearance": (2, 8, 16), "appearance_mask": (2, 16)}
    inputs = []
    for name in whole.reads:
        dims = (2, 3, *size[name][1:]) if stream == "segments" else size[name]
        inputs.append(torch.ones(dims) if "mask" in name else torch.randn(dims))
    for number, part in ((0, slice(0, 2)), (1, slice(2, 5))):
        single, own = one_head(whole, network, shape, (2, 3), number)
        assert own.classes == (2, 3)[number]
        torch.testing.assert_close(single(*inputs), whole(*inputs)[:, part])


def test_what_is_fitted_at_once_is_fitted_for_each_label_on_the_clips_scored_for_it():
    network = Network("estimator", {"model": "linear", "length": 16})
    made = several(MIXED, channels=("joint",), whole=True)
    data = ClipDataModule(made, ["p00", "p03"], validation=0.0)
    both = solve(StreamModule(network), data, seed=0)
    for name in ("swing", "side"):
        alone = ClipDataModule(
            made.of_label(name), ["p00", "p03"] if name == "swing" else ["p00"], 0.0
        )
        module, own = both.of_label(data, name)
        ids, found = score(module, own)
        expected = score(solve(StreamModule(network), alone, seed=0), alone)
        assert ids == expected[0] and (found == expected[1]).all()
        assert own.seen == alone.seen


def test_the_students_objective_is_the_mean_over_the_heads():
    teacher, data = trained_network()
    student = DistillationModule(AGCN, teacher.network, 2.0, 0.7, 0.3)
    student.build(data, fitting=True)
    student.eval()
    batch = next(iter(data.loader(data.training)))
    batch |= student.teacher_outputs(batch)
    logits = student(batch)
    apart = [
        distillation_loss(logits[:, part], batch["teacher_logits"][:, part], 2.0)
        for part in (slice(0, 2), slice(2, 5))
    ]
    label_loss = mean_loss(logits, batch["target"], (2, 3), data.class_weights())
    expected = 0.7 * label_loss + 0.3 * (apart[0] + apart[1]) / 2
    assert student.objective(batch).item() == pytest.approx(expected.item(), rel=1e-5)


def protocol(cohort, **changes) -> Protocol:
    return Protocol(
        **{
            "cohort": str(cohort),
            "out": str(cohort / "run"),
            "tasks": {"signs": Task(Reading(["swing", "side"], window=32))},
            "models": {"agcn": Model(AGCN, schedule=QUICK)},
            "validation": 0.3,
            "final": False,
            **changes,
        }
    )


def predictions_of(cohort) -> pd.DataFrame:
    return pd.read_csv(cohort / "run/predictions.csv", keep_default_na=False)


def faults(cohort) -> list:
    """What the audit does not pass, but confounds, of which a cohort of noise has none to show."""
    return [
        (check.name, check.found) for check in audit(cohort / "run") if check.result != "passed"
    ]


@pytest.fixture
def apart(tmp_path):
    """Nine people with two clips each, of noise: every class of swing and side in three people or
    more. Label side is not scored in p0's clips and one of p4's, swing in one of p5's.
    """
    rng, rows = np.random.default_rng(0), []
    for person in range(9):
        for clip in range(2):
            clip_id = f"p{person}_{clip}"
            position = rng.normal(200, 40, (40, 11, 2))
            save_tracks(make_tracks(position, GRAPH.names, 25.0), tmp_path / f"{clip_id}.nc")
            swing, side = ("absent", "present")[person % 2], ("none", "left", "right")[person // 3]
            side = "none" if clip_id == "p3_1" else side
            side = "n/a" if clip_id in ("p0_0", "p0_1", "p4_1") else side
            swing = "n/a" if clip_id == "p5_1" else swing
            rows.append([clip_id, f"p{person}", f"{clip_id}.nc", 0, "n/a", swing, side])
    columns = ["clip_id", "participant_id", "tracks", "start", "end", "swing", "side"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "clips.tsv", sep="\t", index=False)
    people = "".join(f"p{person}\n" for person in range(9))
    (tmp_path / "participants.tsv").write_text(f"participant_id\n{people}")
    levels = {"swing": ("absent", "present"), "side": ("none", "left", "right")}
    sidecar = {
        name: {"Role": "label", "Levels": dict.fromkeys(of, "")} for name, of in levels.items()
    }
    (tmp_path / "clips.json").write_text(json.dumps(sidecar))
    forget_sources()
    return tmp_path


def test_one_label_in_a_list_gives_the_plain_labels_predictions_bit_for_bit(cohort):
    plain = protocol(cohort, tasks={"swing (pose)": Task(Reading("swing", window=32))})
    run_loso(plain)
    before = (cohort / "run/predictions.csv").read_bytes()
    records = {path: path.read_bytes() for path in (cohort / "run/folds").rglob("*.json")}
    listed = replace(plain, tasks={"swing (pose)": Task(Reading(["swing"], window=32))})
    run_loso(listed)  # the folds are taken as they are: their key is the same
    assert {path: path.read_bytes() for path in records} == records
    run_loso(replace(listed, out=str(cohort / "again")))
    assert (cohort / "again/predictions.csv").read_bytes() == before


def test_every_label_is_a_task_with_its_baseline_its_null_and_its_part_in_the_joint_metrics(apart):
    models = {"agcn": Model(AGCN, schedule=replace(QUICK, epochs=1))}
    run_loso(protocol(apart, models=models, permutations=1, baseline=True, final=True))
    assert faults(apart) == []
    written = [path.name for path in (apart / "run").rglob("*")]
    assert "signs-swing-agcn.npz" in written and not any(":" in name for name in written)  # Windows
    table = predictions_of(apart)
    clips = {name: rows["clip_id"].nunique() for name, rows in table.groupby("task")}
    assert clips == {"signs: swing": 17, "signs: side": 15}
    assert set(table["label"]) == {"swing", "side"}
    assert set(table["model"]) == {"agcn", "linear"}

    metrics = json.loads((apart / "run/metrics.json").read_text())
    assert set(metrics["tasks"]) == {"signs: swing", "signs: side"}
    joint = metrics["joint"]["models"]["signs / agcn"]
    assert joint["tasks"] == {"swing": "signs: swing", "side": "signs: side"}
    assert (joint["clips"], joint["complete"]) == (18, 14)
    null = json.loads((apart / "run/null.json").read_text())
    assert len(null["signs: side"]["agcn"]["f1"]) == 1 and len(null["signs: side"]["linear"]) > 2

    record = json.loads((apart / "run/folds/signs-side/seed-0/p4.json").read_text())
    assert record["levels"] == ["none", "left", "right"] and record["held_out_clips"] == ["p4_0"]
    assert record["unscored"] == ["p0_0", "p0_1"]  # the network saw them: they have a swing
    empty = json.loads((apart / "run/folds/signs-side/seed-0/p0.json").read_text())
    assert empty["predictions"] == empty["held_out"] == []

    # a network that sees a held-out clip for one label is found out by the other's record, too
    record["models"]["agcn"]["seen"]["weights"].append("p4_0")
    record.pop("sha256", None)
    (apart / "run/folds/signs-side/seed-0/p4.json").write_text(json.dumps(record))
    assert verdict(audit(apart / "run")) != "passed"


def test_what_is_fitted_inside_folds_is_fitted_for_every_label(apart):
    models = {
        "agcn": Model(AGCN, schedule=QUICK),
        "agcn_kd": Model(AGCN, teacher="agcn", schedule=QUICK),
    }
    members = ("signs: side/agcn", "signs: side/agcn_kd")
    settings = {
        "models": models,
        "split": Split("grouped", folds=3, test=["p0", "p5"]),
        "fusions": [Fusion("signs: side", "fused", members, "inner")],
        "calibration": Calibration(method="temperature", folds=2, models=("agcn",)),
        "selections": {"best": ("agcn", "agcn_kd")},
        "keep": True,
        "final": True,
    }
    result = run_loso(protocol(apart, **settings))
    assert (result.refused, result.failed, faults(apart)) == ({}, {}, [])
    table = predictions_of(apart)
    columns = {"agcn", "agcn_kd", "best"}
    assert {*table.loc[table["label"] == "swing", "model"]} == columns
    assert {*table.loc[table["label"] == "side", "model"]} == columns | {"fused"}
    assert (table.loc[table["model"] == "agcn", "calibrated"] != "").all()
    unseen = table[table["task"].str.endswith("in the unseen test set")]
    assert unseen[unseen["model"] == "agcn"].groupby("label")["clip_id"].agg(list).to_dict() == {
        "side": ["p5_0", "p5_1"],
        "swing": ["p0_0", "p0_1", "p5_0"],
    }
    # kept and final models are networks of one label
    for name, levels in (("signs-swing", 2), ("signs-side", 3)):
        saved = load_model(apart / f"run/kept/{name}/seed-0/01/agcn")
        assert len(saved.levels) == saved.shape.classes == levels
        assert saved.reading.label == name.removeprefix("signs-")
        assert load_model(apart / f"run/models/{name}/agcn").about["calibration"]["temperature"]
    trained = {path: path.stat().st_mtime_ns for path in (apart / "run/folds").rglob("*.json")}
    run_loso(protocol(apart, **settings))  # nothing is trained again
    assert {path: path.stat().st_mtime_ns for path in trained} == trained


def test_a_label_is_found_in_the_config_by_its_tasks_name():
    config = {
        "tasks": {
            "signs": {"reading": {"label": ["swing", "side"]}, "split": {"by": "recording"}},
            "again": {"reading": {"label": ["swing", "side"]}, "split": None},
        },
        "split": {"by": "participant"},
    }
    assert task_settings(config, "signs: side") is config["tasks"]["signs"]
    assert split_of(config, "signs: side in the unseen test set") == {"by": "recording"}
    assert task_settings(config, "signs: arm") == {}
    assert split_pairs(config) == [("again: swing", "signs: swing"), ("again: side", "signs: side")]


def test_tasks_that_would_share_a_folder_are_refused(apart):
    tasks = {"signs": Task(Reading(["swing", "side"])), "signs (swing)": Task(Reading("swing"))}
    with pytest.raises(UserError, match="would share the folder signs-swing"):
        protocol(apart, tasks=tasks)


def test_one_label_of_several_is_read_as_if_alone(apart):
    alone = protocol(apart, tasks={"side": Task(Reading("side", window=32))})
    own, plain = (task_source(protocol(apart), "signs: side"), task_source(alone, "side"))
    assert [(clip.clip_id, clip.target) for clip in own.clips] == [
        (clip.clip_id, clip.target) for clip in plain.clips
    ]
    assert sorted(own.left_out) == sorted(plain.left_out)
    with pytest.raises(UserError, match="swing, side; here one label at a time"):
        _ = task_source(protocol(apart), "signs").levels
    with pytest.raises(UserError, match="defines no label 'arm'"):
        _ = ClipSource(str(apart), Reading(["swing", "arm"])).clips
