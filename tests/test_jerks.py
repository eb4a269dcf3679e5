"""Jerks found in tracks made by hand: pulses of known time, size and direction, and all that is
none.
"""

import numpy as np
import pytest

from semiology.data.tracks import make_tracks
from semiology.errors import UserError
from semiology.phantom.myoclonus.jerks import minimum_jerk
from semiology.severity.jerks import JerkSettings, find_jerks
from semiology.severity.jerks.artefacts import at_grid_times, left_right_swaps
from semiology.severity.jerks.detection import band_limited, cutoff_at, noise_around, noise_level

# px; the middle of the shoulders is 100 px above that of the hips: one torso length
BODY = {
    "left_shoulder": (220, 100),
    "right_shoulder": (180, 100),
    "left_hip": (215, 200),
    "right_hip": (185, 200),
    "left_wrist": (260, 180),
    "right_wrist": (140, 180),
    "nose": (200, 60),
}
NAMES = list(BODY)


def still(
    seconds: float = 10.0, fps: float = 25.0, jitter: float = 0.1, seed: int = 0
) -> np.ndarray:
    """(time, keypoint, 2) px of somebody who does not move, tracked with white jitter (px)."""
    rest = np.repeat(np.array(list(BODY.values()), float)[None], round(seconds * fps), axis=0)
    return rest + np.random.default_rng(seed).normal(size=rest.shape) * jitter


def pulse(
    frames: int, onset: float, rise: float = 0.08, fall: float = 0.12, fps: float = 25.0
) -> np.ndarray:
    """(time,) 0 to 1 and back."""
    time = np.arange(frames) / fps
    return minimum_jerk((time - onset) / rise) - minimum_jerk((time - onset - rise) / fall)


def jerking(
    joint: str = "left_wrist",
    by=(6.0, -8.0),
    onset: float = 4.0,
    position: np.ndarray | None = None,
    **shape,
) -> np.ndarray:
    position = still() if position is None else position
    position[:, NAMES.index(joint)] += pulse(len(position), onset, **shape)[:, None] * by
    return position


def found_in(position: np.ndarray, fps: float = 25.0, names: list[str] = NAMES, **settings):
    return find_jerks(make_tracks(position, names, fps), JerkSettings(**settings))


def test_a_pulse_is_found_with_its_time_amplitude_and_direction():
    found = found_in(
        jerking(by=(6.0, -8.0), onset=4.0)
    )  # 10 px of 100, at 4.08 s, right and up as 3 to 4
    (jerk,) = found.jerks
    assert (jerk.joint, jerk.segment, jerk.side) == ("left_wrist", "left_arm", "left")
    assert found.torso == pytest.approx(100, abs=0.2)
    assert jerk.onset == pytest.approx(4.03, abs=0.03)  # a fifth of the way at 4.03 s
    assert jerk.peak == pytest.approx(4.08, abs=0.021)
    assert jerk.duration == pytest.approx(
        0.14, abs=0.05
    )  # above a fifth of the way from 4.03 to 4.16 s
    assert jerk.amplitude == pytest.approx(0.1, rel=0.05)
    assert jerk.direction == pytest.approx((0.6, -0.8), abs=0.05)
    assert jerk.snr > 10


@pytest.mark.parametrize("fps", [20.0, 25.0, 30.0, 50.0, 60.0])
def test_it_is_the_same_at_every_frame_rate(fps):
    position = still(fps=fps)
    position[:, 4] += pulse(len(position), 4.0, 0.08, 0.15, fps)[:, None] * (10.0, 0.0)
    (jerk,) = found_in(position, fps).jerks
    assert jerk.peak == pytest.approx(4.08, abs=1 / fps)
    assert jerk.amplitude == pytest.approx(0.1, rel=0.12)  # the extreme lies between two frames


def test_cut_off_follows_slow_tracks_and_too_slow_ones_are_refused():
    assert [cutoff_at(fps, 6.0) for fps in (60, 25, 20)] == pytest.approx([6.0, 6.0, 4.8])
    with pytest.raises(UserError, match=r"12\.5 frames .* 15 frames"):
        found_in(still(fps=12.5), fps=12.5)


