#!/usr/bin/env bash
# The person detector of MediaPipe Pose gives everybody a box of one size.
#
# Expected (a guess): a detection's box is that of the person, or of the face: half as large for a
#   person half as large.
# What happens: every box is 0.2 of the image's side. Only the keypoints (middle of the hips, a
#   point on the circle around the body) carry the size. MediaPipe's graph makes its region of
#   these, but suppresses double detections by the overlap of the boxes.
# Seen: people of size 1.0, 0.7, 0.5, 0.35: boxes 0.200 wide each time, from hips to circle 0.404,
#   0.297, 0.217, 0.190.
# Version: pose_detection.tflite of mediapipe 0.10.21, ai-edge-litert 2.3.0. Date: 2026-11-30.
# Why it matters: boxes of this detector cannot be matched with people, nor compared with those of
#   another one, nor used to leave out people who are small.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check mediapipe==0.10.21 ai-edge-litert==2.3.0 \
  numpy==1.26.4 opencv-contrib-python==4.11.0.86
env/bin/python - 2>log <<'EOF' || { tail log; exit 1; }
from importlib.metadata import version

import cv2
import mediapipe
import numpy as np
from ai_edge_litert.interpreter import Interpreter

print("mediapipe", mediapipe.__version__, "ai-edge-litert", version("ai-edge-litert"))


def person(lift=0, size=1.0, middle=(352, 288)):
    """A drawn person (576, 704, 3), whose left hand is lifted by `lift` px."""
    image = np.full((576, 704, 3), 195, np.uint8)
    skin, dark = (225, 180, 150), (60, 45, 40)

    def at(x, y):
        return int(middle[0] + size * x), int(middle[1] + size * y)

    def line(colour, width, *points):
        corners = np.int32([at(*point) for point in points])
        cv2.polylines(image, [corners], False, colour, int(size * width), cv2.LINE_AA)

    def oval(colour, x, y, wide, high):
        axes = round(size * wide), round(size * high)
        cv2.ellipse(image, at(x, y), axes, 0, 0, 360, colour, -1, cv2.LINE_AA)

    for side in (-1, 1):
        hand = 95 * side, 40 - lift * (side > 0)
        line((60, 60, 70), 34, (24 * side, 50), (28 * side, 150), (30 * side, 245))
        line((60, 90, 150), 28, (50 * side, -98), (80 * side, -30))
        line(skin, 20, (80 * side, -30), hand)
        oval(skin, *hand, 13, 13)
    line((60, 90, 150), 90, (0, -70), (0, 40))
    line(skin, 30, (0, -140), (0, -120))
    oval(dark, 0, -187, 40, 48)
    oval(skin, 0, -180, 35, 48)
    for side in (-1, 1):
        oval((245, 245, 245), 14 * side, -187, 7, 4)
        oval(dark, 14 * side, -187, 3, 3)
        oval(dark, 14 * side, -197, 9, 2)
    oval((195, 155, 130), 0, -170, 3, 11)
    oval((180, 90, 90), 0, -152, 13, 4)
    return image


def detect(file, image):
    """Of a detector of MediaPipe: what it finds at each anchor (offset of the box's centre, width
    and height, then keypoints), in sides of the square around the image, and the scores.
    """
    network = Interpreter(model_path=f"{mediapipe.__path__[0]}/modules/{file}")
    network.allocate_tensors()
    wanted = network.get_input_details()[0]
    height, width = image.shape[:2]
    side, square = wanted["shape"][1], np.zeros((704, 704, 3), np.uint8)
    top, left = (704 - height) // 2, (704 - width) // 2
    square[top : top + height, left : left + width] = image
    small = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
    network.set_tensor(wanted["index"], small[None].astype(np.float32) / 127.5 - 1)
    network.invoke()
    found = [network.get_tensor(output["index"])[0] for output in network.get_output_details()]
    boxes, logits = sorted(found, key=lambda array: -array.shape[-1])
    return boxes / side, 1 / (1 + np.exp(-logits[:, 0].clip(-50, 50)))


boxes, radii = [], []
for size in (1.0, 0.7, 0.5, 0.35):
    found, scores = detect("pose_detection/pose_detection.tflite", person(size=size))
    best = found[scores.argmax()]
    boxes.append(found[scores > 0.5, 2:4])
    radii.append(np.linalg.norm(best[6:8] - best[4:6]))
    print(
        f"size {size}: score {scores.max():.3f}, {len(boxes[-1])} boxes, {boxes[-1].min():.3f}",
        f"to {boxes[-1].max():.3f} wide and high; from hips to circle {radii[-1]:.3f}",
    )
    assert scores.max() > 0.8, "the behaviour has changed"
assert abs(np.concatenate(boxes) - 0.2).max() < 0.005, "the behaviour has changed"
assert radii[0] > 2 * radii[-1], "the behaviour has changed"
EOF
