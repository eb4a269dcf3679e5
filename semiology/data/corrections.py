"""Manual corrections of tracks: a table beside the tracks, applied when they are read. The file of
tracks is never changed.

    body-<key>.nc, body.nc   ->   body.corrections.csv

A row is one annotator's correction of one keypoint in one frame of the video at one time. Rows are
never deleted: of several rows for one keypoint and frame the latest holds, and where its visibility
is 0, the keypoint is missing.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.cohort.table import from_cell, to_cell
from semiology.data.tracks import read_tracks, with_step
from semiology.errors import UserError
from semiology.files import write_text

COLUMNS = (
    "source_index",
    "keypoint",
    "mean_of",
    "x",
    "y",
    "visibility",
    "who",
    "when",
    "from",
    "video",
)


@dataclass(frozen=True)
class Correction:
    """A correction: one row of the table.

    Attributes:
        source_index: number of the frame in the video, from 0, as in the tracks' coordinate of that
            name.
        keypoint: a tracked keypoint, or a joint that is the mean of some.
        mean_of: keypoints whose mean it is, where it is not tracked itself.
        x, y: px; NaN where visibility is 0.
        visibility: 0 not there, 1 hidden, 2 visible.
        who: name or initials of the annotator.
        when: ISO 8601, UTC.
        origin: the labels it came from (column "from").
        video: that the frame numbers refer to: the first 16 digits of the video's SHA-256 in a
            store, else empty.
    """

    source_index: int
    keypoint: str
    mean_of: tuple[str, ...]
    x: float
    y: float
    visibility: int
    who: str
    when: str
    origin: str
    video: str = ""


def corrections_file(tracks: str | Path) -> Path:
    """Path of the corrections of a file of tracks: beside it; for a store's file named by its part,
    without the key.
    """
    path = Path(tracks)
    return path.with_name(re.sub(r"-[0-9a-f]{16}$", "", path.stem) + ".corrections.csv")


def read_corrections(path: str | Path) -> list[Correction]:
    """The rows of a table, oldest first; none where there is no table.

    Raises:
        UserError: not text, a missing column, an invalid number or time, a visibility other than 0,
            1 or 2.
    """
    path = Path(path)
    if not path.is_file():
        return []
    try:
        text = path.read_text(encoding="utf-8-sig")
        table = csv.DictReader(io.StringIO(text, newline=""))
        columns, lines = table.fieldnames or [], list(table)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{path}: not a readable table ({error}); bring back a copy of it"
        ) from error
    if lacking := [column for column in COLUMNS if column not in columns]:
        raise UserError(f'{path}: no column "{lacking[0]}"; corrections have {", ".join(COLUMNS)}')
    rows = []
    for number, row in enumerate(lines, start=2):
        try:
            seen, index = int(row["visibility"]), int(row["source_index"])
            x, y = (float(row[axis] or "nan") for axis in ("x", "y"))
            datetime.fromisoformat(row["when"])
        except (TypeError, ValueError) as error:
            what = (
                "source_index, x, y and visibility must be numbers, when a time like"
                " 2026-03-01T12:00:00Z"
            )
            raise UserError(f"{path}: row {number}: {what}; correct it") from error
        if seen not in (0, 1, 2) or (seen > 0) != (math.isfinite(x) and math.isfinite(y)):
            raise UserError(
                f"{path}: row {number}: visibility is 1 or 2 with x and y, or 0 without; correct it"
            )
        words = {
            column: from_cell(row[column] or "")
            for column in ("keypoint", "who", "when", "from", "video")
        }
        origin = words.pop("from")
        mean_of = tuple(from_cell(row["mean_of"] or "").split())
        rows.append(
            Correction(
                source_index=index,
                mean_of=mean_of,
                x=x,
                y=y,
                visibility=seen,
                origin=origin,
                **words,
            )
        )
    return sorted(rows, key=lambda row: row.when)


def write_corrections(corrections: Iterable[Correction], path: str | Path) -> None:
    """Write the rows as a table, whole or not at all."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in corrections:
        position = ["", ""] if row.visibility == 0 else [f"{row.x:.4f}", f"{row.y:.4f}"]
        source = [to_cell(text) for text in (row.who, row.when, row.origin, row.video)]
        table.writerow(
            [
                row.source_index,
                to_cell(row.keypoint),
                to_cell(" ".join(row.mean_of)),
                *position,
                row.visibility,
                *source,
            ]
        )
    write_text(path, text.getvalue())


