"""What a leave-one-subject-out run is asked to do: tasks, models, training. The content of a config file."""

from dataclasses import dataclass, field, replace
from typing import Literal

from semiology.errors import UserError
from semiology.learning.augment import Augmentation
from semiology.learning.clips import Reading
from semiology.learning.fitting import Schedule
from semiology.learning.modules import DistillationModule, StreamModule
from semiology.streams import Network


@dataclass(frozen=True)
class Distillation:
    """How a student hears its teacher; see DistillationModule. Defaults: [R]."""

    temperature: float = 1.0
    label_weight: float = 1.0
    teacher_weight: float = 0.5
    feature_weight: float = 0.0


@dataclass(frozen=True)
class Model:
    """One column of the table.

    Attributes:
        network: the stream.
        teacher: name of another model of this run, trained in the same fold on the same participants; None trains on labels alone.
        distillation: used with a teacher.
        channels: instead of the task's, for models that each read joints, bones or motion and are fused afterwards.
        learning_rate: see StreamModule; so are the next three.
        schedule: epochs and early stopping.
    """

    network: Network
    teacher: str | None = None
    distillation: Distillation = field(default_factory=Distillation)
    channels: tuple[Literal["joint", "bone", "motion", "deviation"], ...] | None = None
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    balance: bool = True
    label_smoothing: float = 0.0
    schedule: Schedule = field(default_factory=Schedule)

    def module(self, teacher: StreamModule | None) -> StreamModule:
        """A fresh, untrained module."""
        common = (self.learning_rate, self.weight_decay, self.balance, self.label_smoothing)
        if teacher is None:
            return StreamModule(self.network, *common)
        told = self.distillation
        weights = (told.temperature, told.label_weight, told.teacher_weight, told.feature_weight)
        return DistillationModule(self.network, teacher.network, *weights, *common)

    def read(self, reading: Reading) -> Reading:
        return replace(reading, channels=self.channels) if self.channels else reading


@dataclass(frozen=True)
class Task:
    """One row of the table: what is read, and by which models (all of the run, if none are named)."""

    reading: Reading
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fusion:
    """Late fusion: the mean of several models' probabilities, clip by clip [R: the pose and face streams' softmax outputs are averaged].

    Attributes:
        task: row under which the result stands; a task of its own ("emotion (pose + face)") or an existing one.
        model: column.
        members: "task/model" of each part; all of the same label.
    """

    task: str
    model: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Protocol:
    """A leave-one-subject-out run.

    Attributes:
        cohort: folder of the cohort.
        out: folder of the run.
        tasks: name -> task, for example "dystonia (pose)".
        models: name -> model; "agcn", "tcn" and "agcn_kd" are the columns of Hou et al. 2022, Table 1 [P].
        store: folder that `semiology extract` filled; not needed for cohorts of tracks.
        fusions: late fusions of what was trained.
        seeds: every fold is trained once for each.
        validation: share of training participants kept for early stopping.
        batch_size: windows a step.
        repeats: windows a clip and epoch.
        augmentation: of training windows.
        permutations: times that the whole run is repeated with permuted labels, to see what chance gives (first seed only).
        final: train every model once more on all participants, for `semiology predict`.
        jobs: folds at a time; -1 uses every core.
    """

    cohort: str
    out: str
    tasks: dict[str, Task]
    models: dict[str, Model]
    store: str | None = None
    fusions: list[Fusion] = field(default_factory=list)
    seeds: tuple[int, ...] = (0,)
    validation: float = 0.2
    batch_size: int = 8
    repeats: int = 1
    augmentation: Augmentation = field(default_factory=Augmentation)
    permutations: int = 0
    final: bool = True
    jobs: int = 1

    def __post_init__(self) -> None:
        for name, task in self.tasks.items():
            if unknown := set(task.models) - set(self.models):
                raise UserError(f"task {name!r}: no model {sorted(unknown)} in this config; there are {sorted(self.models)}")
        for name, model in self.models.items():
            if model.teacher is not None and (model.teacher not in self.models or self.models[model.teacher].teacher is not None):
                raise UserError(
                    f"model {name!r}: its teacher {model.teacher!r} must be another model of this config, without a teacher itself"
                )
        for fusion in self.fusions:
            for member in fusion.members:
                task_name, _, model_name = member.rpartition("/")
                if task_name not in self.tasks or model_name not in self.models_of(task_name):
                    raise UserError(f"fusion {fusion.task!r}: no {member!r} (task/model) in this config")

    def models_of(self, task: str) -> dict[str, Model]:
        """The task's models, teachers before their students; a teacher is trained even where the task does not name it."""
        named = self.tasks[task].models or tuple(self.models)
        needed = [name for name in self.models if name in named or name in {self.models[other].teacher for other in named}]
        return {name: self.models[name] for name in sorted(needed, key=lambda name: self.models[name].teacher is not None)}
