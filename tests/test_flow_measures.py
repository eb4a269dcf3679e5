"""Rhythm, side difference, episodes, clonic rate and jerks of movement by region; and networks that
read it.
"""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from semiology.cli.main import main
from semiology.data.events import read_events
from semiology.data.store import Store
from semiology.errors import UserError
from semiology.models.networks.segments import Aggregator
from semiology.models.training.clips import ClipSource, flow_windows
from semiology.models.training.reading import Reading
from semiology.severity.flow import (
    FlowSettings,
    beat,
    clonic_rate,
    episodes,
    flow_jerks,
    flow_table,
    side_differences,
)
from semiology.severity.jerks import read_jerks, synchronous
from semiology.severity.kinematics import rhythm
from semiology.tracking.flow import BODY, GRID, REGIONS

FPS = 25.0
SIDE = 200.0  # px, of the patient's box
WRONG = [{"window": 0.0}, {"moving": -1.0}, {"regular": 7.0}]


def moving(velocity, regions=("grid_3_2",), seconds=None):
    """Movement by region: `velocity` (time,) box sides/s to the right in some regions, noise in the
    rest of the grid; the body's regions are not placed unless they are named.
    """
    velocity = np.asarray(velocity, float)
    values = np.random.default_rng(0).normal(0, 0.002, (len(velocity), 2, len(REGIONS)))
    values[..., : len(BODY)] = np.nan
    for region in regions:
        values[:, 0, REGIONS.index(region)] = velocity
        values[:, 1, REGIONS.index(region)] = 0
    values[0] = np.nan
    values *= SIDE
    return xr.Dataset(
        {
            "energy": (("time", "region"), (values**2).sum(axis=1).astype(np.float32)),
            "velocity": (("time", "space", "region"), values.astype(np.float32)),
            "texture": (("time", "region"), np.isfinite(values[:, 0]).astype(np.float32)),
        },
        coords={
            "time": np.arange(len(velocity)) / FPS,
            "region": list(REGIONS),
            "space": ["x", "y"],
            "source_time": ("time", np.arange(len(velocity)) / FPS),
            "source_index": ("time", np.arange(len(velocity))),
        },
        attrs={
            "fps": FPS,
            "width": 320,
            "height": 240,
            "box": json.dumps([10.0, 20.0, 10.0 + SIDE, 160.0]),
            "schema": 1,
            "software": "test",
        },
    )


def pulses(onsets, seconds, lasts=0.2, height=0.03):
    """(time,) velocity, box sides/s, of a surface that goes `height` sides forth and back."""
    time = np.arange(round(seconds * FPS) + 1) / FPS
    path = sum(
        np.where((time >= at) & (time < at + lasts), np.sin(np.pi * (time - at) / lasts) ** 2, 0)
        for at in onsets
    )
    return np.diff(height * path, prepend=0) * FPS


def test_a_rate_is_that_of_the_jerks_however_brief_they_are():
    for rate in (0.8, 1.5, 2.5, 4.0, 5.5):
        onsets = 0.1 + np.arange(int(5 * rate)) / rate
        velocity = pulses(onsets, 5.0, lasts=min(0.22, 0.9 / rate))[:, None]
        found, regularity = beat(velocity[10:110], FPS)
        assert found == pytest.approx(rate, abs=0.1) and regularity > 0.5


def test_a_sine_has_its_frequency_and_a_tremor_and_noise_have_no_rate():
    time = np.arange(75) / FPS
    assert beat(np.sin(2 * np.pi * 3.3 * time)[:, None], FPS)[0] == pytest.approx(3.3, abs=0.05)
    assert np.isnan(beat(np.sin(2 * np.pi * 9.5 * time)[:, None], FPS)[0])
    assert beat(np.random.default_rng(1).normal(size=(75, 16, 2)), FPS)[1] < 0.2
    assert np.isnan(beat(np.zeros((75, 2)), FPS)[0])
    half = np.sin(2 * np.pi * 3.3 * time)[:, None]
    half[:40] = np.nan
    assert np.isnan(beat(half, FPS)[0])


