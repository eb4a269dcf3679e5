"""Preprocessing of tracks for the networks: explicit steps, each recorded in the tracks' attribute
`steps`.

select -> drop_low_confidence -> fill_gaps -> smooth -> normalise -> coordinates -> joint, bone and
motion channels, or a graph of torch-geometric
"""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from semiology.data.skeleton import Skeleton
from semiology.data.tracks import with_step
from semiology.errors import UserError
from semiology.video.colour import infrared_fraction, is_infrared

if TYPE_CHECKING:
    from torch_geometric.data import Data

POSITIONS = {"position": "space", "position_3d": "space_3d"}
# variable -> how the joints' values follow from those of their keypoints; others are means
JOINS: dict[str, Callable[..., np.ndarray]] = {"confidence": np.fmin.reduce, "rejected": np.max}


def select(tracks: xr.Dataset, skeleton: Skeleton) -> xr.Dataset:
    """Select the joints of a skeleton, by name: each is the mean of its keypoints, its confidence
    the lowest of the scores that they have, and `rejected` the reason of one of them.

    Raises:
        UserError: the tracks have neither a joint's own name nor all keypoints whose mean it is.
    """
    columns = joint_columns(tracks.keypoint.values.tolist(), skeleton)
    joined = {}
    for name, values in tracks.data_vars.items():
        if (
            "keypoint" in values.dims
        ):  # on arrays: xarray would take longer than the networks take for a window
            by_joint = values.transpose(..., "keypoint")
            joints = join_columns(by_joint.values, columns, JOINS.get(str(name), np.mean))
            joined[name] = (by_joint.dims, joints, values.attrs)
    selected = (
        tracks.drop_dims("keypoint")
        .assign_coords(keypoint=skeleton.names)
        .assign(joined)
        .assign_attrs(skeleton=skeleton.name)
    )
    return with_step(selected, "select", skeleton=skeleton.name)


def joint_columns(keypoints: Sequence[str], skeleton: Skeleton) -> list[list[int]]:
    """Which of the keypoints each joint of a skeleton is the mean of, as numbers.

    Raises:
        UserError: the tracks have neither a joint's own name nor all keypoints whose mean it is.
    """
    place = {name: number for number, name in enumerate(keypoints)}
    sources = {
        joint: [joint] if joint in place else list(names)
        for joint, names in skeleton.joints.items()
    }
    if lacking := [joint for joint, names in sources.items() if not set(names) <= set(place)]:
        raise UserError(
            f"skeleton {skeleton.name}: the tracks hold no keypoints for {lacking}; they hold"
            f" {sorted(place)[:12]} ..."
        )
    return [[place[name] for name in names] for names in sources.values()]


def join_columns(
    values: np.ndarray, columns: Sequence[Sequence[int]], join: Callable[..., np.ndarray] = np.mean
) -> np.ndarray:
    """(..., keypoint) -> (..., joint), each joined from its columns."""
    single = values.dtype.kind == "f"  # of one number, mean and minimum are the number itself
    return np.stack(
        [
            values[..., own[0]] if single and len(own) == 1 else join(values[..., own], axis=-1)
            for own in columns
        ],
        axis=-1,
    )


def drop_low_confidence(tracks: xr.Dataset, threshold: float) -> xr.Dataset:
    """Set positions whose confidence is below the threshold (0 to 1) to NaN; rows are never
    removed.

    Points without a score (confidence NaN) stay.
    """
    keep = ~(tracks["confidence"] < threshold)
    dropped = tracks.assign(
        {name: tracks[name].where(keep) for name in POSITIONS if name in tracks}
    )
    return with_step(
        dropped.assign(confidence=tracks["confidence"].where(keep, 0)),
        "drop_low_confidence",
        threshold=threshold,
    )


def fill_gaps(tracks: xr.Dataset, longest: float) -> xr.Dataset:
    """Interpolate gaps of at most `longest` seconds linearly; longer gaps, and those at the clip's
    ends, stay NaN.

    The confidence of filled positions stays 0, which distinguishes them from tracked ones.
    """
    frames = gap_frames(longest, tracks.attrs["fps"])
    filled = {
        name: (tracks[name].dims, filled_gaps(tracks[name].values, frames))
        for name in POSITIONS
        if name in tracks
    }
    return with_step(tracks.assign(filled), "fill_gaps", longest_s=longest)


def gap_frames(longest: float, fps: float) -> int:
    """The frames at `fps` of a gap of at most `longest` seconds."""
    return int(np.floor(longest * fps + 1e-9))


