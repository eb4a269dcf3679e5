"""The body that is lifted: 11 joints, their bones, and constant bone lengths."""

import warnings

import numpy as np

from semiology.data.skeleton import load_skeleton

SKELETON = load_skeleton("upper_body_11")
ROOT = SKELETON.names.index(SKELETON.root)  # the neck: origin of what is lifted
OUTER, INNER = (
    SKELETON.edge_index.T
)  # (bone,) joints at the two ends; the skeleton's file lists bones from the root outwards
BONES = [f"{outer} - {inner}" for outer, inner in SKELETON.edges]
_order = {frozenset(edge): number for number, edge in enumerate(SKELETON.edge_index.tolist())}
MIRRORED_BONE = np.array(
    [_order[frozenset(SKELETON.mirrored[list(edge)].tolist())] for edge in SKELETON.edge_index]
)


def bone_lengths(joints: np.ndarray) -> np.ndarray:
    """Joints (..., 11, 2 or 3) -> lengths (..., bone) in the same unit; NaN where an end is
    missing.
    """
    return np.linalg.norm(joints[..., OUTER, :] - joints[..., INNER, :], axis=-1)


def median_lengths(joints: np.ndarray) -> np.ndarray:
    """Joints (time, 11, 3) m -> (bone,) m, the median over time, averaged over left and right; NaN
    for a bone that is never visible.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="All-NaN slice")
        medians = np.nanmedian(bone_lengths(joints), axis=0)
    return (medians + medians[MIRRORED_BONE]) / 2


def rigid_body(joints: np.ndarray, lengths: np.ndarray | None = None) -> np.ndarray:
    """The same movement with rigid bones: every bone keeps its direction in each frame and has one
    length throughout. [our choice]

    Args:
        joints: (time, 11, 3) m; the neck stays where it is.
        lengths: (bone,) m; by default `median_lengths` of the joints, the same for left and right.
    """
    lengths = median_lengths(joints) if lengths is None else lengths
    built = joints.copy()
    for bone, (outer, inner) in enumerate(SKELETON.edge_index):
        along = joints[:, outer] - joints[:, inner]
        built[:, outer] = built[:, inner] + along * (
            lengths[bone] / np.linalg.norm(along, axis=-1, keepdims=True)
        )
    return built
