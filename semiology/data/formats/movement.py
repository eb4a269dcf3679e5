"""Poses datasets of the `movement` package as netCDF: position (time, space, keypoint, individual)
px, confidence, fps.

Dimensions are named in singular since movement 0.17.0 and in plural before; both are read, singular
is written. Confidence is of a point or, since 0.17.0, of an individual: (time, individual), which
then holds for all its keypoints. NaN is a point without a score. Source: [C] movement 0.17.0,
ValidPosesInputs; 2D only, since its 3D positions carry no unit.

`time` counts from the start of the video, in seconds or, without a frame rate, in frames, and stays
with a row when rows are cut out or thinned; the attribute `fps` stays that of the video. So a cut
from 10 s on has missing rows before it, a row that was left out is missing, and every n-th frame
of the video is a frame of tracks at the n-th part of its rate, with its own `source_index`.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.formats.common import names_of, pixels, tracks_from_rows
from semiology.data.formats.people import choose_individual
from semiology.data.rows import LONGEST, TOLERANCE, frame_numbers
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
    """Tracks of one individual, each row at its time.

    Args:
        path: of the file.
        fps: of the video, for data sets that count frames and do not have it; elsewhere it must
            agree with the file.
        individual: whose; needed where there are several.
        width, height: of the image, px.

    Raises:
        UserError: no such file, not such a data set, 3D positions, several individuals and none
            chosen, no frame rate, or times, the file's frame rate and `fps` that contradict each
            other.
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
    number, rate, seconds = _numbers(path, data, fps)
    # every n-th frame of the video: the largest step that all numbers are multiples of; two rows
    # tell none
    every = int(np.gcd.reduce(number)) if len(number) > 2 else 1
    if fps is not None and not np.isclose([rate, rate / every], fps).any():
        raise UserError(
            f"{path}: its times are of {rate:g} frames per second, not {fps:g}; leave the frame"
            " rate out"
        )
    return tracks_from_rows(
        path,
        number // every,
        [str(name) for name in mine["keypoint"].values],
        mine["position"].transpose("time", "keypoint", "space").values,
        fps=rate / every,
        confidence=None if confidence is None else confidence.transpose("time", "keypoint").values,
        peaks=True,  # SLEAP's, as movement passes them on
        scored="confidence" in data and bool((data["confidence"] > 0).any()),
        source_index=number,
        source_time=seconds,
        width=width,
        height=height,
        backend=f"movement: {data.attrs.get('source_software', '')}",
    )


def _numbers(
    path: Path, data: xr.Dataset, fps: float | None
) -> tuple[np.ndarray, float, np.ndarray]:
    """(row,) number of each row's frame in the video, the video's frames per second, and (row,) s.

    The rate is the file's; else the given one, or that of the times.
    """
    rate = data.attrs.get("fps")
    if rate is not None and not (isinstance(rate, int | float | np.number) and 0 < rate < np.inf):
        raise UserError(f"{path}: its frame rate (fps) is {rate!r}; correct it")
    rate = fps if rate is None else float(rate)
    time = data["time"].values if "time" in data.coords else np.arange(data.sizes["time"])
    unit = data.attrs.get("time_unit", "frames" if time.dtype.kind in "iu" else "seconds")
    if time.dtype.kind not in "iuf" or unit not in ("seconds", "frames"):
        raise UserError(
            f"{path}: its time is {time.dtype} in {unit}; movement counts seconds or frames"
        )
    if (wrong := np.flatnonzero(~((time >= 0) & (time < np.inf)))).size:
        raise UserError(
            f"{path}: row {wrong[0]}: time {time[wrong[0]]:g}; time counts from the video's start"
        )
    if (falls := np.flatnonzero(np.diff(time) <= 0)).size:
        raise UserError(
            f"{path}: row {falls[0] + 1}: time does not rise from {time[falls[0]]:g} to"
            f" {time[falls[0] + 1]:g}; sort the rows"
        )
    if rate is None and (unit == "frames" or len(time) < 2):
        raise UserError(f"{path}: has no frame rate; give the video's, frames per second (fps)")
    seconds = time / rate if rate and unit == "frames" else time.astype(float)
    number, rate, off = frame_numbers(seconds, rate)
    if (wrong := np.flatnonzero(off > TOLERANCE)).size:
        row = wrong[0]
        raise UserError(
            f"{path}: row {row}: time {time[row]:g} {unit} is no frame at {rate:g} frames per"
            " second; time and frame rate contradict each other, or the times are uneven: correct"
            " one of them"
        )
    if (wrong := np.flatnonzero(number >= LONGEST)).size:
        raise UserError(
            f"{path}: row {wrong[0]}: time {time[wrong[0]]:g} {unit} is too far from the video's"
            " start"
        )
    return number.astype(np.int64), rate, seconds


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
