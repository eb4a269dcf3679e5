"""Kinematics on movements whose figures are known by hand, and beside those of `movement` on the
same track.
"""

import numpy as np
import pytest

from semiology import UserError, load_skeleton, make_tracks
from semiology.data.keypoint_names import BODY
from semiology.severity.kinematics import (
    BANDS,
    SEGMENTS,
    acceleration,
    derivative,
    excursion,
    highest_cutoff,
    jerk,
    kinematic_table,
    log_dimensionless_jerk,
    path_length,
    path_length_ratio,
    rhythm,
    savitzky_golay,
    segment_of,
    side_of,
    sparc,
    speed,
    speed_peaks,
    torso_length,
)

NAMES = load_skeleton("full_body_15").names


def reach(fps: float, duration: float = 1.0, length: float = 5.0) -> np.ndarray:
    """(time, 2): a minimum-jerk reach along the direction (3, 4) / 5 (Flash and Hogan 1985)."""
    tau = np.arange(round(duration * fps) + 1) / (duration * fps)
    return np.outer(10 * tau**3 - 15 * tau**4 + 6 * tau**5, [0.6, 0.8]) * length


def body(frames: int, fps: float = 25.0, **moved: np.ndarray):
    """Tracks of a body at rest, torso 100 px long; `moved` adds (time, 2) px to joints by name."""
    rest = {
        "neck": (300, 200),
        "left_shoulder": (340, 200),
        "right_shoulder": (260, 200),
        "spine_base": (300, 300),
    }
    rest |= {"left_hip": (320, 300), "right_hip": (280, 300)}
    position = np.tile(
        np.array([rest.get(name, (300, 250)) for name in NAMES], float), (frames, 1, 1)
    )
    for name, movement in moved.items():
        position[:, NAMES.index(name)] += movement
    return make_tracks(position, NAMES, fps)


# -------------------------------------------------------------------------------------- derivatives


def test_uniform_motion_has_one_speed_and_no_acceleration():
    track = np.outer(np.arange(50) / 25, [3.0, 4.0])
    known = speed(track, 25.0)
    assert known[5:-5] == pytest.approx(5.0)
    assert np.nanmax(acceleration(track, 25.0)) == pytest.approx(0, abs=1e-9)
    assert np.nanmax(jerk(track, 25.0)) == pytest.approx(0, abs=1e-8)


def test_a_cubic_has_its_derivatives_exactly():
    t = np.arange(60) / 30
    track = (t**3)[:, None]  # 3 t^2, 6 t, 6
    assert derivative(track, 30.0, 1, 5.0)[30, 0] == pytest.approx(3.0)
    assert derivative(track, 30.0, 2, 5.0)[30, 0] == pytest.approx(6.0)
    assert derivative(track, 30.0, 3, 5.0)[30, 0] == pytest.approx(6.0)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("fps", [25.0, 60.0])
def test_the_cutoff_is_where_a_sine_loses_3_db(order, fps):
    chosen = savitzky_golay(order, 5.0, fps)
    assert chosen.cutoff == pytest.approx(5.0, rel=0.2)
    t = np.arange(round(20 * fps)) / fps
    sine = np.sin(2 * np.pi * chosen.cutoff * t)
    kept = derivative(sine, fps, order, 5.0) / (2 * np.pi * chosen.cutoff) ** order
    assert np.sqrt(2 * np.nanmean(kept**2)) == pytest.approx(np.sqrt(0.5), abs=0.01)


def test_the_filters_at_25_frames_a_second_are_those_of_the_page():
    expected = {
        3.0: [(9, 3.0), (11, 2.9), (17, 3.2), (19, 3.1)],
        6.0: [(5, 6.0), (9, 5.9), (7, 5.8), (11, 5.8)],
    }
    for cutoff, filters in expected.items():
        for order, (window, exact) in enumerate(filters):
            found = savitzky_golay(order, cutoff, 25.0)
            assert found.window == window and found.cutoff == pytest.approx(exact, abs=0.06), (
                cutoff,
                order,
            )


