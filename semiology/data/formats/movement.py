"""Pose data sets of the `movement` package as netCDF: position (time, space, keypoints,
individuals) px, confidence, fps.

Dimensions are read in plural, as movement writes them, and in singular. Written so that `movement`
takes the file for its own. Source: [C] movement's ValidPosesInputs; 2D only, since its 3D positions
carry no unit.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.formats.common import choose, names_of, pixels, tracks_from_rows
from semiology.data.tracks import read_netcdf
from semiology.errors import UserError
from semiology.files import atomic_path

SINGULAR = {"keypoints": "keypoint", "individuals": "individual"}


def read(
    path: Path,
    *,
    fps: float | None = None,
    individual: str | None = None,
    width: int = 0,
    height: int = 0,
) -> xr.Dataset:
    """Tracks of one individual; the frame rate is the data set's, unless `fps` is given.

    Raises:
        UserError: no such file, not such a data set, 3D positions, several individuals and none
            chosen, no frame rate.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    data = read_netcdf(path)
    data = data.rename({many: one for many, one in SINGULAR.items() if many in data.dims})
    if "individual" not in data.dims and "position" in data:
        data = data.expand_dims(individual=[""])
    if "position" not in data or set(data["position"].dims) != {
        "time",
        "space",
        "keypoint",
        "individual",
    }:
        raise UserError(
            f"{path}: not poses of movement: needs position with time, space, keypoints,"
            " individuals"
        )
    space = [str(axis) for axis in data["space"].values]
    if space != ["x", "y"]:
        raise UserError(
            f"{path}: space is {', '.join(space)}; px need x and y (3D positions of movement have"
            " no unit)"
        )
    mine = data.isel(
        individual=choose(path, individual, [str(name) for name in data["individual"].values])
    )
    confidence = (
        mine["confidence"].transpose("time", "keypoint").values if "confidence" in mine else None
    )
    return tracks_from_rows(
        path,
        np.arange(mine.sizes["time"]),
        [str(name) for name in mine["keypoint"].values],
        mine["position"].transpose("time", "keypoint", "space").values,
        fps=fps or data.attrs.get("fps"),
        confidence=None if confidence is None or np.isnan(confidence).all() else confidence,
        width=width,
        height=height,
        backend=f"movement: {data.attrs.get('source_software', '')}",
    )


def write(tracks: xr.Dataset, path: Path) -> None:
    """A data set of one individual, "patient", float64 as movement has it.

    Raises:
        UserError: tracks without positions in px, a folder that cannot be written.
    """
    position, confidence = pixels(tracks, path)
    data = xr.Dataset(
        {
            "position": (
                ("time", "space", "keypoints", "individuals"),
                position.transpose(0, 2, 1)[..., None].astype(float),
            ),
            "confidence": (
                ("time", "keypoints", "individuals"),
                confidence[..., None].astype(float),
            ),
        },
        coords={
            "time": tracks["time"].values,
            "space": ["x", "y"],
            "keypoints": names_of(tracks),
            "individuals": ["patient"],
        },
        attrs={
            "ds_type": "poses",
            "fps": tracks.attrs["fps"],
            "time_unit": "seconds",
            "source_software": "semiology",
        },
    )
    content = bytes(data.to_netcdf(engine="h5netcdf"))
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
