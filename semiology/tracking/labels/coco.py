"""COCO keypoints JSON to labelled frames, and back.

The layout is COCO's (cocodataset.org/#format-data): images, annotations with `keypoints` (x, y,
visibility, ...) and `bbox` (x, y, width, height), categories that name the keypoints. An image may
carry keys of ours: `video`, `frame_index`, `participant_id`, `frame_id`.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from semiology.errors import UserError
from semiology.files import write_json
from semiology.tracking.labels.labels import HIDDEN, UNLABELLED, VISIBLE, LabelledFrame, Labels

REGIONS = ("patient", "face")  # categories of boxes that are read
FLOATS = 4  # decimals of a position, px


def from_coco(path: Path, content: dict[str, Any]) -> Labels:
    """Labelled frames of a COCO file.

    One person per image: two annotations with keypoints in one image are an error, because it is
    unknown which one is the patient. Boxes of the categories "patient" and "face" are regions, and
    so is the annotation's own `bbox` ("patient") unless it was only drawn around the keypoints.
    Annotations of other categories without keypoints, and images without an annotation, are left
    out.

    Args:
        path: of the file; images are named relative to its folder.
        content: of the file.

    Raises:
        UserError: no keypoints, an annotation that does not fit its category or image, two people
            in an image.
    """
    images = {
        image["id"]: image for image in _entries(path, content, "images", ("id", "file_name"))
    }
    categories = {
        category["id"]: category
        for category in _entries(path, content, "categories", ("id", "name"))
    }
    schemes = {
        tuple(category["keypoints"])
        for category in categories.values()
        if category.get("keypoints")
    }
    if len(schemes) != 1:
        raise UserError(
            f"{path}: {len(schemes)} categories with keypoints of their own; labels need just one,"
            " with the joints' names"
        )
    keypoints = [str(name) for name in next(iter(schemes))]
    marked: dict[Any, np.ndarray] = {}
    regions: dict[Any, dict[str, tuple[float, float, float, float]]] = {}
    for annotation in _entries(path, content, "annotations", ("image_id", "category_id")):
        where = annotation["image_id"]
        if where not in images or annotation["category_id"] not in categories:
            raise UserError(
                f"{path}: an annotation is of image {where!r} and category"
                f" {annotation['category_id']!r}; one of them is not listed"
            )
        file, name = images[where]["file_name"], str(categories[annotation["category_id"]]["name"])
        if annotation.get("keypoints"):
            if where in marked:
                raise UserError(
                    f"{path}: {file}: two people are labelled; keep the patient's labels only"
                )
            marked[where] = _triples(path, file, annotation["keypoints"], len(keypoints))
            name = "patient"
        if annotation.get("bbox") and name in REGIONS:
            box = _corners(path, file, annotation["bbox"])
            around = annotation.get("attributes", {}).get("around_keypoints") or (
                annotation.get("keypoints") and _is_hull(box, marked[where])
            )
            if not around:
                regions.setdefault(where, {})[name] = box
    annotated = [number for number in images if number in marked or number in regions]
    frames = [_frame(path, images[number], regions.get(number, {})) for number in annotated]
    empty = np.zeros((len(keypoints), 3))
    table = np.array([marked.get(number, empty) for number in annotated]).reshape(
        -1, len(keypoints), 3
    )
    visibility = table[:, :, 2].astype(np.int64)
    return Labels(
        keypoints,
        frames,
        np.where(visibility[:, :, None] > UNLABELLED, table[:, :, :2], np.nan),
        visibility,
    )


def write_coco(labels: Labels, path: str | Path) -> Path:
    """Write labels as one COCO file; images are named relative to its folder, not copied."""
    path = Path(path)
    names = ["person", *REGIONS]
    categories: list[dict] = [
        {"id": number, "name": name, "supercategory": "person", "keypoints": [], "skeleton": []}
        for number, name in enumerate(names, start=1)
    ]
    categories[0]["keypoints"] = labels.keypoints
    images, annotations = [], []
    for row, frame in enumerate(labels.frames):
        images.append(
            {
                "id": row + 1,
                "file_name": (
                    Path(os.path.relpath(frame.image.resolve(), path.parent.resolve())).as_posix()
                ),
                "width": frame.width,
                "height": frame.height,
            }
        )
        images[-1] |= {
            "video": frame.video,
            "frame_index": frame.index,
            "participant_id": frame.participant_id,
            "frame_id": frame.frame_id,
        }
        labelled = labels.visibility[row] > UNLABELLED
        if labelled.any():
            points = np.where(labelled[:, None], labels.position[row], 0)
            triples = np.column_stack([points.round(FLOATS), labels.visibility[row]])
            (x0, y0), (x1, y1) = (
                labels.position[row][labelled].min(axis=0),
                labels.position[row][labelled].max(axis=0),
            )
            entry = _box_entry(row, 1, (x0, y0, x1, y1))
            entry |= {
                "keypoints": triples.ravel().tolist(),
                "num_keypoints": int(labelled.sum()),
                "attributes": {"around_keypoints": True},
            }
            annotations.append(entry)
        annotations += [
            _box_entry(row, names.index(name) + 1, box) for name, box in frame.regions.items()
        ]
    for number, entry in enumerate(annotations, start=1):
        entry["id"] = number
    write_json(path, {"images": images, "annotations": annotations, "categories": categories})
    return path


def _entries(path: Path, content: dict[str, Any], part: str, keys: tuple[str, ...]) -> list[dict]:
    entries = content.get(part)
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and set(keys) <= set(entry) for entry in entries
    ):
        raise UserError(
            f'{path}: "{part}" must be a list whose entries have {", ".join(keys)}; export COCO'
            " keypoints again"
        )
    return entries


def _triples(path: Path, file: str, flat: Any, count: int) -> np.ndarray:
    """(keypoint, 3) of x, y, visibility."""
    try:
        triples = np.asarray(flat, float).reshape(-1, 3)
    except (TypeError, ValueError):
        triples = np.empty((0, 3))
    if len(triples) != count:
        raise UserError(
            f"{path}: {file}: its keypoints must be {count} times x, y, visibility, as many as its"
            " category names"
        )
    if not (
        np.isin(triples[:, 2], (UNLABELLED, HIDDEN, VISIBLE)).all() and np.isfinite(triples).all()
    ):
        raise UserError(f"{path}: {file}: visibility must be 0, 1 or 2 and positions numbers")
    return triples


def _corners(path: Path, file: str, box: Any) -> tuple[float, float, float, float]:
    try:
        x, y, width, height = (float(number) for number in box)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{path}: {file}: bbox must be x, y, width, height in px, got {box!r}"
        ) from error
    return x, y, x + width, y + height


def _is_hull(box: tuple[float, float, float, float], triples: np.ndarray) -> bool:
    """Whether a box is the one around the labelled points, to a pixel: Label Studio, CVAT and
    sleap-io write that one where nobody drew a box, and so do we.
    """
    points = triples[triples[:, 2] > UNLABELLED, :2]
    if not len(points):
        return False
    hull = [*points.min(axis=0), *points.max(axis=0)]
    return bool(np.abs(np.subtract(box, hull)).max() <= 1)


def _frame(
    path: Path, image: dict[str, Any], regions: dict[str, tuple[float, float, float, float]]
) -> LabelledFrame:
    file = Path(str(image["file_name"]))
    video = str(image.get("video") or file.parent.name or path.stem)
    index = image.get("frame_index")
    try:
        width, height = int(image.get("width") or 0), int(image.get("height") or 0)
        index = None if index is None else int(index)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{path}: {file}: width, height and frame_index must be whole numbers"
        ) from error
    participant = str(image.get("participant_id") or video)
    name = str(image.get("frame_id") or file.as_posix())
    return LabelledFrame(
        name, path.parent / file, video, participant, index, width, height, regions
    )


def _box_entry(
    row: int, category: int, corners: tuple[float, float, float, float]
) -> dict[str, Any]:
    x0, y0, x1, y1 = (float(number) for number in corners)
    box = [round(number, FLOATS) for number in (x0, y0, x1 - x0, y1 - y0)]
    return {
        "image_id": row + 1,
        "category_id": category,
        "bbox": box,
        "area": round(box[2] * box[3], FLOATS),
        "iscrowd": 0,
        "segmentation": [],
        "keypoints": [],
        "num_keypoints": 0,
    }  # datumaro asks these of every annotation, of boxes too
