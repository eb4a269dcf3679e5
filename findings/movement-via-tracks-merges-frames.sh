#!/usr/bin/env bash
# movement writes boxes as VIA tracks: some frames get the number of the frame before.
#
# Expected (a guess): a data set of 300 consecutive frames is written with frames 0 to 299, and
#   reads back.
# What happens: the number is time x fps cut down to a whole number, and 29 / 25 x 25 is
#   28.999999999999996. So frame 29 is written as a second frame 28; at 25 and 50 Hz 14 of
#   300 numbers stand there twice and 14 never. movement cannot read the file that it wrote. Its
#   SLEAP writer rounds the same product.
# Seen: at 25 Hz, 286 names for 300 frames; reading: "Duplicate track IDs found".
# Version: movement 0.17.0, which needs Python 3.12 or later: PYTHON=python3.13 bash findings/...
#   Date: 2026-11-29.
# Why it matters: a reader that does not look for doubles puts two positions into one frame and none
#   into the next. The first is at 1.2 s, after what a short test shows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check movement==0.17.0
env/bin/python - <<'EOF' 2>/dev/null
import csv
import json
from importlib.metadata import version

import numpy as np
from movement.io import load_bboxes, save_bboxes

print("movement", version("movement"))
FRAMES = 300
position = np.full((FRAMES, 2, 1), 100.0)
position[:, 0, 0] = np.arange(FRAMES)  # x of the middle is the frame's number
for fps, first in ((25, 29), (30, 123), (50, 29)):
    data = load_bboxes.from_numpy(
        position_array=position, shape_array=np.full((FRAMES, 2, 1), 20.0), fps=fps
    )
    save_bboxes.to_via_tracks_file(data, f"{fps}.csv")
    with open(f"{fps}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    written = [int(row["filename"].split(".")[0]) for row in rows]
    true = [round(json.loads(row["region_shape_attributes"])["x"] + 10) for row in rows]
    wrong = [(frame, number) for frame, number in zip(true, written) if frame != number]
    try:
        load_bboxes.from_via_tracks_file(f"{fps}.csv", fps=fps)
        reading = "read back"
    except ValueError as error:
        reading = str(error)[:60]
    print(f"{fps} Hz: {len(set(written))} names of {len(rows)} frames; written as: {wrong[:4]}")
    print("   movement on its own file:", reading)
    assert true == list(range(FRAMES)), "the behaviour has changed"
    assert wrong[0] == (first, first - 1), "the behaviour has changed"
    assert len(set(written)) < FRAMES and "Duplicate" in reading, "the behaviour has changed"
EOF
