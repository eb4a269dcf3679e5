#!/usr/bin/env bash
# movement reads DeepLabCut's table by the order of its rows, not by their frame numbers.
#
# Expected (a guess): the first column of DeepLabCut's predictions is the frame's number, so rows 500,
#   501 and 505 at 25 Hz are at 20.00, 20.04 and 20.20 s; and what movement cut from 20 s on is
#   written with the numbers of these frames.
# What happens: they are at 0.00, 0.04 and 0.08 s, without a word: start and gap are gone. On the way
#   out rows are numbered from 0 whatever the times are, so a cut from 20 s on begins at frame 0; so
#   does its SLEAP analysis file. Speeds over the gap are five times too high.
# Version: movement 0.17.0, which needs Python 3.12 or later: PYTHON=python3.13 bash findings/...
#   Date: 2026-11-29.
# Why it matters: people cut the seizure out of the night, and drop frames in which nobody was found;
#   both shift all that follows against EEG and annotations.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check movement==0.17.0
env/bin/python - <<'EOF' 2>/dev/null
from importlib.metadata import version

import numpy as np
from movement.io import load_poses, save_poses
from movement.kinematics import compute_velocity

print("movement", version("movement"))
head = "scorer,net,net,net\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n"
with open("night.csv", "w") as file:
    file.write(head + "500,100,350,.9\n501,110,350,.9\n505,150,350,.9\n")
data = load_poses.from_dlc_file("night.csv", fps=25)
times = [round(float(time), 6) for time in data.time]
speed = compute_velocity(data.position).sel(space="x").values.ravel()
print("rows 500, 501 and 505 are at", times, "s; true: 20.00, 20.04, 20.20")
print("10 px a frame is 250 px/s; speed at the last row:", float(speed[-1]), "px/s")

position = np.full((1000, 2, 1, 1), 350.0)
cut = load_poses.from_numpy(position, fps=25).sel(time=slice(20, 20.081))
save_poses.to_dlc_file(cut, "cut.csv", split_individuals=False)
save_poses.to_sleap_analysis_file(cut, "cut.h5")
with open("cut.csv") as file:
    rows = [line.split(",")[0] for line in file if line[0].isdigit()]
back = [round(float(time), 6) for time in load_poses.from_sleap_file("cut.h5", fps=25).time]
print("a cut at", [round(float(time), 6) for time in cut.time], "s has rows", rows)
print("through its SLEAP file it is at", back, "s")
assert times == [0.0, 0.04, 0.08] and speed[-1] == 1000.0, "the behaviour has changed"
assert rows == ["0", "1", "2"] and back == [0.0, 0.04, 0.08], "the behaviour has changed"
EOF
