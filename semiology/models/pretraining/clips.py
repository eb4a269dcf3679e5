"""Train a small R(2+1)D on labelled clips that the user holds: snippet features without a download.

The videos' frames are made small and held in a temporary file, so that memory does not grow with
the videos.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch
from tqdm import tqdm

from semiology.errors import UserError
from semiology.files import refuse_folder
from semiology.models.device import choose_device, choose_precision
from semiology.models.features.r2plus1d import LAYERS, R2Plus1D, Shape, initialise, normalised
from semiology.models.features.snippets import FRAMES, RATE, SIZE, prepare_frame
from semiology.models.pretraining.training import (
    Pretrained,
    class_files,
    fit,
    held_out_accuracy,
    hold_out,
    save_trained,
)
from semiology.video import VideoError, read_frames


@dataclass(frozen=True)
class LabelledClips:
    """Small images of many videos, and the snippets that are cut from them.

    Attributes:
        images: (image, 112, 112, 3) uint8, all videos one after the other, at 15 Hz; a file
            mapped into memory.
        starts: (snippet,) its first image. spans: (snippet, 2) its video's first image, and the
            one after its last.
        labels: (snippet,) number of the class. held_out: (snippet,) whether its video is held out.
        classes: their names. length: frames of a snippet. files: videos that were used.
        failed: (which file, what was wrong) of the others.
    """

    images: np.ndarray
    starts: np.ndarray
    spans: np.ndarray
    labels: np.ndarray
    held_out: np.ndarray
    classes: list[str]
    length: int
    files: int
    failed: list[tuple[str, str]]

    def cut(self, rows: np.ndarray, shift: np.ndarray | None = None) -> np.ndarray:
        """(row, time, 112, 112, 3) uint8: the snippets of `rows`, moved by `shift` frames as far as
        their videos go.
        """
        first = self.starts[rows] if shift is None else self.starts[rows] + shift
        first = np.clip(first, self.spans[rows, 0], self.spans[rows, 1] - self.length)
        return np.stack([self.images[start : start + self.length] for start in first])


def read_clips(
    source: str | Path,
    held: IO[bytes],
    *,
    length: int,
    per_file: int | None,
    held_out: float,
    seed: int,
    progress: bool = True,
) -> LabelledClips:
    """Read every file of the class folders; one that is no video, or too short, is listed and the
    others go on.

    A file gives as many snippets as fit into it one after the other, or `per_file`, at equal
    distances. A hole in a video repeats the last frame seen; a file with more holes than frames is
    not used. Files are identified by their class and their position in the order of names, since
    names of videos may name people.

    Args:
        held: an open file that takes the images (38 kB each) and must outlive what is returned.

    Raises:
        UserError: no folder, no file that can be used, a class without one to train on.
    """
    source = Path(source)
    if not source.is_dir():
        raise UserError(f"{source}: not there, or not a folder of class folders")
    found = class_files(source)
    if not found:
        raise UserError(
            f"{source}: no videos in class folders (such as {source.name}/walking/1.mp4)"
        )
    classes = sorted({name for _, name, _ in found})
    counts: dict[str, int] = {}
    used: list[
        tuple[int, int, str, bool]
    ] = []  # first image, number of images, class, whether held out
    failed = []
    total = 0
    for path, name, apart in tqdm(found, unit="video", disable=not progress):
        counts[name] = counts.get(name, 0) + 1
        try:
            frames = _write_pictures(path, held, length)
        except VideoError as error:
            held.truncate(total * SIZE * SIZE * 3)
            held.seek(0, 2)
            failed.append((f"{name}, file {counts[name]} by name", error.fault))
            continue
        used.append((total, frames, name, apart))
        total += frames
    if not used:
        raise UserError(
            f"{source}: none of {len(found)} files can be used; {failed[0][0]}: {failed[0][1]}"
        )
    held.flush()
    labels = np.array([classes.index(name) for _, _, name, _ in used])
    out = hold_out(source, labels, [apart for *_, apart in used], classes, held_out, seed, "video")
    many = [min(per_file or frames, frames // length) for _, frames, _, _ in used]
    starts = [
        first + np.linspace(0, frames - length, count).round().astype(int)
        for (first, frames, _, _), count in zip(used, many)
    ]
    spans = np.array([(first, first + frames) for first, frames, _, _ in used])
    images = np.memmap(held, np.uint8, "r", shape=(total, SIZE, SIZE, 3))
    return LabelledClips(
        *(
            images,
            np.concatenate(starts),
            spans.repeat(many, 0),
            labels.repeat(many),
            out.repeat(many),
        ),
        *(classes, length, len(used), failed),
    )


def _write_pictures(path: Path, held: IO[bytes], length: int) -> int:
    """Append a video's small images; how many."""
    frames = seen = 0
    last: bytes | None = None
    for frame in read_frames(path, fps=RATE):
        frames += 1
        if frame.image is not None:
            fresh = prepare_frame(frame.image).tobytes()
            held.write(
                fresh * (frames if last is None else 1)
            )  # holes at the beginning show the first that is seen
            last = fresh
            seen += 1
        elif last is not None:
            held.write(last)
    if frames < length:
        raise VideoError(
            path,
            f"has {frames} frames at {RATE:g} Hz, a snippet needs {length}; leave it out, or give"
            f" --frames {frames}",
        )
    if 2 * seen < frames:
        raise VideoError(
            path,
            f"more than half of its frames are damaged or missing ({frames - seen} of {frames})",
        )
    return frames


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
    """Train an R(2+1)D on snippets of labelled videos and save it as safetensors, with its classes
    and accuracy in the metadata.

    Every video is cut into snippets at 15 Hz. In training each is moved in time by up to half its
    length, mirrored half of the time (a class that names a side becomes its mirror), and changed in
    brightness and contrast, all its frames alike. AdamW, one-cycle learning rate, cross-entropy
    weighted against class imbalance. The last epoch is kept: nothing is chosen on what is held out.
    [our choices]

    Args:
        clips: a folder of class folders of videos in any container, or of train/ and test/ (or
            validation/) with class folders in them.
        width: factor on the network's channels (64 to 512); a quarter trains on a CPU.
        depth: 10, 18 or 34.
        frames: of a snippet.
        per_file: snippets of a video in an epoch, at equal distances; by default as many as fit
            into it one after the other.
        held_out: share of each class's videos to hold out where the folders do not mark it
            themselves. A random share: with several videos of one person it flatters. Folders that
            part people are better.
        participants: participant_ids of a cohort who are on the videos, [] where none is (a public
            set). Saved with the weights: the leakage audit cannot pass features without it.
        device: such as cuda; auto takes a GPU where there is one.

    Raises:
        UserError: no video that can be used, fewer than two classes, a class without videos to
            train on, an impossible option; `out` is a folder.
    """
    if (
        depth not in LAYERS
        or min(width, epochs, batch, frames) <= 0
        or (per_file is not None and per_file < 1)
    ):
        given = (
            f"depth={depth}, width={width}, frames={frames}, per_file={per_file}, epochs={epochs},"
            f" batch={batch}"
        )
        raise UserError(
            f"pretrain action: {given}; depth is one of {', '.join(map(str, LAYERS))}, the others"
            " are above 0"
        )
    refuse_folder(out)
    device = choose_device(device)
    bf16 = (
        device != "cpu" and choose_precision("auto", device) == "bf16"
    )  # CPU: see docs/snippets.md, wrong gradients
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=out.parent) as held:
        data = read_clips(
            clips,
            held,
            length=frames,
            per_file=per_file,
            held_out=held_out,
            seed=seed,
            progress=progress,
        )
        torch.manual_seed(seed)
        network = R2Plus1D(Shape.make(len(data.classes), depth=depth, width=width))
        initialise(network)
        network = network.to(device)

        def snippets(rows: np.ndarray, shift: np.ndarray | None = None) -> torch.Tensor:
            return torch.from_numpy(data.cut(rows, shift)).to(device)

        def augmented(rows: np.ndarray, flip: torch.Tensor) -> torch.Tensor:
            shift = torch.randint(-(frames // 2), frames // 2 + 1, (len(rows),)).numpy()
            return normalised(
                _augment(snippets(rows, shift), flip.to(device)), network.mean, network.std
            )

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
            accuracy, balanced = held_out_accuracy(
                network,
                lambda rows: normalised(snippets(rows), network.mean, network.std),
                data,
                batch,
            )
    facts = {"form": "r2plus1d", "kind": "action", "frames": frames, "videos": data.files}
    facts |= {"width": width, "depth": depth, "seed": seed, "epochs": epochs}
    count = int(data.held_out.sum())
    made = Pretrained(
        out,
        data.classes,
        len(data.labels) - count,
        count,
        accuracy,
        balanced,
        "snippet",
        data.failed,
    )
    save_trained(network, made, facts, participants)
    return made


def _augment(snippets: torch.Tensor, flip: torch.Tensor) -> torch.Tensor:
    """Snippets (batch, time, size, size, 3) 0 to 255, each mirrored where marked, brightened, given
    more or less contrast.
    """
    count, device = len(snippets), snippets.device
    turned = torch.where(flip.view(-1, 1, 1, 1, 1), snippets.flip(3), snippets).float()
    contrast, brightness = (
        1 + (2 * torch.rand(2, count, 1, 1, 1, 1, device=device) - 1) * LIGHT
    ).unbind(0)
    mean = turned.mean((1, 2, 3, 4), keepdim=True)
    return ((turned - mean) * contrast + mean * brightness).clamp(0, 255)
