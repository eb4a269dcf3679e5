"""The upper bodies of UTKinect-Action3D and MSR Action3D as recordings to train lifters on; both
are public for research use.

Both are taken at the sensor's own 15 Hz and read at the lifter's 25 Hz on straight lines. The 11
joints come from the 20 by name through skeleton upper_body_11, as for any tracker: neck and spine
base are the middles of shoulders and hips (a Kinect's own shoulder centre lies some 10 cm above the
line between the shoulders, where no 2D tracker has a joint).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from utkinect_cohort import FPS, STEP, read_recording

from semiology.data.preprocessing import fill_gaps
from semiology.data.skeleton import load_skeleton
from semiology.data.tracks import make_tracks
from semiology.tracking.lift.simulation import MIN_WHOLE_FRAMES, Motion, as_motion

NAMES = load_skeleton("kinect_20").names
GAP = 0.2  # s, of lost frames that straight lines bridge
# MSR Action3D's files hold the joints in another order, found from the bones that keep their
# length: 19-2 is head and neck, 2-0 and 2-1
# are the shoulders, 0-7-9-11 and 1-8-10-12 the arms, 6-4 and 6-5 the hips. The arm 1-8-10 is the
# right one: people were instructed to do
# one-armed actions with the right, and it is this one that moves.
MSR_ORDER = [6, 3, 2, 19, 0, 7, 9, 11, 1, 8, 10, 12, 4, 13, 15, 17, 5, 14, 16, 18]
MSR_RATE = 15.0  # Hz (Li et al. 2010 [P])
AXES = np.array(
    [-1.0, -1.0, 1.0]
)  # the sensors' x points to their left, y up; ours to the right and down


def read_utkinect(data: Path) -> list[Motion]:
    """Whole recordings: duplicate rows dropped, frames that were not saved left open, cut where
    more than a second is lost.
    """
    motions = []
    with np.load(data / "utkinect" / "joints.npz") as recordings:
        for name in sorted(recordings.files):
            frames, joints = read_recording(recordings[name])
            for part in np.split(np.arange(len(frames)), np.flatnonzero(np.diff(frames) > FPS) + 1):
                place = (frames[part] - frames[part[0]]) // STEP
                position = np.full((place[-1] + 1, len(NAMES), 3), np.nan)
                position[place] = joints[part]
                motions += _motion(position, FPS / STEP, f"utkinect {name[:3]}")
    return motions


def read_msr(data: Path) -> list[Motion]:
    """Sequences a participant; a sequence of nothing but missing frames is left out."""
    return [
        motion
        for name, position in msr_positions(data)
        for motion in _motion(position, MSR_RATE, f"msr {name[4:7]}")
    ]


def msr_positions(data: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name, as a01_s01_e01, and (time, joint, 3) in m of every sequence, joints in the order of
    NAMES, axes x right, y down, z away; frames of zeros are missing.
    """
    with np.load(data / "msr_action3d" / "sequences.npz") as sequences:
        for name in sorted(sequences.files):
            joints = sequences[name][..., :3]
            seen = np.abs(joints).sum((1, 2)) > 0
            yield name, np.where(seen[:, None, None], joints[:, MSR_ORDER] * AXES, np.nan)


def _motion(position: np.ndarray, rate: float, participant: str) -> list[Motion]:
    tracks = fill_gaps(make_tracks(None, NAMES, rate, position_3d=position), GAP)
    enough = np.isfinite(tracks["position_3d"].values).all((1, 2)).sum() > MIN_WHOLE_FRAMES
    return [as_motion(tracks, participant)] if enough else []
