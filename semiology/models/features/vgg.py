"""Appearance of face and body: VGG-19 features of crops around the tracks. Weights come from a
local file; none are shipped.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd
import torch
import xarray as xr
from PIL import Image
from torch import nn

from semiology.errors import UserError
from semiology.video import Frame
from semiology.video.prefetch import threaded_map
from semiology.weights import class_names, load_state, metadata

if TYPE_CHECKING:
    from semiology.models.features.expression import MiniXception

STAGES = (
    (64, 2),
    (128, 2),
    (256, 4),
    (512, 4),
    (512, 4),
)  # channels and convolutions before each halving: configuration E of VGG [P]
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LAYERS = ("penultimate", "pooled")
PATCHES = "keypoints"  # a vector for every keypoint, in the place of one of `LAYERS`
FINE = 3  # stages before the maps that patches are read from: every eighth pixel [our choice]
BATCH = 32
PART = 1500  # frames of tracks that memory holds at a time, where they are read from a file

MARGIN = {
    "face": 1.1,
    "body": 1.2,
}  # side of the crop over the longer side of the landmarks' box [our choice]
CONFIDENT = 0.5  # keypoints below this do not count for the box [our choice]
STEADY = 1.0  # s, window of the running median that keeps the crop from trembling [our choice]

Thing = TypeVar("Thing")


class VGG19(nn.Module):
    """VGG-19 over face or body crops, in two forms; parameters carry torchvision's names.

    - "fer": for 48x48 faces, as usual for FER-2013: five stages leave one position, whose 512
      channels go to one linear classifier. Grey in three channels, 0 to 1. [P: the layer before the
      classifier, 512-d]
    - "torchvision": for 224x224 crops: 7x7 positions, two layers of 4096, classifier. RGB with
      ImageNet's mean and deviation. [C]

    Parameters
    ----------
    classes : sequence of str
        Their names, in the order of the outputs.
    form : {"fer", "torchvision"}
        See above.
    width : float
        Factor on all channels (64 to 512, 4096), so that a small one can be trained on a CPU.
    batch_norm : bool
        After each convolution; torchvision's `vgg19` has none, its `vgg19_bn` has.
    size : int
        Side of the input, px; 32 or more.

    Returns
    -------
    Tensor
        Logits (batch, class) of prepared images (batch, 3, size, size); `embed` gives the features.

    Raises
    ------
    RuntimeError
        The images are below 32 px: five halvings leave no position.

    References
    ----------
    Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR
    2015, configuration E. Hou et al. 2022 train it on FER-2013 for their face stream [P].

    Examples
    --------
    >>> import torch
    >>> from semiology.models.features.vgg import VGG19
    >>> network = VGG19(["happy", "neutral"], width=0.125).eval()
    >>> network.embed(torch.rand(4, 3, 48, 48)).shape
    torch.Size([4, 64])
    """

    def __init__(
        self,
        classes: Sequence[str],
        *,
        form: str = "fer",
        width: float = 1.0,
        batch_norm: bool = True,
        size: int = 48,
    ):
        super().__init__()
        self.classes, self.form, self.width, self.size = list(classes), form, width, size
        layers: list[nn.Module] = []
        before = 3
        for channels, convolutions in STAGES:
            channels = scaled(channels, width)
            for _ in range(convolutions):
                layers.append(nn.Conv2d(before, channels, 3, padding=1))
                layers += [nn.BatchNorm2d(channels)] if batch_norm else []
                layers.append(nn.ReLU(inplace=True))
                before = channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        wide = scaled(4096, width)
        self.classifier: nn.Module
        if form == "fer":
            self.classifier = nn.Linear(before, len(classes))
        else:
            self.classifier = nn.Sequential(
                *(nn.Linear(before * 49, wide), nn.ReLU(inplace=True), nn.Dropout()),
                *(nn.Linear(wide, wide), nn.ReLU(inplace=True), nn.Dropout()),
                nn.Linear(wide, len(classes)),
            )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, class) of prepared images (batch, 3, size, size)."""
        return self.classify(self.embed(images))

    def embed(self, images: torch.Tensor, layer: str = "penultimate") -> torch.Tensor:
        """Features (batch, channel): the layer before the classifier, or "pooled", the last
        convolution's mean over the image.
        """
        maps = self.features(images)  # (batch, 512 width, size / 32, size / 32)
        if layer == "pooled" or self.form == "fer":
            return maps.mean((2, 3))
        hidden = nn.functional.adaptive_avg_pool2d(maps, 7).flatten(1)  # (batch, 49 * 512 width)
        return self.classifier[:6](hidden)  # type: ignore[index]

    def embed_at(self, images: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Features of places in images, (batch, place, channel): the fourth stage's last maps, one
        position for eight pixels a side, read between positions by straight lines; what lies
        outside takes the edge, NaN places are NaN.

        Args:
            images: prepared, (batch, 3, size, size).
            places: (batch, place, 2) x and y, -1 to 1 from the left and upper edge of the image to
                the right and lower.
        """
        halvings, maps = 0, images
        for layer in self.features:
            halvings += isinstance(layer, nn.MaxPool2d)
            if halvings > FINE:
                break
            maps = layer(maps)
        known = places.isfinite().all(dim=2, keepdim=True)
        found = nn.functional.grid_sample(
            maps, places.nan_to_num().unsqueeze(2), padding_mode="border", align_corners=False
        )  # (batch, channel, place, 1)
        return torch.where(known, found.squeeze(3).transpose(1, 2), torch.nan)

    def channels(self, layer: str = "penultimate") -> int:
        """How many features `embed` gives of a layer, or `embed_at` of a place."""
        wide = self.form == "torchvision" and layer == "penultimate"
        return scaled(4096 if wide else 512, self.width)

    def classify(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits (batch, class) of features (batch, channel) of the layer before the classifier."""
        if isinstance(self.classifier, nn.Linear):
            return self.classifier(hidden)
        return self.classifier[6](hidden)  # type: ignore[index]

    def prepare(self, crops: Sequence[np.ndarray]) -> torch.Tensor:
        """RGB crops of any size, (height, width, 3) uint8, to the input (batch, 3, size, size)."""
        return self.normalise(
            torch.from_numpy(np.stack([self.shrink(Image.fromarray(crop)) for crop in crops]))
        )

    def shrink(self, crop: Image.Image) -> np.ndarray:
        """A crop of any size as (size, size, 3) uint8."""
        return np.asarray(crop.resize((self.size, self.size), Image.Resampling.BILINEAR))

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, size, size, 3) 0 to 255 to what the network reads, (batch, 3, size, size)."""
        values = images.permute(0, 3, 1, 2).float() / 255
        if self.form == "fer":
            grey = torch.tensor([0.299, 0.587, 0.114], device=values.device).view(1, 3, 1, 1)
            return (values * grey).sum(1, keepdim=True).expand(-1, 3, -1, -1)
        mean, std = (
            torch.tensor(value, device=values.device).view(1, 3, 1, 1)
            for value in (IMAGENET_MEAN, IMAGENET_STD)
        )
        return (values - mean) / std


def scaled(channels: int, width: float) -> int:
    """A layer's channels in a network of another width, at least one."""
    return max(1, round(channels * width))


