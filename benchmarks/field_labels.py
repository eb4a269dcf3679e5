"""Cases of `field_files`: which frame of its video a labelled image is."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from field_case import Values, case, command
from field_missing import dlc_csv, labels_csv, x_of

import semiology

WHICH_FRAME = "frame of an image"
FRAMES = (12, 34, 56)  # that are labelled
HASHES = (  # as Roboflow appends them
    "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "9f8e7d6c5b4a39281706f5e4d3c2b1a0",
    "5d41402abc4b2a76b9719d911017c592",
)
AMBIGUOUS = "cannot be known|which frame|which number|does not say|ambiguous|frame_index|unclear"

# --- which frame an image is: x is 10 times the frame, so a wrong frame is an error of px ---

IMAGES = {
    "img00012_cam2.png": [f"img{n:05d}_cam2.png" for n in FRAMES],
    "img00012_640x300.png": [f"img{n:05d}_640x300.png" for n in FRAMES],
    "cam2_img00012.png": [f"cam2_img{n:05d}.png" for n in FRAMES],
    "2026-03-01_img00012_left1.png": [f"2026-03-01_img{n:05d}_left1.png" for n in FRAMES],
    "img00012_png.rf.HASH.jpg": [
        f"img{n:05d}_png.rf.{mark}.jpg" for n, mark in zip(FRAMES, HASHES, strict=True)
    ],
}


def coco_file(
    path: Path, marks: Sequence[tuple[str, float, dict[str, Any]]], point: str = "left_wrist"
) -> Path:
    """COCO's data set: of each image its name, the point's x in px (y is 350) and more keys."""
    images, annotations = [], []
    for number, (name, x, more) in enumerate(marks, start=1):
        images.append({"id": number, "file_name": name, "width": 1000, "height": 600} | more)
        entry = {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0}
        annotations.append(entry | {"keypoints": [x, 350, 2], "num_keypoints": 1})
    people = [{"id": 1, "name": "person", "keypoints": [point], "skeleton": []}]
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": people})
    )
    return path


def label_studio_file(path: Path, images: Sequence[str]) -> Path:
    """Label Studio's JSON of the labelled frames."""
    tasks = []
    for number, (name, frame) in enumerate(zip(images, FRAMES, strict=True), start=1):
        value = {"x": frame, "y": 350 / 6, "width": 0.5, "keypointlabels": ["left_wrist"]}
        result = {"id": f"r{number}", "type": "keypointlabels", "from_name": "k", "value": value}
        result |= {"to_name": "image", "original_width": 1000, "original_height": 600}
        annotation = {"id": number, "result": [result], "was_cancelled": False}
        image = f"/data/upload/1/{name}"
        tasks.append({"id": number, "data": {"image": image}, "annotations": [annotation]})
    path.write_text(json.dumps(tasks))
    return path


def cvat_file(path: Path, images: Sequence[str]) -> Path:
    """CVAT's XML for images of the labelled frames."""
    parts = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations><version>1.1</version>"]
    for number, (name, frame) in enumerate(zip(images, FRAMES, strict=True)):
        place = f'<points label="left_wrist" occluded="0" points="{10 * frame},350" z_order="0"/>'
        about = f'id="{number}" name="{name}" width="1000" height="600"'
        parts.append(f"<image {about}>{place}</image>")
    path.write_text("\n".join([*parts, "</annotations>"]))
    return path


def moving_wrist(folder: Path) -> Path:
    """Tracks of 100 frames whose x is 10 times the frame."""
    rows = [f"{n},{10 * n},350,.95" for n in range(100)]
    return dlc_csv(folder / "tracked.csv", ["left_wrist"], rows)


def error_against(folder: Path, labels: Path) -> Values:
    """Mean tracking error in px and the number of labelled points."""
    out = folder / "error.json"
    given = ["--fps", 25, "--pictures", "false", "--out", out]
    command("tracking", "error", moving_wrist(folder), labels, *given)
    overall = json.loads(out.read_text())["overall"]
    return {"mean": overall["mean_px"]["value"], "labelled": overall["labelled"]}