def test_frames_that_a_slow_video_repeats_do_not_count():
    position, twice, five_of_six = still(), np.arange(250) // 2, np.arange(250) * 5 // 6
    tracks = make_tracks(position[twice], NAMES, 25.0, source_index=twice, source_time=twice / 12.5)
    with pytest.raises(UserError, match=r"12\.5 frames .* 15 frames"):
        find_jerks(tracks)
    slower = find_jerks(make_tracks(position[five_of_six], NAMES, 25.0, source_index=five_of_six))
    assert slower.cutoff == pytest.approx(0.24 * 25 * 5 / 6, rel=0.01)


def test_small_jerks_of_two_percent_are_found_where_the_tracker_is_calm():
    onsets = np.arange(1.0, 9.0, 1.0)
    position = still(jitter=0.1)
    for onset in onsets:
        jerking(by=(2.0, 0.0), onset=onset, position=position)
    found = found_in(position)
    assert len(found.jerks) == len(onsets)
    assert [jerk.peak for jerk in found.jerks] == pytest.approx(onsets + 0.08, abs=0.05)
    assert {jerk.joint for jerk in found.jerks} == {"left_wrist"}


@pytest.mark.parametrize("jitter", [0.1, 1.0, 5.0])
def test_white_noise_has_no_jerks(jitter):
    """Ten minutes of seven joints (seed 0), whatever the size of the noise: it is measured."""
    assert found_in(still(seconds=600, jitter=jitter)).jerks == []


def test_noise_level_is_the_noise():
    """White noise of sd 1 px: acceleration has the sd that the filter makes of it, the same by all
    three estimates.
    """
    noise = np.random.default_rng(1).normal(size=(20_000, 3, 2))
    brief, mean = band_limited(noise, 25.0, 6.0)
    deviation = np.sqrt(np.nanmean(brief**2) / 2)
    assert noise_level(brief, 0.25, 2) == pytest.approx(deviation, rel=0.03)
    assert noise_level(brief, 0.1, 2) == pytest.approx(deviation, rel=0.05)
    nothing = np.full_like(brief, np.nan)
    assert np.nanmean(noise_around(brief, nothing, 25.0, 6.0, 2)) == pytest.approx(
        deviation, rel=0.05
    )
    assert np.nanmean(noise_around(nothing, mean, 25.0, 6.0, 2)) == pytest.approx(
        deviation, rel=0.05
    )


def test_the_smallest_jerk_that_stands_out_is_reported():
    """A few of that size are found, half of those a tenth or a fifth larger, nearly all half as
    large again.
    """
    smallest = found_in(still(60.0, jitter=0.3)).smallest["left_wrist"]
    assert 0.01 < smallest < 0.03
    shares = []
    for amplitude in (0.7 * smallest, 1.15 * smallest, 1.6 * smallest):
        position = still(60.0, jitter=0.3)
        for onset in np.arange(1.0, 59.0, 1.0):
            jerking(by=(100 * amplitude, 0.0), onset=onset, position=position, rise=0.1, fall=0.1)
        shares.append(len(found_in(position).jerks) / 58)
    assert shares[0] < 0.1 < 0.3 < shares[1] < 0.8 < 0.9 < shares[2]


def test_many_jerks_do_not_hide_each_other():
    """Two a second for 40 s, 10 % of the torso."""
    onsets = np.arange(1.0, 39.0, 0.5) + np.random.default_rng(3).uniform(-0.04, 0.04, 76)
    position = still(40.0)
    for onset in onsets:
        jerking(by=(10.0, 0.0), onset=onset, position=position)
    found = found_in(position)
    assert len(found.jerks) >= 0.95 * len(onsets)
    assert found.noise["left_wrist"] < 2 * found.noise["right_wrist"]


