"""A pretrained encoder on disk, FILE.safetensors with its card FILE.json, and how a network of any
skeleton starts from it: joints are matched by name. The card is read without torch.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semiology.data.arrays import read_arrays
from semiology.errors import UserError
from semiology.files import content_hash, read_json, write_json
from semiology.models.networks.base import Network
from semiology.models.training.reading import Reading
from semiology.weights import check_hash

if TYPE_CHECKING:
    from torch import nn

HEAD = "head."  # of a network's state_dict: what the labels decide, and no encoder has
# settings of a reading that decide what a number of the input means
MEANING = ("channels", "dimensions", "origin", "upright", "whole")
REMEDY = "`semiology pretrain skeleton` writes both"


@dataclass(frozen=True)
class Start:
    """From which encoder a network starts.

    Attributes:
        file: FILE.safetensors, with its card beside it.
        freeze: the encoder keeps its weights, and what its normalisations measured; the head alone
            is trained.
    """

    file: str
    freeze: bool = False


@dataclass(frozen=True)
class Joints:
    """Joints of a network by whether they came from the encoder, or start fresh."""

    matched: list[str]
    fresh: list[str]


def save_encoder(path: str | Path, network: "nn.Module", card: dict[str, Any]) -> Path:
    """Write a network without its head, and then the card with the hash of the weights; each whole
    or not at all.
    """
    from semiology.models.training.saved import save_state

    path = Path(path).with_suffix(".safetensors")
    save_state(path, network, without=HEAD)
    write_json(path.with_suffix(".json"), {**card, "sha256": content_hash(path)}, checksummed=True)
    return path


def card_reading(reading: Reading) -> dict[str, Any]:
    """A reading as a card holds it: without the label, and the skeleton by its own name, not by the
    path of its file.
    """
    settings = asdict(reading) | {"skeleton": reading.graph.name}
    return {name: value for name, value in settings.items() if name != "label"}


def read_card(path: str | Path) -> dict[str, Any]:
    """The card of an encoder: data, people, reading, network, joints, loss.

    Raises:
        UserError: it is not there, damaged, or of something else.
    """
    beside = Path(path).with_suffix(".json")
    if not beside.is_file():
        raise UserError(f"{beside}: no card beside the encoder; {REMEDY}")
    what = "the card of an encoder"
    card = read_json(beside, what=what, remedy=REMEDY, checksummed=True)
    lacking = {"network", "skeleton", "reading", "trained_on", "sha256"} - card.keys()
    if lacking:
        raise UserError(f"{beside}: not {what} (no {', '.join(sorted(lacking))}); {REMEDY}")
    return card


def encoder_facts(files: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What the leakage audit has to know of encoders: SHA-256 -> whom and which files they saw.

    Args:
        files: model -> FILE.safetensors of its encoder.
    """
    facts: dict[str, dict[str, Any]] = {}
    for model, file in files.items():
        card = read_card(file)
        known = facts.get(card["sha256"])
        facts[card["sha256"]] = {
            "what": f"{known['what']}, {model}" if known else f"the encoder of {model}",
            "participants": card["trained_on"]["participants"],
            "contents": card["trained_on"]["contents"],
        }
    return facts


def check_reading(path: str | Path, card: dict[str, Any], reading: Reading) -> None:
    """Refuse a reading whose numbers mean something else than those that the encoder learned from.

    Where whole clips are resampled there is no rate, and the frames of a window count in its place.

    Raises:
        UserError: the first setting that differs, with both values.
    """
    known = card["reading"]
    clock = "window" if reading.whole else "rate"
    for name in (*MEANING, clock):
        own, learned = getattr(reading, name), known.get(name)
        if isinstance(own, tuple):
            same = list(own) == list(learned or ())
            own, learned = ", ".join(own), ", ".join(learned or ())
        else:
            same = math.isclose(own, learned) if name == "rate" and learned else own == learned
        if not same:
            raise UserError(
                f"{path}: this encoder was trained with {name} {learned}, and the reading has"
                f" {name} {own}; read the same, or pretrain with --reading.{name} {own}"
            )


