#!/usr/bin/env bash
# datumaro turns COCO keypoints into CVAT's XML: absent points become points, and frames run backwards.
#
# Expected (a guess): a point that is not labelled (visibility 0) is left out or marked `outside`, a
#   hidden one (1) is `occluded`; images keep their order, so CVAT's image id is the frame's place.
# What happens: visibility and names are gone: all points are in one shape with occluded="0" and
#   outside="0", the absent one at 0.00,0.00. A data set read from COCO is in the reverse order of its
#   images, and the ids of CVAT count in that order: the last image is id 0.
# Version: datumaro 1.13.0. Date: 2026-11-29.
# Why it matters: CVAT places annotations by that id where names differ; a wrist that was not seen is
#   at the image's corner, and a limb of 600 px is believed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check datumaro==1.13.0
env/bin/python - <<'EOF' 2>/dev/null
import json
import os
import xml.etree.ElementTree as ET
from importlib.metadata import version
from pathlib import Path

import datumaro
import numpy as np

print("datumaro", version("datumaro"))
os.makedirs("coco/annotations")
os.makedirs("coco/images/train")
images, annotations = [], []
for number in (1, 2, 3):
    name = f"img{number:05d}.png"
    datumaro.Image.from_numpy(np.zeros((60, 100, 3), np.uint8)).save(f"coco/images/train/{name}")
    images.append({"id": number, "file_name": name, "width": 100, "height": 60})
    annotations.append({
        "id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "area": 400,
        "bbox": [10, 20, 20, 20], "num_keypoints": 2,
        "keypoints": [10 + number, 20, 2, 30, 40, 1, 0, 0, 0],
    })
person = {"id": 1, "name": "person", "supercategory": "", "skeleton": [],
          "keypoints": ["nose", "left_wrist", "right_wrist"]}
with open("coco/annotations/person_keypoints_train.json", "w") as file:
    json.dump({"images": images, "annotations": annotations, "categories": [person]}, file)

data = datumaro.Dataset.import_from("coco", "coco_person_keypoints")
order = [item.id for item in data]
data.export("cvat", "cvat", save_media=False)
root = ET.parse(next(Path("cvat").glob("*.xml"))).getroot()
found = []
for image in root.iter("image"):
    shape = image.find("points")
    found.append((image.get("id"), image.get("name"), shape.get("points"), shape.get("occluded"),
                  shape.get("outside")))
    print("image id {}, {}: points {}, occluded {}, outside {}".format(*found[-1]))
print("order of the data set:", order)
assert order == ["img00003", "img00002", "img00001"], "the behaviour has changed"
assert found[0] == ("0", "img00003.png", "13.00,20.00;30.00,40.00;0.00,0.00", "0", "0"), (
    "the behaviour has changed"
)
EOF
