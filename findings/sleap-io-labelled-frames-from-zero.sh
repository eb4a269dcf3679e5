#!/usr/bin/env bash
# sleap-io's analysis file of the labelled frames alone does not hold which frame is its first.
#
# Expected (a guess): `save_analysis_h5(all_frames=False)` leaves out what lies before the first
#   label, and its metadata, which are stored "for full round-trip", say where the rest begins.
# What happens: the arrays begin at the first labelled frame, and no attribute and no array of the
#   file has its number. sleap-io itself reads labels of frames 500, 501 and 505 as 0, 1 and 5. With
#   all_frames=True (the default) frames are right.
# Version: sleap-io 0.9.5. Date: 2026-11-29.
# Why it matters: of a seizure late in a long recording the file is many times smaller this way, and
#   without a word all of it lies too early against EEG and annotations: here by 500 frames, 20 s.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check sleap-io==0.9.5 numpy==2.4.6 h5py==3.16.0
env/bin/python - <<'EOF'
import h5py
import numpy as np
import sleap_io

print("sleap-io", sleap_io.__version__)
skeleton = sleap_io.Skeleton(["nose"])
video = sleap_io.Video("night.mp4", backend_metadata={"shape": [1000, 600, 1000, 3]})
track = sleap_io.Track("patient")
labels = sleap_io.Labels(
    [
        sleap_io.LabeledFrame(
            video=video,
            frame_idx=number,
            instances=[
                sleap_io.PredictedInstance.from_numpy(
                    np.array([[number, 350.0]]), skeleton=skeleton, point_scores=np.array([0.9]),
                    score=0.9, track=track,
                )
            ],
        )
        for number in (500, 501, 505)
    ],
    videos=[video], skeletons=[skeleton], tracks=[track],
)
for everything in (True, False):
    sleap_io.save_analysis_h5(labels, "night.h5", all_frames=everything)
    with h5py.File("night.h5") as file:
        shape = file["tracks"].shape
        states_first = any(
            500 in np.atleast_1d(entry[()]).ravel().tolist()
            for name, entry in file.items() if name != "tracks"
        ) or any("500" in str(value) for value in file.attrs.values())
    back = sleap_io.load_file("night.h5")
    found = [
        (frame.frame_idx, float(frame.instances[0].numpy()[0, 0])) for frame in back
        if len(frame.instances)
    ]
    print(f"all_frames={everything}: tracks {shape}, the number 500 anywhere: {states_first}")
    print("   frames read back, with their x (true: the same number):", found)
    assert shape[-1] == (1000 if everything else 500), "the behaviour has changed"
    assert not states_first, "the behaviour has changed"
    wanted = [500, 501, 505] if everything else [0, 1, 5]
    assert [number for number, _ in found] == wanted, "the behaviour has changed"
EOF
