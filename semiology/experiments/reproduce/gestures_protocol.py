"""What a run of GESTURES is asked to do: the content of configs/gestures_table.yaml."""

from dataclasses import dataclass
from typing import Literal

from semiology.errors import UserError
from semiology.models.networks.aggregator import Kind
from semiology.work import Workers


@dataclass(frozen=True)
class GesturesProtocol(Workers):
    """GESTURES on its public feature set. Defaults are the paper's; their sources stand in configs/gestures_table.yaml.

    Attributes:
        features: folder of the public feature set, see `cohort.public_features`.
        out: folder of the run.
        snippet: frames of a snippet.
        rate: frames a second.
        shortest: s; shorter seizures are left out.
        aggregators: what puts the snippets together.
        segments: numbers of segments to try.
        gamma: of Beta(gamma, gamma), where in its segment a snippet is taken in training.
        width: hidden units of a direction.
        learning_rate: of AdamW.
        batch_size: views a step.
        epochs: all of them; the last state is kept.
        folds: how many.
        splits: "seizure" deals seizures as the paper did; "subject" keeps all seizures of a subject together.
        seed: of weights and snippets, and of the deal by subject.
        jobs: folds at a time; -1 uses every core. See Workers.
        device: "auto" takes a GPU where there is one.

    Raises:
        UserError: a value that is not possible.
    """

    features: str
    out: str
    snippet: int = 8
    rate: int = 15
    shortest: float = 15.0
    aggregators: tuple[Kind, ...] = ("mean", "lstm", "blstm")
    segments: tuple[int, ...] = (2, 4, 8, 16)
    gamma: float = 4.0
    width: int = 64
    learning_rate: float = 0.01
    batch_size: int = 64
    epochs: int = 400
    folds: int = 10
    splits: tuple[Literal["seizure", "subject"], ...] = ("seizure", "subject")
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        positive = ("snippet", "rate", "gamma", "width", "learning_rate", "batch_size", "epochs")
        for name in positive:
            if not getattr(self, name) > 0:
                raise UserError(f"{name}: {getattr(self, name):g} is not possible; give more than 0")
        if self.folds < 2:
            raise UserError(f"folds: {self.folds}; folds are two or more")
        for name in ("aggregators", "segments", "splits"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise UserError(f"{name}: {list(values)}; name one or more, each once")
        if min(self.segments) < 1:
            raise UserError(f"segments: {min(self.segments)} is not possible; a video has one segment or more")
