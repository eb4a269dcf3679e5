"""What one training of a model costs on this machine: the trainer itself, on a few of a run's own
clips, with the windows and batches of its config.

Two trainings of different lengths tell what a step takes, and what a training takes beside its
steps; epochs, validation and the last measuring of batch norms are multiplied from these.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from semiology.evaluation.run.settings import Model, Protocol
from semiology.experiments.estimators import solve
from semiology.experiments.training import TrainingSet, data_of, untrained
from semiology.models.device import computing
from semiology.models.training.clips import ClipData
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.modules import StreamModule
from semiology.models.training.reading import Schedule
from semiology.models.training.trainer import fit

STEPS = 2  # batches of an epoch that is measured [our choice]
SECONDS = 2.0  # of the longer of the two trainings, at least, unless it has MOST epochs
LEAST, MOST = 3, 60  # epochs of it


class Took(NamedTuple):
    """Time of the clock, and of all cores that computed, s."""

    wall: float
    cpu: float

    def __add__(self, other: tuple) -> "Took":
        return Took(self.wall + other[0], self.cpu + other[1])

    def __sub__(self, other: "Took") -> "Took":
        """The difference of two measured times, which is not below zero."""
        return Took(max(self.wall - other.wall, 0.0), max(self.cpu - other.cpu, 0.0))

    def __mul__(self, factor: object) -> "Took":
        return Took(self.wall * factor, self.cpu * factor)  # type: ignore[operator]


@dataclass(frozen=True)
class Training:
    """What one training of a model in a fold takes.

    Attributes:
        step: a batch, made and trained on.
        epochs: at least, where it may stop early, and at most.
        shortest, longest: with so many epochs.
    """

    step: Took
    epochs: tuple[int, int]
    shortest: Took
    longest: Took


def measure_model(
    protocol: Protocol, model: Model, training: TrainingSet, teacher: StreamModule | None
) -> tuple[Training, StreamModule]:
    """One model in one fold, and a module that was trained a little, for a student to learn
    from.
    """
    data = data_of(protocol, model, training)
    if model.network.length:  # fitted at once: the real thing is short
        module = untrained(model, teacher)
        whole = took(lambda: solve(module, data, 0))
        return Training(whole, (1, 1), whole, whole), module
    few = replace(
        training, source=training.source.with_clips(some_clips(data, protocol)), held_out=()
    )
    own = data_of(replace(protocol, validation=0.0), model, few)
    steps = batches(own.training, protocol)

    def train(epochs: int) -> tuple[Took, StreamModule]:
        module = untrained(model, teacher)
        schedule = replace(model.schedule, epochs=epochs, patience=None)
        return took(lambda: fit(module, own, schedule, 0)), module

    train(1)  # what only the first training of a process takes
    short, module = train(1)
    more = int(np.clip(SECONDS / max(short.wall, 1e-3), LEAST, MOST))
    long, module = train(more)
    step = (long - short) * (1 / ((more - 1) * steps))
    beside = short - step * steps
    window = took_to_score(module, own) * (1 / windows_to_score(own, own.training))
    all_steps = batches(data.training, protocol)
    stops = model.schedule.patience is not None and bool(data.validation)
    validation = window * (windows_to_score(data, data.validation) if stops else 0)
    norms = window * (len(data.training) * protocol.repeats)  # measured again at the end
    epoch = step * all_steps + validation
    low, high = epoch_range(model.schedule, stops)
    shortest, longest = (epoch * count + beside + norms for count in (low, high))
    return Training(step, (low, high), shortest, longest), module


def epoch_range(schedule: Schedule, stops: bool) -> tuple[int, int]:
    """Epochs of a training, at least and at most: with early stopping at least one, and the
    patience after it.
    """
    least = schedule.epochs if not stops else min(schedule.epochs, (schedule.patience or 0) + 1)
    return least, schedule.epochs


def some_clips(data: ClipDataModule, protocol: Protocol) -> list[ClipData]:
    """Training clips that make a few full batches of windows, of every class in turn."""
    wanted = -(-STEPS * protocol.batch_size // protocol.repeats)
    by_class: dict[object, list[ClipData]] = {}
    for clip in data.training:
        by_class.setdefault(clip.target, []).append(clip)
    in_turn = [
        clips[number]
        for number in range(max(map(len, by_class.values())))
        for clips in by_class.values()
        if number < len(clips)
    ]
    return in_turn[: max(wanted, len(by_class))]


def batches(clips: list[ClipData], protocol: Protocol) -> int:
    """Steps of an epoch; a last batch of one window is left out, see `ClipDataModule.loader`."""
    whole, rest = divmod(len(clips) * protocol.repeats, protocol.batch_size)
    return max(whole + (rest > 1), 1)


def windows_to_score(data: ClipDataModule, clips: list[ClipData]) -> int:
    """Windows by which these clips are scored."""
    return len(data.loader(clips).dataset)  # type: ignore[arg-type]


def took_to_score(module: StreamModule, data: ClipDataModule) -> Took:
    """What the windows of the training clips take, made and passed through the network."""

    def score() -> None:
        with torch.inference_mode(), computing(module.precision, module.device):
            for batch in data.loader(data.training):
                module({name: value.to(module.device) for name, value in batch.items()})

    module.eval()
    return took(score)


def took(call: Callable[[], object]) -> Took:
    """What a call takes; on a GPU until it has ended."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


def peak_memory() -> float:
    """GiB of this process at its largest, so far; NaN where the system does not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return np.nan
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**30 if sys.platform == "darwin" else most / 2**20
