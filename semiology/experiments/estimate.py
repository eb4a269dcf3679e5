"""What a run will cost before it starts: how many trainings, some epochs of each model measured on
this machine, and the hours that these make together.

Measured is the trainer itself on a few of the run's own clips, see
`semiology.experiments.training_cost`; nothing of it is kept. The rest is multiplication.

Early stopping cannot be foreseen. The hours are those of all epochs of the schedules, at most;
beside them stands the least that the patience allows, a training whose first epoch was its best.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import torch

from semiology.evaluation.run.settings import Protocol
from semiology.experiments.clips import task_source
from semiology.experiments.fold import finished_record
from semiology.experiments.loso import Plan, plan_run
from semiology.experiments.training import count_trainings
from semiology.experiments.training_cost import Took, Training, measure_model, peak_memory
from semiology.models.device import choose_device
from semiology.models.training.modules import StreamModule


@dataclass(frozen=True)
class ModelCost:
    """How often one model of one task is trained, and what a training takes.

    Attributes:
        task, model: which.
        trainings: how many are left.
        whole: as many whole ones, where an inner fold's counts by its share of the clips.
        each: one of them.
        so_far: epochs of those trainings of this run that are done, mean; None without any.
    """

    task: str
    model: str
    trainings: int
    whole: float
    each: Training
    so_far: float | None


@dataclass(frozen=True)
class Estimate:
    """The cost of what is left of a run, see the module.

    Attributes:
        models: one of each task and model.
        folds: task -> folds left, of all seeds and permutations.
        inner: task -> inner folds of each.
        done: folds that are complete.
        refused: task -> why it will not run.
        reading: s until all clips are read and checked, in each process.
        jobs: processes.
        threads: of each.
        memory: GiB of one of them, at its largest.
        gpu_memory: GiB on the GPU; 0 without one.
        device: "cpu" or a GPU.
    """

    models: list[ModelCost]
    folds: dict[str, int]
    inner: dict[str, int]
    done: int
    refused: dict[str, str]
    reading: float
    jobs: int
    threads: int
    memory: float
    gpu_memory: float
    device: str

    @property
    def trainings(self) -> int:
        """How many trainings are left."""
        return sum(cost.trainings for cost in self.models)

    @property
    def core_hours(self) -> tuple[float, float]:
        """At least and at most, of all processes together."""
        return self._hours(lambda took: took.cpu, 1)

    @property
    def wall_hours(self) -> tuple[float, float]:
        """At least and at most, with `jobs` folds at a time: what all take, over the number of
        processes that have something to do, and reading.
        """
        busy = max(min(self.jobs, sum(self.folds.values()) or 1), 1)
        low, high = self._hours(lambda took: took.wall, busy)
        return low + self.reading / 3600, high + self.reading / 3600

    def _hours(self, of: Callable[[Took], float], over: int) -> tuple[float, float]:
        low, high = (
            sum(cost.whole * of(took(cost)) for cost in self.models) / over / 3600
            for took in (lambda cost: cost.each.shortest, lambda cost: cost.each.longest)
        )
        return low, high

    def text(self) -> str:
        """All of it in words, for a terminal."""
        lines = [f"{self.trainings} trainings are left, {self.done} folds are complete:"]
        lines += [
            f"  {task}: {count} folds (seeds and permutations included)"
            + (f", each with {self.inner[task]} inner folds" if self.inner[task] else "")
            for task, count in self.folds.items()
        ]
        lines += [f"  not evaluated: {task}: {why}" for task, why in self.refused.items()]
        width = max((len(f"{cost.task} / {cost.model}") for cost in self.models), default=0) + 2
        lines.append(
            f"\n{'':<{width}}{'trainings':>10}{'ms a step':>11}{'epochs':>10}{'min a training':>18}"
        )
        for cost in self.models:
            low, high = cost.each.epochs
            stops = low < high
            minutes = [took.wall / 60 for took in (cost.each.shortest, cost.each.longest)]
            lines.append(
                f"{f'{cost.task} / {cost.model}':<{width}}{cost.trainings:>10}"
                f"{cost.each.step.wall * 1000:>11.0f}{f'{low}-{high}' if stops else high:>10}"
                f"{span(*minutes) if stops else f'{minutes[1]:.2g}':>18}"
            )
        lines.append("")
        core, wall = self.core_hours, self.wall_hours
        stops = any(cost.each.epochs[0] < cost.each.epochs[1] for cost in self.models)
        lines.append(
            f"{'at most ' if stops else ''}{hours(core[1])} of cores, {hours(wall[1])} of the clock"
            f" with {self.jobs} at a time"
        )
        if stops:
            lines.append(
                f"at least {hours(core[0])} and {hours(wall[0])}: early stopping may end a training"
                " after its patience. When cannot be foreseen; the upper figures count all epochs"
            )
            known = [cost for cost in self.models if cost.so_far is not None]
            lines += [
                f"  {cost.task} / {cost.model}: {cost.so_far:.0f} epochs in this run's complete"
                " folds, mean"
                for cost in known
            ]
        lines.append(
            f"memory: {self.memory:.1f} GiB a process, {self.memory * self.jobs:.1f} GiB for"
            f" {self.jobs}"
            + (
                f"; {self.gpu_memory:.1f} GiB of the GPU a process"
                if self.device != "cpu"
                else f"; {self.threads} thread{'s' * (self.threads > 1)} each"
            )
        )
        lines.append(
            f"measured on {self.device}, one process alone: several at a time slow each other down."
            " Scoring, audit and report come on top. Nothing was trained that is kept"
        )
        return "\n".join(lines)


def span(low: float, high: float) -> str:
    """Two numbers with two digits each."""
    return f"{low:.2g}-{high:.2g}"


def hours(value: float) -> str:
    """Hours, or minutes where it is less than two hours, in words."""
    if value >= 2:
        return f"{value:.0f} hours" if value >= 10 else f"{value:.1f} hours"
    return f"{value * 60:.0f} minutes" if value >= 1 / 6 else f"{value * 60:.1f} minutes"


def estimate(protocol: Protocol) -> Estimate:
    """What is left of a run of this protocol, measured and multiplied; see the module.

    Raises:
        UserError: as `semiology.experiments.loso.run_loso`, before anything is trained.
    """
    began = time.perf_counter()
    plan = plan_run(protocol)
    reading = time.perf_counter() - began
    protocol = plan.protocol
    jobs = protocol.processes
    before = threads = torch.get_num_threads()
    if jobs > 1 and not os.environ.get("OMP_NUM_THREADS"):
        threads = max(joblib.cpu_count() // jobs, 1)  # as joblib gives them
    torch.set_num_threads(threads)
    try:
        models = [cost for task in plan.tasks for cost in task_costs(plan, task)]
    finally:
        torch.set_num_threads(before)
    devices = {choose_device(model.schedule.device) for model in protocol.models.values()}
    device = next((name for name in sorted(devices) if name != "cpu"), "cpu")
    return Estimate(
        models=models,
        folds={task: sum(fold.task == task for fold in plan.todo) for task in plan.tasks},
        inner={task: inner_folds_of(protocol, task) for task in plan.tasks},
        done=len(plan.keys) - len(plan.todo),
        refused=plan.refused,
        reading=reading,
        jobs=jobs,
        threads=threads,
        memory=peak_memory(),
        gpu_memory=0.0 if device == "cpu" else torch.cuda.max_memory_allocated(device) / 2**30,
        device="cpu" if device == "cpu" else torch.cuda.get_device_name(device),
    )


def inner_folds_of(protocol: Protocol, task: str) -> int:
    """Inner folds of each fold of a task, 0 where nothing is fitted on any."""
    inner = len(protocol.models_of(task, protocol.inner_models(task)))
    outer = len(protocol.models_of(task))
    return (count_trainings(protocol, task) - outer) // inner if inner else 0


def task_costs(plan: Plan, task: str) -> list[ModelCost]:
    """Measure every model of a task, teachers before their students."""
    protocol = plan.protocol
    counts = trainings_left(plan, task)
    fold = next((fold for fold in plan.keys if fold.task == task), None)
    if fold is None or not any(count for count, _ in counts.values()):
        return []
    print(f"measuring {task}", file=sys.stderr, flush=True)
    training, done = fold.training(protocol), epochs_so_far(plan, task)
    costs: list[ModelCost] = []
    modules: dict[str, StreamModule] = {}
    for name, model in protocol.models_of(task).items():
        teacher = modules[model.teacher] if model.teacher else None
        each, modules[name] = measure_model(protocol, model, training, teacher)
        so_far = float(np.mean(done[name])) if name in done else None
        costs.append(ModelCost(task, name, *counts[name], each, so_far))
    return costs


def trainings_left(plan: Plan, task: str) -> dict[str, tuple[int, float]]:
    """Model -> its trainings in the task's folds, in their inner folds, and the final one; and as
    many whole ones.
    """
    protocol, inner = plan.protocol, inner_folds_of(plan.protocol, task)
    folds = sum(fold.task == task for fold in plan.todo)
    within = set(protocol.models_of(task, protocol.inner_models(task))) if inner else set()
    counts = {}
    for name in protocol.models_of(task):
        own, inside = folds + (task in plan.final), folds * inner if name in within else 0
        counts[name] = own + inside, own + inside * (1 - 1 / max(inner, 1))
    return counts


def epochs_so_far(plan: Plan, task: str) -> dict[str, list[int]]:
    """Model -> epochs of its trainings in those folds of the run that are complete."""
    found: dict[str, list[int]] = {}
    complete = set(plan.keys) - set(plan.todo)
    for fold in (fold for fold in complete if fold.task == task and fold.permutation is None):
        own = fold.by_label(plan.protocol)[0]
        path = own.path(Path(plan.protocol.out))
        record = finished_record(path, plan.keys[fold], task_source(plan.protocol, own.task))
        for name, model in record["models"].items() if record else ():
            found.setdefault(name, []).append(model["epochs"])
    return found
