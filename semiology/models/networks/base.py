"""A stream named in a config: which class, with which options, before the data decide its shape.

What a stream must know of its data, and how it pools what is missing.
"""

import inspect
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from semiology.data.skeleton import Skeleton
from semiology.errors import UserError


@dataclass(frozen=True)
class StreamShape:
    """Sizes that the data decides, so that a network's own options are all that a config holds.

    Attributes:
        classes: number of levels of the label.
        skeleton: the graph over the joints.
        keypoint_channels: channels a joint and frame (2 or 3 each for joint, bone, motion).
        appearance_channels: appearance features a frame; 0 where none are read.
    """

    classes: int
    skeleton: Skeleton
    keypoint_channels: int
    appearance_channels: int = 0


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over time of what is there.

    Args:
        x: (batch, channel, time).
        mask: (batch, time), 1 where the frame was seen. A clip without any seen frame gives zeros.
    """
    weight = mask.to(x.dtype).unsqueeze(1)  # (batch, 1, time)
    return (x * weight).sum(dim=2) / weight.sum(dim=2).clamp(min=1)


def strided_mask(mask: Tensor, length: int) -> Tensor:
    """Follow a mask (batch, time) through strides to a shorter length: a step counts if any frame
    that it covers was seen.
    """
    return torch.nn.functional.adaptive_max_pool1d(mask.float().unsqueeze(1), length).squeeze(1)


@dataclass(frozen=True)
class Network:
    """Builds a stream for the data at hand.

    Attributes:
        stream: import path of the class, `semiology.models.networks.AGCN` or one of the user's own:
            an nn.Module that takes a StreamShape first, names the batch entries it reads in
            `reads`, and has `forward_features` apart from `head`. One that reads clips divided into
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
            raise UserError(
                f"{self.stream}: has no option {', '.join(unknown)}; its options are"
                f" {', '.join(known)}"
            )

    @property
    def _class(self) -> type[nn.Module]:
        module, _, name = self.stream.rpartition(".")
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise UserError(
                f"stream {self.stream!r}: cannot be imported ({error}); write for example"
                " semiology.models.networks.AGCN"
            ) from error
        if not (inspect.isclass(found) and issubclass(found, nn.Module)):
            raise UserError(f"stream {self.stream!r}: is not an nn.Module class")
        return found

    def __call__(self, shape: StreamShape) -> nn.Module:
        try:
            return self._class(shape, **self.options)
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{self.stream}: cannot be built with {self.options}: {error}"
            ) from error
