#!/usr/bin/env bash
# Bytes after the end of an HDF5 file: every reader ignores them; opening it for writing drops them.
#
# Expected (a guess): a line appended to an HDF5 or netCDF-4 file is noticed when it is read; or
#   else it stays there for as long as nobody removes it.
# What happens: h5py, netCDF4, h5netcdf and xarray read the file as before and leave the line alone.
#   As soon as one of them opens it for writing, the line is gone, also where nothing was written.
#   Text before the file (a user block) stays there. A single missing byte, on the other hand, is
#   refused; a flipped bit in the data is read as a number.
# Version: h5py 3.16.0 (HDF5 2.0.0), netCDF4 1.7.5.1.post1, h5netcdf 1.8.2, xarray 2026.9.0.
#   Date: 2026-11-29.
# Why it matters: netCDF-4 as these programs write it has no checksum. One that is appended finds
#   the flipped bit, needs no change in any reader, and does not go stale: a file that one of these
#   programs edited has none, so damage and an edit differ. In a user block it would call every edit
#   damage.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check h5py==3.16.0 netCDF4==1.7.5.1.post1 \
  h5netcdf==1.8.2 xarray==2026.9.0 numpy==2.4.6
env/bin/python - <<'EOF'
import h5netcdf
import h5py
import netCDF4
import numpy as np
import xarray as xr

print(
    "h5py", h5py.__version__, "HDF5", h5py.version.hdf5_version, "netCDF4", netCDF4.__version__,
    "h5netcdf", h5netcdf.__version__, "xarray", xr.__version__,
)
LINE = b'\n{"checksum": "0123456789abcdef"}\n'
VALUES = np.arange(1000.0)


def write(end=LINE):
    data = xr.Dataset({"x": ("time", VALUES)}, attrs={"fps": 25.0})
    data.to_netcdf("a.nc", engine="h5netcdf")
    with open("a.nc", "ab") as file:
        file.write(end)


def content():
    with open("a.nc", "rb") as file:
        return file.read()


def total(engine):
    if engine == "h5py":
        with h5py.File("a.nc") as file:
            return float(file["x"][:].sum())
    if engine == "netCDF4":
        with netCDF4.Dataset("a.nc") as file:
            return float(file["x"][:].sum())
    with xr.open_dataset("a.nc", engine=engine) as data:
        return float(data.x.values.sum())


READERS = ("h5py", "netCDF4", "h5netcdf", "netcdf4")
write()
sums = {engine: total(engine) for engine in READERS}
print("sums (true: 499500):", sums, "| line still there:", content().endswith(LINE))
assert set(sums.values()) == {499500.0} and content().endswith(LINE), "the behaviour has changed"


def h5py_opens():
    h5py.File("a.nc", "r+").close()


def netcdf4_opens():
    netCDF4.Dataset("a.nc", "a").close()


def h5py_changes_a_value():
    with h5py.File("a.nc", "r+") as file:
        file["x"][0] = 5


def netcdf4_changes_an_attribute():
    with netCDF4.Dataset("a.nc", "a") as file:
        file.fps = 50.0


def xarray_adds_a_variable():
    xr.Dataset({"y": ("row", np.arange(3))}).to_netcdf("a.nc", mode="a", engine="h5netcdf")


for edit in (
    h5py_opens, netcdf4_opens, h5py_changes_a_value, netcdf4_changes_an_attribute,
    xarray_adds_a_variable,
):
    write()
    edit()
    print(f"{edit.__name__}: line anywhere in the file: {LINE in content()}")
    assert LINE not in content(), "the behaviour has changed"

with h5py.File("a.nc", "w", userblock_size=512) as file:
    file["x"] = VALUES
with open("a.nc", "r+b") as file:
    file.write(LINE)
h5py_changes_a_value()
print("in a user block, after a change of a value:", content().startswith(LINE))
assert content().startswith(LINE), "the behaviour has changed"

write(b"")
whole = content()
with open("a.nc", "wb") as file:
    file.write(whole[:-1])
refused = []
for engine in READERS:
    try:
        total(engine)
    except OSError:
        refused.append(engine)
print("one byte short is refused by", refused)
assert tuple(refused) == READERS, "the behaviour has changed"

at = whole.find(VALUES[500:510].tobytes()) + 6
with open("a.nc", "wb") as file:
    file.write(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
sums = {engine: total(engine) for engine in READERS}
print("one bit of x[500] flipped:", sums)
assert set(sums.values()) == {499250.0}, "the behaviour has changed"
EOF
