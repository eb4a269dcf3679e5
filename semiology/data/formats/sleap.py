"""SLEAP's labels and predictions (.slp): HDF5 tables of frames, instances and points, and the names
of nodes and tracks as JSON.

Read and written with h5py alone. Where a frame has a label and a prediction of the same track, the
label is read. Instances without a track are linked over time (`common.link`). Source: [C] SLEAP's
and sleap-io's reading of the same tables.
"""

import io
import json
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from semiology.data.formats.common import (
    choose_individual,
    choose_person,
    names_of,
    note_person,
    pixels,
    tracks_from_rows,
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
            no frame rate.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            names, tracks, found = _content(path, file)
    except UserError:
        raise
    except H5_FAULTS as error:
        raise UserError(
            f"{path}: not a readable .slp file ({' '.join(str(error).split())[:160]}); save it"
            " again"
        ) from error
    used = sorted(
        {track for instances in found.values() for track in instances if isinstance(track, str)},
        key=tracks.index,
    )
    if used:
        name = used[choose_individual(path, individual, used)]
        chosen = {frame: instances[name] for frame, instances in found.items() if name in instances}
        note = {"people": len(used), "chosen": f"track {name}", "frames": len(chosen)}
    else:
        poses = {
            frame: np.array([points[:, :2] for points in instances.values()])
            for frame, instances in found.items()
        }
        places, note = choose_person(path, poses, individual)
        chosen = {frame: list(found[frame].values())[place] for frame, place in places.items()}
    rows = sorted(found)
    empty = np.full((len(names), 3), np.nan)
    values = np.array([chosen.get(frame, empty) for frame in rows]).reshape(
        len(rows), len(names), 3
    )
    made = tracks_from_rows(
        path,
        rows,
        names,
        values[..., :2],
        fps=fps,
        confidence=values[..., 2],
        peaks=True,
        width=width,
        height=height,
        backend="sleap",
    )
    return note_person(made, note)


def _content(
    path: Path, file: h5py.File
) -> tuple[list[str], list[str], dict[int, dict[str | int, np.ndarray]]]:
    """Names of nodes, names of tracks, and frame -> track (or, without one, number of the instance)
    -> (node, 3) x, y, confidence.
    """
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
    found: dict[int, dict[str | int, np.ndarray]] = {}
    for frame in frames:
        there = found.setdefault(int(frame["frame_idx"]), {})
        mine = instances[int(frame["instance_id_start"]) : int(frame["instance_id_end"])]
        mine = mine[
            ~np.isin(mine["instance_id"], mine["from_predicted"][mine["from_predicted"] >= 0])
        ]  # predictions that were corrected
        for number, instance in enumerate(
            sorted(mine, key=lambda instance: -int(instance["instance_type"]))
        ):  # labels last: they win
            kind = int(instance["instance_type"])
            block = points[kind][int(instance["point_id_start"]) : int(instance["point_id_end"])]
            seen = np.full((len(names), 3), np.nan)
            seen[:, 0], seen[:, 1] = block["x"] - shift, block["y"] - shift
            seen[:, 2] = block["score"] if kind == PREDICTED else 1
            seen[~block["visible"]] = np.nan
            there[tracks[instance["track"]] if instance["track"] >= 0 else number] = seen
    return names, tracks, found


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
