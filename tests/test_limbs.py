"""Bodies are believed limb by limb: what no body does is taken out, with its reason; what bodies do
stays.
"""

from itertools import islice

import numpy as np
import pytest
import xarray as xr

from semiology.data.corrections import Correction, with_corrections
from semiology.data.keypoint_names import BODY, COCO_17
from semiology.data.limbs import (
    REASONS,
    LimbLimits,
    Pace,
    believable_path,
    check_limbs,
    rejected_counts,
)
from semiology.data.preprocessing import select
from semiology.data.skeleton import load_skeleton
from semiology.data.store import Store
from semiology.data.tracks import make_tracks, read_tracks, save_tracks, steps, time_slice
from semiology.phantom import make_myoclonus
from semiology.tracking.extraction import ExtractOptions, extract_tracks
from semiology.tracking.extraction.run import extract_videos
from semiology.tracking.extraction.tracks import checked_blocks
from semiology.video import read_frames, write_video

FPS, FRAMES, TORSO = 25.0, 200, 100.0
# of a body that stands before the camera, px; the torso is 100 px long
PLACES = {
    "head": (0, -50),
    "shoulder": (35, 0),
    "elbow": (45, 55),
    "wrist": (50, 100),
    "hip": (20, 100),
    "knee": (22, 180),
    "ankle": (24, 260),
}


def place_of(name: str) -> tuple[float, float]:
    """Where a keypoint is, px from the neck; left is at the right of the image."""
    side = 1 if name.startswith("left") or name.endswith("left") else -1
    near = {"pinky": "wrist", "index": "wrist", "thumb": "wrist", "heel": "ankle"}
    part = name.removeprefix("left_").removeprefix("right_")
    part = "ankle" if part == "foot_index" else near.get(part, part)
    x, y = PLACES.get(part, PLACES["head"])
    return (side * x if part in PLACES else side * 8.0, float(y))


def body(names: list[str] = BODY, frames: int = FRAMES) -> np.ndarray:
    """(time, keypoint, 2) px of a body that sways by 10 px at 0.5 Hz."""
    sway = 10 * np.sin(2 * np.pi * 0.5 * np.arange(frames) / FPS)
    still = np.array([place_of(name) for name in names]) + np.array([300, 200])
    return still[None] + np.stack([sway, 0 * sway], 1)[:, None]


def tracks_of(position: np.ndarray, names: list[str] = BODY, fps: float = FPS) -> xr.Dataset:
    return make_tracks(position, names, fps, width=640, height=480)


def moved(position: np.ndarray, rows: slice, by: tuple[float, float], *joints: str) -> np.ndarray:
    position = position.copy()
    columns = [BODY.index(name) for name in joints]
    position[rows, columns] = position[rows, columns] + by
    return position


def reasons(checked: xr.Dataset, name: str) -> list[str]:
    """The reason of each frame, "" where the point is believed."""
    codes = checked["rejected"].sel(keypoint=name).values
    return ["" if code == 0 else REASONS[code] for code in codes]


def rows_of(checked: xr.Dataset, name: str) -> np.ndarray:
    return np.flatnonzero(checked["rejected"].sel(keypoint=name).values)


BELOW = [name for name in BODY if BODY.index(name) >= BODY.index("left_shoulder")]
LEGS = [name for name in BODY if BODY.index(name) > BODY.index("right_hip")]
HIPS = ["left_hip", "right_hip"]


def test_a_body_that_sways_is_believed_and_the_step_is_recorded():
    tracks = tracks_of(body())
    checked = check_limbs(tracks)
    assert not checked["rejected"].any() and checked["rejected"].dtype == np.int8
    xr.testing.assert_equal(checked[["position", "confidence"]], tracks[["position", "confidence"]])
    step = steps(checked)[-1]
    assert step["step"] == "check_limbs" and step["unit"] == pytest.approx(TORSO)
    assert step["neck"] == LimbLimits().neck and step["body"]["limit"] is None
    assert checked["rejected"].attrs["flag_meanings"].split() == list(REASONS)
    assert rejected_counts(checked) == (FRAMES * 33, {})


