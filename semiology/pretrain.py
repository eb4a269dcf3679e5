"""Train the VGG-19 that reads faces (expression) or bodies (posture) on labelled images that the user holds, such as FER-2013."""

import json
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, UnidentifiedImageError
from safetensors.torch import save
from torch import nn
from tqdm import tqdm

from semiology.appearance import VGG19
from semiology.errors import UserError
from semiology.files import atomic_path
from semiology.skeleton import mirrored_name

FORMS = {"expression": ("fer", 48), "posture": ("torchvision", 224)}  # kind -> form of the VGG and side of its input, px
FER_CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # numbers 0 to 6 in FER-2013's table
TRAINING, HELD_OUT = ("train", "training"), ("validation", "valid", "val", "test")
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm"}
SHIFT, TURN, ZOOM, LIGHT = 0.1, 10.0, 0.1, 0.25  # augmentation: shift (of the side), degrees, zoom, brightness and contrast [our choice]


@dataclass(frozen=True)
class LabelledImages:
    """Images (image, size, size, 3) uint8, class numbers (image,), whether held out (image,), and the classes' names."""

    images: np.ndarray
    labels: np.ndarray
    held_out: np.ndarray
    classes: list[str]


@dataclass(frozen=True)
class Pretrained:
    """What training gave. Accuracies are on images that were not trained on: plain, and the mean over classes."""

    path: Path
    classes: list[str]
    trained: int
    held_out: int
    accuracy: float
    balanced_accuracy: float

    def text(self) -> str:
        chance = 1 / len(self.classes)
        return (
            f"{self.path}: {len(self.classes)} classes, {self.trained} images trained on, {self.held_out} held out: "
            f"accuracy {self.accuracy:.3f}, mean over classes {self.balanced_accuracy:.3f} (chance {chance:.3f})"
        )


def pretrain(
    kind: str,
    images: str | Path,
    out: str | Path,
    *,
    width: float = 1.0,
    epochs: int = 30,
    size: int | None = None,
    batch: int = 64,
    learning_rate: float = 1e-3,
    held_out: float = 0.15,
    seed: int = 0,
    participants: list[str] | None = None,
    device: str = "",
    progress: bool = True,
) -> Pretrained:
    """Train a VGG-19 with batch norm and save it as safetensors, with its classes and accuracy in the metadata.

    AdamW, one-cycle learning rate, cross-entropy weighted against class imbalance; flips (a class that names a side becomes its mirror),
    small shifts, turns, zooms, changes of brightness and contrast. The last epoch is kept: nothing is chosen on the held-out images. [our
    choices]

    Args:
        kind: "expression" (faces, 48 px, FER form) or "posture" (body crops, 224 px, torchvision form).
        images: a folder of class folders, or of train/ and test/ (or validation/) with class folders in them, or a CSV in FER-2013's form.
        width: factor on the network's channels; 0.25 trains on a CPU.
        size: side of the input, px; by default the form's own.
        held_out: share of each class to hold out where the images do not say it themselves. A random share: with several images of one
            person it flatters. Folders or `Usage` that part people are better.
        participants: participant_ids of a cohort who are on the images, [] where none is (a public set). Kept with the weights: the leakage
            audit cannot pass features of which nobody said this.
        device: such as "cuda"; by default a GPU where there is one.

    Raises:
        UserError: images that cannot be read, fewer than two classes, a class without images to train on.
    """
    if kind not in FORMS:
        raise UserError(f"pretrain {kind!r}: unknown; say expression or posture")
    form, own_size = FORMS[kind]
    data = read_images(images, size or own_size, held_out, seed)
    torch.manual_seed(seed)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    vgg = VGG19(data.classes, form=form, width=width, size=size or own_size)
    _initialise(vgg)
    vgg = vgg.to(device).to(memory_format=torch.channels_last)  # a quarter faster on a CPU
    _train(vgg, data, epochs, batch, learning_rate, device, progress)
    accuracy, balanced = _judge(vgg, data, batch, device)
    facts = {
        "form": form,
        "width": width,
        "size": vgg.size,
        "classes": json.dumps(data.classes),
        "kind": kind,
        "seed": seed,
        "epochs": epochs,
    }
    facts |= {"accuracy": accuracy, "balanced_accuracy": balanced, "software": f"semiology {version('semiology')}"}
    facts |= {} if participants is None else {"participants": json.dumps(sorted(participants))}
    state = {name: value.detach().cpu().contiguous() for name, value in vgg.state_dict().items()}
    with atomic_path(out) as temporary:
        temporary.write_bytes(save(state, {name: str(value) for name, value in facts.items()}))
    count = int(data.held_out.sum())
    return Pretrained(Path(out), data.classes, len(data.labels) - count, count, accuracy, balanced)


