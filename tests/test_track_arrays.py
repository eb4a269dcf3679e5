"""Clips' own tracks read without xarray: the same arrays as through xarray, and only where a file
needs nothing more.
"""

import h5py
import numpy as np
import pytest
import xarray as xr

from semiology import UserError, load_skeleton
from semiology.data import track_arrays
from semiology.data.cohort import Cohort
from semiology.data.corrections import Correction, corrections_file, write_corrections
from semiology.data.preprocessing import (
    coordinates,
    drop_low_confidence,
    fill_gaps,
    filled_gaps,
    median_of_known,
    normalise,
    select,
    smooth,
)
from semiology.data.store import clip_tracks
from semiology.data.track_arrays import TrackArrays, arrays_of, clip_arrays
from semiology.data.tracks import make_tracks, save_tracks
from semiology.models.training.clips import prepare
from semiology.models.training.reading import Reading

BODY = load_skeleton("upper_body_11")
# a joint of this skeleton that is the mean of keypoints has these instead of itself
NAMES = [name for joint, own in BODY.joints.items() for name in (own or (joint,))]
NAMES = list(dict.fromkeys(NAMES))


def wandering(seed: int = 0, frames: int = 60, spaces: int = 2) -> np.ndarray:
    """Positions (time, keypoint, space) with gaps, in all joints at once and in single ones."""
    rng = np.random.default_rng(seed)
    position = rng.normal(0, 1, (frames, len(NAMES), spaces)).cumsum(axis=0) * 3 + 200
    position[20:24] = np.nan
    position[rng.random(position.shape[:2]) < 0.2] = np.nan
    return position


@pytest.fixture
def in_file(tmp_path):
    """Writes tracks as a cohort's only clip; returns the cohort's folder and the clip."""

    def written(start="0", end="n/a", **values):
        tracks = make_tracks(values.pop("position", None), NAMES, 25.0, backend="own", **values)
        save_tracks(tracks, tmp_path / "tracks/c.nc")
        (tmp_path / "clips.tsv").write_text(
            f"clip_id\tparticipant_id\ttracks\tstart\tend\nc\tp\ttracks/c.nc\t{start}\t{end}\n"
        )
        (tmp_path / "participants.tsv").write_text("participant_id\np\n")
        (tmp_path / "clips.json").write_text("{}")
        return tmp_path, Cohort.read(tmp_path).clips[0]

    return written


def assert_same(own: TrackArrays, through: xr.Dataset) -> None:
    assert own.keypoints == through.keypoint.values.tolist()
    assert own.fps == through.attrs["fps"] and own.backend == through.attrs["backend"]
    assert set(own.values) == {"position", "position_3d", "confidence"} & set(through.data_vars)
    for name, values in own.values.items():
        assert values.dtype == through[name].dtype
        np.testing.assert_array_equal(values, through[name].values)


@pytest.mark.parametrize("start, end", [("0", "n/a"), ("0.5", "1.7")])
@pytest.mark.parametrize("kinds", [("position",), ("position_3d",), ("position", "position_3d")])
def test_arrays_are_those_of_the_dataset(in_file, monkeypatch, start, end, kinds):
    values = {kind: wandering(1, spaces=2 + (kind != "position")) for kind in kinds}
    folder, clip = in_file(start, end, **values)
    through = clip_tracks(folder, clip, None, "body")
    monkeypatch.setattr(track_arrays, "clip_tracks", None)  # not called
    assert_same(clip_arrays(folder, clip, None, "body"), through)


@pytest.mark.parametrize(
    "fault", ["checksum", "confidence", "placed", "time", "transposed", "scaled", "pixels", "other"]
)
def test_a_file_that_is_not_plain_goes_through_xarray(in_file, monkeypatch, fault):
    path = in_file(position=wandering())[0] / "tracks/c.nc"
    assert track_arrays._plain(path, 0, None) is not None
    if fault == "checksum":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        assert track_arrays._plain(path, 0, None) is None
        return
    monkeypatch.setattr(track_arrays, "ends_intact", lambda _: None)  # as of one without
    with h5py.File(path, "r+") as file:
        if fault == "confidence":
            file["confidence"][3, 2] = 7
        elif fault == "placed":  # where no point was found
            file["confidence"][3, 2], file["position"][3, :, 2] = 0, 5
        elif fault == "pixels":
            file.attrs["pixels"] = "stored"
        elif fault == "other":  # another program's
            del file.attrs["software"]
        elif fault == "time":
            file["time"][4] = 0
        elif fault == "transposed":
            file["position"].attrs["_Netcdf4Coordinates"] = [2, 1, 0]
        elif fault == "scaled":
            file["position"].attrs["scale_factor"] = 2.0
    assert track_arrays._plain(path, 0, None) is None


