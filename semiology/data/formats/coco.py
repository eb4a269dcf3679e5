"""Keypoints in COCO's JSON as tracks over frames: a data set (images, annotations, categories) or a
list of results.

The frame is the number in the image's file name, or the image's id where no names are given. In a
data set the third number of a point is its visibility (0 not labelled, 1 hidden, 2 visible), and
labelled points have confidence 1; in results it is the confidence. Annotations with a track_id are
people; others are linked over time (`common.link`). Source: [C] COCO's data format.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from semiology.data.formats.common import (
    choose_individual,
    choose_person,
    flat_triples,
    frame_number,
    names_of,
    note_person,
    pixels,
    tracks_from_rows,
    triples,
)
from semiology.data.keypoint_names import COCO_17
from semiology.errors import UserError
from semiology.files import read_json, write_json


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
    try:
        entries, frames, names, sizes = (
            _results(path, raw) if isinstance(raw, list) else _dataset(path, raw)
        )
        found: dict[int, list[tuple[np.ndarray, object]]] = {frame: [] for frame in frames.values()}
        for number, entry in enumerate(entries):
            values = triples(path, f"annotation {number}", entry["keypoints"])
            if len(values) != len(names):
                raise UserError(
                    f"{path}: annotation {number} has {len(values)} points for {len(names)} names"
                )
            own = values[:, 2] if isinstance(raw, list) else np.minimum(values[:, 2], 1)
            scores = entry.get("keypoint_scores", own)
            missing = (values == 0).all(axis=1) if isinstance(raw, list) else values[:, 2] == 0
            points = np.column_stack([values[:, :2], np.array(scores, dtype=float)])  # null is NaN
            points[missing] = np.nan
            found[frames[entry["image_id"]]].append((points, entry.get("track_id")))
    except UserError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"{path}: not COCO's keypoints: {type(error).__name__} {error} in it"
        ) from error
    chosen, note = _choose(path, found, individual)
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
        width=seen[0],
        height=seen[1],
        backend="coco",
    )
    return note_person(tracks, note)


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
    frames = {entry["image_id"]: entry["image_id"] for entry in raw}
    frames = {
        image: image if isinstance(image, int) else frame_number(str(image), path)
        for image in frames
    }
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
    frames = {
        image["id"]: (
            frame_number(image["file_name"], path) if "file_name" in image else int(image["id"])
        )
        for image in raw["images"]
    }
    if len(set(frames.values())) != len(frames):
        raise UserError(
            f"{path}: two images have the same frame number in their names; tracks are of one"
            " video: split the file"
        )
    sizes = {
        (int(image["width"]), int(image["height"])) for image in raw["images"] if "width" in image
    }
    return entries, frames, [str(name) for name in named[0]], sizes


def _choose(path: Path, found: dict, individual: str | None) -> tuple[dict[int, int], dict]:
    identities = list(dict.fromkeys(track for people in found.values() for _, track in people))
    if identities and None not in identities:
        identity = identities[
            choose_individual(path, individual, [str(name) for name in identities])
        ]
        chosen = {
            frame: place
            for frame, people in found.items()
            for place, (_, track) in enumerate(people)
            if track == identity
        }
        return chosen, {
            "people": len(identities),
            "chosen": f"track_id {identity}",
            "frames": len(chosen),
        }
    stacked = {
        frame: np.array([points[:, :2] for points, _ in people]) for frame, people in found.items()
    }
    return choose_person(path, stacked, individual)


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
