"""Which network, with which options: what a config names before the data decide its sizes. Read
without torch, which is imported when a network is looked up.
"""

import ast
import inspect
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semiology.data.result import allowed_modules, allowing, is_allowed
from semiology.data.skeleton import Skeleton
from semiology.errors import UserError
from semiology.models.networks import NETWORKS, SOLVED

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class StreamShape:
    """Sizes that the data decides, so that a network's own options are all that a config holds.

    Attributes:
        classes: number of levels of the label; of several labels the sum, as their heads stand side
            by side.
        skeleton: the graph over the joints.
        keypoint_channels: channels a joint and frame (2 or 3 each for joint, bone, motion).
        appearance_channels: appearance features a frame; 0 where none are read.
    """

    classes: int
    skeleton: Skeleton
    keypoint_channels: int
    appearance_channels: int = 0


@dataclass(frozen=True)
class Network:
    """Builds a network for the data at hand.

    Attributes:
        stream: a short name of `NETWORKS` (agcn, ctrgcn, tcn, ...), or the import path of a class
            of the user's own, in an allowed module (see `allowing`): an nn.Module that takes a
            StreamShape first, names the batch entries it reads in `reads`, and has
            `forward_features` apart from `head`. One that reads clips divided into segments has an
            attribute `over_segments`.
        options: its other arguments, by name: numbers, text, lists and maps of them.

    Raises:
        UserError: no such network, one of a module that is not allowed, an option that it does not
            have, or that is something else.
    """

    stream: str
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_plain(self.options, self.stream)
        # for networks among the options, which may be built in another process
        object.__setattr__(self, "_allowed", allowed_modules())
        known = _stated_options(self.stream)
        if known is None:
            known = list(inspect.signature(self._class).parameters)[1:]
        if unknown := sorted(set(self.options) - set(known)):
            raise UserError(
                f"{self.stream}: has no option {', '.join(unknown)}; its options are"
                f" {', '.join(known)}"
            )

    @property
    def length(self) -> int | None:
        """Frames that whole clips are resampled to, for a network that is solved for at once; None
        for one that is trained on windows.
        """
        if self.stream in NETWORKS and self.stream not in SOLVED:
            return None
        own = getattr(self._class, "LENGTH", None)
        return None if own is None else int(self.options.get("length", own))

    @property
    def _class(self) -> "type[nn.Module]":
        path = class_path(self.stream)
        module, _, name = path.rpartition(".")
        if self.stream not in NETWORKS and not is_allowed(path):
            raise UserError(
                f"stream {self.stream!r}: cannot be imported: it is none of {', '.join(NETWORKS)},"
                f" and a class of your own needs --allow {module or 'MODULE'} on the command line"
                " (allow=[...] from Python), as its code then runs"
            )
        from torch import nn

        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise UserError(
                f"stream {self.stream!r}: cannot be imported ({error}); write {', '.join(NETWORKS)}"
                " or the import path of a class"
            ) from error
        if not (inspect.isclass(found) and issubclass(found, nn.Module)):
            raise UserError(f"stream {self.stream!r}: is not an nn.Module class")
        return found

    def __call__(self, shape: StreamShape) -> "nn.Module":
        try:
            with allowing(self._allowed):  # type: ignore[attr-defined]
                return self._class(shape, **self.options)
        except UserError:
            raise
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{self.stream}: cannot be built with {self.options}: {error}"
            ) from error


def _stated_options(stream: str) -> list[str] | None:
    """The options of a network of ours, out of the source of its class: to import it takes the
    seconds that torch takes, and a config is to be refused before. None for other networks.
    """
    module, _, name = NETWORKS.get(stream, "").rpartition(".")
    path = Path(__file__).parents[2].joinpath(*module.split(".")[1:]).with_suffix(".py")
    if not module or not path.is_file():
        return None
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            for inside in node.body:
                if isinstance(inside, ast.FunctionDef) and inside.name == "__init__":
                    after_shape = inside.args.args[2:]
                    return [one.arg for one in (*after_shape, *inside.args.kwonlyargs)]
    return None  # it has the options of a class that it is made of


def _check_plain(value: Any, stream: str) -> None:
    """Refuse what a YAML file cannot hold: an object would have been built by whoever named it."""
    if isinstance(value, dict):
        for name, entry in value.items():
            _check_plain(entry, f"{stream}: {name}")
    elif isinstance(value, list | tuple):
        for entry in value:
            _check_plain(entry, stream)
    elif not isinstance(value, str | int | float | None):
        raise UserError(
            f"{stream}: {type(value).__name__}; options are numbers, text, lists and maps of them"
        )


def class_path(stream: str) -> str:
    """The import path behind a short name; another path as it is.

    Raises:
        UserError: a path to a network of this package: files name it by its short name, so that
            they stay readable when the class moves.
    """
    if stream in NETWORKS:
        return NETWORKS[stream]
    package, _, name = stream.rpartition(".")
    for short, path in NETWORKS.items():
        if package.partition(".")[0] == "semiology" and path.endswith(f".{name}"):
            raise UserError(f"stream {stream!r}: write {short}")
    return stream
