import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.models.video import r2plus1d_18

from semiology import weights
from semiology.errors import UserError
from semiology.models.features import (
    load_snippet_network,
    prepare_frame,
    snippet_features,
    whole_snippet,
)
from semiology.models.features.r2plus1d import FrameResNet, R2Plus1D, Shape, initialise
from semiology.video import Frame
from semiology.weights import registry


@pytest.fixture
def small(tmp_path) -> Path:
    """Weights of a small random network."""
    torch.manual_seed(0)
    network = R2Plus1D(Shape.make(2, depth=10, width=0.0625))
    initialise(network)
    save_file(network.state_dict(), tmp_path / "small.safetensors")
    return tmp_path / "small.safetensors"


def snippets(count: int, frames: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (count, frames, 112, 112, 3), np.uint8)


def ported(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state as in checkpoints that came from Caffe2: wider between the second pair of
    convolutions of blocks that halve the frame.
    """
    changed = dict(state)
    for layer, wide, channels in ((2, 288, 128), (3, 576, 256), (4, 1152, 512)):
        place = f"layer{layer}.0.conv2.0"
        changed[f"{place}.0.weight"] = torch.full((wide, channels, 1, 3, 3), 0.01)
        changed[f"{place}.3.weight"] = torch.full((channels, wide, 3, 1, 1), 0.01)
        changed |= {
            f"{place}.1.{name}": torch.ones(wide)
            for name in ("weight", "bias", "running_mean", "running_var")
        }
    return changed


class Recorder(R2Plus1D):
    """Keeps what came in."""

    def forward_features(self, values):
        self.seen = values.clone()
        return super().forward_features(values)


# what a network sees


def test_five_percent_of_the_columns_go_at_each_side_and_black_makes_it_square():
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, :10], image[:, 190:] = (255, 0, 0), (255, 0, 0)  # just what is cut off
    image[:, 10:190] = (0, 200, 0)
    made = prepare_frame(image)
    assert made.shape == (112, 112, 3) and made.dtype == np.uint8 and not made[..., 0].any()
    high = 112 * 100 / 180  # of the frame in the square: 62 rows
    rows = np.flatnonzero((made[..., 1] > 100).all(axis=1))
    assert abs(len(rows) - high) <= 1 and abs((rows[0] + rows[-1]) / 2 - 55.5) <= 0.5
    assert not made[:24].any() and not made[-24:].any() and (made[40:72, :, 1] == 200).all()


def test_a_portrait_gets_black_at_its_sides_and_a_large_one_is_antialiased():
    made = prepare_frame(np.full((300, 100, 3), 90, np.uint8))
    assert (
        np.flatnonzero(made[56, :, 0] > 45) == np.arange(39, 73)
    ).all()  # 90 of 300 columns are 33.6 of 112
    lines = np.zeros((1120, 1244, 3), np.uint8)  # 62 columns go at each side: a square of 1120
    lines[:, ::2] = 200
    assert (
        abs(prepare_frame(lines).astype(int) - 100).max() < 5
    )  # fine lines become grey; picking pixels would give 0 or 200


def test_holes_repeat_the_last_picture_up_to_half_of_a_snippet():
    a, b = (np.full((112, 112, 3), level, np.uint8) for level in (1, 2))
    assert whole_snippet([a, None, b, None])[:, 0, 0, 0].tolist() == [1, 1, 2, 2]
    assert whole_snippet([None, None, a, b])[:, 0, 0, 0].tolist() == [1, 1, 1, 2]
    assert whole_snippet([None, None, None, b]) is None and whole_snippet([None]) is None


def test_every_frame_comes_to_its_place_in_the_networks_input():
    """Value = 10 frame + 100 quarter + colour: time, height, width and colour cannot be exchanged
    unseen.
    """
    frame, row, column, colour = np.meshgrid(
        np.arange(8), np.arange(112), np.arange(112), np.arange(3), indexing="ij"
    )
    tagged = (10 * frame + 100 * (row < 56) + 50 * (column < 28) + colour).astype(np.uint8)
    network = load_small(Recorder)
    network.embed(tagged[None])
    seen = network.network.seen  # (1, 3, 8, 112, 112)
    mean, std = (
        np.array(value)[:, None, None, None]
        for value in ((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))
    )
    back = np.rint((seen[0].numpy() * std + mean) * 255).astype(int)
    assert back.shape == (3, 8, 112, 112)
    for place in [(0, 0, 0, 0), (2, 0, 0, 0), (1, 7, 100, 5), (0, 3, 100, 100), (2, 5, 10, 90)]:
        colour, frame, row, column = place
        assert back[place] == 10 * frame + 100 * (row < 56) + 50 * (column < 28) + colour


def load_small(kind=R2Plus1D):
    from semiology.models.features import SnippetNetwork

    return SnippetNetwork(kind(Shape.make(2, depth=10, width=0.0625)), ["a", "b"])


# networks


def test_the_18_layer_network_is_torchvisions_by_name_shape_and_value(tmp_path):
    theirs = r2plus1d_18(weights=None).eval()
    ours = R2Plus1D(Shape.read(theirs.state_dict()))
    expected = {name: value.shape for name, value in theirs.state_dict().items()}
    assert {name: value.shape for name, value in ours.state_dict().items()} == expected
    assert Shape.make(400) == Shape.read(theirs.state_dict())
    torch.save(theirs.state_dict(), tmp_path / "r2plus1d_18.pth")
    network = load_snippet_network(tmp_path / "r2plus1d_18.pth", precision="fp32")
    values = torch.randn(1, 3, 4, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(network.network(values), theirs(values))
    assert network.channels == 512 and len(network.classes) == 400
    theirs.fc = nn.Identity()
    mean, std = (
        torch.tensor(value).view(3, 1, 1, 1)
        for value in ((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))
    )
    seen = (
        torch.from_numpy(snippets(1, 4)[0]).permute(3, 0, 1, 2) / 255 - mean
    ) / std  # written out once more
    with torch.inference_mode():
        np.testing.assert_allclose(
            network.embed(snippets(1, 4)), theirs(seen[None]).numpy(), atol=1e-4
        )


def test_a_34_layer_checkpoint_of_ig65m_is_read_with_its_own_widths_and_batch_norm(tmp_path):
    state = R2Plus1D(Shape.make(359, depth=34)).state_dict()
    torch.save(
        {"state_dict": {f"module.{name}": value for name, value in ported(state).items()}},
        tmp_path / "ig65m.pth",
    )
    network = load_snippet_network(tmp_path / "ig65m.pth").network
    assert [
        len(layer) for layer in (network.layer1, network.layer2, network.layer3, network.layer4)
    ] == [3, 4, 6, 3]
    assert [
        layer[0].conv2[0][0].out_channels
        for layer in (network.layer2, network.layer3, network.layer4)
    ] == [288, 576, 1152]
    assert [
        layer[0].conv1[0][0].out_channels
        for layer in (network.layer2, network.layer3, network.layer4)
    ] == [230, 460, 921]
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm3d)]
    assert {module.eps for module in norms} == {1e-3} and network.fc.out_features == 359
    torch.save(state, tmp_path / "torchvision.pth")
    norms = [
        module
        for module in load_snippet_network(tmp_path / "torchvision.pth").network.modules()
        if isinstance(module, nn.BatchNorm3d)
    ]
    assert {module.eps for module in norms} == {1e-5}


@pytest.mark.parametrize(
    ("block", "width", "channels"),
    [(BasicBlock, 64, 512), (Bottleneck, 64, 2048), (Bottleneck, 128, 2048)],
    ids=["18", "50", "wide 50"],
)
def test_a_2d_resnet_reads_frames_one_by_one_whatever_their_order(block, width, channels, tmp_path):
    theirs = ResNet(block, [1, 2, 1, 1], 10, width_per_group=width).eval()
    torch.save(theirs.state_dict(), tmp_path / "resnet.pth")
    network = load_snippet_network(tmp_path / "resnet.pth", precision="fp32")
    assert isinstance(network.network, FrameResNet) and network.channels == channels
    values = torch.randn(1, 3, 1, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(network.network(values), theirs(values[:, :, 0]))
    given = snippets(1, 4)
    np.testing.assert_allclose(
        network.embed(given), network.embed(given[:, ::-1].copy()), rtol=1e-4, atol=1e-5
    )
    each = np.mean([network.embed(given[:, [place]]) for place in range(4)], axis=0)
    np.testing.assert_allclose(network.embed(given), each, rtol=1e-4, atol=1e-5)


def test_embedding_is_by_row_repeatable_and_sees_the_order_of_frames(small):
    network = load_snippet_network(small, precision="fp32")
    given = snippets(3)
    made = network.embed(given)
    assert made.shape == (3, 32) and made.dtype == np.float32
    np.testing.assert_array_equal(made, network.embed(given))
    np.testing.assert_allclose(made[1:2], network.embed(given[1:2]), rtol=1e-3, atol=1e-6)
    assert np.abs(network.embed(given[:, ::-1].copy()) - made).max() > 1e-3
    for length in (1, 16, 32):
        assert network.embed(snippets(1, length)).shape == (1, 32)
    with pytest.raises(ValueError, match="expected"):
        network.embed(given.astype(np.float32))


def test_bf16_turns_the_vectors_hardly(small):
    given = snippets(4)
    exact, quick = (
        load_snippet_network(small, precision=precision).embed(given)
        for precision in ("fp32", "bf16")
    )
    cosine = (exact * quick).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(quick, axis=1)
    assert (cosine > 0.999).all() and (exact != quick).any()


# where weights come from


def test_without_weights_it_is_reported_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIOLOGY_WEIGHTS", str(tmp_path))
    for given in (None, tmp_path / "none.pth"):
        with pytest.raises(
            UserError, match=r"weights get r2plus1d_18.*weights add FILE.*pretrain action CLIPS"
        ):
            load_snippet_network(given)
    with pytest.raises(UserError, match="weights get r2plus1d_18"):
        load_snippet_network("r2plus1d_18")


def test_a_published_name_is_found_and_its_hash_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIOLOGY_WEIGHTS", str(tmp_path))
    torch.save(
        R2Plus1D(Shape.make(3, depth=10, width=0.03)).state_dict(),
        tmp_path / "r2plus1d_18-91a641e6.pth",
    )
    with pytest.raises(UserError, match="not the file that belongs here"):
        load_snippet_network("r2plus1d_18")
    entry = weights.published("r2plus1d_18")
    content = hashlib.sha256((tmp_path / entry.file).read_bytes()).hexdigest()
    monkeypatch.setattr(
        registry,
        "published",
        lambda name, list_of=None: weights.Weights(**{**vars(entry), "sha256": content}),
    )
    assert len(load_snippet_network("r2plus1d_18").classes) == 3


@pytest.mark.parametrize(
    "drop", ["layer3.0.conv1.0.3.weight", "fc.weight", "layer2.0.downsample.0.weight"]
)
def test_weights_of_another_network_are_refused(drop, tmp_path):
    state = R2Plus1D(Shape.make(3, depth=10, width=0.03)).state_dict()
    del state[drop]
    save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(UserError, match=r"odd\.safetensors: neither an R\(2\+1\)D"):
        load_snippet_network(tmp_path / "odd.safetensors")


def test_other_words_for_precision_and_device_are_refused(small):
    with pytest.raises(UserError, match="give auto, fp32, bf16"):
        load_snippet_network(small, precision="fp8")
    with pytest.raises(UserError, match="no device is called 'abacus'"):
        load_snippet_network(small, device="abacus")


# through a video


def frames(count: int, missing: set[int] = frozenset()):
    for number in range(count):
        image = None if number in missing else np.full((60, 80, 3), 10 * number, np.uint8)
        yield Frame(
            number,
            number / 15,
            float("nan") if image is None else number / 15,
            -1 if image is None else number,
            image,
        )


class Echo:
    """In place of a network: the level in the middle of the first and of the last frame."""

    channels = 2

    def embed(self, given):
        return given[:, [0, -1], 56, 56, 0].astype(np.float32)


def test_snippets_start_at_every_nth_frame_as_long_as_a_whole_one_is_left():
    made, times = snippet_features(frames(20), Echo(), length=8, stride=4, batch=2)
    assert made.tolist() == [[0, 70], [40, 110], [80, 150], [120, 190]]
    np.testing.assert_allclose(times, np.array([0, 4, 8, 12]) / 15)
    made, times = snippet_features(frames(20), Echo(), length=8, stride=1, batch=5)
    assert made[:, 0].tolist() == list(range(0, 130, 10)) and len(times) == 13
    made, _ = snippet_features(
        frames(20), Echo(), length=2, stride=6, batch=9
    )  # frames between snippets are passed over
    assert made.tolist() == [[0, 10], [60, 70], [120, 130], [180, 190]]


def test_a_snippet_of_holes_is_nan_and_the_others_keep_their_rows():
    made, times = snippet_features(
        frames(16, missing={4, 5, 6, 7, 8}), Echo(), length=4, stride=4, batch=2
    )
    assert (
        made[0].tolist() == [0, 30]
        and np.isnan(made[1]).all()
        and made[2].tolist() == [90, 110]
        and made[3].tolist() == [120, 150]
    )
    np.testing.assert_allclose(times, np.arange(4) * 4 / 15)


def test_a_video_shorter_than_one_snippet_has_none():
    made, times = snippet_features(frames(5), Echo(), length=8, stride=8)
    assert made.shape == (0, Echo.channels) and times.shape == (0,)


def test_memory_does_not_grow_with_the_video():
    """Frames are requested one at a time, and the network sees a batch as soon as it is full."""
    seen = []

    class Counting(Echo):
        def embed(self, given):
            seen.append((reached[0], len(given)))
            return super().embed(given)

    reached = [0]

    def counted():
        for frame in frames(25):
            reached[0] = frame.index + 1
            yield frame

    snippet_features(counted(), Counting(), length=4, stride=4, batch=2)
    assert seen == [(8, 2), (16, 2), (24, 2)]
