"""Tracks, the container of keypoints over time: an xarray.Dataset with the dimension names of the
`movement` package.

    position     (time, space, keypoint)     square pixels, x to the right, y down
    position_3d  (time, space_3d, keypoint)  metres, x to the right, y down, z away from the camera
    confidence   (time, keypoint)            0 to 1, NaN where a point has no score
    rejected     (time, keypoint)            why a point of a body was taken out, 0 else: in tracks
                                             that were checked (`semiology.data.limbs`)

A file holds `position` or `position_3d` or both. Missing is NaN in the positions and 0 in the
confidence. The reverse holds too, wherever tracks are made or read: a point with confidence 0 was
not found, and has no position, whatever a file has there. Only what puts points where none was seen
keeps positions at confidence 0: `fill_gaps`, and the truth of a phantom. A finite position whose
confidence is NaN is present, without a score: no threshold of confidence removes it (compare as
`~(confidence < threshold)`). `time` is a regular grid in seconds
from the start of the clip; where a frame of the video is missing, its row is NaN and `source_index`
is -1: rows are never removed. Left and right are the patient's. The attribute `steps` records every
processing step after tracking.

Tracks of a video record how it was read: `pixels` ("square"), `pixel_aspect` of its stored pixels,
`stored_width` and `stored_height`, `scan` and `fields`. With fields "both", `source_index` counts
fields: 2 n and 2 n + 1 are those of frame n. `chroma` (time,) is how far each frame's colours are
from grey (`semiology.video.colour`), NaN where it is missing.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from semiology.data.packing import (
    BLOCK,
    MESH,
    SHUFFLED,
    SMALL,
    Precision,
    is_float32,
    packed,
    unpacked,
    with_metres,
    with_position_3d,
)
from semiology.data.rows import beyond_0_to_1, check_times, read_long_csv
from semiology.errors import UserError
from semiology.files import CHANGED, atomic_path, end_with_checksum, ends_intact

# errors of h5py, and of numpy on its output, for damaged files
H5_FAULTS = (
    OSError,
    KeyError,
    ValueError,
    RuntimeError,
    TypeError,
    IndexError,
    AttributeError,
    OverflowError,
    MemoryError,
    EOFError,
)
OWN = {"schema", "fps", "software"}  # attributes of every file that was written from `make_tracks`
PLAIN = {
    "_FillValue",
    "coordinates",
    "CLASS",
    "NAME",
    "DIMENSION_LIST",
    "REFERENCE_LIST",
    "_Netcdf4Dimid",
    "_Netcdf4Coordinates",
}
FLAGS = {"flag_values", "flag_meanings"}  # of `rejected`, by the CF conventions
DAMAGED = (
    "not a readable netCDF file of tracks; make it again (delete it first where semiology extract"
    " made it)"
)
TRUTH = "phantom truth"  # backend of tracks that are known, not tracked
SCHEMA = 1  # raise when the meaning of a saved file changes: it is part of every key in the store


def make_tracks(
    position: np.ndarray | None,
    keypoints: list[str],
    fps: float,
    *,
    confidence: np.ndarray | None = None,
    position_3d: np.ndarray | None = None,
    source_time: np.ndarray | None = None,
    source_index: np.ndarray | None = None,
    chroma: np.ndarray | None = None,
    width: int = 0,
    height: int = 0,
    backend: str = "",
) -> xr.Dataset:
    """Make tracks from arrays. The only place where (time, keypoint, space) becomes (time, space,
    keypoint).

    Args:
        position: (time, keypoint, 2) px, or None where only 3D is known.
        keypoints: names, in the order of the arrays.
        fps: frames per second of the rows, Hz.
        confidence: (time, keypoint) 0 to 1, NaN where a point has no score; by default 1 where
            the position is finite. Where the position is missing it becomes 0, and where it is 0
            both positions become NaN.
        position_3d: (time, keypoint, 3) metres.
        source_time: (time,) s, the time of the source frame in its video; NaN where missing.
        source_index: (time,) number of the source frame; -1 where missing.
        chroma: (time,) mean distance of the frame's colours from grey; NaN where missing. None:
            not known, and no coordinate.
        width: of the frame, px; 0 where unknown.
        height: of the frame, px; 0 where unknown.
        backend: name of the tracker.

    Raises:
        UserError: a shape that does not fit, names that repeat or are no text, a frame rate that is
            not positive, an infinite position, a confidence outside of 0 to 1, source frames that
            run backwards or of which only the time or only the number is missing.
    """
    first = position if position is not None else position_3d
    if first is None:
        raise UserError("tracks: neither position (px) nor position_3d (m) was given")
    frames = len(first)
    expected = {
        "position": (frames, len(keypoints), 2),
        "position_3d": (frames, len(keypoints), 3),
        "confidence": (frames, len(keypoints)),
    }
    for name, array in {
        "position": position,
        "position_3d": position_3d,
        "confidence": confidence,
    }.items():
        if array is not None and np.shape(array) != expected[name]:
            raise UserError(
                f"tracks: {name} has shape {np.shape(array)}, expected {expected[name]} for"
                f" {len(keypoints)} keypoint names"
            )
    by_frame = {"source_time": source_time, "source_index": source_index, "chroma": chroma}
    for name, values in by_frame.items():
        if values is not None and np.shape(values) != (frames,):
            raise UserError(
                f"tracks: {name} has shape {np.shape(values)}, expected ({frames},), one a frame"
            )
    if nameless := [name for name in keypoints if not isinstance(name, str) or not name]:
        raise UserError(f"tracks: keypoint names must be text, got {nameless[0]!r}")
    if len(set(keypoints)) != len(keypoints):
        raise UserError(
            "tracks: keypoint names repeat:"
            f" {sorted({name for name in keypoints if keypoints.count(name) > 1})}"
        )
    if not (np.isfinite(fps) and fps > 0):
        raise UserError(f"tracks: fps must be positive, got {fps}")

    for name, array in {"position": position, "position_3d": position_3d}.items():
        if array is not None and (wrong := np.argwhere(np.isinf(array))).size:
            frame, keypoint = wrong[0][:2]
            raise UserError(
                f"tracks: frame {frame}, keypoint {keypoints[keypoint]!r}: {name} is infinite; give"
                " NaN where it is missing"
            )
    time = np.arange(frames) / fps
    source_time, source_index = _sources(source_time, source_index, time)
    whole = {
        name: np.isfinite(array).all(axis=2)
        for name, array in {"position": position, "position_3d": position_3d}.items()
        if array is not None
    }
    found = next(iter(whole.values()))  # in px, where there are px
    confidence = np.asarray(
        found if confidence is None else np.where(found, confidence, 0), dtype=float
    )
    if (wrong := np.argwhere(beyond_0_to_1(confidence))).size:
        frame, keypoint = wrong[0]
        what = (
            f"frame {frame}, keypoint {keypoints[keypoint]!r}: confidence"
            f" {confidence[frame, keypoint]:g}"
        )
        raise UserError(f"tracks: {what} is outside of 0 to 1; give NaN where there is no score")
    confidence = np.clip(confidence, 0, 1).astype(np.float32)
    found = ~(confidence <= 0)
    variables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        "confidence": (("time", "keypoint"), confidence)
    }
    if position is not None:
        variables["position"] = (
            ("time", "space", "keypoint"),
            np.where(
                (found & whole["position"])[..., None],
                np.asarray(position, np.float32),
                np.float32(np.nan),
            ).transpose(0, 2, 1),
        )
    if position_3d is not None:
        variables["position_3d"] = (
            ("time", "space_3d", "keypoint"),
            np.where(
                (found & whole["position_3d"])[..., None],
                np.asarray(position_3d, np.float32),
                np.float32(np.nan),
            ).transpose(0, 2, 1),
        )
    return xr.Dataset(
        variables,
        coords={
            "time": time,
            "keypoint": list(keypoints),
            "space": ["x", "y"],
            "space_3d": ["x", "y", "z"],
            "source_time": ("time", source_time),
            "source_index": ("time", source_index),
            **({} if chroma is None else {"chroma": ("time", np.asarray(chroma, np.float32))}),
        },
        attrs={
            "fps": float(fps),
            "width": int(width),
            "height": int(height),
            "backend": backend,
            "skeleton": "",
            "steps": "[]",
            "schema": SCHEMA,
            "software": f"semiology {version('semiology')}",
        },
    )


def _sources(
    times: np.ndarray | None, numbers: np.ndarray | None, grid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(time,) s and (time,) number of each row's source frame, checked; where one of them is not
    given it follows from the other, or from the grid of the rows.
    """
    time = grid if times is None else np.asarray(times, float)
    if numbers is None:
        index = np.where(np.isnan(time), -1, np.arange(len(time)))
    else:
        index = np.asarray(numbers)
        if (wrong := np.flatnonzero((index < -1) | (index != np.floor(index)))).size:
            raise UserError(
                f"tracks: frame {wrong[0]}: source_index {index[wrong[0]]:g}; give a whole number"
                " from 0 on, or -1 where the source frame is missing"
            )
    if (wrong := np.flatnonzero(np.isinf(time) | (np.isnan(time) & (index >= 0)))).size:
        raise UserError(
            f"tracks: frame {wrong[0]}: source_time {time[wrong[0]]:g}; give seconds, or NaN and"
            " the source_index -1 where the source frame is missing"
        )
    for name, values in {"source_time": time, "source_index": index}.items():
        known = np.flatnonzero((index >= 0) & np.isfinite(time))
        if (falls := np.flatnonzero(np.diff(values[known]) < 0)).size:
            before, after = known[falls[0]], known[falls[0] + 1]
            raise UserError(
                f"tracks: frame {after}: {name} falls from {values[before]:g} to"
                f" {values[after]:g}; sort the frames by time"
            )
    return time, index.astype(np.int64)


