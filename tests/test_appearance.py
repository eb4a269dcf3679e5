import io

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import vgg19

from semiology.data.tracks import make_tracks
from semiology.errors import UserError
from semiology.models.features.vgg import VGG19, appearance_features, crop_boxes, load_vgg
from semiology.video import Frame


def test_the_torchvision_form_computes_what_torchvision_computes(tmp_path):
    torch.manual_seed(0)
    theirs = vgg19(weights=None).eval()
    theirs.features[0].weight.data.mul_(3)
    torch.save(theirs.state_dict(), tmp_path / "vgg19.pth")
    ours = load_vgg(tmp_path / "vgg19.pth")
    assert (ours.form, ours.width, ours.size) == ("torchvision", 1.0, 224)
    images = torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), theirs(images))
        assert ours.embed(images).shape == (1, 4096)
        torch.testing.assert_close(theirs.classifier[6](ours.embed(images)), theirs(images))
        assert ours.embed(images, "pooled").shape == (1, 512)


def test_the_fer_form_has_one_position_of_512_channels():
    vgg = VGG19(list("abcdefg")).eval()
    assert [
        module.out_channels for module in vgg.features if isinstance(module, torch.nn.Conv2d)
    ] == ([64] * 2 + [128] * 2 + [256] * 4 + [512] * 8)
    images = torch.rand(2, 3, 48, 48)
    with torch.inference_mode():
        assert vgg.features(images).shape == (2, 512, 1, 1)
        torch.testing.assert_close(vgg.classifier(vgg.embed(images)), vgg(images))


def test_a_face_is_read_in_grey_and_a_body_in_colour():
    red, grey = (
        np.zeros((60, 50, 3), np.uint8),
        np.full((60, 50, 3), 76, np.uint8),
    )  # 76 is the grey of pure red
    red[..., 0] = 255
    face, body = (
        VGG19(["a", "b"], width=0.02),
        VGG19(["a", "b"], form="torchvision", width=0.02, size=32),
    )
    torch.testing.assert_close(face.prepare([red]), face.prepare([grey]), atol=0.002, rtol=0)
    assert face.prepare([grey]).shape == (1, 3, 48, 48) and float(
        face.prepare([grey]).max()
    ) == pytest.approx(76 / 255)
    np.testing.assert_allclose(
        body.prepare([red])[0, :, 5, 5],
        [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225],
        rtol=1e-5,
    )


@pytest.mark.parametrize("form", ["fer", "torchvision"])
def test_what_was_trained_small_comes_back_as_it_was(tmp_path, form):
    vgg = VGG19(["left", "right", "none"], form=form, width=0.0625, size=64).eval()
    save_file(
        vgg.state_dict(),
        tmp_path / "vgg.safetensors",
        {"classes": '["left", "right", "none"]', "size": "64"},
    )
    back = load_vgg(tmp_path / "vgg.safetensors")
    assert (back.classes, back.form, back.width, back.size) == (
        ["left", "right", "none"],
        form,
        0.0625,
        64,
    )
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(back(images), vgg(images))


def test_without_weights_it_refuses_and_states_how_to_get_them(tmp_path):
    for nothing in (None, tmp_path / "none.safetensors"):
        with pytest.raises(UserError, match=r"semiology pretrain expression .*FER-2013"):
            load_vgg(nothing)


def test_a_planted_pickle_is_refused_and_does_not_run(tmp_path):
    planted = tmp_path / "vgg19.pth"
    witness = tmp_path / "it-ran"

    class Planted:
        def __reduce__(self):
            return open, (str(witness), "w")

    torch.save({"features.0.weight": Planted()}, planted)
    with pytest.raises(UserError, match="refused"):
        load_vgg(planted)
    assert not witness.exists()


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "linear.pth")
    with pytest.raises(UserError, match="not a VGG-19"):
        load_vgg(tmp_path / "linear.pth")
    state = VGG19(["a", "b"], width=0.0625).state_dict()
    del state["features.7.weight"]
    torch.save(state, tmp_path / "short.pth")
    with pytest.raises(UserError, match=r"not a VGG-19.*features\.7\.weight"):
        load_vgg(tmp_path / "short.pth")
    (tmp_path / "cut.safetensors").write_bytes(b"\xff\x00\x00")
    with pytest.raises(UserError, match="not a readable safetensors"):
        load_vgg(tmp_path / "cut.safetensors")
    buffer = io.BytesIO()
    torch.save([1, 2], buffer)
    (tmp_path / "list.pth").write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match="no tensors by name"):
        load_vgg(tmp_path / "list.pth")


