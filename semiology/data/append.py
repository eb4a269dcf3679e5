"""Write tracks of any length in blocks, of which memory holds one; a full disk raises an error."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5netcdf
import xarray as xr

from semiology.data.packing import Precision, packed
from semiology.data.tracks import netcdf_bytes
from semiology.files import atomic_path, end_with_checksum


@contextmanager
def append_tracks(
    path: str | Path, precision: Precision = "lossless"
) -> Iterator[Callable[[xr.Dataset], None]]:
    """Write tracks as netCDF in blocks of successive frames: the context manager gives a function
    that appends a block; the file appears, whole, at its end.

    All blocks but the last have as many frames as the first. The file reads as if it had been
    written at once.

    Args:
        path: of the file.
        precision: see `save_tracks`.

    Raises:
        UserError: the disk is full, the folder cannot be written; "rounded", and a position cannot
            be.
    """
    with atomic_path(path) as temporary:
        file: _Growing | None = None

        def add(block: xr.Dataset) -> None:
            nonlocal file
            block = packed(block) if precision == "rounded" else block
            if file is None:
                file = _Growing(temporary, block)
            else:
                file.append(block)

        try:
            yield add
        finally:
            if file is not None:
                file.close()
        if file is not None:
            end_with_checksum(temporary)


class _Growing:
    """A netCDF file to which blocks are appended."""

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
    """The file object that HDF5 writes to. HDF5 crashes the process when a write fails, so errors
    are hidden from it and raised by `check`.
    """

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
