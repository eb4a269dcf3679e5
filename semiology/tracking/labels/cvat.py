"""CVAT's XML ("CVAT for images 1.1") to labelled frames, and back.

Source of the layout: CVAT's documentation (xml_format) and [C] its exporter: positions in px,
`occluded` for hidden points, `outside` for points of a skeleton that are not there.
"""

import xml.etree.ElementTree as ET
from pathlib import Path

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


def from_cvat(path: Path) -> Labels:
    """Labelled frames of an annotations.xml: a `points` shape with one point for each joint, alone
    or as an element of a `skeleton`.

    Boxes named "patient" and "face" are regions. Images without any annotation are left out.

    Raises:
        UserError: not XML, another format, a joint or box that is there twice in an image, a shape
            with several points.
    """
    root = _parsed(path)
    if root.tag != "annotations" or root.find("track") is not None or root.find("image") is None:
        raise UserError(f'{path}: not "CVAT for images 1.1"; export the task in that format')
    found: list[tuple[LabelledFrame, dict[str, Mark]]] = []
    for image in root.iter("image"):
        points: dict[str, Mark] = {}
        regions: dict[str, tuple[float, float, float, float]] = {}
        file = Path(image.get("name", "").replace("\\", "/"))
        try:
            for shape in image.iter("points"):
                _put(path, file, points, shape.get("label", ""), _point(shape))
            for box in image.iter("box"):
                if (name := box.get("label", "")) in REGIONS:
                    x0, y0, x1, y1 = (
                        float(box.attrib[key]) for key in ("xtl", "ytl", "xbr", "ybr")
                    )
                    _put(path, file, regions, name, (x0, y0, x1, y1))
            width, height = int(image.attrib["width"]), int(image.attrib["height"])
        except UserError:
            raise
        except (KeyError, ValueError) as error:
            raise UserError(
                f"{path}: {file}: an annotation or size cannot be read ({error}); one"
                " point a joint, numbers in px"
            ) from error
        video = file.parent.name or path.stem
        frame = LabelledFrame(
            f"{video}/{file.name}", path.parent / file, video, video, None, width, height, regions
        )
        if any(seen for _, _, seen in points.values()) or regions:
            found.append((frame, points))
    listed = [
        label.findtext("name", "")
        for label in root.iter("label")
        if label.findtext("type") == "points"
    ]
    return labels_from_marks(listed, found)


def write_cvat(labels: Labels, folder: str | Path) -> Path:
    """Write annotations.xml, labels.json (for "Raw" in CVAT's label constructor) and
    images/<video>/<image>.

    In CVAT, create a task with these labels from the content of images/ as an archive, so that the
    images keep their folder's name, and upload annotations.xml to it as "CVAT 1.1": the points are
    then there to be corrected.

    Raises:
        UserError: an image is not there.
    """
    folder = Path(folder)
    kinds = {**dict.fromkeys(labels.keypoints, "points"), **dict.fromkeys(REGIONS, "rectangle")}
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    listed = ET.SubElement(ET.SubElement(ET.SubElement(root, "meta"), "task"), "labels")
    for name, kind in kinds.items():
        label = ET.SubElement(listed, "label")
        ET.SubElement(label, "name").text, ET.SubElement(label, "type").text = name, kind
    for row, frame in enumerate(labels.frames):
        copy_image(frame, folder / "images" / frame.video / frame.image.name)
        about = {
            "id": row,
            "name": f"{frame.video}/{frame.image.name}",
            "width": frame.width,
            "height": frame.height,
        }
        image = ET.SubElement(root, "image", {key: str(value) for key, value in about.items()})
        for name, (x, y), seen in zip(
            labels.keypoints, labels.position[row], labels.visibility[row]
        ):
            if seen != UNLABELLED:
                mark = {
                    "label": name,
                    "source": "auto",
                    "occluded": str(int(seen == HIDDEN)),
                    "points": f"{x:.4f},{y:.4f}",
                    "z_order": "0",
                }
                ET.SubElement(image, "points", mark)
        for name, box in frame.regions.items():
            sides = dict(zip(("xtl", "ytl", "xbr", "ybr"), (f"{side:.4f}" for side in box)))
            ET.SubElement(
                image,
                "box",
                {"label": name, "source": "auto", "occluded": "0", **sides, "z_order": "0"},
            )
    ET.indent(root)
    write_json(
        folder / "labels.json",
        [{"name": name, "type": kind, "attributes": []} for name, kind in kinds.items()],
    )
    write_text(
        folder / "annotations.xml",
        '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n",
    )
    return folder


def _parsed(path: Path) -> ET.Element:
    try:
        text = path.read_text(encoding="utf-8")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise UserError(
                f"{path}: declares a document type, which CVAT's files do not; export it again"
            )
        return ET.fromstring(text)
    except (ET.ParseError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not readable XML ({error}); export it again") from error


def _point(shape: ET.Element) -> Mark:
    x, y = (
        float(number) for number in shape.attrib["points"].split(",")
    )  # a second point ("x,y;x,y") is no number
    if shape.get("outside") == "1":
        return x, y, UNLABELLED
    return x, y, HIDDEN if shape.get("occluded") == "1" else VISIBLE


def _put(path: Path, file: Path, marks: dict, name: str, mark: tuple) -> None:
    if name in marks:
        raise UserError(f"{path}: {file}: {name} is annotated twice; keep the patient's only")
    marks[name] = mark
