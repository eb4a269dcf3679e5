"""Every real keypoint file of the test data that a format covers goes in, out and in again: largest
difference in px, names kept or not.

    python benchmarks/round_trip.py

Out goes every format that can hold the keypoints. "From the file" compares with the numbers in the
file, read here without the package, where that is simple (csv): tracks hold float32, which is the
precision allowed. Files that no format covers are listed with the reason.
"""

import csv
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import xarray as xr
from record import TESTDATA, record

from semiology import UserError
from semiology.data import formats
from semiology.data.formats.deeplabcut import read_table
from semiology.data.keypoint_names import FACE_68
from semiology.data.tracks import read_tracks, save_tracks

TESTDATA = TESTDATA
FPS = 25.0  # for formats without a frame rate: positions do not depend on it
OUT = {
    "netcdf": ".nc",
    "long_csv": ".csv",
    "deeplabcut": ".csv",
    "deeplabcut h5": ".h5",
    "sleap": ".slp",
    "coco": ".json",
    "movement": ".nc",
}
UNEXPLAINED = "no format and no reason"
PRECISION = 2.0**-24  # of float32, relative: half a step


def main() -> int:
    if not (TESTDATA / "keypoints").is_dir():
        print(f"round-trip: no test data at {TESTDATA}; set SEMIOLOGY_TESTDATA", file=sys.stderr)
        return 2
    files = [
        *sorted(path for path in (TESTDATA / "keypoints").rglob("*") if path.is_file()),
        TESTDATA / "faces/OpenFace_Test.csv",
    ]
    kinds: dict[str, list[dict]] = defaultdict(list)
    left: dict[str, list[str]] = defaultdict(list)
    for path in files:
        try:
            format = formats.recognise(path)
        except UserError:
            left[reason(path)].append(path.name)
            continue
        kinds[f"{format} {path.suffix}"] += [
            round_trip(path, format, individual) for individual in individuals(path, format)
        ]
    short = []
    print(
        f"{'kind':<20}{'files':>6}{'tracks':>7}{'points':>9}{'from the file, px':>19}"
        f"{'in and out, px':>16}  names  out through"
    )
    for kind, rows in kinds.items():
        compared = [row["source"] for row in rows if row["source"] is not None]
        worst = max(row["worst"] for row in rows)
        names = all(row["names"] for row in rows)
        if worst > 0 or not names or any((row["source_relative"] or 0) > PRECISION for row in rows):
            short.append(kind)
        shown = f"{max(compared):.7f}" if compared else "not compared"
        count = len({row["file"] for row in rows})
        points = sum(row["points"] for row in rows)
        through = ", ".join(rows[0]["through"])
        print(
            f"{kind:<20}{count:>6}{len(rows):>7}{points:>9}{shown:>19}{worst:>16.7f} "
            f" {'kept' if names else 'LOST':<5}  {through}"
        )
    short += left.get(UNEXPLAINED, [])
    for why, names in left.items():
        print(
            f"not covered: {len(names)}"
            f" ({', '.join(sorted(set(names))[:3])}{', ...' if len(names) > 3 else ''}): {why}"
        )
    count = len({row["file"] for rows in kinds.values() for row in rows})
    worst = max(row["worst"] for rows in kinds.values() for row in rows)
    figures = {
        "kinds": {
            kind: [{name: value for name, value in row.items() if name != "file"} for row in rows]
            for kind, rows in kinds.items()
        },
        "not covered": {why: len(names) for why, names in left.items()},
    }
    target = "0 px in and out, names kept, float32's precision from the file, in every kind"
    headline = (
        f"{count} files of {len(kinds)} kinds, largest difference {worst:g} px, {len(short)} short"
        " of it"
    )
    return record("round-trip", figures, target, not short, headline=headline)


def reason(path: Path) -> str:
    reasons = {
        "config.yaml": "a DeepLabCut project's settings, no positions",
        "clip_attrs.csv": "texts that were spoken in the clips, no positions",
        ".png": "pictures",
        ".mp4": "a video",
    }
    return reasons.get(path.name) or reasons.get(path.suffix) or UNEXPLAINED


def individuals(path: Path, format: str) -> list[str | None]:
    """Everybody in the file."""
    if format == "deeplabcut" and len(names := read_table(path).individuals) > 1:
        return [*names]
    return ["female", "male"] if format == "sleap" else [None]


def round_trip(path: Path, format: str, individual: str | None) -> dict:
    tracks = formats.read(path, fps=FPS, individual=individual)
    position = tracks["position"].values
    source = truth(path, format, tracks)
    seen = np.isfinite(position)
    row = {
        "file": str(path),
        "points": int(seen[:, 0].sum()),
        "worst": 0.0,
        "names": True,
        "through": [],
    }
    row["source"] = row["source_relative"] = None
    if source is not None:
        same = np.array_equal(np.isfinite(source), seen)
        difference = np.abs(source - position)[seen]
        row["source"] = float(difference.max()) if same else np.inf
        row["source_relative"] = (
            float((difference / np.maximum(np.abs(source[seen]), 1)).max()) if same else np.inf
        )
    ways = {**OUT, "openface": ".csv"} if set(tracks["keypoint"].values) <= set(FACE_68) else OUT
    with tempfile.TemporaryDirectory() as folder:
        for number, (way, suffix) in enumerate(ways.items()):
            out, name = Path(folder) / f"{number}{suffix}", way.split()[0]
            formats.write(read_tracks(save_tracks(tracks, Path(folder) / "ours.nc")), out, name)
            again = formats.read(out, fps=FPS)
            there = again["position"].transpose("time", "space", "keypoint").values
            kept = there.shape == position.shape and np.array_equal(np.isfinite(there), seen)
            row["worst"] = max(
                row["worst"], float(np.abs(there - position)[seen].max()) if kept else np.inf
            )
            row["names"] &= list(again["keypoint"].values) == list(tracks["keypoint"].values)
            row["through"].append(way)
    return row


def truth(path: Path, format: str, tracks: xr.Dataset) -> np.ndarray | None:
    """(time, space, keypoint) float64 from the numbers in the file, read with the csv module alone;
    None for other files.
    """
    if path.suffix != ".csv" or "madlc" in path.name:
        return None
    with open(path, newline="", encoding="utf-8") as stream:
        rows = [[cell.strip() for cell in row] for row in csv.reader(stream)]
    values = np.full(tracks["position"].shape, np.nan)
    frames = np.flatnonzero(tracks["source_index"].values >= 0)
    if format == "deeplabcut":
        body, first = rows[3:], next(n for n, cell in enumerate(rows[2][1:], start=1) if cell)
        numbers = np.array([[float(cell or "nan") for cell in row[first:]] for row in body])
        values[frames] = numbers.reshape(len(body), -1, 2).transpose(0, 2, 1)
    else:
        columns = [[rows[0].index(f"{axis}_{number}") for number in range(68)] for axis in "xy"]
        values[frames] = np.array(
            [[[float(row[place]) for place in axis] for axis in columns] for row in rows[1:]]
        )
    return values


if __name__ == "__main__":
    sys.exit(main())
