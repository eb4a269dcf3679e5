"""Our own formats, as all commands write and read them: tracks (.nc), and the readable csv with one
row per frame and keypoint (`rows.read_long_csv`).
"""

from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.formats.common import names_of, number_texts, write_cells
from semiology.data.formats.people import choose_individual
from semiology.data.rows import COLUMNS
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
    """Read as `tracks.read_tracks`. The frame rate of an .nc is in the file.

    Raises:
        UserError: as `tracks.read_tracks`; a frame rate was given that is another than the .nc's.
    """
    choose_individual(path, individual, [""])
    if path.suffix.lower() == ".csv":
        return read_tracks(path, fps=fps).assign_attrs(width=width, height=height)
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
    """Write tracks as netCDF, as `tracks.save_tracks` does, or as .csv: one row per frame and
    keypoint, also where it is missing, so that no frame is lost.

    Raises:
        UserError: as `tracks.save_tracks`.
    """
    if path.suffix.lower() != ".csv":
        save_tracks(tracks, path)
        return
    names, frames = names_of(tracks), tracks.sizes["time"]
    header, blocks = ["time", "keypoint"], []
    for name, columns in COLUMNS.items():
        if name in tracks:
            space = next(
                dimension for dimension in tracks[name].dims if str(dimension).startswith("space")
            )
            blocks.append(
                tracks[name]
                .transpose("time", "keypoint", space)
                .values.reshape(frames * len(names), -1)
            )
            header += columns
    texts = number_texts(
        np.concatenate(
            [*blocks, tracks["confidence"].transpose("time", "keypoint").values.reshape(-1, 1)],
            axis=1,
        )
    )
    times = [f"{time:.6f}" for time in tracks["time"].values]
    rows = [
        [times[row // len(names)], names[row % len(names)], *text] for row, text in enumerate(texts)
    ]
    write_cells(path, [[*header, "confidence"], *rows])
