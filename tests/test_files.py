"""JSON files: what is written is what json gives, and a fault is one line with the path. Files with
a checksum: no changed bit is read as content.
"""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import xarray as xr
import xxhash

from semiology import UserError
from semiology.data.append import append_tracks
from semiology.data.arrays import read_arrays, write_arrays
from semiology.data.store import Store
from semiology.data.tracks import make_tracks, open_tracks, read_tracks, save_tracks
from semiology.files import read_json, write_json
from semiology.models.training.saved import save_state
from semiology.weights import load_state


def test_json_is_written_with_one_space_and_a_line_feed_or_in_one_line(tmp_path):
    path = tmp_path / "folder" / "a.json"
    write_json(path, {"a": [1]})
    assert path.read_bytes() == b'{\n "a": [\n  1\n ]\n}\n'
    write_json(path, {"a": [1]}, indent=None)
    assert path.read_bytes() == b'{"a": [1]}'
    assert read_json(path) == {"a": [1]}
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, float("nan"), allow_nan=False)
    assert json.loads(path.read_text()) == {"a": [1]}  # the file of before, whole


@pytest.mark.parametrize(
    ("content", "kind", "fault"),
    [
        (None, dict, "a.json: no such file; write it"),
        (b"{", dict, "a.json: not JSON .*; write it"),
        (b"\xff", dict, "a.json: not JSON .*; write it"),
        (b"[]", dict, "a.json: not a JSON object; write it"),
        (b"{}", list, "a.json: not a JSON list; write it"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_to_do(tmp_path, content, kind, fault):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=fault):
        read_json(tmp_path / "a.json", kind, remedy="write it")


def test_a_list_or_an_object_is_read_where_both_may_be(tmp_path):
    for content in ([1], {"a": 1}):
        write_json(tmp_path / "a.json", content)
        assert read_json(tmp_path / "a.json", object) == content


def flips(path: Path, read, every: int = 1, last: int | None = None):
    """For every `every`-th byte of a file (of its `last` ones) one bit is flipped; yields what
    `read` then gives: its result or its error.
    """
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in range(len(whole) - (last or len(whole)), len(whole), every):
        changed = bytearray(whole)
        changed[place] ^= 1 << rng.integers(8)
        path.write_bytes(changed)
        try:
            yield read(path)
        except UserError as error:
            yield error
    path.write_bytes(whole)


def drawn_tracks() -> xr.Dataset:
    rng = np.random.default_rng(0)
    return make_tracks(rng.normal(size=(40, 3, 2)), ["nose", "neck", "head"], 25)


def test_a_checksum_is_the_hash_of_the_file_with_zeros_in_its_place(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1}, checksummed=True)
    text = (tmp_path / "a.json").read_text()
    digits = json.loads(text)["xxh3_128"]
    assert text == f'{{\n "a": 1,\n "xxh3_128": "{digits}"\n}}\n'
    assert xxhash.xxh3_128_hexdigest(text.replace(digits, "0" * 32).encode()) == digits
    assert read_json(tmp_path / "a.json") == {"a": 1}
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(UserError, match="no checksum"):
        read_json(tmp_path / "a.json", checksummed=True)


@pytest.mark.parametrize("kind", ["record", "arrays", "tracks", "blocks", "model"])
def test_no_flipped_bit_is_read(tmp_path, kind):
    path = tmp_path / {"record": "a.json", "tracks": "a.nc", "blocks": "a.nc"}.get(
        kind, "a.safetensors"
    )
    every = 1
    if kind == "record":
        write_json(path, {"about": {"found": 0.98, "key": "5f"}}, checksummed=True)
        read = lambda path: read_json(path, checksummed=True)  # noqa: E731
    elif kind == "arrays":
        write_arrays(path, {"time": np.arange(5.0), "features": np.ones((5, 2), np.float32)})
        read = lambda path: read_arrays(path, "extract again")  # noqa: E731
    elif kind == "model":
        save_state(path, torch.nn.Linear(3, 2), {"classes": "[]"})
        read = load_state
    else:
        every = 37
        read = read_tracks
        if kind == "tracks":
            save_tracks(drawn_tracks(), path)
        else:
            with append_tracks(path) as add:
                add(drawn_tracks().isel(time=slice(0, 25)))
                add(drawn_tracks().isel(time=slice(25, 40)))
    read(path)
    found = list(flips(path, read, every))
    assert len(found) > 90
    assert [one for one in found if not isinstance(one, UserError)] == []
    read(path)


def test_the_last_bytes_of_tracks_are_their_checksum_and_other_programs_read_on(tmp_path):
    path = tmp_path / "a.nc"
    save_tracks(drawn_tracks(), path)
    found = list(flips(path, read_tracks, last=50))
    assert all(isinstance(one, UserError) for one in found) and len(found) == 50
    with h5py.File(path) as file, xr.open_dataset(path, engine="h5netcdf") as data:
        assert file["position"].shape == data["position"].shape == (40, 2, 3)
    with open_tracks(path) as opened:
        changed = opened.load()
    changed["position"] = changed["position"] + 1
    changed.to_netcdf(tmp_path / "theirs.nc", engine="h5netcdf")  # as a user may
    again = read_tracks(tmp_path / "theirs.nc")
    np.testing.assert_array_equal(again["position"], read_tracks(path)["position"] + 1)


def test_a_damaged_record_of_a_store_is_named_and_made_again_from_the_files(tmp_path):
    store = Store(tmp_path)
    store.write("c1", "body", "k", drawn_tracks())
    store.note("c1", {}, {"body": {"key": "k", "found": 0.5}})
    record = tmp_path / "c1" / "record.json"
    record.write_text(record.read_text().replace("0.5", "0.7"))
    with pytest.raises(UserError, match=r"record\.json: damaged, its bytes changed"):
        store.tracks("c1", "body")
    store.note("c1", {}, {"body": {"key": "k", "found": 0.5}})
    assert store.record("c1")["stages"]["body"]["found"] == 0.5


def test_a_flipped_bit_in_a_file_of_torch_save_is_not_read(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"weight": torch.arange(100.0)}, path)
    place = path.read_bytes().index(torch.tensor([50.0]).numpy().tobytes())
    whole = bytearray(path.read_bytes())
    whole[place] ^= 4
    path.write_bytes(whole)
    with pytest.raises(UserError, match="damaged, its bytes changed"):
        load_state(path)
