"""Clips as training examples: windows, masks, the split by participant, and the Lightning data module around them."""

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from semiology.errors import UserError
from semiology.learning.augment import Augmentation
from semiology.learning.clips import ClipData, ClipSource
from semiology.preparation import bones, deviation, motion
from semiology.streams.shape import StreamShape

NO_CHANGE = Augmentation(rotation=0, scale=0, noise=0, mirror=0, joint_dropout=0, crop=1)


class ClipDataset(Dataset):
    """Windows of clips as dictionaries of tensors.

    keypoints (channel, time, joint), keypoint_mask (time, joint), target, clip (index), and where the reading names appearance features
    appearance (channel, time), appearance_mask (time). Missing values are zeros under a zero mask.

    With `rng` a window is drawn at random and changed at each access (training); without, windows lie evenly over the clip (scoring).
    """

    def __init__(
        self, source: ClipSource, clips: list[ClipData], augmentation: Augmentation, rng: np.random.Generator | None, repeats: int = 1
    ):
        self.reading, self.graph = source.reading, source.reading.graph
        self.clips, self.augmentation, self.rng = clips, augmentation, rng
        self.mirrored_levels = source.mirrored_levels
        sided = bool((self.mirrored_levels != np.arange(len(self.mirrored_levels))).any())
        self.mirror = not (sided and source.reading.appearance)
        self.items: list[tuple[int, float | None]]
        if rng is not None:
            self.items = [(number, None) for _ in range(repeats) for number in range(len(clips))]
        else:
            self.items = [(number, share) for number, clip in enumerate(clips) for share in self._shares(len(clip.joints))]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        index, share = self.items[number]
        clip, reading = self.clips[index], self.reading
        rows = self.rows(len(clip.joints), share)
        inside = rows >= 0
        joints = np.where(inside[:, None, None], _at(clip.joints, np.maximum(rows, 0)), np.nan)
        target = clip.target
        if self.rng is not None:
            change = self.augmentation.draw(self.rng, *joints.shape, mirror=self.mirror)
            joints = change.apply(joints, self.graph.mirrored)
            target = int(self.mirrored_levels[target]) if change.mirror else target
        mask = np.isfinite(joints).all(axis=2)
        bone = bones(joints, self.graph)
        kinds = {"joint": joints, "bone": bone, "motion": motion(joints), "deviation": deviation(joints)}
        stacked = np.concatenate([kinds[kind] for kind in reading.channels], axis=2)  # (time, joint, channel)
        example = {
            "keypoints": torch.from_numpy(np.nan_to_num(stacked, nan=0.0).transpose(2, 0, 1).astype(np.float32)),  # (channel, time, joint)
            "keypoint_mask": torch.from_numpy(mask.astype(np.float32)),
            "target": torch.tensor(target),
            "clip": torch.tensor(index),
        }
        if clip.appearance is not None:
            nearest = np.round(np.maximum(rows, 0)).astype(int)
            features = np.where(inside[:, None], clip.appearance[nearest], np.nan)
            seen = np.isfinite(features).all(axis=1)
            example["appearance"] = torch.from_numpy(np.where(seen[:, None], features, 0).T.astype(np.float32))  # (channel, time)
            example["appearance_mask"] = torch.from_numpy(seen.astype(np.float32))
        return example

    def _shares(self, length: int) -> list[float]:
        """Where the scoring windows start, as shares of the room that they have: 0 at the beginning, 1 at the end."""
        room = length - self.reading.window
        if self.reading.whole or room <= 0:
            return [0.0]
        count = min(self.reading.windows, 1 + -(-room // self.reading.window))
        return np.linspace(0, 1, count).tolist() if count > 1 else [0.5]

    def rows(self, length: int, share: float | None) -> np.ndarray:
        """(window,) positions in the clip, fractional when the whole clip is resampled; -1 beyond its end."""
        window = self.reading.window
        if self.reading.whole:
            start, kept = 0.0, 1.0
            if self.rng is not None:
                kept = self.rng.uniform(self.augmentation.crop, 1)
                start = self.rng.uniform(0, 1 - kept)
            return np.linspace(start, start + kept, window) * (length - 1)
        room = max(length - window, 0)
        first = round(share * room) if share is not None else int(self.rng.integers(room + 1))  # type: ignore[union-attr]
        rows = first + np.arange(window, dtype=float)
        return np.where(rows < length, rows, -1)


def _at(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Values at fractional rows by straight lines; the nearer row where the other is missing."""
    low = np.floor(rows).astype(int)
    high = np.minimum(low + 1, len(values) - 1)
    share = (rows - low)[:, None, None]
    between = values[low] * (1 - share) + values[high] * share
    return np.where(np.isfinite(between), between, np.where(share < 0.5, values[low], values[high]))


class ClipDataModule(lightning.LightningDataModule):
    """Training, validation and held-out clips of one fold; everything that is fitted is fitted on training participants.

    Args:
        source: cohort, store and reading.
        held_out: participants that are tested on and touched by nothing else.
        held_out_clips: instead, single clips (folds dealt by seizure).
        validation: share of the other participants kept for early stopping, taken from each level in turn.
        batch_size: windows a step.
        repeats: windows a clip and epoch.
        augmentation: how training windows are changed.
        seed: of the split and the windows.

    Attributes:
        seen: what was fitted -> the clips that it was fitted on, noted where it is fitted; the leakage audit reads it.

    Raises:
        UserError: an unknown participant or clip, or training participants that show fewer than two levels.
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
        self.source, self.batch_size, self.repeats, self.augmentation, self.seed = source, batch_size, repeats, augmentation, seed
        people, single = set(held_out or []), set(held_out_clips or [])
        if unknown := people - set(source.participants):
            raise UserError(f"held_out: no scored clips of {sorted(unknown)}; participants are {source.participants}")
        if unknown := single - {clip.clip_id for clip in source.clips}:
            raise UserError(f"held_out_clips: no scored clips {sorted(unknown)}")
        self.held_out = [clip for clip in source.clips if clip.participant_id in people or clip.clip_id in single]
        rest = [clip for clip in source.clips if clip.participant_id not in people and clip.clip_id not in single]
        inner = validation_participants(rest, validation, seed)
        self.training = [clip for clip in rest if clip.participant_id not in inner]
        self.validation = [clip for clip in rest if clip.participant_id in inner]
        self.seen: dict[str, list[str]] = {}
        if len({clip.target for clip in self.training}) < 2:
            raise UserError(
                f"{source.reading.label}: without {sorted(people | single) or 'anybody'} the training participants show one level only; "
                "nothing can be learned: score more participants or leave this label out"
            )

    @property
    def shape(self) -> StreamShape:
        return self.source.shape

    def note(self, what: str, clips: list[ClipData]) -> list[ClipData]:
        """Note that `what` is fitted on these clips, and hand them on."""
        self.seen[what] = sorted({*self.seen.get(what, []), *(clip.clip_id for clip in clips)})
        return clips

    def class_weights(self) -> Tensor:
        """(level,) inverse frequency among training clips, mean one over the clips; 0 for a level that they do not show."""
        clips = self.note("class_weights", self.training)
        counts = np.bincount([clip.target for clip in clips], minlength=self.shape.classes)
        weights = np.where(counts > 0, len(clips) / (np.maximum(counts, 1) * np.count_nonzero(counts)), 0)
        return torch.tensor(weights, dtype=torch.float32)

    def appearance_statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and spread of each appearance channel over the seen frames of training clips."""
        clips = self.note("standardisation", self.training)
        rows = np.concatenate([clip.appearance for clip in clips if clip.appearance is not None])
        rows = rows[np.isfinite(rows).all(axis=1)]
        if len(rows) == 0:
            raise UserError(
                f"{self.source.reading.appearance}: not one frame of the training clips has features; look at the tracking first"
            )
        return torch.from_numpy(rows.mean(axis=0)), torch.from_numpy(rows.std(axis=0))

    def loader(self, clips: list[ClipData], *, training: bool = False) -> DataLoader:
        rng = np.random.default_rng(self.seed) if training else None
        augmentation = self.augmentation if training else NO_CHANGE
        dataset = ClipDataset(self.source, clips, augmentation, rng, self.repeats)
        generator = torch.Generator().manual_seed(self.seed)
        # a last batch of one clip would break batch normalisation
        drop = training and len(dataset) > self.batch_size and len(dataset) % self.batch_size == 1
        return DataLoader(dataset, self.batch_size, shuffle=training, drop_last=drop, generator=generator)

    def train_dataloader(self) -> DataLoader:
        return self.loader(self.note("weights", self.training), training=True)

    def val_dataloader(self) -> DataLoader:
        return self.loader(self.note("early_stopping", self.validation))

    def test_dataloader(self) -> DataLoader:
        return self.loader(self.held_out)

    def predict_dataloader(self) -> DataLoader:
        return self.loader(self.held_out or self.source.clips)


def validation_participants(clips: list[ClipData], share: float, seed: int) -> set[str]:
    """Participants for early stopping: from those whose most frequent level is the same, `share` of them, at least one of three or more."""
    rng = np.random.default_rng(seed)
    groups: dict[int, list[str]] = {}
    for participant in sorted({clip.participant_id for clip in clips}):
        targets = [clip.target for clip in clips if clip.participant_id == participant]
        groups.setdefault(int(np.bincount(targets).argmax()), []).append(participant)
    chosen: set[str] = set()
    for members in groups.values():
        count = round(share * len(members)) if share > 0 else 0
        count = max(count, 1) if share > 0 and len(members) >= 3 else count
        chosen |= set(rng.permutation(members)[: min(count, len(members) - 1)].tolist())
    return chosen
