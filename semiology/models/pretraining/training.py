"""A classifier of images or of snippets: class folders, training, held-out accuracy, saving."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from semiology.data.skeleton import mirrored_name
from semiology.errors import UserError
from semiology.models.training.saved import save_state


class Labelled(Protocol):
    """Labelled items, some of them held out.

    Attributes:
        labels: (item,) number of the class.
        held_out: (item,) whether it is not trained on.
        classes: their names.
    """

    @property
    def labels(self) -> np.ndarray:
        """(item,) number of each item's class."""

    @property
    def held_out(self) -> np.ndarray:
        """(item,) True where an item is not trained on."""

    @property
    def classes(self) -> list[str]:
        """Names of the classes, by number."""


@dataclass(frozen=True)
class Pretrained:
    """A trained network's file, with its accuracy on held-out items: plain, and the mean over
    classes.

    Attributes:
        trained, held_out: number of items.
        what: what an item is.
        failed: (where, what was wrong) of files that could not be used.
    """

    path: Path
    classes: list[str]
    trained: int
    held_out: int
    accuracy: float
    balanced_accuracy: float
    what: str = "image"
    failed: list[tuple[str, str]] = field(default_factory=list)

    def text(self) -> str:
        """A few lines to print."""
        chance = 1 / len(self.classes)
        line = (
            f"{self.path}: {len(self.classes)} classes, {self.trained} {self.what}s trained on,"
            f" {self.held_out} held out: "
        )
        if self.held_out:
            line += (
                f"accuracy {self.accuracy:.3f}, mean over classes {self.balanced_accuracy:.3f}"
                f" (chance {chance:.3f})"
            )
        else:
            line += "its accuracy is not known; hold more out, or bring a folder test/"
        return "\n".join([line, *(f"failed: {place}: {fault}" for place, fault in self.failed)])


def fit(
    network: nn.Module,
    inputs: Callable[[np.ndarray, Tensor], Tensor],
    data: Labelled,
    *,
    epochs: int,
    batch: int,
    learning_rate: float,
    device: str,
    progress: bool,
    bf16: bool = False,
) -> None:
    """Train in place on the items that are not held out: cross-entropy weighted against class
    imbalance, AdamW with a one-cycle rate; half of the inputs are mirrored, and a class that names
    a side then becomes its mirror. The last epoch is kept. [our choices]

    Args:
        inputs: (rows, which of them to mirror) to what the network reads, augmented, on the device.
        bf16: the forward pass computes in bfloat16 under autocast.
    """
    labels, classes, rows = data.labels, data.classes, np.flatnonzero(~data.held_out)
    counts = Counter(labels[rows].tolist())
    weights = torch.tensor(
        [len(rows) / (len(counts) * counts[number]) for number in range(len(classes))],
        dtype=torch.float32,
    )
    loss_of = nn.CrossEntropyLoss(weight=weights.to(device), label_smoothing=0.05)
    mirror = [mirrored_name(name) for name in classes]
    mirrored = torch.tensor(
        [classes.index(name) if name in classes else own for own, name in enumerate(mirror)]
    )
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=learning_rate, weight_decay=1e-2, fused=True
    )
    steps = -(-len(rows) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, learning_rate, total_steps=epochs * steps
    )
    generator = np.random.default_rng(torch.initial_seed())
    network.train()
    bar = tqdm(range(epochs), unit="epoch", disable=not progress)
    for _ in bar:
        total = 0.0
        for chosen in np.array_split(generator.permutation(rows), steps):
            flip = torch.rand(len(chosen)) < 0.5
            own = torch.from_numpy(labels[chosen])
            target = torch.where(flip, mirrored[own], own).to(device)
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bf16):
                logits = network(inputs(chosen, flip))
            loss = loss_of(logits.float(), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) / steps
        bar.set_postfix(loss=f"{total:.3f}")


@torch.inference_mode()
def held_out_accuracy(
    network: nn.Module, inputs: Callable[[np.ndarray], Tensor], data: Labelled, batch: int
) -> tuple[float, float]:
    """Accuracy over held-out items, plain and as the mean over classes; NaN where there are
    none.
    """
    labels, rows = data.labels, np.flatnonzero(data.held_out)
    if len(rows) == 0:
        return float("nan"), float("nan")
    network.eval()
    parts = np.array_split(rows, -(-len(rows) // batch))
    right = (
        np.concatenate([network(inputs(part)).argmax(1).cpu().numpy() for part in parts])
        == labels[rows]
    )
    by_class = [right[labels[rows] == number].mean() for number in set(labels[rows].tolist())]
    return float(right.mean()), float(np.mean(by_class))


def save_trained(
    network: nn.Module,
    made: Pretrained,
    facts: Mapping[str, object],
    participants: list[str] | None,
) -> None:
    """Write the network to `made.path` as safetensors, whole or not at all; classes, accuracies and
    participants stand in the metadata.

    Args:
        participants: who is on the training items, [] for no participant of a cohort; None where
            this is not known.

    Raises:
        UserError: the folder cannot be written, the disk is full.
    """
    accuracies = {"accuracy": made.accuracy, "balanced_accuracy": made.balanced_accuracy}
    metadata = {**facts, "classes": json.dumps(made.classes), **accuracies}
    metadata |= {} if participants is None else {"participants": json.dumps(sorted(participants))}
    save_state(made.path, network, metadata)


TRAINING, HELD_OUT = ("train", "training"), ("validation", "valid", "val", "test")


def class_files(folder: Path) -> list[tuple[Path, str, bool]]:
    """(file, class, whether held out) of FOLDER/<class>/..., or of FOLDER/train/<class>/... and
    FOLDER/test/<class>/..., by name.

    Hidden files and folders are passed over.
    """
    subfolders = sorted(path for path in folder.iterdir() if _is_open_folder(path))
    known = {
        path: path.name.lower() in HELD_OUT
        for path in subfolders
        if path.name.lower() in TRAINING + HELD_OUT
    }
    return [
        (path, group.name, held_out)
        for root, held_out in (known or {folder: False}).items()
        for group in sorted(root.iterdir())
        if _is_open_folder(group)
        for path in sorted(group.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]


def _is_open_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")


def hold_out(
    source: Path,
    labels: np.ndarray,
    marked: Sequence[bool],
    classes: list[str],
    share: float,
    seed: int,
    what: str,
) -> np.ndarray:
    """(item,) whether held out: as `marked`, or, where that holds nothing out, a random share of
    each class.

    Args:
        labels: (item,) number of the class. what: what an item is, for messages.

    Raises:
        UserError: fewer than two classes, a class of which nothing is left to train on.
    """
    if len(classes) < 2:
        raise UserError(f"{source}: {what}s of {len(classes)} class; at least two are needed")
    out = np.array(marked)
    if not out.any():
        generator = np.random.default_rng(seed)
        for number in range(len(classes)):
            members = generator.permutation(np.flatnonzero(labels == number))
            out[members[: round(share * len(members))]] = True
    lacking = [name for number, name in enumerate(classes) if not (~out & (labels == number)).any()]
    if lacking:
        raise UserError(
            f"{source}: no {what} to train on for {lacking}; add some, or leave the class out"
        )
    return out
