"""What holds for every format that is written: random tracks with holes come back with the same
holes, at the same times, and as the same person.
"""

import numpy as np
import pytest
import xarray as xr

from semiology import make_tracks
from semiology.data import formats
from semiology.data.keypoint_names import BODY, BODY_25, FACE_68

NAMES = ["nose", "left_wrist", "right wrist", "Händchen", "01"]
# format, file, names of its points, whether it holds a point without a score, whether it holds the
# frame rate
FORMATS = {
    "netcdf": ("a.nc", NAMES, True, True),
    "long_csv": ("a.csv", NAMES, True, True),
    "deeplabcut csv": ("a.csv", NAMES, True, False),
    "deeplabcut h5": ("a.h5", NAMES, True, False),
    "sleap": ("a.slp", NAMES, True, False),
    "coco": ("a.json", NAMES, True, False),
    "movement": ("a.nc", NAMES, True, True),
    "openpose": ("folder", BODY_25, False, False),
    "openface": ("a.csv", FACE_68, False, True),
    "mediapipe": ("a.npz", BODY, True, True),
}
RATES = [12.5, 23.976, 25.0, 29.97, 30.0, 50.0, 59.94, 240.0]


def random_tracks(seed: int, names: list[str], no_scores: bool) -> xr.Dataset:
    """Holes of points and of whole frames, at the ends too; the first row is that of a found
    frame in every second one.
    """
    draw = np.random.default_rng(seed)
    frames = int(draw.integers(3, 60))
    shape = frames, len(names)
    position = draw.uniform(1, 600, (*shape, 2)).astype(np.float32)
    confidence = draw.uniform(0.01, 1, shape).astype(np.float32)
    position[draw.random(shape) < 0.2] = np.nan
    position[draw.random(frames) < 0.2] = np.nan
    confidence[draw.random(shape) < 0.1] = 0
    if no_scores:
        confidence[draw.random(shape) < 0.2] = np.nan
    if seed % 2:
        position[: frames // 3], position[-(frames // 4) :] = np.nan, np.nan
    position[frames // 2, 0], confidence[frames // 2, 0] = (3, 4), 0.5  # somebody is there
    fps = float(draw.choice(RATES))
    return make_tracks(position, names, fps, confidence=confidence, width=640, height=480)


def holes(tracks: xr.Dataset) -> np.ndarray:
    return ~np.isfinite(tracks["position"].transpose("time", "keypoint", "space").values)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("format", FORMATS)
def test_the_same_holes_places_times_and_scores_come_back(tmp_path, format, seed):
    file, names, no_scores, has_rate = FORMATS[format]
    tracks = random_tracks(seed, names, no_scores)
    formats.write(tracks, tmp_path / file, format.split()[0])
    again = formats.read(tmp_path / file, fps=None if has_rate else tracks.attrs["fps"])
    assert again.keypoint.values.tolist() == names
    np.testing.assert_array_equal(holes(again), holes(tracks))
    np.testing.assert_array_equal(
        again.position.transpose("time", "space", "keypoint"), tracks.position
    )
    np.testing.assert_allclose(again.time, tracks.time, atol=1e-5)
    assert again.attrs["fps"] == pytest.approx(tracks.attrs["fps"], rel=1e-5)
    if format != "openface":  # one score for the whole face
        np.testing.assert_array_equal(again.confidence, tracks.confidence)
    found = np.isfinite(again.position.values).all(axis=1)
    assert (again.confidence.values[~found] == 0).all()
    assert not (again.confidence.values[found] == 0).any()


def two_people(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(time, person, keypoint, 2) px of two people who pass each other, with holes, and (time,
    person, keypoint) scores: person p is in the rows 100 p to 100 p + 99 of the image.
    """
    draw = np.random.default_rng(seed)
    across = np.linspace(0, 600, 40)
    position = np.empty((40, 2, 3, 2))
    position[:, 0, :, 0], position[:, 1, :, 0] = across[:, None], across[::-1, None]
    position[..., 1] = draw.uniform(1, 99, (40, 2, 3)) + np.array([0, 100])[:, None]
    position[draw.random((40, 2, 3)) < 0.3] = np.nan
    position[draw.random((40, 2)) < 0.2] = np.nan
    position[20] = [[[300, 50]], [[300, 150]]]
    return position, np.where(np.isfinite(position[..., 0]), draw.uniform(0.1, 1, (40, 2, 3)), 0)


def as_movement(path, position, score):
    dims = ("time", "space", "keypoint", "individual")
    data = xr.Dataset(
        {
            "position": (dims, position.transpose(0, 3, 2, 1)),
            "confidence": (("time", "keypoint", "individual"), score.transpose(0, 2, 1)),
        },
        {"time": np.arange(40) / 25, "space": ["x", "y"], "keypoint": ["a", "b", "c"]}
        | {"individual": ["one", "two"]},
        {"ds_type": "poses", "fps": 25.0, "time_unit": "seconds"},
    )
    data.to_netcdf(path.with_suffix(".nc"), engine="h5netcdf")
    return path.with_suffix(".nc")


def as_deeplabcut(path, position, score):
    """Columns of the two animals mixed, and -1 for what was not found."""
    columns = [(who, key, axis) for key in range(3) for who in (1, 0) for axis in range(3)]
    people, axes = ["one", "two"], ["x", "y", "likelihood"]
    rows = [
        ["scorer", *["s"] * len(columns)],
        ["individuals", *(people[who] for who, _, _ in columns)],
        ["bodyparts", *("abc"[key] for _, key, _ in columns)],
        ["coords", *(axes[axis] for _, _, axis in columns)],
    ]
    values = np.concatenate([position, score[..., None]], axis=3)
    values[~np.isfinite(position).all(axis=3)] = -1
    for frame in np.random.default_rng(0).permutation(40):  # rows in any order
        rows.append([str(frame), *(repr(float(values[frame, w, k, a])) for w, k, a in columns)])
    path.with_suffix(".csv").write_text("\n".join(",".join(row) for row in rows))
    return path.with_suffix(".csv")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("make", [as_movement, as_deeplabcut])
def test_two_people_who_pass_stay_who_they_are(tmp_path, make, seed):
    position, score = two_people(seed)
    path = make(tmp_path / "a", position, score)
    for number, name in enumerate(["one", "two"]):
        tracks = formats.read(path, fps=25, individual=name).sel(keypoint=["a", "b", "c"])
        np.testing.assert_array_equal(
            tracks.position.transpose("time", "keypoint", "space"),
            position[:, number].astype(np.float32),
        )
        np.testing.assert_array_equal(tracks.confidence, score[:, number].astype(np.float32))
