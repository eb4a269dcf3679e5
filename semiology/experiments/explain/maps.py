"""A clip's attribution on one axis of time, and what it comes to by joint, bone, time and region of
the face.

Shares are of the evidence *for* the level: the positive part of the map, cell by cell, as a share
of its sum (our choice; what lowers the score stays in the maps). A share says where a
network looked, not that a patient shows a sign there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from semiology.data.skeleton import Skeleton
from semiology.experiments.explain.attribution import Attribution, ClipInput

REGIONS = ("brow", "eye", "nose", "mouth")  # of a face, by its landmarks' names
PARTS_OF_TIME = 20


@dataclass(frozen=True)
class ClipMap:
    """What one clip's score is owed to, in log-odds of `level`.

    Attributes:
        time: (time,) seconds from the clip's start.
        joints, bones: (time, joint); see `Attribution`.
        seen: (time, joint) True where the joint was tracked.
        score, start, gap: see `Attribution`.
    """

    clip_id: str
    participant_id: str
    truth: int
    level: int
    time: np.ndarray
    joints: np.ndarray
    bones: np.ndarray
    seen: np.ndarray
    score: float
    start: float
    gap: float | None

    @property
    def probability(self) -> float:
        """Probability of `level` that the score means: 1 / (1 + exp(-score))."""
        return float(1 / (1 + np.exp(-self.score)))


def over_clip(clip: ClipInput, found: Attribution, level: int, rate: float) -> ClipMap:
    """Lay the windows onto the clip's time. One window is taken as it is; several are averaged, as
    their scores are, frame by frame.
    """
    mask = clip.mask.numpy() > 0
    if len(mask) == 1:
        there = np.isfinite(clip.time[0])
        laid = (clip.time[0][there], found.joints[0][there], found.bones[0][there], mask[0][there])
    else:
        there = np.isfinite(clip.time)
        frames = np.round(clip.time[there] * rate).astype(int)
        length, count = frames.max() + 1, mask.shape[2]
        joints, bones, seen = (
            np.zeros((length, count)),
            np.zeros((length, count)),
            np.zeros((length, count), bool),
        )
        np.add.at(joints, frames, found.joints[there] / len(mask))
        np.add.at(bones, frames, found.bones[there] / len(mask))
        np.logical_or.at(seen, frames, mask[there])
        laid = (np.arange(length) / rate, joints, bones, seen)
    return ClipMap(
        clip.clip_id,
        clip.participant_id,
        clip.truth,
        level,
        *laid,
        found.score,
        found.start,
        found.gap,
    )


def share(values: np.ndarray) -> np.ndarray:
    """The positive part as shares of its sum; zeros where nothing is positive."""
    positive = np.maximum(values, 0)
    total = positive.sum()
    return positive / total if total > 0 else positive


def mean_shares(maps: Iterable[np.ndarray], axis: int) -> np.ndarray:
    """Mean over clips, each counting the same, of a map's (time, joint) shares summed over `axis`.
    Clips without evidence are left out.
    """
    found = [share(values).sum(axis=axis) for values in maps if (values > 0).any()]
    return np.mean(found, axis=0) if found else np.zeros(0)


def joint_shares(maps: Sequence[ClipMap], skeleton: Skeleton) -> dict[str, float]:
    """Joint -> mean proportion of the positive evidence on it, each clip counting the same; the
    values sum to 1, and there are none without evidence.
    """
    found = mean_shares((clip.joints for clip in maps), axis=0)
    return {name: round(float(value), 5) for name, value in zip(skeleton.names, found)}


def bone_shares(maps: Sequence[ClipMap], skeleton: Skeleton) -> list[dict[str, object]]:
    """`a` is the outer joint, `b` its inner neighbour; the root's row, with `b` None, is the
    movement of the whole figure.
    """
    found = mean_shares((clip.bones for clip in maps), axis=0)
    names, parents = skeleton.names, skeleton.parents
    return [
        {
            "a": names[joint],
            "b": names[parents[joint]] if parents[joint] != joint else None,
            "share": round(float(value), 5),
        }
        for joint, value in enumerate(found)
    ]


def time_shares(clip: ClipMap) -> np.ndarray:
    """(time,) proportion of the clip's positive evidence in each frame, over all joints."""
    return share(clip.joints).sum(axis=1)


def course(maps: Sequence[ClipMap]) -> list[float]:
    """Mean share of the evidence in each twentieth of the clips. Clips without evidence are left
    out, as by joints.
    """
    found = []
    for clip in (clip for clip in maps if (clip.joints > 0).any()):
        part = np.minimum(
            (np.arange(len(clip.time)) * PARTS_OF_TIME) // len(clip.time), PARTS_OF_TIME - 1
        )
        found.append(np.bincount(part, time_shares(clip), PARTS_OF_TIME))
    return [round(float(value), 5) for value in np.mean(found, axis=0)] if found else []


def region_shares(joints: dict[str, float]) -> dict[str, float]:
    """Brows, eyes, nose and mouth from landmarks' shares; empty for a skeleton that has no such
    names.
    """
    of = {
        name: next((region for region in REGIONS if region in name.split("_")), None)
        for name in joints
    }
    if None in of.values():
        return {}
    return {
        region: round(sum(value for name, value in joints.items() if of[name] == region), 5)
        for region in REGIONS
    }
