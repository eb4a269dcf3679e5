"""Keypoints in COCO's JSON as tracks over frames: a data set (images, annotations, categories) or a
list of results, as AlphaPose writes it too; and MMPose's results of a video.

The frame is an image's frame_index, else the number in its file name
(`image_names.frame_numbers`), else its id. In a data set the third number of a point is its
visibility (0 not labelled, 1 hidden, 2 visible), and labelled points have confidence 1; in results
it is the confidence. Who an annotation shows is its track_id, or what other programs write in its
place (`WHO`); without it, people are linked over time (`people.link`).

MMPose: a list of {frame_id, instances} (its inferencers, counted from 0), or `instance_info` beside
`meta_info` (its demos, which count from 1). Sources: [C] COCO's data format; CVAT's and datumaro's,
sleap-io 0.9.5's, AlphaPose's and MMPose 1.3's writers.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.formats.common import flat_triples, names_of, pixels, tracks_from_rows, triples
from semiology.data.formats.image_names import check_frames, frame_numbers
from semiology.data.formats.people import Named, choose_named, note_person
from semiology.data.keypoint_names import COCO_17, WHOLE_BODY_133
from semiology.errors import UserError
from semiology.files import read_json, write_json

# keys that tell people apart, of the annotation or in its `attributes`: track_id of trackers and of
# CVAT (through datumaro), object_id of sleap-io, instance_id of sets of videos, idx of AlphaPose
WHO = ("track_id", "object_id", "instance_id", "idx")


def read(
    path: Path,
    *,
    fps: float | None = None,
    individual: str | None = None,
    width: int = 0,
    height: int = 0,
) -> xr.Dataset:
    """Tracks of one person. Images without an annotation are rows of NaN; frame numbers without an
    image are missing.

    Raises:
        UserError: not COCO's, points without names, several people with track_id and none chosen,
            no frame rate.
    """
    raw = read_json(path, object, what="readable JSON", remedy="export it again")
    labels = isinstance(raw, dict) and "instance_info" not in raw
    try:
        entries, frames, names, sizes = _content(path, raw)
        found: dict[int, list[Named]] = {frame: [] for frame in frames.values()}
        for number, entry in enumerate(entries):
            values = triples(path, f"annotation {number}", entry["keypoints"])
            if len(values) != len(names):
                raise UserError(
                    f"{path}: annotation {number} has {len(values)} points for {len(names)} names"
                )
            own = np.minimum(values[:, 2], 1) if labels else values[:, 2]
            scores = entry.get("keypoint_scores", own)
            missing = values[:, 2] == 0 if labels else (values == 0).all(axis=1)
            points = np.column_stack([values[:, :2], np.array(scores, dtype=float)])  # null is NaN
            points[missing] = np.nan
            found[frames[entry["image_id"]]].append((points, _who(entry)))
    except UserError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"{path}: not COCO's keypoints: {type(error).__name__} {error} in it"
        ) from error
    people = {frame: [(at[:, :2], who) for at, who in there] for frame, there in found.items()}
    chosen, note = choose_named(path, people, individual, "track_id")
    rows = sorted(found)
    position = np.full((len(rows), len(names), 3), np.nan)
    for row, frame in enumerate(rows):
        if frame in chosen:
            position[row] = found[frame][chosen[frame]][0]
    seen = sizes.pop() if len(sizes) == 1 else (width, height)
    tracks = tracks_from_rows(
        path,
        rows,
        names,
        position[..., :2],
        fps=fps,
        confidence=position[..., 2],
        peaks=True,
        scored=any((at[:, 2] > 0).any() for there in found.values() for at, _ in there),
        width=seen[0],
        height=seen[1],
        backend="coco",
    )
    return note_person(tracks, note)


def _content(path: Path, raw) -> tuple[list, dict, list[str], set]:
    """Annotations, image_id -> frame, names of the points, sizes of the images."""
    if isinstance(raw, dict):
        return _mmpose(path, raw) if "instance_info" in raw else _dataset(path, raw)
    return _mmpose(path, raw) if raw and "instances" in raw[0] else _results(path, raw)


def _mmpose(path: Path, raw) -> tuple[list, dict, list[str], set]:
    """Of MMPose's results: instances hold (keypoint, 2) positions and their scores apart."""
    listed = raw if isinstance(raw, list) else raw["instance_info"]
    about = {} if isinstance(raw, list) else raw.get("meta_info", {}).get("keypoint_id2name", {})
    named = [str(about[key]) for key in sorted(about, key=int)]
    sizes = {len(person["keypoints"]) for frame in listed for person in frame["instances"]}
    whole = sizes == {len(WHOLE_BODY_133)} and (not named or "left_hand_root" in named)
    names = WHOLE_BODY_133 if whole else named or COCO_17
    numbers = [int(frame["frame_id"]) for frame in listed]
    first = 1 if isinstance(raw, dict) and 0 not in numbers else 0
    check_frames(numbers, [f"frame_id {number}" for number in numbers], path)
    entries = []
    for number, frame in zip(numbers, listed, strict=True):
        for person in frame["instances"]:
            position = np.array(person["keypoints"], dtype=float)
            if position.ndim != 2 or position.shape[1] != 2:
                raise UserError(
                    f"{path}: frame_id {number}: keypoints are {position.shape}, expected x, y for"
                    " each point; give MMPose's results in the image, not those in space"
                )
            if not about and len(position) != len(names):
                raise UserError(
                    f"{path}: these results name no points, and their {len(position)} are not"
                    " COCO's 17 or COCO-WholeBody's 133; give MMPose's results with meta_info"
                )
            joined = np.column_stack([position, np.array(person["keypoint_scores"], dtype=float)])
            entries.append(
                {
                    "image_id": number - first,
                    "keypoints": joined.ravel().tolist(),
                    **{key: person[key] for key in WHO if key in person},
                }
            )
    return entries, {number - first: number - first for number in numbers}, names, set()