def test_a_damaged_file_is_refused_with_the_clips_name(in_file):
    folder, clip = in_file(position=wandering())
    path = folder / "tracks/c.nc"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="clip c: its tracks: its bytes changed"):
        clip_arrays(folder, clip, None, "body")


def test_corrections_beside_a_file_are_applied(in_file):
    folder, clip = in_file(position=wandering())
    row = Correction(3, NAMES[0], (), 11.0, 12.0, 2, "me", "2026-01-01T00:00:00", "labels")
    write_corrections([row], corrections_file(folder / "tracks/c.nc"))
    own = clip_arrays(folder, clip, None, "body")
    assert own.values["position"][3, :, 0].tolist() == [11, 12]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"longest_gap": 0.0, "origin": "frame"},
        {"smoothing": 0.3, "upright": True},
        {"min_confidence": 0.5, "rate": 10.0},
        {"dimensions": 3, "longest_gap": 9.0},
    ],
)
def test_preparation_is_that_of_the_steps(settings):
    reading = Reading("swing", **{"skeleton": BODY.name, **settings})
    confidence = np.random.default_rng(5).random((60, len(NAMES)))
    tracks = make_tracks(
        wandering(2), NAMES, 25.0, position_3d=wandering(3, spaces=3), confidence=confidence
    )
    steps = select(tracks, BODY)
    if reading.min_confidence:
        steps = drop_low_confidence(steps, reading.min_confidence)
    steps = fill_gaps(steps, reading.longest_gap)
    if reading.smoothing:
        steps = smooth(steps, reading.smoothing)
    steps = normalise(steps, BODY, reading.origin, reading.upright)
    expected = coordinates(steps, reading.dimensions)
    if reading.rate == 10.0:  # 25 Hz read at 10: frames 0, 2.5, 5, ... to the nearest, even of two
        expected = expected[[round(2.5 * number) for number in range(24)]]
    assert np.isfinite(expected).any() and np.isnan(expected).any()
    np.testing.assert_array_equal(prepare(tracks, reading), expected)
    np.testing.assert_array_equal(prepare(arrays_of(tracks), reading), expected)


def test_gaps_are_filled_as_numpy_interpolates_each_series():
    values = wandering(4).transpose(0, 2, 1).astype(np.float32)
    expected = values.copy()
    for space in range(2):
        for keypoint in range(len(NAMES)):
            line = expected[:, space, keypoint]
            known = np.flatnonzero(np.isfinite(line))
            inside = np.arange(known[0], known[-1])
            line[inside] = np.interp(inside, known, line[known])
    np.testing.assert_array_equal(filled_gaps(values, 60), expected)
    assert np.isnan(values).any()  # the argument is left as it was


@pytest.mark.parametrize(
    "line, longest, expected",
    [
        ([0, np.nan, np.nan, 3], 2, [0, 1, 2, 3]),
        ([0, np.nan, np.nan, 3], 1, [0, np.nan, np.nan, 3]),
        ([np.nan, 1, np.nan, 3, np.nan], 5, [np.nan, 1, 2, 3, np.nan]),
        ([np.nan, np.nan], 5, [np.nan, np.nan]),
        ([0, np.nan, 2, np.nan, np.nan, np.nan, 6], 1, [0, 1, 2, np.nan, np.nan, np.nan, 6]),
    ],
)
def test_a_gap_is_filled_if_it_is_short_and_inside(line, longest, expected):
    np.testing.assert_array_equal(filled_gaps(np.array(line, float), longest), expected)


def test_the_median_is_of_known_values():
    values = np.array([[3.0, np.nan], [1, np.nan], [np.nan, np.nan], [8, np.nan]])
    np.testing.assert_array_equal(median_of_known(values, axis=0), [[3, np.nan]])
    many = np.random.default_rng(0).normal(size=(41, 30)).astype(np.float32)
    many[np.random.default_rng(1).random(many.shape) < 0.3] = np.nan
    np.testing.assert_array_equal(median_of_known(many, axis=0)[0], np.nanmedian(many, axis=0))
