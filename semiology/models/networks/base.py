"""A stream named in a config: which class, with which options, before the data decide its shape."""

import inspect
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from torch import nn

from semiology.errors import UserError
from semiology.models.networks.shape import StreamShape


@dataclass(frozen=True)
class Network:
    """Builds a stream for the data at hand.

    Attributes:
        stream: import path of the class, `semiology.models.networks.AGCN` or one of the user's own: an nn.Module that takes a StreamShape first,
            names the batch entries it reads in `reads`, and has `forward_features` apart from `head`. One that reads clips divided into
            segments says so by an attribute `over_segments`.
        options: its other arguments, by name.

    Raises:
        UserError: no such class, or an option that it does not have.
    """

    stream: str
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = list(inspect.signature(self._class).parameters)[1:]
        if unknown := sorted(set(self.options) - set(known)):
            raise UserError(f"{self.stream}: has no option {', '.join(unknown)}; its options are {', '.join(known)}")

    @property
    def _class(self) -> type[nn.Module]:
        module, _, name = self.stream.rpartition(".")
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise UserError(
                f"stream {self.stream!r}: cannot be imported ({error}); write for example semiology.models.networks.AGCN"
            ) from error
        if not (inspect.isclass(found) and issubclass(found, nn.Module)):
            raise UserError(f"stream {self.stream!r}: is not an nn.Module class")
        return found

    def __call__(self, shape: StreamShape) -> nn.Module:
        try:
            return self._class(shape, **self.options)
        except (ValueError, TypeError) as error:
            raise UserError(f"{self.stream}: cannot be built with {self.options}: {error}") from error
