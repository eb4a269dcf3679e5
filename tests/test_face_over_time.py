"""Blinks, drooping lids and fatigue of faces whose curves are known."""

import numpy as np
import pandas as pd
import pytest
from synthetic_face import filmed, own_face, turned

from semiology import make_tracks
from semiology.severity.face import (
    asymmetry,
    blinks,
    face_measures,
    face_summary,
    fatigue_slope,
    ptosis,
)

FPS = 50.0


def with_lids(left, right, **moved):
    """A face whose apertures are as given; the upper lids move, 0.05 of the opening at most lies
    below the corners.
    """
    return own_face(
        left_upper_lid=(0.35, 0.045 - left),
        left_lower_lid=(0.35, 0.045),
        right_upper_lid=(-0.35, 0.045 - right),
        right_lower_lid=(-0.35, 0.045),
        **moved,
    )


def over_time(left, right, heads=None, scheme="68"):
    return filmed([with_lids(*lids) for lids in zip(left, right)], scheme, heads, fps=FPS)


def dip(time, peak, depth, half):
    """1 with a triangle down to 1 - depth at `peak`, `half` seconds to either side."""
    return 1 - depth * np.clip(1 - np.abs(time - peak) / half, 0, 1)


def test_a_blink_of_known_depth_and_length_is_measured():
    time = np.arange(300) / FPS
    eye = 0.1 * dip(time, 3.0, 0.9, 0.15)
    (blink,) = blinks(face_measures(over_time(eye, eye)))
    # the triangle is below 0.8 of the opening from 3.0 - d to 3.0 + d, where 0.9 * (1 - d / 0.15) =
    # 0.2
    half = 0.15 * (1 - 0.2 / 0.9)
    assert (blink.onset, blink.duration) == pytest.approx((3.0 - half, 2 * half), abs=0.003)
    assert blink.peak == pytest.approx(3.0)
    assert (blink.left, blink.right, blink.completeness) == pytest.approx(
        (0.9, 0.9, 0.9), abs=0.002
    )


@pytest.mark.parametrize("fps", [15.0, 25.0, 60.0])
def test_blinks_are_the_same_at_any_frame_rate(fps):
    time = np.arange(round(12 * fps)) / fps
    eye = 0.1 * dip(time, 4.0, 0.95, 0.15) * dip(time, 8.0, 0.95, 0.15)
    found = blinks(face_measures(filmed([with_lids(0.1, lid) for lid in eye], "68", fps=fps)))
    assert [blink.peak for blink in found] == pytest.approx([4.0, 8.0], abs=0.5 / fps)
    assert [blink.duration for blink in found] == pytest.approx(
        [2 * 0.15 * (1 - 0.2 / 0.95)] * 2, abs=0.5 / fps
    )
    assert [(blink.left, blink.right) for blink in found] == [
        pytest.approx((0, 0.95), abs=0.01)
    ] * 2


def test_each_side_is_evaluated_by_itself():
    """The left eye is half as open throughout and closes by half of that; the right eye does not
    move in the second blink.
    """
    time = np.arange(400) / FPS
    left = 0.05 * dip(time, 2.0, 0.5, 0.15) * dip(time, 5.0, 0.8, 0.15)
    right = 0.10 * dip(time, 2.02, 1.0, 0.15)
    first, second = blinks(face_measures(over_time(left, right, scheme="mesh")))
    assert (first.left, first.right, first.completeness) == pytest.approx((0.5, 1.0, 0.5), abs=0.01)
    assert (second.left, second.right, second.completeness) == pytest.approx(
        (0.8, 0.0, 0.0), abs=0.01
    )
    assert (first.peak, second.peak) == pytest.approx((2.02, 5.0))


def test_what_is_no_blink():
    time = np.arange(500) / FPS
    still = np.full(500, 0.1)
    looks_down = np.where((time > 3) & (time < 5), 0.04, 0.1)
    shut = np.where(time > 5, 0.004 + 0.003 * np.sin(9 * time), 0.1)
    narrowed = 0.1 * np.interp(time, [4, 4.5], [1, 0.65])  # by a smile that stays
    shallow = 0.1 * dip(time, 5, 0.25, 0.15)
    for eye in (still, looks_down, shut, narrowed, shallow):
        assert blinks(face_measures(over_time(eye, eye))) == []
    nodding = [
        turned(yaw=20 * np.sin(3 * moment), pitch=20 * np.sin(7 * moment)) for moment in time
    ]
    assert blinks(face_measures(over_time(still, still, nodding))) == []


