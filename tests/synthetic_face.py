"""A synthetic face of known measures as points in 3D, rotated and projected by a camera: for the
tests of `semiology.severity.face`.
"""

import numpy as np

from semiology import make_tracks
from semiology.severity.face.head_pose import MEAN_FACE
from semiology.severity.face.landmarks import SCHEMES

ALL_POINTS = {
    "mesh": [f"mesh_{number:03d}" for number in range(478)],
    "68": [f"landmark_{number:02d}" for number in range(68)],
    "face_23": sorted({name for names in SCHEMES["face_23"].values() for name in names}),
}


def turned(yaw=0.0, pitch=0.0, roll=0.0):
    """Rotation (3, 3): pitched up, then turned, then leant to the patient's left, in degrees; x
    right, y down, z away.
    """
    a, b, c = np.radians([yaw, pitch, roll])
    up = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    left = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    lean = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return lean @ left @ up


def own_face(**moved):
    """place -> (x, y, z): the mean face with the given places moved; two numbers leave the depth as
    it is.
    """
    face = {place: position.copy() for place, position in MEAN_FACE.items()}
    for place, position in moved.items():
        face[place][: len(position)] = position
    return face


def filmed(faces, scheme="68", heads=None, scale=100.0, shift=(320, 240), fps=25.0, depth=False):
    """Tracks of one face per frame, each rotated by its own entry of `heads`. The points of a place
    lie in a row around it.
    """
    names = ALL_POINTS[scheme]
    column = {name: number for number, name in enumerate(names)}
    points = np.zeros((len(faces), len(names), 3))
    for frame, face in enumerate(faces):
        for place, members in SCHEMES[scheme].items():
            if members == ("nose_base",):
                place = "nose_base"  # face_23 has no wings
            spread = np.linspace(-0.02, 0.02, len(members)) if len(members) > 1 else [0.0]
            for member, beside in zip(members, spread):
                points[frame, column[member]] = face[place] + np.array([beside, 0, 0])
    heads = [turned()] * len(faces) if heads is None else heads
    seen = np.einsum("tij,tpj->tpi", np.stack(heads), points)
    flat = scale * seen[..., :2] + np.asarray(shift)
    return make_tracks(
        flat, names, fps, position_3d=0.09 * seen + [0.1, 0.05, 0.9] if depth else None
    )
