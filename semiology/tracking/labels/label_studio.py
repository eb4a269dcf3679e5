"""Label Studio tasks (JSON) to labelled frames, and back: keypoints and boxes in percent of the
image.

Source of the layout: Label Studio's documentation (guide/predictions, guide/export,
tags/keypointlabels, guide/storage). It has no attribute for a hidden point; the labelling interface
that is written beside the tasks adds a choice "hidden" to each point [our choice].
"""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import quoteattr

from semiology.errors import UserError
from semiology.files import write_json, write_text
from semiology.tracking.labels.labels import (
    HIDDEN,
    UNLABELLED,
    VISIBLE,
    LabelledFrame,
    Labels,
    Mark,
    copy_image,
    labels_from_marks,
)

REGIONS = ("patient", "face")  # boxes that are read
POINT = 0.5  # percent of the width; size at which a point is drawn


def from_label_studio(path: Path, tasks: list[Any]) -> Labels:
    """Labelled frames of an export in the format "JSON" (not "JSON-MIN", which lacks sizes).

    Annotations are read, predictions are not: no annotator has checked them. Of several annotations
    of an image the one that was changed last is read; skipped ones never are.

    Args:
        path: of the file.
        tasks: its content.

    Raises:
        UserError: another format, a point without a joint's name, a joint or box that is there
            twice in an image.
    """
    if not all(
        isinstance(task, dict) and isinstance(task.get("data"), dict) and "image" in task["data"]
        for task in tasks
    ):
        raise UserError(
            f'{path}: not an export of Label Studio: its tasks need data.image; export as "JSON"'
        )
    found: list[tuple[LabelledFrame, dict[str, Mark]]] = []
    keypoints: dict[str, None] = {}
    for task in tasks:
        annotations = [
            entry for entry in task.get("annotations", []) if not entry.get("was_cancelled")
        ]
        if not annotations:
            continue
        keypoints |= dict.fromkeys(str(name) for name in task["data"].get("keypoints", []))
        last = max(
            annotations,
            key=lambda entry: str(entry.get("updated_at") or entry.get("created_at") or ""),
        )
        found.append(_frame(path, task["data"], last.get("result", [])))
    return labels_from_marks(keypoints, found)


def write_label_studio(labels: Labels, folder: str | Path) -> Path:
    """Write tasks.json, labeling_config.xml (for the project's labelling interface) and
    images/<video>/<image>.

    Labelled points become predictions, which Label Studio shows as a draft to be corrected. Images
    are named `/data/local-files/?d=<folder>/images/...`: serve them as local files, the folder's
    parent being LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT.

    Raises:
        UserError: an image is not there.
    """
    folder = Path(folder)
    tasks = []
    for row, frame in enumerate(labels.frames):
        image = Path("images", frame.video, frame.image.name)
        copy_image(frame, folder / image)
        data: dict[str, Any] = {
            "image": "/data/local-files/?d=" + quote(f"{folder.resolve().name}/{image.as_posix()}")
        }
        data |= {
            "frame_id": frame.frame_id,
            "video": frame.video,
            "participant_id": frame.participant_id,
            "frame_index": frame.index,
        }
        data |= {"width": frame.width, "height": frame.height, "keypoints": labels.keypoints}
        results = _results(labels, row)
        tasks.append(
            {
                "id": row + 1,
                "data": data,
                "predictions": (
                    [{"model_version": "semiology", "result": results}] if results else []
                ),
            }
        )
    write_text(folder / "labeling_config.xml", _interface(labels.keypoints))
    write_json(folder / "tasks.json", tasks)
    return folder