def steps(tracks: xr.Dataset) -> list[dict]:
    """The processing steps since tracking, oldest first: a list of {"step": name, parameter:
    value}.
    """
    return json.loads(tracks.attrs["steps"])


def with_step(tracks: xr.Dataset, step: str, **parameters) -> xr.Dataset:
    """The same tracks with one more entry in `steps`."""
    return tracks.assign_attrs(steps=json.dumps([*steps(tracks), {"step": step, **parameters}]))


def save_tracks(tracks: xr.Dataset, path: str | Path, precision: Precision = "lossless") -> Path:
    """Write as netCDF (HDF5), whole or not at all, and compressed. Other programs open it as any
    netCDF file.

    Args:
        tracks: to write.
        path: of the file, .nc.
        precision: "lossless" writes the float32 numbers, "rounded" those of
            `semiology.data.packing`, in a third of the space.

    Raises:
        UserError: a suffix other than .nc; the folder cannot be written; "rounded", and a position
            cannot be.
    """
    if Path(path).suffix.lower() != ".nc":
        raise UserError(
            f"{path}: tracks are written as .nc; `semiology tracks export` writes other formats"
        )
    content = netcdf_bytes(packed(tracks) if precision == "rounded" else tracks)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
        end_with_checksum(temporary)
    return Path(path)


