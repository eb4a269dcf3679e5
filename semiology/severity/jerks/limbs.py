"""What a limb says of its joints: none of them goes alone, and none is seen without the bones that end in it.

A tracker of whole bodies gives every joint a place, also where it sees none. Two of its errors look like jerks, and bones tell them:

- Elbow and knee lie between two bones. Where the far end of the outer one is not seen (a foot under the blanket, a hand out of view),
  the tracker completes the limb, and what it completed leaps.
- The joints of a limb hang on each other. While one of them turns or stops at will, the tracker follows its neighbours late, and they leap
  to where they belong: a reaching hand makes its elbow jerk.

Both rules are our choice. Joints that the tracks do not hold are not asked for.
"""

import numpy as np
from numpy.typing import NDArray

SIDES = ("left", "right")
LIMBS = [[f"{side}_{joint}" for joint in limb] for side in SIDES for limb in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))]


def completed(seen: NDArray, names: list[str]) -> NDArray:
    """(time, joint) of bool: elbows and knees where the wrist or ankle is not among what is `seen` (time, joint)."""
    guessed = np.zeros_like(seen)
    for _, middle, far in LIMBS:
        if middle in names and far in names:
            guessed[:, names.index(middle)] = ~seen[:, names.index(far)]
    return guessed


def greatest_of_limb(values: NDArray, names: list[str]) -> NDArray:
    """(time, joint): for a limb's joints the greatest value among them, of those that are finite; for all others their own."""
    greatest = values.copy()
    for limb in LIMBS:
        if held := [names.index(name) for name in limb if name in names]:
            greatest[:, held] = np.fmax.reduce(values[:, held], axis=1)[:, None]
    return greatest
