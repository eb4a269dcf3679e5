"""Train many modules at once: the folds, seeds and permutations of a small network, each on its own
data, in one pass for all of them.

Networks of one architecture as one: their weights in rows, one forward and one backward pass for
all of them.

The stacked network is `torch.func.functional_call` under `torch.func.vmap`: a convolution of n
networks becomes one of n groups, a linear layer one batched product.
"""

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, zip_longest

import lightning
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils.data import DataLoader

from semiology.models.device import chosen_precision
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.modules import DistillationModule, StreamModule
from semiology.models.training.reading import Schedule
from semiology.models.training.trainer import fit, quiet, settle_norms

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
    """What is asked of a network with its teacher: in training mode its objective, else its
    cross-entropy; means over the batch.
    """

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
    """Built modules of one architecture, each with its own weights, running statistics, class
    weights, teacher and dropout.

    Args:
        modules: as `StreamModule.build` leaves them; `write` puts the trained weights back into
            them.
        generators: of each module's dropout, on the device. On a CPU the masks are those that the
            module alone would draw from this generator's state, to the bit.
        device: where to train.

    Attributes:
        weights: (row, weight) all that is trained, a module a row.
    """

    def __init__(
        self,
        modules: Sequence[StreamModule],
        generators: Sequence[torch.Generator],
        device: torch.device,
    ):
        self.modules, self.generators = modules, generators
        questions = [Question(module) for module in modules]
        self.trained = {
            name: weight.shape
            for name, weight in questions[0].named_parameters()
            if weight.requires_grad
        }
        states = [
            dict(question.named_parameters()) | dict(question.named_buffers())
            for question in questions
        ]
        self.weights = torch.stack(
            [
                torch.cat([state[name].detach().flatten() for name in self.trained])
                for state in states
            ]
        ).to(device)
        self.rest = {
            name: torch.stack([state[name].detach() for state in states]).to(device)
            for name in states[0]
            if name not in self.trained
        }
        self.pattern = copy.deepcopy(questions[0]).to(device)
        for parent in list(self.pattern.modules()):
            for name, layer in parent.named_children():
                if type(layer) is nn.Dropout and 0 < layer.p < 1:
                    setattr(parent, name, Masked(layer.p).to(device))
        self.dropouts = {
            name: layer
            for name, layer in self.pattern.module.named_modules(prefix="module")
            if isinstance(layer, Masked)
        }
        self.noises: dict[tuple, list[tuple[str, Tensor]]] = {}

    @property
    def state(self) -> dict[str, Tensor]:
        """Everything that training changes, and the frozen rest: (row, ...) each."""
        return {"weights": self.weights} | self.rest

    def losses(self, rows: list[int], batch: Batch, *, training: bool) -> tuple[Tensor, Tensor]:
        """Loss of each of these rows (row,), and their weights (row, weight), a leaf whose gradient
        `backward` finds.

        Args:
            rows: ascending.
            batch: every entry (row, batch, ...).
            training: in training mode running statistics are brought forward, too.
        """
        self.pattern.train(training)
        everybody = len(rows) == len(self.weights)
        leaf = (self.weights if everybody else self.weights[rows]).detach().requires_grad_(training)
        rest = (
            self.rest if everybody else {name: values[rows] for name, values in self.rest.items()}
        )
        masks = self._masks(rows, batch) if training and self.dropouts else {}
        losses = vmap(self._one)(leaf, rest | masks, batch)
        if training and not everybody:
            for name, values in rest.items():
                self.rest[name][rows] = values
        return losses, leaf

    def _one(self, weights: Tensor, rest: dict[str, Tensor], batch: Batch) -> Tensor:
        pieces = weights.split([shape.numel() for shape in self.trained.values()])
        named = {
            name: piece.view(shape) for (name, shape), piece in zip(self.trained.items(), pieces)
        }
        return functional_call(self.pattern, named | rest, (batch,))

    def _masks(self, rows: list[int], batch: Batch) -> dict[str, Tensor]:
        """The masks of these rows' dropout layers, drawn in the order in which a network alone
        would draw them.
        """
        key = tuple(values.shape[1:] for values in batch.values())
        if key not in self.noises:
            self.noises[key] = self._noises({name: values[0] for name, values in batch.items()})
        drawn = {
            f"{name}.mask": torch.empty(len(rows), *noise.shape, device=noise.device)
            for name, noise in self.noises[key]
        }
        for place, row in enumerate(rows):
            for name, noise in self.noises[key]:
                kept = 1 - self.dropouts[name].p
                drawn[f"{name}.mask"][place] = noise.bernoulli_(
                    kept, generator=self.generators[row]
                ).div_(kept)
        return drawn

    def _noises(self, batch: Batch) -> list[tuple[str, Tensor]]:
        """Dropout layers in the order in which they are called, each with a tensor like the one
        that it hears, in shape and layout.
        """
        heard: list[tuple[str, Tensor]] = []
        hooks = [
            layer.register_forward_pre_hook(
                lambda _, inputs, name=name: heard.append(
                    (name, torch.empty_like(inputs[0].detach()))
                )
            )
            for name, layer in self.dropouts.items()
        ]
        with torch.no_grad():
            self._one(
                self.weights[0],
                {name: values[0].clone() for name, values in self.rest.items()},
                batch,
            )
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
            values = dict(zip(self.trained, pieces)) | {
                name: values[row] for name, values in self.rest.items()
            }
            with torch.no_grad():
                for name, value in [*question.named_parameters(), *question.named_buffers()]:
                    value.copy_(values[name].view(value.shape))