for shape, images in IMAGES.items():

    @case(WHICH_FRAME, f"COCO labels, {shape}", mean=0.0, labelled=3)
    def _(folder: Path, images: Sequence[str] = images) -> Values:
        marks = [(name, 10 * n, {}) for name, n in zip(images, FRAMES, strict=True)]
        return error_against(folder, coco_file(folder / "labels.json", marks))

    @case(WHICH_FRAME, f"CollectedData csv, {shape}", mean=0.0, labelled=3)
    def _(folder: Path, images: Sequence[str] = images) -> Values:
        marks = {
            f"labeled-data/a/{name}": (10.0 * n, 350.0)
            for name, n in zip(images, FRAMES, strict=True)
        }
        return error_against(
            folder, labels_csv(folder / "CollectedData_me.csv", "left_wrist", marks)
        )

    @case(WHICH_FRAME, f"Label Studio, {shape}", mean=0.0, labelled=3)
    def _(folder: Path, images: Sequence[str] = images) -> Values:
        return error_against(folder, label_studio_file(folder / "tasks.json", images))

    @case(WHICH_FRAME, f"CVAT's XML, {shape}", mean=0.0, labelled=3)
    def _(folder: Path, images: Sequence[str] = images) -> Values:
        return error_against(folder, cvat_file(folder / "annotations.xml", images))

    @case(WHICH_FRAME, f"COCO as tracks, {shape}", rows=[12, 34, 56])
    def _(folder: Path, images: Sequence[str] = images) -> Values:
        marks = [(name, 10 * n, {}) for name, n in zip(images, FRAMES, strict=True)]
        path = coco_file(folder / "labels.json", marks)
        return {"rows": np.flatnonzero(np.isfinite(x_of(semiology.read_tracks(path, fps=25))))}


@case(WHICH_FRAME, "tracking correct, img00012_cam2.png", rows=[12, 34, 56], printed=True)
def _(folder: Path) -> Values:
    marks = [(f"img{n:05d}_cam2.png", 10 * n + 5, {}) for n in FRAMES]
    labels, out = coco_file(folder / "labels.json", marks), folder / "corrected.nc"
    tracks = folder / "tracked.nc"
    command("tracks", "import", moving_wrist(folder), "--fps", 25, "--out", tracks)
    skeleton = folder / "wrist.yaml"
    skeleton.write_text(
        "name: wrist\npart: body\njoints:\n  left_wrist: [left_wrist]\nedges: []\n"
        "root: left_wrist\norigin: [left_wrist]\nscale: [left_wrist, left_wrist]\n"
    )
    given = ["--who", "me", "--out", out, "--skeleton", skeleton]
    printed = command("tracking", "correct", labels, "--tracks", tracks, *given)
    moved = x_of(semiology.read_tracks(out)) - 10 * np.arange(100)
    return {"rows": np.flatnonzero(moved), "printed": "3 new corrections in 3 frames" in printed}


@case(WHICH_FRAME, "the tool's own frame_index against the name's digits", mean=0.0, labelled=3)
def _(folder: Path) -> Values:
    marks = [(f"a{n}_cam2.png", 10.0 * n, {"frame_index": n}) for n in FRAMES]
    return error_against(folder, coco_file(folder / "labels.json", marks))


@case(WHICH_FRAME, "two images of one frame", refused="img00012_cam1.*img00012_cam2")
def _(folder: Path) -> Values:
    names = ("img00012_cam1.png", "img00012_cam2.png", "img00034_cam1.png", "img00034_cam2.png")
    marks = [(name, 10.0 * int(name[3:8]), {}) for name in names]
    return error_against(folder, coco_file(folder / "labels.json", marks))


@case(WHICH_FRAME, "two numbers that both rise", mean=0.0, labelled=3, refused=AMBIGUOUS)
def _(folder: Path) -> Values:
    marks = [(f"img{n:05d}_take{t}.png", 10.0 * n, {}) for t, n in enumerate(FRAMES, start=1)]
    return error_against(folder, coco_file(folder / "labels.json", marks))
