"""Public functions on tracks and cohorts: `make_tracks`, `read_tracks`, `write_tracks`,
`load_skeleton`, `preprocess`, `check_cohort`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semiology.data.result import Result
from semiology.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from semiology.data.cohort import Cohort
    from semiology.data.skeleton import Skeleton


def make_tracks(
    position: Any,
    keypoints: Sequence[str],
    fps: float,
    *,
    confidence: Any = None,
    position_3d: Any = None,
    source_time: Any = None,
    source_index: Any = None,
    width: int = 0,
    height: int = 0,
) -> xr.Dataset:
    """Tracks from arrays: positions over time of named keypoints of one person.

    Parameters
    ----------
    position : array (time, keypoint, 2) or None
        px, x to the right, y down; NaN where a keypoint was not found. None where only
        `position_3d` is known.
    keypoints : sequence of str
        Names, in the order of the array; left_ and right_ name the person's own sides.
    fps : float
        Frames per second, Hz.
    confidence : array (time, keypoint), optional
        0 to 1, NaN where a point has no score; by default 1 where the position is known. Where it
        is 0, the point was not found, and its position becomes NaN.
    position_3d : array (time, keypoint, 3), optional
        m, z away from the camera.
    source_time : array (time,), optional
        s, time of each frame in its video.
    source_index : array (time,), optional
        Number of each frame in its video, -1 where it is missing.
    width, height : int
        Of the frames, px; 0 where unknown.

    Returns
    -------
    xarray.Dataset
        `position` (time, space, keypoint) and `confidence` (time, keypoint), named as the
        `movement` package names them; `position_3d` (time, space_3d, keypoint) where it was given.

    Raises
    ------
    UserError
        Shapes that do not fit, names that repeat or are no text, a frame rate that is not positive,
        infinite positions, a confidence outside 0 to 1, source frames that run backwards.

    Examples
    --------
    >>> tracks = semiology.make_tracks([[[0.0, 0.0]], [[3.0, 4.0]]], ["left_wrist"], fps=25.0)
    >>> tracks.position.sel(keypoint="left_wrist", space="y").values.tolist()
    [0.0, 4.0]
    """
    from semiology.data import tracks

    if isinstance(keypoints, str) or not isinstance(keypoints, Iterable):
        raise UserError(f"tracks: keypoints must be a list of names, got {keypoints!r}")
    return tracks.make_tracks(
        _numbers("position", position),
        list(keypoints),
        as_number("tracks: fps", fps),
        confidence=_numbers("confidence", confidence),
        position_3d=_numbers("position_3d", position_3d),
        source_time=_numbers("source_time", source_time),
        source_index=_numbers("source_index", source_index),
        width=int(as_number("tracks: width", width, at_least=0)),
        height=int(as_number("tracks: height", height, at_least=0)),
    )


def as_number(
    name: str, value: Any, *, at_least: float = -math.inf, at_most: float = math.inf
) -> float:
    """A finite number in a range, from an argument.

    Raises
    ------
    UserError
        Not a number, NaN or infinite, or outside of the range.
    """
    try:
        number = math.nan if isinstance(value, str | bytes | bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and at_least <= number <= at_most):
        low, high = math.isfinite(at_least), math.isfinite(at_most)
        bounds = f" of {at_least:g} or more" if low and not high else ""
        bounds = f" from {at_least:g} to {at_most:g}" if low and high else bounds
        raise UserError(f"{name} must be a number{bounds}, got {value!r}")
    return number


def as_path(name: str, path: Any) -> Path:
    """A path from an argument.

    Raises
    ------
    UserError
        Neither a str nor a Path, or an empty str.
    """
    if not isinstance(path, str | Path):
        raise UserError(f"{name}: expected a path, got {type(path).__name__}")
    if not str(path):
        raise UserError(f"{name}: the path is empty")
    return Path(path)


def _numbers(name: str, values: Any) -> np.ndarray | None:
    import numpy as np

    try:
        return None if values is None else np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise UserError(f"tracks: {name} is not an array of numbers ({error})") from error


def read_tracks(
    path: str | Path,
    *,
    format: str | None = None,
    fps: float | None = None,
    names: str | Path | Mapping[str, str] | None = None,
    individual: str | None = None,
    width: int = 0,
    height: int = 0,
) -> xr.Dataset:
    """Read keypoints of one person from a file of any known format.

    Parameters
    ----------
    path : path
        Our .nc or .csv; files of DeepLabCut, SLEAP, OpenPose (a folder), COCO, OpenFace, Py-Feat,
        MediaPipe arrays, movement (docs/formats.md).
    format : str, optional
        By default recognised by suffix and content.
    fps : float, optional
        Hz, for formats without a frame rate. It replaces that of OpenFace's timestamps and of our
        .csv's times, which must fit it; where another file states a rate, it must be the same.
    names : mapping or path, optional
        Keypoints to rename, theirs -> ours: a dict, or a YAML file of one. Others keep their names.
    individual : str, optional
        Which person or animal, where the file holds several.
    width, height : int
        Of the frames, px, where the file does not state them.

    Returns
    -------
    xarray.Dataset
        As `make_tracks` returns.

    Raises
    ------
    UserError
        No such file, a format that is not recognised, a file that is damaged, several individuals
        and none chosen, no frame rate.

    Examples
    --------
    >>> float(semiology.read_tracks("arm.nc").attrs["fps"])
    25.0
    """
    from semiology.data.formats import read

    path = as_path("read_tracks", path)
    fps = None if fps is None else as_number(f"{path}: fps", fps)
    if names is not None and not isinstance(names, str | Path | Mapping):
        raise UserError(
            f"{path}: names must be a dict or a YAML file, theirs: ours, got {type(names).__name__}"
        )
    how: dict[str, Any] = {"individual": individual, "width": width, "height": height}
    return read(path, format, fps=fps, names=names, **how)


def write_tracks(tracks: xr.Dataset, path: str | Path, *, format: str = "netcdf") -> Path:
    """Write tracks to a file: ours (netcdf, long_csv) or another program's.

    Parameters
    ----------
    tracks : xarray.Dataset
        As `make_tracks`, `read_tracks` and `preprocess` return them.
    path : path
        The file; for OpenPose a new folder.
    format : str
        netcdf, long_csv or another format that is written (docs/formats.md lists them).

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    UserError
        A format that is only read, tracks that it cannot hold.

    Examples
    --------
    >>> semiology.write_tracks(tracks, "arm.nc").name
    'arm.nc'
    >>> semiology.write_tracks(tracks, "arm.csv", format="long_csv").name
    'arm.csv'
    """
    from semiology.data.formats import write

    path = as_path("write_tracks", path)
    if isinstance(tracks, str | Path):
        raise UserError(f"write_tracks: expected tracks, got a path; read_tracks({str(tracks)!r})")
    write(as_tracks(tracks), path, format)
    return path


def load_skeleton(name: str | Path) -> Skeleton:
    """A skeleton: joints by name, each made of one or more keypoints, and the bones between them.

    Parameters
    ----------
    name : str or path
        upper_body_11, face_23, face_23_from_68, full_body_15, kinect_20, left_arm_4,
        left_hand_21, limbs_12, right_hand_21; or a YAML file of your own.

    Returns
    -------
    Skeleton
        `names`, `edges`, `edge_index` and `partitions()`: the adjacency (3, joint, joint) of self,
        inward and outward edges.

    Raises
    ------
    UserError
        No such skeleton, or a file that does not describe one.

    Examples
    --------
    >>> skeleton = semiology.load_skeleton("upper_body_11")
    >>> len(skeleton.names), skeleton.partitions().shape
    (11, (3, 11, 11))
    """
    from semiology.data import skeleton

    return skeleton.load_skeleton(str(name))


def preprocess(
    tracks: str | Path | xr.Dataset,
    *,
    skeleton: str | Path | Skeleton | None = None,
    min_confidence: float = 0.0,
    longest_gap: float = 0.0,
    smoothing: float = 0.0,
    normalise: bool = False,
) -> xr.Dataset:
    """Prepare tracks for measurement: joints of a skeleton, points of low confidence removed, short
    gaps filled, smoothed, in body units. Each step is recorded in the tracks.

    Parameters
    ----------
    tracks : path or xarray.Dataset
        A file that `read_tracks` reads, or tracks. They are not changed.
    skeleton : str, path or Skeleton, optional
        Keep this skeleton's joints, each made of its keypoints.
    min_confidence : float
        0 to 1; positions below it become NaN.
    longest_gap : float
        s; gaps up to this long are filled by straight lines.
    smoothing : float
        s, window of a Savitzky-Golay filter; 0 leaves positions as they are.
    normalise : bool
        Subtract the skeleton's origin and divide by its scale (torso length, for a body), both of
        which the skeleton defines.

    Returns
    -------
    xarray.Dataset
        The prepared tracks; `attrs` lists the steps.

    Raises
    ------
    UserError
        Keypoints that the skeleton needs are missing; `normalise` without a skeleton; a number
        outside of its range.

    Examples
    --------
    >>> ready = semiology.preprocess("arm.nc", min_confidence=0.5, longest_gap=0.2)
    >>> ready.sizes["time"]
    2
    """
    from semiology.data import preprocessing
    from semiology.data.skeleton import load_skeleton as load

    result = as_tracks(tracks)
    min_confidence = as_number("preprocess: min_confidence", min_confidence, at_least=0, at_most=1)
    longest_gap = as_number("preprocess: longest_gap (s)", longest_gap, at_least=0)
    smoothing = as_number("preprocess: smoothing (s)", smoothing, at_least=0)
    joints = load(str(skeleton)) if isinstance(skeleton, str | Path) else skeleton
    if joints is not None and not hasattr(joints, "joints"):
        raise UserError(
            "preprocess: skeleton must be a name, a YAML file or what `load_skeleton` returned,"
            f" got {type(joints).__name__}"
        )
    if joints is not None:
        result = preprocessing.select(result, joints)
    if min_confidence > 0:
        result = preprocessing.drop_low_confidence(result, min_confidence)
    if longest_gap > 0:
        result = preprocessing.fill_gaps(result, longest_gap)
    if smoothing > 0:
        result = preprocessing.smooth(result, smoothing)
    if normalise:
        if joints is None:
            raise UserError("preprocess: normalise needs a skeleton, which says what the scale is")
        result = preprocessing.normalise(result, joints)
    return result


def check_cohort(folder: str | Path, *, losses: bool = False) -> Result:
    """Validate a cohort: every fault at once, and the table of participants for a paper.

    Parameters
    ----------
    folder : path
        With participants.tsv, clips.tsv and clips.json (docs/cohort.md).
    losses : bool
        Read each video to its end, for frames that were lost on their way.

    Returns
    -------
    Result
        ok : bool, whether every video can be opened; report : str, the table for a paper and what
        could not be opened; table : the same as a dict.

    Raises
    ------
    UserError
        No such folder, or faults in the tables: all of them, each with file, row and column.

    Examples
    --------
    >>> semiology.check_cohort("my_cohort").ok
    True
    """
    from semiology.data.cohort import check_cohort as check

    if not as_path("check_cohort", folder).is_dir():
        raise UserError(f"{folder}: no such folder; a cohort has participants.tsv and clips.tsv")
    report = check(Path(folder), losses=losses)
    return Result("Cohort", ok=report.ok, report=str(report), table=report.to_dict())


def as_tracks(tracks: str | Path | xr.Dataset) -> xr.Dataset:
    """Tracks from a file or as they are.

    Raises
    ------
    UserError
        Neither a path nor a Dataset of tracks.
    """
    if isinstance(tracks, str | Path):
        return read_tracks(tracks)
    if not hasattr(tracks, "data_vars"):
        raise UserError(
            f"tracks: expected a file or what `make_tracks` returned, got {type(tracks).__name__}"
        )
    if "fps" not in tracks.attrs or not {"time", "keypoint"} <= set(tracks.coords):
        raise UserError(
            "tracks: this Dataset has no attribute fps or no coordinates time and keypoint; make"
            " it with `make_tracks` or `read_tracks`"
        )
    return tracks


def as_cohort(cohort: str | Path | Cohort) -> Cohort:
    """A cohort from its folder or as it is. Videos are not checked."""
    from semiology.data.cohort import Cohort

    if isinstance(cohort, Cohort):
        return cohort
    return Cohort.read(as_path("cohort", cohort), check_videos=False)
