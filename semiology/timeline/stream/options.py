"""Options of a timeline, and the thresholds of its events."""

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
from semiology.video import Reading

Thresholds = dict[str, dict[str, Hysteresis]]  # task -> level -> when an event begins and ends


@dataclass(frozen=True)
class TimelineOptions:
    """Options of a timeline. All our choice, where no source is named.

    Attributes:
        fps: frame rate of tracking, Hz. 25 [P]; lower, down to the models' own rate, for cheap long
            monitoring.
        length: s, of a window; by default that of each model's training: its window, or the median
            length of its clips.
        step: s, from window to window.
        thresholds: file of `semiology events tune`; without it the default thresholds are used.
        block: s of video after which the state is saved and the pose tracker restarted.
        growing: s; for a file that is still being written: it has ended when it has not grown for
            this time.
        stall: s; a camera that delivers nothing for this time has ended.
        pixel_aspect: "W:H", width of a stored pixel over its height, where the header states none
            or a wrong one.
        snippet_weights: the network of snippets, for models that read them: a file or the name of
            published weights.
        snippet_stride: frames from one snippet's start to the next, as in the extraction for the
            models' training.
    """

    fps: float = 25.0
    length: float | None = None
    step: float = 1.0
    thresholds: Path | None = None
    block: float = 60.0
    growing: float | None = None
    stall: float = 10.0
    pixel_aspect: str | None = None
    snippet_weights: Path | None = None
    snippet_stride: int = 8

    @property
    def reading(self) -> Reading:
        """How the video is read."""
        return Reading(self.pixel_aspect)

    def __post_init__(self) -> None:
        _ = self.reading
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
        """The options on which the result depends, without waiting times; thresholds enter by their
        values elsewhere.
        """
        return {
            "fps": self.fps,
            "length": self.length,
            "step": self.step,
            "block": self.block,
            "growing": self.growing is not None,
            "pixel_aspect": self.pixel_aspect,
        }


def thresholds_of(models: dict[str, SavedModel], path: Path | None) -> tuple[Thresholds, bool]:
    """The thresholds of each model's signs, and whether they were tuned.

    Raises:
        UserError: a file that cannot be read, or without thresholds of a sign.
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
                f"{path}: has no thresholds of {task} {lacking[0]}; tune on timelines of this run's"
                " folds, or leave --thresholds out"
            )
    return {
        task: {level: tuned[task][level] for level in saved.levels[1:]}
        for task, saved in models.items()
    }, True


def model_digest(saved: SavedModel) -> str:
    """SHA-256 of everything on which a model's predictions depend."""
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