def start_network(network: Any, start: Start, reading: Reading, options: Network) -> Joints:
    """Put an encoder's weights into a network that is freshly built.

    What depends on the joints (`joint_axes` of the network: of an AGCN the learned graphs, and the
    norm of the input) is carried over for the joints that both skeletons have, by name; the rest of
    it stays as it was built, and so does what the skeleton alone makes (the fixed graphs), and the
    head.

    Args:
        network: with `joint_axes`.
        start: which encoder, and whether it is frozen.
        reading: of the network.
        options: of the network.

    Raises:
        UserError: no such encoder; one of another kind of network, other sizes, another reading, or
            of a skeleton without any of these joints; joints that a frozen encoder does not know.
    """
    card = read_card(start.file)
    if card["network"]["stream"] != options.stream:
        raise UserError(
            f"{start.file}: an encoder of {card['network']['stream']}, and the model is"
            f" {options.stream}; make the model's network the encoder's"
        )
    check_reading(start.file, card, reading)
    known, names = card["skeleton"]["joints"], reading.graph.names
    found = Joints(
        [name for name in names if name in known], [name for name in names if name not in known]
    )
    if not found.matched:
        raise UserError(
            f"{start.file}: an encoder of the joints {', '.join(known[:6])} ..., none of which"
            f" skeleton {reading.skeleton} has; joints are matched by name"
        )
    if start.freeze and found.fresh:
        raise UserError(
            f"{start.file}: does not know {', '.join(found.fresh)} of skeleton"
            f" {reading.skeleton}; a frozen encoder cannot learn them: set freeze to false, or read"
            " a skeleton of joints that it knows"
        )
    own = [name for name, axes in network.joint_axes().items() if axes == ()]
    if start.freeze and known != names and set(own) & dict(network.named_parameters()).keys():
        raise UserError(
            f"{start.file}: has weights for its own joints in their order ({own[-1]}), which a"
            f" frozen network of skeleton {reading.skeleton} would lack; set freeze to false"
        )
    if not Path(start.file).is_file():
        raise UserError(f"{start.file}: no such encoder; {REMEDY}")
    check_hash(Path(start.file), card["sha256"])
    carry_over(network, read_arrays(start.file, "pretrain it again"), known, names, start.file)
    if start.freeze:
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.startswith(HEAD))
    return found


def carry_over(
    network: Any,
    state: Mapping[str, np.ndarray],
    known: Sequence[str],
    names: Sequence[str],
    path: str | Path = "encoder",
) -> None:
    """Copy the arrays of an encoder of the joints `known` into a network of the joints `names`, in
    place; see `start_network`.

    Raises:
        UserError: other arrays, or other sizes, than the network's.
    """
    axes_of: dict[str, tuple[int, ...]] = network.joint_axes()
    both = [name for name in names if name in known]
    for name, tensor in network.state_dict().items():
        axes = axes_of.get(name)
        if name.startswith(HEAD) or (axes == () and list(known) != list(names)):
            continue
        own, rows, learned = tensor.cpu().numpy().copy(), [], []
        wanted = list(own.shape)
        for axis, size in enumerate(own.shape):
            if axes is None or axis not in axes:
                rows.append(np.arange(size))
                learned.append(rows[-1])
                continue
            parts = size // len(names)  # entries a joint: one, or one a channel
            wanted[axis] = parts * len(known)
            for order, found in ((names, rows), (known, learned)):
                first = np.array([order.index(joint) for joint in both]) * parts
                found.append((first[:, None] + np.arange(parts)).ravel())
        given = state.get(name)
        if given is None or list(given.shape) != wanted:
            has = "nothing" if given is None else f"size {given.shape}"
            raise UserError(
                f"{path}: has {has} for {name}, and the model's network needs size"
                f" {tuple(wanted)}; give it the encoder's options (`network` on its card)"
            )
        own[np.ix_(*rows)] = given[np.ix_(*learned)]
        tensor.copy_(tensor.new_tensor(own))
