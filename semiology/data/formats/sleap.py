"""SLEAP's labels and predictions (.slp): HDF5 tables of frames, instances and points, and the names
of nodes and tracks as JSON; and what it exports for analysis, .h5 and .csv.

Read and written with h5py alone. Where a frame has a label and a prediction of the same track, the
label is read. A label without a track has that of the prediction that it was made from, else of the
nearest pose (`common.name_unnamed`). Where nothing has a track, instances are linked over time
(`people.link`). Source: [C] SLEAP's and sleap-io's reading of the same tables.
"""

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from semiology.data.formats.common import (
    names_of,
    pixels,
    read_cells,
    take_columns,
    tracks_from_rows,
)
from semiology.data.formats.people import (
    choose_individual,
    choose_person,
    name_unnamed,
    note_person,
)
from semiology.data.tracks import H5_FAULTS
from semiology.errors import UserError
from semiology.files import atomic_path

USER, PREDICTED = 0, 1  # types of instances
# before this version of the format, (0, 0) was the corner of the first pixel, since then its centre
CORNER = 1.1
VERSION = 1.2  # of files that are written
VIDEO = "video.mp4"  # in place of the video's name, which tracks do not hold
POINT = [("x", "<f8"), ("y", "<f8"), ("visible", "?"), ("complete", "?")]
FRAME = [
    ("frame_id", "<u8"),
    ("video", "<u4"),
    ("frame_idx", "<u8"),
    ("instance_id_start", "<u8"),
    ("instance_id_end", "<u8"),
]
INSTANCE = [
    ("instance_id", "<i8"),
    ("instance_type", "u1"),
    ("frame_id", "<u8"),
    ("skeleton", "<u4"),
    ("track", "<i4"),
    ("from_predicted", "<i8"),
    ("score", "<f4"),
    ("point_id_start", "<u8"),
    ("point_id_end", "<u8"),
    ("tracking_score", "<f4"),
]


@dataclass(frozen=True)
class Pose:
    """One instance: its frame, its track if it has one, whether it was labelled by hand, and
    (node, 3) x, y, confidence; NaN where a node was not found.
    """

    frame: int
    track: str | None
    label: bool
    points: np.ndarray


@dataclass(frozen=True)
class Content:
    """Names of nodes and, in order, of tracks; the frames of the file; the instances in them."""

    nodes: list[str]
    tracks: list[str]
    frames: list[int]
    poses: list[Pose]