def test_hips_of_somebody_else_are_a_chimera_and_the_legs_hang_on_them():
    wrong = slice(80, 105)
    checked = check_limbs(tracks_of(moved(body(), wrong, (70, -30), *HIPS, *LEGS)))
    for name in HIPS:
        assert rows_of(checked, name).tolist() == list(range(80, 105))
        assert set(reasons(checked, name)[wrong]) == {"chimera"}
    assert set(reasons(checked, "left_ankle")[wrong]) == {"hangs_on_rejected"}
    for name in set(BODY) - set(HIPS) - set(LEGS):
        assert not len(rows_of(checked, name)), name
    at = checked.isel(time=wrong).sel(keypoint="left_hip")
    assert at["position"].isnull().all() and (at["confidence"] == 0).all()


def test_a_torso_that_leaps_from_under_the_head_takes_everything_below_with_it():
    wrong = slice(80, 105)
    checked = check_limbs(tracks_of(moved(body(), wrong, (60, 0), *BELOW)))
    for name in BELOW:
        assert rows_of(checked, name).tolist() == list(range(80, 105)), name
    assert set(reasons(checked, "left_shoulder")[wrong]) == {"chimera"}
    assert not len(rows_of(checked, "nose"))


def test_a_head_that_leaps_off_its_torso_is_rejected_and_the_torso_is_not():
    head = [name for name in BODY if name not in BELOW]
    checked = check_limbs(tracks_of(moved(body(), slice(80, 90), (60, 0), *head)))
    for name in head:
        assert rows_of(checked, name).tolist() == list(range(80, 90)), name
        assert set(reasons(checked, name)[80:90]) == {"leap"}
    assert not len(rows_of(checked, "left_hip"))


def test_a_head_two_necks_away_is_not_over_this_torso():
    checked = check_limbs(tracks_of(moved(body(), slice(0, 15), (0, 120), *BELOW)))
    assert set(reasons(checked, "left_wrist")[:15]) == {"torso_not_under_head"}
    assert len(rows_of(checked, "left_wrist")) == 15


def test_a_bone_may_look_short_but_not_long():
    short = check_limbs(tracks_of(moved(body(), slice(50, 150), (-4, -40), "left_wrist")))
    assert not short["rejected"].any()
    # the forearm is 45.3 px: 45.3 + 30 is above 1.5 times that, and no leap in two steps
    long = body()
    ramp = np.interp(np.arange(FRAMES), [60, 64, 70, 74], [0, 30, 30, 0])
    hand = ["left_wrist", "left_pinky", "left_index", "left_thumb"]
    for name in hand:
        long[:, BODY.index(name), 1] += ramp
    checked = check_limbs(tracks_of(long))
    expected = 45 + ramp > np.sqrt((1.5 * np.hypot(5, 45)) ** 2 - 5**2)
    assert rows_of(checked, "left_wrist").tolist() == np.flatnonzero(expected).tolist()
    assert set(reasons(checked, "left_wrist")[66:68]) == {"bone_too_long"}
    assert set(reasons(checked, "left_thumb")[66:68]) == {"hangs_on_rejected"}
    assert not len(rows_of(checked, "left_elbow")) and not len(rows_of(checked, "right_wrist"))


def test_a_wrist_that_is_elsewhere_for_three_frames_is_a_leap():
    # the forearm points up instead of down, as long as before: 90 px are 45 cm, in 40 ms
    position = body()
    hand = BODY.index("left_wrist")
    position[60:63, hand] += (0, -90)
    checked = check_limbs(tracks_of(position))
    assert rows_of(checked, "left_wrist").tolist() == [60, 61, 62]
    assert set(reasons(checked, "left_wrist")[60:63]) == {"leap"}


