"""Tracks in the formats of other programs, one file per format, and in our own (`own`):
`read(path, ...) -> tracks` and, where the format is written, `write(tracks, path)`.

`read` here recognises the format, renames joints, and records in the tracks' steps what the format
has and tracks do not; `write` is its counterpart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import xarray as xr

from semiology.data.formats.common import names_of
from semiology.data.rows import separator
from semiology.data.tracks import read_netcdf, with_step
from semiology.errors import UserError
from semiology.files import read_yaml


@dataclass(frozen=True)
class Format:
    """A format, and what is lost in converting it.

    Attributes:
        files: its files.
        left_out: content of such files that tracks do not have.
        lost: content of tracks that such files do not have; None where the format is not written.
    """

    files: str
    left_out: str
    lost: str | None


OWN = ("netcdf", "long_csv")
NO_METRES = "metres, frame rate, image size, steps"
FORMATS = {
    "netcdf": Format("our .nc", "", ""),
    "long_csv": Format(
        "our .csv, one row a frame and keypoint",
        "",
        "image size, which frames the video lacked, steps",
    ),
    "openpose": Format(
        "folder of *_keypoints.json",
        "3D, other people",
        f"{NO_METRES}, points that OpenPose has not, that a point has no score",
    ),
    "deeplabcut": Format(".csv, .h5 of tracks or labels", "scorer, other individuals", NO_METRES),
    "sleap": Format(
        ".slp; analysis .h5, .csv",
        "edges, videos, other tracks and predictions without one, tracking scores, predictions that"
        " were corrected",
        NO_METRES,
    ),
    "coco": Format(
        ".json, data set or results (AlphaPose's, MMPose's)",
        "boxes, masks, other people, hidden apart from visible",
        "metres, frame rate, steps",
    ),
    "openface": Format(
        "OpenFace 2 .csv",
        "action units, gaze, head pose, shape",
        "confidence of single landmarks, image size, steps",
    ),
    "pyfeat": Format(
        "Py-Feat .csv", "action units, emotions, head pose, box, relative depth", None
    ),
    "mediapipe": Format(
        ".npy, .npz of landmarks",
        "relative depth, presence",
        "other keypoints than MediaPipe's, steps",
    ),
    "movement": Format("movement's .nc", "other individuals", "metres, image size, steps"),
}


def read(
    path: str | Path,
    format: str | None = None,
    *,
    fps: float | None = None,
    names: str | Path | Mapping[str, str] | None = None,
    individual: str | None = None,
    width: int = 0,
    height: int = 0,
) -> xr.Dataset:
    """Read tracks of one person from a file of any format in `FORMATS`.

    Args:
        path: the file; for OpenPose the folder.
        format: name of the format; by default recognised by suffix and content.
        fps: Hz, for formats without a frame rate. It takes the place of that of OpenFace's
            timestamps, and of our .csv's times, which must fit it; where another file states a
            rate, it must be the same.
        names: new names of keypoints, theirs -> ours: a dict or a YAML file of one. Others keep
            their names.
        individual: the person or animal to read, where there are several.
        width: of the image, px, where the file does not have it.
        height: of the image, px, where the file does not have it.

    Raises:
        UserError: a format that is not known or not recognised; a name in `names` that the file
            lacks; and as the format's `read`.
    """
    path = Path(path)
    format = recognise(path) if format is None else format
    tracks = _module(format).read(path, fps=fps, individual=individual, width=width, height=height)
    if names is not None:
        tracks = rename(tracks, names if isinstance(names, Mapping) else read_names(names), path)
    left_out = FORMATS[format].left_out
    return (
        with_step(tracks, "import", format=format, left_out=left_out)
        if format != "netcdf"
        else tracks
    )


def write(tracks: xr.Dataset, path: str | Path, format: str) -> None:
    """Write tracks in a format of `FORMATS`.

    Raises:
        UserError: a format that is not known or only read; and as the format's `write`.
    """
    module = _module(format)
    if FORMATS[format].lost is None:
        raise UserError(
            f"{path}: {format} is only read; written are"
            f" {', '.join(n for n, f in FORMATS.items() if f.lost is not None)}"
        )
    module.write(tracks, Path(path))


def _module(format: str):
    if format not in FORMATS:
        raise UserError(f"no format {format!r}; formats are {', '.join(FORMATS)}")
    file = "own" if format in OWN else format
    return import_module(f"semiology.data.formats.{file}")


def recognise(path: Path) -> str:
    """Recognise the format of a file by its suffix, and by its first line where formats share one.

    Raises:
        UserError: no such file, or none of the formats.
    """
    if path.is_dir():
        return "openpose"
    if not path.exists():
        raise UserError(f"{path}: no such file")
    by_suffix = {".slp": "sleap", ".npy": "mediapipe", ".npz": "mediapipe", ".json": "coco"}
    suffix = path.suffix.lower()
    if suffix in by_suffix:
        return by_suffix[suffix]
    if suffix == ".h5":
        return "sleap" if _module("sleap").is_analysis(path) else "deeplabcut"
    if suffix == ".nc":
        data = read_netcdf(path)
        return (
            "movement"
            if "ds_type" in data.attrs or {"individuals", "individual"} & set(data.dims)
            else "netcdf"
        )
    if suffix == ".csv":
        with open(path, encoding="utf-8-sig", errors="replace") as stream:
            line = stream.readline()
        first = [cell.strip() for cell in line.split(separator(line))]
        if first[0] == "scorer":
            return "deeplabcut"
        if "FaceScore" in first and {"x_0", "mesh_x_0"} & set(first):
            return "pyfeat"
        if {"success", "x_0"} <= set(first):
            return "openface"
        if "frame_idx" in first and any(name.endswith(".x") for name in first):
            return "sleap"
        if "keypoint" in first:
            return "long_csv"
        raise UserError(
            f"{path}: not recognised by its first line ({', '.join(first[:4])}, ...); say which"
            f" format: {', '.join(FORMATS)}"
        )
    raise UserError(
        f"{path}: the suffix {suffix!r} is none of a format; say which format: {', '.join(FORMATS)}"
    )


def read_names(path: str | Path) -> dict[str, str]:
    """A mapping file: YAML with one line a keypoint, `theirs: ours`.

    Raises:
        UserError: no such file, not YAML, not such a mapping.
    """
    raw = read_yaml(path, object, what="a readable YAML file of names")
    if not isinstance(raw, dict) or not all(
        isinstance(name, str) for pair in raw.items() for name in pair
    ):
        raise UserError(
            f"{path}: a file of names has one line a keypoint, `theirs: ours`; quote names that are"
            " numbers"
        )
    return raw


def rename(tracks: xr.Dataset, names: Mapping[str, str], path: Path) -> xr.Dataset:
    """Rename keypoints of tracks, theirs -> ours; those that are not mentioned keep their names.

    Raises:
        UserError: a name that the file lacks, or two keypoints with the same new name.
    """
    there = names_of(tracks)
    if missing := [name for name in names if name not in there]:
        raise UserError(
            f"{path}: has no keypoint {missing[0]!r}, which the names mention; it has"
            f" {', '.join(there)}"
        )
    named = [names.get(name, name) for name in there]
    if len(set(named)) != len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise UserError(f"{path}: two keypoints would be named {twice!r}; correct the names")
    return with_step(tracks.assign_coords(keypoint=named), "rename", names=dict(names))
