import json
import os

import numpy as np
import pytest

from semiology.data.store import Store, fingerprint, make_key
from semiology.data.tracks import make_tracks
from semiology.errors import UserError


def tracks(x: float):
    return make_tracks(np.full((3, 1, 2), x), ["nose"], 25)


def test_a_key_changes_with_everything_it_depends_on_and_with_nothing_else():
    depends = {
        "stage": "body",
        "sha256": "ab",
        "start": 0.0,
        "pose": {"name": "p", "weights": {"a": "1"}},
    }
    key = make_key(depends)
    assert make_key(dict(reversed(depends.items()))) == key
    others = [
        {**depends, "start": 0.1},
        {**depends, "sha256": "ac"},
        {**depends, "pose": {"name": "p", "weights": {"a": "2"}}},
    ]
    assert len({key, *map(make_key, others)}) == 4


def test_what_is_written_comes_back_and_the_record_states_what_it_was_made_of(tmp_path):
    store = Store(tmp_path)
    features, time = np.array([[1.5, 2.0], [np.nan, np.nan]], np.float32), np.array([0.0, 0.2])
    store.write("c1", "body", "k1", tracks(7))
    store.write("c1", "face_vgg", "k2", (features, time))
    store.note(
        "c1",
        {"sha256": "ab"},
        {"body": {"key": "k1", "depends": {"fps": 25.0}}, "face_vgg": {"key": "k2"}},
    )
    assert store.tracks("c1", "body").position.values[0, 0, 0] == 7
    back, times = store.features("c1", "face_vgg")
    np.testing.assert_array_equal(back, features)
    assert times.tolist() == [0.0, 0.2]
    assert sorted(path.name for path in (tmp_path / "c1").iterdir()) == [
        "body-k1.nc",
        "face_vgg-k2.safetensors",
        "record.json",
    ]
    assert json.loads((tmp_path / "c1/record.json").read_text())["stages"]["body"]["depends"] == {
        "fps": 25.0
    }


def test_what_is_absent_is_reported_with_the_command_that_makes_it(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(UserError, match=r"clip c1: no body .* semiology extract COHORT --store"):
        store.tracks("c1", "body")
    with pytest.raises(UserError, match="--face_weights FILE"):
        store.features("c1", "face_vgg")


def test_other_parameters_make_another_file_and_the_first_stays(tmp_path):
    store = Store(tmp_path)
    for key, x in [("k1", 1), ("k2", 2)]:
        store.write("c1", "body", key, tracks(x))
        store.note("c1", {}, {"body": {"key": key}})
    assert store.tracks("c1", "body").position.values[0, 0, 0] == 2
    assert (
        store.has("c1", "body", "k1")
        and store.has("c1", "body", "k2")
        and not store.has("c1", "body", "k3")
    )


def test_what_was_made_of_other_tracks_leaves_the_record_and_its_file_stays(tmp_path):
    store = Store(tmp_path)
    features = np.zeros((2, 3), np.float32), np.array([0.0, 0.2])
    for stage, key in (("body", "b1"), ("face", "f1"), ("hands", "h1")):
        store.write("c1", stage, key, tracks(7))
    for stage, key in (
        ("body_vgg", "v1"),
        ("face_vgg", "w1"),
        ("people", "p1"),
        ("snippets", "s1"),
    ):
        store.write("c1", stage, key, features)
    made_of = {"body_vgg": {"tracks": "b1"}, "face_vgg": {"tracks": "f1"}, "people": {}}
    entries = {stage: {"key": stage[0] + "1"} for stage in ("body", "face", "hands", "snippets")}
    for (stage, depends), key in zip(made_of.items(), ("v1", "w1", "p1")):
        entries[stage] = {"key": key, "depends": depends}
    store.note("c1", {}, entries)
    store.note("c1", {}, {"body": {"key": "b1"}, "face": {"key": "f1"}})  # the same once more
    assert set(store.record("c1")["stages"]) == set(entries)

    store.write("c1", "body", "b2", tracks(8))  # somebody pointed at another person
    store.note("c1", {}, {"body": {"key": "b2"}, "face": {"key": "f1"}})
    assert set(store.record("c1")["stages"]) == {"body", "face", "face_vgg", "snippets"}
    with pytest.raises(UserError, match=r"no body_vgg in .* --body_weights FILE"):
        store.features("c1", "body_vgg")
    assert (tmp_path / "c1/body_vgg-v1.safetensors").is_file()
    assert store.has("c1", "body_vgg", "v1")  # nothing is made twice should they come back


def test_a_plain_store_replaces_the_file_and_never_takes_one_for_the_other(tmp_path):
    store = Store(tmp_path, plain=True)
    store.write("v", "body", "k1", tracks(1))
    store.note("v", {}, {"body": {"key": "k1"}})
    store.write("v", "body", "k2", tracks(2))  # interrupted before the record was written
    assert not store.has("v", "body", "k1")
    assert [path.name for path in (tmp_path / "v").glob("*.nc")] == ["body.nc"]


def test_a_damaged_record_costs_no_work_and_a_damaged_feature_file_is_named(tmp_path):
    store = Store(tmp_path)
    store.write("c1", "body_vgg", "k", (np.zeros((2, 3), np.float32), np.arange(2.0)))
    (tmp_path / "c1/record.json").write_text('{"stages": {"bo')
    assert store.has("c1", "body_vgg", "k")
    store.note("c1", {}, {"body_vgg": {"key": "k"}})
    (tmp_path / "c1/body_vgg-k.safetensors").write_bytes(b"\x05")
    with pytest.raises(UserError, match=r"body_vgg-k\.safetensors: damaged"):
        store.features("c1", "body_vgg")


def test_a_hash_is_taken_over_only_while_size_and_time_are_unchanged(tmp_path):
    path = tmp_path / "video.mp4"
    path.write_bytes(b"one")
    first = fingerprint(path, {})
    assert fingerprint(path, {**first, "sha256": "remembered"})["sha256"] == "remembered"
    path.write_bytes(b"two")
    os.utime(path, ns=(0, first["changed_ns"] + 1))
    assert fingerprint(path, first)["sha256"] not in (first["sha256"], "remembered")