def test_sides_that_change_places_and_back_are_marked_not_mended():
    position = body()
    pair = [BODY.index("left_wrist"), BODY.index("right_wrist")]
    position[60:75, pair] = position[60:75, pair[::-1]]
    checked = check_limbs(tracks_of(position), LimbLimits(bone=9.0))
    for name in ("left_wrist", "right_wrist"):
        assert rows_of(checked, name).tolist() == list(range(60, 75))
        assert set(reasons(checked, name)[60:75]) == {"left_right_swapped"}
    assert checked["position"].isel(time=62).sel(keypoint="left_wrist").isnull().all()
    assert not len(rows_of(checked, "left_elbow"))


def test_a_trunk_that_flickers_between_two_places_trembles_and_clonic_jerks_do_not():
    flicker = body()
    columns = [BODY.index(name) for name in BELOW]
    flicker[60:110, columns, 0] += 5 * (-1.0) ** np.arange(50)[:, None]  # 10 px from frame to frame
    checked = check_limbs(tracks_of(flicker))
    assert set(reasons(checked, "left_hip")[68:102]) == {"trembling"}
    assert set(rows_of(checked, "left_hip")) <= set(range(52, 118))
    assert not len(rows_of(checked, "nose"))
    clonic = body()  # 3 Hz, 20 px to either side: 20 cm of an adult from end to end
    clonic[:, columns, 0] += 20 * np.sin(2 * np.pi * 3 * np.arange(FRAMES) / FPS)[:, None]
    assert not check_limbs(tracks_of(clonic))["rejected"].any()


@pytest.mark.parametrize("names", [COCO_17, list(load_skeleton("upper_body_11").joints)])
def test_keypoints_of_other_trackers_are_known_by_name(names):
    position = body(names)
    if "neck" in names:
        position[:, names.index("neck")] = (300, 200)
        position[:, names.index("spine_base")] = (300, 300)
    wrong = [names.index(name) for name in HIPS]
    position[80:105, wrong] += (70, -30)
    checked = check_limbs(tracks_of(position, names))
    assert rows_of(checked, "left_hip").tolist() == list(range(80, 105))
    if "spine_base" in names:
        assert rows_of(checked, "spine_base").tolist() == list(range(80, 105))


def test_what_has_no_head_or_was_never_found_is_only_marked():
    names = ["left_wrist", "thing"]
    checked = check_limbs(tracks_of(np.zeros((5, 2, 2)), names))
    assert not checked["rejected"].any() and steps(checked)[-1]["unit"] is None
    nobody = check_limbs(tracks_of(np.full((5, 33, 2), np.nan)))
    assert not nobody["rejected"].any()


def test_metres_are_removed_with_pixels_and_metres_alone_are_checked():
    position = body()
    metres = np.concatenate([position, np.zeros((*position.shape[:2], 1))], 2) / 200
    wrong = moved(position, slice(80, 105), (70, -30), *HIPS, *LEGS)
    both = check_limbs(make_tracks(wrong, BODY, FPS, position_3d=metres))
    hip = both["position_3d"].sel(keypoint="left_hip").isnull().all("space_3d").values
    assert np.flatnonzero(hip).tolist() == list(range(80, 105))
    metres[80:105, [BODY.index(name) for name in HIPS]] += (0.35, -0.15, 0)
    alone = check_limbs(make_tracks(None, BODY, FPS, position_3d=metres))
    assert rows_of(alone, "left_hip").tolist() == list(range(80, 105))