def read(
    path: Path,
    *,
    fps: float | None = None,
    individual: str | None = None,
    width: int = 0,
    height: int = 0,
) -> xr.Dataset:
    """Tracks of one animal or person, by the name of its track. Labelled points have confidence 1,
    predicted ones their score.

    Raises:
        UserError: no such file, damaged, frames of several videos, several tracks and none chosen,
            a label that belongs to no track, no frame rate.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        if path.suffix.lower() == ".csv":
            content = _csv(path)
        else:
            with h5py.File(path, "r") as file:
                content = _analysis(path, file) if "tracks" in file else _slp(path, file)
    except UserError:
        raise
    except H5_FAULTS as error:
        raise UserError(
            f"{path}: not a readable file of SLEAP's ({' '.join(str(error).split())[:160]}); save"
            " it again"
        ) from error
    used = {pose.track for pose in content.poses}
    tracks = [name for name in content.tracks if name in used]
    if tracks:
        name = tracks[choose_individual(path, individual, tracks)]
        chosen = _of_track(path, content.poses, tracks, name)
        note = {"people": len(tracks), "chosen": f"track {name}", "frames": len(chosen)}
    else:
        poses = _without_corrected(content.poses)
        there = {frame: np.array([at[:, :2] for at in poses[frame]]) for frame in poses}
        places, note = choose_person(path, there, individual)
        chosen = {frame: poses[frame][place] for frame, place in places.items()}
    rows = sorted(content.frames)
    empty = np.full((len(content.nodes), 3), np.nan)
    values = np.array([chosen.get(frame, empty) for frame in rows]).reshape(
        len(rows), len(content.nodes), 3
    )
    made = tracks_from_rows(
        path,
        rows,
        content.nodes,
        values[..., :2],
        fps=fps,
        confidence=values[..., 2],
        peaks=True,
        scored=any((pose.points[:, 2] > 0).any() for pose in content.poses),
        width=width,
        height=height,
        backend="sleap",
    )
    return note_person(made, note)


def _of_track(path: Path, poses: list[Pose], tracks: list[str], name: str) -> dict[int, np.ndarray]:
    """frame -> (node, 3) of a track: its label where there is one, else its prediction."""
    predicted = {pose.frame: pose.points for pose in poses if pose.track == name and not pose.label}
    labels = _by_frame(pose for pose in poses if pose.label)
    people = {
        frame: [(at.points[:, :2], at.track) for at in there] for frame, there in labels.items()
    }
    known = [(pose.frame, (pose.points[:, :2], pose.track)) for pose in poses if not pose.label]
    chosen = dict(predicted)
    for frame, names in name_unnamed(people, known).items():
        free = [track for track in tracks if track not in names]
        if None in names and len(tracks) == 1 and free:  # there is nobody else
            names[names.index(None)] = name
        elif None in names and free:
            raise UserError(
                f"{path}: frame {frame} has a label without a track that lies near none of"
                f" {', '.join(free[:4])}; set its track in SLEAP"
            )
        if name in names:
            chosen[frame] = labels[frame][names.index(name)].points
    return chosen


def _without_corrected(poses: list[Pose]) -> dict[int, list[np.ndarray]]:
    """frame -> (node, 3) of its instances, without a prediction that lies under a label."""
    left = {}
    for frame, there in _by_frame(poses).items():
        labels = [pose for pose in there if pose.label]
        others = [pose for pose in there if not pose.label]
        known = [(frame, (pose.points[:, :2], str(n))) for n, pose in enumerate(others)]
        corrected = name_unnamed({frame: [(pose.points[:, :2], None) for pose in labels]}, known)
        kept = [pose for n, pose in enumerate(others) if str(n) not in corrected[frame]]
        left[frame] = [pose.points for pose in (*labels, *kept)]
    return left


def _by_frame(poses: Iterable[Pose]) -> dict[int, list[Pose]]:
    found: dict[int, list[Pose]] = {}
    for pose in poses:
        found.setdefault(pose.frame, []).append(pose)
    return found


def _slp(path: Path, file: h5py.File) -> Content:
    about = json.loads(file["metadata"].attrs["json"])
    skeletons = [skeleton.get("nx_graph", skeleton) for skeleton in about["skeletons"]]
    tracks = [str(json.loads(row)[1]) for row in file["tracks_json"][:]]
    frames, instances = file["frames"][:], file["instances"][:]
    points = {USER: file["points"][:], PREDICTED: file["pred_points"][:]}
    if len(np.unique(frames["video"])) > 1:
        raise UserError(
            f"{path}: frames of {len(np.unique(frames['video']))} videos; tracks are of one video:"
            " save each alone"
        )
    if len(skeletons) != 1:
        raise UserError(f"{path}: holds {len(skeletons)} skeletons, expected one")
    names = [str(about["nodes"][int(node["id"])]["name"]) for node in skeletons[0]["nodes"]]
    shift = 0.5 if float(file["metadata"].attrs["format_id"]) < CORNER else 0.0
    track_of = dict(zip(instances["instance_id"].tolist(), instances["track"].tolist()))
    poses = []
    for frame in frames:
        mine = instances[int(frame["instance_id_start"]) : int(frame["instance_id_end"])]
        corrected = set(mine["from_predicted"].tolist()) - {-1}
        for instance in mine:
            if int(instance["instance_id"]) in corrected:
                continue
            kind, track = int(instance["instance_type"]), int(instance["track"])
            if track < 0 and kind == USER:
                track = track_of.get(int(instance["from_predicted"]), -1)
            block = points[kind][int(instance["point_id_start"]) : int(instance["point_id_end"])]
            seen = np.full((len(names), 3), np.nan)
            seen[:, 0], seen[:, 1] = block["x"] - shift, block["y"] - shift
            seen[:, 2] = block["score"] if kind == PREDICTED else 1
            seen[~block["visible"]] = np.nan
            name = tracks[track] if track >= 0 else None
            poses.append(Pose(int(frame["frame_idx"]), name, kind == USER, seen))
    return Content(names, tracks, sorted({int(number) for number in frames["frame_idx"]}), poses)


def _analysis(path: Path, file: h5py.File) -> Content:
    """Of an analysis .h5: arrays over frames, tracks and nodes, in the order that `dims` tells;
    without it (SLEAP's own) tracks are (track, 2, node, frame), and scores (track, node, frame).
    """
    nodes, names = (
        [name.decode() for name in file[key][:]] for key in ("node_names", "track_names")
    )
    found = _in_order(file["tracks"], ("track", "xy", "node", "frame"))
    if found.shape[2:] != (len(nodes), 2) or found.shape[1] != max(len(names), 1) != 1:
        raise UserError(
            f"{path}: tracks are {file['tracks'].shape} for {len(names)} tracks and {len(nodes)}"
            " nodes; export it for analysis again"
        )
    scores = (
        _in_order(file["point_scores"], ("track", "node", "frame"))
        if "point_scores" in file
        else np.ones(found.shape[:3])
    )
    joined = np.concatenate([found, scores[..., None]], axis=3)
    joined[~np.isfinite(found).all(axis=3)] = np.nan
    poses = [
        Pose(int(frame), names[track] if names else None, False, joined[frame, track])
        for frame, track in np.argwhere(np.isfinite(found).all(axis=3).any(axis=2))
    ]
    return Content(nodes, names, list(range(len(joined))), poses)


def is_analysis(path: Path) -> bool:
    """Whether an .h5 is SLEAP's analysis of a video."""
    try:
        with h5py.File(path, "r") as file:
            return {"tracks", "node_names"} <= set(file)
    except H5_FAULTS:
        return False


def _in_order(dataset: h5py.Dataset, dims: tuple[str, ...]) -> np.ndarray:
    """The array over frame, track, node and, where it has them, xy."""
    dims = tuple(json.loads(dataset.attrs["dims"])) if "dims" in dataset.attrs else dims
    return dataset[:].transpose(
        [dims.index(name) for name in ("frame", "track", "node", "xy") if name in dims]
    )


def _csv(path: Path) -> Content:
    """Of an analysis .csv: a row an instance; without a score it is a label."""
    cells = read_cells(path)
    header = cells[0]
    nodes = [name.removesuffix(".x") for name in header if name.endswith(".x")]
    if not nodes or "frame_idx" not in header:
        raise UserError(f"{path}: not SLEAP's: expected frame_idx and x, y of nodes (nose.x)")
    if any(node.startswith("inst0.") for node in nodes):  # places in the frame, not people
        raise UserError(
            f"{path}: a row a frame, whose columns inst0., inst1. are no people; save it with a row"
            ' an instance (save_csv with format="sleap")'
        )
    for column in ("video", "video_path"):
        if column in header and len({row[header.index(column)] for row in cells[1:]}) > 1:
            raise UserError(f"{path}: rows of several videos; tracks are of one: save each alone")
    places = take_columns(path, cells, [f"{node}.{axis}" for node in nodes for axis in "xy"])
    points = np.full((len(places), len(nodes), 3), np.nan)
    points[..., :2] = places.reshape(len(places), len(nodes), 2)
    scored = [node for node in nodes if f"{node}.score" in header]
    points[:, [nodes.index(node) for node in scored], 2] = take_columns(
        path, cells, [f"{node}.score" for node in scored]
    )
    label = np.isnan(points[..., 2]).all(axis=1)
    points[label, :, 2] = 1
    points[~np.isfinite(points[..., :2]).all(axis=2)] = np.nan
    frames = take_columns(path, cells, ["frame_idx"])[:, 0]
    if not (frames == np.round(frames)).all():
        raise UserError(f"{path}: frame_idx has cells that are no whole numbers")
    named = [row[header.index("track")] for row in cells[1:]] if "track" in header else []
    names = [name or None for name in named] or [None] * len(points)
    poses = [
        Pose(int(frame), name, bool(by_hand), at)
        for frame, name, by_hand, at in zip(frames, names, label, points, strict=True)
    ]
    used = list(dict.fromkeys(name for name in names if name is not None))
    return Content(nodes, used, sorted({pose.frame for pose in poses}), poses)


def write(tracks: xr.Dataset, path: Path) -> None:
    """Predictions of one track, "patient", a row for every frame; no edges. The video is called
    video.mp4: SLEAP asks where it is.

    A point without a score has NaN for it, an instance the mean of the scores that its points have.

    Raises:
        UserError: tracks without positions in px, a folder that cannot be written.
    """
    position, confidence = pixels(tracks, path)
    count = position.shape[1]
    found = np.isfinite(position).all(axis=2)
    rows = np.flatnonzero(found.any(axis=1))  # frames with an instance
    first = np.concatenate([[0], np.cumsum(found.any(axis=1))])
    frames = np.array(
        [(t, 0, t, first[t], first[t + 1]) for t in range(len(position))], dtype=FRAME
    )
    scored = found & np.isfinite(confidence)
    with np.errstate(invalid="ignore"):  # 0 / 0 where no point of an instance has a score
        mean = np.where(scored, confidence, 0).sum(axis=1) / scored.sum(axis=1)
    instances = np.array(
        [
            (n, PREDICTED, t, 0, 0, -1, mean[t], n * count, (n + 1) * count, 0)
            for n, t in enumerate(rows)
        ],
        dtype=INSTANCE,
    )
    points = np.zeros(len(rows) * count, dtype=[*POINT, ("score", "<f8")])
    points["x"], points["y"] = position[rows].reshape(-1, 2).T
    points["visible"], points["score"] = found[rows].ravel(), confidence[rows].ravel()
    names = names_of(tracks)
    about = {
        "version": "2.0.0",
        "skeletons": [
            {
                "directed": True,
                "graph": {"name": "patient", "num_edges_inserted": 0},
                "links": [],
                "multigraph": True,
                "nodes": [{"id": number} for number in range(count)],
            }
        ],
        "nodes": [{"name": name, "weight": 1.0} for name in names],
        "videos": [],
        "tracks": [],
        "suggestions": [],
        "negative_anchors": {},
        "provenance": {},
    }
    memory = io.BytesIO()  # when HDF5 itself meets a full disk, it takes the whole process down
    with h5py.File(memory, "w") as file:
        group = file.create_group("metadata")
        group.attrs["format_id"] = VERSION
        group.attrs["json"] = np.bytes_(json.dumps(about, separators=(",", ":")).encode("utf-8"))
        file["frames"], file["instances"], file["pred_points"] = frames, instances, points
        file["points"] = np.zeros(0, dtype=POINT)
        file["tracks_json"] = [np.bytes_(json.dumps([0, "patient"]).encode())]
        file["videos_json"] = [np.bytes_(json.dumps({"backend": {"filename": VIDEO}}).encode())]
        file["suggestions_json"] = np.zeros(0)
    with atomic_path(path) as temporary:
        temporary.write_bytes(memory.getvalue())
