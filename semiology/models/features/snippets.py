"""A frozen network of snippets, from a file of weights: R(2+1)D of any depth and width, or a 2D
ResNet.

Frames to what a snippet network sees: cut at the sides, padded to a square, made small; and a
snippet's holes closed.

From a video's frames to the vectors of its snippets, in one pass and bounded memory.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from semiology.errors import UserError
from semiology.models.device import choose_device, choose_precision
from semiology.models.features.r2plus1d import FrameResNet, R2Plus1D, Shape, normalised
from semiology.video import Frame
from semiology.weights import class_names, load_state, metadata, snippet_weights

RATE = 15.0  # Hz, of the frames that snippets are made of [T]
CROP = 0.05  # share of the columns that is cut off at each side [T]
SIZE = 112  # px, side of the square that networks read [T]
FRAMES = 8  # of a snippet: 0.53 s [T]


def prepare_frame(image: np.ndarray) -> np.ndarray:
    """A frame (height, width, 3) uint8 RGB to the (112, 112, 3) uint8 that a network reads.

    5 % of the columns are cut off at each side, rows or columns of black make the rest square, and
    the square is resized [T]. The authors first resize to 320 x 180 px [T]; that step is left out:
    the resizing here is antialiased, from whatever size [our choice].
    """
    height, width = image.shape[:2]
    side = round(CROP * width)
    cut = image[:, side : width - side]
    width = cut.shape[1]
    longer = max(height, width)
    square = np.zeros((longer, longer, 3), np.uint8)
    top, left = (longer - height) // 2, (longer - width) // 2
    square[top : top + height, left : left + width] = cut
    return np.asarray(Image.fromarray(square).resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def whole_snippet(images: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Prepared images, None where the video has a hole, to a snippet (time, 112, 112, 3) uint8;
    None where more than half are missing.

    A missing image repeats the last one seen before it in the snippet, or, at the snippet's
    beginning, the first that is seen. So a snippet depends on nothing outside of it. [our choice]
    """
    seen = [number for number, image in enumerate(images) if image is not None]
    if 2 * len(seen) < len(images) or not seen:
        return None
    nearest = [
        max((place for place in seen if place <= number), default=seen[0])
        for number in range(len(images))
    ]
    return np.stack([images[place] for place in nearest])  # type: ignore[misc]


class SnippetNetwork:
    """A network in evaluation mode that turns snippets into vectors. Nothing in it is trained.

    Args:
        network: the layers.
        classes: names of its outputs.
        precision: "fp32" or "bf16".
        device: such as "cpu" or "cuda".

    Attributes:
        channels: length of a vector: 512 at full width; 2048 of a 2D ResNet-50.
        frames: of the snippets that it was trained on, from its file; None where that has
            none, as published weights.
    """

    def __init__(
        self,
        network: R2Plus1D | FrameResNet,
        classes: list[str],
        precision: str = "fp32",
        device: str = "cpu",
        frames: int | None = None,
    ):
        self.network = network.eval().requires_grad_(False).to(device)
        self.classes, self.precision, self.device = classes, precision, device
        self.channels, self.frames = network.channels, frames

    @torch.inference_mode()
    def embed(self, snippets: np.ndarray) -> np.ndarray:
        """(batch, time, 112, 112, 3) uint8 RGB to (batch, channel) float32: the layer before the
        classifier.

        The whole batch goes through the network at once: give as many snippets as memory holds.

        Raises:
            ValueError: another shape, another type.
        """
        if (
            snippets.ndim != 5
            or snippets.shape[2:] != (SIZE, SIZE, 3)
            or snippets.dtype != np.uint8
        ):
            raise ValueError(
                f"embed: expected (batch, time, {SIZE}, {SIZE}, 3) uint8, got {snippets.shape}"
                f" {snippets.dtype}"
            )
        values: Tensor = normalised(
            torch.from_numpy(snippets).to(self.device), self.network.mean, self.network.std
        )
        if self.precision == "bf16":  # half again as fast with the channels last; fp32 is not
            values = values.contiguous(memory_format=torch.channels_last_3d)
        with torch.autocast(
            torch.device(self.device).type, torch.bfloat16, enabled=self.precision == "bf16"
        ):
            return self.network.forward_features(values).float().cpu().numpy()


def load_snippet_network(
    weights: str | Path | None, *, precision: str = "auto", device: str = "auto"
) -> SnippetNetwork:
    """A snippet network from a file (.safetensors, or .pth in torchvision's or the IG-65M layout)
    or by its name among the published ones.

    Kind, depth, width and number of classes follow from the shapes of the weights.

    Args:
        precision: "fp32", "bf16", or "auto": bf16 where the device computes in it (see
            `choose_precision`).
        device: "auto" takes a GPU where there is one.

    Raises:
        UserError: no weights (the message says how to get them), weights of another network,
            another file than the published one, an unknown precision, no such device.
    """
    path, sha256 = snippet_weights(weights)
    device = choose_device(device)
    state = load_state(path, sha256)
    try:
        network = R2Plus1D(Shape.read(state)) if "stem.0.weight" in state else FrameResNet.of(state)
        network.load_state_dict(state)
    except (KeyError, RuntimeError, IndexError, ValueError) as error:
        fault = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path}: neither an R(2+1)D in torchvision's or the IG-65M layout nor a 2D ResNet"
            f" ({fault})"
        ) from error
    count = network.fc.out_features
    about = metadata(path)
    classes = class_names(about, count, path)
    frames = int(about["frames"]) if about.get("frames", "").isdigit() else None
    return SnippetNetwork(network, classes, choose_precision(precision, device), device, frames)


def snippet_features(
    frames: Iterable[Frame], network: SnippetNetwork, *, length: int, stride: int, batch: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (snippet, channel) float32 and each snippet's start (snippet,) in s from the first
    frame.

    A snippet of `length` frames begins at every `stride`-th frame, as long as a whole one is left.
    One of which the video lacks more than half is a row of NaN; see `whole_snippet`. A video
    shorter than one snippet has no row. Memory holds `length` small images, `batch` snippets, and
    the vectors.

    Args:
        frames: at 15 Hz, as `read_frames(path, start, end, RATE)` gives them.
    """
    recent: deque[np.ndarray | None] = deque(maxlen=length)
    rows: list[np.ndarray] = []
    waiting: list[np.ndarray] = []
    empty = np.full(network.channels, np.nan, np.float32)
    places: list[int] = []  # of the rows that wait for the network

    def flush() -> None:
        if waiting:
            for place, vector in zip(places, network.embed(np.stack(waiting))):
                rows[place] = vector
            waiting.clear()
            places.clear()

    for count, frame in enumerate(frames, 1):
        recent.append(None if frame.image is None else prepare_frame(frame.image))
        if count >= length and (count - length) % stride == 0:
            snippet = whole_snippet(list(recent))
            if snippet is not None:
                waiting.append(snippet)
                places.append(len(rows))
            rows.append(empty)
            if len(waiting) == batch:
                flush()
    flush()
    return (
        np.array(rows, np.float32).reshape(-1, network.channels),
        np.arange(len(rows)) * stride / RATE,
    )
