"""Pretrain the encoder of a network of keypoints on tracks without labels, by the task in
masked.py: training that can be stopped, early stopping on participants kept out, and the card.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from semiology.data.arrays import read_arrays, write_arrays
from semiology.errors import UserError
from semiology.files import begin_folder, parse_json, refuse_folder
from semiology.models.device import choose_device
from semiology.models.networks.base import Network, StreamShape
from semiology.models.pretraining.masked import MaskedWindows, Recipe, Reconstruction
from semiology.models.pretraining.tracks import find_clips
from semiology.models.training.clips import ClipData, ClipSource
from semiology.models.training.dataset import NO_CHANGE, ClipDataset
from semiology.models.training.encoder import card_reading, save_encoder
from semiology.models.training.reading import Reading
from semiology.models.training.trainer import measure_norms
from semiology.weights import metadata


@dataclass(frozen=True)
class PretrainedEncoder:
    """An encoder's file, its card, and what of the inputs could not be used: (where, why)."""

    path: Path
    card: dict[str, Any]
    failed: list[tuple[str, str]]

    def text(self) -> str:
        """A few lines to print."""
        data, loss = self.card["trained_on"], self.card["loss"]
        people = data["people"]
        lines = [
            f"{self.path}: {data['clips']} clips, {data['minutes']:g} min of {people} people;"
            f" {loss['epochs']} epochs, epoch {loss['best_epoch']} kept"
        ]
        if loss["validation"] is not None:
            lines.append(
                f"error at hidden joints of people not trained on: {loss['validation']:.3f}, with"
                f" each joint at its mean {loss['mean_pose']:.3f} (1: the variance in training)"
            )
        return "\n".join([*lines, *(f"failed: {place}: {fault}" for place, fault in self.failed)])


def pretrain_skeleton(
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    reading: Reading,
    network: Network | None = None,
    recipe: Recipe | None = None,
    store: str | Path | None = None,
    participants: list[str] | None = None,
    about: str = "",
    licence: str = "",
    device: str = "auto",
    progress: bool = True,
) -> PretrainedEncoder:
    """Train an encoder on tracks without labels, and save it with its card.

    A training that was stopped continues from FILE.checkpoint.safetensors beside `out`, written
    after each epoch, if data and settings are the same; the encoder is then the one that an
    undisturbed training makes, to the last digit on the same machine.

    Args:
        inputs: cohorts (clips of tracks, or of videos in `store`), stores, folders of files of
            tracks, such files.
        out: FILE.safetensors; the card is FILE.json.
        reading: how clips are read; its label is not.
        network: a network with features by joint; by default the AGCN.
        recipe: how it is trained.
        store: of cohorts whose clips are videos.
        participants: participant_ids of those on tracks that belong to no cohort, [] where none is
            anybody of a cohort of yours (a public set). The leakage audit cannot pass a run that
            starts from the encoder without them.
        about: what the data are, for the card.
        licence: of the data, for the card.
        device: auto (a GPU where there is one), cpu or cuda.

    Raises:
        UserError: nothing that can be read, a network without features by joint, an impossible
            option; `out` is a folder.
    """
    network, recipe = network or Network("agcn"), recipe or Recipe()
    out = Path(out).with_suffix(".safetensors")
    refuse_folder(out)
    begin_folder(out.parent, below=False)
    device = choose_device(device)
    if reading.part == "frame" or reading.segments:
        raise UserError(
            "pretrain skeleton: reads joints in one window; set reading.part to body or face, and"
            " reading.segments to 0"
        )
    shape = StreamShape(2, reading.graph, len(reading.channels) * reading.dimensions)
    torch.manual_seed(recipe.seed)
    encoder: Any = network(shape)
    if not hasattr(encoder, "forward_joints"):
        raise UserError(
            f"{network.stream}: cannot be pretrained, it has no features by joint; give agcn,"
            " ctrgcn or transformer"
        )
    found = find_clips(inputs, reading, store, progress=progress)
    training, validation = split_people(found.clips, recipe)
    source = ClipSource.from_clips(found.clips, reading, ("no", "yes"))
    module = Reconstruction(
        encoder, shape.keypoint_channels, len(reading.graph.names), recipe.width
    )
    settings = {"reading": card_reading(reading), "network": asdict(network)}
    key = _key(
        found.clips, {**settings, "recipe": asdict(recipe), "software": version("semiology")}
    )
    changed = np.random.default_rng(recipe.seed)
    _standardise(module, MaskedWindows(source, training, recipe, changed))
    module = module.to(device)
    checkpoint = _Checkpoint(out, key)
    loss = _train(module, source, (training, validation), recipe, checkpoint, progress)
    _settle(module, ClipDataset(source, training, NO_CHANGE, None), recipe.batch_size)
    card = {
        "about": about,
        "licence": licence,
        **settings,
        "skeleton": {"name": reading.graph.name, "joints": reading.graph.names},
        "trained_on": found.facts(participants)
        | {"validation_people": len({clip.participant_id for clip in validation})},
        "task": "hidden joints and frames reconstructed",
        "recipe": asdict(recipe),
        "loss": loss,
        "software": f"semiology {version('semiology')}",
    }
    save_encoder(out, module.encoder, card)
    checkpoint.remove()
    return PretrainedEncoder(out, card, found.failed)


