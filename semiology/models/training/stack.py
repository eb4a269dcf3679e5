"""Networks of one architecture as one: their weights in rows, one forward and one backward pass for all of them.

The stacked network is `torch.func.functional_call` under `torch.func.vmap`: a convolution of n networks becomes one of n groups, a linear
layer one batched product.
"""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, vmap

from semiology.models.training.modules import DistillationModule, StreamModule

Batch = dict[str, Tensor]


class Masked(nn.Module):
    """Dropout by a mask that was drawn before: 1 / (1 - p) where a value is kept, 0 elsewhere."""

    mask: Tensor

    def __init__(self, p: float):
        super().__init__()
        self.p = p
        self.register_buffer("mask", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask if self.training else x


class Question(nn.Module):
    """What is asked of a network with its teacher: in training mode its objective, else its cross-entropy; means over the batch."""

    def __init__(self, module: StreamModule):
        super().__init__()
        self.module = module
        self.teacher = module.teacher if isinstance(module, DistillationModule) else None

    def train(self, mode: bool = True) -> "Question":
        self.module.train(mode)  # a teacher stays as it is
        return self

    def forward(self, batch: Batch) -> Tensor:
        if self.module.training:
            return self.module.objective(batch | self.module.told(batch))
        return F.cross_entropy(self.module(batch), batch["target"])


class Stack:
    """Built modules of one architecture, each with its own weights, running statistics, class weights, teacher and dropout.

    Args:
        modules: as `StreamModule.build` leaves them; `write` puts the trained weights back into them.
        generators: of each module's dropout, on the device. On a CPU the masks are those that the module alone would draw from this
            generator's state, to the bit.
        device: where to train.

    Attributes:
        weights: (row, weight) all that is trained, a module a row.
    """

    def __init__(self, modules: Sequence[StreamModule], generators: Sequence[torch.Generator], device: torch.device):
        self.modules, self.generators = modules, generators
        questions = [Question(module) for module in modules]
        self.trained = {name: weight.shape for name, weight in questions[0].named_parameters() if weight.requires_grad}
        states = [dict(question.named_parameters()) | dict(question.named_buffers()) for question in questions]
        self.weights = torch.stack([torch.cat([state[name].detach().flatten() for name in self.trained]) for state in states]).to(device)
        self.rest = {
            name: torch.stack([state[name].detach() for state in states]).to(device) for name in states[0] if name not in self.trained
        }
        self.pattern = copy.deepcopy(questions[0]).to(device)
        for parent in list(self.pattern.modules()):
            for name, layer in parent.named_children():
                if type(layer) is nn.Dropout and 0 < layer.p < 1:
                    setattr(parent, name, Masked(layer.p).to(device))
        self.dropouts = {name: layer for name, layer in self.pattern.module.named_modules(prefix="module") if isinstance(layer, Masked)}
        self.noises: dict[tuple, list[tuple[str, Tensor]]] = {}

    @property
    def state(self) -> dict[str, Tensor]:
        """Everything that training changes, and the frozen rest: (row, ...) each."""
        return {"weights": self.weights} | self.rest

    def losses(self, rows: list[int], batch: Batch, *, training: bool) -> tuple[Tensor, Tensor]:
        """Loss of each of these rows (row,), and their weights (row, weight), a leaf whose gradient `backward` finds.

        Args:
            rows: ascending.
            batch: every entry (row, batch, ...).
            training: in training mode running statistics are brought forward, too.
        """
        self.pattern.train(training)
        everybody = len(rows) == len(self.weights)
        leaf = (self.weights if everybody else self.weights[rows]).detach().requires_grad_(training)
        rest = self.rest if everybody else {name: values[rows] for name, values in self.rest.items()}
        masks = self._masks(rows, batch) if training and self.dropouts else {}
        losses = vmap(self._one)(leaf, rest | masks, batch)
        if training and not everybody:
            for name, values in rest.items():
                self.rest[name][rows] = values
        return losses, leaf

    def _one(self, weights: Tensor, rest: dict[str, Tensor], batch: Batch) -> Tensor:
        pieces = weights.split([shape.numel() for shape in self.trained.values()])
        named = {name: piece.view(shape) for (name, shape), piece in zip(self.trained.items(), pieces)}
        return functional_call(self.pattern, named | rest, (batch,))

    def _masks(self, rows: list[int], batch: Batch) -> dict[str, Tensor]:
        """The masks of these rows' dropout layers, drawn in the order in which a network alone would draw them."""
        key = tuple(values.shape[1:] for values in batch.values())
        if key not in self.noises:
            self.noises[key] = self._noises({name: values[0] for name, values in batch.items()})
        drawn = {f"{name}.mask": torch.empty(len(rows), *noise.shape, device=noise.device) for name, noise in self.noises[key]}
        for place, row in enumerate(rows):
            for name, noise in self.noises[key]:
                kept = 1 - self.dropouts[name].p
                drawn[f"{name}.mask"][place] = noise.bernoulli_(kept, generator=self.generators[row]).div_(kept)
        return drawn

    def _noises(self, batch: Batch) -> list[tuple[str, Tensor]]:
        """Dropout layers in the order in which they are called, each with a tensor like the one that it hears, in shape and layout."""
        heard: list[tuple[str, Tensor]] = []
        hooks = [
            layer.register_forward_pre_hook(lambda _, inputs, name=name: heard.append((name, torch.empty_like(inputs[0].detach()))))
            for name, layer in self.dropouts.items()
        ]
        with torch.no_grad():
            self._one(self.weights[0], {name: values[0].clone() for name, values in self.rest.items()}, batch)
        for hook in hooks:
            hook.remove()
        if len({name for name, _ in heard}) < len(heard):
            raise RuntimeError("a dropout layer is called more than once")
        return heard

    def write(self) -> None:
        """Put the rows back into the modules."""
        for row, module in enumerate(self.modules):
            question = Question(module)
            pieces = self.weights[row].split([shape.numel() for shape in self.trained.values()])
            values = dict(zip(self.trained, pieces)) | {name: values[row] for name, values in self.rest.items()}
            with torch.no_grad():
                for name, value in [*question.named_parameters(), *question.named_buffers()]:
                    value.copy_(values[name].view(value.shape))
