"""The skull does not bend: what moves the nose moves eyes and ears, so that a point of the head
that jerks alone is the tracker's.

A head that nods or tilts turns about the neck's base, so that its near points go some two thirds as
far as its far ones. A twitch of the mouth that leaves the head where it was cannot be told from
such an error by these few points. [our choice]
"""

import numpy as np
from numpy.typing import NDArray

from semiology.severity.jerks.shape import Shapes, courses
from semiology.severity.kinematics import SEGMENTS

HEAD = (*SEGMENTS["face"].keypoints, "left_ear", "right_ear")
SHARE = 2 / 3  # of a point's displacement, that the others make at least, in the median
OTHERS = 3  # points seen besides; with fewer, nothing is said


def alone_on_head(
    positions: NDArray,
    names: list[str],
    fps: float,
    frames: NDArray,
    joints: NDArray,
    shapes: Shapes,
) -> NDArray:
    """(n,) of bool: displacements of a point of the head that its other points do not make.

    Args:
        positions: (time, joint, space), all that there are.
        names: of these joints.
        fps: Hz.
        frames, joints: (n,) where and of which joint.
        shapes: the displacements. How far another point goes along is its projection on the course
            of this one, from onset to end.
    """
    alone = np.zeros(len(joints), bool)
    points = np.array([names.index(name) for name in HEAD if name in names], int)
    for number in np.flatnonzero(np.isin(joints, points) & np.isfinite(shapes.end - shapes.onset)):
        others = points[points != joints[number]]
        course, offsets = courses(
            positions,
            fps,
            np.full(len(others) + 1, frames[number]),
            np.array([joints[number], *others]),
        )
        time = (frames[number] + offsets) / fps
        along = (course @ shapes.direction[number])[
            :, (time >= shapes.onset[number]) & (time <= shapes.end[number])
        ]
        own = np.nan_to_num(along[0])
        with np.errstate(invalid="ignore", divide="ignore"):  # a course that was not seen
            shares = along[1:] @ own / (own @ own)
        shares = shares[np.isfinite(shares)]
        alone[number] = len(shares) >= OTHERS and np.median(shares) < SHARE
    return alone
