"""Our own tracks (.nc), as all commands write and read them."""

from pathlib import Path

import xarray as xr

from semiology.data.formats.common import choose_individual
from semiology.data.tracks import read_tracks, save_tracks
from semiology.errors import UserError


def read(
    path: Path,
    *,
    fps: float | None = None,
    individual: str | None = None,
    width: int = 0,
    height: int = 0,
) -> xr.Dataset:
    """Read as `tracks.read_tracks`; the frame rate is in the file.

    Raises:
        UserError: as `tracks.read_tracks`; a frame rate was given that is another.
    """
    choose_individual(path, individual, [""])
    tracks = read_tracks(path)
    if fps is not None and fps != tracks.attrs["fps"]:
        raise UserError(
            f"{path}: has {tracks.attrs['fps']:g} frames per second, not {fps:g}; leave the frame"
            " rate out"
        )
    return tracks.assign_attrs(
        width=width or tracks.attrs["width"], height=height or tracks.attrs["height"]
    )


def write(tracks: xr.Dataset, path: Path) -> None:
    """Write tracks as netCDF, as `tracks.save_tracks` does."""
    save_tracks(tracks, path)
