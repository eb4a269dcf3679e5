"""The task of pretraining on tracks without labels: joints and frames of a window are hidden, and a
light decoder reconstructs them from what the encoder makes of the rest.

Source: Wu et al., SkeletonMAE: Spatial-Temporal Masked Autoencoders for Self-supervised Skeleton
Action Recognition, 2022 [P]: joints and frames are hidden, the loss is over hidden ones. The
encoder here is a graph network, or a transformer that reads all tokens: hidden joints are missing
to it, as lost ones are in tracks. Sizes, shares and the form of the decoder are our choice.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semiology.errors import UserError
from semiology.models.training.augmentation import Augmentation
from semiology.models.training.clips import ClipData, ClipSource
from semiology.models.training.dataset import NO_CHANGE, ClipDataset
from semiology.models.training.encoder import HEAD


@dataclass(frozen=True)
class Recipe:
    """How an encoder is pretrained. All our choice.

    Attributes:
        epochs: at most.
        patience: epochs without a lower validation loss before it stops.
        validation: proportion of participants for early stopping; 0 trains all epochs on everybody.
        joints: proportion of the joints that are hidden throughout a window.
        frames: proportion of the frames in which all joints are hidden, in runs of `run` frames.
        run: frames of a hidden run.
        batch_size: windows a step.
        repeats: windows an epoch, times those that fit into a clip one after the other.
        learning_rate: of AdamW at the start; falls as a cosine to zero.
        weight_decay: of AdamW.
        width: channels of the decoder.
        augmentation: of training windows.
        seed: of all random numbers.
    """

    epochs: int = 100
    patience: int = 20
    validation: float = 0.2
    joints: float = 0.3
    frames: float = 0.4
    run: int = 4
    batch_size: int = 32
    repeats: int = 1
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    width: int = 32
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "run", "batch_size", "repeats", "width"):
            if getattr(self, name) < 1:
                raise UserError(f"recipe.{name}: {getattr(self, name)}; one or more")
        for name in ("validation", "joints", "frames"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(
                    f"recipe.{name}: {getattr(self, name):g}; a share, 0 or more, below 1"
                )
        if not 0 < self.learning_rate < math.inf or not 0 <= self.weight_decay < math.inf:
            raise UserError(
                f"recipe: learning_rate {self.learning_rate:g}, weight_decay {self.weight_decay:g};"
                " the first above 0, the second 0 or more"
            )
        if not self.joints and not self.frames:
            raise UserError("recipe: joints and frames are 0, so that nothing is hidden; set one")


class MaskedWindows(ClipDataset):
    """Windows of which a part is hidden.

    keypoints (channel, time, joint) and keypoint_mask (time, joint) as a network reads them, hidden
    joints missing; whole (channel, time, joint), nothing hidden; known (channel, time, joint), 1
    where the tracks have a value; counted (channel, time, joint), 1 where it is hidden, too. A
    joint that is missing in the tracks is never counted.
    """

    def __init__(
        self,
        source: ClipSource,
        clips: list[ClipData],
        recipe: Recipe,
        rng: np.random.Generator | None,
    ):
        changes = recipe.augmentation if rng is not None else NO_CHANGE
        super().__init__(source, clips, changes, rng, recipe.repeats)
        self.recipe = recipe
        if rng is not None and not source.reading.whole:  # of a long clip in proportion
            self.items = [
                (number, share)
                for number, share in self.items
                for _ in range(max(1, len(clips[number].joints) // source.reading.window))
            ]

    def __getitems__(self, numbers: list[int]) -> dict[str, Tensor]:
        """A batch, each tensor with a batch axis in front."""
        joints, hidden, steps = [], [], []
        for number in numbers:
            index, share = self.items[number]
            clip = self.clips[index]
            rows, change = self._draw(clip, share)
            joints.append(self._joints(clip, rows, change))
            steps.append(self._step(rows))
            own = self.rng or np.random.default_rng([self.recipe.seed, number])
            hidden.append(hidden_joints(own, len(rows), clip.joints.shape[1], self.recipe))
        seen, away, step = np.stack(joints), np.stack(hidden), np.stack(steps)
        channels = np.moveaxis(self._channels(seen, step), -1, -3)
        known = np.isfinite(channels) & np.isfinite(seen).all(axis=-1)[:, None]
        return self._keypoints(np.where(away[..., None], np.nan, seen), step) | {
            "whole": torch.from_numpy(np.where(known, channels, 0).astype(np.float32)),
            "known": torch.from_numpy(known.astype(np.float32)),
            "counted": torch.from_numpy((known & away[:, None]).astype(np.float32)),
        }


def hidden_joints(rng: np.random.Generator, time: int, joints: int, recipe: Recipe) -> np.ndarray:
    """(time, joint) True where hidden: some joints throughout, and all joints in some runs of
    frames. One joint and one run at least remain.
    """
    hidden = np.zeros((time, joints), bool)
    count = min(round(recipe.joints * joints), joints - 1)
    hidden[:, rng.permutation(joints)[:count]] = True
    runs = np.arange(time) // recipe.run
    total = int(runs[-1]) + 1
    chosen = rng.permutation(total)[: min(round(recipe.frames * total), total - 1)]
    hidden[np.isin(runs, chosen)] = True
    return hidden


def masked_error(made: Tensor, whole: Tensor, counted: Tensor) -> Tensor:
    """Mean squared error over the positions that count, all of one shape; other positions give
    neither loss nor gradient.
    """
    return ((made - whole) * counted).square().sum() / counted.sum().clamp(min=1)


class Reconstruction(nn.Module):
    """The encoder, and a light decoder: at each joint a convolution over time of the encoder's
    features, each frame taking those of its step, and of what is learned of the joint.

    Values are in standard deviations of a channel around each joint's mean, so that an error of 1
    is that of the mean pose.

    Shapes: keypoints (batch, channel, time, joint), mask (batch, time, joint) -> (batch, channel,
    time, joint).
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, encoder: Any, channels: int, joints: int, width: int):
        super().__init__()
        self.encoder = encoder
        self.inner = nn.Conv2d(encoder.features, width, 1)
        self.joint = nn.Parameter(torch.zeros(1, width, 1, joints))
        self.time = nn.Conv2d(width, width, (5, 1), padding=(2, 0))
        self.outer = nn.Conv2d(width, channels, 1)
        self.register_buffer("mean", torch.zeros(channels, 1, joints))
        self.register_buffer("spread", torch.ones(channels, 1, 1))

    def forward(self, keypoints: Tensor, mask: Tensor) -> Tensor:
        """(batch, channel, time, joint), see the class."""
        x = self.inner(self.encoder.forward_joints(keypoints, mask)) + self.joint
        x = F.interpolate(x, size=(keypoints.shape[2], x.shape[3]))  # each frame its step's
        return self.outer(F.gelu(self.time(F.gelu(x))))

    def standardised(self, whole: Tensor) -> Tensor:
        """Channels (batch, channel, time, joint) in the decoder's units."""
        return (whole - self.mean) / self.spread

    def trained(self) -> list[nn.Parameter]:
        """All weights but those of the encoder's head, which nothing reads here."""
        head = f"encoder.{HEAD}"
        return [value for name, value in self.named_parameters() if not name.startswith(head)]

    def error(self, batch: dict[str, Tensor], mean_pose: bool = False) -> Tensor:
        """`masked_error` of a batch of `MaskedWindows`; with `mean_pose` that of each joint's mean
        in place of what the decoder makes.
        """
        given = {name: value.to(self.mean.device) for name, value in batch.items()}
        whole = self.standardised(given["whole"])
        made = (
            torch.zeros_like(whole)
            if mean_pose
            else self(*(given[name] for name in self.encoder.reads))
        )
        return masked_error(made, whole, given["counted"])
