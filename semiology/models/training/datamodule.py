"""Clips as training examples: windows, masks, the split by participant, and the Lightning data
module around them.
"""

from collections.abc import Collection
from copy import copy

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_convert

from semiology.data.preprocessing import bones, deviation, motion
from semiology.errors import UserError
from semiology.models.networks.base import StreamShape
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


def _seen_vectors(clip: ClipData) -> np.ndarray:
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


class ClipDataModule(lightning.LightningDataModule):
    """Training, validation and held-out clips of one fold; everything that is fitted is fitted on
    training participants.

    Args:
        source: cohort, store and reading.
        held_out: participants that are tested on and touched by nothing else.
        held_out_clips: instead, single clips (folds split by seizure).
        validation: proportion of the other participants for early stopping, taken from each level
            in turn.
        batch_size: windows a step.
        repeats: windows a clip and epoch.
        augmentation: how training windows are changed.
        seed: of the split and the windows.

    Attributes:
        seen: what was fitted -> the clips that it was fitted on, noted where it is fitted; the
            leakage audit reads it.
        reads: tensors that batches hold beside target and clip; None for all that there are. The
            module that is trained sets them.

    Raises:
        UserError: an unknown participant or clip, or training participants that show fewer than two
            levels.
    """

    def __init__(
        self,
        source: ClipSource,
        held_out: list[str] | None = None,
        validation: float = 0.2,
        batch_size: int = 8,
        repeats: int = 1,
        augmentation: Augmentation = Augmentation(),  # noqa: B008 (frozen)
        seed: int = 0,
        held_out_clips: list[str] | None = None,
    ):
        super().__init__()
        self.source, self.batch_size, self.repeats, self.augmentation, self.seed = (
            source,
            batch_size,
            repeats,
            augmentation,
            seed,
        )
        people, single = set(held_out or []), set(held_out_clips or [])
        if unknown := people - set(source.participants):
            raise UserError(
                f"held_out: no scored clips of {sorted(unknown)}; participants are"
                f" {source.participants}"
            )
        if unknown := single - {clip.clip_id for clip in source.clips}:
            raise UserError(f"held_out_clips: no scored clips {sorted(unknown)}")
        self.held_out = [
            clip for clip in source.clips if clip.participant_id in people or clip.clip_id in single
        ]
        rest = [
            clip
            for clip in source.clips
            if clip.participant_id not in people and clip.clip_id not in single
        ]
        inner = validation_participants(rest, validation, seed)
        self.training = [clip for clip in rest if clip.participant_id not in inner]
        self.validation = [clip for clip in rest if clip.participant_id in inner]
        self.seen: dict[str, list[str]] = {}
        self.reads: Collection[str] | None = None
        for label, targets in zip(source.reading.labels, self._targets(self.training)):
            if len(set(targets)) > 1:
                continue
            raise UserError(
                f"{label}: without {sorted(people | single) or 'anybody'} the"
                " training participants show one level only; nothing can be learned: score more"
                " participants or leave this label out"
            )

    @property
    def shape(self) -> StreamShape:
        """What the data decide of a network, see `ClipSource.shape`."""
        return self.source.shape

    def of_label(self, label: str) -> "ClipDataModule":
        """The same split of the clips that were scored for one of several labels; what was fitted
        was fitted on all.
        """
        own = copy(self)
        own.source = self.source.of_label(label)
        scored = {clip.clip_id: clip for clip in own.source.clips}
        own.training, own.validation, own.held_out = (
            [scored[clip.clip_id] for clip in clips if clip.clip_id in scored]
            for clips in (self.training, self.validation, self.held_out)
        )
        own.seen = dict(self.seen)
        return own

    def _targets(self, clips: list[ClipData]) -> list[list[int]]:
        """For each label the targets of the clips that were scored for it."""
        return [
            [target for clip in clips if (target := clip.targets[number]) != UNSCORED]
            for number in range(len(self.source.classes))
        ]

    def note(self, what: str, clips: list[ClipData]) -> list[ClipData]:
        """Note that `what` is fitted on these clips, and hand them on."""
        self.seen[what] = sorted({*self.seen.get(what, []), *(clip.clip_id for clip in clips)})
        return clips

    def class_weights(self) -> Tensor:
        """(level,) inverse frequency among training clips, mean one over the clips; 0 for a level
        that they do not show. Of several labels one after the other, each over the clips that were
        scored for it.
        """
        clips, weights = self.note("class_weights", self.training), []
        for targets, classes in zip(self._targets(clips), self.source.classes):
            counts = np.bincount(targets, minlength=classes)
            weights.append(
                np.where(
                    counts > 0, len(targets) / (np.maximum(counts, 1) * np.count_nonzero(counts)), 0
                )
            )
        return torch.tensor(np.concatenate(weights), dtype=torch.float32)

    def appearance_statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and spread of each appearance channel over the vectors of training clips that the
        store holds.
        """
        clips = self.note("standardisation", self.training)
        count = sum(np.count_nonzero(clip.seen) for clip in clips)
        if not count:
            raise UserError(
                f"{self.source.reading.appearance}: not one frame of the training clips has"
                " features; look at the tracking first"
            )
        mean = sum(_seen_vectors(clip).sum(axis=0) for clip in clips) / count
        variance = sum(((_seen_vectors(clip) - mean) ** 2).sum(axis=0) for clip in clips) / count
        return torch.from_numpy(mean).float(), torch.from_numpy(variance).sqrt().float()

    def loader(self, clips: list[ClipData], *, training: bool = False) -> DataLoader:
        """Batches of these clips' windows.

        Args:
            clips: to be read.
            training: windows at random, augmented and shuffled by the seed, without a last batch of
                one window; else each clip's windows in order, as they are.
        """
        rng = np.random.default_rng(self.seed) if training else None
        augmentation = self.augmentation if training else NO_CHANGE
        dataset = ClipDataset(self.source, clips, augmentation, rng, self.repeats, self.reads)
        generator = torch.Generator().manual_seed(self.seed)
        # a last batch of one clip would break batch normalisation
        drop = training and len(dataset) > self.batch_size and len(dataset) % self.batch_size == 1
        return dataset.loader(
            self.batch_size, shuffle=training, drop_last=drop, generator=generator
        )

    def train_dataloader(self) -> DataLoader:
        """Batches of the training clips, which are noted in `seen`; for Lightning."""
        return self.loader(self.note("weights", self.training), training=True)

    def val_dataloader(self) -> DataLoader:
        """Batches of the clips for early stopping, noted in `seen`; for Lightning."""
        return self.loader(self.note("early_stopping", self.validation))

    def test_dataloader(self) -> DataLoader:
        """Batches of the held-out clips; for Lightning."""
        return self.loader(self.held_out)

    def predict_dataloader(self) -> DataLoader:
        """Batches of the held-out clips, or of all where none are held out; for Lightning."""
        return self.loader(self.held_out or self.source.clips)


def validation_participants(clips: list[ClipData], share: float, seed: int) -> set[str]:
    """Participants for early stopping: from those whose most frequent level is the same, `share` of
    them, at least one of three or more.

    Of several labels the same for each, the rarest level first, as a participant counts for all
    labels (iterative stratification: Sechidis et al. 2011, ECML PKDD [P]); nobody is taken who is
    the last with some level in training.
    """
    rng = np.random.default_rng(seed)
    targets: dict[str, list[tuple[int, ...]]] = {}
    for clip in clips:
        targets.setdefault(clip.participant_id, []).append(clip.targets)
    groups: dict[tuple[int, int], list[str]] = {}
    groups_of: dict[str, list[tuple[int, int]]] = {}
    for participant in sorted(targets):
        for label, own in enumerate(zip(*targets[participant])):
            if scored := [target for target in own if target != UNSCORED]:
                level = int(np.bincount(scored).argmax())
                groups.setdefault((label, level), []).append(participant)
                groups_of.setdefault(participant, []).append((label, level))
    drawn = {group: rng.permutation(members).tolist() for group, members in groups.items()}
    training = {group: len(members) for group, members in drawn.items()}
    chosen: set[str] = set()
    for group, members in sorted(drawn.items(), key=lambda item: len(item[1])):
        count = round(share * len(members)) if share > 0 else 0
        count = max(count, 1) if share > 0 and len(members) >= 3 else count
        for participant in members:
            theirs = groups_of[participant]
            if len(members) - training[group] >= count:
                break
            if participant not in chosen and all(training[other] > 1 for other in theirs):
                chosen.add(participant)
                training |= {other: training[other] - 1 for other in theirs}
    return chosen