def _results(path: Path, raw: list) -> tuple[list, dict, list[str], set]:
    """Annotations, image_id -> frame, names of the points, sizes of the images: of a list of
    results, which names no points.
    """
    entries = [entry for entry in raw if entry.get("keypoints")]
    if any(len(entry["keypoints"]) != 3 * len(COCO_17) for entry in entries):
        raise UserError(
            f"{path}: results name no points, and these are not COCO's 17; give a data set with"
            " categories"
        )
    images = list(dict.fromkeys(entry["image_id"] for entry in raw))
    named = [image for image in images if not isinstance(image, int)]
    frames = {image: image for image in images if isinstance(image, int)}
    frames |= dict(zip(named, frame_numbers([str(name) for name in named], path), strict=True))
    return entries, frames, COCO_17, set()


def _dataset(path: Path, raw: dict) -> tuple[list, dict, list[str], set]:
    entries = [entry for entry in raw["annotations"] if entry.get("keypoints")]
    used = {entry["category_id"] for entry in entries}
    named = [
        one["keypoints"]
        for one in raw["categories"]
        if one.get("keypoints") and (not used or one["id"] in used)
    ]
    if len(named) != 1:
        raise UserError(
            f"{path}: annotations of {len(named)} categories with keypoints, expected one"
        )
    folders = {
        str(Path(image["file_name"]).parent) for image in raw["images"] if "file_name" in image
    }
    if len(folders) > 1:
        raise UserError(
            f"{path}: images of several folders ({', '.join(sorted(folders)[:3])}); tracks are of"
            " one video: split the file"
        )
    images = raw["images"]
    frames = {
        image["id"]: int(image["frame_index"])
        for image in images
        if image.get("frame_index") is not None
    }
    unknown = [image for image in images if image["id"] not in frames and "file_name" in image]
    numbers = frame_numbers([str(image["file_name"]) for image in unknown], path)
    frames |= {image["id"]: number for image, number in zip(unknown, numbers, strict=True)}
    frames = {image["id"]: frames.get(image["id"], image["id"]) for image in images}
    if len(frames) < len(images):
        raise UserError(f"{path}: two images have one id; give each its own")
    check_frames(
        list(frames.values()),
        [str(image.get("file_name", f"image {image['id']}")) for image in images],
        path,
    )
    sizes = {(int(image["width"]), int(image["height"])) for image in images if image.get("width")}
    return entries, frames, [str(name) for name in named[0]], sizes


def _who(entry: dict) -> str | None:
    """Name or number of whom an annotation shows; None where it tells nothing.

    AlphaPose without tracking writes lists of the numbers of the detections that it merged: where
    they differ, they name nobody.
    """
    for holder in (entry, entry.get("attributes") or {}):
        for key in WHO:
            if holder.get(key) is not None:
                values = np.unique(np.array(holder[key], dtype=object).ravel().astype(str))
                return _plain(values[0]) if len(values) == 1 else None
    return None


def _plain(name: str) -> str | None:
    """The number without its decimals ("3.0" as AlphaPose writes it); -1 is nobody."""
    name = name.removesuffix(".0")
    return None if name in ("-1", "", "None") else name


def write(tracks: xr.Dataset, path: Path) -> None:
    """A data set with one image a frame and one annotation where anything was found. Confidences go
    into `keypoint_scores` beside it.

    There a point without a score has null, which JSON has in place of NaN.

    Raises:
        UserError: tracks without positions in px, a folder that cannot be written.
    """
    position, confidence = pixels(tracks, path)
    size = {"width": int(tracks.attrs["width"]), "height": int(tracks.attrs["height"])}
    annotations: list[dict] = []
    for frame, points in enumerate(position):
        found = np.isfinite(points).all(axis=1)
        if found.any():
            low, high = points[found].min(axis=0), points[found].max(axis=0)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": frame,
                    "category_id": 1,
                    "track_id": 0,
                    "keypoints": flat_triples(points, np.full(len(points), 2, np.float32)),
                    "keypoint_scores": [
                        None if score == "nan" else float(score)
                        for score in confidence[frame].astype(str)
                    ],
                    "num_keypoints": int(found.sum()),
                    "bbox": [float(value) for value in (*low, *(high - low))],
                    "area": float(np.prod(high - low)),
                    "iscrowd": 0,
                    "segmentation": [],
                }
            )
    content = {
        "images": [
            {"id": frame, "file_name": f"frame_{frame:06d}.png", **size}
            for frame in range(len(position))
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "patient", "keypoints": names_of(tracks), "skeleton": []}],
    }
    write_json(path, content, indent=None)
