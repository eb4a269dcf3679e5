"""Train many modules at once: the folds, seeds and permutations of a small network, each on its own data, in one pass for all of them."""

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, zip_longest

import lightning
import numpy as np
import torch
from torch.utils.data import DataLoader

from semiology.models.device import chosen_precision
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.modules import StreamModule
from semiology.models.training.stack import Batch, Question, Stack
from semiology.models.training.trainer import Schedule, fit, quiet, settle_norms

logger = logging.getLogger(__name__)


def fit_together(
    modules: Sequence[StreamModule], datas: Sequence[ClipDataModule], schedule: Schedule, seeds: Sequence[int]
) -> list[StreamModule]:
    """Train each module on the training clips of its own data, as `fit` would one after the other, and equal up to the order of sums.

    Every module has its own seed, initial weights, batches, dropout, class weights, teacher, running statistics, moments of AdamW and
    early stopping. In a step, those whose batches have the same shape go through one network (see `Stack`); a module whose epoch has
    fewer steps than others' sits the rest of it out.

    On a CPU the dropout masks are those of `fit`. On a GPU they are drawn from a generator of each module's own: what a module learns
    does not depend on its company, but with dropout it is another draw than that of `fit`.

    A single module, networks that cannot be stacked (recurrent ones, those that branch on values) and other precisions than fp32 are
    trained by `fit`, one at a time; the log says so.

    Args:
        modules: unbuilt, alike but for their teachers' weights.
        datas: of each.
        schedule: of all.
        seeds: of each.
    """
    why = "" if len(modules) == 1 else why_not(modules[:2], datas[:2], schedule, seeds[:2])
    if why:
        logger.warning("%s cannot be trained together, its folds go one at a time: %s", modules[0].make_network.stream, why)
    if why or len(modules) == 1:
        return [fit(module, data, schedule, seed) for module, data, seed in zip(modules, datas, seeds)]
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
    modules: Sequence[StreamModule], datas: Sequence[ClipDataModule], schedule: Schedule, seeds: Sequence[int]
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
            generators[-1].set_state(torch.get_rng_state())  # a lone network's dropout goes on where its initial weights ended
    return fabric, Stack(modules, generators, fabric.device)


def why_not(modules: Sequence[StreamModule], datas: Sequence[ClipDataModule], schedule: Schedule, seeds: Sequence[int]) -> str:
    """Why modules like these cannot be stacked, tried on copies with a first batch; empty where together they say what they say alone."""
    if (precision := chosen_precision(schedule.precision, schedule.accelerator)) != "32-true":
        return f"precision {precision}; autocast does nothing under torch.func.vmap"
    fabric, stack = stacked(copy.deepcopy(list(modules)), datas, schedule, seeds)
    [(rows, batch), *_] = next(rounds({row: data.loader(data.training) for row, data in enumerate(datas)}))
    batch = fabric.to_device(batch)
    try:
        stack.losses(rows, batch, training=True)
        together, _ = stack.losses(rows, batch, training=False)
    except (RuntimeError, ValueError, TypeError) as error:
        return str(error).strip().partition("\n")[0] or type(error).__name__
    stack.write()
    with torch.no_grad():
        questions = [Question(stack.modules[row]).to(fabric.device).eval() for row in rows]
        alone = [question({name: values[place] for name, values in batch.items()}) for place, question in enumerate(questions)]
    return "" if torch.allclose(together, torch.stack(alone), rtol=1e-4, atol=1e-5) else "stacked it says something else"


class Stopping:
    """Early stopping of each module, and its best weights: those of `fit`, by the loss of its own validation clips."""

    def __init__(self, stack: Stack, datas: Sequence[ClipDataModule], schedule: Schedule):
        self.stack, self.patience = stack, schedule.patience or 0
        self.training = list(range(len(datas)))
        self.loaders = {row: data.val_dataloader() for row, data in enumerate(datas) if schedule.patience is not None and data.validation}
        self.lowest, self.waited = np.full(len(datas), np.inf), np.zeros(len(datas), dtype=int)
        self.best = {name: values.clone() for name, values in stack.state.items()} if self.loaders else {}

    @torch.no_grad()
    def judge(self, fabric: lightning.Fabric) -> None:
        """After an epoch: remember the weights of those that are better than before, and stop those that have not been for too long."""
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
        stopped = {row for row in judged if self.waited[row] >= max(self.patience, 1) or not np.isfinite(loss[row])}
        self.training = [row for row in self.training if row not in stopped]

    def put_best_back(self) -> None:
        """Every module that was judged takes its best weights."""
        judged = np.flatnonzero(np.isfinite(self.lowest)).tolist()
        for name, values in self.stack.state.items():
            if judged:
                values[judged] = self.best[name][judged]


def rounds(loaders: Mapping[int, DataLoader]) -> Iterator[list[tuple[list[int], Batch]]]:
    """The next batch of every loader, until all are at their end: one (row, batch, ...) for those rows whose batches are shaped alike."""
    counted = [islice(loader, len(loader)) for loader in loaders.values()]  # as Lightning: asked once more, a sampler would draw once more
    for batches in zip_longest(*counted):
        alike: dict[tuple, dict[int, Batch]] = {}
        for row, batch in zip(loaders, batches):
            if batch is not None:
                alike.setdefault(tuple((name, values.shape) for name, values in batch.items()), {})[row] = batch
        yield [
            (list(group), {name: torch.stack([batch[name] for batch in group.values()]) for name in next(iter(group.values()))})
            for group in alike.values()
        ]