def split_people(clips: list[ClipData], recipe: Recipe) -> tuple[list[ClipData], list[ClipData]]:
    """Clips to train on, and those of participants for early stopping: `recipe.validation` of them,
    one at least of three or more; none of fewer.
    """
    people = sorted({clip.participant_id for clip in clips})
    count = max(1, round(recipe.validation * len(people))) if recipe.validation else 0
    count = count if len(people) >= 3 else 0
    apart = set(np.random.default_rng(recipe.seed).permutation(people)[:count].tolist())
    return (
        [clip for clip in clips if clip.participant_id not in apart],
        [clip for clip in clips if clip.participant_id in apart],
    )


def _standardise(module: Reconstruction, windows: MaskedWindows) -> None:
    """Mean of each channel and joint, and spread of each channel around them, over what is known in
    training windows.
    """
    count = first = second = torch.zeros(())
    for batch in windows.loader(256):
        whole, known = batch["whole"].double(), batch["known"].double()
        count = count + known.sum((0, 2))
        first = first + (whole * known).sum((0, 2))
        second = second + (whole.square() * known).sum((0, 2))
    mean = first / count.clamp(min=1)
    around = (second - count * mean.square()).sum(1) / count.sum(1).clamp(min=1)
    module.mean.copy_(mean[:, None])
    module.spread.copy_(around.clamp(min=1e-12).sqrt()[:, None, None])


def _settle(module: Reconstruction, windows: ClipDataset, batch_size: int) -> None:
    """Measure the encoder's norms over windows of which nothing is hidden: as it will be used."""

    def whole_windows() -> None:
        for batch in windows.loader(batch_size):
            module.encoder.forward_joints(
                *(batch[name].to(module.mean.device) for name in module.encoder.reads)
            )

    measure_norms(module.encoder, whole_windows)


def _train(
    module: Reconstruction,
    source: ClipSource,
    sides: tuple[list[ClipData], list[ClipData]],
    recipe: Recipe,
    checkpoint: "_Checkpoint",
    progress: bool,
) -> dict[str, Any]:
    """Train in place, from the checkpoint on where there is one; the best epoch's weights are put
    back. All random numbers of an epoch follow from the seed and its number. The losses, for the
    card.
    """
    training, validation = sides
    held = MaskedWindows(source, validation, recipe, None)
    optimiser = torch.optim.AdamW(
        module.trained(), recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    losses, best = checkpoint.read(module, optimiser)
    bar = tqdm(total=recipe.epochs, initial=len(losses), unit="epoch", disable=not progress)
    while len(losses) < recipe.epochs and not _is_over(losses, recipe.patience):
        epoch = len(losses)
        torch.manual_seed(recipe.seed + epoch)
        rng = np.random.default_rng([recipe.seed, epoch])
        windows = MaskedWindows(source, training, recipe, rng)
        batches = windows.loader(recipe.batch_size, shuffle=True)
        total = 0.0
        module.train()
        for step, batch in enumerate(batches):
            done = (epoch + step / len(batches)) / recipe.epochs
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * (1 + math.cos(math.pi * done)) / 2
            loss = module.error(batch)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) / len(batches)
        if not math.isfinite(total):
            raise UserError(
                f"pretrain skeleton: the error is not finite in epoch {epoch + 1}; give a lower"
                " --recipe.learning_rate"
            )
        losses.append((total, _error(module, held) if validation else None))
        if not validation or best_epoch(losses) == epoch:
            best = {name: value.clone() for name, value in module.state_dict().items()}
        checkpoint.write(module, optimiser, losses, best)
        bar.set_postfix(loss=f"{total:.3f}", held_out=f"{losses[-1][1] or math.nan:.3f}")
        bar.update()
    bar.close()
    module.load_state_dict(best)
    kept = best_epoch(losses)
    return {
        "training": losses[kept][0],
        "validation": losses[kept][1],
        "mean_pose": _error(module, held, mean_pose=True) if validation else None,
        "epochs": len(losses),
        "best_epoch": kept + 1,
    }


