"""The clips of one fold: the split by participant, what is fitted on training participants, and the
Lightning data module around them.
"""

from collections.abc import Collection
from copy import copy

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from semiology.errors import UserError
from semiology.models.networks.base import StreamShape
from semiology.models.training.augmentation import Augmentation
from semiology.models.training.clips import UNSCORED, ClipData, ClipSource
from semiology.models.training.dataset import NO_CHANGE, ClipDataset, seen_vectors


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
        mean = sum(seen_vectors(clip).sum(axis=0) for clip in clips) / count
        variance = sum(((seen_vectors(clip) - mean) ** 2).sum(axis=0) for clip in clips) / count
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
