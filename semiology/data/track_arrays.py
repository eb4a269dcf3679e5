"""Tracks as plain arrays, for what reads hundreds of short clips: there an xarray.Dataset costs ten
times what its content does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from h5py import h5a, h5d, h5g, h5s

from semiology.data.cohort import Clip
from semiology.data.corrections import corrections_file
from semiology.data.rows import beyond_0_to_1, check_times
from semiology.data.store import Store, clip_tracks
from semiology.data.tracks import H5_FAULTS, OWN, PLAIN, frames_between
from semiology.errors import UserError
from semiology.files import ends_intact

AXES = {
    "position": ("time", "space", "keypoint"),
    "position_3d": ("time", "space_3d", "keypoint"),
    "confidence": ("time", "keypoint"),
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


def clip_arrays(folder: Path, clip: Clip, store: Store | None, part: str) -> TrackArrays:
    """The arrays of `clip_tracks`; arguments and errors are as there. A clip's own tracks that need
    nothing but to be cut are read without xarray.
    """
    if clip.tracks and not clip.away and not corrections_file(folder / clip.tracks).exists():
        plain = _plain(folder / clip.tracks, clip.start, clip.end)
        if plain is not None:
            return plain
    return arrays_of(clip_tracks(folder, clip, store, part))


def _plain(path: Path, start: float, end: float | None) -> TrackArrays | None:
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
            names, time = _values(file, "keypoint"), _values(file, "time")
            number = {
                axis: _attribute(h5d.open(file, axis.encode()), "_Netcdf4Dimid")
                for axis in {*AXES["position"], *AXES["position_3d"]}
                if axis.encode() in file
            }
            values = {
                name: _values(file, name, [number[axis] for axis in axes])
                for name, axes in AXES.items()
                if name.encode() in file
            }
        check_times(time, "tracks")
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
        return TrackArrays(
            [name.decode() for name in names], fps, values, (backend or b"").decode()
        )
    except (*H5_FAULTS, UserError):
        return None


def _values(file: h5g.GroupID, name: str, axes: Sequence[int] | None = None) -> np.ndarray:
    """The values of a variable, texts as bytes, by the low level of h5py: its upper one takes
    several times as long for so little.

    Raises:
        ValueError: it has other axes than those of these numbers, or its values have to be decoded.
    """
    stored = h5d.open(file, name.encode())
    fill = _attribute(stored, "_FillValue")
    attributes = {
        h5a.open(stored, index=number).name.decode() for number in range(h5a.get_num_attrs(stored))
    }
    if not attributes <= PLAIN or (fill is not None and fill == fill):
        raise ValueError(name)
    if axes is not None and list(_attribute(stored, "_Netcdf4Coordinates")) != axes:
        raise ValueError(name)
    values = np.empty(stored.shape, stored.dtype)
    stored.read(h5s.ALL, h5s.ALL, values)
    return values


def _attribute(of: h5g.GroupID | h5d.DatasetID, name: str) -> Any:
    """An attribute: a number, a text as bytes, or an array of several; None where there is none."""
    if not h5a.exists(of, name.encode()):
        return None
    stored = h5a.open(of, name.encode())
    value = np.empty(stored.shape, stored.dtype)
    stored.read(value)
    return value.item() if value.size == 1 else value