@pytest.mark.parametrize(("jitter", "seen"), [(0.3, True), (1.0, True), (3.0, False)])
def test_a_jittering_tracker_does_not_blink(jitter, seen):
    """Eyes 6 px open, two blinks, and white noise on every point: blinks are found, none is made
    up, or the rate is not stated.
    """
    time = np.arange(1500) / FPS
    eye = 0.1 * dip(time, 8, 1.0, 0.15) * dip(time, 21, 1.0, 0.15)
    tracks = filmed([with_lids(*lids) for lids in zip(eye, eye)], "mesh", fps=FPS, scale=60.0)
    tracks["position"] += np.random.default_rng(0).normal(0, jitter, tracks["position"].shape)
    found = [blink.peak for blink in blinks(face_measures(tracks))]
    assert found == (pytest.approx([8, 21], abs=0.06) if seen else [])
    assert face_summary(tracks)["blink_rate"] == (
        pytest.approx(4, abs=0.1) if seen else pytest.approx(np.nan, nan_ok=True)
    )


def test_a_blink_in_a_turn_and_in_a_smile_is_still_found():
    time = np.arange(500) / FPS
    eye = (
        0.1
        * np.interp(time, [4, 4.5], [1, 0.6])
        * dip(time, 2, 0.9, 0.15)
        * dip(time, 7, 0.9, 0.15)
    )
    nodding = [
        turned(yaw=20 * np.sin(3 * moment), pitch=20 * np.sin(7 * moment)) for moment in time
    ]
    found = blinks(face_measures(over_time(eye, eye, nodding)))
    assert [blink.peak for blink in found] == pytest.approx([2, 7])
    assert all(blink.completeness > 0.85 for blink in found)


def test_a_blink_that_a_hole_cuts_off_is_left_out():
    time = np.arange(300) / FPS
    eye = 0.1 * dip(time, 1.5, 0.9, 0.15) * dip(time, 4.5, 0.9, 0.15)
    tracks = over_time(eye, eye)
    tracks["position"][76:82] = np.nan  # 1.52 to 1.62 s
    assert [blink.peak for blink in blinks(face_measures(tracks))] == pytest.approx([4.5])


def test_one_sided_ptosis_stays_one_sided():
    """The right lid hangs at half height and sinks by a tenth of it in a minute of upgaze; the left
    one stands.
    """
    time = np.arange(0, 60, 0.1)
    left, right = np.full(600, 0.10), 0.06 - 0.03 * time / 60
    heads = [turned(pitch=-10 + 3 * np.sin(moment), roll=12) for moment in time]
    tracks = filmed([with_lids(*lids) for lids in zip(left, right)], "mesh", heads, fps=10.0)
    measures = face_measures(tracks)
    lids = ptosis(measures, blinks(measures))
    width = np.hypot(
        0.30, 0.01
    )  # of an eye; the lid's height over its corners is its aperture less 0.04, in eye widths
    assert lids["left"].aperture == pytest.approx(0.10, abs=1e-3) and lids[
        "right"
    ].aperture == pytest.approx(0.045, abs=1e-3)
    assert lids["left"].upper_lid == pytest.approx(0.06 / width, abs=5e-3)
    assert lids["right"].upper_lid == pytest.approx(0.005 / width, abs=5e-3)
    assert lids["left"].drift.per_minute == pytest.approx(0, abs=2e-3)
    assert lids["right"].drift.per_minute == pytest.approx(-0.03 / width, abs=2e-3)
    assert lids["right"].drift.high < 0
    summary = face_summary(tracks)
    assert (
        summary["right_lid_drift_low"]
        <= summary["right_lid_drift"]
        <= summary["right_lid_drift_high"]
        < 0
    )
    assert (
        summary["eye_aperture_asymmetry"] == pytest.approx(asymmetry(0.10, 0.045), abs=0.01)
        and summary["upper_lid_asymmetry"] > 0.1
    )
    assert summary["brow_height_asymmetry"] == pytest.approx(0, abs=0.01) and summary[
        "mouth_reach_asymmetry"
    ] == pytest.approx(0, abs=0.01)


def test_a_slope_of_known_size():
    time = np.arange(0, 120, 0.04)
    noise = np.random.default_rng(3).normal(0, 0.02, len(time))
    slope = fatigue_slope(time, 0.3 - 0.05 * time / 60 + noise)
    assert (
        slope.per_minute == pytest.approx(-0.05, abs=0.005)
        and slope.low < -0.05 < slope.high < 0
        and slope.windows == 120
    )
    exact = fatigue_slope(time, 2 * time / 60)
    assert (exact.per_minute, exact.low, exact.high) == pytest.approx((2, 2, 2))
    spoilt = np.where(time % 10 < 2, 50.0, 2 * time / 60)  # a fifth of the time is nonsense
    assert fatigue_slope(time, spoilt).per_minute == pytest.approx(2, abs=0.3)


