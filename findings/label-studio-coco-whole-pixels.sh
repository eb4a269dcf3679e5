#!/usr/bin/env bash
# Label Studio's COCO export of keypoints: whole pixels, and an address in place of a file's name.
#
# Expected (a guess): Label Studio keeps positions in percent with fractions, so 12.345 % of 640 px is
#   79.008 px in the export, as it is for boxes; `file_name` is the image's name or path.
# What happens: keypoints are rounded to whole pixels, those of boxes are not; `file_name` is the
#   address of local files with its query, "/data/local-files/?d=...", which no folder holds.
# Seen: 79.008, 41.472 px become 79, 41; the box at 79.008, 41.472 keeps its fractions.
# Version: label-studio-sdk 2.1.0. Date: 2026-11-29.
# Why it matters: in a face of 60 px half a pixel is the difference between two sides of a mouth; the
#   measurement of tracking error has a floor of 0.4 px that is not the tracker's.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check label-studio-sdk==2.1.0
env/bin/python - <<'EOF'
import json
from importlib.metadata import version

from label_studio_sdk.converter import Converter

print("label-studio-sdk", version("label-studio-sdk"))
X, Y = 12.345, 17.28  # percent
with open("config.xml", "w") as file:
    file.write(
        '<View><Image name="image" value="$image"/>'
        '<KeyPointLabels name="joint" toName="image"><Label value="nose" model_index="0"/>'
        '</KeyPointLabels><RectangleLabels name="box" toName="image"><Label value="patient"/>'
        "</RectangleLabels></View>"
    )
size = {"to_name": "image", "original_width": 640, "original_height": 240}
place = {"x": X, "y": Y}
results = [
    {"id": "a", "type": "keypointlabels", "from_name": "joint", **size,
     "value": {**place, "width": 0.5, "keypointlabels": ["nose"]}},
    {"id": "b", "type": "rectanglelabels", "from_name": "box", **size,
     "value": {**place, "width": 10, "height": 10, "rotation": 0, "rectanglelabels": ["patient"]}},
]
image = "/data/local-files/?d=night/img00012.png"
with open("tasks.json", "w") as file:
    annotation = {"id": 1, "was_cancelled": False, "result": results}
    json.dump([{"id": 1, "data": {"image": image}, "annotations": [annotation]}], file)
Converter("config.xml", ".", download_resources=False).convert_to_coco(
    "tasks.json", "coco", is_dir=False
)
with open("coco/result.json") as file:
    content = json.load(file)
point = next(entry["keypoints"] for entry in content["annotations"] if "keypoints" in entry)
box = next(entry["bbox"] for entry in content["annotations"] if "keypoints" not in entry)
print(f"labelled at {X * 6.4:.3f}, {Y * 2.4:.3f} px; keypoint {point}, box {box[:2]}")
print("file_name:", content["images"][0]["file_name"])
assert [round(value, 3) for value in box[:2]] == [79.008, 41.472]
assert point == [79, 41, 2], "the behaviour has changed"
assert content["images"][0]["file_name"] == image, "the behaviour has changed"
EOF
