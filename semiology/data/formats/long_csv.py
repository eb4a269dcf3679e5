"""Our own readable csv: one row per frame and keypoint, `time` (s), `keypoint`, `x`, `y` (px),
`x_m`, `y_m`, `z_m` (m), `confidence`.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.formats.common import choose_individual, names_of, number_texts, write_cells
from semiology.data.tracks import read_tracks

COLUMNS = {"position": ["x", "y"], "position_3d": ["x_m", "y_m", "z_m"]}


def read(
    path: Path,
    *,
    fps: float | None = None,
    individual: str | None = None,
    width: int = 0,
    height: int = 0,
) -> xr.Dataset:
    """Read as `tracks.read_tracks`, whose docstring has the columns.

    Raises:
        UserError: as `tracks.read_tracks`.
    """
    choose_individual(path, individual, [""])
    return read_tracks(path, fps=fps).assign_attrs(width=width, height=height)


def write(tracks: xr.Dataset, path: Path) -> None:
    """Write one row per frame and keypoint, also where it is missing, so that no frame is lost.

    Raises:
        UserError: a folder that cannot be written.
    """
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