def with_corrections(tracks: xr.Dataset, corrections: Sequence[Correction]) -> xr.Dataset:
    """Tracks with the corrected positions at confidence 1, and an entry in `steps` with the number
    of points and frames and the annotators.

    A correction applies to every row that shows its frame of the video; corrections of frames that
    the tracks do not show (another part of the video, or a lower frame rate) are counted in the
    step as `elsewhere`. A joint that is the mean of tracked keypoints becomes a keypoint of its
    own, the mean of the corrected ones except where it was corrected itself. Where a position (px)
    was corrected, the position in space (m), which no longer fits it, becomes missing.

    Raises:
        UserError: a keypoint that is neither tracked nor the mean of tracked ones.
    """
    if not corrections:
        return tracks
    holding = {
        (row.source_index, row.keypoint): row
        for row in sorted(corrections, key=lambda row: row.when)
    }
    tracked = set(tracks.keypoint.values.tolist())
    corrected = _placed(tracks, [row for row in holding.values() if row.keypoint in tracked])
    for name, sources in {
        row.keypoint: row.mean_of for row in holding.values() if row.keypoint not in tracked
    }.items():
        corrected = xr.concat([corrected, mean_keypoint(corrected, name, sources)], dim="keypoint")
    corrected = _placed(corrected, [row for row in holding.values() if row.keypoint not in tracked])
    shown = set(tracks["source_index"].values.tolist())
    used = [row for row in holding.values() if row.source_index in shown]
    return with_step(
        corrected.transpose(
            "time", "space", "space_3d", "keypoint", missing_dims="ignore"
        ).assign_attrs(tracks.attrs),
        "with_corrections",
        points=len(used),
        frames=len({row.source_index for row in used}),
        who=sorted({row.who for row in used}),
        elsewhere=len(holding) - len(used),
    )


def mean_keypoint(tracks: xr.Dataset, name: str, sources: Sequence[str]) -> xr.Dataset:
    """Tracks of one keypoint, the mean of others; its confidence is the lowest of theirs.

    Raises:
        UserError: the tracks lack one of them.
    """
    if not sources or (
        lacking := [source for source in sources if source not in tracks.keypoint.values]
    ):
        what = (
            f"whose mean it is: {lacking[0]!r}"
            if sources
            else "that a skeleton makes it of; name the skeleton"
        )
        raise UserError(f"the tracks hold no keypoint {name!r}, nor those {what}")
    parts = tracks.sel(keypoint=list(sources))
    mean = parts.mean("keypoint", skipna=False)
    mean["confidence"] = parts["confidence"].min("keypoint")
    if "rejected" in parts:
        mean["rejected"] = parts["rejected"].max("keypoint", keep_attrs=True)
    return mean.expand_dims(keypoint=[name])


def read_corrected(path: str | Path) -> xr.Dataset:
    """Tracks of a file with the corrections beside it, if there are any.

    Raises:
        UserError: see `read_tracks`, `read_corrections` and `with_corrections`.
    """
    return with_corrections(read_tracks(path), read_corrections(corrections_file(path)))


def _placed(tracks: xr.Dataset, corrections: Sequence[Correction]) -> xr.Dataset:
    """A copy of the tracks with the corrections applied."""
    copy = tracks.copy(deep=True)
    index = copy["source_index"].values
    columns = {name: column for column, name in enumerate(copy.keypoint.values.tolist())}
    position = copy["position"].transpose("time", "keypoint", "space").values.copy()
    confidence = copy["confidence"].transpose("time", "keypoint").values.copy()
    changed = np.zeros(confidence.shape, bool)
    for row in corrections:
        rows = np.flatnonzero(index == row.source_index)
        position[rows, columns[row.keypoint]] = (row.x, row.y)
        confidence[rows, columns[row.keypoint]] = float(row.visibility > 0)
        changed[rows, columns[row.keypoint]] = True
    copy["position"] = (("time", "space", "keypoint"), position.transpose(0, 2, 1))
    copy["confidence"] = (("time", "keypoint"), confidence)
    if "rejected" in copy:  # an annotator's place is believed
        copy["rejected"] = copy["rejected"].where(
            ~xr.DataArray(changed, dims=("time", "keypoint")), np.int8(0)
        )
    if "position_3d" in copy:
        copy["position_3d"] = copy["position_3d"].where(
            ~xr.DataArray(changed, dims=("time", "keypoint"))
        )
    return copy
