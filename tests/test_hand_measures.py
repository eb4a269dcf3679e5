"""Measures of hands: made movements whose rate and amplitude are known."""

import numpy as np
import pytest
import xarray as xr

from semiology.cli.main import main
from semiology.data.keypoint_names import HANDS
from semiology.data.tracks import make_tracks, save_tracks
from semiology.errors import UserError
from semiology.phantom.drawing.hand import FINGERS, hand_landmarks
from semiology.severity.hands import RHYTHM, find_cycles, hand_shape, hand_table, oscillation

FPS = 25.0
TIME = np.arange(250) / FPS


def still(closed: float = 0.1, frames: int = 250) -> np.ndarray:
    """A hand of 20 cm (time, 21, 3), m."""
    return hand_landmarks(0.2, {finger: np.full(frames, closed) for finger in FINGERS})


def tracks(points: np.ndarray, metres: bool = True) -> xr.Dataset:
    """Tracks of a left hand, seen at 1000 px a metre; its metres have their origin in the hand."""
    own = points - points.mean(axis=1, keepdims=True)
    return make_tracks(
        1000 * points[..., :2] + 300,
        HANDS[: points.shape[1]],
        FPS,
        position_3d=own if metres else None,
        width=640,
        height=480,
    )


def row(table, item):
    return table.set_index("item").loc[item]


@pytest.mark.parametrize("rate", [1.3, 2.5, 4.7])
def test_cycles_of_a_wave_have_its_rate_and_height(rate):
    found = find_cycles(1 - np.cos(2 * np.pi * rate * TIME), FPS, 0.1)
    assert found.rate == pytest.approx(rate, rel=0.005)
    assert len(found.times) == int(rate * 10)
    assert found.amplitude == pytest.approx(2, rel=0.1)
    assert found.decrement == pytest.approx(0, abs=0.02)
    assert (found.halts, found.freezes) == (0, 0)


def test_decrement_is_the_share_of_the_amplitude_that_is_lost():
    """Cycle k, at k + 0.5 s, has the amplitude 2 (1 - (k + 0.5) / 20): 0.975 of 2 for the first."""
    found = find_cycles((1 - np.cos(2 * np.pi * TIME)) * (1 - TIME / 20), FPS, 0.1)
    first, last = (np.mean([1 - (k + 0.5) / 20 for k in ks]) for ks in ((0, 1, 2), (7, 8, 9)))
    assert found.decrement == pytest.approx(1 - last / first, abs=0.02)
    assert found.decrement_per_cycle == pytest.approx(0.05 / 0.975, abs=0.006)


def test_halts_and_freezes_are_long_intervals_and_leave_the_rate():
    """Opens at 2 Hz, pauses for 0.5 s (an interval of twice the usual) and for 1.5 s (fourfold)."""
    time = np.arange(400) / FPS
    running = time - np.clip(time - 4, 0, 0.5) - np.clip(time - 9, 0, 1.5)
    found = find_cycles(1 - np.cos(2 * np.pi * 2 * running), FPS, 0.1)
    assert found.rate == pytest.approx(2, rel=0.01)
    assert (found.halts, found.freezes) == (2, 1)


def test_nothing_is_counted_across_a_gap_nor_of_a_still_hand():
    series = 1 - np.cos(2 * np.pi * 2 * TIME)
    series[100:150] = np.nan
    found = find_cycles(series, FPS, 0.1)
    assert found.rate == pytest.approx(2, rel=0.01) and found.halts == 0
    noise = np.random.default_rng(0).normal(0, 0.01, 250)
    assert np.isnan(find_cycles(noise, FPS, 0.1).rate)
    assert np.isnan(find_cycles(np.full(250, np.nan), FPS, 0.1).amplitude)
    assert np.isnan(find_cycles(np.zeros(0), FPS, 0.1).rate)


def test_shape_is_in_hand_lengths_whatever_the_hands_size():
    shape = hand_shape(tracks(still()), "left")
    twice = hand_shape(tracks(2 * still()), "left")
    for name in ("aperture", "extension", "position"):
        np.testing.assert_allclose(
            getattr(twice, name)[0] - getattr(twice, name)[0].mean(),
            getattr(shape, name)[0] - getattr(shape, name)[0].mean(),
            atol=1e-3,
        )
    fist = hand_shape(tracks(still(closed=1.0)), "left")
    assert shape.extension[0] > 0.9 > 0.6 > fist.extension[0]


def test_rotation_is_the_angle_about_the_hands_axis():
    turn = np.radians(30 * np.sin(2 * np.pi * TIME))
    points = still()
    x, z = points[..., 0].copy(), points[..., 2].copy()
    points[..., 0] = np.cos(turn)[:, None] * x - np.sin(turn)[:, None] * z
    points[..., 2] = np.sin(turn)[:, None] * x + np.cos(turn)[:, None] * z
    table = hand_table(tracks(points))
    turned = row(table, "pronation_supination")
    assert turned["rate"] == pytest.approx(1, rel=0.01)
    assert turned["amplitude"] == pytest.approx(60, rel=0.1)
    flat = hand_table(tracks(points, metres=False))
    assert np.isnan(row(flat, "pronation_supination")["rate"])  # in the image it cannot be known


