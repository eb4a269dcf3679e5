#!/usr/bin/env bash
# A frame that a person corrected in SLEAP: sleap-io's two ways out of one file differ.
#
# Expected (a guess): a label that a person placed is what counts in its frame, in arrays and files.
# What happens: a hand label has no track until one is chosen for it. `Labels.numpy()` gives the
#   hand label in the column of the only track; `save_analysis_h5` leaves it out without a word and
#   writes the prediction that it corrects, or, where there is none, nothing.
# Seen: frame 6, prediction at x 60, corrected to 61: numpy() 61, analysis file 60. Frame 9, label
#   alone at 91: numpy() 91, analysis file NaN. movement 0.17.0 reads the .slp as the analysis file.
# Version: sleap-io 0.9.5. Date: 2026-11-29.
# Why it matters: corrections are the frames that the tracker had wrong; they are undone in the file
#   that most people analyse.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check sleap-io==0.9.5 numpy==2.4.6 h5py==3.15.1
env/bin/python - <<'EOF'
import h5py
import numpy as np
import sleap_io

print("sleap-io", sleap_io.__version__)
skeleton = sleap_io.Skeleton(["nose"])
video = sleap_io.Video("video.mp4", backend_metadata={"shape": [12, 600, 1000, 3]})
track = sleap_io.Track("patient")


def hand(x, **more):
    return sleap_io.Instance.from_numpy(np.array([[x, 350.0]]), skeleton=skeleton, **more)


frames = []
for number in (5, 6, 8, 9):
    there = sleap_io.PredictedInstance.from_numpy(
        np.array([[10.0 * number, 350]]), skeleton=skeleton, point_scores=np.array([0.9]),
        score=0.9, track=track,
    )
    people = {6: [there, hand(61.0, from_predicted=there)], 9: [hand(91.0)]}.get(number, [there])
    frames.append(sleap_io.LabeledFrame(video=video, frame_idx=number, instances=people))
labels = sleap_io.Labels(frames, videos=[video], skeletons=[skeleton], tracks=[track])
labels.save("night.slp", embed=False)
labels = sleap_io.load_slp("night.slp")

array = labels.numpy()[:, 0, 0, 0]
sleap_io.save_analysis_h5(labels, "night.analysis.h5")
with h5py.File("night.analysis.h5") as file:
    stored = file["tracks"][0, 0, 0]
print("frame   numpy()   analysis file")
for number in (5, 6, 8, 9):
    print(f"{number:<8}{array[number]:<10g}{stored[number]:g}")
assert array[[5, 6, 8, 9]].tolist() == [50, 61, 80, 91], "the behaviour has changed"
assert stored[[5, 6, 8]].tolist() == [50, 60, 80], "the behaviour has changed"
assert np.isnan(stored[9]), "the behaviour has changed"
EOF
