#!/usr/bin/env bash
# MediaPipe Pose with smooth_landmarks=False smooths over time all the same.
#
# Expected (a guess): without smoothing, a frame's landmarks follow from the frame and from the
#   region of interest that the frame before it gives: the time between frames does not matter.
# What happens: the two landmarks of which that region is made (the circle around the body) go
#   through a One Euro filter whatever the option says (min_cutoff 0.01, beta 10; in the graph
#   outside the switch for smooth_landmarks). The region lags behind the body, by all frames since
#   the last detection, and the landmarks in another region are others. static_image_mode=True has
#   none of it.
# Seen: 20 frames at 25 and at 50 a second in place of 30: from the third on, landmarks are up to 14
#   px of 576 away (median 2 px); in static_image_mode they are equal to the bit.
# Version: mediapipe 0.10.21. Date: 2026-11-30.
# Why it matters: Pose takes every video to have 30 frames a second, so one movement filmed at 25
#   and at 50 a second is smoothed differently; a clip's first frames decide the landmarks of later
#   ones, and two cuts of one recording disagree where they overlap.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check mediapipe==0.10.21 numpy==1.26.4 \
  opencv-contrib-python==4.11.0.86
env/bin/python - 2>log <<'EOF' || { tail log; exit 1; }
import re

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


def landmarks(interval, still=False):
    """(frame, 33, 2) px of the clip with so many microseconds between frames; Pose takes 33333."""
    found = []
    with mediapipe.solutions.pose.Pose(static_image_mode=still, smooth_landmarks=False) as pose:
        for frame in clip:
            pose._simulated_timestamp += interval - 33_333
            marks = pose.process(frame).pose_landmarks.landmark
            found.append([(704 * mark.x, 576 * mark.y) for mark in marks])
    return np.array(found)


def apart(one, other):
    """Frame by frame, the largest distance of a landmark, px."""
    return np.linalg.norm(one - other, axis=-1).max(axis=-1)


clip = [person(lift=6 * n, middle=(352 + 3 * n, 288)) for n in range(20)]
graph = validated_graph_config.ValidatedGraphConfig()
folder = mediapipe.__path__[0]
graph.initialize(binary_graph_path=f"{folder}/modules/pose_landmark/pose_landmark_cpu.binarypb")
nodes = re.findall(r"^node \{\n.*?^\}", graph.text_config, re.MULTILINE | re.DOTALL)
filters = [node for node in nodes if '"NORM_FILTERED_LANDMARKS:auxiliary_landmarks"' in node]
print(*filters, sep="\n")
usual = landmarks(33_333)
distances = {
    "the same again": apart(landmarks(33_333), usual),
    "at 25 frames a second": apart(landmarks(40_000), usual),
    "at 50 frames a second": apart(landmarks(20_000), usual),
    "static_image_mode, 30 and 50": apart(landmarks(20_000, True), landmarks(33_333, True)),
}
for name, distance in distances.items():
    print(f"{name}: px apart in each frame:", *distance.round(1))
again, at_25, at_50, still = distances.values()
assert "min_cutoff: 0.01" in filters[0] and "switch" not in filters[0], "the behaviour has changed"
assert not again.any() and not still.any(), "the behaviour has changed"
assert at_25.max() > 2 and at_50.max() > 2, "the behaviour has changed"
EOF
