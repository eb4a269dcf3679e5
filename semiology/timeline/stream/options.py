"""How a timeline is made, and which thresholds make events of it."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save

from semiology.errors import UserError
from semiology.models.training.saved import SavedModel
from semiology.timeline.events import Hysteresis
from semiology.timeline.events.tuning import read_thresholds

Thresholds = dict[str, dict[str, Hysteresis]]  # task -> level -> when an event begins and ends


@dataclass(frozen=True)
class TimelineOptions:
    """All our choice, where no source is named.

    Attributes:
        fps: frames a second that are tracked, Hz. 25 [P]; lower, down to the models' own rate, for
            cheap long monitoring.
        length: s, of a window; by default what each model was trained on: its window, or its clips'
            median length.
        step: s, from window to window.
        thresholds: file from `semiology events tune`; without it events are made by untuned
            thresholds.
        block: s of video after which the state is saved, and the pose tracker starts afresh.
        growing: s; the file is still being written, and has ended when it has not grown for so
            long.
        stall: s; a camera that gives nothing for so long has broken off.
        snippet_weights: the network of snippets, where models read these: a file or the name of
            published weights.
        snippet_stride: frames from one snippet's start to the next, as in the extraction that the
            models learned from.
    """

    fps: float = 25.0
    length: float | None = None
    step: float = 1.0
    thresholds: Path | None = None
    block: float = 60.0
    growing: float | None = None
    stall: float = 10.0
    snippet_weights: Path | None = None
    snippet_stride: int = 8

    def __post_init__(self) -> None:
        for name in ("fps", "length", "step", "block", "stall", "growing", "snippet_stride"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UserError(f"timeline: {name}={value:g}; it has to be a positive number")
        if self.step * self.fps < 1 - 1e-6:
            raise UserError(
                f"timeline: step={self.step:g} s is less than a frame at {self.fps:g} Hz; give"
                f" {1 / self.fps:g} or more"
            )
        if self.length is not None and self.length * self.fps < 2 - 1e-6:
            raise UserError(
                f"timeline: length={self.length:g} s is less than two frames at {self.fps:g} Hz;"
                " nothing moves in one"
            )

    def key(self) -> dict[str, Any]:
        """What the result depends on: how long to wait is not among it, and the thresholds count by
        their values.
        """
        return {
            "fps": self.fps,
            "length": self.length,
            "step": self.step,
            "block": self.block,
            "growing": self.growing is not None,
        }


def thresholds_of(models: dict[str, SavedModel], path: Path | None) -> tuple[Thresholds, bool]:
    """The thresholds of each model's signs, and whether they were tuned.

    Raises:
        UserError: a file that cannot be read, or that says nothing of a sign.
    """
    if path is None:
        return {
            task: {level: Hysteresis() for level in saved.levels[1:]}
            for task, saved in models.items()
        }, False
    tuned = read_thresholds(path)
    for task, saved in models.items():
        if lacking := [level for level in saved.levels[1:] if level not in tuned.get(task, {})]:
            raise UserError(
                f"{path}: says nothing of {task} {lacking[0]}; tune on timelines by this run's"
                " folds, or leave --thresholds out"
            )
    return {
        task: {level: tuned[task][level] for level in saved.levels[1:]}
        for task, saved in models.items()
    }, True


def model_digest(saved: SavedModel) -> str:
    """SHA-256 of everything that a model says depends on."""
    digest = hashlib.sha256(
        save({name: value.cpu().contiguous() for name, value in saved.network.state_dict().items()})
    )
    description = [
        asdict(saved.reading),
        saved.levels,
        asdict(saved.options),
        saved.about.get("calibration"),
        saved.about.get("seconds"),
    ]
    digest.update(json.dumps(description, sort_keys=True).encode())
    return digest.hexdigest()
