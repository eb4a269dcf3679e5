"""Manual corrections of tracks: a table beside the tracks, applied when they are read. The file of
tracks is never changed.

    body-<key>.nc, body.nc   ->   body.corrections.csv

A row is one annotator's correction of one keypoint in one frame of the video at one time. Rows are
never deleted: of several rows for one keypoint and frame the latest holds, and where its visibility
is 0, the keypoint is missing.

Two other kinds of rows have a word as their visibility. "swapped" exchanges a keypoint with another
(column "with") from one frame to another (column "last", included), as they are at that time: what
was corrected before goes along, what is corrected later is not touched. "undone" takes back the
rows of the same annotator from the same labels (column "from") before it, as if they had never
been; so the tracker's own prediction comes back, and a correction that theirs had replaced.
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
STRETCH = ("last", "with")  # columns of tables with swaps
SWAPPED, UNDONE = "swapped", "undone"  # in the column "visibility"
CARRIED = "carried"  # begins the column "from" of places that were interpolated


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
        kind: "" a place; `SWAPPED` or `UNDONE`, which have no place.
        last, other: of a swap, its last frame (included) and the other keypoint.
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
    kind: str = ""
    last: int = -1
    other: str = ""


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
            kind = row["visibility"] if row["visibility"] in (SWAPPED, UNDONE) else ""
            seen, index = int(0 if kind else row["visibility"]), int(row["source_index"])
            last = int((row.get("last") or -1) if kind == SWAPPED else -1)
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
        other = from_cell(row.get("with") or "")
        if kind == SWAPPED and (last < index or not other or other == words["keypoint"]):
            raise UserError(
                f"{path}: row {number}: a swap has the last frame in column last, and the other"
                " keypoint in column with; correct it"
            )
        rows.append(
            Correction(
                source_index=index,
                mean_of=mean_of,
                x=x,
                y=y,
                visibility=seen,
                origin=origin,
                kind=kind,
                last=last,
                other=other if kind == SWAPPED else "",
                **words,
            )
        )
    return sorted(rows, key=lambda row: row.when)


def write_corrections(corrections: Iterable[Correction], path: str | Path) -> None:
    """Write the rows as a table, whole or not at all."""
    text, corrections = io.StringIO(), list(corrections)
    stretches = any(row.kind == SWAPPED for row in corrections)
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*COLUMNS, *(STRETCH if stretches else ())])
    for row in corrections:
        position = ["", ""] if row.visibility == 0 else [f"{row.x:.4f}", f"{row.y:.4f}"]
        source = [to_cell(text) for text in (row.who, row.when, row.origin, row.video)]
        table.writerow(
            [
                row.source_index,
                to_cell(row.keypoint),
                to_cell(" ".join(row.mean_of)),
                *position,
                row.kind or row.visibility,
                *source,
                *(
                    [row.last if row.kind == SWAPPED else "", to_cell(row.other)]
                    if stretches
                    else []
                ),
            ]
        )
    write_text(path, text.getvalue())


def effective(corrections: Iterable[Correction]) -> list[Correction]:
    """The rows that count, oldest first: places and swaps that were not undone."""
    rows: list[Correction] = []
    for row in sorted(corrections, key=lambda row: row.when):
        if row.kind == UNDONE:
            rows = [one for one in rows if (one.who, one.origin) != (row.who, row.origin)]
        else:
            rows.append(row)
    return rows


def holding(rows: Iterable[Correction]) -> dict[tuple[int, str], Correction]:
    """(frame, keypoint) -> the place that holds there, of rows as `effective` gives them: a swap
    takes places along to the other keypoint.
    """
    places: dict[tuple[int, str], Correction] = {}
    for row in rows:
        if row.kind != SWAPPED:
            places[row.source_index, row.keypoint] = row
            continue
        turned = {row.keypoint: row.other, row.other: row.keypoint}
        moved = [
            (frame, keypoint)
            for frame, keypoint in places
            if row.source_index <= frame <= row.last and keypoint in turned
        ]
        taken = [
            (frame, turned[keypoint], places.pop((frame, keypoint))) for frame, keypoint in moved
        ]
        places |= {(frame, keypoint): place for frame, keypoint, place in taken}
    return places


def with_corrections(tracks: xr.Dataset, corrections: Sequence[Correction]) -> xr.Dataset:
    """Tracks with the corrected positions at confidence 1, and an entry in `steps` with the number
    of points and frames and the annotators.

    A correction applies to every row that shows its frame of the video; corrections of frames that
    the tracks do not show (another part of the video, or a lower frame rate) are counted in the
    step as `elsewhere`. A joint that is the mean of tracked keypoints becomes a keypoint of its
    own, the mean of the corrected ones except where it was corrected itself. Where a position (px)
    was corrected, the position in space (m), which no longer fits it, becomes missing. A swap
    exchanges all that is known of two keypoints: position, in space too, confidence, why it was
    rejected.

    Raises:
        UserError: a keypoint that is neither tracked nor the mean of tracked ones.
    """
    rows = effective(corrections)
    if not rows:
        return tracks
    tracked = set(tracks.keypoint.values.tolist())
    for row in rows:
        if row.kind == SWAPPED and not {row.keypoint, row.other} <= tracked:
            raise UserError(
                f"{row.keypoint!r} and {row.other!r} were swapped, but the tracks do not hold both"
            )
    corrected = _placed(tracks, [row for row in rows if row.keypoint in tracked])
    means = [row for row in rows if row.keypoint not in tracked]
    for name, sources in {row.keypoint: row.mean_of for row in means}.items():
        corrected = xr.concat([corrected, mean_keypoint(corrected, name, sources)], dim="keypoint")
    corrected = _placed(corrected, means)
    shown = set(tracks["source_index"].values.tolist())
    places = holding(rows).values()
    used = [row for row in places if row.source_index in shown]
    swaps = [row for row in rows if row.kind == SWAPPED]
    return with_step(
        corrected.transpose(
            "time", "space", "space_3d", "keypoint", missing_dims="ignore"
        ).assign_attrs(tracks.attrs),
        "with_corrections",
        points=len(used),
        frames=len({row.source_index for row in used}),
        who=sorted({row.who for row in [*used, *swaps]}),
        elsewhere=len(places) - len(used),
        **({"swaps": len(swaps)} if swaps else {}),
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


def _placed(tracks: xr.Dataset, rows: Sequence[Correction]) -> xr.Dataset:
    """A copy of the tracks with places and swaps of tracked keypoints, one after the other."""
    copy = tracks.copy(deep=True)
    index = copy["source_index"].values
    order = np.argsort(index, kind="stable")
    columns = {name: column for column, name in enumerate(copy.keypoint.values.tolist())}
    arrays = {
        name: copy[name].transpose("time", "keypoint", ...).values.copy()
        for name in ("position", "position_3d", "confidence", "rejected")
        if name in copy
    }

    def shown(first: int, last: int) -> np.ndarray:
        start = np.searchsorted(index, first, "left", order)
        return order[start : np.searchsorted(index, last, "right", order)]

    for row in rows:
        if row.kind == SWAPPED:
            where = shown(row.source_index, row.last)[:, None]
            pair = [columns[row.keypoint], columns[row.other]]
            for values in arrays.values():
                values[where, pair] = values[where, pair[::-1]]
            continue
        where, column = shown(row.source_index, row.source_index), columns[row.keypoint]
        arrays["position"][where, column] = (row.x, row.y)
        arrays["confidence"][where, column] = float(row.visibility > 0)
        if "rejected" in arrays:  # an annotator's place is believed
            arrays["rejected"][where, column] = 0
        if "position_3d" in arrays:
            arrays["position_3d"][where, column] = np.nan
    for name, values in arrays.items():
        placed = copy[name].transpose("time", "keypoint", ...).copy(data=values)
        copy[name] = placed.transpose(*copy[name].dims)
    return copy