def netcdf_bytes(tracks: xr.Dataset, *, growing: bool = False) -> bytes:
    """The content of a netCDF file, written in memory, because HDF5 crashes the process on a full
    disk.

    Args:
        tracks: to write.
        growing: make time an unlimited dimension, in chunks of as many frames, so that more blocks
            can be appended.
    """
    frames = tracks.sizes.get("time", 0) if growing else min(BLOCK, tracks.sizes.get("time", 0))
    encoding = {
        name: {**SHUFFLED, "chunksizes": (frames, *variable.shape[1:])}
        for name, variable in tracks.variables.items()
        if variable.dims[:1] == ("time",) and (growing or variable.nbytes > SMALL)
    }
    return bytes(
        tracks.to_netcdf(
            engine="h5netcdf", encoding=encoding, unlimited_dims=["time"] if growing else None
        )
    )


def read_tracks(path: str | Path, *, fps: float | None = None) -> xr.Dataset:
    """Read tracks from our netCDF, or from a long CSV (see `rows.read_long_csv`).

    Raises:
        UserError: no such file, not a netCDF, not such tracks, a frame rate that is not positive,
            times that do not rise, a confidence outside of 0 to 1; and as `rows.read_long_csv`.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file of tracks")
    if path.suffix.lower() == ".csv":
        return make_tracks(**read_long_csv(path, fps), backend="csv")
    tracks = read_netcdf(path)
    if not {"confidence", "time", "keypoint"} <= set(tracks.variables) or "fps" not in tracks.attrs:
        raise UserError(
            f"{path}: a netCDF file, but not one of semiology's tracks (no confidence, keypoint or"
            " fps); try semiology tracks import"
        )
    _check_stored(tracks, path)
    return _without_unseen(
        tracks.assign_coords(keypoint=[str(name) for name in tracks.keypoint.values])
    )


def _check_stored(tracks: xr.Dataset, path: Path) -> None:
    fps = float(tracks.attrs["fps"])
    if not 0 < fps < np.inf:
        raise UserError(
            f"{path}: its tracks have {fps:g} frames a second; import them again with --fps"
        )
    if tracks.sizes["time"]:
        try:
            check_times(tracks["time"].values.astype(float), "tracks")
        except ValueError as error:
            raise UserError(f"{path}: {error}; make them again") from None
    confidence = tracks["confidence"].transpose("time", "keypoint").values
    if (wrong := np.argwhere(beyond_0_to_1(confidence))).size:
        frame, keypoint = wrong[0]
        raise UserError(
            f"{path}: frame {frame}, {tracks.keypoint.values[keypoint]}: confidence"
            f" {confidence[frame, keypoint]:g} is outside of 0 to 1; make it again"
        )


def _without_unseen(tracks: xr.Dataset) -> xr.Dataset:
    """Tracks of a file, without the positions that it has for points that were not found."""
    lost = tracks["confidence"] <= 0
    if (
        not lost.any()
        or str(tracks.attrs.get("backend", "")).startswith(TRUTH)
        or any(step["step"] == "fill_gaps" for step in steps(tracks))
    ):
        return tracks
    there = {name: tracks[name] for name in ("position", "position_3d") if name in tracks.data_vars}
    placed = {
        name: values.where(~lost).transpose(*values.dims)
        for name, values in there.items()
        if (values.notnull() & lost).any()
    }
    return tracks.assign(placed)


@contextmanager
def open_tracks(path: str | Path) -> Iterator[xr.Dataset]:
    """Open our netCDF as tracks whose arrays are read on use, for files too large for memory. Those
    of a face mesh may have no `position_3d` (`semiology.data.packing`).

    Raises:
        UserError: not such a file, or a damaged one.
    """
    _refuse_changed(Path(path))
    try:
        opened = xr.open_dataset(path, engine="h5netcdf")
    except H5_FAULTS as error:
        raise UserError(f"{path}: {DAMAGED}") from error
    with opened:
        yield opened


def track_attributes(path: str | Path, names: Collection[str]) -> dict[str, Any]:
    """Some attributes of a netCDF of tracks, those of `names` that it has, and `duration`, s from
    its first row to the end of its last; no array is read and no checksum verified, so that
    hundreds of files take a second.

    Raises:
        UserError: not such a file, or a damaged one.
    """
    try:
        with h5py.File(path, "r") as file:
            values = {name: file.attrs[name] for name in {*names, "fps"} & set(file.attrs)}
            plain = {
                name: np.ravel(value)[0].item()
                if isinstance(value, np.ndarray | np.generic)
                else value
                for name, value in values.items()
            }
            time = file["time"]
            if len(time) and "fps" in plain:
                plain["duration"] = float(time[-1] - time[0]) + 1 / plain["fps"]
            return plain
    except H5_FAULTS as error:
        raise UserError(f"{path}: {DAMAGED}, or give a .csv") from error


def time_slice(tracks: xr.Dataset, start: float, end: float | None = None) -> xr.Dataset:
    """The frames from `start` to `end` (s; None: to the end of the tracks), with time counted from
    the first of them.

    Raises:
        UserError: there is no frame in that range.
    """
    cut = tracks.isel(time=frames_between(tracks.time.values, tracks.attrs["fps"], start, end))
    return cut.assign_coords(time=np.arange(cut.sizes["time"]) / tracks.attrs["fps"])


def frames_between(time: np.ndarray, fps: float, start: float, end: float | None) -> np.ndarray:
    """Which of the times (s) are from `start` to `end` (s; None: all that follow), as a mask.

    Raises:
        UserError: none.
    """
    half = 0.5 / fps  # the first frame is the one nearest to the start
    inside = time >= start - half
    if end is not None:
        inside &= time < end - half
    if not inside.any():
        raise UserError(f"its tracks have no frame from {start:g} s on; correct start and end")
    return inside


def read_netcdf(path: Path) -> xr.Dataset:
    """The content of a netCDF (HDF5) file, whole in memory.

    Raises:
        UserError: not such a file, or a damaged one.
    """
    _refuse_changed(path)
    try:
        with (
            h5py.File(path, "r") as file
        ):  # first: if h5netcdf fails at opening one, it prints a second failure on the screen
            if (own := _own(file)) is not None:
                return own
        with xr.open_dataset(path, engine="h5netcdf") as opened:
            return with_position_3d(opened.load())
    except H5_FAULTS as error:
        raise UserError(f"{path}: {DAMAGED}, or give a .csv") from error


def _refuse_changed(path: Path) -> None:
    if ends_intact(path) is False:
        raise UserError(f"{path}: {CHANGED}: {DAMAGED}")


def _own(file: h5py.File) -> xr.Dataset | None:
    """The content of a file that was written from `make_tracks`, as xarray would read it; None for
    other files.

    xarray makes hundreds of small HDF5 calls per file, which take five times as long as reading the
    content. A file with anything to decode (units, scales, a fill value that is a number) is left
    to xarray, except for whole numbers as `semiology.data.packing` writes them.
    """
    if not set(file.attrs) >= OWN:
        return None
    variables, coordinates = {}, set()
    for name, stored in file.items():
        if not isinstance(stored, h5py.Dataset):
            return None
        about = dict(stored.attrs)
        scale: Any = about.get("scale_factor")
        whole = stored.dtype.kind in "iu" and "_FillValue" in about and is_float32(scale)
        fill = about.get("_FillValue", np.nan)
        axes = about.get("DIMENSION_LIST")
        if (
            not set(about) <= PLAIN | FLAGS | ({"scale_factor"} if whole else set())
            or (np.any(fill == fill) and not whole)
            or (axes is None and bytes(about.get("NAME", b"")) != name.encode())
        ):
            return None
        dims = (name,) if axes is None else tuple(file[axis[0]].name[1:] for axis in axes)
        if whole:
            values = _from_steps(stored, int(np.ravel(fill)[0]), float(np.ravel(scale)[0]))
        else:
            text = stored.dtype.kind == "O"
            values = stored.asstr()[()].astype(str) if text else stored[()]
        variables[name] = (dims, values, {key: about[key] for key in FLAGS & set(about)})
        coordinates |= {*dims, *about.get("coordinates", "").split()}
    if set(MESH) <= set(variables):
        metres = with_metres({name: values[1] for name, values in variables.items()})
        variables["position_3d"] = (("time", "space_3d", "keypoint"), metres, {})
        for name in MESH:
            del variables[name]
    attributes = {
        key: value[0] if np.shape(value) == (1,) else value
        for key, value in file.attrs.items()
        if not key.startswith("_")
    }
    return xr.Dataset(variables, attrs=attributes).set_coords(coordinates & set(variables))


def _from_steps(stored: h5py.Dataset, fill: int, scale: float) -> np.ndarray:
    """The values of whole numbers of steps, read chunk by chunk."""
    values = np.empty(stored.shape, np.float32)
    frames = stored.chunks[0] if stored.chunks else max(len(values), 1)
    for first in range(0, len(values), frames):
        part = slice(first, first + frames)
        unpacked(stored[part], fill, scale, values[part])
    return values