def filled_gaps(values: np.ndarray, longest: int) -> np.ndarray:
    """A copy of values (time, ...) whose gaps of at most `longest` frames are filled by straight
    lines, in each series by itself; those at its ends stay.
    """
    flat = values.reshape(len(values), -1).copy()
    missing = ~np.isfinite(flat)
    if not missing.any():
        return flat.reshape(values.shape)
    edge = np.zeros((1, flat.shape[1]), bool)
    before, after = np.vstack([edge, missing[:-1]]), np.vstack([missing[1:], edge])
    series, start = np.nonzero((missing & ~before).T)
    end = np.nonzero((missing & ~after).T)[1] + 1  # of the same gaps, as both are in order
    inside = (start > 0) & (end < len(flat)) & (end - start <= longest)
    series, start, end = series[inside], start[inside], end[inside]
    first, last = flat[start - 1, series].astype(float), flat[end, series].astype(float)
    slope = (last - first) / (end - start + 1)
    gap = np.repeat(np.arange(len(start)), end - start)
    step = np.arange(1, len(gap) + 1) - np.repeat(
        np.cumsum(end - start) - (end - start), end - start
    )
    flat[start[gap] - 1 + step, series[gap]] = slope[gap] * step + first[gap]
    return flat.reshape(values.shape)


def smooth(tracks: xr.Dataset, window: float, order: int = 2) -> xr.Dataset:
    """Savitzky-Golay smoothing over `window` seconds within each unbroken run; runs shorter than
    the window are left as they are.
    """
    values = {
        name: (tracks[name].dims, smoothed(tracks[name].values, window, tracks.attrs["fps"], order))
        for name in POSITIONS
        if name in tracks
    }
    return with_step(tracks.assign(values), "smooth", window_s=window, order=order)


def smoothed(values: np.ndarray, window: float, fps: float, order: int = 2) -> np.ndarray:
    """A copy of values (time, ...) at `fps`, each series smoothed as `smooth` does."""
    from scipy.signal import savgol_filter  # a second, where nothing is smoothed

    frames = round(window * fps) // 2 * 2 + 1
    flat = values.reshape(len(values), -1).copy()
    for series in range(flat.shape[1]):
        line = flat[:, series].copy()
        for run in unbroken_runs(np.isfinite(line)):
            if run.stop - run.start >= frames > order:
                line[run] = savgol_filter(line[run], frames, order)
        flat[:, series] = line
    return flat.reshape(values.shape)


def normalise(
    tracks: xr.Dataset, skeleton: Skeleton, origin: str = "clip", upright: bool = False
) -> xr.Dataset:
    """Express positions in body units: origin at the skeleton's origin joints, unit the median
    length between its two scale joints.

    The unit is one number a clip (a frame-wise unit would turn tracking noise into movement), so
    distance to the camera cancels out and foreshortening within the clip is preserved. [our choice]

    Args:
        tracks: with the skeleton's joints.
        skeleton: with origin and scale joints.
        origin: "clip" subtracts the median origin of the whole clip, which preserves the movement
            of the trunk; "frame" subtracts each frame's origin.
        upright: rotate every frame in the image plane so that the line from the second to the first
            scale joint points to the right. For a face these are the eyes, right to left: this
            removes the head's roll from the expression.

    Raises:
        UserError: `origin` is neither.
    """
    names = tracks.keypoint.values.tolist()
    normalised = {}
    for name, space in POSITIONS.items():
        if name in tracks:
            position = tracks[name].transpose("time", "keypoint", space).values
            values = normalised_positions(position, names, skeleton, origin, upright)
            normalised[name] = (("time", space, "keypoint"), values.swapaxes(1, 2))
    return with_step(
        tracks.assign(normalised),
        "normalise",
        origin=origin,
        upright=upright,
        unit=list(skeleton.scale),
    )


def normalised_positions(
    position: np.ndarray,
    names: Sequence[str],
    skeleton: Skeleton,
    origin: str = "clip",
    upright: bool = False,
) -> np.ndarray:
    """Positions (time, keypoint, space) of keypoints of these names as `normalise` expresses them;
    arguments and errors are as there.
    """
    if origin not in ("clip", "frame"):
        raise UserError(f'normalise: origin must be "clip" or "frame", got {origin!r}')
    joint = {name: number for number, name in enumerate(names)}
    centre = position[:, [joint[of] for of in skeleton.origin]].mean(axis=1)  # (time, space)
    if origin == "clip":
        centre = median_of_known(centre, axis=0)
    first, second = (joint[of] for of in skeleton.scale)
    across = position[:, first] - position[:, second]
    length = np.sqrt((across**2).sum(axis=1))
    unit = float(median_of_known(length, axis=0)[0])
    values = ((position - centre[:, None]) / (unit if unit > 0 else np.nan)).astype(np.float32)
    return _turned_level(values, first, second) if upright else values


def _turned_level(positions: np.ndarray, first: int, second: int) -> np.ndarray:
    """Positions (time, keypoint, space) rotated about the origin in the image plane, frame by
    frame, so that joint `second` is level with joint `first`, to its left.
    """
    across = positions[:, first] - positions[:, second]
    angle = np.arctan2(across[:, 1], across[:, 0])[:, None]
    x, y = positions[..., 0], positions[..., 1]
    turned = positions.copy()
    turned[..., 0] = np.cos(angle) * x + np.sin(angle) * y
    turned[..., 1] = np.cos(angle) * y - np.sin(angle) * x
    return turned