def test_a_reach_is_no_jerk():
    """Half a torso length in 0.5 s and in 1 s, minimum jerk (Flash and Hogan 1985), and a wave at
    1.5 Hz.
    """
    for duration in (0.5, 1.0):
        position, time = still(), np.arange(250) / 25
        position[:, 4, 0] += 50 * minimum_jerk((time - 4) / duration)
        assert found_in(position).jerks == []
    position[:, 4, 1] += 30 * np.sin(2 * np.pi * 1.5 * time)
    assert found_in(position).jerks == []


def test_a_jerk_during_a_reach_is_found():
    position, time = still(), np.arange(250) / 25
    position[:, 4, 0] += 30 * minimum_jerk((time - 3) / 3)
    (jerk,) = found_in(jerking(by=(0.0, 10.0), onset=4.5, position=position)).jerks
    assert jerk.direction == pytest.approx((0, 1), abs=0.25)
    assert jerk.amplitude == pytest.approx(0.1, rel=0.15)


def test_a_jerk_that_stays_ends_where_it_comes_to_rest():
    position, time = still(), np.arange(250) / 25
    position[:, 4, 0] += 10 * minimum_jerk((time - 4) / 0.15)
    (jerk,) = found_in(position).jerks
    assert jerk.peak == pytest.approx(4.11, abs=0.04)  # nine tenths of the way at 4.11 s
    assert jerk.end == pytest.approx(jerk.peak)
    assert jerk.amplitude == pytest.approx(0.1, rel=0.1)


def test_what_leaps_within_one_frame_is_the_trackers():
    there_and_back, stays = still(), still()
    there_and_back[100, 4, 0] += 10
    stays[100:, 4, 0] += 10
    assert found_in(there_and_back).jerks == []
    assert found_in(stays).jerks == []


def test_swapped_sides_are_no_jerks_and_not_usable():
    position = still()
    position[100:103, [4, 5]] = position[100:103, [5, 4]]
    found = found_in(position)
    assert found.jerks == []
    assert found.usable["left_wrist"] < found.usable["nose"]
    swapped = left_right_swaps(position / 100, NAMES)
    assert np.argwhere(swapped).tolist() == [[100, 4], [100, 5], [103, 4], [103, 5]]


def test_low_or_falling_confidence_is_not_believed():
    position, confidence = jerking(), np.ones((250, 7))
    sure = find_jerks(make_tracks(position, NAMES, 25.0, confidence=confidence))
    confidence[98:106, 4] = 0.7  # the left wrist, hidden for a moment
    hidden = find_jerks(make_tracks(position, NAMES, 25.0, confidence=confidence))
    never = find_jerks(make_tracks(position, NAMES, 25.0, confidence=confidence * 0.4))
    assert (len(sure.jerks), len(hidden.jerks), len(never.jerks)) == (1, 0, 0)
    assert never.usable["left_wrist"] == 0


def test_without_scores_jerks_are_found_as_with_full_confidence():
    sure = find_jerks(make_tracks(jerking(), NAMES, 25.0))
    unscored = find_jerks(make_tracks(jerking(), NAMES, 25.0, confidence=np.full((250, 7), np.nan)))
    assert unscored.jerks == sure.jerks and len(sure.jerks) == 1
    some = np.full((250, 7), np.nan)
    some[90:98, 4] = 1
    some[98:106, 4] = 0.7  # falls from 1 to 0.7; of the time before only a part has scores
    assert not find_jerks(make_tracks(jerking(), NAMES, 25.0, confidence=some)).jerks


def test_gaps_are_not_filled_and_not_jerks():
    position = jerking(onset=4.0)
    position[130:160, 4] = np.nan  # 1.2 s without the left wrist
    position[160:, 4] += 30  # which comes back elsewhere
    found = found_in(position)
    assert [jerk.joint for jerk in found.jerks] == ["left_wrist"]
    assert found.usable["left_wrist"] == pytest.approx(
        found.usable["nose"] - 1.2 - 0.48, abs=0.05
    )  # filters reach 6 frames to each side
    position = jerking(onset=5.2, position=still())
    position[130:134, 4] = np.nan  # the jerk lies in the gap
    assert found_in(position).jerks == []