Losses = list[tuple[float, float | None]]  # an epoch's training and validation loss


def best_epoch(losses: Losses) -> int:
    """Number of the epoch with the lowest validation loss, the first of several; without
    validation the last.
    """
    held = [value for _, value in losses if value is not None]
    return held.index(min(held)) if held else len(losses) - 1


def _is_over(losses: Losses, patience: int) -> bool:
    return bool(losses) and len(losses) - 1 - best_epoch(losses) >= patience


@torch.no_grad()
def _error(module: Reconstruction, windows: MaskedWindows, mean_pose: bool = False) -> float:
    """Error over all windows, each position alike; of the mean pose in place of the network's."""
    module.eval()
    total = count = 0.0
    for batch in windows.loader(256):
        own = module.error(batch, mean_pose)
        counted = float(batch["counted"].sum())
        total, count = total + float(own) * counted, count + counted
    return total / max(count, 1)


class _Checkpoint:
    """The state after an epoch, beside the encoder's file: weights, the best ones, AdamW's moments,
    and the losses. One file, so that its parts belong together.
    """

    def __init__(self, out: Path, key: str):
        self.path, self.key = out.with_name(f"{out.stem}.checkpoint.safetensors"), key

    def write(
        self,
        module: nn.Module,
        optimiser: torch.optim.Optimizer,
        losses: Losses,
        best: dict[str, Tensor],
    ) -> None:
        """Write it, whole or not at all."""
        state = {f"module.{name}": value for name, value in module.state_dict().items()}
        state |= {f"best.{name}": value for name, value in best.items()}
        for number, moments in optimiser.state_dict()["state"].items():
            state |= {f"optimiser.{number}.{name}": value for name, value in moments.items()}
        arrays = {name: value.detach().cpu().numpy() for name, value in state.items()}
        write_arrays(self.path, arrays, {"key": self.key, "losses": json.dumps(losses)})

    def read(
        self, module: nn.Module, optimiser: torch.optim.Optimizer
    ) -> tuple[Losses, dict[str, Tensor]]:
        """Put its state into module and optimiser; its losses, and the best weights. Nothing where
        there is none, or one of other data or settings, or a damaged one.
        """
        try:
            about = metadata(self.path) if self.path.is_file() else {}
            if about.get("key") != self.key:
                return [], {}
            arrays = read_arrays(self.path, "it is not used")
        except UserError:
            return [], {}
        parts: dict[str, dict[str, Tensor]] = {"module": {}, "best": {}, "optimiser": {}}
        for name, array in arrays.items():
            part, _, entry = name.partition(".")
            parts[part][entry] = torch.from_numpy(array)
        module.load_state_dict(parts["module"])
        moments: dict[int, dict[str, Tensor]] = {}
        for entry, value in parts["optimiser"].items():
            number, _, name = entry.partition(".")
            moments.setdefault(int(number), {})[name] = value
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": moments, "param_groups": groups})
        return [(own, held) for own, held in parse_json(about["losses"])], parts["best"]

    def remove(self) -> None:
        """Delete it."""
        self.path.unlink(missing_ok=True)


def _key(clips: list[ClipData], settings: dict[str, Any]) -> str:
    """Hash of all that the encoder depends on."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for clip in clips:
        digest.update(f"{clip.participant_id}/{clip.joints.shape}".encode())
        digest.update(np.ascontiguousarray(clip.joints).tobytes())
    return digest.hexdigest()
