"""How tracks lie in a file with a stated precision: as whole numbers of steps, compressed, which
any program that knows netCDF's `scale_factor` and `_FillValue` reads as the values they stand for.

    position     1/64 px                 int32
    position_3d  1/8192 m (0.12 mm)      int32
    confidence   1/254                   uint8; only a confidence of 0 is stored as 0

The last bits of float32 are noise, and noise cannot be compressed: a tracker's own jitter is some
tenths of a pixel. Values are off by at most half a step. [our choice]

The metres of a face mesh are its pixels, scaled and moved frame by frame, beside a depth. In the
place of `position_3d` such a file holds `depth` (time, keypoint) m, `metres_per_pixel` (time) and
`origin` (time, space) px: x and y are metres_per_pixel * (position - origin), z is the depth.

The filters are HDF5's shuffle and deflate, which every build of it has. Its szip would take a tenth
less, but h5py's packages for Windows and macOS cannot read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from semiology.errors import UserError

Precision = Literal["rounded", "lossless"]
STATED = "1/64 px, 1/8192 m, confidence 1/254"  # the attribute `precision` of such tracks
HALF = "float16"  # of a VGG's features beside them
BLOCK = 500  # frames of a chunk [our choice]
SHUFFLED = {"zlib": True, "complevel": 8, "shuffle": True}  # level 9 takes no less, 6 1 % more
SMALL = 4096  # bytes; less is written as it is: HDF5's index of chunks is as large [our choice]
MESH = "metres_per_pixel", "origin", "depth"  # instead of the position_3d of a face mesh


@dataclass(frozen=True)
class Steps:
    """Whole numbers that stand for values: `scale` is a step, `fill` stands for NaN."""

    kind: Any
    scale: float
    fill: int


STEPS = {
    "position": Steps(np.int32, 1 / 64, np.iinfo(np.int32).min),
    "position_3d": Steps(np.int32, 1 / 8192, np.iinfo(np.int32).min),
    "depth": Steps(np.int32, 1 / 8192, np.iinfo(np.int32).min),
    "confidence": Steps(np.uint8, 1 / 254, 255),
}


def packed(tracks: xr.Dataset) -> xr.Dataset:
    """Tracks as a file holds them with the precision above.

    Raises:
        UserError: a position is too far away to be counted in steps; the metres of a face mesh are
            not its pixels, scaled.
    """
    if "face_mesh" in tracks.attrs and {"position", "position_3d"} <= set(tracks.data_vars):
        tracks = _with_depth(tracks)
    steps = {name: _in_steps(tracks[name], STEPS[name]) for name in STEPS if name in tracks}
    return tracks.assign(steps).assign_attrs(precision=STATED)


def _in_steps(values: xr.DataArray, steps: Steps) -> xr.Variable:
    count = np.rint(values.values / steps.scale)
    if steps.kind is np.uint8:
        count[(count == 0) & (values.values > 0)] = 1
    elif (wrong := np.argwhere(np.abs(count) > np.iinfo(np.int32).max)).size:
        raise UserError(
            f"tracks: frame {wrong[0][0]}: {values.name} {values.values[tuple(wrong[0])]:g} is too"
            " far away for the stored precision; use --precision lossless"
        )
    whole: np.ndarray = np.where(np.isnan(count), steps.fill, count).astype(steps.kind)
    stored = {"_FillValue": steps.kind(steps.fill), "scale_factor": np.float32(steps.scale)}
    return xr.Variable(values.dims, whole, stored)


def is_float32(scale: object) -> bool:
    """Whether a `scale_factor` is one of ours: netCDF's values have the type of their scale."""
    return isinstance(scale, np.ndarray | np.generic) and scale.dtype == np.float32


def unpacked(count: np.ndarray, fill: int, scale: float, out: np.ndarray) -> None:
    """Write the float32 values of whole numbers of steps into `out`, of the same shape."""
    np.multiply(count, np.float32(scale), out=out, casting="same_kind", dtype=np.float32)
    out[count == fill] = np.nan


def _with_depth(tracks: xr.Dataset) -> xr.Dataset:
    """The tracks of a face mesh without the two coordinates in metres that its pixels have too:
    the scale and the origin of each frame are fitted by least squares.

    Raises:
        UserError: the metres are not the pixels, scaled, to half a step.
    """
    pixels = tracks["position"].transpose("time", "space", "keypoint").values.astype(float)
    metres = tracks["position_3d"].transpose("time", "space_3d", "keypoint").values.astype(float)
    there = np.isfinite(metres).all(axis=1)
    number = np.maximum(there.sum(axis=1), 1)[:, None, None]
    flat, seen = np.where(there[:, None], metres[:, :2], 0), np.where(there[:, None], pixels, 0)
    middle, centre = (each.sum(axis=2, keepdims=True) / number for each in (flat, seen))
    around = np.where(there[:, None], seen - centre, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = (around * (flat - middle)).sum((1, 2)) / (around**2).sum((1, 2))
        origin = (centre - middle / scale[:, None, None])[:, :, 0]
    made = np.where(there[:, None], metres_of(pixels, scale, origin), 0)
    short = np.abs(made - flat).max(axis=(1, 2), initial=0) > STEPS["depth"].scale / 2
    if (wrong := np.flatnonzero(short | np.isnan(made).any(axis=(1, 2)))).size:
        raise UserError(
            f"tracks: frame {wrong[0]}: the metres of the face mesh are not its pixels, scaled; use"
            " --precision lossless"
        )
    return tracks.drop_vars("position_3d").assign(
        depth=(("time", "keypoint"), metres[:, 2].astype(np.float32)),
        metres_per_pixel=("time", scale.astype(np.float32)),
        origin=(("time", "space"), origin.astype(np.float32)),
    )


def metres_of(pixels: np.ndarray, scale: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """x and y of a face mesh in metres, of the same shape as its pixels (time, 2, keypoint).

    Args:
        pixels: px.
        scale: (time,) m a pixel.
        origin: (time, 2) px, the place of 0 m.
    """
    return (pixels - origin[:, :, None]) * scale[:, None, None]


def with_metres(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The `position_3d` (time, 3, keypoint) that a file holds as `MESH` beside its `position`."""
    depth = arrays["depth"]
    made = np.empty((len(depth), 3, depth.shape[1]), np.float32)
    for first in range(0, len(made), BLOCK):
        part = slice(first, first + BLOCK)
        pixels, scale, origin = (arrays[name][part] for name in ("position", *MESH[:2]))
        made[part, :2] = metres_of(pixels, scale, origin)
        made[part, 2] = depth[part]
    made[:, :2].swapaxes(1, 2)[np.isnan(depth)] = np.nan
    return made


def with_position_3d(tracks: xr.Dataset) -> xr.Dataset:
    """Tracks of a file that xarray read, with `position_3d` in the place of `MESH`."""
    if not set(MESH) <= set(tracks.variables):
        return tracks
    dims = {"position": ("time", "space", "keypoint"), "depth": ("time", "keypoint")}
    dims |= {"metres_per_pixel": ("time",), "origin": ("time", "space")}
    arrays = {name: tracks[name].transpose(*axes).values for name, axes in dims.items()}
    axes = ("time", "space_3d", "keypoint")
    return tracks.drop_vars(MESH).assign(position_3d=(axes, with_metres(arrays)))
