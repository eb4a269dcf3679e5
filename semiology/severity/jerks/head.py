"""Isolated movements of one point of the head, which are tracking errors: the skull is rigid, so
what moves the nose moves eyes and ears.

A head that nods or tilts turns about the neck's base, so its near points move some two thirds as
far as its far ones. A twitch of the mouth that does not move the head cannot be distinguished from
such an error by these few points. [our choice]
"""

import numpy as np
from numpy.typing import NDArray

from semiology.severity.jerks.shape import Shapes, displacements
from semiology.severity.kinematics import SEGMENTS

HEAD = (*SEGMENTS["face"].keypoints, "left_ear", "right_ear")
FRACTION = 2 / 3  # of a point's displacement that the other points' median reaches at least
OTHERS = 3  # other visible points that the comparison needs; with fewer the movement stays


def isolated_head_points(
    positions: NDArray,
    names: list[str],
    fps: float,
    frames: NDArray,
    joints: NDArray,
    shapes: Shapes,
) -> NDArray:
    """(n,) of bool: displacements of a point of the head that its other points do not share.

    Another point's part is its projection on the displacement of this point from onset to end.

    Args:
        positions: (time, joint, space), all joints of the tracks.
        names: of these joints.
        fps: Hz.
        frames, joints: (n,) frame and joint index of each displacement.
        shapes: their shapes.
    """
    alone = np.zeros(len(joints), bool)
    points = np.array([names.index(name) for name in HEAD if name in names], int)
    for number in np.flatnonzero(np.isin(joints, points) & np.isfinite(shapes.end - shapes.onset)):
        others = points[points != joints[number]]
        displacement, offsets = displacements(
            positions,
            fps,
            np.full(len(others) + 1, frames[number]),
            np.array([joints[number], *others]),
        )
        time = (frames[number] + offsets) / fps
        along = (displacement @ shapes.direction[number])[
            :, (time >= shapes.onset[number]) & (time <= shapes.end[number])
        ]
        own = np.nan_to_num(along[0])
        with np.errstate(invalid="ignore", divide="ignore"):  # a displacement that was not seen
            fractions = along[1:] @ own / (own @ own)
        fractions = fractions[np.isfinite(fractions)]
        alone[number] = len(fractions) >= OTHERS and np.median(fractions) < FRACTION
    return alone
