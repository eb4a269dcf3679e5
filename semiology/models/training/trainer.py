"""Train one module on one fold, quietly and repeatably, keep it, and score clips with it."""

import json
import logging
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping

from semiology.errors import UserError
from semiology.files import parse_json
from semiology.models.device import bf16_pays, choose_device, choose_precision, computing
from semiology.models.networks import AGCN
from semiology.models.networks.folded_agcn import FoldedAGCN
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.modules import StreamModule, probabilities
from semiology.models.training.reading import Schedule
from semiology.models.training.saved import save_state
from semiology.weights import load_state, metadata

EPOCHS = ".epochs"  # suffix of the file that says how many epochs of a training are done
LIGHTNING_PRECISIONS: dict[str, Any] = {"fp32": "32-true", "bf16": "bf16-mixed"}


class KeepBest(Callback):
    """Remember the weights of the epoch with the lowest validation loss (inner participants, never
    the held-out one) and put them back.
    """

    def __init__(self) -> None:
        self.lowest = np.inf
        self.state: dict[str, torch.Tensor] | None = None

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Copy the weights if this epoch's validation loss is the lowest so far."""
        loss = float(trainer.callback_metrics.get("val_loss", np.inf))
        if not trainer.sanity_checking and loss < self.lowest:
            self.lowest = loss
            self.state = {name: value.clone() for name, value in pl_module.state_dict().items()}

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Put the best epoch's weights back; nothing without validation."""
        if self.state is not None:
            pl_module.load_state_dict(self.state)


class WriteEpochs(Callback):
    """Write into a small file how much of a training is done, for whoever shows progress."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Write the epochs that are done and that are planned."""
        with suppress(OSError):  # a full disk stops what is kept, with a message of its own
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(f"{trainer.current_epoch + 1} {trainer.max_epochs}")


def fit(
    module: StreamModule,
    data: ClipDataModule,
    schedule: Schedule,
    seed: int,
    epochs: Path | None = None,
) -> StreamModule:
    """Train `module` on the training clips of `data`; the same seed gives the same weights on the
    same machine.

    Args:
        module: a fresh one.
        data: of a fold.
        schedule: epochs and early stopping.
        seed: of everything that is random.
        epochs: a file in which the epochs that are done stand while it trains.
    """
    began = time.monotonic()
    quiet()
    lightning.seed_everything(seed, verbose=False)
    early = schedule.patience is not None and len(data.validation) > 0
    callbacks: list[Callback] = (
        [KeepBest(), EarlyStopping("val_loss", patience=schedule.patience or 0)] if early else []
    )
    if epochs is not None:
        callbacks.append(WriteEpochs(epochs))
    device = choose_device(schedule.device)
    pays = schedule.precision != "auto" or bf16_pays(device)
    module.precision = choose_precision(schedule.precision, device) if pays else "fp32"
    trainer = _trainer(schedule.epochs, device, module.precision, callbacks, validate=early)
    try:
        trainer.fit(module, datamodule=data)
    except SystemExit as stopped:  # how Lightning ends on Ctrl-C
        raise KeyboardInterrupt from stopped
    settle_norms(module, data)
    module.seconds = time.monotonic() - began
    if epochs is not None:
        epochs.unlink(missing_ok=True)
    return module


def keep(module: StreamModule, data: ClipDataModule, path: Path) -> None:
    """Write what scoring needs of a trained module, and on whom it was fitted, as .safetensors.

    Raises:
        UserError: the file cannot be written.
    """
    notes = {
        "epochs": module.epochs,
        "precision": module.precision,
        "seconds": module.seconds,
        "seen": data.seen,
    }
    save_state(path, module.network, {"training": json.dumps(notes)})