def test_a_pulse_of_known_amplitude():
    t = np.arange(-100, 101) / 100
    pulse = np.outer(5 * np.exp(-(t**2) / (2 * 0.1**2)), [1.0, 0.0])  # px, s
    assert np.nanmax(speed(pulse, 100.0, cutoff=30)) == pytest.approx(
        5 / 0.1 * np.exp(-0.5), rel=2e-3
    )  # at one sd
    assert np.nanmax(acceleration(pulse, 100.0, cutoff=30)) == pytest.approx(
        5 / 0.1**2, rel=5e-3
    )  # at the top
    assert excursion(pulse) == pytest.approx(5.0, rel=1e-4)
    assert len(speed_peaks(speed(pulse, 100.0, cutoff=30), 100.0)) == 2  # there and back


def test_nothing_crosses_a_gap():
    track = np.outer(np.arange(60) / 25, [3.0, 4.0])
    track[30:] += 1000  # a jump within the gap must not show
    track[28:32] = np.nan
    half = savitzky_golay(1, 6.0, 25.0).window // 2
    known = np.isfinite(speed(track, 25.0))
    assert np.flatnonzero(known).tolist() == [*range(half, 28 - half), *range(32 + half, 60 - half)]
    assert np.nanmax(speed(track, 25.0)) == pytest.approx(5.0)
    assert path_length(track) == pytest.approx(54 / 25 * 5)  # 27 steps before, 27 after


@pytest.mark.parametrize(
    "cutoff, numbers",
    [(13, r"13 Hz.*\(15 frames"), (0, r" 0 Hz.*\(15 frames"), (7.4, r"7\.4 Hz.* 4\.75 Hz")],
)
def test_a_cutoff_out_of_reach_states_what_is_in_reach(cutoff, numbers):
    with pytest.raises(UserError, match=numbers):
        derivative(np.zeros((50, 2)), 15.0, 3, cutoff)
    assert highest_cutoff(3, 15.0) == pytest.approx(4.75, abs=0.01)


# --------------------------------------------------------------------------------------- smoothness


def test_a_minimum_jerk_reach_has_its_peak_speed_and_one_peak():
    track = reach(200.0, duration=2.0)
    moved = speed(track, 200.0, cutoff=20)
    assert np.nanmax(moved) == pytest.approx(
        1.875 * 5.0 / 2.0, rel=1e-3
    )  # 1.875 D / T, at half time
    assert speed_peaks(moved, 200.0).tolist() == [200]
    assert path_length_ratio(track) == pytest.approx(1.0)


def test_log_dimensionless_jerk_of_a_minimum_jerk_reach():
    """By hand: the jerk is (D / T^3) (60 - 360 s + 360 s^2) = 60 (D / T^3) P(s), P the shifted
    Legendre polynomial of degree 2, whose square has the integral 1/5 over 0 to 1. So the integral
    of jerk^2 is 3600 / 5 D^2 / T^5 = 720 D^2 / T^5; times T^3 over the peak speed's square, (1.875
    D / T)^2, it is 720 / 3.515625 = 204.8, without a unit.
    """
    assert log_dimensionless_jerk(reach(5000.0), 5000.0, cutoff=1000) == pytest.approx(
        -np.log(204.8), abs=0.02
    )
    slow_and_large = log_dimensionless_jerk(
        reach(2500.0, duration=2.0, length=90), 2500.0, cutoff=500
    )
    assert slow_and_large == pytest.approx(-np.log(204.8), abs=0.02)


def test_sparc_of_the_authors_example_and_of_a_reach():
    t = np.arange(-1, 1, 0.01)
    assert sparc(np.exp(-5 * t**2), 100.0) == pytest.approx(
        -1.41403, abs=1e-5
    )  # printed beside the authors' own function
    smooth = sparc(speed(reach(200.0), 200.0, cutoff=20), 200.0)
    assert smooth == pytest.approx(-1.4, abs=0.02)
    two = np.concatenate(
        [reach(200.0), 5 * np.array([0.6, 0.8]) + reach(200.0)[1:]]
    )  # with a stop half way
    assert sparc(speed(two, 200.0, cutoff=20), 200.0) < smooth - 0.3