def _frame(path: Path, data: dict[str, Any], results: Any) -> tuple[LabelledFrame, dict[str, Mark]]:
    """A frame and its points: joint -> x, y in px, visibility."""
    file = _file(str(data["image"]))
    width, height = data.get("width") or 0, data.get("height") or 0
    points: dict[str, Mark] = {}
    regions: dict[str, tuple[float, float, float, float]] = {}
    hidden = {
        entry.get("id")
        for entry in results
        if entry.get("type") == "choices" and "hidden" in entry["value"].get("choices", [])
    }
    for entry in results:
        kind, value = entry.get("type"), entry.get("value", {})
        if kind not in ("keypointlabels", "rectanglelabels"):
            continue
        try:
            (name,) = (str(name) for name in value[kind])
            width, height = int(entry["original_width"]), int(entry["original_height"])
            x, y = float(value["x"]) / 100 * width, float(value["y"]) / 100 * height
            corner = (
                x + float(value.get("width", 0)) / 100 * width,
                y + float(value.get("height", 0)) / 100 * height,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{path}: {file}: an annotation needs one label, x, y and original_width and"
                " _height; export as JSON"
            ) from error
        if name in points or name in regions:
            raise UserError(f"{path}: {file}: {name} is annotated twice; keep the patient's only")
        if kind == "keypointlabels":
            points[name] = (x, y, HIDDEN if entry.get("id") in hidden else VISIBLE)
        elif name in REGIONS:
            regions[name] = (x, y, *corner)
    video = str(data.get("video") or file.parent.name or path.stem)
    index = data.get("frame_index")
    if not (index is None or isinstance(index, int)) or not all(
        isinstance(side, int) for side in (width, height)
    ):
        raise UserError(f"{path}: {file}: frame_index, width and height must be whole numbers")
    name, participant = (
        str(data.get("frame_id") or f"{video}/{file.name}"),
        str(data.get("participant_id") or video),
    )
    return (
        LabelledFrame(name, path.parent / file, video, participant, index, width, height, regions),
        points,
    )


def _file(url: str) -> Path:
    """The image's path within Label Studio's document root, or the path of its address."""
    parts = urlsplit(url)
    return Path(
        parse_qs(parts.query)["d"][0]
        if "d" in parse_qs(parts.query)
        else unquote(parts.path).lstrip("/")
    )


def _results(labels: Labels, row: int) -> list[dict[str, Any]]:
    frame = labels.frames[row]
    size = {
        "to_name": "image",
        "original_width": frame.width,
        "original_height": frame.height,
        "image_rotation": 0,
    }
    results: list[dict[str, Any]] = []
    for name, (x, y), visible in zip(
        labels.keypoints, labels.position[row].tolist(), labels.visibility[row]
    ):
        if visible == UNLABELLED:
            continue
        number = f"{row + 1}_{name}"
        place = {"x": x / frame.width * 100, "y": y / frame.height * 100, "width": POINT}
        results.append(
            {
                "id": number,
                "type": "keypointlabels",
                "from_name": "joint",
                **size,
                "value": {**place, "keypointlabels": [name]},
            }
        )
        if visible == HIDDEN:
            results.append(
                {
                    "id": number,
                    "type": "choices",
                    "from_name": "hidden",
                    **size,
                    "value": {**place, "choices": ["hidden"]},
                }
            )
    for name, (x0, y0, x1, y1) in frame.regions.items():
        place = {"x": x0 / frame.width * 100, "y": y0 / frame.height * 100, "rotation": 0}
        place |= {"width": (x1 - x0) / frame.width * 100, "height": (y1 - y0) / frame.height * 100}
        value = {**place, "rectanglelabels": [name]}
        results.append(
            {
                "id": f"{row + 1}_{name}_box",
                "type": "rectanglelabels",
                "from_name": "box",
                **size,
                "value": value,
            }
        )
    return results


def _interface(keypoints: list[str]) -> str:
    """The labelling interface: one label a joint, each used once, a box for patient and face, and
    "hidden" for a chosen point. `model_index` is the joint's place in Label Studio's own exports to
    COCO and YOLO.
    """
    joints = "\n".join(
        f'    <Label value={quoteattr(name)} model_index="{place}"/>'
        for place, name in enumerate(keypoints)
    )
    boxes = "\n".join(f'    <Label value="{name}"/>' for name in REGIONS)
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n  <KeyPointLabels'
        f' name="joint" toName="image" maxUsages="1">\n{joints}\n  </KeyPointLabels>\n  <Choices'
        ' name="hidden" toName="image" perRegion="true" choice="multiple">\n    <Choice'
        f' value="hidden"/>\n  </Choices>\n  <RectangleLabels name="box" toName="image">\n{boxes}\n'
        "  </RectangleLabels>\n</View>\n"
    )