def test_the_clonic_rate_falls_with_the_jerks_and_is_unknown_where_nothing_moves():
    slow, fast = np.arange(20.0, 29.0, 0.5), np.arange(8.0, 17.0, 0.25)
    table = clonic_rate(moving(pulses([*fast, *slow], 35.0, height=0.06)))
    rate = table.set_index("time")["rate"]
    assert (rate.loc[10:15] - 4.0).abs().max() <= 0.1
    assert (rate.loc[22:27] - 2.0).abs().max() <= 0.1 and rate.loc[22:27].notna().all()
    assert rate.loc[:6].isna().all() and rate.loc[32:].isna().all()


def test_an_episode_has_its_onset_and_offset_and_near_ones_are_one():
    time = np.arange(500) / FPS
    wave = 0.8 * np.sin(2 * np.pi * 2 * time)
    inside = ((time >= 4) & (time < 8)) | ((time >= 8.8) & (time < 12))
    found = episodes(moving(np.where(inside, wave, 0)))
    assert len(found) == 1 and found[0].sign == "movement"
    assert found[0].onset == pytest.approx(4, abs=0.5)
    assert found[0].onset + found[0].duration == pytest.approx(12, abs=0.5)
    apart = episodes(moving(np.where(inside, wave, 0)), FlowSettings(apart=0.01))
    assert len(apart) <= 2 and episodes(moving(0 * time)) == []


def test_sides_differ_by_their_energies():
    ones = np.full(50, 1.0)
    flow = moving(ones, ("left_arm", "right_arm"))
    assert side_differences(flow)["arms"] == pytest.approx(0)
    flow["energy"].loc[{"region": "left_arm"}] *= 3
    assert side_differences(flow)["arms"] == pytest.approx(0.5)  # (3 - 1) / (3 + 1)
    assert np.isnan(side_differences(flow)["legs"])
    assert side_differences(moving(ones, ("grid_2_4",)))["image"] == pytest.approx(-1, abs=0.01)
    table = flow_table(flow).set_index("region")
    assert table.loc[["left_arm", "right_arm"], "difference"].tolist() == pytest.approx([0.5, 0.5])
    assert table.loc["left_arm", "side"] == "left" and table.loc["trunk", "share"] == 0


def test_the_table_has_the_frequency_and_how_far_it_stands_out():
    time = np.arange(400) / FPS
    table = flow_table(moving(0.5 * np.sin(2 * np.pi * 2.0 * time))).set_index("region")
    own = table.loc["grid_3_2"]
    assert own["frequency"] == pytest.approx(2.0, abs=0.13) and own["prominence"] > 0.9
    assert own["amplitude"] == pytest.approx(0.5 / (2 * np.pi * 2), rel=0.05)
    assert own["share"] == pytest.approx(399 / 400)
    assert own["speed_peak"] == pytest.approx(0.5, rel=0.05)
    noise = np.random.default_rng(2).normal(size=(1000, 2))
    assert rhythm(noise, FPS).prominence < 0.2


def test_jerks_of_the_surface_are_found_at_their_times_and_grouped():
    onsets = [3.0, 5.6, 8.1, 12.0, 14.4]
    flow = moving(pulses(onsets, 18.0, height=0.05), ("grid_3_2", "grid_3_3"))
    found = synchronous(flow_jerks(flow))
    assert [event.onset for event in found] == pytest.approx(onsets, abs=0.08)
    assert {jerk.joint for event in found for jerk in event.jerks} == {"grid_3_2", "grid_3_3"}
    # three torsos a box side
    assert found[0].amplitude == pytest.approx(0.15, rel=0.2)
    assert flow_jerks(moving(np.zeros(500))) == []
    with pytest.raises(UserError, match="no region tail"):
        flow_jerks(flow, regions=["tail"])


@pytest.mark.parametrize("wrong", WRONG)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(UserError, match=f"flow: {next(iter(wrong))}="):
        FlowSettings(**wrong)


@pytest.fixture
def store(tmp_path, shared_cohort):
    """A store with movement by region of the cohort's clips: clips that swing move."""
    store = Store(tmp_path / "store")
    for path in sorted((shared_cohort / "tracks").glob("*.nc")):
        swings = int(path.stem[1]) % 2
        wave = 0.5 * swings * np.sin(2 * np.pi * 2 * np.arange(40) / FPS)
        store.write(path.stem, "flow", "0" * 16, moving(wave))
        store.note(path.stem, {}, {"flow": {"key": "0" * 16, "depends": {}}})
    return store