def coordinates(tracks: xr.Dataset, dimensions: int) -> np.ndarray:
    """(time, joint, 2 or 3) array of the positions in the plane or in space.

    Raises:
        UserError: 3D is requested of tracks with 2D only, or the other way round.
    """
    name = position_name(dimensions, [str(name) for name in tracks.data_vars])
    return tracks[name].transpose("time", "keypoint", POSITIONS[name]).values


def position_name(dimensions: int, held: Collection[str]) -> str:
    """The variable of positions in the plane (2) or in space (3), of those that tracks hold.

    Raises:
        UserError: it is not among them.
    """
    name = {2: "position", 3: "position_3d"}.get(dimensions)
    if name is None or name not in held:
        raise UserError(
            f"dimensions: {dimensions} requested, but the tracks hold"
            f" {[one for one in POSITIONS if one in held]}; set dimensions to 2 (pixels) or 3"
            " (metres) accordingly"
        )
    return name


def bones(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Bone vectors (..., joint, space): each joint minus its inner neighbour; zero at the root. [C]
    2s-AGCN data_gen/gen_bone_data.py
    """
    return joints - joints[..., skeleton.parents, :]


def motion(positions: np.ndarray) -> np.ndarray:
    """Motion (..., time, joint, space): position in the next frame minus that in this one; zero in
    the last. [C] MS-AAGCN data_gen/gen_motion_data.py
    """
    return np.concatenate(
        [np.diff(positions, axis=-3), np.zeros_like(positions[..., -1:, :, :])], axis=-3
    )


def deviation(positions: np.ndarray) -> np.ndarray:
    """Deviation (..., time, joint, space): each joint minus its own median over the window; NaN
    throughout for a joint that is always missing.

    A face's landmarks differ more between people than between expressions; this removes the
    former. [our choice]
    """
    return positions - median_of_known(positions, axis=-3)


def median_of_known(values: np.ndarray, axis: int) -> np.ndarray:
    """The median along an axis, which is kept with length one, of the values that are not NaN; NaN
    where there are none. np.nanmedian gives the same in ten times the time.
    """
    ordered = np.sort(values, axis=axis)  # NaN last
    known = np.isfinite(values).sum(axis=axis, keepdims=True)
    low, high = (
        np.take_along_axis(ordered, middle, axis=axis)
        for middle in (np.maximum(known - 1, 0) // 2, known // 2)
    )
    return (low + high) / 2


def unbroken_runs(flags: np.ndarray) -> list[slice]:
    """The runs of True in (time,) flags, as slices in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags, np.int8), [0]])))
    return [slice(start, end) for start, end in edges.reshape(-1, 2).tolist()]


def infrared(tracks: xr.Dataset) -> tuple[float, list[tuple[float, float]]]:
    """Night infrared in tracks: the fraction of frames (missing ones left out), 0 to 1, and the
    stretches (start, end) in s, see `semiology.video.image.is_infrared`. NaN and none where the
    tracks hold no chroma.
    """
    if "chroma" not in tracks.coords:
        return float("nan"), []
    chroma, fps = tracks["chroma"].values, float(tracks.attrs["fps"])
    time = tracks["time"].values
    runs = unbroken_runs(is_infrared(chroma, fps))
    return infrared_fraction(chroma, fps), [
        (float(time[run.start]), float(time[run.stop - 1] + 1 / fps)) for run in runs
    ]


def to_graph(tracks: xr.Dataset, skeleton: Skeleton, dimensions: int = 2) -> "Data":
    """The spatio-temporal graph of a clip for torch-geometric: a node for each joint in each frame.

    Node number = frame * joints + joint. Edges, both ways: along the bones within a frame, and from
    each joint to itself in the next frame.

    Returns:
        Data with `pos` (node, space), zeros where missing; `mask` (node,) True where tracked;
        `confidence` (node,), NaN without a score; `edge_index` (2, edge); `temporal` (edge,) True
        for edges through time; `frames` and `joints`, the two counts.
    """
    import torch
    from torch_geometric.data import Data

    chosen = select(tracks, skeleton)
    position = coordinates(chosen, dimensions)  # (time, joint, space)
    frames, joints = position.shape[:2]
    seen = np.isfinite(position).all(axis=2)
    starts = np.arange(frames)[:, None, None] * joints
    bones = (starts + skeleton.edge_index[None]).reshape(-1, 2)
    nodes = np.arange(frames * joints).reshape(frames, joints)
    steps = np.stack([nodes[:-1].ravel(), nodes[1:].ravel()], axis=1)
    edges = np.concatenate([bones, bones[:, ::-1], steps, steps[:, ::-1]])
    return Data(
        pos=torch.from_numpy(
            np.where(seen[..., None], position, 0)
            .reshape(frames * joints, dimensions)
            .astype(np.float32)
        ),
        mask=torch.from_numpy(seen.ravel()),
        confidence=torch.from_numpy(chosen["confidence"].values.astype(np.float32).ravel()),
        edge_index=torch.from_numpy(edges.T.copy()),
        temporal=torch.arange(len(edges)) >= 2 * len(bones),
        frames=frames,
        joints=joints,
    )
