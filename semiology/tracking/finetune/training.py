"""Training of one detector: losses as Lightning modules, a loop with checkpoints."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.models.detection.ssd import SSD

from semiology.errors import UserError
from semiology.models.device import check_precision, choose_precision
from semiology.models.training.trainer import LIGHTNING_PRECISIONS, quiet
from semiology.tracking.finetune.dataset import (
    Augmentation,
    JointDataset,
    RegionDataset,
    heatmap_targets,
)
from semiology.tracking.pose.joint_network import JointNetwork

CHECKPOINT_EVERY = 64  # batches


@dataclass(frozen=True)
class FinetuneOptions:
    """Options of fine-tuning. Our choice, except where a source is given: the papers do not state
    them.

    Attributes:
        start: initial weights: coco (torchvision's published detectors [P]), imagenet (its
            backbone, the rest random), the folder of detectors trained before, or scratch: random
            weights, which need several hundred labelled frames.
        backbone: of the joint network: resnet50 [P: Keypoint R-CNN on COCO], or mobilenet_v3_large
            for CPUs. By default that of the initial weights: resnet50 for coco, the folder's own,
            mobilenet_v3_large otherwise.
        region: "patient" reads the crop around the patient's box; "frame" the whole frame, as
            DeepLabCut does: for one fixed camera.
        size: side of the image that the joint network reads, px.
        joint_steps: batches for the joints.
        region_steps: batches for the regions.
        batch: images in a batch.
        learning_rate: highest of one cycle (AdamW).
        held_out: fraction of the participants that are held out, and on whose frames the error is
            measured; 0 trains on all.
        augmentation: of the training images.
        precision: fp32, bf16, or auto: bf16 where the device has it.
        workers: processes that prepare images.
        seed: of the held-out participants, the weights and the augmentation.

    Raises:
        UserError: an option out of bounds.
    """

    start: str = "coco"
    backbone: Literal["mobilenet_v3_large", "resnet50"] | None = None
    region: Literal["patient", "frame"] = "patient"
    size: int = 256
    joint_steps: int = 2000
    region_steps: int = 1500
    batch: int = 16
    learning_rate: float = 1e-3
    held_out: float = 0.2
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: str = "fp32"
    workers: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        bounds = {
            "held_out is 0 or more and below 1": 0 <= self.held_out < 1,
            "batch is 2 or more": self.batch >= 2,
            "steps are 0 or more": min(self.joint_steps, self.region_steps) >= 0,
            "size is 32 px or more": self.size >= 32,
            "learning_rate is above 0": self.learning_rate > 0,
            "workers and seed are 0 or more": min(self.workers, self.seed) >= 0,
        }
        if broken := [bound for bound, holds in bounds.items() if not holds]:
            raise UserError(f"finetune: {'; '.join(broken)}")
        check_precision(self.precision, "finetune.precision")


class JointTraining(lightning.LightningModule):
    """Cross-entropy between each joint's heatmap and a Gaussian around its labelled position;
    unlabelled joints are masked.
    """

    def __init__(self, network: JointNetwork, options: FinetuneOptions):
        super().__init__()
        self.network, self.options = network, options

    def training_step(self, batch: Sequence[Tensor], _: int) -> Tensor:
        """Loss of one batch: images (batch, 3, side, side), positions (batch, joint, 2) and whether
        each joint is labelled (batch, joint).
        """
        images, position, known = batch
        logits = self.network(images).float()
        log_probability = logits.flatten(2).log_softmax(2)  # (batch, joint, bin²)
        target = heatmap_targets(position, logits.shape[-1]).flatten(2)
        each = -(target * log_probability).sum(2)
        return (each * known).sum() / known.sum().clamp_min(1)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW, and a learning rate that rises and falls once; for Lightning."""
        return _one_cycle(self, self.options)


class RegionTraining(lightning.LightningModule):
    """SSD's own losses, of boxes and of classes, as torchvision computes them."""

    def __init__(self, network: SSD, options: FinetuneOptions):
        super().__init__()
        self.network, self.options = network, options

    def training_step(self, batch: tuple[list[Tensor], list[dict[str, Tensor]]], _: int) -> Tensor:
        """Sum of the detector's losses of one batch: images and their boxes, as torchvision takes
        them.
        """
        losses: dict[str, Tensor] = self.network(*batch)
        return torch.stack(list(losses.values())).sum()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW, and a learning rate that rises and falls once; for Lightning."""
        return _one_cycle(self, self.options)


def _one_cycle(
    module: lightning.LightningModule, options: FinetuneOptions
) -> OptimizerLRSchedulerConfig:
    optimizer = torch.optim.AdamW(module.parameters(), lr=options.learning_rate, weight_decay=1e-4)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options.learning_rate, total_steps=module.trainer.max_steps + 1, pct_start=0.1
    )
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}


def train(
    module: lightning.LightningModule,
    dataset: JointDataset | RegionDataset,
    steps: int,
    folder: Path,
    options: FinetuneOptions,
    progress: bool,
) -> None:
    """Train for a number of batches with regular checkpoints; resumes from a checkpoint where there
    is one.

    Args:
        module: the loss, with the network in it.
        dataset: of crops or frames.
        steps: batches.
        folder: of the checkpoints.
        options: of the training.
        progress: show a progress bar.
    """
    quiet()
    lightning.seed_everything(options.seed, verbose=False)
    last = folder / "last.ckpt"
    done = torch.load(last, weights_only=True)["global_step"] if last.is_file() else 0
    order = np.roll(
        sampling_order(len(dataset), steps * options.batch, options.seed), -done * options.batch
    )  # resumes with the next item
    loader: DataLoader = DataLoader(
        dataset,
        options.batch,
        sampler=order.tolist(),
        num_workers=options.workers,
        collate_fn=collate_lists if isinstance(module, RegionTraining) else None,
    )
    saved = ModelCheckpoint(
        folder, save_last=True, save_top_k=0, every_n_train_steps=min(CHECKPOINT_EVERY, steps)
    )
    trainer = lightning.Trainer(
        max_steps=steps,
        callbacks=[saved, *([TQDMProgressBar(refresh_rate=10)] if progress else [])],
        precision=LIGHTNING_PRECISIONS[choose_precision(options.precision)],
        devices=1,
        logger=False,
        enable_progress_bar=progress,
        enable_model_summary=False,
    )
    module.train()
    try:
        trainer.fit(module, loader, ckpt_path=last if done else None, weights_only=True)
    except (
        SystemExit
    ) as stopped:  # Lightning's way to end on Ctrl-C; callers expect KeyboardInterrupt
        raise KeyboardInterrupt from stopped


def sampling_order(frames: int, count: int, seed: int) -> np.ndarray:
    """Item numbers of `count` training examples: epoch after epoch of all frames, each epoch in
    another order.
    """
    rng = np.random.default_rng(seed)
    rounds = [
        round_number * frames + rng.permutation(frames)
        for round_number in range(-(-count // frames))
    ]
    return np.concatenate(rounds)[:count]


def collate_lists(
    items: list[tuple[Tensor, dict[str, Tensor]]],
) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """A batch as torchvision's detectors read it: a list of images and one of targets."""
    return [image for image, _ in items], [target for _, target in items]
