"""The network of the lifter, dilated convolutions over time with joints in channels, the
normalisation of its input, and the body that is lifted: 11 joints and their bones.

Source: the idea is VideoPose3D's (Pavllo et al., 3D human pose estimation in video with temporal
convolutions and semi-supervised training, CVPR 2019 [P]): blocks of kernel 3 with dilation 3, 9,
... in place of a recurrent network. Sizes, the mask, the bones' missing depth as an input, and
learning a correction to the flat pose are our choice.
"""

import warnings

import numpy as np
import torch
from torch import Tensor, nn

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
MIN_SEEN = 6  # of the 11 joints; a frame with fewer is not lifted [our choice]


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


def normalise(position: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Joints in the image, normalised for the body's position and size in it.

    The origin is the neck in every frame. The unit is one number per clip: the sum of the bones'
    median lengths in the image over the sum of the same bones' lengths in the mean body of the
    training data. So a body parallel to the image plane comes out in metres of that body, and a
    foreshortened one too large, by a factor that the network can learn from the proportions. A
    frame without the neck (both shoulders), or with fewer than MIN_SEEN joints, is masked.

    Args:
        position: (clip, time, joint, 2) px; NaN where missing.
        lengths: (bone,) m, of the mean body.

    Returns:
        Position (clip, time, joint, 2), about metres, 0 where missing; mask (clip, time, joint), 1
        where present, else 0.
    """
    seen = torch.isfinite(position).all(-1)
    seen &= (seen[:, :, ROOT] & (seen.sum(2) >= MIN_SEEN))[:, :, None]
    position = torch.where(seen[..., None], position, torch.nan)
    medians = (
        (position[:, :, OUTER] - position[:, :, INNER]).norm(dim=-1).nanmedian(dim=1).values
    )  # (clip, bone)
    known = torch.isfinite(medians)
    unit = torch.where(known, medians, 0).sum(1) / torch.where(known, lengths, 0).sum(
        1
    )  # px a metre
    scaled = (position - position[:, :, ROOT : ROOT + 1]) / unit[:, None, None, None]
    finite = torch.isfinite(scaled).all(-1)
    return torch.where(finite[..., None], scaled, 0.0), finite.float()


class LifterNetwork(nn.Module):
    """Normalised joints in the image -> joints in space, in metres.

    The input has x, y and a mask for each joint (0, 0, 0 where it is missing), and for each bone
    the depth between its ends that its foreshortening implies, sqrt(length^2 - projected length^2),
    0 where an end is missing; which end is nearer has to be learned. The clip is padded with masked
    frames, so that the output has as many frames as the input.

    Args:
        lengths: (bone,) m, of the mean body; saved with the weights.
        width: channels of every layer.
        blocks: number of blocks; the dilation is 3, 9, 27, ...
        dropout: after each block.

    Shapes: position (batch, time, joint, 2), seen (batch, time, joint) -> (batch, time, joint, 3),
    joints those of upper_body_11.

    Raises:
        ValueError: another number of joints.
    """

    lengths: Tensor

    def __init__(self, lengths: Tensor, width: int = 128, blocks: int = 2, dropout: float = 0.1):
        super().__init__()
        self.joints = len(SKELETON.names)
        self.register_buffer("lengths", lengths)
        self.expand = nn.Sequential(
            nn.Conv1d(3 * self.joints + len(lengths), width, 3, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        )
        self.blocks = nn.ModuleList(
            Block(width, 3 ** (number + 1), dropout) for number in range(blocks)
        )
        self.head = nn.Conv1d(width, 3 * self.joints, 1)

    @property
    def receptive_field(self) -> int:
        """Frames that one frame of the output depends on, itself in the middle: 3^(blocks + 1)."""
        return 3 ** (len(self.blocks) + 1)

    def forward(self, position: Tensor, seen: Tensor) -> Tensor:
        """Joints in space (batch, time, joint, 3), in m; see the class for the shapes of position
        and seen.
        """
        if position.shape[2:] != (self.joints, 2) or seen.shape != position.shape[:3]:
            found = f"position {tuple(position.shape)} and seen {tuple(seen.shape)}"
            raise ValueError(
                f"lifter: expected position (batch, time, {self.joints}, 2), seen (batch, time,"
                f" {self.joints}); got {found}"
            )
        flat = torch.where(seen[..., None] > 0, position, 0.0)
        projected = (
            (flat[:, :, OUTER] - flat[:, :, INNER]).square().sum(-1)
        )  # (batch, time, bone), squared
        missing_depth = (
            (self.lengths.square() - projected).clamp_min(0).add(1e-6).sqrt()
            * seen[:, :, OUTER]
            * seen[:, :, INNER]
        )
        x = torch.cat([flat.flatten(2), seen, missing_depth], dim=2).transpose(
            1, 2
        )  # (batch, channel, time)
        half = self.receptive_field // 2
        x = self.expand(nn.functional.pad(x, (half, half)))
        for block in self.blocks:
            x = block(x)
        correction = (
            self.head(x).transpose(1, 2).unflatten(2, (self.joints, 3))
        )  # (batch, time, joint, 3)
        return correction + nn.functional.pad(flat, (0, 1))


class Block(nn.Module):
    """A dilated convolution, a pointwise one, and a residual connection from the middle of the
    input.

    Shapes: (batch, width, time) -> (batch, width, time - 2 dilation).
    """

    def __init__(self, width: int, dilation: int, dropout: float):
        super().__init__()
        self.dilation = dilation
        self.time = nn.Sequential(
            nn.Conv1d(width, width, 3, dilation=dilation, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        )
        self.mix = nn.Sequential(
            nn.Conv1d(width, width, 1, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, time) -> (batch, width, time - 2 dilation)."""
        return x[:, :, self.dilation : -self.dilation] + self.mix(self.time(x))
