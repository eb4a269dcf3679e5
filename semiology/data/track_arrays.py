"""Tracks as plain arrays, for what reads hundreds of short clips: there an xarray.Dataset costs ten
times what its content does.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from h5py import h5a, h5d, h5g, h5s

from semiology.data.cohort import Clip
from semiology.data.corrections import corrections_file
from semiology.data.packing import BLOCK, MESH, unpacked, with_metres
from semiology.data.rows import beyond_0_to_1, check_times
from semiology.data.store import Store, clip_tracks
from semiology.data.tracks import H5_FAULTS, OWN, PLAIN, frames_between
from semiology.errors import UserError
from semiology.files import ends_intact

AXES = {
    "position": ("time", "space", "keypoint"),
    "position_3d": ("time", "space_3d", "keypoint"),
    "confidence": ("time", "keypoint"),
    "depth": ("time", "keypoint"),
    "metres_per_pixel": ("time",),
    "origin": ("time", "space"),
}


@dataclass(frozen=True)
class TrackArrays:
    """What networks read of tracks; meanings and units as in `semiology.data.tracks`.

    Attributes:
        keypoints: names, in the order of the last axis.
        fps: Hz.
        values: "position" (time, 2, keypoint), "position_3d" (time, 3, keypoint), or both, and
            "confidence" (time, keypoint).
        backend: that made them; may be empty.
    """

    keypoints: list[str]
    fps: float
    values: dict[str, np.ndarray]
    backend: str = ""


def arrays_of(tracks: xr.Dataset) -> TrackArrays:
    """The arrays of a dataset of tracks."""
    return TrackArrays(
        tracks.keypoint.values.tolist(),
        tracks.attrs["fps"],
        {
            name: tracks[name].transpose(*axes).values
            for name, axes in AXES.items()
            if name in tracks
        },
        tracks.attrs.get("backend", ""),
    )


def clip_arrays(
    folder: Path,
    clip: Clip,
    store: Store | None,
    part: str,
    keypoints: Collection[str] | None = None,
    dimensions: int | None = None,
) -> TrackArrays:
    """The arrays of `clip_tracks`; other arguments and errors are as there. Tracks that need
    nothing but to be cut are read without xarray, and of these only what is asked for, where they
    have it: a skeleton of the face reads 23 of 478 landmarks.

    Args:
        keypoints: names, None for all.
        dimensions: 2 for positions in px, 3 for those in metres, None for both.
    """
    if clip.tracks:
        path, table = folder / clip.tracks, corrections_file(folder / clip.tracks)
        as_stored, span = not clip.away, (clip.start, clip.end)
    elif store is not None:
        path, table = store.path(clip.clip_id, part), store.corrections_file(clip.clip_id, part)
        as_stored, span = True, (0.0, None)
    else:
        as_stored = False
    if as_stored and not table.exists():
        plain = _plain(path, *span, keypoints, dimensions)
        if plain is not None:
            return plain
    return arrays_of(clip_tracks(folder, clip, store, part))


def _plain(
    path: Path,
    start: float,
    end: float | None,
    keypoints: Collection[str] | None = None,
    dimensions: int | None = None,
) -> TrackArrays | None:
    """The tracks of a file from `save_tracks`, from `start` to `end` (s). None for whatever needs
    more than that: other files, faults that `read_tracks` names, points without confidence that
    have a place, stored pixels.
    """
    if path.suffix.lower() != ".nc" or ends_intact(path) is False:
        return None
    try:
        with h5py.File(path, "r") as opened:
            file = opened.id
            fps, backend, pixels = (_attribute(file, name) for name in ("fps", "backend", "pixels"))
            if not all(h5a.exists(file, name.encode()) for name in OWN):
                return None
            names = [name.decode() for name in _values(file, "keypoint")]
            time = _values(file, "time")
            read = [number for number, name in enumerate(names) if name in (keypoints or ())]
            columns = read if 0 < len(read) < len(names) else None
            number = {
                axis: _attribute(h5d.open(file, axis.encode()), "_Netcdf4Dimid")
                for axis in {*AXES["position"], *AXES["position_3d"]}
                if axis.encode() in file
            }
            values = {
                name: _values(
                    file,
                    name,
                    [number[axis] for axis in axes],
                    columns if axes[-1] == "keypoint" else None,
                )
                for name, axes in AXES.items()
                if name.encode() in file and name not in _unread(file, dimensions)
            }
        check_times(time, "tracks")
        if set(MESH) <= set(values):
            values["position_3d"] = with_metres(values)
            for name in MESH:
                del values[name]
        lost = values["confidence"] <= 0
        wrong = beyond_0_to_1(values["confidence"])
        if lost.any():
            for name in set(values) - {"confidence"}:
                wrong |= lost & ~np.isnan(values[name]).all(axis=1)
        if wrong.any() or not 0 < fps < np.inf or pixels not in (None, b"square"):
            return None
        inside = frames_between(time, fps, start, end)
        if not inside.all():
            values = {name: array[inside] for name, array in values.items()}
        kept = names if columns is None else [names[column] for column in columns]
        return TrackArrays(kept, fps, values, (backend or b"").decode())
    except (*H5_FAULTS, UserError):
        return None


def _unread(file: h5g.GroupID, dimensions: int | None) -> set[str]:
    """The variables that positions of so many dimensions are read without."""
    if dimensions == 2 and b"position" in file:
        return {"position_3d", *MESH}
    return {"position"} if dimensions == 3 and b"position_3d" in file else set()


def _values(
    file: h5g.GroupID,
    name: str,
    axes: Sequence[int] | None = None,
    columns: Sequence[int] | None = None,
) -> np.ndarray:
    """The values of a variable, texts as bytes, by the low level of h5py: its upper one takes
    several times as long for so little. Whole numbers of steps and single columns of the last axis
    are read a block of frames at a time, so that memory holds no more than what is returned.

    Raises:
        ValueError: it has other axes than those of these numbers, or its values have to be decoded
            otherwise.
    """
    stored = h5d.open(file, name.encode())
    fill, scale = (_attribute(stored, name) for name in ("_FillValue", "scale_factor"))
    attributes = {
        h5a.open(stored, index=number).name.decode() for number in range(h5a.get_num_attrs(stored))
    }
    whole = stored.dtype.kind in "iu" and fill is not None and scale is not None
    whole = whole and h5a.open(stored, b"scale_factor").dtype == np.float32
    if not attributes <= PLAIN | ({"scale_factor"} if whole else set()) or (
        fill is not None and fill == fill and not whole
    ):
        raise ValueError(name)
    if axes is not None and _axes(stored) != list(axes):
        raise ValueError(name)
    if not whole and columns is None:
        values = np.empty(stored.shape, stored.dtype)
        stored.read(h5s.ALL, h5s.ALL, values)
        return values
    shape = stored.shape if columns is None else (*stored.shape[:-1], len(columns))
    values = np.empty(shape, np.float32 if whole else stored.dtype)
    space = stored.get_space()
    for first in range(0, len(values), BLOCK):
        count = (min(BLOCK, len(values) - first), *stored.shape[1:])
        space.select_hyperslab((first,) + (0,) * (len(count) - 1), count)
        block = np.empty(count, stored.dtype)
        stored.read(h5s.create_simple(count), space, block)
        own = block if columns is None else block[..., columns]
        if whole:
            unpacked(own, fill, scale, values[first : first + BLOCK])
        else:
            values[first : first + BLOCK] = own
    return values


def _axes(stored: h5d.DatasetID) -> list[int]:
    """The numbers of a variable's dimensions."""
    return np.ravel(_attribute(stored, "_Netcdf4Coordinates")).tolist()


def _attribute(of: h5g.GroupID | h5d.DatasetID, name: str) -> Any:
    """An attribute: a number, a text as bytes, or an array of several; None where there is none."""
    if not h5a.exists(of, name.encode()):
        return None
    stored = h5a.open(of, name.encode())
    value = np.empty(stored.shape, stored.dtype)
    stored.read(value)
    return value.item() if value.size == 1 else value