logger = logging.getLogger(__name__)


def fit_together(
    modules: Sequence[StreamModule],
    datas: Sequence[ClipDataModule],
    schedule: Schedule,
    seeds: Sequence[int],
) -> list[StreamModule]:
    """Train each module on the training clips of its own data, as `fit` would one after the other,
    and equal up to the order of sums.

    Every module has its own seed, initial weights, batches, dropout, class weights, teacher,
    running statistics, moments of AdamW and early stopping. In a step, those whose batches have the
    same shape go through one network (see `Stack`); a module whose epoch has fewer steps than
    others' sits the rest of it out.

    On a CPU the dropout masks are those of `fit`. On a GPU they are drawn from a generator of each
    module's own: what a module learns does not depend on its company, but with dropout it is
    another draw than that of `fit`.

    A single module, networks that cannot be stacked (recurrent ones, those that branch on values)
    and other precisions than fp32 are trained by `fit`, one at a time; the log says so.

    Args:
        modules: unbuilt, alike but for their teachers' weights.
        datas: of each.
        schedule: of all.
        seeds: of each.
    """
    why = "" if len(modules) == 1 else why_not(modules[:2], datas[:2], schedule, seeds[:2])
    if why:
        logger.warning(
            "%s cannot be trained together, its folds go one at a time: %s",
            modules[0].make_network.stream,
            why,
        )
    if why or len(modules) == 1:
        return [
            fit(module, data, schedule, seed) for module, data, seed in zip(modules, datas, seeds)
        ]
    fabric, stack = stacked(modules, datas, schedule, seeds)
    weights = list(stack.weights)
    optimiser, falling = modules[0].optimiser(weights, schedule.epochs)
    loaders = [data.train_dataloader() for data in datas]
    stopping = Stopping(stack, datas, schedule)
    for _ in range(schedule.epochs):
        training = stopping.training
        for groups in rounds({row: loaders[row] for row in training}):
            optimiser.zero_grad()  # a row without a gradient is left alone, its step is not counted
            for rows, batch in groups:
                losses, leaf = stack.losses(rows, fabric.to_device(batch), training=True)
                losses.sum().backward()
                for row, gradient in zip(rows, leaf.grad):  # type: ignore[arg-type]
                    weights[row].grad = gradient
            optimiser.step()
        falling.step()
        for row in training:
            modules[row].epochs += 1
        stopping.judge(fabric)
        if not stopping.training:
            break
    stopping.put_best_back()
    stack.write()
    for module, data in zip(modules, datas):
        settle_norms(module, data)
    return list(modules)


def stacked(
    modules: Sequence[StreamModule],
    datas: Sequence[ClipDataModule],
    schedule: Schedule,
    seeds: Sequence[int],
) -> tuple[lightning.Fabric, Stack]:
    """Build every module under its own seed, as `fit` does, and stack them on the device."""
    quiet()
    fabric = lightning.Fabric(accelerator=schedule.accelerator, devices=1)
    generators = []
    for module, data, seed in zip(modules, datas, seeds):
        lightning.seed_everything(seed, verbose=False)
        module.build(data, fitting=True)
        generators.append(torch.Generator(fabric.device).manual_seed(seed))
        if fabric.device.type == "cpu":
            generators[-1].set_state(
                torch.get_rng_state()
            )  # a lone network's dropout goes on where its initial weights ended
    return fabric, Stack(modules, generators, fabric.device)


