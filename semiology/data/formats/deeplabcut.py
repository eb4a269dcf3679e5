"""DeepLabCut's tables: tracks of a video (csv or h5, one animal or several) and the labels of a
project (CollectedData).

Columns have three levels (scorer, bodyparts, coords) or four (individuals after scorer); coords are
x, y in px, in tracks also likelihood. Rows are frame numbers in tracks and paths of images in label
tables, in one cell or in three ("labeled-data", video, image). Source: [C] DeepLabCut's own example
projects.

Programs that write such tables add columns, which are set aside: Lightning Pose the part of the
data that a frame is of (`set`) and whether a label is `visible`, EKS the median and the variances
of its networks. Source: [C] Lightning Pose 2.4.3, EKS 4.6.2.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.formats.common import (
    names_of,
    number_texts,
    numbers,
    pixels,
    read_cells,
    tracks_from_rows,
    write_cells,
)
from semiology.data.formats.image_names import frame_numbers
from semiology.data.formats.pandas_h5 import read_frame, write_frame
from semiology.data.formats.people import choose_individual
from semiology.data.tracks import with_step
from semiology.errors import UserError

SCORER = "semiology"  # of tables that are written
HEADER = ("scorer", "individuals", "bodyparts", "coords")
COORDS = ("x", "y", "likelihood")
VISIBLE = "visible"  # 0 not labelled, 1 hidden, 2 visible
ASIDE = re.compile(rf"{VISIBLE}|zscore|[xy]_((ens|posterior)_)?(var|median)")


@dataclass(frozen=True)
class Table:
    """A table of keypoints as DeepLabCut keeps it.

    Attributes:
        scorer: who labelled, or the network that tracked.
        individuals: names; one empty name where the table knows one animal only.
        keypoints: the bodyparts, in the order of the file.
        rows: frame numbers, or paths of images with forward slashes
            ("labeled-data/video/img000.png").
        values: (row, individual, keypoint, 2 or 3) x, y in px and, in tracks, likelihood; NaN where
            not labelled.
        present: (individual, keypoint) which columns the file has: individuals may have keypoints
            of their own.
        aside: names of the columns that are set aside.
    """

    scorer: str
    individuals: list[str]
    keypoints: list[str]
    rows: list[str] | list[int]
    values: np.ndarray
    present: np.ndarray
    aside: list[str] = field(default_factory=list)


def read_table(path: str | Path) -> Table:
    """Read a csv or h5 of tracks or labels. An h5 is read without unpickling (see `pandas_h5`).

    Raises:
        UserError: no such file, damaged, not DeepLabCut's, text among numbers, rows or columns that
            repeat.
    """
    path = Path(path)
    aside: list[str] = []
    if path.suffix.lower() == ".csv":
        columns, index, values, aside = _read_csv(path)
    else:
        columns, index, values = read_frame(path)
    if len(columns[0]) not in (3, 4):
        raise UserError(
            f"{path}: columns have {len(columns[0])} levels; DeepLabCut's have scorer,"
            " (individuals,) bodyparts, coords"
        )
    if len({column[0] for column in columns}) > 1:
        raise UserError(
            f"{path}: several scorers"
            f" ({', '.join(sorted({str(column[0]) for column in columns}))}); give a table of one"
        )
    named = [
        (str(column[1]) if len(column) == 4 else "", str(column[-2]), str(column[-1]))
        for column in columns
    ]
    individuals = list(dict.fromkeys(individual for individual, _, _ in named))
    keypoints = list(dict.fromkeys(keypoint for _, keypoint, _ in named))
    names = [coord for _, _, coord in named]
    coords = [coord for coord in COORDS if coord in (*COORDS[:2], *names)]
    others = dict.fromkeys(coord for coord in names if coord not in coords)
    if unknown := [coord for coord in others if not ASIDE.fullmatch(coord)]:
        raise UserError(
            f"{path}: coords {unknown[0]!r} in its header, expected x, y and likelihood"
        )
    if len(set(named)) != len(named):
        twice = next(column for column in named if named.count(column) > 1)
        raise UserError(f"{path}: the column {' '.join(filter(None, twice))} is there twice")
    shaped = np.full((len(index), len(individuals), len(keypoints), len(coords)), np.nan)
    present = np.zeros((len(individuals), len(keypoints)), bool)
    unlabelled = np.zeros(shaped.shape[:3], bool)
    for column, (individual, keypoint, coord) in enumerate(named):
        place = individuals.index(individual), keypoints.index(keypoint)
        if coord in coords:
            shaped[:, *place, coords.index(coord)] = values[:, column]
            present[place] = True
        elif coord == VISIBLE:
            unlabelled[:, *place] = values[:, column] == 0
    shaped[unlabelled] = np.nan
    rows = _rows(path, index)
    return Table(
        str(columns[0][0]), individuals, keypoints, rows, shaped, present, [*aside, *others]
    )


def _read_csv(path: Path) -> tuple[list[tuple[str, ...]], list[tuple], np.ndarray, list[str]]:
    """Names of the columns by level, names of the rows, values (row, column), and the names of the
    columns that are of the frame and not of a keypoint.
    """
    cells = read_cells(path)
    header: list[list[str]] = []
    while len(header) < len(cells) and cells[len(header)][0] in HEADER:
        header.append(cells[len(header)])
    if [row[0] for row in header] not in ([*HEADER], [HEADER[0], *HEADER[2:]]):
        raise UserError(
            f"{path}: not DeepLabCut's: its first rows begin with {[row[0] for row in cells[:3]]},"
            f" expected {list(HEADER)}"
        )
    wide = 1 + next(
        (number for number, cell in enumerate(header[-1][1:]) if cell), 0
    )  # cells that name a row: 1 or 3
    every = list(zip(*(row[wide:] for row in header), strict=True))
    # pandas writes an empty level as "", and what it read of that as "Unnamed: 7_level_2"
    of_points = [n for n, column in enumerate(every) if not re.match("$|Unnamed: ", column[-1])]
    columns = [every[n] for n in of_points]
    if not columns:
        raise UserError(f"{path}: has no columns of keypoints")
    body = cells[len(header) :]
    values = numbers(
        path,
        [[row[wide + n] for n in of_points] for row in body],
        [" ".join(column[1:]) for column in columns],
        len(header) + 1,
    )
    aside = [column[0] for column in every if column not in columns]
    return columns, [tuple(row[:wide]) for row in body], values, aside


def _rows(path: Path, index: list[tuple]) -> list[str] | list[int]:
    named = ["/".join(str(part) for part in entry).replace("\\", "/") for entry in index]
    if len(set(named)) != len(named):
        twice = next(row for row in named if named.count(row) > 1)
        raise UserError(f"{path}: the row {twice} is there twice")
    return [int(row) for row in named] if named and all(row.isdecimal() for row in named) else named


def read(
    path: Path,
    *,
    fps: float | None = None,
    individual: str | None = None,
    width: int = 0,
    height: int = 0,
) -> xr.Dataset:
    """Tracks of one individual. Rows that name images stand at the number in the image's name; the
    frames between them are missing.

    Raises:
        UserError: as `read_table`; no frame rate, several individuals and none chosen, labels of
            several videos.
    """
    table = read_table(path)
    chosen = choose_individual(path, individual, table.individuals)
    if folders := sorted({str(Path(row).parent) for row in table.rows if isinstance(row, str)})[1:]:
        raise UserError(
            f"{path}: labels of several videos (also {folders[0]}); tracks are of one video: split"
            " the table"
        )
    named = [row for row in table.rows if isinstance(row, str)]
    counted = [row for row in table.rows if isinstance(row, int)]
    frames = counted or frame_numbers(named, path)
    present = table.present[chosen]
    values = table.values[:, chosen, present]
    tracks = tracks_from_rows(
        path,
        frames,
        [name for name, there in zip(table.keypoints, present, strict=True) if there],
        values[..., :2],
        fps=fps,
        confidence=values[..., 2] if values.shape[-1] == 3 else None,
        # DeepLabCut's own lie between 0 and 1, but SLEAP's, converted by movement, come in this
        # format too
        peaks=True,
        scored=bool((table.values[..., 2:] > 0).any()),
        width=width,
        height=height,
        backend=f"deeplabcut: {table.scorer}",
    )
    return with_step(tracks, "set_aside", columns=table.aside) if table.aside else tracks


def write(tracks: xr.Dataset, path: Path) -> None:
    """A single-animal table of tracks, as DeepLabCut's video analysis writes it: csv, or h5 that
    `pandas.read_hdf` reads. One row a frame.

    The likelihood of a point without a score is empty (NaN in the h5); DeepLabCut's own p-cutoff
    leaves such a point out.

    Raises:
        UserError: a suffix other than .csv and .h5, tracks without positions in px, a folder that
            cannot be written.
    """
    if path.suffix.lower() not in (".csv", ".h5"):
        raise UserError(f"{path}: DeepLabCut's tables end in .csv or .h5")
    position, confidence = pixels(tracks, path)
    values = np.concatenate([position, confidence[..., None]], axis=2).reshape(len(position), -1)
    columns = [
        (SCORER, name, coord) for name in names_of(tracks) for coord in ("x", "y", "likelihood")
    ]
    if path.suffix.lower() == ".h5":
        write_frame(path, "df_with_missing", ("scorer", "bodyparts", "coords"), columns, values)
    else:
        header = [
            [name, *(column[level] for column in columns)]
            for level, name in enumerate((HEADER[0], *HEADER[2:]))
        ]
        write_cells(
            path, [*header, *([str(frame), *row] for frame, row in enumerate(number_texts(values)))]
        )