def test_a_way_and_its_ratio_by_hand():
    corner = np.array([[0, 0], [3, 0], [3, 4]], float)
    assert path_length(corner) == 7 and path_length_ratio(corner) == pytest.approx(7 / 5)
    assert np.isnan(path_length_ratio(corner[[0, 1, 0]]))  # ends where it began


def test_smoothness_of_a_recording_with_a_gap_is_that_of_its_longest_run():
    whole = speed(reach(200.0), 200.0, cutoff=20)
    broken = np.concatenate([[7.0, 1.0, 5.0, np.nan], whole, [np.nan, 3.0]])
    assert sparc(broken, 200.0) == sparc(whole, 200.0)


# ------------------------------------------------------------------------------------------- rhythm


@pytest.mark.parametrize("frequency, band", [(1.5, BANDS[0]), (5.0, BANDS[1]), (9.5, BANDS[2])])
def test_a_sine_has_its_frequency_amplitude_and_band(frequency, band):
    t = np.arange(20 * 25) / 25
    found = rhythm(np.outer(0.3 * np.sin(2 * np.pi * frequency * t), [0.6, 0.8]) + 100, 25.0)
    assert found.frequency == frequency
    assert found.amplitude == pytest.approx(0.3, rel=1e-3)
    assert found.power[band] == pytest.approx(0.3**2 / 2, rel=1e-3)
    assert sum(found.power.values()) == pytest.approx(found.power[band], rel=1e-3)
    assert found.seconds == 20


def test_rhythm_does_not_cross_gaps_and_states_what_counted():
    t = np.arange(20 * 25) / 25
    sine = np.outer(0.3 * np.sin(2 * np.pi * 5 * t), [1.0, 0.0])
    sine[250:] += 50  # a jump within the gap: in the spectrum it would be everywhere
    sine[225:275] = np.nan
    found = rhythm(sine, 25.0)
    assert (
        found.amplitude == pytest.approx(0.3, rel=1e-3)
        and found.frequency == 5
        and found.seconds == 18
    )


def test_a_drift_has_no_frequency_and_the_slowest_rhythm_has():
    t = np.arange(40 * 25) / 25
    swaying = np.outer(
        np.sin(2 * np.pi * 0.15 * t) + 0.5 * np.sin(2 * np.pi * 0.07 * t), [1.0, 0.0]
    )
    assert np.isnan(rhythm(swaying, 25.0).frequency)
    assert rhythm(np.outer(np.sin(2 * np.pi * 0.5 * t), [1.0, 0.0]), 25.0).frequency == 0.5


def test_a_band_beyond_half_the_frame_rate_is_not_given():
    power = rhythm(np.random.default_rng(0).normal(0, 1, (300, 2)), 20.0).power
    assert np.isfinite([power[BANDS[0]], power[BANDS[1]]]).all() and np.isnan(power[BANDS[2]])


# ------------------------------------------------------------------------------- segments and table


def test_every_joint_of_the_trackers_has_one_segment():
    named = [name for segment in SEGMENTS.values() for name in segment.keypoints]
    assert len(set(named)) == len(named) and not [name for name in BODY if not segment_of(name)]
    assert [
        segment_of(name)
        for name in ("left_wrist", "right_knee", "head", "nose", "spine_base", "landmark_07")
    ] == ["left_arm", "right_leg", "neck", "face", "trunk", ""]
    assert [side_of(name) for name in ("mouth_right", "left_hip", "nose", "brow_left_inner")] == [
        "right",
        "left",
        "",
        "left",
    ]


