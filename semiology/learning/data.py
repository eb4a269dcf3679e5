"""Clips as training examples: windows, masks, the split by participant, and the Lightning data module around them."""

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from semiology.errors import UserError
from semiology.learning.augment import Augmentation
from semiology.learning.clips import ClipData, ClipSource
from semiology.learning.windows import example_rows, nearest_snippet, scoring_shares
from semiology.preparation import bones, deviation, motion
from semiology.streams.shape import StreamShape

NO_CHANGE = Augmentation(rotation=0, scale=0, noise=0, mirror=0, joint_dropout=0, crop=1)


class ClipDataset(Dataset):
    """Windows of clips as dictionaries of tensors.

    keypoints (channel, time, joint), keypoint_mask (time, joint), target, clip (index), and where the reading names appearance features
    appearance (channel, time), appearance_mask (time). Missing values are zeros under a zero mask. The part "frame" has no keypoints. Where
    the reading divides clips into segments each of these tensors has a segment axis in front. The vector of a snippet is that of the one
    that starts nearest to the window's first frame, time being one.

    With `rng` a window is drawn at random and changed at each access (training); without, windows lie evenly over the clip (scoring). A
    change is drawn once an example: all segments of a clip are turned, scaled and mirrored alike, as one camera would have filmed them.
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
            self.items = [(number, share) for number, clip in enumerate(clips) for share in scoring_shares(self.reading, len(clip.joints))]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        index, share = self.items[number]
        clip = self.clips[index]
        rows = self.rows(len(clip.joints), share)
        target, example = clip.target, {}
        if self.reading.part != "frame":
            joints = np.where((rows >= 0)[..., None, None], _at(clip.joints, np.maximum(rows, 0)), np.nan)  # (..., time, joint, space)
            if self.rng is not None:
                flat = joints.reshape(-1, *joints.shape[-2:])
                change = self.augmentation.draw(self.rng, *flat.shape, mirror=self.mirror)
                joints = change.apply(flat, self.graph.mirrored).reshape(joints.shape)
                target = int(self.mirrored_levels[target]) if change.mirror else target
            example = self._keypoints(joints)
        if clip.appearance is not None:
            example |= self._appearance(clip, rows)
        return example | {"target": torch.tensor(target), "clip": torch.tensor(index)}

    def rows(self, length: int, share: float | None) -> np.ndarray:
        """(window,) or (segment, window) positions in a clip of `length` frames; see `example_rows`."""
        return example_rows(self.reading, length, share, self.rng, self.augmentation.crop)

    def _keypoints(self, joints: np.ndarray) -> dict[str, Tensor]:
        """Channels and mask of joints (time, joint, space), or of each segment's with a segment axis in front."""
        if joints.ndim == 4:
            segments = [self._keypoints(segment) for segment in joints]  # each by itself: no movement from one to the next
            return {name: torch.stack([segment[name] for segment in segments]) for name in segments[0]}
        mask = np.isfinite(joints).all(axis=2)
        kinds = {"joint": lambda: joints, "bone": lambda: bones(joints, self.graph), "motion": lambda: motion(joints)}
        kinds["deviation"] = lambda: deviation(joints)
        stacked = np.concatenate([kinds[kind]() for kind in self.reading.channels], axis=2)  # (time, joint, channel)
        return {
            "keypoints": torch.from_numpy(np.nan_to_num(stacked, nan=0.0).transpose(2, 0, 1).astype(np.float32)),  # (channel, time, joint)
            "keypoint_mask": torch.from_numpy(mask.astype(np.float32)),
        }

    def _appearance(self, clip: ClipData, rows: np.ndarray) -> dict[str, Tensor]:
        """Features and mask of the frames in these rows, or of the snippets that start nearest to the windows' first frames."""
        assert clip.appearance is not None
        if clip.starts is None:
            nearest, inside = np.round(np.maximum(rows, 0)).astype(int), rows >= 0
        else:
            nearest, inside = nearest_snippet(clip.starts, rows[..., :1])
        features = np.where(inside[..., None], clip.appearance[nearest], np.nan)
        seen = np.isfinite(features).all(axis=-1)
        features = np.where(seen[..., None], features, 0).astype(np.float32)
        return {
            "appearance": torch.from_numpy(np.ascontiguousarray(features.swapaxes(-1, -2))),  # (..., channel, time)
            "appearance_mask": torch.from_numpy(seen.astype(np.float32)),
        }


def _at(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Values at fractional rows by straight lines; the nearer row where the other is missing."""
    low = np.floor(rows).astype(int)
    high = np.minimum(low + 1, len(values) - 1)
    share = (rows - low)[..., None, None]
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
        """Mean and spread of each appearance channel over the seen frames, or snippets, of training clips."""
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
        return DataLoader(dataset, batch_size=self.batch_size, shuffle=training, drop_last=drop, generator=generator)

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
