#!/usr/bin/env bash
# Face detectors lose a person who lies or is upside down; MediaPipe's person detector does not.
#
# Expected (a guess): all of them learnt from upright people, so all lose who lies.
# What happens: pose_detection finds the person equally surely in all four directions. MTCNN finds
#   no face in two of the others and is less sure in the third. MediaPipe's full-range face
#   detector, whose threshold is 0.6, just finds a face to the side and loses one that is upside
#   down.
# Seen: turned by 0, 90, 180, 270 degrees: person 0.97, 0.96, 0.96, 0.94; MTCNN 1.00, none, none,
#   0.82; full range 0.95, 0.66, 0.31, 0.63.
# Version: pose_detection.tflite and face_detection_full_range_sparse.tflite of mediapipe 0.10.21,
#   ai-edge-litert 2.3.0; facenet-pytorch 2.5.3 with torch 2.14.1. A CPU build of torch is enough;
#   the default one for Linux is several GB. Date: 2026-11-30.
# Why it matters: patients lie. Their face is to be searched in an image that is turned upright by
#   the body found before, not in the frame.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check mediapipe==0.10.21 ai-edge-litert==2.3.0 \
  facenet-pytorch==2.5.3 torch==2.14.1 torchvision==0.29.1 numpy==1.26.4 \
  opencv-contrib-python==4.11.0.86
env/bin/python - 2>log <<'EOF' || { tail log; exit 1; }
from importlib.metadata import version

import cv2
import mediapipe
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from facenet_pytorch import MTCNN

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


PEOPLE = "pose_detection/pose_detection.tflite"
FACES = "face_detection/face_detection_full_range_sparse.tflite"
mtcnn = MTCNN(keep_all=True)
people, faces, others = [], [], []
for quarter in range(4):
    image = np.ascontiguousarray(np.rot90(person(), quarter))
    people.append(detect(PEOPLE, image)[1].max())
    faces.append(detect(FACES, image)[1].max())
    found = mtcnn.detect(image)[1]
    others.append(0.0 if found[0] is None else max(found))
    print(
        f"turned by {90 * quarter}: person {people[-1]:.3f},",
        f"face, full range {faces[-1]:.3f}, face, MTCNN {others[-1]:.3f}",
    )
assert min(people) > 0.9, "the behaviour has changed"
assert faces[0] > 0.9 and faces[2] < 0.6 and max(faces[1:]) < 0.85, "the behaviour has changed"
assert others[0] > 0.99 and others[1:3] == [0.0, 0.0], "the behaviour has changed"
EOF
