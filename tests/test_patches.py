"""Appearance where each joint is: read from a VGG's maps at the keypoints, kept in the store,
joined by the skeleton's names, and read beside the coordinates.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from semiology import UserError, load_skeleton
from semiology.data.cohort import Cohort
from semiology.data.preprocessing import patches_of_joints
from semiology.data.store import Store
from semiology.data.tracks import make_tracks
from semiology.models.features.vgg import PATCHES, VGG19, appearance_features
from semiology.models.networks import AGCN, Network, Patches, StreamShape
from semiology.models.training.augmentation import Augmentation
from semiology.models.training.clips import ClipSource
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.dataset import NO_CHANGE, ClipDataset
from semiology.models.training.modules import StreamModule
from semiology.models.training.reading import Reading, Schedule
from semiology.models.training.saved import SavedModel, load_model
from semiology.models.training.trainer import fit, score
from semiology.timeline.predict import find_models
from semiology.tracking.extraction import ExtractOptions, extract_videos
from semiology.video import Frame, write_video

SKELETON = load_skeleton("upper_body_11")
SHAPE = StreamShape(2, SKELETON, 3, appearance_channels=22)
ENCODER = {"stream": "agcn", "options": {"widths": [8]}}


def small_vgg(size: int = 64) -> VGG19:
    torch.manual_seed(0)
    return VGG19(["a", "b"], form="torchvision", width=0.0625, size=size).eval()


def test_a_place_is_read_from_the_maps_of_the_fourth_stage_between_its_positions():
    vgg, images = small_vgg(), torch.rand(2, 3, 64, 64)
    pools = [at for at, layer in enumerate(vgg.features) if isinstance(layer, torch.nn.MaxPool2d)]
    with torch.inference_mode():
        maps = vgg.features[: pools[3]](images)
    assert maps.shape == (2, vgg.channels("pooled"), 8, 8)  # every eighth pixel
    centre = lambda row, column: [(2 * column + 1) / 8 - 1, (2 * row + 1) / 8 - 1]  # noqa: E731
    places = torch.tensor([[centre(2, 5), centre(2, 5.25), [float("nan"), 0.0], [-3.0, -3.0]]] * 2)
    with torch.inference_mode():
        found = vgg.embed_at(images, places)
    torch.testing.assert_close(found[:, 0], maps[:, :, 2, 5])
    torch.testing.assert_close(found[:, 1], 0.75 * maps[:, :, 2, 5] + 0.25 * maps[:, :, 2, 6])
    assert found[:, 2].isnan().all()
    torch.testing.assert_close(found[:, 3], maps[:, :, 0, 0])  # beyond the corner: its edge


def test_a_keypoints_features_are_those_of_its_place_in_the_crop():
    vgg = small_vgg()
    image = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    position = np.tile(np.array([[50.0, 60], [150, 60], [90, 80], [100, 160]]), (2, 1, 1))
    position[1, 2] = np.nan
    frames = [Frame(number, number / 25, number / 25, number, image) for number in range(2)]
    tracks = make_tracks(position, ["a", "b", "c", "d"], 25)
    features, time = appearance_features(frames, tracks, "body", vgg, PATCHES)
    assert features.shape == (2, 4 * vgg.channels("pooled")) and time.tolist() == [0, 0.04]
    # 1.2 times the box of 100 px around (100, 110): from (40, 50) to (160, 170)
    crop = vgg.prepare([image[50:170, 40:160]])
    places = (position[:1] - [40, 50]) / 60 - 1
    with torch.inference_mode():
        expected = vgg.embed_at(crop, torch.from_numpy(places).float()).flatten().numpy()
    np.testing.assert_allclose(features[0], expected, rtol=1e-4, atol=1e-5)
    missing = np.isnan(features[1]).reshape(4, -1)
    assert missing[2].all() and not missing[[0, 1, 3]].any()


def test_joints_take_the_features_of_their_keypoints_by_name_and_keep_them_through_gaps(tmp_path):
    path = tmp_path / "neck.yaml"
    path.write_text(
        "{name: neck, part: body, joints: {hand: [hand], neck: [left, right]}, edges: [[hand,"
        " neck]], root: neck, origin: [neck], scale: [hand, neck]}"
    )
    nan = np.nan
    stored = np.array(  # keypoints right, hand, left; two channels each
        [[1, 10, nan, nan, 3, 30], [nan, nan, 5, 50, 3, 30], [nan] * 6, [2, 20, 6, 60, 4, 40]]
    )
    found = patches_of_joints(stored, ["right", "hand", "left"], load_skeleton(path))
    np.testing.assert_array_equal(
        found, [[5, 50, 2, 20], [5, 50, 2, 20], [nan] * 4, [6, 60, 3, 30]]
    )  # hand, then neck: the mean of both
    with pytest.raises(UserError, match="no keypoints for"):
        patches_of_joints(stored, ["right", "foot", "left"], load_skeleton(path))


def patched(cohort, tmp_path) -> ClipSource:
    """The cohort's clips with two features a keypoint in the store: 100 keypoint + 10 time +
    channel.
    """
    store, names = Store(tmp_path / "store"), SKELETON.names[::-1]
    keypoint, time, channel = np.meshgrid(range(11), range(8), range(2), indexing="ij")
    values = (100 * keypoint + 10 * time + channel).transpose(1, 0, 2).reshape(8, 22)
    for clip in Cohort.read(cohort).clips:
        stage = ("body_patches", "0" * 16)
        store.write(clip.clip_id, *stage, (values.astype(np.float32), np.arange(8) * 0.2))
        entry = {"key": "0" * 16, "depends": {}, "channels": names}
        store.note(clip.clip_id, {}, {"body_patches": entry})
    reading = Reading("swing", appearance="body_patches", window=16, windows=1)
    return ClipSource(str(cohort), reading, str(store.folder))


def test_a_clip_holds_the_patches_in_the_skeletons_order(cohort, tmp_path):
    source = patched(cohort, tmp_path)
    assert source.shape.appearance_channels == 22
    assert source.appearance_names[:3] == [
        f"{SKELETON.names[0]}_0",
        f"{SKELETON.names[0]}_1",
        f"{SKELETON.names[1]}_0",
    ]
    example = ClipDataset(source, [source.clips[0]], NO_CHANGE, None)[0]
    assert example["appearance"].shape == (22, 16) and example["appearance_mask"].all()
    first = example["appearance"][:, 0].view(11, 2)
    tens = first[0, 0] % 100  # of the frame that lies nearest
    torch.testing.assert_close(first[:, 0], 100 * torch.arange(10, -1, -1).float() + tens)
    torch.testing.assert_close(first[:, 1], first[:, 0] + 1)


def test_patches_are_not_mirrored(cohort, tmp_path):
    source = patched(cohort, tmp_path)
    rng = np.random.default_rng(0)
    assert ClipDataset(source, source.clips, Augmentation(mirror=1), rng).mirror is False


def test_a_network_over_patches_trains_on_a_fold_and_comes_back_as_it_was(cohort, tmp_path):
    source = patched(cohort, tmp_path)
    data = ClipDataModule(source, ["p0"], validation=0)
    how = Network("patches", {"encoder": ENCODER})
    module = fit(StreamModule(how), data, Schedule(epochs=2, patience=None, device="cpu"), seed=0)
    assert module.network.feature_mean.abs().sum() > 0  # of the training clips
    names, probabilities = score(module, data)
    assert names == ["p0_0", "p0_1"]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    saved = SavedModel(module.network, how, source.reading, source.levels, source.shape, {})
    back = load_model(saved.save(tmp_path / "run" / "models" / "swing" / "patches")).network
    inputs = (torch.randn(3, 6, 8, 11), *tensors()[1:])
    torch.testing.assert_close(back(*inputs), module.network.eval()(*inputs))
    with pytest.raises(UserError, match="reads appearance features; this verb uses models that"):
        find_models(tmp_path / "run")


def tensors(batch: int = 3, time: int = 8) -> tuple[torch.Tensor, ...]:
    return (
        torch.randn(batch, 3, time, 11),
        torch.ones(batch, time, 11),
        torch.randn(batch, 22, time),
        torch.ones(batch, time),
    )


def test_the_encoder_reads_each_joints_own_features_beside_its_coordinates():
    torch.manual_seed(0)
    network = Patches(SHAPE, ENCODER, width=4).eval()
    network.standardise(torch.randn(22), torch.rand(22) + 0.5)
    read = []
    network.encoder.norm.register_forward_pre_hook(lambda _module, inputs: read.append(inputs[0]))
    keypoints, mask, appearance, seen = tensors()
    seen[1, 5] = 0
    network(keypoints, mask, appearance, seen)
    found = read[0].view(3, 11, 7, 8)  # (clip, joint, channel, time), see OverKeypoints.normed
    torch.testing.assert_close(found[:, :, :3], keypoints.permute(0, 3, 1, 2))
    for clip, joint, frame in [(0, 0, 0), (2, 10, 7), (1, 4, 2)]:
        own = slice(2 * joint, 2 * joint + 2)
        values = (appearance[clip, own, frame] - network.feature_mean[own]) / network.feature_std[
            own
        ]
        expected = network.project.weight @ values + network.project.bias
        torch.testing.assert_close(found[clip, joint, 3:, frame], expected)
    assert found[1, :, 3:, 5].eq(0).all()


def test_what_stands_under_a_zero_mask_is_not_read_and_every_parameter_has_a_gradient():
    torch.manual_seed(0)
    network = Patches(SHAPE, ENCODER)
    keypoints, mask, appearance, seen = tensors()
    mask[0, 5:], seen[1, 2:4] = 0, 0
    (network(keypoints, mask, appearance, seen) ** 2).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    network.eval()
    before = network(keypoints, mask, appearance, seen)
    keypoints[0, :, 5:], appearance[1, :, 2:4] = 1e3, 1e3
    torch.testing.assert_close(network(keypoints, mask, appearance, seen), before)


@pytest.mark.parametrize("stream, options", [("ctrgcn", {"widths": [8]}), ("transformer", {})])
def test_other_networks_over_keypoints_are_encoders_too(stream, options):
    network = Patches(SHAPE, {"stream": stream, "options": options})
    assert network(*tensors()).shape == (3, 2) and network.features == network.head.in_features


def test_a_sign_that_only_the_patch_of_one_joint_shows_is_learned():
    """Coordinates are the same in both classes. Clips that were not trained on are scored."""
    torch.manual_seed(0)
    network = Patches(SHAPE, ENCODER, dropout=0.0)
    wrist = 2 * SKELETON.names.index("left_wrist")

    def clips(count: int) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        target = torch.arange(count) % 2
        values = tensors(count)
        values[2][:, wrist] += 2.0 * target[:, None]
        return values, target

    optimiser = torch.optim.AdamW(network.parameters(), 0.01)
    (values, target), (unseen, truth) = clips(64), clips(64)
    for _ in range(12):
        for batch in torch.randperm(64).split(16):
            optimiser.zero_grad()
            F.cross_entropy(network(*(each[batch] for each in values)), target[batch]).backward()
            optimiser.step()
    assert (network.eval()(*unseen).argmax(1) == truth).float().mean() >= 0.9


def test_data_and_encoders_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="hold no appearance features"):
        Network("patches", {"encoder": ENCODER})(replace(SHAPE, appearance_channels=0))
    with pytest.raises(UserError, match="set appearance: body_patches"):
        Network("patches", {"encoder": ENCODER})(replace(SHAPE, appearance_channels=23))
    with pytest.raises(UserError, match="has to read the keypoints of one window"):
        Network("patches", {"encoder": {"stream": "segments", "options": {"encoder": ENCODER}}})(
            SHAPE
        )
    assert isinstance(Patches(SHAPE, ENCODER).encoder, AGCN)


def test_extraction_keeps_a_vector_for_every_keypoint(tmp_path):
    room = tmp_path / "room.mp4"
    write_video(room, (np.full((144, 176, 3), 90 + n, np.uint8) for n in range(12)), 25)
    vgg = small_vgg()
    save_file(
        vgg.state_dict(), tmp_path / "vgg.safetensors", {"classes": '["a", "b"]', "size": "64"}
    )
    options = ExtractOptions(body_weights=tmp_path / "vgg.safetensors", patches=True)
    extract_videos([room], tmp_path / "out", options=options, progress=False)
    store = Store(tmp_path / "out", plain=True)
    names = store.channels("room", "body_patches")
    features, time = store.features("room", "body_patches")
    assert names == store.tracks("room", "body").keypoint.values.tolist()
    assert features.shape == (len(time), len(names) * vgg.channels("pooled"))
    assert np.isnan(features).all()  # nobody is there
    with pytest.raises(UserError, match="--patches true reads the body's VGG-19"):
        ExtractOptions(patches=True)