def test_the_verb_writes_a_row_a_region_and_lists_what_it_cannot_read(store, tmp_path, capsys):
    damaged = store.path("p0_0", "flow")
    damaged.write_bytes(damaged.read_bytes()[:3000])
    assert main(["flow", str(store.folder), "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr().out
    assert "measured 11 clips" in printed and "failed: p0_0" in printed
    regions = pd.read_csv(tmp_path / "out/regions.tsv", sep="\t")
    assert len(regions) == 11 * len(REGIONS) and regions["clip_id"].nunique() == 11
    moved = regions[regions["region"] == "grid_3_2"].set_index("clip_id")["speed_peak"]
    assert moved["p1_0"] == pytest.approx(0.5, rel=0.1) and moved["p2_0"] < 0.01
    clips = pd.read_csv(tmp_path / "out/clips.tsv", sep="\t").set_index("clip_id")
    # 39 of 40 rows, and no pose
    assert len(clips) == 11 and clips.loc["p1_0", "seen_by_pose"] == 0
    assert clips.loc["p1_0", "seen_by_flow"] == pytest.approx(39 / 40)
    assert read_events(tmp_path / "out/p1_0_events.tsv").events[0].sign == "movement"
    assert read_jerks(tmp_path / "out/p2_0_jerks.tsv") == []
    one = store.path("p1_0", "flow")
    assert main(["flow", str(one), "--out", str(tmp_path / "one")]) == 0
    assert (tmp_path / "one/p1_0_events.tsv").is_file()
    assert main(["flow", str(tmp_path / "out"), "--out", str(tmp_path / "none")]) == 2
    assert "--flow true" in capsys.readouterr().err


def test_a_stream_reads_a_vector_a_frame_beside_its_joints(store, shared_cohort):
    reading = Reading("swing", appearance="flow", window=16)
    source = ClipSource(str(shared_cohort), reading, str(store.folder))
    clip = next(clip for clip in source.clips if clip.clip_id == "p1_0")
    assert clip.appearance.shape == (40, 48) and source.shape.appearance_channels == 48
    assert clip.held.tolist() == list(range(40)) and clip.seen.tolist() == [False, *[True] * 39]
    speed = clip.appearance[1:, GRID.index("grid_3_2")]
    assert speed == pytest.approx(
        np.abs(0.5 * np.sin(2 * np.pi * 2 * np.arange(1, 40) / FPS)), abs=1e-5
    )


def test_aggregators_read_windows_of_it_in_the_place_of_snippets(store, shared_cohort):
    reading = Reading(
        "swing", part="frame", appearance="flow", channels=(), rate=FPS, window=8, segments=3
    )
    source = ClipSource(str(shared_cohort), reading, str(store.folder))
    clip = next(clip for clip in source.clips if clip.clip_id == "p1_0")
    assert clip.starts.tolist() == [0, 8, 16, 24, 32] and clip.appearance.shape == (5, 96)
    wave = np.abs(0.5 * np.sin(2 * np.pi * 2 * np.arange(8, 16) / FPS))
    cell = GRID.index("grid_3_2")
    assert clip.appearance[1, cell] == pytest.approx(wave.mean(), abs=1e-5)
    assert clip.appearance[1, 48 + cell] == pytest.approx(wave.std(), abs=1e-5)
    scores = Aggregator(96, kind="mean")(torch.from_numpy(clip.appearance[None]), torch.ones(1, 5))
    assert scores.shape == (1, 2) and torch.isfinite(scores).all()


def test_a_window_of_holes_is_nan():
    reading = Reading(
        "swing", part="frame", appearance="flow", channels=(), rate=FPS, window=10, segments=2
    )
    features = np.ones((30, 3), np.float32)
    features[4:10] = np.nan
    features[10:14] = np.nan
    windows, starts = flow_windows(features, np.arange(30) / FPS, reading)
    assert starts.tolist() == [0, 10, 20]
    assert np.isnan(windows[0]).all()
    assert windows[1:].tolist() == [[1, 1, 1, 0, 0, 0]] * 2
    with pytest.raises(UserError, match='part "frame" has snippets'):
        replace(reading, appearance="body_vgg")