def take_up(module: StreamModule, data: ClipDataModule, path: Path) -> bool:
    """Give a fresh module what `keep` wrote of one that was trained, and `data` its notes; False,
    and nothing is changed, without such a file or where it is damaged.
    """
    if not path.is_file():
        return False
    try:
        notes = parse_json(metadata(path)["training"])
        epochs, precision, seen = notes["epochs"], notes["precision"], notes["seen"]
        seconds = notes["seconds"]
        network = module.make_network(data.shape)
        network.load_state_dict(load_state(path))
    except (UserError, ValueError, KeyError, TypeError, RuntimeError):
        return False  # and the module is as fresh as it was
    module.build(data, fitting=False)
    module.network, module.epochs, module.precision, data.seen = network, epochs, precision, seen
    module.seconds = seconds
    module.eval()
    return True


def settle_norms(module: StreamModule, data: ClipDataModule) -> None:
    """Measure the means and variances of every batch normalisation that is trained again, over the
    training windows, with the final weights; see `measure_norms`.
    """

    def windows() -> None:
        with computing(module.precision, module.device):
            for batch in data.loader(data.note("batch_norm", data.training), training=True):
                module({name: value.to(module.device) for name, value in batch.items()})

    measure_norms(module, windows)


def measure_norms(module: torch.nn.Module, windows: Callable[[], None]) -> None:
    """Measure the means and variances of a module's batch normalisations again, those of frozen
    ones excepted, and leave it in eval mode.

    The running averages of training lag behind the weights: with some tens of clips an epoch is a
    handful of steps, and a network that separates its training clips perfectly in training mode can
    call them all the same in evaluation mode. Our choice (known as precise BN).

    Args:
        module: whose weights are final.
        windows: passes everything that is to be measured through it.
    """
    norms = [
        layer
        for layer in module.modules()
        if isinstance(layer, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d)
        and layer.weight.requires_grad
    ]
    momenta = [layer.momentum for layer in norms]
    module.eval()
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None  # a plain average over batches
        layer.train()
    with torch.no_grad():
        windows()
    for layer, momentum in zip(norms, momenta):
        layer.momentum = momentum
    module.eval()


def score(
    module: StreamModule, data: ClipDataModule, clips: list | None = None
) -> tuple[list[str], np.ndarray]:
    """Probabilities of clips, by default the held-out ones: clip_ids and (clip, level); windows of
    one clip are averaged. Of several labels one after the other, each with a sum of one.

    The network computes in the precision that it was trained in; an AGCN with its batch norms
    folded.
    """
    quiet()
    clips = data.held_out if clips is None else clips
    module.eval()
    total = np.zeros((len(clips), data.shape.classes))
    windows = np.zeros(len(clips))
    network, precision = module.network, module.precision
    if type(network) is AGCN:
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        network, precision = FoldedAGCN(network, dtype), "fp32"
    with torch.inference_mode(), computing(precision, module.device):
        for batch in data.loader(clips):
            logits = network(*(batch[name].to(module.device) for name in network.reads))
            found = probabilities(logits.float(), data.source.classes).cpu().numpy()
            np.add.at(total, batch["clip"].numpy(), found)
            np.add.at(windows, batch["clip"].numpy(), 1)
    return [clip.clip_id for clip in clips], total / windows[:, None]


def quiet() -> None:
    """Silence Lightning's messages about devices, loaders and itself in each of hundreds of small
    trainings.
    """
    for name in (
        "lightning.pytorch",
        "lightning.fabric",
        "lightning.pytorch.utilities.rank_zero",
        "lightning.pytorch.accelerators.cuda",
    ):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")


def lightning_device(device: str) -> dict[str, Any]:
    """Lightning's `accelerator` and `devices` of a device that `choose_device` gave."""
    kind, _, number = device.partition(":")
    return {"accelerator": kind, "devices": [int(number)] if number else 1}


def precision_of(trainer: lightning.Trainer) -> str:
    """Our word for the precision of a trainer that the Lightning command line built."""
    return "bf16" if trainer.precision == LIGHTNING_PRECISIONS["bf16"] else "fp32"


def _trainer(
    epochs: int, device: str, precision: str, callbacks: list[Callback], validate: bool
) -> lightning.Trainer:
    return lightning.Trainer(
        max_epochs=epochs,
        callbacks=callbacks,
        precision=LIGHTNING_PRECISIONS[precision],
        **lightning_device(device),
        limit_val_batches=1.0 if validate else 0,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=Path.cwd(),
    )
