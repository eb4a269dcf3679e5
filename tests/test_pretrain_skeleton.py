"""Encoders pretrained on tracks without labels: what the loss counts, what a network of another
skeleton takes over, what stays frozen, and whom the audit knows to be seen.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from semiology import UserError, load_skeleton
from semiology.cli.experiments import read_protocol
from semiology.cli.main import main
from semiology.data.arrays import read_arrays
from semiology.evaluation.audit import audit
from semiology.evaluation.run.settings import Model, Protocol, Task
from semiology.experiments.fold import key_settings
from semiology.experiments.loso import run_loso
from semiology.experiments.training import check_model, untrained
from semiology.files import read_json, write_json
from semiology.models.networks import AGCN, CTRGCN, Network, SkeletonTransformer, StreamShape
from semiology.models.pretraining import pretrain_skeleton
from semiology.models.pretraining.masked import MaskedWindows, Recipe, hidden_joints, masked_error
from semiology.models.pretraining.skeleton import _Checkpoint, best_epoch, split_people
from semiology.models.pretraining.tracks import find_clips
from semiology.models.training.clips import ClipData, ClipSource
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.encoder import carry_over, read_card
from semiology.models.training.reading import Reading, Schedule
from semiology.models.training.trainer import fit

SMALL = Network("agcn", {"widths": [4, 8]})
READING = Reading("swing", window=16)
QUICK = Recipe(epochs=2, batch_size=8)
BODY, KINECT = load_skeleton("upper_body_11"), load_skeleton("kinect_20")


def pretrained(cohort, out="encoder.safetensors", **options) -> Path:
    options = {"reading": READING, "network": SMALL, "recipe": QUICK, "device": "cpu", **options}
    return pretrain_skeleton([cohort], cohort / out, progress=False, **options).path


@pytest.fixture(scope="module")
def encoder(shared_cohort, tmp_path_factory) -> Path:
    folder = shutil.copytree(shared_cohort, tmp_path_factory.mktemp("pretrain") / "cohort")
    return pretrained(folder)


# what the loss counts


def test_only_positions_that_count_give_loss_and_gradient():
    made = torch.zeros(1, 1, 2, 2, requires_grad=True)
    whole = torch.tensor([[[[2.0, 100.0], [7.0, 4.0]]]])
    counted = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    loss = masked_error(made, whole, counted)
    assert loss.item() == (2**2 + 4**2) / 2
    loss.backward()
    assert made.grad.tolist() == [[[[-2.0, 0.0], [0.0, -4.0]]]]
    nothing = masked_error(made, whole, torch.zeros_like(counted))
    assert nothing.item() == 0


def test_joints_are_hidden_throughout_and_frames_in_runs():
    recipe = Recipe(joints=0.3, frames=0.5, run=2)
    hidden = hidden_joints(np.random.default_rng(0), 8, 10, recipe)
    assert hidden.all(0).sum() == 3  # joints, in all frames
    whole = hidden.all(1)
    assert whole.sum() == 4 and (whole[::2] == whole[1::2]).all()  # two runs of two frames
    assert hidden.sum() == 3 * 8 + 7 * 4
    most = hidden_joints(np.random.default_rng(0), 8, 2, Recipe(joints=0.99, frames=0.99))
    assert (~most.all(0)).sum() == 1 and (~most.all(1)).sum() == 4  # one joint, one run remain


def tagged(channels, missing=()):
    """Windows of one clip whose joint j is at (j, t) in frame t, as kinect_20; some are missing."""
    joints = np.stack(
        np.broadcast_arrays(np.arange(20.0)[None, :], np.arange(8.0)[:, None]), axis=-1
    ).astype(np.float32)
    for frame, joint in missing:
        joints[frame, joint] = np.nan
    reading = Reading("x", skeleton="kinect_20", channels=channels, window=8)
    clips = [ClipData("c", "p", 0, joints)]
    source = ClipSource.from_clips(clips, reading, ("no", "yes"))
    recipe = Recipe(joints=0.25, frames=0.5, run=2)
    return MaskedWindows(source, clips, recipe, None)[0], recipe


def test_a_hidden_joint_is_missing_to_the_network_and_a_missing_one_is_no_target():
    gone = [(0, 3), (5, 7)]
    batch, recipe = tagged(("joint",), gone)
    hidden = hidden_joints(np.random.default_rng([recipe.seed, 0]), 8, 20, recipe)
    known = np.ones((8, 20), bool)
    for place in gone:
        known[place] = False
    assert np.array_equal(batch["keypoint_mask"].numpy() > 0, known & ~hidden)
    for channel in range(2):
        assert np.array_equal(batch["counted"][channel].numpy() > 0, known & hidden)
    shown = batch["keypoint_mask"].numpy() > 0
    assert np.array_equal(batch["keypoints"][0].numpy(), np.where(shown, np.arange(20), 0))
    assert np.array_equal(batch["whole"][1].numpy(), np.where(known, np.arange(8)[:, None], 0))


def test_bones_and_motion_of_hidden_joints_are_hidden_with_them():
    batch, recipe = tagged(("bone", "motion"))
    hidden = hidden_joints(np.random.default_rng([recipe.seed, 0]), 8, 20, recipe)
    bones, moved = batch["keypoints"][0].numpy(), batch["keypoints"][3].numpy()
    assert (bones[hidden] == 0).all() and (moved[hidden] == 0).all()
    assert (bones[hidden[:, KINECT.parents]] == 0).all()  # also of the joint at its inner end
    assert (moved[:-1][hidden[1:]] == 0).all()  # and the step into a hidden frame
    seen = ~hidden & ~hidden[:, KINECT.parents]
    expected = np.broadcast_to(np.arange(20) - KINECT.parents, (8, 20))
    assert np.array_equal(bones[seen], expected[seen])
    assert (batch["whole"][3].numpy()[:-1] == 1).all()  # a frame a frame, all joints


def test_a_long_clip_gives_as_many_windows_an_epoch_as_fit_into_it():
    clips = [ClipData(str(n), "p", 0, np.zeros((n, 11, 2), np.float32)) for n in (10, 40, 50)]
    for whole, expected in ((False, [1, 2, 3]), (True, [1, 1, 1])):
        source = ClipSource.from_clips(clips, replace(READING, whole=whole), ("no", "yes"))
        windows = MaskedWindows(source, clips, Recipe(repeats=2), np.random.default_rng(0))
        counts = np.bincount([number for number, _ in windows.items])
        assert counts.tolist() == [2 * count for count in expected]


# by names


@pytest.mark.parametrize(
    ("network", "options"),
    [
        (AGCN, {"widths": [4, 8]}),
        (AGCN, {"widths": [4, 8], "form": "aagcn"}),
        (AGCN, {"widths": [4, 8], "form": "aagcn", "attention": True}),
        (CTRGCN, {"widths": [4, 8]}),
        (SkeletonTransformer, {"width": 8, "heads": 2, "blocks": 1}),
    ],
)
def test_what_depends_on_the_joints_is_what_differs_between_skeletons(network, options):
    """A new part of a network that has a size by joint must be named in joint_axes."""
    nets = [network(StreamShape(2, graph, 6), **options) for graph in (BODY, KINECT)]
    one, other = ({name: value.shape for name, value in net.state_dict().items()} for net in nets)
    assert {name for name in one if one[name] != other[name]} == set(nets[0].joint_axes())
    x, mask = torch.randn(2, 6, 16, 11), torch.ones(2, 16, 11)
    nets[0].eval()
    joints = nets[0].forward_joints(x, mask)
    assert joints.shape == (2, 8, 8, 11)
    torch.testing.assert_close(joints.mean((2, 3)), nets[0].forward_features(x, mask))


def test_rows_are_carried_over_by_the_names_of_the_joints():
    torch.manual_seed(0)
    network = AGCN(StreamShape(2, BODY, 2), widths=[4])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    known = KINECT.names
    state = {
        name: value.numpy().copy()
        for name, value in AGCN(StreamShape(2, KINECT, 2), widths=[4]).state_dict().items()
        if not name.startswith("head.")
    }
    state["norm.weight"] = np.array(
        [100 * joint + channel for joint in range(20) for channel in range(2)], np.float32
    )
    state["blocks.0.graph.learned"] = np.fromfunction(
        lambda k, i, j: 10000 * k + 100 * i + j, (3, 20, 20), dtype=np.float32
    )
    carry_over(network, state, known, BODY.names)
    after = network.state_dict()
    for row, name in enumerate(BODY.names):
        for channel in range(2):
            expected = (
                100 * known.index(name) + channel
                if name in known
                else before["norm.weight"][2 * row + channel]
            )
            assert after["norm.weight"][2 * row + channel] == expected
        for column, other in enumerate(BODY.names):
            for subset in range(3):
                found = after["blocks.0.graph.learned"][subset, row, column].item()
                if name in known and other in known:
                    assert found == 10000 * subset + 100 * known.index(name) + known.index(other)
                else:
                    assert found == pytest.approx(1e-6)  # as it was built
    assert {"neck", "spine_base"} == set(BODY.names) - set(known)
    assert torch.equal(after["blocks.0.graph.fixed"], before["blocks.0.graph.fixed"])
    assert torch.equal(after["head.weight"], before["head.weight"])
    assert np.array_equal(after["blocks.0.time.weight"].numpy(), state["blocks.0.time.weight"])


# training


def test_people_for_early_stopping_are_not_trained_on():
    clips = [ClipData(f"{n}", f"p{n % 5}", 0, np.zeros((1, 11, 2))) for n in range(20)]
    training, validation = split_people(clips, Recipe(validation=0.4))
    apart = {clip.participant_id for clip in validation}
    assert len(apart) == 2 and apart.isdisjoint(clip.participant_id for clip in training)
    assert len(training) + len(validation) == 20
    assert split_people(clips[:2], Recipe(validation=0.4))[1] == []  # two people: none to spare
    assert best_epoch([(1.0, 0.5), (0.9, 0.3), (0.8, 0.3), (0.1, 0.4)]) == 1
    assert best_epoch([(1.0, None), (2.0, None)]) == 1


def test_a_stopped_training_goes_on_to_the_same_encoder(cohort, monkeypatch):
    recipe = Recipe(epochs=4, batch_size=8)
    network = Network("agcn", {"widths": [4, 8], "dropout": 0.3})
    straight = pretrained(cohort, "straight.safetensors", recipe=recipe, network=network)
    write, epochs = _Checkpoint.write, []

    def stopped(self, module, optimiser, losses, best):
        write(self, module, optimiser, losses, best)
        epochs.append(len(losses))
        if len(epochs) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(_Checkpoint, "write", stopped)
    with pytest.raises(KeyboardInterrupt):
        pretrained(cohort, "stopped.safetensors", recipe=recipe, network=network)
    assert (cohort / "stopped.checkpoint.safetensors").is_file()
    assert not (cohort / "stopped.json").exists()
    resumed = pretrained(cohort, "stopped.safetensors", recipe=recipe, network=network)
    assert epochs == [1, 2, 3, 4]  # none twice
    assert straight.read_bytes() == resumed.read_bytes()
    assert not (cohort / "stopped.checkpoint.safetensors").exists()


def test_a_checkpoint_of_other_settings_is_not_continued(cohort, monkeypatch):
    write = _Checkpoint.write

    def stopped(*state):
        write(*state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(_Checkpoint, "write", stopped)
        pretrained(cohort)
    other = pretrained(cohort, recipe=replace(QUICK, seed=1))
    assert other.read_bytes() == pretrained(cohort, recipe=replace(QUICK, seed=1)).read_bytes()


def test_hidden_joints_are_reconstructed_better_than_by_their_mean(cohort):
    """In this cohort the left wrist of three people swings, and all joints move with the camera's
    turn (augmentation): what remains visible shows both.
    """
    path = pretrained(cohort, recipe=Recipe(epochs=30, batch_size=4, repeats=2, validation=0))
    assert read_card(path)["loss"]["training"] < 0.5  # 1 is each joint at its mean


# what is kept


def test_the_card_says_what_was_read_and_by_whom(encoder):
    card = read_card(encoder)
    data = card["trained_on"]
    assert data["participants"] == [f"p{n}" for n in range(6)]
    assert (data["clips"], data["people"], data["validation_people"]) == (12, 6, 1)
    assert data["minutes"] == round(12 * 40 / 25 / 60, 1)
    assert len(data["contents"]) == 12
    assert card["skeleton"]["joints"] == BODY.names
    assert card["network"] == {"stream": "agcn", "options": {"widths": [4, 8]}}
    assert card["reading"]["channels"] == ["joint", "bone", "motion"]
    assert "label" not in card["reading"]
    assert not any(name.startswith("head.") for name in read_arrays(encoder, ""))


def test_files_of_no_cohort_have_no_names_and_no_known_people(cohort):
    shutil.move(cohort / "tracks", cohort / "Schmidt_Anna")
    out = cohort / "files.safetensors"
    arguments = ["pretrain", "skeleton", str(cohort / "Schmidt_Anna"), "--out", str(out)]
    arguments += ["--reading.window", "16", "--network.options", "{widths: [4, 8]}"]
    arguments += ["--recipe.epochs", "1", "--licence", "ours", "--progress", "false"]
    assert main(arguments) == 0
    card = read_card(out)
    assert card["trained_on"]["participants"] is None and card["trained_on"]["people"] == 12
    assert card["licence"] == "ours"
    text = out.with_suffix(".json").read_text()
    assert "Schmidt" not in text and "p0_0" not in text
    assert main([*arguments, "--participants", "[]"]) == 0
    assert read_card(out)["trained_on"]["participants"] == []


def test_a_bad_clip_is_listed_and_the_others_go_on(cohort, capsys):
    (cohort / "tracks" / "p0_0.nc").write_bytes(b"nothing")
    found = find_clips([cohort], READING, progress=False)
    assert len(found.clips) == 11 and [name for name, _ in found.failed] == ["clip p0_0"]
    out = str(cohort / "e.safetensors")
    options = ["--reading.window", "16", "--network.options", "{widths: [4]}"]
    options += ["--recipe.epochs", "1", "--progress", "false"]
    assert main(["pretrain", "skeleton", str(cohort), "--out", out, *options]) == 1
    assert "failed: clip p0_0" in capsys.readouterr().out


def test_places_without_tracks_and_impossible_options_are_refused(cohort, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no tracks there; give a cohort"):
        find_clips([tmp_path / "empty"], READING, progress=False)
    with pytest.raises(UserError, match="no clip can be used"):
        find_clips([cohort], Reading("x", skeleton="kinect_20"), progress=False)
    with pytest.raises(UserError, match="gat: cannot be pretrained"):
        pretrained(cohort, network=Network("gat"))
    with pytest.raises(UserError, match="nothing is hidden"):
        Recipe(joints=0, frames=0)
    with pytest.raises(UserError, match="frames: 1; a share"):
        Recipe(frames=1.0)
    for wrong in ({"learning_rate": 0.0}, {"weight_decay": -1.0}):  # torch would end in a traceback
        with pytest.raises(UserError, match=r"learning_rate .* weight_decay"):
            Recipe(**wrong)


# in a fold


def fold(cohort, encoder, freeze, reading=READING):
    model = Model(
        SMALL,
        encoder=str(encoder),
        freeze=freeze,
        schedule=Schedule(epochs=2, patience=1, device="cpu"),
    )
    data = ClipDataModule(ClipSource(str(cohort), reading), ["p0"], validation=0.4)
    return fit(untrained(model), data, model.schedule, 0)


def test_a_frozen_encoder_stays_as_it_is_to_the_last_bit_and_the_head_learns(cohort, encoder):
    learned = read_arrays(encoder, "")
    module = fold(cohort, encoder, True)
    own = module.network.state_dict()
    for name, value in learned.items():
        assert np.array_equal(own[name].numpy(), value), name
    trained = [name for name, value in module.network.named_parameters() if value.requires_grad]
    assert trained == ["head.weight", "head.bias"]
    again = fold(cohort, encoder, True).network.head.weight
    assert torch.equal(again, own["head.weight"])
    torch.manual_seed(0)
    fresh = AGCN(StreamShape(2, BODY, 6), widths=[4, 8])
    assert not torch.equal(own["head.weight"], fresh.head.weight)


def test_a_fine_tuned_network_starts_from_the_encoder_and_leaves_it(cohort, encoder):
    learned = read_arrays(encoder, "")
    network = SMALL(StreamShape(2, BODY, 6))
    carry_over(network, learned, BODY.names, BODY.names)
    assert all(np.array_equal(network.state_dict()[name], value) for name, value in learned.items())
    own = fold(cohort, encoder, False).network.state_dict()
    assert all(
        not np.array_equal(own[name], value)
        for name, value in learned.items()
        if name.endswith("time.weight")
    )


def test_an_encoder_that_does_not_fit_is_refused_with_what_differs(cohort, encoder, tmp_path):
    source = ClipSource(str(cohort), READING)
    model = Model(SMALL, encoder=str(encoder))
    for settings, message in (
        (
            {"channels": ("joint",)},
            r"trained with channels joint, bone, motion, and .* has channels joint",
        ),
        ({"rate": 12.5}, "trained with rate 25.0, and the reading has rate 12.5"),
        ({"origin": "frame"}, "trained with origin clip"),
        ({"whole": True}, "trained with whole False"),
    ):
        other = source.with_clips(source.clips, replace(READING, **settings))
        with pytest.raises(UserError, match=message):
            check_model(model, other)
    in_space = source.with_clips(source.clips, replace(READING, dimensions=3))
    with pytest.raises(UserError, match="trained with dimensions 2, and the reading"):
        check_model(model, in_space)
    with pytest.raises(UserError, match=r"needs size .*`network` on its card"):
        check_model(replace(model, network=Network("agcn", {"widths": [4, 16]})), source)
    with pytest.raises(UserError, match="an encoder of agcn, and the model is gat"):
        check_model(replace(model, network=Network("gat")), source)
    with pytest.raises(UserError, match="no card beside the encoder"):
        check_model(replace(model, encoder=str(tmp_path / "no.safetensors")), source)
    with pytest.raises(UserError, match="no encoder is named"):
        Model(SMALL, freeze=True)
    card = encoder.with_suffix(".json")
    shutil.copy(card, tmp_path / "other.json")
    (tmp_path / "other.safetensors").write_bytes(encoder.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="SHA-256"):
        check_model(replace(model, encoder=str(tmp_path / "other.safetensors")), source)


def test_a_frozen_encoder_is_refused_where_it_does_not_know_a_joint(cohort, encoder, tmp_path):
    own = tmp_path / "five.yaml"
    own.write_text(
        "name: five\npart: body\njoints: {left_shoulder: [left_shoulder], right_shoulder:"
        " [right_shoulder], left_wrist: [left_wrist], middle: [left_hip, right_hip]}\n"
        "edges: [[left_wrist, left_shoulder], [left_shoulder, right_shoulder],"
        " [right_shoulder, middle]]\nroot: middle\norigin: [middle]\n"
        "scale: [left_shoulder, right_shoulder]\n"
    )
    reading = replace(READING, skeleton=str(own))
    source = ClipSource(str(cohort), reading)
    with pytest.raises(UserError, match="does not know middle"):
        check_model(Model(SMALL, encoder=str(encoder), freeze=True), source)
    check_model(Model(SMALL, encoder=str(encoder)), source)
    network = fold(cohort, encoder, False, reading).network  # and it trains
    assert network.joints == 4


def test_folds_of_a_model_without_encoder_keep_their_key_and_a_moved_encoder_keeps_its_own(
    encoder, tmp_path
):
    assert not {"encoder", "freeze"} & key_settings(Model(SMALL)).keys()
    here = key_settings(Model(SMALL, encoder=str(encoder)))
    for suffix in (".safetensors", ".json"):
        shutil.copy(encoder.with_suffix(suffix), tmp_path / f"moved{suffix}")
    moved = key_settings(Model(SMALL, encoder=str(tmp_path / "moved.safetensors")))
    assert here == moved and here["encoder"] == read_card(encoder)["sha256"]


# whom it saw


def test_the_audit_fails_where_a_held_out_person_was_pretrained_on(cohort, encoder):
    models = {
        "from_nothing": Model(SMALL, schedule=Schedule(epochs=1, device="cpu")),
        "frozen": Model(SMALL, schedule=Schedule(epochs=1), encoder=str(encoder), freeze=True),
    }
    run = cohort / "run"
    result = run_loso(
        Protocol(str(cohort), str(run), {"swing": Task(READING)}, models, final=False)
    )
    assert result.audit == "failed"

    def outside():
        return {check.name: check for check in audit(run)}["outside"]

    check = outside()
    assert check.result == "failed"
    leak = next(finding for finding in check.findings if finding.code == "weights-leak")
    digest = read_card(encoder)["sha256"]
    assert leak.about == (digest, *(f"p{n}" for n in range(6)))
    assert "the encoder of frozen" in leak.text
    same = next(finding for finding in check.findings if finding.code == "encoder-files")
    assert len(same.about) == 1 + 11  # every scored clip, by its file

    sources = read_json(run / "sources.json")
    facts = sources["encoders"][digest]

    def change(**facts_of):
        sources["encoders"] = {digest: {**facts, **facts_of}} if facts_of else {}
        write_json(run / "sources.json", sources)
        return outside()

    assert change(participants=["q1"]).findings[0].code == "encoder-files"  # under other names
    assert change(participants=["q1"], contents=[]).result == "passed"
    assert change(participants=None, contents=[]).findings[0].code == "weights-unknown"
    assert change().findings[0].code == "encoders-unknown"

    config = run / "config.yaml"  # the run is read again from elsewhere: places start from it
    assert f"encoder: {encoder}" in config.read_text() or "encoder: ../" in config.read_text()
    read = read_protocol(["--config", str(config)])
    assert Path(read.models["frozen"].encoder).resolve() == encoder.resolve()
    assert read.models["from_nothing"].encoder is None


def test_a_predicted_clip_needs_the_model_alone(cohort, encoder):
    """The encoder's file may be gone once its models are trained."""
    from semiology.models.training.saved import SavedModel, load_model

    module = fold(cohort, encoder, True)
    source = ClipSource(str(cohort), READING)
    about = {"label": "swing"}
    folder = SavedModel(module.network, SMALL, READING, source.levels, source.shape, about).save(
        cohort / "model"
    )
    loaded = load_model(folder).network.state_dict()
    assert all(
        torch.equal(loaded[name], value) for name, value in module.network.state_dict().items()
    )
    assert "encoder" not in json.loads((folder / "model.json").read_text())["network"]
    assert pd.read_csv(cohort / "clips.tsv", sep="\t").shape[0] == 12