def test_tapping_is_measured_in_hand_lengths_and_cm():
    apart = 0.5 - 0.5 * np.cos(2 * np.pi * 3 * TIME)
    fingers = {finger: np.zeros(250) for finger in FINGERS}
    points = hand_landmarks(0.2, fingers, apart)
    table = hand_table(tracks(points), hand_cm=20)
    tapping = row(table, "finger_tapping")
    widest = np.linalg.norm(points[:, 4] - points[:, 8], axis=1)
    assert tapping["rate"] == pytest.approx(3, rel=0.01)
    assert tapping["amplitude_cm"] == pytest.approx(100 * np.ptp(widest), rel=0.1)
    assert tapping["amplitude"] == pytest.approx(tapping["amplitude_cm"] / 20)
    assert table["side"].unique().tolist() == ["left"]


@pytest.mark.parametrize("rate", [4.1, 6.3, 9.8])
def test_tremor_has_the_made_frequency_and_amplitude(rate):
    """The hand moves by 1 cm to either side, 2 cm peak to peak, with a slow sway of 5 cm."""
    points = still()
    points[..., 0] += 0.01 * np.sin(2 * np.pi * rate * TIME)[:, None]
    points[..., 1] += 0.05 * np.sin(2 * np.pi * 0.3 * TIME)[:, None]
    table = hand_table(tracks(points), hand_cm=20, condition="postural")
    tremor = row(table, "postural_tremor")
    assert tremor["rate"] == pytest.approx(rate, abs=0.05)
    assert tremor["amplitude_cm"] == pytest.approx(2, rel=0.1)
    assert tremor["band"] == ("8 to 12 Hz" if rate > 8 else "4 to 8 Hz") and tremor["grade"] == 2


def test_a_hand_without_rhythm_has_no_tremor():
    rng = np.random.default_rng(1)
    for _ in range(5):
        sway = np.cumsum(rng.normal(0, 0.003, (250, 1, 3)), axis=0)
        noisy = still() + sway + rng.normal(0, 0.002, (250, 21, 3))
        tremor = row(hand_table(tracks(noisy)), "tremor")
        assert np.isnan(tremor["rate"]) and np.isnan(tremor["amplitude_cm"])
        assert np.isnan(tremor["grade"]) and tremor["band"] == "" and tremor["prominence"] < 10
    assert np.isnan(oscillation(np.zeros((250, 21, 2)), FPS).frequency)
    assert np.isnan(oscillation(still(frames=40)[..., :2], FPS).prominence)  # too short


def test_slow_rhythm_is_that_of_the_movement_and_not_its_overtone():
    points = still()
    beat = 2 * np.pi * 1.5 * TIME
    points[..., 0] += (0.02 * np.sin(beat) + 0.015 * np.sin(2 * beat))[:, None]
    noise = np.random.default_rng(0).normal(0, 0.0005, points.shape)
    found = oscillation((points + noise)[..., :2], FPS, RHYTHM)
    assert found.frequency == pytest.approx(1.5, abs=0.05)


def test_bad_input_is_refused():
    good = tracks(still())
    for wrong, message in (
        (lambda: hand_table(good, hand_cm=0), "give the hand's length in cm"),
        (lambda: hand_table(good, condition="asleep"), "give rest, postural, kinetic"),
        (lambda: hand_table(good.isel(keypoint=slice(0, 20))), "no hand's 21 keypoints"),
        (lambda: hand_table(good.isel(time=slice(0))), "no frame"),
        (lambda: hand_shape(good, "right"), "the right hand's 21 keypoints"),
        (lambda: hand_shape(good.drop_vars("position"), "left"), "dimensions"),
    ):
        with pytest.raises(UserError, match=message):
            wrong()


def test_a_clip_without_hands_gives_rows_of_nan():
    table = hand_table(tracks(np.full((100, 42, 3), np.nan)))
    assert len(table) == 10 and (table["share"] == 0).all() and table["rate"].isna().all()


def test_the_verb_prints_or_writes_a_table_and_goes_on_past_a_bad_file(tmp_path, capsys):
    (tmp_path / "clip").mkdir()
    path, other = tmp_path / "clip" / "hands.nc", tmp_path / "body.nc"
    save_tracks(tracks(still()), path)
    save_tracks(make_tracks(np.zeros((5, 1, 2)), ["nose"], FPS), other)
    assert main(["hands", str(path), "--condition", "rest"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split("\t")[:3] == ["tracks", "side", "item"] and len(printed) == 6
    assert printed[4].startswith("clip\tleft\trest_tremor")
    stored = path.rename(path.with_name("hands-0123456789abcdef.nc"))  # as a cohort's store has it
    assert main(["hands", str(stored)]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("clip\t")
    path = stored.rename(path)
    assert main(["hands", str(path), str(other), "--out", str(tmp_path / "t.tsv")]) == 1
    assert "failed" in capsys.readouterr().out and len((tmp_path / "t.tsv").read_text()) > 100
    assert main(["hands", str(other)]) == 2
    assert "no hand's 21 keypoints" in capsys.readouterr().err