def why_not(
    modules: Sequence[StreamModule],
    datas: Sequence[ClipDataModule],
    schedule: Schedule,
    seeds: Sequence[int],
) -> str:
    """Why modules like these cannot be stacked, tried on copies with a first batch; empty where
    together they say what they say alone.
    """
    if (precision := chosen_precision(schedule.precision, schedule.accelerator)) != "32-true":
        return f"precision {precision}; autocast does nothing under torch.func.vmap"
    fabric, stack = stacked(copy.deepcopy(list(modules)), datas, schedule, seeds)
    [(rows, batch), *_] = next(
        rounds({row: data.loader(data.training) for row, data in enumerate(datas)})
    )
    batch = fabric.to_device(batch)
    try:
        stack.losses(rows, batch, training=True)
        together, _ = stack.losses(rows, batch, training=False)
    except (RuntimeError, ValueError, TypeError) as error:
        return str(error).strip().partition("\n")[0] or type(error).__name__
    stack.write()
    with torch.no_grad():
        questions = [Question(stack.modules[row]).to(fabric.device).eval() for row in rows]
        alone = [
            question({name: values[place] for name, values in batch.items()})
            for place, question in enumerate(questions)
        ]
    return (
        ""
        if torch.allclose(together, torch.stack(alone), rtol=1e-4, atol=1e-5)
        else "stacked it says something else"
    )


class Stopping:
    """Early stopping of each module, and its best weights: those of `fit`, by the loss of its own
    validation clips.
    """

    def __init__(self, stack: Stack, datas: Sequence[ClipDataModule], schedule: Schedule):
        self.stack, self.patience = stack, schedule.patience or 0
        self.training = list(range(len(datas)))
        self.loaders = {
            row: data.val_dataloader()
            for row, data in enumerate(datas)
            if schedule.patience is not None and data.validation
        }
        self.lowest, self.waited = np.full(len(datas), np.inf), np.zeros(len(datas), dtype=int)
        self.best = (
            {name: values.clone() for name, values in stack.state.items()} if self.loaders else {}
        )

    @torch.no_grad()
    def judge(self, fabric: lightning.Fabric) -> None:
        """After an epoch: remember the weights of those that are better than before, and stop those
        that have not been for too long.
        """
        judged = [row for row in self.training if row in self.loaders]
        if not judged:
            return
        total = torch.zeros(len(self.lowest), device=self.stack.weights.device)
        count = np.zeros(len(self.lowest))
        for groups in rounds({row: self.loaders[row] for row in judged}):
            for rows, batch in groups:
                losses, _ = self.stack.losses(rows, fabric.to_device(batch), training=False)
                size = batch["target"].shape[1]
                total[rows] += losses * size
                count[rows] += size
        loss = total.cpu().numpy() / np.maximum(count, 1)
        better = [row for row in judged if loss[row] < self.lowest[row]]
        self.lowest[better] = loss[better]
        for name, values in self.stack.state.items():
            self.best[name][better] = values[better]
        self.waited[judged] += 1
        self.waited[better] = 0
        stopped = {
            row
            for row in judged
            if self.waited[row] >= max(self.patience, 1) or not np.isfinite(loss[row])
        }
        self.training = [row for row in self.training if row not in stopped]

    def put_best_back(self) -> None:
        """Every module that was judged takes its best weights."""
        judged = np.flatnonzero(np.isfinite(self.lowest)).tolist()
        for name, values in self.stack.state.items():
            if judged:
                values[judged] = self.best[name][judged]


def rounds(loaders: Mapping[int, DataLoader]) -> Iterator[list[tuple[list[int], Batch]]]:
    """The next batch of every loader, until all are at their end: one (row, batch, ...) for those
    rows whose batches are shaped alike.
    """
    counted = [
        islice(loader, len(loader)) for loader in loaders.values()
    ]  # as Lightning: asked once more, a sampler would draw once more
    for batches in zip_longest(*counted):
        alike: dict[tuple, dict[int, Batch]] = {}
        for row, batch in zip(loaders, batches):
            if batch is not None:
                alike.setdefault(tuple((name, values.shape) for name, values in batch.items()), {})[
                    row
                ] = batch
        yield [
            (
                list(group),
                {
                    name: torch.stack([batch[name] for batch in group.values()])
                    for name in next(iter(group.values()))
                },
            )
            for group in alike.values()
        ]
