"""Clips as training examples: windows as dictionaries of tensors, with their masks."""

from collections.abc import Collection

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_convert

from semiology.data.preprocessing import bones, deviation, motion
from semiology.models.training.augmentation import Augmentation, Change
from semiology.models.training.clips import UNSCORED, ClipData, ClipSource
from semiology.models.training.windows import example_rows, nearest_snippet, scoring_shares

LEAST_STEP = 0.01  # frames: a clip of one frame has a duration too [our choice]
NO_CHANGE = Augmentation(rotation=0, scale=0, noise=0, mirror=0, joint_dropout=0, crop=1)


class ClipDataset(Dataset):
    """Windows of clips as dictionaries of tensors.

    keypoints (channel, time, joint), keypoint_mask (time, joint), target, clip (index), and where
    the reading names appearance features appearance (channel, time), appearance_mask (time);
    duration of the whole clip (s), and its measures where it has some.
    Missing values are zeros under a zero mask. The part "frame" has no keypoints. Where the reading
    divides clips into segments each of these tensors has a segment axis in front. The vector of a
    snippet is that of the one that starts nearest to the window's first frame, time being one.

    With `rng` a window is sampled and changed at each access (training); without, windows
    lie evenly over the clip (scoring). A change is sampled once for each example: all segments of a
    clip are turned, scaled and mirrored alike, as one camera would have filmed them. Where `reads`
    names what a network reads, nothing else is made; the draws stay the same.
    """

    def __init__(
        self,
        source: ClipSource,
        clips: list[ClipData],
        augmentation: Augmentation,
        rng: np.random.Generator | None,
        repeats: int = 1,
        reads: Collection[str] | None = None,
    ):
        self.reading, self.graph = source.reading, source.reading.graph
        self.clips, self.augmentation, self.rng, self.reads = clips, augmentation, rng, reads
        self.mirrored_levels = source.mirrored_levels
        sided = any((own != np.arange(len(own))).any() for own in self.mirrored_levels)
        self.mirror = not (sided and source.reading.appearance)
        # a patch of one side is not that of the other, mirrored
        self.mirror &= source.reading.appearance != "body_patches"
        self.items: list[tuple[int, float | None]]
        if rng is not None:
            self.items = [(number, None) for _ in range(repeats) for number in range(len(clips))]
        else:
            self.items = [
                (number, share)
                for number, clip in enumerate(clips)
                for share in scoring_shares(self.reading, len(clip.joints))
            ]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        return {name: values[0] for name, values in self.__getitems__([number]).items()}

    def __getitems__(self, numbers: list[int]) -> dict[str, Tensor]:
        """A batch, made at once: each tensor with a batch axis in front. What is random is drawn
        item by item, in their order.
        """
        items = [self.items[number] for number in numbers]
        clips = [self.clips[index] for index, _ in items]
        rows, changes = zip(*(self._draw(clip, share) for clip, (_, share) in zip(clips, items)))
        mirrors = [change is not None and change.mirror for change in changes]
        targets = [
            self._mirrored(clip.targets) if mirror else clip.targets
            for clip, mirror in zip(clips, mirrors)
        ]
        batch: dict[str, Tensor] = {}
        if self.reading.part != "frame" and self._is_read("keypoints"):
            joints = np.stack([self._joints(*drawn) for drawn in zip(clips, rows, changes)])
            batch |= self._keypoints(joints, self._step(np.stack(rows)))
        if clips[0].appearance is not None and self._is_read("appearance"):
            batch |= self._appearance(clips, np.stack(rows))
        if self._is_read("duration"):
            seconds = [len(clip.joints) / self.reading.rate for clip in clips]
            batch["duration"] = torch.tensor(seconds)
        if measures := [clip.measures for clip in clips if clip.measures is not None]:
            batch["measures"] = torch.tensor(np.stack(measures))
        return batch | {
            "target": torch.tensor(targets).squeeze(1),  # (batch,), or (batch, label) of several
            "clip": torch.tensor([index for index, _ in items]),
        }

    def loader(
        self,
        batch_size: int,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: torch.Generator | None = None,
    ) -> DataLoader:
        """Batches as `__getitems__` makes them, so that nothing is left to collate."""
        # by name, all of it: Lightning makes a loader of its own of this one to predict
        return DataLoader(
            self,
            batch_size=batch_size,
            shuffle=shuffle,
            drop_last=drop_last,
            generator=generator,
            collate_fn=default_convert,
        )

    def rows(self, length: int, share: float | None) -> np.ndarray:
        """(window,) or (segment, window) positions in a clip of `length` frames; see
        `example_rows`.
        """
        return example_rows(self.reading, length, share, self.rng, self.augmentation.crop)

    def _mirrored(self, targets: tuple[int, ...]) -> tuple[int, ...]:
        """The classes of a clip, as its mirror image has them."""
        return tuple(
            target if target == UNSCORED else int(own[target])
            for own, target in zip(self.mirrored_levels, targets)
        )

    def _is_read(self, name: str) -> bool:
        return self.reads is None or name in self.reads

    def _draw(self, clip: ClipData, share: float | None) -> tuple[np.ndarray, Change | None]:
        """The rows of an example and how its joints are changed; the same draws whether joints are
        read or not.
        """
        rows = self.rows(len(clip.joints), share)
        if self.rng is None or self.reading.part == "frame":
            return rows, None
        return rows, self.augmentation.draw(
            self.rng, rows.size, *clip.joints.shape[1:], mirror=self.mirror
        )

    def _joints(self, clip: ClipData, rows: np.ndarray, change: Change | None) -> np.ndarray:
        """(..., time, joint, space) of the clip at these rows, NaN beyond its end, changed."""
        joints = _at(clip.joints, np.maximum(rows, 0))
        joints[rows < 0] = np.nan
        return (
            joints
            if change is None
            else change.apply(joints.reshape(-1, *joints.shape[-2:]), self.graph.mirrored).reshape(
                joints.shape
            )
        )

    def _step(self, rows: np.ndarray) -> np.ndarray:
        """Seconds from frame to frame of examples (..., time): of their rows, where whole clips are
        resampled.
        """
        frames = (rows[..., -1] - rows[..., 0]) / max(rows.shape[-1] - 1, 1)
        seconds = frames if self.reading.whole else np.ones(rows.shape[:-1])
        return np.maximum(seconds, LEAST_STEP) / self.reading.rate

    def _channels(self, joints: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Channels (..., time, joint, channel) of joints (..., time, joint, space), NaN where
        missing; `step` (...) seconds from frame to frame.
        """
        step = step[..., None, None, None]
        kinds = {
            "joint": lambda: joints,
            "bone": lambda: bones(joints, self.graph),
            "motion": lambda: motion(joints),
            "deviation": lambda: deviation(joints),
            "speed": lambda: motion(joints) / step,
            "duration": lambda: np.broadcast_to(np.log(step * joints.shape[-3]), joints.shape),
        }
        return np.concatenate([kinds[kind]() for kind in self.reading.channels], axis=-1)

    def _keypoints(self, joints: np.ndarray, step: np.ndarray) -> dict[str, Tensor]:
        """Channels (..., channel, time, joint) and mask (..., time, joint) of joints (..., time,
        joint, space), `step` (...) seconds from frame to frame.
        """
        values = np.ascontiguousarray(
            np.moveaxis(self._channels(joints, step), -1, -3), np.float32
        )  # (..., channel, time, joint)
        values[np.isnan(values)] = 0
        return {
            "keypoints": torch.from_numpy(values),
            "keypoint_mask": torch.from_numpy(np.isfinite(joints).all(axis=-1).astype(np.float32)),
        }

    def _appearance(self, clips: list[ClipData], rows: np.ndarray) -> dict[str, Tensor]:
        """Features and mask of the frames in these rows, or of the snippets that start nearest to
        the windows' first frames.
        """
        found = [_vectors(clip, of_clip) for clip, of_clip in zip(clips, rows)]
        features, seen = (
            np.stack([values for values, _ in found]),
            np.stack([there for _, there in found]),
        )
        return {
            "appearance": torch.from_numpy(
                np.ascontiguousarray(features.swapaxes(-1, -2))
            ),  # (..., channel, time)
            "appearance_mask": torch.from_numpy(seen.astype(np.float32)),
        }


def seen_vectors(clip: ClipData) -> np.ndarray:
    """(vector, channel) float64, those that the store has."""
    assert clip.appearance is not None
    return clip.appearance[clip.seen].astype(float)


def _vectors(clip: ClipData, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Appearance (..., time, channel) at these rows of one clip, and (..., time) where it is known;
    zeros elsewhere.
    """
    assert clip.appearance is not None
    if clip.starts is not None:
        own, inside = nearest_snippet(clip.starts, rows[..., :1])
    else:
        own, inside = np.round(np.maximum(rows, 0)).astype(int), rows >= 0
    if clip.held is not None:
        own = clip.held[own]
    seen = inside & (own >= 0) & clip.seen[own]
    features = clip.appearance[own].astype(np.float32, copy=False)
    features[~seen] = 0
    return features, seen


def _at(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Values at fractional rows by straight lines; the nearer row where the other is missing."""
    low = np.floor(rows).astype(int)
    share = (rows - low)[..., None, None]
    if not share.any():
        return values[low].astype(float)
    high = np.minimum(low + 1, len(values) - 1)
    between = values[low] * (1 - share) + values[high] * share
    return np.where(np.isfinite(between), between, np.where(share < 0.5, values[low], values[high]))