def test_torso_length_from_hips_else_from_shoulders():
    tracks = body(20)
    assert torso_length(tracks) == pytest.approx(100.0)
    blanket = tracks.drop_sel(keypoint=["left_hip", "right_hip"])
    assert torso_length(blanket) == pytest.approx(80 * 0.288 / 0.259)
    assert np.isnan(torso_length(blanket.drop_sel(keypoint=["left_shoulder"])))


def test_table_in_torso_lengths_by_joint_segment_and_side():
    t = np.arange(200) / 25
    swing = np.outer(10 * np.sin(2 * np.pi * 2 * t), [1.0, 0.0])  # px: a tenth of the torso at 2 Hz
    table = kinematic_table(body(200, left_wrist=swing, left_elbow=swing / 2)).set_index(
        ["level", "name"]
    )
    wrist = table.loc[("joint", "left_wrist")]
    assert (wrist.segment, wrist.side, wrist.share) == ("left_arm", "left", 1.0)
    assert wrist.frequency == 2.0 and wrist.amplitude == pytest.approx(0.1, rel=1e-3)
    assert wrist["power_0.5_3"] == pytest.approx(0.005, rel=1e-3)  # 0.1^2 / 2
    assert wrist.peaks_per_second == pytest.approx(4.0, abs=0.2)  # there and back
    assert table.loc[("segment", "left_arm")].amplitude == pytest.approx(
        0.075, rel=1e-3
    )  # mean of wrist and elbow
    assert table.loc[("segment", "right_arm")].amplitude == pytest.approx(0, abs=1e-6)
    assert table.loc[("side", "left")].joints == 6 and table.loc[
        ("side", "left")
    ].amplitude == pytest.approx(0.15 / 6, rel=1e-3)
    face = table.loc[("segment", "face")]
    assert face.joints == 0 and face.share == 0 and np.isnan(face.speed)


def test_a_segments_frequency_is_that_of_the_joint_that_moves_most():
    t = np.arange(200) / 25
    shake, drift = (
        np.outer(size * np.sin(2 * np.pi * frequency * t), [1.0, 0.0])
        for size, frequency in ((10, 5), (1, 0.75))
    )
    table = kinematic_table(body(200, left_wrist=shake, left_elbow=drift)).set_index("name")
    assert (
        table.loc["left_elbow"].frequency == 0.75
        and table.loc["left_arm"].frequency == table.loc["left"].frequency == 5
    )


def test_what_stands_still_has_no_smoothness_and_no_frequency():
    """A tenth of a pixel is no binary number, and a torso of 100.1 px is none: rounding must not
    pass for movement.
    """
    tracks = body(200)
    tracks["position"] = tracks["position"] * 1.001 + 0.1
    row = kinematic_table(tracks).set_index("name").loc["left_wrist"]
    assert (row.speed, row.excursion, row.amplitude, row.path_per_second) == (0, 0, 0, 0)
    assert np.isnan(
        [row.frequency, row.sparc, row.log_dimensionless_jerk, row.path_length_ratio]
    ).all()


def test_units_and_what_the_tracks_do_not_hold():
    t = np.arange(200) / 25
    tracks = body(200, left_wrist=np.outer(10 * np.sin(2 * np.pi * 2 * t), [1.0, 0.0]))
    assert kinematic_table(tracks, unit="px").set_index("name").loc[
        "left_wrist"
    ].amplitude == pytest.approx(10, rel=1e-3)
    metres = make_tracks(
        None,
        ["left_wrist"],
        25.0,
        position_3d=np.outer(0.05 * np.sin(2 * np.pi * 3 * t), [0, 0.6, 0.8])[:, None],
    )
    assert kinematic_table(metres, unit="m").set_index("name").loc[
        "left_wrist"
    ].amplitude == pytest.approx(0.05, rel=1e-3)
    with pytest.raises(UserError, match=r"3 .*\['position'\]"):
        kinematic_table(tracks, unit="m")
    with pytest.raises(UserError, match=r"unit 'cm'.*\"torso\", \"m\" or \"px\""):
        kinematic_table(tracks, unit="cm")
    with pytest.raises(UserError, match=r"kinematics: .*left_thumb; .*left_wrist"):
        kinematic_table(tracks, joints=["left_wrist", "left_thumb"])
    with pytest.raises(UserError, match=r"kinematics: .*landmark_01"):
        kinematic_table(make_tracks(np.zeros((9, 1, 2)), ["landmark_01"], 25.0))


