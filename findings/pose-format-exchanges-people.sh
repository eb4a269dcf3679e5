#!/usr/bin/env bash
# pose-format reads OpenPose's JSON of two people whom OpenPose followed (person_id).
#
# Expected (a guess): a person's number in the pose is his `person_id`, which OpenPose writes with
#   --tracking; the documentation calls the dimension "people".
# What happens: person_id is never read; a person is his place in the frame's list. Where the order of
#   the list changes, the two are exchanged; where one leaves, the other takes his place.
# Seen: person 0 at 100, 110 and 120 px, person 1 at 500, 490 and 480; read as 100, 490, 480.
# Version: pose-format 0.15.0. Date: 2026-11-29.
# Why it matters: the patient's track becomes the nurse's half-way, and nothing shows it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pose-format==0.15.0 numpy==2.4.6
env/bin/python - <<'EOF'
import json
import os
from importlib.metadata import version

from pose_format.utils.openpose import load_openpose_directory

print("pose-format", version("pose-format"))
PARTS = {"face": 70, "hand_left": 21, "hand_right": 21}
FRAMES = [[(0, 100), (1, 500)], [(1, 490), (0, 110)], [(1, 480)]]  # person_id and x of the nose
os.mkdir("json")
for number, people in enumerate(FRAMES):
    content = []
    for who, x in people:
        body = [value for point in range(25) for value in (x + point, 200, 0.9)]
        person = {"person_id": [who], "pose_keypoints_2d": body, "pose_keypoints_3d": []}
        for part, points in PARTS.items():
            person |= {f"{part}_keypoints_2d": [0] * 3 * points, f"{part}_keypoints_3d": []}
        content.append(person)
    with open(f"json/night_{number:012d}_keypoints.json", "w") as file:
        json.dump({"version": 1.3, "people": content}, file)

pose = load_openpose_directory("json", fps=25, width=1000, height=600)
nose = pose.body.data[:, :, 0, 0].filled(float("nan"))
for who in (0, 1):
    true = [dict(people).get(who, float("nan")) for people in FRAMES]
    print(f"person_id {who}: x {true}; person {who} of the pose: {nose[:, who].tolist()}")
assert nose[:, 0].tolist() == [100, 490, 480], "the behaviour has changed"
assert nose[:2, 1].tolist() == [500, 110], "the behaviour has changed"
EOF
