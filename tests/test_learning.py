"""Splits, windows, augmentation, distillation: what may leak, and what must not change."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from semiology import UserError, load_skeleton
from semiology.data.cohort import Cohort
from semiology.data.store import Store
from semiology.experiments.clips import permuted
from semiology.models.networks import TCN, Network, StreamShape
from semiology.models.training.augmentation import Augmentation, Change
from semiology.models.training.clips import ClipData, ClipSource
from semiology.models.training.datamodule import ClipDataModule, validation_participants
from semiology.models.training.dataset import NO_CHANGE, ClipDataset
from semiology.models.training.modules import DistillationModule, StreamModule, distillation_loss
from semiology.models.training.reading import Reading, Schedule
from semiology.models.training.saved import SavedModel, load_model
from semiology.models.training.trainer import fit, score

JOINTS = load_skeleton("upper_body_11").names


def source(cohort, **reading) -> ClipSource:
    return ClipSource(str(cohort), Reading(**{"label": "swing", "window": 16, **reading}))


def test_clips_that_are_not_scored_are_left_out_and_reported_so(cohort):
    made = source(cohort)
    assert len(made.clips) == 11
    assert made.left_out == ["p5_1: swing not scored"]


def test_tracks_that_a_clip_brings_are_read_from_its_start_to_its_end(cohort):
    whole = source(cohort).clips[0]
    text = (cohort / "clips.tsv").read_text()
    (cohort / "clips.tsv").write_text(text.replace("p0_0.nc\t0\tn/a", "p0_0.nc\t0.2\t1.0"))
    cut = source(cohort, channels=("joint",), origin="frame").clips[
        0
    ]  # frames 5 to 24 of 40, each in units of its own body
    assert (len(whole.joints), len(cut.joints)) == (40, 20)
    (cohort / "clips.tsv").write_text(text)
    np.testing.assert_array_equal(
        cut.joints, source(cohort, channels=("joint",), origin="frame").clips[0].joints[5:25]
    )
    (cohort / "clips.tsv").write_text(text.replace("p0_0.nc\t0\tn/a", "p0_0.nc\t9\tn/a"))
    with pytest.raises(UserError, match="clip p0_0: its tracks have no frame from 9 s on"):
        _ = source(cohort).clips


def test_no_participant_is_on_two_sides(cohort):
    made = source(cohort)
    for held in made.participants:
        data = ClipDataModule(made, [held], validation=0.34)
        sides = [
            {clip.participant_id for clip in clips}
            for clips in (data.training, data.validation, data.held_out)
        ]
        assert sides[2] == {held}
        assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
        assert set.union(*sides) == set(made.participants)


def test_class_weights_and_statistics_come_from_training_clips_alone(cohort):
    made = source(cohort)
    data = ClipDataModule(made, ["p0"], validation=0)
    # without p0: four clips absent (p2, p4), five present (p1, p3, and one of p5)
    np.testing.assert_allclose(data.class_weights(), [9 / (4 * 2), 9 / (5 * 2)], rtol=1e-6)


def test_one_level_among_training_participants_is_refused(cohort):
    made = source(cohort)
    with pytest.raises(UserError, match="show one level only"):
        ClipDataModule(made, ["p1", "p3", "p5"], validation=0)
    with pytest.raises(UserError, match=r"no scored clips of \['p9'\]"):
        ClipDataModule(made, ["p9"])


def test_validation_takes_from_every_level_and_never_all_of_one(cohort):
    chosen = validation_participants(source(cohort).clips, 0.34, seed=1)
    assert len(chosen & {"p0", "p2", "p4"}) == 1 and len(chosen & {"p1", "p3", "p5"}) == 1
    assert validation_participants(source(cohort).clips, 0.0, seed=1) == set()


def test_channels_hold_joint_bone_and_motion_of_the_right_joint_at_the_right_time(cohort):
    made = source(cohort, window=40)
    clip = made.clips[2]
    example = ClipDataset(made, [clip], NO_CHANGE, rng=None)[0]
    wrist, elbow = JOINTS.index("left_wrist"), JOINTS.index("left_elbow")
    keypoints = example["keypoints"].numpy()
    assert keypoints.shape == (6, 40, 11)
    np.testing.assert_allclose(keypoints[:2, 7, wrist], clip.joints[7, wrist], rtol=1e-6)
    np.testing.assert_allclose(
        keypoints[2:4, 7, wrist],
        clip.joints[7, wrist] - clip.joints[7, elbow],
        rtol=1e-5,
        atol=1e-6,
    )
    np.testing.assert_allclose(
        keypoints[4:, 7, wrist], clip.joints[8, wrist] - clip.joints[7, wrist], rtol=1e-5, atol=1e-6
    )


def test_speed_and_duration_tell_a_slow_clip_from_a_quick_one_of_the_same_course():
    # all joints go from 0 to 4 in 4 s, or in 2 s; 21 frames of the whole clip, 0.2 or 0.1 s apart
    kinds = ("motion", "speed", "duration")
    reading = Reading("pace", rate=10, window=21, whole=True, channels=kinds)
    clips = [
        ClipData("slow", "a", 0, np.linspace(0, 4, 41)[:, None, None] * np.ones((1, 11, 2))),
        ClipData("quick", "b", 1, np.linspace(0, 4, 21)[:, None, None] * np.ones((1, 11, 2))),
    ]
    source = ClipSource.from_clips(clips, reading, ["slow", "quick"])
    assert source.shape.keypoint_channels == 6
    batch = ClipDataset(source, clips, NO_CHANGE, rng=None).__getitems__([0, 1])
    slow, quick = batch["keypoints"].numpy()[..., :-1, :]  # motion and speed end at zero
    for clip, speed, seconds in ((slow, 1, 4.2), (quick, 2, 2.1)):
        assert np.allclose(clip[:2], 0.2) and np.allclose(clip[2:4], speed)
        assert np.allclose(clip[4:], np.log(seconds))
    windows = ClipSource.from_clips(clips, replace(reading, whole=False), ["slow", "quick"])
    one, _ = ClipDataset(windows, clips[:1], NO_CHANGE, rng=None)
    assert np.allclose(one["keypoints"][:4, 0, 0], [0.1, 0.1, 1, 1])
    assert np.allclose(one["keypoints"][4:, 0, 0], np.log(2.1))


def test_a_clip_shorter_than_the_window_is_padded_under_a_zero_mask(cohort):
    example = ClipDataset(source(cohort, window=64), source(cohort).clips[:1], NO_CHANGE, rng=None)[
        0
    ]
    mask = example["keypoint_mask"]
    assert (
        mask[:40].min() == 1
        and mask[40:].max() == 0
        and example["keypoints"][:, 40:].abs().max() == 0
    )


def test_scoring_windows_cover_the_clip_from_end_to_end(cohort):
    dataset = ClipDataset(
        source(cohort, window=16, windows=5), source(cohort).clips[:1], NO_CHANGE, rng=None
    )
    assert [share for _, share in dataset.items] == [0.0, 0.5, 1.0]
    joints = source(cohort).clips[0].joints
    np.testing.assert_allclose(dataset[2]["keypoints"][:2, -1, 0], joints[-1, 0], rtol=1e-6)


def test_the_mirror_swaps_sides_of_joints_and_of_labels(cohort):
    made = source(cohort, label="side", window=40, channels=("joint",))
    assert [own.tolist() for own in made.mirrored_levels] == [[0, 2, 1]]  # none, left <-> right
    always = Augmentation(rotation=0, scale=0, mirror=1, joint_dropout=0)
    dataset = ClipDataset(made, [made.clips[2]], always, np.random.default_rng(0))
    example, clip = dataset[0], made.clips[2]
    assert made.levels[clip.target] == "left" and made.levels[int(example["target"])] == "right"
    right, left = JOINTS.index("right_wrist"), JOINTS.index("left_wrist")
    np.testing.assert_allclose(
        example["keypoints"][0, :, right], -clip.joints[:, left, 0], rtol=1e-5
    )
    np.testing.assert_allclose(
        example["keypoints"][1, :, right], clip.joints[:, left, 1], rtol=1e-5
    )


def test_a_label_that_names_a_side_is_not_mirrored_where_appearance_is_read(cohort):
    made = source(cohort, label="side", appearance="body_vgg")
    clips = source(cohort, label="side").clips
    dataset = ClipDataset(made, clips, Augmentation(mirror=1), np.random.default_rng(0))
    assert dataset.mirror is False


def test_a_batch_holds_the_windows_that_are_drawn_one_after_the_other(cohort):
    made = source(cohort, window=16, channels=("joint", "bone", "motion", "deviation"))
    changed = Augmentation(noise=0.1, joint_dropout=0.3)
    batch = ClipDataset(made, made.clips, changed, np.random.default_rng(4)).__getitems__([3, 0, 7])
    one_by_one = ClipDataset(made, made.clips, changed, np.random.default_rng(4))
    examples = [one_by_one[number] for number in (3, 0, 7)]
    assert batch["clip"].tolist() == [3, 0, 7] and set(batch) == set(examples[0])
    for name, values in batch.items():
        torch.testing.assert_close(
            values, torch.stack([example[name] for example in examples]), rtol=0, atol=0
        )


def test_what_no_network_reads_is_not_made_and_changes_no_draw(cohort):
    made = source(cohort, window=16)
    every, some, none = (
        ClipDataset(made, made.clips, Augmentation(), np.random.default_rng(4), reads=reads)
        for reads in (None, {"keypoints"}, {"appearance"})
    )
    for number in range(4):
        whole, part, bare = every[number], some[number], none[number]
        assert set(bare) == {"target", "clip"} and bare["target"] == whole["target"]
        torch.testing.assert_close(part["keypoints"], whole["keypoints"], rtol=0, atol=0)
    assert every.rng.random() == some.rng.random() == none.rng.random()


def test_a_stored_vector_stands_for_the_frames_around_it(cohort, tmp_path):
    store = Store(tmp_path / "store")
    vectors = np.array([[1, -1], [np.nan, np.nan], [3, -3], [4, -4]], np.float32)
    for clip in Cohort.read(cohort).clips:
        store.write(clip.clip_id, "body_vgg", "0" * 16, (vectors, np.array([0, 0.2, 0.4, 1.0])))
        store.note(clip.clip_id, {}, {"body_vgg": {"key": "0" * 16, "depends": {}}})
    made = ClipSource(
        str(cohort),
        Reading("swing", appearance="body_vgg", window=40, windows=1),
        str(store.folder),
    )
    clip = made.clips[0]
    assert clip.appearance.shape == (4, 2) and len(clip.joints) >= 40
    example = ClipDataset(
        made, [replace(clip, joints=clip.joints[:40], held=clip.held[:40])], NO_CHANGE, None
    )[0]
    # 25 frames a second: 0.2 s, the usual interval of the vectors, are five frames; what is further
    # away is not known
    expected = [1] * 3 + [0] * 5 + [3] * 8 + [0] * 4 + [4] * 11 + [0] * 9
    assert example["appearance"][0].tolist() == expected and example["appearance"][1].tolist() == [
        -value for value in expected
    ]
    assert example["appearance_mask"].tolist() == [float(value > 0) for value in expected]
    mean, spread = ClipDataModule(made, ["p0"], validation=0).appearance_statistics()
    np.testing.assert_allclose(mean, [8 / 3, -8 / 3], rtol=1e-6)
    np.testing.assert_allclose(
        spread, np.sqrt([14 / 9, 14 / 9]), rtol=1e-6
    )  # squares of 1, 3, 4 less their mean: 25 + 1 + 16 over 27


def test_a_module_states_what_batches_have_to_hold(cohort):
    data, student = (
        ClipDataModule(source(cohort, window=32), ["p0"], validation=0),
        DistillationModule(small().make_network, Seen()),
    )
    fit(student, data, Schedule(epochs=1, patience=None, device="cpu"), seed=0)
    assert data.reads == student.reads == {"keypoints", "keypoint_mask"}


def test_a_rotation_keeps_lengths_and_a_change_is_repeatable():
    change = Augmentation(rotation=30, scale=0).draw(
        np.random.default_rng(1), 5, 11, 3, mirror=False
    )
    joints = np.random.default_rng(2).normal(size=(5, 11, 3)).astype(np.float32)
    whole = Change(False, change.rotation, 1.0, None, np.zeros(11, bool))
    turned = whole.apply(joints, np.arange(11))
    np.testing.assert_allclose(
        np.linalg.norm(turned, axis=2), np.linalg.norm(joints, axis=2), rtol=1e-5
    )
    assert np.linalg.det(change.rotation) == pytest.approx(1)
    np.testing.assert_array_equal(turned, whole.apply(joints, np.arange(11)))


def small(**options) -> StreamModule:
    return StreamModule(Network("agcn", {"widths": [8, 8]}), learning_rate=0.01, **options)


def test_a_stream_learns_the_swing_and_the_same_seed_gives_the_same_scores(cohort):
    made = source(cohort, window=32)
    scores = []
    for _ in range(2):
        data = ClipDataModule(made, ["p0", "p1"], validation=0, augmentation=NO_CHANGE)
        module = fit(small(), data, Schedule(epochs=40, patience=None, device="cpu"), seed=3)
        clip_ids, probabilities = score(module, data)
        scores.append(probabilities)
    assert clip_ids == ["p0_0", "p0_1", "p1_0", "p1_1"]
    assert probabilities.argmax(axis=1).tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(scores[0], scores[1])


def test_distillation_loss_by_hand():
    student, teacher = (
        torch.tensor([[0.0, 0.0]]),
        torch.tensor([[np.log(3.0), 0.0]]),
    )  # teacher says 3/4, 1/4
    expected = 0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5)
    assert distillation_loss(student, teacher, 1.0).item() == pytest.approx(expected, rel=1e-5)
    softened = torch.softmax(teacher / 2, 1)[0]
    expected = 4 * sum(float(p) * np.log(float(p) / 0.5) for p in softened)
    assert distillation_loss(student, teacher, 2.0).item() == pytest.approx(expected, rel=1e-5)


class Seen(torch.nn.Module):
    """A teacher over keypoints, so that the test needs no appearance."""

    reads = ("keypoints", "keypoint_mask")
    features = 4

    def __init__(self):
        super().__init__()
        self.embed, self.head = torch.nn.Linear(6, 4), torch.nn.Linear(4, 2)
        self.dropout = torch.nn.Dropout(0.5)

    def forward_features(self, keypoints, mask):
        return self.dropout(self.embed(keypoints.mean(dim=(2, 3))))


def test_the_teacher_is_frozen_and_absent_from_the_student(cohort):
    teacher = Seen()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    module = DistillationModule(Network("agcn", {"widths": [8, 8]}), teacher, feature_weight=0.1)
    data = ClipDataModule(source(cohort, window=32), ["p0"], validation=0)
    fit(module, data, Schedule(epochs=2, patience=None, device="cpu"), seed=0)
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())
    assert not teacher.training and not any(
        parameter.requires_grad for parameter in teacher.parameters()
    )
    assert {name.split(".")[0] for name in module.state_dict()} == {
        "network",
        "class_weights",
        "match",
    }
    optimised = {
        id(p)
        for group in module.optimizers(use_pl_optimizer=False).param_groups
        for p in group["params"]
    }
    assert not optimised & {id(p) for p in teacher.parameters()}
    assert id(module.match.weight) in optimised


def test_a_saved_model_predicts_the_same(cohort, tmp_path):
    made = source(cohort, window=32)
    data = ClipDataModule(made, ["p0"], validation=0)
    module = fit(small(), data, Schedule(epochs=1, patience=None, device="cpu"), seed=0)
    options = Network("agcn", {"widths": [8, 8]})
    SavedModel(module.network, options, made.reading, made.levels, made.shape, {"note": 1}).save(
        tmp_path / "model"
    )
    loaded = load_model(tmp_path / "model")
    example = ClipDataset(made, made.clips[:1], NO_CHANGE, None)[0]
    seen = (example["keypoints"][None], example["keypoint_mask"][None])
    module.eval()
    torch.testing.assert_close(loaded.network(*seen), module.network(*seen))
    assert (loaded.reading, loaded.levels, loaded.shape) == (made.reading, made.levels, made.shape)


def test_a_missing_or_damaged_model_is_one_line(cohort, tmp_path):
    with pytest.raises(UserError, match="holds no trained model"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text("{}")
    (tmp_path / "weights.safetensors").write_bytes(b"not weights")
    with pytest.raises(UserError, match="damaged"):
        load_model(tmp_path)


def test_permuted_labels_stay_together_by_participant_and_keep_their_number(cohort):
    clips = source(cohort).clips[:10]  # five participants with two clips each
    shuffled = permuted(clips, [np.random.default_rng(5)])
    assert sorted(clip.target for clip in shuffled) == sorted(clip.target for clip in clips)
    for name in {clip.participant_id for clip in clips}:
        assert len({clip.target for clip in shuffled if clip.participant_id == name}) == 1
    assert [clip.clip_id for clip in shuffled] == [clip.clip_id for clip in clips]


def test_the_tcn_refuses_a_cohort_without_appearance(cohort):
    with pytest.raises(ValueError, match="no appearance features"):
        TCN(StreamShape(2, load_skeleton("upper_body_11"), 4, 0))
