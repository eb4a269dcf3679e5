#!/usr/bin/env bash
# OpenCV's integral image of a large 8-bit image.
#
# Expected (a guess): the sums of a 12-megapixel still fit, or OpenCV chooses a wider type, or it
#   raises, as it does for other depths that do not fit.
# What happens: sums are int32 whatever the size, and run over without a word: from 8.4 million white
#   pixels on, the corner of the table is negative, and with it the mean brightness by the table.
#   The sums of squares beside it are float64 and right, so that a variance by both is nonsense.
#   What holds: a rectangle of less than 8.4 million pixels is right from its four corners, also
#   where these ran over, as long as they are subtracted as int32; sdepth=CV_64F gives true sums.
# Seen: 4000x3000 of 250: corner -1294967296 in place of 3000000000; a rectangle of 1000x1000 in its
#   lower right 250000000, which is true; float64 3000000000.
# Version: opencv-python-headless 4.14.0.94, numpy 2.3.5. Date: 2026-11-30.
# Why it matters: normalisation by window sums works on video and fails on stills of the same scene.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check opencv-python-headless==4.14.0.94 numpy==2.3.5
cat >run.py <<'EOF'
import cv2
import numpy as np

image = np.full((3000, 4000), 250, np.uint8)
sums, squares = cv2.integral2(image)
wide = cv2.integral(image, sdepth=cv2.CV_64F)
with np.errstate(over="ignore"):  # four corners as int32, which run over back again
    part = sums[-1, -1] - sums[-1001, -1] - sums[-1, -1001] + sums[-1001, -1001]
print("type", sums.dtype, "corner", sums[-1, -1], "true", image.sum(dtype=np.int64))
print("lower right 1000x1000", part, "float64", wide[-1, -1], "squares", squares[-1, -1])
assert sums.dtype == np.int32 and sums[-1, -1] == -1294967296, "changed"
assert part == 250 * 1000 * 1000 and wide[-1, -1] == 3e9 and squares[-1, -1] == 7.5e11, "changed"
EOF
env/bin/python run.py
