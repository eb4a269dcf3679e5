"""Tracks stored to a stated precision: what any reader of netCDF sees, how far values move, and
what cannot be stored so.
"""

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from semiology import UserError
from semiology.data.append import append_tracks
from semiology.data.cohort import Clip
from semiology.data.store import Store
from semiology.data.track_arrays import clip_arrays
from semiology.data.tracks import make_tracks, open_tracks, read_tracks, save_tracks

OLD = Path(__file__).parent / "data/tracks_of_0_1.nc"
NAMES = ["nose", "left_wrist", "right_wrist"]


def body(frames: int = 6) -> xr.Dataset:
    """x of keypoint k in frame n is 10 n + k + 1/100 px, y its negative; in metres a thousandth of
    that, and depth. One point is missing, one hardly seen, and one without a score.
    """
    x = 10.0 * np.arange(frames)[:, None] + np.arange(3) + 0.01
    position = np.stack([x, -x], axis=2)
    position[2, 1] = np.nan
    confidence = np.full((frames, 3), 0.7)
    confidence[0, 0], confidence[1, 1] = 0.0001, np.nan
    metres = np.concatenate([position, position[..., :1]], axis=2) / 1000
    return make_tracks(
        position, NAMES, 25, confidence=confidence, position_3d=metres, backend="own"
    )


def mesh(frames: int = 6) -> xr.Dataset:
    """A face whose metres are its pixels, 1, 2, ... mm each, around a place that moves."""
    pixels = np.random.default_rng(0).uniform(100, 300, (frames, 3, 2))
    pixels[3] = np.nan
    scale = np.arange(1, frames + 1)[:, None, None] / 1000
    flat = (pixels - pixels[:, :1]) * scale
    metres = np.concatenate([flat, flat[..., :1] / 2], axis=2)
    tracks = make_tracks(pixels, NAMES, 25, position_3d=metres)
    return tracks.assign_attrs(face_mesh="attention")


def test_other_readers_see_numbers_and_ours_the_same(tmp_path):
    tracks = body()
    path = save_tracks(tracks, tmp_path / "a.nc", "rounded")
    read = read_tracks(path)
    assert read.attrs["precision"] == "1/64 px, 1/8192 m, confidence 1/254"
    with xr.open_dataset(path) as theirs, h5py.File(path) as file:
        assert file["position"].dtype == np.int32 and file["confidence"].dtype == np.uint8
        assert file["position"][5, 0, 2] == round(52.01 * 64)
        xr.testing.assert_identical(theirs.load(), read)
    for name, step in (("position", 1 / 64), ("position_3d", 1 / 8192), ("confidence", 1 / 254)):
        assert read[name].dims == tracks[name].dims and read[name].dtype == np.float32
        np.testing.assert_allclose(read[name], tracks[name], atol=step / 2 + (name[0] == "c") / 254)
    found = read["confidence"].sel(keypoint="nose").values
    assert 0 < found[0] < 0.005  # a point that was found stays found
    assert read_tracks(save_tracks(read, tmp_path / "b.nc")).identical(read)


@pytest.mark.parametrize("made", [body, mesh])
def test_blocks_and_arrays_are_those_of_the_whole(tmp_path, made):
    tracks, store = made(), Store(tmp_path)
    once = read_tracks(save_tracks(tracks, tmp_path / "once.nc", "rounded"))
    with store.growing("c", {"body": "k"}, "rounded") as take:
        for first in (0, 4):
            take({"body": tracks.isel(time=slice(first, first + 4))})
    store.note("c", {}, {"body": {"key": "k"}})
    assert store.tracks("c", "body").identical(once)
    with open_tracks(store.path("c", "body")) as opened:
        np.testing.assert_array_equal(opened["position"][4:], once["position"][4:])
    clip = Clip(clip_id="c", participant_id="p", video="v.mp4")
    whole = clip_arrays(tmp_path, clip, store, "body")
    flat = clip_arrays(tmp_path, clip, store, "body", {"right_wrist", "nose"}, 2)
    for name, values in whole.values.items():
        np.testing.assert_array_equal(values, once[name])
    assert flat.keypoints == ["nose", "right_wrist"]
    assert set(flat.values) == {"position", "confidence"}
    np.testing.assert_array_equal(flat.values["position"], once["position"][..., [0, 2]])


def test_a_face_mesh_holds_its_place_once(tmp_path):
    tracks = mesh()
    path = save_tracks(tracks, tmp_path / "face.nc", "rounded")
    with xr.open_dataset(path) as theirs:
        assert "position_3d" not in theirs
        scale = theirs["metres_per_pixel"].values
        np.testing.assert_allclose(scale, [0.001, 0.002, 0.003, np.nan, 0.005, 0.006], rtol=1e-5)
        x = theirs["metres_per_pixel"] * (theirs["position"] - theirs["origin"]).sel(space="x")
        expected = tracks["position_3d"].sel(space_3d="x")
        np.testing.assert_allclose(x, expected, atol=0.006 / 128 + 1e-6)  # half a step of a pixel
    read = read_tracks(path)
    np.testing.assert_allclose(read["position_3d"], tracks["position_3d"], atol=1 / 16384)
    assert read["position_3d"].dims == ("time", "space_3d", "keypoint")
    moved = tracks.assign(
        position_3d=tracks["position_3d"] + tracks["keypoint"].copy(data=[0, 1, 3])
    )
    with pytest.raises(UserError, match="frame 0: the metres of the face mesh are not its pixels"):
        save_tracks(moved, tmp_path / "b.nc", "rounded")


def test_a_place_beyond_the_steps_is_refused_with_what_to_do(tmp_path):
    far = body().assign(position=body()["position"] * 1e9)
    with pytest.raises(UserError, match=r"too far away .* --precision lossless"):
        save_tracks(far, tmp_path / "a.nc", "rounded")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError), append_tracks(tmp_path / "a.nc", "rounded") as add:
        add(far)
    assert list(tmp_path.iterdir()) == []


def test_tracks_of_an_earlier_version_are_read(tmp_path):
    read = read_tracks(OLD)
    assert "precision" not in read.attrs and read["position"].dtype == np.float32
    xr.testing.assert_equal(read, body())
    again = read_tracks(save_tracks(read, tmp_path / "a.nc"))
    xr.testing.assert_identical(again, read)
