"""A trained network on disk: `weights.safetensors`, and `model.json` with what is needed to build
it and to read its input.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from semiology.data.arrays import read_arrays, write_arrays
from semiology.data.skeleton import Skeleton
from semiology.errors import UserError
from semiology.files import read_json, write_json
from semiology.models.networks import Network, StreamShape
from semiology.models.training.reading import Reading


@dataclass(frozen=True)
class SavedModel:
    """A trained network, its input and its classes.

    Attributes:
        network: in eval mode.
        options: the class of the network and its options.
        reading: what it reads of a clip.
        levels: of the label, in the order of the outputs.
        shape: the network's sizes, with the skeleton.
        about: who it was trained on and with what: participants, seed, versions; free keys.
    """

    network: nn.Module
    options: Network
    reading: Reading
    levels: list[str]
    shape: StreamShape
    about: dict[str, Any]

    def save(self, folder: str | Path) -> Path:
        """Write the folder; each file whole or not at all, the description last."""
        folder = Path(folder)
        save_state(folder / "weights.safetensors", self.network)
        description = {
            "network": asdict(self.options),
            "reading": asdict(self.reading),
            "levels": self.levels,
            "shape": asdict(self.shape),
            "about": self.about,
        }
        write_json(folder / "model.json", description, checksummed=True)
        return folder


def one_head(
    network: nn.Module, options: Network, shape: StreamShape, classes: Sequence[int], number: int
) -> tuple[nn.Module, StreamShape]:
    """One label's network out of one with several heads: the shared layers, and the head's rows of
    the last one. Its outputs are that head's, but for the rounding of a smaller product.

    Args:
        network: with a head a label, side by side in its last layer `head`.
        options: that built it.
        shape: its sizes.
        classes: outputs of each head.
        number: which head.

    Raises:
        UserError: its `head` is not one linear layer, or other layers depend on the classes too.
    """
    if len(classes) == 1:
        return network, shape
    own = replace(shape, classes=classes[number])
    single, state = options(own), dict(network.state_dict())
    heads = [  # its own, and that of an encoder in it, which is not used
        network.head for network in single.modules() if hasattr(network, "forward_features")
    ]
    layers = dict(single.named_modules())
    first = sum(classes[:number])
    for name, value in single.state_dict().items():
        if value.shape != state[name].shape:
            layer = layers[name.rpartition(".")[0]]
            if not isinstance(layer, nn.Linear) or not any(layer is head for head in heads):
                raise UserError(
                    f"{options.stream}: cannot have a head for each of several labels, as"
                    f" {name} depends on the number of classes; its `head` has to be one linear"
                    " layer, and the only one that does"
                )
            state[name] = state[name][first : first + classes[number]]
    single.load_state_dict(state)
    return single.eval(), own


def save_state(
    path: str | Path,
    network: nn.Module,
    about: Mapping[str, object] | None = None,
    without: str | None = None,
) -> None:
    """Write a network's state_dict as .safetensors with a checksum, whole or not at all; `about`
    becomes its metadata, and entries whose names begin with `without` are left out. Raises as
    `write_arrays`.
    """
    state = {
        name: value.detach().cpu().numpy()
        for name, value in network.state_dict().items()
        if without is None or not name.startswith(without)
    }
    write_arrays(path, state, {"software": f"semiology {version('semiology')}", **(about or {})})


def note(folder: str | Path, **entries: Any) -> None:
    """Put entries into the `about` of a saved model, beside or in place of what is there."""
    path = Path(folder) / "model.json"
    description = read_json(path, checksummed=True)
    description["about"] |= entries
    write_json(path, description, checksummed=True)


def load_model(folder: str | Path) -> SavedModel:
    """Read a saved model. The skeleton is the one it was trained with, whatever the YAML of that
    name holds today.

    Raises:
        UserError: no model there, files that do not fit together, a network of a class in a module
            that is not allowed.
    """
    folder = Path(folder)
    description, weights = folder / "model.json", folder / "weights.safetensors"
    if not (description.is_file() and weights.is_file()):
        raise UserError(
            f"{folder}: holds no trained model (model.json and weights.safetensors); `semiology"
            " loso` or `semiology train fit` makes one"
        )
    raw = read_json(description, remedy="train the model again", checksummed=True)
    state = read_arrays(weights, "train the model again")
    try:
        graph = raw["shape"].pop("skeleton")
        skeleton = Skeleton(
            name=graph["name"],
            part=graph["part"],
            joints={joint: tuple(sources) for joint, sources in graph["joints"].items()},
            edges=tuple((outer, inner) for outer, inner in graph["edges"]),
            root=graph["root"],
            origin=tuple(graph["origin"]),
            scale=(graph["scale"][0], graph["scale"][1]),
        )
        shape = StreamShape(skeleton=skeleton, **raw["shape"])
        reading = Reading(**{**raw["reading"], "channels": tuple(raw["reading"]["channels"])})
        reading = reading.with_graph(skeleton)
        options = Network(**raw["network"])
        network = options(shape)
        network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    except UserError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{folder}: model.json and weights.safetensors do not fit together or are damaged:"
            f" {error}"
        ) from error
    return SavedModel(network.eval(), options, reading, raw["levels"], shape, raw["about"])


def is_saved(folder: Path, names: Iterable[str], key: str) -> bool:
    """Whether every one of these models is in the folder, made with this key."""
    try:
        return all(load_model(folder / name).about.get("key") == key for name in names)
    except UserError:
        return False
