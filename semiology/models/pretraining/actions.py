"""Train a small R(2+1)D on labelled clips that the user holds: snippet features without a download."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from semiology.errors import UserError
from semiology.files import refuse_folder
from semiology.models.features.pictures import FRAMES
from semiology.models.features.r2plus1d import LAYERS, R2Plus1D, Shape, initialise, normalised
from semiology.models.features.snippets import fit_device, fit_precision
from semiology.models.pretraining.clips import read_clips
from semiology.models.pretraining.training import Pretrained, fit, judge, save_trained

LIGHT = 0.25  # augmentation: brightness and contrast, share of their own [our choice]


def pretrain_action(
    clips: str | Path,
    out: str | Path,
    *,
    width: float = 0.25,
    depth: int = 18,
    frames: int = FRAMES,
    per_file: int | None = None,
    epochs: int = 30,
    batch: int = 32,
    learning_rate: float = 3e-3,
    held_out: float = 0.15,
    seed: int = 0,
    participants: list[str] | None = None,
    device: str = "auto",
    progress: bool = True,
) -> Pretrained:
    """Train an R(2+1)D on snippets of labelled videos and save it as safetensors, with its classes and accuracy in the metadata.

    Every video is cut into snippets at 15 Hz. In training each is moved in time by up to half its length, mirrored half of the time (a
    class that names a side becomes its mirror), and changed in brightness and contrast, all its frames alike. AdamW, one-cycle learning
    rate, cross-entropy weighted against class imbalance. The last epoch is kept: nothing is chosen on what is held out. [our choices]

    Args:
        clips: a folder of class folders of videos in any container, or of train/ and test/ (or validation/) with class folders in them.
        width: factor on the network's channels (64 to 512); a quarter trains on a CPU.
        depth: 10, 18 or 34.
        frames: of a snippet.
        per_file: snippets of a video in an epoch, at equal distances; by default as many as fit into it one after the other.
        held_out: share of each class's videos to hold out where the folders do not say it themselves. A random share: with several videos
            of one person it flatters. Folders that part people are better.
        participants: participant_ids of a cohort who are on the videos, [] where none is (a public set). Kept with the weights: the leakage
            audit cannot pass features of which nobody said this.
        device: such as cuda; auto takes a GPU where there is one.

    Raises:
        UserError: no video that can be used, fewer than two classes, a class without videos to train on, an impossible option;
            `out` is a folder.
    """
    if depth not in LAYERS or min(width, epochs, batch, frames) <= 0 or (per_file is not None and per_file < 1):
        asked = f"depth={depth}, width={width}, frames={frames}, per_file={per_file}, epochs={epochs}, batch={batch}"
        raise UserError(f"pretrain action: {asked}; depth is one of {', '.join(map(str, LAYERS))}, the others are above 0")
    refuse_folder(out)
    device = fit_device(device)
    bf16 = torch.device(device).type == "cuda" and fit_precision("auto", device) == "bf16"  # CPU: see docs/snippets.md, wrong gradients
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=out.parent) as held:
        data = read_clips(clips, held, length=frames, per_file=per_file, held_out=held_out, seed=seed, progress=progress)
        torch.manual_seed(seed)
        network = R2Plus1D(Shape.make(len(data.classes), depth=depth, width=width))
        initialise(network)
        network = network.to(device)

        def snippets(rows: np.ndarray, shift: np.ndarray | None = None) -> torch.Tensor:
            return torch.from_numpy(data.cut(rows, shift)).to(device)

        def augmented(rows: np.ndarray, flip: torch.Tensor) -> torch.Tensor:
            shift = torch.randint(-(frames // 2), frames // 2 + 1, (len(rows),)).numpy()
            return normalised(_augment(snippets(rows, shift), flip.to(device)), network.mean, network.std)

        fit(
            network,
            augmented,
            data,
            epochs=epochs,
            batch=batch,
            learning_rate=learning_rate,
            device=device,
            progress=progress,
            bf16=bf16,
        )
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bf16):
            accuracy, balanced = judge(network, lambda rows: normalised(snippets(rows), network.mean, network.std), data, batch)
    facts = {"form": "r2plus1d", "kind": "action", "frames": frames, "videos": data.files}
    facts |= {"width": width, "depth": depth, "seed": seed, "epochs": epochs}
    count = int(data.held_out.sum())
    made = Pretrained(out, data.classes, len(data.labels) - count, count, accuracy, balanced, "snippet", data.failed)
    save_trained(network, made, facts, participants)
    return made


def _augment(snippets: torch.Tensor, flip: torch.Tensor) -> torch.Tensor:
    """Snippets (batch, time, size, size, 3) 0 to 255, each mirrored where said, brightened, given more or less contrast."""
    count, device = len(snippets), snippets.device
    turned = torch.where(flip.view(-1, 1, 1, 1, 1), snippets.flip(3), snippets).float()
    contrast, brightness = (1 + (2 * torch.rand(2, count, 1, 1, 1, 1, device=device) - 1) * LIGHT).unbind(0)
    mean = turned.mean((1, 2, 3, 4), keepdim=True)
    return ((turned - mean) * contrast + mean * brightness).clamp(0, 255)
