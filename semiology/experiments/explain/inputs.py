"""What a network reads of one clip, where that lies in time, and what it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from semiology.data.skeleton import Skeleton
from semiology.models.training.clips import ClipData, ClipSource
from semiology.models.training.datamodule import NO_CHANGE, ClipDataset


@dataclass(frozen=True)
class ClipInput:
    """One clip as its scoring windows: one where whole clips are resampled, else several whose
    scores are averaged.

    Attributes:
        keypoints: (window, channel, time, joint), zeros where missing.
        mask: (window, time, joint), 1 where seen.
        time: (window, time) seconds from the clip's start; NaN beyond its end.
    """

    clip_id: str
    participant_id: str
    truth: int
    keypoints: Tensor
    mask: Tensor
    time: np.ndarray


def clip_input(source: ClipSource, clip: ClipData) -> ClipInput:
    """The clip through the same windows and channels as in scoring; the windows' times go the same
    way, as a joint's coordinate.
    """
    seen = windows(source, clip)
    clock = np.broadcast_to(
        (np.arange(len(clip.joints)) / source.reading.rate)[:, None, None], clip.joints.shape
    )
    timed = source.with_clips([], replace(source.reading, channels=("joint",)))
    timed_windows = windows(timed, replace(clip, joints=clock, appearance=None))
    time = np.stack(
        [
            np.where(window["keypoint_mask"][:, 0] > 0, window["keypoints"][0, :, 0], np.nan)
            for window in timed_windows
        ]
    )
    return ClipInput(
        clip.clip_id,
        clip.participant_id,
        clip.target,
        torch.stack([window["keypoints"] for window in seen]),
        torch.stack([window["keypoint_mask"] for window in seen]),
        time.astype(float),
    )


def windows(source: ClipSource, clip: ClipData) -> list[dict[str, Tensor]]:
    """The clip's windows as scoring reads them, not augmented: tensors by name, without a batch
    axis.
    """
    dataset = ClipDataset(source, [clip], NO_CHANGE, rng=None)
    return [dataset[number] for number in range(len(dataset))]


def valid(mask: Tensor, skeleton: Skeleton, kinds: Sequence[str], space: int) -> Tensor:
    """Which channels have a value where only the joints in `mask` are seen: (..., time, joint) ->
    (..., channel, time, joint).

    A position and its deviation need the joint, a bone its inner joint as well, motion the same
    joint in the next frame (in the last frame motion is zero by definition). The channels without a
    value are zeros under a mask of one (semiology.models.training.datamodule).

    Args:
        mask: 1 where seen, 0 where missing.
        skeleton: of the joints.
        kinds: of the channels, in order ("joint", "bone", "motion", "deviation").
        space: channels of each kind, 2 or 3.
    """
    after = torch.cat([mask[..., 1:, :], mask[..., -1:, :]], dim=-2)
    of = {
        "joint": mask,
        "bone": mask * mask[..., list(skeleton.parents)],
        "motion": mask * after,
        "deviation": mask,
    }
    return torch.stack([of[kind] for kind in kinds], dim=-3).repeat_interleave(space, dim=-3)


def mean_pose(inputs: Sequence[ClipInput], skeleton: Skeleton, kinds: Sequence[str]) -> Tensor:
    """(channel, joint) mean over all frames of these clips that have a value: the baseline that a
    clip's attribution starts from.

    Of clips of the training participants this is a patient who keeps still in the mean pose: mean
    positions and bones, almost no movement and no deviation. Our choice: a figure of zeros
    would have all joints in one point, which no network has met.
    """
    total, count = torch.zeros(()), torch.zeros(())
    for clip in inputs:
        there = valid(clip.mask, skeleton, kinds, clip.keypoints.shape[1] // len(kinds))
        total, count = (
            total + (clip.keypoints * there).sum(dim=(0, 2)),
            count + there.sum(dim=(0, 2)),
        )
    return total / count.clamp(min=1)
