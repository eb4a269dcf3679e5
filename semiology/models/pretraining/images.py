"""Train the VGG-19 that reads faces (expression) or bodies (posture) on labelled images that the
user holds, such as FER-2013.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, UnidentifiedImageError
from torch import nn

from semiology.errors import UserError
from semiology.files import refuse_folder
from semiology.models.device import bf16_pays, choose_device
from semiology.models.features.vgg import VGG19
from semiology.models.pretraining.training import (
    TRAINING,
    Pretrained,
    class_files,
    fit,
    held_out_accuracy,
    hold_out,
    save_trained,
)

FORMS = {
    "expression": ("fer", 48),
    "posture": ("torchvision", 224),
}  # kind -> form of the VGG and side of its input, px
FER_CLASSES = (
    "angry",
    "disgust",
    "fear",
    "happy",
    "sad",
    "surprise",
    "neutral",
)  # numbers 0 to 6 in FER-2013's table
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm"}
SHIFT, TURN, ZOOM, LIGHT = (
    0.1,
    10.0,
    0.1,
    0.25,
)  # augmentation: shift (of the side), degrees, zoom, brightness and contrast [our choice]


@dataclass(frozen=True)
class LabelledImages:
    """Images (image, size, size, 3) uint8, class numbers (image,), whether held out (image,), and
    the classes' names.
    """

    images: np.ndarray
    labels: np.ndarray
    held_out: np.ndarray
    classes: list[str]


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
    device: str = "auto",
    progress: bool = True,
) -> Pretrained:
    """Train a VGG-19 with batch norm and save it as safetensors, with its classes and accuracy in
    the metadata.

    AdamW, one-cycle learning rate, cross-entropy weighted against class imbalance; flips (a class
    that names a side becomes its mirror), small shifts, turns, zooms, changes of brightness and
    contrast. The last epoch counts: nothing is chosen on the held-out images. [our choices]

    Args:
        kind: "expression" (faces, 48 px, FER form) or "posture" (body crops, 224 px, torchvision
            form).
        images: a folder of class folders, or of train/ and test/ (or validation/) with class
            folders in them, or a CSV in FER-2013's form.
        width: factor on the network's channels; 0.25 trains on a CPU.
        size: side of the input, px; by default the form's own.
        held_out: share of each class to hold out where the images come without a held-out part. A
            random share: with several images of one person it flatters. Folders or `Usage` that
            part people are better.
        participants: participant_ids of a cohort who are on the images, [] where none is (a public
            set). Saved with the weights: the leakage audit cannot pass features without it.
        device: auto (a GPU where there is one), cpu or cuda.

    Raises:
        UserError: images that cannot be read, fewer than two classes, a class without images to
            train on; `out` is a folder.
    """
    if kind not in FORMS:
        raise UserError(f"pretrain {kind!r}: unknown; give expression or posture")
    refuse_folder(out)
    form, own_size = FORMS[kind]
    data = read_images(images, size or own_size, held_out, seed)
    torch.manual_seed(seed)
    device = choose_device(device)
    vgg = VGG19(data.classes, form=form, width=width, size=size or own_size)
    _initialise(vgg)
    vgg = vgg.to(device).to(memory_format=torch.channels_last)  # a quarter faster on a CPU

    def images_of(rows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(data.images[rows]).to(device)

    def augmented(rows: np.ndarray, flip: torch.Tensor) -> torch.Tensor:
        return vgg.normalise(_augment(images_of(rows), flip.to(device)))

    fit(
        vgg,
        augmented,
        data,
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        device=device,
        progress=progress,
        bf16=bf16_pays(device),
    )
    accuracy, balanced = held_out_accuracy(
        vgg, lambda part: vgg.normalise(images_of(part)), data, batch
    )
    facts = {
        "form": form,
        "width": width,
        "size": vgg.size,
        "kind": kind,
        "seed": seed,
        "epochs": epochs,
    }
    count = int(data.held_out.sum())
    made = Pretrained(Path(out), data.classes, len(data.labels) - count, count, accuracy, balanced)
    save_trained(vgg, made, facts, participants)
    return made


def read_images(source: str | Path, size: int, held_out: float, seed: int) -> LabelledImages:
    """Read class folders or a table in FER-2013's form into memory, scaled to `size` px; choose
    what is held out where the images come without a held-out part.
    """
    source = Path(source)
    if source.is_dir():
        arrays, names, apart = _read_folders(source, size)
    elif source.is_file() and source.suffix.lower() == ".csv":
        arrays, names, apart = _read_table(source, size)
    else:
        raise UserError(
            f"{source}: not there, or neither a folder of class folders nor a .csv in FER-2013's"
            " form"
        )
    classes = [name for name in FER_CLASSES if name in names] + sorted(
        set(names) - set(FER_CLASSES)
    )
    labels = np.array([classes.index(name) for name in names])
    out = hold_out(source, labels, apart, classes, held_out, seed, "image")
    return LabelledImages(np.stack(arrays), labels, out, classes)


def _read_folders(folder: Path, size: int) -> tuple[list[np.ndarray], list[str], list[bool]]:
    found = [entry for entry in class_files(folder) if entry[0].suffix.lower() in SUFFIXES]
    if not found:
        raise UserError(f"{folder}: no images in class folders (such as {folder.name}/happy/1.png)")
    arrays = []
    for path, _, _ in found:
        try:
            with Image.open(path) as image:
                arrays.append(
                    np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))
                )
        except (OSError, UnidentifiedImageError) as error:
            raise UserError(f"{path}: not a readable image; remove it or save it again") from error
    return arrays, [name for _, name, _ in found], [apart for _, _, apart in found]


def _read_table(path: Path, size: int) -> tuple[list[np.ndarray], list[str], list[bool]]:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable CSV") from error
    if not {"emotion", "pixels"} <= set(table.columns):
        raise UserError(
            f"{path}: needs the columns emotion and pixels (and may have Usage), as FER-2013's"
            f" table; has {list(table.columns)}"
        )
    arrays = []
    for row, pixels in enumerate(table["pixels"], start=2):
        try:
            values = np.array(pixels.split(), dtype=np.uint8)
            side = round(len(values) ** 0.5)
            grey = Image.fromarray(values.reshape(side, side)).resize(
                (size, size), Image.Resampling.BILINEAR
            )
        except (ValueError, OverflowError) as error:
            raise UserError(
                f'{path}: row {row}, column "pixels": not the 0 to 255 values of a square image,'
                " parted by spaces"
            ) from error
        arrays.append(np.asarray(grey.convert("RGB")))
    names = [
        FER_CLASSES[int(name)] if name in set("0123456") else name for name in table["emotion"]
    ]
    if unnamed := [row for row, name in enumerate(names, start=2) if not name]:
        raise UserError(
            f'{path}: row {unnamed[0]}, column "emotion": empty; give a number 0 to 6 or a name'
        )
    usage = table["Usage"].str.lower().tolist() if "Usage" in table else ["training"] * len(table)
    return arrays, names, [use not in TRAINING for use in usage]


def _initialise(vgg: VGG19) -> None:
    """He initialisation; without it nineteen layers hardly learn."""
    for module in vgg.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]


def _augment(images: torch.Tensor, flip: torch.Tensor) -> torch.Tensor:
    """Images (batch, size, size, 3) 0 to 255, each flipped where marked, shifted, turned, zoomed,
    brightened.
    """
    count, device = len(images), images.device
    turn = torch.deg2rad((2 * torch.rand(count, device=device) - 1) * TURN)
    zoom = 1 + (2 * torch.rand(count, device=device) - 1) * ZOOM
    sign = torch.where(flip, -1.0, 1.0)
    shift = (2 * torch.rand(count, 2, device=device) - 1) * 2 * SHIFT  # the grid spans -1 to 1
    rows = [
        sign * zoom * turn.cos(),
        -zoom * turn.sin(),
        shift[:, 0],
        sign * zoom * turn.sin(),
        zoom * turn.cos(),
        shift[:, 1],
    ]
    affine = torch.stack(rows, dim=1).view(count, 2, 3)
    values = images.permute(0, 3, 1, 2).float()
    grid = nn.functional.affine_grid(affine, list(values.shape), align_corners=False)
    moved = nn.functional.grid_sample(values, grid, padding_mode="border", align_corners=False)
    contrast, brightness = (
        1 + (2 * torch.rand(2, count, 1, 1, 1, device=device) - 1) * LIGHT
    ).unbind(0)
    mean = moved.mean((1, 2, 3), keepdim=True)
    return ((moved - mean) * contrast + mean * brightness).clamp(0, 255).permute(0, 2, 3, 1)
