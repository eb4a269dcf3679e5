#!/usr/bin/env bash
# MediaPipe Pose and Holistic: importing a module of MediaPipe's that nothing uses moves landmarks.
#
# Expected (a guess): the graph says how landmarks are refined by their heatmaps (kernel_size: 7 in
#   pose_landmark_cpu.binarypb), so 7 by 7 cells are used.
# What happens: Python hands the graph on without the options of those calculators whose _pb2 module
#   was not imported. pose.py imports twenty such modules for this, but not
#   refine_landmarks_from_heatmap_calculator_pb2: the calculator runs with its default, 9 by 9. Once
#   anything has imported that module, it is 7 by 7.
# Seen: landmarks of one image move by up to 2.8 px of 576 (median 0.2) with the import.
# Version: mediapipe 0.10.21. Date: 2026-11-30.
# Why it matters: two programs with one version, one network and one image disagree by an import;
#   and whoever rebuilds the landmarks by the graph's text gets others than all users of Python
#   have.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check mediapipe==0.10.21 numpy==1.26.4 \
  opencv-contrib-python==4.11.0.86
env/bin/python - 2>log <<'EOF' || { tail log; exit 1; }
import subprocess
import sys

import cv2
import mediapipe
import numpy as np
from mediapipe.python._framework_bindings import validated_graph_config

print("mediapipe", mediapipe.__version__)


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


cv2.imwrite("image.png", person(lift=60))
READ = """
import cv2
import mediapipe
import numpy as np

with mediapipe.solutions.pose.Pose(static_image_mode=True) as pose:
    marks = pose.process(cv2.imread("image.png")).pose_landmarks.landmark
np.save("{0}.npy", [(704 * mark.x, 576 * mark.y) for mark in marks])
"""
IMPORT = "import mediapipe.calculators.util.refine_landmarks_from_heatmap_calculator_pb2"
for name, code in {"plain": READ, "again": READ, "import": IMPORT + READ}.items():
    subprocess.run([sys.executable, "-c", code.format(name)], check=True)
plain, again, imported = (np.load(f"{name}.npy") for name in ("plain", "again", "import"))
moved = np.linalg.norm(imported - plain, axis=1)
graph = validated_graph_config.ValidatedGraphConfig()
folder = mediapipe.__path__[0]
graph.initialize(binary_graph_path=f"{folder}/modules/pose_landmark/pose_landmark_cpu.binarypb")
stated = [line.strip() for line in graph.text_config.splitlines() if "kernel_size" in line]
print("the graph says:", stated)
print("run twice, px apart:", abs(again - plain).max())
print(f"with the import, px apart: at most {moved.max():.1f}, median {np.median(moved):.2f}")
assert stated == ["kernel_size: 7"], "the behaviour has changed"
assert (again == plain).all() and 1 < moved.max() < 20, "the behaviour has changed"
EOF