def load_vgg(path: str | Path | None) -> VGG19:
    """A VGG-19 in evaluation mode, from safetensors (ours) or a .pth in torchvision's or the usual
    FER layout, read without unpickling.

    Form, width, batch norm and number of classes follow from the shapes of the weights.

    Raises:
        UserError: no file, a file that holds more than tensors, weights of another network.
    """
    if path is None or not Path(path).is_file():
        raise UserError(
            f"VGG-19 weights: {'none given' if path is None else f'{path} is not there'}; train"
            " them on images you hold (semiology pretrain expression IMAGES --out FILE reads"
            " FER-2013 or class folders), or give torchvision's vgg19 .pth"
        )
    state, about = load_state(path), metadata(path)
    first, last = (
        state.get("features.0.weight"),
        state.get("classifier.weight", state.get("classifier.6.weight")),
    )
    if first is None or last is None:
        raise UserError(
            f"{path}: not a VGG-19 (no features.0.weight, classifier.weight or classifier.6.weight)"
        )
    form = "fer" if "classifier.weight" in state else "torchvision"
    classes = class_names(about, len(last), path)
    normed = "features.1.running_mean" in state
    state = {
        name: part.float() if part.is_floating_point() else part for name, part in state.items()
    }
    try:
        size = int(about.get("size", 48 if form == "fer" else 224))
        width = float(about.get("width", len(first) / 64))
        with torch.device("meta"):  # no random weights for 140 million numbers: they are read below
            vgg = VGG19(classes, form=form, width=width, batch_norm=normed, size=size)
        vgg.load_state_dict(state, assign=True)
    except (RuntimeError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise UserError(f"{path}: not a VGG-19: {' '.join(str(error).split())[:200]}") from error
    return vgg.eval()


def crop_boxes(tracks: xr.Dataset, part: str) -> np.ndarray:
    """Squares around the confident keypoints, (time, 4) as x0, y0, x1, y1 in px; NaN where there
    are none.

    Centre and side are running medians over one second, so that the crop neither trembles nor
    breathes with every movement of an arm.
    """
    frames = tracks.sizes["time"]
    square = np.concatenate(
        [_squares(tracks.isel(time=slice(first, first + PART))) for first in range(0, frames, PART)]
    )
    window = max(1, round(STEADY * tracks.attrs["fps"]))
    steady = pd.DataFrame(square).rolling(window, center=True, min_periods=1).median().to_numpy()
    centre, half = steady[:, :2], MARGIN[part] * steady[:, 2:] / 2
    return np.where(np.isnan(square[:, :1]), np.nan, np.hstack([centre - half, centre + half]))


def _squares(tracks: xr.Dataset) -> np.ndarray:
    """(time, 3) in px: centre x, y and longer side of the box of each frame's confident
    keypoints.
    """
    position = tracks["position"].where(~(tracks["confidence"] < CONFIDENT))
    low, high = position.min("keypoint").values, position.max("keypoint").values  # (time, 2)
    return np.column_stack([(low + high) / 2, (high - low).max(axis=1)])


def appearance_features(
    frames: Iterable[Frame],
    tracks: xr.Dataset,
    part: str,
    network: "VGG19 | MiniXception",
    layer: str = "penultimate",
    *,
    every: int = 1,
    half: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Features of the crops around tracks: (time, channel) float32, or with `half` float16, NaN
    rows where the part was not found, and the frames' times (s).

    With the layer `PATCHES` a VGG gives each keypoint its features, (time, keypoint * channel), NaN
    where a keypoint is missing.

    Each frame takes the crop of the row of the tracks that is nearest in time. Outside the image a
    crop is black. Batches are computed on all cores, one on each, while the next frames are
    decoded.

    Args:
        every: rows of the tracks from frame to frame at least: memory holds no more vectors.

    Raises:
        UserError: `half`, and a feature is beyond what float16 holds.
    """
    boxes = crop_boxes(tracks, part).round().astype(np.float32)
    patches = layer == PATCHES
    each = tracks.sizes["keypoint"] if patches else 1
    position = tracks["position"].transpose("time", "keypoint", "space").values if patches else None
    table = np.empty(
        (-(-len(boxes) // every) + 1, each * network.channels(layer)),
        np.float16 if half else np.float32,
    )
    times = array("d")

    def crops() -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        for count, frame in enumerate(frames):
            table[count] = np.nan
            times.append(frame.time)
            row = round(frame.time * tracks.attrs["fps"])
            if (
                frame.image is not None
                and row < len(boxes)
                and np.isfinite(boxes[row]).all()
                and boxes[row, 2] - boxes[row, 0] >= 2
            ):
                left, top, right, bottom = boxes[row].astype(int).tolist()
                crop = Image.fromarray(frame.image).crop((left, top, right, bottom))
                places = np.empty((0, 2))
                if position is not None:
                    side = np.array([right - left, bottom - top])
                    places = (position[row] - [left, top]) * 2 / side - 1
                yield count, network.shrink(crop), places.astype(np.float32)

    def embed(batch: Sequence[tuple[int, np.ndarray, np.ndarray]]) -> tuple[list[int], np.ndarray]:
        counts, images, places = zip(*batch)
        with torch.inference_mode():
            read = network.normalise(torch.from_numpy(np.stack(images)))
            if patches:
                assert isinstance(network, VGG19)
                found = network.embed_at(read, torch.from_numpy(np.stack(places))).flatten(1)
            else:
                found = network.embed(read, layer)
        return list(counts), found.numpy()

    for rows, features in threaded_map(embed, batched(crops(), BATCH)):
        if half and np.abs(features).max(initial=0) > np.finfo(np.float16).max:
            raise UserError(
                f"{part}: features up to {np.abs(features).max():g} do not fit into float16; use"
                " --precision lossless"
            )
        table[rows] = features
    return table[: len(times)], np.array(times)


def batched(things: Iterable[Thing], size: int) -> Iterator[list[Thing]]:
    """Lists of `size` successive things; the last may be shorter."""
    things = iter(things)
    while batch := list(islice(things, size)):
        yield batch
