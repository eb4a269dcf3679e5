import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import xarray as xr

from semiology.data.append import append_tracks
from semiology.data.arrays import write_arrays
from semiology.data.tracks import make_tracks, open_tracks, read_tracks, save_tracks


def tracks(frames: int) -> xr.Dataset:
    """x of keypoint k in frame n is 10 n + k, y its negative; every third frame is missing."""
    x = 10.0 * np.arange(frames)[:, None] + np.arange(3)
    position = np.stack([x, -x], axis=2)
    position[::3] = np.nan
    index = np.where(np.arange(frames) % 3, np.arange(frames), -1)
    return make_tracks(
        position, ["a", "b", "c"], 25, source_index=index, width=64, height=48, backend="by hand"
    )


def test_a_file_written_in_blocks_reads_as_one_written_at_once(tmp_path):
    whole = tracks(10)
    save_tracks(whole, tmp_path / "once.nc")
    with append_tracks(tmp_path / "blocks.nc") as add:
        for first in (0, 4, 8):
            add(whole.isel(time=slice(first, first + 4)))
            assert not (tmp_path / "blocks.nc").exists()
    assert read_tracks(tmp_path / "blocks.nc").identical(read_tracks(tmp_path / "once.nc"))
    with (
        xr.open_dataset(tmp_path / "blocks.nc") as other,
        xr.open_dataset(tmp_path / "once.nc") as once,
    ):
        assert other.load().identical(once.load())
    with open_tracks(tmp_path / "blocks.nc") as opened:
        assert opened["position"].isel(time=7).sel(space="y").values.tolist() == [-70, -71, -72]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_error_between_blocks_leaves_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError), append_tracks(tmp_path / "t.nc") as add:
        add(tracks(4))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", [2_000, 60_000, 120_000, 180_000])
def test_a_disk_that_is_full_is_an_error_and_not_the_end_of_the_process(tmp_path, limit):
    code = f"""
import resource, signal
import numpy as np
from pathlib import Path
from semiology.data.append import append_tracks
from semiology.data.tracks import make_tracks
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
# a file may not grow beyond the limit: the system refuses as a full disk does
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
whole = make_tracks(np.random.default_rng(0).random((4000, 8, 2)), list("abcdefgh"), 25)
try:
    with append_tracks(Path({str(tmp_path)!r}) / "t.nc") as add:
        for first in range(0, 4000, 500):
            add(whole.isel(time=slice(first, first + 500)))
except OSError as error:
    print("refused", error.strerror)
"""
    ran = subprocess.run(
        [sys.executable, "-B", "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        timeout=120,
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "refused File too large"), ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_arrays_are_written_as_safetensors(tmp_path):
    arrays = {
        "features": np.arange(3, dtype=np.float32).reshape(3, 1),
        "time": np.array([0.0, 0.2, 0.4]),
        "none": np.zeros((0, 4)),
    }
    write_arrays(tmp_path / "a.safetensors", arrays)
    back = safetensors.numpy.load_file(tmp_path / "a.safetensors")
    assert set(back) == set(arrays) == set(safetensors.torch.load_file(tmp_path / "a.safetensors"))
    (size,) = struct.unpack("<Q", (tmp_path / "a.safetensors").read_bytes()[:8])
    theirs = safetensors.numpy.save(arrays)
    (their_size,) = struct.unpack("<Q", theirs[:8])
    assert (tmp_path / "a.safetensors").read_bytes()[8 + size :] == theirs[8 + their_size :]
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)
