"""A frozen network of snippets, from a file of weights: R(2+1)D of any depth and width, or a 2D ResNet."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from semiology.errors import UserError
from semiology.models.features.frame_resnet import FrameResNet
from semiology.models.features.pictures import SIZE
from semiology.models.features.r2plus1d import R2Plus1D, Shape, normalised
from semiology.weights import load_state, metadata, snippet_weights

PRECISIONS = ("auto", "fp32", "bf16")


class SnippetNetwork:
    """A network in evaluation mode that turns snippets into vectors. Nothing in it is trained.

    Args:
        network: the layers.
        classes: names of its outputs.
        precision: "fp32" or "bf16".
        device: such as "cpu" or "cuda".

    Attributes:
        channels: length of a vector: 512 at full width; 2048 of a 2D ResNet-50.
        frames: of the snippets that it was trained on, as its file says; None where nothing is said, as of published weights.
    """

    def __init__(
        self, network: R2Plus1D | FrameResNet, classes: list[str], precision: str = "fp32", device: str = "cpu", frames: int | None = None
    ):
        self.network = network.eval().requires_grad_(False).to(device)
        self.classes, self.precision, self.device = classes, precision, device
        self.channels, self.frames = network.channels, frames

    @torch.inference_mode()
    def embed(self, snippets: np.ndarray) -> np.ndarray:
        """(batch, time, 112, 112, 3) uint8 RGB to (batch, channel) float32: the layer before the classifier.

        The whole batch goes through the network at once: give as many snippets as memory holds.

        Raises:
            ValueError: another shape, another type.
        """
        if snippets.ndim != 5 or snippets.shape[2:] != (SIZE, SIZE, 3) or snippets.dtype != np.uint8:
            raise ValueError(f"embed: expected (batch, time, {SIZE}, {SIZE}, 3) uint8, got {snippets.shape} {snippets.dtype}")
        values: Tensor = normalised(torch.from_numpy(snippets).to(self.device), self.network.mean, self.network.std)
        if self.precision == "bf16":  # half again as fast with the channels last; fp32 is not
            values = values.contiguous(memory_format=torch.channels_last_3d)
        with torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.precision == "bf16"):
            return self.network.forward_features(values).float().cpu().numpy()


def load_snippet_network(weights: str | Path | None, *, precision: str = "auto", device: str = "auto") -> SnippetNetwork:
    """A snippet network from a file (.safetensors, or .pth in torchvision's or the IG-65M layout) or by its name among the published ones.

    Kind, depth, width and number of classes follow from the shapes of the weights.

    Args:
        precision: "fp32", "bf16", or "auto": bf16 where the device computes in it (see `fit_precision`).
        device: "auto" takes a GPU where there is one.

    Raises:
        UserError: no weights (the message says how to get them), weights of another network, another file than the published one, an
            unknown precision, no such device.
    """
    path, sha256 = snippet_weights(weights)
    device = fit_device(device)
    state = load_state(path, sha256)
    try:
        network = R2Plus1D(Shape.read(state)) if "stem.0.weight" in state else FrameResNet.of(state)
        network.load_state_dict(state)
    except (KeyError, RuntimeError, IndexError, ValueError) as error:
        fault = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: neither an R(2+1)D in torchvision's or the IG-65M layout nor a 2D ResNet ({fault})") from error
    count = network.fc.out_features
    told = metadata(path)
    classes = json.loads(told.get("classes", "null")) or [f"class_{number}" for number in range(count)]
    frames = int(told["frames"]) if told.get("frames", "").isdigit() else None
    return SnippetNetwork(network, classes, fit_precision(precision, device), device, frames)


def fit_device(device: str) -> str:
    """A device's name; "auto" takes a GPU where there is one.

    Raises:
        UserError: there is no such device here.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise UserError(f"snippets: no device is called {device!r}; give cpu, cuda or auto") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise UserError("snippets: there is no GPU that torch can use here; give cpu")
    return device


def fit_precision(precision: str, device: str) -> str:
    """ "fp32" or "bf16"; "auto" takes bf16 where the device computes in it: there it is four times as fast, elsewhere slower [measured].

    Raises:
        UserError: another word.
    """
    if precision not in PRECISIONS:
        raise UserError(f"snippets: precision {precision!r}; give {', '.join(PRECISIONS)}")
    if precision != "auto":
        return precision
    if torch.device(device).type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if any(name.endswith("bf16") and there for name, there in torch.cpu.get_capabilities().items()) else "fp32"
