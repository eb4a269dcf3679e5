"""What a network reads of one clip, where that lies in time, and what it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from semiology.learning.clips import ClipData, ClipSource
from semiology.learning.data import NO_CHANGE, ClipDataset


@dataclass(frozen=True)
class ClipInput:
    """One clip as its scoring windows: one where whole clips are resampled, else several whose scores are averaged.

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
    """The clip through the same windows and channels as in scoring; the windows' times go the same way, as a joint's coordinate."""
    seen = windows(source, clip)
    clock = np.broadcast_to((np.arange(len(clip.joints)) / source.reading.rate)[:, None, None], clip.joints.shape)
    timed = ClipSource(source.cohort, replace(source.reading, channels=("joint",)), source.store)
    timed.__dict__.update(clips=[], mirrored_levels=source.mirrored_levels)  # nothing is read for it
    told = windows(timed, replace(clip, joints=clock, appearance=None))
    time = np.stack([np.where(window["keypoint_mask"][:, 0] > 0, window["keypoints"][0, :, 0], np.nan) for window in told])
    return ClipInput(
        clip.clip_id,
        clip.participant_id,
        clip.target,
        torch.stack([window["keypoints"] for window in seen]),
        torch.stack([window["keypoint_mask"] for window in seen]),
        time.astype(float),
    )


def windows(source: ClipSource, clip: ClipData) -> list[dict[str, Tensor]]:
    dataset = ClipDataset(source, [clip], NO_CHANGE, rng=None)
    return [dataset[number] for number in range(len(dataset))]


def mean_pose(inputs: Sequence[ClipInput]) -> Tensor:
    """(channel, joint) mean over all seen frames of these clips: the baseline that a clip's attribution starts from.

    Of clips of the training participants this is a patient who keeps still in the mean pose: mean positions and bones, no movement and no
    deviation to speak of. Our choice: a figure of zeros would have all joints in one point, which no network has met.
    """
    total = sum(((clip.keypoints * clip.mask.unsqueeze(1)).sum(dim=(0, 2)) for clip in inputs), torch.zeros(()))
    count = sum((clip.mask.sum(dim=(0, 1)) for clip in inputs), torch.zeros(()))
    return total / torch.as_tensor(count).clamp(min=1)