def read_images(source: str | Path, size: int, held_out: float, seed: int) -> LabelledImages:
    """Read class folders or a table in FER-2013's form into memory, scaled to `size` px; choose what is held out where nothing says it."""
    source = Path(source)
    if source.is_dir():
        pictures, names, split = _read_folders(source, size)
    elif source.is_file() and source.suffix.lower() == ".csv":
        pictures, names, split = _read_table(source, size)
    else:
        raise UserError(f"{source}: not there, or neither a folder of class folders nor a .csv in FER-2013's form")
    classes = [name for name in FER_CLASSES if name in names] + sorted(set(names) - set(FER_CLASSES))
    if len(classes) < 2:
        raise UserError(f"{source}: images of {len(classes)} class; at least two are needed")
    labels = np.array([classes.index(name) for name in names])
    out = np.array([place != "train" for place in split])
    if not out.any():
        generator = np.random.default_rng(seed)
        for number in range(len(classes)):
            members = generator.permutation(np.flatnonzero(labels == number))
            out[members[: round(held_out * len(members))]] = True
    lacking = [name for number, name in enumerate(classes) if not (~out & (labels == number)).any()]
    if lacking:
        raise UserError(f"{source}: no image to train on for {lacking}; add some, or leave the class out")
    return LabelledImages(np.stack(pictures), labels, out, classes)


def _read_folders(folder: Path, size: int) -> tuple[list[np.ndarray], list[str], list[str]]:
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir())
    known = {path: path.name.lower() for path in subfolders if path.name.lower() in TRAINING + HELD_OUT}
    roots = {path: "train" if name in TRAINING else "held out" for path, name in known.items()} or {folder: "train"}
    found = [
        (path, group.name, split)
        for root, split in roots.items()
        for group in sorted(root.iterdir())
        if group.is_dir()
        for path in sorted(group.rglob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    if not found:
        raise UserError(f"{folder}: no images in class folders (such as {folder.name}/happy/1.png)")
    pictures = []
    for path, _, _ in found:
        try:
            with Image.open(path) as image:
                pictures.append(np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)))
        except (OSError, UnidentifiedImageError) as error:
            raise UserError(f"{path}: not a readable image; remove it or save it again") from error
    return pictures, [name for _, name, _ in found], [split for _, _, split in found]


def _read_table(path: Path, size: int) -> tuple[list[np.ndarray], list[str], list[str]]:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable CSV") from error
    if not {"emotion", "pixels"} <= set(table.columns):
        raise UserError(
            f"{path}: needs the columns emotion and pixels (and may have Usage), as FER-2013's table; has {list(table.columns)}"
        )
    pictures = []
    for row, pixels in enumerate(table["pixels"], start=2):
        try:
            values = np.array(pixels.split(), dtype=np.uint8)
            side = round(len(values) ** 0.5)
            grey = Image.fromarray(values.reshape(side, side)).resize((size, size), Image.Resampling.BILINEAR)
        except (ValueError, OverflowError) as error:
            raise UserError(f'{path}: row {row}, column "pixels": not the 0 to 255 values of a square image, parted by spaces') from error
        pictures.append(np.asarray(grey.convert("RGB")))
    names = [FER_CLASSES[int(name)] if name in set("0123456") else name for name in table["emotion"]]
    if unnamed := [row for row, name in enumerate(names, start=2) if not name]:
        raise UserError(f'{path}: row {unnamed[0]}, column "emotion": empty; give a number 0 to 6 or a name')
    usage = table["Usage"].str.lower().tolist() if "Usage" in table else ["training"] * len(table)
    return pictures, names, ["train" if use in TRAINING else "held out" for use in usage]


