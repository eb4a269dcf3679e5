"""Poses datasets of the `movement` package as netCDF: position (time, space, keypoint, individual)
px, confidence, fps.

Dimensions are named in singular since movement 0.17.0 and in plural before; both are read, singular
is written. Confidence is of a point or, since 0.17.0, of an individual: (time, individual), which
then holds for all its keypoints. NaN is a point without a score. Source: [C] movement 0.17.0,
ValidPosesInputs; 2D only, since its 3D positions carry no unit.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.formats.common import choose_individual, names_of, pixels, tracks_from_rows
from semiology.data.tracks import read_netcdf
from semiology.errors import UserError
from semiology.files import atomic_path

SINGULAR = {"keypoints": "keypoint", "individuals": "individual"}  # names before 0.17.0 -> since


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
            f"{path}: not poses of movement: needs position with time, space, keypoint, individual"
        )
    space = [str(axis) for axis in data["space"].values]
    if space != ["x", "y"]:
        raise UserError(
            f"{path}: space is {', '.join(space)}; px need x and y (3D positions of movement have"
            " no unit)"
        )
    if "confidence" in data and not {"time"} <= set(data["confidence"].dims) <= {
        "time",
        "keypoint",
        "individual",
    }:
        has = ", ".join(map(str, data["confidence"].dims))
        raise UserError(
            f"{path}: confidence has the dimensions {has}; needs time, keypoint, individual"
        )
    mine = data.isel(
        individual=choose_individual(
            path, individual, [str(name) for name in data["individual"].values]
        )
    )
    confidence = (
        mine["confidence"].broadcast_like(mine["position"].isel(space=0))
        if "confidence" in mine
        else None
    )
    return tracks_from_rows(
        path,
        np.arange(mine.sizes["time"]),
        [str(name) for name in mine["keypoint"].values],
        mine["position"].transpose("time", "keypoint", "space").values,
        fps=fps or data.attrs.get("fps"),
        confidence=None if confidence is None else confidence.transpose("time", "keypoint").values,
        peaks=True,  # SLEAP's, as movement passes them on
        width=width,
        height=height,
        backend=f"movement: {data.attrs.get('source_software', '')}",
    )


def write(tracks: xr.Dataset, path: Path) -> None:
    """A dataset of one individual, "patient", float64 as movement has it; a missing point has
    confidence 0.

    Raises:
        UserError: tracks without positions in px, a folder that cannot be written.
    """
    position, confidence = pixels(tracks, path)
    data = xr.Dataset(
        {
            "position": (
                ("time", "space", "keypoint", "individual"),
                position.transpose(0, 2, 1)[..., None].astype(float),
            ),
            "confidence": (("time", "keypoint", "individual"), confidence[..., None].astype(float)),
        },
        coords={
            "time": tracks["time"].values,
            "space": ["x", "y"],
            "keypoint": names_of(tracks),
            "individual": ["patient"],
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