def test_the_longest_path_is_kept_and_an_impossible_leap_is_in_none():
    pace = Pace(noise=0.1, usual=1.0, limit=5.0, patience=0.4)
    line = np.zeros((100, 2))
    line[40:50, 0] = 0.25  # 6 a second: impossible in one frame; ten frames beside ninety
    assert np.flatnonzero(~believable_path(line, FPS, pace)).tolist() == list(range(40, 50))
    line[40:50, 0] = 0.2  # possible, but two leaps of 0.4 s are worth twenty frames
    assert np.flatnonzero(~believable_path(line, FPS, pace)).tolist() == list(range(40, 50))
    line[40:65, 0] = 0.2  # 25 frames are worth more than two leaps
    assert believable_path(line, FPS, pace).all()
    light = np.where(np.arange(100) < 60, 0.1, 1.0)
    line[:, 0] = np.where(np.arange(100) < 60, 0.0, 3.0)  # sixty frames that count little
    assert np.flatnonzero(believable_path(line, FPS, pace, light)).tolist() == list(range(60, 100))
    line[30] = np.nan
    assert not believable_path(line, FPS, pace)[30]


def test_rejected_goes_through_files_cuts_joints_and_corrections(tmp_path):
    checked = check_limbs(tracks_of(moved(body(), slice(80, 105), (70, -30), *HIPS, *LEGS)))
    read = read_tracks(save_tracks(checked, tmp_path / "body.nc"))
    xr.testing.assert_identical(read["rejected"], checked["rejected"])
    assert rows_of(time_slice(read, 3.0, 4.0), "left_hip").tolist() == list(range(5, 25))
    joints = select(read, load_skeleton("upper_body_11"))
    assert rows_of(joints, "spine_base").tolist() == list(range(80, 105))
    assert joints["rejected"].dtype == np.int8
    row = Correction(80, "left_hip", (), 320.0, 300.0, 2, "AB", "2026-01-01T00:00:00Z", "labels")
    fixed = with_corrections(read, [row])
    assert rows_of(fixed, "left_hip").tolist() == list(range(81, 105))
    assert fixed["confidence"].sel(keypoint="left_hip").values[80] == 1


def test_jerks_of_known_patients_are_believed(tmp_path):
    folder = make_myoclonus(tmp_path, subjects=2, render=False, noise=0, progress=False, seed=3)
    paths = sorted((folder / "tracks").glob("*.nc"))[:6]
    assert paths
    for path in paths:
        tracks = read_tracks(path)
        given, rejected = rejected_counts(check_limbs(tracks))
        assert sum(rejected.values()) <= 0.001 * given, (path, rejected)


def test_the_result_does_not_depend_on_the_blocks_it_came_in():
    tracks = tracks_of(moved(body(frames=700), slice(480, 520), (70, -30), *HIPS, *LEGS))
    blocks = [{"body": tracks.isel(time=slice(at, at + 500))} for at in (0, 500)]
    made = [block["body"] for block in checked_blocks(blocks, ExtractOptions())]
    assert [block.sizes["time"] for block in made] == [500, 200]
    whole = xr.concat(made, "time")
    assert rows_of(whole, "left_hip").tolist() == list(range(480, 520))
    raw = list(checked_blocks(blocks, ExtractOptions(limbs=False)))
    assert all("rejected" not in block["body"] for block in raw)


@pytest.mark.realdata
def test_a_dancers_true_joints_stay(testdata, tmp_path):
    original, path = testdata / "people/dance_720x406.mp4", tmp_path / "dance_720x406.mp4"
    tracks = extract_tracks(original, 0, 4)["body"]
    joints = select(tracks, load_skeleton("upper_body_11"))
    assert 0 < float((joints["rejected"] > 0).mean()) < 0.02  # dim frames of a fast forearm
    frames = islice(read_frames(original), 100)
    write_video(path, (frame.image for frame in frames), 25)
    summary = extract_videos(
        [path], tmp_path, options=ExtractOptions(face_every=500), progress=False
    )
    stored = Store(tmp_path, plain=True)
    assert (
        stored.record("dance_720x406")["stages"]["body"]["rejected"]
        == summary.rejected["dance_720x406"]
    )
    assert "rejected" in stored.tracks("dance_720x406", "body") and "rejected" in summary.text()
