"""The settings of a run: tasks, models, training, which clips are held out. The content of a config
file, defined here alone and without torch: training and reports read the same classes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from semiology.errors import UserError
from semiology.evaluation.run.tasks import TEST_SET, label_task
from semiology.evaluation.statistics.calibration import Calibration
from semiology.files import portable_name, slug
from semiology.models.networks.base import Network
from semiology.models.training.augmentation import Augmentation
from semiology.models.training.reading import Channel, Reading, Schedule
from semiology.parallel import Workers

PREFERRED = (
    "agcn_kd",
    "agcn",
)  # models that are taken first where none is named [P: AGCNs at test]


@dataclass(frozen=True)
class Split:
    """How clips are split into folds; each question has its own way.

    Attributes:
        by: "participant" leaves one participant out at a time [P: Hou et al. 2022]: what will
            happen with a new patient? "grouped" splits whole participants into `folds` folds,
            classes spread evenly: the same question, cheaper. "centre" leaves one value of `column`
            out at a time: what will happen in another hospital? "recording" splits whole
            recordings, not participants [P: AVSS 2021; GESTURES], so that a participant may be on
            both sides: what will happen with another seizure of a known patient? Its scores do not
            hold for new patients, and the audit reports this.
        folds: number of folds of "grouped" and "recording"; each seed splits again.
        column: of clips.tsv or participants.tsv, for "centre".
        test: participants of an unseen test set, kept out of every fold and scored once, by models
            trained on all others [P: the myasthenia study's 50 + 50 and 20 + 19]. Those of them who
            are not scored for a task, or in whom nothing was found, are passed over there, if
            others are left.
        set: column of clips.tsv or participants.tsv that names the sets, as `semiology table` has
            it: `test` are then its values. The run's config.yaml names the participants instead.
    """

    by: Literal["participant", "grouped", "centre", "recording", "none"] = "participant"
    folds: int = 10
    column: str = "centre"
    test: list[str] | None = None
    set: str | None = None

    def __post_init__(self) -> None:
        if not self.test and (self.by == "none" or self.set is not None):
            given = 'by "none"' if self.by == "none" else f"set {self.set!r}"
            raise UserError(
                f"split: {given} without a test set; name its participants by test, or a column by"
                " set and its values by test"
            )


SPREAD = ("grouped", "recording")  # splits that spread the classes evenly: they see the labels
LINEAR_NULL = 1999  # permutations of labels for the linear model: p down to 0.0005 [our choice]
LINEAR_NULL_SPREAD = 199  # where folds are split again for each [our choice]


def linear_permutations(by: str | None, task: str) -> int:
    """How many permutations of labels the null of the linear baseline has, in a task of
    predictions.csv under this split.
    """
    spread = by in SPREAD and not task.endswith(TEST_SET)
    return LINEAR_NULL_SPREAD if spread else LINEAR_NULL


@dataclass(frozen=True)
class Distillation:
    """How a student learns from its teacher; see DistillationModule. Defaults: [R]."""

    temperature: float = 1.0
    label_weight: float = 1.0
    teacher_weight: float = 0.5
    feature_weight: float = 0.0


@dataclass(frozen=True)
class Model:
    """One column of the table.

    Attributes:
        network: the stream.
        teacher: name of another model of this run, trained in the same fold on the same
            participants; None trains on labels alone.
        distillation: used with a teacher.
        channels: instead of the task's, for models that each read joints, bones or motion and are
            fused afterwards.
        segments: instead of the task's, for a table of aggregators by number of segments; so is
            `gamma`.
        learning_rate: see StreamModule; so are the next three.
        schedule: epochs and early stopping.
        window: frames, instead of the task's; of a body or a face.
        augmentation: instead of the run's, so that a selection may choose between several.
        encoder: FILE.safetensors of `semiology pretrain skeleton`, from which the network starts in
            every fold; None starts at random.
        freeze: keep the encoder's weights as they are and train the head alone.
        warm: name of another model of this run, of the same network and reading, from whose weights
            of the same fold this one starts; None starts at random.
    """

    network: Network
    teacher: str | None = None
    distillation: Distillation = field(default_factory=Distillation)
    channels: tuple[Channel, ...] | None = None
    segments: int | None = None
    gamma: float | None = None
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    balance: bool = True
    label_smoothing: float = 0.0
    schedule: Schedule = field(default_factory=Schedule)
    window: int | None = None
    augmentation: Augmentation | None = None
    encoder: str | None = None
    freeze: bool = False
    warm: str | None = None

    def __post_init__(self) -> None:
        if self.warm is not None and self.encoder is not None:
            raise UserError(
                f"warm: {self.warm} and encoder: {self.encoder}; a network starts from one of them"
            )
        if self.freeze and self.encoder is None:
            raise UserError(
                "freeze: true, and no encoder is named; name its file, or set it to false"
            )

    @property
    def after(self) -> set[str]:
        """Names of the models that are trained before this one: its teacher, and whose weights it
        starts from.
        """
        return {name for name in (self.teacher, self.warm) if name is not None}

    def starts_as(self, other: "Model") -> bool:
        """Whether the weights of another model fit: the same network, reading the same."""
        own, others = (
            (model.network, model.channels, model.segments, model.gamma, model.window)
            for model in (self, other)
        )
        return own == others

    def read(self, reading: Reading) -> Reading:
        """The task's reading with what this model reads otherwise: channels, segments, gamma,
        window; whole clips where it is fitted to these.
        """
        own: dict[str, Any] = {
            "channels": self.channels or None,
            "segments": self.segments,
            "gamma": self.gamma,
            "window": self.window,
        }
        if self.network.length:
            own |= {"whole": True, "window": self.network.length, "segments": 0}
        return replace(reading, **{name: value for name, value in own.items() if value is not None})


@dataclass(frozen=True)
class Task:
    """One row of the table.

    Attributes:
        reading: what is read.
        models: that are trained for it; all of the run, if none are named.
        split: instead of the run's: two tasks that differ in nothing else show the effect of the
            split.
    """

    reading: Reading
    models: tuple[str, ...] = ()
    split: Split | None = None


@dataclass(frozen=True)
class Fusion:
    """Late fusion: the weighted mean of several models' probabilities, clip by clip [R: the pose
    and face streams' softmax outputs are averaged].

    Attributes:
        task: row under which the result stands; a task of its own ("emotion (pose + face)") or an
            existing one.
        model: column.
        members: "task/model" of each part; all of the same label. A selection may stand in the
            place of a model.
        weights: "equal"; or "inner": not negative, of sum one, those of the lowest log loss on the
            inner folds of each fold's training participants, equal where that does not help (ours,
            see `semiology.evaluation.run.fusions`).
    """

    task: str
    model: str
    members: tuple[str, ...]
    weights: Literal["equal", "inner"] = "equal"


@dataclass(frozen=True)
class Protocol(Workers):
    """A run: every model of every task, trained and scored in cross-validation;
    leave-one-subject-out by default.

    Attributes:
        cohort: folder of the cohort.
        out: folder of the run.
        tasks: name -> task, for example "dystonia (pose)".
        models: name -> model; "agcn", "tcn" and "agcn_kd" are the columns of Hou et al. 2022, Table
            1 [P].
        store: folder that `semiology extract` filled; not needed for cohorts of tracks.
        fusions: late fusions of what was trained.
        split: which clips are held out together; see Split. A task may have its own.
        seeds: every fold is trained once for each.
        validation: proportion of training participants for early stopping.
        batch_size: windows a step.
        repeats: windows a clip and epoch.
        augmentation: of training windows.
        calibration: of probabilities, and of when a model abstains; fitted on inner folds of
            training participants.
        selections: name of a column -> models of this config, of which each fold takes the one with
            the lowest log loss on inner folds of its training participants (nested selection: no
            choice sees the held-out participant).
        baseline: put a ridge classifier on summed-up joints beside the models, with a permutation
            null of its own (a "linear" column), of the body or the face.
        keep: keep the models of every fold (true labels only), for `semiology probe` and `semiology
            explain`.
        permutations: times that the whole run is repeated with permuted labels, for the null
            distribution (first seed only).
        final: train every model once more on all participants, for `semiology predict`.
        jobs: folds at a time; -1 uses every core. See Workers.
    """

    cohort: str
    out: str
    tasks: dict[str, Task]
    models: dict[str, Model]
    store: str | None = None
    fusions: list[Fusion] = field(default_factory=list)
    split: Split = field(default_factory=Split)
    seeds: tuple[int, ...] = (0,)
    validation: float = 0.2
    batch_size: int = 8
    repeats: int = 1
    augmentation: Augmentation = field(default_factory=Augmentation)
    calibration: Calibration = field(default_factory=Calibration)
    selections: dict[str, tuple[str, ...]] = field(default_factory=dict)
    baseline: bool = False
    keep: bool = False
    permutations: int = 0
    final: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_numbers()
        if not self.tasks or not self.models:
            raise UserError("tasks and models: name one or more of each")
        for kind, names in (("task", self.tasks), ("model", self.models)):
            for name in names:
                try:
                    portable_name(name)
                except ValueError as error:
                    raise UserError(f"{kind} {error}: its files are named by it") from None
        if nameless := next((name for name in self.tasks if not slug(name)), None):
            raise UserError(
                f"task {nameless!r}: its folder is named by its letters A to Z and digits; it"
                " has none; add one"
            )
        for name, task in self.tasks.items():
            if task.reading.part == "frame" and (
                named := [key for key in task.models or self.models if self.models[key].window]
            ):
                raise UserError(
                    f"model {named[0]!r}: window is of a body or a face, and task {name!r} reads"
                    " neither; leave it out"
                )
        rows = [name for task in self.tasks for name in self.label_tasks(task)]
        slugs = {slug(name): name for name in rows}
        if twin := next((name for name in rows if slugs[slug(name)] != name), None):
            raise UserError(
                f"tasks {twin!r} and {slugs[slug(twin)]!r} would share the folder {slug(twin)};"
                " call one otherwise"
            )
        for name, task in self.tasks.items():
            if unknown := set(task.models) - set(self.models):
                raise UserError(
                    f"task {name!r}: no model {sorted(unknown)} in this config; there are"
                    f" {sorted(self.models)}"
                )
        for name, model in self.models.items():
            if model.teacher is not None and (
                model.teacher not in self.models or self.models[model.teacher].after
            ):
                raise UserError(
                    f"model {name!r}: its teacher {model.teacher!r} must be another model of this"
                    " config, without a teacher itself or a warm start"
                )
            if model.warm is not None and (
                (source := self.models.get(model.warm)) is None
                or source.after
                or model.network.length
                or not model.starts_as(source)
            ):
                raise UserError(
                    f"model {name!r}: warm: {model.warm!r} must be another model of this config, of"
                    " the same network, channels and window, trained in epochs and without a"
                    " teacher or a warm start"
                )
            if model.teacher is not None and model.network.length:
                raise UserError(
                    f"model {name!r}: {model.network.stream} is fitted to labels at once and learns"
                    " from no teacher; leave its teacher out"
                )
        for name, among in {**self.selections, "calibration": self.calibration.models}.items():
            if unknown := set(among) - set(self.models):
                raise UserError(
                    f"{name!r}: no model {', '.join(sorted(unknown))} in this config; there are"
                    f" {', '.join(self.models)}"
                )
        for name, among in self.selections.items():
            if name in self.models or len(among) < 2:
                raise UserError(
                    f"selection {name!r}: needs a name that no model has, and two models or more to"
                    " choose from"
                )
            if not any(name in self.selections_of(task) for task in self.tasks):
                raise UserError(f"selection {name!r}: no task has all of {', '.join(among)}")
        self._check_baseline()
        if self.inner_folds_wanted and self.calibration.folds < 2:
            raise UserError(
                f"calibration.folds: {self.calibration.folds}; inner folds are two or more"
            )
        if self.calibration.coverage is not None and not 0 < self.calibration.coverage < 1:
            raise UserError(
                f"calibration.coverage: {self.calibration.coverage:g}; a share between 0 and 1, 0.9"
                " for example"
            )
        for fusion in self.fusions:
            self._check_fusion(fusion)

    def _check_numbers(self) -> None:
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise UserError(f"seeds: {list(self.seeds)}; name one or more, each once")
        for name, least in (("batch_size", 1), ("repeats", 1), ("permutations", 0)):
            if getattr(self, name) < least:
                raise UserError(f"{name}: {getattr(self, name)}; {least} or more")
        if not 0 <= self.validation < 1:
            raise UserError(
                f"validation: {self.validation:g}; a share of the training participants, 0 for"
                " none, below 1"
            )

    def _check_baseline(self) -> None:
        if self.baseline and "linear" in {*self.models, *self.selections}:
            raise UserError('baseline: its column is "linear"; call the other model otherwise')
        if self.baseline and (
            frames := [name for name, task in self.tasks.items() if task.reading.part == "frame"]
        ):
            raise UserError(
                f"baseline: it sums joints up, and task {frames[0]!r} reads none; set baseline to"
                " false"
            )

    def _check_fusion(self, fusion: Fusion) -> None:
        every = {name for task in self.tasks for name in self.label_tasks(task)}
        parts, splits = set(), []
        for member in fusion.members:
            task_name, _, model_name = member.rpartition("/")
            if task_name not in every or model_name not in {
                *self.models_of(task_name),
                *self.selections_of(task_name),
            }:
                raise UserError(
                    f"fusion {fusion.task!r}: no {member!r} (task/model) in this config"
                )
            parts.add(self.task_of(task_name).reading.part)
            splits.append(self.split_of(task_name))
        if len(fusion.members) < 2:
            raise UserError(f"fusion {fusion.task!r}: name two members or more")
        if any(split != splits[0] for split in splits):
            raise UserError(
                f"fusion {fusion.task!r}: its members hold out different clips; fuse tasks of one"
                " split"
            )
        if fusion.task in every:
            if fusion.model in {*self.models_of(fusion.task), *self.selections_of(fusion.task)}:
                raise UserError(
                    f"fusion {fusion.task!r}: its model {fusion.model!r} is there already; call it"
                    " otherwise"
                )
            if parts != {self.task_of(fusion.task).reading.part}:
                raise UserError(
                    f"fusion {fusion.task!r}: members that read another part of the body need a"
                    " task of their own"
                )

    @property
    def inner_folds_wanted(self) -> bool:
        """Whether models are scored on inner folds too: for calibration, a selection, or the
        weights of a fusion.
        """
        return (
            self.calibration.wanted
            or bool(self.selections)
            or any(fusion.weights == "inner" for fusion in self.fusions)
        )

    def label_tasks(self, task: str) -> dict[str, str]:
        """The tasks of the run's tables that a task of this config is: itself, or, with several
        labels, one for each; name -> label.
        """
        labels = self.tasks[task].reading.labels
        if len(labels) == 1:
            return {task: labels[0]}
        return {label_task(task, label): label for label in labels}

    def config_task(self, name: str) -> str:
        """Name in this config of a task of the tables."""
        return next(task for task in self.tasks if name == task or name in self.label_tasks(task))

    def task_of(self, name: str) -> Task:
        """The task of this name, or that of which it is one of several labels."""
        return self.tasks[self.config_task(name)]

    def split_of(self, task: str) -> Split:
        """Which clips are held out together in a task, or in that of one of several labels."""
        return self.task_of(task).split or self.split

    def models_of(self, task: str, only: Iterable[str] | None = None) -> dict[str, Model]:
        """The task's models, or some of them, those before that others learn or start from; these
        are trained even where the task does not name them.
        """
        named = tuple(only) if only is not None else self.task_of(task).models or tuple(self.models)
        before = {name for other in named for name in self.models[other].after}
        needed = [name for name in self.models if name in named or name in before]
        return {
            name: self.models[name]
            for name in sorted(needed, key=lambda name: bool(self.models[name].after))
        }

    def selections_of(self, task: str) -> dict[str, tuple[str, ...]]:
        """The selections between models that the task has."""
        return {
            name: among
            for name, among in self.selections.items()
            if set(among) <= set(self.models_of(task))
        }

    def calibrated_models(self, task: str) -> list[str]:
        """The task's models whose probabilities are calibrated."""
        names = self.calibration.models or tuple(self.models)
        return [name for name in self.models_of(task) if self.calibration.wanted and name in names]

    def inner_models(self, task: str) -> list[str]:
        """The task's models that have to be scored on inner folds."""
        wanted = {name for among in self.selections_of(task).values() for name in among}
        wanted |= {*self.weighted_models(task), *self.calibrated_models(task)}
        return [name for name in self.models_of(task) if name in wanted]

    def weighted_models(self, task: str) -> list[str]:
        """The task's models whose weight in a fusion is learned; those that a selection chooses
        from, where that is the member.
        """
        names = {task, *(self.label_tasks(task) if task in self.tasks else ())}
        members = {
            member.rpartition("/")[2]
            for fusion in self.fusions
            for member in fusion.members
            if fusion.weights == "inner" and member.rpartition("/")[0] in names
        }
        chosen_from = {
            name
            for selection, among in self.selections_of(task).items()
            if selection in members
            for name in among
        }
        return [name for name in self.models_of(task) if name in members | chosen_from]