def face_tracks(frames: int):
    """Two landmarks that span a box from (20, 30) to (60, 50), 25 Hz; nothing was found in the
    third frame.
    """
    position = np.tile(np.array([[20.0, 30.0], [60.0, 50.0]]), (frames, 1, 1))
    position[2] = np.nan
    return make_tracks(position, ["a", "b"], 25)


def test_a_crop_is_a_square_around_the_landmarks_and_absent_where_they_are():
    boxes = crop_boxes(face_tracks(4), "face")
    np.testing.assert_allclose(
        boxes[[0, 1, 3]], [[18, 18, 62, 62]] * 3
    )  # centre (40, 40), side 1.1 x 40
    assert np.isnan(boxes[2]).all()


def test_one_unsure_keypoint_far_away_does_not_stretch_the_crop():
    tracks = face_tracks(4)
    wide = make_tracks(
        np.concatenate([tracks.position.values.transpose(0, 2, 1), np.full((4, 1, 2), 500.0)], 1),
        ["a", "b", "far"],
        25,
    )
    wide["confidence"].loc[{"keypoint": "far"}] = 0.2
    np.testing.assert_allclose(crop_boxes(wide, "face")[0], [18, 18, 62, 62])


def test_landmarks_without_a_score_make_a_crop():
    tracks = face_tracks(4)
    tracks["confidence"] = tracks.confidence * np.nan
    np.testing.assert_array_equal(crop_boxes(tracks, "face"), crop_boxes(face_tracks(4), "face"))


def test_features_have_a_row_a_frame_and_nan_where_nothing_was_found():
    torch.manual_seed(0)
    vgg = VGG19(["a", "b"], width=0.0625).eval()
    images = [
        np.random.default_rng(number).integers(0, 255, (80, 100, 3), dtype=np.uint8)
        for number in range(4)
    ]
    images[3] = images[0].copy()
    frames = [
        Frame(index, index / 25, index / 25, index, image) for index, image in enumerate(images)
    ]
    features, time = appearance_features(frames, face_tracks(4), "face", vgg)
    assert features.shape == (4, 32) and features.dtype == np.float32
    assert time.tolist() == [0, 0.04, 0.08, 0.12]
    assert np.isnan(features[2]).all() and np.isfinite(features[[0, 1, 3]]).all()
    np.testing.assert_allclose(features[0], features[3], rtol=1e-5)
    with torch.inference_mode():  # the row is what the network gives for just that crop
        alone = vgg.embed(vgg.prepare([images[0][18:62, 18:62]]))[0].numpy()
    np.testing.assert_allclose(features[0], alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_frames_at_a_lower_rate_than_the_tracks_take_the_row_of_their_time(every):
    vgg = VGG19(["a", "b"], width=0.0625).eval()
    images = np.random.default_rng(0).integers(0, 255, (7, 80, 100, 3), dtype=np.uint8)
    frames = [
        Frame(number, number / 25, number / 25, number, images[number]) for number in range(7)
    ]
    tracks = face_tracks(7)
    whole, times = appearance_features(frames, tracks, "face", vgg, half=True)
    some, own = appearance_features(frames[::every], tracks, "face", vgg, every=every, half=True)
    assert own.tolist() == times[::every].tolist()
    np.testing.assert_allclose(some, whole[::every], rtol=1e-2)
    assert some.dtype == np.float16 and some.base.shape[0] <= -(-7 // every) + 1
