"""UTKinect-Action3D as a cohort: clips cut by its label file, one row a frame, joints by name.

The data set is public for research use and not part of this project; its folder is given by
SEMIOLOGY_TESTDATA.
"""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd

from semiology.data.skeleton import load_skeleton
from semiology.data.tracks import make_tracks, save_tracks

FPS = 30.0  # rate of the sensor, Hz
STEP = 2  # the recordings hold every second frame number at best, and skip more after lost frames


def read_labels(path: Path) -> list[tuple[str, str, float, float]]:
    """(recording, action, first frame, last frame) of each entry; NaN where the file says so."""
    entries, recording = [], ""
    for line in path.read_text().splitlines():
        if re.fullmatch(r"s\d+_e\d+", line.strip()):
            recording = line.strip()
        elif match := re.fullmatch(r"(\w+):\s*(\S+)\s+(\S+)", line.strip()):
            entries.append((recording, match[1], float(match[2]), float(match[3])))
    return entries


def read_recording(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frame numbers (row,), ascending, and joints (row, 20, 3) in metres as camera axes x right, y
    down, z away; duplicate rows removed.
    """
    frames, first = np.unique(rows[:, 0].astype(int), return_index=True)
    joints = rows[first, 1:].reshape(len(first), 20, 3)
    return frames, joints * np.array(
        [-1.0, -1.0, 1.0]
    )  # the sensor's x points to its left, its y up


def make_cohort(data: Path, out: Path) -> list[str]:
    """Write the cohort; returns what was left out or noted, in words."""
    recordings = np.load(data / "joints.npz")
    names = load_skeleton("kinect_20").names
    rows, notes = [], []
    for recording, action, start, end in read_labels(data / "actionLabel_modified.txt"):
        clip_id = f"{recording}_{action}"
        if np.isnan(start) or np.isnan(end):
            notes.append(f"{clip_id}: the label file gives NaN for its start and end; left out")
            continue
        frames, joints = read_recording(recordings[recording])
        inside = (frames >= start) & (frames <= end)
        if inside.sum() < 2:
            notes.append(
                f"{clip_id}: the recording holds {inside.sum()} frames of {start:g} to {end:g};"
                " left out"
            )
            continue
        place = (
            frames[inside] - frames[inside][0]
        ) // STEP  # on a grid of 15 Hz; frames that were not saved stay missing
        position, source = (
            np.full((place[-1] + 1, len(names), 3), np.nan),
            np.full(place[-1] + 1, -1),
        )
        position[place], source[place] = joints[inside], frames[inside]
        tracks = make_tracks(
            None, names, FPS / STEP, position_3d=position, backend="kinect", source_index=source
        )
        save_tracks(tracks, out / "tracks" / f"{clip_id}.nc")
        place_in_time = {"tracks": f"tracks/{clip_id}.nc", "start": 0, "end": "n/a"}
        rows.append(
            {"clip_id": clip_id, "participant_id": recording[:3], **place_in_time, "action": action}
        )
    table = pd.DataFrame(rows)
    table.to_csv(out / "clips.tsv", sep="\t", index=False)
    pd.DataFrame({"participant_id": sorted(table["participant_id"].unique())}).to_csv(
        out / "participants.tsv", sep="\t", index=False
    )
    levels = {action: action for action in dict.fromkeys(table["action"])}
    sidecar = {
        "action": {
            "Role": "label",
            "LongName": "Action",
            "Description": "One of ten everyday actions",
            "Levels": levels,
        }
    }
    (out / "clips.json").write_text(json.dumps(sidecar, indent=1), encoding="utf-8")
    return notes