def _initialise(vgg: VGG19) -> None:
    """He initialisation; without it nineteen layers hardly learn."""
    for module in vgg.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]


def _train(vgg: VGG19, data: LabelledImages, epochs: int, batch: int, learning_rate: float, device: str, progress: bool) -> None:
    rows = np.flatnonzero(~data.held_out)
    counts = Counter(data.labels[rows].tolist())
    weights = torch.tensor([len(rows) / (len(counts) * counts[number]) for number in range(len(data.classes))], dtype=torch.float32)
    loss_of = nn.CrossEntropyLoss(weight=weights.to(device), label_smoothing=0.05)
    mirror = [mirrored_name(name) for name in data.classes]
    mirrored = torch.tensor([data.classes.index(name) if name in data.classes else own for own, name in enumerate(mirror)])
    optimiser = torch.optim.AdamW(vgg.parameters(), lr=learning_rate, weight_decay=1e-2)
    steps = -(-len(rows) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=epochs * steps)
    generator = np.random.default_rng(torch.initial_seed())
    vgg.train()
    shown = tqdm(range(epochs), unit="epoch", disable=not progress)
    for _ in shown:
        total = 0.0
        for chosen in np.array_split(generator.permutation(rows), steps):
            images = torch.from_numpy(data.images[chosen]).to(device)
            labels = torch.from_numpy(data.labels[chosen])
            flip = torch.rand(len(chosen)) < 0.5
            labels = torch.where(flip, mirrored[labels], labels).to(device)
            loss = loss_of(vgg(vgg.normalise(_augment(images, flip.to(device)))), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) / steps
        shown.set_postfix(loss=f"{total:.3f}")


def _augment(images: torch.Tensor, flip: torch.Tensor) -> torch.Tensor:
    """Images (batch, size, size, 3) 0 to 255, each flipped where said, shifted, turned, zoomed, brightened."""
    count, device = len(images), images.device
    turn = torch.deg2rad((2 * torch.rand(count, device=device) - 1) * TURN)
    zoom = 1 + (2 * torch.rand(count, device=device) - 1) * ZOOM
    sign = torch.where(flip, -1.0, 1.0)
    shift = (2 * torch.rand(count, 2, device=device) - 1) * 2 * SHIFT  # the grid spans -1 to 1
    rows = [sign * zoom * turn.cos(), -zoom * turn.sin(), shift[:, 0], sign * zoom * turn.sin(), zoom * turn.cos(), shift[:, 1]]
    affine = torch.stack(rows, dim=1).view(count, 2, 3)
    values = images.permute(0, 3, 1, 2).float()
    grid = nn.functional.affine_grid(affine, list(values.shape), align_corners=False)
    moved = nn.functional.grid_sample(values, grid, padding_mode="border", align_corners=False)
    contrast, brightness = (1 + (2 * torch.rand(2, count, 1, 1, 1, device=device) - 1) * LIGHT).unbind(0)
    mean = moved.mean((1, 2, 3), keepdim=True)
    return ((moved - mean) * contrast + mean * brightness).clamp(0, 255).permute(0, 2, 3, 1)


@torch.inference_mode()
def _judge(vgg: VGG19, data: LabelledImages, batch: int, device: str) -> tuple[float, float]:
    rows = np.flatnonzero(data.held_out)
    if len(rows) == 0:
        return float("nan"), float("nan")
    vgg.eval()
    parts = np.array_split(rows, -(-len(rows) // batch))
    guesses = [vgg(vgg.normalise(torch.from_numpy(data.images[part]).to(device))).argmax(1).cpu().numpy() for part in parts]
    right = np.concatenate(guesses) == data.labels[rows]
    by_class = [right[data.labels[rows] == number].mean() for number in set(data.labels[rows].tolist())]
    return float(right.mean()), float(np.mean(by_class))
