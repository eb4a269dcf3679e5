#!/usr/bin/env bash
# sleap-io writes predictions as DeepLabCut's csv: every likelihood is empty.
#
# Expected (a guess): `include_score` is True by default ("Include confidence scores in output"), so
#   the column likelihood holds each point's score; and sleap-io reads the file again.
# What happens: the column is there and empty, in every row. Rows are named by images that nobody
#   wrote (labeled-data/video/img0005.png), as in tables of labels, not by frame numbers as in
#   DeepLabCut's own predictions; sleap-io itself reads 0 frames back. The same scores are written
#   by format="sleap".
# Version: sleap-io 0.9.5. Date: 2026-11-29.
# Why it matters: a reader that takes an empty likelihood for 0 drops every point of the patient.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check sleap-io==0.9.5 numpy==2.4.6
env/bin/python - <<'EOF'
import csv

import numpy as np
import sleap_io

print("sleap-io", sleap_io.__version__)
skeleton = sleap_io.Skeleton(["nose", "left_wrist"])
video = sleap_io.Video("video.mp4")
frames = []
for number in (5, 6, 8):
    pose = sleap_io.PredictedInstance.from_numpy(
        np.array([[10.0 * number, 350], [20, 30]]), skeleton=skeleton,
        point_scores=np.array([0.9, 0.8]), score=0.9,
    )
    frames.append(sleap_io.LabeledFrame(video=video, frame_idx=number, instances=[pose]))
labels = sleap_io.Labels(frames, videos=[video], skeletons=[skeleton])

sleap_io.save_csv(labels, "dlc.csv", format="dlc", include_score=True)
sleap_io.save_csv(labels, "sleap.csv", format="sleap")
with open("dlc.csv", newline="") as file:
    rows = list(csv.reader(file))
for row in rows:
    print(*row, sep=",")
assert rows[2] == ["coords"] + 2 * ["x", "y", "likelihood"]
names = [row[0] for row in rows[3:]]
likelihoods = [cell for row in rows[3:] for cell in (row[3], row[6])]
with open("sleap.csv", newline="") as file:
    scores = [row["nose.score"] for row in csv.DictReader(file)]
back = len(sleap_io.load_file("dlc.csv"))
print("likelihoods:", likelihoods, "- the same scores by format='sleap':", scores)
print("frames that sleap-io reads back:", back)
assert scores == ["0.9"] * 3
assert likelihoods == [""] * 6, "the behaviour has changed"
assert names[0] == "labeled-data/video/img0005.png" and back == 0, "the behaviour has changed"
EOF
