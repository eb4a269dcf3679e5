"""Settings of a run of `semiology localise`: the content of its config file."""

from dataclasses import dataclass, field

from semiology.errors import UserError
from semiology.evaluation.run.settings import Model
from semiology.models.training.augmentation import Augmentation
from semiology.models.training.reading import Reading
from semiology.parallel import Workers
from semiology.timeline.events import Hysteresis

NONE = "none"  # the class of all time without an annotated sign


@dataclass(frozen=True)
class Sequence:
    """The recurrent network over a recording's windows, and its training. All our choice.

    Attributes:
        width: hidden units of a direction [P: GESTURES takes 64 for its snippets].
        dropout: of a window's vector and of the hidden states.
        chunk: windows of one training example, which bounds the memory of training.
        batch_size: chunks per step.
        epochs: each cuts every recording at a new random offset.
        learning_rate: of AdamW at the start; it decays to zero by a cosine.
        weight_decay: of AdamW.
        draws: number of augmented copies of every training window, in addition to the original: the
            encoder was trained on these windows, so their original vectors are better separated
            than those of new participants.
    """

    width: int = 64
    dropout: float = 0.3
    chunk: int = 48
    batch_size: int = 8
    epochs: int = 40
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    draws: int = 2

    def __post_init__(self) -> None:
        for name in ("width", "chunk", "batch_size", "epochs"):
            if getattr(self, name) < 1:
                raise UserError(f"sequence.{name}: {getattr(self, name)}; it has to be 1 or more")


@dataclass(frozen=True)
class Localisation(Workers):
    """Localisation of signs in time, learned from recordings with annotated events, with
    leave-one-participant-out cross-validation.

    Attributes:
        cohort: folder of the cohort. Every row of its clips.tsv is a recording, annotated in
            COHORT/events/<clip_id>_events.tsv.
        out: folder of the run.
        signs: the annotated signs to localise (trial_type in the tables). They exclude each other;
            all other time is the class "none".
        reading: the input; `window` and `rate` are those of the sliding windows. Its label is not
            used.
        windows: the network of single windows, and its training.
        store: folder filled by `semiology extract`; not needed for recordings with tracks.
        leave_out: annotations of time to exclude from training and evaluation.
        step: s, from window to window.
        batch_size: windows per step of the encoder's training.
        augmentation: of its windows.
        sequence: the network over windows.
        hysteresis: from probabilities to events.
        seed: of weights, chunks and augmentation.
        keep: save the networks of every fold.
        final: train once more on all participants and save the models.
        jobs: folds in parallel; -1 uses every core. See Workers.

    Raises:
        UserError: no sign, a sign named twice or called "none", a step below one frame, a reading
            or model that is not of single windows.
    """

    cohort: str
    out: str
    signs: tuple[str, ...]
    reading: Reading
    windows: Model
    store: str | None = None
    leave_out: tuple[str, ...] = ()
    step: float = 0.4
    batch_size: int = 32
    augmentation: Augmentation = field(default_factory=Augmentation)
    sequence: Sequence = field(default_factory=Sequence)
    hysteresis: Hysteresis = field(default_factory=Hysteresis)
    seed: int = 0
    keep: bool = False
    final: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        named = [*self.signs, *self.leave_out]
        if not self.signs or NONE in named or len(set(named)) < len(named):
            raise UserError(
                f"signs: {', '.join(named) or 'none given'}; name one or more, each once, none of"
                f' them "{NONE}"'
            )
        if not self.step > 0 or self.step_frames < 1:
            raise UserError(
                f"step: {self.step:g} s; it has to be at least one frame,"
                f" {1 / self.reading.rate:g} s"
            )
        if (
            self.reading.part == "frame"
            or self.reading.appearance
            or self.reading.whole
            or self.reading.segments
        ):
            raise UserError(
                "reading: windows of keypoints at a fixed rate are read here; leave out appearance,"
                " whole and segments"
            )
        if (
            self.windows.teacher
            or self.windows.channels
            or self.windows.segments
            or self.windows.gamma
        ):
            raise UserError(
                "windows: one network that reads what `reading` says, with no teacher; leave out"
                " channels, segments and gamma"
            )

    @property
    def levels(self) -> list[str]:
        """The classes of a window: "none" first, then the signs."""
        return [NONE, *self.signs]

    @property
    def step_frames(self) -> int:
        """The step in frames of `reading.rate`."""
        return round(self.step * self.reading.rate)