def test_a_wandering_measure_has_a_wider_interval():
    """Seconds that repeat each other hold less: the interval widens, and covers the truth where the
    plain one would be too sure.
    """
    time = np.arange(0, 60, 0.1)
    rng = np.random.default_rng(5)
    apart, together = rng.normal(0, 1, 60), np.zeros(60)
    for second in range(1, 60):
        together[second] = 0.8 * together[second - 1] + 0.6 * apart[second]
    seconds = np.floor(time).astype(int)
    loose, tied = fatigue_slope(time, apart[seconds]), fatigue_slope(time, together[seconds])
    assert tied.high - tied.low > 1.5 * (loose.high - loose.low)
    assert tied.low < 0 < tied.high


def test_a_measure_that_only_wanders_has_an_interval_as_wide_as_its_slopes():
    """One slow wave over the clip: the widening is at its greatest, z = 8.5, whose tail of 7e-18 is
    still a tail.
    """
    time = np.arange(0, 60, 0.1)
    slope = fatigue_slope(time, np.sin(2 * np.pi * time / 60))
    assert slope.low < -2 and slope.high > 2 and slope.low < slope.per_minute < slope.high


@pytest.mark.filterwarnings("error")
def test_a_face_never_in_view_gives_nothing():
    tracks = make_tracks(
        np.full((40, 478, 2), np.nan), [f"mesh_{number:03d}" for number in range(478)], 25.0
    )
    summary = face_summary(tracks)
    assert summary.pop("assessable") == 0 and summary.pop("seconds") == 0
    assert all(np.isnan(value) for value in summary.values())
    assert blinks(face_measures(tracks)) == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("frames", [0, 1, 10])
def test_a_clip_of_ten_frames_is_too_short_to_drift_or_blink(frames):
    tracks = filmed([own_face()] * 10, "face_23").isel(time=slice(0, frames))
    summary = face_summary(tracks)
    assert summary["assessable"] == (1 if frames else 0)
    assert np.isnan(summary["left_eye_aperture_slope"]) and np.isnan(summary["blink_rate"])
    if frames:
        assert summary["left_eye_aperture_median"] == pytest.approx(0.1, abs=1e-3)


def test_summary_states_how_far_each_side_moves():
    """A smile that the left corner follows by 0.10 and the right one by 0.04, five times over."""
    time = np.arange(250) / 25
    smile = (np.sin(2 * np.pi * time / 2) > 0).astype(float)
    faces = [
        own_face(
            left_mouth_corner=(0.30 + 0.10 * s, 0.73), right_mouth_corner=(-0.30 - 0.04 * s, 0.73)
        )
        for s in smile
    ]
    summary = face_summary(filmed(faces, "68"))
    assert summary["left_mouth_reach_range"] == pytest.approx(0.10, abs=1e-3)
    assert summary["right_mouth_reach_range"] == pytest.approx(0.04, abs=1e-3)
    assert summary["mouth_reach_range_asymmetry"] == pytest.approx((0.10 - 0.04) / 0.14, abs=0.01)
    assert summary["seconds"] == pytest.approx(10) and summary["blink_rate"] == 0


def test_a_table_of_pyfeats_mesh_measures_as_the_mesh(tmp_path):
    """478 points turned by 7 degrees, once as MediaPipe's tracks, once through Py-Feat's table, in
    which the second of three frames has no face.
    """
    from semiology.data.formats import read

    tracks = filmed([own_face()] * 3, "mesh", [turned(yaw=7)] * 3, fps=FPS)
    points = tracks["position"].transpose("time", "keypoint", "space").values
    names = [f"{axis}_{number}" for number in range(478) for axis in "xyz"]
    table = pd.DataFrame(
        np.concatenate([points, np.full((3, 478, 1), -5.0)], axis=2).reshape(3, -1), columns=names
    )
    table["FaceScore"], table["Identity"] = [0.9, 0.0, 0.9], ["Person_0", "Person_1", "Person_0"]
    table["frame"] = range(3)
    table.to_csv(tmp_path / "t.csv", index=False)
    own, found = face_measures(tracks), face_measures(read(tmp_path / "t.csv", fps=FPS))
    assert found["assessable"].tolist() == [True, False, True]
    assert found["yaw"].iloc[[0, 2]].tolist() == pytest.approx(own["yaw"].iloc[[0, 2]].tolist())
    assert found["yaw"].iloc[0] == pytest.approx(7, abs=0.5)


@pytest.mark.realdata
def test_a_news_table_of_pyfeat(testdata):
    """Its landmarks close the eyes where its own action unit 43 says that they are closed."""
    from scipy.stats import spearmanr

    from semiology.data.formats import read

    path = testdata / "keypoints" / "news" / "016.csv"
    theirs = pd.read_csv(path, usecols=["frame", "AU43"]).set_index("frame")
    measures = face_measures(read(path, fps=30.0)).iloc[theirs.index]
    assert measures.assessable.all()
    for side in ("left", "right"):
        assert spearmanr(measures[f"{side}_eye_aperture"], theirs["AU43"]).statistic < 0
