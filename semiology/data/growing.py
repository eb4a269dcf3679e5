"""Files of tracks and features of any length, written in parts: memory holds one part, and a full disk is an error like any other."""

import io
import json
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5netcdf
import numpy as np
import xarray as xr

from semiology.data.tracks import netcdf_bytes
from semiology.files import atomic_path


@contextmanager
def growing_tracks(path: str | Path) -> Iterator[Callable[[xr.Dataset], None]]:
    """Write tracks as netCDF in blocks of successive frames, by the function that is given; the file appears, whole, when the block ends.

    All blocks have as many frames as the first, but for the last. The file reads as if it had been written at once.

    Raises:
        UserError: the disk is full, the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        file: _Growing | None = None

        def add(block: xr.Dataset) -> None:
            nonlocal file
            if file is None:
                file = _Growing(temporary, block)
            else:
                file.append(block)

        try:
            yield add
        finally:
            if file is not None:
                file.close()


class _Growing:
    """A netCDF file with its first block, and what is appended."""

    def __init__(self, path: Path, first: xr.Dataset):
        path.write_bytes(netcdf_bytes(first, growing=True))
        self._disk = _Disk(path)
        self._file = h5netcdf.File(self._disk, "r+")

    def append(self, block: xr.Dataset) -> None:
        begin = self._file.dimensions["time"].size
        end = begin + block.sizes["time"]
        self._file.resize_dimension("time", end)
        for name, variable in block.variables.items():
            if "time" in variable.dims:
                self._file.variables[name][begin:end] = variable.values
        self._disk.check()

    def close(self) -> None:
        if not self._disk.closed:
            self._file.close()
            self._disk.close()
            self._disk.check()


class _Disk(io.RawIOBase):
    """A file as HDF5 writes it. HDF5 takes the process down where a write fails: so it is told that none does, and `check` says so."""

    def __init__(self, path: Path):
        self._stream = open(path, "r+b", buffering=0)  # noqa: SIM115
        self._error: OSError | None = None

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def write(self, data) -> int:
        left = memoryview(data).cast("B")
        while self._error is None and len(left):
            try:
                left = left[self._stream.write(left) :]
            except OSError as error:
                self._error = error
        return memoryview(data).nbytes

    def truncate(self, size: int | None = None) -> int:
        try:
            return self._stream.truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size or 0

    def readinto(self, buffer) -> int:
        return self._stream.readinto(buffer)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()
        super().close()


def write_arrays(path: str | Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as safetensors, whole or not at all, without a copy of them in memory; in its own library's order, so of the same bytes.

    Raises:
        UserError: the disk is full, the folder cannot be written.
    """
    kinds = {"float32": "F32", "float64": "F64"}
    header, offset = {}, 0
    wide_first = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))  # so every number lies on a multiple of its size
    whole = {name: np.ascontiguousarray(arrays[name]) for name in wide_first}
    for name, array in whole.items():
        header[name] = {"dtype": kinds[str(array.dtype)], "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    told = json.dumps(header, separators=(",", ":")).encode()
    told += b" " * (-len(told) % 8)
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        stream.write(struct.pack("<Q", len(told)) + told)
        for array in whole.values():
            stream.write(array.data if array.size else b"")