def test_half_the_frames_missing_is_a_share_of_one_half():
    tracks = body(200)
    tracks = tracks.assign(
        position=tracks.position.where((tracks.keypoint != "left_wrist") | (tracks.time >= 4))
    )
    table = kinematic_table(tracks).set_index("name")
    assert table.loc["left_wrist"].share == 0.5 and table.loc["right_wrist"].share == 1.0
    assert table.loc["left_arm"].share == pytest.approx(0.75)


@pytest.mark.parametrize("frames", [1, 10])
def test_a_clip_too_short_has_no_rhythm_and_no_smoothness(frames):
    row = kinematic_table(body(frames)).set_index("name").loc["left_wrist"]
    assert (
        row.share == 1.0
        and np.isnan([row.frequency, row.sparc, row.log_dimensionless_jerk, row.jerk]).all()
    )


def test_nothing_seen_is_nan_with_a_share_of_zero():
    tracks = make_tracks(np.full((100, len(NAMES), 2), np.nan), NAMES, 25.0)
    table = kinematic_table(tracks)
    assert (table["share"] == 0).all() and table.drop(
        columns=["level", "name", "segment", "side", "joints", "share"]
    ).isna().all(axis=None)
    empty = np.full((100, 2), np.nan)
    assert np.isnan(
        [
            sparc(empty[:, 0], 25.0),
            log_dimensionless_jerk(empty, 25.0),
            path_length(empty),
            excursion(empty),
        ]
    ).all()
    assert len(speed_peaks(empty[:, 0], 25.0)) == 0 and np.isnan(rhythm(empty, 25.0).frequency)


# -------------------------------------------------------------------------------- beside `movement`


def test_velocity_acceleration_speed_and_way_are_those_of_movement():
    """Numbers of `movement` 0.15.0 on the same track: compute_velocity, compute_acceleration,
    compute_speed, compute_path_length.

    It takes central differences (numpy.gradient), which at 0.5 Hz and 50 frames a second lose (pi /
    50)^2 / 6 = 0.07 % of a speed and twice that of an acceleration; ours loses less. Ways are the
    same sum.
    """
    fps, t = 50.0, np.arange(100) / 50
    circle = np.stack([300 + 40 * np.sin(np.pi * t), 200 + 30 * np.cos(np.pi * t)], axis=1)
    thrown = np.stack([100 + 60 * t, 400 - 10 * t**2], axis=1)
    # frame: velocity of the ellipse, its acceleration, its speed, speed of the thrown point
    expected = {
        10: ([101.597195, -55.361012], [-231.743114, -239.225274], 115.701476, 60.133186),
        25: ([0.0, -94.185779], [-394.264934, 0.0], 94.185779, 60.827625),
        50: ([-125.581039, 0.0], [0.0, 295.698701], 125.581039, 63.245553),
    }
    velocity, second = derivative(circle, fps, 1, 15.0), derivative(circle, fps, 2, 15.0)
    for frame, (their_velocity, their_acceleration, their_speed, thrown_speed) in expected.items():
        assert velocity[frame] == pytest.approx(their_velocity, rel=1e-3, abs=1e-6)
        assert second[frame] == pytest.approx(their_acceleration, rel=2e-3, abs=1e-6)
        assert speed(circle, fps, 15.0)[frame] == pytest.approx(their_speed, rel=1e-3)
        assert speed(thrown, fps, 15.0)[frame] == pytest.approx(thrown_speed, rel=1e-6)
    assert path_length(circle) == pytest.approx(218.4862462884558)
    assert path_length(thrown) == pytest.approx(126.93389560586245)