def test_scale_does_not_matter():
    position = jerking()
    one, two = found_in(position), found_in(position * 2)
    assert two.torso == pytest.approx(2 * one.torso)
    (small,), (large,) = one.jerks, two.jerks
    assert (large.onset, large.peak, large.amplitude, large.snr) == pytest.approx(
        (small.onset, small.peak, small.amplitude, small.snr), rel=1e-3
    )


def test_a_mirrored_picture_mirrors_directions_and_sides():
    position = jerking()
    flipped = position * (-1, 1) + (400, 0)
    mirrored = [
        name.replace("left", "X").replace("right", "left").replace("X", "right") for name in NAMES
    ]
    (one,), (other,) = found_in(position).jerks, found_in(flipped, names=mirrored).jerks
    assert (other.joint, other.side) == ("right_wrist", "right")
    assert other.direction == pytest.approx((-one.direction[0], one.direction[1]), abs=1e-4)
    assert (other.onset, other.amplitude) == pytest.approx((one.onset, one.amplitude), rel=1e-3)


def test_shifted_in_time_everything_shifts():
    early, late = found_in(jerking(onset=4.0)), found_in(np.roll(jerking(onset=4.0), 25, axis=0))
    assert late.jerks[0].onset == pytest.approx(early.jerks[0].onset + 1.0, abs=1e-6)
    assert late.jerks[0].amplitude == pytest.approx(early.jerks[0].amplitude, rel=1e-6)


def test_ten_frames_and_joints_never_seen_are_not_assessable():
    short = found_in(still(0.4))
    assert short.jerks == []
    assert short.usable["nose"] == 0
    assert np.isnan(short.noise["nose"])
    position = jerking()
    position[:, 6] = np.nan
    found = found_in(position)
    assert [jerk.joint for jerk in found.jerks] == ["left_wrist"]
    assert (found.usable["nose"], np.isnan(found.noise["nose"])) == (0, True)
    nobody = found_in(np.full((250, 7, 2), np.nan))
    assert nobody.jerks == []
    assert np.isnan(nobody.torso)


def test_metres_where_there_are_no_pixels():
    position = (
        np.concatenate([still(), np.zeros((250, 7, 1))], axis=2) / 200
    )  # a torso of half a metre
    position[:, 4, 2] -= 0.05 * pulse(250, 4.0)  # towards the camera, a tenth of it
    position[..., 2] += np.random.default_rng(5).normal(size=(250, 7)) * 0.0005
    found = find_jerks(make_tracks(None, NAMES, 25.0, position_3d=position))
    (jerk,) = found.jerks
    assert found.torso == pytest.approx(0.5, abs=0.01)
    assert jerk.amplitude == pytest.approx(0.1, rel=0.05)
    assert jerk.direction == pytest.approx((0, 0, -1), abs=0.05)


def test_frames_taken_from_a_faster_video_are_put_on_time():
    """25 of 30 frames a second: of uniform motion, what was seen up to 1/60 s early or late is
    uniform again.
    """
    grid = np.arange(50) / 25
    source = np.round(grid * 30) / 30
    moved = at_grid_times(3.0 * source[:, None], grid, source)
    steps = np.diff(moved[1:-1, 0])
    assert np.ptp(np.diff(3.0 * source)) > 0.09  # 0.1 and 0.2
    assert np.ptp(steps) < 1e-9


def test_bad_joints_and_settings_are_named():
    with pytest.raises(UserError, match=r"left_tail.* nose"):
        find_jerks(make_tracks(still(), NAMES, 25.0), joints=["left_tail"])
    with pytest.raises(UserError, match="threshold=-1"):
        JerkSettings(threshold=-1)
    with pytest.raises(UserError, match="confidence=2"):
        JerkSettings(confidence=2)
    with pytest.raises(UserError, match=r"shortest=0\.5 .* longest=0\.3"):
        JerkSettings(shortest=0.5)


def test_only_the_requested_joints():
    position = jerking("right_wrist", position=jerking("left_wrist"))
    found = find_jerks(make_tracks(position, NAMES, 25.0), joints=["right_wrist"])
    assert [jerk.joint for jerk in found.jerks] == ["right_wrist"]
    assert list(found.noise) == ["right_wrist"]
