"""How much of a clip's score is owed to each joint at each time: integrated gradients, and
occlusion.

Both through captum. Integrated gradients: Sundararajan et al., Axiomatic Attribution for Deep
Networks, ICML 2017. Occlusion: Zeiler and Fergus, Visualizing and Understanding Convolutional
Networks, ECCV 2014.

The number that is explained, and the places of a clip that may be taken away: what a network reads
of it, where that lies in time, and what it is compared with.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from semiology.data.skeleton import Skeleton
from semiology.models.training.clips import ClipData, ClipSource
from semiology.models.training.dataset import NO_CHANGE, ClipDataset


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

    A position, its deviation and the duration need the joint, a bone its inner joint as well,
    motion and speed the same joint in the next frame (in the last frame they are zero by
    definition). The channels without a value are zeros under a mask of one
    (semiology.models.training.datamodule).

    Args:
        mask: 1 where seen, 0 where missing.
        skeleton: of the joints.
        kinds: of the channels, in order, see `Reading.channels`.
        space: channels of each kind, 2 or 3.
    """
    after = torch.cat([mask[..., 1:, :], mask[..., -1:, :]], dim=-2)
    of = {
        "joint": mask,
        "bone": mask * mask[..., list(skeleton.parents)],
        "motion": mask * after,
        "deviation": mask,
        "speed": mask * after,
        "duration": mask,
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


class LogOdds(nn.Module):
    """log p / (1 - p) of one level: with two levels the difference of their logits.

    It is explained instead of p, whose gradient vanishes where the network is sure. Shapes: as the
    network's -> (batch,).
    """

    def __init__(self, network: nn.Module, level: int):
        super().__init__()
        self.network, self.level = network.eval(), level

    def forward(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """(batch,) log-odds of the class, from keypoints (batch, channel, time, joint) and their
        mask (batch, time, joint).
        """
        logits = self.network(keypoints, mask)
        others = torch.cat([logits[:, : self.level], logits[:, self.level + 1 :]], dim=1)
        return logits[:, self.level] - others.logsumexp(dim=1)


class Gated(nn.Module):
    """The score as a function of what is shown: gate (batch, time, joint), 1 as seen, 0 missing.

    What is missing is gone as if it had never been tracked: from the mask, from its neighbours'
    bones, and from the motion towards it. Deviations of the frames that are left keep the median of
    all.
    """

    def __init__(
        self,
        score: nn.Module,
        keypoints: Tensor,
        mask: Tensor,
        skeleton: Skeleton,
        kinds: Sequence[str],
    ):
        super().__init__()
        self.skeleton, self.kinds = skeleton, kinds
        self.score, self.keypoints, self.mask = (
            score,
            keypoints,
            mask,
        )  # (channel, time, joint), (time, joint)

    def forward(self, gate: Tensor) -> Tensor:
        """(batch,) the score where the keypoints' mask is multiplied by a gate (batch, time, joint)
        from 0 to 1; gradients flow to the gate.
        """
        mask = self.mask * gate
        return self.score(
            self.keypoints
            * valid(mask, self.skeleton, self.kinds, len(self.keypoints) // len(self.kinds)),
            mask,
        )


Method = Literal["integrated_gradients", "occlusion"]
METHODS: tuple[Method, ...] = ("integrated_gradients", "occlusion")
STEPS = 64  # of integrated gradients [our choice]
TOGETHER = 16  # of these steps pass through the network at once: more do not fit a core's cache


@dataclass(frozen=True)
class Attribution:
    """Maps of one clip in log-odds; positive raises the class's score, negative lowers it.

    Attributes:
        joints: (window, time, joint).
        bones: (window, time, joint): of the bone from the joint to its inner neighbour; at the
            root, of the whole figure's movement.
        score: log-odds of the clip as it is.
        start: log-odds of what it is compared with.
        gap: |sum of the map - (score - start)|, largest over windows: what the sum over steps
            missed of the integral; None for occlusion, whose sum means nothing.
    """

    joints: np.ndarray
    bones: np.ndarray
    score: float
    start: float
    gap: float | None


def integrated_gradients(
    score: LogOdds,
    clip: ClipInput,
    baseline: Tensor,
    skeleton: Skeleton,
    kinds: list[str],
    steps: int = STEPS,
) -> Attribution:
    """The clip's difference from the baseline times the mean gradient on the straight way between
    the two.

    A joint's channels are added up: its position, its bone (which belongs to the outer joint), its
    motion (to the frame that it starts from), its deviation. What is missing in the clip is missing
    on the whole way and gets nothing: a joint, a bone without its inner joint, motion towards a
    gap.

    For bones the same path is written in other coordinates: a joint's position is the sum of the
    bones from the root to it, so a bone is owed what all joints beyond it are owed when it alone
    turns. The sum over bones and root is the sum over joints.

    Args:
        score: what is explained.
        clip: the input.
        baseline: (channel, joint).
        skeleton: of the joints.
        kinds: of the channels, in order, see `Reading.channels`.
        steps: of the Gauss-Legendre sum.
    """
    from captum.attr import IntegratedGradients  # a second, which only this takes

    there = valid(clip.mask, skeleton, kinds, clip.keypoints.shape[1] // len(kinds))
    start = baseline[None, :, None, :] * there
    method = IntegratedGradients(score, multiply_by_inputs=False)
    gradients = []
    for window, first, mask in zip(clip.keypoints, start, clip.mask):
        found = method.attribute(
            window[None],
            first[None],
            additional_forward_args=mask[None],
            n_steps=steps,
            internal_batch_size=TOGETHER,
        )
        gradients.append(found.detach())
    gradient, difference = torch.cat(gradients), (clip.keypoints - start) * there
    with torch.no_grad():
        ends, starts = score(clip.keypoints, clip.mask), score(start, clip.mask)
    each = gradient * difference  # (window, channel, time, joint)
    gap = (each.sum(dim=(1, 2, 3)) - (ends - starts)).abs().max()
    return Attribution(
        each.sum(dim=1).numpy(),
        by_bone(gradient, difference, skeleton, kinds),
        float(ends.mean()),
        float(starts.mean()),
        float(gap),
    )


def by_bone(
    gradient: Tensor, difference: Tensor, skeleton: Skeleton, kinds: list[str]
) -> np.ndarray:
    """(window, time, joint) from gradient and difference (window, channel, time, joint): the
    products in the coordinates of bones.
    """
    beyond, apart = bone_coordinates(skeleton)
    space = gradient.shape[1] // len(kinds)
    total = torch.zeros_like(gradient[:, 0])
    for number, kind in enumerate(kinds):
        g, d = (part[:, number * space : (number + 1) * space] for part in (gradient, difference))
        total = total + (g * d if kind == "bone" else (g @ beyond.to(g)) * (d @ apart.to(d))).sum(
            dim=1
        )
    return total.numpy()


def bone_coordinates(skeleton: Skeleton) -> tuple[Tensor, Tensor]:
    """Two (joint, joint) matrices: `beyond`, 1 at [i, j] where i hangs on j's bone; `apart`, from
    places to bones, x_j - x_parent(j).
    """
    parents = skeleton.parents
    count = len(parents)
    beyond, apart = torch.zeros(count, count), torch.eye(count)
    for joint in range(count):
        at = joint
        beyond[joint, at] = 1
        while parents[at] != at:
            at = int(parents[at])
            beyond[joint, at] = 1
        if parents[joint] != joint:
            apart[int(parents[joint]), joint] = -1
    return beyond, apart


def occlusion(
    score: LogOdds, clip: ClipInput, skeleton: Skeleton, kinds: list[str], pieces: int = 16
) -> Attribution:
    """How much the score falls when one joint is missing for a sixteenth of the window, spread over
    these frames.

    Missing as a lost joint is, see `Gated`. A bone is taken away with both of its ends.

    Args:
        score: what is explained.
        clip: the input.
        skeleton: of the joints.
        kinds: of the channels, in order.
        pieces: of a window in time.
    """
    from captum.attr import Occlusion

    time, count = clip.mask.shape[1:]
    length = -(-time // pieces)
    parents = skeleton.parents
    joints, bones, scores, nothing = [], [], [], []
    with torch.no_grad():
        for keypoints, mask in zip(clip.keypoints, clip.mask):
            shown = Gated(score, keypoints, mask, skeleton, kinds)
            whole = torch.ones(1, time, count)
            found = Occlusion(shown).attribute(
                whole,
                sliding_window_shapes=(length, 1),
                strides=(length, 1),
                baselines=0,
                perturbations_per_eval=32,
            )
            joints.append(found[0] / length)
            gates = whole.repeat(count, 1, 1)
            for joint in range(count):
                gates[joint, :, [joint, int(parents[joint])]] = 0
            fall = shown(whole) - shown(gates)  # (joint,)
            bones.append((fall / time).expand(time, count))
            scores.append(float(shown(whole)))
            nothing.append(float(shown(torch.zeros_like(whole))))
    return Attribution(
        torch.stack(joints).numpy(),
        torch.stack(bones).numpy(),
        float(np.mean(scores)),
        float(np.mean(nothing)),
        None,
    )
